//! How each script that another tool applies stands: by the tool's table, and since which entry.

use std::collections::BTreeMap;

use super::look::Look;
use crate::ops::status::{Line, State};
use crate::ops::told::Told;
use crate::ops::{ChainReader, OpsError};
use crate::scripts::tools::{Catalog, Entry};

/// A line for each script, in the order of the tool's graph, then for each row that no script belongs to. `reader`: the
/// archive, where there is one.
///
/// # Errors
/// Those of the archive.
pub fn standing(reader: Option<&ChainReader>, catalog: &Catalog, look: &Look) -> Result<Vec<Line>, OpsError> {
    let told = reader.map(|reader| Told::read(reader, None)).transpose()?.unwrap_or_default();
    let history: BTreeMap<&str, &Entry> =
        look.entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    let line = |id: &str, name: Option<String>, state: State| {
        let standing = told.applied.get(id).filter(|_| matches!(state, State::Applied | State::Missing));
        let seq = standing.map(|standing| standing.seq);
        let entry = seq.and_then(|seq| told.entries.get(usize::try_from(seq).ok()?));
        let finished_at = entry.map(|entry| entry.finished_at);
        Line { version: id.to_owned(), name, state, seq, finished_at }
    };
    let of_script = catalog.scripts.iter().map(|script| {
        let state = match history.get(script.id.as_str()) {
            Some(entry) if entry.state.is_applied() => State::Applied,
            Some(_) => State::HalfApplied,
            None => State::Pending,
        };
        line(&script.id, script.name.clone(), state)
    });
    let others = history.keys().filter(|id| catalog.script(id).is_none());
    Ok(of_script.chain(others.map(|id| line(id, None, State::Missing))).collect())
}
