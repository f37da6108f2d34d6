//! Full verification against what its parts cost on one core, against git, and how much memory it takes.

mod chains;
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chains::Chain;
use greffe::chain::Options;
use greffe::codec::dag_cbor::decode_manifest;
use greffe::codec::dsse::Envelope;
use greffe::codec::statement::decode_statement;
use greffe::crypto::{Digest, PrivateKey};
use greffe::model::Codec;
use greffe::ops::ChainReader;
use greffe::ops::export::export;
use greffe::ops::verify::verify_car;
use greffe::store::{CarReader, Existing, Next};
use measure::{
    alternate, at_least, at_most, figure, greffe, headline, milliseconds, processor_time, timed,
    timed_process,
};

const EVENTS: u64 = 20_000;
const ROUNDS: usize = 9;
/// A path: the program verifies it and says how much memory that took.
const CHILD: &str = "GREFFE_BENCH_CHILD";

fn main() {
    if let Some(path) = std::env::var_os(CHILD) {
        return verify_as_child(Path::new(&path));
    }
    let directory = tempfile::tempdir().expect("a folder");
    let (grown, exported) = files(directory.path(), EVENTS);
    speed(&grown, &exported);
    memory(&grown, &exported);
    drop(directory);
    git();
}

/// A growing archive of so many events, and what is exported of it.
fn files(directory: &Path, events: u64) -> (PathBuf, PathBuf) {
    let directory = directory.join(events.to_string());
    let chain = Chain::grow(&directory, events);
    let reader = ChainReader::open(&directory, &chain.name).expect("an archive");
    let exported = directory.join("exported.car");
    export(&reader, &exported, Existing::Keep, &mut |_, _, _| ()).expect("an export");
    (directory.join(format!("{}.car", chain.name)), exported)
}

/// The three blocks of an ordinary entry.
struct Entry {
    manifest: Vec<u8>,
    log: Vec<u8>,
    file: Vec<u8>,
}

fn entries(path: &Path) -> Vec<Entry> {
    let mut reader = CarReader::open(path).expect("a CAR file");
    let mut entries = Vec::new();
    let mut manifest = None;
    let mut raw: Vec<Vec<u8>> = Vec::new();
    let mut take = |manifest: &mut Option<Vec<u8>>, raw: &mut Vec<Vec<u8>>| {
        if let (Some(manifest), [log, file]) = (manifest.take(), &mut raw[..]) {
            entries.push(Entry { manifest, log: std::mem::take(log), file: std::mem::take(file) });
        }
        raw.clear();
    };
    while let Next::Block { cid, bytes, .. } = reader.next_block().expect("a frame") {
        match cid.codec() {
            Codec::DagCbor => {
                take(&mut manifest, &mut raw);
                manifest = decode_manifest(bytes).is_ok().then(|| bytes.to_vec());
            }
            Codec::Raw => raw.push(bytes.to_vec()),
            Codec::DagPb => {}
        }
    }
    take(&mut manifest, &mut raw);
    entries
}

/// What every verifier has to do for an entry, and nothing else.
fn limit(entries: &[Entry]) -> usize {
    let key = *PrivateKey::from_seed(&[7; 32]).public();
    let sound = |entry: &&Entry| {
        let digests = [&entry.manifest, &entry.log, &entry.file].map(|block| Digest::of(block));
        let manifest = decode_manifest(&entry.manifest).expect("a manifest");
        let envelope = Envelope::decode(&entry.log).expect("an envelope");
        let statement = decode_statement(&envelope.payload).expect("a statement");
        manifest.log.digest() == digests[1]
            && manifest.files[0].cid.digest() == digests[2]
            && statement.event.seq == manifest.seq
            && key.verify(&envelope.message(), &envelope.signatures[0].1)
    };
    entries.iter().filter(sound).count()
}

fn verified(path: &Path, threads: usize) -> Duration {
    timed(|| {
        let report = verify_car(path, Options::default(), threads, &mut |_, _, _| ()).expect("a report");
        assert!(report.verified, "{:?}", report.findings);
    })
}

fn speed(grown: &Path, exported: &Path) {
    let entries = entries(exported);
    assert_eq!(entries.len() as u64, EVENTS);
    headline(&format!(
        "verify: full verification of {EVENTS} entries, every signature strict, {ROUNDS} rounds"
    ));
    let mut processor: [Vec<f64>; 3] = Default::default();
    let [mut of_limit, mut of_one, mut of_two] = processor.each_mut().map(|seconds| {
        move |work: &dyn Fn() -> Duration| {
            let begin = processor_time();
            let took = work();
            seconds.push((processor_time() - begin).as_secs_f64());
            took
        }
    });
    let [limit, one, two, grown_one] = alternate(
        ROUNDS,
        [
            &mut || of_limit(&|| timed(|| assert_eq!(limit(&entries) as u64, EVENTS))),
            &mut || of_one(&|| verified(exported, 1)),
            &mut || of_two(&|| verified(exported, 2)),
            &mut || verified(grown, 1),
        ],
    );
    let processor = processor.map(measure::Series);
    let per_entry = |series: &measure::Series| format!("{:.1} µs", series.median() * 1e6 / EVENTS as f64);
    figure("limit: 3 SHA-256, verify_strict, decoding; per entry", &per_entry(&limit));
    figure("1 thread, per entry", &per_entry(&one));
    figure("2 threads, per entry", &per_entry(&two));
    figure("1 thread over a growing archive, per entry", &per_entry(&grown_one));
    at_least("1 thread, share of the limit", 100.0 * limit.over(&one), 85.0, " %");
    at_least("2 threads, share of twice the limit", 50.0 * limit.over(&two), 75.0, " %");
    figure(
        "1 thread over a growing archive, share of the limit",
        &format!("{:.2} %", 100.0 * limit.over(&grown_one)),
    );
    // Where other programs run, the time on the clock says little and this more.
    for (what, series) in [("1 thread", &processor[1]), ("2 threads", &processor[2])] {
        let share = 100.0 * processor[0].over(series);
        figure(&format!("{what}, share of the limit in processor time"), &format!("{share:.2} %"));
    }
    figure("all rounds: limit", &milliseconds(&limit));
    figure("all rounds: 1 thread", &milliseconds(&one));
    figure("all rounds: 2 threads", &milliseconds(&two));
}

fn verify_as_child(path: &Path) {
    verified(path, 2);
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

/// Peak of resident memory, in MB.
fn peak(path: &Path) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).env(CHILD, path).stderr(Stdio::inherit()).output().expect("a child");
    assert!(output.status.success());
    let kibibytes: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}

fn memory(grown: &Path, exported: &Path) {
    headline("verify: peak of resident memory, 2 threads");
    let mut series = vec![(EVENTS, peak(exported), peak(grown))];
    let large = std::env::var_os("GREFFE_BENCH_LARGE").is_some();
    let further: &[u64] = if large { &[200_000, 1_000_000] } else { &[200_000] };
    for events in further {
        let directory = tempfile::tempdir().expect("a folder");
        let (grown, exported) = files(directory.path(), *events);
        series.push((*events, peak(&exported), peak(&grown)));
    }
    for (events, exported, grown) in &series {
        if *events == 1_000_000 {
            at_most("1000000 events, exported", *exported, 200.0, " MB");
            at_most("1000000 events, growing archive", *grown, 200.0, " MB");
        } else {
            figure(&format!("{events} events, exported"), &format!("{exported:.1} MB"));
            figure(&format!("{events} events, growing archive"), &format!("{grown:.1} MB"));
        }
    }
    let (first, last) = (&series[0], &series[series.len() - 1]);
    let growth = (last.1 - first.1) * 1e6 / (last.0 - first.0) as f64;
    figure(&format!("growth for each event, {} to {}", first.0, last.0), &format!("{growth:.0} bytes"));
    if !large {
        println!("1,000,000 events take 9 GB of temporary files and minutes: set GREFFE_BENCH_LARGE=1");
    }
}

/// Whole processes: the same number of SSH-signed commits and of entries.
fn git() {
    let count = std::env::var("GREFFE_BENCH_COMMITS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let directory = tempfile::tempdir().expect("a folder");
    headline(&format!(
        "verify: whole processes, {count} entries against {count} SSH-signed commits, 3 rounds"
    ));
    let Some(repository) = signed_commits(directory.path(), count) else {
        println!("git and ssh-keygen are needed: `apt-get install git openssh-client`");
        return;
    };
    let (_, exported) = files(directory.path(), count);
    let verify = |threads: &[&str]| {
        let mut command = greffe();
        command.arg("verify").args(threads).arg(&exported).current_dir(directory.path());
        timed_process(&mut command)
    };
    let [git, one, all] = alternate(
        3,
        [
            &mut || timed_process(&mut repository.git(&["log", "--show-signature", "--format=%H"])),
            &mut || verify(&["--threads", "1"]),
            &mut || verify(&[]),
        ],
    );
    let per_entry = |series: &measure::Series| format!("{:.1} µs", series.median() * 1e6 / count as f64);
    figure("git log --show-signature, per commit", &per_entry(&git));
    figure("greffe verify --threads 1, per entry", &per_entry(&one));
    figure("greffe verify, per entry", &per_entry(&all));
    at_least("git over greffe verify --threads 1", git.over(&one), 300.0, " times");
    at_least("git over greffe verify", git.over(&all), 300.0, " times");
}

/// A repository whose commits are signed with an SSH key that it knows.
struct Repository {
    directory: PathBuf,
}

impl Repository {
    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.directory).env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments);
        command
    }
}

/// `None` when git or ssh-keygen is missing.
fn signed_commits(directory: &Path, count: u64) -> Option<Repository> {
    let repository = Repository { directory: directory.join("repository") };
    let key = directory.join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).stdin(Stdio::null()).status().ok()?;
    let public = fs::read_to_string(key.with_extension("pub")).expect("a public key");
    let signers = directory.join("signers");
    fs::write(&signers, format!("bench@example.org {public}")).expect("a file");
    fs::create_dir(&repository.directory).expect("a folder");
    let run = |arguments: &[&str]| repository.git(arguments).stdout(Stdio::null()).status().ok();
    run(&["init", "-q"])?;
    let paths = [key.display().to_string(), signers.display().to_string()];
    for (name, value) in [
        ("user.name", "Bench"),
        ("user.email", "bench@example.org"),
        ("gpg.format", "ssh"),
        ("user.signingkey", &paths[0]),
        ("gpg.ssh.allowedSignersFile", &paths[1]),
        ("gc.auto", "0"),
    ] {
        run(&["config", name, value])?;
    }
    for n in 0..count {
        run(&["commit", "-q", "-S", "--allow-empty", "-m", &format!("entry {n}")])?;
    }
    let output = repository.git(&["log", "--show-signature"]).output().ok()?;
    let good = String::from_utf8_lossy(&output.stdout).matches("Good \"git\" signature").count();
    assert_eq!(good as u64, count, "{}", String::from_utf8_lossy(&output.stderr));
    Some(repository)
}
