//! Values behind a name: `token = '…'`, `"iban": "…"`, `mot de passe : …`, `host=… password=…`.

use std::ops::Range;

use super::expression::wrapped;
use super::finding::Hit;
use super::meaning::quoted;
use super::pattern::before;
use super::reader::in_dollars;
use crate::scripts::meaning::{Meaning, NAME};
use crate::scripts::reserved::{is_example_password, is_stand_in};
use crate::scripts::typed::{is_identifier, is_key_like, is_plain_secret};

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
        let Some(meaning) = meaning_before(text, at) else { continue };
        for (rule, range) in values_behind(text, at, meaning) {
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

fn meaning_before(text: &[u8], sign: usize) -> Option<Meaning> {
    let near = name_before(text, sign).and_then(Meaning::of);
    // `v_password constant text := '…'` has its type between the two.
    let declared = || (sign > 0 && text[sign - 1] == b':').then(|| declared(text, sign)).flatten();
    near.or_else(declared)
}

/// The first word of a declaration that reaches to a sign.
fn declared(text: &[u8], sign: usize) -> Option<Meaning> {
    let floor = sign.saturating_sub(120);
    let before = &text[floor..sign - 1];
    let (mut depth, mut begins) = (0_usize, 0);
    for (at, byte) in before.iter().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' if depth > 0 => depth -= 1,
            b';' | b'\n' | b'(' | b',' if depth == 0 => {
                begins = at + 1;
                break;
            }
            _ => {}
        }
    }
    let words = before[begins..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let words: Vec<&[u8]> = words.collect();
    let behind = words.iter().rposition(|word| word.eq_ignore_ascii_case(b"declare")).map_or(0, |at| at + 1);
    let mut words = words.into_iter().skip(behind);
    let first = words.next()?;
    (words.count() <= 4).then(|| Meaning::of(first))?
}

/// The name that ends before a sign, without its quotes; two or three words where French writes so.
fn name_before(text: &[u8], sign: usize) -> Option<&[u8]> {
    let floor = sign.saturating_sub(NAME);
    let is_blank = |byte: u8| {
        matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b'[' | b'=' | b':' | b'(')
    };
    let (mut end, mut quoted) = (sign, false);
    while end > floor && is_blank(text[end - 1]) {
        end -= 1;
        // The sign is in a text of its own: `token == "="`.
        if quoted && matches!(text[end], b'=' | b':') {
            return None;
        }
        quoted |= matches!(text[end], b'"' | b'\'');
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
    // `mot de passe`, `date de naissance`, `clé API`, `numéro de sécurité sociale`, `n° SS`.
    let wants_more = ["passe", "naissance", "api", "sociale", "secu", "key", "birth", "ss"];
    if text[sign] == b':' || text[sign] == b'=' {
        let mut words = 1;
        while words < 4
            && start > floor + 1
            && text[start - 1] == b' '
            && is_name(text[start - 2])
            && (words > 1 || wants_more.iter().any(|word| first.eq_ignore_ascii_case(word.as_bytes())))
        {
            start = word(start - 1);
            words += 1;
            if Meaning::of(&text[start..end]).is_some() {
                break;
            }
        }
    }
    text.get(start..end)
}

fn values_behind(text: &[u8], sign: usize, meaning: Meaning) -> Vec<(&'static str, Range<usize>)> {
    let mut at = sign + 1;
    while at < sign + 40 && matches!(text.get(at), Some(b' ' | b'\t' | b'\\' | b'(' | b'\n')) {
        at += 1;
    }
    if matches!(text.get(at), Some(b'E' | b'e' | b'N' | b'n')) && text.get(at + 1) == Some(&b'\'') {
        at += 1;
    }
    match text.get(at) {
        Some(b'\'' | b'"') => return literal(text, sign, at, meaning).into_iter().collect(),
        Some(b'$') => {
            if let Some((range, _)) = in_dollars(text, at) {
                return meaning
                    .rule(&text[range.clone()], true)
                    .map(|rule| (rule, range))
                    .into_iter()
                    .collect();
            }
        }
        _ => {}
    }
    let wrapped = wrapped(text, at, meaning);
    if wrapped.is_empty() { bare(text, sign, at, meaning).into_iter().collect() } else { wrapped }
}

fn literal(text: &[u8], sign: usize, at: usize, meaning: Meaning) -> Option<(&'static str, Range<usize>)> {
    let range = if text[at - 1] == b'\\' { escaped(text, at)? } else { quoted(text, at, VALUE)?.0 };
    let value = &text[range.clone()];
    // A name in the quotes of SQL, where a text would not be in them.
    if text[sign] == b'=' && text[at] == b'"' && str::from_utf8(value).is_ok_and(is_identifier) {
        return None;
    }
    meaning.rule(value, true).map(|rule| (rule, range))
}

fn bare(text: &[u8], sign: usize, at: usize, meaning: Meaning) -> Option<(&'static str, Range<usize>)> {
    // What begins on the next line belongs to it.
    if text[sign..at].contains(&b'\n') {
        return None;
    }
    let spaced =
        matches!(meaning, Meaning::Nir | Meaning::Phone | Meaning::Iban | Meaning::Card | Meaning::Birth);
    let connection = is_connection(text, sign);
    let end = bare_end(text, at, spaced && text[sign] != b'=');
    let range = at..end;
    let value = &text[range.clone()];
    if meaning != Meaning::Secret {
        return meaning.rule(value, false).map(|rule| (rule, range));
    }
    let shown = str::from_utf8(value).ok()?;
    let in_comment = || {
        let line = before(text, sign);
        let line = line.trim_start();
        line.starts_with("--") || line.starts_with('#') || line.starts_with("*") || line.starts_with("/*")
    };
    let tight = text[sign] == b'=' && at == sign + 1;
    // Behind a bare sign stands code more often than a secret; a number alone may be a code to enter.
    let number = shown.len() >= 4
        && shown.bytes().all(|byte| byte.is_ascii_digit())
        && text[sign] == b'='
        && !in_comment();
    let likely = is_key_like(shown)
        || number
        || tight && in_comment() && is_plain_secret(shown)
        || text[sign] == b'=' && shown.len() >= 4 && connection && !shown.contains(['(', ')']);
    (likely && !is_stand_in(shown) && !is_example_password(shown)).then_some(("secret-value", range))
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
            b'\t' | b'\n' | b'\r' | b';' | b',' | b'\'' | b'"' | b'<' | b'}' | b'|' | b'`' => true,
            // Of an address, where the next option follows; else part of a password.
            b'&' => is_option(&text[end + 1..text.len().min(end + 40)]),
            b'\\' => matches!(text.get(end + 1), Some(b'n' | b'r' | b't')),
            _ => false,
        };
        if ends || end - start > 512 {
            break;
        }
        end += 1;
    }
    end
}

/// `name=`.
fn is_option(text: &[u8]) -> bool {
    let length =
        text.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.' | b'-'));
    length.is_some_and(|length| length > 0 && text[length] == b'=')
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
        hits.sort_by_key(|hit| hit.range.start);
        hits.dedup_by(|a, b| a.range == b.range);
        hits.into_iter().map(|hit| (hit.rule.into_owned(), &text[hit.range])).collect()
    }

    #[test]
    fn names_give_values_their_meaning() {
        for (text, rule, value) in [
            ("UPDATE t SET api_key = 'k7Qz81mm'", "secret-value", "k7Qz81mm"),
            ("UPDATE t SET password = SHA1(CONCAT('k7Qz81mm', salt))", "secret-value", "k7Qz81mm"),
            ("UPDATE t SET password = COALESCE(password, 'k7Qz81mm')", "secret-value", "k7Qz81mm"),
            ("UPDATE t SET ne_le = CASE id WHEN 1 THEN '1984-03-12' END", "birth-date", "1984-03-12"),
            ("UPDATE t SET ne_le = make_date(1984, 3, 12)", "birth-date", "1984, 3, 12"),
            ("UPDATE t SET pin = 9932", "secret-value", "9932"),
            ("v_password constant text := 'k7Qz81mm';", "secret-value", "k7Qz81mm"),
            ("DO $$ DECLARE v_pwd varchar(20) := 'k7Qz81mm';", "secret-value", "k7Qz81mm"),
            (r#"'{"cvv": "123"}'"#, "card-cvv", "123"),
            (r#"'{\"token\": \"k7Qz81mm\"}'"#, "secret-value", "k7Qz81mm"),
            ("-- mot de passe : Azerty123!", "secret-value", "Azerty123!"),
            ("-- PGPASSWORD=Azerty123 psql", "secret-value", "Azerty123"),
            ("-- mdp=soleilvert", "secret-value", "soleilvert"),
            ("'host=db user=a password=abcdef'", "connection-password", "abcdef"),
            ("'host=db user=a password=ab&cd3'", "connection-password", "ab&cd3"),
            ("jdbc:x?user=a&password=abcd3f&ssl=true", "connection-password", "abcd3f"),
            ("Server=x;Uid=a;Pwd=abcdef;", "connection-password", "abcdef"),
            (r"E'A=b\nDB_PASSWORD=k7Qz81mm\n'", "secret-value", "k7Qz81mm"),
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
            "SET token = t2.token2, password = p.pwd_hash2",
            "UPDATE \"sessions\" SET \"token\" = \"_token_tmp\"",
            "token = $1",
            "-- password: hashed with bcrypt",
            "-- password: PBKDF2-SHA512",
            "-- token: uuid4, secret: JIRA-1234",
            "-- le mot de passe est obligatoire",
            "password::text",
            "token_type = 'bearer'",
            "\"password\": \"{{ password }}\"",
            "WHERE token = p_token_1",
            "secret = ''",
            "naissance = '1900-01-01'",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
