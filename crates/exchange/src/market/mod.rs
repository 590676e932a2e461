//! One instrument's market: the book, the orders behind triggers, and the rules of trading.

mod adopt;
mod amend;
mod armed;
mod check;
mod expiry;
mod pegs;
mod resting;
mod taking;

use mainspring_book::{L2Book, L3Book, L3Config, LadderConfig, Place};
use mainspring_core::order::{CancelReason, OrderType, RejectReason, Side, TimeInForce};
use mainspring_core::{Instrument, InstrumentId, Lots, Result, Ticks, TimeNs};
use mainspring_trading::ledger::{Contract, MarkPrice};

use crate::order::{
    reserve_price, AccountId, Desk, NewOrder, OpenOrder, OrderId, OrderReport, ReportKind,
};
use armed::Armed;
use check::Rules;
use expiry::Expiries;
use resting::{Resting, RestingOrders};
use taking::Taker;

/// What a market lets members do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TradingStatus {
    /// Everything.
    #[default]
    Open,
    /// New orders must be post-only; amends must not take. Cancels work.
    PostOnly,
    /// A halt: no new orders, amends or triggers; resting orders stay, cancels work.
    Halted,
    /// Nothing at all, cancels included.
    Closed,
}

/// Sizes of a [`Market`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketConfig {
    /// Open orders that fit before anything is allocated.
    pub reserved_orders: usize,
    /// Most open orders; more are refused as `Overloaded`.
    pub max_orders: usize,
    /// The window of prices held in arrays, in ticks.
    pub ladder: LadderConfig,
}

impl Default for MarketConfig {
    fn default() -> Self {
        let ladder = LadderConfig { initial_window: 1 << 16, max_window: 1 << 20 };
        Self { reserved_orders: 1 << 12, max_orders: 1 << 22, ladder }
    }
}

/// Prices that triggers and pegs look at.
#[derive(Clone, Copy, Debug, Default)]
struct References {
    last_trade: Option<Ticks>,
    /// The highest and the lowest trade since trailing stops were last looked at.
    range: Option<(Ticks, Ticks)>,
    mark: Option<MarkPrice>,
}

/// A central limit order book in price-time priority.
///
/// Single-threaded and a pure function of what it is told: no clock, no randomness. Nothing is
/// allocated once its tables have reached their working size.
#[derive(Clone, Debug)]
pub struct Market {
    id: InstrumentId,
    rules: Rules,
    contract: Contract,
    status: TradingStatus,
    book: L3Book,
    resting: RestingOrders,
    armed: Armed,
    pegs: Vec<OrderId>,
    expiries: Expiries,
    references: References,
    trades: u64,
    max_orders: usize,
    /// Triggers and pegs wait: several steps are one.
    is_held: bool,
}

impl Market {
    /// An empty, open market.
    ///
    /// # Errors
    /// When the instrument is not valid or does not fit into exact money.
    pub fn new(id: InstrumentId, instrument: &Instrument, config: MarketConfig) -> Result<Self> {
        let book = L3Config {
            reserved_orders: config.reserved_orders,
            max_orders: config.max_orders,
            ladder: config.ladder,
        };
        Ok(Self {
            id,
            contract: Contract::of(instrument)?,
            rules: Rules::of(instrument)?,
            status: TradingStatus::Open,
            book: L3Book::new(book),
            resting: RestingOrders::with_capacity(config.reserved_orders.min(config.max_orders)),
            armed: Armed::new(config.max_orders),
            pegs: Vec::new(),
            expiries: Expiries::default(),
            references: References::default(),
            trades: 0,
            max_orders: config.max_orders,
            is_held: false,
        })
    }

    /// The instrument.
    #[must_use]
    pub const fn id(&self) -> InstrumentId {
        self.id
    }

    /// The levels as members see them: shown quantity only.
    #[inline]
    #[must_use]
    pub const fn levels(&self) -> &L2Book {
        self.book.l2()
    }

    /// The orders with their shown quantity.
    #[must_use]
    pub const fn orders(&self) -> &L3Book {
        &self.book
    }

    /// The arithmetic of the instrument.
    #[must_use]
    pub const fn contract(&self) -> &Contract {
        &self.contract
    }

    /// What members may do.
    #[must_use]
    pub const fn status(&self) -> TradingStatus {
        self.status
    }

    /// Price of the last trade.
    #[must_use]
    pub const fn last_trade(&self) -> Option<Ticks> {
        self.references.last_trade
    }

    /// The mark price.
    #[must_use]
    pub const fn mark(&self) -> Option<MarkPrice> {
        self.references.mark
    }

    /// Number of trades so far.
    #[must_use]
    pub const fn trades(&self) -> u64 {
        self.trades
    }

    /// Number of open orders, armed ones included.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.book.len() + self.armed.len()
    }

    /// An open order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<OpenOrder> {
        if let Some(place) = self.book.place(id.0) {
            return Some(self.order_at(place));
        }
        let order = self.armed.order(id)?;
        Some(OpenOrder { order, filled: Lots(0), is_armed: true })
    }

    fn order_at(&self, place: Place) -> OpenOrder {
        let order = self.resting.order(place, &self.book.at(place), self.id);
        OpenOrder { order, filled: self.resting.get(place).filled, is_armed: false }
    }

    /// Appends the ids of an account's open orders, lowest first. Looks at every open order.
    pub fn orders_of(&self, account: AccountId, ids: &mut Vec<OrderId>) {
        let start = ids.len();
        for side in [Side::Buy, Side::Sell] {
            for (price, _) in self.book.l2().levels(side) {
                let mut next = self.book.first(side, price);
                while let Some(place) = next {
                    if self.resting.get(place).account == account {
                        ids.push(OrderId(self.book.at(place).id));
                    }
                    next = self.book.behind(place);
                }
            }
        }
        self.armed.orders_of(account, ids);
        ids[start..].sort_unstable();
    }

    /// Takes an order: it is refused, or accepted and run.
    pub fn submit(&mut self, mut order: NewOrder, now: TimeNs, desk: &mut impl Desk) {
        self.advance(now, desk);
        if let Err(reason) = self.check_new(&mut order, now, desk) {
            desk.order(&self.report(&order, order.terms.qty, now, ReportKind::Rejected(reason)));
            return;
        }
        desk.order(&self.report(&order, order.terms.qty, now, ReportKind::Accepted));
        self.pair(&order);
        if order.terms.time_in_force == TimeInForce::Gtd && order.terms.expire_ns <= now {
            self.cancel_taker(&order, order.terms.qty, CancelReason::Expired, now, desk);
        } else if armed::waits(order.terms.order_type) {
            self.arm(order);
        } else {
            self.run(Taker::of(order, Lots(0)), now, desk);
        }
        self.settle(now, desk);
    }

    /// Cancels an order of an account.
    pub fn cancel(&mut self, id: OrderId, account: AccountId, now: TimeNs, desk: &mut impl Desk) {
        self.advance(now, desk);
        let refused = |reason| ReportKind::CancelRejected(reason);
        if self.status == TradingStatus::Closed {
            desk.order(&self.bare_report(id, account, now, refused(RejectReason::Halted)));
        } else if !self.withdraw(id, Some(account), CancelReason::Requested, now, desk) {
            desk.order(&self.bare_report(id, account, now, refused(RejectReason::UnknownOrder)));
        } else if !self.pegs.is_empty() {
            self.settle(now, desk);
        }
    }

    /// Takes an open order out for a reason of the exchange's own. Returns whether it was open.
    pub fn remove(
        &mut self,
        id: OrderId,
        reason: CancelReason,
        now: TimeNs,
        desk: &mut impl Desk,
    ) -> bool {
        self.withdraw(id, None, reason, now, desk)
    }

    /// Changes what members may do. Opening sets off what became due in the meantime.
    pub fn set_status(&mut self, status: TradingStatus, now: TimeNs, desk: &mut impl Desk) {
        self.status = status;
        self.settle(now, desk);
    }

    /// Sets the mark price, which may set off triggers.
    pub fn set_mark(&mut self, mark: MarkPrice, now: TimeNs, desk: &mut impl Desk) {
        self.advance(now, desk);
        self.references.mark = Some(mark);
        self.settle(now, desk);
    }

    /// Triggers and pegs wait until [`Market::release`]: what comes until then is one step.
    pub fn hold(&mut self) {
        self.is_held = true;
    }

    /// The end of what [`Market::hold`] began: triggers and pegs see what came of it.
    pub fn release(&mut self, now: TimeNs, desk: &mut impl Desk) {
        self.is_held = false;
        self.settle(now, desk);
    }

    /// A trade that took place outside of the book's orders, between others: it is the last trade,
    /// and may set off triggers.
    pub fn note_trade(&mut self, price: Ticks, now: TimeNs, desk: &mut impl Desk) {
        self.advance(now, desk);
        self.trades += 1;
        self.references.last_trade = Some(price);
        let (low, high) = self.references.range.unwrap_or((price, price));
        self.references.range = Some((low.min(price), high.max(price)));
        self.settle(now, desk);
    }

    /// Lets time pass: good-till-date orders that are due leave.
    #[inline]
    pub fn advance(&mut self, now: TimeNs, desk: &mut impl Desk) {
        while let Some((expire_ns, id)) = self.expiries.take_due(now) {
            let ends_now = |open: OpenOrder| {
                let terms = &open.order.terms;
                terms.time_in_force == TimeInForce::Gtd && terms.expire_ns == expire_ns
            };
            if self.order(id).is_some_and(ends_now) {
                self.withdraw(id, None, CancelReason::Expired, now, desk);
            }
        }
    }

    /// Trades what can trade, then rests or cancels what is left.
    fn run(&mut self, mut taker: Taker, now: TimeNs, desk: &mut impl Desk) {
        self.take(&mut taker, now, desk);
        if taker.left.0 <= 0 {
            return;
        }
        let terms = &taker.order.terms;
        let reason = taker.stopped.or(match terms.time_in_force {
            _ if taker.is_market => Some(CancelReason::NoLiquidity),
            TimeInForce::Ioc | TimeInForce::Fok => Some(CancelReason::IocRemainder),
            TimeInForce::Gtc | TimeInForce::Gtd => None,
        });
        match reason {
            Some(reason) => self.cancel_taker(&taker.order, taker.left, reason, now, desk),
            None => self.rest(&taker, now, desk),
        }
    }

    /// Puts what is left of an order at the back of the queue at its price.
    fn rest(&mut self, taker: &Taker, now: TimeNs, desk: &mut impl Desk) {
        let order = taker.order;
        let terms = &order.terms;
        let shown = shown_of(&order, taker.left);
        let Ok(place) = self.book.add_new(order.id.0, terms.side, terms.price, shown) else {
            // Checked on arrival; what other orders did since then cannot take its room.
            self.cancel_taker(&order, taker.left, CancelReason::NoLiquidity, now, desk);
            return;
        };
        self.resting.put(place, &order, terms.qty - taker.left);
        self.watch_expiry(&order);
        if terms.order_type == OrderType::Pegged {
            self.pegs.push(order.id);
        }
        desk.order(&self.report(&order, taker.left, now, ReportKind::Rested));
    }

    fn watch_expiry(&mut self, order: &NewOrder) {
        if order.terms.time_in_force == TimeInForce::Gtd {
            let (book, armed) = (&self.book, &self.armed);
            let is_open = |id: OrderId| book.place(id.0).is_some() || armed.order(id).is_some();
            self.expiries.push(order.terms.expire_ns, order.id, is_open);
        }
    }

    /// Does what the last message set off: trailing stops, triggers, pegs.
    #[inline]
    fn settle(&mut self, now: TimeNs, desk: &mut impl Desk) {
        if self.is_held {
            return;
        }
        if self.armed.is_empty() {
            self.references.range = None;
        } else if self.status != TradingStatus::Halted && self.status != TradingStatus::Closed {
            self.set_off(now, desk);
        }
        if !self.pegs.is_empty() {
            self.repeg(now, desk);
        }
    }

    /// Takes an open order out, if it is there and the account's. Returns whether it was.
    fn withdraw(
        &mut self,
        id: OrderId,
        account: Option<AccountId>,
        reason: CancelReason,
        now: TimeNs,
        desk: &mut impl Desk,
    ) -> bool {
        let Some(place) = self.book.place(id.0) else {
            return self.withdraw_armed(id, account, reason, now, desk);
        };
        if account.is_some_and(|owner| owner != self.resting.get(place).account) {
            return false;
        }
        self.drop_resting(place, reason, now, desk);
        true
    }

    fn drop_resting(
        &mut self,
        place: Place,
        reason: CancelReason,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        let (order, resting) = (self.book.at(place), *self.resting.get(place));
        self.book.delete_at(place);
        self.end(place, &resting, order.id);
        desk.order(&OrderReport {
            order: OrderId(order.id),
            account: resting.account,
            instrument: self.id,
            time_ns: now,
            side: order.side,
            held_at: order.price,
            left: resting.left(),
            kind: ReportKind::Cancelled(reason),
        });
    }

    /// Forgets what was kept of an order that has left the book.
    #[inline]
    fn end(&mut self, place: Place, resting: &Resting, id: u64) {
        self.resting.remove(place);
        if resting.order_type == OrderType::Pegged {
            self.pegs.retain(|peg| peg.0 != id);
        }
    }

    fn cancel_taker(
        &self,
        order: &NewOrder,
        left: Lots,
        reason: CancelReason,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        desk.order(&self.report(order, left, now, ReportKind::Cancelled(reason)));
    }

    /// Tells the first leg of a pair about the second.
    fn pair(&mut self, order: &NewOrder) {
        if order.terms.oco.0 == 0 {
            return;
        }
        let leg = OrderId(order.terms.oco.0);
        if let Some(place) = self.book.place(leg.0) {
            self.resting.set_oco(place, order.id);
        } else {
            self.armed.pair(leg, order.id);
        }
    }

    fn report(&self, order: &NewOrder, left: Lots, now: TimeNs, kind: ReportKind) -> OrderReport {
        OrderReport {
            order: order.id,
            account: order.account,
            instrument: self.id,
            time_ns: now,
            side: order.terms.side,
            held_at: reserve_price(&order.terms),
            left,
            kind,
        }
    }

    /// A report about an order that is not there.
    fn bare_report(
        &self,
        order: OrderId,
        account: AccountId,
        now: TimeNs,
        kind: ReportKind,
    ) -> OrderReport {
        let (side, held_at, left) = (Side::Buy, Ticks(0), Lots(0));
        OrderReport { order, account, instrument: self.id, time_ns: now, side, held_at, left, kind }
    }
}

/// What an arriving order shows of what is left of it.
fn shown_of(order: &NewOrder, left: Lots) -> Lots {
    if order.terms.order_type == OrderType::Iceberg {
        left.min(order.terms.display)
    } else {
        left
    }
}
