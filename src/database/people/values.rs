//! How statements read and write single values: the same value is the same text on each engine, as far as types are.

use super::sql::{Build, Parameter, Query, Sql};
use crate::model::{Column, Replacement, ValueKind};

/// Types of MySQL and MariaDB that no cast makes text of.
const SHAPES: [&str; 9] = [
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
];

impl Parameter {
    /// A value that was read for [`Build::holds`].
    pub(super) fn of(kind: ValueKind, bytes: Vec<u8>) -> Self {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Self::Bytes(error.into_bytes()),
        };
        match kind {
            ValueKind::Bytes => match data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()) {
                Ok(bytes) => Self::Bytes(bytes),
                Err(_) => Self::Text(text),
            },
            ValueKind::Integer => {
                let number = text.parse().map(Self::Integer);
                number.or_else(|_| text.parse().map(Self::Unsigned)).unwrap_or(Self::Text(text))
            }
            _ => Self::Text(text),
        }
    }
}

impl Sql {
    /// A column's value as text, or as bytes that are one.
    pub(super) fn text_of(self, column: &Column) -> String {
        let name = self.name(&column.name);
        match (self, column.kind) {
            (Self::Sqlite, ValueKind::Bytes) => format!("hex({name})"),
            (Self::Sqlite, kind) => {
                let digits = match kind {
                    ValueKind::Decimal(Some(digits)) => digits,
                    _ => 0,
                };
                let zeros = "0".repeat(usize::try_from(digits).unwrap_or_default());
                let whole = match digits {
                    0 => format!("CAST({name} AS TEXT)"),
                    _ => format!("CAST({name} AS TEXT) || '.{zeros}'"),
                };
                // What SQLite makes of a number by itself has fifteen digits.
                let exact = format!(
                    "CASE WHEN CAST(CAST({name} AS TEXT) AS REAL) = {name} THEN CAST({name} AS TEXT) \
                     ELSE printf('%!.17g', {name}) END"
                );
                let real = match digits {
                    0 => exact,
                    _ => format!(
                        "CASE WHEN CAST(printf('%.{digits}f', {name}) AS REAL) = {name} \
                         THEN printf('%.{digits}f', {name}) ELSE {exact} END"
                    ),
                };
                format!(
                    "CASE typeof({name}) WHEN 'blob' THEN hex({name}) WHEN 'integer' THEN {whole} \
                     WHEN 'real' THEN {real} ELSE CAST({name} AS TEXT) END"
                )
            }
            (Self::Postgres, ValueKind::Bytes) => format!("pg_catalog.encode({name}, 'hex')"),
            (Self::Postgres, ValueKind::Boolean) => format!("({name}::int4)::text"),
            (Self::Postgres, _) => format!("{name}::text"),
            (Self::Mysql, ValueKind::Text | ValueKind::Bytes) => name,
            // A float of four bytes is rounded to six digits unless it is a double.
            (Self::Mysql, ValueKind::Float) => format!("CAST({name} + 0e0 AS CHAR)"),
            (Self::Mysql, _) => {
                let sql_type = column.sql_type.to_ascii_lowercase();
                let bits = sql_type.strip_prefix("bit(").and_then(|rest| rest.strip_suffix(')'));
                if let Some(bits) = bits.and_then(|bits| bits.parse::<u8>().ok()) {
                    return format!("LPAD(BIN({name} + 0), {bits}, '0')");
                }
                match SHAPES.contains(&sql_type.as_str()) {
                    true => format!("ST_AsText({name})"),
                    false => format!("CAST({name} AS CHAR)"),
                }
            }
        }
    }

    /// A column's value as [`Build::holds`] compares it.
    pub(super) fn compared_of(self, kind: ValueKind, column: &str) -> String {
        let name = self.name(column);
        match (self, kind) {
            (Self::Sqlite | Self::Mysql, ValueKind::Bytes) => format!("hex({name})"),
            (Self::Postgres, ValueKind::Bytes) => format!("pg_catalog.encode({name}, 'hex')"),
            (Self::Postgres, _) => format!("{name}::text"),
            (Self::Mysql, ValueKind::Text) => format!("CONVERT({name} USING utf8mb4)"),
            (Self::Mysql, _) => format!("CAST({name} AS CHAR)"),
            (Self::Sqlite, _) => format!("CAST({name} AS TEXT)"),
        }
    }

    /// A column's value as it is compared with one of another table: a collation takes other letters for the same.
    pub(super) fn same_of(self, kind: ValueKind, column: &str) -> String {
        let name = self.name(column);
        match (self, kind) {
            (Self::Sqlite, _) => format!("{name} COLLATE BINARY"),
            (Self::Postgres, ValueKind::Text) => format!("{name}::text COLLATE \"C\""),
            (Self::Mysql, ValueKind::Text) => self.bytes_of(&name),
            _ => name,
        }
    }

    /// The bytes of a text of MySQL.
    pub(super) fn bytes_of(self, text: &str) -> String {
        format!("CAST(CONVERT({text} USING utf8mb4) AS BINARY)")
    }
}

impl Build<'_> {
    /// That a column does not hold what it is set to.
    pub(super) fn differs(&self, query: &mut Query, table: &str, column: &str, set: &Replacement) {
        let name = self.sql.name(column);
        // Not every type of PostgreSQL can be compared, but its text can; MySQL pads bytes, rounds floats, and takes no
        // text for JSON.
        let (before, between, after) = match (self.sql, self.kind(table, column)) {
            (Sql::Postgres, _) => (format!("{name}::text"), "", "::text"),
            (Sql::Mysql, ValueKind::Bytes) => (format!("TRIM(TRAILING CHAR(0) FROM {name})"), "", ""),
            (Sql::Mysql, ValueKind::Float) => (format!("CAST({name} AS CHAR)"), "CAST(0e0 + ", " AS CHAR)"),
            (Sql::Mysql, ValueKind::Json) => (name, "CAST(", " AS JSON)"),
            _ => (name, "", ""),
        };
        query.push(&format!("{before} <> {between}"));
        self.value(query, table, column, set);
        query.push(after);
    }

    /// What a column is set to; a random value is another one in each row.
    pub(super) fn value(&self, query: &mut Query, table: &str, column: &str, set: &Replacement) {
        match (set, self.sql) {
            (Replacement::Null, _) => query.push("NULL"),
            (Replacement::True, _) => query.push("TRUE"),
            (Replacement::Text(text), Sql::Postgres) => {
                let column = self.relation(table).and_then(|relation| relation.column(column));
                let sql_type = column.map_or("text", |column| column.sql_type.as_str());
                query.push("CAST(");
                query.bind(self.sql, Parameter::Text(text.clone()));
                // A bytea of no bytes, a number, a date: what the type reads from text.
                query.push(&format!("::text AS {sql_type})"));
            }
            (Replacement::Text(text), Sql::Sqlite) if self.kind(table, column) == ValueKind::Bytes => {
                query.bind(Sql::Sqlite, Parameter::Bytes(text.clone().into_bytes()));
            }
            (Replacement::Text(text), sql) => query.bind(sql, Parameter::Text(text.clone())),
            (Replacement::Token(length), Sql::Sqlite) => {
                query.push(&format!("substr(lower(hex(randomblob(16))), 1, {length})"));
            }
            (Replacement::Token(length), Sql::Postgres) => query.push(&format!(
                "pg_catalog.substr(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 1, {length})"
            )),
            (Replacement::Token(length), Sql::Mysql) => {
                query.push(&format!("SUBSTR(MD5(CONCAT(UUID(), RAND())), 1, {length})"));
            }
            (Replacement::RandomUuid, Sql::Postgres) => query.push("pg_catalog.gen_random_uuid()"),
            (Replacement::RandomUuid, Sql::Mysql) => query.push("UUID()"),
            (Replacement::RandomUuid, Sql::Sqlite) => query.push("lower(hex(randomblob(16)))"),
            (Replacement::RandomInteger(most), Sql::Sqlite) => {
                query.push(&format!("(1 + abs(random() % {most}))"));
            }
            (Replacement::RandomInteger(most), Sql::Postgres) => {
                query.push(&format!("pg_catalog.ceil((1 - pg_catalog.random()) * {most})::int8"));
            }
            (Replacement::RandomInteger(most), Sql::Mysql) => {
                query.push(&format!("(1 + FLOOR(RAND() * {most}))"));
            }
        }
    }
}
