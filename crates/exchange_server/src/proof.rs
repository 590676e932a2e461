//! Signatures by HMAC-SHA256, checked in constant time.

use std::fmt;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A member's secret, ready to check codes by.
#[derive(Clone)]
pub struct Secret(Option<Hmac<Sha256>>);

impl Secret {
    /// The secret of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Hmac::new_from_slice(bytes).ok())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether a code of the text by a secret is the one that was sent.
#[must_use]
pub fn is_code_of(secret: &Secret, text: &[u8], sent: &[u8]) -> bool {
    secret.0.clone().is_some_and(|mut mac| {
        mac.update(text);
        mac.verify_slice(sent).is_ok()
    })
}

/// The same with the code as base64.
#[must_use]
pub fn is_base64_of(secret: &Secret, text: &[u8], sent: &str) -> bool {
    Base64::decode_vec(sent).is_ok_and(|sent| is_code_of(secret, text, &sent))
}

/// The same with the code in hexadecimal digits.
#[must_use]
pub fn is_hex_of(secret: &Secret, text: &[u8], sent: &str) -> bool {
    hex(sent).is_some_and(|sent| is_code_of(secret, text, &sent))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_from_another() {
        // RFC 4231, test case 2.
        let (secret, text) = (&Secret::new(b"Jefe"), b"what do ya want for nothing?".as_slice());
        let code = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_hex_of(secret, text, code));
        assert!(is_base64_of(secret, text, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="));
        assert!(!is_hex_of(secret, b"what", code));
        assert!(!is_hex_of(secret, text, &code[..62]) && !is_hex_of(secret, text, "zz"));
    }
}
