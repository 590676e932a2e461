//! What callbacks are told: orders, fills, trades, bars; plain copies that stay valid.

use mainspring_core::event::BarRow;
use mainspring_core::{Error, ErrorKind, Side};
use mainspring_kernel::host::Fill;
use mainspring_kernel::market::{Market, Trade};
use mainspring_kernel::View;
use mainspring_trading::orders::{execution_status, lifecycle, Order, OrderState};
use pyo3::prelude::*;

use crate::errors::to_py;

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// An order of the strategy at one moment.
#[pyclass(frozen, get_all, module = "mainspring", name = "Order")]
pub struct PyOrder {
    /// Its id.
    pub id: u64,
    /// Symbol of the instrument.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// Where it stands: `open`, `filled`, ...
    pub state: &'static str,
    /// The same as services name it: `SUBMITTED`, `EXECUTED`, ...
    pub execution_status: &'static str,
    /// The same in the seven-state lifecycle: `creating`, `open`, `canceled`, ...
    pub lifecycle: &'static str,
    /// Limit price; zero where the kind has none.
    pub price: f64,
    /// Limit price in ticks.
    pub price_ticks: i64,
    /// Total quantity.
    pub qty: f64,
    /// Quantity traded.
    pub filled: f64,
    /// Quantity not yet traded.
    pub remaining: f64,
    /// When it was made, nanoseconds since the epoch.
    pub created_ns: i64,
    /// Id of the parent order of a child; None for other orders.
    pub parent_id: Option<u32>,
}

impl PyOrder {
    /// A copy of `order`.
    pub fn of(order: &Order, view: &View<'_>, market: &Market) -> Self {
        let lot = |lots| market.scale.lot.to_f64(lots);
        Self {
            id: order.id.0,
            symbol: market.instrument.symbol.clone(),
            side: side_name(order.terms.side),
            state: order.state.name(),
            execution_status: order.execution_status(),
            lifecycle: order.lifecycle(),
            price: market.scale.tick.to_f64(order.terms.price.0),
            price_ticks: order.terms.price.0,
            qty: lot(order.terms.qty.0),
            filled: lot(order.filled.0),
            remaining: lot(order.remaining().0),
            created_ns: order.created_ns,
            parent_id: view.parent_of(order.id).map(|id| id.0),
        }
    }
}

#[pymethods]
impl PyOrder {
    fn __repr__(&self) -> String {
        format!(
            "<Order {} {} {} {} @ {} {}>",
            self.id, self.symbol, self.side, self.qty, self.price, self.state
        )
    }
}

/// The names that other systems have for a state: the execution status and the lifecycle.
#[pyfunction]
#[pyo3(signature = (state, traded, acknowledged, /))]
pub fn order_names(
    state: &str,
    traded: bool,
    acknowledged: bool,
) -> PyResult<(&'static str, &'static str)> {
    match OrderState::ALL.into_iter().find(|known| known.name() == state) {
        Some(state) => {
            Ok((execution_status(state, traded), lifecycle(state, traded, acknowledged)))
        }
        None => Err(to_py(Error::new(
            ErrorKind::Value,
            format!("there is no order state {state:?}; there are open, filled, cancelled, ..."),
        ))),
    }
}

/// A fill of one of the strategy's orders.
#[pyclass(frozen, get_all, module = "mainspring", name = "Fill")]
pub struct PyFill {
    /// Id of the order.
    pub order_id: u64,
    /// Symbol of the instrument.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// Price of this fill.
    pub price: f64,
    /// Quantity of this fill.
    pub qty: f64,
    /// Whether we were the maker.
    pub maker: bool,
    /// Quantity of the order still open.
    pub remaining: f64,
    /// When the venue matched, nanoseconds since the epoch.
    pub exch_ns: i64,
    /// Id of the parent order whose child traded; None for other orders.
    pub parent_id: Option<u32>,
}

impl PyFill {
    /// A copy of `fill`.
    pub fn of(fill: &Fill, view: &View<'_>, market: &Market) -> Self {
        Self {
            order_id: fill.order.id.0,
            symbol: market.instrument.symbol.clone(),
            side: side_name(fill.side),
            price: market.scale.tick.to_f64(fill.price.0),
            qty: market.scale.lot.to_f64(fill.qty.0),
            maker: fill.maker,
            remaining: market.scale.lot.to_f64(fill.order.remaining().0),
            exch_ns: fill.exch_ns,
            parent_id: view.parent_of(fill.order.id).map(|id| id.0),
        }
    }
}

#[pymethods]
impl PyFill {
    fn __repr__(&self) -> String {
        format!("<Fill {} {} {} @ {}>", self.symbol, self.side, self.qty, self.price)
    }
}

/// A trade on the feed.
#[pyclass(frozen, get_all, module = "mainspring", name = "Trade")]
pub struct PyTrade {
    /// Price.
    pub price: f64,
    /// Quantity.
    pub qty: f64,
    /// Side of the taker, `buy` or `sell`.
    pub side: &'static str,
    /// When the exchange says it happened, nanoseconds since the epoch.
    pub exch_ns: i64,
}

impl PyTrade {
    /// A copy of `trade`.
    pub fn of(trade: &Trade, market: &Market) -> Self {
        Self {
            price: market.scale.tick.to_f64(trade.price.0),
            qty: market.scale.lot.to_f64(trade.qty.0),
            side: side_name(trade.taker),
            exch_ns: trade.exch_ns,
        }
    }
}

#[pymethods]
impl PyTrade {
    fn __repr__(&self) -> String {
        format!("<Trade {} {} @ {}>", self.side, self.qty, self.price)
    }
}

/// A complete bar.
#[pyclass(frozen, get_all, module = "mainspring", name = "Bar")]
pub struct PyBar {
    /// When it opened, nanoseconds since the epoch.
    pub open_ns: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Last price in ticks.
    pub close_ticks: i64,
    /// Quantity traded.
    pub volume: f64,
    /// Number of trades, where known.
    pub trades: u32,
    /// Index into the run's `bars`; 0 for bars of a file.
    pub spec: u16,
}

impl PyBar {
    /// A copy of `bar`.
    pub fn of(bar: &BarRow, market: &Market) -> Self {
        let price = |ticks| market.scale.tick.to_f64(ticks);
        Self {
            open_ns: bar.open_ns,
            open: price(bar.open.0),
            high: price(bar.high.0),
            low: price(bar.low.0),
            close: price(bar.close.0),
            close_ticks: bar.close.0,
            volume: market.scale.lot.to_f64(bar.volume.0),
            trades: bar.trades,
            spec: bar.flags,
        }
    }
}

#[pymethods]
impl PyBar {
    fn __repr__(&self) -> String {
        format!(
            "<Bar open={} high={} low={} close={} volume={}>",
            self.open, self.high, self.low, self.close, self.volume
        )
    }
}
