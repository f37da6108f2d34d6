//! Verification as a state machine without I/O (FORMAT §9): it says which blocks it wants, is fed them,
//! hands out the checks that cost time, takes their verdicts, and ends in a report.
//!
//! ```text
//! wants() ─► whoever has blocks ─► feed() ─► take_checks() ─► EntryCheck::run, anywhere ─► absorb() ─► finish()
//! ```
//! Blocks may come in any order. Wants come in the order of a depth-first export, so that a file that
//! was written in that order is read once from front to back.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use super::entry::{EntryCheck, EntryVerdict};
use super::finding::{Fault, Finding};
use super::fork::ForkWatch;
use super::report::Cosigned;
use super::sealed::{self, SealedFile};
use super::snapshot::Snapshot;
use super::standing::Recall;
use super::story::Story;
use super::timestamp::Stamped;
use super::walk::{Fetched, Item, Walked};
use crate::codec::dag_cbor::{decode_head, decode_manifest};
use crate::codec::note::{Note, decode_checkpoint};
use crate::codec::policy::Policy;
use crate::crypto::KeyId;
use crate::model::{Cid, Codec, Head, Remembered};

/// Entries that may be open at once; bounds memory, and how many blocks are worth fetching in parallel.
const OPEN_ENTRIES: usize = 512;

/// What the verifier was told to trust before it looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The CID of manifest 0.
    Chain(Cid),
    /// A root key of manifest 0's trust document.
    RootKey(KeyId),
}

/// How to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// A chain that meets one of them is anchored.
    pub anchors: Vec<Anchor>,
    /// Whether a chain that meets none of the anchors is a finding.
    pub require_anchor: bool,
    /// By how many microseconds times may run backwards.
    pub tolerance: i64,
    /// The newest heads that were verified before, of any chain.
    pub remembered: Vec<Remembered>,
    /// Whether a head that is older than the one that is remembered is no finding.
    pub older: bool,
    /// Whether the report names each sealed file, so that it can be opened.
    pub sealed_files: bool,
    /// What the verifier itself asks of witnesses, beside the trust document.
    pub policy: Option<Policy>,
    /// Where a chain's verification goes on from, so that only new entries are read.
    pub recall: Option<Recall>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            anchors: Vec::new(),
            require_anchor: false,
            tolerance: 5_000_000,
            remembered: Vec::new(),
            older: false,
            sealed_files: false,
            policy: None,
            recall: None,
        }
    }
}

/// Verifies a chain from its head, or from one of its manifests.
pub struct Verifier {
    pub(super) root: Cid,
    pub(super) options: Options,
    pub(super) started: bool,
    pub(super) head: Option<Head>,
    pub(super) items: VecDeque<Item>,
    checks: Vec<EntryCheck>,
    /// Verdicts that came before an earlier one.
    early: BTreeMap<u64, EntryVerdict>,
    pub(super) opened: u64,
    pub(super) story: Story,
    pub(super) snapshot: Snapshot,
    pub(super) tiles: BTreeMap<String, Cid>,
    pub(super) checkpoint: Option<Vec<u8>>,
    pub(super) nodes: HashSet<Cid>,
    /// Manifests found by walking back, newest first.
    pub(super) previous: Vec<Cid>,
    pub(super) findings: Vec<Finding>,
    /// Blocks that are missing and of which a sealed file could consist.
    pub(super) missing_sealed: Vec<(u64, Cid)>,
    pub(super) sealed_files: Vec<SealedFile>,
    /// The same where they are only counted: the front of a digest, and a state.
    pub(super) sealed_in_short: Vec<sealed::InShort>,
    pub(super) walked: Walked,
    /// Whether it began at a head.
    pub(super) from_head: bool,
    pub(super) witnesses: Vec<Cosigned>,
    /// Whether a policy asks for witnesses, and all that ask are met.
    pub(super) witnessed: bool,
    /// What the timestamps of the head prove.
    pub(super) stamped: Vec<Stamped>,
    pub(super) forks: ForkWatch,
    /// The tree of entries, until it is known from which entry on it is read.
    pub(super) waiting: Option<Cid>,
    /// Nodes and manifests that an earlier verification read.
    pub(super) known: HashSet<Cid>,
}

impl Verifier {
    /// A verification of `root`, a head or a manifest.
    #[must_use]
    pub fn new(root: Cid, options: Options) -> Self {
        Self {
            root,
            started: false,
            head: None,
            items: VecDeque::new(),
            checks: Vec::new(),
            early: BTreeMap::new(),
            opened: 0,
            story: Story::new(options.tolerance),
            snapshot: Snapshot::default(),
            tiles: BTreeMap::new(),
            checkpoint: None,
            nodes: HashSet::new(),
            previous: Vec::new(),
            findings: Vec::new(),
            missing_sealed: Vec::new(),
            sealed_files: Vec::new(),
            sealed_in_short: Vec::new(),
            walked: Walked::new(),
            from_head: false,
            witnesses: Vec::new(),
            witnessed: false,
            stamped: Vec::new(),
            forks: ForkWatch::default(),
            waiting: None,
            known: HashSet::new(),
            options,
        }
    }

    /// The first block that is wanted; `None` when nothing more is.
    #[must_use]
    pub fn want(&self) -> Option<Cid> {
        if !self.started {
            return Some(self.root);
        }
        self.items.iter().find_map(Item::want)
    }

    /// At most `limit` blocks that are wanted now, the most urgent first.
    #[must_use]
    pub fn wants(&self, limit: usize) -> Vec<Cid> {
        if !self.started {
            return vec![self.root];
        }
        let mut wants = Vec::new();
        for item in self.items.iter().take(OPEN_ENTRIES) {
            item.wants(&mut wants);
            if wants.len() >= limit {
                wants.truncate(limit);
                break;
            }
        }
        wants
    }

    /// Whether a block is wanted now: by one of the entries that may be open.
    #[must_use]
    pub fn is_wanted(&self, cid: &Cid) -> bool {
        if self.started { self.wanted_by(cid).is_some() } else { *cid == self.root }
    }

    fn wanted_by(&self, cid: &Cid) -> Option<usize> {
        self.items.iter().take(OPEN_ENTRIES).position(|item| item.wants_block(cid))
    }

    /// What was found in the entries whose verdicts are in.
    #[must_use]
    pub fn findings_so_far(mut self) -> Vec<Finding> {
        let mut findings = self.story.findings;
        findings.append(&mut self.findings);
        findings
    }

    /// Entries that were taken up so far, and how many there are if the head is right.
    #[must_use]
    pub fn progress(&self) -> (u64, Option<u64>) {
        let size = self.checkpoint.as_ref().and_then(|bytes| {
            let note = Note::decode(bytes).ok()?;
            Some(decode_checkpoint(&note.text).ok()?.size)
        });
        (self.opened, size)
    }

    /// Takes a block that was wanted; others are ignored.
    pub fn feed(&mut self, cid: &Cid, fetched: Fetched) {
        if !self.started {
            if *cid == self.root {
                self.started = true;
                self.feed_root(fetched);
                self.begin_entries();
            }
            return;
        }
        let Some(position) = self.wanted_by(cid) else { return };
        if let Item::Entry(entry) = &mut self.items[position] {
            entry.feed(cid, fetched);
        } else if let Some(item) = self.items.remove(position) {
            self.feed_item(position, item, fetched);
            self.begin_entries();
        }
        self.close_entries();
    }

    /// Checks that may run now, in any order and anywhere.
    pub fn take_checks(&mut self) -> Vec<EntryCheck> {
        std::mem::take(&mut self.checks)
    }

    /// Takes the verdict of a check.
    pub fn absorb(&mut self, verdict: EntryVerdict) {
        self.early.insert(verdict.index, verdict);
        while let Some(mut verdict) = self.early.remove(&self.story.count) {
            let cid = verdict.cid;
            self.keep_sealed(&verdict);
            let (index, brought) = (verdict.index, verdict.brought.take());
            self.story.tell(verdict);
            self.snapshot.push(cid, &mut |_| ());
            brought.into_iter().for_each(|entry| self.forks.keep(entry));
            self.forks.follow(&cid);
            self.compare_with_memory(index, cid);
        }
    }

    /// Where an entry stands that is remembered, it has to be that one.
    fn compare_with_memory(&mut self, index: u64, cid: Cid) {
        let Some(chain) = self.story.chain else { return };
        let fork = |seen: &&Remembered| seen.chain == chain && seen.seq == index && seen.manifest != cid;
        if let Some(seen) = self.options.remembered.iter().find(fork) {
            self.forks.diverge(seen, &self.snapshot.merkle);
            let fault = Fault::Forked { entry: index, expected: seen.manifest };
            self.findings.push(Finding { seq: Some(index), cid: Some(cid), fault });
        }
    }

    /// A block that is in a sealed file and missing may be erased; an event further on says so.
    fn keep_sealed(&mut self, verdict: &EntryVerdict) {
        let files = sealed::files_of(verdict);
        if files.is_empty() {
            return;
        }
        let manifest = verdict.manifest.iter();
        let others = manifest.flat_map(|manifest| {
            let public = manifest.files.iter().filter(|file| !file.sealed).map(|file| file.cid);
            public.chain([manifest.log])
        });
        let others: Vec<Cid> = others.collect();
        let missing = verdict.faults.iter().filter(|(_, fault)| *fault == Fault::BlockMissing);
        let missing = missing.filter_map(|(cid, _)| *cid).filter(|cid| !others.contains(cid));
        self.missing_sealed.extend(missing.map(|cid| (verdict.index, cid)));
        if self.options.sealed_files {
            self.sealed_files.extend(files);
        } else {
            self.sealed_in_short.extend(files.iter().map(sealed::in_short));
        }
    }

    /// Adds what was found around the blocks, such as a damaged file.
    pub fn add_finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn find(&mut self, cid: Option<Cid>, fault: Fault) {
        self.findings.push(Finding { seq: None, cid, fault });
    }

    pub(super) fn sound(&mut self, cid: &Cid, fetched: Fetched) -> Option<Vec<u8>> {
        match fetched {
            Fetched::Missing => self.find(Some(*cid), Fault::BlockMissing),
            Fetched::Block(bytes) if cid.matches(&bytes) => return Some(bytes),
            Fetched::Block(_) => self.find(Some(*cid), Fault::BlockCorrupt),
        }
        None
    }

    fn feed_root(&mut self, fetched: Fetched) {
        let cid = self.root;
        let Some(bytes) = self.sound(&cid, fetched) else { return };
        match decode_head(&bytes) {
            Ok(head) if cid.codec() == Codec::DagCbor => {
                self.items.push_back(Item::Tlog { cid: head.tlog, path: String::new(), depth: 0 });
                self.waiting = Some(head.entries);
                self.head = Some(head);
                self.from_head = true;
            }
            Ok(_) => self.malformed(cid, "head", "its CID is not dag-cbor".to_owned()),
            Err(error) => match decode_manifest(&bytes) {
                Ok(_) => {
                    self.items.push_back(Item::Previous { cid, seq: None });
                    self.feed(&cid, Fetched::Block(bytes));
                }
                Err(_) => self.malformed(cid, "head", error.to_string()),
            },
        }
    }

    pub(super) fn malformed(&mut self, cid: Cid, what: &'static str, detail: String) {
        self.find(Some(cid), Fault::Malformed { what, detail });
    }

    /// Hands out the entries at the front whose blocks are all in.
    fn close_entries(&mut self) {
        while matches!(self.items.front(), Some(Item::Entry(entry)) if entry.is_complete()) {
            let Some(Item::Entry(entry)) = self.items.pop_front() else { return };
            entry.remember(&mut self.walked);
            let index = self.opened;
            self.opened += 1;
            self.checks.push(entry.into_check(index, Arc::clone(&self.story.keys)));
        }
    }
}
