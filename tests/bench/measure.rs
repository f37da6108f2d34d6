//! Plain timing for the benchmarks: rounds that alternate, medians, and figures beside their targets.
#![allow(dead_code, reason = "each benchmark is a program of its own and uses a part")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The seconds of one contestant, round by round.
pub struct Series(pub Vec<f64>);

impl Series {
    /// The median, in seconds.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The smallest and the largest, in seconds.
    pub fn range(&self) -> (f64, f64) {
        self.0.iter().fold((f64::MAX, 0.0), |(low, high), seconds| (low.min(*seconds), high.max(*seconds)))
    }

    /// The median of what this one took, measured by what the other took in the same round.
    pub fn over(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(this, other)| this / other).collect())
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Lets each contestant run in turn; the first round does not count. Contestants say themselves how long they took.
pub fn alternate<const N: usize>(
    rounds: usize,
    mut contestants: [&mut dyn FnMut() -> Duration; N],
) -> [Series; N] {
    let mut series = [const { Series(Vec::new()) }; N];
    for round in 0..=rounds {
        for (contestant, series) in contestants.iter_mut().zip(&mut series) {
            let took = contestant();
            if round > 0 {
                series.0.push(took.as_secs_f64());
            }
        }
    }
    series
}

/// How long `work` takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    std::hint::black_box(work());
    begin.elapsed()
}

/// How long a program takes from its start to its end; what it prints is dropped.
pub fn timed_process(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let took = begin.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    took
}

/// Processor time that this process has used so far, all threads together; to a hundredth of a second.
pub fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets: state, ten numbers, then user and system time in ticks of 10 ms.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Begins the table of a benchmark.
pub fn headline(what: &str) {
    println!("\n{what}\nload {}", load());
    println!("{:<64} {:>14}  target", "", "figure");
}

/// A figure without a target.
pub fn figure(what: &str, value: &str) {
    println!("{what:<64} {value:>14}");
}

/// A figure that should be at least `target`.
pub fn at_least(what: &str, value: f64, target: f64, unit: &str) {
    judge(what, value, &format!("≥ {target}{unit}"), value >= target, unit);
}

/// A figure that should be at most `target`.
pub fn at_most(what: &str, value: f64, target: f64, unit: &str) {
    judge(what, value, &format!("≤ {target}{unit}"), value <= target, unit);
}

fn judge(what: &str, value: f64, target: &str, met: bool, unit: &str) {
    let value = format!("{value:.2}{unit}");
    println!("{what:<64} {value:>14}  {target} {}", if met { "met" } else { "MISSED" });
}

/// A median and its range, in milliseconds.
pub fn milliseconds(series: &Series) -> String {
    let (low, high) = series.range();
    format!("{:.2} ms [{:.2}..{:.2}]", series.median() * 1e3, low * 1e3, high * 1e3)
}

/// The machine's load: of the last 1, 5 and 15 minutes.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} on {cores} cores", load.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// The program under test: as cargo built it for this benchmark, or the one that GREFFE_BIN names.
pub fn greffe() -> Command {
    let mut command = Command::new(greffe_path());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GREFFE_") {
            command.env_remove(name);
        }
    }
    // `init` makes a vault, whose owner has a passphrase.
    command.env("GREFFE_VAULT_PASSPHRASE", "bench");
    command
}

/// Where the program under test is.
pub fn greffe_path() -> std::ffi::OsString {
    std::env::var_os("GREFFE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_greffe").into())
}
