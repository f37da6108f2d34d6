//! When a hook is asked: around what greffe does, in Flyway's manner.

use std::fmt;
use std::str::FromStr;

use super::nearest;

/// What hooks are asked around, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// `greffe plan`.
    Plan,
    /// `greffe apply`, once for a run.
    Migrate,
    /// Each script that it runs.
    EachMigrate,
    /// `greffe rollback`, once for a run.
    Rollback,
    /// Each way down that it runs.
    EachRollback,
    /// The archiving of what a run did.
    Archive,
    /// `greffe verify --hooks`.
    Verify,
    /// `greffe erase`.
    Erase,
}

impl What {
    const ALL: [Self; 8] = [
        Self::Plan,
        Self::Migrate,
        Self::EachMigrate,
        Self::Rollback,
        Self::EachRollback,
        Self::Archive,
        Self::Verify,
        Self::Erase,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "Plan",
            Self::Migrate => "Migrate",
            Self::EachMigrate => "EachMigrate",
            Self::Rollback => "Rollback",
            Self::EachRollback => "EachRollback",
            Self::Archive => "Archive",
            Self::Verify => "Verify",
            Self::Erase => "Erase",
        }
    }

    /// Whether it happens once for each migration of a run.
    #[must_use]
    pub const fn is_each(self) -> bool {
        matches!(self, Self::EachMigrate | Self::EachRollback)
    }
}

/// When, seen from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    Before,
    /// It succeeded, and the record of it is durable.
    After,
    /// It failed.
    AfterError,
}

impl When {
    const ALL: [Self; 3] = [Self::Before, Self::After, Self::AfterError];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::AfterError => "afterError",
        }
    }
}

/// An event that a hook may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    Around(What, When),
    /// The very end of a run, however it went.
    Finally,
}

impl HookEvent {
    /// All, in the order in which they happen.
    pub fn all() -> impl Iterator<Item = Self> {
        let around = |what| When::ALL.map(|when| Self::Around(what, when));
        What::ALL.into_iter().flat_map(around).chain([Self::Finally])
    }

    /// Whether what it is about has not begun, so that a hook can still stop it.
    #[must_use]
    pub const fn is_before(self) -> bool {
        matches!(self, Self::Around(_, When::Before))
    }

    /// Whether it happens once for each migration of a run.
    #[must_use]
    pub const fn is_each(self) -> bool {
        matches!(self, Self::Around(what, _) if what.is_each())
    }

    /// The valid event nearest to an unknown one.
    #[must_use]
    pub fn nearest(name: &str) -> Option<String> {
        let all: Vec<String> = Self::all().map(|event| event.to_string()).collect();
        nearest(name, all.iter().map(String::as_str))
    }
}

impl fmt::Display for HookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Around(what, when) => write!(f, "{}{}", when.as_str(), what.as_str()),
            Self::Finally => f.write_str("finally"),
        }
    }
}

/// A text that names no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEvent;

impl FromStr for HookEvent {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::all().find(|event| event.to_string() == text).ok_or(UnknownEvent)
    }
}

impl serde::Serialize for HookEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_events_around_each_thing_and_one_at_the_end() {
        let all: Vec<String> = HookEvent::all().map(|event| event.to_string()).collect();
        assert_eq!(all.len(), 25);
        assert_eq!(all[..3], ["beforePlan", "afterPlan", "afterErrorPlan"]);
        assert_eq!(all[6..9], ["beforeEachMigrate", "afterEachMigrate", "afterErrorEachMigrate"]);
        assert_eq!(all[24], "finally");
        for name in &all {
            assert_eq!(name.parse::<HookEvent>().map(|event| event.to_string()).as_ref(), Ok(name));
        }
        assert_eq!("beforemigrate".parse::<HookEvent>(), Err(UnknownEvent));
    }

    #[test]
    fn a_misspelt_event_has_a_neighbour() {
        let nearest = |name| HookEvent::nearest(name);
        assert_eq!(nearest("beforemigrate").as_deref(), Some("beforeMigrate"));
        assert_eq!(nearest("before_each_migrate").as_deref(), Some("beforeEachMigrate"));
        assert_eq!(nearest("beforMigrate").as_deref(), Some("beforeMigrate"));
        assert_eq!(nearest("afterMigrateError").as_deref(), None);
        assert_eq!(nearest("finaly").as_deref(), Some("finally"));
        assert_eq!(nearest("README"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
