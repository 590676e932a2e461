//! Appending records: into memory up to a bound, then into a file.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "full blocks of a run's log go to the thread that hashes them"
)]

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

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
///
/// A long log is sealed on a thread of its own, so that hashing and storing cost the writer
/// nothing but handing a full block over. At most [`BLOCKS_IN_FLIGHT`] wait there; then the writer waits.
pub struct LogWriter {
    /// As long as a full block; what is behind `used` means nothing.
    block: Vec<u8>,
    used: usize,
    records: u32,
    total_records: u64,
    sealed: usize,
    sealer: Sealer,
}

/// Full blocks on their way to the sealing thread.
pub const BLOCKS_IN_FLIGHT: usize = 16;

/// The thread is woken for so many at once; a fraction of those that may wait.
const BLOCKS_PER_WAKING: usize = 4;

/// When the thread looks by itself whether the writer has gone.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Blocks that are sealed in place before a thread is worth its start.
const BLOCKS_IN_PLACE: usize = 8;

enum Sealer {
    InPlace(Chain),
    Thread(SealingThread),
    /// Only while one of the others is taken out.
    Gone,
}

struct SealingThread {
    full: SyncSender<FullBlock>,
    empty: Receiver<Vec<u8>>,
    chain: JoinHandle<Result<Chain>>,
}

struct FullBlock {
    bytes: Vec<u8>,
    used: usize,
    records: u32,
}

/// The chain so far and where it is kept.
struct Chain {
    store: Store,
    hash: [u8; 32],
}

impl Chain {
    fn seal(&mut self, block: &[u8], records: u32) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash);
        hasher.update(block);
        self.hash = *hasher.finalize().as_bytes();
        let mut header = [0_u8; BLOCK_HEADER_BYTES];
        header[..4].copy_from_slice(&(block.len() as u32).to_le_bytes());
        header[4..8].copy_from_slice(&records.to_le_bytes());
        header[8..].copy_from_slice(&self.hash);
        self.store.append(&header, block)
    }

    /// Seals what comes until nothing more can come. It rests until the writer wakes it, so that not
    /// every block costs the writer a call of the system.
    fn seal_all(mut self, full: &Receiver<FullBlock>, empty: &Sender<Vec<u8>>) -> Result<Self> {
        loop {
            match full.try_recv() {
                Ok(block) => {
                    self.seal(&block.bytes[..block.used], block.records)?;
                    // A writer that is gone needs no buffer back.
                    let _ = empty.send(block.bytes);
                }
                Err(TryRecvError::Empty) => thread::park_timeout(LONGEST_REST),
                Err(TryRecvError::Disconnected) => return Ok(self),
            }
        }
    }
}

impl SealingThread {
    fn start(chain: Chain) -> Result<Self> {
        let (full, full_out) = mpsc::sync_channel::<FullBlock>(BLOCKS_IN_FLIGHT);
        let (empty_in, empty) = mpsc::channel();
        let chain = thread::Builder::new()
            .name("mainspring-log".into())
            .spawn(move || chain.seal_all(&full_out, &empty_in))
            .map_err(Error::from)?;
        Ok(Self { full, empty, chain })
    }

    /// Hands a block over; false when the thread has ended. `number` counts the blocks.
    fn hand_over(&self, block: FullBlock, number: usize) -> bool {
        let is_there = self.full.send(block).is_ok();
        if number.is_multiple_of(BLOCKS_PER_WAKING) {
            self.chain.thread().unpark();
        }
        is_there
    }

    fn join(self) -> Result<Chain> {
        drop(self.full);
        self.chain.thread().unpark();
        self.chain.join().unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "the thread that seals results panicked"))
        })
    }
}

impl LogWriter {
    /// An empty log.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn new(sink: Sink) -> Result<Self> {
        let mut store = Store::open(sink)?;
        store.append(MAGIC, &[])?;
        Ok(Self {
            block: vec![0; BLOCK_BYTES],
            used: 0,
            records: 0,
            total_records: 0,
            sealed: 0,
            sealer: Sealer::InPlace(Chain { store, hash: [0; 32] }),
        })
    }

    /// Appends a fixed record.
    ///
    /// # Errors
    /// When a full block cannot be written, for one because the disk is full. The failure of a
    /// block may show only some blocks later, and at the latest in [`Self::finish`].
    #[inline]
    pub fn append<R: Record>(&mut self, record: &R) -> Result<()> {
        let out = self.room(1 + size_of::<R>())?;
        out[0] = R::KIND;
        record.put(&mut out[1..]);
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
        let out = self.room(1 + 8 + 2 + end)?;
        out[0] = MESSAGE_KIND;
        out[1..9].copy_from_slice(&time_ns.to_le_bytes());
        out[9..11].copy_from_slice(&(end as u16).to_le_bytes());
        out[11..].copy_from_slice(&text.as_bytes()[..end]);
        Ok(())
    }

    /// Where the bytes of one more record go.
    #[inline]
    fn room(&mut self, bytes: usize) -> Result<&mut [u8]> {
        if self.used + bytes > BLOCK_BYTES {
            self.seal()?;
        }
        let start = self.used;
        self.used += bytes;
        self.records += 1;
        Ok(&mut self.block[start..start + bytes])
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
        let mut chain = self.take_chain()?;
        if let Store::File { file, place } = &mut chain.store {
            file.sync_all().map_err(|e| Error::from(e).at(&*place))?;
        }
        Ok(FinishedLog { store: chain.store, hash: chain.hash, records: self.total_records })
    }

    #[cold]
    fn seal(&mut self) -> Result<()> {
        let used = std::mem::take(&mut self.used);
        if used == 0 {
            return Ok(());
        }
        self.total_records += u64::from(self.records);
        let records = std::mem::take(&mut self.records);
        if self.sealed == BLOCKS_IN_PLACE {
            let chain = self.take_chain()?;
            self.sealer = Sealer::Thread(SealingThread::start(chain)?);
        }
        self.sealed += 1;
        match &mut self.sealer {
            Sealer::InPlace(chain) => chain.seal(&self.block[..used], records),
            Sealer::Thread(thread) => {
                let next = thread.empty.try_recv();
                let next = next.unwrap_or_else(|_| vec![0; BLOCK_BYTES]);
                let bytes = std::mem::replace(&mut self.block, next);
                if thread.hand_over(FullBlock { bytes, used, records }, self.sealed) {
                    Ok(())
                } else {
                    // The thread only ends by itself when a block could not be stored.
                    self.take_chain().map(|_| ())
                }
            }
            Sealer::Gone => Err(Error::new(ErrorKind::Internal, "a log that failed before")),
        }
    }

    fn take_chain(&mut self) -> Result<Chain> {
        match std::mem::replace(&mut self.sealer, Sealer::Gone) {
            Sealer::InPlace(chain) => Ok(chain),
            Sealer::Thread(thread) => thread.join(),
            Sealer::Gone => Err(Error::new(ErrorKind::Internal, "a log that failed before")),
        }
    }
}

impl Store {
    fn open(sink: Sink) -> Result<Self> {
        let path = match sink {
            Sink::Memory { limit_bytes } => {
                return Ok(Self::Memory { pieces: Vec::new(), total: 0, limit: limit_bytes })
            }
            Sink::File(path) => path,
        };
        let place = path.display().to_string();
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(|e| Error::from(e).at(&place))?;
        Ok(Self::File { file, place })
    }

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
