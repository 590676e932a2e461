//! The exchange's own flow: the books it makes are the generator's, and members' orders among it
//! disturb only what they meet.

use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeNs};
use mainspring_exchange::{AccountId, Exchange, MarketConfig, NewOrder, Silence};
use mainspring_exchange_server::flow::{listed, shapes, HouseFlow};
use mainspring_sim::flow::{FeedLatency, Flow, FlowConfig, Level};

const OPENED: TimeNs = 1_750_000_000_000_000_000;
const SECONDS: i64 = 20;
const MARKET: InstrumentId = InstrumentId(0);

fn exchange() -> (Exchange, HouseFlow) {
    let names = vec!["btcusdt".to_owned()];
    let instrument = listed(&shapes(&names).unwrap()[0].instrument, false);
    let mut exchange =
        Exchange::new(std::slice::from_ref(&instrument), MarketConfig::default()).unwrap();
    let pace = (OPENED, SECONDS * 1_000_000_000, 1.0);
    let flow = HouseFlow::new(&mut exchange, (&names, std::slice::from_ref(&instrument)), 5, pace)
        .unwrap();
    (exchange, flow)
}

/// The generator's own levels, built from its rows as any reader would.
fn generated() -> mainspring_book::L3Book {
    let rows = Flow::new(&FlowConfig {
        seed: 5,
        start_ns: OPENED - SECONDS * 1_000_000_000,
        duration_ns: SECONDS * 1_000_000_000,
        markets: shapes(&["btcusdt".to_owned()]).unwrap(),
        level: Level::Orders,
        latency: FeedLatency { median_ns: 0.0, log_sd: 0.0 },
    })
    .unwrap();
    let mut book = mainspring_book::L3Book::default();
    for row in rows {
        let market = mainspring_core::MarketRow {
            recv_ns: row.recv_ns,
            exch_ns: row.exch_ns,
            qty_lots: row.qty,
            price_offset: i32::try_from(row.price.0).unwrap(),
            kind: row.kind as u8,
            flags: row.flags,
            instrument: 0,
        };
        let row = mainspring_core::OrderRow { market, order_id: row.order_id };
        book.apply(&row, Ticks(0)).unwrap();
    }
    book
}

#[test]
fn alone_it_makes_the_generators_book() {
    let (mut exchange, mut flow) = exchange();
    while flow.advance(&mut exchange, OPENED, 1_000, &mut Silence) == 1_000 {}
    let market = exchange.market(MARKET).unwrap();
    let wanted = generated();
    for side in [Side::Buy, Side::Sell] {
        let ours: Vec<_> = market.levels().levels(side).collect();
        let theirs: Vec<_> = wanted.l2().levels(side).collect();
        assert!(ours.len() > 100);
        assert_eq!(ours, theirs);
    }
    assert!(market.trades() > 10);
}

#[test]
fn a_members_order_in_front_is_filled_by_it() {
    let (mut exchange, mut flow) = exchange();
    let member = exchange.open_account(&[("USDT".to_owned(), "1000000".parse().unwrap())]).unwrap();
    let half = OPENED - SECONDS * 500_000_000;
    flow.advance(&mut exchange, half, usize::MAX, &mut Silence);
    let market = exchange.market(MARKET).unwrap();
    let (bid, ask) = (market.levels().best_bid(), market.levels().best_ask());
    let price = if ask.0 - bid.0 > 1 { Ticks(bid.0 + 1) } else { bid };
    let terms = OrderTerms::limit(MARKET, Side::Buy, price, Lots(1_000_000));
    let order = NewOrder::new(exchange.next_order_id(), member, terms);
    // More than the account can pay for is refused; what it can pay for rests.
    exchange.submit(order, half, &mut Silence).unwrap();
    assert!(exchange.order(MARKET, order.id).is_none());
    let terms = OrderTerms { qty: Lots(20), ..terms };
    let order = NewOrder::new(exchange.next_order_id(), member, terms);
    exchange.submit(order, half, &mut Silence).unwrap();
    let before = exchange.accounts().position(AccountId(0), MARKET);
    flow.advance(&mut exchange, OPENED, usize::MAX, &mut Silence);
    let filled = exchange.accounts().position(member, MARKET);
    assert!(filled.0 > 0, "the flow's sellers met it");
    assert_ne!(before, exchange.accounts().position(AccountId(0), MARKET));
    let open = exchange.accounts().ids().map(|id| exchange.accounts().position(id, MARKET).0);
    assert_eq!(open.sum::<i64>(), 0);
}
