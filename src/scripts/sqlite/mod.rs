//! SQLite's rules for tokens and statements.

mod lexer;
mod statement;

pub use statement::{refusal, statements};
