//! Rules and allowlists of one's own, in the format of gitleaks. What it has and is not known here is an error.
//!
//! An allowlist holds for the rules of its own file: what greffe itself finds cannot be talked away by it.

use std::borrow::Cow;

use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::finding::{Hit, Rule, Severity};
pub use super::rule_error::{Problem, RuleError};

/// Rules of one file.
pub(super) const LIMIT: usize = 2_000;
/// Hits of one rule in one text.
const HITS: usize = 100_000;

/// Rules that were read, ready to be asked.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<OwnRule>,
    allowed: Vec<Allowed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(default)]
    rules: Vec<RuleForm>,
    allowlist: Option<AllowForm>,
    #[serde(default)]
    allowlists: Vec<AllowForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleForm {
    id: String,
    #[serde(default)]
    description: String,
    regex: Option<String>,
    path: Option<String>,
    entropy: Option<f64>,
    #[serde(rename = "secretGroup", default)]
    secret_group: usize,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    allowlist: Option<AllowForm>,
    #[serde(default)]
    allowlists: Vec<AllowForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowForm {
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(rename = "regexTarget", default)]
    target: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    stopwords: Vec<String>,
}

#[derive(Debug)]
struct OwnRule {
    rule: Rule,
    regex: Option<Regex>,
    path: Option<Regex>,
    entropy: Option<f64>,
    group: usize,
    keywords: Vec<String>,
    allowed: Vec<Allowed>,
}

#[derive(Debug)]
struct Allowed {
    regexes: Vec<Regex>,
    target: Target,
    paths: Vec<Regex>,
    stopwords: Vec<String>,
}

/// What the patterns of an allowlist are held against.
#[derive(Debug, Clone, Copy)]
enum Target {
    Secret,
    Match,
    Line,
}

impl Rules {
    /// Reads a file of rules.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let form: FileForm = toml::from_str(text).map_err(|error| RuleError::of_form(text, &error))?;
        if form.rules.len() > LIMIT {
            return Err(RuleError::TooMany);
        }
        let allowed = form.allowlist.into_iter().chain(form.allowlists);
        Ok(Self {
            rules: form.rules.into_iter().map(OwnRule::new).collect::<Result<_, _>>()?,
            allowed: allowed.map(|form| Allowed::new("allowlist", form)).collect::<Result<_, _>>()?,
        })
    }

    /// What they look for.
    pub fn rules(&self) -> impl Iterator<Item = Rule> + '_ {
        self.rules.iter().map(|own| own.rule.clone())
    }

    pub(super) fn find(&self, text: &[u8], path: &str, hits: &mut Vec<Hit>) {
        if self.rules.is_empty() || self.allowed.iter().any(|allowed| allowed.allows_path(path)) {
            return;
        }
        let small = text.to_ascii_lowercase();
        for own in &self.rules {
            own.find(text, &small, path, &self.allowed, hits);
        }
    }
}

impl OwnRule {
    fn new(form: RuleForm) -> Result<Self, RuleError> {
        let id = form.id;
        let make = |pattern: Option<String>| pattern.map(|pattern| compiled(&id, &pattern)).transpose();
        let (regex, path) = (make(form.regex)?, make(form.path)?);
        if regex.is_none() && path.is_none() {
            return Err(RuleError::Empty { rule: id });
        }
        if form.secret_group > 0
            && regex.as_ref().is_none_or(|regex| regex.captures_len() <= form.secret_group)
        {
            return Err(RuleError::Group { rule: id, group: form.secret_group });
        }
        let allowed = form.allowlist.into_iter().chain(form.allowlists);
        let allowed = allowed.map(|form| Allowed::new(&id, form)).collect::<Result<_, _>>()?;
        let personal = form.tags.iter().any(|tag| tag == "personal");
        let severity = if personal { Severity::Personal } else { Severity::Secret };
        let rule = Rule { id: Cow::Owned(id), severity, description: Cow::Owned(form.description) };
        let keywords = form.keywords.iter().map(|word| word.to_ascii_lowercase()).collect();
        Ok(Self { rule, regex, path, entropy: form.entropy, group: form.secret_group, keywords, allowed })
    }

    fn find(&self, text: &[u8], small: &[u8], path: &str, allowed: &[Allowed], hits: &mut Vec<Hit>) {
        let elsewhere = self.path.as_ref().is_some_and(|pattern| !pattern.is_match(path.as_bytes()));
        if elsewhere || self.allowed.iter().any(|allowed| allowed.allows_path(path)) {
            return;
        }
        if !self.keywords.is_empty() && !self.keywords.iter().any(|word| contains(small, word.as_bytes())) {
            return;
        }
        let Some(regex) = &self.regex else {
            // A file that should not be there at all.
            return self.hit(0..text.len().min(1), hits);
        };
        for found in regex.captures_iter(text).take(HITS) {
            let Some((all, secret)) = self.secret(&found) else { continue };
            let weak = self.entropy.is_some_and(|wanted| entropy(&text[secret.clone()]) <= wanted);
            let allows = |allowed: &Allowed| allowed.allows(text, &all, &secret);
            if !weak && !self.allowed.iter().chain(allowed).any(allows) {
                self.hit(secret, hits);
            }
        }
    }

    /// The whole match, and the secret in it: the named group or, as gitleaks has it, the first that took part.
    fn secret(&self, found: &Captures<'_>) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let all = found.get(0)?;
        let group = match self.group {
            0 => found.iter().skip(1).flatten().find(|group| !group.is_empty()),
            group => found.get(group),
        };
        Some((all.range(), group.unwrap_or(all).range()))
    }

    fn hit(&self, range: std::ops::Range<usize>, hits: &mut Vec<Hit>) {
        hits.push(Hit { rule: self.rule.id.clone(), severity: self.rule.severity, range, rank: 1 });
    }
}

impl Allowed {
    fn new(rule: &str, form: AllowForm) -> Result<Self, RuleError> {
        let target = match form.target.as_deref() {
            None | Some("secret") => Target::Secret,
            Some("match") => Target::Match,
            Some("line") => Target::Line,
            Some(_) => {
                return Err(RuleError::Value { rule: rule.to_owned(), key: "regexTarget" });
            }
        };
        let all = |patterns: Vec<String>| {
            patterns.iter().map(|pattern| compiled(rule, pattern)).collect::<Result<Vec<_>, _>>()
        };
        let stopwords = form.stopwords.iter().map(|word| word.to_ascii_lowercase()).collect();
        Ok(Self { regexes: all(form.regexes)?, target, paths: all(form.paths)?, stopwords })
    }

    fn allows_path(&self, path: &str) -> bool {
        self.paths.iter().any(|pattern| pattern.is_match(path.as_bytes()))
    }

    fn allows(&self, text: &[u8], all: &std::ops::Range<usize>, secret: &std::ops::Range<usize>) -> bool {
        let value = &text[secret.clone()];
        let against = match self.target {
            Target::Secret => value,
            Target::Match => &text[all.clone()],
            Target::Line => line_around(text, all),
        };
        let small = value.to_ascii_lowercase();
        self.regexes.iter().any(|regex| regex.is_match(against))
            || self.stopwords.iter().any(|word| contains(&small, word.as_bytes()))
    }
}

/// As Go reads it: classes such as `\d` are ASCII. Patterns that name other signs are read with them.
fn compiled(rule: &str, pattern: &str) -> Result<Regex, RuleError> {
    let make = |unicode| RegexBuilder::new(pattern).unicode(unicode).build();
    make(false).or_else(|_| make(true)).map_err(|error| {
        // The last line says what is wrong; those before it show the pattern.
        let told = error.to_string();
        let problem = match &error {
            regex::Error::Syntax(_) => {
                told.lines().next_back().unwrap_or_default().trim_start_matches("error: ")
            }
            _ => "it is too large",
        };
        RuleError::Pattern { rule: rule.to_owned(), problem: problem.to_owned() }
    })
}

/// The line, at most 4 KB of it on either side.
fn line_around<'a>(text: &'a [u8], range: &std::ops::Range<usize>) -> &'a [u8] {
    const SIDE: usize = 4096;
    let floor = range.start.saturating_sub(SIDE);
    let ceiling = text.len().min(range.end.saturating_add(SIDE));
    let start =
        text[floor..range.start].iter().rposition(|byte| *byte == b'\n').map_or(floor, |at| floor + at + 1);
    let end =
        text[range.end..ceiling].iter().position(|byte| *byte == b'\n').map_or(ceiling, |at| range.end + at);
    &text[start..end]
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    word.is_empty() || text.windows(word.len()).any(|window| window == word)
}

/// Shannon's, in bits for each byte.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = text.len().max(1) as f64;
    counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| f64::from(count) / length)
        .map(|p| -p * p.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::scanner::scan_with;
    use super::*;

    const OWN: &str = r#"
title = "ours"
[[rules]]
id = "dossier"
description = "number of a file"
regex = '''dossier:(D-[0-9]{4})'''
secretGroup = 1
keywords = ["DOSSIER"]
tags = ["personal"]
[rules.allowlist]
regexes = ['''D-0000''']
stopwords = ["9999"]
[[rules]]
id = "strong"
regex = '''key<([a-z0-9]+)>'''
entropy = 3.0
path = '''\.sql$'''
[allowlist]
paths = ['''^vendor/''']
"#;

    fn found(text: &str, path: &str) -> Vec<String> {
        let rules = Rules::parse(OWN).unwrap();
        scan_with(text.as_bytes(), path, &rules)
            .into_iter()
            .map(|finding| finding.rule.into_owned())
            .collect()
    }

    #[test]
    fn rules_of_ones_own_are_asked() {
        assert_eq!(found("dossier:D-1234", "a.sql"), ["dossier"]);
        assert_eq!(found("key<a1b2c3d4e5f6g7h8>", "a.sql"), ["strong"]);
        for (text, path) in [
            ("dossier:D-0000", "a.sql"),
            ("dossier:D-9999", "a.sql"),
            ("dossier:D-1234", "vendor/a.sql"),
            ("key<aaaaaaaaaaaaaaaa>", "a.sql"),
            ("key<a1b2c3d4e5f6g7h8>", "a.txt"),
        ] {
            assert_eq!(found(text, path), [""; 0], "{text} {path}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (text, named) in [
            ("[extend]\nuseDefault = true\n", "extend"),
            ("[[rules]]\nid = 'a'\nregex = 'b'\nskipReport = true\n", "skipReport"),
            ("[allowlist]\ncommits = ['a']\n", "commits"),
            ("[[rules]]\nid = 'a'\n", "neither"),
            ("[[rules]]\nid = 'a'\nregex = '('\n", "pattern"),
            ("[[rules]]\nid = 'a'\nregex = 'b'\nsecretGroup = 2\n", "group 2"),
            ("[allowlist]\nregexTarget = 'file'\n", "regexTarget"),
            ("[[rules", "TOML"),
            ("[[rules]]\nid = 'a'\nregex = unseen-1\n", "line 3"),
            ("[[rules]]\nid = 'a'\nregex = 'b'\nkeywords = 'unseen-1'\n", "line 4"),
            ("[[rules]]\nid = 'a'\nregex = 'unseen-1(?=b)'\n", "look-around"),
            ("[allowlist]\nregexTarget = 'unseen-1'\n", "regexTarget"),
        ] {
            let told = Rules::parse(text).unwrap_err().to_string();
            assert!(told.contains(named), "{told}");
            assert!(!told.contains("unseen"), "{told}");
        }
    }
}
