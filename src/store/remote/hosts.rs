//! Where names of hosts lead: a service that is not on this machine or in a network around it leads nobody there,
//! neither by an address nor by a name that resolves to one.
//!
//! Addresses that stand in URLs resolve to nothing; those are for whoever follows a redirect to judge.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::endpoint::{is_inside, is_inside_address};

/// Asks for the addresses of a name.
type Lookup = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The hosts that requests to one service may reach.
#[derive(Clone)]
pub struct Hosts {
    /// The name of the service itself.
    own: String,
    /// Whether the service is inside: by its address, or by what its name resolved to first. Later its name leads no
    /// further than then.
    inside: Arc<OnceLock<bool>>,
    lookup: Lookup,
}

/// A name led inside.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to this machine or a network around it, from outside")]
struct LedInside(String);

impl Hosts {
    /// Those for a service at a URL.
    #[must_use]
    pub fn of(base: &Url) -> Self {
        Self::with(base, |name| {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        })
    }

    fn with(base: &Url, lookup: Lookup) -> Self {
        let inside = OnceLock::new();
        let is_name = base.domain().is_some();
        if is_inside(base) || !is_name {
            // The first to be set.
            inside.get_or_init(|| is_inside(base));
        }
        Self { own: base.host_str().unwrap_or_default().to_owned(), inside: Arc::new(inside), lookup }
    }

    /// Whether the service itself is inside, as far as it was asked for.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.inside.get().copied().unwrap_or(false)
    }

    /// The addresses that a name may lead to.
    async fn resolve_name(self, name: String) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let found = (self.lookup)(name.clone()).await?;
        let is_inside = |address: &SocketAddr| is_inside_address(address.ip());
        if name == self.own && !found.is_empty() {
            self.inside.get_or_init(|| found.iter().any(is_inside));
        }
        if self.is_inside() {
            return Ok(Box::new(found.into_iter()));
        }
        let count = found.len();
        let outside: Vec<SocketAddr> = found.into_iter().filter(|address| !is_inside(address)).collect();
        if outside.is_empty() && count > 0 {
            return Err(LedInside(name).into());
        }
        Ok(Box::new(outside.into_iter()))
    }
}

impl Resolve for Hosts {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(self.clone().resolve_name(name.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `inner` is inside, `both` has addresses of both kinds, all others are outside.
    fn lookup(name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
        let texts: &[&str] = match &*name {
            "inner.test" => &["10.1.2.3:0", "[::ffff:127.0.0.1]:0"],
            "both.test" => &["192.168.1.1:0", "203.0.113.9:0"],
            _ => &["203.0.113.7:0"],
        };
        let found = texts.iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn led(hosts: &Hosts, name: &str) -> Result<Vec<String>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(hosts.resolve(name.parse().unwrap()));
        found
            .map(|found| found.map(|address| address.ip().to_string()).collect())
            .map_err(|error| error.to_string())
    }

    fn hosts(base: &str) -> Hosts {
        Hosts::with(&Url::parse(base).unwrap(), lookup)
    }

    #[test]
    fn from_outside_no_name_leads_inside() {
        for base in ["https://gateway.test/", "https://203.0.113.1/"] {
            let hosts = hosts(base);
            assert_eq!(led(&hosts, "gateway.test").unwrap(), ["203.0.113.7"]);
            assert!(led(&hosts, "inner.test").unwrap_err().contains("inner.test leads to this machine"));
            assert_eq!(led(&hosts, "both.test").unwrap(), ["203.0.113.9"]);
            assert!(!hosts.is_inside());
        }
    }

    #[test]
    fn who_is_inside_may_lead_to_what_is_around() {
        for base in ["http://127.0.0.1:8080/", "https://inner.test/", "https://localhost/"] {
            let hosts = hosts(base);
            if base.contains("inner") {
                assert_eq!(led(&hosts, "inner.test").unwrap().len(), 2);
            }
            assert!(hosts.is_inside(), "{base}");
            assert_eq!(led(&hosts, "both.test").unwrap().len(), 2);
        }
    }

    #[test]
    fn a_name_that_was_outside_stays_there() {
        let changing: Lookup = |_| {
            use std::sync::atomic::{AtomicBool, Ordering};
            static ASKED: AtomicBool = AtomicBool::new(false);
            let text = if ASKED.swap(true, Ordering::SeqCst) { "127.0.0.1:0" } else { "203.0.113.7:0" };
            Box::pin(std::future::ready(Ok(vec![text.parse().unwrap()])))
        };
        let hosts = Hosts::with(&Url::parse("https://gateway.test/").unwrap(), changing);
        assert!(led(&hosts, "gateway.test").is_ok());
        assert!(led(&hosts, "gateway.test").is_err());
    }
}
