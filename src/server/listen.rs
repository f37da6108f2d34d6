//! Listens, keeps the limits, and ends: one thread a processor, each with its own connections.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

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
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::{Refusal, set, shield};
use super::bucket::Buckets;
use super::entry::routes;
use super::paced::Paced;
use super::places::{Place, Places};
use super::site::{Client, Report, Site};
use super::{Limits, Options, ServeError};

/// After an error of the system, as when it has no more file descriptors.
const BREATH: Duration = Duration::from_millis(50);
/// Connections that the system keeps until they are taken.
const BACKLOG: u32 = 1024;

/// A port that is open and does not yet answer.
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
    behind_proxy: bool,
    takes_bodies: bool,
}

impl Listener {
    /// Listens. `behind_proxy`: all requests come from the address of a proxy.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub fn bind(address: SocketAddr, limits: Limits, behind_proxy: bool) -> Result<Self, ServeError> {
        let socket = listen(address).map_err(|source| ServeError::Listen { address, source })?;
        Ok(Self { socket, limits, behind_proxy, takes_bodies: false })
    }

    /// The same for routes that read the bodies of requests, and bound their size and time themselves.
    #[must_use]
    pub fn taking_bodies(self) -> Self {
        Self { takes_bodies: true, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers with `router` until it is stopped, and then as long as the grace lasts.
    ///
    /// # Errors
    /// Those of the system.
    pub fn run(self, router: Router, stop: &Stop) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            router: TowerToHyperService::new(router),
            places: Places::new(
                self.limits.connections,
                if self.behind_proxy { self.limits.connections } else { self.limits.connections_each() },
            ),
            buckets: Buckets::new(self.limits.rate),
            limits: self.limits,
            takes_bodies: self.takes_bodies,
        });
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
        let listeners = (1..threads).map(|_| self.socket.try_clone()).collect::<Result<Vec<_>, _>>()?;
        std::thread::scope(|scope| {
            let work = |listener| work(&shared, listener, stop.0.clone());
            let others: Vec<_> =
                listeners.into_iter().map(|listener| scope.spawn(move || work(listener))).collect();
            // The last listener that is closed is the end of the port.
            let mut result = work(self.socket);
            for other in others {
                result = result.and(other.join().unwrap_or(Err(io::ErrorKind::Other.into())));
            }
            result
        })
    }
}

/// A server of archives that listens and does not yet answer.
pub struct Server {
    site: Arc<Site>,
    listener: Listener,
}

impl Server {
    /// Opens the archives and listens.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn bind(options: Options, report: Report) -> Result<Self, ServeError> {
        let listener = Listener::bind(options.listen, options.limits, options.behind_proxy)?;
        let address = listener.address();
        let address = address.map_err(|source| ServeError::Listen { address: options.listen, source })?;
        let mut announce = options.announce.clone();
        if announce.is_empty() && !address.ip().is_unspecified() {
            announce.push(multiaddress(address));
        }
        Ok(Self { site: Site::open(options, announce, report)?, listener })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Where delegated routing says that it is.
    #[must_use]
    pub fn announced(&self) -> &[String] {
        &self.site.announce
    }

    /// Names and heads of the chains that are served.
    #[must_use]
    pub fn chains(&self) -> Vec<(String, String)> {
        let archives = self.site.shelf.archives().into_iter();
        archives.map(|(name, archive)| (name.to_string(), archive.head().to_string())).collect()
    }

    /// Answers until it is stopped, and then as long as the grace lasts.
    ///
    /// # Errors
    /// Those of the system.
    pub fn run(self, stop: &Stop) -> io::Result<()> {
        let router = routes(&self.site);
        let result = self.listener.run(router, stop);
        // A thread that still reads an archive has the site, too, and is not waited for.
        self.site.end();
        result
    }
}

/// Listens with buffers that are as small as the rule about slow readers needs; connections inherit them.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(Limits::UNSENT)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

fn multiaddress(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    format!("/{family}/{ip}/tcp/{port}/http")
}

/// What ends a server.
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The signals by which systems and people end programs; the second one ends this one at once.
    ///
    /// # Errors
    /// Those of the system.
    pub fn by_signal() -> io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let stopping = Arc::new(AtomicBool::new(false));
        let (mut here, there) = std::os::unix::net::UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register_conditional_shutdown(signal, 3, Arc::clone(&stopping))?;
            signal_hook::low_level::pipe::register(signal, there.try_clone()?)?;
        }
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut byte = [0];
            if io::Read::read_exact(&mut here, &mut byte).is_ok() {
                stopping.store(true, Ordering::SeqCst);
                sender.send_replace(true);
            }
        })?;
        Ok(Self(receiver))
    }

    /// Waits for the first of them.
    pub async fn wait(&self) {
        // Without a sender nothing ends it any more.
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What connections share.
struct Shared {
    router: TowerToHyperService<Router>,
    places: Arc<Places>,
    buckets: Buckets,
    limits: Limits,
    takes_bodies: bool,
}

fn work(shared: &Arc<Shared>, listener: TcpListener, stop: watch::Receiver<bool>) -> io::Result<()> {
    let Limits { readers, streams, grace, .. } = shared.limits;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().enable_time().max_blocking_threads(readers + streams).build()?;
    let stopped = runtime.block_on(accept(shared, listener, stop));
    // What is left of the grace is for threads that read.
    let left = stopped.as_ref().map_or(grace, |at| grace.saturating_sub(at.elapsed()));
    runtime.shutdown_timeout(left);
    stopped.map(drop)
}

/// Takes connections until it is stopped, waits for what they have begun, and says when it was stopped.
async fn accept(
    shared: &Arc<Shared>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> io::Result<Instant> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let watched = stop.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Without a place, the connection is closed.
                    if let Some(place) = shared.places.take(peer.ip()) {
                        connections.spawn(connect(Arc::clone(shared), stream, peer.ip(), place, watched.clone()));
                    }
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let stopped = Instant::now();
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(shared.limits.grace, all).await.ok();
    Ok(stopped)
}

/// Answers the requests of one connection, until its client or a limit ends it.
async fn connect(
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
