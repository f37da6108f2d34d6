//! Compares archive, folder and database with one another, pair by pair. Reads only; [`record_drift`] is the one
//! that appends what was found of the schema.

mod folder;
mod history;
mod plans;
mod record;

use serde::Serialize;

use self::history::Compared;
use super::plan::{Plan, Problem, Wanted, plan};
use super::session::require_same_chain;
use super::told::{SchemaLeft, Told};
use super::{ChainReader, OpsError, Project};
use crate::codec::sealed::ContentKeys;
use crate::crypto::Digest;
use crate::database::{DamagedRow, DatabaseError, History, HistoryRow, SchemaDifference, Target};
use crate::model::Cid;
use crate::scripts::{Difference, Migration, read_folder};
use crate::store::ArchiveError;

pub use record::record_drift;

/// What an audit found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    pub name: String,
    /// The archive's head; `None` without an archive.
    pub head: Option<Cid>,
    /// Number of its entries.
    pub entries: Option<u64>,
    /// Whether there is a database.
    pub database: bool,
    /// Versions that the folder has and that are not applied.
    pub pending: Vec<String>,
    /// Events that the next run will archive first.
    pub unarchived: usize,
    /// Sealed scripts of applied versions that could not be opened here; the history alone says what they were.
    pub not_compared: usize,
    /// Manifests of which a file was opened.
    #[serde(skip)]
    pub opened: Vec<Cid>,
    /// Manifest 0; `None` without an archive.
    #[serde(skip)]
    pub chain: Option<Cid>,
    pub findings: Vec<Finding>,
}

/// What is compared. The database speaks by its history and by its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Archive,
    Folder,
    Database,
}

/// Two parts that differ.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub between: [Part; 2],
    /// How a script differs from its archived copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    #[serde(flatten)]
    pub problem: Problem,
}

impl Finding {
    fn new(between: [Part; 2], problem: Problem) -> Self {
        Self { between, difference: None, problem }
    }
}

/// The archive, with the keys of what is sealed in it as far as they are at hand.
struct Archived<'a> {
    reader: &'a ChainReader,
    keys: Option<&'a dyn ContentKeys>,
}

/// What the database says.
struct Live {
    rows: Vec<HistoryRow>,
    damaged: Vec<DamagedRow>,
    /// Rows that are as they should be, but for what is kept of them until they are archived.
    unkept: Vec<DamagedRow>,
    /// Not asked for where nothing was ever run.
    schema: Option<(&'static str, Digest)>,
    /// What no fingerprint shows.
    own: Vec<SchemaDifference>,
}

impl Live {
    async fn look<T: Target>(target: &mut T, told: &Told) -> Result<Self, OpsError> {
        let (rows, damaged) = target.history_with_damage().await?;
        let mut unkept = Vec::new();
        for row in rows.iter().filter(|row| row.archived.is_none()) {
            match target.unarchived(row.position - 1, 1).await {
                Err(DatabaseError::HistoryDamaged { position, detail }) if position == row.position => {
                    unkept.push(DamagedRow { position, detail });
                }
                // One of another row is told with that row; a table of an older greffe cannot be asked.
                Ok(_) | Err(DatabaseError::HistoryDamaged { .. }) => {}
                Err(error) if error.is_of_older_history() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let expected = told.schema.is_some() || !rows.is_empty();
        let schema = if expected { Some(target.fingerprint().await?) } else { None };
        let own = target.own_differences().await?;
        Ok(Self { rows, damaged, unkept, schema, own })
    }
}

/// Looks. `target`: `None` when the database does not exist.
///
/// # Errors
/// Those of folder, database and archive, where one of them cannot be read.
pub async fn audit<T: Target>(
    project: &Project,
    target: Option<&mut T>,
    wanted: &Wanted,
) -> Result<Audit, OpsError> {
    let folder = read_folder(&project.migrations)?;
    let reader = open_archive(project)?;
    let keyring = match &reader {
        Some(reader) => project.keyring_at_hand(&reader.root()).await?,
        None => None,
    };
    let keys = keyring.as_ref().map(|keyring| keyring as &dyn ContentKeys);
    let told = reader.as_ref().map(|reader| Told::read(reader, keys)).transpose()?;
    let nothing = Told::default();
    let story = told.as_ref().unwrap_or(&nothing);
    let live = match target {
        Some(target) => Some(Live::look(target, story).await?),
        None => None,
    };
    let rows = live.as_ref().map(|live| live.rows.as_slice()).unwrap_or_default();
    let damaged = live.as_ref().map(|live| live.damaged.as_slice()).unwrap_or_default();
    let history = History::of(rows);
    let compared = history::compare(rows, damaged, &history, told.as_ref(), live.is_some());
    let mut findings = compared.findings.clone();
    let unkept = live.as_ref().map(|live| live.unkept.as_slice()).unwrap_or_default();
    findings.extend(unkept.iter().map(history::of_damage));
    if let Some(reader) = &reader {
        let order = !wanted.allow_out_of_order;
        findings.extend(folder::compare_with_archive(
            project.dialect,
            &folder,
            &Archived { reader, keys },
            story,
            order,
        )?);
    }
    let Plan { problems, .. } = plan(project.dialect, &folder, &history, wanted);
    findings.extend(folder::compare_with_history(&folder, &history, story, problems));
    findings.extend(live.as_ref().and_then(|live| drifted(live, &history, story, &compared)));
    findings.extend(live.iter().flat_map(|live| &live.own).map(hidden));
    findings.extend(plans::without_outcome(&story.entries));
    Ok(Audit {
        name: project.name.to_string(),
        head: reader.as_ref().map(ChainReader::head),
        entries: told.as_ref().map(|told| told.entries.len() as u64),
        database: live.is_some(),
        pending: pending(&folder, &history, story),
        unarchived: history.unarchived,
        not_compared: story.unopened(),
        opened: story.opened(),
        chain: reader.as_ref().map(ChainReader::root),
        findings,
    })
}

/// The archive; `None` when there is none.
fn open_archive(project: &Project) -> Result<Option<ChainReader>, OpsError> {
    let reader = match ChainReader::open(&project.archive, &project.name) {
        Ok(reader) => reader,
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => return Ok(None),
        Err(error) => return Err(error),
    };
    reader.require_end()?;
    require_same_chain(project, reader.root())?;
    Ok(Some(reader))
}

fn pending(folder: &[Migration], history: &History, told: &Told) -> Vec<String> {
    let known = |version: &String| {
        history.applied.contains_key(version)
            || history.half_applied.contains_key(version)
            || told.applied.contains_key(version)
    };
    let versions = folder.iter().map(|migration| migration.version.to_string());
    versions.filter(|version| !known(version)).collect()
}

/// A schema that is not the one which the newest event left. Where the archive lacks events of the database, or has
/// more than it, the history says which one that is.
fn drifted(live: &Live, history: &History, told: &Told, compared: &Compared) -> Option<Finding> {
    let expected = if compared.in_step { &told.schema } else { &history.schema };
    let (expected, found) = differing(expected, live.schema?)?;
    Some(Finding::new([Part::Archive, Part::Database], Problem::Drifted { expected, found }))
}

/// What stands among greffe's own objects, or is one of them and was changed.
fn hidden(difference: &SchemaDifference) -> Finding {
    let SchemaDifference { object, before: expected, after: found } = difference.clone();
    let problem = Problem::OwnObject { object_kind: object.kind, name: object.name, expected, found };
    Finding::new([Part::Archive, Part::Database], problem)
}

/// Both fingerprints, where one algorithm says that they differ.
fn differing(expected: &SchemaLeft, found: (&'static str, Digest)) -> Option<(Digest, Digest)> {
    let (algorithm, expected) = expected.as_ref()?;
    (algorithm == found.0 && *expected != found.1).then_some((*expected, found.1))
}
