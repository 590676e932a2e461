//! Trading hours: weekly windows in UTC.

use std::fmt;
use std::str::FromStr;

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use serde::{Deserialize, Serialize};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;
/// The epoch was a Thursday; weeks here begin on Monday.
const EPOCH_WEEKDAY: i64 = 3;
const SECOND_NS: i64 = 1_000_000_000;

/// Weekly windows in UTC, such as `mon-fri 08:00-16:30, sun 22:00-24:00`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TradingHours {
    text: String,
    /// Half-open windows in seconds since Monday 00:00, in order, not overlapping.
    windows: Vec<(i64, i64)>,
}

impl TradingHours {
    /// Whether trading is open at a time.
    #[must_use]
    pub fn is_open(&self, now_ns: TimeNs) -> bool {
        let at = second_of_week(now_ns);
        self.windows.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    /// The next time at which it may open or close.
    #[must_use]
    pub fn next_edge_ns(&self, now_ns: TimeNs) -> TimeNs {
        let at = second_of_week(now_ns);
        let edges = self.windows.iter().flat_map(|(from, to)| [*from, *to]);
        let wait = edges.map(|edge| (edge - at - 1).rem_euclid(WEEK_S) + 1).min();
        let whole_s = now_ns.div_euclid(SECOND_NS);
        wait.map_or(TimeNs::MAX, |wait| (whole_s + wait).saturating_mul(SECOND_NS))
    }
}

fn second_of_week(now_ns: TimeNs) -> i64 {
    (now_ns.div_euclid(SECOND_NS) + EPOCH_WEEKDAY * DAY_S).rem_euclid(WEEK_S)
}

impl FromStr for TradingHours {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut windows = Vec::new();
        for part in text.split(',') {
            let window = parse_window(part.trim()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    format!(
                        "trading hours {part:?}: give days and times of UTC, such as `mon-fri 08:00-16:30` or `daily 00:00-24:00`"
                    ),
                )
            })?;
            windows.extend(window);
        }
        windows.sort_unstable();
        if windows.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("trading hours {text:?}: two windows overlap"),
            ));
        }
        Ok(Self { text: text.to_owned(), windows })
    }
}

/// `mon-fri 08:00-16:30` as windows of the week; one that ends before it begins goes past midnight.
fn parse_window(text: &str) -> Option<Vec<(i64, i64)>> {
    let (days, times) = text.split_once(char::is_whitespace)?;
    let (first, last) = match days.split_once('-') {
        _ if days == "daily" => (0, 6),
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    let (from, to) = times.trim().split_once('-')?;
    let (from, to) = (second(from)?, second(to)?);
    if from == to {
        return None;
    }
    let length = if to > from { to - from } else { to + DAY_S - from };
    let count = (last - first).rem_euclid(7) + 1;
    let mut windows = Vec::new();
    for n in 0..count {
        let start = (first + n) % 7 * DAY_S + from;
        let end = start + length;
        windows.push((start, end.min(WEEK_S)));
        if end > WEEK_S {
            windows.push((0, end - WEEK_S));
        }
    }
    Some(windows)
}

fn day(name: &str) -> Option<i64> {
    DAYS.iter().position(|day| *day == name).map(|at| at as i64)
}

fn second(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let at = hours * 3_600 + minutes * 60;
    (minutes < 60 && at <= DAY_S).then_some(at)
}

impl TryFrom<String> for TradingHours {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<TradingHours> for String {
    fn from(hours: TradingHours) -> Self {
        hours.text
    }
}

impl fmt::Display for TradingHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nanoseconds of a weekday (0 for Monday) and a time in the week of 1970-01-05.
    fn at(day: i64, hour: i64, minute: i64) -> TimeNs {
        ((4 + day) * DAY_S + hour * 3_600 + minute * 60) * SECOND_NS
    }

    #[test]
    fn windows_are_half_open_and_may_pass_midnight_and_the_week() {
        let office: TradingHours = "mon-fri 08:00-16:30".parse().unwrap();
        assert!(office.is_open(at(0, 8, 0)) && !office.is_open(at(0, 16, 30)));
        assert!(!office.is_open(at(5, 12, 0)) && !office.is_open(at(0, 7, 59)));
        let night: TradingHours = "sun 22:00-06:00".parse().unwrap();
        assert!(night.is_open(at(6, 23, 0)) && night.is_open(at(0, 5, 59)));
        assert!(!night.is_open(at(0, 6, 0)));
    }

    #[test]
    fn nothing_changes_before_the_next_edge() {
        let hours: TradingHours = "mon-tue 22:00-02:00, thu 09:00-10:00".parse().unwrap();
        let mut now = at(0, 0, 0) + 1;
        for _ in 0..40 {
            let edge = hours.next_edge_ns(now);
            assert!(edge > now);
            assert_eq!(hours.is_open(now), hours.is_open(edge - 1), "{now} to {edge}");
            now = edge;
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "mon", "mon 8:00-9:00", "mon 08:00-25:00", "foo 08:00-09:00", "mon 08:00-08:00"]
        {
            assert!(text.parse::<TradingHours>().is_err(), "{text}");
        }
        let twice = "mon 08:00-10:00, mon 09:00-11:00".parse::<TradingHours>().unwrap_err();
        assert!(twice.message().contains("overlap"), "{twice}");
    }
}
