//! Where two logs part.

use std::collections::VecDeque;

use mainspring_core::Result;

use crate::reader::{Entry, LogReader};

/// The first record that two logs do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Index of the record, counted over all kinds.
    pub index: u64,
    /// The record of the first log, `None` where it has ended.
    pub left: Option<Entry>,
    /// The record of the second log, `None` where it has ended.
    pub right: Option<Entry>,
}

/// The first record in which two logs differ, `None` when they hold the same records.
///
/// Both chains are checked up to the block that differs. At most a block of each log is held as
/// records.
///
/// # Errors
/// When one of the logs is damaged.
pub fn first_difference(left: &[u8], right: &[u8]) -> Result<Option<Difference>> {
    let (mut left, mut right) = (Side::open(left)?, Side::open(right)?);
    let mut index = 0;
    loop {
        let pair = (left.next()?, right.next()?);
        match pair {
            (None, None) => return Ok(None),
            (left, right) if left != right => return Ok(Some(Difference { index, left, right })),
            _ => index += 1,
        }
    }
}

/// A log with the records of its current block.
struct Side<'a> {
    reader: LogReader<'a>,
    waiting: VecDeque<Entry>,
}

impl<'a> Side<'a> {
    fn open(log: &'a [u8]) -> Result<Self> {
        Ok(Self { reader: LogReader::new(log)?, waiting: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Option<Entry>> {
        while self.waiting.is_empty() {
            let waiting = &mut self.waiting;
            let more = self.reader.next_block(&mut |entry| {
                waiting.push_back(entry);
                Ok(())
            })?;
            if !more {
                return Ok(None);
            }
        }
        Ok(self.waiting.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogWriter, Sink};
    use crate::record::OrderRecord;
    use bytemuck::Zeroable;
    use mainspring_core::ErrorKind;
    use proptest::prelude::*;

    fn order(id: u64, qty_lots: i64) -> OrderRecord {
        OrderRecord { order_id: id, qty_lots, ..OrderRecord::zeroed() }
    }

    fn written(records: &[OrderRecord]) -> Vec<u8> {
        let mut log = LogWriter::new(Sink::Memory { limit_bytes: usize::MAX }).unwrap();
        for record in records {
            log.append(record).unwrap();
        }
        log.finish().unwrap().pieces().unwrap().concat()
    }

    #[test]
    fn equal_logs_and_empty_ones_have_none() {
        let log = written(&[order(1, 1), order(2, 2)]);
        assert_eq!(first_difference(&log, &log).unwrap(), None);
        assert_eq!(first_difference(&written(&[]), &written(&[])).unwrap(), None);
    }

    #[test]
    fn the_end_of_one_log_is_a_difference() {
        let (short, long) = (written(&[order(1, 1)]), written(&[order(1, 1), order(2, 2)]));
        let found = first_difference(&short, &long).unwrap().unwrap();
        let expected = Difference { index: 1, left: None, right: Some(Entry::Order(order(2, 2))) };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_damaged_log_is_told_as_damaged() {
        let log = written(&[order(1, 1)]);
        let mut damaged = log.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(first_difference(&log, &damaged).unwrap_err().kind(), ErrorKind::Data);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        // Long enough for several blocks; the oracle compares the records themselves.
        #[test]
        fn any_change_is_found_where_it_is(
            length in 1_usize..6_000,
            changes in prop::collection::vec((0_usize..6_000, 1_i64..9), 0..3),
            cut in 0_usize..6_000,
        ) {
            let left: Vec<_> = (0..length as u64).map(|id| order(id, 0)).collect();
            let mut right = left.clone();
            for (at, by) in changes {
                if let Some(record) = right.get_mut(at) { record.qty_lots += by }
            }
            right.truncate(cut.max(1));
            let differs = |i: &usize| left.get(*i) != right.get(*i);
            let expected = (0..left.len().max(right.len())).find(differs);
            let found = first_difference(&written(&left), &written(&right)).unwrap();
            prop_assert_eq!(found.as_ref().map(|d| d.index as usize), expected);
            if let (Some(found), Some(at)) = (found, expected) {
                prop_assert_eq!(found.left, left.get(at).copied().map(Entry::Order));
                prop_assert_eq!(found.right, right.get(at).copied().map(Entry::Order));
            }
        }
    }
}
