//! The L2 book: quantity by price level of both sides.

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::order::Side;
use mainspring_core::units::{Lots, Ticks};

use crate::ladder::{Ladder, LadderConfig, NO_KEY};
use crate::trust::Trust;

/// The best bid of an empty side: below every price. No level can be set there.
pub const NO_BID: Ticks = Ticks::MIN;
/// The best ask of an empty side: above every price. No level can be set there.
pub const NO_ASK: Ticks = Ticks::MAX;

/// Quantity by price level of both sides, with the state of trust.
///
/// Each side is a dense window of levels around its best with an occupancy bitmap; levels
/// outside live in sorted lists, and the window follows the best. Nothing is allocated once the
/// window and the lists have reached their working size.
#[derive(Clone, Debug)]
pub struct L2Book {
    sides: [Ladder; 2],
    trust: Trust,
    /// Whether a row of the current message changed the book.
    touched: bool,
    /// Whether the current message has a gap, which no snapshot in its rest can heal.
    broken: bool,
    /// Whether levels behind the best come from the feed, not just from earlier best quotes.
    has_depth: bool,
    /// Sides whose best was stated since a gap, as bits; both heal a book without depth.
    restated: u8,
}

impl Default for L2Book {
    fn default() -> Self {
        Self::new(LadderConfig::default())
    }
}

/// Ladder keys grow towards the best: the price for bids, its complement for asks.
#[inline]
const fn key_of(side: Side, price: Ticks) -> i64 {
    price.0 ^ -(side as i64)
}

#[inline]
const fn price_of(side: Side, key: i64) -> Ticks {
    Ticks(key ^ -(side as i64))
}

impl L2Book {
    /// An empty book.
    #[must_use]
    pub fn new(config: LadderConfig) -> Self {
        Self {
            sides: [Ladder::new(config), Ladder::new(config)],
            trust: Trust::Empty,
            touched: false,
            broken: false,
            has_depth: false,
            restated: 0,
        }
    }

    /// Sets a level to an absolute quantity and returns the previous one.
    ///
    /// A quantity that is not positive removes the level. [`NO_BID`] and [`NO_ASK`] cannot be
    /// levels of their side and are ignored.
    #[inline]
    pub fn set(&mut self, side: Side, price: Ticks, qty: Lots) -> Lots {
        self.put(side, price, qty)
    }

    #[inline(always)]
    fn put(&mut self, side: Side, price: Ticks, qty: Lots) -> Lots {
        Lots(self.sides[side as usize].set(key_of(side, price), qty.0.max(0)))
    }

    /// The highest bid, [`NO_BID`] when there is none.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Ticks {
        price_of(Side::Buy, self.sides[0].best())
    }

    /// The lowest ask, [`NO_ASK`] when there is none.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Ticks {
        price_of(Side::Sell, self.sides[1].best())
    }

    /// The best price of a side.
    #[inline]
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Ticks> {
        let ladder = &self.sides[side as usize];
        (ladder.len() > 0).then(|| price_of(side, ladder.best()))
    }

    /// The quantity at the best price of a side, zero when it is empty.
    #[inline]
    #[must_use]
    pub fn best_qty(&self, side: Side) -> Lots {
        let ladder = &self.sides[side as usize];
        Lots(ladder.qty(ladder.best()))
    }

    /// The quantity at a price.
    #[inline]
    #[must_use]
    pub fn qty(&self, side: Side, price: Ticks) -> Lots {
        Lots(self.sides[side as usize].qty(key_of(side, price)))
    }

    /// The number of levels of a side.
    #[inline]
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        self.sides[side as usize].len()
    }

    /// The levels of a side from the best outwards.
    #[inline]
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Ticks, Lots)> + '_ {
        let ladder = &self.sides[side as usize];
        ladder.iter().map(move |level| (price_of(side, level.key), Lots(level.qty)))
    }

    /// Writes the best levels of a side to `out`, best first, and returns how many there were.
    pub fn top(&self, side: Side, out: &mut [(Ticks, Lots)]) -> usize {
        let mut count = 0;
        for (slot, level) in out.iter_mut().zip(self.levels(side)) {
            *slot = level;
            count += 1;
        }
        count
    }

    /// Empties both sides and forgets what was known of them.
    pub fn clear(&mut self) {
        self.clear_side(Side::Buy);
        self.clear_side(Side::Sell);
        self.trust = Trust::Empty;
        self.touched = false;
        self.broken = false;
        self.has_depth = false;
        self.restated = 0;
    }

    /// Empties one side.
    pub fn clear_side(&mut self, side: Side) {
        self.sides[side as usize].clear();
    }

    /// Sets the best of a side: levels better than `price` vanish. A quantity that is not
    /// positive removes the level at `price` too.
    pub fn set_best(&mut self, side: Side, price: Ticks, qty: Lots) {
        let key = key_of(side, price);
        let ladder = &mut self.sides[side as usize];
        while ladder.best() > key {
            ladder.set(ladder.best(), 0);
        }
        ladder.set(key, qty.0.max(0));
    }

    /// Best bid plus best ask in ticks, twice the mid price, when both sides are there.
    #[inline]
    #[must_use]
    pub fn mid2(&self) -> Option<i64> {
        if self.sides[0].len() == 0 || self.sides[1].len() == 0 {
            return None;
        }
        Some(self.best_bid().0.saturating_add(self.best_ask().0))
    }

    /// Whether the best bid is not below the best ask.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.best_bid() >= self.best_ask()
    }

    /// Whether the book can be believed.
    #[inline]
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Applies one row of the feed; rows that say nothing about the book are ignored.
    ///
    /// Trust follows these rules. A gap is remembered until a snapshot is complete. A snapshot is
    /// one message: a [`RowKind::Clear`] row or the first row with [`flags::SNAPSHOT`] empties the
    /// book, and the end of the message that holds the levels completes it; a gap inside spoils it
    /// unless a clear follows. A feed that starts
    /// without a snapshot is trusted from its first message on, unless it says it has a gap. A
    /// book fed by best quotes alone heals when both sides were stated again. At the end of a
    /// message the book must not be crossed.
    #[inline]
    pub fn apply(&mut self, row: &MarketRow, base: Ticks) {
        self.apply_in_loop(row, base);
    }

    /// As [`Self::apply`], always inlined: for the loops over the rows of a file, where replays spend
    /// their time. A call for each row would cost a fourth of what the row does.
    #[inline(always)]
    pub fn apply_in_loop(&mut self, row: &MarketRow, base: Ticks) {
        if row.kind == RowKind::Depth as u8 && row.flags & flags::SNAPSHOT == 0 {
            self.put(row.side(), row.price(base), row.qty());
            self.mark_depth();
        } else if row.kind != RowKind::Trade as u8 {
            self.apply_rare(row, base);
        }
        if row.ends_message() {
            self.end_message();
        }
    }

    /// As [`Self::apply`] for a depth row that is not of a snapshot; returns what its level held.
    #[inline]
    pub fn apply_update(&mut self, row: &MarketRow, base: Ticks) -> Lots {
        debug_assert!(row.kind == RowKind::Depth as u8 && row.flags & flags::SNAPSHOT == 0);
        let prev = self.set(row.side(), row.price(base), row.qty());
        self.mark_depth();
        if row.ends_message() {
            self.end_message();
        }
        prev
    }

    #[inline(never)]
    fn apply_rare(&mut self, row: &MarketRow, base: Ticks) {
        match RowKind::from_byte(row.kind) {
            Some(RowKind::Depth) => {
                self.begin_snapshot_once();
                self.set(row.side(), row.price(base), row.qty());
                self.mark_depth();
            }
            Some(RowKind::Best) => {
                if row.flags & flags::SNAPSHOT != 0 {
                    self.begin_snapshot_once();
                }
                self.set_best(row.side(), row.price(base), row.qty());
                self.restated |= 1 << row.side() as u8;
                self.touched = true;
            }
            Some(RowKind::Clear) => self.begin_snapshot(),
            Some(RowKind::Gap) => self.mark_gap(),
            _ => {}
        }
    }

    /// Whether `price` can be a level of this side: everything but the price of an empty side.
    #[inline]
    #[must_use]
    pub(crate) const fn can_hold(side: Side, price: Ticks) -> bool {
        key_of(side, price) != NO_KEY
    }

    pub(crate) fn begin_snapshot(&mut self) {
        self.clear();
        self.trust = Trust::Snapshotting;
    }

    /// Begins a snapshot unless one has begun or is spoilt; says whether it did.
    pub(crate) fn begin_snapshot_once(&mut self) -> bool {
        let begins = self.trust != Trust::Snapshotting && !self.broken;
        if begins {
            self.begin_snapshot();
        }
        begins
    }

    pub(crate) fn mark_gap(&mut self) {
        self.trust = Trust::Gapped;
        self.broken = true;
        self.restated = 0;
    }

    /// Notes that the current message said something of the depth.
    #[inline]
    pub(crate) fn mark_depth(&mut self) {
        self.has_depth = true;
        self.touched = true;
    }

    #[inline]
    pub(crate) fn end_message(&mut self) {
        self.broken = false;
        if !std::mem::take(&mut self.touched) {
            return;
        }
        if self.trust == Trust::Gapped && (self.has_depth || self.restated != 3) {
            return;
        }
        self.trust = if self.is_crossed() { Trust::Crossed } else { Trust::Trusted };
    }
}
