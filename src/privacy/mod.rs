//! Finds personal data and secrets in bytes of any kind, and says where they stand, never what they are.
//!
//! | file | what it is |
//! |---|---|
//! | [`finding`] | rules, severities, and places by line and column |
//! | [`scanner`] | asks all detectors, and keeps one finding for a place |
//! | `decoded` | reads bytes as text, whatever they were written in |
//! | `tokens` | secrets with a form of their own: keys of clouds and forges, hashes, private keys |
//! | `statements` | passwords by the statement or the address around them |
//! | `numbers` | check digits: NIR, INE, IBAN, payment cards |
//! | `personal` | numbers, addresses and dates of people in any text |
//! | `phones` | telephone numbers |
//! | `meaning` | whether a value fits what its column or key is for |
//! | `keyed` | values behind a name: `token = '…'`, `"iban": "…"` |
//! | `expression` | values inside of an expression: `md5('…')`, `CASE … END` |
//! | `spoken` | secrets in sentences |
//! | `calls` | values among the arguments of functions |
//! | `definitions` | defaults of columns and arguments |
//! | `named` | values whose name stands elsewhere in their statement |
//! | `columns` | values in the place of a named column: `INSERT`, `COPY` |
//! | `people` | rows of people: days of birth, accounts |
//! | `tabular` | files of rows under a line of names |
//! | `views` | texts in another writing: escapes, joins, base 16 and base 64 |
//! | `tables` | names of columns of the tables that a text creates |
//! | `reader` | reads lists of columns and values |
//! | [`publish`] | which files may be archived in clear |
//! | [`subject`] | a person's data in the application's database |
//! | [`rules`] | rules and allowlists of one's own, in the format of gitleaks |
//! | `rule_error` | why they cannot be used, without a word of them |
//!
//! Nothing here reads a file, prints, or keeps a value that it found. Time grows with the length of the text alone.

mod calls;
mod columns;
mod decoded;
mod definitions;
mod expression;
pub mod finding;
mod keyed;
mod meaning;
mod named;
mod numbers;
mod pattern;
mod people;
mod personal;
mod phones;
pub mod publish;
mod reader;
mod rule_error;
pub mod rules;
pub mod scanner;
mod spoken;
mod statements;
pub mod subject;
mod tables;
mod tabular;
mod tokens;
mod views;

pub use decoded::text_of;
pub use finding::{Finding, Rule, Severity, built_in};
pub use publish::{Judged, Publish};
pub use rules::{RuleError, Rules};
pub use scanner::{scan, scan_name, scan_with, without_secrets};
