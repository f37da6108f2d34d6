//! Numbers, addresses and dates of people in any text, known by their form and what stands before them.

use regex::bytes::Match;

use super::finding::Hit;
use super::meaning::{is_date, is_unknown_day, year_of};
use super::numbers::{compact, iban_length, is_card, is_iban, is_ine, is_nir};
use super::pattern::{Pattern, before, in_row, pattern, stands_alone};
use super::phones;
use crate::scripts::reserved::{is_internal_host, is_reserved_host};
use crate::scripts::word_list::WordList;

static NIR: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)\b[1-478](?:[ .-]|\xc2\xa0)?[0-9]{2}(?:[ .-]|\xc2\xa0)?[0-9]{2}(?:[ .-]|\xc2\xa0)?[0-9][0-9ab]",
        r"(?:[ .-]|\xc2\xa0)?[0-9]{3}(?:[ .-]|\xc2\xa0)?[0-9]{3}",
        r"(?:(?:[ .-]{0,3}|\xc2\xa0|\s{0,2}[/|(]\s{0,2}|[\s,]{1,2}cl(?:e|\xc3\xa9)[\s:]{1,3})[0-9]{2})?\b"
    ))
});
static CARD: Pattern = Pattern::new(|| {
    pattern(
        r"(?-u)\b(?:[0-9]{4}[ .-][0-9]{4}[ .-][0-9]{4}[ .-][0-9]{1,7}|[0-9]{6}[ .-][0-9]{6}[ .-][0-9]{4,7}|3[0-9]{3}[ .-][0-9]{6}[ .-][0-9]{4,5}|[0-9]{12,19})\b",
    )
});
static INE: Pattern = Pattern::new(|| pattern(r"(?-u)\b[0-9]{9}[0-9A-Za-z][A-Za-z]\b"));
static IBAN: Pattern =
    Pattern::new(|| pattern(r"(?-u)\b(?:IBAN)?([A-Za-z]{2}[0-9]{2})[ .-]{0,2}[A-Za-z0-9]{2}"));
static MAIL: Pattern = Pattern::new(|| {
    pattern(
        r"(?-u)[A-Za-z0-9\x80-\xff][A-Za-z0-9._%+\x80-\xff-]{0,63}@(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,62})\.){1,8}[A-Za-z]{2,24}",
    )
});
static HOME: Pattern = Pattern::new(|| {
    pattern(
        r"(?-u)(?:(?:/export)?/home/|/Users/|[A-Za-z]:(?:\\{1,4}|/)Users(?:\\{1,4}|/)|[A-Za-z]:(?:\\{1,4})Documents and Settings(?:\\{1,4}))([A-Za-z][A-Za-z0-9._\x80-\xff-]{0,63})",
    )
});
static BIRTH: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)(?:\bn(?:\xc3[\xa9\x89]|\xe9|e)(?:e|\(e\)|\.e|\xc2\xb7e)?\s+le|\bborn(?:\s+on)?|\bdate\s+(?:de\s+)?naiss(?:ance|\.)?",
        r"|\bdate\s+of\s+birth|\bbirth[ _]?da(?:te|y)|\bdob|\bddn|\bd\.\s?[do]\.\s?[nb]\.|\(b\.)[\s:=]{1,4}['\x22]?",
        r"([0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}|[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}",
        r"|[0-9]{1,2}(?:er|st|nd|rd|th)?\s+[a-z\x80-\xff]{3,10}\s+[0-9]{4}|[A-Z][a-z]{2,9}\s+[0-9]{1,2},\s+[0-9]{4})"
    ))
});

/// An address whose signs are spelt, as people hide them from machines.
static SPELT_MAIL: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)\b[a-z0-9._+-]{1,64}\s?[\[({](?:at|arobase|@)[\])}]\s?[a-z0-9-]{1,63}",
        r"(?:\s?(?:\.|[\[({](?:dot|point)[\])}])\s?[a-z0-9-]{2,63}){1,4}"
    ))
});
/// A day behind a person's name: `Camille Moreau (1984-03-12)`.
static NAMED_DAY: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?-u)\b[A-Z][a-z\x80-\xff]{2,20}\s[A-Z][A-Za-z\x80-\xff-]{2,30}(?:,\s|\s?\()",
        r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{4})\b"
    ))
});
/// `cvv 123`, without a sign between the two.
static CVV: Pattern =
    Pattern::new(|| pattern(r"(?i-u)\b(?:cvv2?|cvc2?|crypto|cryptogramme)\s+([0-9]{3,4})\b"));

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    each(&NIR, text, |found| nir(text, found), "fr-nir", hits);
    each(&CARD, text, |found| card(text, found), "payment-card", hits);
    each(&INE, text, |found| ine(text, found), "fr-ine", hits);
    ibans(text, hits);
    phones::find(text, hits);
    each(&MAIL, text, |found| mail(text, found), "email", hits);
    each(&SPELT_MAIL, text, |found| !is_reserved(found.as_bytes()), "email", hits);
    groups(&NAMED_DAY, text, |_, day| is_early(day), "birth-date", hits);
    groups(&CVV, text, |_, _| true, "card-cvv", hits);
    groups(&HOME, text, |start, name| home(text, start, name), "home-directory", hits);
    groups(&BIRTH, text, |_, date| birth(date), "birth-date", hits);
}

fn each(
    pattern: &Pattern,
    text: &[u8],
    holds: impl Fn(Match<'_>) -> bool,
    rule: &'static str,
    hits: &mut Vec<Hit>,
) {
    for found in pattern.find_iter(text) {
        if holds(found) {
            hits.push(Hit::new(rule, found.range(), 1));
        }
    }
}

fn groups(
    pattern: &Pattern,
    text: &[u8],
    holds: impl Fn(usize, &[u8]) -> bool,
    rule: &'static str,
    hits: &mut Vec<Hit>,
) {
    for found in pattern.captures_iter(text) {
        if let (Some(all), Some(group)) = (found.get(0), found.get(1))
            && holds(all.start(), group.as_bytes())
        {
            hits.push(Hit::new(rule, group.range(), 1));
        }
    }
}

pub(super) fn mentions(text: &[u8], start: usize, words: &[&str]) -> bool {
    let before = before(text, start);
    words.iter().any(|word| before.contains(word))
}

fn nir(text: &[u8], found: Match<'_>) -> bool {
    if !stands_alone(text, found.start(), found.end()) {
        return false;
    }
    // `clé` before the last two digits is none of its signs.
    let signs: Vec<u8> = found.as_bytes().iter().copied().filter(|byte| !b"cleCLE".contains(byte)).collect();
    let number = compact(&signs);
    is_nir(&number, false)
        || number.len() == 13
            && is_nir(&number, true)
            && mentions(
                text,
                found.start(),
                &["nir", "sécu", "secu", "n° ss", "assuré", "insee", "ssn", "social"],
            )
}

fn card(text: &[u8], found: Match<'_>) -> bool {
    let words = ["carte", "card", "visa", "mastercard", "amex", "cb ", "cb:", "pan ", "pan:", "pan="];
    let known = mentions(text, found.start(), &words);
    let grouped = found.as_bytes().iter().any(|byte| !byte.is_ascii_digit());
    // Fifteen digits in a row count as many things.
    let likely = known || grouped || found.len() != 15 || quoted_alone(text, &found);
    likely
        && (known || grouped || !is_bound(text, found.start()))
        && !(grouped && in_row(text, found.start(), found.end(), 4))
        && stands_alone(text, found.start(), found.end())
        && is_card(&compact(found.as_bytes()), known || grouped && found.len() > 15)
}

/// Behind a word or sign that gives a number to a schema or to a ticket.
fn is_bound(text: &[u8], start: usize) -> bool {
    let before = before(text, start);
    let before = before.trim_end_matches([' ', '(', '-']);
    before.ends_with(['<', '>', '#'])
        || ["<=", ">=", "<>", "!="].iter().any(|sign| before.ends_with(sign))
        || before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().is_some_and(|word| {
            matches!(
                word,
                "default"
                    | "start"
                    | "with"
                    | "minvalue"
                    | "maxvalue"
                    | "restart"
                    | "between"
                    | "and"
                    | "ticket"
                    | "pr"
                    | "id"
                    | "epoch"
                    | "auto_increment"
            )
        })
        || before.ends_with("auto_increment=")
}

/// Between quotes of its own, or alone in a field.
pub(super) fn quoted_alone(text: &[u8], found: &Match<'_>) -> bool {
    let before = found.start().checked_sub(1).map(|at| text[at]);
    matches!(
        (before, text.get(found.end())),
        (Some(b'\''), Some(b'\''))
            | (Some(b'"'), Some(b'"'))
            | (Some(b'\t'), Some(b'\t' | b'\n' | b'\r') | None)
    )
}

/// By the key of the older form; by the form alone where the text speaks of it.
fn ine(text: &[u8], found: Match<'_>) -> bool {
    let context = || {
        let before = before(text, found.start());
        before
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| matches!(word, "ine" | "bea" | "étudiant" | "etudiant" | "élève" | "eleve"))
    };
    let number = compact(found.as_bytes());
    let capitals = !found.as_bytes().iter().any(u8::is_ascii_lowercase);
    stands_alone(text, found.start(), found.end())
        && (capitals && is_ine(&number, false) || context() && is_ine(&number, true))
}

/// Its length is that of its country, with a space or hyphen between any two signs.
fn ibans(text: &[u8], hits: &mut Vec<Hit>) {
    for found in IBAN.captures_iter(text) {
        let Some(begins) = found.get(1) else { continue };
        let Some(length) = iban_length(&begins.as_bytes()[..2]) else { continue };
        let mut number = Vec::with_capacity(length);
        let (mut at, mut gap) = (begins.start(), 0);
        while number.len() < length {
            match text.get(at) {
                Some(byte) if byte.is_ascii_alphanumeric() => {
                    number.push(byte.to_ascii_uppercase());
                    gap = 0;
                }
                Some(b' ' | b'-' | b'.' | 0xc2 | 0xa0) if gap < 2 => gap += 1,
                _ => break,
            }
            at += 1;
        }
        let alone = stands_alone(text, begins.start(), at)
            || begins.start() != found.get(0).map_or(0, |all| all.start());
        if alone && is_iban(&number) {
            hits.push(Hit::new("iban", begins.start()..at, 1));
        }
    }
}

fn is_reserved(address: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(address).to_lowercase();
    shown.contains("example") || shown.contains("domain")
}

/// A year of which somebody who is grown up may be.
fn is_early(day: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(day);
    is_date(&shown) && year_of(&shown).is_some_and(|year| year <= 2005)
}

fn mail(text: &[u8], found: Match<'_>) -> bool {
    let Ok(address) = str::from_utf8(found.as_bytes()) else { return false };
    let Some((local, host)) = address.rsplit_once('@') else { return false };
    let end = host.rsplit('.').next().unwrap_or_default();
    let file =
        matches!(end, "png" | "jpg" | "jpeg" | "gif" | "svg" | "webp" | "js" | "css" | "service" | "sql")
            || is_internal_host(host);
    // The rest of `scheme://user:password@host`, and of `git@host:path`.
    let in_address = before(text, found.start())
        .rsplit([' ', '\'', '"', '\t', '='])
        .next()
        .is_some_and(|word| word.contains("://"));
    let of_git = local == "git" && matches!(text.get(found.end()), Some(b':' | b'/'));
    !is_reserved_host(host) && !file && !in_address && !of_git
}

/// Accounts that many machines have name nobody.
fn home(text: &[u8], start: usize, name: &[u8]) -> bool {
    const GENERIC: WordList = WordList(
        "user username users you me app www web node ubuntu debian runner postgres mysql git public \
        shared default example name deploy vagrant admin circleci root ec2-user utilisateur page \
        index pi vscode jovyan gitlab-runner site administrator administrateur coder codespace \
        gitpod jenkins travis runneradmin appuser nonroot linuxbrew oracle centos fedora hadoop \
        airflow products all dev test mssql",
    );
    let joined = start > 0
        && (text[start - 1].is_ascii_alphanumeric() || matches!(text[start - 1], b'_' | b'.' | b'-'));
    let name = String::from_utf8_lossy(name).to_lowercase();
    !joined && !GENERIC.has(name.trim_end_matches(['.', '-']))
}

fn birth(date: &[u8]) -> bool {
    let text = String::from_utf8_lossy(date);
    if is_unknown_day(&text) {
        return false;
    }
    let month_first = text.starts_with(char::is_alphabetic);
    let plain = text.replace("st ", " ").replace("nd ", " ").replace("rd ", " ").replace("th ", " ");
    month_first || is_date(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<String> {
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        hits.into_iter().map(|hit| hit.rule.into_owned()).collect()
    }

    #[test]
    fn people_are_found_in_any_text() {
        for (text, rule) in [
            ("-- nir 1 85 05 78 006 084 91", "fr-nir"),
            ("('185057800608491')", "fr-nir"),
            ("carte 4970 1012 3456 7890 ?", ""),
            ("4242-4242-4242-4242", "payment-card"),
            ("fr14 2004 1010 0505 0001 3m02 606 et la suite", "iban"),
            ("appelez le 01.42.68.53.00", "phone"),
            ("('0142685300')", "phone"),
            ("+33 (0)6 12 34 56 78", "phone"),
            ("+1-202-456-1414", "phone"),
            ("m.dupont@mairie-lyon.fr", "email"),
            ("/home/mdupont/sauvegarde.sql", "home-directory"),
            (r"C:\Users\mdupont\x", "home-directory"),
            ("Marie, née le 12/03/1984", "birth-date"),
            ("born 1984-03-12", "birth-date"),
            ("INE 123456789AB", "fr-ine"),
            ("1 85 05 78 006 084 / 91", "fr-nir"),
            ("1 85 05 78 006 084 clé 91", "fr-nir"),
            ("IBANFR1420041010050500013M02606", "iban"),
            ("FR14  2004  1010  0505  0001  3M02  606", "iban"),
            ("('497010 123456 7893')", "payment-card"),
            ("tel 0612 345 678", "phone"),
            ("tel 06-12 34 56 78", "phone"),
            ("06\u{2011}12\u{2011}34\u{2011}21\u{2011}55", "phone"),
            ("+(33) 6 12 34 56 78", "phone"),
            ("('00441632960123')", "phone"),
            ("+49/151/12345678", "phone"),
            ("bureau : 0478123456", "phone"),
            ("aline (at) mairie.fr", "email"),
            ("-- Lucie Picard (1984-03-12)", "birth-date"),
            ("D.D.N. : 12/03/1984", "birth-date"),
            ("cvv 482", "card-cvv"),
            ("/export/home/mdupont/x", "home-directory"),
        ] {
            let expected: Vec<&str> = [rule].into_iter().filter(|rule| !rule.is_empty()).collect();
            assert_eq!(rules(text), expected, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_nobody() {
        for text in [
            "2026-01-05 09:00:00+00",
            "20260105090000_add.sql",
            "MAXVALUE 9223372036854775807",
            "018f4c1e-0612-4345-8678-5a6b7c8d9e0f",
            "translate(x, '0123456789', '')",
            "1.02.03.04.05.06",
            "a@example.org, b@mail.example.com, c@x.test",
            "postgres://a:b@db.mairie.fr/x",
            "git@github.com:a/b.git",
            "/home/user/x",
            "version 06.12",
            "81 02 03 07 09 11 42 12",
            "01 10 10 10 10",
            "2400 2401 2903 2904 3816",
            "01 02 03 04 05",
            "07-08-09-10-11",
            "0600000000",
            "tel: 0123456789",
            "+123456789 rows",
            "START WITH 4242424242424242",
            "DEFAULT 4326647501600248,",
            "PR #4539148803436467",
            "01a1b9e0-e10e-4263-be88-83e177d20185",
            "user@pg-host.internal",
            "date of birth: 1900-01-01 when unknown",
            "/home/vscode/x",
            "d41d8cd98f00b204e9800998ecf8427e",
        ] {
            assert_eq!(rules(text), [""; 0], "{text}");
        }
    }
}
