//! Texts that stand in another writing: escapes, pieces that are joined, base 16 and base 64. They are read in a copy,
//! and what is found in it gets the place that it was read from.

use std::ops::Range;

use super::finding::Hit;
use super::meaning::quoted;
use super::pattern::{Pattern, pattern};
use super::{keyed, personal, tokens};

/// Escapes of SQL, JSON, addresses and HTML, the signs of a join, and long runs of base 16 and base 64.
static WRITTEN: Pattern = Pattern::new(|| {
    pattern(concat!(
        r"(?i-u)(?P<escape>\\x40|\\u00(?:40|2b|2e)|\\\+?0{0,2}0040|%40|&(?:#0?64|#x40|commat);|\xef\xbc[\x90-\x99])",
        r"|(?P<join>'\s*\|\|\s*e?')|(?P<concat>\bconcat(?:_ws)?\s*\(\s*')",
        r"|\b(?:0x|x')(?P<hex>[0-9a-f]{12,4000})|\\x(?P<bytea>[0-9a-f]{12,4000})",
        r"|['\x22\s](?P<base>[a-z0-9+/]{16,8000}={0,2})['\x22]"
    ))
});
/// Bytes on either side of an escape that belong to its word.
const WORD: usize = 80;

/// A copy, and from where each of its bytes was read.
#[derive(Default)]
struct View {
    text: Vec<u8>,
    from: Vec<Range<usize>>,
}

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    let mut view = View::default();
    let mut at = 0;
    while let Some(found) = WRITTEN.captures_at(text, at) {
        let Some(all) = found.get(0) else { break };
        at = all.end();
        if found.name("escape").is_some() {
            at = view.unescape(text, all.range()).max(at);
        } else if found.name("join").is_some() {
            at = view.join(text, all.start()).max(at);
        } else if found.name("concat").is_some() {
            at = view.concat(text, all.end() - 1).max(at);
        } else if let Some(hex) = found.name("hex").or_else(|| found.name("bytea")) {
            view.whole(hex.range(), from_hex(hex.as_bytes()));
        } else if let Some(base) = found.name("base") {
            view.whole(base.range(), from_base64(base.as_bytes()));
            at = base.end();
        }
    }
    if view.text.is_empty() {
        return;
    }
    let mut found = Vec::new();
    tokens::find(&view.text, &mut found);
    personal::find(&view.text, &mut found);
    keyed::find(&view.text, &mut found);
    for mut hit in found {
        let places = view.from.get(hit.range.clone()).unwrap_or_default();
        let start = places.iter().map(|place| place.start).min();
        let end = places.iter().map(|place| place.end).max();
        if let (Some(start), Some(end)) = (start, end) {
            hit.range = start..end;
            // Whoever reads the text itself knows better.
            hit.rank = hit.rank.saturating_add(2);
            hits.push(hit);
        }
    }
}

impl View {
    fn push(&mut self, byte: u8, from: Range<usize>) {
        self.text.push(byte);
        self.from.push(from);
    }

    /// Parts what is read from what is read next.
    fn end(&mut self, at: usize) {
        self.push(b'\n', at..at);
    }

    fn copy(&mut self, text: &[u8], range: Range<usize>) {
        for at in range {
            self.push(text[at], at..at + 1);
        }
    }

    /// A text that stands for another as a whole.
    fn whole(&mut self, range: Range<usize>, decoded: Option<Vec<u8>>) {
        let Some(decoded) = decoded else { return };
        for byte in decoded {
            self.push(byte, range.clone());
        }
        self.end(range.end);
    }

    /// The word around an escape, with all escapes in it; the place behind it.
    fn unescape(&mut self, text: &[u8], escape: Range<usize>) -> usize {
        let is_word =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"._+%-\\#;&@".contains(byte) || !byte.is_ascii();
        let floor = escape.start.saturating_sub(WORD);
        let before = &text[floor..escape.start];
        let start = before.iter().rposition(|byte| !is_word(byte)).map_or(floor, |at| floor + at + 1);
        let ceiling = text.len().min(escape.end + WORD);
        let after = &text[escape.end..ceiling];
        let end = after.iter().position(|byte| !is_word(byte)).map_or(ceiling, |at| escape.end + at);
        let mut at = start;
        while at < end {
            match escaped(&text[at..end]) {
                Some((byte, length)) => {
                    self.push(byte, at..at + length);
                    at += length;
                }
                None => {
                    self.push(text[at], at..at + 1);
                    at += 1;
                }
            }
        }
        self.end(end);
        end
    }

    /// Literals parted by `||`, of which the first ends at `end`; the place behind the last.
    fn join(&mut self, text: &[u8], end: usize) -> usize {
        let floor = end.saturating_sub(WORD);
        let before = &text[floor..end];
        let Some(open) = before.iter().rposition(|byte| *byte == b'\'') else { return end };
        self.copy(text, floor + open + 1..end);
        let mut at = end + 1;
        loop {
            let start = behind(text, at, b"|e");
            if start == at || text.get(start) != Some(&b'\'') {
                break;
            }
            let Some((inside, after)) = quoted(text, start, WORD * 4) else { break };
            self.copy(text, inside);
            at = after;
        }
        self.end(at);
        at
    }

    /// Literals among the arguments of `concat`.
    fn concat(&mut self, text: &[u8], start: usize) -> usize {
        let mut at = start;
        while text.get(at) == Some(&b'\'') {
            let Some((inside, after)) = quoted(text, at, WORD * 4) else { break };
            self.copy(text, inside);
            at = behind(text, after, b",e");
        }
        self.end(at);
        at
    }
}

/// The place behind blanks and some signs.
fn behind(text: &[u8], start: usize, signs: &[u8]) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let length = rest
        .iter()
        .take(WORD)
        .position(|byte| !byte.is_ascii_whitespace() && !signs.contains(&byte.to_ascii_lowercase()));
    start + length.unwrap_or(0)
}

/// The byte that an escape at the beginning stands for, and how long the escape is.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    const ESCAPES: [(&[u8], u8); 11] = [
        (b"\\x40", b'@'),
        (b"\\u0040", b'@'),
        (b"\\u002b", b'+'),
        (b"\\u002e", b'.'),
        (b"\\+000040", b'@'),
        (b"\\0040", b'@'),
        (b"%40", b'@'),
        (b"&#64;", b'@'),
        (b"&#064;", b'@'),
        (b"&#x40;", b'@'),
        (b"&commat;", b'@'),
    ];
    if let [0xef, 0xbc, digit @ 0x90..=0x99, ..] = text {
        return Some((digit - 0x90 + b'0', 3));
    }
    ESCAPES.iter().find_map(|(escape, byte)| {
        text.get(..escape.len())?.eq_ignore_ascii_case(escape).then_some((*byte, escape.len()))
    })
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let bytes = text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    readable(bytes.collect::<Option<Vec<u8>>>()?)
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for byte in text.iter().filter(|byte| **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    readable(bytes)
}

/// A text that somebody could read, and no chance of the bits.
fn readable(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let shown = str::from_utf8(&bytes).ok()?;
    (!shown.is_empty() && shown.chars().all(|sign| !sign.is_control() || sign.is_whitespace()))
        .then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        let shown = |hit: Hit| {
            (hit.rule.into_owned(), String::from_utf8_lossy(&text.as_bytes()[hit.range]).into_owned())
        };
        hits.into_iter().map(shown).collect()
    }

    #[test]
    fn an_address_is_found_in_any_writing() {
        for (text, value) in [
            (r"E'aline.vidal\x40mairie.fr'", r"aline.vidal\x40mairie.fr"),
            (r"U&'aline.vidal\0040mairie.fr'", r"aline.vidal\0040mairie.fr"),
            (r#"{"m":"aline\u0040mairie.fr"}"#, r"aline\u0040mairie.fr"),
            ("?to=aline%40mairie.fr&a=1", "aline%40mairie.fr"),
            ("aline&#64;mairie.fr", "aline&#64;mairie.fr"),
            ("('aline' || '@mairie.fr')", "aline' || '@mairie.fr"),
            ("CONCAT('aline', '@', 'mairie.fr')", "aline', '@', 'mairie.fr"),
            ("(0x616c696e65406d61697269652e6672)", "616c696e65406d61697269652e6672"),
            (r"('\x616c696e65406d61697269652e6672')", "616c696e65406d61697269652e6672"),
            ("decode('YWxpbmVAbWFpcmllLmZy', 'base64')", "YWxpbmVAbWFpcmllLmZy"),
        ] {
            assert_eq!(found(text), [("email".to_owned(), value.to_owned())], "{text}");
        }
    }

    #[test]
    fn digests_and_names_joined_with_signs_are_nothing() {
        for text in [
            "nom || ' ' || prenom",
            "'d41d8cd98f00b204e9800998ecf8427e'",
            "0xd41d8cd98f00b204e9800998ecf8427e",
            "LIKE '%40'",
            "'a' ||",
            "concat('",
            "'x' || 'y' || z",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
