//! Values of settings: what was given for a key, durations, anchors. Where they came from is not known here.

use std::{ffi::OsString, fmt, path::Path, path::PathBuf, str::FromStr, time::Duration};

use super::{
    error::{Reason, printable},
    keys::Kind,
    secret::Secret,
};
use crate::{
    crypto::KeyId,
    model::{Cid, Codec},
};

/// The longest duration that a setting takes; sums with clock readings stay far from overflow.
pub const LONGEST_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a whole number followed by `ms`, `s`, `m` or `h`, of at most [`LONGEST_DURATION`].
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(milliseconds)?);
    (duration <= LONGEST_DURATION).then_some(duration)
}

/// Writes what [`parse_duration`] reads, in the largest unit that is exact; below a millisecond is cut off.
#[must_use]
pub fn render_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds != 0 && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    if milliseconds == 0 { "0s".to_owned() } else { format!("{milliseconds}ms") }
}

/// How long something is kept, in whole days. A month has 31 and a year 366 of them: nothing is erased too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention {
    number: u32,
    unit: char,
}

impl Retention {
    /// So many days.
    #[must_use]
    pub const fn days(number: u32) -> Self {
        Self { number, unit: 'd' }
    }

    /// Its number, and `d`, `w`, `m` or `y`.
    #[must_use]
    pub const fn parts(self) -> (u32, char) {
        (self.number, self.unit)
    }

    /// Its length in days.
    #[must_use]
    pub const fn in_days(self) -> u32 {
        let days = match self.unit {
            'w' => 7,
            'm' => 31,
            'y' => 366,
            _ => 1,
        };
        self.number * days
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.unit)
    }
}

/// Reads a whole number followed by `d`, `w`, `m` or `y`, of 1 day to 100 years.
#[must_use]
pub fn parse_retention(text: &str) -> Option<Retention> {
    let unit = text.chars().next_back().filter(|unit| matches!(unit, 'd' | 'w' | 'm' | 'y'))?;
    let digits =
        text.strip_suffix(unit).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    let number = digits.parse::<u32>().ok().filter(|number| (1..=36_600).contains(number))?;
    let retention = Retention { number, unit };
    (retention.in_days() <= 36_600).then_some(retention)
}

/// What verification may start its trust from, besides the chain's own manifest 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// A key that is trusted.
    Key(KeyId),
    /// A manifest or head that is trusted.
    Block(Cid),
}

impl FromStr for Anchor {
    type Err = NotAnchor;

    fn from_str(text: &str) -> Result<Self, NotAnchor> {
        let block = || parse_block(text).map(Self::Block);
        KeyId::parse(text).map(Self::Key).or_else(block).ok_or(NotAnchor)
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Block(cid) => cid.fmt(f),
        }
    }
}

/// The text is no [`Anchor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an anchor is a key id (64 lower-case hexadecimal digits) or the CID of a manifest or head")]
pub struct NotAnchor;

/// The CID of a manifest or head: DAG-CBOR. That of a script's bytes would anchor nothing.
fn parse_block(text: &str) -> Option<Cid> {
    text.parse::<Cid>().ok().filter(|cid| cid.codec() == Codec::DagCbor)
}

/// What was given for a key, of the shape that its kind has.
#[derive(Debug, Clone)]
pub(super) enum Given {
    Text(Secret),
    Path(OsString),
    Boolean(bool),
    List(Vec<Secret>),
}

impl Given {
    pub(super) fn text(&self, kind: Kind) -> Result<&str, Reason> {
        match self {
            Self::Text(text) => Ok(text.expose()),
            _ => Err(Reason::Invalid { kind, value: None }),
        }
    }

    pub(super) fn parse<T: FromStr>(&self, kind: Kind) -> Result<T, Reason> {
        self.parse_with(kind, |text| text.parse().ok())
    }

    pub(super) fn manifest(&self, kind: Kind) -> Result<Cid, Reason> {
        self.parse_with(kind, parse_block)
    }

    pub(super) fn duration(&self, kind: Kind) -> Result<Duration, Reason> {
        self.parse_with(kind, parse_duration)
    }

    pub(super) fn retention(&self, kind: Kind) -> Result<Retention, Reason> {
        self.parse_with(kind, parse_retention)
    }

    pub(super) fn label(&self, kind: Kind) -> Result<String, Reason> {
        let sound = |text: &str| {
            !text.trim().is_empty() && text.chars().count() <= 128 && !text.contains(char::is_control)
        };
        self.parse_with(kind, |text| sound(text).then(|| text.to_owned()))
    }

    /// Reads the text; a refused one is repeated only where it cannot be a secret.
    pub(super) fn parse_with<T>(
        &self,
        kind: Kind,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Reason> {
        let text = self.text(kind)?;
        read(text).ok_or_else(|| Reason::Invalid { kind, value: quoted(kind, [text]) })
    }

    pub(super) fn path(&self, kind: Kind, base: &Path) -> Result<PathBuf, Reason> {
        let path = match self {
            Self::Path(path) => Path::new(path),
            _ => Path::new(self.text(kind)?),
        };
        // A NUL byte ends a path for the system, and the rest would silently not count.
        if path.as_os_str().is_empty() || path.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(Reason::Invalid { kind, value: quoted(kind, [path.to_string_lossy().as_ref()]) });
        }
        Ok(base.join(path))
    }

    pub(super) fn boolean(&self, kind: Kind) -> Result<bool, Reason> {
        match self {
            Self::Boolean(value) => Ok(*value),
            _ => self.parse(kind),
        }
    }

    pub(super) fn count(&self, kind: Kind) -> Result<usize, Reason> {
        self.parse_with(kind, |text| text.parse().ok().filter(|count| *count <= 64))
    }

    /// Reads every text of a list; the refused ones are repeated where they cannot be secrets.
    pub(super) fn list<T: FromStr>(&self, kind: Kind) -> Result<Vec<T>, Reason> {
        self.each(kind, |text| text.parse().ok())
    }

    /// The same by `read`.
    pub(super) fn each<T>(&self, kind: Kind, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Reason> {
        let Self::List(given) = self else { return Err(Reason::Invalid { kind, value: None }) };
        let texts = || given.iter().map(Secret::expose);
        let refused: Vec<&str> = texts().filter(|text| read(text).is_none()).collect();
        if refused.is_empty() {
            return Ok(texts().filter_map(read).collect());
        }
        Err(Reason::Invalid { kind, value: quoted(kind, refused) })
    }
}

fn quoted<'a>(kind: Kind, texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted = texts.into_iter().map(|text| format!("\"{}\"", printable(text)));
    (!kind.is_confidential()).then(|| quoted.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_and_bounded() {
        for (text, milliseconds) in
            [("0s", 0), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("24h", 86_400_000)]
        {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse_duration(text), Some(duration));
            assert_eq!(parse_duration(&render_duration(duration)), Some(duration));
        }
        for bad in
            ["", "0", "s", "1.5s", "-1s", "+1s", "5 m", "5M", "25h", "99999999999999999999s", "1s1", "٣s"]
        {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(parse_duration(&format!("{}h", u64::MAX)), None);
    }

    #[test]
    fn retention_is_in_days_and_never_too_short() {
        for (text, days) in [("1d", 1), ("2w", 14), ("24m", 744), ("10y", 3660), ("100y", 36_600)] {
            let retention = parse_retention(text).unwrap();
            assert_eq!((retention.in_days(), retention.to_string().as_str()), (days, text));
        }
        for bad in ["", "d", "0d", "-1d", "1.5y", "1", "1h", "101y", "99999999999y", "1 y", "1é"] {
            assert_eq!(parse_retention(bad), None, "{bad}");
        }
    }

    #[test]
    fn anchors_are_keys_or_blocks_that_can_be_signed_for() {
        let block = Cid::of(Codec::DagCbor, b"x").to_string();
        for good in ["ab".repeat(32), block] {
            assert_eq!(good.parse::<Anchor>().unwrap().to_string(), good);
        }
        for bad in ["AB".repeat(32), Cid::of(Codec::Raw, b"x").to_string(), String::new()] {
            assert_eq!(bad.parse::<Anchor>(), Err(NotAnchor));
        }
    }

    #[test]
    fn all_refused_anchors_are_named() {
        let given = Given::List(vec!["x".into(), "ab".repeat(32).into(), "y\n".into()]);
        let value = Some(r#""x", "y\n""#.to_owned());
        assert_eq!(given.list::<Anchor>(Kind::Anchors), Err(Reason::Invalid { kind: Kind::Anchors, value }));
    }
}
