//! History tables of other tools: found by their names, and read. Nothing is created, locked or changed.

use super::people::{Query, Speak, Sql};
use super::{Database, DatabaseError};

/// How many rows of a table are read at most.
pub(super) const ROW_LIMIT: usize = 200_000;

/// How many characters a text of a table has at most: no tool writes longer ones.
const TEXT_LIMIT: usize = 1000;

/// A table that has a name which was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolTable {
    /// The schema of PostgreSQL; `None` where there is none or it is the database.
    pub schema: Option<String>,
    pub name: String,
    pub columns: Vec<ToolColumn>,
}

/// One of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolColumn {
    pub name: String,
    /// Whether its values are bytes; they are read as hexadecimal text.
    pub bytes: bool,
}

impl ToolTable {
    /// Its name as people write it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The column of this name; in large or small letters where it has none that is written so.
    fn column(&self, name: &str) -> Option<&ToolColumn> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
    }

    /// Whether it has all these columns, and with `only` no others.
    #[must_use]
    pub fn has(&self, columns: &[&str], only: bool) -> bool {
        let named = |wanted: &&str| self.column(wanted).is_some();
        columns.iter().all(named) && (!only || columns.len() == self.columns.len())
    }
}

macro_rules! each {
    ($self:expr, $database:ident => $call:expr) => {
        match $self {
            Database::Sqlite($database) => $call,
            Database::Postgres($database) => $call,
            Database::Mysql($database) => $call,
        }
        .map_err(DatabaseError::ToolHistory)
    };
}

impl Database {
    /// The tables of all schemas that have one of these names, in large or small letters, in the order of schemas and names.
    ///
    /// # Errors
    /// [`DatabaseError::ToolHistory`].
    pub async fn tool_tables(&mut self, names: &[&str]) -> Result<Vec<ToolTable>, DatabaseError> {
        let mut found: Vec<ToolTable> = Vec::new();
        for row in self.texts(columns_of(self.sql(), names)).await? {
            let [schema, table, column, kind] = row.as_slice() else { continue };
            let (Some(table), Some(column)) = (table, column) else { continue };
            let column = ToolColumn { name: column.clone(), bytes: kind.as_deref().is_some_and(holds_bytes) };
            match found.last_mut().filter(|last| last.schema == *schema && last.name == *table) {
                Some(last) => last.columns.push(column),
                None => {
                    let (schema, name) = (schema.clone(), table.clone());
                    found.push(ToolTable { schema, name, columns: vec![column] });
                }
            }
        }
        Ok(found)
    }

    /// The rows of a table: these columns as text, ordered by `order`; a column that the table lacks is NULL.
    ///
    /// # Errors
    /// [`DatabaseError::ToolHistory`]; [`DatabaseError::ManyRows`], [`DatabaseError::LongText`].
    pub async fn tool_rows(
        &mut self,
        table: &ToolTable,
        columns: &[&str],
        order: &[&str],
    ) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        // Policies of the table's owner do not run here.
        let guarded = matches!(self, Self::Postgres(_));
        if guarded {
            self.texts_of("SET row_security = off".to_owned()).await?;
        }
        let rows = self.texts(rows_of(self.sql(), table, columns, order)).await;
        if guarded {
            self.texts_of("RESET row_security".to_owned()).await?;
        }
        let rows = rows?;
        if rows.len() > ROW_LIMIT {
            return Err(DatabaseError::ManyRows { table: table.shown(), limit: ROW_LIMIT });
        }
        let is_long = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.len() > TEXT_LIMIT && text.chars().count() > TEXT_LIMIT)
        };
        for (place, row) in rows.iter().enumerate() {
            if let Some((_, column)) = row.iter().zip(columns).find(|(text, _)| is_long(text)) {
                let (table, column) = (table.shown(), (*column).to_owned());
                return Err(DatabaseError::LongText { table, row: place + 1, column, limit: TEXT_LIMIT });
            }
        }
        Ok(rows)
    }

    /// The schema in which a table without one is made; `None` where there are no schemas.
    ///
    /// # Errors
    /// [`DatabaseError::ToolHistory`].
    pub async fn current_schema(&mut self) -> Result<Option<String>, DatabaseError> {
        if !matches!(self, Self::Postgres(_)) {
            return Ok(None);
        }
        let mut query = Query::default();
        query.push("SELECT pg_catalog.current_schema()::text");
        Ok(self.texts(query).await?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    pub(super) fn sql(&self) -> Sql {
        match self {
            Self::Sqlite(_) => Sql::Sqlite,
            Self::Postgres(_) => Sql::Postgres,
            Self::Mysql(_) => Sql::Mysql,
        }
    }

    /// The rows of a query that is one text, as texts; at most one more than [`ROW_LIMIT`].
    pub(super) async fn texts_of(&mut self, text: String) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        self.texts(Query { text, parameters: Vec::new() }).await
    }

    async fn texts(&mut self, query: Query) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        let mut rows = Vec::new();
        let mut keep = |row: Vec<Option<Vec<u8>>>| {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            rows.push(row.into_iter().map(|value| value.map(text)).collect());
            rows.len() <= ROW_LIMIT
        };
        each!(self, database => database.rows(query, &mut keep).await)?;
        Ok(rows)
    }
}

/// Schema, table, column and type of each column of the tables with these names.
fn columns_of(sql: Sql, names: &[&str]) -> Query {
    let (before, after) = match sql {
        Sql::Sqlite => (
            "SELECT NULL, m.name, c.name, c.type FROM sqlite_schema AS m, pragma_table_info(m.name) AS c \
             WHERE m.type = 'table' AND lower(m.name) IN (",
            ") ORDER BY m.name, c.cid",
        ),
        Sql::Postgres => (
            "SELECT n.nspname::text, c.relname::text, a.attname::text, t.typname::text \
             FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
             AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace \
             WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND lower(c.relname::text) IN (",
            ") ORDER BY 1, 2, a.attnum",
        ),
        Sql::Mysql => (
            "SELECT NULL, CONVERT(table_name USING utf8mb4), CONVERT(column_name USING utf8mb4), \
             CONVERT(data_type USING utf8mb4) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND LOWER(table_name) IN (",
            ") ORDER BY table_name, ordinal_position",
        ),
    };
    let mut query = Query::default();
    query.push(before);
    for (place, name) in names.iter().enumerate() {
        query.push(if place == 0 { "" } else { ", " });
        query.bind_text(sql, &name.to_ascii_lowercase());
    }
    query.push(after);
    query
}

fn rows_of(sql: Sql, table: &ToolTable, columns: &[&str], order: &[&str]) -> Query {
    let text = |name: &&str| {
        let Some(column) = table.column(name) else {
            return "NULL".to_owned();
        };
        let name = sql.name(&column.name);
        match (sql, column.bytes) {
            (Sql::Sqlite, _) => {
                format!(
                    "CASE typeof({name}) WHEN 'blob' THEN lower(hex({name})) ELSE CAST({name} AS TEXT) END"
                )
            }
            (Sql::Postgres, true) => format!("pg_catalog.encode({name}, 'hex')"),
            (Sql::Postgres, false) => format!("{name}::text"),
            (Sql::Mysql, true) => format!("LOWER(HEX({name}))"),
            (Sql::Mysql, false) => format!("CONVERT(CAST({name} AS CHAR) USING utf8mb4)"),
        }
    };
    // What is too long is not fetched, and is seen to be.
    let cut = if sql == Sql::Postgres { "pg_catalog.left" } else { "LEFT" };
    let cut = if sql == Sql::Sqlite { "substr" } else { cut };
    let begin = if sql == Sql::Sqlite { "1, " } else { "" };
    let texts = columns.iter().map(|name| format!("{cut}({}, {begin}{})", text(name), TEXT_LIMIT + 1));
    let texts: Vec<String> = texts.collect();
    let order = order.iter().filter_map(|name| Some(sql.name(&table.column(name)?.name)));
    let order: Vec<String> = order.collect();
    let named = match &table.schema {
        Some(schema) => format!("{}.{}", sql.name(schema), sql.name(&table.name)),
        None => sql.name(&table.name),
    };
    let mut query = Query::default();
    query.push(&format!("SELECT {} FROM {named}", texts.join(", ")));
    if !order.is_empty() {
        query.push(&format!(" ORDER BY {}", order.join(", ")));
    }
    query.push(&format!(" LIMIT {}", ROW_LIMIT + 1));
    query
}

fn holds_bytes(sql_type: &str) -> bool {
    let sql_type = sql_type.to_ascii_lowercase();
    sql_type == "bytea" || sql_type.contains("blob") || sql_type.contains("binary")
}
