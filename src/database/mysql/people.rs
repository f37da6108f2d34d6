//! Tables and rows of people in MySQL and MariaDB.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{AssertSqlSafe, MySql as Driver, Row as _};

use super::failure::failure;
use super::rows::{execute, text};
use super::{Mysql, OWN_MIGRATIONS};
use crate::database::Failure;
use crate::database::people::{Committed, Each, Parameter, Purpose, Query, Speak, Sql};
use crate::model::{Column, ForeignKey, OnDelete, Relation, RelationKind, ValueKind};

impl Speak for Mysql {
    fn dialect(&self) -> Sql {
        Sql::Mysql
    }

    async fn relations(&mut self) -> Result<Vec<Relation>, Failure> {
        self.read_relations().await.map_err(|error| failure(&error))
    }

    async fn begin(&mut self, purpose: Purpose) -> Result<(), Failure> {
        self.say(match purpose {
            Purpose::Read => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            Purpose::Change => "START TRANSACTION READ WRITE",
        })
        .await
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        // Every constraint is looked at with its statement.
        Ok(())
    }

    async fn commit(&mut self) -> Result<Committed, Failure> {
        self.say("COMMIT").await.map(|()| Committed::default())
    }

    async fn rollback(&mut self) {
        self.say("ROLLBACK").await.ok();
    }

    async fn count(&mut self, query: Query) -> Result<u64, Failure> {
        let row = prepared(query).fetch_one(&mut self.own).await;
        let count: Result<i64, _> = row.and_then(|row| row.try_get(0));
        count.map(i64::unsigned_abs).map_err(|error| failure(&error))
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Failure> {
        let done = prepared(query).execute(&mut self.own).await;
        done.map(|done| done.rows_affected()).map_err(|error| failure(&error))
    }

    async fn rows(&mut self, query: Query, each: &mut Each<'_>) -> Result<(), Failure> {
        let mut rows = prepared(query).fetch(&mut self.own);
        while let Some(row) = rows.try_next().await.map_err(|error| failure(&error))? {
            let values = (0..row.len()).map(|index| row.try_get_unchecked(index)).collect::<Result<_, _>>();
            if !each(values.map_err(|error| failure(&error))?) {
                break;
            }
        }
        Ok(())
    }
}

fn prepared(query: Query) -> sqlx::query::Query<'static, Driver, MySqlArguments> {
    let Query { text, parameters } = query;
    let mut prepared = sqlx::query(AssertSqlSafe(text)).persistent(false);
    for parameter in parameters {
        prepared = match parameter {
            Parameter::Integer(number) => prepared.bind(number),
            Parameter::Unsigned(number) => prepared.bind(number),
            Parameter::Text(text) => prepared.bind(text),
            Parameter::Bytes(bytes) => prepared.bind(bytes),
        };
    }
    prepared
}

impl Mysql {
    async fn say(&mut self, sql: &'static str) -> Result<(), Failure> {
        execute(&mut self.own, sql.to_owned()).await.map(drop).map_err(|error| failure(&error))
    }

    /// Rows of the catalogue as texts.
    async fn told(&mut self, sql: String) -> Result<Vec<Vec<String>>, sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.own).await?;
        rows.iter().map(texts).collect()
    }

    async fn read_relations(&mut self) -> Result<Vec<Relation>, sqlx::Error> {
        let database = text(&self.database);
        let tables = format!(
            "SELECT TABLE_NAME, TABLE_TYPE, COALESCE(TRANSACTIONS, '') FROM information_schema.TABLES AS t \
             LEFT JOIN information_schema.ENGINES AS e ON e.ENGINE = t.ENGINE \
             WHERE TABLE_SCHEMA = {database} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') \
             AND TABLE_NAME NOT IN ('greffe_history', '{OWN_MIGRATIONS}')"
        );
        let columns = format!(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, EXTRA, \
             COALESCE(CHARACTER_MAXIMUM_LENGTH, ''), COALESCE(NUMERIC_SCALE, '') \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {database} ORDER BY TABLE_NAME, ORDINAL_POSITION"
        );
        // A part of an index that is an expression has no name.
        let unique = format!(
            "SELECT TABLE_NAME, INDEX_NAME, COALESCE(COLUMN_NAME, ''), COALESCE(SUB_PART, '') \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {database} AND NON_UNIQUE = 0 \
             ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        );
        let references = format!(
            "SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, \
             k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE \
             FROM information_schema.KEY_COLUMN_USAGE AS k JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r \
             ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
             AND r.TABLE_NAME = k.TABLE_NAME \
             WHERE k.TABLE_SCHEMA = {database} AND k.REFERENCED_TABLE_NAME IS NOT NULL \
             ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION"
        );
        let outside = format!(
            "SELECT DISTINCT REFERENCED_TABLE_NAME, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) \
             FROM information_schema.KEY_COLUMN_USAGE \
             WHERE REFERENCED_TABLE_SCHEMA = {database} AND TABLE_SCHEMA <> {database} ORDER BY 1, 2"
        );
        let triggers = format!(
            "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS \
             WHERE EVENT_OBJECT_SCHEMA = {database} ORDER BY 1, 2"
        );
        let mut relations = BTreeMap::new();
        for row in self.told(tables).await? {
            let [name, kind, transactions] = fields(row);
            relations.insert(name.clone(), empty(name, &kind, &transactions));
        }
        for row in self.told(columns).await? {
            let [table, name, data_type, sql_type, nullable, extra, length, scale] = fields(row);
            let Some(relation) = relations.get_mut(&table) else { continue };
            let kind = kind_of(&data_type, &sql_type, &scale);
            let range = range_of(&data_type, &sql_type);
            relation.columns.push(Column {
                name,
                kind,
                sql_type,
                nullable: nullable == "YES",
                generated: extra.contains("VIRTUAL GENERATED") || extra.contains("STORED GENERATED"),
                length: length.parse().ok().filter(|_| kind == ValueKind::Text),
                range,
            });
        }
        let mut indexes: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
        for row in self.told(unique).await? {
            let [table, index, column, part] = fields(row);
            indexes.entry((table, index)).or_default().push((column, part));
        }
        for ((table, index), columns) in indexes {
            let Some(relation) = relations.get_mut(&table) else { continue };
            // A prefix that is unique makes the whole unique, and what is replaced has to differ in it.
            let columns: Vec<String> = columns.into_iter().map(|(column, _)| column).collect();
            if columns.iter().all(|column| !column.is_empty()) {
                if index == "PRIMARY" {
                    relation.primary_key.clone_from(&columns);
                }
                relation.unique.push(columns);
            }
        }
        let mut last = (String::new(), String::new());
        for row in self.told(references).await? {
            let [table, constraint, column, schema, referred, referenced, rule] = fields(row);
            let Some(relation) = relations.get_mut(&table) else { continue };
            let this = (table, constraint);
            if last == this
                && let Some(key) = relation.foreign_keys.last_mut()
            {
                key.columns.push(column);
                key.referenced.push(referenced);
                continue;
            }
            last = this;
            let on_delete = match rule.as_str() {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" | "SET DEFAULT" => OnDelete::Unset,
                _ => OnDelete::Refuse,
            };
            let table = if schema == self.database { referred } else { format!("{schema}.{referred}") };
            let (columns, referenced) = (vec![column], vec![referenced]);
            relation.foreign_keys.push(ForeignKey { columns, table, referenced, on_delete });
        }
        for row in self.told(outside).await? {
            let [table, from] = fields(row);
            let relation = relations.get_mut(&table);
            relation.into_iter().for_each(|relation| relation.referred_from_outside.push(from.clone()));
        }
        for row in self.told(triggers).await? {
            let [table, trigger] = fields(row);
            let relation = relations.get_mut(&table);
            relation.into_iter().for_each(|relation| relation.triggers.push(trigger.clone()));
        }
        Ok(relations.into_values().collect())
    }
}

/// The values of a row of the catalogue; servers call some of them binary.
fn texts(row: &MySqlRow) -> Result<Vec<String>, sqlx::Error> {
    let value = |index| {
        let bytes: Vec<u8> = row.try_get_unchecked(index)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    (0..row.len()).map(value).collect()
}

/// A row with so many values.
fn fields<const N: usize>(mut row: Vec<String>) -> [String; N] {
    row.resize(N, String::new());
    row.try_into().unwrap_or_else(|_| std::array::from_fn(|_| String::new()))
}

fn empty(name: String, kind: &str, transactions: &str) -> Relation {
    let is_versioned = kind == "SYSTEM VERSIONED";
    Relation {
        table: name.clone(),
        name,
        kind: if is_versioned { RelationKind::Versioned } else { RelationKind::Table },
        transactional: transactions == "YES",
        ..Relation::default()
    }
}

/// What a whole number of fewer than 64 bits may be.
fn range_of(data_type: &str, column_type: &str) -> Option<(i64, i64)> {
    let bits = match data_type.to_ascii_lowercase().as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "year" => return Some((1901, 2155)),
        "bigint" if column_type.contains("unsigned") => return Some((0, i64::MAX)),
        _ => return None,
    };
    let half = 1_i64 << (bits - 1);
    Some(if column_type.contains("unsigned") { (0, 2 * half - 1) } else { (-half, half - 1) })
}

fn kind_of(data_type: &str, column_type: &str, scale: &str) -> ValueKind {
    match data_type.to_ascii_lowercase().as_str() {
        "tinyint" if column_type.to_ascii_lowercase().starts_with("tinyint(1)") => ValueKind::Boolean,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => ValueKind::Integer,
        "decimal" => ValueKind::Decimal(scale.parse().ok()),
        "float" | "double" => ValueKind::Float,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => ValueKind::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ValueKind::Bytes,
        "date" => ValueKind::Date,
        "time" => ValueKind::Time,
        "datetime" => ValueKind::Timestamp,
        "timestamp" => ValueKind::Moment,
        "json" => ValueKind::Json,
        "uuid" => ValueKind::Uuid,
        _ => ValueKind::Other,
    }
}
