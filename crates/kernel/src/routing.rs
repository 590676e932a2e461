//! The smart order router over the books of a kernel.

pub mod bench;

use mainspring_book::{CommonUnits, Consolidated, VenueScale, MAX_VENUES};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, Lots, Money, Result, Side, Ticks,
    TimeInForce,
};
use mainspring_trading::execution::router::{
    route, Depth, Route, RouteRequest, VenueTerms, FEE_UNITS, MAX_ROUTE_VENUES,
};
use mainspring_trading::fee::FeeSchedule;

use crate::market::Market;

const _: () = assert!(MAX_VENUES == MAX_ROUTE_VENUES);

/// Instruments of several venues that are the same thing: of one kind, base and quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteGroup {
    /// The instruments, at most [`MAX_ROUTE_VENUES`].
    pub instruments: Vec<InstrumentId>,
    /// The units that they share.
    pub units: CommonUnits,
    /// Smallest order values, in common ticks times lots.
    min_values: Vec<i128>,
    /// Money quanta in a common tick of a common lot; `None` where it is finer than a quantum.
    tick_value: Option<i128>,
}

/// The groups of a kernel's instruments; each instrument is in one. Inverse contracts, whose lots are
/// no quantity of the base, and instruments without common units stand alone.
#[must_use]
pub fn route_groups(instruments: &[&Instrument]) -> Vec<RouteGroup> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, one) in instruments.iter().enumerate() {
        let same = |other: &Instrument| {
            other.kind == one.kind
                && other.base == one.base
                && other.quote == one.quote
                && !one.kind.is_inverse()
                && other.venue != one.venue
        };
        let open = groups.iter_mut().find(|group| {
            group.len() < MAX_ROUTE_VENUES && group.iter().all(|i| same(instruments[*i]))
        });
        match open {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups.into_iter().flat_map(|group| together_or_alone(instruments, &group)).collect()
}

fn together_or_alone(instruments: &[&Instrument], group: &[usize]) -> Vec<RouteGroup> {
    let chosen: Vec<&Instrument> = group.iter().map(|i| instruments[*i]).collect();
    match CommonUnits::of(&chosen) {
        Ok(units) => vec![RouteGroup::new(group, &chosen, units)],
        Err(_) => group.iter().map(|i| RouteGroup::alone(*i, instruments[*i])).collect(),
    }
}

impl RouteGroup {
    fn new(indexes: &[usize], instruments: &[&Instrument], units: CommonUnits) -> Self {
        let min_value = |one: &&Instrument| min_value(one.min_notional, units.tick, units.lot);
        Self {
            instruments: indexes.iter().map(|i| InstrumentId(*i as u16)).collect(),
            min_values: instruments.iter().map(min_value).collect(),
            tick_value: tick_value(units.tick, units.lot),
            units,
        }
    }

    fn alone(index: usize, instrument: &Instrument) -> Self {
        let scales = vec![VenueScale::ONE];
        let units = CommonUnits { tick: instrument.tick(), lot: instrument.lot, scales };
        Self::new(&[index], &[instrument], units)
    }

    /// A fixed fee of an order in the router's units.
    fn fixed_fee(&self, fees: &FeeSchedule) -> i128 {
        let Money(fixed) = fees.quote(false, 0, Lots::ZERO).fee;
        match self.tick_value {
            Some(value) if fixed != 0 => fixed.saturating_mul(FEE_UNITS) / value,
            _ => 0,
        }
    }
}

/// The value of `notional` in ticks times lots, rounded up.
fn min_value(notional: Decimal, tick: Decimal, lot: Decimal) -> i128 {
    let unit = i128::from(tick.mantissa()) * i128::from(lot.mantissa());
    let digits = i32::from(tick.scale()) + i32::from(lot.scale()) - i32::from(notional.scale());
    let mantissa = i128::from(notional.mantissa().max(0));
    let power = |digits: u32| 10_i128.checked_pow(digits).unwrap_or(i128::MAX);
    if digits >= 0 {
        let value = mantissa.saturating_mul(power(digits as u32));
        value / unit + i128::from(value % unit != 0)
    } else {
        let unit = unit.saturating_mul(power(digits.unsigned_abs()));
        mantissa / unit + i128::from(mantissa % unit != 0)
    }
}

fn tick_value(tick: Decimal, lot: Decimal) -> Option<i128> {
    let digits = mainspring_core::money::MONEY_DECIMALS.checked_sub(tick.scale() + lot.scale())?;
    let unit = i128::from(tick.mantissa()) * i128::from(lot.mantissa());
    unit.checked_mul(10_i128.checked_pow(u32::from(digits))?)
}

/// What a strategy wants routed.
#[derive(Clone, Copy, Debug)]
pub struct RouteAsk {
    /// Buy or sell.
    pub side: Side,
    /// Quantity in common lots.
    pub qty: Lots,
    /// The worst price with fees, in units of 10^-9 common tick.
    pub limit_all_in: Option<i128>,
    /// Most orders.
    pub max_orders: u32,
    /// Venues that may take part, as bits in the order of the group.
    pub allowed: u32,
}

/// Splits a quantity over the venues of a group. A venue that is halted, or whose book cannot be
/// trusted, takes no part. `taken` is told of each level: venue, price, quantity in common units.
pub fn route_group(
    group: &RouteGroup,
    markets: &[Market],
    fees: &[FeeSchedule],
    ask: &RouteAsk,
    taken: impl FnMut(usize, Ticks, Lots),
) -> Route {
    let count = group.instruments.len();
    let market = |venue: usize| &markets[group.instruments[venue].index()];
    let open = |venue: usize| {
        ask.allowed >> venue & 1 == 1 && market(venue).trading && market(venue).is_usable()
    };
    let books = Consolidated::of_trusted(|venue| {
        let scale = *group.units.scales.get(venue)?;
        open(venue).then(|| (&market(venue).book, scale))
    });
    let mut terms = [VenueTerms::default(); MAX_ROUTE_VENUES];
    for (venue, terms) in terms.iter_mut().enumerate().take(count) {
        let (instrument, scale) = (&market(venue).instrument, group.units.scales[venue]);
        let schedule = &fees[group.instruments[venue].index()];
        *terms = VenueTerms {
            fee: schedule.tier().taker,
            fixed_fee: group.fixed_fee(schedule),
            step: Lots(scale.lots),
            min_qty: Lots(instrument.min_qty.0.saturating_mul(scale.lots)),
            max_qty: Lots(instrument.max_qty.0.saturating_mul(scale.lots)),
            min_value: group.min_values[venue],
            orders_left: u32::from(open(venue)),
        };
    }
    let request = RouteRequest {
        side: ask.side,
        qty: ask.qty,
        limit_all_in: ask.limit_all_in,
        max_orders: ask.max_orders,
    };
    route(&request, &terms[..count], &Taken { books, side: ask.side.opposite() }, taken)
}

/// The side of the books that is taken.
struct Taken<'a> {
    books: Consolidated<'a>,
    side: Side,
}

impl Depth for Taken<'_> {
    fn levels(&self, venue: usize) -> impl Iterator<Item = (Ticks, Lots)> {
        self.books.venue_levels(venue, self.side)
    }
}

/// The orders of a route: immediate-or-cancel at the worst price that it takes at each venue.
///
/// # Errors
/// When a share is no whole number of its venue's units, which a route never makes.
pub fn orders_of<'a>(
    group: &'a RouteGroup,
    route: &'a Route,
    side: Side,
) -> impl Iterator<Item = Result<OrderTerms>> + 'a {
    route.parts().map(move |(venue, share)| {
        let scale = group.units.scales[venue];
        if share.qty.0 % scale.lots != 0 || share.worst.0 % scale.ticks != 0 {
            return Err(Error::new(ErrorKind::Internal, "a route off the grid of its venue"));
        }
        let price = Ticks(share.worst.0 / scale.ticks);
        let qty = Lots(share.qty.0 / scale.lots);
        let mut terms = OrderTerms::limit(group.instruments[venue], side, price, qty);
        terms.time_in_force = TimeInForce::Ioc;
        Ok(terms)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_values_round_up_to_whole_units() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        // 10 of quote in ticks of 0.1 and lots of 0.001: 10 / 0.0001.
        assert_eq!(min_value(decimal("10"), decimal("0.1"), decimal("0.001")), 100_000);
        assert_eq!(min_value(decimal("0.05"), decimal("3"), decimal("2")), 1);
        assert_eq!(min_value(decimal("0.00001"), decimal("1"), decimal("1")), 1);
        assert_eq!(min_value(Decimal::ZERO, decimal("1"), decimal("1")), 0);
        assert_eq!(tick_value(decimal("0.1"), decimal("0.001")), Some(100_000_000_000_000));
    }
}
