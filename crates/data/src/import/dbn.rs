//! Databento DBN (versions 1 to 3): MBO, MBP-1, MBP-10, TBBO, trades, OHLCV, and definitions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mainspring_core::event::flags;
use mainspring_core::{Decimal, Error, ErrorKind, InstrumentKind, Result, RowKind, Side};
use mainspring_venues::Level;

use super::binary::{i64_le, u32_le, u64_le, Bytes};
use super::dbn_definitions::{self, Definitions};
use super::feed::push_changes;
use super::input::Place;
use super::options::{OnProgress, Options};
use super::orders::{shares, Order, Orders};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, StagedBar, Symbols};
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "dbn";

/// Prices are in units of 10^-9; this one stands for none.
const NO_PRICE: i64 = i64::MAX;
const LAST: u8 = 128;
const SNAPSHOT: u8 = 32;
/// Longest header that is read.
const MAX_METADATA: usize = 64 << 20;
const NO_SCHEMA: u16 = u16::MAX;

/// Imports DBN files of one schema, each behind the other in time. Files of definitions among them
/// are read first, wherever they stand: they say the tick and the size of what the others trade.
///
/// # Errors
/// Names the file and record of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let (inputs, definitions) = &apart(inputs)?;
    let open = || {
        let records = Records::open(inputs, definitions.clone(), options)?;
        Ok(Box::new(records) as Box<dyn Source>)
    };
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

/// Files of data, and what the files of definitions say.
fn apart(inputs: &[PathBuf]) -> Result<(Vec<PathBuf>, Definitions)> {
    let (mut data, mut definitions) = (Vec::new(), Definitions::default());
    for input in inputs {
        let mut bytes = Bytes::new(std::slice::from_ref(input), "record");
        bytes.next_input()?;
        if metadata(&mut bytes)?.schema == dbn_definitions::SCHEMA {
            while let Some(record) = take(&mut bytes)? {
                if record[1] == dbn_definitions::RECORD {
                    definitions.take(&record);
                }
            }
        } else {
            data.push(input.clone());
        }
    }
    if data.is_empty() {
        let what = "holds definitions only: import it together with the files of what it defines";
        return Err(Error::new(ErrorKind::Data, format!("{}: {what}", inputs[0].display())));
    }
    Ok((data, definitions))
}

/// The next record of this input, or `None` at its end.
fn take(bytes: &mut Bytes) -> Result<Option<Vec<u8>>> {
    let Some(units) = bytes.peek(1)?.first().copied() else { return Ok(None) };
    bytes.count();
    let length = usize::from(units) * 4;
    if length < 16 {
        let what = format!("{}: a record of {length} bytes", bytes.place());
        return Err(Error::new(ErrorKind::Data, what));
    }
    Ok(bytes.take(length)?.map(<[u8]>::to_vec))
}

/// What the header of a file says.
struct Metadata {
    dataset: String,
    schema: u16,
    names: HashMap<u32, String>,
}

fn u16_le(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn metadata(bytes: &mut Bytes) -> Result<Metadata> {
    let wrong = |bytes: &Bytes, what: &str| {
        Error::new(ErrorKind::Data, format!("{}: {what}", bytes.place().file))
    };
    let head = bytes.peek(8)?.to_vec();
    let version = match head.as_slice() {
        [b'D', b'B', b'N', version @ 1..=3, ..] if head.len() == 8 => *version,
        [b'D', b'B', b'N', ..] => return Err(wrong(bytes, "a version of DBN that is not known")),
        _ => return Err(wrong(bytes, "not a DBN file")),
    };
    let length = u32_le(&head, 4) as usize;
    if length > MAX_METADATA {
        return Err(wrong(bytes, "the DBN header is too long"));
    }
    bytes.skip(8);
    let body = bytes.peek(length)?.to_vec();
    bytes.skip(length);
    let found = if body.len() == length { parse_metadata(&body, version) } else { None };
    found.ok_or_else(|| wrong(bytes, "the DBN header is cut off or damaged"))
}

/// Reads `length` bytes from a place that moves on.
fn chunk<'a>(body: &'a [u8], at: &mut usize, length: usize) -> Option<&'a [u8]> {
    let chunk = body.get(*at..at.checked_add(length)?)?;
    *at += length;
    Some(chunk)
}

fn parse_metadata(body: &[u8], version: u8) -> Option<Metadata> {
    let mut at = 0;
    let dataset = text(chunk(body, &mut at, 16)?);
    let schema = u16_le(chunk(body, &mut at, 2)?, 0);
    // Start, end, limit, and in version 1 the number of records.
    chunk(body, &mut at, if version == 1 { 32 } else { 24 })?;
    chunk(body, &mut at, 3)?;
    let width = if version == 1 { 22 } else { usize::from(u16_le(chunk(body, &mut at, 2)?, 0)) };
    chunk(body, &mut at, if version == 1 { 47 } else { 53 })?;
    let definitions = u32_le(chunk(body, &mut at, 4)?, 0) as usize;
    chunk(body, &mut at, definitions)?;
    // Symbols asked for, found in part, not found.
    for _ in 0..3 {
        let count = u32_le(chunk(body, &mut at, 4)?, 0) as usize;
        chunk(body, &mut at, count.checked_mul(width)?)?;
    }
    let mut names = HashMap::new();
    let mappings = u32_le(chunk(body, &mut at, 4)?, 0);
    for _ in 0..mappings {
        let asked = text(chunk(body, &mut at, width)?);
        let intervals = u32_le(chunk(body, &mut at, 4)?, 0);
        for _ in 0..intervals {
            chunk(body, &mut at, 8)?;
            let mapped = text(chunk(body, &mut at, width)?);
            if let Ok(id) = mapped.parse() {
                names.insert(id, asked.clone());
            } else if let Ok(id) = asked.parse() {
                names.insert(id, mapped);
            }
        }
    }
    Some(Metadata { dataset, schema, names })
}

struct Records {
    bytes: Bytes,
    metadata: Metadata,
    definitions: Definitions,
    symbols: Symbols,
    ids: HashMap<u32, usize>,
    orders: Orders,
    shown: HashMap<usize, [Vec<Level>; 2]>,
    options: Options,
    held: Option<Vec<u8>>,
    unsided: u64,
}

impl Records {
    fn open(inputs: &[PathBuf], definitions: Definitions, options: &Options) -> Result<Self> {
        let mut bytes = Bytes::new(inputs, "record");
        bytes.next_input()?;
        let metadata = metadata(&mut bytes)?;
        Ok(Self {
            bytes,
            metadata,
            definitions,
            symbols: Symbols::default(),
            ids: HashMap::new(),
            orders: Orders::default(),
            shown: HashMap::new(),
            options: options.clone(),
            held: None,
            unsided: 0,
        })
    }

    fn next_record(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        loop {
            if let Some(record) = take(&mut self.bytes)? {
                return Ok(Some(record));
            }
            if !self.bytes.next_input()? {
                return Ok(None);
            }
            let next = metadata(&mut self.bytes)?;
            if next.schema != self.metadata.schema {
                let what = "another schema than the file in front of it";
                let file = &self.bytes.place().file;
                return Err(Error::new(ErrorKind::Data, format!("{file}: {what}")));
            }
            self.metadata.names.extend(next.names);
        }
    }

    fn symbol(&mut self, id: u32) -> Option<usize> {
        if let Some(at) = self.ids.get(&id) {
            return Some(*at);
        }
        let name = self.metadata.names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        if !self.options.keeps(&name) {
            return None;
        }
        let dataset = &self.metadata.dataset;
        let future =
            ["GLBX", "IFEU", "IFUS", "IFLL", "NDEX", "XEUR"].iter().any(|d| dataset.starts_with(d));
        let kind = if future { InstrumentKind::LinearFuture } else { InstrumentKind::Spot };
        let venue = dataset.to_ascii_lowercase();
        let basis = stated(&venue, kind, &name, "USD");
        let full = match self.definitions.of(id) {
            Some(defined) => defined.clone().or(&basis),
            None => basis,
        };
        let at = self.symbols.index(&name, || full);
        self.ids.insert(id, at);
        Some(at)
    }

    /// Stages a record onto its message; says whether the message goes on.
    fn stage(
        &mut self,
        r: &[u8],
        symbol: usize,
        out: &mut Staged,
    ) -> std::result::Result<bool, String> {
        match (r[1], r.len()) {
            (0xa0, 56..) => self.by_order(r, symbol, out).map(|()| r[36] & LAST == 0),
            (0x00 | 0x01 | 0x0a, 48..) => {
                self.by_price(r, symbol, out)?;
                Ok(false)
            }
            (0x20..=0x24, 56..) => bar(r, out).map(|()| false),
            (kind, length) => Err(format!("a record of type {kind:#04x} with {length} bytes")),
        }
    }

    fn by_order(
        &mut self,
        r: &[u8],
        symbol: usize,
        out: &mut Staged,
    ) -> std::result::Result<(), String> {
        let (id, size, bits) = (u64_le(r, 16), i64::from(u32_le(r, 32)), r[36]);
        let from = out.rows.len();
        let side = side(r[39]);
        match r[38] {
            b'A' | b'M' => {
                let Some(side) = side else { return Err("an order without a side".to_owned()) };
                let order = Order { symbol, side, price: price(r, 24)?, left: size };
                if r[38] == b'A' {
                    self.orders.add(id, order, out)?;
                } else {
                    self.orders.set(id, order, out)?;
                }
            }
            b'C' => drop(self.orders.reduce(id, Some(size), false, out)?),
            b'R' => {
                self.orders.clear(symbol);
                out.push_clear();
            }
            b'T' => self.trade(r, 24, size, side, out)?,
            // A fill of the resting order is followed by its reduction.
            b'F' | b'N' => {}
            action => return Err(format!("the action '{}' is unknown", char::from(action))),
        }
        if bits & SNAPSHOT != 0 {
            out.rows[from..].iter_mut().for_each(|row| row.flags |= flags::SNAPSHOT);
        }
        Ok(())
    }

    fn trade(
        &mut self,
        r: &[u8],
        price_at: usize,
        size: i64,
        side: Option<Side>,
        out: &mut Staged,
    ) -> std::result::Result<(), String> {
        if !self.options.streams.trades {
            return Ok(());
        }
        match side {
            Some(side) => out.push(RowKind::Trade, side, price(r, price_at)?, shares(size)),
            None => self.unsided += 1,
        }
        Ok(())
    }

    fn by_price(
        &mut self,
        r: &[u8],
        symbol: usize,
        out: &mut Staged,
    ) -> std::result::Result<(), String> {
        if r[28] == b'T' {
            self.trade(r, 16, i64::from(u32_le(r, 24)), side(r[29]), out)?;
        }
        let levels = (r.len() - 48) / 32;
        if r[1] == 0x00 || levels == 0 {
            return Ok(());
        }
        let mut now = [Vec::new(), Vec::new()];
        for n in 0..levels {
            let at = 48 + n * 32;
            for (side, price_at, size_at) in [(0, at, at + 16), (1, at + 8, at + 20)] {
                let qty = shares(i64::from(u32_le(r, size_at)));
                if i64_le(r, price_at) != NO_PRICE {
                    now[side].push(Level { price: price(r, price_at)?, qty });
                }
            }
        }
        let shown = self.shown.entry(symbol).or_default();
        for (n, side) in [Side::Buy, Side::Sell].into_iter().enumerate() {
            if levels > 1 {
                push_changes(side, &shown[n], &now[n], out);
            } else if now[n] != shown[n] {
                let best = now[n].first().copied().unwrap_or_default();
                out.push(RowKind::Best, side, best.price, best.qty);
            }
        }
        *shown = now;
        Ok(())
    }
}

fn price(r: &[u8], at: usize) -> std::result::Result<Decimal, String> {
    match i64_le(r, at) {
        NO_PRICE => Err("a row without a price".to_owned()),
        wire => Decimal::new(wire, 9).map_err(|error| error.to_string()),
    }
}

const fn side(byte: u8) -> Option<Side> {
    match byte {
        b'B' => Some(Side::Buy),
        b'A' => Some(Side::Sell),
        _ => None,
    }
}

fn bar(r: &[u8], out: &mut Staged) -> std::result::Result<(), String> {
    let seconds: i64 = match r[1] {
        0x20 => 1,
        0x21 => 60,
        0x22 => 3_600,
        0x23 => 86_400,
        _ => return Err("a bar of an interval that is not known".to_owned()),
    };
    let open_ns = out.exch_ns;
    out.recv_ns = open_ns.saturating_add(seconds * 1_000_000_000);
    out.stamped = false;
    let volume =
        i64::try_from(u64_le(r, 48)).map_err(|_| "the volume is out of range".to_owned())?;
    let prices = [price(r, 16)?, price(r, 24)?, price(r, 32)?, price(r, 40)?];
    out.bars.push(StagedBar { open_ns, prices, volume: shares(volume), trades: 0 });
    Ok(())
}

/// Name of a record type, for counts.
const fn name_of(kind: u8) -> &'static str {
    match kind {
        0x00 => "trade",
        0x01 => "mbp1",
        0x0a => "mbp10",
        0x13 => "definition",
        0x15 => "error",
        0x16 => "symbol_mapping",
        0x17 => "system",
        0x20..=0x24 => "ohlcv",
        0xa0 => "mbo",
        _ => "other",
    }
}

impl Source for Records {
    fn schema(&self) -> Schema {
        match self.metadata.schema {
            0 => Schema::Order,
            5..=8 | 13 => Schema::Bar,
            NO_SCHEMA => Schema::Market,
            _ => Schema::Market,
        }
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(0, 0, 0);
        let mut open: Option<u32> = None;
        loop {
            let Some(record) = self.next_record()? else {
                if open.is_none() && self.unsided > 0 {
                    let count = self.unsided;
                    tally.note(format!("{count} trades without a known taker were left out"));
                }
                return Ok(open.is_some());
            };
            let id = u32_le(&record, 4);
            if open.is_some_and(|own| own != id) {
                self.held = Some(record);
                return Ok(true);
            }
            tally.message(name_of(record[1]));
            if record[1] == dbn_definitions::RECORD {
                self.definitions.take(&record);
            }
            if matches!(
                name_of(record[1]),
                "definition" | "error" | "symbol_mapping" | "system" | "other"
            ) {
                continue;
            }
            let Some(symbol) = self.symbol(id) else { continue };
            let exch_ns = u64_le(&record, 8).min(i64::MAX as u64) as i64;
            let recv_at = if record[1] == 0xa0 { 40 } else { 32 };
            let recv_ns =
                if record.len() >= recv_at + 8 { i64_le(&record, recv_at) } else { exch_ns };
            if open.is_none() {
                out.start(symbol, recv_ns, exch_ns);
            } else {
                (out.recv_ns, out.exch_ns) = (out.recv_ns.max(recv_ns), out.exch_ns.max(exch_ns));
            }
            match self.stage(&record, symbol, out) {
                Ok(true) => open = Some(id),
                Ok(false) => return Ok(true),
                Err(reason) => {
                    out.start(symbol, recv_ns, exch_ns);
                    tally.refuse(self.bytes.place(), &reason)?;
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
        place.line -= u64::from(self.held.is_some()).min(place.line);
        place
    }

    fn bytes_read(&self) -> u64 {
        self.bytes.bytes()
    }
}
