//! Plans of which nothing tells what came of them.

use std::collections::{HashMap, HashSet};

use super::{Finding, Part};
use crate::model::{Cid, EventKind};
use crate::ops::Problem;
use crate::ops::told::Recorded;

/// What is known of a plan's outcome.
#[derive(Default)]
struct Outcome<'a> {
    ran: HashSet<&'a str>,
    /// A script failed, so that the rest did not run; or somebody said that the plan is given up.
    ended: bool,
}

/// Plans whose versions have no event that names the plan, though none of them failed and nobody gave the plan up.
pub fn without_outcome(entries: &[Recorded]) -> Vec<Finding> {
    let mut outcomes: HashMap<Cid, Outcome<'_>> = HashMap::new();
    for entry in entries {
        if let Some(plan) = entry.by_plan {
            let outcome = outcomes.entry(plan).or_default();
            outcome.ran.insert(&entry.version);
            outcome.ended |= entry.event == EventKind::Fail;
        }
        for about in &entry.attached {
            outcomes.entry(*about).or_default().ended = true;
        }
    }
    let none = Outcome::default();
    let unfinished = |entry: &Recorded| {
        let outcome = outcomes.get(&entry.manifest).unwrap_or(&none);
        let missing: Vec<String> =
            entry.planned.iter().filter(|version| !outcome.ran.contains(version.as_str())).cloned().collect();
        let found = !outcome.ended && !missing.is_empty();
        found.then(|| {
            Finding::new(
                [Part::Archive, Part::Database],
                Problem::PlanWithoutOutcome { seq: entry.seq, missing },
            )
        })
    };
    entries.iter().filter_map(unfinished).collect()
}
