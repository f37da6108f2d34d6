//! What holds over the entries of a chain in their order: links, trust, and a story without
//! contradictions (FORMAT §9, steps 2, 4 and 6).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::compromise::Signed;
use super::entry::{EntryVerdict, KnownKeys, SignatureState};
use super::finding::{Fault, Finding, Text};
use super::planned::Running;
use super::report::Promoted;
use super::standing::{Claim, Said, SaidKey, version_key};
use crate::crypto::{Digest, KeyId};
use crate::model::{
    Cid, Details, Direction, Event, EventId, EventKind, KeyRole, Manifest, Outcome, RevocationReason,
    SchemaChange, Timestamp, TrustDocument,
};

/// The state of a chain up to an entry.
#[derive(Default)]
pub struct Story {
    pub chain: Option<Cid>,
    pub last: Option<Cid>,
    pub count: u64,
    pub trust: Option<Arc<TrustDocument>>,
    /// Public keys of every trust document so far.
    pub keys: Arc<KnownKeys>,
    /// Root keys whose signatures on manifest 0 counted.
    pub genesis_roots: Vec<KeyId>,
    pub newest: Option<Timestamp>,
    pub sealed: u64,
    /// Entries whose signatures met the threshold in force.
    pub signed: u64,
    pub erased: HashSet<Cid>,
    pub findings: Vec<Finding>,
    /// Microseconds.
    pub tolerance: i64,
    /// How many entries were not read, being known from an earlier verification, and the newest manifest of them.
    pub since: Option<(u64, Cid)>,
    /// What the entries that were read say of those.
    pub claims: Vec<Claim>,
    /// Algorithm and digest of the newest schema.
    pub schema: Option<(String, Digest)>,
    /// Who signed what, for the day on which a key is told to be stolen.
    pub(super) signers: Signed,
    pub(super) ids: HashSet<EventId>,
    /// Entries that link to other chains.
    pub promoted: Vec<Promoted>,
    /// What the plans so far are to do; `None` where another program's does not say it.
    pub(super) plans: HashMap<Cid, Option<Running>>,
    /// Who approved what, for the same day.
    pub(super) approvers: Signed,
    /// Since when trust documents ask for approvals; `None` where they do not, or the event was not read that began it.
    pub(super) asked_since: Option<Timestamp>,
    /// Versions by the front of their digests, so that a long story stays small, and whether they count as applied.
    pub(super) versions: HashMap<SaidKey, bool>,
}

impl Story {
    pub fn new(tolerance: i64) -> Self {
        Self { tolerance, ..Self::default() }
    }

    /// What the entries that were read said that later ones have to fit.
    pub fn said(&self) -> Said {
        Said {
            events: self.ids.iter().map(|id| id.to_bytes()).collect(),
            versions: self.versions.iter().map(|(version, applied)| (*version, *applied)).collect(),
        }
    }

    /// Takes the next entry.
    pub fn tell(&mut self, mut verdict: EntryVerdict) {
        let seq = self.count;
        for (cid, fault) in std::mem::take(&mut verdict.faults) {
            self.findings.push(Finding { seq: Some(seq), cid, fault });
        }
        if let Some(manifest) = &verdict.manifest {
            self.check_links(manifest, verdict.cid);
            self.sealed += manifest.files.iter().filter(|file| file.sealed).count() as u64;
        }
        self.check_signatures(&verdict);
        if let Some(event) = verdict.event.take() {
            self.check_event(&event);
            self.check_plan(&event, &verdict);
        }
        self.chain.get_or_insert(verdict.cid);
        self.last = Some(verdict.cid);
        self.count += 1;
    }

    /// Takes an entry without those before it, `verdict.index` being its number: what is wrong with it alone, whether
    /// it is of the chain, and who signed it.
    pub fn tell_alone(&mut self, mut verdict: EntryVerdict) {
        self.count = verdict.index;
        for (cid, fault) in std::mem::take(&mut verdict.faults) {
            self.find(cid, fault);
        }
        if let Some(manifest) = &verdict.manifest {
            let expected = self.chain.filter(|chain| *chain != verdict.cid);
            if manifest.chain != expected {
                let (expected, found) = (Text(expected), Text(manifest.chain));
                self.find(Some(verdict.cid), Fault::LinkDiffers { member: "chain", expected, found });
            }
        }
        self.check_signatures(&verdict);
        let Some(event) = verdict.event.take() else { return };
        if (event.event == EventKind::Genesis) != (verdict.index == 0) {
            self.find(None, Fault::EventOrder { event: event.event, seq: verdict.index });
        }
        if let Details::Plan(details) = &event.details {
            self.check_approvals(&event, details, &verdict);
        }
    }

    pub(super) fn find(&mut self, cid: Option<Cid>, fault: Fault) {
        self.findings.push(Finding { seq: Some(self.count), cid, fault });
    }

    fn check_links(&mut self, manifest: &Manifest, cid: Cid) {
        let expected = self.count;
        if manifest.seq != expected {
            self.find(Some(cid), Fault::SeqGap { expected, found: manifest.seq });
        }
        for (member, found, expected) in
            [("chain", manifest.chain, self.chain), ("prev", manifest.prev, self.last)]
        {
            if found != expected {
                let fault = Fault::LinkDiffers { member, expected: Text(expected), found: Text(found) };
                self.find(Some(cid), fault);
            }
        }
    }

    fn check_signatures(&mut self, verdict: &EntryVerdict) {
        let seq = self.count;
        let kind = verdict.event.as_ref().map(|event| event.event);
        let root = matches!(kind, Some(EventKind::Genesis | EventKind::Trust));
        if verdict.signatures.is_empty() {
            // No envelope could be read, which is a finding of its own.
            return;
        }
        let brought = verdict.trust.as_ref().filter(|_| root);
        if let (Some(old), Some(new)) = (&self.trust, brought)
            && Some(new.version) != old.version.checked_add(1)
        {
            let fault = Fault::TrustVersion { expected: old.version.saturating_add(1), found: new.version };
            self.find(Some(verdict.cid), fault);
        }
        let documents: Vec<Arc<TrustDocument>> = match kind {
            Some(EventKind::Genesis) => brought.into_iter().cloned().collect(),
            _ => self.trust.iter().chain(brought).cloned().collect(),
        };
        if documents.is_empty() {
            self.find(Some(verdict.cid), Fault::NoTrust);
        }
        let role = if root { KeyRole::Root } else { KeyRole::Signer };
        let mut met = !documents.is_empty();
        for document in &documents {
            met &= self.require_threshold(document, role, verdict);
        }
        self.signed += u64::from(met);
        if let Some(document) = brought.filter(|_| met || self.trust.is_none()) {
            if seq == 0 && met {
                let counted = verdict.signatures.iter().map(|(id, _)| *id);
                self.genesis_roots = counted.filter(|id| document.key_for(id, role, seq).is_some()).collect();
            }
            self.find_compromised(document);
            let at = verdict.event.as_ref().map(|event| event.finished_at);
            self.adopt(Arc::clone(document), at);
        }
    }

    /// Whether enough keys of `role` signed the entry, each counted once.
    fn require_threshold(&mut self, document: &TrustDocument, role: KeyRole, verdict: &EntryVerdict) -> bool {
        let seq = self.count;
        let mut counted_keys = BTreeSet::new();
        let (mut revoked, mut unknown, mut broken) = (0, 0, None);
        for (id, state) in &verdict.signatures {
            // A key that some document named stays known, also when it has no say any more.
            let listed = document.keys.get(id).map(|key| key.public);
            let Some(known) = listed.or_else(|| self.keys.get(id).copied()) else {
                unknown += 1;
                continue;
            };
            let valid = match state {
                SignatureState::Valid => true,
                SignatureState::Invalid => false,
                SignatureState::Unknown(signature) => {
                    verdict.message.as_ref().is_some_and(|message| known.verify(message, signature))
                }
            };
            if !valid {
                broken = Some(*id);
            } else if document.key_for(id, role, seq).is_some() {
                counted_keys.insert(*id);
            } else {
                revoked += 1;
            }
        }
        if let Some(keyid) = broken {
            self.find(Some(verdict.cid), Fault::BadSignature { keyid });
            return false;
        }
        let (needed, counted) = (document.threshold(role).max(1), counted_keys.len() as u32);
        if counted < needed {
            self.find(Some(verdict.cid), Fault::Threshold { role, needed, counted, revoked, unknown });
            return false;
        }
        self.signers.note(seq, needed, &counted_keys);
        true
    }

    /// Entries before this one that a key signed after it was stolen, as the new document says.
    fn find_compromised(&mut self, document: &TrustDocument) {
        let told = |document: &TrustDocument| -> BTreeSet<(KeyId, u64)> {
            let stolen =
                document.revoked.iter().filter(|known| known.reason == RevocationReason::Compromised);
            stolen.map(|revocation| (revocation.key, revocation.since)).collect()
        };
        let known = self.trust.as_deref().map(told).unwrap_or_default();
        let mut stolen = BTreeMap::new();
        // In their order, so that the earliest entry of a key is the one that stays.
        for (key, since) in told(document).difference(&known) {
            stolen.entry(*key).or_insert(*since);
        }
        if stolen.is_empty() {
            return;
        }
        let entry = self.count;
        if self.since.is_some_and(|(since, _)| stolen.values().any(|first| *first < since)) {
            self.claims.push(Claim::Unstolen { seq: entry });
        }
        // The event that takes the key away is judged as it was: what it says counts from there on.
        let fallen = self.signers.take(&stolen).into_iter().filter(|(seq, _, _)| *seq < entry);
        for (seq, keyid, since) in fallen {
            self.findings.push(Finding {
                seq: Some(seq),
                cid: None,
                fault: Fault::Compromised { keyid, since, entry },
            });
        }
        let fallen = self.approvers.take(&stolen).into_iter().filter(|(seq, _, _)| *seq < entry);
        for (seq, keyid, since) in fallen {
            let fault = Fault::ApproverCompromised { keyid, since, entry };
            self.findings.push(Finding { seq: Some(seq), cid: None, fault });
        }
    }

    fn adopt(&mut self, document: Arc<TrustDocument>, at: Option<Timestamp>) {
        let asked = self.trust.as_ref().is_some_and(|trust| trust.thresholds.approver > 0);
        match document.thresholds.approver {
            0 => self.asked_since = None,
            _ if !asked => self.asked_since = at,
            _ => {}
        }
        let keys = Arc::make_mut(&mut self.keys);
        keys.extend(document.keys.iter().map(|(id, key)| (*id, key.public)));
        self.trust = Some(document);
    }

    fn check_event(&mut self, event: &Event) {
        let seq = self.count;
        if (event.event == EventKind::Genesis) != (seq == 0) {
            self.find(None, Fault::EventOrder { event: event.event, seq });
        }
        if !self.ids.insert(event.id) {
            self.find(None, Fault::DuplicateEvent { id: event.id });
        } else if self.since.is_some() {
            self.claims.push(Claim::New { seq, id: event.id });
        }
        self.check_times(event);
        if let Some(schema) = event.schema() {
            self.check_schema(schema);
        }
        match &event.details {
            Details::Migration(details) => {
                self.check_outcome(event.event, details.outcome);
                if details.error.is_some() && details.outcome == Outcome::Succeeded {
                    self.find(
                        None,
                        Fault::OutcomeDiffers { event: event.event, outcome: "succeeded, with an error" },
                    );
                }
                self.check_version(event.event, details.direction, &details.migration.version);
            }
            Details::Repair { migration: Some(migration), direction, .. } => {
                self.check_version(EventKind::Stamp, Some(*direction), &migration.version);
            }
            Details::Erase { erased, .. } => self.erased.extend(erased),
            Details::Repair { .. } | Details::Attach { .. } | Details::Plan(_) | Details::Other { .. } => {}
        }
    }

    fn check_times(&mut self, event: &Event) {
        let (started_at, finished_at) = (event.started_at, event.finished_at);
        if finished_at < started_at {
            self.find(None, Fault::EndsBeforeStart { started_at, finished_at });
        }
        match self.newest {
            Some(earlier)
                if finished_at.as_microseconds()
                    < earlier.as_microseconds().saturating_sub(self.tolerance) =>
            {
                self.find(None, Fault::TimeBackwards { earlier, found: finished_at });
            }
            newest => self.newest = newest.max(Some(finished_at)),
        }
    }

    fn check_schema(&mut self, schema: &SchemaChange) {
        if let (Some((algorithm, expected)), Some(found)) = (&self.schema, schema.before)
            && *algorithm == schema.algorithm
            && *expected != found
        {
            let fault = Fault::SchemaChanged { expected: *expected, found };
            self.find(None, fault);
        }
        self.schema = schema.after.map(|after| (schema.algorithm.clone(), after));
    }

    fn check_outcome(&mut self, event: EventKind, outcome: Outcome) {
        let (expected, said) = match outcome {
            Outcome::Succeeded => (event != EventKind::Fail, "succeeded"),
            Outcome::Failed => (event == EventKind::Fail, "failed"),
        };
        if !expected {
            self.find(None, Fault::OutcomeDiffers { event, outcome: said });
        }
    }

    fn check_version(&mut self, event: EventKind, direction: Option<Direction>, version: &str) {
        let key = version_key(version);
        let applied = match (event, direction) {
            (EventKind::Apply | EventKind::Baseline, _) => {
                if self.is_applied(&key, version, false) {
                    self.find(None, Fault::AppliedTwice { version: version.to_owned() });
                }
                true
            }
            (EventKind::Rollback, _) => {
                if !self.is_applied(&key, version, true) {
                    self.find(None, Fault::NotApplied { version: version.to_owned() });
                }
                false
            }
            (EventKind::Stamp, Some(direction)) => direction == Direction::Up,
            _ => return,
        };
        self.versions.insert(key, applied);
    }

    /// Whether a version counts as applied. Where only entries can say that were not read, it is as the next one needs it,
    /// which is then a claim.
    fn is_applied(&mut self, key: &SaidKey, version: &str, needed: bool) -> bool {
        match (self.versions.get(key), self.since) {
            (Some(applied), _) => *applied,
            (None, None) => false,
            (None, Some(_)) => {
                self.claims.push(Claim::Version {
                    seq: self.count,
                    version: version.to_owned(),
                    applied: needed,
                });
                needed
            }
        }
    }
}
