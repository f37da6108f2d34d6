//! Changes of greffe's own that no run's history tells of.

use super::{Failure, Sqlite, failure};

impl Sqlite {
    /// Runs statements in one transaction, without a run's lock.
    pub(in crate::database) async fn change_all(&mut self, sql: String) -> Result<(), Failure> {
        self.change_all_unless(None, sql).await.map(drop)
    }

    /// The same, unless a query finds a row in that transaction; whether they ran.
    pub(in crate::database) async fn change_all_unless(
        &mut self,
        found: Option<String>,
        sql: String,
    ) -> Result<bool, Failure> {
        if let Some(connect) = self.when_locked.take() {
            self.connect = connect;
            self.reconnect().await.map_err(|_| Failure::Driver("the file cannot be opened to write"))?;
        }
        let done = self.begin_unless(found, sql).await;
        if !matches!(done, Ok(true)) {
            sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.ok();
        }
        done.map_err(|error| failure(&error))
    }

    async fn begin_unless(&mut self, found: Option<String>, sql: String) -> Result<bool, sqlx::Error> {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        if let Some(query) = found {
            let row = sqlx::raw_sql(sqlx::AssertSqlSafe(query)).fetch_optional(&mut self.connection).await?;
            if row.is_some() {
                return Ok(false);
            }
        }
        let all = format!("{sql};\nCOMMIT");
        sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut self.connection).await?;
        Ok(true)
    }
}
