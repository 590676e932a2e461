//! One product of the venue: its exchange, its flow, and what the venue remembers and tells of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mainspring_core::order::{
    CancelReason, OrderTerms, OrderType, RejectReason, SelfTradePrevention, Side, TimeInForce,
};
use mainspring_core::{Decimal, Instrument, InstrumentId, Lots, Money, Result, Ticks, TimeNs};
use mainspring_exchange::recorded::{without_rules, Level};
use mainspring_exchange::{
    AccountId, Exchange, Listener, Market, MarketConfig, NewOrder, OrderId, OrderReport, Party,
    ReportKind, TradeReport, TradingStatus, TriggerBy,
};
use mainspring_trading::ledger::FillEffect;

use crate::config::ServerConfig;
use crate::dialects::Listing;
use crate::faults::Dice;
use crate::flow::{listed, shapes, HouseFlow};
use crate::recording::{HouseRecording, Pace, Progress, Recording};
use crate::records::{ChainTerms, FillRecord, OrderRecord, Records, Status};
use crate::tape::{Print, Tape};

/// What the matching engine makes of a request, or why it refuses it.
pub type Admitted<T> = std::result::Result<T, RejectReason>;

/// No symbol has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSymbol;

/// What is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Spot.
    Spot = 0,
    /// USD-margined futures.
    Usdm = 1,
}

/// A symbol: its instrument, its tape, and what of its book was not yet told.
#[derive(Debug)]
pub struct Symbol {
    /// The instrument.
    pub instrument: Instrument,
    /// Decimals that the venue fills up with zeros.
    decimals: usize,
    /// Public trades.
    pub tape: Tape,
    /// Grows with every change of a level.
    pub update_id: u64,
    /// The best levels as they were told, by their number.
    windows: HashMap<usize, [Vec<(i64, i64)>; 2]>,
    /// How many messages of changes were told.
    pub depth_number: u64,
    /// The last id that the depth stream told.
    pub told_id: u64,
    /// Levels that changed since then.
    pub touched: BTreeSet<(bool, i64)>,
    /// Trades not yet told.
    pub prints: Vec<Print>,
    /// Best prices and quantities as last told: bid, its lots, ask, its lots.
    pub told_best: Option<[i64; 4]>,
}

/// Changes of a book: levels in ticks and the lots they have now.
#[derive(Clone, Debug, Default)]
pub struct DepthNews {
    /// How many messages were told, this one included.
    pub number: u64,
    /// The last id told before.
    pub before_id: u64,
    /// The id of the last change in here.
    pub last_id: u64,
    /// Bids.
    pub bids: Vec<(i64, i64)>,
    /// Asks.
    pub asks: Vec<(i64, i64)>,
}

/// Something a member must hear.
#[derive(Clone, Debug)]
pub struct UserEvent {
    /// The order after it.
    pub order: OrderRecord,
    /// What happened.
    pub kind: UserEventKind,
}

impl UserEvent {
    /// Whether it is that a trigger was reached.
    const fn is_trigger(&self) -> bool {
        matches!(self.kind, UserEventKind::Triggered)
    }
}

/// What happened to a member's order.
#[derive(Clone, Copy, Debug)]
pub enum UserEventKind {
    /// It is open.
    New,
    /// It traded.
    Trade(FillRecord),
    /// Its owner cancelled it.
    Canceled,
    /// It ended by rule.
    Expired,
    /// Its terms changed.
    Amended,
    /// Its trigger was reached.
    Triggered,
}

/// What the venue remembers and has to tell.
#[derive(Debug)]
pub struct Desk {
    /// Which product.
    pub product: Product,
    /// Symbols by instrument.
    pub symbols: Vec<Symbol>,
    /// Orders and fills.
    pub records: Records,
    /// What members must hear.
    pub events: Vec<UserEvent>,
    /// Accounts that received funding or were liquidated: account and what moved.
    pub funded: Vec<(AccountId, InstrumentId, Money)>,
    /// Whom the exchange closes the positions of.
    liquidated: Option<AccountId>,
    /// The refusal of the request in hand.
    refused: Option<RejectReason>,
}

/// What makes the markets, beside members.
#[derive(Debug)]
enum House {
    Generated(Box<HouseFlow>),
    Recorded(Box<HouseRecording>),
}

/// A product.
#[derive(Debug)]
pub struct Section {
    /// The matching engine and the accounts.
    pub exchange: Exchange,
    /// The rest.
    pub desk: Desk,
    flow: Option<House>,
    /// Share of limit orders that somebody is quicker than, and the draws for it.
    pub partial_fill: f64,
    dice: Dice,
    /// Who is quicker than a member whose orders are to fill in part.
    rival: AccountId,
    /// Whether a fill-or-kill order that cannot fill is an order that ended, or none.
    keeps_unfilled_fok: bool,
    by_name: BTreeMap<String, usize>,
}

/// An order as a member asks for it.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Whose.
    pub account: AccountId,
    /// Index of the symbol.
    pub symbol: usize,
    /// Terms.
    pub terms: OrderTerms,
    /// The member's id; empty for one of the venue's making.
    pub client_id: String,
    /// As the member named it.
    pub type_name: &'static str,
    /// As the member named it.
    pub time_in_force: &'static str,
    /// As the member named it.
    pub self_trade: (&'static str, Option<SelfTradePrevention>),
    /// As the member named it.
    pub working_type: (&'static str, TriggerBy),
    /// What it says on a chain.
    pub chain: ChainTerms,
}

impl Section {
    /// The product with its markets open and its flow waiting.
    ///
    /// # Errors
    /// When a market is unknown.
    pub fn new(
        product: Product,
        listing: &Listing,
        config: &ServerConfig,
        recording: Option<&Recording>,
        start: TimeNs,
    ) -> Result<Self> {
        let Some(recording) = recording else {
            return Self::generated(product, listing, config, start);
        };
        let listed = recording.listed(product, listing)?;
        let instruments: Vec<Instrument> = listed.iter().map(|(_, one)| one.clone()).collect();
        // The engine takes whatever was recorded; what the instrument asks is asked of members.
        let open: Vec<Instrument> = instruments.iter().map(without_rules).collect();
        let mut exchange = Exchange::new(&open, MarketConfig::default())?;
        let pace = Pace {
            opened_ns: start,
            warm_up_ns: (config.warm_up_s.max(0.0) * 1e9) as i64,
            speed: config.speed,
            looped: config.repeat,
        };
        let model = config.queue_model;
        let house = HouseRecording::new(&mut exchange, recording, &listed, model, pace)?;
        let house = Some(House::Recorded(Box::new(house)));
        Self::of(product, listing, config, instruments, exchange, house)
    }

    fn generated(
        product: Product,
        listing: &Listing,
        config: &ServerConfig,
        start: TimeNs,
    ) -> Result<Self> {
        let is_spot = product == Product::Spot;
        let mut instruments: Vec<Instrument> = shapes(&config.markets)?
            .iter()
            .map(|shape| listed(&shape.instrument, is_spot))
            .collect();
        for instrument in &mut instruments {
            instrument.symbol = (listing.name)(product, instrument);
            (listing.rules)(instrument)?;
        }
        let mut exchange = Exchange::new(&instruments, MarketConfig::default())?;
        let flow = if config.speed > 0.0 && listing.products.contains(&product) {
            let seed = config.seed.wrapping_mul(2).wrapping_add(product as u64);
            let pace = (start, (config.warm_up_s.max(0.0) * 1e9) as i64, config.speed);
            let names = (config.markets.as_slice(), instruments.as_slice());
            let flow = HouseFlow::new(&mut exchange, names, seed, pace)?;
            Some(House::Generated(Box::new(flow)))
        } else {
            None
        };
        Self::of(product, listing, config, instruments, exchange, flow)
    }

    fn of(
        product: Product,
        listing: &Listing,
        config: &ServerConfig,
        instruments: Vec<Instrument>,
        mut exchange: Exchange,
        flow: Option<House>,
    ) -> Result<Self> {
        let by_name = instruments.iter().enumerate().map(|(at, i)| (i.symbol.clone(), at));
        let by_name = by_name.collect();
        let decimals = listing.decimals[product as usize];
        let symbols = instruments.into_iter().map(|one| Symbol::new(one, decimals)).collect();
        let desk = Desk {
            product,
            symbols,
            records: Records::default(),
            events: Vec::new(),
            funded: Vec::new(),
            liquidated: None,
            refused: None,
        };
        let keeps_unfilled_fok = listing.keeps_unfilled_fok[product as usize];
        let rival = exchange.open_house_account()?;
        let dice = Dice::new(config.seed);
        let partial_fill = config.faults.partial_fill;
        Ok(Self { exchange, desk, flow, partial_fill, dice, rival, keeps_unfilled_fok, by_name })
    }

    /// A symbol by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn symbol(&self, name: &str) -> std::result::Result<usize, UnknownSymbol> {
        self.by_name.get(name).copied().ok_or(UnknownSymbol)
    }

    /// The market of a symbol.
    #[must_use]
    pub fn market(&self, symbol: usize) -> &Market {
        &self.exchange.markets()[symbol]
    }

    /// Lets the flow act up to a time, a bounded step of it. Returns whether there is more to do.
    pub fn advance(&mut self, until: TimeNs, most: usize) -> bool {
        self.exchange.advance(until, &mut self.desk);
        let (exchange, desk) = (&mut self.exchange, &mut self.desk);
        match &mut self.flow {
            None => false,
            Some(House::Generated(flow)) => flow.advance(exchange, until, most, desk) == most,
            Some(House::Recorded(flow)) => flow.advance(exchange, until, most, desk) >= most,
        }
    }

    /// How far the recording is that makes the markets, where one does.
    #[must_use]
    pub fn recording(&self) -> Option<&Progress> {
        match &self.flow {
            Some(House::Recorded(flow)) if !self.desk.symbols.is_empty() => Some(flow.progress()),
            _ => None,
        }
    }

    /// What the instrument asks of an order, where the engine itself asks nothing.
    fn check(&self, terms: &OrderTerms) -> Admitted<()> {
        let Some(House::Recorded(flow)) = &self.flow else { return Ok(()) };
        if self.market(terms.instrument.index()).status() != TradingStatus::Open {
            return Err(RejectReason::Halted);
        }
        flow.rules(terms.instrument).check(terms)
    }

    /// Places an order.
    ///
    /// # Errors
    /// What the matching engine refuses.
    pub fn place(&mut self, asked: Placement, now: TimeNs) -> Admitted<OrderId> {
        let client_id = &asked.client_id;
        let known = self.desk.records.find(asked.account, None, Some(client_id));
        if known.is_some_and(|order| order.status.is_open()) {
            return Err(RejectReason::DuplicateOrder);
        }
        self.check(&asked.terms)?;
        if self.dice.happens(self.partial_fill) {
            self.be_quicker(&asked, now);
        }
        let id = self.exchange.next_order_id();
        let mut order = NewOrder::new(id, asked.account, asked.terms);
        order.self_trade = asked.self_trade.1;
        order.trigger_by = asked.working_type.1;
        self.desk.records.add(record_of(id, asked, now));
        self.desk.refused = None;
        let sent = self.exchange.submit(order, now, &mut self.desk);
        debug_assert!(sent.is_ok(), "symbols are instruments: {sent:?}");
        match self.desk.refused.take() {
            Some(RejectReason::FokNotFilled) if self.keeps_unfilled_fok => {
                self.desk.end(id, Status::Expired, now, UserEventKind::Expired);
                Ok(id)
            }
            Some(reason) => {
                self.desk.records.forget(id);
                Err(reason)
            }
            None => Ok(id),
        }
    }

    /// Takes what an order would take but for half of its quantity, just before it.
    pub fn be_quicker(&mut self, than: &Placement, now: TimeNs) {
        let (side, price, wanted) = (than.terms.side, than.terms.price, than.terms.qty.0);
        let within = |level: i64| match side {
            Side::Buy => level <= price.0,
            Side::Sell => level >= price.0,
        };
        let levels = self.market(than.symbol).levels().levels(side.opposite());
        let there: i64 = levels.take_while(|(at, _)| within(at.0)).map(|(_, qty)| qty.0).sum();
        let taken = there - wanted / 2;
        if than.terms.order_type != OrderType::Limit || there < wanted || taken <= 0 {
            return;
        }
        let instrument = InstrumentId(than.symbol as u16);
        let mut terms = OrderTerms::limit(instrument, side, price, Lots(taken));
        terms.time_in_force = TimeInForce::Ioc;
        let order = NewOrder::new(self.exchange.next_order_id(), self.rival, terms);
        let sent = self.exchange.submit(order, now, &mut self.desk);
        debug_assert!(sent.is_ok(), "symbols are instruments: {sent:?}");
    }

    /// Liquidates all that an account holds, whatever its margin.
    pub fn liquidate(&mut self, account: AccountId, now: TimeNs) {
        for at in 0..self.desk.symbols.len() {
            let id = InstrumentId(at as u16);
            let done = self.exchange.liquidate_account(account, id, now, &mut self.desk);
            debug_assert!(done.is_ok(), "symbols are instruments: {done:?}");
        }
    }

    /// Cancels an order of an account.
    ///
    /// # Errors
    /// When it is not open, or not the account's.
    pub fn cancel(&mut self, account: AccountId, id: OrderId, now: TimeNs) -> Admitted<()> {
        let symbol = self.desk.records.get(id).ok_or(RejectReason::UnknownOrder)?.symbol;
        self.desk.refused = None;
        let instrument = InstrumentId(symbol as u16);
        let sent = self.exchange.cancel(instrument, id, account, now, &mut self.desk);
        debug_assert!(sent.is_ok(), "symbols are instruments: {sent:?}");
        self.desk.refused.take().map_or(Ok(()), Err)
    }

    /// Changes price and whole quantity of an order.
    ///
    /// # Errors
    /// What the matching engine refuses.
    pub fn amend(
        &mut self,
        account: AccountId,
        id: OrderId,
        terms: (Ticks, Lots),
        now: TimeNs,
    ) -> Admitted<()> {
        let known = self.desk.records.get(id).ok_or(RejectReason::UnknownOrder)?;
        let symbol = known.symbol;
        // A quantity that is filled already ends the order, whatever its terms.
        if known.status.is_open() && terms.1 > known.filled {
            self.check(&changed(&known.terms, terms))?;
        }
        self.desk.refused = None;
        let instrument = InstrumentId(symbol as u16);
        let sent = self.exchange.amend(instrument, id, account, terms, now, &mut self.desk);
        debug_assert!(sent.is_ok(), "symbols are instruments: {sent:?}");
        self.desk.refused.take().map_or(Ok(()), Err)
    }

    /// Cancels all orders of an account in a symbol, and returns their ids.
    pub fn cancel_all(&mut self, account: AccountId, symbol: usize, now: TimeNs) -> Vec<OrderId> {
        let open = self.desk.records.open_of(account).filter(|order| order.symbol == symbol);
        let ids: Vec<OrderId> = open.map(|order| order.id).collect();
        ids.into_iter().filter(|id| self.cancel(account, *id, now).is_ok()).collect()
    }

    /// Best bid, its lots, best ask, its lots; none while a side is empty.
    #[must_use]
    pub fn best(&self, symbol: usize) -> Option<[i64; 4]> {
        let levels = self.market(symbol).levels();
        let (bid, ask) = (levels.best(Side::Buy)?, levels.best(Side::Sell)?);
        Some([bid.0, levels.best_qty(Side::Buy).0, ask.0, levels.best_qty(Side::Sell).0])
    }

    /// The best prices, if they are not those that were told last.
    pub fn take_best(&mut self, symbol: usize) -> Option<[i64; 4]> {
        let best = self.best(symbol);
        let told = &mut self.desk.symbols[symbol].told_best;
        if best.is_none() || *told == best {
            return None;
        }
        *told = best;
        best
    }

    /// The changes of the book that were not told yet.
    pub fn take_depth(&mut self, at: usize) -> Option<DepthNews> {
        let touched = std::mem::take(&mut self.desk.symbols[at].touched);
        if touched.is_empty() {
            return None;
        }
        let levels = self.exchange.markets()[at].levels();
        let mut news = DepthNews::default();
        for (is_ask, price) in touched {
            let (side, told) = match is_ask {
                false => (Side::Buy, &mut news.bids),
                true => (Side::Sell, &mut news.asks),
            };
            told.push((price, levels.qty(side, Ticks(price)).0));
        }
        let symbol = &mut self.desk.symbols[at];
        (news.before_id, news.last_id) = (symbol.told_id, symbol.update_id);
        symbol.told_id = symbol.update_id;
        symbol.depth_number += 1;
        news.number = symbol.depth_number;
        Some(news)
    }

    /// How the best levels of both sides differ from those told before: what is no longer among them
    /// has no lots.
    pub fn take_window(&mut self, at: usize, depth: usize) -> [Vec<(i64, i64)>; 2] {
        let now = self.sides(at, depth);
        let windows = &mut self.desk.symbols[at].windows;
        let before = windows.insert(depth, now.clone()).unwrap_or_default();
        let changes = |side: usize| {
            let (old, new) = (&before[side], &now[side]);
            let gone = old.iter().filter(|(price, _)| new.iter().all(|(p, _)| p != price));
            let fresh = new.iter().filter(|level| !old.contains(level)).copied();
            gone.map(|(price, _)| (*price, 0)).chain(fresh).collect()
        };
        [changes(0), changes(1)]
    }

    /// The best levels of both sides, bids first: ticks and lots.
    #[must_use]
    pub fn sides(&self, symbol: usize, count: usize) -> [Vec<(i64, i64)>; 2] {
        let levels = self.market(symbol).levels();
        [Side::Buy, Side::Sell].map(|side| {
            levels.levels(side).take(count).map(|(price, qty)| (price.0, qty.0)).collect()
        })
    }

    /// The mark price in ticks, or the last trade's before there is one.
    #[must_use]
    pub fn mark(&self, symbol: usize) -> f64 {
        let market = self.market(symbol);
        let last = market.last_trade().map(|last| last.0 as f64);
        market.mark().map(|mark| mark.0 as f64 * 1e-9).or(last).unwrap_or(0.0)
    }

    /// How many lots a sum of quote buys or sells now.
    #[must_use]
    pub fn lots_for(&self, symbol: usize, side: Side, quote: Decimal) -> Lots {
        let market = self.market(symbol);
        let Some(budget) = quote.to_scale(mainspring_core::money::MONEY_DECIMALS) else {
            return Lots(0);
        };
        let mut left = budget;
        let mut lots = 0_i64;
        for (price, shown) in market.levels().levels(side.opposite()) {
            let one = market.contract().notional(price, Lots(1)).unwrap_or(i128::MAX).max(1);
            let wanted = i64::try_from(left / one).unwrap_or(i64::MAX);
            let taken = wanted.min(shown.0);
            lots += taken;
            left -= one * i128::from(taken);
            if taken < shown.0 {
                break;
            }
        }
        Lots(lots)
    }
}

impl Symbol {
    fn new(instrument: Instrument, decimals: usize) -> Self {
        Self {
            instrument,
            decimals,
            tape: Tape::default(),
            update_id: 1,
            windows: HashMap::new(),
            depth_number: 1,
            told_id: 1,
            touched: BTreeSet::new(),
            prints: Vec::new(),
            told_best: None,
        }
    }

    fn touch(&mut self, side: Side, price: Ticks) {
        if price.0 > 0 {
            self.update_id += 1;
            self.touched.insert((side == Side::Sell, price.0));
        }
    }

    /// A price as text.
    #[must_use]
    pub fn price(&self, ticks: i64) -> String {
        padded(self.instrument.tick().times(ticks), self.decimals)
    }

    /// A quantity as text.
    #[must_use]
    pub fn qty(&self, lots: i64) -> String {
        padded(self.instrument.lot.times(lots), self.decimals)
    }

    /// Nobody is told of what has happened so far.
    pub fn forget(&mut self) {
        self.prints.clear();
        self.touched.clear();
        self.told_id = self.update_id;
    }
}

/// A decimal with zeros up to so many places.
fn padded(mut text: String, decimals: usize) -> String {
    let have = text.find('.').map_or(0, |at| text.len() - at - 1);
    if have < decimals {
        if have == 0 {
            text.push('.');
        }
        text.extend(std::iter::repeat_n('0', decimals - have));
    }
    text
}

impl Desk {
    /// What happened since the last time, without triggers: for protocols that tell what becomes of an order
    /// of which the trigger was reached, and nothing before that.
    pub fn take_events(&mut self) -> Vec<UserEvent> {
        let mut events = std::mem::take(&mut self.events);
        events.retain(|event| !event.is_trigger());
        events
    }

    fn end(&mut self, id: OrderId, status: Status, now: TimeNs, kind: UserEventKind) {
        let Some(order) = self.records.get_mut(id) else { return };
        order.status = status;
        order.update_ms = now / 1_000_000;
        let order = order.clone();
        self.records.end(id);
        self.events.push(UserEvent { order, kind });
    }

    fn fill(&mut self, trade: &TradeReport, party: &Party, maker: bool, effect: &FillEffect) {
        let symbol = &self.symbols[trade.instrument.index()];
        let Some(order) = self.records.get_mut(party.order) else { return };
        let one = symbol.instrument.tick_value().unwrap_or(0);
        let quote = i128::from(trade.price.0) * i128::from(trade.qty.0) * one;
        let buys = order.terms.side == Side::Buy;
        order.filled += trade.qty;
        order.quote += quote;
        order.update_ms = trade.time_ns / 1_000_000;
        order.status = if party.left.0 == 0 { Status::Filled } else { Status::PartiallyFilled };
        let fill = FillRecord {
            trade: trade.trade,
            order: party.order,
            account: party.account,
            symbol: trade.instrument.index(),
            price: trade.price.0,
            qty: trade.qty,
            quote,
            fee: effect.fee.0,
            realised: effect.realised.0,
            buys,
            maker,
            time_ms: order.update_ms,
        };
        let order = order.clone();
        self.records.add_fill(fill);
        if !order.status.is_open() {
            self.records.end(order.id);
        }
        self.events.push(UserEvent { order, kind: UserEventKind::Trade(fill) });
    }
}

impl Listener for Desk {
    fn trade(&mut self, trade: &TradeReport, taker: &FillEffect, maker: &FillEffect) {
        let symbol = &mut self.symbols[trade.instrument.index()];
        symbol.touch(trade.taker_side.opposite(), trade.price);
        let print = Print {
            id: trade.trade,
            price: trade.price.0,
            qty: trade.qty.0,
            time_ms: trade.time_ns / 1_000_000,
            buyer_is_maker: trade.taker_side == Side::Sell,
        };
        symbol.tape.add(print);
        symbol.prints.push(print);
        self.fill(trade, &trade.maker, true, maker);
        self.fill(trade, &trade.taker, false, taker);
    }

    fn outside(&mut self, instrument: InstrumentId, trade: u64, level: Level, now: TimeNs) {
        let (taker, price, qty) = level;
        let print = Print {
            id: trade,
            price: price.0,
            qty: qty.0,
            time_ms: now / 1_000_000,
            buyer_is_maker: taker == Side::Sell,
        };
        let symbol = &mut self.symbols[instrument.index()];
        symbol.tape.add(print);
        symbol.prints.push(print);
    }

    fn order(&mut self, report: &OrderReport) {
        let (id, now) = (report.order, report.time_ns);
        let symbol = &mut self.symbols[report.instrument.index()];
        match report.kind {
            ReportKind::Rested | ReportKind::Cancelled(_) => {
                symbol.touch(report.side, report.held_at);
            }
            ReportKind::Amended { held_at, .. } => {
                symbol.touch(report.side, held_at);
                symbol.touch(report.side, report.held_at);
            }
            _ => {}
        }
        match report.kind {
            ReportKind::Rejected(reason)
            | ReportKind::CancelRejected(reason)
            | ReportKind::AmendRejected(reason) => self.refused = Some(reason),
            ReportKind::Accepted => {
                if self.liquidated == Some(report.account) && self.records.get(id).is_none() {
                    let terms = OrderTerms::market(report.instrument, report.side, report.left);
                    let time_ms = now / 1_000_000;
                    let order = OrderRecord::liquidation(id, report.account, terms, time_ms);
                    self.records.add(order);
                }
                if let Some(order) = self.records.get_mut(id) {
                    order.terms.qty = report.left;
                    let order = order.clone();
                    self.events.push(UserEvent { order, kind: UserEventKind::New });
                }
            }
            ReportKind::Cancelled(reason) => {
                if let Some(order) = self.records.get_mut(id) {
                    order.ended = Some(reason);
                }
                let (status, kind) = ended(reason);
                self.end(id, status, now, kind);
            }
            ReportKind::TriggerRejected(_) => {
                // Its trigger came to nothing: the end is all there is to tell.
                let is_of = |one: &mut UserEvent| one.is_trigger() && one.order.id == id;
                self.events.pop_if(is_of);
                self.end(id, Status::Expired, now, UserEventKind::Expired);
            }
            ReportKind::Amended { .. } => {
                if let Some(order) = self.records.get_mut(id) {
                    order.terms.qty = order.filled + report.left;
                    if order.is_armed {
                        order.terms.trigger = report.held_at;
                    } else {
                        order.terms.price = report.held_at;
                    }
                    order.update_ms = now / 1_000_000;
                    let order = order.clone();
                    self.events.push(UserEvent { order, kind: UserEventKind::Amended });
                }
            }
            ReportKind::Triggered => {
                if let Some(order) = self.records.get_mut(id) {
                    order.is_armed = false;
                    order.update_ms = now / 1_000_000;
                    let order = order.clone();
                    self.events.push(UserEvent { order, kind: UserEventKind::Triggered });
                }
            }
            ReportKind::Rested => {}
        }
    }

    fn liquidation(&mut self, account: AccountId, _: InstrumentId) {
        self.liquidated = Some(account);
    }

    fn funding(&mut self, account: AccountId, instrument: InstrumentId, received: Money) {
        self.funded.push((account, instrument, received));
    }
}

/// The terms of an order with another price, where its type has one to change, and quantity.
fn changed(before: &OrderTerms, (price, qty): (Ticks, Lots)) -> OrderTerms {
    let mut terms = OrderTerms { qty, ..*before };
    match terms.order_type {
        OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg => terms.price = price,
        OrderType::Stop | OrderType::TakeProfit => terms.trigger = price,
        _ => {}
    }
    terms
}

fn ended(reason: CancelReason) -> (Status, UserEventKind) {
    match reason {
        CancelReason::Requested | CancelReason::Oco => (Status::Canceled, UserEventKind::Canceled),
        CancelReason::SelfTrade => (Status::ExpiredInMatch, UserEventKind::Expired),
        _ => (Status::Expired, UserEventKind::Expired),
    }
}

fn record_of(id: OrderId, asked: Placement, now: TimeNs) -> OrderRecord {
    let waits = asked.terms.trigger.0 != 0 || asked.terms.offset.0 != 0;
    let client_id =
        if asked.client_id.is_empty() { format!("simulator-{}", id.0) } else { asked.client_id };
    OrderRecord {
        id,
        client_id,
        account: asked.account,
        symbol: asked.symbol,
        terms: asked.terms,
        type_name: asked.type_name,
        time_in_force: asked.time_in_force,
        self_trade: asked.self_trade.0,
        working_type: asked.working_type.0,
        chain: asked.chain,
        status: Status::New,
        ended: None,
        is_armed: waits,
        filled: Lots(0),
        quote: 0,
        time_ms: now / 1_000_000,
        update_ms: now / 1_000_000,
    }
}

/// Time in force by the venue's name.
#[must_use]
pub fn time_in_force(name: &str) -> Option<(&'static str, TimeInForce)> {
    Some(match name {
        "GTC" => ("GTC", TimeInForce::Gtc),
        "IOC" => ("IOC", TimeInForce::Ioc),
        "FOK" => ("FOK", TimeInForce::Fok),
        "GTX" => ("GTX", TimeInForce::Gtc),
        "GTD" => ("GTD", TimeInForce::Gtd),
        _ => return None,
    })
}
