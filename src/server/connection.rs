//! One connection: its requests one after the other, in the time that its limits leave it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use hyper1::body::{Frame, SizeHint};
use hyper1::server::conn::http1;
use hyper1::service::{Service as _, service_fn};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Limits;
use super::answer::{Refusal, set, shield};
use super::bucket::Buckets;
use super::paced::Paced;
use super::places::{Place, Places};
use super::site::Client;

/// What connections share.
pub struct Shared {
    pub router: TowerToHyperService<Router>,
    pub places: Arc<Places>,
    pub buckets: Buckets,
    pub limits: Limits,
    pub takes_bodies: bool,
}

/// Answers the requests of one connection, until its client or a limit ends it.
pub async fn connect(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: IpAddr,
    place: Place,
    mut stop: watch::Receiver<bool>,
) {
    stream.set_nodelay(true).ok();
    let place = Arc::new(place);
    let limits = shared.limits;
    let service = service_fn({
        let place = Arc::clone(&place);
        move |request| {
            let (shared, busy) = (Arc::clone(&shared), Busy::new(&place));
            async move {
                let mut answer = respond(&shared, peer, request).await;
                shield(&mut answer);
                Ok::<_, Infallible>(answer.map(|body| Held { body, _busy: busy }))
            }
        }
    });
    let io = TokioIo::new(Paced::new(stream, limits.stall, Limits::SLOWEST));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.request).max_buf_size(Limits::HEADERS);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = place.lost() => return,
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn respond(shared: &Shared, peer: IpAddr, mut request: Request<hyper1::body::Incoming>) -> Response {
    if !shared.buckets.take(peer, Instant::now()) {
        return Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many requests: wait a second")
            .into_response();
    }
    if !shared.takes_bodies && has_body(request.headers()) {
        let mut answer =
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body").into_response();
        set(&mut answer, CONNECTION, "close");
        return answer;
    }
    request.extensions_mut().insert(Client(peer));
    match shared.router.call(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    length || headers.contains_key(TRANSFER_ENCODING)
}

/// Marks a client as being answered.
struct Busy(Arc<Place>);

impl Busy {
    fn new(place: &Arc<Place>) -> Self {
        place.set_busy(true);
        Self(Arc::clone(place))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}

/// A body whose client counts as being answered until all of it is taken.
struct Held {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
