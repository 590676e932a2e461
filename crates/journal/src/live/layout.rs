//! How a segment and its records lie in a file. Little-endian, stored: never change, add a format.
//!
//! ```text
//! segment   0..4096  header: words, all zero where nothing is said here
//!             0  magic, format, the schema of the records
//!            24  number of the segment, sequence and link at its beginning, time of its first record
//!            56  BLAKE3 of configuration, instruments, code and models
//!           184  checksum of the bytes above; the segment has begun when it is there
//!           256  published end
//!           264  final end; zero while the segment may grow
//!           320  seal: end, hash of the journal before and after the segment, checksum of these
//!       4096..end    records, one after another, zeros behind the last
//! record    0  checksum of what follows, chained to that of the record before (the link)
//!           8  sequence     16  time     24  cause     32  length of the payload     36  kind
//!          40  payload, filled up with zeros to a multiple of 8
//! ```

use bytemuck::{Pod, Zeroable};
use twox_hash::XxHash3_64;

/// First bytes of a segment.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"MSPRLOG1");
/// Where records begin.
pub(crate) const DATA_START: usize = 4_096;
/// Bytes of a record before its payload.
pub(crate) const RECORD_HEAD: usize = 40;
/// Largest payload.
pub const MAX_PAYLOAD: usize = 1 << 20;

pub(crate) const PUBLISHED_AT: usize = 256;
pub(crate) const ENDED_AT: usize = 264;
const HEAD_CHECK_AT: usize = 184;
const HEAD_BYTES: usize = HEAD_CHECK_AT;
pub(crate) const SEAL_AT: usize = 320;
pub(crate) const SEAL_BYTES: usize = 72;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// What the journal's records were made with: the hashes that a segment's header carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceHashes {
    /// Of the configuration.
    pub config: Hash,
    /// Of the instruments.
    pub instruments: Hash,
    /// Of the strategies' code and parameters.
    pub code: Hash,
    /// Of the models.
    pub models: Hash,
}

/// Where a journal stands: behind which record, and the link that the next one is chained to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Offset in it behind the last record.
    pub offset: u64,
    /// Sequence of the last record; 0 before the first.
    pub sequence: u64,
    /// Checksum of the last record, chained over all before it; 0 before the first.
    pub link: u64,
}

/// The header of a segment that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// Version of the records' layouts.
    pub schema: u32,
    /// The segments of a journal count from 1.
    pub number: u64,
    /// Sequence of its first record.
    pub first_sequence: u64,
    /// Checksum of the record before its first.
    pub link: u64,
    /// Logical time of its first record.
    pub first_time_ns: i64,
    /// What the records were made with.
    pub sources: SourceHashes,
}

impl SegmentHead {
    /// The bytes of the header up to and with its checksum.
    pub(crate) fn to_bytes(self) -> [u8; HEAD_CHECK_AT + 8] {
        let mut bytes = [0; HEAD_CHECK_AT + 8];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&MAGIC.to_le_bytes());
        put(&FORMAT.to_le_bytes());
        put(&self.schema.to_le_bytes());
        put(&[0; 8]);
        put(&self.number.to_le_bytes());
        put(&self.first_sequence.to_le_bytes());
        put(&self.link.to_le_bytes());
        put(&self.first_time_ns.to_le_bytes());
        let SourceHashes { config, instruments, code, models } = self.sources;
        [config, instruments, code, models].iter().for_each(|hash| put(hash));
        let check = checksum(0, &bytes[..HEAD_BYTES]);
        bytes[HEAD_CHECK_AT..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Reads a header. `Ok(None)` when the segment has not begun.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, HeadFault> {
        let Some(head) = bytes.get(..HEAD_CHECK_AT + 8) else { return Err(HeadFault::Short) };
        if head.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let check = word(head, HEAD_CHECK_AT);
        if check != checksum(0, &head[..HEAD_BYTES]) {
            return Err(HeadFault::Checksum);
        }
        let versions = word(head, 8).to_le_bytes();
        let [f0, f1, f2, f3, s0, s1, s2, s3] = versions;
        let format = u32::from_le_bytes([f0, f1, f2, f3]);
        if word(head, 0) != MAGIC || format != FORMAT {
            return Err(HeadFault::Format(format));
        }
        Ok(Some(Self {
            schema: u32::from_le_bytes([s0, s1, s2, s3]),
            number: word(head, 24),
            first_sequence: word(head, 32),
            link: word(head, 40),
            first_time_ns: word(head, 48) as i64,
            sources: SourceHashes {
                config: hash_at(head, 56),
                instruments: hash_at(head, 88),
                code: hash_at(head, 120),
                models: hash_at(head, 152),
            },
        }))
    }
}

/// Version of the layout of segments.
const FORMAT: u32 = 1;

/// Bytes of a header that [`SegmentHead::read`] needs.
pub(crate) const HEAD_READ: usize = HEAD_CHECK_AT + 8;

/// Why a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// The file is shorter than a header.
    Short,
    /// The checksum does not fit.
    Checksum,
    /// Another format.
    Format(u32),
}

/// What is written when a segment is full, or its process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Final end of the records.
    pub end: u64,
    /// Hash of the journal before the segment.
    pub before: Hash,
    /// Hash of the journal with it.
    pub after: Hash,
}

impl Seal {
    pub(crate) fn to_bytes(self) -> [u8; SEAL_BYTES + 8] {
        let mut bytes = [0; SEAL_BYTES + 8];
        bytes[..8].copy_from_slice(&self.end.to_le_bytes());
        bytes[8..40].copy_from_slice(&self.before);
        bytes[40..72].copy_from_slice(&self.after);
        let check = checksum(1, &bytes[..SEAL_BYTES]);
        bytes[SEAL_BYTES..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Reads a seal from the bytes at [`SEAL_AT`]. `Ok(None)` when there is none.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, ()> {
        let bytes = bytes.get(..SEAL_BYTES + 8).ok_or(())?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if word(bytes, SEAL_BYTES) != checksum(1, &bytes[..SEAL_BYTES]) {
            return Err(());
        }
        Ok(Some(Self { end: word(bytes, 0), before: hash_at(bytes, 8), after: hash_at(bytes, 40) }))
    }
}

/// Parts of a header that are neither header, published end nor seal: zero in a sound file.
pub(crate) const ZEROS: [(usize, usize); 3] = [
    (HEAD_CHECK_AT + 8, PUBLISHED_AT),
    (ENDED_AT + 8, SEAL_AT),
    (SEAL_AT + SEAL_BYTES + 8, DATA_START),
];

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub check: u64,
    pub sequence: u64,
    pub time_ns: i64,
    pub cause: u64,
    pub len: u32,
    pub kind: u16,
    pub reserved: u16,
}

impl RecordHead {
    /// Writes everything but the checksum.
    #[inline]
    pub(crate) fn write(self, into: &mut [u8; RECORD_HEAD]) {
        into[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        into[16..24].copy_from_slice(&self.time_ns.to_le_bytes());
        into[24..32].copy_from_slice(&self.cause.to_le_bytes());
        into[32..36].copy_from_slice(&self.len.to_le_bytes());
        into[36..38].copy_from_slice(&self.kind.to_le_bytes());
        into[38..40].copy_from_slice(&self.reserved.to_le_bytes());
    }

    #[inline]
    pub(crate) fn read(bytes: &[u8; RECORD_HEAD]) -> Self {
        let tail = word(bytes, 32);
        Self {
            check: word(bytes, 0),
            sequence: word(bytes, 8),
            time_ns: word(bytes, 16) as i64,
            cause: word(bytes, 24),
            len: tail as u32,
            kind: (tail >> 32) as u16,
            reserved: (tail >> 48) as u16,
        }
    }
}

/// Bytes that a record with such a payload takes.
#[inline]
#[must_use]
pub(crate) const fn record_bytes(payload: usize) -> usize {
    RECORD_HEAD + payload.next_multiple_of(8)
}

/// The checksum of bytes, chained to `link`: for given bytes, another link gives another checksum.
#[inline]
#[must_use]
pub(crate) fn checksum(link: u64, bytes: &[u8]) -> u64 {
    // A seed would cost as much again for payloads over 200 bytes. The odd factor is 2^64 over the
    // golden ratio; multiplying by it loses nothing.
    (XxHash3_64::oneshot(bytes) ^ link).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// The word at `offset`; 0 outside.
#[inline]
#[must_use]
pub(crate) fn word(bytes: &[u8], offset: usize) -> u64 {
    bytes
        .get(offset..offset + 8)
        .and_then(|part| part.first_chunk::<8>())
        .map_or(0, |part| u64::from_le_bytes(*part))
}

fn hash_at(bytes: &[u8], offset: usize) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&bytes[offset..offset + 32]);
    hash
}

/// The hash of the journal after a segment, made as its records come.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    hasher: blake3::Hasher,
}

impl Chain {
    /// At the beginning of segment `number`, behind a journal with the hash `before`.
    pub(crate) fn begin(before: &Hash, number: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(before).update(&number.to_le_bytes());
        Self { hasher }
    }

    /// Takes the next bytes of records.
    pub(crate) fn extend(&mut self, data: &[u8]) {
        self.hasher.update(data);
    }

    /// The hash up to here.
    pub(crate) fn hash(&self) -> Hash {
        *self.hasher.finalize().as_bytes()
    }
}

/// The hash of the journal after a segment whose records are `data`.
pub(crate) fn chain(before: &Hash, number: u64, data: &[u8]) -> Hash {
    let mut chain = Chain::begin(before, number);
    chain.extend(data);
    chain.hash()
}
