//! The checks on the terms of an order, in the order of the contract.

use mainspring_core::error::Result;
use mainspring_core::instrument::{GridRule, Instrument, PriceGrid};
use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::order::{OrderTerms, OrderType, RejectReason, Side};
use mainspring_core::units::{Lots, Ticks};

use super::{unusable, SimMarket};

/// Prices and quantities beyond this are refused, so that no sum can overflow.
const LARGEST: i64 = 1 << 53;

/// What the instrument asks of an order, in integers.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    min_qty: i64,
    max_qty: i64,
    min_notional: MinNotional,
}

/// The least value of an order.
#[derive(Clone, Copy, Debug)]
enum MinNotional {
    /// Price x quantity in tick-lots.
    TickLots(i128),
    /// Quantity in lots, where the value does not depend on the price.
    Lots(i128),
}

impl Limits {
    pub fn of(instrument: &Instrument) -> Result<Self> {
        let max_qty = match instrument.max_qty.0 {
            0 => LARGEST,
            max => max.min(LARGEST),
        };
        let min_qty = instrument.min_qty.0.max(1);
        Ok(Self { min_qty, max_qty, min_notional: MinNotional::of(instrument)? })
    }
}

impl MinNotional {
    fn of(instrument: &Instrument) -> Result<Self> {
        let quanta = |value: Option<i128>, what: &str| {
            value.ok_or_else(|| {
                unusable(format!("{what} needs more than {MONEY_DECIMALS} decimals"))
            })
        };
        let least = quanta(instrument.min_notional.to_scale(MONEY_DECIMALS), "min_notional")?;
        if !instrument.kind.is_inverse() {
            return Ok(Self::TickLots(ceil_div(least, instrument.tick_value()?)));
        }
        let (lot, multiplier) = (instrument.lot, instrument.multiplier);
        let spare = MONEY_DECIMALS.checked_sub(lot.scale() + multiplier.scale());
        let value = spare.and_then(|spare| {
            i128::from(lot.mantissa())
                .checked_mul(i128::from(multiplier.mantissa()))?
                .checked_mul(10_i128.checked_pow(u32::from(spare))?)
        });
        Ok(Self::Lots(ceil_div(least, quanta(value, "lot x multiplier")?)))
    }

    fn is_met(self, price: Ticks, qty: i64) -> bool {
        match self {
            Self::TickLots(least) => i128::from(price.0) * i128::from(qty) >= least,
            Self::Lots(least) => i128::from(qty) >= least,
        }
    }
}

fn ceil_div(value: i128, unit: i128) -> i128 {
    -((-value).div_euclid(unit))
}

/// What an instrument asks of the terms of an order, whoever matches it: quantity, grid and value.
#[derive(Clone, Debug)]
pub struct OrderRules {
    grids: Vec<PriceGrid>,
    grid: usize,
    limits: Limits,
}

impl OrderRules {
    /// The rules of an instrument; the newest grid counts until [`Self::set_grid`].
    ///
    /// # Errors
    /// When the instrument cannot be used.
    pub fn of(instrument: &Instrument) -> Result<Self> {
        instrument.validate()?;
        let limits = Limits::of(instrument).map_err(|error| error.at(&instrument.symbol))?;
        Ok(Self { grids: instrument.grids.clone(), grid: instrument.grids.len() - 1, limits })
    }

    /// Another version of the grid comes into force; one that is not there is passed over.
    pub fn set_grid(&mut self, version: i64) {
        if let Some(version) = usize::try_from(version).ok().filter(|v| *v < self.grids.len()) {
            self.grid = version;
        }
    }

    /// Checks quantity, prices and value of an order.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub fn check(&self, terms: &OrderTerms) -> std::result::Result<(), RejectReason> {
        let qty = terms.qty.0;
        if qty < self.limits.min_qty || qty > self.limits.max_qty {
            return Err(RejectReason::BadQuantity);
        }
        if terms.order_type == OrderType::Iceberg && terms.display.0 <= 0 {
            return Err(RejectReason::BadQuantity);
        }
        let limit_ok = !has_limit(terms.order_type) || self.on_grid(terms.price);
        let trigger_ok = !has_trigger(terms.order_type) || self.on_grid(terms.trigger);
        if !limit_ok || !trigger_ok || terms.offset.0.unsigned_abs() > LARGEST as u64 {
            return Err(RejectReason::PriceOffGrid);
        }
        if has_limit(terms.order_type) && !self.limits.min_notional.is_met(terms.price, qty) {
            return Err(RejectReason::BelowMinNotional);
        }
        Ok(())
    }

    #[inline]
    fn on_grid(&self, price: Ticks) -> bool {
        let grid = &self.grids[self.grid];
        price.0.unsigned_abs() <= LARGEST as u64
            && (grid.rule == GridRule::Fixed || grid.is_valid(price))
    }

    /// The nearest price on the grid that is not more aggressive than `price`.
    fn passive_price(&self, side: Side, price: Ticks) -> Ticks {
        let grid = &self.grids[self.grid];
        match side {
            Side::Buy => grid.floor(price),
            Side::Sell => grid.ceil(price),
        }
    }
}

/// Whether the type trades at its own limit price.
pub(super) const fn has_limit(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg)
}

/// Whether the type waits for a trigger price of its own.
pub(super) const fn has_trigger(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit)
}

impl SimMarket {
    /// Checks what does not depend on other orders: the venue, the quantity, the prices.
    pub(super) fn check_terms(&self, terms: &OrderTerms) -> std::result::Result<(), RejectReason> {
        if terms.instrument != self.id || self.halted {
            return Err(RejectReason::Halted);
        }
        self.rules.check(terms)
    }

    /// The quantity that reduce-only leaves of an order, or the reason against it.
    pub(super) fn reduced(
        &self,
        side: Side,
        reduce_only: bool,
        qty: i64,
    ) -> std::result::Result<i64, RejectReason> {
        if !reduce_only {
            return Ok(qty);
        }
        match (-side.sign() * self.position.0).max(0) {
            0 => Err(RejectReason::ReduceOnlyWouldIncrease),
            room => Ok(qty.min(room)),
        }
    }

    /// Whether the account could carry the position if everything open on this side filled,
    /// and `added` lots more.
    pub(super) fn has_margin(&self, side: Side, added: i64) -> bool {
        let Some(limits) = self.margin else { return true };
        let bound = match side {
            Side::Buy => limits.long,
            Side::Sell => limits.short,
        };
        let worst = side.sign() * self.position.0 + self.open_lots[side as usize] + added;
        worst <= bound.0
    }

    /// The nearest price on the grid that is not more aggressive than `price`.
    pub(super) fn passive_price(&self, side: Side, price: Ticks) -> Ticks {
        self.rules.passive_price(side, price)
    }

    /// Quantity the feed shows at a level less what we took from it.
    #[inline]
    pub(super) fn available(&self, side: Side, price: Ticks) -> Lots {
        Lots((self.feed().qty(side, price).0 - self.taken.at(side, price)).max(0))
    }
}
