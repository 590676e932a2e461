//! What a strategy wishes, as Python says it: quotes and the options of an order.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, InstrumentId, Lots, OrderType, Result, Side, Ticks,
    TimeInForce,
};
use mainspring_kernel::View;
use mainspring_trading::execution::Level;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::to_py;

/// Levels of one side as Python gave them: floats, at most [`MAX`] of them.
pub(crate) struct QuoteSide {
    levels: [(f64, f64); MAX],
    count: usize,
}

const MAX: usize = mainspring_core::limits::MAX_QUOTE_LEVELS;

impl QuoteSide {
    pub(crate) fn read(side: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<Self> {
        let mut levels = [(0.0, 0.0); MAX];
        let mut count = 0;
        let Some(side) = side else { return Ok(Self { levels, count }) };
        let mut push = |item: &Bound<'_, PyAny>| {
            if count == MAX {
                return Err(too_many(name));
            }
            levels[count] = item.extract::<(f64, f64)>().map_err(|_| not_a_level(item, name))?;
            count += 1;
            Ok(())
        };
        if let Ok(items) = side.cast::<PyTuple>() {
            for item in items.iter_borrowed() {
                push(&item)?;
            }
        } else {
            for item in side.try_iter().map_err(|_| not_a_level(side, name))? {
                push(&item?)?;
            }
        }
        Ok(Self { levels, count })
    }

    pub(crate) fn to_levels(
        &self,
        view: &View<'_>,
        instrument: InstrumentId,
        side: Side,
        exact: bool,
    ) -> Result<Levels> {
        let mut all =
            Levels { list: [Level { price: Ticks(0), qty: Lots(0) }; MAX], count: self.count };
        for (level, (price, qty)) in all.list.iter_mut().zip(&self.levels[..self.count]) {
            level.price = view.ticks(instrument, side, *price, exact)?;
            level.qty = view.order_lots(instrument, *qty)?;
        }
        Ok(all)
    }
}

/// Levels of one side on the instrument's grid.
pub(crate) struct Levels {
    list: [Level; MAX],
    count: usize,
}

impl Levels {
    pub(crate) fn as_slice(&self) -> &[Level] {
        &self.list[..self.count]
    }
}

fn too_many(name: &str) -> PyErr {
    PyTypeError::new_err(format!("quote(): at most {MAX} {name} levels"))
}

fn not_a_level(item: &Bound<'_, PyAny>, name: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "quote(): {name} takes a sequence of (price, quantity) pairs, such as ((100.0, 0.01),), not {item}"
    ))
}

/// Keyword options of `buy` and `sell`.
#[derive(Default)]
pub(crate) struct OrderOptions {
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
    pub(crate) exact: bool,
    pub(crate) time_in_force: Option<TimeInForce>,
    pub(crate) kind: Option<OrderType>,
    pub(crate) trigger: Option<f64>,
    pub(crate) trail: Option<f64>,
    pub(crate) offset: Option<f64>,
    pub(crate) display: Option<f64>,
    pub(crate) expire_ns: Option<i64>,
    pub(crate) oco: Option<u64>,
}

impl OrderOptions {
    pub(crate) fn read(options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut all = Self::default();
        let Some(options) = options else { return Ok(all) };
        for (name, value) in options.iter() {
            match name.extract::<String>()?.as_str() {
                "post_only" => all.post_only = value.extract()?,
                "reduce_only" => all.reduce_only = value.extract()?,
                "exact" => all.exact = value.extract()?,
                "tif" => {
                    let name: Option<String> = value.extract()?;
                    all.time_in_force =
                        name.as_deref().map(read_time_in_force).transpose().map_err(to_py)?;
                }
                "kind" => {
                    let name: Option<String> = value.extract()?;
                    all.kind = name.as_deref().map(read_order_type).transpose().map_err(to_py)?;
                }
                "trigger" => all.trigger = value.extract()?,
                "trail" => all.trail = value.extract()?,
                "offset" => all.offset = value.extract()?,
                "display" => all.display = value.extract()?,
                "expire_ns" => all.expire_ns = value.extract()?,
                "oco" => all.oco = value.extract()?,
                other => {
                    return Err(PyTypeError::new_err(format!(
                        "an order has no option {other}; options are post_only, reduce_only, exact, tif, kind, trigger, trail, offset, display, expire_ns, oco"
                    )))
                }
            }
        }
        Ok(all)
    }

    pub(crate) fn terms(
        &self,
        view: &View<'_>,
        instrument: InstrumentId,
        side: Side,
        qty: f64,
        price: Option<f64>,
    ) -> Result<OrderTerms> {
        let qty = view.order_lots(instrument, qty)?;
        let mut terms = match price {
            Some(price) => OrderTerms::limit(
                instrument,
                side,
                view.ticks(instrument, side, price, self.exact)?,
                qty,
            ),
            None => OrderTerms::market(instrument, side, qty),
        };
        terms.order_type = self.order_type(price.is_some());
        terms.time_in_force = self.time_in_force(price.is_some());
        if self.post_only {
            terms.flags = terms.flags.with(OrderFlags::POST_ONLY);
        }
        if self.reduce_only {
            terms.flags = terms.flags.with(OrderFlags::REDUCE_ONLY);
        }
        if let Some(trigger) = self.trigger {
            terms.trigger = view.ticks(instrument, side.opposite(), trigger, self.exact)?;
        }
        let market = &view.markets[instrument.index()];
        for distance in [self.trail, self.offset].into_iter().flatten() {
            let ticks = market.scale.passive_ticks(side, distance);
            terms.offset = ticks.ok_or_else(|| {
                Error::new(
                    ErrorKind::Strategy,
                    format!("{distance} is not a usable price distance"),
                )
            })?;
        }
        if let Some(display) = self.display {
            terms.display = view.lots(instrument, display)?;
        }
        terms.expire_ns = self.expire_ns.unwrap_or(0);
        terms.oco = ClientOrderId(self.oco.unwrap_or(0));
        Ok(terms)
    }

    fn order_type(&self, priced: bool) -> OrderType {
        self.kind.unwrap_or(match (self.trail, self.trigger, self.display, priced) {
            (Some(_), ..) => OrderType::TrailingStop,
            (None, Some(_), _, true) => OrderType::StopLimit,
            (None, Some(_), _, false) => OrderType::Stop,
            (None, None, Some(_), true) => OrderType::Iceberg,
            (None, None, _, true) => OrderType::Limit,
            (None, None, _, false) => OrderType::Market,
        })
    }

    fn time_in_force(&self, priced: bool) -> TimeInForce {
        let waits = priced || self.trigger.is_some() || self.trail.is_some() || self.kind.is_some();
        self.time_in_force.unwrap_or(match (self.expire_ns, waits) {
            (Some(_), _) => TimeInForce::Gtd,
            (None, true) => TimeInForce::Gtc,
            (None, false) => TimeInForce::Ioc,
        })
    }
}

fn read_order_type(name: &str) -> Result<OrderType> {
    Ok(match name {
        "limit" => OrderType::Limit,
        "market" => OrderType::Market,
        "stop" => OrderType::Stop,
        "stop_limit" => OrderType::StopLimit,
        "take_profit" => OrderType::TakeProfit,
        "trailing_stop" => OrderType::TrailingStop,
        "iceberg" => OrderType::Iceberg,
        "pegged" => OrderType::Pegged,
        other => {
            return Err(Error::new(
                ErrorKind::Strategy,
                format!(
                    "order kind {other} is unknown; use limit, market, stop, stop_limit, take_profit, trailing_stop, iceberg or pegged"
                ),
            ))
        }
    })
}

fn read_time_in_force(name: &str) -> Result<TimeInForce> {
    Ok(match name {
        "gtc" => TimeInForce::Gtc,
        "ioc" => TimeInForce::Ioc,
        "fok" => TimeInForce::Fok,
        "gtd" => TimeInForce::Gtd,
        other => {
            return Err(Error::new(
                ErrorKind::Strategy,
                format!("time in force {other} is unknown; use gtc, ioc, fok or gtd"),
            ))
        }
    })
}
