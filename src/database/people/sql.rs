//! Statements about a person's rows in three dialects. Every name is quoted and every value is a parameter.

use super::Detach;
use crate::model::{Path, Relation, Replacement, ValueKind};

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sql {
    Sqlite,
    Postgres,
    Mysql,
}

/// A value that is bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
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

/// Rows of a table.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    /// Those that lead to the person.
    LeadingBy(&'a [Path]),
    /// Those whose column holds one of these values.
    Holding(&'a str, &'a [Parameter]),
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

    pub(super) fn table(self, relation: &Relation) -> String {
        match &relation.schema {
            Some(schema) => format!("{}.{}", self.name(schema), self.name(&relation.table)),
            None => self.name(&relation.table),
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

    pub(super) fn bind(&mut self, sql: Sql, parameter: Parameter) {
        self.parameters.push(parameter);
        match sql {
            Sql::Postgres => self.text.push_str(&format!("${}", self.parameters.len())),
            Sql::Sqlite | Sql::Mysql => self.text.push('?'),
        }
    }
}

impl Build<'_> {
    pub(super) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    fn table(&self, name: &str) -> String {
        self.relation(name).map_or_else(|| self.sql.name(name), |relation| self.sql.table(relation))
    }

    pub(super) fn kind(&self, table: &str, column: &str) -> ValueKind {
        let column = self.relation(table).and_then(|relation| relation.column(column));
        column.map_or(ValueKind::Other, |column| column.kind)
    }

    fn is_key(&self, query: &mut Query, table: &str, column: &str) {
        self.holds(query, table, column, self.key);
    }

    /// That a column of a table holds a value, byte for byte.
    pub(super) fn holds(&self, query: &mut Query, table: &str, column: &str, value: &Parameter) {
        let kind = self.kind(table, column);
        let name = self.sql.name(column);
        let value = value.clone();
        match (self.sql, kind) {
            (_, ValueKind::Integer | ValueKind::Bytes) => {
                query.push(&format!("{name} = "));
                query.bind(self.sql, value);
            }
            (Sql::Postgres, ValueKind::Uuid) => {
                query.push(&format!("{name} = "));
                query.bind(self.sql, value);
                query.push("::text::uuid");
            }
            (Sql::Postgres, _) => {
                // The first finds the index; a collation may take other letters for the same.
                query.push(&format!("({name}::text = "));
                query.bind(self.sql, value.clone());
                query.push(&format!("::text AND {name}::text COLLATE \"C\" = "));
                query.bind(self.sql, value);
                query.push("::text)");
            }
            (Sql::Sqlite, ValueKind::Text) => {
                query.push(&format!("{name} COLLATE BINARY = "));
                query.bind(self.sql, value);
            }
            (Sql::Sqlite, _) => {
                query.push(&format!("CAST({name} AS TEXT) COLLATE BINARY = "));
                query.bind(self.sql, value);
            }
            (Sql::Mysql, kind) => {
                // The server's own comparison takes other letters and spaces for the same; it finds the index.
                let text = if kind == ValueKind::Text { name } else { format!("CAST({name} AS CHAR)") };
                query.push(&format!("({text} = "));
                query.bind(self.sql, value.clone());
                query.push(&format!(" AND {} = CAST(", self.sql.bytes_of(&text)));
                query.bind(self.sql, value);
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
                let [child, parent] = [(here, &hop.column), (hop.parent.as_str(), &hop.parent_column)]
                    .map(|(table, column)| self.sql.same_of(self.kind(table, column), column));
                query.push(&format!("{child} IN (SELECT {parent} FROM {} WHERE ", self.table(&hop.parent)));
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

    /// That it is one of the rows.
    fn are(&self, query: &mut Query, table: &str, rows: &Rows<'_>) {
        match rows {
            Rows::LeadingBy(paths) => self.leads(query, table, paths),
            Rows::Holding(column, values) => {
                query.push("(1 = 0");
                for value in *values {
                    query.push(" OR ");
                    self.holds(query, table, column, value);
                }
                query.push(")");
            }
        }
    }

    pub fn count(&self, table: &str, rows: &Rows<'_>) -> Query {
        self.select("count(*)", table, rows)
    }

    pub fn count_unset(&self, table: &str, rows: &Rows<'_>, sets: &[(String, Replacement)]) -> Query {
        let mut query = self.count(table, rows);
        let known: Vec<&(String, Replacement)> = sets.iter().filter(|(_, set)| !set.is_random()).collect();
        // Of random values nobody can tell by themselves.
        query.push(if known.is_empty() { " AND (1 = 0" } else { " AND (" });
        for (index, (column, set)) in known.into_iter().enumerate() {
            let name = self.sql.name(column);
            query.push(if index > 0 { " OR " } else { "" });
            match set {
                Replacement::Null => query.push(&format!("{name} IS NOT NULL")),
                Replacement::True => query.push(&format!("{name} IS NOT TRUE")),
                _ => {
                    query.push(&format!("{name} IS NULL OR "));
                    self.differs(&mut query, table, column, set);
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

    pub fn rows(&self, table: &str, rows: &Rows<'_>, columns: &[&str]) -> Query {
        let relation = self.relation(table);
        let texts = columns.iter().filter_map(|column| relation?.column(column));
        let texts: Vec<String> = texts.map(|column| self.sql.text_of(column)).collect();
        let mut query = self.select(&texts.join(", "), table, rows);
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

    /// What a column of the rows holds, as `Build::holds` compares it.
    pub fn held(&self, table: &str, rows: &Rows<'_>, column: &str) -> Query {
        let mut query = self.select(&self.sql.compared_of(self.kind(table, column), column), table, rows);
        query.push(&format!(" AND {} IS NOT NULL", self.sql.name(column)));
        query
    }

    fn select(&self, what: &str, table: &str, rows: &Rows<'_>) -> Query {
        let mut query = Query::default();
        query.push(&format!("SELECT {what} FROM {} WHERE ", self.table(table)));
        self.are(&mut query, table, rows);
        query
    }

    /// Which of the columns come as hexadecimal text.
    pub fn coded(&self, table: &str, columns: &[&str]) -> Vec<bool> {
        let relation = self.relation(table);
        let columns = columns.iter().filter_map(|column| relation?.column(column));
        columns.map(|column| column.kind == ValueKind::Bytes && self.sql != Sql::Mysql).collect()
    }

    pub fn delete(&self, table: &str, rows: &Rows<'_>) -> Query {
        let mut query = Query::default();
        query.push(&format!("DELETE FROM {} WHERE ", self.table(table)));
        self.are(&mut query, table, rows);
        query
    }

    pub fn set(&self, table: &str, rows: &Rows<'_>, sets: &[(String, Replacement)]) -> Query {
        let mut query = Query::default();
        query.push(&format!("UPDATE {} SET ", self.table(table)));
        for (index, (column, set)) in sets.iter().enumerate() {
            query.push(if index > 0 { ", " } else { "" });
            query.push(&format!("{} = ", self.sql.name(column)));
            self.value(&mut query, table, column, set);
        }
        query.push(" WHERE ");
        self.are(&mut query, table, rows);
        query
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
