//! Plans of a chain: who made them, who approved them, and what policy packs said before they ran.

use std::collections::{BTreeMap, HashMap};

use super::super::chain::{Entry, read_entry};
use super::super::source::Source;
use super::lines::{Chain, Line, Slot};
use crate::chain::{JudgedApprovals, POLICY_FACTS, judge_approvals};
use crate::model::{Cid, Details, EventKind, JudgedRule, PlanDetails, Role};
use crate::policy::packs::Facts;
use crate::report::{Counted, Waived};

/// The plans by their manifests.
#[derive(Default)]
pub struct Plans(HashMap<Cid, Plan>);

/// One plan.
pub struct Plan {
    pub seq: u64,
    pub details: PlanDetails,
    pub approvals: JudgedApprovals,
    /// How many were needed: by the plan, and by the trust document in force there.
    pub needed: u32,
    /// Waivers by version, from what the packs were asked about.
    waivers: BTreeMap<String, Vec<Waived>>,
}

impl Plans {
    /// Reads all of them. One that cannot be read is told by its entry.
    pub fn read(source: &mut Source, chain: &Chain) -> Self {
        let manifests: Vec<(u64, Cid)> = chain
            .slots
            .iter()
            .filter_map(|slot| match slot {
                Slot::Read(line) if line.event == EventKind::Plan => Some((line.seq, line.manifest)),
                _ => None,
            })
            .collect();
        let read = manifests.into_iter().filter_map(|(seq, cid)| {
            let entry = read_entry(&cid, &mut source.reads()).ok()?;
            Some((cid, plan(source, chain, &entry, seq)?))
        });
        Self(read.collect())
    }

    /// The plan of this manifest.
    pub fn get(&self, manifest: &Cid) -> Option<&Plan> {
        self.0.get(manifest)
    }

    /// How many approvals an entry had, and how many it needed; `None` without a plan.
    pub fn counted(&self, line: &Line) -> Option<Counted> {
        let manifest = if line.event == EventKind::Plan { Some(line.manifest) } else { line.plan };
        let plan = self.get(&manifest?)?;
        Some(Counted { counted: plan.approvals.count(), needed: plan.needed })
    }
}

fn plan(source: &mut Source, chain: &Chain, entry: &Entry, seq: u64) -> Option<Plan> {
    let Details::Plan(details) = &entry.statement.event.details else { return None };
    let mut clear = |role: Role, name: Option<&str>| -> Vec<Vec<u8>> {
        let files = entry.manifest.files.iter().filter(|file| !file.sealed && file.role == role);
        let files = files.filter(|file| name.is_none_or(|name| file.name.as_str() == name));
        files.filter_map(|file| source.bytes(&file.cid).ok()).collect()
    };
    let files = clear(Role::Approval, None);
    let facts = clear(Role::Evidence, Some(POLICY_FACTS));
    let (trust, root) = (chain.trust_at(seq), chain.slots.first().and_then(Slot::manifest));
    let approvals = match (trust, root) {
        (Some(trust), Some(root)) => judge_approvals(trust, seq, &root, &details.planned, &files),
        _ => JudgedApprovals::default(),
    };
    let asked = trust.map_or(0, |trust| trust.thresholds.approver);
    let needed = details.planned.approvals.max(asked);
    let waivers = facts.first().and_then(|bytes| Facts::decode(bytes)).map(waivers).unwrap_or_default();
    Some(Plan { seq, details: (**details).clone(), approvals, needed, waivers })
}

fn waivers(facts: Facts) -> BTreeMap<String, Vec<Waived>> {
    let mut found: BTreeMap<String, Vec<Waived>> = BTreeMap::new();
    for script in facts.scripts {
        let own = script.waivers.into_iter().map(|waiver| Waived {
            rule: waiver.rule,
            until: Some(waiver.until),
            reason: crate::report::Told::None,
        });
        found.entry(script.version).or_default().extend(own);
    }
    found
}

impl Plan {
    /// What packs said of a version, and of the run as a whole.
    pub fn rules_of(&self, version: Option<&str>) -> Vec<JudgedRule> {
        let rules = self.details.policy.iter().flat_map(|policy| &policy.rules);
        let own = rules.filter(|rule| rule.about.is_none() || rule.about.as_deref() == version);
        own.cloned().collect()
    }

    /// What was waived for a version: the rules of packs that its script does not keep, with their last days.
    pub fn waivers_of(&self, version: Option<&str>) -> Vec<Waived> {
        let rules = self.rules_of(version);
        let waived = rules.iter().filter(|rule| rule.outcome == "waived");
        let known = version.and_then(|version| self.waivers.get(version));
        waived
            .map(|rule| {
                let known = known.into_iter().flatten().find(|waived| waived.rule == rule.rule);
                known.cloned().unwrap_or_else(|| Waived {
                    rule: rule.rule.clone(),
                    until: None,
                    reason: crate::report::Told::None,
                })
            })
            .collect()
    }
}
