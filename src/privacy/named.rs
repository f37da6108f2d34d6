//! Values whose name stands elsewhere in their statement: behind `AS`, in the condition of an `UPDATE`, in the columns
//! of a list of rows.

use std::ops::Range;

use super::columns::{meanings_of, trim, value_of};
use super::finding::Hit;
use super::pattern::{Pattern, pattern};
use super::reader::{Reader, literals};
use crate::scripts::meaning::Meaning;

static ALIAS: Pattern = Pattern::new(|| {
    pattern(
        r"(?i-u)(?:'|\b[0-9]{3,19})(?:\s*::\s*[a-z0-9_ ]{2,30})?\s+as\s+[\x22`\[]?([a-z_][a-z0-9_\x80-\xff]{1,63})",
    )
});
static CONDITION: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)\bwhere\s+[\x22`\[]?(?:[a-z0-9_]+\.)?(?:[a-z]+_)?(?:name|nom|key|cle|clef|code|param|parametre|setting|libelle|id|k|option|champ|field)",
        r"[\x22`\]]?\s*=\s*'([^'\n]{2,64})'"
    ))
});
static ROWS: Pattern = Pattern::new(|| pattern(r"(?i-u)\(\s*values\s*\("));
/// Bytes of a statement that are looked at, before and behind.
const NEAR: usize = 2_000;
const ROWS_NEAR: usize = 64_000;

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for found in ALIAS.captures_iter(text) {
        let (Some(all), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let Some(meaning) = Meaning::of(name.as_bytes()) else { continue };
        let value = match text[all.start()] {
            b'\'' => before_quote(text, all.start()),
            _ => Some(
                all.start()
                    ..all.start() + all.as_bytes().iter().take_while(|byte| byte.is_ascii_digit()).count(),
            ),
        };
        if let Some(value) = value
            && let Some(rule) = meaning.rule(&text[value.clone()], true)
        {
            hits.push(Hit::new(rule, value, 2));
        }
    }
    for found in CONDITION.captures_iter(text) {
        let (Some(all), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let last = name.as_bytes().rsplit(|byte| matches!(byte, b'.' | b'/')).next().unwrap_or_default();
        if let Some(meaning) = Meaning::of(last) {
            assigned(text, all.start(), meaning, hits);
        }
    }
    let mut from = 0;
    while let Some(found) = ROWS.find_at(text, from) {
        from = rows(text, found.start(), found.end() - 1, hits).max(found.end());
    }
}

/// The literal whose closing quote stands at `end`.
fn before_quote(text: &[u8], end: usize) -> Option<Range<usize>> {
    let floor = end.saturating_sub(400);
    let start = floor + text[floor..end].iter().rposition(|byte| *byte == b'\'')? + 1;
    (!text[start..end].contains(&b'\n')).then_some(start..end)
}

/// The one literal that the `UPDATE` before its condition assigns.
fn assigned(text: &[u8], end: usize, meaning: Meaning, hits: &mut Vec<Hit>) {
    let floor = end.saturating_sub(NEAR);
    let before = &text[floor..end];
    let before = before.iter().rposition(|byte| *byte == b';').map_or(before, |at| &before[at + 1..]);
    let start = end - before.len();
    let Some(set) = before
        .windows(5)
        .rposition(|window| window[..4].eq_ignore_ascii_case(b" set") && window[4].is_ascii_whitespace())
    else {
        return;
    };
    for value in literals(&text[..end], start + set..end) {
        if let Some(rule) = meaning.rule(&text[value.clone()], true) {
            hits.push(Hit::new(rule, value, 2));
        }
    }
}

/// `name (columns) AS (VALUES …)` and `(VALUES …) AS name (columns)`; the place behind the rows.
fn rows(text: &[u8], opens: usize, first: usize, hits: &mut Vec<Hit>) -> usize {
    let window = &text[..text.len().min(first + ROWS_NEAR)];
    let mut reader = Reader { text: window, at: first };
    let mut rows = Vec::new();
    loop {
        reader.skip();
        match reader.peek() {
            Some(b'(') => rows.push(reader.group()),
            Some(b',') => reader.at += 1,
            _ => break,
        }
    }
    let behind = reader.at;
    if reader.peek() == Some(b')') {
        reader.at += 1;
        reader.takes("AS");
        reader.name();
        reader.skip();
    }
    let columns = match reader.peek() {
        Some(b'(') if reader.at > behind => Some(reader.group()),
        _ => columns_before(text, opens),
    };
    let Some(columns) = columns else { return behind };
    let meanings = meanings_of(text, &columns);
    for row in &rows {
        for (value, meaning) in row.iter().zip(&meanings) {
            if let Some(meaning) = meaning {
                value_of(text, value.clone(), *meaning, hits);
            }
        }
    }
    behind
}

/// The columns in `name (columns) AS` before a place.
fn columns_before(text: &[u8], end: usize) -> Option<Vec<Range<usize>>> {
    let floor = end.saturating_sub(NEAR);
    let before = text[floor..end].trim_ascii_end();
    let before = before
        .get(..before.len().checked_sub(2)?)
        .filter(|_| before[before.len() - 2..].eq_ignore_ascii_case(b"as"))?;
    let before = before.trim_ascii_end().strip_suffix(b")")?;
    let start = before.iter().rposition(|byte| *byte == b'(')? + 1;
    let mut parts = Vec::new();
    let mut at = floor + start;
    for part in before[start..].split(|byte| *byte == b',') {
        parts.push(at..at + part.len());
        at += part.len() + 1;
    }
    parts.iter().all(|part| !trim(&text[part.clone()]).is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::super::finding::found_by;
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        found_by(find, text)
    }

    #[test]
    fn values_are_named_from_afar() {
        let secret = ("secret-value".to_owned(), "k7Qz81mm");
        let birth = ("birth-date".to_owned(), "1984-03-12");
        for (text, expected) in [
            (
                "SELECT 'k7Qz81mm' AS password, '1984-03-12'::date AS \"ne_le\"",
                vec![secret.clone(), birth.clone()],
            ),
            ("SELECT 482 AS cvv", vec![("card-cvv".to_owned(), "482")]),
            ("UPDATE settings SET value = 'k7Qz81mm' WHERE name = 'smtp_password'", vec![secret.clone()]),
            (
                "UPDATE settings SET value = 'k7Qz81mm' WHERE \"key\" = 'ldap.bind.password'",
                vec![secret.clone()],
            ),
            ("WITH n(nom, ne_le) AS (VALUES ('Picard', '1984-03-12'::date))", vec![birth.clone()]),
            ("USING (VALUES ('Picard', DATE '1984-03-12')) AS s(nom, ne_le) ON", vec![birth.clone()]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        for text in [
            "UPDATE settings SET value = '12' WHERE name = 'password_min_length'",
            "SELECT 'x' AS label",
            "(VALUES (1, 2), (",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
