use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Reply, remark};
use crate::cli::{CommandResult, Exit};
use crate::server::{Limits, Options, ServeError, Server, Stop};

/// Serve the archive over HTTP, read only, until a signal ends it
///
/// `/ipfs/CID?format=raw|car` is a trustless gateway, `/log/` the tiles of the newest head, `/routing/v1/` tells
/// clients of IPFS where blocks are. Who fetches verifies: nothing here has to be trusted. See docs/serve.md.
#[derive(Args)]
pub struct Serve {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Listen where other machines can reach it: whoever can may read all of the archive
    #[arg(long)]
    public: bool,
    /// Serve every archive of the folder, also those that come later
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
    /// All requests come from a proxy: no share of connections and CAR streams for each address
    #[arg(long)]
    behind_proxy: bool,
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
    let options = Options {
        listen: arguments.listen,
        directory: settings.archive_directory.clone(),
        chain,
        all: arguments.all,
        behind_proxy: arguments.behind_proxy,
        announce: arguments.announce.clone(),
        limits: Limits {
            rate: arguments.rate,
            connections: arguments.connections as usize,
            ..Limits::default()
        },
    };
    let stop = Stop::by_signal().map_err(ServeError::from)?;
    let server = Server::bind(&options, Arc::new(remark))?;
    let address = format!("http://{}", server.address().map_err(ServeError::from)?);
    if arguments.public && !context.quiet {
        remark(
            "note: whoever reaches this address may read all of the archive; TLS is for a proxy before it",
        );
    }
    if server.announced().is_empty() && !context.quiet {
        remark("note: `/routing/v1/providers` names nobody until `--announce MULTIADDR` says where this is");
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

fn require_multiaddress(text: &str) -> Result<(), CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.:-_%".contains(c);
    if text.len() <= 512 && text.starts_with('/') && text.split('/').count() > 2 && text.chars().all(plain) {
        return Ok(());
    }
    Err(CliError::usage("`--announce` is not a multiaddress")
        .hint("write it like `/dns4/example.org/tcp/443/https` or `/ip4/192.0.2.1/tcp/8090/http`"))
}
