//! SQLite's rules for tokens and statements.

mod lexer;
mod outside;
mod statement;

pub use outside::outside;
pub use statement::{refusal, statements};

/// Where the tokens of one statement stand in it.
pub fn tokens(statement: &str) -> Vec<std::ops::Range<usize>> {
    lexer::Lexer::new(statement).map(|token| token.range).collect()
}
