//! Tables, views, sequences, indexes and composite types.

use super::{
    CAPTURE_TRIGGER, COMMENT_CATALOGS, RELATION_CATALOGS, USER_SCHEMA, changes, comment, description, lines,
    not_of_extension, sorted_options,
};

/// Which relations to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Relations {
    All,
    /// Those in the transaction's own locks and those that depend on them; none unless its changes of
    /// catalogs exceed `$1`; `$2`: the same of comments.
    Touched,
}

/// Relations that this transaction may have changed: those that it has locked as only changes of a schema do,
/// and those whose text names one of them.
const TOUCHED: &str = "
locked AS MATERIALIZED (
    SELECT DISTINCT relation AS oid FROM pg_locks
    WHERE (SELECT {count}) > $1 AND pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
), named AS MATERIALIZED (
    SELECT oid FROM locked
    UNION SELECT i.indrelid FROM locked JOIN pg_index AS i ON i.indexrelid = locked.oid
), referred AS MATERIALIZED (
    SELECT 'pg_class'::regclass::oid AS catalog, oid FROM named
    UNION ALL SELECT 'pg_type'::regclass, c.reltype FROM named JOIN pg_class AS c ON c.oid = named.oid
    UNION ALL SELECT 'pg_type'::regclass, y.typarray FROM named JOIN pg_class AS c ON c.oid = named.oid
        JOIN pg_type AS y ON y.oid = c.reltype
), dependent AS MATERIALIZED (
    SELECT d.classid, d.objid FROM referred AS r
    JOIN pg_depend AS d ON d.refclassid = r.catalog AND d.refobjid = r.oid
), touched AS MATERIALIZED (
    SELECT oid FROM named
    UNION SELECT i.indexrelid FROM named JOIN pg_index AS i ON i.indrelid = named.oid
    UNION SELECT objid FROM dependent WHERE classid = 'pg_class'::regclass
    UNION SELECT ev_class FROM dependent JOIN pg_rewrite AS x ON x.oid = objid WHERE classid = 'pg_rewrite'::regclass
    UNION SELECT conrelid FROM dependent JOIN pg_constraint AS x ON x.oid = objid WHERE classid = 'pg_constraint'::regclass
    UNION SELECT adrelid FROM dependent JOIN pg_attrdef AS x ON x.oid = objid WHERE classid = 'pg_attrdef'::regclass
    UNION SELECT tgrelid FROM dependent JOIN pg_trigger AS x ON x.oid = objid WHERE classid = 'pg_trigger'::regclass
    UNION SELECT polrelid FROM dependent JOIN pg_policy AS x ON x.oid = objid WHERE classid = 'pg_policy'::regclass
    UNION SELECT stxrelid FROM dependent JOIN pg_statistic_ext AS x ON x.oid = objid WHERE classid = 'pg_statistic_ext'::regclass
), ";

/// Dependents that [`TOUCHED`] follows to their relation.
const READ_ANEW: &str = "classid IN ('pg_class'::regclass, 'pg_rewrite'::regclass, 'pg_constraint'::regclass, \
    'pg_attrdef'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_statistic_ext'::regclass)";

/// Comments that are as young as this transaction, on objects that it has no lock of changes on.
const NEW_COMMENTS: &str = "SELECT FROM pg_description
    WHERE (objoid >= 16384 OR objoid IN (SELECT oid FROM pg_namespace UNION SELECT oid FROM pg_extension))
      AND classoid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
      AND age(xmin) <= age(pg_current_xact_id()::xid)";

/// Tables, views, sequences, indexes and composite types, with all that hangs on them. `version`: the
/// server's, such as 150004.
pub fn relations(which: Relations, version: u32) -> String {
    let (touched, source) = match which {
        Relations::All => (String::new(), "pg_class AS c"),
        Relations::Touched => (
            TOUCHED.replace("{count}", &changes(&RELATION_CATALOGS)),
            "touched JOIN pg_class AS c USING (oid)",
        ),
    };
    let of_extension = [not_of_extension("pg_class", "c.oid"), not_of_extension("pg_class", "i.indrelid")];
    let mut sql = format!(
        "WITH {touched}rels AS MATERIALIZED (
            SELECT c.*, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
                WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
                WHEN 'c' THEN 'type' ELSE 'index' END AS kind,
                quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
            FROM {source} JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
            WHERE c.relkind <> 't' AND {USER_SCHEMA} AND {} AND (i.indrelid IS NULL OR {})
        ), parents AS MATERIALIZED (
            SELECT h.inhrelid, string_agg(quote_ident(pn.nspname) || '.' || quote_ident(p.relname), ', '
                ORDER BY h.inhseqno) AS names
            FROM rels JOIN pg_inherits AS h ON h.inhrelid = rels.oid JOIN pg_class AS p ON p.oid = h.inhparent
            JOIN pg_namespace AS pn ON pn.oid = p.relnamespace GROUP BY h.inhrelid
        )\n",
        of_extension[0], of_extension[1]
    );
    if which == Relations::Touched {
        // Which numbers were read anew: whatever was known of them is no more.
        sql.push_str(&format!(
            "SELECT 'r' AS class, oid, NULL AS kind, NULL AS name, 0 AS place, NULL AS lines FROM touched \
             UNION ALL SELECT 'd', 0, NULL, NULL, 0, NULL WHERE EXISTS (SELECT FROM dependent WHERE NOT ({READ_ANEW} \
             OR classid = 'pg_type'::regclass AND objid IN (SELECT oid FROM referred))) \
             OR {} > $2 AND EXISTS ({NEW_COMMENTS}) UNION ALL\n",
            changes(&COMMENT_CATALOGS)
        ));
    }
    let parts = [
        headers(),
        columns(version),
        definitions(),
        sequences(),
        of_tables(
            "pg_constraint",
            "conrelid",
            "conname",
            "x.conparentid = 0 AND x.contype NOT IN ('t', 'n')",
            "'constraint ' || quote_ident(x.conname) || ' ' || pg_get_constraintdef(x.oid)",
            4,
        ),
        of_tables(
            "pg_trigger",
            "tgrelid",
            "tgname",
            &format!("NOT x.tgisinternal AND x.tgparentid = 0 AND coalesce(NOT {CAPTURE_TRIGGER}, true)"),
            "'trigger ' || pg_get_triggerdef(x.oid) || CASE x.tgenabled WHEN 'O' THEN '' ELSE ' enabled ' || x.tgenabled::text END",
            5,
        ),
        of_tables(
            "pg_rewrite",
            "ev_class",
            "rulename",
            "x.rulename <> '_RETURN'",
            "'rule ' || pg_get_ruledef(x.oid) || CASE x.ev_enabled WHEN 'O' THEN '' ELSE ' enabled ' || x.ev_enabled::text END",
            6,
        ),
        of_tables("pg_policy", "polrelid", "polname", "true", POLICY, 7),
        of_tables(
            "pg_statistic_ext",
            "stxrelid",
            "stxname",
            "true",
            "'statistics ' || pg_get_statisticsobjdef(x.oid) || coalesce(' target ' || nullif(x.stxstattarget, -1), '')",
            8,
        ),
        column_comments(),
    ];
    sql.push_str(&parts.join("\nUNION ALL\n"));
    sql
}

const POLICY: &str = "'policy ' || quote_ident(x.polname) || ' for ' || x.polcmd::text \
    || CASE WHEN x.polpermissive THEN '' ELSE ' restrictive' END || ' to ' \
    || (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(r)) END, ', ' \
        ORDER BY CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END COLLATE \"C\") FROM unnest(x.polroles) AS r) \
    || coalesce(' using (' || pg_get_expr(x.polqual, x.polrelid) || ')', '') \
    || coalesce(' with check (' || pg_get_expr(x.polwithcheck, x.polrelid) || ')', '')";

const PART: &str = "SELECT 'r' AS class, rels.oid, rels.kind, rels.name,";

fn headers() -> String {
    let options = format!("'with ' || {}", sorted_options("rels.reloptions"));
    let toast = format!(
        "CASE WHEN rels.reltoastrelid <> 0 THEN 'toast with ' || (SELECT {} FROM pg_class AS t \
         WHERE t.oid = rels.reltoastrelid) END",
        sorted_options("t.reloptions")
    );
    let foreign = format!(
        "CASE WHEN rels.relkind = 'f' THEN (SELECT 'server ' || quote_ident(s.srvname) \
         || coalesce(' options ' || {}, '') FROM pg_foreign_table AS f \
         JOIN pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = rels.oid) END",
        sorted_options("f.ftoptions")
    );
    let details = lines(&[
        "CASE rels.relpersistence WHEN 'p' THEN NULL ELSE 'persistence ' || rels.relpersistence::text END",
        "CASE WHEN rels.relkind = 'p' THEN 'partition by ' || pg_get_partkeydef(rels.oid) END",
        "CASE WHEN rels.relispartition AND rels.relkind NOT IN ('i', 'I') \
         THEN 'partition ' || pg_get_expr(rels.relpartbound, rels.oid) END",
        "(SELECT 'parents ' || names FROM parents WHERE inhrelid = rels.oid)",
        "CASE WHEN rels.reloftype <> 0 THEN 'of ' || format_type(rels.reloftype, NULL) END",
        "(SELECT 'method ' || quote_ident(m.amname) FROM pg_am AS m WHERE m.oid = rels.relam \
         AND rels.relkind IN ('r', 'm', 'p') AND m.amname <> 'heap')",
        &options,
        &toast,
        &foreign,
        "CASE WHEN rels.relrowsecurity THEN 'row security' END",
        "CASE WHEN rels.relforcerowsecurity THEN 'row security forced' END",
        "CASE WHEN rels.relreplident IN ('f', 'n', 'i') AND rels.relkind IN ('r', 'p', 'm') \
         THEN 'replica identity ' || rels.relreplident::text END",
        &comment("pg_class", "rels.oid"),
    ]);
    format!("{PART} 0 AS place, {details} AS lines FROM rels")
}

fn columns(version: u32) -> String {
    let compression = if version >= 140_000 {
        "|| CASE a.attcompression WHEN '' THEN '' ELSE ' compression ' || a.attcompression::text END"
    } else {
        ""
    };
    let options = sorted_options("a.attoptions");
    let foreign = sorted_options("a.attfdwoptions");
    // The columns that a child gets from its parents stand elsewhere after a dump was restored.
    format!(
        "{PART} 1, string_agg(replace('column ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attcollation <> y.typcollation AND a.attcollation <> 0 THEN ' collate ' ||
                (SELECT quote_ident(cn.nspname) || '.' || quote_ident(l.collname) FROM pg_collation AS l
                 JOIN pg_namespace AS cn ON cn.oid = l.collnamespace WHERE l.oid = a.attcollation) ELSE '' END
            || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
            || CASE a.attidentity WHEN '' THEN '' WHEN 'a' THEN ' identity always' ELSE ' identity by default' END
            || CASE WHEN NOT a.atthasdef THEN '' WHEN a.attgenerated <> '' THEN ' generated ' || a.attgenerated::text || ' ' ELSE ' default ' END
            || CASE WHEN a.atthasdef THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d
                WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) ELSE '' END
            || CASE WHEN a.attstorage <> y.typstorage THEN ' storage ' || a.attstorage::text ELSE '' END {compression}
            || coalesce(' statistics ' || nullif(a.attstattarget, -1), '')
            || CASE WHEN a.attoptions IS NULL THEN '' ELSE ' with ' || {options} END
            || CASE WHEN a.attfdwoptions IS NULL THEN '' ELSE ' options ' || {foreign} END,
            E'\\n', E'\\n\\t'), E'\\n'
            ORDER BY CASE WHEN parents.inhrelid IS NULL OR rels.relispartition THEN a.attnum ELSE 0 END, a.attname COLLATE \"C\")
        FROM rels JOIN pg_attribute AS a ON a.attrelid = rels.oid JOIN pg_type AS y ON y.oid = a.atttypid
        LEFT JOIN parents ON parents.inhrelid = rels.oid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND rels.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
        GROUP BY rels.oid, rels.kind, rels.name"
    )
}

fn definitions() -> String {
    let index = lines(&[
        "pg_get_indexdef(rels.oid)",
        "CASE WHEN NOT i.indisvalid THEN 'invalid' END",
        "CASE WHEN i.indisclustered THEN 'clustered' END",
        "CASE WHEN i.indisreplident THEN 'replica identity' END",
        "(SELECT 'statistics ' || string_agg(a.attnum || ' ' || a.attstattarget, ', ' ORDER BY a.attnum) \
         FROM pg_attribute AS a WHERE a.attrelid = rels.oid AND a.attstattarget >= 0)",
    ]);
    let view = lines(&["pg_get_viewdef(rels.oid)"]);
    format!(
        "{PART} 2, {index} FROM rels JOIN pg_index AS i ON i.indexrelid = rels.oid\nUNION ALL\n\
         {PART} 2, {view} FROM rels WHERE rels.relkind IN ('v', 'm')"
    )
}

fn sequences() -> String {
    let details = lines(&[
        "'as ' || format_type(s.seqtypid, NULL) || ' start ' || s.seqstart || ' increment ' || s.seqincrement \
         || ' minimum ' || s.seqmin || ' maximum ' || s.seqmax || ' cache ' || s.seqcache \
         || CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END",
        "(SELECT 'owned by ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname) \
         || CASE d.deptype WHEN 'i' THEN ' as its identity' ELSE '' END \
         FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.refobjid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
         WHERE d.classid = 'pg_class'::regclass AND d.objid = rels.oid AND d.objsubid = 0 \
         AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))",
    ]);
    format!("{PART} 3, {details} FROM rels JOIN pg_sequence AS s ON s.seqrelid = rels.oid")
}

/// What hangs on a table, by name.
fn of_tables(catalog: &str, table: &str, name: &str, condition: &str, text: &str, place: u8) -> String {
    let details = lines(&[text, &format!("'comment on it ' || {}", description(catalog, "x.oid"))]);
    format!(
        "{PART} {place}, string_agg({details}, E'\\n' ORDER BY x.{name} COLLATE \"C\")
         FROM rels JOIN {catalog} AS x ON x.{table} = rels.oid WHERE {condition} GROUP BY rels.oid, rels.kind, rels.name"
    )
}

fn column_comments() -> String {
    let details = lines(&["'comment on column ' || quote_ident(a.attname) || ' ' || d.description"]);
    format!(
        "{PART} 9, string_agg({details}, E'\\n' ORDER BY a.attname COLLATE \"C\")
         FROM rels JOIN pg_description AS d ON d.objoid = rels.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid > 0
         JOIN pg_attribute AS a ON a.attrelid = rels.oid AND a.attnum = d.objsubid GROUP BY rels.oid, rels.kind, rels.name"
    )
}
