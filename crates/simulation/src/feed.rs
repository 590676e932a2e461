//! A market that walks and trades, and now and then settles funding.

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::TimeNs;

use crate::chance::Chance;

const LEVELS: i64 = 6;

/// The true market.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    bid: i64,
    snapshot_due: bool,
}

impl Feed {
    pub(crate) const fn new() -> Self {
        Self { bid: 1_000, snapshot_due: true }
    }

    /// The best bid, in ticks.
    pub(crate) const fn bid(&self) -> i64 {
        self.bid
    }

    /// The next message must be a snapshot.
    pub(crate) const fn ask_snapshot(&mut self) {
        self.snapshot_due = true;
    }

    /// The rows of the next message at the exchange time `at`.
    pub(crate) fn next(&mut self, at: TimeNs, chance: &mut Chance) -> Vec<MarketRow> {
        self.bid = (self.bid + chance.between(-1, 2)).clamp(800, 1_200);
        let mut rows = Vec::with_capacity(2 * LEVELS as usize + 5);
        let snapshot = std::mem::take(&mut self.snapshot_due);
        let mark = if snapshot { flags::SNAPSHOT } else { 0 };
        if !snapshot {
            for gone in 1..4 {
                rows.push(row(at, RowKind::Depth, flags::ASK, self.bid + 1 - gone, 0));
                rows.push(row(at, RowKind::Depth, 0, self.bid + gone, 0));
            }
        }
        for level in 0..LEVELS {
            let qty = chance.between(2, 20);
            rows.push(row(at, RowKind::Depth, mark, self.bid - level, qty));
            let qty = chance.between(2, 20);
            rows.push(row(at, RowKind::Depth, mark | flags::ASK, self.bid + 1 + level, qty));
        }
        if !snapshot && chance.one_in(2) {
            let sell = chance.one_in(2);
            let (flag, price) = if sell { (flags::ASK, self.bid) } else { (0, self.bid + 1) };
            rows.push(row(at, RowKind::Trade, flag, price, chance.between(1, 25)));
        }
        if !snapshot && chance.one_in(400) {
            rows.push(row(at, RowKind::Funding, 0, 0, chance.between(-300_000, 300_000)));
        }
        if let Some(last) = rows.last_mut() {
            last.flags |= flags::END_OF_MESSAGE;
        }
        rows
    }
}

/// What a session tells its engine when the feed has missed something.
pub(crate) fn gap(at: TimeNs) -> MarketRow {
    row(at, RowKind::Gap, flags::END_OF_MESSAGE, 0, 0)
}

const fn row(at: TimeNs, kind: RowKind, flag: u8, price: i64, qty: i64) -> MarketRow {
    MarketRow {
        recv_ns: at,
        exch_ns: at,
        qty_lots: qty,
        price_offset: price as i32,
        kind: kind as u8,
        flags: flag,
        instrument: 0,
    }
}
