//! Reads lists of columns and values out of SQL of any dialect, without looking back.

use std::ops::Range;

use super::meaning::quoted;

/// Walks over a statement; what it has read it does not read again.
pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Over white space and comments.
    pub(super) fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            let rest = &self.text[self.at..];
            if byte.is_ascii_whitespace() {
                self.at += 1;
            } else if rest.starts_with(b"--") {
                self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            } else if rest.starts_with(b"/*") {
                self.at += rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |at| at + 2);
            } else {
                return;
            }
        }
    }

    /// A name with its quotes and its schema.
    pub(super) fn name(&mut self) -> &'a [u8] {
        self.skip();
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' | b'`' => match quoted(self.text, self.at, 200) {
                    Some((_, behind)) => self.at = behind,
                    None => self.at += 1,
                },
                b'(' | b')' | b';' | b',' => break,
                _ if byte.is_ascii_whitespace() => break,
                _ => self.at += 1,
            }
        }
        &self.text[start..self.at]
    }

    /// The next bare word; empty where none stands.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip();
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Whether the next word is this one; only then it is read.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let at = self.at;
        let found = self.word().eq_ignore_ascii_case(word.as_bytes());
        if !found {
            self.at = at;
        }
        found
    }

    /// The parts of a list in parentheses, of which the first stands here.
    pub(super) fn group(&mut self) -> Vec<Range<usize>> {
        self.at += 1;
        let parts = self.list();
        if self.peek() == Some(b')') {
            self.at += 1;
        }
        parts
    }

    /// Expressions that commas part, up to a parenthesis that closes, a semicolon or `FROM`.
    pub(super) fn list(&mut self) -> Vec<Range<usize>> {
        let (mut parts, mut depth) = (Vec::new(), 0_usize);
        self.skip();
        let mut start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'\'' | b'"' | b'`' => match quoted(self.text, self.at, usize::MAX) {
                    Some((_, behind)) => self.at = behind,
                    None => self.at = self.text.len(),
                },
                b'$' => self.at = in_dollars(self.text, self.at).map_or(self.at + 1, |(_, behind)| behind),
                b'(' | b'[' | b'{' => (depth, self.at) = (depth + 1, self.at + 1),
                b')' | b';' if depth == 0 => break,
                b')' | b']' | b'}' => (depth, self.at) = (depth.saturating_sub(1), self.at + 1),
                b',' if depth == 0 => {
                    parts.push(start..self.at);
                    self.at += 1;
                    self.skip();
                    start = self.at;
                }
                b'-' if self.text[self.at..].starts_with(b"--") => self.skip(),
                b'/' if self.text[self.at..].starts_with(b"/*") => self.skip(),
                b'F' | b'f' if depth == 0 && is_from(self.text, self.at) => break,
                _ => self.at += 1,
            }
        }
        parts.push(start.min(self.at)..self.at);
        parts
    }
}

/// The longest text in dollar quotes that is looked at where a value may stand.
const DOLLARS: usize = 8_192;

/// What stands in dollar quotes that begin here, and the place behind them.
pub(super) fn in_dollars(text: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
    let rest = text.get(start..text.len().min(start + DOLLARS))?;
    let tag =
        2 + rest.get(1..)?.iter().take(64).position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let mark = rest.get(..tag).filter(|mark| mark.ends_with(b"$") && !mark[1].is_ascii_digit())?;
    let length = rest.get(tag..)?.windows(tag).position(|window| window == mark)?;
    Some((start + tag..start + tag + length, start + tag + length + tag))
}

/// What stands between the quotes of an expression.
pub(super) fn literals(text: &[u8], value: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), value.start);
    while at < value.end {
        let literal = match text[at] {
            b'\'' | b'"' => match quoted(text, at, usize::MAX) {
                Some(literal) => Some(literal),
                None => break,
            },
            b'$' => in_dollars(text, at),
            _ => None,
        };
        match literal {
            Some((range, behind)) => {
                found.push(range);
                at = behind;
            }
            None => at += 1,
        }
    }
    found
}

fn is_from(text: &[u8], at: usize) -> bool {
    text[at..]
        .get(..5)
        .is_some_and(|word| word[..4].eq_ignore_ascii_case(b"from") && word[4].is_ascii_whitespace())
        && at > 0
        && text[at - 1].is_ascii_whitespace()
}
