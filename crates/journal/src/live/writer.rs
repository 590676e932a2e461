//! The one that appends.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a full segment is changed for the next with the helper; appending does not"
)]

use std::sync::atomic::Ordering;
use std::sync::mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_memory::{seqlock, Appender, SnapshotWriter};

use super::folder::{failed, Lock};
use super::keeper::Keeper;
use super::layout::{
    checksum, record_bytes, Position, RecordHead, SegmentHead, SourceHashes, DATA_START,
    MAX_PAYLOAD, RECORD_HEAD,
};
use super::options::{Options, SyncPolicy};
use super::recovery::Recovered;
use super::segment::Segment;
use super::shared::{Control, Order, Shared};
use super::sources::Sources;

/// How long a full segment waits for the next one before the journal fails.
const ROLL_PATIENCE: Duration = Duration::from_secs(10);

/// Appends records to a journal. Nothing here allocates, locks, or calls the system, but for the
/// change to the next segment, and for [`SyncPolicy::Each`].
pub struct Writer {
    shared: Arc<Shared>,
    options: Options,
    schema: u32,
    sources: SourceHashes,
    segment: Arc<Segment>,
    appender: Appender,
    /// Whether the active segment has its header.
    begun: bool,
    /// Segments that were filled since the last commit.
    rolled: Option<Filled>,
    /// Behind the last record appended.
    position: Position,
    /// End of the active segment at the last commit.
    committed_end: usize,
    /// Sequence of the last committed record.
    committed_sequence: u64,
    spares: Receiver<Segment>,
    orders: SyncSender<Order>,
    committed: SnapshotWriter<Position>,
    keeper: Option<JoinHandle<()>>,
    /// The right to write goes last.
    _lock: Lock,
}

/// A full segment whose last records are not committed yet.
#[derive(Debug)]
struct Filled {
    segment: Arc<Segment>,
    appender: Appender,
    last_sequence: u64,
}

impl Writer {
    /// Goes on behind what a recovery found, in a segment of its own. `schema` is the version of the
    /// records' layouts.
    ///
    /// # Errors
    /// When the options do not fit, or the disk has no room for a segment.
    pub fn open(
        recovered: Recovered,
        options: Options,
        schema: u32,
        sources: &Sources,
    ) -> Result<(Self, Control)> {
        options.validate()?;
        let Recovered { folder, lock, position, chain, sealed, next_segment, .. } = recovered;
        let hashes = sources.store(&folder)?;
        let first = Segment::create(&folder, next_segment, options.segment_bytes)
            .map_err(|e| failed(&folder.segment(next_segment), "cannot make a segment", &e))?;
        let first = Arc::new(first);
        let appender = first.appender()?;
        let shared = Arc::new(Shared::default());
        let (orders, received) = sync_channel(16);
        let (give, spares) = sync_channel(1);
        let (committed, reader) = seqlock(&position);
        let control = Control {
            shared: shared.clone(),
            orders: orders.clone(),
            position: reader,
            folder: folder.clone(),
            sources: hashes,
        };
        let keeper =
            Keeper::new(shared.clone(), folder, options.clone(), schema, hashes, chain, sealed);
        let keeper = keeper.start(first.clone(), received, give)?;
        let writer = Self {
            shared,
            options,
            schema,
            sources: hashes,
            segment: first,
            appender,
            begun: false,
            rolled: None,
            position,
            committed_end: DATA_START,
            committed_sequence: position.sequence,
            spares,
            orders,
            committed,
            keeper: Some(keeper),
            _lock: lock,
        };
        Ok((writer, control))
    }

    /// Appends a record whose payload is the parts in a row, and returns its sequence. `cause` 0
    /// stands for its own sequence.
    ///
    /// # Errors
    /// When the disk is full or failed, or the payload is too large; nothing was appended then.
    #[inline]
    pub fn append(
        &mut self,
        kind: u16,
        time_ns: TimeNs,
        cause: u64,
        payload: &[&[u8]],
    ) -> Result<u64> {
        let len = payload.iter().map(|part| part.len()).sum::<usize>();
        let bytes = record_bytes(len);
        if bytes > self.room() {
            self.make_room(len)?;
        }
        if !self.begun {
            self.begin(time_ns);
        }
        let sequence = self.position.sequence + 1;
        let cause = if cause == 0 { sequence } else { cause };
        let Some(into) = self.appender.take(bytes) else { return Err(no_room()) };
        let Some(head) = into.first_chunk_mut::<RECORD_HEAD>() else { return Err(no_room()) };
        let len = len as u32;
        RecordHead { check: 0, sequence, time_ns, cause, len, kind, reserved: 0 }.write(head);
        let mut at = RECORD_HEAD;
        for part in payload {
            into[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        // A file's fresh blocks are zero, and so is what fills the payload up.
        let link = checksum(self.position.link, &into[8..]);
        into[..8].copy_from_slice(&link.to_le_bytes());
        self.position.offset += bytes as u64;
        self.position.sequence = sequence;
        self.position.link = link;
        Ok(sequence)
    }

    /// The sequence that the next record will get.
    #[inline]
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.position.sequence + 1
    }

    /// Lets readers see what was appended, and makes it safe by the sync policy.
    ///
    /// # Errors
    /// When the disk failed, or somebody cut the file.
    #[inline]
    pub fn commit(&mut self) -> Result<()> {
        if let Some(filled) = self.rolled.take() {
            self.end(&filled)?;
        }
        let end = self.appender.end();
        if end != self.committed_end {
            self.appender.publish();
            if self.options.sync == SyncPolicy::Each {
                self.sync(&self.segment, end)?;
            }
            self.committed_end = end;
            self.committed_sequence = self.position.sequence;
            self.committed.write(&self.position);
        }
        if self.shared.failed.load(Ordering::Relaxed) || self.segment.map().faulted() {
            return Err(self.failure());
        }
        Ok(())
    }

    /// Commits, seals the segment and ends the helper thread. The journal is whole on the disk when
    /// this returns, unless the policy is [`SyncPolicy::Process`].
    ///
    /// # Errors
    /// When the disk failed.
    pub fn close(mut self) -> Result<()> {
        self.commit()?;
        self.finish();
        if self.shared.failed.load(Ordering::Acquire) {
            return Err(self.shared.trouble());
        }
        Ok(())
    }

    /// Bytes that the next record may take in this segment. The reserve counts while a next segment
    /// is there, or when the session is being closed.
    #[inline]
    fn room(&self) -> usize {
        let room = self.appender.room();
        let all = self.shared.spare_ready.load(Ordering::Relaxed)
            || self.shared.closing.load(Ordering::Relaxed);
        if all {
            room
        } else {
            room.saturating_sub(self.options.reserve_bytes)
        }
    }

    /// Gives the active segment its header.
    #[cold]
    fn begin(&mut self, time_ns: TimeNs) {
        self.segment.begin(&SegmentHead {
            schema: self.schema,
            number: self.segment.number,
            first_sequence: self.position.sequence + 1,
            link: self.position.link,
            first_time_ns: time_ns,
            sources: self.sources,
        });
        self.position.segment = self.segment.number;
        self.position.offset = DATA_START as u64;
        self.begun = true;
    }

    /// Changes to the next segment.
    #[cold]
    fn make_room(&mut self, payload: usize) -> Result<()> {
        let largest = self.options.largest_record();
        if payload > MAX_PAYLOAD || record_bytes(payload) > largest {
            return Err(Error::new(
                ErrorKind::Capacity,
                format!(
                    "a record of {payload} bytes is too large for the journal: at most {}",
                    MAX_PAYLOAD.min(largest - RECORD_HEAD)
                ),
            ));
        }
        let spare = self.next_segment()?;
        // What is still to be committed of a segment before this one is let go first: only a batch
        // larger than a whole segment comes here twice.
        if let Some(filled) = self.rolled.take() {
            self.end(&filled)?;
        }
        let appender = spare.appender()?;
        let segment = std::mem::replace(&mut self.segment, Arc::new(spare));
        let appender = std::mem::replace(&mut self.appender, appender);
        let last_sequence = self.position.sequence;
        self.rolled = Some(Filled { segment, appender, last_sequence });
        self.begun = false;
        self.committed_end = DATA_START;
        self.shared.rolls.fetch_add(1, Ordering::Relaxed);
        self.tell(Order::Begun(self.segment.clone()));
        Ok(())
    }

    /// The segment that the helper has ready, waited for when it is being made.
    fn next_segment(&mut self) -> Result<Segment> {
        match self.spares.try_recv() {
            Ok(spare) => return Ok(self.took(spare)),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(self.failure()),
        }
        self.shared.roll_waits.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + ROLL_PATIENCE;
        loop {
            if self.shared.full.load(Ordering::Acquire) {
                return Err(self.shared.trouble());
            }
            if Instant::now() > until {
                return Err(too_slow(&self.segment));
            }
            match self.spares.recv_timeout(Duration::from_millis(1)) {
                Ok(spare) => return Ok(self.took(spare)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.failure()),
            }
        }
    }

    fn took(&self, spare: Segment) -> Segment {
        self.shared.spare_ready.store(false, Ordering::Relaxed);
        spare
    }

    /// Publishes the last records of a full segment and has it sealed.
    #[cold]
    fn end(&self, filled: &Filled) -> Result<()> {
        let end = filled.appender.end();
        filled.appender.publish();
        if self.options.sync == SyncPolicy::Each {
            self.sync(&filled.segment, end)?;
        }
        filled.segment.end_at(end);
        let last_sequence = filled.last_sequence;
        self.tell(Order::Ended { segment: filled.segment.clone(), end, last_sequence });
        Ok(())
    }

    fn tell(&self, order: Order) {
        // Only a helper that ended does not take it, and it said why.
        let _ = self.orders.send(order);
    }

    #[cold]
    fn sync(&self, segment: &Segment, end: usize) -> Result<()> {
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        segment.map().sync(0, end).map_err(|e| failed(&segment.path, "cannot sync", &e))
    }

    #[cold]
    fn failure(&self) -> Error {
        if self.segment.map().faulted() {
            return Error::new(
                ErrorKind::Io,
                format!(
                    "{}: the disk failed, or somebody cut the file, while it was being written",
                    self.segment.path.display()
                ),
            );
        }
        self.shared.trouble()
    }

    /// Ends at what is committed, and waits for the helper.
    fn finish(&mut self) {
        let Some(keeper) = self.keeper.take() else { return };
        if let Some(filled) = self.rolled.take() {
            // Its last records are not committed; they are whole, and explain no effect.
            let _ = self.end(&filled);
            self.committed_sequence = filled.last_sequence;
        }
        if self.begun {
            let end = self.segment.map().published().max(DATA_START);
            self.segment.end_at(end);
            let (segment, last_sequence) = (self.segment.clone(), self.committed_sequence);
            self.tell(Order::Ended { segment, end, last_sequence });
        }
        self.tell(Order::Stop);
        let _ = keeper.join();
        let unused = [(!self.begun).then(|| self.segment.path.clone())];
        let spare = self.spares.try_recv().ok().map(|spare| spare.path.clone());
        for path in unused.into_iter().flatten().chain(spare) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cold]
fn too_slow(segment: &Segment) -> Error {
    Error::new(
        ErrorKind::Io,
        format!(
            "{}: is full, and the disk did not give the next segment within {} s",
            segment.path.display(),
            ROLL_PATIENCE.as_secs()
        ),
    )
}

#[cold]
fn no_room() -> Error {
    Error::new(ErrorKind::Internal, "a segment has less room than was reckoned")
}
