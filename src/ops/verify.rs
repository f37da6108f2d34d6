//! Verifies a chain from blocks that lie in a file, with the checks of entries on every core.

use std::path::Path;

use super::checking::Checking;
use super::{ChainReader, OpsError, Progress};
use crate::chain::{Fault, Fetched, Finding, Options, Report, Text, Verifier};
use crate::codec::dag_cbor::decode_manifest;
use crate::model::Cid;
use crate::store::{CarReader, Damage, ReadError};

/// Verifies the chain in a CARv1 file, and that every block in the file is what it says.
///
/// An exported file begins with the head; a growing archive with manifest 0, and its newest head counts.
///
/// # Errors
/// [`OpsError::Read`] when the file cannot be read or is no CARv1 file at all.
pub fn verify_car(
    path: &Path,
    options: Options,
    threads: usize,
    progress: &mut Progress<'_>,
) -> Result<Report, OpsError> {
    let mut reader = CarReader::open(path)?;
    let (root, expected_chain, has_head) = root_of(&mut reader)?;
    let mut verifier = Verifier::new(root, options);
    if !has_head {
        let detail = "it begins with manifest 0 and holds no head that is whole".to_owned();
        verifier.add_finding(Finding {
            seq: None,
            cid: None,
            fault: Fault::Malformed { what: "archive", detail },
        });
    }
    drive(&mut verifier, &mut reader, threads, progress)?;
    reader.check_rest(|damage| verifier.add_finding(finding_of(damage)))?;
    let mut report = verifier.finish();
    if let (Some(expected), Some(found)) = (expected_chain, report.chain)
        && expected != found
    {
        let fault =
            Fault::HeadDiffers { member: "chain", expected: Text(Some(expected)), found: Text(Some(found)) };
        report.add(Finding { seq: None, cid: Some(root), fault });
    }
    Ok(report)
}

/// Verifies from `root`, whose blocks are in the archive.
///
/// # Errors
/// [`OpsError::NotInArchive`] when `root` itself is not there: nothing could be looked at.
pub fn verify_archive(
    reader: &ChainReader,
    root: Cid,
    options: Options,
    threads: usize,
    progress: &mut Progress<'_>,
) -> Result<Report, OpsError> {
    if !reader.archive().contains(&root)? {
        return Err(OpsError::NotInArchive(root.to_string()));
    }
    let mut verifier = Verifier::new(root, options);
    let mut blocks = reader.archive().blocks()?;
    drive(&mut verifier, &mut blocks, threads, progress)?;
    Ok(verifier.finish())
}

/// The block to verify from, the chain that the file's root says it is, and whether a head is there that has to be.
fn root_of(reader: &mut CarReader) -> Result<(Cid, Option<Cid>, bool), ReadError> {
    let root = reader.root();
    let block = reader.get_verified(&root)?;
    let Some(manifest) = block.and_then(|bytes| decode_manifest(bytes).ok()) else {
        return Ok((root, None, true));
    };
    // A file whose root is manifest 0 is a growing archive: its newest head is what it is now.
    if manifest.seq > 0 {
        return Ok((root, None, true));
    }
    let head = reader.newest_head()?;
    Ok((head.unwrap_or(root), Some(root), head.is_some()))
}

pub(super) fn finding_of(damage: Damage) -> Finding {
    match damage {
        Damage::Mismatch { offset, cid } => {
            Finding { seq: None, cid: Some(cid), fault: Fault::CarBlockCorrupt { offset } }
        }
        Damage::Unreadable { offset, cause } => {
            Finding { seq: None, cid: None, fault: Fault::CarDamaged { offset, detail: cause.to_string() } }
        }
    }
}

/// Feeds a verifier from a file until it wants nothing more.
fn drive(
    verifier: &mut Verifier,
    reader: &mut CarReader,
    threads: usize,
    progress: &mut Progress<'_>,
) -> Result<(), OpsError> {
    let mut checking = Checking::new(threads);
    let mut fed: u64 = 0;
    while let Some(cid) = verifier.want() {
        let fetched = reader.get(&cid)?.map_or(Fetched::Missing, |bytes| Fetched::Block(bytes.to_vec()));
        verifier.feed(&cid, fetched);
        checking.check(verifier);
        fed += 1;
        if fed.is_multiple_of(1024) {
            let (entries, size) = verifier.progress();
            progress("verifying", entries, size);
        }
    }
    checking.finish(verifier);
    Ok(())
}
