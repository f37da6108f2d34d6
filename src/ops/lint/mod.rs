//! Judges migration scripts by rules before anything runs: folders of greffe's own and of other tools.
//!
//! | file | what it is |
//! |---|---|
//! | `folder` | reads a folder as whoever applies it does, and says what is wrong with it |
//! | `faults` | what is wrong with a folder, as findings |
//! | `judge` | asks the rules about each script |
//! | [`packs`] | asks policy packs about each script |
//! | [`report`] | which findings count, how much, and which are waived |
//! | [`trial`] | runs ways up and down on a scratch database |
//! | `compared` | what differs between schemas |

mod compared;
mod faults;
mod folder;
mod judge;
pub mod packs;
pub mod report;
pub mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use folder::Unit;
pub use judge::nearest_rule;
pub use packs::{Checked, check_packs, pack_rules};
pub use report::{Report, Told};

use crate::ops::policy::SharedPolicy;
use crate::scripts::lint::{Finding, Levels};
use crate::scripts::tools::folder::FolderError as ToolFolderError;
use crate::scripts::{Dialect, FolderError, Waiver};

/// What is to be judged, and how.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Folders of scripts, and files of such.
    pub paths: Vec<PathBuf>,
    /// The project's own folder of scripts: files below it are judged as a part of it.
    pub home: Option<PathBuf>,
    /// The tool whose folders they are; `None`: as the files tell.
    pub tool: Option<String>,
    /// What the scripts are written in; `None`: as they look.
    pub dialect: Option<Dialect>,
    pub levels: Levels,
    /// The first version whose script is asked about: what came before was written under other rules.
    pub since: Option<String>,
    /// The day, as `2026-11-22`: waivers end by it.
    pub today: String,
    /// The policy packs in force.
    pub policy: Option<SharedPolicy>,
    /// The file in which findings stand that are about the project.
    pub settings_file: String,
}

/// Why nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    #[error("there is no file or folder `{}`", .0.display())]
    Missing(PathBuf),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    ToolFolder(#[from] ToolFolderError),
    #[error("greffe knows no tool `{0}`")]
    UnknownTool(String),
    #[error("`{}` may be a folder of {}", path.display(), names.join(" or of "))]
    SeveralTools { path: PathBuf, names: Vec<&'static str> },
    #[error("no script has the version `{0}`")]
    UnknownVersion(String),
    #[error("there is no thread to judge in")]
    NoThread(#[source] std::io::Error),
}

/// A folder that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// As it was named.
    pub path: PathBuf,
    /// The tool whose folder it is; `None` for greffe's own.
    pub tool: Option<&'static str>,
    pub dialect: Dialect,
    /// Whether somebody said what the scripts are written in.
    pub is_told: bool,
    /// Its scripts, in the order in which they are applied.
    pub units: Vec<Unit>,
    /// Files that were named, where not the whole folder was.
    pub only: Option<BTreeSet<String>>,
    findings: Vec<Finding>,
    waivers: BTreeMap<String, Vec<Waiver>>,
    /// Files of scripts that are older than the rules.
    exempt: BTreeSet<String>,
}

impl Looked {
    /// The files whose ways down are tried: those that were named, and are not older than the rules; `None` for all.
    #[must_use]
    pub fn asked(&self) -> Option<BTreeSet<String>> {
        if self.only.is_none() && self.exempt.is_empty() {
            return None;
        }
        let is_asked = |unit: &&Unit| {
            let named = |only: &BTreeSet<String>| only.contains(&unit.file) || only.contains(&unit.down_file);
            self.only.as_ref().is_none_or(named) && !self.exempt.contains(&unit.file)
        };
        Some(self.units.iter().filter(is_asked).map(|unit| unit.file.clone()).collect())
    }

    /// Files that were named and are no scripts, of which nothing is told otherwise.
    pub fn no_scripts(&self) -> impl Iterator<Item = &str> {
        let is_known = |file: &str| {
            self.units.iter().any(|unit| unit.file == file || unit.down_file == file)
                || self.findings.iter().any(|finding| finding.file == file)
        };
        self.only.iter().flatten().map(String::as_str).filter(move |file| !is_known(file))
    }

    /// Adds what a trial found.
    pub fn add(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
    }
}

/// Reads all folders and asks all rules that ask no database.
///
/// # Errors
/// [`LintError`], where there is nothing that could be judged.
pub fn lint(wanted: &Wanted) -> Result<Vec<Looked>, LintError> {
    let mut looked = Vec::new();
    for (path, only) in folders(wanted)? {
        let mut read = folder::read(&path, wanted)?;
        let findings = judge::judge(&read, wanted)?;
        read.findings.extend(findings);
        looked.push(Looked {
            exempt: exempt(&read.units, wanted.since.as_deref())?,
            tool: read.tool,
            dialect: read.dialect,
            is_told: wanted.dialect.is_some(),
            waivers: read.waivers,
            units: read.units,
            findings: read.findings,
            path,
            only,
        });
    }
    packs::add_findings(wanted, &mut looked);
    Ok(looked)
}

/// A folder, and the files of it that were named, where not the whole of it was.
type Place = (PathBuf, Option<BTreeSet<String>>);

/// The folders that are looked at, each once.
fn folders(wanted: &Wanted) -> Result<Vec<Place>, LintError> {
    let mut found: Vec<Place> = Vec::new();
    for path in &wanted.paths {
        let (folder, file) = if path.is_dir() {
            (path.clone(), None)
        } else if path.symlink_metadata().is_ok() {
            let folder = folder_of(path, wanted.home.as_deref());
            let file = path.strip_prefix(&folder).unwrap_or(path).to_owned();
            (folder.clone(), Some(folder::shown(&folder, &file.to_string_lossy())))
        } else {
            return Err(LintError::Missing(path.clone()));
        };
        match (found.iter_mut().find(|(other, _)| *other == folder), file) {
            (None, file) => found.push((folder, file.map(|file| BTreeSet::from([file])))),
            (Some((_, only)), None) => *only = None,
            (Some((_, Some(only))), Some(file)) => drop(only.insert(file)),
            (Some((_, None)), Some(_)) => {}
        }
    }
    Ok(found)
}

/// The folder that a file is a script of: the project's where it lies below that, else the one that it lies in.
fn folder_of(file: &Path, home: Option<&Path>) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match home {
        Some(home) if file.starts_with(home) => home.to_owned(),
        _ => parent.to_owned(),
    }
}

/// The files of the scripts before `since`.
fn exempt(units: &[Unit], since: Option<&str>) -> Result<BTreeSet<String>, LintError> {
    let Some(since) = since else { return Ok(BTreeSet::new()) };
    let first = units.iter().position(|unit| unit.is(since));
    let first = first.ok_or_else(|| LintError::UnknownVersion(since.to_owned()))?;
    let older = units.iter().take(first).flat_map(|unit| [unit.file.clone(), unit.down_file.clone()]);
    Ok(older.collect())
}
