//! What a request has to be: a basis is a code and a reference no name, since both are published.

use super::{RETENTION, Request, Target};
use crate::ops::OpsError;
use crate::privacy::scan;

/// What every article begins with.
const ARTICLE: &str = "art";
/// The most characters of either.
const LIMIT: usize = 64;

/// Refuses what cannot be published.
///
/// # Errors
/// [`OpsError::Basis`].
pub fn require(request: &Request) -> Result<(), OpsError> {
    let due = matches!(request.what, Target::Due);
    let basis = if due { request.basis == RETENTION } else { is_article(&request.basis) };
    if !basis || request.basis.len() > LIMIT {
        return Err(OpsError::Basis { member: "basis" });
    }
    if !is_reference(&request.reference) {
        return Err(OpsError::Basis { member: "request" });
    }
    Ok(())
}

/// `art`, numbers with dots between and at most one letter at the end: `art17`, `art17.1.a`.
fn is_article(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(ARTICLE) else { return false };
    let numbers = match rest.rsplit_once('.') {
        Some((numbers, end)) if end.len() == 1 && end.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            numbers
        }
        _ => rest,
    };
    numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A number with what people write around it. Names are runs of letters; one is left for what references begin with.
fn is_reference(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).count();
    (1..=LIMIT).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && words <= 1
        && scan(text.as_bytes()).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_is_an_article() {
        for text in ["art17", "art17.1", "art17.1.a", "art6.1.f", "art17.3.b"] {
            assert!(is_article(text), "{text}");
        }
        for text in [
            "artichoke",
            "art",
            "art17.",
            "art.17",
            "art17.a.1",
            "art17.1.ab",
            "art17.1.A",
            "17.1.a",
            "art17a",
        ] {
            assert!(!is_article(text), "{text}");
        }
    }

    #[test]
    fn a_reference_has_a_number_and_no_name() {
        for text in ["R-2026-0042", "2026/17", "retention-2026-11-22", "DSR_7"] {
            assert!(is_reference(text), "{text}");
        }
        for text in ["Jean-Dupont", "R-Dupont-7", "Dupont", "", "R 7", "7\n8", "\u{e9}7", &"7".repeat(65)] {
            assert!(!is_reference(text), "{text}");
        }
    }
}
