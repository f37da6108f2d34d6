//! Migration scripts as they lie in a folder: which there are, what they say about themselves, what they would do.
//!
//! | file | what it is |
//! |---|---|
//! | [`header`] | purpose, impact, rollback, dependencies and sectors from the comment at the top of a script |
//! | [`statement`] | splits a script into statements, names their kind, finds transaction control |
//! | [`difference`] | compares a script on disk with its archived copy |
//!
//! Nothing here connects to a database or runs a script, and nothing here writes.

pub mod difference;
pub mod header;
mod lexer;
pub mod statement;

pub use difference::{Difference, difference, line_feed_form};
pub use header::Header;
pub use statement::{Control, Statement, statements, transaction_control};

const BYTE_ORDER_MARK: &str = "\u{feff}";
