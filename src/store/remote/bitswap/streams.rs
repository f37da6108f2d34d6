//! Streams of Bitswap on the connections of a swarm: those that peers open are handed on, and one is opened when it
//! is asked for. What goes through them is for others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// Streams that a peer may have open on one connection.
const STREAMS: usize = 8;

/// Whoever wants a stream; without one, the sender is dropped.
type Opening = oneshot::Sender<Stream>;

/// A stream that a peer opened; it counts among those of its connection until it is dropped.
#[derive(Debug)]
pub struct Accepted {
    pub peer: PeerId,
    pub stream: Stream,
    _count: Arc<()>,
}

/// The streams of all connections.
pub struct Streams {
    keep: bool,
    queue: VecDeque<ToSwarm<Accepted, Opening>>,
}

impl Streams {
    /// `keep`: connections stay open without a stream.
    pub const fn new(keep: bool) -> Self {
        Self { keep, queue: VecDeque::new() }
    }

    /// Opens a stream to a peer. Without a connection to it, `opening` is dropped.
    pub fn open(&mut self, peer_id: PeerId, opening: Opening) {
        self.queue.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event: opening });
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler { peer, keep: self.keep, count: Arc::new(()), queue: VecDeque::new() }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Accepted;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, accepted: THandlerOutEvent<Self>) {
        self.queue.push_back(ToSwarm::GenerateEvent(accepted));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Accepted, THandlerInEvent<Self>>> {
        // The swarm polls again after each call that fills the queue.
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The streams of one connection.
pub struct Handler {
    peer: PeerId,
    keep: bool,
    /// Has as many copies as the peer has streams, and one more.
    count: Arc<()>,
    queue: VecDeque<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Opening, Accepted>>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Opening;
    type ToBehaviour = Accepted;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, ()> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep
    }

    fn on_behaviour_event(&mut self, opening: Opening) {
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), opening);
        self.queue.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Opening>,
    ) {
        match event {
            // One too many is reset.
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. })
                if Arc::strong_count(&self.count) <= STREAMS =>
            {
                let accepted = Accepted { peer: self.peer, stream, _count: Arc::clone(&self.count) };
                self.queue.push_back(ConnectionHandlerEvent::NotifyBehaviour(accepted));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: opening,
            }) => {
                // Who does not wait any longer has no use for it.
                opening.send(stream).ok();
            }
            _ => {}
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Opening, Accepted>> {
        // The connection polls again after each call that fills the queue.
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
