//! What a venue would publish of one generated market: order-level rows, or level changes, trades,
//! mark price and funding derived from them.

use mainspring_core::event::{flags, RowKind};
use mainspring_core::order::Side;
use mainspring_core::{Result, Ticks, TimeNs};

use super::market::{BookEvent, Market};
use super::orders::RING;
use super::random::Random;
use super::shape::MarketShape;
use super::{FlowRow, Level};

pub(super) const SECOND_NS: i64 = 1_000_000_000;
pub(super) const FUNDING_NS: i64 = 8 * 3_600 * SECOND_NS;
/// The market runs this long before the first row, so that the book is past its seeding.
pub(super) const WARM_UP_NS: i64 = 120 * SECOND_NS;
/// The depth message after a trade comes at the latest this long after it.
const AFTER_TRADE_NS: i64 = 12_000_000;
/// Funding per interval, in units of 10^-9: one basis point.
pub(super) const FUNDING_RATE: i64 = 100_000;

/// The published rows of one market in time order, message by message.
#[derive(Clone, Debug)]
pub struct Feed {
    market: Market,
    level: Level,
    instrument: u16,
    now: TimeNs,
    end: TimeNs,
    next_depth: TimeNs,
    next_mark: TimeNs,
    started: bool,
    depth: Depth,
    random: Random,
    actions: Vec<BookEvent>,
}

/// The levels as published and as they are.
#[derive(Clone, Debug)]
struct Depth {
    shown: [Vec<i64>; 2],
    lots: [Vec<i64>; 2],
    touched: Vec<(Side, i64)>,
    is_touched: [Vec<bool>; 2],
}

impl Depth {
    fn new() -> Self {
        Self {
            shown: [vec![0; RING], vec![0; RING]],
            lots: [vec![0; RING], vec![0; RING]],
            touched: Vec::new(),
            is_touched: [vec![false; RING], vec![false; RING]],
        }
    }

    fn apply(&mut self, event: BookEvent) {
        let (order, change) = match event {
            BookEvent::Added(order) => (order, order.lots),
            BookEvent::Deleted(order) => (order, -order.lots),
            BookEvent::Executed(order, taken) => (order, -taken),
        };
        let (side, slot) = (order.side as usize, slot(order.tick));
        self.lots[side][slot] += change;
        if !self.is_touched[side][slot] {
            self.is_touched[side][slot] = true;
            self.touched.push((order.side, order.tick));
        }
    }

    /// The levels that differ from what was published, those that vanished first: applied one by
    /// one they never cross the book.
    fn take_changes(&mut self, mut each: impl FnMut(Side, i64, i64)) {
        for vanished in [true, false] {
            for (side, tick) in &self.touched {
                let (half, slot) = (*side as usize, slot(*tick));
                let lots = self.lots[half][slot];
                if (lots == 0) == vanished && lots != self.shown[half][slot] {
                    self.shown[half][slot] = lots;
                    each(*side, *tick, lots);
                }
            }
        }
        for (side, tick) in self.touched.drain(..) {
            self.is_touched[side as usize][slot(tick)] = false;
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
const fn slot(tick: i64) -> usize {
    (tick & (RING as i64 - 1)) as usize
}

const fn side_flag(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => flags::ASK,
    }
}

impl Feed {
    /// The feed of a market over `start..end`.
    ///
    /// # Errors
    /// When the shape is not valid.
    pub fn new(
        shape: MarketShape,
        seed: u64,
        level: Level,
        instrument: u16,
        start: TimeNs,
        end: TimeNs,
    ) -> Result<Self> {
        let random = Random::new(seed, (1 << 32) + shape.stream);
        let mut market = Market::new(shape, seed, start - WARM_UP_NS)?;
        while market.advance(start, |_| {}) {}
        let mut feed = Self {
            market,
            level,
            instrument,
            now: start,
            end,
            next_depth: start,
            next_mark: start + SECOND_NS,
            started: false,
            depth: Depth::new(),
            random,
            actions: Vec::new(),
        };
        feed.schedule_depth();
        Ok(feed)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn schedule_depth(&mut self) {
        let gap = self.market.shape().message_gap_ns * (0.4 + 0.6 * self.random.exponential());
        self.next_depth = self.now + gap as i64;
    }

    /// Appends the rows of the next messages, all of one time, or returns false at the end.
    pub fn next_messages(&mut self, rows: &mut Vec<FlowRow>) -> bool {
        if !self.started {
            self.started = true;
            self.snapshot(rows);
            return true;
        }
        let before = rows.len();
        while rows.len() == before {
            let until = self.next_depth.min(self.next_mark).min(self.end);
            let mut actions = std::mem::take(&mut self.actions);
            actions.clear();
            let acted = self.market.advance(until, |event| actions.push(event));
            self.now = if acted { self.market.now() } else { until };
            match self.level {
                Level::Orders => self.publish_orders(&actions, rows),
                Level::Depth => self.publish_actions(&actions, rows),
            }
            self.actions = actions;
            if acted {
                continue;
            }
            if until == self.end {
                return rows.len() > before;
            }
            if until == self.next_depth {
                self.publish_depth(rows);
                self.schedule_depth();
            }
            if until == self.next_mark {
                self.publish_mark(rows);
                self.next_mark += SECOND_NS;
            }
        }
        true
    }

    fn row(&self, kind: RowKind, bits: u8, price: i64, qty: i64, order_id: u64) -> FlowRow {
        FlowRow {
            recv_ns: 0,
            exch_ns: self.now,
            kind,
            flags: bits,
            instrument: self.instrument,
            price: Ticks(price),
            qty,
            order_id,
        }
    }

    /// Each action is one message of order-level rows.
    fn publish_orders(&self, actions: &[BookEvent], rows: &mut Vec<FlowRow>) {
        let from = rows.len();
        for event in actions {
            let (kind, order, lots) = match *event {
                BookEvent::Added(order) => (RowKind::OrderAdd, order, order.lots),
                BookEvent::Deleted(order) => (RowKind::OrderDelete, order, order.lots),
                BookEvent::Executed(order, taken) => (RowKind::OrderExecute, order, taken),
            };
            rows.push(self.row(kind, side_flag(order.side), order.tick, lots, order.id));
        }
        end_message(rows, from);
    }

    /// Changes wait for the next depth message, except around a trade: what changed before it is
    /// published before it, and what it took right after it.
    fn publish_actions(&mut self, actions: &[BookEvent], rows: &mut Vec<FlowRow>) {
        let traded = actions.iter().any(|event| matches!(event, BookEvent::Executed(..)));
        if traded {
            self.publish_depth(rows);
            self.publish_trades(actions, rows);
        }
        for event in actions {
            self.depth.apply(*event);
        }
        if traded {
            self.publish_depth(rows);
            // The makers answer within milliseconds; do not show the gap for longer than it lasts.
            self.next_depth = self.next_depth.min(self.now + AFTER_TRADE_NS);
        }
    }

    /// One message a taker, one row a price; the side is the taker's.
    fn publish_trades(&self, actions: &[BookEvent], rows: &mut Vec<FlowRow>) {
        let from = rows.len();
        for event in actions {
            let BookEvent::Executed(order, taken) = event else { continue };
            let bits = side_flag(order.side.opposite());
            match rows[from..].last_mut() {
                Some(last) if last.price.0 == order.tick => last.qty += taken,
                _ => rows.push(self.row(RowKind::Trade, bits, order.tick, *taken, 0)),
            }
        }
        end_message(rows, from);
    }

    fn publish_depth(&mut self, rows: &mut Vec<FlowRow>) {
        if self.level == Level::Orders {
            return;
        }
        let from = rows.len();
        let template = self.row(RowKind::Depth, 0, 0, 0, 0);
        self.depth.take_changes(|side, tick, lots| {
            rows.push(FlowRow {
                flags: side_flag(side),
                price: Ticks(tick),
                qty: lots,
                ..template
            });
        });
        end_message(rows, from);
    }

    /// The mark price is the efficient price; funding settles every eight hours.
    #[allow(clippy::cast_possible_truncation)]
    fn publish_mark(&self, rows: &mut Vec<FlowRow>) {
        let whole = libm::floor(self.market.efficient_ticks());
        let part = ((self.market.efficient_ticks() - whole) * 1e9) as i64;
        rows.push(self.row(RowKind::Mark, flags::END_OF_MESSAGE, whole as i64, part, 0));
        if self.now % FUNDING_NS == 0 {
            rows.push(self.row(RowKind::Funding, flags::END_OF_MESSAGE, 0, FUNDING_RATE, 0));
        }
    }

    /// The whole book as the first message.
    fn snapshot(&mut self, rows: &mut Vec<FlowRow>) {
        let from = rows.len();
        rows.push(self.row(RowKind::Clear, flags::SNAPSHOT, 0, 0, 0));
        for side in [Side::Buy, Side::Sell] {
            let bits = side_flag(side) | flags::SNAPSHOT;
            let mut price = self.market.orders().best(side);
            while let Some(tick) = price {
                let lots = self.market.orders().lots_at(side, tick);
                self.depth.shown[side as usize][slot(tick)] = lots;
                self.depth.lots[side as usize][slot(tick)] = lots;
                if self.level == Level::Depth {
                    rows.push(self.row(RowKind::Depth, bits, tick, lots, 0));
                } else {
                    let mut queue = self.market.orders().front(side, tick);
                    while let Some((handle, order)) = queue {
                        rows.push(self.row(RowKind::OrderAdd, bits, tick, order.lots, order.id));
                        queue = self.market.orders().behind(handle);
                    }
                }
                price = self.market.orders().next_price(side, tick);
            }
        }
        end_message(rows, from);
    }
}

fn end_message(rows: &mut [FlowRow], from: usize) {
    if let Some(last) = rows[from..].last_mut() {
        last.flags |= flags::END_OF_MESSAGE;
    }
}
