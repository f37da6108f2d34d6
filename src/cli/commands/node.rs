use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::peers::identity;
use crate::cli::{CommandResult, Exit};
use crate::node::{Limits, Node as Running, NodeError, Options, PeerId};
use crate::server::{ServeError, Stop};
use crate::store::remote::bitswap::{PeerAddress, parse_listen, socket_address};

/// Serve the archive over Bitswap to the peers that are named, until a signal ends it
///
/// Kubo, and greffe itself with `--from /ip4/…/tcp/…/p2p/ID`, fetch from it. Nobody else may connect, unless `--public`
/// says so. Who fetches verifies: nothing here has to be trusted. See docs/node.md.
#[derive(Args)]
pub struct Node {
    /// Where to listen; port 0 takes any that is free; may be given more than once
    #[arg(long, value_name = "MULTIADDR", default_value = "/ip4/127.0.0.1/tcp/4001")]
    listen: Vec<String>,
    /// Who may connect: a peer id, or the address of a peer that is dialled and kept connected,
    /// `/ip4/…/tcp/…/p2p/ID`; may be given more than once
    #[arg(long, value_name = "PEERID|MULTIADDR")]
    peer: Vec<String>,
    /// Anybody may connect: whoever reaches this node may read all of the archive
    #[arg(long)]
    public: bool,
    /// Serve every archive of the folder, also those that come later
    #[arg(long)]
    all: bool,
    /// Connections from outside at once; one more ends that of the peer who did nothing for the longest
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
}

/// What `--json` prints when the node listens.
#[derive(Serialize)]
struct Listening {
    command: &'static str,
    peer_id: String,
    addresses: Vec<String>,
    public: bool,
    /// Who may connect; of no meaning where anybody may.
    peers: Vec<String>,
    chains: Vec<Chain>,
}

#[derive(Serialize)]
struct Chain {
    name: String,
    head: String,
}

pub fn run(context: &Context, arguments: &Node) -> CommandResult {
    let settings = context.settings()?;
    let (peers, dialled) = named(&arguments.peer)?;
    if peers.is_empty() && !arguments.public {
        return Err(CliError::usage("nobody may connect: no peer is named").hint(
            "name who may with `--peer PEERID` (`ipfs id -f '<id>'` prints Kubo's), or pass `--public` if \
             everyone who reaches it may read all of the archive",
        ));
    }
    let listen = arguments.listen.iter().map(|text| {
        let refused = |error: String| {
            CliError::usage(format!("`--listen {}`: {error}", Clean(text)))
                .hint("write it like `/ip4/127.0.0.1/tcp/4001`, without `/p2p/`")
        };
        let address = parse_listen(text).map_err(|error| refused(error.to_string()))?;
        socket_address(&address).ok_or_else(|| refused("it is no address to listen on".to_owned()))
    });
    let listen = listen.collect::<Result<Vec<_>, _>>()?;
    let chain = match (&settings.name, arguments.all) {
        (None, true) => None,
        _ => Some(settings.name()?.clone()),
    };
    let known = settings.node_key.is_some();
    let options = Options {
        identity: identity(&settings)?,
        listen,
        peers: peers.iter().copied().collect(),
        dialled,
        public: arguments.public,
        directory: settings.archive_directory.clone(),
        chain,
        all: arguments.all,
        limits: Limits { connections: arguments.connections, ..Limits::default() },
    };
    let stop = Stop::by_signal().map_err(ServeError::from)?;
    let node = Running::bind(&options, Arc::new(remark))?;
    if arguments.public && !context.quiet {
        remark("note: whoever reaches this node may read all of the archive");
    }
    if !known && !context.quiet {
        remark(
            "note: without `node.key` the peer id is a new one for this run; `greffe key generate --out greffe.node.pem` \
             makes one that stays",
        );
    }
    let listening = Listening {
        command: "node",
        peer_id: node.id().to_string(),
        addresses: node.addresses(),
        public: arguments.public,
        peers: peers.iter().map(ToString::to_string).collect(),
        chains: node.chains().into_iter().map(|(name, head)| Chain { name, head }).collect(),
    };
    tell(context, listening)?;
    node.run(&stop);
    Ok(Reply::silent(Exit::Done))
}

fn tell(context: &Context, listening: Listening) -> Result<(), CliError> {
    if context.json {
        let written = Reply::new(listening, |_, _| Ok(())).write(true);
        return written
            .map_err(|error| CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")));
    }
    let names: Vec<&str> = listening.chains.iter().map(|chain| chain.name.as_str()).collect();
    for address in &listening.addresses {
        remark(&format!("listening on {address} ({})", names.join(", ")));
    }
    Ok(())
}

/// Who may connect, and who of them is dialled.
fn named(texts: &[String]) -> Result<(BTreeSet<PeerId>, Vec<PeerAddress>), CliError> {
    let (mut peers, mut dialled) = (BTreeSet::new(), Vec::new());
    for text in texts {
        let refused = |error: String| {
            CliError::usage(format!("`--peer {}`: {error}", Clean(text)))
                .hint("write it like `12D3KooW…` or `/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…`")
        };
        if text.starts_with('/') {
            let address = PeerAddress::parse(text).map_err(|error| refused(error.to_string()))?;
            peers.insert(address.id);
            dialled.push(address);
        } else {
            let peer = text.parse::<PeerId>();
            peers.insert(peer.map_err(|_| refused("it is neither a peer id nor an address".to_owned()))?);
        }
    }
    Ok((peers, dialled))
}

impl From<NodeError> for CliError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Archive(error) => error.into(),
            NodeError::Listen { .. } => Self::new(Exit::Unfinished, error.to_string())
                .hint("choose another address with `--listen /ip4/127.0.0.1/tcp/PORT`"),
            NodeError::Run(_) | NodeError::Network(_) => Self::new(Exit::Unfinished, error.to_string()),
        }
    }
}
