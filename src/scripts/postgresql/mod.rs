//! PostgreSQL's rules for tokens and statements.

mod kind;
mod lexer;
mod refusal;
mod statement;

pub use refusal::refusal;
pub use statement::statements;
