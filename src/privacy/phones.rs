//! Telephone numbers of France and of the world, told from dates, versions and tables of numbers.

use std::ops::Range;

use regex::bytes::Match;

use super::finding::Hit;
use super::numbers::{compact, is_counted};
use super::pattern::{Pattern, in_row, pattern, stands_alone};
use super::personal::{mentions, quoted_alone};

static FRENCH_PHONE: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?-u)\b(?:0033[ .-]?(?:\(0\))?[ .-]?[1-9]|0[1-9])",
        r"(?:(?:[ ./-]|\xc2\xa0|\xe2\x80\xaf|\xe2\x80\x91)?[0-9]){8}\b"
    ))
});
static WORLD_PHONE: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?-u)(?:\+[1-9][0-9]{0,2}|\+\([1-9][0-9]{0,2}\)|\b00[1-9][0-9])",
        r"(?:(?:[ ./-]|\xc2\xa0|\xe2\x80\xaf|\xe2\x80\x91){0,2}\(?[0-9]{1,4}\)?){2,7}"
    ))
});

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    let french = FRENCH_PHONE.find_iter(text).filter(|found| french_phone(text, *found));
    hits.extend(french.map(|found| Hit::new("phone", found.range(), 1)));
    world_phones(text, hits);
}

const PHONE_WORDS: [&str; 19] = [
    "tel", "tél", "phone", "mobile", "portable", "fax", "appel", "call", "contact", "joindre", "gsm",
    "standard", "numéro", "numero", "sms", "bureau", "domicile", "t. ", "whatsapp",
];

/// Ten digits in a row are a telephone number in their own quotes, of a mobile, or where the text speaks of one.
fn french_phone(text: &[u8], found: Match<'_>) -> bool {
    let number = compact(found.as_bytes());
    let solid = found.as_bytes().iter().all(u8::is_ascii_digit);
    let (start, end) = (found.start(), found.end());
    let known = || quoted_alone(text, &found) || mentions(text, start, &PHONE_WORDS);
    let mobile = matches!(&number[..2], b"06" | b"07" | b"00");
    let grouping = grouping(found.as_bytes());
    let usual = grouping == Grouping::Pairs || grouping == Grouping::Other && (mobile && known());
    let counted = is_counted(&number) || number[1..].iter().all(|byte| *byte == number[1]);
    let in_table = grouping == Grouping::Pairs && in_row(text, start, end, 2);
    let likely = if solid { mobile || known() } else { usual || number.starts_with(b"0033") };
    stands_alone(text, start, end) && likely && !counted && !in_table
}

/// How the digits of a number are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grouping {
    /// In pairs, by one sign.
    Pairs,
    /// In few groups, or by signs of two kinds.
    Other,
    /// In more groups than anybody writes, as dates and versions have them.
    Many,
}

fn grouping(number: &[u8]) -> Grouping {
    let shown = String::from_utf8_lossy(number);
    let signs: Vec<char> = shown.chars().filter(|sign| !sign.is_ascii_digit()).collect();
    let groups: Vec<usize> = shown.split(|sign: char| !sign.is_ascii_digit()).map(str::len).collect();
    let same = signs.windows(2).all(|pair| pair[0] == pair[1]);
    match groups[..] {
        _ if same && groups.iter().all(|length| *length == 2) => Grouping::Pairs,
        _ if groups.len() <= 5 && groups.iter().all(|length| *length >= 2) && !signs.contains(&'/') => {
            Grouping::Other
        }
        _ => Grouping::Many,
    }
}

fn world_phones(text: &[u8], hits: &mut Vec<Hit>) {
    for found in WORLD_PHONE.find_iter(text) {
        let mut end = found.end();
        let count = |sign: u8| text[found.start()..end].iter().filter(|byte| **byte == sign).count();
        // A parenthesis that encloses the number is not part of it.
        if text[end - 1] == b')' && count(b'(') < count(b')') {
            end -= 1;
        }
        if world_phone(text, found.start()..end) {
            hits.push(Hit::new("phone", found.start()..end, 1));
        }
    }
}

fn world_phone(text: &[u8], range: Range<usize>) -> bool {
    let number = compact(&text[range.clone()]);
    let before = range.start.checked_sub(1).map(|at| text[at]);
    let joined = before
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b')' | b'+' | b'.' | b'/'));
    let after = text.get(range.end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let solid = text[range.clone()].iter().skip(1).all(u8::is_ascii_digit);
    let zeros = number.starts_with(b"00");
    // Behind a plus sign, nine digits in a row count something; behind zeros, only the text around tells.
    let known = || {
        let quoted =
            matches!((before, text.get(range.end)), (Some(b'\''), Some(b'\'')) | (Some(b'"'), Some(b'"')));
        quoted || mentions(text, range.start, &PHONE_WORDS)
    };
    let length = if zeros { 12..=15 } else { 9..=15 };
    length.contains(&number.len())
        && !joined
        && !after
        && !is_counted(&number)
        && (!zeros || known())
        && (!solid || number.len() > 9 || known())
}
