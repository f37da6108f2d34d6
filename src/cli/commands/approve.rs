use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::asking::ask;
use crate::cli::context::{Context, actor, key};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::plans::{read_plan, write_new, write_plan};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::codec::unixfs::build_file;
use crate::crypto::{Digest, KeyId};
use crate::model::{Cid, FileName, KeyRole, PlannedFile, TrustDocument};
use crate::ops::clearance::{ClearanceError, GivenPlan};
use crate::ops::planning::approve;
use crate::ops::witness::trust_of;
use crate::ops::{ChainReader, OpsError};
use crate::store::ArchiveError;

/// Approve a plan: sign that exactly this may run
///
/// Shows what would run and asks; with `--yes` it does not ask. Where the scripts are at hand, they are compared with the
/// plan; where the archive is, so is who may approve. Needs neither database nor network. Everyone approves with a key of
/// his own and under a pseudonym of his own, on his own machine, into a file of his own.
#[derive(Args)]
pub struct Approve {
    /// The plan, as `greffe plan` wrote it
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Approve without being asked
    #[arg(long)]
    yes: bool,
    /// Show the plan, compare it, and approve nothing
    #[arg(long, conflicts_with_all = ["yes", "out"])]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    command: &'static str,
    /// The approval; `null` where nothing was approved.
    file: Option<PathBuf>,
    /// Of the plan's file.
    plan: Digest,
    keyid: Option<KeyId>,
    versions: Vec<String>,
    /// Scripts of the plan that were compared with those of the folder.
    compared: usize,
    /// Scripts of the plan that are not in the folder.
    unseen: Vec<String>,
}

pub fn run(context: &Context, arguments: &Approve) -> CommandResult {
    let settings = context.settings()?;
    let given = read_plan(&arguments.plan)?;
    let mut shown = Vec::new();
    write_plan(&given.plan, &mut shown).ok();
    remark(String::from_utf8_lossy(&shown).trim_end());
    let unseen = compare(&settings, &given)?;
    if !unseen.is_empty() {
        let names: Vec<String> = unseen.iter().map(|name| Clean(name).to_string()).collect();
        remark(&format!(
            "warning: not in this folder, so not compared: {}\nhint: read them where they are before you approve, or name \
             their folder with `--migrations PATH`",
            names.join(", ")
        ));
    }
    let trust = trust(&settings, &given)?;
    let mut done = Done {
        command: "approve",
        file: None,
        plan: given.digest(),
        keyid: None,
        versions: given.plan.versions(),
        compared: given.plan.migrations.iter().map(|one| one.files.len()).sum::<usize>() - unseen.len(),
        unseen,
    };
    if let Some(out) = arguments.out.as_ref().filter(|_| !arguments.dry_run) {
        if !arguments.yes {
            ask("Approve this?", "approved", "read what would run")?;
        }
        let (keys, bytes) = approve(&given, &actor(&settings)?, key(&settings))?;
        done.keyid = keys.first().copied();
        if let (Some(trust), Some(keyid)) = (trust, done.keyid) {
            require_approver(&trust, &keyid)?;
        }
        write_new(out, &bytes)?;
        done.file = Some(out.clone());
    }
    Ok(Reply::new(done, |done, out| match &done.file {
        Some(file) => {
            writeln!(out, "approved {}", done.plan)?;
            writeln!(out, "wrote    {}", file.display())
        }
        None => writeln!(out, "compared {} script(s); nothing was approved", done.compared),
    }))
}

/// Scripts of the plan that are not in the folder; one that is there has to be that of the plan.
fn compare(settings: &Settings, given: &GivenPlan) -> Result<Vec<String>, CliError> {
    let mut unseen = Vec::new();
    for file in given.plan.migrations.iter().flat_map(|migration| &migration.files) {
        match found(&settings.migrations, file)? {
            Some(cid) if cid == file.cid => {}
            Some(cid) => {
                let mut error = CliError::new(
                    Exit::Findings,
                    format!("script `{}` of this folder is not the one of the plan", Clean(&file.name)),
                );
                error.causes = vec![format!("planned: {}", file.cid), format!("here:    {cid}")];
                return Err(
                    error.hint("bring the folder to what was planned, or ask for a plan of what is here")
                );
            }
            None => unseen.push(file.name.clone()),
        }
    }
    Ok(unseen)
}

/// The CID of the folder's script of this name; `None` where there is none.
fn found(folder: &Path, file: &PlannedFile) -> Result<Option<Cid>, CliError> {
    // A name out of a file that anybody may have written leads nowhere else.
    if file.name.parse::<FileName>().is_err() {
        return Ok(None);
    }
    let path = folder.join(&file.name);
    let failed = |source| OpsError::File { path: path.clone(), done: "read", source };
    if !path.is_file() {
        return Ok(None);
    }
    // No more is read than shows that it is another one.
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|open| open.take(file.size.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(Some(build_file(&bytes, &mut |_| ())))
}

/// The trust document, where the archive of this chain is at hand.
fn trust(settings: &Settings, given: &GivenPlan) -> Result<Option<TrustDocument>, CliError> {
    let Some(name) = &settings.name else { return Ok(None) };
    let reader = match ChainReader::open(&settings.archive_directory, name) {
        Ok(reader) => reader,
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if reader.root() != given.plan.chain {
        let (planned, here) = (given.plan.chain, reader.root());
        return Err(OpsError::from(ClearanceError::OtherChain { planned, here }).into());
    }
    let (_, trust) = trust_of(&reader, name)?;
    given.require_author(&trust, u64::MAX).map_err(OpsError::from)?;
    Ok(Some(trust))
}

fn require_approver(trust: &TrustDocument, keyid: &KeyId) -> Result<(), CliError> {
    if trust.key_for(keyid, KeyRole::Approver, u64::MAX).is_some() {
        return Ok(());
    }
    Err(CliError::usage(format!("key {keyid} may not approve: the trust document does not list it as `approver`"))
        .hint(
            "approve with another key (`--key SOURCE`), or have this one listed: `greffe trust propose --add-key FILE \
             --role approver`",
        ))
}
