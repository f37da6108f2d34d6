//! What is read of an X.509 certificate (RFC 5280 §4.1) beside what its chain is built from: whose it is, when it counts
//! and what for. Whether anyone vouches for it is not known here.

use data_encoding::BASE64;
use der::Tag;
use der::asn1::ObjectIdentifier;

use super::asn1::{Fields, NotDer, constructed, primitive};
use crate::model::Timestamp;

/// No certificate is larger.
pub const CERTIFICATE_LIMIT: usize = 1 << 15;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// A certificate's own words.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    pub serial: &'a [u8],
    /// The name, with tag and length.
    pub issuer: &'a [u8],
    /// The name, with tag and length.
    pub subject: &'a [u8],
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub subject_key_id: Option<&'a [u8]>,
    key_usage: Option<(u8, &'a [u8])>,
    /// Whether it is critical, and the purposes.
    extended_key_usage: Option<(bool, Vec<ObjectIdentifier>)>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate of version 3.
    ///
    /// # Errors
    /// [`NotDer`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, NotDer> {
        const WHAT: &str = "a certificate";
        if bytes.len() > CERTIFICATE_LIMIT {
            return Err(NotDer(WHAT));
        }
        let mut signed = Fields::of_one(WHAT, Tag::Sequence, bytes)?;
        let mut body = signed.nested(WHAT, Tag::Sequence)?;
        signed.content(Tag::Sequence)?;
        signed.content(Tag::BitString)?;
        signed.end()?;
        let mut version = body.nested(WHAT, constructed(0))?;
        if version.integer()? != [2] {
            return Err(NotDer(WHAT));
        }
        version.end()?;
        let serial = body.content(Tag::Integer)?;
        body.content(Tag::Sequence)?;
        let issuer = body.whole(Tag::Sequence)?;
        let mut validity = body.nested(WHAT, Tag::Sequence)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.end()?;
        let subject = body.whole(Tag::Sequence)?;
        body.content(Tag::Sequence)?;
        body.optional(primitive(1))?;
        body.optional(primitive(2))?;
        let mut certificate = Self {
            bytes,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            subject_key_id: None,
            key_usage: None,
            extended_key_usage: None,
        };
        if let Some(extensions) = body.optional(constructed(3))? {
            let mut extensions = Fields::of_one(WHAT, Tag::Sequence, extensions)?;
            while !extensions.is_empty() {
                certificate.take_extension(extensions.nested(WHAT, Tag::Sequence)?)?;
            }
        }
        body.end()?;
        Ok(certificate)
    }

    fn take_extension(&mut self, mut extension: Fields<'a>) -> Result<(), NotDer> {
        let (id, critical) = (extension.oid()?, extension.optional_true()?);
        let value = extension.content(Tag::OctetString)?;
        extension.end()?;
        let twice = Err(NotDer("a certificate that has an extension twice"));
        match id {
            SUBJECT_KEY_ID if self.subject_key_id.is_some() => return twice,
            KEY_USAGE if self.key_usage.is_some() => return twice,
            EXTENDED_KEY_USAGE if self.extended_key_usage.is_some() => return twice,
            SUBJECT_KEY_ID => {
                let mut value = Fields::of("a key identifier", value)?;
                self.subject_key_id = Some(value.content(Tag::OctetString)?);
                value.end()?;
            }
            KEY_USAGE => {
                let mut value = Fields::of("a key usage", value)?;
                self.key_usage = Some(value.bits()?);
                value.end()?;
            }
            EXTENDED_KEY_USAGE => {
                let mut value = Fields::of_one("an extended key usage", Tag::Sequence, value)?;
                let mut purposes = Vec::new();
                while !value.is_empty() {
                    purposes.push(value.oid()?);
                }
                self.extended_key_usage = Some((critical, purposes));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether its key may sign timestamp tokens and nothing else, which has to be said as critical (RFC 3161 §2.3).
    #[must_use]
    pub fn is_for_timestamps_alone(&self) -> bool {
        let purpose = self
            .extended_key_usage
            .as_ref()
            .is_some_and(|(critical, purposes)| *critical && *purposes == [TIME_STAMPING]);
        // Digital signature and non-repudiation, if it says anything.
        let usage = self.key_usage.is_none_or(|(_, bits)| {
            bits.iter()
                .enumerate()
                .all(|(place, bits)| if place == 0 { bits & 0x3f == 0 } else { *bits == 0 })
                && bits.first().is_some_and(|bits| *bits != 0)
        });
        purpose && usage
    }

    /// Whether it counts at that time.
    #[must_use]
    pub fn counts_at(&self, time: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// What people call its owner: the last common name, else the last organisation; empty when it has neither.
    #[must_use]
    pub fn name(&self) -> String {
        self.name_part(COMMON_NAME).or_else(|| self.name_part(ORGANIZATION)).unwrap_or_default()
    }

    fn name_part(&self, wanted: ObjectIdentifier) -> Option<String> {
        let mut found = None;
        let mut parts = Fields::of_one("a name", Tag::Sequence, self.subject).ok()?;
        while let Ok(mut part) = parts.nested("a name", Tag::Set) {
            let mut pair = part.nested("a name", Tag::Sequence).ok()?;
            if pair.oid().ok()? == wanted {
                let tag = [Tag::Utf8String, Tag::PrintableString].into_iter().find(|tag| pair.has(*tag))?;
                found = std::str::from_utf8(pair.content(tag).ok()?).ok().map(str::to_owned);
            }
        }
        found
    }
}

/// The bytes of the one certificate that a PEM text holds; what stands before and after it is ignored (RFC 7468 §2).
#[must_use]
pub fn decode_certificate_pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (base64, after) = rest.split_once("-----END CERTIFICATE-----")?;
    if after.contains("-----BEGIN ") {
        return None;
    }
    let base64: String = base64.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    BASE64.decode(base64.as_bytes()).ok()
}

/// Writes a certificate as PEM, 64 characters a line.
#[must_use]
pub fn encode_certificate_pem(bytes: &[u8]) -> String {
    let base64 = BASE64.encode(bytes);
    let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_text_holds_one_certificate() {
        let one = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        assert_eq!(encode_certificate_pem(&[1, 2, 3]), one);
        assert_eq!(decode_certificate_pem(&format!("Subject: it\n{one}")), Some(vec![1, 2, 3]));
        for odd in
            [String::new(), one.repeat(2), one.replace("END", "END ENCRYPTED"), one.replace("AQ", "A!")]
        {
            assert_eq!(decode_certificate_pem(&odd), None, "{odd}");
        }
    }
}
