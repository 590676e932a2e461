//! Looking at every byte of a journal, changing none.

use std::fs;
use std::path::Path;

use mainspring_core::Result;
use serde::Serialize;

use super::folder::{failed, hex, Folder};
use super::layout::{
    chain, word, Hash, Position, Seal, SegmentHead, DATA_START, ENDED_AT, PUBLISHED_AT, SEAL_AT,
    ZEROS,
};
use super::recovery::Finding;
use super::segment::{bad_head, Segment};
use super::snapshot::Snapshot;
use super::sources::Sources;
use super::walk::{is_zero, Step, Walk};

/// What a journal holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Segments that have begun.
    pub segments: u64,
    /// Good records.
    pub records: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// Sequence of the first record; 0 without any.
    pub first_sequence: u64,
    /// Sequence of the last good record.
    pub last_sequence: u64,
    /// Logical time of the last good record.
    pub last_time_ns: i64,
    /// Whole snapshots.
    pub snapshots: u64,
    /// Whether a process is writing to it.
    pub is_being_written: bool,
    /// Hash over the whole journal up to the last good record: keep it elsewhere, and a later change
    /// of any byte before it shows.
    pub hash: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether every byte is what was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(|finding| finding.damage)
    }
}

/// Verifies a journal, also while it is being written.
///
/// # Errors
/// When a file cannot be read; damage is not an error but a finding.
pub fn verify(folder: &Folder) -> Result<Verification> {
    let mut verifier = Verifier {
        folder,
        found: Verification {
            is_being_written: folder.is_being_written(),
            ..Verification::default()
        },
        position: None,
        chain: None,
    };
    for number in folder.segments()? {
        verifier.segment(number)?;
    }
    verifier.found.hash = hex(&verifier.chain.unwrap_or_default());
    verifier.snapshots()?;
    Ok(verifier.found)
}

struct Verifier<'a> {
    folder: &'a Folder,
    found: Verification,
    /// Behind the last record, while the segments so far were good enough to say.
    position: Option<Position>,
    /// Hash of the journal so far.
    chain: Option<Hash>,
}

impl Verifier<'_> {
    fn segment(&mut self, number: u64) -> Result<()> {
        let path = self.folder.segment(number);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // Removed by its writer since it was listed.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(failed(&path, "cannot read a segment", &e)),
        };
        let growing = self.found.is_being_written && word(&bytes, ENDED_AT) == 0;
        if growing {
            return self.growing_segment(number, &path);
        }
        if is_zero(&bytes) {
            // Made ahead and never begun; its process may have died while it was made.
            return Ok(());
        }
        match SegmentHead::read(&bytes) {
            Ok(Some(head)) if head.number == number => self.whole_segment(&path, &bytes, &head),
            Ok(Some(head)) => {
                let what = format!("says that it is segment {}", head.number);
                self.lost(&path, 24, what);
            }
            Ok(None) => self.lost(&path, 0, "the header of the segment is empty".into()),
            Err(fault) => {
                let what = bad_head(&path, fault).message().to_owned();
                self.lost(&path, 0, what);
            }
        }
        Ok(())
    }

    /// Nothing of the segment can be used.
    fn lost(&mut self, path: &Path, offset: u64, what: String) {
        self.damage(path, offset, what);
        self.position = None;
        self.chain = None;
    }

    /// The segment that a process writes to now: what it has published.
    fn growing_segment(&mut self, number: u64, path: &Path) -> Result<()> {
        let segment = Segment::open(self.folder, number)?;
        let Some(head) = segment.head()? else { return Ok(()) };
        self.check_sources(path, &head);
        self.begin(path, &head);
        let end = self.walk(path, &head, segment.data());
        self.extend_chain(&head, segment.data(), end);
        Ok(())
    }

    fn whole_segment(&mut self, path: &Path, bytes: &[u8], head: &SegmentHead) {
        self.check_sources(path, head);
        self.begin(path, head);
        let data = bytes.get(DATA_START..).unwrap_or(&[]);
        let end = self.walk(path, head, data);
        let tail = data.get(end as usize - DATA_START..).unwrap_or(&[]);
        if let Some(stray) = tail.iter().position(|byte| *byte != 0) {
            let claimed = word(bytes, PUBLISHED_AT).max(word(bytes, ENDED_AT));
            // A record that was never finished is found as no record where nothing was published.
            let unfinished = claimed <= end && word(bytes, ENDED_AT) == 0;
            let what = if unfinished {
                "a record that was being written when its process ended"
            } else {
                "bytes behind the last good record"
            };
            self.note(path, end + stray as u64, what.into(), !unfinished);
        }
        self.check_ends(path, bytes, head, end);
        self.extend_chain(head, data, end);
        self.check_zeros(path, bytes);
    }

    fn begin(&mut self, path: &Path, head: &SegmentHead) {
        self.found.segments += 1;
        if self.found.first_sequence == 0 {
            self.found.first_sequence = head.first_sequence;
        }
        if let Some(before) = self.position {
            if before.sequence + 1 != head.first_sequence || before.link != head.link {
                let what = format!(
                    "the segment begins with record {}, the one before ended with record {} and another checksum or place",
                    head.first_sequence, before.sequence
                );
                self.damage(path, 32, what);
            }
        }
    }

    /// Goes through the records, stepping over damaged ones where that can be done. Returns the end of
    /// what was read.
    fn walk(&mut self, path: &Path, head: &SegmentHead, data: &[u8]) -> u64 {
        let before = head.first_sequence.saturating_sub(1);
        let mut walk = Walk::begin(head.number, before, head.link, head.schema);
        let mut sound = true;
        loop {
            match walk.step(data) {
                Step::Record(record) => {
                    self.found.records += 1;
                    self.found.last_sequence = self.found.last_sequence.max(record.sequence);
                    self.found.last_time_ns = record.time_ns;
                }
                Step::End => break,
                Step::Fault(fault) => {
                    let position = walk.position();
                    let at = (position.offset as usize).saturating_sub(DATA_START);
                    let skipped = walk.skip_fault(data);
                    if !skipped && self.is_unfinished(path, position.offset) {
                        break;
                    }
                    sound = false;
                    let what = format!("record {}: {fault}", position.sequence + 1);
                    self.damage(path, (at + DATA_START) as u64, what);
                    if !skipped {
                        break;
                    }
                }
            }
        }
        let position = walk.position();
        self.position = sound.then_some(position);
        self.found.bytes += position.offset - DATA_START as u64;
        position.offset
    }

    /// Whether nothing at `offset` or behind it was ever committed.
    fn is_unfinished(&self, path: &Path, offset: u64) -> bool {
        fs::read(path)
            .is_ok_and(|bytes| word(&bytes, ENDED_AT) == 0 && word(&bytes, PUBLISHED_AT) <= offset)
    }

    /// The ends that the header gives must be where the records end.
    fn check_ends(&mut self, path: &Path, bytes: &[u8], head: &SegmentHead, end: u64) {
        let published = word(bytes, PUBLISHED_AT);
        let ended = word(bytes, ENDED_AT);
        let open = ended == 0;
        if published > end || (!open && published != end) {
            let what = format!("the published end is {published}, the records end at {end}");
            self.damage(path, PUBLISHED_AT as u64, what);
        }
        if !open && ended != end {
            let what = format!("the final end is {ended}, the records end at {end}");
            self.damage(path, ENDED_AT as u64, what);
        }
        match Seal::read(bytes.get(SEAL_AT..).unwrap_or(&[])) {
            Err(()) => self.damage(path, SEAL_AT as u64, "the seal is damaged".into()),
            Ok(None) if open => {}
            Ok(None) => self.note(
                path,
                SEAL_AT as u64,
                "not sealed: its process ended right then".into(),
                false,
            ),
            Ok(Some(seal)) => self.check_seal(path, bytes, head, &seal, end),
        }
    }

    fn check_seal(&mut self, path: &Path, bytes: &[u8], head: &SegmentHead, seal: &Seal, end: u64) {
        let at = SEAL_AT as u64;
        if seal.end != end {
            let what = format!("sealed at {}, the records end at {end}", seal.end);
            self.damage(path, at, what);
            return;
        }
        if self.chain.is_some_and(|chain| chain != seal.before) {
            let what = "sealed behind another hash than that of the segment before".to_owned();
            self.damage(path, at + 8, what);
        }
        let data = &bytes[DATA_START..end as usize];
        if chain(&seal.before, head.number, data) != seal.after {
            self.damage(path, at + 40, "the records do not have the hash of the seal".into());
        }
        self.chain.get_or_insert(seal.before);
    }

    fn extend_chain(&mut self, head: &SegmentHead, data: &[u8], end: u64) {
        if head.first_sequence == 1 {
            self.chain.get_or_insert(Hash::default());
        }
        let data = data.get(..end as usize - DATA_START).unwrap_or(&[]);
        self.chain = self.chain.map(|before| chain(&before, head.number, data));
    }

    fn check_zeros(&mut self, path: &Path, bytes: &[u8]) {
        // The eight bytes behind the format are kept for later.
        for (start, end) in ZEROS {
            let part = bytes.get(start..end).unwrap_or(&[]);
            if let Some(at) = part.iter().position(|byte| *byte != 0) {
                let what = "a byte of the header that should be zero".to_owned();
                self.damage(path, (start + at) as u64, what);
            }
        }
    }

    fn check_sources(&mut self, path: &Path, head: &SegmentHead) {
        if let Err(error) = Sources::load(self.folder, &head.sources) {
            let what = error.message().to_owned();
            self.damage(path, 56, what);
        }
    }

    fn snapshots(&mut self) -> Result<()> {
        for sequence in self.folder.snapshot_sequences()? {
            let path = self.folder.snapshot(sequence);
            match Snapshot::read(self.folder, sequence) {
                Ok(snapshot) if snapshot.position.sequence > self.found.last_sequence => {
                    let what = "a snapshot of records that are not in the journal".to_owned();
                    self.damage(&path, 0, what);
                }
                Ok(_) => self.found.snapshots += 1,
                Err(_) if !path.exists() => {}
                Err(error) => {
                    let what = error.message().to_owned();
                    self.damage(&path, 0, what);
                }
            }
        }
        Ok(())
    }

    fn damage(&mut self, path: &Path, offset: u64, what: String) {
        self.note(path, offset, what, true);
    }

    fn note(&mut self, path: &Path, offset: u64, what: String, damage: bool) {
        self.found.findings.push(Finding { file: path.to_owned(), offset, what, damage });
    }
}
