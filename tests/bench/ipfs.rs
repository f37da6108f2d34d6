//! A chain that is pushed to a real Kubo run by run; what Kubo does with such a chain by itself; CAR files beside
//! Kubo's own.

mod chains;
mod measure;
#[allow(dead_code, unused_imports, reason = "benchmarks use a part")]
#[path = "../program/servers/mod.rs"]
mod servers;
#[allow(dead_code, reason = "benchmarks use a part")]
#[path = "../program/tools.rs"]
mod tools;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chains::{Chain, open_write};
use greffe::ops::ChainReader;
use greffe::ops::replicate::replicate;
use greffe::store::Archive;
use greffe::store::remote::{AnyReplica, NamedReplica, Patience, ReplicaUrl};
use measure::{alternate, at_least, at_most, figure, greffe, headline, median, timed, timed_process};
use servers::Kubo;
use tokio::runtime::Runtime;

/// Events, each a run of its own.
const PUSHES: usize = 10_000;
/// Pushes at the beginning and at the end that are compared.
const COMPARED: usize = 100;
/// Entries of the chain whose CAR file is written and read.
const EVENTS: u64 = 2000;
const ROUNDS: usize = 3;
const PATIENCE: Patience = Patience { request: Duration::from_secs(60), total: Duration::from_secs(60) };

fn main() {
    pushes();
    cars();
}

fn pushes() {
    headline("ipfs: 10,000 events pushed to Kubo, each in a run of its own");
    let folder = tempfile::tempdir().expect("a folder");
    let mut chain = Chain::grow(folder.path(), 1);
    let mut archive = open_write(folder.path(), &chain);
    let kubo = Kubo::start();
    let url = ReplicaUrl::parse(&format!("kubo:{}", kubo.rpc_url()), folder.path(), false).expect("a URL");
    let replica = AnyReplica::new(&url, None, PATIENCE).expect("a replica");
    let replicas = [NamedReplica { name: "node".to_owned(), url, replica }];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

    let mut took = Vec::new();
    for _ in 0..PUSHES {
        grow(&mut chain, &mut archive);
        took.push(push(&runtime, folder.path(), &chain, &replicas));
    }
    let [first, last] = [&took[..COMPARED], &took[PUSHES - COMPARED..]].map(|part| median(part.to_vec()));
    figure("push of one run, median of the first 100", &format!("{:.1} ms", first * 1e3));
    figure("the same, of the last 100", &format!("{:.1} ms", last * 1e3));
    at_most("the last over the first", last / first, 2.0, " times");
    figure("all 10,000", &format!("{:.0} s", took.iter().sum::<f64>()));

    let head = archive.head().to_string();
    assert!(pinned(&kubo, &head), "the head is not pinned");
    let walked = timed(|| {
        kubo.run(&["pin", "rm", &head]);
        kubo.run(&["pin", "add", "--recursive", &head]);
    });
    figure("`ipfs pin add` of the whole chain, all of it there", &format!("{:.1} s", walked.as_secs_f64()));
    let (seconds, said) = export(&kubo, &head, &["--timeout=600s"]);
    let said = said.map_or_else(|_| "not ended after".to_owned(), |car| format!("{} MB in", car.len() >> 20));
    figure("`ipfs dag export` of it", &format!("{said} {seconds:.0} s"));
}

/// One run of one event.
fn grow(chain: &mut Chain, archive: &mut Archive) {
    let mut blocks = Vec::new();
    chain.push(&mut blocks);
    let head = chain.finish(&mut blocks);
    archive.append(&blocks, head).expect("a longer archive");
}

/// Seconds that `replicate` takes, from opening the archive to its note of the delivery.
fn push(runtime: &Runtime, directory: &Path, chain: &Chain, replicas: &[NamedReplica]) -> f64 {
    let begin = Instant::now();
    let reader = ChainReader::open(directory, &chain.name).expect("an archive");
    let done = runtime.block_on(replicate(&reader, &chain.name, replicas, PATIENCE.total, &mut |_, _, _| {}));
    let done = done.expect("a delivery");
    assert_eq!(done.current(), 1, "{:?}", done.replicas);
    begin.elapsed().as_secs_f64()
}

fn pinned(kubo: &Kubo, head: &str) -> bool {
    kubo.run(&["pin", "ls", "--type=recursive", "--quiet"]).lines().any(|pinned| pinned == head)
}

/// Seconds, and the CAR file or what Kubo said.
fn export(kubo: &Kubo, head: &str, options: &[&str]) -> (f64, Result<Vec<u8>, String>) {
    let begin = Instant::now();
    let car = kubo.run_with(&[options, &["dag", "export", "--progress=false", head]].concat(), b"");
    (begin.elapsed().as_secs_f64(), car)
}

fn cars() {
    headline(&format!("ipfs: a CAR file of {EVENTS} entries, whole processes"));
    let folder = tempfile::tempdir().expect("a folder");
    Chain::grow(folder.path(), EVENTS);
    let car = folder.path().join("ours.car");
    let write = || {
        let mut export = greffe();
        export.args(["export", "--name", "bench", "--force", "--archive"]).arg(folder.path());
        timed_process(export.arg("--out").arg(&car))
    };
    write();
    let head =
        ChainReader::open(folder.path(), &"bench".parse().expect("a name")).expect("an archive").head();
    let (kubo, emptied) = (filled(&car), Kubo::start());
    let theirs = folder.path().join("theirs.car");
    let [ours, kubos] = alternate(
        ROUNDS,
        [&mut || write(), &mut || {
            timed(|| {
                let (_, bytes) = export(&kubo, &head.to_string(), &[]);
                fs::write(&theirs, bytes.expect("a CAR file")).expect("a file");
            })
        }],
    );
    let size = |path: &Path| fs::metadata(path).expect("a file").len() as f64 / 1e6;
    let speed = |path: &Path, seconds: f64| format!("{:.1} MB/s", size(path) / seconds);
    figure("size of the file", &format!("{:.1} MB", size(&car)));
    figure("`greffe export`", &speed(&car, ours.median()));
    figure("`ipfs dag export`", &speed(&theirs, kubos.median()));
    at_least("throughput of export", kubos.over(&ours), 2.0, " times");

    let [ours, kubos] = alternate(
        ROUNDS,
        [&mut || read(&car), &mut || {
            let took = timed(|| import(&emptied, &car));
            // Nothing is there the next time.
            emptied.garbage_collect();
            took
        }],
    );
    figure("`greffe import`, which verifies every signature", &speed(&car, ours.median()));
    figure("`ipfs dag import`, without a pin", &speed(&car, kubos.median()));
    at_least("throughput of import", kubos.over(&ours), 2.0, " times");
}

/// How long a new archive takes to read a CAR file.
fn read(car: &Path) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let mut import = greffe();
    import.arg("import").arg(car).args(["--name", "bench", "--no-memory", "--archive"]);
    timed_process(import.arg(folder.path()))
}

fn import(kubo: &Kubo, car: &Path) {
    kubo.run(&["dag", "import", "--pin-roots=false", &car.display().to_string()]);
}

/// A node that has a CAR file's blocks.
fn filled(car: &Path) -> Kubo {
    let kubo = Kubo::start();
    import(&kubo, car);
    kubo
}
