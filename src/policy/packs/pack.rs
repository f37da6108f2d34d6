//! A pack: a document of rules, with the classes of tables and columns that they are about.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use toml::de::DeTable;

use super::PACK_LIMIT;
use super::check::{Check, Kind, LANGUAGES, Who};
use super::members::{Fault, Faults, Members, Why};
use super::sector::sector_named;
use crate::crypto::Digest;
use crate::model::is_day;
use crate::scripts::lint::Lines;

/// The first member of a document.
pub const FORMAT: &str = "pack/1";
/// The most rules, classes, changes and bases of a pack.
const MOST: usize = 512;
/// Faults that are told; the others are counted.
const TOLD: usize = 20;

/// What a rule does to a run. Later is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is not asked.
    Allow,
    /// It is told.
    Warn,
    /// Nothing is applied before it is kept.
    Deny,
}

impl Level {
    pub const ALL: [(&'static str, Self); 3] =
        [("allow", Self::Allow), ("warn", Self::Warn), ("deny", Self::Deny)];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A text by language; `en` is there.
pub type Texts = BTreeMap<String, String>;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What settings, waivers and reports call it.
    pub id: String,
    pub level: Level,
    pub check: Check,
    /// What it asks for, in a sentence.
    pub says: Texts,
    /// How it is kept.
    pub keep: Texts,
    /// The law or standard with its clause; `practice` where there is none.
    pub source: String,
    /// Where it is explained, where that is not the page of the packs that are always there.
    pub page: Option<String>,
    /// Whether a script can waive it, with a day and a reason.
    pub waivable: bool,
    /// The environments that it is for; none: all.
    pub environments: BTreeSet<String>,
}

impl Rule {
    /// Who decides it.
    #[must_use]
    pub const fn decides(&self) -> Who {
        self.check.kind.who()
    }

    /// Where it is explained.
    #[must_use]
    pub fn page(&self) -> String {
        self.page.clone().unwrap_or_else(|| format!("docs/policy.md#{}", self.id))
    }
}

/// What an extending pack changes in a rule of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub id: String,
    pub level: Option<Level>,
    /// The rule's check with other parameters.
    pub check: Option<Check>,
    /// Why it may be weaker than it was.
    pub reason: Option<String>,
    /// The last day on which it may, such as `2027-06-30`.
    pub until: Option<String>,
}

/// Tables and columns that rules are about, by names in small letters with `_` between words; `*` stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    pub id: String,
    pub says: Texts,
    pub tables: Vec<String>,
    pub columns: Vec<String>,
    /// Why it may have fewer than in a pack that is extended.
    pub reason: Option<String>,
    /// The last day on which it may, such as `2027-06-30`.
    pub until: Option<String>,
}

/// A pack as its document has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    pub name: String,
    pub version: String,
    pub title: Texts,
    /// The law or standard as a whole.
    pub source: String,
    /// Packs whose rules it takes over.
    pub extends: Vec<String>,
    pub classes: Vec<Class>,
    /// Rules of its own.
    pub rules: Vec<Rule>,
    /// Changes to those of packs that it extends.
    pub changes: Vec<Change>,
    /// Of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub text: String,
}

/// Why a document is no pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error("it has more than {PACK_LIMIT} bytes")]
    TooLarge,
    #[error("it is not UTF-8")]
    NotText,
    /// All that is wrong with it, each with its line from 1.
    #[error("{}", listed(.0))]
    Faults(Vec<(usize, Fault)>),
}

fn listed(faults: &[(usize, Fault)]) -> String {
    let told = faults.iter().take(TOLD).map(|(line, fault)| format!("line {line}: {fault}"));
    let more = faults.len().checked_sub(TOLD).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("\n  ")
}

impl Pack {
    /// Reads a document.
    ///
    /// # Errors
    /// [`PackError`], with all that is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, PackError> {
        if bytes.len() > PACK_LIMIT {
            return Err(PackError::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|_| PackError::NotText)?;
        let source = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (document, errors) = DeTable::parse_recoverable(source);
        let faults: Faults = RefCell::default();
        for error in errors {
            let (span, why) = (error.span().unwrap_or_default(), Why::Syntax(error.message().to_owned()));
            faults.borrow_mut().push(Fault { span, member: "this".to_owned(), why });
        }
        let is_toml = faults.borrow().is_empty();
        let members = Members::of(document.get_ref(), String::new(), 0..0, &faults);
        let pack = Self::of(members, text);
        let mut faults = faults.into_inner();
        if !is_toml {
            faults.retain(|fault| matches!(fault.why, Why::Syntax(_)));
        }
        if faults.is_empty() {
            return Ok(pack);
        }
        let lines = Lines::of(source);
        let line = |at: usize| lines.line(at);
        let mut placed: Vec<(usize, Fault)> =
            faults.into_iter().map(|fault| (line(fault.span.start), fault)).collect();
        placed.sort_by_key(|(line, _)| *line);
        Err(PackError::Faults(placed))
    }

    fn of(members: Members<'_>, text: &str) -> Self {
        members.require("greffe");
        members.word("greffe", &[(FORMAT, ())]);
        let name = named(&members, "name");
        let extends = bases(&members);
        let classes = several(&members, "class").map(read_class).collect();
        let mut pack = Self {
            version: members.needed("version"),
            title: texts(&members, "title"),
            source: members.needed("source"),
            digest: Digest::of(text.as_bytes()),
            text: text.to_owned(),
            rules: Vec::new(),
            changes: Vec::new(),
            name,
            extends,
            classes,
        };
        let rules: Vec<Rule> = several(&members, "rule").filter_map(read_rule).collect();
        pack.rules = rules;
        pack.changes = several(&members, "change").map(read_change).collect();
        if !pack.changes.is_empty() && pack.extends.is_empty() {
            members
                .refuse_member("change", Why::Other("changes rules, and `extends` names no pack".to_owned()));
        }
        members.end();
        pack
    }
}

const NAME: &str = "is no name: write small letters, digits and hyphens, beginning with a letter";

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The name under `member`, by the rules for names.
fn named(members: &Members<'_>, member: &'static str) -> String {
    let name = members.needed(member);
    if !name.is_empty() && !is_name(&name) {
        members.refuse_member(member, Why::Other(NAME.to_owned()));
    }
    name
}

/// The tables of a list, each of which is about something else: `[[name]]`.
fn several<'a>(members: &Members<'a>, name: &'static str) -> impl Iterator<Item = Members<'a>> {
    let tables = members.tables(name);
    if tables.len() > MOST {
        members.refuse_member(
            name,
            Why::Other(format!("stands there {} times: write at most {MOST}", tables.len())),
        );
    }
    let key = if name == "change" { "rule" } else { "id" };
    let mut known = BTreeSet::new();
    for table in &tables {
        if table.text_of(key).is_some_and(|id| !known.insert(id)) {
            table.refuse_member(key, Why::Other(format!("is that of a {name} before it")));
        }
    }
    tables.into_iter().take(MOST)
}

/// The packs that it extends, each once; those that are always there by any name of their sector.
fn bases(members: &Members<'_>) -> Vec<String> {
    let named = members.list("extends").unwrap_or_default();
    if named.len() > MOST {
        members.refuse_member("extends", Why::Other(format!("names more than {MOST} packs")));
    }
    let mut bases: Vec<String> = Vec::new();
    for name in named.into_iter().take(MOST) {
        let name = sector_named(&name).map_or(name.clone(), str::to_owned);
        if !bases.contains(&name) {
            bases.push(name);
        }
    }
    bases
}

fn read_rule(members: Members<'_>) -> Option<Rule> {
    let id = named(&members, "id");
    members.require("level");
    let level = members.word("level", &Level::ALL).unwrap_or(Level::Deny);
    members.require("decides");
    let decides = members.word("decides", &[("tool", Who::Tool), ("attestation", Who::Attestation)]);
    let (says, keep) = (texts(&members, "says"), texts(&members, "keep"));
    let (source, page) = (members.needed("source"), members.text("page"));
    let waivable = members.boolean("waivable").unwrap_or(true);
    let environments = members.list("environments").unwrap_or_default().into_iter().collect();
    members.require("what");
    let Some(kind) = members.word("what", &Kind::ALL) else {
        // Whose its parameters are is not known; what is one of none is misspelt all the same.
        members.know(Kind::parameter_names());
        members.end();
        return None;
    };
    if decides.is_some_and(|decides| decides != kind.who()) {
        let why = format!("is not who decides `{}`: write `{}`", kind.as_str(), kind.who());
        members.refuse_member("decides", Why::Other(why));
    }
    let check = Check::read(kind, &members);
    members.end();
    Some(Rule { id, level, check, says, keep, source, page, waivable, environments })
}

/// A text in each language that it is there in: one text for English alone, or a table.
fn texts(members: &Members<'_>, name: &'static str) -> Texts {
    members.require(name);
    if members.is_text(name) {
        return members.text(name).map(|text| ("en".to_owned(), text)).into_iter().collect();
    }
    let Some(table) = members.table(name) else { return Texts::new() };
    table.require("en");
    let texts =
        LANGUAGES.into_iter().filter_map(|language| Some((language.to_owned(), table.text(language)?)));
    let texts = texts.collect();
    table.end();
    texts
}

fn read_class(members: Members<'_>) -> Class {
    let class = Class {
        id: named(&members, "id"),
        says: texts(&members, "says"),
        tables: members.list("tables").unwrap_or_default(),
        columns: members.list("columns").unwrap_or_default(),
        reason: members.text("reason"),
        until: day(&members, "until"),
    };
    members.end();
    class
}

fn read_change(members: Members<'_>) -> Change {
    let id = members.needed("rule");
    let level = members.word("level", &Level::ALL);
    let (reason, until) = (members.text("reason"), day(&members, "until"));
    let check = members.word("what", &Kind::ALL).map(|kind| Check::read(kind, &members));
    if level.is_none() && check.is_none() {
        let why = "changes nothing: write `level`, or `what` with all of its parameters";
        members.refuse_member("rule", Why::Other(why.to_owned()));
    }
    members.end();
    Change { id, level, check, reason, until }
}

fn day(members: &Members<'_>, name: &'static str) -> Option<String> {
    let day = members.text(name);
    if day.as_deref().is_some_and(|day| !is_day(day)) {
        members.refuse_member(name, Why::Other("is no day: write it as `2027-06-30`".to_owned()));
    }
    day
}
