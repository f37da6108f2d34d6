//! How much of what there is few of one address may take at once: a share for each that takes any.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

/// The shares of all addresses. There are as many as addresses that take or wait for something.
pub struct Shares {
    /// What an address may take; `None` for all.
    each: Option<usize>,
    taken: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

impl Shares {
    pub fn new(each: Option<usize>) -> Self {
        Self { each, taken: Mutex::default() }
    }

    /// The share of an address; `None` where it may take all.
    pub fn of(&self, address: IpAddr) -> Option<Arc<Semaphore>> {
        let each = self.each?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, share| share.strong_count() > 0);
        let share = taken.entry(owner(address)).or_default();
        Some(share.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Semaphore::new(each));
            *share = Arc::downgrade(&fresh);
            fresh
        }))
    }
}

/// Who an address stands for: one owner has all of a /64 of IPv6.
#[must_use]
pub fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_a_share_and_nothing_stays_of_those_that_are_gone() {
        let shares = Shares::new(Some(2));
        let [one, neighbour, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        let take = |address| shares.of(address).unwrap().try_acquire_owned().ok();
        let taken = [take(one), take(neighbour)];
        assert!(taken.iter().all(Option::is_some) && take(one).is_none() && take(other).is_some());
        drop(taken);
        assert!(take(neighbour).is_some());
        assert!(shares.of(other).is_some());
        assert_eq!(shares.taken.lock().unwrap().len(), 1);
        assert!(Shares::new(None).of(one).is_none());
    }
}
