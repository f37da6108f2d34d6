mod promotions;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::promotions::promotion_places;
use super::replay::{exit_with, replay_verified};
use crate::chain::{Finding, FindingKind, Fresh, Freshness, Options, Recall, Report};
use crate::cli::context::{Context, block_on, look_at_database, verify_options};
use crate::cli::error::CliError;
use crate::cli::hooks::between_hooks;
use crate::cli::language::{language, parse_language};
use crate::cli::memory::MemoryArguments;
use crate::cli::opening::{opening, record_opened};
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::{Anchor, Secret, Settings};
use crate::cli::sources::{SourceArguments, parse_cid, remark_faults};
use crate::cli::{CommandResult, Exit};
use crate::codec::policy::{POLICY_LIMIT, Policy};
use crate::database::Target as _;
use crate::lang::Language;
use crate::model::Cid;
use crate::ops::fetch::{Kept, Places, SourceState, Spool, Verified, verify_from};
use crate::ops::promotion::follow;
use crate::ops::replay::{Replayed, add_live, add_replay, may_run};
use crate::ops::source::Source;
use crate::ops::standings::Standings;
use crate::ops::{ChainReader, OpsError, Progress, now};
use crate::policy::hooks::What;
use crate::store::ArchiveError;

/// Verify a chain from its CID, or from a CAR file
///
/// Checks every block, link, signature, file and the story that they tell, and lists all that is
/// wrong. Blocks come from the archive, then from the replicas of the settings, then from the sources that
/// `--from` names; nothing that they send is believed. A CID that is in an archive here is verified from that archive
/// alone, unless `--from` is given. Exits with 0 when nothing is, with 1 when something is found, with 5
/// when this is not the chain that was verified here before: cut back, or another version of it. With `--max-age` it
/// exits with 6 when nothing is wrong, and the newest word on this head is older than that.
#[derive(Args)]
pub struct Verify {
    /// CID of a head or manifest, also as `ipfs://CID`, an IPNS name, or a CARv1 file
    #[arg(value_name = "CID|/ipns/NAME|FILE.car")]
    target: String,
    #[command(flatten)]
    sources: SourceArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Read only entries that are new since the last verification of this chain with `--incremental`
    ///
    /// The new head has to be what those of that time and the new ones make together. That the older blocks are still
    /// there is not looked at. Whatever is found, all of the chain is read and checked.
    #[arg(long, conflicts_with_all = ["no_memory", "replay", "on", "live", "open"])]
    incremental: bool,
    /// A head that is older than the newest one that was verified before is no finding
    #[arg(long)]
    older: bool,
    /// How old the newest word on this head may be, such as `12h` or `7d`; an older one is stale
    #[arg(long, value_name = "DURATION", value_parser = parse_age)]
    max_age: Option<Duration>,
    /// The archive must be of this chain or root key, or it is a finding
    #[arg(long, value_name = "ANCHOR")]
    require: Vec<String>,
    /// A file with what the verifier asks of witnesses, beside the trust document (C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Run the scripts again, in memory for SQLite, and compare each schema with the one that was signed
    #[arg(long)]
    replay: bool,
    /// Run them in a database that is made for this on the server of this URL
    #[arg(long, value_name = "URL")]
    on: Option<Secret>,
    /// Compare the database's schema with the newest one that was signed
    #[arg(long)]
    live: bool,
    /// Open sealed files with the keys of the vault, and compare them with what the log commits to
    #[arg(long)]
    open: bool,
    /// Ask the project's hooks of the events `beforeVerify`, `afterVerify` and `afterErrorVerify`
    ///
    /// They are programs and scripts of the folder that it runs in, which whoever looks at an archive of others need not
    /// trust; so nobody asks them unasked.
    #[arg(long)]
    hooks: bool,
    /// Threads that check entries [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The language of the text: `en` or `fr`, and `ar` for findings [default: what GREFFE_LANG or LANG says, else English]
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    lang: Option<Language>,
}

/// What verification came to, as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    command: &'static str,
    #[serde(flatten)]
    report: Report,
    /// Where blocks came from, when they were not all here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceState>,
    /// The file that shows anyone a fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    fork_evidence: Option<PathBuf>,
    /// What it is told in.
    #[serde(skip)]
    language: Language,
}

pub fn run(context: &Context, arguments: &Verify) -> CommandResult {
    let settings = context.settings()?;
    match arguments.hooks {
        true => between_hooks(&settings, What::Verify, || verify(context, &settings, arguments)),
        false => verify(context, &settings, arguments),
    }
}

fn verify(context: &Context, settings: &Settings, arguments: &Verify) -> CommandResult {
    let required = parse_anchors(&arguments.require)?;
    let mut options = verify_options(settings, &required);
    arguments.memory.recall(context, &mut options)?;
    options.older = arguments.older;
    let tolerance = options.tolerance;
    options.sealed_files = arguments.open;
    options.policy = arguments.policy.as_deref().map(read_policy).transpose()?;
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let threads = threads(arguments.threads);
    let target = block_on(arguments.sources.resolve(settings, &arguments.target))??;
    let standings = arguments.memory.standings(context).filter(|_| arguments.incremental);
    if arguments.incremental && standings.is_none() {
        remark(
            "note: neither XDG_STATE_HOME nor HOME says where to keep what was verified, so all is read each time",
        );
    }
    options.recall = standings.as_ref().map(Standings::recall);
    let search = Search { settings, arguments, target: &target, threads };
    let mut looked = search.verify(options.clone(), &mut show)?;
    if let Some(standings) = &standings
        && !block_on(goes_on(standings, &looked.report))?
    {
        // It may be the standing that is wrong; the chain itself decides.
        options.recall = options.recall.map(Recall::to_compare);
        looked = search.verify(options, &mut show)?;
    }
    let Looked { mut source, mut report, sources, spool: _spool } = looked;
    if arguments.open
        && let Some(chain) = report.chain
    {
        let keyring = opening(context, &chain)?;
        let source = source.as_mut().ok_or(OpsError::Nowhere(report.root))?;
        source.use_keys(Box::new(keyring));
        source.open_sealed(&mut report)?;
        record_opened(settings, &report, "verify")?;
    }
    // The memory first: a standing that is ahead of it is not believed.
    arguments.memory.remember(context, report.memory.as_ref());
    if let Some(standings) = &standings {
        keep_standing(context, standings, &report)?;
    }
    let evidence = arguments.memory.keep_fork(context, &report);
    let mut replayed = Replayed::default();
    if arguments.replays() && may_run(&report) {
        let source = source.as_mut().ok_or(OpsError::Nowhere(report.root))?;
        replayed = replay_verified(settings, source, &report, arguments.on.as_ref(), &mut show)?;
        add_replay(&mut report, &replayed);
    }
    if arguments.live {
        let found = block_on(async {
            let database = look_at_database(settings).await?;
            let mut database = database.ok_or_else(|| {
                CliError::new(Exit::Unfinished, "there is no database to compare with".to_owned())
                    .hint("name it with `--database URL`")
            })?;
            Ok::<_, CliError>(database.fingerprint().await.map_err(OpsError::from)?)
        })??;
        let source = source.as_mut().ok_or(OpsError::Nowhere(report.root))?;
        add_live(&mut report, source, found)?;
    }
    if !report.promoted.is_empty() {
        follow(&mut report, &mut promotion_places(settings)?, threads);
    }
    drop(progress);
    remark_faults(context, &sources);
    if let Some(max_age) = arguments.max_age {
        let vouched = report.vouched.clone();
        report.freshness = Some(Freshness::of(vouched, now(), max_age.as_secs(), tolerance));
    }
    let exit = exit_with(&replayed, exit_of(&report));
    let language = language(arguments.lang, &context.environment);
    Ok(reply_in(language, report, sources, evidence).with_exit(exit))
}

/// The report as a reply in a language, where its blocks came from, and where evidence of a fork is kept.
pub fn reply_in(
    language: Language,
    report: Report,
    sources: Vec<SourceState>,
    fork_evidence: Option<PathBuf>,
) -> Reply {
    let exit = exit_of(&report);
    let shown = Shown { command: "verify", report, sources, fork_evidence, language };
    Reply::new(shown, text::show).with_exit(exit)
}

fn exit_of(report: &Report) -> Exit {
    let is_other = |finding: &Finding| finding.fault.kind() == FindingKind::Continuity;
    match report.verified {
        true if report.freshness.as_ref().is_some_and(|freshness| freshness.fresh != Fresh::Yes) => {
            Exit::Stale
        }
        true => Exit::Done,
        false if report.findings.iter().any(is_other) => Exit::Discontinuous,
        false => Exit::Findings,
    }
}

impl Verify {
    /// Whether blocks are needed once more after the verification.
    const fn reads_again(&self) -> bool {
        self.replays() || self.live || self.open
    }

    const fn replays(&self) -> bool {
        self.replay || self.on.is_some()
    }
}

/// What is verified, and where its blocks may be.
struct Search<'a> {
    settings: &'a Settings,
    arguments: &'a Verify,
    target: &'a str,
    threads: usize,
}

/// What came of a verification.
struct Looked {
    /// The blocks, where they can be read again.
    source: Option<Source>,
    report: Report,
    sources: Vec<SourceState>,
    /// Holds the file that `source` reads, where they came from elsewhere.
    spool: Option<Spool>,
}

impl Search<'_> {
    fn verify(&self, options: Options, show: &mut Progress<'_>) -> Result<Looked, CliError> {
        let Self { settings, arguments, target, threads } = *self;
        let Some(root) = elsewhere(settings, arguments, target)? else {
            let source = source(settings, target)?;
            let report = source.verify(options, threads, show)?;
            return Ok(Looked { source: Some(source), report, sources: Vec::new(), spool: None });
        };
        let mut spool = match arguments.reads_again() {
            true => Some(Spool::create(&std::env::temp_dir(), &root, Kept::All)?),
            false => None,
        };
        let verified = fetch(settings, arguments, root, options, threads, spool.as_mut(), show)?;
        let source = spool.as_mut().map(|spool| Source::file(spool.finish()?)).transpose();
        // Of a chain without a block there is nothing to read again.
        let source = source.ok().flatten();
        Ok(Looked { source, report: verified.report, sources: verified.sources, spool })
    }
}

/// Whether a verification that went on from an earlier one stands.
pub async fn goes_on(standings: &Standings, report: &Report) -> bool {
    let Some((continued, chain)) = report.continued.as_deref().zip(report.chain) else { return true };
    continued.since.is_none() || (report.verified && standings.agrees(&chain, continued).await)
}

/// Keeps where a verification ended; one that cannot be kept is remarked.
pub fn keep_standing(context: &Context, standings: &Standings, report: &Report) -> Result<(), CliError> {
    let Some(continued) = report.continued.as_deref() else { return Ok(()) };
    if let Err(error) = block_on(standings.keep(continued))?
        && !context.quiet
    {
        remark(&format!(
            "note: where this verification ended cannot be kept in {}, so the next one reads all: {error}",
            standings.directory().display()
        ));
    }
    Ok(())
}

/// The CID to verify, when its blocks may be elsewhere: where sources are named, or where there are replicas and it
/// is in no archive here.
fn elsewhere(settings: &Settings, arguments: &Verify, target: &str) -> Result<Option<Cid>, CliError> {
    let Some(root) = parse_cid(target) else {
        if arguments.sources.from.is_empty() {
            return Ok(None);
        }
        return Err(CliError::usage("`--from` says where the blocks of a CID are, and this is none")
            .hint("run `greffe head` where the chain is written, and give what it prints"));
    };
    if !arguments.sources.from.is_empty() {
        return Ok(Some(root));
    }
    let here = |reader: &ChainReader| reader.archive().contains(&root).is_ok_and(|held| held);
    Ok((!settings.replicas.is_empty() && !archives(settings).0.iter().any(here)).then_some(root))
}

/// The archives whose blocks count: the one of the settings, else all in the folder; and what keeps others from it.
fn archives(settings: &Settings) -> (Vec<ChainReader>, Vec<SourceState>) {
    let directory = &settings.archive_directory;
    let opened = match &settings.name {
        Some(name) => vec![ChainReader::open(directory, name)],
        None => ChainReader::each(directory),
    };
    let (mut readers, mut failures) = (Vec::new(), Vec::new());
    for opened in opened {
        match opened {
            Ok(reader) => readers.push(reader),
            Err(OpsError::Archive(ArchiveError::NotFound { .. })) => {}
            Err(error) => failures.push(SourceState {
                name: "archive".to_owned(),
                url: directory.display().to_string(),
                blocks: 0,
                bytes: 0,
                fault: Some(error.to_string()),
                dropped: true,
            }),
        }
    }
    (readers, failures)
}

fn fetch(
    settings: &Settings,
    arguments: &Verify,
    root: Cid,
    options: Options,
    threads: usize,
    spool: Option<&mut Spool>,
    progress: &mut Progress<'_>,
) -> Result<Verified, CliError> {
    let ((archives, mut failures), sources) = (archives(settings), arguments.sources.open(settings)?);
    let patience = arguments.sources.patience()?;
    let places = Places { archives: &archives, sources: &sources, patience };
    let mut verified = block_on(verify_from(&places, root, options, threads, spool, progress))??;
    failures.append(&mut verified.sources);
    Ok(Verified { sources: failures, ..verified })
}

/// What a file asks of witnesses.
fn read_policy(path: &Path) -> Result<Policy, CliError> {
    let shown = path.display().to_string();
    let failed = |error: String| {
        CliError::usage(format!("{}: {error}", Clean(&shown)))
            .hint("write it as C2SP tlog-policy has it; docs/witness.md has an example")
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > POLICY_LIMIT as u64 {
        return Err(failed(format!("it has more than {POLICY_LIMIT} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Policy::parse(&text).map_err(|error| failed(error.to_string()))
}

/// Reads minutes, hours or days, up to a hundred years.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let units = [("m", 60), ("h", 3600), ("d", 86_400)];
    let seconds = units.iter().find_map(|(suffix, seconds)| {
        let number = text.strip_suffix(suffix)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(*seconds)
    });
    let seconds = seconds.filter(|seconds| *seconds <= 100 * 366 * 86_400);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "write minutes, hours or days: `30m`, `12h`, `7d`".to_owned())
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
    match parse_cid(text) {
        Some(root) => {
            let directory = &settings.archive_directory;
            let reader = match &settings.name {
                Some(name) => ChainReader::open(directory, name)?,
                None => ChainReader::holding(directory, &root)?,
            };
            Ok(Source::archive(reader, root))
        }
        None if Path::new(text).exists() || text.ends_with(".car") => Ok(Source::file(Path::new(text))?),
        None => Err(CliError::usage(format!("{} is neither a file nor a CID", Clean(text)))
            .hint("run `greffe head` for the CID of this project's archive")),
    }
}
