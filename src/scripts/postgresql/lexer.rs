//! Cuts SQL into tokens where PostgreSQL does. It knows no grammar.
//!
//! Where it disagreed with PostgreSQL's own `scan.l`, a script could hide a statement from us that PostgreSQL runs.
//! Hence the odd corners: a literal goes on behind a line end, an escaping one with its escapes; block comments
//! nest; an operator ends where a comment begins in it; a name may hold `$`, so a dollar quote does not begin in it.

use std::ops::Range;

use crate::scripts::refusal::{Piece, Reason};
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
    /// A quoted identifier: what stands between the quotes.
    Name(&'a str),
    /// A literal of any kind, with its quotes.
    Literal(&'a str),
    Semicolon,
    Open,
    Close,
    Equals,
    /// Numbers, parameters, operators, and what PostgreSQL would refuse.
    Other,
}

/// Walks over SQL, each byte a bounded number of times.
pub(super) struct Lexer<'a> {
    text: Text<'a>,
    position: usize,
    fault: Option<(usize, Reason)>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { text: Text::new(sql), position: 0, fault: None }
    }

    /// The first thing met so far that is no SQL, and where it begins.
    pub(super) fn fault(&self) -> Option<(usize, Reason)> {
        self.fault
    }

    fn set_fault(&mut self, start: usize, reason: Reason) {
        self.fault.get_or_insert((start, reason));
    }

    /// The end of what began at `start`; where it does not end, that of the text.
    fn close(&mut self, start: usize, behind: Option<usize>, piece: Piece) -> usize {
        behind.unwrap_or_else(|| {
            self.set_fault(start, Reason::Unterminated(piece));
            self.text.len()
        })
    }

    fn skip_blank(&mut self) {
        loop {
            let start = self.position;
            self.position = match self.text.byte(start) {
                Some(byte) if is_space(byte) => self.text.end_of(start, is_space),
                Some(b'-') if self.text.starts_with(start, "--") => self.text.end_of(start, is_comment),
                Some(b'/') if self.text.starts_with(start, "/*") => {
                    let behind = self.behind_block(start);
                    self.close(start, behind, Piece::Comment)
                }
                _ => return,
            };
        }
    }

    fn behind_block(&self, start: usize) -> Option<usize> {
        let mut depth = 1_usize;
        let mut index = start + 2;
        loop {
            index = self.text.end_of(index, |byte| byte != b'/' && byte != b'*');
            match (self.text.byte(index)?, self.text.byte(index + 1)) {
                (b'/', Some(b'*')) => {
                    depth += 1;
                    index += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    index += 2;
                    if depth == 0 {
                        return Some(index);
                    }
                }
                _ => index += 1,
            }
        }
    }

    fn end_of_literal(&mut self, start: usize, quote: usize, escapes: Escapes) -> usize {
        let mut quote = quote;
        loop {
            let behind = self.text.behind_quoted(quote, b'\'', escapes);
            let end = self.close(start, behind, Piece::Literal);
            // Without escapes the next part reads the same as a literal of its own.
            match self.continuation(end).filter(|_| escapes == Escapes::Backslash) {
                Some(next) => quote = next,
                None => return end,
            }
        }
    }

    /// The quote with which a literal that ended goes on: behind white space and line comments with a line end
    /// among them.
    fn continuation(&self, end: usize) -> Option<usize> {
        let mut index = end;
        loop {
            let next = match self.text.byte(index)? {
                byte if is_space(byte) => self.text.end_of(index, is_space),
                b'-' if self.text.starts_with(index, "--") => self.text.end_of(index, is_comment),
                b'\'' => break,
                _ => return None,
            };
            index = next;
        }
        let between = self.text.slice(end..index);
        between.contains(['\n', '\r']).then_some(index)
    }

    fn end_of_name(&mut self, start: usize, quote: usize) -> usize {
        let behind = self.text.behind_quoted(quote, b'"', Escapes::None);
        self.close(start, behind, Piece::Name)
    }

    /// A dollar quote, a parameter, or a lone dollar.
    fn end_of_dollar(&mut self, start: usize) -> (bool, usize) {
        let tag_end = match self.text.byte(start + 1) {
            Some(byte) if is_word_start(byte) => {
                self.text.end_of(start + 1, |byte| is_word(byte) && byte != b'$')
            }
            Some(b'0'..=b'9') => return (false, self.text.end_of(start + 1, is_word)),
            _ => start + 1,
        };
        if self.text.byte(tag_end) != Some(b'$') {
            return (false, start + 1);
        }
        let mark = self.text.slice(start..tag_end + 1);
        let behind = self.text.behind(tag_end + 1, mark);
        (true, self.close(start, behind, Piece::DollarQuote))
    }

    /// A literal with a prefix, or a word.
    fn word(&mut self, start: usize) -> Token<'a> {
        let prefix = (self.text.byte(start), self.text.byte(start + 1), self.text.byte(start + 2));
        let end = match prefix {
            (Some(b'e' | b'E'), Some(b'\''), _) => self.end_of_literal(start, start + 1, Escapes::Backslash),
            (Some(b'b' | b'B' | b'x' | b'X' | b'n' | b'N'), Some(b'\''), _) => {
                self.end_of_literal(start, start + 1, Escapes::None)
            }
            (Some(b'u' | b'U'), Some(b'&'), Some(b'\'')) => {
                self.end_of_literal(start, start + 2, Escapes::None)
            }
            (Some(b'u' | b'U'), Some(b'&'), Some(b'"')) => {
                let range = start..self.end_of_name(start, start + 2);
                return Token { kind: TokenKind::Name(self.inside(start + 3, range.end)), range };
            }
            _ => {
                let range = start..self.text.end_of(start, is_word);
                return Token { kind: TokenKind::Word(self.text.slice(range.clone())), range };
            }
        };
        Token { kind: TokenKind::Literal(self.text.slice(start..end)), range: start..end }
    }

    /// What stands between a name's quotes.
    fn inside(&self, start: usize, end: usize) -> &'a str {
        self.text.slice(start..end.saturating_sub(1))
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let start = self.position;
        let token = match self.text.byte(start)? {
            b'\'' => {
                let end = self.end_of_literal(start, start, Escapes::None);
                Token { kind: TokenKind::Literal(self.text.slice(start..end)), range: start..end }
            }
            b'"' => {
                let end = self.end_of_name(start, start);
                Token { kind: TokenKind::Name(self.inside(start + 1, end)), range: start..end }
            }
            b'$' => {
                let (quoted, end) = self.end_of_dollar(start);
                let kind =
                    if quoted { TokenKind::Literal(self.text.slice(start..end)) } else { TokenKind::Other };
                Token { kind, range: start..end }
            }
            // With all letters behind the digits: before PostgreSQL 15 these were a name, which may hold `$`.
            b'0'..=b'9' => Token { kind: TokenKind::Other, range: start..self.text.end_of(start, is_word) },
            byte if is_word_start(byte) => self.word(start),
            byte => {
                let kind = match byte {
                    b';' => TokenKind::Semicolon,
                    b'(' => TokenKind::Open,
                    b')' => TokenKind::Close,
                    b'=' => TokenKind::Equals,
                    _ => TokenKind::Other,
                };
                if byte == b'\\' {
                    self.set_fault(start, Reason::ClientCommand("psql"));
                }
                Token { kind, range: start..start + 1 }
            }
        };
        self.position = token.range.end;
        Some(token)
    }
}

/// Vertical tabs count although PostgreSQL takes them for white space only since version 16; before, it refuses them.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn is_comment(byte: u8) -> bool {
    !matches!(byte, b'\n' | b'\r')
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<&str> {
        Lexer::new(sql).map(|token| &sql[token.range]).collect()
    }

    fn fault(sql: &str) -> Option<(usize, Reason)> {
        let mut lexer = Lexer::new(sql);
        lexer.by_ref().for_each(drop);
        lexer.fault()
    }

    #[test]
    fn comments_nest_and_end_operators() {
        assert_eq!(tokens("a -- b ; c\nd --e\rf"), ["a", "d", "f"]);
        assert_eq!(tokens("a /* ; /* */ ' */ b /**/c/***/"), ["a", "b", "c"]);
        assert_eq!(tokens("a /*/ b */ c"), ["a", "c"]);
        assert_eq!(tokens("1 */* ; */ 2 +-- ;\n3"), ["1", "*", "2", "+", "3"]);
        assert_eq!(tokens("a - - b"), ["a", "-", "-", "b"]);
        assert_eq!(tokens("a /* /* */ b"), ["a"]);
    }

    #[test]
    fn dollar_quotes_have_tags_and_names_hold_dollars() {
        assert_eq!(tokens("$$ ; $$ $a$ $$ ; $b$ $a$;"), ["$$ ; $$", "$a$ $$ ; $b$ $a$", ";"]);
        assert_eq!(tokens("$é_1$;$é_1$ $A$ $a$ $A$"), ["$é_1$;$é_1$", "$A$ $a$ $A$"]);
        assert_eq!(tokens("a$$;$$"), ["a$$", ";", "$$"]);
        assert_eq!(tokens("$1;$2 $a;$1$"), ["$1", ";", "$2", "$", "a", ";", "$1$"]);
        assert_eq!(tokens("$1a$;$1a$"), ["$1a$", ";", "$1a$"]);
        assert_eq!(tokens("1e$$;$$"), ["1e$$", ";", "$$"]);
    }

    #[test]
    fn only_an_escape_literal_knows_backslashes() {
        assert_eq!(tokens(r"'\' a"), [r"'\'", "a"]);
        assert_eq!(tokens(r"E'\';' e'\\' ;"), [r"E'\';'", r"e'\\'", ";"]);
        assert_eq!(tokens(r"U&'\' n'\' b'\' X'\';"), [r"U&'\'", r"n'\'", r"b'\'", r"X'\'", ";"]);
        assert_eq!(tokens(r#"U&"\" "a"";" U & 'b'"#), [r#"U&"\""#, r#""a"";""#, "U", "&", "'b'"]);
        assert_eq!(tokens(r"fooE'\'"), ["fooE", r"'\'"]);
        assert_eq!(tokens("'it''s;' E'it''s;'"), ["'it''s;'", "E'it''s;'"]);
    }

    #[test]
    fn an_escape_literal_goes_on_behind_a_line_end() {
        assert_eq!(tokens("E'a'\n'\\';' b"), ["E'a'\n'\\';'", "b"]);
        assert_eq!(tokens("E'a' -- ' \r -- '\n '\\';' b").len(), 2);
        assert_eq!(tokens("E'a' '\\' b"), ["E'a'", "'\\'", "b"]);
        assert_eq!(tokens("E'a' /* \n */ '\\' b"), ["E'a'", "'\\'", "b"]);
        assert_eq!(tokens("E'a'\n-- c"), ["E'a'"]);
    }

    #[test]
    fn what_does_not_end_reaches_to_the_end_and_is_told() {
        for (sql, piece) in [
            ("'a; b", Piece::Literal),
            ("'a''; b", Piece::Literal),
            ("'", Piece::Literal),
            ("E'\\", Piece::Literal),
            ("E'\\'", Piece::Literal),
            ("E'a'\n'b", Piece::Literal),
            ("U&'", Piece::Literal),
            ("\"a;", Piece::Name),
            ("U&\"", Piece::Name),
            ("$$;", Piece::DollarQuote),
            ("$a$;$b$;$A$", Piece::DollarQuote),
        ] {
            assert_eq!(tokens(sql), [sql]);
            assert_eq!(fault(sql), Some((0, Reason::Unterminated(piece))), "{sql}");
        }
        for sql in ["a /*", "a /* /* */", "a /*/"] {
            assert_eq!(fault(sql), Some((2, Reason::Unterminated(Piece::Comment))), "{sql}");
        }
        assert_eq!(fault("a 'b' \"c\" $$d$$ /* e */ -- f"), None);
    }

    #[test]
    fn names_are_told_from_words() {
        use TokenKind::{Close, Equals, Name, Open, Other, Semicolon, Word};
        let kinds: Vec<_> =
            Lexer::new("é1 \"b\" = U&\"c\" 1.5e1 (\u{a0});").map(|token| token.kind).collect();
        let expected = [
            Word("é1"),
            Name("b"),
            Equals,
            Name("c"),
            Other,
            Other,
            Other,
            Open,
            Word("\u{a0}"),
            Close,
            Semicolon,
        ];
        assert_eq!(kinds, expected);
    }
}
