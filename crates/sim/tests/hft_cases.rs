//! The hft fill models against what hftbacktest 2.4.4 itself did with random feeds and orders.
//!
//! `hft/cases.json` holds its answers, written by `hft/generate.py`.

mod venue;

use std::collections::HashMap;

use mainspring_core::order::{OrderFlags, OrderTerms, Side, TimeInForce, VenueEventKind};
use mainspring_core::units::Lots;
use mainspring_core::OrderType;
use mainspring_sim::{FillModel, SimConfig};
use serde::Deserialize;
use venue::{limit, Venue};

/// Status codes of hftbacktest.
const NEW: i64 = 1;
const EXPIRED: i64 = 2;
const FILLED: i64 = 3;
const CANCELLED: i64 = 4;
const PARTIALLY_FILLED: i64 = 5;

/// Id, lots left, last price, whether we made it, status.
type Change = (u64, i64, i64, i64, i64);

#[derive(Deserialize)]
struct Case {
    model: String,
    partial: bool,
    /// Kind, whether it buys, price, quantity.
    rows: Vec<(String, bool, i64, i64)>,
    /// What, id, whether it buys, price, quantity, time in force.
    requests: Vec<(String, u64, bool, i64, i64, String)>,
    changes: Vec<Vec<Change>>,
}

/// An order as hftbacktest shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    left: i64,
    price: i64,
    maker: bool,
    status: i64,
}

fn side(buys: bool) -> Side {
    if buys {
        Side::Buy
    } else {
        Side::Sell
    }
}

fn terms(what: &str, buys: bool, price: i64, qty: i64, tif: &str) -> OrderTerms {
    let mut terms = limit(side(buys), price, qty);
    if what == "market" {
        terms.order_type = OrderType::Market;
    }
    match tif {
        "ioc" => terms.time_in_force = TimeInForce::Ioc,
        "fok" => terms.time_in_force = TimeInForce::Fok,
        "post_only" => terms.flags = OrderFlags::POST_ONLY,
        _ => {}
    }
    terms
}

fn follow(events: &[(u64, VenueEventKind)], orders: &mut HashMap<u64, Seen>) {
    for (id, kind) in events {
        let Some(order) = orders.get_mut(id) else { continue };
        match *kind {
            VenueEventKind::Accepted => order.status = NEW,
            VenueEventKind::Filled { price, qty: Lots(qty), maker } => {
                order.left -= qty;
                (order.price, order.maker) = (price.0, maker);
                order.status = if order.left == 0 { FILLED } else { PARTIALLY_FILLED };
            }
            VenueEventKind::Cancelled(mainspring_core::CancelReason::Requested) => {
                order.status = CANCELLED;
            }
            VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => order.status = EXPIRED,
            _ => {}
        }
    }
}

fn replay(case: &Case, name: &str) -> usize {
    let fill_model = if case.partial { FillModel::HftPartial } else { FillModel::HftNoPartial };
    let queue_model = case.model.parse().unwrap();
    let mut v = Venue::new(SimConfig { fill_model, queue_model, ..SimConfig::default() });
    let (mut ours, mut theirs) = (HashMap::new(), HashMap::new());
    let mut fills = 0;
    for (step, changes) in case.changes.iter().enumerate() {
        let from = v.events.len();
        let (kind, buys, price, qty) = &case.rows[step];
        if kind == "depth" {
            v.depth(side(*buys), *price, *qty);
        } else {
            v.trade(side(*buys), *price, *qty);
        }
        let (what, id, buys, price, qty, tif) = &case.requests[step];
        match what.as_str() {
            "cancel" => drop(v.cancel(*id)),
            "none" => {}
            _ => {
                ours.insert(*id, Seen { left: *qty, price: 0, maker: false, status: 0 });
                v.send(*id, terms(what, *buys, *price, *qty, tif));
            }
        }
        let events = venue::kinds(&v.events[from..]);
        fills += venue::fills(&v.events[from..]).len();
        follow(&events, &mut ours);
        for &(id, left, price, maker, status) in changes {
            theirs.insert(id, Seen { left, price, maker: maker == 1, status });
        }
        for (id, order) in &ours {
            assert_eq!(Some(order), theirs.get(id), "{name} step {step} order {id} {events:?}");
        }
    }
    fills
}

#[test]
fn orders_end_every_step_as_in_hftbacktest() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("hft/cases.json")).unwrap();
    let mut fills = 0;
    for (index, case) in cases.iter().enumerate() {
        fills += replay(case, &format!("case {index} ({}, partial {})", case.model, case.partial));
    }
    assert!(fills > 5 * cases.len(), "only {fills} fills in {} cases", cases.len());
}
