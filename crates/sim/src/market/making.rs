//! Fills of resting orders under the `mainspring` fill model, and the queues of all models.

use mainspring_core::order::{OrderType, Side, VenueEvent};
use mainspring_core::units::{Ticks, TimeNs};

use super::SimMarket;
use crate::config::FillModel;
use crate::orders::{Slot, NONE};
use crate::queue::{QueueModel, QueuePosition};

/// What float error may not take from a whole lot.
const SLIVER: f64 = 1e-9;

impl SimMarket {
    /// A trade passes our orders on the maker's side, best price first, then oldest first. No
    /// more than its quantity is given out.
    pub(super) fn trade_resting(
        &mut self,
        taker: Side,
        price: Ticks,
        qty: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let side = taker.opposite();
        let mut given = self.fill_through(side, price, qty, now_ns, out);
        let horizon = self.orders.horizon();
        let mut slot = self.orders.head_at(side, price);
        while slot != NONE && self.orders.get(slot).seq < horizon {
            let order = self.orders.get(slot);
            let next = order.next;
            if order.is_open() {
                given += self.trade_at(slot, qty, given, now_ns, out);
            }
            slot = next;
        }
    }

    /// Fills our orders on `side` that are better than `price`, best first, then oldest first,
    /// with up to `qty` lots at their own prices. Returns how many.
    pub(super) fn fill_through(
        &mut self,
        side: Side,
        price: Ticks,
        qty: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> i64 {
        let horizon = self.orders.horizon();
        let mut given = 0;
        for index in (0..self.orders.levels(side).len()).rev() {
            let level = self.orders.levels(side)[index];
            if !side.better(level.price(side), price) {
                break;
            }
            let mut slot = level.head;
            while slot != NONE && self.orders.get(slot).seq < horizon {
                let order = self.orders.get(slot);
                let next = order.next;
                if order.is_open() {
                    given += self.trade_through(slot, qty - given, now_ns, out);
                }
                slot = next;
            }
        }
        given
    }

    /// The taker met this order before the price of the trade: it has the first claim.
    fn trade_through(
        &mut self,
        slot: Slot,
        left: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> i64 {
        let price = self.orders.get(slot).terms.price;
        let qty = self.fillable(slot).min(left);
        if qty > 0 {
            self.make(slot, price, qty, now_ns, out);
        }
        self.orders.get_mut(slot).queue.front = 0.0;
        qty
    }

    /// The trade is at our price: we may have what went past the queue in front of us.
    fn trade_at(
        &mut self,
        slot: Slot,
        traded: i64,
        given: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> i64 {
        let order = self.orders.get_mut(slot);
        let past = libm::floor((traded as f64 - order.queue.front).max(0.0) + SLIVER);
        if self.config.queue_model != QueueModel::L3Fifo {
            order.queue.on_trade(traded as f64);
            order.queue.front = order.queue.front.max(0.0);
        }
        self.fill_visible(slot, past as i64 - given, now_ns, out)
    }

    /// Fills what a resting order shows, up to `left` lots. Returns how many.
    pub(super) fn fill_visible(
        &mut self,
        slot: Slot,
        left: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> i64 {
        let order = self.orders.get(slot);
        let (price, visible) = (order.terms.price, order.visible());
        let qty = left.min(visible).min(self.fillable(slot)).max(0);
        if qty > 0 {
            self.make(slot, price, qty, now_ns, out);
        }
        qty
    }

    /// The other side shows `shown` lots at `price`, at or through our orders: they trade with
    /// it, best first, each at its own price.
    pub(super) fn cross_resting(
        &mut self,
        theirs: Side,
        price: Ticks,
        shown: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let side = theirs.opposite();
        // At the price or better is better than one tick behind it.
        let given = self.fill_through(side, side.inward(price, -1), shown, now_ns, out);
        if given > 0 {
            self.taken.add(theirs, price, given);
        }
    }

    /// Fills a resting order as maker; an iceberg shows its next slice at the back of the queue.
    fn make(
        &mut self,
        slot: Slot,
        price: Ticks,
        qty: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        self.fill(slot, price, qty, true, now_ns, out);
        let order = self.orders.get_mut(slot);
        if order.terms.order_type != OrderType::Iceberg || !order.is_open() {
            return;
        }
        order.slice -= qty;
        if order.slice <= 0 {
            self.show_next_slice(slot);
        }
    }

    fn show_next_slice(&mut self, slot: Slot) {
        let order = self.orders.get(slot);
        let (side, price, traded) = (order.terms.side, order.terms.price, order.queue.traded);
        let shown = self.available(side, price).0 as f64;
        self.orders.unlink(slot);
        let order = self.orders.get_mut(slot);
        order.slice = order.terms.display.0.min(order.remaining());
        // The level still shows what traded since it was last set.
        order.queue = QueuePosition { front: (shown - traded).max(0.0), traded };
        self.orders.link(slot);
    }

    /// A feed level was set: the queues of our orders there move.
    #[inline]
    pub(super) fn move_queues(&mut self, side: Side, price: Ticks, prev: i64, new: i64) {
        let model = self.config.queue_model;
        let unit = self.lot_units;
        let clamped = self.config.fill_model == FillModel::Mainspring;
        let mut slot = self.orders.head_at(side, price);
        while slot != NONE {
            let order = self.orders.get_mut(slot);
            if clamped {
                order.queue.on_depth(&model, prev as f64, new as f64, unit);
                order.queue.front = order.queue.front.max(0.0);
            } else {
                order.queue.on_depth_hft(&model, prev as f64, new as f64, unit);
            }
            slot = order.next;
        }
    }

    /// The feed's best fell back to `price`: nothing stands in front of our better orders.
    pub(super) fn empty_queues_better(&mut self, side: Side, price: Ticks) {
        for index in (0..self.orders.levels(side).len()).rev() {
            let level = self.orders.levels(side)[index];
            if !side.better(level.price(side), price) {
                break;
            }
            let mut slot = level.head;
            while slot != NONE {
                let order = self.orders.get_mut(slot);
                order.queue = QueuePosition::default();
                slot = order.next;
            }
        }
    }
}
