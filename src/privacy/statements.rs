//! Passwords by the statement or the address around them.

use std::ops::Range;

use super::finding::Hit;
use super::meaning::quoted;
use super::pattern::{Pattern, pattern};
use super::reader::{Reader, in_dollars, literals};
use crate::scripts::meaning::Meaning;
use crate::scripts::reserved::{is_example_password, is_reserved_host, is_stand_in};
use crate::scripts::typed::is_key_like;

/// The longest value that is looked at.
const VALUE: usize = 400;

static ADDRESS: Pattern = Pattern::new(|| {
    pattern(
        r"(?-u)\b[A-Za-z][A-Za-z0-9+.-]{1,24}://([^\s/:@'\x22<>]{0,80}):([^\s/@'\x22<>]{1,200})@([^\s/'\x22?#<>,)]{1,253})",
    )
});
/// What stands before a password, up to where its quotes begin.
static HEADS: [Pattern; 5] = [
    Pattern::new(|| pattern(r"(?i-u)\bpassword(?:\s+|\s*\(\s*)(?:[en]|_[a-z0-9]+\s*)?")),
    Pattern::new(|| pattern(r"(?i-u)\bwith\s+password\s*=\s*n?")),
    Pattern::new(|| {
        pattern(
            r"(?i-u)\bidentified\s+(?:by|(?:with|via)\s+['`\x22]?[a-z0-9_]+['`\x22]?\s+(?:by|as|using))\s+(?:password\s*\(?\s*)?",
        )
    }),
    Pattern::new(|| {
        pattern(
            r"(?im-u)(?:^|[;'\x22]|/\*![0-9]*)\s*set\s+password\s+(?:for\s+[^;=\n]{1,200})?=\s*(?:password\s*\(\s*)?",
        )
    }),
    Pattern::new(|| pattern(r"(?i-u)\battach\b[^;\n]{1,200}?\bkey\s+")),
];
/// Passwords without quotes of their own.
static BARE: [(&str, Pattern); 5] = [
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\bpragma\s+(?:[a-z]+\.)?['\x22]?(?:hex|text|cipher_default_)?(?:re)?key['\x22]?\s*[=(]\s*['\x22]*([^'\x22\s;)]{4,200})",
            )
        }),
    ),
    ("sql-password", Pattern::new(|| pattern(r"(?i-u)\bidentified\s+by\s+([a-z0-9_$#!.-]{4,64})\s*(?:;|$)"))),
    (
        "password-hash",
        Pattern::new(|| {
            pattern(r"(?i-u)\bidentified\s+(?:with|via)\s+\S{1,64}\s+(?:as|using)\s+0x([0-9a-f]{32,400})")
        }),
    ),
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\b(?:mysql(?:dump|admin)?\s[^\n]{0,80}?\s-p|sshpass\s+-p\s*)['\x22]?([^\s'\x22]{4,64})",
            )
        }),
    ),
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\bcurl\s[^\n]{0,120}?(?:-u|--user)\s+['\x22]?[^\s:'\x22]{1,64}:([^\s'\x22]{4,64})",
            )
        }),
    ),
];
static AUTHORIZATION: Pattern =
    Pattern::new(|| pattern(r"(?i-u)\b(?:bearer|(basic))\s+([A-Za-z0-9+/_.~-]{16,}=*)"));
/// A name, and a value behind a word: `SET SESSION my.password TO '…'`, `\set api_key '…'`.
static NAMED: Pattern = Pattern::new(|| {
    pattern(
        r"(?im-u)(?:\bset\s+(?:session\s+|local\s+)?([a-z0-9_.\x22]{1,80})\s+to\s+|^\s*\\set\s+([a-z0-9_]{1,64})\s+)",
    )
});
/// An option and its value, as foreign servers and tables have them: `OPTIONS (api_key '…')`.
static OPTION: Pattern =
    Pattern::new(|| pattern(r"(?i-u)[(,]\s*(?:(?:set|add)\s+)?([a-z][a-z0-9_]{2,40})\s+'"));
static FORMAT: Pattern = Pattern::new(|| pattern(r"(?i-u)\bformat\s*\("));

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    addresses(text, hits);
    for head in &HEADS {
        for found in head.find_iter(text) {
            let begins = found.as_bytes()[0].is_ascii_alphabetic();
            let named = begins
                && found.start() > 0
                && matches!(text[found.start() - 1], b'\'' | b'"' | b'`' | b'.' | b'$' | b'@');
            if named {
                continue;
            }
            let called = found.as_bytes().contains(&b'(');
            if let Some((range, behind)) = value_at(text, found.end(), called) {
                password(text, range, hits);
                replaced(text, behind, hits);
            }
        }
    }
    for (rule, pattern) in &BARE {
        for found in pattern.captures_iter(text) {
            let Some(value) = found.get(1) else { continue };
            let shown = String::from_utf8_lossy(value.as_bytes());
            if !is_stand_in(&shown) && !is_example_password(&shown) {
                hits.push(Hit::new(rule, value.range(), 1));
            }
        }
    }
    for found in AUTHORIZATION.captures_iter(text) {
        let Some(value) = found.get(2) else { continue };
        if is_mixed(value.as_bytes()) {
            hits.push(Hit::new("authorization", value.range(), 1));
        }
    }
    named(text, hits);
    options(text, hits);
    formats(text, hits);
}

fn addresses(text: &[u8], hits: &mut Vec<Hit>) {
    for found in ADDRESS.captures_iter(text) {
        let (Some(user), Some(password), Some(host)) = (found.get(1), found.get(2), found.get(3)) else {
            continue;
        };
        let shown = String::from_utf8_lossy(password.as_bytes());
        let host = String::from_utf8_lossy(host.as_bytes());
        // Documentation writes `user:password@example.org`; a password that is none of these words is one anywhere.
        let place = host.split(|sign: char| !sign.is_ascii_alphanumeric()).next().unwrap_or_default();
        let no_host = place.is_empty() && !host.starts_with('[')
            || place.len() == host.trim_end_matches(['`', ')', ':']).len()
                && place.eq_ignore_ascii_case("host");
        let nobodys =
            no_host || is_reserved_host(&host) || place.eq_ignore_ascii_case("host") && host.contains(':');
        let same = nobodys && user.as_bytes() == password.as_bytes();
        let capitals = shown.chars().all(|sign| sign.is_ascii_uppercase() || matches!(sign, '_' | '-'));
        let example = same || capitals || nobodys && is_example_password(&shown);
        if !example && !is_stand_in(&shown) {
            hits.push(Hit::new("url-password", password.range(), 0));
        }
    }
}

/// The literal that begins at a place, and the place behind it. Where the text is in a text, its quotes are doubled.
fn value_at(text: &[u8], at: usize, called: bool) -> Option<(Range<usize>, usize)> {
    match text.get(at)? {
        b'\'' => quoted(text, at, VALUE),
        b'"' if !called => quoted(text, at, VALUE),
        b'$' => in_dollars(text, at),
        _ => None,
    }
}

fn password(text: &[u8], range: Range<usize>, hits: &mut Vec<Hit>) {
    let value = &text[range.clone()];
    let shown = String::from_utf8_lossy(value);
    let cut = value.starts_with(b" ") || value.starts_with(b",") || value.starts_with(b")");
    if !cut && !value.contains(&b'\n') && !is_stand_in(&shown) && !is_example_password(&shown) {
        hits.push(Hit::new("sql-password", range, 1));
    }
}

/// `IDENTIFIED BY '…' REPLACE '…'` names the password before, too.
fn replaced(text: &[u8], behind: usize, hits: &mut Vec<Hit>) {
    let mut reader = Reader { text, at: behind };
    if reader.takes("REPLACE") {
        reader.skip();
        if let Some((range, _)) = value_at(text, reader.at, false) {
            password(text, range, hits);
        }
    }
}

fn named(text: &[u8], hits: &mut Vec<Hit>) {
    for found in NAMED.captures_iter(text) {
        let (Some(all), Some(name)) = (found.get(0), found.get(1).or_else(|| found.get(2))) else { continue };
        let last = name.as_bytes().rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let Some(meaning) = Meaning::of(last) else { continue };
        if let Some((range, _)) = value_at(text, all.end(), false)
            && let Some(rule) = meaning.rule(&text[range.clone()], true)
        {
            hits.push(Hit::new(rule, range, 1));
        }
    }
}

fn options(text: &[u8], hits: &mut Vec<Hit>) {
    for found in OPTION.captures_iter(text) {
        let (Some(all), Some(name)) = (found.get(0), found.get(1)) else { continue };
        if Meaning::of(name.as_bytes()) == Some(Meaning::Secret)
            && let Some((range, _)) = value_at(text, all.end() - 1, true)
        {
            password(text, range, hits);
        }
    }
}

/// `format('… PASSWORD %L', '…')`: the argument that the password is put in from.
fn formats(text: &[u8], hits: &mut Vec<Hit>) {
    const ARGUMENTS: usize = 2_000;
    for found in FORMAT.find_iter(text) {
        let window = &text[..text.len().min(found.end() + ARGUMENTS)];
        let mut reader = Reader { text: window, at: found.end() - 1 };
        let parts = reader.group();
        let Some(form) = parts.first().map(|part| window[part.clone()].to_ascii_lowercase()) else {
            continue;
        };
        let Some(place) =
            form.windows(10).position(|window| window == b"password %" || window == b"password '")
        else {
            continue;
        };
        let before = form[..place].iter().filter(|byte| **byte == b'%').count();
        let Some(part) = parts.get(1 + before) else { continue };
        if let [value] = &literals(window, part.clone())[..] {
            password(window, value.clone(), hits);
        }
    }
}

/// Letters and digits that change more often than in words with a number behind them.
fn is_mixed(text: &[u8]) -> bool {
    let changes = text.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    let cases =
        text.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    let shown = String::from_utf8_lossy(text);
    changes + cases >= 3 && (is_key_like(&shown) || text.ends_with(b"=") || cases > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<(String, &str)> {
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        hits.into_iter().map(|hit| (hit.rule.into_owned(), &text[hit.range])).collect()
    }

    #[test]
    fn passwords_of_statements_and_addresses_are_found() {
        for (text, rule, value) in [
            ("CREATE ROLE a LOGIN PASSWORD 'Xy7!kk'", "sql-password", "Xy7!kk"),
            ("ALTER ROLE a PASSWORD 'n''est-pas'", "sql-password", "n''est-pas"),
            ("EXECUTE 'ALTER ROLE a PASSWORD ''Xy7!kk'''", "sql-password", "Xy7!kk"),
            ("CREATE USER 'a'@'%' IDENTIFIED BY 'Xy7\"kk'", "sql-password", "Xy7\"kk"),
            ("ALTER USER a IDENTIFIED WITH mysql_native_password BY 'Xy7!kk'", "sql-password", "Xy7!kk"),
            ("CREATE USER a IDENTIFIED BY Xy7kk22;", "sql-password", "Xy7kk22"),
            ("x = 'y';\nSET PASSWORD FOR 'a'@'h' = 'Xy7!kk'", "sql-password", "Xy7!kk"),
            ("CREATE LOGIN a WITH PASSWORD = N'Xy7!kk'", "sql-password", "Xy7!kk"),
            ("EXECUTE format('ALTER ROLE %I PASSWORD %L', 'a', 'Xy7!kk')", "sql-password", "Xy7!kk"),
            ("postgres://app:Xy7kk@db.interne:5432/x", "url-password", "Xy7kk"),
            ("redis://:Xy7kk@cache/0", "url-password", "Xy7kk"),
            ("amqp://app:Xy7kk@mq.example.com", "url-password", "Xy7kk"),
            ("Authorization: Bearer a1b2c3d4e5f6g7h8", "authorization", "a1b2c3d4e5f6g7h8"),
            ("PRAGMA key = 'Xy7!kk'", "sql-password", "Xy7!kk"),
            ("PRAGMA main.textkey = Xy7kk", "sql-password", "Xy7kk"),
            ("ATTACH 'a.db' AS b KEY 'Xy7!kk'", "sql-password", "Xy7!kk"),
            ("SET SESSION my.password TO 'Xy7!kk'", "secret-value", "Xy7!kk"),
            ("\\set api_key 'Xy7!kk'", "secret-value", "Xy7!kk"),
            ("OPTIONS (host 'h', api_key 'Xy7!kk')", "sql-password", "Xy7!kk"),
            ("-- sshpass -p Xy7kk22 ssh a", "sql-password", "Xy7kk22"),
        ] {
            assert_eq!(rules(text), [(rule.to_owned(), value)], "{text}");
        }
        let both = rules("ALTER USER a IDENTIFIED BY 'Xy7!kk' REPLACE 'Old5!kk'");
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn names_and_labels_are_no_passwords() {
        for text in [
            "password VARCHAR(255) NOT NULL",
            "ALTER TABLE \"u\" ADD COLUMN \"password\" TEXT DEFAULT ''",
            "COMMENT ON COLUMN \"u\".\"password\" IS 'haché'",
            "CREATE INDEX i ON u (\"password\", \"id\")",
            "CREATE TYPE k AS ENUM ('email', 'password', 'sms')",
            "CHECK (kind = 'password' OR kind = 'otp')",
            "k text DEFAULT 'password', l text DEFAULT 'x'",
            "COMMENT ON COLUMN t.k IS 'either ''password'' or ''otp'''",
            "jsonb_build_object('password', a)",
            "CHECK (password = '')",
            "postgres://user:password@db.example.org/x",
            "mysql://USER:PASSWORD@HOST/DB",
            "`scheme://user:password@`, and `scheme://user:password@host`",
            "postgresql://postgres:postgres@localhost/x",
            "https://example.org/a:b",
            "CREATE ROLE a PASSWORD '{{ password }}'",
            "CREATE USER a IDENTIFIED BY '${PASSWORD}'",
            "IDENTIFIED BY 'changeme'",
            "-- the bearer authenticates",
            "-- basic authentication1234567890 is used",
            "-- Bearer tokens/authorization2 are refused",
            "PASSWORD NULL",
        ] {
            assert_eq!(rules(text), [], "{text}");
        }
    }
}
