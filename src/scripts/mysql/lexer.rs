//! Cuts SQL into tokens where MySQL and MariaDB do. It knows no grammar.
//!
//! Where it disagreed with the server's own lexer, a script could hide a statement from us that the server runs.
//! The hardest corner is the executable comment: whether its content runs is up to the server and its version, so
//! it has to end at the same place for one that runs it and one that skips it.

use std::ops::Range;

use crate::scripts::refusal::{Piece, Reason};
use crate::scripts::text::{Escapes, Text};

/// The longest delimiter that the client takes.
const DELIMITER_LENGTH: usize = 15;

/// A piece of SQL that is neither white space nor comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    /// Where it stands, in bytes from the start of the text.
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// A keyword, a bare identifier or a number.
    Word(&'a str),
    /// An identifier in backticks: what stands between them.
    Name(&'a str),
    /// A literal in either quotes: what stands between them.
    Literal(&'a str),
    Semicolon,
    /// The delimiter that a client command named.
    Delimiter,
    Open,
    Close,
    Equals,
    Comma,
    Colon,
    Dot,
    At,
    /// Where an executable comment begins or ends.
    Executable,
    /// User variables, operators, and what the server would refuse.
    Other,
}

/// Walks over SQL, each byte a bounded number of times.
pub(super) struct Lexer<'a> {
    text: Text<'a>,
    position: usize,
    /// What ends a statement besides the semicolon.
    delimiter: Option<&'a str>,
    /// Inside of an executable comment: where its end mark has to stand.
    executable: Option<usize>,
    fault: Option<(usize, Reason)>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { text: Text::new(sql), position: 0, delimiter: None, executable: None, fault: None }
    }

    /// The first thing met so far that cannot run as it stands, and where it begins.
    pub(super) fn fault(&self) -> Option<(usize, Reason)> {
        self.fault
    }

    pub(super) fn set_fault(&mut self, start: usize, reason: Reason) {
        self.fault.get_or_insert((start, reason));
    }

    /// The executable comment in which the next token stands, by the place of its end.
    pub(super) fn executable(&self) -> Option<usize> {
        self.executable
    }

    /// Obeys the `DELIMITER` commands that stand where a statement would begin.
    pub(super) fn obey_delimiter_commands(&mut self) {
        loop {
            self.skip_blank();
            let start = self.position;
            let end = self.text.end_of(start, is_word);
            let is_command = self.text.slice(start..end).eq_ignore_ascii_case("DELIMITER")
                && self.text.byte(end).is_none_or(is_space);
            if !is_command || self.executable.is_some() {
                return;
            }
            self.position = self.text.end_of(end, |byte| byte != b'\n');
            let line = self.text.slice(end..self.position);
            let named = line.split_ascii_whitespace().next().unwrap_or_default();
            if is_delimiter(named) {
                self.delimiter = Some(named).filter(|named| *named != ";");
            } else {
                self.set_fault(start, Reason::Delimiter);
            }
        }
    }

    /// The end of what began at `start`; where it does not end, that of the text.
    fn close(&mut self, start: usize, behind: Option<usize>, piece: Piece) -> usize {
        let end = behind.unwrap_or_else(|| {
            self.set_fault(start, Reason::Unterminated(piece));
            self.text.len()
        });
        self.require_inside(start, end);
        end
    }

    /// A literal or comment in an executable comment must not hold the mark that ends it for who skips it.
    fn require_inside(&mut self, start: usize, end: usize) {
        if self.executable.is_some_and(|mark| end > mark) {
            self.set_fault(start, Reason::ExecutableComment);
            self.executable = None;
        }
    }

    fn skip_blank(&mut self) {
        loop {
            let start = self.position;
            self.position = match self.text.byte(start) {
                Some(byte) if is_space(byte) => self.text.end_of(start, is_space),
                _ if self.is_delimiter_at(start) => return,
                Some(b'#') => self.end_of_line(start),
                Some(b'-') if self.is_line_comment(start) => self.end_of_line(start),
                Some(b'/') if self.is_comment(start) => {
                    if self.executable.is_some() {
                        self.set_fault(start, Reason::ExecutableComment);
                    }
                    let behind = self.text.behind(start + 2, "*/");
                    self.close(start, behind, Piece::Comment)
                }
                _ => return,
            };
        }
    }

    fn is_line_comment(&self, start: usize) -> bool {
        self.text.starts_with(start, "--")
            && self.text.byte(start + 2).is_none_or(|byte| byte == b' ' || byte.is_ascii_control())
    }

    fn is_comment(&self, start: usize) -> bool {
        self.text.starts_with(start, "/*") && !self.is_executable(start)
    }

    fn is_executable(&self, start: usize) -> bool {
        self.text.starts_with(start, "/*!") || self.text.starts_with(start, "/*M!")
    }

    fn end_of_line(&mut self, start: usize) -> usize {
        let end = self.text.end_of(start, |byte| byte != b'\n');
        self.require_inside(start, end);
        end
    }

    fn is_delimiter_at(&self, index: usize) -> bool {
        self.delimiter.is_some_and(|delimiter| self.text.starts_with(index, delimiter))
    }

    /// A word, which a delimiter such as `$$` cuts off.
    fn end_of_word(&self, start: usize) -> usize {
        let end = self.text.end_of(start, is_word);
        let Some(delimiter) = self.delimiter else { return end };
        // A delimiter of other signs cannot begin in a word.
        let length = delimiter.bytes().take_while(|&byte| is_word(byte)).count();
        let inside = delimiter.get(..length).filter(|inside| !inside.is_empty());
        let word = self.text.slice(start..end);
        inside
            .and_then(|inside| {
                word.match_indices(inside).map(|(at, _)| start + at).find(|&at| self.is_delimiter_at(at))
            })
            .unwrap_or(end)
    }

    fn end_of_quoted(&mut self, start: usize, quote: u8) -> usize {
        let (escapes, piece) = match quote {
            b'`' => (Escapes::None, Piece::Name),
            _ => (Escapes::Backslash, Piece::Literal),
        };
        let behind = self.text.behind_quoted(start, quote, escapes);
        self.close(start, behind, piece)
    }

    /// Steps behind the mark and the version with which an executable comment begins.
    fn begin_executable(&mut self, start: usize) -> usize {
        let content = if self.text.starts_with(start, "/*M!") { start + 4 } else { start + 3 };
        if self.executable.is_some() {
            self.set_fault(start, Reason::ExecutableComment);
        } else if let Some(behind) = self.text.behind(content, "*/") {
            self.executable = Some(behind - 2);
        } else {
            return self.close(start, None, Piece::Comment);
        }
        self.text.end_of(content, |byte| byte.is_ascii_digit()).min(content + 6)
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let start = self.position;
        let first = self.text.byte(start)?;
        let (kind, end) = if self.executable == Some(start) {
            self.executable = None;
            (TokenKind::Executable, start + 2)
        } else if let Some(delimiter) = self.delimiter.filter(|_| self.is_delimiter_at(start)) {
            (TokenKind::Delimiter, start + delimiter.len())
        } else if self.is_executable(start) {
            (TokenKind::Executable, self.begin_executable(start))
        } else {
            self.plain(start, first)
        };
        self.position = end;
        Some(Token { kind, range: start..end })
    }
}

impl<'a> Lexer<'a> {
    fn plain(&mut self, start: usize, first: u8) -> (TokenKind<'a>, usize) {
        match first {
            b'\'' | b'"' => {
                let end = self.end_of_quoted(start, first);
                (TokenKind::Literal(self.inside(start, end)), end)
            }
            b'`' => {
                let end = self.end_of_quoted(start, first);
                (TokenKind::Name(self.inside(start, end)), end)
            }
            b'@' if self.text.byte(start + 1) == Some(b'@') => (TokenKind::Other, start + 2),
            b'@' => (TokenKind::At, start + 1),
            b';' => (TokenKind::Semicolon, start + 1),
            b'(' => (TokenKind::Open, start + 1),
            b')' => (TokenKind::Close, start + 1),
            b'=' => (TokenKind::Equals, start + 1),
            b',' => (TokenKind::Comma, start + 1),
            b'.' => (TokenKind::Dot, start + 1),
            b':' => (TokenKind::Colon, start + 1),
            // `\N` is NULL; any other backslash outside of a literal is for a client.
            b'\\' if self.text.byte(start + 1) == Some(b'N') => (TokenKind::Other, start + 2),
            b'\\' => {
                self.set_fault(start, Reason::ClientCommand("mysql"));
                (TokenKind::Other, start + 1)
            }
            byte if is_word(byte) => {
                let end = self.end_of_word(start);
                (TokenKind::Word(self.text.slice(start..end)), end)
            }
            _ => (TokenKind::Other, start + 1),
        }
    }

    /// What stands between the quotes.
    fn inside(&self, start: usize, end: usize) -> &'a str {
        self.text.slice(start + 1..end.saturating_sub(1))
    }
}

fn is_delimiter(named: &str) -> bool {
    let is_sign =
        |byte: u8| byte.is_ascii_punctuation() && !matches!(byte, b'\'' | b'"' | b'`' | b'\\' | b'_');
    (1..=DELIMITER_LENGTH).contains(&named.len()) && named.bytes().all(is_sign)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<&str> {
        Lexer::new(sql).map(|token| &sql[token.range]).collect()
    }

    #[test]
    fn a_double_dash_needs_a_space_to_be_a_comment() {
        assert_eq!(tokens("5--1"), ["5", "-", "-", "1"]);
        assert_eq!(tokens("a -- b\nc --\td\r\ne --\nf --"), ["a", "c", "e", "f"]);
        assert_eq!(tokens("a --\u{a0}b"), ["a", "-", "-", "\u{a0}b"]);
        assert_eq!(tokens("a # b\rc\nd#e"), ["a", "d"]);
        assert_eq!(tokens("a /* /* ; */ b */"), ["a", "b", "*", "/"]);
    }

    #[test]
    fn literals_know_backslashes_and_names_do_not() {
        assert_eq!(tokens(r#"'\';' "\";" 'a'';' "a"";""#), [r"'\';'", r#""\";""#, "'a'';'", r#""a"";""#]);
        assert_eq!(tokens(r"`\` `a``;`"), [r"`\`", "`a``;`"]);
        assert_eq!(tokens(r"'\\';"), [r"'\\'", ";"]);
        assert_eq!(tokens(r"\N;"), [r"\N", ";"]);
    }

    #[test]
    fn executable_comments_are_read() {
        assert_eq!(tokens("/*!50003COMMIT*/;"), ["/*!50003", "COMMIT", "*/", ";"]);
        assert_eq!(tokens("/*M!100100 a */ /*! b*/"), ["/*M!100100", "a", "*/", "/*!", "b", "*/"]);
        assert_eq!(tokens("/*!500031 a*//*!*/ /*+ b */ /*m! c */"), ["/*!500031", "a", "*/", "/*!", "*/"]);
    }

    #[test]
    fn a_delimiter_cuts_words_off() {
        let sql = "DELIMITER $$\nEND$$a$b$$ '$$' `$$` -- $$\n$$";
        let mut lexer = Lexer::new(sql);
        lexer.obey_delimiter_commands();
        let found: Vec<_> = lexer.map(|token| &sql[token.range]).collect();
        assert_eq!(found, ["END", "$$", "a$b", "$$", "'$$'", "`$$`", "$$"]);
    }
}
