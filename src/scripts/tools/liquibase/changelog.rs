//! What one changelog says, whatever it is written in.

use super::formatted::Formatted;
use super::{formatted, marked_up, values};
use crate::scripts::tools::listed::mentions;
use crate::scripts::tools::{Fault, FolderFile};

/// One file with changesets, or one that says where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changelog {
    /// The path that its changesets are known by, where it is not the file's own.
    pub logical: Option<String>,
    pub items: Vec<Item>,
    /// What in it cannot be known.
    pub faults: Vec<Fault>,
}

/// What stands in a changelog, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    ChangeSet(Box<ChangeSet>),
    Include(Include),
    IncludeAll(IncludeAll),
}

/// One changeset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    pub id: String,
    pub author: String,
    /// The path that it is known by, where it is not its changelog's.
    pub logical: Option<String>,
    pub comment: Option<String>,
    /// Its part of the file, as it stands there.
    pub bytes: Vec<u8>,
    /// What its checksum is made of; `None` for changes that are not written as SQL.
    pub sql: Option<Formatted>,
    /// The file with its SQL, where it has nothing but one.
    pub script: Option<Reference>,
    /// The file with its way back.
    pub back: Option<Reference>,
}

/// A file or a folder that a changelog names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    pub path: String,
    /// Whether it is looked for beside the changelog.
    pub relative: bool,
}

/// One further changelog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Include {
    pub file: Reference,
    pub logical: Option<String>,
}

/// All changelogs of a folder, by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncludeAll {
    pub folder: Reference,
    /// What the names of its files end with.
    pub ending: Option<String>,
    /// How deep below the folder its files lie; those right in it have 1.
    pub depth: (usize, usize),
}

/// Reads a file; `None` where it is no changelog.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: &FolderFile) -> Result<Option<Changelog>, Fault> {
    let end = file.name().rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match end.as_str() {
        "sql" if formatted::is_formatted(&file.bytes) => Ok(Some(formatted::read(file))),
        "xml" if is_named(file) => marked_up::read(file),
        "yaml" | "yml" if is_named(file) => values::read_yaml(file),
        "json" if is_named(file) => values::read_json(file),
        _ => Ok(None),
    }
}

/// Whether a file looks like a changelog; it is not read.
pub fn is_changelog(file: &FolderFile) -> bool {
    let name = file.name();
    match name.rsplit('.').next().unwrap_or_default() {
        "sql" => formatted::is_formatted(&file.bytes),
        "xml" | "yaml" | "yml" | "json" => is_named(file),
        _ => false,
    }
}

fn is_named(file: &FolderFile) -> bool {
    mentions(file, "databaseChangeLog")
}

/// Whether a value is one, and not what a property of elsewhere makes of it.
pub fn is_plain(value: &str) -> bool {
    !value.contains("${")
}
