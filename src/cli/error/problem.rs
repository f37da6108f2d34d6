//! What to say of a problem: both values, and the command that mends it.

use super::hints::HISTORY_BEHIND;
use crate::ops::Problem;

/// What differs in a problem, both values.
pub fn problem_details(problem: &Problem) -> Vec<String> {
    match problem {
        Problem::Edited { archived, on_disk, .. } => {
            vec![format!("archived: sha256:{archived}"), format!("on disk:  sha256:{on_disk}")]
        }
        Problem::Drifted { expected, found } => {
            vec![format!("recorded: sha256:{expected}"), format!("found:    sha256:{found}")]
        }
        Problem::RowDiffers { history, archive, .. } => {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            vec![format!("archive: {}", shown(archive)), format!("history: {}", shown(history))]
        }
        Problem::NotInArchive { expected, found, .. } => {
            let found = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
            vec![format!("archive: {found}"), format!("history: {expected}")]
        }
        Problem::OwnObject { expected, found, .. } => differing_lines(expected.as_deref(), found.as_deref()),
        _ => Vec::new(),
    }
}

/// Lines of one text alone, with `-` those of the first and with `+` those of the second; not more than a screen.
fn differing_lines(first: Option<&str>, second: Option<&str>) -> Vec<String> {
    const SHOWN: usize = 20;
    let [first, second] = [first, second].map(|text| text.unwrap_or_default().lines().collect::<Vec<_>>());
    let only = |sign: &str, some: &[&str], others: &[&str]| {
        let lines = some.iter().filter(|line| !others.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    let mut lines = only("-", &first, &second);
    lines.extend(only("+", &second, &first));
    let left_out = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    lines.extend((left_out > 0).then(|| format!("and {left_out} more lines")));
    lines
}

/// What to do about a problem.
pub fn problem_hint(problem: &Problem) -> String {
    let shown = |seq: &Option<u64>| seq.map_or_else(|| "SEQ".to_owned(), |seq| seq.to_string());
    match problem {
        Problem::Edited { seq, version, .. } => format!(
            "add a new migration instead of editing this one; `greffe show {} --script` prints what ran, and \
             `greffe repair {version} --applied` records the edit",
            shown(seq)
        ),
        Problem::Cosmetic { seq, .. } => format!("`greffe show {} --script` prints what ran", shown(seq)),
        Problem::DownEdited { seq, .. } => {
            format!("`greffe show {} --json` names the archived way down", shown(seq))
        }
        Problem::Missing { seq, .. } => {
            format!("bring the script back: `greffe show {} --script` prints it", shown(seq))
        }
        Problem::OutOfOrder { .. } => {
            "give the script a higher version, or run `greffe apply --allow-out-of-order`".to_owned()
        }
        Problem::HalfApplied { version, .. } => format!(
            "look at the database, finish or undo the rest by hand, then run `greffe repair {version} --applied` or \
             `greffe repair {version} --rolled-back`"
        ),
        Problem::ToolDiffers { archive: false, .. } => {
            "run `greffe audit` to see what differs; `greffe record -- true` archives what the tool did, and \
             `greffe baseline` all that it did before greffe came"
                .to_owned()
        }
        Problem::ToolDiffers { .. } => {
            "run `greffe audit` to see what differs; `greffe record -- true` archives what the tool's table says now"
                .to_owned()
        }
        Problem::ToolFailed { version, .. } => format!(
            "look at the database, finish or undo the rest by hand, then run `greffe repair {version} --applied` or \
             `greffe repair {version} --rolled-back`; `greffe audit` says what differs"
        ),
        Problem::TransactionControl { .. } => {
            "remove BEGIN, COMMIT and ROLLBACK, or begin the script with the line `-- no-transaction`"
                .to_owned()
        }
        Problem::RefusedStatement { .. } => {
            "change the script as it says, then run `greffe status`".to_owned()
        }
        Problem::NotInArchive { .. } => {
            "name the archive that belongs to this database with `--archive PATH`, or bring it here with \
             `greffe import FILE.car`"
                .to_owned()
        }
        Problem::HistoryBehind { .. } => HISTORY_BEHIND.to_owned(),
        Problem::Secret { .. } => {
            "take the secret out of the script, and change it where it is in use: what ran once is in logs".to_owned()
        }
        Problem::Personal { rule, .. } => format!(
            "take it out of the script, or say why it stands there in the script's header: \
             `-- waiver: {rule} YYYY-MM-DD REASON`; the script is archived sealed then"
        ),
        Problem::ConfidentialName { .. } => "rename the script: names are not sealed everywhere".to_owned(),
        Problem::DataPublished { .. } => {
            "publish less: set `publish = \"schema\"` or `\"sealed\"` below `[privacy]`".to_owned()
        }
        Problem::Policy { rule, .. } => {
            format!("run `greffe policy check` to see how it is kept, or read docs/policy.md on `{rule}`")
        }
        Problem::OwnTable { .. } => {
            "take it out of the script; `greffe repair VERSION` records what a version counts as".to_owned()
        }
        Problem::Drifted { .. } => {
            "find out who changed the schema; `greffe audit --record` records it as a signed event, and without it \
             `greffe verify` reports it where it happened"
                .to_owned()
        }
        Problem::Comments { seq, .. } => format!("`greffe show {} --script` prints what ran", shown(seq)),
        Problem::NotAsRecorded { .. } => {
            "the history was changed by hand: `greffe log` lists what was signed; restore it from a backup"
                .to_owned()
        }
        Problem::Reordered { seq, .. } => format!(
            "`greffe show {seq} --json` says who applied it and when; where it was meant, run \
             `greffe audit --allow-out-of-order`"
        ),
        Problem::AppliedDiffers { seq, .. } => format!(
            "`greffe show {} --json` prints what was signed; restore the history from a backup where it was changed by \
             hand, or record the restored database with `greffe repair --restored`",
            shown(seq)
        ),
        Problem::RowDiffers { seq, .. } | Problem::RowTwice { seq, .. } | Problem::RowReordered { seq, .. } => {
            format!(
                "the history was changed by hand: `greffe show {seq} --json` prints what was signed; restore it from a \
                 backup"
            )
        }
        Problem::PositionGap { .. } => {
            "a row was removed by hand: `greffe log` lists what was signed; restore the history from a backup"
                .to_owned()
        }
        Problem::RowDamaged { .. } => {
            "the history was changed by hand: `greffe log` lists what was signed; restore it from a backup before the \
             next run"
                .to_owned()
        }
        Problem::PlanWithoutOutcome { seq, .. } => format!(
            "run it, while it holds: `greffe apply --plan FILE`; or record that it is given up: `greffe plan --abandon {seq}`"
        ),
        Problem::NoRow { seq, .. } => format!(
            "its row was removed by hand: `greffe show {seq} --json` prints what was signed; restore the history from a \
             backup"
        ),
        Problem::OwnObject { .. } => "someone made or changed it by hand, and it may change what greffe writes: find out \
                                      who, then drop it, or restore greffe's tables from a backup"
            .to_owned(),
    }
}
