//! What the matching engine says: rows for everybody, answers for us.

use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderFlags, OrderTerms, OrderType, RejectReason, Side, VenueEvent,
    VenueEventKind,
};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeNs};
use mainspring_exchange::recorded::RECORDED_IDS;
use mainspring_exchange::{
    AccountId, Admission, Desk, OrderId, OrderReport, Party, ReportKind, TradeReport,
};
use mainspring_sim::MarginLimits;

use super::own::{OwnOrder, OwnOrders};

/// Our account at the engine.
pub(super) const OURS: AccountId = AccountId(0);
/// Whose orders rest that are not ours.
pub(super) const OTHERS: AccountId = AccountId(1);
/// Who takes and is not us.
pub(super) const TAKERS: AccountId = AccountId(2);

const TAKER_IDS: u64 = 1 << 61;
const ANONYMOUS_IDS: u64 = 1 << 62;
const OUR_IDS: u64 = 1 << 63;

/// The engine's id of an order of ours.
pub(super) const fn our_id(order: ClientOrderId) -> OrderId {
    OrderId(OUR_IDS | order.0)
}

/// The engine's id of what rests at a level without an order that the feed names.
pub(super) const fn anonymous_id(side: Side, price: Ticks) -> OrderId {
    OrderId(ANONYMOUS_IDS | (side as u64) << 60 | (price.0 as u64 & (RECORDED_IDS - 1)))
}

/// The engine's id of the taker of this number.
pub(super) const fn taker_id(number: u64) -> OrderId {
    OrderId(TAKER_IDS | number)
}

/// Whether an order of the engine is ours.
pub(super) const fn is_ours(id: u64) -> bool {
    id & OUR_IDS != 0
}

/// One row of what the engine publishes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Published {
    /// The row, its price counted from `price`.
    pub row: OrderRow,
    /// The price.
    pub price: Ticks,
    /// Whether we took what was executed.
    pub by_us: bool,
}

/// Writes down what the engine says about one instrument.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    id: InstrumentId,
    /// Rows since the last message that was published.
    pub rows: Vec<Published>,
    /// Answers to us.
    pub answers: Vec<VenueEvent>,
    /// Our open orders.
    pub own: OwnOrders,
    /// Our position at the venue.
    pub position: Lots,
    /// Whether a fill changed the position since reduce-only orders were last looked at.
    pub position_moved: bool,
    /// What the account can carry.
    pub margin: Option<MarginLimits>,
    /// Most orders of ours open at once.
    pub max_orders: usize,
    /// Orders and cancels of the feed that the engine refused.
    pub refused: u64,
    /// The order that is being changed to a price at which it takes: it leaves the book first.
    pub crossing: Option<OrderId>,
    /// While the engine is brought in line with the feed, nobody is told.
    pub quiet: bool,
}

impl Tape {
    pub fn new(id: InstrumentId, max_orders: usize) -> Self {
        Self {
            id,
            rows: Vec::with_capacity(256),
            answers: Vec::with_capacity(64),
            own: OwnOrders::default(),
            position: Lots(0),
            position_moved: false,
            margin: None,
            max_orders,
            refused: 0,
            crossing: None,
            quiet: false,
        }
    }

    /// Adds a row to the message that is being made.
    pub fn publish(&mut self, kind: RowKind, bits: u8, price: Ticks, qty: i64, order_id: u64) {
        if self.quiet {
            return;
        }
        let market = MarketRow {
            recv_ns: 0,
            exch_ns: 0,
            qty_lots: qty,
            price_offset: 0,
            kind: kind as u8,
            flags: bits,
            instrument: self.id.0,
        };
        self.rows.push(Published { row: OrderRow { market, order_id }, price, by_us: false });
    }

    /// Says something about an order of ours.
    pub fn say(&mut self, order: ClientOrderId, now_ns: TimeNs, kind: VenueEventKind) {
        self.answers.push(VenueEvent { order, exch_ns: now_ns, recv_ns: now_ns, kind });
    }

    /// Tells a change of an order since a row as the execution that it was.
    pub fn tell_as_executed(&mut self, from: usize, id: OrderId, qty: Lots) {
        if let Some(told) = self.rows[from..].iter_mut().find(|p| p.row.order_id == id.0) {
            told.row.market.kind = RowKind::OrderExecute as u8;
            told.row.market.qty_lots = qty.0;
        }
    }

    /// Whether the account could carry the position if everything open on this side filled.
    fn has_margin(&self, asked: &Admission<'_>) -> bool {
        let Some(limits) = self.margin else { return true };
        let terms = &asked.order.terms;
        if terms.flags.has(OrderFlags::REDUCE_ONLY) {
            return true;
        }
        let added = match asked.before {
            None => terms.qty.0,
            Some(before) => terms.qty.0 - before.order.terms.qty.0,
        };
        if added <= 0 {
            return true;
        }
        let bound = match terms.side {
            Side::Buy => limits.long,
            Side::Sell => limits.short,
        };
        let arriving = asked.before.is_none().then_some(asked.order.id.0);
        let open = self.own.open_lots(terms.side, arriving);
        terms.side.sign() * self.position.0 + open + added <= bound.0
    }

    fn own_report(&mut self, report: &OrderReport, id: ClientOrderId) {
        let now = report.time_ns;
        match report.kind {
            ReportKind::Accepted => {
                self.say(id, now, VenueEventKind::Accepted);
                let Some(own) = self.own.of_engine(report.order.0) else { return };
                if own.terms.qty != report.left {
                    own.terms.qty = report.left;
                    let price = working_price(&own.terms);
                    self.say(id, now, VenueEventKind::Amended { price, qty: report.left });
                }
            }
            ReportKind::Rejected(reason) | ReportKind::TriggerRejected(reason) => {
                self.own.remove(id);
                self.say(id, now, VenueEventKind::Rejected(reason));
            }
            ReportKind::Rested => {
                let Some(own) = self.own.of_engine(report.order.0) else { return };
                let shown = own.rest(report.held_at, report.left);
                let bits = side_bits(report.side);
                self.publish(RowKind::OrderAdd, bits, report.held_at, shown.0, report.order.0);
            }
            ReportKind::Cancelled(reason) => {
                if let Some(own) = self.own.remove(id).filter(|own| own.resting) {
                    let (bits, shown) = (side_bits(report.side), own.shown.0);
                    let id = report.order.0;
                    self.publish(RowKind::OrderDelete, bits, report.held_at, shown, id);
                }
                self.say(id, now, VenueEventKind::Cancelled(reason));
            }
            ReportKind::CancelRejected(reason) => {
                self.say(id, now, VenueEventKind::CancelRejected(reason));
            }
            ReportKind::Amended { held_at, .. } => self.own_amended(report, id, held_at),
            ReportKind::AmendRejected(reason) => {
                self.say(id, now, VenueEventKind::AmendRejected(reason));
            }
            ReportKind::Triggered => self.say(id, now, VenueEventKind::Triggered),
        }
    }

    fn own_amended(&mut self, report: &OrderReport, id: ClientOrderId, before: Ticks) {
        let crosses = self.crossing == Some(report.order);
        let Some(own) = self.own.of_engine(report.order.0) else { return };
        let shown = own.shown;
        own.amend((before, report.held_at), report.left);
        let (price, qty) = (working_price(&own.terms), own.terms.qty);
        let (bits, order, now_shown) = (side_bits(report.side), report.order.0, own.shown.0);
        if own.resting && crosses {
            own.resting = false;
            self.publish(RowKind::OrderDelete, bits, before, shown.0, order);
        } else if own.resting {
            self.publish(RowKind::OrderModify, bits, report.held_at, now_shown, order);
        }
        self.say(id, report.time_ns, VenueEventKind::Amended { price, qty });
    }

    fn others_report(&mut self, report: &OrderReport) {
        let (bits, id) = (side_bits(report.side), report.order.0);
        let (price, left) = (report.held_at, report.left.0);
        match report.kind {
            ReportKind::Rested => self.publish(RowKind::OrderAdd, bits, price, left, id),
            ReportKind::Cancelled(_) if report.account == OTHERS => {
                self.publish(RowKind::OrderDelete, bits, price, left, id);
            }
            ReportKind::Amended { held_at, left } if self.crossing == Some(report.order) => {
                self.publish(RowKind::OrderDelete, bits, held_at, left.0, id);
            }
            ReportKind::Amended { .. } => {
                self.publish(RowKind::OrderModify, bits, price, left, id);
            }
            ReportKind::Rejected(_)
            | ReportKind::CancelRejected(_)
            | ReportKind::AmendRejected(_) => self.refused += 1,
            _ => {}
        }
    }

    /// What a fill does to an order of ours. Returns what an iceberg shows next.
    fn fill(
        &mut self,
        id: ClientOrderId,
        trade: &TradeReport,
        party: &Party,
        maker: bool,
    ) -> Option<Lots> {
        let side = if maker { trade.taker_side.opposite() } else { trade.taker_side };
        self.position.0 += side.sign() * trade.qty.0;
        self.position_moved = true;
        let kind = VenueEventKind::Filled { price: trade.price, qty: trade.qty, maker };
        self.say(id, trade.time_ns, kind);
        if party.left.0 <= 0 {
            self.own.remove(id);
            return None;
        }
        let own = self.own.of_engine(party.order.0)?;
        own.filled += trade.qty;
        if !maker {
            return None;
        }
        own.shown -= trade.qty;
        if own.shown.0 > 0 {
            return None;
        }
        own.shown = own.slice(party.left);
        Some(own.shown)
    }
}

impl Desk for Tape {
    fn trade(&mut self, trade: &TradeReport) {
        let side = trade.taker_side.opposite();
        let (id, bits) = (trade.maker.order.0, side_bits(side));
        self.publish(RowKind::OrderExecute, bits, trade.price, trade.qty.0, id);
        let by_us = trade.taker.account == OURS;
        if let Some(last) = self.rows.last_mut() {
            last.by_us = by_us;
        }
        if trade.maker.account == OURS {
            let slice = self.fill(client_id(trade.maker.order), trade, &trade.maker, true);
            if let Some(slice) = slice {
                self.publish(RowKind::OrderAdd, bits, trade.price, slice.0, id);
            }
        }
        if by_us {
            self.fill(client_id(trade.taker.order), trade, &trade.taker, false);
        }
    }

    fn order(&mut self, report: &OrderReport) {
        if report.account == OURS {
            self.own_report(report, client_id(report.order));
        } else {
            self.others_report(report);
        }
    }

    fn admit(&mut self, asked: &Admission<'_>) -> Result<(), RejectReason> {
        if asked.order.account != OURS {
            return Ok(());
        }
        if !self.has_margin(asked) {
            return Err(RejectReason::InsufficientMargin);
        }
        if asked.before.is_none() && self.own.len() > self.max_orders {
            return Err(RejectReason::Overloaded);
        }
        Ok(())
    }

    fn reducible(&self, account: AccountId, _instrument: InstrumentId, side: Side) -> Lots {
        if account == OURS {
            Lots((-side.sign() * self.position.0).max(0))
        } else {
            Lots::MAX
        }
    }
}

const fn client_id(id: OrderId) -> ClientOrderId {
    ClientOrderId(id.0 & !OUR_IDS)
}

pub(super) const fn side_bits(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => flags::ASK,
    }
}

/// The price an amend changes: the trigger of an order without a limit, else the limit.
fn working_price(terms: &OrderTerms) -> Ticks {
    match terms.order_type {
        OrderType::Stop | OrderType::TakeProfit => terms.trigger,
        _ => terms.price,
    }
}

/// The reason that ends a reduce-only order with nothing left to reduce.
pub(super) const POINTLESS: CancelReason = CancelReason::ReduceOnly;

/// An order of ours as it is sent.
pub(super) const fn arriving(id: ClientOrderId, terms: OrderTerms) -> OwnOrder {
    OwnOrder { id, terms, filled: Lots(0), shown: Lots(0), resting: false }
}
