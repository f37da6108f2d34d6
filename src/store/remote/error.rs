//! What can go wrong with a node or service elsewhere.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::model::Cid;

/// Why a node or service did not do what was asked. No text holds a secret; what the other side said is cut short
/// and has no control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it cannot be reached: nobody listens there")]
    NobodyListens,
    #[error("it did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("it refuses the authorization that it was given, or wants one")]
    Unauthorized,
    #[error("it answered with status {status}{}", said(detail))]
    Refused { status: u16, detail: String },
    /// It understood, and says why it could not.
    #[error("it could not do it: {0}")]
    Failed(String),
    /// It was told what to keep, and time ended before it had all of it.
    #[error("it is still fetching what it shall keep")]
    Pending,
    #[error("its answer is not what was asked for: {0}")]
    Malformed(String),
    #[error("it sent more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("what it sent as {0} has another hash")]
    Lied(Cid),
    #[error("it said that it keeps {0}, and does not give it back")]
    Lost(Cid),
    /// What is brought does not replace it.
    #[error("its block {0} is damaged; `greffe replicas --repair` replaces it")]
    Damaged(Cid),
    #[error(
        "its block {cid} is damaged, and cannot be replaced while another pin holds it ({said}): take that pin away"
    )]
    Held { cid: Cid, said: String },
    #[error("it cannot do this: {0}")]
    Unsupported(&'static str),
}

impl RemoteError {
    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NobodyListens | Self::TimedOut(_) => true,
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

fn said(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

/// What was sent to authorize; no text from elsewhere that repeats it is shown with it.
static SECRETS: RwLock<Vec<Zeroizing<String>>> = RwLock::new(Vec::new());
/// Shorter ones stand in texts by chance.
const SHORTEST_SECRET: usize = 4;

/// Takes note of a secret that texts from elsewhere may repeat.
pub fn remember_secret(secret: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SHORTEST_SECRET && !secrets.iter().any(|known| **known == secret) {
        secrets.push(Zeroizing::new(secret.to_owned()));
    }
}

/// At most 200 characters of what the other side said, on one line, without what it was told to let us in.
#[must_use]
pub fn printable(text: &[u8]) -> String {
    const LONGEST: usize = 200;
    /// Enough for a secret that begins among them.
    const LOOKED_AT: usize = 8192;
    let mut text = String::from_utf8_lossy(text.get(..LOOKED_AT).unwrap_or(text)).into_owned();
    for secret in SECRETS.read().unwrap_or_else(PoisonError::into_inner).iter() {
        text = text.replace(secret.as_str(), "[secret]");
    }
    let words = text.split(|character: char| character.is_whitespace() || character.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(LONGEST).collect();
    if line.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_repeat_of_a_secret_is_struck_out() {
        remember_secret("geheim-of-this-test");
        remember_secret("ab");
        let said = printable(b"Authorization: Bearer geheim-of-this-test\r\nab");
        assert_eq!(said, "Authorization: Bearer [secret] ab");
        let late = format!("{}geheim-of-this-test", "x".repeat(195));
        assert!(!printable(late.as_bytes()).contains("gehe"));
    }

    #[test]
    fn what_others_said_is_one_short_line() {
        assert_eq!(printable(b"a\r\n\x1b[31mb\0 c"), "a [31mb c");
        assert_eq!(printable(&[b'x'; 5000]).chars().count(), 201);
        assert_eq!(printable(b"\xff"), "\u{fffd}");
    }
}
