//! Cuts SQL into tokens exactly where SQLite does. It knows no grammar.
//!
//! Where it disagreed with SQLite's own `tokenize.c`, a script could hide a statement from us that SQLite runs.
//! Hence the odd corners: an identifier may hold `$`, a parameter may be `$name(…)` and hold a quote or a
//! semicolon, a byte order mark is white space, and a literal that does not end reaches to the end of the text.

use std::ops::Range;

use crate::scripts::BYTE_ORDER_MARK;
use crate::scripts::text::{Escapes, Text};

/// A piece of SQL that is neither white space nor comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    /// Where it stands, in bytes from the start of the text.
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// A keyword or a bare identifier.
    Word(&'a str),
    Semicolon,
    Open,
    Close,
    /// Literals, quoted identifiers, parameters, operators, and what SQLite would refuse.
    Other,
}

/// Walks over SQL, each byte once.
pub(super) struct Lexer<'a> {
    text: Text<'a>,
    position: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at the top of `sql`. White space at its end is left out, as the driver leaves it out: to SQLite,
    /// white space that is not ASCII is part of a word.
    pub(super) fn new(sql: &'a str) -> Self {
        Self { text: Text::new(sql.trim_end()), position: 0 }
    }

    /// Skips to the first token of a statement, also over white space that is not ASCII: the driver trims it from
    /// what it is asked to run. Further on in a statement it belongs to identifiers.
    pub(super) fn begin_statement(&mut self) {
        loop {
            let start = self.position;
            let rest = self.text.slice(start..self.text.len());
            self.position = self.skip_blank(self.text.len() - rest.trim_start().len());
            if self.position == start {
                return;
            }
        }
    }

    /// The place after white space or a comment that starts at `start`; `start` itself where there is none.
    fn skip_blank(&self, start: usize) -> usize {
        match self.text.byte(start) {
            Some(byte) if is_space(byte) => start + 1,
            Some(0xef) if self.text.starts_with(start, BYTE_ORDER_MARK) => start + BYTE_ORDER_MARK.len(),
            Some(b'-') if self.text.starts_with(start, "--") => self.text.end_of(start, |byte| byte != b'\n'),
            Some(b'/') if self.text.starts_with(start, "/*") => {
                self.text.behind(start + 2, "*/").unwrap_or(self.text.len())
            }
            _ => start,
        }
    }

    fn end_of_parameter(&self, start: usize) -> usize {
        let mut index = start + 1;
        let mut named = false;
        loop {
            match self.text.byte(index) {
                Some(byte) if is_word(byte) => named = true,
                Some(b':') if self.text.byte(index + 1) == Some(b':') => index += 1,
                Some(b'(') if named => {
                    let end = self.text.end_of(index + 1, |byte| byte != b')' && !is_space(byte));
                    return end + usize::from(self.text.byte(end) == Some(b')'));
                }
                _ => return index,
            }
            index += 1;
        }
    }

    fn end_of_number(&self, start: usize) -> usize {
        let mut end = self.text.end_of(start, is_word);
        if self.text.byte(end) == Some(b'.') {
            end = self.text.end_of(end + 1, is_word);
        }
        end
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let after = self.skip_blank(self.position);
            if after == self.position {
                break;
            }
            self.position = after;
        }
        let start = self.position;
        let first = self.text.byte(start)?;
        let end = match first {
            b'\'' | b'"' | b'`' => {
                self.text.behind_quoted(start, first, Escapes::None).unwrap_or(self.text.len())
            }
            b'[' => self.text.behind(start, "]").unwrap_or(self.text.len()),
            b'$' | b'@' | b'#' | b':' => self.end_of_parameter(start),
            b'0'..=b'9' => self.end_of_number(start),
            byte if is_word(byte) => self.text.end_of(start, is_word),
            _ => start + 1,
        };
        let kind = match first {
            b';' => TokenKind::Semicolon,
            b'(' => TokenKind::Open,
            b')' => TokenKind::Close,
            b'$' | b'0'..=b'9' => TokenKind::Other,
            byte if is_word(byte) => TokenKind::Word(self.text.slice(start..end)),
            _ => TokenKind::Other,
        };
        self.position = end;
        Some(Token { kind, range: start..end })
    }
}

/// Vertical tabs count although SQLite takes them only after other white space; the driver trims them.
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
    fn comments_and_white_space_are_no_tokens() {
        assert_eq!(tokens("a -- b ; c\nd"), ["a", "d"]);
        assert_eq!(tokens("a--b\rc"), ["a"]);
        assert_eq!(tokens("a/* ; /* */b*/"), ["a", "b", "*", "/"]);
        assert_eq!(tokens("a/*/b*/c/**/d"), ["a", "c", "d"]);
        assert_eq!(tokens("a /* b"), ["a"]);
        assert_eq!(tokens("a /*"), ["a"]);
        assert_eq!(tokens("\u{feff}a \u{feff} \u{b}b\u{a0}"), ["a", "b"]);
        assert_eq!(tokens(""), [""; 0]);
    }

    #[test]
    fn quotes_double_and_brackets_do_not() {
        assert_eq!(tokens("'it''s; ' a"), ["'it''s; '", "a"]);
        assert_eq!(tokens(r#""a"";" `b``;` [c;"'] d"#), [r#""a"";""#, "`b``;`", "[c;\"']", "d"]);
        assert_eq!(tokens("[a]]"), ["[a]", "]"]);
        assert_eq!(tokens("'-- a' '/*' b"), ["'-- a'", "'/*'", "b"]);
        assert_eq!(tokens(r"'\' a"), [r"'\'", "a"]);
        assert_eq!(tokens("x'00;' X''a"), ["x", "'00;'", "X", "''", "a"]);
    }

    #[test]
    fn what_does_not_end_reaches_to_the_end() {
        for sql in ["'a; b", "'a''; b", "'", "''';", "\"a;", "`a;", "[a; '", "$a(';", "🦀"] {
            assert_eq!(tokens(sql), [sql]);
        }
    }

    #[test]
    fn dollars_are_no_quotes() {
        assert_eq!(tokens("$$ ; $$"), ["$$", ";", "$$"]);
        assert_eq!(tokens("$a$ ' $a$"), ["$a$", "' $a$"]);
    }

    #[test]
    fn parameters_may_hold_quotes_and_semicolons() {
        assert_eq!(tokens("$a(';) b"), ["$a(';)", "b"]);
        assert_eq!(tokens("$a::b(;) @c(') :d(\") #e"), ["$a::b(;)", "@c(')", ":d(\")", "#e"]);
        assert_eq!(tokens("$a(b c)"), ["$a(b", "c", ")"]);
        assert_eq!(tokens("$(a) ?1;"), ["$", "(", "a", ")", "?", "1", ";"]);
        assert_eq!(tokens("a$b(';')"), ["a$b", "(", "';'", ")"]);
    }

    #[test]
    fn words_and_numbers_end_where_sqlite_ends_them() {
        assert_eq!(tokens("a.b,1.5e10;0x1F 1_000"), ["a", ".", "b", ",", "1.5e10", ";", "0x1F", "1_000"]);
        assert_eq!(tokens("1.$a(';')"), ["1.$a", "(", "';'", ")"]);
        assert_eq!(tokens("naïve🦀x=1"), ["naïve🦀x", "=", "1"]);
        assert_eq!(tokens("a\u{a0}b \u{a0}c"), ["a\u{a0}b", "\u{a0}c"]);
        let kinds: Vec<_> = Lexer::new("a 1 $b (c);").map(|token| token.kind).collect();
        use TokenKind::{Close, Open, Other, Semicolon, Word};
        assert_eq!(kinds, [Word("a"), Other, Other, Open, Word("c"), Close, Semicolon]);
    }
}
