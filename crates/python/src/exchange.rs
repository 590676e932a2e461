//! The built-in exchange: its matching engine, and its server.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use mainspring_core::order::{CancelReason, OrderTerms, RejectReason, SelfTradePrevention, Side};
use mainspring_core::{Decimal, Instrument, InstrumentId, Lots, Money, Ticks};
use mainspring_exchange::bench::matching;
use mainspring_exchange::load::Scenario;
use mainspring_exchange::{
    AccountId, Exchange, Listener, MarketConfig, NewOrder, OrderId, OrderReport, ReportKind,
    TradeReport, TradingStatus, TriggerBy,
};
use mainspring_exchange_server::load::{self, Load};
use mainspring_exchange_server::{Server, ServerConfig};
use mainspring_trading::ledger::{FillEffect, MarkPrice};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde_json::{json, Value};

use crate::errors::{to_py, IntoPyResult};

fn value_error(message: String) -> PyErr {
    to_py(mainspring_core::Error::new(mainspring_core::ErrorKind::Value, message))
}

/// Nanoseconds per message of the matching engine in a scenario of its own load, and what the
/// messages did, as JSON.
#[pyfunction]
pub fn time_matching(
    py: Python<'_>,
    instrument: &str,
    scenario: &str,
    messages: usize,
    passes: usize,
) -> PyResult<(f64, String)> {
    let instrument: Instrument =
        serde_json::from_str(instrument).map_err(|e| value_error(format!("instrument: {e}")))?;
    let found = Scenario::ALL.into_iter().find(|known| known.name() == scenario);
    let scenario = found.ok_or_else(|| {
        let known: Vec<_> = Scenario::ALL.iter().map(|s| s.name()).collect();
        value_error(format!("scenario {scenario}: there are {}", known.join(", ")))
    })?;
    let (timing, tally) =
        py.detach(|| matching(&instrument, scenario, messages, passes)).into_py()?;
    let tally = json!({
        "quietest_ns": timing.quietest_ns,
        "trades": tally.trades, "rested": tally.rested, "cancelled": tally.cancelled,
        "amended": tally.amended, "refused": tally.refused, "open": tally.open,
    });
    Ok((timing.median_ns, tally.to_string()))
}

/// What an exchange said, in order.
#[derive(Default)]
struct Said(Vec<Value>);

fn name<T: serde::Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

impl Said {
    fn json(self) -> String {
        Value::from(self.0).to_string()
    }
}

impl Listener for Said {
    fn trade(&mut self, trade: &TradeReport, taker: &FillEffect, maker: &FillEffect) {
        let taker_side = trade.taker_side;
        let sides = [
            (trade.maker, trade.taker, taker_side.opposite(), maker, true),
            (trade.taker, trade.maker, taker_side, taker, false),
        ];
        for (party, other, side, effect, is_maker) in sides {
            self.0.push(json!({
                "kind": "filled", "order": party.order.0, "account": party.account.0,
                "instrument": trade.instrument.0, "time_ns": trade.time_ns, "side": name(side),
                "price": trade.price.0, "qty": trade.qty.0, "left": party.left.0,
                "trade": trade.trade, "counterparty": other.order.0, "maker": is_maker,
                "fee": effect.fee.0.to_string(), "realised": effect.realised.0.to_string(),
            }));
        }
    }

    fn order(&mut self, report: &OrderReport) {
        let rejected = |reason: RejectReason| name(reason);
        let (kind, reason) = match report.kind {
            ReportKind::Accepted => ("accepted", Value::Null),
            ReportKind::Rejected(why) => ("rejected", rejected(why)),
            ReportKind::Rested => ("rested", Value::Null),
            ReportKind::Cancelled(why) => ("cancelled", name::<CancelReason>(why)),
            ReportKind::CancelRejected(why) => ("cancel_rejected", rejected(why)),
            ReportKind::Amended { .. } => ("amended", Value::Null),
            ReportKind::AmendRejected(why) => ("amend_rejected", rejected(why)),
            ReportKind::Triggered => ("triggered", Value::Null),
            ReportKind::TriggerRejected(why) => ("trigger_rejected", rejected(why)),
        };
        self.0.push(json!({
            "kind": kind, "order": report.order.0, "account": report.account.0,
            "instrument": report.instrument.0, "time_ns": report.time_ns,
            "side": name(report.side), "price": report.held_at.0, "left": report.left.0,
            "reason": reason,
        }));
    }

    fn funding(&mut self, account: AccountId, instrument: InstrumentId, received: Money) {
        self.0.push(json!({
            "kind": "funding", "account": account.0, "instrument": instrument.0,
            "received": received.0.to_string(),
        }));
    }

    fn liquidation(&mut self, account: AccountId, instrument: InstrumentId) {
        self.0.push(json!({
            "kind": "liquidation", "account": account.0, "instrument": instrument.0,
        }));
    }
}

/// The exchange: markets and accounts. Answers are JSON lists of what it said.
#[pyclass(name = "Exchange", module = "mainspring._core")]
pub struct PyExchange {
    exchange: Exchange,
}

#[pymethods]
impl PyExchange {
    #[new]
    fn new(instruments: &str, reserved_orders: usize) -> PyResult<Self> {
        let instruments: Vec<Instrument> = serde_json::from_str(instruments)
            .map_err(|e| value_error(format!("instruments: {e}")))?;
        let config = MarketConfig { reserved_orders, ..MarketConfig::default() };
        Ok(Self { exchange: Exchange::new(&instruments, config).into_py()? })
    }

    fn open_account(&mut self, deposits: Vec<(String, String)>) -> PyResult<u32> {
        let deposits: mainspring_core::Result<Vec<_>> = deposits
            .into_iter()
            .map(|(currency, amount)| Ok((currency, Decimal::from_str(&amount)?)))
            .collect();
        Ok(self.exchange.open_account(&deposits.into_py()?).into_py()?.0)
    }

    #[pyo3(signature = (account, terms, self_trade, by_mark, now_ns, /))]
    fn submit(
        &mut self,
        account: u32,
        terms: &str,
        self_trade: Option<&str>,
        by_mark: bool,
        now_ns: i64,
    ) -> PyResult<(u64, String)> {
        let terms: OrderTerms =
            serde_json::from_str(terms).map_err(|e| value_error(format!("order: {e}")))?;
        let id = self.exchange.next_order_id();
        let mut order = NewOrder::new(id, AccountId(account), terms);
        order.self_trade = match self_trade {
            None => None,
            Some(mode) => Some(
                serde_json::from_value::<SelfTradePrevention>(mode.into())
                    .map_err(|e| value_error(format!("self_trade {mode}: {e}")))?,
            ),
        };
        order.trigger_by = if by_mark { TriggerBy::Mark } else { TriggerBy::LastTrade };
        let mut said = Said::default();
        self.exchange.submit(order, now_ns, &mut said).into_py()?;
        Ok((id.0, said.json()))
    }

    fn cancel(
        &mut self,
        instrument: u16,
        order: u64,
        account: u32,
        now_ns: i64,
    ) -> PyResult<String> {
        let mut said = Said::default();
        let (id, order) = (InstrumentId(instrument), OrderId(order));
        self.exchange.cancel(id, order, AccountId(account), now_ns, &mut said).into_py()?;
        Ok(said.json())
    }

    fn amend(
        &mut self,
        instrument: u16,
        order: u64,
        account: u32,
        price: i64,
        qty: i64,
        now_ns: i64,
    ) -> PyResult<String> {
        let mut said = Said::default();
        let terms = (Ticks(price), Lots(qty));
        let (id, order) = (InstrumentId(instrument), OrderId(order));
        self.exchange.amend(id, order, AccountId(account), terms, now_ns, &mut said).into_py()?;
        Ok(said.json())
    }

    fn set_status(&mut self, instrument: u16, status: &str, now_ns: i64) -> PyResult<String> {
        let status = match status {
            "open" => TradingStatus::Open,
            "post_only" => TradingStatus::PostOnly,
            "halted" => TradingStatus::Halted,
            "closed" => TradingStatus::Closed,
            _ => {
                let known = "open, post_only, halted, closed";
                return Err(value_error(format!("status {status}: there are {known}")));
            }
        };
        let mut said = Said::default();
        let id = InstrumentId(instrument);
        self.exchange.set_status(id, status, now_ns, &mut said).into_py()?;
        Ok(said.json())
    }

    fn set_mark(
        &mut self,
        instrument: u16,
        billionths_of_ticks: i128,
        now_ns: i64,
    ) -> PyResult<String> {
        let mut said = Said::default();
        let mark = MarkPrice(billionths_of_ticks);
        let id = InstrumentId(instrument);
        self.exchange.set_mark(id, mark, now_ns, &mut said).into_py()?;
        Ok(said.json())
    }

    fn settle_funding(&mut self, instrument: u16, rate: i64, now_ns: i64) -> PyResult<String> {
        let mut said = Said::default();
        let id = InstrumentId(instrument);
        self.exchange.settle_funding(id, rate, now_ns, &mut said).into_py()?;
        Ok(said.json())
    }

    fn advance(&mut self, now_ns: i64) -> String {
        let mut said = Said::default();
        self.exchange.advance(now_ns, &mut said);
        said.json()
    }

    fn set_leverage(&mut self, account: u32, instrument: u16, leverage: u32) -> PyResult<()> {
        let accounts = self.exchange.accounts_mut();
        accounts.set_leverage(AccountId(account), InstrumentId(instrument), leverage).into_py()
    }

    fn levels(&self, instrument: u16, is_ask: bool, count: usize) -> Vec<(i64, i64)> {
        let side = if is_ask { Side::Sell } else { Side::Buy };
        let market = self.exchange.market(InstrumentId(instrument));
        market.map_or_else(Vec::new, |market| {
            let levels = market.levels().levels(side).take(count);
            levels.map(|(price, qty)| (price.0, qty.0)).collect()
        })
    }

    fn position(&self, account: u32, instrument: u16) -> i64 {
        self.exchange.accounts().position(AccountId(account), InstrumentId(instrument)).0
    }

    /// Wallet, locked, unrealised, margin, maintenance, available: quanta.
    fn balance(&self, account: u32, currency: &str) -> [i128; 6] {
        let balance = self.exchange.accounts().balance(AccountId(account), currency);
        [
            balance.wallet.0,
            balance.locked.0,
            balance.unrealised.0,
            balance.margin.0,
            balance.maintenance.0,
            balance.available().0,
        ]
    }
}

/// The exchange as a server of a venue's protocol, on threads of its own.
#[pyclass(name = "VenueServer", module = "mainspring._core", frozen)]
pub struct PyVenueServer {
    server: Mutex<Server>,
}

impl PyVenueServer {
    fn server(&self) -> std::sync::MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PyVenueServer {
    #[new]
    fn new(py: Python<'_>, config: &str) -> PyResult<Self> {
        let config: ServerConfig = serde_json::from_str(config)
            .map_err(|e| value_error(format!("venue configuration: {e}")))?;
        let server = py.detach(|| Server::start(&config)).into_py()?;
        Ok(Self { server: Mutex::new(server) })
    }

    #[getter]
    fn host(&self) -> String {
        self.server().address().ip().to_string()
    }

    #[getter]
    fn port(&self) -> u16 {
        self.server().address().port()
    }

    #[getter]
    fn is_running(&self) -> bool {
        self.server().is_running()
    }

    fn set_faults(&self, py: Python<'_>, faults: &str) -> PyResult<()> {
        py.detach(|| self.server().set_faults(faults)).into_py()
    }

    fn plan_fault(&self, py: Python<'_>, planned: &str) -> PyResult<()> {
        py.detach(|| self.server().plan_fault(planned)).into_py()
    }

    #[getter]
    fn planned_left(&self, py: Python<'_>) -> u32 {
        py.detach(|| self.server().planned_left())
    }

    /// How far the recording is, as JSON; none where the flow is generated.
    #[getter]
    fn recording(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let progress = py.detach(|| self.server().recording());
        let text = progress.map(|progress| serde_json::to_string(&progress)).transpose();
        text.map_err(|e| PyRuntimeError::new_err(e.to_string()))
    }

    fn set_halted(&self, py: Python<'_>, halts: bool) {
        py.detach(|| self.server().set_halted(halts));
    }

    fn liquidate(&self, py: Python<'_>, key: &str) -> PyResult<()> {
        py.detach(|| self.server().liquidate(key)).into_py()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.server().stop());
    }
}

/// Loads a server of this machine that speaks Binance's protocol with signed orders: how many were
/// accepted and refused, seconds, and the median and the 99th percentile of latency in microseconds.
#[pyfunction]
pub fn load_venue(
    py: Python<'_>,
    port: u16,
    member: (String, String, String),
    connections: usize,
    orders: usize,
    burst: usize,
) -> PyResult<(usize, usize, f64, f64, f64)> {
    let (key, secret, symbol) = member;
    let load = Load { key: &key, secret: &secret, symbol: &symbol, connections, orders, burst };
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let report = py.detach(|| load::run(address, &load)).into_py()?;
    let (p50, p99) = (report.latency_us(0.5), report.latency_us(0.99));
    Ok((report.accepted, report.refused, report.seconds, p50, p99))
}

/// The configuration that a server has when nothing is said, as JSON.
#[pyfunction]
pub fn venue_defaults() -> PyResult<String> {
    serde_json::to_string(&ServerConfig::default())
        .map_err(|e| PyRuntimeError::new_err(e.to_string()))
}
