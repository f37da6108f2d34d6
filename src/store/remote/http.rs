//! Requests over HTTP to nodes, gateways, pinning services and other interfaces.

use std::io;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, Url, redirect};
use rustls::{ClientConfig, RootCertStore};

use super::endpoint::is_inside;
use super::error::printable;
use super::hosts::Hosts;
use super::{Authorization, Endpoint, Patience, RemoteError};

/// Bytes of an error's text that are read.
const ERROR_LIMIT: u64 = 4096;
const REDIRECTS: usize = 4;

/// One service, below a base URL.
#[derive(Clone)]
pub struct Http {
    client: Client,
    base: Url,
    authorization: Option<Authorization>,
    patience: Patience,
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Http {
    /// A client of the service at `base`, whose path ends with `/`.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] when this system has no certificates or no randomness.
    pub fn new(
        base: Url,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        // Nobody is led from elsewhere into this machine or its network, nor from an encrypted connection to a plain
        // one.
        let hosts = Hosts::of(&base);
        let service = hosts.clone();
        let follow = redirect::Policy::custom(move |attempt| {
            let (to, from) = (attempt.url(), attempt.previous().last());
            let plain = to.scheme() != "https" && from.is_some_and(|from| from.scheme() == "https");
            if attempt.previous().len() > REDIRECTS || plain || (is_inside(to) && !service.is_inside()) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let client = client(tls()?, patience).redirect(follow).dns_resolver(hosts);
        let client = client.build().map_err(no_client)?;
        Ok(Self { client, base, authorization, patience })
    }

    /// A client of a node, also at a unix socket; it follows nobody elsewhere.
    ///
    /// # Errors
    /// Those of [`Self::new`]; certificates are needed for `https:` alone.
    pub fn direct(
        endpoint: &Endpoint,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        let (base, socket) = match endpoint {
            Endpoint::Url(url) => (url.clone(), None),
            // Kubo wants some host, whoever connects.
            Endpoint::Unix(path) => {
                let base = Url::parse("http://localhost/");
                let base = base.map_err(|_| RemoteError::Unsupported("a socket has no URL"))?;
                (base, Some(path))
            }
        };
        let tls = if base.scheme() == "https" { tls()? } else { no_tls()? };
        let mut client = client(tls, patience).redirect(redirect::Policy::none());
        if let Some(path) = socket {
            client = client.unix_socket(path.as_path());
        }
        let client = client.build().map_err(no_client)?;
        Ok(Self { client, base, authorization, patience })
    }

    /// The URL that paths are relative to.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// The same service with another authorization.
    #[must_use]
    pub fn with_authorization(self, authorization: Authorization) -> Self {
        Self { authorization: Some(authorization), ..self }
    }

    /// How long it is waited for.
    #[must_use]
    pub const fn patience(&self) -> &Patience {
        &self.patience
    }

    /// A request for `path`, relative to the base, with a query; more may be added to it.
    ///
    /// # Errors
    /// [`RemoteError::Malformed`] when the path cannot be part of a URL.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, RemoteError> {
        let mut url = self
            .base
            .join(path)
            .map_err(|_| RemoteError::Malformed("a path that is part of no URL".to_owned()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url);
        let Some(authorization) = &self.authorization else { return Ok(request) };
        let mut value = HeaderValue::from_str(authorization.expose())
            .map_err(|_| RemoteError::Unsupported("the authorization is no header"))?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// Sends a request and reads at most `limit` bytes of the answer; any status is an answer.
    ///
    /// # Errors
    /// [`RemoteError::Unreachable`], [`RemoteError::TimedOut`], [`RemoteError::TooLarge`].
    pub async fn answer(&self, request: RequestBuilder, limit: u64) -> Result<Answer, RemoteError> {
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: self.read(response, limit).await? })
    }

    /// Sends a request until it succeeds or cannot; gives what a status below 300 comes with.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn succeed(
        &self,
        make: impl Fn() -> Result<RequestBuilder, RemoteError>,
        limit: u64,
    ) -> Result<Answer, RemoteError> {
        self.patience
            .retry(async || {
                let answer = self.answer(make()?, limit.max(ERROR_LIMIT)).await?;
                answer.require_success()?;
                Ok(answer)
            })
            .await
    }

    /// What is at a path; `None` when the service says that there is nothing.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        match self.succeed(|| self.request(Method::GET, path, &[]), limit).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(RemoteError::Refused { status: 400 | 404 | 410, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and hands over the answer to be read piece by piece; silence ends it, and so does nothing else.
    ///
    /// # Errors
    /// [`RemoteError`]; a status from 300 on is one.
    pub async fn open(&self, request: RequestBuilder) -> Result<Response, RemoteError> {
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        if status < 300 {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = self.read(response, ERROR_LIMIT).await.unwrap_or_default();
        Err(Answer { status, headers, body }.refusal())
    }

    /// What kept a request from ending, without its URL.
    #[must_use]
    pub fn failed(&self, error: &reqwest::Error) -> RemoteError {
        Self::failure(error, &self.patience)
    }

    /// The same, for an answer that outlives its client.
    #[must_use]
    pub fn failure(error: &reqwest::Error, patience: &Patience) -> RemoteError {
        if error.is_timeout() {
            return RemoteError::TimedOut(patience.request);
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if cause.downcast_ref::<io::Error>().is_some_and(refused) {
            return RemoteError::NobodyListens;
        }
        // The outermost error is the one that names the URL.
        let text =
            if std::ptr::addr_eq(cause, error) { "the request failed".into() } else { cause.to_string() };
        RemoteError::Unreachable(printable(text.as_bytes()))
    }

    async fn read(&self, response: Response, limit: u64) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.try_next().await.map_err(|error| self.failed(&error))? {
            if body.len() as u64 + piece.len() as u64 > limit {
                return Err(RemoteError::TooLarge { limit });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

impl Answer {
    /// # Errors
    /// [`RemoteError::Unauthorized`] and [`RemoteError::Refused`] for a status from 300 on.
    pub fn require_success(&self) -> Result<(), RemoteError> {
        if self.status < 300 { Ok(()) } else { Err(self.refusal()) }
    }

    /// The error that a status from 300 on stands for.
    #[must_use]
    pub fn refusal(&self) -> RemoteError {
        match self.status {
            401 | 403 => RemoteError::Unauthorized,
            status @ 300..=399 if self.headers.contains_key(LOCATION) => {
                RemoteError::Refused { status, detail: "it leads to a place that is not followed".to_owned() }
            }
            status => RemoteError::Refused { status, detail: printable(&self.body) },
        }
    }
}

fn client(tls: ClientConfig, patience: Patience) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(patience.request)
        .read_timeout(patience.request)
        .referer(false)
        .no_proxy()
        .user_agent(concat!("greffe/", env!("CARGO_PKG_VERSION")))
}

fn no_client(_: reqwest::Error) -> RemoteError {
    RemoteError::Unsupported("its HTTP client cannot be made")
}

/// TLS that trusts nobody, for a client that never speaks it.
fn no_tls() -> Result<ClientConfig, RemoteError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| RemoteError::Unsupported("TLS has no version in common"))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// TLS with the certificates that this system trusts.
fn tls() -> Result<ClientConfig, RemoteError> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.and_then(BuilderVerifierExt::with_platform_verifier);
    let mut config = builder
        .map_err(|_| RemoteError::Unsupported("this system has no certificates of authorities"))?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    /// What a request of a service at `base` for this machine, by name, comes to.
    fn ask(base: &str, listener: &TcpListener) -> Result<Answer, RemoteError> {
        let patience = Patience { request: Duration::from_millis(500), total: Duration::from_secs(1) };
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let http = Http::new(Url::parse(base).unwrap(), None, patience).unwrap();
            http.answer(http.request(Method::GET, &url, &[]).unwrap(), 1000).await
        })
    }

    #[test]
    fn a_service_elsewhere_makes_no_connection_to_this_machine_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let refused = ask("http://192.0.2.1/", &listener).unwrap_err();
        assert!(refused.to_string().contains("localhost leads to this machine"), "{refused}");
        assert!(listener.accept().is_err());
        // One that is here does, and is not answered.
        assert!(ask("http://127.0.0.1/", &listener).is_err());
        assert!(listener.accept().is_ok());
    }
}
