//! A person's data in the application's database: what is there, a copy of it, and its erasure. Nothing is done while
//! the map does not cover the schema.

pub mod check;
pub mod erase;
mod error;
pub mod export;
pub mod list;
pub mod receipt;
pub mod replay;
mod value;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::SubjectError;

use crate::crypto::Digest;
use crate::database::people::{Detach, People, Person, Purpose};
use crate::database::{Database, DatabaseError, Target as _};
use crate::model::{Engine, Relation};
use crate::privacy::subject::map::MAP_LIMIT;
use crate::privacy::subject::{MapError, Plan, Step, SubjectMap, Task, coverage};

/// A map as it was read.
#[derive(Clone, Debug)]
pub struct MapFile {
    pub map: SubjectMap,
    /// The file's name, as receipts call it.
    pub name: String,
    pub digest: Digest,
}

impl MapFile {
    /// Reads a map.
    ///
    /// # Errors
    /// [`SubjectError::File`]; [`SubjectError::Map`].
    pub fn read(path: &Path) -> Result<Self, SubjectError> {
        let failed = |source| SubjectError::File { path: path.to_owned(), done: "read", source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAP_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let wrong = |source| SubjectError::Map { path: path.to_owned(), source };
        let text = str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64;
            wrong(MapError::Yaml { line, column: 0, detail: "it is not UTF-8".to_owned() })
        })?;
        let map = SubjectMap::parse(text).map_err(wrong)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { map, name, digest: Digest::of(&bytes) })
    }
}

/// The database, as receipts and lists call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub name: String,
    pub engine: Engine,
}

/// What a plan does to one table, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub table: String,
    pub action: &'static str,
    pub rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}

/// A map that covers the tables of a database, and what follows for one person.
pub struct Covered {
    pub relations: Vec<Relation>,
    pub plan: Plan,
    person: Person,
}

impl Covered {
    /// Reads the schema and holds it against the map.
    ///
    /// # Errors
    /// [`SubjectError::NotCovered`]; [`SubjectError::Key`]; those of the database.
    pub async fn read(database: &mut Database, file: &MapFile, key: &str) -> Result<Self, SubjectError> {
        let relations = database.relations().await?;
        let findings = coverage(&file.map, &relations);
        if !findings.is_empty() {
            return Err(SubjectError::NotCovered(findings));
        }
        let person = &file.map.person;
        let column = relations
            .iter()
            .find(|relation| relation.name == person.table)
            .and_then(|relation| relation.column(&person.column));
        let kind = column.map_or(crate::model::ValueKind::Other, |column| column.kind);
        let plan = Plan::of(&file.map, &relations);
        Ok(Self { relations, plan, person: Person::parse(key, kind)? })
    }

    /// A transaction over the person's rows.
    async fn people<'a>(
        &'a self,
        database: &'a mut Database,
        purpose: Purpose,
    ) -> Result<People<'a>, DatabaseError> {
        database.people(&self.relations, &self.person, purpose).await
    }
}

/// How many rows there are of a person, table by table, in the order of the plan.
///
/// # Errors
/// [`SubjectError::Nobody`]; as [`Covered::read`].
pub async fn find(database: &mut Database, file: &MapFile, key: &str) -> Result<Vec<Line>, SubjectError> {
    let covered = Covered::read(database, file, key).await?;
    find_covered(database, &covered).await
}

/// As [`find`].
///
/// # Errors
/// [`SubjectError::Nobody`]; those of the database.
pub async fn find_covered(database: &mut Database, covered: &Covered) -> Result<Vec<Line>, SubjectError> {
    let mut people = covered.people(database, Purpose::Read).await?;
    let counted = count(&mut people, &covered.plan).await;
    people.rollback().await;
    let lines = counted?;
    if lines.iter().all(|line| line.rows == 0) {
        return Err(SubjectError::Nobody);
    }
    Ok(lines)
}

async fn count(people: &mut People<'_>, plan: &Plan) -> Result<Vec<Line>, DatabaseError> {
    let mut lines = Vec::new();
    for step in &plan.steps {
        let rows = match detach_of(step) {
            Some(detach) => people.detach(&detach, true).await?,
            None => people.count(&step.table, &step.paths).await?,
        };
        lines.push(line_of(step, rows));
    }
    Ok(lines)
}

fn line_of(step: &Step, rows: u64) -> Line {
    Line { table: step.table.clone(), action: action_of(&step.task), rows, basis: step.basis.clone() }
}

fn action_of(task: &Task) -> &'static str {
    match task {
        Task::Detach { .. } => "detach",
        Task::Delete => "delete",
        Task::Anonymise(_) => "anonymise",
        Task::Flag(_) => "flag",
        Task::Keep => "keep",
    }
}

fn detach_of(step: &Step) -> Option<Detach<'_>> {
    let Task::Detach { columns, unset, parent, parent_columns } = &step.task else { return None };
    Some(Detach { table: &step.table, columns, unset, parent, parent_columns, paths: &step.paths })
}

/// The database as it is called in `settings`.
#[must_use]
pub fn place_of(database: &Database, name: &str) -> Place {
    Place { name: name.to_owned(), engine: database.identity().engine }
}

/// Writes a new file of mode 0600, durably.
///
/// # Errors
/// [`SubjectError::Exists`]; [`SubjectError::File`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), SubjectError> {
    crate::store::create_file(path, bytes, 0o600).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => SubjectError::Exists(path.to_owned()),
        _ => SubjectError::File { path: path.to_owned(), done: "written", source },
    })
}

/// `path`, or the first of `name-2.json`, `name-3.json` … that is not there yet.
#[must_use]
pub fn free_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = (2..10_000_u32).map(|number| path.with_file_name(format!("{stem}-{number}.json")));
    let mut names = std::iter::once(path.to_owned()).chain(numbered);
    names.find(|name| !name.exists()).unwrap_or_else(|| path.to_owned())
}
