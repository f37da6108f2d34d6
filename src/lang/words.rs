//! The messages of one language.

use std::fmt::Write as _;

use fluent_bundle::types::{FluentNumber, FluentNumberOptions};
use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Language;
use super::numbers::grouped;

/// What a variable of a message stands for: a text, or a number, by which a message chooses its plural.
pub type Value<'a> = FluentValue<'a>;

/// The files of each language, in the same order. Arabic has those of reports; the others are told in English there.
const FILES: [(Language, &[&str]); 3] = [
    (
        Language::English,
        &[
            include_str!("en/report.ftl"),
            include_str!("en/findings.ftl"),
            include_str!("en/commands.ftl"),
            include_str!("en/watch.ftl"),
        ],
    ),
    (
        Language::French,
        &[
            include_str!("fr/report.ftl"),
            include_str!("fr/findings.ftl"),
            include_str!("fr/commands.ftl"),
            include_str!("fr/watch.ftl"),
        ],
    ),
    (Language::Arabic, &[include_str!("ar/report.ftl"), include_str!("ar/findings.ftl")]),
];

/// A language with its messages.
pub struct Words {
    language: Language,
    /// Its own, and behind them those that it has not, in English.
    bundles: Vec<FluentBundle<FluentResource>>,
}

impl Words {
    /// The messages of a language.
    #[must_use]
    pub fn of(language: Language) -> Self {
        let own = files(language);
        let others = files(Language::English).get(own.len()..).unwrap_or_default();
        let mut bundles = vec![bundle(language, own)];
        if !others.is_empty() {
            bundles.push(bundle(Language::English, others));
        }
        Self { language, bundles }
    }

    /// A number whose digits stand together, as in the documents that it is compared with. It chooses the plural all the same.
    #[must_use]
    pub fn figure(number: u64) -> Value<'static> {
        let options = FluentNumberOptions { currency: Some(number.to_string()), ..Default::default() };
        FluentValue::Number(FluentNumber { value: number as f64, options })
    }

    /// Which language it is.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// A message without variables.
    #[must_use]
    pub fn say(&self, id: &str) -> String {
        self.tell(id, [])
    }

    /// A message with its variables. One that there is not is told by its name in braces.
    #[must_use]
    pub fn tell<'a, const N: usize>(&'a self, id: &str, values: [(&'a str, Value<'a>); N]) -> String {
        let values = values.map(|(name, value)| (name, self.counted(value)));
        self.with(id, &FluentArgs::from_iter(values)).unwrap_or_else(|| format!("{{{id}}}"))
    }

    /// What verification found, by its code and its members as `--json` has them; `None` for a code that is newer than
    /// these messages.
    #[must_use]
    pub fn finding(
        &self,
        code: &str,
        members: &serde_json::Map<String, serde_json::Value>,
    ) -> Option<String> {
        let values = members.iter().map(|(name, value)| (name.as_str(), Value::from(plain(value))));
        self.with(&format!("finding-{code}"), &FluentArgs::from_iter(values))
    }

    /// A number by which the plural comes out right. The rules of the library that chooses it forget the hundreds in Arabic, where
    /// 103 is told as 3 is: another number of the same kind stands in, with the digits of the real one beside it.
    fn counted<'a>(&self, value: Value<'a>) -> Value<'a> {
        let FluentValue::Number(mut number) = value else { return value };
        if self.language != Language::Arabic || number.value < 100.0 {
            return FluentValue::Number(number);
        }
        let whole = number.value as u64;
        // No message tells of money, so that this has room for what is shown.
        number.options.currency.get_or_insert_with(|| grouped(whole, self.language));
        number.value = match whole % 100 {
            3..=10 => 3.0,
            11..=99 => 11.0,
            _ => 100.0,
        };
        FluentValue::Number(number)
    }

    fn with(&self, id: &str, values: &FluentArgs<'_>) -> Option<String> {
        self.bundles.iter().find_map(|bundle| {
            let pattern = bundle.get_message(id)?.value()?;
            Some(bundle.format_pattern(pattern, Some(values), &mut Vec::new()).into_owned())
        })
    }
}

/// The files of a language.
pub(super) fn files(language: Language) -> &'static [&'static str] {
    FILES.iter().find(|(of, _)| *of == language).map(|(_, files)| *files).unwrap_or_default()
}

fn bundle(language: Language, files: &[&str]) -> FluentBundle<FluentResource> {
    let tag: LanguageIdentifier = language.code().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new(vec![tag]);
    // Values keep their own direction inside of a line that runs the other way.
    bundle.set_use_isolating(language.is_right_to_left());
    bundle.set_formatter(Some(if language == Language::French { in_french } else { in_others }));
    for file in files {
        // A file that does not parse whole is a fault that tests find; what parses of it counts.
        let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(part, _)| part);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

fn in_french<M>(value: &Value<'_>, _: &M) -> Option<String> {
    number(value, Language::French)
}

fn in_others<M>(value: &Value<'_>, _: &M) -> Option<String> {
    number(value, Language::English)
}

/// A number as the language groups its digits.
fn number(value: &Value<'_>, language: Language) -> Option<String> {
    match value {
        FluentValue::Number(FluentNumber {
            options: FluentNumberOptions { currency: Some(digits), .. },
            ..
        }) => Some(digits.clone()),
        FluentValue::Number(number) if number.value >= 0.0 && number.value.fract() == 0.0 => {
            Some(grouped(number.value as u64, language))
        }
        _ => None,
    }
}

/// A member of a finding as text.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            let mut text = String::new();
            for (place, item) in items.iter().enumerate() {
                let comma = if place > 0 { ", " } else { "" };
                write!(text, "{comma}{}", plain(item)).ok();
            }
            text
        }
        other => other.to_string(),
    }
}
