//! Actions: a tree that is written twice, as JSON to send and as msgpack to sign, in one order of keys.

use crate::numerals::push_decimal;
use crate::params::push_json_text;

/// A value of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A truth.
    Truth(bool),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in their order, which the signature covers.
    Map(Vec<(&'static str, Node)>),
}

impl Node {
    /// Text.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// Appends it as JSON.
    pub fn push_json(&self, into: &mut String) {
        match self {
            Self::Text(text) => push_json_text(into, text),
            Self::Number(value) => push_decimal(into, *value),
            Self::Truth(value) => into.push_str(if *value { "true" } else { "false" }),
            Self::List(list) => {
                into.push('[');
                for (at, one) in list.iter().enumerate() {
                    if at > 0 {
                        into.push(',');
                    }
                    one.push_json(into);
                }
                into.push(']');
            }
            Self::Map(entries) => {
                into.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        into.push(',');
                    }
                    push_json_text(into, key);
                    into.push(':');
                    value.push_json(into);
                }
                into.push('}');
            }
        }
    }

    /// Appends it as msgpack (the specification of the format, its shortest forms).
    pub fn push_msgpack(&self, into: &mut Vec<u8>) {
        match self {
            Self::Text(text) => push_text(text, into),
            Self::Number(value) => push_number(*value, into),
            Self::Truth(value) => into.push(if *value { 0xc3 } else { 0xc2 }),
            Self::List(list) => {
                push_length(list.len(), 0x90, 0xdc, into);
                list.iter().for_each(|one| one.push_msgpack(into));
            }
            Self::Map(entries) => {
                push_length(entries.len(), 0x80, 0xde, into);
                for (key, value) in entries {
                    push_text(key, into);
                    value.push_msgpack(into);
                }
            }
        }
    }
}

fn push_text(text: &str, into: &mut Vec<u8>) {
    let length = text.len();
    match length {
        0..=31 => into.push(0xa0 | length as u8),
        32..=255 => into.extend([0xd9, length as u8]),
        256..=65_535 => {
            into.push(0xda);
            into.extend((length as u16).to_be_bytes());
        }
        _ => {
            into.push(0xdb);
            into.extend((length as u32).to_be_bytes());
        }
    }
    into.extend(text.as_bytes());
}

fn push_number(value: u64, into: &mut Vec<u8>) {
    match value {
        0..=0x7f => into.push(value as u8),
        0x80..=0xff => into.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            into.push(0xcd);
            into.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            into.push(0xce);
            into.extend((value as u32).to_be_bytes());
        }
        _ => {
            into.push(0xcf);
            into.extend(value.to_be_bytes());
        }
    }
}

fn push_length(length: usize, short: u8, long: u8, into: &mut Vec<u8>) {
    match length {
        0..=15 => into.push(short | length as u8),
        16..=65_535 => {
            into.push(long);
            into.extend((length as u16).to_be_bytes());
        }
        _ => {
            into.push(long + 1);
            into.extend((length as u32).to_be_bytes());
        }
    }
}
