//! How many requests an address may make: a token bucket for each, in bounded memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::shares::owner;

/// Addresses that are told apart; the others share one bucket.
const ADDRESSES: usize = 16 << 10;
/// Seconds of requests that may come at once.
const BURST: f64 = 2.0;

/// The buckets of all addresses.
pub struct Buckets {
    /// Requests each second; 0 for any number.
    rate: f64,
    /// Requests that may come at once.
    full: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    pub fn new(rate: u32) -> Self {
        Self::slow(f64::from(rate), f64::from(rate) * BURST)
    }

    /// The same with `full` at once, and a rate that may be below one.
    pub fn slow(rate: f64, full: f64) -> Self {
        Self { rate, full, buckets: Mutex::new(HashMap::new()) }
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + since * self.rate).min(self.full)
    }

    /// Whether the address may make a request at this time; if so, it is counted.
    pub fn take(&self, address: IpAddr, now: Instant) -> bool {
        if self.rate == 0.0 {
            return true;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = owner(address);
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&key) {
            // A bucket that is full again is as good as none.
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.full);
            if buckets.len() >= ADDRESSES {
                key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { tokens: self.full, at: now });
        let tokens = self.filled(bucket, now);
        let allowed = tokens >= 1.0;
        *bucket = Bucket { tokens: if allowed { tokens - 1.0 } else { tokens }, at: now };
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_runs_dry_and_fills_again() {
        let (buckets, begin) = (Buckets::new(10), Instant::now());
        let [one, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        assert_eq!((0..50).filter(|_| buckets.take(one, begin)).count(), 20);
        assert!(buckets.take(other, begin));
        let later = begin + Duration::from_millis(500);
        assert_eq!((0..50).filter(|_| buckets.take(one, later)).count(), 5);
        assert_eq!((0..50).filter(|_| buckets.take(one, begin + Duration::from_secs(60))).count(), 20);
        assert!((0..10_000).all(|_| Buckets::new(0).take(one, begin)));
        let slow = Buckets::slow(0.5, 3.0);
        assert_eq!((0..50).filter(|_| slow.take(one, begin)).count(), 3);
        assert!(
            !slow.take(one, begin + Duration::from_secs(1)) && slow.take(one, begin + Duration::from_secs(2))
        );
        assert!(slow.take(other, begin));
    }

    #[test]
    fn many_addresses_take_bounded_memory_and_no_more_than_theirs() {
        let (buckets, begin) = (Buckets::new(1), Instant::now());
        let address = |n: u32| IpAddr::V4(n.into());
        for n in 0..ADDRESSES as u32 {
            assert!(buckets.take(address(n), begin));
        }
        assert_eq!((0..100_000).filter(|n| buckets.take(address(1 << 24 | n), begin)).count(), 2);
        assert!(buckets.buckets.lock().unwrap().len() <= ADDRESSES + 1);
        assert!(buckets.take(address(1 << 25), begin + Duration::from_secs(10)));
        assert_eq!(buckets.buckets.lock().unwrap().len(), 1);
        let of = |n: u64| IpAddr::V6(Ipv6Addr::from_bits(1 << 64 | u128::from(n)));
        assert_eq!((0..100).filter(|n| buckets.take(of(*n), begin)).count(), 2);
    }
}
