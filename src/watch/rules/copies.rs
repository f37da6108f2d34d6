//! Findings of replicas and witnesses: what they were given, keep and show.

use std::collections::BTreeMap;

use crate::model::Timestamp;
use crate::ops::gossip::{Gossip, Standing};
use crate::ops::look::Look;
use crate::ops::replicate::ReplicaState;
use crate::watch::{Code, Finding};

/// A run delivers its head before it ends; what is owed for longer than this was left, in microseconds.
const GRACE: i64 = 60_000_000;

/// What is known of replicas.
pub struct Copies<'a> {
    pub states: &'a [ReplicaState],
    /// Why each does not answer, by name.
    pub silent: &'a BTreeMap<String, String>,
    /// How many have to keep the head; 0: all.
    pub required: usize,
    /// The end of the newest entry.
    pub newest: Timestamp,
    pub now: Timestamp,
}

impl Copies<'_> {
    /// Whether a replica has the head and can be asked for it.
    #[must_use]
    pub fn keeps(&self, state: &ReplicaState) -> bool {
        state.current && !self.silent.contains_key(&state.name)
    }

    /// Whether a run may still be about to bring it the head.
    fn is_under_way(&self, state: &ReplicaState) -> bool {
        let age = self.now.as_microseconds().saturating_sub(self.newest.as_microseconds());
        !state.current && state.failure.is_none() && age < GRACE
    }

    /// How many have to keep the head.
    #[must_use]
    pub const fn target(&self) -> usize {
        if self.required == 0 { self.states.len() } else { self.required }
    }
}

/// Who is owed the head, who does not answer, and whether that are too many.
#[must_use]
pub fn of_copies(copies: &Copies<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, reason) in copies.silent {
        findings.push(Finding::new(Code::ReplicaUnreachable, name.as_str()).with("reason", reason.as_str()));
    }
    for state in copies.states.iter().filter(|state| !state.current && !copies.is_under_way(state)) {
        let finding = Finding::new(Code::UndeliveredHead, state.name.as_str());
        findings.push(match &state.failure {
            Some(failure) => finding.with("reason", failure.as_str()),
            None => finding,
        });
    }
    let keeps = |state: &&ReplicaState| {
        copies.keeps(state) || copies.is_under_way(state) && !copies.silent.contains_key(&state.name)
    };
    let (target, keep) = (copies.target(), copies.states.iter().filter(keeps).count());
    if keep < target {
        findings.push(
            Finding::new(Code::ReplicationBelowTarget, "head").with("keep", keep).with("target", target),
        );
    }
    findings
}

/// What a look at every block found.
#[must_use]
pub fn of_looks(looks: &[Look]) -> Vec<Finding> {
    let wrong = looks.iter().filter(|look| look.is_finding());
    let finding = |look: &Look| {
        let holding = look.holding.map_or("unknown", crate::ops::look::word);
        Finding::new(Code::ReplicaDiffers, look.name.as_str())
            .with("holding", holding)
            .with("missing", look.missing.unwrap_or(0))
            .with("blocks", look.blocks)
    };
    wrong.map(finding).collect()
}

/// What others show of the chain. Who is silent or behind is no finding here: they are owed the head, or cosign later.
#[must_use]
pub fn of_gossip(gossip: &Gossip) -> Vec<Finding> {
    let mut findings: Vec<Finding> = gossip
        .forks
        .iter()
        .map(|fork| Finding::new(Code::Fork, format!("{} and {}", fork.first, fork.second)))
        .collect();
    for voice in &gossip.voices {
        let code = match voice.standing {
            // It shows more than the archive has.
            Standing::Ahead | Standing::AheadUnproved => Code::Rollback,
            Standing::AnotherChain | Standing::Unsigned => Code::ReplicaDiffers,
            Standing::Unreachable => Code::ReplicaUnreachable,
            Standing::Same | Standing::Behind | Standing::Forked | Standing::Silent => continue,
        };
        let mut finding = Finding::new(code, voice.name.as_str());
        if let Some(entries) = voice.entries {
            finding = finding.with("shows", entries).with("entries", gossip.entries);
        }
        if let Some(reason) = &voice.reason {
            finding = finding.with("reason", reason.as_str());
        }
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, current: bool) -> ReplicaState {
        ReplicaState {
            name: name.to_owned(),
            url: String::new(),
            head: None,
            at: None,
            current,
            delivered: 0,
            ahead: false,
            remedy: None,
            failure: None,
        }
    }

    #[test]
    fn who_lacks_the_head_is_told_when_the_run_is_over() {
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * 1_000_000).unwrap();
        let states = [state("a", true), state("b", false), state("c", true)];
        let silent = BTreeMap::from([("c".to_owned(), "gone".to_owned())]);
        let codes = |required, now| {
            let copies = Copies { states: &states, silent: &silent, required, newest: at(0), now: at(now) };
            of_copies(&copies).iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        let (gone, owed) = (Code::ReplicaUnreachable, Code::UndeliveredHead);
        assert_eq!(codes(2, 59), [gone]);
        assert_eq!(codes(0, 59), [gone, Code::ReplicationBelowTarget]);
        assert_eq!(codes(1, 60), [gone, owed]);
        assert_eq!(codes(2, 60), [gone, owed, Code::ReplicationBelowTarget]);
        assert_eq!(codes(0, 60), [gone, owed, Code::ReplicationBelowTarget]);
    }
}
