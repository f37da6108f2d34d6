//! Verification that goes on from an earlier one: a chain of 1,000,000 ordinary entries that was verified step by step,
//! then entry after entry.

mod chains;
mod measure;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chains::Chain;
use greffe::chain::{Block, Continued, Fetched, Options, Report, Verifier};
use greffe::model::Cid;
use greffe::ops::standings::Standings;
use greffe::store::{CarWriter, Existing};
use measure::{at_most, figure, greffe, headline, median, timed_process};

const ENTRIES: u64 = 1_000_000;
/// Entries between two verifications, whose blocks alone are in memory.
const STEP: u64 = 10_000;
const ROUNDS: usize = 21;

fn main() {
    let directory = tempfile::tempdir().expect("a folder");
    let state = directory.path().join("greffe/standing");
    let standings = Standings::new(state.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let keep = |continued: &Continued| runtime.block_on(standings.keep(continued)).expect("a folder");
    headline(&format!("incremental: one new entry on {ENTRIES} that were verified, {ROUNDS} rounds"));
    let mut chain = Chain::new();
    let (mut blocks, mut kept, mut verified) = (Vec::new(), Duration::ZERO, Duration::ZERO);
    for _ in 0..ENTRIES / STEP {
        blocks.clear();
        (0..STEP).for_each(|_| chain.push(&mut blocks));
        let head = chain.finish(&mut blocks);
        let begin = Instant::now();
        let (report, _) = verify(head, &blocks, &standings);
        verified += begin.elapsed();
        let begin = Instant::now();
        keep(report.continued.as_deref().expect("a standing"));
        kept += begin.elapsed();
    }
    figure("verify them in steps of 10,000, one thread", &format!("{:.1} s", verified.as_secs_f64()));
    figure("keep where each step ended", &format!("{:.1} s", kept.as_secs_f64()));
    let files = std::fs::read_dir(&state).expect("a folder").filter_map(Result::ok);
    let size: u64 = files.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum();
    figure("the standing, with what entries said", &format!("{} MB", size / 1_000_000));
    let (mut whole, mut inside, mut fetches) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        blocks.clear();
        chain.push(&mut blocks);
        let head = chain.finish(&mut blocks);
        let begin = Instant::now();
        let (report, read) = verify(head, &blocks, &standings);
        let continued = report.continued.as_deref().expect("a standing");
        let agrees = runtime.block_on(standings.agrees(&report.chain.expect("a chain"), continued));
        inside.push(begin.elapsed().as_secs_f64());
        assert!(agrees, "new identifiers and versions");
        fetches = fetches.max(read);
        // The program keeps where it ended, too.
        let path = directory.path().join("head.car");
        write(&path, &head, &blocks);
        let mut command = greffe();
        command.args(["verify", "--incremental"]).arg(&path).env("XDG_STATE_HOME", directory.path());
        whole.push(timed_process(&mut command).as_secs_f64());
    }
    at_most("blocks that it reads", fetches as f64, 12.0, "");
    at_most("verify, what older entries said among it", median(inside) * 1e3, 50.0, " ms");
    at_most("the program from its start to its end, from a CAR file", median(whole) * 1e3, 50.0, " ms");
}

/// Verifies what is new, and says how many blocks that took.
fn verify(head: Cid, blocks: &[Block], standings: &Standings) -> (Report, usize) {
    let blocks: HashMap<Cid, &Vec<u8>> = blocks.iter().map(|(cid, bytes)| (*cid, bytes)).collect();
    let options = Options { recall: Some(standings.recall()), ..Options::default() };
    let (mut verifier, mut read) = (Verifier::new(head, options), 0);
    while let Some(cid) = verifier.want() {
        read += 1;
        let bytes = blocks.get(&cid).copied().cloned();
        verifier.feed(&cid, bytes.map_or(Fetched::Missing, Fetched::Block));
        verifier.take_checks().into_iter().for_each(|check| verifier.absorb(check.run()));
    }
    let report = verifier.finish();
    assert!(report.verified, "{:?}", report.findings);
    (report, read)
}

fn write(path: &Path, head: &Cid, blocks: &[Block]) {
    let mut writer = CarWriter::create(path, head, Existing::Replace).expect("a file");
    // The head first, as an export has it.
    for (cid, bytes) in blocks.iter().rev() {
        writer.put(cid, bytes).expect("a file");
    }
    writer.finish().expect("a file");
}
