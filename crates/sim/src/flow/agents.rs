//! The agents of one generated market, acting one step at a time on a book that is not theirs alone.
//!
//! [`super::Flow`] writes down what agents do among themselves. Here somebody else trades with them:
//! whoever matches orders tells the agents what an outsider did, and they see it as they see each
//! other: his quotes are in the book they look at, takers meet them in price-time priority, and what
//! he takes moves the price they trade around.

use mainspring_core::order::Side;
use mainspring_core::{Result, TimeNs};

use super::feed::{FUNDING_NS, FUNDING_RATE, SECOND_NS, WARM_UP_NS};
use super::market::{BookEvent, Market};
use super::orders::Resting;
use super::random::Random;
use super::shape::MarketShape;
use super::FeedLatency;

/// A mark price and, when it is due, a funding rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The whole ticks of the mark price.
    pub ticks: i64,
    /// What is above them, in units of 10^-9 tick.
    pub part: i64,
    /// The rate that settles now, in units of 10^-9.
    pub funding: Option<i64>,
}

/// One market's agents, with the times at which they and the venue act.
#[derive(Clone, Debug)]
pub struct Agents {
    market: Market,
    next_mark: TimeNs,
    end: TimeNs,
    latency: FeedLatency,
    random: Random,
}

impl Agents {
    /// The agents of a market over `start..=end`, past the seeding of their book.
    ///
    /// # Errors
    /// When the shape is not valid.
    pub fn new(
        shape: MarketShape,
        seed: u64,
        (start, end): (TimeNs, TimeNs),
        latency: FeedLatency,
    ) -> Result<Self> {
        let random = Random::new(seed, (1 << 33) + shape.stream);
        let mut market = Market::new(shape, seed, start - WARM_UP_NS)?;
        while market.advance(start, |_| {}) {}
        Ok(Self { market, next_mark: start + SECOND_NS, end, latency, random })
    }

    /// The market, to tell it what an outsider does.
    pub fn market(&mut self) -> &mut Market {
        &mut self.market
    }

    /// Every resting order, best price first, and first come first at each.
    pub fn resting(&self, mut each: impl FnMut(Resting)) {
        let orders = self.market.orders();
        for side in [Side::Buy, Side::Sell] {
            let mut price = orders.best(side);
            while let Some(tick) = price {
                let mut queue = orders.front(side, tick);
                while let Some((handle, order)) = queue {
                    each(order);
                    queue = orders.behind(handle);
                }
                price = orders.next_price(side, tick);
            }
        }
    }

    /// When [`Self::step`] is due; `TimeNs::MAX` after the end.
    pub fn next_ns(&mut self) -> TimeNs {
        let mark = if self.next_mark < self.end { self.next_mark } else { TimeNs::MAX };
        let next = self.market.next_ns().min(mark);
        if next > self.end {
            return TimeNs::MAX;
        }
        next
    }

    /// Lets what is due at [`Self::next_ns`] happen: what it did to the book, in order, and the mark
    /// price when that is due. Often neither.
    pub fn step(&mut self, events: &mut Vec<BookEvent>) -> Option<Mark> {
        events.clear();
        let at = self.next_ns();
        let acted = self.market.advance(at, |event| events.push(event));
        if acted || at != self.next_mark || at >= self.end {
            return None;
        }
        self.next_mark += SECOND_NS;
        #[allow(clippy::cast_possible_truncation)]
        let (ticks, whole) = {
            let price = self.market.efficient_ticks();
            (price, libm::floor(price) as i64)
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let part = ((ticks - whole as f64) * 1e9) as i64;
        let funding = (at % FUNDING_NS == 0).then_some(FUNDING_RATE);
        Some(Mark { ticks: whole, part, funding })
    }

    /// How long the next message takes to us.
    #[allow(clippy::cast_possible_truncation)]
    pub fn delay_ns(&mut self) -> i64 {
        self.random.log_normal(self.latency.median_ns, self.latency.log_sd) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{FlowConfig, Level};

    fn agents(seed: u64, seconds: i64) -> Agents {
        let config = FlowConfig::of_presets(&["btcusdt"], 1.0, seed, Level::Orders).unwrap();
        let span = (config.start_ns, config.start_ns + seconds * SECOND_NS);
        Agents::new(config.markets[0].clone(), seed, span, config.latency).unwrap()
    }

    fn run(agents: &mut Agents) -> (Vec<(TimeNs, BookEvent)>, Vec<Mark>) {
        let (mut all, mut marks, mut events) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let at = agents.next_ns();
            if at == TimeNs::MAX {
                return (all, marks);
            }
            marks.extend(agents.step(&mut events));
            all.extend(events.iter().map(|event| (at, *event)));
        }
    }

    #[test]
    fn alone_the_agents_do_what_the_flow_writes_down() {
        use mainspring_core::RowKind;
        let (events, marks) = run(&mut agents(5, 60));
        let mut config = FlowConfig::of_presets(&["btcusdt"], 1.0, 5, Level::Orders).unwrap();
        config.duration_ns = 60 * SECOND_NS;
        let rows: Vec<_> = crate::flow::Flow::new(&config).unwrap().collect();
        let written: Vec<_> = rows
            .iter()
            .filter(|row| row.flags & mainspring_core::event::flags::SNAPSHOT == 0)
            .filter(|row| !matches!(row.kind, RowKind::Mark | RowKind::Funding))
            .map(|row| (row.exch_ns, row.order_id, row.qty))
            .collect();
        let acted: Vec<_> = events
            .iter()
            .map(|(at, event)| match *event {
                BookEvent::Added(order) | BookEvent::Deleted(order) => (*at, order.id, order.lots),
                BookEvent::Executed(order, taken) => (*at, order.id, taken),
            })
            .collect();
        assert!(acted.len() > 1_000, "{}", acted.len());
        assert_eq!(acted, written);
        assert_eq!(marks.len(), rows.iter().filter(|row| row.kind == RowKind::Mark).count());
    }

    #[test]
    fn takers_meet_an_outsider_in_turn_and_nobody_else_cancels_him() {
        let mut agents = agents(7, 120);
        let best = agents.market().orders().best(Side::Buy).unwrap();
        let handle = agents.market().enter(Side::Buy, best, 40);
        let (mut left, mut events) = (40, Vec::new());
        while left > 0 && agents.next_ns() != TimeNs::MAX {
            agents.step(&mut events);
            for event in &events {
                match event {
                    BookEvent::Executed(order, taken) if order.outside => {
                        left -= taken;
                        assert_eq!(order.lots, left);
                    }
                    BookEvent::Deleted(order) => assert!(!order.outside),
                    _ => {}
                }
            }
        }
        assert_eq!(left, 0, "two minutes of takers fill forty lots at the best bid");
        let _ = handle;
    }

    #[test]
    fn an_outsider_who_takes_moves_the_price_that_agents_trade_around() {
        let mid_after = |taken: i64| {
            let mut agents = agents(11, 30);
            let now = agents.next_ns() - 1;
            let market = agents.market();
            market.interrupt(now);
            let mut left = taken;
            while left > 0 {
                let best = market.orders().best(Side::Sell).unwrap();
                let (handle, order) = market.orders().front(Side::Sell, best).unwrap();
                let lots = order.lots.min(left);
                market.shorten(handle, lots);
                left -= lots;
            }
            if taken > 0 {
                market.was_taken(Side::Buy, taken);
            }
            run(&mut agents);
            let orders = agents.market().orders();
            orders.best(Side::Buy).unwrap() + orders.best(Side::Sell).unwrap()
        };
        let touch = mid_after(0);
        assert!(mid_after(60_000) > touch, "{} against {touch}", mid_after(60_000));
        assert_eq!(mid_after(0), touch, "the same seed is the same market");
    }
}
