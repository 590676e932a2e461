//! Books and trades of venues whose feeds speak [`FeedEvent`]: sequence, checksums, staged rows.

use std::collections::{BTreeSet, HashMap, VecDeque};

use mainspring_book::checksum::{kraken_checksum, okx_checksum};
use mainspring_book::L2Book;
use mainspring_core::{Decimal, InstrumentKind, Lots, RowKind, Side, Ticks};
use mainspring_venues::feed::{BookEvent, FeedEvent, OnEvent, Sequence, Sides, TradeEvent};
use mainspring_venues::json::Scan;
use mainspring_venues::{bybit, hyperliquid, kraken, okx, Level};

use super::input::Place;
use super::instrument::split_joined;
use super::options::Options;
use super::report::Tally;
use super::stage::{stated, Staged, Symbols};
use super::InstrumentSpec;

/// Which checksum a venue sends with its books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// None.
    None,
    /// OKX.
    Okx,
    /// Kraken websocket v1.
    Kraken,
}

/// What is particular about a venue.
#[derive(Clone, Copy, Debug)]
pub struct Venue {
    /// Its name.
    pub name: &'static str,
    /// Its codec.
    pub decode: fn(&[u8], &mut Sides, OnEvent<'_>) -> Scan<()>,
    /// Its checksum.
    pub checksum: Checksum,
    /// Whether every book message is the whole visible book.
    pub snapshots_only: bool,
    /// What the name of a symbol says.
    pub definition: fn(&str) -> InstrumentSpec,
}

/// OKX.
pub const OKX: Venue = Venue {
    name: "okx",
    decode: okx::decode,
    checksum: Checksum::Okx,
    snapshots_only: false,
    definition: okx_definition,
};

/// Kraken.
pub const KRAKEN: Venue = Venue {
    name: "kraken",
    decode: kraken::decode,
    checksum: Checksum::Kraken,
    snapshots_only: false,
    definition: |symbol| {
        let (base, quote) = symbol.split_once('/').unwrap_or((symbol, ""));
        stated("kraken", InstrumentKind::Spot, base, quote)
    },
};

/// Bybit. Spot and linear share the topic; inverse symbols end in USD.
pub const BYBIT: Venue = Venue {
    name: "bybit",
    decode: bybit::decode,
    checksum: Checksum::None,
    snapshots_only: false,
    definition: |symbol| {
        let (base, quote) = split_joined(symbol);
        let kind = if quote == "USD" {
            InstrumentKind::InversePerpetual
        } else {
            InstrumentKind::LinearPerpetual
        };
        stated("bybit", kind, &base, &quote)
    },
};

/// Hyperliquid perpetuals, settled in USDC.
pub const HYPERLIQUID: Venue = Venue {
    name: "hyperliquid",
    decode: hyperliquid::decode,
    checksum: Checksum::None,
    snapshots_only: true,
    definition: |coin| stated("hyperliquid", InstrumentKind::LinearPerpetual, coin, "USDC"),
};

/// `BTC-USDT`, `BTC-USD-SWAP`, `BTC-USD-220527`.
fn okx_definition(symbol: &str) -> InstrumentSpec {
    use InstrumentKind::{InverseFuture, InversePerpetual, LinearFuture, LinearPerpetual, Spot};
    let mut parts = symbol.split('-');
    let (base, quote) = (parts.next().unwrap_or(symbol), parts.next().unwrap_or(""));
    let kind = match (parts.next(), quote) {
        (None, _) => Spot,
        (Some("SWAP"), "USD") => InversePerpetual,
        (Some("SWAP"), _) => LinearPerpetual,
        (Some(_), "USD") => InverseFuture,
        (Some(_), _) => LinearFuture,
    };
    stated("okx", kind, base, quote)
}

/// The book as the venue writes it, to recompute checksums and to cut it to its depth.
struct Mirror {
    book: L2Book,
    places: (u8, u8),
    keys: [BTreeSet<i64>; 2],
}

impl Mirror {
    fn new(places: (u8, u8)) -> Self {
        Self { book: L2Book::default(), places, keys: Default::default() }
    }

    /// Sets a level; false when it is finer than the places.
    fn set(&mut self, side: Side, level: Level) -> bool {
        let count = |value: Decimal, places| {
            value.to_scale(places).and_then(|count| i64::try_from(count).ok())
        };
        let (Some(price), Some(qty)) =
            (count(level.price, self.places.0), count(level.qty, self.places.1))
        else {
            return false;
        };
        self.book.set(side, Ticks(price), Lots(qty));
        let keys = &mut self.keys[usize::from(side == Side::Sell)];
        if qty > 0 {
            keys.insert(price);
        } else {
            keys.remove(&price);
        }
        true
    }

    /// Takes out the worst levels beyond `depth` and returns their prices.
    fn cut(&mut self, side: Side, depth: usize) -> Vec<Decimal> {
        let keys = &mut self.keys[usize::from(side == Side::Sell)];
        let mut gone = Vec::new();
        while keys.len() > depth {
            let worst = if side == Side::Sell { keys.pop_last() } else { keys.pop_first() };
            let Some(worst) = worst else { break };
            self.book.set(side, Ticks(worst), Lots::ZERO);
            gone.extend(Decimal::new(worst, self.places.0));
        }
        gone
    }

    fn checksum(&self, kind: Checksum) -> Option<i64> {
        let unit = |places| Decimal::new(1, places).ok();
        let (tick, lot) = (unit(self.places.0)?, unit(self.places.1)?);
        match kind {
            Checksum::None => None,
            Checksum::Okx => Some(i64::from(okx_checksum(&self.book, tick, lot))),
            Checksum::Kraken => {
                kraken_checksum(&self.book, (tick, self.places.0), (lot, self.places.1))
                    .map(i64::from)
            }
        }
    }
}

#[derive(Default)]
struct State {
    synced: bool,
    last: Option<i64>,
    exch_ns: i64,
    mirror: Option<Mirror>,
    shown: [Vec<Level>; 2],
    early: u64,
    stale: u64,
}

/// The books of one venue.
pub struct Books {
    venue: Venue,
    options: Options,
    symbols: Symbols,
    states: Vec<State>,
    sides: Sides,
    /// Definitions that the recording holds, by symbol.
    pub defined: HashMap<String, InstrumentSpec>,
    /// Messages ready to be handed over.
    pub queue: VecDeque<Staged>,
}

impl Books {
    /// No books yet.
    #[must_use]
    pub fn new(venue: Venue, options: &Options) -> Self {
        Self {
            venue,
            options: options.clone(),
            symbols: Symbols::default(),
            states: Vec::new(),
            sides: Sides::default(),
            defined: HashMap::new(),
            queue: VecDeque::new(),
        }
    }

    /// The symbols so far.
    #[must_use]
    pub const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Takes one message. Without a receive time, the message's own time is taken for it.
    ///
    /// # Errors
    /// Says what is wrong with the message.
    pub fn message(
        &mut self,
        recv_ns: Option<i64>,
        text: &[u8],
        place: &Place,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let mut sides = std::mem::take(&mut self.sides);
        let read = (self.venue.decode)(text, &mut sides, &mut |event| match event {
            FeedEvent::Book(book) => {
                tally.message(if book.snapshot { "book_snapshot" } else { "book_update" });
                self.book(recv_ns, &book, place, tally);
            }
            FeedEvent::Trade(trade) => {
                tally.message("trade");
                self.trade(recv_ns, &trade);
            }
            FeedEvent::Best(_) => tally.message("best prices"),
            FeedEvent::Mark(_) => tally.message("mark price"),
            FeedEvent::Other(kind) => tally.message(kind),
        });
        self.sides = sides;
        read.map_err(|refusal| refusal.to_string())
    }

    /// The connection is a new one: books are lost until their snapshots.
    pub fn reconnected(&mut self, recv_ns: i64, place: &Place, tally: &mut Tally) {
        for at in 0..self.states.len() {
            if self.states[at].synced {
                let exch_ns = self.states[at].exch_ns;
                self.lose(at, recv_ns, exch_ns, "a new connection", place, tally);
            }
        }
    }

    /// Notes at the end of the input.
    pub fn finish(&mut self, tally: &mut Tally) {
        for (symbol, state) in self.symbols.list().iter().zip(&mut self.states) {
            let name = &symbol.name;
            match std::mem::take(&mut state.early) {
                0 => {}
                count => tally.note(format!(
                    "{name}: {count} book updates without a snapshot in front were not imported"
                )),
            }
            match std::mem::take(&mut state.stale) {
                0 => {}
                count => tally
                    .note(format!("{name}: {count} books older than the one shown were left out")),
            }
        }
    }

    fn symbol(&mut self, name: &str) -> Option<usize> {
        if !self.options.keeps(name) {
            return None;
        }
        let (venue, defined) = (self.venue, &self.defined);
        let at = self.symbols.index(name, || {
            let by_name = (venue.definition)(name);
            defined.get(name).cloned().unwrap_or_default().or(&by_name)
        });
        if at == self.states.len() {
            self.states.push(State::default());
        }
        Some(at)
    }

    fn start(&mut self, at: usize, recv_ns: Option<i64>, time_ns: Option<i64>) -> Staged {
        let state = &mut self.states[at];
        let known = Some(state.exch_ns).filter(|ns| *ns > 0);
        let exch_ns = time_ns.or(known).or(recv_ns).unwrap_or(0);
        state.exch_ns = state.exch_ns.max(exch_ns);
        let mut staged = Staged::default();
        staged.start(at, recv_ns.unwrap_or(exch_ns), exch_ns);
        staged.stamped = time_ns.is_some();
        staged
    }

    fn trade(&mut self, recv_ns: Option<i64>, trade: &TradeEvent<'_>) {
        if !self.options.streams.trades {
            return;
        }
        let Some(at) = self.symbol(trade.symbol) else { return };
        let mut staged = self.start(at, recv_ns, trade.time_ns);
        staged.push(RowKind::Trade, trade.taker, trade.level.price, trade.level.qty);
        self.queue.push_back(staged);
    }

    fn book(
        &mut self,
        recv_ns: Option<i64>,
        book: &BookEvent<'_>,
        place: &Place,
        tally: &mut Tally,
    ) {
        if !self.options.streams.depth {
            return;
        }
        let Some(at) = self.symbol(book.symbol) else { return };
        let newest = self.states[at].exch_ns;
        let stale = book.time_ns.is_some_and(|time| time < newest);
        if self.venue.snapshots_only && self.states[at].synced && stale {
            self.states[at].stale += 1;
            return;
        }
        let mut staged = self.start(at, recv_ns, book.time_ns);
        if book.snapshot {
            self.snapshot(at, book, &mut staged);
        } else if !self.states[at].synced {
            self.states[at].early += 1;
            return;
        } else if let Some(reason) = self.break_before(at, book.sequence) {
            self.lose(at, staged.recv_ns, staged.exch_ns, &reason, place, tally);
            return;
        } else {
            for (side, levels) in [(Side::Buy, book.bids), (Side::Sell, book.asks)] {
                for level in levels {
                    staged.push(RowKind::Depth, side, level.price, level.qty);
                }
            }
        }
        if let Sequence::Chain { this, .. } | Sequence::Counter(this) = book.sequence {
            self.states[at].last = Some(this);
        }
        let (recv_ns, exch_ns) = (staged.recv_ns, staged.exch_ns);
        let equal = self.mirror(at, book, &mut staged, tally);
        self.queue.push_back(staged);
        if !equal {
            self.lose(at, recv_ns, exch_ns, "the checksum of the book differs", place, tally);
        }
    }

    /// The first snapshot as one; of feeds that send nothing else, the others as what they change.
    fn snapshot(&mut self, at: usize, book: &BookEvent<'_>, staged: &mut Staged) {
        let state = &mut self.states[at];
        let whole = !(self.venue.snapshots_only && state.synced);
        if whole {
            staged.push_clear();
        }
        for (n, (side, levels)) in
            [(Side::Buy, book.bids), (Side::Sell, book.asks)].into_iter().enumerate()
        {
            if whole {
                levels.iter().for_each(|l| staged.push_snapshot(side, l.price, l.qty));
            } else {
                push_changes(side, &state.shown[n], levels, staged);
            }
            if self.venue.snapshots_only {
                state.shown[n].clear();
                state.shown[n].extend_from_slice(levels);
            }
        }
        state.synced = true;
        state.mirror = None;
    }

    /// Why a message does not follow the last one, if so.
    fn break_before(&self, at: usize, sequence: Sequence) -> Option<String> {
        let last = self.states[at].last?;
        match sequence {
            // After maintenance ids start again below: the message itself says so.
            Sequence::Chain { previous, this } if this < previous => None,
            Sequence::Chain { previous, .. } if previous != last => {
                Some(format!("book messages between {last} and {previous} are missing"))
            }
            Sequence::Counter(this) if this != last + 1 => {
                Some(format!("book messages between {last} and {this} are missing"))
            }
            _ => None,
        }
    }

    fn lose(
        &mut self,
        at: usize,
        recv_ns: i64,
        exch_ns: i64,
        reason: &str,
        place: &Place,
        tally: &mut Tally,
    ) {
        self.states[at].synced = false;
        let mut staged = Staged::default();
        staged.start(at, recv_ns, exch_ns);
        staged.stamped = false;
        staged.push_gap();
        self.queue.push_back(staged);
        tally.gap(&self.symbols.list()[at].name, place, reason);
    }

    /// Follows the message in the mirror of the book; false when the venue's checksum differs.
    fn mirror(
        &mut self,
        at: usize,
        book: &BookEvent<'_>,
        staged: &mut Staged,
        tally: &mut Tally,
    ) -> bool {
        let kind = self.venue.checksum;
        if kind == Checksum::None {
            return true;
        }
        // OKX writes no trailing zeros: any places that hold the numbers will do.
        let places = if kind == Checksum::Okx { (10, 10) } else { book.places };
        let mirror = self.states[at].mirror.get_or_insert_with(|| Mirror::new(places));
        let mut fits = true;
        for (side, levels) in [(Side::Buy, book.bids), (Side::Sell, book.asks)] {
            for level in levels {
                fits &= mirror.set(side, *level);
            }
            let gone = book.depth.map(|depth| mirror.cut(side, depth)).unwrap_or_default();
            for price in gone {
                staged.push(RowKind::Depth, side, price, Decimal::ZERO);
            }
        }
        let (Some(wanted), true) = (book.checksum, fits) else {
            return true;
        };
        let equal = mirror.checksum(kind) == Some(wanted);
        tally.checksums.compared += 1;
        tally.checksums.equal += u64::from(equal);
        equal
    }
}

/// What changes from one visible book to the next.
pub fn push_changes(side: Side, before: &[Level], now: &[Level], staged: &mut Staged) {
    let old: HashMap<Decimal, Decimal> = before.iter().map(|l| (l.price, l.qty)).collect();
    let kept: HashMap<Decimal, ()> = now.iter().map(|l| (l.price, ())).collect();
    for level in before.iter().filter(|level| !kept.contains_key(&level.price)) {
        staged.push(RowKind::Depth, side, level.price, Decimal::ZERO);
    }
    for level in now.iter().filter(|level| old.get(&level.price) != Some(&level.qty)) {
        staged.push(RowKind::Depth, side, level.price, level.qty);
    }
}
