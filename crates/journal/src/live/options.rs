//! How a journal is kept.

use std::path::PathBuf;

use mainspring_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::layout::{record_bytes, DATA_START, MAX_PAYLOAD};

/// What survives what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncPolicy {
    /// The death of the process loses nothing. A power loss loses what the system had not written,
    /// about half a minute.
    Process,
    /// As above, and a power loss loses at most what came within so many milliseconds. Another
    /// thread does it, so that nothing waits.
    IntervalMs(u32),
    /// Nothing is lost: every commit waits for the disk.
    Each,
}

/// How a journal is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bytes of one segment. Two are mapped at a time.
    pub segment_bytes: usize,
    /// What survives what.
    pub sync: SyncPolicy,
    /// Segments behind the oldest kept snapshot are archived or removed beyond so many bytes.
    pub retain_bytes: u64,
    /// The segments never take more: the journal is full then, as when the disk is.
    pub max_bytes: u64,
    /// Where segments go instead of being removed.
    pub archive: Option<PathBuf>,
    /// Bytes at the end of the last segment on a full disk that only closing records may use.
    pub reserve_bytes: usize,
    /// How many snapshots are kept, at least one.
    pub keep_snapshots: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            sync: SyncPolicy::IntervalMs(100),
            retain_bytes: 1 << 30,
            max_bytes: 16 << 30,
            archive: None,
            reserve_bytes: 1 << 20,
            keep_snapshots: 3,
        }
    }
}

/// Smallest segment.
const MIN_SEGMENT: usize = 64 << 10;
/// Largest segment.
const MAX_SEGMENT: usize = 1 << 30;

impl Options {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, format!("journal: {what}")));
        let Self { segment_bytes, reserve_bytes, max_bytes, .. } = *self;
        if !(MIN_SEGMENT..=MAX_SEGMENT).contains(&segment_bytes)
            || !segment_bytes.is_multiple_of(DATA_START)
        {
            return wrong(format!(
                "segment_bytes {segment_bytes}: give a multiple of {DATA_START} from {MIN_SEGMENT} to {MAX_SEGMENT}"
            ));
        }
        if reserve_bytes > segment_bytes / 2 {
            return wrong(format!(
                "reserve_bytes {reserve_bytes} is more than half a segment of {segment_bytes}"
            ));
        }
        if max_bytes < 3 * segment_bytes as u64 {
            return wrong(format!(
                "max_bytes {max_bytes} does not hold three segments of {segment_bytes}"
            ));
        }
        if matches!(self.sync, SyncPolicy::IntervalMs(0)) {
            return wrong("sync interval_ms 0: give at least 1, or sync = \"each\"".into());
        }
        if self.keep_snapshots == 0 {
            return wrong("keep_snapshots 0: keep at least one".into());
        }
        Ok(())
    }

    /// The largest record that a segment takes, with its head.
    pub(crate) fn largest_record(&self) -> usize {
        record_bytes(MAX_PAYLOAD).min(self.segment_bytes - DATA_START - self.reserve_bytes)
    }
}
