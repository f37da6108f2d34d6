//! Cosignatures of witnesses: lines in the note of a checkpoint (C2SP tlog-cosignature).

use super::note::{Note, NoteSignature, decode_extended_checkpoint};
use super::vkey::{NoteAlgorithm, Vkey};
#[cfg(feature = "post-quantum")]
use crate::crypto::MlDsaPrivateKey;
use crate::crypto::PrivateKey;

/// Signature lines that a merge lets a note have; reading allows more.
const LINE_LIMIT: usize = 128;
/// Begins what ML-DSA-44 signs.
const SUBTREE: &[u8; 12] = b"subtree/v1\n\0";

/// Time and signature of a timestamped signature; times beyond 2^63 - 1 are none.
#[must_use]
pub fn split(signature: &[u8]) -> Option<(u64, &[u8])> {
    let (seconds, rest) = signature.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    (i64::try_from(seconds).is_ok() && !rest.is_empty()).then_some((seconds, rest))
}

/// What a key of this name signs at a time over the text of a checkpoint; `None` where that is not one, or the names
/// are too long.
#[must_use]
pub fn signed_message(algorithm: NoteAlgorithm, name: &str, time: u64, text: &str) -> Option<Vec<u8>> {
    match algorithm {
        NoteAlgorithm::Ed25519 => Some(text.as_bytes().to_vec()),
        NoteAlgorithm::CosignatureV1 => Some(format!("cosignature/v1\ntime {time}\n{text}").into_bytes()),
        NoteAlgorithm::MlDsa44 => {
            let checkpoint = decode_extended_checkpoint(text).ok()?;
            let mut message = SUBTREE.to_vec();
            push_opaque(&mut message, name)?;
            message.extend(time.to_be_bytes());
            push_opaque(&mut message, &checkpoint.origin)?;
            message.extend(0_u64.to_be_bytes());
            message.extend(checkpoint.size.to_be_bytes());
            message.extend(checkpoint.root.0);
            Some(message)
        }
    }
}

fn push_opaque(message: &mut Vec<u8>, text: &str) -> Option<()> {
    message.push(u8::try_from(text.len()).ok().filter(|length| *length > 0)?);
    message.extend(text.as_bytes());
    Some(())
}

/// The line by which a witness says that it has seen the checkpoint `text` at a time in POSIX seconds. `vkey` is the
/// one of `key`.
#[must_use]
pub fn cosign(vkey: &Vkey, key: &PrivateKey, time: u64, text: &str) -> NoteSignature {
    let message = format!("cosignature/v1\ntime {time}\n{text}");
    line(vkey, time, &key.sign(message.as_bytes()).0)
}

/// The same by ML-DSA-44; `None` where the text is not a checkpoint.
#[cfg(feature = "post-quantum")]
#[must_use]
pub fn cosign_ml_dsa(vkey: &Vkey, key: &MlDsaPrivateKey, time: u64, text: &str) -> Option<NoteSignature> {
    let message = signed_message(NoteAlgorithm::MlDsa44, vkey.name(), time, text)?;
    Some(line(vkey, time, &key.sign(&message)))
}

fn line(vkey: &Vkey, time: u64, signature: &[u8]) -> NoteSignature {
    let signature = [&time.to_be_bytes(), signature].concat();
    NoteSignature { name: vkey.name().to_owned(), key_id: vkey.id(), signature }
}

/// Adds cosignatures to a checkpoint's note, and says whether it changed. No line of another key goes, and of the
/// lines of one key the earliest stays, which bounds the entries' age best, and the latest, which shows the head to be
/// fresh.
pub fn merge(note: &mut Note, cosignatures: impl IntoIterator<Item = NoteSignature>) -> bool {
    let mut changed = false;
    for line in cosignatures {
        let of_key = |other: &NoteSignature| other.name == line.name && other.key_id == line.key_id;
        let places: Vec<usize> =
            (0..note.signatures.len()).filter(|place| of_key(&note.signatures[*place])).collect();
        let time = |line: &NoteSignature| split(&line.signature).map(|(time, _)| time);
        let at = time(&line);
        let compare = |place: &usize| at.cmp(&time(&note.signatures[*place]));
        match places.as_slice() {
            [] if note.signatures.len() < LINE_LIMIT => note.signatures.push(line),
            [only] if compare(only).is_lt() => note.signatures.insert(*only, line),
            [only] if compare(only).is_gt() => note.signatures.insert(only + 1, line),
            [first, _, ..] if compare(first).is_lt() => note.signatures[*first] = line,
            [.., _, last] if compare(last).is_gt() => note.signatures[*last] = line,
            _ => continue,
        }
        changed = true;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::vkey::VkeyVerdict;

    fn claimed(name: &str, at: u64) -> NoteSignature {
        let signature = [at.to_be_bytes().as_slice(), &[7; 64]].concat();
        NoteSignature { name: name.to_owned(), key_id: [1; 4], signature }
    }

    #[test]
    fn a_merge_takes_nothing_away_but_what_lies_between_two_of_one_key() {
        let own = NoteSignature { name: "log".into(), key_id: [0; 4], signature: vec![9; 64] };
        let mut note = Note { text: "text\n".into(), signatures: vec![own.clone()] };
        assert!(merge(&mut note, [claimed("w1", 50), claimed("w2", 60)]));
        assert!(!merge(&mut note, [claimed("w1", 50)]));
        assert!(merge(&mut note, [claimed("w1", 70)]));
        assert!(merge(&mut note, [claimed("w1", 90)]));
        assert!(merge(&mut note, [claimed("w1", 40)]));
        // Neither earlier nor later than what is there.
        assert!(!merge(&mut note, [claimed("w1", 60)]));
        assert_eq!(note.signatures, [own, claimed("w1", 40), claimed("w1", 90), claimed("w2", 60)]);
    }

    #[test]
    fn what_a_witness_signs_verifies_and_is_what_others_sign() {
        let key = PrivateKey::from_seed(&[2; 32]);
        let vkey = Vkey::cosignature("witness.example/w1", *key.public()).unwrap();
        let text = "example.com/migrations/orders\n7\nj19i1QFhivasIiMQV1Gjvm6H7tndKS0hEgo33poriu8=\n";
        let line = cosign(&vkey, &key, 1_767_225_600, text);
        let note = Note { text: text.to_owned(), signatures: vec![line] };
        assert_eq!(vkey.verify(&note), VkeyVerdict::Valid { times: vec![1_767_225_600] });
        // The line that other programs accepted.
        let expected = "3xwKNQAAAABpVbkAdzrNkBREUjGpitBY94NtgiqVAC0b//LvfkI8fuM+F3P0izKgkiBcJgZRe2LXyUvEzvfTWd5uSPKXg9eZNqDtBA==\n";
        assert!(String::from_utf8(note.encode()).unwrap().ends_with(expected));
    }
}
