//! The built-in venue: generated order flow in real time, and our orders filled by the venue model
//! of a backtest.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::Duration;

use mainspring_core::event::{flags, MarketRow};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, Error, ErrorKind, Instrument, InstrumentId, Lots,
    OpenOrder, Report, Request, Result, Side, Ticks, TimeNs, VenueEvent, VenueEventKind,
    VenueRequest, VenueRequestKind,
};
use mainspring_sim::flow::{Flow, FlowConfig, FlowRow};
use mainspring_sim::{SimConfig, SimMarket};

use crate::feed::{snapshot_rows, MAX_SPEED};
use crate::link::{Desk, Link};
use crate::message::Account;

/// Between two looks when nothing is due.
const NAP: Duration = Duration::from_micros(100);

/// Ended orders that questions are still answered about.
const REMEMBERED: usize = 65_536;

/// Fills that questions are still answered about.
const REMEMBERED_FILLS: usize = 65_536;

/// How the built-in venue behaves.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// The generated flow; its markets are the instruments.
    pub flow: FlowConfig,
    /// Fill rules, as in a backtest.
    pub sim: SimConfig,
    /// From a request's sending to its arrival.
    pub entry_ns: i64,
    /// From a statement to our hearing of it.
    pub response_ns: i64,
    /// From a row to our hearing of it.
    pub feed_ns: i64,
    /// How much faster than in reality the generated market goes.
    pub speed: f64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    instrument: InstrumentId,
    side: Side,
    price: Ticks,
    qty: Lots,
    filled: Lots,
    end: Option<VenueEventKind>,
}

/// Something that reaches us at a time.
enum Outgoing {
    Rows { instrument: InstrumentId, base: Ticks, rows: Vec<MarketRow> },
    Report(Report),
    Answer(ClientOrderId, Answer),
    Account(Account),
}

/// The built-in venue as a link.
pub struct Exchange {
    name: String,
    instruments: Vec<Instrument>,
    config: ExchangeConfig,
    markets: Vec<SimMarket>,
    flow: Flow,
    next: Option<FlowRow>,
    orders: BTreeMap<ClientOrderId, Known>,
    ended: VecDeque<ClientOrderId>,
    fills: VecDeque<Report>,
    next_trade: u64,
    /// Time of the generator at the link's beginning.
    flow_begin_ns: TimeNs,
    begin_ns: TimeNs,
    arriving: VecDeque<(TimeNs, Request)>,
    leaving: VecDeque<(TimeNs, Outgoing)>,
    told: VecDeque<(TimeNs, Outgoing)>,
    snapshot_wanted: Vec<bool>,
    out: Vec<VenueEvent>,
    adopted: Vec<OpenOrder>,
}

impl Exchange {
    /// A venue over generated flow.
    ///
    /// # Errors
    /// When the flow or the fill rules cannot be used.
    pub fn new(config: ExchangeConfig) -> Result<Self> {
        let instruments = config.flow.instruments();
        let first = instruments.first().ok_or_else(|| {
            Error::new(ErrorKind::Config, "a venue needs at least one market".to_owned())
        })?;
        if !(config.speed > 0.0 && config.speed <= MAX_SPEED) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a speed of {}: give more than 0 and at most {MAX_SPEED}", config.speed),
            ));
        }
        let markets = (0_u16..)
            .zip(&instruments)
            .map(|(id, instrument)| SimMarket::new(InstrumentId(id), instrument, &config.sim))
            .collect::<Result<Vec<_>>>()?;
        let mut flow = Flow::new(&config.flow)?;
        let next = flow.next();
        Ok(Self {
            name: first.venue.clone(),
            flow_begin_ns: next.map_or(config.flow.start_ns, |row| row.exch_ns),
            snapshot_wanted: vec![false; instruments.len()],
            instruments,
            markets,
            flow,
            next,
            orders: BTreeMap::new(),
            ended: VecDeque::new(),
            fills: VecDeque::new(),
            next_trade: 1,
            begin_ns: 0,
            arriving: VecDeque::new(),
            leaving: VecDeque::new(),
            told: VecDeque::new(),
            out: Vec::new(),
            adopted: Vec::new(),
            config,
        })
    }

    /// The instruments that trade here.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// When a row of the flow happens.
    fn at_ns(&self, row: &FlowRow) -> TimeNs {
        self.begin_ns + ((row.exch_ns - self.flow_begin_ns) as f64 / self.config.speed) as TimeNs
    }

    /// The generator's rows up to now pass the markets, a message at a time.
    fn move_markets(&mut self, now_ns: TimeNs) -> bool {
        let mut moved = false;
        while let Some(first) = self.next.filter(|row| self.at_ns(row) <= now_ns) {
            self.message(&first);
            moved = true;
        }
        moved
    }

    fn message(&mut self, first: &FlowRow) {
        let at_ns = self.at_ns(first);
        let instrument = InstrumentId(first.instrument);
        let base = first.price;
        let mut rows = Vec::with_capacity(8);
        while let Some(row) = self.next {
            rows.push(market_row(&row, base, at_ns));
            self.next = self.flow.next();
            if row.flags & flags::END_OF_MESSAGE != 0 {
                break;
            }
        }
        for row in &rows {
            let market = &mut self.markets[instrument.index()];
            market.on_row(row, base, at_ns, &mut self.out);
            self.say(at_ns);
        }
        let outgoing = Outgoing::Rows { instrument, base, rows };
        self.leaving.push_back((at_ns + self.config.feed_ns, outgoing));
    }

    /// What the markets said goes on its way.
    fn say(&mut self, now_ns: TimeNs) {
        let mut events = std::mem::take(&mut self.out);
        for event in events.drain(..) {
            let report = self.note(event);
            self.told.push_back((now_ns + self.config.response_ns, Outgoing::Report(report)));
        }
        self.out = events;
    }

    fn note(&mut self, event: VenueEvent) -> Report {
        let mut report = Report::plain(event);
        let Some(known) = self.orders.get_mut(&event.order) else { return report };
        match event.kind {
            VenueEventKind::Filled { qty, .. } => {
                known.filled += qty;
                if known.filled >= known.qty {
                    known.end = Some(event.kind);
                }
                report.trade_id = self.next_trade;
                self.next_trade += 1;
                if self.fills.len() == REMEMBERED_FILLS {
                    self.fills.pop_front();
                }
                self.fills.push_back(report);
            }
            VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => {
                known.end = Some(event.kind);
                report.filled = Some(known.filled);
            }
            VenueEventKind::Amended { price, qty } => (known.price, known.qty) = (price, qty),
            _ => {}
        }
        if known.end.is_some() {
            self.remember_ended(event.order);
        }
        report
    }

    fn remember_ended(&mut self, order: ClientOrderId) {
        self.ended.push_back(order);
        if self.ended.len() > REMEMBERED {
            if let Some(oldest) = self.ended.pop_front() {
                self.orders.remove(&oldest);
            }
        }
    }

    /// Requests that arrived by now.
    fn serve(&mut self, now_ns: TimeNs) -> bool {
        let mut served = false;
        while self.arriving.front().is_some_and(|(at_ns, _)| *at_ns <= now_ns) {
            let Some((at_ns, request)) = self.arriving.pop_front() else { break };
            self.serve_one(&request, at_ns);
            served = true;
        }
        served
    }

    fn serve_one(&mut self, request: &Request, at_ns: TimeNs) {
        let back_ns = at_ns + self.config.response_ns;
        match request {
            Request::Order(request) => self.on_order(request, at_ns),
            Request::OrderQuery { order, .. } => {
                let answer = Outgoing::Answer(*order, self.answer(*order));
                self.told.push_back((back_ns, answer));
            }
            Request::AccountQuery { since_ns, .. } => {
                let account = Outgoing::Account(self.account(*since_ns, at_ns));
                self.told.push_back((back_ns, account));
            }
            Request::ForeignCancel { .. }
            | Request::ForeignAmend { .. }
            | Request::ForeignAdopted { .. } => {}
        }
    }

    fn on_order(&mut self, request: &VenueRequest, at_ns: TimeNs) {
        if let VenueRequestKind::New(terms) = request.kind {
            self.orders.entry(request.order).or_insert(Known {
                instrument: terms.instrument,
                side: terms.side,
                price: terms.price,
                qty: terms.qty,
                filled: Lots::ZERO,
                end: None,
            });
        }
        let market = &mut self.markets[request.kind.instrument().index()];
        market.on_request(request, at_ns, &mut self.out);
        self.say(at_ns);
    }

    fn answer(&self, order: ClientOrderId) -> Answer {
        let Some(known) = self.orders.get(&order) else { return Answer::NotFound };
        let filled = known.filled;
        match known.end {
            None => Answer::Working { filled },
            Some(VenueEventKind::Filled { .. }) => Answer::Filled { filled },
            Some(VenueEventKind::Rejected(_)) => Answer::Rejected,
            Some(VenueEventKind::Cancelled(CancelReason::Expired)) => Answer::Expired { filled },
            Some(_) => Answer::Cancelled { filled },
        }
    }

    fn account(&self, since_ns: TimeNs, as_of_ns: TimeNs) -> Account {
        let open = self.orders.iter().filter(|(_, known)| known.end.is_none());
        Account {
            as_of_ns: as_of_ns - self.config.entry_ns,
            fills: self.fills.iter().filter(|f| f.event.exch_ns >= since_ns).copied().collect(),
            foreign: Vec::new(),
            booked: Vec::new(),
            open: open
                .map(|(order, known)| OpenOrder {
                    order: *order,
                    venue_order: order.0,
                    instrument: known.instrument,
                    side: known.side,
                    price: known.price,
                    qty: known.qty,
                    filled: known.filled,
                })
                .collect(),
            positions: (0_u16..)
                .map(InstrumentId)
                .zip(&self.markets)
                .map(|(id, market)| (id, market.position()))
                .collect(),
        }
    }

    /// What is due reaches the kernel.
    fn deliver(&mut self, desk: &mut Desk, now_ns: TimeNs) -> bool {
        let mut delivered = false;
        for index in 0..2 {
            loop {
                let queue = if index == 0 { &mut self.leaving } else { &mut self.told };
                if queue.front().is_none_or(|(at_ns, _)| *at_ns > now_ns) {
                    break;
                }
                let Some((_, item)) = queue.pop_front() else { break };
                self.deliver_one(desk, item);
                delivered = true;
            }
        }
        delivered
    }

    fn deliver_one(&mut self, desk: &mut Desk, item: Outgoing) {
        match item {
            Outgoing::Rows { instrument, base, rows } => {
                let index = instrument.index();
                if self.snapshot_wanted[index] {
                    // The snapshot already holds what these rows say.
                    self.snapshot_wanted[index] = !self.send_snapshot(desk, instrument);
                } else if !desk.market(instrument, base, &rows) {
                    self.snapshot_wanted[index] = true;
                }
            }
            Outgoing::Report(report) => {
                let complete = matches!(report.event.kind, VenueEventKind::Filled { .. })
                    && self.orders.get(&report.event.order).is_none_or(|known| known.end.is_some());
                desk.report(report);
                if complete {
                    desk.note_end(report.event.order);
                }
            }
            Outgoing::Answer(order, answer) => desk.answer(order, answer),
            Outgoing::Account(account) => desk.account(account),
        }
    }

    /// The whole book as one message; false when the kernel does not take it.
    fn send_snapshot(&self, desk: &mut Desk, instrument: InstrumentId) -> bool {
        let book = self.markets[instrument.index()].book();
        let (base, rows) = snapshot_rows(book, instrument, desk.now_ns());
        desk.market(instrument, base, &rows)
    }

    /// Orders that were open before this process are put at the back of their queues.
    fn take_up(&mut self, desk: &mut Desk) {
        let now_ns = desk.now_ns();
        for open in std::mem::take(&mut self.adopted) {
            let left = Lots(open.qty.0 - open.filled.0);
            if left.0 <= 0 {
                continue;
            }
            let terms = OrderTerms::limit(open.instrument, open.side, open.price, left);
            let kind = VenueRequestKind::New(terms);
            let request = VenueRequest { order: open.order, sent_ns: now_ns, kind };
            self.markets[open.instrument.index()].on_request(&request, now_ns, &mut self.out);
            self.orders.insert(
                open.order,
                Known {
                    instrument: open.instrument,
                    side: open.side,
                    price: open.price,
                    qty: open.qty,
                    filled: open.filled,
                    end: None,
                },
            );
            self.say(now_ns);
        }
    }
}

impl Link for Exchange {
    fn venue(&self) -> &str {
        &self.name
    }

    fn adopt(&mut self, account: &Account) {
        self.adopted.clone_from(&account.open);
        for (instrument, position) in &account.positions {
            self.markets[instrument.index()].set_position(*position);
        }
    }

    fn run(mut self: Box<Self>, mut desk: Desk) {
        self.begin_ns = desk.now_ns();
        // Trade ids of a new life do not repeat those of an old one.
        self.next_trade = (self.begin_ns / 1_000) as u64;
        desk.link(true);
        let first_ns = self.begin_ns;
        self.move_markets(first_ns);
        self.take_up(&mut desk);
        while !desk.must_end() {
            let mut worked = false;
            while let Some(request) = desk.next_request() {
                self.arriving.push_back((desk.now_ns() + self.config.entry_ns, request));
                worked = true;
            }
            let now_ns = desk.now_ns();
            worked |= self.move_markets(now_ns);
            worked |= self.serve(now_ns);
            worked |= self.deliver(&mut desk, now_ns);
            if !worked {
                thread::sleep(NAP);
            }
        }
        desk.link(false);
    }
}

fn market_row(row: &FlowRow, base: Ticks, at_ns: TimeNs) -> MarketRow {
    MarketRow {
        recv_ns: at_ns,
        exch_ns: at_ns,
        qty_lots: row.qty,
        price_offset: (row.price.0 - base.0) as i32,
        kind: row.kind as u8,
        flags: row.flags,
        instrument: row.instrument,
    }
}
