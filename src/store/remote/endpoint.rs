//! Where a node or service is, and what it is told to let us in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use url::{Host, Url};
use zeroize::Zeroizing;

use super::error::remember_secret;

/// A base URL, or a unix socket. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `http:` or `https:`; its path ends with `/`.
    Url(Url),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Why a URL is not one to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("it is not a URL such as `http://127.0.0.1:5001` or `unix:/run/ipfs/api.sock`")]
    NotUrl,
    #[error("only `http:`, `https:` and `unix:` are spoken here")]
    Scheme,
    #[error("it holds a user or password: write `authorization = \"env:NAME\"` instead")]
    Password,
    #[error("it has a query or a fragment")]
    Query,
    #[error(
        "plain `http:` to another machine can be read and changed on the way: use `https:` or a tunnel, or say `insecure = true`"
    )]
    Plain,
    #[error(
        "this greffe was built without Bitswap: build it with `cargo install --path . --features bitswap`"
    )]
    NoBitswap,
    #[cfg(feature = "bitswap")]
    #[error(transparent)]
    Peer(#[from] super::bitswap::PeerAddressError),
}

impl Endpoint {
    /// Reads `http://…`, `https://…` or `unix:PATH`. `insecure`: plain `http:` may leave this machine.
    ///
    /// # Errors
    /// [`EndpointError`]; it repeats nothing of the text, which may hold a secret.
    pub fn parse(text: &str, insecure: bool) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let sound = path.starts_with('/') && !path.contains('\0');
            return if sound { Ok(Self::Unix(path.into())) } else { Err(EndpointError::NotUrl) };
        }
        let mut url = parse_web_url(text, insecure)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self::Url(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads `http://…` or `https://…` without user, password or query. `insecure`: plain `http:` may leave this machine.
///
/// # Errors
/// [`EndpointError`]; it repeats nothing of the text, which may hold a secret.
pub fn parse_web_url(text: &str, insecure: bool) -> Result<Url, EndpointError> {
    let url = Url::parse(text).map_err(|_| EndpointError::NotUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(EndpointError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::Password);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::Query);
    }
    if url.scheme() == "http" && !insecure && !is_loopback(&url) {
        return Err(EndpointError::Plain);
    }
    Ok(url)
}

/// Whether a URL stays on this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a URL leads, by its address, to this machine or a network around it, as strangers may not send anyone.
#[must_use]
pub fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_inside_address(address.into()),
        Some(Host::Ipv6(address)) => is_inside_address(address.into()),
        _ => is_loopback(url),
    }
}

/// The same of an address.
#[must_use]
pub fn is_inside_address(address: IpAddr) -> bool {
    let inside = |address: Ipv4Addr| {
        address.is_loopback()
            || address.is_unspecified()
            || address.is_private()
            || address.is_link_local()
            || address.octets()[0] == 0
    };
    match address {
        IpAddr::V4(address) => inside(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped().or_else(|| address.to_ipv4()) {
            Some(address) => inside(address),
            None => address.is_unique_local() || address.is_unicast_link_local(),
        },
    }
}

/// The value of an `Authorization` header; shown by no output.
#[derive(Clone)]
pub struct Authorization(Zeroizing<String>);

impl Authorization {
    /// Reads `bearer:TOKEN` or `basic:USER:PASSWORD`, as Kubo's `API.Authorizations` are written. `None` for
    /// anything else, and for what no header can carry.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let value = match text.split_once(':')? {
            ("bearer", token) if !token.is_empty() => {
                remember_secret(token);
                format!("Bearer {token}")
            }
            ("basic", pair) if pair.contains(':') => return Some(Self::basic(pair)),
            _ => return None,
        };
        let value = Zeroizing::new(value);
        value.bytes().all(|byte| (0x20..0x7f).contains(&byte)).then_some(Self(value))
    }

    /// Of a user and a password, a colon between them.
    #[must_use]
    pub fn basic(pair: &str) -> Self {
        let encoded = Zeroizing::new(data_encoding::BASE64.encode(pair.as_bytes()));
        remember_secret(pair.split_once(':').map_or(pair, |(_, password)| password));
        remember_secret(&encoded);
        Self(Zeroizing::new(format!("Basic {}", *encoded)))
    }

    /// The header's value, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine_unless_it_is_told_otherwise() {
        for text in
            ["http://127.0.0.1:5001", "http://localhost:5001/", "http://[::1]:5001", "http://127.8.8.8"]
        {
            assert!(Endpoint::parse(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://10.0.0.1:5001",
            "http://example.org",
            "http://[2001:db8::1]",
            "http://127.0.0.1.example.org",
        ] {
            assert_eq!(Endpoint::parse(text, false), Err(EndpointError::Plain), "{text}");
            assert!(Endpoint::parse(text, true).is_ok(), "{text}");
        }
        assert!(Endpoint::parse("https://example.org/ipfs-api", false).is_ok());
    }

    #[test]
    fn what_is_no_endpoint_is_refused_and_not_repeated() {
        for (text, expected) in [
            ("127.0.0.1:5001", EndpointError::NotUrl),
            ("", EndpointError::NotUrl),
            ("unix:relative.sock", EndpointError::NotUrl),
            ("ftp://127.0.0.1", EndpointError::Scheme),
            ("https://ann:hunter2@example.org", EndpointError::Password),
            ("https://example.org?token=hunter2", EndpointError::Query),
        ] {
            let found = Endpoint::parse(text, true).unwrap_err();
            assert_eq!(found, expected, "{text}");
            assert!(!found.to_string().contains("hunter2"));
        }
        let shown = |text: &str| Endpoint::parse(text, false).unwrap().to_string();
        assert_eq!(shown("http://127.0.0.1:5001/"), "http://127.0.0.1:5001");
        assert_eq!(shown("unix:///run/api.sock"), "unix:/run/api.sock");
    }

    #[test]
    fn an_authorization_is_one_of_two_forms_and_never_shown() {
        let header = |text: &str| Authorization::parse(text).map(|found| found.expose().to_owned());
        assert_eq!(header("bearer:hunter2").as_deref(), Some("Bearer hunter2"));
        assert_eq!(header("basic:ann:hunter2").as_deref(), Some("Basic YW5uOmh1bnRlcjI="));
        for text in ["hunter2", "bearer:", "basic:ann", "bearer:a\r\nX: y", "token:x", "bearer:é"] {
            assert_eq!(header(text), None, "{text}");
        }
        assert_eq!(format!("{:?}", Authorization::parse("bearer:hunter2")), "Some([secret])");
    }

    #[test]
    fn strangers_lead_nobody_inside() {
        let inside = |text: &str| is_inside(&Url::parse(text).unwrap());
        for text in [
            "http://127.0.0.1/",
            "http://0.0.0.0:5001/",
            "http://0/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1]/",
            "http://[::]/",
            "https://10.1.2.3/",
            "https://192.168.1.1/",
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://localhost/",
            "http://a.localhost/",
        ] {
            assert!(inside(text), "{text}");
        }
        for text in ["https://example.org/", "https://192.0.2.1/", "https://[2001:db8::1]/"] {
            assert!(!inside(text), "{text}");
        }
    }
}
