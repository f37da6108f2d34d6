//! The connections from outside. When there is one too many, that of the peer who did nothing for the longest ends:
//! those who only hold their connections shut out nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

/// What goes on with one peer.
pub struct Guest {
    /// One message of a peer is read and answered at a time.
    pub turn: tokio::sync::Mutex<()>,
    /// When a message of it had come, or it had taken an answer.
    last: Mutex<Instant>,
}

impl Guest {
    fn new() -> Self {
        Self { turn: tokio::sync::Mutex::default(), last: Mutex::new(Instant::now()) }
    }

    /// Notes that the peer did something.
    pub fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All peers that are connected.
pub struct Guests {
    limit: usize,
    /// Those from outside.
    connections: HashMap<ConnectionId, (PeerId, Instant)>,
    peers: HashMap<PeerId, Arc<Guest>>,
}

impl Guests {
    pub fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, connections: HashMap::new(), peers: HashMap::new() }
    }

    pub fn of(&mut self, peer: PeerId) -> Arc<Guest> {
        Arc::clone(self.peers.entry(peer).or_insert_with(|| Arc::new(Guest::new())))
    }

    /// Takes a connection from outside up; the one that has to end for it.
    pub fn enter(&mut self, connection: ConnectionId, peer: PeerId) -> Option<ConnectionId> {
        self.connections.insert(connection, (peer, Instant::now()));
        if self.connections.len() <= self.limit {
            return None;
        }
        let last = |(id, (peer, since)): (&ConnectionId, &(PeerId, Instant))| {
            (self.peers.get(peer).map_or(*since, |guest| guest.last().max(*since)), *id)
        };
        let (_, longest) = self.connections.iter().map(last).min()?;
        self.connections.remove(&longest);
        Some(longest)
    }

    /// Notes that a connection ended, `all`: the last one to this peer.
    pub fn leave(&mut self, connection: ConnectionId, peer: &PeerId, all: bool) {
        self.connections.remove(&connection);
        if all {
            self.peers.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::remote::bitswap::Identity;

    #[tokio::test(start_paused = true)]
    async fn who_did_nothing_for_the_longest_leaves() {
        let mut guests = Guests::new(2);
        let [first, second, third] = [(); 3].map(|()| Identity::fresh().id());
        let id = ConnectionId::new_unchecked;
        assert_eq!(guests.enter(id(1), first), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(guests.enter(id(2), second), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        guests.of(first).touch();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(guests.enter(id(3), third), Some(id(2)));
        guests.leave(id(2), &second, true);
        guests.leave(id(1), &first, true);
        assert_eq!(guests.enter(id(4), second), None);
        assert_eq!(guests.peers.len(), 0);
    }
}
