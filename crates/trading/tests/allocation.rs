//! Once made, the order table and the ledger allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_core::instrument::{InstrumentId, InstrumentKind};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, Decimal, Instrument, Lots, PriceGrid, Side, Ticks, VenueEvent,
    VenueEventKind,
};
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::{Ledger, MarkPrice};
use mainspring_trading::orders::{Order, OrderEvent, OrderTable};

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
static ALLOCATOR: Counting = Counting;

fn instrument() -> Instrument {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(decimal("0.1"))],
        lot: decimal("0.001"),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: decimal("0.0002"),
        taker_fee: decimal("0.0005"),
        margin_tiers: vec![],
    }
}

#[test]
fn the_lives_of_a_hundred_thousand_orders_allocate_nothing() {
    let mut orders = OrderTable::new(100, 50, 1, 1);
    let mut ledger = Ledger::new(&[instrument()], 1, &[]).unwrap();
    let mut fees = FeeSchedule::of(&instrument()).unwrap();
    let at = InstrumentId(0);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for id in 0..100_000_u64 {
        let side = if id % 3 == 0 { Side::Sell } else { Side::Buy };
        let price = Ticks(600_000 + (id % 50) as i64);
        let terms = OrderTerms::limit(at, side, price, Lots(4));
        let id = ClientOrderId(id);
        orders.insert(Order::new(id, 0, terms, 0)).unwrap();
        orders.request(id, OrderEvent::Submit, 1).unwrap();
        for kind in [
            VenueEventKind::Accepted,
            VenueEventKind::Filled { price, qty: Lots(1), maker: true },
            VenueEventKind::Cancelled(CancelReason::Requested),
        ] {
            let event = VenueEvent { order: id, exch_ns: 2, recv_ns: 3, kind };
            let change = orders.apply(&event, 3).unwrap();
            if let Some(fill) = change.fill {
                let notional = ledger.contract(at).unwrap().notional(fill.price, fill.qty).unwrap();
                let fee = fees.charge(fill.maker, notional, fill.qty);
                ledger.fill(0, at, side, fill.price, fill.qty, fee).unwrap();
            }
        }
        ledger.mark(at, MarkPrice::at(price));
        ledger.funding(at, 100, MarkPrice::at(price)).unwrap();
        assert_eq!(orders.live(0, at).count(), 0);
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
    ledger.check().unwrap();
}
