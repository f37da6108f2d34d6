//! What is wrong with the folder of a tool.

use std::fmt;

/// What is wrong with a folder. Texts of files are not repeated, but for names and identifiers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("`{file}` cannot be read as {language}: line {line}")]
    Syntax { file: String, language: &'static str, line: usize },
    #[error("`{file}` does not say its {what} as a plain value, and is not run to find out")]
    Unresolved { file: String, what: &'static str },
    #[error("`{first}` and `{second}` are both called `{id}`")]
    Duplicate { id: String, first: String, second: String },
    #[error("`{id}` stands on `{missing}`, and no file is called so")]
    MissingParent { id: String, missing: String },
    #[error("`{file}` names `{named}`, and no file of the folder is there")]
    MissingFile { file: String, named: String },
    #[error("`{file}` declares a document type, and is not read")]
    DocumentType { file: String },
    #[error("`{file}` is nested too deeply or has too many parts, and is not read")]
    TooDeep { file: String },
    #[error("these stand on one another: {}", Ids(.0))]
    Cycle(Vec<String>),
    #[error("nothing stands on any of these, and a database can follow only one: {}", Ids(.0))]
    SeveralHeads(Vec<String>),
    #[error("`{id}` has {length} characters, and the table takes {limit}")]
    LongIdentifier { id: String, length: usize, limit: usize },
    #[error("the {what} in `{file}` has {length} bytes, and greffe takes {limit}")]
    LongText { file: String, what: &'static str, length: usize, limit: usize },
}

impl Fault {
    /// Cuts what it repeats of files.
    pub(super) fn shorten(&mut self) {
        let cut = |text: &mut String| {
            if let Some((end, _)) = text.char_indices().nth(200) {
                text.truncate(end);
                text.push('…');
            }
        };
        match self {
            Self::Duplicate { id, .. } | Self::LongIdentifier { id, .. } => cut(id),
            Self::MissingParent { id, missing } => [id, missing].into_iter().for_each(cut),
            Self::MissingFile { named, .. } => cut(named),
            Self::Cycle(ids) | Self::SeveralHeads(ids) => ids.iter_mut().for_each(cut),
            Self::Syntax { .. }
            | Self::Unresolved { .. }
            | Self::DocumentType { .. }
            | Self::TooDeep { .. }
            | Self::LongText { .. } => {}
        }
    }
}

struct Ids<'a>(&'a [String]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, id) in self.0.iter().enumerate() {
            write!(f, "{}`{id}`", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
