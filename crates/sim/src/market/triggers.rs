//! Stops, take-profits and trailing stops: armed until the reference price reaches them.

use mainspring_core::order::{
    CancelReason, OrderTerms, OrderType, RejectReason, Side, VenueEvent, VenueEventKind,
};
use mainspring_core::units::{Lots, Ticks, TimeNs};

use super::requests::say_amended;
use super::{say, SimMarket};
use crate::config::TriggerSource;
use crate::orders::{Order, Slot, Stage};

/// Reference prices are kept in this part of a tick, the unit of mark prices.
const PER_TICK: i128 = 1_000_000_000;

const fn fine(price: Ticks) -> i128 {
    price.0 as i128 * PER_TICK
}

/// The reference prices and the orders that wait for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Triggers {
    last_trade: Option<Ticks>,
    mark: Option<i128>,
    /// Armed orders by id.
    armed: Vec<Slot>,
    trailing: usize,
    /// No order that waits for a rise fires below this, none that waits for a fall above that.
    bounds: Option<(i128, i128)>,
}

impl Triggers {
    pub const fn last_trade(&self) -> Option<Ticks> {
        self.last_trade
    }

    pub const fn mark(&self) -> Option<i128> {
        self.mark
    }

    /// Whether any order waits for its trigger.
    #[inline]
    pub const fn has_armed(&self) -> bool {
        !self.armed.is_empty()
    }

    #[inline]
    pub fn set_last_trade(&mut self, price: Ticks) {
        self.last_trade = Some(price);
    }

    pub fn set_mark(&mut self, price: Ticks, billionths: i64) {
        self.mark = Some(fine(price) + i128::from(billionths));
    }

    /// Takes an order out that is armed no more.
    pub fn disarm(&mut self, slot: Slot, order: &Order) {
        self.armed.retain(|armed| *armed != slot);
        if order.terms.order_type == OrderType::TrailingStop {
            self.trailing -= 1;
        }
        self.bounds = None;
    }
}

/// Whether the trigger is reached by a rising price.
fn on_rise(terms: &OrderTerms) -> bool {
    let buys = terms.side == Side::Buy;
    match terms.order_type {
        OrderType::TakeProfit => !buys,
        _ => buys,
    }
}

fn is_reached(rises: bool, trigger: i128, reference: i128) -> bool {
    if rises {
        reference >= trigger
    } else {
        reference <= trigger
    }
}

/// Where a trailing stop fires, once it has seen a price.
fn trailing_trigger(terms: &OrderTerms, best: i128) -> i128 {
    best + i128::from(terms.side.sign()) * fine(terms.offset)
}

impl SimMarket {
    fn reference(&self) -> Option<i128> {
        match self.config.trigger_source {
            TriggerSource::LastTrade => self.triggers.last_trade.map(fine),
            TriggerSource::Mark => self.triggers.mark,
        }
    }

    /// Whether the order waits for a trigger; refused when it would not have to.
    pub(super) fn waits_for_trigger(&self, terms: &OrderTerms) -> Result<bool, RejectReason> {
        let fires = match terms.order_type {
            OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit => self
                .reference()
                .is_some_and(|now| is_reached(on_rise(terms), fine(terms.trigger), now)),
            OrderType::TrailingStop => terms.offset.0 <= 0,
            _ => return Ok(false),
        };
        if fires {
            return Err(RejectReason::WouldTriggerImmediately);
        }
        Ok(true)
    }

    pub(super) fn arm(&mut self, slot: Slot) {
        let reference = self.reference();
        let order = self.orders.get_mut(slot);
        order.stage = Stage::Armed;
        let id = order.id;
        if order.terms.order_type == OrderType::TrailingStop {
            order.trail_best = reference;
            self.triggers.trailing += 1;
        }
        let armed = &mut self.triggers.armed;
        let at = armed.partition_point(|other| self.orders.get(*other).id < id);
        armed.insert(at, slot);
        self.triggers.bounds = None;
    }

    /// The trigger of an armed order changes.
    pub(super) fn rearm(&mut self, _slot: Slot, _terms: &OrderTerms) {
        self.triggers.bounds = None;
    }

    /// Looks for armed orders that the reference price reaches, the lowest id first.
    pub(super) fn fire_triggers(&mut self, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        if self.triggers.armed.is_empty() {
            return;
        }
        let Some(reference) = self.reference() else { return };
        let (rise, fall) = self.trigger_bounds();
        if self.triggers.trailing == 0 && reference < rise && reference > fall {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        for index in 0..self.triggers.armed.len() {
            let slot = self.triggers.armed[index];
            if self.is_fired(slot, reference) {
                due.push(slot);
            }
        }
        for &slot in &due {
            // The fill of one may have cancelled the next.
            if self.orders.get(slot).stage == Stage::Armed {
                self.fire(slot, now_ns, out);
            }
        }
        self.due = due;
    }

    fn trigger_bounds(&mut self) -> (i128, i128) {
        if let Some(bounds) = self.triggers.bounds {
            return bounds;
        }
        let (mut rise, mut fall) = (i128::MAX, i128::MIN);
        for slot in &self.triggers.armed {
            let terms = &self.orders.get(*slot).terms;
            if terms.order_type == OrderType::TrailingStop {
                continue;
            }
            if on_rise(terms) {
                rise = rise.min(fine(terms.trigger));
            } else {
                fall = fall.max(fine(terms.trigger));
            }
        }
        self.triggers.bounds = Some((rise, fall));
        (rise, fall)
    }

    fn is_fired(&mut self, slot: Slot, reference: i128) -> bool {
        let order = self.orders.get_mut(slot);
        let terms = order.terms;
        if terms.order_type != OrderType::TrailingStop {
            return is_reached(on_rise(&terms), fine(terms.trigger), reference);
        }
        // A stop that sells follows the highest price, one that buys the lowest.
        let best = match (order.trail_best, terms.side) {
            (None, _) => reference,
            (Some(best), Side::Sell) => best.max(reference),
            (Some(best), Side::Buy) => best.min(reference),
        };
        order.trail_best = Some(best);
        is_reached(on_rise(&terms), trailing_trigger(&terms, best), reference)
    }

    /// An armed order becomes a market or limit order now.
    fn fire(&mut self, slot: Slot, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        // What the trade in front of it filled is in its way no more.
        self.orders.sweep();
        let order = self.orders.get(slot);
        let (id, terms) = (order.id, order.terms);
        self.triggers.disarm(slot, order);
        self.orders.get_mut(slot).stage = Stage::Entering;
        say(out, id, now_ns, VenueEventKind::Triggered);
        let fillable = self.fillable(slot);
        if fillable == 0 {
            self.cancel_slot(slot, CancelReason::ReduceOnly, now_ns, out);
            return;
        }
        if fillable < terms.qty.0 {
            self.orders.get_mut(slot).terms.qty = Lots(fillable);
            say_amended(out, id, now_ns, &OrderTerms { qty: Lots(fillable), ..terms });
        }
        if let Err(reason) = self.refuse_entry(&terms, fillable) {
            say(out, id, now_ns, VenueEventKind::Rejected(reason));
            self.retire(slot);
            return;
        }
        self.enter(slot, now_ns, out);
    }
}
