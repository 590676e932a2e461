//! The vectors, cases by hand, and every split of small books.

use mainspring_core::{Lots, Side, Ticks};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

type Levels = Vec<(Ticks, Lots)>;

fn level(price: i64, qty: i64) -> (Ticks, Lots) {
    (Ticks(price), Lots(qty))
}

fn route_of(request: &RouteRequest, venues: &[VenueTerms], depth: &[Levels]) -> Route {
    route(request, venues, depth, |_, _, _| {})
}

fn fee(fee: i64) -> VenueTerms {
    VenueTerms { fee, ..VenueTerms::default() }
}

/// Vectors have prices of up to two decimals and quantities of up to one: ticks of 0.01, lots of 0.1.
fn ticks(value: &Value) -> Ticks {
    Ticks((value.as_f64().unwrap() * 100.0).round() as i64)
}

fn lots(value: &Value) -> Lots {
    Lots((value.as_f64().unwrap() * 10.0).round() as i64)
}

#[test]
fn routes_to_their_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/execution.json");
    let suite: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = suite["vectors"].as_array().unwrap();
    let mut count = 0;
    for vector in vectors.iter().filter(|v| v["fn"] == "smart_route") {
        count += 1;
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let listed = inputs["venues"].as_object().unwrap();
        let names: Vec<_> = listed.keys().cloned().collect();
        let terms: Vec<_> = listed
            .values()
            .map(|v| fee((v["fee"].as_f64().unwrap() * 1e9).round() as i64))
            .collect();
        let depth: Vec<Levels> = listed
            .values()
            .map(|v| v["levels"].as_array().unwrap())
            .map(|levels| levels.iter().map(|l| (ticks(&l[0]), lots(&l[1]))).collect())
            .collect();
        let side = if inputs["side"] == 1 { Side::Buy } else { Side::Sell };
        let mut request = RouteRequest::new(side, lots(&inputs["qty"]));
        let limit = inputs["limit_all_in"].as_f64();
        request.limit_all_in = limit.map(|limit| (limit * 100.0 * 1e9).round() as i128);
        let mut fills = Vec::new();
        let ours = route(&request, &terms, depth.as_slice(), |venue, price, qty| {
            fills.push((names[venue].clone(), price, qty));
        });
        let theirs: Vec<_> = expected["fills"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f[0].as_str().unwrap().to_owned(), ticks(&f[1]), lots(&f[2])))
            .collect();
        assert_eq!(fills, theirs, "{}", vector["id"]);
        for (venue, name) in names.iter().enumerate() {
            assert_eq!(ours.shares[venue].qty, lots(&expected["allocation"][name]), "{name}");
        }
        assert_eq!(ours.filled, lots(&expected["filled"]));
        let all_in = ours.cost(side) as f64 / 1e9 / 1e3 * side.sign() as f64;
        assert!((all_in - expected["all_in"].as_f64().unwrap()).abs() < 1e-9, "{all_in}");
        assert!(ours.is_optimal);
    }
    assert!(count >= 3, "the vectors of routes are there");
}

#[test]
fn a_seller_prefers_the_higher_price_after_fees() {
    let depth = [vec![level(1_000, 5)], vec![level(1_001, 5)]];
    let request = RouteRequest::new(Side::Sell, Lots(5));
    // 1001 less 0.2 % is 998.998; 1000 less nothing is 1000.
    let ours = route_of(&request, &[fee(0), fee(2_000_000)], &depth);
    assert_eq!((ours.shares[0].qty, ours.shares[1].qty), (Lots(5), Lots(0)));
    let ours = route_of(&request, &[fee(0), fee(0)], &depth);
    assert_eq!(ours.shares[1], Share { qty: Lots(5), worst: Ticks(1_001), value: 5_005 });
}

#[test]
fn a_fixed_fee_is_paid_only_where_it_is_worth_it() {
    let depth = [vec![level(100, 10)], vec![level(99, 10)]];
    let mut terms = [fee(0), fee(0)];
    terms[1].fixed_fee = 5 * FEE_UNITS;
    let small = route_of(&RouteRequest::new(Side::Buy, Lots(4)), &terms, &depth);
    assert_eq!(small.shares[0].qty, Lots(4), "saves 4, costs 5");
    let large = route_of(&RouteRequest::new(Side::Buy, Lots(6)), &terms, &depth);
    assert_eq!(large.shares[1].qty, Lots(6), "saves 6, costs 5");
}

#[test]
fn a_share_that_is_too_small_grows_or_goes() {
    let depth = [vec![level(100, 10)], vec![level(99, 1), level(101, 10)]];
    let mut terms = [fee(0), fee(0)];
    terms[1].min_qty = Lots(2);
    let request = RouteRequest::new(Side::Buy, Lots(5));
    // 99 + 101 is as dear as twice 100: the first found stands, and it is whole.
    assert_eq!(route_of(&request, &terms, &depth).cost(Side::Buy), 500 * FEE_UNITS);
    terms[1].min_qty = Lots(3);
    let ours = route_of(&request, &terms, &depth);
    assert_eq!((ours.shares[0].qty, ours.shares[1].qty), (Lots(5), Lots(0)));
    terms[1].min_qty = Lots(1);
    terms[1].min_value = 100;
    assert_eq!(route_of(&request, &terms, &depth).shares[1].value, 200, "99 is too little");
}

#[test]
fn venues_without_rate_budget_and_orders_beyond_the_bound_are_left_out() {
    let depth = [vec![level(99, 3)], vec![level(100, 3)], vec![level(101, 9)]];
    let mut terms = [fee(0); 3];
    let mut request = RouteRequest::new(Side::Buy, Lots(6));
    request.max_orders = 1;
    let one = route_of(&request, &terms, &depth);
    assert_eq!(one.parts().collect::<Vec<_>>().len(), 1);
    assert_eq!(one.shares[2].qty, Lots(6), "only the third has it all");
    request.max_orders = 2;
    assert_eq!(route_of(&request, &terms, &depth).cost(Side::Buy), (3 * 99 + 3 * 100) * FEE_UNITS);
    terms[0].orders_left = 0;
    assert_eq!(route_of(&request, &terms, &depth).shares[0].qty, Lots(0));
}

#[test]
fn what_is_no_whole_lot_of_a_venue_goes_elsewhere_or_nowhere() {
    let depth = [vec![level(100, 10)], vec![level(101, 10)]];
    let mut terms = [fee(0), fee(0)];
    terms[0].step = Lots(5);
    let ours = route_of(&RouteRequest::new(Side::Buy, Lots(8)), &terms, &depth);
    assert_eq!((ours.shares[0].qty, ours.shares[1].qty), (Lots(5), Lots(3)));
    terms[1].step = Lots(5);
    let ours = route_of(&RouteRequest::new(Side::Buy, Lots(8)), &terms, &depth);
    assert_eq!(ours.filled, Lots(5));
}

#[test]
fn nothing_to_take_is_an_empty_route() {
    let none: [Levels; 0] = [];
    assert_eq!(route_of(&RouteRequest::new(Side::Buy, Lots(8)), &[], &none), Route::NONE);
    let empty = [Levels::new()];
    assert_eq!(route_of(&RouteRequest::new(Side::Buy, Lots(8)), &[fee(0)], &empty), Route::NONE);
}

#[test]
fn a_search_that_is_cut_short_says_so_and_still_answers() {
    // Sixteen venues that all violate their smallest order in ever new ways.
    let depth: Vec<Levels> = (0..16)
        .map(|v| (0..9).map(|i| level(100 + v + i * 7, 1 + (v * i) % 3)).collect())
        .collect();
    let terms: Vec<_> = (0..16_i64)
        .map(|v| VenueTerms {
            min_qty: Lots(3 + v % 4),
            fixed_fee: i128::from(1 + v * 13 % 11) * FEE_UNITS,
            ..VenueTerms::default()
        })
        .collect();
    let ours = route_of(&RouteRequest::new(Side::Buy, Lots(60)), &terms, &depth);
    assert!(!ours.is_optimal);
    assert!(ours.filled.0 > 0);
    for (venue, share) in ours.parts() {
        assert!(share.qty >= terms[venue].min_qty);
    }
}

// Every split there is, with the same rules stated another way.

fn cost_of(
    side: Side,
    levels: &Levels,
    terms: &VenueTerms,
    limit: Option<i128>,
    qty: i64,
) -> Option<i128> {
    if qty == 0 {
        return Some(0);
    }
    let lot = terms.step.0;
    let (mut left, mut value) = (qty, 0_i128);
    for (price, available) in levels {
        let with_fee =
            i128::from(price.0) * (FEE_UNITS + i128::from(side.sign()) * i128::from(terms.fee));
        let allowed = limit.is_none_or(|limit| match side {
            Side::Buy => with_fee <= limit,
            Side::Sell => with_fee >= limit,
        });
        if !allowed {
            break;
        }
        let take = left.min(available.0);
        left -= take;
        value += i128::from(price.0 * take);
    }
    let allowed = left == 0
        && qty % lot == 0
        && qty >= terms.min_qty.0
        && (terms.max_qty.0 == 0 || qty <= terms.max_qty.0)
        && value >= terms.min_value
        && terms.orders_left > 0;
    let signed = value * FEE_UNITS * i128::from(side.sign());
    allowed.then(|| signed + value * i128::from(terms.fee) + terms.fixed_fee)
}

/// The most that can be filled, and the least cost of it.
fn every_split(request: &RouteRequest, venues: &[VenueTerms], depth: &[Levels]) -> (i64, i128) {
    let mut best = (0, 0);
    let mut split = vec![0_i64; venues.len()];
    loop {
        let filled: i64 = split.iter().sum();
        let orders = split.iter().filter(|qty| **qty > 0).count();
        if filled <= request.qty.0 && orders as u64 <= u64::from(request.max_orders) {
            let costs = split.iter().enumerate().map(|(v, qty)| {
                cost_of(request.side, &depth[v], &venues[v], request.limit_all_in, *qty)
            });
            if let Some(cost) = costs.sum::<Option<i128>>() {
                if (filled, -cost) > (best.0, -best.1) {
                    best = (filled, cost);
                }
            }
        }
        let Some(at) = split.iter().position(|qty| *qty < request.qty.0) else { return best };
        split[at] += 1;
        split[..at].fill(0);
    }
}

#[test]
fn a_smallest_value_may_be_reached_at_the_next_levels_price() {
    // Four lots are worth 404 at the first price and 407 as they trade; five were not asked for.
    let mut request = RouteRequest::new(Side::Buy, Lots(4));
    request.max_orders = 1;
    let plain = VenueTerms {
        fee: 0,
        fixed_fee: 0,
        step: Lots(1),
        min_qty: Lots(0),
        max_qty: Lots(0),
        min_value: 0,
        orders_left: 9,
    };
    let venues = [plain, VenueTerms { min_value: 405, ..plain }];
    let depth = [vec![level(100, 2)], vec![level(101, 1), level(102, 3)]];
    let ours = route_of(&request, &venues, &depth);
    assert_eq!((ours.filled, ours.value, ours.is_optimal), (Lots(4), 407, true));
}

prop_compose! {
    fn any_venue(lots: bool)(
        steps in prop::collection::vec((1_i64..4, 1_i64..4), 0..4), fee in -2_000_000_i64..5_000_000,
        min_qty in 0_i64..4, max_qty in prop_oneof![3 => Just(0_i64), 1 => 4_i64..7],
        min_value in prop_oneof![2 => Just(0_i128), 1 => 100_i128..450],
        fixed in prop_oneof![2 => Just(0_i128), 1 => 1_i128..6], left in prop_oneof![9 => Just(9_u32), 1 => Just(0_u32)],
        step in if lots { 1_i64..4 } else { 1_i64..2 },
    ) -> (Vec<(i64, i64)>, VenueTerms) {
        let step = Lots(step);
        let max_qty = Lots(max_qty - max_qty % step.0);
        (steps, VenueTerms {
            fee, fixed_fee: fixed * FEE_UNITS, step, min_qty: Lots(min_qty), max_qty, min_value,
            orders_left: left,
        })
    }
}

prop_compose! {
    fn any_case(lots: bool)(
        venues in prop::collection::vec(any_venue(lots), 1..4), qty in 1_i64..9, sell in any::<bool>(),
        limit in prop::option::of(98_i64..106), max_orders in 1_u32..4,
    ) -> (RouteRequest, Vec<VenueTerms>, Vec<Levels>) {
        let side = if sell { Side::Sell } else { Side::Buy };
        let mut request = RouteRequest::new(side, Lots(qty));
        request.limit_all_in = limit.map(|limit| i128::from(limit) * FEE_UNITS);
        request.max_orders = max_orders;
        let depth = venues.iter().map(|(steps, terms)| {
            let mut price = 100 - side.sign();
            steps.iter().map(|(gap, qty)| {
                price += side.sign() * gap;
                level(price, qty * terms.step.0)
            }).collect()
        }).collect();
        (request, venues.into_iter().map(|(_, terms)| terms).collect(), depth)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_split_of_small_books_is_better((request, venues, depth) in any_case(false)) {
        let ours = route_of(&request, &venues, &depth);
        let (filled, cost) = every_split(&request, &venues, &depth);
        prop_assert!(ours.is_optimal);
        prop_assert_eq!((ours.filled.0, ours.cost(request.side)), (filled, cost), "{:?}", ours);
    }

    #[test]
    fn a_route_over_different_lots_can_be_sent_and_is_never_too_good((request, venues, depth) in any_case(true)) {
        let ours = route_of(&request, &venues, &depth);
        let mut cost = 0;
        for (venue, share) in ours.parts() {
            let one = cost_of(request.side, &depth[venue], &venues[venue], request.limit_all_in, share.qty.0);
            cost += one.expect("the share can be sent");
        }
        prop_assert_eq!(cost, ours.cost(request.side));
        let (filled, best) = every_split(&request, &venues, &depth);
        prop_assert!((ours.filled.0, -cost) <= (filled, -best));
    }
}
