//! Fields of DER structures, read one after the other and to their end (X.690 §10): definite and shortest lengths, nothing
//! left over. What a field means is not known here.

use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode as _, Reader as _, SliceReader, Tag, TagNumber};

use crate::model::Timestamp;

/// Why bytes are not the structure that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not what DER makes of one")]
pub struct NotDer(pub &'static str);

/// The tag `[number]` of what has fields of its own.
#[must_use]
pub const fn constructed(number: u8) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number as u32) }
}

/// The tag `[number]` of what has none.
#[must_use]
pub const fn primitive(number: u8) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number as u32) }
}

/// The fields of one structure, which has a name in errors.
#[derive(Clone)]
pub struct Fields<'a> {
    what: &'static str,
    rest: SliceReader<'a>,
}

impl<'a> Fields<'a> {
    /// Fields that stand side by side in `bytes`.
    ///
    /// # Errors
    /// [`NotDer`] when there are more bytes than DER has lengths for.
    pub fn of(what: &'static str, bytes: &'a [u8]) -> Result<Self, NotDer> {
        let rest = SliceReader::new(bytes).map_err(|_| NotDer(what))?;
        Ok(Self { what, rest })
    }

    /// The fields of the one structure that `bytes` are.
    ///
    /// # Errors
    /// [`NotDer`], also when something follows it.
    pub fn of_one(what: &'static str, tag: Tag, bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = Self::of(what, bytes)?;
        let inner = outer.nested(what, tag)?;
        outer.end()?;
        Ok(inner)
    }

    const fn refusal(&self) -> NotDer {
        NotDer(self.what)
    }

    /// Whether a field with this tag comes next.
    #[must_use]
    pub fn has(&self, tag: Tag) -> bool {
        Tag::peek(&self.rest).is_ok_and(|found| found == tag)
    }

    /// Whether no field is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_finished()
    }

    /// The next field with tag and length, whatever it is.
    ///
    /// # Errors
    /// [`NotDer`] when there is none.
    pub fn any(&mut self) -> Result<&'a [u8], NotDer> {
        self.rest.tlv_bytes().map_err(|_| self.refusal())
    }

    /// The next field with tag and length.
    ///
    /// # Errors
    /// [`NotDer`] when another one comes next.
    pub fn whole(&mut self, tag: Tag) -> Result<&'a [u8], NotDer> {
        if self.has(tag) { self.any() } else { Err(self.refusal()) }
    }

    /// What is in the next field.
    ///
    /// # Errors
    /// [`NotDer`] when another one comes next.
    pub fn content(&mut self, tag: Tag) -> Result<&'a [u8], NotDer> {
        let refusal = self.refusal();
        let whole = self.whole(tag)?;
        AnyRef::from_der(whole).map(AnyRef::value).map_err(|_| refusal)
    }

    /// What is in the next field, if it is this one.
    ///
    /// # Errors
    /// [`NotDer`] when it ends too early.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, NotDer> {
        if self.has(tag) { self.content(tag).map(Some) } else { Ok(None) }
    }

    /// The fields of the next field.
    ///
    /// # Errors
    /// [`NotDer`] when another one comes next.
    pub fn nested(&mut self, what: &'static str, tag: Tag) -> Result<Self, NotDer> {
        Self::of(what, self.content(tag)?)
    }

    /// An identifier of an algorithm, an attribute or a purpose.
    ///
    /// # Errors
    /// [`NotDer`].
    pub fn oid(&mut self) -> Result<ObjectIdentifier, NotDer> {
        let content = self.content(Tag::ObjectIdentifier)?;
        ObjectIdentifier::from_bytes(content).map_err(|_| self.refusal())
    }

    /// The bytes of an integer in its one, shortest form.
    ///
    /// # Errors
    /// [`NotDer`].
    pub fn integer(&mut self) -> Result<&'a [u8], NotDer> {
        let content = self.content(Tag::Integer)?;
        if is_shortest(content) { Ok(content) } else { Err(self.refusal()) }
    }

    /// A truth value; DER leaves out one that is the default.
    ///
    /// # Errors
    /// [`NotDer`].
    pub fn optional_true(&mut self) -> Result<bool, NotDer> {
        match self.optional(Tag::Boolean)? {
            None => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(self.refusal()),
        }
    }

    /// The bytes of a bit string whose last byte is full.
    ///
    /// # Errors
    /// [`NotDer`].
    pub fn bits(&mut self) -> Result<(u8, &'a [u8]), NotDer> {
        match self.content(Tag::BitString)?.split_first() {
            Some((unused @ 0..=7, bytes)) => Ok((*unused, bytes)),
            _ => Err(self.refusal()),
        }
    }

    /// The instant of a `UTCTime` or `GeneralizedTime`, in UTC.
    ///
    /// # Errors
    /// [`NotDer`] also for another zone, and for seconds that are left out.
    pub fn time(&mut self) -> Result<Timestamp, NotDer> {
        let refusal = self.refusal();
        let text = if self.has(Tag::UtcTime) {
            let short = self.content(Tag::UtcTime)?;
            // RFC 5280 §4.1.2.5.1.
            let century: &[u8] =
                if short.first().is_some_and(|digit| *digit >= b'5') { b"19" } else { b"20" };
            let length = if short.len() == 13 { Ok(()) } else { Err(refusal) };
            length.map(|()| [century, short].concat())?
        } else {
            self.content(Tag::GeneralizedTime)?.to_vec()
        };
        parse_time(&text).ok_or(refusal)
    }

    /// Ends the structure.
    ///
    /// # Errors
    /// [`NotDer`] when a field is left.
    pub fn end(self) -> Result<(), NotDer> {
        if self.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }
}

/// Whether the content of an integer is the shortest one (X.690 §8.3.2).
#[must_use]
pub fn is_shortest(content: &[u8]) -> bool {
    match content {
        [] => false,
        [0, second, ..] => *second >= 0x80,
        [0xff, second, ..] => *second < 0x80,
        _ => true,
    }
}

/// Reads `YYYYMMDDhhmmssZ`, with a fraction that has no zero at its end; below a microsecond is cut off.
fn parse_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (seconds, fraction) = match text.split_once('.') {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (text, None),
    };
    if seconds.len() != 14 || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction = match fraction {
        None => "",
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() => {
            digits.get(..digits.len().min(6)).filter(|_| !digits.ends_with('0'))?
        }
        Some(_) => return None,
    };
    let part = |from: usize, to: usize| seconds.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}.{fraction:0<6}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    text.parse().ok()
}

/// One field: its tag byte, its length and its content.
#[must_use]
pub fn encode_field(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut field = vec![tag];
    match content.len() {
        // Fits in seven bits, and an empty content has no byte left of its length.
        0..0x80 => field.push(length.first().copied().unwrap_or(0)),
        // At most eight bytes of length.
        _ => {
            field.push(0x80 | length.len() as u8);
            field.extend_from_slice(length);
        }
    }
    field.extend_from_slice(content);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(tag: u8, text: &str) -> Option<String> {
        let field = encode_field(tag, text.as_bytes());
        Fields::of("time", &field).unwrap().time().ok().map(|time| time.to_string())
    }

    #[test]
    fn times_have_one_spelling() {
        for (tag, text, expected) in [
            (0x17, "491231235959Z", "2049-12-31T23:59:59.000000Z"),
            (0x17, "500101000000Z", "1950-01-01T00:00:00.000000Z"),
            (0x18, "20261123080910Z", "2026-11-23T08:09:10.000000Z"),
            (0x18, "20261123080910.5Z", "2026-11-23T08:09:10.500000Z"),
            (0x18, "20261123080910.123456789Z", "2026-11-23T08:09:10.123456Z"),
        ] {
            assert_eq!(time(tag, text).as_deref(), Some(expected), "{text}");
        }
        for (tag, text) in [
            (0x17, "4912312359Z"),
            (0x17, "491231235959+0000"),
            (0x18, "20261123080910"),
            (0x18, "20261123080910+0100"),
            (0x18, "20261123080910.Z"),
            (0x18, "20261123080910.50Z"),
            (0x18, "20261123080910,5Z"),
            (0x18, "202611230809Z"),
            (0x18, "20261323080910Z"),
            (0x18, "20261123080960Z"),
            (0x0c, "20261123080910Z"),
        ] {
            assert_eq!(time(tag, text), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_definite_and_shortest_and_nothing_is_left_over() {
        for size in [0, 1, 127, 128, 255, 256, 70_000] {
            let field = encode_field(0x04, &vec![7; size]);
            let mut fields = Fields::of("it", &field).unwrap();
            assert_eq!(fields.content(Tag::OctetString).unwrap().len(), size);
            fields.end().unwrap();
        }
        for odd in
            [&[0x30u8, 0x80, 0, 0][..], &[0x30, 0x81, 0], &[0x30, 0x82, 0, 0], &[0x30, 1], &[0x30], &[]]
        {
            assert!(Fields::of_one("it", Tag::Sequence, odd).is_err(), "{odd:?}");
        }
        assert!(Fields::of_one("it", Tag::Sequence, &[0x30, 0, 0]).is_err());
    }

    #[test]
    fn integers_and_truth_values_have_one_form() {
        let integer = |content: &[u8]| {
            let field = encode_field(0x02, content);
            Fields::of("it", &field).unwrap().integer().is_ok()
        };
        assert!(integer(&[0]) && integer(&[0, 0x80]) && integer(&[0xff, 0x7f]) && integer(&[0xff]));
        assert!(!integer(&[]) && !integer(&[0, 1]) && !integer(&[0xff, 0x80]));
        for (bytes, expected) in
            [(&[1u8, 1, 0xff][..], Ok(true)), (&[], Ok(false)), (&[1, 1, 0], Err(())), (&[1, 1, 1], Err(()))]
        {
            assert_eq!(Fields::of("it", bytes).unwrap().optional_true().map_err(drop), expected, "{bytes:?}");
        }
    }
}
