//! Python strategies as hosts of the kernel.

use std::sync::{Arc, Mutex};

use mainspring_core::event::BarRow;
use mainspring_kernel::host::{BookTrigger, Fill, Host, HostFailure, HostResult, Interest};
use mainspring_kernel::market::Trade;
use mainspring_kernel::View;
use mainspring_trading::execution::parents::Parent;
use mainspring_trading::orders::Order;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde_json::{Map, Value};

use crate::execution::parent::PyParent;
use crate::orders::{PyBar, PyFill, PyOrder, PyTrade};
use crate::view::{PyMarket, Window};

/// The first exception of each failed strategy, to be the cause of what the run raises.
pub type Causes = Arc<Mutex<Vec<PyErr>>>;

/// A Python object with callbacks.
pub struct PythonHost {
    strategy: Py<PyAny>,
    name: String,
    trigger: BookTrigger,
    window: Arc<Window>,
    market: Py<PyMarket>,
    /// `(m,)`, reused for every call that has no other argument.
    arguments: Py<PyTuple>,
    on_start: Option<Py<PyAny>>,
    on_book: Option<Py<PyAny>>,
    on_trade: Option<Py<PyAny>>,
    on_bar: Option<Py<PyAny>>,
    on_fill: Option<Py<PyAny>>,
    on_order: Option<Py<PyAny>>,
    on_timer: Option<Py<PyAny>>,
    on_parent: Option<Py<PyAny>>,
    on_stop: Option<Py<PyAny>>,
    causes: Causes,
}

impl PythonHost {
    /// A host for `strategy`. A callback that is inherited unchanged from `base` counts as absent.
    pub fn new(
        strategy: &Bound<'_, PyAny>,
        base: &Bound<'_, PyAny>,
        trigger: BookTrigger,
        causes: Causes,
    ) -> PyResult<Self> {
        let py = strategy.py();
        let window = Window::closed();
        let market = PyMarket::new(py, &window, None)?;
        let arguments = PyTuple::new(py, [market.clone_ref(py)])?.unbind();
        let class = strategy.get_type();
        let callback = |name: &str| -> PyResult<Option<Py<PyAny>>> {
            let own = class.getattr(name)?;
            if own.is(&base.getattr(name)?) {
                return Ok(None);
            }
            Ok(Some(strategy.getattr(name)?.unbind()))
        };
        Ok(Self {
            strategy: strategy.clone().unbind(),
            name: strategy.getattr("name")?.extract()?,
            trigger,
            on_start: callback("on_start")?,
            on_book: callback("on_book")?,
            on_trade: callback("on_trade")?,
            on_bar: callback("on_bar")?,
            on_fill: callback("on_fill")?,
            on_order: callback("on_order")?,
            on_timer: callback("on_timer")?,
            on_parent: callback("on_parent")?,
            on_stop: callback("on_stop")?,
            window,
            market,
            arguments,
            causes,
        })
    }

    /// Calls `function(m)`.
    #[inline]
    fn call(&self, function: Option<&Py<PyAny>>, view: &mut View<'_>) -> HostResult {
        let Some(function) = function else { return Ok(()) };
        Python::attach(|py| {
            let outcome = self
                .window
                .open(view, || function.bind(py).call(self.arguments.bind(py).clone(), None));
            match outcome {
                Ok(_) => Ok(()),
                Err(error) => Err(self.failure(py, &error, view)),
            }
        })
    }

    /// Calls `function(m, argument)`.
    fn call_with<'py>(
        &self,
        py: Python<'py>,
        function: Option<&Py<PyAny>>,
        view: &mut View<'_>,
        argument: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> HostResult {
        let Some(function) = function else { return Ok(()) };
        let outcome = argument().and_then(|argument| {
            self.window.open(view, || function.bind(py).call1((self.market.bind(py), argument)))
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failure(py, &error, view)),
        }
    }

    /// Calls a method of the strategy that is no callback.
    fn tell(&self, method: &str, bytes: &[u8]) -> HostResult {
        Python::attach(|py| match self.strategy.call_method1(py, method, (bytes,)) {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = describe(py, &error).unwrap_or_else(|_| error.to_string());
                Err(HostFailure { message, interrupted: false })
            }
        })
    }

    /// What to tell the author: where in their file, what, and what the market was.
    #[cold]
    fn failure(&self, py: Python<'_>, error: &PyErr, view: &View<'_>) -> HostFailure {
        let interrupted = error.is_instance_of::<PyKeyboardInterrupt>(py);
        let place = describe(py, error).unwrap_or_else(|_| error.to_string());
        let market = view.market();
        let message = format!(
            "{place} [{} at {} ns: bid {}, ask {}, position {}]",
            market.instrument.symbol,
            view.now_ns,
            market
                .scale
                .tick
                .to_f64(market.book.best(mainspring_core::Side::Buy).map_or(0, |p| p.0)),
            market
                .scale
                .tick
                .to_f64(market.book.best(mainspring_core::Side::Sell).map_or(0, |p| p.0)),
            market.scale.lot.to_f64(view.position().0),
        );
        if let Ok(mut causes) = self.causes.lock() {
            causes.push(error.clone_ref(py));
        }
        HostFailure { message, interrupted }
    }
}

/// `file:line in function: Type: message` of the innermost frame that is not ours: an argument that one
/// of our functions refuses is the fault of the line that gave it.
fn describe(py: Python<'_>, error: &PyErr) -> PyResult<String> {
    let kind = error.get_type(py).name()?.to_string();
    let text = error.value(py).str()?.to_string();
    let Some(traceback) = error.traceback(py) else { return Ok(format!("{kind}: {text}")) };
    let frames = py.import("traceback")?.call_method1("extract_tb", (traceback,))?;
    let package: String = py.import("mainspring")?.getattr("__path__")?.get_item(0)?.extract()?;
    let mut frame = frames.get_item(-1)?;
    for one in frames.try_iter()? {
        let one = one?;
        let file: String = one.getattr("filename")?.extract()?;
        if !std::path::Path::new(&file).starts_with(&package) {
            frame = one;
        }
    }
    let file: String = frame.getattr("filename")?.extract()?;
    let line: Option<u32> = frame.getattr("lineno")?.extract()?;
    let function: String = frame.getattr("name")?.extract()?;
    Ok(format!("{file}:{} in {function}: {kind}: {text}", line.unwrap_or(0)))
}

impl Host for PythonHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self) -> Interest {
        Interest {
            book: if self.on_book.is_some() { self.trigger } else { BookTrigger::Never },
            trades: self.on_trade.is_some(),
            bars: self.on_bar.is_some(),
            fills: self.on_fill.is_some(),
            orders: self.on_order.is_some(),
            parents: self.on_parent.is_some(),
            state: false,
        }
    }

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.call(self.on_start.as_ref(), view)
    }

    #[inline]
    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.call(self.on_book.as_ref(), view)
    }

    fn on_trade(&mut self, view: &mut View<'_>, trade: &Trade) -> HostResult {
        Python::attach(|py| {
            let copy = PyTrade::of(trade, view.market());
            self.call_with(
                py,
                self.on_trade.as_ref(),
                view,
                || Ok(Bound::new(py, copy)?.into_any()),
            )
        })
    }

    fn on_bar(&mut self, view: &mut View<'_>, bar: &BarRow) -> HostResult {
        Python::attach(|py| {
            let copy = PyBar::of(bar, view.market());
            self.call_with(py, self.on_bar.as_ref(), view, || Ok(Bound::new(py, copy)?.into_any()))
        })
    }

    fn on_fill(&mut self, view: &mut View<'_>, fill: &Fill) -> HostResult {
        Python::attach(|py| {
            let copy = PyFill::of(fill, view, view.market());
            self.call_with(py, self.on_fill.as_ref(), view, || Ok(Bound::new(py, copy)?.into_any()))
        })
    }

    fn on_order(&mut self, view: &mut View<'_>, order: &Order) -> HostResult {
        Python::attach(|py| {
            let copy = PyOrder::of(order, view, view.market());
            self.call_with(
                py,
                self.on_order.as_ref(),
                view,
                || Ok(Bound::new(py, copy)?.into_any()),
            )
        })
    }

    fn on_timer(&mut self, view: &mut View<'_>, tag: i64) -> HostResult {
        Python::attach(|py| {
            self.call_with(py, self.on_timer.as_ref(), view, || {
                Ok(tag.into_pyobject(py)?.into_any())
            })
        })
    }

    fn on_parent(&mut self, view: &mut View<'_>, parent: &Parent) -> HostResult {
        Python::attach(|py| {
            let copy = PyParent::of(parent, view.market(), view.now_ns);
            self.call_with(py, self.on_parent.as_ref(), view, || {
                Ok(Bound::new(py, copy)?.into_any())
            })
        })
    }

    fn save(&mut self, state: &mut Vec<u8>) -> bool {
        let saved = Python::attach(|py| -> PyResult<Vec<u8>> {
            self.strategy.call_method0(py, "_save_state")?.extract(py)
        });
        let changed = saved.as_ref().is_ok_and(|saved| saved != state);
        if let (Ok(saved), true) = (saved, changed) {
            *state = saved;
        }
        changed
    }

    fn load(&mut self, state: &[u8]) -> HostResult {
        self.tell("_load_state", state)
    }

    fn set_parameters(&mut self, _: &mut View<'_>, values: &Map<String, Value>) -> HostResult {
        let values = serde_json::to_vec(values).unwrap_or_default();
        self.tell("_set_parameters", &values)
    }

    fn on_stop(&mut self, view: &mut View<'_>) -> HostResult {
        self.call(self.on_stop.as_ref(), view)
    }
}
