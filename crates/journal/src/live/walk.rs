//! From bytes to records: every byte is doubted.

use super::layout::{
    checksum, record_bytes, Position, RecordHead, DATA_START, MAX_PAYLOAD, RECORD_HEAD,
};

/// A record as it is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Version of the layouts of its segment.
    pub schema: u32,
    /// Code of the kind.
    pub kind: u16,
    /// Its place in the journal, from 1 without holes.
    pub sequence: u64,
    /// Logical time.
    pub time_ns: i64,
    /// The input that it follows from; its own sequence for an input.
    pub cause: u64,
    /// The payload.
    pub payload: &'a [u8],
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end within it.
    Torn,
    /// There is nothing where a record should be.
    Missing,
    /// It says that it is longer than records can be.
    Length(u32),
    /// Its checksum does not fit its bytes or the record before it.
    Checksum,
    /// It is whole, and not the one that comes next.
    Sequence {
        /// The one that comes next.
        expected: u64,
        /// What it says.
        found: u64,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Torn => f.write_str("the bytes end within a record"),
            Self::Missing => f.write_str("there is nothing where a record should be"),
            Self::Length(len) => write!(f, "a record claims a payload of {len} bytes"),
            Self::Checksum => f.write_str("a record's checksum does not fit its bytes"),
            Self::Sequence { expected, found } => {
                write!(f, "record {found} is where record {expected} should be")
            }
        }
    }
}

/// What comes next in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A record that is whole and fits the one before.
    Record(Record<'a>),
    /// Nothing more was written.
    End,
    /// Something that is neither.
    Fault(Fault),
}

/// Goes through the records of one segment.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    position: Position,
    schema: u32,
}

impl Walk {
    /// From the beginning of segment `segment`, whose first record is chained to `link` and comes
    /// after record `sequence`; its records are of `schema`.
    #[must_use]
    pub const fn begin(segment: u64, sequence: u64, link: u64, schema: u32) -> Self {
        Self { position: Position { segment, offset: DATA_START as u64, sequence, link }, schema }
    }

    /// From behind a record that was read before.
    #[must_use]
    pub const fn at(position: Position, schema: u32) -> Self {
        Self { position, schema }
    }

    /// Where it stands: behind the last good record.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The next record. `data` are the segment's bytes from [`DATA_START`] on.
    #[inline]
    pub fn step<'a>(&mut self, data: &'a [u8]) -> Step<'a> {
        let at = (self.position.offset as usize).saturating_sub(DATA_START);
        let rest = data.get(at..).unwrap_or(&[]);
        let Some(head_bytes) = rest.first_chunk::<RECORD_HEAD>() else {
            return if is_zero(rest) { Step::End } else { Step::Fault(Fault::Torn) };
        };
        let head = RecordHead::read(head_bytes);
        if head.sequence == 0 && is_zero(head_bytes) {
            return Step::End;
        }
        if head.len as usize > MAX_PAYLOAD {
            return Step::Fault(Fault::Length(head.len));
        }
        let len = record_bytes(head.len as usize);
        let Some(bytes) = rest.get(..len) else { return Step::Fault(Fault::Torn) };
        if checksum(self.position.link, &bytes[8..]) != head.check {
            return Step::Fault(Fault::Checksum);
        }
        let expected = self.position.sequence + 1;
        if head.sequence != expected {
            return Step::Fault(Fault::Sequence { expected, found: head.sequence });
        }
        self.position.offset += len as u64;
        self.position.sequence = head.sequence;
        self.position.link = head.check;
        Step::Record(Record {
            schema: self.schema,
            kind: head.kind,
            sequence: head.sequence,
            time_ns: head.time_ns,
            cause: head.cause,
            payload: &bytes[RECORD_HEAD..RECORD_HEAD + head.len as usize],
        })
    }

    /// Steps over a faulty record by what it says of itself; true when a good one follows it.
    pub fn skip_fault(&mut self, data: &[u8]) -> bool {
        let at = (self.position.offset as usize).saturating_sub(DATA_START);
        let rest = data.get(at..).unwrap_or(&[]);
        let Some(head_bytes) = rest.first_chunk::<RECORD_HEAD>() else { return false };
        let head = RecordHead::read(head_bytes);
        if head.len as usize > MAX_PAYLOAD {
            return false;
        }
        let len = record_bytes(head.len as usize);
        let mended = rest.get(8..len).map_or(head.check, |b| checksum(self.position.link, b));
        for link in [head.check, mended] {
            let mut beyond = *self;
            beyond.position.offset += len as u64;
            beyond.position.sequence += 1;
            beyond.position.link = link;
            let mut probe = beyond;
            if matches!(probe.step(data), Step::Record(_)) {
                *self = beyond;
                return true;
            }
        }
        false
    }
}

/// The record at an offset into a segment's records that was found good before.
#[inline]
pub(crate) fn record_at(data: &[u8], at: usize, schema: u32) -> Option<Record<'_>> {
    let rest = data.get(at..)?;
    let head = RecordHead::read(rest.first_chunk::<RECORD_HEAD>()?);
    Some(Record {
        schema,
        kind: head.kind,
        sequence: head.sequence,
        time_ns: head.time_ns,
        cause: head.cause,
        payload: rest.get(RECORD_HEAD..RECORD_HEAD + head.len as usize)?,
    })
}

/// Whether nothing was written there.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
