//! The market against plain lists, over any sequence of messages: every report and every level.

mod instruments;
mod naive;

use mainspring_core::order::{
    ClientOrderId, OrderFlags, OrderTerms, OrderType, SelfTradePrevention, Side, TimeInForce,
};
use mainspring_core::{InstrumentId, InstrumentKind, Lots, Ticks};
use mainspring_exchange::{
    AccountId, Desk, Market, MarketConfig, NewOrder, OrderId, OrderReport, TradeReport,
    TradingStatus,
};
use naive::{Line, NaiveMarket};
use proptest::prelude::*;

#[derive(Default)]
struct Lines(Vec<Line>);

impl Desk for Lines {
    fn trade(&mut self, trade: &TradeReport) {
        self.0.push(Line::of_trade(trade));
    }
    fn order(&mut self, report: &OrderReport) {
        self.0.push(Line::of_report(report));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    New(NewOrder),
    Cancel(u64, u32),
    Amend(u64, u32, i64, i64),
    Halt(bool),
}

fn order_type() -> impl Strategy<Value = OrderType> {
    prop_oneof![
        6 => Just(OrderType::Limit),
        1 => Just(OrderType::Market),
        1 => Just(OrderType::Stop),
        1 => Just(OrderType::StopLimit),
        1 => Just(OrderType::TakeProfit),
        1 => Just(OrderType::TrailingStop),
        2 => Just(OrderType::Iceberg),
        1 => Just(OrderType::Pegged),
    ]
}

fn time_in_force() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![
        6 => Just(TimeInForce::Gtc),
        1 => Just(TimeInForce::Ioc),
        1 => Just(TimeInForce::Fok),
        1 => Just(TimeInForce::Gtd),
    ]
}

fn self_trade() -> impl Strategy<Value = Option<SelfTradePrevention>> {
    prop_oneof![
        Just(None),
        Just(Some(SelfTradePrevention::CancelNewest)),
        Just(Some(SelfTradePrevention::CancelOldest)),
        Just(Some(SelfTradePrevention::CancelBoth)),
    ]
}

prop_compose! {
    fn new_order()(
        (id, account, buys) in (1_u64..60, 0_u32..4, any::<bool>()),
        (order_type, time_in_force) in (order_type(), time_in_force()),
        (self_trade, post_only) in (self_trade(), prop::bool::weighted(0.1)),
        (price, trigger, offset) in (90_i64..110, 90_i64..110, 0_i64..5),
        (qty, display, expire_ns) in (0_i64..12, 0_i64..4, 0_i64..200),
        oco in prop_oneof![8 => Just(0_u64), 1 => 1_u64..60],
    ) -> NewOrder {
        let side = if buys { Side::Buy } else { Side::Sell };
        let mut terms = OrderTerms::limit(InstrumentId(0), side, Ticks(price), Lots(qty));
        terms.order_type = order_type;
        terms.time_in_force = time_in_force;
        terms.flags = if post_only { OrderFlags::POST_ONLY } else { OrderFlags(0) };
        terms.trigger = Ticks(trigger);
        terms.offset = Ticks(offset);
        terms.display = Lots(display);
        terms.expire_ns = expire_ns;
        terms.oco = ClientOrderId(oco);
        let mut order = NewOrder::new(OrderId(id), AccountId(account), terms);
        order.self_trade = self_trade;
        order
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => new_order().prop_map(Step::New),
        3 => (1_u64..60, 0_u32..4).prop_map(|(id, account)| Step::Cancel(id, account)),
        4 => (1_u64..60, 0_u32..4, 90_i64..110, 0_i64..12)
            .prop_map(|(id, account, price, qty)| Step::Amend(id, account, price, qty)),
        1 => prop::bool::weighted(0.3).prop_map(Step::Halt),
    ]
}

/// Ids are never used again, and an expiry of an order that is gone must find nobody.
fn renumbered(steps: Vec<Step>) -> Vec<Step> {
    let mut next = vec![0_u64; 60];
    let id_now = |next: &[u64], id: u64| id + 60 * next[id as usize].saturating_sub(1);
    steps
        .into_iter()
        .map(|step| match step {
            Step::New(mut order) => {
                // Now and then an id is sent twice.
                if order.id.0 % 7 != 0 || next[order.id.0 as usize] == 0 {
                    next[order.id.0 as usize] += 1;
                }
                order.id = OrderId(id_now(&next, order.id.0));
                if order.terms.oco.0 != 0 {
                    order.terms.oco = ClientOrderId(id_now(&next, order.terms.oco.0));
                }
                Step::New(order)
            }
            Step::Cancel(id, account) => Step::Cancel(id_now(&next, id), account),
            Step::Amend(id, account, price, qty) => {
                Step::Amend(id_now(&next, id), account, price, qty)
            }
            halt @ Step::Halt(_) => halt,
        })
        .collect()
}

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let instrument = instruments::plain(InstrumentKind::LinearPerpetual, "BTC", "USDT");
    let config = MarketConfig::default();
    let mut market = Market::new(InstrumentId(0), &instrument, config).unwrap();
    let mut naive = NaiveMarket::default();
    for (now, step) in (1_i64..).zip(steps) {
        let mut lines = Lines::default();
        naive.lines.clear();
        match *step {
            Step::New(order) => {
                market.submit(order, now, &mut lines);
                naive.submit(order, now);
            }
            Step::Cancel(id, account) => {
                market.cancel(OrderId(id), AccountId(account), now, &mut lines);
                naive.cancel(id, account, now);
            }
            Step::Amend(id, account, price, qty) => {
                let terms = (Ticks(price), Lots(qty));
                market.amend(OrderId(id), AccountId(account), terms, now, &mut lines);
                naive.amend(id, account, price, qty, now);
            }
            Step::Halt(halts) => {
                let status = if halts { TradingStatus::Halted } else { TradingStatus::Open };
                market.set_status(status, now, &mut lines);
                naive.set_halted(halts);
            }
        }
        prop_assert_eq!(&lines.0, &naive.lines, "at {} {:?}", now, step);
        for side in [Side::Buy, Side::Sell] {
            let levels: Vec<_> = market.levels().levels(side).map(|(p, q)| (p.0, q.0)).collect();
            prop_assert_eq!(levels, naive.levels(side), "after {} {:?}", now, step);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn says_what_plain_lists_say(steps in prop::collection::vec(step(), 1..150)) {
        run(&renumbered(steps))?;
    }
}
