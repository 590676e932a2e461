//! A pull scanner over JSON text: no tree, no allocation, numbers kept as they are written.
//!
//! Venues write prices as text or as bare numbers; both must reach the tick grid digit by digit, so
//! nothing here goes through a float. The scanner is strict about structure and lazy about content:
//! what nobody asks for is skipped, what is asked for must be plain (no escapes).

use mainspring_core::Decimal;

/// Deepest nesting that is skipped; deeper text is refused.
const MAX_DEPTH: usize = 64;

/// Why a text was refused, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was expected or wrong.
    pub what: &'static str,
    /// Offset in the text.
    pub at: usize,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at + 1)
    }
}

/// The result of a scan step.
pub type Scan<T> = Result<T, Refusal>;

/// A scalar as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// Text between quotes, without escapes.
    Text(&'a [u8]),
    /// A bare number.
    Number(&'a [u8]),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Scalar<'a> {
    /// The number in it, quoted or bare.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        match self {
            Self::Text(bytes) => Decimal::from_ascii(bytes),
            Self::Number(bytes) => {
                Decimal::from_ascii(bytes).or_else(|| std::str::from_utf8(bytes).ok()?.parse().ok())
            }
            _ => None,
        }
    }

    /// The whole number in it, quoted or bare.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Text(bytes) | Self::Number(bytes) => integer(bytes),
            _ => None,
        }
    }

    /// The quoted text.
    #[must_use]
    pub const fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads `[-]digits` without allocating.
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    Some(if negative { -value } else { value })
}

/// The scanner: a position in a text.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    fresh: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `text`.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, fresh: true }
    }

    /// Where the scanner stands.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// A refusal at this place.
    ///
    /// # Errors
    /// Always.
    pub const fn refuse<T>(&self, what: &'static str) -> Scan<T> {
        Err(Refusal { what, at: self.at })
    }

    /// The next byte that is not white space, without consuming it; zero at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return *byte;
            }
            self.at += 1;
        }
        0
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &'static str) -> Scan<()> {
        if self.peek() != byte {
            return self.refuse(what);
        }
        self.at += 1;
        Ok(())
    }

    /// Enters an object.
    ///
    /// # Errors
    /// When there is none here.
    #[inline]
    pub fn begin_object(&mut self) -> Scan<()> {
        self.expect(b'{', "expected an object")?;
        self.fresh = true;
        Ok(())
    }

    /// Enters an array.
    ///
    /// # Errors
    /// When there is none here.
    #[inline]
    pub fn begin_array(&mut self) -> Scan<()> {
        self.expect(b'[', "expected an array")?;
        self.fresh = true;
        Ok(())
    }

    /// The next key of the object, its colon consumed; `None` at the end, which is consumed.
    ///
    /// # Errors
    /// When the object is malformed here, or the key holds an escape.
    #[inline]
    pub fn next_key(&mut self) -> Scan<Option<&'a [u8]>> {
        if !self.next_member(b'}', "expected ',' or '}'")? {
            return Ok(None);
        }
        let key = self.string()?;
        self.expect(b':', "expected ':'")?;
        Ok(Some(key))
    }

    /// Whether the array has another element; its end is consumed.
    ///
    /// # Errors
    /// When the array is malformed here.
    #[inline]
    pub fn next_element(&mut self) -> Scan<bool> {
        self.next_member(b']', "expected ',' or ']'")
    }

    #[inline]
    fn next_member(&mut self, close: u8, what: &'static str) -> Scan<bool> {
        let byte = self.peek();
        let fresh = std::mem::replace(&mut self.fresh, false);
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if fresh {
            return Ok(true);
        }
        if byte != b',' {
            return self.refuse(what);
        }
        self.at += 1;
        if self.peek() == close {
            return self.refuse("a comma before the end");
        }
        Ok(true)
    }

    /// A plain string: the bytes between its quotes.
    ///
    /// # Errors
    /// When there is none, or it holds an escape or a control character.
    #[inline]
    pub fn string(&mut self) -> Scan<&'a [u8]> {
        self.expect(b'"', "expected a string")?;
        let from = self.at;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.text[from..self.at - 1]);
                }
                b'\\' => return self.refuse("an escape where plain text is expected"),
                0..=0x1f => return self.refuse("a control character in a string"),
                _ => self.at += 1,
            }
        }
        self.refuse("the string does not end")
    }

    /// A scalar.
    ///
    /// # Errors
    /// When there is an array or object here, or malformed text.
    #[inline]
    pub fn scalar(&mut self) -> Scan<Scalar<'a>> {
        match self.peek() {
            b'"' => self.string().map(Scalar::Text),
            b'-' | b'0'..=b'9' => self.number().map(Scalar::Number),
            b't' => self.word(b"true", Scalar::Bool(true)),
            b'f' => self.word(b"false", Scalar::Bool(false)),
            b'n' => self.word(b"null", Scalar::Null),
            _ => self.refuse("expected a value"),
        }
    }

    fn word(&mut self, word: &'static [u8], value: Scalar<'a>) -> Scan<Scalar<'a>> {
        if !self.text[self.at..].starts_with(word) {
            return self.refuse("expected a value");
        }
        self.at += word.len();
        Ok(value)
    }

    /// A bare number by the grammar of JSON.
    fn number(&mut self) -> Scan<&'a [u8]> {
        let from = self.at;
        let byte = |at: usize| self.text.get(at).copied().unwrap_or(0);
        let digits = |mut at: usize| {
            while byte(at).is_ascii_digit() {
                at += 1;
            }
            at
        };
        let mut at = from + usize::from(byte(from) == b'-');
        let whole = at;
        at = digits(at);
        let mut valid = at > whole && (byte(whole) != b'0' || at == whole + 1);
        if byte(at) == b'.' {
            let end = digits(at + 1);
            valid &= end > at + 1;
            at = end;
        }
        if matches!(byte(at), b'e' | b'E') {
            at += 1;
            at += usize::from(matches!(byte(at), b'+' | b'-'));
            let end = digits(at);
            valid &= end > at;
            at = end;
        }
        self.at = at;
        if !valid {
            return self.refuse("not a number");
        }
        Ok(&self.text[from..at])
    }

    /// Skips one value of any kind.
    ///
    /// # Errors
    /// When it is malformed or nested too deep.
    pub fn skip(&mut self) -> Scan<()> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Scan<()> {
        if depth == 0 {
            return self.refuse("nested too deep");
        }
        match self.peek() {
            b'{' => {
                self.begin_object()?;
                while self.next_key()?.is_some() {
                    self.skip_within(depth - 1)?;
                }
                Ok(())
            }
            b'[' => {
                self.begin_array()?;
                while self.next_element()? {
                    self.skip_within(depth - 1)?;
                }
                Ok(())
            }
            b'"' => self.skip_string(),
            _ => self.scalar().map(|_| ()),
        }
    }

    /// Skips a string, escapes included.
    fn skip_string(&mut self) -> Scan<()> {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.skip_escape()?,
                0..=0x1f => return self.refuse("a control character in a string"),
                _ => {}
            }
        }
        self.refuse("the string does not end")
    }

    fn skip_escape(&mut self) -> Scan<()> {
        let rest = self.text.get(self.at..).unwrap_or(&[]);
        self.at += match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
            [b'u', hex @ ..] if hex.len() >= 4 && hex[..4].iter().all(u8::is_ascii_hexdigit) => 5,
            _ => return self.refuse("an unknown escape"),
        };
        Ok(())
    }

    /// Skips one value and hands back its text.
    ///
    /// # Errors
    /// As [`Self::skip`].
    pub fn raw(&mut self) -> Scan<&'a [u8]> {
        self.peek();
        let from = self.at;
        self.skip()?;
        Ok(&self.text[from..self.at])
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Scan<()> {
        if self.peek() == 0 && self.at >= self.text.len() {
            return Ok(());
        }
        self.refuse("text after the end of the message")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn walks_objects_and_arrays_in_any_order() {
        let mut s = Scanner::new(br#" {"b": [["1.0", 2], []], "a": -3e2, "n": null, "t":true} "#);
        s.begin_object().unwrap();
        assert_eq!(s.next_key().unwrap(), Some(&b"b"[..]));
        assert_eq!(s.raw().unwrap(), br#"[["1.0", 2], []]"#);
        assert_eq!(s.next_key().unwrap(), Some(&b"a"[..]));
        assert_eq!(s.scalar().unwrap().decimal().unwrap().to_string(), "-300");
        assert_eq!(s.next_key().unwrap(), Some(&b"n"[..]));
        assert_eq!(s.scalar().unwrap(), Scalar::Null);
        assert_eq!(s.next_key().unwrap(), Some(&b"t"[..]));
        assert_eq!(s.scalar().unwrap(), Scalar::Bool(true));
        assert_eq!(s.next_key().unwrap(), None);
        s.end().unwrap();
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in
            ["{", "{\"a\"}", "[1,]", "[1 2]", "01", "1.", "-", "1e", "\"a", "tru", "[1]]", ""]
        {
            let mut s = Scanner::new(text.as_bytes());
            assert!(s.skip().and_then(|()| s.end()).is_err(), "{text} was accepted");
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(Scanner::new(deep.as_bytes()).skip().is_err());
    }

    proptest! {
        /// Whatever the scanner accepts as one value, serde_json accepts as well.
        #[test]
        fn accepts_no_more_than_serde_json(text in r#"[\[\]{}",:0-9a-e.\- tru]{0,24}"#) {
            let mut s = Scanner::new(text.as_bytes());
            if s.skip().and_then(|()| s.end()).is_ok() {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
            }
        }
    }
}
