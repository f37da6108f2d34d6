//! What answers have in common: refusals, types of content by `Accept`, conditions, ranges. Reads no archive.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH,
    IF_RANGE, RANGE, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::model::Scope;

/// For what its address fixes for ever.
pub const FOR_EVER: &str = "public, max-age=29030400, immutable";
/// For what is different the next time.
pub const NOT_KEPT: &str = "no-store";

/// A refusal with its reason, which is text that this program wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    reason: &'static str,
    /// What a token would change (RFC 6750 §3).
    challenge: Option<&'static str>,
}

impl Refusal {
    pub const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason, challenge: None }
    }

    const fn challenged(status: StatusCode, reason: &'static str, challenge: &'static str) -> Self {
        Self { status, reason, challenge: Some(challenge) }
    }

    /// Without a token.
    pub const fn unauthorized() -> Self {
        let reason = "a token is needed: `Authorization: Bearer TOKEN`";
        Self::challenged(StatusCode::UNAUTHORIZED, reason, "Bearer realm=\"greffe\"")
    }

    /// With one that is none, or is of no use any more.
    pub const fn invalid_token() -> Self {
        let challenge = "Bearer realm=\"greffe\", error=\"invalid_token\"";
        Self::challenged(StatusCode::UNAUTHORIZED, "the token does not count", challenge)
    }

    /// With one that is for other things.
    pub const fn forbidden(scope: Scope) -> Self {
        let challenge = match scope {
            Scope::Read => "Bearer realm=\"greffe\", error=\"insufficient_scope\", scope=\"read\"",
            Scope::Status => "Bearer realm=\"greffe\", error=\"insufficient_scope\", scope=\"status\"",
            Scope::Heads => "Bearer realm=\"greffe\", error=\"insufficient_scope\", scope=\"heads\"",
            Scope::Report => "Bearer realm=\"greffe\", error=\"insufficient_scope\", scope=\"report\"",
            Scope::Queue => "Bearer realm=\"greffe\", error=\"insufficient_scope\", scope=\"queue\"",
            Scope::Accesses => "Bearer realm=\"greffe\", error=\"insufficient_scope\", scope=\"accesses\"",
        };
        Self::challenged(StatusCode::FORBIDDEN, "the token is not for this", challenge)
    }

    /// Where too many tokens were shown that are none.
    pub const fn guessing() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many tokens that do not count: wait")
    }

    /// Where something that is needed is not there.
    pub const fn unavailable(reason: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    }

    pub const fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub const fn absent(reason: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason)
    }

    /// When there is too much to do.
    pub const fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too much at once: ask again")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = answer("text/plain; charset=utf-8", NOT_KEPT, format!("{}\n", self.reason));
        *answer.status_mut() = self.status;
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            set(&mut answer, RETRY_AFTER, if self == Self::guessing() { "5" } else { "1" });
        }
        if let Some(challenge) = self.challenge {
            set(&mut answer, WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

/// An answer with a type and how long it may be kept.
pub fn answer(content_type: &'static str, keep: &'static str, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    set(&mut answer, CONTENT_TYPE, content_type);
    set(&mut answer, CACHE_CONTROL, keep);
    answer
}

/// What no answer lacks: a browser runs nothing of it, frames it nowhere, takes it for no other type, and tells nobody
/// where it was read.
pub fn shield(answer: &mut Response) {
    const POLICY: &str =
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";
    set(answer, CONTENT_SECURITY_POLICY, POLICY);
    set(answer, X_FRAME_OPTIONS, "DENY");
    set(answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(answer, REFERRER_POLICY, "no-referrer");
    set(answer, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    answer.headers_mut().entry(resource).or_insert(HeaderValue::from_static("same-origin"));
}

/// Sets a header.
pub fn set(answer: &mut Response, name: HeaderName, value: &'static str) {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
}

/// Sets a header to text that this program made.
pub fn set_text(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The text of all headers of this name as one list.
fn list(headers: &HeaderMap, name: HeaderName) -> String {
    let texts: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    texts.join(",")
}

/// One entry of `Accept`.
pub struct Media<'a> {
    /// In lower case.
    pub name: String,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Media<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        Self { name, parameters: parameters.map(|(name, value)| (name.trim(), value.trim())).collect() }
    }

    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let found = self.parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim_matches('"'))
    }

    /// In thousandths; what is no number counts as nothing.
    fn quality(&self) -> u32 {
        let quality = self.parameter("q").map_or(Ok(1.0), str::parse::<f64>).unwrap_or(0.0);
        (quality.clamp(0.0, 1.0) * 1000.0) as u32
    }
}

/// What `choose` makes of the entry of `Accept` that the client likes best among those it knows; `None` without one.
pub fn accepted<T>(headers: &HeaderMap, choose: impl Fn(&Media<'_>) -> Option<T>) -> Option<T> {
    let text = list(headers, ACCEPT);
    let mut best: Option<(u32, T)> = None;
    for media in text.split(',').map(Media::parse) {
        let quality = media.quality();
        if quality > best.as_ref().map_or(0, |(quality, _)| *quality)
            && let Some(chosen) = choose(&media)
        {
            best = Some((quality, chosen));
        }
    }
    best.map(|(_, chosen)| chosen)
}

/// Whether the client has what this tag names already.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = list(headers, IF_NONE_MATCH);
    known.split(',').any(|known| known.trim() == "*" || strong(known) == strong(tag))
}

/// `304` for an answer that would have had these headers.
pub fn not_modified(mut answer: Response) -> Response {
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    *answer.body_mut() = Body::empty();
    let kept = [ETAG, CACHE_CONTROL, VARY];
    let others: Vec<HeaderName> =
        answer.headers().keys().filter(|name| !kept.contains(name)).cloned().collect();
    for name in others {
        answer.headers_mut().remove(name);
    }
    answer
}

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    All,
    Part(Range<usize>),
    /// None of those that there are.
    Nothing,
}

/// Reads `Range` for something of so many bytes that `tag` names (RFC 9110 §14). What is no single range of bytes
/// asks for all.
pub fn range(headers: &HeaderMap, tag: &str, length: usize) -> Asked {
    let mut values = headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Asked::All };
    if headers.get(IF_RANGE).is_some_and(|known| known.as_bytes() != tag.as_bytes()) {
        return Asked::All;
    }
    value.to_str().ok().and_then(|text| parse_range(text, length)).unwrap_or(Asked::All)
}

fn parse_range(text: &str, length: usize) -> Option<Asked> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let part = match (first, last) {
        (None, None) => return None,
        (Some(first), Some(last)) if first > last => return None,
        (Some(first), last) => first..last.map_or(length, |last| last.saturating_add(1).min(length)),
        (None, Some(last)) => length.saturating_sub(last)..length,
    };
    Some(if part.start < part.end { Asked::Part(part) } else { Asked::Nothing })
}

/// A number, the largest for what is larger; `Some(None)` for no digits at all.
fn number(text: &str) -> Option<Option<usize>> {
    match text {
        "" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(usize::MAX))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn ranges_never_overflow() {
        let asked = |text: &str| range(&headers(RANGE, text), "\"t\"", 10);
        for (text, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=3-", Asked::Part(3..10)),
            ("bytes=0-99", Asked::Part(0..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=0-18446744073709551615", Asked::Part(0..10)),
            ("bytes=0-99999999999999999999999999", Asked::Part(0..10)),
            ("bytes=-99999999999999999999999999", Asked::Part(0..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=18446744073709551615-18446744073709551615", Asked::Nothing),
            ("bytes=99999999999999999999999999-", Asked::Nothing),
            ("bytes=5-3", Asked::All),
            ("bytes=-", Asked::All),
            ("bytes=a-b", Asked::All),
            ("bytes=+1-3", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("lines=0-1", Asked::All),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        assert_eq!(range(&headers(RANGE, "bytes=0-"), "\"t\"", 0), Asked::Nothing);
        let mut both = headers(RANGE, "bytes=0-0");
        both.insert(IF_RANGE, HeaderValue::from_static("\"t\""));
        assert_eq!(range(&both, "\"t\"", 10), Asked::Part(0..1));
        assert_eq!(range(&both, "\"other\"", 10), Asked::All);
    }

    #[test]
    fn the_best_liked_of_what_is_known_is_chosen() {
        let choose = |text: &str| {
            accepted(&headers(ACCEPT, text), |media| {
                ["a/x", "a/y"].contains(&&*media.name).then(|| media.name.clone())
            })
        };
        assert_eq!(choose("a/x;q=0.5, a/Y; v=1 ,b/z").as_deref(), Some("a/y"));
        assert_eq!(choose("a/x,a/y").as_deref(), Some("a/x"));
        assert_eq!(choose("a/x;q=0,b/z"), None);
        assert_eq!(choose("a/x;q=nonsense"), None);
        assert_eq!(choose(""), None);
        let version = accepted(&headers(ACCEPT, "a/x; Version=\"1\""), |media| {
            media.parameter("version").map(str::to_owned)
        });
        assert_eq!(version.as_deref(), Some("1"));
    }

    #[test]
    fn tags_are_compared_weakly() {
        let known = |text: &str| is_known(&headers(IF_NONE_MATCH, text), "\"t\"");
        assert!(known("\"t\"") && known("W/\"t\"") && known("\"a\", \"t\"") && known("*"));
        assert!(!known("\"u\"") && !known("t") && !known(""));
    }
}
