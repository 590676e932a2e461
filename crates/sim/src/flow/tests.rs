//! What holds for every generated market.

use std::collections::BTreeMap;

use mainspring_core::event::{flags, RowKind};
use mainspring_core::Ticks;

use super::random::scramble;
use super::*;

/// Levels by price, bids then asks, rebuilt from published rows.
#[derive(Clone, Default, PartialEq, Debug)]
struct Levels([BTreeMap<i64, i64>; 2]);

impl Levels {
    fn set(&mut self, row: &FlowRow) {
        let side = &mut self.0[usize::from(row.flags & flags::ASK != 0)];
        if row.qty == 0 {
            side.remove(&row.price.0);
        } else {
            side.insert(row.price.0, row.qty);
        }
    }

    fn add(&mut self, row: &FlowRow, change: i64) {
        let side = &mut self.0[usize::from(row.flags & flags::ASK != 0)];
        let lots = side.entry(row.price.0).or_default();
        *lots += change;
        assert!(*lots >= 0, "a level below zero: {row:?}");
        if *lots == 0 {
            side.remove(&row.price.0);
        }
    }

    fn best(&self) -> (i64, i64) {
        (*self.0[0].keys().next_back().unwrap(), *self.0[1].keys().next().unwrap())
    }
}

fn config(names: &[&str], minutes: f64, seed: u64, level: Level) -> FlowConfig {
    FlowConfig::of_presets(names, minutes / 60.0, seed, level).unwrap()
}

fn rows(names: &[&str], minutes: f64, seed: u64, level: Level) -> Vec<FlowRow> {
    Flow::new(&config(names, minutes, seed, level)).unwrap().collect()
}

fn fingerprint(rows: &[FlowRow]) -> u64 {
    rows.iter().fold(0, |hash, row| {
        let parts = [
            row.recv_ns as u64,
            row.exch_ns as u64,
            row.kind as u64,
            u64::from(row.flags),
            u64::from(row.instrument),
            row.price.0 as u64,
            row.qty as u64,
            row.order_id,
        ];
        parts.into_iter().fold(hash, |h, part| scramble(h ^ part))
    })
}

#[test]
fn the_rows_are_the_same_bits_on_every_run_and_thread() {
    let all = ["btcusdt", "ethusdt", "altusdt"];
    let here = fingerprint(&rows(&all, 2.0, 7, Level::Depth));
    let threads: Vec<_> = (0..3)
        .map(|_| std::thread::spawn(move || fingerprint(&rows(&all, 2.0, 7, Level::Depth))))
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), here);
    }
    // The stored value holds across machines; it changes only together with VERSION.
    assert_eq!((VERSION, here), (1, GOLDEN), "a change of the flow needs a new VERSION");
    assert_ne!(fingerprint(&rows(&all, 2.0, 8, Level::Depth)), here);
}

const GOLDEN: u64 = 6_746_348_055_049_544_427;

#[test]
fn no_row_crosses_the_book() {
    for name in presets::NAMES {
        let mut book = Levels::default();
        for row in rows(&[name], 5.0, 3, Level::Depth) {
            if row.kind != RowKind::Depth {
                continue;
            }
            book.set(&row);
            if row.flags & flags::SNAPSHOT == 0 || row.flags & flags::END_OF_MESSAGE != 0 {
                let (bid, ask) = book.best();
                assert!(bid < ask, "{name}: {bid} and {ask} after {row:?}");
            }
        }
    }
}

#[test]
fn levels_are_the_sums_of_the_orders() {
    let depth = rows(&["btcusdt"], 3.0, 5, Level::Depth);
    let mut orders = rows(&["btcusdt"], 3.0, 5, Level::Orders).into_iter().peekable();
    let (mut levels, mut sums) = (Levels::default(), Levels::default());
    let mut compared = 0;
    for (index, row) in depth.iter().enumerate() {
        if row.kind == RowKind::Depth {
            levels.set(row);
        }
        let ends = row.flags & flags::END_OF_MESSAGE != 0;
        let alone = depth.get(index + 1).is_some_and(|next| next.exch_ns > row.exch_ns);
        if row.kind != RowKind::Depth || !ends || !alone {
            continue;
        }
        while let Some(order) = orders.next_if(|order| order.exch_ns <= row.exch_ns) {
            match order.kind {
                RowKind::OrderAdd => sums.add(&order, order.qty),
                RowKind::OrderDelete | RowKind::OrderExecute => sums.add(&order, -order.qty),
                _ => {}
            }
        }
        assert_eq!(levels, sums, "at row {index}");
        compared += 1;
    }
    assert!(compared > 2_000, "{compared} messages compared");
}

#[test]
fn every_trade_takes_the_best_price_and_no_more_than_is_shown() {
    for name in presets::NAMES {
        let mut book = Levels::default();
        let (mut trades, mut swept) = (0, Levels::default());
        for row in rows(&[name], 20.0, 4, Level::Depth) {
            match row.kind {
                RowKind::Depth => {
                    book.set(&row);
                    swept = book.clone();
                }
                RowKind::Trade => {
                    trades += 1;
                    let bought = row.flags & flags::ASK == 0;
                    let (bid, ask) = swept.best();
                    assert_eq!(row.price, Ticks(if bought { ask } else { bid }), "{name}");
                    // The level that was taken from is on the other side of the taker.
                    let taken = FlowRow { flags: row.flags ^ flags::ASK, ..row };
                    swept.add(&taken, -row.qty);
                }
                _ => {}
            }
        }
        assert!(trades > 100, "{name}: {trades} trades");
    }
}

#[test]
fn receive_times_follow_exchange_times_and_never_go_back() {
    let rows = rows(&["btcusdt", "altusdt"], 5.0, 2, Level::Depth);
    assert!(rows.windows(2).all(|w| w[0].recv_ns <= w[1].recv_ns && w[0].exch_ns <= w[1].exch_ns));
    let mut delays: Vec<i64> = rows.iter().map(|row| row.recv_ns - row.exch_ns).collect();
    delays.sort_unstable();
    assert!(delays[0] > 0);
    let median = delays[delays.len() / 2];
    assert!((1_800_000..2_600_000).contains(&median), "{median}");
}

#[test]
fn a_market_is_the_same_alone_and_in_company() {
    let strip = |rows: Vec<FlowRow>| -> Vec<FlowRow> {
        let own = rows.into_iter().filter(|row| row.instrument == 0);
        own.map(|row| FlowRow { recv_ns: 0, ..row }).collect()
    };
    let alone = strip(rows(&["btcusdt"], 2.0, 9, Level::Depth));
    let together = strip(rows(&["btcusdt", "ethusdt"], 2.0, 9, Level::Depth));
    assert_eq!(alone, together);
}

/// Mid price at every second, from published rows.
fn mids(name: &str, minutes: f64, seed: u64) -> Vec<f64> {
    let (mut book, mut mids, mut next) = (Levels::default(), Vec::new(), 0);
    for row in rows(&[name], minutes, seed, Level::Depth) {
        if row.exch_ns >= next && !book.0[0].is_empty() && !book.0[1].is_empty() {
            let (bid, ask) = book.best();
            #[allow(clippy::cast_precision_loss)]
            mids.push((bid + ask) as f64 / 2.0);
            next = row.exch_ns + 1_000_000_000;
        }
        if row.kind == RowKind::Depth {
            book.set(&row);
        }
    }
    mids
}

#[test]
fn prices_neither_explode_nor_freeze_over_many_seeds() {
    for (name, annual) in [("btcusdt", 0.55), ("altusdt", 1.1_f64)] {
        let mut variance = 0.0;
        let seeds = 12;
        for seed in 100..100 + seeds {
            let path = mids(name, 4.0, seed);
            let change = (path[path.len() - 1] / path[0]).ln();
            // Four minutes: eight standard deviations leave room for bursts of volatility.
            let bound = 8.0 * annual * (240.0_f64 / (365.0 * 86_400.0)).sqrt();
            assert!(change.abs() < bound, "{name} seed {seed}: {change}");
            variance += path.windows(2).map(|w| (w[1] / w[0]).ln().powi(2)).sum::<f64>() / 240.0;
        }
        let realised = (variance / f64::from(seeds as u32) * 365.0 * 86_400.0).sqrt();
        assert!((0.4..1.7).contains(&(realised / annual)), "{name}: {realised} of {annual}");
    }
}

#[test]
fn the_spread_of_btcusdt_is_one_tick_almost_always() {
    let mut book = Levels::default();
    let (mut at_one, mut total, mut since) = (0_i64, 0_i64, None);
    for row in rows(&["btcusdt"], 10.0, 6, Level::Depth) {
        if row.kind != RowKind::Depth {
            continue;
        }
        if let Some((spread, from)) = since {
            let span: i64 = row.exch_ns - from;
            assert!(spread >= 1);
            total += span;
            at_one += if spread == 1 { span } else { 0 };
        }
        book.set(&row);
        if row.flags & flags::END_OF_MESSAGE != 0 {
            let (bid, ask) = book.best();
            since = Some((ask - bid, row.exch_ns));
        } else {
            since = None;
        }
    }
    #[allow(clippy::cast_precision_loss)]
    let share = at_one as f64 / total as f64;
    assert!(share > 0.97, "{share}");
}

#[test]
fn signs_of_trades_persist() {
    let signs: Vec<f64> = rows(&["btcusdt"], 40.0, 1, Level::Depth)
        .iter()
        .filter(|row| row.kind == RowKind::Trade)
        .map(|row| if row.flags & flags::ASK == 0 { 1.0 } else { -1.0 })
        .collect();
    let n = signs.len() as f64;
    let mean = signs.iter().sum::<f64>() / n;
    let at = |lag: usize| {
        signs.windows(lag + 1).map(|w| (w[0] - mean) * (w[lag] - mean)).sum::<f64>()
            / n
            / (1.0 - mean * mean)
    };
    assert!(mean.abs() < 0.15, "{mean}");
    assert!(at(1) > 0.15 && at(1) < 0.6, "{}", at(1));
    assert!(at(5) > 0.03, "{}", at(5));
}

#[test]
fn limit_orders_are_placed_by_a_power_law() {
    // Behind the touch the share beyond d falls as (1 + d / scale)^-exponent.
    let shape = presets::market("btcusdt").unwrap().placement;
    let mut book = Levels::default();
    let mut far: Vec<f64> = Vec::new();
    for row in rows(&["btcusdt"], 40.0, 1, Level::Orders) {
        let side = usize::from(row.flags & flags::ASK != 0);
        if row.kind == RowKind::OrderAdd && row.flags & flags::SNAPSHOT == 0 {
            let (bid, ask) = book.best();
            let distance = if side == 0 { bid - row.price.0 } else { row.price.0 - ask };
            if distance > 0 {
                #[allow(clippy::cast_precision_loss)]
                far.push(distance as f64);
            }
        }
        match row.kind {
            RowKind::OrderAdd => book.add(&row, row.qty),
            RowKind::OrderDelete | RowKind::OrderExecute => book.add(&row, -row.qty),
            _ => {}
        }
    }
    let beyond = |d: f64| far.iter().filter(|x| **x > d).count() as f64 / far.len() as f64;
    for d in [70.0, 350.0, 1_400.0, 3_500.0] {
        let law = (1.0 + d / shape.scale_ticks).powf(-shape.exponent);
        assert!((beyond(d) / law - 1.0).abs() < 0.08, "beyond {d}: {} of {law}", beyond(d));
    }
}

#[test]
fn impossible_samples_are_refused() {
    let of = |names: &[&str], hours| FlowConfig::of_presets(names, hours, 1, Level::Depth);
    assert!(of(&["dogeusdt"], 1.0).unwrap_err().message().contains("btcusdt, ethusdt, altusdt"));
    assert!(of(&["btcusdt", "btcusdt"], 1.0).is_err());
    for hours in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e6] {
        assert!(of(&["btcusdt"], hours).is_err(), "{hours}");
    }
    let none = FlowConfig { markets: Vec::new(), ..of(&["btcusdt"], 1.0).unwrap() };
    assert!(Flow::new(&none).is_err());
}
