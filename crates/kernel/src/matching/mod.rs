//! The matching engine as the venue of a run: who rests where is known, so nothing is estimated.
//!
//! Our orders are in one book with those of an order-level recording, or of generated agents, and the
//! engine of [`mainspring_exchange`] matches them all. What it does is published as such a venue would,
//! so that we see our own orders and what they did to the book, after the latency of the feed.

mod again;
#[cfg(test)]
mod against_naive;
#[cfg(test)]
mod allocation;
mod crowd;
mod flow;
mod market;
mod own;
mod recorded;
mod tape;
#[cfg(test)]
mod tests;

use mainspring_core::event::OrderRow;
use mainspring_core::{Instrument, InstrumentId, Result, Ticks, TimeNs};

pub use flow::FlowSpec;
pub(crate) use market::MatchedMarket;
use market::Others;

use crate::config::RunConfig;

/// The instruments of a run on the engine.
#[derive(Clone, Debug)]
pub(crate) struct Matching {
    markets: Vec<MatchedMarket>,
    /// When generated markets open.
    start_ns: TimeNs,
}

impl Matching {
    /// Instruments of order-level recordings.
    ///
    /// # Errors
    /// When an instrument cannot be used.
    pub fn of_recordings(instruments: &[Instrument], config: &RunConfig) -> Result<Self> {
        let market = |(id, instrument)| {
            let others = Others::Recorded(Box::default());
            MatchedMarket::new(InstrumentId(id), instrument, &config.venue, others)
        };
        let markets = (0_u16..).zip(instruments).map(market).collect::<Result<_>>()?;
        Ok(Self { markets, start_ns: TimeNs::MAX })
    }

    /// Generated markets.
    ///
    /// # Errors
    /// When the flow cannot be used.
    pub fn of_flow(flow: &FlowSpec, config: &RunConfig) -> Result<Self> {
        let generated = flow.config()?;
        let market = |(id, (instrument, crowd))| {
            let others = Others::Crowd(Box::new(crowd));
            MatchedMarket::new(InstrumentId(id), &instrument, &config.venue, others)
        };
        let crowds = flow::crowds(&generated, config.feed_ns)?;
        let markets = (0_u16..).zip(crowds).map(market).collect::<Result<_>>()?;
        Ok(Self { markets, start_ns: generated.start_ns })
    }

    pub fn market(&mut self, instrument: InstrumentId) -> &mut MatchedMarket {
        &mut self.markets[instrument.index()]
    }

    /// When the agents of a generated market do something next.
    pub fn next_act_ns(&mut self, instrument: InstrumentId) -> TimeNs {
        self.markets[instrument.index()].next_act_ns(self.start_ns)
    }

    /// Where the next row reaches us, and when; the lower instrument first.
    pub fn next_feed(&self) -> (TimeNs, InstrumentId) {
        let mut next = (TimeNs::MAX, InstrumentId(0));
        for (index, market) in self.markets.iter().enumerate() {
            if market.next_feed_ns() < next.0 {
                next = (market.next_feed_ns(), InstrumentId(index as u16));
            }
        }
        next
    }

    /// The next row that reaches us in an instrument.
    pub fn next_row(&mut self, instrument: InstrumentId) -> Option<(OrderRow, Ticks)> {
        self.markets[instrument.index()].next_row()
    }

    /// The earliest expiry of an order of ours.
    pub fn next_timer_ns(&self) -> Option<TimeNs> {
        self.markets.iter().filter_map(MatchedMarket::next_timer_ns).min()
    }
}
