//! Files of plans and approvals: read with a bound, and shown in plain words.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use super::context::replicas;
use super::error::CliError;
use super::output::Clean;
use super::settings::Settings;
use crate::codec::dsse::LOG_LIMIT;
use crate::model::{Direction, RunPlan};
use crate::ops::OpsError;
use crate::ops::clearance::{Given, GivenPlan};
use crate::store::create_file;

/// Reads the file of a plan.
pub fn read_plan(path: &Path) -> Result<GivenPlan, CliError> {
    GivenPlan::read(bytes(path)?).map_err(|error| {
        let mut shown = CliError::from(OpsError::from(error));
        shown.message = format!("{}: {}", path.display(), shown.message);
        shown
    })
}

/// What a run is given: a plan, where one is named, and approvals.
pub fn given(
    settings: &Settings,
    plan: Option<&Path>,
    approvals: &[std::path::PathBuf],
) -> Result<Given, CliError> {
    let plan = plan.map(read_plan).transpose()?;
    let planned = plan.as_ref().is_some_and(|given| given.plan.policy.replicated);
    let brings = settings.approval_replicated || planned;
    Ok(Given {
        plan,
        approvals: approvals.iter().map(|path| bytes(path)).collect::<Result<_, _>>()?,
        replicas: if brings { replicas(settings)? } else { Vec::new() },
        required: settings.replication_required,
        deadline: settings.replication_deadline,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |source| OpsError::File { path: path.to_owned(), done: "read", source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte more than may be: whoever decodes it refuses it by its length.
    file.take(LOG_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Writes a new file that everyone may read.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), OpsError> {
    create_file(path, bytes, 0o644).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => OpsError::Exists(path.to_owned()),
        _ => OpsError::File { path: path.to_owned(), done: "written", source },
    })
}

/// What would run, and what has to be there before.
pub fn write_plan(plan: &RunPlan, out: &mut dyn Write) -> io::Result<()> {
    let what = if plan.direction == Direction::Up { "apply" } else { "roll back" };
    writeln!(out, "plan     {what} {} on {}", count(plan.migrations.len()), Clean(&plan.target.name))?;
    writeln!(out, "chain    {}", plan.chain)?;
    writeln!(out, "author   {} ({})", plan.author.pseudonym, Clean(&plan.author.role))?;
    writeln!(out, "made at  {}, expires at {}", plan.made_at, plan.expires_at)?;
    for (place, migration) in plan.migrations.iter().enumerate() {
        let bare = if migration.transaction { "" } else { " (no transaction)" };
        writeln!(out, "{:<8} {}{bare}", place + 1, Clean(&migration.version))?;
        for file in &migration.files {
            writeln!(
                out,
                "         {:?} {} ({} bytes) {}",
                file.role,
                Clean(&file.name),
                file.size,
                file.cid
            )?;
        }
    }
    let policy = plan.policy;
    let eyes = if policy.four_eyes { ", none of them by its author" } else { "" };
    let placed = if policy.replicated { "; it has to be at the replicas first" } else { "" };
    writeln!(out, "needs    {} approval(s){eyes}{placed}", policy.approvals)
}

fn count(migrations: usize) -> String {
    if migrations == 1 { "1 migration".to_owned() } else { format!("{migrations} migrations") }
}
