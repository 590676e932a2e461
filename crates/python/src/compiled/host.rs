//! The host of a compiled strategy.

use std::sync::Arc;

use mainspring_book::{NO_ASK, NO_BID};
use mainspring_core::event::BarRow;
use mainspring_core::Side;
use mainspring_kernel::host::{BookTrigger, Fill, Host, HostFailure, HostResult, Interest};
use mainspring_kernel::market::{Market, Trade};
use mainspring_kernel::View;
use mainspring_trading::orders::Order;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use serde_json::{Map, Value};

use super::abi::{Callback, Context, Entry, Requests, EVENT_WORDS, MAX_DEPTH, MAX_FEATURES, NONE};
use super::requests::carry_over;
use crate::host::{Causes, PythonHost};

/// A strategy and the machine code of its callbacks.
#[pyclass(frozen, module = "mainspring._core", name = "CompiledStrategy")]
pub struct PyCompiledStrategy {
    strategy: Py<PyAny>,
    entry: usize,
    fields: Vec<(String, char)>,
    features: Vec<String>,
    needs: Needs,
    /// Owns the machine code.
    code: Py<PyAny>,
}

#[pymethods]
impl PyCompiledStrategy {
    /// `entry` is the address of a function of the type that `compiled_layout` describes, and `code`
    /// the object that owns it. `fields` are attributes with their kind: f, i or b.
    #[new]
    #[pyo3(signature = (strategy, entry, code, fields, features, reads, depth))]
    fn new(
        strategy: Py<PyAny>,
        entry: usize,
        code: Py<PyAny>,
        fields: Vec<(String, char)>,
        features: Vec<String>,
        reads: Vec<String>,
        depth: usize,
    ) -> PyResult<Self> {
        if entry == 0 || features.len() > MAX_FEATURES || depth > MAX_DEPTH {
            return Err(PyValueError::new_err("not a compiled strategy"));
        }
        let needs = Needs::of(&reads, depth);
        Ok(Self { strategy, entry, fields, features, needs, code })
    }
}

impl PyCompiledStrategy {
    /// The strategy's name.
    pub fn name(&self, py: Python<'_>) -> PyResult<String> {
        self.strategy.getattr(py, "name")?.extract(py)
    }
}

/// What costs something to look up, and is only where the code reads it.
#[derive(Clone, Copy, Default)]
struct Needs {
    any: bool,
    entry_price: bool,
    mark: bool,
    live_orders: bool,
    depth: usize,
}

impl Needs {
    fn of(reads: &[String], depth: usize) -> Self {
        let has = |name: &str| reads.iter().any(|one| one == name);
        Self {
            any: !reads.is_empty() || depth > 0,
            entry_price: has("entry_price"),
            mark: has("mark"),
            live_orders: has("live_orders"),
            depth,
        }
    }
}

/// A strategy's own attributes, as words that compiled code reads and writes.
pub(super) struct Fields {
    pub(super) names: Vec<(String, char)>,
    pub(super) words: Vec<u64>,
    /// The words as they were before the callback.
    before: Vec<u64>,
    /// The words as the Python object has them.
    in_python: Vec<u64>,
    /// The words as the strategy was made.
    pub(super) given: Vec<u64>,
}

impl Fields {
    fn new(names: Vec<(String, char)>) -> Self {
        let words = vec![0; names.len()];
        let zeros = words.clone();
        Self { names, before: zeros.clone(), in_python: zeros.clone(), given: zeros, words }
    }

    /// From the Python object into the words.
    fn load(&mut self, strategy: &Bound<'_, PyAny>) -> PyResult<()> {
        for ((name, kind), word) in self.names.iter().zip(&mut self.words) {
            let value = strategy.getattr(name.as_str())?;
            *word = read_field(&value, *kind).map_err(|_| {
                let wanted = match kind {
                    'f' => "float",
                    'i' => "int",
                    _ => "bool",
                };
                PyTypeError::new_err(format!(
                    "attribute {name} of a compiled strategy is declared {wanted} but is {value}"
                ))
            })?;
        }
        self.in_python.copy_from_slice(&self.words);
        Ok(())
    }

    /// What changed, back into the Python object.
    fn store(&mut self, strategy: &Bound<'_, PyAny>) -> PyResult<()> {
        for (i, (name, kind)) in self.names.iter().enumerate() {
            if self.words[i] != self.in_python[i] {
                match kind {
                    'f' => strategy.setattr(name.as_str(), f64::from_bits(self.words[i]))?,
                    'i' => strategy.setattr(name.as_str(), self.words[i] as i64)?,
                    _ => strategy.setattr(name.as_str(), self.words[i] != 0)?,
                }
            }
        }
        self.in_python.copy_from_slice(&self.words);
        Ok(())
    }
}

fn read_field(value: &Bound<'_, PyAny>, kind: char) -> PyResult<u64> {
    Ok(match kind {
        'f' => value.extract::<f64>()?.to_bits(),
        'i' => value.extract::<i64>()? as u64,
        _ => u64::from(value.extract::<bool>()?),
    })
}

/// Runs the machine code of a strategy; its Python code where that refuses.
pub struct CompiledHost {
    python: PythonHost,
    strategy: Py<PyAny>,
    entry: Entry,
    fields: Fields,
    features: Vec<String>,
    /// Index of each feature in the run's chain; nothing when one is missing.
    feature_index: Option<Vec<usize>>,
    needs: Needs,
    context: Box<Context>,
    requests: Box<Requests>,
    /// Whether other strategies and venues wait for this thread: no Python runs on it then.
    in_session: bool,
    causes: Causes,
    _code: Py<PyAny>,
}

/// What became of a callback in machine code.
enum Ran {
    Done,
    /// It raised, or cannot do what is to be done.
    Refused,
    /// What it asked for cannot be.
    Malformed(mainspring_core::Error),
}

impl CompiledHost {
    /// A host for a compiled strategy; `base` is the class whose callbacks count as absent.
    pub fn new(
        py: Python<'_>,
        compiled: &PyCompiledStrategy,
        base: &Bound<'_, PyAny>,
        trigger: BookTrigger,
        causes: Causes,
    ) -> PyResult<Self> {
        // SAFETY: the address comes from the compiler in mainspring.strategy.compiled, which makes
        // functions of this type only (it checks their arguments), and `_code` keeps it alive.
        let entry = unsafe { std::mem::transmute::<usize, Entry>(compiled.entry) };
        let mut fields = Fields::new(compiled.fields.clone());
        fields.load(compiled.strategy.bind(py))?;
        fields.given.clone_from(&fields.words);
        Ok(Self {
            python: PythonHost::new(
                compiled.strategy.bind(py),
                base,
                trigger,
                Arc::clone(&causes),
            )?,
            strategy: compiled.strategy.clone_ref(py),
            entry,
            fields,
            features: compiled.features.clone(),
            feature_index: None,
            needs: compiled.needs,
            context: Context::boxed(),
            requests: Requests::boxed(),
            in_session: false,
            causes,
            _code: compiled.code.clone_ref(py),
        })
    }

    /// The same on the kernel's thread of a session. Where the machine code refuses, the strategy is
    /// stopped: its Python code, which takes the interpreter's lock and as long as it likes, does not run
    /// there. A replay does run it, and shows the line.
    pub const fn in_session(mut self) -> Self {
        self.in_session = true;
        self
    }

    /// Runs the callback in machine code, or else with `in_python`.
    #[inline]
    fn run(
        &mut self,
        view: &mut View<'_>,
        callback: Callback,
        in_python: impl FnOnce(&mut PythonHost, &mut View<'_>) -> HostResult,
    ) -> HostResult {
        match self.run_compiled(view, callback) {
            Ran::Done => Ok(()),
            refusal if self.in_session => Err(self.stopped(view, callback, &refusal)),
            _ => self.run_in_python(view, in_python),
        }
    }

    /// Why a strategy of a session goes no further; what the callback did is undone.
    #[cold]
    fn stopped(&mut self, view: &mut View<'_>, callback: Callback, refusal: &Ran) -> HostFailure {
        view.intents.clear();
        let why = match refusal {
            Ran::Malformed(error) => error.message().to_owned(),
            _ if self.feature_index.is_none() => {
                let wanted = self.features.join(", ");
                format!("the session has not all of the features that it reads: {wanted}")
            }
            _ => "its compiled code raised an exception, or came to what it cannot do".to_owned(),
        };
        self.fields.words.copy_from_slice(&self.fields.before);
        let at = format!("{callback:?}").to_lowercase();
        let text = format!(
            "on_{at}: {why}; `mainspring replay --verify` runs the call again in Python and shows its \
             line"
        );
        // Made into an object by whoever asks for it, in another thread: nothing here needs the
        // interpreter's lock.
        if let Ok(mut causes) = self.causes.lock() {
            causes.push(PyValueError::new_err(text.clone()));
        }
        refused(text)
    }

    /// Runs the callback in machine code.
    #[inline]
    fn run_compiled(&mut self, view: &mut View<'_>, callback: Callback) -> Ran {
        let Some(features) = &self.feature_index else { return Ran::Refused };
        fill(&mut self.context, view, features, self.needs);
        self.requests.count = 0;
        self.requests.level_count = 0;
        self.fields.before.copy_from_slice(&self.fields.words);
        let (mut result, mut exception) = (0, std::ptr::null());
        let context: *const Context = &*self.context;
        let requests: *mut Requests = &mut *self.requests;
        let own = self.fields.words.as_mut_ptr();
        // SAFETY: `entry` is generated code that reads the context and reads and writes the requests
        // and the own fields inside their bounds (every index is a constant or is checked against
        // the sizes of `compiled_layout`), keeps no pointer, and calls nothing outside. The buffers
        // live as long as `self` and nobody else touches them during the call.
        let status = unsafe {
            (self.entry)(
                &mut result,
                &mut exception,
                callback as i64,
                context,
                context,
                requests,
                requests,
                own,
                own,
            )
        };
        if status != 0 {
            return Ran::Refused;
        }
        if self.requests.count == 0 {
            return Ran::Done;
        }
        carry_over(&self.requests, view).map_or_else(Ran::Malformed, |()| Ran::Done)
    }

    /// Undoes what the machine code did, and runs the callback in Python: it raises what is to be
    /// raised at the author's line, or does what compiled code cannot.
    #[cold]
    fn run_in_python(
        &mut self,
        view: &mut View<'_>,
        in_python: impl FnOnce(&mut PythonHost, &mut View<'_>) -> HostResult,
    ) -> HostResult {
        view.intents.clear();
        if self.feature_index.is_some() {
            self.fields.words.copy_from_slice(&self.fields.before);
        }
        self.store_fields()?;
        in_python(&mut self.python, view)?;
        self.load_fields()
    }

    fn load_fields(&mut self) -> HostResult {
        Python::attach(|py| self.fields.load(self.strategy.bind(py))).map_err(failed)
    }

    fn store_fields(&mut self) -> HostResult {
        Python::attach(|py| self.fields.store(self.strategy.bind(py))).map_err(failed)
    }
}

fn failed(error: PyErr) -> HostFailure {
    HostFailure { message: error.to_string(), interrupted: false }
}

fn refused(message: String) -> HostFailure {
    HostFailure { message, interrupted: false }
}

/// The market and the account as the machine code reads them.
#[inline]
fn fill(context: &mut Context, view: &View<'_>, features: &[usize], needs: Needs) {
    let market = view.market();
    let (bid, ask) = (market.book.best_bid(), market.book.best_ask());
    context.time_ns = view.now_ns;
    if context.instrument != i64::from(view.instrument.0) {
        set_instrument(context, market);
    }
    context.bid_ticks = if bid == NO_BID { NONE } else { bid.0 };
    context.ask_ticks = if ask == NO_ASK { NONE } else { ask.0 };
    context.bid_lots = market.book.best_qty(Side::Buy).0;
    context.ask_lots = market.book.best_qty(Side::Sell).0;
    context.mid2 = market.mid2().unwrap_or(NONE);
    context.position_lots = view.position().0;
    context.last_ticks = market.last_trade.map_or(NONE, |trade| trade.price.0);
    context.feed_latency_ns = market.feed_latency_ns;
    context.next_order_id = view.intents.upcoming_id().0 as i64;
    for (slot, index) in context.features.iter_mut().zip(features) {
        *slot = market.features.value(*index, &market.book);
    }
    fill_costly(context, view, needs);
}

fn set_instrument(context: &mut Context, market: &Market) {
    context.instrument = i64::from(market.id.0);
    (context.tick_mantissa, context.tick_power) = market.scale.tick.parts();
    (context.lot_mantissa, context.lot_power) = market.scale.lot.parts();
}

#[inline]
fn fill_costly(context: &mut Context, view: &View<'_>, needs: Needs) {
    if !needs.any {
        return;
    }
    let market = view.market();
    let tick = market.scale.tick.to_f64(1);
    if needs.mark {
        context.mark = market.mark_nanoticks.map_or(f64::NAN, |mark| tick * (mark as f64 / 1e9));
    }
    if needs.entry_price {
        let position = view.ledger.position(view.strategy, market.id);
        let contract = view.ledger.contract(market.id);
        let entry = position.zip(contract).and_then(|(p, c)| p.entry_price(c));
        context.entry_price = entry.map_or(f64::NAN, |ticks| ticks * tick);
    }
    if needs.live_orders {
        context.live_orders = view.live_orders(market.id).count() as i64;
    }
    if needs.depth > 0 {
        context.bid_depth = fill_depth(&mut context.bids, market, Side::Buy, needs.depth);
        context.ask_depth = fill_depth(&mut context.asks, market, Side::Sell, needs.depth);
    }
}

fn fill_depth(out: &mut [[i64; 2]], market: &Market, side: Side, depth: usize) -> i64 {
    let mut count = 0;
    for (slot, (price, qty)) in out[..depth].iter_mut().zip(market.book.levels(side)) {
        *slot = [price.0, qty.0];
        count += 1;
    }
    count
}

fn words<const N: usize>(values: [i64; N]) -> [i64; EVENT_WORDS] {
    let mut event = [0; EVENT_WORDS];
    event[..N].copy_from_slice(&values);
    event
}

impl Host for CompiledHost {
    fn name(&self) -> &str {
        self.python.name()
    }

    fn interest(&self) -> Interest {
        Interest { state: true, ..self.python.interest() }
    }

    fn save(&mut self, state: &mut Vec<u8>) -> bool {
        self.fields.save(state)
    }

    fn load(&mut self, state: &[u8]) -> HostResult {
        self.fields.restore(state).map_err(refused)?;
        self.store_fields()
    }

    fn set_parameters(&mut self, _: &mut View<'_>, values: &Map<String, Value>) -> HostResult {
        self.fields.set(values).map_err(refused)
    }

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.python.on_start(view)?;
        self.load_fields()?;
        let names = view.market().features.names();
        let index = |wanted: &String| names.iter().position(|name| name == wanted);
        self.feature_index = self.features.iter().map(index).collect();
        set_instrument(&mut self.context, view.market());
        Ok(())
    }

    #[inline]
    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.run(view, Callback::Book, |python, view| python.on_book(view))
    }

    fn on_trade(&mut self, view: &mut View<'_>, trade: &Trade) -> HostResult {
        self.context.event = words([trade.price.0, trade.qty.0, trade.taker as i64, trade.exch_ns]);
        self.run(view, Callback::Trade, |python, view| python.on_trade(view, trade))
    }

    fn on_bar(&mut self, view: &mut View<'_>, bar: &BarRow) -> HostResult {
        self.context.event = words([
            bar.open_ns,
            bar.open.0,
            bar.high.0,
            bar.low.0,
            bar.close.0,
            bar.volume.0,
            i64::from(bar.trades),
            i64::from(bar.flags),
        ]);
        self.run(view, Callback::Bar, |python, view| python.on_bar(view, bar))
    }

    fn on_fill(&mut self, view: &mut View<'_>, fill: &Fill) -> HostResult {
        self.context.event = words([
            fill.order.id.0 as i64,
            fill.side as i64,
            fill.price.0,
            fill.qty.0,
            i64::from(fill.maker),
            fill.order.remaining().0,
            fill.exch_ns,
        ]);
        self.run(view, Callback::Fill, |python, view| python.on_fill(view, fill))
    }

    fn on_order(&mut self, view: &mut View<'_>, order: &Order) -> HostResult {
        self.context.event = words([
            order.id.0 as i64,
            order.terms.side as i64,
            order.state as i64,
            order.terms.price.0,
            order.terms.qty.0,
            order.filled.0,
            order.remaining().0,
            order.created_ns,
        ]);
        self.run(view, Callback::Order, |python, view| python.on_order(view, order))
    }

    fn on_timer(&mut self, view: &mut View<'_>, tag: i64) -> HostResult {
        self.context.event = words([tag]);
        self.run(view, Callback::Timer, |python, view| python.on_timer(view, tag))
    }

    fn on_stop(&mut self, view: &mut View<'_>) -> HostResult {
        self.store_fields()?;
        self.python.on_stop(view)
    }
}
