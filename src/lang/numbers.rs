//! Numbers, times and durations as a language writes them. Digits are the Latin ones in all of them, as they stand in the
//! commands that they are compared with.

use super::{Language, Words};
use crate::model::Timestamp;

/// A whole number with its digits in groups of three: `12,345`, in French `12 345` with a narrow space that does not
/// break.
#[must_use]
pub fn grouped(number: u64, language: Language) -> String {
    let separator = if language == Language::French { '\u{202f}' } else { ',' };
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// A duration with three digits at most, in the unit that fits.
#[must_use]
pub fn duration(microseconds: u64, words: &Words) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("unit-hours", 3_600_000_000),
        ("unit-minutes", 60_000_000),
        ("unit-seconds", 1_000_000),
        ("unit-milliseconds", 1000),
    ];
    let unit = UNITS.into_iter().find(|(_, size)| microseconds >= *size);
    let (unit, size) = unit.unwrap_or(("unit-microseconds", 1));
    let (whole, rest) = (microseconds / size, microseconds % size);
    let decimals = if size == 1 || whole >= 100 {
        0
    } else if whole >= 10 {
        1
    } else {
        2
    };
    let mut number = grouped(whole, words.language());
    // Cut, not rounded: what took 999.9 ms took no second.
    let fraction: u64 = rest * 10_u64.pow(decimals) / size;
    let digits = format!("{fraction:0width$}", width = decimals as usize);
    let digits = digits.trim_end_matches('0');
    if decimals > 0 && !digits.is_empty() {
        number.push(if words.language() == Language::French { ',' } else { '.' });
        number.push_str(digits);
    }
    words.tell(unit, [("number", number.into())])
}

/// A time to the second, in UTC, as tables have it: the same in all languages.
#[must_use]
pub fn stamp(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {}Z", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// A day in words.
#[must_use]
pub fn day(at: Timestamp, words: &Words) -> String {
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|part| part.parse::<u64>().ok()).unwrap_or_default()
    };
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let month = words.say(&format!("month-{month}"));
    words.tell("day", [("day", day.into()), ("month", month.into()), ("year", year.to_string().into())])
}

/// A time in words, to the second, in UTC.
#[must_use]
pub fn moment(at: Timestamp, words: &Words) -> String {
    let text = at.to_string();
    let time = text.get(11..19).unwrap_or_default().to_owned();
    words.tell("moment", [("day", day(at, words).into()), ("time", time.into())])
}
