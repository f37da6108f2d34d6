//! Whether a database reads a text as a value of a type. Only forms that all engines know count.

/// A number without an exponent.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    has_digits(whole, 1..=64) && has_digits(fraction, 1..=64)
}

/// `2026-01-31`.
pub fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| has_digits(part, digits..=digits))?;
        part.parse::<u16>().ok()
    };
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else { return false };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    parts.next().is_none() && year > 0 && (1..=days).contains(&day)
}

/// `23:59`, `23:59:59`, `23:59:59.5`.
pub fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    let is_below = |(part, limit): (&&str, u8)| {
        has_digits(part, 2..=2) && part.parse::<u8>().is_ok_and(|number| number < limit)
    };
    let has_fraction = text.contains('.');
    matches!(parts.len(), 2 | 3)
        && (!has_fraction || parts.len() == 3)
        && has_digits(fraction, 1..=6)
        && parts.iter().zip([24, 60, 60]).all(is_below)
}

/// A date, or a date and a time with a space or `T` between them.
pub fn is_moment(text: &str) -> bool {
    match text.split_once([' ', 'T']) {
        Some((date, time)) => is_date(date) && is_time(time),
        None => is_date(text),
    }
}

/// A UUID with hyphens.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

fn has_digits(text: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_values_or_not() {
        type Rule = fn(&str) -> bool;
        let cases: [(Rule, &[&str], &[&str]); 5] = [
            (is_number, &["0", "-1.50", "12"], &["", "1e5", "inf", "1.", ".5", "--1", "1,5", "é"]),
            (
                is_date,
                &["2024-02-29", "1970-01-02"],
                &["bogus", "2026-02-29", "2026-13-01", "26-1-1", "0000-01-01", "2026-01-01-1"],
            ),
            (
                is_time,
                &["00:00", "23:59:59", "23:59:59.123456"],
                &["24:00", "12", "12:60", "12:30.5", "1:00"],
            ),
            (
                is_moment,
                &["2026-01-01", "2026-01-01 10:00", "2026-01-01T10:00:00"],
                &["2026-01-01 ", "bogus", "10:00"],
            ),
            (is_uuid, &["00000000-0000-0000-0000-000000000000"], &["0", "00000000000000000000000000000000"]),
        ];
        for (rule, sound, wrong) in cases {
            sound.iter().for_each(|text| assert!(rule(text), "{text}"));
            wrong.iter().for_each(|text| assert!(!rule(text), "{text}"));
        }
    }
}
