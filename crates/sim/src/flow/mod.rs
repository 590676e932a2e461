//! The order-flow generator: sample markets without a network.
//!
//! Agents trade on an order book (`market`), driven by mutually exciting arrivals (`hawkes`) and
//! an efficient price (`price`) that they react to; `feed` publishes what a venue would. The same
//! configuration gives the same rows, bit for bit, on every machine and on any number of threads.
//!
//! A generated market is for learning, testing and demonstration. `docs/explanation/sample-data.md`
//! shows where it resembles a recorded one and where it does not.

pub mod agents;
pub mod feed;
pub mod hawkes;
pub mod market;
pub mod orders;
pub mod presets;
pub mod price;
pub mod random;
pub mod shape;

#[cfg(test)]
mod tests;

use mainspring_core::{Error, ErrorKind, Instrument, Result, RowKind, Ticks, TimeNs};

use feed::Feed;
use random::Random;
pub use shape::MarketShape;

/// Changes whenever the same configuration would give other rows; part of cached files' names.
pub const VERSION: u32 = 1;

/// 2025-01-06 00:00 UTC, a Monday: when samples start unless told otherwise.
pub const DEFAULT_START_NS: TimeNs = 1_736_121_600_000_000_000;

/// How much of the book is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Level changes, trades, mark price and funding (L2).
    Depth,
    /// Every order, mark price and funding (L3).
    Orders,
}

/// One published row; the fields of [`mainspring_core::OrderRow`] with an absolute price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// When we received it.
    pub recv_ns: TimeNs,
    /// When the exchange says it happened.
    pub exch_ns: TimeNs,
    /// What it says.
    pub kind: RowKind,
    /// Bits of [`mainspring_core::event::flags`].
    pub flags: u8,
    /// Index into the configuration's markets.
    pub instrument: u16,
    /// Price.
    pub price: Ticks,
    /// Quantity in lots, or what the kind says.
    pub qty: i64,
    /// The venue's order id, zero on rows that are not order-level.
    pub order_id: u64,
}

/// Delay between the exchange's time and ours: log-normal, but messages do not overtake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedLatency {
    /// Median.
    pub median_ns: f64,
    /// Standard deviation of the logarithm.
    pub log_sd: f64,
}

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Exchange time of the first row.
    pub start_ns: TimeNs,
    /// Span.
    pub duration_ns: i64,
    /// The markets; those of one configuration share the price factor and the connection.
    pub markets: Vec<MarketShape>,
    /// How much of the book is published.
    pub level: Level,
    /// Delay of the feed.
    pub latency: FeedLatency,
}

impl FlowConfig {
    /// A configuration of named presets, `hours` long.
    ///
    /// # Errors
    /// When a name is unknown or repeated, or the length is not positive or above 31 days.
    #[allow(clippy::cast_possible_truncation)]
    pub fn of_presets(names: &[&str], hours: f64, seed: u64, level: Level) -> Result<Self> {
        if !(hours > 0.0 && hours <= 31.0 * 24.0) {
            return Err(Error::new(
                ErrorKind::Value,
                format!("a sample of {hours} hours: give more than 0 and at most 744"),
            ));
        }
        let mut markets: Vec<MarketShape> = Vec::new();
        for name in names {
            let shape = presets::market(name)?;
            if markets.iter().any(|market| market.stream == shape.stream) {
                return Err(Error::new(ErrorKind::Value, format!("sample {name} is named twice")));
            }
            markets.push(shape);
        }
        Ok(Self {
            seed,
            start_ns: DEFAULT_START_NS,
            duration_ns: (hours * 3.6e12) as i64,
            markets,
            level,
            latency: FeedLatency { median_ns: 2e6, log_sd: 0.35 },
        })
    }

    /// The instruments, in the order that rows name them.
    #[must_use]
    pub fn instruments(&self) -> Vec<Instrument> {
        self.markets.iter().map(|market| market.instrument.clone()).collect()
    }
}

/// The rows of a configuration, in the order they are received.
#[derive(Clone, Debug)]
pub struct Flow {
    feeds: Vec<Stream>,
    latency: FeedLatency,
    random: Random,
    last_recv: TimeNs,
    ready: std::vec::IntoIter<FlowRow>,
}

#[derive(Clone, Debug)]
struct Stream {
    feed: Feed,
    pending: Vec<FlowRow>,
}

impl Stream {
    fn refill(&mut self) {
        self.pending.clear();
        while self.pending.is_empty() && self.feed.next_messages(&mut self.pending) {}
    }
}

impl Flow {
    /// Starts the generator.
    ///
    /// # Errors
    /// When the configuration names no market, too long a span, or a shape that is not valid.
    pub fn new(config: &FlowConfig) -> Result<Self> {
        if config.markets.is_empty() || config.markets.len() > 64 {
            return Err(Error::new(
                ErrorKind::Config,
                "a generated sample has 1 to 64 markets".to_owned(),
            ));
        }
        let end = config
            .start_ns
            .checked_add(config.duration_ns)
            .filter(|end| *end > config.start_ns && config.start_ns > i64::MAX / 100)
            .ok_or_else(|| {
                Error::new(ErrorKind::Config, "the span of a sample must be positive".to_owned())
            })?;
        let mut feeds = Vec::with_capacity(config.markets.len());
        for (instrument, shape) in (0_u16..).zip(&config.markets) {
            let shape = shape.clone();
            let feed =
                Feed::new(shape, config.seed, config.level, instrument, config.start_ns, end)?;
            let mut stream = Stream { feed, pending: Vec::new() };
            stream.refill();
            feeds.push(stream);
        }
        Ok(Self {
            feeds,
            latency: config.latency,
            random: Random::new(config.seed, u64::MAX),
            last_recv: 0,
            ready: Vec::new().into_iter(),
        })
    }

    /// Takes the earliest messages and stamps when they are received; messages of one time travel
    /// together.
    #[allow(clippy::cast_possible_truncation)]
    fn receive(&mut self) -> Option<()> {
        let stream = self
            .feeds
            .iter_mut()
            .filter(|stream| !stream.pending.is_empty())
            .min_by_key(|stream| stream.pending[0].exch_ns)?;
        let mut rows = std::mem::take(&mut stream.pending);
        stream.refill();
        let delay = self.random.log_normal(self.latency.median_ns, self.latency.log_sd) as i64;
        self.last_recv = self.last_recv.max(rows[0].exch_ns + delay);
        for row in &mut rows {
            row.recv_ns = self.last_recv;
        }
        self.ready = rows.into_iter();
        Some(())
    }
}

impl Iterator for Flow {
    type Item = FlowRow;

    fn next(&mut self) -> Option<FlowRow> {
        loop {
            if let Some(row) = self.ready.next() {
                return Some(row);
            }
            self.receive()?;
        }
    }
}
