//! MySQL's and MariaDB's rules for tokens and statements, and the one client command that scripts need.

mod body;
mod kind;
mod lexer;
mod outside;
mod refusal;
mod statement;

pub use outside::outside;
pub use refusal::refusal;
pub use statement::statements;

/// Where the tokens of one statement stand in it.
pub fn tokens(statement: &str) -> Vec<std::ops::Range<usize>> {
    lexer::Lexer::new(statement).map(|token| token.range).collect()
}
