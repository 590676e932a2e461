//! A parent order as a strategy is shown it: a copy that stays valid.

use mainspring_core::money::QUANTA_PER_UNIT;
use mainspring_core::{Error, ErrorKind, Side, TimeNs};
use mainspring_kernel::market::Market;
use mainspring_trading::execution::parents::shortfall::Execution;
use mainspring_trading::execution::parents::Parent;
use pyo3::prelude::*;

use crate::errors::to_py;

use super::models::PyShortfall;

/// A parent order at one moment.
#[pyclass(frozen, module = "mainspring", name = "Parent")]
pub struct PyParent {
    /// Its id.
    #[pyo3(get)]
    pub id: u32,
    /// The algorithm: `twap`, `vwap`, ...
    #[pyo3(get)]
    pub algorithm: &'static str,
    /// Symbol of the instrument.
    #[pyo3(get)]
    pub symbol: String,
    /// `buy` or `sell`.
    #[pyo3(get)]
    pub side: &'static str,
    /// `working`, `paused`, `crossing`, `closing`, or how it ended: `filled`, `cancelled`, `expired`,
    /// `failed`.
    #[pyo3(get)]
    pub state: &'static str,
    /// Whether it is over.
    #[pyo3(get)]
    pub is_over: bool,
    /// The whole quantity.
    #[pyo3(get)]
    pub qty: f64,
    /// What traded.
    #[pyo3(get)]
    pub filled: f64,
    /// What has not traded.
    #[pyo3(get)]
    pub remaining: f64,
    /// What its children may still trade.
    #[pyo3(get)]
    pub open: f64,
    /// What the schedule alone says should have traded by now.
    #[pyo3(get)]
    pub scheduled: f64,
    /// What should have traded by now, with what has to be caught up.
    #[pyo3(get)]
    pub due: f64,
    /// What traded as a fraction of the whole.
    #[pyo3(get)]
    pub progress: f64,
    /// Average price of the fills; NaN before the first.
    #[pyo3(get)]
    pub average_price: f64,
    /// Mid at the start; NaN without one.
    #[pyo3(get)]
    pub arrival_price: f64,
    /// Mid of now; NaN without one.
    #[pyo3(get)]
    pub mid: f64,
    /// How much worse than the mid at the start the fills were; NaN before the first.
    #[pyo3(get)]
    pub slippage_bps: f64,
    /// Fees of the fills, in the settlement currency.
    #[pyo3(get)]
    pub fees: f64,
    /// Volume of the market since the start.
    #[pyo3(get)]
    pub market_volume: f64,
    /// Slices in all; zero when it is not scheduled by time.
    #[pyo3(get)]
    pub slices: usize,
    /// Slices that have begun.
    #[pyo3(get)]
    pub slice: u32,
    /// Slices that ended behind their schedule.
    #[pyo3(get)]
    pub missed_slices: u32,
    /// Child orders that were made.
    #[pyo3(get)]
    pub children: u32,
    /// Ids of the children that live.
    #[pyo3(get)]
    pub live_children: Vec<u64>,
    /// Refusals in a row.
    #[pyo3(get)]
    pub refusals: u32,
    /// When it began, nanoseconds since the epoch.
    #[pyo3(get)]
    pub started_ns: i64,
    /// When it is to end, or ended; None without an end.
    #[pyo3(get)]
    pub end_ns: Option<i64>,
    /// Time left, nanoseconds; zero once it is over, None without an end.
    #[pyo3(get)]
    pub time_left_ns: Option<i64>,
    execution: ExecutionParts,
}

/// What a shortfall is reckoned from.
struct ExecutionParts {
    side: Side,
    value: f64,
    /// Units of money of a price times a quantity; none for inverse contracts.
    money: Option<f64>,
}

impl PyParent {
    /// A copy of `parent`.
    pub fn of(parent: &Parent, market: &Market, now_ns: TimeNs) -> Self {
        let scale = &market.scale;
        let tick = scale.tick.to_f64(1);
        let lots = |lots: mainspring_core::Lots| scale.lot.to_f64(lots.0);
        let end_ns = Some(parent.end_ns).filter(|end| *end < TimeNs::MAX);
        let is_over = parent.state.is_over();
        let left = |end: i64| if is_over { 0 } else { (end - now_ns).max(0) };
        let instrument = &market.instrument;
        Self {
            id: parent.id.0,
            algorithm: parent.terms.kind.name(),
            symbol: instrument.symbol.clone(),
            side: if parent.terms.side == Side::Buy { "buy" } else { "sell" },
            state: parent.state.name(),
            is_over,
            qty: lots(parent.terms.qty),
            filled: lots(parent.filled),
            remaining: lots(parent.remaining()),
            open: lots(parent.open()),
            scheduled: lots(parent.scheduled()),
            due: lots(parent.due()),
            progress: parent.filled.0 as f64 / parent.terms.qty.0 as f64,
            average_price: parent.average_price().map_or(f64::NAN, |ticks| ticks * tick),
            arrival_price: parent
                .terms
                .arrival_mid2
                .map_or(f64::NAN, |mid2| scale.tick.to_f64(mid2) / 2.0),
            mid: market.mid(),
            slippage_bps: parent.slippage_bps().unwrap_or(f64::NAN),
            fees: parent.fees.0 as f64 / QUANTA_PER_UNIT as f64,
            market_volume: lots(parent.volume),
            slices: parent.terms.schedule.slices(),
            slice: parent.slice,
            missed_slices: parent.missed,
            children: parent.made,
            live_children: parent.children.iter().map(|child| child.order.0).collect(),
            refusals: parent.refusals,
            started_ns: parent.started_ns,
            end_ns,
            time_left_ns: end_ns.map(left),
            execution: ExecutionParts {
                side: parent.terms.side,
                value: parent.fill_value as f64 * tick * scale.lot.to_f64(1),
                money: (!instrument.kind.is_inverse()).then(|| instrument.multiplier.to_f64()),
            },
        }
    }
}

#[pymethods]
impl PyParent {
    /// The implementation shortfall: what the order cost against the price of the decision.
    ///
    /// `decision` is the price when it was decided on, the mid at the start without it; `last` is the
    /// price by which what did not trade is measured, the mid when this copy was made without it.
    #[pyo3(signature = (*, decision = None, last = None))]
    fn shortfall(&self, decision: Option<f64>, last: Option<f64>) -> PyResult<PyShortfall> {
        let Some(money) = self.execution.money else {
            return Err(to_py(Error::new(
                ErrorKind::Value,
                format!(
                    "{}: the shortfall of an inverse contract is not a sum of prices",
                    self.symbol
                ),
            )));
        };
        let execution = Execution {
            side: self.execution.side,
            quantity: self.qty,
            executed: self.filled,
            value: self.execution.value,
            decision: decision.unwrap_or(self.arrival_price),
            arrival: self.arrival_price,
            last: last.unwrap_or(self.mid),
            fees: self.fees / money,
        };
        Ok(PyShortfall::of(self.filled, &execution.shortfall(), money))
    }

    fn __repr__(&self) -> String {
        format!(
            "<Parent {} {} {} {} {} {}: {} of it traded>",
            self.id, self.algorithm, self.side, self.qty, self.symbol, self.state, self.filled
        )
    }
}
