//! Why nothing, or not all, was done about a person's data. No error holds a value or a key.

use std::path::PathBuf;

use super::list::ListError;
use super::receipt::ReceiptError;
use crate::database::people::KeyMismatch;
use crate::database::{DatabaseError, Failure};
use crate::ops::OpsError;
use crate::privacy::subject::{Finding, MapError};

/// Why nothing, or not all, was done.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    #[error("the map {} cannot be used", path.display())]
    Map {
        path: PathBuf,
        #[source]
        source: MapError,
    },
    #[error("{} cannot be {done}", path.display())]
    File {
        path: PathBuf,
        done: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is no file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} cannot be written, and the erasure is {outcome}", path.display())]
    Unwritten {
        path: PathBuf,
        outcome: &'static str,
        /// The receipt, signed.
        text: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    #[error("the map does not cover the database: {} finding(s)", .0.len())]
    NotCovered(Vec<Finding>),
    #[error("no row leads to this person")]
    Nobody,
    #[error(transparent)]
    Key(#[from] KeyMismatch),
    #[error("the request's reference holds the person's key, and it stands in the receipt")]
    KeyInRequest,
    #[error(
        "a reference of a request has 1 to 64 of the signs A-Z, a-z, 0-9, `.`, `_` and `-`, a letter or digit first"
    )]
    Request,
    #[error("a legal basis has 1 to 200 signs, none of them a control character")]
    Basis,
    #[error("rows of {table} changed since they were planned: {planned} then, {found} now")]
    Changed { table: String, planned: u64, found: u64 },
    #[error("the plan is another one by now: sha256:{found}, and not sha256:{expected}")]
    OtherPlan { expected: String, found: String },
    #[error("the list of erasures has no entry of request {0}")]
    NoSuchRequest(String),
    #[error("no entry of the list of erasures is of database {0}")]
    NothingOfThis(String),
    #[error("whether the erasure took effect is not known: the connection was lost at its end")]
    Uncertain(#[source] Failure),
    #[error("migration {version} cannot be tried: {detail}")]
    Migration { version: String, detail: String },
    #[error(
        "migration {version} cannot be tried in a schema that the scripts of the folder make from nothing: {detail}"
    )]
    NoBase { version: String, detail: String },
    #[error("some migrations are pending, and there is no place to try them")]
    NoScratch,
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ops(Box<OpsError>),
}

impl From<OpsError> for SubjectError {
    fn from(error: OpsError) -> Self {
        Self::Ops(Box::new(error))
    }
}
