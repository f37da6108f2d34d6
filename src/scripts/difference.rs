//! Compares a script on disk with its archived copy: by bytes, then by the tokens of its statements.

use serde::Serialize;

use super::statement::tokens;
use super::{BYTE_ORDER_MARK, Dialect, Script, statements};
use crate::model::line_feed_form;

/// How two copies of a script differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Not in a single byte.
    None,
    /// Only in line ends or in a byte order mark, as an editor or a checkout of another system leaves them.
    Cosmetic,
    /// Only in comments, in white space outside of literals, or in what stands between statements: every statement
    /// has the same tokens.
    Comments,
    /// In more than that.
    Edited,
}

/// Compares an archived script with the file of that name, by bytes: [`Difference::Comments`] is not told apart.
pub fn difference(archived: &[u8], on_disk: &[u8]) -> Difference {
    if archived == on_disk {
        return Difference::None;
    }
    if line_feed_form(archived) == line_feed_form(on_disk) {
        return Difference::Cosmetic;
    }
    Difference::Edited
}

/// The same, with an edit explained by `dialect`: what it cannot tell to be harmless is [`Difference::Edited`].
pub fn explained_difference(dialect: Dialect, archived: &[u8], on_disk: &[u8]) -> Difference {
    let plain = difference(archived, on_disk);
    if plain != Difference::Edited {
        return plain;
    }
    let text = |bytes| String::from_utf8(line_feed_form(bytes).into_owned());
    let (Ok(archived_text), Ok(text_on_disk)) = (text(archived), text(on_disk)) else { return plain };
    // The one comment that says how a script runs.
    let in_transaction = |bytes: &[u8]| Script::new("", bytes.to_vec()).transaction;
    let same = in_transaction(archived) == in_transaction(on_disk)
        && have_same_tokens(dialect, &archived_text, &text_on_disk);
    if same { Difference::Comments } else { Difference::Edited }
}

fn have_same_tokens(dialect: Dialect, one: &str, other: &str) -> bool {
    let strip = |text| str::strip_prefix(text, BYTE_ORDER_MARK).unwrap_or(text);
    let (one, other) = (strip(one), strip(other));
    let (of_one, of_other) = (statements(dialect, one), statements(dialect, other));
    of_one.len() == of_other.len()
        && of_one
            .iter()
            .zip(&of_other)
            .all(|(a, b)| is_same_statement(dialect, &one[a.range.clone()], &other[b.range.clone()]))
}

fn is_same_statement(dialect: Dialect, one: &str, other: &str) -> bool {
    let (of_one, of_other) = (tokens(dialect, one), tokens(dialect, other));
    let texts_match = of_one.len() == of_other.len()
        && of_one.iter().zip(&of_other).all(|(a, b)| one[a.clone()] == other[b.clone()]);
    texts_match
        && of_one.windows(2).zip(of_other.windows(2)).all(|(a, b)| {
            let gaps = (&one[a[0].end..a[1].start], &other[b[0].end..b[1].start]);
            is_same_gap(dialect, &one[a[0].clone()], &one[a[1].clone()], gaps)
        })
}

/// Whether what stands between two tokens, in one copy and in the other, separates them alike.
fn is_same_gap(dialect: Dialect, left: &str, right: &str, gaps: (&str, &str)) -> bool {
    let (one, other) = gaps;
    if one == other {
        return true;
    }
    // To some servers and their extensions such a comment is a hint, which may even set variables.
    let hint = [one, other].iter().any(|gap| gap.contains("/*+"));
    // Two literals may be one, by what is between them.
    let literals = is_quote(last(left)) && is_quote(first(right));
    if hint || literals {
        return false;
    }
    one.is_empty() == other.is_empty() || is_free(dialect, left, right)
}

/// Whether it makes no difference if two tokens touch each other.
fn is_free(dialect: Dialect, left: &str, right: &str) -> bool {
    // MySQL takes some names for functions only where the parenthesis touches them.
    let call =
        dialect == Dialect::Mysql && right == "(" && !is_punctuation(last(left)) && !is_operator(last(left));
    let exponent = left.starts_with(|c: char| c.is_ascii_digit()) && left.ends_with(['e', 'E']);
    let punctuation = is_punctuation(last(left)) || is_punctuation(first(right));
    let operator =
        is_operator(last(left)) != is_operator(first(right)) && is_operand(left) | is_operand(right);
    !call && !exponent && (punctuation || operator)
}

fn first(token: &str) -> u8 {
    token.bytes().next().unwrap_or_default()
}

fn last(token: &str) -> u8 {
    token.bytes().next_back().unwrap_or_default()
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"' | b'`')
}

fn is_punctuation(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b',' | b';')
}

fn is_operator(byte: u8) -> bool {
    matches!(byte, b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'|')
}

/// Names, numbers and literals, which are no part of an operator beside them.
fn is_operand(token: &str) -> bool {
    let byte = first(token);
    byte.is_ascii_alphanumeric() || byte == b'_' || is_quote(byte) || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_form_drops_one_mark_and_the_cr_of_each_crlf() {
        for (bytes, form) in [
            (&b""[..], &b""[..]),
            (b"a\nb", b"a\nb"),
            (b"a\r\nb\r\n", b"a\nb\n"),
            (b"\xef\xbb\xbfa\r\n", b"a\n"),
            (b"\xef\xbb\xbf\xef\xbb\xbfa", b"\xef\xbb\xbfa"),
            (b"a\xef\xbb\xbf", b"a\xef\xbb\xbf"),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"a\rb", b"a\rb"),
            (b"a\r\r\nb", b"a\r\nb"),
            (b"\r\n\r", b"\n\r"),
        ] {
            assert_eq!(line_feed_form(bytes).as_ref(), form, "{bytes:?}");
        }
    }

    #[test]
    fn the_form_borrows_where_it_can() {
        assert!(matches!(line_feed_form(b"\xef\xbb\xbfa\rb\n"), Cow::Borrowed(_)));
        assert!(matches!(line_feed_form(b"a\r\n"), Cow::Owned(_)));
    }

    #[test]
    fn line_ends_and_marks_are_cosmetic_and_nothing_else_is() {
        let archived = b"INSERT INTO a VALUES ('super user');\n";
        for (on_disk, expected) in [
            (&b"INSERT INTO a VALUES ('super user');\n"[..], Difference::None),
            (b"INSERT INTO a VALUES ('super user');\r\n", Difference::Cosmetic),
            (b"\xef\xbb\xbfINSERT INTO a VALUES ('super user');\n", Difference::Cosmetic),
            (b"INSERT INTO a VALUES ('superuser');\n", Difference::Edited),
            (b"INSERT INTO a VALUES ('super user');", Difference::Edited),
            (b"INSERT INTO a VALUES ('super user');\r", Difference::Edited),
            (b"insert INTO a VALUES ('super user');\n", Difference::Edited),
            (b"", Difference::Edited),
        ] {
            assert_eq!(difference(archived, on_disk), expected, "{on_disk:?}");
            assert_eq!(difference(on_disk, archived), expected, "{on_disk:?}");
        }
    }

    fn explained(dialect: Dialect, archived: &str, on_disk: &str) -> Difference {
        let one = explained_difference(dialect, archived.as_bytes(), on_disk.as_bytes());
        assert_eq!(one, explained_difference(dialect, on_disk.as_bytes(), archived.as_bytes()));
        one
    }

    const DIALECTS: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql];

    #[test]
    fn comments_and_white_space_are_told_apart_from_sql() {
        let archived = "CREATE TABLE a (id INTEGER, b TEXT DEFAULT 'x -- y');\nDROP TABLE b;\n";
        for on_disk in [
            "-- why\nCREATE TABLE a (id INTEGER, b TEXT DEFAULT 'x -- y');\nDROP TABLE b;\n",
            "CREATE  TABLE a\n(id INTEGER,b TEXT /* here */ DEFAULT 'x -- y') ;\r\n\r\n  DROP TABLE b;",
            "\u{feff}CREATE TABLE a ( id INTEGER , b TEXT DEFAULT 'x -- y' );DROP TABLE b; -- end",
        ] {
            for dialect in DIALECTS {
                let expected = Difference::Comments;
                assert_eq!(explained(dialect, archived, on_disk), expected, "{dialect:?} {on_disk}");
            }
        }
        for on_disk in [
            "CREATE TABLE a (id INTEGER, b TEXT DEFAULT 'x --  y');\nDROP TABLE b;\n",
            "CREATE TABLE a (id INTEGER, b TEXT DEFAULT 'x -- y');\nDROP TABLE c;\n",
            "CREATE TABLE a (id INTEGER, b TEXT DEFAULT 'x -- y');\n-- DROP TABLE b;\n",
            "CREATE TABLE a (id INTEGER, b TEXT DEFAULT 'x -- y')\nDROP TABLE b;\n",
            "create TABLE a (id INTEGER, b TEXT DEFAULT 'x -- y');\nDROP TABLE b;\n",
            "",
        ] {
            for dialect in DIALECTS {
                let expected = Difference::Edited;
                assert_eq!(explained(dialect, archived, on_disk), expected, "{dialect:?} {on_disk}");
            }
        }
    }

    #[test]
    fn white_space_that_may_mean_something_is_an_edit() {
        for (one, other, expected) in [
            ("SELECT a<=b;", "SELECT a < =b;", Difference::Edited),
            ("SELECT a=b;", "SELECT a = b;", Difference::Comments),
            ("SELECT a=-1;", "SELECT a= -1;", Difference::Edited),
            ("SELECT x'41';", "SELECT x '41';", Difference::Edited),
            ("SELECT 1.5;", "SELECT 1 .5;", Difference::Edited),
            ("SELECT 1e+5;", "SELECT 1e +5;", Difference::Edited),
            ("SELECT 'a'\n'b';", "SELECT 'a' 'b';", Difference::Edited),
            ("SELECT @ a;", "SELECT @a;", Difference::Edited),
            ("SELECT /*+ SET_VAR(x=1) */ 1;", "SELECT 1;", Difference::Edited),
            ("SELECT '\r\n';", "-- a\nSELECT '\n';", Difference::Comments),
            ("-- no-transaction\nSELECT 1;", "SELECT 1;", Difference::Edited),
        ] {
            for dialect in DIALECTS {
                assert_eq!(explained(dialect, one, other), expected, "{dialect:?} {one} {other}");
            }
        }
        let (one, other) = ("SELECT count(*) FROM a;", "SELECT count (*) FROM a;");
        assert_eq!(explained(Dialect::Mysql, one, other), Difference::Edited);
        assert_eq!(explained(Dialect::Postgresql, one, other), Difference::Comments);
        assert_eq!(
            explained(Dialect::Mysql, "/*!40101 SET x = 1 */;", "/*!50101 SET x = 1 */;"),
            Difference::Edited
        );
        assert_eq!(
            explained_difference(Dialect::Sqlite, b"SELECT 1;", b"SELECT 1; -- \xe9"),
            Difference::Edited
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(one in "[-a/*'\"`$;() \n!+]{0,24}", other in "[-a/*'\"`$;() \n!+]{0,24}") {
            for dialect in DIALECTS {
                explained(dialect, &one, &other);
            }
        }

        #[test]
        fn a_checkout_with_other_line_ends_is_cosmetic(lines in prop::collection::vec("[a-z ']{0,8}", 2..8)) {
            let (unix, windows) = (lines.join("\n"), lines.join("\r\n"));
            prop_assert_eq!(line_feed_form(windows.as_bytes()).into_owned(), unix.as_bytes());
            prop_assert_eq!(difference(unix.as_bytes(), windows.as_bytes()), Difference::Cosmetic);
        }
    }
}
