//! Depth and best prices of one book, told by two streams.
//!
//! A venue that sends what is different from one moment to the next (OKX, Bybit) says nothing of a level
//! that came and went, or went and came back, in between. The stream of best prices does: it adds such
//! levels to the book and takes others from it. When the best price moves on, those levels have to be
//! again what the depth last said, or they would stay wrong until they change.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};

use mainspring_core::event::flags;
use mainspring_core::{Lots, MarketRow, RowKind, Side, Ticks};

/// What the depth of a book last said, and the best price that was told of each side since.
#[derive(Clone, Debug, Default)]
pub(super) struct Depth {
    levels: [BTreeMap<Ticks, Lots>; 2],
    best: [Option<Ticks>; 2],
    /// Kept for its capacity.
    told: Vec<MarketRow>,
}

impl Depth {
    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.levels.iter_mut().for_each(BTreeMap::clear);
        self.best = [None; 2];
    }

    /// Takes the rows of a message about levels.
    pub(super) fn take(&mut self, rows: &[MarketRow], base: Ticks) {
        for row in rows {
            let levels = &mut self.levels[row.side() as usize];
            match RowKind::from_byte(row.kind) {
                Some(RowKind::Clear) => self.clear(),
                Some(RowKind::Depth) if row.qty_lots > 0 => {
                    levels.insert(row.price(base), row.qty());
                }
                Some(RowKind::Depth) => drop(levels.remove(&row.price(base))),
                _ => {}
            }
        }
    }

    /// The rows of a message of best prices, with what the depth says of the levels that they move away
    /// from in front.
    pub(super) fn with_best(&mut self, rows: &[MarketRow], base: Ticks) -> &[MarketRow] {
        self.told.clear();
        for row in rows.iter().filter(|row| row.kind == RowKind::Best as u8) {
            let (side, price) = (row.side(), row.price(base));
            let before = self.best[side as usize].replace(price);
            if let Some(before) = before.filter(|before| side.better(price, *before)) {
                self.restore(side, (before, price), row, base);
            }
        }
        self.told.extend_from_slice(rows);
        &self.told
    }

    /// Levels from one best price up to the next are what the depth says.
    fn restore(&mut self, side: Side, between: (Ticks, Ticks), like: &MarketRow, base: Ticks) {
        let (before, price) = between;
        let range = match side {
            Side::Buy => (Included(before), Excluded(price)),
            Side::Sell => (Excluded(price), Included(before)),
        };
        let levels = &self.levels[side as usize];
        let gone = (!levels.contains_key(&before)).then_some((before, Lots::ZERO));
        let there = levels.range(range).map(|(price, lots)| (*price, *lots));
        for (price, lots) in there.chain(gone) {
            let Ok(price_offset) = i32::try_from(price.0 - base.0) else { continue };
            self.told.push(MarketRow {
                qty_lots: lots.0,
                price_offset,
                kind: RowKind::Depth as u8,
                flags: like.flags & flags::ASK,
                ..*like
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Ticks = Ticks(1_000);

    fn row(kind: RowKind, side: Side, price: i64, lots: i64) -> MarketRow {
        MarketRow {
            recv_ns: 1,
            exch_ns: 1,
            qty_lots: lots,
            price_offset: (price - BASE.0) as i32,
            kind: kind as u8,
            flags: if side == Side::Sell { flags::ASK } else { 0 },
            instrument: 0,
        }
    }

    type Levels = BTreeMap<i64, i64>;

    /// What becomes of a side of the engine's book: a best price sets its level, and nothing better is
    /// there.
    fn apply(book: &mut Levels, side: Side, rows: &[MarketRow]) {
        for row in rows.iter().filter(|row| row.side() == side) {
            let price = row.price(BASE).0;
            if row.kind == RowKind::Best as u8 {
                book.retain(|level, _| !side.better(Ticks(*level), Ticks(price)));
            }
            book.insert(price, row.qty_lots);
            book.retain(|_, lots| *lots > 0);
        }
    }

    fn best(book: &Levels, side: Side) -> Option<(i64, i64)> {
        let level = if side == Side::Buy { book.last_key_value() } else { book.first_key_value() };
        level.map(|(price, lots)| (*price, *lots))
    }

    /// Rows that make `after` of `before`: what has changed in between is not told twice.
    fn changes(side: Side, before: &Levels, after: &Levels) -> Vec<MarketRow> {
        let prices = before.keys().chain(after.keys());
        let changed = prices.filter(|price| before.get(price) != after.get(price));
        changed
            .map(|price| {
                row(RowKind::Depth, side, *price, after.get(price).map_or(0, |lots| *lots))
            })
            .collect()
    }

    /// The book that a market leaves behind, its best prices told at each change and its depth at some.
    fn followed(
        side: Side,
        steps: &[(i64, i64, bool)],
        with: impl Fn(&mut Depth, &[MarketRow]) -> Vec<MarketRow>,
    ) -> (Levels, Levels) {
        let mut truth = Levels::from([(1_000, 1)]);
        let (mut told, mut book, mut depth) = (Levels::new(), Levels::new(), Depth::default());
        for (price, lots, tells_depth) in steps.iter().chain([&(1_000, 9, true)]) {
            truth.insert(*price, *lots);
            truth.retain(|_, lots| *lots > 0);
            if let Some((price, lots)) = best(&truth, side) {
                let rows = with(&mut depth, &[row(RowKind::Best, side, price, lots)]);
                apply(&mut book, side, &rows);
            }
            if *tells_depth {
                let rows = changes(side, &told, &truth);
                depth.take(&rows, BASE);
                apply(&mut book, side, &rows);
                told.clone_from(&truth);
            }
        }
        (book, truth)
    }

    proptest! {
        #[test]
        fn the_book_is_the_markets_after_each_depth(
            steps in prop::collection::vec((990..1_010_i64, 0..4_i64, any::<bool>()), 0..60),
            sells in any::<bool>(),
        ) {
            let side = if sells { Side::Sell } else { Side::Buy };
            let (book, truth) =
                followed(side, &steps, |depth, rows| depth.with_best(rows, BASE).to_vec());
            prop_assert_eq!(book, truth);
        }
    }

    #[test]
    fn without_it_a_level_between_two_depths_stays() {
        let steps = [(1_001, 5, false), (1_003, 1, false), (1_001, 0, false)];
        let plain = followed(Side::Buy, &steps, |_, rows| rows.to_vec());
        assert_ne!(plain.0, plain.1);
        let merged =
            followed(Side::Buy, &steps, |depth, rows| depth.with_best(rows, BASE).to_vec());
        assert_eq!(merged.0, merged.1);
    }
}
