//! Backups of a vault: one file of age, for the vault's owner. A backup is of use only within its time: what was erased
//! since must not come back with it.

use serde::{Deserialize, Serialize};
use sqlx::Connection as _;

use super::{OwnerKey, Vault, VaultError, on, owner};
use crate::model::{Pseudonym, Timestamp};

/// The largest backup that is read, in bytes.
pub const BACKUP_LIMIT: usize = 1 << 30;
/// The form of a backup.
const FORM: u32 = 1;

/// The rows of a vault.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    backup: u32,
    recipient: String,
    made_at: i64,
    periods: Vec<Period>,
    batches: Vec<Batch>,
    keys: Vec<Key>,
    holds: Vec<Hold>,
    persons: Vec<Person>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
struct Period {
    chain: String,
    period: String,
    recipient: String,
    #[serde(with = "base64")]
    identity: Option<Vec<u8>>,
    destroyed_at: Option<i64>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(with = "base64")]
    batch: Option<Vec<u8>>,
    chain: String,
    period: String,
    #[serde(with = "base64")]
    wrapped: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
struct Key {
    #[serde(with = "base64")]
    kid: Option<Vec<u8>>,
    #[serde(with = "base64")]
    batch: Option<Vec<u8>>,
    chain: String,
    event: String,
    pseudonym: String,
    role: String,
    file: String,
    cid: String,
    sealed_at: i64,
    #[serde(with = "base64")]
    wrapped: Option<Vec<u8>>,
    destroyed_at: Option<i64>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
struct Hold {
    hold: String,
    chain: String,
    event: Option<String>,
    reason: String,
    placed_at: i64,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
struct Person {
    pseudonym: String,
    #[serde(with = "base64")]
    wrapped: Option<Vec<u8>>,
    destroyed_at: Option<i64>,
}

/// Byte strings in JSON; null for one that is not there.
mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde calls it with the field")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&BASE64.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let decode = |text: String| BASE64.decode(text.as_bytes()).map_err(D::Error::custom);
        text.map(decode).transpose()
    }
}

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
        Ok(owner::wrap(self.recipient(), &zeroize::Zeroizing::new(json))?)
    }

    async fn contents(&mut self, now: Timestamp) -> Result<Contents, VaultError> {
        let (recipient, made_at) = (self.recipient().to_owned(), now.as_microseconds());
        let read: Result<Contents, sqlx::Error> = on!(self, connection => {
            async {
                // One state of all tables.
                let mut transaction = connection.begin().await?;
                let contents = Contents {
                    backup: FORM,
                    recipient,
                    made_at,
                    periods: sqlx::query_as("SELECT * FROM vault_period").fetch_all(&mut *transaction).await?,
                    batches: sqlx::query_as("SELECT * FROM vault_batch").fetch_all(&mut *transaction).await?,
                    keys: sqlx::query_as("SELECT * FROM vault_content_key").fetch_all(&mut *transaction).await?,
                    holds: sqlx::query_as("SELECT * FROM vault_hold").fetch_all(&mut *transaction).await?,
                    persons: sqlx::query_as("SELECT * FROM vault_person").fetch_all(&mut *transaction).await?,
                };
                transaction.commit().await?;
                Ok(contents)
            }
            .await
        });
        read.map_err(|error| self.failed("read", &error))
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
        if backup.len() > BACKUP_LIMIT {
            return Err(VaultError::Backup("it is larger than is read"));
        }
        let json = owner.unwrap(backup)?;
        let contents: Contents =
            serde_json::from_slice(&json).map_err(|_| VaultError::Backup("it is not what a vault writes"))?;
        if contents.backup != FORM || contents.recipient != self.recipient() {
            return Err(VaultError::Backup("it is of another vault"));
        }
        if contents.made_at < oldest.as_microseconds() {
            return Err(VaultError::BackupTooOld);
        }
        let written: Result<u64, sqlx::Error> = on!(self, connection => {
            async {
                let mut transaction = connection.begin().await?;
                for row in &contents.periods {
                    sqlx::query(
                        "INSERT INTO vault_period (chain, period, recipient, identity, destroyed_at) \
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                    )
                    .bind(&row.chain)
                    .bind(&row.period)
                    .bind(&row.recipient)
                    .bind(&row.identity)
                    .bind(row.destroyed_at)
                    .execute(&mut *transaction)
                    .await?;
                }
                for row in &contents.batches {
                    sqlx::query(
                        "INSERT INTO vault_batch (batch, chain, period, wrapped) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(&row.batch)
                    .bind(&row.chain)
                    .bind(&row.period)
                    .bind(&row.wrapped)
                    .execute(&mut *transaction)
                    .await?;
                }
                let mut came = 0;
                for row in &contents.keys {
                    came += sqlx::query(
                        "INSERT INTO vault_content_key (kid, batch, chain, event, pseudonym, role, file, cid, \
                         sealed_at, wrapped, destroyed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(&row.kid)
                    .bind(&row.batch)
                    .bind(&row.chain)
                    .bind(&row.event)
                    .bind(&row.pseudonym)
                    .bind(&row.role)
                    .bind(&row.file)
                    .bind(&row.cid)
                    .bind(row.sealed_at)
                    .bind(&row.wrapped)
                    .bind(row.destroyed_at)
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                }
                for row in &contents.holds {
                    sqlx::query(
                        "INSERT INTO vault_hold (hold, chain, event, reason, placed_at) VALUES ($1, $2, $3, $4, $5) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(&row.hold)
                    .bind(&row.chain)
                    .bind(&row.event)
                    .bind(&row.reason)
                    .bind(row.placed_at)
                    .execute(&mut *transaction)
                    .await?;
                }
                for row in &contents.persons {
                    sqlx::query(
                        "INSERT INTO vault_person (pseudonym, wrapped, destroyed_at) VALUES ($1, $2, $3) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(&row.pseudonym)
                    .bind(&row.wrapped)
                    .bind(row.destroyed_at)
                    .execute(&mut *transaction)
                    .await?;
                }
                transaction.commit().await?;
                Ok(came)
            }
            .await
        });
        written.map_err(|error| self.failed("written", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::{Pseudonym, Timestamp};
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
