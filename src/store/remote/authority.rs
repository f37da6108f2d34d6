//! Asks a timestamp authority over HTTP (RFC 3161 §3.4). What it answers is not looked at here.

use reqwest::{Method, Url, header};

use super::endpoint::parse_web_url;
use super::{Authorization, EndpointError, Http, Patience, RemoteError};

/// Larger answers are not read; a token may have as many bytes (`codec::timestamp`).
const ANSWER_LIMIT: u64 = 1 << 16;

/// Where an authority takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityUrl(Url);

impl AuthorityUrl {
    /// Reads `http://…` or `https://…`. `open`: plain `http:` may leave this machine, as a token is signed and tells
    /// nothing; an authorization beside it would be read on the way.
    ///
    /// # Errors
    /// [`EndpointError`]; it repeats nothing of the text, which may hold a secret.
    pub fn parse(text: &str, open: bool) -> Result<Self, EndpointError> {
        parse_web_url(text, open).map(Self)
    }
}

impl std::fmt::Display for AuthorityUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The service of one authority.
pub struct TimestampService {
    http: Http,
    url: AuthorityUrl,
}

impl TimestampService {
    /// The service at `url`; nothing is asked of it yet.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn new(
        url: AuthorityUrl,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        Ok(Self { http: Http::new(url.0.clone(), authorization, patience)?, url })
    }

    /// What it answers to a request, which is not looked at.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let make = || {
            let asked = self.http.request(Method::POST, self.url.0.as_str(), &[])?;
            let asked = asked.header(header::CONTENT_TYPE, "application/timestamp-query");
            Ok(asked.header(header::ACCEPT, "application/timestamp-reply").body(request.to_vec()))
        };
        Ok(self.http.succeed(make, ANSWER_LIMIT).await?.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_path_and_plain_http_may_leave_where_nothing_is_secret() {
        let shown = |text: &str, open| AuthorityUrl::parse(text, open).map(|url| url.to_string());
        assert_eq!(shown("https://tsa.example/tsr", false).as_deref(), Ok("https://tsa.example/tsr"));
        assert_eq!(shown("http://tsa.example/tsr", true).as_deref(), Ok("http://tsa.example/tsr"));
        for (text, expected) in [
            ("http://tsa.example/tsr", EndpointError::Plain),
            ("https://ann:hunter2@tsa.example", EndpointError::Password),
            ("https://tsa.example/?token=hunter2", EndpointError::Query),
            ("unix:/run/tsa.sock", EndpointError::Scheme),
            ("tsa.example", EndpointError::NotUrl),
        ] {
            assert_eq!(shown(text, false), Err(expected), "{text}");
        }
    }
}
