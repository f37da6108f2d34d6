use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, key, project};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::model::{Role, Timestamp};
use crate::ops::OpsError;
use crate::ops::grant::{Granted, Terms, grant};
use crate::store::create_file;

/// Grant an auditor the keys of some sealed files
///
/// Writes an age file that only the recipient opens, with the content keys of the entries that are named, and records
/// in the access chain who was granted what, why, and until when. `greffe open` reads with it. A grant cannot be taken
/// back from who has it: what was granted may have been read.
#[derive(Args)]
pub struct Grant {
    /// Whom: a recipient of age, `age1…`
    #[arg(long, value_name = "RECIPIENT")]
    to: String,
    /// Entries by number: `7`, or `10..20` with both ends
    #[arg(long = "events", value_name = "FROM..TO", value_parser = parse_entries)]
    entries: RangeInclusive<u64>,
    /// Which files: `script` (the ways up and down and what was rendered), or roles such as `output`
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    parts: Vec<String>,
    /// Why; it is recorded
    #[arg(long)]
    purpose: String,
    /// The last day, such as `2027-01-31`
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    until: Timestamp,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    file: PathBuf,
    #[serde(flatten)]
    granted: Granted,
}

pub fn run(context: &Context, arguments: &Grant) -> CommandResult {
    let settings = context.settings()?;
    let project = project(&settings)?;
    if arguments.out.symlink_metadata().is_ok() {
        return Err(OpsError::Exists(arguments.out.clone()).into());
    }
    let terms = Terms {
        to: arguments.to.clone(),
        entries: arguments.entries.clone(),
        roles: roles(&arguments.parts)?,
        purpose: arguments.purpose.clone(),
        until: arguments.until,
    };
    let granted = block_on(grant(&project, &terms, key(&settings)))??;
    let file = arguments.out.clone();
    create_file(&file, &granted.bytes, 0o600)
        .map_err(|source| CliError::from(OpsError::File { path: file.clone(), done: "written", source }))?;
    Ok(Reply::new(Done { command: "grant", file, granted }, |done, out| {
        let granted = &done.granted;
        writeln!(
            out,
            "wrote  {}: {} key(s) of {} entries",
            done.file.display(),
            granted.files,
            granted.entries.len()
        )?;
        if granted.gone > 0 {
            writeln!(out, "gone   {} file(s) have no key any more", granted.gone)?;
        }
        writeln!(out, "access {}", granted.access)
    }))
}

/// `7` or `10..20`, both ends included.
fn parse_entries(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.trim_start_matches('=').parse::<u64>().ok();
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => Ok(from..=to),
        _ => Err("write `7`, or `10..20` with the smaller number first".to_owned()),
    }
}

/// The end of a day in UTC.
fn parse_day(text: &str) -> Result<Timestamp, String> {
    format!("{text}T23:59:59.999999Z").parse().map_err(|_| "write a day such as `2027-01-31`".to_owned())
}

fn roles(parts: &[String]) -> Result<Vec<Role>, CliError> {
    let mut roles = Vec::new();
    for part in parts {
        if part == "script" {
            roles.extend([Role::Up, Role::Down, Role::Rendered]);
            continue;
        }
        let role = serde_json::from_value(serde_json::Value::String(part.clone()));
        roles.push(role.map_err(|_| {
            CliError::usage(format!("{part:?} is no part of an entry"))
                .hint("write `--parts script`, or roles of files such as `output`")
        })?);
    }
    Ok(roles)
}
