//! Which names of tables and columns are of which class, and what columns are declared to be.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::packs::pack::Class;
use crate::scripts::meaning::words;

/// Which names are of which class, and what columns are declared to be.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    /// Patterns of tables and of columns, by class.
    classes: BTreeMap<String, (Vec<String>, Vec<String>)>,
    /// What columns are, such as `tokenised`, by patterns of their tables and of themselves.
    declared: Vec<(String, String, String)>,
    /// The scanner's rules that are asked about values.
    findings: BTreeSet<String>,
}

impl Classes {
    /// Names of tables and columns are patterns, in which `*` stands for any signs: by class, and by what columns of these
    /// names are declared to be. `findings`: the scanner's rules that are asked about values.
    #[must_use]
    pub fn new<'a>(
        classes: impl IntoIterator<Item = &'a Class>,
        declared: &BTreeMap<String, Vec<String>>,
        findings: BTreeSet<String>,
    ) -> Self {
        let patterns = |names: &[String]| names.iter().map(|name| pattern(last(name).1)).collect();
        let told = |class: &Class| (class.id.clone(), (patterns(&class.tables), patterns(&class.columns)));
        let declared = declared.iter().flat_map(|(what, columns)| {
            columns.iter().map(|column| {
                let (of, column) = last(column);
                let of = if of.is_empty() { "*".to_owned() } else { pattern(last(of).1) };
                (what.clone(), of, pattern(column))
            })
        });
        Self { classes: classes.into_iter().map(told).collect(), declared: declared.collect(), findings }
    }

    /// The classes of a table, by its plain name.
    pub(super) fn of_table<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let is = move |patterns: &[String]| patterns.iter().any(|one| matches(one, name));
        self.classes.iter().filter(move |(_, (tables, _))| is(tables)).map(|(id, _)| id.as_str())
    }

    /// The classes of a column, by its plain name.
    pub(super) fn of_column<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let is = move |patterns: &[String]| patterns.iter().any(|one| matches(one, name));
        self.classes.iter().filter(move |(_, (_, columns))| is(columns)).map(|(id, _)| id.as_str())
    }

    /// All classes that have tables.
    pub(super) fn with_tables(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().filter(|(_, (tables, _))| !tables.is_empty()).map(|(id, _)| id.as_str())
    }

    /// What the column of a table is declared to be, both by their plain names.
    pub(super) fn declared(&self, table: &str, column: &str) -> BTreeSet<String> {
        let is = |(_, of, name): &&(String, String, String)| matches(of, table) && matches(name, column);
        self.declared.iter().filter(is).map(|(what, ..)| what.clone()).collect()
    }

    pub(super) fn asks_for_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    pub(super) fn asks_for(&self, finding: &str) -> bool {
        self.findings.contains(finding)
    }
}

/// What stands before the last point of a name, and the last part.
fn last(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// A name in small letters without accents, with `_` between its words.
pub(super) fn plain(name: &str) -> String {
    let words = words(name.as_bytes());
    words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// A pattern as it is compared to plain names: what stands between its stars is written as they are.
fn pattern(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (place, part) in text.split('*').enumerate() {
        if place > 0 {
            plain.push('*');
        }
        for sign in words(part.as_bytes()).chars() {
            // One between words, and one at a star.
            if sign != ' ' {
                plain.push(sign);
            } else if !plain.is_empty() && !plain.ends_with('_') {
                plain.push('_');
            }
        }
    }
    plain.trim_end_matches('_').to_owned()
}

/// Whether a plain name is what a pattern says, in which `*` stands for any signs.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(sign) if *sign == name[at] => (at, of) = (at + 1, of + 1),
            // What the last star stands for is one sign longer.
            _ => match &mut star {
                Some((place, from)) => {
                    *from += 1;
                    (of, at) = (*place + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern.get(of..).unwrap_or_default().iter().all(|sign| *sign == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_in_any_spelling() {
        for (text, name, expected) in [
            ("patient", "patient", true),
            ("patient", "patients", false),
            ("patient_*", "patient_note", true),
            ("*_patient", "old_patient", true),
            ("*_patient", "patient", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*", "", true),
            ("**", "x", true),
            ("a*a", "a", false),
            ("DossierMédical", "dossier_medical", true),
            ("DOSSIER-*", "dossier_medical", true),
            ("Dossier Me\u{301}dical", "dossier_medical", true),
            ("Prüfung", "prufung", true),
            ("*-Patient-", "old_patient", true),
        ] {
            assert_eq!(matches(&pattern(text), name), expected, "{text} {name}");
        }
        for name in ["DossierMédical", "dossier_medical", "DOSSIER-MEDICAL", "Dossier Me\u{301}dical"] {
            assert_eq!(plain(name), "dossier_medical");
        }
    }

    #[test]
    fn names_of_settings_may_have_a_schema() {
        let class =
            Class { id: "p".to_owned(), tables: vec!["hospital.Patient".to_owned()], ..Class::default() };
        let declared =
            [("hashed".to_owned(), vec!["public.Payment.CardNumber".to_owned(), "pan".to_owned()])];
        let classes = Classes::new([&class], &declared.into(), BTreeSet::new());
        assert_eq!(classes.of_table("patient").collect::<Vec<_>>(), ["p"]);
        assert_eq!(classes.declared("payment", "card_number").len(), 1);
        assert_eq!(classes.declared("refund", "card_number").len(), 0);
        assert_eq!(classes.declared("refund", "pan").len(), 1);
    }
}
