//! Changelogs in XML.

use super::changelog::{ChangeSet, Changelog, Include, IncludeAll, Item, Reference, is_plain};
use super::xml::{Broken, Element, read as read_xml};
use crate::scripts::tools::{Fault, FolderFile};

/// Elements of a changeset that change nothing themselves.
const SILENT: [&str; 5] = ["comment", "preConditions", "rollback", "validCheckSum", "modifySql"];

/// Reads a file; `None` where its outermost element is another one.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: &FolderFile) -> Result<Option<Changelog>, Fault> {
    let path = || file.path.clone();
    let broken = |broken| match broken {
        Broken::Syntax { line } => Fault::Syntax { file: path(), language: "XML", line },
        Broken::DocumentType => Fault::DocumentType { file: path() },
        Broken::TooDeep => Fault::TooDeep { file: path() },
    };
    let text = str::from_utf8(&file.bytes).map_err(|error| {
        let before = file.bytes.get(..error.valid_up_to()).unwrap_or_default();
        broken(Broken::Syntax { line: before.iter().filter(|byte| **byte == b'\n').count() + 1 })
    })?;
    let root = read_xml(text).map_err(broken)?;
    if root.name != "databaseChangeLog" {
        return Ok(None);
    }
    let logical = root.attribute("logicalFilePath").map(str::to_owned);
    let mut changelog = Changelog { logical, ..Changelog::default() };
    add(&mut changelog, &root, file);
    Ok(Some(changelog))
}

fn add(changelog: &mut Changelog, parent: &Element, file: &FolderFile) {
    for element in &parent.children {
        let item = match element.name.as_str() {
            "changeSet" => change_set(element, file).map(|set| Item::ChangeSet(Box::new(set))),
            "include" => {
                let logical = element.attribute("logicalFilePath").map(str::to_owned);
                reference(element, "file").map(|file| Item::Include(Include { file, logical }))
            }
            "includeAll" => include_all(element).map(Item::IncludeAll),
            "modifyChangeSets" => {
                add(changelog, element, file);
                continue;
            }
            _ => continue,
        };
        match item {
            Some(item) => changelog.items.push(item),
            None => {
                let what = if element.name == "changeSet" { "id" } else { "include" };
                changelog.faults.push(Fault::Unresolved { file: file.path.clone(), what });
            }
        }
    }
}

fn change_set(element: &Element, file: &FolderFile) -> Option<ChangeSet> {
    let plain = |name| element.attribute(name).filter(|value| is_plain(value)).map(str::to_owned);
    let comment = element.child("comment").map(|comment| comment.text.trim());
    let mut changes = element.children.iter().filter(|child| !SILENT.contains(&child.name.as_str()));
    let only = changes.next().filter(|_| changes.next().is_none());
    let script = only.filter(|only| only.name == "sqlFile").and_then(|only| reference(only, "path"));
    let back = element.child("rollback").and_then(|back| back.child("sqlFile"));
    Some(ChangeSet {
        id: plain("id")?,
        author: plain("author")?,
        logical: element.attribute("logicalFilePath").map(str::to_owned),
        comment: comment.filter(|comment| !comment.is_empty()).map(str::to_owned),
        bytes: file.bytes.get(element.range.clone())?.to_vec(),
        sql: None,
        script,
        back: back.and_then(|back| reference(back, "path")),
    })
}

fn include_all(element: &Element) -> Option<IncludeAll> {
    // Classes of the team's own decide which files there are, and in which order.
    if element.attribute("filter").or(element.attribute("resourceComparator")).is_some() {
        return None;
    }
    let depth = |name, none| element.attribute(name).map_or(Some(none), |value| value.parse().ok());
    Some(IncludeAll {
        folder: reference(element, "path")?,
        ending: element.attribute("endsWithFilter").map(str::to_owned),
        depth: (depth("minDepth", 0)?, depth("maxDepth", usize::MAX)?),
    })
}

fn reference(element: &Element, name: &str) -> Option<Reference> {
    let path = element.attribute(name).filter(|path| is_plain(path))?.to_owned();
    Some(Reference { path, relative: element.says("relativeToChangelogFile") })
}
