//! Secrets with a form of their own: keys of clouds and forges, hashes of passwords, private keys.

use super::finding::Hit;
use super::pattern::{Pattern, pattern};

/// A rule and its pattern; where the pattern has a group, that is the secret.
static TOKENS: [(&str, Pattern); 75] = [
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
    ("pypi-token", Pattern::new(|| pattern(r"(?-u)\bpypi-AgE[A-Za-z0-9_-]{16,}"))),
    ("pypi-token", Pattern::new(|| pattern(r"(?-u)\b(pypi-[A-Za-z0-9_-]{40,})"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)['\x22=](SK[0-9a-f]{32})\b"))),
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
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bxkeysib-[0-9a-f]{40,}-[A-Za-z0-9]{10,}"))),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(
                r"(?-u)https://(?:(?:canary|ptb)\.)?discord(?:app)?\.com/api/webhooks/[0-9]{15,20}/[A-Za-z0-9_-]{30,}",
            )
        }),
    ),
    (
        "cloud-token",
        Pattern::new(|| pattern(r"(?-u)\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}")),
    ),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(
                r"(?-u)\boutlook\.office(?:365)?\.com/webhook/[0-9a-f-]{36}@?[^\s'\x22]*/IncomingWebhook/[0-9a-zA-Z]{10,}/[^\s'\x22]+",
            )
        }),
    ),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(r"(?-u)\.webhook\.office\.com/webhookb2/[^\s'\x22]*/IncomingWebhook/[^\s'\x22]{20,}")
        }),
    ),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}"))),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(
                r"(?-u)\bhttps://[0-9a-f]{32}(?::[0-9a-f]{32})?@[a-z0-9.-]*sentry\.(?:io|[a-z0-9.-]+)/[0-9]+",
            )
        }),
    ),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(r"(?-u)\bhttps://[0-9a-f]{32}@o[0-9]{3,8}\.ingest(?:\.[a-z]{2})?\.[a-z0-9.-]+/[0-9]+")
        }),
    ),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bgl(?:sa|c)_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bsecret_[A-Za-z0-9]{40,50}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bntn_[A-Za-z0-9]{40,50}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bfig[dorh]_[A-Za-z0-9_-]{36,}"))),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(r"(?-u)\bpat-(?:eu1|na1|na2)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
        }),
    ),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bsgp_[0-9a-f_]{40,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bATBB[A-Za-z0-9_=-]{24,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bATCTT3[A-Za-z0-9_=-]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bgta_[0-9a-f]{40}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{50,}"))),
    (
        "cloud-token",
        Pattern::new(|| pattern(r"(?-u)\bHRKU-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bsbp_[0-9a-f]{40}\b"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"))),
    ("cloud-token", Pattern::new(|| pattern(r"(?-u)\bph[cx]_[A-Za-z0-9]{32,}"))),
    (
        "cloud-token",
        Pattern::new(|| {
            pattern(
                r"(?-u)\b(?:pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{30,}|dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9.]{40,}|rdme_[a-z0-9]{70}|EAA[A-Z][A-Za-z0-9]{40,})",
            )
        }),
    ),
    ("jwt", Pattern::new(|| pattern(r"(?-u)\beyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"))),
    (
        "private-key",
        Pattern::new(|| {
            pattern(
                r"(?-u)(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?:\\+[nr]|\s|<br>)*[A-Za-z0-9+/=]{8,}",
            )
        }),
    ),
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
    ("password-hash", Pattern::new(|| pattern(r"(?-u)['\x22\t,](md5[0-9a-f]{32})\b"))),
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
            if let Some(secret) = found.get(1).or_else(|| found.get(0))
                && !is_of_words(secret.as_bytes())
            {
                hits.push(Hit::new(rule, secret.range(), 0));
            }
        }
    }
}

/// Small words that hyphens join, behind a beginning that some tokens have too: `sk-learn-based-model`.
fn is_of_words(token: &[u8]) -> bool {
    let begins = token.starts_with(b"sk-") || token.starts_with(b"pypi-");
    begins && !token.iter().any(u8::is_ascii_digit)
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
            (format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{run}"), "private-key"),
            (format!("$2b$12${run}{run}")[..60].to_owned(), "password-hash"),
            ("'md5d41d8cd98f00b204e9800998ecf8427e'".to_owned(), "password-hash"),
            (
                format!("PMAK-{0}-{0}01234567", "0a1b2c3d4e5f6a7b8c9d0e1f")
                    .replace("-0a1b2c3d4e5f6a7b8c9d0e1f01234567", "-0a1b2c3d4e5f6a7b8c9d0e1f0123456789"),
                "cloud-token",
            ),
            (format!("sbp_{}", "0a1b2c3d4e".repeat(4)), "cloud-token"),
            (format!("glsa_{}_1a2b3c4d", &run[..32]), "cloud-token"),
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
            "sk-learn-based-model-name-long",
            "pypi-some-package-name-here",
            "begins with -----BEGIN PRIVATE KEY-----",
            "-- md5d41d8cd98f00b204e9800998ecf8427e",
            "-- SK0123456789abcdef0123456789abcdef (sid)",
        ] {
            assert_eq!(rules(text), [""; 0], "{text}");
        }
    }
}
