//! What a log asks of a witness ⇄ text (C2SP tlog-witness, `add-checkpoint`).

use data_encoding::BASE64;

use super::note::{Note, NoteError};
use crate::crypto::{Digest, decode_base64};

/// A proof has no more hashes: a tree has no more levels.
pub const PROOF_LIMIT: usize = 63;
/// Larger requests are refused: a proof, and a checkpoint with many lines by large keys.
pub const REQUEST_LIMIT: usize = 256 << 10;
/// Where below its prefix a witness is asked.
pub const PATH: &str = "add-checkpoint";
/// What the size is called that a witness answers where it has another one.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness has, as the log knows.
    pub old: u64,
    /// That the tree continues the one of that size (RFC 6962 §2.1.2).
    pub proof: Vec<Digest>,
    pub checkpoint: Note,
}

/// Why bytes are no such request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointError {
    #[error("the request has {0} bytes, more than {REQUEST_LIMIT}")]
    TooLarge(usize),
    #[error("not a request: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl AddCheckpoint {
    /// Writes the request.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let hashes: String = self.proof.iter().map(|hash| format!("{}\n", BASE64.encode(&hash.0))).collect();
        [format!("old {}\n{hashes}\n", self.old).into_bytes(), self.checkpoint.encode()].concat()
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`AddCheckpointError`] for another shape, another spelling, or more than [`PROOF_LIMIT`] hashes.
    pub fn decode(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        let malformed = AddCheckpointError::Malformed;
        if bytes.len() > REQUEST_LIMIT {
            return Err(AddCheckpointError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        let parts = text.split_once("\n\n");
        let (front, checkpoint) = parts.ok_or(malformed("no empty line before the checkpoint"))?;
        let mut lines = front.split('\n');
        let old = lines.next().and_then(|line| parse_size(line.strip_prefix("old ")?));
        let old = old.ok_or(malformed("its first line is not `old` and a size"))?;
        let hash = |line: &str| Some(Digest(decode_base64(line)?.try_into().ok()?));
        let proof: Option<Vec<Digest>> = lines.map(hash).collect();
        let proof = proof.ok_or(malformed("a line of the proof is not a hash in base64"))?;
        if proof.len() > PROOF_LIMIT {
            return Err(malformed("the proof has more than 63 hashes"));
        }
        Ok(Self { old, proof, checkpoint: Note::decode(checkpoint.as_bytes())? })
    }
}

/// Reads a size in decimal without sign or leading zeroes.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|size| size.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKPOINT: &str = "o\n1\nAAAA\n\n\u{2014} o AAAAAAA=\n";

    #[test]
    fn a_request_goes_both_ways_and_has_one_spelling() {
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=";
        let text = format!("old 7\n{hash}\n{hash}\n\n{CHECKPOINT}");
        let request = AddCheckpoint::decode(text.as_bytes()).unwrap();
        assert_eq!((request.old, request.proof.len()), (7, 2));
        assert_eq!(request.encode(), text.as_bytes());
        let bare = format!("old 0\n\n{CHECKPOINT}");
        assert_eq!(AddCheckpoint::decode(bare.as_bytes()).unwrap().encode(), bare.as_bytes());
        for bad in [
            String::new(),
            "old 0\n\n".to_owned(),
            CHECKPOINT.to_owned(),
            bare.replace("old 0", "old 00"),
            bare.replace("old 0", "old -1"),
            bare.replace("old 0", "old +1"),
            bare.replace("old 0", "old 18446744073709551616"),
            bare.replace("old 0", "Old 0"),
            bare.replace("old 0", "old 0 "),
            bare.replace("old 0", "old 0\r"),
            text.replace("kaw=", "ka"),
            text.replace("kaw=", "kax="),
            text.replace("kaw=\n\n", "kaw=\n"),
            format!("old 7\n{}\n{CHECKPOINT}", format!("{hash}\n").repeat(64)),
        ] {
            assert!(AddCheckpoint::decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let most = format!("old 7\n{}\n{CHECKPOINT}", format!("{hash}\n").repeat(63));
        assert!(AddCheckpoint::decode(most.as_bytes()).is_ok());
    }
}
