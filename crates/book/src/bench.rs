//! The book against the least work that any ladder must do, on the same updates in turn.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use mainspring_core::order::Side;
use mainspring_core::units::{Lots, Ticks};

use crate::l2::L2Book;

/// A level set to an absolute quantity.
#[derive(Clone, Copy, Debug)]
pub struct LevelUpdate {
    /// Quantity, zero to remove.
    pub qty: Lots,
    /// Price.
    pub price: Ticks,
    /// Side.
    pub side: Side,
}

/// Timed passes of each book; the reported figure is their median.
const PASSES: usize = 31;

/// Nanoseconds of one level update followed by a read of both best prices: the median of our
/// book, and of a flat array over the whole price range with a cursor at each best.
///
/// `n` updates as of a busy bitcoin perpetual are made once and applied to both books in turn.
///
/// # Panics
/// When the two books end with different best prices, which would make the comparison void.
#[must_use]
pub fn book_update(n: usize) -> (f64, f64) {
    book_update_on(&busy_perpetual(n))
}

/// [`book_update`] on updates of your own.
///
/// # Panics
/// When the two books end with different best prices.
#[must_use]
pub fn book_update_on(updates: &[LevelUpdate]) -> (f64, f64) {
    let (mut ours, mut floor) = ([0.0; PASSES], [0.0; PASSES]);
    let mut book = L2Book::default();
    let mut flat = FlatLadder::covering(updates);
    for pass in 0..PASSES {
        book.clear();
        flat.clear();
        let (our_ns, our_sum) = timed(updates, |u| {
            book.set(u.side, u.price, u.qty);
            book.best_bid().0 ^ book.best_ask().0
        });
        let (floor_ns, floor_sum) = timed(updates, |u| {
            flat.set(u);
            flat.best(Side::Buy) ^ flat.best(Side::Sell)
        });
        assert_eq!(our_sum, floor_sum, "the books differ");
        (ours[pass], floor[pass]) = (our_ns, floor_ns);
    }
    (median(&mut ours), median(&mut floor))
}

fn timed(updates: &[LevelUpdate], mut apply: impl FnMut(&LevelUpdate) -> i64) -> (f64, i64) {
    let start = Instant::now();
    let mut sum = 0_i64;
    for update in updates {
        sum = sum.wrapping_add(black_box(apply(update)));
    }
    (start.elapsed().as_nanos() as f64 / updates.len().max(1) as f64, sum)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One array over all prices there will be, a cursor at each best that walks when it must.
struct FlatLadder {
    low: i64,
    sides: [Vec<i64>; 2],
    best: [usize; 2],
}

impl FlatLadder {
    fn covering(updates: &[LevelUpdate]) -> Self {
        let low = updates.iter().map(|u| u.price.0).min().unwrap_or(0) - 1;
        let high = updates.iter().map(|u| u.price.0).max().unwrap_or(0) + 1;
        let width = (high - low + 1) as usize;
        Self { low, sides: [vec![0; width], vec![0; width]], best: [0, width - 1] }
    }

    fn clear(&mut self) {
        self.sides.iter_mut().for_each(|side| side.fill(0));
        self.best = [0, self.sides[1].len() - 1];
    }

    #[inline]
    fn set(&mut self, update: &LevelUpdate) {
        let (side, at) = (update.side as usize, (update.price.0 - self.low) as usize);
        let (levels, best) = (&mut self.sides[side], &mut self.best[side]);
        levels[at] = update.qty.0;
        if update.qty.0 != 0 {
            *best = if side == 0 { at.max(*best) } else { at.min(*best) };
        } else if at == *best {
            if side == 0 {
                while *best > 0 && levels[*best] == 0 {
                    *best -= 1;
                }
            } else {
                while *best < levels.len() - 1 && levels[*best] == 0 {
                    *best += 1;
                }
            }
        }
    }

    #[inline]
    fn best(&self, side: Side) -> i64 {
        match (side, self.best[side as usize]) {
            (Side::Buy, 0) => Ticks::MIN.0,
            (Side::Sell, at) if at == self.sides[1].len() - 1 => Ticks::MAX.0,
            (_, at) => self.low + at as i64,
        }
    }
}

/// Updates shaped like those of a busy bitcoin perpetual: a thousand levels a side, four of ten
/// updates within ten ticks of the touch, a tail out to thousands, a mid that wanders.
fn busy_perpetual(n: usize) -> Vec<LevelUpdate> {
    let mut market = Market { state: 42, mid: 600_000, books: Default::default() };
    let mut updates = Vec::with_capacity(n + 64);
    while updates.len() < n {
        market.next_message(&mut updates);
    }
    updates.truncate(n);
    updates
}

struct Market {
    state: u64,
    mid: i64,
    books: [BTreeMap<i64, i64>; 2],
}

impl Market {
    /// Uniform below `bound` (Steele's SplitMix64).
    fn draw(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn next_message(&mut self, updates: &mut Vec<LevelUpdate>) {
        if self.draw(8) == 0 {
            self.mid += self.draw(9) as i64 - 4;
        }
        self.remove_crossed(updates);
        for _ in 0..4 + self.draw(12) {
            let side = if self.draw(2) == 0 { Side::Buy } else { Side::Sell };
            let price = side.inward(Ticks(self.mid), -1 - self.distance());
            let held = self.books[side as usize].contains_key(&price.0);
            // Far from the touch levels live longer, so that the book keeps its depth.
            let qty = if held && self.draw(2) == 0 { 0 } else { 1 + self.draw(5_000) as i64 };
            self.set(LevelUpdate { qty: Lots(qty), price, side }, updates);
        }
    }

    fn distance(&mut self) -> i64 {
        let reach = match self.draw(100) {
            0..40 => 10,
            40..75 => 200,
            75..99 => 1_500,
            _ => 20_000,
        };
        self.draw(reach) as i64
    }

    fn remove_crossed(&mut self, updates: &mut Vec<LevelUpdate>) {
        for side in [Side::Buy, Side::Sell] {
            let edge = Ticks(self.mid);
            let is_crossed = |price: &&i64| side.at_least(Ticks(**price), edge);
            let crossed: Vec<i64> =
                self.books[side as usize].keys().filter(is_crossed).copied().collect();
            for price in crossed {
                self.set(LevelUpdate { qty: Lots(0), price: Ticks(price), side }, updates);
            }
        }
    }

    fn set(&mut self, update: LevelUpdate, updates: &mut Vec<LevelUpdate>) {
        let levels = &mut self.books[update.side as usize];
        if update.qty.0 == 0 {
            levels.remove(&update.price.0);
        } else {
            levels.insert(update.price.0, update.qty.0);
        }
        updates.push(update);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_ladder_and_the_book_agree_on_every_update() {
        let (ours, floor) = book_update(5_000);
        assert!(ours > 0.0 && floor > 0.0);
    }
}
