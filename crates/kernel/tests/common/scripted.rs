//! One scripted strategy in a market at one price, in a session whose venue answers at once.
#![allow(dead_code)]

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::{InstrumentKind, PriceGrid};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Decimal, Instrument, InstrumentId, Lots, Result, Side, Ticks, TimeNs, VenueEvent,
};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::session::{
    Command, ForeignOrders, Image, Patience, Raw, Report, Request, Session, SessionConfig,
};
use mainspring_kernel::view::View;
use mainspring_sim::{SimConfig, SimMarket};

use super::Memory;

pub const S: i64 = 1_000_000_000;

pub fn instrument() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "sim".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(Decimal::ONE)],
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

/// A book of 1,000 lots a side, one tick around a price.
pub fn book(at: TimeNs, price: i64) -> Vec<MarketRow> {
    let row = |kind: RowKind, flag: u8, price: i64| MarketRow {
        recv_ns: at,
        exch_ns: at,
        qty_lots: 1_000,
        price_offset: price as i32,
        kind: kind as u8,
        flags: flag,
        instrument: 0,
    };
    vec![
        row(RowKind::Clear, 0, 0),
        row(RowKind::Depth, 0, price - 1),
        row(RowKind::Depth, flags::ASK | flags::END_OF_MESSAGE, price + 1),
    ]
}

pub type Script = Box<dyn FnMut(&mut View<'_>) -> Result<()> + Send>;

pub struct Scripted(pub Script);

impl Host for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        (self.0)(view).map_err(Into::into)
    }
}

/// A session of one scripted strategy with a venue outside that answers at once.
pub struct World {
    pub session: Session,
    pub venue: SimMarket,
    pub memory: Memory,
    trade_id: u64,
    pub now: TimeNs,
}

pub fn session(run: &str, script: Script) -> Session {
    let config = format!(r#"{{"run":{{"deposits":[["USDT","10000"]],{run}}}}}"#);
    let config: SessionConfig = serde_json::from_str(&config).unwrap();
    Session::new(config, vec![instrument()], vec![Box::new(Scripted(script))]).unwrap()
}

impl World {
    pub fn new(run: &str, script: Script) -> Self {
        let memory = Memory::default();
        let mut session = session(run, script);
        session.lead(Box::new(memory.clone()));
        session.start(S, b"{}").unwrap();
        let venue = SimMarket::new(InstrumentId(0), &instrument(), &SimConfig::default()).unwrap();
        Self { session, venue, memory, trade_id: 0, now: S }
    }

    /// One second on, with the market at a price; then a second of silence.
    pub fn step(&mut self, price: i64) {
        self.now += S;
        let rows = book(self.now, price);
        self.venue.on_rows(&rows, Ticks(0), self.now, &mut vec![]);
        self.session.market(InstrumentId(0), Ticks(0), &rows).unwrap();
        self.exchange();
        // The sample that is due then sees this price.
        self.session.advance(self.now + S).unwrap();
        self.exchange();
    }

    /// As [`Self::step`], with a trade at the price.
    pub fn trade(&mut self, price: i64) {
        self.now += S;
        let mut rows = book(self.now, price);
        rows[2].flags &= !flags::END_OF_MESSAGE;
        let (kind, flags) = (RowKind::Trade as u8, flags::END_OF_MESSAGE);
        rows.push(MarketRow { kind, flags, price_offset: price as i32, qty_lots: 1, ..rows[1] });
        let mut out = vec![];
        self.venue.on_rows(&rows, Ticks(0), self.now, &mut out);
        self.session.market(InstrumentId(0), Ticks(0), &rows).unwrap();
        self.tell(out);
        self.exchange();
    }

    pub fn command(&mut self, command: &Command) {
        self.session.command(self.now, command).unwrap();
        self.exchange();
    }

    pub fn exchange(&mut self) {
        loop {
            let (mut requests, mut out) = (vec![], vec![]);
            self.session.take_requests(&mut requests);
            for request in requests {
                if let Request::Order(request) = request {
                    self.venue.on_request(&request, self.now, &mut out);
                }
            }
            if out.is_empty() {
                return;
            }
            self.tell(out);
        }
    }

    fn tell(&mut self, said: Vec<VenueEvent>) {
        for event in said {
            self.trade_id += 1;
            let event = VenueEvent { recv_ns: self.now, ..event };
            let report = Report { event, trade_id: self.trade_id, fee: None, filled: None };
            self.session.report(&report).unwrap();
        }
    }

    /// From now on trading halts where a venue behaves as it must not.
    pub fn halt_on_venue_issues(&mut self) {
        let patience = Patience { halt_on_venue_issue: true, ..Patience::default() };
        let (foreign, started_with) = (ForeignOrders::Report, serde_json::Value::Null);
        self.command(&Command::SetWaits { patience, foreign, started_with });
    }

    pub fn position(&self) -> i64 {
        self.session.ledger().net(InstrumentId(0)).map_or(0, |held| held.lots.0)
    }

    /// Follows the whole journal, and the rest of it from a snapshot: both end where the leader is.
    pub fn check_followers(&self, run: &str, snapshot: &Image) {
        let idle = || session(run, Box::new(|_| Ok(())));
        let (mut whole, mut rest) = (idle(), idle());
        rest.restore(snapshot).unwrap();
        for (index, kept) in self.memory.records().iter().enumerate() {
            let raw = Raw {
                kind: kept.kind,
                sequence: index as u64 + 1,
                time_ns: kept.time_ns,
                cause: kept.cause,
                payload: &kept.payload,
            };
            whole.follow(&raw).unwrap();
            if raw.sequence > snapshot.sequence {
                rest.follow(&raw).unwrap();
            }
        }
        assert_eq!(whole.image(), self.session.image());
        assert_eq!(rest.image(), self.session.image());
    }
}

pub fn market(side: Side, qty: i64) -> OrderTerms {
    OrderTerms::market(InstrumentId(0), side, Lots(qty))
}

/// Buys so many lots at the market when its first book comes.
pub fn buy_once(qty: i64) -> Script {
    let mut done = false;
    Box::new(move |view| {
        if !std::mem::replace(&mut done, true) {
            view.place(market(Side::Buy, qty))?;
        }
        Ok(())
    })
}
