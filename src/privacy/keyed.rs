//! Values behind a name: `token = '…'`, `"iban": "…"`, `mot de passe : …`, `host=… password=…`.

use std::ops::Range;

use super::finding::Hit;
use super::meaning::{Meaning, NAME, quoted};
use super::pattern::before;
use super::reserved::is_stand_in;

/// The longest value that is looked at.
const VALUE: usize = 8_192;

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for at in text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'=' | b':' | b'>')).map(|(at, _)| at)
    {
        let after = text.get(at + 1);
        // A cast, an address, the first sign of `=>`; the second one of `::` and `>=` has no name before it.
        if matches!(
            (text[at], after),
            (b':', Some(b':' | b'/' | b'=')) | (b'=', Some(b'>')) | (b'>', Some(b'='))
        ) {
            continue;
        }
        if text[at] == b'>' && !is_element(text, at) && (at == 0 || text[at - 1] != b'=') {
            continue;
        }
        let Some(meaning) = name_before(text, at).and_then(Meaning::of) else { continue };
        if let Some((rule, range)) = value_behind(text, at, meaning) {
            let connection = rule == "secret-value" && is_connection(text, at);
            let rule = if connection { "connection-password" } else { rule };
            hits.push(Hit::new(rule, range, 2));
        }
    }
}

/// Whether `<name>` ends here.
fn is_element(text: &[u8], end: usize) -> bool {
    let name = &text[end.saturating_sub(NAME)..end];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || !byte.is_ascii();
    name.iter().rposition(|byte| !is_name(byte)).is_some_and(|at| name[at] == b'<')
}

/// The name that ends before a sign, without its quotes; two or three words where French writes so.
fn name_before(text: &[u8], sign: usize) -> Option<&[u8]> {
    let floor = sign.saturating_sub(NAME);
    let is_blank = |byte: u8| {
        matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b'[' | b'=' | b':' | b'(')
    };
    let mut end = sign;
    while end > floor && is_blank(text[end - 1]) {
        end -= 1;
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || !byte.is_ascii();
    let word = |mut start: usize| {
        while start > floor && is_name(text[start - 1]) {
            start -= 1;
        }
        start
    };
    let mut start = word(end);
    let first = text.get(start..end)?;
    if first.is_empty() {
        return None;
    }
    // `mot de passe`, `date de naissance`, `clé API`, `numéro de sécurité sociale`.
    let wants_more = ["passe", "naissance", "api", "sociale", "secu", "key"];
    if text[sign] == b':' || text[sign] == b'=' {
        let mut words = 1;
        while words < 4
            && start > floor + 1
            && text[start - 1] == b' '
            && is_name(text[start - 2])
            && wants_more.iter().any(|word| first.eq_ignore_ascii_case(word.as_bytes()))
        {
            start = word(start - 1);
            words += 1;
        }
    }
    text.get(start..end)
}

fn value_behind(text: &[u8], sign: usize, meaning: Meaning) -> Option<(&'static str, Range<usize>)> {
    let mut at = sign + 1;
    while at < sign + 40 && matches!(text.get(at), Some(b' ' | b'\t' | b'\\' | b'(')) {
        at += 1;
    }
    if matches!(text.get(at), Some(b'E' | b'e' | b'N' | b'n')) && text.get(at + 1) == Some(&b'\'') {
        at += 1;
    }
    if matches!(text.get(at), Some(b'\'' | b'"')) {
        let range = if text[at - 1] == b'\\' { escaped(text, at)? } else { quoted(text, at, VALUE)?.0 };
        return meaning.rule(&text[range.clone()], true).map(|rule| (rule, range));
    }
    let spaced =
        matches!(meaning, Meaning::Nir | Meaning::Phone | Meaning::Iban | Meaning::Card | Meaning::Birth);
    let end = bare_end(text, at, spaced && text[sign] != b'=');
    let range = at..end;
    let value = &text[range.clone()];
    if meaning != Meaning::Secret {
        return meaning.rule(value, false).map(|rule| (rule, range));
    }
    let shown = str::from_utf8(value).ok()?;
    // Behind a bare sign stands code more often than a secret.
    let likely = is_key_like(shown)
        || text[sign] == b'=' && shown.len() >= 4 && is_connection(text, sign) && !shown.contains(['(', ')']);
    (likely && !is_stand_in(shown)).then_some(("secret-value", range))
}

/// The value in `\"…\"`, as JSON stands in a text.
fn escaped(text: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = &text[start + 1..text.len().min(start + VALUE)];
    let length = rest.iter().position(|byte| *byte == b'\\')?;
    Some(start + 1..start + 1 + length)
}

fn bare_end(text: &[u8], start: usize, spaced: bool) -> usize {
    let mut end = start;
    while let Some(byte) = text.get(end) {
        let ends = match byte {
            b' ' => !spaced,
            b'\t' | b'\n' | b'\r' | b';' | b',' | b'\'' | b'"' | b'&' | b'<' | b'}' | b'|' | b'`' => true,
            _ => false,
        };
        if ends || end - start > 512 {
            break;
        }
        end += 1;
    }
    end
}

/// A secret that was typed: letters and digits or signs together, and no code.
fn is_key_like(value: &str) -> bool {
    const CODE: &[&str] = &[
        "sha", "md", "bcrypt", "argon", "uuid", "uuidv", "varchar", "nvarchar", "char", "base", "hex", "utf",
        "aes", "rsa", "hmac", "hmac-sha", "int", "bigint", "pbkdf", "scrypt", "ed", "p", "jsonb", "bytea",
        "v", "oauth", "rs", "hs", "es",
    ];
    let small = value.to_ascii_lowercase();
    let kind = small.trim_end_matches(|c: char| {
        c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | ')' | '?' | '!')
    });
    let of_row = ["new.", "old.", "excluded.", "argon2", "aes-", "hmac-", "http:", "https:"];
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    let letters = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let signs = value.bytes().any(|byte| b"!#%^&*+?~".contains(&byte));
    value.len() >= 6
        && letters
        && (digits || signs)
        && !value.contains(['(', ')'])
        && !value.starts_with(['$', '@', ':', '?', '%', '{', '[', '<'])
        && !CODE.contains(&kind)
        && !of_row.iter().any(|start| small.starts_with(start))
        && !small.bytes().all(|byte| !byte.is_ascii_alphabetic() || byte == b'x')
        && !is_identifier(value)
}

/// `p_password2`, `user_token_1`: a name of code.
fn is_identifier(value: &str) -> bool {
    let words = value.split('_');
    value.contains('_')
        && words.clone().count() > 1
        && words.into_iter().all(|word| {
            word.bytes().all(|byte| byte.is_ascii_lowercase())
                || word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// Whether other options of a connection string stand before.
fn is_connection(text: &[u8], sign: usize) -> bool {
    let before = before(text, sign);
    [
        "host=",
        "server=",
        "user=",
        "uid=",
        "user id=",
        "dbname=",
        "database=",
        "data source=",
        "hostaddr=",
        "port=",
    ]
    .iter()
    .any(|option| before.contains(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        hits.into_iter().map(|hit| (hit.rule.into_owned(), &text[hit.range])).collect()
    }

    #[test]
    fn names_give_values_their_meaning() {
        for (text, rule, value) in [
            ("UPDATE t SET api_key = 'k7Qz81mm'", "secret-value", "k7Qz81mm"),
            (r#"'{"cvv": "123"}'"#, "card-cvv", "123"),
            (r#"'{\"token\": \"k7Qz81mm\"}'"#, "secret-value", "k7Qz81mm"),
            ("-- mot de passe : Azerty123!", "secret-value", "Azerty123!"),
            ("'host=db user=a password=abcdef'", "connection-password", "abcdef"),
            ("Server=x;Uid=a;Pwd=abcdef;", "connection-password", "abcdef"),
            ("\"tel\" => \"04 78 12 34 56\"", "phone", "04 78 12 34 56"),
            ("date_naissance='1984-03-12'", "birth-date", "1984-03-12"),
        ] {
            assert_eq!(found(text), [(rule.to_owned(), value)], "{text}");
        }
    }

    #[test]
    fn code_and_documentation_are_no_secrets() {
        for text in [
            "password = NEW.password",
            "SET token = gen_random_uuid()",
            "token = $1",
            "-- password: hashed with bcrypt",
            "-- token: uuid4",
            "password::text",
            "token_type = 'bearer'",
            "\"password\": \"{{ password }}\"",
            "WHERE token = p_token_1",
            "secret = ''",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
