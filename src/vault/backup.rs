//! Backups of a vault: one file of age, for the vault's owner. It is encrypted and not signed: whoever knows the owner's
//! public key can make such a file.

use serde::{Deserialize, Serialize};
use sqlx::Connection as _;

use super::{Connection, OwnerKey, Vault, VaultError, on, owner};
use crate::model::{Pseudonym, Timestamp};

/// The largest backup that is read, in bytes.
pub const BACKUP_LIMIT: usize = 1 << 30;
/// The form of a backup.
const FORM: u32 = 2;
/// The form that knows neither of other backups nor of released holds.
const FORM_WITHOUT_BACKUPS: u32 = 1;

/// The rows of a vault.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    backup: u32,
    recipient: String,
    pub made_at: i64,
    pub periods: Vec<Period>,
    pub batches: Vec<Batch>,
    pub keys: Vec<Key>,
    pub holds: Vec<Hold>,
    pub persons: Vec<Person>,
    /// The backups that the vault knew of, this one among them.
    #[serde(default)]
    pub backups: Vec<Made>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    pub backup: String,
    pub made_at: i64,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(super) struct Period {
    pub chain: String,
    pub period: String,
    pub recipient: String,
    #[serde(with = "base64")]
    pub identity: Option<Vec<u8>>,
    pub destroyed_at: Option<i64>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    #[serde(with = "base64")]
    pub batch: Option<Vec<u8>>,
    pub chain: String,
    pub period: String,
    #[serde(with = "base64")]
    pub wrapped: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    #[serde(with = "base64")]
    pub kid: Option<Vec<u8>>,
    #[serde(with = "base64")]
    pub batch: Option<Vec<u8>>,
    pub chain: String,
    pub event: String,
    pub pseudonym: String,
    pub role: String,
    pub file: String,
    pub cid: String,
    pub sealed_at: i64,
    #[serde(with = "base64")]
    pub wrapped: Option<Vec<u8>>,
    pub destroyed_at: Option<i64>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    pub hold: String,
    pub chain: String,
    pub event: Option<String>,
    pub reason: String,
    pub placed_at: i64,
    #[serde(default)]
    pub released_at: Option<i64>,
}

#[derive(Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    pub pseudonym: String,
    #[serde(with = "base64")]
    pub wrapped: Option<Vec<u8>>,
    pub destroyed_at: Option<i64>,
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
        // One state of all tables, whatever others write meanwhile.
        let begin = match self.connection {
            Connection::Sqlite(_) => "BEGIN",
            Connection::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        let read: Result<Contents, sqlx::Error> = on!(self, connection => {
            async {
                let mut transaction = connection.begin_with(begin).await?;
                let contents = Contents {
                    backup: FORM,
                    recipient,
                    made_at,
                    periods: sqlx::query_as("SELECT * FROM vault_period").fetch_all(&mut *transaction).await?,
                    batches: sqlx::query_as("SELECT * FROM vault_batch").fetch_all(&mut *transaction).await?,
                    keys: sqlx::query_as("SELECT * FROM vault_content_key").fetch_all(&mut *transaction).await?,
                    holds: sqlx::query_as("SELECT * FROM vault_hold").fetch_all(&mut *transaction).await?,
                    persons: sqlx::query_as("SELECT * FROM vault_person").fetch_all(&mut *transaction).await?,
                    backups: sqlx::query_as("SELECT * FROM vault_backup").fetch_all(&mut *transaction).await?,
                };
                transaction.commit().await?;
                Ok(contents)
            }
            .await
        });
        read.map_err(|error| self.failed("read", &error))
    }

    /// What a backup of this vault's owner holds.
    pub(super) fn read_backup(&self, backup: &[u8], owner: &dyn OwnerKey) -> Result<Contents, VaultError> {
        if backup.len() > BACKUP_LIMIT {
            return Err(VaultError::Backup("it is larger than is read"));
        }
        let json = owner.unwrap(backup)?;
        let contents: Contents =
            serde_json::from_slice(&json).map_err(|_| VaultError::Backup("it is not what a vault writes"))?;
        if contents.recipient != self.recipient() {
            return Err(VaultError::Backup("it is of another vault"));
        }
        match contents.backup {
            FORM | FORM_WITHOUT_BACKUPS => Ok(contents),
            _ => Err(VaultError::Backup("it is of a later version of greffe")),
        }
    }
}
