//! Files of rows under a line of names, with commas, semicolons or tabs between their fields.

use super::columns::{meanings_of, pairs};
use super::finding::Hit;
use crate::scripts::meaning::Meaning;

/// Names of a header, at least.
const NAMES: usize = 2;

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let header = text[..end].trim_ascii_end();
    let Some(delimiter) = [b',', b';', b'\t'].into_iter().find(|sign| is_header(header, *sign)) else {
        return;
    };
    let mut at = 0;
    let names: Vec<_> = header
        .split(|byte| *byte == delimiter)
        .map(|name| {
            at += name.len() + 1;
            at - 1 - name.len()..at - 1
        })
        .collect();
    rows(text, end + 1, delimiter, &meanings_of(text, &names), b"", hits);
}

/// Names alone, of which one means something.
fn is_header(line: &[u8], delimiter: u8) -> bool {
    let names: Vec<&[u8]> = line.split(|byte| *byte == delimiter).map(super::columns::trim).collect();
    let is_name = |name: &&[u8]| {
        !name.is_empty()
            && name.len() <= 40
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(byte) || !byte.is_ascii())
    };
    names.len() >= NAMES && names.iter().all(is_name) && names.iter().any(|name| Meaning::of(name).is_some())
}

/// Lines of fields up to one that begins with `stop`, or the end; the place behind the last.
pub(super) fn rows(
    text: &[u8],
    start: usize,
    delimiter: u8,
    meanings: &[Option<Meaning>],
    stop: &[u8],
    hits: &mut Vec<Hit>,
) -> usize {
    let mut at = start;
    while at < text.len() {
        let end = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length);
        let line = &text[at..end];
        if !stop.is_empty() && line.starts_with(stop) {
            return end;
        }
        let mut fields = Vec::new();
        let mut field = at;
        while field <= end {
            let length = length(&text[field..end], delimiter);
            fields.push(super::columns::trimmed(text, field..field + length));
            field += length + 1;
        }
        for (value, meaning) in fields.iter().zip(meanings) {
            if let Some(meaning) = meaning
                && let Some(rule) = meaning.rule(&text[value.clone()], true)
                && !text[value.clone()].starts_with(b"\\N")
            {
                hits.push(Hit::new(rule, value.clone(), 2));
            }
        }
        pairs(text, &fields, hits);
        at = end + 1;
    }
    text.len()
}

/// How long the field is that begins here; a delimiter in its quotes is part of it.
fn length(line: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    line.iter()
        .position(|byte| {
            quoted ^= delimiter != b'\t' && *byte == b'"';
            *byte == delimiter && !quoted
        })
        .unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_meaning_of_the_first_line() {
        let text = "nom;date_naissance;mot_de_passe\r\n\"Pic;ard\";1984-03-12;k7Qz81mm\r\nRoux;;\r\n";
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        let found: Vec<_> = hits.into_iter().map(|hit| &text[hit.range]).collect();
        assert_eq!(found, ["1984-03-12", "k7Qz81mm"]);
    }

    #[test]
    fn statements_are_no_tables() {
        for text in ["CREATE TABLE t (a int, password text);\n'x', 'k7Qz81mm'", "password\nk7Qz81mm", ""] {
            let mut hits = Vec::new();
            find(text.as_bytes(), &mut hits);
            assert_eq!(hits, [], "{text}");
        }
    }
}
