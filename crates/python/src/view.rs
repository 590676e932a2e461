//! `Market`: the reused view that Python strategies read the kernel through.
//!
//! The object is made once per instrument and run. A callback opens the window behind it and closes it
//! at its end; a view used outside raises `StaleView`.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use mainspring_book::{NO_ASK, NO_BID};
use mainspring_core::order::OrderFlags;
use mainspring_core::{ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Side, Ticks, TimeNs};
use mainspring_kernel::intent::{Control, Intent};
use mainspring_kernel::market::Market as KernelMarket;
use mainspring_kernel::stops::RuleConfig;
use mainspring_kernel::{Unit, View};
use mainspring_trading::execution::parents::ParentId;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::errors::{stale_view, to_py};
use crate::execution::parent::PyParent;
use crate::execution::plan::PlanText;
use crate::execution::routes::{route_here, PyRoute, RouteOptions};
use crate::orders::PyOrder;
use crate::wishes::{OrderOptions, QuoteSide};

/// The way from Python to the kernel's view while a callback runs.
pub struct Window {
    view: AtomicPtr<View<'static>>,
}

impl Window {
    /// A closed window.
    pub fn closed() -> Arc<Self> {
        Arc::new(Self { view: AtomicPtr::new(std::ptr::null_mut()) })
    }

    /// Runs `body` with the window open on `view`, and closes it whatever happens.
    pub fn open<R>(&self, view: &mut View<'_>, body: impl FnOnce() -> R) -> R {
        struct Close<'a>(&'a AtomicPtr<View<'static>>, *mut View<'static>);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.store(self.1, Ordering::Release);
            }
        }
        let pointer = std::ptr::from_mut(view).cast::<View<'static>>();
        let before = self.view.swap(pointer, Ordering::AcqRel);
        let _close = Close(&self.view, before);
        body()
    }

    /// Reads or writes the kernel's view.
    #[inline]
    fn with<R>(
        &self,
        py: Python<'_>,
        use_view: impl FnOnce(&mut View<'_>) -> PyResult<R>,
    ) -> PyResult<R> {
        let pointer = self.view.load(Ordering::Acquire);
        if pointer.is_null() {
            return Err(stale_view(py));
        }
        // SAFETY: the pointer is set only inside `open`, whose caller holds the view exclusively and
        // does nothing with it until `body` returns, and is taken back before that. `with` runs with
        // the interpreter attached and `use_view` never calls into Python, so that no two calls of
        // `with` overlap. The lifetime in the type is not relied on: `use_view` is generic over it.
        use_view(unsafe { &mut *pointer })
    }
}

/// One instrument of the run, as a strategy sees it inside a callback.
#[pyclass(frozen, module = "mainspring", name = "Market")]
pub struct PyMarket {
    window: Arc<Window>,
    /// Fixed for `m["SYMBOL"]`; the event's instrument otherwise.
    fixed: Option<InstrumentId>,
    features: Py<PyFeatures>,
}

impl PyMarket {
    /// The view of the event's instrument, or of a fixed one.
    pub fn new(
        py: Python<'_>,
        window: &Arc<Window>,
        fixed: Option<InstrumentId>,
    ) -> PyResult<Py<Self>> {
        let features = Py::new(py, PyFeatures { window: Arc::clone(window), fixed })?;
        Py::new(py, Self { window: Arc::clone(window), fixed, features })
    }

    #[inline]
    fn read<R>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&View<'_>, &KernelMarket) -> R,
    ) -> PyResult<R> {
        self.window.with(py, |view| {
            let instrument = self.fixed.unwrap_or(view.instrument);
            Ok(read(view, &view.markets[instrument.index()]))
        })
    }

    #[inline]
    fn change<R>(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mut View<'_>, InstrumentId) -> mainspring_core::Result<R>,
    ) -> PyResult<R> {
        self.window.with(py, |view| {
            let instrument = self.fixed.unwrap_or(view.instrument);
            change(view, instrument).map_err(to_py)
        })
    }
}

#[inline]
fn price_or_nan(market: &KernelMarket, price: Ticks, none: Ticks) -> f64 {
    if price == none {
        f64::NAN
    } else {
        market.scale.tick.to_f64(price.0)
    }
}

#[pymethods]
impl PyMarket {
    /// Logical time, nanoseconds since the epoch.
    #[getter]
    fn time_ns(&self, py: Python<'_>) -> PyResult<TimeNs> {
        self.window.with(py, |view| Ok(view.now_ns))
    }

    /// The instrument's symbol.
    #[getter]
    fn symbol(&self, py: Python<'_>) -> PyResult<String> {
        self.read(py, |_, market| market.instrument.symbol.clone())
    }

    /// The venue's name.
    #[getter]
    fn venue(&self, py: Python<'_>) -> PyResult<String> {
        self.read(py, |_, market| market.instrument.venue.clone())
    }

    /// Best bid price; NaN when there is none.
    #[getter]
    fn bid(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| price_or_nan(market, market.book.best_bid(), NO_BID))
    }

    /// Best ask price; NaN when there is none.
    #[getter]
    fn ask(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| price_or_nan(market, market.book.best_ask(), NO_ASK))
    }

    /// Best bid in ticks; None when there is none.
    #[getter]
    fn bid_ticks(&self, py: Python<'_>) -> PyResult<Option<i64>> {
        self.read(py, |_, market| market.book.best(Side::Buy).map(|p| p.0))
    }

    /// Best ask in ticks; None when there is none.
    #[getter]
    fn ask_ticks(&self, py: Python<'_>) -> PyResult<Option<i64>> {
        self.read(py, |_, market| market.book.best(Side::Sell).map(|p| p.0))
    }

    /// Quantity at the best bid.
    #[getter]
    fn bid_qty(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, m| m.scale.lot.to_f64(m.book.best_qty(Side::Buy).0))
    }

    /// Quantity at the best ask.
    #[getter]
    fn ask_qty(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, m| m.scale.lot.to_f64(m.book.best_qty(Side::Sell).0))
    }

    /// Quantity at the best bid, in lots.
    #[getter]
    fn bid_lots(&self, py: Python<'_>) -> PyResult<i64> {
        self.read(py, |_, m| m.book.best_qty(Side::Buy).0)
    }

    /// Quantity at the best ask, in lots.
    #[getter]
    fn ask_lots(&self, py: Python<'_>) -> PyResult<i64> {
        self.read(py, |_, m| m.book.best_qty(Side::Sell).0)
    }

    /// Middle of best bid and ask; NaN without both.
    #[getter]
    fn mid(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| market.mid())
    }

    /// Best ask less best bid; NaN without both.
    #[getter]
    fn spread(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| match market.mid2() {
            Some(_) => {
                let ticks = market.book.best_ask().0 - market.book.best_bid().0;
                market.scale.tick.to_f64(ticks)
            }
            None => f64::NAN,
        })
    }

    /// Price of one tick.
    #[getter]
    fn tick(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| market.scale.tick.to_f64(1))
    }

    /// Quantity of one lot.
    #[getter]
    fn lot(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| market.scale.lot.to_f64(1))
    }

    /// Mark price; NaN where the feed has none.
    #[getter]
    fn mark(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| {
            market
                .mark_nanoticks
                .map_or(f64::NAN, |mark| market.scale.tick.to_f64(1) * (mark as f64 / 1e9))
        })
    }

    /// Price of the last trade on the feed; NaN before the first.
    #[getter]
    fn last_price(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |_, market| {
            market.last_trade.map_or(f64::NAN, |t| market.scale.tick.to_f64(t.price.0))
        })
    }

    /// Receive time less exchange time of the last message, nanoseconds.
    #[getter]
    fn feed_latency_ns(&self, py: Python<'_>) -> PyResult<i64> {
        self.read(py, |_, market| market.feed_latency_ns)
    }

    /// This strategy's signed position.
    #[getter]
    fn position(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |view, m| m.scale.lot.to_f64(view.position_in(m.id).0))
    }

    /// This strategy's signed position in lots.
    #[getter]
    fn position_lots(&self, py: Python<'_>) -> PyResult<i64> {
        self.read(py, |view, market| view.position_in(market.id).0)
    }

    /// Average entry price of this strategy's position; NaN when flat.
    #[getter]
    fn entry_price(&self, py: Python<'_>) -> PyResult<f64> {
        self.read(py, |view, market| {
            let position = view.ledger.position(view.strategy, market.id);
            let contract = view.ledger.contract(market.id);
            match position.zip(contract).and_then(|(p, c)| p.entry_price(c)) {
                Some(ticks) => ticks * market.scale.tick.to_f64(1),
                None => f64::NAN,
            }
        })
    }

    /// The run's features, by name.
    #[getter]
    fn features(&self, py: Python<'_>) -> Py<PyFeatures> {
        self.features.clone_ref(py)
    }

    /// The best `count` bids as (price, quantity), best first.
    #[pyo3(signature = (count = 10))]
    fn bids(&self, py: Python<'_>, count: usize) -> PyResult<Vec<(f64, f64)>> {
        self.read(py, |_, market| levels(market, Side::Buy, count))
    }

    /// The best `count` asks as (price, quantity), best first.
    #[pyo3(signature = (count = 10))]
    fn asks(&self, py: Python<'_>, count: usize) -> PyResult<Vec<(f64, f64)>> {
        self.read(py, |_, market| levels(market, Side::Sell, count))
    }

    /// This strategy's live orders in the instrument, oldest first; copies.
    fn orders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let orders = self.read(py, |view, market| {
            let orders = view.live_orders(market.id);
            orders.map(|o| PyOrder::of(o, view, market)).collect::<Vec<_>>()
        })?;
        PyList::new(py, orders)
    }

    /// Whole lots of a quantity, rounded towards zero.
    fn lots(&self, py: Python<'_>, qty: f64) -> PyResult<i64> {
        self.change(py, |view, instrument| view.lots(instrument, qty).map(|lots| lots.0))
    }

    /// Another instrument of the run, by symbol or by `venue:symbol`.
    fn __getitem__(&self, py: Python<'_>, symbol: &str) -> PyResult<Py<Self>> {
        let id = self.find(py, symbol)?;
        Self::new(py, &self.window, Some(id))
    }

    /// Wants exactly these quotes to rest, each side a sequence of (price, quantity).
    ///
    /// Orders that stand for a wanted level stay, others are cancelled, missing ones placed. Prices
    /// are rounded away from the touch to the grid, or must be on it with `exact=True`.
    #[pyo3(signature = (*, bid = None, ask = None, exact = false, post_only = true))]
    fn quote(
        &self,
        py: Python<'_>,
        bid: Option<&Bound<'_, PyAny>>,
        ask: Option<&Bound<'_, PyAny>>,
        exact: bool,
        post_only: bool,
    ) -> PyResult<()> {
        let bids = QuoteSide::read(bid, "bid")?;
        let asks = QuoteSide::read(ask, "ask")?;
        self.change(py, |view, instrument| {
            let bids = bids.to_levels(view, instrument, Side::Buy, exact)?;
            let asks = asks.to_levels(view, instrument, Side::Sell, exact)?;
            let flags = if post_only { OrderFlags::POST_ONLY } else { OrderFlags::default() };
            view.intents.quote(instrument, bids.as_slice(), asks.as_slice(), flags)
        })
    }

    /// Wants this signed position; reached by a market order, or by a limit order at `price`.
    #[pyo3(signature = (qty, price = None))]
    fn target_position(&self, py: Python<'_>, qty: f64, price: Option<f64>) -> PyResult<()> {
        self.change(py, |view, instrument| {
            let position = view.lots(instrument, qty)?;
            let now = view.position_in(instrument);
            let side = if position >= now { Side::Buy } else { Side::Sell };
            let price = price.map(|p| view.ticks(instrument, side, p, false)).transpose()?;
            view.intents.push(Intent::Target { instrument, position, price })
        })
    }

    /// Places a buy order and returns its id. Without a price it is a market order.
    #[pyo3(signature = (qty, price = None, **options))]
    fn buy(
        &self,
        py: Python<'_>,
        qty: f64,
        price: Option<f64>,
        options: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<u64> {
        self.place(py, Side::Buy, qty, price, options)
    }

    /// Places a sell order and returns its id. Without a price it is a market order.
    #[pyo3(signature = (qty, price = None, **options))]
    fn sell(
        &self,
        py: Python<'_>,
        qty: f64,
        price: Option<f64>,
        options: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<u64> {
        self.place(py, Side::Sell, qty, price, options)
    }

    /// Cancels an order of this strategy.
    fn cancel(&self, py: Python<'_>, order_id: u64) -> PyResult<()> {
        self.change(py, |view, _| view.intents.push(Intent::Cancel(ClientOrderId(order_id))))
    }

    /// Cancels every order of this strategy in the instrument.
    fn cancel_all(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, |view, instrument| view.intents.push(Intent::CancelAll(instrument)))
    }

    /// Has the engine hold a stop (`mainspring.Stop`) for this strategy's position in the instrument, in
    /// place of one of the same kind that it asked for.
    fn stop(&self, py: Python<'_>, stop: &Bound<'_, PyAny>) -> PyResult<()> {
        let asked = stop.getattr("_as_asked").map_err(|_| {
            let given = stop.get_type();
            pyo3::exceptions::PyTypeError::new_err(format!(
                "stop() takes a mainspring.Stop, not {given}"
            ))
        })?;
        let text: String = asked.call0()?.extract()?;
        let rule: RuleConfig = serde_json::from_str(&text)
            .map_err(|error| PyValueError::new_err(format!("a stop that cannot be: {error}")))?;
        self.change(py, |view, instrument| {
            let rule = rule.rule(&view.markets[instrument.index()].instrument)?;
            view.stop(instrument, Some(rule))
        })
    }

    /// Lets go of every stop that this strategy asked for in the instrument.
    fn remove_stops(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, |view, instrument| view.stop(instrument, None))
    }

    /// Changes price and total quantity of an order.
    fn amend(&self, py: Python<'_>, order_id: u64, price: f64, qty: f64) -> PyResult<()> {
        self.change(py, |view, instrument| {
            let id = ClientOrderId(order_id);
            let side = view.orders.get(id).map_or(Side::Buy, |order| order.terms.side);
            let price = view.ticks(instrument, side, price, false)?;
            let qty = view.lots(instrument, qty)?;
            view.intents.push(Intent::Amend { id, price, qty })
        })
    }

    /// Works a quantity over time by a plan of `mainspring.execution`; returns the parent order's id.
    fn execute(&self, py: Python<'_>, plan: &Bound<'_, PyAny>) -> PyResult<u32> {
        let now_ns = self.window.with(py, |view| Ok(view.now_ns))?;
        let text: String = plan.call_method1("_as_json", (now_ns,))?.extract()?;
        let plan = PlanText::read(&text).map_err(to_py)?;
        self.change(py, |view, instrument| {
            let terms = plan.terms(view, instrument)?;
            view.execute(terms).map(|id| id.0)
        })
    }

    /// A parent order of this strategy: live, or over not long ago.
    fn parent(&self, py: Python<'_>, parent_id: u32) -> PyResult<PyParent> {
        let found = self.window.with(py, |view| {
            let parent = view.parent(ParentId(parent_id));
            Ok(parent.map(|parent| {
                let market = &view.markets[parent.terms.instrument.index()];
                PyParent::of(&parent, market, view.now_ns)
            }))
        })?;
        found.ok_or_else(|| {
            PyKeyError::new_err(format!(
                "parent order {parent_id} is none of this strategy, or ended too long ago"
            ))
        })
    }

    /// This strategy's parent orders in the instrument that are not over, oldest first.
    fn parents(&self, py: Python<'_>) -> PyResult<Vec<PyParent>> {
        self.read(py, |view, market| {
            let live = view.parents.map_or(&[][..], |parents| parents.live());
            let own = live.iter().filter(|parent| {
                parent.strategy == view.strategy && parent.terms.instrument == market.id
            });
            own.map(|parent| PyParent::of(parent, market, view.now_ns)).collect()
        })
    }

    /// Pauses a parent order: its resting children are cancelled, its clock runs.
    fn pause_parent(&self, py: Python<'_>, parent_id: u32) -> PyResult<()> {
        self.change(py, |view, _| view.control_parent(ParentId(parent_id), Control::Pause))
    }

    /// Lets a paused parent order go on.
    fn resume_parent(&self, py: Python<'_>, parent_id: u32) -> PyResult<()> {
        self.change(py, |view, _| view.control_parent(ParentId(parent_id), Control::Resume))
    }

    /// Cancels a parent order and its children.
    fn cancel_parent(&self, py: Python<'_>, parent_id: u32) -> PyResult<()> {
        self.change(py, |view, _| view.control_parent(ParentId(parent_id), Control::Cancel))
    }

    /// This strategy's signed position over all venues that trade the same thing as `symbol`.
    fn net_position(&self, py: Python<'_>, symbol: &str) -> PyResult<f64> {
        let instrument = self.find(py, symbol)?;
        self.window.with(py, |view| {
            let (lots, _) = view.net_in_group(instrument).map_err(to_py)?;
            let lot = view.group_of(instrument).map_err(to_py)?.units.lot;
            Ok(Unit::new(lot).to_f64(lots.0))
        })
    }

    /// The value of that position at each venue's mid, signed, in quote currency; NaN while a venue
    /// where something is held has no mid.
    fn net_exposure(&self, py: Python<'_>, symbol: &str) -> PyResult<f64> {
        let instrument = self.find(py, symbol)?;
        self.window.with(py, |view| {
            if view.markets[instrument.index()].instrument.kind.is_inverse() {
                return Err(to_py(Error::new(
                    ErrorKind::Strategy,
                    format!("net_exposure(): {symbol} is an inverse contract, worth base"),
                )));
            }
            view.net_in_group(instrument).map(|(_, value)| value).map_err(to_py)
        })
    }

    /// Splits a quantity over the venues that trade the same thing as `symbol`, at the least price
    /// with fees, and sends the orders: immediate-or-cancel at the worst price taken at each venue.
    #[pyo3(signature = (symbol, side, qty, *, limit = None, venues = None, max_orders = None, send = true))]
    #[allow(clippy::too_many_arguments)]
    fn route(
        &self,
        py: Python<'_>,
        symbol: &str,
        side: &str,
        qty: f64,
        limit: Option<f64>,
        venues: Option<Vec<String>>,
        max_orders: Option<u32>,
        send: bool,
    ) -> PyResult<PyRoute> {
        let instrument = self.find(py, symbol)?;
        let options = RouteOptions { side, qty, limit, venues, max_orders, send };
        self.window.with(py, |view| route_here(view, instrument, &options).map_err(to_py))
    }

    /// Calls `on_timer(m, tag)` at this logical time.
    #[pyo3(signature = (at_ns, tag = 0))]
    fn set_timer(&self, py: Python<'_>, at_ns: TimeNs, tag: i64) -> PyResult<()> {
        self.change(py, |view, _| view.intents.push(Intent::Timer { at_ns, tag }))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.read(py, |view, market| {
            format!(
                "<Market {} bid={} ask={} position={} at {}>",
                market.instrument.symbol,
                price_or_nan(market, market.book.best_bid(), NO_BID),
                price_or_nan(market, market.book.best_ask(), NO_ASK),
                market.scale.lot.to_f64(view.position_in(market.id).0),
                view.now_ns,
            )
        })
        .unwrap_or_else(|_| "<Market, stale>".to_owned())
    }
}

impl PyMarket {
    /// The instrument of this name: a symbol, or `venue:symbol`.
    fn find(&self, py: Python<'_>, symbol: &str) -> PyResult<InstrumentId> {
        self.window.with(py, |view| {
            if let Some(found) = view.markets.iter().find(|m| is_called(m, symbol)) {
                return Ok(found.id);
            }
            let known: Vec<_> = view.markets.iter().map(|m| &*m.instrument.symbol).collect();
            Err(PyKeyError::new_err(format!(
                "no instrument {symbol}; this run has {}",
                known.join(", ")
            )))
        })
    }

    fn place(
        &self,
        py: Python<'_>,
        side: Side,
        qty: f64,
        price: Option<f64>,
        options: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<u64> {
        let options = OrderOptions::read(options)?;
        self.change(py, |view, instrument| {
            let terms = options.terms(view, instrument, side, qty, price)?;
            view.place(terms).map(|id| id.0)
        })
    }
}

fn is_called(market: &KernelMarket, name: &str) -> bool {
    match name.split_once(':') {
        Some((venue, symbol)) => {
            market.instrument.venue == venue && market.instrument.symbol == symbol
        }
        None => market.instrument.symbol == name,
    }
}

fn levels(market: &KernelMarket, side: Side, count: usize) -> Vec<(f64, f64)> {
    let scale = &market.scale;
    let level = |(price, qty): (Ticks, Lots)| (scale.tick.to_f64(price.0), scale.lot.to_f64(qty.0));
    market.book.levels(side).take(count).map(level).collect()
}

/// Values of the run's features, as attributes.
#[pyclass(frozen, module = "mainspring", name = "Features")]
pub struct PyFeatures {
    window: Arc<Window>,
    fixed: Option<InstrumentId>,
}

#[pymethods]
impl PyFeatures {
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<f64> {
        let value = self.window.with(py, |view| {
            let instrument = self.fixed.unwrap_or(view.instrument);
            let market = &view.markets[instrument.index()];
            let index = market.features.names().iter().position(|n| n == name);
            Ok(index.map(|i| market.features.value(i, &market.book)))
        })?;
        value.ok_or_else(|| {
            pyo3::exceptions::PyAttributeError::new_err(format!(
                "this run has no feature {name}; it has {}",
                self.names(py).unwrap_or_default().join(", ")
            ))
        })
    }

    /// Names of the features, in order.
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.window.with(py, |view| {
            let instrument = self.fixed.unwrap_or(view.instrument);
            Ok(view.markets[instrument.index()].features.names().to_vec())
        })
    }
}
