//! Bars that the kernel builds from the feed's trades: by time, trades, volume or value.

use std::str::FromStr;

use mainspring_core::event::BarRow;
use mainspring_core::{
    Decimal, DurationNs, Error, ErrorKind, Instrument, InstrumentId, Lots, Result, TimeNs,
};

use crate::market::Trade;

/// Most sorts of bars in one run.
pub const MAX_BAR_SPECS: usize = 64;

/// A sort of bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarSpec {
    /// Every so many nanoseconds, on multiples of the interval since the epoch.
    Time(DurationNs),
    /// Every so many trades.
    Ticks(u64),
    /// Every so much quantity, in units of the base; a trade is split over bar edges.
    Volume(Decimal),
    /// Every so much value, in units of the quote; a trade belongs whole to the bar it completes.
    Dollar(Decimal),
}

impl FromStr for BarSpec {
    type Err = Error;

    /// Reads `1m`, `500ms`, `tick:100`, `volume:10.5`, `dollar:1000000`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(
                ErrorKind::Config,
                format!(
                    "'{text}' is no sort of bar; write 1m, tick:100, volume:10 or dollar:1000000"
                ),
            )
        };
        let Some((kind, size)) = text.split_once(':') else {
            return interval_ns(text).map(Self::Time).ok_or_else(wrong);
        };
        let amount = || size.parse::<Decimal>().ok().filter(|d| d.mantissa() > 0).ok_or_else(wrong);
        match kind {
            "time" => interval_ns(size).map(Self::Time).ok_or_else(wrong),
            "tick" => match size.parse() {
                Ok(count) if count > 0 => Ok(Self::Ticks(count)),
                _ => Err(wrong()),
            },
            "volume" => amount().map(Self::Volume),
            "dollar" => amount().map(Self::Dollar),
            _ => Err(wrong()),
        }
    }
}

fn interval_ns(text: &str) -> Option<DurationNs> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let count: i64 = text[..split].parse().ok()?;
    let unit = match &text[split..] {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    count.checked_mul(unit).filter(|ns| *ns > 0)
}

/// One bar in the making.
pub struct BarBuilder {
    spec: BarSpec,
    index: u16,
    instrument: InstrumentId,
    /// What the bar is full at: trades, lots, or ticks x lots.
    full_at: i128,
    progress: i128,
    bar: Option<BarRow>,
    last_close: Option<i64>,
}

impl BarBuilder {
    /// A builder of the `index`-th sort of bar in an instrument.
    ///
    /// # Errors
    /// When the size is less than one lot or tick-lot, or too large to count.
    pub fn new(
        spec: BarSpec,
        index: u16,
        id: InstrumentId,
        instrument: &Instrument,
    ) -> Result<Self> {
        let too_odd = || {
            Error::new(
                ErrorKind::Config,
                format!("{}: a bar of {spec:?} cannot be counted in its lots", instrument.symbol),
            )
        };
        let full_at = match spec {
            BarSpec::Time(_) => 0,
            BarSpec::Ticks(count) => i128::from(count),
            BarSpec::Volume(size) => (size.to_f64() / instrument.lot.to_f64()).round() as i128,
            BarSpec::Dollar(size) => {
                let unit = instrument.tick().to_f64() * instrument.lot.to_f64();
                (size.to_f64() / (unit * instrument.multiplier.to_f64())).round() as i128
            }
        };
        if full_at <= 0 && !matches!(spec, BarSpec::Time(_)) {
            return Err(too_odd());
        }
        Ok(Self { spec, index, instrument: id, full_at, progress: 0, bar: None, last_close: None })
    }

    /// Forgets the bar that is being built and the last close.
    pub fn reset(&mut self) {
        self.progress = 0;
        self.bar = None;
        self.last_close = None;
    }

    /// The interval of time bars.
    #[must_use]
    pub const fn interval_ns(&self) -> Option<DurationNs> {
        match self.spec {
            BarSpec::Time(interval) => Some(interval),
            _ => None,
        }
    }

    /// Adds a trade; bars that it completes go to `done`.
    pub fn on_trade(&mut self, trade: &Trade, now_ns: TimeNs, done: &mut Vec<BarRow>) {
        match self.spec {
            BarSpec::Time(_) => self.add(trade, trade.qty, now_ns),
            BarSpec::Ticks(_) => self.add_and_count(trade, 1, now_ns, done),
            BarSpec::Dollar(_) => {
                let value = i128::from(trade.price.0) * i128::from(trade.qty.0);
                self.add_and_count(trade, value, now_ns, done);
            }
            BarSpec::Volume(_) => self.split_over_bars(trade, now_ns, done),
        }
    }

    fn split_over_bars(&mut self, trade: &Trade, now_ns: TimeNs, done: &mut Vec<BarRow>) {
        let mut left = i128::from(trade.qty.0);
        while left > 0 {
            let part = left.min(self.full_at - self.progress);
            let qty = Lots(part as i64);
            self.add(trade, qty, now_ns);
            self.progress += part;
            left -= part;
            if self.progress == self.full_at {
                self.close(now_ns, done);
            }
        }
    }

    fn add_and_count(
        &mut self,
        trade: &Trade,
        amount: i128,
        now_ns: TimeNs,
        done: &mut Vec<BarRow>,
    ) {
        self.add(trade, trade.qty, now_ns);
        self.progress += amount;
        if self.progress >= self.full_at {
            self.close(now_ns, done);
        }
    }

    fn add(&mut self, trade: &Trade, qty: Lots, now_ns: TimeNs) {
        let bar = self.bar.get_or_insert(BarRow {
            recv_ns: now_ns,
            open_ns: now_ns,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: Lots(0),
            trades: 0,
            instrument: self.instrument.0,
            flags: self.index,
        });
        bar.high = bar.high.max(trade.price);
        bar.low = bar.low.min(trade.price);
        bar.close = trade.price;
        bar.volume += qty;
        bar.trades += 1;
    }

    fn close(&mut self, now_ns: TimeNs, done: &mut Vec<BarRow>) {
        self.progress = 0;
        if let Some(mut bar) = self.bar.take() {
            bar.recv_ns = now_ns;
            done.push(bar);
        }
    }

    /// The end of a time bar's interval. Without a trade in it the bar is flat at the last close;
    /// before the first trade there is none.
    pub fn on_interval(&mut self, end_ns: TimeNs, interval_ns: DurationNs) -> Option<BarRow> {
        let mut bar = match (self.bar.take(), self.last_close) {
            (Some(bar), _) => bar,
            (None, Some(close)) => BarRow {
                recv_ns: end_ns,
                open_ns: end_ns,
                open: mainspring_core::Ticks(close),
                high: mainspring_core::Ticks(close),
                low: mainspring_core::Ticks(close),
                close: mainspring_core::Ticks(close),
                volume: Lots(0),
                trades: 0,
                instrument: self.instrument.0,
                flags: self.index,
            },
            (None, None) => return None,
        };
        bar.open_ns = end_ns - interval_ns;
        bar.recv_ns = end_ns;
        self.last_close = Some(bar.close.0);
        Some(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::instrument::{InstrumentKind, PriceGrid};
    use mainspring_core::{Side, Ticks};
    use proptest::prelude::*;

    fn instrument() -> Instrument {
        Instrument {
            symbol: "X".into(),
            venue: "sim".into(),
            kind: InstrumentKind::Spot,
            base: "X".into(),
            quote: "Y".into(),
            grids: vec![PriceGrid::fixed("0.5".parse().unwrap())],
            lot: "0.1".parse().unwrap(),
            multiplier: Decimal::ONE,
            min_qty: Lots(1),
            max_qty: Lots(0),
            min_notional: Decimal::ZERO,
            maker_fee: Decimal::ZERO,
            taker_fee: Decimal::ZERO,
            margin_tiers: vec![],
        }
    }

    fn bars(spec: &str, trades: &[(i64, i64)]) -> Vec<BarRow> {
        let spec = spec.parse().unwrap();
        let mut builder = BarBuilder::new(spec, 3, InstrumentId(0), &instrument()).unwrap();
        let mut done = Vec::new();
        for (i, (price, qty)) in trades.iter().enumerate() {
            let trade =
                Trade { exch_ns: 0, price: Ticks(*price), qty: Lots(*qty), taker: Side::Buy };
            builder.on_trade(&trade, i as i64, &mut done);
        }
        done
    }

    proptest! {
        #[test]
        fn volume_bars_are_exactly_full_and_lose_nothing(
            trades in prop::collection::vec((1_i64..100, 1_i64..60), 1..100),
        ) {
            let done = bars("volume:2", &trades);
            let total: i64 = trades.iter().map(|t| t.1).sum();
            prop_assert_eq!(done.len() as i64, total / 20);
            for bar in done {
                prop_assert_eq!(bar.volume, Lots(20));
                prop_assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
            }
        }
    }

    #[test]
    fn tick_and_dollar_bars_close_with_the_trade_that_fills_them() {
        let trades = [(10, 1), (12, 2), (11, 3), (9, 4)];
        let ticks = bars("tick:2", &trades);
        assert_eq!(
            ticks.iter().map(|b| (b.open.0, b.close.0, b.volume.0)).collect::<Vec<_>>(),
            [(10, 12, 3), (11, 9, 7)]
        );
        // One dollar is 20 tick-lots: 10, 34, 67 | 36.
        assert_eq!(bars("dollar:3", &trades).len(), 1);
        assert_eq!(bars("dollar:3", &trades)[0].flags, 3);
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for text in ["", "1x", "tick:0", "volume:-1", "range:5", "m"] {
            let error = text.parse::<BarSpec>().unwrap_err();
            assert!(error.message().contains("tick:100"), "{error}");
        }
    }
}
