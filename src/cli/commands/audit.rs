pub mod recorded;

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::apply::show_archived;
use super::guard;
use crate::cli::context::{Context, block_on, key, look_at_database, open_database, project};
use crate::cli::error::{CliError, problem_details, problem_hint};
use crate::cli::opening;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::database::Target as _;
use crate::ops::audit::{Audit as Found, Finding, Part, audit, record_drift};
use crate::ops::guard::{GuardedChange, out_of_band};
use crate::ops::{Archived, Project, Wanted, today};
use crate::scripts::Difference;

/// Compare archive, folder and database with one another, and say what differs
///
/// Finds scripts that were edited, are missing or were applied in another order, rows of the history that are
/// not what was signed, and a schema that was changed by hand. Changes nothing, unless it is told to record.
/// Exits with 1 when something differs.
#[derive(Args)]
pub struct Audit {
    /// Record a schema that was changed by hand as a signed event
    #[arg(long)]
    record: bool,
}

impl Audit {
    /// Whether what is found is archived.
    pub const fn records(&self) -> bool {
        self.record
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    /// What `--record` archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Vec<Archived>>,
    #[serde(flatten)]
    found: Found,
    /// What a guard noted that did not come through greffe. It explains a difference, and is none by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    out_of_band: Vec<GuardedChange>,
}

pub fn run(context: &Context, arguments: &Audit) -> CommandResult {
    let settings = context.settings()?;
    let tool = recorded::tool(&settings)?;
    let project = project(&settings)?;
    let recorded = if arguments.record { Some(block_on(record(&settings, &project))??) } else { None };
    if let Some(tool) = tool {
        return recorded::run(&settings, &tool, recorded);
    }
    let allow_out_of_order = settings.allow_out_of_order;
    let wanted = Wanted { to: None, allow_out_of_order, today: today(), publish: settings.publish };
    let (found, out_of_band) = block_on(async {
        let mut database = look_at_database(&settings).await?;
        let found = audit(&project, database.as_mut(), &wanted).await?;
        let out_of_band = match &mut database {
            Some(database) => out_of_band(&project, database).await?,
            None => Vec::new(),
        };
        Ok::<_, CliError>((found, out_of_band))
    })??;
    if let (Some(chain), false) = (found.chain, found.opened.is_empty()) {
        block_on(opening::record(&settings, chain, found.opened.clone(), "audit"))??;
    }
    let exit = if found.findings.is_empty() { Exit::Done } else { Exit::Findings };
    Ok(Reply::new(Shown { command: "audit", recorded, found, out_of_band }, show).with_exit(exit))
}

/// A database that does not exist is not made for it. One that a crash left cannot be looked at; opened to write, it
/// is mended.
async fn record(settings: &Settings, project: &Project) -> Result<Vec<Archived>, CliError> {
    if let Ok(None) = look_at_database(settings).await {
        return Ok(Vec::new());
    }
    let mut database = open_database(settings).await?;
    let result = record_drift(project, &mut database, key(settings), &mut |_, _, _| ()).await;
    database.close().await;
    Ok(result?)
}

/// What `--record` archived.
fn show_recorded(recorded: Option<&[Archived]>, out: &mut dyn Write) -> io::Result<()> {
    let Some(recorded) = recorded else { return Ok(()) };
    if recorded.is_empty() {
        writeln!(out, "nothing to record: the schema is the one that was signed")?;
    }
    recorded.iter().try_for_each(|archived| show_archived(archived, out))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    show_recorded(shown.recorded.as_deref(), out)?;
    let found = &shown.found;
    match (found.head, found.entries) {
        (Some(head), Some(entries)) => writeln!(out, "chain {}, {entries} entries, head {head}", found.name)?,
        _ => writeln!(out, "chain {}, no archive yet", found.name)?,
    }
    if !found.database {
        writeln!(out, "there is no database yet")?;
    }
    for version in &found.pending {
        writeln!(out, "pending: {}", Clean(version))?;
    }
    if found.unarchived > 0 {
        writeln!(out, "{} event(s) wait to be archived by the next run", found.unarchived)?;
    }
    for finding in &found.findings {
        show_finding(finding, out)?;
    }
    for change in &shown.out_of_band {
        guard::shown::one(change, out)?;
    }
    if found.not_compared > 0 {
        writeln!(
            out,
            "{} sealed file(s) not compared with the archive: there is no key for them here",
            found.not_compared
        )?;
    }
    match found.findings.len() {
        0 => writeln!(out, "no difference"),
        differences => writeln!(out, "{differences} difference(s)"),
    }
}

fn show_finding(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let [one, other] = finding.between.map(|part| match part {
        Part::Archive => "archive",
        Part::Folder => "folder",
        Part::Database => "database",
    });
    writeln!(out, "{one} and {other} differ: {}", Clean(&finding.problem.to_string()))?;
    let what = match finding.difference {
        Some(Difference::Comments) => Some("only comments or white space changed; its SQL is the same"),
        Some(Difference::Edited) => Some("its SQL changed"),
        _ => None,
    };
    for detail in what.map(str::to_owned).into_iter().chain(problem_details(&finding.problem)) {
        writeln!(out, "  {}", Clean(&detail))?;
    }
    writeln!(out, "  hint: {}", Clean(&problem_hint(&finding.problem)))
}
