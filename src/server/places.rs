//! The connections that may be open at once. When all places are taken, whoever has kept a request waiting the
//! longest gives up theirs: clients that are slow on purpose shut out nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// All places.
pub struct Places {
    limit: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    by: HashMap<u64, Client>,
}

struct Client {
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
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: Mutex::default() })
    }

    /// A place; none when every client is being answered.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.by.len() >= self.limit {
            let waiting = taken.by.iter().filter_map(|(id, client)| Some((client.waiting?, *id)));
            let (_, longest) = waiting.min()?;
            if let Some(client) = taken.by.remove(&longest) {
                client.leave.notify_one();
            }
        }
        let id = taken.next;
        taken.next += 1;
        let leave = Arc::new(Notify::new());
        let client = Client { waiting: Some(Instant::now()), leave: Arc::clone(&leave) };
        taken.by.insert(id, client);
        Some(Place { places: Arc::clone(self), id, leave })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let places = Places::new(3);
        let [first, second, third] = [places.take().unwrap(), places.take().unwrap(), places.take().unwrap()];
        first.set_busy(true);
        let fourth = places.take().unwrap();
        assert!(is_lost(&second).await && !is_lost(&first).await && !is_lost(&third).await);
        drop(second);
        third.set_busy(true);
        fourth.set_busy(true);
        assert!(places.take().is_none());
        first.set_busy(false);
        let fifth = places.take().unwrap();
        assert!(is_lost(&first).await);
        drop((third, fifth));
        assert!(places.take().is_some());
    }
}
