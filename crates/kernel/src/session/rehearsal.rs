//! A session with a synthetic market and a simulated venue outside: for drills and measurements that
//! need a journal like a real one.

use std::collections::BTreeMap;

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Answer, ClientOrderId, Decimal, Error, ErrorKind, Instrument, InstrumentId, Lots, OpenOrder,
    PriceGrid, Report, Request, Result, Ticks, TimeNs, VenueEvent, VenueEventKind,
    VenueRequestKind,
};
use mainspring_sim::{SimConfig, SimMarket};

use crate::host::{BookTrigger, Host};
use crate::native::NativeConfig;

use super::{Session, SessionConfig};

const MS: i64 = 1_000_000;
/// Logical time of the first step.
const BEGIN_NS: TimeNs = 1_700_000_000_000_000_000;
/// Logical time between two steps.
const STEP_NS: i64 = 10 * MS;
/// Levels of each side in a message.
const LEVELS: i64 = 5;

/// Something that the session has made safe: it may not be lost any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A request about this order left for the venue.
    Sent(ClientOrderId),
    /// The session took this fill.
    Filled {
        /// Of which order.
        order: ClientOrderId,
        /// The venue's id of it.
        trade_id: u64,
    },
}

/// What the venue knows of an order.
#[derive(Clone, Copy, Debug)]
struct Known {
    terms: OrderTerms,
    filled: Lots,
    ended: bool,
}

/// The session, its venue, and the market between them.
pub struct Rehearsal {
    /// The session.
    pub session: Session,
    venue: SimMarket,
    known: BTreeMap<u64, Known>,
    position: Lots,
    said: Vec<VenueEvent>,
    requests: Vec<Request>,
    step: i64,
    trade_id: u64,
}

/// What a session is made of.
pub type Parts = (SessionConfig, Vec<Instrument>, Vec<Box<dyn Host>>);

/// Configuration, instruments and strategies of the session.
///
/// # Errors
/// Never in a sound build.
pub fn parts() -> Result<Parts> {
    let config = read(r#"{"run":{"deposits":[["USDT","100000"]],"features":["imbalance"]}}"#)?;
    let native: NativeConfig =
        read(r#"{"kind":"touch_maker","size":"0.003","max_position":"0.05"}"#)?;
    Ok((config, vec![instrument()?], vec![native.build(BookTrigger::Best)?]))
}

/// A session made of [`parts`].
///
/// # Errors
/// As [`parts`].
pub fn session() -> Result<Session> {
    let (config, instruments, strategies) = parts()?;
    Session::new(config, instruments, strategies)
}

impl Rehearsal {
    /// Puts a session that leads on the market, at the moment that it has reached.
    ///
    /// # Errors
    /// When the session fails.
    pub fn new(session: Session) -> Result<Self> {
        let instrument = instrument()?;
        let venue = SimMarket::new(InstrumentId(0), &instrument, &SimConfig::default())?;
        let step = (session.now_ns() - BEGIN_NS).max(0) / STEP_NS + 1;
        let position = session.ledger().net(InstrumentId(0)).map_or(Lots::ZERO, |p| p.lots);
        let mut rehearsal = Self {
            session,
            venue,
            known: BTreeMap::new(),
            position,
            said: Vec::new(),
            requests: Vec::new(),
            step,
            // Ids of fills are never given twice, also not by the venue of another life.
            trade_id: step as u64 * 1_000,
        };
        let now_ns = BEGIN_NS + step * STEP_NS;
        rehearsal.session.link(now_ns, 0, true)?;
        Ok(rehearsal)
    }

    /// Logical time of the beginning, for the start of a session.
    #[must_use]
    pub const fn begin_ns() -> TimeNs {
        BEGIN_NS
    }

    /// One market message, and everything that follows from it until all are silent. `tell` hears
    /// what is safe, as soon as it is.
    ///
    /// # Errors
    /// When the session fails.
    pub fn step(&mut self, tell: &mut dyn FnMut(Told)) -> Result<()> {
        self.step += 1;
        let rows = message(self.step);
        for row in &rows {
            self.venue.on_row(row, Ticks(0), row.exch_ns, &mut self.said);
        }
        let now_ns = rows[0].recv_ns;
        self.session.market(InstrumentId(0), Ticks(0), &rows)?;
        self.exchange(now_ns, tell)?;
        self.session.advance(now_ns + 5 * MS)?;
        self.exchange(now_ns + 5 * MS, tell)
    }

    fn exchange(&mut self, now_ns: TimeNs, tell: &mut dyn FnMut(Told)) -> Result<()> {
        loop {
            let mut requests = std::mem::take(&mut self.requests);
            self.session.take_requests(&mut requests);
            let silent = requests.is_empty() && self.said.is_empty();
            for request in requests.drain(..) {
                self.ask(request, now_ns, tell)?;
            }
            self.requests = requests;
            for event in std::mem::take(&mut self.said) {
                self.hear(event, now_ns + MS, tell)?;
            }
            if silent {
                return Ok(());
            }
        }
    }

    fn ask(&mut self, request: Request, now_ns: TimeNs, tell: &mut dyn FnMut(Told)) -> Result<()> {
        match request {
            Request::Order(request) => {
                tell(Told::Sent(request.order));
                if let VenueRequestKind::New(terms) = request.kind {
                    let known = Known { terms, filled: Lots::ZERO, ended: false };
                    self.known.insert(request.order.0, known);
                }
                self.venue.on_request(&request, now_ns, &mut self.said);
                Ok(())
            }
            Request::OrderQuery { order, .. } => {
                let answer = match self.known.get(&order.0) {
                    None => Answer::NotFound,
                    Some(known) if known.ended => Answer::Cancelled { filled: known.filled },
                    Some(known) => Answer::Working { filled: known.filled },
                };
                self.session.answer(now_ns + MS, order, answer)
            }
            Request::AccountQuery { venue, .. } => {
                let open: Vec<OpenOrder> = self.open_orders().collect();
                self.session.open_orders(now_ns + MS, venue, now_ns, &open)?;
                let positions = [(InstrumentId(0), self.position)];
                self.session.positions(now_ns + MS, venue, now_ns, &positions)
            }
            _ => Ok(()),
        }
    }

    fn open_orders(&self) -> impl Iterator<Item = OpenOrder> + '_ {
        self.known.iter().filter(|(_, known)| !known.ended).map(|(id, known)| OpenOrder {
            order: ClientOrderId(*id),
            venue_order: *id,
            instrument: known.terms.instrument,
            side: known.terms.side,
            price: known.terms.price,
            qty: known.terms.qty,
            filled: known.filled,
        })
    }

    fn hear(
        &mut self,
        event: VenueEvent,
        recv_ns: TimeNs,
        tell: &mut dyn FnMut(Told),
    ) -> Result<()> {
        let mut report = Report::plain(VenueEvent { recv_ns, ..event });
        let order = event.order;
        if let Some(known) = self.known.get_mut(&order.0) {
            match event.kind {
                VenueEventKind::Filled { qty, .. } => {
                    known.filled += qty;
                    known.ended |= known.filled >= known.terms.qty;
                    self.position += Lots(known.terms.side.sign() * qty.0);
                    self.trade_id += 1;
                    report.trade_id = self.trade_id;
                }
                VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => known.ended = true,
                _ => {}
            }
        }
        self.session.report(&report)?;
        if report.trade_id != 0 {
            tell(Told::Filled { order, trade_id: report.trade_id });
        }
        // Orders that ended are not asked about for long.
        if self.known.len() > 1_024 {
            self.known.retain(|_, known| !known.ended);
        }
        Ok(())
    }
}

/// Message number `n`: a book that walks by a tick now and then, and a trade at the touch.
#[must_use]
pub fn message(n: i64) -> Vec<MarketRow> {
    let exch_ns = BEGIN_NS + n * STEP_NS;
    let row = |kind: RowKind, ask: bool, price: i64, qty: i64| MarketRow {
        recv_ns: exch_ns + MS,
        exch_ns,
        qty_lots: qty,
        price_offset: price as i32,
        kind: kind as u8,
        flags: if ask { flags::ASK } else { 0 },
        instrument: 0,
    };
    let bid = 1_000 + (n / 7) % 2;
    let mut rows = vec![row(RowKind::Depth, true, bid, 0), row(RowKind::Depth, false, bid + 1, 0)];
    for level in 0..LEVELS {
        rows.push(row(RowKind::Depth, false, bid - level, 10 + (n + level) % 5));
        rows.push(row(RowKind::Depth, true, bid + 1 + level, 12 + (n + level) % 3));
    }
    let seller = n % 2 == 0;
    let price = if seller { bid } else { bid + 1 };
    let mut trade = row(RowKind::Trade, seller, price, 1 + n % 20);
    trade.flags |= flags::END_OF_MESSAGE;
    rows.push(trade);
    rows
}

fn instrument() -> Result<Instrument> {
    Ok(Instrument {
        symbol: "BTCUSDT".into(),
        venue: "rehearsal".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(Decimal::new(1, 1)?)],
        lot: Decimal::new(1, 3)?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::new(1, 4)?,
        taker_fee: Decimal::new(5, 4)?,
        margin_tiers: vec![],
    })
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
}
