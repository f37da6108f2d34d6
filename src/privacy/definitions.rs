//! Defaults of columns and of arguments: `password text DEFAULT '…'`, `ALTER … birth_date SET DEFAULT '…'`.

use super::columns::trim;
use super::finding::Hit;
use super::meaning::quoted;
use super::pattern::{Pattern, pattern};
use super::reader::in_dollars;
use crate::scripts::meaning::Meaning;

static DEFAULT: Pattern =
    Pattern::new(|| pattern(r"(?i-u)\bdefault\s*\(*\s*(?:[en]|_[a-z0-9]+\s*)?(['\x22$0-9])"));
/// The last name behind a word that changes a column.
static CHANGED: Pattern = Pattern::new(|| {
    pattern(
        r"(?is-u)^.*\b(?:add|alter|modify|change|domain|declare)\s+(?:column\s+)?(?:if\s+(?:not\s+)?exists\s+)?([\x22`\[]?[a-z0-9_$\x80-\xff]+)",
    )
});
/// Bytes before a default in which its column stands.
const BEFORE: usize = 300;
const VALUE: usize = 400;

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for found in DEFAULT.captures_iter(text) {
        let (Some(all), Some(opens)) = (found.get(0), found.get(1)) else { continue };
        let at = opens.start();
        let value = match text[at] {
            b'\'' | b'"' => quoted(text, at, VALUE).map(|(range, _)| range),
            b'$' => in_dollars(text, at).map(|(range, _)| range),
            _ => {
                let rest = &text[at..text.len().min(at + 20)];
                let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
                Some(at..at + length)
            }
        };
        let (Some(value), Some(meaning)) = (value, column(text, all.start()).and_then(Meaning::of)) else {
            continue;
        };
        let literal = !text[at].is_ascii_digit();
        if let Some(rule) = meaning.rule(&text[value.clone()], literal)
            && !is_nothing(&text[value.clone()])
        {
            hits.push(Hit::new(rule, value, 2));
        }
    }
}

/// The name of the column whose definition reaches to `end`.
fn column(text: &[u8], end: usize) -> Option<&[u8]> {
    let floor = end.saturating_sub(BEFORE);
    let (mut depth, mut start) = (0_usize, floor);
    for at in (floor..end).rev() {
        match text[at] {
            b')' => depth += 1,
            b'(' if depth > 0 => depth -= 1,
            b'(' | b';' => {
                start = at + 1;
                break;
            }
            b',' if depth == 0 => {
                start = at + 1;
                break;
            }
            _ => {}
        }
    }
    let definition = &text[start..end];
    if let Some(name) = CHANGED.captures(definition).and_then(|found| found.get(1)) {
        let name = trim(name.as_bytes());
        let is_word = ["table", "column", "constraint", "only", "domain"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word.as_bytes()));
        if !is_word {
            return Some(name);
        }
    }
    // Behind the last comment of its line.
    let line = definition.split(|byte| *byte == b'\n').rfind(|line| {
        let line = line.trim_ascii_start();
        !line.is_empty() && !line.starts_with(b"--")
    })?;
    let line = line.trim_ascii_start();
    let length = line.iter().position(u8::is_ascii_whitespace)?;
    Some(trim(&line[..length]))
}

/// What a default says where there is no value yet.
fn is_nothing(value: &[u8]) -> bool {
    ["unknown", "inconnu", "none", "default", "test", "n/a", "change-me", "changeme", "secret", "password"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::finding::found_by;
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        found_by(find, text)
    }

    #[test]
    fn defaults_have_the_meaning_of_their_column() {
        for (text, rule, value) in [
            ("CREATE TABLE u (login text, password varchar(20) DEFAULT 'azerty')", "secret-value", "azerty"),
            (
                "CREATE TABLE u (\n  -- a, b\n  \"api_key\" text NOT NULL DEFAULT 'k7Qz81mm'\n)",
                "secret-value",
                "k7Qz81mm",
            ),
            (
                "ALTER TABLE u ADD COLUMN password varchar(60) NOT NULL DEFAULT 'azerty'",
                "secret-value",
                "azerty",
            ),
            (
                "ALTER TABLE c ALTER COLUMN api_key SET DEFAULT 'soleil-levant'",
                "secret-value",
                "soleil-levant",
            ),
            ("ALTER TABLE p ALTER ne_le SET DEFAULT 19840312", "birth-date", "19840312"),
            ("ALTER TABLE p ALTER ne_le SET DEFAULT '1984-03-12'", "birth-date", "1984-03-12"),
            ("CREATE FUNCTION f(p_password text DEFAULT 'azerty')", "secret-value", "azerty"),
        ] {
            assert_eq!(found(text), [(rule.to_owned(), value)], "{text}");
        }
        for text in [
            "CREATE TABLE u (password text DEFAULT '', k text DEFAULT 'password', token text DEFAULT 'unknown')",
            "ALTER TABLE p ADD COLUMN birth_date date DEFAULT '1900-01-01'",
            "CREATE TABLE u (password_kind text DEFAULT 'bcrypt')",
            "DEFAULT '",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
