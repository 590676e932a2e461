//! Parameters of a request, and the text that its signature covers.

use mainspring_core::Decimal;

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::error::{Outcome, Refusal};
use crate::fields::decoded;

/// Parameters in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Params {
    /// Those of a JSON object, numbers and lists as their text.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Params;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters or a list of streams")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
        let mut params = Params(Vec::with_capacity(16));
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            params.0.push((name, text));
        }
        Ok(params)
    }

    fn visit_unit<E>(self) -> Result<Params, E> {
        Ok(Params::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Params, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Params::default())
    }
}

impl Params {
    /// The parameters of a query string or form body.
    #[must_use]
    pub fn of_query(text: &str) -> Self {
        let mut params = Self::default();
        params.add_query(text);
        params
    }

    /// Adds those of another text.
    pub fn add_query(&mut self, text: &str) {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.0.push((decoded(name), decoded(value)));
        }
    }

    /// Adds one.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The value of a parameter; empty ones do not count.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// -1102 when it is not.
    pub fn need(&self, name: &str) -> Outcome<&str> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }

    /// A whole number.
    ///
    /// # Errors
    /// -1100 when it is something else.
    pub fn integer(&self, name: &str) -> Outcome<Option<i64>> {
        self.get(name).map(|v| v.parse().map_err(|_| Refusal::illegal(name))).transpose()
    }

    /// A decimal number.
    ///
    /// # Errors
    /// -1100 when it is something else.
    pub fn decimal(&self, name: &str) -> Outcome<Option<Decimal>> {
        self.get(name).map(|v| v.parse().map_err(|_| Refusal::illegal(name))).transpose()
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Everything but the signature, sorted by name, as a signed WebSocket request writes it.
    #[must_use]
    pub fn sorted_payload(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| name != "signature").collect();
        pairs.sort_unstable();
        let mut text =
            String::with_capacity(pairs.iter().map(|(n, v)| n.len() + v.len() + 2).sum());
        for (name, value) in pairs {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        text
    }
}

/// What a signature of a REST request covers: query and body without the signature itself.
#[must_use]
pub fn signed_text(query: &str, body: &str) -> String {
    let without = |text: &str| {
        let kept: Vec<&str> =
            text.split('&').filter(|pair| !pair.starts_with("signature=")).collect();
        kept.join("&")
    };
    without(query) + &without(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_its_signature_left_out_of_what_is_signed() {
        let query = "symbol=%EF%BC%91BTC&side=BUY&signature=ab&timestamp=1";
        let params = Params::of_query(query);
        assert_eq!(params.get("symbol"), Some("\u{ff11}BTC"));
        assert_eq!(signed_text(query, ""), "symbol=%EF%BC%91BTC&side=BUY&timestamp=1");
        assert_eq!(signed_text("a=1", "b=2&signature=x"), "a=1b=2");
        assert_eq!(Params::of_query("b=2&a=1&signature=x").sorted_payload(), "a=1&b=2");
    }
}
