//! Instants as the format writes them: RFC 3339, UTC, microseconds, `Z` (FORMAT §3).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Why text is not a timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time is written like 2026-01-31T12:00:00.000000Z, not {0:?}")]
pub struct TimeError(String);

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `microseconds` after the beginning of 1970, if it lies in the years 1 to 9999.
    #[must_use]
    pub fn from_microseconds(microseconds: i64) -> Option<Self> {
        let instant = jiff::Timestamp::from_microsecond(microseconds).ok()?;
        let year = instant.to_zoned(jiff::tz::TimeZone::UTC).year();
        (1..=9999).contains(&year).then_some(Self(microseconds))
    }

    /// The instant so many seconds after the beginning of 1970, if it lies before the year 10000.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        i64::try_from(seconds).ok()?.checked_mul(1_000_000).and_then(Self::from_microseconds)
    }

    /// Microseconds since the beginning of 1970.
    #[must_use]
    pub const fn as_microseconds(self) -> i64 {
        self.0
    }
}

/// Whether a text is a day, such as `2027-06-30`.
#[must_use]
pub fn is_day(text: &str) -> bool {
    format!("{text}T00:00:00.000000Z").parse::<Timestamp>().is_ok()
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let refuse = || TimeError(text.chars().take(40).collect());
        let bytes: &[u8; 27] = text.as_bytes().try_into().map_err(|_| refuse())?;
        let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
        let sound = bytes.iter().zip(shape).all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            _ => byte == wanted,
        });
        // A leap second has no place in a count of microseconds.
        if !sound || &bytes[17..19] == b"60" {
            return Err(refuse());
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
        Self::from_microseconds(instant.as_microsecond()).ok_or_else(refuse)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.6}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_a_calendar() {
        for (text, day) in [
            ("2027-06-30", true),
            ("2028-02-29", true),
            ("2027-02-29", false),
            ("2999-99-99", false),
            ("0000-01-01", false),
            ("2027-6-30", false),
            ("2027-06-30T", false),
            ("", false),
        ] {
            assert_eq!(is_day(text), day, "{text}");
        }
    }

    #[test]
    fn one_spelling_for_one_instant() {
        for good in
            ["2026-11-22T08:31:07.000000Z", "1970-01-01T00:00:00.000001Z", "2024-02-29T23:59:59.999999Z"]
        {
            assert_eq!(good.parse::<Timestamp>().unwrap().to_string(), good);
        }
        for bad in [
            "2026-11-22T08:31:07Z",
            "2026-11-22T08:31:07.000Z",
            "2026-11-22T08:31:07.000000+00:00",
            "2026-11-22t08:31:07.000000z",
            "2026-11-22 08:31:07.000000Z",
            "2025-02-29T00:00:00.000000Z",
            "2016-12-31T23:59:60.000000Z",
            "",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}
