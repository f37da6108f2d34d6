//! Whether a version is told of by none of a chain's first entries. There is no shorter proof than to read them all,
//! for the tree is in the order of time: so that is what is done, and what it cost is said.

use serde::Serialize;

use super::OpsError;
use super::chain::{Entry, read_entry};
use super::evidence::{Tree, version_of};
use super::source::Source;
use crate::crypto::Digest;
use crate::model::{Cid, Details, EventKind};

/// What reading all entries came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Absence {
    pub version: String,
    /// The last entry that was read.
    pub at: u64,
    /// No entry up to there tells of the version.
    pub absent: bool,
    pub head: Cid,
    pub origin: String,
    /// Root of the tree of the entries that were read.
    pub root: Digest,
    /// Entries that tell of it, oldest first.
    pub told: Vec<Told>,
    /// Entries that were read, each with its log.
    pub entries: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Entries whose migration's name is sealed. Their versions are not, and were compared.
    pub sealed_names: u64,
}

/// An entry that tells of a version.
#[derive(Debug, Serialize)]
pub struct Told {
    pub seq: u64,
    pub manifest: Cid,
    pub event: EventKind,
}

/// Reads the entries from `at` back to the first, which are those of `tree` if it was verified.
///
/// # Errors
/// [`OpsError::NoEntry`], and when a block is missing or malformed.
pub fn find_absence(
    source: &mut Source,
    tree: &mut Tree,
    version: &str,
    at: u64,
) -> Result<Absence, OpsError> {
    if at >= tree.size() {
        return Err(OpsError::NoEntry(at, tree.size() - 1));
    }
    let (_, [_, root]) = tree.consistency(source, 0, at + 1)?;
    let mut absence = Absence {
        version: version.to_owned(),
        at,
        absent: true,
        head: tree.head(),
        origin: tree.origin().to_owned(),
        root,
        told: Vec::new(),
        entries: 0,
        bytes: 0,
        sealed_names: 0,
    };
    let mut next = Some(tree.newest());
    while let Some(cid) = next {
        let mut bytes = 0;
        let entry = read_entry(&cid, &mut |what, cid| {
            let block = source.block(what, cid)?;
            bytes += block.len() as u64;
            Ok(block)
        })?;
        next = entry.manifest.prev;
        if entry.manifest.seq <= at {
            absence.bytes += bytes;
            absence.take(cid, &entry);
        }
    }
    absence.told.reverse();
    absence.absent = absence.told.is_empty();
    Ok(absence)
}

impl Absence {
    fn take(&mut self, manifest: Cid, entry: &Entry) {
        self.entries += 1;
        let event = &entry.statement.event;
        if let Details::Migration(details) = &event.details {
            self.sealed_names += u64::from(details.migration.name.is_none());
        }
        if version_of(event) == Some(&self.version) {
            self.told.push(Told { seq: entry.manifest.seq, manifest, event: event.event });
        }
    }
}
