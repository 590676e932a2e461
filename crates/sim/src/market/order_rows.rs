//! Order-level rows: our orders stand in the real queue.
//!
//! With the `l3_fifo` model `front` is exactly the feed's lots ahead of us, so an order of the
//! feed is ahead of ours when less than that stands in front of it. The other models see each
//! order row as the trade and the level change that it is.

use mainspring_book::{L3Book, L3Config, Trust};
use mainspring_core::event::{flags, OrderRow, RowKind};
use mainspring_core::order::{Side, VenueEvent};
use mainspring_core::units::{Lots, Ticks, TimeNs};

use super::SimMarket;
use crate::orders::NONE;
use crate::queue::QueueModel;

/// What an order row is about to do, told from the book in front of it.
#[derive(Clone, Copy, Debug)]
struct Change {
    side: Side,
    /// Where the order stood, and where it will.
    from: Ticks,
    to: Ticks,
    /// Feed lots in front of it before the row.
    ahead: i64,
    /// Lots that leave its old place.
    leaving: i64,
    executed: bool,
}

impl SimMarket {
    /// Applies one row of an order-level feed. All rows of such a feed go through here.
    pub fn on_order_row(
        &mut self,
        row: &OrderRow,
        base: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let book = self.order_book.get_or_insert_with(new_book);
        let begins_snapshot =
            row.market.flags & flags::SNAPSHOT != 0 && book.trust() != Trust::Snapshotting;
        match RowKind::from_byte(row.market.kind) {
            Some(
                RowKind::OrderAdd
                | RowKind::OrderModify
                | RowKind::OrderDelete
                | RowKind::OrderExecute
                | RowKind::Depth,
            ) => {
                if begins_snapshot {
                    self.taken.clear();
                }
                self.on_order_change(row, base, now_ns, out);
            }
            _ => {
                // These rows change no order; a clear empties the book. Faults make a gap there.
                let _ = book.apply(row, base);
                self.on_row(&row.market, base, now_ns, out);
            }
        }
    }

    fn on_order_change(
        &mut self,
        row: &OrderRow,
        base: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let Some(book) = self.order_book.as_deref_mut() else { return };
        let change = foresee(book, row, base);
        let ours = self.orders.len() > 0 || !self.taken.is_empty();
        let Some(change) = change.filter(|_| ours) else {
            if let Some(executed) = change.filter(|change| change.executed) {
                self.triggers.set_last_trade(executed.from);
            }
            let _ = book.apply(row, base);
            return;
        };
        let fifo = self.config.queue_model == QueueModel::L3Fifo;
        let (side, best) = (change.side, self.feed().best(change.side));
        let before = [change.from, change.to].map(|price| self.feed().qty(side, price));
        if change.executed {
            self.triggers.set_last_trade(change.from);
            if !fifo {
                self.trade(side.opposite(), change.from, change.leaving, now_ns, out);
            }
        }
        if self.order_book.as_deref_mut().is_none_or(|book| book.apply(row, base).is_err()) {
            self.settle(now_ns, out);
            return;
        }
        if fifo {
            self.move_in_queue(change, now_ns, out);
        }
        self.follow_level(side, change.from, before[0], now_ns, out, best);
        if change.to != change.from {
            self.follow_level(side, change.to, before[1], now_ns, out, best);
        }
        if change.executed {
            self.fire_triggers(now_ns, out);
        }
        self.settle(now_ns, out);
    }

    /// A level changed: nothing is taken from it any more, queues move, and what grew may cross.
    fn follow_level(
        &mut self,
        side: Side,
        price: Ticks,
        prev: Lots,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
        best: Option<Ticks>,
    ) {
        let new = self.feed().qty(side, price);
        self.taken.reset(side, price);
        if self.config.queue_model != QueueModel::L3Fifo {
            self.move_queues(side, price, prev.0, new.0);
        }
        if new.0 > 0 && self.may_cross(side, price, best) {
            self.cross(side, price, new.0, now_ns, out);
        }
    }

    /// Moves our orders at the old place of a feed order, and fills those that were in front of
    /// an executed one: the taker would have met them first.
    fn move_in_queue(&mut self, change: Change, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        let mut given = 0;
        if change.executed {
            given = self.fill_through(change.side, change.from, change.leaving, now_ns, out);
        }
        let horizon = self.orders.horizon();
        let mut slot = self.orders.head_at(change.side, change.from);
        while slot != NONE && self.orders.get(slot).seq < horizon {
            let order = self.orders.get_mut(slot);
            let (next, open) = (order.next, order.is_open());
            if (change.ahead as f64) < order.queue.front {
                order.queue.front = (order.queue.front - change.leaving as f64).max(0.0);
            } else if change.executed && open {
                given += self.fill_visible(slot, change.leaving - given, now_ns, out);
            }
            slot = next;
        }
    }
}

fn new_book() -> Box<L3Book> {
    Box::new(L3Book::new(L3Config::default()))
}

/// What a row will do, or [`None`] when it does not fit the book.
fn foresee(book: &L3Book, row: &OrderRow, base: Ticks) -> Option<Change> {
    let market = &row.market;
    let (kind, price, qty) = (RowKind::from_byte(market.kind)?, market.price(base), market.qty());
    let executed = kind == RowKind::OrderExecute;
    let anonymous = |side: Side, leaving: i64| Change {
        side,
        from: price,
        to: price,
        ahead: -1,
        leaving,
        executed,
    };
    match kind {
        RowKind::OrderAdd => {
            let ahead = book.l2().qty(market.side(), price).0;
            Some(Change { ahead, ..anonymous(market.side(), 0) })
        }
        RowKind::Depth => {
            let side = market.side();
            Some(anonymous(side, book.anonymous(side, price).0 - qty.0))
        }
        _ => match book.order(row.order_id) {
            Some(order) => {
                let moves = kind == RowKind::OrderModify;
                let stays = moves && order.price == price && qty <= order.qty;
                let leaving = match kind {
                    RowKind::OrderExecute => qty.0.min(order.qty.0),
                    _ if stays => (order.qty - qty).0,
                    _ => order.qty.0,
                };
                Some(Change {
                    side: order.side,
                    from: order.price,
                    to: if moves { price } else { order.price },
                    ahead: book.qty_ahead(row.order_id)?.0,
                    leaving,
                    executed,
                })
            }
            None => {
                let side = market.side();
                let known = qty.0 > 0 && book.anonymous(side, price) >= qty;
                known.then(|| anonymous(side, qty.0))
            }
        },
    }
}
