//! `/metrics`, `/healthz` and `/readyz`: what scrapers and supervisors ask for, within the limits of `greffe serve`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::CONTENT_TYPE as METRICS;
use crate::server::{Listener, Stop};

const TEXT: &str = "text/plain; charset=utf-8";

/// What was written last for whoever asks.
pub struct Board {
    page: Mutex<Page>,
    /// A round that takes longer has hung.
    longest: Duration,
}

struct Page {
    metrics: String,
    /// When the program last showed that it lives.
    alive: Instant,
    /// Whether a round has ended.
    ready: bool,
}

impl Board {
    /// An empty one. `longest`: how long the program may show nothing before it counts as hung.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        let page = Page { metrics: "# EOF\n".to_owned(), alive: Instant::now(), ready: false };
        Self { page: Mutex::new(page), longest }
    }

    /// Shows new metrics; `ready`: a round has ended.
    pub fn write(&self, metrics: String, ready: bool) {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        page.metrics = metrics;
        page.ready |= ready;
        page.alive = Instant::now();
    }

    /// Shows that the program lives.
    pub fn touch(&self) {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).alive = Instant::now();
    }

    fn read<T>(&self, read: impl FnOnce(&Page) -> T) -> T {
        read(&self.page.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers until it is stopped.
///
/// # Errors
/// Those of the system.
pub fn serve(listener: Listener, board: &Arc<Board>, stop: &Stop) -> io::Result<()> {
    listener.run(routes(board), stop)
}

fn routes(board: &Arc<Board>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .fallback(async || {
            answer(StatusCode::NOT_FOUND, TEXT, "here are /metrics, /healthz and /readyz\n".to_owned())
        })
        .method_not_allowed_fallback(async || {
            answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this is read, and nothing else\n".to_owned())
        })
        .with_state(Arc::clone(board))
}

async fn metrics(State(board): State<Arc<Board>>) -> Response {
    answer(StatusCode::OK, METRICS, board.read(|page| page.metrics.clone()))
}

async fn health(State(board): State<Arc<Board>>) -> Response {
    said(board.read(|page| page.alive.elapsed()) <= board.longest, "alive\n", "a round hangs\n")
}

async fn readiness(State(board): State<Arc<Board>>) -> Response {
    said(board.read(|page| page.ready), "ready\n", "the first round has not ended\n")
}

fn said(holds: bool, yes: &str, no: &str) -> Response {
    let (status, text) = if holds { (StatusCode::OK, yes) } else { (StatusCode::SERVICE_UNAVAILABLE, no) };
    answer(status, TEXT, text.to_owned())
}

fn answer(status: StatusCode, content_type: &'static str, text: String) -> Response {
    let mut answer = (status, text).into_response();
    for (name, value) in
        [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")]
    {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
