//! The requests of a witness, and the status codes of its specification.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State as Shared};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::state::{KeepError, State};
use super::{Cosigner, Logs, Report, StateError};
use crate::chain::witnessing::{Refusal, Signed};
use crate::codec::add_checkpoint::{AddCheckpoint, AddCheckpointError, REQUEST_LIMIT, SIZE_TYPE};
use crate::codec::note::{Note, encode_signatures};
use crate::crypto::Digest;

const TEXT: &str = "text/plain; charset=utf-8";

/// Where requests are answered.
pub struct Desk {
    /// One after the other, whoever asks.
    state: Mutex<State>,
    logs: Logs,
    cosigner: Cosigner,
    /// How long a request may take to arrive.
    patience: Duration,
    report: Report,
}

impl Desk {
    pub fn new(state: State, logs: Logs, cosigner: Cosigner, patience: Duration, report: Report) -> Self {
        Self { state: Mutex::new(state), logs, cosigner, patience, report }
    }

    fn broken(&self, error: &StateError) -> Response {
        (self.report)(&format!("error: {error}"));
        answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the witness cannot read or write its memory\n")
    }
}

pub fn routes(desk: &Arc<Desk>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(latest))
        .fallback(async || {
            answer(StatusCode::NOT_FOUND, TEXT, "there is nothing here; a witness has `add-checkpoint`\n")
        })
        .with_state(Arc::clone(desk))
}

/// Cosigns a checkpoint that continues the one that was cosigned last.
async fn add_checkpoint(Shared(desk): Shared<Arc<Desk>>, body: Body) -> Response {
    let bytes = match timeout(desk.patience, to_bytes(body, REQUEST_LIMIT)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return answer(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "the request is too large\n"),
        Err(_) => return answer(StatusCode::REQUEST_TIMEOUT, TEXT, "the request took too long\n"),
    };
    let request = match AddCheckpoint::decode(&bytes) {
        Ok(request) => request,
        Err(AddCheckpointError::TooLarge(_)) => {
            return answer(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "the request is too large\n");
        }
        Err(error) => return answer(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
    };
    let text = request.checkpoint.text.clone();
    let signed = match Signed::new(request, |origin| desk.logs.keys(origin)) {
        Ok(signed) => signed,
        Err(refusal) => return refuse(&refusal),
    };
    match desk.state.lock().await.keep(&signed).await {
        Ok(()) => {}
        Err(KeepError::State(error)) => return desk.broken(&error),
        Err(KeepError::Refused(refusal)) => {
            if matches!(refusal, Refusal::Inconsistent(_)) {
                // Signed by the log itself, so worth a look; or the proof is wrong.
                (desk.report)(&format!("note: {}: {refusal}", signed.origin()));
            }
            return refuse(&refusal);
        }
    }
    let lines = desk.cosigner.cosign(now(), &text);
    answer(StatusCode::OK, TEXT, encode_signatures(&lines))
}

fn refuse(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::UnknownOrigin(_) => StatusCode::NOT_FOUND,
        Refusal::Unsigned => StatusCode::FORBIDDEN,
        Refusal::Conflict(size) => return answer(StatusCode::CONFLICT, SIZE_TYPE, format!("{size}\n")),
        Refusal::Inconsistent(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    // What a client sent is not sent back.
    let reason = match refusal {
        Refusal::UnknownOrigin(_) => "no key is known for this log\n".to_owned(),
        other => format!("{other}\n"),
    };
    answer(status, TEXT, reason)
}

/// The checkpoint of a log that was cosigned last, cosigned once more: by the hash of its origin.
async fn latest(Shared(desk): Shared<Arc<Desk>>, Path(hash): Path<String>) -> Response {
    let absent = || answer(StatusCode::NOT_FOUND, TEXT, "no checkpoint of such a log was cosigned\n");
    let Some(hash) = Digest::parse_hex(&hash) else { return absent() };
    let origin = desk.logs.origins().find(|origin| Digest::of(origin.as_bytes()) == hash);
    let Some(origin) = origin else { return absent() };
    let found = match desk.state.lock().await.latest(origin).await {
        Ok(found) => found,
        Err(error) => return desk.broken(&error),
    };
    let Some(mut note) = found.and_then(|bytes| Note::decode(&bytes).ok()) else { return absent() };
    note.signatures.extend(desk.cosigner.cosign(now(), &note.text));
    answer(StatusCode::OK, TEXT, note.encode())
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// POSIX seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
