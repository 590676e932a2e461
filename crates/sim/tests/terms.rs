//! What a venue refuses, in the order in which it looks.

mod venue;

use mainspring_core::event::RowKind;
use mainspring_core::instrument::{GridRule, Instrument, InstrumentId, InstrumentKind, PriceGrid};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderFlags, OrderTerms, OrderType, RejectReason, Side,
    TimeInForce, VenueEventKind,
};
use mainspring_core::units::{Lots, Ticks};
use mainspring_core::Decimal;
use mainspring_sim::{FillModel, MarginLimits, OverloadRule, QueueModel, SimConfig, SimMarket};
use venue::{accepted, cancelled, filled, instrument, kinds, limit, rejected, Venue, ID};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn strict() -> Instrument {
    let tiers = GridRule::Tiers { steps: vec![(0, 1), (1_000, 5)] };
    Instrument {
        grids: vec![
            PriceGrid { version: 0, tick: decimal("0.1"), rule: GridRule::Fixed },
            PriceGrid { version: 1, tick: decimal("0.1"), rule: tiers },
        ],
        lot: decimal("0.01"),
        min_qty: Lots(5),
        max_qty: Lots(1_000),
        min_notional: decimal("10"),
        ..instrument()
    }
}

fn reason(v: &mut Venue, id: u64, terms: OrderTerms) -> Option<RejectReason> {
    match v.send(id, terms).first().unwrap().kind {
        VenueEventKind::Rejected(reason) => Some(reason),
        _ => None,
    }
}

#[test]
fn quantity_grid_and_value_are_checked_in_that_order() {
    let mut v = Venue::of(&strict(), &SimConfig::default());
    let mut next = 0;
    let mut check = |price: i64, qty: i64| {
        next += 1;
        reason(&mut v, next, limit(Side::Buy, price, qty))
    };
    use RejectReason::{BadQuantity, BelowMinNotional, PriceOffGrid};
    assert_eq!(check(1_003, 0), Some(BadQuantity));
    assert_eq!(check(1_003, -7), Some(BadQuantity));
    assert_eq!(check(1_003, 4), Some(BadQuantity), "under the minimum");
    assert_eq!(check(1_003, 1_001), Some(BadQuantity), "over the maximum");
    assert_eq!(check(1_003, 5), Some(PriceOffGrid), "the newest grid counts");
    assert_eq!(check(i64::MAX, 5), Some(PriceOffGrid));
    assert_eq!(check(i64::MIN, 5), Some(PriceOffGrid));
    // 100.0 x 0.09 = 9, 100.0 x 0.1 = 10.
    assert_eq!(check(1_000, 9), Some(BelowMinNotional));
    assert_eq!(check(1_000, 10), None);
}

#[test]
fn a_grid_row_changes_the_grid() {
    let mut v = Venue::of(&strict(), &SimConfig::default());
    v.row(RowKind::Grid, Side::Buy, 0, 0);
    assert_eq!(reason(&mut v, 1, limit(Side::Buy, 1_003, 50)), None);
    v.row(RowKind::Grid, Side::Buy, 0, 1);
    assert_eq!(reason(&mut v, 2, limit(Side::Buy, 1_003, 50)), Some(RejectReason::PriceOffGrid));
    v.row(RowKind::Grid, Side::Buy, 0, 9);
    assert!(reason(&mut v, 3, limit(Side::Buy, 1_003, 50)).is_some(), "no such version");
}

#[test]
fn an_inverse_contract_s_value_does_not_depend_on_the_price() {
    let inverse = Instrument {
        kind: InstrumentKind::InversePerpetual,
        multiplier: decimal("100"),
        min_notional: decimal("250"),
        ..instrument()
    };
    let mut v = Venue::of(&inverse, &SimConfig::default());
    assert_eq!(reason(&mut v, 1, limit(Side::Buy, 9_999, 2)), Some(RejectReason::BelowMinNotional));
    assert_eq!(reason(&mut v, 2, limit(Side::Buy, 1, 3)), None);
}

#[test]
fn triggers_lie_on_the_grid_and_market_orders_need_no_price() {
    let mut v = Venue::of(&strict(), &SimConfig::default());
    let stop = |trigger| OrderTerms {
        order_type: OrderType::Stop,
        trigger: Ticks(trigger),
        ..limit(Side::Buy, 7, 5)
    };
    assert_eq!(reason(&mut v, 1, stop(1_003)), Some(RejectReason::PriceOffGrid));
    assert_eq!(reason(&mut v, 2, stop(1_005)), None);
    let market = OrderTerms::market(ID, Side::Buy, Lots(5));
    assert_eq!(kinds(&v.send(3, market)), [accepted(3), cancelled(3, CancelReason::NoLiquidity)]);
}

#[test]
fn a_halt_refuses_but_lets_cancels_through() {
    let mut v = Venue::new(SimConfig::default());
    v.limit(1, Side::Buy, 100, 5);
    v.row(RowKind::Status, Side::Buy, 0, 0);
    assert!(v.market.is_halted());
    assert_eq!(reason(&mut v, 2, limit(Side::Buy, 100, 5)), Some(RejectReason::Halted));
    assert_eq!(
        kinds(&v.amend(1, 99, 5)),
        [(1, VenueEventKind::AmendRejected(RejectReason::Halted))]
    );
    assert_eq!(kinds(&v.cancel(1)), [cancelled(1, CancelReason::Requested)]);
    v.row(RowKind::Status, Side::Buy, 0, 1);
    assert_eq!(reason(&mut v, 3, limit(Side::Buy, 100, 5)), None);
}

#[test]
fn another_instrument_s_order_is_refused() {
    let mut v = Venue::new(SimConfig::default());
    let terms = OrderTerms { instrument: InstrumentId(7), ..limit(Side::Buy, 100, 1) };
    assert_eq!(reason(&mut v, 1, terms), Some(RejectReason::Halted));
}

#[test]
fn overload_refuses_requests_of_every_kind() {
    let overload = Some(OverloadRule { max_requests: 2, window_ns: 100 });
    let mut v = Venue::new(SimConfig { overload, ..SimConfig::default() });
    v.limit(1, Side::Buy, 100, 1);
    v.limit(2, Side::Buy, 100, 1);
    let busy = RejectReason::Overloaded;
    assert_eq!(kinds(&v.limit(3, Side::Buy, 100, 1)), [rejected(3, busy)]);
    assert_eq!(kinds(&v.cancel(1)), [(1, VenueEventKind::CancelRejected(busy))]);
    assert_eq!(kinds(&v.amend(1, 99, 1)), [(1, VenueEventKind::AmendRejected(busy))]);
    v.now = 100;
    assert_eq!(kinds(&v.cancel(1)), [cancelled(1, CancelReason::Requested)]);
}

#[test]
fn margin_bounds_what_could_fill() {
    let mut v = Venue::new(SimConfig::default());
    v.market.set_margin_limits(Some(MarginLimits { long: Lots(10), short: Lots(4) }));
    let short_of = Some(RejectReason::InsufficientMargin);
    assert_eq!(reason(&mut v, 1, limit(Side::Buy, 100, 6)), None);
    assert_eq!(reason(&mut v, 2, limit(Side::Buy, 99, 5)), short_of, "6 are open already");
    assert_eq!(reason(&mut v, 3, limit(Side::Buy, 99, 4)), None);
    assert_eq!(reason(&mut v, 4, limit(Side::Sell, 105, 5)), short_of);
    v.trade(Side::Sell, 100, 6);
    assert_eq!(v.position(), 6);
    assert_eq!(reason(&mut v, 5, limit(Side::Sell, 105, 10)), None, "6 close, 4 open short");
    assert_eq!(
        kinds(&v.amend(3, 99, 5)),
        [(3, VenueEventKind::AmendRejected(RejectReason::InsufficientMargin))]
    );
    let reducing = OrderTerms { flags: OrderFlags::REDUCE_ONLY, ..limit(Side::Sell, 106, 50) };
    assert_eq!(reason(&mut v, 6, reducing), None, "closing needs no margin");
    v.cancel(3);
    assert_eq!(reason(&mut v, 7, limit(Side::Buy, 90, 4)), None, "a cancel frees it");
}

#[test]
fn a_reduce_only_order_is_cut_and_cancelled_when_pointless() {
    let mut v = Venue::new(SimConfig::default());
    v.limit(1, Side::Buy, 100, 6);
    v.trade(Side::Sell, 100, 6);
    let reducing =
        |price| OrderTerms { flags: OrderFlags::REDUCE_ONLY, ..limit(Side::Sell, price, 50) };
    let cut = VenueEventKind::Amended { price: Ticks(103), qty: Lots(6) };
    assert_eq!(kinds(&v.send(2, reducing(103))), [accepted(2), (2, cut)]);
    v.send(3, reducing(104));
    let events = v.trade(Side::Buy, 105, 100);
    assert_eq!(kinds(&events), [filled(2, 103, 6, true), cancelled(3, CancelReason::ReduceOnly)]);
    assert_eq!(v.position(), 0);
    assert_eq!(reason(&mut v, 4, reducing(103)), Some(RejectReason::ReduceOnlyWouldIncrease));
}

#[test]
fn a_full_venue_refuses() {
    let mut v = Venue::new(SimConfig { max_orders: 2, ..SimConfig::default() });
    for id in 1..=2 {
        assert_eq!(reason(&mut v, id, limit(Side::Buy, 100, 1)), None);
    }
    assert_eq!(reason(&mut v, 2, limit(Side::Buy, 100, 1)), Some(RejectReason::DuplicateOrder));
    assert_eq!(reason(&mut v, 3, limit(Side::Buy, 100, 1)), Some(RejectReason::Overloaded));
    v.cancel(1);
    assert_eq!(reason(&mut v, 3, limit(Side::Buy, 100, 1)), None);
}

#[test]
fn a_late_good_till_date_order_expires_at_once_and_a_timely_one_on_time() {
    let mut v = Venue::new(SimConfig::default());
    v.depth(Side::Sell, 101, 5);
    let gtd = |expire_ns| OrderTerms {
        time_in_force: TimeInForce::Gtd,
        expire_ns,
        ..limit(Side::Buy, 101, 2)
    };
    v.now = 99;
    let expired = cancelled(1, CancelReason::Expired);
    assert_eq!(kinds(&v.send(1, gtd(100))), [accepted(1), expired], "it takes nothing");
    v.send(2, OrderTerms { price: Ticks(90), ..gtd(300) });
    v.send(3, OrderTerms { price: Ticks(90), ..gtd(200) });
    assert_eq!(v.market.next_timer_ns(), Some(200));
    assert_eq!(v.timer(199), []);
    assert_eq!(kinds(&v.timer(200)), [cancelled(3, CancelReason::Expired)]);
    v.cancel(2);
    assert_eq!(v.market.next_timer_ns(), None);
}

#[test]
fn cancelling_all_goes_by_id() {
    let mut v = Venue::new(SimConfig::default());
    for id in [5, 3, 9] {
        v.limit(id, Side::Buy, 100, 1);
    }
    let mut out = Vec::new();
    v.market.cancel_all(CancelReason::Liquidation, 7, &mut out);
    let ids: Vec<u64> = out.iter().map(|event| event.order.0).collect();
    assert_eq!((ids, v.market.open_orders()), (vec![3, 5, 9], 0));
    assert_eq!(v.market.queue_front(ClientOrderId(3)), None);
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let sure = SimConfig::default();
    for (config, fault) in [
        (SimConfig { max_orders: 0, ..sure.clone() }, "max_orders"),
        (SimConfig { max_orders: 1 << 20, ..sure.clone() }, "max_orders"),
        (
            SimConfig {
                overload: Some(OverloadRule { max_requests: 0, window_ns: 1 }),
                ..sure.clone()
            },
            "overload",
        ),
        (
            SimConfig { queue_model: QueueModel::ProbPower { exponent: 0.0 }, ..sure.clone() },
            "exponent",
        ),
        (
            SimConfig {
                queue_model: QueueModel::L3Fifo,
                fill_model: FillModel::HftPartial,
                ..sure
            },
            "l3_fifo",
        ),
    ] {
        let error = SimMarket::new(ID, &instrument(), &config).unwrap_err();
        assert!(error.message().contains(fault), "{error}");
    }
    let text = r#"{"fill_model": "hft_partial", "queue_model": "prob_log", "self_trade":
        "cancel_both", "trigger_source": "mark", "overload": {"max_requests": 5, "window_ns": 9}}"#;
    let config: SimConfig = serde_json::from_str(text).unwrap();
    assert_eq!((config.fill_model, config.max_orders), (FillModel::HftPartial, 10_000));
    assert!(serde_json::from_str::<SimConfig>(r#"{"fill_modle": "mainspring"}"#).is_err());
}
