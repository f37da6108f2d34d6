//! What connects peers: identities, addresses, private networks, limits of connections.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use libp2p::allow_block_list::{AllowedPeers, Behaviour as AllowList};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::upgrade::Version;
use libp2p::futures::future::ready;
use libp2p::futures::{AsyncRead, AsyncWrite};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Multiaddr, PeerId, Swarm, Transport, identify, noise, swarm, tcp, yamux};

use super::super::RemoteError;
use super::bounded::Bounded;
use super::handshakes::Handshakes;
use super::streams::Streams;

/// How long the handshakes of a connection may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections from outside that are not yet known by name, above what handshakes may be: those that were given up are
/// among them until they are closed.
const PENDING: u32 = 512;
/// After so long without a stream, a connection that nobody keeps is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Streams of one connection whose protocol is not agreed on yet.
const NEGOTIATING: usize = 16;
/// Connections to one peer: both sides may dial at the same time.
const SAME_PEER: u32 = 4;

/// Who this is among peers, and the private network that it belongs to.
#[derive(Clone)]
pub struct Identity {
    key: Keypair,
    network: Option<PreSharedKey>,
}

/// The text of a `swarm.key` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a swarm key: three lines, the first of them `/key/swarm/psk/1.0.0/`, the second `/base16/`"
)]
pub struct NoSwarmKey;

impl Identity {
    /// The identity of an Ed25519 key's seed.
    #[must_use]
    pub fn of_seed(seed: &[u8; 32]) -> Option<Self> {
        let mut seed = zeroize::Zeroizing::new(*seed);
        Keypair::ed25519_from_bytes(&mut *seed).ok().map(|key| Self { key, network: None })
    }

    /// An identity that nobody knows yet.
    #[must_use]
    pub fn fresh() -> Self {
        Self { key: Keypair::generate_ed25519(), network: None }
    }

    /// In the private network of a `swarm.key`.
    ///
    /// # Errors
    /// [`NoSwarmKey`], which repeats nothing of the text.
    pub fn in_network(mut self, swarm_key: &str) -> Result<Self, NoSwarmKey> {
        self.network = Some(swarm_key.parse().map_err(|_| NoSwarmKey)?);
        Ok(self)
    }

    /// What others call it.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.key.public().to_peer_id()
    }
}

/// A peer at an address: `/ip4/…/tcp/…/p2p/ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Without the peer.
    pub address: Multiaddr,
    pub id: PeerId,
}

/// Why a text is not the address of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerAddressError {
    #[error("it is not a multiaddress such as `/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…`")]
    NotMultiaddress,
    #[error("it does not say which peer is there: add `/p2p/` and its peer id")]
    NoPeer,
    #[error("only `/ip4` and `/ip6` with `/tcp` are spoken here")]
    Transport,
}

impl PeerAddress {
    /// Reads the address of a peer.
    ///
    /// # Errors
    /// [`PeerAddressError`].
    pub fn parse(text: &str) -> Result<Self, PeerAddressError> {
        let mut address: Multiaddr = text.parse().map_err(|_| PeerAddressError::NotMultiaddress)?;
        let last = address.pop();
        match last {
            Some(Protocol::P2p(id)) => {
                parse_listen(&address.to_string())?;
                Ok(Self { address, id })
            }
            _ => Err(PeerAddressError::NoPeer),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/p2p/{}", self.address, self.id)
    }
}

/// Reads an address without a peer: `/ip4/127.0.0.1/tcp/4001`.
///
/// # Errors
/// [`PeerAddressError`].
pub fn parse_listen(text: &str) -> Result<Multiaddr, PeerAddressError> {
    let address: Multiaddr = text.parse().map_err(|_| PeerAddressError::NotMultiaddress)?;
    if socket_address(&address).is_none() {
        return Err(PeerAddressError::Transport);
    }
    Ok(address)
}

/// The address of a socket that is all that a multiaddress says.
#[must_use]
pub fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Some(Protocol::Tcp(port)) = parts.next() else { return None };
    parts.next().is_none().then_some((ip, port).into())
}

/// What is done on each connection.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    limits: connection_limits::Behaviour,
    allowed: Toggle<AllowList<AllowedPeers>>,
    identify: identify::Behaviour,
    pub streams: Streams,
}

/// Who may connect.
pub struct Admission<'a> {
    /// Nobody but these; `None` for anybody.
    pub peers: Option<&'a [PeerId]>,
    /// How many may be connected from outside at once.
    pub incoming: u32,
    /// Who an address stands for: nobody has all handshakes to themselves.
    pub owner: fn(IpAddr) -> IpAddr,
}

/// A swarm that neither listens nor dials yet. Has to be made within a runtime.
///
/// # Errors
/// [`RemoteError`], when the identity's key does not sign.
pub fn make_swarm(identity: &Identity, admission: &Admission<'_>) -> Result<Swarm<Behaviour>, RemoteError> {
    let transport = make_transport(identity, &Handshakes::new(admission.owner))?;
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING))
        .with_max_established_incoming(Some(admission.incoming))
        .with_max_established_per_peer(Some(SAME_PEER));
    let allowed = admission.peers.map(|peers| {
        let mut list = AllowList::<AllowedPeers>::default();
        for peer in peers {
            list.allow_peer(*peer);
        }
        list
    });
    let about = identify::Config::new("ipfs/0.1.0".to_owned(), identity.key.public())
        .with_agent_version(concat!("greffe/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_cache_size(0);
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        streams: Streams::new(allowed.is_some()),
        allowed: allowed.into(),
        identify: identify::Behaviour::new(about),
    };
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE)
        .with_max_negotiating_inbound_streams(NEGOTIATING);
    Ok(Swarm::new(transport, behaviour, identity.id(), config))
}

/// TCP, in the private network if there is one, then Noise and Yamux.
fn make_transport(
    identity: &Identity,
    handshakes: &Handshakes,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, RemoteError> {
    let noise = noise::Config::new(&identity.key).map_err(|error| RemoteError::Failed(error.to_string()))?;
    let plain = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let begun = handshakes.clone();
    let plain = plain.and_then(move |socket, point| ready(io::Result::Ok(begun.begin(socket, &point))));
    let secured = match identity.network {
        Some(key) => secure(plain.and_then(move |socket, _| PnetConfig::new(key).handshake(socket)), noise),
        None => secure(plain, noise),
    };
    let handshakes = handshakes.clone();
    let counted = secured.map(move |connection, point| {
        handshakes.end(&point);
        connection
    });
    Ok(counted.boxed())
}

fn secure<T>(base: T, noise: noise::Config) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::ListenerUpgrade: Send,
    T::Dial: Send,
{
    let upgraded = base.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux::Config::default());
    let bounded = upgraded.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(Bounded::new(muxer))));
    TransportTimeout::new(bounded, HANDSHAKE).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_where_and_who() {
        let id = Identity::fresh().id();
        let text = format!("/ip4/127.0.0.1/tcp/4001/p2p/{id}");
        let parsed = PeerAddress::parse(&text).unwrap();
        assert_eq!((parsed.to_string(), parsed.id), (text, id));
        for (text, error) in [
            ("", PeerAddressError::NoPeer),
            ("/ip4/127.0.0.1/tcp/4001", PeerAddressError::NoPeer),
            ("127.0.0.1:4001", PeerAddressError::NotMultiaddress),
            ("/ip4/127.0.0.1/tcp/4001/p2p/abc", PeerAddressError::NotMultiaddress),
        ] {
            assert_eq!(PeerAddress::parse(text), Err(error), "{text}");
        }
        for text in ["/dns4/example.org/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1/ws", ""]
        {
            let address = format!("{text}/p2p/{id}");
            assert_eq!(PeerAddress::parse(&address), Err(PeerAddressError::Transport), "{text}");
        }
        assert!(parse_listen("/ip6/::1/tcp/0").is_ok());
    }

    #[test]
    fn a_swarm_key_is_three_lines() {
        let key = format!("/key/swarm/psk/1.0.0/\n/base16/\n{}", "ab".repeat(32));
        assert!(Identity::fresh().in_network(&key).is_ok());
        for text in ["", "abc", "/key/swarm/psk/1.0.0/\n/base16/\nzz", &key.replace("base16", "base64")] {
            assert!(Identity::fresh().in_network(text).is_err(), "{text}");
        }
    }
}
