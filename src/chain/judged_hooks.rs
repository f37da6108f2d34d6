//! What an event says that policy hooks answered, and what they were asked: enough to ask them again. Who asks is not
//! known here.

use std::collections::BTreeMap;

use super::entry::FileBytes;
use crate::crypto::Digest;
use crate::model::{Details, Event, FileEntry, Hook, Manifest, Role};

/// Where the files of hooks are.
const FOLDER: &str = "hooks/";
/// How many bytes of files an event may have that hooks are asked again by: those who verify keep them in memory.
pub const HOOKS_LIMIT: usize = super::walk::EVIDENCE_LIMIT;
/// What the names of files of contexts end with.
const CONTEXTS: &str = ".json";

/// Answers of hooks with what they stand on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgedHooks {
    pub hooks: Vec<Hook>,
    /// Whether a `plan` event tells of them: nothing runs by it where one says no.
    pub is_plan: bool,
    /// Files of the event that may be their sources.
    pub sources: BTreeMap<Digest, Vec<u8>>,
    /// What they were told.
    pub contexts: BTreeMap<Digest, Vec<u8>>,
}

/// Whether a file is what hooks are asked again by.
pub(super) fn is_of_hooks(file: &FileEntry) -> bool {
    !file.sealed && file.role == Role::Evidence && file.name.as_str().starts_with(FOLDER)
}

/// What a `plan` or `attach` event says of hooks; `None` where it says nothing.
pub(super) fn judged_hooks(
    manifest: &Manifest,
    files: &[FileBytes],
    event: &Event,
) -> Option<Box<JudgedHooks>> {
    let hooks = match &event.details {
        Details::Plan(details) => &details.hooks,
        Details::Attach { hooks, .. } => hooks,
        _ => return None,
    };
    if hooks.is_empty() {
        return None;
    }
    let mut judged = JudgedHooks {
        hooks: hooks.clone(),
        is_plan: matches!(event.details, Details::Plan(_)),
        ..JudgedHooks::default()
    };
    for (file, bytes) in manifest.files.iter().zip(files) {
        let FileBytes::Block(bytes) = bytes else { continue };
        // What is not the CID's is reported with the file.
        if !is_of_hooks(file) || !file.cid.matches(bytes) {
            continue;
        }
        if file.name.as_str().ends_with(CONTEXTS) {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            judged.contexts.extend(lines.map(|line| (Digest::of(line), line.to_vec())));
        } else {
            judged.sources.insert(Digest::of(bytes), bytes.clone());
        }
    }
    Some(Box::new(judged))
}
