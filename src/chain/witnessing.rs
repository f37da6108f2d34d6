//! What a witness holds a log to (C2SP tlog-witness): a checkpoint is signed by a key that is known for its origin, and
//! continues the one that was cosigned last. Keeps nothing; whoever keeps it has to ask and keep at once.

use super::proof::{ConsistencyProof, ProofError, verify_consistency};
use crate::codec::add_checkpoint::AddCheckpoint;
use crate::codec::note::{NoteSignature, decode_extended_checkpoint};
use crate::codec::vkey::{Vkey, VkeyVerdict};
use crate::crypto::Digest;
use crate::model::Checkpoint;

/// The tree that was cosigned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub size: u64,
    pub root: Digest,
}

impl Seen {
    /// Of a log of which nothing was cosigned.
    #[must_use]
    pub fn nothing() -> Self {
        Self { size: 0, root: Digest::of(b"") }
    }
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this is no checkpoint, or no proof for it: {0}")]
    Malformed(&'static str),
    #[error("no key is known for the log {0}")]
    UnknownOrigin(String),
    #[error("no key that is known for this log signed the checkpoint, or one of them did not sign this")]
    Unsigned,
    #[error("the checkpoint that was cosigned last has {0} leaves")]
    Conflict(u64),
    #[error("the checkpoint does not continue the one that was cosigned last: {0}")]
    Inconsistent(ProofError),
}

/// A checkpoint of a log that is known, signed by it.
pub struct Signed {
    request: AddCheckpoint,
    checkpoint: Checkpoint,
}

impl Signed {
    /// Judges all that does not depend on what was cosigned before. `keys` gives those that are known for an origin.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn new<'a, K: IntoIterator<Item = &'a Vkey>>(
        mut request: AddCheckpoint,
        keys: impl FnOnce(&str) -> Option<K>,
    ) -> Result<Self, Refusal> {
        let checkpoint = decode_extended_checkpoint(&request.checkpoint.text);
        let checkpoint = checkpoint.map_err(|_| Refusal::Malformed("its text is not a checkpoint"))?;
        let keys =
            keys(&checkpoint.origin).ok_or_else(|| Refusal::UnknownOrigin(checkpoint.origin.clone()))?;
        let mut own = Vec::new();
        for key in keys {
            match key.verify(&request.checkpoint) {
                VkeyVerdict::Absent => {}
                VkeyVerdict::Valid { .. } => own.push((key.name().to_owned(), key.id())),
                VkeyVerdict::Invalid => return Err(Refusal::Unsigned),
            }
        }
        if own.is_empty() {
            return Err(Refusal::Unsigned);
        }
        // What is kept and shown to others are the log's own lines: anybody may have added some.
        let is_own =
            |line: &NoteSignature| own.iter().any(|(name, id)| *name == line.name && *id == line.key_id);
        request.checkpoint.signatures.retain(is_own);
        if request.old > checkpoint.size {
            return Err(Refusal::Malformed("the old size is larger than the checkpoint's"));
        }
        Ok(Self { request, checkpoint })
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// What was asked.
    #[must_use]
    pub const fn request(&self) -> &AddCheckpoint {
        &self.request
    }

    /// Whether the checkpoint continues what was seen; gives what is seen then.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] where the log takes something else for the last that was cosigned, and
    /// [`Refusal::Inconsistent`] where this one does not continue it.
    pub fn continues(&self, seen: &Seen) -> Result<Seen, Refusal> {
        let now = Seen { size: self.checkpoint.size, root: self.checkpoint.root };
        if self.request.old != seen.size {
            return Err(Refusal::Conflict(seen.size));
        }
        let path = self.request.proof.clone();
        let proof = ConsistencyProof { old: seen.size, new: now.size, path };
        verify_consistency(&seen.root, &now.root, &proof).map_err(Refusal::Inconsistent)?;
        Ok(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::MerkleTree;
    use crate::chain::proof::TreeTiles;
    use crate::codec::note::{Note, encode_checkpoint};
    use crate::crypto::PrivateKey;
    use crate::model::{Cid, Codec};

    const ORIGIN: &str = "example.com/log";

    fn key() -> PrivateKey {
        PrivateKey::from_seed(&[1; 32])
    }

    fn tree(size: u32, label: &str) -> MerkleTree {
        let mut tree = MerkleTree::default();
        (0..size).for_each(|n| tree.push(&Cid::of(Codec::Raw, format!("{label}{n}").as_bytes()), |_| ()));
        tree
    }

    fn note(tree: &MerkleTree) -> Note {
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
        Note::sign(encode_checkpoint(&checkpoint), ORIGIN, &key()).unwrap()
    }

    /// Proof out of the one tile that so small a tree has.
    fn proof(tree: &MerkleTree, old: u64) -> Vec<Digest> {
        let mut tiles = TreeTiles::new(tree.size());
        tiles.want_consistency(old).unwrap();
        for tile in tiles.wants() {
            let bytes: Vec<u8> = tree.edge()[0].iter().flat_map(|hash| hash.0).collect();
            tiles.feed(&tile, &bytes).unwrap();
        }
        tiles.authenticate(&tree.root()).unwrap().consistency(old).unwrap().path
    }

    fn ask(old: u64, proof: Vec<Digest>, checkpoint: Note, seen: Seen) -> Result<Seen, Refusal> {
        let known = [Vkey::ed25519(ORIGIN, *key().public())];
        let request = AddCheckpoint { old, proof, checkpoint };
        let signed = Signed::new(request, |origin| (origin == ORIGIN).then_some(known.iter()))?;
        signed.continues(&seen)
    }

    #[test]
    fn a_log_that_grows_is_followed() {
        let (three, seven) = (tree(3, "a"), tree(7, "a"));
        let seen = ask(0, vec![], note(&three), Seen::nothing()).unwrap();
        assert_eq!(seen, Seen { size: 3, root: three.root() });
        let seen = ask(3, proof(&seven, 3), note(&seven), seen).unwrap();
        assert_eq!(seen.size, 7);
        // The same once more, for a fresh cosignature.
        assert_eq!(ask(7, vec![], note(&seven), seen), Ok(seen));
    }

    #[test]
    fn attack_a_fork_is_shown_to_a_witness() {
        let (seven, other) = (tree(7, "a"), tree(9, "b"));
        let seen = Seen { size: 7, root: seven.root() };
        let forked = ask(7, proof(&other, 7), note(&other), seen);
        assert!(matches!(forked, Err(Refusal::Inconsistent(_))), "{forked:?}");
        // As large, with other entries.
        let forked = ask(7, vec![], note(&tree(7, "b")), seen);
        assert!(matches!(forked, Err(Refusal::Inconsistent(_))), "{forked:?}");
    }

    #[test]
    fn attack_a_log_is_rolled_back_at_a_witness() {
        let (three, seven) = (tree(3, "a"), tree(7, "a"));
        let seen = Seen { size: 7, root: seven.root() };
        assert_eq!(ask(3, vec![], note(&three), seen), Err(Refusal::Conflict(7)));
        assert_eq!(ask(0, vec![], note(&three), seen), Err(Refusal::Conflict(7)));
        let larger = Err(Refusal::Malformed("the old size is larger than the checkpoint's"));
        assert_eq!(ask(7, vec![], note(&three), seen), larger);
    }

    #[test]
    fn attack_degenerate_proofs() {
        let (three, seven) = (tree(3, "a"), tree(7, "a"));
        let seen = Seen { size: 3, root: three.root() };
        let sound = proof(&seven, 3);
        let surplus = [sound.clone(), vec![seven.root()]].concat();
        let short = sound[1..].to_vec();
        for bad in [surplus, short, vec![], vec![seven.root()]] {
            let refused = ask(3, bad, note(&seven), seen);
            assert!(matches!(refused, Err(Refusal::Inconsistent(_))), "{refused:?}");
        }
        // A proof for nothing, and an empty tree with another root than that of nothing.
        let refused = ask(0, sound, note(&seven), Seen::nothing());
        assert!(matches!(refused, Err(Refusal::Inconsistent(_))), "{refused:?}");
        let empty = Checkpoint { origin: ORIGIN.to_owned(), size: 0, root: seven.root() };
        let empty = Note::sign(encode_checkpoint(&empty), ORIGIN, &key()).unwrap();
        let refused = ask(0, vec![], empty, Seen::nothing());
        assert!(matches!(refused, Err(Refusal::Inconsistent(_))), "{refused:?}");
    }

    #[test]
    fn who_is_not_known_is_refused() {
        let three = tree(3, "a");
        let checkpoint = Checkpoint { origin: "other".to_owned(), size: 3, root: three.root() };
        let other = Note::sign(encode_checkpoint(&checkpoint), "other", &key()).unwrap();
        assert_eq!(ask(0, vec![], other, Seen::nothing()), Err(Refusal::UnknownOrigin("other".into())));
        let stranger = PrivateKey::from_seed(&[2; 32]);
        let text = note(&three).text;
        let unsigned = Note::sign(text.clone(), ORIGIN, &stranger).unwrap();
        assert_eq!(ask(0, vec![], unsigned.clone(), Seen::nothing()), Err(Refusal::Unsigned));
        // A stranger's line beside the log's own is ignored; a bad one by the log's key is not.
        let mut both = note(&three);
        both.signatures.extend(unsigned.signatures);
        assert!(ask(0, vec![], both.clone(), Seen::nothing()).is_ok());
        // Nor is it kept, to be shown to others.
        let request = AddCheckpoint { old: 0, proof: vec![], checkpoint: both.clone() };
        let known = [Vkey::ed25519(ORIGIN, *key().public())];
        let signed = Signed::new(request, |_| Some(known.iter())).unwrap();
        assert_eq!(signed.request().checkpoint, note(&three));
        let mut bad = note(&tree(4, "a")).signatures;
        both.signatures.append(&mut bad);
        assert_eq!(ask(0, vec![], both, Seen::nothing()), Err(Refusal::Unsigned));
        let malformed = Note::sign("one line\n".to_owned(), ORIGIN, &key()).unwrap();
        assert!(matches!(ask(0, vec![], malformed, Seen::nothing()), Err(Refusal::Malformed(_))));
    }
}
