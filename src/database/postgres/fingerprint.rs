//! The fingerprint of a PostgreSQL schema, algorithm `greffe-postgresql-1`; docs/schema.md says what its canonical
//! text is.
//!
//! A run reads the whole schema once. After a script it reads what the script may have changed: nothing when the
//! transaction wrote no row of a catalog, else the relations that it holds the locks of changes on with those
//! whose text names them, and functions or types where their catalogs were written. Whatever else was written,
//! and whatever is in doubt, makes it read all. What others change meanwhile shows in the next run's first
//! reading.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::TryStreamExt as _;
use serde::Deserialize;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Either, Row as _};

use super::canonical::canonical;
use super::catalog::{self, Relations, changes};
use super::failure::{answer, schema_error};
use super::session::{STATE, State};
use crate::crypto::Digest;
use crate::database::schema::Objects;
use crate::database::{DatabaseError, Failure, Grants, ObjectName, Schema, digest_of_digests};

/// What `schema.algorithm` says.
pub const ALGORITHM: &str = "greffe-postgresql-1";

/// What names and values in the text would depend on otherwise.
const SETTINGS: [(&str, &str); 10] = [
    ("search_path", "pg_catalog"),
    ("client_encoding", "UTF8"),
    ("quote_all_identifiers", "off"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("lc_monetary", "C"),
    ("jit", "off"),
];
/// What changed is little, and found by numbers.
const SETTINGS_FOR_LITTLE: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Makes settings until the transaction or its savepoint ends.
fn set<'a>(settings: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    let settings: Vec<String> = settings.map(|(name, value)| format!("('{name}', '{value}')")).collect();
    format!(
        "SELECT pg_catalog.set_config(name, value, true) FROM (VALUES {}) AS settings (name, value)",
        settings.join(", ")
    )
}

/// A transaction at some moment.
#[derive(Clone, Debug, Deserialize)]
pub struct Mark {
    /// Its number; `None` before it wrote anything.
    pub transaction: Option<String>,
    /// Whether the server counts at all, and was asked.
    tracked: bool,
    /// Rows written so far: to catalogs of relations, of functions, of types, of comments, and to others.
    counts: [i64; 5],
    pub state: State,
}

/// Makes what a connection executes at each step that has a fingerprint, outside a transaction.
pub fn prepare(version: u32) -> String {
    let counts = [
        &catalog::RELATION_CATALOGS[..],
        &catalog::FUNCTION_CATALOGS,
        &catalog::TYPE_CATALOGS,
        &catalog::COMMENT_CATALOGS,
        &catalog::other_catalogs(version),
    ]
    .map(changes);
    let mark = format!(
        "SELECT pg_catalog.json_build_object('transaction', pg_catalog.pg_current_xact_id_if_assigned()::text, \
         'tracked', pg_catalog.current_setting('track_counts')::bool, \
         'counts', pg_catalog.json_build_array({} + {}), 'state', {STATE})::text",
        counts.join(", "),
        catalog::REMOVED_COMMENTS
    );
    let changed = |catalogs: &[&str]| format!("(SELECT {}) > $1", changes(catalogs));
    let gated = |class: char, catalogs: &[&str], query: String| {
        format!(
            "SELECT '{class}' AS class, 0::oid AS oid, NULL AS kind, NULL AS name, 0 AS place, NULL AS lines \
                 WHERE {} UNION ALL {query}",
            changed(catalogs)
        )
    };
    let functions = &catalog::FUNCTION_CATALOGS;
    let types = &catalog::TYPE_CATALOGS;
    format!(
        "BEGIN; SET LOCAL search_path = pg_catalog; PREPARE greffe_mark AS {mark}; PREPARE greffe_settings AS {}; \
         PREPARE greffe_relations (int8, int8) AS {}; PREPARE greffe_functions (int8) AS {}; \
         PREPARE greffe_types (int8) AS {}; COMMIT",
        set(SETTINGS.iter().chain(&SETTINGS_FOR_LITTLE)),
        catalog::relations(Relations::Touched, version),
        gated('f', functions, catalog::functions(&changed(functions))),
        gated('t', types, catalog::types(&changed(types))),
    )
}

/// Tells the [`Mark`] of the open transaction.
pub const MARK: &str = "EXECUTE greffe_mark";

/// Reads the [`Mark`].
pub fn parse_mark(row: &PgRow) -> Result<Mark, sqlx::Error> {
    serde_json::from_str(row.try_get(0)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Class and number of an object; they tell of no other database.
type Number = (char, i64);

/// The canonical text of one object.
struct Block {
    number: Number,
    digest: Digest,
    text: String,
}

/// A schema that was read.
#[derive(Default)]
pub struct Known {
    blocks: BTreeMap<ObjectName, Block>,
    names: HashMap<Number, ObjectName>,
}

/// What a query answers: lines of one object.
struct Lines {
    number: Number,
    name: Option<ObjectName>,
    place: i32,
    text: String,
}

impl Lines {
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        let class = row.try_get::<&str, _>(0)?.chars().next().unwrap_or_default();
        let sqlx::postgres::types::Oid(number) = row.try_get(1)?;
        let name = match (row.try_get(2)?, row.try_get(3)?) {
            (Some(kind), Some(name)) => Some(ObjectName { kind, name }),
            _ => None,
        };
        let text: Option<String> = row.try_get(5)?;
        let text = text.unwrap_or_default();
        Ok(Self { number: (class, number.into()), name, place: row.try_get(4)?, text })
    }
}

impl Known {
    pub fn digest(&self) -> Digest {
        digest_of_digests(self.blocks.values().map(|block| &block.digest))
    }

    /// Object by object.
    pub fn schema(&self, access: Grants) -> Schema {
        let objects = self.blocks.iter().map(|(name, block)| (name.clone(), block.text.clone())).collect();
        Schema { algorithm: ALGORITHM, objects, digest: self.digest(), grants: Some(access) }
    }

    /// Reads all; `inside`: a transaction is open and stays as it is.
    pub async fn read(
        connection: &mut PgConnection,
        version: u32,
        inside: bool,
    ) -> Result<Self, DatabaseError> {
        let mut queries = vec![
            catalog::relations(Relations::All, version),
            catalog::functions("true"),
            catalog::types("true"),
        ];
        queries.extend(catalog::others(version));
        let answer = execute(connection, &queries.join(";\n"), inside).await?;
        let mut known = Self::default();
        known.add(answer.lines);
        Ok(known)
    }

    /// What is in greffe's own schema, which is no part of the fingerprint.
    pub async fn own(connection: &mut PgConnection, version: u32) -> Result<Objects, DatabaseError> {
        let answer = execute(connection, &catalog::own(version), false).await?;
        let mut known = Self::default();
        known.add(answer.lines);
        Ok(known.blocks.into_iter().map(|(name, block)| (name, block.text)).collect())
    }

    /// Owners and grants as they are.
    pub async fn access(connection: &mut PgConnection) -> Result<Grants, DatabaseError> {
        Ok(Grants::new(execute(connection, &catalog::access(), false).await?.texts))
    }

    /// Brings what was known when the transaction was at `since` to what it is now. `None` where that takes a
    /// reading of all. The mark of now is `None` when the transaction is gone.
    pub async fn follow(
        mut self,
        connection: &mut PgConnection,
        since: &Mark,
    ) -> Result<(Option<Self>, Option<Mark>), DatabaseError> {
        let [relations, functions, types, comments, others] = since.counts;
        let sql = format!(
            "SAVEPOINT greffe; {MARK}; EXECUTE greffe_settings; EXECUTE greffe_relations ({relations}, {comments}); \
             EXECUTE greffe_functions ({functions}); EXECUTE greffe_types ({types}); \
             ROLLBACK TO SAVEPOINT greffe; RELEASE SAVEPOINT greffe"
        );
        let Some(answer) = collect(connection, sql).await? else { return Ok((None, None)) };
        let Some(mark) = answer.mark else {
            return Err(DatabaseError::Schema(Failure::Driver("the server told nothing of its transaction")));
        };
        let sure = since.tracked && mark.tracked && mark.counts[4] == others && self.replace(answer.lines);
        Ok((sure.then_some(self), Some(mark)))
    }

    /// Puts what was read in the place of what was known; `false` where more may have changed than was read.
    fn replace(&mut self, lines: Vec<Lines>) -> bool {
        let (marks, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|lines| lines.name.is_none());
        let read: HashSet<Number> = marks.iter().map(|mark| mark.number).collect();
        if read.contains(&('d', 0)) {
            return false;
        }
        let is_read = |number: &Number| read.contains(number) || read.contains(&(number.0, 0));
        let gone: Vec<Number> = self.names.keys().copied().filter(is_read).collect();
        let mut names = HashMap::new();
        for number in gone {
            if let Some(name) = self.names.remove(&number) {
                self.blocks.remove(&name);
                names.insert(number, name);
            }
        }
        self.add(lines);
        // The name of a function or type may stand in any text.
        names
            .iter()
            .all(|(number, name)| number.0 == 'r' || self.names.get(number).is_none_or(|now| now == name))
    }

    fn add(&mut self, lines: Vec<Lines>) {
        let mut objects: BTreeMap<Number, (ObjectName, BTreeMap<i32, String>)> = BTreeMap::new();
        for Lines { number, name, place, text } in lines {
            let Some(name) = name else { continue };
            let (_, parts) = objects.entry(number).or_insert_with(|| (name, BTreeMap::new()));
            if !text.is_empty() {
                parts.insert(place, text);
            }
        }
        for (number, (name, parts)) in objects {
            let mut text = format!("{} {}", name.kind, name.name.replace('\n', "\n\t"));
            for part in parts.into_values() {
                text.push('\n');
                text.push_str(part.trim_end_matches(['\n', '\t']));
            }
            let text = if number.0 == 'f' { text } else { canonical(text) };
            let digest = Digest::of(text.as_bytes());
            self.names.insert(number, name.clone());
            self.blocks.insert(name, Block { number, digest, text });
        }
        debug_assert!(self.blocks.values().all(|block| self.names.contains_key(&block.number)));
    }
}

/// What reading answered.
#[derive(Default)]
struct Answer {
    mark: Option<Mark>,
    lines: Vec<Lines>,
    /// Of queries with one column.
    texts: Vec<String>,
}

/// Reads with settings of its own that end with it.
async fn execute(
    connection: &mut PgConnection,
    queries: &str,
    inside: bool,
) -> Result<Answer, DatabaseError> {
    let (begin, end) = if inside {
        ("SAVEPOINT greffe", "ROLLBACK TO SAVEPOINT greffe; RELEASE SAVEPOINT greffe")
    } else {
        ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "ROLLBACK")
    };
    let settings = set(SETTINGS.iter());
    let answer = collect(connection, format!("{begin}; {settings};\n{queries};\n{end}")).await;
    if answer.is_err() && !inside {
        sqlx::raw_sql("ROLLBACK").execute(connection).await.ok();
    }
    answer?.ok_or(DatabaseError::TransactionEnded)
}

/// `None` where a savepoint found no transaction.
async fn collect(connection: &mut PgConnection, sql: String) -> Result<Option<Answer>, DatabaseError> {
    let mut rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_many(connection);
    let mut found = Answer::default();
    loop {
        let row = match rows.try_next().await {
            Ok(Some(Either::Right(row))) => row,
            Ok(Some(Either::Left(_))) => continue,
            Ok(None) => return Ok(Some(found)),
            Err(error) if answer(&error).is_some_and(|error| error.code() == NO_TRANSACTION) => {
                return Ok(None);
            }
            Err(error) => return Err(schema_error(&error)),
        };
        let read = match (row.len(), row.column(0)) {
            (1, column) if sqlx::Column::name(column) == "json_build_object" => {
                parse_mark(&row).map(|mark| found.mark = Some(mark))
            }
            (1, column) if sqlx::Column::name(column) == "concat_ws" => {
                row.try_get(0).map(|text| found.texts.push(text))
            }
            (6, _) => Lines::of(&row).map(|lines| found.lines.push(lines)),
            _ => Ok(()),
        };
        read.map_err(|error| schema_error(&error))?;
    }
}

/// No transaction is open.
const NO_TRANSACTION: &str = "25P01";
