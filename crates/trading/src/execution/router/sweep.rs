//! Taking levels in order of their price with fees.

use mainspring_core::{Lots, Side, Ticks};

use super::{Depth, Route, RouteRequest, Share, VenueTerms, FEE_UNITS, MAX_ROUTE_VENUES};

/// Which venues must and which may take part: bits by venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Venues that take at least their smallest order.
    pub(super) must: u32,
    /// Venues that take nothing.
    pub(super) not: u32,
}

/// The best route when the smallest orders and fixed fees do not count; `taken` is told of each
/// level that is taken: venue, price, quantity.
pub fn sweep<D: Depth + ?Sized>(
    request: &RouteRequest,
    venues: &[VenueTerms],
    depth: &D,
    taken: impl FnMut(usize, Ticks, Lots),
) -> Route {
    let choice = Choice { must: 0, not: 0 };
    sweep_choice(request, venues, depth, choice, taken).unwrap_or(Route::NONE)
}

/// The levels of one venue on the way.
struct Walk<I> {
    levels: I,
    /// The level that is next, what is left of it, and its price with fees where less is better.
    price: Ticks,
    left: Lots,
    key: i128,
    /// What the venue may still take.
    room: Lots,
}

/// The best route for a choice; `None` when a venue cannot take its smallest order.
pub(super) fn sweep_choice<D: Depth + ?Sized>(
    request: &RouteRequest,
    venues: &[VenueTerms],
    depth: &D,
    choice: Choice,
    mut taken: impl FnMut(usize, Ticks, Lots),
) -> Option<Route> {
    let side = request.side;
    let worst = request.limit_all_in.map_or(i128::MAX, |limit| limit * i128::from(side.sign()));
    let mut walks: [Option<Walk<_>>; MAX_ROUTE_VENUES] = std::array::from_fn(|venue| {
        let terms = venues.get(venue)?;
        let open = terms.orders_left > 0 && choice.not >> venue & 1 == 0;
        if !open {
            return None;
        }
        let room = if terms.max_qty.0 > 0 { terms.max_qty } else { Lots::MAX };
        let mut walk =
            Walk { levels: depth.levels(venue), price: Ticks(0), left: Lots(0), key: 0, room };
        walk.go_on(side, terms, worst).then_some(walk)
    });
    let mut route = Route::NONE;
    for venue in 0..venues.len().min(MAX_ROUTE_VENUES) {
        if choice.must >> venue & 1 == 0 {
            continue;
        }
        let terms = &venues[venue];
        let mut stays = true;
        while !is_large_enough(&route.shares[venue], terms) {
            let walk = walks[venue].as_mut().filter(|_| stays)?;
            // At this level's price; the next levels may be worth more, so that less is enough there.
            let need = request.qty - route.filled;
            let wanted = smallest_part(&route.shares[venue], terms, walk.price).min(need);
            let qty = walk.take(wanted, terms)?;
            taken(venue, walk.price, qty);
            route.add(venue, terms, walk.price, qty);
            stays = walk.left.0 > 0 || walk.go_on(side, terms, worst);
        }
        if !stays {
            walks[venue] = None;
        }
    }
    while route.filled < request.qty {
        let best = best_walk(&walks);
        let Some((venue, walk)) = best.and_then(|v| walks[v].as_mut().map(|walk| (v, walk))) else {
            break;
        };
        let terms = &venues[venue];
        let Some(qty) = walk.take(request.qty - route.filled, terms) else {
            walks[venue] = None;
            continue;
        };
        if qty.0 > 0 {
            taken(venue, walk.price, qty);
            route.add(venue, terms, walk.price, qty);
        }
        if walk.left.0 == 0 && !walk.go_on(side, terms, worst) {
            walks[venue] = None;
        }
    }
    for (venue, terms) in venues.iter().enumerate().take(MAX_ROUTE_VENUES) {
        if route.shares[venue].qty.0 > 0 {
            route.fees += terms.fixed_fee;
        }
    }
    Some(route)
}

/// The venue whose next level is the best; the first among equals.
#[inline]
fn best_walk<I>(walks: &[Option<Walk<I>>; MAX_ROUTE_VENUES]) -> Option<usize> {
    let mut best: Option<(i128, usize)> = None;
    for (venue, walk) in walks.iter().enumerate() {
        if let Some(walk) = walk {
            if best.is_none_or(|(key, _)| walk.key < key) {
                best = Some((walk.key, venue));
            }
        }
    }
    best.map(|(_, venue)| venue)
}

impl<I: Iterator<Item = (Ticks, Lots)>> Walk<I> {
    /// Goes to the next level; false when there is none within the limit.
    #[inline]
    fn go_on(&mut self, side: Side, terms: &VenueTerms, worst: i128) -> bool {
        let Some((price, qty)) = self.levels.find(|(_, qty)| qty.0 >= terms.step.0) else {
            return false;
        };
        (self.price, self.left, self.key) = (price, qty, key_of(side, terms.fee, price));
        self.key <= worst
    }

    /// Takes up to `need` from the level in whole steps; `None` when not even a step fits.
    #[inline]
    fn take(&mut self, need: Lots, terms: &VenueTerms) -> Option<Lots> {
        let most = need.min(self.room);
        if most < terms.step {
            return None;
        }
        let qty = most.min(self.left);
        let qty = Lots(qty.0 - qty.0 % terms.step.0.max(1));
        self.room -= qty;
        self.left -= qty;
        if self.left < terms.step {
            self.left = Lots(0);
        }
        Some(qty)
    }
}

/// The price with fees in units of 10^-9 tick, negative for a seller: less is better.
#[inline]
fn key_of(side: Side, fee: i64, price: Ticks) -> i128 {
    let sign = i128::from(side.sign());
    i128::from(price.0) * (FEE_UNITS * sign + i128::from(fee))
}

impl Route {
    #[inline]
    fn add(&mut self, venue: usize, terms: &VenueTerms, price: Ticks, qty: Lots) {
        let value = i128::from(price.0) * i128::from(qty.0);
        let share = &mut self.shares[venue];
        *share = Share { qty: share.qty + qty, worst: price, value: share.value + value };
        self.filled += qty;
        self.value += value;
        self.fees += value * i128::from(terms.fee);
    }
}

/// Whether a venue would accept an order for its share.
#[inline]
pub(super) fn is_large_enough(share: &Share, terms: &VenueTerms) -> bool {
    share.qty.0 > 0 && share.qty >= terms.min_qty && share.value >= terms.min_value
}

/// What a share lacks to be large enough at this price, in whole steps.
fn smallest_part(share: &Share, terms: &VenueTerms, price: Ticks) -> Lots {
    let lacks_qty = (terms.min_qty - share.qty).0.max(1);
    let lacks_value = (terms.min_value - share.value).max(0);
    let for_value = if price.0 > 0 { div_up(lacks_value, i128::from(price.0)) } else { 0 };
    let lacks = i128::from(lacks_qty).max(for_value);
    let step = i128::from(terms.step.0.max(1));
    Lots(i64::try_from(div_up(lacks, step) * step).unwrap_or(i64::MAX))
}

const fn div_up(value: i128, by: i128) -> i128 {
    (value + by - 1) / by
}
