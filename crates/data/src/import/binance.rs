//! Raw Binance recordings: lines `<receive ns> <message>`, with the REST snapshot among them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mainspring_core::{InstrumentKind, Result, RowKind, Side};
use mainspring_venues::binance::sync::DiffIds;
use mainspring_venues::binance::{Body, Decoder, DepthSync, Market, Message, Step};
use mainspring_venues::json::integer;

use super::input::{Lines, Place};
use super::instrument::{split_joined, InstrumentSpec};
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, Symbols};
use crate::format::Schema;

/// Most depth messages that wait for a snapshot; older ones are dropped, as no snapshot that is
/// still to come can need them.
const MAX_HELD: usize = 20_000;

/// The name of the format.
pub const NAME: &str = "binance";

/// Imports raw recordings. Several inputs are continuations of each other, in this order.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let traded = Traded::default();
    let open = || {
        let feed = Feed::new(options, traded.clone());
        Ok(Box::new(Recording { lines: Lines::new(inputs), feed }) as Box<dyn Source>)
    };
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

/// Symbols with single trades, found in the first pass: their aggregate trades are left out.
pub type Traded = Rc<RefCell<Vec<String>>>;

struct Recording {
    lines: Lines,
    feed: Feed,
}

impl Source for Recording {
    fn schema(&self) -> Schema {
        Schema::Market
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        if self.feed.next_waiting(out) {
            return Ok(true);
        }
        out.start(0, 0, 0);
        let Some(line) = self.lines.next_line()? else {
            self.feed.finish(tally);
            return Ok(false);
        };
        let refusal = match split_line(line) {
            Some((recv_ns, text)) => self.feed.message(recv_ns, text, None, out, tally).err(),
            None if line.iter().all(u8::is_ascii_whitespace) => None,
            None => Some("not a line '<receive time in ns> <message>'".to_owned()),
        };
        if let Some(gap) = self.feed.gap.take() {
            tally.gap(&gap.0, self.lines.place(), gap.1);
        }
        if let Some(reason) = refusal {
            out.start(0, 0, 0);
            let cut = if self.lines.is_whole() { "" } else { " (the last line is cut off)" };
            tally.refuse(self.lines.place(), &format!("{reason}{cut}"))?;
        }
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.feed.symbols
    }

    fn place(&self) -> Place {
        self.lines.place().clone()
    }

    fn bytes_read(&self) -> u64 {
        self.lines.bytes()
    }
}

/// The receive time and the text of a line.
#[must_use]
pub fn split_line(line: &[u8]) -> Option<(i64, &[u8])> {
    let at = memchr::memchr(b' ', line)?;
    let recv_ns = integer(&line[..at]).filter(|ns| *ns > 0)?;
    Some((recv_ns, &line[at + 1..]))
}

/// The book sequence of one symbol.
struct Book {
    sync: DepthSync,
    held: VecDeque<(DiffIds, Staged)>,
    dropped: u64,
    snapshots: u64,
    exch_ns: i64,
    funding: Option<(i64, mainspring_core::Decimal)>,
}

/// Messages to staged rows, for any way of recording them.
pub struct Feed {
    decoder: Decoder,
    symbols: Symbols,
    books: Vec<Book>,
    waiting: VecDeque<Staged>,
    options: Options,
    traded: Traded,
    futures: Option<bool>,
    /// A gap found by the last message: symbol and reason.
    pub gap: Option<(String, String)>,
}

impl Feed {
    /// A feed without books.
    #[must_use]
    pub fn new(options: &Options, traded: Traded) -> Self {
        let futures = options.venue.as_deref().map(|venue| venue != "binance");
        Self {
            decoder: Decoder::default(),
            symbols: Symbols::default(),
            books: Vec::new(),
            waiting: VecDeque::new(),
            options: options.clone(),
            traded,
            futures,
            gap: None,
        }
    }

    /// The symbols so far.
    #[must_use]
    pub const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Hands over a message that was held back; false when there is none.
    pub fn next_waiting(&mut self, out: &mut Staged) -> bool {
        match self.waiting.pop_front() {
            Some(staged) => {
                *out = staged;
                true
            }
            None => false,
        }
    }

    /// Takes one message; `symbol` is for answers that do not name theirs.
    ///
    /// # Errors
    /// Says what is wrong with the message.
    pub fn message(
        &mut self,
        recv_ns: i64,
        text: &[u8],
        symbol: Option<&str>,
        out: &mut Staged,
        tally: &mut Tally,
    ) -> std::result::Result<(), String> {
        let mut message = self.decoder.decode(text)?;
        tally.message(message.kind);
        if matches!(message.body, Body::Other) {
            return Ok(());
        }
        if message.symbol.is_empty() {
            message.symbol = symbol.unwrap_or("");
        }
        let at = match message.body {
            Body::Snapshot { last } if message.symbol.is_empty() => self.owner_of(last)?,
            _ if !self.options.keeps(message.symbol) => return Ok(()),
            _ => self.symbol(&message),
        };
        self.stage(at, recv_ns, &message, out);
        Ok(())
    }

    /// Notes at the end of the input.
    pub fn finish(&mut self, tally: &mut Tally) {
        for (at, book) in self.books.iter_mut().enumerate() {
            let left = book.held.len() as u64 + std::mem::take(&mut book.dropped);
            book.held.clear();
            if left > 0 && self.options.streams.depth {
                let when = if book.snapshots == 0 {
                    "there is no snapshot to apply them to; import this file behind the one that \
                     has it"
                } else {
                    "no snapshot followed the gap in front of them"
                };
                let name = &self.symbols.list()[at].name;
                tally.note(format!("{name}: {left} depth messages were not imported: {when}"));
            }
        }
        for at in 0..self.symbols.list().len() {
            let name = self.symbols.list()[at].name.clone();
            if let Some(spec) = self.symbols.stated_mut(at).filter(|spec| spec.kind.is_none()) {
                *spec = definition(&name, false);
                tally
                    .note(format!("{name}: taken to be spot, nothing in the input says otherwise"));
            }
        }
        if self.decoder.fallbacks() > 0 {
            let count = self.decoder.fallbacks();
            tally.note(format!("{count} messages needed the strict JSON reader"));
        }
    }

    /// Fills in definitions from an instrument list that the recording holds.
    pub fn state_missing(&mut self, listed: &std::collections::HashMap<String, InstrumentSpec>) {
        for at in 0..self.symbols.list().len() {
            let Some(known) = listed.get(&self.symbols.list()[at].name) else { continue };
            if let Some(spec) = self.symbols.stated_mut(at).filter(|spec| spec.tick.is_none()) {
                *spec = known.clone().or(spec);
            }
        }
    }

    fn symbol(&mut self, message: &Message<'_>) -> usize {
        let shape = self.futures.or(message.futures);
        let at = self.symbols.index(message.symbol, Default::default);
        if at == self.books.len() {
            self.books.push(Book {
                sync: DepthSync::new(Market::Spot),
                held: VecDeque::new(),
                dropped: 0,
                snapshots: 0,
                exch_ns: 0,
                funding: None,
            });
        }
        if let Some(spec) = self.symbols.stated_mut(at) {
            if spec.kind.is_none() {
                if let Some(futures) = shape {
                    *spec = definition(message.symbol, futures);
                    let market = if futures { Market::Futures } else { Market::Spot };
                    self.books[at].sync = DepthSync::new(market);
                }
            }
        }
        at
    }

    /// The symbol of a snapshot that does not say: the only one, or the one whose waiting updates
    /// hold its id.
    fn owner_of(&self, last: i64) -> std::result::Result<usize, String> {
        let holds = |book: &Book| match (book.held.front(), book.held.back()) {
            (Some((first, _)), Some((end, _))) => first.first <= last + 1 && last <= end.last,
            _ => false,
        };
        let mut owners =
            (0..self.books.len()).filter(|at| self.books.len() == 1 || holds(&self.books[*at]));
        match (owners.next(), owners.next()) {
            (Some(at), None) => Ok(at),
            _ => Err("a snapshot without a symbol, and no update in front of it tells whose it is"
                .to_owned()),
        }
    }

    fn stage(&mut self, at: usize, recv_ns: i64, message: &Message<'_>, out: &mut Staged) {
        let wanted = match message.body {
            Body::Trade { aggregate, on_book, .. } => on_book && self.wants_trade(at, aggregate),
            _ => true,
        };
        let book = &mut self.books[at];
        let own_time = message.transact_ns.or(message.event_ns);
        let exch_ns = match own_time {
            Some(own) => own,
            // A message without a time happened after the last one that has a time.
            None if book.exch_ns > 0 => book.exch_ns,
            None => recv_ns,
        };
        book.exch_ns = book.exch_ns.max(exch_ns);
        out.start(at, recv_ns, exch_ns);
        out.stamped = own_time.is_some();
        let streams = self.options.streams;
        match message.body {
            Body::Depth { first, last, previous } if streams.depth => {
                self.diff(at, DiffIds { first, last, previous }, out);
            }
            Body::Snapshot { last } if streams.depth => self.snapshot(at, last, out),
            Body::Trade { price, qty, buyer_is_maker, .. } if streams.trades && wanted => {
                let taker = if buyer_is_maker { Side::Sell } else { Side::Buy };
                out.push(RowKind::Trade, taker, price, qty);
            }
            Body::BookTicker { bid, ask, .. } if streams.best => {
                out.push(RowKind::Best, Side::Buy, bid.price, bid.qty);
                out.push(RowKind::Best, Side::Sell, ask.price, ask.qty);
            }
            Body::MarkPrice { mark, rate, next_funding_ms } if streams.mark => {
                let next = rate.map(|rate| (next_funding_ms, rate));
                // The rate of the period that ended is the last one stated in it.
                if let Some((due, rate)) = book.funding.filter(|own| own.0 < next_funding_ms) {
                    if due > 0 {
                        out.push(RowKind::Funding, Side::Buy, Default::default(), rate);
                    }
                }
                book.funding = next;
                out.push(RowKind::Mark, Side::Buy, mark, Default::default());
            }
            _ => {}
        }
    }

    fn wants_trade(&self, at: usize, aggregate: bool) -> bool {
        let name = &self.symbols.list()[at].name;
        let known = self.traded.borrow().iter().any(|own| own == name);
        if !aggregate && !known {
            self.traded.borrow_mut().push(name.clone());
        }
        !(aggregate && known)
    }

    fn diff(&mut self, at: usize, ids: DiffIds, out: &mut Staged) {
        let step = self.books[at].sync.diff(ids);
        match step {
            Step::Apply => self.push_levels(out, false),
            Step::Old => {}
            Step::Hold => {
                self.push_levels(out, false);
                self.hold(at, ids, out);
            }
            Step::Gap => {
                self.push_levels(out, false);
                self.hold(at, ids, out);
                out.push_gap();
                self.gap = Some((self.symbols.list()[at].name.clone(), gap_reason(ids)));
            }
        }
    }

    /// Keeps a depth message until the snapshot; `out` is left empty.
    fn hold(&mut self, at: usize, ids: DiffIds, out: &mut Staged) {
        let book = &mut self.books[at];
        let mut kept = out.clone();
        kept.stamped = false;
        book.held.push_back((ids, kept));
        if book.held.len() > MAX_HELD {
            book.held.pop_front();
            book.dropped += 1;
        }
        out.rows.clear();
    }

    fn push_levels(&self, out: &mut Staged, snapshot: bool) {
        for (side, levels) in [(Side::Buy, self.decoder.bids()), (Side::Sell, self.decoder.asks())]
        {
            for level in levels {
                if snapshot {
                    out.push_snapshot(side, level.price, level.qty);
                } else {
                    out.push(RowKind::Depth, side, level.price, level.qty);
                }
            }
        }
    }

    /// Starts the book at a snapshot and lets the updates go that were waiting for it.
    fn snapshot(&mut self, at: usize, last: i64, out: &mut Staged) {
        // A book that is in step needs no snapshot.
        if self.books[at].sync.is_synced() {
            return;
        }
        out.push_clear();
        self.push_levels(out, true);
        let book = &mut self.books[at];
        book.snapshots += 1;
        book.sync.snapshot(last);
        let held = std::mem::take(&mut book.held);
        let recv_ns = out.recv_ns;
        for (ids, mut staged) in held {
            match self.books[at].sync.diff(ids) {
                Step::Apply => {
                    staged.recv_ns = recv_ns;
                    self.waiting.push_back(staged);
                }
                Step::Old => {}
                step @ (Step::Gap | Step::Hold) => {
                    if step == Step::Gap {
                        let mut gap = Staged::default();
                        gap.start(at, recv_ns, staged.exch_ns);
                        gap.stamped = false;
                        gap.push_gap();
                        self.waiting.push_back(gap);
                        let name = self.symbols.list()[at].name.clone();
                        self.gap = Some((name, gap_reason(ids)));
                    }
                    self.books[at].held.push_back((ids, staged));
                }
            }
        }
    }
}

fn gap_reason(ids: DiffIds) -> String {
    match ids.previous {
        Some(previous) => {
            format!("depth updates up to {previous} are missing in front of {}", ids.first)
        }
        None => format!("depth updates are missing in front of {}", ids.first),
    }
}

/// What the name of a symbol says: `BTCUSD_PERP`, `BTCUSD_240927`, `BTCUSDT_240927`, `BTCUSDT`.
fn definition(symbol: &str, futures: bool) -> InstrumentSpec {
    use InstrumentKind::{InverseFuture, InversePerpetual, LinearFuture, LinearPerpetual, Spot};
    let (pair, expiry) = symbol.split_once('_').unwrap_or((symbol, ""));
    let (base, quote) = split_joined(pair);
    let (venue, kind) = match (futures, quote.as_str(), expiry) {
        (false, _, _) => ("binance", Spot),
        (true, "USD", "" | "PERP") => ("binance_coinm", InversePerpetual),
        (true, "USD", _) => ("binance_coinm", InverseFuture),
        (true, _, "") => ("binance_usdm", LinearPerpetual),
        (true, _, _) => ("binance_usdm", LinearFuture),
    };
    stated(venue, kind, &base, &quote)
}
