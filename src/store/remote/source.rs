//! Where blocks can be asked for: a gateway, a replica of any kind, or a peer.

use std::fmt;
use std::path::Path;

#[cfg(feature = "bitswap")]
use super::bitswap::{Identity, Peer, PeerAddress};
use super::gateway::{CarStream, Gateway};
use super::{
    AnyReplica, Endpoint, EndpointError, NamedReplica, Patience, RemoteError, Replica as _, ReplicaError,
    ReplicaUrl,
};
use crate::model::Cid;

/// A place that is asked for blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceUrl {
    /// A trustless gateway.
    Gateway(Endpoint),
    /// What a replica's `url` is, such as `kubo:http://127.0.0.1:5001`.
    Replica(ReplicaUrl),
    /// A peer that speaks Bitswap, such as `/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…`.
    #[cfg(feature = "bitswap")]
    Peer(PeerAddress),
}

impl SourceUrl {
    /// Reads `https://…` or `http://…` of a gateway, the address of a peer, or the URL of a replica; paths are
    /// relative to `base`. `insecure`: see [`Endpoint::parse`].
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(text: &str, base: &Path, insecure: bool) -> Result<Self, EndpointError> {
        if text.starts_with("https:") || text.starts_with("http:") {
            return Endpoint::parse(text, insecure).map(Self::Gateway);
        }
        if text.starts_with('/') {
            #[cfg(feature = "bitswap")]
            return Ok(Self::Peer(PeerAddress::parse(text)?));
            #[cfg(not(feature = "bitswap"))]
            return Err(EndpointError::NoBitswap);
        }
        ReplicaUrl::parse(text, base, insecure).map(Self::Replica)
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(endpoint) => endpoint.fmt(f),
            Self::Replica(url) => url.fmt(f),
            #[cfg(feature = "bitswap")]
            Self::Peer(address) => address.fmt(f),
        }
    }
}

/// A source with what people call it.
pub struct NamedSource {
    pub name: String,
    pub url: String,
    source: Source,
}

enum Source {
    Gateway(Gateway),
    Replica(AnyReplica),
    #[cfg(feature = "bitswap")]
    Peer(Box<Peer>),
}

impl NamedSource {
    /// The source at `url`, which is also its name. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`].
    pub fn new(url: &SourceUrl, patience: Patience) -> Result<Self, RemoteError> {
        let source = match url {
            SourceUrl::Gateway(Endpoint::Url(base)) => Source::Gateway(Gateway::new(base.clone(), patience)?),
            SourceUrl::Gateway(Endpoint::Unix(_)) => {
                return Err(RemoteError::Unsupported("a gateway is not reached by a unix socket"));
            }
            SourceUrl::Replica(url) => Source::Replica(AnyReplica::new(url, None, patience)?),
            #[cfg(feature = "bitswap")]
            SourceUrl::Peer(address) => return Ok(Self::peer(address, Identity::fresh(), patience)),
        };
        Ok(Self { name: url.to_string(), url: url.to_string(), source })
    }

    /// The peer at an address, to whom this is `identity`. Nothing is asked of it yet.
    #[cfg(feature = "bitswap")]
    #[must_use]
    pub fn peer(address: &PeerAddress, identity: Identity, patience: Patience) -> Self {
        let source = Source::Peer(Box::new(Peer::new(address.clone(), identity, patience)));
        Self { name: address.to_string(), url: address.to_string(), source }
    }

    /// Whether it may have all blocks below one at once.
    #[must_use]
    pub const fn makes_cars(&self) -> bool {
        matches!(self.source, Source::Gateway(_))
    }

    /// A block, hashed; `None` when it is not there. Asked once.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, RemoteError> {
        match &self.source {
            Source::Gateway(gateway) => gateway.block(cid).await,
            Source::Replica(replica) => replica.get(cid).await.map_err(remote),
            #[cfg(feature = "bitswap")]
            Source::Peer(peer) => peer.block(cid).await,
        }
    }

    /// All blocks below one; `None` where there is no such thing.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn car(&self, cid: &Cid) -> Result<Option<CarStream>, RemoteError> {
        match &self.source {
            Source::Gateway(gateway) => gateway.car(cid).await,
            Source::Replica(_) => Ok(None),
            #[cfg(feature = "bitswap")]
            Source::Peer(_) => Ok(None),
        }
    }
}

impl From<NamedReplica> for NamedSource {
    fn from(replica: NamedReplica) -> Self {
        let NamedReplica { name, url, replica } = replica;
        Self { name, url: url.to_string(), source: Source::Replica(replica) }
    }
}

fn remote(error: ReplicaError) -> RemoteError {
    match error {
        ReplicaError::Remote(error) => error,
        other => RemoteError::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "bitswap"))]
    #[test]
    fn a_peer_is_no_source_of_this_build() {
        let refused = SourceUrl::parse("/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW", Path::new(""), false);
        assert_eq!(refused, Err(EndpointError::NoBitswap));
        assert!(EndpointError::NoBitswap.to_string().contains("cargo install --path . --features bitswap"));
    }

    #[test]
    fn a_source_is_a_gateway_or_a_replica() {
        let shown = |text: &str, insecure| {
            SourceUrl::parse(text, Path::new("/base"), insecure).map(|url| url.to_string())
        };
        assert_eq!(shown("https://ipfs.example.org/", false).unwrap(), "https://ipfs.example.org");
        assert_eq!(shown("kubo:http://127.0.0.1:5001", false).unwrap(), "kubo:http://127.0.0.1:5001");
        assert_eq!(shown("archive:copy", false).unwrap(), "archive:/base/copy");
        assert_eq!(shown("http://10.0.0.1:8080", false), Err(EndpointError::Plain));
        assert_eq!(shown("http://10.0.0.1:8080", true).unwrap(), "http://10.0.0.1:8080");
        for text in ["ipfs.example.org", "ftp://example.org", "https://a:b@example.org", ""] {
            assert!(shown(text, true).is_err(), "{text}");
        }
    }
}
