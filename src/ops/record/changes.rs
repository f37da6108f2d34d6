//! What happened between two looks at a tool's history, as far as two looks can tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::scripts::tools::{Catalog, Entry};

/// What happened to a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    Applied,
    /// It was applied already, and ran once more.
    Again,
    Undone,
    Failed,
    /// Its row was written anew, and nothing ran: the tool remembers other bytes.
    Rewritten,
}

/// One script to which something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub id: String,
    pub happened: Happened,
    /// What the history says of it now; `None` where it is gone.
    pub entry: Option<Entry>,
}

/// What happened, in the order in which the tool's graph lets it happen: what was undone from its end, then the rest from
/// its beginning. What was done and undone between the looks is not seen.
#[must_use]
pub fn changes(catalog: &Catalog, before: &[Entry], after: &[Entry]) -> Vec<Change> {
    let order: HashMap<&str, usize> =
        catalog.scripts.iter().enumerate().map(|(place, script)| (script.id.as_str(), place)).collect();
    let place = |id: &str| order.get(id).copied().unwrap_or(usize::MAX);
    let (earlier, later) = (standings(before), standings(after));
    let is_applied = |standing: Option<&&Entry>| standing.is_some_and(|entry| entry.state.is_applied());
    let mut changed: Vec<Change> = Vec::new();
    let ids: BTreeSet<&str> = earlier.keys().chain(later.keys()).copied().collect();
    for id in ids {
        let (was, is) = (earlier.get(id), later.get(id));
        let happened = match (is_applied(was), is_applied(is)) {
            (false, true) => Happened::Applied,
            (true, false) if is.is_none() => Happened::Undone,
            (_, false) if is.is_some() && was != is => Happened::Failed,
            (true, true) if is_later(was, is) => Happened::Again,
            (true, true) if remembered(was) != remembered(is) => Happened::Rewritten,
            _ => continue,
        };
        changed.push(Change { id: id.to_owned(), happened, entry: is.map(|entry| (*entry).clone()) });
    }
    let (mut undone, mut rest): (Vec<Change>, Vec<Change>) =
        changed.into_iter().partition(|change| change.happened == Happened::Undone);
    undone.sort_by(|a, b| (place(&b.id), &b.id).cmp(&(place(&a.id), &a.id)));
    rest.sort_by(|a, b| (place(&a.id), &a.id).cmp(&(place(&b.id), &b.id)));
    undone.append(&mut rest);
    undone
}

/// Whether a tool says another time than before. What is only known from the archive says none.
fn is_later(was: Option<&&Entry>, is: Option<&&Entry>) -> bool {
    let at = |entry: Option<&&Entry>| entry.and_then(|entry| entry.at.clone());
    at(was).zip(at(is)).is_some_and(|(was, is)| was != is)
}

fn remembered<'a>(entry: Option<&&'a Entry>) -> Option<&'a str> {
    entry?.checksum.as_deref()
}

/// How each script stands; the last entry of a script counts.
fn standings(entries: &[Entry]) -> BTreeMap<&str, &Entry> {
    entries.iter().map(|entry| (entry.id.as_str(), entry)).collect()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::scripts::tools::{FolderFile, State, ToolScript};

    fn catalog(ids: &[&str]) -> Catalog {
        let script = |id: &&str| {
            let up = FolderFile { path: format!("{id}.sql"), bytes: Vec::new() };
            ToolScript::new((*id).to_owned(), None, up, None)
        };
        Catalog { scripts: ids.iter().map(script).collect(), faults: Vec::new() }
    }

    fn applied(ids: &[&str]) -> Vec<Entry> {
        ids.iter().map(|id| Entry::applied(*id)).collect()
    }

    fn told(catalog: &Catalog, before: &[Entry], after: &[Entry]) -> Vec<(String, Happened)> {
        changes(catalog, before, after).into_iter().map(|change| (change.id, change.happened)).collect()
    }

    #[test]
    fn scripts_come_in_the_order_of_the_graph_and_go_in_the_other() {
        let catalog = catalog(&["b", "a", "d", "c"]);
        let done = |id: &str, happened| (id.to_owned(), happened);
        let (none, all) = (applied(&[]), applied(&["a", "b", "c", "d", "x"]));
        let up = ["b", "a", "d", "c", "x"].map(|id| done(id, Happened::Applied));
        assert_eq!(told(&catalog, &none, &all), up);
        let down = ["x", "c", "d", "a", "b"].map(|id| done(id, Happened::Undone));
        assert_eq!(told(&catalog, &all, &none), down);
        let both = [done("d", Happened::Undone), done("a", Happened::Undone), done("c", Happened::Applied)];
        assert_eq!(told(&catalog, &applied(&["b", "a", "d"]), &applied(&["b", "c"])), both);
        assert_eq!(told(&catalog, &all, &all), []);
    }

    #[test]
    fn rows_that_say_something_else_are_told_apart() {
        let catalog = catalog(&["a", "b"]);
        let entry = |checksum: &str, state| Entry {
            checksum: Some(checksum.to_owned()),
            state,
            ..Entry::applied("a")
        };
        let one =
            |before: &[Entry], after: &[Entry]| told(&catalog, before, after).first().map(|(_, what)| *what);
        let (first, second) = (entry("1", State::Applied), entry("2", State::Applied));
        let failed = entry("1", State::Failed);
        assert_eq!(one(from_ref(&first), from_ref(&second)), Some(Happened::Rewritten));
        let again = Entry { at: Some("later".to_owned()), ..second.clone() };
        let earlier = Entry { at: Some("earlier".to_owned()), ..first.clone() };
        assert_eq!(one(&[earlier], from_ref(&again)), Some(Happened::Again));
        assert_eq!(one(from_ref(&first), &[again]), Some(Happened::Rewritten));
        let marked = entry("1", State::Marked);
        assert_eq!(
            [one(&[], from_ref(&marked)), one(&[marked], from_ref(&first))],
            [Some(Happened::Applied), None]
        );
        assert_eq!(one(&[], from_ref(&failed)), Some(Happened::Failed));
        assert_eq!(one(from_ref(&failed), from_ref(&failed)), None);
        assert_eq!(one(&[failed], &[first]), Some(Happened::Applied));
    }
}
