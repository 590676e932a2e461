//! Reading a log back, verifying its chain.

use mainspring_core::{Error, ErrorKind, Result};

use crate::log::{BLOCK_BYTES, BLOCK_HEADER_BYTES, MAGIC};
use crate::record::{
    EquityRecord, FillRecord, MessageRecord, OrderRecord, PositionRecord, Record, MESSAGE_KIND,
};

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An order changed.
    Order(OrderRecord),
    /// A fill.
    Fill(FillRecord),
    /// The account.
    Equity(EquityRecord),
    /// A position.
    Position(PositionRecord),
    /// A message.
    Message(MessageRecord),
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// The hash of the chain.
    pub hash: [u8; 32],
    /// Number of records.
    pub records: u64,
}

/// Reads every record of a log in order, checking each block against the chain first.
///
/// `pieces` are the log's bytes, cut between blocks only; a whole log is one piece.
///
/// # Errors
/// When the bytes are not a log, end inside a block, or do not match the chain; the message gives the
/// block and its place.
pub fn read_log<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut visit: impl FnMut(Entry) -> Result<()>,
) -> Result<LogSource> {
    let not_a_log = || broken("this is not a results log");
    let mut pieces = pieces.into_iter();
    let first = pieces.next().ok_or_else(not_a_log)?;
    let first = first.strip_prefix(MAGIC).ok_or_else(not_a_log)?;
    let mut blocks = Blocks::new();
    blocks.read(first, &mut visit)?;
    for piece in pieces {
        blocks.read(piece, &mut visit)?;
    }
    Ok(LogSource { hash: blocks.chain, records: blocks.records })
}

/// A log in one piece, read block by block.
pub(crate) struct LogReader<'a> {
    rest: &'a [u8],
    blocks: Blocks,
}

impl<'a> LogReader<'a> {
    pub(crate) fn new(log: &'a [u8]) -> Result<Self> {
        let rest = log.strip_prefix(MAGIC).ok_or_else(|| broken("this is not a results log"))?;
        Ok(Self { rest, blocks: Blocks::new() })
    }

    /// Visits the records of the next block; false when there is none.
    pub(crate) fn next_block(
        &mut self,
        visit: &mut impl FnMut(Entry) -> Result<()>,
    ) -> Result<bool> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let used = self.blocks.read_one(self.rest, visit)?;
        self.rest = &self.rest[used..];
        Ok(true)
    }
}

/// How far the chain was followed.
struct Blocks {
    chain: [u8; 32],
    records: u64,
    number: usize,
    place: usize,
}

impl Blocks {
    const fn new() -> Self {
        Self { chain: [0; 32], records: 0, number: 0, place: MAGIC.len() }
    }

    fn read(&mut self, mut rest: &[u8], visit: &mut impl FnMut(Entry) -> Result<()>) -> Result<()> {
        while !rest.is_empty() {
            let used = self.read_one(rest, visit)?;
            rest = &rest[used..];
        }
        Ok(())
    }

    fn read_one(
        &mut self,
        rest: &[u8],
        visit: &mut impl FnMut(Entry) -> Result<()>,
    ) -> Result<usize> {
        let (number, place) = (self.number, self.place);
        let at = |what: &str| broken(format!("block {number} at byte {place} {what}"));
        let header = rest.get(..BLOCK_HEADER_BYTES).ok_or_else(|| at("is cut off"))?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let count = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        if length > BLOCK_BYTES {
            return Err(at("has an impossible length"));
        }
        let end = BLOCK_HEADER_BYTES + length;
        let payload = rest.get(BLOCK_HEADER_BYTES..end).ok_or_else(|| at("is cut off"))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.chain);
        hasher.update(payload);
        self.chain = *hasher.finalize().as_bytes();
        if self.chain[..] != header[8..] {
            return Err(at("does not match its hash: the log was changed"));
        }
        if read_block(payload, visit)? != count {
            return Err(at("holds another number of records than it says"));
        }
        self.records += u64::from(count);
        self.number += 1;
        self.place += end;
        Ok(end)
    }
}

fn broken(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message)
}

fn read_block(mut rest: &[u8], visit: &mut impl FnMut(Entry) -> Result<()>) -> Result<u32> {
    let mut count = 0;
    while let Some((&kind, body)) = rest.split_first() {
        let (entry, used) = read_entry(kind, body)?;
        visit(entry)?;
        count += 1;
        rest = &body[used..];
    }
    Ok(count)
}

fn read_entry(kind: u8, body: &[u8]) -> Result<(Entry, usize)> {
    match kind {
        OrderRecord::KIND => fixed(body, Entry::Order),
        FillRecord::KIND => fixed(body, Entry::Fill),
        EquityRecord::KIND => fixed(body, Entry::Equity),
        PositionRecord::KIND => fixed(body, Entry::Position),
        MESSAGE_KIND => message(body),
        other => Err(broken(format!("record kind {other} is unknown to this version"))),
    }
}

fn fixed<R: Record>(body: &[u8], entry: impl Fn(R) -> Entry) -> Result<(Entry, usize)> {
    let size = size_of::<R>();
    let bytes = body.get(..size).ok_or_else(|| broken("a record is cut off"))?;
    Ok((entry(bytemuck::pod_read_unaligned(bytes)), size))
}

fn message(body: &[u8]) -> Result<(Entry, usize)> {
    let cut = || broken("a message is cut off");
    let (head, rest) = body.split_at_checked(10).ok_or_else(cut)?;
    let time_ns = i64::from_le_bytes(head[..8].try_into().map_err(|_| cut())?);
    let length = usize::from(u16::from_le_bytes([head[8], head[9]]));
    let text = rest.get(..length).ok_or_else(cut)?;
    let text = std::str::from_utf8(text).map_err(|_| broken("a message is not UTF-8"))?.to_owned();
    Ok((Entry::Message(MessageRecord { time_ns, text }), 10 + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogWriter, Sink};
    use bytemuck::Zeroable;
    use proptest::prelude::*;

    fn order(id: u64) -> OrderRecord {
        OrderRecord { order_id: id, ..OrderRecord::zeroed() }
    }

    fn written(count: u64, limit_bytes: usize) -> (Vec<u8>, [u8; 32]) {
        let mut log = LogWriter::new(Sink::Memory { limit_bytes }).unwrap();
        for id in 0..count {
            log.append(&order(id)).unwrap();
            if id % 100 == 0 {
                log.append_message(id as i64, "strategy stopped: é").unwrap();
            }
        }
        let mut done = log.finish().unwrap();
        (done.pieces().unwrap().concat(), done.hash())
    }

    #[test]
    fn what_is_written_is_read_in_order() {
        let (bytes, hash) = written(5_000, usize::MAX);
        let mut next = 0;
        let source = read_log([&bytes[..]], |entry| {
            if let Entry::Order(o) = entry {
                assert_eq!(o.order_id, next);
                next += 1;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!((next, source.hash, source.records), (5_000, hash, 5_050));
    }

    #[test]
    fn spilling_changes_nothing() {
        assert_eq!(written(5_000, usize::MAX), written(5_000, 10_000));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_and_ends_the_log() {
        let mut log = LogWriter::new(Sink::Memory { limit_bytes: 0 }).unwrap();
        log.append(&order(1)).unwrap();
        assert!(log.finish().is_ok(), "without room in memory it goes to a file");
        for records in [1_u64, 200_000] {
            let opened = LogWriter::new(Sink::File("/dev/full".into()));
            let outcome = opened.and_then(|mut log| {
                (0..records).try_for_each(|id| log.append(&order(id)))?;
                log.finish().map(|_| ())
            });
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.message().contains("/dev/full"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_changed_or_missing_byte_is_found(at in 0_usize..120_000, flip in 1_u8..=255, cut in any::<bool>()) {
            let (mut bytes, hash) = written(3_000, usize::MAX);
            let at = at % bytes.len();
            if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
            // A cut exactly between blocks leaves a valid, shorter log, whose hash is another.
            match read_log([&bytes[..]], |_| Ok(())) {
                Ok(source) => prop_assert_ne!(source.hash, hash),
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Data),
            }
        }
    }
}
