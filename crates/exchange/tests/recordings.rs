//! Order flow of real venues through the matching engine: whom it matches, and what the book then
//! is, against what the venues published.

mod instruments;
mod shared;

use std::collections::{HashMap, HashSet};

use mainspring_core::order::{OrderTerms, Side, TimeInForce};
use mainspring_core::{Decimal, InstrumentId, InstrumentKind, Lots, Ticks};
use mainspring_exchange::{
    AccountId, Desk, Market, MarketConfig, NewOrder, OrderId, OrderReport, TradeReport,
};
use serde_json::Value;

const MEMBER: AccountId = AccountId(0);
const TAKER: AccountId = AccountId(1);

#[derive(Default)]
struct Trades(Vec<TradeReport>);

impl Desk for Trades {
    fn trade(&mut self, trade: &TradeReport) {
        self.0.push(*trade);
    }
    fn order(&mut self, _: &OrderReport) {}
}

fn market() -> Market {
    let mut instrument = instruments::plain(InstrumentKind::LinearPerpetual, "X", "USD");
    instrument.grids[0].tick = "0.01".parse().unwrap();
    instrument.lot = "0.00000001".parse().unwrap();
    Market::new(InstrumentId(0), &instrument, MarketConfig::default()).unwrap()
}

fn limit(id: u64, account: AccountId, side: Side, price: i64, qty: i64) -> NewOrder {
    let terms = OrderTerms::limit(InstrumentId(0), side, Ticks(price), Lots(qty));
    let mut order = NewOrder::new(OrderId(id), account, terms);
    order.self_trade = None;
    order
}

/// Orders from before a recording: one at each level, in front of its queue.
const SEEDS: u64 = 1 << 40;

fn integers(line: &str) -> Vec<i64> {
    line.split(',').map(|field| field.parse().expect("a whole number")).collect()
}

/// What is known of an order of the recording: its own id, or for one from before it, the level's.
fn resting_id(market: &Market, id: u64, price: i64) -> OrderId {
    if market.order(OrderId(id)).is_some() {
        OrderId(id)
    } else {
        OrderId(SEEDS + price as u64)
    }
}

/// The order that trades next on a side.
fn front(market: &Market, side: Side) -> Option<(OrderId, Ticks)> {
    let best = market.levels().best(side)?;
    let place = market.orders().first(side, best)?;
    Some((OrderId(market.orders().at(place).id), best))
}

fn reduce(market: &mut Market, id: OrderId, by: i64, trades: &mut Trades) {
    let Some(open) = market.order(id) else { return };
    let left = open.left().0 - by;
    if left <= 0 {
        market.cancel(id, MEMBER, 0, trades);
    } else {
        let terms = (open.order.terms.price, Lots(open.filled.0 + left));
        market.amend(id, MEMBER, terms, 0, trades);
    }
}

#[test]
fn lobster_executions_meet_the_order_that_nasdaq_matched() {
    let dir = "lobster-aapl-2012/AAPL_2012-06-21";
    let (Some(messages), Some(quotes), Some(levels)) = (
        shared::recording(&format!("{dir}_message_50_first40000.csv.gz")),
        shared::recording(&format!("{dir}_bbo_first40000.csv.gz")),
        shared::recording(&format!("{dir}_orderbook_50_first672.csv.gz")),
    ) else {
        return;
    };
    let (mut market, mut trades) = (market(), Trades::default());
    let first = integers_of_message(messages.lines().next().unwrap());
    for level in integers(levels.lines().next().expect("a first row")).chunks(4) {
        for (side, price, size) in
            [(Side::Sell, level[0], level[1]), (Side::Buy, level[2], level[3])]
        {
            // The first published book has the first message in it.
            let size = if price == first[3] { size - first[2] } else { size };
            let price = price / 100;
            if size > 0 {
                market.submit(
                    limit(SEEDS + price as u64, MEMBER, side, price, size),
                    0,
                    &mut trades,
                );
            }
        }
    }
    let (mut rows, mut equal, mut executions, mut same_maker) = (0, 0, 0, 0);
    for (number, (message, quote)) in (1_u64..).zip(messages.lines().zip(quotes.lines())) {
        let fields = integers_of_message(message);
        let (kind, id, size, price) = (fields[0], fields[1] as u64, fields[2], fields[3] / 100);
        let side = if fields[4] == 1 { Side::Buy } else { Side::Sell };
        trades.0.clear();
        match kind {
            1 => market.submit(limit(id, MEMBER, side, price, size), 0, &mut trades),
            2 | 3 => {
                let id = resting_id(&market, id, price);
                reduce(&mut market, id, size, &mut trades);
            }
            4 => {
                let wanted = resting_id(&market, id, price);
                executions += 1;
                if front(&market, side) == Some((wanted, Ticks(price))) {
                    let mut taker = limit(2 * SEEDS + number, TAKER, side.opposite(), price, size);
                    taker.terms.time_in_force = TimeInForce::Ioc;
                    market.submit(taker, 0, &mut trades);
                    let met = trades.0.first().map(|t| (t.maker.order, t.price.0, t.qty.0));
                    same_maker +=
                        u32::from(trades.0.len() == 1 && met == Some((wanted, price, size)));
                } else {
                    // Somebody else is first here; the book follows the recording.
                    reduce(&mut market, wanted, size, &mut trades);
                }
            }
            _ => {}
        }
        let wanted = integers(quote);
        let l2 = market.levels();
        let best =
            [(l2.best_ask(), l2.best_qty(Side::Sell)), (l2.best_bid(), l2.best_qty(Side::Buy))];
        let best = best.map(|(price, qty)| (price.0 * 100, qty.0));
        equal += u32::from(best == [(wanted[0], wanted[1]), (wanted[2], wanted[3])]);
        rows += 1;
    }
    println!("LOBSTER: {same_maker} of {executions} executions met the same order;");
    println!("best prices and sizes equal after {equal} of {rows} messages");
    // The other 19 met an order that was not first of those that the recording shows.
    assert_eq!((same_maker, executions), (1_996, 2_015));
    assert_eq!((equal, rows), (40_000, 40_000));
}

/// Type, id, size, price, direction.
fn integers_of_message(line: &str) -> Vec<i64> {
    line.split(',').skip(1).map(|field| field.parse().expect("a whole number")).collect()
}

fn units(text: &str, decimals: u8) -> i64 {
    let unit = Decimal::new(1, decimals).unwrap();
    text.parse::<Decimal>().unwrap().count_of(unit).expect("on the grid")
}

struct Line {
    event: String,
    id: u64,
    side: Side,
    price: i64,
    amount: i64,
}

fn bitstamp_lines(log: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in log.lines() {
        let mut parts = line.splitn(3, ' ').skip(1);
        let (event, json) = (parts.next().unwrap(), parts.next().unwrap());
        let json: Value = serde_json::from_str(json).expect("json");
        let number = |name: &str, decimals: u8| match &json[name] {
            Value::String(text) => units(text, decimals),
            // Trades are written as floats.
            value => {
                let scaled = value.as_f64().unwrap_or(0.0) * 10_f64.powi(i32::from(decimals));
                scaled.round() as i64
            }
        };
        if event == "order_book" {
            continue;
        }
        lines.push(Line {
            event: event.to_owned(),
            id: json["id"].as_u64().unwrap(),
            side: if json["order_type"] == 0 { Side::Buy } else { Side::Sell },
            price: number("price", 2),
            amount: number("amount", 8),
        });
    }
    lines
}

#[test]
fn bitstamp_orders_trade_as_they_did() {
    let Some(log) = shared::recording("bitstamp-l3-2015/2015-05-01_first2h.log.xz") else {
        return;
    };
    let lines = bitstamp_lines(&log);
    let (mut market, mut trades) = (market(), Trades::default());
    let created: HashSet<u64> =
        lines.iter().filter(|l| l.event == "order_created").map(|l| l.id).collect();
    // Orders from before the log, with what their first line leaves of them.
    let mut seen = HashSet::new();
    let mut old: Vec<&Line> = lines
        .iter()
        .filter(|l| l.event != "trade" && !created.contains(&l.id) && seen.insert(l.id))
        .filter(|l| l.amount > 0)
        .collect();
    old.sort_by_key(|l| l.id);
    for l in old {
        market.submit(limit(l.id, MEMBER, l.side, l.price, l.amount), 0, &mut trades);
    }
    trades.0.clear();
    let mut wanted: HashMap<(i64, i64), i64> = HashMap::new();
    for l in &lines {
        match l.event.as_str() {
            "order_created" => {
                market.submit(limit(l.id, MEMBER, l.side, l.price, l.amount), 0, &mut trades);
            }
            "order_deleted" => market.cancel(OrderId(l.id), MEMBER, 0, &mut trades),
            "trade" => *wanted.entry((l.price, l.amount)).or_default() += 1,
            _ => {}
        }
    }
    let logged: i64 = wanted.values().sum();
    let made = trades.0.len();
    let mut equal = 0;
    for trade in &trades.0 {
        let left = wanted.entry((trade.price.0, trade.qty.0)).or_default();
        equal += i64::from(*left > 0);
        *left -= 1;
    }
    println!("Bitstamp: {equal} of {logged} logged trades made, of {made}");
    // The others met orders from before the log, of which only the end is known.
    assert_eq!((equal, made, logged), (230, 238, 286));
}
