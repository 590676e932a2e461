//! Event arrays of hftbacktest (`.npz`, `.npy`).
//!
//! A row that the local side does not see (`LOCAL_EVENT` clear) is the exchange's copy of a row
//! that it sees later: only the row with both times is needed here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mainspring_core::event::flags;
use mainspring_core::{Decimal, Error, ErrorKind, Result, RowKind, Side};

use super::binary::{decimal_of, f64_le, i64_le, u64_le, Bytes};
use super::input::Place;
use super::npy::{read_header, Header};
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{side_flag, Source, Staged, StagedRow, Symbols};
use super::InstrumentSpec;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "hftbacktest";

/// Bytes of a record.
pub const RECORD_BYTES: usize = 64;
/// Fields of a record with their types, in order.
pub const FIELDS: [(&str, &str); 8] = [
    ("ev", "<u8"),
    ("exch_ts", "<i8"),
    ("local_ts", "<i8"),
    ("px", "<f8"),
    ("qty", "<f8"),
    ("order_id", "<u8"),
    ("ival", "<i8"),
    ("fval", "<f8"),
];

/// The row is processed by the exchange at `exch_ts`.
pub const EXCH_EVENT: u64 = 1 << 31;
/// The row is processed locally at `local_ts`.
pub const LOCAL_EVENT: u64 = 1 << 30;
/// Bid side, or a buyer as taker.
pub const BUY_EVENT: u64 = 1 << 29;
/// Ask side, or a seller as taker.
pub const SELL_EVENT: u64 = 1 << 28;

/// Codes in the low byte.
pub mod code {
    /// A level is set.
    pub const DEPTH: u64 = 1;
    /// A trade.
    pub const TRADE: u64 = 2;
    /// Levels up to a price are removed.
    pub const DEPTH_CLEAR: u64 = 3;
    /// A level is set by a snapshot.
    pub const DEPTH_SNAPSHOT: u64 = 4;
    /// Best bid or ask.
    pub const DEPTH_BBO: u64 = 5;
    /// An order is added.
    pub const ADD_ORDER: u64 = 10;
    /// An order is cancelled.
    pub const CANCEL_ORDER: u64 = 11;
    /// An order is changed.
    pub const MODIFY_ORDER: u64 = 12;
    /// An order is filled.
    pub const FILL: u64 = 13;
}

/// Imports event arrays; several inputs follow each other in time.
///
/// # Errors
/// Names the file and record of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let symbol = options.symbol.clone().or_else(|| named(options)).ok_or_else(|| {
        let what =
            "the file does not say what it is about: name it with --symbol, in Python with symbol=";
        Error::new(ErrorKind::Config, format!("{}: {what}", inputs[0].display()))
    })?;
    let orders = holds_orders(inputs)?;
    let open = || Ok(Box::new(Array::new(inputs, &symbol, orders, options)) as Box<dyn Source>);
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

fn named(options: &Options) -> Option<String> {
    options.instruments.first().and_then(|spec| spec.symbol.clone())
}

/// Whether any row is about a single order.
fn holds_orders(inputs: &[PathBuf]) -> Result<bool> {
    let mut bytes = Bytes::new(inputs, "record");
    while bytes.next_input()? {
        let header = header(&mut bytes)?;
        for _ in 0..header.rows {
            let Some(record) = bytes.take(RECORD_BYTES)? else { break };
            if matches!(u64_le(record, 0) & 0xff, code::ADD_ORDER..=code::FILL) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn header(bytes: &mut Bytes) -> Result<Header> {
    let header = read_header(bytes)?;
    let own = header.fields.iter().map(|field| (field.name.as_str(), field.dtype.as_str()));
    if !own.eq(FIELDS) {
        return Err(Error::new(
            ErrorKind::Data,
            format!(
                "{}: the fields are not those of an hftbacktest 2 event array (ev, exch_ts, \
                 local_ts, px, qty, order_id, ival, fval)",
                bytes.place().file
            ),
        ));
    }
    Ok(header)
}

/// Prices of the levels of each side, to know what a clearing row removes.
#[derive(Default)]
struct Levels([BTreeSet<u64>; 2]);

struct Array {
    bytes: Bytes,
    symbols: Symbols,
    symbol: usize,
    left: u64,
    orders: bool,
    options: Options,
    levels: Levels,
    held: Option<Record>,
    skipped: u64,
}

#[derive(Clone, Copy)]
struct Record {
    ev: u64,
    exch_ns: i64,
    local_ns: i64,
    px: f64,
    qty: f64,
    order_id: u64,
}

impl Record {
    fn read(bytes: &[u8]) -> Self {
        Self {
            ev: u64_le(bytes, 0),
            exch_ns: i64_le(bytes, 8),
            local_ns: i64_le(bytes, 16),
            px: f64_le(bytes, 24),
            qty: f64_le(bytes, 32),
            order_id: u64_le(bytes, 40),
        }
    }

    const fn code(&self) -> u64 {
        self.ev & 0xff
    }

    fn side(&self) -> std::result::Result<Side, String> {
        match (self.ev & BUY_EVENT != 0, self.ev & SELL_EVENT != 0) {
            (true, false) => Ok(Side::Buy),
            (false, true) => Ok(Side::Sell),
            _ => Err(format!("the event {:#x} has no side, or two", self.ev)),
        }
    }

    /// Rows of one moment and of one sort are one message; every trade is one of its own.
    fn continues(&self, other: &Self) -> bool {
        let book = |code| matches!(code, code::DEPTH | code::DEPTH_CLEAR | code::DEPTH_SNAPSHOT);
        (self.exch_ns, self.local_ns) == (other.exch_ns, other.local_ns)
            && (book(self.code()) && book(other.code())
                || (self.code() == code::DEPTH_BBO && other.code() == code::DEPTH_BBO))
    }
}

impl Array {
    fn new(inputs: &[PathBuf], symbol: &str, orders: bool, options: &Options) -> Self {
        let mut symbols = Symbols::default();
        let venue = options.venue.clone();
        let symbol = symbols.index(symbol, || InstrumentSpec { venue, ..Default::default() });
        Self {
            bytes: Bytes::new(inputs, "record"),
            symbols,
            symbol,
            left: 0,
            orders,
            options: options.clone(),
            levels: Levels::default(),
            held: None,
            skipped: 0,
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            if self.left == 0 {
                if !self.bytes.next_input()? {
                    return Ok(None);
                }
                self.left = header(&mut self.bytes)?.rows;
                continue;
            }
            self.left -= 1;
            self.bytes.count();
            let Some(record) = self.bytes.take(RECORD_BYTES)?.map(Record::read) else {
                let what = format!("{}: the array ends before its last row", self.bytes.place());
                return Err(Error::new(ErrorKind::Data, what));
            };
            if record.ev & LOCAL_EVENT != 0 {
                return Ok(Some(record));
            }
            self.skipped += 1;
        }
    }

    fn stage(&mut self, record: &Record, out: &mut Staged) -> std::result::Result<(), String> {
        if record.ev & !(0xff | EXCH_EVENT | LOCAL_EVENT | BUY_EVENT | SELL_EVENT) != 0 {
            return Err(format!("the event {:#x} has an unknown flag", record.ev));
        }
        let kind = match record.code() {
            code::DEPTH_CLEAR => return self.clear(record, out),
            code::DEPTH | code::DEPTH_SNAPSHOT => RowKind::Depth,
            code::TRADE => RowKind::Trade,
            code::DEPTH_BBO => RowKind::Best,
            code::ADD_ORDER => RowKind::OrderAdd,
            code::CANCEL_ORDER => RowKind::OrderDelete,
            code::MODIFY_ORDER => RowKind::OrderModify,
            code::FILL => RowKind::OrderExecute,
            code => return Err(format!("the event code {code} is unknown")),
        };
        let streams = self.options.streams;
        if matches!(kind, RowKind::Trade) && !streams.trades
            || matches!(kind, RowKind::Best) && !streams.best
        {
            return Ok(());
        }
        let side = record.side()?;
        let number = |value: f64, what: &str| {
            decimal_of(value).ok_or_else(|| format!("the {what} {value} is not a number in range"))
        };
        let (price, qty) = (number(record.px, "price")?, number(record.qty, "size")?);
        let mut flag = side_flag(side);
        if kind == RowKind::Depth {
            if record.code() == code::DEPTH_SNAPSHOT {
                if self.levels.is_empty() && out.rows.iter().all(|row| row.qty == Decimal::ZERO) {
                    out.rows.clear();
                    out.push_clear();
                }
                let within = out.rows.first().is_some_and(|row| row.kind == RowKind::Clear);
                flag |= if within { flags::SNAPSHOT } else { 0 };
            }
            self.levels.set(side, record.px, record.qty);
        }
        let order_id = if kind as u8 >= RowKind::OrderAdd as u8 { record.order_id } else { 0 };
        out.rows.push(StagedRow { kind, flags: flag, price, qty, order_id });
        Ok(())
    }

    fn clear(&mut self, record: &Record, out: &mut Staged) -> std::result::Result<(), String> {
        let sides: &[Side] = match record.side() {
            Ok(Side::Buy) => &[Side::Buy],
            Ok(Side::Sell) => &[Side::Sell],
            Err(_) if record.ev & (BUY_EVENT | SELL_EVENT) == 0 => &[Side::Buy, Side::Sell],
            Err(error) => return Err(error),
        };
        let whole = sides.len() == 2 || !record.px.is_finite();
        for side in sides {
            for price in self.levels.remove(*side, (!whole).then_some(record.px)) {
                let Some(price) = decimal_of(price) else { continue };
                out.push(RowKind::Depth, *side, price, Decimal::ZERO);
            }
        }
        Ok(())
    }
}

impl Levels {
    fn is_empty(&self) -> bool {
        self.0.iter().all(BTreeSet::is_empty)
    }

    // Bits of positive floats are in the order of the floats.
    fn set(&mut self, side: Side, price: f64, qty: f64) {
        let own = &mut self.0[usize::from(side == Side::Sell)];
        if qty > 0.0 {
            own.insert(price.to_bits());
        } else {
            own.remove(&price.to_bits());
        }
    }

    /// Takes out bids at or above, asks at or below the price, or all.
    fn remove(&mut self, side: Side, up_to: Option<f64>) -> Vec<f64> {
        let own = &mut self.0[usize::from(side == Side::Sell)];
        let gone: Vec<u64> = match (up_to.map(f64::to_bits), side) {
            (None, _) => own.iter().copied().collect(),
            (Some(bits), Side::Buy) => own.range(bits..).copied().collect(),
            (Some(bits), Side::Sell) => own.range(..=bits).copied().collect(),
        };
        own.retain(|bits| gone.binary_search(bits).is_err());
        gone.into_iter().map(f64::from_bits).collect()
    }
}

impl Source for Array {
    fn schema(&self) -> Schema {
        if self.orders {
            Schema::Order
        } else {
            Schema::Market
        }
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        let first = match self.held.take() {
            Some(record) => Some(record),
            None => self.next_record()?,
        };
        let Some(first) = first else {
            if self.skipped > 0 {
                tally.note(format!(
                    "{} rows that only the exchange side processes were left out: each is the copy \
                     of a row that is kept",
                    self.skipped
                ));
            }
            return Ok(false);
        };
        out.start(self.symbol, first.local_ns, first.exch_ns);
        let mut record = first;
        loop {
            tally.message(name_of(record.code()));
            if let Err(reason) = self.stage(&record, out) {
                out.rows.clear();
                tally.refuse(self.bytes.place(), &reason)?;
            }
            match self.next_record()? {
                Some(next) if next.continues(&first) => record = next,
                next => {
                    self.held = next;
                    return Ok(true);
                }
            }
        }
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        let mut place = self.bytes.place().clone();
        // The record that was read ahead belongs to the next message.
        place.line -= u64::from(self.held.is_some()).min(place.line);
        place
    }

    fn bytes_read(&self) -> u64 {
        self.bytes.bytes()
    }
}

const fn name_of(code: u64) -> &'static str {
    match code {
        code::DEPTH => "depth",
        code::TRADE => "trade",
        code::DEPTH_CLEAR => "depth_clear",
        code::DEPTH_SNAPSHOT => "depth_snapshot",
        code::DEPTH_BBO => "depth_bbo",
        code::ADD_ORDER => "add_order",
        code::CANCEL_ORDER => "cancel_order",
        code::MODIFY_ORDER => "modify_order",
        code::FILL => "fill",
        _ => "unknown",
    }
}
