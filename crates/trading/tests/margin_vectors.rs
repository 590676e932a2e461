//! Margin, liquidation and exposure against `tests/vectors/risk.json`, and inverse cases by hand.

use mainspring_core::instrument::MarginTier;
use mainspring_core::{Decimal, Money};
use mainspring_trading::exposure::{exposure, Holding};
use mainspring_trading::margin::{
    liquidation_price, liquidation_price_entry_mm, liquidation_price_hyperliquid,
    liquidation_price_inverse, maintenance_deductions, MarginTable, MarginedPosition, Tier,
};
use serde_json::Value;

fn vectors(function: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/risk.json");
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    let suite: Value = serde_json::from_str(&text).expect("the vectors are JSON");
    let all = suite["vectors"].as_array().expect("a list of vectors").clone();
    let chosen: Vec<Value> = all.into_iter().filter(|v| v["fn"] == function).collect();
    assert!(!chosen.is_empty(), "no vectors of {function}");
    chosen
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn close(got: f64, vector: &Value, expected: &Value, what: &str) {
    let expected = number(expected);
    let tolerance =
        number(&vector["tolerance"]["abs"]) + number(&vector["tolerance"]["rel"]) * expected.abs();
    assert!((got - expected).abs() <= tolerance, "{} {what}: {got} != {expected}", vector["id"]);
}

#[test]
fn deductions_follow_from_caps_and_rates() {
    for v in vectors("maintenance_deductions") {
        let (caps, rates) = (numbers(&v["inputs"]["caps"]), numbers(&v["inputs"]["rates"]));
        let expected = v["expected"]["deduction"].as_array().unwrap();
        let exact = table(&caps, &rates).tiers();
        for (n, got) in maintenance_deductions(&caps, &rates).into_iter().enumerate() {
            close(got, &v, &expected[n], "deduction");
            close(exact[n].deduction, &v, &expected[n], "exact deduction");
        }
    }
}

fn table(caps: &[f64], rates: &[f64]) -> MarginTable {
    let decimal = |x: f64| x.to_string().parse::<Decimal>().unwrap();
    let tiers: Vec<MarginTier> = caps
        .iter()
        .zip(rates)
        .map(|(cap, rate)| MarginTier {
            notional_cap: Some(decimal(*cap)),
            maintenance_rate: decimal(*rate),
            max_leverage: 20,
        })
        .collect();
    MarginTable::new(&tiers).unwrap()
}

fn position(inputs: &Value) -> MarginedPosition {
    MarginedPosition {
        collateral: number(&inputs["collateral"]),
        qty: number(&inputs["qty"]),
        entry: number(&inputs["entry"]),
        other_maintenance: number(&inputs["other_maintenance"]),
        other_unrealised: number(&inputs["other_unrealized"]),
        close_fee_rate: number(&inputs["close_fee_rate"]),
    }
}

fn tiers(inputs: &Value) -> Vec<Tier> {
    let tier = |t: &Value| Tier {
        cap: t["notional_cap"].as_f64().unwrap_or(f64::INFINITY),
        rate: number(&t["mmr"]),
        deduction: number(&t["deduction"]),
    };
    inputs["tiers"].as_array().unwrap().iter().map(tier).collect()
}

#[test]
fn tiered_liquidation_prices() {
    for v in vectors("liquidation_price") {
        let found = liquidation_price(&position(&v["inputs"]), &tiers(&v["inputs"]));
        let expected = &v["expected"];
        let Some(found) = found else {
            assert!(expected["liquidation_price"].is_null(), "{}", v["id"]);
            continue;
        };
        close(found.price, &v, &expected["liquidation_price"], "price");
        if let Some(tier) = expected.get("tier") {
            assert_eq!(Some(found.tier as u64), tier.as_u64(), "{}", v["id"]);
            close(found.maintenance, &v, &expected["mm_at_liq"], "maintenance");
            close(found.equity, &v, &expected["equity_at_liq"], "equity");
        }
    }
}

#[test]
fn rules_of_single_venues() {
    for v in vectors("liquidation_price_entry_mm") {
        let i = |name: &str| number(&v["inputs"][name]);
        let got = liquidation_price_entry_mm(
            i("entry"),
            i("qty"),
            i("leverage"),
            i("mmr"),
            i("deduction"),
            i("extra_margin"),
        );
        close(got, &v, &v["expected"]["liquidation_price"], "price");
    }
    for v in vectors("liquidation_price_hyperliquid") {
        let i = |name: &str| number(&v["inputs"][name]);
        let got = liquidation_price_hyperliquid(
            i("side"),
            i("price"),
            i("margin_available"),
            i("position_size"),
            i("maintenance_leverage"),
        );
        close(got, &v, &v["expected"]["liquidation_price"], "price");
    }
}

#[test]
fn exposure_of_a_book() {
    for v in vectors("exposure") {
        let holding = |p: &Value| Holding {
            qty: number(&p["qty"]),
            mark: number(&p["mark"]),
            beta: number(&p["beta"]),
        };
        let holdings: Vec<_> =
            v["inputs"]["positions"].as_array().unwrap().iter().map(holding).collect();
        let got = exposure(number(&v["inputs"]["equity"]), &holdings);
        let figures = [
            ("gross", got.gross),
            ("net", got.net),
            ("long", got.long),
            ("short", got.short),
            ("gross_leverage", got.gross_leverage.unwrap()),
            ("net_leverage", got.net_leverage.unwrap()),
            ("beta_adjusted_net", got.beta_adjusted_net),
            ("largest_share", got.largest_share),
            ("herfindahl", got.herfindahl),
        ];
        for (name, figure) in figures {
            close(figure, &v, &v["expected"][name], name);
        }
    }
    assert_eq!(exposure(0.0, &[]).gross_leverage, None);
}

const FLAT: Tier = Tier { cap: f64::INFINITY, rate: 0.005, deduction: 0.0 };

fn inverse(qty: f64, collateral: f64) -> MarginedPosition {
    MarginedPosition {
        collateral,
        qty,
        entry: 50_000.0,
        other_maintenance: 0.0,
        other_unrealised: 0.0,
        close_fee_rate: 0.0,
    }
}

#[test]
fn inverse_liquidation_by_hand() {
    // Long 10,000 USD at 50,000 with 0.02 BTC: 10,050 / (0.02 + 0.2) = 45,681.81...
    let long = liquidation_price_inverse(&inverse(10_000.0, 0.02), &[FLAT]).unwrap();
    assert!((long.price - 10_050.0 / 0.22).abs() < 1e-9, "{}", long.price);
    assert!((long.equity - long.maintenance).abs() < 1e-15);
    // Short: 9,950 / (0.2 - 0.02) = 55,277.77...
    let short = liquidation_price_inverse(&inverse(-10_000.0, 0.02), &[FLAT]).unwrap();
    assert!((short.price - 9_950.0 / 0.18).abs() < 1e-9, "{}", short.price);
    assert!((short.equity - short.maintenance).abs() < 1e-15);
    // Short with as much base as it owes is hedged: nothing liquidates it.
    assert_eq!(liquidation_price_inverse(&inverse(-10_000.0, 0.2), &[FLAT]), None);
    // Tiers in base: at 45,681 the value is 0.2189 BTC, so that a first cap of 0.1 is passed.
    let tiers = [
        Tier { cap: 0.1, rate: 0.005, deduction: 0.0 },
        Tier { cap: f64::INFINITY, rate: 0.01, deduction: 0.0005 },
    ];
    let tiered = liquidation_price_inverse(&inverse(10_000.0, 0.02), &tiers).unwrap();
    assert!((tiered.price - 10_100.0 / 0.2205).abs() < 1e-9);
    assert_eq!(tiered.tier, 1);
}

#[test]
fn exact_maintenance_is_continuous_over_the_caps() {
    let unit = mainspring_core::money::QUANTA_PER_UNIT;
    let t = table(&[50_000.0, 250_000.0], &[0.004, 0.005]);
    assert_eq!(t.maintenance(50_000 * unit), Money(200 * unit));
    assert_eq!(t.maintenance(50_000 * unit + 1_000), Money(200 * unit + 5));
    assert_eq!(t.maintenance(100_000 * unit), Money(450 * unit));
    // Above the last cap the last tier goes on.
    assert_eq!(t.maintenance(1_000_000 * unit), Money(4_950 * unit));
    assert_eq!(t.initial(100 * unit, 50), Money(5 * unit));
    assert_eq!(t.initial(7, 2), Money(4));
    let none = MarginTable::new(&[]).unwrap();
    assert_eq!((none.maintenance(5), none.initial(5, 10)), (Money(0), Money(5)));
}

#[test]
fn tables_that_do_not_ascend_are_refused() {
    let tier = |cap: Option<&str>, rate: &str| MarginTier {
        notional_cap: cap.map(|c| c.parse().unwrap()),
        maintenance_rate: rate.parse().unwrap(),
        max_leverage: 10,
    };
    let bad = [
        vec![tier(Some("10"), "0.01"), tier(Some("10"), "0.02")],
        vec![tier(Some("10"), "0.02"), tier(None, "0.01")],
        vec![tier(None, "0.01"), tier(Some("10"), "0.02")],
        vec![tier(Some("-1"), "0.01")],
        vec![tier(None, "0")],
    ];
    for tiers in bad {
        assert!(MarginTable::new(&tiers).is_err(), "{tiers:?}");
    }
}
