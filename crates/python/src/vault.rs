//! Sealing of files: ChaCha20-Poly1305 (RFC 8439). Keys come from passwords in Python.

use mainspring_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, CHACHA20_POLY1305, NONCE_LEN};

use crate::errors::to_py;

fn parts(key: &[u8], nonce: &[u8]) -> PyResult<(LessSafeKey, Nonce)> {
    let wrong = |what: &str| to_py(Error::new(ErrorKind::Value, what.to_owned()));
    let key = UnboundKey::new(&CHACHA20_POLY1305, key)
        .map_err(|_| wrong("a key of 32 bytes is needed"))?;
    let nonce: [u8; NONCE_LEN] =
        nonce.try_into().map_err(|_| wrong("a nonce of 12 bytes is needed"))?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce)))
}

/// Seals bytes: nobody without the key can read them, or change them unseen. A nonce is used once.
#[pyfunction]
pub fn seal<'py>(
    py: Python<'py>,
    key: &[u8],
    nonce: &[u8],
    plain: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (key, nonce) = parts(key, nonce)?;
    let mut bytes = plain.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes).map_err(|_| {
        to_py(Error::new(ErrorKind::Value, "too much to be sealed at once".to_owned()))
    })?;
    Ok(PyBytes::new(py, &bytes))
}

/// The bytes behind a seal, or None when the key is another one or something was changed.
#[pyfunction]
pub fn unseal<'py>(
    py: Python<'py>,
    key: &[u8],
    nonce: &[u8],
    sealed: &[u8],
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let (key, nonce) = parts(key, nonce)?;
    let mut bytes = sealed.to_vec();
    let plain = key.open_in_place(nonce, Aad::empty(), &mut bytes).ok();
    Ok(plain.map(|plain| PyBytes::new(py, plain)))
}
