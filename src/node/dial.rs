//! Peers that are dialled, and when: again after each loss, with pauses that grow and differ by chance.

use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use crate::crypto::fill_random;
use crate::store::remote::bitswap::PeerAddress;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A peer to be connected with.
pub struct Dialled {
    pub at: PeerAddress,
    pause: Duration,
    next: Option<Instant>,
}

impl Dialled {
    /// Due at once.
    pub fn new(at: PeerAddress) -> Self {
        Self { at, pause: FIRST_PAUSE, next: Some(Instant::now()) }
    }

    /// Whether it is to be dialled now.
    pub fn take_due(&mut self, now: Instant) -> bool {
        self.next.take_if(|next| *next <= now).is_some()
    }

    /// Notes that there is a connection.
    pub fn connected(&mut self, peer: &PeerId) {
        if self.at.id == *peer {
            self.pause = FIRST_PAUSE;
            self.next = None;
        }
    }

    /// Notes that there is none, or none any more.
    pub fn lost(&mut self, peer: &PeerId) {
        if self.at.id == *peer {
            let mut random = [0; 4];
            fill_random(&mut random);
            let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
            self.next = Some(Instant::now() + self.pause / 2 + (self.pause / 2).mul_f64(share));
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::remote::bitswap::Identity;

    #[test]
    fn pauses_grow_until_there_is_a_connection() {
        let id = Identity::fresh().id();
        let at = PeerAddress::parse(&format!("/ip4/127.0.0.1/tcp/1/p2p/{id}")).unwrap();
        let mut dialled = Dialled::new(at);
        let mut now = Instant::now();
        assert!(dialled.take_due(now) && !dialled.take_due(now));
        let mut pauses = Vec::new();
        for _ in 0..10 {
            dialled.lost(&id);
            let next = dialled.next.unwrap();
            pauses.push(next.duration_since(Instant::now()));
            now = now.max(next);
            assert!(dialled.take_due(now));
        }
        assert!(pauses[0] <= FIRST_PAUSE && pauses[9] > LONGEST_PAUSE / 3 && pauses[9] <= LONGEST_PAUSE);
        dialled.lost(&Identity::fresh().id());
        assert!(dialled.next.is_none());
        dialled.lost(&id);
        dialled.connected(&id);
        assert!(!dialled.take_due(now + LONGEST_PAUSE) && dialled.pause == FIRST_PAUSE);
    }
}
