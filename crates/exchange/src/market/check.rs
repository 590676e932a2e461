//! What an arriving order must fulfil, in the order of
//! `docs/explanation/simulated-venue.md`: the first failure is the reason of the reject.

use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::order::{OrderFlags, OrderType, RejectReason, Side, TimeInForce};
use mainspring_core::{Instrument, Lots, PriceGrid, Result, Ticks, TimeNs};

use super::armed::{trailing_trigger, waits};
use super::taking::Taker;
use super::{Market, TradingStatus};
use crate::order::{Admission, Desk, NewOrder, OpenOrder, OrderId};

/// The largest quantity of an order whatever the instrument says.
const MAX_LOTS: i64 = 1 << 53;

/// The limits of an instrument.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    grid: PriceGrid,
    min_qty: Lots,
    max_qty: Lots,
    /// In quanta.
    min_notional: i128,
}

impl Rules {
    pub fn of(instrument: &Instrument) -> Result<Self> {
        instrument.validate()?;
        let max_qty = if instrument.max_qty.0 > 0 { instrument.max_qty } else { Lots(MAX_LOTS) };
        Ok(Self {
            grid: instrument.grid().clone(),
            min_qty: instrument.min_qty.max(Lots(1)),
            max_qty: max_qty.min(Lots(MAX_LOTS)),
            min_notional: instrument.min_notional.to_scale(MONEY_DECIMALS).unwrap_or(0),
        })
    }

    /// The nearest valid price that is not nearer to the market.
    pub fn away_on_grid(&self, side: Side, price: Ticks) -> Ticks {
        match side {
            Side::Buy => self.grid.floor(price),
            Side::Sell => self.grid.ceil(price),
        }
    }
}

impl Market {
    /// Checks an arriving order; cuts a reduce-only one to what it may reduce.
    #[inline]
    pub(super) fn check_new(
        &self,
        order: &mut NewOrder,
        now: TimeNs,
        desk: &mut impl Desk,
    ) -> std::result::Result<(), RejectReason> {
        let terms = &order.terms;
        match self.status {
            TradingStatus::Open => {}
            TradingStatus::PostOnly if terms.flags.has(OrderFlags::POST_ONLY) => {}
            _ => return Err(RejectReason::Halted),
        }
        self.check_terms(order)?;
        if self.is_known(order.id) {
            return Err(RejectReason::DuplicateOrder);
        }
        if terms.flags.has(OrderFlags::REDUCE_ONLY) {
            let most = desk.reducible(order.account, self.id, terms.side);
            if most.0 <= 0 {
                return Err(RejectReason::ReduceOnlyWouldIncrease);
            }
            order.terms.qty = terms.qty.min(most);
        }
        desk.admit(&Admission { market: self, order, before: None })?;
        self.check_room(order)?;
        if order.terms.oco.0 != 0 {
            let leg = self.order(OrderId(order.terms.oco.0));
            leg.filter(|leg| leg.order.account == order.account && leg.order.terms.oco.0 == 0)
                .ok_or(RejectReason::UnknownOrder)?;
        }
        self.place_price(order)?;
        if waits(order.terms.order_type) {
            return if self.is_reached(order) {
                Err(RejectReason::WouldTriggerImmediately)
            } else {
                Ok(())
            };
        }
        if terms_expire(order, now) {
            return Ok(());
        }
        self.check_crossing(&Taker::of(*order, Lots(0)))
    }

    /// Quantity, grid and value.
    #[inline]
    pub(super) fn check_terms(&self, order: &NewOrder) -> std::result::Result<(), RejectReason> {
        let terms = &order.terms;
        let is_iceberg = terms.order_type == OrderType::Iceberg;
        if order.id.0 == 0
            || terms.qty < self.rules.min_qty
            || terms.qty > self.rules.max_qty
            || (is_iceberg && terms.display.0 <= 0)
        {
            return Err(RejectReason::BadQuantity);
        }
        let has_limit =
            is_iceberg || matches!(terms.order_type, OrderType::Limit | OrderType::StopLimit);
        let has_trigger = matches!(
            terms.order_type,
            OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit
        );
        let on_grid = |price: Ticks| price.0 > 0 && self.rules.grid.is_valid(price);
        if (has_limit && !on_grid(terms.price)) || (has_trigger && !on_grid(terms.trigger)) {
            return Err(RejectReason::PriceOffGrid);
        }
        if has_limit || has_trigger {
            let price = if has_limit { terms.price } else { terms.trigger };
            let value = self.contract.notional(price, terms.qty);
            let value = value.map_err(|_| RejectReason::BadQuantity)?;
            if has_limit && value < self.rules.min_notional {
                return Err(RejectReason::BelowMinNotional);
            }
        }
        Ok(())
    }

    fn is_known(&self, id: OrderId) -> bool {
        self.book.place(id.0).is_some()
            || (!self.armed.is_empty() && self.armed.order(id).is_some())
    }

    /// Room in the tables, and in the sum of the level it may join.
    pub(super) fn check_room(&self, order: &NewOrder) -> std::result::Result<(), RejectReason> {
        let terms = &order.terms;
        let level = self.book.l2().qty(terms.side, terms.price);
        let fits = level.0.checked_add(terms.qty.0).is_some_and(|sum| sum < i64::MAX / 2);
        if fits && self.open_orders() < self.max_orders {
            Ok(())
        } else {
            Err(RejectReason::Overloaded)
        }
    }

    /// Gives a peg its price and a trailing stop its trigger.
    pub(super) fn place_price(
        &self,
        order: &mut NewOrder,
    ) -> std::result::Result<(), RejectReason> {
        match order.terms.order_type {
            OrderType::Pegged => {
                order.terms.price = self.peg_price(order).ok_or(RejectReason::NoLiquidity)?;
            }
            OrderType::TrailingStop => {
                if order.terms.offset.0 <= 0 {
                    return Err(RejectReason::WouldTriggerImmediately);
                }
                let (low, high) =
                    self.reference(order.trigger_by).ok_or(RejectReason::NoLiquidity)?;
                let seen = if order.terms.side.sign() > 0 { low } else { high };
                order.terms.trigger = trailing_trigger(&order.terms, seen);
            }
            _ => {}
        }
        Ok(())
    }

    /// Post-only and fill-or-kill against the book as it is.
    #[inline]
    pub(super) fn check_crossing(&self, taker: &Taker) -> std::result::Result<(), RejectReason> {
        let terms = &taker.order.terms;
        if terms.flags.has(OrderFlags::POST_ONLY) {
            let best = self.book.l2().best(terms.side.opposite());
            let takes = best.is_some_and(|best| terms.side.at_least(taker.limit, best));
            if takes || taker.is_market {
                return Err(RejectReason::PostOnlyWouldTake);
            }
        }
        if terms.time_in_force == TimeInForce::Fok && !self.can_fill(taker) {
            return Err(RejectReason::FokNotFilled);
        }
        Ok(())
    }

    /// Checks the terms an open order would have after an amend.
    pub(super) fn check_amended(
        &self,
        before: &OpenOrder,
        after: &NewOrder,
        desk: &mut impl Desk,
    ) -> std::result::Result<(), RejectReason> {
        match self.status {
            TradingStatus::Open => {}
            TradingStatus::PostOnly if after.terms.flags.has(OrderFlags::POST_ONLY) => {}
            _ => return Err(RejectReason::Halted),
        }
        self.check_terms(after)?;
        desk.admit(&Admission { market: self, order: after, before: Some(before) })?;
        self.check_room(after)?;
        if before.is_armed {
            return if self.is_reached(after) {
                Err(RejectReason::WouldTriggerImmediately)
            } else {
                Ok(())
            };
        }
        self.check_crossing(&Taker::of(*after, before.filled))
    }
}

fn terms_expire(order: &NewOrder, now: TimeNs) -> bool {
    order.terms.time_in_force == TimeInForce::Gtd && order.terms.expire_ns <= now
}
