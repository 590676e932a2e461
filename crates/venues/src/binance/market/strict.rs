//! The slow reader over `serde_json`: what the scanner does not take, and its oracle in tests.

use std::borrow::Cow;
use std::fmt;

use mainspring_core::Decimal;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::Deserialize;
use serde_json::Value;

use super::{Fields, Slot};
use crate::level::Level;

/// Reads the fields of a message, levels into the buffers.
///
/// # Errors
/// As the scanner, with the words of `serde_json` for malformed text.
pub fn fields<'a>(
    text: &'a [u8],
    bids: &mut Vec<Level>,
    asks: &mut Vec<Level>,
) -> Result<Fields<'a>, String> {
    let mut fields = Fields::default();
    let mut de = serde_json::Deserializer::from_slice(text);
    let object = Object { outer: true, fields: &mut fields, bids, asks };
    object.deserialize(&mut de).and_then(|()| de.end()).map_err(|error| error.to_string())?;
    Ok(fields)
}

struct Object<'b, 'a> {
    outer: bool,
    fields: &'b mut Fields<'a>,
    bids: &'b mut Vec<Level>,
    asks: &'b mut Vec<Level>,
}

/// A key, owned only when it holds an escape.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Plain text borrowed from the message, or anything else.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Plain(&'a str),
    Other(IgnoredAny),
}

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut wrapped = false;
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if self.outer && key == "data" {
                once::<A::Error>(!wrapped)?;
                wrapped = true;
                *self.fields = Fields::default();
                self.bids.clear();
                self.asks.clear();
                map.next_value_seed(Object {
                    outer: false,
                    fields: self.fields,
                    bids: self.bids,
                    asks: self.asks,
                })?;
            } else if wrapped {
                map.next_value::<IgnoredAny>()?;
            } else {
                self.field(&key, &mut map)?;
            }
        }
        Ok(())
    }
}

impl<'de> Object<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let fields = &mut *self.fields;
        match key {
            "e" => text(&mut fields.event, map),
            "s" | "symbol" => text(&mut fields.symbol, map),
            "X" => text(&mut fields.execution, map),
            "E" => whole(&mut fields.event_time, map),
            "T" => whole(&mut fields.transact_time, map),
            "U" => whole(&mut fields.first, map),
            "u" => whole(&mut fields.last, map),
            "pu" => whole(&mut fields.previous, map),
            "lastUpdateId" => whole(&mut fields.snapshot, map),
            "b" | "bids" => side(&mut fields.bid, self.bids, map),
            "a" | "asks" => side(&mut fields.ask, self.asks, map),
            "B" => number(&mut fields.bid_qty, map),
            "A" => number(&mut fields.ask_qty, map),
            "p" => number(&mut fields.price, map),
            "q" => number(&mut fields.qty, map),
            "r" => number(&mut fields.rate, map),
            "m" => truth(&mut fields.buyer_is_maker, map),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

fn once<E: Error>(first: bool) -> Result<(), E> {
    if first {
        return Ok(());
    }
    Err(E::custom("the key is there twice"))
}

fn text<'de, A: MapAccess<'de>>(slot: &mut Option<&'de str>, map: &mut A) -> Result<(), A::Error> {
    once::<A::Error>(slot.is_none())?;
    *slot = match map.next_value::<Text<'de>>()? {
        Text::Plain(text) => Some(text),
        Text::Other(_) => None,
    };
    Ok(())
}

fn whole<'de, A: MapAccess<'de>>(slot: &mut Option<i64>, map: &mut A) -> Result<(), A::Error> {
    once::<A::Error>(slot.is_none())?;
    *slot = map.next_value::<Value>()?.as_i64();
    Ok(())
}

fn truth<'de, A: MapAccess<'de>>(slot: &mut Option<bool>, map: &mut A) -> Result<(), A::Error> {
    once::<A::Error>(slot.is_none())?;
    *slot = map.next_value::<Value>()?.as_bool();
    Ok(())
}

fn number<'de, A: MapAccess<'de>>(slot: &mut Slot, map: &mut A) -> Result<(), A::Error> {
    once::<A::Error>(*slot == Slot::Absent)?;
    *slot = slot_of(&map.next_value::<Value>()?);
    Ok(())
}

fn slot_of(value: &Value) -> Slot {
    match value.as_str().and_then(|text| Decimal::from_ascii(text.as_bytes())) {
        Some(value) => Slot::Number(value),
        None => Slot::Other,
    }
}

fn side<'de, A: MapAccess<'de>>(
    slot: &mut Slot,
    levels: &mut Vec<Level>,
    map: &mut A,
) -> Result<(), A::Error> {
    once::<A::Error>(*slot == Slot::Absent)?;
    let value = map.next_value::<Value>()?;
    let Some(array) = value.as_array() else {
        *slot = slot_of(&value);
        return Ok(());
    };
    for pair in array {
        levels.push(level(pair).map_err(A::Error::custom)?);
    }
    *slot = Slot::Levels;
    Ok(())
}

fn level(pair: &Value) -> Result<Level, &'static str> {
    let read = |at: usize, what: &'static str| {
        let text = pair.get(at).and_then(Value::as_str).ok_or(what)?;
        Decimal::from_ascii(text.as_bytes()).ok_or(what)
    };
    if !pair.is_array() {
        return Err("a level that is no array");
    }
    Ok(Level {
        price: read(0, "a level whose price is no quoted number")?,
        qty: read(1, "a level whose quantity is no quoted number")?,
    })
}
