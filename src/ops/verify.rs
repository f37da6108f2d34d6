//! Verifies a chain from blocks that lie in a file, with the checks of entries on every core.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{ChainReader, OpsError, Progress};
use crate::chain::{EntryCheck, EntryVerdict, Fault, Fetched, Finding, Options, Report, Text, Verifier};
use crate::codec::dag_cbor::decode_manifest;
use crate::model::Cid;
use crate::store::{CarReader, Damage, ReadError};

/// Entries that one worker takes at a time; fewer would spend their time handing over.
const BATCH: usize = 16;
/// Bytes after which a batch goes out early.
const WEIGHT: usize = 256 << 10;
/// Batches that may wait for a worker: with [`BATCH`], what bounds the memory of a verification.
const QUEUE: usize = 8;

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

fn finding_of(damage: Damage) -> Finding {
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
    thread::scope(|scope| {
        let (send_work, receive_work) = sync_channel::<Vec<EntryCheck>>(QUEUE);
        let (send_verdicts, verdicts) = channel();
        let receive_work = Arc::new(Mutex::new(receive_work));
        // One core reads and hands out; with one thread in all, it also checks.
        let workers = if threads > 1 { threads } else { 0 };
        for _ in 0..workers {
            let (work, verdicts) = (Arc::clone(&receive_work), send_verdicts.clone());
            scope.spawn(move || check_all(&work, &verdicts));
        }
        drop(send_verdicts);
        let mut feeder = Feeder { verifier, batch: Vec::with_capacity(BATCH), weight: 0, in_flight: 0 };
        let result = feeder.run(reader, (workers > 0).then_some((&send_work, &verdicts)), progress);
        drop(send_work);
        // Workers end when no more work can come; their last verdicts are still taken.
        while let Ok(verdict) = verdicts.recv() {
            verdict.into_iter().for_each(|verdict| feeder.verifier.absorb(verdict));
        }
        result
    })
}

fn check_all(work: &Mutex<Receiver<Vec<EntryCheck>>>, verdicts: &std::sync::mpsc::Sender<Vec<EntryVerdict>>) {
    loop {
        let batch = match work.lock() {
            Ok(work) => work.recv(),
            Err(_) => return,
        };
        let Ok(batch) = batch else { return };
        if verdicts.send(batch.into_iter().map(EntryCheck::run).collect()).is_err() {
            return;
        }
    }
}

struct Feeder<'a> {
    verifier: &'a mut Verifier,
    batch: Vec<EntryCheck>,
    /// Bytes in `batch`.
    weight: usize,
    in_flight: usize,
}

type Workers<'a> = (&'a SyncSender<Vec<EntryCheck>>, &'a Receiver<Vec<EntryVerdict>>);

impl Feeder<'_> {
    fn run(
        &mut self,
        reader: &mut CarReader,
        workers: Option<Workers<'_>>,
        progress: &mut Progress<'_>,
    ) -> Result<(), OpsError> {
        let mut fed: u64 = 0;
        while let Some(cid) = self.verifier.want() {
            let fetched = reader.get(&cid)?.map_or(Fetched::Missing, |bytes| Fetched::Block(bytes.to_vec()));
            self.verifier.feed(&cid, fetched);
            for check in self.verifier.take_checks() {
                self.dispatch(check, workers);
            }
            fed += 1;
            if fed.is_multiple_of(1024) {
                let (entries, size) = self.verifier.progress();
                progress("verifying", entries, size);
            }
        }
        if let Some(workers) = workers {
            self.send(workers);
        }
        Ok(())
    }

    fn dispatch(&mut self, check: EntryCheck, workers: Option<Workers<'_>>) {
        // The first entry brings the keys that all others are checked against.
        let Some(workers) = workers.filter(|_| check.index() > 0) else {
            return self.verifier.absorb(check.run());
        };
        self.weight += check.weight();
        self.batch.push(check);
        if self.batch.len() >= BATCH || self.weight >= WEIGHT {
            self.send(workers);
        }
    }

    fn send(&mut self, (work, verdicts): Workers<'_>) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.weight = 0;
        if batch.is_empty() {
            return;
        }
        self.in_flight += 1;
        if let Err(unsent) = work.send(batch) {
            // Every worker is gone; the checks are still owed.
            unsent.0.into_iter().for_each(|check| self.verifier.absorb(check.run()));
        }
        while let Ok(done) = verdicts.try_recv() {
            self.in_flight -= 1;
            done.into_iter().for_each(|verdict| self.verifier.absorb(verdict));
        }
    }
}
