//! Who a pseudonym stands for, encrypted for the vault's owner.

use super::{OwnerKey, Vault, VaultError, on, owner};
use crate::model::{Pseudonym, Timestamp};

/// What is known of who a pseudonym stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// In the owner's words.
    Known(String),
    /// It was erased.
    Erased,
    Unknown,
}

impl Vault {
    /// Notes who a pseudonym stands for, in place of what was noted before; not of one that was erased.
    ///
    /// # Errors
    /// [`VaultError::Database`], [`VaultError::Erased`].
    pub async fn name_person(&mut self, pseudonym: &Pseudonym, who: &str) -> Result<(), VaultError> {
        let wrapped = owner::wrap(self.recipient(), who.as_bytes())?;
        let written = on!(self, connection => {
            sqlx::query(
                "INSERT INTO vault_person (pseudonym, wrapped) VALUES ($1, $2) \
                 ON CONFLICT (pseudonym) DO UPDATE SET wrapped = excluded.wrapped \
                 WHERE vault_person.destroyed_at IS NULL",
            )
            .bind(pseudonym.to_string())
            .bind(wrapped)
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
        });
        match written.map_err(|error| self.failed("written", &error))? {
            0 => Err(VaultError::Erased(*pseudonym)),
            _ => Ok(()),
        }
    }

    /// Who a pseudonym stands for.
    ///
    /// # Errors
    /// [`VaultError::Owner`] when `owner` is not this vault's.
    pub async fn person(
        &mut self,
        pseudonym: &Pseudonym,
        owner: &dyn OwnerKey,
    ) -> Result<Person, VaultError> {
        let row: Result<Option<(Option<Vec<u8>>,)>, _> = on!(self, connection => {
            sqlx::query_as("SELECT wrapped FROM vault_person WHERE pseudonym = $1")
                .bind(pseudonym.to_string())
                .fetch_optional(connection)
                .await
        });
        Ok(match row.map_err(|error| self.failed("read", &error))? {
            None => Person::Unknown,
            Some((None,)) => Person::Erased,
            Some((Some(wrapped),)) => {
                let who = owner.unwrap(&wrapped)?;
                Person::Known(String::from_utf8_lossy(&who).into_owned())
            }
        })
    }

    /// Forgets who a pseudonym stands for, for good; whether anything was known.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn forget_person(&mut self, pseudonym: &Pseudonym, now: Timestamp) -> Result<bool, VaultError> {
        let written = on!(self, connection => {
            sqlx::query(
                "UPDATE vault_person SET wrapped = NULL, destroyed_at = $1 \
                 WHERE pseudonym = $2 AND wrapped IS NOT NULL",
            )
            .bind(now.as_microseconds())
            .bind(pseudonym.to_string())
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
        });
        let known = written.map_err(|error| self.failed("written", &error))? > 0;
        self.wipe().await?;
        Ok(known)
    }
}
