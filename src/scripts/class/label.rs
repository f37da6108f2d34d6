//! Whether a literal is a plain label, such as a state in a `CHECK`, or prose that tells what a column is for.

/// The longest label, in bytes.
const LABEL: usize = 80;
/// The longest prose.
const PROSE: usize = 2_000;
/// So many digits in a row may be a number of a person or an account.
const DIGITS: usize = 6;

/// A label: a state, a code, a format, a short default.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= LABEL && is_harmless(text) && !text.contains('\n')
}

/// A text for people, without anything that looks like a number, an address, a name or a key.
pub(super) fn is_prose(text: &str) -> bool {
    text.len() <= PROSE && is_harmless(text)
}

fn is_harmless(text: &str) -> bool {
    !has_long_number(text)
        && !text.contains("://")
        && !text.contains("{{")
        && !text.contains("${")
        && !text.contains("%(")
        && !has_address(text)
        && !text.split(|c: char| !c.is_alphanumeric()).any(is_random)
        && !has_name(text)
}

fn has_long_number(text: &str) -> bool {
    let mut digits = 0;
    // Spaces and points part the groups of one number.
    for character in text.chars() {
        match character {
            '0'..='9' => digits += 1,
            ' ' | '.' => {}
            _ => digits = 0,
        }
        if digits >= DIGITS {
            return true;
        }
    }
    false
}

/// An `@` between letters or digits.
fn has_address(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(3).any(|window| {
        window[0].is_ascii_alphanumeric() && window[1] == b'@' && window[2].is_ascii_alphanumeric()
    })
}

/// Digits among letters of both cases, or many digits among letters: a key rather than a word.
fn is_random(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let (upper, lower) = (word.chars().any(char::is_uppercase), word.chars().any(char::is_lowercase));
    word.len() >= 8 && digits > 0 && (upper && lower || digits >= 4 && (upper || lower)) || word.len() > 40
}

/// Two capitalised words in a row may be a person's name.
fn has_name(text: &str) -> bool {
    let mut before = false;
    text.split(' ').any(|word| {
        let mut characters = word.chars();
        let capitalised = characters.next().is_some_and(char::is_uppercase)
            && characters.next().is_some_and(char::is_lowercase);
        std::mem::replace(&mut before, capitalised) && capitalised
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_labels_and_what_may_be_a_person_is_not() {
        for text in ["active", "en cours", "In progress", "", "{}", "1970-01-01", "fr_FR.UTF-8", "^[A-Z]{2}$"]
        {
            assert!(is_label(text), "{text}");
        }
        for text in [
            "185057800608436",
            "06 12 34 56 78",
            "jean@example.org",
            "https://a.b",
            "Jean Dupont",
            "Xk29dLq81Zp",
            "a3f5c9d1e7",
            "{{ name }}",
        ] {
            assert!(!is_label(text), "{text}");
        }
    }
}
