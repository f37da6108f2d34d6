//! What scripts stand on: it is there, comes before them, and does not stand on them.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::rules::{DEPENDENCY_CYCLE, DEPENDENCY_LATER, DEPENDENCY_MISSING};
use crate::scripts::tools::{Fault, Graph};

/// How many scripts of a circle are named.
const NAMED: usize = 5;

/// A script, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub file: String,
    /// Identifiers of others, as they are written.
    pub stands_on: Vec<String>,
}

/// Dependencies of scripts that are applied in the order of their versions, whatever they stand on. `same`: the
/// identifier by which others are known that are written otherwise, such as `7` and `007`.
#[must_use]
pub fn judge(nodes: &[Node], same: impl Fn(&str) -> String) -> Vec<Finding> {
    let places: BTreeMap<String, usize> =
        nodes.iter().enumerate().map(|(place, node)| (same(&node.id), place)).collect();
    let (mut findings, mut graph) = (Vec::new(), Graph::default());
    for (place, node) in nodes.iter().enumerate() {
        let mut known = Vec::new();
        for name in &node.stands_on {
            let id = same(name);
            match places.get(&id) {
                None => {
                    let message = format!("`{}` stands on `{name}`, and no script is called so", node.id);
                    findings.push(Finding::of_file(&DEPENDENCY_MISSING, &*node.file, message));
                }
                Some(other) => {
                    if *other > place {
                        let message = format!("`{}` stands on `{name}`, which is applied after it", node.id);
                        findings.push(Finding::of_file(&DEPENDENCY_LATER, &*node.file, message));
                    }
                    known.push(id);
                }
            }
        }
        graph.add(&same(&node.id), &known, &[]);
    }
    findings.extend(circle(&graph).map(|circle| {
        let file = circle.first().and_then(|id| Some(&nodes.get(*places.get(*id)?)?.file));
        in_circle(file.map(String::as_str).unwrap_or_default(), &circle)
    }));
    findings
}

/// One circle of the graph, as scripts of which each stands on the next one and the last on the first.
#[must_use]
pub fn circle(graph: &Graph) -> Option<Vec<&str>> {
    let stuck = graph.faults().into_iter().find_map(|fault| match fault {
        Fault::Cycle(ids) => Some(ids),
        _ => None,
    })?;
    let stuck: BTreeSet<String> = stuck.into_iter().collect();
    // Each that is stuck stands on another one that is, so that this walk comes back to where it was.
    let next = |id: &str| graph.parents(id).find(|parent| stuck.contains(*parent));
    let (mut walked, mut seen) = (Vec::new(), BTreeMap::new());
    let mut at = next(stuck.first()?)?;
    loop {
        if let Some(start) = seen.insert(at, walked.len()) {
            let mut circle = walked.split_off(start);
            let least = circle.iter().zip(0..).min().map_or(0, |(_, place)| place);
            circle.rotate_left(least);
            return Some(circle);
        }
        walked.push(at);
        at = next(at)?;
    }
}

/// The finding about scripts that stand on one another.
#[must_use]
pub fn in_circle(file: &str, ids: &[&str]) -> Finding {
    let named: Vec<String> = ids.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
    let more = match ids.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => format!(" and {more} more"),
        None => String::new(),
    };
    let message = match ids {
        [id] => format!("`{id}` stands on itself"),
        _ => format!("these stand on one another: {}{more}", named.join(", ")),
    };
    Finding::of_file(&DEPENDENCY_CYCLE, file, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, stands_on: &[&str]) -> Node {
        let stands_on = stands_on.iter().map(|id| (*id).to_owned()).collect();
        Node { id: id.to_owned(), file: format!("{id}_a.sql"), stands_on }
    }

    fn number(id: &str) -> String {
        id.trim_start_matches('0').to_owned()
    }

    fn found(nodes: &[Node]) -> Vec<(&'static str, String)> {
        judge(nodes, number).into_iter().map(|finding| (finding.rule.id, finding.file)).collect()
    }

    #[test]
    fn dependencies_are_there_and_before() {
        assert_eq!(found(&[node("1", &[]), node("02", &["1"]), node("3", &["2", "01"])]), []);
        assert_eq!(
            found(&[node("1", &["7"]), node("2", &[])]),
            [("greffe/dependency-missing", "1_a.sql".to_owned())]
        );
        assert_eq!(
            found(&[node("1", &["2"]), node("2", &[])]),
            [("greffe/dependency-later", "1_a.sql".to_owned())]
        );
    }

    #[test]
    fn circles_are_told_by_their_own_members() {
        let findings = judge(&[node("1", &["1"])], number);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].message, "`1` stands on itself");
        let findings = judge(&[node("1", &["2"]), node("2", &["1"]), node("3", &["2"])], number);
        let circles: Vec<_> =
            findings.iter().filter(|finding| finding.rule.id == "greffe/dependency-cycle").collect();
        assert_eq!(circles.len(), 1);
        assert_eq!(circles[0].message, "these stand on one another: `1`, `2`");
    }

    #[test]
    fn a_circle_of_ten_thousand_is_told_in_a_line() {
        let nodes: Vec<Node> = (1..=10_000_u32)
            .map(|id| node(&id.to_string(), &[&(if id == 1 { 10_000 } else { id - 1 }).to_string()]))
            .collect();
        let findings = judge(&nodes, number);
        let circle = findings.iter().find(|finding| finding.rule.id == "greffe/dependency-cycle").unwrap();
        assert!(
            circle.message.ends_with(" and 9995 more") && circle.message.len() < 200,
            "{}",
            circle.message
        );
        assert_eq!(findings.len(), 2);
    }
}
