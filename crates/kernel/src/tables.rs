//! The four tables of a run, read back from its log.

use mainspring_core::{Instrument, Money, Result};
use mainspring_data::{Column, Table};
use mainspring_journal::{
    read_log, Entry, EquityRecord, FillRecord, LogSource, MessageRecord, OrderRecord,
    PositionRecord, Wide,
};

use crate::scale::Scale;

/// What a log holds, as columns.
pub struct RunTables {
    /// One row per fill.
    pub fills: Table,
    /// One row per order transition.
    pub orders: Table,
    /// One row per sample of the account.
    pub equity: Table,
    /// One row per sample of a position.
    pub positions: Table,
    /// Messages to people.
    pub messages: Vec<MessageRecord>,
    /// Hash and length of the log.
    pub source: LogSource,
}

/// Reads a log into tables.
///
/// # Errors
/// When the log is damaged.
pub fn run_tables<'a>(
    log: impl IntoIterator<Item = &'a [u8]>,
    instruments: &[Instrument],
) -> Result<RunTables> {
    let mut fills: Vec<FillRecord> = Vec::new();
    let mut orders: Vec<OrderRecord> = Vec::new();
    let mut equity: Vec<EquityRecord> = Vec::new();
    let mut positions: Vec<PositionRecord> = Vec::new();
    let mut messages = Vec::new();
    let source = read_log(log, |entry| {
        match entry {
            Entry::Order(r) => orders.push(r),
            Entry::Fill(r) => fills.push(r),
            Entry::Equity(r) => equity.push(r),
            Entry::Position(r) => positions.push(r),
            Entry::Message(r) => messages.push(r),
        }
        Ok(())
    })?;
    let scales: Vec<Scale> = instruments.iter().map(Scale::of).collect();
    Ok(RunTables {
        fills: fills_table(&fills, &scales)?,
        orders: orders_table(&orders)?,
        equity: equity_table(&equity)?,
        positions: positions_table(&positions, &scales)?,
        messages,
        source,
    })
}

/// An amount in units of its currency; exact money is in the log.
fn units(amount: Wide) -> f64 {
    Money::from(amount).0 as f64 / 1e18
}

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn fills_table(rows: &[FillRecord], scales: &[Scale]) -> Result<Table> {
    let price = |r: &FillRecord| scales[usize::from(r.instrument)].tick.to_f64(r.price_ticks);
    let qty = |r: &FillRecord| scales[usize::from(r.instrument)].lot.to_f64(r.qty_lots);
    let mid = |r: &FillRecord| match r.mid2_ticks {
        i64::MIN => f64::NAN,
        mid2 => scales[usize::from(r.instrument)].tick.to_f64(mid2) / 2.0,
    };
    Table::new("fills")
        .with("time_ns", Column::I64(column(rows, |r| r.time_ns)))?
        .with("exch_ns", Column::I64(column(rows, |r| r.exch_ns)))?
        .with("order_id", Column::U64(column(rows, |r| r.order_id)))?
        .with("strategy", Column::U16(column(rows, |r| r.strategy)))?
        .with("instrument", Column::U16(column(rows, |r| r.instrument)))?
        .with("side", Column::I8(column(rows, |r| r.side)))?
        .with("price_ticks", Column::I64(column(rows, |r| r.price_ticks)))?
        .with("qty_lots", Column::I64(column(rows, |r| r.qty_lots)))?
        .with("price", Column::F64(column(rows, price)))?
        .with("qty", Column::F64(column(rows, qty)))?
        .with("maker", Column::Bool(column(rows, |r| r.maker != 0)))?
        .with("fee", Column::F64(column(rows, |r| units(r.fee))))?
        .with("realised", Column::F64(column(rows, |r| units(r.realised))))?
        .with("position_lots", Column::I64(column(rows, |r| r.position_lots)))?
        .with("mid", Column::F64(column(rows, mid)))
}

fn orders_table(rows: &[OrderRecord]) -> Result<Table> {
    Table::new("orders")
        .with("time_ns", Column::I64(column(rows, |r| r.time_ns)))?
        .with("order_id", Column::U64(column(rows, |r| r.order_id)))?
        .with("strategy", Column::U16(column(rows, |r| r.strategy)))?
        .with("instrument", Column::U16(column(rows, |r| r.instrument)))?
        .with("side", Column::I8(column(rows, |r| r.side)))?
        .with("order_type", Column::U8(column(rows, |r| r.order_type)))?
        .with("state", Column::U8(column(rows, |r| r.state)))?
        .with("reason", Column::U8(column(rows, |r| r.reason)))?
        .with("price_ticks", Column::I64(column(rows, |r| r.price_ticks)))?
        .with("qty_lots", Column::I64(column(rows, |r| r.qty_lots)))?
        .with("filled_lots", Column::I64(column(rows, |r| r.filled_lots)))
}

fn equity_table(rows: &[EquityRecord]) -> Result<Table> {
    Table::new("equity")
        .with("time_ns", Column::I64(column(rows, |r| r.time_ns)))?
        .with("equity", Column::F64(column(rows, |r| units(r.equity))))?
        .with("realised", Column::F64(column(rows, |r| units(r.realised))))?
        .with("unrealised", Column::F64(column(rows, |r| units(r.unrealised))))?
        .with("fees", Column::F64(column(rows, |r| units(r.fees))))?
        .with("funding", Column::F64(column(rows, |r| units(r.funding))))
}

fn positions_table(rows: &[PositionRecord], scales: &[Scale]) -> Result<Table> {
    let position =
        |r: &PositionRecord| scales[usize::from(r.instrument)].lot.to_f64(r.position_lots);
    let price = |r: &PositionRecord, ticks: i64| match ticks {
        i64::MIN | i64::MAX => f64::NAN,
        ticks => scales[usize::from(r.instrument)].tick.to_f64(ticks),
    };
    Table::new("positions")
        .with("time_ns", Column::I64(column(rows, |r| r.time_ns)))?
        .with("strategy", Column::U16(column(rows, |r| r.strategy)))?
        .with("instrument", Column::U16(column(rows, |r| r.instrument)))?
        .with("position_lots", Column::I64(column(rows, |r| r.position_lots)))?
        .with("position", Column::F64(column(rows, position)))?
        .with("bid", Column::F64(column(rows, |r| price(r, r.bid_ticks))))?
        .with("ask", Column::F64(column(rows, |r| price(r, r.ask_ticks))))?
        .with("realised", Column::F64(column(rows, |r| units(r.realised))))?
        .with("unrealised", Column::F64(column(rows, |r| units(r.unrealised))))?
        .with("fees", Column::F64(column(rows, |r| units(r.fees))))?
        .with("funding", Column::F64(column(rows, |r| units(r.funding))))
}
