//! Sessions recorded by cryptofeed: REST answers and websocket messages of one venue in several files.
//!
//! `X.0` holds the instrument lists, `X.http.N` REST snapshots, `X.ws.N` a connection each. The files
//! of one session are read together, in the order of their times.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, Error, ErrorKind, Result};
use serde_json::Value;

use super::binance::{Feed, Traded};
use super::feed::{Books, Venue, KRAKEN, OKX};
use super::input::{Lines, Place};
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{Source, Staged, Symbols};
use super::time::seconds_ns;
use super::InstrumentSpec;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "cryptofeed";

/// Imports a session. With only a `X.ws.N` file given, the other files of the session beside it are
/// read as well.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let files = session_of(inputs)?;
    let traded = Traded::default();
    let open = || Ok(Box::new(Session::open(&files, options, &traded)?) as Box<dyn Source>);
    pipeline::run(NAME, &files, output, options, &open, progress)
}

/// The files of the session that the inputs belong to, instrument lists first.
fn session_of(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let name_of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = inputs.to_vec();
    if let [only] = inputs {
        let name = name_of(only);
        if let Some((venue, _)) = name.split_once(".ws.") {
            let folder = only.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            let entries = std::fs::read_dir(folder)?;
            for entry in entries {
                let path = entry?.path();
                let other = name_of(&path);
                let of_session = other.strip_prefix(venue).is_some_and(|rest| {
                    [".0", ".http.", ".ws."].iter().any(|p| rest.starts_with(p))
                });
                if of_session && path.is_file() && path != *only {
                    files.push(path);
                }
            }
        }
    }
    files.sort_by_key(|path| {
        let name = name_of(path);
        (name.contains(".ws."), name.contains(".http."), name)
    });
    Ok(files)
}

/// What a line is.
enum Frame<'a> {
    /// `<url> -> <time>: <answer>`
    Rest(&'a str, i64, &'a [u8]),
    /// `<url> <-> <time>`
    Connected(&'a str, i64),
    /// `<time>: <message>`
    Received(i64, &'a [u8]),
    /// Sent by the client, or the configuration of the recorder.
    Ignored,
}

fn frame(line: &[u8]) -> Option<Frame<'_>> {
    let find = |what: &str| memchr::memmem::find(line, what.as_bytes());
    let text = |range: &[u8]| std::str::from_utf8(range).ok().map(str::to_owned);
    let time = |range: &[u8]| {
        let text = text(range)?;
        seconds_ns(text.trim().parse().ok()?).filter(|ns| *ns > 0)
    };
    if line.first().is_some_and(u8::is_ascii_digit) {
        let colon = find(": ")?;
        return Some(Frame::Received(time(&line[..colon])?, &line[colon + 2..]));
    }
    if line.starts_with(b"configuration: ") {
        return Some(Frame::Ignored);
    }
    let space = find(" ")?;
    let url = std::str::from_utf8(&line[..space]).ok()?;
    let rest = &line[space + 1..];
    if let Some(rest) = rest.strip_prefix(b"<-> ") {
        return Some(Frame::Connected(url, time(rest)?));
    }
    if rest.starts_with(b"<- ") {
        return Some(Frame::Ignored);
    }
    let rest = rest.strip_prefix(b"-> ")?;
    let colon = memchr::memmem::find(rest, b": ")?;
    Some(Frame::Rest(url, time(&rest[..colon])?, &rest[colon + 2..]))
}

/// One file with its next line.
struct Part {
    lines: Lines,
    line: Vec<u8>,
    time_ns: i64,
    live: bool,
}

impl Part {
    fn open(path: &Path) -> Result<Self> {
        let lines = Lines::new(&[path.to_owned()]);
        let mut part = Self { lines, line: Vec::new(), time_ns: 0, live: true };
        part.advance()?;
        Ok(part)
    }

    fn advance(&mut self) -> Result<()> {
        self.line.clear();
        match self.lines.next_line()? {
            Some(line) => self.line.extend_from_slice(line),
            None => self.live = false,
        }
        if let Some(
            Frame::Rest(_, time, _) | Frame::Connected(_, time) | Frame::Received(time, _),
        ) = frame(&self.line)
        {
            self.time_ns = time;
        }
        Ok(())
    }
}

/// How the messages of a venue are read.
enum Reader {
    Common(Box<Books>),
    Binance(Box<Feed>),
}

struct Session {
    parts: Vec<Part>,
    current: usize,
    reader: Reader,
    defined: HashMap<String, InstrumentSpec>,
    connected: Vec<bool>,
}

impl Session {
    fn open(files: &[PathBuf], options: &Options, traded: &Traded) -> Result<Self> {
        let parts = files.iter().map(|path| Part::open(path)).collect::<Result<Vec<_>>>()?;
        let urls = parts.iter().filter_map(|part| match frame(&part.line) {
            Some(Frame::Connected(url, _) | Frame::Rest(url, ..)) => Some(url),
            _ => None,
        });
        let reader = urls.filter_map(|url| reader_for(url, options, traded)).next();
        let reader = reader.ok_or_else(|| {
            let what = "not a cryptofeed session of OKX, Kraken or Binance";
            Error::new(ErrorKind::Data, format!("{}: {what}", files[0].display()))
        })?;
        let connected = vec![false; parts.len()];
        Ok(Self { parts, current: 0, reader, defined: HashMap::new(), connected })
    }

    /// The part whose line is the earliest.
    fn earliest(&self) -> Option<usize> {
        let live = self.parts.iter().enumerate().filter(|(_, part)| part.live);
        live.min_by_key(|(at, part)| (part.time_ns, *at)).map(|(at, _)| at)
    }

    fn take(&mut self, out: &mut Staged, tally: &mut Tally) -> std::result::Result<(), String> {
        let part = &self.parts[self.current];
        let place = part.lines.place().clone();
        if part.line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let Some(frame) = frame(&part.line) else {
            return Err("not a line of a cryptofeed session".to_owned());
        };
        match (frame, &mut self.reader) {
            (Frame::Ignored, _) => Ok(()),
            (Frame::Connected(_, time), Reader::Common(books)) => {
                if std::mem::replace(&mut self.connected[self.current], true) {
                    books.reconnected(time, &place, tally);
                }
                Ok(())
            }
            // Binance's update ids show what a new connection has missed.
            (Frame::Connected(..), Reader::Binance(_)) => Ok(()),
            (Frame::Rest(url, time, text), reader) => {
                tally.message("rest");
                if let Some(listed) = instruments_in(url, text) {
                    let listed = listed?;
                    match reader {
                        Reader::Common(books) => books.defined.extend(listed),
                        Reader::Binance(_) => self.defined.extend(listed),
                    }
                    return Ok(());
                }
                match (reader, symbol_in(url)) {
                    (Reader::Binance(feed), Some(symbol)) => {
                        let read = feed.message(time, text, Some(symbol), out, tally);
                        Self::settle(feed, &self.defined, &place, tally);
                        read
                    }
                    _ => Ok(()),
                }
            }
            (Frame::Received(time, text), Reader::Common(books)) => {
                books.message(Some(time), text, &place, tally)
            }
            (Frame::Received(time, text), Reader::Binance(feed)) => {
                let read = feed.message(time, text, None, out, tally);
                Self::settle(feed, &self.defined, &place, tally);
                read
            }
        }
    }

    fn settle(
        feed: &mut Feed,
        defined: &HashMap<String, InstrumentSpec>,
        place: &Place,
        tally: &mut Tally,
    ) {
        feed.state_missing(defined);
        if let Some((symbol, reason)) = feed.gap.take() {
            tally.gap(&symbol, place, reason);
        }
    }
}

fn reader_for(url: &str, options: &Options, traded: &Traded) -> Option<Reader> {
    let common = |venue: Venue| Reader::Common(Box::new(Books::new(venue, options)));
    if url.contains("okx.com") || url.contains("okex.com") {
        Some(common(OKX))
    } else if url.contains("kraken.com") {
        Some(common(KRAKEN))
    } else if url.contains("binance.com") || url.contains("binance.us") {
        Some(Reader::Binance(Box::new(Feed::new(options, traded.clone()))))
    } else {
        None
    }
}

/// The symbol that a REST request asks for.
fn symbol_in(url: &str) -> Option<&str> {
    let query = url.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix("symbol="))
}

type Listed = Vec<(String, InstrumentSpec)>;

/// The instruments that a REST answer lists; `None` when it is not such a list.
fn instruments_in(url: &str, text: &[u8]) -> Option<std::result::Result<Listed, String>> {
    let list: fn(&Value) -> Option<Listed> = if url.contains("/public/instruments") {
        okx_instruments
    } else if url.contains("/AssetPairs") {
        kraken_instruments
    } else if url.contains("/exchangeInfo") {
        binance_instruments
    } else {
        return None;
    };
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Some(Err(error.to_string())),
    };
    Some(list(&value).ok_or_else(|| "not the instrument list that its address names".to_owned()))
}

fn decimal(value: &Value) -> Option<Decimal> {
    let text = value.as_str()?;
    text.parse().ok().filter(|number: &Decimal| number.mantissa() > 0)
}

fn okx_instruments(answer: &Value) -> Option<Listed> {
    let one = |item: &Value| {
        let symbol = item["instId"].as_str()?.to_owned();
        let size = decimal(&item["ctVal"]).map(|value| {
            let times = decimal(&item["ctMult"]).unwrap_or(Decimal::ONE);
            Decimal::new(
                value.mantissa().saturating_mul(times.mantissa()),
                value.scale() + times.scale(),
            )
        });
        let spec = InstrumentSpec {
            tick: decimal(&item["tickSz"]),
            lot: decimal(&item["lotSz"]),
            multiplier: size.and_then(std::result::Result::ok),
            ..InstrumentSpec::default()
        };
        Some((symbol, spec))
    };
    Some(answer["data"].as_array()?.iter().filter_map(one).collect())
}

fn kraken_instruments(answer: &Value) -> Option<Listed> {
    let one = |item: &Value| {
        let symbol = item["wsname"].as_str()?.to_owned();
        let places = |key: &str| Decimal::new(1, u8::try_from(item[key].as_u64()?).ok()?).ok();
        let rate = |key: &str| {
            let percent: Decimal = item[key][0][1].to_string().parse().ok()?;
            Decimal::new(percent.mantissa(), percent.scale() + 2).ok()
        };
        let spec = InstrumentSpec {
            tick: places("pair_decimals"),
            lot: places("lot_decimals"),
            taker_fee: rate("fees"),
            maker_fee: rate("fees_maker"),
            ..InstrumentSpec::default()
        };
        Some((symbol, spec))
    };
    Some(answer["result"].as_object()?.values().filter_map(one).collect())
}

fn binance_instruments(answer: &Value) -> Option<Listed> {
    let one = |item: &Value| {
        let symbol = item["symbol"].as_str()?.to_owned();
        let filters = item["filters"].as_array()?;
        let filter = |kind: &str, key: &str| {
            decimal(&filters.iter().find(|own| own["filterType"] == kind)?[key])
        };
        let text = |key: &str| item[key].as_str().map(str::to_owned);
        let contract = item["contractSize"].as_u64();
        let spec = InstrumentSpec {
            base: text("baseAsset"),
            quote: text("quoteAsset"),
            tick: filter("PRICE_FILTER", "tickSize"),
            lot: filter("LOT_SIZE", "stepSize"),
            multiplier: contract.and_then(|size| Decimal::new(i64::try_from(size).ok()?, 0).ok()),
            min_notional: filter("MIN_NOTIONAL", "minNotional")
                .or_else(|| filter("MIN_NOTIONAL", "notional")),
            ..InstrumentSpec::default()
        };
        Some((symbol, spec))
    };
    Some(answer["symbols"].as_array()?.iter().filter_map(one).collect())
}

impl Source for Session {
    fn schema(&self) -> Schema {
        Schema::Market
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        let waiting = match &mut self.reader {
            Reader::Common(books) => books.queue.pop_front().map(|staged| *out = staged).is_some(),
            Reader::Binance(feed) => feed.next_waiting(out),
        };
        if waiting {
            return Ok(true);
        }
        out.start(0, 0, 0);
        let Some(at) = self.earliest() else {
            match &mut self.reader {
                Reader::Common(books) => books.finish(tally),
                Reader::Binance(feed) => feed.finish(tally),
            }
            return Ok(false);
        };
        self.current = at;
        if let Err(reason) = self.take(out, tally) {
            out.start(0, 0, 0);
            tally.refuse(self.parts[at].lines.place(), &reason)?;
        }
        self.parts[at].advance()?;
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        match &self.reader {
            Reader::Common(books) => books.symbols(),
            Reader::Binance(feed) => feed.symbols(),
        }
    }

    fn place(&self) -> Place {
        let mut place = self.parts[self.current].lines.place().clone();
        // The part has gone on to its next line.
        place.line = place.line.saturating_sub(u64::from(self.parts[self.current].live));
        place
    }

    fn bytes_read(&self) -> u64 {
        self.parts.iter().map(|part| part.lines.bytes()).sum()
    }
}
