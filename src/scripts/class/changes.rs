//! Notices where rows are written, also behind a forgotten semicolon.

use crate::scripts::statement::is_one_of;

/// Words behind which a verb names an event or a right, and changes nothing.
const OF_EVENT: [&str; 9] = ["ON", "FOR", "KEY", "BEFORE", "AFTER", "OR", "OF", ",", "GRANT"];

/// Which verb was met and waits for the word that makes it one.
#[derive(Debug, Default)]
pub(super) struct Changes {
    update: bool,
    /// `DELETE` or `COPY`, which wait for `FROM`.
    from: bool,
}

impl Changes {
    /// Takes the next token; whether rows are written here.
    pub(super) fn take(&mut self, token: &str, before: &[&str; 4], next: &str) -> bool {
        let last = before[3];
        let verb = |words: &[&str]| {
            is_one_of(token, words) && !is_one_of(last, &OF_EVENT) && last != "." && last != "="
        };
        match token {
            ";" => *self = Self::default(),
            _ if verb(&["UPDATE"]) => self.update = true,
            _ if verb(&["DELETE", "COPY"]) => self.from = true,
            _ if verb(&["INSERT", "REPLACE"]) => return is_table(next) && last != "(",
            _ if is_one_of(token, &["SET"]) => return std::mem::take(&mut self.update),
            _ if is_one_of(token, &["FROM"]) => return std::mem::take(&mut self.from),
            _ if is_one_of(token, &["INTO"]) => return is_inserted(before),
            _ if is_one_of(token, &["DATA"]) => return is_one_of(last, &["LOAD"]),
            _ if is_one_of(token, &["STDIN"]) => return is_one_of(last, &["FROM"]),
            _ => {}
        }
        false
    }
}

fn is_inserted(before: &[&str; 4]) -> bool {
    const VERBS: [&str; 7] =
        ["INSERT", "REPLACE", "MERGE", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"];
    is_one_of(before[3], &VERBS) || is_one_of(before[1], &["INSERT"])
}

/// Whether a table may stand behind the verb, as MySQL allows it without `INTO`.
fn is_table(next: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "ON",
        "OR",
        "TO",
        "AND",
        "WITH",
        "INTO",
        "AS",
        "PARTITION",
        "VIEW",
        "FUNCTION",
        "PROCEDURE",
        "TRIGGER",
        "IS",
        "IN",
    ];
    next.starts_with(|sign: char| sign.is_alphabetic() || matches!(sign, '"' | '`' | '[' | '_'))
        && !is_one_of(next, &OTHERS)
}
