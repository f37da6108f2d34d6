//! Answers what a peer wants, a stream of its wants at a time: how much is read and kept for one peer is bounded by
//! what the peer takes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::swarm::Stream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::guests::Guest;
use super::{Limits, PeerId, Report};
use crate::model::Cid;
use crate::server::Shelf;
use crate::store::remote::RemoteError;
use crate::store::remote::bitswap::{Accepted, Reply, Want, read_body, read_length, write_message};

/// Answers in one message that a block is here, or is not.
const PRESENCES: usize = 1024;
/// Reports that are told once each; how many there are must not be for peers to say.
const REPORTS: usize = 1000;

/// What all peers are answered from.
pub struct Desk {
    shelf: Shelf,
    limits: Limits,
    readers: Semaphore,
    /// For messages that are large.
    large: Semaphore,
    report: Report,
    reported: Mutex<HashSet<String>>,
}

impl Desk {
    pub fn new(shelf: Shelf, limits: Limits, report: Report) -> Self {
        let readers = Semaphore::new(limits.readers);
        let large = Semaphore::new(Limits::LARGE.1);
        Self { shelf, limits, readers, large, report, reported: Mutex::default() }
    }

    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Says something to whoever runs the node, once.
    pub fn report(&self, text: &str) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < REPORTS && reported.insert(text.to_owned()) {
            (self.report)(text);
        }
    }

    /// The answer to the first wants, and how many those are. May wait for a disk.
    fn look(&self, wants: &[Want]) -> (Reply, usize) {
        let mut reply = Reply::default();
        let mut bytes = 0;
        for (index, want) in wants.iter().enumerate() {
            if bytes >= Limits::ANSWER || reply.presences.len() >= PRESENCES {
                return (reply, index);
            }
            if want.cancel {
                continue;
            }
            let here = match Cid::from_bytes(&want.cid) {
                Ok(cid) if want.block => match self.shelf.get(&cid) {
                    Ok(Some(found)) => {
                        bytes += found.bytes.len();
                        reply.blocks.push((cid, found.bytes));
                        continue;
                    }
                    Ok(None) => Ok(false),
                    Err(error) => Err(error),
                },
                Ok(cid) => self.shelf.contains(&cid),
                // No archive has a block with such a name.
                Err(_) => Ok(false),
            };
            let here = here.unwrap_or_else(|error| {
                self.report(&format!("error: {error}"));
                false
            });
            if here || want.tell_absence {
                reply.presences.push((want.cid.clone(), here));
            }
        }
        (reply, wants.len())
    }
}

/// Answers the wants that come by a stream, in their order; while the peer does not take the answers, no more wants
/// are read. Of all its streams one message at a time is in memory.
pub async fn answer(
    desk: Arc<Desk>,
    mut accepted: Accepted,
    replies: mpsc::Sender<Vec<u8>>,
    guest: Arc<Guest>,
) {
    let (peer, stall) = (accepted.peer, desk.limits.stall);
    let closed = |error: RemoteError| desk.report(&format!("note: {peer}: a stream was closed: {error}"));
    loop {
        let length = match read_length(&mut accepted.stream, Limits::REQUEST, stall).await {
            Ok(Some(length)) => length,
            Ok(None) => return,
            Err(error) => return closed(error),
        };
        let _turn = guest.turn.lock().await;
        let _large = if length > Limits::LARGE.0 {
            let Ok(Ok(permit)) = timeout(stall, desk.large.acquire()).await else {
                return closed(RemoteError::TimedOut(stall));
            };
            Some(permit)
        } else {
            None
        };
        let message = match read_body(&mut accepted.stream, length, stall).await {
            Ok(message) => message,
            Err(error) => return closed(error),
        };
        guest.touch();
        let wants = Arc::new(message.wants);
        let mut answered = 0;
        while answered < wants.len() {
            let Ok(permit) = desk.readers.acquire().await else { return };
            let (reading, list) = (Arc::clone(&desk), Arc::clone(&wants));
            let read = tokio::task::spawn_blocking(move || {
                let (reply, count) = reading.look(&list[answered..]);
                let is_empty = reply.blocks.is_empty() && reply.presences.is_empty();
                ((!is_empty).then(|| reply.encode()), count)
            });
            let Ok((reply, count)) = read.await else { return };
            drop(permit);
            answered += count;
            let Some(reply) = reply else { continue };
            if replies.send(reply).await.is_err() {
                return;
            }
        }
    }
}

/// Asks for a stream to a peer.
pub type Opening = (PeerId, oneshot::Sender<Stream>);

/// Sends answers to a peer by one stream, which is opened again when it fails; an answer that fails twice is lost, and
/// the peer asks again.
pub async fn send(
    limits: Limits,
    peer: PeerId,
    openings: mpsc::Sender<Opening>,
    mut replies: mpsc::Receiver<Vec<u8>>,
    guest: Arc<Guest>,
) {
    let mut stream = None;
    while let Some(reply) = replies.recv().await {
        for _ in 0..2 {
            if stream.is_none() {
                let (opening, opened) = oneshot::channel();
                if openings.send((peer, opening)).await.is_err() {
                    return;
                }
                stream = timeout(limits.stall, opened).await.ok().and_then(Result::ok);
            }
            let Some(open) = &mut stream else { continue };
            match write_message(open, &reply, limits.stall).await {
                Ok(()) => {
                    guest.touch();
                    break;
                }
                Err(_) => stream = None,
            }
        }
    }
}
