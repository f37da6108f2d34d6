//! What all requests share: the archives, the limits, and the few threads that read files.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Refusal;
use super::api::Api;
use super::guard::Guard;
use super::host::Names;
use super::journal::Journal;
use super::noted::Noted;
use super::shares::Shares;
use super::shelf::Shelf;
use super::{Limits, Options, ServeError};
use crate::model::{ChainName, Scope};

/// How long a request waits for a thread that reads, or for a stream.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reports that are told once each; how many there are must not be for clients to say.
const REPORTS: usize = 1000;

/// Says something to whoever runs the server.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

/// The right to stream a CAR, free again when this value goes.
pub struct Permit {
    _own: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

/// What requests are answered from.
pub struct Site {
    pub shelf: Shelf,
    pub chain: Option<ChainName>,
    /// Multiaddresses of this server.
    pub announce: Vec<String>,
    /// What the server is asked for by.
    pub names: Names,
    pub guard: Guard,
    /// Whether pages of other sites may read what is public.
    pub cross_origin: bool,
    pub journal: Option<Journal>,
    /// `None` where there is no access chain to record in.
    pub noted: Option<Noted>,
    pub api: Option<Api>,
    readers: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    shares: Shares,
    report: Report,
    reported: Mutex<HashSet<String>>,
}

impl Site {
    pub fn open(options: Options, announce: Vec<String>, report: Report) -> Result<Arc<Self>, ServeError> {
        let Limits { readers, streams, .. } = options.limits;
        let told = Arc::clone(&report);
        let journal = |(lines, addresses)| Journal::start(lines, addresses, told);
        let told = Arc::clone(&report);
        let noted = |(record, every)| Noted::start(record, every, told);
        // Where everybody may ask, or a proxy looks at names itself, any name will do.
        let names = match options.public || options.behind_proxy {
            true => Names::default(),
            false => Names::of(&announce),
        };
        Ok(Arc::new(Self {
            names,
            shelf: Shelf::open(&options.directory, options.chain.as_ref(), options.all)?,
            chain: options.chain,
            announce,
            guard: Guard::new(options.tokens, options.require_token),
            cross_origin: options.public && !options.require_token,
            journal: options.journal.map(journal).transpose()?,
            noted: options.record.map(noted).transpose()?,
            api: options.api.map(Api::new),
            readers: Arc::new(Semaphore::new(readers)),
            streams: Arc::new(Semaphore::new(streams)),
            shares: Shares::new((!options.behind_proxy).then_some(options.limits.streams_each())),
            report,
            reported: Mutex::default(),
        }))
    }

    /// Does work that may wait for a disk, on a thread for it.
    ///
    /// # Errors
    /// `503` when all of them stay busy, and those of `work`.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let waiting = tokio::time::timeout(PATIENCE, Arc::clone(&self.readers).acquire_owned());
        let Ok(Ok(permit)) = waiting.await else { return Err(Refusal::busy()) };
        let site = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&site);
            drop(permit);
            result
        });
        done.await.unwrap_or_else(|_| Err(Refusal::busy()))
    }

    /// Waits for something as long as requests wait.
    ///
    /// # Errors
    /// `503`.
    pub async fn in_time<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Refusal> {
        tokio::time::timeout(PATIENCE, work).await.ok().and_then(Result::ok).ok_or_else(Refusal::busy)
    }

    /// Refuses what is recorded when it is answered, where that cannot be recorded.
    ///
    /// # Errors
    /// `503`.
    pub fn require_recording(&self, scope: Option<Scope>) -> Result<(), Refusal> {
        if scope.is_none() || self.noted.as_ref().is_some_and(Noted::is_able) {
            return Ok(());
        }
        Err(Refusal::unavailable("accesses cannot be recorded here, so nothing but blocks is given"))
    }

    /// Writes down and records what has not been yet; nothing of what is answered later.
    pub fn end(&self) {
        if let Some(noted) = &self.noted {
            noted.end();
        }
        if let Some(journal) = &self.journal {
            journal.end();
        }
    }

    /// The right to stream a CAR to an address.
    ///
    /// # Errors
    /// `503` when as many as may be stay under way, of this address or of all.
    pub async fn stream(&self, client: IpAddr) -> Result<Permit, Refusal> {
        let share = self.shares.of(client);
        let both = async {
            // The address's own first: who waits for that takes nothing from others.
            let own = match share {
                Some(share) => Some(share.acquire_owned().await.ok()?),
                None => None,
            };
            Some(Permit { _own: own, _all: Arc::clone(&self.streams).acquire_owned().await.ok()? })
        };
        tokio::time::timeout(PATIENCE, both).await.ok().flatten().ok_or_else(Refusal::busy)
    }

    /// Says that the archive is not as it should be, once.
    pub fn report(&self, text: &str) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < REPORTS && reported.insert(text.to_owned()) {
            (self.report)(text);
        }
    }

    /// The answer to what cannot be read: what is wrong goes to whoever runs the server, and not to the client.
    pub fn broken(&self, error: impl std::error::Error) -> Refusal {
        self.report(&format!("error: {error}"));
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the archive is damaged here")
    }
}
