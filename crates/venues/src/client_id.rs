//! Our order ids as venues take them: the id of the engine and a tag of the session.
//!
//! Two sessions on one account must not take each other's orders for their own, and an order placed by
//! hand must not look like ours. The tag says whose it is; ids of other tags are foreign.

use mainspring_core::ClientOrderId;

use crate::numerals::{push_decimal, push_hex};

/// How a venue writes client ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdForm {
    /// Letters and digits.
    Text,
    /// `0x` and 32 hexadecimal digits (Hyperliquid).
    Hex128,
    /// A number of 32 bits, with the tag beside it in the metadata (dYdX).
    Number,
}

/// Writes and reads client ids of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIds {
    form: ClientIdForm,
    tag: u32,
}

const PREFIX: &str = "ms";

/// The prefix as a number.
const MARK: u64 = 0x6d73;

/// Between the id and its version.
const VERSION_MARK: char = 'r';

/// Most versions of one order.
const MAX_VERSION: u32 = 0xffff;

impl ClientIds {
    /// Ids with this tag; choose another one per session on an account.
    #[must_use]
    pub const fn new(form: ClientIdForm, tag: u32) -> Self {
        Self { form, tag }
    }

    /// The tag.
    #[must_use]
    pub const fn tag(self) -> u32 {
        self.tag
    }

    /// Writes an id over what is in `text`; false where it does not fit the venue's form.
    pub fn write(self, id: ClientOrderId, text: &mut String) -> bool {
        text.clear();
        match self.form {
            ClientIdForm::Text => {
                text.push_str(PREFIX);
                push_hex(text, u64::from(self.tag), 8);
                push_hex(text, id.0, 16);
            }
            ClientIdForm::Hex128 => {
                text.push_str("0x");
                // The version, and who we are.
                push_hex(text, 0, 4);
                push_hex(text, MARK, 4);
                push_hex(text, u64::from(self.tag), 8);
                push_hex(text, id.0, 16);
            }
            ClientIdForm::Number => {
                let Some(number) = folded(id) else { return false };
                push_decimal(text, u64::from(number));
            }
        }
        true
    }

    /// Writes the id of a later version of an order, which took its place at a venue that replaces
    /// orders instead of changing them; false where the venue's form has no room for that.
    pub fn write_version(self, id: ClientOrderId, version: u32, text: &mut String) -> bool {
        let written = self.write(id, text);
        if version == 0 {
            return written;
        }
        let fits = self.form != ClientIdForm::Number && version <= MAX_VERSION;
        if !(written && fits) {
            return false;
        }
        if self.form == ClientIdForm::Text {
            text.push(VERSION_MARK);
            push_hex(text, u64::from(version), 4);
        } else {
            let mut number = String::with_capacity(4);
            push_hex(&mut number, u64::from(version), 4);
            text.replace_range(2..6, &number);
        }
        true
    }

    /// The version that a text of this session names; `None` when it is not one of this session's.
    #[must_use]
    pub fn version(self, text: &str) -> Option<u32> {
        if self.form == ClientIdForm::Number {
            return (!text.is_empty()).then_some(0);
        }
        self.read(text, None)?;
        if self.form == ClientIdForm::Hex128 {
            return u32::from_str_radix(text.get(2..6)?, 16).ok();
        }
        match text.get(26..) {
            Some("") | None => Some(0),
            Some(suffix) => u32::from_str_radix(suffix.strip_prefix(VERSION_MARK)?, 16).ok(),
        }
    }

    /// The engine's id behind a text, or `None` when it was not written by this session.
    #[must_use]
    pub fn read(self, text: &str, metadata: Option<u32>) -> Option<ClientOrderId> {
        let hex = |digits: &str| {
            let plain = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        let tagged = |tag: &str, id: &str| {
            (hex(tag)? == u64::from(self.tag)).then(|| hex(id).map(ClientOrderId)).flatten()
        };
        if !text.is_ascii() {
            return None;
        }
        match self.form {
            ClientIdForm::Text => {
                let rest = text.strip_prefix(PREFIX).filter(|rest| rest.len() >= 24)?;
                let suffix = &rest[24..];
                let versioned = suffix.strip_prefix(VERSION_MARK).filter(|hex| hex.len() == 4);
                let known = suffix.is_empty() || versioned.is_some_and(|v| hex(v).is_some());
                known.then(|| tagged(&rest[..8], &rest[8..24])).flatten()
            }
            ClientIdForm::Hex128 => {
                let rest = text.strip_prefix("0x").filter(|rest| rest.len() == 32)?;
                hex(&rest[..4])?;
                (hex(&rest[4..8])? == MARK).then(|| tagged(&rest[8..16], &rest[16..])).flatten()
            }
            ClientIdForm::Number => {
                let number: u32 = text.parse().ok()?;
                (metadata == Some(self.tag)).then_some(unfolded(number))
            }
        }
    }
}

/// Ids of the engine count from zero for each of those who decide, whose number is in the bits from
/// this one on.
const DECIDER_BIT: u32 = 48;
/// In numbers of 32 bits there are so many for the count, and the rest is for who decides.
const COUNT_BITS: u32 = 28;

/// An id as a number of 32 bits, where it has few enough digits.
fn folded(id: ClientOrderId) -> Option<u32> {
    let (decider, count) = (id.0 >> DECIDER_BIT, id.0 & ((1 << DECIDER_BIT) - 1));
    let fits = decider >> (32 - COUNT_BITS) == 0 && count >> COUNT_BITS == 0;
    fits.then_some((decider << COUNT_BITS | count) as u32)
}

/// The id behind a number of 32 bits.
fn unfolded(number: u32) -> ClientOrderId {
    let (decider, count) = (number >> COUNT_BITS, number & ((1 << COUNT_BITS) - 1));
    ClientOrderId(u64::from(decider) << DECIDER_BIT | u64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_come_back_and_only_to_their_session(
            id in prop_oneof![any::<u64>(), 0..1_u64 << 28, (1..16_u64).prop_map(|d| (d << 48) + 7)],
            tag: u32,
            other: u32,
        ) {
            for form in [ClientIdForm::Text, ClientIdForm::Hex128, ClientIdForm::Number] {
                let ids = ClientIds::new(form, tag);
                let mut text = String::new();
                let fits = ids.write(ClientOrderId(id), &mut text);
                // Few who decide, and not too many orders of each.
                let short = id >> 48 < 16 && id & 0xffff_ffff_ffff < 1 << 28;
                prop_assert_eq!(fits, form != ClientIdForm::Number || short);
                if fits {
                    prop_assert!(text.len() <= 36);
                    prop_assert_eq!(ids.read(&text, Some(tag)), Some(ClientOrderId(id)));
                    if other != tag {
                        let theirs = ClientIds::new(form, other).read(&text, Some(tag));
                        prop_assert_eq!(theirs, None);
                    }
                }
            }
        }

        #[test]
        fn versions_of_an_order_are_one_order(id: u64, tag: u32, version in 0_u32..70_000) {
            for (form, longest) in [(ClientIdForm::Text, 32), (ClientIdForm::Hex128, 34)] {
                let ids = ClientIds::new(form, tag);
                let mut text = String::new();
                let fits = ids.write_version(ClientOrderId(id), version, &mut text);
                prop_assert_eq!(fits, version <= 0xffff);
                if fits {
                    prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
                    prop_assert!(text.len() <= longest);
                    prop_assert_eq!(ids.read(&text, None), Some(ClientOrderId(id)));
                    prop_assert_eq!(ids.version(&text), Some(version));
                }
            }
        }

        #[test]
        fn foreign_texts_are_not_ours(text in "\\PC{0,40}") {
            let ids = ClientIds::new(ClientIdForm::Text, 7);
            if !text.starts_with("ms00000007") {
                prop_assert_eq!(ids.read(&text, None), None);
            }
            prop_assert_eq!(ClientIds::new(ClientIdForm::Hex128, 7).read(&text, None), None);
        }
    }
}
