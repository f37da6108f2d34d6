//! Who may read what: tokens, and how often an address may show one that is none. No token leaves this file.

use std::net::IpAddr;
use std::time::Instant;

use axum::http::header::{AUTHORIZATION, HeaderMap};

use super::answer::Refusal;
use super::bucket::Buckets;
use crate::model::{Pseudonym, Scope};
use crate::ops::now;
use crate::ops::tokens::{LENGTH, PREFIX, Shown, TokenFile};

/// Tokens of nobody that an address may show at once, and each second from then on.
const GUESSES: f64 = 20.0;
const GUESSES_EACH_SECOND: f64 = 0.2;

/// What lets clients in.
pub struct Guard {
    tokens: TokenFile,
    /// Whether what is public elsewhere needs a token here.
    all: bool,
    guesses: Buckets,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// `None` where no token was needed, or none that is known was shown.
    pub holder: Option<Pseudonym>,
    /// What the token is called.
    pub token: Option<String>,
    /// Whether a token was shown and refused.
    pub refused: bool,
}

impl Guard {
    pub fn new(tokens: TokenFile, all: bool) -> Self {
        Self { tokens, all, guesses: Buckets::slow(GUESSES_EACH_SECOND, GUESSES) }
    }

    /// The scope that a request needs; `None` where everybody may ask.
    pub fn needs(&self, scope: Option<Scope>) -> Option<Scope> {
        scope.or(self.all.then_some(Scope::Read))
    }

    /// Lets a client in, or says why not. Whatever was shown, as much is done before the answer.
    pub fn admit(
        &self,
        scope: Option<Scope>,
        client: IpAddr,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> (Who, Result<(), Refusal>) {
        let Some(scope) = self.needs(scope) else { return (Who::default(), Ok(())) };
        if query.is_some_and(has_token) {
            let reason = "a token stands in the header `Authorization`, never in a URL: revoke this one";
            return (Who { refused: true, ..Who::default() }, Err(Refusal::bad(reason)));
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let (Some(header), None) = (shown.next(), shown.next()) else {
            return (Who::default(), Err(Refusal::unauthorized()));
        };
        let text = header.to_str().ok().and_then(bearer).unwrap_or_default();
        let judged = match self.tokens.tokens() {
            Ok(tokens) => tokens.judge(text, now()),
            Err(_) => {
                let reason = "tokens cannot be checked now";
                return (Who { refused: true, ..Who::default() }, Err(Refusal::unavailable(reason)));
            }
        };
        self.decide(scope, client, judged)
    }

    fn decide(&self, scope: Scope, client: IpAddr, judged: Shown) -> (Who, Result<(), Refusal>) {
        match judged {
            // However often this address guessed: of 256 bits nobody guesses any, and whoever shares an address could shut out
            // all others of it.
            Shown::Known(token) => {
                let allowed = token.scopes.contains(&scope);
                let who = Who { holder: Some(token.holder), token: Some(token.id), refused: !allowed };
                (who, if allowed { Ok(()) } else { Err(Refusal::forbidden(scope)) })
            }
            Shown::Ended(_) | Shown::Unknown => {
                let refusal = match self.guesses.take(client, Instant::now()) {
                    true => Refusal::invalid_token(),
                    false => Refusal::guessing(),
                };
                let (holder, token) = match judged {
                    Shown::Ended(token) => (Some(token.holder), Some(token.id)),
                    _ => (None, None),
                };
                (Who { holder, token, refused: true }, Err(refusal))
            }
        }
    }
}

/// The token of `Bearer TOKEN`; what has not the length of one is none.
fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && token.len() == LENGTH).then_some(token)
}

/// Whether a query has a token, or what is called one (RFC 6750 §2.3).
fn has_token(query: &str) -> bool {
    let is_token = |text: &str| text.len() == LENGTH && text.starts_with(PREFIX);
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name.eq_ignore_ascii_case("access_token") || is_token(&name) || is_token(&value))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, StatusCode};

    use super::*;
    use crate::model::Timestamp;
    use crate::ops::tokens::TokenTerms;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    struct Case {
        guard: Guard,
        text: String,
        _folder: tempfile::TempDir,
    }

    fn case(scopes: &[Scope], days: i64) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("tokens"));
        let expires_at =
            Timestamp::from_microseconds(now().as_microseconds() + days * 86_400_000_000).unwrap();
        let scopes = scopes.iter().copied().collect();
        let terms = TokenTerms { holder: Pseudonym::generate(), scopes, made_at: now(), expires_at };
        let (text, _) = file.change(|tokens| tokens.make(terms)).unwrap().unwrap();
        Case { guard: Guard::new(file, false), text: text.to_string(), _folder: folder }
    }

    impl Case {
        fn ask(&self, scope: Scope, said: &str) -> (Who, u16) {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(said).unwrap())]);
            let (who, admitted) = self.guard.admit(Some(scope), HERE, &headers, None);
            (who, admitted.map_or_else(|refusal| refusal.status.as_u16(), |()| 200))
        }
    }

    #[test]
    fn a_token_opens_what_its_scopes_name() {
        let case = case(&[Scope::Status], 1);
        for said in [format!("Bearer {}", case.text), format!("bEARER  {} ", case.text)] {
            let (who, status) = case.ask(Scope::Status, &said);
            assert_eq!((status, who.holder.is_some(), who.refused), (200, true, false), "{said}");
        }
        let (who, status) = case.ask(Scope::Report, &format!("Bearer {}", case.text));
        assert_eq!((status, who.holder.is_some(), who.refused), (403, true, true));
        for said in ["", "Bearer", "Bearer ", "Basic eDp5", &case.text, &format!("Bearer {}x", case.text)] {
            assert_eq!(case.ask(Scope::Status, said).1, 401, "{said}");
        }
        let (who, admitted) = case.guard.admit(Some(Scope::Status), HERE, &HeaderMap::new(), None);
        assert_eq!((who, admitted.unwrap_err().status), (Who::default(), StatusCode::UNAUTHORIZED));
        let right = ["token", "x"].map(|name| format!("{name}={}", case.text));
        for query in ["x=1&access_token=greffe_x", "Access_Token=", &right[0], &right[1], &case.text] {
            let (who, admitted) = case.guard.admit(Some(Scope::Status), HERE, &HeaderMap::new(), Some(query));
            assert_eq!(
                (who.refused, admitted.unwrap_err().status),
                (true, StatusCode::BAD_REQUEST),
                "{query}"
            );
            assert_eq!(case.guard.admit(None, HERE, &HeaderMap::new(), Some(query)).1, Ok(()));
        }
        let other = case.guard.admit(Some(Scope::Status), HERE, &HeaderMap::new(), Some("x=greffe_x"));
        assert_eq!(other.1.unwrap_err().status, StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn one_that_ended_is_answered_as_one_that_never_was_and_its_holder_is_known() {
        let case = case(&[Scope::Status], 0);
        let (who, status) = case.ask(Scope::Status, &format!("Bearer {}", case.text));
        assert_eq!((status, who.holder.is_some(), who.refused), (401, true, true));
    }

    #[test]
    fn who_guesses_is_held_up_and_nobody_else() {
        let case = case(&[Scope::Status], 1);
        let wrong = format!("Bearer {}", "x".repeat(LENGTH));
        let statuses: Vec<u16> = (0..10_000).map(|_| case.ask(Scope::Status, &wrong).1).collect();
        let refused = statuses.iter().filter(|status| **status == 401).count();
        assert!((20..30).contains(&refused) && statuses.last() == Some(&429), "{refused}");
        // Others who have the same address are let in all the same, and it may not guess more for that.
        assert_eq!(case.ask(Scope::Status, &format!("Bearer {}", case.text)).1, 200);
        assert_eq!(case.ask(Scope::Status, &wrong).1, 429);
    }

    #[test]
    fn a_file_that_cannot_be_read_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, "{").unwrap();
        let guard = Guard::new(TokenFile::new(path), true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer x"))]);
        let refusal = guard.admit(None, HERE, &headers, None).1.unwrap_err();
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
