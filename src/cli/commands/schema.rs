use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde::Serialize;
use similar::algorithms::{Capture, Replace, myers};

use super::replay::replay_and_look;
use super::verify::threads;
use crate::cli::context::{Context, block_on, look_at_database, scratch, verify_options};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::{Secret, Settings};
use crate::cli::{CommandResult, Exit};
use crate::crypto::Digest;
use crate::database::{Database, ObjectName, Schema, SchemaDifference, Target as _};
use crate::ops::replay::{engine_of, may_run};
use crate::ops::show::find;
use crate::ops::source::Source;
use crate::ops::{ChainReader, OpsError};

/// Show the canonical text of a schema, or how two schemas differ
///
/// The schema of an event is made again from the archived scripts, as `greffe replay` does. Entry 0, the genesis,
/// stands before all scripts: its schema is that of a new database.
#[derive(Args)]
pub struct SchemaCommand {
    #[command(subcommand)]
    action: Action,
    /// Where to run scripts again: a server's URL (or `env:NAME`, `file:PATH`); in memory for SQLite
    #[arg(long, global = true, value_name = "URL")]
    on: Option<Secret>,
}

#[derive(Subcommand)]
enum Action {
    /// Print the canonical text: the database's, or that after an event
    Show {
        /// `live`, an entry's number, or the CID of its manifest
        #[arg(value_name = "live|SEQ|CID", default_value = LIVE)]
        of: String,
    },
    /// Print how the second schema differs from the first; exits with 1 when it does
    Diff {
        /// `live`, an entry's number, or the CID of its manifest
        #[arg(value_name = "live|SEQ|CID")]
        from: String,
        /// As before
        #[arg(value_name = "live|SEQ|CID", default_value = LIVE)]
        to: String,
    },
}

/// The schema that the database has now.
const LIVE: &str = "live";

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    algorithm: &'static str,
    digest: Digest,
    objects: Vec<Object>,
    /// Owners and grants; null where the engine has none or they were not read.
    grants: Option<Grants>,
}

#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    name: ObjectName,
    text: String,
}

#[derive(Serialize)]
struct Grants {
    digest: Digest,
    lines: Vec<String>,
}

#[derive(Serialize)]
struct Compared {
    command: &'static str,
    algorithm: &'static str,
    from: Digest,
    to: Digest,
    differences: Vec<SchemaDifference>,
}

pub fn run(context: &Context, arguments: &SchemaCommand) -> CommandResult {
    let settings = context.settings()?;
    let on = arguments.on.as_ref();
    match &arguments.action {
        Action::Show { of } => {
            let [schema] = schemas(context, &settings, [of.as_str()], on)?;
            Ok(Reply::new(shown(schema), show))
        }
        Action::Diff { from, to } => {
            let [from, to] = schemas(context, &settings, [from.as_str(), to.as_str()], on)?;
            if from.algorithm != to.algorithm {
                let text = format!("{} and {} cannot be compared", from.algorithm, to.algorithm);
                return Err(CliError::usage(text).hint("compare schemas of one engine"));
            }
            let differences = from.differences(&to);
            let exit = if differences.is_empty() { Exit::Done } else { Exit::Findings };
            let compared = Compared {
                command: "schema diff",
                algorithm: from.algorithm,
                from: from.digest,
                to: to.digest,
                differences,
            };
            let show =
                |compared: &Compared, out: &mut dyn Write| write_differences(&compared.differences, out);
            Ok(Reply::new(compared, show).with_exit(exit))
        }
    }
}

fn shown(schema: Schema) -> Shown {
    let objects = schema.objects.into_iter().map(|(name, text)| Object { name, text });
    let grants = schema.grants.map(|grants| Grants { digest: grants.digest, lines: grants.lines });
    let (algorithm, digest) = (schema.algorithm, schema.digest);
    Shown { command: "schema show", algorithm, digest, objects: objects.collect(), grants }
}

/// The schemas that are named, in that order.
fn schemas<const N: usize>(
    context: &Context,
    settings: &Settings,
    names: [&str; N],
    on: Option<&Secret>,
) -> Result<[Schema; N], CliError> {
    let mut found = BTreeMap::new();
    if names.contains(&LIVE) {
        found.insert(LIVE, live(settings)?);
    }
    let events: Vec<&str> = names.iter().copied().filter(|name| *name != LIVE).collect();
    if !events.is_empty() {
        found.extend(of_events(context, settings, &events, on)?);
    }
    let schemas: Option<Vec<Schema>> = names.iter().map(|name| found.get(name).cloned()).collect();
    schemas.and_then(|schemas| schemas.try_into().ok()).ok_or_else(|| {
        CliError::new(Exit::Unfinished, "the scripts do not lead to that entry".to_owned())
            .hint("name an entry after the first script; `greffe replay` says where they stop")
    })
}

fn live(settings: &Settings) -> Result<Schema, CliError> {
    block_on(async {
        let database = look_at_database(settings).await?;
        let mut database = database.ok_or_else(|| {
            CliError::new(Exit::Unfinished, "there is no database".to_owned())
                .hint("run `greffe apply`, or name another one with `--database URL`")
        })?;
        Ok::<_, CliError>(database.schema().await.map_err(OpsError::from)?)
    })?
}

/// The schemas after events, made again up to the last one of them.
fn of_events<'a>(
    context: &Context,
    settings: &Settings,
    names: &[&'a str],
    on: Option<&Secret>,
) -> Result<Vec<(&'a str, Schema)>, CliError> {
    let reader = context.reader()?;
    let mut wanted = Vec::new();
    for name in names {
        let cid = find(&reader, name)?;
        wanted.push((*name, reader.manifest(&cid)?.seq, cid));
    }
    let last = wanted.iter().max_by_key(|(_, seq, _)| *seq).map(|(_, _, cid)| *cid);
    let Some(root) = last else { return Ok(Vec::new()) };
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let reader = ChainReader::open(&settings.archive_directory, settings.name()?)?;
    let mut source = Source::archive(reader, root);
    let report = source.verify(verify_options(settings, &[]), threads(None), &mut show)?;
    if !may_run(&report) {
        return Err(CliError::new(
            Exit::Findings,
            "the chain is not intact, so its scripts are not run".to_owned(),
        )
        .hint("run `greffe verify` to see what is wrong"));
    }
    let manifests = source.manifests(report.root)?;
    if engine_of(&mut source, &manifests)?.is_none() {
        let empty = before_scripts(settings, on)?;
        return Ok(names.iter().map(|name| (*name, empty.clone())).collect());
    }
    let mut found = Vec::new();
    replay_and_look(settings, &mut source, &report, on, &mut show, &mut |seq, schema| {
        let named = wanted.iter().filter(|(_, wanted, _)| *wanted == seq);
        found.extend(named.map(|(name, _, _)| (*name, schema.clone())));
    })?;
    Ok(found)
}

/// What a new database of the settings' engine has. Entries before the first script do not name an engine.
fn before_scripts(settings: &Settings, on: Option<&Secret>) -> Result<Schema, CliError> {
    let url = settings.database_url()?;
    let engine = Database::engine(url.expose());
    let engine = engine.ok_or_else(|| CliError::usage("the settings name a database of no known engine"))?;
    block_on(async {
        let mut scratch = scratch(settings, engine, on).await?;
        let schema = scratch.database.schema().await.map_err(OpsError::from);
        scratch.remove().await.map_err(OpsError::from)?;
        Ok::<_, CliError>(schema?)
    })?
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} {}", shown.algorithm, shown.digest)?;
    if shown.objects.is_empty() {
        writeln!(out, "\nno objects")?;
    }
    for object in &shown.objects {
        writeln!(out, "\n{} {}", object.name.kind, Clean(&object.name.name))?;
        for line in object.text.lines() {
            writeln!(out, "  {}", Clean(line))?;
        }
    }
    if let Some(grants) = &shown.grants {
        writeln!(out, "\nowners and grants {}", grants.digest)?;
        for line in &grants.lines {
            writeln!(out, "  {}", Clean(line))?;
        }
    }
    Ok(())
}

/// Object by object, what was there with `-` and what is there with `+`.
pub fn write_differences(differences: &[SchemaDifference], out: &mut dyn Write) -> io::Result<()> {
    for SchemaDifference { object, before, after } in differences {
        writeln!(out, "{} {}", object.kind, Clean(&object.name))?;
        let (before, after) = (lines(before.as_deref()), lines(after.as_deref()));
        let mut changes = Replace::new(Capture::new());
        let Ok(()) = myers::diff(&mut changes, &before, 0..before.len(), &after, 0..after.len());
        for change in changes.into_inner().ops().iter().flat_map(|piece| piece.iter_changes(&before, &after))
        {
            writeln!(out, "  {} {}", change.tag(), Clean(change.value()))?;
        }
    }
    Ok(())
}

fn lines(text: Option<&str>) -> Vec<&str> {
    text.unwrap_or_default().split_terminator('\n').collect()
}
