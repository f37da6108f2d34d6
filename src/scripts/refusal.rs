//! What greffe will not run, found before anything runs.

use super::{Control, Dialect, mysql, postgresql, sqlite};

/// The first thing in a script that keeps it from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Refusal {
    /// The line on which it starts, counted from 1.
    pub line: usize,
    pub reason: Reason,
}

/// Why greffe does not run a script. The texts in it are fixed ones, none of them is taken from the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Transaction control where a script of its own may do without greffe's transaction (SQLite).
    #[error(
        "{0} does not go with the transaction that greffe runs a script in: remove it, or begin the file with \
         `-- no-transaction`"
    )]
    TransactionControl(Control),
    /// Transaction control where greffe notes each statement that ended (PostgreSQL, MySQL).
    #[error("transactions are greffe's to begin and to end, also under `-- no-transaction`: remove {0}")]
    OwnTransactions(Control),
    /// A statement that the database runs only outside of a transaction.
    #[error("{0} does not run inside a transaction: begin the file with `-- no-transaction`")]
    OutsideTransaction(&'static str),
    /// `COPY … FROM STDIN`.
    #[error(
        "the lines of data behind COPY FROM STDIN are no SQL: use INSERT, or COPY from a file of the server"
    )]
    CopyIn,
    /// `COPY … TO STDOUT`.
    #[error("nobody reads what COPY TO STDOUT writes: remove it, or COPY to a file of the server")]
    CopyOut,
    /// A command that a client program obeys and that the database does not know.
    #[error("this is a command of the client {0}, which does not take part: write SQL in its place")]
    ClientCommand(&'static str),
    /// A setting that decides how the rest of the script reads.
    #[error(
        "{0} would change what the text below it means: remove it, scripts are UTF-8 under default rules"
    )]
    TextMeaning(&'static str),
    /// A statement that takes back what greffe set up on its connection.
    #[error("{0} takes back what greffe's connection needs: remove it, or reset one setting by its name")]
    SessionReset(&'static str),
    /// `LOAD DATA LOCAL`.
    #[error("{0} reads a file of the machine that greffe runs on: use INSERT, or a file of the server")]
    LocalFile(&'static str),
    /// A function over locks by name, of which greffe's own is one.
    #[error("{0} works on the kind of lock that keeps greffe's runs apart: remove it")]
    RunLock(&'static str),
    /// Something that is opened and not closed.
    #[error("{0} begins here and does not end: close it")]
    Unterminated(Piece),
    /// An executable comment that a server that skips it would read otherwise.
    #[error(
        "this executable comment ends at another place for a server that skips it: keep semicolons, comments and \
         `*/` in literals out of it, or write it as plain SQL"
    )]
    ExecutableComment,
    /// A routine or a trigger whose end is not to be seen.
    #[error(
        "the end of this body is not to be seen: close each BEGIN, IF, CASE and loop, and put DELIMITER around it"
    )]
    Body,
    /// `CREATE PACKAGE`.
    #[error("the end of a package is not to be seen: create its routines one by one")]
    Package,
    /// A block of statements outside of a routine.
    #[error(
        "a block outside of a routine may hide transaction control: put it into a procedure and call that"
    )]
    Block,
    /// A `DELIMITER` that could also be part of a statement.
    #[error("this delimiter could be mistaken: name one of at most 15 signs, such as `//`, `$$` or `;;`")]
    Delimiter,
}

/// What a script left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Piece {
    #[error("a literal")]
    Literal,
    #[error("a quoted name")]
    Name,
    #[error("a comment")]
    Comment,
    #[error("a dollar quote")]
    DollarQuote,
}

/// The first thing in a script that greffe will not run. `transaction`: whether the script runs inside one.
///
/// What it cannot see: statements that a function, a procedure or `EXECUTE` puts together.
pub fn refusal(dialect: Dialect, sql: &str, transaction: bool) -> Option<Refusal> {
    let (offset, reason) = match dialect {
        Dialect::Sqlite => sqlite::refusal(sql, transaction),
        Dialect::Postgresql => postgresql::refusal(sql, transaction),
        Dialect::Mysql => mysql::refusal(sql),
    }?;
    let above = sql.get(..offset).unwrap_or_default();
    Some(Refusal { line: 1 + above.matches('\n').count(), reason })
}
