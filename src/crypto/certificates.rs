//! Signatures by the keys of X.509 certificates, and chains of certificates up to a root that is given: RSA from 2048
//! bits, ECDSA over P-256 and P-384; SHA-256 and longer.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert, ring};

/// The purpose of time stamping, as the content of its identifier (RFC 3161 §2.3).
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// `rsaEncryption` with null parameters: the digest stands elsewhere (RFC 3370 §3.2).
const RSA_ENCRYPTION: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// A digest that others use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// As the name of a certificate alone; no signature counts over it.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl DigestAlgorithm {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// The signatures over it; the first is meant where RSA alone is said.
    fn signatures(self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        static SHA_256: [&dyn SignatureVerificationAlgorithm; 5] = [
            ring::RSA_PKCS1_2048_8192_SHA256,
            ring::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
            ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            ring::ECDSA_P256_SHA256,
            ring::ECDSA_P384_SHA256,
        ];
        static SHA_384: [&dyn SignatureVerificationAlgorithm; 5] = [
            ring::RSA_PKCS1_2048_8192_SHA384,
            ring::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
            ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
            ring::ECDSA_P256_SHA384,
            ring::ECDSA_P384_SHA384,
        ];
        static SHA_512: [&dyn SignatureVerificationAlgorithm; 3] = [
            ring::RSA_PKCS1_2048_8192_SHA512,
            ring::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
            ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        ];
        match self {
            Self::Sha1 => &[],
            Self::Sha256 => &SHA_256,
            Self::Sha384 => &SHA_384,
            Self::Sha512 => &SHA_512,
        }
    }
}

/// Why nobody vouches for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// A certificate of the chain did not count yet, or no more.
    Window,
    /// No chain leads to the root.
    Untrusted,
}

/// Whether the key of `certificate` made `signature` over `message` with this digest. `algorithm`: the identifier of the
/// signature's algorithm, without tag and length.
#[must_use]
pub fn verify_by_certificate(
    certificate: &[u8],
    digest: DigestAlgorithm,
    algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let certificate = CertificateDer::from(certificate);
    let Ok(certificate) = EndEntityCert::try_from(&certificate) else { return false };
    let all = digest.signatures();
    let of_rsa = all.iter().take(usize::from(algorithm == RSA_ENCRYPTION));
    let named = all.iter().filter(|known| known.signature_alg_id().as_ref() == algorithm);
    of_rsa.chain(named).any(|known| certificate.verify_signature(*known, message, signature).is_ok())
}

/// Whether `root` vouches for `certificate` as one that signs timestamps, at that many seconds since 1970, over some of
/// `others`. The root's own window is not looked at.
///
/// # Errors
/// [`ChainFault`].
pub fn verify_chain(certificate: &[u8], others: &[&[u8]], root: &[u8], time: u64) -> Result<(), ChainFault> {
    let (certificate, root) = (CertificateDer::from(certificate), CertificateDer::from(root));
    let others: Vec<CertificateDer<'_>> = others.iter().map(|bytes| CertificateDer::from(*bytes)).collect();
    let certificate = EndEntityCert::try_from(&certificate).map_err(|_| ChainFault::Untrusted)?;
    let anchors = [anchor_from_trusted_cert(&root).map_err(|_| ChainFault::Untrusted)?];
    let time = UnixTime::since_unix_epoch(Duration::from_secs(time));
    let usage = KeyUsage::required_if_present(TIME_STAMPING);
    match certificate.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &others, time, usage, None, None) {
        Ok(_) => Ok(()),
        Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::InvalidCertValidity) => {
            Err(ChainFault::Window)
        }
        Err(_) => Err(ChainFault::Untrusted),
    }
}
