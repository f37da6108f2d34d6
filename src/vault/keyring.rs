//! Finds content keys of one chain, unwrapped only when they are asked for.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{AgeOwner, OwnerKey, Vault, VaultError, on, sealing};
use crate::codec::sealed::{ContentKeys, Found};
use crate::crypto::ContentKey;
use crate::model::{Cid, ContentKeyId};

type BatchId = Vec<u8>;

/// The content keys of a chain, read once.
pub struct Keyring {
    owner: Box<dyn OwnerKey>,
    /// Identities of months, each encrypted for the owner; `None` for one that was destroyed.
    periods: HashMap<String, Option<Vec<u8>>>,
    /// Month and wrapped key.
    batches: HashMap<BatchId, (String, Vec<u8>)>,
    /// Batch and wrapped key; `None` for one that was destroyed.
    keys: HashMap<ContentKeyId, (BatchId, Option<Vec<u8>>)>,
    /// What was unwrapped already.
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    periods: HashMap<String, Option<AgeOwner>>,
    batches: HashMap<BatchId, Option<ContentKey>>,
}

impl Vault {
    /// The keys of `chain`, for the owner.
    ///
    /// # Errors
    /// [`VaultError::Owner`] when `owner` is not this vault's.
    pub async fn keyring(&mut self, chain: &Cid, owner: Box<dyn OwnerKey>) -> Result<Keyring, VaultError> {
        if owner.recipient() != self.recipient() {
            return Err(super::OwnerError::NotFor.into());
        }
        let chain = chain.to_string();
        type Periods = Vec<(String, Option<Vec<u8>>)>;
        type Batches = Vec<(Vec<u8>, String, Vec<u8>)>;
        type Keys = Vec<(Vec<u8>, Vec<u8>, Option<Vec<u8>>)>;
        let read: Result<(Periods, Batches, Keys), sqlx::Error> = on!(self, connection => {
            async {
                let periods = sqlx::query_as("SELECT period, identity FROM vault_period WHERE chain = $1")
                    .bind(&chain)
                    .fetch_all(&mut *connection)
                    .await?;
                let batches = sqlx::query_as("SELECT batch, period, wrapped FROM vault_batch WHERE chain = $1")
                    .bind(&chain)
                    .fetch_all(&mut *connection)
                    .await?;
                let keys = sqlx::query_as("SELECT kid, batch, wrapped FROM vault_content_key WHERE chain = $1")
                    .bind(&chain)
                    .fetch_all(connection)
                    .await?;
                Ok((periods, batches, keys))
            }
            .await
        });
        let (periods, batches, keys) = read.map_err(|error| self.failed("read", &error))?;
        let key = |(kid, batch, wrapped): (Vec<u8>, Vec<u8>, Option<Vec<u8>>)| {
            let kid = kid.try_into().map_err(|_| VaultError::Damaged("an identifier is not 16 bytes"))?;
            Ok((ContentKeyId::from_bytes(kid), (batch, wrapped)))
        };
        Ok(Keyring {
            owner,
            periods: periods.into_iter().collect(),
            batches: batches.into_iter().map(|(batch, period, wrapped)| (batch, (period, wrapped))).collect(),
            keys: keys.into_iter().map(key).collect::<Result<_, VaultError>>()?,
            opened: Mutex::default(),
        })
    }
}

impl Keyring {
    /// Whether the vault ever had keys of the chain.
    #[must_use]
    pub fn knows_chain(&self) -> bool {
        !self.periods.is_empty() || !self.keys.is_empty()
    }

    /// Whether the month of a run was destroyed, and with it all keys of the run.
    fn is_destroyed(&self, batch: &BatchId) -> bool {
        let period = self.batches.get(batch).and_then(|(period, _)| self.periods.get(period));
        period.is_some_and(Option::is_none)
    }

    fn batch_key(&self, batch: &BatchId) -> Option<ContentKey> {
        let mut opened = self.opened.lock().ok()?;
        if let Some(known) = opened.batches.get(batch) {
            return known.clone();
        }
        let (period, wrapped) = self.batches.get(batch)?;
        let identity = opened.periods.entry(period.clone()).or_insert_with(|| {
            let text = self.owner.unwrap(self.periods.get(period)?.as_ref()?).ok()?;
            AgeOwner::parse(&text, None).ok()
        });
        let key = identity.as_ref().and_then(|identity| identity.unwrap(wrapped).ok());
        let key = key.and_then(|key| ContentKey::from_bytes(&key));
        opened.batches.insert(batch.clone(), key.clone());
        key
    }
}

impl ContentKeys for Keyring {
    fn find(&self, kid: &ContentKeyId) -> Found {
        let Some((batch, wrapped)) = self.keys.get(kid) else {
            return if self.knows_chain() { Found::Gone } else { Found::NotHere };
        };
        let Some(wrapped) = wrapped.as_ref().filter(|_| !self.is_destroyed(batch)) else {
            return Found::Gone;
        };
        let key = self.batch_key(batch).and_then(|batch| sealing::unwrap(&batch, kid, wrapped));
        key.map_or(Found::Damaged, Found::Key)
    }
}
