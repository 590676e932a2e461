//! One market out of several venues' books.

use mainspring_core::decimal::Decimal;
use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::instrument::Instrument;
use mainspring_core::order::Side;
use mainspring_core::units::{Lots, Ticks};

use crate::l2::L2Book;

/// Most books in one consolidated view.
pub const MAX_VENUES: usize = 16;

/// What one tick and one lot of a venue are in the ticks and lots of the consolidated view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueScale {
    /// Common ticks in one tick of the venue.
    pub ticks: i64,
    /// Common lots in one lot of the venue.
    pub lots: i64,
}

impl VenueScale {
    /// The same ticks and lots.
    pub const ONE: Self = Self { ticks: 1, lots: 1 };
}

/// Ticks and lots in which the prices and quantities of several instruments are whole numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonUnits {
    /// The common tick.
    pub tick: Decimal,
    /// The common lot, in units of base.
    pub lot: Decimal,
    /// The scale of each instrument.
    pub scales: Vec<VenueScale>,
}

impl CommonUnits {
    /// The coarsest common units of linear or spot instruments; a lot counts base, so the
    /// contract multiplier is part of it.
    ///
    /// # Errors
    /// When there is no instrument, one is inverse (its lots are not base), or the units do not fit.
    pub fn of(instruments: &[&Instrument]) -> Result<Self> {
        if let Some(inverse) = instruments.iter().find(|i| i.kind.is_inverse()) {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "{}: an inverse contract counts quote, so its quantities cannot be added to \
                     those of other instruments; leave it out of the consolidated view",
                    inverse.symbol
                ),
            ));
        }
        let ticks: Vec<Decimal> = instruments.iter().map(|i| i.tick()).collect();
        let lots = instruments.iter().map(|i| product(i.lot, i.multiplier));
        let lots = lots.collect::<Option<Vec<_>>>().ok_or_else(too_fine)?;
        let tick = common_unit(&ticks)?;
        let lot = common_unit(&lots)?;
        let scale = |(t, l): (&Decimal, &Decimal)| {
            Some(VenueScale { ticks: t.count_of(tick)?, lots: l.count_of(lot)? })
        };
        let scales = ticks.iter().zip(&lots).map(scale).collect::<Option<Vec<_>>>();
        Ok(Self { tick, lot, scales: scales.ok_or_else(too_fine)? })
    }
}

fn too_fine() -> Error {
    Error::new(
        ErrorKind::Value,
        "the instruments have no common tick or lot of at most 18 decimals; consolidate fewer venues",
    )
}

fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let mantissa = a.mantissa().checked_mul(b.mantissa())?;
    Decimal::new(mantissa, a.scale().checked_add(b.scale())?).ok()
}

/// The greatest common divisor of positive decimals.
fn common_unit(units: &[Decimal]) -> Result<Decimal> {
    let scale = units.iter().map(|u| u.scale()).max().ok_or_else(too_fine)?;
    let mut common = 0_i128;
    for unit in units {
        let (mut a, mut b) = (common, unit.to_scale(scale).ok_or_else(too_fine)?);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        common = a;
    }
    Decimal::new(i64::try_from(common).map_err(|_| too_fine())?, scale)
}

/// A level of the consolidated market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueLevel {
    /// Index of the venue's book.
    pub venue: usize,
    /// Price in common ticks.
    pub price: Ticks,
    /// Quantity in common lots.
    pub qty: Lots,
}

/// A view over the books of several venues. Books that cannot be trusted are left out.
#[derive(Clone, Debug)]
pub struct Consolidated<'a> {
    books: [Option<(&'a L2Book, VenueScale)>; MAX_VENUES],
}

impl<'a> Consolidated<'a> {
    /// A view over these books, at most [`MAX_VENUES`].
    ///
    /// # Errors
    /// When there are more.
    pub fn new(books: &[(&'a L2Book, VenueScale)]) -> Result<Self> {
        if books.len() > MAX_VENUES {
            return Err(Error::new(
                ErrorKind::Capacity,
                format!(
                    "{} books in a consolidated view of at most {MAX_VENUES}; leave some out",
                    books.len()
                ),
            ));
        }
        let usable = |n: usize| books.get(n).copied().filter(|(b, _)| b.trust().is_usable());
        Ok(Self { books: std::array::from_fn(usable) })
    }

    /// A view over the books that `book` gives for venues from 0 on, whatever their state: for callers
    /// that know which to trust. Nothing is allocated.
    #[must_use]
    pub fn of_trusted(book: impl FnMut(usize) -> Option<(&'a L2Book, VenueScale)>) -> Self {
        Self { books: std::array::from_fn(book) }
    }

    /// The levels of one venue in common units, best first.
    pub fn venue_levels(
        &self,
        venue: usize,
        side: Side,
    ) -> impl Iterator<Item = (Ticks, Lots)> + '_ {
        self.books.get(venue).copied().flatten().into_iter().flat_map(move |(book, scale)| {
            book.levels(side).map(move |(price, qty)| {
                let price = Ticks(price.0.saturating_mul(scale.ticks));
                (price, Lots(qty.0.saturating_mul(scale.lots)))
            })
        })
    }

    /// The best price of a side over all venues, and the quantity there over all venues.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(Ticks, Lots)> {
        self.levels(side).next()
    }

    /// Levels of a side, best first, quantities of all venues added.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Ticks, Lots)> + '_ {
        let mut by_venue = self.levels_by_venue(side).peekable();
        std::iter::from_fn(move || {
            let VenueLevel { price, mut qty, .. } = by_venue.next()?;
            while let Some(more) = by_venue.next_if(|level| level.price == price) {
                qty += more.qty;
            }
            Some((price, qty))
        })
    }

    /// Levels of each venue, best first; venues in their order at the same price.
    pub fn levels_by_venue(&self, side: Side) -> impl Iterator<Item = VenueLevel> + '_ {
        let mut rest: [_; MAX_VENUES] = std::array::from_fn(|venue| {
            self.books[venue].map(|(book, scale)| {
                let rescale = move |(price, qty): (Ticks, Lots)| VenueLevel {
                    venue,
                    price: Ticks(price.0.saturating_mul(scale.ticks)),
                    qty: Lots(qty.0.saturating_mul(scale.lots)),
                };
                book.levels(side).map(rescale).peekable()
            })
        });
        std::iter::from_fn(move || {
            let mut next: Option<VenueLevel> = None;
            for level in rest.iter_mut().flatten().filter_map(|levels| levels.peek()) {
                if next.is_none_or(|best| side.better(level.price, best.price)) {
                    next = Some(*level);
                }
            }
            rest[next?.venue].as_mut()?.next()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Trust;
    use mainspring_core::event::flags;
    use mainspring_core::{InstrumentKind, MarketRow, PriceGrid, RowKind};

    fn book(levels: &[(Side, i32, i64)]) -> L2Book {
        let mut book = L2Book::default();
        for (n, (side, price, qty)) in levels.iter().enumerate() {
            let ask = if *side == Side::Sell { flags::ASK } else { 0 };
            let end = if n + 1 == levels.len() { flags::END_OF_MESSAGE } else { 0 };
            let row = MarketRow {
                recv_ns: 0,
                exch_ns: 0,
                qty_lots: *qty,
                price_offset: *price,
                kind: RowKind::Depth as u8,
                flags: ask | end,
                instrument: 0,
            };
            book.apply(&row, Ticks(0));
        }
        book
    }

    #[test]
    fn levels_of_different_ticks_and_lots_add_up() {
        use Side::{Buy, Sell};
        let fine = book(&[(Buy, 1_000, 5), (Buy, 995, 2), (Sell, 1_005, 1)]);
        let coarse = book(&[(Buy, 200, 3), (Buy, 198, 4), (Sell, 202, 9)]);
        let gapped = L2Book::default();
        assert_eq!(gapped.trust(), Trust::Empty);
        let view = Consolidated::new(&[
            (&gapped, VenueScale::ONE),
            (&fine, VenueScale::ONE),
            (&coarse, VenueScale { ticks: 5, lots: 10 }),
        ])
        .unwrap();
        let bids: Vec<_> = view.levels(Buy).map(|(p, q)| (p.0, q.0)).collect();
        assert_eq!(bids, [(1_000, 35), (995, 2), (990, 40)]);
        assert_eq!(view.best(Sell), Some((Ticks(1_005), Lots(1))));
        let venues: Vec<_> = view.levels_by_venue(Buy).map(|l| (l.venue, l.qty.0)).collect();
        assert_eq!(venues, [(1, 5), (2, 30), (1, 2), (2, 40)]);
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn instrument(kind: InstrumentKind, tick: &str, lot: &str, multiplier: &str) -> Instrument {
        Instrument {
            symbol: "TEST".into(),
            venue: "test".into(),
            kind,
            base: "BTC".into(),
            quote: "USDT".into(),
            grids: vec![PriceGrid::fixed(decimal(tick))],
            lot: decimal(lot),
            multiplier: decimal(multiplier),
            min_qty: Lots(1),
            max_qty: Lots(0),
            min_notional: Decimal::ZERO,
            maker_fee: Decimal::ZERO,
            taker_fee: Decimal::ZERO,
            margin_tiers: vec![],
        }
    }

    #[test]
    fn instruments_of_two_venues_meet_in_common_units() {
        let spot = instrument(InstrumentKind::Spot, "0.25", "0.001", "1");
        let contracts = instrument(InstrumentKind::LinearPerpetual, "0.1", "1", "0.0025");
        let units = CommonUnits::of(&[&spot, &contracts]).unwrap();
        assert_eq!((units.tick, units.lot), (decimal("0.05"), decimal("0.0005")));
        let scales = [VenueScale { ticks: 5, lots: 2 }, VenueScale { ticks: 2, lots: 5 }];
        assert_eq!(units.scales, scales);
        let inverse = instrument(InstrumentKind::InversePerpetual, "0.1", "1", "100");
        assert!(CommonUnits::of(&[&spot, &inverse]).is_err());
    }

    #[test]
    fn common_units_are_the_coarsest() {
        let unit = common_unit(&[decimal("0.25"), decimal("0.1"), decimal("2")]).unwrap();
        assert_eq!(unit, decimal("0.05"));
        assert!(common_unit(&[]).is_err());
    }
}
