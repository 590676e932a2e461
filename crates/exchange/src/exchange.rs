//! The exchange: several markets, and the accounts that trade on them.

use mainspring_core::order::{CancelReason, OrderTerms, RejectReason, Side};
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, Lots, Money, Result, Ticks, TimeNs,
};
use mainspring_trading::ledger::{FillEffect, MarkPrice};

use crate::accounts::Accounts;
use crate::market::{Market, MarketConfig, TradingStatus};
use crate::order::{
    AccountId, Admission, Desk, NewOrder, OpenOrder, OrderId, OrderReport, Party, TradeReport,
};
use crate::recorded::Level;

/// Who hears what happens on an exchange, after the accounts were brought up to date.
pub trait Listener {
    /// A trade, and what it did to the taker's and the maker's account.
    fn trade(&mut self, trade: &TradeReport, taker: &FillEffect, maker: &FillEffect);

    /// Anything else that happened to an order.
    fn order(&mut self, report: &OrderReport);

    /// Others traded outside of the book: the trade's number, the taker's side, price and quantity.
    fn outside(&mut self, _instrument: InstrumentId, _trade: u64, _level: Level, _now: TimeNs) {}

    /// Funding was settled: what an account received.
    fn funding(&mut self, _account: AccountId, _instrument: InstrumentId, _received: Money) {}

    /// An account is being liquidated.
    fn liquidation(&mut self, _account: AccountId, _instrument: InstrumentId) {}
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl Listener for Silence {
    fn trade(&mut self, _: &TradeReport, _: &FillEffect, _: &FillEffect) {}
    fn order(&mut self, _: &OrderReport) {}
}

/// The accounts first, then the listener.
struct Floor<'a, L> {
    accounts: &'a mut Accounts,
    listener: &'a mut L,
}

impl<L: Listener> Desk for Floor<'_, L> {
    #[inline]
    fn trade(&mut self, trade: &TradeReport) {
        let [taker, maker] = self.accounts.trade(trade);
        self.listener.trade(trade, &taker, &maker);
    }

    #[inline]
    fn order(&mut self, report: &OrderReport) {
        self.accounts.hold(report);
        self.listener.order(report);
    }

    fn admit(&mut self, asked: &Admission<'_>) -> std::result::Result<(), RejectReason> {
        self.accounts.admit(asked)
    }

    fn payable(&self, taker: &Party, instrument: InstrumentId, side: Side, at: Ticks) -> Lots {
        self.accounts.payable(taker, instrument, side, at)
    }

    fn reducible(&self, account: AccountId, instrument: InstrumentId, side: Side) -> Lots {
        self.accounts.reducible(account, instrument, side)
    }
}

/// Several markets under one roof, with members' accounts, margin, fees, funding and liquidation.
///
/// A pure function of what it is told, like its markets. Order ids are given out by the exchange and
/// grow.
#[derive(Clone, Debug)]
pub struct Exchange {
    markets: Vec<Market>,
    accounts: Accounts,
    next_order: u64,
    /// Kept for its capacity.
    liquidating: Vec<AccountId>,
    ids: Vec<OrderId>,
}

impl Exchange {
    /// An exchange of these instruments, without accounts.
    ///
    /// # Errors
    /// When an instrument is not valid or does not fit into exact money.
    pub fn new(instruments: &[Instrument], config: MarketConfig) -> Result<Self> {
        let mut markets = Vec::with_capacity(instruments.len());
        for (id, instrument) in (0_u16..).zip(instruments) {
            markets.push(Market::new(InstrumentId(id), instrument, config)?);
        }
        Ok(Self {
            markets,
            accounts: Accounts::new(instruments)?,
            next_order: 1,
            liquidating: Vec::with_capacity(64),
            ids: Vec::with_capacity(64),
        })
    }

    /// Opens an account.
    ///
    /// # Errors
    /// When a deposit is negative or in a currency that is not used.
    pub fn open_account(&mut self, deposits: &[(String, Decimal)]) -> Result<AccountId> {
        self.accounts.open(deposits, false)
    }

    /// Opens an account whose orders are admitted whatever its balance, for flow that is not a
    /// member's; it is never liquidated.
    ///
    /// # Errors
    /// Never with the instruments of a valid exchange.
    pub fn open_house_account(&mut self) -> Result<AccountId> {
        self.accounts.open(&[], true)
    }

    /// The accounts.
    #[must_use]
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The accounts, for deposits and leverage.
    #[must_use]
    pub fn accounts_mut(&mut self) -> &mut Accounts {
        &mut self.accounts
    }

    /// A market.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> Option<&Market> {
        self.markets.get(instrument.index())
    }

    /// The markets, by instrument.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// An open order.
    #[must_use]
    pub fn order(&self, instrument: InstrumentId, id: OrderId) -> Option<OpenOrder> {
        self.market(instrument)?.order(id)
    }

    /// The next order's id. [`Exchange::submit`] needs one that was not used before.
    #[inline]
    pub fn next_order_id(&mut self) -> OrderId {
        let id = OrderId(self.next_order);
        self.next_order += 1;
        id
    }

    /// Takes an order of an id from [`Exchange::next_order_id`].
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn submit(
        &mut self,
        order: NewOrder,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (market, mut floor) = self.floor(order.terms.instrument, listener)?;
        market.submit(order, now, &mut floor);
        Ok(())
    }

    /// Cancels an order.
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn cancel(
        &mut self,
        instrument: InstrumentId,
        id: OrderId,
        account: AccountId,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (market, mut floor) = self.floor(instrument, listener)?;
        market.cancel(id, account, now, &mut floor);
        Ok(())
    }

    /// Changes price and whole quantity of an order, see [`Market::amend`].
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn amend(
        &mut self,
        instrument: InstrumentId,
        id: OrderId,
        account: AccountId,
        (price, qty): (Ticks, Lots),
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (market, mut floor) = self.floor(instrument, listener)?;
        market.amend(id, account, (price, qty), now, &mut floor);
        Ok(())
    }

    /// Halts or opens a market.
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn set_status(
        &mut self,
        instrument: InstrumentId,
        status: TradingStatus,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (market, mut floor) = self.floor(instrument, listener)?;
        market.set_status(status, now, &mut floor);
        Ok(())
    }

    /// Lets time pass in all markets.
    pub fn advance(&mut self, now: TimeNs, listener: &mut impl Listener) {
        let mut floor = Floor { accounts: &mut self.accounts, listener };
        self.markets.iter_mut().for_each(|market| market.advance(now, &mut floor));
    }

    /// Sets the mark price: positions are valued, triggers fire, and accounts whose equity is at or
    /// under their maintenance margin are liquidated.
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn set_mark(
        &mut self,
        instrument: InstrumentId,
        mark: MarkPrice,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (market, mut floor) = self.floor(instrument, listener)?;
        floor.accounts.mark(instrument, mark);
        market.set_mark(mark, now, &mut floor);
        if self.accounts.lines[instrument.index()].is_derivative {
            self.liquidate(instrument, now, listener);
        }
        Ok(())
    }

    /// Others traded outside of the book's orders, see [`Market::note_trade`]. `level` begins with the
    /// taker's side.
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn note_trade(
        &mut self,
        instrument: InstrumentId,
        level: Level,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let number = self.floor(instrument, listener)?.0.trades() + 1;
        listener.outside(instrument, number, level, now);
        let (market, mut floor) = self.floor(instrument, listener)?;
        market.note_trade(level.1, now, &mut floor);
        Ok(())
    }

    /// Triggers and pegs of a market wait until [`Exchange::release`].
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn hold(&mut self, instrument: InstrumentId) -> Result<()> {
        let mut silence = Silence;
        self.floor(instrument, &mut silence)?.0.hold();
        Ok(())
    }

    /// Triggers and pegs of a market see what has come since [`Exchange::hold`].
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn release(
        &mut self,
        instrument: InstrumentId,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (market, mut floor) = self.floor(instrument, listener)?;
        market.release(now, &mut floor);
        Ok(())
    }

    /// Settles funding at the mark: longs pay shorts `position x mark x rate`, `rate` in units of
    /// `10^-9`.
    ///
    /// # Errors
    /// When the instrument is unknown or has no mark, or the rate is not a fraction.
    pub fn settle_funding(
        &mut self,
        instrument: InstrumentId,
        rate: i64,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        let mark = self.market(instrument).and_then(Market::mark).ok_or_else(|| {
            let message = format!("funding of instrument {}: it has no mark price", instrument.0);
            Error::new(ErrorKind::Value, message)
        })?;
        let report = |account, received| listener.funding(account, instrument, received);
        self.accounts.funding(instrument, rate, mark, report)?;
        self.liquidate(instrument, now, listener);
        Ok(())
    }

    /// Closes what accounts under their maintenance margin hold: their orders are cancelled, their
    /// positions in what the instrument settles in are sold to the market, and what is then owed is
    /// paid by the exchange. What finds no taker is tried again at the next mark.
    fn liquidate(&mut self, instrument: InstrumentId, now: TimeNs, listener: &mut impl Listener) {
        let mut found = std::mem::take(&mut self.liquidating);
        self.accounts.to_liquidate(instrument, &mut found);
        for account in &found {
            listener.liquidation(*account, instrument);
            self.close_out(*account, instrument, now, listener);
            self.accounts.insure(*account, instrument);
        }
        self.liquidating = found;
    }

    /// Liquidates an account in what an instrument settles in, whatever its margin: its orders there
    /// are cancelled and its positions closed at the market.
    ///
    /// # Errors
    /// When the instrument is unknown.
    pub fn liquidate_account(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<()> {
        self.floor(instrument, listener)?;
        listener.liquidation(account, instrument);
        self.close_out(account, instrument, now, listener);
        self.accounts.insure(account, instrument);
        Ok(())
    }

    fn close_out(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        now: TimeNs,
        listener: &mut impl Listener,
    ) {
        let settle = self.accounts.lines[instrument.index()].settle;
        for at in 0..self.markets.len() {
            let line = &self.accounts.lines[at];
            if !line.is_derivative || line.settle != settle {
                continue;
            }
            let mut ids = std::mem::take(&mut self.ids);
            ids.clear();
            self.markets[at].orders_of(account, &mut ids);
            let mut floor = Floor { accounts: &mut self.accounts, listener };
            for id in &ids {
                self.markets[at].remove(*id, CancelReason::Liquidation, now, &mut floor);
            }
            self.ids = ids;
            self.close_position(account, InstrumentId(at as u16), now, listener);
        }
    }

    fn close_position(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        now: TimeNs,
        listener: &mut impl Listener,
    ) {
        let lots = self.accounts.position(account, instrument);
        if lots.0 == 0 {
            return;
        }
        let side = if lots.0 > 0 { Side::Sell } else { Side::Buy };
        let mut terms = OrderTerms::market(instrument, side, lots.abs());
        terms.flags = mainspring_core::OrderFlags::REDUCE_ONLY;
        let mut order = NewOrder::new(self.next_order_id(), account, terms);
        order.self_trade = None;
        let mut floor = Floor { accounts: &mut self.accounts, listener };
        self.markets[instrument.index()].submit(order, now, &mut floor);
    }

    fn floor<'a, L: Listener>(
        &'a mut self,
        instrument: InstrumentId,
        listener: &'a mut L,
    ) -> Result<(&'a mut Market, Floor<'a, L>)> {
        let market = self.markets.get_mut(instrument.index()).ok_or_else(|| {
            let message = format!("instrument {}: not traded on this exchange", instrument.0);
            Error::new(ErrorKind::NotFound, message)
        })?;
        Ok((market, Floor { accounts: &mut self.accounts, listener }))
    }
}
