//! Once warm, the venue allocates nothing.

mod venue;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_core::event::{OrderRow, RowKind};
use mainspring_core::order::{
    ClientOrderId, OrderFlags, OrderTerms, OrderType, Side, TimeInForce, VenueEvent, VenueRequest,
    VenueRequestKind,
};
use mainspring_core::units::{Lots, Ticks};
use mainspring_sim::latency::mix;
use mainspring_sim::{FillModel, OverloadRule, QueueModel, SimConfig, SimMarket};
use venue::{instrument, limit, row, ID};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)]
// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        System.dealloc(at, layout);
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        System.realloc(at, layout, size)
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One busy round: rows, orders of every type, cancels, amends, timers.
fn round(market: &mut SimMarket, first_id: u64, now: &mut i64, out: &mut Vec<VenueEvent>) {
    for n in 0..4_000_u64 {
        let draw = mix(3, n);
        let side = if draw & 1 == 0 { Side::Buy } else { Side::Sell };
        let pick = |shift: u32, count: u64| ((draw >> shift) % count) as i64;
        *now += 1;
        let kind = if draw & 6 == 0 { RowKind::Trade } else { RowKind::Depth };
        market.on_row(&row(kind, side, 95 + pick(8, 11), pick(16, 9)), Ticks(0), *now, out);
        let order_type = [
            OrderType::Limit,
            OrderType::Limit,
            OrderType::Market,
            OrderType::Stop,
            OrderType::TrailingStop,
            OrderType::Iceberg,
            OrderType::Pegged,
        ][pick(24, 7) as usize];
        let terms = OrderTerms {
            order_type,
            time_in_force: if draw & 64 == 0 { TimeInForce::Gtd } else { TimeInForce::Gtc },
            flags: OrderFlags(if draw & 896 == 0 { 2 } else { 0 }),
            trigger: Ticks(90 + pick(30, 21)),
            offset: Ticks(pick(36, 3)),
            display: Lots(2),
            expire_ns: *now + pick(40, 300),
            ..limit(side, 95 + pick(48, 11), 1 + pick(52, 6))
        };
        let id = first_id + n;
        let mut ask = |order: u64, kind| {
            let request = VenueRequest { order: ClientOrderId(order), sent_ns: *now, kind };
            market.on_request(&request, *now, out);
        };
        ask(id, VenueRequestKind::New(terms));
        ask(id.saturating_sub(20), VenueRequestKind::Cancel { instrument: ID });
        let (price, qty) = (Ticks(95 + pick(20, 11)), Lots(1 + pick(28, 6)));
        ask(id.saturating_sub(7), VenueRequestKind::Amend { instrument: ID, price, qty });
        market.on_timer(*now, out);
        out.clear();
    }
    market.cancel_all(mainspring_core::CancelReason::Requested, *now, out);
    out.clear();
}

fn order_rows(market: &mut SimMarket, out: &mut Vec<VenueEvent>) {
    for n in 0..3_000_u64 {
        let draw = mix(5, n);
        let (side, price) = if draw & 1 == 0 { (Side::Buy, 99) } else { (Side::Sell, 101) };
        let id = 1 + (draw >> 8) % 40;
        let kind = [RowKind::OrderAdd, RowKind::OrderDelete, RowKind::OrderExecute]
            [((draw >> 20) % 3) as usize];
        let market_row = row(kind, side, price, 1 + ((draw >> 30) % 5) as i64);
        market.on_order_row(&OrderRow { market: market_row, order_id: id }, Ticks(0), 0, out);
        out.clear();
    }
}

fn after_warming(config: SimConfig, mut work: impl FnMut(&mut SimMarket, u64)) {
    let mut market = SimMarket::new(ID, &instrument(), &config).unwrap();
    for round in 0..3 {
        work(&mut market, 1 + round * 10_000);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    assert!(before > 0, "the counter counts");
    work(&mut market, 100_000);
    let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(made, 0, "{config:?} allocated {made} times when warm");
}

/// One test: the counter is shared by the threads of a test binary.
#[test]
fn a_warm_venue_allocates_nothing() {
    let (mut now, mut out) = (0, Vec::with_capacity(1 << 14));
    for fill_model in [FillModel::Mainspring, FillModel::HftNoPartial, FillModel::HftPartial] {
        let overload = Some(OverloadRule { max_requests: 1_000, window_ns: 10 });
        let config = SimConfig { fill_model, overload, ..SimConfig::default() };
        after_warming(config, |market, first| round(market, first, &mut now, &mut out));
    }
    let queue_model = QueueModel::L3Fifo;
    after_warming(SimConfig { queue_model, ..SimConfig::default() }, |market, first| {
        let request = VenueRequest {
            order: ClientOrderId(first),
            sent_ns: 0,
            kind: VenueRequestKind::New(limit(Side::Buy, 99, 3)),
        };
        market.on_request(&request, 0, &mut out);
        order_rows(market, &mut out);
    });
}
