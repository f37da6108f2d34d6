//! What a chain costs to verify over one gateway when every request takes 50 ms more.

mod chains;
#[allow(dead_code, reason = "benchmarks use a part")]
#[path = "../program/servers/gateway_proxy.rs"]
mod gateway_proxy;
mod measure;
#[allow(dead_code, unused_imports, reason = "benchmarks use a part")]
#[path = "../program/servers/mod.rs"]
mod servers;
#[allow(dead_code, reason = "benchmarks use a part")]
#[path = "../program/tools.rs"]
mod tools;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chains::Chain;
use gateway_proxy::{Fault, GatewayProxy};
use greffe::model::Cid;
use greffe::ops::ChainReader;
use measure::{at_least, at_most, figure, greffe, headline, timed_process};
use servers::Kubo;

const EVENTS: u64 = 10_000;
const DELAY: Duration = Duration::from_millis(50);
/// Entries of the walk from which the rest is reckoned.
const WALKED: u64 = 100;
const ROUNDS: usize = 3;

fn main() {
    headline("remote: 10,000 entries over a gateway, 50 ms added to every request");
    let folder = tempfile::tempdir().expect("a folder");
    Chain::grow(folder.path(), EVENTS);
    let reader = ChainReader::open(folder.path(), &"bench".parse().expect("a name")).expect("an archive");
    let car = folder.path().join("out.car");
    let mut export = greffe();
    export.args(["export", "--name", "bench", "--archive"]).arg(folder.path()).arg("--out").arg(&car);
    timed_process(&mut export);
    let kubo = Kubo::start();
    kubo.run(&["dag", "import", "--pin-roots=false", &car.display().to_string()]);

    let proxy = GatewayProxy::waiting(&kubo.gateway_url(), Fault::None, DELAY);
    let (mut took, mut memory) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (seconds, peak) = verify(&reader.head(), &proxy);
        took.push(seconds);
        memory = memory.max(peak);
    }
    let whole = measure::median(took);
    figure("all of it, from the head", &format!("{whole:.2} s"));
    proxy.set(Fault::NoCars);
    let requests = proxy.requests();
    let (singly, peak) = verify(&reader.head(), &proxy);
    figure("the same without CARs", &format!("{singly:.2} s"));
    figure("  requests", &(proxy.requests() - requests).to_string());
    // One manifest after the other, each naming the one before; their logs and scripts even come side by side.
    let manifest = reader.manifest_at(WALKED - 1).expect("an entry");
    let (walked, _) = verify(&manifest, &proxy);
    let all = walked * EVENTS as f64 / WALKED as f64;
    figure("100 entries, following `prev`", &format!("{walked:.2} s"));
    figure("10,000 entries, following `prev`, reckoned from that", &format!("{all:.0} s"));
    at_least("following `prev` over all of it", all / whole, 100.0, "x");
    at_most("peak memory", memory.max(peak) as f64 / 1024.0, 256.0, " MiB");
}

/// Seconds, and the most memory in KiB.
fn verify(cid: &Cid, proxy: &GatewayProxy) -> (f64, u64) {
    let mut command: Command = greffe();
    command.args(["verify", &cid.to_string(), "--no-memory", "--from", &proxy.url()]);
    // Nothing of it is here.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().expect("the program");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("a process") {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(found.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "not verified");
    (begin.elapsed().as_secs_f64(), peak)
}
