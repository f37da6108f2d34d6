//! Proofs that a leaf is in a log ⇄ text (C2SP tlog-proof): an index, hashes, and the checkpoint that they lead to.

use data_encoding::BASE64;

use super::note::{NOTE_LIMIT, Note, NoteError, decode_checkpoint};
use crate::crypto::{Digest, decode_base64};
use crate::model::Checkpoint;

/// The first line.
const MAGIC: &str = "c2sp.org/tlog-proof@v1";
/// A tree whose leaves can be counted is no higher.
const PATH_LIMIT: usize = 64;
/// Bytes of `extra` that are read; they are of no use to this program.
const EXTRA_LIMIT: usize = 64 << 10;
/// A proof whose text is longer is refused.
pub const TLOG_PROOF_LIMIT: usize = NOTE_LIMIT + 2 * EXTRA_LIMIT;

/// Why text is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    #[error("the proof has {0} bytes, more than {TLOG_PROOF_LIMIT}")]
    TooLarge(usize),
    #[error("not a tlog-proof: {0}")]
    Malformed(&'static str),
    #[error("the proof's checkpoint cannot be read: {0}")]
    Checkpoint(#[from] NoteError),
}

/// A proof. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Position of the leaf.
    pub index: u64,
    /// From the leaf's sibling up to a child of the root.
    pub path: Vec<Digest>,
    /// The checkpoint's note, byte for byte.
    pub checkpoint: Vec<u8>,
}

impl TlogProof {
    /// Writes the proof; `extra` is left out, since nothing vouches for it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{MAGIC}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&BASE64.encode(&hash.0));
            text.push('\n');
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// Reads a proof. An `extra` line has to be well formed and is forgotten: whoever handed the proof over may
    /// have written anything there.
    ///
    /// # Errors
    /// [`TlogProofError`] for another shape, other base64, or text that has no checkpoint's note.
    pub fn decode(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > TLOG_PROOF_LIMIT {
            return Err(TlogProofError::TooLarge(bytes.len()));
        }
        let mut rest = bytes;
        if take_line(&mut rest)? != MAGIC {
            return Err(TlogProofError::Malformed("its first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let mut line = take_line(&mut rest)?;
        if let Some(extra) = line.strip_prefix("extra ") {
            if extra.len() > EXTRA_LIMIT || decode_base64(extra).is_none() {
                return Err(TlogProofError::Malformed("`extra` is not base64, or too long"));
            }
            line = take_line(&mut rest)?;
        }
        let number =
            line.strip_prefix("index ").ok_or(TlogProofError::Malformed("it has no `index` line"))?;
        let index: u64 = number.parse().map_err(|_| TlogProofError::Malformed("the index is no number"))?;
        if index.to_string() != number {
            return Err(TlogProofError::Malformed("the index has a sign or a leading zero"));
        }
        let mut path = Vec::new();
        loop {
            let line = take_line(&mut rest)?;
            if line.is_empty() {
                break;
            }
            let hash = decode_base64(line).and_then(|hash| hash.try_into().ok());
            path.push(Digest(hash.ok_or(TlogProofError::Malformed("a hash is not 32 bytes in base64"))?));
            if path.len() > PATH_LIMIT {
                return Err(TlogProofError::Malformed("it has more than 64 hashes"));
            }
        }
        let proof = Self { index, path, checkpoint: rest.to_vec() };
        proof.checkpoint()?;
        Ok(proof)
    }

    /// The checkpoint and its note.
    ///
    /// # Errors
    /// [`NoteError`]; never of a proof that was decoded.
    pub fn checkpoint(&self) -> Result<(Note, Checkpoint), NoteError> {
        let note = Note::decode(&self.checkpoint)?;
        let checkpoint = decode_checkpoint(&note.text)?;
        Ok((note, checkpoint))
    }
}

fn take_line<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, TlogProofError> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) =
        bytes.split_at(end.ok_or(TlogProofError::Malformed("it ends in the middle of a line"))?);
    *bytes = &rest[1..];
    std::str::from_utf8(line).map_err(|_| TlogProofError::Malformed("not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven leaves, `migration-0` to `migration-6`, each with a line feed; leaf 4, and a cosignature. Accepted by
    /// golang.org/x/mod.
    const SAMPLE: &str = "c2sp.org/tlog-proof@v1\nindex 4\ny1U9DZnZmrBosoiOyXrMX7AH6lzVvXqOrOQrVcjEZHo=\n\
        Tyx1P4kJygITLvxgkAZZNnYGJQmA5lOOvCuHGqVIMOU=\n+NQiGlRT3jaeJgDWdqPfPcf5WAkGqvRJWggFimGRJ7c=\n\n\
        example.com/migrations/orders\n7\nj19i1QFhivasIiMQV1Gjvm6H7tndKS0hEgo33poriu8=\n\n\
        \u{2014} example.com/migrations/orders Y09u/4O3fKb04f77TYxYhwkaMciofihi3L4vj3FX41QrH7iG2unNOFtAYOWC6cN0Tr0Bbc3eEBxtXg+SMVeiCpDNuwk=\n\
        \u{2014} witness.example/w1 3xwKNQAAAABpVbkAdzrNkBREUjGpitBY94NtgiqVAC0b//LvfkI8fuM+F3P0izKgkiBcJgZRe2LXyUvEzvfTWd5uSPKXg9eZNqDtBA==\n";

    #[test]
    fn a_proof_that_others_accept_goes_both_ways() {
        let proof = TlogProof::decode(SAMPLE.as_bytes()).unwrap();
        assert_eq!((proof.index, proof.path.len()), (4, 3));
        assert_eq!(proof.checkpoint().unwrap().1.size, 7);
        assert_eq!(proof.encode(), SAMPLE.as_bytes());
        let extra = SAMPLE.replacen("index", "extra aGk=\nindex", 1);
        assert_eq!(TlogProof::decode(extra.as_bytes()), Ok(proof));
    }

    #[test]
    fn odd_proofs_are_refused() {
        let hash = "y1U9DZnZmrBosoiOyXrMX7AH6lzVvXqOrOQrVcjEZHo=\n";
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 4", "index 04"),
            ("index 4", "index +4"),
            ("index 4", "index -4"),
            ("index 4", "index 18446744073709551616"),
            ("index 4\n", ""),
            ("index 4", "extra aGk\nindex 4"),
            ("index 4", "extra aGk=\nextra aGk=\nindex 4"),
            ("HHo=\n", "HHo=\r\n"),
            ("EZHo=", "EZHp="),
            (hash, "aGk=\n"),
            (hash, &hash.repeat(65)),
            ("\n7\n", "\n07\n"),
            ("\n7\n", "\n"),
        ] {
            let odd = SAMPLE.replacen(from, to, 1);
            if odd != SAMPLE {
                assert!(TlogProof::decode(odd.as_bytes()).is_err(), "{to:?}");
            }
        }
        for end in 0..SAMPLE.len() {
            let cut = &SAMPLE.as_bytes()[..end];
            // A whole signature line less is a proof still.
            assert_eq!(TlogProof::decode(cut).is_ok(), cut.ends_with(b"VeiCpDNuwk=\n"), "{end}");
        }
    }
}
