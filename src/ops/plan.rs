//! Compares folder and history: what is pending, and what stands in the way.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::crypto::Digest;
use crate::database::{Applied, DatabaseError, History, RowState, Target};
use crate::model::{Cid, EventKind, FileDigests};
use crate::privacy::{Judged, Publish, Severity};
use crate::scripts::{Class, Dialect, Migration, Reason, Refusal, Script, Version, refusal};

/// Something that is not as it should be. Some problems stop a run, all are findings of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Problem {
    #[error("script `{file}` differs from its archived copy")]
    Edited { version: String, file: String, seq: Option<u64>, archived: Digest, on_disk: Digest },
    #[error("script `{file}` differs from its archived copy only in line ends or byte order mark")]
    Cosmetic { version: String, file: String, seq: Option<u64> },
    #[error("way down `{file}` differs from its archived copy, which is the one that a rollback runs")]
    DownEdited { version: String, file: String, seq: Option<u64> },
    #[error("migration {version} is applied and its script is not in the folder")]
    Missing { version: String, seq: Option<u64> },
    #[error("migration {version} is pending and older than {newest}, which is applied")]
    OutOfOrder { version: String, newest: String },
    #[error(
        "migration {version} was cut short outside a transaction{}: it is neither applied nor not",
        statement.map(|statement| format!(", at statement {statement}")).unwrap_or_default()
    )]
    HalfApplied {
        version: String,
        failed: bool,
        /// The statement that it had come to, from 1, where the database tells.
        statement: Option<u64>,
    },
    #[error(
        "script `{file}` ends or begins a transaction in line {line}: each script runs in one of greffe's own"
    )]
    TransactionControl { version: String, file: String, line: usize },
    #[error("the database says that entry {seq} of the archive is {expected}; there is {}", match found { Some(found) => found.to_string(), None => "none".to_owned() })]
    NotInArchive { seq: u64, expected: Cid, found: Option<Cid> },
    #[error("the archive holds events that the database does not know, from entry {first} to entry {last}")]
    HistoryBehind { first: u64, last: u64 },
    #[error("script `{file}` is not run, in line {line}: {reason}")]
    RefusedStatement {
        version: String,
        file: String,
        line: usize,
        #[serde(serialize_with = "as_text")]
        reason: Reason,
    },
    #[error("script `{file}` names greffe's own table `{table}`, which only greffe writes")]
    OwnTable { version: String, file: String, table: &'static str },
    #[error("script `{file}` holds what is never archived, in line {line}, column {column}: {rule}")]
    Secret { version: String, file: String, line: usize, column: usize, rule: String },
    #[error("script `{file}` holds personal data in line {line}, column {column}: {rule}")]
    Personal { version: String, file: String, line: usize, column: usize, rule: String },
    #[error("the name of script `{}` says something of a person or a secret: {rule}", masked(file))]
    ConfidentialName {
        version: String,
        #[serde(skip)]
        file: String,
        rule: String,
    },
    #[error("script `{file}` carries data, and everything is published here")]
    DataPublished { version: String, file: String },
    #[error(
        "migration {version} counts as {} by the archive and as {} by {table}",
        applied_or_not(*archive), applied_or_not(!*archive)
    )]
    ToolDiffers { version: String, table: String, archive: bool },
    #[error("migration {version} failed or was not finished, as {table} says")]
    ToolFailed { version: String, table: String },
    #[error(
        "policy: {rule} is {}{}: {says}", match *outcome { "broken" => "broken", _ => "not attested" },
        version.as_ref().map(|version| format!(" by migration {version}")).unwrap_or_default()
    )]
    Policy { rule: String, version: Option<String>, outcome: &'static str, says: String },
    #[error("the schema changed outside the archive")]
    Drifted { expected: Digest, found: Digest },
    #[error(
        "script `{file}` differs from its archived copy only in comments or white space: its SQL is the same"
    )]
    Comments { version: String, file: String, seq: Option<u64> },
    #[error("script `{file}` is not the one whose digest row {position} of the history has")]
    NotAsRecorded { version: String, file: String, position: i64 },
    #[error("migration {version} was applied after {newest}, which comes behind it in the folder")]
    Reordered { version: String, seq: u64, newest: String },
    #[error(
        "migration {version} counts as {} by the archive and as {} by the history",
        applied_or_not(*archive), applied_or_not(!*archive)
    )]
    AppliedDiffers { version: String, seq: Option<u64>, archive: bool },
    #[error(
        "row {position} of the history differs from entry {seq} of the archive, which it tells of, in its {member}"
    )]
    RowDiffers {
        version: String,
        position: i64,
        seq: u64,
        member: &'static str,
        history: Option<String>,
        archive: Option<String>,
    },
    #[error("row {position} of the history tells of entry {seq} of the archive, as row {first} does")]
    RowTwice { position: i64, seq: u64, first: i64 },
    #[error(
        "row {position} of the history tells of entry {seq} of the archive, behind a row of entry {newest}"
    )]
    RowReordered { position: i64, seq: u64, newest: u64 },
    #[error("the history goes on with row {found} where row {expected} is due")]
    PositionGap { expected: i64, found: i64 },
    #[error("row {position} of the history is not what greffe writes: {detail}")]
    RowDamaged { position: i64, detail: String },
    #[error("entry {seq} plans {}, and nothing tells what came of it", missing.join(", "))]
    PlanWithoutOutcome { seq: u64, missing: Vec<String> },
    #[error("entry {seq} of the archive ({event} {version}) has no row in the history")]
    NoRow { seq: u64, event: EventKind, version: String },
    #[error(
        "{} {name} {}, and no fingerprint shows it", object_kind,
        match (expected, found) {
            (Some(_), None) => "of greffe's own is missing",
            (Some(_), Some(_)) => "of greffe's own is not as greffe made it",
            (None, _) => "is not of greffe's making",
        }
    )]
    OwnObject {
        #[serde(rename = "kind")]
        object_kind: String,
        name: String,
        /// The text of what greffe makes; `None` where it makes nothing.
        expected: Option<String>,
        /// The text of what is there.
        found: Option<String>,
    },
}

fn applied_or_not(applied: bool) -> &'static str {
    if applied { "applied" } else { "not applied" }
}

/// A reason is written as what it says.
fn as_text<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

impl Problem {
    /// Whether nothing may be applied while it stands. What only an audit looks for stops nothing.
    #[must_use]
    pub fn stops(&self) -> bool {
        match self {
            Self::Edited { .. }
            | Self::Missing { .. }
            | Self::OutOfOrder { .. }
            | Self::HalfApplied { .. }
            | Self::TransactionControl { .. }
            | Self::NotInArchive { .. }
            | Self::HistoryBehind { .. }
            | Self::RefusedStatement { .. }
            | Self::Secret { .. }
            | Self::Personal { .. }
            | Self::ConfidentialName { .. }
            | Self::DataPublished { .. }
            | Self::ToolDiffers { .. }
            | Self::ToolFailed { .. }
            | Self::Policy { .. }
            | Self::OwnTable { .. } => true,
            Self::Cosmetic { .. }
            | Self::DownEdited { .. }
            | Self::Drifted { .. }
            | Self::Comments { .. }
            | Self::NotAsRecorded { .. }
            | Self::Reordered { .. }
            | Self::AppliedDiffers { .. }
            | Self::RowDiffers { .. }
            | Self::RowTwice { .. }
            | Self::RowReordered { .. }
            | Self::PositionGap { .. }
            | Self::RowDamaged { .. }
            | Self::NoRow { .. }
            | Self::PlanWithoutOutcome { .. }
            | Self::OwnObject { .. } => false,
        }
    }
}

/// A migration that is not applied.
#[derive(Clone, Debug)]
pub struct Pending {
    pub migration: Migration,
}

/// Asks `target` how far the scripts came that were cut short.
pub async fn add_progress<T: Target>(
    problems: &mut [Problem],
    history: &History,
    target: &mut T,
) -> Result<(), DatabaseError> {
    for problem in problems {
        if let Problem::HalfApplied { version, failed: false, statement } = problem
            && let Some(row) = history.half_applied.get(version)
        {
            *statement = target.reached(row.id).await?;
        }
    }
    Ok(())
}

/// What is to be done.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub pending: Vec<Pending>,
    pub problems: Vec<Problem>,
}

/// Which migrations are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The day, as `2026-11-22`: waivers end by it.
    pub today: String,
    /// Which scripts are archived in clear.
    pub publish: Publish,
    /// The last version to apply.
    pub to: Option<Version>,
    pub allow_out_of_order: bool,
}

/// Compares `folder`, written in `dialect`, with `history`.
#[must_use]
pub fn plan(dialect: Dialect, folder: &[Migration], history: &History, wanted: &Wanted) -> Plan {
    let mut plan = Plan::default();
    let on_disk = OnDisk::of(folder);
    let mut newest: Option<Version> = None;
    for (version, applied) in &history.applied {
        let found = on_disk.find(version);
        match found {
            Some(migration) => compare(version, applied, migration, &mut plan.problems),
            None => plan.problems.push(missing(version, applied)),
        }
        let turn = found.map(|migration| migration.version.clone()).or_else(|| version.parse().ok());
        newest = newest.max(turn.filter(Version::has_turn));
    }
    for (version, row) in &history.half_applied {
        let failed = row.state == RowState::Partial;
        plan.problems.push(Problem::HalfApplied { version: version.clone(), failed, statement: None });
    }
    for migration in folder {
        let version = migration.version.to_string();
        let wanted_version = wanted.to.as_ref().is_none_or(|to| migration.version <= *to);
        if history.applied.contains_key(&version)
            || history.half_applied.contains_key(&version)
            || !wanted_version
        {
            continue;
        }
        if let Some(newest) =
            newest.as_ref().filter(|newest| **newest > migration.version && !wanted.allow_out_of_order)
        {
            plan.problems.push(Problem::OutOfOrder { version: version.clone(), newest: newest.to_string() });
        }
        plan.problems.extend(refused_script(dialect, &version, &migration.up));
        plan.problems.extend(confidential(dialect, migration, wanted));
        plan.pending.push(Pending { migration: migration.clone() });
    }
    plan
}

/// The migrations of a folder by their versions.
struct OnDisk<'a> {
    written: HashMap<&'a str, &'a Migration>,
    numbers: BTreeMap<&'a Version, &'a Migration>,
}

impl<'a> OnDisk<'a> {
    fn of(folder: &'a [Migration]) -> Self {
        let written = folder.iter().map(|migration| (migration.version.as_str(), migration)).collect();
        Self { written, numbers: folder.iter().map(|migration| (&migration.version, migration)).collect() }
    }

    fn find(&self, version: &str) -> Option<&'a Migration> {
        let by_number = || {
            let found = *self.numbers.get(&version.parse::<Version>().ok()?)?;
            found.version.is(version).then_some(found)
        };
        self.written.get(version).copied().or_else(by_number)
    }
}

fn missing(version: &str, applied: &Applied) -> Problem {
    Problem::Missing { version: version.to_owned(), seq: applied.archived.map(|(seq, _)| seq) }
}

fn compare(version: &str, applied: &Applied, migration: &Migration, problems: &mut Vec<Problem>) {
    let (version, seq) = (version.to_owned(), applied.archived.map(|(seq, _)| seq));
    if let Some(archived) = &applied.up {
        let file = migration.up.file_name.clone();
        let found = FileDigests::of(&migration.up.bytes);
        if found.lf != archived.lf {
            let (archived, on_disk) = (archived.raw, found.raw);
            problems.push(Problem::Edited { version: version.clone(), file, seq, archived, on_disk });
        } else if found.raw != archived.raw {
            problems.push(Problem::Cosmetic { version: version.clone(), file, seq });
        }
    }
    if let (Some(archived), Some(script)) = (&applied.down, &migration.down)
        && FileDigests::of(&script.bytes).lf != archived.lf
    {
        problems.push(Problem::DownEdited { version, file: script.file_name.clone(), seq });
    }
}

/// What of a migration must not be archived, not even sealed; and what must not, while everything is published.
fn confidential(dialect: Dialect, migration: &Migration, wanted: &Wanted) -> Vec<Problem> {
    let version = migration.version.to_string();
    let waived = |rule: &str| migration.header.waivers.iter().any(|waiver| waiver.holds(rule, &wanted.today));
    let mut problems = Vec::new();
    for script in migration.files() {
        let (version, file) = (version.clone(), script.file_name.clone());
        let judged = Judged::of(dialect, &file, &script.bytes);
        for finding in &judged.findings {
            let (version, file) = (version.clone(), file.clone());
            let (line, column, rule) = (finding.line, finding.column, finding.rule.to_string());
            match finding.severity {
                Severity::Secret => {
                    problems.push(Problem::Secret { version, file, line, column, rule });
                }
                Severity::Personal if waived(&rule) && wanted.publish != Publish::All => {}
                Severity::Personal => {
                    problems.push(Problem::Personal { version, file, line, column, rule });
                }
            }
        }
        if let Some(rule) = judged.named {
            problems.push(Problem::ConfidentialName { version, file, rule });
        } else if wanted.publish == Publish::All && judged.class == Class::Data {
            problems.push(Problem::DataPublished { version, file });
        }
    }
    problems
}

/// A name of which no more is shown than where its migration stands.
fn masked(file: &str) -> String {
    let version: String = file.chars().take_while(char::is_ascii_digit).collect();
    format!("{version}_…")
}

/// Greffe's own tables, as scripts could name them.
fn own_tables(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Sqlite | Dialect::Mysql => &["greffe_history", "greffe_migrations"],
        Dialect::Postgresql => &["greffe.history", "greffe.migrations", "\"greffe\"", "schema greffe"],
    }
}

/// Whether `text` has `word` where no longer name has it.
fn has_word(text: &str, word: &str) -> bool {
    let is_part =
        |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
    text.match_indices(word).any(|(start, _)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(start + word.len()..).and_then(|text| text.chars().next());
        !is_part(before) && !is_part(after)
    })
}

/// A script that would write greffe's own tables, end the transaction that it runs in, or do what `dialect` does
/// not do from a script.
#[must_use]
pub fn refused_script(dialect: Dialect, version: &str, script: &Script) -> Option<Problem> {
    let text = script.text().ok()?;
    let lower = text.to_ascii_lowercase();
    let (version, file) = (version.to_owned(), script.file_name.clone());
    if let Some(table) = own_tables(dialect).iter().find(|table| has_word(&lower, table)) {
        return Some(Problem::OwnTable { version, file, table });
    }
    let Refusal { line, reason } = refusal(dialect, text, script.transaction)?;
    Some(match reason {
        Reason::TransactionControl(_) => Problem::TransactionControl { version, file, line },
        reason => Problem::RefusedStatement { version, file, line, reason },
    })
}
