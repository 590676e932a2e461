//! Whole runs under rules and rate budgets: what leaves, and when.

use std::path::PathBuf;

use mainspring_core::event::{flags, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{ClientOrderId, Decimal, Instrument, Lots, PriceGrid, Ticks};
use mainspring_data::{ClockState, EventFile, EventWriter, Provenance, Schema};
use mainspring_journal::{read_log, Entry, OrderRecord, Sink};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::intent::Intent;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::{run, Outcome, RunConfig, View};
use mainspring_trading::execution::Level;
use mainspring_trading::orders::OrderState;

const MS: i64 = 1_000_000;

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

/// A message every 10 ms; the best bid follows `bid`, and nothing trades unless `trades`.
fn file(name: &str, messages: i64, bid: impl Fn(i64) -> i64, trades: bool) -> EventFile {
    let path: PathBuf =
        std::env::temp_dir().join(format!("mainspring-rounds-{name}-{}.mse", std::process::id()));
    let provenance = Provenance::new("test", ClockState::Trusted);
    let mut out =
        EventWriter::create(&path, Schema::Market, vec![instrument()], provenance).unwrap();
    let mut before = bid(0);
    for n in 0..messages {
        let at = 1_000 * MS + n * 10 * MS;
        let best = bid(n);
        let mut push = |kind, flag, price: i64, qty| {
            out.push_market(at + MS, at, kind, flag, 0, Ticks(price), qty).unwrap();
        };
        for level in 0..3 {
            push(RowKind::Depth, 0, before - level, 0);
            push(RowKind::Depth, flags::ASK, before + 1 + level, 0);
        }
        for level in 0..3 {
            push(RowKind::Depth, 0, best - level, 10);
            push(RowKind::Depth, flags::ASK, best + 1 + level, 10);
        }
        let taker = if n % 2 == 0 { flags::ASK } else { 0 };
        let price = if n % 2 == 0 { best } else { best + 1 };
        let qty = if trades { 14 } else { 1 };
        push(RowKind::Trade, taker | flags::END_OF_MESSAGE, price, qty);
        before = best;
    }
    out.finish().unwrap();
    let file = EventFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

fn walking(name: &str) -> EventFile {
    file(name, 2_000, |n| 1_000_000 + (n * 7919 % 23) - (n * 104_729 % 17), true)
}

fn go(file: &EventFile, host: Box<dyn Host>, reconcile: &str) -> Outcome {
    let text = format!(
        r#"{{"latency":{{"model":"constant","new":{{"entry_ns":2000000,"response_ns":3000000}}}},
            "deposits":[["USDT","1000000"]],"features":["imbalance","ewma_volatility"],
            "reconcile":{reconcile}}}"#
    );
    let config: RunConfig = serde_json::from_str(&text).unwrap();
    let sink = Sink::Memory { limit_bytes: 256 << 20 };
    let files = std::slice::from_ref(file);
    let outcome = run(files, &config, vec![host], sink, &mut |_| Ok(())).unwrap();
    assert_eq!(outcome.ended, Ok(()));
    let anomalies = outcome.orders;
    assert_eq!((anomalies.illegal, anomalies.bad_fills, anomalies.unknown), (0, 0, 0));
    outcome
}

fn touch() -> Box<dyn Host> {
    let text = r#"{"kind":"touch_maker","size":"0.006","max_position":"0.05"}"#;
    let native: NativeConfig = serde_json::from_str(text).unwrap();
    native.build(BookTrigger::Message).unwrap()
}

fn orders(outcome: &mut Outcome) -> Vec<OrderRecord> {
    let pieces = outcome.log.pieces().unwrap();
    let mut orders = Vec::new();
    read_log(pieces.iter().map(Vec::as_slice), |entry| {
        if let Entry::Order(record) = entry {
            orders.push(record);
        }
        Ok(())
    })
    .unwrap();
    orders
}

fn of_state(orders: &[OrderRecord], state: OrderState) -> Vec<OrderRecord> {
    orders.iter().filter(|o| o.state == state as u8).copied().collect()
}

/// When requests left: new orders, amends, cancels.
fn requests(orders: &[OrderRecord]) -> Vec<i64> {
    let is_request = |o: &&OrderRecord| {
        [OrderState::Submitted, OrderState::PendingCancel, OrderState::PendingReplace]
            .iter()
            .any(|s| *s as u8 == o.state)
    };
    let mut previous = std::collections::HashMap::new();
    let mut times = Vec::new();
    for order in orders {
        let state = previous.insert(order.order_id, order.state);
        // A fill while a cancel is pending is no second cancel.
        if is_request(&order) && state != Some(order.state) {
            times.push(order.time_ns);
        }
    }
    times
}

fn most_within(times: &[i64], window_ns: i64) -> usize {
    times
        .iter()
        .map(|end| times.iter().filter(|t| **t <= *end && end - **t < window_ns).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn a_budget_is_kept_in_every_window_and_quoting_goes_on() {
    let data = walking("budget");
    let free = requests(&orders(&mut go(&data, touch(), "{}")));
    assert!(most_within(&free, 1_000 * MS) > 100);
    let budget = r#"{"budgets":{"test":{"requests":{"limit":30,"window_ns":1000000000},
        "cancels":{"limit":12,"window_ns":1000000000}}}}"#;
    let mut outcome = go(&data, touch(), budget);
    let orders = orders(&mut outcome);
    let sent = requests(&orders);
    assert!(most_within(&sent, 1_000 * MS) <= 30);
    let cancels: Vec<_> =
        of_state(&orders, OrderState::PendingCancel).iter().map(|o| o.time_ns).collect();
    assert!(most_within(&cancels, 1_000 * MS) <= 12);
    let rounds = outcome.rounds.unwrap();
    assert!(sent.len() > 300 && rounds.deferred > 0 && rounds.resumed > 0, "{rounds:?}");
    // The last wish is carried out when there is room: all that waits is done before the end.
    let last_wish = orders.iter().map(|o| o.time_ns).max().unwrap();
    assert!(last_wish > 20_900 * MS, "{last_wish}");
}

#[test]
fn thresholds_and_amends_save_requests() {
    let count = |rules: &str| {
        let steps = (0..100).map(|n| quote(vec![(999_000 + n % 5, 3), (998_000, 3)]));
        let counts = go(&still("thresholds"), scripted(steps.collect()), rules).counts;
        [counts.orders, counts.cancels, counts.amends]
    };
    assert_eq!(count("{}"), [101, 99, 0]);
    assert_eq!(count(r#"{"price_threshold_bps":0.05}"#), [2, 0, 0]);
    assert_eq!(count(r#"{"amend":"always"}"#), [2, 0, 99]);
    assert_eq!(count(r#"{"amend":"always","amend_at":{"test":"never"}}"#), [101, 99, 0]);
}

#[test]
fn orders_live_at_least_as_long_as_they_should_and_at_most() {
    let steps = (0..190).map(|n| quote(vec![(999_000 + n % 5, 3), (998_000 - n % 3, 3)]));
    let rules = r#"{"min_life_ns":200000000}"#;
    let mut young = go(&still("lives"), scripted(steps.collect()), rules);
    let orders = orders(&mut young);
    let mut made = std::collections::HashMap::new();
    for order in &orders {
        if order.state == OrderState::Submitted as u8 {
            made.insert(order.order_id, order.time_ns);
        } else if order.state == OrderState::PendingCancel as u8 {
            assert!(order.time_ns - made[&order.order_id] >= 200 * MS);
        }
    }
    assert_eq!(made.len(), 2 * 10, "one every 200 ms a level");
    // Only the longest life replaces anything, on time though nobody asks again.
    let cancels = |rules: &str| {
        let host = scripted(vec![quote(vec![(999_000, 3), (998_000, 3)])]);
        go(&still("old"), host, rules).counts.cancels
    };
    assert_eq!(cancels("{}"), 0);
    assert_eq!(cancels(r#"{"max_life_ns":300000000}"#), 2 * 6, "2 s, 305 ms a life");
    let adaptive = r#"{"max_life_ns":300000000,"adaptive_life":{"volatility":"ewma_volatility"}}"#;
    assert_eq!(cancels(adaptive), 2 * 24, "half of the longest, and half of that when none fill");
}

type Step = Box<dyn Fn(&mut View<'_>) + Send>;

/// Carries out a list of wishes, one a message.
struct Scripted {
    steps: Vec<Step>,
    at: usize,
}

impl Host for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if let Some(step) = self.steps.get(self.at) {
            step(view);
        }
        self.at += 1;
        Ok(())
    }
}

fn scripted(steps: Vec<Step>) -> Box<dyn Host> {
    Box::new(Scripted { steps, at: 0 })
}

fn buy(price: i64) -> Step {
    Box::new(move |view| {
        let terms = OrderTerms::limit(view.instrument, Side::Buy, Ticks(price), Lots(2));
        view.place(terms).unwrap();
    })
}

fn quote(bids: Vec<(i64, i64)>) -> Step {
    Box::new(move |view| {
        let bids: Vec<_> =
            bids.iter().map(|(p, q)| Level { price: Ticks(*p), qty: Lots(*q) }).collect();
        view.quote(&bids, &[]).unwrap();
    })
}

fn still(name: &str) -> EventFile {
    file(name, 200, |_| 1_000_000, false)
}

#[test]
fn orders_by_name_are_refused_and_cancels_by_name_wait() {
    let budget = r#"{"budgets":{"*":{"orders":{"limit":3,"window_ns":500000000,"burst":2},
        "cancels":{"limit":2,"window_ns":500000000,"burst":1},"cancel_reserve_bps":0}}}"#;
    let cancel = |id: u64| -> Step {
        Box::new(move |view| view.intents.push(Intent::Cancel(ClientOrderId(id))).unwrap())
    };
    let steps = vec![buy(999_000), buy(999_001), buy(999_002), cancel(1), cancel(2), cancel(2)];
    let mut outcome = go(&still("named"), scripted(steps), budget);
    let orders = orders(&mut outcome);
    let refused = of_state(&orders, OrderState::RiskRejected);
    assert_eq!(refused.iter().map(|o| (o.order_id, o.reason)).collect::<Vec<_>>(), [(3, 100)]);
    let cancels = of_state(&orders, OrderState::PendingCancel);
    let at: Vec<_> = cancels.iter().map(|o| (o.order_id, o.time_ns)).collect();
    assert_eq!(at, [(1, 1_031 * MS), (2, 1_531 * MS)], "the second when there is room, once");
    let rounds = outcome.rounds.unwrap();
    assert_eq!((rounds.refused, rounds.held_cancels), (1, 1));
    assert_eq!(of_state(&orders, OrderState::Cancelled).len(), 2);
}

#[test]
fn a_wrong_size_is_replaced_in_turn_without_another_wish() {
    let steps = vec![quote(vec![(999_000, 5)]), quote(vec![(999_000, 8)])];
    let mut outcome = go(&still("size"), scripted(steps), "{}");
    let states: Vec<_> =
        orders(&mut outcome).iter().map(|o| (o.order_id, o.state, o.qty_lots)).collect();
    use OrderState::{Cancelled, Open, PendingCancel, Submitted};
    let expected = [
        (1, Submitted as u8, 5),
        (1, Open as u8, 5),
        (1, PendingCancel as u8, 5),
        (1, Cancelled as u8, 5),
        (2, Submitted as u8, 8),
        (2, Open as u8, 8),
    ];
    assert_eq!(states, expected);
}

#[test]
fn what_filled_or_was_taken_back_is_not_quoted_again_by_the_engine() {
    // The ask side trades up to our post-only bid at the touch and beyond: it fills whole.
    let data = file("filled", 200, |_| 1_000_000, true);
    let mut outcome =
        go(&data, scripted(vec![quote(vec![(1_000_000, 3)])]), r#"{"max_life_ns":50000000000}"#);
    let all = orders(&mut outcome);
    assert_eq!(of_state(&all, OrderState::Submitted).len(), 1);
    assert_eq!(of_state(&all, OrderState::Filled).len(), 1);
    // Cancelled by name, or all together: the wish is gone too, whatever timers are set.
    let cancel: Step =
        Box::new(|view| view.intents.push(Intent::Cancel(ClientOrderId(1))).unwrap());
    let all_gone: Step =
        Box::new(|view| view.intents.push(Intent::CancelAll(view.instrument)).unwrap());
    for last in [cancel, all_gone] {
        let steps = vec![quote(vec![(999_000, 3)]), last];
        let mut outcome = go(&still("gone"), scripted(steps), r#"{"max_life_ns":100000000}"#);
        let all = orders(&mut outcome);
        assert_eq!(of_state(&all, OrderState::Submitted).len(), 1);
        assert_eq!(of_state(&all, OrderState::Cancelled).len(), 1);
    }
    // Refused by the venue: not sent again before it is wished again.
    let steps = vec![quote(vec![(1_000_005, 3)])];
    let mut outcome = go(&still("refused"), scripted(steps), r#"{"max_life_ns":100000000}"#);
    let all = orders(&mut outcome);
    assert_eq!(of_state(&all, OrderState::Submitted).len(), 1);
    assert_eq!(of_state(&all, OrderState::Rejected).len(), 1);
    // Moved to rest instead.
    let steps = vec![quote(vec![(1_000_005, 3)])];
    let mut outcome = go(&still("rests"), scripted(steps), r#"{"cross":"rest"}"#);
    let all = orders(&mut outcome);
    assert_eq!(of_state(&all, OrderState::Open)[0].price_ticks, 1_000_000);
}

#[test]
fn a_reduction_that_does_not_fill_is_taken_after_its_time() {
    let aim = |qty: i64, price: Option<i64>| -> Step {
        Box::new(move |view| view.target_position(Lots(qty), price.map(Ticks)).unwrap())
    };
    let steps =
        vec![aim(6, None), aim(6, None), aim(6, None), aim(6, None), aim(2, Some(1_000_400))];
    let rules = r#"{"urgent":{"after_ns":300000000,"collar_bps":1}}"#;
    let mut outcome = go(&still("urgent"), scripted(steps), rules);
    let all = orders(&mut outcome);
    let submitted = of_state(&all, OrderState::Submitted);
    let sides: Vec<_> = submitted.iter().map(|o| (o.side, o.qty_lots, o.price_ticks)).collect();
    assert_eq!(sides, [(1, 6, 0), (-1, 4, 1_000_400), (-1, 4, 999_900)]);
    let waited = submitted[2].time_ns - submitted[1].time_ns;
    assert!((300 * MS..310 * MS).contains(&waited), "{waited}: the cancel is answered first");
    assert_eq!(of_state(&all, OrderState::Filled).len(), 2);
}

#[test]
fn the_same_run_has_the_same_hash_and_rules_that_do_not_fit_are_refused() {
    let data = walking("hash");
    let rules = r#"{"price_threshold_bps":0.05,"amend":"always","min_life_ns":30000000,"max_life_ns":2000000000,
        "queue_growth":2.0,"replenish":true,"wait_for_cancel":true,"max_actions":3,"below_minimum":"raise",
        "budgets":{"*":{"requests":{"limit":60,"window_ns":1000000000}}}}"#;
    let (one, two) = (go(&data, touch(), rules), go(&data, touch(), rules));
    assert_eq!((one.log.hash(), one.rounds), (two.log.hash(), two.rounds));
    assert!(one.counts.fills > 20 && one.counts.amends > 20, "{:?}", one.counts);
    let refused = |reconcile: &str| {
        let config: RunConfig =
            serde_json::from_str(&format!(r#"{{"reconcile":{reconcile}}}"#)).unwrap();
        let sink = Sink::Memory { limit_bytes: 1 << 20 };
        let outcome =
            run(std::slice::from_ref(&data), &config, vec![touch()], sink, &mut |_| Ok(()));
        outcome.err().expect("refused").message().to_owned()
    };
    assert!(refused(r#"{"budgets":{"nowhere":{}}}"#).contains("nowhere"));
    let life = r#"{"max_life_ns":5,"adaptive_life":{"drift":"nothing"}}"#;
    assert!(refused(life).contains("nothing"));
}
