//! Instruments as a venue lists them: the common definition and the venue's own numbers for it.

use hashbrown::HashMap;
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, Result, Ticks,
    TimeNs,
};

/// What a venue needs to name an instrument beyond its symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Code {
    /// Nothing.
    #[default]
    None,
    /// OKX: the number that websocket orders name it by.
    Okx {
        /// `instIdCode`.
        inst_id_code: u64,
    },
    /// Hyperliquid: the asset index of orders.
    Hyperliquid {
        /// Index in the universe; 10000 and up for spot.
        asset: u32,
        /// Decimal places of quantities.
        size_decimals: u8,
    },
    /// dYdX: how prices and quantities become the chain's integers.
    Dydx {
        /// Number of the order book.
        clob_pair_id: u32,
        /// One quantum is 10 to this power of the base.
        atomic_resolution: i8,
        /// Exponent between quantums and subticks.
        quantum_conversion_exponent: i8,
        /// Quantums of one lot.
        step_base_quantums: u64,
        /// Subticks of one tick.
        subticks_per_tick: u32,
    },
}

/// One instrument of a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its index in the engine.
    pub id: InstrumentId,
    /// What it is.
    pub instrument: Instrument,
    /// What the venue calls it beyond the symbol.
    pub code: Code,
    /// Whether the venue takes orders in it now.
    pub trading: bool,
    /// When it is delivered, where the venue says so; `None` for what does not expire.
    pub expires_ns: Option<TimeNs>,
}

impl Listing {
    /// An instrument that needs no number of the venue's own.
    #[must_use]
    pub const fn new(id: InstrumentId, instrument: Instrument) -> Self {
        Self { id, instrument, code: Code::None, trading: true, expires_ns: None }
    }

    /// The same as the venue lists it: whether it trades and, where it is a dated future, when it is
    /// delivered. Venues give perpetuals no such time, or one far off.
    #[must_use]
    pub fn listed(self, trading: bool, delivered_ns: Option<TimeNs>) -> Self {
        use InstrumentKind::{InverseFuture, LinearFuture};
        let is_dated = matches!(self.instrument.kind, LinearFuture | InverseFuture);
        Self { trading, expires_ns: delivered_ns.filter(|ns| is_dated && *ns > 0), ..self }
    }

    /// The venue's symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.instrument.symbol
    }

    /// A price in ticks, or `None` when it is off the tick.
    #[inline]
    #[must_use]
    pub fn ticks(&self, price: Decimal) -> Option<Ticks> {
        price.count_of(self.instrument.tick()).map(Ticks)
    }

    /// A quantity in lots, or `None` when it is no whole number of lots.
    #[inline]
    #[must_use]
    pub fn lots(&self, qty: Decimal) -> Option<Lots> {
        qty.count_of(self.instrument.lot).map(Lots)
    }

    /// A price as the venue writes it.
    #[must_use]
    pub fn price_text(&self, price: Ticks) -> String {
        self.instrument.tick().times(price.0)
    }

    /// A quantity as the venue writes it.
    #[must_use]
    pub fn qty_text(&self, qty: Lots) -> String {
        self.instrument.lot.times(qty.0)
    }
}

/// The places of the first instrument of each settlement currency.
#[must_use]
pub fn one_of_each_settlement(all: &[Listing]) -> Vec<usize> {
    let mut seen: Vec<&str> = Vec::new();
    let mut firsts = Vec::new();
    for (at, listing) in all.iter().enumerate() {
        let currency = listing.instrument.settle();
        if !seen.contains(&currency) {
            seen.push(currency);
            firsts.push(at);
        }
    }
    firsts
}

/// A map by short text, whose order never depends on the process.
pub(crate) type TextMap<V> = HashMap<Box<str>, V, foldless::State>;

/// The instruments of one venue that a session trades, by symbol and by index.
#[derive(Clone, Debug, Default)]
pub struct Listings {
    list: Vec<Listing>,
    by_symbol: TextMap<usize>,
    /// Position in `list` of each engine index, `usize::MAX` where it is another venue's.
    by_id: Vec<usize>,
}

impl Listings {
    /// The listings of a session.
    ///
    /// # Errors
    /// When an instrument is not valid, or two share a symbol or an index.
    pub fn new(list: Vec<Listing>) -> Result<Self> {
        let mut own = Self::default();
        for listing in list {
            listing.instrument.validate()?;
            own.push(listing)?;
        }
        Ok(own)
    }

    fn push(&mut self, listing: Listing) -> Result<()> {
        let at = self.list.len();
        let index = listing.id.index();
        if self.by_id.len() <= index {
            self.by_id.resize(index + 1, usize::MAX);
        }
        let doubled = self.by_id[index] != usize::MAX
            || self.by_symbol.insert(listing.symbol().into(), at).is_some();
        if doubled {
            let what = format!("{} (index {index}) is listed twice", listing.symbol());
            return Err(Error::new(ErrorKind::Config, what));
        }
        self.by_id[index] = at;
        self.list.push(listing);
        Ok(())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Listing] {
        &self.list
    }

    /// The listing of a symbol as the venue writes it.
    #[inline]
    #[must_use]
    pub fn of_symbol(&self, symbol: &str) -> Option<&Listing> {
        self.by_symbol.get(symbol).map(|at| &self.list[*at])
    }

    /// The listing of an engine index.
    #[inline]
    #[must_use]
    pub fn of_id(&self, id: InstrumentId) -> Option<&Listing> {
        self.list.get(*self.by_id.get(id.index())?)
    }
}

/// A fixed-seed hasher of short symbols, so that order never depends on the process.
mod foldless {
    use std::hash::{BuildHasher, Hasher};

    #[derive(Clone, Copy, Debug, Default)]
    pub struct State;

    impl BuildHasher for State {
        type Hasher = Fold;

        fn build_hasher(&self) -> Fold {
            Fold(0)
        }
    }

    /// Multiply and rotate over words of eight bytes.
    #[derive(Clone, Copy, Debug)]
    pub struct Fold(u64);

    impl Hasher for Fold {
        #[inline]
        fn write(&mut self, bytes: &[u8]) {
            for part in bytes.chunks(8) {
                let mut word = [0; 8];
                word[..part.len()].copy_from_slice(part);
                let mixed = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                self.0 = mixed.rotate_left(29);
            }
        }

        fn finish(&self) -> u64 {
            self.0 ^ (self.0 >> 32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::{InstrumentKind, PriceGrid};

    pub(crate) fn instrument(symbol: &str) -> Instrument {
        Instrument {
            symbol: symbol.to_owned(),
            venue: "binance".to_owned(),
            kind: InstrumentKind::Spot,
            base: "BTC".to_owned(),
            quote: "USDT".to_owned(),
            grids: vec![PriceGrid::fixed("0.01".parse().unwrap())],
            lot: "0.00001".parse().unwrap(),
            multiplier: Decimal::ONE,
            min_qty: Lots(1),
            max_qty: Lots(0),
            min_notional: Decimal::ZERO,
            maker_fee: Decimal::ZERO,
            taker_fee: Decimal::ZERO,
            margin_tiers: Vec::new(),
        }
    }

    #[test]
    fn symbols_and_indices_find_their_listing() {
        let list = vec![
            Listing::new(InstrumentId(3), instrument("BTCUSDT")),
            Listing::new(InstrumentId(1), instrument("1000SHIBUSDT_260327")),
        ];
        let listings = Listings::new(list.clone()).unwrap();
        assert_eq!(listings.of_symbol("1000SHIBUSDT_260327").unwrap().id, InstrumentId(1));
        assert_eq!(listings.of_id(InstrumentId(3)).unwrap().symbol(), "BTCUSDT");
        assert!(listings.of_id(InstrumentId(2)).is_none() && listings.of_symbol("X").is_none());
        let doubled = [list.clone(), list].concat();
        assert!(Listings::new(doubled).unwrap_err().message().contains("listed twice"));
    }

    #[test]
    fn prices_are_written_without_trailing_zeros() {
        let listing = Listing::new(InstrumentId(0), instrument("BTCUSDT"));
        assert_eq!(listing.price_text(Ticks(2_500_000)), "25000");
        assert_eq!(listing.qty_text(Lots(1_234)), "0.01234");
        assert_eq!(listing.ticks("25000.005".parse().unwrap()), None);
    }
}
