//! Changes of greffe's own that no run's history tells of.

use super::{Failure, Sqlite, failure};

impl Sqlite {
    /// Runs statements in one transaction, without a run's lock.
    pub(in crate::database) async fn change_all(&mut self, sql: String) -> Result<(), Failure> {
        if let Some(connect) = self.when_locked.take() {
            self.connect = connect;
            self.reconnect().await.map_err(|_| Failure::Driver("the file cannot be opened to write"))?;
        }
        let all = format!("BEGIN IMMEDIATE;\n{sql};\nCOMMIT");
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut self.connection).await;
        if done.is_err() {
            sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.ok();
        }
        done.map(drop).map_err(|error| failure(&error))
    }
}
