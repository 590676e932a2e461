//! Routes over several venues.

use mainspring_core::{Decimal, Error, ErrorKind, InstrumentId, Lots, Result, Ticks};
use mainspring_kernel::routing::{orders_of, route_group, RouteAsk, RouteGroup};
use mainspring_kernel::{Unit, View};
use mainspring_trading::execution::router::{
    route, Route, RouteRequest, VenueTerms, FEE_UNITS, MAX_ROUTE_VENUES,
};
use pyo3::prelude::*;

use crate::errors::to_py;

use super::models::read_side;

/// What a route takes of one venue.
#[pyclass(frozen, get_all, module = "mainspring", name = "RoutePart")]
#[derive(Clone)]
pub struct PyRoutePart {
    /// The venue.
    pub venue: String,
    /// Quantity.
    pub qty: f64,
    /// The worst price that is taken there: the limit price of the order.
    pub price: f64,
    /// Value of what is taken there, without fees.
    pub notional: f64,
    /// Id of the order; None when it was not sent.
    pub order_id: Option<u64>,
}

#[pymethods]
impl PyRoutePart {
    fn __repr__(&self) -> String {
        format!("<RoutePart {} {} @ {}>", self.venue, self.qty, self.price)
    }
}

/// A quantity split over venues at the least price with fees.
#[pyclass(frozen, get_all, module = "mainspring", name = "Route")]
pub struct PyRoute {
    /// `buy` or `sell`.
    pub side: String,
    /// What was asked.
    pub qty: f64,
    /// What the route takes of it.
    pub filled: f64,
    /// What no venue offers within the bounds.
    pub unfilled: f64,
    /// Value of what is taken, without fees.
    pub notional: f64,
    /// Fees.
    pub fees: f64,
    /// What is paid, or got, with fees.
    pub all_in: f64,
    /// Average price without fees; NaN for an empty route.
    pub average_price: f64,
    /// Average price with fees; NaN for an empty route.
    pub average_all_in: f64,
    /// Share of each venue that takes part.
    pub parts: Vec<PyRoutePart>,
    /// Every level that is taken, best first: (venue, price, quantity).
    pub fills: Vec<(String, f64, f64)>,
    /// Whether no better route exists; false when the search was cut short.
    pub is_optimal: bool,
}

#[pymethods]
impl PyRoute {
    fn __repr__(&self) -> String {
        let parts: Vec<_> = self.parts.iter().map(|p| format!("{} {}", p.venue, p.qty)).collect();
        format!(
            "<Route {} {} of {} at {} all in: {}>",
            self.side,
            self.filled,
            self.qty,
            self.average_all_in,
            parts.join(", ")
        )
    }
}

/// The units of a route for people.
struct Units {
    tick: Unit,
    lot: Unit,
}

impl Units {
    const fn new(tick: Unit, lot: Unit) -> Self {
        Self { tick, lot }
    }

    /// A price times a quantity, from ticks times lots.
    fn value(&self, count: f64) -> f64 {
        let ((tick, tick_power), (lot, lot_power)) = (self.tick.parts(), self.lot.parts());
        count * (tick * lot) / (tick_power * lot_power)
    }
}

type Taken = Vec<(usize, Ticks, Lots)>;

impl PyRoute {
    fn new(
        side: &str,
        qty: Lots,
        found: &Route,
        taken: &Taken,
        names: &[String],
        units: &Units,
    ) -> Self {
        let notional = units.value(found.value as f64);
        let fees = units.value(found.fees as f64 / FEE_UNITS as f64);
        let sign = if side == "buy" { 1.0 } else { -1.0 };
        let all_in = notional + sign * fees;
        let filled = units.lot.to_f64(found.filled.0);
        let part =
            |(venue, share): (usize, &mainspring_trading::execution::router::Share)| PyRoutePart {
                venue: names[venue].clone(),
                qty: units.lot.to_f64(share.qty.0),
                price: units.tick.to_f64(share.worst.0),
                notional: units.value(share.value as f64),
                order_id: None,
            };
        Self {
            side: side.to_owned(),
            qty: units.lot.to_f64(qty.0),
            filled,
            unfilled: units.lot.to_f64((qty - found.filled).0),
            notional,
            fees,
            all_in,
            average_price: notional / filled,
            average_all_in: all_in / filled,
            parts: found.parts().map(part).collect(),
            fills: taken
                .iter()
                .map(|(venue, price, qty)| {
                    let price = units.tick.to_f64(price.0);
                    (names[*venue].clone(), price, units.lot.to_f64(qty.0))
                })
                .collect(),
            is_optimal: found.is_optimal,
        }
    }
}

/// One venue of [`route_levels`]: name, levels in ticks and lots, taker fee in 10^-9, fixed fee in
/// 10^-9 of a tick times a lot, lots in one lot of the venue, smallest and largest order, smallest
/// value, orders left.
type VenueArgs = (String, Vec<(i64, i64)>, i64, i128, i64, i64, i64, i128, u32);

/// Routes a quantity over levels in whole ticks and lots, which are `10^-decimals` each.
#[pyfunction]
#[pyo3(signature = (side, lots, venues, *, price_decimals, qty_decimals, limit_nanoticks, max_orders))]
pub fn route_levels(
    side: &str,
    lots: i64,
    venues: Vec<VenueArgs>,
    price_decimals: u8,
    qty_decimals: u8,
    limit_nanoticks: Option<i128>,
    max_orders: u32,
) -> PyResult<PyRoute> {
    let mut request = RouteRequest::new(read_side(side).map_err(to_py)?, Lots(lots));
    request.limit_all_in = limit_nanoticks;
    request.max_orders = max_orders;
    if venues.len() > MAX_ROUTE_VENUES {
        return Err(to_py(Error::new(
            ErrorKind::Capacity,
            format!("{} venues in a route of at most {MAX_ROUTE_VENUES}", venues.len()),
        )));
    }
    let names: Vec<String> = venues.iter().map(|venue| venue.0.clone()).collect();
    let depth: Vec<Vec<(Ticks, Lots)>> = venues
        .iter()
        .map(|venue| venue.1.iter().map(|(price, qty)| (Ticks(*price), Lots(*qty))).collect())
        .collect();
    let terms: Vec<VenueTerms> = venues
        .iter()
        .map(|(_, _, fee, fixed_fee, step, min, max, min_value, left)| VenueTerms {
            fee: *fee,
            fixed_fee: *fixed_fee,
            step: Lots(*step),
            min_qty: Lots(*min),
            max_qty: Lots(*max),
            min_value: *min_value,
            orders_left: *left,
        })
        .collect();
    let mut taken = Taken::new();
    let found = route(&request, &terms, depth.as_slice(), |venue, price, qty| {
        taken.push((venue, price, qty));
    });
    let unit = |decimals: u8| Decimal::new(1, decimals).map(Unit::new).map_err(to_py);
    let units = Units::new(unit(price_decimals)?, unit(qty_decimals)?);
    Ok(PyRoute::new(side, Lots(lots), &found, &taken, &names, &units))
}

/// What a strategy asks of `m.route`.
pub struct RouteOptions<'a> {
    /// Buy or sell.
    pub side: &'a str,
    /// Quantity in units of base.
    pub qty: f64,
    /// The worst price with fees.
    pub limit: Option<f64>,
    /// Names of the venues that may take part; all without.
    pub venues: Option<Vec<String>>,
    /// Most orders.
    pub max_orders: Option<u32>,
    /// Whether the orders are placed.
    pub send: bool,
}

/// Routes a quantity over the venues of an instrument's group, and places its orders when asked.
pub fn route_here(
    view: &mut View<'_>,
    instrument: InstrumentId,
    options: &RouteOptions<'_>,
) -> Result<PyRoute> {
    let side = read_side(options.side)?;
    let group: &RouteGroup = view.group_of(instrument)?;
    let venue_of = |id: &InstrumentId| view.markets[id.index()].instrument.venue.clone();
    let names: Vec<String> = group.instruments.iter().map(venue_of).collect();
    let units = Units::new(Unit::new(group.units.tick), Unit::new(group.units.lot));
    let qty = whole(units.lot.count(options.qty)).ok_or_else(|| {
        Error::new(
            ErrorKind::Strategy,
            format!("route(): {} is not a usable quantity", options.qty),
        )
    })?;
    let ask = RouteAsk {
        side,
        qty: Lots(qty),
        limit_all_in: options.limit.map(|limit| (units.tick.count(limit) * 1e9).round() as i128),
        max_orders: options.max_orders.unwrap_or(u32::MAX),
        allowed: allowed(&names, options.venues.as_deref())?,
    };
    let mut taken = Taken::new();
    let found = route_group(group, view.markets, view.fees, &ask, |venue, price, qty| {
        taken.push((venue, price, qty));
    });
    let mut route = PyRoute::new(options.side, ask.qty, &found, &taken, &names, &units);
    if options.send {
        let orders = orders_of(group, &found, side).collect::<Result<Vec<_>>>()?;
        for (part, terms) in route.parts.iter_mut().zip(orders) {
            part.order_id = Some(view.place(terms)?.0);
        }
    }
    Ok(route)
}

fn allowed(names: &[String], chosen: Option<&[String]>) -> Result<u32> {
    let Some(chosen) = chosen else { return Ok(u32::MAX) };
    chosen.iter().try_fold(0, |bits, name| {
        let at = names.iter().position(|known| known == name).ok_or_else(|| {
            Error::new(
                ErrorKind::Strategy,
                format!("route(): no venue {name}; there are {}", names.join(", ")),
            )
        })?;
        Ok(bits | 1 << at)
    })
}

/// A count rounded towards zero, unless it is a whole one but for the last bits.
fn whole(count: f64) -> Option<i64> {
    let nearest = count.round();
    let whole = if (count - nearest).abs() <= 1e-6 { nearest } else { count.floor() };
    (whole > 0.0 && whole < 9e15).then_some(whole as i64)
}

/// Nanoseconds of a route over `venues` books: for a quantity that the best level has, and the mean
/// over quantities up to one that takes some twenty levels.
#[pyfunction]
pub fn time_routes(py: Python<'_>, venues: usize, routes: usize) -> (f64, f64) {
    py.detach(|| mainspring_kernel::routing::bench::route_ns(venues, routes))
}
