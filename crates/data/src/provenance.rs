//! Where the rows of an event file come from, and what is known of their clocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use mainspring_core::{DurationNs, Result};
use serde::{Deserialize, Serialize};

use crate::format::io_error;

/// What is known of the receive clock against the exchange's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ClockState {
    /// No row was received before it happened; nothing had to be corrected.
    Trusted,
    /// The receive clock was wrong and `offset_ns` was added to every receive time on import.
    Corrected {
        /// What was added.
        offset_ns: DurationNs,
    },
    /// Rows are received before they happened, and nothing was done about it. Such a file may be
    /// looked at alone; with others beside it the order of events would be wrong.
    Uncorrected,
}

impl std::fmt::Display for ClockState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trusted => f.write_str("trusted"),
            Self::Corrected { offset_ns } => {
                write!(f, "corrected by {:+.6} s", *offset_ns as f64 / 1e9)
            }
            Self::Uncorrected => f.write_str("uncorrected"),
        }
    }
}

/// One file that rows were read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its name, without folders.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content, in hexadecimal.
    pub blake3: String,
}

/// Where rows come from. No wall-clock time is kept: the same input makes the same file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// What made the rows, such as `binance_raw` or `generator`.
    pub source: String,
    /// The files that were read.
    #[serde(default)]
    pub files: Vec<SourceFile>,
    /// The receive clock. The writer sets it to uncorrected when a row shows negative latency.
    pub clock: ClockState,
    /// Places where data is known to be missing. The writer counts the gap rows on top.
    #[serde(default)]
    pub gaps: u64,
    /// Further facts by name, such as the options of the import or the seed of a generator.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// The program that wrote the file.
    #[serde(default)]
    pub software: String,
}

impl Provenance {
    /// Rows from `source` with this clock.
    #[must_use]
    pub fn new(source: impl Into<String>, clock: ClockState) -> Self {
        Self {
            source: source.into(),
            files: Vec::new(),
            clock,
            gaps: 0,
            facts: BTreeMap::new(),
            software: concat!("mainspring ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Adds a file that was read, with its size and hash.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn with_file(mut self, path: &Path) -> Result<Self> {
        let bytes = std::fs::metadata(path).map_err(|e| io_error(path, "read", &e))?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.files.push(SourceFile { name, bytes, blake3: hash_file(path)? });
        Ok(self)
    }

    /// Adds a fact.
    #[must_use]
    pub fn with_fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.insert(name.into(), value.into());
        self
    }
}

/// BLAKE3 of a file's content, in hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub fn hash_file(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| io_error(path, "read", &e);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            n => {
                hasher.update(&buffer[..n]);
            }
        }
    }
}
