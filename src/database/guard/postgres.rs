//! The guard in PostgreSQL: a schema of its own and four event triggers. Two run with the rights of whoever changes something,
//! and tell as whom; two have those of their owner, so that nobody needs a right on the table.

use super::{Guard, GuardCursor, GuardFault, GuardRights, GuardRow, GuardRows, GuardSettings, VERSION};
use crate::database::people::Sql;
use crate::database::postgres::literal;
use crate::database::rows::Value;
use crate::database::{Database, DatabaseError};
use crate::model::Timestamp;

const TABLES: &str = include_str!("../../../migrations/guard/postgres/tables.sql");
const FUNCTIONS: &str = include_str!("../../../migrations/guard/postgres/functions.sql");
const UNWATCH: &str = include_str!("../../../migrations/guard/postgres/unwatch.sql");
const WATCH: &str = include_str!("../../../migrations/guard/postgres/watch.sql");
const REMOVE: &str = include_str!("../../../migrations/guard/postgres/remove.sql");

/// Nothing is waited for long, and no name is looked for in schemas of others.
const BEGIN: &str = "BEGIN;\nSET LOCAL lock_timeout = '5s';\nSET LOCAL search_path = pg_catalog, pg_temp;\n\
                     SET LOCAL client_min_messages = warning;\n";

/// Its event triggers, each with its event and its function. Those of one event fire in the order of their names.
const TRIGGERS: [(&str, &str, &str); 4] = [
    ("greffe_guard_by_define", "ddl_command_end", "greffe_guard.role_seen"),
    ("greffe_guard_by_drop", "sql_drop", "greffe_guard.role_seen"),
    ("greffe_guard_define", "ddl_command_end", "greffe_guard.schema_changed"),
    ("greffe_guard_drop", "sql_drop", "greffe_guard.schema_changed"),
];
/// Its functions, each with the settings that it runs with.
const MADE: [(&str, &str); 2] = [
    ("role_seen", "false search_path=pg_catalog, pg_temp"),
    ("schema_changed", "true search_path=pg_catalog, pg_temp lock_timeout=2s"),
];
const RELATIONS: [&str; 3] = ["installed", "changes", "missed"];

/// Kind, name, owner where that is one whom nobody has to trust, and two more that depend on the kind.
const FIND: &str = "\
WITH trusted AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolsuper OR PROVIDED
    UNION SELECT e.evtowner FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname LIKE 'greffe!_guard!_%' ESCAPE '!'
), own AS (
    SELECT 'schema' AS kind, n.nspname::text AS name, n.nspowner AS owner, NULL::text AS one, NULL::text AS two
        FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'greffe_guard'
    UNION ALL SELECT 'relation', c.relname::text, c.relowner,
        (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind
            WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
            ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)::text, NULL
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'greffe_guard' AND c.relname IN ('installed', 'changes', 'missed')
    UNION ALL SELECT 'function', p.proname::text, p.proowner, p.prosrc,
        pg_catalog.concat_ws(' ', p.prosecdef::text, pg_catalog.array_to_string(p.proconfig, ' '))
        FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = 'greffe_guard'
    UNION ALL SELECT 'event', e.evtname::text, e.evtowner, e.evtenabled::text,
        pg_catalog.concat_ws(' ', e.evtevent::text, e.evtfoid::pg_catalog.regproc::text, e.evttags::text)
        FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname LIKE 'greffe!_guard!_%' ESCAPE '!'
), grants AS (
    SELECT 'schema' AS kind, n.nspname::text AS name, n.nspowner AS owner, n.nspacl AS acl
        FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'greffe_guard'
    UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname::text, c.relowner, c.relacl
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'greffe_guard'
)
SELECT o.kind, o.name, CASE WHEN o.owner IN (SELECT oid FROM trusted) THEN NULL
    ELSE pg_catalog.pg_get_userbyid(o.owner)::text END, o.one, o.two FROM own AS o
UNION ALL SELECT DISTINCT 'grant', g.kind || ' ' || g.name, NULL,
    CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, NULL
    FROM grants AS g CROSS JOIN LATERAL pg_catalog.aclexplode(g.acl) AS a
    WHERE a.grantee <> g.owner AND a.privilege_type <> 'SELECT' AND (g.kind <> 'schema' OR a.privilege_type <> 'USAGE')
UNION ALL SELECT 'off', 'this session', NULL, NULL, NULL
    WHERE pg_catalog.current_setting('event_triggers', true) = 'off'
UNION ALL SELECT 'off', pg_catalog.concat_ws(' ', 'role ' || r.rolname::text, 'database ' || d.datname::text), NULL, NULL, NULL
    FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
    WHERE c LIKE 'event!_triggers=%' ESCAPE '!'
        AND pg_catalog.lower(pg_catalog.split_part(c, '=', 2)) NOT IN ('on', 'true', 'yes', '1', 't', 'y')
        AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())";

/// Whether a role has the right to make event triggers from whoever provides the server.
const PROVIDED: &str = "EXISTS (SELECT FROM pg_catalog.pg_roles AS p
    WHERE p.rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser')
    AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER'))";

const FIND_INSTALLED: &str = "\
SELECT i.id, i.version::text, (extract(epoch FROM i.at) * 1000000)::bigint::text, i.strict::text, i.keep::text,
    (SELECT count(*) FROM greffe_guard.changes WHERE removed IS NULL)::text,
    (SELECT coalesce(sum(removed), 0) FROM greffe_guard.changes)::text,
    (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM greffe_guard.missed)::text
FROM greffe_guard.installed AS i";

const RIGHTS: &str = "\
SELECT session_user::text, pg_catalog.current_database()::text,
    (r.rolsuper OR PROVIDED)::text,
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')::text,
    pg_catalog.pg_is_in_recovery()::text
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user";

/// The statements that make a guard, or put one in order, as one transaction.
#[must_use]
pub fn install_sql(settings: &GuardSettings) -> String {
    let GuardSettings { id, strict, keep, reader } = settings;
    let mut sql = format!("{BEGIN}\n{UNWATCH}\n{TABLES}\n{FUNCTIONS}\n");
    sql.push_str("INSERT INTO greffe_guard.installed (id, version, strict, keep) VALUES (");
    literal(&mut sql, &Value::Text(id.into()));
    sql.push_str(&format!(
        ", {VERSION}, {strict}, {keep})\n    ON CONFLICT (one) DO UPDATE SET version = {VERSION}, strict = {strict}, \
         keep = {keep};\n"
    ));
    if let Some(reader) = reader {
        let reader = Sql::Postgres.name(reader);
        sql.push_str(&format!(
            "\nGRANT USAGE ON SCHEMA greffe_guard TO {reader};\n\
             GRANT SELECT ON greffe_guard.installed, greffe_guard.changes, greffe_guard.missed TO {reader};\n"
        ));
    }
    // Whoever may read by now goes on to. What comes before the triggers is noted by none.
    sql + &format!("\n{WATCH}\nCOMMIT;\n")
}

/// The statements that remove one, as one transaction.
#[must_use]
pub fn remove_sql() -> String {
    format!("{BEGIN}\n{UNWATCH}\n{REMOVE}\nCOMMIT;\n")
}

/// What there is of a guard.
pub async fn find(database: &mut Database) -> Result<Option<Guard>, DatabaseError> {
    let found = database.texts_of(FIND.replace("PROVIDED", PROVIDED)).await?;
    let found: Vec<Found> = found.into_iter().filter_map(Found::of).collect();
    if !found.iter().any(|found| ["schema", "event"].contains(&found.kind.as_str())) {
        return Ok(None);
    }
    let mut guard = Guard { faults: faults(&found), ..Guard::default() };
    let readable = |name: &&str| {
        found.iter().any(|found| found.is("relation", name) && found.one.as_deref() == Some("true"))
    };
    if RELATIONS.iter().all(readable)
        && let Some(row) = database.texts_of(FIND_INSTALLED.to_owned()).await?.pop()
    {
        let number = |place: usize| row.get(place)?.as_deref()?.parse::<i64>().ok();
        let count = |place| number(place).and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        let small = |place| u32::try_from(count(place)).unwrap_or_default();
        guard.id = row.first().cloned().flatten();
        guard.version = small(1);
        guard.installed_at = number(2).and_then(Timestamp::from_microseconds);
        guard.strict = row.get(3).and_then(Option::as_deref) == Some("true");
        (guard.keep, guard.rows, guard.removed, guard.missed) = (small(4), count(5), count(6), count(7));
    }
    Ok(Some(guard))
}

/// One thing that was found.
struct Found {
    kind: String,
    name: String,
    /// Where it is nobody whom all have to trust.
    owner: Option<String>,
    one: Option<String>,
    two: Option<String>,
}

impl Found {
    fn of(row: Vec<Option<String>>) -> Option<Self> {
        let [kind, name, owner, one, two]: [Option<String>; 5] = row.try_into().ok()?;
        Some(Self { kind: kind?, name: name?, owner, one, two })
    }

    fn is(&self, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name == name
    }
}

fn faults(found: &[Found]) -> Vec<GuardFault> {
    let mut faults = Vec::new();
    let one = |kind: &str, name: &str| found.iter().find(|found| found.is(kind, name));
    for name in RELATIONS {
        let what = format!("greffe_guard.{name}");
        match one("relation", name) {
            None => faults.push(GuardFault::Gone { what }),
            Some(found) if found.one.as_deref() != Some("true") => faults.push(GuardFault::Hidden { what }),
            Some(_) => {}
        }
    }
    for (name, settings) in MADE {
        let what = format!("function greffe_guard.{name}");
        match one("function", name) {
            None => faults.push(GuardFault::Gone { what }),
            Some(found) if found.one.as_deref() != body(name) || found.two.as_deref() != Some(settings) => {
                faults.push(GuardFault::Replaced { what });
            }
            Some(_) => {}
        }
    }
    for (name, event, function) in TRIGGERS {
        let what = format!("event trigger {name}");
        let fires = format!("{event} {function}");
        match one("event", name).map(|found| (found.one.as_deref(), found.two.as_deref())) {
            None => faults.push(GuardFault::Gone { what }),
            // One that fires in some sessions alone does not in those that say that they are a replica.
            Some((state, _)) if state != Some("A") => faults.push(GuardFault::Disabled { what }),
            Some((_, found)) if found != Some(&fires) => faults.push(GuardFault::Replaced { what }),
            Some(_) => {}
        }
    }
    for found in found {
        let what = || match found.kind.as_str() {
            "schema" => format!("schema {}", found.name),
            "event" => format!("event trigger {}", found.name),
            _ => format!("greffe_guard.{}", found.name),
        };
        if let Some(owner) = &found.owner {
            faults.push(GuardFault::Owned { what: what(), owner: owner.clone() });
        }
        match (found.kind.as_str(), &found.one) {
            ("grant", Some(grantee)) => {
                faults.push(GuardFault::Writable { what: found.name.clone(), grantee: grantee.clone() });
            }
            ("off", _) => faults.push(GuardFault::Off { whom: found.name.clone() }),
            _ => {}
        }
    }
    faults
}

/// The body that greffe gives a function.
fn body(name: &str) -> Option<&'static str> {
    let (_, after) = FUNCTIONS.split_once(&format!("FUNCTION greffe_guard.{name}()"))?;
    after.split("$function$").nth(1)
}

/// What came after `after`, in one statement, so in one moment. A standby does not tell all that is open; there only what is
/// older than all that is counts as seen.
pub async fn rows(database: &mut Database, after: GuardCursor) -> Result<GuardRows, DatabaseError> {
    let GuardCursor { row, snapshot } = &after;
    let sql = format!(
        "SELECT 'row', c.id::text, (extract(epoch FROM c.at) * 1000000)::bigint::text, c.transaction::text, \
             c.session_role, c.role, c.run, c.command, c.object_type, c.identity, c.extension, c.others::text \
         FROM greffe_guard.changes AS c \
         WHERE c.removed IS NULL AND (c.id > {row} \
             OR NOT pg_catalog.pg_visible_in_snapshot(c.transaction, '{snapshot}'::pg_catalog.pg_snapshot)) \
         UNION ALL SELECT DISTINCT 'run', c.run, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL \
         FROM greffe_guard.changes AS c WHERE c.run IS NOT NULL \
         UNION ALL SELECT 'counts', coalesce(max(c.id), 0)::text, \
             CASE WHEN pg_catalog.pg_is_in_recovery() \
                 THEN pg_catalog.replace('X:X:', 'X', pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text) \
                 ELSE pg_catalog.pg_current_snapshot()::text END, coalesce(sum(c.removed), 0)::text, \
             (SELECT CASE WHEN m.is_called THEN m.last_value ELSE 0 END FROM greffe_guard.missed AS m)::text, \
             NULL, NULL, NULL, NULL, NULL, NULL, NULL \
         FROM greffe_guard.changes AS c"
    );
    let mut read = GuardRows { cursor: after.clone(), ..GuardRows::default() };
    for row in database.texts_of(sql).await? {
        let Ok([kind, one, rest @ ..]): Result<[Option<String>; 12], _> = row.try_into() else { continue };
        match kind.as_deref() {
            Some("row") => read.rows.extend(row_of(one, rest)),
            Some("run") => read.runs.extend(one),
            _ => {
                read.newest = number(one.as_ref());
                let row = read.newest.max(after.row);
                let snapshot = rest[0].clone().unwrap_or_default();
                read.cursor = GuardCursor { row, snapshot };
                (read.removed, read.missed) = (number(rest[1].as_ref()), number(rest[2].as_ref()));
            }
        }
    }
    read.rows.sort_by_key(|row| row.id);
    Ok(read)
}

fn row_of(id: Option<String>, rest: [Option<String>; 10]) -> Option<GuardRow> {
    let [at, transaction, session_role, role, run, command, object_type, identity, extension, others] = rest;
    let at = at.and_then(|at| at.parse().ok()).and_then(Timestamp::from_microseconds);
    Some(GuardRow {
        id: id?.parse().ok()?,
        at,
        transaction: transaction.unwrap_or_default(),
        session_role: session_role.unwrap_or_default(),
        role,
        run,
        command: command.unwrap_or_default(),
        object_type,
        identity,
        extension,
        others: number(others.as_ref()),
    })
}

fn number<N: std::str::FromStr + Default>(text: Option<&String>) -> N {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// What the role of this connection may.
pub async fn rights(database: &mut Database) -> Result<GuardRights, DatabaseError> {
    let row = database.texts_of(RIGHTS.replace("PROVIDED", PROVIDED)).await?.pop().unwrap_or_default();
    let text = |place: usize| row.get(place).cloned().flatten().unwrap_or_default();
    Ok(GuardRights {
        role: text(0),
        database: text(1),
        makes_event_triggers: text(2) == "true",
        makes_schemas: text(3) == "true",
        is_standby: text(4) == "true",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: &str, name: &str, one: &str, two: &str) -> Found {
        let text = |text: &str| Some(text.to_owned());
        Found { kind: kind.to_owned(), name: name.to_owned(), owner: None, one: text(one), two: text(two) }
    }

    fn whole() -> Vec<Found> {
        let mut all: Vec<Found> = RELATIONS.iter().map(|name| found("relation", name, "true", "")).collect();
        all.extend(MADE.iter().map(|(name, set)| found("function", name, body(name).unwrap(), set)));
        let fires = |(name, event, function): &(&str, &str, &str)| {
            found("event", name, "A", &format!("{event} {function}"))
        };
        all.extend(TRIGGERS.iter().map(fires));
        all
    }

    #[test]
    fn each_part_that_is_gone_or_other_is_a_fault() {
        assert_eq!(faults(&whole()), []);
        for place in 0..whole().len() {
            let mut less = whole();
            less.remove(place);
            assert!(matches!(faults(&less)[..], [GuardFault::Gone { .. }]), "{place}");
            let mut other = whole();
            other[place].one = Some("D".to_owned());
            assert!(!matches!(faults(&other)[..], [] | [GuardFault::Gone { .. }]), "{place}");
            let mut owned = whole();
            owned[place].owner = Some("mallory".to_owned());
            assert!(matches!(faults(&owned)[..], [GuardFault::Owned { .. }]), "{place}");
        }
        let mut more = whole();
        more.push(found("grant", "table changes", "app", ""));
        more.push(found("off", "role app", "", ""));
        assert_eq!(
            faults(&more).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["app may write table changes", "event triggers are off for role app"]
        );
    }

    #[test]
    fn names_and_texts_are_quoted_in_what_is_printed() {
        let settings = GuardSettings {
            id: "it's \\ one".to_owned(),
            strict: true,
            keep: 5,
            reader: Some("a\"; DROP TABLE b; --".to_owned()),
        };
        let sql = install_sql(&settings);
        assert!(sql.contains("E'it''s \\\\ one'"), "{sql}");
        assert!(sql.contains("TO \"a\"\"; DROP TABLE b; --\";"), "{sql}");
        assert!(sql.starts_with("BEGIN;") && sql.ends_with("COMMIT;\n"));
    }
}
