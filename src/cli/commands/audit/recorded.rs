//! The audit of a project whose scripts another tool applies.

use std::io::{self, Write};

use serde::Serialize;

use super::show_recorded;
use crate::cli::commands::record::Source;
use crate::cli::context::{block_on, look_at_database, project};
use crate::cli::error::CliError;
use crate::cli::opening;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::database::{HistoryRow, Target as _};
use crate::ops::record::applier;
use crate::ops::record::audit::{Seen, ToolAudit, ToolFinding, audit_tool};
use crate::ops::record::capture::{JournalFault, installation};
use crate::ops::record::look::Look;
use crate::ops::{Archived, ChainReader, OpsError, Project};
use crate::scripts::Difference;
use crate::scripts::tools::plain::PLAIN;
use crate::scripts::tools::tool_named;
use crate::store::{ArchiveError, CaptureFile, Recordings};

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    /// What `--record` archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Vec<Archived>>,
    /// Runs of the tool that are not archived yet.
    waiting: usize,
    #[serde(flatten)]
    found: ToolAudit,
    /// Whether greffe applies in the tool's place.
    #[serde(skip)]
    applies: bool,
}

/// The tool that applies the scripts: that of the settings, else the one that the chain's newest event of a script names.
/// `None` where it is greffe.
pub fn tool(settings: &Settings) -> Result<Option<String>, CliError> {
    if settings.tool.is_some() {
        return Ok(settings.tool.clone());
    }
    match ChainReader::open(&settings.archive_directory, settings.name()?) {
        Ok(reader) => Ok(applier(&reader)?),
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What was looked at, and what differs.
pub struct Found {
    pub source: Source,
    pub look: Look,
    pub audit: ToolAudit,
}

/// Compares archive, folder and the tool's history, after what `--record` archived.
pub fn run(settings: &Settings, tool: &str, recorded: Option<Vec<Archived>>) -> CommandResult {
    let found = found(settings, tool)?.audit;
    let exit = if found.findings.is_empty() { Exit::Done } else { Exit::Findings };
    let waiting = waiting_runs(settings)?;
    Ok(Reply::new(Shown { command: "audit", recorded, waiting, found, applies: settings.tool_apply }, show)
        .with_exit(exit))
}

/// How many runs are not archived yet. A folder that cannot be read is told of by what resumes them.
pub fn waiting_runs(settings: &Settings) -> Result<usize, CliError> {
    let runs = Recordings::of(&settings.archive_directory, settings.name()?).all();
    Ok(runs.map_or(0, |runs| runs.len()))
}

/// Looks, and compares; openings of sealed scripts are recorded.
pub fn found(settings: &Settings, tool: &str) -> Result<Found, CliError> {
    let found = compare(settings, tool, &project(settings)?)?;
    if !found.audit.opened.is_empty() {
        block_on(opening::record(settings, found.audit.chain, found.audit.opened.clone(), "audit"))??;
    }
    Ok(found)
}

/// Looks, and compares, with the keys that `project` has at hand.
pub fn compare(settings: &Settings, tool: &str, project: &Project) -> Result<Found, CliError> {
    let source = Source::named(settings, Some(tool))?;
    let look = source.look(settings)?.ok_or_else(|| CliError::usage("the settings name no database"))?;
    let noted = installation(&CaptureFile::of(&settings.archive_directory, settings.name()?))?;
    let captured = source.captured(settings)?;
    let rows = if settings.tool_apply { own_rows(settings)? } else { Vec::new() };
    let seen = Seen { look: &look, rows: &rows, captured: &captured, noted: noted.as_ref() };
    let audit = block_on(audit_tool(project, source.tool, &source.catalog, &seen))??;
    Ok(Found { source, look, audit })
}

/// The rows of greffe's own table.
fn own_rows(settings: &Settings) -> Result<Vec<HistoryRow>, CliError> {
    block_on(async {
        let Some(mut database) = look_at_database(settings).await? else { return Ok(Vec::new()) };
        let rows = database.history().await;
        database.close().await;
        Ok(rows?)
    })?
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    show_recorded(shown.recorded.as_deref(), out)?;
    let found = &shown.found;
    writeln!(out, "chain {}, {} entries, head {}", found.name, found.entries, found.head)?;
    match &found.table {
        Some(table) => writeln!(out, "{}, history in {}", found.tool, Clean(table))?,
        None => writeln!(out, "{}, which never ran here", found.tool)?,
    }
    for version in &found.pending {
        writeln!(out, "pending: {}", Clean(version))?;
    }
    if shown.waiting > 0 {
        writeln!(out, "{} run(s) wait for `greffe record --resume`", shown.waiting)?;
    }
    if found.uncollected > 0 {
        writeln!(out, "{} change(s) of the history wait for `greffe record --collect`", found.uncollected)?;
    }
    if found.unarchived > 0 {
        writeln!(out, "{} event(s) wait to be archived by the next run", found.unarchived)?;
    }
    for finding in &found.findings {
        writeln!(out, "{}", Clean(&finding.to_string()))?;
        if let ToolFinding::Edited { archived, on_disk, .. } = finding {
            writeln!(out, "  archived: sha256:{archived}\n  on disk:  sha256:{on_disk}")?;
        }
        writeln!(out, "  hint: {}", Clean(&hint(finding, found.tool, shown.applies)))?;
    }
    if found.not_compared > 0 {
        writeln!(out, "{} sealed file(s) not compared: there is no key for them here", found.not_compared)?;
    }
    match found.findings.len() {
        0 => writeln!(out, "no difference"),
        differences => writeln!(out, "{differences} difference(s)"),
    }
}

fn repairing(version: &str) -> String {
    format!(
        "look at the database, finish or undo the rest by hand, then run `greffe repair {version} --applied` or \
         `greffe repair {version} --rolled-back`"
    )
}

/// `applies`: greffe does the tool's work.
fn hint(finding: &ToolFinding, tool: &str, applies: bool) -> String {
    match finding {
        ToolFinding::Edited { difference: Difference::Comments, .. } => {
            "only comments or white space changed; put the archived bytes back with `greffe show SEQ --script`".to_owned()
        }
        ToolFinding::Edited { seq, .. } => {
            format!("add a new migration instead of editing this one, or run `greffe show {seq} --script` to see what ran")
        }
        ToolFinding::Missing { seq, .. } => {
            format!("bring the file back from your repository, or from the archive: `greffe show {seq} --script`")
        }
        ToolFinding::NotInHistory { .. } | ToolFinding::NotInArchive { .. } => {
            "somebody changed the tool's table without greffe; `greffe record -- true` archives what it says now".to_owned()
        }
        ToolFinding::CutShort { version } => repairing(version),
        ToolFinding::HalfApplied { version } if applies => repairing(version),
        ToolFinding::HalfApplied { version } => match tool_named(tool).and_then(|tool| tool.mending(version)) {
            Some(mending) => {
                format!("look at the database, finish or undo the rest by hand, then {mending}")
            }
            None => "look at the database, and end it with the tool's own command".to_owned(),
        },
        ToolFinding::Checksum { .. } | ToolFinding::Rewritten { .. } | ToolFinding::Forgotten { .. } => {
            "the script or the tool's table was changed after it was applied; find out who did it and why".to_owned()
        }
        ToolFinding::Reordered { .. } => "compare the schema with that of a database that was made in order".to_owned(),
        ToolFinding::Drifted { .. } => {
            "somebody changed the schema by hand; `greffe schema show live` shows what it is, `greffe audit --record` signs it"
                .to_owned()
        }
        ToolFinding::Capture { fault: JournalFault::Removed | JournalFault::Object { .. } } => {
            "run `greffe capture install`, or `greffe capture remove` where it is not wanted any more".to_owned()
        }
        ToolFinding::Capture { .. } => {
            "find out who changed it and why; `greffe record --collect` goes on from what is there".to_owned()
        }
        ToolFinding::Folder { .. } => "mend the folder; with several heads, merge them with the tool".to_owned(),
    }
}

/// Refuses what greffe would do itself, where the settings name another tool for it, or the chain tells of one, and nobody
/// said that greffe is to do that tool's work.
pub fn refuse(settings: &Settings, what: &str) -> Result<(), CliError> {
    if settings.tool_apply {
        // Its triggers would note what greffe itself does, and tell of it a second time.
        let noted = installation(&CaptureFile::of(&settings.archive_directory, settings.name()?))?;
        return match noted.filter(|noted| !noted.removed) {
            Some(_) => {
                Err(CliError::usage(format!("a capture notes the tool's history, so greffe does not {what}"))
                    .hint("run `greffe record --collect`, then `greffe capture remove`"))
            }
            None => Ok(()),
        };
    }
    // An archive that cannot be read is told of by what reads it next.
    let Some(tool) = tool(settings).unwrap_or_default() else { return Ok(()) };
    let hint = match PLAIN.contains(&tool.as_str()) {
        true => format!(
            "run `greffe record -- COMMAND` with the command of {tool}, or let greffe do its work with `tool.name = \
             \"{tool}\"` and `tool.apply = true` (`--tool {tool} --tool-apply`)"
        ),
        false => format!("run `greffe record -- COMMAND` with the command of {tool}"),
    };
    Err(CliError::usage(format!("{tool} applies the scripts of this project, so greffe does not {what}"))
        .hint(hint))
}
