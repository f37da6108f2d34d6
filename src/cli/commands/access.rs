use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::codec::fhir::bundle;
use crate::model::is_day;
use crate::ops::access::audit_events;

/// Hand out the accesses to sealed content, for audit repositories
///
/// Who opened or was granted what, when and why, from the chain of accesses; by pseudonym alone.
#[derive(Args)]
pub struct Access {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All accesses, from the oldest on
    Export(Export),
}

/// The form and the days
#[derive(Args)]
struct Export {
    /// FHIR R4 `AuditEvent` resources, one a line (NDJSON)
    #[arg(long, required = true)]
    fhir: bool,
    /// One `Bundle` in place of lines
    #[arg(long)]
    bundle: bool,
    /// The first day, UTC, such as `2026-01-31`
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    since: Option<String>,
    /// The last day, UTC
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    until: Option<String>,
}

#[derive(Serialize)]
struct Exported {
    command: &'static str,
    bundle: Value,
}

pub fn run(context: &Context, arguments: &Access) -> CommandResult {
    let Action::Export(export) = &arguments.action;
    let settings = context.settings()?;
    if let (Some(since), Some(until)) = (&export.since, &export.until)
        && until < since
    {
        return Err(CliError::usage(format!("`--until {until}` is before `--since {since}`"))
            .hint("give the first day with `--since`, the last one with `--until`"));
    }
    let (since, until) = (export.since.as_deref(), export.until.as_deref());
    let events = audit_events(&settings.archive_directory, settings.name()?, since, until)?;
    if export.bundle || context.json {
        let exported = Exported { command: "access export", bundle: bundle(events) };
        return Ok(Reply::new(exported, |exported, out| writeln!(out, "{}", exported.bundle)));
    }
    let mut lines = Vec::new();
    for event in events {
        lines.extend_from_slice(event.to_string().as_bytes());
        lines.push(b'\n');
    }
    Ok(Reply::raw(lines))
}

fn parse_day(text: &str) -> Result<String, String> {
    if is_day(text) { Ok(text.to_owned()) } else { Err("write a day as 2026-01-31".to_owned()) }
}
