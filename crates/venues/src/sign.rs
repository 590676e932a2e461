//! Signatures: HMAC-SHA256, Ed25519, RSA, and secp256k1 over a digest.
//!
//! The mathematics is that of the RustCrypto and dalek crates; here are key formats, encodings, and
//! the rule that a key is never shown.

mod by_thread;

use std::fmt;

use base64ct::{Base64, Encoding};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::Signer as _;
use mainspring_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

pub(crate) use by_thread::note as note_signature;
pub use by_thread::signatures_by_thread;

pub use crate::hmac::HmacKey;
use crate::numerals::push_hex_bytes;
use crate::secret::Secret;

/// Longest base64 text of a signature: of a 4096-bit RSA key.
const MAX_BASE64: usize = 700;

/// An Ed25519 key.
#[derive(Clone)]
pub struct Ed25519Key(ed25519_dalek::SigningKey);

impl Ed25519Key {
    /// From PKCS#8, as PEM text or base64 of its DER, or from the 32 bytes of the seed.
    ///
    /// # Errors
    /// When the secret is none of them.
    pub fn new(secret: &Secret) -> Result<Self> {
        let bytes = secret.expose();
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes) {
            return Ok(Self(ed25519_dalek::SigningKey::from_bytes(seed)));
        }
        let text = secret.expose_text().trim();
        let by_pem = ed25519_dalek::SigningKey::from_pkcs8_pem(text).ok();
        let key = by_pem.or_else(|| {
            let der = Zeroizing::new(Base64::decode_vec(text).ok()?);
            ed25519_dalek::SigningKey::from_pkcs8_der(&der).ok()
        });
        key.map(Self).ok_or_else(|| {
            let what = "not an Ed25519 key; give PKCS#8 as PEM (BEGIN PRIVATE KEY) or its base64";
            Error::new(ErrorKind::Config, what)
        })
    }

    /// The signature of a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        note_signature();
        self.0.sign(message).to_bytes()
    }

    /// The public key, to check signatures.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Key(..)")
    }
}

/// A key of one of the kinds that venues with API keys take.
#[derive(Clone, Debug)]
pub enum ApiKeySigner {
    /// HMAC-SHA256.
    Hmac(HmacKey),
    /// Ed25519.
    Ed25519(Box<Ed25519Key>),
}

impl ApiKeySigner {
    /// Appends the signature of a message in the form that Binance takes it: hexadecimal for HMAC,
    /// base64 for Ed25519.
    pub fn append(&self, message: &[u8], text: &mut String) {
        match self {
            Self::Hmac(key) => push_hex_bytes(text, &key.code(message)),
            Self::Ed25519(key) => push_base64(text, &key.sign(message)),
        }
    }
}

/// Appends bytes as base64.
pub fn push_base64(text: &mut String, bytes: &[u8]) {
    let mut buffer = [0; MAX_BASE64];
    if let Ok(encoded) = Base64::encode(bytes, &mut buffer) {
        text.push_str(encoded);
    }
}

/// An API key with its secret.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The public part, sent with every request; not shown either.
    pub key: Secret,
    /// What signs.
    pub signer: ApiKeySigner,
    /// The passphrase of the key, where the venue has one (OKX).
    pub passphrase: Option<Secret>,
}

impl Credentials {
    /// A key that signs by HMAC-SHA256.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn hmac(key: Secret, secret: &Secret) -> Result<Self> {
        Ok(Self { key, signer: ApiKeySigner::Hmac(HmacKey::new(secret)?), passphrase: None })
    }

    /// A key that signs by Ed25519.
    ///
    /// # Errors
    /// When the secret is no such key.
    pub fn ed25519(key: Secret, secret: &Secret) -> Result<Self> {
        let signer = ApiKeySigner::Ed25519(Box::new(Ed25519Key::new(secret)?));
        Ok(Self { key, signer, passphrase: None })
    }

    /// The same with a passphrase.
    #[must_use]
    pub fn with_passphrase(mut self, passphrase: Secret) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// The key of an HMAC signer.
    ///
    /// # Errors
    /// When the signer is another.
    pub fn need_hmac(&self) -> Result<&HmacKey> {
        match &self.signer {
            ApiKeySigner::Hmac(key) => Ok(key),
            ApiKeySigner::Ed25519(_) => {
                Err(Error::new(ErrorKind::Config, "this venue's keys sign by HMAC-SHA256"))
            }
        }
    }
}

/// Percent-encodes what is not unreserved (RFC 3986, section 2.3).
pub fn push_percent(text: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => {
                text.push('%');
                text.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
                text.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ed25519_is_that_of_rfc_8032() {
        let hex = |text: &str| -> Vec<u8> {
            let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(byte).collect()
        };
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = Ed25519Key::new(&Secret::new(seed)).unwrap();
        let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(key.sign(&[0x72]).to_vec(), hex(expected));
        assert_eq!(
            key.public().to_vec(),
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
    }

    #[test]
    fn ed25519_reads_pkcs8_and_refuses_other_text() {
        // RFC 8410, section 10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let by_pem = Ed25519Key::new(&Secret::new(pem)).unwrap();
        let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
        let by_base64 = Ed25519Key::new(&Secret::new(body)).unwrap();
        assert_eq!(by_pem.public(), by_base64.public());
        assert_eq!(by_pem.public()[..4], [0x19, 0xbf, 0x44, 0x09]);
        let error = Ed25519Key::new(&Secret::new("hunter2")).unwrap_err();
        assert!(!error.message().contains("hunter2"));
    }

    #[test]
    fn keys_do_not_show() {
        let credentials = Credentials::hmac(Secret::new("k"), &Secret::new("s3cret")).unwrap();
        let text = format!("{credentials:?}");
        assert!(!text.contains("s3cret") && text.contains("HmacKey(..)"), "{text}");
    }

    #[test]
    fn percent_encoding_leaves_unreserved_text() {
        let mut text = String::new();
        push_percent(&mut text, "a-Z_0.~ [\"\u{ff11}\"]");
        assert_eq!(text, "a-Z_0.~%20%5B%22%EF%BC%91%22%5D");
    }
}
