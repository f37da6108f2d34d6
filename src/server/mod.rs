//! Archives over HTTP, read only: a trustless gateway of IPFS, a tlog-tiles prefix and delegated routing; and what is told to
//! holders of tokens alone.
//!
//! What a client asks for is a CID, a tile or a name, and never becomes the path of a file; what it is given was
//! hashed before. No rules about chains here: whoever fetches verifies.

mod answer;
mod api;
mod bucket;
mod car;
mod connection;
mod entry;
mod gateway;
mod guard;
mod host;
mod journal;
mod listen;
mod log;
mod noted;
mod openapi;
mod paced;
mod places;
mod routing;
mod shares;
mod shelf;
mod site;
mod table;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use api::Sources;
pub use journal::Addresses;
pub use listen::{Listener, Server, Stop};
pub use noted::Record;
pub use openapi::document;
pub use shares::owner;
pub use shelf::{Found, Shelf};

use crate::model::ChainName;
use crate::ops::tokens::TokenFile;
use crate::store::{ArchiveError, RotatingLines};

/// What is served, where, and to how many at once.
pub struct Options {
    pub listen: SocketAddr,
    /// Folder of archives.
    pub directory: PathBuf,
    /// The chain whose tiles are at `/log/`.
    pub chain: Option<ChainName>,
    /// Whether the folder's other archives are served too.
    pub all: bool,
    /// Whether all requests come from the address of a proxy, which shares among clients itself.
    pub behind_proxy: bool,
    /// Multiaddresses that delegated routing names; without one, where the server listens.
    pub announce: Vec<String>,
    pub limits: Limits,
    /// Whether other machines can reach it.
    pub public: bool,
    pub tokens: TokenFile,
    /// Whether everything needs a token.
    pub require_token: bool,
    /// Where answers are written down, and how much of addresses.
    pub journal: Option<(RotatingLines, Addresses)>,
    /// What records answers to holders of tokens in the access chain, and how often at most; without it they get none.
    pub record: Option<(Record, Duration)>,
    /// What holders of tokens are told of.
    pub api: Option<Sources>,
}

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests of one address each second; 0 for any number.
    pub rate: u32,
    /// Connections at once. One more takes the place of whoever has kept a request waiting the longest.
    pub connections: usize,
    /// CAR streams at once.
    pub streams: usize,
    /// Threads that read files at once.
    pub readers: usize,
    /// How long a connection may take to send a request, the time between two of them included.
    pub request: Duration,
    /// How long a client may read nothing, and how far it may fall behind [`Limits::SLOWEST`].
    pub stall: Duration,
    /// How long answers may take that have begun when the server is stopped.
    pub grace: Duration,
}

impl Limits {
    /// Bytes of a request's line and headers.
    pub const HEADERS: usize = 16 << 10;
    /// Bytes each second that a client has to read.
    pub const SLOWEST: u32 = 16 << 10;
    /// Bytes that the system keeps for a client that does not read, about twice. What is taken of more shows too late and
    /// in steps too large to tell who reads slowly from who does not read.
    pub const UNSENT: u32 = 128 << 10;

    /// The CAR streams that one address may take.
    #[must_use]
    pub const fn streams_each(&self) -> usize {
        share(self.streams, 1)
    }

    /// The connections that one address may take.
    #[must_use]
    pub const fn connections_each(&self) -> usize {
        share(self.connections, 8)
    }
}

/// A quarter, or as many as one client needs.
const fn share(all: usize, least: usize) -> usize {
    if all / 4 > least {
        all / 4
    } else if all < least {
        all
    } else {
        least
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: 1000,
            connections: 512,
            streams: 16,
            readers: 8,
            request: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{} has lost its end: its head file names a head that it does not hold", path.display())]
    EndLost { path: PathBuf },
    #[error("there is no archive in {}", directory.display())]
    NoArchive { directory: PathBuf },
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the server cannot run")]
    Run(#[from] io::Error),
}
