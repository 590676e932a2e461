//! Public trades of a symbol: the last ones, bars, and the last day.

use std::collections::VecDeque;

/// Trades and one-minute bars that are kept.
const TRADES: usize = 1_000;
const MINUTES: usize = 2 * 24 * 60;
const MINUTE_MS: i64 = 60_000;

/// A public trade.
#[derive(Clone, Copy, Debug)]
pub struct Print {
    /// Its number.
    pub id: u64,
    /// Price in ticks.
    pub price: i64,
    /// Quantity in lots.
    pub qty: i64,
    /// When.
    pub time_ms: i64,
    /// Whether the buyer was the maker.
    pub buyer_is_maker: bool,
}

/// A bar in ticks and lots.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// When it opens.
    pub open_ms: i64,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// Lots traded.
    pub volume: i64,
    /// Ticks x lots traded.
    pub quote: i128,
    /// Lots that takers bought.
    pub bought: i64,
    /// Ticks x lots that takers bought.
    pub bought_quote: i128,
    /// Number of trades.
    pub trades: u64,
    /// First trade.
    pub first_id: u64,
    /// Last trade.
    pub last_id: u64,
}

impl Bar {
    const fn of(print: &Print, open_ms: i64) -> Self {
        let (price, id) = (print.price, print.id);
        Self {
            open_ms,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            quote: 0,
            bought: 0,
            bought_quote: 0,
            trades: 0,
            first_id: id,
            last_id: id,
        }
    }

    fn add(&mut self, print: &Print) {
        let quote = i128::from(print.price) * i128::from(print.qty);
        self.high = self.high.max(print.price);
        self.low = self.low.min(print.price);
        self.close = print.price;
        self.volume += print.qty;
        self.quote += quote;
        if !print.buyer_is_maker {
            self.bought += print.qty;
            self.bought_quote += quote;
        }
        self.trades += 1;
        self.last_id = print.id;
    }

    fn join(&mut self, next: &Self) {
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume += next.volume;
        self.quote += next.quote;
        self.bought += next.bought;
        self.bought_quote += next.bought_quote;
        self.trades += next.trades;
        self.last_id = next.last_id;
    }
}

/// The tape of one symbol.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    prints: VecDeque<Print>,
    minutes: VecDeque<Bar>,
}

/// Milliseconds of an interval's name; months and weeks are not offered.
#[must_use]
pub fn interval_ms(name: &str) -> Option<i64> {
    let (count, unit) = name.split_at(name.len().checked_sub(1)?);
    let unit = match unit {
        "m" => MINUTE_MS,
        "h" => 60 * MINUTE_MS,
        "d" => 24 * 60 * MINUTE_MS,
        _ => return None,
    };
    let known = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"];
    known.contains(&name).then(|| count.parse::<i64>().ok().map(|count| count * unit))?
}

impl Tape {
    /// Adds a trade.
    pub fn add(&mut self, print: Print) {
        self.prints.push_back(print);
        if self.prints.len() > TRADES {
            self.prints.pop_front();
        }
        let open_ms = print.time_ms - print.time_ms.rem_euclid(MINUTE_MS);
        if self.minutes.back().is_none_or(|bar| bar.open_ms < open_ms) {
            self.minutes.push_back(Bar::of(&print, open_ms));
            if self.minutes.len() > MINUTES {
                self.minutes.pop_front();
            }
        }
        if let Some(bar) = self.minutes.back_mut() {
            bar.add(&print);
        }
    }

    /// The last trades, oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &Print> {
        self.prints.iter().skip(self.prints.len().saturating_sub(count))
    }

    /// The newest trade.
    #[must_use]
    pub fn newest(&self) -> Option<&Print> {
        self.prints.back()
    }

    /// Bars of an interval that open in `[start, end]`, oldest first.
    #[must_use]
    pub fn bars(&self, interval_ms: i64, start_ms: i64, end_ms: i64) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        for minute in &self.minutes {
            let open_ms = minute.open_ms - minute.open_ms.rem_euclid(interval_ms);
            match bars.last_mut() {
                Some(bar) if bar.open_ms == open_ms => bar.join(minute),
                _ => bars.push(Bar { open_ms, ..*minute }),
            }
        }
        bars.retain(|bar| bar.open_ms >= start_ms && bar.open_ms <= end_ms);
        bars
    }

    /// The last day, minute by minute, as one bar.
    #[must_use]
    pub fn day(&self, now_ms: i64) -> Option<Bar> {
        let from = now_ms - 24 * 60 * MINUTE_MS;
        let mut minutes = self.minutes.iter().filter(|bar| bar.open_ms > from);
        let mut day = *minutes.next()?;
        minutes.for_each(|minute| day.join(minute));
        Some(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_join_to_longer_bars() {
        let mut tape = Tape::default();
        for (id, (time_ms, price)) in
            [(1_000, 10), (59_999, 12), (60_000, 9), (300_000, 11)].into_iter().enumerate()
        {
            let id = id as u64 + 1;
            tape.add(Print { id, price, qty: 2, time_ms, buyer_is_maker: id.is_multiple_of(2) });
        }
        let bars = tape.bars(interval_ms("1m").unwrap(), 0, i64::MAX);
        assert_eq!(bars.iter().map(|b| b.open_ms).collect::<Vec<_>>(), [0, 60_000, 300_000]);
        let five = tape.bars(interval_ms("5m").unwrap(), 0, i64::MAX);
        let first = five[0];
        assert_eq!((first.open, first.high, first.low, first.close), (10, 12, 9, 9));
        assert_eq!((first.volume, first.trades, first.bought, first.last_id), (6, 3, 4, 3));
        assert_eq!(tape.day(300_000).unwrap().quote, 2 * (10 + 12 + 9 + 11));
        assert_eq!(interval_ms("7m"), None);
    }
}
