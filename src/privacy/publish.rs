//! Which files may be archived in clear.

use std::fmt;
use std::str::FromStr;

use super::{Finding, scan};
use crate::scripts::{Class, Dialect, classify};

/// What of a project is published (FORMAT §8); everything else is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Publish {
    /// Nothing.
    #[default]
    Sealed,
    /// Scripts that are schema only, without a finding in them or in their names.
    Schema,
    /// Scripts of all kinds; they are refused while they carry data or anything is found in them.
    All,
}

/// The text is no [`Publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is published is `sealed`, `schema` or `all`")]
pub struct NotPublish;

impl FromStr for Publish {
    type Err = NotPublish;

    fn from_str(text: &str) -> Result<Self, NotPublish> {
        match text {
            "sealed" => Ok(Self::Sealed),
            "schema" => Ok(Self::Schema),
            "all" => Ok(Self::All),
            _ => Err(NotPublish),
        }
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sealed => "sealed",
            Self::Schema => "schema",
            Self::All => "all",
        })
    }
}

/// What a script gives away.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The highest class of its statements; at least [`Class::Unknown`] where it is no text.
    pub class: Class,
    /// In its text.
    pub findings: Vec<Finding>,
    /// The rule that finds something in its name.
    pub named: Option<String>,
}

impl Judged {
    /// Judges a script by its name and its bytes.
    #[must_use]
    pub fn of(dialect: Dialect, name: &str, bytes: &[u8]) -> Self {
        let class = std::str::from_utf8(bytes).map_or(Class::Unknown, |text| {
            classify(dialect, text).iter().map(|statement| statement.class).max().unwrap_or(Class::Schema)
        });
        Self { class, findings: scan(bytes), named: found_in(name) }
    }

    fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.named.is_none()
    }
}

impl Publish {
    /// Whether a file that was judged so is sealed.
    #[must_use]
    pub fn seals(self, judged: &Judged) -> bool {
        match self {
            Self::Sealed => true,
            Self::Schema => judged.class > Class::Schema || !judged.is_clean(),
            // Refused before it ran; should it stand here all the same, it is not published.
            Self::All => judged.class > Class::Unknown || !judged.is_clean(),
        }
    }

    /// Whether a text of people, such as a purpose, is kept out of the log.
    #[must_use]
    pub fn withholds(self, text: &str) -> bool {
        self == Self::Sealed || found_in(text).is_some()
    }
}

/// The rule that finds something in a name or another short text. Words in a name stand apart by any sign, and what it ends with belongs
/// to no address.
#[must_use]
pub fn found_in(text: &str) -> Option<String> {
    let stem = [".up.sql", ".down.sql", ".sql"].iter().find_map(|suffix| text.strip_suffix(suffix));
    let stem = stem.unwrap_or(text);
    let mut forms = vec![text.to_owned()];
    for form in [stem.to_owned(), stem.replace('_', " "), stem.replace(['_', '-', '.', '/'], " ")] {
        // Most texts are the same in all forms.
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    let found = forms.iter().flat_map(|form| scan(form.as_bytes())).next()?;
    Some(found.rule.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(publish: Publish, name: &str, sql: &str) -> bool {
        publish.seals(&Judged::of(Dialect::Postgresql, name, sql.as_bytes()))
    }

    #[test]
    fn only_what_is_schema_alone_is_published() {
        let schema = "-- adds grades\nCREATE TABLE grade (id bigint PRIMARY KEY);";
        assert!(seals(Publish::Sealed, "1_grade.up.sql", schema));
        assert!(!seals(Publish::Schema, "1_grade.up.sql", schema));
        assert!(!seals(Publish::All, "1_grade.up.sql", schema));
        for sql in
            ["INSERT INTO grade VALUES (1);", "CREATE ROLE x PASSWORD 'y';", "-- jean.dupont@mairie-lyon.fr"]
        {
            for publish in [Publish::Sealed, Publish::Schema, Publish::All] {
                assert!(seals(publish, "1_grade.up.sql", sql), "{publish}: {sql}");
            }
        }
        assert!(seals(Publish::Schema, "1_grade.up.sql", "DO $$ BEGIN PERFORM 1; END $$;"));
        assert!(!seals(Publish::All, "1_grade.up.sql", "DO $$ BEGIN PERFORM 1; END $$;"));
        assert!(seals(Publish::Schema, "1_jean.dupont@mairie-lyon.fr.up.sql", schema));
        assert!(Publish::Schema.seals(&Judged::of(Dialect::Sqlite, "1.up.sql", b"\xff")));
    }

    #[test]
    fn texts_are_withheld_where_nothing_is_published_or_something_is_found() {
        assert!(Publish::Sealed.withholds("adds grades"));
        assert!(!Publish::Schema.withholds("adds grades"));
        assert!(Publish::All.withholds("asked by jean.dupont@mairie-lyon.fr"));
    }
}
