//! What holds for scripts of others: they end in time, and the account that they run as stays what it was.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::Mysql;
use super::rows::execute;
use crate::database::limit::{Urge, within};
use crate::database::{DatabaseError, Failure, Step, StepOutcome};
use crate::model::Timestamp;

/// A connection beside those of the scripts, and what it watches over.
pub struct Guard {
    /// Holds the lock of the scratch database, which bears its name.
    pub keeper: MySqlConnection,
    pub limit: Duration,
    /// The statement that makes the account what it was at first, where the server tells.
    pub account: Option<String>,
    pub notes: Vec<String>,
}

impl Guard {
    pub async fn new(mut keeper: MySqlConnection, limit: Duration, notes: Vec<String>) -> Self {
        let account = account(&mut keeper).await;
        Self { keeper, limit, account, notes }
    }

    async fn end(&mut self, session: u64, urge: Urge) {
        let what = if urge == Urge::Statement { "QUERY" } else { "CONNECTION" };
        execute(&mut self.keeper, format!("KILL {what} {session}")).await.ok();
    }

    /// Whether the account is what it was; where it is not, makes it so again.
    async fn restore(&mut self) -> Result<bool, DatabaseError> {
        let Some(before) = &self.account else { return Ok(true) };
        match account(&mut self.keeper).await {
            Some(now) if now == *before => return Ok(true),
            Some(_) => {}
            None => {
                let lost = "it was ended while a script ran".to_owned();
                return Err(DatabaseError::Lost(Failure::Connection(lost)));
            }
        }
        let restored = match password(before) {
            Some(password) => execute(&mut self.keeper, password).await,
            None => execute(&mut self.keeper, before.clone()).await,
        };
        let restored = restored.is_ok() && account(&mut self.keeper).await.as_ref() == Some(before);
        self.notes.push(match restored {
            true => "a script changed the account that it ran as; it was made what it was before".to_owned(),
            false => "a script changed the account that it ran as: give it its password again".to_owned(),
        });
        Ok(false)
    }
}

/// The statement that makes the account of this connection what it is.
async fn account(connection: &mut MySqlConnection) -> Option<String> {
    let row = sqlx::raw_sql("SHOW CREATE USER CURRENT_USER()").fetch_one(connection).await.ok()?;
    let create: String = row.try_get(0).ok()?;
    create.strip_prefix("CREATE ").map(|rest| format!("ALTER {rest}"))
}

/// The statement that sets the digest of a password which an account has; everybody may set their own.
fn password(account: &str) -> Option<String> {
    let (_, rest) = account.split_once(" IDENTIFIED BY PASSWORD '")?;
    let (digest, _) = rest.split_once('\'')?;
    let plain = digest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'*');
    plain.then(|| format!("SET PASSWORD = '{digest}'"))
}

impl Mysql {
    /// Runs a script of others.
    pub(super) async fn run_guarded(
        &mut self,
        mut guard: Guard,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        let scripts = self.script_session().await?;
        let session = scripts.id;
        self.scripts = Some(scripts);
        let limit = guard.limit;
        let work = self.run_step(step, clock);
        let mut outcome = within(limit, work, async |urge| guard.end(session, urge).await).await;
        if !guard.restore().await? && outcome.is_ok() {
            let failure = Failure::Driver("the script changed the account that it runs as");
            let statement = step.statements.len() as u64;
            outcome = Ok(StepOutcome::Failed { failure, statement, partial: true, leftovers: Vec::new() });
        }
        self.guard = Some(guard);
        outcome
    }

    /// What was met that kept no script from running. Each is told once.
    pub fn take_notes(&mut self) -> Vec<String> {
        self.guard.as_mut().map(|guard| std::mem::take(&mut guard.notes)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_set_as_it_was() {
        let account = "ALTER USER `a`@`b` IDENTIFIED BY PASSWORD '*0123456789ABCDEF' REQUIRE NONE";
        assert_eq!(password(account).as_deref(), Some("SET PASSWORD = '*0123456789ABCDEF'"));
        assert_eq!(password("ALTER USER `a`@`b` IDENTIFIED BY PASSWORD 'a\\'"), None);
        assert_eq!(password("ALTER USER `a`@`b`"), None);
    }
}
