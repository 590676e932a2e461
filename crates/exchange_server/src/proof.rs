//! Signatures by HMAC-SHA256, checked in constant time, and by Ed25519.

use std::fmt;

use base64ct::{Base64, Encoding};
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A member's secret, ready to check codes by.
#[derive(Clone)]
pub struct Secret {
    codes: Option<Hmac<Sha256>>,
    /// The public half of the member's own key, which is all that a venue has of it.
    public: Option<Box<VerifyingKey>>,
}

impl Secret {
    /// The secret of these bytes; the text of a public Ed25519 key (PEM) is one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or("");
        let public = VerifyingKey::from_public_key_pem(text.trim()).ok().map(Box::new);
        Self { codes: Hmac::new_from_slice(bytes).ok(), public }
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
    secret.codes.clone().is_some_and(|mut mac| {
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

/// Whether a signature of the text is by a member: a code in hexadecimal digits, or, of a member whose
/// public key is known, one by Ed25519 as base64.
#[must_use]
pub fn is_signed_by(secret: &Secret, text: &[u8], sent: &str) -> bool {
    let Some(public) = &secret.public else { return is_hex_of(secret, text, sent) };
    let signature =
        Base64::decode_vec(sent).ok().and_then(|sent| Signature::from_slice(&sent).ok());
    signature.is_some_and(|signature| public.verify_strict(text, &signature).is_ok())
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

    #[test]
    fn a_member_with_a_public_key_signs_by_its_private_one() {
        use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
        use ed25519_dalek::pkcs8::EncodePublicKey;
        use ed25519_dalek::{Signer, SigningKey};
        let key = SigningKey::from_bytes(&[7; 32]);
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        let member = Secret::new(pem.as_bytes());
        let text = b"symbol=BTCUSDT&timestamp=1";
        let good = Base64::encode_string(&key.sign(text).to_bytes());
        assert!(is_signed_by(&member, text, &good));
        assert!(!is_signed_by(&member, b"symbol=BTCUSDT&timestamp=2", &good));
        let other = SigningKey::from_bytes(&[8; 32]).sign(text);
        assert!(!is_signed_by(&member, text, &Base64::encode_string(&other.to_bytes())));
        assert!(!is_signed_by(&member, text, "no base64"));
        assert!(is_signed_by(
            &Secret::new(b"Jefe"),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ));
    }
}
