//! What is wrong with a folder, as findings about its files.

use std::path::Path;

use super::folder::shown;
use crate::scripts::lint::Finding;
use crate::scripts::lint::graph::{circle, in_circle};
use crate::scripts::lint::rules::{
    DEPENDENCY_MISSING, DOWN_ALONE, FILE_NAME, IDENTIFIER_LENGTH, LINK, NOT_TEXT, NOT_UNDERSTOOD,
    SEVERAL_HEADS, UNREADABLE, VERSION_TWICE,
};
use crate::scripts::tools::plain::PlainError;
use crate::scripts::tools::{Catalog, Fault, Graph, Left};
use crate::scripts::{FolderError, TextError};

/// What is wrong with a file of greffe's own folder. The same texts as where it is applied.
pub fn of_folder(root: &Path, fault: &FolderError) -> Finding {
    let message = match fault {
        FolderError::Unreadable { source, .. } => format!("{fault}: {source}"),
        FolderError::Version { source, .. } => format!("{fault}: {source}"),
        _ => fault.to_string(),
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (rule, file) = match fault {
        FolderError::Missing { path }
        | FolderError::NotAFolder { path }
        | FolderError::Unreadable { path, .. } => (&UNREADABLE, name(path)),
        FolderError::FileName { path } => (&FILE_NAME, name(path)),
        FolderError::Version { file_name, .. } => (&FILE_NAME, file_name.clone()),
        FolderError::DownWithoutUp { file_name, .. } => (&DOWN_ALONE, file_name.clone()),
        FolderError::Mixed { up, .. } => (&VERSION_TWICE, up.clone()),
        FolderError::Duplicate { second, .. } => (&VERSION_TWICE, second.clone()),
        FolderError::TooLarge { file_name, .. } => (&UNREADABLE, file_name.clone()),
        FolderError::LinkOutside { file_name, .. } => (&LINK, file_name.clone()),
        FolderError::Text(TextError::NotUtf8 { file_name, .. } | TextError::Nul { file_name, .. }) => {
            (&NOT_TEXT, file_name.clone())
        }
    };
    Finding::of_file(rule, shown(root, &file), message)
}

/// The names of the files that a fault of greffe's own folder is about.
pub fn names_in(fault: &FolderError) -> Vec<String> {
    match fault {
        FolderError::Mixed { single, up, .. } => vec![single.clone(), up.clone()],
        FolderError::Duplicate { first, second, .. } => vec![first.clone(), second.clone()],
        other => {
            let shown = of_folder(Path::new(""), other).file;
            vec![shown.trim_start_matches('/').to_owned()]
        }
    }
}

/// A file or folder that was not read.
pub fn of_left(root: &Path, left: &Left) -> Finding {
    let file = shown(root, &left.path);
    match &left.why {
        Some(error) => Finding::of_file(&UNREADABLE, file, error.to_string()),
        None => Finding::of_file(&LINK, file, "it is a link, and links are not followed"),
    }
}

/// Why a script is not one that greffe can read as its tool does; `None` where it is simply no SQL.
pub fn of_plain(file: &str, error: &PlainError) -> Option<Finding> {
    match error {
        PlainError::NotSql { .. } | PlainError::Tool(_) => None,
        PlainError::Text(error) => Some(Finding::of_file(&NOT_TEXT, file, error.to_string())),
        other => Some(Finding::of_file(&NOT_UNDERSTOOD, file, other.to_string())),
    }
}

/// What is wrong with the folder of a tool.
pub fn of_catalog(root: &Path, catalog: &Catalog) -> Vec<Finding> {
    catalog.faults.iter().filter_map(|fault| of_fault(root, catalog, fault)).collect()
}

fn of_fault(root: &Path, catalog: &Catalog, fault: &Fault) -> Option<Finding> {
    let file_of = |id: &str| {
        let found = catalog.scripts.iter().find(|script| script.id == id);
        found.map_or_else(|| root.display().to_string(), |script| shown(root, &script.up.path))
    };
    let finding = |rule, file: String| Finding::of_file(rule, file, fault.to_string());
    Some(match fault {
        Fault::Syntax { file, line, .. } => finding(&NOT_UNDERSTOOD, shown(root, file)).at((*line, 1)),
        Fault::Unresolved { file, .. }
        | Fault::DocumentType { file }
        | Fault::TooDeep { file }
        | Fault::LongText { file, .. } => finding(&NOT_UNDERSTOOD, shown(root, file)),
        Fault::Duplicate { second, .. } => finding(&VERSION_TWICE, shown(root, second)),
        Fault::MissingParent { id, .. } => finding(&DEPENDENCY_MISSING, file_of(id)),
        Fault::MissingFile { file, .. } => finding(&DEPENDENCY_MISSING, shown(root, file)),
        Fault::SeveralHeads(ids) => {
            let first = ids.first()?;
            let more = ids.len().saturating_sub(2);
            let second = ids.get(1).map(|id| format!(" and `{id}`")).unwrap_or_default();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let message =
                format!("nothing stands on `{first}`{second}{more}, and a database can follow only one");
            Finding::of_file(&SEVERAL_HEADS, file_of(first), message)
        }
        Fault::LongIdentifier { id, .. } => finding(&IDENTIFIER_LENGTH, file_of(id)),
        Fault::Cycle(_) => {
            let mut graph = Graph::default();
            for script in &catalog.scripts {
                graph.add(&script.id, &script.stands_on, &[]);
            }
            let ids = circle(&graph)?;
            in_circle(&file_of(ids.first()?), &ids)
        }
    })
}
