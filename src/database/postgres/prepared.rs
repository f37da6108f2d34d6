//! What a connection executes at each step, which the server reads and plans once: the beginning and the end of a row,
//! and what tells of the transaction. A script cannot drop it, for that is refused.

use super::fingerprint::{self, MARK};
use super::rows::{TABLE, literal};
use super::session::{DURABLE, STATE};
use crate::database::rows::{Ending, NewRow};
use crate::model::EventId;

/// What a connection has been told.
#[derive(Clone, Copy, Default)]
pub struct Prepared {
    /// What every step executes.
    rows: bool,
    /// What a fingerprint takes besides.
    schema: bool,
}

impl Prepared {
    /// Whether a step with a fingerprint (`schema`) or without one can run.
    pub const fn is_ready(self, schema: bool) -> bool {
        self.rows && (self.schema || !schema)
    }

    /// What makes it ready, outside a transaction; `first`: a row that is about to be added. Once it has run, this is
    /// [`Prepared::with`].
    pub fn missing(self, schema: bool, version: u32, first: &NewRow<'_>) -> String {
        let rows = if self.rows { String::new() } else { prepare_rows(first) };
        let schema = if schema && !self.schema { fingerprint::prepare(version) } else { String::new() };
        format!("{rows}; {schema}")
    }

    /// The same with what [`Prepared::missing`] made.
    pub const fn with(self, schema: bool) -> Self {
        Self { rows: true, schema: self.schema || schema }
    }
}

fn prepare_rows(first: &NewRow<'_>) -> String {
    let columns = first.columns();
    let types: Vec<&str> = columns.iter().map(|column| type_of(column)).collect();
    let places: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    let changes = Ending::COLUMNS.iter().zip(&places).map(|(column, place)| format!("{column} = {place}"));
    let changes: Vec<String> = changes.collect();
    let (position, id) = (changes.len() + 1, changes.len() + 2);
    // Divides by zero where the transaction has no such row of its own: there is no other way to stop before a
    // COMMIT of the same message. Counts of changed catalogs matter to a fingerprint alone.
    format!(
        "PREPARE greffe_begin ({}) AS INSERT INTO {TABLE} ({}) VALUES ({}); \
         PREPARE greffe_end ({}, pg_catalog.int8, pg_catalog.text) AS WITH ended AS (UPDATE {TABLE} SET {} \
         WHERE position OPERATOR(pg_catalog.=) ${position} AND id OPERATOR(pg_catalog.=) ${id} \
         AND xmin OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id()::pg_catalog.xid RETURNING 1) \
         SELECT 1 OPERATOR(pg_catalog./) pg_catalog.count(*), \
         pg_catalog.set_config('synchronous_commit', {DURABLE}, true) FROM ended; \
         PREPARE greffe_state AS SELECT pg_catalog.json_build_object('transaction', \
         pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text, 'tracked', false, \
         'counts', pg_catalog.json_build_array(0, 0, 0, 0, 0), 'state', {STATE})::pg_catalog.text",
        types.join(", "),
        columns.join(", "),
        places.join(", "),
        ["pg_catalog.text"; Ending::COLUMNS.len()].join(", "),
        changes.join(", ")
    )
}

fn type_of(column: &str) -> &'static str {
    match column {
        "position" => "pg_catalog.int8",
        "up_script" | "down_script" => "pg_catalog.bytea",
        _ => "pg_catalog.text",
    }
}

/// Tells the state of the open transaction; with what a fingerprint needs of it where there is one (`schema`).
pub const fn mark(schema: bool) -> &'static str {
    if schema { MARK } else { "EXECUTE greffe_state" }
}

/// Opens a transaction with a row in it, which says for which event it runs; tells its mark.
pub fn begin_with(row: &NewRow<'_>, schema: bool) -> String {
    format!(
        "BEGIN READ WRITE; SET LOCAL greffe.run = '{}'; EXECUTE greffe_begin ({}); {}",
        row.id,
        row.list(literal),
        mark(schema)
    )
}

/// Ends a row that this transaction added.
pub fn end_with(ending: &Ending<'_>, id: EventId) -> String {
    format!("EXECUTE greffe_end ({}, {}, '{id}')", ending.list(literal), ending.position)
}
