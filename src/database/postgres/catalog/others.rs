//! Functions, types, and what else a schema has.

use super::{USER_SCHEMA, comment, description, lines, not_of_extension, sorted_options, user_event};

/// Functions, procedures and aggregates, under a condition.
pub fn functions(condition: &str) -> String {
    let details = lines(&[
        "CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END",
        &comment("pg_proc", "p.oid"),
    ]);
    let aggregate = "concat_ws(' ', 'aggregate returns', format_type(p.prorettype, NULL), 'kind', g.aggkind, \
        'parallel', p.proparallel, 'strict', p.proisstrict, 'sfunc', g.aggtransfn, 'stype', \
        format_type(g.aggtranstype, NULL), 'sspace', g.aggtransspace, 'final', g.aggfinalfn, g.aggfinalextra, \
        g.aggfinalmodify, 'combine', g.aggcombinefn, 'serial', g.aggserialfn, 'deserial', g.aggdeserialfn, \
        'msfunc', g.aggmtransfn, 'minv', g.aggminvtransfn, 'mfinal', g.aggmfinalfn, g.aggmfinalextra, \
        g.aggmfinalmodify, 'mstype', g.aggmtranstype::regtype, g.aggmtransspace, 'sort', g.aggsortop::regoperator, \
        'initial', quote_nullable(g.agginitval), quote_nullable(g.aggminitval))";
    let aggregate = lines(&[aggregate]);
    format!(
        "SELECT 'f' AS class, p.oid, CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,
            quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
            0 AS place, concat_ws(E'\\n', nullif({details}, ''), CASE WHEN p.prokind = 'a' THEN
                (SELECT {aggregate} FROM pg_aggregate AS g WHERE g.aggfnoid = p.oid) END) AS lines
         FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE {condition} AND p.oid >= 16384 AND {USER_SCHEMA} AND {}",
        not_of_extension("pg_proc", "p.oid")
    )
}

/// Enums, domains, ranges and base types, under a condition.
pub fn types(condition: &str) -> String {
    let collation = "(SELECT ' collate ' || quote_ident(cn.nspname) || '.' || quote_ident(l.collname) FROM pg_collation AS l \
                     JOIN pg_namespace AS cn ON cn.oid = l.collnamespace WHERE l.oid = %)";
    let domain = format!(
        "CASE WHEN y.typtype = 'd' THEN 'as ' || format_type(y.typbasetype, y.typtypmod) \
         || CASE WHEN y.typcollation <> (SELECT b.typcollation FROM pg_type AS b WHERE b.oid = y.typbasetype) \
            THEN coalesce({}, '') ELSE '' END \
         || CASE WHEN y.typnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || y.typdefault, '') END",
        collation.replace('%', "y.typcollation")
    );
    let range = format!(
        "(SELECT 'subtype ' || format_type(r.rngsubtype, NULL) || coalesce({}, '') || ' class ' \
         || (SELECT quote_ident(k.opcname) FROM pg_opclass AS k WHERE k.oid = r.rngsubopc) \
         || ' canonical ' || r.rngcanonical::regproc::text || ' difference ' || r.rngsubdiff::regproc::text \
         FROM pg_range AS r WHERE r.rngtypid = y.oid)",
        collation.replace('%', "r.rngcollation")
    );
    let details = lines(&[
        "(SELECT 'labels ' || string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) \
         FROM pg_enum AS e WHERE e.enumtypid = y.oid)",
        &domain,
        &range,
        "CASE WHEN y.typtype = 'b' THEN concat_ws(' ', 'input', y.typinput, 'output', y.typoutput, 'receive', y.typreceive, \
         'send', y.typsend, 'modifier', y.typmodin, y.typmodout, 'analyze', y.typanalyze, 'length', y.typlen, y.typbyval, \
         'align', y.typalign, 'storage', y.typstorage, 'category', y.typcategory, y.typispreferred, 'delimiter', y.typdelim, \
         'default', quote_nullable(y.typdefault)) END",
        &comment("pg_type", "y.oid"),
    ]);
    let constraint = lines(&[
        "'constraint ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid)",
        &format!("'comment on it ' || {}", description("pg_constraint", "k.oid")),
    ]);
    format!(
        "SELECT 't' AS class, y.oid, CASE y.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'base type' END AS kind,
            quote_ident(n.nspname) || '.' || quote_ident(y.typname) AS name, 0 AS place,
            concat_ws(E'\\n', nullif({details}, ''), (SELECT string_agg({constraint}, E'\\n' ORDER BY k.conname COLLATE \"C\")
                FROM pg_constraint AS k WHERE k.contypid = y.oid AND k.contype <> 'n')) AS lines
         FROM pg_type AS y JOIN pg_namespace AS n ON n.oid = y.typnamespace
         WHERE {condition} AND y.oid >= 16384 AND y.typtype IN ('b', 'd', 'e', 'r') AND y.typrelid = 0
           AND y.typinput <> 'array_in'::regproc AND {USER_SCHEMA} AND {}",
        not_of_extension("pg_type", "y.oid")
    )
}

/// Objects of a catalog that belong to no schema, under a condition.
fn other(catalog: &str, from: &str, kind: &str, name: &str, details: &[&str], condition: &str) -> String {
    let comment = comment(catalog, "x.oid");
    let details: Vec<&str> = details.iter().copied().chain([comment.as_str()]).collect();
    let plain = if catalog == "pg_namespace" { "true" } else { "x.oid >= 16384" };
    format!(
        "SELECT 'o' AS class, x.oid, '{kind}' AS kind, {name} AS name, 0 AS place, {} AS lines \
         FROM {catalog} AS x {from} WHERE {plain} AND {condition} AND {}",
        lines(&details),
        not_of_extension(catalog, "x.oid")
    )
}

/// Schemas.
pub fn schemas() -> String {
    let condition = USER_SCHEMA.replace("n.nspname", "x.nspname");
    other("pg_namespace", "", "schema", "quote_ident(x.nspname)", &[], &condition)
}

/// The rest: schemas, extensions, event triggers, what foreign tables need, publications, and what extends the
/// language.
pub fn others(version: u32) -> Vec<String> {
    let options = |column: &str| format!("'options ' || {}", sorted_options(column));
    let (wrapper, server) = (options("x.fdwoptions"), options("x.srvoptions"));
    let mut sql = vec![
        schemas(),
        other(
            "pg_extension",
            "JOIN pg_namespace AS n ON n.oid = x.extnamespace",
            "extension",
            "quote_ident(x.extname)",
            &["'version ' || x.extversion || ' in ' || quote_ident(n.nspname)"],
            "true",
        )
        .replace("x.oid >= 16384", "true"),
        other(
            "pg_event_trigger",
            "",
            "event trigger",
            "quote_ident(x.evtname)",
            &[
                "'on ' || x.evtevent::text || ' execute ' || x.evtfoid::regproc::text || ' enabled ' || x.evtenabled::text",
                "'tags ' || (SELECT string_agg(g, ', ' ORDER BY g COLLATE \"C\") FROM unnest(x.evttags) AS g)",
            ],
            &user_event(),
        ),
        other(
            "pg_foreign_data_wrapper",
            "",
            "foreign data wrapper",
            "quote_ident(x.fdwname)",
            &[
                "'handler ' || x.fdwhandler::regproc::text || ' validator ' || x.fdwvalidator::regproc::text",
                &wrapper,
            ],
            "true",
        ),
        other(
            "pg_foreign_server",
            "JOIN pg_foreign_data_wrapper AS w ON w.oid = x.srvfdw",
            "server",
            "quote_ident(x.srvname)",
            &[
                "concat_ws(' ', 'wrapper', quote_ident(w.fdwname), 'type', quote_nullable(x.srvtype), 'version', quote_nullable(x.srvversion))",
                &server,
            ],
            "true",
        ),
        publication(version),
    ];
    sql.extend(language_objects(version));
    sql
}

fn publication(version: u32) -> String {
    let (columns, schemas) = if version >= 150_000 {
        (
            "|| coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE \"C\") \
             FROM unnest(r.prattrs::int2[]) AS k JOIN pg_attribute AS a ON a.attrelid = r.prrelid AND a.attnum = k) || ')', '') \
             || coalesce(' where ' || pg_get_expr(r.prqual, r.prrelid), '')",
            "(SELECT 'schemas ' || string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname COLLATE \"C\") \
             FROM pg_publication_namespace AS s JOIN pg_namespace AS n ON n.oid = s.pnnspid WHERE s.pnpubid = x.oid)",
        )
    } else {
        ("", "NULL")
    };
    let tables = format!(
        "(SELECT 'tables ' || string_agg(r.prrelid::regclass::text {columns}, ', ' ORDER BY r.prrelid::regclass::text COLLATE \"C\") \
         FROM pg_publication_rel AS r WHERE r.prpubid = x.oid)"
    );
    let flags = "concat_ws(' ', 'publishes', x.puballtables, x.pubinsert, x.pubupdate, x.pubdelete, x.pubtruncate, x.pubviaroot)";
    let generated = match version >= 180_000 {
        true => "CASE x.pubgencols WHEN 'n' THEN NULL ELSE 'generated columns ' || x.pubgencols::text END",
        false => "NULL",
    };
    let details = [flags, &tables, schemas, generated];
    other("pg_publication", "", "publication", "quote_ident(x.pubname)", &details, "true")
}

/// Objects that few schemas have. `pg_identify_object` names them.
fn language_objects(version: u32) -> Vec<String> {
    let collation = collation(version);
    let catalogs: [(&str, &str, &str); 13] = [
        ("pg_cast", "cast", "concat_ws(' ', x.castcontext, x.castmethod, x.castfunc::regprocedure)"),
        ("pg_collation", "collation", &collation),
        (
            "pg_conversion",
            "conversion",
            "concat_ws(' ', x.conproc, x.conforencoding, x.contoencoding, x.condefault)",
        ),
        (
            "pg_operator",
            "operator",
            "concat_ws(' ', x.oprcode, format_type(x.oprresult, NULL), x.oprcanmerge, x.oprcanhash, x.oprcom::regoperator, \
             x.oprnegate::regoperator, x.oprrest, x.oprjoin)",
        ),
        (
            "pg_opclass",
            "operator class",
            "concat_ws(' ', format_type(x.opcintype, NULL), x.opcdefault, format_type(x.opckeytype, NULL))",
        ),
        (
            "pg_opfamily",
            "operator family",
            "concat_ws(' ', (SELECT string_agg(concat_ws(' ', o.amopstrategy, o.amoppurpose, o.amopopr::regoperator), ', ' \
             ORDER BY o.amopstrategy, o.amopopr::regoperator::text COLLATE \"C\") FROM pg_amop AS o WHERE o.amopfamily = x.oid), \
             (SELECT string_agg(concat_ws(' ', q.amprocnum, q.amproc::oid::regprocedure), ', ' ORDER BY q.amprocnum, \
             q.amproc::oid::regprocedure::text COLLATE \"C\") FROM pg_amproc AS q WHERE q.amprocfamily = x.oid))",
        ),
        (
            "pg_ts_config",
            "text search configuration",
            "concat_ws(' ', (SELECT p.prsname FROM pg_ts_parser AS p WHERE p.oid = x.cfgparser), (SELECT string_agg(concat_ws(' ', \
             m.maptokentype, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map AS m WHERE m.mapcfg = x.oid))",
        ),
        (
            "pg_ts_dict",
            "text search dictionary",
            "concat_ws(' ', (SELECT t.tmplname FROM pg_ts_template AS t WHERE t.oid = x.dicttemplate), x.dictinitoption)",
        ),
        (
            "pg_ts_parser",
            "text search parser",
            "concat_ws(' ', x.prsstart, x.prstoken, x.prsend, x.prsheadline, x.prslextype)",
        ),
        ("pg_ts_template", "text search template", "concat_ws(' ', x.tmplinit, x.tmpllexize)"),
        (
            "pg_transform",
            "transform",
            "concat_ws(' ', x.trffromsql::oid::regprocedure, x.trftosql::oid::regprocedure)",
        ),
        (
            "pg_language",
            "language",
            "concat_ws(' ', x.lanpltrusted, x.lanplcallfoid::regproc, x.laninline::regproc, x.lanvalidator::regproc)",
        ),
        ("pg_am", "access method", "concat_ws(' ', x.amtype, x.amhandler)"),
    ];
    let name = |catalog: &str| format!("(pg_identify_object('{catalog}'::regclass, x.oid, 0)).identity");
    catalogs
        .iter()
        .map(|(catalog, kind, details)| other(catalog, "", kind, &name(catalog), &[details], "true"))
        .collect()
}

/// What a collation sorts by. Where it is one of ICU, its locale stands in a column of its own since version 15.
fn collation(version: u32) -> String {
    let locale = match version {
        170_000.. => ", 'locale ' || quote_literal(x.colllocale)",
        150_000.. => ", 'locale ' || quote_literal(x.colliculocale)",
        _ => "",
    };
    let rules = if version >= 160_000 { ", 'rules ' || quote_literal(x.collicurules)" } else { "" };
    format!(
        "concat_ws(' ', x.collprovider, x.collisdeterministic, quote_nullable(x.collcollate), \
         quote_nullable(x.collctype){locale}{rules})"
    )
}
