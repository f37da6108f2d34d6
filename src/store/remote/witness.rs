//! A witness elsewhere, which is shown checkpoints and cosigns them (C2SP tlog-witness).

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use url::Url;

use super::error::printable;
use super::{Http, Patience, RemoteError};
use crate::codec::add_checkpoint::{AddCheckpoint, PATH, SIZE_TYPE, parse_size};
use crate::codec::note::{NoteSignature, decode_signatures};

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

/// A witness at its submission prefix.
#[derive(Clone)]
pub struct Witness(Http);

impl Witness {
    /// A client of the witness below `prefix`, whose path ends with `/`.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] when this system has no certificates or no randomness.
    pub fn new(prefix: Url, patience: Patience) -> Result<Self, RemoteError> {
        Ok(Self(Http::new(prefix, None, patience)?))
    }

    /// How long it is waited for.
    #[must_use]
    pub const fn patience(&self) -> &Patience {
        self.0.patience()
    }

    /// Asks for cosignatures, again while it cannot be reached.
    ///
    /// # Errors
    /// [`RemoteError`] for what is no answer of a witness.
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Answered, RemoteError> {
        let body = request.encode();
        let patience = *self.0.patience();
        patience.retry(async || self.ask(body.clone()).await).await
    }

    async fn ask(&self, body: Vec<u8>) -> Result<Answered, RemoteError> {
        let request = self.0.request(Method::POST, PATH, &[])?.body(body);
        let answer = self.0.answer(request, ANSWER_LIMIT).await?;
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
