//! Compares a script on disk with its archived copy. It compares bytes; it does not know SQL.

use crate::model::line_feed_form;

/// How two copies of a script differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Not in a single byte.
    None,
    /// Only in line ends or in a byte order mark, as an editor or a checkout of another system leaves them.
    Cosmetic,
    /// In more than that; white space counts, for it may stand inside a literal.
    Edited,
}

/// Compares an archived script with the file of that name.
pub fn difference(archived: &[u8], on_disk: &[u8]) -> Difference {
    if archived == on_disk {
        return Difference::None;
    }
    if line_feed_form(archived) == line_feed_form(on_disk) {
        return Difference::Cosmetic;
    }
    Difference::Edited
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

    proptest! {
        #[test]
        fn a_checkout_with_other_line_ends_is_cosmetic(lines in prop::collection::vec("[a-z ']{0,8}", 2..8)) {
            let (unix, windows) = (lines.join("\n"), lines.join("\r\n"));
            prop_assert_eq!(line_feed_form(windows.as_bytes()).into_owned(), unix.as_bytes());
            prop_assert_eq!(difference(unix.as_bytes(), windows.as_bytes()), Difference::Cosmetic);
        }
    }
}
