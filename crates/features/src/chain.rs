//! The chain of features of one instrument.

use mainspring_book::{L2Book, Trust};
use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::instrument::Instrument;
use mainspring_core::order::Side;
use mainspring_core::units::{Lots, Ticks, TimeNs};

use crate::link::Link;
use crate::microprice::MicropriceTable;
use crate::quote::Quote;
use crate::spec::{attribute_names, FeatureSpec};

/// Units of the instrument that features are stated in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Price of one tick.
    pub(crate) tick: f64,
    /// Base in one lot.
    pub(crate) lot: f64,
}

/// Best prices in ticks and sizes in lots, as floats.
#[inline]
pub(crate) fn quote_of(book: &L2Book) -> Quote {
    let mut quote = Quote::EMPTY;
    if let Some(bid) = book.best(Side::Buy) {
        quote.bid = bid.0 as f64;
        quote.bid_qty = book.best_qty(Side::Buy).0 as f64;
    }
    if let Some(ask) = book.best(Side::Sell) {
        quote.ask = ask.0 as f64;
        quote.ask_qty = book.best_qty(Side::Sell).0 as f64;
    }
    quote
}

/// The features of one instrument, updated message by message.
///
/// Features of the present book are computed when they are asked for. Those with a memory see
/// the end of every message and every trade; what they need of the book is read once, and only
/// if one of them is configured. A book that cannot be trusted gives NaN, and changes across
/// the time it could not be trusted are not counted. Nothing is allocated after construction.
#[derive(Clone, Debug, Default)]
pub struct FeatureChain {
    links: Vec<Link>,
    names: Vec<String>,
    /// Whether a link looks at quotes, at levels behind them, at trades.
    wants: Wants,
    quote: Quote,
    /// Whether `quote` is of the present stretch of trusted book.
    has_quote: bool,
    now_ns: TimeNs,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wants {
    quotes: bool,
    levels: bool,
    trades: bool,
}

impl FeatureChain {
    /// The features in their order.
    ///
    /// # Errors
    /// When a parameter is out of range or the same feature stands there twice.
    pub fn new(specs: &[FeatureSpec], instrument: &Instrument) -> Result<Self> {
        let multiplier =
            if instrument.kind.is_inverse() { 1.0 } else { instrument.multiplier.to_f64() };
        let scale =
            Scale { tick: instrument.tick().to_f64(), lot: instrument.lot.to_f64() * multiplier };
        let links = specs.iter().map(|spec| Link::new(spec, scale)).collect::<Result<Vec<_>>>()?;
        let wants = Wants {
            quotes: links.iter().any(Link::wants_quotes),
            levels: links.iter().any(Link::wants_levels),
            trades: links.iter().any(Link::wants_trades),
        };
        let names = attribute_names(specs)?;
        Ok(Self { links, names, wants, ..Self::default() })
    }

    /// Names of the features, in order, fit for attributes: the sort of the feature (`ofi`), and
    /// where several are of one sort their parameters too (`imbalance_1`, `imbalance_5`).
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The micro-price table of a feature, where it has one.
    #[must_use]
    pub fn microprice(&self, name: &str) -> Option<&MicropriceTable> {
        let at = self.names.iter().position(|one| one == name)?;
        match &self.links[at] {
            Link::Microprice { table, .. } => Some(table),
            _ => None,
        }
    }

    /// Puts another micro-price table in the place of the one that a feature has. It keeps no state, so
    /// that the next value is of the new table.
    ///
    /// # Errors
    /// When the table is not whole, or there is no such feature.
    pub fn set_microprice(&mut self, name: &str, new: &MicropriceTable) -> Result<()> {
        new.validate()?;
        let at = self.names.iter().position(|one| one == name);
        match at.map(|at| &mut self.links[at]) {
            Some(Link::Microprice { table, .. }) => {
                table.clone_from(new);
                Ok(())
            }
            _ => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "no feature {name:?} is a micro-price here; there are {}",
                    self.names.join(", ")
                ),
            )),
        }
    }

    /// The number of features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are no features.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// To be called at the end of each exchange message that was applied to `book`.
    #[inline]
    pub fn on_message(&mut self, book: &L2Book, now_ns: TimeNs) {
        self.now_ns = self.now_ns.max(now_ns);
        if self.wants.quotes || self.wants.levels {
            self.update(book);
        }
    }

    /// To be called with each trade of the feed.
    #[inline]
    pub fn on_trade(&mut self, _price: Ticks, qty: Lots, taker: Side, now_ns: TimeNs) {
        self.now_ns = self.now_ns.max(now_ns);
        if self.wants.trades {
            let signed_lots = qty.0 as f64 * taker.sign() as f64;
            self.links.iter_mut().for_each(|link| link.on_trade(signed_lots, self.now_ns));
        }
    }

    /// The value of a feature now; NaN where it is not defined, and for an unknown index.
    #[inline]
    #[must_use]
    pub fn value(&self, index: usize, book: &L2Book) -> f64 {
        if is_untrusted(book) {
            return f64::NAN;
        }
        self.links.get(index).map_or(f64::NAN, |link| link.value(book, self.now_ns))
    }

    /// All values in order, as many as `out` holds.
    pub fn values(&self, book: &L2Book, out: &mut [f64]) {
        out.iter_mut().enumerate().for_each(|(index, slot)| *slot = self.value(index, book));
    }

    fn update(&mut self, book: &L2Book) {
        if is_untrusted(book) {
            if std::mem::take(&mut self.has_quote) {
                let now_ns = self.now_ns;
                self.links.iter_mut().for_each(|link| link.on_break(now_ns));
            }
            return;
        }
        if self.wants.levels {
            self.links.iter_mut().for_each(|link| link.on_levels(book, self.now_ns));
        }
        if !self.wants.quotes {
            self.has_quote = true;
            return;
        }
        let quote = quote_of(book);
        let before = std::mem::replace(&mut self.quote, quote);
        let had_quote = std::mem::replace(&mut self.has_quote, true);
        if !had_quote || quote != before {
            let before = had_quote.then_some(&before);
            self.links.iter_mut().for_each(|link| link.on_quote(before, &quote, self.now_ns));
        }
    }
}

/// A book that was built by hand, without a feed, has no state of trust and is taken as it is.
#[inline]
pub(crate) fn is_untrusted(book: &L2Book) -> bool {
    matches!(book.trust(), Trust::Gapped | Trust::Snapshotting | Trust::Crossed)
}
