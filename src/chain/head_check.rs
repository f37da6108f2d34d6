//! Whether a head is what the manifests make (FORMAT §9, step 7): entries, tiles, checkpoint.

use super::finding::{Fault, Text};
use super::verify::Verifier;
use crate::codec::note::{Note, NoteVerdict, decode_checkpoint};
use crate::model::{Checkpoint, KeyRole};

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
        self.check_tiles();
        match self.checkpoint.take() {
            Some(bytes) => {
                let expected = self.snapshot.directory(bytes.clone(), &mut |_| ());
                // The same files in other directories: an empty one more, sizes that are not theirs.
                if self.findings.len() == before && expected != head.tlog {
                    let (expected, found) = (Text(Some(expected)), Text(Some(head.tlog)));
                    self.find(None, Fault::HeadDiffers { member: "tlog", expected, found });
                }
                self.check_checkpoint(&bytes);
            }
            None if self.tiles.contains_key("checkpoint") => {}
            None => self.find(None, Fault::TileMissing { path: "checkpoint".to_owned() }),
        }
        if !head.timestamps.is_empty() {
            self.find(None, Fault::TimestampsUnchecked { count: head.timestamps.len() });
        }
        if self.story.trust.as_ref().is_some_and(|trust| asks_for_witnesses(&trust.policy)) {
            self.find(None, Fault::WitnessesUnchecked);
        }
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

    fn check_checkpoint(&mut self, bytes: &[u8]) {
        let read = Note::decode(bytes).and_then(|note| {
            let checkpoint = decode_checkpoint(&note.text)?;
            Ok((note, checkpoint))
        });
        let (note, checkpoint) = match read {
            Ok(read) => read,
            Err(error) => {
                let cid = self.tiles.get("checkpoint").copied();
                let fault = Fault::Malformed { what: "checkpoint", detail: error.to_string() };
                return self.find(cid, fault);
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
        self.check_checkpoint_signature(&note, &origin);
    }

    fn check_checkpoint_signature(&mut self, note: &Note, origin: &str) {
        let Some(trust) = self.story.trust.clone() else { return };
        let seq = self.story.count.saturating_sub(1);
        let mut signed = false;
        for (id, key) in &trust.keys {
            match note.verify(origin, &key.public) {
                NoteVerdict::Absent => {}
                NoteVerdict::Invalid => self.find(None, Fault::BadSignature { keyid: *id }),
                NoteVerdict::Valid => signed |= trust.key_for(id, KeyRole::Signer, seq).is_some(),
            }
        }
        if !signed {
            self.find(None, Fault::CheckpointUnsigned);
        }
    }
}

/// Whether a C2SP tlog-policy asks for any cosignature: it has a quorum, and that is not `none`.
fn asks_for_witnesses(policy: &str) -> bool {
    let quorum = policy.lines().filter_map(|line| line.trim().strip_prefix("quorum")).next_back();
    quorum.map_or(!policy.trim().is_empty(), |name| name.trim() != "none")
}
