//! Signatures of actions: typed data of EIP-712 over a hash of the action.

use super::action::Node;
use crate::secp256k1::{keccak, Recoverable, Secp256k1Key};

/// Chain id of the domain that trading actions are signed in, on both networks.
const EXCHANGE_CHAIN: u64 = 1_337;

/// The hash of a trading action, which a phantom agent signs.
#[must_use]
pub fn action_hash(
    action: &Node,
    nonce: u64,
    vault: Option<&[u8; 20]>,
    expires_after: Option<u64>,
) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(256);
    action.push_msgpack(&mut bytes);
    bytes.extend(nonce.to_be_bytes());
    match vault {
        None => bytes.push(0),
        Some(address) => {
            bytes.push(1);
            bytes.extend(address);
        }
    }
    if let Some(expires) = expires_after {
        bytes.push(0);
        bytes.extend(expires.to_be_bytes());
    }
    keccak(&[&bytes])
}

/// Signs the hash of a trading action.
#[must_use]
pub fn sign_action(key: &Secp256k1Key, hash: &[u8; 32], mainnet: bool) -> Recoverable {
    key.sign(&action_digest(hash, mainnet))
}

/// What is signed of the hash of a trading action.
#[must_use]
pub fn action_digest(hash: &[u8; 32], mainnet: bool) -> [u8; 32] {
    let source = keccak(&[if mainnet { b"a" } else { b"b" }]);
    let agent = keccak(&[&keccak(&[b"Agent(string source,bytes32 connectionId)"]), &source, hash]);
    digest(&domain("Exchange", EXCHANGE_CHAIN), &agent)
}

/// A field of an action that a wallet signs in readable form.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// Text.
    Text(&'static str, &'a str),
    /// A number of 64 bits.
    Number(&'static str, u64),
}

/// The digest of an action that a wallet signs in readable form, such as `UsdSend`: its name, and its
/// fields with the chain first.
#[must_use]
pub fn user_signed_digest(name: &str, fields: &[Field<'_>], signature_chain: u64) -> [u8; 32] {
    let mut kind = format!("HyperliquidTransaction:{name}(");
    let mut words = Vec::with_capacity(32 * fields.len());
    for (at, field) in fields.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        match field {
            Field::Text(key, value) => {
                kind.push_str(&format!("{comma}string {key}"));
                words.extend(keccak(&[value.as_bytes()]));
            }
            Field::Number(key, value) => {
                kind.push_str(&format!("{comma}uint64 {key}"));
                words.extend(word(*value));
            }
        }
    }
    kind.push(')');
    let body = keccak(&[&keccak(&[kind.as_bytes()]), &words]);
    digest(&domain("HyperliquidSignTransaction", signature_chain), &body)
}

fn word(value: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

fn domain(name: &str, chain: u64) -> [u8; 32] {
    let kind =
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    let name = keccak(&[name.as_bytes()]);
    keccak(&[&keccak(&[kind]), &name, &keccak(&[b"1"]), &word(chain), &[0; 32]])
}

fn digest(domain: &[u8; 32], body: &[u8; 32]) -> [u8; 32] {
    keccak(&[b"\x19\x01", domain, body])
}
