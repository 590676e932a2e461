//! Appending records: into memory up to a bound, then into a file.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use mainspring_core::{Error, ErrorKind, Result};

use crate::record::{MessageRecord, Record, MESSAGE_KIND};

/// Payload bytes of a block; a record never spans two blocks.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// First bytes of a log.
pub const MAGIC: &[u8; 8] = b"MSLOG\0\0\x01";

/// Bytes of a block's header: payload length, record count, hash of the chain up to it.
pub const BLOCK_HEADER_BYTES: usize = 8 + 32;

/// Where the blocks go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Memory up to `limit_bytes`, then an unnamed temporary file.
    Memory {
        /// Most bytes kept in memory.
        limit_bytes: usize,
    },
    /// A file from the start.
    File(PathBuf),
}

enum Store {
    Memory { bytes: Vec<u8>, limit: usize },
    File { file: File, place: String },
}

/// Appends records and chains their blocks.
pub struct LogWriter {
    store: Store,
    block: Vec<u8>,
    records: u32,
    total_records: u64,
    chain: [u8; 32],
}

impl LogWriter {
    /// An empty log.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn new(sink: Sink) -> Result<Self> {
        let mut store = match sink {
            Sink::Memory { limit_bytes } => {
                Store::Memory { bytes: Vec::with_capacity(BLOCK_BYTES), limit: limit_bytes }
            }
            Sink::File(path) => {
                let place = path.display().to_string();
                let file = File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&path)
                    .map_err(|e| Error::from(e).at(&place))?;
                Store::File { file, place }
            }
        };
        store.append(MAGIC)?;
        Ok(Self {
            store,
            block: Vec::with_capacity(BLOCK_BYTES),
            records: 0,
            total_records: 0,
            chain: [0; 32],
        })
    }

    /// Appends a fixed record.
    ///
    /// # Errors
    /// When a full block cannot be written, for one because the disk is full.
    #[inline]
    pub fn append<R: Record>(&mut self, record: &R) -> Result<()> {
        let bytes = bytemuck::bytes_of(record);
        if self.block.len() + 1 + bytes.len() > BLOCK_BYTES {
            self.seal()?;
        }
        self.block.push(R::KIND);
        self.block.extend_from_slice(bytes);
        self.records += 1;
        Ok(())
    }

    /// Appends a message, cut to [`MessageRecord::MAX_BYTES`].
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_message(&mut self, time_ns: i64, text: &str) -> Result<()> {
        let mut end = text.len().min(MessageRecord::MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if self.block.len() + 1 + 8 + 2 + end > BLOCK_BYTES {
            self.seal()?;
        }
        self.block.push(MESSAGE_KIND);
        self.block.extend_from_slice(&time_ns.to_le_bytes());
        self.block.extend_from_slice(&(end as u16).to_le_bytes());
        self.block.extend_from_slice(&text.as_bytes()[..end]);
        self.records += 1;
        Ok(())
    }

    /// Number of records so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.total_records + u64::from(self.records)
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Seals the last block and returns the finished log.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn finish(mut self) -> Result<FinishedLog> {
        self.seal()?;
        let hash = self.chain;
        let records = self.total_records;
        if let Store::File { file, place } = &mut self.store {
            file.sync_all().map_err(|e| Error::from(e).at(&*place))?;
        }
        Ok(FinishedLog { store: self.store, hash, records })
    }

    fn seal(&mut self) -> Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.chain);
        hasher.update(&self.block);
        self.chain = *hasher.finalize().as_bytes();
        let mut header = [0_u8; BLOCK_HEADER_BYTES];
        header[..4].copy_from_slice(&(self.block.len() as u32).to_le_bytes());
        header[4..8].copy_from_slice(&self.records.to_le_bytes());
        header[8..].copy_from_slice(&self.chain);
        self.store.append(&header)?;
        self.store.append(&self.block)?;
        self.total_records += u64::from(self.records);
        self.records = 0;
        self.block.clear();
        Ok(())
    }
}

impl Store {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        if let Self::Memory { bytes, limit } = self {
            if bytes.len() + data.len() <= *limit {
                bytes.extend_from_slice(data);
                return Ok(());
            }
            *self = Self::spill(bytes)?;
        }
        let Self::File { file, place } = self else {
            return Err(Error::new(ErrorKind::Internal, "a log without a store"));
        };
        file.write_all(data).map_err(|e| {
            Error::new(
                ErrorKind::Io,
                format!("{place}: cannot write results: {e}; free some space and run again"),
            )
        })
    }

    fn spill(bytes: &[u8]) -> Result<Self> {
        let mut file = tempfile()?;
        let place = "temporary results".to_owned();
        file.write_all(bytes).map_err(|e| Error::from(e).at(&place))?;
        Ok(Self::File { file, place })
    }
}

/// A file in the temporary directory that vanishes with its handle.
fn tempfile() -> Result<File> {
    let directory = std::env::temp_dir();
    for attempt in 0..1_000_u32 {
        let path = directory.join(format!("mainspring-{}-{attempt}.log", std::process::id()));
        match File::options().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                // Unlinked at once: nothing is left behind, whatever happens to the process.
                std::fs::remove_file(&path).map_err(|e| Error::from(e).at(path.display()))?;
                return Ok(file);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::from(e).at(directory.display())),
        }
    }
    Err(Error::new(ErrorKind::Io, format!("{}: no free temporary name", directory.display())))
}

/// A sealed log.
pub struct FinishedLog {
    store: Store,
    hash: [u8; 32],
    records: u64,
}

impl FinishedLog {
    /// The hash of the chain: of every record in order.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Number of records.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// All bytes of the log.
    ///
    /// # Errors
    /// When a spilled log cannot be read back.
    pub fn bytes(&mut self) -> Result<std::borrow::Cow<'_, [u8]>> {
        match &mut self.store {
            Store::Memory { bytes, .. } => Ok(std::borrow::Cow::Borrowed(bytes)),
            Store::File { file, place } => {
                let mut all = Vec::new();
                file.seek(SeekFrom::Start(0))
                    .and_then(|_| std::io::Read::read_to_end(file, &mut all))
                    .map_err(|e| Error::from(e).at(&*place))?;
                Ok(std::borrow::Cow::Owned(all))
            }
        }
    }
}
