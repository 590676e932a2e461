//! A snapshot of plain data that one thread replaces and any thread reads whole.
//!
//! The writer never waits. A reader that overlaps with a write reads again. The data is kept in
//! atomic words, so that an overlapping read is a wrong value that is thrown away, and no data race.
//! Orderings after H.-J. Boehm, "Can seqlocks get along with programming language memory models?"
//! (MSPC 2012), figure 6.

use std::fmt;
use std::marker::PhantomData;

use bytemuck::{Pod, Zeroable};

use crate::padded::Padded;
use crate::sync::{fence, spin_loop, Arc, AtomicU64, Ordering};

struct Shared {
    /// Odd while a write is under way.
    version: Padded<AtomicU64>,
    words: Box<[AtomicU64]>,
}

/// The side that writes. There is exactly one.
pub struct SnapshotWriter<T> {
    shared: Arc<Shared>,
    version: u64,
    kind: PhantomData<fn(T)>,
}

/// A side that reads; clone it for further threads.
pub struct SnapshotReader<T> {
    shared: Arc<Shared>,
    kind: PhantomData<fn() -> T>,
}

/// A snapshot with its first value.
#[must_use]
pub fn seqlock<T: Pod>(first: &T) -> (SnapshotWriter<T>, SnapshotReader<T>) {
    let count = size_of::<T>().div_ceil(8);
    let words = (0..count).map(|_| AtomicU64::new(0)).collect();
    let shared = Arc::new(Shared { version: Padded(AtomicU64::new(0)), words });
    let mut writer = SnapshotWriter { shared: shared.clone(), version: 0, kind: PhantomData };
    writer.write(first);
    (writer, SnapshotReader { shared, kind: PhantomData })
}

impl<T: Pod> SnapshotWriter<T> {
    /// Replaces the value. Wait-free, without allocation.
    #[inline]
    pub fn write(&mut self, value: &T) {
        let shared = &*self.shared;
        shared.version.store(self.version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let mut chunks = bytemuck::bytes_of(value).chunks(8);
        for word in &shared.words {
            let mut bytes = [0_u8; 8];
            if let Some(chunk) = chunks.next() {
                bytes[..chunk.len()].copy_from_slice(chunk);
            }
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        self.version += 2;
        shared.version.store(self.version, Ordering::Release);
    }
}

impl<T: Pod> SnapshotReader<T> {
    /// The value, unless a write was under way.
    #[inline]
    #[must_use]
    pub fn try_read(&self) -> Option<T> {
        let before = self.shared.version.load(Ordering::Acquire);
        if before % 2 == 1 {
            return None;
        }
        let mut value = T::zeroed();
        let mut chunks = bytemuck::bytes_of_mut(&mut value).chunks_mut(8);
        for word in &self.shared.words {
            let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            if let Some(chunk) = chunks.next() {
                let len = chunk.len();
                chunk.copy_from_slice(&bytes[..len]);
            }
        }
        fence(Ordering::Acquire);
        (self.shared.version.load(Ordering::Relaxed) == before).then_some(value)
    }

    /// The value, read again until no write came between.
    #[inline]
    #[must_use]
    pub fn read(&self) -> T {
        loop {
            if let Some(value) = self.try_read() {
                return value;
            }
            spin_loop();
        }
    }

    /// Number of values written so far, the first one included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire) / 2
    }
}

impl<T> Clone for SnapshotReader<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), kind: PhantomData }
    }
}

impl<T: Zeroable> fmt::Debug for SnapshotReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotReader").finish_non_exhaustive()
    }
}
