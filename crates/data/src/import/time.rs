//! Civil dates and the clocks of exchanges that stamp the time of day.

use mainspring_core::{Decimal, TimeNs};

/// Nanoseconds of a day.
pub const DAY_NS: i64 = 86_400_000_000_000;
/// Nanoseconds of an hour.
pub const HOUR_NS: i64 = 3_600_000_000_000;

/// A date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
}

impl Date {
    /// A date, or `None` when there is no such day between 1970 and 2261.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            1..=12 => 31,
            _ => return None,
        };
        ((1970..=2261).contains(&year) && (1..=length).contains(&day)).then_some(Self {
            year,
            month,
            day,
        })
    }

    /// Reads `YYYYMMDD` or `YYYY-MM-DD` at the start of `text`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let dashed = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        let (month, day) = if dashed { (5..7, 8..10) } else { (4..6, 6..8) };
        let number = |range| {
            let part: &str = text.get(range)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
        };
        Self::new(i32::try_from(number(0..4)?).ok()?, number(month)?, number(day)?)
    }

    /// The first date written anywhere in a file name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        name.char_indices()
            .filter(|(at, c)| {
                c.is_ascii_digit() && !name[..*at].ends_with(|before: char| before.is_ascii_digit())
            })
            .find_map(|(at, _)| Self::read(&name[at..]))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        // Years from March, so that the leap day is the last of its year.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let month = (i64::from(self.month) + 9) % 12;
        let century = year.div_euclid(400);
        let of_era = year - century * 400;
        let day_of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
        century * 146_097 + day_of_era - 719_468
    }

    /// Midnight UTC of the date.
    #[must_use]
    pub fn midnight_ns(self) -> TimeNs {
        self.days() * DAY_NS
    }

    /// Midnight in New York on the date, as UTC.
    #[must_use]
    pub fn midnight_new_york_ns(self) -> TimeNs {
        // The clocks change at two at night: at midnight of both days the old rule still holds.
        let summer = self > self.new_york_spring() && self <= self.new_york_autumn();
        self.midnight_ns() + if summer { 4 } else { 5 } * HOUR_NS
    }

    fn new_york_spring(self) -> Self {
        if self.year >= 2007 {
            self.sunday(3, 8)
        } else {
            self.sunday(4, 1)
        }
    }

    fn new_york_autumn(self) -> Self {
        if self.year >= 2007 {
            self.sunday(11, 1)
        } else {
            self.sunday(10, 25)
        }
    }

    /// The first Sunday on or after a day of the date's year.
    fn sunday(self, month: u32, from: u32) -> Self {
        let first = Self { month, day: from, ..self };
        // 1970-01-01 was a Thursday.
        let weekday = u32::try_from((first.days() + 4).rem_euclid(7)).unwrap_or(0);
        Self { day: from + (7 - weekday) % 7, ..first }
    }
}

/// Decimal seconds as nanoseconds, exactly; finer digits are cut off.
#[must_use]
pub fn seconds_ns(seconds: Decimal) -> Option<TimeNs> {
    let finest = seconds.to_scale(seconds.scale().max(9))?;
    let cut = 10_i128.pow(u32::from(seconds.scale().max(9) - 9));
    i64::try_from(finest.div_euclid(cut)).ok()
}

/// Reads `YYYY-MM-DD HH:MM:SS[.frac][Z|+00:00]` (a `T` between, dashes and colons optional in
/// `YYYYMMDD HHMMSSmmm`) as UTC.
#[must_use]
pub fn read_timestamp(text: &str) -> Option<TimeNs> {
    let date = Date::read(text)?;
    let rest = text.get(if text.as_bytes().get(4) == Some(&b'-') { 10 } else { 8 }..)?;
    let rest = rest.strip_prefix(['T', ' ']).unwrap_or(rest);
    let rest = rest.strip_suffix("+00:00").or_else(|| rest.strip_suffix('Z')).unwrap_or(rest);
    Some(date.midnight_ns() + time_of_day(rest)?)
}

fn time_of_day(text: &str) -> Option<i64> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, fraction),
        None if text.len() > 6 && !text.contains(':') => text.split_at_checked(6)?,
        None => (text, ""),
    };
    let digits: String = clock.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) || fraction.len() > 9 {
        return None;
    }
    let part = |at: usize, max: i64| match digits.get(at..at + 2) {
        Some(two) => two.parse::<i64>().ok().filter(|value| *value <= max),
        None => (digits.len() == at).then_some(0),
    };
    if digits.len() < 4 || digits.len() > 6 {
        return (digits.is_empty() && fraction.is_empty()).then_some(0);
    }
    let seconds = part(0, 23)? * 3_600 + part(2, 59)? * 60 + part(4, 60)?;
    let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
    Some(seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_days_from_1970() {
        assert_eq!(Date::new(1970, 1, 1).unwrap().days(), 0);
        assert_eq!(Date::new(2024, 2, 29).unwrap().days(), 19_782);
        assert_eq!(Date::find("AAPL_2012-06-21_message_50.csv"), Date::new(2012, 6, 21));
        assert_eq!(Date::find("20180404_trade.zip"), Date::new(2018, 4, 4));
        assert_eq!(Date::find("AAPL_0_34200000_message.csv"), None);
        assert!(Date::new(2023, 2, 29).is_none() && Date::new(2023, 13, 1).is_none());
    }

    #[test]
    fn new_york_changes_its_clocks_on_sundays() {
        let offset = |y, m, d| {
            let date = Date::new(y, m, d).unwrap();
            (date.midnight_new_york_ns() - date.midnight_ns()) / HOUR_NS
        };
        assert_eq!(offset(2012, 6, 21), 4);
        assert_eq!(offset(2024, 1, 2), 5);
        assert_eq!((offset(2024, 3, 10), offset(2024, 3, 11)), (5, 4));
        assert_eq!((offset(2024, 11, 3), offset(2024, 11, 4)), (4, 5));
        assert_eq!((offset(2006, 4, 2), offset(2006, 4, 3), offset(2006, 10, 30)), (5, 4, 5));
    }

    #[test]
    fn times_are_read_to_the_nanosecond() {
        assert_eq!(
            seconds_ns("1652459225.5037491".parse().unwrap()),
            Some(1_652_459_225_503_749_100)
        );
        let noon = 1_357_077_600_295_000_000;
        assert_eq!(read_timestamp("2013-01-01 22:00:00.295000+00:00"), Some(noon));
        assert_eq!(read_timestamp("20130101 220000295"), Some(noon));
        assert_eq!(read_timestamp("2013-01-01T22:00:00.295Z"), Some(noon));
        assert_eq!(read_timestamp("20130101 22:00"), Some(noon - 295_000_000));
        assert_eq!(read_timestamp("2013-01-01"), Some(noon - 295_000_000 - 22 * HOUR_NS));
        for wrong in
            ["2013-01-01 25:00:00", "2013-01-0", "x", "2013-01-01 2:00", "20130101 2200005x5"]
        {
            assert_eq!(read_timestamp(wrong), None, "{wrong}");
        }
    }
}
