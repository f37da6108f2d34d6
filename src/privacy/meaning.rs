//! Whether a value fits what its column or key is for.

use std::ops::Range;

use super::numbers::{compact, is_card, is_iban, is_ine, is_nir};
use crate::scripts::meaning::Meaning;
use crate::scripts::reserved::{is_public_service, is_reserved_address, is_reserved_host, is_stand_in};

impl Meaning {
    /// The rule that a value in such a place breaks. `quoted`: it was a literal.
    pub(super) fn rule(self, value: &[u8], quoted: bool) -> Option<&'static str> {
        let text = str::from_utf8(value).ok()?.trim();
        if text.is_empty() || text.len() > 4096 || is_stand_in(text) {
            return None;
        }
        let number = if text.len() <= 64 { compact(text.as_bytes()) } else { Vec::new() };
        let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
        match self {
            Self::Nir => is_nir(&number, true).then_some("fr-nir"),
            Self::Ine => is_ine(&number, true).then_some("fr-ine"),
            Self::Iban => is_iban(&number).then_some("iban"),
            Self::Card => is_card(&number, true).then_some("payment-card"),
            Self::Cvv => {
                (matches!(text.len(), 3 | 4) && digits == text.len() && text.bytes().any(|byte| byte != b'0'))
                    .then_some("card-cvv")
            }
            Self::Birth => (is_date(text) && !is_unknown_day(text)).then_some("birth-date"),
            Self::Phone => is_phone(text).then_some("phone"),
            Self::Ip => is_person_address(text).then_some("ip-address"),
            Self::Mail => is_mail(text).then_some("email"),
            Self::Secret => (quoted && is_secret_value(text)).then_some("secret-value"),
            Self::Name => None,
        }
    }
}

fn is_mail(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let word = |text: &str| {
        !text.is_empty() && !text.contains(char::is_whitespace) && text.chars().any(char::is_alphanumeric)
    };
    word(local)
        && word(host)
        && !is_reserved_host(host)
        && text.len() <= 254
        && !text.contains(['%', '*', '(', '['])
}

fn is_secret_value(text: &str) -> bool {
    text.len() >= 4
        && !text.contains(char::is_whitespace) | (text.len() >= 8)
        && text.chars().any(char::is_alphanumeric)
}

const MONTHS: [&str; 24] = [
    "jan", "feb", "fev", "fév", "mar", "apr", "avr", "may", "mai", "jun", "juin", "jul", "juil", "aug",
    "aou", "aoû", "sep", "oct", "nov", "dec", "déc", "mär", "mär", "maj",
];

/// A day, in any of the usual ways of writing one, of a year in which somebody who lives may be born.
pub(super) fn is_date(text: &str) -> bool {
    let small = text.to_lowercase();
    let text = small.strip_prefix("le ").unwrap_or(&small);
    let parts: Vec<&str> =
        text.split(['-', '/', '.', ' ', 't', ',', '\u{a0}']).filter(|part| !part.is_empty()).collect();
    // Words such as `août` hold the sign that parts a day from its time.
    let by_words: Vec<&str> =
        text.split(['-', '/', '.', ' ', ',', '\u{a0}']).filter(|part| !part.is_empty()).collect();
    match (&parts[..], &by_words[..]) {
        ([solid], _) => is_solid_date(solid),
        (_, [week, day, month, year, ..]) if is_weekday(week) => is_spoken_date(day, month, year),
        (_, [day, month, year, ..])
            if is_spoken_date(day, month, year) || is_spoken_date(month, day, year) =>
        {
            true
        }
        ([first, second, third, ..], _) => {
            is_below(second, 31)
                && (is_year(first) && is_below(third, 31)
                    || is_below(first, 31)
                        && (is_year(third) || third.len() == 2 && third.parse::<u8>().is_ok()))
        }
        _ => false,
    }
}

/// `12`, `mars`, `1984`.
fn is_spoken_date(day: &str, month: &str, year: &str) -> bool {
    let day = day.trim_end_matches(|c: char| c.is_alphabetic());
    let known = MONTHS.iter().any(|known| month.starts_with(known)) && month.chars().all(char::is_alphabetic);
    let year = year.split(['t', 'T']).next().unwrap_or(year);
    known && is_below(day, 31) && (is_year(year) || year.len() == 2 && year.parse::<u8>().is_ok())
}

fn is_weekday(text: &str) -> bool {
    ["lun", "mar", "mer", "jeu", "ven", "sam", "dim", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .any(|day| text.starts_with(day) && text.chars().all(char::is_alphabetic))
}

/// `19840312`, `12031984`, `120384`.
fn is_solid_date(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let day = |day: &str, month: &str| is_below(day, 31) && is_below(month, 12);
    match text.len() {
        8 if digits => {
            is_year(&text[..4]) && day(&text[6..], &text[4..6])
                || is_year(&text[4..]) && day(&text[..2], &text[2..4])
        }
        6 if digits => day(&text[..2], &text[2..4]) || day(&text[4..], &text[2..4]),
        _ => false,
    }
}

/// A day that stands for one that is not known, or that bounds those that are.
pub(super) fn is_unknown_day(text: &str) -> bool {
    let small = text.get(..10).unwrap_or(text);
    [
        "1900-01-01",
        "1970-01-01",
        "01/01/1900",
        "01/01/1970",
        "1900/01/01",
        "2100-01-01",
        "9999-12-31",
        "0001-01-01",
    ]
    .contains(&small)
}

/// The year of a day, where it is written with four digits.
pub(super) fn year_of(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_digit()).find(|part| is_year(part))?.parse().ok()
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.parse::<u16>().is_ok_and(|year| (1880..=2030).contains(&year))
}

fn is_below(text: &str, limit: u8) -> bool {
    text.len() <= 2 && text.parse::<u8>().is_ok_and(|value| (1..=limit).contains(&value))
}

fn is_phone(text: &str) -> bool {
    let signs = |c: char| {
        c.is_ascii_digit()
            || matches!(
                c,
                ' ' | '.' | '-' | '+' | '(' | ')' | '/' | '\u{a0}' | '\u{202f}' | '\u{2011}' | '\u{ff10}'
                    ..='\u{ff19}'
            )
    };
    let digits = text.chars().filter(|sign| sign.is_numeric()).count();
    let various =
        text.chars().filter(|sign| sign.is_numeric()).collect::<std::collections::BTreeSet<_>>().len() > 1;
    (8..=15).contains(&digits) && text.chars().all(signs) && various && !text.contains("0123456789")
}

fn is_person_address(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or_default();
    address.parse::<std::net::IpAddr>().is_ok()
        && !is_reserved_address(address)
        && !is_public_service(address)
}

/// The value in quotes that begins at `start`, in any of the ways in which quotes stand inside of quotes, and the
/// place behind it. At most `limit` bytes are looked at.
pub(super) fn quoted(text: &[u8], start: usize, limit: usize) -> Option<(Range<usize>, usize)> {
    let quote = *text.get(start)?;
    // A text in a text doubles its quotes: `''value''`.
    let next = text.get(start + 2).copied();
    let doubled = quote == b'\''
        && text.get(start + 1) == Some(&quote)
        && next.is_some_and(|byte| {
            !matches!(byte, b',' | b')' | b' ' | b';' | b'\n' | b'\r' | b'\'' | b':' | b'|')
        });
    let inside = if doubled { start + 2 } else { start + 1 };
    let mut at = inside;
    let text = &text[..text.len().min(start.saturating_add(limit))];
    while let Some(byte) = text.get(at) {
        let escaped = *byte == b'\\'
            && text.get(at + 1) == Some(&quote)
            && !matches!(text.get(at + 2), Some(b',' | b')' | b';') | None);
        if escaped || *byte == b'\\' && text.get(at + 1) == Some(&b'\\') {
            at += 2;
        } else if *byte != quote {
            at += 1;
        } else if doubled {
            return Some((inside..at, at + 1 + usize::from(text.get(at + 1) == Some(&quote))));
        } else if text.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some((inside..at, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_versions() {
        for text in [
            "1984-03-12",
            "12/03/1984",
            "12.03.84",
            "3 mars 1990",
            "1er mai 1977",
            "19840312",
            "12031984",
            "120384",
            "June 7, 2001",
            "le 12 août 1984",
            "lundi 12 mars 1984",
            "12-MAR-1984",
            "1984-03-12T00:00:00",
        ] {
            assert!(is_date(text), "{text}");
        }
        for text in ["1.2.3456", "2024", "v1-2", "9999-12-31", "", "12/45/1984", "12345678"] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn quotes_in_quotes_are_read() {
        for (text, value) in
            [("'a'", "a"), ("''a''", "a"), ("'it''s'", "it''s"), ("\"a\"", "a"), (r"'a\'b'", r"a\'b")]
        {
            let (range, _) = quoted(text.as_bytes(), 0, 100).unwrap();
            assert_eq!(&text[range], value);
        }
        assert_eq!(quoted(b"'", 0, 100), None);
    }
}
