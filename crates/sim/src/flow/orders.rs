//! The generator's own order book: queues of orders by price, in a ring around the market.
//!
//! Levels are addressed by `tick & mask`, so the book follows the price without moving anything;
//! the price of that is that no order may rest more than half a ring from the market, which
//! [`Orders::farther_than`] and the agents see to.

use mainspring_core::order::Side;

const NONE: u32 = u32::MAX;

/// Number of levels of the ring; orders rest at most half of it from the market.
pub const RING: usize = 1 << 14;
const MASK: i64 = RING as i64 - 1;

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The venue's id.
    pub id: u64,
    /// Side.
    pub side: Side,
    /// Price in ticks.
    pub tick: i64,
    /// What is left, in lots.
    pub lots: i64,
    /// Whether it is an outsider's: no agent's to cancel, and not counted among theirs.
    pub outside: bool,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    order: Resting,
    before: u32,
    after: u32,
    place: u32,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    first: u32,
    last: u32,
    lots: i64,
}

const EMPTY: Level = Level { first: NONE, last: NONE, lots: 0 };

#[derive(Clone, Debug)]
struct HalfBook {
    levels: Vec<Level>,
    occupied: Vec<u64>,
    live: Vec<u32>,
    best: Option<i64>,
}

impl HalfBook {
    fn new() -> Self {
        Self {
            levels: vec![EMPTY; RING],
            occupied: vec![0; RING / 64],
            live: Vec::new(),
            best: None,
        }
    }

    #[inline]
    fn mark(&mut self, slot: usize, on: bool) {
        let bit = 1_u64 << (slot % 64);
        if on {
            self.occupied[slot / 64] |= bit;
        } else {
            self.occupied[slot / 64] &= !bit;
        }
    }

    /// The first occupied level from `from` in direction `step`, that one included.
    fn next(&self, from: i64, step: i64) -> Option<i64> {
        let (mut tick, mut seen) = (from, 0);
        while seen < RING {
            let slot = slot(tick);
            let word = self.occupied[slot / 64];
            let at = slot % 64;
            let (ahead, width) =
                if step > 0 { (word >> at, 64 - at) } else { (word << (63 - at), at + 1) };
            if ahead != 0 {
                let skip = if step > 0 { ahead.trailing_zeros() } else { ahead.leading_zeros() };
                return Some(tick + step * i64::from(skip));
            }
            seen += width;
            tick += step * width as i64;
        }
        None
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)]
const fn slot(tick: i64) -> usize {
    (tick & MASK) as usize
}

#[inline]
const fn index(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

/// Towards the back of a side's levels.
#[inline]
const fn away(side: Side) -> i64 {
    match side {
        Side::Buy => -1,
        Side::Sell => 1,
    }
}

/// All resting orders of one instrument.
#[derive(Clone, Debug)]
pub struct Orders {
    sides: [HalfBook; 2],
    nodes: Vec<Node>,
    free: Vec<u32>,
    next_id: u64,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            sides: [HalfBook::new(), HalfBook::new()],
            nodes: Vec::new(),
            free: Vec::new(),
            next_id: 1,
        }
    }
}

impl Orders {
    /// Best price of a side.
    #[inline]
    #[must_use]
    pub const fn best(&self, side: Side) -> Option<i64> {
        self.sides[index(side)].best
    }

    /// Lots at a level.
    #[inline]
    #[must_use]
    pub fn lots_at(&self, side: Side, tick: i64) -> i64 {
        self.sides[index(side)].levels[slot(tick)].lots
    }

    /// Number of agents' orders on a side.
    #[inline]
    #[must_use]
    pub const fn count(&self, side: Side) -> usize {
        self.sides[index(side)].live.len()
    }

    /// The agents' order at a place of a side's list, which is in no order that matters.
    #[inline]
    #[must_use]
    pub fn at_place(&self, side: Side, place: usize) -> (u32, Resting) {
        let handle = self.sides[index(side)].live[place];
        (handle, self.nodes[handle as usize].order)
    }

    /// The first order of the queue at a level.
    #[inline]
    #[must_use]
    pub fn front(&self, side: Side, tick: i64) -> Option<(u32, Resting)> {
        self.node(self.sides[index(side)].levels[slot(tick)].first)
    }

    /// The order behind another in its queue.
    #[inline]
    #[must_use]
    pub fn behind(&self, handle: u32) -> Option<(u32, Resting)> {
        self.node(self.nodes[handle as usize].after)
    }

    fn node(&self, handle: u32) -> Option<(u32, Resting)> {
        (handle != NONE).then(|| (handle, self.nodes[handle as usize].order))
    }

    /// The next occupied price of a side, behind `tick`.
    #[inline]
    #[must_use]
    pub fn next_price(&self, side: Side, tick: i64) -> Option<i64> {
        let found = self.sides[index(side)].next(tick + away(side), away(side))?;
        // Past the last level the search comes round to the best, whose slot names another price.
        self.front(side, found).filter(|(_, order)| order.tick == found).map(|_| found)
    }

    /// Adds an order at the back of its queue and returns it.
    pub fn add(&mut self, side: Side, tick: i64, lots: i64) -> Resting {
        self.add_order(side, tick, lots, false).1
    }

    /// Adds an order of somebody else than the agents, and returns where it is kept.
    pub fn add_outside(&mut self, side: Side, tick: i64, lots: i64) -> u32 {
        self.add_order(side, tick, lots, true).0
    }

    fn add_order(&mut self, side: Side, tick: i64, lots: i64, outside: bool) -> (u32, Resting) {
        let order = Resting { id: self.next_id, side, tick, lots, outside };
        self.next_id += 1;
        let half = &mut self.sides[index(side)];
        let level = &mut half.levels[slot(tick)];
        #[allow(clippy::cast_possible_truncation)]
        let place = if outside { NONE } else { half.live.len() as u32 };
        let node = Node { order, before: level.last, after: NONE, place };
        #[allow(clippy::cast_possible_truncation)]
        let handle = if let Some(handle) = self.free.pop() {
            self.nodes[handle as usize] = node;
            handle
        } else {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        };
        if level.last == NONE {
            level.first = handle;
        } else {
            self.nodes[level.last as usize].after = handle;
        }
        level.last = handle;
        level.lots += lots;
        if !outside {
            half.live.push(handle);
        }
        half.mark(slot(tick), true);
        half.best = Some(match (half.best, side) {
            (None, _) => tick,
            (Some(best), Side::Buy) => best.max(tick),
            (Some(best), Side::Sell) => best.min(tick),
        });
        (handle, order)
    }

    /// Takes up to `lots` from an order; at zero it leaves. Returns what was taken.
    pub fn take(&mut self, handle: u32, lots: i64) -> i64 {
        let node = &mut self.nodes[handle as usize];
        let taken = lots.min(node.order.lots);
        node.order.lots -= taken;
        let Resting { side, tick, lots: left, .. } = node.order;
        self.sides[index(side)].levels[slot(tick)].lots -= taken;
        if left == 0 {
            self.unlink(handle);
        }
        taken
    }

    /// Removes an order and returns it as it was.
    pub fn remove(&mut self, handle: u32) -> Resting {
        let order = self.nodes[handle as usize].order;
        self.sides[index(order.side)].levels[slot(order.tick)].lots -= order.lots;
        self.unlink(handle);
        order
    }

    fn unlink(&mut self, handle: u32) {
        let Node { order, before, after, place } = self.nodes[handle as usize];
        let half = &mut self.sides[index(order.side)];
        let level = &mut half.levels[slot(order.tick)];
        if before == NONE {
            level.first = after;
        } else {
            self.nodes[before as usize].after = after;
        }
        if after == NONE {
            level.last = before;
        } else {
            self.nodes[after as usize].before = before;
        }
        let emptied = level.first == NONE;
        if place != NONE {
            half.live.swap_remove(place as usize);
            if let Some(moved) = half.live.get(place as usize) {
                self.nodes[*moved as usize].place = place;
            }
        }
        if emptied {
            half.mark(slot(order.tick), false);
            if half.best == Some(order.tick) {
                half.best = half.next(order.tick, away(order.side));
            }
        }
        self.free.push(handle);
    }

    /// An order by where it is kept.
    #[must_use]
    pub fn at(&self, handle: u32) -> Resting {
        self.nodes[handle as usize].order
    }

    /// Agents' orders of a side more than `ticks` from `centre`.
    #[must_use]
    pub fn farther_than(&self, side: Side, centre: i64, ticks: i64) -> Vec<u32> {
        let live = &self.sides[index(side)].live;
        live.iter()
            .copied()
            .filter(|h| (self.nodes[*h as usize].order.tick - centre).abs() > ticks)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::random::Random;
    use std::collections::BTreeMap;

    #[test]
    fn the_ring_agrees_with_a_sorted_map_while_the_price_wanders() {
        let mut random = Random::new(9, 0);
        let mut orders = Orders::default();
        let mut truth: BTreeMap<(i64, u64), i64> = BTreeMap::new();
        let mut centre = 1_000_000_i64;
        for round in 0..60_000 {
            centre += random.below(41) as i64 - 20;
            if random.chance(0.5) || truth.is_empty() {
                let tick = centre + random.below(4_000) as i64 - 2_000;
                let order = orders.add(Side::Sell, tick, 1 + random.below(50) as i64);
                truth.insert((tick, order.id), order.lots);
            } else {
                let place = random.below(orders.count(Side::Sell));
                let (handle, order) = orders.at_place(Side::Sell, place);
                let taken = orders.take(handle, 1 + random.below(60) as i64);
                let left = truth.get_mut(&(order.tick, order.id)).unwrap();
                *left -= taken;
                if *left == 0 {
                    truth.remove(&(order.tick, order.id));
                }
            }
            if round % 500 == 0 {
                for handle in orders.farther_than(Side::Sell, centre, 3_000) {
                    let gone = orders.remove(handle);
                    truth.remove(&(gone.tick, gone.id));
                }
            }
            assert_eq!(orders.best(Side::Sell), truth.keys().next().map(|key| key.0));
        }
        assert_eq!(orders.count(Side::Sell), truth.len());
        let mut tick = orders.best(Side::Sell);
        let mut queue = Vec::new();
        while let Some(at) = tick {
            let mut next = orders.front(Side::Sell, at);
            let mut sum = 0;
            while let Some((handle, order)) = next {
                queue.push(((order.tick, order.id), order.lots));
                sum += order.lots;
                next = orders.behind(handle);
            }
            assert_eq!(sum, orders.lots_at(Side::Sell, at));
            tick = orders.next_price(Side::Sell, at);
        }
        assert_eq!(queue, truth.into_iter().collect::<Vec<_>>(), "price and time priority");
    }
}
