//! Paper sessions run again as backtests.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mainspring_core::{Decimal, Instrument, Result};
use mainspring_kernel::host::Host;
use mainspring_kernel::session::decode::{decode, fields_to_json};
use mainspring_kernel::session::parity::{
    model_fills, parity, Filled, OrderFills, Parity, ParityDifference, Side,
};
use mainspring_kernel::session::{Kind, Raw, StrategyImage};
use pyo3::prelude::*;
use serde_json::{json, Value};

use crate::errors::to_py;
use crate::host::Causes;
use crate::live::{parse, rerun_host, Place};

/// Runs the paper session in `folder` again as a backtest over its market data, which is written to
/// event files in `feeds`, and compares decisions, orders and fills; JSON of what was found.
/// `make_strategies(code)` gives `(strategy, trigger)` pairs as in `start_paper`, new ones for each
/// life of the session, which was started with that code.
#[pyfunction]
pub fn parity_session(
    folder: PathBuf,
    feeds: PathBuf,
    make_strategies: &Bound<'_, PyAny>,
    base: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let causes: Causes = Arc::new(Mutex::new(Vec::new()));
    let mut failed: Option<PyErr> = None;
    let mut hosts = |code: &str, kept: &[StrategyImage]| -> Result<Vec<(Box<dyn Host>, bool)>> {
        let made = make_hosts(make_strategies, base, &causes, code, kept);
        made.map_err(|error| {
            let text = error.to_string();
            failed = Some(error);
            mainspring_core::Error::new(mainspring_core::ErrorKind::Strategy, text)
        })
    };
    let found = parity(&folder, &feeds, &mut hosts);
    if let Some(error) = failed {
        return Err(error);
    }
    let found = found.map_err(to_py)?;
    parity_json(&found).map_err(to_py)
}

fn make_hosts(
    make: &Bound<'_, PyAny>,
    base: &Bound<'_, PyAny>,
    causes: &Causes,
    code: &str,
    kept: &[StrategyImage],
) -> PyResult<Vec<(Box<dyn Host>, bool)>> {
    let made: Vec<(Bound<'_, PyAny>, String)> = make.call1((code,))?.extract()?;
    made.iter()
        .enumerate()
        .map(|(index, (one, trigger))| {
            let place = Place::read(one, trigger)?;
            let state = kept.get(index).map_or(&[][..], |kept| &kept.state);
            if let (Place::Worker(strategy, ..), false) = (&place, state.is_empty()) {
                strategy.call_method1(make.py(), "_load_state", (state,))?;
            }
            let apart = matches!(place, Place::Worker(..));
            Ok((rerun_host(make.py(), &place, base, causes)?, apart))
        })
        .collect()
}

fn parity_json(found: &Parity) -> Result<String> {
    let difference = found.difference.as_ref();
    let difference = difference.map(|one| difference_json(one, &found.instruments)).transpose()?;
    Ok(json!({
        "lives": found.lives,
        "rows": found.rows,
        "decisions": found.decisions,
        "orders": found.orders,
        "fills": found.fills,
        "feeds": found.feeds,
        "difference": difference,
    })
    .to_string())
}

fn difference_json(one: &ParityDifference, instruments: &[Instrument]) -> Result<Value> {
    let side = |side: &Option<Side>| -> Result<Value> {
        let Some(side) = side else { return Ok(Value::Null) };
        let raw = Raw {
            kind: side.kind,
            sequence: one.sequence.unwrap_or(0),
            time_ns: side.time_ns,
            cause: 0,
            payload: &side.payload,
        };
        Ok(json!({
            "kind": Kind::from_code(side.kind).map_or("unknown", Kind::name),
            "time_ns": side.time_ns,
            "fields": fields_to_json(&decode(&raw, instruments)?),
        }))
    };
    Ok(json!({
        "life": one.life,
        "sequence": one.sequence,
        "session": side(&one.session)?,
        "backtest": side(&one.backtest)?,
    }))
}

/// Every order that a session sent, as its venue and as the models filled it; JSON. `config` is that
/// of a run, with other models than the session's.
#[pyfunction]
pub fn session_model_fills(folder: PathBuf, config: Option<&str>) -> PyResult<String> {
    let config = config.map(|text| parse(text, "the models")).transpose().map_err(to_py)?;
    let (instruments, orders) = model_fills(&folder, config.as_ref()).map_err(to_py)?;
    let all: Vec<Value> = orders.iter().map(|one| order_json(one, &instruments)).collect();
    Ok(Value::from(all).to_string())
}

fn order_json(one: &OrderFills, instruments: &[Instrument]) -> Value {
    let instrument = instruments.get(one.instrument.index());
    let unit = instrument.map(Instrument::tick);
    let filled = |filled: &Filled| {
        let average = filled.value as f64 / filled.lots as f64 * unit.map_or(1.0, Decimal::to_f64);
        json!({
            "lots": filled.lots,
            "price": (filled.lots > 0).then_some(average),
            "maker_lots": filled.maker_lots,
            "first_ns": (filled.lots > 0).then_some(filled.first_ns),
        })
    };
    json!({
        "order": one.order.0,
        "strategy": one.strategy,
        "symbol": instrument.map(|i| &i.symbol),
        "venue_name": instrument.map(|i| &i.venue),
        "side": if one.side.sign() > 0 { "buy" } else { "sell" },
        "lots": one.lots,
        "sent_ns": one.sent_ns,
        "venue": filled(&one.venue),
        "model": filled(&one.model),
    })
}
