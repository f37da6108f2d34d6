//! How far the access chain of a chain has come. The vault holds it apart from that chain's file, so that a file which was
//! removed or cut is seen.

use super::{Vault, VaultError, on};
use crate::model::Cid;

/// An access chain as it was when something was last recorded in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedAccess {
    /// Its manifest 0.
    pub root: Cid,
    /// Its entries.
    pub size: u64,
}

impl Vault {
    /// What was noted of the access chain of `chain`.
    ///
    /// # Errors
    /// [`VaultError::Database`], [`VaultError::Damaged`].
    pub async fn noted_access(&mut self, chain: &Cid) -> Result<Option<NotedAccess>, VaultError> {
        let row: Result<Option<(String, i64)>, _> = on!(self, connection => {
            sqlx::query_as("SELECT root, size FROM vault_access WHERE chain = $1")
                .bind(chain.to_string())
                .fetch_optional(connection)
                .await
        });
        let damaged = VaultError::Damaged("what it notes of the access chain is not what it writes");
        match row.map_err(|error| self.failed("read", &error))? {
            None => Ok(None),
            Some((root, size)) => match (root.parse(), u64::try_from(size)) {
                (Ok(root), Ok(size)) => Ok(Some(NotedAccess { root, size })),
                _ => Err(damaged),
            },
        }
    }

    /// Notes how far the access chain of `chain` has come; never that it is shorter than it was.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn note_access(&mut self, chain: &Cid, noted: NotedAccess) -> Result<(), VaultError> {
        let written = on!(self, connection => {
            sqlx::query(
                "INSERT INTO vault_access (chain, root, size) VALUES ($1, $2, $3) \
                 ON CONFLICT (chain) DO UPDATE SET root = excluded.root, size = excluded.size \
                 WHERE vault_access.size < excluded.size",
            )
            .bind(chain.to_string())
            .bind(noted.root.to_string())
            .bind(i64::try_from(noted.size).unwrap_or(i64::MAX))
            .execute(connection)
            .await
            .map(drop)
        });
        written.map_err(|error| self.failed("written", &error))
    }
}
