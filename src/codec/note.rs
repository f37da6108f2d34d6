//! Signed notes and checkpoints ⇄ text (C2SP signed-note, tlog-checkpoint; FORMAT §5).

use data_encoding::{BASE64, HEXLOWER};

use crate::crypto::{Digest, PublicKey, SignError, Signature, Signer, decode_base64};
use crate::model::Checkpoint;

/// Signature type of Ed25519 (C2SP signed-note).
const ED25519: u8 = 0x01;
/// Larger notes are refused.
pub const NOTE_LIMIT: usize = 1 << 20;
/// C2SP asks for at least 16; a bound on work.
const SIGNATURE_LIMIT: usize = 256;

/// Why text is not a signed note or a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the note has {0} bytes, more than {NOTE_LIMIT}")]
    TooLarge(usize),
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    /// First 4 bytes of a hash over name, type and key.
    pub key_id: [u8; 4],
    /// Type-dependent; 64 bytes for a plain Ed25519 signature.
    pub signature: Vec<u8>,
}

/// A note and its signature lines. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Ends with a line feed; the signed bytes.
    pub text: String,
    pub signatures: Vec<NoteSignature>,
}

/// What the lines of one key say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteVerdict {
    /// No line is by the key.
    Absent,
    Valid,
    /// A line is by the key and its signature is not over this text.
    Invalid,
}

impl Note {
    /// Signs `text` under `name`.
    ///
    /// `text` has to end with a line feed, as [`encode_checkpoint`]'s does.
    ///
    /// # Errors
    /// [`SignError`] when the key does not sign.
    pub fn sign(text: String, name: &str, key: &dyn Signer) -> Result<Self, SignError> {
        let signature = NoteSignature {
            name: name.to_owned(),
            key_id: key_id(name, ED25519, key.public()),
            signature: key.sign(text.as_bytes())?.0.to_vec(),
        };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// What the Ed25519 lines of `key` under `name` say of the text.
    #[must_use]
    pub fn verify(&self, name: &str, key: &PublicKey) -> NoteVerdict {
        let wanted = key_id(name, ED25519, key);
        let mut verdict = NoteVerdict::Absent;
        for line in self.signatures.iter().filter(|line| line.key_id == wanted && line.name == name) {
            let valid = <[u8; 64]>::try_from(line.signature.as_slice())
                .is_ok_and(|signature| key.verify(self.text.as_bytes(), &Signature(signature)));
            if !valid {
                return NoteVerdict::Invalid;
            }
            verdict = NoteVerdict::Valid;
        }
        verdict
    }

    /// The Ed25519 signatures of `key` under `name`, valid or not.
    pub fn signatures_by(&self, name: &str, key: &PublicKey) -> impl Iterator<Item = &[u8]> {
        let wanted = key_id(name, ED25519, key);
        let lines = self.signatures.iter().filter(move |line| line.key_id == wanted && line.name == name);
        lines.map(|line| line.signature.as_slice())
    }

    /// Writes text, an empty line and the signature lines.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        format!("{}\n{}", self.text, encode_signatures(&self.signatures)).into_bytes()
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] for another shape, control characters, or base64 in another spelling.
    pub fn decode(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LIMIT {
            return Err(NoteError::TooLarge(bytes.len()));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Malformed("it holds a control character"));
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines =
            lines.strip_suffix('\n').ok_or(NoteError::Malformed("no signature line, or no line end"))?;
        let signatures = decode_lines(lines)?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

/// Reads signature lines, the last without its line feed.
fn decode_lines(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let signatures = lines.split('\n').map(decode_line).collect::<Result<Vec<_>, _>>()?;
    let few = signatures.len() <= SIGNATURE_LIMIT;
    if few { Ok(signatures) } else { Err(NoteError::Malformed("more than 256 signature lines")) }
}

/// Reads signature lines without a note, as witnesses answer (C2SP tlog-witness).
///
/// # Errors
/// [`NoteError`].
pub fn decode_signatures(bytes: &[u8]) -> Result<Vec<NoteSignature>, NoteError> {
    let lines = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("no signature line, or no line end"))?;
    decode_lines(lines)
}

/// Writes signature lines without a note.
#[must_use]
pub fn encode_signatures(signatures: &[NoteSignature]) -> String {
    signatures.iter().map(encode_line).collect()
}

fn encode_line(line: &NoteSignature) -> String {
    let bytes = [line.key_id.as_slice(), &line.signature].concat();
    format!("\u{2014} {} {}\n", line.name, BASE64.encode(&bytes))
}

fn decode_line(line: &str) -> Result<NoteSignature, NoteError> {
    let malformed = NoteError::Malformed("a signature line is `— name base64`");
    let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
    let Some((name, base64)) = parts else { return Err(malformed) };
    if name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace) {
        return Err(NoteError::Malformed("a key's name is not empty and has neither white space nor `+`"));
    }
    let bytes = decode_base64(base64).ok_or_else(|| malformed.clone())?;
    let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(malformed)?;
    if signature.is_empty() {
        return Err(NoteError::Malformed("a signature is empty"));
    }
    Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
}

/// First 4 bytes of SHA-256 over name, line feed, type and key (C2SP signed-note).
fn key_id(name: &str, kind: u8, key: &PublicKey) -> [u8; 4] {
    let digest = Digest::of(&[name.as_bytes(), b"\n", &[kind], key.as_bytes().as_slice()].concat());
    let [a, b, c, d, ..] = digest.0;
    [a, b, c, d]
}

/// The verifier key of `key` under `name`: name, key ID and key in one word, as programs of C2SP are given it.
#[must_use]
pub fn encode_verifier_key(name: &str, key: &PublicKey) -> String {
    let id = HEXLOWER.encode(&key_id(name, ED25519, key));
    format!("{name}+{id}+{}", BASE64.encode(&[&[ED25519], key.as_bytes().as_slice()].concat()))
}

/// Writes the body of a checkpoint: origin, size, root, each on a line.
#[must_use]
pub fn encode_checkpoint(checkpoint: &Checkpoint) -> String {
    format!("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, BASE64.encode(&checkpoint.root.0))
}

/// Reads the body of a checkpoint; extension lines are refused, this format has none.
///
/// # Errors
/// [`NoteError::Checkpoint`].
pub fn decode_checkpoint(text: &str) -> Result<Checkpoint, NoteError> {
    match text.split('\n').count() {
        4 => decode_extended_checkpoint(text),
        _ => Err(NoteError::Checkpoint("it has three lines: origin, size, root")),
    }
}

/// The same of any log (C2SP tlog-checkpoint), which may have extension lines.
///
/// # Errors
/// [`NoteError::Checkpoint`].
pub fn decode_extended_checkpoint(text: &str) -> Result<Checkpoint, NoteError> {
    let lines: Vec<&str> = text.split('\n').collect();
    let [origin, size, root, ref extensions @ .., ""] = lines[..] else {
        return Err(NoteError::Checkpoint("it begins with three lines: origin, size, root"));
    };
    if extensions.iter().any(|line| line.is_empty()) {
        return Err(NoteError::Checkpoint("an extension line is not empty"));
    }
    let number: u64 = size.parse().map_err(|_| NoteError::Checkpoint("the size is a decimal number"))?;
    if origin.is_empty() || number.to_string() != size {
        return Err(NoteError::Checkpoint(
            "the origin is not empty and the size has no sign or leading zero",
        ));
    }
    let root = decode_base64(root)
        .and_then(|root| root.try_into().ok())
        .ok_or(NoteError::Checkpoint("the root is 32 bytes in base64"))?;
    Ok(Checkpoint { origin: origin.to_owned(), size: number, root: Digest(root) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the signed-note specification of C2SP.
    #[test]
    fn the_note_of_the_specification_verifies() {
        let vkey = BASE64.decode(b"AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
        let key = PublicKey::from_bytes(&vkey[1..]).unwrap();
        let text = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        let note = Note::decode(text.as_bytes()).unwrap();
        assert_eq!(note.verify("example.com/foo", &key), NoteVerdict::Valid);
        assert_eq!(note.verify("example.com/bar", &key), NoteVerdict::Absent);
        assert_eq!(note.encode(), text.as_bytes());
        let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        assert_eq!(encode_verifier_key("example.com/foo", &key), vkey);
        let changed = Note { text: "another\n".into(), ..note };
        assert_eq!(changed.verify("example.com/foo", &key), NoteVerdict::Invalid);
    }

    #[test]
    fn checkpoints_go_both_ways_and_have_one_spelling() {
        let checkpoint = Checkpoint { origin: "greffe/x".into(), size: 7, root: Digest([3; 32]) };
        let text = encode_checkpoint(&checkpoint);
        assert_eq!(decode_checkpoint(&text), Ok(checkpoint));
        for bad in [
            text.replace("\n7\n", "\n07\n"),
            text.replace("\n7\n", "\n+7\n"),
            text.replace("\n7\n", "\n-1\n"),
            text.replace("greffe/x", ""),
            format!("{text}extension\n"),
            text.trim_end().to_owned(),
            text.replace('=', ""),
        ] {
            assert!(decode_checkpoint(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn odd_notes_are_refused() {
        for bad in [
            "",
            "\n",
            "\n\n",
            "text\n\n",
            "text\n\n\u{2014} a\n",
            "text\n\n\u{2014} a+b AAAAAAA=\n",
            "t\r\n\n\u{2014} a AAAAAAA=\n",
            "text\n\n\u{2014} a AAAAAAA=",
            "text\n\n- a AAAAAAA=\n",
            "text\n\n\u{2014} a AAAAAA==\n",
        ] {
            assert!(Note::decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
