//! dYdX v4: the indexer's REST and WebSocket, and a node of the chain that takes signed transactions.
//!
//! A member's key is the address of its account, its secret the private key, and the number of its
//! account on the chain its place among the members. What the markets settle in is shown as USDC.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use mainspring_core::{Instrument, Result, TimeNs};
use mainspring_exchange::OrderId;

use crate::dialects::{as_generated, Dialect, HttpAnswer, HttpRequest, Listing, Row, Talk};
use crate::faults::RequestFault;
use crate::section::{Product, Section};
use crate::venue::Venue;

mod chain;
mod indexer;
mod orders;
mod refusal;
mod show;
mod talk;
mod tx;

/// The row of the table.
pub const ROW: Row = Row {
    name: "dydx",
    listing: Listing {
        products: &[Product::Usdm],
        name: own_name,
        rules: own_rules,
        keeps_unfilled_fok: [true, true],
        decimals: [0, 0],
    },
    make: || Box::new(Dydx::default()),
};

fn own_name(_: Product, instrument: &Instrument) -> String {
    format!("{}-USD", instrument.base)
}

fn own_rules(instrument: &mut Instrument) -> Result<()> {
    // There is no least value of an order: the step of sizes is all.
    instrument.min_notional = mainspring_core::Decimal::ZERO;
    // What is shown as USDC, whatever a recording settled in.
    instrument.quote = show::SETTLED.to_owned();
    as_generated(instrument)
}

/// The perpetuals.
fn perpetuals(venue: &Venue) -> &Section {
    &venue.sections[Product::Usdm as usize]
}

/// Requests of an address in ten seconds are a hundred: each weighs so much of a minute's 2,400.
const WEIGHT: u32 = 4;

/// What the chain remembers.
#[derive(Debug, Default)]
struct Dydx {
    /// Transactions that were seen, the newest of them.
    seen: HashSet<[u8; 32]>,
    seen_order: VecDeque<[u8; 32]>,
    /// Sequence of the next transaction by member.
    sequences: HashMap<usize, u64>,
    /// Short-term transactions of a member in a window of blocks: its first block and their count.
    short: HashMap<usize, (u32, u32)>,
    /// Blocks of a member's newest other orders.
    stateful: HashMap<usize, VecDeque<u32>>,
    /// Last blocks of short-term cancels: member, order book, the member's number.
    cancels: HashMap<(usize, usize, u32), u32>,
    /// Orders by the time at which the last of them is told.
    ends: BTreeMap<TimeNs, Vec<OrderId>>,
    /// The height that was told.
    told_height: u32,
}

/// Status and text of a fault.
const fn failed(fault: RequestFault) -> (u16, &'static str) {
    match fault {
        RequestFault::TooManyRequests => (429, "{\"errors\":[{\"msg\":\"Too many requests\"}]}"),
        RequestFault::Banned => (403, "{\"errors\":[{\"msg\":\"Forbidden\"}]}"),
        RequestFault::ServerError => (503, "{\"errors\":[{\"msg\":\"Service unavailable\"}]}"),
        RequestFault::UnknownOutcome => (504, "{\"errors\":[{\"msg\":\"Gateway timeout\"}]}"),
    }
}

impl Dialect for Dydx {
    fn http(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
        if let Some(answered) = self.node(venue, request) {
            return answered;
        }
        let now_ms = venue.now_ms();
        if venue.usage.take_weight(&venue.limits, Product::Usdm, WEIGHT, now_ms).is_err() {
            return self.failed(RequestFault::TooManyRequests);
        }
        indexer::answer(venue, request)
    }

    fn is_order(&self, request: &HttpRequest<'_>) -> bool {
        request.path.starts_with("/broadcast_tx") || request.path == "/cosmos/tx/v1beta1/txs"
    }

    fn failed(&self, fault: RequestFault) -> HttpAnswer {
        let (status, text) = failed(fault);
        HttpAnswer::new(status, text)
    }

    fn talk(&self, path: &str, _: &str) -> Option<Box<dyn Talk>> {
        (path == "/v4/ws").then(|| Box::new(talk::Session) as Box<dyn Talk>)
    }

    fn tell(&mut self, venue: &mut Venue) {
        talk::tell(self, venue);
    }

    fn tell_depth(&mut self, venue: &mut Venue) {
        talk::tell_depth(venue);
    }

    fn tell_tickers(&mut self, venue: &mut Venue) {
        talk::tell_tickers(venue);
    }
}
