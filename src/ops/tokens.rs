//! Tokens of `greffe serve`: who may ask for what is not public. A token is shown once, when it is made; its file keeps the
//! digest alone, and nothing here writes a token anywhere else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::OpsError;
use crate::crypto::{Digest, fill_random};
use crate::model::{Pseudonym, Scope, Timestamp, TokenEntry};
use crate::store::replace_private_file;

/// What every token begins with, so that whoever finds one knows what it is.
pub const PREFIX: &str = "greffe_";
/// Characters of a token: the prefix, and 32 bytes as base64.
pub const LENGTH: usize = PREFIX.len() + 43;
/// The most tokens in a file; those that are of no use any more go first.
const MOST: usize = 1000;
/// Bytes of a file that is read.
const FILE_LIMIT: u64 = 1 << 20;
/// How long what was read of a file counts.
const FRESH: Duration = Duration::from_secs(1);

/// The tokens of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    version: u8,
    tokens: Vec<TokenEntry>,
}

/// Whom a token is for, what for, and until when.
#[derive(Clone, Debug)]
pub struct TokenTerms {
    pub holder: Pseudonym,
    pub scopes: BTreeSet<Scope>,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What a token that somebody shows is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    Known(TokenEntry),
    /// It was one, and is of no use any more.
    Ended(TokenEntry),
    Unknown,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { version: 1, tokens: Vec::new() }
    }
}

impl Tokens {
    /// The tokens, those that were made first at the front.
    #[must_use]
    pub fn entries(&self) -> &[TokenEntry] {
        &self.tokens
    }

    /// Makes a token: the text for its holder, and what is kept of it. `None` where there are too many that are of use.
    pub fn make(&mut self, terms: TokenTerms) -> Option<(Zeroizing<String>, TokenEntry)> {
        if self.tokens.len() >= MOST {
            self.tokens.retain(|token| token.counts_at(terms.made_at));
        }
        if self.tokens.len() >= MOST {
            return None;
        }
        let text = new_text();
        let TokenTerms { holder, scopes, made_at, expires_at } = terms;
        let digest = Digest::of(text.as_bytes());
        let entry =
            TokenEntry { id: self.new_id(), digest, holder, scopes, made_at, expires_at, revoked_at: None };
        self.tokens.push(entry.clone());
        Some((text, entry))
    }

    /// Revokes a token; `None` where there is none of that name. One that is revoked already stays as it is.
    pub fn revoke(&mut self, id: &str, at: Timestamp) -> Option<TokenEntry> {
        let token = self.tokens.iter_mut().find(|token| token.id == id)?;
        token.revoked_at.get_or_insert(at);
        Some(token.clone())
    }

    /// What a text is worth at this time. However much of it is right, and whichever token it is, all of them are compared
    /// to the end.
    #[must_use]
    pub fn judge(&self, text: &str, at: Timestamp) -> Shown {
        let shown = Digest::of(text.as_bytes());
        let mut found = None;
        for token in &self.tokens {
            if is_same(&token.digest, &shown) {
                found = Some(token);
            }
        }
        match found {
            Some(token) if token.counts_at(at) => Shown::Known(token.clone()),
            Some(token) => Shown::Ended(token.clone()),
            None => Shown::Unknown,
        }
    }

    fn new_id(&self) -> String {
        loop {
            let mut random = [0; 4];
            fill_random(&mut random);
            let id = HEXLOWER.encode(&random);
            if !self.tokens.iter().any(|token| token.id == id) {
                return id;
            }
        }
    }
}

fn new_text() -> Zeroizing<String> {
    let mut random = Zeroizing::new([0; 32]);
    fill_random(&mut *random);
    let secret = Zeroizing::new(BASE64URL_NOPAD.encode(&*random));
    Zeroizing::new([PREFIX, &secret].concat())
}

/// Whether both are the same, in a time that tells nothing of where they differ.
fn is_same(one: &Digest, other: &Digest) -> bool {
    let differing = one.0.iter().zip(other.0).fold(0, |found, (one, other)| found | (one ^ other));
    std::hint::black_box(differing) == 0
}

/// A file of tokens, which its owner alone may read.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    read: Mutex<Option<Last>>,
}

/// What was read last.
#[derive(Debug)]
struct Last {
    at: Instant,
    stamp: Option<Stamp>,
    tokens: Arc<Tokens>,
}

/// By what a file is told from what it was: device and number of the file, its length, when it changed.
type Stamp = (u64, u64, u64, i64, i64);

impl TokenFile {
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tokens as they were at most a second ago; none where there is no file.
    ///
    /// # Errors
    /// [`OpsError::File`] when it cannot be read or is no file of tokens. Nobody may be let in then.
    pub fn tokens(&self) -> Result<Arc<Tokens>, OpsError> {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last
            && last.at.elapsed() < FRESH
        {
            return Ok(Arc::clone(&last.tokens));
        }
        let stamp = stamp(&self.path);
        let tokens = match last.take() {
            Some(last) if last.stamp == stamp => last.tokens,
            _ => Arc::new(self.read_now()?),
        };
        *last = Some(Last { at: Instant::now(), stamp, tokens: Arc::clone(&tokens) });
        Ok(tokens)
    }

    fn read_now(&self) -> Result<Tokens, OpsError> {
        match File::open(&self.path) {
            Ok(file) => self.decode(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tokens::default()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    fn decode(&self, file: File) -> Result<Tokens, OpsError> {
        let mut bytes = Vec::new();
        file.take(FILE_LIMIT).read_to_end(&mut bytes).map_err(|error| self.failed("read", error))?;
        if bytes.is_empty() {
            return Ok(Tokens::default());
        }
        let malformed =
            |error: String| self.failed("read", io::Error::new(io::ErrorKind::InvalidData, error));
        let tokens: Tokens = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        match tokens.version {
            1 => Ok(tokens),
            other => Err(malformed(format!("it is of version {other}"))),
        }
    }

    /// Changes the file: all of the change is there afterwards, or nothing of it. Others who change it wait.
    ///
    /// # Errors
    /// [`OpsError::File`].
    pub fn change<T>(&self, change: impl FnOnce(&mut Tokens) -> T) -> Result<T, OpsError> {
        let file = self.lock().map_err(|error| self.failed("changed", error))?;
        let mut tokens = self.decode(file.try_clone().map_err(|error| self.failed("read", error))?)?;
        let result = change(&mut tokens);
        let malformed = |error: serde_json::Error| self.failed("written", error.into());
        let mut bytes = serde_json::to_vec_pretty(&tokens).map_err(malformed)?;
        bytes.push(b'\n');
        replace_private_file(&self.path, &bytes).map_err(|error| self.failed("written", error))?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(result)
    }

    /// The file that has the name while nobody else changes it.
    fn lock(&self) -> io::Result<File> {
        loop {
            let mut options = File::options();
            let file =
                options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            file.lock()?;
            // Whoever had it before may have put another in its place.
            if file.metadata()?.nlink() > 0 {
                return Ok(file);
            }
        }
    }

    fn failed(&self, done: &'static str, source: io::Error) -> OpsError {
        OpsError::File { path: self.path.clone(), done, source }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_microseconds(seconds * 1_000_000).unwrap()
    }

    fn terms(until: i64) -> TokenTerms {
        let (made_at, expires_at) = (time(0), time(until));
        TokenTerms { holder: Pseudonym::generate(), scopes: [Scope::Status].into(), made_at, expires_at }
    }

    #[test]
    fn a_token_counts_until_it_ends_or_is_revoked() {
        let mut tokens = Tokens::default();
        let (text, entry) = tokens.make(terms(100)).unwrap();
        let (other, kept) = tokens.make(terms(100)).unwrap();
        assert!(text.len() == LENGTH && text.starts_with(PREFIX) && *text != *other);
        assert_eq!(tokens.judge(&text, time(99)), Shown::Known(entry.clone()));
        assert_eq!(tokens.judge(&text, time(100)), Shown::Ended(entry.clone()));
        assert!(tokens.revoke("00000000x", time(5)).is_none());
        let revoked = tokens.revoke(&entry.id, time(5)).unwrap();
        assert_eq!(tokens.revoke(&entry.id, time(6)), Some(revoked.clone()));
        assert_eq!(tokens.judge(&text, time(7)), Shown::Ended(revoked));
        assert_eq!(tokens.judge(&other, time(7)), Shown::Known(kept));
        for wrong in
            ["", PREFIX, &text[1..], &text[..LENGTH - 1], &text.to_uppercase(), &format!("{} ", *text)]
        {
            assert_eq!(tokens.judge(wrong, time(7)), Shown::Unknown, "{wrong}");
        }
    }

    #[test]
    fn no_token_is_in_what_is_kept_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("tokens"));
        assert_eq!(*file.tokens().unwrap(), Tokens::default());
        let (text, entry) = file.change(|tokens| tokens.make(terms(100))).unwrap().unwrap();
        let written = std::fs::read_to_string(file.path()).unwrap();
        assert!(!written.contains(&text[PREFIX.len()..]) && written.contains(&entry.digest.to_string()));
        assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.tokens().unwrap().judge(&text, time(1)), Shown::Known(entry));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn many_who_change_it_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope
                    .spawn(|| TokenFile::new(path.clone()).change(|tokens| tokens.make(terms(100))).unwrap());
            }
        });
        assert_eq!(TokenFile::new(path).tokens().unwrap().entries().len(), 8);
    }

    #[test]
    fn a_file_that_is_none_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        for bad in
            ["{", "[]", "{\"version\":2,\"tokens\":[]}", "{\"version\":1,\"tokens\":[],\"more\":1}", "\0"]
        {
            std::fs::write(&path, bad).unwrap();
            let file = TokenFile::new(path.clone());
            assert!(file.tokens().is_err(), "{bad}");
            assert!(file.change(|tokens| tokens.make(terms(1))).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }

    #[test]
    fn there_are_only_so_many() {
        let mut tokens = Tokens::default();
        for _ in 0..MOST {
            assert!(tokens.make(terms(10)).is_some());
        }
        assert!(tokens.make(terms(10)).is_none());
        let late = TokenTerms { made_at: time(20), expires_at: time(30), ..terms(0) };
        assert!(tokens.make(late).is_some());
        assert_eq!(tokens.entries().len(), 1);
    }
}
