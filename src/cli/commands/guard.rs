pub mod shown;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, block_on, look_at_database, open_database, project};
use crate::cli::error::CliError;
use crate::cli::output::{Reply, remark};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::database::guard::{GuardCursor, GuardError, GuardFault, install_sql, remove_sql};
use crate::database::{Database, DatabaseError, Target as _};
use crate::model::Timestamp;
use crate::ops::OpsError;
use crate::ops::guard::{Guard, GuardWanted, GuardedChange, Installed, changes_since, install};

/// Have the database note changes of its schema that do not come through greffe
///
/// Event triggers of PostgreSQL write down who by role, when, which object and which kind of statement: no values, and no
/// text of statements. `changes` compares that with the chain, and ends with 1 where something did not come through greffe.
#[derive(Args)]
pub struct GuardCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make tables and event triggers, or put in order what is there of them
    Install {
        /// Refuse a change of the schema that cannot be noted; else it is let through, and counted
        #[arg(long)]
        strict: bool,
        /// How many changes are kept; the oldest go, and are counted [default: 10000]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=100_000))]
        keep: Option<u32>,
        /// A role that may read what is noted, such as the one that runs `greffe guard changes`
        #[arg(long, value_name = "ROLE")]
        reader: Option<String>,
        /// Print the statements for an administrator, and do nothing
        #[arg(long)]
        print_sql: bool,
    },
    /// Say what is there, and whether it is whole and at work
    Status,
    /// Compare what was noted with the chain
    Changes {
        /// Only what was noted since then: a day, a time in UTC, or the `cursor` that `--json` printed before
        #[arg(long, value_name = "WHEN", value_parser = since)]
        since: Option<Since>,
    },
    /// Remove all of it
    Remove {
        /// Also when changes that did not come through greffe are noted
        #[arg(long)]
        discard: bool,
        /// Print the statements for an administrator, and do nothing
        #[arg(long)]
        print_sql: bool,
    },
}

/// From where on changes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Since {
    Time(Timestamp),
    Cursor(GuardCursor),
}

fn since(text: &str) -> Result<Since, &'static str> {
    if let Ok(cursor) = text.parse() {
        return Ok(Since::Cursor(cursor));
    }
    let day = format!("{text}T00:00:00Z");
    let time = [text, &day].into_iter().find_map(|text| text.parse::<jiff::Timestamp>().ok());
    let time = time.and_then(|time| Timestamp::from_microseconds(time.as_microsecond()));
    time.map(Since::Time).ok_or("write it like 2026-11-23, 2026-11-23T09:30:00Z or as `cursor` of --json")
}

/// What `install`, `status` and `remove` say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    command: &'static str,
    action: &'static str,
    /// Of `install`.
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<Installed>,
    /// `None` where there is none.
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<Numbers>,
    faults: Vec<GuardFault>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    version: u32,
    installed_at: Option<Timestamp>,
    strict: bool,
    keep: u32,
    noted: u64,
    removed: u64,
    missed: u64,
}

/// What `changes` says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    command: &'static str,
    action: &'static str,
    id: Option<String>,
    changes: Vec<GuardedChange>,
    out_of_band: usize,
    /// For `--since`.
    cursor: String,
    removed: u64,
    missed: u64,
    faults: Vec<GuardFault>,
}

pub fn run(context: &Context, arguments: &GuardCommand) -> CommandResult {
    match &arguments.action {
        Action::Install { strict, keep, reader, print_sql } => {
            let wanted = GuardWanted { strict: *strict, keep: *keep, reader: reader.clone() };
            if *print_sql {
                return Ok(Reply::raw(install_sql(&wanted.settings()).into_bytes()));
            }
            let settings = context.settings()?;
            let (installed, found) =
                with_database(&settings, async |database| made(context, database, &wanted).await)?;
            Ok(reply("install", Some(installed), found))
        }
        Action::Remove { print_sql: true, .. } => Ok(Reply::raw(remove_sql().into_bytes())),
        Action::Remove { discard, .. } => {
            let settings = context.settings()?;
            with_database(&settings, async |database| removed(context, &settings, database, *discard).await)?;
            Ok(reply("remove", None, None))
        }
        Action::Status => {
            let settings = context.settings()?;
            let found =
                looked(&settings, async |database| Ok(database.guard().await.map_err(OpsError::from)?))?;
            Ok(reply("status", None, found))
        }
        Action::Changes { since } => changes(&context.settings()?, since.as_ref()),
    }
}

async fn made(
    context: &Context,
    database: &mut Database,
    wanted: &GuardWanted,
) -> Result<(Installed, Option<Guard>), CliError> {
    let there = database.guard().await.map_err(OpsError::from)?;
    if !context.quiet && there.is_none_or(|guard| !guard.faults.is_empty()) {
        let rights = database.guard_rights().await.map_err(OpsError::from)?;
        remark(&format!(
            "In the database {} this makes, as the role {}: the schema greffe_guard with two tables, a sequence and two \
             functions, and four event triggers; no other object is touched. It takes a role that may make event triggers, a \
             superuser of PostgreSQL, and CREATE on the database. `greffe guard remove` takes all of it away.",
            rights.database, rights.role
        ));
    }
    let installed = install(database, wanted).await?;
    Ok((installed, database.guard().await.map_err(OpsError::from)?))
}

async fn removed(
    context: &Context,
    settings: &Settings,
    database: &mut Database,
    discard: bool,
) -> Result<(), CliError> {
    let Some(found) = database.guard().await.map_err(OpsError::from)? else { return Ok(()) };
    if !discard {
        let noted = changes_since(&project(settings)?, database, None).await?;
        let changes = noted.map(|noted| noted.changes).unwrap_or_default();
        let lost = changes.iter().filter(|change| change.is_out_of_band()).count();
        if lost > 0 {
            return Err(CliError::usage(format!(
                "{lost} change(s) that did not come through greffe are noted, and would be lost"
            ))
            .hint(
                "keep what `greffe guard changes --json` prints, then run `greffe guard remove --discard`",
            ));
        }
    }
    if !context.quiet {
        remark(&format!(
            "This drops four event triggers and the schema greffe_guard with {} noted change(s). It takes a role that may do \
             so, a superuser of PostgreSQL. No other object is touched.",
            found.rows
        ));
    }
    Ok(database.remove_guard().await.map_err(OpsError::from)?)
}

fn changes(settings: &Settings, since: Option<&Since>) -> CommandResult {
    let project = project(settings)?;
    let cursor = match since {
        Some(Since::Cursor(cursor)) => Some(cursor.clone()),
        _ => None,
    };
    let seen = looked(settings, async |database| Ok(changes_since(&project, database, cursor).await?))?;
    let Some(seen) = seen else {
        return Err(
            CliError::usage("no guard is installed in this database").hint("run `greffe guard install`")
        );
    };
    let is_wanted = |change: &GuardedChange| match since {
        Some(Since::Time(since)) => change.at.is_none_or(|at| at >= *since),
        _ => true,
    };
    let changes: Vec<GuardedChange> = seen.changes.into_iter().filter(is_wanted).collect();
    let out_of_band = changes.iter().filter(|change| change.is_out_of_band()).count();
    let is_well = out_of_band == 0 && seen.missed == 0 && seen.faults.is_empty();
    let told = Told {
        command: "guard",
        action: "changes",
        id: seen.id,
        changes,
        out_of_band,
        cursor: seen.cursor.to_string(),
        removed: seen.removed,
        missed: seen.missed,
        faults: seen.faults,
    };
    Ok(Reply::new(told, shown::changes).with_exit(if is_well { Exit::Done } else { Exit::Findings }))
}

fn reply(action: &'static str, installed: Option<Installed>, found: Option<Guard>) -> Reply {
    let (id, faults) = match &found {
        Some(guard) => (guard.id.clone(), guard.faults.clone()),
        None => (None, Vec::new()),
    };
    let exit = if faults.is_empty() { Exit::Done } else { Exit::Findings };
    let numbers = |guard: Guard| Numbers {
        version: guard.version,
        installed_at: guard.installed_at,
        strict: guard.strict,
        keep: guard.keep,
        noted: guard.rows,
        removed: guard.removed,
        missed: guard.missed,
    };
    let guard = found.map(numbers);
    Reply::new(Shown { command: "guard", action, installed, id, guard, faults }, shown::state).with_exit(exit)
}

/// Does something with the database, which is there.
fn with_database<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&mut Database) -> Result<T, CliError>,
) -> Result<T, CliError> {
    require_postgres(settings)?;
    block_on(async {
        let mut database = open_database(settings).await?;
        let done = work(&mut database).await;
        database.close().await;
        done
    })?
}

/// The same for what only looks.
fn looked<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&mut Database) -> Result<T, CliError>,
) -> Result<T, CliError> {
    require_postgres(settings)?;
    block_on(async {
        let Some(mut database) = look_at_database(settings).await? else {
            return Err(OpsError::from(DatabaseError::from(GuardError::Engine)).into());
        };
        let done = work(&mut database).await;
        database.close().await;
        done
    })?
}

/// A database in a file is not made for this.
fn require_postgres(settings: &Settings) -> Result<(), CliError> {
    let engine = Database::engine(settings.database_url()?.expose());
    match engine {
        Some(crate::model::Engine::Postgresql) => Ok(()),
        _ => Err(OpsError::from(DatabaseError::from(GuardError::Engine)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_when_on_is_read_as_a_day_a_time_or_a_cursor() {
        let time = |text: &str| match since(text) {
            Ok(Since::Time(time)) => time.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(time("2026-11-23"), "2026-11-23T00:00:00.000000Z");
        assert_eq!(time("2026-11-23T09:30:00Z"), "2026-11-23T09:30:00.000000Z");
        assert_eq!(time("2026-11-23T09:30:00.5+01:00"), "2026-11-23T08:30:00.500000Z");
        assert!(matches!(since("41.9120:9125:9121"), Ok(Since::Cursor(cursor)) if cursor.row == 41));
        for garbage in ["", "yesterday", "2026-13-01", "41", "-1.2", "2026-11-23T09:30"] {
            assert!(since(garbage).is_err(), "{garbage}");
        }
    }
}
