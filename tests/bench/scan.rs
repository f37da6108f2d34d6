//! How long 40,000 lines of migrations take to be scanned and classified, and what sealing a file costs, on one core.

mod measure;

use greffe::codec::sealed::seal;
use greffe::model::{EventId, Timestamp};
use greffe::privacy::scan;
use greffe::scripts::{Dialect, classify};
use measure::{alternate, at_most, figure, headline, milliseconds, timed};

const LINES: usize = 40_000;
const ROUNDS: usize = 9;
/// Files that are sealed in a round, and their size.
const FILES: usize = 2_000;
const FILE_SIZE: usize = 2_000;

fn main() {
    let scripts = scripts();
    let lines: usize = scripts.iter().map(|script| script.lines().count()).sum();
    let bytes: usize = scripts.iter().map(String::len).sum();
    let mut scanned = || timed(|| scripts.iter().map(|script| scan(script.as_bytes()).len()).sum::<usize>());
    let mut classified =
        || timed(|| scripts.iter().map(|script| classify(Dialect::Postgresql, script).len()).sum::<usize>());
    let [scan, classes] = alternate(ROUNDS, [&mut scanned, &mut classified]);
    headline("scanning and classifying migrations, one core");
    figure("lines", &lines.to_string());
    figure("kilobytes", &(bytes / 1000).to_string());
    figure("scanned", &milliseconds(&scan));
    figure("classified", &milliseconds(&classes));
    at_most("both", scan.median() + classes.median(), 1.0, " s");
    sealing();
}

fn sealing() {
    let event = EventId::generate(Timestamp::from_microseconds(1_790_000_000_000_000).expect("a time"));
    let data = vec![b'x'; FILE_SIZE];
    let mut sealed = || {
        timed(|| {
            let files = (0..FILES).map(|number| {
                seal(event, number, "0007_grades.up.sql".parse().expect("a name"), data.clone()).bytes.len()
            });
            files.sum::<usize>()
        })
    };
    let [seconds] = alternate(ROUNDS, [&mut sealed]);
    headline("sealing files of 2 KB, one core");
    at_most("a file", seconds.median() / FILES as f64 * 1e6, 20.0, " µs");
}

/// Scripts of about 40 lines: mostly schema, one of ten with rows.
fn scripts() -> Vec<String> {
    let mut scripts = Vec::new();
    let mut lines = 0;
    while lines < LINES {
        let at = scripts.len();
        let mut script = format!(
            "-- purpose: table {at} of the register\nCREATE TABLE part_{at} (\n  id bigint PRIMARY KEY"
        );
        for column in 0..30 {
            script.push_str(&format!(",\n  column_{column} text NOT NULL DEFAULT 'state {column}'"));
        }
        script.push_str(&format!(
            "\n);\nCREATE INDEX part_{at}_i ON part_{at} (column_1) WHERE column_2 = 'open';\n"
        ));
        for row in 0..4 {
            if at % 10 == 0 {
                script.push_str(&format!("INSERT INTO part_{at} (id, column_1, tel) VALUES ({row}, 'row {row}', '01 42 68 53 {row:02}');\n"));
            } else {
                script.push_str(&format!("COMMENT ON COLUMN part_{at}.column_{row} IS 'what the clerk wrote, at most {row} lines';\n"));
            }
        }
        lines += script.lines().count();
        scripts.push(script);
    }
    scripts
}
