//! Listens, keeps the limits, and ends: one thread a processor, each with its own connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use hyper_util::service::TowerToHyperService;
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bucket::Buckets;
use super::connection::{Shared, connect};
use super::entry::routes;
use super::places::Places;
use super::site::{Report, Site};
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
