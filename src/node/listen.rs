//! Listens, dials, and ends: one thread for the connections, a few more that read files.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt as _;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ListenError, SwarmEvent};
use libp2p::{Multiaddr, Swarm};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::answer::{Desk, Opening, answer, send};
use super::dial::Dialled;
use super::guests::Guests;
use super::{Limits, NodeError, Options, PeerId, Report};
use crate::server::{Shelf, Stop, owner};
use crate::store::remote::bitswap::{Admission, Behaviour, BehaviourEvent, make_swarm};

/// How long the system may take to listen.
const OPENING: Duration = Duration::from_secs(5);
/// How long an address may be told after another.
const MORE: Duration = Duration::from_millis(20);
/// How often it is looked whether a peer is to be dialled.
const TICK: Duration = Duration::from_millis(250);
/// Answers that are ready for a peer and not sent.
const READY: usize = 1;
/// Streams that are asked for and not opened.
const OPENINGS: usize = 64;

/// A node that listens and does not yet answer.
pub struct Node {
    runtime: Runtime,
    swarm: Swarm<Behaviour>,
    desk: Arc<Desk>,
    dialled: Vec<Dialled>,
    limits: Limits,
    listeners: Vec<ListenerId>,
    addresses: Vec<Multiaddr>,
}

impl Node {
    /// Opens the archives and listens.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn bind(options: &Options, report: Report) -> Result<Self, NodeError> {
        let shelf = Shelf::open(&options.directory, options.chain.as_ref(), options.all)?;
        let limits = options.limits;
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().enable_time().max_blocking_threads(limits.readers).build()?;
        let mut peers = options.peers.clone();
        peers.extend(options.dialled.iter().map(|peer| peer.id));
        let admission = Admission {
            peers: (!options.public).then_some(&peers),
            // One too many is closed here, and some may be closing.
            incoming: limits.connections.saturating_mul(2),
            owner,
        };
        let entered = runtime.enter();
        let mut swarm = make_swarm(&options.identity, &admission)?;
        let mut listeners = Vec::new();
        for address in &options.listen {
            listeners.push(listen(&mut swarm, *address)?);
        }
        drop(entered);
        let dialled = options.dialled.iter().cloned().map(Dialled::new).collect();
        let desk = Arc::new(Desk::new(shelf, limits, report));
        let mut node = Self { runtime, swarm, desk, dialled, limits, listeners, addresses: Vec::new() };
        node.wait_for_addresses()?;
        Ok(node)
    }

    /// Waits until every listener has said where it is.
    fn wait_for_addresses(&mut self) -> Result<(), NodeError> {
        let (swarm, addresses, count) = (&mut self.swarm, &mut self.addresses, self.listeners.len());
        let id = *swarm.local_peer_id();
        let mut first = HashSet::new();
        let all = async {
            while first.len() < count {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { listener_id, address } => {
                        first.insert(listener_id);
                        addresses.push(address.with(Protocol::P2p(id)));
                    }
                    SwarmEvent::ListenerClosed { reason: Err(error), .. }
                    | SwarmEvent::ListenerError { error, .. } => return Err(NodeError::Run(error)),
                    _ => {}
                }
            }
            // An address that stands for all of this machine is told one by one.
            while let Ok(event) = timeout(MORE, swarm.select_next_some()).await {
                if let SwarmEvent::NewListenAddr { address, .. } = event {
                    addresses.push(address.with(Protocol::P2p(id)));
                }
            }
            Ok(())
        };
        let done = self.runtime.block_on(async { timeout(OPENING, all).await });
        done.unwrap_or_else(|_| Err(NodeError::Run(std::io::ErrorKind::TimedOut.into())))
    }

    /// What peers call it.
    #[must_use]
    pub fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Where it listens, each with its name.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.iter().map(ToString::to_string).collect()
    }

    /// Names and heads of the chains that are served.
    #[must_use]
    pub fn chains(&self) -> Vec<(String, String)> {
        let archives = self.desk.shelf().archives().into_iter();
        archives.map(|(name, archive)| (name.to_string(), archive.head().to_string())).collect()
    }

    /// Answers until it is stopped, and then as long as the grace lasts.
    pub fn run(self, stop: &Stop) {
        let Self { runtime, swarm, desk, dialled, limits, listeners, .. } = self;
        let (openings, asked) = mpsc::channel(OPENINGS);
        let desks = Desks {
            swarm,
            desk,
            dialled,
            limits,
            listeners,
            openings,
            asked,
            peers: HashMap::new(),
            guests: Guests::new(limits.connections),
            reading: JoinSet::new(),
            sending: JoinSet::new(),
        };
        runtime.block_on(desks.run(stop));
        runtime.shutdown_timeout(limits.grace);
    }
}

fn listen(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<ListenerId, NodeError> {
    let failed = |reason: String| NodeError::Listen { address, reason };
    // libp2p shares a port that another process of the same account listens at, which would get half of the peers.
    drop(TcpListener::bind(address).map_err(|error| failed(error.to_string()))?);
    let multiaddress = Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()));
    swarm.listen_on(multiaddress).map_err(|error| failed(error.to_string()))
}

/// What goes on while the node runs.
struct Desks {
    swarm: Swarm<Behaviour>,
    desk: Arc<Desk>,
    dialled: Vec<Dialled>,
    limits: Limits,
    listeners: Vec<ListenerId>,
    openings: mpsc::Sender<Opening>,
    asked: mpsc::Receiver<Opening>,
    /// Where answers go to each peer that asked for something.
    peers: HashMap<PeerId, mpsc::Sender<Vec<u8>>>,
    guests: Guests,
    reading: JoinSet<()>,
    sending: JoinSet<()>,
}

impl Desks {
    async fn run(mut self, stop: &Stop) {
        let mut ticks = interval(TICK);
        let mut end = None::<Instant>;
        loop {
            let stopping = end.is_some();
            tokio::select! {
                () = stop.wait(), if !stopping => {
                    end = Some(Instant::now() + self.limits.grace);
                    self.close();
                }
                Some((peer, opening)) = self.asked.recv() => {
                    self.swarm.behaviour_mut().streams.open(peer, opening);
                }
                event = self.swarm.select_next_some() => self.see(event),
                Some(_) = self.reading.join_next() => {}
                Some(_) = self.sending.join_next() => {}
                _ = ticks.tick() => if !stopping { self.dial() },
            }
            if end.is_some_and(|end| self.has_ended() || Instant::now() >= end) {
                return;
            }
        }
    }

    /// Takes no more connections and no more wants; answers that are made are sent.
    fn close(&mut self) {
        for listener in self.listeners.drain(..) {
            self.swarm.remove_listener(listener);
        }
        self.reading.abort_all();
        self.peers.clear();
    }

    /// Whether all answers are sent; then connections are closed, which takes what is on its way to the peers.
    fn has_ended(&mut self) -> bool {
        if !self.sending.is_empty() {
            return false;
        }
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in &connected {
            self.swarm.disconnect_peer_id(*peer).ok();
        }
        connected.is_empty()
    }

    fn dial(&mut self) {
        let now = Instant::now();
        for dialled in &mut self.dialled {
            if !dialled.take_due(now) {
                continue;
            }
            let id = dialled.at.id;
            if self.swarm.is_connected(&id) {
                continue;
            }
            let options = DialOpts::peer_id(id).addresses(vec![dialled.at.address.clone()]).build();
            if self.swarm.dial(options).is_err() {
                dialled.lost(&id);
            }
        }
    }

    fn see(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(accepted)) if !self.listeners.is_empty() => {
                let peer = accepted.peer;
                let guest = self.guests.of(peer);
                let replies = self.peers.entry(peer).or_insert_with(|| {
                    let (sender, receiver) = mpsc::channel(READY);
                    let sending =
                        send(self.limits, peer, self.openings.clone(), receiver, Arc::clone(&guest));
                    self.sending.spawn(sending);
                    sender
                });
                self.reading.spawn(answer(Arc::clone(&self.desk), accepted, replies.clone(), guest));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                if endpoint.is_listener()
                    && let Some(longest) = self.guests.enter(connection_id, peer_id)
                {
                    self.swarm.close_connection(longest);
                }
                self.dialled.iter_mut().for_each(|dialled| dialled.connected(&peer_id));
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                let all = num_established == 0;
                self.guests.leave(connection_id, &peer_id, all);
                if all {
                    self.peers.remove(&peer_id);
                    self.dialled.iter_mut().for_each(|dialled| dialled.lost(&peer_id));
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), .. } => {
                self.dialled.iter_mut().for_each(|dialled| dialled.lost(&peer));
            }
            SwarmEvent::IncomingConnectionError {
                peer_id: Some(peer),
                error: ListenError::Denied { .. },
                ..
            } => {
                self.desk
                    .report(&format!("note: {peer} was refused: it is not named, or too many are connected"));
            }
            _ => {}
        }
    }
}
