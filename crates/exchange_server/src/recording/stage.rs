//! A market of the exchange as the stage of a recording.

use mainspring_core::event::{OrderRow, RowKind};
use mainspring_core::order::{OrderTerms, SelfTradePrevention};
use mainspring_core::{InstrumentId, Lots, Money, Side, Ticks, TimeInForce, TimeNs};
use mainspring_exchange::recorded::{Level, Met, Stage, RECORDED_IDS};
use mainspring_exchange::{
    AccountId, Exchange, Listener, Market, NewOrder, OrderId, OrderReport, TradeReport,
    TradingStatus,
};
use mainspring_trading::ledger::FillEffect;

/// Orders of a recording have this bit; members' and takers' ids are small.
const OURS: u64 = 1 << 63;
/// What rests at a level without a name has this one instead.
const NAMELESS: u64 = 1 << 62;

/// Who rests and who takes in a recording's name: accounts without limits.
#[derive(Clone, Copy, Debug)]
pub struct House {
    /// Whose orders rest.
    pub maker: AccountId,
    /// Whose take.
    pub taker: AccountId,
}

/// A market of an exchange, and who hears what happens there.
pub struct Floor<'a, L> {
    /// The exchange.
    pub exchange: &'a mut Exchange,
    /// Which of its markets.
    pub instrument: InstrumentId,
    /// The recording's accounts.
    pub house: House,
    /// What happens when two orders of the recording meet; `None` lets them trade.
    pub self_trade: Option<SelfTradePrevention>,
    /// Who hears.
    pub listener: &'a mut L,
}

/// Hears for somebody else, and remembers whom one order met.
struct Witness<'a, L> {
    listener: &'a mut L,
    order: OrderId,
    met: Option<&'a mut Vec<Met>>,
    traded: Lots,
}

impl<L: Listener> Listener for Witness<'_, L> {
    fn trade(&mut self, trade: &TradeReport, taker: &FillEffect, maker: &FillEffect) {
        if trade.taker.order == self.order {
            self.traded += trade.qty;
            if let Some(met) = self.met.as_deref_mut().filter(|_| is_recorded(trade.maker.order)) {
                met.push((trade.maker.order, trade.qty));
            }
        }
        self.listener.trade(trade, taker, maker);
    }

    fn order(&mut self, report: &OrderReport) {
        self.listener.order(report);
    }

    fn outside(&mut self, instrument: InstrumentId, trade: u64, level: Level, now: TimeNs) {
        self.listener.outside(instrument, trade, level, now);
    }

    fn funding(&mut self, account: AccountId, instrument: InstrumentId, received: Money) {
        self.listener.funding(account, instrument, received);
    }

    fn liquidation(&mut self, account: AccountId, instrument: InstrumentId) {
        self.listener.liquidation(account, instrument);
    }
}

const fn is_recorded(id: OrderId) -> bool {
    id.0 >= RECORDED_IDS
}

impl<L: Listener> Floor<'_, L> {
    /// Sends an order and returns what of it traded.
    fn submit(&mut self, order: NewOrder, now: TimeNs, met: Option<&mut Vec<Met>>) -> Lots {
        let traded = Lots(0);
        let mut witness = Witness { listener: self.listener, order: order.id, met, traded };
        let sent = self.exchange.submit(order, now, &mut witness);
        debug_assert!(sent.is_ok(), "the market is there: {sent:?}");
        witness.traded
    }
}

impl<L: Listener> Stage for Floor<'_, L> {
    fn market(&self) -> &Market {
        &self.exchange.markets()[self.instrument.index()]
    }

    fn order_id(&self, id: u64) -> OrderId {
        OrderId(OURS | id)
    }

    fn nameless_id(&self, side: Side, price: Ticks) -> OrderId {
        OrderId(NAMELESS | (side as u64) << 60 | (price.0 as u64 & (RECORDED_IDS - 1)))
    }

    fn is_member(&self, id: OrderId) -> bool {
        !is_recorded(id)
    }

    fn is_frozen(&self) -> bool {
        self.market().status() != TradingStatus::Open
    }

    fn add(
        &mut self,
        id: OrderId,
        (side, price, qty): Level,
        now: TimeNs,
        met: Option<&mut Vec<Met>>,
    ) {
        let terms = OrderTerms::limit(self.instrument, side, price, qty);
        let mut order = NewOrder::new(id, self.house.maker, terms);
        order.self_trade = self.self_trade;
        self.submit(order, now, met);
    }

    fn take(&mut self, (side, price, qty): Level, now: TimeNs) -> Lots {
        let mut terms = OrderTerms::limit(self.instrument, side, price, qty);
        terms.time_in_force = TimeInForce::Ioc;
        let id = self.exchange.next_order_id();
        let mut order = NewOrder::new(id, self.house.taker, terms);
        order.self_trade = None;
        qty - self.submit(order, now, None)
    }

    fn set_left(&mut self, id: OrderId, left: i64, now: TimeNs) {
        let Some(open) = self.exchange.order(self.instrument, id) else { return };
        let (instrument, maker) = (self.instrument, self.house.maker);
        let changed = if left <= 0 {
            self.exchange.cancel(instrument, id, maker, now, self.listener)
        } else if open.left().0 == left {
            Ok(())
        } else {
            let terms = (open.order.terms.price, open.filled + Lots(left));
            self.exchange.amend(instrument, id, maker, terms, now, self.listener)
        };
        debug_assert!(changed.is_ok(), "the market is there: {changed:?}");
    }

    fn change(&mut self, id: OrderId, (_, price, qty): Level, now: TimeNs) {
        let (instrument, maker) = (self.instrument, self.house.maker);
        let done = self.exchange.amend(instrument, id, maker, (price, qty), now, self.listener);
        debug_assert!(done.is_ok(), "the market is there: {done:?}");
    }

    fn execute_aside(&mut self, id: OrderId, left: i64, traded: Level, now: TimeNs) {
        self.set_left(id, left, now);
        self.trade_outside(traded, 0, now);
    }

    fn trade_outside(&mut self, trade: Level, _: u8, now: TimeNs) {
        let done = self.exchange.note_trade(self.instrument, trade, now, self.listener);
        debug_assert!(done.is_ok(), "the market is there: {done:?}");
    }

    /// What has no order is heard before the recording's book hears of it.
    fn pass_on(&mut self, _: RowKind, _: &OrderRow, _: Ticks, _: TimeNs) {}

    fn hold(&mut self) {
        let held = self.exchange.hold(self.instrument);
        debug_assert!(held.is_ok(), "the market is there: {held:?}");
    }

    fn release(&mut self, now: TimeNs) {
        let released = self.exchange.release(self.instrument, now, self.listener);
        debug_assert!(released.is_ok(), "the market is there: {released:?}");
    }

    fn recorded_ids(&self, ids: &mut Vec<OrderId>) {
        self.market().orders_of(self.house.maker, ids);
    }
}
