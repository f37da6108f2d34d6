//! Every head that an archive holds, and who vouched for it when.
//!
//! A head has its own cosignatures and timestamps alone: those of the heads before it say since when their entries have
//! been there, whoever got hold of a key later. What others signed is verified here; the chain itself is not.

mod bench;

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use self::bench::{Bench, Read};
use super::corroborate::checkpointed;
use super::gossip::trust_events;
use super::{ChainReader, OpsError, chain};
use crate::chain::proof::{ProofError, TreeTiles};
use crate::chain::{ChainKeys, TimeBound, TokenFault};
use crate::codec::note::decode_checkpoint;
use crate::codec::vkey::Vkey;
use crate::crypto::{Digest, KeyId};
use crate::model::{Checkpoint, Cid, Timestamp};

/// Whose cosignatures are verified, beside those of the policies of the trust documents; and by what rules.
pub struct Judging {
    /// What people call a witness, and its key.
    pub witnesses: Vec<(String, Vkey)>,
    /// By how many microseconds a token may lie before the newest entry.
    pub tolerance: i64,
}

/// What a line of a witness is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineStanding {
    Verified,
    /// By a key that is known, and not over this checkpoint.
    Bad,
    /// By a key that nobody here knows.
    Unknown,
}

/// One line of somebody else under a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownCosignature {
    /// What the policy or the settings call the witness; the name in the line where its key is not known.
    pub witness: String,
    pub standing: LineStanding,
    /// The time that it states.
    pub at: Option<Timestamp>,
}

/// One timestamp token of a head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownToken {
    pub verified: bool,
    /// Which authority of the trust document vouches for it.
    pub authority: Option<String>,
    pub at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<TokenFault>,
}

/// A head that was the archive's newest one at some time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldHead {
    pub head: Cid,
    pub entries: u64,
    /// When its newest entry ended, as its signers say.
    pub newest: Timestamp,
    /// The key that signed its checkpoint; `None` where that is none which counts, by what is known now.
    pub signed_by: Option<KeyId>,
    /// Whether the archive's head goes on from it.
    pub continued: bool,
    /// When all its entries were there at the latest, and whose word that is.
    pub not_after: Option<TimeBound>,
    pub cosignatures: Vec<ShownCosignature>,
    pub timestamps: Vec<ShownToken>,
    /// Timestamps behind as many as a head may have, which were not looked at.
    pub timestamps_unread: usize,
}

impl HeldHead {
    fn has_faults(&self) -> bool {
        let is_bad = |line: &ShownCosignature| line.standing == LineStanding::Bad;
        !self.continued
            || self.signed_by.is_none()
            || self.cosignatures.iter().any(is_bad)
            || self.timestamps.iter().any(|token| !token.verified)
            || self.timestamps_unread > 0
    }
}

/// A head of which the archive has not all that would have to be looked at.
#[derive(Clone, Debug, Serialize)]
pub struct PartialHead {
    pub head: Cid,
    pub reason: String,
}

/// The heads of an archive.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    pub head: Cid,
    pub chain: Cid,
    /// The newest first.
    pub heads: Vec<HeldHead>,
    pub partial: Vec<PartialHead>,
    /// Older ones that were not looked at.
    pub more: usize,
    /// From where on the archive's file cannot be read one block after the other: which heads are behind it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

impl Held {
    /// Whether something of it contradicts the archive or what others signed, or the file is damaged.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.damaged.is_some() || self.heads.iter().any(HeldHead::has_faults)
    }
}

/// The heads that the archive holds, at most `limit` of them. Reads the whole file once, and what a head says when it is
/// judged: many of them need no memory but for what is told of them.
///
/// # Errors
/// [`OpsError::Incomparable`] when the trust events of the archive are not sound, [`OpsError::Tree`] when its newest head's
/// tiles are not, and those of the archive.
pub fn heads(reader: &ChainReader, judging: &Judging, limit: Option<usize>) -> Result<Held, OpsError> {
    let (head, root) = (reader.head(), reader.root());
    let trust = trust_events(reader)?;
    let keys = ChainKeys::verify(&root, &trust)
        .map_err(|error| OpsError::Incomparable { head, detail: error.to_string() })?;
    let mut blocks = reader.archive().blocks()?;
    let cids = blocks.heads()?;
    let damaged = blocks.damage().map(ToString::to_string);
    let more = limit.map_or(0, |limit| cids.len().saturating_sub(limit));
    let asked = || cids.iter().skip(more).rev().copied();
    let sizes = asked().filter_map(|cid| Some(checkpoint_of(reader, cid).ok()?.size)).collect();
    let bench = Bench::new(reader, judging, keys, roots(reader, sizes)?);
    let (mut heads, mut partial) = (Vec::new(), Vec::new());
    for cid in asked() {
        match Read::of(reader, cid) {
            Ok(read) => heads.push(bench.judge(&read)),
            Err(error) => partial.push(PartialHead { head: cid, reason: error.to_string() }),
        }
    }
    Ok(Held { head, chain: root, heads, partial, more, damaged })
}

/// The checkpoint of a head, not verified.
fn checkpoint_of(reader: &ChainReader, head: Cid) -> Result<Checkpoint, OpsError> {
    let note = checkpointed(head, &mut |what, cid| reader.block(what, cid))?.note;
    decode_checkpoint(&note.text).map_err(|error| chain::refuse("checkpoint", head, error))
}

/// The roots that the archive's newest head has at these sizes, as far as it is that large.
fn roots(reader: &ChainReader, sizes: BTreeSet<u64>) -> Result<HashMap<u64, Digest>, OpsError> {
    let head = reader.head();
    let failed = |source: ProofError| OpsError::Tree { head, source: Box::new(source) };
    let newest = checkpoint_of(reader, head)?;
    let sizes: Vec<u64> = sizes.into_iter().filter(|size| (1..=newest.size).contains(size)).collect();
    let mut tiles = TreeTiles::new(newest.size);
    for size in &sizes {
        tiles.want_consistency(*size).map_err(failed)?;
    }
    for tile in tiles.wants() {
        let path = tile.path();
        let (_, bytes) = reader.tlog_file(&path)?.ok_or_else(|| failed(ProofError::TileMissing { path }))?;
        tiles.feed(&tile, &bytes).map_err(failed)?;
    }
    let hashes = tiles.authenticate(&newest.root).map_err(failed)?;
    sizes.into_iter().map(|size| Ok((size, hashes.root_at(size).map_err(failed)?))).collect()
}

#[cfg(test)]
mod tests;
