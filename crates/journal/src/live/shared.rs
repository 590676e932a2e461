//! What the writer, its helper thread and whoever watches them know together.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what the helper and its controls share; appending looks at atomics alone"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_memory::SnapshotReader;

use super::folder::Folder;
use super::layout::{Position, SourceHashes};
use super::segment::Segment;

/// What the helper thread is told.
pub(crate) enum Order {
    /// This segment is being written now.
    Begun(Arc<Segment>),
    /// This one ended behind that record.
    Ended { segment: Arc<Segment>, end: usize, last_sequence: u64 },
    /// A state to be kept.
    Snapshot { time_ns: TimeNs, position: Position, state: StateBytes },
    /// No more will come.
    Stop,
}

/// Makes the bytes of a state, in the helper thread.
pub type StateBytes = Box<dyn FnOnce() -> Result<Vec<u8>> + Send>;

#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// A segment is ready to be the next one.
    pub spare_ready: AtomicBool,
    /// Closing records may use the reserve.
    pub closing: AtomicBool,
    /// No further segment can be had.
    pub full: AtomicBool,
    /// Something failed for good; what, is in `trouble`.
    pub failed: AtomicBool,
    pub trouble: Mutex<Option<Error>>,
    pub snapshot_pending: AtomicBool,
    pub snapshot_sequence: AtomicU64,
    pub snapshot_failures: AtomicU64,
    pub sealed_bytes: AtomicU64,
    pub segments: AtomicU64,
    pub removed_segments: AtomicU64,
    pub archive_failures: AtomicU64,
    pub rolls: AtomicU64,
    pub roll_waits: AtomicU64,
    pub syncs: AtomicU64,
}

impl Shared {
    /// Notes why the journal cannot go on.
    #[cold]
    pub(crate) fn fail(&self, error: Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.failed.store(true, Ordering::Release);
    }

    /// Why the disk gives no further segment; forgotten when it does again.
    #[cold]
    pub(crate) fn set_full(&self, why: Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.full.store(true, Ordering::Release);
    }

    #[cold]
    pub(crate) fn trouble(&self) -> Error {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().unwrap_or_else(|| {
            Error::new(ErrorKind::Internal, "the journal failed without saying why")
        })
    }
}

/// Room for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The next segment is there or being made.
    Enough,
    /// There is no further segment: stop in order while the rest of this one lasts.
    LastSegment,
    /// Only closing records are taken.
    Closing,
}

/// Counts of what a journal did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of sealed segments.
    pub sealed_bytes: u64,
    /// Sealed segments.
    pub segments: u64,
    /// Segments removed or archived.
    pub removed_segments: u64,
    /// Segments that could not be archived; they are kept and tried again.
    pub archive_failures: u64,
    /// Times that a segment was full and the next one begun.
    pub rolls: u64,
    /// Times that the next one was not ready and was waited for.
    pub roll_waits: u64,
    /// Times that the disk was waited for, in whichever thread.
    pub syncs: u64,
    /// Behind which record the newest snapshot was taken.
    pub snapshot_sequence: u64,
    /// Snapshots that could not be written.
    pub snapshot_failures: u64,
}

/// A handle on a journal that is being written, for the thread that writes and those that watch.
#[derive(Clone)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
    pub(crate) orders: SyncSender<Order>,
    pub(crate) position: SnapshotReader<Position>,
    pub(crate) folder: Folder,
    pub(crate) sources: SourceHashes,
}

impl Control {
    /// The position behind the last commit.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position.read()
    }

    /// The journal's folder.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What the records are made with.
    #[must_use]
    pub const fn sources(&self) -> &SourceHashes {
        &self.sources
    }

    /// Lets closing records use the reserve: called by whoever ends the session because the disk is
    /// full.
    pub fn begin_closing(&self) {
        self.shared.closing.store(true, Ordering::Release);
    }

    /// Room for records.
    #[must_use]
    pub fn space(&self) -> Space {
        let full = self.shared.full.load(Ordering::Acquire);
        match (full, self.shared.closing.load(Ordering::Acquire)) {
            (_, true) => Space::Closing,
            (true, false) => Space::LastSegment,
            (false, false) => Space::Enough,
        }
    }

    /// Why there is no further segment, or why the journal failed.
    #[must_use]
    pub fn trouble(&self) -> Option<Error> {
        let any =
            self.shared.full.load(Ordering::Acquire) || self.shared.failed.load(Ordering::Acquire);
        any.then(|| self.shared.trouble())
    }

    /// Counts.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let shared = &self.shared;
        Stats {
            sealed_bytes: of(&shared.sealed_bytes),
            segments: of(&shared.segments),
            removed_segments: of(&shared.removed_segments),
            archive_failures: of(&shared.archive_failures),
            rolls: of(&shared.rolls),
            roll_waits: of(&shared.roll_waits),
            syncs: of(&shared.syncs),
            snapshot_sequence: of(&shared.snapshot_sequence),
            snapshot_failures: of(&shared.snapshot_failures),
        }
    }

    /// Keeps a state as of the last commit: the thread that writes calls this between inputs, and the
    /// helper thread makes the bytes and writes them. False before the first record, and while the
    /// snapshot before is still being written: nothing was taken then.
    pub fn snapshot(&self, time_ns: TimeNs, state: StateBytes) -> bool {
        if self.position().sequence == 0
            || self.shared.snapshot_pending.swap(true, Ordering::AcqRel)
        {
            return false;
        }
        let order = Order::Snapshot { time_ns, position: self.position(), state };
        match self.orders.try_send(order) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.snapshot_pending.store(false, Ordering::Release);
                false
            }
        }
    }

    /// Waits until no snapshot is being written; false when `patience` ended first.
    #[must_use]
    pub fn wait_for_snapshot(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.shared.snapshot_pending.load(Ordering::Acquire) {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}
