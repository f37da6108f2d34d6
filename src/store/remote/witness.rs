//! A witness elsewhere, which is shown checkpoints and cosigns them (C2SP tlog-witness).

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use url::Url;

use super::error::printable;
use super::{Http, Patience, RemoteError};
use crate::codec::add_checkpoint::{AddCheckpoint, PATH, SIZE_TYPE, parse_size};
use crate::codec::note::{NOTE_LIMIT, NoteSignature, decode_signatures};
use crate::crypto::Digest;

/// Bytes of an answer that are read: room for many lines by large keys.
const ANSWER_LIMIT: u64 = 64 << 10;

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Its lines, and whose else it sends; nothing of them is verified.
    Cosigned(Vec<NoteSignature>),
    /// It cosigned a checkpoint of this size last.
    HasSize(u64),
    /// It says that this checkpoint does not continue the one that it cosigned.
    Inconsistent(String),
    /// It knows no log of this name.
    UnknownLog,
    /// It knows the log by another key.
    OtherKey,
}

/// A witness at its submission prefix, and at its monitoring prefix.
#[derive(Clone)]
pub struct Witness {
    submission: Http,
    monitoring: Http,
}

impl Witness {
    /// A client of the witness that takes checkpoints below `submission` and shows them below `monitoring`; the paths of
    /// both end with `/`.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] when this system has no certificates or no randomness.
    pub fn new(submission: Url, monitoring: Url, patience: Patience) -> Result<Self, RemoteError> {
        let monitoring = Http::new(monitoring, None, patience)?;
        Ok(Self { submission: Http::new(submission, None, patience)?, monitoring })
    }

    /// How long it is waited for.
    #[must_use]
    pub const fn patience(&self) -> &Patience {
        self.submission.patience()
    }

    /// The note of the checkpoint that it cosigned last for the log of this origin, not verified; `None` where it shows
    /// none.
    ///
    /// # Errors
    /// [`RemoteError`]; [`RemoteError::TooLarge`] for more than a note may have.
    pub async fn checkpoint(&self, origin: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        let path = format!("{}/checkpoint", Digest::of(origin.as_bytes()));
        self.monitoring.get(&path, NOTE_LIMIT as u64).await
    }

    /// Asks for cosignatures, again while it cannot be reached.
    ///
    /// # Errors
    /// [`RemoteError`] for what is no answer of a witness.
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Answered, RemoteError> {
        let body = request.encode();
        let patience = *self.submission.patience();
        patience.retry(async || self.ask(body.clone()).await).await
    }

    async fn ask(&self, body: Vec<u8>) -> Result<Answered, RemoteError> {
        let request = self.submission.request(Method::POST, PATH, &[])?.body(body);
        let answer = self.submission.answer(request, ANSWER_LIMIT).await?;
        let text = || std::str::from_utf8(&answer.body).ok();
        match answer.status {
            200 => {
                let lines = decode_signatures(&answer.body);
                Ok(Answered::Cosigned(lines.map_err(|error| RemoteError::Malformed(error.to_string()))?))
            }
            403 => Ok(Answered::OtherKey),
            404 => Ok(Answered::UnknownLog),
            409 => {
                // Older witnesses say so, without a size, where two trees of one size differ.
                let typed = answer.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == SIZE_TYPE);
                let size = text().and_then(|text| parse_size(text.strip_suffix('\n')?));
                Ok(match size.filter(|_| typed) {
                    Some(size) => Answered::HasSize(size),
                    None => Answered::Inconsistent(printable(&answer.body)),
                })
            }
            422 => Ok(Answered::Inconsistent(printable(&answer.body))),
            _ => Err(answer.refusal()),
        }
    }
}
