//! Secrets with a form of their own: keys of clouds and forges, hashes of passwords, private keys.

use super::finding::Hit;
use super::pattern::{Pattern, pattern};

/// A rule and its pattern; where the pattern has a group, that is the secret.
static TOKENS: [(&str, Pattern); 51] = [
    ("aws-access-key", Pattern::new(|| pattern(r"(?-u)\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"))),
    ("gcp-key", Pattern::new(|| pattern(r"(?-u)\bAIza[0-9A-Za-z_-]{30,45}"))),
    ("gcp-key", Pattern::new(|| pattern(r"(?-u)\bGOCSPX-[0-9A-Za-z_-]{20,40}"))),
    ("gcp-key", Pattern::new(|| pattern(r"(?-u)\bya29\.[0-9A-Za-z_-]{20,}"))),
    (
        "azure-key",
        Pattern::new(|| pattern(r"(?-u)\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})")),
    ),
    ("azure-key", Pattern::new(|| pattern(r"(?-u)\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"))),
    ("azure-key", Pattern::new(|| pattern(r"(?-u)[?&]sv=20[0-9]{2}[^\s'\x22]*?&sig=([A-Za-z0-9%+/=]{30,})"))),
    ("github-token", Pattern::new(|| pattern(r"(?-u)\bgh[pousr]_[A-Za-z0-9]{30,}"))),
    ("github-token", Pattern::new(|| pattern(r"(?-u)\bgithub_pat_[A-Za-z0-9_]{22,}"))),
    (
        "gitlab-token",
        Pattern::new(|| pattern(r"(?-u)\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas)-[A-Za-z0-9_-]{18,}")),
    ),
    ("slack-token", Pattern::new(|| pattern(r"(?-u)\bxox[abeoprs]-[A-Za-z0-9-]{10,}"))),
    ("slack-token", Pattern::new(|| pattern(r"(?-u)\bxapp-[0-9]-[A-Za-z0-9-]{10,}"))),
    (
        "slack-token",
        Pattern::new(|| pattern(r"(?-u)hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9+/]{20,})")),
    ),
    ("stripe-key", Pattern::new(|| pattern(r"(?-u)\b[srp]k_(?:live|test)_[A-Za-z0-9]{10,}"))),
    ("stripe-key", Pattern::new(|| pattern(r"(?-u)\bwhsec_[A-Za-z0-9+/=]{16,}"))),
    ("npm-token", Pattern::new(|| pattern(r"(?-u)\bnpm_[A-Za-z0-9]{30,}"))),
    ("pypi-token", Pattern::new(|| pattern(r"(?-u)\bpypi-[A-Za-z0-9_-]{16,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\b(?:AC|SK)[0-9a-f]{32}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bsk-[A-Za-z0-9_-]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bdo[opr]_v1_[0-9a-f]{40,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bhf_[A-Za-z0-9]{30,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bhv[sb]\.[A-Za-z0-9_-]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bdckr_pat_[A-Za-z0-9_-]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\blin_api_[A-Za-z0-9]{30,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bdapi[0-9a-f]{32}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\brubygems_[0-9a-f]{40,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bATATT3[A-Za-z0-9_=-]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bNRAK-[A-Z0-9]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bSCW[A-Z0-9]{17}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bkey-[0-9a-f]{32}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bsq0(?:atp|csp|idp)-[A-Za-z0-9_-]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}"))),
    ("jwt", Pattern::new(|| pattern(r"(?-u)\beyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"))),
    ("private-key", Pattern::new(|| pattern(r"(?-u)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"))),
    ("private-key", Pattern::new(|| pattern(r"(?-u)\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"))),
    ("private-key", Pattern::new(|| pattern(r"(?-u)\bPuTTY-User-Key-File-[0-9]:"))),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{40,60}"))),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\$argon2(?:id|i|d)\$[A-Za-z0-9+/=$,.-]{20,}"))),
    (
        "password-hash",
        Pattern::new(|| pattern(r"(?-u)\$(?:scrypt|pbkdf2[a-z0-9-]*|yescrypt)\$[A-Za-z0-9+/=$,._-]{20,}")),
    ),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\$(?:y|7|gy)\$[./A-Za-z0-9$]{20,}"))),
    (
        "password-hash",
        Pattern::new(|| {
            pattern(r"(?-u)\$(?:1|5|6|apr1)\$(?:rounds=[0-9]+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{20,90}")
        }),
    ),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\$[PH]\$[./A-Za-z0-9]{31}"))),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\$A\$005\$[^'\x22\n]{20,}"))),
    (
        "password-hash",
        Pattern::new(|| pattern(r"(?-u)\bSCRAM-SHA-(?:1|256|512)\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=:]+")),
    ),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\bmd5[0-9a-f]{32}\b"))),
    (
        "password-hash",
        Pattern::new(|| pattern(r"(?-u)\bpbkdf2(?:_sha[0-9]+\$|:sha[0-9]+:)[0-9]+\$[^\s'\x22]{16,}")),
    ),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\bscrypt:[0-9]+:[0-9]+:[0-9]+\$[^\s'\x22]{16,}"))),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)\{S?SHA(?:256|512)?\}[A-Za-z0-9+/=]{20,}"))),
    ("password-hash", Pattern::new(|| pattern(r"(?-u)'(\*[0-9A-F]{40})'"))),
];

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for (rule, pattern) in &TOKENS {
        for found in pattern.captures_iter(text) {
            if let Some(secret) = found.get(1).or_else(|| found.get(0)) {
                hits.push(Hit::new(rule, secret.range(), 0));
            }
        }
    }
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
    fn tokens_are_known_by_their_form() {
        let run = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5";
        for (text, rule) in [
            ("AKIAQ7R5T2Y8U4I6O3PA".to_owned(), "aws-access-key"),
            (format!("ghp_{run}"), "github-token"),
            (format!("glpat-{}", &run[..20]), "gitlab-token"),
            (format!("npm_{run}"), "npm-token"),
            (format!("sk_live_{run}"), "stripe-key"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln".to_owned(), "jwt"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "private-key"),
            (format!("$2b$12${run}{run}")[..60].to_owned(), "password-hash"),
            ("md5d41d8cd98f00b204e9800998ecf8427e".to_owned(), "password-hash"),
        ] {
            assert_eq!(rules(&text), [rule], "{text}");
        }
    }

    #[test]
    fn digests_identifiers_and_public_keys_are_none() {
        for text in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "018f4c1e-7b2a-7c3d-9e4f-5a6b7c8d9e0f",
            "-----BEGIN PUBLIC KEY-----",
            "npm_config_cache",
        ] {
            assert_eq!(rules(text), [""; 0], "{text}");
        }
    }
}
