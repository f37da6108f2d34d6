//! The connections that may be open at once. When all places are taken, whoever has kept a request waiting the
//! longest gives up theirs: clients that are slow on purpose shut out nobody else. The same holds among the connections of
//! one address, which has a share of the places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::shares::owner;

/// All places.
pub struct Places {
    limit: usize,
    /// How many of them one address may take.
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    by: HashMap<u64, Client>,
}

struct Client {
    owner: IpAddr,
    /// Since when nothing is done for it; `None` while it is answered.
    waiting: Option<Instant>,
    leave: Arc<Notify>,
}

/// A connection's place, free again when this value goes.
pub struct Place {
    places: Arc<Places>,
    id: u64,
    leave: Arc<Notify>,
}

impl Places {
    pub fn new(limit: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { limit, each, taken: Mutex::default() })
    }

    /// A place for an address; none when every client who could make room is being answered.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        let owner = owner(address);
        let own = taken.by.values().filter(|client| client.owner == owner).count();
        if own >= self.each {
            taken.make_room(|client| client.owner == owner)?;
        } else if taken.by.len() >= self.limit {
            taken.make_room(|_| true)?;
        }
        let id = taken.next;
        taken.next += 1;
        let leave = Arc::new(Notify::new());
        let client = Client { owner, waiting: Some(Instant::now()), leave: Arc::clone(&leave) };
        taken.by.insert(id, client);
        Some(Place { places: Arc::clone(self), id, leave })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes the place of whoever has waited the longest among some.
    fn make_room(&mut self, among: impl Fn(&Client) -> bool) -> Option<()> {
        let some = self.by.iter().filter(|(_, client)| among(client));
        let (_, longest) = some.filter_map(|(id, client)| Some((client.waiting?, *id))).min()?;
        self.by.remove(&longest)?.leave.notify_one();
        Some(())
    }
}

impl Place {
    /// Ends when the place is given to someone else.
    pub async fn lost(&self) {
        self.leave.notified().await;
    }

    /// Says whether the client is being answered.
    pub fn set_busy(&self, busy: bool) {
        if let Some(client) = self.places.lock().by.get_mut(&self.id) {
            client.waiting = (!busy).then(Instant::now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().by.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_lost(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(1), place.lost()).await.is_ok()
    }

    #[tokio::test]
    async fn who_waits_longest_leaves_and_who_is_answered_stays() {
        let places = Places::new(3, 3);
        let take = || places.take([10, 0, 0, 1].into());
        let [first, second, third] = [take().unwrap(), take().unwrap(), take().unwrap()];
        first.set_busy(true);
        let fourth = take().unwrap();
        assert!(is_lost(&second).await && !is_lost(&first).await && !is_lost(&third).await);
        drop(second);
        third.set_busy(true);
        fourth.set_busy(true);
        assert!(take().is_none());
        first.set_busy(false);
        let fifth = take().unwrap();
        assert!(is_lost(&first).await);
        drop((third, fifth));
        assert!(take().is_some());
    }

    #[tokio::test]
    async fn who_has_all_of_a_share_makes_room_among_its_own() {
        let places = Places::new(4, 2);
        let take = |last| places.take([10, 0, 0, last].into());
        let other = take(2).unwrap();
        let (first, second) = (take(1).unwrap(), take(1).unwrap());
        let third = take(1).unwrap();
        assert!(is_lost(&first).await && !is_lost(&other).await);
        second.set_busy(true);
        third.set_busy(true);
        assert!(take(1).is_none() && take(3).is_some());
    }
}
