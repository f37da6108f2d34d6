//! What a verification ends in.

use serde::Serialize;

use super::finding::{Finding, FindingKind};
use super::freshness::Freshness;
use super::sealed::{SealedCounts, SealedFile};
use super::standing::Continued;
use super::timestamp::Stamped;
use crate::codec::vkey::Vkey;
use crate::model::{ChainName, Cid, ForkEvidence, Remembered, Timestamp};

/// What was established, each on its own (FORMAT §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Established {
    /// All bytes, links and the story are what they have to be.
    pub intact: bool,
    /// Signatures meet the trust documents in force.
    pub signed: bool,
    /// The chain or a root key is one that the verifier was told to trust.
    pub anchored: bool,
    pub witnessed: bool,
    pub timestamped: bool,
    /// Every block was there.
    pub complete: bool,
    pub replayed: bool,
    pub live: bool,
}

/// A witness that cosigned the checkpoint with all its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cosigned {
    /// What the policy calls it.
    pub witness: String,
    pub vkey: String,
    /// By its clock, when it had seen the checkpoint at the latest: no entry is newer. The end of the second that it
    /// states, for a witness states no more of it.
    pub not_after: Option<Timestamp>,
    /// By its clock, when it last said that it knows of no larger checkpoint.
    pub latest: Option<Timestamp>,
}

impl Cosigned {
    /// Of the times that a witness' lines state, in POSIX seconds.
    #[must_use]
    pub fn of(witness: &str, vkey: &Vkey, times: &[u64]) -> Self {
        let at = |seconds: &u64| Timestamp::from_seconds(*seconds);
        let end = |begin: Timestamp| Timestamp::from_microseconds(begin.as_microseconds() + 999_999);
        Self {
            witness: witness.to_owned(),
            vkey: vkey.to_string(),
            not_after: times.iter().min().and_then(at).and_then(end),
            latest: times.iter().max().and_then(at),
        }
    }
}

/// Whose word a time is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", content = "name", rename_all = "kebab-case")]
pub enum TimeSource {
    /// Those who sign the chain.
    Signer,
    /// A timestamp authority of the trust document, by its name.
    Authority(String),
    /// A witness that a policy names.
    Witness(String),
}

/// One end of the time in which something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimeBound {
    pub at: Timestamp,
    #[serde(flatten)]
    pub source: TimeSource,
}

impl TimeBound {
    fn of_token(stamped: &Stamped) -> Self {
        Self { at: stamped.latest, source: TimeSource::Authority(stamped.authority.clone()) }
    }

    /// Everybody's word that a head is the newest one, or was when they saw it.
    #[must_use]
    pub fn all(newest: Option<Timestamp>, stamped: &[Stamped], witnesses: &[Cosigned]) -> Vec<Self> {
        let latest = witnesses.iter().filter_map(|cosigned| {
            let source = TimeSource::Witness(cosigned.witness.clone());
            Some(Self { at: cosigned.latest?, source })
        });
        let signers = newest.map(|at| Self { at, source: TimeSource::Signer });
        // What an authority's clock may be wrong by makes no head younger.
        let tokens = stamped.iter().map(|stamped| Self { at: stamped.time, ..Self::of_token(stamped) });
        signers.into_iter().chain(tokens).chain(latest).collect()
    }
}

/// When the newest entry was made, and with it this version of the chain. Both ends say whose word they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeInterval {
    /// The newest time that an entry tells of.
    pub not_before: Option<TimeBound>,
    /// The first time at which others saw it; `None` when nobody says so.
    pub not_after: Option<TimeBound>,
}

impl TimeInterval {
    /// Of what entries, valid timestamps and cosignatures say. A witness whose clock was behind the newest entry bounds
    /// nothing.
    #[must_use]
    pub fn of(newest: Option<Timestamp>, stamped: &[Stamped], witnesses: &[Cosigned]) -> Self {
        let seen = witnesses.iter().filter_map(|cosigned| {
            let source = TimeSource::Witness(cosigned.witness.clone());
            let at = cosigned.not_after.filter(|at| newest.is_none_or(|newest| *at >= newest))?;
            Some(TimeBound { at, source })
        });
        Self {
            not_before: newest.map(|at| TimeBound { at, source: TimeSource::Signer }),
            not_after: stamped.iter().map(TimeBound::of_token).chain(seen).min_by_key(|bound| bound.at),
        }
    }
}

/// The result of a verification.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// No finding.
    pub verified: bool,
    /// The head or manifest that was asked for.
    pub root: Cid,
    /// CID of manifest 0.
    pub chain: Option<Cid>,
    /// The name in the trust document in force.
    pub name: Option<ChainName>,
    /// Entries of the chain.
    pub entries: u64,
    /// Entries before this one were read by an earlier verification, and not again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_seq: Option<u64>,
    /// The newest `finishedAt`.
    pub newest: Option<Timestamp>,
    /// When this version of the chain was made.
    pub time: TimeInterval,
    /// Sealed files of the entries that were read.
    pub sealed: u64,
    /// What became of them, as far as keys were at hand.
    pub sealed_states: SealedCounts,
    pub established: Established,
    /// Who cosigned the checkpoint, of the witnesses that a policy names.
    pub witnesses: Vec<Cosigned>,
    /// How old the newest word on this head is, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// What a later verification may be told to remember: this head, when it is one and without a finding.
    #[serde(skip)]
    pub memory: Option<Remembered>,
    /// What it went on from, and what a later one may go on from, where that was asked for.
    #[serde(skip)]
    pub continued: Option<Box<Continued>>,
    /// Who vouched for this head, and when.
    #[serde(skip)]
    pub vouched: Vec<TimeBound>,
    /// Evidence that the chain's own keys signed this head and one that was verified before, and that it does not go on
    /// from that one.
    #[serde(skip)]
    pub fork: Option<ForkEvidence>,
    /// The sealed files, where they were asked for.
    #[serde(skip)]
    pub sealed_files: Vec<SealedFile>,
    /// What of it came from another chain, as far as those links are to be followed.
    #[serde(skip)]
    pub promoted: Vec<Promoted>,
    /// Links to other chains that were followed, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotions: Option<PromotionsFollowed>,
    /// Manifests of which a file was opened.
    #[serde(skip)]
    pub opened: Vec<Cid>,
    pub findings: Vec<Finding>,
}

/// An entry that links to the event of another chain which showed its migration first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    pub seq: u64,
    pub version: String,
    /// Manifest of that event.
    pub from: Cid,
    /// The way up, where it is public.
    pub up: Option<Cid>,
}

/// How many links to other chains were followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionsFollowed {
    pub followed: u64,
    /// Those whose chain is not here.
    pub not_at_hand: u64,
}

impl Report {
    /// Whether all that was found is what the chain tells of itself, so that it can be copied and continued.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(Finding::is_said_by_the_chain)
    }

    /// Adds what was found after the verification ended.
    pub fn add(&mut self, finding: Finding) {
        self.verified = false;
        self.memory = None;
        if let Some(continued) = &mut self.continued {
            continued.standing = None;
        }
        match finding.fault.kind() {
            FindingKind::Integrity => self.established.intact = false,
            FindingKind::Signature => self.established.signed = false,
            FindingKind::Completeness => self.established.complete = false,
            FindingKind::Anchor => self.established.anchored = false,
            FindingKind::Corroboration | FindingKind::Continuity => {}
        }
        self.findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Digest;

    #[test]
    fn clocks_that_are_wrong_bound_nothing_and_make_nothing_younger() {
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * 1_000_000);
        let witness = |name: &str, seconds| Cosigned {
            witness: name.to_owned(),
            vkey: name.to_owned(),
            not_after: at(seconds),
            latest: at(seconds),
        };
        let token = Stamped {
            time: at(110).unwrap(),
            latest: at(900).unwrap(),
            authority: "a".to_owned(),
            root: Digest([0; 32]),
        };
        let witnesses = [witness("behind", 1), witness("right", 120)];
        let interval = TimeInterval::of(at(100), std::slice::from_ref(&token), &witnesses).not_after.unwrap();
        assert_eq!((Some(interval.at), interval.source), (at(120), TimeSource::Witness("right".to_owned())));
        let interval = TimeInterval::of(at(100), &[], &witnesses[..1]);
        assert_eq!(interval.not_after, None);
        let newest = TimeBound::all(at(100), &[token], &[]).into_iter().map(|bound| bound.at).max();
        assert_eq!(newest, at(110));
    }
}
