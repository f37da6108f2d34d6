//! A person's data in the application's database: what is there, a copy of it, and its erasure. Nothing is done while
//! the map does not cover the schema.

pub mod check;
pub mod erase;
mod error;
pub mod export;
mod held;
pub mod list;
pub mod mark;
pub mod paper;
pub mod receipt;
pub mod replay;
mod value;

use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

pub use error::SubjectError;

use crate::crypto::Digest;
use crate::database::people::{Detach, People, Person, Purpose, Rows};
use crate::database::{Database, DatabaseError, Target as _};
use crate::model::{Engine, Relation, ValueKind};
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
        // To open a pipe would wait for somebody to write into it.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(SubjectError::NotAFile(path.to_owned()));
        }
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

/// A map that covers the tables of a database, and what follows.
pub struct Covered {
    pub relations: Vec<Relation>,
    pub plan: Plan,
    /// What keys of people are.
    key: ValueKind,
}

impl Covered {
    /// Reads the schema and holds it against the map.
    ///
    /// # Errors
    /// [`SubjectError::NotCovered`]; those of the database.
    pub async fn read(database: &mut Database, file: &MapFile) -> Result<Self, SubjectError> {
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
        let key = column.map_or(ValueKind::Other, |column| column.kind);
        let plan = Plan::of(&file.map, &relations);
        Ok(Self { relations, plan, key })
    }

    /// A person by their key.
    ///
    /// # Errors
    /// [`SubjectError::Key`].
    pub fn person(&self, key: &str) -> Result<Person, SubjectError> {
        Ok(Person::parse(key, self.key)?)
    }

    /// A transaction over the person's rows.
    async fn people<'a>(
        &'a self,
        database: &'a mut Database,
        person: &'a Person,
        purpose: Purpose,
    ) -> Result<People<'a>, DatabaseError> {
        database.people(&self.relations, person, purpose).await
    }
}

/// What a plan does to a person's rows, in its order.
#[derive(Clone, Debug)]
pub struct Planned {
    pub lines: Vec<Line>,
    /// Digest of the lines, the map and the database. The key is not in it: it could be guessed from it.
    pub digest: Digest,
}

/// How many rows there are of a person, table by table, in the order of the plan.
///
/// # Errors
/// [`SubjectError::Nobody`]; as [`Covered::read`].
pub async fn find(
    database: &mut Database,
    file: &MapFile,
    place: &Place,
    key: &str,
) -> Result<Planned, SubjectError> {
    let covered = Covered::read(database, file).await?;
    let person = covered.person(key)?;
    let lines = find_covered(database, &covered, &person).await?;
    let digest = plan_digest(file, place, &lines);
    Ok(Planned { lines, digest })
}

fn plan_digest(file: &MapFile, place: &Place, lines: &[Line]) -> Digest {
    let text = serde_json::json!({ "map": file.digest.to_prefixed(), "database": place, "tables": lines });
    Digest::of(text.to_string().as_bytes())
}

/// As [`find`].
///
/// # Errors
/// [`SubjectError::Nobody`]; those of the database.
pub async fn find_covered(
    database: &mut Database,
    covered: &Covered,
    person: &Person,
) -> Result<Vec<Line>, SubjectError> {
    let mut people = covered.people(database, person, Purpose::Read).await?;
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
            None => people.count(&step.table, &Rows::LeadingBy(&step.paths)).await?,
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
