use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::import::{exit_of, show_findings};
use super::replicate::{owed, show_states};
use super::verify::{parse_anchors, reply_in, threads};
use crate::cli::context::{Context, block_on, replicas, verify_options};
use crate::cli::error::CliError;
use crate::cli::language::language;
use crate::cli::memory::MemoryArguments;
use crate::cli::output::{Clean, Reply, line};
use crate::cli::settings::{Settings, parse_duration};
use crate::cli::sources::{SourceArguments, parse_cid, remark_faults};
use crate::cli::{CommandResult, Exit};
use crate::model::Cid;
use crate::ops::ChainReader;
use crate::ops::mirror::{Followed, Mirrored, mirror};
use crate::ops::replicate::{ReplicaState, replicate};
use crate::server::{ServeError, Stop};
use crate::store::remote::RemoteError;

/// A round takes no longer; what it was about is left to the next.
const ROUND: Duration = Duration::from_secs(3600);
/// A file that names a head is no larger.
const NAME_LIMIT: u64 = 1024;

/// Follow a chain that is written elsewhere: fetch what is new, verify the whole, continue the archive here
///
/// What is here stays when the source is older, another version, damaged or not there. New entries go to the
/// replicas of the settings as well. Exits as `verify` does, also with 1 for a chain that tells itself of entries by a
/// stolen key, which is followed all the same; with `--every` it ends when it is told to.
#[derive(Args)]
pub struct Mirror {
    /// CID of a head, also as `ipfs://CID`, an IPNS name, or a file that holds a CID
    #[arg(value_name = "CID|/ipns/NAME|FILE")]
    target: String,
    #[command(flatten)]
    sources: SourceArguments,
    /// Look again after each pause of this length: `30s`, `10m`
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
    /// Look once; so it is without `--every`
    #[arg(long, conflicts_with = "every")]
    once: bool,
    /// The chain must be this one or have this root key
    #[arg(long, value_name = "ANCHOR")]
    require: Vec<String>,
    #[command(flatten)]
    memory: MemoryArguments,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    mirrored: Mirrored,
    replicas: Vec<ReplicaState>,
}

pub fn run(context: &Context, arguments: &Mirror) -> CommandResult {
    let settings = context.settings()?;
    let Some(every) = &arguments.every else {
        let (_, reply) = block_on(round(context, &settings, arguments, None))??;
        return Ok(reply);
    };
    let pause = parse_duration(every)
        .filter(|pause| !pause.is_zero())
        .ok_or_else(|| CliError::usage("`--every` is no duration").hint("write it like `30s` or `10m`"))?;
    let stop = Stop::by_signal().map_err(ServeError::from)?;
    let rounds = async {
        // The chain of the first round is the one that is followed, whatever the target names later.
        let mut chain = None;
        loop {
            let begin = Instant::now();
            let result = round(context, &settings, arguments, chain).await.map(|(found, reply)| {
                chain = chain.or(found);
                reply
            });
            // Who started this may have gone; then nobody is left to tell.
            if line(&result, context.json).is_err() {
                return Exit::Unfinished;
            }
            sleep(pause.saturating_sub(begin.elapsed()).max(Duration::from_millis(100))).await;
        }
    };
    let exit = block_on(async {
        tokio::select! {
            exit = rounds => exit,
            // What a round has fetched so far goes with it.
            () = stop.wait() => Exit::Done,
        }
    });
    Ok(Reply::silent(exit?))
}

/// The head that the target names now.
async fn resolve(settings: &Settings, sources: &SourceArguments, target: &str) -> Result<Cid, CliError> {
    if let Some(cid) = parse_cid(&sources.resolve(settings, target).await?) {
        return Ok(cid);
    }
    let small = std::fs::metadata(target).is_ok_and(|file| file.is_file() && file.len() <= NAME_LIMIT);
    let text = if small { std::fs::read_to_string(target).unwrap_or_default() } else { String::new() };
    parse_cid(text.trim()).ok_or_else(|| {
        CliError::usage(format!(
            "{} is neither a CID, nor an IPNS name, nor a file that holds a CID",
            Clean(target)
        ))
        .hint("run `greffe head` where the chain is written, and give what it prints")
    })
}

/// Looks once; also the chain that is followed, once it is known.
async fn round(
    context: &Context,
    settings: &Settings,
    arguments: &Mirror,
    chain: Option<Cid>,
) -> Result<(Option<Cid>, Reply), CliError> {
    let mut options = verify_options(settings, &parse_anchors(&arguments.require)?);
    arguments.memory.recall(context, &mut options)?;
    if let Some(chain) = chain.or(settings.chain).filter(|_| !options.require_anchor) {
        options.anchors = vec![crate::chain::Anchor::Chain(chain)];
        options.require_anchor = true;
    }
    let sources = arguments.sources.open(settings)?;
    let followed = Followed {
        head: resolve(settings, &arguments.sources, &arguments.target).await?,
        directory: &settings.archive_directory,
        sources: &sources,
        patience: arguments.sources.patience()?,
        threads: threads(None),
        wait: settings.lock_wait,
    };
    let mut progress = context.progress();
    let mut show_progress = |what: &str, done, total| progress.show(what, done, total);
    let outcome = timeout(ROUND, mirror(&followed, options, &mut show_progress)).await;
    drop(progress);
    let too_long = |_| CliError::new(Exit::Unfinished, RemoteError::TimedOut(ROUND).to_string());
    let mirrored = match outcome.map_err(too_long)?? {
        Ok(mirrored) => mirrored,
        Err(refused) => {
            remark_faults(context, &refused.sources);
            let evidence = arguments.memory.keep_fork(context, &refused.report);
            return Ok((
                None,
                reply_in(language(None, &context.environment), refused.report, refused.sources, evidence),
            ));
        }
    };
    remark_faults(context, &mirrored.sources);
    arguments.memory.remember(context, mirrored.memory.as_ref());
    let replicas = deliver(context, settings, &mirrored).await?;
    let exit = match exit_of(&mirrored.findings) {
        Exit::Done => owed(settings, &replicas),
        exit => exit,
    };
    let chain = Some(mirrored.chain);
    let done = Done { command: "mirror", mirrored, replicas };
    Ok((chain, Reply::new(done, show).with_exit(exit)))
}

async fn deliver(
    context: &Context,
    settings: &Settings,
    mirrored: &Mirrored,
) -> Result<Vec<ReplicaState>, CliError> {
    let replicas = replicas(settings)?;
    if replicas.is_empty() {
        return Ok(Vec::new());
    }
    let reader = ChainReader::open(&settings.archive_directory, &mirrored.name)?;
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let deadline = settings.replication_deadline;
    Ok(replicate(&reader, &mirrored.name, &replicas, deadline, &mut show).await?.replicas)
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let mirrored = &done.mirrored;
    writeln!(
        out,
        "mirrored {}: {} new of {} entries, head {}",
        mirrored.name, mirrored.new_entries, mirrored.entries, mirrored.head
    )?;
    show_findings(&mirrored.findings, out)?;
    show_states(&done.replicas, out)
}
