//! Between the kernel's integers and the floats that people and models use.

use mainspring_core::{Decimal, Instrument, Lots, Side, Ticks};

/// How far a float may be from a whole count and still mean it, as a fraction of the count's unit.
const NEARLY: f64 = 1e-6;

/// One decimal unit (a tick or a lot) as a correctly rounded conversion.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    mantissa: f64,
    power: f64,
}

impl Unit {
    /// The conversion for one unit.
    #[must_use]
    pub fn new(unit: Decimal) -> Self {
        Self { mantissa: unit.mantissa() as f64, power: libm::exp10(f64::from(unit.scale())) }
    }

    /// The conversion's parts: a float is `count * mantissa / power`.
    #[must_use]
    pub const fn parts(&self) -> (f64, f64) {
        (self.mantissa, self.power)
    }

    /// `count` units as the nearest float: 618002 ticks of 0.1 are 61800.2, not 61800.200000000004.
    #[inline]
    #[must_use]
    pub fn to_f64(&self, count: i64) -> f64 {
        count as f64 * self.mantissa / self.power
    }

    /// A float as a count of units, not yet whole.
    #[inline]
    #[must_use]
    pub fn count(&self, value: f64) -> f64 {
        value * self.power / self.mantissa
    }
}

/// The units of an instrument.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Price unit.
    pub tick: Unit,
    /// Quantity unit.
    pub lot: Unit,
}

impl Scale {
    /// The units of `instrument`.
    #[must_use]
    pub fn of(instrument: &Instrument) -> Self {
        Self { tick: Unit::new(instrument.tick()), lot: Unit::new(instrument.lot) }
    }

    /// A price rounded away from the other side of the book: bids down, asks up. `None` when it is
    /// not finite or too large.
    #[inline]
    #[must_use]
    pub fn passive_ticks(&self, side: Side, price: f64) -> Option<Ticks> {
        let count = self.tick.count(price);
        if !fits(count) {
            return None;
        }
        let nearest = libm::rint(count);
        let whole = if (count - nearest).abs() <= NEARLY.max(4.0 * f64::EPSILON * nearest.abs()) {
            nearest
        } else {
            match side {
                Side::Buy => count.floor(),
                Side::Sell => count.ceil(),
            }
        };
        Some(Ticks(whole as i64))
    }

    /// A price that must be on the tick, or `None`.
    #[inline]
    #[must_use]
    pub fn exact_ticks(&self, price: f64) -> Option<Ticks> {
        let count = self.tick.count(price);
        let nearest = libm::rint(count);
        (fits(count) && (count - nearest).abs() <= NEARLY).then_some(Ticks(nearest as i64))
    }

    /// A quantity rounded towards zero to whole lots. `None` when it is not finite or too large.
    #[inline]
    #[must_use]
    pub fn lots(&self, qty: f64) -> Option<Lots> {
        let count = self.lot.count(qty);
        if !fits(count) {
            return None;
        }
        let nearest = libm::rint(count);
        let whole = if (count - nearest).abs() <= NEARLY { nearest } else { count.trunc() };
        Some(Lots(whole as i64))
    }
}

#[inline]
fn fits(count: f64) -> bool {
    count.is_finite() && count.abs() < 9.0e18
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(tick: &str, lot: &str) -> Scale {
        let unit = |text: &str| Unit::new(text.parse().unwrap());
        Scale { tick: unit(tick), lot: unit(lot) }
    }

    proptest! {
        #[test]
        fn every_tick_survives_the_way_to_a_float_and_back(ticks in -10_000_000_000_i64..10_000_000_000, tick in 0_usize..5) {
            let s = scale(["0.1", "0.01", "0.25", "0.00000001", "5"][tick], "1");
            let price = s.tick.to_f64(ticks);
            prop_assert_eq!(s.passive_ticks(Side::Buy, price), Some(Ticks(ticks)));
            prop_assert_eq!(s.passive_ticks(Side::Sell, price), Some(Ticks(ticks)));
            prop_assert_eq!(s.exact_ticks(price), Some(Ticks(ticks)));
        }
    }

    #[test]
    fn prices_round_away_from_the_touch_and_quantities_down() {
        let s = scale("0.1", "0.001");
        assert_eq!(s.passive_ticks(Side::Buy, 100.17), Some(Ticks(1001)));
        assert_eq!(s.passive_ticks(Side::Sell, 100.12), Some(Ticks(1002)));
        assert_eq!(s.passive_ticks(Side::Buy, 61_800.17), Some(Ticks(618_001)));
        assert_eq!(s.passive_ticks(Side::Sell, 61_800.12), Some(Ticks(618_002)));
        assert_eq!(s.exact_ticks(100.17), None);
        assert_eq!(s.lots(0.0129), Some(Lots(12)));
        assert_eq!(s.lots(0.3), Some(Lots(300)));
        for nonsense in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(s.passive_ticks(Side::Buy, nonsense), None);
            assert_eq!(s.lots(nonsense), None);
        }
        assert!((s.tick.to_f64(618_002) - 61_800.2).abs() < f64::EPSILON);
    }
}
