//! Reads the members of a document strictly: what nobody asks for is misspelt, and the nearest that was asked for is
//! named. It says where, and repeats no value.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// The member, such as `rule.level`.
    pub member: String,
    /// Completes the member: "`rule.level` …".
    pub why: Why,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.member, self.why)
    }
}

/// Why it is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("is not TOML: {0}")]
    Syntax(String),
    #[error("is no member of it{}", suggestion(.0.as_deref()))]
    Unknown(Option<String>),
    #[error("is of type {found}: write {wanted}")]
    Type { found: &'static str, wanted: &'static str },
    #[error("is missing")]
    Missing,
    #[error("is not one of {allowed}{}", suggestion(.nearest.as_deref()))]
    NotOneOf { allowed: String, nearest: Option<String> },
    #[error("{0}")]
    Other(String),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; the nearest one is `{nearest}`")).unwrap_or_default()
}

/// Faults of a document, collected while it is read.
pub type Faults = RefCell<Vec<Fault>>;

/// A table of a document, of which each member is taken once.
pub struct Members<'a> {
    table: &'a DeTable<'a>,
    /// What faults call it: nothing, or `rule.`.
    path: String,
    span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
    faults: &'a Faults,
}

impl<'a> Members<'a> {
    /// The members of `table`, which stands at `span` and is called `path`.
    #[must_use]
    pub const fn of(table: &'a DeTable<'a>, path: String, span: Range<usize>, faults: &'a Faults) -> Self {
        Self { table, path, span, asked: RefCell::new(Vec::new()), faults }
    }

    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// A member's value and where it stands.
    fn take(&self, name: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.asked.borrow_mut().push(name);
        let (key, value) = self.table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
        Some((value.get_ref(), key.span()))
    }

    /// Says that something is wrong with a member, at `span`.
    pub fn refuse(&self, span: Range<usize>, name: &str, why: Why) {
        self.faults.borrow_mut().push(Fault { span, member: format!("{}{name}", self.path), why });
    }

    /// Says that something is wrong with a member, wherever it stands.
    pub fn refuse_member(&self, name: &str, why: Why) {
        let key = self.table.keys().find(|key| key.get_ref().as_ref() == name);
        self.refuse(key.map_or(self.span.clone(), Spanned::span), name, why);
    }

    fn typed<T>(
        &self,
        name: &'static str,
        wanted: &'static str,
        read: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let (value, span) = self.take(name)?;
        let read = read(value);
        if read.is_none() {
            self.refuse(span, name, Why::Type { found: value.type_str(), wanted });
        }
        read
    }

    /// A text that is not empty.
    pub fn text(&self, name: &'static str) -> Option<String> {
        self.typed(name, "a text in quotes", |value| {
            value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
        })
    }

    /// A member's text as it stands there, which nothing is said of.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&'a str> {
        self.table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?.1.get_ref().as_str()
    }

    /// Whether a member is there and is a text.
    #[must_use]
    pub fn is_text(&self, name: &'static str) -> bool {
        self.text_of(name).is_some()
    }

    /// A text that has to be there; an empty one stands for what is refused.
    pub fn needed(&self, name: &'static str) -> String {
        self.require(name);
        self.text(name).unwrap_or_default()
    }

    /// Says that a member is missing, where it is.
    pub fn require(&self, name: &'static str) {
        if !self.table.keys().any(|key| key.get_ref().as_ref() == name) {
            self.refuse(self.span.clone(), name, Why::Missing);
        }
    }

    /// A whole number from 0 on.
    pub fn number(&self, name: &'static str) -> Option<u32> {
        self.typed(name, "a whole number from 0 on, without quotes", |value| {
            value.as_integer().and_then(|number| number.as_str().parse().ok())
        })
    }

    pub fn boolean(&self, name: &'static str) -> Option<bool> {
        self.typed(name, "`true` or `false`, without quotes", DeValue::as_bool)
    }

    /// A list of texts, none of them empty.
    pub fn list(&self, name: &'static str) -> Option<Vec<String>> {
        self.typed(name, "a list in brackets of texts in quotes", texts)
    }

    /// One of some words.
    pub fn word<T: Copy>(&self, name: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            self.refuse_member(name, not_one_of(&text, words.iter().map(|(word, _)| *word)));
        }
        found.map(|(_, value)| *value)
    }

    /// A table below it.
    pub fn table(&self, name: &'static str) -> Option<Members<'a>> {
        let (value, span) = self.take(name)?;
        let Some(table) = value.as_table() else {
            self.refuse(span, name, Why::Type { found: value.type_str(), wanted: "a table" });
            return None;
        };
        Some(Members::of(table, format!("{}{name}.", self.path), span, self.faults))
    }

    /// The tables of a list: `[[name]]`.
    pub fn tables(&self, name: &'static str) -> Vec<Members<'a>> {
        let Some((value, span)) = self.take(name) else { return Vec::new() };
        let items = value.as_array().map(|items| {
            items
                .iter()
                .map(|item| Some((item.get_ref().as_table()?, item.span())))
                .collect::<Option<Vec<_>>>()
        });
        let Some(Some(items)) = items else {
            self.refuse(
                span,
                name,
                Why::Type { found: value.type_str(), wanted: "tables, each under `[[…]]`" },
            );
            return Vec::new();
        };
        let members = |(table, span)| Members::of(table, format!("{}{name}.", self.path), span, self.faults);
        items.into_iter().map(members).collect()
    }

    /// All members that are lists of texts, whatever they are called.
    pub fn lists(&self) -> Vec<(String, Vec<String>)> {
        let mut lists = Vec::new();
        for (key, value) in self.table {
            match texts(value.get_ref()) {
                Some(list) => lists.push((key.get_ref().to_string(), list)),
                None => {
                    let wanted = "a list in brackets of texts in quotes";
                    let found = value.get_ref().type_str();
                    self.refuse(key.span(), key.get_ref(), Why::Type { found, wanted });
                }
            }
        }
        lists
    }

    /// Counts these members as asked for.
    pub fn know(&self, names: impl Iterator<Item = &'static str>) {
        self.asked.borrow_mut().extend(names);
    }

    /// Refuses what nobody asked for.
    pub fn end(self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !asked.contains(&name) {
                let nearest = nearest(name, asked.iter().copied()).map(str::to_owned);
                self.refuse(key.span(), &printable(name), Why::Unknown(nearest));
            }
        }
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let text = |value: &Spanned<DeValue<'_>>| {
        value.get_ref().as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
    };
    value.as_array()?.iter().map(text).collect()
}

/// What to say of a word that is none of some.
pub fn not_one_of<'a>(word: &str, words: impl Iterator<Item = &'a str> + Clone) -> Why {
    let allowed: Vec<String> = words.clone().map(|word| format!("`{word}`")).collect();
    Why::NotOneOf { allowed: allowed.join(", "), nearest: nearest(word, words).map(str::to_owned) }
}

/// The candidate with the fewest edits, when at most one character in three differs.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if given.len() > LONGEST {
        return None;
    }
    let near = candidates.map(|valid| (valid, strsim::osa_distance(given, valid)));
    let near = near.filter(|(valid, distance)| distance * 3 <= valid.chars().count());
    near.min_by_key(|(_, distance)| *distance).map(|(valid, _)| valid)
}

/// At most 64 characters without control characters.
fn printable(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}
