//! Examples that are nobody's: domains and addresses that standards keep free for documentation, and words that
//! stand for a value. It reads addresses and opens none.

use super::word_list::WordList;

/// Domains of RFC 2606 and RFC 6761, and what is below them.
pub(crate) fn is_reserved_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    // An IPv6 address has colons of its own; in brackets, a port may follow.
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
        None => host.as_str(),
    };
    let below =
        |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    RESERVED.into_iter().any(below) || is_reserved_address(host)
}

const RESERVED: [&str; 7] =
    ["example.org", "example.com", "example.net", "example", "test", "invalid", "localhost"];

/// Names that only a network of its own knows.
pub(crate) fn is_internal_host(host: &str) -> bool {
    let end = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    ["internal", "local", "lan", "intranet", "intra", "corp", "home"]
        .into_iter()
        .any(|known| end.eq_ignore_ascii_case(known))
}

/// Words that documentation writes in the place of a password.
pub(crate) fn is_example_password(password: &str) -> bool {
    const WORDS: [&str; 14] = [
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "user",
        "mot_de_passe",
        "motdepasse",
        "mdp",
        "changeme",
        "change_me",
        "change-me",
        "foo",
        "bar",
    ];
    WORDS.into_iter().any(|word| password.eq_ignore_ascii_case(word))
}

/// Words by which documentation tells what kind of secret is kept, or that one has to be.
pub(crate) fn tells_of_secret(word: &str) -> bool {
    const WORDS: WordList = WordList(
        "encoded haché hachée hache hashed hash hachage chiffré chiffre encrypted opaque random aléatoire unique uuid guid \
        jwt bearer bcrypt argon scrypt sha md base base64 hex bytes string varchar text char json obligatoire facultatif \
        optionnel mandatory required optional expired expiré généré generated stored stocké voir see never jamais only min \
        max length longueur caractères characters chars salted salé plain clair server serveur client user users admin api \
        the le la un une a an is est must doit used utilisé empty vide nullable not non no oui yes",
    );
    let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    word.is_empty() || WORDS.has(&word)
}

/// Addresses of public resolvers, and of examples that are older than the ranges for them.
pub(crate) fn is_public_service(address: &str) -> bool {
    const KNOWN: [&str; 9] = [
        "8.8.8.8",
        "8.8.4.4",
        "1.1.1.1",
        "1.0.0.1",
        "9.9.9.9",
        "1.2.3.4",
        "208.67.222.222",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
    ];
    KNOWN.contains(&address)
}

/// Ranges of RFC 5737 and RFC 3849, and those that no person has.
pub(crate) fn is_reserved_address(address: &str) -> bool {
    let address = address.trim_matches(['[', ']']);
    if let Ok(address) = address.parse::<core::net::Ipv4Addr>() {
        return address.is_documentation()
            || address.is_private()
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_link_local()
            || address.is_broadcast()
            || address.is_multicast();
    }
    address.parse::<core::net::Ipv6Addr>().is_ok_and(|address| {
        let segments = address.segments();
        segments[..2] == [0x2001, 0xdb8]
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_unique_local()
            || address.is_unicast_link_local()
    })
}

/// A value that stands for one: a template, a parameter, a mask, a word of documentation.
pub(crate) fn is_stand_in(value: &str) -> bool {
    const STARTS: [&str; 12] =
        ["{{", "${", "%(", "<", "$", ":", "?", "env:", "file:", "vault:", "ENV[", "%s"];
    const WORDS: [&str; 24] = [
        "null",
        "none",
        "true",
        "false",
        "string",
        "text",
        "varchar",
        "integer",
        "boolean",
        "required",
        "optional",
        "redacted",
        "masked",
        "hidden",
        "removed",
        "secret_here",
        "your_password",
        "your-password",
        "yourpassword",
        "new.password",
        "bytea",
        "uuid",
        "json",
        "unset",
    ];
    let value = value.trim();
    let masks = |c: char| matches!(c, '*' | 'x' | 'X' | '.' | '-' | '_' | '•' | '#');
    let is_hash = value.starts_with('$') && value.get(1..).is_some_and(|rest| rest.contains('$'));
    let named = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let is_field =
        named.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    value.is_empty()
        || is_field
        || value.chars().all(masks)
        || !is_hash && STARTS.iter().any(|start| value.starts_with(start))
        || ["{{", "${", "%(", "…", "..."].iter().any(|mark| value.contains(mark))
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_is_nobodys() {
        for host in [
            "example.org",
            "db.example.com",
            "a.test",
            "x.invalid",
            "192.0.2.7",
            "[2001:db8::1]",
            "localhost:5432",
        ] {
            assert!(is_reserved_host(host), "{host}");
        }
        for host in ["myexample.org", "example.fr", "contest", "8.8.8.8", "2001:4860::1"] {
            assert!(!is_reserved_host(host), "{host}");
        }
        assert!(is_stand_in("{{ password }}") && is_stand_in("****") && is_stand_in("$1"));
        assert!(!is_stand_in("$2b$12$abc") && !is_stand_in("hunter2"));
    }
}
