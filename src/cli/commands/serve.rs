use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::token::token_file;
use crate::cli::context::{Context, block_on, open_signer, project, replicas, verify_options};
use crate::cli::error::CliError;
use crate::cli::memory::state_folder;
use crate::cli::output::{Reply, remark};
use crate::cli::settings::{Settings, parse_duration};
use crate::cli::{CommandResult, Exit};
use crate::ops::OpsError;
use crate::ops::access::record_served;
use crate::ops::heads::Judging;
use crate::server::{Addresses, Limits, Options, Record, ServeError, Server, Sources, Stop, document};
use crate::store::remote::NamedReplica;
use crate::store::{RotatingLines, create_directory};

/// Bytes of one file of the access log, and how many are kept beside the newest.
const LOG_LIMIT: u64 = 10 << 20;
const LOGS: usize = 4;
/// Files that are open beside connections: archives, logs, and what the system needs.
const FILES: u64 = 256;

/// Serve the archive over HTTP, read only, until a signal ends it
///
/// `/ipfs/CID?format=raw|car` is a trustless gateway, `/log/` the tiles of the newest head, `/routing/v1/` tells
/// clients of IPFS where blocks are. Who fetches verifies: nothing here has to be trusted. `/api/v1/` tells holders of
/// tokens (`greffe token`) of heads, reports and accesses. See docs/serve.md.
#[derive(Args)]
pub struct Serve {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Listen where other machines can reach it: whoever can may read all of the archive
    #[arg(long)]
    public: bool,
    /// Serve every archive of the folder but access chains, also those that come later
    #[arg(long)]
    all: bool,
    /// Where clients reach this server, as a multiaddress: `/dns4/example.org/tcp/443/https`
    #[arg(long, value_name = "MULTIADDR")]
    announce: Vec<String>,
    /// Requests of one address each second; 0 for any number
    #[arg(long, value_name = "N", default_value_t = Limits::default().rate)]
    rate: u32,
    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// All requests come from a proxy: any `Host` will do, and addresses have no shares
    #[arg(long)]
    behind_proxy: bool,
    /// Let nobody read anything without a token of the scope `read`
    #[arg(long)]
    require_token: bool,
    /// The file of tokens [default: greffe.tokens beside the settings file]
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Where each answer is written down, in lines of JSON [default: below this user's state folder]
    #[arg(long, value_name = "FILE", conflicts_with = "no_access_log")]
    access_log: Option<PathBuf>,
    /// Write no answers down; what holders of tokens were told is recorded in the access chain all the same
    #[arg(long)]
    no_access_log: bool,
    /// How much of a client's address is written down
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Written::None)]
    log_addresses: Written,
    /// How often at most what holders of tokens were told is recorded in the access chain
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_interval)]
    record_every: Duration,
    /// Print the OpenAPI document of what is served, and end
    #[arg(long)]
    openapi: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Written {
    /// Nothing
    None,
    /// Its network: 24 bits of IPv4, 48 of IPv6
    Short,
    /// All of it
    Full,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).filter(|interval| *interval >= Duration::from_secs(1));
    interval.ok_or_else(|| "write a time such as `10m` or `1h`, at least `1s`".to_owned())
}

/// What `--json` prints when the server listens.
#[derive(Serialize)]
struct Listening {
    command: &'static str,
    address: String,
    public: bool,
    announced: Vec<String>,
    chains: Vec<Chain>,
}

#[derive(Serialize)]
struct Chain {
    name: String,
    head: String,
}

pub fn run(context: &Context, arguments: &Serve) -> CommandResult {
    if arguments.openapi {
        let mut text = serde_json::to_vec_pretty(&document()).unwrap_or_default();
        text.push(b'\n');
        return Ok(Reply::raw(text));
    }
    let settings = context.settings()?;
    if !arguments.listen.ip().is_loopback() && !arguments.public {
        let text = format!("{} can be reached from other machines", arguments.listen);
        return Err(CliError::usage(text).hint(
            "pass `--public` if everyone who reaches it may read all of the archive, or listen on 127.0.0.1",
        ));
    }
    for address in &arguments.announce {
        require_multiaddress(address)?;
    }
    let chain = match (&settings.name, arguments.all) {
        (None, true) => None,
        _ => Some(settings.name()?.clone()),
    };
    let tokens = token_file(&settings, arguments.tokens.as_ref());
    let has_tokens = !tokens.tokens()?.entries().is_empty();
    let options = Options {
        listen: arguments.listen,
        directory: settings.archive_directory.clone(),
        chain,
        all: arguments.all,
        behind_proxy: arguments.behind_proxy,
        announce: arguments.announce.clone(),
        public: arguments.public,
        record: recording(context, &settings, has_tokens, arguments.record_every)?,
        tokens,
        require_token: arguments.require_token,
        journal: journal(context, &settings, arguments)?,
        api: Some(sources(&settings)),
        limits: Limits {
            rate: arguments.rate,
            connections: arguments.connections as usize,
            ..Limits::default()
        },
    };
    require_files(arguments.connections)?;
    let stop = Stop::by_signal().map_err(ServeError::from)?;
    let server = Server::bind(options, Arc::new(remark))?;
    let address = format!("http://{}", server.address().map_err(ServeError::from)?);
    if !context.quiet {
        say_notes(arguments, has_tokens, server.announced());
    }
    let chains = server.chains().into_iter().map(|(name, head)| Chain { name, head }).collect();
    let announced = server.announced().to_vec();
    let listening = Listening { command: "serve", address, public: arguments.public, announced, chains };
    if context.json {
        Reply::new(listening, |_, _| Ok(()))
            .write(true)
            .map_err(|error| CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")))?;
    } else {
        let names: Vec<&str> = listening.chains.iter().map(|chain| chain.name.as_str()).collect();
        remark(&format!("listening on {} ({})", listening.address, names.join(", ")));
    }
    server.run(&stop).map_err(ServeError::from)?;
    Ok(Reply::silent(Exit::Done))
}

/// What whoever begins to serve should know.
fn say_notes(arguments: &Serve, has_tokens: bool, announced: &[String]) {
    if arguments.public && !arguments.require_token {
        remark(
            "note: whoever reaches this address may read all of the archive; TLS is for a proxy before it",
        );
    }
    if arguments.public && (arguments.require_token || has_tokens) {
        remark("note: tokens travel in clear: put a proxy that speaks TLS before this address");
    }
    if arguments.require_token && !has_tokens {
        remark("note: nobody has a token yet; `greffe token new --scope read` makes one");
    }
    if announced.is_empty() {
        remark("note: `/routing/v1/providers` names nobody until `--announce MULTIADDR` says where this is");
    }
}

/// The access log; none where nothing says where it is to be.
fn journal(
    context: &Context,
    settings: &Settings,
    arguments: &Serve,
) -> Result<Option<(RotatingLines, Addresses)>, CliError> {
    if arguments.no_access_log {
        return Ok(None);
    }
    let name = settings.name.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
    let below = || state_folder(context).map(|state| state.join("serve").join(format!("{name}.jsonl")));
    let Some(path) = arguments.access_log.clone().or_else(below) else { return Ok(None) };
    let opened = path.parent().map_or(Ok(()), create_directory);
    let opened = opened.and_then(|()| RotatingLines::open(&path, LOG_LIMIT, LOGS));
    let lines = opened.map_err(|source| OpsError::File { path: path.clone(), done: "written", source })?;
    let addresses = match arguments.log_addresses {
        Written::None => Addresses::None,
        Written::Short => Addresses::Short,
        Written::Full => Addresses::Full,
    };
    Ok(Some((lines, addresses)))
}

/// What records in the access chain; `None` where there is no project, or no key for tokens that there are.
fn recording(
    context: &Context,
    settings: &Settings,
    has_tokens: bool,
    every: Duration,
) -> Result<Option<(Record, Duration)>, CliError> {
    let unable = |error: &str| {
        if has_tokens && !context.quiet {
            let what = "note: `/api/v1/` tells nobody anything, since that cannot be recorded";
            remark(&format!("{what}: {error}"));
        }
        Ok(None)
    };
    let project = match project(settings) {
        Ok(project) => project,
        Err(error) => return unable(&error.message),
    };
    // Nobody is asked for a passphrase for nothing.
    let mut signer = match has_tokens.then(|| open_signer(settings)).transpose() {
        Ok(signer) => signer,
        Err(error) => return unable(&error.message),
    };
    let settings = settings.clone();
    let record = move |served| {
        let signer = match &signer {
            Some(opened) => Arc::clone(opened),
            None => Arc::clone(signer.insert(open_signer(&settings).map_err(|error| error.to_string())?)),
        };
        let recorded = block_on(record_served(&project, Box::new(move || Ok(signer)), served));
        recorded.map_err(|error| error.message)?.map_err(|error| error.to_string()).map(drop)
    };
    Ok(Some((Box::new(record), every)))
}

/// The replicas of the settings, of which nothing is asked; none where one of them cannot be used.
fn known_replicas(settings: &Settings) -> Vec<NamedReplica> {
    replicas(settings).unwrap_or_else(|error| {
        remark(&format!("note: nothing is told of replicas: {}", error.message));
        Vec::new()
    })
}

fn sources(settings: &Settings) -> Sources {
    let verify = verify_options(settings, &[]);
    let witnesses = settings.witnesses.iter().map(|witness| (witness.name.clone(), witness.vkey.clone()));
    Sources {
        directory: settings.archive_directory.clone(),
        chain: settings.name.clone(),
        replicas: known_replicas(settings),
        judging: Judging { witnesses: witnesses.collect(), tolerance: verify.tolerance },
        verify,
    }
}

/// Lets this process open as many files as its connections may come to, where the system allows that at all: without, archives
/// could not be read while many are connected.
fn require_files(connections: u32) -> Result<(), CliError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = u64::from(connections) + FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum });
    raised.map_err(|_| {
        let allowed = maximum.map_or_else(|| "fewer".to_owned(), |most| most.to_string());
        let text = format!("{connections} connections need {needed} open files, and the system allows {allowed}");
        CliError::usage(text).hint(format!(
            "pass a lower `--connections`, or allow more with `ulimit -n {needed}` or systemd's `LimitNOFILE=`"
        ))
    })
}

fn require_multiaddress(text: &str) -> Result<(), CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.:-_%".contains(c);
    if text.len() <= 512 && text.starts_with('/') && text.split('/').count() > 2 && text.chars().all(plain) {
        return Ok(());
    }
    Err(CliError::usage("`--announce` is not a multiaddress")
        .hint("write it like `/dns4/example.org/tcp/443/https` or `/ip4/192.0.2.1/tcp/8090/http`"))
}
