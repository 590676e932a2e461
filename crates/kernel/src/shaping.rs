//! What risk leaves of a strategy's wishes, before they become orders.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{InstrumentId, Lots, Result, Side, Ticks};
use mainspring_trading::execution::Level;
use mainspring_trading::risk::{
    by_ladder, Allowance, Forced, PositionState, PositionStates, Shape,
};

use crate::intent::{Intent, Intents};
use crate::kernel::Kernel;

/// Position states at work: what they are, and where each strategy stands in each instrument.
#[derive(Clone, Debug)]
pub struct Shaping {
    states: PositionStates,
    current: Vec<PositionState>,
}

impl Shaping {
    /// Nothing is held yet, by `slots` pairs of strategy and instrument.
    #[must_use]
    pub fn new(states: PositionStates, slots: usize) -> Self {
        Self { states, current: vec![PositionState::Normal; slots] }
    }
}

impl Kernel {
    /// Whether wishes are shaped at all.
    #[inline]
    pub(crate) const fn shapes_wishes(&self) -> bool {
        self.shaping.is_some() || self.gate.size_bps() != 10_000
    }

    /// Shapes all wishes of a strategy where they stand; what the engine must do by itself it does
    /// first.
    #[cold]
    pub(crate) fn shape_wishes(&mut self, strategy: u16, wishes: &mut Intents) -> Result<()> {
        for n in 0..wishes.as_slice().len() {
            match wishes.as_slice()[n] {
                Intent::Quote { instrument, first, bids, asks, flags } => {
                    let shape = self.shape_of(strategy, instrument)?;
                    let left = match shape.forced {
                        Some(Forced::Reduce { side, qty }) => {
                            self.reducing_quote(instrument, first, side, qty, wishes)
                        }
                        _ => cut_quote(
                            &shape,
                            first,
                            bids,
                            asks,
                            flags,
                            instrument,
                            self.min_lots(),
                            wishes,
                        ),
                    };
                    wishes.replace(n, left);
                }
                Intent::Target { instrument, position, price } => {
                    let shape = self.shape_of(strategy, instrument)?;
                    let position = self.cut_target(strategy, instrument, &shape, position);
                    wishes.replace(n, Intent::Target { instrument, position, price });
                }
                Intent::Place { id, terms } => {
                    if terms.flags.has(OrderFlags::REDUCE_ONLY) {
                        continue;
                    }
                    let shape = self.shape_of(strategy, terms.instrument)?;
                    let allowed = &shape.allowed[terms.side as usize];
                    let qty = allowed.cut(terms.qty, 0, self.min_lots());
                    // What nothing is left of the gate refuses, and says so.
                    let qty = if qty == Lots::ZERO { terms.qty } else { qty };
                    wishes.replace(n, Intent::Place { id, terms: OrderTerms { qty, ..terms } });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn min_lots(&self) -> i64 {
        self.shaping.as_ref().map_or(1, |shaping| shaping.states.min_order_lots)
    }

    /// The shape of a strategy's wishes in an instrument; a change of its state is told.
    fn shape_of(&mut self, strategy: u16, instrument: InstrumentId) -> Result<Shape> {
        let held = self.ledger.position(strategy, instrument).map_or(Lots::ZERO, |p| p.lots);
        let max = self.gate.max_position(strategy, instrument);
        let ladder_bps = self.gate.size_bps();
        let net = self.net_position(instrument);
        let Some(shaping) = &mut self.shaping else {
            return Ok(by_ladder(held, max, ladder_bps));
        };
        let states = shaping.states;
        let net_max = self.gate.max_net_position(strategy, instrument);
        let state = states.state(held, max).max(states.state(net, net_max));
        let slot = usize::from(strategy) * self.markets.len() + instrument.index();
        let before = std::mem::replace(&mut shaping.current[slot], state);
        let shape = states.shape(state, held, max, ladder_bps);
        if before != state {
            self.state_changed(strategy, instrument, before, state)?;
        }
        if let Some(Forced::Close { side, qty }) = shape.forced {
            self.force_close(strategy, instrument, side, qty)?;
        }
        Ok(shape)
    }

    /// In all but the normal state nothing that adds passes the gate either.
    fn state_changed(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        before: PositionState,
        state: PositionState,
    ) -> Result<()> {
        self.gate.stand_aside(strategy, instrument, state > PositionState::Normal);
        let symbol = &self.markets[instrument.index()].instrument.symbol;
        let text = format!("{symbol}: position state {} after {}", state.name(), before.name());
        self.note(&text)
    }

    /// Closes at the market, once: not while an order of this kind is on its way.
    fn force_close(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Side,
        qty: Lots,
    ) -> Result<()> {
        let closes =
            |terms: &OrderTerms| terms.flags.has(OrderFlags::REDUCE_ONLY) && terms.side == side;
        if self.orders.live(strategy, instrument).any(|order| closes(&order.terms)) {
            return Ok(());
        }
        let mut terms = OrderTerms::market(instrument, side, qty);
        terms.flags = OrderFlags::REDUCE_ONLY;
        self.place_urgent(strategy, terms)
    }

    /// One reduce-only level through the mid in place of a quote.
    fn reducing_quote(
        &self,
        instrument: InstrumentId,
        first: u16,
        side: Side,
        qty: Lots,
        wishes: &mut Intents,
    ) -> Intent {
        let through_bps = self.shaping.as_ref().map_or(0, |s| s.states.critical_through_bps);
        let market = &self.markets[instrument.index()];
        let price = market.mid2().map(|mid2| {
            let through = i128::from(mid2) * i128::from(through_bps) * i128::from(side.sign());
            let price = Ticks(((i128::from(mid2) * 10_000 + through) / 20_000) as i64);
            match side {
                Side::Buy => market.grid().ceil(price),
                Side::Sell => market.grid().floor(price),
            }
        });
        let offered = price.is_some_and(|price| wishes.set_level(first, Level { price, qty }));
        let (bids, asks) = match (offered, side) {
            (false, _) => (0, 0),
            (true, Side::Buy) => (1, 0),
            (true, Side::Sell) => (0, 1),
        };
        Intent::Quote { instrument, first, bids, asks, flags: OrderFlags::REDUCE_ONLY }
    }

    /// A target within what is left; towards zero it is what was asked.
    fn cut_target(
        &self,
        strategy: u16,
        instrument: InstrumentId,
        shape: &Shape,
        target: Lots,
    ) -> Lots {
        let held = self.ledger.position(strategy, instrument).map_or(Lots::ZERO, |p| p.lots);
        if matches!(shape.forced, Some(Forced::Close { .. })) {
            return Lots::ZERO;
        }
        let side = if target.0 > held.0 { Side::Buy } else { Side::Sell };
        let away = target.0 * side.sign() - (held.0 * side.sign()).max(0);
        if away <= 0 {
            return target;
        }
        // What closes is wanted whole, what adds beyond is cut.
        let from = (held.0 * side.sign()).max(0);
        let closing = (-held.0 * side.sign()).max(0);
        let allowed = shape.allowed[side as usize];
        let room = Allowance { lots: allowed.lots - closing, ..allowed };
        let left = room.cut(Lots(away), 0, self.min_lots()).0;
        Lots((from + left) * side.sign())
    }
}

#[allow(clippy::too_many_arguments)]
fn cut_quote(
    shape: &Shape,
    first: u16,
    bids: u16,
    asks: u16,
    flags: OrderFlags,
    instrument: InstrumentId,
    min: i64,
    wishes: &mut Intents,
) -> Intent {
    let mut kept = [0_u16; 2];
    let mut write = first;
    for (side, from, count) in [(Side::Buy, first, bids), (Side::Sell, first + bids, asks)] {
        let mut used = 0;
        for at in from..from + count {
            let Some(level) = wishes.level(at) else { continue };
            let qty = shape.allowed[side as usize].cut(level.qty, used, min);
            if qty.0 > 0 {
                used += qty.0;
                wishes.set_level(write, Level { qty, ..level });
                write += 1;
                kept[side as usize] += 1;
            }
        }
    }
    Intent::Quote { instrument, first, bids: kept[0], asks: kept[1], flags }
}
