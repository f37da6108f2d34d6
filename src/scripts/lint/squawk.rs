//! Asks squawk about statements of PostgreSQL, within bounds: its parser calls itself for each thing in a thing, and
//! keeps a tree of every sign, so that rows and monsters are kept from it.

use std::ops::Range;

use squawk_linter::{Linter, LinterSettings, Rule as SquawkRule};
use squawk_syntax::{SourceFile, SyntaxKind};

use super::rules::{NOT_JUDGED, Rule};
use super::squawk_rules::{DROPS, LOCKS, OTHERS};
use super::{Finding, Lines};
use crate::model::Direction;
use crate::scripts::Dialect;
use crate::scripts::statement::{statements, tokens};

/// What a thread has to have of stack, in bytes, for the deepest script that is within the bounds.
pub const STACK: usize = 512 << 20;

/// Tokens of a script that squawk is asked about, and bytes of one whose tokens need not be counted.
const MOST_TOKENS: usize = 32_768;
/// Bytes of a script that its tokens are counted in at most.
const MOST_BYTES: usize = 4 << 20;

/// The oldest server that greffe knows: what only later ones do without a lock is a lock.
const SERVER: &str = "13";

/// Rules of squawk that are asked.
pub struct Squawk {
    both: Vec<(SquawkRule, &'static Rule)>,
    /// Asked about ways up alone.
    up: Vec<(SquawkRule, &'static Rule)>,
}

impl Squawk {
    /// Those of its rules that `asked` takes.
    #[must_use]
    pub fn asking(asked: impl Fn(&'static Rule) -> bool) -> Self {
        let known = |rules: &'static [Rule]| -> Vec<(SquawkRule, &'static Rule)> {
            let wanted = rules.iter().filter(|rule| asked(rule));
            wanted.filter_map(|rule| Some((squawk_name(rule)?, rule))).collect()
        };
        Self { both: known(&LOCKS), up: [known(&DROPS), known(&OTHERS)].concat() }
    }

    /// What the statements of one way of a script do. `transaction`: whether it runs inside of one.
    ///
    /// It wants a stack of [`STACK`] bytes.
    #[must_use]
    pub fn judge(&self, (file, sql): (&str, &str), direction: Direction, transaction: bool) -> Vec<Finding> {
        let up = if direction == Direction::Up { self.up.as_slice() } else { &[] };
        let asked: Vec<(SquawkRule, &'static Rule)> = self.both.iter().chain(up).copied().collect();
        if asked.is_empty() {
            return Vec::new();
        }
        let lines = Lines::of(sql);
        let Some(excerpt) = Excerpt::of(sql) else {
            let message = format!(
                "squawk is not asked: the script has more than {MOST_TOKENS} words and signs beside its rows"
            );
            return vec![Finding::of_file(&NOT_JUDGED, file, message)];
        };
        let parsed = SourceFile::parse(&excerpt.text);
        let mut findings = Vec::new();
        let broken = parsed.syntax_node().descendants().find(|node| node.kind() == SyntaxKind::ERROR);
        if let Some(node) = broken {
            let place = lines.place(excerpt.origin(node.text_range().start().into()));
            let message = "squawk does not understand this, and may overlook what follows";
            findings.push(Finding::of_file(&NOT_JUDGED, file, message).at(place));
        }
        let mut linter = Linter::from(asked.iter().map(|(rule, _)| *rule));
        let pg_version = SERVER.parse().unwrap_or_default();
        linter.settings = LinterSettings { pg_version, assume_in_transaction: transaction };
        for violation in linter.lint(&parsed, &excerpt.text) {
            let Some((_, rule)) = asked.iter().find(|(code, _)| *code == violation.code) else { continue };
            let place = lines.place(excerpt.origin(violation.text_range.start().into()));
            let said = violation.message.trim().trim_end_matches('.');
            let message = match &violation.help {
                Some(help) => format!("{said}; {}", help.trim().trim_end_matches('.')),
                None => said.to_owned(),
            };
            findings.push(Finding::of_file(rule, file, message).at(place));
        }
        findings
    }
}

/// The rule as squawk calls it.
fn squawk_name(rule: &Rule) -> Option<SquawkRule> {
    SquawkRule::try_from(rule.id.strip_prefix("squawk/")?).ok()
}

/// What of a script squawk reads, and where that stood.
struct Excerpt {
    text: String,
    /// Where a piece begins in `text`, and what of the script it is.
    pieces: Vec<(usize, Range<usize>)>,
}

impl Excerpt {
    /// `None` where it is too large without its rows as well.
    fn of(sql: &str) -> Option<Self> {
        let kept = if sql.len() <= MOST_TOKENS {
            std::iter::once(0..sql.len()).collect()
        } else {
            without_rows(sql)?
        };
        let mut excerpt = Self { text: String::new(), pieces: Vec::new() };
        for range in kept {
            excerpt.pieces.push((excerpt.text.len(), range.clone()));
            // Comments that switch its rules off are no waivers, and are not obeyed; as long as they were.
            excerpt.text.push_str(&sql.get(range).unwrap_or_default().replace("squawk-", "squawk_"));
            excerpt.text.push('\n');
        }
        Some(excerpt)
    }

    /// Where a byte of the text stood in the script.
    fn origin(&self, offset: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= offset).checked_sub(1);
        let found = piece.and_then(|piece| self.pieces.get(piece));
        found.map_or(offset, |(start, range)| (range.start + offset - start).min(range.end))
    }
}

/// The statements that carry no rows; `None` where they have too many tokens in all.
fn without_rows(sql: &str) -> Option<Vec<Range<usize>>> {
    const ROWS: [&str; 8] = ["INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "VALUES", "COPY", "OTHER"];
    let (mut kept, mut count, mut bytes) = (Vec::new(), 0, 0);
    for statement in statements(Dialect::Postgresql, sql) {
        if ROWS.contains(&statement.kind.as_str()) {
            continue;
        }
        let text = sql.get(statement.range.clone()).unwrap_or_default();
        bytes += text.len();
        if bytes > MOST_BYTES {
            return None;
        }
        count += tokens(Dialect::Postgresql, text).len();
        if count > MOST_TOKENS {
            return None;
        }
        kept.push(statement.range);
    }
    Some(kept)
}

#[cfg(test)]
mod tests;
