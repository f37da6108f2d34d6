//! Archives over Bitswap, read only, for peers that are named.
//!
//! What a peer asks for is a CID and nothing else; what it is given was hashed before. Whoever is not named is sent
//! away as soon as the handshake says who it is. No rules about chains here: whoever fetches verifies.

mod answer;
mod dial;
mod guests;
mod listen;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use listen::Node;

use crate::model::ChainName;
use crate::server::ServeError;
use crate::store::remote::RemoteError;
use crate::store::remote::bitswap::{Identity, PeerAddress};

/// The name of a peer: its key's.
pub use libp2p::PeerId;

/// Says something to whoever runs the node.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// What is served, where, and to whom.
pub struct Options {
    pub identity: Identity,
    /// Where the node listens; port 0 takes any that is free.
    pub listen: Vec<SocketAddr>,
    /// Who may connect.
    pub peers: Vec<PeerId>,
    /// Peers that are dialled, and dialled again when the connection is lost. They may connect as well.
    pub dialled: Vec<PeerAddress>,
    /// Whether anybody may connect.
    pub public: bool,
    /// Folder of archives.
    pub directory: PathBuf,
    /// The chain that is served.
    pub chain: Option<ChainName>,
    /// Whether the folder's other archives are served too.
    pub all: bool,
    pub limits: Limits,
}

/// What peers may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections from outside at once. One more takes the place of whoever did nothing for the longest.
    pub connections: u32,
    /// Threads that read files at once.
    pub readers: usize,
    /// How long a piece of a message may take, to come or to be taken.
    pub stall: Duration,
    /// How long answers may take that have begun when the node is stopped.
    pub grace: Duration,
}

impl Limits {
    /// Bytes of a message that a peer sends: a list of what it wants.
    pub const REQUEST: usize = 2 << 20;
    /// Bytes of a message above which it is large, and how many large ones are in memory at once.
    pub const LARGE: (usize, usize) = (64 << 10, 16);
    /// Bytes of blocks in an answer, after which it is sent; one block may be more.
    pub const ANSWER: usize = 512 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, readers: 4, stall: Duration::from_secs(20), grace: Duration::from_secs(5) }
    }
}

/// Why there is no node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Archive(#[from] ServeError),
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: SocketAddr, reason: String },
    #[error("the node cannot run: {0}")]
    Run(#[from] std::io::Error),
    #[error("the node cannot run: {0}")]
    Network(#[from] RemoteError),
}
