//! The queries that read a schema from PostgreSQL's catalogs. Each answers rows of five columns: class and number
//! of the object (which are no part of the text), its kind, its name, and a place and text of lines that
//! describe it.
//!
//! They are read with `search_path = pg_catalog`, so that every other name is written with its schema.

mod others;
mod relations;

use others::schemas;
pub use others::{functions, others, types};
pub use relations::{Relations, relations};

/// Joins details, each of which is one line; a line feed inside one is followed by a tab.
fn lines(details: &[&str]) -> String {
    let details: Vec<String> =
        details.iter().map(|detail| format!("replace({detail}, E'\\n', E'\\n\\t')")).collect();
    format!("concat_ws(E'\\n', {})", details.join(", "))
}

/// Schemas that are not the system's, nor anyone's temporary tables, nor greffe's.
const USER_SCHEMA: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'greffe', 'greffe_capture', 'greffe_guard') AND n.nspname !~ '^pg_(toast_)?temp_'";

/// Greffe's own schemas.
const OWN_SCHEMA: &str = "n.nspname IN ('greffe', 'greffe_capture', 'greffe_guard')";

/// A trigger that captures a tool's history, as greffe makes it and at work.
const CAPTURE_TRIGGER: &str = "(x.tgname IN ('greffe_capture_row', 'greffe_capture_truncate') \
    AND x.tgfoid = (SELECT cp.oid FROM pg_proc AS cp JOIN pg_namespace AS cn ON cn.oid = cp.pronamespace \
    WHERE cn.nspname = 'greffe_capture' AND cp.proname = 'history_changed') AND x.tgenabled IN ('O', 'A') AND x.tgqual IS NULL \
    AND x.tgtype = CASE x.tgname WHEN 'greffe_capture_row' THEN 29 ELSE 34 END AND x.tgattr::text = '')";
/// The same of what is defined and dropped.
const CAPTURE_EVENT: &str = "(x.evtname IN ('greffe_capture_define', 'greffe_capture_drop') \
    AND x.evtfoid = (SELECT cp.oid FROM pg_proc AS cp JOIN pg_namespace AS cn ON cn.oid = cp.pronamespace \
    WHERE cn.nspname = 'greffe_capture' AND cp.proname = 'schema_changed') AND x.evtenabled IN ('O', 'A') AND x.evttags IS NULL)";

/// An event trigger of greffe: one of [`CAPTURE_EVENT`], or one that guards the schema as greffe makes it and at work.
const OWN_EVENT: &str = "(CAPTURE_EVENT OR x.evtname IN ('greffe_guard_by_define', 'greffe_guard_by_drop', 'greffe_guard_define', 'greffe_guard_drop') \
    AND x.evtfoid = (SELECT cp.oid FROM pg_proc AS cp JOIN pg_namespace AS cn ON cn.oid = cp.pronamespace \
    WHERE cn.nspname = 'greffe_guard' AND cp.proname = CASE WHEN x.evtname LIKE '%!_by!_%' ESCAPE '!' THEN 'role_seen' ELSE 'schema_changed' END) \
    AND x.evtevent = CASE WHEN x.evtname LIKE '%drop' THEN 'sql_drop' ELSE 'ddl_command_end' END \
    AND x.evtenabled = 'A' AND x.evttags IS NULL)";

/// Event triggers that are part of the schema.
fn user_event() -> String {
    format!("coalesce(NOT {}, true)", OWN_EVENT.replace("CAPTURE_EVENT", CAPTURE_EVENT))
}

/// Not part of an extension: the extension's version stands for those.
fn not_of_extension(catalog: &str, number: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = '{catalog}'::regclass AND e.objid = {number} \
         AND e.deptype = 'e')"
    )
}

/// What is in greffe's own schema, whether an extension claims it or not.
pub fn own(version: u32) -> String {
    let not_claimed =
        [("pg_class", "c.oid"), ("pg_class", "i.indrelid"), ("pg_proc", "p.oid"), ("pg_type", "y.oid")];
    let mut queries = vec![relations(Relations::All, version), functions("true"), types("true"), schemas()];
    for query in &mut queries {
        for (user, own) in
            [(USER_SCHEMA, OWN_SCHEMA), (&USER_SCHEMA.replace("n.", "x."), &OWN_SCHEMA.replace("n.", "x."))]
        {
            *query = query.replace(user, own);
        }
        for (catalog, number) in not_claimed {
            *query = query.replace(&not_of_extension(catalog, number), "true");
        }
    }
    queries.join(";\n")
}

fn comment(catalog: &str, number: &str) -> String {
    format!("'comment ' || {}", description(catalog, number))
}

/// The comment on an object. The server would plan the body of `obj_description` anew for each query.
fn description(catalog: &str, number: &str) -> String {
    format!(
        "(SELECT d.description FROM pg_description AS d WHERE d.objoid = {number} \
         AND d.classoid = '{catalog}'::regclass AND d.objsubid = 0)"
    )
}

fn sorted_options(options: &str) -> String {
    format!("(SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest({options}) AS o)")
}

/// Catalogs whose rows make the text of relations.
pub const RELATION_CATALOGS: [&str; 13] = [
    "pg_class",
    "pg_attribute",
    "pg_attrdef",
    "pg_constraint",
    "pg_index",
    "pg_trigger",
    "pg_rewrite",
    "pg_policy",
    "pg_inherits",
    "pg_partitioned_table",
    "pg_sequence",
    "pg_description",
    "pg_foreign_table",
];
pub const FUNCTION_CATALOGS: [&str; 3] = ["pg_proc", "pg_aggregate", "pg_description"];
pub const TYPE_CATALOGS: [&str; 5] = ["pg_type", "pg_enum", "pg_range", "pg_constraint", "pg_description"];
pub const COMMENT_CATALOGS: [&str; 1] = ["pg_description"];
/// Catalogs after whose change everything is read.
const OTHER_CATALOGS: [&str; 28] = [
    "pg_namespace",
    "pg_statistic_ext",
    "pg_extension",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_publication",
    "pg_publication_rel",
    "pg_cast",
    "pg_collation",
    "pg_conversion",
    "pg_operator",
    "pg_opclass",
    "pg_opfamily",
    "pg_amop",
    "pg_amproc",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_transform",
    "pg_language",
    "pg_am",
    "pg_init_privs",
    "pg_database",
    "pg_authid",
    "pg_subscription",
];

/// [`OTHER_CATALOGS`] as a server of this version has them.
pub fn other_catalogs(version: u32) -> Vec<&'static str> {
    let published = (version >= 150_000).then_some("pg_publication_namespace");
    OTHER_CATALOGS.into_iter().chain(published).collect()
}

/// How many rows of these catalogs the open transaction has written, as an expression.
pub fn changes(catalogs: &[&str]) -> String {
    let names: Vec<String> = catalogs.iter().map(|name| format!("'pg_catalog.{name}'::regclass")).collect();
    format!(
        "(SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(o) + pg_stat_get_xact_tuples_updated(o) \
         + pg_stat_get_xact_tuples_deleted(o)), 0)::int8 FROM unnest(ARRAY[{}]) AS o)",
        names.join(", ")
    )
}

/// How many comments it has removed: whose they were cannot be told any more.
pub const REMOVED_COMMENTS: &str = "pg_stat_get_xact_tuples_deleted('pg_catalog.pg_description'::regclass)";

/// Owners and grants, a line each.
const ACCESS: &str = "
SELECT concat_ws(' ', o.type, o.identity, 'owner', quote_ident(pg_get_userbyid(a.owner)), 'grants', (
    SELECT string_agg(i::text, ', ' ORDER BY i::text COLLATE \"C\") FROM unnest(a.acl) AS i))
FROM (
    SELECT 'pg_class'::regclass AS catalog, c.oid, 0 AS part, relowner AS owner, relacl AS acl, relnamespace AS schema
        FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL SELECT 'pg_class'::regclass, c.oid, a.attnum, relowner, a.attacl, relnamespace
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND a.attnum > 0
    UNION ALL SELECT 'pg_proc'::regclass, oid, 0, proowner, proacl, pronamespace FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, typowner, typacl, typnamespace FROM pg_type AS t
        WHERE typtype IN ('b', 'd', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid)
        OR typtype = 'c' AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c')
    UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, nspowner, nspacl, oid FROM pg_namespace
    UNION ALL SELECT 'pg_default_acl'::regclass, oid, 0, defaclrole, defaclacl, NULL FROM pg_default_acl
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 0, srvowner, srvacl, NULL FROM pg_foreign_server
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, fdwowner, fdwacl, NULL FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_language'::regclass, oid, 0, lanowner, lanacl, NULL FROM pg_language WHERE oid >= 16384
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0, evtowner, NULL, NULL FROM pg_event_trigger AS x WHERE USER_EVENT
    UNION ALL SELECT 'pg_publication'::regclass, oid, 0, pubowner, NULL, NULL FROM pg_publication
) AS a
LEFT JOIN pg_namespace AS n ON n.oid = a.schema
CROSS JOIN LATERAL pg_identify_object(a.catalog, a.oid, a.part) AS o
WHERE (n.nspname IS NULL OR USER_SCHEMA)
  AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = a.catalog AND e.objid = a.oid AND e.deptype = 'e')";

pub fn access() -> String {
    ACCESS.replace("USER_SCHEMA", USER_SCHEMA).replace("USER_EVENT", &user_event())
}
