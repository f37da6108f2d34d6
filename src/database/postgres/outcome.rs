//! What came of a script's statements, and what a row says of it.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use sqlx::Either;
use sqlx::postgres::{PgConnection, PgErrorPosition};

use super::failure::{answer, failure, failure_in_use};
use super::marks::Marks;
use crate::database::executed::{Failed, add_statement, add_time, microseconds};
use crate::database::{DatabaseError, Failure, Step};
use crate::model::StatementRun;

/// What came of a script's statements.
#[derive(Default)]
pub struct Executed {
    pub statements: Vec<StatementRun>,
    pub failed: Option<Failed>,
    /// How many notices and warnings the server sent.
    pub notices: u64,
    /// The connection cannot be used any more.
    pub broken: bool,
    /// Statements that ended well.
    count: usize,
}

impl Executed {
    /// Sends `sql`, which is the script or a part of it that begins at the byte `offset`, alone; with `marks` between
    /// its statements.
    ///
    /// # Errors
    /// [`DatabaseError::Lost`]; what the server answers is an outcome.
    pub async fn send(
        &mut self,
        connection: &mut PgConnection,
        step: &Step,
        (sql, offset): (&str, usize),
        marks: &Marks,
    ) -> Result<(), DatabaseError> {
        let sent = sqlx::AssertSqlSafe(marks.write(sql).into_owned());
        let mut results = sqlx::raw_sql(sent).fetch_many(connection);
        let mut times = Times { begin: Instant::now(), told: Duration::ZERO, pending: false };
        let mut is_mark = false;
        loop {
            match results.try_next().await {
                Ok(None) => {
                    times.end(&mut self.statements);
                    return Ok(());
                }
                Ok(Some(Either::Right(row))) => {
                    if let Some(elapsed) = marks.read(self.count, &row) {
                        times.tell(elapsed, &mut self.statements);
                        is_mark = true;
                    }
                }
                Ok(Some(Either::Left(_))) if std::mem::take(&mut is_mark) => {}
                Ok(Some(Either::Left(result))) => {
                    let kind = step.statements.get(self.count);
                    let kind = kind.map_or("OTHER", |statement| statement.kind.as_str());
                    let rows = COUNTED.contains(&kind).then(|| result.rows_affected());
                    add_statement(&mut self.statements, kind, 0, rows);
                    self.count += 1;
                    times.pending = true;
                    if marks.is_empty() {
                        times.end(&mut self.statements);
                    }
                }
                Err(error) => {
                    times.end(&mut self.statements);
                    return self.fail(&error, step, offset, marks);
                }
            }
        }
    }

    fn fail(
        &mut self,
        error: &sqlx::Error,
        step: &Step,
        offset: usize,
        marks: &Marks,
    ) -> Result<(), DatabaseError> {
        if matches!(error, sqlx::Error::Protocol(_)) {
            self.broken = true;
            let failure = Failure::Driver("it asks for data from the client, as `COPY … FROM STDIN` does");
            self.failed = Some(Failed { failure, statement: self.count as u64 + 1 });
            return Ok(());
        }
        let Some(answer) = answer(error) else { return Err(DatabaseError::Lost(failure_in_use(error))) };
        let position = match answer.position() {
            Some(PgErrorPosition::Original(position)) => Some(position),
            _ => None,
        };
        let before = step.sql.get(..offset).unwrap_or_default().chars().count();
        let position = position.map(|position| marks.place_in(&step.sql, position) + before);
        let mut failure = failure(error);
        if let Failure::Server { position: shown, .. } = &mut failure {
            *shown = position.map(|position| position as u64);
        }
        let statement = position.and_then(|position| statement_at(step, position)).unwrap_or(self.count);
        self.failed = Some(Failed { failure, statement: statement as u64 + 1 });
        Ok(())
    }
}

/// How long the statements of a message took. Their answers may all come when the last one is done.
struct Times {
    begin: Instant,
    /// Since `begin`, what statements have been told of so far.
    told: Duration,
    /// Whether a statement ended since.
    pending: bool,
}

impl Times {
    /// `elapsed` after the beginning, the run of statements that came last was done.
    fn tell(&mut self, elapsed: Duration, statements: &mut [StatementRun]) {
        add_time(statements, microseconds(elapsed.saturating_sub(self.told)));
        self.told = elapsed.max(self.told);
        self.pending = false;
    }

    /// It is done now, unless its time was told.
    fn end(&mut self, statements: &mut [StatementRun]) {
        if self.pending {
            self.tell(self.begin.elapsed(), statements);
        }
    }
}

/// Kinds of statements that change rows.
const COUNTED: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];

/// The statement, from 0, that a character of the script, from 1, stands in or right behind.
fn statement_at(step: &Step, position: usize) -> Option<usize> {
    let (byte, _) = step.sql.char_indices().nth(position.checked_sub(1)?)?;
    step.statements.iter().rposition(|statement| statement.range.start <= byte)
}

/// What came of statements of greffe's own: how many ended well, the last rows, and the error of the next one.
pub struct Answer {
    pub ended: usize,
    pub row: Option<sqlx::postgres::PgRow>,
    pub error: Option<sqlx::Error>,
}

/// Runs statements of greffe's own until one fails.
pub async fn execute_in_turn(connection: &mut PgConnection, sql: String) -> Answer {
    let mut results = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_many(connection);
    let mut answer = Answer { ended: 0, row: None, error: None };
    loop {
        match results.try_next().await {
            Ok(Some(Either::Left(_))) => answer.ended += 1,
            Ok(Some(Either::Right(row))) => answer.row = Some(row),
            Ok(None) => return answer,
            Err(error) => return Answer { error: Some(error), ..answer },
        }
    }
}
