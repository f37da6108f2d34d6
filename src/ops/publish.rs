//! A signed pointer to the archive's head, which its holder can move: an IPNS record.
//!
//! It is a convenience. Whoever holds its key can point it to anything; what it points to is verified like any head,
//! and a verifier that remembers sees when it goes back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::{ChainReader, OpsError, now};
use crate::codec::ipns::{decode_record, encode_record};
use crate::crypto::PrivateKey;
use crate::model::{ChainName, Cid, IpnsName, IpnsRecord, Timestamp};
use crate::store::remote::{Names, RemoteError};
use crate::store::{RecordPlace, read_record, record_path};

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
/// before, and above what a lost file could have held: it is the time in seconds where that is more. Who publishes at
/// the same moment waits: the later record is the one of the newer head.
///
/// # Errors
/// Those of the archive, [`OpsError::HeadLost`], and when the record before cannot be read or the new one not be written.
pub fn publish(
    directory: &Path,
    chain: &ChainName,
    key: &PrivateKey,
    lifetime: Duration,
) -> Result<Published, OpsError> {
    let file = record_path(directory, chain);
    let failed = |source| OpsError::File { path: file.clone(), done: "read or written", source };
    // Whose archive is not there has no folder for a lock.
    ChainReader::open(directory, chain)?;
    let place = RecordPlace::take(directory, chain).map_err(failed)?;
    let reader = ChainReader::open(directory, chain)?;
    reader.require_end()?;
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
    place.write(&bytes).map_err(failed)?;
    let IpnsRecord { head, sequence, valid_until, .. } = record;
    Ok(Published { name, head, sequence, valid_until, file, record: bytes })
}

/// What came of asking for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub record: IpnsRecord,
    /// A later record than that one, whose time is over.
    pub passed: Option<Passed>,
    /// Places that failed, and why.
    pub failures: Vec<(String, RemoteError)>,
}

/// A record that nobody should follow any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Where it was found.
    pub place: String,
    pub sequence: u64,
    /// Until when it held.
    pub until: Timestamp,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("nobody who was asked has a record of {name}{}", listed(failures))]
    NotFound { name: Box<IpnsName>, failures: Vec<(String, RemoteError)> },
    #[error(
        "every record of {name} has expired: the newest, with sequence {sequence}, held until {until}{}",
        listed(failures)
    )]
    Expired { name: Box<IpnsName>, sequence: u64, until: Timestamp, failures: Vec<(String, RemoteError)> },
}

fn listed(failures: &[(String, RemoteError)]) -> String {
    failures.iter().map(|(place, error)| format!("; {place}: {error}")).collect()
}

/// Asks every place for the record of a name. Of those that hold the one with the highest sequence counts, wherever it
/// was.
///
/// # Errors
/// [`ResolveError`].
pub async fn resolve(name: IpnsName, places: &[(String, Names)]) -> Result<Resolved, ResolveError> {
    let asked = places.iter().map(|(place, names)| async move { (place, names.get(&name).await) });
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for (place, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Ok(Some(record)) => found.push((place.clone(), record)),
            Ok(None) => {}
            Err(error) => failures.push((place.clone(), error)),
        }
    }
    choose(name, found, failures, now())
}

/// The record that counts at a moment.
fn choose(
    name: IpnsName,
    found: Vec<(String, IpnsRecord)>,
    failures: Vec<(String, RemoteError)>,
    now: Timestamp,
) -> Result<Resolved, ResolveError> {
    let (passed, held): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(_, record)| record.valid_until < now);
    let newest = |records: Vec<(String, IpnsRecord)>| {
        records.into_iter().max_by_key(|(_, record)| (record.sequence, record.valid_until))
    };
    let passed = newest(passed).map(|(place, IpnsRecord { sequence, valid_until: until, .. })| Passed {
        place,
        sequence,
        until,
    });
    let name = Box::new(name);
    match (newest(held), passed) {
        (Some((_, record)), passed) => {
            let passed = passed.filter(|passed| passed.sequence > record.sequence);
            Ok(Resolved { record, passed, failures })
        }
        (None, Some(Passed { sequence, until, .. })) => {
            Err(ResolveError::Expired { name, sequence, until, failures })
        }
        (None, None) => Err(ResolveError::NotFound { name, failures }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    #[test]
    fn of_the_records_that_hold_the_newest_counts_and_a_later_one_that_expired_is_told() {
        let name = IpnsName::new(*PrivateKey::from_seed(&[5; 32]).public());
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * 1_000_000).unwrap();
        let found = |records: &[(u64, i64)]| -> Vec<(String, IpnsRecord)> {
            let records = records.iter().map(|(sequence, until)| {
                let head = Cid::of(Codec::DagCbor, &sequence.to_be_bytes());
                let record = IpnsRecord { head, sequence: *sequence, valid_until: at(*until), ttl: 0 };
                (format!("place {sequence}"), record)
            });
            records.collect()
        };
        let chosen = |records: &[(u64, i64)]| choose(name, found(records), Vec::new(), at(100));
        let resolved = chosen(&[(1, 200), (3, 200), (2, 300)]).unwrap();
        assert_eq!((resolved.record.sequence, resolved.passed), (3, None));
        // The moment itself is within.
        assert_eq!(chosen(&[(1, 100)]).unwrap().record.sequence, 1);
        let resolved = chosen(&[(1, 200), (9, 99), (8, 50), (2, 200)]).unwrap();
        let passed = Passed { place: "place 9".to_owned(), sequence: 9, until: at(99) };
        assert_eq!((resolved.record.sequence, resolved.passed), (2, Some(passed)));
        // An expired one before those that hold is nothing to tell.
        assert_eq!(chosen(&[(1, 50), (2, 200)]).unwrap().passed, None);
        let expired = chosen(&[(4, 99), (5, 50)]).unwrap_err().to_string();
        assert!(expired.contains("the newest, with sequence 5, held until 1970-01-01T00:00:50"), "{expired}");
        assert!(matches!(chosen(&[]), Err(ResolveError::NotFound { .. })));
    }
}
