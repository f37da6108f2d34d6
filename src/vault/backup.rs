//! Backups of a vault: one file of age, for the vault's owner. A backup is of use only within its time: what was erased
//! since must not come back with it.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{OwnerKey, Vault, VaultError, on, owner};
use crate::model::{Pseudonym, Timestamp};

/// The largest backup that is read, in bytes.
const LIMIT: usize = 1 << 30;

/// The rows of a vault.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// The form of this file.
    backup: u32,
    recipient: String,
    made_at: i64,
    periods: Vec<(String, String, String, Option<String>, Option<i64>)>,
    batches: Vec<(String, String, String, String)>,
    keys: Vec<KeyLine>,
    holds: Vec<(String, String, Option<String>, String, i64)>,
    persons: Vec<(String, Option<String>, Option<i64>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine {
    kid: String,
    batch: String,
    chain: String,
    event: String,
    pseudonym: String,
    role: String,
    file: String,
    cid: String,
    sealed_at: i64,
    wrapped: Option<String>,
    destroyed_at: Option<i64>,
}

fn text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn bytes(text: &str) -> Result<Vec<u8>, VaultError> {
    BASE64.decode(text.as_bytes()).map_err(|_| VaultError::Backup("it is not what a vault writes"))
}

type KeyRow =
    ((Vec<u8>, Vec<u8>, String, String, String), (String, String, String, i64, Option<Vec<u8>>, Option<i64>));

impl Vault {
    /// The whole vault, encrypted for its owner. That it was made is noted before it is handed out.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn backup(&mut self, now: Timestamp) -> Result<Vec<u8>, VaultError> {
        let name = Pseudonym::generate().to_string();
        let noted = on!(self, connection => {
            sqlx::query("INSERT INTO vault_backup (backup, made_at) VALUES ($1, $2)")
                .bind(name)
                .bind(now.as_microseconds())
                .execute(connection)
                .await
                .map(drop)
        });
        noted.map_err(|error| self.failed("written", &error))?;
        let contents = self.contents(now).await?;
        let json = serde_json::to_vec(&contents).map_err(|_| VaultError::Damaged("it cannot be written"))?;
        Ok(owner::wrap(self.recipient(), &json)?)
    }

    async fn contents(&mut self, now: Timestamp) -> Result<Contents, VaultError> {
        type Period = (String, String, String, Option<Vec<u8>>, Option<i64>);
        type Rows = (
            Vec<Period>,
            Vec<(Vec<u8>, String, String, Vec<u8>)>,
            Vec<KeyRow>,
            Vec<(String, String, Option<String>, String, i64)>,
            Vec<(String, Option<Vec<u8>>, Option<i64>)>,
        );
        let read: Result<Rows, sqlx::Error> = on!(self, connection => {
            async {
                use sqlx::{Connection as _, Row as _};

                // One state of all tables.
                let mut transaction = connection.begin().await?;
                let periods = sqlx::query_as(
                    "SELECT chain, period, recipient, identity, destroyed_at FROM vault_period ORDER BY chain, period",
                )
                .fetch_all(&mut *transaction)
                .await?;
                let batches = sqlx::query_as("SELECT batch, chain, period, wrapped FROM vault_batch ORDER BY batch")
                    .fetch_all(&mut *transaction)
                    .await?;
                let rows = sqlx::query(
                    "SELECT kid, batch, chain, event, pseudonym, role, file, cid, sealed_at, wrapped, destroyed_at \
                     FROM vault_content_key ORDER BY sealed_at, kid",
                )
                .fetch_all(&mut *transaction)
                .await?;
                let mut keys = Vec::with_capacity(rows.len());
                for row in &rows {
                    keys.push((
                        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?),
                        (
                            row.try_get(5)?,
                            row.try_get(6)?,
                            row.try_get(7)?,
                            row.try_get(8)?,
                            row.try_get(9)?,
                            row.try_get(10)?,
                        ),
                    ));
                }
                let holds =
                    sqlx::query_as("SELECT hold, chain, event, reason, placed_at FROM vault_hold ORDER BY hold")
                        .fetch_all(&mut *transaction)
                        .await?;
                let persons =
                    sqlx::query_as("SELECT pseudonym, wrapped, destroyed_at FROM vault_person ORDER BY pseudonym")
                        .fetch_all(&mut *transaction)
                        .await?;
                transaction.commit().await?;
                Ok((periods, batches, keys, holds, persons))
            }
            .await
        });
        let (periods, batches, keys, holds, persons) = read.map_err(|error| self.failed("read", &error))?;
        let key = |((kid, batch, chain, event, pseudonym), rest): KeyRow| {
            let (role, file, cid, sealed_at, wrapped, destroyed_at) = rest;
            let (kid, batch, wrapped) = (text(&kid), text(&batch), wrapped.as_deref().map(text));
            KeyLine { kid, batch, chain, event, pseudonym, role, file, cid, sealed_at, wrapped, destroyed_at }
        };
        Ok(Contents {
            backup: 1,
            recipient: self.recipient().to_owned(),
            made_at: now.as_microseconds(),
            periods: periods
                .into_iter()
                .map(|(chain, period, recipient, identity, destroyed)| {
                    (chain, period, recipient, identity.as_deref().map(text), destroyed)
                })
                .collect(),
            batches: batches
                .into_iter()
                .map(|(batch, chain, period, wrapped)| (text(&batch), chain, period, text(&wrapped)))
                .collect(),
            keys: keys.into_iter().map(key).collect(),
            holds,
            persons: persons
                .into_iter()
                .map(|(pseudonym, wrapped, destroyed)| (pseudonym, wrapped.as_deref().map(text), destroyed))
                .collect(),
        })
    }

    /// Adds what a backup has and the vault has not; what was destroyed here stays destroyed. How many keys came.
    ///
    /// # Errors
    /// [`VaultError::BackupTooOld`] for one that was made before `oldest`: keys that were erased since are in it.
    pub async fn restore(
        &mut self,
        backup: &[u8],
        owner: &dyn OwnerKey,
        oldest: Timestamp,
    ) -> Result<u64, VaultError> {
        use sqlx::Connection as _;

        if backup.len() > LIMIT {
            return Err(VaultError::Backup("it is larger than is read"));
        }
        let json = owner.unwrap(backup)?;
        let contents: Contents =
            serde_json::from_slice(&json).map_err(|_| VaultError::Backup("it is not what a vault writes"))?;
        if contents.backup != 1 || contents.recipient != self.recipient() {
            return Err(VaultError::Backup("it is of another vault"));
        }
        if contents.made_at < oldest.as_microseconds() {
            return Err(VaultError::BackupTooOld);
        }
        let decoded = decode(contents)?;
        let written: Result<u64, sqlx::Error> = on!(self, connection => {
            async {
                let mut transaction = connection.begin().await?;
                for (chain, period, recipient, identity, destroyed) in &decoded.periods {
                    sqlx::query(
                        "INSERT INTO vault_period (chain, period, recipient, identity, destroyed_at) \
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                    )
                    .bind(chain).bind(period).bind(recipient).bind(identity).bind(destroyed)
                    .execute(&mut *transaction)
                    .await?;
                }
                for (batch, chain, period, wrapped) in &decoded.batches {
                    sqlx::query(
                        "INSERT INTO vault_batch (batch, chain, period, wrapped) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(batch).bind(chain).bind(period).bind(wrapped)
                    .execute(&mut *transaction)
                    .await?;
                }
                let mut came = 0;
                for (key, kid, batch, wrapped) in &decoded.keys {
                    came += sqlx::query(
                        "INSERT INTO vault_content_key (kid, batch, chain, event, pseudonym, role, file, cid, \
                         sealed_at, wrapped, destroyed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(kid).bind(batch).bind(&key.chain).bind(&key.event).bind(&key.pseudonym)
                    .bind(&key.role).bind(&key.file).bind(&key.cid).bind(key.sealed_at).bind(wrapped)
                    .bind(key.destroyed_at)
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                }
                for (hold, chain, event, reason, placed_at) in &decoded.holds {
                    sqlx::query(
                        "INSERT INTO vault_hold (hold, chain, event, reason, placed_at) VALUES ($1, $2, $3, $4, $5) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(hold).bind(chain).bind(event).bind(reason).bind(placed_at)
                    .execute(&mut *transaction)
                    .await?;
                }
                for (pseudonym, wrapped, destroyed) in &decoded.persons {
                    sqlx::query(
                        "INSERT INTO vault_person (pseudonym, wrapped, destroyed_at) VALUES ($1, $2, $3) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(pseudonym).bind(wrapped).bind(destroyed)
                    .execute(&mut *transaction)
                    .await?;
                }
                // The key of a month that was destroyed here opens nothing that came.
                transaction.commit().await?;
                Ok(came)
            }
            .await
        });
        written.map_err(|error| self.failed("written", &error))
    }
}

struct Decoded {
    periods: Vec<(String, String, String, Option<Vec<u8>>, Option<i64>)>,
    batches: Vec<(Vec<u8>, String, String, Vec<u8>)>,
    keys: Vec<(KeyLine, Vec<u8>, Vec<u8>, Option<Vec<u8>>)>,
    holds: Vec<(String, String, Option<String>, String, i64)>,
    persons: Vec<(String, Option<Vec<u8>>, Option<i64>)>,
}

fn decode(contents: Contents) -> Result<Decoded, VaultError> {
    let some = |text: Option<String>| text.map(|text| bytes(&text)).transpose();
    let periods = contents.periods.into_iter().map(|(chain, period, recipient, identity, destroyed)| {
        Ok((chain, period, recipient, some(identity)?, destroyed))
    });
    let batches = contents
        .batches
        .into_iter()
        .map(|(batch, chain, period, wrapped)| Ok((bytes(&batch)?, chain, period, bytes(&wrapped)?)));
    let keys = contents.keys.into_iter().map(|key| {
        let (kid, batch, wrapped) = (bytes(&key.kid)?, bytes(&key.batch)?, some(key.wrapped.clone())?);
        Ok((key, kid, batch, wrapped))
    });
    let persons =
        contents.persons.into_iter().map(|(pseudonym, wrapped, at)| Ok((pseudonym, some(wrapped)?, at)));
    Ok(Decoded {
        periods: periods.collect::<Result<_, VaultError>>()?,
        batches: batches.collect::<Result<_, VaultError>>()?,
        keys: keys.collect::<Result<_, VaultError>>()?,
        holds: contents.holds,
        persons: persons.collect::<Result<_, VaultError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{AgeOwner, Batch, NewKey};
    use super::*;
    use crate::codec::sealed::{ContentKeys as _, Found};
    use crate::crypto::ContentKey;
    use crate::model::{Cid, Codec, ContentKeyId, EventId, Role};

    fn at(days: i64) -> Timestamp {
        Timestamp::from_microseconds(1_790_000_000_000_000 + days * 86_400_000_000).unwrap()
    }

    fn chain() -> Cid {
        Cid::of(Codec::DagCbor, b"chain")
    }

    async fn vault(folder: &std::path::Path, name: &str, owner: &AgeOwner) -> Vault {
        let url = format!("sqlite:{}", folder.join(name).display());
        Vault::create(&url, name, &owner.recipient(), at(0)).await.unwrap()
    }

    async fn seal(vault: &mut Vault, batch: &Batch, name: &[u8]) -> (ContentKeyId, Cid) {
        let (kid, cid) = (ContentKeyId::generate(), Cid::of(Codec::Raw, name));
        let key = NewKey {
            kid,
            key: ContentKey::generate(),
            event: EventId::generate(at(0)),
            pseudonym: Pseudonym::generate(),
            role: Role::Up,
            file: "0.sealed".to_owned(),
            cid,
            sealed_at: at(0),
        };
        vault.keep(batch, &[key]).await.unwrap();
        (kid, cid)
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn a_backup_brings_keys_back_but_none_that_was_destroyed() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let text = AgeOwner::generate().encode(None).unwrap();
            let owner = || AgeOwner::parse(text.as_bytes(), None).unwrap();
            let mut first = vault(folder.path(), "a.db", &owner()).await;
            let batch = first.begin_batch(chain(), at(0)).await.unwrap();
            let (kept, _) = seal(&mut first, &batch, b"one").await;
            let (gone, cid) = seal(&mut first, &batch, b"two").await;
            let backup = first.backup(at(1)).await.unwrap();
            assert_eq!(first.last_backup().await.unwrap(), Some(at(1)));
            first.destroy(&chain(), &[cid.to_string()], at(2)).await.unwrap();
            assert_eq!(first.restore(&backup, &owner(), at(0)).await.unwrap(), 0);
            let keys = first.keyring(&chain(), Box::new(owner())).await.unwrap();
            assert!(matches!((keys.find(&kept), keys.find(&gone)), (Found::Key(_), Found::Gone)));
            // Elsewhere, where nobody knows of the erasure, the backup must not be too old.
            let mut other = vault(folder.path(), "b.db", &owner()).await;
            assert!(matches!(other.restore(&backup, &owner(), at(2)).await, Err(VaultError::BackupTooOld)));
            assert_eq!(other.restore(&backup, &owner(), at(1)).await.unwrap(), 2);
            // Nobody else's backup is taken, nor for anybody else.
            let stranger = AgeOwner::generate();
            assert!(other.restore(&backup, &stranger, at(0)).await.is_err());
            let mut third = vault(folder.path(), "c.db", &stranger).await;
            assert!(third.restore(&backup, &owner(), at(0)).await.is_err());
            assert!(third.restore(b"no age file", &stranger, at(0)).await.is_err());
        });
    }

    #[test]
    fn a_month_that_is_destroyed_opens_nothing_and_takes_nothing() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let text = AgeOwner::generate().encode(None).unwrap();
            let owner = || AgeOwner::parse(text.as_bytes(), None).unwrap();
            let mut vault = vault(folder.path(), "a.db", &owner()).await;
            let batch = vault.begin_batch(chain(), at(0)).await.unwrap();
            let (kid, _) = seal(&mut vault, &batch, b"one").await;
            let months = vault.periods(&chain()).await.unwrap();
            vault.destroy_period(&chain(), &months[0], at(400)).await.unwrap();
            let keys = vault.keyring(&chain(), Box::new(owner())).await.unwrap();
            assert!(matches!(keys.find(&kid), Found::Gone));
            assert!(matches!(vault.begin_batch(chain(), at(0)).await, Err(VaultError::Destroyed(_))));
            assert!(vault.begin_batch(chain(), at(400)).await.is_ok());
        });
    }
}
