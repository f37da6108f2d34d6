//! A replica: a place elsewhere that keeps every block of a chain's head.

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    Authorization, Cluster, Copy, Endpoint, EndpointError, Kubo, Origins, Patience, Pinning, RemoteError,
};
use crate::model::{ChainName, Cid, IpnsName};
use crate::store::{ArchiveError, WriteError};

/// What is to be brought to a replica.
pub struct Delivery<'a> {
    pub name: &'a ChainName,
    /// Manifest 0.
    pub root: Cid,
    /// What it shall keep, with all below it.
    pub head: Cid,
    /// The head that it was given before; let go once the new one is kept.
    pub previous: Option<Cid>,
    /// Older heads that it was told to keep without having all of them in time; let go like the one before.
    pub begun: &'a [Cid],
    /// The head that a replica in the file system named itself when it was judged. One that names another by now is not
    /// written to.
    pub judged: Option<Cid>,
    /// Whether damaged blocks are replaced, which may take their pins away for a moment.
    pub repairs: bool,
    /// Whether an earlier delivery was cut off: much of what it lacks may be there.
    pub resumes: bool,
    /// How many of the blocks, the first ones, were read back while it kept the head; grows as they are.
    pub confirmed: &'a Cell<u64>,
    /// What it lacks, each block once, every block after those that it links to; the head is last.
    pub blocks: &'a [Cid],
    /// In a repair, all blocks of the head in such an order.
    pub whole: &'a [Cid],
    /// How many bytes a block has, as far as that is known without reading it; else none.
    pub size: &'a dyn Fn(&Cid) -> usize,
    /// Reads a block, whose bytes are its CID's.
    pub read: &'a dyn Fn(&Cid) -> Result<Vec<u8>, ArchiveError>,
}

impl Delivery<'_> {
    /// The heads that it is to let go once the new one is kept.
    pub fn before(&self) -> impl Iterator<Item = &Cid> {
        self.previous.iter().chain(self.begun).filter(|before| **before != self.head)
    }
}

/// What a replica says of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It promises to keep the head and all below.
    Pinned,
    /// It is on its way there.
    Pending,
    /// The head's own block is there; nobody promises to keep it.
    Unpinned,
    Absent,
}

/// Why a replica did not take or tell what it should.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error(
        "the replica has a head that this archive does not know: it is ahead, or of another version; nothing there was \
         changed ({0}; bring its entries here with `greffe import` or `greffe mirror`, or restore the newer archive)"
    )]
    Ahead(Cid),
    #[error("it was here and is gone: is its disk mounted? `greffe replicas --repair` makes it anew")]
    Gone,
    #[error(
        "{} is there and cannot be read, so it is not written over; move it away, or `greffe replicas --repair` keeps it \
         as {} and makes it anew", path.display(), kept.display()
    )]
    Unreadable { path: PathBuf, kept: PathBuf },
    #[error("{0}; `greffe replicas --repair` keeps it under another name and makes it anew")]
    Damaged(ArchiveError),
    /// It was not looked at to its end.
    #[error(
        "it gave {seen} of {blocks} blocks within {deadline:?}; `--replication-deadline` gives it more time"
    )]
    Slow { seen: u64, blocks: u64, deadline: Duration },
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The archive that blocks come from, or the one that is the replica.
    #[error(transparent)]
    Archive(ArchiveError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What helps a replica that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// To ask it again.
    Time,
    /// A repair.
    Repair,
    /// Its disk, or else a repair.
    Mount,
    /// The entries that it has and the archive has not.
    Entries,
    /// Something has to be mended there, or in the settings.
    Attention,
}

impl ReplicaError {
    /// What helps.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Ahead(_) => Remedy::Entries,
            Self::Gone => Remedy::Mount,
            Self::Unreadable { .. } | Self::Damaged(_) | Self::Remote(RemoteError::Damaged(_)) => {
                Remedy::Repair
            }
            Self::Remote(
                RemoteError::Unauthorized | RemoteError::Held { .. } | RemoteError::Unsupported(_),
            ) => Remedy::Attention,
            _ => Remedy::Time,
        }
    }

    /// Whether the replica moved on while it was judged: an archive that is read anew may go on from what it has.
    #[must_use]
    pub const fn is_overtaken(&self) -> bool {
        matches!(self, Self::Ahead(_) | Self::Archive(ArchiveError::HeadMoved { .. }))
    }
}

impl From<ArchiveError> for ReplicaError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// A place that keeps heads.
///
/// Contract:
/// - [`Replica::deliver`] has put all blocks, keeps the head with everything below it, and has read every new
///   block back and hashed it, when it returns; only then is the head before let go. Cut off at any moment, the
///   head before or the new one is kept. Doing it again does no harm.
/// - What it costs grows with the blocks that it lacks, not with the chain. One that was cut off by time goes on the next
///   time where it was, so that it ends however little time it has, as long as one piece of it fits.
/// - [`Replica::get`] asks this place alone, and hashes what it gives.
///
/// A place that gives no blocks back ([`AnyReplica::gives_blocks`]) is believed where others are looked at: it says
/// itself that it keeps the head and has all below. A service that fetches by itself walks the chain for that each
/// time. A delivery that it is still at when time ends fails as [`RemoteError::Pending`]; it goes on with it, and the
/// next delivery finds that.
pub trait Replica {
    /// Brings blocks there and has the head kept.
    fn deliver(&self, delivery: &Delivery<'_>) -> impl Future<Output = Result<(), ReplicaError>>;

    /// What it says of a head.
    fn holding(&self, head: &Cid) -> impl Future<Output = Result<Holding, ReplicaError>>;

    /// A block from there; `None` when it is not there. Fails as unsupported where blocks cannot be read.
    fn get(&self, cid: &Cid) -> impl Future<Output = Result<Option<Vec<u8>>, ReplicaError>>;

    /// Whether it answers, and lets us in.
    fn answers(&self) -> impl Future<Output = Result<(), ReplicaError>>;
}

/// Where a replica is: the value of its `url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaUrl {
    /// A Kubo node's RPC interface.
    Kubo(Endpoint),
    /// The REST interface of an IPFS Cluster.
    Cluster(Endpoint),
    /// A service with the IPFS Pinning Service API.
    Pinning(Endpoint),
    /// A folder with another growing archive.
    Archive(PathBuf),
    /// A CARv1 file, written anew for each head.
    Car(PathBuf),
}

impl ReplicaUrl {
    /// Reads `kubo:URL`, `cluster:URL`, `pinning:URL`, `archive:FOLDER` or `car:FILE`; paths are relative to `base`.
    /// `insecure`: see [`Endpoint::parse`].
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(text: &str, base: &Path, insecure: bool) -> Result<Self, EndpointError> {
        let (kind, rest) = text.split_once(':').ok_or(EndpointError::NotUrl)?;
        let path = |rest: &str| {
            let sound = !rest.is_empty() && !rest.contains('\0');
            if sound { Ok(base.join(rest)) } else { Err(EndpointError::NotUrl) }
        };
        match kind {
            "kubo" => Endpoint::parse(rest, insecure).map(Self::Kubo),
            // Neither listens at a unix socket.
            "cluster" | "pinning" if rest.starts_with("unix:") => Err(EndpointError::Scheme),
            "cluster" => Endpoint::parse(rest, insecure).map(Self::Cluster),
            "pinning" => Endpoint::parse(rest, insecure).map(Self::Pinning),
            "archive" => path(rest).map(Self::Archive),
            "car" => path(rest).map(Self::Car),
            _ => Err(EndpointError::Scheme),
        }
    }
}

impl fmt::Display for ReplicaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubo(endpoint) => write!(f, "kubo:{endpoint}"),
            Self::Cluster(endpoint) => write!(f, "cluster:{endpoint}"),
            Self::Pinning(endpoint) => write!(f, "pinning:{endpoint}"),
            Self::Archive(path) => write!(f, "archive:{}", path.display()),
            Self::Car(path) => write!(f, "car:{}", path.display()),
        }
    }
}

/// A replica with what people call it.
pub struct NamedReplica {
    pub name: String,
    pub url: ReplicaUrl,
    pub replica: AnyReplica,
}

/// When replicas are brought what is new; those of one turn at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    First,
    /// Those that fetch by themselves, from those of the first turn.
    Fetching,
    /// Files: a disk that does not answer keeps this program from everything else.
    Files,
}

/// A replica of any kind.
pub enum AnyReplica {
    Copy(Box<Copy>),
    Kubo(Box<Kubo>),
    Cluster(Box<Cluster>),
    Pinning(Box<Pinning>),
}

impl AnyReplica {
    /// A replica at `url`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`].
    pub fn new(
        url: &ReplicaUrl,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        match url {
            ReplicaUrl::Kubo(endpoint) => {
                let kubo = Kubo::new(endpoint, authorization, patience)?;
                Ok(Self::Kubo(Box::new(kubo)))
            }
            ReplicaUrl::Cluster(endpoint) => {
                let cluster = Cluster::new(endpoint, authorization, patience)?;
                Ok(Self::Cluster(Box::new(cluster)))
            }
            ReplicaUrl::Pinning(endpoint) => {
                let service = Pinning::new(endpoint, authorization, patience)?;
                Ok(Self::Pinning(Box::new(service)))
            }
            ReplicaUrl::Archive(path) => Ok(Self::Copy(Box::new(Copy::archive(path.clone())))),
            ReplicaUrl::Car(path) => Ok(Self::Copy(Box::new(Copy::car(path.clone())))),
        }
    }

    /// Hands a signed IPNS record over; `None` where nobody takes names.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn put_name(&self, name: &IpnsName, record: &[u8]) -> Result<Option<()>, RemoteError> {
        match self {
            Self::Copy(_) | Self::Cluster(_) | Self::Pinning(_) => Ok(None),
            Self::Kubo(kubo) => kubo.put_name(&name.to_string(), record).await.map(Some),
        }
    }

    /// Whether every delivery has to name all blocks of the head.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        match self {
            Self::Copy(copy) => copy.takes_all(),
            Self::Kubo(_) | Self::Cluster(_) | Self::Pinning(_) => false,
        }
    }

    /// Whether it is in the file system.
    #[must_use]
    pub const fn is_copy(&self) -> bool {
        matches!(self, Self::Copy(_))
    }

    /// Whether a replica in the file system is not there.
    #[must_use]
    pub fn is_gone(&self, name: &ChainName) -> bool {
        match self {
            Self::Copy(copy) => copy.is_gone(name),
            Self::Kubo(_) | Self::Cluster(_) | Self::Pinning(_) => false,
        }
    }

    /// The head that a replica in the file system names itself; see [`Copy::own_head`].
    ///
    /// # Errors
    /// [`ReplicaError::Archive`], and [`ReplicaError::Damaged`].
    pub fn own_head(&self, name: &ChainName, root: &Cid) -> Result<Option<Cid>, ReplicaError> {
        match self {
            Self::Copy(copy) => copy.own_head(name, root),
            Self::Kubo(_) | Self::Cluster(_) | Self::Pinning(_) => Ok(None),
        }
    }

    /// Whether blocks can be read back, so that nothing has to be believed.
    #[must_use]
    pub const fn gives_blocks(&self) -> bool {
        matches!(self, Self::Copy(_) | Self::Kubo(_))
    }

    /// Whether it fetches blocks by itself, from where others have them already.
    #[must_use]
    pub const fn fetches(&self) -> bool {
        matches!(self, Self::Pinning(_))
    }

    /// When it is brought something, beside others.
    #[must_use]
    pub const fn turn(&self) -> Turn {
        match self {
            Self::Pinning(_) => Turn::Fetching,
            Self::Copy(_) => Turn::Files,
            _ => Turn::First,
        }
    }

    /// The node that it is, if it is one.
    #[must_use]
    pub fn into_kubo(self) -> Option<Kubo> {
        match self {
            Self::Kubo(kubo) => Some(*kubo),
            _ => None,
        }
    }

    /// Whether it can be given the chain's next head, as far as can be seen beforehand. `given`: it was given one.
    ///
    /// # Errors
    /// Why not.
    pub async fn is_ready(&self, name: &ChainName, given: bool) -> Result<(), ReplicaError> {
        match self {
            Self::Copy(copy) => copy.is_ready(name, given).await,
            Self::Kubo(_) | Self::Cluster(_) | Self::Pinning(_) => self.answers().await,
        }
    }

    /// Tells one that fetches where blocks are; others have no use for that.
    pub fn set_origins(&mut self, origins: Origins) {
        if let Self::Pinning(service) = self {
            service.set_origins(origins);
        }
    }
}

impl Replica for AnyReplica {
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        match self {
            Self::Copy(copy) => copy.deliver(delivery).await,
            Self::Kubo(kubo) => kubo.deliver(delivery).await,
            Self::Cluster(cluster) => cluster.deliver(delivery).await,
            Self::Pinning(service) => service.deliver(delivery).await,
        }
    }

    async fn holding(&self, head: &Cid) -> Result<Holding, ReplicaError> {
        match self {
            Self::Copy(copy) => copy.holding(head).await,
            Self::Kubo(kubo) => kubo.holding(head).await,
            Self::Cluster(cluster) => cluster.holding(head).await,
            Self::Pinning(service) => service.holding(head).await,
        }
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ReplicaError> {
        match self {
            Self::Copy(copy) => copy.get(cid).await,
            Self::Kubo(kubo) => Ok(kubo.get(cid).await?),
            Self::Cluster(cluster) => cluster.get(cid).await,
            Self::Pinning(service) => service.get(cid).await,
        }
    }

    async fn answers(&self) -> Result<(), ReplicaError> {
        match self {
            Self::Copy(copy) => copy.answers().await,
            Self::Kubo(kubo) => kubo.answers().await,
            Self::Cluster(cluster) => cluster.answers().await,
            Self::Pinning(service) => service.answers().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_named_by_its_kind_and_place() {
        let shown =
            |text: &str| ReplicaUrl::parse(text, Path::new("/base"), false).map(|url| url.to_string());
        assert_eq!(shown("kubo:http://127.0.0.1:5001").unwrap(), "kubo:http://127.0.0.1:5001");
        assert_eq!(shown("kubo:unix:/run/api.sock").unwrap(), "kubo:unix:/run/api.sock");
        assert_eq!(shown("kubo:https://pins.example.org/v1").unwrap(), "kubo:https://pins.example.org/v1");
        assert_eq!(shown("cluster:http://127.0.0.1:9094/").unwrap(), "cluster:http://127.0.0.1:9094");
        assert_eq!(
            shown("pinning:https://pins.example.org/v1").unwrap(),
            "pinning:https://pins.example.org/v1"
        );
        assert_eq!(shown("cluster:unix:/run/api.sock"), Err(EndpointError::Scheme));
        assert_eq!(shown("pinning:http://10.1.1.1:9097"), Err(EndpointError::Plain));
        assert_eq!(shown("archive:../copy").unwrap(), "archive:/base/../copy");
        assert_eq!(shown("car:/media/usb/a.car").unwrap(), "car:/media/usb/a.car");
        assert_eq!(shown("kubo:http://10.1.1.1:5001"), Err(EndpointError::Plain));
        assert_eq!(shown("http://127.0.0.1:5001"), Err(EndpointError::Scheme));
        assert_eq!(shown("kubo"), Err(EndpointError::NotUrl));
        assert_eq!(shown("archive:"), Err(EndpointError::NotUrl));
    }
}
