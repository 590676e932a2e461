//! A session against a venue outside: what the models would have filled of each order that was sent,
//! beside what the venue did.

use std::collections::BTreeMap;
use std::path::Path;

use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, Instrument, InstrumentId, Result, Side, Ticks, TimeNs,
    VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_journal::live::{Cursor, Folder, Item, Sources, Start};
use mainspring_journal::FillRecord;
use mainspring_sim::{LatencyModel, Leg, RequestKind, SimMarket};
use mainspring_trading::orders::OrderEvent;

use crate::config::RunConfig;
use crate::run::with_models;
use crate::session::disk::{parse_instruments, upgraded};
use crate::session::record::{self, Kind, MarketHead, NewOrder, Step};
use crate::session::SessionConfig;

/// What was filled of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// How much.
    pub lots: i64,
    /// Sum of price x quantity, in ticks x lots.
    pub value: i128,
    /// How much of it as maker.
    pub maker_lots: i64,
    /// When the first of it was matched; 0 for nothing.
    pub first_ns: TimeNs,
}

impl Filled {
    fn add(&mut self, price: i64, lots: i64, maker: bool, at_ns: TimeNs) {
        if self.lots == 0 {
            self.first_ns = at_ns;
        }
        self.lots += lots;
        self.value += i128::from(price) * i128::from(lots);
        self.maker_lots += if maker { lots } else { 0 };
    }
}

/// An order as the venue and as the models filled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFills {
    /// Which.
    pub order: ClientOrderId,
    /// Of which strategy.
    pub strategy: u16,
    /// Where.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// How much was asked for at first.
    pub lots: i64,
    /// When it was sent.
    pub sent_ns: TimeNs,
    /// By the venue.
    pub venue: Filled,
    /// By the models.
    pub model: Filled,
}

/// Requests on their way, by arrival.
type Requests = Vec<(TimeNs, InstrumentId, VenueRequest)>;

/// Runs the recorded requests of the session in `path` over its market data through the simulated
/// venue of `config`, or of the session's own configuration, and gives every order that was sent.
///
/// # Errors
/// When the journal's beginning is gone, or a record is damaged.
pub fn model_fills(
    path: &Path,
    config: Option<&RunConfig>,
) -> Result<(Vec<Instrument>, Vec<OrderFills>)> {
    let folder = Folder::open(path)?;
    let (sources, session) = first_sources(&folder)?;
    let instruments = parse_instruments(&sources)?;
    // Nothing is estimated by the matching engine: the usual model stands beside it.
    let config = with_models(&config.cloned().unwrap_or(session.run));
    let (mut orders, requests) = sent(&folder, &config, instruments.len())?;
    let mut model = Model::new(&instruments, &config, requests)?;
    each(&folder, |kind, _, payload| match kind {
        Kind::Market => model.rows(payload),
        Kind::Orders => model.order_rows(payload),
        _ => Ok(()),
    })?;
    model.finish();
    for (order, filled) in model.filled {
        if let Some(known) = orders.get_mut(&order.0) {
            known.model = filled;
        }
    }
    Ok((instruments, orders.into_values().collect()))
}

fn first_sources(folder: &Folder) -> Result<(Sources, SessionConfig)> {
    let mut cursor = Cursor::open(folder.clone(), Start::After(0))?;
    let first = matches!(cursor.read()?, Item::Record(_));
    let head = cursor.head().filter(|_| first).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "the journal has no beginning: nothing was recorded, or it was archived",
        )
    })?;
    let sources = Sources::load(folder, &head.sources)?;
    let config = serde_json::from_str(&sources.config).map_err(|e| {
        Error::new(ErrorKind::Mismatch, format!("the journal's configuration: {e}"))
    })?;
    Ok((sources, config))
}

/// Every record, in order.
fn each(folder: &Folder, mut take: impl FnMut(Kind, TimeNs, &[u8]) -> Result<()>) -> Result<()> {
    let mut cursor = Cursor::open(folder.clone(), Start::After(0))?;
    while let Item::Record(record) = cursor.read()? {
        let (kind, payload) = upgraded(&record)?;
        if let Some(kind) = Kind::from_code(kind) {
            take(kind, record.time_ns, &payload)?;
        }
    }
    Ok(())
}

/// Orders that were sent with what the venue filled, and all requests by their arrival.
fn sent(
    folder: &Folder,
    config: &RunConfig,
    instruments: usize,
) -> Result<(BTreeMap<u64, OrderFills>, Requests)> {
    let mut orders: BTreeMap<u64, OrderFills> = BTreeMap::new();
    let mut terms = BTreeMap::new();
    let mut way = Way::new(config, instruments);
    let mut requests = Requests::new();
    each(folder, |kind, time_ns, payload| {
        match kind {
            Kind::NewOrder => {
                let record: NewOrder = record::read(payload)?;
                let order = record.order(time_ns)?;
                terms.insert(record.id, (order.terms, order.strategy));
            }
            Kind::Step => {
                let step: Step = record::read(payload)?;
                let Some((asked, strategy)) = terms.get(&step.order).copied() else {
                    return Ok(());
                };
                let instrument = asked.instrument;
                let kind = match step.event()? {
                    OrderEvent::Submit => VenueRequestKind::New(asked),
                    OrderEvent::CancelRequested => VenueRequestKind::Cancel { instrument },
                    OrderEvent::ReplaceRequested { price, qty } => {
                        VenueRequestKind::Amend { instrument, price, qty }
                    }
                    _ => return Ok(()),
                };
                let order = ClientOrderId(step.order);
                if matches!(kind, VenueRequestKind::New(_)) {
                    let known = OrderFills {
                        order,
                        strategy,
                        instrument,
                        side: asked.side,
                        lots: asked.qty.0,
                        sent_ns: time_ns,
                        venue: Filled::default(),
                        model: Filled::default(),
                    };
                    orders.insert(step.order, known);
                }
                requests.extend(way.send(order, kind, instrument, time_ns));
            }
            Kind::Fill => {
                let fill: FillRecord = record::read(payload)?;
                if let Some(known) = orders.get_mut(&fill.order_id) {
                    let maker = fill.maker != 0;
                    known.venue.add(fill.price_ticks, fill.qty_lots, maker, fill.exch_ns);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    requests.sort_by_key(|(at_ns, ..)| *at_ns);
    Ok((orders, requests))
}

/// The way of requests to the venue.
struct Way {
    latency: Vec<LatencyModel>,
    decision_ns: i64,
    last_ns: Vec<TimeNs>,
    sequence: u64,
}

impl Way {
    fn new(config: &RunConfig, instruments: usize) -> Self {
        Self {
            latency: vec![config.latency.clone(); instruments],
            decision_ns: config.decision_ns,
            last_ns: vec![TimeNs::MIN; instruments],
            sequence: 0,
        }
    }

    /// A request that is sent, and when it arrives, if it does.
    fn send(
        &mut self,
        order: ClientOrderId,
        kind: VenueRequestKind,
        instrument: InstrumentId,
        time_ns: TimeNs,
    ) -> Option<(TimeNs, InstrumentId, VenueRequest)> {
        let index = instrument.index();
        let sent_ns = time_ns + self.decision_ns;
        self.sequence += 1;
        let latency = self.latency.get_mut(index)?;
        match latency.entry_ns(sent_ns, RequestKind::of(&kind), 0, self.sequence) {
            Leg::Arrives(delay) => {
                let at_ns = (sent_ns + delay).max(self.last_ns[index]);
                self.last_ns[index] = at_ns;
                Some((at_ns, instrument, VenueRequest { order, sent_ns, kind }))
            }
            Leg::Rejected(_) => None,
        }
    }
}

/// The simulated venues under the recorded requests.
struct Model {
    markets: Vec<SimMarket>,
    /// Running maximum of the exchange's times, by instrument.
    clocks_ns: Vec<TimeNs>,
    /// By instrument, the last first.
    requests: Vec<Vec<(TimeNs, VenueRequest)>>,
    filled: BTreeMap<ClientOrderId, Filled>,
    out: Vec<VenueEvent>,
}

impl Model {
    fn new(instruments: &[Instrument], config: &RunConfig, requests: Requests) -> Result<Self> {
        let market = |(id, instrument)| SimMarket::new(InstrumentId(id), instrument, &config.venue);
        let mut waiting = vec![Vec::new(); instruments.len()];
        for (at_ns, instrument, request) in requests.into_iter().rev() {
            waiting[instrument.index()].push((at_ns, request));
        }
        Ok(Self {
            markets: (0_u16..).zip(instruments).map(market).collect::<Result<_>>()?,
            clocks_ns: vec![TimeNs::MIN; instruments.len()],
            requests: waiting,
            filled: BTreeMap::new(),
            out: Vec::new(),
        })
    }

    fn rows(&mut self, payload: &[u8]) -> Result<()> {
        let (head, rows): (MarketHead, Vec<MarketRow>) = record::read_list(payload)?;
        let (index, base) = (self.known(&head)?, Ticks(head.base_ticks));
        for row in &rows {
            let now_ns = self.pass(index, row);
            self.markets[index].on_row(row, base, now_ns, &mut self.out);
            self.note();
        }
        Ok(())
    }

    fn order_rows(&mut self, payload: &[u8]) -> Result<()> {
        let (head, rows): (MarketHead, Vec<OrderRow>) = record::read_list(payload)?;
        let (index, base) = (self.known(&head)?, Ticks(head.base_ticks));
        for row in &rows {
            let now_ns = self.pass(index, &row.market);
            self.markets[index].on_order_row(row, base, now_ns, &mut self.out);
            self.note();
        }
        Ok(())
    }

    fn known(&self, head: &MarketHead) -> Result<usize> {
        let index = usize::from(head.instrument);
        if index >= self.markets.len() {
            return Err(Error::new(ErrorKind::Mismatch, "a row of an unknown instrument"));
        }
        Ok(index)
    }

    /// Time goes on to a row's; when the venue sees it.
    fn pass(&mut self, index: usize, row: &MarketRow) -> TimeNs {
        let now_ns = row.exch_ns.max(self.clocks_ns[index]);
        self.clocks_ns[index] = now_ns;
        self.serve(index, now_ns);
        now_ns
    }

    /// Requests and expiries up to a time.
    fn serve(&mut self, index: usize, now_ns: TimeNs) {
        while let Some((at_ns, request)) =
            self.requests[index].pop_if(|(at_ns, _)| *at_ns <= now_ns)
        {
            self.markets[index].on_request(&request, at_ns, &mut self.out);
            self.note();
        }
        if self.markets[index].next_timer_ns().is_some_and(|at_ns| at_ns <= now_ns) {
            self.markets[index].on_timer(now_ns, &mut self.out);
            self.note();
        }
    }

    fn note(&mut self) {
        for event in self.out.drain(..) {
            if let VenueEventKind::Filled { price, qty, maker } = event.kind {
                let filled = self.filled.entry(event.order).or_default();
                filled.add(price.0, qty.0, maker, event.exch_ns);
            }
        }
    }

    /// Requests after the last row.
    fn finish(&mut self) {
        for index in 0..self.markets.len() {
            self.serve(index, TimeNs::MAX);
        }
    }
}
