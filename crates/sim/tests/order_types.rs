//! Each order type and option by example, as the contract describes it.

mod venue;

use mainspring_core::event::{flags, RowKind};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderFlags, OrderTerms, OrderType, RejectReason,
    SelfTradePrevention, Side, TimeInForce, VenueEventKind,
};
use mainspring_core::units::{Lots, Ticks};
use mainspring_sim::{FillModel, QueueModel, SimConfig, TriggerSource};
use venue::{accepted, cancelled, filled, kinds, limit, rejected, row, Venue, ID};

fn fresh() -> Venue {
    Venue::new(SimConfig { queue_model: QueueModel::RiskAverse, ..SimConfig::default() })
}

/// Bids 100 and 99, asks 102 and 103, ten lots each.
fn with_book() -> Venue {
    let mut v = fresh();
    for (side, price) in [(Side::Buy, 100), (Side::Buy, 99), (Side::Sell, 102), (Side::Sell, 103)] {
        v.depth(side, price, 10);
    }
    v
}

fn of(order_type: OrderType, side: Side, trigger: i64, qty: i64) -> OrderTerms {
    OrderTerms { order_type, trigger: Ticks(trigger), ..limit(side, trigger, qty) }
}

const fn amended(id: u64, price: i64, qty: i64) -> (u64, VenueEventKind) {
    (id, VenueEventKind::Amended { price: Ticks(price), qty: Lots(qty) })
}

fn front(v: &Venue, id: u64) -> Option<f64> {
    v.market.queue_front(ClientOrderId(id))
}

#[test]
fn what_a_limit_order_does_not_take_rests() {
    let mut v = with_book();
    let events = v.limit(1, Side::Buy, 102, 14);
    assert_eq!(kinds(&events), [accepted(1), filled(1, 102, 10, false)]);
    assert_eq!(front(&v, 1), Some(0.0));
    let refreshed = v.depth(Side::Sell, 102, 3);
    assert_eq!(kinds(&refreshed), [filled(1, 102, 3, true)], "a refreshed level trades again");
    assert_eq!(v.market.taken(Side::Sell, Ticks(102)), Lots(3));
}

#[test]
fn a_crossing_level_gives_no_more_than_it_shows() {
    let mut v = with_book();
    v.limit(1, Side::Buy, 101, 4);
    v.limit(2, Side::Buy, 100, 4);
    let events = v.depth(Side::Sell, 100, 6);
    assert_eq!(kinds(&events), [filled(1, 101, 4, true), filled(2, 100, 2, true)]);
    assert_eq!(front(&v, 2), Some(0.0));
    assert_eq!(v.depth(Side::Sell, 100, 0), []);
}

#[test]
fn immediate_and_fill_or_kill() {
    let mut v = with_book();
    let with =
        |time_in_force, price, qty| OrderTerms { time_in_force, ..limit(Side::Buy, price, qty) };
    let ioc = v.send(1, with(TimeInForce::Ioc, 102, 12));
    assert_eq!(
        kinds(&ioc),
        [accepted(1), filled(1, 102, 10, false), cancelled(1, CancelReason::IocRemainder)]
    );
    let too_much = v.send(2, with(TimeInForce::Fok, 103, 11));
    assert_eq!(kinds(&too_much), [rejected(2, RejectReason::FokNotFilled)]);
    let enough = v.send(3, with(TimeInForce::Fok, 103, 10));
    assert_eq!(kinds(&enough), [accepted(3), filled(3, 103, 10, false)]);
}

#[test]
fn post_only_never_takes_even_what_we_took() {
    let mut v = with_book();
    let post = |price| OrderTerms { flags: OrderFlags::POST_ONLY, ..limit(Side::Buy, price, 1) };
    v.limit(1, Side::Buy, 102, 10);
    let refused = rejected(2, RejectReason::PostOnlyWouldTake);
    assert_eq!(kinds(&v.send(2, post(102))), [refused], "taken by us, there for others");
    assert_eq!(kinds(&v.send(3, post(101))), [accepted(3)]);
    v.limit(4, Side::Sell, 104, 1);
    v.depth(Side::Sell, 102, 0);
    v.depth(Side::Sell, 103, 0);
    assert_eq!(kinds(&v.send(5, post(104))), [rejected(5, RejectReason::SelfTrade)]);
}

#[test]
fn self_trade_prevention_has_three_ways() {
    for (rule, expected) in [
        (
            SelfTradePrevention::CancelNewest,
            vec![accepted(9), filled(9, 102, 10, false), cancelled(9, CancelReason::SelfTrade)],
        ),
        (
            SelfTradePrevention::CancelOldest,
            vec![
                accepted(9),
                filled(9, 102, 10, false),
                cancelled(1, CancelReason::SelfTrade),
                cancelled(2, CancelReason::SelfTrade),
                filled(9, 103, 10, false),
            ],
        ),
        (
            SelfTradePrevention::CancelBoth,
            vec![
                accepted(9),
                filled(9, 102, 10, false),
                cancelled(1, CancelReason::SelfTrade),
                cancelled(9, CancelReason::SelfTrade),
            ],
        ),
    ] {
        let mut v = Venue::new(SimConfig { self_trade: rule, ..SimConfig::default() });
        v.depth(Side::Sell, 102, 10);
        v.depth(Side::Sell, 103, 10);
        v.limit(1, Side::Sell, 103, 5);
        v.limit(2, Side::Sell, 103, 5);
        assert_eq!(kinds(&v.limit(9, Side::Buy, 104, 25)), expected, "{rule:?}");
    }
}

#[test]
fn a_stop_becomes_a_market_order_after_the_trade_s_fills() {
    let mut v = with_book();
    v.trade(Side::Buy, 102, 1);
    let early = v.send(1, of(OrderType::Stop, Side::Buy, 102, 2));
    assert_eq!(kinds(&early), [rejected(1, RejectReason::WouldTriggerImmediately)]);
    v.limit(2, Side::Sell, 103, 3);
    v.depth(Side::Sell, 104, 10);
    v.send(3, of(OrderType::Stop, Side::Buy, 104, 2));
    assert_eq!(v.trade(Side::Buy, 102, 1), []);
    let events = v.trade(Side::Buy, 104, 3);
    assert_eq!(
        kinds(&events),
        [filled(2, 103, 3, true), (3, VenueEventKind::Triggered), filled(3, 102, 2, false)]
    );
}

#[test]
fn a_stop_limit_rests_and_a_take_profit_waits_for_the_other_side() {
    let mut v = with_book();
    v.send(1, OrderTerms { price: Ticks(98), ..of(OrderType::StopLimit, Side::Buy, 105, 2) });
    v.send(2, of(OrderType::TakeProfit, Side::Sell, 104, 2));
    assert_eq!(v.market.open_orders(), 2);
    let events = v.trade(Side::Buy, 105, 1);
    assert_eq!(
        kinds(&events),
        [(1, VenueEventKind::Triggered), (2, VenueEventKind::Triggered), filled(2, 100, 2, false)]
    );
    assert_eq!(front(&v, 1), Some(0.0), "the stop-limit rests at its limit");
}

#[test]
fn a_trailing_stop_follows_the_best_price() {
    let mut v = with_book();
    let trailing = |side, offset| OrderTerms {
        order_type: OrderType::TrailingStop,
        offset: Ticks(offset),
        ..limit(side, 0, 1)
    };
    let refused = rejected(1, RejectReason::WouldTriggerImmediately);
    assert_eq!(kinds(&v.send(1, trailing(Side::Sell, 0))), [refused]);
    v.trade(Side::Buy, 102, 1);
    v.send(2, trailing(Side::Sell, 3));
    for price in [100, 110, 108] {
        assert_eq!(v.trade(Side::Buy, price, 1), [], "at {price}");
    }
    let events = v.trade(Side::Buy, 107, 1);
    assert_eq!(kinds(&events), [(2, VenueEventKind::Triggered), filled(2, 100, 1, false)]);
}

#[test]
fn the_mark_price_sets_off_stops_to_the_fraction_of_a_tick() {
    let mut v =
        Venue::new(SimConfig { trigger_source: TriggerSource::Mark, ..SimConfig::default() });
    v.depth(Side::Sell, 102, 10);
    v.send(1, of(OrderType::Stop, Side::Buy, 101, 1));
    assert_eq!(v.trade(Side::Buy, 105, 1), [], "a trade is not the mark");
    assert_eq!(v.row(RowKind::Mark, Side::Buy, 100, 999_999_999), []);
    let events = v.row(RowKind::Mark, Side::Buy, 101, 0);
    assert_eq!(kinds(&events), [(1, VenueEventKind::Triggered), filled(1, 102, 1, false)]);
    assert_eq!(v.market.mark(), Some(101_000_000_000));
}

#[test]
fn an_iceberg_shows_a_slice_at_a_time() {
    let mut v = with_book();
    let iceberg =
        OrderTerms { order_type: OrderType::Iceberg, display: Lots(3), ..limit(Side::Buy, 100, 8) };
    v.send(1, iceberg);
    v.limit(2, Side::Buy, 100, 2);
    assert_eq!(front(&v, 1), Some(10.0));
    let events = v.trade(Side::Sell, 100, 20);
    assert_eq!(kinds(&events), [filled(1, 100, 3, true), filled(2, 100, 2, true)]);
    assert_eq!(front(&v, 1), Some(0.0), "twenty of the ten shown have traded");
    let through = v.trade(Side::Sell, 99, 4);
    assert_eq!(kinds(&through), [filled(1, 100, 4, true)], "its hidden part, too");
}

#[test]
fn a_peg_follows_its_side_and_stays_out_of_the_market() {
    let mut v = with_book();
    let peg = |side, offset| OrderTerms {
        order_type: OrderType::Pegged,
        offset: Ticks(offset),
        ..limit(side, 0, 2)
    };
    assert_eq!(
        kinds(&fresh().send(1, peg(Side::Buy, 0))),
        [rejected(1, RejectReason::NoLiquidity)]
    );
    assert_eq!(kinds(&v.send(1, peg(Side::Buy, 1))), [accepted(1)]);
    assert_eq!(front(&v, 1), Some(10.0), "one tick behind the best, at 99");
    assert_eq!(kinds(&v.depth(Side::Buy, 101, 4)), [amended(1, 100, 2)]);
    assert_eq!(kinds(&v.send(2, peg(Side::Buy, -5))), [accepted(2)]);
    let queue = v.market.queue_front(ClientOrderId(2));
    assert_eq!(queue, Some(4.0), "inside its side, but a tick under the ask: at 101");
    v.depth(Side::Buy, 101, 0);
    let crossed = v.depth(Side::Sell, 101, 1);
    assert_eq!(kinds(&crossed), [filled(2, 101, 1, true), amended(2, 100, 2)]);
}

#[test]
fn one_leg_of_an_oco_cancels_the_other() {
    let mut v = with_book();
    v.limit(1, Side::Sell, 104, 4);
    let stop = OrderTerms { oco: ClientOrderId(1), ..of(OrderType::Stop, Side::Sell, 95, 4) };
    assert_eq!(kinds(&v.send(2, stop)), [accepted(2)]);
    let third = OrderTerms { oco: ClientOrderId(1), ..limit(Side::Sell, 105, 1) };
    assert_eq!(kinds(&v.send(3, third)), [rejected(3, RejectReason::UnknownOrder)], "paired");
    let events = v.trade(Side::Buy, 104, 1);
    assert_eq!(kinds(&events), [filled(1, 104, 1, true), cancelled(2, CancelReason::Oco)]);
    v.send(4, OrderTerms { oco: ClientOrderId(1), ..limit(Side::Sell, 105, 1) });
    v.cancel(1);
    assert_eq!(v.market.open_orders(), 1, "a cancel leaves the other leg alone");
}

#[test]
fn an_amend_keeps_the_place_only_when_it_shrinks() {
    let mut v = with_book();
    v.limit(1, Side::Buy, 100, 6);
    v.depth(Side::Buy, 100, 4);
    v.depth(Side::Buy, 100, 20);
    assert_eq!(front(&v, 1), Some(4.0));
    assert_eq!(kinds(&v.amend(1, 100, 5)), [amended(1, 100, 5)]);
    assert_eq!(front(&v, 1), Some(4.0));
    v.amend(1, 100, 6);
    assert_eq!(front(&v, 1), Some(20.0), "growing goes to the back");
    let taking = v.amend(1, 102, 6);
    assert_eq!(kinds(&taking), [amended(1, 102, 6), filled(1, 102, 6, false)]);
    let gone = (1, VenueEventKind::AmendRejected(RejectReason::UnknownOrder));
    assert_eq!(kinds(&v.amend(1, 100, 5)), [gone]);
}

#[test]
fn an_amend_to_what_is_filled_cancels_and_a_bad_one_changes_nothing() {
    let mut v = fresh();
    v.send(1, OrderTerms { flags: OrderFlags::POST_ONLY, ..limit(Side::Buy, 100, 6) });
    v.depth(Side::Sell, 102, 5);
    let refused = (1, VenueEventKind::AmendRejected(RejectReason::PostOnlyWouldTake));
    assert_eq!(kinds(&v.amend(1, 102, 6)), [refused]);
    v.trade(Side::Sell, 100, 2);
    assert_eq!(v.position(), 2, "it still stands at 100");
    assert_eq!(kinds(&v.amend(1, 100, 2)), [cancelled(1, CancelReason::Requested)]);
}

#[test]
fn a_stop_s_amend_moves_its_trigger() {
    let mut v = with_book();
    v.trade(Side::Buy, 102, 1);
    v.send(1, of(OrderType::Stop, Side::Buy, 104, 2));
    assert_eq!(kinds(&v.amend(1, 110, 2)), [amended(1, 110, 2)]);
    assert_eq!(v.trade(Side::Buy, 105, 1), []);
    let early = (1, VenueEventKind::AmendRejected(RejectReason::WouldTriggerImmediately));
    assert_eq!(kinds(&v.amend(1, 105, 2)), [early]);
    assert!(!v.trade(Side::Buy, 110, 1).is_empty());
}

#[test]
fn a_snapshot_forgets_what_we_took_but_not_our_place() {
    let mut v = with_book();
    v.limit(1, Side::Buy, 100, 6);
    v.send(2, OrderTerms { time_in_force: TimeInForce::Ioc, ..limit(Side::Buy, 102, 4) });
    assert_eq!(v.market.taken(Side::Sell, Ticks(102)), Lots(4));
    let mut out = Vec::new();
    for (side, price, qty) in [(Side::Buy, 100, 30), (Side::Sell, 102, 8)] {
        let mut snapshot = row(RowKind::Depth, side, price, qty);
        snapshot.flags |= flags::SNAPSHOT;
        if side == Side::Buy {
            snapshot.flags &= !flags::END_OF_MESSAGE;
        }
        v.market.on_row(&snapshot, Ticks(0), v.now, &mut out);
    }
    assert_eq!((out, front(&v, 1)), (vec![], Some(10.0)));
    assert_eq!(v.market.taken(Side::Sell, Ticks(102)), Lots(0));
    assert_eq!(v.market.book().qty(Side::Buy, Ticks(99)), Lots(0), "the old levels are gone");
}

#[test]
fn the_hft_models_fill_as_hftbacktest_does() {
    let of = |fill_model| {
        let queue_model = QueueModel::RiskAverse;
        let mut v = Venue::new(SimConfig { fill_model, queue_model, ..SimConfig::default() });
        v.depth(Side::Buy, 100, 5);
        v.depth(Side::Sell, 102, 5);
        v.depth(Side::Sell, 103, 5);
        v
    };
    // A queue that is gone fills the whole order, or what came through.
    let mut whole = of(FillModel::HftNoPartial);
    whole.limit(1, Side::Buy, 100, 9);
    assert_eq!(kinds(&whole.trade(Side::Sell, 100, 5)), []);
    assert_eq!(kinds(&whole.trade(Side::Sell, 100, 1)), [filled(1, 100, 9, true)]);
    let mut part = of(FillModel::HftPartial);
    part.limit(1, Side::Buy, 100, 9);
    assert_eq!(kinds(&part.trade(Side::Sell, 100, 7)), [filled(1, 100, 2, true)]);
    assert_eq!(kinds(&part.trade(Side::Sell, 99, 1)), [filled(1, 100, 7, true)], "through: all");
    // The best coming to our price fills all of it, however little it shows.
    let mut crossed = of(FillModel::HftPartial);
    crossed.limit(1, Side::Buy, 101, 9);
    assert_eq!(kinds(&crossed.depth(Side::Sell, 101, 1)), [filled(1, 101, 9, true)]);
    // A taker walks the book without consuming it, and a resting one gets the rest at its limit.
    let mut taker = of(FillModel::HftPartial);
    for id in 1..=2 {
        let walked = [accepted(id), filled(id, 102, 5, false), filled(id, 103, 7, false)];
        assert_eq!(kinds(&taker.limit(id, Side::Buy, 103, 12)), walked);
    }
    let market = taker.send(3, OrderTerms::market(ID, Side::Buy, Lots(12)));
    assert_eq!(
        kinds(&market),
        [
            accepted(3),
            filled(3, 102, 5, false),
            filled(3, 103, 5, false),
            cancelled(3, CancelReason::NoLiquidity)
        ]
    );
}
