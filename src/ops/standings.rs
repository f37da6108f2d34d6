//! Where verifications of chains ended, so that a later one goes on from there: a folder with an SQLite file for each
//! chain, named after the CID of its manifest 0. It holds the standing, and what the entries so far said that must not be
//! said twice, or has to be said before.
//!
//! All of it may be thrown away: the next verification then reads the whole chain.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use data_encoding::HEXLOWER;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::chain::{Claim, Continued, Recall, SaidKey, Standing, version_key};
use crate::crypto::Digest;
use crate::model::Cid;
use crate::store::create_directory;

/// How long to wait for another program that writes.
const BUSY: Duration = Duration::from_secs(10);
/// Keys that one statement takes.
const BATCH: usize = 4096;
/// What a standing was made by: another version may find what this one lets pass.
const MADE_BY: &str = env!("CARGO_PKG_VERSION");
/// SQLite's codes for a damaged file, for one of something else, and for tables that are not these.
const DAMAGED: [&str; 3] = ["11", "26", "1"];
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS standing (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        made_by TEXT NOT NULL, size INTEGER NOT NULL, last TEXT NOT NULL, text BLOB NOT NULL, digest BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS said (key BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;";

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

    /// How a verification finds where an earlier one ended. What is damaged, or was made by another version of greffe, is
    /// not found.
    #[must_use]
    pub fn recall(&self) -> Recall {
        let standings = self.clone();
        Recall::new(move |chain| {
            let path = standings.path(chain);
            // Whoever asks may be in the middle of something that waits for others.
            let reading = std::thread::spawn(move || read_standing(&path));
            reading.join().ok().flatten()
        })
    }

    /// Whether what new entries say of older ones holds; `false`, too, where that cannot be told, or where the standing is
    /// another one by now. Of a verification that read all there is nothing to ask.
    pub async fn agrees(&self, chain: &Cid, continued: &Continued) -> bool {
        if continued.since.is_none() {
            return true;
        }
        let path = self.path(chain);
        path.is_file() && agree(&path, continued).await.unwrap_or(false)
    }

    /// Keeps where a verification ended, unless it ended with a finding. A longer standing stays.
    ///
    /// # Errors
    /// Those of the file system and of SQLite. Nothing is lost then but time.
    pub async fn keep(&self, continued: &Continued) -> io::Result<()> {
        let Some(standing) = &continued.standing else { return Ok(()) };
        create_directory(&self.directory)?;
        let path = self.path(&standing.chain);
        let Err(error) = write(&path, standing, continued).await else { return Ok(()) };
        let code = error.as_database_error().and_then(|error| error.code());
        if !code.is_some_and(|code| DAMAGED.contains(&&*code)) {
            return Err(io::Error::other(error));
        }
        for path in [path.with_extension("sqlite-journal"), path.clone()] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match continued.since {
            // It is made anew when all of the chain is read.
            Some(_) => Ok(()),
            None => write(&path, standing, continued).await.map_err(io::Error::other),
        }
    }

    fn path(&self, chain: &Cid) -> PathBuf {
        self.directory.join(format!("{chain}.sqlite"))
    }
}

fn read_standing(path: &Path) -> Option<Standing> {
    if !path.is_file() {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().enable_io().build().ok()?;
    runtime.block_on(async {
        let mut connection = options(path).connect().await.ok()?;
        let found = found(&mut connection).await.ok()?;
        connection.close().await.ok()?;
        found
    })
}

/// The standing in a file, if it is whole and of this version.
async fn found(connection: &mut SqliteConnection) -> Result<Option<Standing>, sqlx::Error> {
    let row: Option<(String, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT made_by, text, digest FROM standing WHERE one = 1")
            .fetch_optional(connection)
            .await?;
    let sound =
        row.filter(|(made_by, text, digest)| made_by == MADE_BY && Digest::of(text).0[..] == digest[..]);
    Ok(sound.and_then(|(_, text, _)| serde_json::from_slice(&text).ok()))
}

/// Where it is, without reading it: how many entries, and the newest manifest.
async fn place(connection: &mut SqliteConnection) -> Result<Option<(u64, Cid)>, sqlx::Error> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT size, last FROM standing WHERE one = 1 AND made_by = $1")
            .bind(MADE_BY)
            .fetch_optional(connection)
            .await?;
    Ok(row.and_then(|(size, last)| Some((u64::try_from(size).ok()?, last.parse().ok()?))))
}

async fn agree(path: &Path, continued: &Continued) -> Result<bool, sqlx::Error> {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for claim in &continued.claims {
        match claim {
            Claim::New { id, .. } => missing.push(key(b'e', &id.to_bytes())),
            Claim::Version { version, applied: true, .. } => there.push(key(b'v', &version_key(version))),
            Claim::Version { version, applied: false, .. } => missing.push(key(b'v', &version_key(version))),
            Claim::Unstolen { .. } => return Ok(false),
        }
    }
    let mut connection = options(path).connect().await?;
    // All of it as it was at one moment.
    let mut transaction = connection.begin().await?;
    let mut agrees = place(&mut transaction).await? == continued.since;
    for (keys, expected) in [(there, true), (missing, false)] {
        for batch in keys.chunks(BATCH) {
            let (count,): (i64,) = sqlx::query_as(
                "SELECT count(*) FROM json_each($1) WHERE unhex(value) IN (SELECT key FROM said)",
            )
            .bind(list(batch))
            .fetch_one(&mut *transaction)
            .await?;
            let wanted = if expected { batch.len() } else { 0 };
            agrees &= usize::try_from(count) == Ok(wanted);
        }
    }
    drop(transaction);
    connection.close().await?;
    Ok(agrees)
}

async fn write(path: &Path, standing: &Standing, new: &Continued) -> Result<(), sqlx::Error> {
    let text = serde_json::to_vec(standing).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let mut connection = options(path).create_if_missing(true).connect().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
    let there = place(&mut transaction).await?;
    let goes_on = new.since.is_some() && there == new.since;
    // Somebody was faster, or it is of an older head. What cannot be gone on from stays for nobody.
    let is_longer = there.is_some_and(|(size, _)| size > standing.size);
    if (new.since.is_some() && !goes_on) || (is_longer && found(&mut transaction).await?.is_some()) {
        return Ok(());
    }
    if !goes_on {
        sqlx::raw_sql("DELETE FROM said").execute(&mut *transaction).await?;
    }
    let events = new.said.events.iter().map(|event| (key(b'e', event), true));
    let versions = new.said.versions.iter().map(|(version, applied)| (key(b'v', version), *applied));
    let (mut said, mut unsaid) = (Vec::new(), Vec::new());
    for (key, holds) in events.chain(versions) {
        if holds { &mut said } else { &mut unsaid }.push(key);
    }
    let (size, last) = standing.place();
    // In the order of the tree, which is then written from left to right.
    said.sort_unstable();
    for (keys, statement) in [
        (unsaid, "DELETE FROM said WHERE key IN (SELECT unhex(value) FROM json_each($1))"),
        (said, "INSERT OR IGNORE INTO said SELECT unhex(value) FROM json_each($1)"),
    ] {
        for batch in keys.chunks(BATCH) {
            sqlx::query(statement).bind(list(batch)).execute(&mut *transaction).await?;
        }
    }
    sqlx::query("INSERT OR REPLACE INTO standing VALUES (1, $1, $2, $3, $4, $5)")
        .bind(MADE_BY)
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(last.to_string())
        .bind(&text)
        .bind(Digest::of(&text).0.as_slice())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    connection.close().await
}

/// Keys as a list for `json_each`.
fn list(keys: &[Key]) -> String {
    let hex: Vec<String> = keys.iter().map(|key| HEXLOWER.encode(key)).collect();
    format!("[\"{}\"]", hex.join("\",\""))
}

/// `e`: there when an event has this identifier. `v`: there while this version is applied.
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
