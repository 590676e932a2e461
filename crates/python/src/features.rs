//! Features over stored rows and the estimators behind them, for research in Python.

use mainspring_core::instrument::Instrument;
use mainspring_core::{Error, ErrorKind, MarketRow, Result, Side, Ticks};
use mainspring_data::columns::to_f64;
use mainspring_data::{Column, EventFile, Schema, Table};
use mainspring_features::impact::{self, TradeWithMids};
use mainspring_features::microprice::microprice_fit;
use mainspring_features::volatility::ewma::{ewma_variance as ewma, ewma_variance_irregular};
use mainspring_features::volatility::garch::Garch;
use mainspring_features::volatility::garch_fit::fit;
use mainspring_features::volatility::range::{ohlc_variance, Ohlc};
use mainspring_features::volatility::realized;
use mainspring_features::volatility::stochastic::{ParticleFilter, StochasticVolatility};
use mainspring_features::{toxicity, DepthScan, FeatureScan, FeatureSpec, QuoteScan};
use pyo3::prelude::*;
use serde::Deserialize;

use crate::data::PyEventFile;
use crate::errors::{json_fault, to_py};
use crate::table::{floats, PyTable};

/// Chunks between two looks for Ctrl-C.
const CHUNKS_A_LOOK: usize = 16;

/// A feature as people write it: text, or an object for those that come from a fit.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Object(FeatureSpec),
}

fn specs(written: &str) -> Result<Vec<FeatureSpec>> {
    let wrong = |error: serde_json::Error| {
        Error::new(ErrorKind::Value, format!("the features cannot be read: {}", json_fault(&error)))
    };
    let written: Vec<Written> = serde_json::from_str(written).map_err(wrong)?;
    written
        .into_iter()
        .map(|one| match one {
            Written::Text(text) => text.parse(),
            Written::Object(spec) => Ok(spec),
        })
        .collect()
}

fn market(file: &EventFile) -> Result<()> {
    if file.schema() == Schema::Market {
        return Ok(());
    }
    let what = format!(
        "{}: it holds rows of the schema '{}'; features need market rows (depth and trades)",
        file.path().display(),
        file.schema().name()
    );
    Err(Error::new(ErrorKind::Value, what))
}

fn definition(file: &EventFile, instrument: u16) -> Result<&Instrument> {
    file.instruments().get(usize::from(instrument)).ok_or_else(|| {
        let what = format!("{}: it has no instrument {instrument}", file.path().display());
        Error::new(ErrorKind::Value, what)
    })
}

/// Values of features over a file, one row a sample: `time_ns` and a column each.
#[pyfunction]
pub fn compute_features(
    py: Python<'_>,
    file: &Bound<'_, PyEventFile>,
    instrument: u16,
    features: &str,
    every_ns: i64,
) -> PyResult<PyTable> {
    let file = file.get().file();
    market(file).map_err(to_py)?;
    let specs = specs(features).map_err(to_py)?;
    let definition = definition(file, instrument).map_err(to_py)?;
    let mut scan = FeatureScan::new(&specs, definition, instrument, every_ns).map_err(to_py)?;
    each_chunk(py, file, |rows, base| scan.scan(rows, base))?;
    as_table(&scan).map(PyTable::from).map_err(to_py)
}

/// Shows every chunk of a file to `scan`; Ctrl-C ends it.
fn each_chunk(
    py: Python<'_>,
    file: &EventFile,
    mut scan: impl FnMut(&[MarketRow], Ticks) + Send,
) -> PyResult<()> {
    for chunk in 0..file.chunks().len() {
        if chunk % CHUNKS_A_LOOK == 0 {
            py.check_signals()?;
        }
        py.detach(|| file.chunk(chunk).map(|chunk| scan(chunk.rows, chunk.price_base)))
            .map_err(to_py)?;
    }
    Ok(())
}

/// The best levels of a book over a file, one row a sample: `time_ns`, then price, quantity, ticks
/// and lots of each level of each side.
#[pyfunction]
pub fn book_levels(
    py: Python<'_>,
    file: &Bound<'_, PyEventFile>,
    instrument: u16,
    levels: usize,
    every_ns: i64,
) -> PyResult<PyTable> {
    let file = file.get().file();
    market(file).map_err(to_py)?;
    let definition = definition(file, instrument).map_err(to_py)?;
    let mut scan = DepthScan::new(instrument, levels, every_ns).map_err(to_py)?;
    each_chunk(py, file, |rows, base| scan.scan(rows, base))?;
    levels_table(&scan, definition, levels).map(PyTable::from).map_err(to_py)
}

fn levels_table(scan: &DepthScan, definition: &Instrument, levels: usize) -> Result<Table> {
    let mut table = Table::new("book");
    table.push("time_ns", Column::I64(scan.times().to_vec()))?;
    for (name, side) in [("bid", Side::Buy), ("ask", Side::Sell)] {
        for level in 0..levels {
            let at = || scan.side(side).iter().skip(level).step_by(levels);
            let prices = at().map(|(price, qty)| match qty.0 {
                0 => f64::NAN,
                _ => to_f64(price.0, definition.tick()),
            });
            table.push(format!("{name}_{level}"), Column::F64(prices.collect()))?;
            let sizes = at().map(|(_, qty)| to_f64(qty.0, definition.lot));
            table.push(format!("{name}_qty_{level}"), Column::F64(sizes.collect()))?;
        }
    }
    Ok(table)
}

fn as_table(scan: &FeatureScan) -> Result<Table> {
    let mut table = Table::new("features");
    table.push("time_ns", Column::I64(scan.times().to_vec()))?;
    let width = scan.names().len();
    for (at, name) in scan.names().iter().enumerate() {
        let values = scan.values().iter().skip(at).step_by(width).copied().collect();
        table.push(name.clone(), Column::F64(values))?;
    }
    Ok(table)
}

/// The best quotes of a file, in ticks and lots.
fn quotes(file: &EventFile, instrument: u16) -> Result<QuoteScan> {
    market(file)?;
    let mut scan = QuoteScan::new(instrument);
    for chunk in 0..file.chunks().len() {
        let chunk = file.chunk(chunk)?;
        scan.scan(chunk.rows, chunk.price_base);
    }
    Ok(scan)
}

/// A fitted micro-price: (pairs used, table as JSON).
#[pyfunction]
pub fn fit_microprice(
    py: Python<'_>,
    file: &Bound<'_, PyEventFile>,
    instrument: u16,
    imbalances: usize,
    spreads: usize,
) -> PyResult<(usize, String)> {
    let file = file.get().file();
    let fitted = py
        .detach(|| microprice_fit(quotes(file, instrument)?.quotes(), 1.0, imbalances, spreads))
        .map_err(to_py)?;
    let table = serde_json::to_string(&fitted.table)
        .map_err(|error| to_py(Error::new(ErrorKind::Internal, error.to_string())))?;
    Ok((fitted.transitions_used, table))
}

/// EWMA variance of returns; with `dt` the returns are irregular and `decay` is a half-life.
#[pyfunction]
pub fn ewma_variance(
    returns: &Bound<'_, PyAny>,
    dt: Option<&Bound<'_, PyAny>>,
    decay: f64,
    initial: f64,
) -> PyResult<Vec<f64>> {
    let returns = floats(returns)?;
    match dt {
        None => ewma(&returns, decay, initial),
        Some(dt) => ewma_variance_irregular(&returns, &floats(dt)?, decay, initial),
    }
    .map_err(to_py)
}

/// Range estimates: (Parkinson, Garman-Klass, Rogers-Satchell, Yang-Zhang).
#[pyfunction]
pub fn range_variance(
    open: &Bound<'_, PyAny>,
    high: &Bound<'_, PyAny>,
    low: &Bound<'_, PyAny>,
    close: &Bound<'_, PyAny>,
) -> PyResult<(f64, f64, f64, f64)> {
    let columns = [floats(open)?, floats(high)?, floats(low)?, floats(close)?];
    let [open, high, low, close] = &columns;
    if columns.iter().any(|column| column.len() != open.len()) {
        let what = "open, high, low and close must have the same length";
        return Err(to_py(Error::new(ErrorKind::Value, what)));
    }
    let bar = |n: usize| Ohlc { open: open[n], high: high[n], low: low[n], close: close[n] };
    let bars: Vec<Ohlc> = (0..open.len()).map(bar).collect();
    let found = ohlc_variance(&bars).map_err(to_py)?;
    Ok((found.parkinson, found.garman_klass, found.rogers_satchell, found.yang_zhang.variance))
}

/// Realised measures: (variance, bipower, two-scale, two-scale adjusted, noise variance).
#[pyfunction]
pub fn realized_measures(
    prices: &Bound<'_, PyAny>,
    grids: usize,
) -> PyResult<(f64, f64, f64, f64, f64)> {
    let found = realized::realized_measures(&floats(prices)?, grids).map_err(to_py)?;
    Ok((
        found.variance,
        found.bipower,
        found.two_scale,
        found.two_scale_adjusted,
        found.noise_variance,
    ))
}

/// A fitted GARCH(1,1): (mu, omega, alpha, beta, initial variance, log-likelihood).
#[pyfunction]
pub fn garch_fit(
    py: Python<'_>,
    returns: &Bound<'_, PyAny>,
) -> PyResult<(f64, f64, f64, f64, f64, f64)> {
    let returns = floats(returns)?;
    let found = py.detach(|| fit(&returns)).map_err(to_py)?;
    let Garch { mu, omega, alpha, beta } = found.model;
    Ok((mu, omega, alpha, beta, found.initial_variance, found.log_likelihood))
}

/// What a GARCH(1,1) says of returns: (variance of each, log-likelihood, variance of the next).
#[pyfunction]
pub fn garch_filter(
    parameters: (f64, f64, f64, f64),
    returns: &Bound<'_, PyAny>,
    initial: f64,
) -> PyResult<(Vec<f64>, f64, f64)> {
    let (mu, omega, alpha, beta) = parameters;
    let model = Garch { mu, omega, alpha, beta };
    let path = model.filter(&floats(returns)?, initial).map_err(to_py)?;
    Ok((path.variance, path.log_likelihood, path.next_variance))
}

/// Kyle's lambda: (intercept, slope, its standard error, r2).
#[pyfunction]
pub fn kyle_lambda(
    signed_volume: &Bound<'_, PyAny>,
    price_change: &Bound<'_, PyAny>,
) -> PyResult<(f64, f64, f64, f64)> {
    let found =
        impact::kyle_lambda(&floats(signed_volume)?, &floats(price_change)?).map_err(to_py)?;
    Ok((found.intercept, found.slope, found.slope_stderr, found.r2))
}

/// Roll's spread: (autocovariance of changes, spread).
#[pyfunction]
pub fn roll_spread(prices: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
    let found = impact::roll_spread(&floats(prices)?).map_err(to_py)?;
    Ok((found.autocovariance, found.spread))
}

/// Components of the spread in basis points: (effective, realised, impact).
#[pyfunction]
pub fn spread_components(
    side: &Bound<'_, PyAny>,
    price: &Bound<'_, PyAny>,
    qty: &Bound<'_, PyAny>,
    mid: &Bound<'_, PyAny>,
    mid_after: &Bound<'_, PyAny>,
) -> PyResult<(f64, f64, f64)> {
    let columns = [floats(side)?, floats(price)?, floats(qty)?, floats(mid)?, floats(mid_after)?];
    let [side, price, qty, mid, mid_after] = &columns;
    if columns.iter().any(|column| column.len() != side.len()) {
        let what = "side, price, qty, mid and mid_after must have the same length";
        return Err(to_py(Error::new(ErrorKind::Value, what)));
    }
    let trade = |n: usize| TradeWithMids {
        side: side[n],
        price: price[n],
        mid: mid[n],
        mid_after: mid_after[n],
        qty: qty[n],
    };
    let trades: Vec<TradeWithMids> = (0..side.len()).map(trade).collect();
    let found = impact::weighted_spread_bps(&trades).map_err(to_py)?;
    Ok((found.effective, found.realized, found.impact))
}

/// VPIN after each whole bucket from the `window`-th on.
#[pyfunction]
pub fn vpin(signed_volumes: &Bound<'_, PyAny>, bucket: f64, window: usize) -> PyResult<Vec<f64>> {
    let volumes = floats(signed_volumes)?;
    toxicity::vpin(&volumes, bucket, window).map(|(_, values)| values).map_err(to_py)
}

/// Buy and sell volume of bars after the first, from their price changes.
#[pyfunction]
pub fn bulk_volume_classification(
    closes: &Bound<'_, PyAny>,
    volumes: &Bound<'_, PyAny>,
) -> PyResult<(Vec<f64>, Vec<f64>)> {
    let found = toxicity::bulk_volume_classification(&floats(closes)?, &floats(volumes)?);
    let buckets = found.map_err(to_py)?;
    Ok(buckets.into_iter().map(|bucket| (bucket.buy, bucket.sell)).unzip())
}

/// A bootstrap particle filter of stochastic volatility.
#[pyclass(name = "ParticleFilter", module = "mainspring._core")]
pub struct PyParticleFilter {
    filter: ParticleFilter,
}

#[pymethods]
impl PyParticleFilter {
    #[new]
    fn new(mu: f64, phi: f64, sigma_eta: f64, particles: usize, seed: u64) -> PyResult<Self> {
        let model = StochasticVolatility::from_autoregression(mu, phi, sigma_eta).map_err(to_py)?;
        Ok(Self { filter: ParticleFilter::new(model, particles, seed).map_err(to_py)? })
    }

    /// Takes in a return over `dt`: (volatility, its standard deviation, log-likelihood, effective
    /// number of particles).
    fn update(&mut self, y: f64, dt: f64) -> PyResult<(f64, f64, f64, f64)> {
        let is_sound = y.is_finite() && dt.is_finite() && dt > 0.0;
        if !is_sound {
            let what = format!("a return must be finite and its span positive, not {y} over {dt}");
            return Err(to_py(Error::new(ErrorKind::Value, what)));
        }
        let found = self.filter.update(y, dt);
        Ok((found.sigma_mean, found.sigma_sd, found.log_likelihood, found.effective_particles))
    }
}
