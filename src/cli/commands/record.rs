mod asked;
mod collect;
mod errors;
mod marking;
mod version;

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;

use crate::cli::context::{Context, block_on, key, look_at_database, project};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit, wrapped};
use crate::database::{Database, Target as _};
use crate::model::{EventId, EventKind, Timestamp};
use crate::ops::kept::table_named;
use crate::ops::record::archive::{Finished, Recorded, archive};
use crate::ops::record::capture::{Found, find, note_collected};
use crate::ops::record::events::Rendered;
use crate::ops::record::look::{Look, TableName, look, present};
use crate::ops::record::{Candidates, RecordError, RunEnd, ToolExit, ToolRun, digest_of, tools_of};
use crate::ops::{ChainReader, now};
use crate::scripts::tools::command::simple_commands;
use crate::scripts::tools::{Catalog, Folder, Tool, catalog_of, is_wanted};
use crate::store::{CaptureFile, Recordings};

/// Run another migration tool, and archive what it did
///
/// The tool's history and the schema are looked at before and after the command; each migration that appeared or
/// disappeared becomes a signed event with the exact bytes of its script. The command's output and its exit code are
/// its own, whatever becomes of the archive: what could not be archived waits for `greffe record --resume`.
#[derive(Args)]
pub struct Record {
    /// Archive runs that could not be archived before
    #[arg(long, conflicts_with = "command")]
    resume: bool,
    /// Archive what was noted of the history by `greffe capture`, or by a hook in the file that GREFFE_STEPS names
    #[arg(long, conflicts_with_all = ["command", "resume", "strict", "no_render"])]
    collect: bool,
    /// Do not ask the tool which SQL it ran
    #[arg(long)]
    no_render: bool,
    /// End with 3 when the run could not be archived, and with 4 when replicas lack it, though the command went well
    #[arg(long)]
    strict: bool,
    /// The command, such as `flask db upgrade`
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["resume", "collect"])]
    command: Vec<String>,
}

/// What a run is looked at with.
pub struct Source {
    pub tool: &'static dyn Tool,
    pub catalog: Catalog,
    folder: Folder,
    table: TableName,
}

pub fn run(context: &Context, arguments: &Record) -> CommandResult {
    let settings = context.settings()?;
    let source = Source::of(&settings)?;
    let recordings = Recordings::of(&settings.archive_directory, settings.name()?);
    if arguments.collect {
        return collect::run(context, &settings, &source);
    }
    if arguments.resume {
        return resume(context, &settings, &source, &recordings);
    }
    let mut run = ToolRun {
        id: EventId::generate(now()),
        tool: source.tool.name().to_owned(),
        stamps: source.tool.calls().stamps(&arguments.command),
        scripts: Some(digests(&source.catalog)),
        started_at: now(),
        before: None,
        end: None,
        version: None,
    };
    let waiting = recordings.all().map_or(0, |runs| runs.len());
    if waiting > 0 && !context.quiet {
        remark(&format!(
            "note: {waiting} run(s) before are not archived\nhint: run `greffe record --resume`"
        ));
    }
    match source.look(&settings) {
        Ok(look) => run.before = look,
        Err(error) => remark_failure("the database cannot be looked at before the run", &error),
    }
    let noted = note(&recordings, &run).and_then(|()| {
        let held = recordings.hold(run.id).map_err(|error| unwritten(&error))?;
        Ok((recordings.output(run.id).map_err(|error| unwritten(&error))?, held))
    });
    let (output, _held) = match noted {
        Ok((output, held)) => (Some(output), Some(held)),
        Err(error) if arguments.strict => return Err(error),
        Err(error) => {
            remark_failure("should the run not be archived, it is found later and not witnessed", &error);
            (None, None)
        }
    };
    let (secrets, variables) = (settings.secret_variables(), marking::variables(context, &settings, run.id));
    let given = wrapped::Surroundings { secrets: &secrets, variables: &variables };
    let exit = wrapped::run(&arguments.command, output, given);
    let exit = exit.map_err(|error| {
        // Nothing ran, so there is nothing to tell of.
        let _ = recordings.forget(run.id);
        let program = arguments.command.first().map(String::as_str).unwrap_or_default();
        CliError::usage(format!("cannot start `{}`: {error}", Clean(program)))
            .hint("write the command as in a shell, after `--`: `greffe record -- flask db upgrade`")
    })?;
    let source = source.read_again(&settings);
    let archived = finish(context, &settings, &source, &recordings, &mut run, (exit, arguments));
    let failed = archived.is_err();
    if let Err(error) = archived {
        remark_failure("the run is not archived", &error);
        let command = match recordings.read(run.id) {
            Ok(_) => "run `greffe record --resume`",
            // Nothing is noted that could be resumed.
            Err(_) => "run `greffe record -- true`, which archives what it finds",
        };
        remark(&format!("hint: mend that and {command}; the command's own work is done"));
    }
    let exit = match exit {
        ToolExit { code: Some(code), .. } => u8::try_from(code & 0xff).unwrap_or(1),
        ToolExit { signal, .. } => u8::try_from(128 + signal.unwrap_or_default()).unwrap_or(255),
    };
    Ok(Reply::silent(match exit {
        0 if failed && arguments.strict => Exit::Unfinished,
        // Then it counts whether the replicas have it.
        0 if arguments.strict => Exit::Done,
        code => Exit::Tool(code),
    }))
}

impl Source {
    /// Reads the tool's folder. The name of a table may stand behind a schema and a point.
    pub fn of(settings: &Settings) -> Result<Self, CliError> {
        Self::named(settings, settings.tool.as_deref())
    }

    /// The folder as it is after a run; scripts that the run took away are as they were.
    fn read_again(self, settings: &Settings) -> Self {
        let Ok(folder) = read_folder(&settings.migrations) else { return self };
        // Scripts are understood once.
        if folder == self.folder {
            return self;
        }
        let mut catalog = catalog_of(self.tool, &folder);
        let gone = self.catalog.scripts.into_iter().filter(|script| catalog.script(&script.id).is_none());
        let gone: Vec<_> = gone.collect();
        catalog.scripts.extend(gone);
        Self { catalog, folder, ..self }
    }

    /// The same for a tool that is known already.
    pub fn named(settings: &Settings, name: Option<&str>) -> Result<Self, CliError> {
        let folder = read_folder(&settings.migrations)?;
        let candidates = tools_of(name, &folder)?;
        let table = table_named(settings.tool_table.as_deref());
        let tool = match candidates.only() {
            Some(tool) => tool,
            None => candidates.told_by(&tools_in_database(settings, &candidates, &table)?)?,
        };
        Ok(Self { tool, catalog: catalog_of(tool, &folder), folder, table })
    }

    /// A database that is not there yet has no history.
    pub fn look(&self, settings: &Settings) -> Result<Option<Look>, CliError> {
        block_on(async {
            let Some(mut database) = look_at_database(settings).await? else {
                let engine = Database::engine(settings.database_url()?.expose());
                return Ok(engine.map(Look::nothing));
            };
            let seen = look(self.tool, &self.catalog, &mut database, &self.table, settings.fingerprint).await;
            database.close().await;
            Ok(Some(seen?))
        })?
    }

    /// What there is of a capture.
    pub fn captured(&self, settings: &Settings) -> Result<Found, CliError> {
        block_on(async {
            let Some(mut database) = look_at_database(settings).await? else { return Ok(Found::default()) };
            let found = find(self.tool, &mut database, &self.table).await;
            database.close().await;
            Ok(found?)
        })?
    }

    /// The tool's table, where the settings name it.
    pub fn table(&self) -> &TableName {
        &self.table
    }
}

/// What each script is, to be compared after the run.
fn digests(catalog: &Catalog) -> BTreeMap<String, String> {
    catalog.scripts.iter().map(|script| (script.id.clone(), digest_of(script))).collect()
}

/// The tools whose table the database has; none where there is no database yet.
fn tools_in_database(
    settings: &Settings,
    candidates: &Candidates,
    table: &TableName,
) -> Result<Vec<&'static dyn Tool>, CliError> {
    block_on(async {
        let Some(mut database) = look_at_database(settings).await? else { return Ok(Vec::new()) };
        let found = present(&candidates.tools, &mut database, table).await;
        database.close().await;
        Ok(found?)
    })?
}

fn read_folder(path: &Path) -> Result<Folder, CliError> {
    Ok(Folder::read(path, is_wanted).map_err(RecordError::from)?)
}

/// Looks once more, notes it, and archives the run.
fn finish(
    context: &Context,
    settings: &Settings,
    source: &Source,
    recordings: &Recordings,
    run: &mut ToolRun,
    (exit, arguments): (ToolExit, &Record),
) -> Result<(), CliError> {
    let finished_at = now();
    let after = source.look(settings);
    let (after, failed) = match after {
        Ok(after) => (after, None),
        Err(error) => (None, Some(error)),
    };
    run.end = Some(RunEnd { finished_at, exit, after, late: false });
    let noted = note(recordings, run);
    let secrets = settings.secret_variables();
    if run.has_news() {
        let (_, printed) = recordings.read(run.id).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let commands = simple_commands(&arguments.command);
        run.version = commands.iter().find_map(|words| version::of(source.tool, words, &printed, &secrets));
    }
    let noted = noted.and_then(|()| note(recordings, run));
    if let Some(error) = failed {
        return Err(error);
    }
    let rendered = match arguments.no_render {
        true => Rendered::new(),
        false => asked::rendered(source, run, &arguments.command, &secrets),
    };
    let archived = put(context, settings, source, recordings, run, &rendered);
    if let (Err(error), Err(_)) = (&noted, &archived) {
        remark_failure("how the run ended is not noted", error);
    }
    archived
}

fn put(
    context: &Context,
    settings: &Settings,
    source: &Source,
    recordings: &Recordings,
    run: &ToolRun,
    rendered: &Rendered,
) -> Result<(), CliError> {
    let project = project(settings)?;
    // A run that could not be noted is archived all the same.
    let output = recordings.read(run.id).ok().map(|(_, output)| output);
    // Without the journal a run is archived as two looks tell of it.
    let notes = source.captured(settings).map(Found::notes).unwrap_or_else(|error| {
        remark_failure("the journal of the capture cannot be read", &error);
        None
    });
    let finished = Finished {
        run,
        catalog: &source.catalog,
        output: output.as_deref(),
        rendered,
        tool: source.tool,
        notes: notes.as_ref(),
        collects: false,
    };
    let recorded = block_on(archive(&project, finished, key(settings)))??;
    if let Some(notes) = &notes {
        let file = CaptureFile::of(&settings.archive_directory, settings.name()?);
        note_collected(notes, run.end.as_ref(), &file)?;
    }
    recordings.forget(run.id).map_err(|error| unwritten(&error))?;
    tell(context, &recorded);
    let failed = recorded.archived.iter().rfind(|archived| archived.event == EventKind::Fail);
    let mending = failed.and_then(|archived| source.tool.mending(&archived.version));
    if let Some(mending) = mending.filter(|_| !context.quiet) {
        remark(&format!("hint: look at the database, finish or undo the rest by hand, then {mending}"));
    }
    Ok(())
}

fn resume(context: &Context, settings: &Settings, source: &Source, recordings: &Recordings) -> CommandResult {
    let mut exit = Exit::Done;
    for id in recordings.all().map_err(|error| unwritten(&error))? {
        // One that still goes on is archived by who began it.
        let Ok(_held) = recordings.hold(id) else { continue };
        let noted = recordings.read(id).ok();
        let Some(mut run) = noted.and_then(|(note, _)| serde_json::from_slice::<ToolRun>(&note).ok()) else {
            let error = CliError::new(Exit::Unfinished, format!("run {id} was not noted whole")).hint(
                "what it did is found by the next `greffe record`; remove its folder beside the archive",
            );
            remark_failure("a run is left out", &error);
            exit = Exit::Unfinished;
            continue;
        };
        let is_seen = run.end.as_ref().is_some_and(|end| end.after.is_some());
        let ended = run.end.as_ref().map_or(run.started_at, |end| end.finished_at);
        // Once the chain went on, only what is there now can be told of a run.
        let is_late = newest(settings)? > ended;
        if !is_seen || is_late {
            let after = source.look(settings)?;
            let exit = run.end.as_ref().map_or(ToolExit { code: None, signal: None }, |end| end.exit);
            let finished_at = run.end.as_ref().map_or_else(now, |end| end.finished_at);
            run.end = Some(RunEnd { finished_at, exit, after, late: true });
        }
        if is_late {
            run.before = None;
        }
        put(context, settings, source, recordings, &run, &Rendered::new())?;
    }
    Ok(Reply::silent(exit))
}

/// When the newest entry of the chain ended.
fn newest(settings: &Settings) -> Result<Timestamp, CliError> {
    let reader = ChainReader::open(&settings.archive_directory, settings.name()?)?;
    let entry = reader.entry(&reader.newest()?.0)?;
    Ok(entry.statement.event.finished_at)
}

fn note(recordings: &Recordings, run: &ToolRun) -> Result<(), CliError> {
    let bytes = serde_json::to_vec_pretty(run).map_err(|error| unwritten(&error.into()))?;
    recordings.note(run.id, &bytes).map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> CliError {
    CliError::new(Exit::Unfinished, format!("cannot note the run beside the archive: {error}"))
        .hint("make the archive's folder writable")
}

/// Says what was archived, on standard error: standard output is the tool's.
fn tell(context: &Context, recorded: &Recorded) {
    if context.quiet {
        return;
    }
    for archived in &recorded.archived {
        let mut line = Vec::new();
        if super::apply::show_archived(archived, &mut line).is_ok() {
            remark(String::from_utf8_lossy(&line).trim_end());
        }
    }
    if recorded.unadopted > 0 {
        remark(&format!(
            "note: {} migration(s) were applied before and are not in the chain\nhint: run `greffe baseline`",
            recorded.unadopted
        ));
    }
    if let Some(head) = recorded.head {
        remark(&format!("head {head}"));
    }
}

fn remark_failure(what: &str, error: &CliError) {
    remark(&format!("warning: {what}: {}", error.message));
    for cause in &error.causes {
        remark(&format!("  {cause}"));
    }
    if let Some(hint) = &error.hint {
        remark(&format!("hint: {hint}"));
    }
}

/// How one of several tools is named.
pub fn naming(tools: &[&str]) -> String {
    let each: Vec<String> = tools.iter().map(|name| format!("`name = \"{name}\"`")).collect();
    let each = each.join(" or ");
    format!(
        "write `[tool]` and below it {each} into greffe.toml, whichever you run, or pass it as `--tool NAME`"
    )
}
