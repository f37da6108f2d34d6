//! Archives what was noted of a tool's history while nobody of greffe was there.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::{Source, remark_failure};
use crate::cli::commands::apply::show_archived;
use crate::cli::context::{Context, block_on, key, project};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::model::{Cid, EventId};
use crate::ops::record::archive::{Finished, Recorded, archive};
use crate::ops::record::capture::note_collected;
use crate::ops::record::events::Rendered;
use crate::ops::record::notes::Notes;
use crate::ops::record::{RecordError, RunEnd, ToolExit, ToolRun, spool};
use crate::ops::{Archived, now};
use crate::store::CaptureFile;

/// The file of a hook.
const STEPS: &str = "GREFFE_STEPS";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Collected {
    command: &'static str,
    archived: Vec<Archived>,
    head: Option<Cid>,
    /// Scripts that are applied and that the chain knows nothing of.
    unadopted: usize,
    /// Lines of the hook's file that are none of a hook, from 1.
    refused: Vec<usize>,
    /// Scripts of which the hook's file tells what the tool's table does not have.
    unconfirmed: Vec<String>,
}

pub fn run(context: &Context, settings: &Settings, source: &Source) -> CommandResult {
    let (notes, refused) = notes(context, settings, source)?;
    // After what was noted, so that it confirms each line of it.
    let Some(mut look) = source.look(settings)? else { return Err(RecordError::NothingCaptures.into()) };
    if let Notes::Journal { journal, .. } = &notes
        && journal.settled == 0
        && !journal.rows.is_empty()
    {
        return Err(RecordError::Unsettled.into());
    }
    if let Some(entries) = notes.history(source.tool, &source.catalog) {
        // What came since waits for the next time.
        look.entries = entries;
    }
    let at = now();
    let exit = ToolExit { code: None, signal: None };
    let run = ToolRun {
        id: EventId::generate(at),
        tool: source.tool.name().to_owned(),
        stamps: None,
        started_at: at,
        scripts: None,
        before: None,
        end: Some(RunEnd { finished_at: at, exit, after: Some(look), late: true }),
        version: None,
    };
    let finished = Finished {
        run: &run,
        catalog: &source.catalog,
        output: None,
        rendered: &Rendered::new(),
        tool: source.tool,
        notes: Some(&notes),
        collects: true,
    };
    let recorded = block_on(archive(&project(settings)?, finished, key(settings)))??;
    note_collected(&notes, None, &CaptureFile::of(&settings.archive_directory, settings.name()?))?;
    let Recorded { archived, head, unadopted, unconfirmed } = recorded;
    if !unconfirmed.is_empty() {
        remark_failure("not all was collected", &contradicted(&unconfirmed));
    }
    let exit = if refused.is_empty() && unconfirmed.is_empty() { Exit::Done } else { Exit::Findings };
    let shown = Collected { command: "record", archived, head, unadopted, refused, unconfirmed };
    Ok(Reply::new(shown, show).with_exit(exit))
}

/// A file that anyone may have written, against the tool's table.
fn contradicted(scripts: &[String]) -> CliError {
    let shown: Vec<String> = scripts.iter().take(10).map(|id| Clean(id).to_string()).collect();
    let what = format!("the hook's file says of {} what the tool's table does not confirm", shown.join(", "));
    CliError::new(Exit::Findings, what)
        .hint("find out who wrote these lines, or changed the table, and take the lines out of the file")
}

/// What triggers wrote, else what a hook did. Both tell of the same.
fn notes(context: &Context, settings: &Settings, source: &Source) -> Result<(Notes, Vec<usize>), CliError> {
    let found = source.captured(settings)?;
    let hidden = found.capture.as_ref().is_some_and(|capture| capture.id.is_none());
    if let Some(notes) = found.notes() {
        return Ok((notes, Vec::new()));
    }
    if hidden {
        let error = CliError::new(
            Exit::Unfinished,
            "the journal of the capture is gone, or this role may not read it",
        );
        return Err(error.hint("run `greffe capture status` as the role that installed it"));
    }
    let Some(path) = context.environment.get(STEPS).map(PathBuf::from) else {
        return Err(RecordError::NothingCaptures.into());
    };
    let mut spool = spool::read(&path).map_err(|error| {
        CliError::new(Exit::Unfinished, format!("cannot read the file that {STEPS} names: {error}"))
            .hint("set it to the file that the hook of the tool writes")
    })?;
    let refused = std::mem::take(&mut spool.refused);
    if !refused.is_empty() {
        let lines: Vec<String> = refused.iter().take(10).map(ToString::to_string).collect();
        let text = format!("line(s) {} of the hook's file are none that a hook writes", lines.join(", "));
        remark_failure("not all was collected", &CliError::new(Exit::Findings, text));
    }
    Ok((Notes::Steps(spool), refused))
}

fn show(collected: &Collected, out: &mut dyn Write) -> io::Result<()> {
    for archived in &collected.archived {
        show_archived(archived, out)?;
    }
    if collected.archived.is_empty() {
        writeln!(out, "nothing to collect")?;
    }
    if collected.unadopted > 0 {
        writeln!(out, "{} migration(s) were applied before: run `greffe baseline`", collected.unadopted)?;
    }
    match collected.head {
        Some(head) => writeln!(out, "head {head}"),
        None => Ok(()),
    }
}
