//! Packs that build on one another, and what holds where several are in force: of two that disagree, the stricter.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;

use super::BUILT_IN;
use super::members::nearest;
use super::pack::{Class, Level, Pack, PackError, Rule};
use super::resolved::{Resolved, both_of, stricter};

/// The most packs that may be there at once, those that are always there among them.
pub const MOST_PACKS: usize = 64;
/// How many packs may extend one another in a row.
const DEEPEST: usize = 16;

/// Packs by name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    packs: BTreeMap<String, Pack>,
}

/// Why packs cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    #[error("the pack in {place} cannot be used")]
    Pack {
        place: String,
        #[source]
        source: PackError,
    },
    #[error("the pack in {place} has the name `{name}`, which another pack has")]
    NameTaken { place: String, name: String },
    #[error("there are more than {MOST_PACKS} packs")]
    TooMany,
    #[error("the pack `{0}` extends packs that extend packs, more than {DEEPEST} in a row")]
    TooDeep(String),
    #[error("there is no pack `{name}`{}", near(.nearest.as_deref()))]
    UnknownPack { name: String, nearest: Option<String> },
    #[error("the pack `{pack}` extends itself, by way of `{through}`")]
    Circle { pack: String, through: String },
    #[error("the pack `{pack}` changes `{rule}`, which is no rule of a pack that it extends{}", near(.nearest.as_deref()))]
    UnknownRule { pack: String, rule: String, nearest: Option<String> },
    #[error(
        "the pack `{pack}` has a rule `{rule}`, which a pack that it extends has: change it under `[[change]]`"
    )]
    RuleTaken { pack: String, rule: String },
    #[error("the pack `{pack}` has `{rule}` ask for `{found}`, and another pack has it ask for `{expected}`")]
    OtherCheck { pack: String, rule: String, expected: &'static str, found: &'static str },
    #[error(
        "the pack `{pack}` makes `{rule}` weaker, and says neither why nor until when: write `reason` and `until`"
    )]
    WeakerWithoutReason { pack: String, rule: String },
    #[error("the rule `{rule}` of the pack `{pack}` names a class `{class}` that there is not{}", near(.nearest.as_deref()))]
    UnknownClass { pack: String, rule: String, class: String, nearest: Option<String> },
}

fn near(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; the nearest one is `{nearest}`")).unwrap_or_default()
}

/// What two packs say otherwise of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    pub rule: String,
    /// `level`, or a parameter.
    pub member: String,
    /// What each pack says; an empty text where it says nothing.
    pub said: BTreeMap<String, String>,
    /// What holds.
    pub holds: String,
}

/// A rule that is in force, and the packs that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInForce {
    pub rule: Rule,
    pub packs: BTreeSet<String>,
}

/// A change that made a rule weaker until a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weakened {
    pub pack: String,
    pub rule: String,
    pub reason: String,
    pub until: String,
    /// Whether that day has passed, so that the rule is as it was.
    pub over: bool,
}

/// What is in force on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// By id.
    pub rules: BTreeMap<String, RuleInForce>,
    /// By id.
    pub classes: BTreeMap<String, Class>,
    pub disagreements: Vec<Disagreement>,
    pub weakened: Vec<Weakened>,
    /// Packs that settings put in force.
    pub packs: BTreeSet<String>,
}

impl Library {
    /// The packs that are always there.
    ///
    /// # Errors
    /// None: they are tested.
    pub fn built_in() -> Result<Self, LibraryError> {
        let mut library = Self::default();
        for (name, text) in BUILT_IN {
            library.add(name, text.as_bytes())?;
        }
        Ok(library)
    }

    /// Adds a pack that stands at `place`; gives its name.
    ///
    /// # Errors
    /// [`LibraryError::Pack`], [`LibraryError::NameTaken`] and [`LibraryError::TooMany`].
    pub fn add(&mut self, place: &str, bytes: &[u8]) -> Result<String, LibraryError> {
        let failed = |source| LibraryError::Pack { place: place.to_owned(), source };
        let pack = Pack::read(bytes).map_err(failed)?;
        let name = pack.name.clone();
        if self.packs.contains_key(&name) {
            return Err(LibraryError::NameTaken { place: place.to_owned(), name });
        }
        if self.packs.len() >= MOST_PACKS {
            return Err(LibraryError::TooMany);
        }
        self.packs.insert(name.clone(), pack);
        Ok(name)
    }

    /// All packs, by name.
    pub fn packs(&self) -> impl Iterator<Item = &Pack> {
        self.packs.values()
    }

    /// The pack of this name.
    ///
    /// # Errors
    /// [`LibraryError::UnknownPack`], with the nearest.
    pub fn pack(&self, name: &str) -> Result<&Pack, LibraryError> {
        self.packs.get(name).ok_or_else(|| {
            let nearest = nearest(name, self.packs.keys().map(String::as_str)).map(str::to_owned);
            LibraryError::UnknownPack { name: name.to_owned(), nearest }
        })
    }

    /// Packs of these names with all that they extend, each once.
    ///
    /// # Errors
    /// [`LibraryError::UnknownPack`].
    pub fn with_bases(&self, names: &BTreeSet<String>) -> Result<Vec<&Pack>, LibraryError> {
        let mut found: BTreeMap<&str, &Pack> = BTreeMap::new();
        let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        while let Some(name) = wanted.pop() {
            let pack = self.pack(name)?;
            if found.insert(&pack.name, pack).is_none() {
                wanted.extend(pack.extends.iter().map(String::as_str));
            }
        }
        Ok(found.into_values().collect())
    }

    /// What is in force on `day` where these packs are.
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn in_force(&self, names: &BTreeSet<String>, day: &str) -> Result<InForce, LibraryError> {
        let mut merged = InForce { packs: names.clone(), ..InForce::default() };
        let mut known = BTreeMap::new();
        for name in names {
            let resolved = self.resolve(name, day, &mut Vec::new(), &mut known)?;
            for (id, rule) in &resolved.rules {
                require_classes(name, rule, &resolved.classes)?;
                merged.add(name, id, rule)?;
            }
            for (id, class) in &resolved.classes {
                merged.add_class(id.clone(), class.clone());
            }
            for weakened in &resolved.weakened {
                if !merged.weakened.contains(weakened) {
                    merged.weakened.push(weakened.clone());
                }
            }
        }
        Ok(merged)
    }

    /// A pack with what it takes over. `open`: the packs that are being resolved; `known`: those that were, as many packs may
    /// extend one.
    fn resolve(
        &self,
        name: &str,
        day: &str,
        open: &mut Vec<String>,
        known: &mut BTreeMap<String, Rc<Resolved>>,
    ) -> Result<Rc<Resolved>, LibraryError> {
        if let Some(known) = known.get(name) {
            return Ok(Rc::clone(known));
        }
        let pack = self.pack(name)?;
        if open.iter().any(|open| open == name) {
            let through = open.last().cloned().unwrap_or_default();
            return Err(LibraryError::Circle { pack: name.to_owned(), through });
        }
        if open.len() >= DEEPEST {
            return Err(LibraryError::TooDeep(open.first().cloned().unwrap_or_default()));
        }
        open.push(name.to_owned());
        let mut resolved = Resolved::default();
        for base in &pack.extends {
            resolved.take_over(name, &*self.resolve(base, day, open, known)?)?;
        }
        open.pop();
        for change in &pack.changes {
            resolved.change(pack, change, day)?;
        }
        for rule in &pack.rules {
            if resolved.rules.insert(rule.id.clone(), rule.clone()).is_some() {
                return Err(LibraryError::RuleTaken { pack: name.to_owned(), rule: rule.id.clone() });
            }
        }
        for class in &pack.classes {
            resolved.describe(name, class, day)?;
        }
        let resolved = Rc::new(resolved);
        known.insert(name.to_owned(), Rc::clone(&resolved));
        Ok(resolved)
    }
}

impl InForce {
    fn add(&mut self, pack: &str, id: &str, rule: &Rule) -> Result<(), LibraryError> {
        let Some(known) = self.rules.get_mut(id) else {
            let packs = BTreeSet::from([pack.to_owned()]);
            self.rules.insert(id.to_owned(), RuleInForce { rule: rule.clone(), packs });
            return Ok(());
        };
        let (expected, found) = (known.rule.check.kind, rule.check.kind);
        if expected != found {
            let (pack, rule) = (pack.to_owned(), id.to_owned());
            let (expected, found) = (expected.as_str(), found.as_str());
            return Err(LibraryError::OtherCheck { pack, rule, expected, found });
        }
        let (merged, differ) = stricter(&known.rule, rule);
        for member in differ {
            let before = told(&known.rule, member);
            let mut said: BTreeMap<String, String> =
                known.packs.iter().map(|pack| (pack.clone(), before.clone())).collect();
            said.insert(pack.to_owned(), told(rule, member));
            let holds = told(&merged, member);
            // A third pack that says otherwise makes it another disagreement, not a second one.
            let (rule, member) = (id.to_owned(), member.to_owned());
            match self.disagreements.iter_mut().find(|one| one.rule == rule && one.member == member) {
                Some(one) => {
                    one.said.insert(pack.to_owned(), said.remove(pack).unwrap_or_default());
                    one.holds = holds;
                }
                None => self.disagreements.push(Disagreement { rule, member, said, holds }),
            }
        }
        known.rule = merged;
        known.packs.insert(pack.to_owned());
        Ok(())
    }

    /// Of a class that two packs describe, all tables and columns of both count.
    fn add_class(&mut self, id: String, class: Class) {
        let merged = both_of(self.classes.get(&id).unwrap_or(&class), &class);
        self.classes.insert(id, merged);
    }

    /// Whether any rule is in force.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.values().all(|rule| rule.rule.level == Level::Allow)
    }
}

/// What a rule says of one of its members.
fn told(rule: &Rule, member: &str) -> String {
    match member {
        "level" => rule.level.to_string(),
        "waivable" => rule.waivable.to_string(),
        "environments" => rule.environments.iter().cloned().collect::<Vec<_>>().join(", "),
        name => rule
            .check
            .parameters()
            .find(|(known, _)| *known == name)
            .map(|(_, told)| told)
            .unwrap_or_default(),
    }
}

fn require_classes(pack: &str, rule: &Rule, classes: &BTreeMap<String, Class>) -> Result<(), LibraryError> {
    for class in rule.check.words("classes") {
        if !classes.contains_key(class) {
            let nearest = nearest(class, classes.keys().map(String::as_str)).map(str::to_owned);
            let (pack, rule, class) = (pack.to_owned(), rule.id.clone(), class.to_owned());
            return Err(LibraryError::UnknownClass { pack, rule, class, nearest });
        }
    }
    Ok(())
}
