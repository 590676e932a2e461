//! Five cases that a widely used simulator gets wrong, with the true answers.

mod venue;

use mainspring_core::order::{CancelReason, OrderTerms, Side, TimeInForce};
use mainspring_core::units::Lots;
use mainspring_sim::{FillModel, QueueModel, SimConfig};
use venue::{accepted, cancelled, filled, fills, kinds, limit, Venue, ID};

fn fresh(fill_model: FillModel) -> Venue {
    let queue_model = QueueModel::RiskAverse;
    Venue::new(SimConfig { fill_model, queue_model, ..SimConfig::default() })
}

/// T1: a resting buy of 10 that is filled 4 and then 3.
#[test]
fn t1_partial_fills_add_up() {
    for model in [FillModel::Mainspring, FillModel::HftPartial] {
        let mut v = fresh(model);
        v.limit(1, Side::Buy, 100, 10);
        v.trade(Side::Sell, 100, 4);
        v.trade(Side::Sell, 100, 3);
        assert_eq!(fills(&v.events), [(1, 100, 4, true), (1, 100, 3, true)]);
        assert_eq!((v.position(), v.market.open_orders()), (7, 1));
    }
}

/// T2: a fill exactly equal to what is left ends the order, and the run goes on.
#[test]
fn t2_an_exact_fill_completes() {
    for model in [FillModel::Mainspring, FillModel::HftPartial] {
        let mut v = fresh(model);
        v.limit(1, Side::Buy, 100, 10);
        v.trade(Side::Sell, 100, 4);
        v.trade(Side::Sell, 100, 6);
        assert_eq!((v.position(), v.market.open_orders()), (10, 0));
        assert_eq!(v.trade(Side::Sell, 100, 5), []);
        assert_eq!(v.depth(Side::Sell, 100, 5), []);
    }
}

/// T3: an immediate-or-cancel buy of 12 sweeping 5@101, 5@102, 2@103.
#[test]
fn t3_a_sweep_pays_each_level() {
    for model in [FillModel::Mainspring, FillModel::HftPartial] {
        let mut v = fresh(model);
        for (price, qty) in [(101, 5), (102, 5), (103, 2), (104, 50)] {
            v.depth(Side::Sell, price, qty);
        }
        let terms = OrderTerms { time_in_force: TimeInForce::Ioc, ..limit(Side::Buy, 103, 12) };
        let events = v.send(1, terms);
        assert_eq!(
            kinds(&events),
            [
                accepted(1),
                filled(1, 101, 5, false),
                filled(1, 102, 5, false),
                filled(1, 103, 2, false)
            ]
        );
        assert_eq!((v.position(), v.cash(&[(1, Side::Buy)])), (12, -1_221));
    }
}

/// T4: two own buys of 4 behind a queue of 5, one sell trade of 9.5 (here in half lots).
#[test]
fn t4_a_trade_is_shared_not_multiplied() {
    let mut v = fresh(FillModel::Mainspring);
    v.depth(Side::Buy, 100, 10);
    v.limit(1, Side::Buy, 100, 8);
    v.limit(2, Side::Buy, 100, 8);
    v.trade(Side::Sell, 100, 19);
    assert_eq!(fills(&v.events), [(1, 100, 8, true), (2, 100, 1, true)]);

    let mut peer = fresh(FillModel::HftPartial);
    peer.depth(Side::Buy, 100, 10);
    peer.limit(1, Side::Buy, 100, 8);
    peer.limit(2, Side::Buy, 100, 8);
    peer.trade(Side::Sell, 100, 19);
    assert_eq!(peer.position(), 16, "the peer fills both from the same lots");
}

/// T5: a market buy of 1000 with 5 at the best walks the book, and what it took stays taken
/// until the feed sets the level again.
#[test]
fn t5_a_taker_consumes_the_book() {
    let mut v = fresh(FillModel::Mainspring);
    for (price, qty) in [(101, 5), (102, 7)] {
        v.depth(Side::Sell, price, qty);
    }
    let events = v.send(1, OrderTerms::market(ID, Side::Buy, Lots(1_000)));
    assert_eq!(
        kinds(&events),
        [
            accepted(1),
            filled(1, 101, 5, false),
            filled(1, 102, 7, false),
            cancelled(1, CancelReason::NoLiquidity)
        ]
    );
    let again = v.send(2, OrderTerms::market(ID, Side::Buy, Lots(3)));
    assert_eq!(kinds(&again), [accepted(2), cancelled(2, CancelReason::NoLiquidity)]);
    v.depth(Side::Sell, 102, 7);
    let refreshed = v.send(3, OrderTerms::market(ID, Side::Buy, Lots(3)));
    assert_eq!(kinds(&refreshed), [accepted(3), filled(3, 102, 3, false)]);

    let mut peer = fresh(FillModel::HftNoPartial);
    peer.depth(Side::Sell, 101, 5);
    let events = peer.send(1, OrderTerms::market(ID, Side::Buy, Lots(1_000)));
    assert_eq!(kinds(&events), [accepted(1), filled(1, 101, 1_000, false)]);
}
