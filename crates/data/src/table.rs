//! Columnar tables: how results and rows leave the engine.

use std::borrow::Cow;

use mainspring_core::{Error, ErrorKind, Result};

/// Text of many rows, end to end, with the place where each begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings {
    offsets: Vec<i64>,
    bytes: Vec<u8>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl Strings {
    /// Adds a row.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(self.bytes.len() as i64);
    }

    /// The text of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        let (start, end) = (*self.offsets.get(row)?, *self.offsets.get(row + 1)?);
        std::str::from_utf8(&self.bytes[start as usize..end as usize]).ok()
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.get(row).unwrap_or_default())
    }

    /// Where each row begins in [`Strings::bytes`], and the end of the last.
    #[must_use]
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// The text of all rows, UTF-8.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: AsRef<str>> FromIterator<T> for Strings {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text.as_ref()));
        all
    }
}

/// Calls `$body` with the vector of a column of fixed-width values bound to `$values`.
macro_rules! for_each_type {
    ($column:expr, $values:ident => $body:expr, $strings:ident => $other:expr) => {
        match $column {
            Column::I64($values) | Column::Timestamp($values) => $body,
            Column::I32($values) => $body,
            Column::I8($values) => $body,
            Column::U64($values) => $body,
            Column::U32($values) => $body,
            Column::U16($values) => $body,
            Column::U8($values) => $body,
            Column::F64($values) => $body,
            Column::Bool($values) => $body,
            Column::Utf8($strings) => $other,
        }
    };
}

/// The values of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// 64-bit integers.
    I64(Vec<i64>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 8-bit integers.
    I8(Vec<i8>),
    /// 64-bit unsigned integers.
    U64(Vec<u64>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
    /// 16-bit unsigned integers.
    U16(Vec<u16>),
    /// 8-bit unsigned integers.
    U8(Vec<u8>),
    /// Floats; NaN where there is no value.
    F64(Vec<f64>),
    /// Truth values.
    Bool(Vec<bool>),
    /// Nanoseconds since the epoch, UTC, shown as times.
    Timestamp(Vec<i64>),
    /// Text.
    Utf8(Strings),
}

impl Column {
    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        for_each_type!(self, values => values.len(), strings => strings.len())
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the type for people.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::I64(_) => "int64",
            Self::I32(_) => "int32",
            Self::I8(_) => "int8",
            Self::U64(_) => "uint64",
            Self::U32(_) => "uint32",
            Self::U16(_) => "uint16",
            Self::U8(_) => "uint8",
            Self::F64(_) => "float64",
            Self::Bool(_) => "bool",
            Self::Timestamp(_) => "timestamp[ns]",
            Self::Utf8(_) => "string",
        }
    }

    /// A value as text, for showing; nothing for a row that does not exist.
    #[must_use]
    pub fn show(&self, row: usize) -> Cow<'_, str> {
        match self {
            Self::Utf8(strings) => strings.get(row).unwrap_or_default().into(),
            Self::Timestamp(times) => times.get(row).map(|t| show_time(*t)).into_owned_text(),
            _ => for_each_type!(self,
                values => values.get(row).map(ToString::to_string).into_owned_text(),
                _strings => Cow::Borrowed("")),
        }
    }

    /// The rows from `start` on, at most `count`.
    #[must_use]
    pub fn slice(&self, start: usize, count: usize) -> Self {
        let start = start.min(self.len());
        let end = start.saturating_add(count).min(self.len());
        match self {
            Self::I64(v) => Self::I64(v[start..end].to_vec()),
            Self::I32(v) => Self::I32(v[start..end].to_vec()),
            Self::I8(v) => Self::I8(v[start..end].to_vec()),
            Self::U64(v) => Self::U64(v[start..end].to_vec()),
            Self::U32(v) => Self::U32(v[start..end].to_vec()),
            Self::U16(v) => Self::U16(v[start..end].to_vec()),
            Self::U8(v) => Self::U8(v[start..end].to_vec()),
            Self::F64(v) => Self::F64(v[start..end].to_vec()),
            Self::Bool(v) => Self::Bool(v[start..end].to_vec()),
            Self::Timestamp(v) => Self::Timestamp(v[start..end].to_vec()),
            Self::Utf8(v) => Self::Utf8(v.iter().skip(start).take(end - start).collect()),
        }
    }
}

trait IntoOwnedText {
    fn into_owned_text<'a>(self) -> Cow<'a, str>;
}

impl IntoOwnedText for Option<String> {
    fn into_owned_text<'a>(self) -> Cow<'a, str> {
        Cow::Owned(self.unwrap_or_default())
    }
}

/// Nanoseconds since the epoch as `2024-08-08T23:54:14.123456789Z`.
#[must_use]
pub fn show_time(time_ns: i64) -> String {
    let (seconds, nanos) = (time_ns.div_euclid(1_000_000_000), time_ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil_date(days: i64) -> (i64, i64, i64) {
    // Years counted from March, so that the leap day is a year's last; 146,097 days are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Named columns of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    name: String,
    rows: usize,
    columns: Vec<(String, Column)>,
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rows: 0, columns: Vec::new() }
    }

    /// Adds a column.
    ///
    /// # Errors
    /// When it is longer or shorter than the others, or its name is taken.
    pub fn push(&mut self, name: impl Into<String>, column: Column) -> Result<()> {
        let name = name.into();
        if self.column(&name).is_some() {
            return Err(Error::new(
                ErrorKind::Value,
                format!("table {}: column '{name}' is there twice", self.name),
            ));
        }
        if !self.columns.is_empty() && column.len() != self.rows {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "table {}: column '{name}' has {} rows, the others have {}",
                    self.name,
                    column.len(),
                    self.rows
                ),
            ));
        }
        self.rows = column.len();
        self.columns.push((name, column));
        Ok(())
    }

    /// The same table with one more column.
    ///
    /// # Errors
    /// As [`Table::push`].
    pub fn with(mut self, name: impl Into<String>, column: Column) -> Result<Self> {
        self.push(name, column)?;
        Ok(self)
    }

    /// What the table is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The columns in order.
    #[must_use]
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(own, _)| own == name).map(|(_, column)| column)
    }

    /// The rows from `start` on, at most `count`.
    #[must_use]
    pub fn slice(&self, start: usize, count: usize) -> Self {
        let columns: Vec<_> =
            self.columns.iter().map(|(n, c)| (n.clone(), c.slice(start, count))).collect();
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        Self { name: self.name.clone(), rows, columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_one_length_and_different_names() {
        let mut table = Table::new("t").with("a", Column::I64(vec![1, 2])).unwrap();
        let error = table.push("b", Column::F64(vec![1.0])).unwrap_err();
        assert!(error.message().contains("column 'b' has 1 rows, the others have 2"));
        assert!(table.push("a", Column::I64(vec![1, 2])).is_err());
        table.push("b", Column::Utf8(["x", "yz"].iter().collect())).unwrap();
        assert_eq!(table.slice(1, 9).column("b").unwrap().show(0), "yz");
        assert_eq!(table.slice(5, 9).rows(), 0);
    }

    #[test]
    fn times_are_shown_in_the_gregorian_calendar() {
        for (time_ns, shown) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (1_709_251_199_000_000_001, "2024-02-29T23:59:59.000000001Z"),
            (1_723_161_254_123_456_789, "2024-08-08T23:54:14.123456789Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(show_time(time_ns), shown);
        }
    }
}
