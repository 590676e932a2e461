//! The venue against a slow one written from the same page, over random feeds and orders of all
//! types, and the invariants that hold whatever happens.

mod naive;
mod venue;

use std::collections::HashMap;

use mainspring_core::event::RowKind;
use mainspring_core::order::{
    OrderFlags, OrderTerms, OrderType, SelfTradePrevention, Side, TimeInForce, VenueEventKind,
};
use mainspring_core::units::{Lots, Ticks};
use mainspring_core::ClientOrderId;
use mainspring_sim::{QueueModel, SimConfig};
use naive::Naive;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use venue::{fills, kinds, limit, Venue};

/// Prices are few, so that everything meets everything.
const LOW: i64 = 95;
const HIGH: i64 = 106;
/// Ids that orders and requests about them are drawn from.
const IDS: u64 = 24;
const MAX_ORDERS: usize = 10;

#[derive(Clone, Debug)]
enum Act {
    Depth { side: Side, price: i64, qty: i64 },
    Best { side: Side, price: i64, qty: i64 },
    Trade { taker: Side, price: i64, qty: i64 },
    Clear,
    Status { open: bool },
    Place { id: u64, terms: OrderTerms },
    Cancel { id: u64 },
    Amend { id: u64, price: i64, qty: i64 },
    Wait { ns: i64 },
}

fn side() -> impl Strategy<Value = Side> {
    prop::bool::ANY.prop_map(|buy| if buy { Side::Buy } else { Side::Sell })
}

/// A price near where a side of the book usually is.
fn near(side: Side) -> impl Strategy<Value = i64> {
    match side {
        Side::Buy => LOW..102,
        Side::Sell => 99..HIGH,
    }
}

fn market() -> impl Strategy<Value = Act> {
    let level = || side().prop_flat_map(|side| (Just(side), near(side), 0_i64..12));
    let trade = (side(), LOW..HIGH, 1_i64..9);
    prop_oneof![
        12 => level().prop_map(|(side, price, qty)| Act::Depth { side, price, qty }),
        1 => level().prop_map(|(side, price, qty)| Act::Best { side, price, qty }),
        10 => trade.prop_map(|(taker, price, qty)| Act::Trade { taker, price, qty }),
    ]
}

fn terms() -> impl Strategy<Value = OrderTerms> {
    let order_type = prop::sample::select(vec![
        OrderType::Limit,
        OrderType::Limit,
        OrderType::Limit,
        OrderType::Limit,
        OrderType::Market,
        OrderType::Stop,
        OrderType::StopLimit,
        OrderType::TakeProfit,
        OrderType::TrailingStop,
        OrderType::Iceberg,
        OrderType::Pegged,
    ]);
    let tif = prop::sample::select(vec![
        TimeInForce::Gtc,
        TimeInForce::Gtc,
        TimeInForce::Gtc,
        TimeInForce::Ioc,
        TimeInForce::Fok,
        TimeInForce::Gtd,
    ]);
    let flags = prop::sample::select(vec![0_u8, 0, 0, 0, 0, 0, 1, 1, 2, 3]);
    let oco = prop_oneof![6 => Just(0), 1 => 1..IDS];
    let qty = prop_oneof![20 => 1_i64..14, 1 => Just(0)];
    let extra = (-1_i64..4, 0_i64..5, 0_i64..2_000, oco);
    let prices = side().prop_flat_map(|side| {
        // Half near our own side of the book, half anywhere; triggers wait a little further off.
        let price = prop_oneof![near(side), LOW..HIGH];
        (Just(side), price, LOW - 3..HIGH + 3)
    });
    (prices, order_type, tif, flags, qty, extra).prop_map(
        |((side, price, trigger), order_type, tif, flags, qty, extra)| OrderTerms {
            order_type,
            time_in_force: tif,
            flags: OrderFlags(flags),
            trigger: Ticks(trigger),
            offset: Ticks(extra.0),
            display: Lots(extra.1),
            expire_ns: extra.2,
            oco: ClientOrderId(extra.3),
            ..limit(side, price, qty)
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => market(),
        14 => (1..IDS, terms()).prop_map(|(id, terms)| Act::Place { id, terms }),
        3 => (1..IDS).prop_map(|id| Act::Cancel { id }),
        4 => (1..IDS, LOW..HIGH, 0_i64..14)
            .prop_map(|(id, price, qty)| Act::Amend { id, price, qty }),
        2 => (1_i64..40).prop_map(|ns| Act::Wait { ns }),
        1 => prop_oneof![
            2 => Just(Act::Clear),
            1 => Just(Act::Status { open: false }),
            12 => Just(Act::Status { open: true })
        ],
    ]
}

fn apply(act: &Act, fast: &mut Venue, slow: &mut Naive) {
    match act.clone() {
        Act::Depth { side, price, qty } => {
            fast.depth(side, price, qty);
            slow.depth(side, price, qty);
        }
        Act::Best { side, price, qty } => {
            fast.row(RowKind::Best, side, price, qty);
            slow.best_quote(side, price, qty);
        }
        Act::Trade { taker, price, qty } => {
            fast.trade(taker, price, qty);
            slow.trade(taker, price, qty);
        }
        Act::Clear => {
            fast.row(RowKind::Clear, Side::Buy, 0, 0);
            slow.clear();
        }
        Act::Status { open } => {
            fast.row(RowKind::Status, Side::Buy, 0, i64::from(open));
            slow.halted = !open;
        }
        Act::Place { id, terms } => {
            fast.send(id, terms);
            slow.place(id, terms, fast.now);
        }
        Act::Cancel { id } => {
            fast.cancel(id);
            slow.cancel(id);
        }
        Act::Amend { id, price, qty } => {
            fast.amend(id, price, qty);
            slow.amend(id, price, qty);
        }
        Act::Wait { ns } => {
            fast.timer(fast.now + ns);
            slow.timer(fast.now);
        }
    }
}

/// Both venues are in the same state.
fn same_state(fast: &Venue, slow: &Naive) -> Result<(), TestCaseError> {
    prop_assert_eq!(fast.position(), slow.position);
    prop_assert_eq!(fast.market.open_orders(), slow.orders.len());
    for order in &slow.orders {
        let front = fast.market.queue_front(ClientOrderId(order.id));
        prop_assert_eq!(front, order.resting.then_some(order.front), "front of {}", order.id);
    }
    for side in [Side::Buy, Side::Sell] {
        for price in LOW..HIGH {
            let expected = slow.taken[side as usize].get(&price).copied().unwrap_or(0);
            prop_assert_eq!(fast.market.taken(side, Ticks(price)).0, expected);
        }
    }
    Ok(())
}

/// What must hold of the events of one step, whoever wrote the venue.
fn hold_invariants(
    act: &Act,
    step: &[(u64, VenueEventKind)],
    fast: &Venue,
    slow: &Naive,
    open: &mut HashMap<u64, (OrderTerms, i64)>,
) -> Result<(), TestCaseError> {
    if let Act::Place { id, terms } = act {
        if step.first() == Some(&(*id, VenueEventKind::Accepted)) {
            open.insert(*id, (*terms, 0));
        }
    }
    let mut maker_lots = 0;
    for (id, kind) in step {
        match kind {
            VenueEventKind::Filled { price, qty, maker } => {
                let (terms, filled) = open.get_mut(id).expect("a fill of an order that is open");
                *filled += qty.0;
                prop_assert!(qty.0 > 0 && *filled <= terms.qty.0, "{id} overfilled");
                let has_limit = matches!(
                    terms.order_type,
                    OrderType::Limit | OrderType::Iceberg | OrderType::StopLimit
                );
                if has_limit {
                    prop_assert!(terms.side.at_least(terms.price, *price), "worse than the limit");
                }
                if *maker {
                    maker_lots += qty.0;
                } else {
                    prop_assert!(!terms.flags.has(OrderFlags::POST_ONLY), "post-only took");
                }
            }
            VenueEventKind::Amended { price, qty } => {
                let terms = &mut open.get_mut(id).expect("an amend of an order that is open").0;
                terms.qty = *qty;
                if terms.order_type != OrderType::Stop && terms.order_type != OrderType::TakeProfit
                {
                    terms.price = *price;
                }
            }
            VenueEventKind::Cancelled(_) => {
                open.remove(id).expect("a cancel of an order that is open");
            }
            // An armed order may be refused when it is triggered.
            VenueEventKind::Rejected(_) if step.contains(&(*id, VenueEventKind::Triggered)) => {
                open.remove(id);
            }
            _ => {}
        }
    }
    if let Act::Trade { qty, .. } = act {
        prop_assert!(maker_lots <= *qty, "a trade gave more than its size");
    }
    for side in [Side::Buy, Side::Sell] {
        for (price, shown) in fast.market.book().levels(side) {
            prop_assert!(fast.market.taken(side, price) <= shown, "took more than was shown");
        }
    }
    open.retain(|id, _| slow.orders.iter().any(|order| order.id == *id));
    let rests_at_once = |terms: &OrderTerms| {
        matches!(terms.order_type, OrderType::Limit | OrderType::Iceberg | OrderType::Market)
    };
    for (id, (terms, _)) in open.iter().filter(|(_, (terms, _))| rests_at_once(terms)) {
        let stays = matches!(terms.time_in_force, TimeInForce::Gtc | TimeInForce::Gtd);
        prop_assert!(stays && terms.order_type != OrderType::Market, "{id} may not rest");
    }
    if let Act::Place { id, terms } = act {
        let (mut got, taken_in) = (0, step.first() == Some(&(*id, VenueEventKind::Accepted)));
        for (order, _, qty, _) in fills(&fast.events[fast.events.len() - step.len()..]) {
            got += if order == *id { qty } else { 0 };
        }
        let waits = !rests_at_once(terms) && terms.order_type != OrderType::Pegged;
        let reduces = terms.flags.has(OrderFlags::REDUCE_ONLY);
        if terms.time_in_force == TimeInForce::Fok && taken_in && !waits && !reduces {
            prop_assert_eq!(got, terms.qty.0, "fill or kill");
        }
    }
    Ok(())
}

/// The best of our bids stays below the best of our asks, so that we never meet ourselves.
fn never_crosses_itself(slow: &Naive) -> Result<(), TestCaseError> {
    let best = |side: Side| {
        let prices = slow.orders.iter().filter(|o| o.resting && o.terms.side == side);
        prices.map(|o| side.sign() * o.terms.price.0).max()
    };
    if let (Some(bid), Some(ask)) = (best(Side::Buy), best(Side::Sell)) {
        prop_assert!(bid < -ask, "our bid {bid} meets our ask {}", -ask);
    }
    Ok(())
}

fn model() -> impl Strategy<Value = QueueModel> {
    prop::sample::select(vec![
        "risk_averse",
        "prob_power2",
        "prob_power3",
        "prob_power_total2",
        "prob_one_minus_power3",
        "prob_log",
        "prob_log2",
    ])
    .prop_map(|name| name.parse().unwrap())
}

/// The random acts reach every kind of answer, or the comparison below would prove little.
#[test]
fn the_acts_reach_every_answer() {
    let mut runner = TestRunner::deterministic();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for round in 0..300 {
        let self_trade = [
            SelfTradePrevention::CancelNewest,
            SelfTradePrevention::CancelOldest,
            SelfTradePrevention::CancelBoth,
        ][round % 3];
        let max_orders = MAX_ORDERS;
        let config = SimConfig { self_trade, max_orders, ..SimConfig::default() };
        let mut slow = Naive::new(config.queue_model, self_trade, max_orders);
        let mut fast = Venue::new(config);
        for act in prop::collection::vec(act(), 300).new_tree(&mut runner).unwrap().current() {
            apply(&act, &mut fast, &mut slow);
        }
        for event in &fast.events {
            let name = match event.kind {
                VenueEventKind::Filled { maker: true, .. } => "made".to_owned(),
                VenueEventKind::Filled { .. } => "took".to_owned(),
                VenueEventKind::Amended { .. } => "amended".to_owned(),
                kind => format!("{kind:?}"),
            };
            *seen.entry(name).or_default() += 1;
        }
    }
    for name in [
        "made",
        "took",
        "amended",
        "Accepted",
        "Triggered",
        "Rejected(PostOnlyWouldTake)",
        "Rejected(ReduceOnlyWouldIncrease)",
        "Rejected(BadQuantity)",
        "Rejected(UnknownOrder)",
        "Rejected(Halted)",
        "Rejected(Overloaded)",
        "Rejected(WouldTriggerImmediately)",
        "Rejected(FokNotFilled)",
        "Rejected(SelfTrade)",
        "Rejected(DuplicateOrder)",
        "Rejected(NoLiquidity)",
        "AmendRejected(UnknownOrder)",
        "AmendRejected(PostOnlyWouldTake)",
        "AmendRejected(WouldTriggerImmediately)",
        "AmendRejected(SelfTrade)",
        "CancelRejected(UnknownOrder)",
        "Cancelled(Requested)",
        "Cancelled(IocRemainder)",
        "Cancelled(NoLiquidity)",
        "Cancelled(SelfTrade)",
        "Cancelled(Expired)",
        "Cancelled(ReduceOnly)",
        "Cancelled(Oco)",
    ] {
        let count = seen.get(name).copied().unwrap_or(0);
        assert!(count >= 2, "{name} came {count} times in {seen:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_venue_is_the_slow_one(
        queue_model in model(),
        self_trade in prop::sample::select(vec![
            SelfTradePrevention::CancelNewest,
            SelfTradePrevention::CancelOldest,
            SelfTradePrevention::CancelBoth,
        ]),
        acts in prop::collection::vec(act(), 1..300),
    ) {
        let max_orders = MAX_ORDERS;
        let mut fast = Venue::new(SimConfig {
            queue_model, self_trade, max_orders, ..SimConfig::default()
        });
        let mut slow = Naive::new(queue_model, self_trade, max_orders);
        let mut open = HashMap::new();
        for (index, act) in acts.iter().enumerate() {
            let before = fast.events.len();
            apply(act, &mut fast, &mut slow);
            let step = kinds(&fast.events[before..]);
            prop_assert_eq!(&step, &std::mem::take(&mut slow.events), "act {}: {:?}", index, act);
            same_state(&fast, &slow)?;
            hold_invariants(act, &step, &fast, &slow, &mut open)?;
            never_crosses_itself(&slow)?;
        }
    }
}
