//! Columns of the tables that a text creates, for rows that do not name them.

use std::collections::HashMap;

use super::columns::trim;
use super::pattern::{Pattern, pattern};
use super::reader::Reader;
use crate::scripts::meaning::Meaning;

static CREATE: Pattern =
    Pattern::new(|| pattern(r"(?i-u)\bcreate\s+(?:[a-z]+\s+){0,2}table\s+(?:if\s+not\s+exists\s+)?"));
/// Tables of one text, and columns of one table, that are kept.
const TABLES: usize = 10_000;
const COLUMNS: usize = 512;

/// By the last part of a table's name, in small letters.
pub(super) struct Tables(HashMap<Vec<u8>, Vec<Option<Meaning>>>);

impl Tables {
    /// Reads all that are created.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut tables = HashMap::new();
        let mut from = 0;
        while let Some(found) = CREATE.find_at(text, from) {
            let mut reader = Reader { text, at: found.end() };
            let table = last_part(reader.name());
            reader.skip();
            if reader.peek() == Some(b'(') && tables.len() < TABLES {
                let parts = reader.group();
                let names = parts.into_iter().map(|part| first_word(&text[part]));
                let columns = names.filter(|name| !is_constraint(name)).take(COLUMNS);
                tables.insert(table, columns.map(|name| Meaning::of(trim(name))).collect());
            }
            from = reader.at.max(found.end());
        }
        Self(tables)
    }

    /// What the columns of a table mean, where it was created in this text.
    pub(super) fn meanings(&self, table: &[u8]) -> Option<Vec<Option<Meaning>>> {
        self.0.get(&last_part(table)).cloned()
    }
}

fn last_part(name: &[u8]) -> Vec<u8> {
    trim(name.rsplit(|byte| *byte == b'.').next().unwrap_or_default()).to_ascii_lowercase()
}

/// The name that a definition begins with, behind comments.
fn first_word(part: &[u8]) -> &[u8] {
    let mut reader = Reader { text: part, at: 0 };
    reader.skip();
    reader.name()
}

fn is_constraint(word: &[u8]) -> bool {
    const WORDS: [&str; 12] = [
        "PRIMARY",
        "UNIQUE",
        "CONSTRAINT",
        "FOREIGN",
        "CHECK",
        "KEY",
        "INDEX",
        "EXCLUDE",
        "LIKE",
        "FULLTEXT",
        "SPATIAL",
        "PERIOD",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}
