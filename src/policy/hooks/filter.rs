//! For which sectors, targets and environments a hook is: a comment at the top of its file.
//!
//! ```text
//! // sector: santé, education
//! // target: billing
//! // environment: production
//! ```
//! Lines begin as comments do: with `//`, `#`, `--`, `;`, `%`, `/*` or `*`. A key that is missing leaves nothing out. Values are compared without
//! accents, case and punctuation: `santé` is `sante`, and `e-commerce` is `ecommerce`.

use super::{folded, nearest};

/// How far into a file the comment is looked for, in bytes.
const LIMIT: usize = 16 * 1024;

/// What comments begin with, in the languages that hooks are written in.
const LEADS: [&str; 7] = ["//", "/*", "*", "#", "--", ";", "%"];

/// Keys in English and in French.
const KEYS: [(&str, Key); 6] = [
    ("sector", Key::Sector),
    ("secteur", Key::Sector),
    ("target", Key::Target),
    ("cible", Key::Target),
    ("environment", Key::Environment),
    ("environnement", Key::Environment),
];

#[derive(Clone, Copy)]
enum Key {
    Sector,
    Target,
    Environment,
}

/// For which runs a hook is; an empty list is for all. Values are folded.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Filter {
    pub sectors: Vec<String>,
    pub targets: Vec<String>,
    pub environments: Vec<String>,
}

/// Why a filter is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("line {line}: `{key}` is no filter; the nearest one is `{nearest}`")]
    Misspelt { line: usize, key: String, nearest: String },
    #[error("line {line}: `{key}` names nothing")]
    Empty { line: usize, key: String },
}

impl Filter {
    /// Reads the comment at the top of a hook's file; one that is no text has none.
    ///
    /// # Errors
    /// [`FilterError`]: a filter that is not understood would let a hook run where it should not, or keep it from running.
    pub fn parse(source: &[u8]) -> Result<Self, FilterError> {
        let source = &source[..source.len().min(LIMIT)];
        let mut filter = Self::default();
        for (number, line) in source.split(|byte| *byte == b'\n').enumerate() {
            let Ok(line) = std::str::from_utf8(line) else { break };
            let line = line.trim_start_matches('\u{feff}').trim();
            let Some(comment) = LEADS.iter().find_map(|lead| line.strip_prefix(lead)) else {
                if line.is_empty() {
                    continue;
                }
                break;
            };
            if let Some((key, value)) =
                comment.trim_start_matches(['/', '#', '!', '*', '-', ';', '%']).split_once(':')
            {
                filter.add(key.trim(), value.split("*/").next().unwrap_or(value), number + 1)?;
            }
        }
        Ok(filter)
    }

    fn add(&mut self, key: &str, value: &str, line: usize) -> Result<(), FilterError> {
        let lower = key.to_lowercase();
        let Some((_, known)) = KEYS.iter().find(|(name, _)| *name == lower) else {
            // A word before a colon is prose, unless it looks like a key.
            return match nearest(key, KEYS.iter().map(|(name, _)| *name)) {
                Some(nearest) => Err(FilterError::Misspelt { line, key: key.to_owned(), nearest }),
                None => Ok(()),
            };
        };
        let list = match known {
            Key::Sector => &mut self.sectors,
            Key::Target => &mut self.targets,
            Key::Environment => &mut self.environments,
        };
        let before = list.len();
        let words = value.split(|c: char| c == ',' || c.is_whitespace()).map(folded);
        list.extend(words.filter(|word| !word.is_empty()));
        if list.len() == before {
            return Err(FilterError::Empty { line, key: key.to_owned() });
        }
        Ok(())
    }

    /// Whether a hook with this filter is asked in a run.
    #[must_use]
    pub fn lets(&self, sectors: &[String], target: Option<&str>, environment: Option<&str>) -> bool {
        let has = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.contains(&folded(value)))
        };
        (self.sectors.is_empty() || sectors.iter().any(|sector| has(&self.sectors, Some(sector))))
            && has(&self.targets, target)
            && has(&self.environments, environment)
    }

    /// The sectors of a run that a hook with this filter is asked about, folded, each once, in their order.
    #[must_use]
    pub fn sectors_of(&self, sectors: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for sector in sectors.iter().map(|sector| folded(sector)) {
            if (self.sectors.is_empty() || self.sectors.contains(&sector)) && !found.contains(&sector) {
                found.push(sector);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> Filter {
        Filter::parse(source.as_bytes()).unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_comment_at_the_top_says_where_a_hook_is_asked() {
        let filter = parse(
            "// No Fridays.\n// sector: Santé, éducation E-Commerce\n// cible: billing\n\nfn x() {}\n// target: other\n",
        );
        assert_eq!(filter.sectors, ["sante", "education", "ecommerce"]);
        assert_eq!((filter.targets, filter.environments), (texts(&["billing"]), vec![]));
        let filter = parse(
            "#!/bin/sh\n# environment: production\n# secteur: sante\n\n# environnement: staging\necho\n",
        );
        assert_eq!(filter.environments, ["production", "staging"]);
        assert_eq!(filter.sectors, ["sante"]);
        assert_eq!(parse("\u{feff}# sector: a\r\n").sectors, ["a"]);
        for text in [
            "#!/usr/bin/env lua\n-- sector: a\n",
            "/* sector: a */ allow()",
            "/**\n * sector: a\n */\n",
            "/* sector: a */\n",
            ";; sector: a\n",
            "% sector: a\n",
        ] {
            assert_eq!(parse(text).sectors, ["a"], "{text}");
        }
        assert_eq!(Filter::parse(b"\x7fELF\x00\xff sector: a"), Ok(Filter::default()));
    }

    #[test]
    fn a_misspelt_filter_is_an_error_and_prose_is_none() {
        let refused = |source: &str| Filter::parse(source.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("// sectr: sante"), "line 1: `sectr` is no filter; the nearest one is `sector`");
        assert_eq!(
            refused("#!/bin/sh\n# targets: a"),
            "line 2: `targets` is no filter; the nearest one is `target`"
        );
        assert_eq!(refused("// sector: ,"), "line 1: `sector` names nothing");
        assert_eq!(parse("// Note: see also: https://example.org\n"), Filter::default());
    }

    #[test]
    fn accents_are_folded_on_both_sides() {
        let sante = parse("// sector: santé\n");
        for sector in ["sante", "Santé", "SANTE\u{301}"] {
            assert!(sante.lets(&texts(&[sector]), None, None), "{sector}");
        }
        assert!(!sante.lets(&texts(&["education"]), None, None) && !sante.lets(&[], None, None));
        assert_eq!(sante.sectors_of(&texts(&["education", "Santé", "sante"])), ["sante"]);
        assert_eq!(parse("").sectors_of(&texts(&["éducation", "sante"])), ["education", "sante"]);
    }

    #[test]
    fn every_filter_has_to_let_it() {
        let both = parse("// target: a b\n// environment: production\n");
        assert!(both.lets(&[], Some("B"), Some("Production")));
        assert!(!both.lets(&[], Some("c"), Some("production")));
        assert!(!both.lets(&[], Some("a"), None));
        assert!(Filter::default().lets(&[], None, None));
    }
}
