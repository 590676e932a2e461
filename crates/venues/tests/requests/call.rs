//! The calls behind the names of the vectors, in our words.

use mainspring_core::order::OrderTerms;
use mainspring_core::{Decimal, Lots, OrderFlags, OrderType, Side, Ticks, TimeInForce};
use mainspring_venues::listing::Listing;
use mainspring_venues::operation::{Amend, Cancel, Operation, OrderKey, Place};

/// Numbers that the calls use, in ticks and lots.
pub struct Sizes {
    pub price: &'static str,
    pub qty: &'static str,
    pub amended_qty: &'static str,
    pub odd_price: &'static str,
    pub odd_qty: &'static str,
}

pub fn ticks(listing: &Listing, price: &str) -> Ticks {
    listing.ticks(price.parse::<Decimal>().unwrap()).unwrap_or_else(|| panic!("{price}"))
}

pub fn lots(listing: &Listing, qty: &str) -> Lots {
    listing.lots(qty.parse::<Decimal>().unwrap()).unwrap_or_else(|| panic!("{qty}"))
}

/// The order behind a case such as `limit.buy.postonly`.
pub fn terms(listing: &Listing, sizes: &Sizes, case: &str) -> Option<OrderTerms> {
    let parts: Vec<&str> = case.split('.').collect();
    let side = if parts.contains(&"sell") { Side::Sell } else { Side::Buy };
    let price = ticks(listing, sizes.price);
    let mut terms = OrderTerms::limit(listing.id, side, price, lots(listing, sizes.qty));
    match parts[..] {
        ["limit", _, "gtc" | "clientid"] => {}
        ["limit", _, "postonly"] => terms.flags = OrderFlags::POST_ONLY,
        ["limit", _, "ioc"] => terms.time_in_force = TimeInForce::Ioc,
        ["limit", _, "fok"] => terms.time_in_force = TimeInForce::Fok,
        ["limit", "buy", "trigger"] => {
            terms.order_type = OrderType::StopLimit;
            terms.trigger = ticks(listing, "25500");
        }
        ["limit", "sell", "stoploss"] => {
            terms.order_type = OrderType::StopLimit;
            terms.price = ticks(listing, "23500");
            terms.trigger = ticks(listing, "23750");
        }
        ["market", side_word] => {
            let _ = side_word;
            terms = OrderTerms::market(listing.id, side, terms.qty);
        }
        ["market", _, "stoploss"] => {
            terms = OrderTerms::market(listing.id, side, terms.qty);
            terms.order_type = OrderType::Stop;
            terms.trigger = ticks(listing, "23750");
        }
        ["market", _, "takeprofit"] => {
            terms = OrderTerms::market(listing.id, side, terms.qty);
            terms.order_type = OrderType::TakeProfit;
            terms.trigger = ticks(listing, "26250");
        }
        ["rounding"] => {
            terms.price = ticks(listing, sizes.odd_price);
            terms.qty = lots(listing, sizes.odd_qty);
        }
        ["reduceonly"] => {
            terms.side = Side::Sell;
            terms.flags = OrderFlags::REDUCE_ONLY;
        }
        _ => return None,
    }
    Some(terms)
}

/// The two orders of the batch.
pub fn batch<'a>(listing: &'a Listing, sizes: &Sizes, clients: [&'a str; 2]) -> [Place<'a>; 2] {
    let buy = OrderTerms::limit(
        listing.id,
        Side::Buy,
        ticks(listing, sizes.price),
        lots(listing, sizes.qty),
    );
    let sell = OrderTerms { side: Side::Sell, price: ticks(listing, "25250"), ..buy };
    [Place::new(listing, buy, clients[0]), Place::new(listing, sell, clients[1])]
}

/// Cancels of the two orders that the vectors cancel together.
pub fn two_cancels(listing: &Listing) -> [Cancel<'_>; 2] {
    ["123456789", "123456790"].map(|id| cancel(listing, OrderKey::Venue(id)))
}

pub fn cancel<'a>(listing: &'a Listing, order: OrderKey<'a>) -> Cancel<'a> {
    Cancel { listing, order, good_till_s: 0 }
}

/// What is asked by cases that are no new orders.
pub fn other<'a>(
    listing: &'a Listing,
    sizes: &Sizes,
    case: &str,
    client: &'a str,
    own: &'a str,
) -> Option<Operation<'a>> {
    let since_ms = super::NOW_MS - 3_600_000;
    let order = OrderKey::Venue("123456789");
    let before = OrderTerms::limit(
        listing.id,
        Side::Buy,
        ticks(listing, sizes.price),
        lots(listing, sizes.qty),
    );
    Some(match case {
        "cancel" => Operation::Cancel(cancel(listing, order)),
        "cancel.clientid" => Operation::Cancel(cancel(listing, OrderKey::Client(own))),
        "cancelall" => Operation::CancelAll(listing),
        "edit" => Operation::Amend(Amend {
            listing,
            order,
            side: Side::Buy,
            terms: before,
            price: ticks(listing, "24750"),
            qty: lots(listing, sizes.amended_qty),
            filled: Lots(0),
            client,
        }),
        "fetchorder" => Operation::Query { listing, order },
        "openorders" => Operation::OpenOrders(Some(listing)),
        "mytrades" => Operation::Fills { listing, since_ms, limit: 50 },
        "orderbook" => Operation::Book { listing, depth: 20 },
        "trades" => Operation::Trades { listing, limit: 10 },
        "ohlcv" => Operation::Candles { listing, since_ms, limit: 60 },
        "balance" => Operation::Balances,
        "positions" => Operation::Positions(Some(listing)),
        "leverage" => Operation::Leverage { listing, leverage: 5, cross: true },
        "marginmode" => Operation::MarginMode { listing, cross: false, leverage: 5 },
        "funding" => Operation::Funding(listing),
        "time" => Operation::Time,
        _ => return None,
    })
}
