//! By which names a server is asked for. A page of another site can have its own name lead here (DNS rebinding), and its browser
//! then takes what is answered for that site's: what listens to this machine alone answers to no such name.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, Version};

use super::answer::Refusal;

/// The names that a server answers to, beside addresses, which lead nobody elsewhere, and `localhost`.
#[derive(Debug, Default)]
pub struct Names {
    /// `None` for any name.
    known: Option<Vec<String>>,
}

impl Names {
    /// The names in these multiaddresses alone.
    pub fn of(announced: &[String]) -> Self {
        let names = announced.iter().filter_map(|address| address.split('/').nth(2));
        Self { known: Some(names.map(str::to_ascii_lowercase).collect()) }
    }

    /// Refuses a request that names nobody, several, or someone else (RFC 9112 §3.2, RFC 9110 §7.4).
    ///
    /// # Errors
    /// `400`, `421`.
    pub fn admit(&self, version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut said = headers.get_all(HOST).iter();
        let host = match (said.next(), said.next()) {
            (Some(host), None) => host.as_bytes(),
            // Before HTTP/1.1, no name had to be said; no browser speaks that.
            (None, _) if version < Version::HTTP_11 => return Ok(()),
            _ => return Err(Refusal::bad("a request has one header `Host`")),
        };
        let Some(known) = &self.known else { return Ok(()) };
        // What the request line names goes before the header.
        let named = match uri.authority() {
            Some(authority) => Some(authority.clone()),
            None => Authority::try_from(host).ok(),
        };
        match named.is_some_and(|named| is_own(&named.host().to_ascii_lowercase(), known)) {
            true => Ok(()),
            false => Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                "no such name here: `--announce` makes it known, `--behind-proxy` takes any",
            )),
        }
    }
}

fn is_own(name: &str, known: &[String]) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || known.iter().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn status(names: &Names, uri: &str, hosts: &[&str]) -> u16 {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        let admitted = names.admit(Version::HTTP_11, &uri.parse().unwrap(), &headers);
        admitted.map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_name_that_leads_here_from_elsewhere_is_refused() {
        let names = Names::of(&["/dns4/Audit.example.org/tcp/443/https".to_owned()]);
        for host in ["127.0.0.1:8090", "[::1]:8090", "localhost", "a.localhost:1", "audit.example.org:80"] {
            assert_eq!(status(&names, "/", &[host]), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "x@y"] {
            assert_eq!(status(&names, "/", &[host]), 421, "{host}");
        }
        assert_eq!(status(&names, "http://evil.example/", &["localhost"]), 421);
        assert_eq!(status(&Names::default(), "/", &["evil.example"]), 200);
    }

    #[test]
    fn one_host_is_named() {
        for names in [Names::default(), Names::of(&[])] {
            assert_eq!(status(&names, "/", &[]), 400);
            assert_eq!(status(&names, "/", &["localhost", "localhost"]), 400);
            assert_eq!(names.admit(Version::HTTP_10, &Uri::from_static("/"), &HeaderMap::new()), Ok(()));
        }
    }
}
