//! Order-flow imbalance: what changes of the best quotes add to and take from each side.

use crate::quote::Quote;

/// The contribution of one change of the best quotes (Cont, Kukanov and Stoikov 2014, eq. 3):
/// `1{Pb'>=Pb} qb' - 1{Pb'<=Pb} qb - 1{Pa'<=Pa} qa' + 1{Pa'>=Pa} qa`.
///
/// A side that appears counts as added, one that vanishes as taken away.
#[inline]
#[must_use]
pub fn ofi_event(before: &Quote, after: &Quote) -> f64 {
    let when = |condition: bool, qty: f64| if condition { qty } else { 0.0 };
    when(after.bid >= before.bid, after.bid_qty)
        - when(after.bid <= before.bid, before.bid_qty)
        - when(after.ask <= before.ask, after.ask_qty)
        + when(after.ask >= before.ask, before.ask_qty)
}

/// The contributions of successive quotes, one fewer than there are quotes; their sum over an
/// interval is its order-flow imbalance.
pub fn ofi_events(quotes: &[Quote]) -> impl Iterator<Item = f64> + '_ {
    quotes.windows(2).map(|pair| ofi_event(&pair[0], &pair[1]))
}

/// Order-flow imbalance level by level.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiLevelOfi {
    /// Contributions of each change: one list a level.
    pub events: Vec<Vec<f64>>,
    /// Their sum by level.
    pub totals: Vec<f64>,
    /// Mean size of a level over all books, levels and sides.
    pub mean_depth: f64,
}

impl MultiLevelOfi {
    /// The sums divided by the mean size of a level.
    #[must_use]
    pub fn normalised(&self) -> Vec<f64> {
        self.totals.iter().map(|total| total / self.mean_depth).collect()
    }
}

/// The rule of [`ofi_event`] applied to each level of successive books (Xu, Gould and Howison
/// 2018), scaled as in Cont, Cucuringu and Zhang 2023.
///
/// Each book is a list of levels, best first; the shorter of it and `levels` is padded with
/// [`Quote::EMPTY`].
#[must_use]
pub fn multi_level_ofi(books: &[Vec<Quote>], levels: usize) -> MultiLevelOfi {
    let at = |book: &Vec<Quote>, level: usize| book.get(level).copied().unwrap_or_default();
    let events: Vec<Vec<f64>> = (0..levels)
        .map(|l| {
            books.windows(2).map(|pair| ofi_event(&at(&pair[0], l), &at(&pair[1], l))).collect()
        })
        .collect();
    let totals = events.iter().map(|level| level.iter().sum()).collect();
    let sizes = books.iter().flat_map(|book| (0..levels).map(move |l| at(book, l)));
    let total_depth: f64 = sizes.map(|q| q.bid_qty + q.ask_qty).sum();
    MultiLevelOfi { events, totals, mean_depth: total_depth / (2 * levels * books.len()) as f64 }
}
