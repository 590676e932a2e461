//! Who signed an action: its JSON in the order of its keys, as msgpack, hashed, and the address of the
//! key that signed the hash.

use std::fmt;

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use mainspring_venues::hyperliquid::sign::action_digest;
use mainspring_venues::secp256k1::{hex, hex_text, keccak};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// JSON as msgpack in its shortest forms, keys in the order in which they stand.
struct Packed(Vec<u8>);

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Packer)
    }
}

struct Packer;

impl<'de> Visitor<'de> for Packer {
    type Value = Packed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Packed, E> {
        Ok(Packed(vec![0xc0]))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Packed, E> {
        Ok(Packed(vec![if truth { 0xc3 } else { 0xc2 }]))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Packed, E> {
        Ok(Packed(match number {
            0..=0x7f => vec![number as u8],
            0x80..=0xff => vec![0xcc, number as u8],
            0x100..=0xffff => [&[0xcd][..], &(number as u16).to_be_bytes()].concat(),
            0x1_0000..=0xffff_ffff => [&[0xce][..], &(number as u32).to_be_bytes()].concat(),
            _ => [&[0xcf][..], &number.to_be_bytes()].concat(),
        }))
    }

    fn visit_str<E>(self, text: &str) -> Result<Packed, E> {
        let length = text.len();
        let mut bytes = match length {
            0..=31 => vec![0xa0 | length as u8],
            32..=255 => vec![0xd9, length as u8],
            256..=65_535 => [&[0xda][..], &(length as u16).to_be_bytes()].concat(),
            _ => [&[0xdb][..], &(length as u32).to_be_bytes()].concat(),
        };
        bytes.extend(text.as_bytes());
        Ok(Packed(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Packed, A::Error> {
        let (mut count, mut body) = (0, Vec::new());
        while let Some(Packed(one)) = list.next_element()? {
            count += 1;
            body.extend(one);
        }
        Ok(Packed([counted(count, 0x90, 0xdc), body].concat()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Packed, A::Error> {
        let (mut count, mut body) = (0, Vec::new());
        while let Some((Packed(key), Packed(value))) = map.next_entry()? {
            count += 1;
            body.extend(key);
            body.extend(value);
        }
        Ok(Packed([counted(count, 0x80, 0xde), body].concat()))
    }
}

fn counted(count: usize, short: u8, long: u8) -> Vec<u8> {
    match count {
        0..=15 => vec![short | count as u8],
        16..=65_535 => [&[long][..], &(count as u16).to_be_bytes()].concat(),
        _ => [&[long + 1][..], &(count as u32).to_be_bytes()].concat(),
    }
}

/// What is signed, beside the action itself.
pub struct Signed<'a> {
    /// The nonce.
    pub nonce: u64,
    /// The vault it is for.
    pub vault: Option<&'a str>,
    /// When it ends.
    pub expires: Option<u64>,
}

/// The addresses that may have signed, by either network's rule. An action that is not JSON, and a
/// signature that is none, have none.
pub fn signers(action: &str, signed: &Signed<'_>, signature: &Value) -> Vec<String> {
    let Some(hash) = hash(action, signed) else { return Vec::new() };
    let networks = [false, true].into_iter();
    networks.filter_map(|is_main| recover(&action_digest(&hash, is_main), signature)).collect()
}

fn hash(action: &str, signed: &Signed<'_>) -> Option<[u8; 32]> {
    let Packed(mut bytes) = serde_json::from_str(action).ok()?;
    bytes.extend(signed.nonce.to_be_bytes());
    match signed.vault {
        None => bytes.push(0),
        Some(vault) => {
            bytes.push(1);
            bytes.extend(hex(vault)?);
        }
    }
    if let Some(expires) = signed.expires {
        bytes.push(0);
        bytes.extend(expires.to_be_bytes());
    }
    Some(keccak(&[&bytes]))
}

fn recover(digest: &[u8; 32], signature: &Value) -> Option<String> {
    let word = |name: &str| -> Option<[u8; 32]> {
        // Some clients leave out the zeros in front.
        let digits = signature[name].as_str()?.strip_prefix("0x")?;
        hex(&format!("{digits:0>64}"))?.try_into().ok()
    };
    let parity = u8::try_from(signature["v"].as_u64()?.checked_sub(27)?).ok()?;
    let known = Signature::from_scalars(word("r")?, word("s")?).ok()?;
    let key = VerifyingKey::recover_from_prehash(digest, &known, RecoveryId::from_byte(parity)?);
    let point = key.ok()?.to_sec1_point(false);
    let hash = keccak(&[&point.as_bytes()[1..]]);
    Some(hex_text(&hash[12..]))
}

#[cfg(test)]
mod tests {
    use mainspring_venues::hyperliquid::action::Node;
    use mainspring_venues::hyperliquid::sign::{action_hash, sign_action};
    use mainspring_venues::secp256k1::Secp256k1Key;
    use mainspring_venues::secret::Secret;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_signer_of_an_action_is_found() {
        let secret = "0x0123456789012345678901234567890123456789012345678901234567890123";
        let key = Secp256k1Key::new(&Secret::new(secret)).unwrap();
        let order = vec![("a", Node::Number(70_000)), ("r", Node::Truth(false))];
        let action = Node::Map(vec![
            ("type", Node::text("order")),
            ("orders", Node::List(vec![Node::Map(order)])),
            ("grouping", Node::text("x".repeat(40))),
        ]);
        let signature = sign_action(&key, &action_hash(&action, 7, None, Some(9)), true);
        let shown = json!({
            "r": hex_text(&signature.r), "s": hex_text(&signature.s), "v": 27 + signature.parity,
        });
        let mut text = String::new();
        action.push_json(&mut text);
        let signed = Signed { nonce: 7, vault: None, expires: Some(9) };
        let own = hex_text(&key.address());
        assert!(signers(&text, &signed, &shown).contains(&own));
        let other = Signed { nonce: 8, ..signed };
        assert!(!signers(&text, &other, &shown).contains(&own));
        assert!(signers(&text, &other, &json!({})).is_empty());
    }
}
