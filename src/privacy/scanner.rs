//! Asks all detectors, and keeps one finding for a place.

use super::finding::{Finding, Hit, Severity, located};
use super::rules::Rules;
use super::{
    calls, columns, decoded, definitions, keyed, named, personal, spoken, statements, tabular, tokens, views,
};

/// Looks through a text and adds what it finds.
type Detector = fn(&[u8], &mut Vec<Hit>);
/// All that are asked. What one of them finds in a place does not depend on the others.
const DETECTORS: [Detector; 11] = [
    tokens::find,
    statements::find,
    personal::find,
    keyed::find,
    spoken::find,
    calls::find,
    definitions::find,
    named::find,
    columns::find,
    tabular::find,
    views::find,
];

/// What stands in `text`, by its place. Any bytes may be given, see [`decoded::text_of`].
#[must_use]
pub fn scan(text: &[u8]) -> Vec<Finding> {
    scan_with(text, "", &Rules::default())
}

/// The same with further rules; `path` is what they call the file.
#[must_use]
pub fn scan_with(text: &[u8], path: &str, rules: &Rules) -> Vec<Finding> {
    let text = decoded::text_of(text);
    let text = text.as_bytes();
    located(text, hits(text, path, rules))
}

/// The text with each secret in it replaced by the name of the rule that found it, and how many there were.
#[must_use]
pub fn without_secrets(text: &[u8]) -> (Vec<u8>, usize) {
    let text = decoded::text_of(text);
    let text = text.as_bytes();
    let (mut plain, mut end, mut count) = (Vec::with_capacity(text.len()), 0, 0);
    for hit in hits(text, "", &Rules::default()) {
        if hit.severity == Severity::Secret {
            plain.extend_from_slice(text.get(end..hit.range.start).unwrap_or_default());
            plain.extend_from_slice(format!("[{} removed]", hit.rule).as_bytes());
            end = hit.range.end;
            count += 1;
        }
    }
    plain.extend_from_slice(text.get(end..).unwrap_or_default());
    (plain, count)
}

fn hits(text: &[u8], path: &str, rules: &Rules) -> Vec<Hit> {
    let mut hits = Vec::new();
    for find in DETECTORS {
        find(text, &mut hits);
    }
    rules.find(text, path, &mut hits);
    without_overlaps(hits)
}

/// What a name of a file or folder gives away: a token, or somebody. The ranges are in bytes.
#[must_use]
pub fn scan_name(name: &str) -> Vec<(std::ops::Range<usize>, Finding)> {
    let mut hits = Vec::new();
    tokens::find(name.as_bytes(), &mut hits);
    personal::find(name.as_bytes(), &mut hits);
    let hits = without_overlaps(hits);
    let ranges: Vec<_> = hits.iter().map(|hit| hit.range.clone()).collect();
    ranges.into_iter().zip(located(name.as_bytes(), hits)).collect()
}

/// Of hits that overlap, the one whose detector knows most; sorted by place.
fn without_overlaps(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.retain(|hit| !hit.range.is_empty());
    hits.sort_by(|a, b| {
        let key = |hit: &Hit| (hit.range.start, hit.rank, std::cmp::Reverse(hit.range.end));
        key(a).cmp(&key(b)).then_with(|| a.rule.cmp(&b.rule))
    });
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match kept.last() {
            Some(last) if last.range.end > hit.range.start => {
                if hit.rank < last.rank {
                    kept.pop();
                    kept.push(hit);
                }
            }
            _ => kept.push(hit),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::finding::built_in;
    use super::*;

    #[test]
    fn a_place_is_told_by_line_and_column_in_characters() {
        let found = scan("-- été\n-- écrire à m.dupont@mairie-lyon.fr.\n".as_bytes());
        let [finding] = &found[..] else { panic!("{found:?}") };
        assert_eq!((finding.line, finding.column, finding.length), (2, 13, 23));
        assert_eq!((finding.rule.as_ref(), finding.severity), ("email", Severity::Personal));
    }

    #[test]
    fn one_place_is_found_once() {
        let text = b"INSERT INTO u (password) VALUES ('$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234')";
        let found = scan(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].rule, "password-hash");
    }

    #[test]
    fn secrets_are_cut_out_and_the_rest_stays() {
        let text = b"connecting to postgres://app:Tr0ub4dor-3x@db/app\nwrote to m.dupont@mairie-lyon.fr\n";
        let (plain, count) = without_secrets(text);
        let plain = String::from_utf8(plain).unwrap();
        assert_eq!(count, 1, "{plain}");
        assert!(!plain.contains("Tr0ub4dor") && plain.contains(" removed]"), "{plain}");
        assert!(
            plain.starts_with("connecting to ") && plain.ends_with("m.dupont@mairie-lyon.fr\n"),
            "{plain}"
        );
        assert_eq!(without_secrets(plain.as_bytes()).1, 0);
    }

    #[test]
    fn every_rule_says_what_it_is() {
        let rules = built_in();
        let mut ids: Vec<_> = rules.iter().map(|rule| rule.id.clone()).collect();
        ids.dedup();
        assert_eq!(ids.len(), rules.len());
        assert!(rules.iter().all(|rule| !rule.description.is_empty()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(scan(&bytes).len() <= bytes.len());
        }

        #[test]
        fn any_pieces_of_statements_are_scanned(pieces in proptest::collection::vec(prop_oneof![
            Just("INSERT INTO t (nir, password, tel) VALUES "), Just("("), Just(")"), Just("'"), Just("''"), Just("\\'"),
            Just(","), Just("COPY t (iban, cvv) FROM stdin;\n"), Just("\\.\n"), Just("\t"), Just("password = '"),
            Just("185057800608491"), Just("FR1420041010050500013M02606"), Just("/*"), Just("--"), Just("\n"), Just("é"),
            Just("postgres://a:b@c"), Just("\""), Just("SELECT "), Just("token: "), Just("06 12 34 56 78"), Just("$2b$12$"),
        ], 0..60)) {
            let text = pieces.concat();
            for finding in scan(text.as_bytes()) {
                prop_assert!(finding.line >= 1 && finding.column >= 1 && finding.length >= 1);
            }
        }
    }
}
