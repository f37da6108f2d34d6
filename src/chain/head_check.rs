//! Whether a head is what the manifests make (FORMAT §9, step 7): entries, tiles, checkpoint; and
//! whether its timestamps hold (step 8).

use super::finding::{Fault, Text};
use super::timestamp::{Authority, TOKENS_LIMIT, imprints_of, verify_token};
use super::verify::Verifier;
use crate::codec::note::{Note, NoteVerdict, decode_checkpoint};
use crate::crypto::Digest;
use crate::model::Checkpoint;

impl Verifier {
    pub(super) fn check_head(&mut self) {
        let Some(head) = self.head.take() else { return };
        let newest = self.story.last;
        if newest != Some(head.manifest) {
            let fault = Fault::HeadDiffers {
                member: "manifest",
                expected: Text(newest),
                found: Text(Some(head.manifest)),
            };
            self.find(None, fault);
        }
        let entries = self.snapshot.entries.root(&mut |_| ());
        if entries != Some(head.entries) {
            let fault = Fault::HeadDiffers {
                member: "entries",
                expected: Text(entries),
                found: Text(Some(head.entries)),
            };
            self.find(None, fault);
        }
        let before = self.findings.len();
        // Where it went on from an earlier one, the directory below is compared as a whole.
        if self.story.since.is_none() {
            self.check_tiles();
        }
        let imprints = match self.checkpoint.clone() {
            Some(bytes) => {
                let expected = self.snapshot.directory(bytes.clone(), &mut |_| ());
                // The same files in other directories: an empty one more, sizes that are not theirs.
                if self.findings.len() == before && expected != head.tlog {
                    let (expected, found) = (Text(Some(expected)), Text(Some(head.tlog)));
                    self.find(None, Fault::HeadDiffers { member: "tlog", expected, found });
                }
                self.check_checkpoint(&bytes)
            }
            None => {
                if !self.tiles.contains_key("checkpoint") {
                    self.find(None, Fault::TileMissing { path: "checkpoint".to_owned() });
                }
                self.check_cosignatures(None);
                Vec::new()
            }
        };
        self.check_timestamps(&head.timestamps, &imprints);
    }

    /// The directory has exactly the tiles that the manifests make (FORMAT §4).
    fn check_tiles(&mut self) {
        let expected = self.snapshot.files();
        let found = std::mem::take(&mut self.tiles);
        for (path, cid) in &expected {
            match found.get(path) {
                None => self.find(None, Fault::TileMissing { path: path.clone() }),
                Some(other) if other != cid => {
                    self.find(Some(*other), Fault::TileDiffers { path: path.clone() })
                }
                Some(_) => {}
            }
        }
        for (path, cid) in &found {
            if path != "checkpoint" && !expected.contains_key(path) {
                self.find(Some(*cid), Fault::TileSurplus { path: path.clone() });
            }
        }
        self.tiles = found;
    }

    /// The digests of its signatures that count.
    fn check_checkpoint(&mut self, bytes: &[u8]) -> Vec<Digest> {
        let read = Note::decode(bytes).and_then(|note| {
            let checkpoint = decode_checkpoint(&note.text)?;
            Ok((note, checkpoint))
        });
        let (note, checkpoint) = match read {
            Ok(read) => read,
            Err(error) => {
                let cid = self.tiles.get("checkpoint").copied();
                let fault = Fault::Malformed { what: "checkpoint", detail: error.to_string() };
                self.find(cid, fault);
                self.check_cosignatures(None);
                return Vec::new();
            }
        };
        let origin = self.story.chain.map(|chain| Checkpoint::origin_of(&chain)).unwrap_or_default();
        let root = self.snapshot.merkle.root();
        for (member, expected, found) in [
            ("origin", origin.clone(), checkpoint.origin),
            ("size", self.story.count.to_string(), checkpoint.size.to_string()),
            ("root", root.to_string(), checkpoint.root.to_string()),
        ] {
            if expected != found {
                self.find(None, Fault::CheckpointDiffers { member, expected, found });
            }
        }
        let imprints = self.check_checkpoint_signature(&note, &origin);
        self.check_cosignatures(Some(&note));
        imprints
    }

    fn check_checkpoint_signature(&mut self, note: &Note, origin: &str) -> Vec<Digest> {
        let (Some(trust), Some(chain)) = (self.story.trust.clone(), self.story.chain) else {
            return Vec::new();
        };
        for (id, key) in &trust.keys {
            if note.verify(origin, &key.public) == NoteVerdict::Invalid {
                self.find(None, Fault::BadSignature { keyid: *id });
            }
        }
        let imprints = imprints_of(note, &chain, self.story.count.saturating_sub(1), &trust);
        if imprints.is_empty() {
            self.find(None, Fault::CheckpointUnsigned);
        }
        imprints
    }

    /// Each token is valid and not of a time before the newest entry (FORMAT §9, step 8).
    fn check_timestamps(&mut self, tokens: &[Vec<u8>], imprints: &[Digest]) {
        if tokens.len() > TOKENS_LIMIT {
            return self.find(None, Fault::TimestampsTooMany { count: tokens.len() });
        }
        let authorities = self.story.trust.as_ref().map(|trust| Authority::of_trust(&trust.authorities));
        let authorities = authorities.unwrap_or_default();
        for (token, bytes) in tokens.iter().enumerate() {
            let read = verify_token(bytes, imprints, &authorities);
            let newest = self.story.newest;
            match read.and_then(|stamped| stamped.not_before(newest, self.story.tolerance)) {
                Ok(stamped) => self.stamped.push(stamped),
                Err(fault) => self.find(None, Fault::Timestamp { token, fault }),
            }
        }
    }
}
