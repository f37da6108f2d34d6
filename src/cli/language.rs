//! Which language a command speaks: that of `--lang`, else of GREFFE_LANG, else of LANG, else English.

use super::settings::Environment;
use crate::lang::Language;

/// Reads the value of `--lang`.
///
/// # Errors
/// For a language that greffe does not speak.
pub fn parse_language(text: &str) -> Result<Language, String> {
    Language::named(text).ok_or_else(|| {
        let known: Vec<&str> = Language::ALL.into_iter().map(Language::code).collect();
        format!("greffe speaks {}", known.join(", "))
    })
}

/// The language that was asked for.
#[must_use]
pub fn language(asked: Option<Language>, environment: &Environment) -> Language {
    let said = |name: &str| environment.get(name).map(|value| value.to_string_lossy().into_owned());
    let (own, system) = (said("GREFFE_LANG"), said("LANG"));
    asked.unwrap_or_else(|| Language::of([own.as_deref(), system.as_deref()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_variable_and_that_before_the_system() {
        let both = Environment::from_iter([("GREFFE_LANG", "ar"), ("LANG", "fr_FR.UTF-8")]);
        assert_eq!(language(Some(Language::English), &both), Language::English);
        assert_eq!(language(None, &both), Language::Arabic);
        assert_eq!(language(None, &Environment::from_iter([("LANG", "fr_FR.UTF-8")])), Language::French);
        assert_eq!(language(None, &Environment::from_iter([("LANG", "C.UTF-8")])), Language::English);
        assert_eq!(parse_language("fr"), Ok(Language::French));
        assert!(parse_language("de").is_err_and(|error| error.contains("en, fr, ar")));
    }
}
