//! Text on its way into the page: nothing of it becomes markup, steers a terminal that shows the source, or turns the
//! direction of what stands beside it.

use std::fmt::{self, Display, Formatter, Write as _};

/// Characters of one text of the chain that a page shows; the document as JSON has all of them.
const MOST: usize = 600;

/// A text of the chain with its signs of control in words, and cut where it is endless.
#[must_use]
pub fn clean(text: &str) -> String {
    clean_to(text, MOST)
}

/// The same for a text that may be so many characters long.
#[must_use]
pub fn clean_to(text: &str, most: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(most));
    let mut characters = text.chars();
    for c in characters.by_ref().take(most) {
        match c {
            '\n' | '\t' => cleaned.push(' '),
            c if steers(c) => _ = write!(cleaned, "[U+{:04X}]", c as u32),
            c => cleaned.push(c),
        }
    }
    let rest = characters.count();
    if rest > 0 {
        write!(cleaned, "… (+{rest})").ok();
    }
    cleaned
}

/// Signs of control, those that turn the direction of writing around, and those that nobody sees.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A message of our own, or a text that [`clean`] went over, for the inside of an element or of a quoted attribute.
pub struct Own<'a>(pub &'a str);

impl Display for Own<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// A text of the chain, in an element that keeps its direction to itself.
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<bdi>{}</bdi>", Own(&clean(self.0)))
    }
}

/// A CID, a digest, a code, a command: from left to right in every language.
pub struct Code<'a>(pub &'a str);

impl Display for Code<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<code dir=\"ltr\">{}</code>", Own(&clean(self.0)))
    }
}

/// A word of a shell, quoted where it has to be.
#[must_use]
pub fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        let hostile = "</style><script>alert('1')</script>\"&amp;";
        let shown = Text(hostile).to_string();
        assert_eq!(
            shown,
            "<bdi>&lt;/style&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;amp;</bdi>"
        );
        assert_eq!(Code("a\"b").to_string(), "<code dir=\"ltr\">a&quot;b</code>");
    }

    #[test]
    fn signs_of_control_stand_there_in_words() {
        assert_eq!(
            clean("a\u{1b}[31mb\u{202e}c\nd\u{0}é\u{200f}\u{e0041}"),
            "a[U+001B][31mb[U+202E]c d[U+0000]é[U+200F][U+E0041]"
        );
        assert_eq!(clean("مهاجرة ‌"), "مهاجرة ‌");
    }

    #[test]
    fn endless_texts_are_cut_and_say_so() {
        let cut = clean(&"é".repeat(1 << 20));
        assert_eq!(cut.chars().filter(|c| *c == 'é').count(), MOST);
        assert!(cut.ends_with("… (+1047976)"), "{}", &cut[cut.len() - 40..]);
    }

    #[test]
    fn words_of_a_shell_are_quoted_where_they_have_to_be() {
        assert_eq!(shell("v1.2-rc_3"), "v1.2-rc_3");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's; rm"), "'it'\\''s; rm'");
    }
}
