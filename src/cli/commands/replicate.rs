use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, block_on, replicas};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::ops::ChainReader;
use crate::ops::replicate::{ReplicaState, Replicated, answering, replicate};
use crate::store::remote::NamedReplica;

/// Bring the archive's head to every replica that does not have it
///
/// Replicas are the `[[replica]]` entries of the settings. Exits with 4 when one of them is still owed the
/// head; everything that was archived is safe on this machine then. Exits with 1 when one has a head that this archive
/// does not know.
#[derive(Args)]
pub struct Replicate {}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    replicated: Replicated,
}

pub fn run(context: &Context, _: &Replicate) -> CommandResult {
    let settings = context.settings()?;
    let replicas = some_replicas(&settings)?;
    let reader = context.reader()?;
    let replicated = deliver(context, &settings, &reader, &replicas)?;
    let ahead = replicated.replicas.iter().any(|replica| replica.ahead);
    let exit = if ahead { Exit::Findings } else { owed(&settings, &replicated.replicas) };
    Ok(Reply::new(Shown { command: "replicate", replicated }, show).with_exit(exit))
}

/// The replicas of the settings, which there have to be.
pub fn some_replicas(settings: &Settings) -> Result<Vec<NamedReplica>, CliError> {
    let replicas = replicas(settings)?;
    if replicas.is_empty() {
        return Err(CliError::usage("there is no replica in the settings")
            .hint("add a `[[replica]]` with `name` and `url` to greffe.toml; see docs/replicas.md"));
    }
    Ok(replicas)
}

fn deliver(
    context: &Context,
    settings: &Settings,
    reader: &ChainReader,
    replicas: &[NamedReplica],
) -> Result<Replicated, CliError> {
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let deadline = settings.replication_deadline;
    Ok(block_on(replicate(reader, settings.name()?, replicas, deadline, &mut show))??)
}

/// What a process ends with when the rest went well: whether enough replicas have the head.
pub fn owed(settings: &Settings, replicas: &[ReplicaState]) -> Exit {
    let current = replicas.iter().filter(|replica| replica.current).count();
    let needed = match settings.replication_required {
        0 => replicas.len(),
        required => required,
    };
    if current >= needed { Exit::Done } else { Exit::Undelivered }
}

/// Refuses to begin with settings of replicas that cannot work, and while fewer replicas answer than are required.
pub fn require_answers(context: &Context) -> Result<(), CliError> {
    let settings = context.settings()?;
    let required = settings.replication_required;
    let replicas = replicas(&settings)?;
    if required == 0 {
        return Ok(());
    }
    let answers = block_on(answering(&replicas, required, settings.replication_deadline))?;
    let count = answers.iter().filter(|(_, failure)| failure.is_none()).count();
    if count >= required {
        return Ok(());
    }
    let text = format!(
        "{count} of {} replicas answer, and {required} must before anything is applied",
        replicas.len()
    );
    let mut error = CliError::new(Exit::Unfinished, text)
        .hint("mend them (`greffe replicas`), or lower `replication.required`; nothing was applied");
    let failed = answers.into_iter().filter_map(|(name, failure)| Some(format!("{name}: {}", failure?)));
    error.causes = failed.collect();
    Err(error)
}

/// Brings what a run archived to the replicas, where there are any, and says what stays owed. `exit`: what the run
/// itself came to, which goes before; what keeps it from being brought is no failure of the run.
pub fn after_run(context: &Context, exit: Exit) -> Exit {
    bring(context, exit).unwrap_or_else(|error| {
        let CliError { message, causes, .. } = error;
        let why = [vec![message], causes].concat().join(", because ");
        remark(&format!(
            "note: archived, not yet replicated: {}\nhint: run `greffe replicate` later",
            Clean(&why)
        ));
        if exit == Exit::Done { Exit::Undelivered } else { exit }
    })
}

fn bring(context: &Context, exit: Exit) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let replicas = replicas(&settings)?;
    if replicas.is_empty() {
        return Ok(exit);
    }
    let reader = ChainReader::open(&settings.archive_directory, settings.name()?)?;
    let replicated = deliver(context, &settings, &reader, &replicas)?;
    if !context.quiet {
        for replica in replicated.replicas.iter().filter(|replica| !replica.current) {
            remark(&format!(
                "note: archived, not yet replicated to {}: {}\nhint: run `greffe replicate` later",
                replica.name,
                Clean(replica.failure.as_deref().unwrap_or("not delivered"))
            ));
        }
    }
    Ok(if exit == Exit::Done { owed(&settings, &replicated.replicas) } else { exit })
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "head {}", shown.replicated.head)?;
    show_states(&shown.replicated.replicas, out)
}

/// A line for each replica.
pub fn show_states(replicas: &[ReplicaState], out: &mut dyn Write) -> io::Result<()> {
    for replica in replicas {
        let (word, detail) = match (replica.current, &replica.failure, &replica.head) {
            (true, ..) if replica.delivered > 0 => {
                ("current", format!("{} blocks brought", replica.delivered))
            }
            (true, ..) => ("current", String::new()),
            (false, Some(failure), _) => ("owed", Clean(failure).to_string()),
            (false, None, Some(head)) => ("owed", format!("has {head}")),
            (false, None, None) => ("owed", "was given nothing yet".to_owned()),
        };
        writeln!(out, "{word:<8} {} ({}) {detail}", replica.name, Clean(&replica.url))?;
    }
    Ok(())
}
