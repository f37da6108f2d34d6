//! When migrations may run: weekdays and times of day, in UTC.

use crate::model::Timestamp;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Such as `mon-fri 20:00-23:00`. One that ends before it begins goes on after midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    first: i64,
    last: i64,
    /// Minutes of the day; the end is not part of it.
    from: i64,
    to: i64,
}

/// Several of them; none: at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows(pub Vec<Window>);

impl Window {
    /// Reads `DAY[-DAY] HH:MM-HH:MM`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (days, times) = text.split_once(' ')?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (from, to) = times.split_once('-')?;
        let day = |name: &str| i64::try_from(DAYS.iter().position(|day| *day == name)?).ok();
        let window = Self { first: day(first)?, last: day(last)?, from: minutes(from)?, to: minutes(to)? };
        (window.from != window.to && window.from < 24 * 60).then_some(window)
    }

    fn has(&self, at: Timestamp) -> bool {
        let (day, time) =
            (at.as_microseconds().div_euclid(DAY), at.as_microseconds().rem_euclid(DAY) / MINUTE);
        if self.from < self.to {
            return self.is_on(day) && (self.from..self.to).contains(&time);
        }
        self.is_on(day) && time >= self.from || self.is_on(day - 1) && time < self.to
    }

    fn is_on(&self, day: i64) -> bool {
        // The day from which days are counted was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        if self.first <= self.last {
            (self.first..=self.last).contains(&weekday)
        } else {
            weekday >= self.first || weekday <= self.last
        }
    }
}

fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| {
        let sound = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| sound)
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let sound = hours < 24 && minutes < 60 || (hours, minutes) == (24, 0);
    sound.then_some(hours * 60 + minutes)
}

impl Windows {
    /// Whether one of them is open.
    #[must_use]
    pub fn allow(&self, at: Timestamp) -> bool {
        self.0.is_empty() || self.0.iter().any(|window| window.has(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_go_over_midnight_and_over_sunday() {
        let allows = |text: &str, at: &str| Window::parse(text).unwrap().has(at.parse().unwrap());
        // 2026-11-23 is a Monday.
        assert!(allows("mon-fri 20:00-23:00", "2026-11-23T20:00:00.000000Z"));
        assert!(!allows("mon-fri 20:00-23:00", "2026-11-23T23:00:00.000000Z"));
        assert!(!allows("mon-fri 20:00-23:00", "2026-11-22T21:00:00.000000Z"));
        assert!(allows("sun 22:00-02:00", "2026-11-23T01:59:59.000000Z"));
        assert!(!allows("sun 22:00-02:00", "2026-11-24T01:00:00.000000Z"));
        assert!(allows("sat-mon 00:00-24:00", "2026-11-22T12:00:00.000000Z"));
        assert!(!allows("sat-mon 00:00-24:00", "2026-11-24T12:00:00.000000Z"));
        let text = "mon 20:00";
        for bad in [
            text,
            "",
            "mon",
            "monday 20:00-21:00",
            "mon 20-21",
            "mon 20:00-20:00",
            "mon 25:00-26:00",
            "mon 24:00-01:00",
            "mon  20:00-21:00",
            "mon +1:00-21:00",
            "mon-fri-sat 01:00-02:00",
        ] {
            assert_eq!(Window::parse(bad), None, "{bad}");
        }
        assert!(Windows::default().allow("2026-11-23T20:00:00.000000Z".parse().unwrap()));
    }
}
