//! Brings back from a backup what a vault has not: of one chain, and nothing of what that chain says to be erased. All of
//! it, or nothing.

mod plan;

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use self::plan::{Changes, Here, plan};
use super::backup::{Contents, Made};
use super::{Connection, OwnerKey, Vault, VaultError, on};
use crate::model::{Cid, Pseudonym, Timestamp};

/// How far the clock of whoever made a backup may be ahead, in microseconds.
const AHEAD: i64 = 600_000_000;

/// What is wanted of a backup.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub chain: &'a Cid,
    /// Sealed files whose keys must not come back, and are destroyed where they are still here.
    pub erased: &'a HashSet<String>,
    /// Pseudonyms of whom nobody is to know any more who they are.
    pub forgotten: &'a BTreeSet<Pseudonym>,
    /// Backups that were made before are refused: keys that were erased since are in them.
    pub oldest: Timestamp,
    pub now: Timestamp,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Keys that open files again.
    pub keys: usize,
    /// Keys of the backup that nothing opens.
    pub unusable: usize,
    /// Keys of other chains, which were left: what those say to be erased is not known here.
    pub elsewhere: usize,
    /// Holds that the vault did not have.
    pub holds: Vec<String>,
}

impl Vault {
    /// Adds what a backup has of a chain and the vault has not; what was destroyed here stays destroyed.
    ///
    /// # Errors
    /// [`VaultError::BackupTooOld`], [`VaultError::BackupYetToCome`] and [`VaultError::Backup`] before anything is
    /// written; [`VaultError::Database`] when nothing could be.
    pub async fn restore(
        &mut self,
        backup: &[u8],
        owner: &dyn OwnerKey,
        wanted: &Wanted<'_>,
    ) -> Result<Restored, VaultError> {
        if owner.recipient() != self.recipient() {
            return Err(super::OwnerError::NotFor.into());
        }
        let mut contents = self.read_backup(backup, owner)?;
        let latest = wanted.now.as_microseconds().saturating_add(AHEAD);
        if contents.made_at > latest {
            let made_at = Timestamp::from_microseconds(contents.made_at);
            return Err(made_at.map_or(VaultError::Backup("a time in it is out of range"), |made_at| {
                VaultError::BackupYetToCome(made_at)
            }));
        }
        if contents.made_at < wanted.oldest.as_microseconds() {
            return Err(VaultError::BackupTooOld);
        }
        if contents.backups.is_empty() {
            // Of a version whose backups did not say their names.
            let backup = format!("made at {}", contents.made_at);
            contents.backups.push(Made { backup, made_at: contents.made_at });
        }
        contents.backups.retain(|made| made.made_at <= latest);
        let elsewhere = keep_chain(&mut contents, &wanted.chain.to_string());
        self.begin().await?;
        let written = self.write(&contents, owner, wanted).await;
        self.run(if written.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        let (restored, wipes) = written?;
        if wipes {
            self.wipe().await?;
        }
        Ok(Restored { elsewhere, ..restored })
    }

    /// Begins a transaction in which nobody else writes keys.
    async fn begin(&mut self) -> Result<(), VaultError> {
        match self.connection {
            Connection::Sqlite(_) => self.run("BEGIN IMMEDIATE").await,
            Connection::Postgres(_) => {
                self.run("BEGIN").await?;
                self.run(
                    "LOCK TABLE vault_period, vault_batch, vault_content_key IN SHARE ROW EXCLUSIVE MODE",
                )
                .await
            }
        }
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), VaultError> {
        let ran = on!(self, connection => sqlx::query(sql).execute(connection).await.map(drop));
        ran.map_err(|error| self.failed("written", &error))
    }

    /// Writes what is wanted; also whether something was destroyed by it.
    async fn write(
        &mut self,
        contents: &Contents,
        owner: &dyn OwnerKey,
        wanted: &Wanted<'_>,
    ) -> Result<(Restored, bool), VaultError> {
        let here = self.rows_of(wanted.chain).await?;
        let changes = plan(&here, contents, wanted.erased, owner, wanted.now.as_microseconds())?;
        let failed = |error: sqlx::Error, vault: &Self| vault.failed("written", &error);
        self.write_months(&changes).await.map_err(|error| failed(error, self))?;
        self.write_keys(&changes, wanted.now).await.map_err(|error| failed(error, self))?;
        let holds = self.write_holds(contents).await.map_err(|error| failed(error, self))?;
        let forgot = self.write_persons(contents, wanted).await.map_err(|error| failed(error, self))?;
        self.write_backups(contents).await.map_err(|error| failed(error, self))?;
        let (keys, unusable) = (changes.came, changes.unusable);
        let wipes = forgot || !changes.destroyed.is_empty();
        Ok((Restored { keys, unusable, elsewhere: 0, holds }, wipes))
    }

    async fn rows_of(&mut self, chain: &Cid) -> Result<Here, VaultError> {
        const PERIODS: &str = "SELECT * FROM vault_period WHERE chain = $1";
        const BATCHES: &str = "SELECT * FROM vault_batch WHERE chain = $1";
        const KEYS: &str = "SELECT * FROM vault_content_key WHERE chain = $1";
        let chain = chain.to_string();
        let read: Result<Here, sqlx::Error> = on!(self, connection => {
            async {
                Ok(Here {
                    periods: sqlx::query_as(PERIODS).bind(&chain).fetch_all(&mut *connection).await?,
                    batches: sqlx::query_as(BATCHES).bind(&chain).fetch_all(&mut *connection).await?,
                    keys: sqlx::query_as(KEYS).bind(&chain).fetch_all(connection).await?,
                })
            }
            .await
        });
        read.map_err(|error| self.failed("read", &error))
    }

    async fn write_months(&mut self, changes: &Changes) -> Result<(), sqlx::Error> {
        const PERIOD: &str = "INSERT INTO vault_period (chain, period, recipient, identity, destroyed_at) \
                              VALUES ($1, $2, $3, $4, $5) ON CONFLICT (chain, period) DO UPDATE \
                              SET identity = excluded.identity WHERE vault_period.recipient = excluded.recipient";
        const BATCH: &str = "INSERT INTO vault_batch (batch, chain, period, wrapped) VALUES ($1, $2, $3, $4) \
                             ON CONFLICT (batch) DO UPDATE SET wrapped = excluded.wrapped \
                             WHERE vault_batch.chain = excluded.chain AND vault_batch.period = excluded.period";
        on!(self, connection => {
            for row in &changes.periods {
                let query = sqlx::query(PERIOD).bind(&row.chain).bind(&row.period).bind(&row.recipient);
                query.bind(&row.identity).bind(row.destroyed_at).execute(&mut *connection).await?;
            }
            for row in &changes.batches {
                let query = sqlx::query(BATCH).bind(&row.batch).bind(&row.chain).bind(&row.period);
                query.bind(&row.wrapped).execute(&mut *connection).await?;
            }
        });
        Ok(())
    }

    async fn write_keys(&mut self, changes: &Changes, now: Timestamp) -> Result<(), sqlx::Error> {
        const KEY: &str = "INSERT INTO vault_content_key (kid, batch, chain, event, pseudonym, role, file, cid, \
                           sealed_at, wrapped, destroyed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                           ON CONFLICT (kid) DO UPDATE SET wrapped = excluded.wrapped \
                           WHERE vault_content_key.chain = excluded.chain \
                           AND vault_content_key.batch = excluded.batch \
                           AND vault_content_key.destroyed_at IS NULL";
        const GONE: &str = "UPDATE vault_content_key SET wrapped = NULL, destroyed_at = $1 WHERE kid = $2";
        on!(self, connection => {
            for row in &changes.keys {
                let query = sqlx::query(KEY).bind(&row.kid).bind(&row.batch).bind(&row.chain).bind(&row.event);
                let query = query.bind(&row.pseudonym).bind(&row.role).bind(&row.file).bind(&row.cid);
                let query = query.bind(row.sealed_at).bind(&row.wrapped).bind(row.destroyed_at);
                query.execute(&mut *connection).await?;
            }
            for kid in &changes.destroyed {
                sqlx::query(GONE).bind(now.as_microseconds()).bind(kid).execute(&mut *connection).await?;
            }
        });
        Ok(())
    }

    /// The names of those that forbid to erase from now on.
    async fn write_holds(&mut self, contents: &Contents) -> Result<Vec<String>, sqlx::Error> {
        const HOLD: &str = "INSERT INTO vault_hold (hold, chain, event, reason, placed_at, released_at) \
                            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let mut came = Vec::new();
        on!(self, connection => {
            for row in &contents.holds {
                let query = sqlx::query(HOLD).bind(&row.hold).bind(&row.chain).bind(&row.event);
                let query = query.bind(&row.reason).bind(row.placed_at).bind(row.released_at);
                let done = query.execute(&mut *connection).await?;
                if done.rows_affected() > 0 && row.released_at.is_none() {
                    came.push(row.hold.clone());
                }
            }
        });
        Ok(came)
    }

    /// Whether somebody was forgotten.
    async fn write_persons(&mut self, contents: &Contents, wanted: &Wanted<'_>) -> Result<bool, sqlx::Error> {
        const PERSON: &str = "INSERT INTO vault_person (pseudonym, wrapped, destroyed_at) VALUES ($1, $2, $3) \
                              ON CONFLICT DO NOTHING";
        const FORGOTTEN: &str = "INSERT INTO vault_person (pseudonym, destroyed_at) VALUES ($1, $2) \
                                 ON CONFLICT (pseudonym) DO UPDATE SET wrapped = NULL, \
                                 destroyed_at = excluded.destroyed_at WHERE vault_person.wrapped IS NOT NULL";
        let forgotten: HashSet<String> = wanted.forgotten.iter().map(ToString::to_string).collect();
        let mut forgot = false;
        on!(self, connection => {
            for row in contents.persons.iter().filter(|row| !forgotten.contains(&row.pseudonym)) {
                let query = sqlx::query(PERSON).bind(&row.pseudonym).bind(&row.wrapped);
                query.bind(row.destroyed_at).execute(&mut *connection).await?;
            }
            for pseudonym in &forgotten {
                let query = sqlx::query(FORGOTTEN).bind(pseudonym).bind(wanted.now.as_microseconds());
                forgot |= query.execute(&mut *connection).await?.rows_affected() > 0;
            }
        });
        Ok(forgot)
    }

    async fn write_backups(&mut self, contents: &Contents) -> Result<(), sqlx::Error> {
        const BACKUP: &str =
            "INSERT INTO vault_backup (backup, made_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        on!(self, connection => {
            for row in &contents.backups {
                sqlx::query(BACKUP).bind(&row.backup).bind(row.made_at).execute(&mut *connection).await?;
            }
        });
        Ok(())
    }
}

/// Leaves the rows of one chain; how many keys of others there were. Who acted in other chains alone is theirs too.
fn keep_chain(contents: &mut Contents, chain: &str) -> usize {
    let theirs = |of_chain: bool| {
        let keys = contents.keys.iter().filter(|row| (row.chain == chain) == of_chain);
        keys.map(|row| row.pseudonym.clone()).collect::<HashSet<_>>()
    };
    let (ours, others) = (theirs(true), theirs(false));
    let elsewhere = contents.keys.iter().filter(|row| row.chain != chain && row.wrapped.is_some()).count();
    contents.persons.retain(|row| ours.contains(&row.pseudonym) || !others.contains(&row.pseudonym));
    contents.periods.retain(|row| row.chain == chain);
    contents.batches.retain(|row| row.chain == chain);
    contents.keys.retain(|row| row.chain == chain);
    contents.holds.retain(|row| row.chain == chain);
    elsewhere
}

#[cfg(test)]
mod tests;
