//! Takes a CARv1 file into the archive: verified first, and only where it continues what is there.

use std::path::Path;

use serde::Serialize;

use super::corroborate::has_all_of;
use super::verify::verify_car;
use super::{ChainReader, OpsError, Progress};
use crate::chain::{Finding, Options, Report};
use crate::codec::dag_cbor::decode_head;
use crate::model::{ChainName, Cid, Remembered};
use crate::store::{Archive, ArchiveError, CarReader, Next};

/// Bytes that are held at once.
const PART: usize = 16 << 20;

/// What was imported.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    pub name: ChainName,
    pub chain: Cid,
    pub head: Cid,
    /// Entries that were not there before.
    pub new_entries: u64,
    pub entries: u64,
    /// What the chain tells of itself: entries that a stolen key signed. It is taken with them.
    pub findings: Vec<Finding>,
    /// For the memory of what was verified.
    #[serde(skip)]
    pub memory: Option<Remembered>,
}

/// Imports `path` into `directory`, under the name that its trust document has. The inner error is a chain with findings
/// that it does not tell of itself: it is not taken.
///
/// # Errors
/// [`OpsError::ImportFindings`] with the report's findings counted; [`OpsError::ImportFork`] and
/// [`OpsError::ImportOlder`] when an archive of that name holds another or a longer chain.
pub fn import(
    path: &Path,
    directory: &Path,
    options: Options,
    threads: usize,
    wait: std::time::Duration,
    progress: &mut Progress<'_>,
) -> Result<Result<Imported, Report>, OpsError> {
    let report = verify_car(path, options, threads, progress)?;
    let (Some(chain), Some(name), true) = (report.chain, report.name.clone(), report.is_sound()) else {
        return Ok(Err(report));
    };
    let head = report.root;
    let block = CarReader::open(path)?.get_verified(&head)?.map(<[u8]>::to_vec);
    if block.is_none_or(|bytes| decode_head(&bytes).is_err()) {
        return Err(OpsError::ImportNoHead { path: path.to_owned() });
    }
    let present = match Archive::open_write(directory, &name, wait) {
        Ok(archive) => Some(archive),
        Err(ArchiveError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let imported = |new_entries, head| Imported {
        name: name.clone(),
        chain,
        head,
        new_entries,
        entries: report.entries,
        findings: report.findings,
        memory: report.memory,
    };
    let Some(mut archive) = present else {
        create(path, directory, &name, chain, head)?;
        return Ok(Ok(imported(report.entries, head)));
    };
    if archive.root() != chain {
        let (found, expected) = (chain, archive.root());
        return Err(OpsError::ImportOtherChain { path: path.to_owned(), found, expected });
    }
    let present = ChainReader::open(directory, &name)?.newest()?.1.seq + 1;
    require_continuation(path, head, directory, &name, present, report.entries)?;
    if report.entries == present && !may_replace(path, directory, &name, head)? {
        return Ok(Ok(imported(0, archive.head())));
    }
    copy_new_blocks(path, &mut archive, head)?;
    Ok(Ok(imported(report.entries - present, head)))
}

/// Whether the head in a file, of the entries that the archive has, may take the place of the archive's.
pub(super) fn may_replace(
    path: &Path,
    directory: &Path,
    name: &ChainName,
    head: Cid,
) -> Result<bool, OpsError> {
    let (mut file, reader) = (CarReader::open(path)?, ChainReader::open(directory, name)?);
    has_all_of(&reader, head, &mut |what, cid| match file.get_verified(cid)? {
        Some(bytes) => Ok(bytes.to_vec()),
        None => reader.block(what, cid),
    })
}

/// Adds what the archive lacks in parts of bounded size; the head moves with the last one. Other heads stay out:
/// an import that is cut short must not leave one of them the newest.
pub(super) fn copy_new_blocks(path: &Path, archive: &mut Archive, head: Cid) -> Result<(), OpsError> {
    let mut reader = CarReader::open(path)?;
    let (mut blocks, mut size) = (Vec::new(), 0);
    let mut last = None;
    while let Next::Block { cid, bytes, .. } = reader.next_block()? {
        if cid == head {
            last = Some((cid, bytes.to_vec()));
        } else if !archive.contains(&cid)? && decode_head(bytes).is_err() {
            size += bytes.len();
            blocks.push((cid, bytes.to_vec()));
        }
        if size > PART {
            archive.append(&blocks, archive.head())?;
            blocks.clear();
            size = 0;
        }
    }
    blocks.extend(last);
    archive.append(&blocks, head)?;
    Ok(())
}

/// Where both chains have entries they have to be the same; a fork is told as one, whichever is longer.
fn require_continuation(
    path: &Path,
    head: Cid,
    directory: &Path,
    name: &ChainName,
    present: u64,
    found: u64,
) -> Result<(), OpsError> {
    let mut reader = CarReader::open(path)?;
    let ours = ChainReader::open(directory, name)?;
    let seq = present.min(found).saturating_sub(1);
    let theirs = super::chain::manifest_at(head, seq, &mut |what, cid| {
        let block = reader.get_verified(cid)?.map(<[u8]>::to_vec);
        block.ok_or(OpsError::BlockMissing { what, cid: *cid })
    })?;
    if ours.manifest_at(seq)? != theirs {
        return Err(OpsError::ImportFork { path: path.to_owned(), seq });
    }
    if found < present {
        return Err(OpsError::ImportOlder { path: path.to_owned(), found, present });
    }
    Ok(())
}

/// Makes a new archive, all at once.
pub(super) fn create(
    path: &Path,
    directory: &Path,
    name: &ChainName,
    chain: Cid,
    head: Cid,
) -> Result<(), OpsError> {
    let (mut reader, mut ended) = (CarReader::open(path)?, false);
    let blocks = std::iter::from_fn(|| {
        while !ended {
            match reader.next_block() {
                Ok(Next::Block { cid, bytes, .. }) if cid != head => return Some(Ok((cid, bytes.to_vec()))),
                Ok(Next::Block { .. }) => {}
                Ok(Next::Damaged(_) | Next::End) => ended = true,
                Err(error) => return Some(Err(error.into())),
            }
            if ended {
                let block = reader.get_verified(&head).map(|bytes| bytes.map(<[u8]>::to_vec));
                let missing = OpsError::BlockMissing { what: "head", cid: head };
                return Some(
                    block.map_err(OpsError::from).and_then(|bytes| Ok((head, bytes.ok_or(missing)?))),
                );
            }
        }
        None
    });
    Archive::create_from(directory, name, chain, head, blocks)?;
    Ok(())
}
