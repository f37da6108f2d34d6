//! What a chain says of what can be erased: which files each entry has, and which of them are erased.

use std::collections::HashSet;

use crate::model::{Cid, Details, EventId, FileEntry, Pseudonym, Role, Timestamp};
use crate::ops::{ChainReader, OpsError};

/// All entries of a chain, as far as erasures are concerned.
#[derive(Default)]
pub struct Told {
    /// In their order.
    pub entries: Vec<Content>,
    /// Files that an event names as erased.
    pub erased: HashSet<Cid>,
}

/// What an entry holds.
pub struct Content {
    pub seq: u64,
    pub manifest: Cid,
    pub event: EventId,
    pub actor: Pseudonym,
    pub finished_at: Timestamp,
    /// Of its migration; `None` where it is about none.
    pub version: Option<String>,
    /// All but trust documents, which say nothing of anybody.
    pub files: Vec<FileEntry>,
}

impl Told {
    /// Reads a chain, from its newest entry back to the first.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn read(reader: &ChainReader) -> Result<Self, OpsError> {
        let mut told = Self::default();
        let mut next = Some(reader.newest()?.0);
        while let Some(cid) = next {
            let entry = reader.entry(&cid)?;
            next = entry.manifest.prev;
            let event = entry.statement.event;
            let version = event.migration().map(|migration| migration.version.clone());
            // A run that failed, and nothing says at which script.
            let version = version.filter(|version| !version.is_empty());
            if let Details::Erase { erased, .. } = &event.details {
                told.erased.extend(erased);
            }
            told.entries.push(Content {
                seq: entry.manifest.seq,
                manifest: cid,
                event: event.id,
                actor: event.actor.pseudonym,
                finished_at: event.finished_at,
                version,
                files: entry.manifest.files.into_iter().filter(|file| file.role != Role::Trust).collect(),
            });
        }
        told.entries.reverse();
        Ok(told)
    }

    /// Entries about the migrations of `selected` that are none of them, and of which something is not erased.
    pub fn also(&self, selected: &[&Content]) -> Vec<u64> {
        let versions: HashSet<&str> =
            selected.iter().filter_map(|content| content.version.as_deref()).collect();
        let chosen: HashSet<u64> = selected.iter().map(|content| content.seq).collect();
        let is_other = |content: &&Content| {
            !chosen.contains(&content.seq)
                && content.version.as_deref().is_some_and(|version| versions.contains(version))
                && content.files.iter().any(|file| !self.erased.contains(&file.cid))
        };
        self.entries.iter().filter(is_other).map(|content| content.seq).collect()
    }
}
