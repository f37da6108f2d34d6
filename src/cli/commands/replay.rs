use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::schema::write_differences;
use super::verify::{reply_in, source, threads};
use crate::chain::Report;
use crate::cli::context::{Context, block_on, scratch, verify_options};
use crate::cli::error::CliError;
use crate::cli::language::language;
use crate::cli::opening::{keys_at_hand, record};
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::{Secret, Settings};
use crate::cli::{CommandResult, Exit};
use crate::database::Schema;
use crate::model::Cid;
use crate::ops::promotion::{PromotionError, staging};
use crate::ops::replay::{Reason, Replayed, Stopped, engine_of, may_run, replay, require_free_roles};
use crate::ops::source::Source;
use crate::ops::{OpsError, Project, PromotionPolicy};

/// Run a chain's scripts again, from nothing, and compare each schema with the signed one
///
/// The chain is verified first, and nothing runs when something is wrong with it. The scripts, rollbacks
/// included, run in order: in memory for SQLite, in a database that is made for this and removed
/// afterwards on a server. Exits with 1 at the first schema that is not the one that was signed.
#[derive(Args)]
pub struct Replay {
    /// CID of a head or manifest in the archive, or a CARv1 file
    #[arg(value_name = "CID|FILE.car")]
    target: String,
    /// Where to run: a server's URL (or `env:NAME`, `file:PATH`), a SQLite file that is not there yet
    #[arg(long, value_name = "URL")]
    on: Option<Secret>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    root: Cid,
    holds: bool,
    #[serde(flatten)]
    replayed: Replayed,
}

pub fn run(context: &Context, arguments: &Replay) -> CommandResult {
    let settings = context.settings()?;
    let mut progress = context.progress();
    let mut show_progress = |what: &str, done, total| progress.show(what, done, total);
    let mut source = source(&settings, &arguments.target)?;
    let report = source.verify(verify_options(&settings, &[]), threads(None), &mut show_progress)?;
    if !may_run(&report) {
        return Ok(reply_in(language(None, &context.environment), report, Vec::new(), None));
    }
    let on = arguments.on.as_ref();
    let replayed = replay_verified(&settings, &mut source, &report, on, &mut show_progress)?;
    drop(progress);
    let holds = replayed.holds();
    let exit = exit_with(&replayed, if holds { Exit::Done } else { Exit::Findings });
    let done = Done { command: "replay", root: report.root, holds, replayed };
    Ok(Reply::new(done, show).with_exit(exit))
}

/// Replays a chain that was verified in an empty database, which is removed afterwards.
pub fn replay_verified(
    settings: &Settings,
    source: &mut Source,
    report: &Report,
    on: Option<&Secret>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<Replayed, CliError> {
    replay_and_look(settings, source, report, on, progress, &mut |_, _| ())
}

/// As [`replay_verified`]; `looked` is called with each entry's number and the schema that it left.
pub fn replay_and_look(
    settings: &Settings,
    source: &mut Source,
    report: &Report,
    on: Option<&Secret>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
    looked: &mut dyn FnMut(u64, &Schema),
) -> Result<Replayed, CliError> {
    let mut opens = None;
    if report.sealed > 0
        && !source.has_keys()
        && let Some(chain) = report.chain
        && let Some(keys) = keys_at_hand(settings, &chain)?
    {
        source.use_keys(keys);
        opens = Some(chain);
    }
    let manifests = source.manifests(report.root)?;
    let Some(engine) = engine_of(source, &manifests)? else {
        return Ok(Replayed { entries: manifests.len() as u64, ..Replayed::default() });
    };
    let replayed = block_on(async {
        let mut scratch = scratch(settings, engine, on).await?;
        tell(scratch.take_notes());
        let own_role = scratch.role();
        let result = match require_free_roles(source, &manifests, scratch.roles()) {
            Ok(()) => {
                replay(source, &manifests, &mut scratch.database, own_role.as_deref(), progress, looked).await
            }
            Err(error) => Err(error),
        };
        tell(scratch.take_notes());
        let removed = scratch.remove().await.map_err(|error| CliError::from(OpsError::from(error)));
        let left = removed.err().map(|error| error_in_a_line(&error));
        if let Some(left) = &left {
            tell(vec![format!("what was made for the replay could not be removed: {left}")]);
        }
        Ok::<_, CliError>(Replayed { left, ..result? })
    })?;
    let opened = source.opened_entries();
    if let (Some(chain), false) = (opens, opened.is_empty()) {
        block_on(record(settings, chain, opened, "replay"))??;
    }
    replayed
}

/// Replays the chain from which a project promotes, where the settings want it; what runs then has to be shown there up to
/// where it was replayed.
pub fn replay_staging(
    settings: &Settings,
    project: &mut Project,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), CliError> {
    let Some(policy) = project.promotion.clone().filter(|_| settings.promotion_replayed) else {
        return Ok(());
    };
    let mut staging = block_on(staging(project, &policy, threads(None)))??;
    let on = settings.promotion_replay_on.as_ref().map(|on| Secret::new(on.to_string()));
    let replayed = replay_verified(settings, &mut staging.source, &staging.report, on.as_ref(), progress);
    let opened = staging.source.opened_entries();
    if !opened.is_empty() {
        block_on(record(settings, policy.from, opened, "promotion"))??;
    }
    let replayed = replayed?;
    if !replayed.holds() {
        let reason = match replayed.stopped {
            Some(Stopped { seq, reason, .. }) => format!("entry {seq}: {reason}"),
            None => "no schema of it is signed".to_owned(),
        };
        return Err(OpsError::from(PromotionError::NotReplayed { from: policy.from, reason }).into());
    }
    project.promotion = Some(PromotionPolicy { up_to: Some(staging.root), ..policy });
    Ok(())
}

/// What the exit code is when something of the replay is still there, whatever it came to.
pub fn exit_with(replayed: &Replayed, exit: Exit) -> Exit {
    if replayed.left.is_some() { Exit::Unfinished } else { exit }
}

fn tell(notes: Vec<String>) {
    notes.iter().for_each(|note| remark(&format!("note: {note}")));
}

fn error_in_a_line(error: &CliError) -> String {
    let mut parts = vec![error.message.clone()];
    parts.extend(error.causes.iter().cloned());
    parts.extend(error.hint.clone());
    parts.join("; ")
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let replayed = &done.replayed;
    let verdict = if done.holds { "replayed" } else { "NOT replayed" };
    writeln!(out, "{verdict}: {} entries, from {}", replayed.entries, done.root)?;
    writeln!(out, "  scripts run        {}", replayed.executed)?;
    writeln!(out, "  schemas the same   {}", replayed.compared)?;
    if replayed.uncompared > 0 {
        writeln!(out, "  schemas not signed {}", replayed.uncompared)?;
    }
    let Some(stopped) = &replayed.stopped else { return Ok(()) };
    let version = stopped.version.as_deref().unwrap_or_default();
    let event = stopped.event.as_str();
    writeln!(
        out,
        "entry {}: {event} {}: {}",
        stopped.seq,
        Clean(version),
        Clean(&stopped.reason.to_string())
    )?;
    if let Reason::Different { changes, .. } = &stopped.reason
        && !changes.is_empty()
    {
        writeln!(out, "what it changes here:")?;
        write_differences(changes, out)?;
    }
    Ok(())
}
