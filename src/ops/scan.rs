//! Looks through files and folders for personal data and secrets, and classifies the statements of scripts.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::privacy::{Finding, Rules, scan_with};
use crate::scripts::{Class, Dialect, class_of_text};

/// The largest file that is read, in bytes.
pub const FILE_LIMIT: u64 = 64 * 1024 * 1024;
/// Files of one run.
pub const FILES: usize = 100_000;
/// Folders in folders.
const DEPTH: usize = 64;
/// Folders that hold what tools made.
const SKIPPED: [&str; 4] = [".git", "node_modules", "target", ".venv"];

/// What is scanned.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, or a folder with all that is in it.
    Path(PathBuf),
    /// Bytes that were read already, under the name that they are told by.
    Bytes(String, Vec<u8>),
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// As it was given, or below the folder that was given.
    pub file: String,
    /// The highest class of its statements, for SQL alone; without a dialect, of all three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    pub findings: Vec<Finding>,
}

/// All files in their order, and what was left out.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub files: Vec<Scanned>,
    /// What was not read, and why.
    pub skipped: Vec<Skipped>,
}

/// A file or folder that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub file: String,
    pub reason: &'static str,
}

/// Why a scan cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// What was asked for is not there.
    #[error("there is no file or folder `{}`", path.display())]
    Missing { path: PathBuf },
    /// A file or folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file that was named is larger than is read.
    #[error("`{}` has more than {FILE_LIMIT} bytes", path.display())]
    TooLarge { path: PathBuf },
    /// More files than one run looks at.
    #[error("there are more than {FILES} files")]
    TooMany,
}

/// Scans all sources in their order, folders by the names in them. No symbolic link inside of a folder is followed.
pub fn scan(sources: Vec<Source>, dialect: Option<Dialect>, rules: &Rules) -> Result<Report, ScanError> {
    let mut report = Report::default();
    for source in sources {
        match source {
            Source::Bytes(name, bytes) => report.files.push(scanned(name, &bytes, dialect, rules, true)),
            Source::Path(path) => {
                let kind = fs::metadata(&path).map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound => ScanError::Missing { path: path.clone() },
                    _ => ScanError::Read { path: path.clone(), source },
                })?;
                if kind.is_dir() {
                    folder(&path, 0, dialect, rules, &mut report)?;
                } else {
                    file(&path, dialect, rules, &mut report, true)?;
                }
            }
        }
    }
    Ok(report)
}

fn folder(
    path: &Path,
    depth: usize,
    dialect: Option<Dialect>,
    rules: &Rules,
    report: &mut Report,
) -> Result<(), ScanError> {
    if depth >= DEPTH {
        report.skip(path, "too deep");
        return Ok(());
    }
    let failed = |source| ScanError::Read { path: path.to_owned(), source };
    let mut entries =
        fs::read_dir(path).map_err(failed)?.take(FILES + 1).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if entries.len() > FILES {
        return Err(ScanError::TooMany);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_symlink() {
            report.skip(&entry.path(), "symbolic link");
        } else if kind.is_dir() {
            if !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                folder(&entry.path(), depth + 1, dialect, rules, report)?;
            }
        } else if kind.is_file() {
            file(&entry.path(), dialect, rules, report, false)?;
        } else {
            report.skip(&entry.path(), "no file");
        }
    }
    Ok(())
}

/// `named`: it was asked for itself, so it cannot be left out.
fn file(
    path: &Path,
    dialect: Option<Dialect>,
    rules: &Rules,
    report: &mut Report,
    named: bool,
) -> Result<(), ScanError> {
    if report.files.len() >= FILES {
        return Err(ScanError::TooMany);
    }
    let failed = |source| ScanError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_LIMIT {
        if named {
            return Err(ScanError::TooLarge { path: path.to_owned() });
        }
        report.skip(path, "too large");
        return Ok(());
    }
    let is_sql = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
    report.files.push(scanned(
        path.display().to_string(),
        &bytes,
        dialect,
        rules,
        is_sql || dialect.is_some(),
    ));
    Ok(())
}

fn scanned(file: String, bytes: &[u8], dialect: Option<Dialect>, rules: &Rules, is_sql: bool) -> Scanned {
    let class = is_sql.then(|| class_of(bytes, dialect));
    let findings = scan_with(bytes, &file, rules);
    Scanned { file, class, findings }
}

/// The highest class of the statements; bytes that are no text cannot be understood.
fn class_of(bytes: &[u8], dialect: Option<Dialect>) -> Class {
    let Ok(text) = str::from_utf8(bytes) else { return Class::Unknown };
    class_of_text(dialect, text)
}

impl Report {
    /// How many findings there are.
    #[must_use]
    pub fn findings(&self) -> usize {
        self.files.iter().map(|file| file.findings.len()).sum()
    }

    fn skip(&mut self, path: &Path, reason: &'static str) {
        self.skipped.push(Skipped { file: path.display().to_string(), reason });
    }
}
