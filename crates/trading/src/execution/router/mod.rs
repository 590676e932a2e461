//! The smart order router: one quantity over several venues, at the least price with fees.
//!
//! Each venue's cost is convex in its quantity, so taking the levels of all venues in order of their
//! price with fees is optimal ([`sweep`]). What breaks convexity, the smallest order of a venue and a
//! fixed fee for each order, is decided by branch and bound over which venues take part ([`route`]):
//! a venue whose share is not allowed is tried without it, and with at least the smallest order. The
//! search is bounded; nothing allocates.
//!
//! Prices and quantities are in units that all venues share, see `CommonUnits` of the book.

mod search;
mod sweep;

pub use search::{best_route, route, MAX_BRANCHES};
pub use sweep::sweep;

use mainspring_core::{Lots, Side, Ticks};

/// Most venues of one route.
pub const MAX_ROUTE_VENUES: usize = 16;

/// Units of a fee rate in one: fees are counted in 10^-9 of a tick times a lot.
pub const FEE_UNITS: i128 = 1_000_000_000;

/// What a venue can be taken from: levels of the side that is taken, best first, in common units.
pub trait Depth {
    /// The levels of a venue.
    fn levels(&self, venue: usize) -> impl Iterator<Item = (Ticks, Lots)>;
}

impl<T: AsRef<[(Ticks, Lots)]>> Depth for [T] {
    fn levels(&self, venue: usize) -> impl Iterator<Item = (Ticks, Lots)> {
        self[venue].as_ref().iter().copied()
    }
}

/// What a venue charges and allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueTerms {
    /// Taker fee in units of 10^-9 of the value; negative is a rebate.
    pub fee: i64,
    /// Fee for each order, in units of 10^-9 of a tick times a lot.
    pub fixed_fee: i128,
    /// Common lots in one lot of the venue.
    pub step: Lots,
    /// Smallest order.
    pub min_qty: Lots,
    /// Largest order; zero for no bound.
    pub max_qty: Lots,
    /// Smallest order value, in ticks times lots.
    pub min_value: i128,
    /// Orders that the venue's rate limit leaves; a venue without any is left out.
    pub orders_left: u32,
}

impl Default for VenueTerms {
    fn default() -> Self {
        Self {
            fee: 0,
            fixed_fee: 0,
            step: Lots(1),
            min_qty: Lots(0),
            max_qty: Lots(0),
            min_value: 0,
            orders_left: u32::MAX,
        }
    }
}

/// What is to be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRequest {
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub qty: Lots,
    /// The worst price with fees, in units of 10^-9 tick.
    pub limit_all_in: Option<i128>,
    /// Most orders in all.
    pub max_orders: u32,
}

impl RouteRequest {
    /// A request without a limit.
    #[must_use]
    pub const fn new(side: Side, qty: Lots) -> Self {
        Self { side, qty, limit_all_in: None, max_orders: u32::MAX }
    }
}

/// The share of one venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Quantity to take there; zero when the venue has no part.
    pub qty: Lots,
    /// The worst price that is taken there: the limit price of the order.
    pub worst: Ticks,
    /// Price times quantity.
    pub value: i128,
}

/// A quantity split over venues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The share of each venue, in the order of the venues.
    pub shares: [Share; MAX_ROUTE_VENUES],
    /// What the route takes of the quantity.
    pub filled: Lots,
    /// Price times quantity of all shares.
    pub value: i128,
    /// Fees of all shares, in units of 10^-9 of a tick times a lot.
    pub fees: i128,
    /// Whether no better route exists; false when the search was cut short.
    pub is_optimal: bool,
}

impl Route {
    /// A route that takes nothing.
    pub const NONE: Self = Self {
        shares: [Share { qty: Lots(0), worst: Ticks(0), value: 0 }; MAX_ROUTE_VENUES],
        filled: Lots(0),
        value: 0,
        fees: 0,
        is_optimal: true,
    };

    /// The venues that take part, with their shares.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &Share)> {
        self.shares.iter().enumerate().filter(|(_, share)| share.qty.0 > 0)
    }

    /// What a buyer pays, or minus what a seller gets, with fees, in units of 10^-9 of a tick times a
    /// lot: less is better.
    #[must_use]
    pub const fn cost(&self, side: Side) -> i128 {
        self.value * FEE_UNITS * side.sign() as i128 + self.fees
    }

    /// Whether it is better than another route of the same request: takes more, or as much for less.
    #[must_use]
    pub fn beats(&self, other: &Self, side: Side) -> bool {
        (self.filled, -self.cost(side)) > (other.filled, -other.cost(side))
    }
}

#[cfg(test)]
mod tests;
