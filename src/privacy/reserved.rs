//! Examples that are nobody's: domains and addresses that standards keep free for documentation.

/// Domains of RFC 2606 and RFC 6761, and what is below them.
pub(super) fn is_reserved_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    // An IPv6 address has colons of its own; in brackets, a port may follow.
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
        None => host.as_str(),
    };
    let below =
        |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    ["example.org", "example.com", "example.net", "example", "test", "invalid", "localhost"]
        .into_iter()
        .any(below)
        || is_reserved_address(host)
}

/// Ranges of RFC 5737 and RFC 3849, and those that no person has.
pub(super) fn is_reserved_address(address: &str) -> bool {
    let address = address.trim_matches(['[', ']']);
    if let Ok(address) = address.parse::<std::net::Ipv4Addr>() {
        return address.is_documentation()
            || address.is_private()
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_link_local()
            || address.is_broadcast()
            || address.is_multicast();
    }
    address.parse::<std::net::Ipv6Addr>().is_ok_and(|address| {
        let segments = address.segments();
        segments[..2] == [0x2001, 0xdb8]
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_unique_local()
            || address.is_unicast_link_local()
    })
}

/// A value that stands for one: a template, a parameter, a mask, a word of documentation.
pub(super) fn is_stand_in(value: &str) -> bool {
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
    value.is_empty()
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
