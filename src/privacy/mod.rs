//! Finds personal data and secrets in bytes of any kind, and says where they stand, never what they are.
//!
//! | file | what it is |
//! |---|---|
//! | [`finding`] | rules, severities, and places by line and column |
//! | [`scanner`] | asks all detectors, and keeps one finding for a place |
//! | `tokens` | secrets with a form of their own: keys of clouds and forges, hashes, private keys |
//! | `statements` | passwords by the statement or the address around them |
//! | `numbers` | check digits: NIR, INE, IBAN, payment cards |
//! | `personal` | numbers, addresses and dates of people in any text |
//! | `meaning` | what a column or a key is for, by its name |
//! | `keyed` | values behind a name: `token = '…'`, `"iban": "…"` |
//! | `columns` | values in the place of a named column: `INSERT`, `COPY` |
//! | `tables` | names of columns of the tables that a text creates |
//! | `reader` | reads lists of columns and values |
//! | `reserved` | examples that are nobody's |
//! | [`publish`] | which files may be archived in clear |
//! | [`subject`] | a person's data in the application's database |
//! | [`rules`] | rules and allowlists of one's own, in the format of gitleaks |
//!
//! Nothing here reads a file, prints, or keeps a value that it found. Time grows with the length of the text alone.

mod columns;
pub mod finding;
mod keyed;
mod meaning;
mod numbers;
mod pattern;
mod personal;
pub mod publish;
mod reader;
mod reserved;
pub mod rules;
pub mod scanner;
mod statements;
pub mod subject;
mod tables;
mod tokens;

pub use finding::{Finding, Rule, Severity, built_in};
pub use publish::{Judged, Publish};
pub use rules::{RuleError, Rules};
pub use scanner::{scan, scan_with};
