//! How requests of `ipfs-api-prelude` reach a node: over HTTP, HTTPS or a unix socket, with an authorization, and
//! with bounds. The crate's own backend has no sockets, no limits, and a TLS that nobody keeps any more; here one
//! client does all three.

use std::future::ready;
use std::pin::Pin;

use common_multipart_rfc7578::client::multipart::{Body, Form};
use futures_util::stream::{once, unfold};
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{HeaderMap, StatusCode, Uri};
use ipfs_api_prelude::{ApiError, ApiRequest, Backend, BoxStream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};

use crate::codec::car::BLOCK_LIMIT;
use crate::store::remote::error::printable;
use crate::store::remote::{Authorization, Endpoint, Http, Patience, RemoteError};

/// No answer is longer than a block: those about many blocks say less of each than a block may have.
const ANSWER_LIMIT: u64 = BLOCK_LIMIT as u64;
/// Bytes of a body that are sent at once, and about as many as the crate's stream gives.
const PART: usize = 256 << 10;
const CRUMB: usize = 16 << 10;
/// Where the interface is, below an endpoint.
const PATH: &str = "api/v0";

/// One node's RPC interface.
pub struct KuboBackend {
    http: Http,
    base: Uri,
}

/// A request whose body is not made yet.
pub struct KuboRequest {
    request: RequestBuilder,
    form: Option<Body<'static>>,
}

/// An answer whose body is not read yet.
pub struct KuboResponse {
    response: reqwest::Response,
    /// As the crate's version of `http` has them.
    headers: HeaderMap,
    patience: Patience,
}

impl KuboBackend {
    pub fn new(
        endpoint: &Endpoint,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        let http = Http::direct(endpoint, authorization, patience)?;
        let base = format!("{}{PATH}", http.base()).parse();
        let base = base.map_err(|_| RemoteError::Unsupported("its URL has characters that no URL has"))?;
        Ok(Self { http, base })
    }
}

impl Backend for KuboBackend {
    type HttpRequest = KuboRequest;
    type HttpResponse = KuboResponse;
    type Error = RemoteError;

    fn with_credentials<U: Into<String>, P: Into<String>>(self, user: U, password: P) -> Self {
        let pair = zeroize::Zeroizing::new(format!("{}:{}", user.into(), password.into()));
        let authorization = Authorization::basic(&pair);
        Self { http: self.http.with_authorization(authorization), ..self }
    }

    fn build_base_request<Req: ApiRequest>(
        &self,
        request: Req,
        form: Option<Form<'static>>,
    ) -> Result<KuboRequest, RemoteError> {
        let url = request.absolute_url(&self.base)?.to_string();
        let mut request = self.http.request(Method::POST, &url, &[])?;
        let Some(form) = form else { return Ok(KuboRequest { request, form: None }) };
        request = request.header(CONTENT_TYPE, form.content_type());
        let filled = form.set_body::<Body<'static>>(request::Builder::new());
        let body = filled.map_err(|_| RemoteError::Unsupported("a request cannot be written"))?.into_body();
        Ok(KuboRequest { request, form: Some(body) })
    }

    fn get_header(response: &KuboResponse, name: HeaderName) -> Option<&HeaderValue> {
        response.headers.get(name)
    }

    // As `async_trait` writes it.
    fn request_raw<'backend, 'future, Req>(
        &'backend self,
        request: Req,
        form: Option<Form<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(StatusCode, Bytes), RemoteError>> + Send + 'future>>
    where
        Req: ApiRequest + 'future,
        'backend: 'future,
        Self: 'future,
    {
        let request = self.build_base_request(request, form);
        Box::pin(async move {
            let answer = self.http.answer(request?.filled().await?, ANSWER_LIMIT).await?;
            match answer.status {
                200 => Ok((StatusCode::OK, answer.body.into())),
                // What Kubo has to say about a failure.
                500 => Ok((StatusCode::INTERNAL_SERVER_ERROR, answer.body.into())),
                _ => Err(answer.refusal()),
            }
        })
    }

    fn response_to_byte_stream(answer: KuboResponse) -> BoxStream<Bytes, RemoteError> {
        let patience = answer.patience;
        let failed = move |error: reqwest::Error| Http::failure(&error, &patience);
        Box::new(answer.response.bytes_stream().map_err(failed))
    }

    fn request_stream<Res, F>(&self, request: KuboRequest, process: F) -> BoxStream<Res, RemoteError>
    where
        F: 'static + Send + Fn(KuboResponse) -> BoxStream<Res, RemoteError>,
    {
        Box::new(Box::pin(request.open(self.http.clone())).map_ok(process).try_flatten_stream())
    }
}

impl KuboRequest {
    async fn open(self, http: Http) -> Result<KuboResponse, RemoteError> {
        let response = http.open(self.filled().await?).await?;
        let mut headers = HeaderMap::new();
        for (name, value) in response.headers() {
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                headers.append(name, value);
            }
        }
        Ok(KuboResponse { response, headers, patience: *http.patience() })
    }

    /// The request with its body, which is sent as it is read, in parts: the crate's stream gives it in crumbs, and a
    /// whole copy of it would be needed for each node that is sent something at the same time.
    async fn filled(self) -> Result<RequestBuilder, RemoteError> {
        let Some(mut form) = self.form else { return Ok(self.request) };
        let mut first = Vec::new();
        let ended = read_part(&mut form, &mut first).await?;
        if ended {
            return Ok(self.request.body(first));
        }
        let rest = unfold(Some(form), |form| async {
            let (mut form, mut part) = (form?, Vec::new());
            match read_part(&mut form, &mut part).await {
                Ok(ended) => Some((Ok(part), (!ended).then_some(form))),
                Err(error) => Some((Err(error), None)),
            }
        });
        let body = once(ready(Ok::<_, RemoteError>(first))).chain(rest);
        Ok(self.request.body(reqwest::Body::wrap_stream(body)))
    }
}

/// Reads some of a body; whether that was the end.
async fn read_part(form: &mut Body<'static>, part: &mut Vec<u8>) -> Result<bool, RemoteError> {
    part.reserve_exact(PART + CRUMB);
    while part.len() < PART {
        match form.next().await {
            Some(crumb) => {
                let unreadable = |_| RemoteError::Unsupported("the body of a request cannot be read");
                part.extend_from_slice(&crumb.map_err(unreadable)?);
            }
            None => return Ok(true),
        }
    }
    Ok(false)
}

impl From<ApiError> for RemoteError {
    fn from(error: ApiError) -> Self {
        let detail = printable(error.message.as_bytes());
        // Its own limit of time, which the same request may meet a moment later.
        if detail.contains("deadline exceeded") {
            return Self::Refused { status: 500, detail };
        }
        Self::Failed(detail)
    }
}

impl From<ipfs_api_prelude::Error> for RemoteError {
    fn from(error: ipfs_api_prelude::Error) -> Self {
        match error {
            ipfs_api_prelude::Error::UnrecognizedApiError(text) => Self::Failed(printable(text.as_bytes())),
            error => Self::Malformed(printable(error.to_string().as_bytes())),
        }
    }
}
