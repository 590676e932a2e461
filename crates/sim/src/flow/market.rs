//! One generated market: agents acting on an order book, event by event.

use mainspring_core::order::Side;
use mainspring_core::{Result, TimeNs};

use super::hawkes::{Arrival, Hawkes, KINDS};
use super::orders::{Orders, Resting, RING};
use super::price::{daily_pattern, EfficientPrice, GRID_NS};
use super::random::Random;
use super::shape::{MarketShape, SizeLaw};

/// One change of the order-level book. `first` and `last` frame what one action did at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookEvent {
    /// A new order at the back of its queue.
    Added(Resting),
    /// An order left unfilled; as it was.
    Deleted(Resting),
    /// A taker took `lots` from an order; what is left is in the order.
    Executed(Resting, i64),
}

/// Who acts: the six kinds of the Hawkes process, then the makers.
const NARROW: usize = KINDS;
const JOIN_BID: usize = KINDS + 1;
const JOIN_ASK: usize = KINDS + 2;
const REPRICE: usize = KINDS + 3;
const CHANNELS: usize = KINDS + 4;

/// How far the market may move before far orders are dropped.
const PRUNE_TICKS: i64 = RING as i64 / 8;

/// Agents, book and efficient price of one instrument.
#[derive(Clone, Debug)]
pub struct Market {
    shape: MarketShape,
    hawkes: Hawkes,
    price: EfficientPrice,
    orders: Orders,
    random: Random,
    now: TimeNs,
    waiting: Option<(TimeNs, f64)>,
    next_grid: TimeNs,
    pruned_at: i64,
    activity: f64,
}

impl Market {
    /// A market at `start`, its book seeded.
    ///
    /// # Errors
    /// When the shape is not valid.
    pub fn new(shape: MarketShape, seed: u64, start: TimeNs) -> Result<Self> {
        shape.validate()?;
        let (limit, market) = (shape.limit_rate / 2.0, shape.market_rate / 2.0);
        let rates = [limit, limit, limit, limit, market, market];
        let hawkes = Hawkes::new(rates, &shape.excitation, shape.scales)?;
        #[allow(clippy::cast_precision_loss)]
        let first = shape.first_price.0 as f64;
        let price =
            EfficientPrice::new(shape.dynamics, first, seed, Random::new(seed, 2 * shape.stream));
        let random = Random::new(seed, 2 * shape.stream + 1);
        let mut market = Self {
            hawkes,
            price,
            orders: Orders::default(),
            random,
            now: start,
            waiting: None,
            next_grid: start + GRID_NS,
            pruned_at: shape.first_price.0,
            activity: daily_pattern(start),
            shape,
        };
        market.seed_book();
        Ok(market)
    }

    /// The time of the last action.
    #[must_use]
    pub const fn now(&self) -> TimeNs {
        self.now
    }

    /// The resting orders.
    #[must_use]
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// The efficient price in ticks.
    #[must_use]
    pub const fn efficient_ticks(&self) -> f64 {
        self.price.ticks()
    }

    /// The instrument and its parameters.
    #[must_use]
    pub const fn shape(&self) -> &MarketShape {
        &self.shape
    }

    /// Lets time pass to the next action, if that is not after `until`, and reports what it did to
    /// the book. Returns whether there was one. The course of the market does not depend on how
    /// the time is divided into calls.
    pub fn advance(&mut self, until: TimeNs, mut report: impl FnMut(BookEvent)) -> bool {
        loop {
            let (candidate, bound) = self.candidate();
            if self.next_grid <= candidate && self.next_grid <= until {
                if self.on_grid(&mut report) {
                    return true;
                }
                continue;
            }
            if candidate > until {
                return false;
            }
            self.waiting = None;
            self.pass(candidate);
            let mut pick = self.random.uniform() * bound;
            let chosen = self.rates().iter().position(|rate| {
                pick -= rate;
                pick < 0.0
            });
            if let Some(channel) = chosen {
                self.act(channel, &mut report);
                return true;
            }
        }
    }

    /// When something may happen next; [`Self::advance`] to then may find that nothing does.
    pub fn next_ns(&mut self) -> TimeNs {
        self.candidate().0.min(self.next_grid)
    }

    /// An outsider does something at `now`: what the agents were about to do is drawn anew, since
    /// their intensities follow the book.
    pub fn interrupt(&mut self, now: TimeNs) {
        if now > self.now {
            self.pass(now.min(self.next_grid));
        }
        self.waiting = None;
    }

    /// Whether an outsider's order at a price is near enough for the agents to see.
    #[must_use]
    pub fn is_in_sight(&self, tick: i64) -> bool {
        (tick - self.pruned_at).abs() <= 3 * PRUNE_TICKS
    }

    /// An outsider's order joins a queue that is in sight. Returns where it is kept.
    pub fn enter(&mut self, side: Side, tick: i64, lots: i64) -> u32 {
        self.orders.add_outside(side, tick, lots)
    }

    /// Lots leave an order, an outsider's or one that an outsider takes from.
    pub fn shorten(&mut self, handle: u32, lots: i64) {
        self.orders.take(handle, lots);
    }

    /// An outsider took `lots` in all from the agents: the price, and takers after it, follow as
    /// they would after one of their own.
    pub fn was_taken(&mut self, taker: Side, lots: i64) {
        let arrival = if taker == Side::Buy { Arrival::MarketBuy } else { Arrival::MarketSell };
        self.hawkes.excite(arrival);
        self.push_price(taker, lots);
    }

    /// When the next action may come, and the sum of intensities that the time was drawn with
    /// (Ogata's thinning: the sum only falls until then).
    fn candidate(&mut self) -> (TimeNs, f64) {
        if let Some(drawn) = self.waiting {
            return drawn;
        }
        let bound: f64 = self.rates().iter().sum();
        #[allow(clippy::cast_possible_truncation)]
        let wait = (self.random.exponential() / bound * 1e9).min(1e18) as i64 + 1;
        let drawn = (self.now.saturating_add(wait), bound);
        self.waiting = Some(drawn);
        drawn
    }

    #[allow(clippy::cast_precision_loss)]
    fn pass(&mut self, to: TimeNs) {
        self.hawkes.advance((to - self.now) as f64 * 1e-9);
        self.now = to;
    }

    /// Moves the efficient price; returns whether far orders were dropped.
    fn on_grid(&mut self, report: &mut impl FnMut(BookEvent)) -> bool {
        self.pass(self.next_grid);
        self.waiting = None;
        self.next_grid += GRID_NS;
        self.price.step(self.now);
        self.activity = self.price.agitation();
        #[allow(clippy::cast_possible_truncation)]
        let centre = self.price.ticks() as i64;
        let wandered = (centre - self.pruned_at).abs() > PRUNE_TICKS;
        if wandered {
            self.prune(centre, report);
        }
        wandered
    }

    /// Drops what would leave the ring.
    fn prune(&mut self, centre: i64, report: &mut impl FnMut(BookEvent)) {
        self.pruned_at = centre;
        for side in [Side::Buy, Side::Sell] {
            for handle in self.orders.farther_than(side, centre, 3 * PRUNE_TICKS) {
                report(BookEvent::Deleted(self.orders.remove(handle)));
            }
        }
    }

    /// The best price of each side, outsiders' orders included.
    fn touch(&self) -> (i64, i64) {
        #[allow(clippy::cast_possible_truncation)]
        let centre = libm::floor(self.price.ticks()) as i64;
        let bid = self.orders.best(Side::Buy);
        let ask = self.orders.best(Side::Sell);
        (
            bid.or(ask.map(|a| a - 1)).unwrap_or(centre),
            ask.or(bid.map(|b| b + 1)).unwrap_or(centre + 1),
        )
    }

    /// Efficient price less mid price, ticks.
    #[allow(clippy::cast_precision_loss)]
    fn mispricing(&self) -> f64 {
        let (bid, ask) = self.touch();
        self.price.ticks() - (bid + ask) as f64 / 2.0
    }

    /// Intensities of all channels a second. Between actions and grid points they only fall.
    #[allow(clippy::cast_precision_loss)]
    fn rates(&self) -> [f64; CHANNELS] {
        let makers = &self.shape.makers;
        let (bid, ask) = self.touch();
        let off = self.mispricing();
        let lean = libm::exp((off / self.shape.informed_ticks).clamp(-1.5, 1.5));
        let crowd = |side| {
            let share = self.orders.count(side) as f64 / self.shape.placement.population;
            (share * share).min(4.0) * self.activity
        };
        let hawkes = self.hawkes.intensities(&[
            self.activity,
            self.activity,
            crowd(Side::Buy),
            crowd(Side::Sell),
            self.activity * lean,
            self.activity / lean,
        ]);
        let spread = (ask - bid) as f64;
        let wide = ((spread - makers.spread_ticks) / makers.spread_ticks).max(0.0);
        let thin = |side, tick| {
            let share = self.orders.lots_at(side, tick) as f64 / makers.touch_lots;
            makers.join_rate * (1.0 - share).max(0.0) * self.activity
        };
        let stale = ((off.abs() - spread / 2.0) / makers.reprice_ticks).max(0.0);
        let mut rates = [0.0; CHANNELS];
        rates[..KINDS].copy_from_slice(&hawkes);
        rates[NARROW] = makers.narrow_rate * wide.min(4.0);
        rates[JOIN_BID] = thin(Side::Buy, bid);
        rates[JOIN_ASK] = thin(Side::Sell, ask);
        rates[REPRICE] = makers.reprice_rate * stale * libm::sqrt(stale);
        rates
    }

    fn act(&mut self, channel: usize, report: &mut impl FnMut(BookEvent)) {
        if let Some(kind) = Arrival::ALL.get(channel) {
            self.hawkes.excite(*kind);
        }
        match channel {
            0 | 1 => self.place_limit(if channel == 0 { Side::Buy } else { Side::Sell }, report),
            2 | 3 => self.cancel_one(if channel == 2 { Side::Buy } else { Side::Sell }, report),
            4 | 5 => {
                let lots = self.size(self.shape.market_size);
                self.take(if channel == 4 { Side::Buy } else { Side::Sell }, lots, report);
            }
            NARROW => self.narrow(report),
            JOIN_BID | JOIN_ASK => {
                let (bid, ask) = self.touch();
                let lots = self.size(self.shape.maker_size);
                let (side, tick) =
                    if channel == JOIN_BID { (Side::Buy, bid) } else { (Side::Sell, ask) };
                self.add(side, tick, lots, report);
            }
            _ => self.reprice(report),
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn size(&mut self, law: SizeLaw) -> i64 {
        1 + self.random.log_normal(law.median_lots, law.log_sd).min(1e12) as i64
    }

    /// Adds an order, never outside the ring's window.
    fn add(&mut self, side: Side, tick: i64, lots: i64, report: &mut impl FnMut(BookEvent)) {
        let tick = tick.clamp(self.pruned_at - 3 * PRUNE_TICKS, self.pruned_at + 3 * PRUNE_TICKS);
        report(BookEvent::Added(self.orders.add(side, tick, lots)));
    }

    /// How far behind the best price a limit order goes, at least one tick.
    #[allow(clippy::cast_possible_truncation)]
    fn distance(&mut self) -> i64 {
        let p = &self.shape.placement;
        let reach = libm::pow(self.random.uniform(), -1.0 / p.exponent) - 1.0;
        1 + (p.scale_ticks * reach).min(p.farthest_ticks as f64 - 1.0) as i64
    }

    fn place_limit(&mut self, side: Side, report: &mut impl FnMut(BookEvent)) {
        let (bid, ask) = self.touch();
        let lots = self.size(self.shape.limit_size);
        let (best, inwards) = if side == Side::Buy { (bid, 1) } else { (ask, -1) };
        let p = self.shape.placement;
        let draw = self.random.uniform();
        let tick = if draw < p.improve_share && ask - bid > 1 {
            best + inwards
        } else if draw < p.improve_share + p.touch_share {
            best
        } else {
            return self.place_behind(side, lots, report);
        };
        self.add(side, tick, lots, report);
    }

    /// Places an order behind the best price; the farther, the larger.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    fn place_behind(&mut self, side: Side, lots: i64, report: &mut impl FnMut(BookEvent)) {
        let (bid, ask) = self.touch();
        let distance = self.distance();
        let p = &self.shape.placement;
        let growth = libm::pow(1.0 + distance as f64 / p.growth_ticks, p.growth_exponent);
        let tick = if side == Side::Buy { bid - distance } else { ask + distance };
        self.add(side, tick, (lots as f64 * growth) as i64, report);
    }

    fn cancel_one(&mut self, side: Side, report: &mut impl FnMut(BookEvent)) {
        let count = self.orders.count(side);
        if count > 1 {
            let place = self.random.below(count);
            let (handle, _) = self.orders.at_place(side, place);
            report(BookEvent::Deleted(self.orders.remove(handle)));
        }
    }

    /// A taker buys or sells up to `lots`, best price first, within the protection band. The last
    /// order of a side is left alone, so that a side is never empty.
    fn take(&mut self, taker: Side, lots: i64, report: &mut impl FnMut(BookEvent)) {
        let resting = if taker == Side::Buy { Side::Sell } else { Side::Buy };
        let Some(first) = self.orders.best(resting) else { return };
        let mut left = lots;
        while left > 0 && self.orders.count(resting) > 1 {
            let Some(tick) = self.orders.best(resting) else { break };
            if (tick - first).abs() > self.shape.protection_ticks {
                break;
            }
            let Some((handle, order)) = self.orders.front(resting, tick) else { break };
            let taken = self.orders.take(handle, left);
            left -= taken;
            report(BookEvent::Executed(Resting { lots: order.lots - taken, ..order }, taken));
        }
        self.push_price(taker, lots - left);
    }

    /// What taking `lots` does to the efficient price: concave in size, one unit at the median.
    fn push_price(&mut self, taker: Side, lots: i64) {
        let sign = if taker == Side::Buy { 1.0 } else { -1.0 };
        #[allow(clippy::cast_precision_loss)]
        let relative = lots as f64 / self.shape.market_size.median_lots;
        let weight = libm::log1p(relative) / std::f64::consts::LN_2;
        self.price.push(sign * self.shape.impact_ticks * weight);
    }

    /// A maker quotes inside a spread that is wider than the makers'.
    #[allow(clippy::cast_possible_truncation)]
    fn narrow(&mut self, report: &mut impl FnMut(BookEvent)) {
        let (bid, ask) = self.touch();
        let (fair, half) = (self.price.ticks(), self.shape.makers.spread_ticks / 2.0);
        let bid_now = (libm::floor(fair - half + 0.5) as i64).min(ask - 1);
        let ask_now = (libm::ceil(fair + half - 0.5) as i64).max(bid + 1);
        let lots = self.size(self.shape.maker_size);
        // Whoever has more room to improve does.
        if bid_now - bid >= ask - ask_now {
            if bid_now > bid {
                self.add(Side::Buy, bid_now, lots, report);
            }
        } else if ask_now < ask {
            self.add(Side::Sell, ask_now, lots, report);
        }
    }

    /// The makers follow the efficient price: stale quotes are sniped or pulled, and those left
    /// behind on the other side are pulled too.
    fn reprice(&mut self, report: &mut impl FnMut(BookEvent)) {
        let up = self.mispricing() > 0.0;
        let (stale, behind) = if up { (Side::Sell, Side::Buy) } else { (Side::Buy, Side::Sell) };
        if self.random.chance(self.shape.makers.sniped_share) {
            let lots = self.size(self.shape.market_size);
            self.hawkes.excite(if up { Arrival::MarketBuy } else { Arrival::MarketSell });
            self.take(behind, lots, report);
        }
        if let Some(left_behind) = self.orders.best(behind) {
            self.pull(behind, left_behind, 0.85, report);
        }
        let fair = self.price.ticks();
        while let Some(tick) = self.orders.best(stale) {
            #[allow(clippy::cast_precision_loss)]
            let gone = if up { (tick as f64) < fair } else { tick as f64 > fair };
            if !gone || self.orders.count(stale) <= 1 {
                break;
            }
            self.pull(stale, tick, 1.0, report);
            // What is left there is an outsider's: it is for takers.
            if self.orders.best(stale) == Some(tick) {
                break;
            }
        }
    }

    /// Cancels each order at a level with this probability, the side's last order never.
    fn pull(&mut self, side: Side, tick: i64, share: f64, report: &mut impl FnMut(BookEvent)) {
        let mut next = self.orders.front(side, tick);
        while let Some((handle, order)) = next {
            next = self.orders.behind(handle);
            if order.outside {
                continue;
            }
            if self.orders.count(side) > 1 && self.random.chance(share) {
                report(BookEvent::Deleted(self.orders.remove(handle)));
            }
        }
    }

    /// A book as it might stand: full touches and the placement law behind them.
    #[allow(clippy::cast_possible_truncation)]
    fn seed_book(&mut self) {
        let bid = libm::floor(self.price.ticks() - self.shape.makers.spread_ticks / 2.0) as i64;
        let ask = bid + self.shape.makers.spread_ticks as i64;
        let orders = self.shape.placement.population as usize;
        for (side, best) in [(Side::Buy, bid), (Side::Sell, ask)] {
            while (self.orders.lots_at(side, best) as f64) < self.shape.makers.touch_lots {
                let lots = self.size(self.shape.maker_size);
                self.add(side, best, lots, &mut |_| {});
            }
            for _ in 0..orders {
                let lots = self.size(self.shape.limit_size);
                self.place_behind(side, lots, &mut |_| {});
            }
        }
    }
}
