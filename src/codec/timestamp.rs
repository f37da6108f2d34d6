//! Requests for timestamps, their answers, and the tokens in these (RFC 3161) ⇄ DER. Whether a token proves anything is
//! not known here.

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::asn1::{Fields, NotDer, constructed, encode_field, is_shortest, primitive};
use super::cms::{SHA_256, SignedData, SignedDataError, decode_signed_data, digest_algorithm};
use crate::crypto::{Digest, DigestAlgorithm};
use crate::model::Timestamp;

/// Larger tokens are refused.
pub const TOKEN_LIMIT: usize = 1 << 16;

const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// Why bytes are not a token, or an answer with one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("it has {0} bytes, more than {TOKEN_LIMIT}")]
    TooLarge(usize),
    #[error(transparent)]
    NotDer(#[from] NotDer),
    #[error(transparent)]
    SignedData(#[from] SignedDataError),
    #[error("it holds something else than the time of one digest: {0}")]
    Other(&'static str),
    #[error("the authority refused: status {status}{}", said(.text))]
    Refused { status: String, text: String },
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(", {text:?}") }
}

/// A token, read and not verified.
#[derive(Clone, Debug)]
pub struct TimeStampToken<'a> {
    /// The digest of what was there at that time.
    pub imprint: Digest,
    pub time: Timestamp,
    /// By how many microseconds the time may be wrong, where the authority says it.
    pub accuracy: i64,
    pub nonce: Option<&'a [u8]>,
    /// Around what the authority says.
    pub signed: SignedData<'a>,
}

/// Writes a request for the time of something with this digest; the certificate is asked for, too.
#[must_use]
pub fn encode_request(imprint: &Digest, nonce: &[u8; 8]) -> Vec<u8> {
    // Some authorities want the parameters, which are null.
    let algorithm =
        encode_field(0x30, &[encode_field(0x06, SHA_256.as_bytes()), encode_field(0x05, &[])].concat());
    let imprint = encode_field(0x30, &[algorithm, encode_field(0x04, &imprint.0)].concat());
    let version = encode_field(0x02, &[1]);
    let nonce = encode_field(0x02, shortest(nonce));
    let wants_certificate = encode_field(0x01, &[0xff]);
    encode_field(0x30, &[version, imprint, nonce, wants_certificate].concat())
}

/// The content of the integer that a nonce is. Its first bit has to be 0.
#[must_use]
pub fn shortest(nonce: &[u8; 8]) -> &[u8] {
    let superfluous =
        nonce.windows(2).take_while(|pair| matches!(pair, [0, second] if *second < 0x80)).count();
    &nonce[superfluous..]
}

/// Reads an answer: the token, if one was granted.
///
/// # Errors
/// [`TokenError`].
pub fn decode_response(bytes: &[u8]) -> Result<&[u8], TokenError> {
    const WHAT: &str = "the answer";
    if bytes.len() > TOKEN_LIMIT {
        return Err(TokenError::TooLarge(bytes.len()));
    }
    let mut response = Fields::of_one(WHAT, Tag::Sequence, bytes)?;
    let mut info = response.nested(WHAT, Tag::Sequence)?;
    let status = info.integer()?;
    let mut text = Vec::new();
    if let Some(texts) = info.optional(Tag::Sequence)? {
        let mut texts = Fields::of(WHAT, texts)?;
        while !texts.is_empty() {
            text.push(String::from_utf8_lossy(texts.content(Tag::Utf8String)?));
        }
    }
    info.optional(Tag::BitString)?;
    info.end()?;
    // granted, grantedWithMods
    if !matches!(status, [0] | [1]) {
        let status = match status {
            [2] => "2, rejected".to_owned(),
            [3] => "3, waiting".to_owned(),
            [4] => "4, revocation is near".to_owned(),
            [5] => "5, revoked".to_owned(),
            [other] => other.to_string(),
            _ => "unknown".to_owned(),
        };
        let text = text.join(" ").chars().take(200).collect();
        return Err(TokenError::Refused { status, text });
    }
    let token = response.whole(Tag::Sequence)?;
    response.end()?;
    Ok(token)
}

/// Reads a token.
///
/// # Errors
/// [`TokenError`].
pub fn decode_token(bytes: &[u8]) -> Result<TimeStampToken<'_>, TokenError> {
    if bytes.len() > TOKEN_LIMIT {
        return Err(TokenError::TooLarge(bytes.len()));
    }
    let signed = decode_signed_data(bytes, TST_INFO)?;
    let Told { imprint, time, accuracy, nonce } = decode_info(signed.content)?;
    Ok(TimeStampToken { imprint, time, accuracy, nonce, signed })
}

/// What an authority says.
struct Told<'a> {
    imprint: Digest,
    time: Timestamp,
    accuracy: i64,
    nonce: Option<&'a [u8]>,
}

/// `TSTInfo` (RFC 3161 §2.4.2).
fn decode_info(bytes: &[u8]) -> Result<Told<'_>, TokenError> {
    const WHAT: &str = "what the authority says";
    let mut info = Fields::of_one(WHAT, Tag::Sequence, bytes)?;
    if info.integer()? != [1] {
        return Err(TokenError::Other("its version"));
    }
    info.oid()?;
    let mut imprint = info.nested("the imprint", Tag::Sequence)?;
    let algorithm = digest_algorithm(&mut imprint)?;
    let digest = imprint.content(Tag::OctetString)?;
    imprint.end()?;
    // Another one would be no imprint of ours, whatever it is.
    let digest = match (algorithm, digest.try_into()) {
        (DigestAlgorithm::Sha256, Ok(digest)) => Digest(digest),
        _ => return Err(TokenError::Other("its imprint is no SHA-256")),
    };
    info.integer()?;
    if !info.has(Tag::GeneralizedTime) {
        return Err(NotDer("the time").into());
    }
    let time = info.time()?;
    let accuracy = info.optional(Tag::Sequence)?.map_or(Ok(0), decode_accuracy)?;
    info.optional_true()?;
    let nonce = if info.has(Tag::Integer) { Some(info.integer()?) } else { None };
    info.optional(constructed(0))?;
    if let Some(extensions) = info.optional(constructed(1))? {
        let mut extensions = Fields::of(WHAT, extensions)?;
        while !extensions.is_empty() {
            let mut extension = extensions.nested(WHAT, Tag::Sequence)?;
            extension.oid()?;
            if extension.optional_true()? {
                return Err(TokenError::Other("a critical extension that is not known here"));
            }
            extension.content(Tag::OctetString)?;
            extension.end()?;
        }
    }
    info.end()?;
    Ok(Told { imprint: digest, time, accuracy, nonce })
}

/// Microseconds.
fn decode_accuracy(bytes: &[u8]) -> Result<i64, TokenError> {
    let refusal = NotDer("the accuracy");
    let mut accuracy = Fields::of("the accuracy", bytes)?;
    let number = |content: Option<&[u8]>, most: i64| match content {
        None => Ok(0),
        Some(content) => {
            let shortest = is_shortest(content) && content.len() <= 5 && content[0] < 0x80;
            let value = content.iter().fold(0, |value, byte| value << 8 | i64::from(*byte));
            if shortest && value <= most { Ok(value) } else { Err(refusal) }
        }
    };
    let seconds = if accuracy.has(Tag::Integer) { Some(accuracy.integer()?) } else { None };
    let seconds = number(seconds, i64::from(i32::MAX))?;
    let thousandths = number(accuracy.optional(primitive(0))?, 999)?;
    let millionths = number(accuracy.optional(primitive(1))?, 999)?;
    accuracy.end()?;
    Ok(seconds * 1_000_000 + thousandths * 1000 + millionths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_one_that_openssl_makes() {
        // `openssl ts -query -digest 0001…1f -sha256 -cert`, with this nonce.
        let digest = Digest(std::array::from_fn(|place| place as u8));
        let request = encode_request(&digest, &[0x13, 0xb8, 0x34, 0xfb, 0x45, 0xef, 0x74, 0xb5]);
        let expected =
            format!("30430201013031300d060960864801650304020105000420{digest}020813b834fb45ef74b50101ff");
        assert_eq!(data_encoding::HEXLOWER.encode(&request), expected);
    }

    #[test]
    fn a_nonce_is_a_positive_integer_in_its_shortest_form() {
        assert_eq!(shortest(&[0, 0, 0, 0, 0, 0, 0, 0]), [0]);
        assert_eq!(shortest(&[0, 0, 0x80, 0, 0, 0, 0, 1]), [0, 0x80, 0, 0, 0, 0, 1]);
        assert_eq!(shortest(&[0x7f, 0, 0, 0, 0, 0, 0, 1]).len(), 8);
    }

    #[test]
    fn an_answer_that_grants_nothing_says_why() {
        // status 2, "no such policy", failInfo
        let text = encode_field(0x30, &encode_field(0x0c, b"no such policy"));
        let info = [encode_field(2, &[2]), text, encode_field(3, &[5, 0x20])].concat();
        let answer = encode_field(0x30, &encode_field(0x30, &info));
        let said = decode_response(&answer).unwrap_err().to_string();
        assert_eq!(said, "the authority refused: status 2, rejected, \"no such policy\"");
        assert!(decode_response(&answer[..answer.len() - 1]).is_err());
        // Granted, and no token.
        let empty = encode_field(0x30, &encode_field(0x30, &encode_field(2, &[0])));
        assert!(decode_response(&empty).is_err());
    }
}
