//! Passwords by the statement or the address around them.

use super::finding::Hit;
use super::pattern::{Pattern, pattern};
use super::reserved::{is_reserved_host, is_stand_in};

static ADDRESS: Pattern = Pattern::new(|| {
    pattern(
        r"(?-u)\b[A-Za-z][A-Za-z0-9+.-]{1,24}://[^\s/:@'\x22<>]{0,80}:([^\s/@'\x22<>]{1,200})@([^\s/'\x22?#<>,)]{1,253})",
    )
});
static STATEMENTS: [(&str, Pattern); 11] = [
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\bpassword[\x22`]?\s*(?:=\s*)?\(?\s*[en]?(?:'{1,2}|\x22)([^'\x22\n]{1,200})['\x22]",
            )
        }),
    ),
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\bidentified\s+(?:by|(?:with|via)\s+['`\x22]?[a-z0-9_]+['`\x22]?\s+(?:by|as|using))\s+(?:password\s*\(?\s*)?(?:'{1,2}|\x22)([^'\x22\n]{1,200})['\x22]",
            )
        }),
    ),
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\bset\s+password\s+for\s+[^;=\n]{1,200}=\s*(?:password\s*\(\s*)?['\x22]([^'\x22\n]{1,200})['\x22]",
            )
        }),
    ),
    ("sql-password", Pattern::new(|| pattern(r"(?i-u)\bcrypt\s*\(\s*(?:'{1,2})([^'\n]{1,200})'"))),
    (
        "sql-password",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\b(?:pgp_sym_(?:en|de)crypt[a-z_]{0,8}|aes_(?:en|de)crypt|hmac)\s*\([^;\n]{1,200}?,\s*'{1,2}([^'\n]{8,200})'",
            )
        }),
    ),
    (
        "sql-password",
        Pattern::new(|| pattern(r"(?i-u)\bpragma\s+(?:hex)?(?:re)?key\s*=\s*\x22?'?([^'\x22\s;]{4,200})")),
    ),
    ("sql-password", Pattern::new(|| pattern(r"(?i-u)\battach\b[^;\n]{1,200}\bkey\s+'([^'\n]{1,200})'"))),
    ("authorization", Pattern::new(|| pattern(r"(?i-u)\b(?:bearer|basic)\s+([A-Za-z0-9+/_.~-]{16,}=*)"))),
    ("sql-password", Pattern::new(|| pattern(r"(?i-u)\bpassword\s+\$\$([^$\n]{1,200})\$\$"))),
    (
        "secret-value",
        Pattern::new(|| {
            pattern(
                r"(?i-u)\bset\s+[a-z0-9_.]{0,60}(?:secret|password|token|api_?key)[a-z_]{0,20}\s+to\s+'([^'\n]{4,200})'",
            )
        }),
    ),
    (
        "sql-password",
        Pattern::new(|| pattern(r"(?i-u)\bmysql(?:dump|admin)?\s[^\n]{0,80}?\s-p([^\s'\x22]{4,64})")),
    ),
];

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for found in ADDRESS.captures_iter(text) {
        let (Some(password), Some(host)) = (found.get(1), found.get(2)) else { continue };
        let shown = String::from_utf8_lossy(password.as_bytes());
        let host = String::from_utf8_lossy(host.as_bytes());
        // Documentation writes `user:password@example.org`; a password that is none of these words is one anywhere.
        let example = is_reserved_host(&host) && is_example(&shown);
        if !is_stand_in(&shown) && !example {
            hits.push(Hit::new("url-password", password.range(), 0));
        }
    }
    for (rule, pattern) in &STATEMENTS {
        for found in pattern.captures_iter(text) {
            let Some(value) = found.get(1) else { continue };
            let shown = String::from_utf8_lossy(value.as_bytes());
            if !is_stand_in(&shown) && (*rule != "authorization" || is_mixed(&shown)) {
                hits.push(Hit::new(rule, value.range(), 1));
            }
        }
    }
}

fn is_example(password: &str) -> bool {
    ["password", "pass", "pwd", "secret", "user", "mot_de_passe", "motdepasse"]
        .into_iter()
        .any(|word| password.eq_ignore_ascii_case(word))
}

/// Letters and digits, as no word of a sentence has them.
fn is_mixed(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
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
    fn passwords_of_statements_and_addresses_are_found() {
        for (text, rule) in [
            ("CREATE ROLE a LOGIN PASSWORD 'Xy7!kk'", "sql-password"),
            ("CREATE USER 'a'@'%' IDENTIFIED BY 'Xy7!kk'", "sql-password"),
            ("ALTER USER a IDENTIFIED WITH mysql_native_password BY 'Xy7!kk'", "sql-password"),
            ("SET PASSWORD FOR 'a'@'h' = 'Xy7!kk'", "sql-password"),
            ("UPDATE u SET p = crypt('Xy7!kk', gen_salt('bf'))", "sql-password"),
            ("postgres://app:Xy7kk@db.interne:5432/x", "url-password"),
            ("redis://:Xy7kk@cache/0", "url-password"),
            ("amqp://app:Xy7kk@mq.example.com", "url-password"),
            ("Authorization: Bearer a1b2c3d4e5f6g7h8", "authorization"),
            ("PRAGMA key = 'Xy7!kk'", "sql-password"),
        ] {
            assert_eq!(rules(text), [rule], "{text}");
        }
        for text in [
            "password VARCHAR(255) NOT NULL",
            "postgres://user:password@db.example.org/x",
            "https://example.org/a:b",
            "CREATE ROLE a PASSWORD '{{ password }}'",
            "CREATE USER a IDENTIFIED BY '${PASSWORD}'",
            "-- the bearer authenticates",
            "PASSWORD NULL",
        ] {
            assert_eq!(rules(text), [""; 0], "{text}");
        }
    }
}
