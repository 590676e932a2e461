//! Features over stored market rows: the chain of the kernel, without a kernel.

use mainspring_book::L2Book;
use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::event::{MarketRow, RowKind};
use mainspring_core::instrument::Instrument;
use mainspring_core::order::Side;
use mainspring_core::units::{DurationNs, Lots, Ticks, TimeNs};

use crate::chain::{is_untrusted, quote_of, FeatureChain};
use crate::quote::Quote;
use crate::spec::{FeatureSpec, MAX_FEATURE_LEVELS};

/// Computes features over rows that come in pieces, such as the chunks of an event file.
///
/// Times are receive times, as in the kernel: a value holds what was known then. Memory grows
/// with the samples, which `every_ns` thins.
#[derive(Clone, Debug)]
pub struct FeatureScan {
    chain: FeatureChain,
    book: L2Book,
    instrument: u16,
    every_ns: DurationNs,
    next_ns: TimeNs,
    touched: bool,
    times: Vec<TimeNs>,
    values: Vec<f64>,
}

impl FeatureScan {
    /// A scan of the rows of one instrument of a file, by its index there. With `every_ns` of
    /// zero each message that touches book or trades gives a sample, else the first one in each
    /// span of that length since the epoch.
    ///
    /// # Errors
    /// When a feature's parameter is out of range or `every_ns` is negative.
    pub fn new(
        specs: &[FeatureSpec],
        definition: &Instrument,
        instrument: u16,
        every_ns: DurationNs,
    ) -> Result<Self> {
        if every_ns < 0 {
            return Err(Error::new(
                ErrorKind::Value,
                format!("the span between samples must not be negative, it is {every_ns} ns"),
            ));
        }
        Ok(Self {
            chain: FeatureChain::new(specs, definition)?,
            book: L2Book::default(),
            instrument,
            every_ns,
            next_ns: TimeNs::MIN,
            touched: false,
            times: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Takes in the next rows; their prices are relative to `base`.
    pub fn scan(&mut self, rows: &[MarketRow], base: Ticks) {
        let instrument = self.instrument;
        for row in rows.iter().filter(|row| row.instrument == instrument) {
            self.apply(row, base);
            if row.ends_message() && std::mem::take(&mut self.touched) {
                self.chain.on_message(&self.book, row.recv_ns);
                self.sample(row.recv_ns);
            }
        }
    }

    fn apply(&mut self, row: &MarketRow, base: Ticks) {
        let kind = RowKind::from_byte(row.kind);
        if kind == Some(RowKind::Trade) {
            self.chain.on_trade(row.price(base), row.qty(), row.side(), row.recv_ns);
        }
        self.touched |= matches!(
            kind,
            Some(RowKind::Trade | RowKind::Depth | RowKind::Best | RowKind::Clear | RowKind::Gap)
        );
        self.book.apply(row, base);
    }

    fn sample(&mut self, now_ns: TimeNs) {
        if now_ns < self.next_ns {
            return;
        }
        self.next_ns = next_sample(now_ns, self.every_ns);
        self.times.push(now_ns);
        let from = self.values.len();
        self.values.resize(from + self.chain.len(), f64::NAN);
        self.chain.values(&self.book, &mut self.values[from..]);
    }

    /// Names of the features, the columns of [`FeatureScan::values`].
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.chain.names()
    }

    /// Receive time of each sample.
    #[must_use]
    pub fn times(&self) -> &[TimeNs] {
        &self.times
    }

    /// All values, one row of [`FeatureScan::names`] a sample.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

/// Collects the best levels of one instrument's book: prices in ticks and quantities in lots.
///
/// A level that is not there has the quantity zero and the price zero. A book that cannot be
/// trusted gives no sample. Memory grows with the samples, which `every_ns` thins.
#[derive(Clone, Debug)]
pub struct DepthScan {
    book: L2Book,
    instrument: u16,
    levels: usize,
    every_ns: DurationNs,
    next_ns: TimeNs,
    touched: bool,
    times: Vec<TimeNs>,
    sides: [Vec<(Ticks, Lots)>; 2],
}

impl DepthScan {
    /// A scan of the rows of one instrument of a file, by its index there; samples as those of
    /// [`FeatureScan::new`].
    ///
    /// # Errors
    /// When there are no levels or more than [`MAX_FEATURE_LEVELS`], or `every_ns` is negative.
    pub fn new(instrument: u16, levels: usize, every_ns: DurationNs) -> Result<Self> {
        if every_ns < 0 || !(1..=MAX_FEATURE_LEVELS).contains(&levels) {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "levels must be 1 to {MAX_FEATURE_LEVELS} and the span between samples not \
                     negative, not {levels} and {every_ns} ns"
                ),
            ));
        }
        Ok(Self {
            book: L2Book::default(),
            instrument,
            levels,
            every_ns,
            next_ns: TimeNs::MIN,
            touched: false,
            times: Vec::new(),
            sides: [Vec::new(), Vec::new()],
        })
    }

    /// Takes in the next rows; their prices are relative to `base`.
    pub fn scan(&mut self, rows: &[MarketRow], base: Ticks) {
        let instrument = self.instrument;
        for row in rows.iter().filter(|row| row.instrument == instrument) {
            self.touched |= RowKind::from_byte(row.kind) != Some(RowKind::Trade);
            self.book.apply(row, base);
            if row.ends_message() && std::mem::take(&mut self.touched) {
                self.sample(row.recv_ns);
            }
        }
    }

    fn sample(&mut self, now_ns: TimeNs) {
        if now_ns < self.next_ns || is_untrusted(&self.book) {
            return;
        }
        self.next_ns = next_sample(now_ns, self.every_ns);
        self.times.push(now_ns);
        for (levels, side) in self.sides.iter_mut().zip([Side::Buy, Side::Sell]) {
            let from = levels.len();
            levels.resize(from + self.levels, (Ticks(0), Lots(0)));
            self.book.top(side, &mut levels[from..]);
        }
    }

    /// Receive time of each sample.
    #[must_use]
    pub fn times(&self) -> &[TimeNs] {
        &self.times
    }

    /// The levels of a side, best first, as many as were asked for a sample.
    #[must_use]
    pub fn side(&self, side: Side) -> &[(Ticks, Lots)] {
        &self.sides[usize::from(side == Side::Sell)]
    }
}

/// When the next sample is due after one at `now_ns`.
fn next_sample(now_ns: TimeNs, every_ns: DurationNs) -> TimeNs {
    if every_ns == 0 {
        return TimeNs::MIN;
    }
    (now_ns.div_euclid(every_ns) + 1).saturating_mul(every_ns)
}

/// Collects the best quotes of one instrument, in ticks and lots, each time one has changed.
///
/// What a fit over quotes needs, such as [`crate::microprice::microprice_fit`] with a tick of one.
#[derive(Clone, Debug, Default)]
pub struct QuoteScan {
    book: L2Book,
    instrument: u16,
    quotes: Vec<Quote>,
}

impl QuoteScan {
    /// A scan of the rows of one instrument of a file, by its index there.
    #[must_use]
    pub fn new(instrument: u16) -> Self {
        Self { instrument, ..Self::default() }
    }

    /// Takes in the next rows; their prices are relative to `base`.
    pub fn scan(&mut self, rows: &[MarketRow], base: Ticks) {
        let instrument = self.instrument;
        for row in rows.iter().filter(|row| row.instrument == instrument) {
            self.book.apply(row, base);
            if row.ends_message() && !is_untrusted(&self.book) {
                self.note(quote_of(&self.book));
            }
        }
    }

    fn note(&mut self, quote: Quote) {
        if quote.is_two_sided() && self.quotes.last() != Some(&quote) {
            self.quotes.push(quote);
        }
    }

    /// The quotes.
    #[must_use]
    pub fn quotes(&self) -> &[Quote] {
        &self.quotes
    }
}
