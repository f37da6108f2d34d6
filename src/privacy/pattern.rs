//! Patterns over bytes, made once. All of them take time that grows with the text alone.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// A pattern that is made when it is first used.
pub(super) type Pattern = LazyLock<Regex>;

/// Makes a pattern that stands in the source.
pub(super) fn pattern(text: &'static str) -> Regex {
    Regex::new(text).expect("a pattern of the source, which the tests make")
}

/// Whether a number stands for itself: not the rest of a longer number, a version, an identifier or a path.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    let two_before = start.checked_sub(2).and_then(|at| text.get(at));
    let (after, two_after) = (text.get(end), text.get(end + 1));
    let starts = match before {
        Some(b'.' | b'-' | b'/') => !joins(two_before),
        Some(b'_') => false,
        before => !joins(before),
    };
    let ends = match after {
        Some(b'.' | b'-') => !joins(two_after),
        Some(b'_') => false,
        after => !joins(after),
    };
    starts && ends
}

/// Whether a group of so many digits stands beside a grouped number, as in tables of numbers.
pub(super) fn in_row(text: &[u8], start: usize, end: usize, width: usize) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let blank =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    let before = |by: usize| start.checked_sub(by);
    let ahead = blank(before(1)) && (2..width + 2).all(|by| digit(before(by))) && !digit(before(width + 2));
    let behind =
        blank(Some(end)) && (1..=width).all(|by| digit(Some(end + by))) && !digit(Some(end + width + 1));
    ahead || behind
}

/// What stands before a place in its line, at most 60 bytes, in small letters.
pub(super) fn before(text: &[u8], start: usize) -> String {
    let from = start.saturating_sub(60);
    let slice = &text[from..start];
    let line = slice.iter().rposition(|byte| *byte == b'\n').map_or(slice, |at| &slice[at + 1..]);
    String::from_utf8_lossy(line).to_lowercase()
}
