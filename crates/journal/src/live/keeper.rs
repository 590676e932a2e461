//! The helper thread of a writer: it makes segments ahead, syncs, seals, keeps snapshots, and removes
//! what nobody needs.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the journal's helper: a thread of its own"
)]

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_memory::give_way;

use super::folder::{failed, sync_folder, Folder};
use super::layout::{Chain, Hash, Position, Seal, SourceHashes, DATA_START};
use super::options::{Options, SyncPolicy};
use super::segment::Segment;
use super::shared::{Order, Shared, StateBytes};
use super::snapshot::{keep_newest, Snapshot};

/// How often it looks around without being told anything.
const TICK: Duration = Duration::from_millis(20);
/// How often it tries again when the disk was full.
const FULL_RETRY: Duration = Duration::from_secs(1);
/// Bytes ahead of the end whose pages are kept writable after the system wrote them back.
const WARM_BYTES: usize = 256 << 10;

/// A sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub number: u64,
    pub last_sequence: u64,
    pub bytes: u64,
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    folder: Folder,
    options: Options,
    schema: u32,
    sources: SourceHashes,
    /// Hash of the journal up to the last sealed segment.
    chain: Hash,
    /// The segment that is being hashed, its hash so far, and the end of that.
    hashing: Option<(u64, Chain, usize)>,
    sealed: VecDeque<Sealed>,
    /// Sequence of the oldest kept snapshot: what is behind it may go.
    floor: u64,
    active: Option<Arc<Segment>>,
    /// The active segment, and those that ended and are not sealed yet.
    unsealed: u64,
    next_number: u64,
    has_spare: bool,
    tried_full: Option<Instant>,
    synced: Instant,
    synced_end: usize,
}

impl Keeper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        folder: Folder,
        options: Options,
        schema: u32,
        sources: SourceHashes,
        chain: Hash,
        sealed: Vec<Sealed>,
    ) -> Self {
        Self {
            shared,
            folder,
            options,
            schema,
            sources,
            chain,
            hashing: None,
            sealed: sealed.into(),
            floor: 0,
            active: None,
            unsealed: 1,
            next_number: 0,
            has_spare: false,
            tried_full: None,
            synced: Instant::now(),
            synced_end: 0,
        }
    }

    /// Runs it in a thread of its own.
    pub(crate) fn start(
        mut self,
        first: Arc<Segment>,
        orders: Receiver<Order>,
        spares: SyncSender<Segment>,
    ) -> Result<JoinHandle<()>> {
        self.next_number = first.number + 1;
        self.active = Some(first);
        self.floor = keep_newest(&self.folder, self.options.keep_snapshots)?;
        let newest = self.folder.snapshot_sequences()?.last().copied().unwrap_or(0);
        self.shared.snapshot_sequence.store(newest, Ordering::Relaxed);
        self.count();
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || self.run(&orders, &spares))
            .map_err(Error::from)
    }

    fn run(mut self, orders: &Receiver<Order>, spares: &SyncSender<Segment>) {
        give_way();
        loop {
            self.prepare(spares);
            match orders.recv_timeout(self.nap()) {
                Ok(Order::Begun(segment)) => self.begun(segment),
                Ok(Order::Ended { segment, end, last_sequence }) => {
                    self.prepare(spares);
                    self.seal(&segment, end, last_sequence);
                }
                Ok(Order::Snapshot { time_ns, position, state }) => {
                    self.snapshot(time_ns, position, state);
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.sync_in_time();
        }
    }

    fn nap(&self) -> Duration {
        match self.options.sync {
            SyncPolicy::IntervalMs(ms) => TICK.min(Duration::from_millis(u64::from(ms))),
            _ => TICK,
        }
    }

    fn begun(&mut self, segment: Arc<Segment>) {
        self.active = Some(segment);
        self.unsealed += 1;
        self.synced_end = 0;
        self.has_spare = false;
    }

    /// Has the next segment ready.
    fn prepare(&mut self, spares: &SyncSender<Segment>) {
        let resting = self.tried_full.is_some_and(|at| at.elapsed() < FULL_RETRY);
        if self.has_spare || resting {
            return;
        }
        match self.make_spare() {
            Ok(spare) => {
                self.next_number += 1;
                self.has_spare = true;
                self.tried_full = None;
                self.shared.full.store(false, Ordering::Release);
                // Said before it is there: the writer takes it back when it has it.
                self.shared.spare_ready.store(true, Ordering::Release);
                let _ = spares.try_send(spare);
            }
            Err(error) => {
                self.tried_full = Some(Instant::now());
                self.shared.set_full(error);
            }
        }
    }

    fn make_spare(&mut self) -> Result<Segment> {
        let bytes = self.options.segment_bytes as u64;
        let open = (self.unsealed + 1) * bytes;
        while self.sealed_bytes() + open > self.options.max_bytes {
            if !self.remove_oldest() {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!(
                        "{}: the journal is full: its segments take max_bytes ({}), and no more of them lie behind a snapshot; take a snapshot or raise max_bytes",
                        self.folder.path().display(),
                        self.options.max_bytes
                    ),
                ));
            }
        }
        let made = Segment::create(&self.folder, self.next_number, self.options.segment_bytes);
        let made = made.and_then(|segment| sync_folder(self.folder.path()).map(|()| segment));
        made.map_err(|e| {
            Error::new(
                ErrorKind::Io,
                format!(
                    "{}: the journal's disk has no room for another segment of {bytes} bytes: {e}; free space, the closing records still fit",
                    self.folder.path().display()
                ),
            )
        })
    }

    fn seal(&mut self, segment: &Arc<Segment>, end: usize, last_sequence: u64) {
        self.hash_up_to(segment, end);
        let Some((_, chain, _)) = self.hashing.take() else { return };
        let seal = Seal { end: end as u64, before: self.chain, after: chain.hash() };
        if let Err(error) = segment.seal(&seal) {
            return self.shared.fail(error);
        }
        self.chain = seal.after;
        self.unsealed -= 1;
        self.sealed.push_back(Sealed { number: segment.number, last_sequence, bytes: end as u64 });
        self.retain();
    }

    /// Takes what was published since into the hash of the oldest segment that is not sealed, so that
    /// little is left to do when it ends.
    fn hash_up_to(&mut self, segment: &Segment, end: usize) {
        let known = self.hashing.take().filter(|(number, ..)| *number == segment.number);
        let (number, mut chain, from) = known.unwrap_or_else(|| {
            (segment.number, Chain::begin(&self.chain, segment.number), DATA_START)
        });
        if let Some(data) = segment.map().bytes(from, end) {
            chain.extend(data);
        }
        self.hashing = Some((number, chain, end.max(from)));
    }

    /// Removes what lies behind the oldest kept snapshot and is more than should be kept.
    fn retain(&mut self) {
        while self.sealed_bytes() > self.options.retain_bytes && self.remove_oldest() {}
        self.count();
    }

    /// Removes or archives the oldest segment when nothing needs it. The one that holds the record of
    /// the oldest kept snapshot stays, and the newest sealed one: the journal's hash goes on from it.
    fn remove_oldest(&mut self) -> bool {
        let Some(oldest) = self.sealed.front().copied() else { return false };
        if self.sealed.len() < 2 || oldest.last_sequence >= self.floor {
            return false;
        }
        let path = self.folder.segment(oldest.number);
        let done = match &self.options.archive {
            Some(archive) => move_to(&path, archive),
            None => fs::remove_file(&path),
        };
        match done {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => {
                self.shared.archive_failures.fetch_add(1, Ordering::Relaxed);
                return false;
            }
        }
        self.sealed.pop_front();
        self.shared.removed_segments.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn sealed_bytes(&self) -> u64 {
        self.sealed.iter().map(|sealed| sealed.bytes).sum()
    }

    fn count(&self) {
        self.shared.sealed_bytes.store(self.sealed_bytes(), Ordering::Relaxed);
        self.shared.segments.store(self.sealed.len() as u64, Ordering::Relaxed);
    }

    /// Writes what came to the disk when the interval is over, and keeps the pages writable that the
    /// next records need.
    fn sync_in_time(&mut self) {
        let Some(active) = self.active.clone() else { return };
        let map = active.map();
        let end = map.published();
        if self.unsealed == 1 && end > DATA_START {
            self.hash_up_to(&active, end);
        }
        if let SyncPolicy::IntervalMs(ms) = self.options.sync {
            let due = self.synced.elapsed() >= Duration::from_millis(u64::from(ms));
            if due && end > self.synced_end.max(DATA_START) {
                if let Err(error) = self.sync_active(&active, end) {
                    self.shared.fail(error);
                }
            }
        }
        let _ = map.prefault(0, DATA_START);
        let _ = map.prefault(end, end + WARM_BYTES);
    }

    fn sync_active(&mut self, active: &Segment, end: usize) -> Result<()> {
        let map = active.map();
        map.let_go(self.synced_end.max(DATA_START), end);
        map.sync(0, end).map_err(|e| failed(&active.path, "cannot sync", &e))?;
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        self.synced = Instant::now();
        self.synced_end = end;
        Ok(())
    }

    fn snapshot(&mut self, time_ns: TimeNs, position: Position, state: StateBytes) {
        match self.write_snapshot(time_ns, position, state) {
            Ok(()) => self.shared.snapshot_sequence.store(position.sequence, Ordering::Relaxed),
            Err(_) => {
                self.shared.snapshot_failures.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.shared.snapshot_pending.store(false, Ordering::Release);
    }

    fn write_snapshot(
        &mut self,
        time_ns: TimeNs,
        position: Position,
        state: StateBytes,
    ) -> Result<()> {
        let state = state()?;
        // First what led to it.
        if let Some(active) = self.active.clone() {
            self.sync_active(&active, active.map().published())?;
        }
        let (schema, sources) = (self.schema, self.sources);
        Snapshot { schema, time_ns, position, sources, state }.write(&self.folder)?;
        self.floor = keep_newest(&self.folder, self.options.keep_snapshots)?;
        self.retain();
        Ok(())
    }
}

/// Moves a file into a folder, also to another disk.
fn move_to(path: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let target = folder.join(path.file_name().unwrap_or_default());
    if fs::rename(path, &target).is_ok() {
        return sync_folder(folder);
    }
    let partial = target.with_extension("part");
    fs::copy(path, &partial)?;
    fs::File::open(&partial)?.sync_all()?;
    fs::rename(&partial, &target)?;
    sync_folder(folder)?;
    fs::remove_file(path)
}
