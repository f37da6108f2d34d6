//! Connections from outside whose handshakes go on: when there is one too many, the oldest of whoever has the most of
//! them is given up. Who connects and is silent shuts out nobody else, from however many addresses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use libp2p::futures::task::AtomicWaker;
use libp2p::futures::{AsyncRead, AsyncWrite};

use super::network::socket_address;

/// Handshakes that go on at once.
const MOST: usize = 128;

const WAITING: u8 = 0;
const DONE: u8 = 1;
const GIVEN_UP: u8 = 2;

/// All handshakes that go on.
#[derive(Clone)]
pub struct Handshakes {
    /// Who an address stands for.
    owner: fn(IpAddr) -> IpAddr,
    under_way: Arc<Mutex<UnderWay>>,
}

#[derive(Default)]
struct UnderWay {
    next: u64,
    /// In the order in which they began.
    by: BTreeMap<u64, Waiting>,
}

struct Waiting {
    address: Multiaddr,
    owner: Option<IpAddr>,
    fate: Arc<Fate>,
}

/// How a handshake ended, if it did.
struct Fate {
    state: AtomicU8,
    waker: AtomicWaker,
}

/// A connection that fails when its handshake is given up.
pub struct Guarded<S> {
    stream: S,
    fate: Arc<Fate>,
    _place: Option<Place>,
}

/// A place among the handshakes, free again when this value goes.
struct Place {
    id: u64,
    handshakes: Handshakes,
}

impl Handshakes {
    pub fn new(owner: fn(IpAddr) -> IpAddr) -> Self {
        Self { owner, under_way: Arc::default() }
    }

    /// Notes that a handshake begins; those that this side began are not counted.
    pub fn begin<S>(&self, stream: S, point: &ConnectedPoint) -> Guarded<S> {
        let fate = Arc::new(Fate { state: AtomicU8::new(WAITING), waker: AtomicWaker::new() });
        let ConnectedPoint::Listener { send_back_addr: address, .. } = point else {
            fate.state.store(DONE, Ordering::Release);
            return Guarded { stream, fate, _place: None };
        };
        let owner = socket_address(address).map(|address| (self.owner)(address.ip()));
        let mut under_way = self.lock();
        let id = under_way.next;
        under_way.next += 1;
        under_way.by.insert(id, Waiting { address: address.clone(), owner, fate: Arc::clone(&fate) });
        if under_way.by.len() > MOST {
            under_way.give_up_one();
        }
        drop(under_way);
        Guarded { stream, fate, _place: Some(Place { id, handshakes: self.clone() }) }
    }

    /// Notes that a handshake came to its end.
    pub fn end(&self, point: &ConnectedPoint) {
        let address = point.get_remote_address();
        let mut under_way = self.lock();
        let found = under_way.by.iter().find(|(_, waiting)| waiting.address == *address);
        if let Some((id, waiting)) = found {
            waiting.fate.state.store(DONE, Ordering::Release);
            let id = *id;
            under_way.by.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    fn give_up_one(&mut self) {
        let mut owners = HashMap::new();
        for (id, waiting) in &self.by {
            owners.entry(waiting.owner).or_insert((0, Reverse(*id))).0 += 1;
        }
        let most = owners.into_values().max();
        if let Some(waiting) = most.and_then(|(_, Reverse(oldest))| self.by.remove(&oldest)) {
            waiting.fate.state.store(GIVEN_UP, Ordering::Release);
            waiting.fate.waker.wake();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handshakes.lock().by.remove(&self.id);
    }
}

impl Fate {
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        if self.state.load(Ordering::Acquire) == DONE {
            return Ok(());
        }
        self.waker.register(context.waker());
        if self.state.load(Ordering::Acquire) == GIVEN_UP {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.fate.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.fate.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_whoever_has_the_most_is_given_up() {
        let handshakes = Handshakes::new(|address| address);
        let begin = |last: u8, port: u16| {
            let point = ConnectedPoint::Listener {
                local_addr: "/ip4/127.0.0.1/tcp/1".parse().unwrap(),
                send_back_addr: format!("/ip4/10.0.0.{last}/tcp/{port}").parse().unwrap(),
            };
            (handshakes.begin((), &point), point)
        };
        let state = |guarded: &Guarded<()>| guarded.fate.state.load(Ordering::Acquire);
        let few: Vec<_> = (0..8).map(|port| begin(1, port)).collect();
        let many: Vec<_> = (0..MOST as u16).map(|port| begin(2, port)).collect();
        assert!(few.iter().all(|(guarded, _)| state(guarded) == WAITING));
        let given_up = many.iter().take_while(|(guarded, _)| state(guarded) == GIVEN_UP).count();
        assert_eq!((given_up, handshakes.lock().by.len()), (8, MOST));
        // Those that are done or gone make room.
        handshakes.end(&few[0].1);
        assert_eq!(state(&few[0].0), DONE);
        drop(few);
        assert_eq!(handshakes.lock().by.len(), MOST - 8);
        let (late, _) = begin(3, 1);
        assert_eq!((state(&late), handshakes.lock().by.len()), (WAITING, MOST - 7));
    }
}
