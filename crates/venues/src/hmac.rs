//! HMAC-SHA256 (RFC 2104, FIPS 198-1) of messages of a few hundred bytes.
//!
//! The two blocks of a key, and whatever every message begins with, are compressed once. A code then
//! costs the blocks of its message and one more; the compression is that of `sha2`, which uses the
//! processor's instructions for it where there are some.

use std::fmt;

use mainspring_core::{Error, ErrorKind, Result};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes of a block.
const BLOCK: usize = 64;

/// Bytes at the end of the last block that say how long the message was.
const LENGTH: usize = 8;

/// The state that hashing begins with (FIPS 180-4, 5.3.3).
const BEGIN: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A key, its padding absorbed once. What is kept of it is wiped when it is dropped.
#[derive(Clone)]
pub struct HmacKey {
    inner: Zeroizing<[u32; 8]>,
    outer: Zeroizing<[u32; 8]>,
    /// Bytes that `inner` has absorbed; whole blocks.
    absorbed: usize,
}

impl HmacKey {
    /// The key behind a secret.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn new(secret: &Secret) -> Result<Self> {
        let secret = secret.expose();
        if secret.is_empty() {
            return Err(Error::new(ErrorKind::Config, "the secret of the API key is empty"));
        }
        let mut padded = Zeroizing::new([0; BLOCK]);
        match padded.get_mut(..secret.len()) {
            Some(place) => place.copy_from_slice(secret),
            None => padded[..32].copy_from_slice(&Sha256::digest(secret)),
        }
        let absorb = |pad: u8| {
            let mut state = Zeroizing::new(BEGIN);
            let block = Zeroizing::new(padded.map(|byte| byte ^ pad));
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        };
        Ok(Self { inner: absorb(0x36), outer: absorb(0x5c), absorbed: BLOCK })
    }

    /// The key for messages that all begin with this block, for [`Self::code`] of what follows it.
    #[must_use]
    pub fn after(&self, block: &[u8; BLOCK]) -> Self {
        let mut key = self.clone();
        compress256(&mut key.inner, std::slice::from_ref(block));
        key.absorbed += BLOCK;
        key
    }

    /// The code of a message.
    #[must_use]
    pub fn code(&self, message: &[u8]) -> [u8; 32] {
        let mut state = *self.inner;
        let (blocks, rest) = message.as_chunks::<BLOCK>();
        compress256(&mut state, blocks);
        self.conclude(state, rest, self.absorbed + message.len())
    }

    /// The code of a message in parts.
    #[must_use]
    pub fn code_of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut state = *self.inner;
        let (mut block, mut used, mut length) = ([0; BLOCK], 0, self.absorbed);
        for part in parts {
            length += part.len();
            let mut rest = *part;
            while !rest.is_empty() {
                let fits = rest.len().min(BLOCK - used);
                block[used..used + fits].copy_from_slice(&rest[..fits]);
                rest = &rest[fits..];
                used += fits;
                if used == BLOCK {
                    compress256(&mut state, &[block]);
                    used = 0;
                }
            }
        }
        self.conclude(state, &block[..used], length)
    }

    /// Absorbs what is left of the message, less than a block, and its length; then the outer key.
    #[inline]
    fn conclude(&self, mut state: [u32; 8], rest: &[u8], length: usize) -> [u8; 32] {
        let mut last = [[0; BLOCK]; 2];
        let bytes = last.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        let blocks = 1 + usize::from(rest.len() + LENGTH >= BLOCK);
        bytes[blocks * BLOCK - LENGTH..blocks * BLOCK]
            .copy_from_slice(&(length as u64 * 8).to_be_bytes());
        compress256(&mut state, &last[..blocks]);
        let mut block = [0; BLOCK];
        block[..32].copy_from_slice(&bytes_of(&state));
        block[32] = 0x80;
        block[BLOCK - LENGTH..].copy_from_slice(&(8 * (BLOCK as u64 + 32)).to_be_bytes());
        state = *self.outer;
        compress256(&mut state, &[block]);
        bytes_of(&state)
    }
}

fn bytes_of(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    bytes
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    #[test]
    fn codes_are_those_of_rfc_4231() {
        let code = |key: &[u8], message: &[u8]| {
            let code = HmacKey::new(&Secret::new(key)).unwrap().code(message);
            code.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(
            code(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // The key is longer than a block.
        assert_eq!(
            code(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// In one piece, in parts and behind a block that was absorbed before.
        #[test]
        fn codes_are_those_of_the_general_construction(
            key in prop::collection::vec(any::<u8>(), 1..150),
            message in prop::collection::vec(any::<u8>(), 0..400),
            cuts in prop::collection::vec(0_usize..400, 0..4),
        ) {
            let own = HmacKey::new(&Secret::new(key.clone())).unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(&message);
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            prop_assert_eq!(own.code(&message), expected);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.push(message.len());
            let mut from = 0;
            let parts: Vec<_> = cuts.iter().map(|to| &message[std::mem::replace(&mut from, *to)..*to]).collect();
            prop_assert_eq!(own.code_of(&parts), expected);
            if let Some((block, rest)) = message.split_first_chunk() {
                prop_assert_eq!(own.after(block).code(rest), expected);
            }
        }
    }
}
