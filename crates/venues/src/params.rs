//! Parameters of a request in the forms that venues take them: a query, a form, a JSON object.

use std::fmt;

use crate::numerals::{push_count, push_decimal};
use crate::sign::push_percent;
use mainspring_core::Decimal;

/// How a value stands in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Between quotes.
    Text,
    /// As it is: numbers, truths, arrays.
    Bare,
}

/// Names and values in the order they were added; the buffers are reused.
#[derive(Clone, Default)]
pub struct Params {
    list: Vec<(&'static str, usize, usize, Shape)>,
    text: String,
}

impl fmt::Debug for Params {
    /// Keys and signatures are among the values: names are shown alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(|(name, ..)| name)).finish()
    }
}

impl Params {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.list.clear();
        self.text.clear();
    }

    fn add(&mut self, name: &'static str, shape: Shape, write: impl FnOnce(&mut String)) {
        let from = self.text.len();
        write(&mut self.text);
        self.list.push((name, from, self.text.len(), shape));
    }

    /// Adds text.
    pub fn text(&mut self, name: &'static str, value: &str) {
        self.add(name, Shape::Text, |text| text.push_str(value));
    }

    /// Adds text where there is some.
    pub fn some_text(&mut self, name: &'static str, value: &str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    /// Adds a whole number, bare in JSON.
    pub fn number(&mut self, name: &'static str, value: u64) {
        self.add(name, Shape::Bare, |text| push_decimal(text, value));
    }

    /// Adds a truth, bare in JSON.
    pub fn truth(&mut self, name: &'static str, value: bool) {
        self.add(name, Shape::Bare, |text| text.push_str(if value { "true" } else { "false" }));
    }

    /// Adds what stands bare in JSON, such as an array.
    pub fn bare(&mut self, name: &'static str, value: &str) {
        self.add(name, Shape::Bare, |text| text.push_str(value));
    }

    /// Adds `count` units as decimal text.
    pub fn count(&mut self, name: &'static str, unit: Decimal, count: i64) {
        self.add(name, Shape::Text, |text| push_count(text, unit, count));
    }

    /// Sorts by name.
    pub fn sort(&mut self) {
        self.list.sort_unstable_by_key(|(name, ..)| *name);
    }

    /// Appends `name=value&...`, values percent-encoded.
    pub fn push_query(&self, into: &mut String) {
        for (at, (name, from, to, _)) in self.list.iter().enumerate() {
            if at > 0 {
                into.push('&');
            }
            into.push_str(name);
            into.push('=');
            push_percent(into, &self.text[*from..*to]);
        }
    }

    /// Appends `name=value&...`, values as they are.
    pub fn push_plain(&self, into: &mut String) {
        for (at, (name, from, to, _)) in self.list.iter().enumerate() {
            if at > 0 {
                into.push('&');
            }
            into.push_str(name);
            into.push('=');
            into.push_str(&self.text[*from..*to]);
        }
    }

    /// Appends a JSON object.
    pub fn push_json(&self, into: &mut String) {
        into.push('{');
        for (at, (name, from, to, shape)) in self.list.iter().enumerate() {
            if at > 0 {
                into.push(',');
            }
            into.push('"');
            into.push_str(name);
            into.push_str("\":");
            let value = &self.text[*from..*to];
            match shape {
                Shape::Text => push_json_text(into, value),
                Shape::Bare => into.push_str(value),
            }
        }
        into.push('}');
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Appends text between quotes, escaped by JSON.
pub fn push_json_text(into: &mut String, value: &str) {
    into.push('"');
    if is_plain(value.as_bytes()) {
        into.push_str(value);
    } else {
        push_escaped(into, value);
    }
    into.push('"');
}

/// Whether JSON has the bytes as they are. All are looked at, so that it is a loop without branches.
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    !bytes.iter().fold(false, |any, byte| any | escaped(*byte))
}

#[cold]
fn push_escaped(into: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => {
                into.push_str("\\u");
                crate::numerals::push_hex(into, character as u64, 4);
            }
            _ => into.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_forms() {
        let mut params = Params::default();
        params.text("symbol", "\u{ff11}");
        params.number("n", 5);
        params.truth("r", true);
        params.count("q", "0.01".parse().unwrap(), 250);
        let (mut query, mut plain, mut json) = (String::new(), String::new(), String::new());
        params.push_query(&mut query);
        assert_eq!(query, "symbol=%EF%BC%91&n=5&r=true&q=2.5");
        params.sort();
        params.push_plain(&mut plain);
        assert_eq!(plain, "n=5&q=2.5&r=true&symbol=\u{ff11}");
        params.push_json(&mut json);
        assert_eq!(json, "{\"n\":5,\"q\":\"2.5\",\"r\":true,\"symbol\":\"\u{ff11}\"}");
    }

    proptest! {
        #[test]
        fn json_text_is_read_back(value in "\\PC*|[\\x00-\\x7f]*") {
            let mut text = String::new();
            push_json_text(&mut text, &value);
            prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
        }
    }
}
