//! Values among the arguments of functions: keys of ciphers, settings, pairs of names and values in JSON.

use std::ops::Range;

use super::finding::Hit;
use super::pattern::{Pattern, pattern};
use super::reader::{Reader, literals};
use crate::scripts::meaning::Meaning;
use crate::scripts::reserved::is_stand_in;

static CALL: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)\b(?:(?P<cipher>crypt|hmac|encrypt|decrypt|encrypt_iv|decrypt_iv|pgp_(?:sym|pub)_(?:en|de)crypt(?:_bytea)?",
        r"|aes_(?:en|de)crypt|des_(?:en|de)crypt|encode|decode)",
        r"|(?P<pairs>set_config|jsonb?_build_object|json_object|jsonb?_set(?:_lax)?|jsonb?_insert|json_replace|jsonb?_object_agg",
        r"|hstore|xmlelement))\s*\("
    ))
});
/// Bytes of a call that are looked at.
const CALLED: usize = 2_000;

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for found in CALL.captures_iter(text) {
        let Some(all) = found.get(0) else { continue };
        let window = &text[..text.len().min(all.end() + CALLED)];
        let mut reader = Reader { text: window, at: all.end() - 1 };
        let parts = reader.group();
        match found.name("cipher") {
            // A method of a text in another language.
            Some(name) if all.start() > 0 && text[all.start() - 1] == b'.' && name.len() == 6 => {}
            Some(name) => cipher(window, name.as_bytes(), &parts, hits),
            None => pairs(window, &parts, hits),
        }
    }
}

/// All texts behind the first argument, and the first one of `crypt`, which is the password itself.
fn cipher(text: &[u8], name: &[u8], parts: &[Range<usize>], hits: &mut Vec<Hit>) {
    let first = usize::from(!name.eq_ignore_ascii_case(b"crypt"));
    for part in parts.iter().skip(first) {
        for value in literals(text, part.clone()) {
            let shown = String::from_utf8_lossy(&text[value.clone()]).into_owned();
            if shown.len() >= 4 && !is_algorithm(&shown) && !is_stand_in(&shown) && !shown.starts_with(' ') {
                hits.push(Hit::new("sql-password", value, 1));
            }
        }
    }
}

/// `('name', 'value', …)`, also with `KEY … VALUE …` and with paths: `'$.name'`, `'{name}'`.
fn pairs(text: &[u8], parts: &[Range<usize>], hits: &mut Vec<Hit>) {
    let texts: Vec<Vec<Range<usize>>> = parts.iter().map(|part| literals(text, part.clone())).collect();
    for (at, names) in texts.iter().enumerate() {
        let value = match &names[..] {
            [_, value] => Some(value),
            [_] => texts.get(at + 1).and_then(|values| values.first()),
            _ => None,
        };
        let (Some(name), Some(value)) = (names.first(), value) else { continue };
        if let Some(rule) = value_of(&text[name.clone()], &text[value.clone()]) {
            hits.push(Hit::new(rule, unquoted(text, value.clone()), 1));
        }
    }
}

fn value_of(name: &[u8], value: &[u8]) -> Option<&'static str> {
    let last = name.rsplit(|byte| matches!(byte, b'.' | b',')).next().unwrap_or_default();
    let last: Vec<u8> = last
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'{' | b'}' | b'"' | b'$' | b'[' | b']'))
        .collect();
    let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    Meaning::of(&last)?.rule(inside, true)
}

/// Without the quotes of JSON in the quotes of SQL.
fn unquoted(text: &[u8], value: Range<usize>) -> Range<usize> {
    let quoted = value.len() > 2 && text[value.start] == b'"' && text[value.end - 1] == b'"';
    if quoted { value.start + 1..value.end - 1 } else { value }
}

/// Names of algorithms, forms and options, which ciphers take beside their keys.
pub(super) fn is_algorithm(text: &str) -> bool {
    const KNOWN: [&str; 28] = [
        "aes",
        "aes-cbc",
        "aes-ecb",
        "aes-128-cbc",
        "aes-256-cbc",
        "aes-128-ecb",
        "aes-256-ecb",
        "bf",
        "bf-cbc",
        "md5",
        "des",
        "xdes",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "hex",
        "base64",
        "escape",
        "utf8",
        "utf-8",
        "latin1",
        "sha",
        "strict",
        "replace",
        "ignore",
        "surrogateescape",
    ];
    let small = text.to_ascii_lowercase();
    KNOWN.contains(&small.as_str())
        || small.contains("-algo")
        || small.contains("/pad:")
        || small.starts_with("aes-")
}

#[cfg(test)]
mod tests {
    use super::super::finding::found_by;
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        found_by(find, text)
    }

    #[test]
    fn arguments_have_the_meaning_of_their_name() {
        for (text, rule, value) in [
            ("crypt('Xy7!kk', gen_salt('bf'))", "sql-password", "Xy7!kk"),
            ("hmac(nir, 'soleil', 'sha256')", "sql-password", "soleil"),
            ("pgp_sym_decrypt(c::bytea, 'soleil')", "sql-password", "soleil"),
            ("encrypt('x'::bytea, 'Soleil22', 'aes')", "sql-password", "Soleil22"),
            ("AES_DECRYPT(c, UNHEX(SHA2('Soleil22', 512)))", "sql-password", "Soleil22"),
            ("set_config('app.jwt_secret', 'k7Qz81mm', false)", "secret-value", "k7Qz81mm"),
            ("jsonb_build_object('a', 1, 'api_key', 'k7Qz81mm')", "secret-value", "k7Qz81mm"),
            ("json_object('api_key' VALUE 'k7Qz81mm')", "secret-value", "k7Qz81mm"),
            ("json_set(x, '$.a', 'b', '$.password', 'k7Qz81mm')", "secret-value", "k7Qz81mm"),
            ("jsonb_set(d, '{date_naissance}', '\"1984-03-12\"')", "birth-date", "1984-03-12"),
        ] {
            assert_eq!(found(text), [(rule.to_owned(), value)], "{text}");
        }
        for text in [
            "encode(digest(x, 'sha256'), 'hex')",
            "decode(x, 'base64')",
            "set_config('app.token', '', true)",
            "set_config('search_path', 'public', false)",
            "jsonb_build_object('token', a, 'b', c)",
            "hmac(a, b, 'sha256')",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
