//! Memory that one appender fills and everybody reads in place, also from other processes.
//!
//! A map has two regions. The words before `data_start` are read and written as atomics only. The
//! bytes from `data_start` on are written once, by the one [`Appender`], and may be read only below
//! the published end, a word of the first region. So no byte is ever read while it is written.
//! Readers map the file read-only, and a file that is cut underneath them kills nobody (see
//! [`crate::filemap`]).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use crate::filemap::sigbus;

/// A multiple of every system's page: ranges that the system is asked about begin at one.
const PAGE: usize = 1 << 16;

/// A shared map of a file, or of anonymous memory that behaves alike.
#[derive(Debug)]
pub struct SharedMap {
    base: *mut u8,
    len: usize,
    data_start: usize,
    published_at: usize,
    writable: bool,
    has_appender: AtomicBool,
    guard: Option<sigbus::Guard>,
}

// SAFETY: the map is owned by this value; the words are atomics, and the bytes are handed out only
// below the published end, where nothing writes any more (see the module's text).
unsafe impl Send for SharedMap {}
// SAFETY: as above.
unsafe impl Sync for SharedMap {}

/// The only writer of a map's bytes.
#[derive(Debug)]
pub struct Appender {
    map: Arc<SharedMap>,
    end: usize,
}

/// How the two regions of a map are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Where the bytes begin; a multiple of 8.
    pub data_start: usize,
    /// The word that holds the published end; a multiple of 8 below `data_start`.
    pub published_at: usize,
}

impl SharedMap {
    /// Allocates `len` bytes of real disk blocks for an empty file, maps them and touches every page.
    ///
    /// # Errors
    /// When the disk is full or the system refuses the map.
    pub fn create(file: &File, len: usize, layout: Layout) -> io::Result<Self> {
        allocate(file, len)?;
        let map = Self::map(file.as_raw_fd(), len, layout, true)?;
        map.prefault(0, len)?;
        Ok(map)
    }

    /// Maps a file for reading.
    ///
    /// # Errors
    /// When the file is shorter than its layout or cannot be mapped.
    pub fn open(file: &File, layout: Layout) -> io::Result<Self> {
        let len = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::new(io::ErrorKind::Unsupported, "too large to map"))?;
        Self::map(file.as_raw_fd(), len, layout, false)
    }

    /// Memory without a file, zeroed.
    ///
    /// # Errors
    /// When there is not enough of it.
    pub fn anonymous(len: usize, layout: Layout) -> io::Result<Self> {
        Self::map(-1, len, layout, true)
    }

    fn map(fd: libc::c_int, len: usize, layout: Layout, writable: bool) -> io::Result<Self> {
        let Layout { data_start, published_at } = layout;
        let fits = data_start <= len && published_at + 8 <= data_start;
        if !fits || !data_start.is_multiple_of(8) || !published_at.is_multiple_of(8) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too short for its header"));
        }
        let access = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let kind = if fd < 0 { libc::MAP_SHARED | libc::MAP_ANON } else { libc::MAP_SHARED };
        // SAFETY: a fresh map at an address of the system's choice; `fd` is open or -1 with
        // MAP_ANON, and the result is checked.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, access, kind, fd, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let guard =
            if fd < 0 { None } else { sigbus::Guard::register_as(base as usize, len, writable) };
        let base = base.cast::<u8>();
        let has_appender = AtomicBool::new(false);
        Ok(Self { base, len, data_start, published_at, writable, has_appender, guard })
    }

    /// Length of the map in bytes.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the map is empty; it never is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the bytes begin.
    #[must_use]
    pub const fn data_start(&self) -> usize {
        self.data_start
    }

    /// Whether it may be written.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.writable
    }

    /// Loads a word of the first region. `None` outside of it.
    #[inline]
    #[must_use]
    pub fn load(&self, offset: usize, ordering: Ordering) -> Option<u64> {
        self.word(offset).map(|word| word.load(ordering))
    }

    /// Stores a word of the first region; false outside of it or in a map for reading.
    #[inline]
    pub fn store(&self, offset: usize, value: u64, ordering: Ordering) -> bool {
        let word = self.word(offset).filter(|_| self.writable);
        word.inspect(|word| word.store(value, ordering)).is_some()
    }

    /// Copies words of the first region into `into`, as bytes; false outside of it.
    pub fn load_bytes(&self, offset: usize, into: &mut [u8]) -> bool {
        into.chunks_mut(8).enumerate().all(|(index, chunk)| {
            let word = self.load(offset + 8 * index, Ordering::Relaxed);
            let len = chunk.len();
            word.inspect(|word| chunk.copy_from_slice(&word.to_le_bytes()[..len])).is_some()
        })
    }

    /// Stores bytes into words of the first region, the last word filled up with zeros.
    pub fn store_bytes(&self, offset: usize, bytes: &[u8]) -> bool {
        bytes.chunks(8).enumerate().all(|(index, chunk)| {
            let mut word = [0_u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.store(offset + 8 * index, u64::from_le_bytes(word), Ordering::Relaxed)
        })
    }

    #[inline]
    fn word(&self, offset: usize) -> Option<&AtomicU64> {
        if !offset.is_multiple_of(8) || offset + 8 > self.data_start {
            return None;
        }
        // SAFETY: inside the map (`data_start <= len`), aligned (maps begin at a page), alive as long
        // as `self`, and only ever touched as an atomic. Loads from a read-only map are plain.
        Some(unsafe { &*self.base.add(offset).cast::<AtomicU64>() })
    }

    /// End of the bytes that may be read: everything below it is complete and never changes.
    #[inline]
    #[must_use]
    pub fn published(&self) -> usize {
        let end = self.load(self.published_at, Ordering::Acquire).unwrap_or(0);
        usize::try_from(end).unwrap_or(usize::MAX).min(self.len)
    }

    /// Published bytes. `None` when the range is not wholly below the published end.
    #[inline]
    #[must_use]
    pub fn bytes(&self, start: usize, end: usize) -> Option<&[u8]> {
        if start < self.data_start || end < start || end > self.published() {
            return None;
        }
        // SAFETY: inside the map, initialised (files and anonymous maps read as zeros at least), and
        // published: the appender's writes happened before the release store of the end that was
        // acquired above, and it never writes below that end again.
        Some(unsafe { std::slice::from_raw_parts(self.base.add(start), end - start) })
    }

    /// The map's only appender, at the published end (or the beginning of the bytes). `None` for a
    /// second one or in a map for reading.
    #[must_use]
    pub fn appender(self: &Arc<Self>) -> Option<Appender> {
        if !self.writable || self.has_appender.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(Appender { map: self.clone(), end: self.published().max(self.data_start) })
    }

    /// Whether a page could not be had when it was touched: somebody cut the file, or the disk
    /// failed. What was written or read since counts for nothing.
    #[inline]
    #[must_use]
    pub fn faulted(&self) -> bool {
        self.guard.as_ref().is_some_and(sigbus::Guard::faulted)
    }

    /// Makes the pages of a range writable without changing them, so that a later write faults no
    /// page in. Also after a write-back, which makes pages read-only for a while.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub fn prefault(&self, start: usize, end: usize) -> io::Result<()> {
        let start = start.min(self.len) / PAGE * PAGE;
        let end = end.min(self.len);
        if start >= end || !self.writable {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        {
            // SAFETY: a page-aligned range of our own map; the advice changes no contents.
            let done = unsafe {
                libc::madvise(self.base.add(start).cast(), end - start, libc::MADV_POPULATE_WRITE)
            };
            if done == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            // Kernels before 5.14 do not know the advice: first writes fault there.
            if error.raw_os_error() != Some(libc::EINVAL) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Lets go of the whole pages of a range that nobody writes any more; what they hold stays in the
    /// file, and a later read faults them in again. A write-back takes each page that is still mapped
    /// from every processor by itself, which stops a writer on another one thousands of times; this
    /// takes all of them at once.
    pub fn let_go(&self, start: usize, end: usize) {
        let start = start.div_ceil(PAGE) * PAGE;
        let end = end.min(self.len) / PAGE * PAGE;
        #[cfg(target_os = "linux")]
        if start < end {
            // SAFETY: whole pages of our own shared map of a file: the advice drops the mapping of the
            // pages, not what is in them, so that a read or write by anybody finds the same bytes.
            unsafe { libc::madvise(self.base.add(start).cast(), end - start, libc::MADV_DONTNEED) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (start, end);
    }

    /// Writes the bytes of `start..end` to the disk and waits for it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self, start: usize, end: usize) -> io::Result<()> {
        let end = end.min(self.len);
        let start = start.min(end) / PAGE * PAGE;
        // SAFETY: a range of our own map, beginning at a page.
        let done = unsafe { libc::msync(self.base.add(start).cast(), end - start, libc::MS_SYNC) };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        // Before the address range is gone and perhaps another's.
        self.guard = None;
        // SAFETY: the range was mapped by `map` and nothing borrowed from `self` is alive.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}

impl Appender {
    /// The map.
    #[inline]
    #[must_use]
    pub const fn map(&self) -> &Arc<SharedMap> {
        &self.map
    }

    /// End of what was written, published or not.
    #[inline]
    #[must_use]
    pub const fn end(&self) -> usize {
        self.end
    }

    /// Bytes left.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.map.len - self.end
    }

    /// Takes the next `len` bytes to be written. `None` when there is no room.
    #[inline]
    pub fn take(&mut self, len: usize) -> Option<&mut [u8]> {
        if len > self.room() {
            return None;
        }
        let start = self.end;
        self.end += len;
        // SAFETY: inside the map and above the published end, where only this one appender writes
        // and nobody reads; each byte is handed out once, borrowed mutably from the appender.
        Some(unsafe { std::slice::from_raw_parts_mut(self.map.base.add(start), len) })
    }

    /// Publishes what was taken: from now on others may read it and nobody writes it.
    #[inline]
    pub fn publish(&self) {
        self.map.store(self.map.published_at, self.end as u64, Ordering::Release);
    }
}

fn allocate(file: &File, len: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: an open file and a length; the call touches no memory of ours.
        let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len as libc::off_t) };
        if code == 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(code))
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        // Written zeros are real blocks everywhere.
        use std::io::Write;
        let zeros = vec![0_u8; 1 << 20];
        let mut file = file;
        let mut left = len;
        while left > 0 {
            let piece = left.min(zeros.len());
            file.write_all(&zeros[..piece])?;
            left -= piece;
        }
        Ok(())
    }
}
