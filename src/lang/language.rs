//! Languages.

use serde::Serialize;

/// A language that everything here can be told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "fr")]
    French,
    #[serde(rename = "ar")]
    Arabic,
}

impl Language {
    /// All.
    pub const ALL: [Self; 3] = [Self::English, Self::French, Self::Arabic];

    /// As BCP 47 writes it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Arabic => "ar",
        }
    }

    /// As HTML's `dir` writes the direction of its lines.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        if self.is_right_to_left() { "rtl" } else { "ltr" }
    }

    /// Whether its lines begin at the right.
    #[must_use]
    pub const fn is_right_to_left(self) -> bool {
        matches!(self, Self::Arabic)
    }

    /// The language of a tag or a locale, whatever country and encoding follow: `fr`, `FR`, `fr-CA`, `fr_FR.UTF-8`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let first = text.split(['-', '_', '.', '@']).next()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|language| language.code() == first)
    }

    /// The language of the first of these that says something; English where that one names none that is known.
    #[must_use]
    pub fn of<'a>(said: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        said.into_iter().flatten().next().and_then(Self::named).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_tag_or_locale() {
        for (text, language) in [
            ("fr", Some(Language::French)),
            ("FR", Some(Language::French)),
            ("fr-CA", Some(Language::French)),
            ("ar_EG.UTF-8", Some(Language::Arabic)),
            ("en_GB@euro", Some(Language::English)),
            ("C", None),
            ("POSIX", None),
            ("french", None),
            ("", None),
        ] {
            assert_eq!(Language::named(text), language, "{text}");
        }
    }

    #[test]
    fn the_first_that_says_something_decides() {
        assert_eq!(Language::of([None, None]), Language::English);
        assert_eq!(Language::of([None, Some("fr_FR.UTF-8")]), Language::French);
        assert_eq!(Language::of([Some("en"), Some("fr_FR")]), Language::English);
        assert_eq!(Language::of([Some("de"), Some("fr_FR")]), Language::English);
    }
}
