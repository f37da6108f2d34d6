//! Statements about a person's rows in three dialects. Every name is quoted and every value is a parameter.

use super::Detach;
use crate::model::{Column, Path, Relation, Replacement, ValueKind};

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sql {
    Sqlite,
    Postgres,
    Mysql,
}

/// A value that is bound.
#[derive(Clone, PartialEq, Eq)]
pub enum Parameter {
    Integer(i64),
    Unsigned(u64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement with its values, in the order of their places.
#[derive(Clone, Default)]
pub struct Query {
    pub text: String,
    pub parameters: Vec<Parameter>,
}

/// Builds statements for one person.
pub struct Build<'a> {
    pub sql: Sql,
    pub relations: &'a [Relation],
    pub key: &'a Parameter,
}

impl Sql {
    /// A name as SQL writes it.
    #[must_use]
    pub fn name(self, name: &str) -> String {
        match self {
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
            Self::Sqlite | Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    fn table(self, relation: &Relation) -> String {
        match &relation.schema {
            Some(schema) => format!("{}.{}", self.name(schema), self.name(&relation.table)),
            None => self.name(&relation.table),
        }
    }

    /// A column's value as text, or as bytes that are one; the same value is the same text on each engine, as far as
    /// types are.
    fn text_of(self, column: &Column) -> String {
        let name = self.name(&column.name);
        match (self, column.kind) {
            (Self::Sqlite, ValueKind::Bytes) => format!("hex({name})"),
            (Self::Sqlite, ValueKind::Decimal(Some(digits))) => format!(
                "CASE typeof({name}) WHEN 'integer' THEN printf('%.{digits}f', {name}) \
                 WHEN 'real' THEN printf('%.{digits}f', {name}) ELSE CAST({name} AS TEXT) END"
            ),
            (Self::Sqlite, _) => {
                format!("CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE CAST({name} AS TEXT) END")
            }
            (Self::Postgres, ValueKind::Bytes) => format!("pg_catalog.encode({name}, 'hex')"),
            (Self::Postgres, ValueKind::Boolean) => format!("({name}::int4)::text"),
            (Self::Postgres, _) => format!("{name}::text"),
            (Self::Mysql, ValueKind::Text | ValueKind::Bytes) => name,
            (Self::Mysql, _) => format!("CAST({name} AS CHAR)"),
        }
    }
}

impl Query {
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Binds a text at the end.
    pub fn bind_text(&mut self, sql: Sql, text: &str) {
        self.bind(sql, Parameter::Text(text.to_owned()));
    }

    fn bind(&mut self, sql: Sql, parameter: Parameter) {
        self.parameters.push(parameter);
        match sql {
            Sql::Postgres => self.text.push_str(&format!("${}", self.parameters.len())),
            Sql::Sqlite | Sql::Mysql => self.text.push('?'),
        }
    }
}

impl Build<'_> {
    fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    fn table(&self, name: &str) -> String {
        self.relation(name).map_or_else(|| self.sql.name(name), |relation| self.sql.table(relation))
    }

    /// That a column of a table holds the key, byte for byte.
    fn is_key(&self, query: &mut Query, table: &str, column: &str) {
        let kind = self.relation(table).and_then(|relation| relation.column(column));
        let kind = kind.map_or(ValueKind::Other, |column| column.kind);
        let name = self.sql.name(column);
        let key = self.key.clone();
        match (self.sql, kind) {
            (_, ValueKind::Integer | ValueKind::Bytes) => {
                query.push(&format!("{name} = "));
                query.bind(self.sql, key);
            }
            (Sql::Postgres, ValueKind::Uuid) => {
                query.push(&format!("{name} = "));
                query.bind(self.sql, key);
                query.push("::text::uuid");
            }
            (Sql::Postgres, _) => {
                query.push(&format!("{name}::text = "));
                query.bind(self.sql, key);
                query.push("::text");
            }
            (Sql::Sqlite, ValueKind::Text) => {
                query.push(&format!("{name} COLLATE BINARY = "));
                query.bind(self.sql, key);
            }
            (Sql::Sqlite, _) => {
                query.push(&format!("CAST({name} AS TEXT) COLLATE BINARY = "));
                query.bind(self.sql, key);
            }
            (Sql::Mysql, kind) => {
                // The server's own comparison takes other letters and spaces for the same; it finds the index.
                let text = if kind == ValueKind::Text { name } else { format!("CAST({name} AS CHAR)") };
                query.push(&format!("({text} = "));
                query.bind(self.sql, key.clone());
                query.push(&format!(" AND CAST(CONVERT({text} USING utf8mb4) AS BINARY) = CAST("));
                query.bind(self.sql, key);
                query.push(" AS BINARY))");
            }
        }
    }

    /// That a row leads to the person, one way or another.
    fn leads(&self, query: &mut Query, table: &str, paths: &[Path]) {
        query.push("(");
        if paths.is_empty() {
            query.push("1 = 0");
        }
        for (index, path) in paths.iter().enumerate() {
            if index > 0 {
                query.push(" OR ");
            }
            let mut here = table;
            let mut open = 0;
            let mut is_done = false;
            for (at, hop) in path.hops.iter().enumerate() {
                // The column that refers to the key holds the key, whether or not the person is still there.
                if at + 1 == path.hops.len() && hop.parent_column == path.key {
                    self.is_key(query, here, &hop.column);
                    is_done = true;
                    break;
                }
                query.push(&format!(
                    "{} IN (SELECT {} FROM {} WHERE ",
                    self.sql.name(&hop.column),
                    self.sql.name(&hop.parent_column),
                    self.table(&hop.parent)
                ));
                open += 1;
                here = &hop.parent;
            }
            if !is_done {
                self.is_key(query, here, &path.key);
            }
            query.push(&")".repeat(open));
        }
        query.push(")");
    }

    pub fn count(&self, table: &str, paths: &[Path]) -> Query {
        let mut query = Query::default();
        query.push(&format!("SELECT count(*) FROM {} WHERE ", self.table(table)));
        self.leads(&mut query, table, paths);
        query
    }

    pub fn count_unset(&self, table: &str, paths: &[Path], sets: &[(String, Replacement)]) -> Query {
        let mut query = self.count(table, paths);
        let known: Vec<&(String, Replacement)> = sets
            .iter()
            .filter(|(_, set)| matches!(set, Replacement::Null | Replacement::True | Replacement::Text(_)))
            .collect();
        // Of random values alone nobody can tell.
        query.push(if known.is_empty() { " AND (1 = 0" } else { " AND (" });
        for (index, (column, set)) in known.into_iter().enumerate() {
            let name = self.sql.name(column);
            query.push(if index > 0 { " OR " } else { "" });
            match set {
                Replacement::Null => query.push(&format!("{name} IS NOT NULL")),
                Replacement::True => query.push(&format!("{name} IS NOT TRUE")),
                _ => {
                    // Not every type of PostgreSQL can be compared; its text can.
                    let text = if self.sql == Sql::Postgres { "::text" } else { "" };
                    query.push(&format!("{name} IS NULL OR {name}{text} <> "));
                    self.value(&mut query, table, column, set);
                    query.push(text);
                }
            }
        }
        query.push(")");
        query
    }

    /// A lock on the person's own row; SQLite has one on the whole file.
    pub fn hold(&self, table: &str, paths: &[Path]) -> Option<Query> {
        if self.sql == Sql::Sqlite {
            return None;
        }
        let mut query = Query::default();
        query.push(&format!("SELECT '1' FROM {} WHERE ", self.table(table)));
        self.leads(&mut query, table, paths);
        query.push(" FOR UPDATE");
        Some(query)
    }

    pub fn rows(&self, table: &str, paths: &[Path], columns: &[&str]) -> Query {
        let mut query = Query::default();
        let relation = self.relation(table);
        let texts = columns.iter().filter_map(|column| relation?.column(column));
        let texts: Vec<String> = texts.map(|column| self.sql.text_of(column)).collect();
        query.push(&format!("SELECT {} FROM {} WHERE ", texts.join(", "), self.table(table)));
        self.leads(&mut query, table, paths);
        let order: Vec<String> = relation
            .iter()
            .flat_map(|relation| &relation.primary_key)
            .map(|name| self.sql.name(name))
            .collect();
        if !order.is_empty() {
            query.push(&format!(" ORDER BY {}", order.join(", ")));
        }
        query
    }

    /// Which of the columns come as hexadecimal text.
    pub fn coded(&self, table: &str, columns: &[&str]) -> Vec<bool> {
        let relation = self.relation(table);
        let columns = columns.iter().filter_map(|column| relation?.column(column));
        columns.map(|column| column.kind == ValueKind::Bytes && self.sql != Sql::Mysql).collect()
    }

    pub fn delete(&self, table: &str, paths: &[Path]) -> Query {
        let mut query = Query::default();
        query.push(&format!("DELETE FROM {} WHERE ", self.table(table)));
        self.leads(&mut query, table, paths);
        query
    }

    pub fn set(&self, table: &str, paths: &[Path], sets: &[(String, Replacement)]) -> Query {
        let mut query = Query::default();
        query.push(&format!("UPDATE {} SET ", self.table(table)));
        for (index, (column, set)) in sets.iter().enumerate() {
            query.push(if index > 0 { ", " } else { "" });
            query.push(&format!("{} = ", self.sql.name(column)));
            self.value(&mut query, table, column, set);
        }
        query.push(" WHERE ");
        self.leads(&mut query, table, paths);
        query
    }

    /// What a column is set to; a random value is another one in each row.
    fn value(&self, query: &mut Query, table: &str, column: &str, set: &Replacement) {
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
            (Replacement::RandomInteger, Sql::Sqlite) => query.push("(abs(random()) % 2147483647)"),
            (Replacement::RandomInteger, Sql::Postgres) => {
                query.push("(pg_catalog.random() * 2147483646)::int4");
            }
            (Replacement::RandomInteger, Sql::Mysql) => query.push("FLOOR(RAND() * 2147483646)"),
        }
    }

    pub fn detach(&self, detach: &Detach<'_>, count: bool) -> Query {
        let mut query = Query::default();
        let names = |columns: &[String]| {
            columns.iter().map(|column| self.sql.name(column)).collect::<Vec<_>>().join(", ")
        };
        let row = |columns: &[String]| {
            if columns.len() == 1 { names(columns) } else { format!("({})", names(columns)) }
        };
        let (table, unset) = (self.table(detach.table), self.sql.name(detach.unset));
        if count {
            query.push(&format!("SELECT count(*) FROM {table}"));
        } else {
            query.push(&format!("UPDATE {table} SET {unset} = NULL"));
        }
        // MySQL reads no table that it changes, unless it is a table of its own making.
        query.push(&format!(
            " WHERE {unset} IS NOT NULL AND {} IN (SELECT * FROM (SELECT {} FROM {} WHERE ",
            row(detach.columns),
            names(detach.parent_columns),
            self.table(detach.parent)
        ));
        self.leads(&mut query, detach.parent, detach.paths);
        query.push(") AS theirs)");
        query
    }
}
