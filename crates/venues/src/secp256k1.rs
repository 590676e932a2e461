//! Keys on secp256k1: recoverable signatures over a digest, as Ethereum-like and Cosmos chains take them.

use std::fmt;

use k256::ecdsa::SigningKey;
use mainspring_core::{Error, ErrorKind, Result};
use sha3::{Digest, Keccak256};

use crate::numerals::push_hex_bytes;
use crate::secret::Secret;
use crate::sign::note_signature;

/// A private key. It is wiped when dropped.
#[derive(Clone)]
pub struct Secp256k1Key(SigningKey);

/// A signature with the parity of its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recoverable {
    /// First half.
    pub r: [u8; 32],
    /// Second half, the lower of the two that are valid.
    pub s: [u8; 32],
    /// 0 or 1.
    pub parity: u8,
}

impl Secp256k1Key {
    /// From 32 bytes, or their 64 hexadecimal digits with or without `0x`.
    ///
    /// # Errors
    /// When the secret is neither, or no valid key.
    pub fn new(secret: &Secret) -> Result<Self> {
        let bytes = zeroize::Zeroizing::new(match secret.expose().len() {
            32 => secret.expose().to_vec(),
            _ => hex(secret.expose_text().trim()).unwrap_or_default(),
        });
        SigningKey::from_slice(&bytes).map(Self).map_err(|_| {
            let what = "not a secp256k1 key; give the 64 hexadecimal digits of the private key";
            Error::new(ErrorKind::Config, what)
        })
    }

    /// The signature of a digest of 32 bytes (RFC 6979: the same every time).
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> Recoverable {
        note_signature();
        let (signature, id) = self.0.sign_prehash_recoverable(digest);
        let (r, s) = signature.split_bytes();
        Recoverable { r: r.into(), s: s.into(), parity: u8::from(id.is_y_odd()) }
    }

    /// The public key, compressed to 33 bytes.
    #[must_use]
    pub fn public(&self) -> [u8; 33] {
        let point = self.0.verifying_key().to_sec1_point(true);
        let mut bytes = [0; 33];
        bytes.copy_from_slice(point.as_bytes());
        bytes
    }

    /// The Ethereum address: the last 20 bytes of the hash of the public key.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        let point = self.0.verifying_key().to_sec1_point(false);
        let hash = keccak(&[&point.as_bytes()[1..]]);
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        address
    }
}

impl fmt::Debug for Secp256k1Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secp256k1Key(..)")
    }
}

/// Keccak-256 of parts.
#[must_use]
pub fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Bytes of hexadecimal digits, with or without `0x`.
#[must_use]
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    digits.chunks(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

/// Bytes as `0x` and hexadecimal digits.
#[must_use]
pub fn hex_text(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    push_hex_bytes(&mut text, bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak_of_nothing() {
        let text = hex_text(&keccak(&[]));
        assert_eq!(text, "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    }

    #[test]
    fn the_address_of_a_known_key() {
        let secret =
            Secret::new("0x0123456789012345678901234567890123456789012345678901234567890123");
        let key = Secp256k1Key::new(&secret).unwrap();
        assert_eq!(hex_text(&key.address()), "0x14791697260e4c9a71f18484c9f997b308e59325");
        assert_eq!(format!("{key:?}"), "Secp256k1Key(..)");
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for text in ["", "hunter2", "0x00", &"0".repeat(64), &"f".repeat(64)] {
            let error = Secp256k1Key::new(&Secret::new(text)).unwrap_err();
            assert!(text.is_empty() || !error.message().contains(text), "{error}");
        }
    }
}
