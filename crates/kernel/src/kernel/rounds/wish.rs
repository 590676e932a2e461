//! What a strategy wishes in one instrument, as far as it is not carried out.

use mainspring_core::order::{OrderFlags, Side};
use mainspring_core::{ClientOrderId, DurationNs, Lots, Ticks, TimeNs};
use mainspring_trading::execution::reconcile::{FillRate, Rules, Target};
use mainspring_trading::execution::{Desired, Level};
use mainspring_trading::orders::Order;

use crate::market::Market;

/// The quantities of the book in front of an order when it was placed.
#[derive(Clone, Copy, Debug)]
struct Queue {
    order: ClientOrderId,
    /// At its price.
    level: Lots,
    /// At its price and better ones.
    all: Lots,
}

/// Most orders whose queue is remembered.
const MAX_QUEUES: usize = 64;

/// The wish of one strategy in one instrument.
pub(super) struct Wish {
    pub(super) quoting: bool,
    bids: Vec<Level>,
    asks: Vec<Level>,
    flags: OrderFlags,
    pub(super) target: Option<Target>,
    /// When the next round is due by itself; `TimeNs::MAX` for never.
    pub(super) next_ns: TimeNs,
    queues: Vec<Queue>,
    fill_rate: Option<FillRate>,
    fill_window_ns: Option<DurationNs>,
}

impl Wish {
    pub(super) fn new(fill_window_ns: Option<DurationNs>) -> Self {
        Self {
            quoting: false,
            bids: Vec::new(),
            asks: Vec::new(),
            flags: OrderFlags::default(),
            target: None,
            next_ns: TimeNs::MAX,
            queues: Vec::new(),
            fill_rate: fill_window_ns.map(FillRate::new),
            fill_window_ns,
        }
    }

    /// Goes on with a wish that was stated under other rules.
    pub(super) fn take_over(&mut self, before: Self) {
        let (rate, window_ns) = match self.fill_window_ns == before.fill_window_ns {
            true => (before.fill_rate, before.fill_window_ns),
            false => (self.fill_rate.take(), self.fill_window_ns),
        };
        *self = Self { fill_rate: rate, fill_window_ns: window_ns, ..before };
    }

    /// Nothing is wished any more.
    pub(super) fn forget(&mut self) {
        self.quoting = false;
        self.bids.clear();
        self.asks.clear();
        self.target = None;
        self.next_ns = TimeNs::MAX;
    }

    pub(super) fn begin_again(&mut self) {
        *self = Self::new(self.fill_window_ns);
    }

    /// These quotes and no others.
    pub(super) fn quote(&mut self, desired: &Desired<'_>) {
        self.quoting = true;
        self.bids.clear();
        self.bids.extend_from_slice(desired.bids);
        self.asks.clear();
        self.asks.extend_from_slice(desired.asks);
        self.flags = desired.flags;
    }

    pub(super) fn desired(&self) -> Desired<'_> {
        Desired { bids: &self.bids, asks: &self.asks, flags: self.flags }
    }

    /// A position; the time of a wish that is only said again stays.
    pub(super) fn aim(&mut self, position: Lots, price: Option<Ticks>, now_ns: TimeNs) {
        let since_ns = match self.target {
            Some(before) if before.position == position => before.since_ns,
            _ => now_ns,
        };
        self.target = Some(Target { position, price, since_ns });
    }

    /// Takes `qty` off the level that an order at `price` stands for, or all of it where `None`.
    pub(super) fn take_off(&mut self, side: Side, price: Ticks, qty: Option<Lots>, rules: &Rules) {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let near = (0..levels.len()).filter(|i| rules.stands_for(levels[*i].price, price));
        let Some(at) = near.min_by_key(|i| (levels[*i].price.0 - price.0).abs()) else { return };
        let left = qty.map_or(0, |qty| levels[at].qty.0 - qty.0);
        if left > 0 {
            levels[at].qty = Lots(left);
        } else {
            levels.remove(at);
        }
    }

    pub(super) fn placed(&mut self, order: &Order, market: &Market, watched: bool, now_ns: TimeNs) {
        if let Some(rate) = &mut self.fill_rate {
            rate.placed(now_ns);
        }
        if watched {
            if self.queues.len() == MAX_QUEUES {
                self.queues.remove(0);
            }
            let level = market.book.qty(order.terms.side, order.terms.price);
            let all = better(market, order.terms.side, order.terms.price) + level;
            self.queues.push(Queue { order: order.id, level, all });
        }
    }

    pub(super) fn traded(&mut self, now_ns: TimeNs) {
        if let Some(rate) = &mut self.fill_rate {
            rate.filled(now_ns);
        }
    }

    pub(super) fn ended(&mut self, order: ClientOrderId) {
        self.queues.retain(|queue| queue.order != order);
    }

    pub(super) fn fill_rate(&mut self, now_ns: TimeNs) -> f64 {
        self.fill_rate.as_mut().map_or(f64::NAN, |rate| rate.rate(now_ns))
    }

    /// The quantity in front of an order when it was placed, and now: at its price no more than
    /// there was, since what comes later stands behind it.
    pub(super) fn ahead(&self, order: &Order, market: &Market) -> Option<(Lots, Lots)> {
        let queue = self.queues.iter().find(|queue| queue.order == order.id)?;
        let (side, price) = (order.terms.side, order.terms.price);
        let level = market.book.qty(side, price).min(queue.level);
        Some((queue.all, better(market, side, price) + level))
    }
}

/// The quantity shown at better prices than this one.
fn better(market: &Market, side: Side, price: Ticks) -> Lots {
    let levels = market.book.levels(side).take_while(|(at, _)| side.better(*at, price));
    Lots(levels.map(|(_, qty)| qty.0).sum())
}
