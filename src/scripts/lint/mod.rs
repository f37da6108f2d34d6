//! Rules about migration scripts: what each of them finds, how bad that is, why it is a rule, and where its page is.
//!
//! | file | what it is |
//! |---|---|
//! | [`mod@rules`] | the rules of greffe's own, and the list of all |
//! | [`levels`] | how bad each rule is for a project |
//! | `squawk_rules` | the rules of the linter that is asked about PostgreSQL |
//! | `statement_rules` | the rules about statements of MySQL, MariaDB and SQLite |
//! | [`document`] | what a script says of itself, its way down, and its waivers |
//! | [`graph`] | what scripts stand on |
//! | [`statements`] | statements of MySQL, MariaDB and SQLite |
//! | [`squawk`] | statements of PostgreSQL |
//!
//! A rule looks at texts and says what it finds. Which rules are asked, and what is waived, is decided by who asks.

pub mod document;
pub mod graph;
pub mod levels;
pub mod rules;
pub mod squawk;
mod squawk_rules;
mod statement_rules;
pub mod statements;

use std::fmt;

use serde::{Serialize, Serializer};

pub use levels::{Levels, UnknownRule};
pub use rules::{Rule, Scope, named, rules};

use super::class::is_misquoted;
use super::statement::{OTHER, is_one_of, tokens};
use super::{Dialect, statements as statements_of};

/// How bad a finding is. Later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule is not asked.
    Off,
    Note,
    Warning,
    Error,
}

impl Level {
    /// All, the mildest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Note, Self::Warning, Self::Error];

    /// As settings and reports write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    #[serde(serialize_with = "as_id")]
    pub rule: &'static Rule,
    pub file: String,
    /// From 1; 1 as well where it is about the file as a whole.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What it is about here, and what to do. It names tables and columns, and no value.
    pub message: String,
}

/// The most bytes of a message: names in scripts may be of any length.
const LONGEST_MESSAGE: usize = 1024;

impl Finding {
    /// A finding about a file as a whole. A message that is too long is cut off.
    #[must_use]
    pub fn of_file(rule: &'static Rule, file: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > LONGEST_MESSAGE {
            message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
            message.push('…');
        }
        Self { rule, file: file.into(), line: 1, column: 1, message }
    }

    /// The same in a line of it.
    #[must_use]
    pub fn at(self, (line, column): (usize, usize)) -> Self {
        Self { line, column, ..self }
    }
}

fn as_id<S: Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.id)
}

/// Where the lines of a text begin, so that places in it become lines and columns.
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1));
        Self { text, starts: starts.collect() }
    }

    /// The line, from 1, of a byte.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// Line and column, from 1, of a byte; columns count characters.
    #[must_use]
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|before| self.starts.get(before)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).map_or(0, |text| text.chars().count());
        (line.max(1), before + 1)
    }
}

/// How many bytes of a folder are looked at to find out what it is written in.
const SAMPLE: usize = 1 << 20;

/// What scripts are most likely written in, by the statements that are known and by words of one database alone. Where
/// nothing tells, PostgreSQL, whose rules are the most.
#[must_use]
pub fn likely_dialect<'a>(scripts: impl IntoIterator<Item = &'a str>) -> Dialect {
    const ORDER: [Dialect; 3] = [Dialect::Postgresql, Dialect::Mysql, Dialect::Sqlite];
    let (mut strange, mut looked) = ([0_usize; 3], 0);
    for script in scripts {
        if looked >= SAMPLE {
            break;
        }
        let script = &script[..script.floor_char_boundary(SAMPLE - looked)];
        looked += script.len();
        for (dialect, strange) in ORDER.into_iter().zip(&mut strange) {
            let unknown =
                statements_of(dialect, script).iter().filter(|one| one.kind.ends_with(OTHER)).count();
            *strange += unknown + usize::from(is_misquoted(dialect, script)) + foreign_words(dialect, script);
        }
    }
    let least = strange.iter().min().copied().unwrap_or_default();
    ORDER.into_iter().zip(strange).find(|(_, strange)| *strange == least).map_or(ORDER[0], |(found, _)| found)
}

/// Words that another database alone knows.
fn foreign_words(dialect: Dialect, script: &str) -> usize {
    const OF: [(Dialect, &[&str]); 3] = [
        (Dialect::Sqlite, &["AUTOINCREMENT", "PRAGMA", "ROWID", "STRICT"]),
        (Dialect::Mysql, &["AUTO_INCREMENT", "ENGINE", "CHARSET", "UNSIGNED"]),
        (Dialect::Postgresql, &["BIGSERIAL", "SERIAL", "TIMESTAMPTZ", "JSONB", "PLPGSQL", "CONCURRENTLY"]),
    ];
    let ranges = tokens(dialect, script);
    let words = ranges.into_iter().filter_map(|range| script.get(range));
    let foreign = |word: &str| OF.iter().any(|(of, known)| *of != dialect && is_one_of(word, known));
    words.filter(|word| foreign(word)).count()
}

/// Whether two definitions say the same to SQLite, which writes white space and quotes of names anew where it changes one.
#[must_use]
pub fn is_same_to_sqlite(one: &str, other: &str) -> bool {
    let plain = |sql: &str| -> Vec<String> {
        let ranges = tokens(Dialect::Sqlite, sql);
        let tokens = ranges.into_iter().filter_map(|range| sql.get(range));
        tokens.map(|token| token.trim_matches(['"', '`', '[', ']']).to_owned()).collect()
    };
    one == other || plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters() {
        // In bytes: é is two, the first line ends at 4, the second is empty, the third begins at 6.
        let lines = Lines::of("é a\n\nxyz");
        for (offset, place) in [(0, (1, 1)), (3, (1, 3)), (5, (2, 1)), (6, (3, 1)), (8, (3, 3))] {
            assert_eq!(lines.place(offset), place, "{offset}");
        }
        assert_eq!(Lines::of("").place(0), (1, 1));
    }

    #[test]
    fn messages_are_cut_off() {
        let finding = |message: String| Finding::of_file(rules::named("greffe/link").unwrap(), "a", message);
        assert_eq!(finding("é".repeat(LONGEST_MESSAGE / 2)).message.chars().count(), LONGEST_MESSAGE / 2);
        let cut = finding(format!("a{}", "é".repeat(LONGEST_MESSAGE))).message;
        assert!(cut.ends_with("é…") && cut.len() < LONGEST_MESSAGE + 4, "{}", cut.len());
    }

    #[test]
    fn what_scripts_are_written_in_is_told_by_their_words() {
        for (script, dialect) in [
            ("CREATE TABLE a (id BIGSERIAL PRIMARY KEY, at TIMESTAMPTZ);", Dialect::Postgresql),
            ("CREATE TABLE `a` (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;", Dialect::Mysql),
            (
                "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT); PRAGMA foreign_keys = ON;",
                Dialect::Sqlite,
            ),
            ("CREATE INDEX CONCURRENTLY a ON b (c);", Dialect::Postgresql),
            ("CREATE TABLE a (b INT);", Dialect::Postgresql),
            ("", Dialect::Postgresql),
        ] {
            assert_eq!(likely_dialect([script]), dialect, "{script}");
        }
    }

    #[test]
    fn what_sqlite_writes_anew_is_the_same() {
        assert!(is_same_to_sqlite("CREATE TABLE a (\n  b INT\n)", "CREATE TABLE \"a\" (  b INT)"));
        assert!(!is_same_to_sqlite("CREATE TABLE a (b INT)", "CREATE TABLE a (b INT, c INT)"));
        assert!(!is_same_to_sqlite("CREATE TABLE a (b DEFAULT 'c')", "CREATE TABLE a (b DEFAULT c)"));
    }

    #[test]
    fn levels_are_ordered_and_have_names() {
        assert!(Level::Off < Level::Note && Level::Warning < Level::Error);
        assert!(Level::ALL.into_iter().all(|level| Level::named(level.as_str()) == Some(level)));
        assert_eq!(Level::named("Error"), None);
    }
}
