//! The end of a verification: what is known of the whole alone, and the report.

use std::collections::HashSet;

use super::finding::{Fault, Finding, FindingKind};
use super::report::{Established, Report, TimeBound, TimeInterval};
use super::sealed::{self, SealedCounts};
use super::verify::{Anchor, Verifier};
use super::walk::Fetched;
use crate::model::{Cid, Remembered};

impl Verifier {
    /// Ends the verification. Wants that were not fed count as missing.
    #[must_use]
    pub fn finish(mut self) -> Report {
        while let Some(cid) = self.want() {
            self.feed(&cid, Fetched::Missing);
        }
        for check in self.take_checks() {
            self.absorb(check.run());
        }
        if self.head.is_some() {
            self.check_head();
        }
        let anchored = self.check_anchor();
        self.find_rollback();
        self.drop_erased();
        sealed::mark_erased(&mut self.sealed_files, &self.story.erased);
        let mut sealed_states = SealedCounts::of(self.sealed_files.iter().map(|file| file.state));
        sealed_states.add_short(&self.sealed_in_short, &self.story.erased);
        let mut findings = std::mem::take(&mut self.story.findings);
        findings.append(&mut self.findings);
        let none = |kind| !findings.iter().any(|finding| finding.fault.kind() == kind);
        let looked = self.story.count > 0;
        let is_of_tokens =
            |fault: &Fault| matches!(fault, Fault::Timestamp { .. } | Fault::TimestampsTooMany { .. });
        let bad_token = findings.iter().any(|finding| is_of_tokens(&finding.fault));
        let time = TimeInterval::of(self.story.newest, &self.stamped, &self.witnesses);
        let vouched = TimeBound::all(self.story.newest, &self.stamped, &self.witnesses);
        let memory = match (self.story.chain, self.story.last, self.story.count.checked_sub(1)) {
            (Some(chain), Some(manifest), Some(seq))
                if self.from_head && findings.iter().all(Finding::is_said_by_the_chain) =>
            {
                let checkpoint = self.checkpoint.clone().and_then(|bytes| String::from_utf8(bytes).ok());
                Some(Remembered { chain, seq, manifest, head: self.root, checkpoint })
            }
            _ => None,
        };
        let sound = memory.is_some() && findings.is_empty();
        let (continued, since) = (self.continued(sound), self.story.since);
        Report {
            memory,
            continued,
            since_seq: since.map(|(since, _)| since),
            fork: self.forks.finish(self.checkpoint.as_deref()),
            verified: findings.is_empty(),
            root: self.root,
            chain: self.story.chain,
            name: self.story.trust.as_ref().map(|trust| trust.name.clone()),
            entries: self.story.count,
            newest: self.story.newest,
            time,
            sealed: self.story.sealed,
            sealed_states,
            sealed_files: std::mem::take(&mut self.sealed_files),
            promoted: std::mem::take(&mut self.story.promoted),
            promotions: None,
            opened: Vec::new(),
            witnesses: self.witnesses,
            freshness: None,
            vouched,
            established: Established {
                intact: looked && none(FindingKind::Integrity),
                signed: looked && none(FindingKind::Signature) && self.story.signed == self.story.count,
                anchored: anchored && none(FindingKind::Signature),
                witnessed: self.witnessed,
                timestamped: !self.stamped.is_empty() && none(FindingKind::Signature) && !bad_token,
                complete: looked && since.is_none() && none(FindingKind::Completeness),
                replayed: false,
                live: false,
            },
            findings,
        }
    }

    fn check_anchor(&mut self) -> bool {
        let anchored = self.options.anchors.iter().any(|anchor| match anchor {
            Anchor::Chain(chain) => self.story.chain == Some(*chain),
            Anchor::RootKey(id) => self.story.genesis_roots.contains(id),
        });
        if let (false, true, Some(chain)) = (anchored, self.options.require_anchor, self.story.chain) {
            self.find(None, Fault::NotAnchored { chain });
        }
        anchored
    }

    /// A sealed file that an `erase` event names is gone on purpose.
    fn drop_erased(&mut self) {
        let erased: HashSet<(u64, Cid)> =
            self.missing_sealed.iter().filter(|(_, cid)| self.story.erased.contains(cid)).copied().collect();
        self.story.findings.retain(|finding| {
            let place = finding.seq.zip(finding.cid);
            finding.fault != Fault::BlockMissing || !place.is_some_and(|place| erased.contains(&place))
        });
    }

    /// A manifest is asked for as what it is; a head is said to be the newest.
    fn find_rollback(&mut self) {
        if self.options.older || !self.from_head {
            return;
        }
        let of_chain = self.options.remembered.iter().filter(|seen| Some(seen.chain) == self.story.chain);
        let newest = of_chain.max_by_key(|seen| seen.seq).filter(|seen| seen.seq >= self.story.count);
        if let Some(Remembered { seq, head, .. }) = newest {
            let fault = Fault::RolledBack { seen: seq + 1, found: self.story.count, newest: *head };
            self.find(Some(self.root), fault);
        }
    }
}
