//! Changelogs in YAML and JSON.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use serde_saphyr::Spanned;

use super::changelog::{ChangeSet, Changelog, Include, IncludeAll, Item, Reference, is_plain};
use crate::scripts::tools::{Fault, FolderFile};

/// How many values a file may have.
const NODES: usize = 500_000;

#[derive(Deserialize)]
struct Yaml {
    #[serde(rename = "databaseChangeLog", default)]
    items: Option<Vec<Spanned<Value>>>,
}

#[derive(Deserialize)]
struct Json<'a> {
    #[serde(rename = "databaseChangeLog", borrow)]
    items: Vec<&'a RawValue>,
}

/// Reads a file of YAML.
///
/// # Errors
/// What is wrong with it.
pub fn read_yaml(file: &FolderFile) -> Result<Option<Changelog>, Fault> {
    let syntax = |line| Fault::Syntax { file: file.path.clone(), language: "YAML", line };
    let text = str::from_utf8(&file.bytes).map_err(|_| syntax(1))?;
    let budget = serde_saphyr::budget! {
        max_documents: 1,
        max_aliases: 1_000,
        max_depth: 64,
        max_nodes: NODES,
        max_events: 3 * NODES,
        max_inclusion_depth: 0,
        max_total_scalar_bytes: file.bytes.len(),
    };
    // Identifiers are read as Liquibase does, by YAML 1.1.
    let options = serde_saphyr::options! { budget: budget, legacy_octal_numbers: true, with_snippet: false };
    let read: Result<Yaml, _> = serde_saphyr::from_str_with_options(text, options);
    let items = read.map_err(|error| {
        syntax(error.location().and_then(|place| usize::try_from(place.line()).ok()).unwrap_or(1))
    })?;
    let items = items.items.unwrap_or_default();
    let start = |item: &Spanned<Value>| {
        let offset = item.referenced.span().byte_offset()?;
        usize::try_from(offset).ok()
    };
    let starts: Option<Vec<usize>> = items.iter().map(start).collect();
    let starts = starts.ok_or_else(|| syntax(1))?;
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let parts = starts.iter().zip(ends).map(|(start, end)| text.get(*start..end).map_or("", alone));
    Ok(Some(changelog(file, items.iter().map(|item| &item.value).zip(parts))))
}

/// Reads a file of JSON; `None` where it is no changelog.
///
/// # Errors
/// What is wrong with it.
pub fn read_json(file: &FolderFile) -> Result<Option<Changelog>, Fault> {
    let syntax = |error: &serde_json::Error| Fault::Syntax {
        file: file.path.clone(),
        language: "JSON",
        line: error.line(),
    };
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&file.bytes);
    let read: Json<'_> = serde_json::from_slice(bytes).map_err(|error| syntax(&error))?;
    let parts: Vec<&str> = read.items.iter().map(|raw| raw.get()).collect();
    let values: Result<Vec<Value>, _> = parts.iter().map(|part| serde_json::from_str(part)).collect();
    let values = values.map_err(|error| syntax(&error))?;
    Ok(Some(changelog(file, values.iter().zip(parts))))
}

/// An item of a list without what stands before the next one.
fn alone(part: &str) -> &str {
    let mut part = part.trim_end();
    part = part.strip_suffix(['-', ',']).unwrap_or(part).trim_end();
    while let Some((before, last)) = part.rsplit_once('\n')
        && last.trim_start().starts_with('#')
    {
        part = before.trim_end();
    }
    part
}

fn changelog<'a>(file: &FolderFile, items: impl Iterator<Item = (&'a Value, &'a str)>) -> Changelog {
    let mut changelog = Changelog::default();
    for (value, part) in items {
        if let Some(logical) = text(value, "logicalFilePath") {
            changelog.logical = Some(logical);
            continue;
        }
        let (item, what) = if let Some(set) = value.get("changeSet") {
            (change_set(set, part).map(|set| Item::ChangeSet(Box::new(set))), "id")
        } else if let Some(include) = value.get("include") {
            let logical = text(include, "logicalFilePath");
            (reference(include, "file").map(|file| Item::Include(Include { file, logical })), "include")
        } else if let Some(all) = value.get("includeAll") {
            (include_all(all).map(Item::IncludeAll), "include")
        } else {
            continue;
        };
        match item {
            Some(item) => changelog.items.push(item),
            None => changelog.faults.push(Fault::Unresolved { file: file.path.clone(), what }),
        }
    }
    changelog
}

fn change_set(set: &Value, part: &str) -> Option<ChangeSet> {
    let plain = |name| text(set, name).filter(|value| is_plain(value));
    let changes = set.get("changes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let script = match changes {
        [only] => only.get("sqlFile").and_then(|file| reference(file, "path")),
        _ => None,
    };
    let rollback = set.get("rollback");
    let back = match rollback.and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => Some(only),
        Some(_) => None,
        None => rollback,
    };
    Some(ChangeSet {
        id: plain("id")?,
        author: plain("author")?,
        logical: text(set, "logicalFilePath"),
        comment: text(set, "comment").filter(|comment| !comment.is_empty()),
        bytes: part.as_bytes().to_vec(),
        sql: None,
        script,
        back: back.and_then(|back| reference(back.get("sqlFile")?, "path")),
    })
}

fn include_all(all: &Value) -> Option<IncludeAll> {
    // Classes of the team's own decide which files there are, and in which order.
    if all.get("filter").or(all.get("resourceComparator")).is_some() {
        return None;
    }
    let depth = |name, none| text(all, name).map_or(Some(none), |value| value.parse().ok());
    Some(IncludeAll {
        folder: reference(all, "path")?,
        ending: text(all, "endsWithFilter"),
        depth: (depth("minDepth", 0)?, depth("maxDepth", usize::MAX)?),
    })
}

fn reference(value: &Value, name: &str) -> Option<Reference> {
    let path = text(value, name).filter(|path| is_plain(path))?;
    let relative =
        text(value, "relativeToChangelogFile").is_some_and(|says| says.eq_ignore_ascii_case("true"));
    Some(Reference { path, relative })
}

/// A plain value, as Java writes it.
fn text(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(says) => Some(says.to_string()),
        _ => None,
    }
}
