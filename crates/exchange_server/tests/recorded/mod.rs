//! Recordings to play, an exchange that plays them, and a book of plain maps beside it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use mainspring_core::event::{flags, RowKind};
use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{Instrument, InstrumentId, Money, Ticks, TimeNs};
use mainspring_data::{ClockState, EventWriter, Provenance, Schema};
use mainspring_exchange::recorded::{without_rules, Level as Traded};
use mainspring_exchange::{
    AccountId, Exchange, Listener, MarketConfig, NewOrder, OrderId, OrderReport, TradeReport,
};
use mainspring_exchange_server::recording::{HouseRecording, Pace, Recording};
use mainspring_sim::flow::{Flow, FlowConfig, Level};
use mainspring_sim::QueueModel;
use mainspring_trading::ledger::FillEffect;

pub const MARKET: InstrumentId = InstrumentId(0);
pub const OPENED: TimeNs = 1_900_000_000_000_000_000;
pub const AT_PACE: Pace = Pace { opened_ns: OPENED, warm_up_ns: 0, speed: 1.0, looped: false };

/// A row of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub time: TimeNs,
    pub kind: RowKind,
    pub bits: u8,
    pub price: i64,
    pub qty: i64,
    pub id: u64,
}

/// A message of one row, so many milliseconds after the start.
pub fn row(ms: i64, kind: RowKind, side: Side, price: i64, qty: i64) -> Row {
    let bits = flags::END_OF_MESSAGE | if side == Side::Sell { flags::ASK } else { 0 };
    Row { time: 1_700_000_000_000_000_000 + ms * 1_000_000, kind, bits, price, qty, id: 0 }
}

/// The same about an order.
pub fn order_row(ms: i64, kind: RowKind, side: Side, price: i64, qty: i64, id: u64) -> Row {
    Row { id, ..row(ms, kind, side, price, qty) }
}

pub fn instrument() -> Instrument {
    FlowConfig::of_presets(&["btcusdt"], 1.0, 1, Level::Depth).unwrap().instruments().remove(0)
}

pub fn generated(level: Level, seed: u64, hours: f64) -> Vec<Row> {
    let flow = Flow::new(&FlowConfig::of_presets(&["btcusdt"], hours, seed, level).unwrap());
    let row = |row: mainspring_sim::flow::FlowRow| Row {
        time: row.exch_ns,
        kind: row.kind,
        bits: row.flags,
        price: row.price.0,
        qty: row.qty,
        id: row.order_id,
    };
    flow.unwrap().map(row).collect()
}

/// Writes rows down as an event file that is gone with the returned guard.
pub struct File(pub PathBuf);

impl File {
    pub fn of(rows: &[Row], by_order: bool, instrument: &Instrument) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainspring-served-{}-{number}.mse", std::process::id());
        let path = std::env::temp_dir().join(name);
        let schema = if by_order { Schema::Order } else { Schema::Market };
        let origin = Provenance::new("test", ClockState::Trusted);
        let mut out = EventWriter::create(&path, schema, vec![instrument.clone()], origin).unwrap();
        for row in rows {
            let (time, price) = (row.time, Ticks(row.price));
            if by_order {
                out.push_order(time, time, row.kind, row.bits, 0, price, row.qty, row.id).unwrap();
            } else {
                out.push_market(time, time, row.kind, row.bits, 0, price, row.qty).unwrap();
            }
        }
        out.finish().unwrap();
        Self(path)
    }

    pub fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What was told: public trades, and fills by order.
#[derive(Debug, Default)]
pub struct Heard {
    /// The taker's side, price, lots.
    pub prints: Vec<(Side, i64, i64)>,
    pub numbers: Vec<u64>,
    pub fills: Vec<(OrderId, i64, i64, bool)>,
}

impl Listener for Heard {
    fn trade(&mut self, trade: &TradeReport, _: &FillEffect, _: &FillEffect) {
        let (price, qty) = (trade.price.0, trade.qty.0);
        self.numbers.push(trade.trade);
        self.prints.push((trade.taker_side, price, qty));
        self.fills.push((trade.maker.order, price, qty, true));
        self.fills.push((trade.taker.order, price, qty, false));
    }

    fn order(&mut self, _: &OrderReport) {}

    fn outside(&mut self, _: InstrumentId, trade: u64, (side, price, qty): Traded, _: TimeNs) {
        self.numbers.push(trade);
        self.prints.push((side, price.0, qty.0));
    }
}

/// An exchange whose only market is a recording, and one member.
pub struct Served {
    pub exchange: Exchange,
    pub house: HouseRecording,
    pub heard: Heard,
    pub member: AccountId,
    _file: File,
}

impl Served {
    pub fn of(rows: &[Row], by_order: bool, pace: Pace) -> Self {
        Self::with_model(rows, by_order, pace, QueueModel::default())
    }

    pub fn with_model(rows: &[Row], by_order: bool, pace: Pace, model: QueueModel) -> Self {
        let instrument = instrument();
        let file = File::of(rows, by_order, &instrument);
        let recording = Recording::open(&[file.path()]).unwrap();
        let open = without_rules(&instrument);
        let mut exchange =
            Exchange::new(std::slice::from_ref(&open), MarketConfig::default()).unwrap();
        let listed = [(MARKET, instrument)];
        let house = HouseRecording::new(&mut exchange, &recording, &listed, model, pace).unwrap();
        let deposit = ("USDT".to_owned(), "1000000000".parse().unwrap());
        let member = exchange.open_account(&[deposit]).unwrap();
        Self { exchange, house, heard: Heard::default(), member, _file: file }
    }

    /// Plays the next message. Returns whether there was one.
    pub fn step(&mut self) -> bool {
        let Self { exchange, house, heard, .. } = self;
        house.advance(exchange, TimeNs::MAX, 1, heard) > 0
    }

    pub fn steps(&mut self, count: usize) {
        (0..count).for_each(|_| assert!(self.step()));
    }

    pub fn send(&mut self, terms: OrderTerms) -> OrderId {
        let id = self.exchange.next_order_id();
        let order = NewOrder::new(id, self.member, terms);
        self.exchange.submit(order, OPENED, &mut self.heard).unwrap();
        id
    }

    pub fn cancel(&mut self, id: OrderId) {
        self.exchange.cancel(MARKET, id, self.member, OPENED, &mut self.heard).unwrap();
    }

    pub fn left(&self, id: OrderId) -> i64 {
        self.exchange.order(MARKET, id).map_or(0, |open| open.left().0)
    }

    /// Lots and price of an order's fills.
    pub fn fills(&self, id: OrderId) -> Vec<(i64, i64, bool)> {
        let of = self.heard.fills.iter().filter(|fill| fill.0 == id);
        of.map(|(_, price, qty, maker)| (*price, *qty, *maker)).collect()
    }

    pub fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let levels = self.exchange.markets()[0].levels();
        levels.levels(side).map(|(price, qty)| (price.0, qty.0)).collect()
    }

    /// Lots of the recording that stand in front of an order.
    pub fn ahead(&self, id: OrderId) -> i64 {
        self.exchange.markets()[0].orders().qty_ahead(id.0).unwrap().0
    }

    /// Nobody has what another did not give: positions, and money with fees and realised profit.
    pub fn assert_conserved(&self) {
        let accounts = self.exchange.accounts();
        let lots: i64 = accounts.ids().map(|id| accounts.position(id, MARKET).0).sum();
        assert_eq!(lots, 0);
        assert_eq!(accounts.faults(), 0);
        let mut all = Money::ZERO;
        for id in accounts.ids() {
            let ledger = accounts.ledger(id).unwrap();
            let held = ledger.position(0, MARKET).unwrap();
            all = all + accounts.balance(id, "USDT").wallet + held.fees - held.realised;
        }
        assert_eq!(all, Money(1_000_000_000 * 10_i128.pow(18)));
    }
}

/// A book as anybody would keep one, and the trades that were told.
#[derive(Default)]
pub struct Plain {
    orders: HashMap<u64, (Side, i64, i64)>,
    sides: [BTreeMap<i64, i64>; 2],
    pub trades: Vec<(Side, i64, i64)>,
}

impl Plain {
    pub fn apply(&mut self, row: &Row) {
        let side = if row.bits & flags::ASK == 0 { Side::Buy } else { Side::Sell };
        match row.kind {
            RowKind::Clear => {
                *self = Self { trades: std::mem::take(&mut self.trades), ..Self::default() }
            }
            RowKind::Depth => self.set(side, row.price, row.qty),
            RowKind::Trade => self.trades.push((side, row.price, row.qty)),
            RowKind::OrderAdd => {
                self.orders.insert(row.id, (side, row.price, row.qty));
                self.shift(side, row.price, row.qty);
            }
            RowKind::OrderDelete => {
                let (side, price, qty) = self.orders.remove(&row.id).unwrap();
                self.shift(side, price, -qty);
            }
            RowKind::OrderExecute => {
                let order = self.orders.get_mut(&row.id).unwrap();
                order.2 -= row.qty;
                let (side, price, left) = *order;
                if left == 0 {
                    self.orders.remove(&row.id);
                }
                self.trades.push((side.opposite(), price, row.qty));
                self.shift(side, price, -row.qty);
            }
            _ => {}
        }
    }

    fn shift(&mut self, side: Side, price: i64, by: i64) {
        let there = self.sides[side as usize].get(&price).copied().unwrap_or(0);
        self.set(side, price, there + by);
    }

    fn set(&mut self, side: Side, price: i64, qty: i64) {
        if qty == 0 {
            self.sides[side as usize].remove(&price);
        } else {
            self.sides[side as usize].insert(price, qty);
        }
    }

    pub fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let levels = self.sides[side as usize].iter().map(|(price, qty)| (*price, *qty));
        if side == Side::Buy {
            levels.rev().collect()
        } else {
            levels.collect()
        }
    }
}
