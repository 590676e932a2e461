//! Files of Lean: trade bars and quote bars of any resolution, ticks of quotes.
//!
//! Asset class and market come from the folders (`crypto/coinbase/minute/btcusd/...`), the rest from
//! the file's name. A quote bar is imported as the best prices at its end, which is when it is known.

use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, Error, ErrorKind, InstrumentKind, Result, RowKind, Side};

use super::csv::{decimal, trim, whole};
use super::equities::stock;
use super::input::{Lines, Place};
use super::instrument::split_joined;
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, StagedBar, Symbols};
use super::time::{read_timestamp, Date, DAY_NS, HOUR_NS};
use super::InstrumentSpec;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "lean";

/// Decimal places of sizes; what files have beyond them is noise of summed floats.
const SIZE_PLACES: u8 = 8;

/// Imports files of one symbol and kind, in the order of their dates.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let mut files = inputs.to_vec();
    files.sort();
    let open = || Ok(Box::new(Rows::open(&files, options)?) as Box<dyn Source>);
    pipeline::run(NAME, &files, output, options, &open, progress)
}

/// What name and folders of a file say.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Asset class: the folder four or five above the file.
    pub class: String,
    /// Market folder.
    pub market: String,
    /// Symbol in upper case.
    pub symbol: String,
    /// Bar length, `None` for ticks.
    pub bar_ns: Option<i64>,
    /// Quotes instead of trades.
    pub quotes: bool,
    /// Midnight of the day, where times are of the day.
    pub midnight_ns: Option<i64>,
}

/// Reads name and folders.
#[must_use]
pub fn describe(path: &Path) -> Option<Described> {
    let parts: Vec<String> =
        path.iter().map(|part| part.to_string_lossy().to_ascii_lowercase()).collect();
    let at = parts.iter().rposition(|part| {
        matches!(part.as_str(), "tick" | "second" | "minute" | "hour" | "daily")
    })?;
    let name = parts.last()?.split('.').next()?.to_owned();
    let quotes = name.contains("quote");
    if !quotes && !name.contains("trade") {
        return None;
    }
    let bar_ns = match parts[at].as_str() {
        "second" => Some(1_000_000_000),
        "minute" => Some(60_000_000_000),
        "hour" => Some(HOUR_NS),
        "daily" => Some(DAY_NS),
        _ => None,
    };
    let (class, market) = (parts.get(at.checked_sub(2)?)?.clone(), parts.get(at - 1)?.clone());
    let of_day = !matches!(parts[at].as_str(), "hour" | "daily");
    let symbol =
        if of_day { parts.get(at + 1)?.clone() } else { name.split('_').next()?.to_owned() };
    let date = Date::read(&name);
    let midnight_ns = match (of_day, class.as_str()) {
        (false, _) => None,
        (true, "equity") => Some(date?.midnight_new_york_ns()),
        (true, _) => Some(date?.midnight_ns()),
    };
    Some(Described { class, market, symbol: symbol.to_uppercase(), bar_ns, quotes, midnight_ns })
}

fn definition(of: &Described) -> InstrumentSpec {
    if of.class == "equity" {
        return InstrumentSpec { venue: Some(of.market.clone()), ..stock(&of.symbol, &of.market) };
    }
    let (base, quote) = split_joined(&of.symbol);
    let kind = match (of.class.as_str(), quote.as_str()) {
        ("cryptofuture", "USD") => InstrumentKind::InversePerpetual,
        ("cryptofuture", _) => InstrumentKind::LinearPerpetual,
        _ => InstrumentKind::Spot,
    };
    stated(&of.market, kind, &base, &quote)
}

struct Rows {
    waiting: std::vec::IntoIter<PathBuf>,
    current: Option<(Lines, Described)>,
    quotes: bool,
    ticks: bool,
    symbols: Symbols,
    place: Place,
    bytes: u64,
    options: Options,
    unsized_quotes: bool,
}

impl Rows {
    fn open(files: &[PathBuf], options: &Options) -> Result<Self> {
        let mut kinds = Vec::new();
        for path in files {
            let of = describe(path).ok_or_else(|| not_lean(path))?;
            kinds.push((of.quotes, of.bar_ns));
        }
        let same = kinds.windows(2).all(|pair| pair[0] == pair[1]);
        let Some((quotes, bar_ns)) = kinds.first().copied().filter(|_| same) else {
            return Err(Error::new(
                ErrorKind::Config,
                "import trades and quotes, and each resolution, of Lean files apart",
            ));
        };
        Ok(Self {
            waiting: Vec::from(files).into_iter(),
            current: None,
            quotes,
            ticks: bar_ns.is_none(),
            symbols: Symbols::default(),
            place: Place::default(),
            bytes: 0,
            options: options.clone(),
            unsized_quotes: false,
        })
    }

    fn read(
        &mut self,
        line: &[u8],
        of: &Described,
        out: &mut Staged,
    ) -> std::result::Result<(), String> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').map(trim).collect();
        let equity = of.class == "equity";
        let price = |at: usize| {
            let value = decimal(fields.get(at).copied().unwrap_or(b""), "price")?;
            // Prices of stocks are written in units of a hundredth of a cent.
            let scaled =
                if equity { Decimal::new(value.mantissa(), value.scale() + 4) } else { Ok(value) };
            scaled.map_err(|error| error.to_string())
        };
        let size = |at: usize| rounded(fields.get(at).copied().unwrap_or(b""));
        let begin = self.time(fields[0], of)?;
        let symbol = self.symbols.index(&of.symbol, || definition(of));
        out.start(symbol, begin + of.bar_ns.unwrap_or(0), begin + of.bar_ns.unwrap_or(0));
        match (of.quotes, of.bar_ns, fields.len()) {
            (false, Some(_), 6) => {
                let prices = [price(1)?, price(2)?, price(3)?, price(4)?];
                out.bars.push(StagedBar { open_ns: begin, prices, volume: size(5)?, trades: 0 });
            }
            (true, Some(_), 11) => {
                for (side, at) in [(Side::Buy, 4), (Side::Sell, 9)] {
                    // An empty side is written as empty fields.
                    if !fields[at].is_empty() {
                        let qty = self.quoted_size(size(at + 1)?);
                        out.push(RowKind::Best, side, price(at)?, qty);
                    }
                }
            }
            (true, None, 3) => {
                for (side, at) in [(Side::Buy, 1), (Side::Sell, 2)] {
                    let qty = self.quoted_size(Decimal::ZERO);
                    out.push(RowKind::Best, side, price(at)?, qty);
                }
            }
            (true, None, 5) => {
                for (side, at) in [(Side::Buy, 1), (Side::Sell, 3)] {
                    out.push(RowKind::Best, side, price(at)?, size(at + 1)?);
                }
            }
            (false, None, _) => return Err("trade ticks do not say who was the taker".to_owned()),
            _ => return Err(format!("{} columns do not fit this kind of file", fields.len())),
        }
        Ok(())
    }

    /// Quotes without sizes are given one unit: a size of zero would mean an empty side.
    fn quoted_size(&mut self, size: Decimal) -> Decimal {
        if size == Decimal::ZERO {
            self.unsized_quotes = true;
            return Decimal::ONE;
        }
        size
    }

    fn time(&self, field: &[u8], of: &Described) -> std::result::Result<i64, String> {
        let shift = i64::from(self.options.utc_offset_hours.unwrap_or(0)) * HOUR_NS;
        match of.midnight_ns {
            Some(midnight) => {
                let ms = whole(field, "time")?;
                if !(0..=86_400_000).contains(&ms) {
                    return Err(format!("the time {ms} is not within a day"));
                }
                Ok(midnight + ms * 1_000_000 - shift)
            }
            None => std::str::from_utf8(field)
                .ok()
                .and_then(read_timestamp)
                .map(|ns| ns - shift)
                .ok_or_else(|| "the time is not YYYYMMDD HH:MM".to_owned()),
        }
    }
}

/// A size; one with more than the places of sizes is a float, rounded to them.
fn rounded(field: &[u8]) -> std::result::Result<Decimal, String> {
    let exact = Decimal::from_ascii(field).filter(|size| size.scale() <= SIZE_PLACES);
    let float = || {
        let value: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
        let text = format!("{value:.*}", usize::from(SIZE_PLACES));
        Decimal::from_ascii(text.as_bytes())
    };
    exact
        .or_else(float)
        .ok_or_else(|| format!("the size '{}' is not a number", String::from_utf8_lossy(field)))
}

fn not_lean(path: &Path) -> Error {
    Error::new(
        ErrorKind::Data,
        format!(
            "{}: not in the folders of Lean (class/market/resolution/symbol/date_trade.zip)",
            path.display()
        ),
    )
}

impl Source for Rows {
    fn schema(&self) -> Schema {
        if self.quotes || self.ticks {
            Schema::Market
        } else {
            Schema::Bar
        }
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(0, 0, 0);
        let Some((mut lines, of)) = self.current.take() else {
            let Some(path) = self.waiting.next() else {
                if self.unsized_quotes {
                    tally.note("quotes without a size were given the size 1");
                }
                return Ok(false);
            };
            let of = describe(&path).ok_or_else(|| not_lean(&path))?;
            self.current = Some((Lines::new(&[path]), of));
            return Ok(true);
        };
        let line = lines.next_line()?.map(<[u8]>::to_vec);
        self.place = lines.place().clone();
        let Some(line) = line else {
            self.bytes += lines.bytes();
            return Ok(true);
        };
        if !trim(&line).is_empty() {
            tally.message(if of.quotes { "quote" } else { "trade_bar" });
            if let Err(reason) = self.read(&line, &of, out) {
                out.start(0, 0, 0);
                tally.refuse(&self.place, &reason)?;
            }
        }
        self.current = Some((lines, of));
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn bytes_read(&self) -> u64 {
        self.bytes + self.current.as_ref().map_or(0, |(lines, _)| lines.bytes())
    }
}
