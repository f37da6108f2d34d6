//! The valid name that someone may have meant by an unknown one.

use super::{
    file::OWN_TABLES,
    keys::{KEYS, Key, OTHER_VARIABLES, TABLES},
    lint,
    replicas::Field,
};
use crate::ops::lint::nearest_rule;

/// The valid name nearest to an unknown key, with its table, such as `database.url` or `[database]`.
#[must_use]
pub fn nearest_key(table: &str, name: &str, is_table: bool) -> Option<String> {
    if is_table && table.is_empty() {
        return nearest(name, TABLES.into_iter().chain(OWN_TABLES)).map(|(table, _)| format!("[{table}]"));
    }
    let by_name = nearest(name, KEYS.iter().filter(|key| key.table == table).map(|key| key.name));
    let elsewhere = KEYS.iter().filter_map(|key| {
        let path = key.path();
        let distance = [key.name, path.as_str()].map(|valid| nearest(name, std::iter::once(valid)));
        distance.into_iter().flatten().map(|(_, distance)| distance).min().map(|distance| (distance, path))
    });
    let here = by_name
        .and_then(|(valid, distance)| Key::find(table, valid).map(|key| (distance, key.path())))
        .into_iter();
    // `min_by_key` keeps the first of equals: the table at hand goes before the others.
    here.chain(elsewhere).min_by_key(|(distance, _)| *distance).map(|(_, path)| path)
}

/// The key of a list's table nearest to an unknown one.
#[must_use]
pub fn nearest_field(table: &str, fields: &[Field], name: &str) -> Option<String> {
    let (found, _) = nearest(name, fields.iter().map(|field| field.name))?;
    Some(format!("{table}.{found}"))
}

/// The key of `[lint]`, mostly a rule, nearest to an unknown one.
#[must_use]
pub fn nearest_lint_key(name: &str) -> Option<String> {
    let other = nearest(name, lint::KEYS.into_iter()).map(|(key, _)| key.to_owned());
    other.or_else(|| nearest_rule(name))
}

/// Whether greffe knows this environment variable.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    variables().any(|valid| valid == name)
}

/// The valid variable nearest to an unknown one.
#[must_use]
pub fn nearest_variable(name: &str) -> Option<&'static str> {
    // Without the prefix that all of them share: it would make everything look near.
    let short = |name: &'static str| name.trim_start_matches("GREFFE_");
    let (found, _) = nearest(name.trim_start_matches("GREFFE_"), variables().map(short))?;
    variables().find(|valid| short(valid) == found)
}

fn variables() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.variable).chain(OTHER_VARIABLES)
}

/// The candidate with the fewest edits, when at most one character in three differs.
fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    const LONGEST: usize = 64;
    let plain = |text: &str| text.to_lowercase().replace(['_', '.'], "-");
    if given.len() > LONGEST {
        return None;
    }
    let given = plain(given);
    candidates
        // Most candidates are told apart by their length, which costs nothing.
        .filter(|valid| valid.len().abs_diff(given.len()) * 3 <= valid.len())
        .map(|valid| (valid, strsim::osa_distance(&given, &plain(valid))))
        .filter(|(valid, distance)| distance * 3 <= valid.len())
        .min_by_key(|(_, distance)| *distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_are_found_in_the_table_at_hand_first() {
        for (table, name, found) in [
            ("database", "ur", Some("database.url")),
            ("database", "nmae", Some("database.name")),
            ("", "nmae", Some("name")),
            ("", "lock_wait", Some("apply.lock-wait")),
            ("", "database-url", Some("database.url")),
            ("verify", "migration", Some("migrations")),
            ("", "colour", None),
            ("", "", None),
        ] {
            assert_eq!(nearest_key(table, name, false).as_deref(), found, "{table}.{name}");
        }
        assert_eq!(nearest_key("", "databse", true).as_deref(), Some("[database]"));
        assert_eq!(nearest_key("", &"x".repeat(1000), false), None);
    }

    #[test]
    fn nearest_variables_do_not_count_their_prefix() {
        assert_eq!(nearest_variable("GREFFE_LOCKWAIT"), Some("GREFFE_LOCK_WAIT"));
        assert_eq!(nearest_variable("GREFFE_KEYS"), Some("GREFFE_KEY"));
        assert_eq!(nearest_variable("GREFFE_COLOUR"), None);
        assert!(is_variable("GREFFE_JSON") && is_variable("GREFFE_KEY") && !is_variable("GREFFE_"));
    }
}
