//! Capture in PostgreSQL: a schema of its own, so that whom the tool runs as needs no right on the journal.

use super::{Capture, CaptureFault, IS_CHANGE, VERSION};
use crate::database::people::{Query, Speak as _, Sql};
use crate::database::postgres::Postgres;
use crate::database::{Database, DatabaseError, Failure, ToolTable};

const JOURNAL: &str = include_str!("../../../migrations/capture/postgres/journal.sql");
const FUNCTIONS: &str = include_str!("../../../migrations/capture/postgres/functions.sql");
const WATCH: &str = include_str!("../../../migrations/capture/postgres/watch.sql");
const DEFINITIONS: &str = include_str!("../../../migrations/capture/postgres/definitions.sql");
const REMOVE: &str = include_str!("../../../migrations/capture/postgres/remove.sql");

/// Its triggers on the tool's table, with what PostgreSQL keeps of when they fire (`pg_trigger.tgtype`).
const TRIGGERS: [(&str, &str); 2] = [("greffe_capture_row", "29"), ("greffe_capture_truncate", "34")];
const EVENT_TRIGGERS: [&str; 2] = ["greffe_capture_define", "greffe_capture_drop"];
/// Insufficient privilege.
const FORBIDDEN: &str = "42501";

/// Triggers on the tool's table.
const FIND_TRIGGERS: &str = "SELECT t.tgname::text, t.tgenabled::text, t.tgtype::text, \
    (t.tgqual IS NULL AND t.tgattr::text = '' AND n.nspname = 'greffe_capture' \
    AND p.proname = 'history_changed')::text, pg_catalog.encode(t.tgargs, 'hex') \
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
    WHERE t.tgname IN ('greffe_capture_row', 'greffe_capture_truncate') AND t.tgrelid = ";

/// Functions, and what else there is.
const FIND_OTHERS: &str = "SELECT 'function', p.proname::text, p.prosrc, \
    concat_ws(' ', p.prosecdef, array_to_string(p.proconfig, ' ')) FROM pg_catalog.pg_proc AS p \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'greffe_capture' \
    UNION ALL SELECT 'event', e.evtname::text, e.evtenabled::text, e.evtfoid::regproc::text \
    FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname IN ('greffe_capture_define', 'greffe_capture_drop') \
    UNION ALL SELECT 'table', (pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))::text, (SELECT t.tgenabled::text FROM pg_catalog.pg_trigger \
    AS t WHERE t.tgname = 'kept' AND t.tgrelid = c.oid), NULL FROM pg_catalog.pg_class AS c \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE n.nspname = 'greffe_capture' AND c.relname = 'journal'";

const FIND_INSTALLED: &str = "SELECT after ->> 'id', after ->> 'version', after ->> 'definitions' \
    FROM greffe_capture.journal WHERE operation = 'INSTALL' ORDER BY id DESC LIMIT 1";

impl Postgres {
    pub(super) async fn install_capture(
        &mut self,
        table: &ToolTable,
        columns: &[&str],
        id: &str,
    ) -> Result<bool, Failure> {
        let exists = self.says_yes("EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'greffe_capture' AND tablename = 'journal')").await?;
        let names: Vec<String> = columns.iter().map(|name| literal(name)).collect();
        let watch = WATCH.replace("{table}", &qualified(table)).replace("{columns}", &names.join(", "));
        let journal = if exists { "" } else { JOURNAL };
        self.say_all(format!(
            "BEGIN; SET LOCAL lock_timeout = '5s';\n{journal}\n{FUNCTIONS}\n{watch}\nSAVEPOINT definitions"
        ))
        .await?;
        let definitions = match self.say_all(DEFINITIONS.to_owned()).await {
            Ok(()) => true,
            Err(Failure::Server { code, .. }) if code == FORBIDDEN => {
                self.say_all("ROLLBACK TO SAVEPOINT definitions".to_owned()).await?;
                false
            }
            Err(failure) => return Err(failure),
        };
        let installed = serde_json::json!({
            "id": id, "version": VERSION.to_string(), "definitions": definitions.to_string(),
        });
        self.say_all(format!(
            "INSERT INTO greffe_capture.journal (operation, after) VALUES ('INSTALL', {}); COMMIT",
            literal(&installed.to_string())
        ))
        .await?;
        Ok(definitions)
    }

    pub(super) async fn remove_capture(
        &mut self,
        table: Option<&ToolTable>,
        after: Option<i64>,
    ) -> Result<bool, Failure> {
        let drop = |table: &ToolTable| {
            let table = qualified(table);
            TRIGGERS.map(|(name, _)| format!("DROP TRIGGER IF EXISTS {name} ON {table};")).concat()
        };
        let events = self
            .says_yes(
                "EXISTS (SELECT FROM pg_event_trigger WHERE evtname LIKE 'greffe!_capture!_%' ESCAPE '!')",
            )
            .await?;
        let sql = REMOVE.replace("{triggers}", &table.map(drop).unwrap_or_default());
        let sql: Vec<&str> = sql.lines().filter(|line| events || !line.starts_with("DROP EVENT")).collect();
        self.say_all("BEGIN; SET LOCAL lock_timeout = '5s'".to_owned()).await?;
        if let Some(after) = after {
            // Whoever writes the history is waited for, and nobody writes it from here on.
            let tables = [table.map(qualified), Some("greffe_capture.journal".to_owned())];
            let tables: Vec<String> = tables.into_iter().flatten().collect();
            self.say_all(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "))).await?;
            let waits =
                format!("EXISTS (SELECT FROM greffe_capture.journal WHERE id > {after} AND {IS_CHANGE})");
            let waits = self.says_yes(&waits).await;
            if !matches!(waits, Ok(false)) {
                self.say("ROLLBACK".to_owned()).await.ok();
                return waits.map(|_| false);
            }
        }
        self.say_all(format!("{}\nCOMMIT", sql.join("\n"))).await?;
        Ok(true)
    }

    /// Runs statements; where one fails, the open transaction is rolled back unless it has a savepoint for that.
    async fn say_all(&mut self, sql: String) -> Result<(), Failure> {
        let done = self.say(sql.clone()).await;
        let kept =
            matches!(&done, Err(Failure::Server { code, .. }) if code == FORBIDDEN && sql == DEFINITIONS);
        if done.is_err() && !kept {
            self.say("ROLLBACK".to_owned()).await.ok();
        }
        done
    }

    async fn says_yes(&mut self, condition: &str) -> Result<bool, Failure> {
        let mut query = Query::default();
        query.push(&format!("SELECT '1' WHERE {condition}"));
        let mut found = false;
        let mut each = |_: Vec<Option<Vec<u8>>>| {
            found = true;
            false
        };
        self.rows(query, &mut each).await?;
        Ok(found)
    }
}

/// What there is of a capture.
pub async fn find(
    database: &mut Database,
    table: Option<&ToolTable>,
    columns: &[&str],
) -> Result<Option<Capture>, DatabaseError> {
    let others = database.texts_of(FIND_OTHERS.to_owned()).await?;
    let triggers = match table {
        Some(table) => {
            let sql = format!("{FIND_TRIGGERS}{}::regclass", literal(&qualified(table)));
            database.texts_of(sql).await?
        }
        None => Vec::new(),
    };
    if others.is_empty() && triggers.is_empty() {
        return Ok(None);
    }
    let mut capture = Capture::default();
    let has = |kind: &str| others.iter().find(|row| row.first() == Some(&Some(kind.to_owned())));
    if let Some(row) = has("table") {
        let may_read = row.get(1).and_then(Option::as_deref) == Some("true");
        let installed = match may_read {
            true => database.texts_of(FIND_INSTALLED.to_owned()).await?,
            false => {
                capture.faults.push(CaptureFault::Hidden { what: "table greffe_capture.journal".to_owned() });
                Vec::new()
            }
        };
        if let Some([id, version, definitions]) = installed.first().map(Vec::as_slice) {
            capture.id.clone_from(id);
            capture.version = version.as_ref().and_then(|text| text.parse().ok()).unwrap_or_default();
            capture.definitions = definitions.as_deref() == Some("true");
        }
        match row.get(2).and_then(Option::as_deref) {
            None => capture.faults.push(CaptureFault::gone("trigger kept on greffe_capture.journal")),
            Some("D" | "R") => {
                capture.faults.push(CaptureFault::disabled("trigger kept on greffe_capture.journal"))
            }
            Some(_) => {}
        }
    } else {
        capture.faults.push(CaptureFault::gone("table greffe_capture.journal"));
    }
    for name in ["history_changed", "kept"].into_iter().chain(capture.definitions.then_some("schema_changed"))
    {
        capture.faults.extend(function_fault(name, &others));
    }
    let wanted: String = columns.iter().map(|name| format!("{name}\0")).collect();
    let wanted = data_encoding::HEXLOWER.encode(wanted.as_bytes());
    for (name, kind) in TRIGGERS {
        let what = format!("trigger {name}");
        let found = triggers.iter().find(|row| row.first() == Some(&Some(name.to_owned())));
        let texts: Option<Vec<&str>> =
            found.map(|row| row.iter().skip(1).map(|text| text.as_deref().unwrap_or_default()).collect());
        match texts.as_deref() {
            None => capture.faults.push(CaptureFault::gone(what)),
            Some(["D" | "R", ..]) => capture.faults.push(CaptureFault::disabled(what)),
            Some([_, found, "true", columns]) if *found == kind && *columns == wanted => {}
            Some(_) => capture.faults.push(CaptureFault::replaced(what)),
        }
    }
    for name in EVENT_TRIGGERS.into_iter().filter(|_| capture.definitions) {
        let what = format!("event trigger {name}");
        let found = others.iter().find(|row| row.get(1) == Some(&Some(name.to_owned())));
        match found.map(|row| (row.get(2).and_then(Option::as_deref), row.get(3).and_then(Option::as_deref)))
        {
            None => capture.faults.push(CaptureFault::gone(what)),
            Some((Some("D" | "R"), _)) => capture.faults.push(CaptureFault::disabled(what)),
            Some((_, Some("greffe_capture.schema_changed"))) => {}
            Some(_) => capture.faults.push(CaptureFault::replaced(what)),
        }
    }
    Ok(Some(capture))
}

fn function_fault(name: &str, found: &[Vec<Option<String>>]) -> Option<CaptureFault> {
    let what = format!("function greffe_capture.{name}");
    let row = found.iter().find(|row| {
        row.first() == Some(&Some("function".to_owned())) && row.get(1) == Some(&Some(name.to_owned()))
    });
    let Some(row) = row else { return Some(CaptureFault::gone(what)) };
    let is_made = row.get(2).and_then(Option::as_deref) == body(name)
        && row.get(3).and_then(Option::as_deref) == Some(setting(name));
    (!is_made).then(|| CaptureFault::replaced(what))
}

/// The body that greffe gives a function.
fn body(name: &str) -> Option<&'static str> {
    let texts = [FUNCTIONS, DEFINITIONS];
    let after =
        texts.iter().find_map(|text| text.split_once(&format!("FUNCTION greffe_capture.{name}()")))?;
    after.1.split("$function$").nth(1)
}

/// Whether it has its owner's rights, and the settings that it runs with.
fn setting(name: &str) -> &'static str {
    match name {
        "history_changed" => {
            "t search_path=pg_catalog, pg_temp TimeZone=UTC bytea_output=hex row_security=off"
        }
        "schema_changed" => "t search_path=pg_catalog, pg_temp",
        _ => "f search_path=pg_catalog, pg_temp",
    }
}

pub fn qualified(table: &ToolTable) -> String {
    let name = |name: &str| Sql::Postgres.name(name);
    match &table.schema {
        Some(schema) => format!("{}.{}", name(schema), name(&table.name)),
        None => name(&table.name),
    }
}

/// A text as PostgreSQL reads it, whatever the session's settings.
fn literal(text: &str) -> String {
    match text.contains('\\') {
        true => format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}
