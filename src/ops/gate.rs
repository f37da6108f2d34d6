//! The last look at an event before it leaves: its serialised blocks are read back, and every text and file in them that
//! is not sealed is scanned. What is sealed, and why, was decided before; nothing is decided or mended here.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::OpsError;
use super::chain::{read_file, read_manifest};
use super::error::BlockError;
use crate::chain::Block;
use crate::codec::dsse::Envelope;
use crate::codec::statement::decode_statement;
use crate::crypto::Digest;
use crate::model::{Cid, Event, EventId, Pseudonym, Timestamp};
use crate::privacy::publish::found_in;
use crate::privacy::scan;

/// What stands before a value that is no text of anybody.
const PREFIXES: [&str; 3] = ["ipfs://", "hmac-sha256:", "sha256:"];

/// Refuses the blocks of the event with this manifest when anything is found in them that is not sealed.
///
/// # Errors
/// [`OpsError::Unpublishable`], which names event, member and rule and never the value: nothing may be stored then.
pub fn require_clean(manifest: &Cid, blocks: &[Block]) -> Result<(), OpsError> {
    Gate::default().require_clean(manifest, blocks)
}

/// Refuses an event that is not signed yet when anything is found in its statement or its file.
///
/// # Errors
/// As [`require_clean`].
pub fn require_clean_draft(event: &Event, payload: &[u8], file: &[u8]) -> Result<(), OpsError> {
    let found = |(member, rule)| OpsError::Unpublishable { event: event.event, id: event.id, member, rule };
    Gate::default().look_at_payload(payload).map_err(found)?;
    match scan(file).into_iter().next() {
        None => Ok(()),
        Some(finding) => {
            let member = format!("files[0], line {}, column {}", finding.line, finding.column);
            Err(found((member, finding.rule.into_owned())))
        }
    }
}

/// How many texts are remembered, and how long one of them may be in bytes.
const REMEMBERED: (usize, usize) = (10_000, 200);

/// The same for many events, of which most texts are alike: those in which nothing was found are not scanned again.
#[derive(Default)]
pub struct Gate {
    clean: HashSet<String>,
}

impl Gate {
    /// Refuses the blocks of the event with this manifest, as [`require_clean`] does.
    ///
    /// # Errors
    /// [`OpsError::Unpublishable`].
    pub fn require_clean(&mut self, manifest: &Cid, blocks: &[Block]) -> Result<(), OpsError> {
        let by_cid: HashMap<Cid, &[u8]> =
            blocks.iter().map(|(cid, bytes)| (*cid, bytes.as_slice())).collect();
        let mut block = |what: &'static str, cid: &Cid| {
            by_cid.get(cid).map(|bytes| bytes.to_vec()).ok_or(OpsError::BlockMissing { what, cid: *cid })
        };
        let manifest = read_manifest(manifest, &mut block)?;
        let log = block("log", &manifest.log)?;
        let refuse = |source: BlockError| OpsError::Block { what: "log", cid: manifest.log, source };
        let payload = Envelope::decode(&log).map_err(|error| refuse(error.into()))?.payload;
        let event = decode_statement(&payload).map_err(|error| refuse(error.into()))?.event;
        let found =
            |(member, rule)| OpsError::Unpublishable { event: event.event, id: event.id, member, rule };
        self.look_at_payload(&payload).map_err(found)?;
        for (place, file) in manifest.files.iter().enumerate() {
            if let Some(rule) = found_in(file.name.as_str()) {
                return Err(found((format!("files[{place}].name"), rule)));
            }
            if file.sealed {
                continue;
            }
            if let Some(finding) = scan(&read_file(&file.cid, &mut block)?).into_iter().next() {
                let member = format!("files[{place}], line {}, column {}", finding.line, finding.column);
                return Err(found((member, finding.rule.into_owned())));
            }
        }
        Ok(())
    }

    /// A payload that was decoded before is JSON.
    fn look_at_payload(&mut self, payload: &[u8]) -> Result<(), (String, String)> {
        self.look("", &serde_json::from_slice(payload).unwrap_or(Value::Null))
    }

    /// The first member below `value` in which something is found, and by which rule. A name of a member that gives
    /// something away is not part of the path.
    fn look(&mut self, path: &str, value: &Value) -> Result<(), (String, String)> {
        match value {
            Value::String(text) => self.found_in(text).map_or(Ok(()), |rule| Err((path.to_owned(), rule))),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(place, item)| self.look(&format!("{path}[{place}]"), item)),
            Value::Object(members) => members.iter().try_for_each(|(name, item)| {
                if let Some(rule) = self.found_in(name) {
                    return Err((format!("{path} (the name of a member)"), rule));
                }
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                self.look(&below, item)
            }),
            _ => Ok(()),
        }
    }

    /// The rule that finds something in a text.
    fn found_in(&mut self, text: &str) -> Option<String> {
        if self.clean.contains(text) || is_opaque(text) {
            return None;
        }
        let found = found_in(text);
        if found.is_none() && self.clean.len() < REMEMBERED.0 && text.len() <= REMEMBERED.1 {
            self.clean.insert(text.to_owned());
        }
        found
    }
}

/// Whether a text is an identifier, a digest or a time by its form: digits in it are nobody's number.
fn is_opaque(text: &str) -> bool {
    let bare = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    bare.parse::<Cid>().is_ok()
        || Digest::parse_hex(bare).is_some()
        || bare.parse::<EventId>().is_ok()
        || bare.parse::<Timestamp>().is_ok()
        || bare.parse::<Pseudonym>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Appender, NewFile};
    use crate::crypto::PrivateKey;
    use crate::model::{Actor, Details, EventKind, Role};
    use crate::ops::init::sole_key;
    use crate::ops::own_event::own_event;

    const MAIL: &str = "jeanne.morel@mairie-lyon.fr";

    /// The blocks of an `attach` event behind a genesis, by somebody in `role`, with a file.
    fn blocks(role: &str, file: NewFile) -> (Cid, Vec<Block>) {
        let key = PrivateKey::from_seed(&[7; 32]);
        let actor = Actor { pseudonym: Pseudonym::generate(), role: role.to_owned() };
        let mut appender = Appender::new();
        let trust =
            crate::codec::trust::encode_trust(&sole_key("demo".parse().unwrap(), *key.public(), "operator"));
        let trust =
            NewFile { name: "trust.json".parse().unwrap(), role: Role::Trust, bytes: trust, sealed: false };
        let mut first = Vec::new();
        let genesis = crate::ops::event::genesis(&actor, crate::ops::now());
        let root = appender.append(genesis, vec![trust], &[&key], &mut |block| first.push(block)).unwrap();
        let details = Details::attached_to(Vec::new());
        let event = own_event(EventKind::Attach, &actor, crate::ops::now(), details);
        let mut blocks = Vec::new();
        let manifest = appender.append(event, vec![file], &[&key], &mut |block| blocks.push(block)).unwrap();
        if role == "operator" {
            assert!(require_clean(&root, &first).is_ok());
        }
        (manifest, blocks)
    }

    fn file(bytes: &[u8], sealed: bool) -> NewFile {
        let name = if sealed { "0.sealed" } else { "1.sql" };
        NewFile { name: name.parse().unwrap(), role: Role::Evidence, bytes: bytes.to_vec(), sealed }
    }

    #[test]
    fn every_text_and_file_that_is_not_sealed_is_looked_at() {
        let refused = |(manifest, blocks): &(Cid, Vec<Block>)| match require_clean(manifest, blocks) {
            Ok(()) => None,
            Err(OpsError::Unpublishable { member, rule, .. }) => Some((member, rule)),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(refused(&blocks("operator", file(b"CREATE TABLE t (id INT);", false))), None);
        let (member, rule) = refused(&blocks(MAIL, file(b"SELECT 1", false))).unwrap();
        assert_eq!((member.as_str(), rule.as_str()), ("predicate.actor.role", "email"));
        let script = format!("SELECT 1;\n-- {MAIL}");
        let (member, rule) = refused(&blocks("operator", file(script.as_bytes(), false))).unwrap();
        assert_eq!((member.as_str(), rule.as_str()), ("files[0], line 2, column 4", "email"));
        assert_eq!(refused(&blocks("operator", file(script.as_bytes(), true))), None);
        // A file of several blocks is put together first.
        let large = format!("{}{MAIL}", "-- x\n".repeat(300_000));
        assert_eq!(refused(&blocks("operator", file(large.as_bytes(), false))).unwrap().1, "email");
    }

    #[test]
    fn names_of_members_count_and_are_not_told() {
        let value = serde_json::json!({ "run": { "ci": { MAIL: 1 } } });
        let (member, rule) = Gate::default().look("", &value).unwrap_err();
        assert_eq!((member.as_str(), rule.as_str()), ("run.ci (the name of a member)", "email"));
    }

    #[test]
    fn identifiers_are_nobodys_numbers() {
        let (id, at) = (EventId::generate(crate::ops::now()), crate::ops::now());
        let digest = Digest::of(b"");
        let cid = Cid::of(crate::model::Codec::Raw, b"");
        let texts = [
            id.to_string(),
            at.to_string(),
            digest.to_string(),
            digest.to_prefixed(),
            format!("hmac-sha256:{digest}"),
            cid.to_string(),
            format!("ipfs://{cid}"),
            Pseudonym::generate().to_string(),
        ];
        assert!(texts.iter().all(|text| is_opaque(text)));
        assert!(!is_opaque("app") && !is_opaque("185057800608491"));
    }
}
