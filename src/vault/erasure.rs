//! Destroys keys, and keeps what forbids it. What is destroyed leaves its row without its key, and no trace of the key
//! in the database's own files.

use sqlx::Connection as _;

use super::{Connection, Vault, VaultError, on};
use crate::model::{Cid, EventId, Pseudonym, Timestamp};

/// Which keys are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those of one event.
    Event(EventId),
    /// Those of all events in which somebody acted.
    Actor(Pseudonym),
    /// Those of a month, such as `2026-11`.
    Period(String),
}

/// A content key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub event: String,
    /// Of the sealed file.
    pub cid: String,
    pub sealed_at: Timestamp,
    /// When the key was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

/// Something that forbids to erase.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub hold: String,
    /// The event; `None` for the whole chain.
    pub event: Option<String>,
    pub reason: String,
    pub placed_at: Timestamp,
}

type Row = (String, String, i64, Option<i64>);

fn time(microseconds: i64) -> Result<Timestamp, VaultError> {
    Timestamp::from_microseconds(microseconds).ok_or(VaultError::Damaged("a time is out of range"))
}

impl Vault {
    /// The keys that are meant, those that are destroyed among them.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn select(&mut self, chain: &Cid, selection: &Selection) -> Result<Vec<KeyRow>, VaultError> {
        const COLUMNS: &str = "SELECT k.event, k.cid, k.sealed_at, k.destroyed_at FROM vault_content_key k";
        let chain = chain.to_string();
        let (condition, value) = match selection {
            Selection::Event(event) => ("WHERE k.chain = $1 AND k.event = $2", event.to_string()),
            Selection::Actor(actor) => ("WHERE k.chain = $1 AND k.pseudonym = $2", actor.to_string()),
            Selection::Period(period) => (
                "JOIN vault_batch b ON b.batch = k.batch WHERE k.chain = $1 AND b.period = $2",
                period.clone(),
            ),
        };
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} {condition} ORDER BY k.sealed_at, k.file"));
        let rows: Result<Vec<Row>, _> = on!(self, connection => {
            sqlx::query_as(sql).bind(&chain).bind(&value).fetch_all(connection).await
        });
        let rows = rows.map_err(|error| self.failed("read", &error))?;
        let row = |(event, cid, sealed_at, destroyed_at): Row| {
            let destroyed_at = destroyed_at.map(time).transpose()?;
            Ok(KeyRow { event, cid, sealed_at: time(sealed_at)?, destroyed_at })
        };
        rows.into_iter().map(row).collect()
    }

    /// Destroys the keys of these sealed files, and sees to it that the database's own files hold them no more.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn destroy(&mut self, chain: &Cid, cids: &[String], now: Timestamp) -> Result<(), VaultError> {
        const KEY: &str = "UPDATE vault_content_key SET wrapped = NULL, destroyed_at = $1 \
                           WHERE chain = $2 AND cid = $3 AND wrapped IS NOT NULL";
        self.destroy_all(chain, cids.iter().map(|cid| (KEY, cid.as_str())), now).await
    }

    /// Destroys the key of a month, and with it all that was sealed then.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn destroy_period(
        &mut self,
        chain: &Cid,
        period: &str,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        const MONTH: [&str; 2] = [
            "UPDATE vault_period SET identity = NULL, destroyed_at = $1 \
             WHERE chain = $2 AND period = $3 AND identity IS NOT NULL",
            "UPDATE vault_content_key SET wrapped = NULL, destroyed_at = $1 \
             WHERE wrapped IS NOT NULL AND batch IN \
             (SELECT batch FROM vault_batch WHERE chain = $2 AND period = $3)",
        ];
        self.destroy_all(chain, MONTH.into_iter().map(|sql| (sql, period)), now).await
    }

    /// Runs statements with the time, the chain and a text each, all or none.
    async fn destroy_all(
        &mut self,
        chain: &Cid,
        statements: impl Iterator<Item = (&'static str, &str)>,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let chain = chain.to_string();
        let written: Result<(), sqlx::Error> = on!(self, connection => {
            async {
                let mut transaction = connection.begin().await?;
                for (sql, of) in statements {
                    sqlx::query(sql)
                        .bind(now.as_microseconds())
                        .bind(&chain)
                        .bind(of)
                        .execute(&mut *transaction)
                        .await?;
                }
                transaction.commit().await
            }
            .await
        });
        written.map_err(|error| self.failed("written", &error))?;
        self.wipe().await
    }

    /// The months of a chain whose key is not destroyed.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn periods(&mut self, chain: &Cid) -> Result<Vec<String>, VaultError> {
        let chain = chain.to_string();
        let rows: Result<Vec<(String,)>, _> = on!(self, connection => {
            sqlx::query_as("SELECT period FROM vault_period WHERE chain = $1 AND identity IS NOT NULL ORDER BY period")
                .bind(&chain)
                .fetch_all(connection)
                .await
        });
        Ok(rows.map_err(|error| self.failed("read", &error))?.into_iter().map(|(period,)| period).collect())
    }

    /// Rewrites what held keys that are gone.
    pub(super) async fn wipe(&mut self) -> Result<(), VaultError> {
        let wiped = match &mut self.connection {
            Connection::Sqlite(connection) => sqlx::query("VACUUM").execute(connection).await.map(drop),
            Connection::Postgres(connection) => {
                let mut done = Ok(());
                for sql in
                    ["VACUUM FULL vault_content_key", "VACUUM FULL vault_period", "VACUUM FULL vault_person"]
                {
                    if done.is_ok() {
                        done = sqlx::query(sql).execute(&mut *connection).await.map(drop);
                    }
                }
                done
            }
        };
        wiped.map_err(|error| self.failed("wiped", &error))
    }

    /// Forbids to erase one event or, without one, anything of a chain. The name of a hold that was released can be
    /// taken again.
    ///
    /// # Errors
    /// [`VaultError::HoldExists`] when the chain has a hold of this name.
    pub async fn place_hold(&mut self, chain: &Cid, hold: &Hold) -> Result<(), VaultError> {
        let chain = chain.to_string();
        let written = on!(self, connection => {
            sqlx::query(
                "INSERT INTO vault_hold (hold, chain, event, reason, placed_at) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (chain, hold) DO UPDATE SET event = excluded.event, reason = excluded.reason, \
                 placed_at = excluded.placed_at, released_at = NULL WHERE vault_hold.released_at IS NOT NULL",
            )
            .bind(&hold.hold)
            .bind(&chain)
            .bind(&hold.event)
            .bind(&hold.reason)
            .bind(hold.placed_at.as_microseconds())
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
        });
        match written.map_err(|error| self.failed("written", &error))? {
            0 => Err(VaultError::HoldExists(hold.hold.clone())),
            _ => Ok(()),
        }
    }

    /// Takes a hold away, so that a backup does not bring it back; whether there was one.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn release_hold(
        &mut self,
        chain: &Cid,
        hold: &str,
        now: Timestamp,
    ) -> Result<bool, VaultError> {
        let chain = chain.to_string();
        let written = on!(self, connection => {
            sqlx::query(
                "UPDATE vault_hold SET released_at = $1 WHERE chain = $2 AND hold = $3 AND released_at IS NULL",
            )
            .bind(now.as_microseconds())
            .bind(&chain)
            .bind(hold)
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
        });
        Ok(written.map_err(|error| self.failed("written", &error))? > 0)
    }

    /// What forbids to erase something of a chain.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn holds(&mut self, chain: &Cid) -> Result<Vec<Hold>, VaultError> {
        let chain = chain.to_string();
        type Row = (String, Option<String>, String, i64);
        let rows: Result<Vec<Row>, _> = on!(self, connection => {
            sqlx::query_as(
                "SELECT hold, event, reason, placed_at FROM vault_hold \
                 WHERE chain = $1 AND released_at IS NULL ORDER BY hold",
            )
            .bind(&chain)
            .fetch_all(connection)
            .await
        });
        let hold = |(hold, event, reason, placed_at): Row| {
            Ok(Hold { hold, event, reason, placed_at: time(placed_at)? })
        };
        rows.map_err(|error| self.failed("read", &error))?.into_iter().map(hold).collect()
    }

    /// When the newest backup was made.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn last_backup(&mut self) -> Result<Option<Timestamp>, VaultError> {
        let row: Result<(Option<i64>,), _> = on!(self, connection => {
            sqlx::query_as("SELECT max(made_at) FROM vault_backup").fetch_one(connection).await
        });
        row.map_err(|error| self.failed("read", &error))?.0.map(time).transpose()
    }
}
