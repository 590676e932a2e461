//! What a journal's records were made with, kept once by content.

use std::fs;

use mainspring_core::{Error, ErrorKind, Result};

use super::folder::{failed, hex, write_whole, Folder};
use super::layout::{Hash, SourceHashes};

/// Configuration, instruments, code and models of a session, as text that the journal keeps and does
/// not read: JSON by custom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The configuration of the session.
    pub config: String,
    /// The instruments, in the order of their ids.
    pub instruments: String,
    /// The strategies: names, parameters and hashes of their code, in order.
    pub code: String,
    /// The models: names and hashes of their files.
    pub models: String,
}

impl Sources {
    /// The hash of each.
    #[must_use]
    pub fn hashes(&self) -> SourceHashes {
        let of = |text: &str| *blake3::hash(text.as_bytes()).as_bytes();
        SourceHashes {
            config: of(&self.config),
            instruments: of(&self.instruments),
            code: of(&self.code),
            models: of(&self.models),
        }
    }

    /// Keeps them in the folder.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn store(&self, folder: &Folder) -> Result<SourceHashes> {
        let hashes = self.hashes();
        let texts = [&self.config, &self.instruments, &self.code, &self.models];
        let names = [hashes.config, hashes.instruments, hashes.code, hashes.models];
        for (hash, text) in names.iter().zip(texts) {
            let path = folder.source(hash);
            if fs::read(&path).is_ok_and(|kept| kept == text.as_bytes()) {
                continue;
            }
            write_whole(&path, &[text.as_bytes()])
                .map_err(|e| failed(&path, "cannot write a source", &e))?;
        }
        Ok(hashes)
    }

    /// Reads those that a segment names.
    ///
    /// # Errors
    /// When one is missing or was changed.
    pub fn load(folder: &Folder, hashes: &SourceHashes) -> Result<Self> {
        Ok(Self {
            config: load(folder, &hashes.config)?,
            instruments: load(folder, &hashes.instruments)?,
            code: load(folder, &hashes.code)?,
            models: load(folder, &hashes.models)?,
        })
    }
}

fn load(folder: &Folder, hash: &Hash) -> Result<String> {
    let path = folder.source(hash);
    let bytes = fs::read(&path).map_err(|e| failed(&path, "cannot read a source", &e))?;
    if blake3::hash(&bytes).as_bytes() != hash {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "{}: was changed: its content does not have the hash {}",
                path.display(),
                hex(hash)
            ),
        ));
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Mismatch, format!("{}: is not text", path.display())))
}
