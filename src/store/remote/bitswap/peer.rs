//! A peer that is asked for blocks. One thread of its own speaks to it; whoever asks waits for an answer and no longer
//! than the patience lasts.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libp2p::futures::StreamExt as _;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{PeerId, Swarm};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::error::printable;
use super::super::{Patience, RemoteError};
use super::network::{Admission, Behaviour, BehaviourEvent, Identity, PeerAddress, make_swarm};
use super::streams::Accepted;
use super::wire::{MESSAGE_LIMIT, Message, encode_wants, read_message, write_message};
use crate::model::Cid;

/// Blocks that were asked for lately: they may still come, or come twice.
const LATELY: usize = 4096;
/// How many blocks may come that were asked for and are no longer wanted, beside as many as were of use.
const SURPLUS: u64 = 64;
/// How long it takes at most until the end of a connection shows.
const CLOSING: Duration = Duration::from_millis(500);
/// After so long without a message, all that is still wanted is asked for once more, and again after twice as long: of
/// a Kubo with much to do, an answer is lost now and then.
const SILENCE: Duration = Duration::from_secs(1);
/// Wants of one message.
const BATCH: usize = 512;
/// Messages that were read and are not looked at yet.
const UNSEEN: usize = 2;

/// A peer; it is dialled when a block is asked for.
pub struct Peer {
    address: PeerAddress,
    identity: Identity,
    patience: Patience,
    orders: Mutex<Option<mpsc::UnboundedSender<Order>>>,
}

type Answer = Result<Option<Vec<u8>>, RemoteError>;

enum Order {
    Want {
        cid: Cid,
        asker: u64,
        answer: oneshot::Sender<Answer>,
    },
    /// Nobody waits any longer.
    Forget {
        cid: Cid,
        asker: u64,
    },
}

impl Peer {
    /// The peer at an address, for whom this is `identity`. Nothing is asked of it yet.
    #[must_use]
    pub const fn new(address: PeerAddress, identity: Identity, patience: Patience) -> Self {
        Self { address, identity, patience, orders: Mutex::new(None) }
    }

    /// A block, hashed; `None` when the peer says that it has not got it.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn block(&self, cid: &Cid) -> Answer {
        let (answer, answered) = oneshot::channel();
        let asking = self.ask(*cid, answer)?;
        let limit = self.patience.request;
        let answered = timeout(limit, answered).await.map_err(|_| RemoteError::TimedOut(limit));
        drop(asking);
        answered?.unwrap_or_else(|_| Err(RemoteError::Unreachable("the connection ended".to_owned())))
    }

    fn ask(&self, cid: Cid, answer: oneshot::Sender<Answer>) -> Result<Asking, RemoteError> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match orders.as_ref().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender.clone(),
            None => orders.insert(self.start()?).clone(),
        };
        let mut number = [0; 8];
        crate::crypto::fill_random(&mut number);
        let asker = u64::from_le_bytes(number);
        // Where nobody takes it, the answer's end is dropped, and that is an answer.
        sender.send(Order::Want { cid, asker, answer }).ok();
        Ok(Asking { cid, asker, orders: sender })
    }

    fn start(&self) -> Result<mpsc::UnboundedSender<Order>, RemoteError> {
        let (sender, orders) = mpsc::unbounded_channel();
        let (address, identity, patience) = (self.address.clone(), self.identity.clone(), self.patience);
        let failed = |error: std::io::Error| RemoteError::Failed(error.to_string());
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().enable_time().build().map_err(failed)?;
        let work = move || {
            runtime.block_on(async {
                let admission =
                    Admission { peers: Some(&[address.id]), incoming: 4, owner: |address| address };
                if let Ok(swarm) = make_swarm(&identity, &admission) {
                    Session::new(swarm, address, patience.request).run(orders).await;
                }
            });
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("peer".to_owned()).spawn(work).map_err(failed)?;
        Ok(sender)
    }
}

/// Takes the question back when it is dropped.
struct Asking {
    cid: Cid,
    asker: u64,
    orders: mpsc::UnboundedSender<Order>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.orders.send(Order::Forget { cid: self.cid, asker: self.asker }).ok();
    }
}

enum Link {
    Down,
    Dialling,
    /// With what the peer is to be told next.
    Up(mpsc::UnboundedSender<Say>),
}

enum Say {
    /// This block is wanted, or with `true` no longer.
    Also(Cid, bool),
    /// These are wanted, and no others.
    All(Vec<Cid>),
}

/// All that goes on with the peer.
struct Session {
    swarm: Swarm<Behaviour>,
    address: PeerAddress,
    patience: Duration,
    link: Link,
    /// Who waits for which block.
    pending: HashMap<Cid, Vec<(u64, oneshot::Sender<Answer>)>>,
    lately: Lately,
    useful: u64,
    surplus: u64,
    /// When all is asked for again, and how long the silence before that is.
    again: (Instant, Duration),
    /// Reads and writes streams; each ends with what went wrong.
    streams: JoinSet<Option<RemoteError>>,
    messages: (mpsc::Sender<Message>, mpsc::Receiver<Message>),
}

impl Session {
    fn new(swarm: Swarm<Behaviour>, address: PeerAddress, patience: Duration) -> Self {
        Self {
            swarm,
            address,
            patience,
            link: Link::Down,
            pending: HashMap::new(),
            lately: Lately::default(),
            useful: 0,
            surplus: 0,
            again: (Instant::now(), SILENCE),
            streams: JoinSet::new(),
            messages: mpsc::channel(UNSEEN),
        }
    }

    /// Goes on until nobody is left who could ask.
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.follow(order),
                    None => return,
                },
                Some(message) = self.messages.1.recv() => self.take(message),
                Some(ended) = self.streams.join_next() => {
                    if let Ok(Some(error)) = ended {
                        self.give_up(&error);
                    }
                }
                event = self.swarm.select_next_some() => self.see(event),
                () = sleep_until(self.again.0), if self.waits() => self.ask_again(),
            }
        }
    }

    fn waits(&self) -> bool {
        matches!(self.link, Link::Up(_)) && !self.pending.is_empty()
    }

    fn ask_again(&mut self) {
        if let Link::Up(says) = &self.link {
            says.send(Say::All(self.pending.keys().copied().collect())).ok();
        }
        let pause = self.again.1 * 2;
        self.again = (Instant::now() + pause, pause);
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Want { cid, asker, answer } => {
                let waiting = self.pending.entry(cid).or_default();
                waiting.push((asker, answer));
                let first = waiting.len() == 1;
                if self.pending.len() == 1 {
                    self.again = (Instant::now() + SILENCE, SILENCE);
                }
                match &self.link {
                    Link::Up(says) if first => _ = says.send(Say::Also(cid, false)),
                    Link::Down => self.dial(),
                    _ => {}
                }
            }
            Order::Forget { cid, asker } => {
                let Some(waiting) = self.pending.get_mut(&cid) else { return };
                waiting.retain(|(other, _)| *other != asker);
                if waiting.is_empty() {
                    self.pending.remove(&cid);
                    self.lately.note(cid);
                    if let Link::Up(says) = &self.link {
                        says.send(Say::Also(cid, true)).ok();
                    }
                }
            }
        }
    }

    fn dial(&mut self) {
        let PeerAddress { address, id } = self.address.clone();
        self.link = Link::Dialling;
        // A connection that was given up may still be closing.
        let condition = PeerCondition::NotDialing;
        let options = DialOpts::peer_id(id).addresses(vec![address]).condition(condition).build();
        if let Err(error) = self.swarm.dial(options) {
            self.give_up(&explain(&error));
        }
    }

    fn see(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.connected(peer_id),
            SwarmEvent::OutgoingConnectionError { error, .. } => self.give_up(&explain(&error)),
            SwarmEvent::ConnectionClosed { num_established: 0, .. } if matches!(self.link, Link::Up(_)) => {
                let text = format!(
                    "the connection was closed; where peers have to be named, this is {}",
                    self.swarm.local_peer_id()
                );
                self.give_up(&RemoteError::Unreachable(text));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(accepted)) => {
                let (messages, patience) = (self.messages.0.clone(), self.patience);
                self.streams.spawn(read(accepted, messages, patience));
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId) {
        if matches!(self.link, Link::Up(_)) {
            return;
        }
        let (opening, stream) = oneshot::channel();
        self.swarm.behaviour_mut().streams.open(peer, opening);
        let (sender, mut says) = mpsc::unbounded_channel();
        sender.send(Say::All(self.pending.keys().copied().collect())).ok();
        self.link = Link::Up(sender);
        self.again = (Instant::now() + SILENCE, SILENCE);
        let patience = self.patience;
        self.streams.spawn(async move {
            let mut stream = match timeout(patience, stream).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) => {
                    // Of a connection that ends, the swarm says so next, and that is the reason.
                    sleep(CLOSING).await;
                    return Some(RemoteError::Failed("it opens no stream for Bitswap 1.2".to_owned()));
                }
                Err(_) => return Some(RemoteError::TimedOut(patience)),
            };
            let mut batch = Vec::new();
            while says.recv_many(&mut batch, BATCH).await > 0 {
                let (mut wants, mut all) = (Vec::new(), false);
                for say in batch.drain(..) {
                    match say {
                        Say::Also(cid, cancel) => wants.push((cid, cancel)),
                        Say::All(cids) => {
                            all = true;
                            wants = cids.into_iter().map(|cid| (cid, false)).collect();
                        }
                    }
                }
                let bytes = encode_wants(&wants, all);
                if let Err(error) = write_message(&mut stream, &bytes, patience).await {
                    return Some(error);
                }
            }
            None
        });
    }

    fn take(&mut self, message: Message) {
        self.again = (Instant::now() + SILENCE, SILENCE);
        for (cid, bytes) in message.blocks {
            let waiting = cid.and_then(|cid| Some((cid, self.pending.remove(&cid)?)));
            let Some((cid, waiting)) = waiting else {
                self.surplus += 1;
                if cid.is_none_or(|cid| !self.lately.holds(&cid)) || self.surplus > self.useful + SURPLUS {
                    let text = "blocks came that were not asked for";
                    return self.give_up(&RemoteError::Malformed(text.to_owned()));
                }
                continue;
            };
            self.useful += 1;
            self.lately.note(cid);
            for (_, answer) in waiting {
                answer.send(Ok(Some(bytes.clone()))).ok();
            }
        }
        for (cid, here) in message.presences {
            let Ok(cid) = Cid::from_bytes(&cid) else { continue };
            if here {
                continue;
            }
            for (_, answer) in self.pending.remove(&cid).into_iter().flatten() {
                answer.send(Ok(None)).ok();
            }
        }
    }

    /// Ends the connection, and tells everyone who waits why.
    fn give_up(&mut self, error: &RemoteError) {
        self.link = Link::Down;
        self.streams = JoinSet::new();
        self.messages = mpsc::channel(UNSEEN);
        self.swarm.disconnect_peer_id(self.address.id).ok();
        for (cid, waiting) in self.pending.drain() {
            self.lately.note(cid);
            for (_, answer) in waiting {
                answer.send(Err(error.clone())).ok();
            }
        }
    }
}

/// Reads what comes by one stream.
async fn read(
    mut accepted: Accepted,
    messages: mpsc::Sender<Message>,
    patience: Duration,
) -> Option<RemoteError> {
    loop {
        match read_message(&mut accepted.stream, MESSAGE_LIMIT, patience).await {
            Ok(Some(message)) => messages.send(message).await.ok()?,
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

/// What a failure to connect says to people.
fn explain(error: &DialError) -> RemoteError {
    match error {
        DialError::WrongPeerId { obtained, .. } => {
            RemoteError::Failed(format!("another peer is there, {obtained}"))
        }
        DialError::LocalPeerId { .. } => RemoteError::Failed("that is this peer itself".to_owned()),
        DialError::Transport(causes) => {
            let mut causes = causes.iter().map(|(_, error)| {
                let mut cause: &dyn std::error::Error = error;
                while let Some(source) = cause.source() {
                    cause = source;
                }
                cause.to_string()
            });
            let text = causes.next().unwrap_or_default();
            RemoteError::Unreachable(printable(text.as_bytes()))
        }
        other => RemoteError::Unreachable(printable(other.to_string().as_bytes())),
    }
}

/// What was asked for lately.
#[derive(Default)]
struct Lately {
    known: HashSet<Cid>,
    order: VecDeque<Cid>,
}

impl Lately {
    fn note(&mut self, cid: Cid) {
        if self.known.insert(cid) {
            self.order.push_back(cid);
        }
        if self.order.len() > LATELY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn holds(&self, cid: &Cid) -> bool {
        self.known.contains(cid)
    }
}
