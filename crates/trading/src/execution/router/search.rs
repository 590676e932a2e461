//! Branch and bound over which venues take part.

use mainspring_core::{Lots, Side};

use super::sweep::{is_large_enough, sweep_choice, Choice};
use super::{Depth, Route, RouteRequest, VenueTerms};

/// Most sweeps of one search.
pub const MAX_BRANCHES: usize = 64;

/// The best route: the most of the quantity, and that at the least cost with all fees. Venues beyond
/// [`super::MAX_ROUTE_VENUES`] have no part.
pub fn best_route<D: Depth + ?Sized>(
    request: &RouteRequest,
    venues: &[VenueTerms],
    depth: &D,
) -> Route {
    search(request, venues, depth).0
}

/// As [`best_route`]; `taken` is told of each level that the route takes, as prices with fees ascend
/// behind what a smallest order asks: venue, price, quantity.
pub fn route<D: Depth + ?Sized>(
    request: &RouteRequest,
    venues: &[VenueTerms],
    depth: &D,
    taken: impl FnMut(usize, mainspring_core::Ticks, Lots),
) -> Route {
    let (best, choice) = search(request, venues, depth);
    let Some(choice) = choice else { return best };
    sweep_choice(request, venues, depth, choice, taken)
        .map_or(best, |route| Route { is_optimal: best.is_optimal, ..route })
}

fn search<D: Depth + ?Sized>(
    request: &RouteRequest,
    venues: &[VenueTerms],
    depth: &D,
) -> (Route, Option<Choice>) {
    let mut best = (Route::NONE, None);
    let mut open = [Choice { must: 0, not: 0 }; MAX_BRANCHES + 2];
    let mut waiting = 1;
    for _ in 0..MAX_BRANCHES {
        if waiting == 0 {
            return best;
        }
        waiting -= 1;
        let choice = open[waiting];
        let Some(route) = sweep_choice(request, venues, depth, choice, |_, _, _| {}) else {
            continue;
        };
        let bound = without_open_fixed_fees(&route, venues, choice);
        if !bound.beats(&best.0, request.side) {
            continue;
        }
        match venue_to_decide(request, venues, &route, choice) {
            Decide::Nothing => best = (route, Some(choice)),
            Decide::Impossible => {}
            Decide::Venue(venue) => {
                // With the venue first: it is there because it is cheap.
                open[waiting] = Choice { not: choice.not | 1 << venue, ..choice };
                open[waiting + 1] = Choice { must: choice.must | 1 << venue, ..choice };
                waiting += 2;
            }
        }
    }
    if waiting > 0 {
        best = better_of(best, plain(request, venues, depth), request.side);
        best.0.is_optimal = false;
    }
    best
}

fn better_of(
    a: (Route, Option<Choice>),
    b: (Route, Option<Choice>),
    side: Side,
) -> (Route, Option<Choice>) {
    if b.0.beats(&a.0, side) {
        b
    } else {
        a
    }
}

/// A route without search: venues that may not take their share are left out one after another.
fn plain<D: Depth + ?Sized>(
    request: &RouteRequest,
    venues: &[VenueTerms],
    depth: &D,
) -> (Route, Option<Choice>) {
    let mut choice = Choice { must: 0, not: 0 };
    for _ in 0..=venues.len() {
        let Some(route) = sweep_choice(request, venues, depth, choice, |_, _, _| {}) else { break };
        let small = route.parts().find(|(venue, share)| !is_large_enough(share, &venues[*venue]));
        let surplus = (route.parts().count() as u64 > u64::from(request.max_orders))
            .then(|| route.parts().min_by_key(|(_, share)| share.qty))
            .flatten();
        match small.or(surplus) {
            Some((venue, _)) => choice.not |= 1 << venue,
            None => return (route, Some(choice)),
        }
    }
    (Route::NONE, None)
}

/// A bound on what any route of the choice can be: fixed fees count once it is decided that the venue
/// takes part.
fn without_open_fixed_fees(route: &Route, venues: &[VenueTerms], choice: Choice) -> Route {
    let mut bound = *route;
    for (venue, _) in route.parts() {
        if choice.must >> venue & 1 == 0 {
            bound.fees -= venues[venue].fixed_fee;
        }
    }
    bound
}

enum Decide {
    /// The route can be sent as it is.
    Nothing,
    /// No route of this choice can be sent.
    Impossible,
    /// Whether this venue takes part is open.
    Venue(usize),
}

fn venue_to_decide(
    request: &RouteRequest,
    venues: &[VenueTerms],
    route: &Route,
    choice: Choice,
) -> Decide {
    let undecided = || route.parts().filter(|(venue, _)| choice.must >> *venue & 1 == 0);
    let irregular = undecided().find(|(venue, share)| {
        let terms = &venues[*venue];
        terms.fixed_fee != 0 || !is_large_enough(share, terms)
    });
    if let Some((venue, _)) = irregular {
        return Decide::Venue(venue);
    }
    if route.parts().count() as u64 <= u64::from(request.max_orders) {
        return Decide::Nothing;
    }
    match undecided().min_by_key(|(_, share)| share.qty) {
        Some((venue, _)) => Decide::Venue(venue),
        None => Decide::Impossible,
    }
}
