//! A small driver of one simulated market, shared by the tests.
#![allow(dead_code)]

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::{Instrument, InstrumentId, InstrumentKind, PriceGrid};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderTerms, RejectReason, Side, VenueEvent, VenueEventKind,
    VenueRequest, VenueRequestKind,
};
use mainspring_core::units::{Lots, Ticks, TimeNs};
use mainspring_core::Decimal;
use mainspring_sim::{SimConfig, SimMarket};

pub const ID: InstrumentId = InstrumentId(0);

pub fn instrument() -> Instrument {
    Instrument {
        symbol: "TEST".into(),
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

pub fn row(kind: RowKind, side: Side, price: i64, qty: i64) -> MarketRow {
    MarketRow {
        recv_ns: 0,
        exch_ns: 0,
        qty_lots: qty,
        price_offset: price as i32,
        kind: kind as u8,
        flags: if side == Side::Sell { flags::ASK } else { 0 } | flags::END_OF_MESSAGE,
        instrument: 0,
    }
}

pub struct Venue {
    pub market: SimMarket,
    pub now: TimeNs,
    pub events: Vec<VenueEvent>,
}

impl Venue {
    pub fn new(config: SimConfig) -> Self {
        Self::of(&instrument(), &config)
    }

    pub fn of(instrument: &Instrument, config: &SimConfig) -> Self {
        Self { market: SimMarket::new(ID, instrument, config).unwrap(), now: 0, events: Vec::new() }
    }

    /// Applies a row and returns what it caused.
    pub fn row(&mut self, kind: RowKind, side: Side, price: i64, qty: i64) -> Vec<VenueEvent> {
        self.now += 1;
        self.step(|v, out| v.market.on_row(&row(kind, side, price, qty), Ticks(0), v.now, out))
    }

    pub fn depth(&mut self, side: Side, price: i64, qty: i64) -> Vec<VenueEvent> {
        self.row(RowKind::Depth, side, price, qty)
    }

    pub fn trade(&mut self, taker: Side, price: i64, qty: i64) -> Vec<VenueEvent> {
        self.row(RowKind::Trade, taker, price, qty)
    }

    pub fn request(&mut self, id: u64, kind: VenueRequestKind) -> Vec<VenueEvent> {
        self.now += 1;
        let request = VenueRequest { order: ClientOrderId(id), sent_ns: self.now, kind };
        self.step(|v, out| v.market.on_request(&request, v.now, out))
    }

    pub fn send(&mut self, id: u64, terms: OrderTerms) -> Vec<VenueEvent> {
        self.request(id, VenueRequestKind::New(terms))
    }

    pub fn cancel(&mut self, id: u64) -> Vec<VenueEvent> {
        self.request(id, VenueRequestKind::Cancel { instrument: ID })
    }

    pub fn amend(&mut self, id: u64, price: i64, qty: i64) -> Vec<VenueEvent> {
        self.request(
            id,
            VenueRequestKind::Amend { instrument: ID, price: Ticks(price), qty: Lots(qty) },
        )
    }

    pub fn limit(&mut self, id: u64, side: Side, price: i64, qty: i64) -> Vec<VenueEvent> {
        self.send(id, limit(side, price, qty))
    }

    pub fn timer(&mut self, now: TimeNs) -> Vec<VenueEvent> {
        self.now = now;
        self.step(|v, out| v.market.on_timer(v.now, out))
    }

    fn step(&mut self, act: impl FnOnce(&mut Self, &mut Vec<VenueEvent>)) -> Vec<VenueEvent> {
        let mut out = Vec::new();
        act(self, &mut out);
        self.events.extend_from_slice(&out);
        out
    }

    pub fn position(&self) -> i64 {
        self.market.position().0
    }

    /// Money paid (negative) or received in tick-lots over all fills.
    pub fn cash(&self, sides: &[(u64, Side)]) -> i64 {
        fills(&self.events)
            .iter()
            .map(|(id, price, qty, _)| {
                let side = sides.iter().find(|(order, _)| order == id).unwrap().1;
                -side.sign() * price * qty
            })
            .sum()
    }
}

pub fn limit(side: Side, price: i64, qty: i64) -> OrderTerms {
    OrderTerms::limit(ID, side, Ticks(price), Lots(qty))
}

/// Fills as (order, price, quantity, maker).
pub fn fills(events: &[VenueEvent]) -> Vec<(u64, i64, i64, bool)> {
    events
        .iter()
        .filter_map(|event| match event.kind {
            VenueEventKind::Filled { price, qty, maker } => {
                Some((event.order.0, price.0, qty.0, maker))
            }
            _ => None,
        })
        .collect()
}

/// What happened, in short.
pub fn kinds(events: &[VenueEvent]) -> Vec<(u64, VenueEventKind)> {
    events.iter().map(|event| (event.order.0, event.kind)).collect()
}

pub const fn accepted(id: u64) -> (u64, VenueEventKind) {
    (id, VenueEventKind::Accepted)
}

pub const fn filled(id: u64, price: i64, qty: i64, maker: bool) -> (u64, VenueEventKind) {
    (id, VenueEventKind::Filled { price: Ticks(price), qty: Lots(qty), maker })
}

pub const fn cancelled(id: u64, reason: CancelReason) -> (u64, VenueEventKind) {
    (id, VenueEventKind::Cancelled(reason))
}

pub const fn rejected(id: u64, reason: RejectReason) -> (u64, VenueEventKind) {
    (id, VenueEventKind::Rejected(reason))
}
