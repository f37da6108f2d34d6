//! What all requests share: the archives, the limits, and the few threads that read files.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Refusal;
use super::shelf::Shelf;
use super::{Limits, Options, ServeError};
use crate::model::ChainName;

/// How long a request waits for a thread that reads.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reports that are told once each; how many there are must not be for clients to say.
const REPORTS: usize = 1000;

/// Says something to whoever runs the server.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// What requests are answered from.
pub struct Site {
    pub shelf: Shelf,
    pub chain: Option<ChainName>,
    /// Multiaddresses of this server.
    pub announce: Vec<String>,
    readers: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    report: Report,
    reported: Mutex<HashSet<String>>,
}

impl Site {
    pub fn open(options: &Options, announce: Vec<String>, report: Report) -> Result<Arc<Self>, ServeError> {
        let Limits { readers, streams, .. } = options.limits;
        Ok(Arc::new(Self {
            shelf: Shelf::open(&options.directory, options.chain.as_ref(), options.all)?,
            chain: options.chain.clone(),
            announce,
            readers: Arc::new(Semaphore::new(readers)),
            streams: Arc::new(Semaphore::new(streams)),
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

    /// The right to stream a CAR.
    ///
    /// # Errors
    /// `503` when as many as may be are under way.
    pub fn stream(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Refusal::busy())
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
