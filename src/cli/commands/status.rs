mod recorded;

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::audit;
use super::replicate::{remark_unreadable, show_states};
use crate::cli::context::{Context, block_on, look_at_database, project, replicas};
use crate::cli::error::{CliError, problem_hint};
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::ops::replicate::{KnownStates, ReplicaState, known};
use crate::ops::status::{Line, State, Status as Found, status};

/// Compare folder, database and archive; change nothing
///
/// Exits with 1 when a script was edited, is missing or out of order, a migration is half applied, or
/// the schema changed outside the archive. Where another tool applies the scripts, its table says what is applied.
#[derive(Args)]
pub struct Status {}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    found: Found,
    /// What is known of the replicas without asking them.
    replicas: Vec<ReplicaState>,
}

pub fn run(context: &Context, _: &Status) -> CommandResult {
    let settings = context.settings()?;
    // Where greffe does a tool's work it tells of it as of its own.
    if let (Some(tool), false) = (audit::recorded::tool(&settings)?, settings.tool_apply) {
        return recorded::run(context, &settings, &tool);
    }
    let project = project(&settings)?;
    let found = block_on(async {
        let mut database = look_at_database(&settings).await?;
        Ok::<_, CliError>(status(&project, database.as_mut()).await?)
    })??;
    let replicas = match found.head {
        Some(_) => known_replicas(context, &settings)?,
        None => Vec::new(),
    };
    let exit = if found.problems.is_empty() { Exit::Done } else { Exit::Findings };
    Ok(Reply::new(Shown { command: "status", found, replicas }, show).with_exit(exit))
}

/// What is known of the replicas of an archive without asking them.
fn known_replicas(context: &Context, settings: &Settings) -> Result<Vec<ReplicaState>, CliError> {
    if settings.replicas.is_empty() {
        return Ok(Vec::new());
    }
    let KnownStates { replicas, unreadable } =
        known(&context.reader()?, settings.name()?, &replicas(settings)?)?;
    remark_unreadable(context, unreadable.as_deref());
    Ok(replicas)
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let found = &shown.found;
    match (found.head, found.entries) {
        (Some(head), Some(entries)) => writeln!(out, "chain {}, {entries} entries, head {head}", found.name)?,
        _ => writeln!(out, "chain {}, no archive yet", found.name)?,
    }
    for line in &found.migrations {
        show_line(line, out)?;
    }
    if found.unarchived > 0 {
        writeln!(out, "{} event(s) wait to be archived by the next run", found.unarchived)?;
    }
    show_states(&shown.replicas, out)?;
    for problem in &found.problems {
        writeln!(out, "problem: {}", Clean(&problem.to_string()))?;
        writeln!(out, "  hint: {}", Clean(&problem_hint(problem)))?;
    }
    Ok(())
}

fn show_line(line: &Line, out: &mut dyn Write) -> io::Result<()> {
    let state = match line.state {
        State::Applied => "applied",
        State::Pending => "pending",
        State::HalfApplied => "half applied",
        State::Missing => "missing",
    };
    let name = line.name.as_deref().unwrap_or("");
    let entry = line.seq.map(|seq| format!("entry {seq}")).unwrap_or_default();
    let time = line.finished_at.map(|time| time.to_string()).unwrap_or_default();
    let text = format!("{state:<12} {:<16} {name:<32} {entry:<10} {time}", line.version);
    writeln!(out, "{}", Clean(text.trim_end()))
}
