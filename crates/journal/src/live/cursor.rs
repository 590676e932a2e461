//! Reading a journal in place, also while another process writes it.

#![allow(clippy::disallowed_methods, reason = "readers wait; the writer does not know them")]

use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result};

use super::folder::Folder;
use super::layout::{SegmentHead, DATA_START};
use super::segment::Segment;
use super::walk::{record_at, Fault, Record, Step, Walk};

/// Where a cursor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that is still there, without a gap.
    Oldest,
    /// Behind the record with this sequence; 0 for the very first.
    After(u64),
    /// Behind the newest record: only what comes from now on.
    Newest,
}

/// Records that a reader asked for and cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The sequence that should have come next.
    pub expected: u64,
    /// The one that comes next. Lower than `expected` after a recovery cut damaged records away that
    /// had been read before: what was read of them counts for nothing.
    pub next: u64,
}

/// What a cursor gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A committed record.
    Record(Record<'a>),
    /// Records are missing: they were removed or archived, or cut away.
    Gap(Gap),
    /// Nothing more for now.
    Idle,
}

/// A reader with its own place in a journal. It sees committed records only, follows the journal
/// from segment to segment, and slows nobody down.
#[derive(Debug)]
pub struct Cursor {
    folder: Folder,
    /// The sequence that comes next; 0 for whatever comes first.
    next: u64,
    /// Number of the segment that was entered last; 0 before the first.
    entered: u64,
    open: Option<Open>,
    /// A gap found when a segment was entered, not told yet.
    gap: Option<Gap>,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    head: SegmentHead,
    walk: Walk,
}

/// How long a waiting reader sleeps at first, and at most.
const NAPS: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(2));

impl Cursor {
    /// A cursor on the journal in `folder`.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn open(folder: Folder, start: Start) -> Result<Self> {
        let next = match start {
            Start::Oldest => 0,
            Start::After(sequence) => sequence.saturating_add(1),
            Start::Newest => u64::MAX,
        };
        let mut cursor = Self { folder, next, entered: 0, open: None, gap: None };
        cursor.seek()?;
        if start == Start::Newest {
            cursor.skip_to_end()?;
        }
        Ok(cursor)
    }

    /// The sequence of the record that comes next; 0 when it is not known yet.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The header of the segment that the last record came from.
    #[must_use]
    pub fn head(&self) -> Option<&SegmentHead> {
        self.open.as_ref().map(|open| &open.head)
    }

    /// The folder of the journal.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What comes next, at once.
    ///
    /// # Errors
    /// When the journal is damaged there: the message names file and offset.
    pub fn read(&mut self) -> Result<Item<'_>> {
        let at = loop {
            if let Some(gap) = self.gap.take() {
                self.next = gap.next;
                return Ok(Item::Gap(gap));
            }
            let Some(open) = &mut self.open else {
                if self.enter_next()? {
                    continue;
                }
                return Ok(Item::Idle);
            };
            if let Some((at, sequence)) = open.advance()? {
                if sequence >= self.next {
                    self.next = sequence + 1;
                    break at;
                }
            } else if open.has_ended() {
                self.open = None;
            } else {
                return Ok(Item::Idle);
            }
        };
        let record = self
            .open
            .as_ref()
            .and_then(|open| record_at(open.segment.data(), at, open.head.schema));
        Ok(record.map_or(Item::Idle, Item::Record))
    }

    /// Waits up to `patience` until [`Self::read`] has something to give; false when it has not.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn wait(&mut self, patience: Duration) -> Result<bool> {
        let until = Instant::now() + patience;
        let mut nap = NAPS.0;
        while !self.has_more()? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(nap.min(left));
            nap = (nap * 2).min(NAPS.1);
        }
        Ok(true)
    }

    fn has_more(&mut self) -> Result<bool> {
        if let Some(open) = &self.open {
            if self.gap.is_some() || open.has_published() {
                return Ok(true);
            }
            if !open.has_ended() {
                return Ok(false);
            }
            self.open = None;
        }
        self.enter_next()
    }

    /// Opens the last segment that begins at or before the record that is wanted, or the oldest.
    fn seek(&mut self) -> Result<()> {
        for number in self.folder.segments()?.into_iter().rev() {
            let Some(open) = self.open_segment(number)? else { continue };
            let begins = open.head.first_sequence;
            self.entered = number;
            self.open = Some(open);
            if begins <= self.next && self.next != 0 {
                return Ok(());
            }
        }
        self.arrive();
        Ok(())
    }

    /// Opens the segment after the last one. False when none has begun.
    fn enter_next(&mut self) -> Result<bool> {
        let after = self.folder.segments()?;
        for number in after.into_iter().filter(|number| *number > self.entered) {
            let Some(open) = self.open_segment(number)? else { continue };
            self.entered = number;
            self.open = Some(open);
            self.arrive();
            return Ok(true);
        }
        Ok(false)
    }

    /// Notes whether the segment that was entered begins where it should.
    fn arrive(&mut self) {
        let Some(open) = &self.open else { return };
        let begins = open.head.first_sequence;
        if self.next == 0 {
            self.next = begins;
        }
        if begins != self.next {
            self.gap = Some(Gap { expected: self.next, next: begins });
        }
    }

    fn open_segment(&self, number: u64) -> Result<Option<Open>> {
        let segment = match Segment::open(&self.folder, number) {
            Ok(segment) => segment,
            // Removed since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // Being made.
            Err(_) if self.is_being_made(number) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(head) = segment.head()? else { return Ok(None) };
        let walk =
            Walk::begin(number, head.first_sequence.saturating_sub(1), head.link, head.schema);
        Ok(Some(Open { segment, head, walk }))
    }

    fn is_being_made(&self, number: u64) -> bool {
        let file = std::fs::metadata(self.folder.segment(number));
        file.is_ok_and(|file| file.len() < DATA_START as u64)
    }

    /// Goes behind everything that is committed now.
    fn skip_to_end(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else {
            self.next = 0;
            return Ok(());
        };
        while open.advance()?.is_some() {}
        self.next = open.walk.position().sequence + 1;
        Ok(())
    }
}

impl Open {
    /// Goes over the next record: its offset behind the header, and its sequence.
    #[inline]
    fn advance(&mut self) -> Result<Option<(usize, u64)>> {
        let at = self.walk.position().offset as usize - DATA_START;
        let mut data = self.segment.data();
        if data.len() <= at {
            if !self.is_short() {
                return Ok(None);
            }
            // It ended between two looks at it, or it was cut.
            data = self.segment.data();
        }
        match self.walk.step(data) {
            Step::Record(record) => Ok(Some((at, record.sequence))),
            Step::Fault(fault) => Err(self.damaged(fault)),
            // Everything that is published is records.
            Step::End => Err(self.damaged(Fault::Missing)),
        }
    }

    /// Whether the segment has ended, and not here.
    fn is_short(&self) -> bool {
        self.segment.ended_at().is_some_and(|end| self.walk.position().offset < end)
    }

    /// Whether nothing will follow behind what was read.
    fn has_ended(&self) -> bool {
        self.segment.ended_at().is_some_and(|end| self.walk.position().offset >= end)
    }

    fn has_published(&self) -> bool {
        let end = DATA_START + self.segment.data().len();
        self.walk.position().offset < end as u64
    }

    #[cold]
    fn damaged(&self, fault: Fault) -> Error {
        let place = self.segment.path.display();
        if self.segment.map().faulted() {
            return Error::new(
                ErrorKind::Io,
                format!("{place}: was cut or could not be read while it was being read"),
            );
        }
        Error::new(
            ErrorKind::Mismatch,
            format!(
                "{place}: offset {}: {fault}; see `mainspring journal verify`",
                self.walk.position().offset
            ),
        )
    }
}
