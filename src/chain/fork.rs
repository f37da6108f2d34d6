//! Two checkpoints that one chain's keys signed and that cannot both be true: how a verification that knows an older
//! head collects the evidence, and how anyone judges it with nothing else at hand.
//!
//! A checkpoint of size n fixes the first m leaves for every m up to n. So the smaller checkpoint is refuted by the
//! subtrees over the second tree's first m leaves: joined with those over the rest they make the larger root, and alone
//! they make another root than the smaller one.

use super::chain_keys::{ChainKeys, SignedCheckpoint, TrustEventError};
use super::compact_range::CompactRange;
use super::proof::{ProofError, TreeHashes};
use super::tree::{MerkleTree, leaf_hash};
use crate::codec::note::{Note, decode_checkpoint};
use crate::crypto::KeyId;
use crate::model::{Checkpoint, Cid, ForkEvidence, Remembered, TrustEntry};

/// Bytes of trust events that a verification keeps for evidence.
const TRUST_LIMIT: usize = 16 << 20;

/// Why evidence shows no fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFork {
    #[error("its {which} checkpoint cannot be read: {detail}")]
    Checkpoint { which: &'static str, detail: String },
    #[error("its checkpoints are of two chains, {first} and {second}")]
    Chains { first: String, second: String },
    #[error("`{0}` is not the origin of a chain")]
    Origin(String),
    #[error("its {0}")]
    Trust(#[from] TrustEventError),
    #[error("its {which} checkpoint is not signed by a key of this chain")]
    Unsigned { which: &'static str },
    #[error(
        "its first checkpoint has {first} entries and its second one {second}; the smaller one comes first"
    )]
    Order { first: u64, second: u64 },
    #[error("its hashes are not those of the second checkpoint's tree")]
    Hashes,
    #[error("its second checkpoint goes on from the first one")]
    Consistent,
}

/// A fork that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// CID of manifest 0.
    pub chain: Cid,
    /// Each with the key that signed it.
    pub first: (Checkpoint, KeyId),
    pub second: (Checkpoint, KeyId),
}

/// Judges evidence.
///
/// # Errors
/// [`NoFork`]: what it would have to show, and does not.
pub fn verify_fork(evidence: &ForkEvidence) -> Result<Fork, NoFork> {
    let (first_note, first) = read_checkpoint("first", &evidence.first)?;
    let (second_note, second) = read_checkpoint("second", &evidence.second)?;
    if first.origin != second.origin {
        return Err(NoFork::Chains { first: first.origin, second: second.origin });
    }
    let cid = first.origin.strip_prefix("greffe/").and_then(|cid| cid.parse::<Cid>().ok());
    let chain = cid.filter(|chain| Checkpoint::origin_of(chain) == first.origin);
    let chain = chain.ok_or_else(|| NoFork::Origin(first.origin.clone()))?;
    let keys = ChainKeys::verify(&chain, &evidence.trust)?;
    let signer = |which, note: &Note, checkpoint: &Checkpoint| {
        keys.signer(note, checkpoint).ok_or(NoFork::Unsigned { which })
    };
    let first_key = signer("first", &first_note, &first)?;
    let second_key = signer("second", &second_note, &second)?;
    if first.size > second.size || first.size == 0 {
        return Err(NoFork::Order { first: first.size, second: second.size });
    }
    let prefix = CompactRange::restore(0, first.size, &evidence.prefix).ok_or(NoFork::Hashes)?;
    let rest = CompactRange::restore(first.size, second.size, &evidence.rest).ok_or(NoFork::Hashes)?;
    let (at_first, whole) = (prefix.root(), prefix.followed_by(&rest).and_then(|whole| whole.root()));
    if whole != Some(second.root) {
        return Err(NoFork::Hashes);
    }
    if at_first == Some(first.root) {
        return Err(NoFork::Consistent);
    }
    Ok(Fork { chain, first: (first, first_key), second: (second, second_key) })
}

/// Whether the tree of `second` goes on from the one of `first`, by hashes of the second one; the evidence when it does
/// not. `trust`: the events that say whose signatures count.
///
/// # Errors
/// [`ProofError`] when the second one is the smaller one, or `hashes` were not asked for both ranges.
pub fn compare(
    first: &SignedCheckpoint,
    second: &SignedCheckpoint,
    hashes: &TreeHashes,
    trust: &[TrustEntry],
) -> Result<Option<ForkEvidence>, ProofError> {
    let (old, new) = (first.checkpoint.size, second.checkpoint.size);
    let prefix = hashes.range(0, old)?;
    if prefix.root() == Some(first.checkpoint.root) {
        return Ok(None);
    }
    Ok(Some(ForkEvidence {
        first: first.note.clone(),
        second: second.note.clone(),
        prefix: prefix.hashes(),
        rest: hashes.range(old, new)?.hashes(),
        trust: trust.to_vec(),
    }))
}

fn read_checkpoint(which: &'static str, text: &str) -> Result<(Note, Checkpoint), NoFork> {
    let read = Note::decode(text.as_bytes()).and_then(|note| {
        let checkpoint = decode_checkpoint(&note.text)?;
        Ok((note, checkpoint))
    });
    read.map_err(|error| NoFork::Checkpoint { which, detail: error.to_string() })
}

/// Collects evidence while a chain is verified.
#[derive(Default)]
pub(super) struct ForkWatch {
    trust: Vec<TrustEntry>,
    kept: usize,
    divergence: Option<Divergence>,
}

/// Where the chain leaves what was verified before.
struct Divergence {
    known: String,
    prefix: CompactRange,
    rest: CompactRange,
}

impl ForkWatch {
    /// Keeps an event that says whose signatures count.
    pub fn keep(&mut self, entry: TrustEntry) {
        self.kept = self.kept.saturating_add(entry.size());
        if self.kept <= TRUST_LIMIT {
            self.trust.push(entry);
        }
    }

    /// Takes the next entry.
    pub fn follow(&mut self, manifest: &Cid) {
        if let Some(divergence) = &mut self.divergence {
            divergence.rest.push(leaf_hash(manifest));
        }
    }

    /// The chain is not the one that `known` is a head of; `tree` ends where that head does.
    pub fn diverge(&mut self, known: &Remembered, tree: &MerkleTree) {
        let Some(checkpoint) = known.checkpoint.as_ref().filter(|_| self.divergence.is_none()) else {
            return;
        };
        let size = tree.size();
        if let Some(prefix) = CompactRange::restore(0, size, &tree.peaks()) {
            let (known, rest) = (checkpoint.clone(), CompactRange::empty(size));
            self.divergence = Some(Divergence { known, prefix, rest });
        }
    }

    /// The evidence, if there is any that stands by itself; `checkpoint` is that of the chain that was verified.
    pub fn finish(self, checkpoint: Option<&[u8]>) -> Option<ForkEvidence> {
        let Divergence { known, prefix, rest } = self.divergence?;
        let second = std::str::from_utf8(checkpoint?).ok()?.to_owned();
        let evidence = ForkEvidence {
            first: known,
            second,
            prefix: prefix.hashes(),
            rest: rest.hashes(),
            trust: self.trust,
        };
        verify_fork(&evidence).is_ok().then_some(evidence)
    }
}
