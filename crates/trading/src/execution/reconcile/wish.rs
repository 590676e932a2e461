//! From the levels a strategy wishes to those that can be sent: resting, large enough, best first.

use mainspring_core::limits::MAX_QUOTE_LEVELS;
use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::order::Side;
use mainspring_core::{Error, ErrorKind, Instrument, Lots, PriceGrid, Result, Ticks};

use super::config::{BelowMinimum, CrossRule, Rules};
use crate::execution::reconciler::Level;

/// The venue's smallest order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimums {
    qty: i64,
    /// Least value in money quanta of the quote currency; zero for none.
    notional: i128,
    /// Value of one lot at one tick; of one lot at any price where `per_lot`.
    unit: i128,
    per_lot: bool,
}

impl Minimums {
    /// The minimums of `instrument`.
    ///
    /// # Errors
    /// When a value does not fit exact money.
    pub fn of(instrument: &Instrument) -> Result<Self> {
        let inverse = instrument.kind.is_inverse();
        let unit = if inverse {
            // A contract is worth a fixed amount of the quote currency.
            let scale = instrument.lot.scale() + instrument.multiplier.scale();
            let mantissa = i128::from(instrument.lot.mantissa())
                .checked_mul(i128::from(instrument.multiplier.mantissa()));
            mantissa
                .filter(|_| scale <= MONEY_DECIMALS)
                .and_then(|m| m.checked_mul(10_i128.pow(u32::from(MONEY_DECIMALS - scale))))
        } else {
            Some(instrument.tick_value()?)
        };
        let notional = instrument.min_notional.to_scale(MONEY_DECIMALS);
        match (unit, notional) {
            (Some(unit), Some(notional)) if unit > 0 => {
                Ok(Self { qty: instrument.min_qty.0.max(1), notional, unit, per_lot: inverse })
            }
            _ => Err(Error::new(
                ErrorKind::Value,
                format!("{}: the smallest order value does not fit", instrument.symbol),
            )),
        }
    }

    /// The smallest quantity that a venue takes at a price.
    #[must_use]
    pub fn qty_at(&self, price: Ticks) -> Lots {
        let per_lot =
            if self.per_lot { self.unit } else { self.unit * i128::from(price.0.abs().max(1)) };
        let by_value = (self.notional + per_lot - 1) / per_lot;
        Lots(self.qty.max(i64::try_from(by_value).unwrap_or(i64::MAX)))
    }
}

/// The best prices of the feed, where there are any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// Best bid.
    pub bid: Option<Ticks>,
    /// Best ask.
    pub ask: Option<Ticks>,
}

impl Touch {
    /// The best price that an order of `side` would trade with.
    #[inline]
    #[must_use]
    pub const fn opposite(&self, side: Side) -> Option<Ticks> {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }
}

/// Wished levels of one side, best first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wished {
    levels: [Level; MAX_QUOTE_LEVELS],
    len: usize,
}

impl Wished {
    pub(super) fn as_slice(&self) -> &[Level] {
        &self.levels[..self.len]
    }

    /// The levels that can be sent of those that were wished.
    pub(super) fn of(
        levels: &[Level],
        side: Side,
        touch: &Touch,
        grid: &PriceGrid,
        rules: &Rules,
    ) -> Self {
        let blank = Level { price: Ticks(0), qty: Lots(0) };
        let mut wished = Self { levels: [blank; MAX_QUOTE_LEVELS], len: 0 };
        let limit = touch.opposite(side).map(|best| resting_limit(side, best, grid));
        for level in levels.iter().take(MAX_QUOTE_LEVELS) {
            if let Some(level) = sendable(*level, side, limit, rules) {
                wished.add(level, side);
            }
        }
        wished
    }

    /// Adds a level in its place; levels that came to one price are one.
    fn add(&mut self, level: Level, side: Side) {
        let at = self.levels[..self.len].iter().position(|l| !side.better(l.price, level.price));
        let at = at.unwrap_or(self.len);
        if at < self.len && self.levels[at].price == level.price {
            self.levels[at].qty += level.qty;
            return;
        }
        self.levels.copy_within(at..self.len, at + 1);
        self.levels[at] = level;
        self.len += 1;
    }
}

/// The most aggressive valid price that does not trade with `best` of the other side.
fn resting_limit(side: Side, best: Ticks, grid: &PriceGrid) -> Ticks {
    match side {
        Side::Buy => grid.floor(Ticks(best.0 - 1)),
        Side::Sell => grid.ceil(Ticks(best.0 + 1)),
    }
}

fn sendable(mut level: Level, side: Side, limit: Option<Ticks>, rules: &Rules) -> Option<Level> {
    if let Some(limit) = limit.filter(|limit| side.better(level.price, *limit)) {
        match rules.cross {
            CrossRule::Send => {}
            CrossRule::Rest => level.price = limit,
            CrossRule::Drop => return None,
        }
    }
    let least = rules.minimums.qty_at(level.price);
    if level.qty < least {
        match rules.below_minimum {
            BelowMinimum::Send => {}
            BelowMinimum::Drop => return None,
            BelowMinimum::Raise => level.qty = least,
        }
    }
    Some(level)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{instrument, inverse, rules};
    use super::super::ReconcileConfig;
    use super::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Ticks(price), qty: Lots(qty) }
    }

    fn wished(config: ReconcileConfig, side: Side, levels: &[Level]) -> Vec<(i64, i64)> {
        let touch = Touch { bid: Some(Ticks(99)), ask: Some(Ticks(103)) };
        let grid = PriceGrid::fixed("0.1".parse().unwrap());
        let wished = Wished::of(levels, side, &touch, &grid, &rules(&config));
        wished.as_slice().iter().map(|l| (l.price.0, l.qty.0)).collect()
    }

    #[test]
    fn crossing_quotes_rest_or_are_left_out_or_are_sent() {
        let levels = [level(98, 5), level(104, 5), level(102, 2)];
        let with = |cross| ReconcileConfig { cross, ..ReconcileConfig::default() };
        let bids = |cross| wished(with(cross), Side::Buy, &levels);
        assert_eq!(bids(CrossRule::Send), [(104, 5), (102, 2), (98, 5)]);
        assert_eq!(bids(CrossRule::Rest), [(102, 7), (98, 5)], "two levels came to one price");
        assert_eq!(bids(CrossRule::Drop), [(102, 2), (98, 5)]);
        let asks = |cross| wished(with(cross), Side::Sell, &[level(97, 1), level(100, 1)]);
        assert_eq!(asks(CrossRule::Rest), [(100, 2)]);
        assert_eq!(asks(CrossRule::Drop), [(100, 1)]);
    }

    #[test]
    fn the_nearest_resting_price_is_on_the_grid() {
        let rule = mainspring_core::instrument::GridRule::Tiers { steps: vec![(0, 1), (100, 5)] };
        let grid = PriceGrid { version: 0, tick: "0.1".parse().unwrap(), rule };
        assert_eq!(resting_limit(Side::Buy, Ticks(105), &grid), Ticks(100));
        assert_eq!(resting_limit(Side::Sell, Ticks(105), &grid), Ticks(110));
        assert_eq!(resting_limit(Side::Sell, Ticks(99), &grid), Ticks(100));
    }

    #[test]
    fn small_orders_are_dropped_or_raised() {
        // 0.1 x 0.001 a lot and tick; at least 3 lots and 0.05 of value: 5 lots at 100 ticks.
        let levels = [level(100, 4), level(98, 6), level(50, 9)];
        let with = |below_minimum| ReconcileConfig { below_minimum, ..ReconcileConfig::default() };
        let bids = |below| wished(with(below), Side::Buy, &levels);
        assert_eq!(bids(BelowMinimum::Send), [(100, 4), (98, 6), (50, 9)]);
        assert_eq!(bids(BelowMinimum::Drop), [(98, 6)]);
        assert_eq!(bids(BelowMinimum::Raise), [(100, 5), (98, 6), (50, 10)]);
    }

    #[test]
    fn contracts_of_fixed_value_have_a_minimum_of_their_own() {
        let inverse = Minimums::of(&inverse()).unwrap();
        assert_eq!((inverse.qty_at(Ticks(1)), inverse.qty_at(Ticks(9_999))), (Lots(3), Lots(3)));
        let linear = Minimums::of(&instrument()).unwrap();
        assert_eq!((linear.qty_at(Ticks(100)), linear.qty_at(Ticks(10_000))), (Lots(5), Lots(3)));
        let mut small = instrument();
        small.min_notional = "0.0000000000000000001".parse().unwrap_or(small.min_notional);
        assert!(Minimums::of(&small).is_err() || small.min_notional == instrument().min_notional);
    }
}
