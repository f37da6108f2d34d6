//! Where verifications of chains ended, so that a later one goes on from there: a folder with two files for each chain,
//! named after the CID of its manifest 0. One is a text of a size that does not grow with the chain; the other an
//! SQLite file with what its entries said that must not be said twice, or has to be said before.
//!
//! All of it may be lost or thrown away: the next verification then reads the whole chain.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use data_encoding::HEXLOWER;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::chain::{Claim, Continued, Recall, SaidKey};
use crate::crypto::Digest;
use crate::model::Cid;
use crate::store::{create_directory, replace_file};

/// Far more than a standing has: its edges hold some thousands of links.
const LIMIT: u64 = 8 << 20;
/// How long to wait for another program that writes.
const BUSY: Duration = Duration::from_secs(10);
/// What the keys cover while they cover no standing.
const NOTHING: i64 = -1;
/// Keys that one statement takes.
const BATCH: usize = 4096;
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS said (key BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS upto (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL) STRICT;";

/// What an entry said: of which kind, and 16 bytes that stand for it.
type Key = [u8; 17];

/// The folder.
#[derive(Clone)]
pub struct Standings {
    directory: PathBuf,
}

impl Standings {
    /// The standings in `directory`, which is made when one is to be kept.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How a verification finds where an earlier one ended. What is damaged is not found.
    #[must_use]
    pub fn recall(&self) -> Recall {
        let standings = self.clone();
        Recall::new(move |chain| serde_json::from_slice(&standings.text(chain)?).ok())
    }

    /// Whether what new entries say of older ones holds; `false`, too, where that cannot be told.
    pub async fn agrees(&self, chain: &Cid, continued: &Continued) -> bool {
        let Some(since) = continued.since else { return true };
        let path = self.path(chain, "sqlite");
        let keys: Vec<(Key, bool)> = continued.claims.iter().map(key_of).collect();
        path.is_file() && agree(&path, since, &keys).await.unwrap_or(false)
    }

    /// Keeps where a verification ended, unless it ended with a finding.
    ///
    /// # Errors
    /// Those of the file system and of SQLite. Nothing is lost then but time.
    pub async fn keep(&self, continued: &Continued) -> io::Result<()> {
        let Some(standing) = &continued.standing else { return Ok(()) };
        if continued.since == Some(standing.size) {
            return Ok(());
        }
        create_directory(&self.directory)?;
        let (text, keys) = (self.path(&standing.chain, "json"), self.path(&standing.chain, "sqlite"));
        // The keys first: a standing whose keys are newer than itself is not believed.
        if let Err(error) = write_keys(&keys, standing.size, continued).await {
            if !matches!(error, sqlx::Error::Database(_)) {
                return Err(io::Error::other(error));
            }
            // Damaged, or of something else; it is made anew when all of the chain is read.
            for path in [&text, &keys] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            if continued.since.is_some() {
                return Ok(());
            }
            write_keys(&keys, standing.size, continued).await.map_err(io::Error::other)?;
        }
        let standing = serde_json::to_vec(standing).map_err(io::Error::other)?;
        let bytes = [first_line(&standing), standing].concat();
        replace_file(&text, &bytes)
    }

    fn text(&self, chain: &Cid) -> Option<Vec<u8>> {
        let path = self.path(chain, "json");
        if fs::metadata(&path).ok()?.len() > LIMIT {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let (digest, text) = bytes.split_at_checked(65)?;
        (digest == first_line(text)).then(|| text.to_vec())
    }

    fn path(&self, chain: &Cid, extension: &str) -> PathBuf {
        self.directory.join(format!("{chain}.{extension}"))
    }
}

/// The digest of a text, in hexadecimal digits and with a line feed.
fn first_line(text: &[u8]) -> Vec<u8> {
    format!("{}\n", Digest::of(text)).into_bytes()
}

async fn agree(path: &Path, size: u64, keys: &[(Key, bool)]) -> Result<bool, sqlx::Error> {
    let mut connection = options(path).read_only(true).connect().await?;
    if covered(&mut connection).await? != i64::try_from(size).ok() {
        return Ok(false);
    }
    for (key, said) in keys {
        let found: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM said WHERE key = $1")
            .bind(key.as_slice())
            .fetch_optional(&mut connection)
            .await?;
        if found.is_some() != *said {
            return Ok(false);
        }
    }
    connection.close().await?;
    Ok(true)
}

/// Entries whose keys are there.
async fn covered(connection: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    let found: Option<(i64,)> =
        sqlx::query_as("SELECT size FROM upto WHERE one = 1").fetch_optional(connection).await?;
    Ok(found.map(|(size,)| size))
}

async fn write_keys(path: &Path, size: u64, new: &Continued) -> Result<(), sqlx::Error> {
    let mut connection = options(path).create_if_missing(true).connect().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
    let since = new.since.and_then(|since| i64::try_from(since).ok());
    let goes_on = since.is_some() && covered(&mut transaction).await? == since;
    if !goes_on {
        sqlx::raw_sql("DELETE FROM said").execute(&mut *transaction).await?;
    }
    let events = new.said.events.iter().map(|event| (event_key(event), true));
    let versions = new.said.versions.iter().map(|(version, applied)| (applied_key(version), *applied));
    let mut said = (Vec::new(), Vec::new());
    for (key, holds) in events.chain(versions) {
        if holds { said.0.push(key) } else { said.1.push(key) }
    }
    // In the order of the tree, which is then written from left to right.
    said.0.sort_unstable();
    for (keys, statement) in [
        (said.1, "DELETE FROM said WHERE key IN (SELECT unhex(value) FROM json_each($1))"),
        (said.0, "INSERT OR IGNORE INTO said SELECT unhex(value) FROM json_each($1)"),
    ] {
        for batch in keys.chunks(BATCH) {
            let hex: Vec<String> = batch.iter().map(|key| HEXLOWER.encode(key)).collect();
            let list = format!("[\"{}\"]", hex.join("\",\""));
            sqlx::query(statement).bind(list).execute(&mut *transaction).await?;
        }
    }
    // What goes on from keys that are not there covers nothing, and all of the chain is read the next time.
    let size = if goes_on || since.is_none() { i64::try_from(size).unwrap_or(NOTHING) } else { NOTHING };
    sqlx::query("INSERT INTO upto VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET size = excluded.size")
        .bind(size)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    connection.close().await
}

/// The key of a claim, and whether it has to be there.
fn key_of(claim: &Claim) -> (Key, bool) {
    match claim {
        Claim::New { .. } => (event_key(&claim.key()), false),
        Claim::Version { applied, .. } => (applied_key(&claim.key()), *applied),
    }
}

/// There when an event has this identifier.
fn event_key(event: &SaidKey) -> Key {
    key(b'e', event)
}

/// There while a version is applied.
fn applied_key(version: &SaidKey) -> Key {
    key(b'v', version)
}

fn key(kind: u8, said: &SaidKey) -> Key {
    let mut key = [kind; 17];
    key[1..].copy_from_slice(said);
    key
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Normal)
        .disable_statement_logging()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Said;
    use crate::model::Codec;

    fn said(n: u64) -> SaidKey {
        u128::from(n).to_be_bytes()
    }

    fn keys(range: std::ops::Range<u64>) -> Vec<(SaidKey, bool)> {
        range.map(|n| (said(n), true)).collect()
    }

    fn continued(since: Option<u64>, versions: Vec<(SaidKey, bool)>) -> Continued {
        Continued {
            since,
            claims: vec![],
            standing: None,
            said: Said { events: versions.iter().map(|(key, _)| *key).collect(), versions },
        }
    }

    #[tokio::test]
    async fn keys_are_those_of_all_entries_or_nothing_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let (event, version) = (|n| event_key(&said(n)), |n| applied_key(&said(n)));
        write_keys(&path, 10_000, &continued(None, keys(0..10_000))).await.unwrap();
        let holds = [(event(9_999), true), (version(9_999), true), (event(10_000), false)];
        assert!(agree(&path, 10_000, &holds).await.unwrap());
        for wrong in [(event(9_999), false), (version(10_000), true)] {
            assert!(!agree(&path, 10_000, &[wrong]).await.unwrap());
        }
        assert!(!agree(&path, 9_999, &[]).await.unwrap());
        // It goes on: one more, and an older one is taken back.
        let more = continued(Some(10_000), vec![(said(10_000), true), (said(5), false)]);
        write_keys(&path, 10_001, &more).await.unwrap();
        let now = [(version(10_000), true), (version(5), false), (event(5), true), (version(6), true)];
        assert!(agree(&path, 10_001, &now).await.unwrap());
        // What goes on from something else is not believed.
        write_keys(&path, 20_001, &continued(Some(20_000), keys(1..2))).await.unwrap();
        assert!(!agree(&path, 20_001, &[(version(1), true)]).await.unwrap());
        write_keys(&path, 3, &continued(None, keys(7..8))).await.unwrap();
        assert!(agree(&path, 3, &[(version(7), true), (version(6), false)]).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_damaged_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let standings = Standings::new(directory.path().to_owned());
        let chain = Cid::of(Codec::DagCbor, b"chain");
        let text = standings.path(&chain, "json");
        let sound = [first_line(b"{}"), b"{}".to_vec()].concat();
        fs::write(&text, &sound).unwrap();
        assert_eq!(standings.text(&chain).as_deref(), Some(&b"{}"[..]));
        for bytes in [&sound[..64], &sound[..66], &[sound.clone(), vec![b' ']].concat(), b""] {
            fs::write(&text, bytes).unwrap();
            assert_eq!(standings.text(&chain), None);
        }
        let keys = standings.path(&chain, "sqlite");
        let since = continued(Some(1), vec![]);
        assert!(!standings.agrees(&chain, &since).await);
        for bytes in [vec![], vec![7; 5000]] {
            fs::write(&keys, bytes).unwrap();
            assert!(!standings.agrees(&chain, &since).await);
        }
        assert!(write_keys(&keys, 1, &since).await.is_err());
    }
}
