//! Tables and rows of people in PostgreSQL.

use futures_util::TryStreamExt as _;
use serde::Deserialize;
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Postgres as Driver, Row as _};

use super::Postgres;
use super::failure::failure_in_use;
use super::session::fetch_json;
use crate::database::Failure;
use crate::database::people::{Committed, Each, Parameter, Purpose, Query, Speak, Sql};
use crate::model::{Column, ForeignKey, OnDelete, Relation, RelationKind, ValueKind};

/// Tables of the user with all that matters of them, as JSON. Partitions are reached through their table, and what
/// refers to one, or from one, does so to and from it.
const RELATIONS: &str = "\
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
  'schema', n.nspname, 'table', c.relname, 'kind', c.relkind, 'is_default', n.nspname = pg_catalog.current_schema(),
  'columns', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', a.attname, 'sql_type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'base', coalesce(b.typname, t.typname), 'modifier', CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
      'nullable', NOT (a.attnotnull OR t.typnotnull), 'generated', a.attgenerated <> '' OR a.attidentity = 'a')
      ORDER BY a.attnum), '[]')
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type AS b ON t.typtype = 'd' AND b.oid = t.typbasetype
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'unique', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('primary', i.indisprimary, 'columns',
      (SELECT pg_catalog.json_agg(a.attname ORDER BY k.place)
       FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
       JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
       WHERE k.place <= i.indnkeyatts))), '[]')
    FROM pg_catalog.pg_index AS i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
  'hides_rows', c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid),
  'inherits', EXISTS (SELECT FROM pg_catalog.pg_inherits AS h JOIN pg_catalog.pg_class AS hc ON hc.oid = h.inhrelid
    WHERE (h.inhparent = c.oid OR h.inhrelid = c.oid) AND NOT hc.relispartition),
  'triggers', (SELECT coalesce(pg_catalog.json_agg(DISTINCT g.tgname), '[]') FROM pg_catalog.pg_trigger AS g
    WHERE g.tgrelid IN (SELECT c.oid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(c.oid) AS p)
    AND NOT g.tgisinternal),
  'references', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_object(
      'schema', fn.nspname, 'table', f.relname, 'is_default', fn.nspname = pg_catalog.current_schema(),
      'on_delete', r.confdeltype,
      'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.place)
        FROM pg_catalog.unnest(r.conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.conrelid AND a.attnum = k.number),
      'referenced', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.place)
        FROM pg_catalog.unnest(r.confkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.confrelid AND a.attnum = k.number))), '[]')
    FROM pg_catalog.pg_constraint AS r
    JOIN pg_catalog.pg_class AS f ON f.oid = coalesce(pg_catalog.pg_partition_root(r.confrelid), r.confrelid)
    JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.relnamespace
    WHERE r.conrelid IN (SELECT c.oid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(c.oid) AS p)
    AND r.contype = 'f' AND r.conparentid = 0)
)), '[]')
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT (n.nspname = 'greffe' AND c.relname IN ('history', 'migrations'))
AND NOT (n.nspname = 'greffe_capture' AND c.relname = 'journal') \
AND NOT (n.nspname = 'greffe_guard' AND c.relname IN ('changes', 'installed'))";

/// Values have one text, whatever database and role came with; rows that a policy would hide are an error.
const AS_EXPECTED: &str = "SET LOCAL \"DateStyle\" = 'ISO'; SET LOCAL \"IntervalStyle\" = 'iso_8601'; \
    SET LOCAL \"TimeZone\" = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL row_security = off";

#[derive(Deserialize)]
struct Found {
    schema: String,
    table: String,
    kind: String,
    is_default: bool,
    columns: Vec<FoundColumn>,
    unique: Vec<FoundUnique>,
    references: Vec<FoundReference>,
    triggers: Vec<String>,
    inherits: bool,
    hides_rows: bool,
}

#[derive(Deserialize)]
struct FoundColumn {
    name: String,
    sql_type: String,
    base: String,
    modifier: i64,
    nullable: bool,
    generated: bool,
}

#[derive(Deserialize)]
struct FoundUnique {
    primary: bool,
    columns: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct FoundReference {
    schema: String,
    table: String,
    is_default: bool,
    on_delete: String,
    columns: Vec<String>,
    referenced: Vec<String>,
}

impl Speak for Postgres {
    fn dialect(&self) -> Sql {
        Sql::Postgres
    }

    async fn relations(&mut self) -> Result<Vec<Relation>, Failure> {
        self.abandon_ahead().await;
        let found: Result<Vec<Found>, _> = fetch_json(&mut self.connection, RELATIONS.to_owned()).await;
        Ok(found.map_err(|error| failure_in_use(&error))?.into_iter().map(relation_of).collect())
    }

    async fn begin(&mut self, purpose: Purpose) -> Result<(), Failure> {
        let begin = match purpose {
            Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Purpose::Change => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        self.say(format!("{begin}; {AS_EXPECTED}")).await
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        self.say("SET CONSTRAINTS ALL IMMEDIATE".to_owned()).await
    }

    async fn commit(&mut self) -> Result<Committed, Failure> {
        self.say("COMMIT".to_owned()).await.map(|()| Committed::default())
    }

    async fn rollback(&mut self) {
        self.say("ROLLBACK".to_owned()).await.ok();
    }

    async fn count(&mut self, query: Query) -> Result<u64, Failure> {
        let row = prepared(query).fetch_one(&mut self.connection).await;
        let count: Result<i64, _> = row.and_then(|row| row.try_get(0));
        count.map(i64::unsigned_abs).map_err(|error| failure_in_use(&error))
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Failure> {
        let done = prepared(query).execute(&mut self.connection).await;
        done.map(|done| done.rows_affected()).map_err(|error| failure_in_use(&error))
    }

    async fn rows(&mut self, query: Query, each: &mut Each<'_>) -> Result<(), Failure> {
        let mut rows = prepared(query).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(|error| failure_in_use(&error))? {
            let values = (0..row.len()).map(|index| row.try_get_unchecked(index)).collect::<Result<_, _>>();
            if !each(values.map_err(|error| failure_in_use(&error))?) {
                break;
            }
        }
        Ok(())
    }
}

impl Postgres {
    pub(in crate::database) async fn say(&mut self, sql: String) -> Result<(), Failure> {
        let said = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await;
        said.map(drop).map_err(|error| failure_in_use(&error))
    }
}

fn prepared(query: Query) -> sqlx::query::Query<'static, Driver, PgArguments> {
    let Query { text, parameters } = query;
    let mut prepared = sqlx::query(AssertSqlSafe(text)).persistent(false);
    for parameter in parameters {
        prepared = match parameter {
            Parameter::Integer(number) => prepared.bind(number),
            // PostgreSQL has no such whole number; no row has it.
            Parameter::Unsigned(_) => prepared.bind(None::<i64>),
            Parameter::Text(text) => prepared.bind(text),
            Parameter::Bytes(bytes) => prepared.bind(bytes),
        };
    }
    prepared
}

fn relation_of(found: Found) -> Relation {
    let name = name_of(&found.schema, &found.table, found.is_default);
    let columns_of = |unique: &FoundUnique| unique.columns.clone().unwrap_or_default();
    let primary = found.unique.iter().find(|unique| unique.primary);
    Relation {
        name,
        primary_key: primary.map(columns_of).unwrap_or_default(),
        unique: found.unique.iter().map(columns_of).collect(),
        kind: match found.kind.as_str() {
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::Foreign,
            _ => RelationKind::Table,
        },
        transactional: true,
        columns: found.columns.into_iter().map(column_of).collect(),
        foreign_keys: found.references.into_iter().map(reference_of).collect(),
        schema: Some(found.schema),
        table: found.table,
        triggers: found.triggers,
        inherits: found.inherits,
        hides_rows: found.hides_rows,
        referred_from_outside: Vec::new(),
    }
}

fn name_of(schema: &str, table: &str, is_default: bool) -> String {
    if is_default { table.to_owned() } else { format!("{schema}.{table}") }
}

fn column_of(found: FoundColumn) -> Column {
    let modifier = u32::try_from(found.modifier - 4).ok();
    let kind = match found.base.as_str() {
        "int2" | "int4" | "int8" => ValueKind::Integer,
        "text" | "varchar" | "bpchar" | "name" | "citext" => ValueKind::Text,
        "numeric" => ValueKind::Decimal(modifier.map(|modifier| modifier & 0x7ff)),
        "float4" | "float8" => ValueKind::Float,
        "bool" => ValueKind::Boolean,
        "bytea" => ValueKind::Bytes,
        "date" => ValueKind::Date,
        "time" | "timetz" => ValueKind::Time,
        "timestamp" => ValueKind::Timestamp,
        "timestamptz" => ValueKind::Moment,
        "json" | "jsonb" => ValueKind::Json,
        "uuid" => ValueKind::Uuid,
        _ => ValueKind::Other,
    };
    let length = modifier.filter(|_| kind == ValueKind::Text);
    let range = match found.base.as_str() {
        "int2" => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        "int4" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        _ => None,
    };
    let FoundColumn { name, sql_type, nullable, generated, .. } = found;
    Column { name, kind, sql_type, nullable, generated, length, range }
}

fn reference_of(found: FoundReference) -> ForeignKey {
    ForeignKey {
        table: name_of(&found.schema, &found.table, found.is_default),
        columns: found.columns,
        referenced: found.referenced,
        on_delete: match found.on_delete.as_str() {
            "c" => OnDelete::Cascade,
            "n" | "d" => OnDelete::Unset,
            _ => OnDelete::Refuse,
        },
    }
}
