//! A signed pointer to the archive's head, which its holder can move: an IPNS record.
//!
//! It is a convenience. Whoever holds its key can point it to anything; what it points to is verified like any head,
//! and a verifier that remembers sees when it goes back.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{ChainReader, OpsError, now};
use crate::codec::ipns::{decode_record, encode_record};
use crate::crypto::PrivateKey;
use crate::model::{ChainName, Cid, IpnsName, IpnsRecord, Timestamp};
use crate::store::remote::{Names, RemoteError};
use crate::store::{read_record, record_path, write_record};

/// For how long a record may be kept without asking again.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// A record that was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    pub name: IpnsName,
    pub head: Cid,
    pub sequence: u64,
    pub valid_until: Timestamp,
    /// The file that holds the record.
    pub file: PathBuf,
    #[serde(skip)]
    pub record: Vec<u8>,
}

/// Signs a record for the archive's head and keeps it beside the archive. Its sequence is above that of the record
/// before, and above what a lost file could have held: it is the time in seconds where that is more.
///
/// # Errors
/// When the record before cannot be read or the new one not be written.
pub fn publish(
    reader: &ChainReader,
    chain: &ChainName,
    key: &PrivateKey,
    lifetime: Duration,
) -> Result<Published, OpsError> {
    let directory = reader.archive().directory();
    let file = record_path(directory, chain);
    let failed = |source| OpsError::File { path: file.clone(), done: "read or written", source };
    let name = IpnsName::new(*key.public());
    let before = read_record(directory, chain).map_err(failed)?;
    let before = before.and_then(|bytes| decode_record(&bytes, &name).ok());
    let now = now();
    let seconds = u64::try_from(now.as_microseconds() / 1_000_000).unwrap_or(0);
    let lifetime = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
    let record = IpnsRecord {
        head: reader.head(),
        sequence: before.map_or(0, |before| before.sequence.saturating_add(1)).max(seconds),
        valid_until: Timestamp::from_microseconds(now.as_microseconds().saturating_add(lifetime))
            .unwrap_or(now),
        ttl: TIME_TO_LIVE.as_nanos() as u64,
    };
    let bytes = encode_record(&record, key);
    write_record(directory, chain, &bytes).map_err(failed)?;
    let IpnsRecord { head, sequence, valid_until, .. } = record;
    Ok(Published { name, head, sequence, valid_until, file, record: bytes })
}

/// What came of asking for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub record: IpnsRecord,
    /// Places that failed, and why.
    pub failures: Vec<(String, RemoteError)>,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("nobody who was asked has a record of {name}{}", listed(failures))]
    NotFound { name: IpnsName, failures: Vec<(String, RemoteError)> },
    #[error("the newest record of {name} held until {until}")]
    Expired { name: IpnsName, until: Timestamp },
}

fn listed(failures: &[(String, RemoteError)]) -> String {
    failures.iter().map(|(place, error)| format!("; {place}: {error}")).collect()
}

/// Asks every place for the record of a name. The one with the highest sequence counts, wherever it was.
///
/// # Errors
/// [`ResolveError`].
pub async fn resolve(name: IpnsName, places: &[(String, Names)]) -> Result<Resolved, ResolveError> {
    let asked = places.iter().map(|(place, names)| async move { (place, names.get(&name).await) });
    let mut newest: Option<IpnsRecord> = None;
    let mut failures = Vec::new();
    for (place, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Ok(Some(record)) => {
                let later = |newest: &IpnsRecord| {
                    (newest.sequence, newest.valid_until) >= (record.sequence, record.valid_until)
                };
                if !newest.as_ref().is_some_and(later) {
                    newest = Some(record);
                }
            }
            Ok(None) => {}
            Err(error) => failures.push((place.clone(), error)),
        }
    }
    let Some(record) = newest else { return Err(ResolveError::NotFound { name, failures }) };
    if record.valid_until < now() {
        return Err(ResolveError::Expired { name, until: record.valid_until });
    }
    Ok(Resolved { record, failures })
}
