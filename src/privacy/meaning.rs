//! What a column or a key is for, by its name, in French and English; and whether a value fits it.

use std::ops::Range;

use super::numbers::{compact, is_card, is_iban, is_ine, is_nir};
use super::reserved::{is_reserved_address, is_stand_in};

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Nir,
    Ine,
    Iban,
    Card,
    Cvv,
    Birth,
    Phone,
    Ip,
    Secret,
    /// A person's name: tells nothing alone.
    Name,
}

/// The longest name that is looked at, in bytes.
pub(super) const NAME: usize = 64;

impl Meaning {
    /// By the words of a name: `dateNaissance`, `date_naissance` and `DATE-NAISSANCE` are one.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if name.is_empty() || name.len() > NAME {
            return None;
        }
        let folded = words(name);
        let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
        let last = *words.last()?;
        let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
        let pair = |first: &[&str], second: &[&str]| {
            words.windows(2).any(|pair| first.contains(&pair[0]) && second.contains(&pair[1]))
        };
        if is_about(last) {
            return None;
        }
        if is_secret(&words) {
            return Some(Self::Secret);
        }
        if has(&["nir", "secu", "nss", "niss", "ssn", "numsecu", "insee"])
            || pair(&["securite", "social"], &["sociale", "security"])
        {
            return (!has(&["commune", "code", "naf"])).then_some(Self::Nir);
        }
        if has(&["ine", "numine"]) || pair(&["identifiant", "numero"], &["etudiant", "eleve"]) {
            return Some(Self::Ine);
        }
        if has(&["iban", "rib"]) || pair(&["bank", "compte"], &["account", "bancaire"]) {
            return Some(Self::Iban);
        }
        if has(&["cvv", "cvc", "cvv2", "cvc2", "csc", "cryptogramme"])
            || pair(&["security", "verification"], &["code"])
            || pair(&["code"], &["securite", "verification"])
        {
            return Some(Self::Cvv);
        }
        if has(&["pan", "ccnum", "cardnumber", "creditcard", "cb"])
            || has(&["card", "carte", "cc"])
                && (words.len() == 1
                    || has(&["number", "num", "numero", "no", "bancaire", "credit", "bleue", "nb"]))
        {
            return Some(Self::Card);
        }
        if has(&[
            "naissance",
            "naiss",
            "birth",
            "birthdate",
            "birthday",
            "dob",
            "ddn",
            "datenaissance",
            "born",
        ]) {
            return (!has(&[
                "lieu", "place", "ville", "city", "pays", "country", "commune", "nom", "name", "dept",
            ]))
            .then_some(Self::Birth);
        }
        if has(&[
            "tel",
            "telephone",
            "phone",
            "mobile",
            "portable",
            "gsm",
            "fax",
            "numtel",
            "cell",
            "cellphone",
            "phonenumber",
            "telephonique",
            "whatsapp",
            "msisdn",
        ]) {
            return Some(Self::Phone);
        }
        if last == "ip" || pair(&["ip", "adresse", "remote"], &["address", "adresse", "ip", "addr"]) {
            return Some(Self::Ip);
        }
        has(&["nom", "prenom", "firstname", "lastname", "surname", "fullname", "forename"])
            .then_some(Self::Name)
            .or_else(|| {
                (pair(&["first", "last", "full", "family", "given"], &["name"])).then_some(Self::Name)
            })
    }

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
            Self::Cvv => (matches!(text.len(), 3 | 4) && digits == text.len()).then_some("card-cvv"),
            Self::Birth => is_date(text).then_some("birth-date"),
            Self::Phone => is_phone(text, digits).then_some("phone"),
            Self::Ip => is_person_address(text).then_some("ip-address"),
            Self::Secret => (quoted && is_secret_value(text)).then_some("secret-value"),
            Self::Name => None,
        }
    }
}

/// Names that tell something about a secret or a number, and do not hold it.
fn is_about(last: &str) -> bool {
    const ABOUT: &[&str] = &[
        "type",
        "format",
        "algo",
        "algorithm",
        "algorithme",
        "count",
        "nombre",
        "length",
        "longueur",
        "hint",
        "policy",
        "expires",
        "expiry",
        "expiration",
        "expire",
        "at",
        "on",
        "le",
        "id",
        "ids",
        "url",
        "uri",
        "name",
        "enabled",
        "required",
        "status",
        "statut",
        "version",
        "ttl",
        "attempts",
        "table",
        "column",
        "label",
        "libelle",
        "description",
        "verified",
        "verifie",
        "confirmed",
        "valide",
        "country",
        "pays",
        "lang",
        "pattern",
        "regex",
        "min",
        "max",
        "brand",
        "marque",
        "scope",
        "scopes",
        "usage",
        "kind",
        "method",
        "prefix",
        "rotation",
    ];
    ABOUT.contains(&last)
}

fn is_secret(words: &[&str]) -> bool {
    let end = words
        .iter()
        .rposition(|word| !matches!(*word, "hash" | "hashed" | "digest" | "encrypted" | "enc" | "clair"));
    let Some(end) = end else { return false };
    let last = words[end];
    let before = end.checked_sub(1).map_or("", |at| words[at]);
    let two_before = end.checked_sub(2).map_or("", |at| words[at]);
    matches!(
        last,
        "password"
            | "passwd"
            | "pwd"
            | "pass"
            | "passwort"
            | "mdp"
            | "motdepasse"
            | "passphrase"
            | "secret"
            | "token"
            | "jeton"
            | "apikey"
            | "authtoken"
            | "accesstoken"
            | "clientsecret"
            | "secretkey"
            | "privatekey"
            | "credential"
            | "credentials"
            | "userpassword"
            | "passe"
    ) && (last != "passe" || before == "de" && two_before == "mot" || before == "mot")
        || matches!(
            (before, last),
            (
                "api"
                    | "secret"
                    | "private"
                    | "access"
                    | "auth"
                    | "encryption"
                    | "signing"
                    | "master"
                    | "account"
                    | "hmac",
                "key"
            ) | ("cle", "api" | "privee" | "secrete" | "chiffrement")
                | ("cles", "api")
                | ("authorization", "header")
                | ("webhook", "key")
        )
}

fn is_secret_value(text: &str) -> bool {
    text.len() >= 4
        && !text.contains(char::is_whitespace) | (text.len() >= 8)
        && text.chars().any(char::is_alphanumeric)
}

/// A day, in any of the usual ways of writing one, of a year in which somebody who lives may be born.
pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> =
        text.split(['-', '/', '.', ' ', 'T']).filter(|part| !part.is_empty()).take(3).collect();
    let [first, second, third] = parts[..] else {
        return text.len() == 8
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && is_year(&text[..4])
            && is_below(&text[4..6], 12)
            && is_below(&text[6..], 31);
    };
    let middle =
        is_below(second, 31) || second.chars().all(char::is_alphabetic) && second.chars().count() > 2;
    middle
        && (is_year(first) && is_below(third, 31)
            || is_below(first.trim_end_matches("er"), 31)
                && (is_year(third) || third.len() == 2 && third.parse::<u8>().is_ok()))
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.parse::<u16>().is_ok_and(|year| (1880..=2030).contains(&year))
}

fn is_below(text: &str, limit: u8) -> bool {
    text.len() <= 2 && text.parse::<u8>().is_ok_and(|value| (1..=limit).contains(&value))
}

fn is_phone(text: &str, digits: usize) -> bool {
    let signs = |c: char| {
        c.is_ascii_digit() || matches!(c, ' ' | '.' | '-' | '+' | '(' | ')' | '/' | '\u{a0}' | '\u{202f}')
    };
    let various =
        text.bytes().filter(u8::is_ascii_digit).collect::<std::collections::BTreeSet<_>>().len() > 1;
    (8..=15).contains(&digits) && text.chars().all(signs) && various
}

fn is_person_address(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or_default();
    address.parse::<std::net::IpAddr>().is_ok() && !is_reserved_address(address)
}

/// The words of a name in small letters without accents, parted by spaces.
fn words(name: &[u8]) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut small = false;
    for character in String::from_utf8_lossy(name).chars() {
        if character.is_uppercase() && small {
            words.push(' ');
        }
        small = character.is_lowercase() || character.is_ascii_digit();
        match character.to_lowercase().next().unwrap_or(character) {
            'é' | 'è' | 'ê' | 'ë' => words.push('e'),
            'à' | 'â' => words.push('a'),
            'ô' => words.push('o'),
            'ç' => words.push('c'),
            'î' | 'ï' => words.push('i'),
            'ù' | 'û' => words.push('u'),
            letter if letter.is_alphanumeric() => words.push(letter),
            _ => words.push(' '),
        }
    }
    words
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
    fn names_mean_the_same_in_all_spellings() {
        for (name, meaning) in [
            ("num_secu", Meaning::Nir),
            ("numéro_sécurité_sociale", Meaning::Nir),
            ("dateNaissance", Meaning::Birth),
            ("DATE_OF_BIRTH", Meaning::Birth),
            ("tel_portable", Meaning::Phone),
            ("mot_de_passe", Meaning::Secret),
            ("password_hash", Meaning::Secret),
            ("apiKey", Meaning::Secret),
            ("cvv", Meaning::Cvv),
            ("card_number", Meaning::Card),
            ("prénom", Meaning::Name),
        ] {
            assert_eq!(Meaning::of(name.as_bytes()), Some(meaning), "{name}");
        }
        for name in
            ["token_type", "password_changed_at", "lieu_naissance", "code_insee", "passage", "card_id", ""]
        {
            assert_eq!(Meaning::of(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn dates_are_told_from_versions() {
        for text in ["1984-03-12", "12/03/1984", "12.03.84", "3 mars 1990", "1er mai 1977", "19840312"] {
            assert!(is_date(text), "{text}");
        }
        for text in ["1.2.3456", "2024", "v1-2", "9999-12-31", "", "12/45/1984"] {
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
