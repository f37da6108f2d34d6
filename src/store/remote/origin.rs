//! Where a service that fetches blocks finds a node that has them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The multiaddress of a node, with its identity at the end, such as `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`. It is
/// handed over as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a multiaddress that ends with /p2p/ and a node's identity")]
pub struct NotOrigin;

impl Origin {
    /// How many of them a service takes.
    pub const MOST: usize = 20;
    const LONGEST: usize = 512;

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = NotOrigin;

    fn from_str(text: &str) -> Result<Self, NotOrigin> {
        let mut parts =
            text.strip_prefix('/').filter(|_| text.len() <= Self::LONGEST).ok_or(NotOrigin)?.split('/');
        let (mut transports, mut identified) = (0, false);
        while let Some(protocol) = parts.next() {
            identified = protocol == "p2p";
            let sound = match protocol {
                "quic" | "quic-v1" | "ws" | "wss" | "tls" | "noise" | "http" | "webtransport"
                | "webrtc-direct" | "p2p-circuit" => true,
                _ => is_value(protocol, parts.next().unwrap_or_default()),
            };
            if !sound {
                return Err(NotOrigin);
            }
            transports += usize::from(!identified);
        }
        if identified && transports > 0 { Ok(Self(text.to_owned())) } else { Err(NotOrigin) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a protocol of multiaddresses takes this value.
fn is_value(protocol: &str, value: &str) -> bool {
    let word = |more: &[u8]| {
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    match protocol {
        "ip4" => value.parse::<Ipv4Addr>().is_ok(),
        "ip6" => value.parse::<Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" | "dnsaddr" | "sni" => word(b".-_"),
        "tcp" | "udp" => word(b"") && value.parse::<u16>().is_ok_and(|port| port > 0),
        "certhash" => word(b"-_"),
        "p2p" => is_identity(value),
        _ => false,
    }
}

/// Whether a text looks like a peer's identity: a multihash in base58, or a CID in base32 or base36.
fn is_identity(text: &str) -> bool {
    let base58 = |byte: u8| byte.is_ascii_alphanumeric() && !b"0OIl".contains(&byte);
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (40..=80).contains(&text.len())
        && match text.as_bytes() {
            [b'1', ..] | [b'Q', b'm', ..] => text.bytes().all(base58),
            [b'b' | b'k', ..] => text.bytes().all(lower),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWSp8cfvouZrmxqRoqWELsvb7fzR91TFNrw7FY8Vg3asoL";

    #[test]
    fn an_origin_says_where_a_node_is_and_who() {
        for address in [
            "/ip4/127.0.0.1/tcp/4001",
            "/ip6/::1/udp/4001/quic-v1",
            "/ip4/192.0.2.7/udp/4001/quic-v1/webtransport/certhash/uEiAk-x_1",
            "/dns4/ipfs.example.org/tcp/443/tls/sni/ipfs.example.org/ws",
            "/dnsaddr/bootstrap.example.org",
            &format!("/ip4/192.0.2.7/tcp/4001/p2p/{ID}/p2p-circuit"),
        ] {
            let text = format!("{address}/p2p/{ID}");
            assert_eq!(text.parse::<Origin>().map(|origin| origin.to_string()), Ok(text));
        }
        let other =
            "/ip4/127.0.0.1/tcp/4001/p2p/k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";
        assert!(other.parse::<Origin>().is_ok());
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let long = format!("{}/p2p/{ID}", "/ip4/127.0.0.1".repeat(50));
        for text in [
            "",
            "/",
            "//",
            "http://127.0.0.1:4001",
            "/ip4/127.0.0.1/tcp/4001",
            "/ip4/127.0.0.1/tcp/4001/p2p/",
            "/ip4/127.0.0.1/tcp/4001/p2p/me",
            "/ip4/127.0.0.256/tcp/4001/p2p/ID",
            "/ip4/127.0.0.1/tcp/0/p2p/ID",
            "/ip4/127.0.0.1/tcp/+1/p2p/ID",
            "/ip4/127.0.0.1/tcp/65536/p2p/ID",
            "/p2p/ID",
            "/ip4/127.0.0.1/tcp/4001/p2p/ID/",
            "/ip4/127.0.0.1/tcp/4001/p2p/ID/p2p-circuit",
            "/ip4/127.0.0.1/smtp/25/p2p/ID",
            "/dns4/a b/tcp/1/p2p/ID",
            "/ip4/127.0.0.1/tcp/4001/p2p/ID\n",
            &long,
        ] {
            assert_eq!(text.replace("ID", ID).parse::<Origin>(), Err(NotOrigin), "{text:?}");
        }
    }
}
