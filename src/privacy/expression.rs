//! Values inside of an expression: `md5('…')`, `COALESCE(a, '…')`, `CASE … THEN '…' END`, `make_date(…)`.

use std::ops::Range;

use super::calls::is_algorithm;
use super::reader::{Reader, literals};
use crate::scripts::meaning::Meaning;

/// The longest expression around a value.
const EXPRESSION: usize = 1_000;
/// Functions that take a secret or a day and give it back in another form.
const WRAPPERS: [&str; 34] = [
    "md5",
    "sha",
    "sha1",
    "sha2",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "password",
    "old_password",
    "concat",
    "coalesce",
    "ifnull",
    "isnull",
    "nvl",
    "encode",
    "digest",
    "cast",
    "convert",
    "upper",
    "lower",
    "trim",
    "to_base64",
    "unhex",
    "hex",
    "quote_literal",
    "date",
    "to_date",
    "str_to_date",
    "strftime",
    "julianday",
    "unixepoch",
    "hashbytes",
    "crypt",
];

/// The literals in `md5('…')`, `COALESCE(password, '…')`, `CASE … THEN '…' END`.
pub(super) fn wrapped(text: &[u8], at: usize, meaning: Meaning) -> Vec<(&'static str, Range<usize>)> {
    let window = &text[..text.len().min(at + EXPRESSION)];
    let mut reader = Reader { text: window, at };
    let name = reader.word();
    let values: Vec<Range<usize>> = if name.eq_ignore_ascii_case(b"case") {
        let end = window[at..]
            .windows(4)
            .position(|word| word.eq_ignore_ascii_case(b" end"))
            .map_or(at, |length| at + length);
        let given = |value: &Range<usize>| {
            let before = window[at..value.start.saturating_sub(1)].trim_ascii_end().to_ascii_lowercase();
            before.ends_with(b"then") || before.ends_with(b"else")
        };
        literals(&window[..end], at..end).into_iter().filter(given).collect()
    } else if name.eq_ignore_ascii_case(b"make_date") && meaning == Meaning::Birth {
        return make_date(window, reader.at).map(|range| ("birth-date", range)).into_iter().collect();
    } else if WRAPPERS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        && reader.peek() == Some(b'(')
    {
        let start = reader.at;
        reader.group();
        literals(window, start..reader.at)
    } else {
        return Vec::new();
    };
    let judged = values.into_iter().filter_map(|value| {
        let inside = &window[value.clone()];
        let algorithm = str::from_utf8(inside).is_ok_and(is_algorithm);
        let rule = meaning.rule(inside, true).filter(|_| !algorithm)?;
        Some((rule, value))
    });
    judged.take(8).collect()
}

/// `make_date(1984, 3, 12)`.
pub(super) fn make_date(text: &[u8], opens: usize) -> Option<Range<usize>> {
    let mut reader = Reader { text, at: opens };
    (reader.peek() == Some(b'(')).then_some(())?;
    let parts = reader.group();
    let numbers =
        parts.iter().map(|part| str::from_utf8(text[part.clone()].trim_ascii()).ok()?.parse::<u16>().ok());
    let [year, month, day] = numbers.collect::<Option<Vec<u16>>>()?[..] else { return None };
    let birth = (1880..=2030).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    birth.then_some(opens + 1..reader.at - 1)
}
