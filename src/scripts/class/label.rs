//! Whether a literal is a plain label, such as a state in a `CHECK`, or prose that tells what a column is for.

use super::people::has_name;
use crate::scripts::reserved::{is_example_password, is_reserved_address, is_reserved_host, is_stand_in};
use crate::scripts::typed::tells_form;

/// The longest label, in bytes.
const LABEL: usize = 80;
/// The longest pattern.
const PATTERN: usize = 400;
/// The longest prose.
const PROSE: usize = 2_000;
/// So many digits may be a number of a person or an account.
const DIGITS: usize = 6;

/// A label: a state, a code, a format, a short default.
pub(super) fn is_label(text: &str) -> bool {
    // A pattern may be longer than a word.
    let limit = if text.starts_with('^') || text.ends_with('$') { PATTERN } else { LABEL };
    text.len() <= limit && is_harmless(text) && !text.contains('\n')
}

/// A text for people, without anything that looks like a number, an address, a name or a key.
pub(super) fn is_prose(text: &str) -> bool {
    text.len() <= PROSE && is_harmless(text)
}

/// What stands between two tokens: whether it is a comment with a number, an address or a secret in it.
pub(super) fn is_telling_comment(between: &str) -> bool {
    // White space alone, mostly.
    !between.trim().is_empty() && (has_long_number(between) || has_address(between) || names_secret(between))
}

/// A text that functions take and that chooses no row: nothing, a unit of time, a format, a sign between words.
pub(super) fn is_format(text: &str) -> bool {
    const KNOWN: [&str; 52] = [
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "hour",
        "minute",
        "second",
        "milliseconds",
        "microseconds",
        "epoch",
        "dow",
        "isodow",
        "doy",
        "isoyear",
        "decade",
        "century",
        "start of month",
        "start of day",
        "start of year",
        "now",
        "utc",
        "localtime",
        "unixepoch",
        "auto",
        "hex",
        "base64",
        "escape",
        "simple",
        "english",
        "french",
        "german",
        "sha256",
        "sha1",
        "sha512",
        "md5",
        "bf",
        "insert",
        "update",
        "delete",
        "truncate",
        "{}",
        "[]",
        "t",
        "f",
        "true",
        "false",
        "plpgsql",
        "sql",
        "utf8",
        "object",
        "array",
    ];
    let text = text.trim();
    let picture = |word: &str| {
        const PARTS: [&str; 24] = [
            "YYYY", "YYY", "YY", "MM", "MON", "MONTH", "DD", "DDD", "DY", "DAY", "HH24", "HH12", "HH", "MI",
            "SS", "MS", "US", "TZ", "IYYY", "IW", "Q", "FM", "D", "T",
        ];
        PARTS.iter().any(|part| word.eq_ignore_ascii_case(part))
    };
    KNOWN.iter().any(|known| text.eq_ignore_ascii_case(known))
        || !text.chars().any(char::is_alphanumeric)
        || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).all(picture)
        || text.contains('%')
            && text.split('%').skip(1).all(|part| part.chars().filter(|c| c.is_alphanumeric()).count() == 1)
}

fn is_harmless(text: &str) -> bool {
    if is_reserved_address(text) {
        return true;
    }
    !has_long_number(text)
        && !has_place(text)
        && !text.contains("{{")
        && !text.contains("${")
        && !text.contains("%(")
        && !has_address(text)
        && !names_secret(text)
        && !text.split(|c: char| !c.is_alphanumeric()).any(is_random)
        && !has_name(text)
}

/// Digits that only signs of grouping part: `06-12-34-56-78`, `1 85 05 …`, `+33(6)…`. A day is none.
fn has_long_number(text: &str) -> bool {
    let signs: Vec<char> = text.chars().collect();
    let (mut at, mut number, mut gap) = (0, String::new(), 0);
    while at < signs.len() {
        if number.is_empty()
            && let Some(behind) = behind_day(&signs, at)
        {
            at = behind;
            continue;
        }
        match signs[at] {
            digit if digit.is_numeric() => {
                number.push(if digit.is_ascii_digit() { digit } else { '1' });
                gap = 0;
            }
            ' ' | '.' | '-' | '/' | '_' | '(' | ')' | '+' | '\u{a0}' | '\u{202f}' | '\u{2011}' if gap < 2 => {
                gap += 1
            }
            _ if is_telling(&number) => return true,
            _ => number.clear(),
        }
        at += 1;
    }
    is_telling(&number)
}

fn is_telling(number: &str) -> bool {
    number.len() >= DIGITS && !is_round(number) && number != "0123456789"
}

/// Few digits before zeros, as nobody's number has them; also zeros, or one digit, alone.
pub(super) fn is_round(number: &str) -> bool {
    let first = number.chars().next();
    let told = number.trim_matches('0').len();
    told <= 3 || told <= 4 && number.ends_with("00000") || number.chars().all(|digit| Some(digit) == first)
}

/// The place behind `2024-01-31`, with a time of day or without, and behind `2024-2025`.
fn behind_day(signs: &[char], at: usize) -> Option<usize> {
    let fits = |at: usize, form: &str| {
        form.chars().enumerate().all(|(place, wanted)| {
            signs
                .get(at + place)
                .is_some_and(|sign| if wanted == '0' { sign.is_ascii_digit() } else { *sign == wanted })
        })
    };
    let begins =
        at.checked_sub(1).and_then(|before| signs.get(before)).is_none_or(|sign| !sign.is_alphanumeric());
    let ends =
        |end: usize| signs.get(end).is_none_or(|sign| !sign.is_ascii_digit() && *sign != '-').then_some(end);
    if !begins {
        return None;
    }
    if fits(at, "0000-00-00") {
        let day = at + 10;
        let of_day = [" 00:00:00", "T00:00:00", " 00:00", "T00:00"].into_iter().find(|form| fits(day, form));
        let mut end = day + of_day.map_or(0, str::len);
        while of_day.is_some()
            && signs.get(end).is_some_and(|sign| sign.is_ascii_digit() || matches!(sign, '.' | '+' | ':'))
        {
            end += 1;
        }
        return ends(end);
    }
    let years = fits(at, "2000-2000") || fits(at, "2000/2000");
    let century = |at: usize| signs.get(at) == Some(&'2') || signs.get(at) == Some(&'1');
    (years
        || (fits(at, "0000-0000") || fits(at, "0000/0000"))
            && century(at)
            && century(at + 5)
            && signs[at + 1] == signs[at + 6])
        .then_some(at + 9)
        .and_then(ends)
}

/// A location that is not one of documentation.
fn has_place(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (account, host) = place.rsplit_once('@').unwrap_or(("", place));
        let shown = account.rsplit_once(':').is_none_or(|(_, password)| is_example_password(password));
        !(is_reserved_host(host) && shown) || has_place(rest)
    })
}

/// An `@` between the signs of an address; neither a pattern nor a host that is nobody's.
fn has_address(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + 1..].trim_start_matches('@');
        let after = behind.chars().next();
        let word = |sign: Option<char>, others: &str| {
            sign.is_some_and(|c| c.is_alphanumeric() || others.contains(c))
        };
        let host: String =
            behind.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
        let file = ["png", "jpg", "jpeg", "svg", "gif", "webp"].iter().any(|end| host.ends_with(end));
        // In a pattern of `LIKE`, an underscore stands for any sign.
        let both = if text.contains('%') {
            word(before, ".-+") && word(after, "")
        } else {
            word(before, "_.-~+'") && word(after, "_")
        };
        (both || host.contains('.') && word(after, "")) && !is_reserved_host(&host) && !file
    })
}

/// Words that announce a secret, with something behind them: `password=…`, `mot de passe : …`, `"token": "…"`.
pub(super) fn names_secret(text: &str) -> bool {
    announced(text).is_some()
}

/// The same, written as options and JSON write it: `password=…`, `"token":"…"`.
pub(super) fn holds_secret(text: &str) -> bool {
    announced(text).is_some_and(|tight| tight)
}

/// Whether a secret is announced, and whether by a sign that stands at its name.
fn announced(text: &str) -> Option<bool> {
    const WORDS: [&str; 15] = [
        "password",
        "passwd",
        "pwd",
        "pass",
        "mdp",
        "mot de passe",
        "mot_de_passe",
        "secret",
        "token",
        "api_key",
        "apikey",
        "api-key",
        "accountkey",
        "passphrase",
        "private_key",
    ];
    const NEAR: usize = 80;
    let small = text.to_lowercase();
    let mut prose = None;
    for (at, sign) in small.char_indices().filter(|(_, sign)| matches!(sign, '=' | ':')) {
        let before = small.get(small.floor_char_boundary(at.saturating_sub(NEAR))..at).unwrap_or_default();
        let name = before.trim_end();
        let tight = name.len() == before.len() && sign == '=' || name.ends_with(['"', '\'']);
        let name = name.trim_end_matches(['"', '\'', '\\', ']']);
        let behind = small.get(at + 1..small.floor_char_boundary(at + NEAR)).unwrap_or_default();
        let known = WORDS.iter().any(|word| name.ends_with(word))
            || name
                .rsplit(' ')
                .nth(1)
                .is_some_and(|word| matches!(word, "mdp" | "password" | "passe" | "pwd"));
        let value = behind.trim_start().trim_start_matches(['"', '\'', '\\']);
        let value = value.split([' ', ';', ',', '&', '"', '\'', '}']).next().unwrap_or_default();
        if known && !is_stand_in(value) && !is_example_password(value) && !tells_form(value) {
            if tight {
                return Some(true);
            }
            prose = Some(false);
        }
    }
    prose
}

/// Digits among letters of both cases, or many digits among letters: a key rather than a word.
fn is_random(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let (upper, lower) = (word.chars().any(char::is_uppercase), word.chars().any(char::is_lowercase));
    let first = word.chars().next();
    let various = word.chars().any(|sign| Some(sign) != first);
    let mixed = word.len() >= 8 && digits > 0 && (upper && lower || digits >= 4 && (upper || lower));
    let of_digest = word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    various && (mixed || of_digest && (upper || lower) || word.len() > 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_labels_and_what_may_be_a_person_is_not() {
        for text in [
            "active",
            "en cours",
            "In progress",
            "",
            "{}",
            "1970-01-01",
            "2024-02-29 12:30:00+01",
            "2024-2025",
            "fr_FR.UTF-8",
            "^[A-Z]{2}$",
            "^[a-zA-Z0-9.!#$%&*+/=?^_`{|}~-]+@[a-zA-Z0-9-]+$",
            "00000000-0000-0000-0000-000000000000",
            "127.0.0.1",
            "noreply@example.org",
            "logo@2x.png",
            "https://user:password@example.com/x",
            "3600000000000",
            "@daily",
            "%@%",
            "%_@__%.__%",
            "#000000",
        ] {
            assert!(is_label(text), "{text}");
        }
        for text in [
            "185057800608436",
            "06 12 34 56 78",
            "06-12-34-56-78",
            "06/12/34/56/78",
            "+33(6)12-34-56-78",
            "1-85-05-78-006-084-91",
            "jean@exemple.fr",
            "lea_@exemple.fr",
            "lea@été.fr",
            "@exemple.fr",
            "user:soleil@db/app",
            "https://a.b",
            "Jean Dupont",
            "Xk29dLq81Zp",
            "a3f5c9d1e7",
            "abcdefabcdefabcdef",
            "{{ name }}",
            "password = soleil",
            "{\"password\": \"soleil\"}",
            "mot de passe : soleil",
            "mdp root = aK9xP2q",
        ] {
            assert!(!is_label(text), "{text}");
        }
    }

    #[test]
    fn a_secret_is_announced_by_its_name() {
        assert!(holds_secret("user=x,passwd=soleil") && holds_secret("{\"token\": \"soleil\"}"));
        for text in ["password=", "{\"password\": \"\"}", "password=${PASSWORD}", "the token: none"] {
            assert!(!names_secret(text), "{text}");
        }
        assert!(names_secret("password : soleil") && !holds_secret("password : soleil"));
    }

    #[test]
    fn formats_choose_no_row() {
        for text in ["", " ", ", ", "month", "YYYY-MM-DD HH24:MI", "%Y-%m", "INSERT", "{}"] {
            assert!(is_format(text), "{text}");
        }
        for text in ["open", "moreau", "2024"] {
            assert!(!is_format(text), "{text}");
        }
    }
}
