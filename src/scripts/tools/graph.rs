//! Scripts and what each of them stands on.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;

/// Who stands on whom. Nodes are the identifiers that a tool's table has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    parents: BTreeMap<String, BTreeSet<String>>,
    /// Parents in the line of succession alone: what merely has to be applied before is no line.
    lines: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Adds a script that succeeds `line` and also needs `needs`.
    pub fn add(&mut self, id: &str, line: &[String], needs: &[String]) {
        let all = line.iter().chain(needs).cloned().collect();
        self.parents.insert(id.to_owned(), all);
        self.lines.insert(id.to_owned(), line.iter().cloned().collect());
    }

    /// Each script after all that it stands on; those that may come in any order, by their identifiers. Scripts in a
    /// cycle and those behind them are left out.
    #[must_use]
    pub fn order(&self) -> Vec<&str> {
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, parents) in &self.parents {
            let known = parents.iter().filter(|parent| self.parents.contains_key(*parent));
            waiting.insert(id, known.clone().count());
            for parent in known {
                children.entry(parent).or_default().push(id);
            }
        }
        let mut ready: BTreeSet<&str> =
            waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
        let mut order = Vec::with_capacity(self.parents.len());
        while let Some(id) = ready.pop_first() {
            order.push(id);
            for child in children.get(id).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(child) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(child);
                    }
                }
            }
        }
        order
    }

    /// What a script stands on.
    pub fn parents(&self, id: &str) -> impl Iterator<Item = &str> {
        self.parents.get(id).into_iter().flatten().map(String::as_str)
    }

    /// Scripts that no other one succeeds.
    #[must_use]
    pub fn heads(&self) -> Vec<&str> {
        let succeeded: BTreeSet<&str> = self.lines.values().flatten().map(String::as_str).collect();
        self.lines.keys().map(String::as_str).filter(|id| !succeeded.contains(id)).collect()
    }

    /// These scripts and all that they stand on; what is not in the graph is kept.
    #[must_use]
    pub fn closure<'a>(&'a self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut next: Vec<&str> = ids.into_iter().collect();
        while let Some(id) = next.pop() {
            if found.insert(id) {
                next.extend(self.parents.get(id).into_iter().flatten().map(String::as_str));
            }
        }
        found
    }

    /// Parents that are nowhere, and cycles.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (id, parents) in &self.parents {
            let missing = parents.iter().filter(|parent| !self.parents.contains_key(*parent));
            faults.extend(
                missing.map(|missing| Fault::MissingParent { id: id.clone(), missing: missing.clone() }),
            );
        }
        let ordered: BTreeSet<&str> = self.order().into_iter().collect();
        let stuck: Vec<String> =
            self.parents.keys().filter(|id| !ordered.contains(id.as_str())).cloned().collect();
        if !stuck.is_empty() {
            faults.push(Fault::Cycle(stuck));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str], &[&str])]) -> Graph {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let mut graph = Graph::default();
        for (id, line, needs) in edges {
            graph.add(id, &owned(line), &owned(needs));
        }
        graph
    }

    #[test]
    fn a_branch_that_is_merged_has_one_head_and_an_order() {
        let graph =
            graph(&[("d", &["b", "c"], &[]), ("b", &["a"], &[]), ("c", &["a"], &[]), ("a", &[], &[])]);
        assert_eq!(graph.order(), ["a", "b", "c", "d"]);
        assert_eq!(graph.heads(), ["d"]);
        assert_eq!(graph.closure(["b"]), BTreeSet::from(["a", "b"]));
        assert_eq!(graph.faults(), []);
    }

    #[test]
    fn what_is_needed_is_applied_and_succeeds_nothing() {
        let graph = graph(&[("a", &[], &[]), ("b", &[], &["a"]), ("c", &["b"], &[])]);
        assert_eq!(graph.heads(), ["a", "c"]);
        assert_eq!(graph.closure(["c"]), BTreeSet::from(["a", "b", "c"]));
        assert_eq!(graph.closure(["nowhere"]), BTreeSet::from(["nowhere"]));
    }

    #[test]
    fn missing_parents_and_cycles_are_told_and_hide_nothing() {
        let graph = graph(&[
            ("a", &["gone"], &[]),
            ("b", &["c"], &[]),
            ("c", &["b"], &[]),
            ("d", &["c"], &[]),
            ("e", &["a"], &[]),
        ]);
        assert_eq!(graph.order(), ["a", "e"]);
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(
            graph.faults(),
            [
                Fault::MissingParent { id: "a".to_owned(), missing: "gone".to_owned() },
                Fault::Cycle(ids(&["b", "c", "d"]))
            ]
        );
    }
}
