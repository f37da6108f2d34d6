//! Values of rows as JSON and as cells of a table: the same for the same value, whatever the engine.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::model::ValueKind;

/// A value that the database gave as text, as JSON: numbers and JSON with the very digits and members that are stored.
#[must_use]
pub fn json(kind: ValueKind, given: Option<&[u8]>) -> String {
    let Some(bytes) = given else { return "null".to_owned() };
    let text = text(kind, bytes);
    let is_json = match kind {
        ValueKind::Integer | ValueKind::Float | ValueKind::Json => true,
        ValueKind::Boolean => matches!(text.as_str(), "true" | "false") || is_whole(&text),
        _ => false,
    };
    if is_json
        && serde_json::from_str::<IgnoredAny>(&text).is_ok()
        && (kind == ValueKind::Json || is_bare(&text))
    {
        return text;
    }
    Value::String(text).to_string()
}

/// The same as a cell of a table; nothing for NULL.
#[must_use]
pub fn cell(kind: ValueKind, given: Option<&[u8]>) -> String {
    given.map(|bytes| text(kind, bytes)).unwrap_or_default()
}

fn text(kind: ValueKind, bytes: &[u8]) -> String {
    if kind == ValueKind::Bytes {
        return data_encoding::BASE64.encode(bytes);
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    match kind {
        ValueKind::Boolean if text == "0" => "false".to_owned(),
        ValueKind::Boolean if text == "1" => "true".to_owned(),
        ValueKind::Float => {
            let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map_or(text, |number| number.to_string())
        }
        ValueKind::Timestamp => moment(&text, ""),
        ValueKind::Moment => moment(&text, "Z"),
        _ => text,
    }
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether JSON is a number, `true` or `false`.
fn is_bare(text: &str) -> bool {
    text == "true" || text == "false" || text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// ISO 8601 of what databases write: a `T` between, no zeros at the end of a fraction.
fn moment(text: &str, zone: &str) -> String {
    let plain = text.strip_suffix("+00").or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let is_moment = plain.len() >= 19
        && plain.as_bytes()[..19].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => matches!(byte, b' ' | b'T'),
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !is_moment {
        return text.to_owned();
    }
    let plain = plain.replacen(' ', "T", 1);
    let plain = match plain.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            match fraction.trim_end_matches('0') {
                "" => whole.to_owned(),
                fraction => format!("{whole}.{fraction}"),
            }
        }
        _ => plain,
    };
    if plain.ends_with('Z') { plain } else { plain + zone }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn values_are_the_same_whatever_the_engine() {
        for (kind, given, expected) in [
            (ValueKind::Integer, "42", value!(42)),
            (ValueKind::Integer, "18446744073709551615", value!(18_446_744_073_709_551_615_u64)),
            (ValueKind::Integer, "abc", value!("abc")),
            (ValueKind::Float, "10", value!(10.0)),
            (ValueKind::Float, "10.0", value!(10.0)),
            (ValueKind::Float, "NaN", value!("NaN")),
            (ValueKind::Boolean, "1", value!(true)),
            (ValueKind::Boolean, "7", value!(7)),
            (ValueKind::Decimal(Some(2)), "12.50", value!("12.50")),
            (ValueKind::Json, "{\"a\":[1]}", value!({"a": [1]})),
            (ValueKind::Timestamp, "2026-01-02 03:04:05", value!("2026-01-02T03:04:05")),
            (ValueKind::Timestamp, "2026-01-02 03:04:05.120000", value!("2026-01-02T03:04:05.12")),
            (ValueKind::Moment, "2026-01-02 03:04:05+00", value!("2026-01-02T03:04:05Z")),
            (ValueKind::Moment, "2026-01-02 03:04:05.000000", value!("2026-01-02T03:04:05Z")),
            (
                ValueKind::Timestamp,
                "yesterday, été, and more of it",
                value!("yesterday, été, and more of it"),
            ),
            (ValueKind::Bytes, "\u{1}", value!("AQ==")),
            (ValueKind::Text, "é", value!("é")),
        ] {
            let written: Value = serde_json::from_str(&json(kind, Some(given.as_bytes()))).unwrap();
            assert_eq!(written, expected, "{kind:?} {given}");
        }
        for (kind, given) in [
            (ValueKind::Json, "{\"b\": 12345678901234567890.123, \"a\": 1, \"b\": 2}"),
            (ValueKind::Integer, "123456789012345678901234567890"),
        ] {
            assert_eq!(json(kind, Some(given.as_bytes())), given);
            assert_eq!(cell(kind, Some(given.as_bytes())), given);
        }
        assert_eq!(json(ValueKind::Text, None), "null");
        assert_eq!(json(ValueKind::Text, Some(b"null")), "\"null\"");
        assert_eq!(json(ValueKind::Integer, Some(b"null")), "\"null\"");
        assert_eq!(json(ValueKind::Json, Some(b"{")), "\"{\"");
        assert_eq!(cell(ValueKind::Text, None), "");
        assert_eq!(cell(ValueKind::Boolean, Some(b"1")), "true");
    }
}
