//! A literal of any dialect, and what stands between its quotes.

use crate::scripts::Dialect;

/// A literal that a token is.
pub(super) struct Literal<'a> {
    pub(super) inside: &'a str,
    /// In dollar quotes, as bodies are.
    pub(super) dollars: bool,
    /// Signs in it stand for others.
    pub(super) escaped: bool,
    pub(super) ends: bool,
}

impl<'a> Literal<'a> {
    /// `before`: the token before, which holds the prefix where the dialect's lexer parts the two.
    pub(super) fn of(dialect: Dialect, token: &'a str, before: &str) -> Option<Self> {
        if dialect == Dialect::Postgresql && token.starts_with('$') {
            return Self::in_dollars(token);
        }
        let prefix = token.find(['\'', '"']).filter(|at| *at <= 2)?;
        let quote = token.as_bytes().get(prefix).copied()?;
        let letters = token.get(..prefix)?;
        let is_prefix = letters.is_empty() || letters.bytes().all(|byte| b"eEbBxXnNuU&".contains(&byte));
        // Double quotes are names, except where the dialect takes them for texts.
        let is_text = quote == b'\'' || dialect == Dialect::Mysql;
        let rest = token.get(prefix + 1..)?;
        let ends = rest.as_bytes().last() == Some(&quote);
        let inside = if ends { rest.get(..rest.len() - 1)? } else { rest };
        let letters = if letters.is_empty() && before.len() <= 2 { before } else { letters };
        let escaped = is_escaped(letters, inside, dialect);
        // A name that does not end is no name.
        (is_prefix && (is_text || !ends)).then_some(Self { inside, dollars: false, escaped, ends })
    }

    fn in_dollars(token: &'a str) -> Option<Self> {
        let tag = token.get(1..)?.find('$')? + 2;
        let mark = token.get(..tag)?;
        let rest = token.get(tag..)?;
        let inside = rest.strip_suffix(mark);
        Some(Self { inside: inside.unwrap_or(rest), dollars: true, escaped: false, ends: inside.is_some() })
    }
}

/// Letters or digits behind a backslash that give another sign, and long texts in bits or base 16.
fn is_escaped(letters: &str, inside: &str, dialect: Dialect) -> bool {
    let by_number = |text: &str| {
        text.split('\\')
            .skip(1)
            .any(|part| part.starts_with(|c: char| matches!(c, 'x' | 'u' | 'U' | '+') || c.is_ascii_digit()))
    };
    match letters {
        "x" | "X" => inside.len() >= 8,
        "b" | "B" => inside.len() >= 12,
        "e" | "E" => by_number(inside),
        _ if letters.ends_with('&') => inside.contains('\\'),
        _ => {
            let bytes = inside
                .strip_prefix("\\x")
                .is_some_and(|hex| hex.len() >= 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
            bytes && dialect != Dialect::Mysql
        }
    }
}

/// What stands in the quotes of a name; nothing where it has none.
pub(super) fn quoted_name(token: &str) -> Option<&str> {
    let pairs = [('"', '"'), ('`', '`'), ('[', ']')];
    pairs.into_iter().find_map(|(open, close)| token.strip_prefix(open)?.strip_suffix(close))
}
