//! What the venue sees of a bar: a path of four prices.
//!
//! A bar says which prices traded, not when. The venue sees the open at the opening time, then the
//! extreme nearer to the open, then the other extreme, then the close, each a quarter of the bar
//! later. At each point the book is one level a side, `spread` ticks from the price, showing
//! the bar's volume: a taker pays the spread, and a resting order needs a price through its own.

use mainspring_core::event::{flags, BarRow, MarketRow, RowKind};
use mainspring_core::{Ticks, TimeNs};

/// Points of a bar.
const POINTS: u8 = 4;

/// Quantity shown where the bar has no volume.
const UNKNOWN_VOLUME_LOTS: i64 = 1 << 40;

/// How far the venue is inside its bar.
pub struct BarPath {
    point: u8,
    spread_ticks: i64,
}

impl BarPath {
    /// At the open of a bar.
    #[must_use]
    pub const fn new(spread_ticks: i64) -> Self {
        Self { point: 0, spread_ticks }
    }

    /// When the venue sees the next point of `bar`.
    #[inline]
    #[must_use]
    pub fn time_ns(&self, bar: &BarRow) -> TimeNs {
        let quarter = (bar.recv_ns - bar.open_ns).max(0) / i64::from(POINTS);
        bar.open_ns + quarter * i64::from(self.point)
    }

    /// The rows of the next point: best bid, best ask, and the price as a trade of nothing, which sets
    /// off stops.
    #[must_use]
    pub fn rows(&self, bar: &BarRow, at_ns: TimeNs) -> ([MarketRow; 3], Ticks) {
        let price = self.price(bar);
        let volume = if bar.volume.0 > 0 { bar.volume.0 } else { UNKNOWN_VOLUME_LOTS };
        let row = |kind: RowKind, flags, offset: i64, qty_lots| MarketRow {
            recv_ns: at_ns,
            exch_ns: at_ns,
            qty_lots,
            price_offset: offset as i32,
            kind: kind as u8,
            flags,
            instrument: bar.instrument,
        };
        let rows = [
            row(RowKind::Best, 0, -self.spread_ticks, volume),
            row(RowKind::Best, flags::ASK, self.spread_ticks, volume),
            row(RowKind::Trade, flags::END_OF_MESSAGE, 0, 0),
        ];
        (rows, price)
    }

    /// When the venue sees the last point of `bar`.
    #[inline]
    #[must_use]
    pub fn last_ns(&self, bar: &BarRow) -> TimeNs {
        Self { point: POINTS - 1, ..*self }.time_ns(bar)
    }

    /// Leaves out what lies between here and the last point: nobody is there to see it.
    pub fn skip_to_last(&mut self) {
        self.point = POINTS - 1;
    }

    /// Goes on to the next point. True when the bar is over.
    pub fn advance(&mut self) -> bool {
        self.point = (self.point + 1) % POINTS;
        self.point == 0
    }

    fn price(&self, bar: &BarRow) -> Ticks {
        let low_first = bar.open - bar.low <= bar.high - bar.open;
        match self.point {
            0 => bar.open,
            1 if low_first => bar.low,
            1 => bar.high,
            2 if low_first => bar.high,
            2 => bar.low,
            _ => bar.close,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::Lots;

    #[test]
    fn the_path_goes_over_the_nearer_extreme_first() {
        let bar = BarRow {
            recv_ns: 400,
            open_ns: 0,
            open: Ticks(100),
            high: Ticks(103),
            low: Ticks(90),
            close: Ticks(95),
            volume: Lots(7),
            trades: 0,
            instrument: 0,
            flags: 0,
        };
        let mut path = BarPath::new(1);
        let mut seen = Vec::new();
        loop {
            let at = path.time_ns(&bar);
            let (rows, base) = path.rows(&bar, at);
            seen.push((at, rows[0].price(base).0, rows[1].price(base).0, rows[2].price(base).0));
            if path.advance() {
                break;
            }
        }
        let expected = [(0, 100), (100, 103), (200, 90), (300, 95)];
        assert_eq!(seen, expected.map(|(at, p)| (at, p - 1, p + 1, p)));
    }
}
