use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, block_on};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::{AuthoritySettings, Settings};
use crate::cli::{CommandResult, Exit};
use crate::ops::timestamp::{NamedService, Stamping, Timestamped, timestamp};
use crate::store::remote::{Patience, TimestampService};

/// Have timestamp authorities say when the archive's head was there
///
/// They are the `[[authority]]` entries of the settings, and every run that archives something asks them too. What they
/// answer is verified at once against the roots in the trust document, and becomes part of the head, which has a new CID
/// then. Exits with 4 when one of them still owes a timestamp; everything that was archived is safe then.
#[derive(Args)]
pub struct TimestampCommand {}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    timestamped: Timestamped,
}

pub fn run(context: &Context, _: &TimestampCommand) -> CommandResult {
    let services = Services::open(context.settings()?)?;
    if services.services.is_empty() {
        return Err(CliError::usage("there is no timestamp authority to ask")
            .hint("add an `[[authority]]` with `name` and `url` to greffe.toml; see docs/timestamps.md"));
    }
    let timestamped = services.ask()?;
    let exit = if timestamped.is_complete() { Exit::Done } else { Exit::Undelivered };
    Ok(Reply::new(Shown { command: "timestamp", timestamped }, show).with_exit(exit))
}

/// The services of the settings, as they were when a run began.
pub struct Services {
    settings: Settings,
    services: Vec<NamedService>,
}

impl Services {
    /// Reads what they need, so that what cannot work is refused before anything runs.
    pub fn open(settings: Settings) -> Result<Self, CliError> {
        let open = |authority: &AuthoritySettings| {
            let failed = |error: String| CliError::usage(format!("authority {}: {error}", authority.name));
            let authorization = authority.authorization(&settings).map_err(|error| {
                let source = authority.authorization.as_ref().map(ToString::to_string).unwrap_or_default();
                failed(format!("`authorization` is `{source}`, but {error}"))
                    .hint("set it to `bearer:TOKEN` or `basic:USER:PASSWORD`")
            })?;
            let patience = Patience { request: authority.timeout, total: authority.timeout };
            let service = TimestampService::new(authority.url.clone(), authorization, patience);
            let service = service.map_err(|error| failed(error.to_string()))?;
            Ok(NamedService { name: authority.name.clone(), url: authority.url.to_string(), service })
        };
        let services = settings.authorities.iter().map(open).collect::<Result<_, CliError>>()?;
        Ok(Self { settings, services })
    }

    /// Has what a run archived timestamped, where there are services, and says which still owe it. `exit`: what the run
    /// itself came to; its own exit code goes before, and what keeps a timestamp away is no failure of it.
    pub fn stamp(&self, context: &Context, reply: Reply) -> Reply {
        if self.services.is_empty() {
            return reply;
        }
        let owed = |text: &str, hint: &str| {
            remark(&format!("note: archived, not yet timestamped{text}\nhint: {hint}"));
        };
        let exit = reply.exit;
        match self.ask() {
            Ok(timestamped) => {
                for service in timestamped.services.iter().filter(|_| !context.quiet) {
                    if let Some(failure) = &service.failure {
                        let hint = "the next run asks again; `greffe timestamp` does so now";
                        owed(&format!(" by {}: {}", service.name, Clean(failure)), hint);
                    }
                }
                let done = if timestamped.is_complete() { Exit::Done } else { Exit::Undelivered };
                let reply = reply.with_head(&timestamped.before, &timestamped.head);
                if exit == Exit::Done { reply.with_exit(done) } else { reply }
            }
            Err(CliError { message, causes, hint, .. }) => {
                let text = Clean(&[vec![message], causes].concat().join(", because ")).to_string();
                owed(&format!(": {text}"), hint.as_deref().unwrap_or("run `greffe timestamp`"));
                if exit == Exit::Done { reply.with_exit(Exit::Undelivered) } else { reply }
            }
        }
    }

    fn ask(&self) -> Result<Timestamped, CliError> {
        let tolerance = i64::try_from(self.settings.time_tolerance.as_micros()).unwrap_or(i64::MAX);
        let stamping = Stamping {
            directory: &self.settings.archive_directory,
            name: self.settings.name()?,
            wait: self.settings.lock_wait,
            tolerance,
        };
        Ok(block_on(timestamp(&stamping, &self.services))??)
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let Timestamped { head, tokens, services, .. } = &shown.timestamped;
    writeln!(out, "head {head}, {tokens} timestamp(s)")?;
    for service in services {
        let detail = match (&service.failure, &service.time, &service.authority) {
            (Some(failure), ..) => format!("owed     {}: {}", service.name, Clean(failure)),
            (None, Some(time), Some(authority)) => {
                format!("stamped  {}: {time}, by {}", service.name, Clean(authority))
            }
            _ => format!("there    {}", service.name),
        };
        writeln!(out, "{detail}")?;
    }
    Ok(())
}
