//! The table `[lint]`: how bad each rule of `greffe lint` is for this project. Its keys are rules, which is why it has
//! neither variables nor flags of its own.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::{Reason, printable};
use super::nearest::nearest_lint_key;
use crate::scripts::lint::{Level, Levels};

/// The name of the table.
pub const TABLE: &str = "lint";
/// Its keys that are no rules.
pub const KEYS: [&str; 2] = ["fail-on", "since"];

/// What the table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintSettings {
    pub levels: Levels,
    /// The mildest level that ends a run with 1; `None`: errors alone.
    pub fail_on: Option<Level>,
    /// The first version whose script is asked about.
    pub since: Option<String>,
}

/// Something in it that is not allowed: where, which key, why.
pub(super) type Refused = (Range<usize>, String, Reason);

impl LintSettings {
    /// Reads the table; gives all that is not allowed.
    pub(super) fn read(&mut self, values: &DeTable<'_>) -> Vec<Refused> {
        let mut refused = Vec::new();
        for (name, value) in values {
            let (span, name) = (name.span(), name.get_ref().as_ref());
            if let Err(reason) = self.read_one(name, value.get_ref()) {
                refused.push((span, format!("{TABLE}.{}", printable(name)), reason));
            }
        }
        refused
    }

    fn read_one(&mut self, name: &str, value: &DeValue<'_>) -> Result<(), Reason> {
        let text = value.as_str();
        let level = || text.and_then(Level::named).ok_or_else(|| Reason::NotLevel(text.map(printable)));
        match name {
            "fail-on" => {
                let level = level()?;
                self.fail_on = Some(level).filter(|level| *level != Level::Off);
                self.fail_on.map(|_| ()).ok_or_else(|| Reason::NotLevel(text.map(printable)))
            }
            "since" => {
                let version = text.filter(|version| !version.trim().is_empty());
                self.since = version.map(str::to_owned);
                self.since.as_ref().map(|_| ()).ok_or(Reason::NotVersion)
            }
            // A key that is misspelt is told as such, whatever stands behind it.
            rule => match self.levels.clone().set(rule, Level::Off) {
                Err(_) => Err(Reason::UnknownRule { nearest: nearest_lint_key(rule) }),
                Ok(()) => {
                    let level = level()?;
                    self.levels.set(rule, level).map_err(|_| Reason::UnknownRule { nearest: None })
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (LintSettings, Vec<String>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        assert_eq!(errors, []);
        let mut settings = LintSettings::default();
        let refused = settings.read(document.get_ref());
        (settings, refused.into_iter().map(|(_, key, reason)| format!("`{key}` {reason}")).collect())
    }

    #[test]
    fn rules_have_levels() {
        let (settings, refused) = read(
            "\"greffe/purpose-missing\" = 'error'\n\"squawk/*\" = 'off'\nfail-on = 'warning'\nsince = '20260101000000'\n",
        );
        assert_eq!(refused, [""; 0]);
        assert_eq!(settings.fail_on, Some(Level::Warning));
        assert_eq!(settings.since.as_deref(), Some("20260101000000"));
        let level = |id| settings.levels.of(crate::scripts::lint::named(id).unwrap());
        assert_eq!(level("greffe/purpose-missing"), Level::Error);
        assert_eq!(level("squawk/ban-drop-table"), Level::Off);
        assert_eq!(level("sqlite/drop-table"), Level::Error);
    }

    #[test]
    fn unknown_rules_and_levels_are_refused_with_what_may_be_meant() {
        let (settings, refused) = read(
            "\"greffe/purpose-mising\" = 'error'\n\"ban-drop-table\" = 'off'\n\"squawk/ban-drop-table\" = 'warn'\n\
             \"xyzzy/plugh\" = 'off'\nfail-on = 'off'\nfailon = 'error'\nsince = 3\n\"mysql/truncate\" = true\n",
        );
        assert_eq!(settings.levels, Levels::default());
        assert_eq!(
            refused,
            [
                "`lint.ban-drop-table` is not a rule of `greffe lint`; the nearest valid one is `squawk/ban-drop-table`",
                "`lint.fail-on` is off: write `note`, `warning` or `error`; for a rule also `off`",
                "`lint.failon` is not a rule of `greffe lint`; the nearest valid one is `fail-on`",
                "`lint.greffe/purpose-mising` is not a rule of `greffe lint`; the nearest valid one is \
                 `greffe/purpose-missing`",
                "`lint.mysql/truncate` is not a text: write `note`, `warning` or `error`; for a rule also `off`",
                "`lint.since` is not a version: write it in quotes, as the file has it",
                "`lint.squawk/ban-drop-table` is warn: write `note`, `warning` or `error`; for a rule also `off`",
                "`lint.xyzzy/plugh` is not a rule of `greffe lint`",
            ]
        );
    }
}
