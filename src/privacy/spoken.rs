//! Secrets in sentences: `mot de passe provisoire : …`, `the password is …`, `identifiants : admin / …`.

use super::finding::Hit;
use super::pattern::{Pattern, pattern};
use crate::scripts::reserved::is_stand_in;
use crate::scripts::typed::is_key_like;

/// Sentences that give a secret: `mot de passe provisoire : …`, `the password is …`, `identifiants : admin / …`.
static SPOKEN: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)\b(?:mot\s+de\s+passe|mots\s+de\s+passe|mdp|passwords?|passwd|pwd|pw|passphrase|cl(?:\xc3\xa9|e)\s+api|api\s+key|",
        r"secret|token|jeton|identifiants?|credentials|login)",
        r"(?:\s+(?:[a-z\x80-\xff'\x22]{2,20})){0,3}?(?:\s*\([^()\n]{1,30}\))?",
        r"(?:\s*[:=]\s*|\s+(?:est|is|was|sera|=)\s+)(?:[a-z0-9._-]{2,30}\s+/\s+)?(?:\xc2\xab[\s\xc2\xa0]*|[\x22'`]|\xe2\x80\x9c)?([^\s\x22'`,;\xc2]{5,64})"
    ))
});

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for found in SPOKEN.captures_iter(text) {
        let Some(value) = found.get(1) else { continue };
        let shown = String::from_utf8_lossy(value.as_bytes());
        let shown = shown.trim_end_matches(['.', ')', '»']);
        if is_key_like(shown) && is_spoken(shown) && !is_stand_in(shown) {
            hits.push(Hit::new("secret-value", value.start()..value.start() + shown.len(), 3));
        }
    }
}

/// Nothing that code or an address would be.
fn is_spoken(value: &str) -> bool {
    !value.contains(['(', '=', '/', '<', '>', '[', ']', '{', '}', '|', '\\']) && !value.contains("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        hits.into_iter().map(|hit| &text[hit.range]).collect()
    }

    #[test]
    fn sentences_give_secrets() {
        for (text, value) in [
            ("-- mot de passe admin : Azerty123!", "Azerty123!"),
            ("-- mot de passe de la base : Azerty123!", "Azerty123!"),
            ("-- pwd (prod): Azerty123!", "Azerty123!"),
            ("-- le mot de passe provisoire est « Azerty123! »", "Azerty123!"),
            ("-- the default password is Azerty123!.", "Azerty123!"),
            ("-- identifiants : admin / Azerty123!", "Azerty123!"),
        ] {
            assert_eq!(found(text), [value], "{text}");
        }
        for text in [
            "-- le mot de passe est obligatoire",
            "-- mot de passe : 8+ caractères",
            "-- token: see RFC6750",
            "-- the secret is kept in vault_path/key1",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
