//! CSV files of Tardis: `incremental_book_L2`, `book_snapshot_N`, `quotes`, `trades`,
//! `derivative_ticker`. Which one a file is, its header says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, InstrumentKind, Result, RowKind, Side};
use mainspring_venues::Level;

use super::csv::{columns, decimal, epoch, trim};
use super::feed::push_changes;
use super::input::{Lines, Place};
use super::instrument::split_joined;
use super::merge::Merged;
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, Symbols};
use super::InstrumentSpec;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "tardis";

/// Imports files of one period, merged by their local times.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let open = || {
        let part = |path: &PathBuf| Box::new(Table::new(path, options)) as Box<dyn Source>;
        Ok(Box::new(Merged::new(inputs.iter().map(part).collect())) as Box<dyn Source>)
    };
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

/// The columns that all files have.
const KEYS: [&str; 4] = ["exchange", "symbol", "timestamp", "local_timestamp"];

/// The columns of a file, by what it is.
#[derive(Clone, Debug)]
enum Layout {
    /// is_snapshot, side, price, amount
    Incremental([usize; 4]),
    /// price and amount of each ask and bid level
    Snapshot(Vec<[usize; 4]>),
    /// bid price, bid amount, ask price, ask amount
    Quotes([usize; 4]),
    /// side, price, amount
    Trades([usize; 3]),
    /// mark price, funding time, funding rate
    Ticker([usize; 3]),
}

/// Whether a line is the header of such a file.
#[must_use]
pub fn is_header(line: &[u8]) -> bool {
    layout(line).is_some()
}

fn layout(header: &[u8]) -> Option<([usize; 4], Layout)> {
    let keys = columns(header, KEYS)?;
    let find = || {
        if let Some(at) = columns(header, ["is_snapshot", "side", "price", "amount"]) {
            return Some(Layout::Incremental(at));
        }
        if let Some(at) = columns(header, ["id", "side", "price", "amount"]) {
            return Some(Layout::Trades([at[1], at[2], at[3]]));
        }
        if let Some(at) = columns(header, ["bid_price", "bid_amount", "ask_price", "ask_amount"]) {
            // Option chains have quotes as well, and much else.
            return columns(header, ["strike_price"]).is_none().then_some(Layout::Quotes(at));
        }
        if let Some(at) = columns(header, ["mark_price", "funding_timestamp", "funding_rate"]) {
            return Some(Layout::Ticker(at));
        }
        let level = |n: usize| {
            let name = |side: &str, what: &str| format!("{side}[{n}].{what}");
            let names = [
                name("asks", "price"),
                name("asks", "amount"),
                name("bids", "price"),
                name("bids", "amount"),
            ];
            columns(header, [&names[0], &names[1], &names[2], &names[3]])
        };
        let levels: Vec<[usize; 4]> = (0..10_000).map_while(level).collect();
        (!levels.is_empty()).then_some(Layout::Snapshot(levels))
    };
    Some((keys, find()?))
}

/// What is known of one symbol's book.
#[derive(Default)]
struct Book {
    snapshot: bool,
    synced: bool,
    early: u64,
    shown: [Vec<Level>; 2],
    started: bool,
    funding: Option<(i64, Decimal)>,
}

/// One file.
struct Table {
    lines: Lines,
    layout: Option<([usize; 4], Layout)>,
    symbols: Symbols,
    books: Vec<Book>,
    options: Options,
    held: Option<Staged>,
    names: HashMap<Vec<u8>, usize>,
    unsided: u64,
}

impl Table {
    fn new(path: &Path, options: &Options) -> Self {
        Self {
            lines: Lines::new(&[path.to_owned()]),
            layout: None,
            symbols: Symbols::default(),
            books: Vec::new(),
            options: options.clone(),
            held: None,
            names: HashMap::new(),
            unsided: 0,
        }
    }

    /// Reads one line into a message of its own, or `None` for a symbol that is not kept.
    fn read(
        &mut self,
        line: &[u8],
        tally: &mut Tally,
    ) -> std::result::Result<Option<Staged>, String> {
        let Some((keys, layout)) = self.layout.clone() else {
            return Err("no header".to_owned());
        };
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').collect();
        let field =
            |at: usize| fields.get(at).copied().ok_or("a line with too few columns".to_owned());
        let exch_ns = time(field(keys[2])?, "timestamp")?;
        let recv_ns = time(field(keys[3])?, "local_timestamp")?;
        let Some(at) = self.symbol(field(keys[0])?, field(keys[1])?) else {
            return Ok(None);
        };
        let mut out = Staged::default();
        out.start(at, recv_ns, exch_ns);
        match &layout {
            Layout::Incremental(at) => {
                tally.message("incremental_book_L2");
                let [snapshot, side, price, amount] = at.map(&field);
                self.incremental(&mut out, snapshot?, side?, price?, amount?)?;
            }
            Layout::Trades(at) => {
                tally.message("trades");
                let [side, price, amount] = at.map(&field);
                let level = level(price?, amount?)?;
                match side? {
                    b"buy" => out.push(RowKind::Trade, Side::Buy, level.price, level.qty),
                    b"sell" => out.push(RowKind::Trade, Side::Sell, level.price, level.qty),
                    b"unknown" => self.unsided += 1,
                    other => return Err(format!("the side '{}' is unknown", text(other))),
                }
            }
            Layout::Quotes(at) => {
                tally.message("quotes");
                let [bid_price, bid_amount, ask_price, ask_amount] = at.map(&field);
                let sides =
                    [(Side::Buy, bid_price?, bid_amount?), (Side::Sell, ask_price?, ask_amount?)];
                for (side, price, amount) in sides {
                    // An empty side is written as empty fields.
                    let level = match (trim(price), trim(amount)) {
                        (b"", _) => Level::default(),
                        (price, amount) => level(price, amount)?,
                    };
                    out.push(RowKind::Best, side, level.price, level.qty);
                }
            }
            Layout::Ticker(at) => {
                tally.message("derivative_ticker");
                let [mark, due, rate] = at.map(&field);
                self.ticker(&mut out, mark?, due?, rate?)?;
            }
            Layout::Snapshot(levels) => {
                tally.message("book_snapshot");
                self.snapshot(&mut out, levels, &field)?;
            }
        }
        Ok(Some(out))
    }

    fn symbol(&mut self, exchange: &[u8], symbol: &[u8]) -> Option<usize> {
        if let Some(at) = self.names.get(symbol) {
            return Some(*at);
        }
        let (venue, name) = (text(exchange), text(symbol));
        if !self.options.keeps(&name) {
            return None;
        }
        let at = self.symbols.index(&name, || definition(&venue, &name));
        self.names.insert(symbol.to_vec(), at);
        self.books.resize_with(at + 1, Book::default);
        Some(at)
    }

    fn incremental(
        &mut self,
        out: &mut Staged,
        snapshot: &[u8],
        side: &[u8],
        price: &[u8],
        amount: &[u8],
    ) -> std::result::Result<(), String> {
        let book = &mut self.books[out.symbol];
        let snapshot = match snapshot {
            b"true" => true,
            b"false" => false,
            other => return Err(format!("is_snapshot is '{}', not true or false", text(other))),
        };
        let side = match side {
            b"bid" => Side::Buy,
            b"ask" => Side::Sell,
            other => return Err(format!("the side '{}' is unknown", text(other))),
        };
        let level = level(price, amount)?;
        if snapshot && !book.snapshot {
            out.push_clear();
            book.synced = true;
        }
        book.snapshot = snapshot;
        if snapshot {
            out.push_snapshot(side, level.price, level.qty);
        } else if book.synced {
            out.push(RowKind::Depth, side, level.price, level.qty);
        } else {
            book.early += 1;
        }
        Ok(())
    }

    fn snapshot<'a>(
        &mut self,
        out: &mut Staged,
        columns: &[[usize; 4]],
        field: &impl Fn(usize) -> std::result::Result<&'a [u8], String>,
    ) -> std::result::Result<(), String> {
        let mut now = [Vec::new(), Vec::new()];
        for at in columns {
            for (n, pair) in [(0, [at[2], at[3]]), (1, [at[0], at[1]])] {
                let (price, amount) = (field(pair[0])?, field(pair[1])?);
                if !trim(price).is_empty() {
                    now[n].push(level(price, amount)?);
                }
            }
        }
        let book = &mut self.books[out.symbol];
        for (n, side) in [Side::Buy, Side::Sell].into_iter().enumerate() {
            if book.started {
                push_changes(side, &book.shown[n], &now[n], out);
            } else {
                if n == 0 {
                    out.push_clear();
                }
                now[n].iter().for_each(|l| out.push_snapshot(side, l.price, l.qty));
            }
        }
        book.started = true;
        book.shown = now;
        Ok(())
    }

    fn ticker(
        &mut self,
        out: &mut Staged,
        mark: &[u8],
        due: &[u8],
        rate: &[u8],
    ) -> std::result::Result<(), String> {
        if !self.options.streams.mark {
            return Ok(());
        }
        let book = &mut self.books[out.symbol];
        if !trim(due).is_empty() && !trim(rate).is_empty() {
            let (due, rate) = (time(due, "funding_timestamp")?, decimal(rate, "funding rate")?);
            // The rate of the period that ended is the last one stated in it.
            if let Some((_, settled)) = book.funding.filter(|own| own.0 < due) {
                out.push(RowKind::Funding, Side::Buy, Decimal::ZERO, settled);
            }
            book.funding = Some((due, rate));
        }
        if !trim(mark).is_empty() {
            out.push(RowKind::Mark, Side::Buy, decimal(mark, "mark price")?, Decimal::ZERO);
        }
        Ok(())
    }

    fn finish(&self, tally: &mut Tally) {
        for (symbol, book) in self.symbols.list().iter().zip(&self.books) {
            if book.early > 0 {
                tally.note(format!(
                    "{}: {} rows in front of the first snapshot were not imported",
                    symbol.name, book.early
                ));
            }
        }
        if self.unsided > 0 {
            tally.note(format!("{} trades without a known taker were left out", self.unsided));
        }
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

fn level(price: &[u8], amount: &[u8]) -> std::result::Result<Level, String> {
    Ok(Level { price: decimal(price, "price")?, qty: decimal(amount, "amount")? })
}

/// Microseconds, or nanoseconds in files that were converted; told apart by their magnitude.
fn time(field: &[u8], what: &str) -> std::result::Result<i64, String> {
    let unit = if trim(field).len() >= 18 { 1 } else { 1_000 };
    let ns = epoch(field, unit, what)?;
    if ns < 1_000_000_000_000_000_000 {
        return Err(format!("the {what} is not in microseconds since 1970"));
    }
    Ok(ns)
}

/// What exchange and symbol say by Tardis' naming.
fn definition(exchange: &str, symbol: &str) -> InstrumentSpec {
    use InstrumentKind::{InversePerpetual, LinearPerpetual, Spot};
    let (base, quote) =
        split_joined(symbol.trim_end_matches("-PERPETUAL").trim_end_matches("-SWAP"));
    let derivative =
        ["futures", "swap", "delivery", "perp", "dm"].iter().any(|w| exchange.contains(w))
            || matches!(exchange, "bitmex" | "deribit" | "bybit" | "hyperliquid" | "dydx");
    let kind = match (derivative, quote.as_str()) {
        (false, _) => Spot,
        (true, "USD") if exchange != "dydx" => InversePerpetual,
        (true, _) => LinearPerpetual,
    };
    stated(exchange, kind, base.trim_end_matches('-'), &quote)
}

impl Source for Table {
    fn schema(&self) -> Schema {
        Schema::Market
    }

    /// Rows of one local time and symbol of an incremental book are one message.
    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        let mut message = self.held.take();
        loop {
            let Some(line) = self.lines.next_line()?.map(<[u8]>::to_vec) else {
                if let Some(last) = message {
                    *out = last;
                    return Ok(true);
                }
                self.finish(tally);
                return Ok(false);
            };
            if self.lines.place().line == 1 {
                self.layout = layout(&line);
                if self.layout.is_none() {
                    let what = "not the header of a Tardis file that can be imported";
                    let place = self.lines.place();
                    return Err(mainspring_core::Error::new(
                        mainspring_core::ErrorKind::Data,
                        format!("{place}: {what}"),
                    ));
                }
                continue;
            }
            if trim(&line).is_empty() {
                continue;
            }
            let read = match self.read(&line, tally) {
                Ok(Some(read)) if !read.is_empty() => read,
                Ok(_) => continue,
                Err(reason) => {
                    tally.refuse(self.lines.place(), &reason)?;
                    continue;
                }
            };
            let groups = matches!(self.layout, Some((_, Layout::Incremental(_))));
            match &mut message {
                None if groups => message = Some(read),
                None => {
                    *out = read;
                    return Ok(true);
                }
                Some(open)
                    if (open.symbol, open.recv_ns, open.exch_ns)
                        == (read.symbol, read.recv_ns, read.exch_ns)
                        && read.rows[0].kind != RowKind::Clear =>
                {
                    open.rows.extend_from_slice(&read.rows);
                }
                Some(_) => {
                    self.held = Some(read);
                    if let Some(done) = message {
                        *out = done;
                    }
                    return Ok(true);
                }
            }
        }
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        let mut place = self.lines.place().clone();
        // The line that was read ahead belongs to the next message.
        place.line -= u64::from(self.held.is_some()).min(place.line);
        place
    }

    fn bytes_read(&self) -> u64 {
        self.lines.bytes()
    }
}
