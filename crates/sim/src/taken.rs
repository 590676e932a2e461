//! What our own taking has removed from the feed's levels since each was last set.

use mainspring_core::order::Side;
use mainspring_core::units::Ticks;

/// Lots taken by price, per side; a handful of levels at most at any time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    sides: [Vec<(i64, i64)>; 2],
}

impl Taken {
    /// Whether nothing is taken from a side.
    #[inline]
    pub fn is_clear(&self, side: Side) -> bool {
        self.sides[side as usize].is_empty()
    }

    /// Whether nothing is taken at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.sides.iter().all(Vec::is_empty)
    }

    /// Lots taken at a level.
    #[inline]
    pub fn at(&self, side: Side, price: Ticks) -> i64 {
        let levels = &self.sides[side as usize];
        match levels.binary_search_by_key(&price.0, |level| level.0) {
            Ok(index) => levels[index].1,
            Err(_) => 0,
        }
    }

    /// Takes lots from a level.
    pub fn add(&mut self, side: Side, price: Ticks, lots: i64) {
        let levels = &mut self.sides[side as usize];
        match levels.binary_search_by_key(&price.0, |level| level.0) {
            Ok(index) => levels[index].1 += lots,
            Err(index) => levels.insert(index, (price.0, lots)),
        }
    }

    /// The feed set a level: nothing is taken from it any more.
    #[inline]
    pub fn reset(&mut self, side: Side, price: Ticks) {
        let levels = &mut self.sides[side as usize];
        if levels.is_empty() {
            return;
        }
        if let Ok(index) = levels.binary_search_by_key(&price.0, |level| level.0) {
            levels.remove(index);
        }
    }

    /// The feed's best moved to `price`: levels better than it are gone.
    pub fn reset_better(&mut self, side: Side, price: Ticks) {
        self.sides[side as usize].retain(|level| !side.better(Ticks(level.0), price));
    }

    /// The feed's book was emptied.
    pub fn clear(&mut self) {
        self.sides.iter_mut().for_each(Vec::clear);
    }
}
