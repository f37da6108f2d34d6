//! The checks of entries on threads of their own, while their blocks are still being read or fetched.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};

use super::allowance::Allowance;
use super::hooks::again::ask_again;
use super::policy::again::judge_again;
use crate::chain::{EntryCheck, EntryVerdict, Verifier};

/// Entries that one worker takes at a time; fewer would spend their time handing over.
const BATCH: usize = 16;
/// Bytes after which a batch goes out early.
const WEIGHT: usize = 256 << 10;
/// Batches that may wait for a worker: with [`BATCH`], what bounds the memory of a verification.
const QUEUE: usize = 8;

/// Takes the checks that a verifier hands out, and brings back their verdicts.
pub(super) struct Checking {
    workers: Option<Workers>,
    /// For the checks that run here.
    allowance: Arc<Allowance>,
    batch: Vec<EntryCheck>,
    /// Bytes in `batch`.
    weight: usize,
}

/// Does the work of a check, and asks the policy hooks and packs again that the entry tells of.
fn run(check: EntryCheck, allowance: &Allowance) -> EntryVerdict {
    let mut verdict = check.run();
    ask_again(&mut verdict, allowance);
    judge_again(&mut verdict, allowance);
    verdict
}

struct Workers {
    work: SyncSender<Vec<EntryCheck>>,
    verdicts: Receiver<Vec<EntryVerdict>>,
    threads: Vec<JoinHandle<()>>,
}

impl Checking {
    /// One core reads and hands out; with one thread in all, it also checks.
    pub(super) fn new(threads: usize) -> Self {
        let allowance = Arc::new(Allowance::default());
        let workers = (threads > 1).then(|| Workers::start(threads, &allowance));
        Self { workers, allowance, batch: Vec::with_capacity(BATCH), weight: 0 }
    }

    /// Takes the checks that may run now, and brings verdicts that are there. Waits while the workers have enough.
    pub(super) fn check(&mut self, verifier: &mut Verifier) {
        for check in verifier.take_checks() {
            // The first entry brings the keys that all others are checked against.
            if self.workers.is_none() || check.index() == 0 {
                verifier.absorb(run(check, &self.allowance));
                continue;
            }
            self.weight += check.weight();
            self.batch.push(check);
            if self.batch.len() >= BATCH || self.weight >= WEIGHT {
                self.send(verifier);
            }
        }
    }

    fn send(&mut self, verifier: &mut Verifier) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.weight = 0;
        let Some(workers) = self.workers.as_ref().filter(|_| !batch.is_empty()) else { return };
        if let Err(unsent) = workers.work.send(batch) {
            // Every worker is gone; the checks are still owed.
            unsent.0.into_iter().for_each(|check| verifier.absorb(run(check, &self.allowance)));
        }
        while let Ok(done) = workers.verdicts.try_recv() {
            done.into_iter().for_each(|verdict| verifier.absorb(verdict));
        }
    }

    /// Waits for every verdict.
    pub(super) fn finish(mut self, verifier: &mut Verifier) {
        self.send(verifier);
        let Some(Workers { work, verdicts, threads }) = self.workers else { return };
        drop(work);
        // Workers end when no more work can come; their last verdicts are still taken.
        while let Ok(done) = verdicts.recv() {
            done.into_iter().for_each(|verdict| verifier.absorb(verdict));
        }
        for thread in threads {
            if let Err(bug) = thread.join() {
                // Its verdicts are lost, and without them nothing may count as verified.
                std::panic::resume_unwind(bug);
            }
        }
    }
}

impl Workers {
    fn start(threads: usize, allowance: &Arc<Allowance>) -> Self {
        let (work, receive) = sync_channel(QUEUE);
        let (send, verdicts) = channel();
        let receive = Arc::new(Mutex::new(receive));
        let thread = |_| {
            let (work, verdicts, allowance) = (Arc::clone(&receive), send.clone(), Arc::clone(allowance));
            spawn(move || check_all(&work, &verdicts, &allowance))
        };
        let threads = (0..threads).map(thread).collect();
        Self { work, verdicts, threads }
    }
}

fn check_all(
    work: &Mutex<Receiver<Vec<EntryCheck>>>,
    verdicts: &Sender<Vec<EntryVerdict>>,
    allowance: &Allowance,
) {
    loop {
        let batch = match work.lock() {
            Ok(work) => work.recv(),
            Err(_) => return,
        };
        let Ok(batch) = batch else { return };
        if verdicts.send(batch.into_iter().map(|check| run(check, allowance)).collect()).is_err() {
            return;
        }
    }
}
