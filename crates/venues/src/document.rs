//! Objects of JSON as a list of keys and raw values, read once and looked up by key.
//!
//! For messages of account and answers of REST: nothing is converted until it is asked for, what is
//! not asked for is only checked to be well-formed, and text is borrowed from the message.

use std::borrow::Cow;
use std::fmt;

use mainspring_core::{Decimal, Side, TimeNs};

use crate::json::{Refusal, Scalar, Scan, Scanner};

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The text is malformed.
    Text(Refusal),
    /// A key is missing, or holds nothing.
    Missing(&'static str),
    /// A key holds what it cannot hold.
    Wrong(&'static str, &'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(refusal) => refusal.fmt(f),
            Self::Missing(key) => write!(f, "'{key}' is missing"),
            Self::Wrong(key, what) => write!(f, "'{key}' {what}"),
        }
    }
}

impl From<Refusal> for Unreadable {
    fn from(refusal: Refusal) -> Self {
        Self::Text(refusal)
    }
}

/// The result of reading a part of a message.
pub type Read<T> = Result<T, Unreadable>;

/// An object: its keys and the raw text of their values, in their order.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    entries: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Object<'a> {
    /// Reads a whole text as one object.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &'a [u8]) -> Read<Self> {
        let mut scanner = Scanner::new(text);
        let mut entries = Vec::with_capacity(32);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            entries.push((key, scanner.raw()?));
        }
        scanner.end()?;
        Ok(Self { entries })
    }

    /// Keys and raw values.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        let text = |key| std::str::from_utf8(key).unwrap_or("");
        self.entries.iter().map(move |(key, value)| (text(*key), *value))
    }

    /// The raw value under a key; `None` where it is absent or null.
    #[inline]
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&'a [u8]> {
        let found = self.entries.iter().find(|(name, _)| *name == key.as_bytes())?.1;
        (found != b"null").then_some(found)
    }

    /// Whether the key is there and not null.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    fn scalar(&self, key: &'static str) -> Read<Option<Scalar<'a>>> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        Scanner::new(raw)
            .scalar()
            .map(Some)
            .map_err(|_| Unreadable::Wrong(key, "is no plain value"))
    }

    /// Text, or the digits of a bare number; `None` where the key is absent, null or empty.
    ///
    /// # Errors
    /// When it is neither.
    pub fn word(&self, key: &'static str) -> Read<Option<&'a str>> {
        let bytes = match self.scalar(key)? {
            None => return Ok(None),
            Some(Scalar::Text(bytes) | Scalar::Number(bytes)) => bytes,
            Some(_) => return Err(Unreadable::Wrong(key, "is neither text nor number")),
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| Unreadable::Wrong(key, "is not UTF-8"))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Text, or the digits of a bare number, that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need_word(&self, key: &'static str) -> Read<&'a str> {
        self.word(key)?.ok_or(Unreadable::Missing(key))
    }

    /// Text for people, escapes resolved; empty where there is none.
    #[must_use]
    pub fn message(&self, key: &str) -> Cow<'a, str> {
        let Some(raw) = self.raw(key) else { return Cow::Borrowed("") };
        match raw {
            [b'"', .., b'"'] => serde_json::from_slice::<Cow<'a, str>>(raw)
                .unwrap_or_else(|_| String::from_utf8_lossy(raw)),
            _ => String::from_utf8_lossy(raw),
        }
    }

    /// A number, quoted or bare; `None` where the key is absent, null or empty text.
    ///
    /// # Errors
    /// When it is something else, or has more digits than can be kept.
    pub fn decimal(&self, key: &'static str) -> Read<Option<Decimal>> {
        match self.scalar(key)? {
            None | Some(Scalar::Text(b"")) => Ok(None),
            Some(scalar) => match scalar.decimal() {
                Some(value) => Ok(Some(value)),
                None => Err(Unreadable::Wrong(key, "is no decimal number that fits")),
            },
        }
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need_decimal(&self, key: &'static str) -> Read<Decimal> {
        self.decimal(key)?.ok_or(Unreadable::Missing(key))
    }

    /// A whole number, quoted or bare; `None` where the key is absent, null or empty text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integer(&self, key: &'static str) -> Read<Option<i64>> {
        match self.scalar(key)? {
            None | Some(Scalar::Text(b"")) => Ok(None),
            Some(scalar) => match scalar.integer() {
                Some(value) => Ok(Some(value)),
                None => Err(Unreadable::Wrong(key, "is no whole number")),
            },
        }
    }

    /// A whole number that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need_integer(&self, key: &'static str) -> Read<i64> {
        self.integer(key)?.ok_or(Unreadable::Missing(key))
    }

    /// `true` or `false`, quoted or bare; `None` where the key is absent, null or empty text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn truth(&self, key: &'static str) -> Read<Option<bool>> {
        match self.scalar(key)? {
            None | Some(Scalar::Text(b"")) => Ok(None),
            Some(Scalar::Bool(value)) => Ok(Some(value)),
            Some(Scalar::Text(b"true")) => Ok(Some(true)),
            Some(Scalar::Text(b"false")) => Ok(Some(false)),
            Some(_) => Err(Unreadable::Wrong(key, "is neither true nor false")),
        }
    }

    /// A time in milliseconds (13 digits) or microseconds (16 digits), as nanoseconds.
    ///
    /// # Errors
    /// When it is something else.
    pub fn time_ns(&self, key: &'static str) -> Read<Option<TimeNs>> {
        let Some(value) = self.integer(key)? else { return Ok(None) };
        match value {
            0 => Ok(None),
            1..=9_200_000_000_000 => Ok(Some(value * 1_000_000)),
            1_000_000_000_000_000..=9_200_000_000_000_000 => Ok(Some(value * 1_000)),
            _ => Err(Unreadable::Wrong(key, "is no time in milliseconds or microseconds")),
        }
    }

    /// Buy or sell, in any case.
    ///
    /// # Errors
    /// When it is something else.
    pub fn side(&self, key: &'static str) -> Read<Option<Side>> {
        match self.word(key)? {
            None => Ok(None),
            Some("BUY" | "Buy" | "buy" | "B") => Ok(Some(Side::Buy)),
            Some("SELL" | "Sell" | "sell" | "A") => Ok(Some(Side::Sell)),
            Some(_) => Err(Unreadable::Wrong(key, "is neither buy nor sell")),
        }
    }

    /// An object under a key; `None` where it is absent or null.
    ///
    /// # Errors
    /// When it is something else.
    pub fn object(&self, key: &'static str) -> Read<Option<Self>> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        Self::read(raw).map(Some).map_err(|_| Unreadable::Wrong(key, "is no object"))
    }

    /// An object that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need_object(&self, key: &'static str) -> Read<Self> {
        self.object(key)?.ok_or(Unreadable::Missing(key))
    }

    /// Calls `each` with every object of the array under a key; nothing where it is absent.
    ///
    /// # Errors
    /// When it is no array of objects, or `each` fails.
    pub fn each(&self, key: &'static str, each: &mut dyn FnMut(&Self) -> Read<()>) -> Read<()> {
        match self.raw(key) {
            Some(raw) => each_object(raw, each),
            None => Ok(()),
        }
    }

    /// As [`Self::each`] of an array that must be there.
    ///
    /// # Errors
    /// When it is absent, malformed, or `each` refuses.
    pub fn need_each(
        &self,
        key: &'static str,
        each: &mut dyn FnMut(&Self) -> Read<()>,
    ) -> Read<()> {
        each_object(self.raw(key).ok_or(Unreadable::Missing(key))?, each)
    }
}

/// Calls `each` with every object of an array.
///
/// # Errors
/// When the text is no array of objects, or `each` fails.
pub fn each_object<'a>(text: &'a [u8], each: &mut dyn FnMut(&Object<'a>) -> Read<()>) -> Read<()> {
    each_raw(text, &mut |raw| each(&Object::read(raw)?))
}

/// Calls `each` with the raw text of every element of an array.
///
/// # Errors
/// When the text is no array, or `each` fails.
pub fn each_raw<'a>(text: &'a [u8], each: &mut dyn FnMut(&'a [u8]) -> Read<()>) -> Read<()> {
    let mut scanner = Scanner::new(text);
    scanner.begin_array()?;
    while scanner.next_element()? {
        each(scanner.raw()?)?;
    }
    scanner.end()?;
    Ok(())
}

/// Whether a text begins an array, after white space.
#[must_use]
pub fn is_array(text: &[u8]) -> bool {
    Scanner::new(text).peek() == b'['
}

/// A scan step as a read one.
///
/// # Errors
/// As the scan.
pub fn scanned<T>(scan: Scan<T>) -> Read<T> {
    scan.map_err(Unreadable::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_found_by_key_and_converted_when_asked() {
        let text =
            br#"{"q":"0.010","i":28,"m":true,"S":"SELL","T":1700000000000,"o":{"x":1},"e":""}"#;
        let object = Object::read(text).unwrap();
        assert_eq!(object.need_decimal("q").unwrap().to_string(), "0.01");
        assert_eq!(object.need_word("i").unwrap(), "28");
        assert_eq!(object.truth("m").unwrap(), Some(true));
        assert_eq!(object.side("S").unwrap(), Some(Side::Sell));
        assert_eq!(object.time_ns("T").unwrap(), Some(1_700_000_000_000_000_000));
        assert_eq!(object.need_object("o").unwrap().need_integer("x").unwrap(), 1);
        assert_eq!(object.decimal("e").unwrap(), None);
        assert_eq!(object.need_word("zz").unwrap_err().to_string(), "'zz' is missing");
        assert!(object.decimal("S").is_err() && object.integer("q").is_err());
        assert!(object.side("i").is_err());
    }

    #[test]
    fn messages_for_people_are_unescaped() {
        let object = Object::read(br#"{"msg":"a \"b\" \u00e9","code":-1}"#).unwrap();
        assert_eq!(object.message("msg"), "a \"b\" \u{e9}");
        assert_eq!(object.message("code"), "-1");
    }

    proptest! {
        /// An object read this way holds what serde_json finds in the same text.
        #[test]
        fn agrees_with_serde_json(
            entries in prop::collection::btree_map("[a-zA-Z]{1,3}", prop_oneof![
                any::<i32>().prop_map(|v| serde_json::json!(v)),
                "[a-z0-9 .]{0,6}".prop_map(|v| serde_json::json!(v)),
                any::<bool>().prop_map(|v| serde_json::json!(v)),
                prop::collection::vec(any::<u8>(), 0..3).prop_map(|v| serde_json::json!(v)),
            ], 0..8)
        ) {
            let value = serde_json::to_value(&entries).unwrap();
            let text = serde_json::to_vec(&value).unwrap();
            let object = Object::read(&text).unwrap();
            let mut count = 0;
            for (key, raw) in object.entries() {
                let by_serde: serde_json::Value = serde_json::from_slice(raw).unwrap();
                prop_assert_eq!(&value[key], &by_serde);
                count += 1;
            }
            prop_assert_eq!(count, entries.len());
        }
    }
}
