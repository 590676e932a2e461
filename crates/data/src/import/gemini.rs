//! Gemini CSV files: best bid and ask each second (`market-depth`) and trades.

use std::path::{Path, PathBuf};

use mainspring_core::{Error, ErrorKind, InstrumentKind, Result, RowKind, Side};

use super::csv::{decimal, split, trim};
use super::input::{Lines, Place};
use super::merge::Merged;
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, Symbols};
use super::time::seconds_ns;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "gemini";

const DEPTH: &[u8] = b"time_seconds,bid_price_bid_size,ask_price_ask_size";
const TRADES: &[u8] = b"time_seconds,price,size,is_buyer_maker";

/// Whether a line is the header of such a file.
#[must_use]
pub fn is_header(line: &[u8]) -> bool {
    matches!(trim(line), DEPTH | TRADES)
}

/// Imports files of one symbol and period, merged by their times.
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

struct Table {
    lines: Lines,
    symbols: Symbols,
    symbol: usize,
    trades: bool,
}

impl Table {
    /// `eth-usd_2021-07-01_trade.csv` is about ETH-USD.
    fn new(path: &Path, options: &Options) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named = name.split(['_', '.']).next().unwrap_or("unknown").to_ascii_uppercase();
        let symbol = options.symbol.clone().unwrap_or(named);
        let (base, quote) = symbol.split_once('-').unwrap_or((&symbol, ""));
        let mut symbols = Symbols::default();
        let spec = stated("gemini", InstrumentKind::Spot, base, quote);
        let at = symbols.index(&symbol, || spec);
        Self { lines: Lines::new(&[path.to_owned()]), symbols, symbol: at, trades: false }
    }
}

fn time(field: &[u8]) -> std::result::Result<i64, String> {
    let seconds = decimal(field, "time")?;
    seconds_ns(seconds)
        .filter(|ns| *ns > 0)
        .ok_or_else(|| format!("the time {seconds} is out of range"))
}

fn read(line: &[u8], trades: bool, out: &mut Staged) -> std::result::Result<(), String> {
    if trades {
        let Some([at, price, size, maker]) = split::<4>(line, b',') else {
            return Err("not a trade (time,price,size,is_buyer_maker)".to_owned());
        };
        let time_ns = time(at)?;
        out.start(out.symbol, time_ns, time_ns);
        let taker = match trim(maker) {
            b"1" => Side::Sell,
            b"0" => Side::Buy,
            _ => return Err("is_buyer_maker is neither 0 nor 1".to_owned()),
        };
        out.push(RowKind::Trade, taker, decimal(price, "price")?, decimal(size, "size")?);
        return Ok(());
    }
    let Some([at, bid, ask]) = split::<3>(line, b',') else {
        return Err("not a quote (time,bid price_size,ask price_size)".to_owned());
    };
    let time_ns = time(at)?;
    out.start(out.symbol, time_ns, time_ns);
    for (side, level) in [(Side::Buy, bid), (Side::Sell, ask)] {
        let Some([price, size]) = split::<2>(level, b'_') else {
            return Err("a best price that is not price_size".to_owned());
        };
        out.push(RowKind::Best, side, decimal(price, "price")?, decimal(size, "size")?);
    }
    Ok(())
}

impl Source for Table {
    fn schema(&self) -> Schema {
        Schema::Market
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(self.symbol, 0, 0);
        let Some(line) = self.lines.next_line()? else {
            return Ok(false);
        };
        let line = trim(line).to_vec();
        if self.lines.place().line == 1 {
            if !is_header(&line) {
                let what = "not the header of a Gemini depth or trade file";
                let place = self.lines.place();
                return Err(Error::new(ErrorKind::Data, format!("{place}: {what}")));
            }
            self.trades = line == TRADES;
            return Ok(true);
        }
        if line.is_empty() {
            return Ok(true);
        }
        tally.message(if self.trades { "trade" } else { "quote" });
        if let Err(reason) = read(&line, self.trades, out) {
            out.start(self.symbol, 0, 0);
            tally.refuse(self.lines.place(), &reason)?;
        }
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        self.lines.place().clone()
    }

    fn bytes_read(&self) -> u64 {
        self.lines.bytes()
    }
}
