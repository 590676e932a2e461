//! Once warm, the engine as a venue asks for no memory: neither over a recording nor among agents.

use mainspring_core::event::{OrderRow, RowKind};
use mainspring_core::order::{
    ClientOrderId, OrderTerms, OrderType, Side, TimeInForce, VenueEvent, VenueRequest,
    VenueRequestKind,
};
use mainspring_core::{Lots, Ticks, TimeNs};
use mainspring_memory::CountingAllocator;
use mainspring_sim::flow::{Flow, FlowRow, DEFAULT_START_NS};
use mainspring_sim::SimConfig;

use super::flow;
use super::market::{MatchedMarket, Others};
use super::tests::{generated, limit, order_row, ID};
use crate::host::BookTrigger;
use crate::native::NativeConfig;
use crate::session::{Outlet, Session, SessionConfig};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The engine with us at it, and what it says to us.
struct Busy {
    market: MatchedMarket,
    answers: Vec<VenueEvent>,
    /// Orders sent; their ids follow each other.
    sent: u64,
    fills: u64,
    rows: u64,
}

impl Busy {
    fn new(others: Others) -> Self {
        let config = SimConfig { max_orders: 64, ..SimConfig::default() };
        let instrument = generated(1, 0.01).instruments().remove(0);
        let market = MatchedMarket::new(ID, &instrument, &config, others).unwrap();
        Self { market, answers: Vec::with_capacity(1 << 12), sent: 0, fills: 0, rows: 0 }
    }

    fn request(&mut self, now: TimeNs, order: u64, kind: VenueRequestKind) {
        let request = VenueRequest { order: ClientOrderId(order), sent_ns: now, kind };
        self.market.on_request(&request, now, &mut self.answers);
    }

    /// An order of a kind that changes with each, then an amend and a cancel of ones before it.
    fn trade(&mut self, now: TimeNs) {
        let Some(best) = self.market.engine.orders().l2().best(Side::Buy) else { return };
        self.sent += 1;
        let (n, side) =
            (self.sent, if self.sent.is_multiple_of(2) { Side::Buy } else { Side::Sell });
        let away = |ticks: i64| if side == Side::Buy { best.0 - ticks } else { best.0 + ticks };
        let plain = limit(side, away(3 + (n % 5) as i64), 1_000 + 100 * (n % 7) as i64);
        let terms = match n % 6 {
            0 => OrderTerms { time_in_force: TimeInForce::Ioc, price: Ticks(away(-20)), ..plain },
            1 => OrderTerms { order_type: OrderType::Iceberg, display: Lots(300), ..plain },
            2 => OrderTerms { order_type: OrderType::Stop, trigger: Ticks(away(-9)), ..plain },
            3 => OrderTerms { order_type: OrderType::Pegged, ..plain },
            4 => OrderTerms {
                time_in_force: TimeInForce::Gtd,
                expire_ns: now + 5_000_000_000,
                ..plain
            },
            _ => plain,
        };
        self.request(now, n, VenueRequestKind::New(terms));
        let (price, qty) = (Ticks(away(2)), Lots(1_500));
        let amend = VenueRequestKind::Amend { instrument: ID, price, qty };
        self.request(now, n.saturating_sub(3), amend);
        let cancel = VenueRequestKind::Cancel { instrument: ID };
        self.request(now, n.saturating_sub(9), cancel);
    }

    /// What it published reaches us.
    fn hear(&mut self) {
        while self.market.next_row().is_some() {
            self.rows += 1;
        }
        let filled = |event: &&VenueEvent| {
            matches!(event.kind, mainspring_core::order::VenueEventKind::Filled { .. })
        };
        self.fills += self.answers.iter().filter(filled).count() as u64;
        self.answers.clear();
    }

    fn timers(&mut self, now: TimeNs) {
        if self.market.next_timer_ns().is_some_and(|at| at <= now) {
            self.market.on_timer(now, &mut self.answers);
        }
    }

    fn play(&mut self, rows: &[(OrderRow, Ticks)], later_ns: TimeNs) {
        for (n, (row, price)) in rows.iter().enumerate() {
            let now = row.market.exch_ns + later_ns;
            self.timers(now);
            let times = (now, now + 2_000_000);
            self.market.on_recorded_row(row, *price, times, &mut self.answers).unwrap();
            self.hear();
            if row.market.ends_message() && n % 20 == 19 {
                self.trade(now + 1);
                self.hear();
            }
        }
    }

    fn act(&mut self, steps: usize) {
        for n in 0..steps {
            let now = self.market.next_act_ns(DEFAULT_START_NS);
            self.timers(now);
            self.market.act(now, &mut self.answers);
            self.hear();
            if n % 20 == 19 {
                self.trade(now);
                self.hear();
            }
        }
    }
}

#[test]
fn over_a_recording() {
    let row = |row: FlowRow| {
        (order_row(row.exch_ns, row.kind, row.flags, row.qty, row.order_id), row.price)
    };
    let rows: Vec<_> = Flow::new(&generated(3, 0.05)).unwrap().map(row).collect();
    assert!(rows.iter().any(|(row, _)| row.market.kind == RowKind::OrderExecute as u8));
    let mut busy = Busy::new(Others::Recorded(Box::default()));
    let whole_ns = 1_000_000_000 + rows[rows.len() - 1].0.market.exch_ns - rows[0].0.market.exch_ns;
    // The snapshot at the recording's begin puts the others where they were: it can be played again.
    for again in 0..3 {
        busy.play(&rows, again * whole_ns);
    }
    let (fills, heard, before) = (busy.fills, busy.rows, CountingAllocator::allocations());
    assert!(before > 0, "the counter counts");
    busy.play(&rows, 3 * whole_ns);
    assert_eq!(CountingAllocator::allocations() - before, 0);
    assert!(busy.fills > fills + 10 && busy.rows > heard + 1_000, "{} {}", busy.fills, busy.rows);
}

#[test]
fn among_agents() {
    let (_, crowd) = flow::crowds(&generated(7, 2.0), Some(1_000_000)).unwrap().remove(0);
    let mut busy = Busy::new(Others::Crowd(Box::new(crowd)));
    busy.act(30_000);
    let (fills, before) = (busy.fills, CountingAllocator::allocations());
    busy.act(10_000);
    assert_eq!(CountingAllocator::allocations() - before, 0);
    assert!(busy.fills > fills + 10, "{}", busy.fills);
}

/// A journal that is not read.
struct Nowhere(u64);

impl Outlet for Nowhere {
    fn append(&mut self, _: u16, _: TimeNs, _: u64, _: &[&[u8]]) -> mainspring_core::Result<u64> {
        self.0 += 1;
        Ok(self.0)
    }

    fn next_sequence(&self) -> u64 {
        self.0 + 1
    }

    fn commit(&mut self) -> mainspring_core::Result<()> {
        Ok(())
    }
}

/// The messages of a flow, each with what its prices are counted from.
fn messages(flow: Flow) -> Vec<(Ticks, Vec<OrderRow>)> {
    let mut messages: Vec<(Ticks, Vec<OrderRow>)> = Vec::new();
    let mut begins = true;
    for row in flow {
        if std::mem::take(&mut begins) {
            messages.push((row.price, Vec::new()));
        }
        let (base, rows) = messages.last_mut().unwrap();
        let mut told = order_row(row.exch_ns, row.kind, row.flags, row.qty, row.order_id);
        told.market.price_offset = (row.price.0 - base.0) as i32;
        begins = told.market.ends_message();
        rows.push(told);
    }
    messages
}

#[test]
fn in_a_session() {
    let flow = generated(3, 0.02);
    let text = r#"{"paper":true,"run":{"deposits":[["USDT","1000000"]],
        "venue":{"fill_model":"matching"}}}"#;
    let config: SessionConfig = serde_json::from_str(text).unwrap();
    let text = r#"{"kind":"touch_maker","size":"0.003","max_position":"0.02"}"#;
    let maker: NativeConfig = serde_json::from_str(text).unwrap();
    let maker = maker.build(BookTrigger::Every(100_000_000)).unwrap();
    let mut session = Session::new(config, flow.instruments(), vec![maker]).unwrap();
    session.lead(Box::new(Nowhere(0)));
    let messages = messages(Flow::new(&flow).unwrap());
    let first_ns = messages[0].1[0].market.recv_ns;
    let last_ns = messages[messages.len() - 1].1[0].market.recv_ns;
    session.start(first_ns - 1, b"{}").unwrap();
    let mut rows = Vec::with_capacity(1 << 16);
    let mut play = |session: &mut Session, later_ns| {
        for (base, message) in &messages {
            rows.clear();
            rows.extend_from_slice(message);
            rows.iter_mut().for_each(|row: &mut OrderRow| row.market.recv_ns += later_ns);
            session.order_rows(ID, *base, &rows).unwrap();
        }
    };
    let whole_ns = last_ns - first_ns + 1_000_000_000;
    (0..3).for_each(|again| play(&mut session, again * whole_ns));
    let (fills, before) = (session.counts().fills, CountingAllocator::allocations());
    play(&mut session, 3 * whole_ns);
    assert_eq!(CountingAllocator::allocations() - before, 0);
    assert!(session.counts().fills > fills + 3, "{:?}", session.counts());
}
