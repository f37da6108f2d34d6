//! Erasures, and those of the list done again.

use super::shown::{EraseShown, ReplayShown};
use super::{Erase, key_of, look};
use crate::cli::context::{Context, block_on, open_database, open_signer};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::database::{Database, Target as _};
use crate::ops::subject::erase::{Order, Request, erase};
use crate::ops::subject::list::FileList;
use crate::ops::subject::paper::Paper;
use crate::ops::subject::receipt::Outcome;
use crate::ops::subject::replay::{Found, Replay, replay};
use crate::ops::subject::{Covered, MapFile, Place, SubjectError, find};
use crate::ops::{OpsError, now};

/// The list of erasures of the settings.
fn list_of(settings: &Settings) -> Result<FileList, CliError> {
    let text = settings.erasure_key_text().map_err(|error| {
        CliError::usage(error.to_string()).hint(
            "run `greffe subject new-key --out greffe.erasures.key`, and set `privacy.erasure-key` to \
             `file:greffe.erasures.key`; keep a copy of it elsewhere",
        )
    })?;
    Ok(FileList::new(&settings.erasures, text.expose()).map_err(SubjectError::from)?)
}

/// The database, to change; nobody migrates it meanwhile.
async fn open(settings: &Settings) -> Result<(Database, Place), CliError> {
    // A file that is not there is not made.
    let (looked, place) = look(settings).await?;
    looked.close().await;
    let mut database = open_database(settings).await?;
    database.lock(settings.lock_wait).await.map_err(SubjectError::from)?;
    Ok((database, place))
}

pub fn run_erase(context: &Context, arguments: &Erase) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let request = Request::new(
        arguments.request.as_deref().unwrap_or_default(),
        arguments.basis.as_deref().unwrap_or_default(),
    )?;
    let Some(given) = &arguments.key else { return Err(CliError::usage("no person is named")) };
    let key = key_of(given)?;
    request.require_without(&key)?;
    if arguments.dry_run {
        let planned = block_on(async {
            let (mut database, place) = look(&settings).await?;
            let found = find(&mut database, &file, &place, &key).await;
            database.close().await;
            Ok::<_, CliError>(found?)
        })??;
        return Ok(Reply::new(EraseShown::planned(planned), EraseShown::text));
    }
    let plan = arguments.plan.as_deref().map(|plan| plan.strip_prefix("sha256:").unwrap_or(plan));
    let signing = open_signer(&settings).map_err(OpsError::from)?;
    let mut list = list_of(&settings)?;
    let paper = match &arguments.receipt {
        Some(path) => Paper::create(path, &file, &*signing)?,
        None => Paper::create_free(&format!("receipt-{}", request.reference()), &file, &*signing)?,
    };
    let erased = block_on(async {
        let (mut database, place) = open(&settings).await?;
        let order = Order {
            file: &file,
            place: &place,
            request: &request,
            key: &key,
            again: false,
            plan,
            clock: &now,
        };
        let erased = match Covered::read(&mut database, &file).await {
            Ok(covered) => erase(&mut database, &covered, &order, &mut list).await,
            Err(error) => Err(error),
        };
        database.close().await;
        Ok::<_, CliError>(erased?)
    })??;
    let path = paper.write(&erased.receipt)?;
    let exit = if erased.receipt.outcome == Outcome::Failed { Exit::Unfinished } else { Exit::Done };
    Ok(Reply::new(EraseShown::erased(erased.receipt, path), EraseShown::text).with_exit(exit))
}

pub fn run_replay(context: &Context, arguments: &Erase) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let signing = open_signer(&settings).map_err(OpsError::from)?;
    let mut list = list_of(&settings)?;
    let replayed = block_on(async {
        let (mut database, place) = open(&settings).await?;
        let wanted = Replay {
            file: &file,
            place: &place,
            request: arguments.request.as_deref(),
            also_different: arguments.also_different,
            signing: &*signing,
            clock: &now,
        };
        let done = replay(&mut database, &wanted, &mut list).await;
        database.close().await;
        Ok::<_, CliError>(done?)
    })??;
    let has = |found: Found| replayed.erasures.iter().any(|again| again.found == found);
    let exit = if has(Found::Failed) || replayed.erasures.iter().any(|again| again.error.is_some()) {
        Exit::Unfinished
    } else if has(Found::Differs) || has(Found::OtherKey) || !replayed.faults.is_empty() {
        Exit::Findings
    } else {
        Exit::Done
    };
    Ok(Reply::new(ReplayShown::new(replayed), ReplayShown::text).with_exit(exit))
}
