//! Migration scripts as they lie in a folder: which there are, what they say about themselves, what they would do.
//!
//! | file | what it is |
//! |---|---|
//! | [`sqlx`] | reads a folder that follows the naming rules of sqlx |
//! | [`header`] | purpose, impact, rollback, dependencies and sectors from the comment at the top of a script |
//! | [`mod@dialect`] | which SQL a script is written in |
//! | [`statement`] | splits a script into statements and names their kind |
//! | [`lint`] | rules about scripts, each with its level, its source and its page |
//! | [`mod@class`] | what a statement gives away: schema, something unknown, or data |
//! | `meaning` | what a column or a key is for, by its name |
//! | `reserved` | examples that are nobody's, and words that stand for a value |
//! | `typed` | whether a word without quotes is a secret rather than code or documentation |
//! | `word_list` | a list of words as it stands in the source |
//! | [`mod@refusal`] | what greffe will not run, found before anything runs |
//! | `sqlite`, `postgresql`, `mysql` | how each of them cuts SQL into tokens and statements |
//! | [`tools`] | folders and history tables of other migration tools |
//! | [`mod@difference`] | compares a script on disk with its archived copy |
//!
//! Nothing here connects to a database or runs a script, and nothing here writes.

pub mod class;
pub mod dialect;
pub mod difference;
pub mod header;
pub mod lint;
pub(crate) mod meaning;
mod mysql;
mod postgresql;
pub mod refusal;
pub(crate) mod reserved;
mod sqlite;
pub mod sqlx;
pub mod statement;
mod text;
pub mod tools;
pub(crate) mod typed;
pub(crate) mod word_list;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::sqlx::{FolderError, SCRIPT_LIMIT, migration_name, read_folder, read_folder_with_faults};
pub use class::{Class, Classified, class_of_text, classify};
pub use dialect::Dialect;
pub use difference::{Difference, difference, explained_difference};
pub use header::{Header, Waiver};
pub use refusal::{Piece, Reason, Refusal, refusal};
pub use statement::{Control, Statement, statements};

/// The line, from 1, of the first statement that reaches beyond the database that it runs in: other files, other
/// databases, accounts, settings of the server. `own_role`: whom it would run as on a server, whose account is not
/// the script's to change. What a function or a block puts together from texts is not seen.
#[must_use]
pub fn reaches_outside(dialect: Dialect, sql: &str, own_role: Option<&str>) -> Option<usize> {
    let offset = match dialect {
        Dialect::Sqlite => sqlite::outside(sql),
        Dialect::Postgresql => postgresql::outside(sql, own_role),
        Dialect::Mysql => mysql::outside(sql),
    }?;
    Some(1 + sql.get(..offset).unwrap_or_default().matches('\n').count())
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The version of a migration: the integer prefix of its file name.
///
/// Compares, sorts and hashes by its number, so `7` and `007` are equal; shows the digits as they were written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    written: String,
    number: i64,
    /// Whether another tool calls it so; `number` is its place in the tool's order then.
    is_of_tool: bool,
}

impl Version {
    /// Reads a decimal integer that fits in 64 bits with a sign, which is what sqlx takes for a version.
    pub fn parse(written: &str) -> Result<Self, VersionError> {
        let number = written.parse().map_err(|_| VersionError { written: written.to_owned() })?;
        Ok(Self { written: written.to_owned(), number, is_of_tool: false })
    }

    /// What another tool calls a script, with its place in that tool's order.
    #[must_use]
    pub fn of_tool(written: &str, place: i64) -> Self {
        Self { written: written.to_owned(), number: place, is_of_tool: true }
    }

    /// Whether this is the version that somebody wrote so.
    #[must_use]
    pub fn is(&self, written: &str) -> bool {
        match self.is_of_tool {
            true => self.written == written,
            false => Self::parse(written).is_ok_and(|other| other == *self),
        }
    }

    /// Whether it has a turn among the others: a tool's script that can run again has none.
    #[must_use]
    pub const fn has_turn(&self) -> bool {
        !self.is_of_tool || self.number != i64::MAX
    }

    /// The digits as written, with any leading zeros.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The value, as `_sqlx_migrations.version` holds it.
    pub fn number(&self) -> i64 {
        self.number
    }
}

/// A migration version that is not an integer of 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` is not a migration version: expected a decimal integer of at most 64 bits")]
pub struct VersionError {
    /// What stands where a version should.
    pub written: String,
}

/// One migration: the script that applies it and, where there is one, the script that takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the order.
    pub version: Version,
    /// The description in the file name of the `up` script, with spaces for underscores, as sqlx records it.
    pub name: String,
    /// Applies the migration.
    pub up: Script,
    /// Takes the migration back.
    pub down: Option<Script>,
    /// What the `up` script says about itself.
    pub header: Header,
}

impl Migration {
    /// Its files, the way down first; one that holds both ways once.
    pub fn files(&self) -> impl Iterator<Item = &Script> {
        let down = self.down.iter().filter(|down| down.file_name != self.up.file_name);
        down.chain([&self.up])
    }
}

/// The bytes of one migration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file's name inside its folder.
    pub file_name: String,
    /// The file as it is on disk: what is archived and what digests cover.
    pub bytes: Vec<u8>,
    /// Whether the script runs inside a transaction.
    pub transaction: bool,
    /// What of it runs, where that is not all: a file of another tool may hold both ways. What stands before it is left
    /// as empty lines.
    pub part: Option<String>,
}

impl Script {
    /// Takes the bytes of a file. As in sqlx, a script that starts with `-- no-transaction` runs outside a
    /// transaction; these have to be the first bytes, so a byte order mark before them makes them a mere comment.
    pub fn new(file_name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let transaction = !bytes.starts_with(b"-- no-transaction");
        Self { file_name: file_name.into(), bytes, transaction, part: None }
    }

    /// The text that runs: the bytes as UTF-8 without a leading byte order mark, or the part of them that runs.
    ///
    /// A NUL is refused, because databases stop reading there: what follows would be archived and never run.
    pub fn text(&self) -> Result<&str, TextError> {
        if let Some(part) = &self.part {
            return Ok(part);
        }
        let text = str::from_utf8(&self.bytes).map_err(|error| TextError::NotUtf8 {
            file_name: self.file_name.clone(),
            offset: error.valid_up_to(),
        })?;
        if let Some(offset) = text.find('\0') {
            return Err(TextError::Nul { file_name: self.file_name.clone(), offset });
        }
        Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
    }
}

/// Why the bytes of a script are not a text that can run. Offsets count bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The bytes are in another encoding, or damaged.
    #[error("script `{file_name}` is not UTF-8: invalid byte at offset {offset}")]
    NotUtf8 { file_name: String, offset: usize },
    /// The text holds a NUL.
    #[error("script `{file_name}` has a NUL at offset {offset}, where databases stop reading")]
    Nul { file_name: String, offset: usize },
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.written)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(written: &str) -> Result<Self, VersionError> {
        Self::parse(written)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(written: String) -> Result<Self, VersionError> {
        Self::parse(&written)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(written: &str) -> Version {
        Version::parse(written).unwrap()
    }

    #[test]
    fn versions_are_ordered_by_number_and_shown_as_written() {
        assert!(version("9") < version("10"));
        assert!(version("0010") > version("9"));
        assert_eq!(version("007"), version("7"));
        assert_eq!(version("007").to_string(), "007");
        assert_eq!(version("20260101000001").number(), 20_260_101_000_001);
    }

    #[test]
    fn what_is_not_an_integer_of_64_bits_is_no_version() {
        for written in ["", " 1", "1.2", "1a", "0x10", "９", "9223372036854775808"] {
            assert_eq!(Version::parse(written), Err(VersionError { written: written.to_owned() }));
        }
        assert_eq!(version("9223372036854775807").number(), i64::MAX);
    }

    #[test]
    fn a_version_is_text_in_json() {
        assert_eq!(serde_json::to_string(&version("0007")).unwrap(), r#""0007""#);
        let read: Version = serde_json::from_str(r#""0007""#).unwrap();
        assert_eq!(read.as_str(), "0007");
        assert!(serde_json::from_str::<Version>("7").is_err());
        assert!(serde_json::from_str::<Version>(r#""seven""#).is_err());
    }

    #[test]
    fn only_the_first_bytes_opt_out_of_the_transaction() {
        for (text, transaction) in [
            ("-- no-transaction\nVACUUM;", false),
            ("-- no-transaction because of VACUUM", false),
            ("--no-transaction\n", true),
            ("-- No-Transaction\n", true),
            ("\n-- no-transaction\n", true),
            (" -- no-transaction\n", true),
            ("\u{feff}-- no-transaction\n", true),
            ("", true),
        ] {
            assert_eq!(Script::new("1_a.sql", text.into()).transaction, transaction, "{text:?}");
        }
    }

    #[test]
    fn the_text_drops_one_byte_order_mark_and_the_bytes_keep_it() {
        let script = Script::new("1_a.sql", "\u{feff}\u{feff}SELECT '🦀';\r\n".into());
        assert_eq!(script.text(), Ok("\u{feff}SELECT '🦀';\r\n"));
        assert!(script.bytes.starts_with(b"\xef\xbb\xbf\xef\xbb\xbf"));
    }

    #[test]
    fn text_that_cannot_run_whole_is_refused() {
        let file_name = "1_a.sql".to_owned();
        let latin = Script::new("1_a.sql", b"-- \xe9t\xe9".to_vec());
        assert_eq!(latin.text(), Err(TextError::NotUtf8 { file_name: file_name.clone(), offset: 3 }));
        let cut = Script::new("1_a.sql", b"SELECT 1;\0DROP TABLE a;".to_vec());
        assert_eq!(cut.text(), Err(TextError::Nul { file_name, offset: 9 }));
    }
}
