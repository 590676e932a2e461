//! The ledger against histories of the plain-Python reference, to the integer.
//!
//! `tests/reference/ledger_histories.py` writes them.

use mainspring_core::instrument::{InstrumentId, InstrumentKind};
use mainspring_core::{Decimal, Instrument, Lots, PriceGrid, Side, Ticks};
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::{Ledger, MarkPrice, Position};
use serde_json::Value;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn instrument(
    kind: InstrumentKind,
    [tick, lot, multiplier]: [&str; 3],
    [maker, taker]: [&str; 2],
) -> Instrument {
    Instrument {
        symbol: format!("{kind:?}"),
        venue: "test".into(),
        kind,
        base: "BTC".into(),
        quote: if kind.is_inverse() { "USD" } else { "USDT" }.into(),
        grids: vec![PriceGrid::fixed(decimal(tick))],
        lot: decimal(lot),
        multiplier: decimal(multiplier),
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: decimal(maker),
        taker_fee: decimal(taker),
        margin_tiers: vec![],
    }
}

fn instruments() -> Vec<Instrument> {
    use InstrumentKind::{InversePerpetual, LinearPerpetual, Spot};
    vec![
        instrument(LinearPerpetual, ["0.1", "0.001", "1"], ["-0.00005", "0.000333333"]),
        instrument(Spot, ["0.01", "0.00001", "1"], ["0", "0"]),
        instrument(InversePerpetual, ["0.1", "1", "100"], ["0.0001", "0.000555557"]),
        instrument(LinearPerpetual, ["0.00000001", "0.00000001", "1"], ["0", "0.000777777"]),
    ]
}

fn whole(value: &Value) -> i128 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => i128::from(other.as_i64().unwrap()),
    }
}

fn small(value: &Value) -> i64 {
    i64::try_from(whole(value)).unwrap()
}

fn take(ledger: &mut Ledger, fees: &mut [FeeSchedule], step: &Value) {
    let at = step["at"].as_u64().unwrap() as usize;
    let id = InstrumentId(at as u16);
    let price = Ticks(small(&step["price"]));
    if step["what"] == "funding" {
        let mark = MarkPrice::of_row(price, small(&step["fraction"]));
        ledger.funding(id, small(&step["rate"]), mark).unwrap();
        return;
    }
    let qty = Lots(small(&step["qty"]));
    let side = if step["buy"] == true { Side::Buy } else { Side::Sell };
    let notional = ledger.contract(id).unwrap().notional(price, qty).unwrap();
    let fee = fees[at].charge(step["maker"] == true, notional, qty);
    let strategy = small(&step["strategy"]) as u16;
    let effect = ledger.fill(strategy, id, side, price, qty, fee).unwrap();
    assert_eq!(effect.realised.0, whole(&step["realised"]), "{step}");
    assert_eq!(effect.fee.0, whole(&step["fee"]), "{step}");
}

fn same(position: &Position, expected: &Value) {
    let got = [
        i128::from(position.lots.0),
        position.cost,
        position.realised.0,
        position.fees.0,
        position.funding.0,
    ];
    let want = ["lots", "cost", "realised", "fees", "funding"].map(|name| whole(&expected[name]));
    assert_eq!(got, want);
}

#[test]
fn every_history_ends_as_in_the_reference() {
    let text = include_str!("../../../tests/reference/ledger_histories.json");
    let mut count = 0;
    for line in text.lines() {
        let history: Value = serde_json::from_str(line).unwrap();
        let deposits =
            [("USDT".to_owned(), decimal("1000.5")), ("BTC".to_owned(), decimal("0.25"))];
        let mut ledger = Ledger::new(&instruments(), 2, &deposits).unwrap();
        let mut fees: Vec<_> = instruments().iter().map(|i| FeeSchedule::of(i).unwrap()).collect();
        for step in history["steps"].as_array().unwrap() {
            take(&mut ledger, &mut fees, step);
        }
        ledger.check().unwrap();
        for at in 0..4_u16 {
            let id = InstrumentId(at);
            let index = usize::from(at);
            ledger.mark(id, MarkPrice(whole(&history["marks"][index])));
            same(ledger.net(id).unwrap(), &history["net"][index]);
            for strategy in 0..2_u16 {
                let expected = &history["positions"][usize::from(strategy) * 4 + index];
                same(ledger.position(strategy, id).unwrap(), expected);
                let unrealised = ledger.unrealised(strategy, id).0;
                assert_eq!(unrealised, whole(&expected["unrealised"]));
            }
        }
        for currency in ["USDT", "BTC"] {
            let accounts = ledger.accounts(currency).unwrap();
            let expected = &history["totals"][currency];
            assert_eq!(accounts.cash, whole(&expected["cash"]));
            assert_eq!(accounts.market, whole(&expected["market"]));
            assert_eq!(accounts.fee_income, whole(&expected["fee_income"]));
            assert_eq!(accounts.funding_pool, whole(&expected["funding_pool"]));
            assert_eq!(accounts.venue_residual, whole(&expected["residual"]));
        }
        count += 1;
    }
    assert_eq!(count, 40);
}
