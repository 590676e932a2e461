//! Schedules, trajectories and measures, reckoned by the engine itself.

use std::path::PathBuf;

use mainspring_core::event::{BarRow, MarketRow, OrderRow, RowKind};
use mainspring_core::{Error, ErrorKind, InstrumentId, Lots, Result, Side};
use mainspring_data::format::Schema;
use mainspring_data::EventFile;
use mainspring_trading::execution::parents::almgren_chriss::AlmgrenChriss;
use mainspring_trading::execution::parents::impact::{power_law, ImpactCase};
use mainspring_trading::execution::parents::schedule::children;
use mainspring_trading::execution::parents::shortfall::{Execution, Shortfall};
use mainspring_trading::execution::parents::{Participation, Schedule};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_py;

/// Lots of each slice: `even` slices, by `weights`, or by the `shares` done after each.
#[pyfunction]
#[pyo3(signature = (lots, *, even = None, weights = None, shares = None))]
pub fn slice_lots(
    lots: i64,
    even: Option<usize>,
    weights: Option<Vec<u64>>,
    shares: Option<Vec<f64>>,
) -> PyResult<Vec<i64>> {
    let schedule = match (even, weights, shares) {
        (Some(slices), None, None) => Schedule::even(Lots(lots), slices),
        (None, Some(weights), None) => Schedule::weighted(Lots(lots), &weights),
        (None, None, Some(shares)) => Schedule::by_share(Lots(lots), &shares),
        _ => Err(Error::new(ErrorKind::Value, "slices are even, by weights, or by shares")),
    };
    match schedule.map_err(to_py)? {
        Schedule::Slices(due) => Ok(children(&due).map(|lots| lots.0).collect()),
        Schedule::Volume(_) | Schedule::Whole => Ok(vec![lots]),
    }
}

/// Lots that may be traded in all when others traded `volume` lots.
#[pyfunction]
pub fn participation_lots(volume: i64, rate: f64, own_counts: bool) -> PyResult<i64> {
    let participation = Participation::new(rate, own_counts).map_err(to_py)?;
    Ok(participation.allowed(Lots(volume)).0)
}

/// The shares of a front-loaded schedule that are done after each slice.
#[pyfunction]
pub fn front_loaded(urgency: f64, slices: usize) -> Vec<f64> {
    Schedule::front_loaded(urgency, slices)
}

/// The trajectory of Almgren and Chriss, by name.
#[pyfunction]
#[pyo3(signature = (*, quantity, horizon, slices, volatility, half_spread, permanent, temporary, risk_aversion))]
#[allow(clippy::too_many_arguments)]
pub fn almgren_chriss<'py>(
    py: Python<'py>,
    quantity: f64,
    horizon: f64,
    slices: usize,
    volatility: f64,
    half_spread: f64,
    permanent: f64,
    temporary: f64,
    risk_aversion: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let model = AlmgrenChriss {
        quantity,
        horizon,
        slices,
        volatility,
        half_spread,
        permanent,
        temporary,
        risk_aversion,
    };
    let found = model.trajectory().map_err(to_py)?;
    let all = PyDict::new(py);
    all.set_item("eta_tilde", found.eta_tilde)?;
    all.set_item("kappa_tilde_squared", found.kappa_tilde_squared)?;
    all.set_item("kappa", found.kappa)?;
    all.set_item("half_life", found.half_life)?;
    all.set_item("holdings", found.holdings)?;
    all.set_item("trades", found.trades)?;
    all.set_item("expected_cost", found.expected_cost)?;
    all.set_item("variance", found.variance)?;
    all.set_item("utility", found.utility)?;
    Ok(all)
}

/// (permanent, temporary, cost) in basis points by the power law of impact.
#[pyfunction]
#[pyo3(signature = (*, quantity, daily_volume, outstanding, volatility, days, permanent, temporary))]
pub fn impact_bps(
    quantity: f64,
    daily_volume: f64,
    outstanding: f64,
    volatility: f64,
    days: f64,
    permanent: f64,
    temporary: f64,
) -> (f64, f64, f64) {
    let case = ImpactCase { quantity, daily_volume, outstanding, volatility, days };
    let found = power_law(&case, permanent, temporary);
    (found.permanent_bps, found.temporary_bps, found.cost_bps)
}

/// An implementation shortfall, positive where it cost money.
#[pyclass(frozen, get_all, module = "mainspring", name = "Shortfall")]
pub struct PyShortfall {
    /// Quantity that traded.
    pub executed: f64,
    /// Average price of the fills; NaN without one.
    pub average_price: f64,
    /// From decision to arrival, on what traded.
    pub delay: f64,
    /// From arrival to the prices paid.
    pub trading: f64,
    /// On what did not trade.
    pub opportunity: f64,
    /// Fees paid.
    pub fees: f64,
    /// Sum of the four.
    pub total: f64,
    /// The total in basis points of the decided quantity at the decision price.
    pub total_bps: f64,
}

impl PyShortfall {
    pub(super) fn of(executed: f64, found: &Shortfall, money: f64) -> Self {
        Self {
            executed,
            average_price: found.average_price,
            delay: found.delay * money,
            trading: found.trading * money,
            opportunity: found.opportunity * money,
            fees: found.fees * money,
            total: found.total * money,
            total_bps: found.total_bps,
        }
    }
}

#[pymethods]
impl PyShortfall {
    fn __repr__(&self) -> String {
        format!(
            "<Shortfall {:.2} bps: delay={} trading={} opportunity={} fees={}>",
            self.total_bps, self.delay, self.trading, self.opportunity, self.fees
        )
    }
}

/// The side of this name.
pub(super) fn read_side(name: &str) -> Result<Side> {
    match name {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(Error::new(ErrorKind::Value, format!("side {other:?}; use 'buy' or 'sell'"))),
    }
}

/// The implementation shortfall of fills given as (price, quantity).
#[pyfunction]
#[pyo3(signature = (side, *, quantity, fills, decision, arrival, last, fees))]
pub fn implementation_shortfall(
    side: &str,
    quantity: f64,
    fills: Vec<(f64, f64)>,
    decision: f64,
    arrival: f64,
    last: f64,
    fees: f64,
) -> PyResult<PyShortfall> {
    let executed = fills.iter().map(|(_, qty)| qty).sum();
    let execution = Execution {
        side: read_side(side).map_err(to_py)?,
        quantity,
        executed,
        value: fills.iter().map(|(price, qty)| price * qty).sum(),
        decision,
        arrival,
        last,
        fees,
    };
    Ok(PyShortfall::of(executed, &execution.shortfall(), 1.0))
}

/// Lots traded in each bin of a period, added over all periods of the file: bin `i` holds exchange
/// times whose rest by `period_ns` lies in `[i bin_ns, (i + 1) bin_ns)`. Bars count where they open.
#[pyfunction]
pub fn volume_by_bin(
    py: Python<'_>,
    path: PathBuf,
    instrument: u16,
    bin_ns: i64,
    period_ns: i64,
) -> PyResult<Vec<i64>> {
    py.detach(|| volumes(&path, InstrumentId(instrument), bin_ns, period_ns)).map_err(to_py)
}

/// Most bins of a curve: one a second for a day.
const MAX_BINS: i64 = 86_400;

fn volumes(
    path: &std::path::Path,
    instrument: InstrumentId,
    bin_ns: i64,
    period_ns: i64,
) -> Result<Vec<i64>> {
    if bin_ns <= 0 || period_ns < bin_ns || period_ns % bin_ns != 0 || period_ns / bin_ns > MAX_BINS
    {
        return Err(Error::new(
            ErrorKind::Value,
            format!(
                "bins of {bin_ns} ns do not divide a period of {period_ns} ns into 1 to {MAX_BINS}"
            ),
        ));
    }
    let file = EventFile::open(path)?;
    let mut bins = vec![0_i64; (period_ns / bin_ns) as usize];
    let mut add = |of: u16, at_ns: i64, lots: i64| {
        if of == instrument.0 {
            bins[(at_ns.rem_euclid(period_ns) / bin_ns) as usize] += lots;
        }
    };
    for number in 0..file.chunks().len() {
        match file.schema() {
            Schema::Market => {
                let chunk = file.chunk_of::<MarketRow>(number)?;
                let trades = chunk.rows.iter().filter(|row| row.kind == RowKind::Trade as u8);
                trades.for_each(|row| add(row.instrument, row.exch_ns, row.qty_lots));
            }
            Schema::Order => {
                let chunk = file.chunk_of::<OrderRow>(number)?;
                let traded = [RowKind::Trade as u8, RowKind::OrderExecute as u8];
                let trades = chunk.rows.iter().filter(|row| traded.contains(&row.market.kind));
                trades.for_each(|row| {
                    add(row.market.instrument, row.market.exch_ns, row.market.qty_lots);
                });
            }
            Schema::Bar => {
                let chunk = file.chunk_of::<BarRow>(number)?;
                chunk.rows.iter().for_each(|bar| add(bar.instrument, bar.open_ns, bar.volume.0));
            }
        }
    }
    Ok(bins)
}
