use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::replay::replay_verified;
use crate::chain::Report;
use crate::cli::context::{Context, block_on, look_at_database, verify_options};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::{Anchor, Secret, Settings};
use crate::cli::{CommandResult, Exit};
use crate::database::Target as _;
use crate::model::Cid;
use crate::ops::replay::{add_live, add_replay, may_run};
use crate::ops::source::Source;
use crate::ops::{ChainReader, OpsError};

/// Verify a chain from its CID, or from a CAR file
///
/// Checks every block, link, signature, file and the story that they tell, and lists all that is
/// wrong. Exits with 0 when nothing is, with 1 when something is found.
#[derive(Args)]
pub struct Verify {
    /// CID of a head or manifest in the archive, or a CARv1 file
    #[arg(value_name = "CID|FILE.car")]
    target: String,
    /// The archive must be of this chain or root key, or it is a finding
    #[arg(long, value_name = "ANCHOR")]
    require: Vec<String>,
    /// Run the scripts again, in memory for SQLite, and compare each schema with the one that was signed
    #[arg(long)]
    replay: bool,
    /// Run them in a database that is made for this on the server of this URL
    #[arg(long, value_name = "URL")]
    on: Option<Secret>,
    /// Compare the database's schema with the newest one that was signed
    #[arg(long)]
    live: bool,
    /// Threads that check entries [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What verification came to, as it is shown.
#[derive(Serialize)]
pub struct Shown {
    command: &'static str,
    #[serde(flatten)]
    report: Report,
}

pub fn run(context: &Context, arguments: &Verify) -> CommandResult {
    let settings = context.settings()?;
    let required = parse_anchors(&arguments.require)?;
    let options = verify_options(&settings, &required);
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let mut source = source(&settings, &arguments.target)?;
    let mut report = source.verify(options, threads(arguments.threads), &mut show)?;
    if (arguments.replay || arguments.on.is_some()) && may_run(&report) {
        let replayed = replay_verified(&settings, &mut source, &report, arguments.on.as_ref(), &mut show)?;
        add_replay(&mut report, &replayed);
    }
    if arguments.live {
        let found = block_on(async {
            let database = look_at_database(&settings).await?;
            let mut database = database.ok_or_else(|| {
                CliError::new(Exit::Unfinished, "there is no database to compare with".to_owned())
                    .hint("name it with `--database URL`")
            })?;
            Ok::<_, CliError>(database.fingerprint().await.map_err(OpsError::from)?)
        })??;
        add_live(&mut report, &mut source, found)?;
    }
    drop(progress);
    Ok(reply(report))
}

/// The report as a reply.
pub fn reply(report: Report) -> Reply {
    let exit = if report.verified { Exit::Done } else { Exit::Findings };
    Reply::new(Shown { command: "verify", report }, show).with_exit(exit)
}

/// As many threads as were asked for, else as there are cores.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).clamp(1, 64)
}

/// Anchors that must be met.
pub fn parse_anchors(texts: &[String]) -> Result<Vec<Anchor>, CliError> {
    let parse = |text: &String| {
        text.parse::<Anchor>().map_err(|error| {
            CliError::usage(format!("{}: {error}", Clean(text))).hint("give a CID or a keyid")
        })
    };
    texts.iter().map(parse).collect()
}

/// The chain that a CID or the path of a CAR file names.
pub fn source(settings: &Settings, text: &str) -> Result<Source, CliError> {
    let cid = text.strip_prefix("ipfs://").or_else(|| text.strip_prefix("/ipfs/")).unwrap_or(text);
    match cid.parse::<Cid>() {
        Ok(root) => {
            let directory = &settings.archive_directory;
            let reader = match &settings.name {
                Some(name) => ChainReader::open(directory, name)?,
                None => ChainReader::holding(directory, &root)?,
            };
            Ok(Source::Archive { reader: Box::new(reader), root })
        }
        Err(_) if Path::new(text).exists() || text.ends_with(".car") => Ok(Source::file(Path::new(text))?),
        Err(error) => Err(CliError::usage(format!("{} is neither a file nor a CID: {error}", Clean(text)))
            .hint("run `greffe head` for the CID of this project's archive")),
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let report = &shown.report;
    let name = report.name.as_ref().map_or("unknown chain", |name| name.as_str());
    let verdict = if report.verified { "verified" } else { "NOT verified" };
    writeln!(out, "{verdict}: {name}, {} entries, from {}", report.entries, report.root)?;
    if let Some(chain) = report.chain {
        writeln!(out, "  chain       {chain}")?;
    }
    if let Some(newest) = report.newest {
        writeln!(out, "  newest      {newest}")?;
    }
    let established = &report.established;
    for (word, holds, meaning) in [
        ("intact", established.intact, "every byte, link and step of the story holds"),
        ("signed", established.signed, "signatures meet the trust document"),
        ("anchored", established.anchored, "the chain is one that you trust; `--require CID` insists on it"),
        ("witnessed", established.witnessed, "other parties saw the same chain"),
        ("timestamped", established.timestamped, "a timestamp authority saw the head"),
        ("complete", established.complete, "every block was there"),
        ("replayed", established.replayed, "the scripts make the schema that was signed"),
        ("live", established.live, "the database has that schema now"),
    ] {
        writeln!(out, "  {word:<11} {:<3} {meaning}", if holds { "yes" } else { "no" })?;
    }
    if report.sealed > 0 {
        writeln!(out, "  sealed      {} files, not opened", report.sealed)?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "{} finding(s):", report.findings.len())?;
    }
    for finding in &report.findings {
        writeln!(out, "  {}", Clean(&finding.to_string()))?;
    }
    Ok(())
}
