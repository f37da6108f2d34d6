//! Looks through files and folders for personal data and secrets, and classifies the statements of scripts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::privacy::{Finding, Rules, scan_name, scan_with, text_of};
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
    /// As it was given, or below the folder that was given; what the name itself gives away is masked.
    pub file: String,
    /// The highest class of its statements, for SQL alone; without a dialect, see [`class_of_text`].
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
    /// As [`Scanned::file`].
    pub file: String,
    pub reason: Reason,
}

/// Why something was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// Links in folders are not followed.
    #[serde(rename = "symbolic link")]
    Link,
    /// A pipe, a socket or a device in a folder.
    #[serde(rename = "no file")]
    NoFile,
    /// The same that was named.
    #[serde(rename = "neither file nor folder")]
    Named,
    #[serde(rename = "too deep")]
    TooDeep,
    #[serde(rename = "too large")]
    TooLarge,
    #[serde(rename = "cannot be read")]
    Unreadable,
}

impl Reason {
    /// Whether something may stand there that ought to have been read.
    #[must_use]
    pub fn is_gap(self) -> bool {
        !matches!(self, Self::Link | Self::NoFile)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Link => "symbolic link",
            Self::NoFile => "no file",
            Self::Named => "neither file nor folder",
            Self::TooDeep => "too deep",
            Self::TooLarge => "too large",
            Self::Unreadable => "cannot be read",
        })
    }
}

/// Why a scan cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// What was asked for is not there.
    #[error("there is no file or folder `{}`", path.display())]
    Missing { path: PathBuf },
    /// More files than one run looks at.
    #[error("there are more than {FILES} files")]
    TooMany,
}

/// Scans all sources in their order, folders by the names in them, each file once. No symbolic link inside of a folder
/// is followed. What cannot be read is told, and does not end the scan.
pub fn scan(sources: Vec<Source>, dialect: Option<Dialect>, rules: &Rules) -> Result<Report, ScanError> {
    let mut scan =
        Scan { dialect, rules, report: Report::default(), seen: HashSet::new(), root: PathBuf::new() };
    for source in sources {
        match source {
            Source::Bytes(name, bytes) => scan.bytes(name, Vec::new(), &bytes, true),
            Source::Path(path) => scan.named(&path)?,
        }
    }
    Ok(scan.report)
}

struct Scan<'a> {
    dialect: Option<Dialect>,
    rules: &'a Rules,
    report: Report,
    /// Files that were read, by the path that leads to them.
    seen: HashSet<PathBuf>,
    /// What was said about where to look; nothing of it is judged where it begins at the root of the disk.
    root: PathBuf,
}

impl Scan<'_> {
    fn named(&mut self, path: &Path) -> Result<(), ScanError> {
        self.root = match path {
            path if path.is_absolute() && path.is_dir() => path.to_owned(),
            path if path.is_absolute() => path.parent().unwrap_or(path).to_owned(),
            _ => PathBuf::new(),
        };
        match fs::metadata(path) {
            Ok(kind) if kind.is_dir() => self.folder(path, 0),
            Ok(kind) if kind.is_file() => self.file(path, true),
            // A pipe would be waited for.
            Ok(_) => {
                self.skip(path, Reason::Named);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ScanError::Missing { path: path.to_owned() })
            }
            Err(_) => {
                self.skip(path, Reason::Unreadable);
                Ok(())
            }
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), ScanError> {
        if depth >= DEPTH {
            self.skip(path, Reason::TooDeep);
            return Ok(());
        }
        let entries =
            fs::read_dir(path).and_then(|entries| entries.take(FILES + 1).collect::<io::Result<Vec<_>>>());
        let Ok(mut entries) = entries else {
            self.skip(path, Reason::Unreadable);
            return Ok(());
        };
        if entries.len() > FILES {
            return Err(ScanError::TooMany);
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            match entry.file_type() {
                Err(_) => self.skip(&entry.path(), Reason::Unreadable),
                Ok(kind) if kind.is_symlink() => self.skip(&entry.path(), Reason::Link),
                Ok(kind) if kind.is_dir() => {
                    if !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                        self.folder(&entry.path(), depth + 1)?;
                    }
                }
                Ok(kind) if kind.is_file() => self.file(&entry.path(), false)?,
                Ok(_) => self.skip(&entry.path(), Reason::NoFile),
            }
        }
        Ok(())
    }

    /// `named`: it was asked for itself.
    fn file(&mut self, path: &Path, named: bool) -> Result<(), ScanError> {
        if self.report.files.len() >= FILES {
            return Err(ScanError::TooMany);
        }
        if !self.seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_LIMIT + 1).read_to_end(&mut bytes));
        if read.is_err() {
            self.skip(path, Reason::Unreadable);
        } else if bytes.len() as u64 > FILE_LIMIT {
            self.skip(path, Reason::TooLarge);
        } else {
            let is_sql = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
            let (shown, of_name) = self.told(path);
            self.bytes(shown, of_name, &bytes, is_sql || named && self.dialect.is_some());
        }
        Ok(())
    }

    fn bytes(&mut self, file: String, of_name: Vec<Finding>, bytes: &[u8], is_sql: bool) {
        let class = is_sql.then(|| class_of(bytes, self.dialect));
        let findings = of_name.into_iter().chain(scan_with(bytes, &file, self.rules)).collect();
        self.report.files.push(Scanned { file, class, findings });
    }

    fn skip(&mut self, path: &Path, reason: Reason) {
        let file = self.told(path).0;
        self.report.skipped.push(Skipped { file, reason });
    }

    /// A path as it is told: what it gives away is masked, and found in the first line of its file.
    fn told(&self, path: &Path) -> (String, Vec<Finding>) {
        let shown = path.display().to_string();
        let judged = path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let start = shown.len().saturating_sub(judged.len());
        let (mut masked, mut found) = (shown.get(..start).unwrap_or_default().to_owned(), Vec::new());
        let mut at = 0;
        // `a@b.fr.sql` is an address and an extension; `a@b.fr` has none.
        let extension = path.extension().map_or(0, |extension| extension.len() + 1);
        let stem = judged.get(..judged.len().saturating_sub(extension)).unwrap_or_default();
        let of_stem = scan_name(stem);
        let found_in_name = if of_stem.is_empty() { scan_name(&judged) } else { of_stem };
        for (range, finding) in found_in_name {
            if finding.rule == "home-directory" {
                continue;
            }
            masked.push_str(judged.get(at..range.start).unwrap_or_default());
            masked.extend(std::iter::repeat_n('*', finding.length));
            at = range.end;
            found.push(Finding { line: 1, column: 1, length: 1, ..finding });
        }
        masked.push_str(judged.get(at..).unwrap_or_default());
        (masked, found)
    }
}

/// The highest class of the statements; bytes that are no text cannot be understood.
fn class_of(bytes: &[u8], dialect: Option<Dialect>) -> Class {
    let text = text_of(bytes);
    let known =
        matches!(text, Cow::Borrowed(_)) || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let class = class_of_text(dialect, &text);
    if known { class } else { class.max(Class::Unknown) }
}

impl Report {
    /// How many findings there are.
    #[must_use]
    pub fn findings(&self) -> usize {
        self.files.iter().map(|file| file.findings.len()).sum()
    }

    /// How much was left out that ought to have been read.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.skipped.iter().filter(|skipped| skipped.reason.is_gap()).count()
    }
}
