//! From what is on the disk to where a session goes on.
//!
//! A recovery starts behind a snapshot and reads record after record, each checked against the one
//! before. Where that ends is where the journal ends: what lies behind is moved to `damaged/` and told
//! of. A record that was being written when its process died is no damage; anything else is.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_memory::GuardedMap;
use serde::Serialize;

use super::folder::{failed, sync_folder, Folder, Lock};
use super::keeper::Sealed;
use super::layout::{
    chain, word, Hash, Position, Seal, SegmentHead, SourceHashes, DATA_START, ENDED_AT,
    PUBLISHED_AT, SEAL_AT, SEAL_BYTES,
};
use super::segment::bad_head;
use super::snapshot::Snapshot;
use super::walk::{is_zero, record_at, Record, Step, Walk};

/// Something that was found in a journal's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// Whether bytes are not what was written; otherwise it is only told of.
    pub damage: bool,
}

/// What a recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecoveryReport {
    /// The snapshot that it began with; `None` for the beginning of the journal.
    pub snapshot_sequence: Option<u64>,
    /// Records read behind it.
    pub records: u64,
    /// Sequence of the last good record.
    pub last_sequence: u64,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Bytes moved to `damaged/`.
    pub cut_bytes: u64,
}

/// Reads a journal back; see the module.
#[derive(Debug)]
pub struct Recovery {
    folder: Folder,
    numbers: Vec<u64>,
    snapshot: Option<Snapshot>,
    open: Option<Open>,
    position: Position,
    /// Number of the segment that was entered last.
    entered: u64,
    sources: Option<SourceHashes>,
    schema: u32,
    report: RecoveryReport,
    /// Snapshots from this record on were not wanted.
    limit: Option<u64>,
    done: bool,
}

#[derive(Debug)]
struct Open {
    number: u64,
    path: PathBuf,
    map: GuardedMap,
    walk: Walk,
}

impl Open {
    fn data(&self) -> &[u8] {
        self.map.bytes().get(DATA_START..).unwrap_or(&[])
    }
}

/// Where a recovered journal goes on.
#[derive(Debug)]
pub struct Recovered {
    /// The folder.
    pub folder: Folder,
    /// The right to write.
    pub lock: Lock,
    /// Behind the last good record.
    pub position: Position,
    /// What was done.
    pub report: RecoveryReport,
    pub(crate) chain: Hash,
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) next_segment: u64,
}

impl Recovery {
    /// Begins behind the newest snapshot that is whole and has its place in the journal, or at the
    /// journal's beginning. `before` leaves out snapshots behind that record and later ones.
    ///
    /// # Errors
    /// When there is no snapshot that can be used and the journal's beginning is gone.
    pub fn begin(folder: Folder, before: Option<u64>) -> Result<Self> {
        let numbers = folder.segments()?;
        let mut recovery = Self {
            folder,
            numbers,
            snapshot: None,
            open: None,
            position: Position::default(),
            entered: 0,
            sources: None,
            schema: 0,
            report: RecoveryReport::default(),
            limit: before,
            done: false,
        };
        recovery.choose_snapshot(before)?;
        if recovery.snapshot.is_none() {
            recovery.start_at_beginning()?;
        }
        Ok(recovery)
    }

    /// The snapshot that the records continue; `None` when they begin at the first.
    #[must_use]
    pub const fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// What the records were made with, where they begin. `None` in an empty journal.
    #[must_use]
    pub const fn sources(&self) -> Option<&SourceHashes> {
        self.sources.as_ref()
    }

    /// The journal's folder.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What was found so far.
    #[must_use]
    pub const fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Notes that the session could not take up the snapshot behind `sequence`, and why.
    pub fn note_refused_snapshot(&mut self, sequence: u64, why: &Error) {
        self.report.findings.push(Finding {
            file: self.folder.snapshot(sequence),
            offset: 0,
            what: format!("cannot be taken up: {why}"),
            damage: false,
        });
    }

    /// The next good record; `None` at the end.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        let at = loop {
            if self.done {
                return Ok(None);
            }
            let Some(open) = &mut self.open else {
                self.enter()?;
                continue;
            };
            let at = open.walk.position().offset as usize - DATA_START;
            let data = open.map.bytes().get(DATA_START..).unwrap_or(&[]);
            match open.walk.step(data) {
                Step::Record(_) => break at,
                Step::End => self.leave(),
                Step::Fault(fault) => {
                    self.fault(&fault.to_string());
                }
            }
        };
        let Some(open) = &self.open else { return Ok(None) };
        self.position = open.walk.position();
        self.report.records += 1;
        self.report.last_sequence = self.position.sequence;
        Ok(record_at(open.data(), at, self.schema))
    }

    /// Reads what is left, cuts what is not good away, seals what is open, and gives the place where
    /// the journal goes on.
    ///
    /// # Errors
    /// When a file cannot be read or changed.
    pub fn finish(mut self, lock: Lock) -> Result<Recovered> {
        while self.next_record()?.is_some() {}
        self.check_maps()?;
        self.open = None;
        self.report.last_sequence = self.position.sequence;
        let chain = self.settle_files()?;
        let sealed = self.sealed()?;
        let damaged = newest_damaged(&self.folder);
        let next_segment = self.numbers.last().copied().unwrap_or(0).max(damaged) + 1;
        Ok(Recovered {
            folder: self.folder,
            lock,
            position: self.position,
            report: self.report,
            chain,
            sealed,
            next_segment,
        })
    }

    fn choose_snapshot(&mut self, before: Option<u64>) -> Result<()> {
        for sequence in self.folder.snapshot_sequences()?.into_iter().rev() {
            if before.is_some_and(|before| sequence >= before) {
                continue;
            }
            let joined = Snapshot::read(&self.folder, sequence)
                .and_then(|snapshot| self.join(&snapshot).map(|open| (snapshot, open)));
            match joined {
                Ok((snapshot, open)) => {
                    self.position = snapshot.position;
                    self.entered = snapshot.position.segment;
                    self.sources = Some(snapshot.sources);
                    self.schema = snapshot.schema;
                    self.report.snapshot_sequence = Some(sequence);
                    self.report.last_sequence = sequence;
                    self.snapshot = Some(snapshot);
                    self.open = Some(open);
                    return Ok(());
                }
                Err(error) => self.report.findings.push(Finding {
                    file: self.folder.snapshot(sequence),
                    offset: 0,
                    what: error.message().to_owned(),
                    damage: true,
                }),
            }
        }
        Ok(())
    }

    /// The snapshot's place in the journal, if the record before it is the one that it says.
    fn join(&self, snapshot: &Snapshot) -> Result<Open> {
        let Position { segment, offset, sequence, link } = snapshot.position;
        let open = self.open_segment(segment, Walk::at(snapshot.position, snapshot.schema))?;
        let mut after = open.walk;
        let follows = match after.step(open.data()) {
            Step::Record(_) => true,
            // The last record of its segment: found again by its checksum.
            _ => ends_with(open.data(), offset as usize - DATA_START, sequence, link),
        };
        if follows {
            return Ok(open);
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            format!("the journal does not have record {sequence} where the snapshot says"),
        ))
    }

    fn open_segment(&self, number: u64, walk: Walk) -> Result<Open> {
        let path = self.folder.segment(number);
        let map =
            GuardedMap::open(&path).map_err(|e| failed(&path, "cannot open a segment", &e))?;
        Ok(Open { number, path, map, walk })
    }

    fn start_at_beginning(&mut self) -> Result<()> {
        let Some(first) = self.numbers.first().copied() else { return Ok(()) };
        let open = self.open_segment(first, Walk::begin(first, 0, 0, 0))?;
        let head = SegmentHead::read(open.map.bytes());
        let begins = match head {
            Ok(Some(head)) => head.first_sequence,
            // Not begun, or damaged: the first segment of a journal can only begin with record 1.
            _ => 1,
        };
        if begins != 1 || first != 1 && head.is_err() {
            let findings: Vec<_> = self.report.findings.iter().map(|f| f.what.clone()).collect();
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "{}: cannot be recovered: no snapshot can be used ({}), and the journal begins with record {begins}, for the segments before were removed; put archived segments back",
                    self.folder.path().display(),
                    if findings.is_empty() { "there is none".to_owned() } else { findings.join("; ") },
                ),
            ));
        }
        Ok(())
    }

    /// Opens the segment after the last one.
    fn enter(&mut self) -> Result<()> {
        let next = self.numbers.iter().copied().find(|number| *number > self.entered);
        let Some(number) = next else {
            self.done = true;
            return Ok(());
        };
        self.entered = number;
        let Position { sequence, link, .. } = self.position;
        let walk = Walk::begin(number, sequence, link, self.schema);
        let open = self.open_segment(number, walk)?;
        if is_zero(open.map.bytes()) {
            // Made ahead and never begun; its process may have died while it was made.
            return Ok(());
        }
        match SegmentHead::read(open.map.bytes()) {
            Ok(Some(head)) => {
                if head.first_sequence != sequence + 1 || head.link != link {
                    self.refuse(&open, format!(
                        "the segment begins with record {} and not behind record {sequence} as it was read",
                        head.first_sequence
                    ));
                    return Ok(());
                }
                self.sources.get_or_insert(head.sources);
                self.schema = head.schema;
                let walk = Walk::begin(number, sequence, link, head.schema);
                self.set_open(Open { walk, ..open });
            }
            Ok(None) => self.damaged_head(open, "the header of the segment is empty".into()),
            Err(fault) => {
                let what = bad_head(&open.path, fault).message().to_owned();
                self.damaged_head(open, what);
            }
        }
        Ok(())
    }

    /// A header that cannot be read says nothing that is not known from the segment before: its
    /// records count when they are chained to that.
    fn damaged_head(&mut self, open: Open, what: String) {
        let mut probe = open.walk;
        if matches!(probe.step(open.data()), Step::Record(_)) {
            self.note(&open, 0, what, true);
            self.set_open(open);
        } else {
            self.refuse(&open, what);
        }
    }

    fn set_open(&mut self, open: Open) {
        self.position = open.walk.position();
        self.open = Some(open);
    }

    /// The open segment has no further records.
    fn leave(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.position = open.walk.position();
        let end = self.position.offset;
        let claimed = claimed_end(open.map.bytes());
        if claimed > end {
            let what = format!("the records end here and should go on to offset {claimed}");
            self.note(&open, end, what, true);
            self.done = true;
        }
        let behind = open.data().get(end as usize - DATA_START..).unwrap_or(&[]);
        if let Some(stray) = behind.iter().position(|byte| *byte != 0) {
            self.note(&open, end + stray as u64, "bytes behind the last record".into(), true);
        }
    }

    /// What comes next in the open segment is no record.
    fn fault(&mut self, what: &str) {
        let Some(open) = self.open.take() else { return };
        self.position = open.walk.position();
        let end = self.position.offset;
        let damage = claimed_end(open.map.bytes()) > end;
        let what = if damage { what.to_owned() } else { format!("{what}: it was never finished") };
        self.note(&open, end, what, damage);
        self.done = damage || self.has_records_behind(open.number);
    }

    /// Whether a later segment has begun: then the journal went on behind what cannot be read.
    fn has_records_behind(&self, number: u64) -> bool {
        let later = self.numbers.iter().filter(|later| **later > number);
        later.into_iter().any(|later| {
            let head = read_head(&self.folder.segment(*later));
            head.is_ok_and(|bytes| !is_zero(&bytes))
        })
    }

    fn refuse(&mut self, open: &Open, what: String) {
        self.note(open, 0, what, true);
        self.done = true;
    }

    fn note(&mut self, open: &Open, offset: u64, what: String, damage: bool) {
        self.report.findings.push(Finding { file: open.path.clone(), offset, what, damage });
    }

    fn check_maps(&self) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        open.map
            .check()
            .map_err(|fault| Error::new(ErrorKind::Io, format!("{}: {fault}", open.path.display())))
    }

    /// Cuts, seals and removes until the files hold what was read and nothing else. Returns the hash
    /// of the journal.
    fn settle_files(&mut self) -> Result<Hash> {
        let end = self.position;
        let mut before = Hash::default();
        for number in std::mem::take(&mut self.numbers) {
            let path = self.folder.segment(number);
            let head = read_head(&path).map_err(|e| failed(&path, "cannot read a segment", &e))?;
            let seal = head.get(SEAL_AT..).and_then(|part| Seal::read(part).ok().flatten());
            let last = number == end.segment;
            if let Some(seal) =
                seal.filter(|seal| number < end.segment || last && seal.end == end.offset)
            {
                self.numbers.push(number);
                before = seal.after;
                give_back(&path, seal.end)?;
                continue;
            }
            let bytes = fs::read(&path).map_err(|e| failed(&path, "cannot read a segment", &e))?;
            if number > end.segment {
                self.cut(number, 0, &bytes)?;
                fs::remove_file(&path).map_err(|e| failed(&path, "cannot remove", &e))?;
                continue;
            }
            self.numbers.push(number);
            let until = if last { end.offset } else { record_end(&bytes) };
            before = self.end_segment(number, &bytes, until, seal.map_or(before, |s| s.before))?;
        }
        self.put_snapshots_away()?;
        sync_folder(self.folder.path())
            .map_err(|e| failed(self.folder.path(), "cannot sync", &e))?;
        Ok(before)
    }

    /// Snapshots behind the one that was used are damaged, or of records that were cut away.
    fn put_snapshots_away(&self) -> Result<()> {
        let used = self.report.snapshot_sequence.unwrap_or(0);
        for sequence in self.folder.snapshot_sequences()? {
            let path = self.folder.snapshot(sequence);
            if sequence > used
                && (self.limit.is_none_or(|limit| sequence < limit)
                    || sequence > self.position.sequence)
            {
                let target = self.folder.damaged().join(path.file_name().unwrap_or_default());
                fs::create_dir_all(self.folder.damaged())
                    .and_then(|()| fs::rename(&path, target))
                    .map_err(|e| failed(&path, "cannot put a snapshot away", &e))?;
            }
        }
        Ok(())
    }

    /// Cuts a segment at `end` and seals it.
    fn end_segment(&mut self, number: u64, bytes: &[u8], end: u64, before: Hash) -> Result<Hash> {
        let path = self.folder.segment(number);
        let tail = bytes.get(end as usize..).unwrap_or(&[]);
        self.cut(number, end, tail)?;
        let data = bytes.get(DATA_START..end as usize).unwrap_or(&[]);
        let seal = Seal { end, before, after: chain(&before, number, data) };
        let write = || {
            let file = OpenOptions::new().write(true).open(&path)?;
            file.write_all_at(&end.to_le_bytes(), PUBLISHED_AT as u64)?;
            file.write_all_at(&end.to_le_bytes(), ENDED_AT as u64)?;
            file.write_all_at(&seal.to_bytes(), SEAL_AT as u64)?;
            file.set_len(end)?;
            file.sync_all()
        };
        write().map_err(|e| failed(&path, "cannot seal a segment", &e))?;
        Ok(seal.after)
    }

    /// Keeps what is cut away, for whoever wants to look at it.
    fn cut(&mut self, number: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { return Ok(()) };
        self.report.cut_bytes += last as u64 + 1;
        let folder = self.folder.damaged();
        let path = folder.join(format!("{number:08}.from-{offset}"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, &bytes[..=last]))
            .map_err(|e| failed(&path, "cannot keep what is cut away", &e))
    }

    /// The sealed segments as the writer's helper wants to know them.
    fn sealed(&self) -> Result<Vec<Sealed>> {
        let mut sealed = Vec::with_capacity(self.numbers.len());
        let mut next_first = self.position.sequence + 1;
        for number in self.numbers.iter().rev() {
            let path = self.folder.segment(*number);
            let read = read_head(&path).and_then(|head| Ok((head, fs::metadata(&path)?.len())));
            let (head, bytes) = read.map_err(|e| failed(&path, "cannot read a segment", &e))?;
            sealed.push(Sealed { number: *number, last_sequence: next_first - 1, bytes });
            if let Ok(Some(head)) = SegmentHead::read(&head) {
                next_first = head.first_sequence;
            }
        }
        sealed.reverse();
        Ok(sealed)
    }
}

/// Gives the blocks behind a sealed segment back, which its process had no time for.
fn give_back(path: &Path, end: u64) -> Result<()> {
    let done = || {
        if fs::metadata(path)?.len() > end {
            OpenOptions::new().write(true).open(path)?.set_len(end)?;
        }
        Ok(())
    };
    done().map_err(|e: std::io::Error| failed(path, "cannot seal a segment", &e))
}

/// The header's bytes, or what there is of them.
fn read_head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(DATA_START);
    fs::File::open(path)?.take(DATA_START as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// How far the records go by what the header says: everything below was published.
fn claimed_end(bytes: &[u8]) -> u64 {
    let seal =
        bytes.get(SEAL_AT..SEAL_AT + SEAL_BYTES + 8).and_then(|b| Seal::read(b).ok().flatten());
    let published = word(bytes, PUBLISHED_AT).max(word(bytes, ENDED_AT));
    // A word that points beyond the file is itself what is damaged.
    let published = if published <= bytes.len() as u64 { published } else { 0 };
    seal.map_or(published, |seal| seal.end)
}

/// End of the good records of a segment that is not the last.
fn record_end(bytes: &[u8]) -> u64 {
    let data = bytes.get(DATA_START..).unwrap_or(&[]);
    let Ok(Some(head)) = SegmentHead::read(bytes) else { return claimed_end(bytes) };
    let mut walk =
        Walk::begin(head.number, head.first_sequence.saturating_sub(1), head.link, head.schema);
    while matches!(walk.step(data), Step::Record(_)) {}
    walk.position().offset
}

/// Whether the record that ends at `end` is `sequence` with the checksum `link`.
fn ends_with(data: &[u8], end: usize, sequence: u64, link: u64) -> bool {
    // A record's head is found by its checksum and sequence, searched backwards; it is at most as far
    // away as records are long.
    let mut at = end;
    while at >= 8 {
        at -= 8;
        if word(data, at) == link && word(data, at + 8) == sequence {
            return record_at(data, at, 0).is_some_and(|record| {
                at + super::layout::record_bytes(record.payload.len()) == end
            });
        }
        if end - at > super::layout::record_bytes(super::layout::MAX_PAYLOAD) {
            break;
        }
    }
    false
}

/// The highest number among the segments that were put away.
fn newest_damaged(folder: &Folder) -> u64 {
    let Ok(entries) = fs::read_dir(folder.damaged()) else { return 0 };
    let numbers = entries.flatten().filter_map(|entry| {
        entry.file_name().to_str().and_then(|name| name.split('.').next()?.parse::<u64>().ok())
    });
    numbers.max().unwrap_or(0)
}
