//! Bytes with CRLF as LF and without a byte order mark: the form in which a script that only changed
//! its line ends is still the same (FORMAT §3, `lf`).

use std::borrow::Cow;

use crate::crypto::{Digest, Hasher};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The form itself; borrowed where the bytes are in it already.
#[must_use]
pub fn line_feed_form(bytes: &[u8]) -> Cow<'_, [u8]> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if !bytes.windows(2).any(|pair| pair == b"\r\n") {
        return Cow::Borrowed(bytes);
    }
    let follows = bytes.iter().skip(1).map(Some).chain([None]);
    let kept = bytes.iter().zip(follows).filter(|pair| *pair != (&b'\r', Some(&b'\n')));
    Cow::Owned(kept.map(|(byte, _)| *byte).collect())
}

/// The digest of that form; `raw` is the digest of the bytes and saves work where both are one.
#[must_use]
pub fn line_feed_digest(bytes: &[u8], raw: Digest) -> Digest {
    if !bytes.starts_with(BYTE_ORDER_MARK) && !bytes.contains(&b'\r') {
        return raw;
    }
    Digest::of(&line_feed_form(bytes))
}

/// The digest of that form over bytes that arrive in parts.
#[derive(Clone, Default)]
pub struct LineFeedHasher {
    hasher: Hasher,
    /// The first bytes, until they are enough to tell a byte order mark.
    front: Option<Vec<u8>>,
    started: bool,
    carriage_return: bool,
}

impl LineFeedHasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.started {
            return self.add(bytes);
        }
        let mut front = self.front.take().unwrap_or_default();
        front.extend_from_slice(bytes);
        if front.len() < BYTE_ORDER_MARK.len() {
            self.front = Some(front);
            return;
        }
        self.started = true;
        self.add(front.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&front));
    }

    fn add(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        if self.carriage_return && bytes[0] != b'\n' {
            self.hasher.update(b"\r");
        }
        // What follows a last CR decides whether it stays.
        self.carriage_return = *last == b'\r';
        let whole = &bytes[..bytes.len() - usize::from(self.carriage_return)];
        let mut rest = whole;
        while let Some(position) = rest.windows(2).position(|pair| pair == b"\r\n") {
            self.hasher.update(&rest[..position]);
            rest = &rest[position + 1..];
        }
        self.hasher.update(rest);
    }

    /// The digest of the form of all that was added.
    #[must_use]
    pub fn finish(mut self) -> Digest {
        if let Some(front) = self.front.take() {
            self.add(&front);
        }
        if self.carriage_return {
            self.hasher.update(b"\r");
        }
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hash_as_the_whole() {
        let text = b"\xef\xbb\xbfa\r\nb\r\r\n\rc\r\n\r";
        assert_eq!(line_feed_form(text).as_ref(), b"a\nb\r\n\rc\n\r");
        for size in 1..=text.len() {
            let mut hasher = LineFeedHasher::default();
            text.chunks(size).for_each(|part| hasher.update(part));
            assert_eq!(hasher.finish(), Digest::of(b"a\nb\r\n\rc\n\r"), "{size}");
        }
        assert_eq!(line_feed_digest(text, Digest::of(text)), Digest::of(b"a\nb\r\n\rc\n\r"));
        assert_eq!(LineFeedHasher::default().finish(), Digest::of(b""));
    }
}
