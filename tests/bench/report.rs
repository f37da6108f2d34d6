//! How long a report takes on a chain of 1,000 events, verified and with a sheet for each change: by the program as a
//! whole, as a page and as data, in English and in Arabic; and that the same head makes the same bytes.

mod chains;
mod measure;

use std::process::Command;

use chains::Chain;
use greffe::crypto::Digest;
use greffe::model::Engine;
use measure::{alternate, at_most, figure, greffe, headline, milliseconds, timed_process};

const EVENTS: u64 = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    Chain::grow(&folder.path().join("archive"), EVENTS);
    let other = tempfile::tempdir().expect("a folder for temporary files");
    Chain::grow_on(|_| (Engine::Postgresql, "greffe-postgresql-1"), &other.path().join("archive"), EVENTS);
    let report = |folder: &std::path::Path, arguments: &[&str]| -> Command {
        let mut command = greffe();
        command.current_dir(folder).args(["--name", "bench", "report", "--quiet"]).args(arguments);
        command
    };
    headline(&format!("a report on a chain of {EVENTS} events, whole processes"));
    for form in ["html", "json"] {
        let bytes = || report(folder.path(), &["--format", form]).output().expect("a report").stdout;
        let (first, second) = (bytes(), bytes());
        assert!(!first.is_empty() && first == second, "two reports on one head differ");
        figure(&format!("{form}, kilobytes"), &(first.len() / 1000).to_string());
        figure(&format!("{form}, SHA-256 of both"), &Digest::of(&first).to_string());
    }
    let timed = |folder: &std::path::Path, arguments: &[&str]| timed_process(&mut report(folder, arguments));
    let mut page = || timed(folder.path(), &["--format", "html"]);
    let mut arabic = || timed(folder.path(), &["--format", "html", "--lang", "ar"]);
    let mut data = || timed(folder.path(), &["--format", "json"]);
    let mut sample = || timed(folder.path(), &["--format", "html", "--sample", "25", "--seed", "bench"]);
    let mut postgres = || timed(other.path(), &["--format", "html"]);
    let [page, arabic, data, sample, postgres] =
        alternate(ROUNDS, [&mut page, &mut arabic, &mut data, &mut sample, &mut postgres]);
    figure("page", &milliseconds(&page));
    figure("page in Arabic", &milliseconds(&arabic));
    figure("data", &milliseconds(&data));
    figure("page with a sample of 25", &milliseconds(&sample));
    figure("page of PostgreSQL's scripts, by squawk", &milliseconds(&postgres));
    at_most("page", page.median(), 2.0, " s");
    at_most("page of PostgreSQL's scripts, by squawk", postgres.median(), 2.0, " s");
}
