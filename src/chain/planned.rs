//! What a chain says of its plans, judged: that a plan has the approvals that were asked for, that its file says what the
//! log says of it, and that what ran by it is what stands in it, in its order and once.
//!
//! A plan that is sealed is known by what the log says of it alone: its digest is what approvers signed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::approval::{JudgedApprovals, judge_approvals};
use super::entry::{EntryVerdict, FileBytes};
use super::finding::Fault;
use super::report::Promoted;
use super::story::Story;
use crate::codec::dsse::Envelope;
use crate::codec::plan::{PLAN_FILE, decode_plan, decode_plan_statement};
use crate::crypto::{Digest, KeyId};
use crate::model::{
    Cid, Details, Direction, Event, EventKind, Evidence, FileEntry, Manifest, MigrationDetails, PlanDetails,
    Planned, PlannedMigration, Role, RunPlan,
};

/// By how many microseconds a plan may be archived after it expired: the time between asking and writing.
const TOLERANCE: i64 = 5_000_000;

/// A plan that entries may run by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Running {
    /// Of the plan's entry.
    pub seq: u64,
    direction: Direction,
    versions: Vec<String>,
    /// How many of them ran.
    ran: usize,
    /// What it says of them; `None` where it is sealed.
    migrations: Option<Vec<PlannedMigration>>,
}

/// The file of a plan, where it is in clear.
#[derive(Debug)]
pub(super) struct ClearPlan {
    pub digest: Digest,
    /// What it says and, where somebody signed it, the envelope; `None` where it cannot be read.
    pub read: Option<(RunPlan, Option<Envelope>)>,
}

/// Whether a file is what a plan is judged by: its bytes are kept until then.
pub(super) fn is_of_plan(file: &FileEntry) -> bool {
    let is_plan = file.role == Role::Evidence && file.name.as_str() == PLAN_FILE;
    !file.sealed && (file.role == Role::Approval || is_plan)
}

/// The file of the plan that an event brings; `None` where it brings none, or a sealed one.
pub(super) fn clear_plan(manifest: &Manifest, files: &[FileBytes], event: &Event) -> Option<Box<ClearPlan>> {
    let Details::Plan(details) = &event.details else { return None };
    let is_plan = |file: &FileEntry| file.role == Role::Evidence && is_of_plan(file);
    let bytes = manifest.files.iter().zip(files).find_map(|(file, bytes)| match bytes {
        // What is not the CID's is reported with the file.
        FileBytes::Block(bytes) if is_plan(file) && file.cid.matches(bytes) => Some(bytes),
        _ => None,
    })?;
    let read = match details.planned.author_keys.is_empty() {
        true => decode_plan_statement(bytes).ok().map(|plan| (plan, None)),
        false => decode_plan(bytes).ok().map(|(plan, envelope)| (plan, Some(envelope))),
    };
    Some(Box::new(ClearPlan { digest: Digest::of(bytes), read }))
}

/// In what the log does not say what the plan's file says.
fn difference(planned: &Planned, clear: &ClearPlan, chain: Option<Cid>) -> Option<&'static str> {
    if clear.digest != planned.digest {
        return Some("its file is not the one that was approved");
    }
    let Some((plan, envelope)) = &clear.read else { return Some("its file cannot be read") };
    let keys = |keys: &[KeyId]| keys.iter().copied().collect::<BTreeSet<KeyId>>();
    let signed: Vec<KeyId> =
        envelope.iter().flat_map(|envelope| &envelope.signatures).map(|(keyid, _)| *keyid).collect();
    let expires_at = envelope.is_some().then_some(plan.expires_at);
    let differs = [
        (Some(plan.chain) != chain, "it is for another chain"),
        (plan.versions() != planned.versions, "its file has other versions"),
        (plan.direction != planned.direction, "its file has another direction"),
        ((plan.made_at, expires_at) != (planned.made_at, planned.expires_at), "its file has other times"),
        (plan.author != planned.author, "its file names another author"),
        (keys(&signed) != keys(&planned.author_keys), "its file is signed by other keys"),
        (plan.policy.approvals > planned.approvals, "its file asks for more approvals"),
        (plan.policy.four_eyes && !planned.four_eyes, "its file asks for four eyes"),
    ];
    differs.into_iter().find_map(|(differs, detail)| differs.then_some(detail))
}

impl Story {
    /// A plan has the approvals that were asked for; what ran by a plan, or had to, is what was planned.
    pub(super) fn check_plan(&mut self, event: &Event, verdict: &EntryVerdict) {
        match &event.details {
            Details::Plan(details) => {
                self.check_approvals(event, details, verdict);
                let clear = verdict.plan.as_ref().and_then(|clear| clear.read.as_ref());
                let running = Running {
                    seq: self.count,
                    direction: details.planned.direction,
                    versions: details.planned.versions.clone(),
                    ran: 0,
                    migrations: clear.map(|(plan, _)| plan.migrations.clone()),
                };
                self.plans.insert(verdict.cid, Some(running));
            }
            Details::Other { .. } if event.event == EventKind::Plan => {
                self.plans.insert(verdict.cid, None);
            }
            Details::Migration(details) => {
                self.note_promoted(details, verdict);
                match details.plan {
                    Some(plan) => self.check_run(event.event, details, plan, verdict),
                    None => self.check_unplanned(event, details),
                }
            }
            _ => {}
        }
    }

    /// What a `plan` event says of itself: also where no entry before it is known.
    pub(super) fn check_approvals(&mut self, event: &Event, details: &PlanDetails, verdict: &EntryVerdict) {
        let planned = &details.planned;
        let trust = self.trust.clone();
        let judged = match (self.chain, &trust) {
            (Some(chain), Some(trust)) => {
                judge_approvals(trust, self.count, &chain, planned, &verdict.approvals)
            }
            _ => JudgedApprovals::default(),
        };
        let asked = trust.as_ref().map_or(0, |trust| trust.thresholds.approver);
        let (needed, counted) = (planned.approvals.max(asked), judged.count());
        if counted < needed {
            let refused = judged.refused.iter().map(ToString::to_string).collect();
            self.find(Some(verdict.cid), Fault::ApprovalsMissing { needed, counted, refused });
        } else if needed > 0 {
            let keys = judged.approvers.iter().map(|approver| approver.keyid).collect();
            self.approvers.note(self.count, needed, &keys);
        }
        let end = planned.expires_at.map(|end| end.as_microseconds().saturating_add(TOLERANCE));
        if end.is_some_and(|end| end < event.started_at.as_microseconds()) {
            let detail = "it had expired when it was archived";
            self.find(Some(verdict.cid), Fault::PlanDiffers { detail });
        }
        let Some(clear) = &verdict.plan else { return };
        if let Some(detail) = difference(planned, clear, self.chain) {
            self.find(Some(verdict.cid), Fault::PlanDiffers { detail });
        }
        let Some((_, Some(envelope))) = &clear.read else { return };
        let message = envelope.message();
        for (keyid, signature) in &envelope.signatures {
            if !self.keys.get(keyid).is_some_and(|key| key.verify(&message, signature)) {
                let detail = "it is not signed by a key of the trust document";
                self.find(Some(verdict.cid), Fault::PlanDiffers { detail });
            }
        }
    }

    fn note_promoted(&mut self, details: &MigrationDetails, verdict: &EntryVerdict) {
        let Some(from) = details.promoted_from else { return };
        let files = verdict.manifest.iter().flat_map(|manifest| &manifest.files);
        let up = files.filter(|file| file.role == Role::Up && !file.sealed).map(|file| file.cid).next();
        let version = details.migration.version.clone();
        self.promoted.push(Promoted { seq: self.count, version, from, up });
    }

    /// What names a plan stands in it, and is the next one of it.
    fn check_run(&mut self, kind: EventKind, details: &MigrationDetails, plan: Cid, verdict: &EntryVerdict) {
        let version = &details.migration.version;
        let detail = match self.plans.get_mut(&plan) {
            None => Some("no entry before it is that plan"),
            Some(None) => None,
            Some(Some(running)) => running.take(kind, version, verdict),
        };
        if let Some(detail) = detail {
            let version = version.clone();
            self.find(None, Fault::NotAsPlanned { version, plan, detail });
        }
    }

    /// Where the trust document asks for approvals, nothing that greffe runs is without a plan. What ran before that was so
    /// may have been archived later.
    fn check_unplanned(&mut self, event: &Event, details: &MigrationDetails) {
        let ran = matches!(event.event, EventKind::Apply | EventKind::Rollback)
            && details.evidence == Evidence::Executed;
        let needed = self.trust.as_ref().map_or(0, |trust| trust.thresholds.approver);
        if ran && needed > 0 && self.asked_since.is_none_or(|since| event.started_at >= since) {
            let version = details.migration.version.clone();
            self.find(None, Fault::Unplanned { version, needed });
        }
    }
}

impl Running {
    /// Whether more may run by it.
    pub fn goes_on(&self) -> bool {
        self.ran < self.versions.len()
    }

    /// Takes an event that names it; gives what is wrong with that.
    fn take(&mut self, kind: EventKind, version: &str, verdict: &EntryVerdict) -> Option<&'static str> {
        let Some(place) = self.versions.iter().position(|planned| planned == version) else {
            return Some("the plan has no such version");
        };
        match (self.direction, kind) {
            (Direction::Up, EventKind::Rollback) => return Some("the plan is to apply"),
            (Direction::Down, EventKind::Apply) => return Some("the plan is to roll back"),
            _ => {}
        }
        let expected = self.ran;
        self.ran = expected.max(place + 1);
        if place < expected {
            return Some("the plan was carried out for it before");
        }
        if place > expected {
            return Some("another version is before it in the plan");
        }
        let planned = self.migrations.as_ref()?.get(place)?;
        let differs = |file: &FileEntry| {
            let planned = planned.files.iter().find(|planned| planned.role == file.role);
            !file.sealed && planned.is_some_and(|planned| planned.cid != file.cid)
        };
        let mut files = verdict.manifest.iter().flat_map(|manifest| &manifest.files);
        files.any(differs).then_some("another script ran than the one that was planned")
    }
}
