//! What one order and one fill cost: `cargo bench -p mainspring-trading`.

use std::hint::black_box;
use std::time::Instant;

use mainspring_core::instrument::{InstrumentId, InstrumentKind};
use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{
    CancelReason, ClientOrderId, Decimal, Instrument, Lots, PriceGrid, Side, Ticks, VenueEvent,
    VenueEventKind,
};
use mainspring_trading::execution::reconcile::{
    AmendRule, LiveQuote, Now, ReconcileConfig, Reconciler, Standing, Touch,
};
use mainspring_trading::execution::{
    reconcile_quotes, Actions, BudgetConfig, Desired, Level, LiveOrder, RateBudget, RateLimit,
};
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{Order, OrderEvent, OrderTable};

const ROUNDS: u64 = 2_000_000;

/// Median of seven timings of `work`, in nanoseconds a round.
fn median_ns(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos() as f64 / ROUNDS as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Insert, submit, accept, then fill or cancel, with 40 other orders live.
fn order_life() -> f64 {
    let mut table = OrderTable::new(10_000, 4_096, 4, 2);
    let terms = OrderTerms::limit(InstrumentId(1), Side::Buy, Ticks(618_000), Lots(5));
    let mut next = 0;
    let mut add = |table: &mut OrderTable| {
        let id = ClientOrderId(next);
        next += 1;
        table.insert(Order::new(id, 1, terms, 0)).expect("there is room");
        table.request(id, OrderEvent::Submit, 1).expect("a new order can be sent");
        id
    };
    for _ in 0..40 {
        add(&mut table);
    }
    median_ns(|| {
        for round in 0..ROUNDS {
            let id = add(&mut table);
            let mut says = |kind| {
                let event = VenueEvent { order: id, exch_ns: 2, recv_ns: 3, kind };
                black_box(table.apply(&event, 3)).expect("a legal event");
            };
            says(VenueEventKind::Accepted);
            says(if round % 2 == 0 {
                VenueEventKind::Filled { price: Ticks(618_000), qty: Lots(5), maker: true }
            } else {
                VenueEventKind::Cancelled(CancelReason::Requested)
            });
        }
    })
}

fn instrument(kind: InstrumentKind) -> Instrument {
    let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
    Instrument {
        symbol: "BTC".into(),
        venue: "bench".into(),
        kind,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(decimal("0.1"))],
        lot: decimal(if kind.is_inverse() { "1" } else { "0.001" }),
        multiplier: decimal(if kind.is_inverse() { "100" } else { "1" }),
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: decimal("-0.00005"),
        taker_fee: decimal("0.0004"),
        margin_tiers: vec![],
    }
}

/// Fee and ledger of one fill that opens, closes a part or flips.
fn fill(kind: InstrumentKind) -> f64 {
    let instrument = instrument(kind);
    let mut fees = FeeSchedule::of(&instrument).expect("rates fit");
    let mut ledger = Ledger::new(&[instrument], 2, &[]).expect("it fits exact money");
    let at = InstrumentId(0);
    median_ns(|| {
        for round in 0..ROUNDS {
            let side = if round % 3 == 0 { Side::Buy } else { Side::Sell };
            let (price, qty) = (Ticks(618_000 + (round % 97) as i64), Lots(1 + (round % 7) as i64));
            let notional = ledger.contract(at).expect("known").notional(price, qty);
            let fee = fees.charge(round % 2 == 0, notional.expect("it fits"), qty);
            black_box(ledger.fill(1, at, side, price, qty, fee)).expect("it fits");
        }
    })
}

/// One round over two quotes a side that stand already: exact, then under rules and a budget.
fn rounds() -> (f64, f64) {
    let at = InstrumentId(0);
    let instrument = instrument(InstrumentKind::LinearPerpetual);
    let side_levels = |from: i64, step: i64| {
        [0, 1].map(|n| Level { price: Ticks(from + n * step), qty: Lots(5) })
    };
    let (bids, asks) = (side_levels(618_000, -5), side_levels(618_001, 5));
    let desired = Desired { bids: &bids, asks: &asks, flags: OrderFlags::POST_ONLY };
    let of_side = |side: Side, levels: &[Level; 2]| {
        levels.map(|level| LiveQuote {
            id: ClientOrderId(level.price.0 as u64),
            side,
            price: level.price,
            qty: level.qty,
            filled: Lots(0),
            standing: Standing::Open,
            created_ns: 0,
            takes: false,
            ahead: None,
        })
    };
    let live: Vec<_> =
        of_side(Side::Buy, &bids).into_iter().chain(of_side(Side::Sell, &asks)).collect();
    let exact = |o: &LiveQuote| LiveOrder {
        id: o.id,
        side: o.side,
        price: o.price,
        qty: o.qty,
        filled: o.filled,
        cancelling: false,
    };
    let mut actions = Actions::new();
    let plain = median_ns(|| {
        for _ in 0..ROUNDS {
            actions.clear();
            reconcile_quotes(at, black_box(&desired), live.iter().map(exact), &mut actions);
            assert!(actions.as_slice().is_empty());
        }
    });
    let config = ReconcileConfig {
        price_threshold_bps: 0.5,
        amend: AmendRule::Always,
        min_life_ns: 1_000,
        max_life_ns: Some(i64::MAX),
        ..ReconcileConfig::default()
    };
    let rules = config.rules(&instrument).expect("rules fit");
    let limit = RateLimit { limit: 1_200, window_ns: 60_000_000_000, burst: None };
    let budget = BudgetConfig { requests: Some(limit), ..BudgetConfig::default() };
    let now = Now {
        time_ns: 1_000_000,
        touch: Touch { bid: Some(Ticks(618_000)), ask: Some(Ticks(618_001)) },
        grid: instrument.grid(),
        lives_ns: None,
        budget: Some(RateBudget::new(&budget).expect("a budget")),
    };
    let mut reconciler = Reconciler::default();
    let ruled = median_ns(|| {
        for _ in 0..ROUNDS {
            actions.clear();
            let live = live.iter().copied();
            reconciler.quotes(at, black_box(&desired), live, &now, &rules, &mut actions);
            assert!(actions.as_slice().is_empty());
        }
    });
    (plain, ruled)
}

fn main() {
    let (exact, ruled) = rounds();
    println!("round of four standing quotes, exact: {exact:.1} ns");
    println!("round of four standing quotes, rules and budget: {ruled:.1} ns");
    println!("order life (insert, submit, accept, fill or cancel): {:.1} ns", order_life());
    println!("linear fill (fee, ledger): {:.1} ns", fill(InstrumentKind::LinearPerpetual));
    println!("spot fill (fee, ledger): {:.1} ns", fill(InstrumentKind::Spot));
    println!("inverse fill (fee, ledger): {:.1} ns", fill(InstrumentKind::InversePerpetual));
}
