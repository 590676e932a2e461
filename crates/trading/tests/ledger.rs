//! The ledger: hand-worked cases, and conservation of money over random histories.

use mainspring_core::instrument::{InstrumentId, InstrumentKind};
use mainspring_core::money::QUANTA_PER_UNIT;
use mainspring_core::{Decimal, Instrument, Lots, Money, PriceGrid, Side, Ticks};
use mainspring_trading::fee::{proportional_fee, FeeOutcome};
use mainspring_trading::ledger::{Ledger, MarkPrice};
use proptest::prelude::*;

const PERP: InstrumentId = InstrumentId(0);
const SPOT: InstrumentId = InstrumentId(1);
const INVERSE: InstrumentId = InstrumentId(2);

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn instrument(kind: InstrumentKind, tick: &str, lot: &str, multiplier: &str) -> Instrument {
    let inverse = kind.is_inverse();
    Instrument {
        symbol: format!("BTC-{kind:?}"),
        venue: "test".into(),
        kind,
        base: "BTC".into(),
        quote: if inverse { "USD" } else { "USDT" }.into(),
        grids: vec![PriceGrid::fixed(decimal(tick))],
        lot: decimal(lot),
        multiplier: decimal(multiplier),
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

/// A linear perpetual (tick 0.1, lot 0.001), spot (tick 0.01, lot 0.00001), an inverse perpetual
/// (tick 0.1, contracts of 100 USD).
fn instruments() -> Vec<Instrument> {
    vec![
        instrument(InstrumentKind::LinearPerpetual, "0.1", "0.001", "1"),
        instrument(InstrumentKind::Spot, "0.01", "0.00001", "1"),
        instrument(InstrumentKind::InversePerpetual, "0.1", "1", "100"),
    ]
}

fn ledger() -> Ledger {
    let deposits = [("USDT".to_owned(), decimal("10000")), ("BTC".to_owned(), decimal("2"))];
    Ledger::new(&instruments(), 2, &deposits).unwrap()
}

/// Money from decimal text.
fn money(text: &str) -> Money {
    Money(decimal(text).to_scale(18).unwrap())
}

fn free(ledger: &mut Ledger, at: InstrumentId, side: Side, price: i64, qty: i64) -> Money {
    ledger.fill(0, at, side, Ticks(price), Lots(qty), FeeOutcome::NONE).unwrap().realised
}

#[test]
fn a_linear_round_trip_by_hand() {
    let mut l = ledger();
    // Buy 3 at 61,800.0 and 1 at 61,804.0 (lots of 0.001): cost 4 lots at 61,801.0.
    free(&mut l, PERP, Side::Buy, 618_000, 3);
    free(&mut l, PERP, Side::Buy, 618_040, 1);
    assert_eq!(
        l.position(0, PERP).unwrap().entry_price(l.contract(PERP).unwrap()),
        Some(618_010.0)
    );
    // Sell 2 at 61,811.0: 10.0 x 0.002.
    assert_eq!(free(&mut l, PERP, Side::Sell, 618_110, 2), money("0.02"));
    // Flip: sell 5 at 61,791.0 closes 2 at a loss of 10.0 each and opens 3 short.
    assert_eq!(free(&mut l, PERP, Side::Sell, 617_910, 5), money("-0.02"));
    let position = l.position(0, PERP).unwrap();
    assert_eq!((position.lots, position.cost), (Lots(-3), -3 * 617_910));
    // Half a tick above: a loss of 0.05 x 0.003.
    l.mark(PERP, MarkPrice::mid(Ticks(617_910), Ticks(617_911)));
    assert_eq!(l.unrealised(0, PERP), money("-0.00015"));
    assert_eq!(l.cash("USDT"), money("10000"));
    l.check().unwrap();
}

#[test]
fn the_cost_of_a_part_is_rounded_half_to_even_and_the_rest_stays() {
    let mut l = ledger();
    // Cost 10 + 11 + 11 = 32 tick-lots for 3 lots; a third is 10.67, so 11 and then 10.5 -> 10.
    for price in [10, 11, 11] {
        free(&mut l, PERP, Side::Buy, price, 1);
    }
    let tick = money("0.0001");
    assert_eq!(free(&mut l, PERP, Side::Sell, 20, 1), Money(9 * tick.0));
    assert_eq!(l.position(0, PERP).unwrap().cost, 21);
    assert_eq!(free(&mut l, PERP, Side::Sell, 20, 1), Money(10 * tick.0));
    assert_eq!(l.position(0, PERP).unwrap().cost, 11);
    assert_eq!(free(&mut l, PERP, Side::Sell, 20, 1), Money(9 * tick.0));
    assert_eq!(*l.position(0, PERP).unwrap(), *l.net(PERP).unwrap());
    assert_eq!(l.position(0, PERP).unwrap().cost, 0);
    l.check().unwrap();
}

#[test]
fn spot_delivers_and_pays() {
    let mut l = ledger();
    // 0.5 BTC at 60,000.00 costs 30,000 USDT; 0.2 BTC sold at 61,000.00 bring 12,200.
    free(&mut l, SPOT, Side::Buy, 6_000_000, 50_000);
    assert_eq!((l.cash("USDT"), l.cash("BTC")), (money("-20000"), money("2.5")));
    assert_eq!(free(&mut l, SPOT, Side::Sell, 6_100_000, 20_000), money("200"));
    assert_eq!((l.cash("USDT"), l.cash("BTC")), (money("-7800"), money("2.3")));
    l.mark(SPOT, MarkPrice::at(Ticks(6_200_000)));
    assert_eq!(l.unrealised(0, SPOT), money("600"));
    l.check().unwrap();
    // The deposit of 2 BTC is converted at the mark, and its later gain stands apart.
    let s = l.statement("USDT").unwrap();
    assert_eq!((s.deposits, s.conversion), (money("134000"), Money::ZERO));
    assert_eq!(s.equity(), money("134800"));
    l.mark(SPOT, MarkPrice::at(Ticks(6_300_000)));
    let s = l.statement("USDT").unwrap();
    assert_eq!((s.conversion, s.unrealised), (money("2000"), money("900")));
    // Equity is what selling everything at the mark would leave: -7,800 + 2.3 x 63,000.
    assert_eq!(s.equity(), money("137100"));
}

#[test]
fn an_inverse_round_trip_by_hand() {
    let mut l = ledger();
    // 100 contracts of 100 USD at 50,000.0 are 0.2 BTC; at 62,500.0 they are 0.16 BTC.
    free(&mut l, INVERSE, Side::Buy, 500_000, 100);
    assert_eq!(l.position(0, INVERSE).unwrap().cost, money("0.2").0);
    l.mark(INVERSE, MarkPrice::at(Ticks(625_000)));
    assert_eq!(l.unrealised(0, INVERSE), money("0.04"));
    assert_eq!(free(&mut l, INVERSE, Side::Sell, 625_000, 100), money("0.04"));
    assert_eq!(l.cash("BTC"), money("2.04"));
    // Short 100 at 62,500.0, covered at 50,000.0: 0.2 - 0.16 again.
    free(&mut l, INVERSE, Side::Sell, 625_000, 100);
    assert_eq!(free(&mut l, INVERSE, Side::Buy, 500_000, 100), money("0.04"));
    l.check().unwrap();
}

#[test]
fn an_inverse_value_that_does_not_divide_is_rounded_to_the_quantum() {
    let mut l = ledger();
    // 1 contract of 100 USD at 30,000.0: 1/300 BTC = 0.00333..., at 60,000.0: 1/600 = 0.001666...
    free(&mut l, INVERSE, Side::Buy, 300_000, 1);
    assert_eq!(l.position(0, INVERSE).unwrap().cost, 3_333_333_333_333_333);
    let realised = free(&mut l, INVERSE, Side::Sell, 600_000, 1);
    assert_eq!(realised, Money(3_333_333_333_333_333 - 1_666_666_666_666_667));
    let entry = 1e18 / (3_333_333_333_333_333.0 * 1e-3);
    free(&mut l, INVERSE, Side::Buy, 300_000, 1);
    let position = l.position(0, INVERSE).unwrap();
    let price = position.entry_price(l.contract(INVERSE).unwrap()).unwrap();
    assert!((price - entry).abs() < 1e-6, "{price}");
}

#[test]
fn funding_by_hand() {
    let mut l = ledger();
    // Long 2 BTC at mark 60,000.05, rate 0.01 %: pays 12.00001.
    free(&mut l, PERP, Side::Buy, 600_000, 2_000);
    let mark = MarkPrice::of_row(Ticks(600_000), 500_000_000);
    assert_eq!(l.funding(PERP, 100_000, mark).unwrap(), money("-12.00001"));
    // A short of the other strategy receives from the pool; a negative rate turns it round.
    l.fill(1, PERP, Side::Sell, Ticks(600_000), Lots(500), FeeOutcome::NONE).unwrap();
    assert_eq!(l.funding(PERP, -100_000, MarkPrice::at(Ticks(600_000))).unwrap(), money("9"));
    assert_eq!(l.position(0, PERP).unwrap().funding, money("-0.00001"));
    assert_eq!(l.position(1, PERP).unwrap().funding, money("-3"));
    assert_eq!(l.net(PERP).unwrap().funding, money("-3.00001"));
    assert_eq!(l.accounts("USDT").unwrap().funding_pool, money("3.00001").0);
    // Inverse: 100 contracts of 100 USD at mark 50,000.0 are 0.2 BTC; 0.01 % of it is 0.00002.
    free(&mut l, INVERSE, Side::Buy, 500_000, 100);
    let paid = l.funding(INVERSE, 100_000, MarkPrice::at(Ticks(500_000))).unwrap();
    assert_eq!(paid, money("-0.00002"));
    l.check().unwrap();
    assert!(l.funding(PERP, 1_000_000_000, mark).is_err());
}

#[test]
fn fees_are_apart_from_profit_and_reach_the_venue() {
    let mut l = ledger();
    let fee = proportional_fee(money("60000").0, 500_000);
    let effect = l.fill(0, PERP, Side::Buy, Ticks(600_000), Lots(1_000), fee).unwrap();
    assert_eq!((effect.fee, effect.realised), (money("30"), Money::ZERO));
    let rebate = proportional_fee(money("60000").0, -100_000);
    l.fill(0, PERP, Side::Sell, Ticks(600_000), Lots(1_000), rebate).unwrap();
    assert_eq!(l.position(0, PERP).unwrap().fees, money("24"));
    assert_eq!(l.accounts("USDT").unwrap().fee_income, money("24").0);
    let s = l.native("USDT");
    assert_eq!((s.realised, s.fees, s.equity()), (Money::ZERO, money("24"), money("9976")));
}

#[test]
fn strategies_that_offset_each_other_agree_with_the_net_position_in_sum() {
    let mut l = ledger();
    l.fill(0, PERP, Side::Buy, Ticks(100), Lots(5), FeeOutcome::NONE).unwrap();
    l.fill(1, PERP, Side::Sell, Ticks(110), Lots(5), FeeOutcome::NONE).unwrap();
    l.mark(PERP, MarkPrice::at(Ticks(104)));
    let net = *l.net(PERP).unwrap();
    assert_eq!((net.lots, net.realised), (Lots(0), Money(50 * money("0.0001").0)));
    let open = l.unrealised(0, PERP) + l.unrealised(1, PERP);
    assert_eq!(open, net.realised);
}

#[test]
fn what_cannot_be_booked_is_refused_and_changes_nothing() {
    let mut l = ledger();
    let before = format!("{l:?}");
    let mut fill = |strategy, at, price, qty| {
        l.fill(strategy, at, Side::Buy, Ticks(price), Lots(qty), FeeOutcome::NONE)
    };
    assert!(fill(2, PERP, 100, 1).is_err());
    assert!(fill(0, InstrumentId(3), 100, 1).is_err());
    assert!(fill(0, PERP, 100, -1).is_err());
    assert!(fill(0, PERP, i64::MAX, i64::MAX).is_err());
    assert!(fill(0, INVERSE, 0, 1).is_err());
    assert!(fill(0, INVERSE, 1, i64::MAX).is_err());
    assert_eq!(format!("{l:?}"), before);
    assert!(l.deposit("USDT", decimal("-1")).is_err());
}

#[test]
fn a_currency_without_a_rate_is_an_error_until_one_is_set() {
    let mut l = Ledger::new(&instruments()[..1], 1, &[("EUR".into(), decimal("100"))]).unwrap();
    assert!(l.statement("USDT").unwrap_err().message().contains("EUR"));
    // An instrument between the two will have a price some time: until then its base is left out.
    assert_eq!(ledger().statement("USDT").unwrap().equity(), money("10000"));
    l.set_rate("EUR", "USDT", money("1.1").0);
    assert_eq!(l.statement("USDT").unwrap().equity(), money("110"));
    l.set_rate("EUR", "USDT", money("1.2").0);
    let s = l.statement("USDT").unwrap();
    assert_eq!((s.deposits, s.conversion), (money("110"), money("10")));
}

/// Spot of two currencies with a tick and a lot of one thousandth.
fn pair(base: &str, quote: &str) -> Instrument {
    let spot = instrument(InstrumentKind::Spot, "0.001", "0.001", "1");
    Instrument { symbol: format!("{base}{quote}"), base: base.into(), quote: quote.into(), ..spot }
}

#[test]
fn what_settles_in_another_currency_is_valued_by_the_books_of_the_run() {
    let listed = [pair("BTC", "USDT"), pair("ETH", "BTC")];
    let mut l = Ledger::new(&listed, 1, &[("USDT".into(), decimal("60000"))]).unwrap();
    // One BTC for 50,000, half of it for ten ETH at 0.05.
    l.fill(0, InstrumentId(0), Side::Buy, Ticks(50_000_000), Lots(1_000), FeeOutcome::NONE)
        .unwrap();
    l.fill(0, InstrumentId(1), Side::Buy, Ticks(50), Lots(10_000), FeeOutcome::NONE).unwrap();
    assert_eq!(l.statement("USDT").unwrap().equity(), money("60000"));
    assert_eq!(
        (l.cash("USDT"), l.cash("BTC"), l.cash("ETH")),
        (money("10000"), money("0.5"), money("10"))
    );
    // BTC rises to 52,000 and ETH to 0.06 BTC: 10,000 + 0.5 x 52,000 + 10 x 0.06 x 52,000.
    l.mark(InstrumentId(0), MarkPrice::at(Ticks(52_000_000)));
    l.mark(InstrumentId(1), MarkPrice::at(Ticks(60)));
    assert_eq!(l.statement("USDT").unwrap().equity(), money("67200"));
    l.check().unwrap();
}

#[test]
fn a_way_over_two_books_is_found_and_each_step_is_rounded() {
    let listed = [pair("BTC", "USDT"), pair("ETH", "BTC")];
    let deposits = [("ETH".to_owned(), decimal("2"))];
    let mut l = Ledger::new(&listed, 1, &deposits).unwrap();
    l.check_rates("USDT").unwrap();
    assert_eq!(l.statement("USDT").unwrap().equity(), Money::ZERO, "no prices yet");
    l.mark(InstrumentId(0), MarkPrice::at(Ticks(50_000_000)));
    l.mark(InstrumentId(1), MarkPrice::at(Ticks(60)));
    assert_eq!(l.statement("USDT").unwrap().equity(), money("6000"));
    // The other way round: 0.00002 x 16.666666666666666667, to 18 decimals, for each of 50,000.
    let mut l = Ledger::new(&listed, 1, &[("USDT".into(), decimal("50000"))]).unwrap();
    l.mark(InstrumentId(0), MarkPrice::at(Ticks(50_000_000)));
    l.mark(InstrumentId(1), MarkPrice::at(Ticks(60)));
    assert_eq!(l.statement("ETH").unwrap().equity(), money("16.66666666666665"));
}

#[test]
fn a_deposit_that_nothing_can_value_is_told_at_the_start() {
    let listed = [pair("BTC", "USDT")];
    let deposits = [("EUR".to_owned(), decimal("5")), ("USDT".to_owned(), decimal("1"))];
    let mut l = Ledger::new(&listed, 1, &deposits).unwrap();
    let error = l.check_rates("USDT").unwrap_err();
    assert!(error.message().contains("no rate from EUR to USDT"), "{error:?}");
    l.set_rate("EUR", "BTC", money("0.00002").0);
    l.check_rates("USDT").unwrap();
    l.mark(InstrumentId(0), MarkPrice::at(Ticks(60_000_000)));
    assert_eq!(l.statement("USDT").unwrap().equity(), money("7"), "5 x 0.00002 x 60,000 + 1");
}

/// Every way between two of five currencies, shortest first and then by currency: each step is a
/// division of whole numbers, rounded half to even.
fn rate_by_hand(prices: &[(usize, usize, i128)], from: usize, to: usize) -> Option<i128> {
    fn half_even(number: i128, by: i128) -> i128 {
        let (whole, rest) = (number.div_euclid(by), number.rem_euclid(by));
        match (2 * rest).cmp(&by) {
            std::cmp::Ordering::Less => whole,
            std::cmp::Ordering::Greater => whole + 1,
            std::cmp::Ordering::Equal => whole + (whole & 1),
        }
    }
    let direct = |from: usize, to: usize| {
        prices.iter().find_map(|(base, quote, milli)| {
            let rate = milli * 1_000_000_000_000_000;
            if (*base, *quote) == (from, to) {
                Some(rate)
            } else if (*base, *quote) == (to, from) {
                Some(half_even(QUANTA_PER_UNIT * QUANTA_PER_UNIT, rate))
            } else {
                None
            }
        })
    };
    let mut ways = vec![vec![from]];
    for _ in 0..4 {
        for way in &ways {
            let steps: Option<Vec<i128>> =
                way.windows(2).map(|step| direct(step[0], step[1])).collect();
            let last = direct(*way.last().unwrap(), to);
            if let (Some(steps), Some(last)) = (steps, last) {
                // From the end: each step's rate times the rate of the rest.
                let times = |rest: i128, step: &i128| {
                    let (whole, part) = (step / QUANTA_PER_UNIT, step % QUANTA_PER_UNIT);
                    let (high, low) = (rest / QUANTA_PER_UNIT, rest % QUANTA_PER_UNIT);
                    let product = part * low;
                    whole * rest
                        + part * high
                        + half_even_of_product(product, whole * rest + part * high)
                };
                return Some(steps.iter().rev().fold(last, times));
            }
        }
        let longer = ways.iter().flat_map(|way| {
            (0..5).filter(|via| !way.contains(via) && *via != to).map(|via| {
                let mut way = way.clone();
                way.push(via);
                way
            })
        });
        ways = longer.collect();
    }
    None
}

/// A product of two fractions of a unit in quanta, rounded half to even on the whole it joins.
fn half_even_of_product(product: i128, whole: i128) -> i128 {
    let (quanta, rest) = (product / QUANTA_PER_UNIT, product % QUANTA_PER_UNIT);
    let half = QUANTA_PER_UNIT / 2;
    quanta + i128::from(rest > half || (rest == half && (whole + quanta) & 1 == 1))
}

proptest! {
    #[test]
    fn rates_are_those_of_the_shortest_way(
        prices in prop::collection::vec((0_usize..5, 0_usize..5, 1_i64..5_000_000), 1..7),
        from in 0_usize..5,
        to in 0_usize..5,
    ) {
        const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];
        prop_assume!(from != to);
        let mut known: Vec<(usize, usize, i128)> = Vec::new();
        for (base, quote, price) in prices {
            let there = known.iter().any(|(b, q, _)| {
                (*b, *q) == (base, quote) || (*b, *q) == (quote, base)
            });
            if base != quote && !there {
                known.push((base, quote, i128::from(price)));
            }
        }
        prop_assume!(!known.is_empty());
        let listed: Vec<_> = known.iter().map(|(b, q, _)| pair(NAMES[*b], NAMES[*q])).collect();
        let mut l = Ledger::new(&listed, 1, &[]).unwrap();
        // The order of currencies decides between ways of one length: it is that of the instruments.
        let mut order: Vec<usize> = Vec::new();
        for one in known.iter().flat_map(|(b, q, _)| [*b, *q]).chain([from, to]) {
            if !order.contains(&one) {
                order.push(one);
            }
        }
        let place = |one: usize| order.iter().position(|other| *other == one).unwrap();
        let placed: Vec<_> = known.iter().map(|(b, q, p)| (place(*b), place(*q), *p)).collect();
        l.deposit(NAMES[from], decimal("1")).unwrap();
        for (at, (_, _, price)) in (0_u16..).zip(&known) {
            l.mark(InstrumentId(at), MarkPrice::at(Ticks(*price as i64)));
        }
        let expected = rate_by_hand(&placed, place(from), place(to));
        match l.statement(NAMES[to]) {
            Ok(statement) => prop_assert_eq!(Some(statement.equity().0), expected),
            Err(_) => prop_assert_eq!(None, expected),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Fill { strategy: u16, at: usize, buy: bool, price: i64, qty: i64, rate: i64 },
    Funding { at: usize, rate: i64, price: i64, fraction: i64 },
    Mark { at: usize, price: i64, fraction: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let price = prop_oneof![1_i64..50, 500_000_i64..700_000];
    let qty = prop_oneof![1_i64..20, 1_i64..3_000_000];
    prop_oneof![
        4 => (0_u16..2, 0_usize..3, any::<bool>(), price.clone(), qty, -200_000_i64..900_001)
            .prop_map(|(strategy, at, buy, price, qty, rate)| {
                Step::Fill { strategy, at, buy, price, qty, rate }
            }),
        1 => (0_usize..3, -999_999_i64..1_000_000, price.clone(), 0_i64..1_000_000_000)
            .prop_map(|(at, rate, price, fraction)| Step::Funding { at, rate, price, fraction }),
        1 => (0_usize..3, price, 0_i64..1_000_000_000)
            .prop_map(|(at, price, fraction)| Step::Mark { at, price, fraction }),
    ]
}

/// Value flows of the linear instruments by definition: what went out for what came in.
#[derive(Default)]
struct Flows {
    lots: [i128; 3],
    tick_lots: [i128; 3],
}

proptest! {
    #[test]
    fn money_is_conserved_over_any_history(steps in prop::collection::vec(step(), 1..120)) {
        let mut l = ledger();
        let mut flows = Flows::default();
        for step in steps {
            match step {
                Step::Fill { strategy, at, buy, price, qty, rate } => {
                    let side = if buy { Side::Buy } else { Side::Sell };
                    let id = InstrumentId(at as u16);
                    let notional =
                        l.contract(id).unwrap().notional(Ticks(price), Lots(qty)).unwrap();
                    let fee = proportional_fee(notional, rate);
                    l.fill(strategy, id, side, Ticks(price), Lots(qty), fee).unwrap();
                    let signed = i128::from(qty * side.sign());
                    flows.lots[at] += signed;
                    flows.tick_lots[at] += signed * i128::from(price);
                }
                Step::Funding { at, rate, price, fraction } => {
                    let mark = MarkPrice::of_row(Ticks(price), fraction);
                    l.funding(InstrumentId(at as u16), rate, mark).unwrap();
                }
                Step::Mark { at, price, fraction } => {
                    l.mark(InstrumentId(at as u16), MarkPrice::of_row(Ticks(price), fraction));
                }
            }
            l.check().unwrap();
        }
        // Realised and unrealised together are the flows, whatever the path and the rounding.
        for (at, tick_value) in [(0, money("0.0001").0), (1, money("0.0000001").0)] {
            let id = InstrumentId(at as u16);
            l.mark(id, MarkPrice::at(Ticks(1_000)));
            let earned: Money = (0..2)
                .map(|s| l.position(s, id).unwrap().realised + l.unrealised(s, id))
                .sum();
            let expected = (flows.lots[at] * 1_000 - flows.tick_lots[at]) * tick_value;
            prop_assert_eq!(earned, Money(expected));
            prop_assert_eq!(i128::from(l.net(id).unwrap().lots.0), flows.lots[at]);
        }
        // Base delivered is base held.
        let delivered = flows.lots[1] * QUANTA_PER_UNIT / 100_000;
        let inverse: Money = (0..2)
            .map(|s| {
                let p = l.position(s, INVERSE).unwrap();
                p.realised - p.fees + p.funding
            })
            .sum();
        prop_assert_eq!(l.cash("BTC"), money("2") + Money(delivered) + inverse);
    }

    /// Closing an inverse position whole leaves no cost, and its profit is within a quantum a fill of
    /// the real one.
    #[test]
    fn inverse_rounding_stays_within_a_quantum_a_fill(
        fills in prop::collection::vec((any::<bool>(), 400_000_i64..700_000, 1_i64..100_000), 1..40),
        last in 400_000_i64..700_000,
    ) {
        let mut l = ledger();
        let (mut value, mut lots) = (0_f64, 0_i64);
        for (buy, price, qty) in &fills {
            let side = if *buy { Side::Buy } else { Side::Sell };
            free(&mut l, INVERSE, side, *price, *qty);
            lots += qty * side.sign();
            value += (qty * side.sign()) as f64 * 1_000.0 / *price as f64;
        }
        if lots != 0 {
            let side = if lots > 0 { Side::Sell } else { Side::Buy };
            free(&mut l, INVERSE, side, last, lots.abs());
            value -= lots as f64 * 1_000.0 / last as f64;
        }
        let position = l.position(0, INVERSE).unwrap();
        prop_assert_eq!((position.lots, position.cost), (Lots(0), 0));
        let realised = position.realised.0 as f64 / 1e18;
        prop_assert!((realised - value).abs() < 1e-9, "{} {}", realised, value);
    }
}
