//! How bad each rule is for a project: as the rule has it, unless the project says otherwise.

use std::collections::BTreeMap;

use super::{Level, Rule, named, rules};

/// The levels of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// By the rule's id, or by a family, such as `squawk/*`.
    set: BTreeMap<String, Level>,
}

/// There is no such rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule `{0}`")]
pub struct UnknownRule(pub String);

impl Levels {
    /// Sets the level of a rule, or of a family of them: `squawk/*`. A rule of its own goes before its family.
    ///
    /// # Errors
    /// [`UnknownRule`].
    pub fn set(&mut self, name: &str, level: Level) -> Result<(), UnknownRule> {
        let is_family = name
            .strip_suffix('*')
            .is_some_and(|family| family.ends_with('/') && rules().any(|rule| rule.id.starts_with(family)));
        if !is_family && named(name).is_none() {
            return Err(UnknownRule(name.to_owned()));
        }
        self.set.insert(name.to_owned(), level);
        Ok(())
    }

    /// The level of a rule here.
    #[must_use]
    pub fn of(&self, rule: &Rule) -> Level {
        let family = rule.id.split_once('/').map_or(rule.id, |(family, _)| family);
        let found = self.set.get(rule.id).or_else(|| self.set.get(&format!("{family}/*")));
        found.copied().unwrap_or(rule.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_goes_before_its_family_and_that_before_the_default() {
        let (table, column) =
            (named("squawk/ban-drop-table").unwrap(), named("squawk/ban-drop-column").unwrap());
        let mut levels = Levels::default();
        assert_eq!(levels.of(table), Level::Error);
        levels.set("squawk/*", Level::Off).unwrap();
        levels.set("squawk/ban-drop-column", Level::Note).unwrap();
        assert_eq!((levels.of(table), levels.of(column)), (Level::Off, Level::Note));
        assert_eq!(levels.of(named("greffe/down-missing").unwrap()), Level::Error);
        for name in ["squawk/ban-dorp-table", "squawk", "*", "nothing/*", "squawk/ban*", ""] {
            assert_eq!(levels.set(name, Level::Off), Err(UnknownRule(name.to_owned())), "{name}");
        }
    }
}
