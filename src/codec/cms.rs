//! Signed data with one signer (RFC 5652 §5) and the certificate that it names (RFC 5035), read from DER, as timestamp
//! tokens have it (RFC 3161 §2.4.2). Whether a signature is anybody's is not known here.
//!
//! Certificates may stand in any order, as `openssl ts` writes them. They, revocation lists and unsigned attributes are no
//! part of what is signed.

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::asn1::{Fields, NotDer, constructed, encode_field, primitive};
use crate::crypto::DigestAlgorithm;

/// More certificates are refused.
const CERTIFICATES_LIMIT: usize = 8;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
pub(super) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Why bytes are not signed data with one signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedDataError {
    #[error(transparent)]
    NotDer(#[from] NotDer),
    #[error("it is other signed data than was asked for: {0}")]
    Other(&'static str),
    #[error("it has {0} signers, and one is needed")]
    Signers(usize),
    #[error("the signed attribute {0} is missing, stands twice or has not one value")]
    Attribute(&'static str),
    #[error("it uses the digest {0}, and SHA-256, SHA-384 and SHA-512 are known")]
    Digest(ObjectIdentifier),
}

/// Signed data, read and not verified.
#[derive(Clone, Debug)]
pub struct SignedData<'a> {
    /// What is signed through its digest.
    pub content: &'a [u8],
    /// As they stand there, untrusted.
    pub certificates: Vec<&'a [u8]>,
    pub signer: SignerInfo<'a>,
}

/// One signer.
#[derive(Clone, Debug)]
pub struct SignerInfo<'a> {
    pub id: SignerId<'a>,
    pub digest: DigestAlgorithm,
    /// What the signature covers: the signed attributes as a set of their own (RFC 5652 §5.4).
    pub signed: Vec<u8>,
    /// The digest of the content, as the signer says.
    pub message_digest: &'a [u8],
    /// What the signer says its certificate is; one of both kinds may stand beside the other.
    pub signing_certificate: Vec<CertificateDigest<'a>>,
    /// The signature's algorithm, without tag and length.
    pub algorithm: &'a [u8],
    pub signature: &'a [u8],
}

/// How a signer is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerId<'a> {
    /// The name of who issued its certificate, with tag and length, and the certificate's number.
    Issued {
        issuer: &'a [u8],
        serial: &'a [u8],
    },
    SubjectKeyId(&'a [u8]),
}

/// The digest of a certificate (`ESSCertID`, RFC 2634 §5.4.1; `ESSCertIDv2`, RFC 5816).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDigest<'a> {
    /// `None`: SHA-1, as the first kind has it.
    pub algorithm: Option<DigestAlgorithm>,
    pub digest: &'a [u8],
    /// The name of who issued it, with tag and length, and its number, where they stand there too.
    pub issued: Option<(&'a [u8], &'a [u8])>,
}

/// Reads signed data whose content is of this type.
///
/// # Errors
/// [`SignedDataError`].
pub fn decode_signed_data(
    bytes: &[u8],
    content_type: ObjectIdentifier,
) -> Result<SignedData<'_>, SignedDataError> {
    const WHAT: &str = "the signed data";
    let mut outer = Fields::of_one(WHAT, Tag::Sequence, bytes)?;
    require(outer.oid()?, SIGNED_DATA, "it is not signed")?;
    let mut explicit = outer.nested(WHAT, constructed(0))?;
    outer.end()?;
    let mut data = explicit.nested(WHAT, Tag::Sequence)?;
    explicit.end()?;
    if data.integer()? != [3] {
        return Err(SignedDataError::Other("its version"));
    }
    let mut digests = data.nested("the digests", Tag::Set)?;
    let mut digest_algorithms = Vec::new();
    while !digests.is_empty() {
        digest_algorithms.push(digest_algorithm(&mut digests)?);
    }
    let mut inner = data.nested("the content", Tag::Sequence)?;
    require(inner.oid()?, content_type, "its content type")?;
    let mut explicit = inner.nested("the content", constructed(0))?;
    inner.end()?;
    let content = explicit.content(Tag::OctetString)?;
    explicit.end()?;
    let certificates = decode_certificates(data.optional(constructed(0))?)?;
    data.optional(constructed(1))?;
    let mut signers = data.nested("the signers", Tag::Set)?;
    data.end()?;
    let mut found = Vec::new();
    while !signers.is_empty() {
        found.push(signers.whole(Tag::Sequence)?);
    }
    let [signer] = found[..] else { return Err(SignedDataError::Signers(found.len())) };
    let signer = decode_signer(signer, content_type)?;
    if !digest_algorithms.contains(&signer.digest) {
        return Err(SignedDataError::Other("its digests are not those of the signer"));
    }
    Ok(SignedData { content, certificates, signer })
}

fn require(
    found: ObjectIdentifier,
    wanted: ObjectIdentifier,
    what: &'static str,
) -> Result<(), SignedDataError> {
    if found == wanted { Ok(()) } else { Err(SignedDataError::Other(what)) }
}

fn decode_certificates(set: Option<&[u8]>) -> Result<Vec<&[u8]>, SignedDataError> {
    let mut certificates = Vec::new();
    let mut rest = Fields::of("the certificates", set.unwrap_or_default())?;
    while !rest.is_empty() {
        let is_certificate = rest.has(Tag::Sequence);
        let choice = rest.any()?;
        if is_certificate {
            certificates.push(choice);
        }
    }
    if certificates.len() > CERTIFICATES_LIMIT {
        return Err(SignedDataError::Other("more than 8 certificates"));
    }
    Ok(certificates)
}

/// `SignerInfo` (RFC 5652 §5.3).
fn decode_signer(bytes: &[u8], content_type: ObjectIdentifier) -> Result<SignerInfo<'_>, SignedDataError> {
    const WHAT: &str = "the signer";
    let mut signer = Fields::of_one(WHAT, Tag::Sequence, bytes)?;
    let version = signer.integer()?;
    let id = match signer.optional(primitive(0))? {
        Some(id) => SignerId::SubjectKeyId(id),
        None => {
            let mut issued = signer.nested(WHAT, Tag::Sequence)?;
            let (issuer, serial) = (issued.whole(Tag::Sequence)?, issued.content(Tag::Integer)?);
            issued.end()?;
            SignerId::Issued { issuer, serial }
        }
    };
    if version != [if matches!(id, SignerId::Issued { .. }) { 1 } else { 3 }] {
        return Err(SignedDataError::Other("its signer's version"));
    }
    let digest = digest_algorithm(&mut signer)?;
    let attributes = signer.content(constructed(0))?;
    let algorithm = signer.content(Tag::Sequence)?;
    let signature = signer.content(Tag::OctetString)?;
    signer.optional(constructed(1))?;
    signer.end()?;
    let attributes = Attributes::decode(attributes)?;
    let mut signed_type = attributes.value(CONTENT_TYPE, "content type")?;
    require(signed_type.oid()?, content_type, "its signed content type")?;
    signed_type.end()?;
    let mut message_digest = attributes.value(MESSAGE_DIGEST, "message digest")?;
    let digest_of_info = message_digest.content(Tag::OctetString)?;
    message_digest.end()?;
    let mut signing_certificate = Vec::new();
    for (id, is_first) in [(SIGNING_CERTIFICATE, true), (SIGNING_CERTIFICATE_V2, false)] {
        if attributes.has(id) {
            let value = attributes.value(id, "signing certificate")?;
            signing_certificate.push(decode_signing_certificate(value, is_first)?);
        }
    }
    if signing_certificate.is_empty() {
        return Err(SignedDataError::Attribute("signing certificate"));
    }
    let signed = encode_field(0x31, attributes.bytes);
    Ok(SignerInfo {
        id,
        digest,
        signed,
        message_digest: digest_of_info,
        signing_certificate,
        algorithm,
        signature,
    })
}

/// The attributes that are signed: sorted, none twice.
struct Attributes<'a> {
    bytes: &'a [u8],
    all: Vec<(ObjectIdentifier, &'a [u8])>,
}

impl<'a> Attributes<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, SignedDataError> {
        const WHAT: &str = "the signed attributes";
        let mut rest = Fields::of(WHAT, bytes)?;
        let (mut all, mut before) = (Vec::new(), &[][..]);
        while !rest.is_empty() {
            let whole = rest.whole(Tag::Sequence)?;
            let mut attribute = Fields::of_one(WHAT, Tag::Sequence, whole)?;
            all.push((attribute.oid()?, attribute.content(Tag::Set)?));
            attribute.end()?;
            // X.690 §11.6; equal ones are an attribute that stands twice.
            if before >= whole {
                return Err(NotDer(WHAT).into());
            }
            before = whole;
        }
        Ok(Self { bytes, all })
    }

    fn has(&self, id: ObjectIdentifier) -> bool {
        self.all.iter().any(|(found, _)| *found == id)
    }

    /// The one value of an attribute that stands there once.
    fn value(&self, id: ObjectIdentifier, name: &'static str) -> Result<Fields<'a>, SignedDataError> {
        let mut found = self.all.iter().filter(|(found, _)| *found == id);
        let (Some((_, values)), None) = (found.next(), found.next()) else {
            return Err(SignedDataError::Attribute(name));
        };
        let mut rest = Fields::of(name, values)?;
        let value = rest.any()?;
        rest.end().map_err(|_| SignedDataError::Attribute(name))?;
        Ok(Fields::of(name, value)?)
    }
}

/// `SigningCertificate` and `SigningCertificateV2`; the first certificate is the signer's.
fn decode_signing_certificate(
    mut value: Fields<'_>,
    is_first_kind: bool,
) -> Result<CertificateDigest<'_>, SignedDataError> {
    const WHAT: &str = "the signing certificate";
    let mut signing = value.nested(WHAT, Tag::Sequence)?;
    value.end()?;
    let mut list = signing.nested(WHAT, Tag::Sequence)?;
    signing.optional(Tag::Sequence)?;
    signing.end()?;
    let mut first = list.nested(WHAT, Tag::Sequence)?;
    while !list.is_empty() {
        list.whole(Tag::Sequence)?;
    }
    let algorithm = match (is_first_kind, first.has(Tag::Sequence)) {
        (true, _) => None,
        (false, true) => Some(digest_algorithm(&mut first)?),
        (false, false) => Some(DigestAlgorithm::Sha256),
    };
    let digest = first.content(Tag::OctetString)?;
    let issued = match first.optional(Tag::Sequence)? {
        None => None,
        Some(issued) => {
            let mut issued = Fields::of(WHAT, issued)?;
            let mut names = issued.nested(WHAT, Tag::Sequence)?;
            // A directory name, which is the fourth kind.
            let mut name = names.nested(WHAT, constructed(4))?;
            let issuer = name.whole(Tag::Sequence)?;
            name.end()?;
            names.end()?;
            let serial = issued.content(Tag::Integer)?;
            issued.end()?;
            Some((issuer, serial))
        }
    };
    first.end()?;
    Ok(CertificateDigest { algorithm, digest, issued })
}

/// The identifier of a digest, whose parameters are left out or null.
pub(super) fn digest_algorithm(fields: &mut Fields<'_>) -> Result<DigestAlgorithm, SignedDataError> {
    let mut algorithm = fields.nested("the digest's algorithm", Tag::Sequence)?;
    let id = algorithm.oid()?;
    if algorithm.optional(Tag::Null)?.is_some_and(|content| !content.is_empty()) {
        return Err(NotDer("the digest's algorithm").into());
    }
    algorithm.end()?;
    match id {
        SHA_256 => Ok(DigestAlgorithm::Sha256),
        SHA_384 => Ok(DigestAlgorithm::Sha384),
        SHA_512 => Ok(DigestAlgorithm::Sha512),
        other => Err(SignedDataError::Digest(other)),
    }
}
