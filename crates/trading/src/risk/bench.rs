//! What a check costs with every limit in force, beside a single comparison on the same orders.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use mainspring_core::instrument::{InstrumentId, InstrumentKind, PriceGrid};
use mainspring_core::order::OrderTerms;
use mainspring_core::{Decimal, Error, ErrorKind, Instrument, Lots, Money, Result, Side, Ticks};

use super::{Gate, LimitTree, Requested, Situation};

/// Timed passes; the reported figure is their median.
const PASSES: usize = 31;
/// Orders of a pass.
const ORDERS: usize = 1 << 14;
const STRATEGIES: usize = 4;
const INSTRUMENTS: usize = 8;
const NOW_NS: i64 = 1_700_000_000_000_000_000;

/// Nanoseconds of one check of an order that passes, `(ours, floor)`; and of one check with what
/// follows from it: the order is counted, opened and closed again. The floor is one comparison of the
/// order's quantity on the same orders.
///
/// # Errors
/// When the gate refuses an order of the benchmark.
pub fn gate_checks() -> Result<(f64, f64, f64)> {
    let mut gate = full_gate()?;
    let orders = orders();
    let at = situation();
    if let Some((strategy, terms)) = orders.iter().find(|(s, t)| gate.check(*s, t, &at).is_err()) {
        let mut why = String::new();
        gate.explain(*strategy, terms, &at, &mut |failure| why += &format!("{failure}; "));
        return Err(Error::new(
            ErrorKind::Internal,
            format!("the benchmark's order failed: {why}"),
        ));
    }
    let (mut ours, mut floor, mut whole) = ([0.0; PASSES], [0.0; PASSES], [0.0; PASSES]);
    for pass in 0..PASSES {
        ours[pass] =
            timed(&orders, |strategy, terms| gate.check(strategy, terms, black_box(&at)).is_ok());
        floor[pass] = timed(&orders, |_, terms| terms.qty.0 <= black_box(100_000));
        whole[pass] = timed(&orders, |strategy, terms| {
            let passed = gate.check(strategy, terms, black_box(&at)).is_ok();
            let (instrument, side, qty) = (terms.instrument, terms.side, terms.qty);
            // Long ago: the rates stay free.
            gate.requested(strategy, instrument, Requested::Order, 0);
            gate.track(strategy, instrument, side, Lots::ZERO, qty);
            gate.track(strategy, instrument, side, qty, Lots::ZERO);
            passed
        });
    }
    Ok((median(ours), median(floor), median(whole)))
}

/// What an order of [`orders`] is checked in.
#[must_use]
pub fn situation() -> Situation {
    Situation { now_ns: NOW_NS, market_ns: NOW_NS, mid2: 120_000, ..Situation::default() }
}

fn timed(orders: &[(u16, OrderTerms)], mut check: impl FnMut(u16, &OrderTerms) -> bool) -> f64 {
    let start = Instant::now();
    let mut passed = 0_usize;
    for (strategy, terms) in orders {
        passed += usize::from(check(*strategy, black_box(terms)));
    }
    black_box(passed);
    start.elapsed().as_nanos() as f64 / orders.len() as f64
}

fn median(mut figures: [f64; PASSES]) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[PASSES / 2]
}

/// A gate with every limit in force on every branch, none of them near: four strategies in eight
/// instruments at two venues.
///
/// # Errors
/// Never in a sound build.
pub fn full_gate() -> Result<Gate> {
    let instruments: Vec<Instrument> = (0..INSTRUMENTS).map(instrument).collect::<Result<_>>()?;
    let strategies: Vec<String> = (0..STRATEGIES).map(|n| format!("s{n}")).collect();
    let mut tree = tree()?;
    let node = super::Limits { breaker: None, ..tree.global.clone() };
    let plain = super::Limits { max_symbol_exposure: None, max_concentration: None, ..node };
    let venues = vec!["v0".to_owned(), "v1".to_owned()];
    tree.accounts.insert(
        "main".into(),
        super::AccountLimits { venues: venues.clone(), limits: plain.clone() },
    );
    tree.venues = venues.into_iter().map(|venue| (venue, plain.clone())).collect();
    tree.strategies = strategies.iter().map(|name| (name.clone(), plain.clone())).collect();
    tree.instruments = instruments.iter().map(|i| (i.symbol.clone(), plain.clone())).collect();
    let mut gate = Gate::new(&tree, &instruments, &strategies)?;
    gate.sampled(NOW_NS, Money(1_000_000 * 1_000_000_000_000_000_000), &|_, _| Some(Money::ZERO));
    // A tick of 0.1 and a lot of 0.001 at 6,000: one lot is worth 6.
    gate.wake(NOW_NS, None, &|_| Some(6_000_000_000_000_000_000));
    for strategy in 0..STRATEGIES as u16 {
        for index in 0..INSTRUMENTS as u16 {
            let side = if index % 2 == 0 { Side::Buy } else { Side::Sell };
            gate.fill(strategy, InstrumentId(index), side, Lots(1_000));
        }
    }
    Ok(gate)
}

/// Every limit; none of them is reached.
fn tree() -> Result<LimitTree> {
    let number = |text: &str| text.parse::<Decimal>();
    let rate = Some(super::Rate { count: 500, window_ns: 1_000 });
    let mut tree = LimitTree::of(super::Limits {
        max_order_qty: Some(number("100")?),
        max_order_notional: Some(number("10000000")?),
        max_position: Some(number("1000")?),
        price_collar_bps: Some(500),
        max_open_orders: Some(5_000),
        max_gross_exposure: Some(number("1000000000")?),
        max_net_exposure: Some(number("1000000000")?),
        max_leverage: Some(number("50")?),
        max_allocation: Some(number("5")?),
        max_symbol_exposure: Some(number("1000000000")?),
        max_concentration: Some(number("20")?),
        max_order_rate: rate,
        max_cancel_rate: rate,
        max_message_rate: rate,
        max_daily_trades: Some(1_000_000),
        max_daily_loss: Some(number("100000000")?),
        max_losing_streak: Some(1_000),
        max_data_age_ns: Some(1_000_000_000),
        trading_hours: Some("daily 00:00-24:00".parse()?),
        restricted: vec!["XMR".to_owned()],
        breaker: Some(super::BreakerLimits::default()),
    });
    tree.drawdown = super::Ladder::full();
    Ok(tree)
}

fn instrument(n: usize) -> Result<Instrument> {
    Ok(Instrument {
        symbol: format!("C{n}USDT"),
        venue: format!("v{}", n % 2),
        kind: InstrumentKind::LinearPerpetual,
        base: format!("C{}", n / 2),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse()?)],
        lot: "0.001".parse()?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    })
}

/// Orders of changing strategies, instruments, sides, prices and sizes, from one seed; the gate of
/// [`full_gate`] approves them.
#[must_use]
pub fn orders() -> Vec<(u16, OrderTerms)> {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        // Knuth's MMIX generator; its high bits.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as i64
    };
    (0..ORDERS)
        .map(|_| {
            let instrument = InstrumentId(draw(INSTRUMENTS as u64) as u16);
            let side = if draw(2) == 0 { Side::Buy } else { Side::Sell };
            let price = Ticks(60_000 + draw(201) - 100);
            let terms = OrderTerms::limit(instrument, side, price, Lots(1 + draw(1_000)));
            (draw(STRATEGIES as u64) as u16, terms)
        })
        .collect()
}
