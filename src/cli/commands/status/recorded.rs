//! The status of a project whose scripts another tool applies.

use std::io::{self, Write};

use serde::Serialize;

use super::{known_replicas, show_line};
use crate::cli::commands::audit::recorded::{Found, found, waiting_runs};
use crate::cli::commands::record::Source;
use crate::cli::commands::replicate::show_states;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::model::Cid;
use crate::ops::record::audit::ToolFinding;
use crate::ops::record::standing::standing;
use crate::ops::replicate::ReplicaState;
use crate::ops::status::Line;
use crate::ops::{ChainReader, OpsError};
use crate::store::ArchiveError;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    name: String,
    head: Option<Cid>,
    entries: Option<u64>,
    tool: &'static str,
    /// The table that was read; `None` where the tool never ran.
    table: Option<String>,
    migrations: Vec<Line>,
    /// Runs of the tool that are not archived yet.
    waiting: usize,
    /// Changes of the history that a journal has and the archive has not.
    uncollected: usize,
    /// Events of greffe's own runs, of which there are none here.
    unarchived: usize,
    /// Those of greffe's own folders, of which there are none here.
    problems: [(); 0],
    /// As of `audit`.
    findings: Vec<ToolFinding>,
    replicas: Vec<ReplicaState>,
}

pub fn run(context: &Context, settings: &Settings, tool: &str) -> CommandResult {
    let name = settings.name()?.to_string();
    let waiting = waiting_runs(settings)?;
    let shown = match ChainReader::open(&settings.archive_directory, settings.name()?) {
        Ok(reader) => {
            let Found { source, look, audit } = found(settings, tool)?;
            let migrations = standing(Some(&reader), &source.catalog, &look)?;
            Shown {
                command: "status",
                name,
                head: Some(audit.head),
                entries: Some(audit.entries),
                tool: audit.tool,
                table: audit.table,
                migrations,
                waiting,
                uncollected: audit.uncollected,
                unarchived: audit.unarchived,
                problems: [],
                findings: audit.findings,
                replicas: known_replicas(context, settings)?,
            }
        }
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => begun(settings, tool, name, waiting)?,
        Err(error) => return Err(error.into()),
    };
    let exit = if shown.findings.is_empty() { Exit::Done } else { Exit::Findings };
    Ok(Reply::new(shown, show).with_exit(exit))
}

/// Where there is no archive yet.
fn begun(settings: &Settings, tool: &str, name: String, waiting: usize) -> Result<Shown, CliError> {
    let source = Source::named(settings, Some(tool))?;
    let look = source.look(settings)?.ok_or_else(|| CliError::usage("the settings name no database"))?;
    Ok(Shown {
        command: "status",
        name,
        head: None,
        entries: None,
        tool: source.tool.name(),
        migrations: standing(None, &source.catalog, &look)?,
        table: look.table,
        waiting,
        uncollected: 0,
        unarchived: 0,
        problems: [],
        findings: Vec::new(),
        replicas: Vec::new(),
    })
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    match (shown.head, shown.entries) {
        (Some(head), Some(entries)) => writeln!(out, "chain {}, {entries} entries, head {head}", shown.name)?,
        _ => writeln!(out, "chain {}, no archive yet", shown.name)?,
    }
    match &shown.table {
        Some(table) => writeln!(out, "{}, history in {}", shown.tool, Clean(table))?,
        None => writeln!(out, "{}, which never ran here", shown.tool)?,
    }
    for line in &shown.migrations {
        show_line(line, out)?;
    }
    if shown.waiting > 0 {
        writeln!(out, "{} run(s) wait for `greffe record --resume`", shown.waiting)?;
    }
    if shown.uncollected > 0 {
        writeln!(out, "{} change(s) of the history wait for `greffe record --collect`", shown.uncollected)?;
    }
    show_states(&shown.replicas, out)?;
    match shown.findings.len() {
        0 => Ok(()),
        differences => writeln!(out, "{differences} difference(s)\n  hint: run `greffe audit`"),
    }
}
