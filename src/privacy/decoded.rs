//! Reads bytes as text, whatever they were written in, so that detectors and places know UTF-8 alone.

use std::borrow::Cow;

/// The text of a file: without its byte order mark, from UTF-16 with a mark or without, else UTF-8, in which bytes
/// that are none are taken for Windows-1252.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return Cow::Owned(utf16(rest, u16::from_le_bytes));
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return Cow::Owned(utf16(rest, u16::from_be_bytes));
    }
    match zeros(bytes) {
        (0, odd) if odd > 0 => return Cow::Owned(utf16(bytes, u16::from_le_bytes)),
        (even, 0) if even > 0 => return Cow::Owned(utf16(bytes, u16::from_be_bytes)),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(mended(bytes)),
    }
}

/// How many pairs of the first ones have a zero in front, and behind; none where less than half have one.
fn zeros(bytes: &[u8]) -> (usize, usize) {
    const LOOKED_AT: usize = 4096;
    let pairs = bytes.get(..bytes.len().min(LOOKED_AT)).unwrap_or_default().chunks_exact(2);
    let all = pairs.len();
    let (even, odd) = pairs.fold((0, 0), |(even, odd), pair| {
        (even + usize::from(pair[0] == 0), odd + usize::from(pair[1] == 0))
    });
    if even.max(odd) * 2 > all { (even, odd) } else { (0, 0) }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn mended(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| windows_1252(*byte)));
    }
    text
}

/// The signs that differ from Latin-1, from 0x80 on.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> char {
    let place = usize::from(byte).checked_sub(0x80);
    place.and_then(|at| WINDOWS.get(at)).copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_in_what_they_were_written_in() {
        let wanted = "-- né à Évry, 5 €";
        let little: Vec<u8> = wanted.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let great: Vec<u8> = wanted.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            wanted.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", wanted.as_bytes()].concat(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &great[..]].concat(),
            little.clone(),
            great.clone(),
            b"-- n\xe9 \xe0 \xc9vry, 5 \x80".to_vec(),
            [b"-- n\xe9 \xe0 ", "Évry, 5 €".as_bytes()].concat(),
        ] {
            assert_eq!(text_of(&bytes), wanted, "{bytes:?}");
        }
        assert_eq!(text_of(b""), "");
        assert_eq!(text_of(b"\x00"), "\0");
    }
}
