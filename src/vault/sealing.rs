//! Adds the content keys of a run. They are durable before anything that is sealed with them is.

use super::{AgeOwner, OwnerKey as _, Vault, VaultError, on, owner};
use crate::crypto::{ContentKey, NONCE_SIZE, fill_random};
use crate::model::{Cid, ContentKeyId, EventId, Pseudonym, Role, Timestamp};

/// What is authenticated with every wrapped content key begins with it.
const CONTEXT: &[u8] = b"greffe/vault/1\0";

/// A run that adds keys.
pub struct Batch {
    id: [u8; 16],
    chain: Cid,
    key: ContentKey,
}

/// A content key with what is known of its file.
#[derive(Debug)]
pub struct NewKey {
    pub kid: ContentKeyId,
    pub key: ContentKey,
    pub event: EventId,
    /// Who acted in the event.
    pub pseudonym: Pseudonym,
    pub role: Role,
    /// `<n>.sealed`.
    pub file: String,
    pub cid: Cid,
    pub sealed_at: Timestamp,
}

/// The month of a time, such as `2026-11`: what was sealed in one can be erased at once.
#[must_use]
pub fn period_of(at: Timestamp) -> String {
    at.to_string().chars().take(7).collect()
}

impl Vault {
    /// Begins a run that seals files of `chain`.
    ///
    /// # Errors
    /// [`VaultError::Destroyed`] when the keys of this month are gone already.
    pub async fn begin_batch(&mut self, chain: Cid, now: Timestamp) -> Result<Batch, VaultError> {
        let (period, chain_text) = (period_of(now), chain.to_string());
        let fresh = AgeOwner::generate();
        let identity = owner::wrap(self.recipient(), fresh.encode(None)?.as_bytes())?;
        let read: Result<(String, Option<i64>), sqlx::Error> = on!(self, connection => {
            let made = sqlx::query(
                "INSERT INTO vault_period (chain, period, recipient, identity) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(&chain_text)
            .bind(&period)
            .bind(fresh.recipient())
            .bind(identity)
            .execute(&mut *connection)
            .await;
            match made {
                Ok(_) => {
                    sqlx::query_as("SELECT recipient, destroyed_at FROM vault_period WHERE chain = $1 AND period = $2")
                        .bind(&chain_text)
                        .bind(&period)
                        .fetch_one(connection)
                        .await
                }
                Err(error) => Err(error),
            }
        });
        let (recipient, destroyed) = read.map_err(|error| self.failed("written", &error))?;
        if destroyed.is_some() {
            return Err(VaultError::Destroyed(period));
        }
        let mut id = [0; 16];
        fill_random(&mut id);
        let key = ContentKey::generate();
        let wrapped = owner::wrap(&recipient, key.expose())?;
        let written = on!(self, connection => {
            sqlx::query("INSERT INTO vault_batch (batch, chain, period, wrapped) VALUES ($1, $2, $3, $4)")
                .bind(id.to_vec())
                .bind(&chain_text)
                .bind(&period)
                .bind(wrapped)
                .execute(connection)
                .await
                .map(drop)
        });
        written.map_err(|error| self.failed("written", &error))?;
        Ok(Batch { id, chain, key })
    }

    /// Keeps content keys: all of them or, on an error, none.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn keep(&mut self, batch: &Batch, keys: &[NewKey]) -> Result<(), VaultError> {
        use sqlx::Connection as _;

        let written: Result<(), sqlx::Error> = on!(self, connection => {
            async {
                let mut transaction = connection.begin().await?;
                for new in keys {
                    sqlx::query(
                        "INSERT INTO vault_content_key \
                         (kid, batch, chain, event, pseudonym, role, file, cid, sealed_at, wrapped) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    )
                    .bind(new.kid.as_bytes().to_vec())
                    .bind(batch.id.to_vec())
                    .bind(batch.chain.to_string())
                    .bind(new.event.to_string())
                    .bind(new.pseudonym.to_string())
                    .bind(new.role.to_string())
                    .bind(&new.file)
                    .bind(new.cid.to_string())
                    .bind(new.sealed_at.as_microseconds())
                    .bind(wrap(&batch.key, new))
                    .execute(&mut *transaction)
                    .await?;
                }
                transaction.commit().await
            }
            .await
        });
        written.map_err(|error| self.failed("written", &error))
    }
}

fn wrap(batch: &ContentKey, new: &NewKey) -> Vec<u8> {
    let mut nonce = [0; NONCE_SIZE];
    fill_random(&mut nonce);
    let mut sealed = new.key.expose().to_vec();
    batch.seal(&nonce, &associated(&new.kid), &mut sealed);
    [nonce.as_slice(), &sealed].concat()
}

/// The content key that was wrapped for a batch.
pub(super) fn unwrap(batch: &ContentKey, kid: &ContentKeyId, wrapped: &[u8]) -> Option<ContentKey> {
    let (nonce, sealed) = wrapped.split_first_chunk()?;
    let mut key = zeroize::Zeroizing::new(sealed.to_vec());
    batch.open(nonce, &associated(kid), &mut key)?;
    ContentKey::from_bytes(&key)
}

fn associated(kid: &ContentKeyId) -> Vec<u8> {
    [CONTEXT, kid.as_bytes()].concat()
}
