//! What differs between the schema before a way up and that after its way down, to the engine, and in words.

use crate::database::{Schema, SchemaDifference, sqlite};
use crate::scripts::lint::is_same_to_sqlite;

/// How many objects of a difference are named.
const NAMED: usize = 5;

/// What a schema has more, less and otherwise than the one before.
pub fn in_words(before: &Schema, found: &Schema) -> String {
    let differences = differences(before, found);
    let name = |change: &SchemaDifference| {
        let what = match (&change.before, &change.after) {
            (None, _) => "is still there",
            (_, None) => "is gone",
            _ => "is another one",
        };
        format!("{} {} {what}", change.object.kind, change.object.name)
    };
    let mut names: Vec<String> = differences.iter().take(NAMED).map(name).collect();
    if let Some(more) = differences.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// Those that are differences to SQLite: where it changes a table, it writes definitions anew that say the same.
pub fn told_by_sqlite(mut differences: Vec<SchemaDifference>) -> Vec<SchemaDifference> {
    let same = |one: &Option<String>, other: &Option<String>| {
        one.as_deref().zip(other.as_deref()).is_some_and(|(one, other)| is_same_line(one, other))
    };
    differences.retain(|change| !same(&change.before, &change.after));
    differences
}

/// What differs between two schemas, to the engine.
fn differences(before: &Schema, found: &Schema) -> Vec<SchemaDifference> {
    let differences = before.differences(found);
    if before.algorithm == sqlite::ALGORITHM { told_by_sqlite(differences) } else { differences }
}

/// Whether two lines of SQLite's canonical text, `[type, name, table, sql]`, say the same.
fn is_same_line(one: &str, other: &str) -> bool {
    let read = |line: &str| serde_json::from_str::<[Option<String>; 4]>(line).ok();
    let (Some([.., one]), Some([.., other])) = (read(one), read(other)) else { return false };
    is_same_to_sqlite(&one.unwrap_or_default(), &other.unwrap_or_default())
}
