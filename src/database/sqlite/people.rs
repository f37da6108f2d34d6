//! Tables and rows of people in SQLite.

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite as Driver};

use super::{OWN_MIGRATIONS, Sqlite, failure};
use crate::database::Failure;
use crate::database::people::{Committed, Each, Parameter, Purpose, Query, Speak, Sql};
use crate::model::{Column, ForeignKey, OnDelete, Relation, ValueKind};

/// Tables that hold rows; those behind a virtual one are reached through it.
const TABLES: &str = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') \
    AND substr(name, 1, 7) <> 'sqlite_' AND name NOT IN ('greffe_history', 'greffe_capture', ?)";

/// SQLITE_CONSTRAINT_FOREIGNKEY.
const FOREIGN_KEY: &str = "787";

impl Sqlite {
    /// How many rows refer to nothing, and a table that has some.
    async fn broken_keys(&mut self) -> Result<(i64, Option<String>), Failure> {
        let sql = "SELECT count(*), max(\"table\") FROM pragma_foreign_key_check";
        let row = sqlx::query(sql).fetch_one(&mut self.connection).await;
        row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?))).map_err(|error| failure(&error))
    }
}

impl Speak for Sqlite {
    fn dialect(&self) -> Sql {
        Sql::Sqlite
    }

    async fn relations(&mut self) -> Result<Vec<Relation>, Failure> {
        read_relations(&mut self.connection).await.map_err(|error| failure(&error))
    }

    async fn begin(&mut self, purpose: Purpose) -> Result<(), Failure> {
        let sql = match purpose {
            Purpose::Read => "BEGIN",
            // What is deleted is overwritten, and nothing is left that refers to it.
            Purpose::Change => "PRAGMA main.secure_delete = ON; PRAGMA foreign_keys = ON; BEGIN IMMEDIATE",
        };
        sqlx::raw_sql(sql).execute(&mut self.connection).await.map_err(|error| failure(&error))?;
        if purpose == Purpose::Change {
            // A key that refers to no unique column cannot be looked at, and hinders none that is not its own.
            self.broken = self.broken_keys().await.map_or(i64::MAX, |(broken, _)| broken);
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        // Keys that are looked at when the transaction ends would end it only then; those that others broke before
        // do not hinder it.
        if self.broken == i64::MAX {
            return Ok(());
        }
        let (broken, table) = self.broken_keys().await?;
        if broken <= self.broken {
            return Ok(());
        }
        let object = table.map(|table| format!("a foreign key of table {table}"));
        Err(Failure::Server { code: FOREIGN_KEY.to_owned(), hint: None, object, position: None })
    }

    async fn commit(&mut self) -> Result<Committed, Failure> {
        let committed = sqlx::raw_sql("COMMIT").execute(&mut self.connection).await;
        committed.map_err(|error| failure(&error))?;
        // Pages of before are in the log until then; others who read it keep it. What cannot be told is not empty.
        let emptied =
            sqlx::query("PRAGMA main.wal_checkpoint(TRUNCATE)").fetch_one(&mut self.connection).await;
        let busy: Result<i64, _> = emptied.and_then(|row| row.try_get(0));
        Ok(Committed { log_is_read: busy.map_or(true, |busy| busy != 0) })
    }

    async fn rollback(&mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.ok();
    }

    async fn count(&mut self, query: Query) -> Result<u64, Failure> {
        let row = prepared(query).fetch_one(&mut self.connection).await;
        let count: Result<i64, _> = row.and_then(|row| row.try_get(0));
        count.map(i64::unsigned_abs).map_err(|error| failure(&error))
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Failure> {
        let done = prepared(query).execute(&mut self.connection).await;
        done.map(|done| done.rows_affected()).map_err(|error| failure(&error))
    }

    async fn rows(&mut self, query: Query, each: &mut Each<'_>) -> Result<(), Failure> {
        let mut rows = prepared(query).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(|error| failure(&error))? {
            let values = (0..row.len()).map(|index| row.try_get_unchecked(index)).collect::<Result<_, _>>();
            if !each(values.map_err(|error| failure(&error))?) {
                break;
            }
        }
        Ok(())
    }
}

fn prepared(query: Query) -> sqlx::query::Query<'static, Driver, SqliteArguments> {
    let Query { text, parameters } = query;
    let mut prepared = sqlx::query(AssertSqlSafe(text)).persistent(false);
    for parameter in parameters {
        prepared = match parameter {
            Parameter::Integer(number) => prepared.bind(number),
            // SQLite has no such number; as text it is equal to none.
            Parameter::Unsigned(number) => prepared.bind(number.to_string()),
            Parameter::Text(text) => prepared.bind(text),
            Parameter::Bytes(bytes) => prepared.bind(bytes),
        };
    }
    prepared
}

async fn read_relations(connection: &mut SqliteConnection) -> Result<Vec<Relation>, sqlx::Error> {
    let names: Vec<String> =
        sqlx::query_scalar(TABLES).bind(OWN_MIGRATIONS).fetch_all(&mut *connection).await?;
    let mut relations = Vec::new();
    for name in names {
        relations.push(read_relation(connection, name).await?);
    }
    // A reference is written in any case, and without columns where it leads to the primary key.
    let known: Vec<(String, Vec<String>, Vec<String>)> = relations
        .iter()
        .map(|relation| {
            let columns = relation.columns.iter().map(|column| column.name.clone()).collect();
            (relation.name.clone(), columns, relation.primary_key.clone())
        })
        .collect();
    for key in relations.iter_mut().flat_map(|relation: &mut Relation| &mut relation.foreign_keys) {
        let found = known.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&key.table));
        let Some((name, columns, primary_key)) = found else { continue };
        key.table.clone_from(name);
        if key.referenced.iter().any(String::is_empty) {
            key.referenced.clone_from(primary_key);
        }
        for referenced in &mut key.referenced {
            if let Some(column) = columns.iter().find(|column| column.eq_ignore_ascii_case(referenced)) {
                referenced.clone_from(column);
            }
        }
    }
    Ok(relations)
}

async fn read_relation(connection: &mut SqliteConnection, name: String) -> Result<Relation, sqlx::Error> {
    let sql =
        "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?, 'main') WHERE hidden <> 1";
    let rows = sqlx::query(sql).bind(&name).fetch_all(&mut *connection).await?;
    let mut columns = Vec::new();
    let mut primary_key: Vec<(i64, String)> = Vec::new();
    for row in &rows {
        let (column, place) = read_column(row)?;
        primary_key.extend((place > 0).then(|| (place, column.name.clone())));
        columns.push(column);
    }
    primary_key.sort_unstable();
    let primary_key: Vec<String> = primary_key.into_iter().map(|(_, column)| column).collect();
    let mut unique = vec![primary_key.clone()];
    unique.retain(|columns| !columns.is_empty());
    let indexes: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_index_list(?, 'main') WHERE \"unique\" AND NOT partial")
            .bind(&name)
            .fetch_all(&mut *connection)
            .await?;
    for index in indexes {
        let indexed: Vec<Option<String>> =
            sqlx::query_scalar("SELECT name FROM pragma_index_info(?, 'main') ORDER BY seqno")
                .bind(index)
                .fetch_all(&mut *connection)
                .await?;
        // An expression has no name.
        unique.extend(indexed.into_iter().collect::<Option<Vec<String>>>());
    }
    let foreign_keys = read_foreign_keys(connection, &name).await?;
    let triggers = "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) \
                    ORDER BY name";
    let triggers: Vec<String> = sqlx::query_scalar(triggers).bind(&name).fetch_all(&mut *connection).await?;
    Ok(Relation {
        table: name.clone(),
        name,
        schema: Some("main".to_owned()),
        transactional: true,
        columns,
        primary_key,
        unique,
        foreign_keys,
        triggers,
        ..Relation::default()
    })
}

/// A column, and its place in the primary key from 1.
fn read_column(row: &SqliteRow) -> Result<(Column, i64), sqlx::Error> {
    let sql_type: String = row.try_get(1)?;
    let place: i64 = row.try_get(3)?;
    let hidden: i64 = row.try_get(4)?;
    let column = Column {
        name: row.try_get(0)?,
        kind: kind_of(&sql_type),
        sql_type,
        nullable: !row.try_get::<bool, _>(2)? && place == 0,
        generated: hidden != 0,
        length: None,
        range: None,
    };
    Ok((column, place))
}

async fn read_foreign_keys(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<ForeignKey>, sqlx::Error> {
    let sql = "SELECT id, \"table\", \"from\", coalesce(\"to\", ''), on_delete \
               FROM pragma_foreign_key_list(?, 'main') ORDER BY id, seq";
    let rows = sqlx::query(sql).bind(table).fetch_all(connection).await?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for row in &rows {
        let id: i64 = row.try_get(0)?;
        let (from, to): (String, String) = (row.try_get(2)?, row.try_get(3)?);
        match keys.last_mut().filter(|(last, _)| *last == id) {
            Some((_, key)) => {
                key.columns.push(from);
                key.referenced.push(to);
            }
            None => {
                let on_delete = match row.try_get::<&str, _>(4)? {
                    "CASCADE" => OnDelete::Cascade,
                    "SET NULL" | "SET DEFAULT" => OnDelete::Unset,
                    _ => OnDelete::Refuse,
                };
                let table = row.try_get(1)?;
                keys.push((id, ForeignKey { columns: vec![from], table, referenced: vec![to], on_delete }));
            }
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// What values of a declared type are; SQLite itself goes by affinity (sqlite.org/datatype3.html §3.1).
fn kind_of(declared: &str) -> ValueKind {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["BOOL"]) {
        ValueKind::Boolean
    } else if has(&["INT"]) {
        ValueKind::Integer
    } else if has(&["CHAR", "CLOB", "TEXT", "UUID"]) {
        ValueKind::Text
    } else if has(&["BLOB", "BINARY"]) {
        ValueKind::Bytes
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        ValueKind::Float
    } else if has(&["DATETIME", "TIMESTAMP"]) {
        ValueKind::Timestamp
    } else if has(&["DATE"]) {
        ValueKind::Date
    } else if has(&["TIME"]) {
        ValueKind::Time
    } else if has(&["DEC", "NUM"]) {
        let digits =
            declared.split_once(',').and_then(|(_, rest)| rest.trim_end_matches(')').trim().parse().ok());
        ValueKind::Decimal(digits.filter(|digits| *digits <= 30))
    } else {
        ValueKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_have_their_kinds() {
        for (declared, kind) in [
            ("INTEGER", ValueKind::Integer),
            ("bigint unsigned", ValueKind::Integer),
            ("BOOLEAN", ValueKind::Boolean),
            ("VARCHAR(40)", ValueKind::Text),
            ("DECIMAL(10, 2)", ValueKind::Decimal(Some(2))),
            ("NUMERIC", ValueKind::Decimal(None)),
            ("DATETIME", ValueKind::Timestamp),
            ("DATE", ValueKind::Date),
            ("BLOB", ValueKind::Bytes),
            ("DOUBLE PRECISION", ValueKind::Float),
            ("", ValueKind::Other),
        ] {
            assert_eq!(kind_of(declared), kind, "{declared}");
        }
    }
}
