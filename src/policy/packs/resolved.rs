//! A pack with all that it takes over from those that it extends, and what it changes of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::library::{LibraryError, Weakened};
use super::members::nearest;
use super::pack::{Change, Class, Pack, Rule};

/// A pack with all that it takes over.
#[derive(Clone, Default)]
pub(super) struct Resolved {
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) classes: BTreeMap<String, Class>,
    pub(super) weakened: Vec<Weakened>,
}

impl Resolved {
    /// What `pack` has of a pack that it extends; of two that disagree, the stricter.
    pub(super) fn take_over(&mut self, pack: &str, base: &Self) -> Result<(), LibraryError> {
        for (id, rule) in &base.rules {
            let merged = match self.rules.get(id) {
                Some(known) if known.check.kind != rule.check.kind => {
                    let (expected, found) = (known.check.kind.as_str(), rule.check.kind.as_str());
                    let (pack, rule) = (pack.to_owned(), id.clone());
                    return Err(LibraryError::OtherCheck { pack, rule, expected, found });
                }
                Some(known) => stricter(known, rule).0,
                None => rule.clone(),
            };
            self.rules.insert(id.clone(), merged);
        }
        for (id, class) in &base.classes {
            let merged = match self.classes.get(id) {
                Some(known) => both_of(known, class),
                None => class.clone(),
            };
            self.classes.insert(id.clone(), merged);
        }
        for weakened in &base.weakened {
            if !self.weakened.contains(weakened) {
                self.weakened.push(weakened.clone());
            }
        }
        Ok(())
    }

    /// A class that is described again has the tables and columns that are described; fewer for a reason, until a day.
    pub(super) fn describe(&mut self, pack: &str, class: &Class, day: &str) -> Result<(), LibraryError> {
        let Some(base) = self.classes.get(&class.id) else {
            self.classes.insert(class.id.clone(), class.clone());
            return Ok(());
        };
        let has = |names: &[String], all: &[String]| all.iter().all(|name| names.contains(name));
        if has(&class.tables, &base.tables) && has(&class.columns, &base.columns) {
            self.classes.insert(class.id.clone(), class.clone());
            return Ok(());
        }
        let (pack, rule) = (pack.to_owned(), class.id.clone());
        let (Some(reason), Some(until)) = (class.reason.clone(), class.until.clone()) else {
            return Err(LibraryError::WeakerWithoutReason { pack, rule });
        };
        let over = until.as_str() < day;
        let holds = if over { both_of(base, class) } else { class.clone() };
        self.classes.insert(rule.clone(), holds);
        self.weakened.push(Weakened { pack, rule, reason, until, over });
        Ok(())
    }

    pub(super) fn change(&mut self, pack: &Pack, change: &Change, day: &str) -> Result<(), LibraryError> {
        let (pack, rule) = (pack.name.clone(), change.id.clone());
        let Some(base) = self.rules.get(&change.id) else {
            let nearest = nearest(&rule, self.rules.keys().map(String::as_str)).map(str::to_owned);
            return Err(LibraryError::UnknownRule { pack, rule, nearest });
        };
        let mut changed = base.clone();
        if let Some(check) = &change.check {
            let (expected, found) = (base.check.kind, check.kind);
            if expected != found {
                let (expected, found) = (expected.as_str(), found.as_str());
                return Err(LibraryError::OtherCheck { pack, rule, expected, found });
            }
            changed.check = check.clone();
        }
        changed.level = change.level.unwrap_or(base.level);
        let is_weaker = changed.level < base.level
            || !matches!(changed.check.strictness(&base.check), Some(Ordering::Equal | Ordering::Greater));
        if !is_weaker {
            self.rules.insert(rule, changed);
            return Ok(());
        }
        let (Some(reason), Some(until)) = (change.reason.clone(), change.until.clone()) else {
            return Err(LibraryError::WeakerWithoutReason { pack, rule });
        };
        let over = until.as_str() < day;
        if !over {
            self.rules.insert(rule.clone(), changed);
        }
        self.weakened.push(Weakened { pack, rule, reason, until, over });
        Ok(())
    }
}

/// A class with all tables and columns of two.
pub(super) fn both_of(one: &Class, other: &Class) -> Class {
    let names = |one: &[String], other: &[String]| {
        let all: BTreeSet<&String> = one.iter().chain(other).collect();
        all.into_iter().cloned().collect()
    };
    let (tables, columns) = (names(&one.tables, &other.tables), names(&one.columns, &other.columns));
    Class { tables, columns, ..one.clone() }
}

/// The stricter of two rules of one id and kind in each of their members, and the members in which they differ.
pub(super) fn stricter(one: &Rule, other: &Rule) -> (Rule, Vec<&'static str>) {
    let mut merged = one.clone();
    let mut differ = Vec::new();
    if one.level != other.level {
        merged.level = one.level.max(other.level);
        differ.push("level");
    }
    if one.waivable != other.waivable {
        merged.waivable = false;
        differ.push("waivable");
    }
    if one.environments != other.environments {
        let everywhere = one.environments.is_empty() || other.environments.is_empty();
        merged.environments = match everywhere {
            true => BTreeSet::new(),
            false => one.environments.union(&other.environments).cloned().collect(),
        };
        differ.push("environments");
    }
    let (check, more) = one.check.stricter(&other.check);
    merged.check = check;
    differ.extend(more);
    (merged, differ)
}
