//! Stops, take-profits and trailing stops: armed until a price reaches them.

use mainspring_book::{L3Book, L3Config, LadderConfig};
use mainspring_core::order::{CancelReason, OrderTerms, OrderType, Side};
use mainspring_core::{Lots, Ticks, TimeNs};
use mainspring_trading::ledger::MarkPrice;

use super::taking::Taker;
use super::Market;
use crate::order::{AccountId, Desk, NewOrder, OrderId, ReportKind, TriggerBy};

/// Billionths of a tick, the unit of mark prices, in one tick.
const PER_TICK: i128 = 1_000_000_000;

/// Whether an order of this type waits for a trigger.
pub(super) const fn waits(order_type: OrderType) -> bool {
    matches!(
        order_type,
        OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit | OrderType::TrailingStop
    )
}

/// The side of [`Wait::book`] an order stands on: what a rising price sets off are its asks, so that
/// the nearest trigger is the best price and equal ones fire in order of arrival.
fn shelf(terms: &OrderTerms) -> Side {
    match terms.order_type {
        OrderType::TakeProfit => terms.side,
        _ => terms.side.opposite(),
    }
}

/// Orders that wait for one reference price, by their trigger.
#[derive(Clone, Debug)]
struct Wait {
    book: L3Book,
    /// By place in the book.
    orders: Vec<NewOrder>,
}

/// All orders that wait for a trigger.
#[derive(Clone, Debug)]
pub(super) struct Armed {
    waits: [Wait; 2],
    /// Trailing stops by what they follow.
    trailing: [Vec<OrderId>; 2],
}

const SOURCES: [TriggerBy; 2] = [TriggerBy::LastTrade, TriggerBy::Mark];

impl Armed {
    pub fn new(max_orders: usize) -> Self {
        let ladder = LadderConfig::default();
        let config = L3Config { reserved_orders: 64, max_orders, ladder };
        let wait = || Wait { book: L3Book::new(config), orders: Vec::with_capacity(64) };
        Self { waits: [wait(), wait()], trailing: [Vec::new(), Vec::new()] }
    }

    pub fn len(&self) -> usize {
        self.waits.iter().map(|wait| wait.book.len()).sum()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waits.iter().all(|wait| wait.book.is_empty())
    }

    /// An armed order; its trigger is where it is now.
    pub fn order(&self, id: OrderId) -> Option<NewOrder> {
        self.waits.iter().find_map(|wait| {
            let place = wait.book.place(id.0)?;
            let mut order = wait.orders[place.0 as usize];
            order.terms.trigger = wait.book.at(place).price;
            Some(order)
        })
    }

    pub fn orders_of(&self, account: AccountId, ids: &mut Vec<OrderId>) {
        for wait in &self.waits {
            for shelf in [Side::Buy, Side::Sell] {
                for (price, _) in wait.book.l2().levels(shelf) {
                    let of_account = |id: &OrderId| {
                        wait.book
                            .place(id.0)
                            .is_some_and(|place| wait.orders[place.0 as usize].account == account)
                    };
                    let queue = wait.book.queue(shelf, price).map(|order| OrderId(order.id));
                    ids.extend(queue.filter(of_account));
                }
            }
        }
    }

    /// Adds an order with its trigger in `terms.trigger`. Returns whether there was room.
    fn add(&mut self, order: NewOrder) -> bool {
        let terms = &order.terms;
        let wait = &mut self.waits[order.trigger_by as usize];
        let Ok(place) = wait.book.add(order.id.0, shelf(terms), terms.trigger, terms.qty) else {
            return false;
        };
        match wait.orders.get_mut(place.0 as usize) {
            Some(slot) => *slot = order,
            None => wait.orders.push(order),
        }
        if terms.order_type == OrderType::TrailingStop {
            self.trailing[order.trigger_by as usize].push(order.id);
        }
        true
    }

    fn remove(&mut self, id: OrderId) -> Option<NewOrder> {
        let wait = self.waits.iter_mut().find(|wait| wait.book.place(id.0).is_some())?;
        let place = wait.book.place(id.0)?;
        let order = wait.orders[place.0 as usize];
        wait.book.delete_at(place);
        if order.terms.order_type == OrderType::TrailingStop {
            self.trailing[order.trigger_by as usize].retain(|trailing| *trailing != id);
        }
        Some(order)
    }

    pub fn pair(&mut self, leg: OrderId, other: OrderId) {
        for wait in &mut self.waits {
            if let Some(place) = wait.book.place(leg.0) {
                wait.orders[place.0 as usize].terms.oco.0 = other.0;
            }
        }
    }

    /// Moves trailing stops after a highest and a lowest price.
    fn trail(&mut self, by: TriggerBy, low: Ticks, high: Ticks) {
        let wait = &mut self.waits[by as usize];
        for id in &self.trailing[by as usize] {
            let Some(place) = wait.book.place(id.0) else { continue };
            let terms = wait.orders[place.0 as usize].terms;
            let seen = if terms.side == Side::Sell { high } else { low };
            let trigger = trailing_trigger(&terms, seen);
            if terms.side.opposite().better(wait.book.at(place).price, trigger) {
                continue;
            }
            // A level that is full to the last lot of 64 bits keeps the order where it is.
            let _ = wait.book.modify(id.0, trigger, terms.qty);
        }
    }

    /// The first order whose trigger is reached.
    fn take_due(&mut self, by: TriggerBy, low: Ticks, high: Ticks) -> Option<NewOrder> {
        let book = &self.waits[by as usize].book;
        let risen = book.l2().best(Side::Sell).filter(|trigger| *trigger <= high);
        let fallen = book.l2().best(Side::Buy).filter(|trigger| *trigger >= low);
        let (shelf, trigger) = match (risen, fallen) {
            (Some(trigger), _) => (Side::Sell, trigger),
            (None, Some(trigger)) => (Side::Buy, trigger),
            (None, None) => return None,
        };
        let id = book.at(book.first(shelf, trigger)?).id;
        self.remove(OrderId(id))
    }
}

/// Where a trailing stop fires after the best price it has seen.
pub(super) fn trailing_trigger(terms: &OrderTerms, seen: Ticks) -> Ticks {
    Ticks(seen.0.saturating_add(terms.side.sign() * terms.offset.0))
}

impl Market {
    /// The reference as the highest and lowest whole tick that it does not lie beyond:
    /// a rise to `p` is `p <= high`, a fall to `p` is `p >= low`.
    pub(super) fn reference(&self, by: TriggerBy) -> Option<(Ticks, Ticks)> {
        match by {
            TriggerBy::LastTrade => self.references.last_trade.map(|last| (last, last)),
            TriggerBy::Mark => self.references.mark.map(|MarkPrice(mark)| {
                let floor = mark.div_euclid(PER_TICK) as i64;
                let is_whole = mark.rem_euclid(PER_TICK) == 0;
                (Ticks(floor + i64::from(!is_whole)), Ticks(floor))
            }),
        }
    }

    /// Whether an order's trigger is reached already.
    pub(super) fn is_reached(&self, order: &NewOrder) -> bool {
        let Some((low, high)) = self.reference(order.trigger_by) else { return false };
        match shelf(&order.terms) {
            Side::Sell => order.terms.trigger <= high,
            Side::Buy => order.terms.trigger >= low,
        }
    }

    /// Lets an accepted order wait.
    pub(super) fn arm(&mut self, order: NewOrder) {
        let added = self.armed.add(order);
        debug_assert!(added, "there was room when the order was checked");
        self.watch_expiry(&order);
    }

    /// Fires what the last prices reached, one after the other; each may trade and move the price.
    pub(super) fn set_off(&mut self, now: TimeNs, desk: &mut impl Desk) {
        loop {
            if let Some((low, high)) = self.references.range.take() {
                self.armed.trail(TriggerBy::LastTrade, low, high);
            }
            if let Some((low, high)) = self.reference(TriggerBy::Mark) {
                self.armed.trail(TriggerBy::Mark, low, high);
            }
            let due = SOURCES.into_iter().find_map(|by| {
                let (low, high) = self.reference(by)?;
                self.armed.take_due(by, low, high)
            });
            let Some(order) = due else { return };
            self.fire(order, now, desk);
        }
    }

    fn fire(&mut self, order: NewOrder, now: TimeNs, desk: &mut impl Desk) {
        let left = order.terms.qty;
        desk.order(&self.report(&order, left, now, ReportKind::Triggered));
        let taker = Taker::of(order, Lots(0));
        match self.check_crossing(&taker) {
            Err(reason) => {
                let kind = ReportKind::TriggerRejected(reason);
                desk.order(&self.report(&order, left, now, kind));
            }
            Ok(()) => self.run(taker, now, desk),
        }
    }

    pub(super) fn withdraw_armed(
        &mut self,
        id: OrderId,
        account: Option<AccountId>,
        reason: CancelReason,
        now: TimeNs,
        desk: &mut impl Desk,
    ) -> bool {
        if self.armed.is_empty() {
            return false;
        }
        let found = self.armed.order(id);
        if found.is_none_or(|order| account.is_some_and(|owner| owner != order.account)) {
            return false;
        }
        let Some(order) = self.armed.remove(id) else { return false };
        let kind = ReportKind::Cancelled(reason);
        desk.order(&self.report(&order, order.terms.qty, now, kind));
        true
    }

    /// Changes trigger and quantity of an armed order, which keeps its age only when it shrinks in
    /// place.
    pub(super) fn rearm(&mut self, order: NewOrder) {
        let wait = &mut self.armed.waits[order.trigger_by as usize];
        let Some(place) = wait.book.place(order.id.0) else { return };
        wait.orders[place.0 as usize] = order;
        let changed = wait.book.modify(order.id.0, order.terms.trigger, order.terms.qty);
        debug_assert!(changed.is_ok(), "the new terms were checked: {changed:?}");
    }
}
