//! Any bytes as a message of any venue: every reader refuses with a message or reads it, and what the hot
//! reader of rows takes, the general one reads the same.
//!
//! The first byte picks the venue; the rest is the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_core::{Decimal, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid};
use mainspring_venues::feed::Sides;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::operation::Operation;
use mainspring_venues::outgoing::{Outgoing, Reply, Via};
use mainspring_venues::rows::RowSink;
use mainspring_venues::table::{Opening, VENUES};
use mainspring_venues::venue::general_rows;

fn listing() -> Listing {
    let instrument = Instrument {
        symbol: "BTCUSDT".to_owned(),
        venue: "venue".to_owned(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
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

fuzz_target!(|bytes: &[u8]| {
    let [which, text @ ..] = bytes else { return };
    let opening = Opening { account: "account".to_owned(), ..Opening::default() };
    let mut venue = (VENUES[usize::from(*which) % VENUES.len()].open)(&opening).unwrap();
    let listing = listing();
    let listings = Listings::new(vec![listing.clone()]).unwrap();
    let mut sides = Sides::default();
    let (mut hot, mut general) = (RowSink::new(&listings), RowSink::new(&listings));
    let by_hot = venue.rows(text, 7, &mut sides, &mut hot).is_ok();
    let by_general = general_rows(venue.as_mut(), text, 7, &mut sides, &mut general).is_ok();
    assert_eq!(by_hot, by_general);
    assert!(hot.messages().eq(general.messages()));
    let _ = venue.user(text, &mut |_| {});
    if let Ok(list) = venue.instruments(text) {
        let _ = Listings::new(list);
    }
    let operations = [
        Operation::OpenOrders(None),
        Operation::Balances,
        Operation::Positions(None),
        Operation::Fills { listing: &listing, since_ms: 0, limit: 10 },
        Operation::Time,
    ];
    for operation in &operations {
        let mut out = Outgoing::new();
        // Without a key the request is not signed; how its answer is read does not depend on that.
        let _ = venue.encode(operation, Via::Http, 1_700_000_000_000, &mut out);
        for status in [200, 400, 503] {
            let read = venue.answer(&out, &Reply::new(status, text), &mut |_| {});
            if let Err(failure) = read {
                assert!(!failure.to_string().is_empty());
            }
        }
    }
});
