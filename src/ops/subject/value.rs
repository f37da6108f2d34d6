//! Values of rows as JSON and as cells of a table: the same for the same value, whatever the engine.

use serde_json::Value;

use crate::model::ValueKind;

/// A value that the database gave as text, bytes as they are.
#[must_use]
pub fn json(kind: ValueKind, given: Option<&[u8]>) -> Value {
    let Some(bytes) = given else { return Value::Null };
    if kind == ValueKind::Bytes {
        return Value::String(data_encoding::BASE64.encode(bytes));
    }
    let text = String::from_utf8_lossy(bytes);
    let number = |text: &str| {
        let parsed = serde_json::from_str::<Value>(text).ok();
        parsed.filter(Value::is_number)
    };
    let found = match kind {
        ValueKind::Integer => number(&text),
        ValueKind::Float => {
            text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
        }
        ValueKind::Boolean => match text.as_ref() {
            "0" => Some(Value::Bool(false)),
            "1" => Some(Value::Bool(true)),
            _ => number(&text),
        },
        ValueKind::Json => serde_json::from_str(&text).ok(),
        ValueKind::Timestamp => Some(Value::String(moment(&text, ""))),
        ValueKind::Moment => Some(Value::String(moment(&text, "Z"))),
        _ => None,
    };
    found.unwrap_or_else(|| Value::String(text.into_owned()))
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

/// A value as a cell of a table: nothing for NULL, JSON for what is neither text nor number.
#[must_use]
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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
            assert_eq!(json(kind, Some(given.as_bytes())), expected, "{kind:?} {given}");
        }
        assert_eq!(json(ValueKind::Text, None), Value::Null);
        assert_eq!([cell(&value!(null)), cell(&value!(true)), cell(&value!("a"))], ["", "true", "a"]);
    }
}
