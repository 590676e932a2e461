//! Frames written in one pass are those of the general encoder, byte for byte.

use mainspring_core::{
    Decimal, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid, Side, Ticks,
};
use proptest::prelude::*;

use super::super::encode::general;
use super::super::{Respond, Settings};
use super::*;
use crate::listing::Listing;
use crate::outgoing::Via;
use crate::secret::Secret;
use crate::venue::Venue;

fn listing(symbol: &str, tick: &str, lot: &str) -> Listing {
    let instrument = Instrument {
        symbol: symbol.to_owned(),
        venue: "binance".to_owned(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed(tick.parse().unwrap())],
        lot: lot.parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    Listing::new(InstrumentId(0), instrument)
}

fn venue(market: Market, key: &str, respond: Respond) -> Binance {
    let credentials = Credentials::hmac(Secret::new(key), &Secret::new("secret")).unwrap();
    Binance::new(market, Settings { respond, ..Settings::default() }, Some(credentials))
}

/// What both encoders make of a request; the second is `None` where the first way is not taken.
fn both(venue: &mut Binance, operation: &Operation<'_>, id: u64, now_ms: i64) -> (String, bool) {
    let via = Via::Socket { id };
    let (mut plain, mut quick) = (Outgoing::new(), Outgoing::new());
    plain.start(via, operation.asked());
    quick.start(via, operation.asked());
    let wanted = general(venue, operation, now_ms, &mut plain);
    let taken = write(venue, operation, id, now_ms, &mut quick);
    if taken {
        assert!(wanted.is_ok(), "{wanted:?}");
        assert_eq!(quick.body, plain.body);
        assert_eq!((quick.method, quick.host, quick.cost), (plain.method, plain.host, plain.cost));
        assert_eq!((quick.via, quick.asked, &*quick.target), (plain.via, plain.asked, ""));
    } else {
        assert_eq!(quick.body, "");
    }
    let mut all = Outgoing::new();
    let encoded = venue.encode(operation, via, now_ms, &mut all);
    assert_eq!(encoded.is_ok(), wanted.is_ok());
    assert_eq!(all.body, plain.body);
    (plain.body, taken)
}

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

fn limit(price: i64, qty: i64) -> OrderTerms {
    OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(price), Lots(qty))
}

#[test]
fn usual_orders_are_written_in_one_pass() {
    let listing = listing("BTCUSDT", "0.1", "0.001");
    for market in [Market::Spot, Market::Futures] {
        let mut venue = venue(market, KEY, Respond::Ack);
        let place = Place::new(&listing, limit(1_000_005, 10), "ms000000070000000000000001");
        let (body, taken) = both(&mut venue, &Operation::Place(place), 1, 1_700_000_000_000);
        assert!(taken && body.contains("\"price\":\"100000.5\",\"quantity\":\"0.01\""), "{body}");
        let order = OrderKey::Client("ms000000070000000000000001");
        let cancel = Operation::Cancel(Cancel { listing: &listing, order, good_till_s: 0 });
        assert!(both(&mut venue, &cancel, 2, 1_700_000_000_000).1);
        let mut terms = limit(1, 1);
        terms.order_type = OrderType::Market;
        let market_order = Operation::Place(Place::new(&listing, terms, "a"));
        assert!(!both(&mut venue, &market_order, 3, 1_700_000_000_000).1);
    }
}

#[test]
fn nothing_of_the_key_is_shown() {
    let listing = listing("BTCUSDT", "0.1", "0.001");
    let mut venue = venue(Market::Futures, KEY, Respond::Ack);
    both(&mut venue, &Operation::Place(Place::new(&listing, limit(5, 5), "a")), 1, 1);
    let shown = format!("{venue:?}");
    assert!(!shown.contains("vmPU") && !shown.contains("118, 109"), "{shown}");
}

/// Text that may need an escape, or is longer than usual.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z0-9_-]{0,36}",
        1 => "[ -~\\n\u{e9}\u{4e2d}\"\\\\]{0,20}",
    ]
}

fn terms() -> impl Strategy<Value = OrderTerms> {
    let kinds = prop::sample::select(vec![
        OrderType::Limit,
        OrderType::Limit,
        OrderType::Limit,
        OrderType::Market,
        OrderType::Iceberg,
        OrderType::StopLimit,
    ]);
    let lives = prop::sample::select(vec![
        TimeInForce::Gtc,
        TimeInForce::Ioc,
        TimeInForce::Fok,
        TimeInForce::Gtd,
    ]);
    let count = || prop_oneof![4 => 0_i64..100_000_000, 1 => any::<i64>()];
    (any::<bool>(), kinds, lives, 0_u8..4, count(), count(), any::<i64>()).prop_map(
        |(buys, kind, life, flags, price, qty, expire_ns)| {
            let side = if buys { Side::Buy } else { Side::Sell };
            let mut terms = OrderTerms::limit(InstrumentId(0), side, Ticks(price), Lots(qty));
            terms.order_type = kind;
            terms.time_in_force = life;
            terms.flags = OrderFlags(flags);
            terms.expire_ns = expire_ns;
            terms
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn frames_are_those_of_the_general_encoder(
        futures: bool,
        key in prop_oneof!["[A-Za-z0-9]{64}", "[A-Za-z0-9]{50,60}", "[ -~]{1,70}"],
        respond in prop::sample::select(vec![Respond::Ack, Respond::Result, Respond::Full]),
        symbol in prop_oneof!["[A-Z0-9]{3,12}USDT", "[A-Z\"\u{4e2d}]{1,8}"],
        (tick, lot) in prop::sample::select(vec![("0.1", "0.001"), ("0.01", "0.00001"), ("1", "10"), ("0.0000001", "1")]),
        (client, other) in (texts(), texts()),
        by_client: bool,
        terms in terms(),
        (price, qty) in (0_i64..10_000_000, 0_i64..10_000_000),
        (id, now_ms) in (any::<u64>(), 0_i64..9_200_000_000_000),
        bare: bool,
    ) {
        let market = if futures { Market::Futures } else { Market::Spot };
        let mut venue = venue(market, &key, respond);
        let listing = listing(&symbol, tick, lot);
        let mut place = Place::new(&listing, terms, &client);
        place.quote_amount = bare.then_some(Decimal::ONE).filter(|_| terms.qty.0 % 2 == 0);
        both(&mut venue, &Operation::Place(place), id, now_ms);
        let order = if by_client { OrderKey::Client(&other) } else { OrderKey::Venue(&other) };
        both(&mut venue, &Operation::Cancel(Cancel { listing: &listing, order, good_till_s: 0 }), id, now_ms);
        let amend = Amend {
            listing: &listing,
            order,
            side: terms.side,
            terms,
            price: Ticks(price),
            qty: Lots(qty),
            filled: Lots(0),
            client: &client,
        };
        both(&mut venue, &Operation::Amend(amend), id, now_ms);
    }
}
