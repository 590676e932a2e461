//! What is held and what may still be: the quantities that position and exposure limits look at.

use mainspring_core::Side;

/// A position and the open quantity on each side, in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) position: i64,
    pub(super) open: [i64; 2],
    /// Orders that are open.
    pub(super) orders: i32,
}

impl Held {
    /// The position if everything open on the side filled, positive towards the side.
    #[inline]
    pub(super) const fn towards(&self, side: Side) -> i64 {
        self.position * side.sign() + self.open[side as usize]
    }

    /// The largest absolute position that what is open can lead to.
    #[inline]
    pub(super) fn worst(&self) -> i64 {
        // Where one of the two is the magnitude of a negative number, the other is larger.
        self.towards(Side::Buy).max(self.towards(Side::Sell))
    }

    /// The same with so much more open on a side.
    #[inline]
    pub(super) fn worst_with(&self, side: Side, added: i64) -> i64 {
        (self.towards(side) + added).max(self.towards(side.opposite()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_worst_is_the_largest_that_any_fills_lead_to(
            position in -50_i64..50, buys in 0_i64..50, sells in 0_i64..50, added in 0_i64..50,
        ) {
            let held = Held { position, open: [buys, sells], orders: 0 };
            let reachable = |buys: i64| {
                (0..=buys).flat_map(move |b| (0..=sells).map(move |s| (position + b - s).abs()))
            };
            prop_assert_eq!(held.worst(), reachable(buys).max().unwrap());
            let with = held.worst_with(Side::Buy, added);
            prop_assert_eq!(with, reachable(buys + added).max().unwrap());
        }
    }
}
