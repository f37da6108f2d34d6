//! What a `plan` event says that policy packs said, with the packs and what they were asked about: enough to ask them
//! again. Who asks is not known here.

use std::collections::BTreeMap;

use super::entry::FileBytes;
use crate::crypto::Digest;
use crate::model::{Details, Event, FileEntry, Manifest, PolicyVerdicts, Role, Timestamp};

/// Where the files of packs are.
pub const POLICY_FOLDER: &str = "policy/";
/// The file with what they were asked about.
pub const POLICY_FACTS: &str = "policy/facts.json";
/// How many bytes of such files an event may have: those who verify keep them in memory.
pub const POLICY_LIMIT: usize = super::walk::EVIDENCE_LIMIT;

/// Verdicts with what they stand on.
#[derive(Clone, Debug)]
pub struct JudgedPolicy {
    pub verdicts: PolicyVerdicts,
    /// Files of the event that may be packs.
    pub packs: BTreeMap<Digest, Vec<u8>>,
    /// What was asked about; `None` where no file of the event holds it.
    pub facts: Option<Vec<u8>>,
    /// The versions that were planned.
    pub versions: Vec<String>,
    /// From how many people the plan says that it needed an approval; that so many count is judged beside it.
    pub approvals: u32,
    /// Whether nobody's approval counted of what he made himself.
    pub four_eyes: bool,
    /// When the event began.
    pub at: Timestamp,
}

/// Whether a file is what packs are asked again by.
pub(super) fn is_of_policy(file: &FileEntry) -> bool {
    !file.sealed && file.role == Role::Evidence && file.name.as_str().starts_with(POLICY_FOLDER)
}

/// What an event says of packs; `None` where it says nothing.
pub(super) fn judged_policy(
    manifest: &Manifest,
    files: &[FileBytes],
    event: &Event,
) -> Option<Box<JudgedPolicy>> {
    let Details::Plan(details) = &event.details else { return None };
    let verdicts = details.policy.as_deref()?.clone();
    let mut judged = JudgedPolicy {
        verdicts,
        packs: BTreeMap::new(),
        facts: None,
        versions: details.planned.versions.clone(),
        approvals: details.planned.approvals,
        four_eyes: details.planned.four_eyes,
        at: event.started_at,
    };
    for (file, bytes) in manifest.files.iter().zip(files) {
        let FileBytes::Block(bytes) = bytes else { continue };
        // What is not the CID's is reported with the file.
        if !is_of_policy(file) || !file.cid.matches(bytes) {
            continue;
        }
        if file.name.as_str() == POLICY_FACTS {
            judged.facts = Some(bytes.clone());
        } else {
            judged.packs.insert(Digest::of(bytes), bytes.clone());
        }
    }
    Some(Box::new(judged))
}
