//! Appending records: into memory up to a bound, then into a file.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
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
    Memory { pieces: Vec<Vec<u8>>, total: usize, limit: usize },
    File { file: File, place: String },
}

/// Bytes of one piece of a log in memory; pieces hold whole blocks and never move.
const PIECE_BYTES: usize = 1 << 20;

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
                Store::Memory { pieces: Vec::new(), total: 0, limit: limit_bytes }
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
        store.append(MAGIC, &[])?;
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
        self.store.append(&header, &self.block)?;
        self.total_records += u64::from(self.records);
        self.records = 0;
        self.block.clear();
        Ok(())
    }
}

impl Store {
    /// Appends a head and a body, together in one piece.
    fn append(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        let added = head.len() + body.len();
        if let Self::Memory { pieces, total, limit } = self {
            if *total + added <= *limit {
                *total += added;
                let piece = piece_for(pieces, added);
                piece.extend_from_slice(head);
                piece.extend_from_slice(body);
                return Ok(());
            }
            *self = Self::spill(pieces)?;
        }
        let Self::File { file, place } = self else {
            return Err(Error::new(ErrorKind::Internal, "a log without a store"));
        };
        file.write_all(head).and_then(|()| file.write_all(body)).map_err(|e| {
            Error::new(
                ErrorKind::Io,
                format!("{place}: cannot write results: {e}; free some space and run again"),
            )
        })
    }

    fn spill(pieces: &[Vec<u8>]) -> Result<Self> {
        let mut file = tempfile()?;
        let place = "temporary results".to_owned();
        for piece in pieces {
            file.write_all(piece).map_err(|e| Error::from(e).at(&place))?;
        }
        Ok(Self::File { file, place })
    }
}

/// The last piece if `added` bytes fit, or a new one.
fn piece_for(pieces: &mut Vec<Vec<u8>>, added: usize) -> &mut Vec<u8> {
    let fits = pieces.last().is_some_and(|piece| piece.len() + added <= piece.capacity());
    if !fits {
        pieces.push(Vec::with_capacity(PIECE_BYTES.max(added)));
    }
    let last = pieces.len() - 1;
    &mut pieces[last]
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

    /// The log's bytes, in pieces that each hold whole blocks.
    ///
    /// # Errors
    /// When a spilled log cannot be read back.
    pub fn pieces(&mut self) -> Result<Cow<'_, [Vec<u8>]>> {
        match &mut self.store {
            Store::Memory { pieces, .. } => Ok(Cow::Borrowed(pieces)),
            Store::File { file, place } => {
                let mut all = Vec::new();
                file.seek(SeekFrom::Start(0))
                    .and_then(|_| file.read_to_end(&mut all))
                    .map_err(|e| Error::from(e).at(&*place))?;
                Ok(Cow::Owned(vec![all]))
            }
        }
    }
}
