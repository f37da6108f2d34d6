mod couriers;
mod guarded;
mod logged;
mod looks;
mod rounds;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::couriers::Couriers;
use self::logged::{Form, Log};
use self::looks::Looker;
use self::rounds::{Guarding, Rounds, Watching};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::language::{language, parse_language};
use crate::cli::memory::MemoryArguments;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::{AlertSettings, Settings, parse_duration};
use crate::cli::sources::SourceArguments;
use crate::cli::{CommandResult, Exit};
use crate::lang::{Language, Words};
use crate::model::{Cid, Timestamp};
use crate::ops::{ChainReader, OpsError, now};
use crate::server::{Limits, Listener, ServeError, Stop};
use crate::watch::alert::Channel;
use crate::watch::{Board, Code, LookName, Metrics, Open, Round, Severity, State, StateError, Told, serve};

/// Look at chain, database, replicas and vault again and again, and tell of what is not as it should be
///
/// Verifies what is new, compares folder, database and archive, asks replicas and witnesses, and looks at what comes due.
/// Each finding is told once, to every `[[watch.alert]]` of the settings, and once more when it is over; what was told is
/// remembered. With `--once` it exits with 1 when something is found, with 3 when something could not be looked at. See
/// docs/watch.md.
#[derive(Args)]
pub struct Watch {
    /// Look once, tell of what is found, and end
    #[arg(long)]
    once: bool,
    /// How long from the begin of one round to that of the next [default: watch.interval, else 60s]
    #[arg(long, value_name = "DURATION", conflicts_with = "once")]
    interval: Option<String>,
    /// Answer `/metrics`, `/healthz` and `/readyz` here; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    listen: Option<SocketAddr>,
    /// Listen where other machines can reach it: whoever can may read the metrics
    #[arg(long, requires = "listen")]
    public: bool,
    /// Write the metrics to this file after each round, for a node exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// The language of what is shown, and of alerts that name no other: `en`, `fr` [default: GREFFE_LANG, else LANG, else en]
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    lang: Option<Language>,
    /// How what happens is written on standard error
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    log: Form,
    #[command(flatten)]
    sources: SourceArguments,
    #[command(flatten)]
    memory: MemoryArguments,
}

/// What a round came to, as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    name: String,
    chain: Option<Cid>,
    at: Timestamp,
    looks: Vec<ShownLook>,
    findings: Vec<ShownFinding>,
    /// Alerts that a channel has not taken yet.
    owed: usize,
}

#[derive(Serialize)]
struct ShownLook {
    name: LookName,
    ended: bool,
    seconds: f64,
}

#[derive(Serialize)]
struct ShownFinding {
    code: Code,
    severity: Severity,
    subject: String,
    parameters: std::collections::BTreeMap<String, serde_json::Value>,
    since: Timestamp,
    /// In a sentence.
    text: String,
}

/// What `--json` prints when it listens.
#[derive(Serialize)]
struct Listening {
    command: &'static str,
    address: String,
    public: bool,
}

pub fn run(context: &Context, arguments: &Watch) -> CommandResult {
    let settings = context.settings()?;
    let interval = interval(&settings, arguments)?;
    let language = language(arguments.lang, &context.environment);
    let name = settings.name()?.to_string();
    let listener = arguments.listen.map(|address| listener(arguments, address)).transpose()?;
    let channels = channels(&settings, language)?;
    let state = State::open(&settings.watch.state, chain(&settings)?)?;
    let names = settings.watch.alerts.iter().map(|alert| alert.name.clone()).collect::<Vec<_>>();
    let stop = Stop::by_signal().map_err(ServeError::from)?;
    let limit = settings.watch.time_limit;
    let board = Arc::new(Board::new(interval + limit + limit));
    let rounds = Rounds::new(Looker::new(context, &settings, &arguments.memory, &arguments.sources), limit);
    let mut watching = Watching {
        metrics: Metrics::new(&name, &names),
        couriers: Couriers::new(&name, channels, rounds.sender()),
        rounds,
        log: Log { form: arguments.log, name, quiet: context.quiet },
        names,
        state,
        board: Arc::clone(&board),
        metrics_file: arguments.metrics_file.clone(),
        guarding: (!arguments.once).then(|| Guarding::every(settings.watch.guard_interval)),
    };
    if arguments.once {
        let round = watching.once()?;
        return Ok(shown(&watching, &round, language));
    }
    let stop = Arc::new(stop);
    if let Some(listener) = listener {
        let address = format!("http://{}", listener.address().map_err(ServeError::from)?);
        announce(context, arguments, &watching.log, address)?;
        watching.rounds.attach(&stop, move |stop| serve(listener, &board, stop));
    }
    watching.rounds.end_with(&stop);
    watching.go_on(interval, &mut |watching, round, changed| {
        let reply = if context.json || changed {
            shown(watching, round, language)
        } else {
            Reply::silent(Exit::Done)
        };
        // Who started this may have gone; then nobody is left to tell.
        reply.is_silent() || crate::cli::output::line(&Ok(reply), context.json).is_ok()
    })?;
    Ok(Reply::silent(Exit::Done))
}

fn interval(settings: &Settings, arguments: &Watch) -> Result<Duration, CliError> {
    let Some(text) = &arguments.interval else { return Ok(settings.watch.interval) };
    parse_duration(text)
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| CliError::usage("`--interval` is no duration").hint("write it like `30s` or `5m`"))
}

/// The chain that is watched, as far as it is known.
fn chain(settings: &Settings) -> Result<Option<Cid>, CliError> {
    if settings.chain.is_some() {
        return Ok(settings.chain);
    }
    match ChainReader::open(&settings.archive_directory, settings.name()?) {
        Ok(reader) => Ok(Some(reader.root())),
        // What is wrong with it is told by the first round.
        Err(OpsError::Archive(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn listener(arguments: &Watch, address: SocketAddr) -> Result<Listener, CliError> {
    if !address.ip().is_loopback() && !arguments.public {
        let text = format!("{address} can be reached from other machines");
        return Err(CliError::usage(text).hint(
            "pass `--public` if everyone who reaches it may read the metrics, or listen on 127.0.0.1",
        ));
    }
    // Scrapers are few.
    let limits = Limits { rate: 100, connections: 64, ..Limits::default() };
    Ok(Listener::bind(address, limits, false)?)
}

fn announce(context: &Context, arguments: &Watch, log: &Log, address: String) -> Result<(), CliError> {
    if !context.json {
        log.listening(now(), &address);
        return Ok(());
    }
    let listening = Listening { command: "watch", address, public: arguments.public };
    let written = crate::cli::output::line(&Ok(Reply::new(listening, |_, _| Ok(()))), true);
    written.map_err(|error| CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")))
}

/// The channels, open; nothing is sent yet.
fn channels(settings: &Settings, language: Language) -> Result<Vec<(String, Channel)>, CliError> {
    let open = |alert: &AlertSettings| {
        let opening = alert.opening(settings, language).map_err(|(key, place, error)| {
            CliError::usage(format!("alert {}: `{key}` is `{place}`, but {error}", alert.name))
                .hint("name the place where it is: `file:PATH` or `env:NAME`")
        })?;
        let channel = Channel::open(&alert.url, opening)
            .map_err(|error| CliError::usage(format!("alert {}: {error}", alert.name)))?;
        Ok((alert.name.clone(), channel))
    };
    settings.watch.alerts.iter().map(open).collect()
}

fn shown(watching: &Watching, round: &Round, language: Language) -> Reply {
    let told: &Told = &watching.state.told;
    // Data is the same in every language.
    let english = Words::of(Language::English);
    let look = |look: &crate::watch::Looked| ShownLook {
        name: look.name,
        ended: look.found.is_ok(),
        seconds: look.seconds,
    };
    let finding = |open: &Open| ShownFinding {
        code: open.finding.code,
        severity: open.finding.code.severity(),
        subject: open.finding.subject.clone(),
        parameters: open.finding.parameters.clone(),
        since: open.since,
        text: open.finding.text(&english),
    };
    let shown = Shown {
        command: "watch",
        name: watching.log.name.clone(),
        chain: told.chain,
        at: round.at,
        looks: round.looks.iter().map(look).collect(),
        findings: told.open.iter().map(finding).collect(),
        owed: told.owed.len(),
    };
    let exit = exit_of(&shown.findings);
    let words = Words::of(language);
    let texts: Vec<String> = told.open.iter().map(|open| open.finding.text(&words)).collect();
    Reply::new(shown, move |shown, out| show(shown, &texts, &words, out)).with_exit(exit)
}

fn exit_of(findings: &[ShownFinding]) -> Exit {
    let unseen =
        |finding: &ShownFinding| matches!(finding.code, Code::Unreachable | Code::ReplicaUnreachable);
    match () {
        () if findings.is_empty() => Exit::Done,
        () if findings.iter().all(unseen) => Exit::Unfinished,
        () => Exit::Findings,
    }
}

/// `texts`: those of the findings, in the language of `words`.
fn show(shown: &Shown, texts: &[String], words: &Words, out: &mut dyn Write) -> io::Result<()> {
    for (finding, text) in shown.findings.iter().zip(texts) {
        let severity = finding.severity.text(words);
        writeln!(out, "{severity:<13} {:<24} {}", finding.code.as_str(), Clean(text))?;
    }
    let name = ("name", shown.name.as_str().into());
    let found = match shown.findings.len() as u64 {
        0 => words.tell("watch-nothing", [name]),
        count => words.tell("watch-found", [name, ("count", Words::figure(count))]),
    };
    writeln!(out, "{found}")?;
    match shown.owed as u64 {
        0 => Ok(()),
        owed => writeln!(out, "{}", words.tell("watch-owed", [("count", Words::figure(owed))])),
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        let hint = match &error {
            StateError::InUse { .. } => "end the other one, or give this one another `state` in `[watch]`",
            StateError::OtherChain { .. } => "give this chain another `state` in `[watch]`",
            StateError::Damaged { .. } => {
                "move the file away; findings that are open are told once more then"
            }
            StateError::File { .. } => "name a file that can be written as `state` in `[watch]`",
        };
        Self::new(Exit::Unfinished, error.to_string()).hint(hint)
    }
}
