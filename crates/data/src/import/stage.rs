//! What an importer hands over: one message at a time, prices and quantities as written.

use mainspring_core::event::flags;
use mainspring_core::{Decimal, InstrumentKind, Result, RowKind, Side, TimeNs};

use super::input::Place;
use super::instrument::InstrumentSpec;
use super::report::Tally;
use crate::format::Schema;

/// One row before it is on the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StagedRow {
    /// What it says.
    pub kind: RowKind,
    /// Side and snapshot bits; the end of the message is set on writing.
    pub flags: u8,
    /// Price in quote; zero for kinds without one.
    pub price: Decimal,
    /// Quantity in the venue's unit, or what the kind says.
    pub qty: Decimal,
    /// The venue's order id; zero for kinds without one.
    pub order_id: u64,
}

/// A bar before it is on the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StagedBar {
    /// When it opened.
    pub open_ns: TimeNs,
    /// Open, high, low, close.
    pub prices: [Decimal; 4],
    /// Quantity traded.
    pub volume: Decimal,
    /// Number of trades, zero where unknown.
    pub trades: u32,
}

/// One message of one symbol.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// Index in [`Symbols`].
    pub symbol: usize,
    /// When it was received, by the recorder's clock.
    pub recv_ns: TimeNs,
    /// When it happened, by the exchange's clock.
    pub exch_ns: TimeNs,
    /// Whether `exch_ns` was stated by the message itself and says something about the clocks.
    pub stamped: bool,
    /// Its rows.
    pub rows: Vec<StagedRow>,
    /// Its bars, in files of bars.
    pub bars: Vec<StagedBar>,
}

impl Staged {
    /// Starts a message whose exchange time is its own.
    pub fn start(&mut self, symbol: usize, recv_ns: TimeNs, exch_ns: TimeNs) {
        self.rows.clear();
        self.bars.clear();
        *self = Self {
            symbol,
            recv_ns,
            exch_ns,
            stamped: true,
            rows: std::mem::take(&mut self.rows),
            bars: std::mem::take(&mut self.bars),
        };
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.bars.is_empty()
    }

    /// Adds a row without an order.
    pub fn push(&mut self, kind: RowKind, side: Side, price: Decimal, qty: Decimal) {
        self.push_flagged(kind, side_flag(side), price, qty);
    }

    /// Adds a level of a snapshot.
    pub fn push_snapshot(&mut self, side: Side, price: Decimal, qty: Decimal) {
        self.push_flagged(RowKind::Depth, side_flag(side) | flags::SNAPSHOT, price, qty);
    }

    /// Adds a row with these flags.
    pub fn push_flagged(&mut self, kind: RowKind, flags: u8, price: Decimal, qty: Decimal) {
        self.rows.push(StagedRow { kind, flags, price, qty, order_id: 0 });
    }

    /// Adds a row about an order.
    pub fn push_order(&mut self, kind: RowKind, side: Side, price: Decimal, qty: Decimal, id: u64) {
        self.rows.push(StagedRow { kind, flags: side_flag(side), price, qty, order_id: id });
    }

    /// Adds a row that empties the book for a snapshot.
    pub fn push_clear(&mut self) {
        self.push_flagged(RowKind::Clear, flags::SNAPSHOT, Decimal::ZERO, Decimal::ZERO);
    }

    /// Adds a row that says the book is lost from here.
    pub fn push_gap(&mut self) {
        self.push_flagged(RowKind::Gap, 0, Decimal::ZERO, Decimal::ZERO);
    }
}

/// The flag of a side.
#[must_use]
pub const fn side_flag(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => flags::ASK,
    }
}

/// A symbol of an input, with what the input itself says about its instrument.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// The venue's name of it.
    pub name: String,
    /// What the recording states: tick and lot from an instrument list, currencies, contract size.
    pub stated: InstrumentSpec,
}

/// The symbols of an input in the order they appear.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    list: Vec<Symbol>,
    last: usize,
}

impl Symbols {
    /// The symbols so far.
    #[must_use]
    pub fn list(&self) -> &[Symbol] {
        &self.list
    }

    /// The index of a known symbol.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|symbol| symbol.name == name)
    }

    /// What the recording states of a symbol, to be completed as more of it is read.
    pub fn stated_mut(&mut self, at: usize) -> Option<&mut InstrumentSpec> {
        self.list.get_mut(at).map(|symbol| &mut symbol.stated)
    }

    /// The index of a symbol, which is added with `state` when it is new.
    pub fn index(&mut self, name: &str, state: impl FnOnce() -> InstrumentSpec) -> usize {
        // Messages of one symbol come in runs.
        if self.list.get(self.last).is_some_and(|symbol| symbol.name == name) {
            return self.last;
        }
        self.last = self.find(name).unwrap_or_else(|| {
            self.list.push(Symbol { name: name.to_owned(), stated: state() });
            self.list.len() - 1
        });
        self.last
    }
}

/// A definition with only the venue, the kind and the currencies stated.
#[must_use]
pub fn stated(venue: &str, kind: InstrumentKind, base: &str, quote: &str) -> InstrumentSpec {
    InstrumentSpec {
        venue: Some(venue.to_owned()),
        kind: Some(kind),
        base: Some(base.to_owned()).filter(|text| !text.is_empty()),
        quote: Some(quote.to_owned()).filter(|text| !text.is_empty()),
        ..InstrumentSpec::default()
    }
}

/// A reader of one format: messages in receive order, each with its place for error messages.
pub trait Source {
    /// The rows of the file it makes.
    fn schema(&self) -> Schema;

    /// Fills `out` with the next message, which may be empty; false at the end of the input.
    ///
    /// # Errors
    /// When the input cannot be read or, unless bad lines are to be skipped, is wrong.
    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool>;

    /// The symbols seen so far.
    fn symbols(&self) -> &Symbols;

    /// Where the last message was.
    fn place(&self) -> Place;

    /// Bytes read from disk so far.
    fn bytes_read(&self) -> u64;
}
