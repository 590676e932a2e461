//! Money and quantity over any sequence of messages on several markets: nothing appears, nothing
//! is lost, nobody spends what they do not have.

mod instruments;

use hashbrown::HashMap;
use mainspring_core::order::{OrderFlags, OrderTerms, OrderType, Side, TimeInForce};
use mainspring_core::{Decimal, InstrumentId, InstrumentKind, Lots, Money, Ticks};
use mainspring_exchange::{
    AccountId, Exchange, Listener, MarketConfig, NewOrder, OrderId, OrderReport, ReportKind,
    TradeReport,
};
use mainspring_trading::ledger::{Contract, FillEffect, MarkPrice};
use proptest::prelude::*;

const ACCOUNTS: u32 = 4;
const SPOT: InstrumentId = InstrumentId(0);
const PERPETUAL: InstrumentId = InstrumentId(1);

/// What each order was, is and became, as the reports say.
#[derive(Default)]
struct Flow {
    open: HashMap<u64, i64, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>,
    traded: [i64; 2],
    insured: u32,
}

impl Flow {
    fn fill(&mut self, order: OrderId, qty: Lots, left: Lots) {
        let open = self.open.get_mut(&order.0).expect("only accepted orders trade");
        *open -= qty.0;
        assert_eq!(*open, left.0, "what is left of order {}", order.0);
    }
}

impl Listener for Flow {
    fn trade(&mut self, trade: &TradeReport, _: &FillEffect, _: &FillEffect) {
        self.fill(trade.taker.order, trade.qty, trade.taker.left);
        self.fill(trade.maker.order, trade.qty, trade.maker.left);
        self.traded[trade.instrument.index()] += trade.qty.0;
    }

    fn order(&mut self, report: &OrderReport) {
        let (id, left) = (report.order.0, report.left.0);
        match report.kind {
            ReportKind::Accepted => assert_eq!(self.open.insert(id, left), None),
            ReportKind::Cancelled(_) | ReportKind::TriggerRejected(_) => {
                assert_eq!(self.open.remove(&id), Some(left), "the end of order {id}");
            }
            ReportKind::Amended { left: before, .. } => {
                assert_eq!(self.open.insert(id, left), Some(before.0), "a change of order {id}");
            }
            _ => {}
        }
    }

    fn liquidation(&mut self, _: AccountId, _: InstrumentId) {
        self.insured += 1;
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    New { account: u32, perpetual: bool, terms: OrderTerms },
    Cancel { account: u32, nth: usize },
    Amend { account: u32, nth: usize, price: i64, qty: i64 },
    Mark(i64),
    Funding(i64),
}

prop_compose! {
    fn order()(
        (account, perpetual, buys) in (0..ACCOUNTS, any::<bool>(), any::<bool>()),
        kind in 0_u8..8, (price, qty) in (90_i64..110, 1_i64..400), trigger in 90_i64..110,
        reduces in prop::bool::weighted(0.1),
    ) -> Step {
        let side = if buys { Side::Buy } else { Side::Sell };
        let mut terms = OrderTerms::limit(SPOT, side, Ticks(price), Lots(qty));
        match kind {
            0 => terms.order_type = OrderType::Market,
            1 => terms.order_type = OrderType::Stop,
            2 => terms.order_type = OrderType::StopLimit,
            3 => terms.time_in_force = TimeInForce::Ioc,
            4 => terms.order_type = OrderType::Iceberg,
            _ => {}
        }
        terms.display = Lots(3);
        terms.trigger = Ticks(trigger);
        if reduces && perpetual {
            terms.flags = OrderFlags::REDUCE_ONLY;
        }
        Step::New { account, perpetual, terms }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => order(),
        2 => (0..ACCOUNTS, 0_usize..50).prop_map(|(account, nth)| Step::Cancel { account, nth }),
        2 => (0..ACCOUNTS, 0_usize..50, 90_i64..110, 1_i64..400)
            .prop_map(|(account, nth, price, qty)| Step::Amend { account, nth, price, qty }),
        1 => (60_i64..150).prop_map(Step::Mark),
        1 => (-10_000_000_i64..10_000_000).prop_map(Step::Funding),
    ]
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn exchange() -> Exchange {
    let mut spot = instruments::plain(InstrumentKind::Spot, "BTC", "USDT");
    spot.maker_fee = decimal("0.001");
    spot.taker_fee = decimal("0.001");
    let mut perpetual = instruments::perpetual();
    perpetual.quote = "USDC".to_owned();
    let mut exchange = Exchange::new(&[spot, perpetual], MarketConfig::default()).unwrap();
    for _ in 0..ACCOUNTS {
        let deposits = [("BTC", "600"), ("USDT", "50000"), ("USDC", "3")];
        let deposits = deposits.map(|(name, amount)| (name.to_owned(), decimal(amount)));
        exchange.open_account(&deposits).unwrap();
    }
    exchange
}

fn act(exchange: &mut Exchange, step: &Step, sent: &mut Vec<NewOrder>, now: i64, flow: &mut Flow) {
    match *step {
        Step::New { account, perpetual, mut terms } => {
            terms.instrument = if perpetual { PERPETUAL } else { SPOT };
            let order = NewOrder::new(exchange.next_order_id(), AccountId(account), terms);
            sent.push(order);
            exchange.submit(order, now, flow).unwrap();
        }
        Step::Cancel { account, nth } if nth < sent.len() => {
            let order = sent[nth];
            let (id, instrument) = (order.id, order.terms.instrument);
            exchange.cancel(instrument, id, AccountId(account), now, flow).unwrap();
        }
        Step::Amend { account, nth, price, qty } if nth < sent.len() => {
            let order = sent[nth];
            let (id, instrument) = (order.id, order.terms.instrument);
            let terms = (Ticks(price), Lots(qty));
            exchange.amend(instrument, id, AccountId(account), terms, now, flow).unwrap();
        }
        Step::Mark(price) => {
            exchange.set_mark(PERPETUAL, MarkPrice::at(Ticks(price)), now, flow).unwrap();
        }
        Step::Funding(rate) if exchange.market(PERPETUAL).unwrap().mark().is_some() => {
            exchange.settle_funding(PERPETUAL, rate, now, flow).unwrap();
        }
        _ => {}
    }
}

/// Sums over all accounts that must hold after every message.
fn check(exchange: &Exchange) {
    let accounts = exchange.accounts();
    assert_eq!(accounts.faults(), 0);
    let all = || (0..ACCOUNTS).map(AccountId);
    for id in all() {
        accounts.ledger(id).unwrap().check().unwrap();
    }
    let cash =
        |currency: &str| -> Money { all().map(|id| accounts.balance(id, currency).wallet).sum() };
    let unit = 1_000_000_000_000_000_000_i128;
    assert_eq!(cash("BTC"), Money(600 * unit * i128::from(ACCOUNTS)), "base is only passed on");
    let fees = |instrument| -> Money {
        all().map(|id| accounts.ledger(id).unwrap().position(0, instrument).unwrap().fees).sum()
    };
    assert_eq!(
        cash("USDT") + fees(SPOT),
        Money(50_000 * unit * i128::from(ACCOUNTS)),
        "quote is passed on, or paid as a fee"
    );
    for instrument in [SPOT, PERPETUAL] {
        let lots: Lots = all().map(|id| accounts.position(id, instrument)).sum();
        assert_eq!(lots, Lots(0), "every long has a short");
    }
    let Contract::Linear { tick_value, .. } = *exchange.market(PERPETUAL).unwrap().contract()
    else {
        panic!("a linear contract");
    };
    let earned: i128 = all()
        .map(|id| *accounts.ledger(id).unwrap().position(0, PERPETUAL).unwrap())
        .map(|position| position.realised.0 - position.cost * tick_value)
        .sum();
    assert_eq!(earned, 0, "one's profit is another's loss");
    for id in all() {
        for currency in ["BTC", "USDT"] {
            let balance = accounts.balance(id, currency);
            assert!(balance.locked.0 >= 0 && balance.available().0 >= 0, "{currency} {balance:?}");
        }
        assert!(accounts.balance(id, "USDC").margin.0 >= 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_appears_and_nothing_is_lost(steps in prop::collection::vec(step(), 1..120)) {
        let (mut exchange, mut sent, mut flow) = (exchange(), Vec::new(), Flow::default());
        for (now, step) in (1_i64..).zip(&steps) {
            act(&mut exchange, step, &mut sent, now, &mut flow);
            check(&exchange);
        }
        for order in &sent {
            let (id, instrument) = (order.id, order.terms.instrument);
            exchange.cancel(instrument, id, order.account, 1_000, &mut flow).unwrap();
        }
        check(&exchange);
        prop_assert!(flow.open.values().all(|left| *left == 0), "every order has ended");
        for id in (0..ACCOUNTS).map(AccountId) {
            prop_assert_eq!(exchange.accounts().balance(id, "BTC").locked, Money(0));
            prop_assert_eq!(exchange.accounts().balance(id, "USDT").locked, Money(0));
        }
    }
}

#[test]
fn a_position_under_its_maintenance_margin_is_closed_and_its_debt_paid() {
    let mut exchange = exchange();
    let mut flow = Flow::default();
    let house = exchange.open_house_account().unwrap();
    let mut send = |exchange: &mut Exchange, account, side, price, qty| {
        let terms = OrderTerms::limit(PERPETUAL, side, Ticks(price), Lots(qty));
        let order = NewOrder::new(exchange.next_order_id(), account, terms);
        exchange.submit(order, 1, &mut flow).unwrap();
    };
    let member = AccountId(0);
    // 0.4 BTC at 100 is 40 USDC of value on 3 USDC: leverage 20 asks for 2.
    send(&mut exchange, house, Side::Sell, 100, 400);
    send(&mut exchange, member, Side::Buy, 100, 400);
    assert_eq!(exchange.accounts().position(member, PERPETUAL), Lots(400));
    send(&mut exchange, house, Side::Buy, 90, 1_000);
    send(&mut exchange, member, Side::Sell, 120, 100);
    // Equity 3 - 0.02 fee; at 93 the loss of 2.8 leaves less than one per cent of 37.2.
    exchange.set_mark(PERPETUAL, MarkPrice::at(Ticks(94)), 2, &mut flow).unwrap();
    assert_eq!(flow.insured, 0);
    exchange.set_mark(PERPETUAL, MarkPrice::at(Ticks(93)), 3, &mut flow).unwrap();
    assert_eq!(flow.insured, 1);
    assert_eq!(exchange.accounts().position(member, PERPETUAL), Lots(0));
    assert_eq!(exchange.market(PERPETUAL).unwrap().open_orders(), 1, "its orders are gone");
    // Sold at 90: a loss of 4 and fees of 0.02 + 0.018 on 3 leave a debt of 1.038.
    let unit = 1_000_000_000_000_000_i128;
    assert_eq!(exchange.accounts().insurance_paid("USDC"), Money(1_038 * unit));
    assert_eq!(exchange.accounts().balance(member, "USDC").wallet, Money(0));
}
