//! Follows a chain on another machine: fetches what is new, verifies the whole, and continues the archive here. What
//! is here is never given up for what is there.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::fetch::{Kept, Places, SourceState, Spool, Verified, find, verify_from};
use super::import::{copy_new_blocks, create, may_replace};
use super::{ChainReader, OpsError, Progress};
use crate::chain::{Finding, Options};
use crate::codec::dag_cbor::{decode_entries_node, decode_head, is_entries_node};
use crate::model::{ChainName, Cid, Remembered};
use crate::store::remote::{NamedSource, Patience};
use crate::store::{Archive, ArchiveError};

/// Levels of the entries tree.
const DEPTH: usize = 8;

/// What to follow, and how.
pub struct Followed<'a> {
    pub head: Cid,
    /// The folder of the archive that follows.
    pub directory: &'a Path,
    pub sources: &'a [NamedSource],
    pub patience: Patience,
    pub threads: usize,
    /// How long another writer of the archive is waited for.
    pub wait: Duration,
}

/// What a round came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mirrored {
    pub name: ChainName,
    pub chain: Cid,
    pub head: Cid,
    /// Entries that were not here before.
    pub new_entries: u64,
    pub entries: u64,
    /// What the chain tells of itself: entries that a stolen key signed. It is taken with them. Empty when nothing was new,
    /// for then nothing was verified.
    pub findings: Vec<Finding>,
    pub sources: Vec<SourceState>,
    /// For the memory of what was verified; `None` when nothing was new.
    #[serde(skip)]
    pub memory: Option<Remembered>,
}

/// One round. The inner error is a chain with findings that it does not tell of itself: it is not taken.
///
/// # Errors
/// [`OpsError::OutOfReach`] when the sources do not answer, [`OpsError::NotAHead`], [`OpsError::UnnamedChain`] when the
/// folder holds chains, this is none of them and no anchor is required, [`OpsError::NameTaken`], and those of the
/// archive. Whatever happens, the archive holds the head that it had, or the new one.
pub async fn mirror(
    followed: &Followed<'_>,
    mut options: Options,
    progress: &mut Progress<'_>,
) -> Result<Result<Mirrored, Verified>, OpsError> {
    let Followed { mut head, directory, sources, patience, threads, wait } = *followed;
    let chain = chain_of(followed).await?;
    // An archive that cannot be opened may be of any chain.
    let held = ChainReader::each(directory);
    let holds_any = !held.is_empty();
    let here = held.into_iter().flatten().find(|reader| reader.root() == chain);
    if holds_any && here.is_none() && !options.require_anchor {
        return Err(OpsError::UnnamedChain { directory: directory.to_owned(), shown: chain });
    }
    let present = match &here {
        Some(reader) => {
            reader.require_end()?;
            Some(newest_of(reader)?)
        }
        None => None,
    };
    if let (Some(reader), Some(present)) = (&here, present.as_ref().filter(|present| present.head == head)) {
        return Ok(Ok(Mirrored {
            name: name_of(reader)?,
            chain,
            head,
            new_entries: 0,
            entries: present.seq + 1,
            findings: Vec::new(),
            sources: Vec::new(),
            memory: None,
        }));
    }
    options.remembered.extend(present.clone());
    options.older = false;
    let archives: Vec<ChainReader> = here.into_iter().collect();
    std::fs::create_dir_all(directory).map_err(|source| OpsError::File {
        path: directory.to_owned(),
        done: "made",
        source,
    })?;
    let mut spool = Spool::create(directory, &head, Kept::New)?;
    let places = Places { archives: &archives, sources, patience };
    let verified = verify_from(&places, head, options, threads, Some(&mut spool), progress).await?;
    let (Some(memory), Some(name), true) =
        (verified.report.memory.clone(), verified.report.name.clone(), verified.report.is_sound())
    else {
        return Ok(Err(verified));
    };
    let fetched = spool.finish()?;
    let opened = match archives.first() {
        Some(reader) => Archive::open_write(directory, &name_of(reader)?, wait),
        None => Archive::open_write(directory, &name, wait),
    };
    match opened {
        Ok(archive) if archive.root() != memory.chain => {
            let (path, found) = (archive.path().to_owned(), archive.root());
            return Err(OpsError::NameTaken { path, found, expected: memory.chain });
        }
        // What was compared with the chain is what is continued.
        Ok(mut archive) if Some(archive.head()) == present.as_ref().map(|present| present.head) => {
            let is_same = present.as_ref().is_some_and(|present| present.manifest == memory.manifest);
            let kept = archives.first().map_or_else(|| Ok(name.clone()), name_of)?;
            if is_same && !may_replace(fetched, directory, &kept, head)? {
                head = archive.head();
            } else {
                copy_new_blocks(fetched, &mut archive, head)?;
            }
        }
        Ok(archive) => {
            let (path, found) = (archive.path().to_owned(), Some(archive.head()));
            return Err(ArchiveError::HeadMoved { path, expected: head, found }.into());
        }
        Err(ArchiveError::NotFound { .. }) => create(fetched, directory, &name, memory.chain, head)?,
        Err(error) => return Err(error.into()),
    }
    let before = present.map_or(0, |present| present.seq + 1);
    Ok(Ok(Mirrored {
        name,
        chain: memory.chain,
        head,
        new_entries: (memory.seq + 1).saturating_sub(before),
        entries: memory.seq + 1,
        findings: verified.report.findings,
        sources: verified.sources,
        memory: Some(memory),
    }))
}

/// The chain that a head says it is of, for finding its archive. It counts for nothing else.
async fn chain_of(followed: &Followed<'_>) -> Result<Cid, OpsError> {
    let archives = ChainReader::all(followed.directory);
    let places = Places { archives: &archives, sources: followed.sources, patience: followed.patience };
    let not_a_head = || OpsError::NotAHead(followed.head);
    let head = find(&places, &followed.head).await?;
    let mut node = decode_head(&head).map_err(|_| not_a_head())?.entries;
    for _ in 0..DEPTH {
        let bytes = find(&places, &node).await?;
        if !is_entries_node(&bytes) {
            return Ok(node);
        }
        let links = decode_entries_node(&bytes).map_err(|_| not_a_head())?;
        node = *links.first().ok_or_else(not_a_head)?;
    }
    Err(not_a_head())
}

fn newest_of(reader: &ChainReader) -> Result<Remembered, OpsError> {
    let (manifest, newest) = reader.newest()?;
    let checkpoint = String::from_utf8(reader.checkpointed()?.note.encode()).ok();
    Ok(Remembered { chain: reader.root(), seq: newest.seq, manifest, head: reader.head(), checkpoint })
}

/// The name under which an archive is kept.
fn name_of(reader: &ChainReader) -> Result<ChainName, OpsError> {
    let stem = reader.archive().path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    Ok(stem.parse()?)
}
