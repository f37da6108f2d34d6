//! Whether a word without quotes is a secret that somebody typed, rather than code or documentation.

use super::reserved::tells_of_secret;
use super::word_list::WordList;

/// Letters and digits or signs together, and no code.
pub(crate) fn is_key_like(value: &str) -> bool {
    let small = value.to_ascii_lowercase();
    let of_row = ["new.", "old.", "excluded.", "argon2", "http:", "https:"];
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    let letters = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let signs = value.bytes().any(|byte| b"!#%^&*+?~".contains(&byte));
    value.len() >= 6
        && letters
        && (digits || signs || value.len() >= 12 && value.ends_with('='))
        && !value.contains(['(', ')'])
        && !value.starts_with(['$', '@', ':', '?', '%', '{', '[', '<', '&', '*'])
        && !(value.contains('[') && value.ends_with(']'))
        && !of_row.iter().any(|start| small.starts_with(start))
        && !small.bytes().all(|byte| !byte.is_ascii_alphabetic() || byte == b'x')
        && !is_identifier(value)
        && !is_column(value)
        && !is_documentation(value)
}

/// A word of letters alone, which only stands for a secret where nothing else can be meant.
pub(crate) fn is_plain_secret(value: &str) -> bool {
    value.len() >= 5 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !tells_of_secret(value)
}

/// `p_password2`, `user_token_1`: a name of code.
pub(crate) fn is_identifier(value: &str) -> bool {
    let words = value.trim_start_matches('_').split('_');
    value.contains('_')
        && (words.clone().count() > 1 || value.starts_with('_'))
        && words.into_iter().all(|word| {
            let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
            let number = word.len() - letters.len();
            letters.bytes().all(|byte| byte.is_ascii_lowercase()) && number <= 2
        })
}

/// `t2.token`, `p.pwd_hash2`: a column of a table.
fn is_column(value: &str) -> bool {
    let mut parts = value.split('.');
    let named = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    value.contains('.') && parts.clone().count() <= 3 && parts.all(named)
}

/// `PBKDF2-SHA512`, `64-char`, `RFC6750`, `JIRA-1234`, `base64url-encoded`: words that tell of a secret.
fn is_documentation(value: &str) -> bool {
    let value = value.trim_end_matches(['.', ':', ')', '?', '!', '+', ';', ',']);
    let mut parts = value.split(['-', '_', '/', '+', '.', ':']).filter(|part| !part.is_empty());
    value.is_empty() || parts.all(|part| is_word(part) || is_number(part) || is_algorithm(part))
}

/// The same, where only words count that are known to tell of secrets: behind `mot de passe :`, any other may be one.
pub(crate) fn tells_form(value: &str) -> bool {
    value
        .split(['-', '_', '/', '+', '.', ':'])
        .all(|part| tells_of_secret(part) || is_number(part) || is_algorithm(part))
}

/// Letters of one kind, or as a name has them.
fn is_word(part: &str) -> bool {
    let rest = part.get(1..).unwrap_or_default();
    let letters = part.chars().all(char::is_alphabetic);
    letters
        && (rest.chars().all(char::is_lowercase) || part.chars().all(char::is_uppercase) && part.len() <= 8)
}

fn is_number(part: &str) -> bool {
    part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// A known word and a number: `SHA256`, `base64url`, `v4`; or the number of a paper: `RFC6750`.
fn is_algorithm(part: &str) -> bool {
    const KNOWN: WordList = WordList(
        "sha md bcrypt argon uuid uuidv varchar nvarchar char base baseurl hex utf aes rsa hmac int bigint pbkdf \
        scrypt ed p jsonb bytea v oauth rs hs es ps mysql postgresql pg sql rfc iso fips pkcs x tls ssl fernet ascii totp otp \
        chacha poly blowfish nist c b k m g bytes bits chars",
    );
    let letters: String =
        part.chars().filter(|c| !c.is_ascii_digit()).map(|c| c.to_ascii_lowercase()).collect();
    let digits = part.len() - letters.len();
    let begins = part.starts_with(|c: char| c.is_ascii_alphabetic());
    let of_paper =
        begins && letters.len() <= 5 && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    digits <= 4 && (KNOWN.has(&letters) || of_paper && digits <= 4 && letters.len() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_told_from_words() {
        for text in
            ["Azerty-1789!15", "k7Qz81mm22", "Soleil2024", "Tr0ub4dor&3", "nuage_Violet77", "abc123def"]
        {
            assert!(is_key_like(text), "{text}");
        }
        for text in [
            "64-char",
            "base64url-encoded",
            "PBKDF2-SHA512",
            "JWT-RS256",
            "RFC6750",
            "JIRA-1234",
            "MySQL8-only",
            "v4-uuid",
            "uuid4",
            "t2.token",
            "p.pwd_hash2",
            "_token_tmp",
            "api_token_v2",
            "bcrypt(12)",
            "$1",
            "soleil",
        ] {
            assert!(!is_key_like(text), "{text}");
        }
    }
}
