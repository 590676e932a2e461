//! How long a message takes.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use mainspring_core::{Instrument, InstrumentId, Result};

use crate::load::{generate, Message, Scenario};
use crate::market::{Market, MarketConfig};
use crate::order::{Desk, OrderReport, ReportKind, TradeReport};

/// What a load did, so that a run can be compared with another and nothing is optimised away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub volume: i64,
    /// Orders that rested.
    pub rested: u64,
    /// Orders and rests of orders that left unfilled.
    pub cancelled: u64,
    /// Changes.
    pub amended: u64,
    /// Refusals of any kind.
    pub refused: u64,
    /// Open orders at the end.
    pub open: u64,
}

impl Desk for Tally {
    #[inline]
    fn trade(&mut self, trade: &TradeReport) {
        self.trades += 1;
        self.volume += trade.qty.0;
    }

    #[inline]
    fn order(&mut self, report: &OrderReport) {
        match report.kind {
            ReportKind::Rested => self.rested += 1,
            ReportKind::Cancelled(_) => self.cancelled += 1,
            ReportKind::Amended { .. } => self.amended += 1,
            ReportKind::Accepted | ReportKind::Triggered => {}
            _ => self.refused += 1,
        }
    }
}

/// Nanoseconds per message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Every block of messages with the median of its passes.
    pub median_ns: f64,
    /// Every block with its quickest pass: what is left of it on a machine that does nothing else.
    pub quietest_ns: f64,
}

/// Messages that are timed together.
const BLOCK: usize = 1_000;

/// How long the messages of a scenario take in the matching engine alone, and what they did.
///
/// The same `count` messages go through a fresh market `passes` times, and are timed in blocks of
/// a thousand, so that a pause of the machine is not measured.
///
/// # Errors
/// When the instrument does not fit into exact money.
pub fn matching(
    instrument: &Instrument,
    scenario: Scenario,
    count: usize,
    passes: usize,
) -> Result<(Timing, Tally)> {
    let (before, messages) = generate(instrument, scenario, count, 7)?;
    let mut times = vec![Vec::with_capacity(passes); messages.chunks(BLOCK).len()];
    let mut tally = Tally::default();
    for _ in 0..passes.max(1) {
        let config = MarketConfig { reserved_orders: 1 << 15, ..MarketConfig::default() };
        let mut market = Market::new(InstrumentId(0), instrument, config)?;
        before.iter().for_each(|message| message.apply(&mut market, 0, &mut Tally::default()));
        tally = Tally::default();
        for (block, times) in messages.chunks(BLOCK).zip(&mut times) {
            times.push(timed(&mut market, block, &mut tally));
        }
        tally.open = market.open_orders() as u64;
    }
    times.iter_mut().for_each(|block| block.sort_by(f64::total_cmp));
    let per_message = |total: f64| total / messages.len().max(1) as f64;
    let timing = Timing {
        median_ns: per_message(times.iter().map(|block| block[block.len() / 2]).sum()),
        quietest_ns: per_message(times.iter().map(|block| block[0]).sum()),
    };
    Ok((timing, tally))
}

fn timed(market: &mut Market, messages: &[Message], tally: &mut Tally) -> f64 {
    let start = Instant::now();
    for message in messages {
        message.apply(market, 1, tally);
    }
    start.elapsed().as_nanos() as f64
}
