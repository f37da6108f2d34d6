//! SQL as bytes, and the steps over it that every lexer takes.

use std::ops::Range;

/// A text that is looked at byte by byte. No question about a place outside of it panics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    sql: &'a str,
}

impl<'a> Text<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { sql }
    }

    pub(super) fn len(self) -> usize {
        self.sql.len()
    }

    pub(super) fn slice(self, range: Range<usize>) -> &'a str {
        self.sql.get(range).unwrap_or_default()
    }

    pub(super) fn byte(self, index: usize) -> Option<u8> {
        self.sql.as_bytes().get(index).copied()
    }

    pub(super) fn starts_with(self, index: usize, prefix: &str) -> bool {
        self.sql.as_bytes().get(index..).is_some_and(|rest| rest.starts_with(prefix.as_bytes()))
    }

    /// The first place from `index` on whose byte does not belong, or the end of the text.
    pub(super) fn end_of(self, index: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.sql.as_bytes().get(index..).unwrap_or_default();
        rest.iter().position(|&byte| !belongs(byte)).map_or(self.sql.len(), |length| index + length)
    }

    /// The place behind the next `mark` from `index` on; `None` where there is none.
    pub(super) fn behind(self, index: usize, mark: &str) -> Option<usize> {
        let length = self.sql.get(index..)?.find(mark)?;
        Some(index + length + mark.len())
    }

    /// The place behind a literal or name whose opening quote stands at `start`; a doubled quote stands for one.
    /// `None` where it does not end.
    pub(super) fn behind_quoted(self, start: usize, quote: u8, escapes: Escapes) -> Option<usize> {
        let backslash = escapes == Escapes::Backslash;
        let mut index = start + 1;
        loop {
            index = self.end_of(index, |byte| byte != quote && !(backslash && byte == b'\\'));
            if self.byte(index)? != quote {
                index += 2;
                continue;
            }
            index += 1;
            if self.byte(index) != Some(quote) {
                return Some(index);
            }
            index += 1;
        }
    }
}

/// Whether a backslash takes its meaning from the quote behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    None,
    Backslash,
}
