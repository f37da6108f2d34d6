//! The queries that read a schema from PostgreSQL's catalogs. Each answers rows of five columns: class and number
//! of the object (which are no part of the text), its kind, its name, and a place and text of lines that
//! describe it.
//!
//! They are read with `search_path = pg_catalog`, so that every other name is written with its schema.

/// Joins details, each of which is one line; a line feed inside one is followed by a tab.
fn lines(details: &[&str]) -> String {
    let details: Vec<String> =
        details.iter().map(|detail| format!("replace({detail}, E'\\n', E'\\n\\t')")).collect();
    format!("concat_ws(E'\\n', {})", details.join(", "))
}

/// Schemas that are not the system's, nor anyone's temporary tables, nor greffe's.
const USER_SCHEMA: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'greffe') AND n.nspname !~ '^pg_(toast_)?temp_'";

/// Not part of an extension: the extension's version stands for those.
fn not_of_extension(catalog: &str, number: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = '{catalog}'::regclass AND e.objid = {number} \
         AND e.deptype = 'e')"
    )
}

fn comment(catalog: &str, number: &str) -> String {
    format!("'comment ' || obj_description({number}, '{catalog}')")
}

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
            "NOT x.tgisinternal AND x.tgparentid = 0",
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

fn sorted_options(options: &str) -> String {
    format!("(SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest({options}) AS o)")
}

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
        "'comment ' || obj_description(rels.oid, 'pg_class')",
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
    let details = lines(&[text, &format!("'comment on it ' || obj_description(x.oid, '{catalog}')")]);
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
        "'comment on it ' || obj_description(k.oid, 'pg_constraint')",
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

/// The rest: schemas, extensions, event triggers, what foreign tables need, publications, and what extends the
/// language.
pub fn others(version: u32) -> Vec<String> {
    let other = |catalog: &str, from: &str, kind: &str, name: &str, details: &[&str], condition: &str| {
        let comment = comment(catalog, "x.oid");
        let details: Vec<&str> = details.iter().copied().chain([comment.as_str()]).collect();
        let plain = if catalog == "pg_namespace" { "true" } else { "x.oid >= 16384" };
        format!(
            "SELECT 'o' AS class, x.oid, '{kind}' AS kind, {name} AS name, 0 AS place, {} AS lines \
             FROM {catalog} AS x {from} WHERE {plain} AND {condition} AND {}",
            lines(&details),
            not_of_extension(catalog, "x.oid")
        )
    };
    let options = |column: &str| format!("'options ' || {}", sorted_options(column));
    let (wrapper, server) = (options("x.fdwoptions"), options("x.srvoptions"));
    let mut sql = vec![
        other(
            "pg_namespace",
            "",
            "schema",
            "quote_ident(x.nspname)",
            &[],
            &USER_SCHEMA.replace("n.nspname", "x.nspname"),
        ),
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
            "true",
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
        publication(&other, version),
    ];
    sql.extend(language_objects(&other));
    sql
}

type Other<'a> = &'a dyn Fn(&str, &str, &str, &str, &[&str], &str) -> String;

fn publication(other: Other<'_>, version: u32) -> String {
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
    other("pg_publication", "", "publication", "quote_ident(x.pubname)", &[flags, &tables, schemas], "true")
}

/// Objects that few schemas have. `pg_identify_object` names them.
fn language_objects(other: Other<'_>) -> Vec<String> {
    let catalogs: [(&str, &str, &str); 13] = [
        ("pg_cast", "cast", "concat_ws(' ', x.castcontext, x.castmethod, x.castfunc::regprocedure)"),
        (
            "pg_collation",
            "collation",
            "concat_ws(' ', x.collprovider, x.collisdeterministic, quote_nullable(x.collcollate), quote_nullable(x.collctype))",
        ),
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
pub const OTHER_CATALOGS: [&str; 28] = [
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
pub const ACCESS: &str = "
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
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0, evtowner, NULL, NULL FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication'::regclass, oid, 0, pubowner, NULL, NULL FROM pg_publication
) AS a
LEFT JOIN pg_namespace AS n ON n.oid = a.schema
CROSS JOIN LATERAL pg_identify_object(a.catalog, a.oid, a.part) AS o
WHERE (n.nspname IS NULL OR USER_SCHEMA)
  AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = a.catalog AND e.objid = a.oid AND e.deptype = 'e')";

pub fn access() -> String {
    ACCESS.replace("USER_SCHEMA", USER_SCHEMA)
}
