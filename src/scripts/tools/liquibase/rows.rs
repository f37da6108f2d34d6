//! Rows of the table, by the names that changesets have here.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::walk::plain_path;
use super::{called, identifier};
use crate::scripts::tools::{Catalog, Entry, Row, State};

/// How many rows are looked at to find where paths begin.
const SAMPLE: usize = 1000;

/// What the rows say, one entry each.
pub fn entries(catalog: &Catalog, rows: &[Row]) -> Vec<Entry> {
    let rows: Vec<Named> = rows.iter().filter_map(Named::of).collect();
    let known: HashSet<&str> = catalog.scripts.iter().map(|script| script.id.as_str()).collect();
    let begin = Begin::of(catalog, &rows);
    let entry = |row: &Named| {
        let as_it_is = identifier(&row.path, row.id, row.author);
        let id = match known.contains(as_it_is.as_str()) {
            true => as_it_is,
            false => identifier(&begin.apply(&row.path), row.id, row.author),
        };
        let state = match row.kind {
            "FAILED" => State::Failed,
            "MARK_RAN" | "SKIPPED" => State::Marked,
            _ => State::Applied,
        };
        Entry { id, checksum: row.checksum.clone(), at: row.at.clone(), state }
    };
    rows.iter().map(entry).collect()
}

struct Named<'a> {
    id: &'a str,
    author: &'a str,
    path: String,
    at: Option<String>,
    kind: &'a str,
    checksum: Option<String>,
}

impl<'a> Named<'a> {
    fn of(row: &'a Row) -> Option<Self> {
        let [id, author, path, at, kind, checksum] = row.as_slice() else { return None };
        let path = plain_path(path.as_deref()?);
        let (id, author, kind) = (id.as_deref()?, author.as_deref()?, kind.as_deref().unwrap_or_default());
        Some(Self { id, author, path, at: at.clone(), kind, checksum: checksum.clone() })
    }
}

/// Where the table's paths begin: Liquibase may have been started above the folder that is looked at, or below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Begin {
    /// What the table's paths begin with, and those here do not.
    more: String,
    /// The other way round.
    less: String,
}

impl Begin {
    /// The beginning that makes scripts of the most rows.
    fn of(catalog: &Catalog, rows: &[Named]) -> Self {
        let mut paths: HashMap<&str, Vec<(&str, bool)>> = HashMap::new();
        for script in &catalog.scripts {
            if let Some((path, rest)) = script.id.split_once("::") {
                paths.entry(rest).or_default().push((path, path == script.up.path));
            }
        }
        let mut votes: BTreeMap<Self, usize> = BTreeMap::new();
        for row in rows.iter().take(SAMPLE) {
            let rest = called(row.id, row.author);
            for (path, is_a_file) in paths.get(rest.as_str()).into_iter().flatten().take(SAMPLE) {
                let more = row.path.strip_suffix(*path).filter(|more| more.is_empty() || more.ends_with('/'));
                let less = path.strip_suffix(&row.path).filter(|less| less.is_empty() || less.ends_with('/'));
                let begin = match (more, less) {
                    // A path that is only a name begins nowhere.
                    (Some(""), _) if !is_a_file => continue,
                    (Some(more), _) => Self { more: more.to_owned(), less: String::new() },
                    (None, Some(less)) => Self { more: String::new(), less: less.to_owned() },
                    (None, None) => continue,
                };
                *votes.entry(begin).or_default() += 1;
            }
        }
        // Of beginnings with the same votes the shortest one.
        let key = |(begin, votes): &(Self, usize)| (*votes, usize::MAX - begin.more.len() - begin.less.len());
        votes.into_iter().rev().max_by_key(key).map(|(begin, _)| begin).unwrap_or_default()
    }

    fn apply(&self, path: &str) -> String {
        format!("{}{}", self.less, path.strip_prefix(&self.more).unwrap_or(path))
    }
}
