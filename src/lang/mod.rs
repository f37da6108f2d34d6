//! What people read, in their language: archives hold codes and parameters, and text is made of them when it is read.
//!
//! Messages are Fluent files, a folder for each language: `report.ftl` for reports, `findings.ftl` for what verification
//! finds, `commands.ftl` for what commands print of it, `watch.ftl` for alerts. Arabic has the first two and tells the others in
//! English. Tests hold that every language has every message of its files with the same variables, that none is left over, and
//! that each code of a finding has one.
//!
//! | file | what it is |
//! |---|---|
//! | [`mod@language`] | which languages there are, and which one is asked for |
//! | [`words`] | the messages of one of them |
//! | [`numbers`] | numbers, times and durations as they are written there |

pub mod language;
pub mod numbers;
pub mod words;

pub use language::Language;
pub use words::{Value, Words};

#[cfg(test)]
mod tests;
