//! Published matching scenarios with their expected output: an order book exercise (acknowledgements
//! and changes of the top of the book) and the scenarios of exchange-core (balances, fills, books).

mod instruments;
mod shared;

use std::collections::{BTreeMap, HashMap};

use mainspring_core::order::{OrderFlags, OrderTerms, Side, TimeInForce};
use mainspring_core::{Instrument, InstrumentId, InstrumentKind, Lots, Money, Ticks};
use mainspring_exchange::{
    AccountId, Desk, Exchange, Listener, Market, MarketConfig, NewOrder, OrderId, OrderReport,
    ReportKind, TradeReport,
};
use mainspring_trading::ledger::FillEffect;

/// The exercise: one book for each symbol, acknowledgements and best levels as text lines.
#[derive(Default)]
struct Exercise {
    /// By order: user and the user's id.
    names: HashMap<u64, (String, String)>,
    lines: Vec<String>,
}

impl Desk for Exercise {
    fn trade(&mut self, trade: &TradeReport) {
        let buys = trade.taker_side == Side::Buy;
        let (buyer, seller) =
            if buys { (trade.taker, trade.maker) } else { (trade.maker, trade.taker) };
        let name = |id: OrderId| format!("{}, {}", self.names[&id.0].0, self.names[&id.0].1);
        let (buyer, seller) = (name(buyer.order), name(seller.order));
        self.lines.push(format!("T, {buyer}, {seller}, {}, {}", trade.price, trade.qty));
    }

    fn order(&mut self, report: &OrderReport) {
        let sign = match report.kind {
            ReportKind::Accepted => "A",
            ReportKind::Cancelled(mainspring_core::CancelReason::Requested) => "A",
            ReportKind::Rejected(_) => "R",
            _ => return,
        };
        let (user, id) = &self.names[&report.order.0];
        self.lines.push(format!("{sign}, {user}, {id}"));
    }
}

fn best(market: &Market, side: Side) -> Option<(Ticks, Lots)> {
    market.levels().levels(side).next()
}

/// Runs one scenario without matching: an order that would cross is refused.
fn run_exercise(input: &str) -> Vec<String> {
    let instrument = instruments::plain(InstrumentKind::Spot, "IBM", "USD");
    let mut market = Market::new(InstrumentId(0), &instrument, MarketConfig::default()).unwrap();
    let mut desk = Exercise::default();
    for (number, line) in (1_u64..).zip(input.lines().filter(|line| !line.trim().is_empty())) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let before = [Side::Buy, Side::Sell].map(|side| best(&market, side));
        match fields[..] {
            ["N", user, _symbol, price, qty, side, id] => {
                let side = if side == "B" { Side::Buy } else { Side::Sell };
                let (price, qty) = (price.parse().unwrap(), Lots(qty.parse().unwrap()));
                let mut terms = OrderTerms::limit(InstrumentId(0), side, Ticks(price), qty);
                terms.flags = OrderFlags::POST_ONLY;
                desk.names.insert(number, (user.to_owned(), id.to_owned()));
                let account = AccountId(user.parse().unwrap());
                market.submit(NewOrder::new(OrderId(number), account, terms), 0, &mut desk);
            }
            ["C", user, id] => {
                let name = (user.to_owned(), id.to_owned());
                let order = desk.names.iter().find(|(_, known)| **known == name);
                let (id, account) = (OrderId(*order.unwrap().0), user.parse().unwrap());
                market.cancel(id, AccountId(account), 0, &mut desk);
            }
            _ => panic!("unknown input line {line}"),
        }
        for (side, before) in [Side::Buy, Side::Sell].into_iter().zip(before) {
            let now = best(&market, side);
            if now != before {
                let letter = if side == Side::Buy { "B" } else { "S" };
                let (price, qty) =
                    now.map_or(("-".into(), "-".into()), |(p, q)| (p.to_string(), q.to_string()));
                desk.lines.push(format!("B, {letter}, {price}, {qty}"));
            }
        }
    }
    desk.lines
}

/// Scenarios by number: the lines that are not comments.
fn scenarios(text: &str) -> BTreeMap<u32, String> {
    let mut found: BTreeMap<u32, String> = BTreeMap::new();
    let mut current = 0;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("#name: scenario ") {
            current = number.trim().parse().unwrap();
        } else if !line.starts_with('#') && line.trim() != "F" && current > 0 {
            let scenario = found.entry(current).or_default();
            scenario.push_str(line.trim());
            scenario.push('\n');
        }
    }
    found
}

#[test]
fn the_exercise_gives_the_published_output() {
    let file = |name: &str| shared::text(&format!("matching-vectors/{name}"));
    let (Some(input), Some(output)) =
        (file("input_scenarios_1_2_3_4_6_9.csv"), file("output_scenarios_1_2_3_4_6_9.csv"))
    else {
        return;
    };
    let (inputs, outputs) = (scenarios(&input), scenarios(&output));
    assert!(inputs.len() >= 6);
    for (number, input) in &inputs {
        let wanted: Vec<&str> =
            outputs[number].lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(run_exercise(input), wanted, "scenario {number}");
    }
}

/// The scenarios of exchange-core, read from the Gherkin text itself.
struct Gherkin {
    exchange: Exchange,
    symbols: Vec<String>,
    clients: BTreeMap<String, AccountId>,
    /// Scenario's order id to ours, and where it is.
    orders: BTreeMap<u64, (OrderId, InstrumentId)>,
    heard: Heard,
}

#[derive(Default)]
struct Heard {
    trades: Vec<TradeReport>,
}

impl Listener for Heard {
    fn trade(&mut self, trade: &TradeReport, _: &FillEffect, _: &FillEffect) {
        self.trades.push(*trade);
    }
    fn order(&mut self, report: &OrderReport) {
        assert!(!matches!(report.kind, ReportKind::Rejected(_)), "{report:?}");
    }
}

/// A pair whose prices count `tick` of the quote's own units, as the scenarios state them.
fn pair(kind: InstrumentKind, base: &str, quote: &str, tick: &str) -> Instrument {
    let mut pair = instruments::plain(kind, base, quote);
    pair.symbol = format!("{base}_{quote}");
    pair.grids[0].tick = tick.parse().unwrap();
    pair
}

impl Gherkin {
    fn new() -> Self {
        // EUR_USD is margined there; in ETH_XBT 500 at 18,500 hold 92,500,000: a tick is 10.
        let pairs = [
            pair(InstrumentKind::LinearPerpetual, "EUR", "USD", "1"),
            pair(InstrumentKind::Spot, "ETH", "XBT", "10"),
        ];
        Self {
            exchange: Exchange::new(&pairs, MarketConfig::default()).unwrap(),
            symbols: pairs.iter().map(|pair| pair.symbol.clone()).collect(),
            clients: BTreeMap::new(),
            orders: BTreeMap::new(),
            heard: Heard::default(),
        }
    }

    fn instrument(&self, symbol: &str) -> InstrumentId {
        let at = self.symbols.iter().position(|known| known == symbol);
        InstrumentId(u16::try_from(at.expect("a known symbol")).unwrap())
    }

    /// One step with the rows of the table under it.
    fn step(&mut self, text: &str, rows: &[Vec<String>]) -> usize {
        let words: Vec<&str> = text.split_whitespace().collect();
        let word = |at: usize| words[at].trim_matches(|c: char| ":,().;".contains(c));
        let number = |text: &str| text.parse::<i64>().expect("a number");
        if text.contains("has a balance:") {
            let name = words[words.iter().position(|w| *w == "client").unwrap() + 1];
            let deposits: Vec<_> =
                rows.iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
            let deposits: Vec<_> = deposits
                .into_iter()
                .filter(|(currency, _)| self.exchange.accounts().currencies().contains(currency))
                .collect();
            let id = self.exchange.open_account(&deposits).unwrap();
            self.clients.insert(name.to_owned(), id);
        } else if text.contains(" places an ") {
            // A client X places an SIDE order ID at PRICE@QTY (type: T, symbol: S, ...)
            let account = self.clients[words[2]];
            let side = if words[5] == "BID" { Side::Buy } else { Side::Sell };
            let (price, qty) = words[9].split_once('@').unwrap();
            let instrument = self.instrument(word(13));
            let mut terms =
                OrderTerms::limit(instrument, side, Ticks(number(price)), Lots(number(qty)));
            if word(11) == "IOC" {
                terms.time_in_force = TimeInForce::Ioc;
            }
            let id = self.exchange.next_order_id();
            self.orders.insert(number(words[7]) as u64, (id, instrument));
            let order = NewOrder::new(id, account, terms);
            self.heard.trades.clear();
            self.exchange.submit(order, 0, &mut self.heard).unwrap();
        } else if text.contains(" moves a price to ") {
            let account = self.clients[words[2]];
            let (id, instrument) = self.orders[&(number(words[words.len() - 1]) as u64)];
            let open = self.exchange.order(instrument, id).expect("an open order");
            let terms = (Ticks(number(words[7])), open.order.terms.qty);
            self.heard.trades.clear();
            self.exchange.amend(instrument, id, account, terms, 0, &mut self.heard).unwrap();
        } else if text.contains(" cancels the remaining size ") {
            let account = self.clients[words[2]];
            let (id, instrument) = self.orders[&(number(words[words.len() - 1]) as u64)];
            self.exchange.cancel(instrument, id, account, 0, &mut self.heard).unwrap();
        } else if text.contains(" matched. LastPx: ") {
            let (id, _) = self.orders[&(number(words[2]) as u64)];
            let trade = self.heard.trades.last().expect("a trade");
            let at = words.iter().position(|w| *w == "LastPx:").unwrap();
            assert_eq!(trade.maker.order, id);
            assert_eq!(trade.price, Ticks(number(word(at + 1))));
            assert_eq!(trade.qty, Lots(number(word(at + 3))));
            assert_eq!(trade.maker.left.0 == 0, text.contains("fully"), "{text}");
        } else if text == "No trade events" {
            assert!(self.heard.trades.is_empty());
        } else if text.contains(" order book is:") {
            self.check_book(self.instrument(word(1)), rows);
        } else if text.starts_with("A balance of a client") {
            for row in rows {
                let balance = self.exchange.accounts().balance(self.clients[word(5)], &row[0]);
                let unit = 1_000_000_000_000_000_000_i128;
                let free = balance.available();
                assert_eq!(free, Money(i128::from(number(&row[1])) * unit), "{text} {row:?}");
            }
        } else if text.contains("does not have active orders") {
            let mut ids = Vec::new();
            let account = self.clients[words[2]];
            self.exchange.markets().iter().for_each(|m| m.orders_of(account, &mut ids));
            assert!(ids.is_empty());
        } else if text.ends_with("orders:") {
            for row in &rows[1..] {
                let (id, instrument) = self.orders[&(number(&row[0]) as u64)];
                let open = self.exchange.order(instrument, id).expect("an open order");
                assert_eq!(open.order.account, self.clients[word(2)]);
                assert_eq!(open.order.terms.price.0, number(&row[1]));
                assert_eq!(open.order.terms.qty.0, number(&row[2]));
                assert_eq!(open.filled.0, number(&row[3]));
                assert_eq!(open.order.terms.side == Side::Buy, row[5] == "BID");
            }
        } else {
            panic!("unknown step: {text}");
        }
        1
    }

    fn check_book(&self, instrument: InstrumentId, rows: &[Vec<String>]) {
        let market = self.exchange.market(instrument).unwrap();
        let mut wanted: [Vec<(i64, i64)>; 2] = Default::default();
        for row in rows.iter().filter(|row| row[1] != "price") {
            let price = row[1].parse().unwrap();
            if let Ok(bid) = row[0].parse() {
                wanted[0].push((price, bid));
            }
            if let Ok(ask) = row[2].parse() {
                wanted[1].push((price, ask));
            }
        }
        wanted[1].reverse();
        for (side, wanted) in [Side::Buy, Side::Sell].into_iter().zip(wanted) {
            let levels: Vec<_> = market.levels().levels(side).map(|(p, q)| (p.0, q.0)).collect();
            assert_eq!(levels, wanted);
        }
    }
}

/// The scenarios as lists of steps with their tables; outlines once for each example.
fn gherkin_scenarios(text: &str) -> Vec<Vec<(String, Vec<Vec<String>>)>> {
    let mut background = Vec::new();
    let mut scenarios: Vec<Vec<(String, Vec<Vec<String>>)>> = Vec::new();
    let mut examples: Vec<Vec<String>> = Vec::new();
    let mut in_examples = false;
    let finish = |steps: &mut Vec<(String, Vec<Vec<String>>)>, table: &[Vec<String>]| {
        let names: &[Vec<String>] = if table.len() > 1 { &table[1..] } else { &[] };
        let one = |value: Option<&Vec<String>>| -> Vec<(String, Vec<Vec<String>>)> {
            let filled = |step: &(String, Vec<Vec<String>>)| match value {
                Some(row) => (step.0.replace("<symbol>", &row[0]), step.1.clone()),
                None => step.clone(),
            };
            steps.iter().map(filled).collect()
        };
        let all: Vec<_> = if names.is_empty() {
            vec![one(None)]
        } else {
            names.iter().map(|row| one(Some(row))).collect()
        };
        steps.clear();
        all
    };
    let mut steps: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    let mut in_background = false;
    for line in text.lines().map(str::trim) {
        let keyword = |word: &str| line.strip_prefix(word).map(str::trim);
        if line.starts_with("Scenario") || line.starts_with("Background") {
            if in_background {
                background = std::mem::take(&mut steps);
            } else if !steps.is_empty() {
                scenarios.extend(finish(&mut steps, &examples));
            }
            examples.clear();
            in_examples = false;
            in_background = line.starts_with("Background");
        } else if line.starts_with("Examples:") {
            in_examples = true;
        } else if line.starts_with('|') {
            let row = line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect();
            if in_examples {
                examples.push(row);
            } else if let Some(step) = steps.last_mut() {
                step.1.push(row);
            }
        } else if let Some(step) =
            ["Given ", "When ", "Then ", "And "].iter().find_map(|word| keyword(word))
        {
            steps.push((step.trim_start_matches("New ").to_owned(), Vec::new()));
        }
    }
    scenarios.extend(finish(&mut steps, &examples));
    scenarios.into_iter().map(|steps| background.iter().cloned().chain(steps).collect()).collect()
}

#[test]
fn exchange_core_scenarios_hold() {
    let Some(text) = shared::text("matching-vectors/exchange-core_basic.feature") else { return };
    let scenarios = gherkin_scenarios(&text);
    assert!(scenarios.len() >= 3, "an outline with two examples, and one more");
    let mut steps = 0;
    for scenario in scenarios {
        let mut world = Gherkin::new();
        for (text, rows) in &scenario {
            steps += world.step(text, rows);
        }
    }
    assert!(steps > 40, "{steps} steps");
}
