//! What `greffe subject` prints: names and numbers, never a value.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::Exit;
use crate::cli::error::CliError;
use crate::cli::output::Clean;
use crate::crypto::KeyId;
use crate::model::Timestamp;
use crate::ops::subject::check::Checked;
use crate::ops::subject::list::ListError;
use crate::ops::subject::receipt::{Outcome, Receipt, Row};
use crate::ops::subject::replay::{Again, Found, Replayed};
use crate::ops::subject::{Line, MapFile, Planned, SubjectError};
use crate::privacy::subject::{Class, coverage::classes};

#[derive(Serialize)]
pub struct CheckShown {
    command: &'static str,
    covered: bool,
    /// SHA-256 of the map.
    map: String,
    /// Columns of each class.
    classes: BTreeMap<Class, usize>,
    #[serde(flatten)]
    checked: Checked,
}

impl CheckShown {
    pub fn new(checked: Checked, file: &MapFile) -> Self {
        let covered = checked.findings.is_empty();
        let classes = classes(&file.map);
        Self { command: "subject check", covered, map: file.digest.to_prefixed(), classes, checked }
    }

    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for placed in &self.checked.findings {
            let after = placed.migration.as_ref();
            let after = after.map(|version| format!("after migration {version}: ")).unwrap_or_default();
            writeln!(out, "{}", Clean(&format!("{after}{}", placed.finding)))?;
        }
        for (table, names) in &self.checked.triggers {
            let names = names.join(", ");
            let note = format!(
                "note: table {table} has triggers ({names}): rows of declared tables are looked at again after them, \
                 what they write elsewhere is not"
            );
            writeln!(out, "{}", Clean(&note))?;
        }
        let looked = match (self.checked.live, self.checked.pending.len()) {
            (true, 0) => "the database, no migration is pending".to_owned(),
            (true, pending) => format!("the database and {pending} pending migration(s)"),
            (false, pending) => format!("{pending} pending migration(s); there is no database yet"),
        };
        match self.checked.findings.len() {
            0 => writeln!(out, "covered: {looked}"),
            found => writeln!(out, "NOT covered: {found} finding(s) in {looked}"),
        }
    }
}

#[derive(Serialize)]
pub struct FoundShown {
    pub command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    pub tables: Vec<Line>,
}

impl FoundShown {
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        lines(&self.tables, out)?;
        match &self.out {
            Some(path) => writeln!(out, "wrote {}", Clean(&path.display().to_string())),
            None => Ok(()),
        }
    }
}

fn lines(tables: &[Line], out: &mut dyn Write) -> io::Result<()> {
    for Line { table, action, rows, basis } in tables {
        let basis = basis.as_ref().map(|basis| format!("  ({basis})")).unwrap_or_default();
        writeln!(out, "{action:<10} {rows:>8}  {}{}", Clean(table), Clean(&basis))?;
    }
    Ok(())
}

#[derive(Serialize)]
pub struct EraseShown {
    command: &'static str,
    #[serde(rename = "dryRun")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Vec<Line>>,
    /// Digest of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl EraseShown {
    pub fn planned(planned: Planned) -> Self {
        Self {
            command: "subject erase",
            dry_run: true,
            tables: Some(planned.lines),
            plan: Some(planned.digest.to_prefixed()),
            receipt: None,
            file: None,
        }
    }

    pub fn erased(receipt: Receipt, file: PathBuf) -> Self {
        let (receipt, file) = (Some(receipt), Some(file));
        Self { command: "subject erase", dry_run: false, tables: None, plan: None, receipt, file }
    }

    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(tables) = &self.tables {
            lines(tables, out)?;
        }
        if let Some(plan) = &self.plan {
            writeln!(out, "plan {plan}")?;
            writeln!(
                out,
                "nothing was changed; do it with `--apply`, and this plan alone with `--plan {plan}`"
            )?;
        }
        if let Some(receipt) = &self.receipt {
            receipt_text(receipt, out)?;
        }
        match &self.file {
            Some(path) => writeln!(out, "receipt {}", Clean(&path.display().to_string())),
            None => Ok(()),
        }
    }
}

fn receipt_text(receipt: &Receipt, out: &mut dyn Write) -> io::Result<()> {
    let verdict = match receipt.outcome {
        Outcome::Failed => "NOT erased, nothing was changed",
        Outcome::Done => "erased",
        Outcome::Kept => "NOT erased, every row is kept on its legal basis",
    };
    writeln!(out, "{verdict}: request {}, {}", Clean(&receipt.request), Clean(&receipt.basis))?;
    for Row { table, action, rows, outcome, basis } in &receipt.tables {
        let basis = basis.as_ref().map(|basis| format!("  ({basis})")).unwrap_or_default();
        let outcome = outcome.as_str();
        let action = format!("{action:<10}");
        writeln!(out, "  {outcome:<7} {} {rows:>8}  {}{}", Clean(&action), Clean(table), Clean(&basis))?;
    }
    if let Some(remains) = &receipt.remains {
        writeln!(out, "still in {}", Clean(remains))?;
    }
    match &receipt.failure {
        Some(failure) => writeln!(out, "because {}", Clean(failure)),
        None => Ok(()),
    }
}

#[derive(Serialize)]
pub struct ReplayShown {
    command: &'static str,
    erasures: Vec<AgainShown>,
    /// What is wrong with entries of the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
}

#[derive(Serialize)]
struct AgainShown {
    request: String,
    at: Timestamp,
    found: Found,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<PathBuf>,
}

impl AgainShown {
    fn new(again: Again) -> Self {
        let refused = again.receipt.and_then(|receipt| receipt.failure);
        let failure = again.error.map(|error| {
            let shown = CliError::from(error);
            std::iter::once(shown.message).chain(shown.causes).collect::<Vec<_>>().join("; ")
        });
        let Again { request, at, found, path, .. } = again;
        Self { request, at, found, failure: failure.or(refused), receipt: path }
    }
}

impl ReplayShown {
    pub fn new(replayed: Replayed) -> Self {
        Self {
            command: "subject erase --replay",
            erasures: replayed.erasures.into_iter().map(AgainShown::new).collect(),
            faults: replayed.faults.iter().map(ToString::to_string).collect(),
        }
    }

    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for AgainShown { request, at, found, failure, receipt } in &self.erasures {
            let found = match found {
                Found::Gone => "is gone already",
                Found::Erased => "was there and is erased again",
                Found::Failed => "was NOT erased again",
                Found::Differs => {
                    "is NOT erased again: the key has another row than then, which may be someone else's; look at it, \
                     then name the request with `--replay --request REF --also-different`"
                }
                Found::OtherDatabase => "is of another database",
                Found::OtherKey => "is NOT erased again: the map looks for keys in another column than then",
            };
            write!(out, "request {} of {at} {found}", Clean(request))?;
            if let Some(failure) = failure {
                write!(out, ": {}", Clean(failure))?;
            }
            if let Some(receipt) = receipt {
                write!(out, "; receipt {}", Clean(&receipt.display().to_string()))?;
            }
            writeln!(out)?;
        }
        for fault in &self.faults {
            writeln!(out, "NOT done again: {}", Clean(fault))?;
        }
        writeln!(out, "{} erasure(s) of the list", self.erasures.len())
    }
}

#[derive(Serialize)]
pub struct ReceiptShown {
    pub command: &'static str,
    pub verified: bool,
    pub keyid: KeyId,
    /// SHA-256 of the map that held.
    pub map: String,
    pub receipt: Receipt,
}

impl ReceiptShown {
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Receipt { database, person, started_at, finished_at, .. } = &self.receipt;
        writeln!(out, "verified: signed by {}", self.keyid)?;
        writeln!(
            out,
            "database {} ({:?}), from {started_at} to {finished_at}",
            Clean(&database.name),
            database.engine
        )?;
        writeln!(out, "person   {person}")?;
        writeln!(out, "map      sha256:{}", Clean(&self.map))?;
        receipt_text(&self.receipt, out)
    }
}

#[derive(Serialize)]
pub struct KeyShown {
    pub command: &'static str,
    pub recipient: String,
    pub file: PathBuf,
}

impl KeyShown {
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "recipient {}", self.recipient)?;
        writeln!(out, "identity  {}", Clean(&self.file.display().to_string()))
    }
}

/// An error as people read it.
pub fn error(error: SubjectError) -> CliError {
    let (exit, hint) = match &error {
        SubjectError::Ops(_) | SubjectError::Database(_) => (Exit::Unfinished, None),
        SubjectError::Map { .. } => (Exit::Usage, Some("mend the map; docs/subject.md has an example")),
        SubjectError::File { done: "read", .. } => {
            (Exit::Usage, Some("write the map `greffe.subject.yaml`, or name it with `--map PATH`"))
        }
        SubjectError::File { .. } => (Exit::Unfinished, None),
        SubjectError::Exists(_) => (Exit::Usage, Some("name another file; nothing is written over")),
        SubjectError::NotCovered(_) => {
            (Exit::Findings, Some("declare it in the map, then run `greffe subject check`"))
        }
        SubjectError::Nobody => (Exit::Findings, None),
        SubjectError::Key(_) | SubjectError::Basis => (Exit::Usage, None),
        SubjectError::Request => (Exit::Usage, Some("write it like `--request 2026-017`")),
        SubjectError::KeyInRequest => {
            (Exit::Usage, Some("give the request a number of its own with `--request REF`"))
        }
        SubjectError::Changed { .. } => {
            (Exit::Unfinished, Some("nothing was changed: run the command again"))
        }
        SubjectError::NotAFile(_) => (Exit::Usage, Some("name the map with `--map PATH`")),
        SubjectError::Unwritten { .. } => (Exit::Unfinished, Some("keep the receipt that is printed above")),
        SubjectError::OtherPlan { .. } => (
            Exit::Findings,
            Some("nothing was changed: look at the plan again with `--dry-run`, then name its digest"),
        ),
        SubjectError::NoSuchRequest(_) => {
            (Exit::Usage, Some("run `greffe subject erase --replay` without `--request` to see all"))
        }
        SubjectError::NothingOfThis(_) => {
            (Exit::Usage, Some("set `database.name` to what it was when people were erased"))
        }
        SubjectError::NoBase { .. } => (
            Exit::Unfinished,
            Some(
                "mend the script, which `greffe status` names; or, where it needs what the database held before its \
                 first script: that has to be made by one, so add it to the folder as the first, with `CREATE TABLE IF \
                 NOT EXISTS`, and run `greffe apply`",
            ),
        ),
        SubjectError::Uncertain(_) => (
            Exit::Unfinished,
            Some("run the command again, or `greffe subject erase --replay`: the list of erasures has it"),
        ),
        SubjectError::Migration { .. } => {
            (Exit::Unfinished, Some("run `greffe status` to see what stands in the way"))
        }
        SubjectError::NoScratch => (
            Exit::Usage,
            Some("name a server where a database can be made for it: `greffe subject check --on env:NAME`"),
        ),
        SubjectError::List(ListError::Key | ListError::RecipientOnly) => {
            (Exit::Usage, Some("set `privacy.erasure-key` to the file that `greffe subject new-key` made"))
        }
        SubjectError::List(ListError::Missing(_) | ListError::Empty(_)) => (
            Exit::Usage,
            Some(
                "bring the list back from its copy, or name it with `--erasures PATH` or `privacy.erasures`",
            ),
        ),
        SubjectError::List(_) => (Exit::Unfinished, None),
        SubjectError::Receipt(_) => (Exit::Findings, Some("name the signer's key with `--public BASE64`")),
    };
    match error {
        SubjectError::Ops(error) => (*error).into(),
        SubjectError::Database(error) => crate::ops::OpsError::from(error).into(),
        error => {
            let mut shown = CliError::new(exit, error.to_string());
            let mut source = error.source();
            while let Some(cause) = source {
                shown.causes.push(format!("because {cause}"));
                source = cause.source();
            }
            if let SubjectError::Unwritten { text, .. } = &error {
                shown.causes.push("its receipt is:".to_owned());
                shown.causes.push(text.clone());
            }
            if let SubjectError::NotCovered(findings) = &error {
                const SHOWN: usize = 20;
                shown.causes.extend(findings.iter().take(SHOWN).map(ToString::to_string));
                let more = findings.len().saturating_sub(SHOWN);
                shown.causes.extend((more > 0).then(|| format!("and {more} more")));
            }
            shown.hint = hint.map(str::to_owned);
            shown
        }
    }
}
