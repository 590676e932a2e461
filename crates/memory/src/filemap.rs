//! Read-only file maps that survive the file shrinking underneath them.
//!
//! A page of a mapped file that lies beyond the file's end raises SIGBUS when touched, which
//! kills the process: for a Python user, a lost session because somebody else overwrote a file.
//! A [`GuardedMap`] is known to a SIGBUS handler that puts zero pages where the file was and
//! raises a flag; [`GuardedMap::check`] turns the flag into an error. Whoever reads through a map
//! calls `check` after reading and before using what was read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use memmap2::Mmap;

#[cfg(unix)]
pub(crate) mod sigbus;
#[cfg(not(unix))]
#[path = "filemap/unguarded.rs"]
mod sigbus;

pub use sigbus::MAX_GUARDED_MAPS;

/// What went wrong with a file behind a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapFault {
    /// The file is shorter than when it was opened.
    Shrank {
        /// Length when opened.
        opened: u64,
        /// Length now.
        now: u64,
    },
    /// A page could not be read: the file shrank for a moment, or the disk failed.
    Unreadable,
    /// The file was written to after it was opened.
    Changed,
}

impl std::fmt::Display for MapFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shrank { opened, now } => write!(
                f,
                "the file shrank while it was being read: {opened} bytes when opened, {now} now"
            ),
            Self::Unreadable => f.write_str(
                "a part of the file could not be read: it shrank while it was being read, or the \
                 disk failed",
            ),
            Self::Changed => f.write_str("the file was written to while it was being read"),
        }
    }
}

impl std::error::Error for MapFault {}

/// The bytes of a file, mapped where the platform allows it, 64-byte aligned.
#[derive(Debug)]
pub struct GuardedMap {
    file: File,
    opened_len: u64,
    opened_mtime: Option<SystemTime>,
    poisoned: AtomicBool,
    // Dropped before `bytes`: a guard never outlives its map's address range.
    guard: Option<sigbus::Guard>,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Owned { lines: Vec<CacheLine>, len: usize },
}

/// Gives bytes read into memory the alignment that a map has at least.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct CacheLine([u8; 64]);

impl GuardedMap {
    /// Maps a whole file for reading. When [`MAX_GUARDED_MAPS`] maps exist already, the file is
    /// read into memory instead.
    ///
    /// # Errors
    /// When the file cannot be opened, mapped or read.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let len = usize::try_from(metadata.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::Unsupported, "too large for this machine")
        })?;
        // SAFETY: the map is private to this value and read-only. The file may still be written
        // to or cut by somebody else: cutting is survived through the guard, and both are seen
        // by `check`, which readers call before they use what they read. Rows read from the map
        // are plain old data, valid for any bit pattern.
        let map = unsafe { Mmap::map(&file) };
        let guarded = map.ok().and_then(|map| {
            sigbus::Guard::register(map.as_ptr() as usize, map.len()).map(|guard| (map, guard))
        });
        let (bytes, guard) = match guarded {
            Some((map, guard)) => (Bytes::Mapped(map), Some(guard)),
            None => (read_whole(&file, len)?, None),
        };
        Ok(Self {
            file,
            opened_len: metadata.len(),
            opened_mtime: modified(&metadata),
            poisoned: AtomicBool::new(false),
            guard,
            bytes,
        })
    }

    /// The bytes. What is read from them counts only after [`GuardedMap::check`] has said yes.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned { lines, len } => {
                // SAFETY: `lines` holds at least `len` initialised bytes (see `read_whole`), and
                // `u8` has no alignment or validity demands.
                unsafe { std::slice::from_raw_parts(lines.as_ptr().cast::<u8>(), *len) }
            }
        }
    }

    /// Whether the bytes are mapped, not copied.
    #[must_use]
    pub const fn is_mapped(&self) -> bool {
        matches!(self.bytes, Bytes::Mapped(_))
    }

    /// Whether everything read so far really came from the file as it was when opened.
    ///
    /// # Errors
    /// What happened to the file. Once failed, it fails for ever.
    pub fn check(&self) -> Result<(), MapFault> {
        if !self.is_mapped() {
            return Ok(());
        }
        let metadata = self.file.metadata().map_err(|_| self.poison(MapFault::Unreadable))?;
        if metadata.len() < self.opened_len {
            let fault = MapFault::Shrank { opened: self.opened_len, now: metadata.len() };
            return Err(self.poison(fault));
        }
        if self.guard.as_ref().is_some_and(sigbus::Guard::faulted) {
            return Err(self.poison(MapFault::Unreadable));
        }
        if modified(&metadata) != self.opened_mtime || self.poisoned.load(Ordering::Relaxed) {
            return Err(self.poison(MapFault::Changed));
        }
        Ok(())
    }

    fn poison(&self, fault: MapFault) -> MapFault {
        self.poisoned.store(true, Ordering::Relaxed);
        fault
    }

    /// Tells the system that the file will be read from front to back.
    pub fn advise_sequential(&self) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.bytes {
            // Only a hint: a system that refuses it reads all the same.
            let _ = map.advise(memmap2::Advice::Sequential);
        }
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

fn read_whole(mut file: &File, len: usize) -> io::Result<Bytes> {
    let mut lines = vec![CacheLine([0; 64]); len.div_ceil(64)];
    // SAFETY: the vector owns `lines.len() * 64 >= len` initialised bytes, borrowed mutably here
    // only; `CacheLine` is an array of `u8` without padding.
    let bytes = unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<u8>(), len) };
    file.read_exact(bytes)?;
    Ok(Bytes::Owned { lines, len })
}
