//! The next trust document: the one in force with some changes.

use super::TrustError;
use crate::chain::Authority;
use crate::codec::policy::Policy;
use crate::crypto::{Digest, KeyId, PublicKey};
use crate::model::{KeyRole, Revocation, RevocationReason, TrustDocument, TrustedKey};

/// A key that is added.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub public: PublicKey,
    pub roles: Vec<KeyRole>,
    /// A role or a workload, not a person.
    pub label: String,
}

/// A key that counts no more.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Its keyid, or as much of the front of it as no other key has.
    pub key: String,
    pub reason: RevocationReason,
    /// From which entry on; `None`: from the one that takes it away.
    pub since: Option<u64>,
}

/// What changes. A key is named by its keyid, or by as much of the front of it as no other key has.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    pub add: Vec<NewKey>,
    pub roles: Vec<(String, Vec<KeyRole>)>,
    pub revoke: Vec<Revoke>,
    pub thresholds: Vec<(KeyRole, u32)>,
    /// The C2SP tlog-policy; empty asks for no witness.
    pub policy: Option<String>,
    /// PEM texts, each of one or more certificates.
    pub add_authorities: Vec<String>,
    /// By the SHA-256 of their text, in hexadecimal digits.
    pub remove_authorities: Vec<String>,
}

/// As much of a keyid as has to be written.
const SHORTEST: usize = 8;

impl Edits {
    /// The document that follows `document` with entry `seq`.
    ///
    /// # Errors
    /// [`TrustError`] for what cannot be meant.
    pub fn follow(&self, document: &TrustDocument, seq: u64) -> Result<TrustDocument, TrustError> {
        let mut next = document.clone();
        for NewKey { public, roles, label } in &self.add {
            let (id, roles) = (public.id(), distinct(roles)?);
            let key = TrustedKey { public: *public, roles, label: label.clone() };
            if next.keys.insert(id, key).is_some() {
                return Err(TrustError::Listed(id));
            }
        }
        for (named, roles) in &self.roles {
            let (id, roles) = (find(&next, named)?, distinct(roles)?);
            next.keys.entry(id).and_modify(|key| key.roles = roles);
        }
        for revoke in &self.revoke {
            let key = find(&next, &revoke.key)?;
            let since = revoke.since.unwrap_or(seq);
            // A retired key may turn out to be stolen, and one to be stolen for longer.
            let says_so = |known: &&Revocation| {
                let longer = known.reason == RevocationReason::Compromised && known.since <= since;
                known.key == key && (revoke.reason == RevocationReason::Retired || longer)
            };
            if let Some(known) = next.revoked.iter().find(says_so) {
                return Err(TrustError::Revoked { keyid: key, since: known.since });
            }
            next.revoked.push(Revocation { key, since, reason: revoke.reason });
        }
        for (role, threshold) in &self.thresholds {
            match (role, threshold) {
                (KeyRole::Signer | KeyRole::Root, 0) => return Err(TrustError::ZeroThreshold(*role)),
                (KeyRole::Root, _) => next.thresholds.root = *threshold,
                (KeyRole::Signer, _) => next.thresholds.signer = *threshold,
                (KeyRole::Approver, _) => next.thresholds.approver = *threshold,
            }
        }
        if let Some(policy) = &self.policy {
            // One that nobody can read would be a finding in every head from there on.
            Policy::of_trust(policy).map_err(|error| TrustError::Policy(Box::new(error)))?;
            next.policy.clone_from(policy);
        }
        self.change_authorities(&mut next.authorities)?;
        if next == *document {
            return Err(TrustError::NoChange);
        }
        next.version = next.version.saturating_add(1);
        Ok(next)
    }

    fn change_authorities(&self, authorities: &mut Vec<String>) -> Result<(), TrustError> {
        for named in &self.remove_authorities {
            let found = authorities.iter().position(|text| Digest::of(text.as_bytes()).to_string() == *named);
            authorities.remove(found.ok_or_else(|| TrustError::UnknownAuthority(named.clone()))?);
        }
        for text in &self.add_authorities {
            for certificate in certificates(text)? {
                if !authorities.contains(&certificate) {
                    authorities.push(certificate);
                }
            }
        }
        Ok(())
    }
}

fn distinct(roles: &[KeyRole]) -> Result<Vec<KeyRole>, TrustError> {
    let mut sorted = roles.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.is_empty() || sorted.len() != roles.len() { Err(TrustError::Roles) } else { Ok(sorted) }
}

fn find(document: &TrustDocument, named: &str) -> Result<KeyId, TrustError> {
    let mut found = document.keys.keys().filter(|id| id.to_string().starts_with(named));
    match (found.next(), found.next()) {
        (Some(id), None) if named.len() >= SHORTEST => Ok(*id),
        (Some(_), Some(_)) => Err(TrustError::Ambiguous(named.to_owned())),
        _ => Err(TrustError::UnknownKey(named.chars().take(80).collect())),
    }
}

/// Each certificate of a PEM text, without what stands around them.
fn certificates(text: &str) -> Result<Vec<String>, TrustError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if text.contains("PRIVATE KEY-----") {
        return Err(TrustError::Authority("it holds a private key"));
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, after) = after.split_once(END).ok_or(TrustError::Authority("it is cut off"))?;
        let lines: Vec<&str> = body.split_ascii_whitespace().collect();
        let authority = Authority::parse(&format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")));
        let authority = authority.map_err(|_| TrustError::Authority("its text is no certificate"))?;
        found.push(authority.to_pem());
        rest = after;
    }
    if found.is_empty() {
        Err(TrustError::Authority("nothing begins with BEGIN CERTIFICATE"))
    } else {
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;
    use crate::ops::init::sole_key;

    fn public(seed: u8) -> PublicKey {
        *PrivateKey::from_seed(&[seed; 32]).public()
    }

    fn document() -> TrustDocument {
        sole_key("demo".parse().unwrap(), public(1), "operator")
    }

    fn new_key(seed: u8, roles: &[KeyRole]) -> NewKey {
        NewKey { public: public(seed), roles: roles.to_vec(), label: "ci".to_owned() }
    }

    fn revoke(seed: u8, reason: RevocationReason, since: Option<u64>) -> Edits {
        let key = public(seed).id().to_string()[..SHORTEST].to_owned();
        Edits { revoke: vec![Revoke { key, reason, since }], ..Edits::default() }
    }

    #[test]
    fn a_key_that_is_retired_may_turn_out_to_be_stolen_and_not_the_other_way_round() {
        use RevocationReason::{Compromised, Retired};
        let retired = revoke(1, Retired, None).follow(&document(), 5).unwrap();
        assert_eq!((retired.version, retired.revoked[0].since), (2, 5));
        let is_refused = |edits: Edits, document: &TrustDocument| {
            matches!(edits.follow(document, 9), Err(TrustError::Revoked { .. }))
        };
        assert!(is_refused(revoke(1, Retired, None), &retired));
        let stolen = revoke(1, Compromised, Some(3)).follow(&retired, 9).unwrap();
        assert!(is_refused(revoke(1, Compromised, Some(3)), &stolen));
        assert!(is_refused(revoke(1, Retired, Some(1)), &stolen));
        assert!(revoke(1, Compromised, Some(2)).follow(&stolen, 9).is_ok());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |edits: Edits| edits.follow(&document(), 5).unwrap_err().to_string();
        assert!(refused(Edits::default()).contains("nothing would change"));
        let add = |key| Edits { add: vec![key], ..Edits::default() };
        assert!(refused(add(new_key(1, &[KeyRole::Root]))).contains("already"));
        assert!(refused(add(new_key(2, &[]))).contains("role"));
        assert!(refused(add(new_key(2, &[KeyRole::Root, KeyRole::Root]))).contains("role"));
        for (role, threshold) in [(KeyRole::Root, 0), (KeyRole::Signer, 0)] {
            refused(Edits { thresholds: vec![(role, threshold)], ..Edits::default() });
        }
        for named in ["", "7", "7ab6b86", "0000000000"] {
            let roles = vec![(named.to_owned(), vec![KeyRole::Root])];
            assert!(refused(Edits { roles, ..Edits::default() }).contains("names no key"), "{named}");
        }
    }

    #[test]
    fn authorities_are_certificates_one_by_one() {
        let one = include_str!("../../../tests/timestamps/authority-one.pem");
        let two = include_str!("../../../tests/timestamps/authority-two.pem");
        let add = |text: String| Edits { add_authorities: vec![text], ..Edits::default() };
        let next =
            add(format!("subject=x\n{one}{}", two.replace('\n', "\r\n"))).follow(&document(), 5).unwrap();
        assert_eq!(next.authorities, [one, two]);
        for bad in ["", "MAAA", &one[..40], &one.replacen("MII", "AII", 1), &one.replacen("MII", "M", 1)] {
            assert!(add(bad.to_owned()).follow(&document(), 5).is_err(), "{bad}");
        }
        let digest = Digest::of(one.as_bytes()).to_string();
        let remove = Edits { remove_authorities: vec![digest], ..Edits::default() };
        assert_eq!(remove.follow(&next, 6).unwrap().authorities, [two]);
        assert!(matches!(remove.follow(&document(), 6), Err(TrustError::UnknownAuthority(_))));
    }
}
