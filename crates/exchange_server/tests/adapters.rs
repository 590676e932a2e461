//! Our own adapters against every dialect: an order's whole life by the codec of the venue, requests and
//! user events, without a socket between them.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use mainspring_core::order::{OrderFlags, OrderTerms, OrderType, RejectReason};
use mainspring_core::{InstrumentId, Lots, Side, Ticks, TimeInForce};
use mainspring_exchange_server::config::Member;
use mainspring_exchange_server::dialects::{find, Floor, HttpRequest, Talk};
use mainspring_exchange_server::hub::Connection;
use mainspring_exchange_server::venue::Venue as Server;
use mainspring_exchange_server::ServerConfig;
use mainspring_venues::fact::{Fact, FillOrigin, Notice};
use mainspring_venues::failure::{Failure, FailureClass};
use mainspring_venues::listing::Listing;
use mainspring_venues::operation::{Amend, Cancel, Operation, OrderKey, Place, UserStream};
use mainspring_venues::outgoing::{Outgoing, Reply, Via};
use mainspring_venues::secret::Secret;
use mainspring_venues::table::{Opening, VENUES};
use mainspring_venues::venue::Venue;

const START_NS: i64 = 1_790_000_000_000_000_000;
const WALLET: &str = "0x0123456789012345678901234567890123456789012345678901234567890123";
const ADDRESS: &str = "0x14791697260e4c9a71f18484c9f997b308e59325";
const CHAIN_ADDRESS: &str = "dydx1navfnxx0ywpgtdjevkkmk2k79lvr37jtmp8y6t";

/// What a codec read, as far as it is looked at here.
#[derive(Debug, PartialEq)]
enum Seen {
    Order { client: String, venue_id: String, said: String },
    Fill,
    Liquidated,
    Balance,
    Position(bool),
    Ready,
}

/// A codec and the server that it talks with.
struct Desk {
    codec: Box<dyn Venue>,
    floor: Floor,
    now_ns: i64,
}

fn desk(dialect: &str, adapter: &str, secret: &str) -> Desk {
    let (key, own) = match dialect {
        "hyperliquid" => (ADDRESS, WALLET),
        "dydx" => (CHAIN_ADDRESS, WALLET),
        _ => ("simulator-key", "simulator-secret"),
    };
    let member = Member { key: key.to_owned(), secret: own.to_owned(), ..Member::default() };
    let config = ServerConfig {
        dialect: dialect.to_owned(),
        markets: vec!["btcusdt".to_owned()],
        warm_up_s: 20.0,
        members: vec![member],
        ..ServerConfig::default()
    };
    let row = find(dialect).unwrap();
    let floor = Floor {
        venue: Server::new(&row.listing, &config, START_NS).unwrap(),
        dialect: (row.make)(),
    };
    let opening = Opening {
        key: Some(Secret::new(key)),
        secret: Some(Secret::new(if secret.is_empty() { own } else { secret })),
        passphrase: Some(Secret::new("simulator-passphrase")),
        account: key.to_owned(),
        ..Opening::default()
    };
    let entry = VENUES.iter().find(|entry| entry.name == adapter).unwrap();
    Desk { codec: (entry.open)(&opening).unwrap(), floor, now_ns: START_NS }
}

fn note(fact: Fact<'_>, seen: &mut Vec<Seen>) {
    seen.extend(match fact {
        Fact::Order(order) => Some(Seen::Order {
            client: order.client.to_owned(),
            venue_id: order.venue_id.to_owned(),
            said: format!("{:?}", order.status),
        }),
        Fact::Fill(fill) if fill.origin == FillOrigin::Liquidation => Some(Seen::Liquidated),
        Fact::Fill(_) => Some(Seen::Fill),
        Fact::Balance(_) => Some(Seen::Balance),
        Fact::Position(position) => Some(Seen::Position(position.qty.mantissa() != 0)),
        Fact::Notice(Notice::LoggedIn | Notice::Subscribed(_)) => Some(Seen::Ready),
        _ => None,
    });
}

impl Desk {
    /// A moment later.
    fn pass(&mut self) -> i64 {
        self.now_ns += 5_000_000;
        self.floor.venue.set_now(self.now_ns);
        self.now_ns / 1_000_000
    }

    /// Asks by HTTP; returns the request and what was answered.
    fn http(&mut self, operation: &Operation<'_>) -> (Outgoing, u16, String) {
        let now_ms = self.pass();
        let mut out = Outgoing::new();
        self.codec.encode(operation, Via::Http, now_ms, &mut out).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in out.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let query = out.target.split_once('?').map_or("", |(_, query)| query).to_owned();
        let request = HttpRequest {
            method: out.method.name(),
            path: out.path(),
            query: &query,
            headers: &headers,
            body: &out.body,
        };
        let answer = self.floor.http(&request, None);
        (out, answer.status, answer.body)
    }

    fn ask(&mut self, operation: &Operation<'_>) -> Result<Vec<Seen>, Failure> {
        let (out, status, body) = self.http(operation);
        let mut seen = Vec::new();
        let reply = Reply::new(status, body.as_bytes());
        self.codec.answer(&out, &reply, &mut |fact| note(fact, &mut seen))?;
        Ok(seen)
    }

    fn listing(&mut self) -> Listing {
        let (_, _, body) = self.http(&Operation::Instruments);
        self.codec.instruments(body.as_bytes()).unwrap().remove(0)
    }

    /// Ids of the open orders: ours and the venue's.
    fn open(&mut self, listing: &Listing) -> Vec<(String, String)> {
        let seen = self.ask(&Operation::OpenOrders(Some(listing))).unwrap();
        let ids = seen.into_iter().map(|one| match one {
            Seen::Order { client, venue_id, .. } => (client, venue_id),
            other => panic!("not an order: {other:?}"),
        });
        ids.collect()
    }
}

fn ticks(listing: &Listing, price: &str) -> Ticks {
    Ticks(
        price
            .parse::<mainspring_core::Decimal>()
            .unwrap()
            .count_of(listing.instrument.tick())
            .unwrap(),
    )
}

fn lots(listing: &Listing, qty: &str) -> Lots {
    let contract = listing.instrument.multiplier;
    let qty = qty.parse::<mainspring_core::Decimal>().unwrap().to_f64();
    Lots((qty / contract.to_f64() / listing.instrument.lot.to_f64()).round() as i64)
}

fn client_of(adapter: &str, number: u32) -> String {
    match adapter {
        "hyperliquid" => format!("0x{number:032x}"),
        "dydx" => number.to_string(),
        _ => format!("own{number}"),
    }
}

fn life(dialect: &str, adapter: &str) {
    let mut desk = desk(dialect, adapter, "");
    let listing = desk.listing();
    let (qty, price) = (lots(&listing, "0.02"), ticks(&listing, "50000"));
    assert!(desk.ask(&Operation::Time).is_ok());
    let client = client_of(adapter, 1);
    let mut terms = OrderTerms::limit(InstrumentId(0), Side::Buy, price, qty);
    desk.ask(&Operation::Place(Place::new(&listing, terms, &client))).unwrap();
    let (ours, venue_id) = desk.open(&listing).pop().expect("the order is open");
    assert_eq!(ours, client);
    // Spot of Binance amends to less alone, and Hyperliquid's order comes back with another id.
    let (new_price, new_qty) = match adapter {
        "binance" => (price, Lots(qty.0 / 2)),
        _ => (ticks(&listing, "49000"), Lots(qty.0 * 2)),
    };
    // On a chain orders are named by the member's numbers alone.
    let by_number = adapter == "dydx";
    let named = |id| if by_number { OrderKey::Client("1") } else { OrderKey::Venue(id) };
    let amend = Amend {
        listing: &listing,
        order: named(&venue_id),
        side: Side::Buy,
        terms,
        price: new_price,
        qty: new_qty,
        filled: Lots(0),
        client: "",
    };
    desk.ask(&Operation::Amend(amend)).unwrap();
    let (_, venue_id) = desk.open(&listing).pop().expect("the order is still open");
    let order = OrderKey::Venue(&venue_id);
    let seen = desk.ask(&Operation::Query { listing: &listing, order }).unwrap();
    assert!(matches!(&seen[..], [Seen::Order { said, .. }] if said == "Open"), "{seen:?}");
    let cancel = Cancel { listing: &listing, order: named(&venue_id), good_till_s: 0 };
    desk.ask(&Operation::Cancel(cancel)).unwrap();
    assert!(desk.open(&listing).is_empty());
    let late = desk.ask(&Operation::Cancel(cancel)).unwrap_err();
    assert_eq!(
        (late.class, late.reason),
        (FailureClass::Refused, Some(RejectReason::UnknownOrder))
    );
    terms.price = ticks(&listing, "99000");
    terms.time_in_force = TimeInForce::Ioc;
    let client = client_of(adapter, 2);
    desk.ask(&Operation::Place(Place::new(&listing, terms, &client))).unwrap();
    let since_ms = START_NS / 1_000_000 - 1_000;
    let fills = desk.ask(&Operation::Fills { listing: &listing, since_ms, limit: 100 }).unwrap();
    assert!(fills.contains(&Seen::Fill), "{fills:?}");
    let balances = desk.ask(&Operation::Balances).unwrap();
    assert!(balances.contains(&Seen::Balance), "{balances:?}");
    if listing.instrument.kind.is_derivative() {
        let held = desk.ask(&Operation::Positions(Some(&listing))).unwrap();
        assert!(held.contains(&Seen::Position(true)), "{held:?}");
    }
}

fn stranger(dialect: &str, adapter: &str) {
    let by_wallet = ["hyperliquid", "dydx"].contains(&dialect);
    let secret = if by_wallet { format!("0x{}", "1".repeat(64)) } else { "x".into() };
    let mut desk = desk(dialect, adapter, &secret);
    let listing = desk.listing();
    let terms = OrderTerms::limit(
        InstrumentId(0),
        Side::Buy,
        ticks(&listing, "50000"),
        lots(&listing, "0.02"),
    );
    let client = client_of(adapter, 1);
    let refused = desk.ask(&Operation::Place(Place::new(&listing, terms, &client))).unwrap_err();
    assert_eq!(refused.class, FailureClass::Authentication, "{refused:?}");
}

/// User events: what the codec asks for on the venue's private socket, and what it then hears of.
fn events(dialect: &str, adapter: &str, path: &str) {
    let mut desk = desk(dialect, adapter, "");
    let listing = desk.listing();
    let (mut connection, mut queue, _) = Connection::new(1, 1_000, false);
    let mut talk: Box<dyn Talk> = desk.floor.dialect.talk(path, "").expect("a private socket");
    talk.begin(&mut desk.floor.venue, &mut connection);
    let mut seen = Vec::new();
    for what in [UserStream::Open, UserStream::Subscribe] {
        let now_ms = desk.pass();
        let mut out = Outgoing::new();
        let via = Via::Socket { id: 1 };
        desk.codec.encode(&Operation::UserStream(what), via, now_ms, &mut out).unwrap();
        let mut replies = Vec::new();
        talk.hear(&mut desk.floor.venue, &mut connection, &out.body, None, &mut replies);
        // Some venues count their answers with everything else, in one queue.
        replies.extend(std::iter::from_fn(|| queue.try_recv().ok()).map(|told| told.to_string()));
        for reply in &replies {
            desk.codec.user(reply.as_bytes(), &mut |fact| note(fact, &mut seen)).unwrap();
        }
    }
    assert!(seen.contains(&Seen::Ready), "{seen:?}");
    let qty = lots(&listing, "0.02");
    let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, ticks(&listing, "99000"), qty);
    let client = client_of(adapter, 1);
    desk.ask(&Operation::Place(Place::new(&listing, terms, &client))).unwrap();
    seen.clear();
    while let Ok(message) = queue.try_recv() {
        desk.codec.user(message.as_bytes(), &mut |fact| note(fact, &mut seen)).unwrap();
    }
    assert!(seen.contains(&Seen::Fill), "{seen:?}");
    let filled = |one: &Seen| matches!(one, Seen::Order { client: c, said, .. } if *c == client && said == "Filled");
    assert!(seen.iter().any(filled), "{seen:?}");
    if listing.instrument.kind.is_derivative() {
        seen.clear();
        let key = desk.floor.venue.members[0].key.clone();
        assert!(desk.floor.venue.liquidate(&key));
        desk.floor.tell();
        while let Ok(message) = queue.try_recv() {
            desk.codec.user(message.as_bytes(), &mut |fact| note(fact, &mut seen)).unwrap();
        }
        assert!(seen.contains(&Seen::Liquidated), "{seen:?}");
    }
}

const ADAPTERS: [(&str, &str); 8] = [
    ("binance", "binance"),
    ("binance", "binance_usdm"),
    ("okx", "okx"),
    ("okx", "okx_spot"),
    ("bybit", "bybit"),
    ("bybit", "bybit_spot"),
    ("hyperliquid", "hyperliquid"),
    ("dydx", "dydx"),
];

#[test]
fn an_order_lives_on_every_dialect() {
    for (dialect, adapter) in ADAPTERS {
        println!("{adapter}");
        life(dialect, adapter);
    }
}

#[test]
fn strangers_are_refused_on_every_dialect() {
    for (dialect, adapter) in ADAPTERS {
        println!("{adapter}");
        stranger(dialect, adapter);
    }
}

#[test]
fn members_hear_of_their_orders() {
    for (dialect, adapter, path) in [
        ("okx", "okx", "/ws/v5/private"),
        ("okx", "okx_spot", "/ws/v5/private"),
        ("bybit", "bybit", "/v5/private"),
        ("bybit", "bybit_spot", "/v5/private"),
        ("hyperliquid", "hyperliquid", "/ws"),
        ("dydx", "dydx", "/v4/ws"),
    ] {
        println!("{adapter}");
        events(dialect, adapter, path);
    }
}

/// What a member of the chain asks, and the code that it is refused with.
fn codes_of_the_chain() -> Vec<(&'static str, i64, String)> {
    let mut desk = desk("dydx", "dydx", "");
    let listing = desk.listing();
    assert!(desk.ask(&Operation::Time).is_ok());
    let qty = lots(&listing, "0.02");
    let good = OrderTerms::limit(InstrumentId(0), Side::Buy, ticks(&listing, "50000"), qty);
    let mut found = Vec::new();
    let mut number = 10;
    let mut tried = |name, change: &dyn Fn(&mut OrderTerms), desk: &mut Desk| {
        // Two orders a block are taken.
        desk.now_ns += 2_000_000_000;
        assert!(desk.ask(&Operation::Time).is_ok());
        number += 1;
        let mut terms = good;
        change(&mut terms);
        let client = number.to_string();
        let refused = desk.ask(&Operation::Place(Place::new(&listing, terms, &client)));
        let refused = refused.expect_err(name);
        found.push((name, refused.code.parse().unwrap(), refused.message));
    };
    tried("too much", &|terms| terms.qty = Lots(1_000_000), &mut desk);
    tried("nothing to reduce", &|t| t.flags = t.flags.with(OrderFlags::REDUCE_ONLY), &mut desk);
    let crosses = |terms: &mut OrderTerms| {
        terms.flags = terms.flags.with(OrderFlags::POST_ONLY);
        terms.price = ticks(&listing, "99000");
    };
    tried("crosses", &crosses, &mut desk);
    let ended = |terms: &mut OrderTerms| {
        terms.time_in_force = TimeInForce::Gtd;
        terms.expire_ns = START_NS;
    };
    tried("is over", &ended, &mut desk);
    let far = |terms: &mut OrderTerms| {
        terms.time_in_force = TimeInForce::Gtd;
        terms.expire_ns = START_NS + 100 * 86_400_000_000_000;
    };
    tried("too far", &far, &mut desk);
    desk.floor.venue.set_halted(true);
    tried("halted", &|_| {}, &mut desk);
    found
}

#[test]
fn the_chain_refuses_with_its_codes() {
    let found = codes_of_the_chain();
    let codes: Vec<(&str, i64)> = found.iter().map(|(name, code, _)| (*name, *code)).collect();
    let expected = [
        ("too much", 3_007),
        ("nothing to reduce", 2_001),
        ("crosses", 2_003),
        ("is over", 3_003),
        ("too far", 3_004),
        ("halted", 34),
    ];
    assert_eq!(codes, expected, "{found:?}");
}

#[test]
fn the_chain_takes_two_lasting_orders_a_block_and_each_transaction_once() {
    let mut desk = desk("dydx", "dydx", "");
    let listing = desk.listing();
    assert!(desk.ask(&Operation::Time).is_ok());
    let qty = lots(&listing, "0.02");
    let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, ticks(&listing, "50000"), qty);
    for client in ["1", "2"] {
        desk.ask(&Operation::Place(Place::new(&listing, terms, client))).unwrap();
    }
    let third = desk.ask(&Operation::Place(Place::new(&listing, terms, "3"))).unwrap_err();
    assert!(matches!(third.class, FailureClass::RateLimited { .. }), "{third:?}");
    desk.now_ns += 1_000_000_000;
    let (out, status, _) = desk.http(&Operation::Place(Place::new(&listing, terms, "4")));
    assert_eq!(status, 200);
    let query = out.target.split_once('?').unwrap().1;
    let headers = HeaderMap::new();
    let again = HttpRequest { method: "GET", path: out.path(), query, headers: &headers, body: "" };
    let answer = desk.floor.http(&again, None);
    assert!(answer.body.contains("\"code\":19"), "{}", answer.body);
    assert_eq!(desk.open(&listing).len(), 3);
}

#[test]
fn short_orders_of_the_chain_end_with_their_block() {
    let mut desk = desk("dydx", "dydx", "");
    let listing = desk.listing();
    assert!(desk.ask(&Operation::Time).is_ok());
    let mut terms = OrderTerms::limit(
        InstrumentId(0),
        Side::Buy,
        ticks(&listing, "99000"),
        lots(&listing, "0.02"),
    );
    terms.time_in_force = TimeInForce::Ioc;
    let mut place = Place::new(&listing, terms, "1");
    desk.ask(&Operation::Place(place)).unwrap();
    // The same number again in the same block would take the place of what has ended.
    place.client = "2";
    place.terms.price = ticks(&listing, "40000");
    desk.ask(&Operation::Place(place)).unwrap();
    let stand = |desk: &mut Desk| {
        let seen = desk.ask(&Operation::Query { listing: &listing, order: OrderKey::Client("2") });
        let of_it = |one: &Seen| match one {
            Seen::Order { client, said, .. } if client == "2" => Some(said.clone()),
            _ => None,
        };
        seen.unwrap().iter().find_map(of_it).expect("the order is known")
    };
    assert_eq!(stand(&mut desk), "Leaving", "a fill could still come");
    desk.now_ns += 25_000_000_000;
    desk.pass();
    desk.floor.tell();
    assert!(stand(&mut desk).starts_with("Cancelled"), "{}", stand(&mut desk));
}

/// A stop is placed, found among those that wait, asked about and cancelled, wherever the venue keeps it.
fn life_of_a_stop(dialect: &str, adapter: &str) {
    let mut desk = desk(dialect, adapter, "");
    let listing = desk.listing();
    assert!(desk.ask(&Operation::Time).is_ok());
    let wiring = desk.codec.wiring();
    let mut terms =
        OrderTerms::limit(InstrumentId(0), Side::Sell, Ticks(0), lots(&listing, "0.02"));
    (terms.order_type, terms.trigger) = (OrderType::Stop, ticks(&listing, "40000"));
    let (client, worst) = (client_of(adapter, 1), Some(ticks(&listing, "39000")));
    let place = Place { worst, ..Place::new(&listing, terms, &client) };
    desk.ask(&Operation::Place(place)).unwrap();
    let lists: Vec<Operation<'_>> = match wiring.armed_lists {
        0 => vec![Operation::OpenOrders(Some(&listing))],
        many => {
            let beside = desk.open(&listing);
            assert!(beside.is_empty(), "{adapter}: it is none of those on the book: {beside:?}");
            let list = |list| Operation::ArmedOrders { listing: Some(&listing), list };
            (0..many).map(list).collect()
        }
    };
    let waiting = |desk: &mut Desk| -> Vec<Seen> {
        lists.iter().flat_map(|list| desk.ask(list).unwrap()).collect()
    };
    let found = waiting(&mut desk);
    let [Seen::Order { client: told, said, .. }] = &found[..] else {
        panic!("{adapter}: {found:?}")
    };
    assert_eq!((told.as_str(), said.as_str()), (client.as_str(), "Armed"), "{adapter}");
    let order = OrderKey::Client(&client);
    let cancel = Cancel { listing: &listing, order, good_till_s: 0 };
    if wiring.armed_lists > 0 {
        let seen = desk.ask(&Operation::QueryArmed { listing: &listing, order }).unwrap();
        assert!(matches!(&seen[..], [Seen::Order { said, .. }] if said == "Armed"), "{seen:?}");
        // On the book there is no such order.
        let none = desk.ask(&Operation::Query { listing: &listing, order }).unwrap_err();
        assert_eq!(none.reason, Some(RejectReason::UnknownOrder), "{adapter}");
        let none = desk.ask(&Operation::Cancel(cancel)).unwrap_err();
        assert_eq!(none.reason, Some(RejectReason::UnknownOrder), "{adapter}");
    }
    assert_eq!(waiting(&mut desk).len(), 1);
    match wiring.armed_apart {
        true => desk.ask(&Operation::CancelArmed(cancel)).unwrap(),
        false => desk.ask(&Operation::Cancel(cancel)).unwrap(),
    };
    assert_eq!(waiting(&mut desk), [], "{adapter}");
}

#[test]
fn stops_live_where_their_venue_keeps_them() {
    life_of_a_stop("binance", "binance_usdm");
    life_of_a_stop("okx", "okx");
    life_of_a_stop("okx", "okx_spot");
    life_of_a_stop("bybit", "bybit");
    life_of_a_stop("bybit", "bybit_spot");
    life_of_a_stop("hyperliquid", "hyperliquid");
    life_of_a_stop("dydx", "dydx");
}

#[test]
fn the_unified_wallet_counts_every_coin() {
    let mut desk = desk("bybit", "bybit_spot", "");
    let listing = desk.listing();
    let wallet = |desk: &mut Desk| {
        let (_, _, body) = desk.http(&Operation::Balances);
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        answer["result"]["list"][0].clone()
    };
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let coin = |wallet: &serde_json::Value, name: &str| {
        let coins = wallet["coin"].as_array().unwrap();
        coins.iter().find(|coin| coin["coin"] == name).unwrap().clone()
    };
    let before = wallet(&mut desk);
    let (btc, usdt) = (coin(&before, "BTC"), coin(&before, "USDT"));
    let price = number(&btc["usdValue"]) / number(&btc["walletBalance"]);
    assert!((40_000.0..90_000.0).contains(&price), "of one coin: {price}");
    assert!((number(&usdt["usdValue"]) - number(&usdt["walletBalance"])).abs() < 1e-6);
    let coins = before["coin"].as_array().unwrap();
    let sum: f64 = coins.iter().map(|one| number(&one["usdValue"])).sum();
    let total = number(&before["totalEquity"]);
    assert!((sum - total).abs() < 0.01 && total > number(&usdt["walletBalance"]), "{sum} {total}");
    // What is bought is still there, less the fee.
    let mut terms = OrderTerms::limit(
        InstrumentId(0),
        Side::Buy,
        ticks(&listing, "99000"),
        lots(&listing, "0.02"),
    );
    terms.time_in_force = TimeInForce::Ioc;
    desk.ask(&Operation::Place(Place::new(&listing, terms, "1"))).unwrap();
    let after = wallet(&mut desk);
    let held = |wallet| number(&coin(wallet, "BTC")["walletBalance"]);
    assert!(held(&after) > held(&before));
    let moved = number(&after["totalEquity"]) / total - 1.0;
    assert!(moved.abs() < 0.01, "a purchase of a fiftieth of a coin costs its fee: {moved}");
}
