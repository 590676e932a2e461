//! One segment file, mapped: written by one process, read by many.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_memory::{Appender, Layout, SharedMap};

use super::folder::{failed, Folder};
use super::layout::{
    word, HeadFault, Seal, SegmentHead, DATA_START, ENDED_AT, HEAD_READ, PUBLISHED_AT, SEAL_AT,
    SEAL_BYTES,
};

pub(crate) const LAYOUT: Layout = Layout { data_start: DATA_START, published_at: PUBLISHED_AT };

/// Extension of a segment's file while it is being made.
const MAKING: &str = "making";

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub number: u64,
    pub path: PathBuf,
    file: File,
    map: Arc<SharedMap>,
}

impl Segment {
    /// Makes the file of a segment that has not begun, with all its disk blocks and pages there. It
    /// has its name only then: a reader never meets one that is being made.
    pub(crate) fn create(folder: &Folder, number: u64, bytes: usize) -> std::io::Result<Self> {
        let path = folder.segment(number);
        if path.try_exists()? {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        let making = path.with_extension(MAKING);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&making)?;
        let made = SharedMap::create(&file, bytes, LAYOUT)
            .and_then(|map| std::fs::rename(&making, &path).map(|()| map));
        match made {
            Ok(map) => Ok(Self { number, path, file, map: Arc::new(map) }),
            Err(error) => {
                let _ = std::fs::remove_file(&making);
                Err(error)
            }
        }
    }

    /// Maps a segment for reading.
    pub(crate) fn open(folder: &Folder, number: u64) -> Result<Self> {
        let path = folder.segment(number);
        let file = File::open(&path).map_err(|e| failed(&path, "cannot open a segment", &e))?;
        let map = SharedMap::open(&file, LAYOUT)
            .map_err(|e| failed(&path, "cannot map a segment", &e))?;
        Ok(Self { number, path, file, map: Arc::new(map) })
    }

    /// The header; `None` while the segment has not begun.
    pub(crate) fn head(&self) -> Result<Option<SegmentHead>> {
        // The checksum is stored last, so what comes before it is complete when it is there.
        if self.map.load(HEAD_READ - 8, Ordering::Acquire) == Some(0) {
            return Ok(None);
        }
        let mut bytes = [0; HEAD_READ];
        self.map.load_bytes(0, &mut bytes);
        let head = SegmentHead::read(&bytes).map_err(|fault| bad_head(&self.path, fault))?;
        match head {
            Some(head) if head.number != self.number => Err(Error::new(
                ErrorKind::Mismatch,
                format!("{}: says that it is segment {}", self.path.display(), head.number),
            )),
            head => Ok(head),
        }
    }

    /// Writes the header: the segment begins.
    pub(crate) fn begin(&self, head: &SegmentHead) {
        let bytes = head.to_bytes();
        self.map.store_bytes(0, &bytes[..HEAD_READ - 8]);
        let check = word(&bytes, HEAD_READ - 8);
        self.map.store(HEAD_READ - 8, check, Ordering::Release);
    }

    /// The final end; `None` while the segment may still grow.
    #[inline]
    pub(crate) fn ended_at(&self) -> Option<u64> {
        self.map.load(ENDED_AT, Ordering::Acquire).filter(|end| *end != 0)
    }

    /// Tells readers that nothing follows behind `end`, which is published.
    pub(crate) fn end_at(&self, end: usize) {
        self.map.store(ENDED_AT, end as u64, Ordering::Release);
    }

    /// Seals the segment, whose end is published, and gives the rest of its blocks back.
    pub(crate) fn seal(&self, seal: &Seal) -> Result<()> {
        let bytes = seal.to_bytes();
        self.map.store_bytes(SEAL_AT, &bytes[..SEAL_BYTES]);
        self.map.store(SEAL_AT + SEAL_BYTES, word(&bytes, SEAL_BYTES), Ordering::Release);
        self.map.let_go(DATA_START, self.map.len());
        self.map
            .sync(0, seal.end as usize)
            .and_then(|()| self.file.set_len(seal.end))
            .map_err(|e| failed(&self.path, "cannot seal a segment", &e))
    }

    pub(crate) fn map(&self) -> &Arc<SharedMap> {
        &self.map
    }

    pub(crate) fn appender(&self) -> Result<Appender> {
        self.map.appender().ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("{}: is being written already", self.path.display()),
            )
        })
    }

    /// The published records.
    #[inline]
    pub(crate) fn data(&self) -> &[u8] {
        self.map.bytes(DATA_START, self.map.published().max(DATA_START)).unwrap_or(&[])
    }
}

#[cold]
pub(crate) fn bad_head(path: &Path, fault: HeadFault) -> Error {
    let what = match fault {
        HeadFault::Short => "is too short for a segment".to_owned(),
        HeadFault::Checksum => {
            "offset 0: the header of the segment is damaged: its checksum does not fit".to_owned()
        }
        HeadFault::Format(format) => {
            format!("is not a segment that this build can read (format {format})")
        }
    };
    Error::new(ErrorKind::Mismatch, format!("{}: {what}", path.display()))
}
