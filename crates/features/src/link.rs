//! The links of the chain: what each feature keeps and how it is read.

use std::f64::consts::LN_2;

use mainspring_book::L2Book;
use mainspring_core::error::Result;
use mainspring_core::order::Side;
use mainspring_core::units::{DurationNs, TimeNs};

use crate::chain::{quote_of, Scale};
use crate::imbalance::{DepthImbalance, LevelWeights};
use crate::microprice::MicropriceTable;
use crate::ofi::ofi_event;
use crate::quote::Quote;
use crate::spec::FeatureSpec;
use crate::toxicity::Vpin;
use crate::volatility::ewma::EwmaRate;
use crate::window::TrailingSum;

const NS_PER_SECOND: f64 = 1e9;

fn seconds(ns: DurationNs) -> f64 {
    ns as f64 / NS_PER_SECOND
}

/// One feature with its state.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    Mid { tick: f64 },
    Spread { tick: f64 },
    SpreadBps,
    Imbalance { levels: usize },
    WeightedImbalance { weights: Box<[f64]> },
    WeightedMid { tick: f64 },
    Microprice { table: MicropriceTable, tick: f64 },
    QueueUpProbability { rho: f64 },
    Ofi { sum: TrailingSum, lot: f64 },
    MultiLevelOfi(LevelFlow),
    EwmaVolatility(MidVolatility),
    TradeFlow { flow: DecayingFlow, lot: f64 },
    TradeImbalance { flow: DecayingFlow },
    Vpin { buckets: Vpin },
}

impl Link {
    pub(crate) fn new(spec: &FeatureSpec, scale: Scale) -> Result<Self> {
        spec.validate()?;
        let Scale { tick, lot } = scale;
        Ok(match spec {
            FeatureSpec::Mid => Self::Mid { tick },
            FeatureSpec::Spread => Self::Spread { tick },
            FeatureSpec::SpreadBps => Self::SpreadBps,
            FeatureSpec::Imbalance { levels } => Self::Imbalance { levels: *levels },
            FeatureSpec::WeightedImbalance { levels, decay } => {
                let weights = LevelWeights::Exponential { decay: *decay };
                Self::WeightedImbalance { weights: (0..*levels).map(|l| weights.at(l)).collect() }
            }
            FeatureSpec::WeightedMid => Self::WeightedMid { tick },
            FeatureSpec::Microprice { table } => Self::Microprice { table: table.clone(), tick },
            FeatureSpec::QueueUpProbability { rho } => Self::QueueUpProbability { rho: *rho },
            FeatureSpec::Ofi { window_ns } => Self::Ofi { sum: TrailingSum::new(*window_ns), lot },
            FeatureSpec::MultiLevelOfi { levels, window_ns } => {
                Self::MultiLevelOfi(LevelFlow::new(*levels, *window_ns))
            }
            FeatureSpec::EwmaVolatility { halflife_ns, sample_ns } => {
                Self::EwmaVolatility(MidVolatility::new(*halflife_ns, *sample_ns)?)
            }
            FeatureSpec::TradeFlow { halflife_ns } => {
                Self::TradeFlow { flow: DecayingFlow::new(*halflife_ns), lot }
            }
            FeatureSpec::TradeImbalance { halflife_ns } => {
                Self::TradeImbalance { flow: DecayingFlow::new(*halflife_ns) }
            }
            FeatureSpec::Vpin { bucket, window } => {
                Self::Vpin { buckets: Vpin::new(bucket / lot, *window)? }
            }
        })
    }

    pub(crate) const fn wants_quotes(&self) -> bool {
        matches!(self, Self::Ofi { .. } | Self::EwmaVolatility(_))
    }

    pub(crate) const fn wants_levels(&self) -> bool {
        matches!(self, Self::MultiLevelOfi(_))
    }

    pub(crate) const fn wants_trades(&self) -> bool {
        matches!(self, Self::TradeFlow { .. } | Self::TradeImbalance { .. } | Self::Vpin { .. })
    }

    /// The best quote has changed; `before` is `None` when it was not known.
    pub(crate) fn on_quote(&mut self, before: Option<&Quote>, after: &Quote, now_ns: TimeNs) {
        match self {
            Self::Ofi { sum, .. } => {
                if let Some(before) = before {
                    sum.add(ofi_event(before, after), now_ns);
                }
            }
            Self::EwmaVolatility(state) => state.on_quote(after, now_ns),
            _ => {}
        }
    }

    pub(crate) fn on_levels(&mut self, book: &L2Book, now_ns: TimeNs) {
        if let Self::MultiLevelOfi(state) = self {
            state.on_levels(book, now_ns);
        }
    }

    pub(crate) fn on_trade(&mut self, signed_lots: f64, now_ns: TimeNs) {
        match self {
            Self::TradeFlow { flow, .. } | Self::TradeImbalance { flow } => {
                flow.add(signed_lots, now_ns);
            }
            Self::Vpin { buckets } => buckets.add(signed_lots),
            _ => {}
        }
    }

    /// The book cannot be trusted any more; what comes next does not follow from what was.
    pub(crate) fn on_break(&mut self, now_ns: TimeNs) {
        match self {
            Self::MultiLevelOfi(state) => state.has_previous = false,
            Self::EwmaVolatility(state) => state.on_break(now_ns),
            _ => {}
        }
    }

    #[inline]
    pub(crate) fn value(&self, book: &L2Book, now_ns: TimeNs) -> f64 {
        match self {
            Self::Mid { tick } => quote_of(book).mid() * tick,
            Self::Spread { tick } => quote_of(book).spread() * tick,
            Self::SpreadBps => quote_of(book).spread_bps(),
            Self::Imbalance { levels: 1 } => quote_of(book).queue_imbalance(),
            Self::Imbalance { levels } => depth_imbalance(book, std::iter::repeat_n(&1.0, *levels)),
            Self::WeightedImbalance { weights } => depth_imbalance(book, weights.iter()),
            Self::WeightedMid { tick } => quote_of(book).weighted_mid() * tick,
            Self::Microprice { table, tick } => {
                let quote = quote_of(book);
                (quote.mid() + table.adjustment(&quote)) * tick
            }
            Self::QueueUpProbability { rho } => quote_of(book).up_probability(*rho),
            Self::Ofi { sum, lot } if sum.has_begun() => sum.total_at(now_ns) * lot,
            Self::Ofi { .. } => f64::NAN,
            Self::MultiLevelOfi(state) => state.value(now_ns),
            Self::EwmaVolatility(state) => state.value(now_ns),
            Self::TradeFlow { flow, lot } => flow.net(now_ns) * lot,
            Self::TradeImbalance { flow } => flow.ratio(),
            Self::Vpin { buckets } => buckets.value(),
        }
    }
}

#[inline]
fn depth_imbalance<'a>(book: &L2Book, weights: impl Iterator<Item = &'a f64> + Clone) -> f64 {
    let weighted = |side| {
        book.levels(side).zip(weights.clone()).map(|((_, qty), w)| qty.0 as f64 * w).sum::<f64>()
    };
    DepthImbalance { bid: weighted(Side::Buy), ask: weighted(Side::Sell) }.ratio()
}

/// Order-flow imbalance of several levels.
#[derive(Clone, Debug)]
pub(crate) struct LevelFlow {
    levels: Box<[Quote]>,
    /// Flow of all levels, sizes of all levels, and books, in the window.
    flow: TrailingSum,
    depth: TrailingSum,
    books: TrailingSum,
    has_previous: bool,
}

impl LevelFlow {
    fn new(levels: usize, window_ns: DurationNs) -> Self {
        Self {
            levels: vec![Quote::EMPTY; levels].into_boxed_slice(),
            flow: TrailingSum::new(window_ns),
            depth: TrailingSum::new(window_ns),
            books: TrailingSum::new(window_ns),
            has_previous: false,
        }
    }

    fn on_levels(&mut self, book: &L2Book, now_ns: TimeNs) {
        let (mut bids, mut asks) = (book.levels(Side::Buy), book.levels(Side::Sell));
        let (mut flow, mut depth, mut has_changed) = (0.0, 0.0, false);
        for level in &mut self.levels {
            let mut now = Quote::EMPTY;
            if let Some((price, qty)) = bids.next() {
                (now.bid, now.bid_qty) = (price.0 as f64, qty.0 as f64);
            }
            if let Some((price, qty)) = asks.next() {
                (now.ask, now.ask_qty) = (price.0 as f64, qty.0 as f64);
            }
            flow += ofi_event(level, &now);
            depth += now.bid_qty + now.ask_qty;
            has_changed |= now != *level;
            *level = now;
        }
        if has_changed || !self.has_previous {
            self.flow.add(if self.has_previous { flow } else { 0.0 }, now_ns);
            self.depth.add(depth, now_ns);
            self.books.add(1.0, now_ns);
            self.has_previous = true;
        }
    }

    /// (flow / levels) / (depth / (2 levels books)).
    fn value(&self, now_ns: TimeNs) -> f64 {
        if self.books.total_at(now_ns) > 0.0 {
            let mean_depth = self.depth.total_at(now_ns) / (2.0 * self.books.total_at(now_ns));
            self.flow.total_at(now_ns) / mean_depth
        } else if self.has_previous {
            0.0
        } else {
            f64::NAN
        }
    }
}

/// EWMA volatility of the log mid over the time that the mid was known.
#[derive(Clone, Debug)]
pub(crate) struct MidVolatility {
    rate: EwmaRate,
    sample_ns: DurationNs,
    warm_up_ns: DurationNs,
    /// NaN while the mid is not known.
    log_mid: f64,
    has_moved: bool,
    /// Time of the last sample.
    last_ns: TimeNs,
    /// Time known before the last sample.
    known_ns: DurationNs,
}

impl MidVolatility {
    fn new(halflife_ns: DurationNs, sample_ns: DurationNs) -> Result<Self> {
        Ok(Self {
            rate: EwmaRate::new(seconds(halflife_ns), 0.0)?,
            sample_ns,
            warm_up_ns: halflife_ns / 10,
            log_mid: f64::NAN,
            has_moved: false,
            last_ns: 0,
            known_ns: 0,
        })
    }

    fn on_quote(&mut self, quote: &Quote, now_ns: TimeNs) {
        let mid = quote.mid();
        // Without both sides, or at prices that are not positive, there is no log mid.
        if mid.is_nan() || mid <= 0.0 {
            return self.on_break(now_ns);
        }
        let log_mid = libm::log(mid);
        if self.log_mid.is_nan() {
            (self.log_mid, self.last_ns) = (log_mid, now_ns);
        } else if now_ns - self.last_ns >= self.sample_ns {
            let log_return = log_mid - self.log_mid;
            if log_return != 0.0 {
                self.sample(log_return, now_ns);
                self.log_mid = log_mid;
                self.has_moved = true;
            }
        }
    }

    fn sample(&mut self, log_return: f64, now_ns: TimeNs) {
        let span_ns = now_ns - self.last_ns;
        self.rate.add(log_return, seconds(span_ns));
        self.known_ns += span_ns;
        self.last_ns = now_ns;
    }

    /// The mid is not known from here on: the quiet time until now counts, what follows does not.
    fn on_break(&mut self, now_ns: TimeNs) {
        if !self.log_mid.is_nan() {
            self.sample(0.0, now_ns);
            self.log_mid = f64::NAN;
        }
    }

    fn value(&self, now_ns: TimeNs) -> f64 {
        let quiet_ns = if self.log_mid.is_nan() { 0 } else { now_ns - self.last_ns };
        let known_ns = self.known_ns + quiet_ns;
        if !self.has_moved || known_ns < self.warm_up_ns {
            return f64::NAN;
        }
        (self.rate.rate_after(seconds(quiet_ns)) / self.rate.weight_of(seconds(known_ns))).sqrt()
    }
}

/// Volume bought and sold by takers, decaying.
#[derive(Clone, Debug)]
pub(crate) struct DecayingFlow {
    decay_per_ns: f64,
    net: f64,
    total: f64,
    last_ns: TimeNs,
}

impl DecayingFlow {
    fn new(halflife_ns: DurationNs) -> Self {
        Self { decay_per_ns: LN_2 / halflife_ns as f64, net: 0.0, total: 0.0, last_ns: 0 }
    }

    fn kept(&self, now_ns: TimeNs) -> f64 {
        libm::exp(-self.decay_per_ns * (now_ns - self.last_ns) as f64)
    }

    fn add(&mut self, signed: f64, now_ns: TimeNs) {
        let kept = self.kept(now_ns);
        self.net = self.net * kept + signed;
        self.total = self.total * kept + signed.abs();
        self.last_ns = now_ns;
    }

    fn net(&self, now_ns: TimeNs) -> f64 {
        self.net * self.kept(now_ns)
    }

    /// Both decay alike, so the ratio stays until the next trade; NaN before the first.
    fn ratio(&self) -> f64 {
        self.net / self.total
    }
}
