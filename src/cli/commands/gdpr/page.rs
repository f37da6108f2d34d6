//! A page of Markdown in one of two languages. Each sentence stands with its translation, so none can be without.

use std::fmt::Display;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::settings::{Environment, Retention};

/// What papers are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
pub enum Language {
    #[value(name = "en")]
    #[serde(rename = "en")]
    English,
    #[value(name = "fr")]
    #[serde(rename = "fr")]
    French,
}

impl Language {
    /// As standards write it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// What the environment asks for.
    pub fn of(environment: &Environment) -> Self {
        let said = environment.get("GREFFE_LANG").or_else(|| environment.get("LANG"));
        let is_french =
            said.is_some_and(|said| said.to_string_lossy().to_ascii_lowercase().starts_with("fr"));
        if is_french { Self::French } else { Self::English }
    }
}

/// The same in English and in French; `{}` is where values stand, in the same order in both.
pub type Pair = [&'static str; 2];

/// A page that is being written.
pub struct Page {
    language: Language,
    text: String,
    /// All that was said.
    pairs: Vec<Pair>,
}

impl Page {
    pub const fn new(language: Language) -> Self {
        Self { language, text: String::new(), pairs: Vec::new() }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    #[cfg(test)]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// A pair in the page's language, with values in the places of `{}`.
    pub fn say(&mut self, pair: Pair, values: &[&dyn Display]) -> String {
        self.fill(pair, values.iter().map(|value| code(value)))
    }

    /// The same with times for which something is kept, in words.
    pub fn say_words(&mut self, pair: Pair, kept: &[Retention]) -> String {
        let language = self.language;
        self.fill(pair, kept.iter().map(|kept| words(language, *kept)))
    }

    fn fill(&mut self, pair: Pair, values: impl Iterator<Item = String>) -> String {
        self.pairs.push(pair);
        let [english, french] = pair;
        let text = if self.language == Language::English { english } else { french };
        let mut parts = text.split("{}");
        let mut said = parts.next().unwrap_or_default().to_owned();
        for (part, value) in parts.zip(values) {
            said.push_str(&value);
            said.push_str(part);
        }
        said
    }

    pub fn title(&mut self, pair: Pair, values: &[&dyn Display]) {
        let said = self.say(pair, values);
        self.line(&format!("# {said}\n"));
    }

    pub fn heading(&mut self, pair: Pair) {
        let said = self.say(pair, &[]);
        self.line(&format!("\n## {said}\n"));
    }

    pub fn text(&mut self, pair: Pair, values: &[&dyn Display]) {
        let said = self.say(pair, values);
        self.line(&said);
    }

    pub fn item(&mut self, pair: Pair, values: &[&dyn Display]) {
        let said = self.say(pair, values);
        self.line(&format!("- {said}"));
    }

    pub fn item_words(&mut self, pair: Pair, kept: &[Retention]) {
        let said = self.say_words(pair, kept);
        self.line(&format!("- {said}"));
    }

    /// An item that was put together from pairs.
    pub fn plain_item(&mut self, said: &str) {
        self.line(&format!("- {said}"));
    }

    /// What a program cannot know.
    pub fn blank(&mut self, pair: Pair) {
        let said = self.field(pair);
        self.line(&format!("- {said}"));
    }

    /// The same as a cell of a table.
    pub fn field(&mut self, pair: Pair) -> String {
        let said = self.say(pair, &[]);
        let mark = self.say(["to fill in: ", "à compléter : "], &[]);
        format!("**[{mark}{said}]**")
    }

    pub fn header(&mut self, columns: &[Pair]) {
        let columns: Vec<String> = columns.iter().map(|column| self.say(*column, &[])).collect();
        self.line("");
        self.row(&columns);
        let rule: String = columns.iter().map(|_| "---|").collect();
        self.line(&format!("|{rule}"));
    }

    pub fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// How long something is kept, such as `30 days`.
fn words(language: Language, kept: Retention) -> String {
    let (number, unit) = kept.parts();
    let is_one = number == 1;
    let unit = match (language, unit) {
        (Language::English, 'w') if is_one => "week",
        (Language::English, 'w') => "weeks",
        (Language::English, 'm') if is_one => "month",
        (Language::English, 'm') => "months",
        (Language::English, 'y') if is_one => "year",
        (Language::English, 'y') => "years",
        (Language::English, _) if is_one => "day",
        (Language::English, _) => "days",
        (Language::French, 'w') if is_one => "semaine",
        (Language::French, 'w') => "semaines",
        (Language::French, 'm') => "mois",
        (Language::French, 'y') if is_one => "an",
        (Language::French, 'y') => "ans",
        (Language::French, _) if is_one => "jour",
        (Language::French, _) => "jours",
    };
    format!("{number} {unit}")
}

/// A value as it is, whatever signs are in it; also in a table.
pub fn code(value: &dyn Display) -> String {
    format!("`{}`", value.to_string().replace('`', "'").replace('|', "\\|"))
}

/// Values one after the other.
pub fn codes<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let codes: Vec<String> = values.into_iter().map(|value| code(&value)).collect();
    codes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_environment() {
        let of =
            |variables: &[(&str, &str)]| Language::of(&Environment::from_iter(variables.iter().copied()));
        assert_eq!(of(&[]), Language::English);
        assert_eq!(of(&[("LANG", "fr_FR.UTF-8")]), Language::French);
        assert_eq!(of(&[("LANG", "fr_FR.UTF-8"), ("GREFFE_LANG", "en")]), Language::English);
        assert_eq!(of(&[("GREFFE_LANG", "FR"), ("LANG", "C")]), Language::French);
    }

    #[test]
    fn values_stay_in_their_cell() {
        assert_eq!(code(&"a|b`c"), "`a\\|b'c`");
        let mut page = Page::new(Language::French);
        assert_eq!(page.say(["{} of {}", "{} sur {}"], &[&1, &2]), "`1` sur `2`");
    }
}
