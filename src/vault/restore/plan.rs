//! What has to be written so that a vault has what a backup has of one chain. No database here.
//!
//! Months come back under keys of this vault's own, since a backup is not signed: whoever made it up would know the key of
//! a month in it, and with that all that is sealed in it later.

use std::collections::{HashMap, HashSet};

use super::super::backup::{Batch, Contents, Key, Period};
use super::super::{AgeOwner, OwnerKey, VaultError, owner, sealing};
use crate::crypto::ContentKey;
use crate::model::ContentKeyId;

/// The rows of the chain in the vault.
pub struct Here {
    pub periods: Vec<Period>,
    pub batches: Vec<Batch>,
    pub keys: Vec<Key>,
}

/// What has to be written.
#[derive(Default)]
pub struct Changes {
    pub periods: Vec<Period>,
    pub batches: Vec<Batch>,
    pub keys: Vec<Key>,
    /// Identifiers of keys that are here and must not be.
    pub destroyed: Vec<Vec<u8>>,
    /// Keys among `keys` that open something.
    pub came: usize,
    /// Keys of the backup that cannot be unwrapped.
    pub unusable: usize,
}

/// Keys of months, by month; those that are destroyed or cannot be unwrapped are not among them.
type Months = HashMap<String, AgeOwner>;
/// Keys of runs.
type Runs<'a> = HashMap<&'a [u8], ContentKey>;

/// Compares what is here with a backup, both of one chain, of which the files in `erased` are erased.
///
/// # Errors
/// [`VaultError::Backup`] when the backup cannot be what a vault wrote.
pub fn plan(
    here: &Here,
    backup: &Contents,
    erased: &HashSet<String>,
    owner: &dyn OwnerKey,
    now: i64,
) -> Result<Changes, VaultError> {
    require_whole(backup)?;
    let theirs = months_of(backup, owner)?;
    let mut changes = Changes::default();
    let months = months(here, backup, &theirs, owner, &mut changes)?;
    let runs = runs(here, backup, &theirs, &months, &mut changes)?;
    keys(here, backup, &runs, erased, now, &mut changes)?;
    let gone = here.keys.iter().filter(|row| row.wrapped.is_some() && erased.contains(&row.cid));
    changes.destroyed = gone.filter_map(|row| row.kid.clone()).collect();
    Ok(changes)
}

/// Each key has its run there, and each run its month.
fn require_whole(backup: &Contents) -> Result<(), VaultError> {
    let months: HashSet<&str> = backup.periods.iter().map(|row| row.period.as_str()).collect();
    let runs: HashSet<_> = backup.batches.iter().filter_map(|row| row.batch.as_deref()).collect();
    let has_month = |row: &Batch| row.batch.is_some() && months.contains(row.period.as_str());
    let has_run = |row: &Key| row.batch.as_deref().is_some_and(|batch| runs.contains(batch));
    match backup.batches.iter().all(has_month) && backup.keys.iter().all(has_run) {
        true => Ok(()),
        false => Err(VaultError::Backup("a key in it has no month")),
    }
}

fn unwrap_month(owner: &dyn OwnerKey, row: &Period) -> Option<AgeOwner> {
    let text = owner.unwrap(row.identity.as_ref()?).ok()?;
    AgeOwner::parse(&text, None).ok()
}

fn months_of(backup: &Contents, owner: &dyn OwnerKey) -> Result<Months, VaultError> {
    let mut months = Months::new();
    for row in &backup.periods {
        let Some(month) = unwrap_month(owner, row) else { continue };
        if month.recipient() != row.recipient {
            return Err(VaultError::Backup("the key of a month in it is not the one that it names"));
        }
        months.insert(row.period.clone(), month);
    }
    Ok(months)
}

/// The months that have a key here once the changes are written.
fn months(
    here: &Here,
    backup: &Contents,
    theirs: &Months,
    owner: &dyn OwnerKey,
    changes: &mut Changes,
) -> Result<Months, VaultError> {
    let mut months = Months::new();
    for row in &here.periods {
        if let Some(month) = unwrap_month(owner, row).filter(|month| month.recipient() == row.recipient) {
            months.insert(row.period.clone(), month);
        }
    }
    for row in &backup.periods {
        let known = here.periods.iter().find(|known| known.period == row.period);
        let month = match (known, theirs.get(&row.period)) {
            (None, _) if row.identity.is_none() => {
                changes.periods.push(changed(row, row.recipient.clone(), None));
                continue;
            }
            (None, _) => AgeOwner::generate(),
            // The same key, which was overwritten here.
            (Some(known), Some(month))
                if known.identity.is_some()
                    && known.recipient == row.recipient
                    && !months.contains_key(&row.period) =>
            {
                let text = month.encode(None)?;
                AgeOwner::parse(text.as_bytes(), None)?
            }
            (Some(_), _) => continue,
        };
        let identity = owner::wrap(&owner.recipient(), month.encode(None)?.as_bytes())?;
        changes.periods.push(changed(row, month.recipient(), Some(identity)));
        months.insert(row.period.clone(), month);
    }
    Ok(months)
}

fn changed(row: &Period, recipient: String, identity: Option<Vec<u8>>) -> Period {
    let destroyed_at = row.destroyed_at.filter(|_| identity.is_none());
    Period { chain: row.chain.clone(), period: row.period.clone(), recipient, identity, destroyed_at }
}

/// The keys of the backup's runs, each wrapped for the month that it has here.
fn runs<'a>(
    here: &Here,
    backup: &'a Contents,
    theirs: &Months,
    months: &Months,
    changes: &mut Changes,
) -> Result<Runs<'a>, VaultError> {
    let unwrap = |months: &Months, row: &Batch| {
        let key = months.get(&row.period)?.unwrap(row.wrapped.as_ref()?).ok()?;
        ContentKey::from_bytes(&key)
    };
    let known: HashMap<_, _> = here.batches.iter().map(|row| (&row.batch, row)).collect();
    let mut runs = Runs::new();
    for row in &backup.batches {
        let Some(id) = row.batch.as_deref() else { continue };
        let here = known.get(&row.batch);
        if let Some(key) = here.and_then(|row| unwrap(months, row)) {
            runs.insert(id, key);
            continue;
        }
        let wrapped = match (months.get(&row.period), unwrap(theirs, row)) {
            (Some(month), Some(key)) => {
                let wrapped = owner::wrap(&month.recipient(), key.expose())?;
                runs.insert(id, key);
                Some(wrapped)
            }
            _ if here.is_none() => row.wrapped.clone(),
            _ => continue,
        };
        let (batch, chain, period) = (row.batch.clone(), row.chain.clone(), row.period.clone());
        changes.batches.push(Batch { batch, chain, period, wrapped });
    }
    Ok(runs)
}

fn keys(
    here: &Here,
    backup: &Contents,
    runs: &Runs<'_>,
    erased: &HashSet<String>,
    now: i64,
    changes: &mut Changes,
) -> Result<(), VaultError> {
    let known: HashMap<_, _> = here.keys.iter().map(|row| (&row.kid, row)).collect();
    for row in &backup.keys {
        let kid = row.kid.as_deref().and_then(|kid| kid.try_into().ok());
        let kid = ContentKeyId::from_bytes(kid.ok_or(VaultError::Backup("an identifier is not 16 bytes"))?);
        let opens = |row: &Key| {
            let run = row.batch.as_deref().and_then(|batch| runs.get(batch));
            run.zip(row.wrapped.as_ref()).is_some_and(|(run, key)| sealing::unwrap(run, &kid, key).is_some())
        };
        let is_erased = erased.contains(&row.cid);
        match known.get(&row.kid) {
            Some(here) if here.destroyed_at.is_some() || is_erased || opens(here) => {}
            None if is_erased => changes.keys.push(without_key(row, row.destroyed_at.or(Some(now)))),
            None if row.wrapped.is_none() => changes.keys.push(without_key(row, row.destroyed_at)),
            _ if opens(row) => {
                changes.came += 1;
                changes.keys.push(Key { wrapped: row.wrapped.clone(), ..without_key(row, None) });
            }
            _ => changes.unusable += usize::from(row.wrapped.is_some()),
        }
    }
    Ok(())
}

fn without_key(row: &Key, destroyed_at: Option<i64>) -> Key {
    Key {
        kid: row.kid.clone(),
        batch: row.batch.clone(),
        chain: row.chain.clone(),
        event: row.event.clone(),
        pseudonym: row.pseudonym.clone(),
        role: row.role.clone(),
        file: row.file.clone(),
        cid: row.cid.clone(),
        sealed_at: row.sealed_at,
        wrapped: None,
        destroyed_at,
    }
}
