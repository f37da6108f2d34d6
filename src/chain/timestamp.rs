//! Whether a timestamp token proves that a checkpoint was there at a time (FORMAT §9, step 8; RFC 3161 §2.2): the token
//! is over its signature, it is signed by the certificate that it names, and that one leads, at that time, to an
//! authority of the trust document.
//!
//! Each authority is looked at alone: nothing of a chain, a window or a name counts for another one.

use serde::Serialize;

use crate::codec::certificate::{Certificate, decode_certificate_pem, encode_certificate_pem};
use crate::codec::cms::{CertificateDigest, SignedData, SignerId};
use crate::codec::note::{Note, NoteVerdict};
use crate::codec::timestamp::{TimeStampToken, TokenError, decode_response, decode_token, shortest};
use crate::crypto::{
    ChainFault, Digest, DigestAlgorithm, KeyId, PublicKey, verify_by_certificate, verify_chain,
};
use crate::model::{Checkpoint, Cid, KeyRole, Timestamp, TrustDocument};

/// More tokens in one head are not looked at.
pub const TOKENS_LIMIT: usize = 32;

/// The root of a timestamp authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    certificate: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    name: String,
}

/// A text is not the certificate of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an authority is one X.509 certificate in PEM")]
pub struct NotAuthority;

impl Authority {
    /// Reads an authority of a trust document (FORMAT §7).
    ///
    /// # Errors
    /// [`NotAuthority`].
    pub fn parse(pem: &str) -> Result<Self, NotAuthority> {
        let bytes = decode_certificate_pem(pem).ok_or(NotAuthority)?;
        let read = Certificate::decode(&bytes).map_err(|_| NotAuthority)?;
        let (not_before, not_after, name) = (read.not_before, read.not_after, read.name());
        Ok(Self { certificate: bytes, not_before, not_after, name })
    }

    /// Those of a trust document that can be read; the others vouch for nothing.
    #[must_use]
    pub fn of_trust(authorities: &[String]) -> Vec<Self> {
        authorities.iter().filter_map(|pem| Self::parse(pem).ok()).collect()
    }

    /// Its own name, else the digest of its certificate.
    #[must_use]
    pub fn name(&self) -> String {
        if self.name.is_empty() { self.digest().to_prefixed() } else { self.name.clone() }
    }

    /// As a trust document names it: nothing but the certificate.
    #[must_use]
    pub fn to_pem(&self) -> String {
        encode_certificate_pem(&self.certificate)
    }

    fn digest(&self) -> Digest {
        Digest::of(&self.certificate)
    }
}

/// What tokens are over: the digests of the signatures of a checkpoint by keys that may sign entry `seq` of the chain.
#[must_use]
pub fn imprints_of(note: &Note, chain: &Cid, seq: u64, trust: &TrustDocument) -> Vec<Digest> {
    let origin = Checkpoint::origin_of(chain);
    let counts = |id: &KeyId, key: &PublicKey| {
        trust.key_for(id, KeyRole::Signer, seq).is_some() && note.verify(&origin, key) == NoteVerdict::Valid
    };
    let keys = trust.keys.iter().map(|(id, key)| (id, &key.public)).filter(|(id, key)| counts(id, key));
    keys.flat_map(|(_, key)| note.signatures_by(&origin, key).map(Digest::of)).collect()
}

/// What a valid token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The time that the authority says.
    pub time: Timestamp,
    /// The same, with what the authority's clock may be wrong by.
    pub latest: Timestamp,
    /// The authority's name.
    pub authority: String,
    /// The digest of its root.
    pub root: Digest,
}

impl Stamped {
    /// The same, unless it lies more than `tolerance` microseconds before the newest entry.
    ///
    /// # Errors
    /// [`TokenFault::Early`].
    pub fn not_before(self, newest: Option<Timestamp>, tolerance: i64) -> Result<Self, TokenFault> {
        let earliest = newest.map(|newest| (newest, newest.as_microseconds().saturating_sub(tolerance)));
        match earliest {
            Some((newest, earliest)) if self.time.as_microseconds() < earliest => {
                Err(TokenFault::Early { time: self.time, newest })
            }
            _ => Ok(self),
        }
    }
}

/// Why a token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum TokenFault {
    #[error("it is not one that RFC 3161 describes: {detail}")]
    Malformed { detail: String },
    #[error("it is over other bytes than the checkpoint's signature")]
    OtherBytes,
    #[error("it does not answer this request: it has another nonce or none")]
    OtherRequest,
    #[error("what the authority says is not what was signed")]
    OtherContent,
    #[error("the certificate that it names as the signer's is not in it")]
    NoCertificate,
    #[error("its certificate is not for timestamps alone, and critically so")]
    Purpose,
    #[error("its signature is not by its certificate, or by an algorithm that is not known here")]
    Signature,
    #[error("at {time}, a certificate between it and the authority did not count yet, or no more")]
    Window { time: Timestamp },
    #[error("no authority of the trust document vouches for it")]
    OtherAuthority,
    #[error("its time {time} is before {newest}, when the newest entry ended")]
    Early { time: Timestamp, newest: Timestamp },
}

impl From<TokenError> for TokenFault {
    fn from(error: TokenError) -> Self {
        Self::Malformed { detail: error.to_string() }
    }
}

/// What the token proves of a checkpoint, where `imprints` are the digests of its signatures.
///
/// # Errors
/// [`TokenFault`].
pub fn verify_token(
    token: &[u8],
    imprints: &[Digest],
    authorities: &[Authority],
) -> Result<Stamped, TokenFault> {
    verify(&decode_token(token)?, imprints, authorities)
}

/// The token in the answer to a request with `nonce`, and what it proves.
///
/// # Errors
/// [`TokenFault`].
pub fn verify_response<'a>(
    response: &'a [u8],
    nonce: &[u8; 8],
    imprint: Digest,
    authorities: &[Authority],
) -> Result<(&'a [u8], Stamped), TokenFault> {
    let bytes = decode_response(response)?;
    let token = decode_token(bytes)?;
    if token.nonce != Some(shortest(nonce)) {
        return Err(TokenFault::OtherRequest);
    }
    Ok((bytes, verify(&token, &[imprint], authorities)?))
}

fn verify(
    token: &TimeStampToken<'_>,
    imprints: &[Digest],
    authorities: &[Authority],
) -> Result<Stamped, TokenFault> {
    if !imprints.contains(&token.imprint) {
        return Err(TokenFault::OtherBytes);
    }
    let signer = &token.signed.signer;
    if signer.message_digest != signer.digest.of(token.signed.content) {
        return Err(TokenFault::OtherContent);
    }
    let certificate = signer_of(&token.signed)?;
    if !certificate.is_for_timestamps_alone() {
        return Err(TokenFault::Purpose);
    }
    let (digest, algorithm) = (signer.digest, signer.algorithm);
    if !verify_by_certificate(certificate.bytes, digest, algorithm, &signer.signed, signer.signature) {
        return Err(TokenFault::Signature);
    }
    let malformed = |detail: &str| TokenFault::Malformed { detail: detail.to_owned() };
    let seconds = u64::try_from(token.time.as_microseconds().div_euclid(1_000_000));
    let seconds = seconds.map_err(|_| malformed("its time is before 1970"))?;
    let latest = Timestamp::from_microseconds(token.time.as_microseconds() + token.accuracy);
    let latest = latest.ok_or_else(|| malformed("its accuracy"))?;
    let authority = authority_of(token, &certificate, authorities, seconds)?;
    Ok(Stamped { time: token.time, latest, authority: authority.name(), root: authority.digest() })
}

/// The certificate that the signer is named by, twice: by its number or key, and by its digest.
fn signer_of<'a>(signed: &SignedData<'a>) -> Result<Certificate<'a>, TokenFault> {
    let is_named = |certificate: &Certificate<'_>| match &signed.signer.id {
        SignerId::Issued { issuer, serial } => (certificate.issuer, certificate.serial) == (*issuer, *serial),
        SignerId::SubjectKeyId(id) => certificate.subject_key_id == Some(id),
    };
    let is_meant = |certificate: &Certificate<'_>, meant: &CertificateDigest<'_>| {
        let algorithm = meant.algorithm.unwrap_or(DigestAlgorithm::Sha1);
        let issued = (certificate.issuer, certificate.serial);
        algorithm.of(certificate.bytes) == meant.digest && meant.issued.is_none_or(|named| named == issued)
    };
    let decoded = signed.certificates.iter().filter_map(|bytes| Certificate::decode(bytes).ok());
    let mut found = decoded.filter(|certificate| {
        is_named(certificate)
            && signed.signer.signing_certificate.iter().all(|meant| is_meant(certificate, meant))
    });
    found.next().ok_or(TokenFault::NoCertificate)
}

/// The authority whose root, and all between it and the certificate, counted at that time.
fn authority_of<'a>(
    token: &TimeStampToken<'_>,
    certificate: &Certificate<'_>,
    authorities: &'a [Authority],
    seconds: u64,
) -> Result<&'a Authority, TokenFault> {
    let mut fault = TokenFault::OtherAuthority;
    for authority in authorities {
        let root_counts = (authority.not_before..=authority.not_after).contains(&token.time);
        let chain =
            verify_chain(certificate.bytes, &token.signed.certificates, &authority.certificate, seconds);
        match chain {
            Ok(()) if root_counts => return Ok(authority),
            Ok(()) | Err(ChainFault::Window) => fault = TokenFault::Window { time: token.time },
            Err(ChainFault::Untrusted) => {}
        }
    }
    Err(fault)
}
