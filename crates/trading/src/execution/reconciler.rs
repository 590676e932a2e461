//! The reconciler: desired quotes or a target position against the orders that are live.
//!
//! Rules. An order stands for a desired level when price and original quantity are equal: a partly
//! filled order goes on standing for its level. An order whose cancel is pending still occupies its
//! price until the venue answers, so nothing is ever placed twice at one price. What no level wants
//! is cancelled; what no order stands for is placed. Cancels go first.

use mainspring_core::limits::{MAX_INTENTS_PER_CALL, MAX_QUOTE_LEVELS};
use mainspring_core::order::{OrderFlags, OrderTerms, Side};
use mainspring_core::{ClientOrderId, InstrumentId, Lots, Ticks};

/// One desired level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price, valid on the grid.
    pub price: Ticks,
    /// Quantity, positive.
    pub qty: Lots,
}

/// What a strategy wants resting in one instrument.
#[derive(Clone, Copy, Debug)]
pub struct Desired<'a> {
    /// Wanted bids, at most [`MAX_QUOTE_LEVELS`].
    pub bids: &'a [Level],
    /// Wanted asks, at most [`MAX_QUOTE_LEVELS`].
    pub asks: &'a [Level],
    /// Options of every order placed for it.
    pub flags: OrderFlags,
}

/// What the reconciler needs to know of a live order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOrder {
    /// Its id.
    pub id: ClientOrderId,
    /// Its side.
    pub side: Side,
    /// Its limit price.
    pub price: Ticks,
    /// Its original quantity.
    pub qty: Lots,
    /// What is filled of it.
    pub filled: Lots,
    /// Whether a cancel is on its way.
    pub cancelling: bool,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Cancel an order.
    Cancel(ClientOrderId),
    /// Place an order.
    Place(OrderTerms),
    /// Change price and total quantity of an order; only reconciling with rules asks for it.
    Amend {
        /// Which.
        id: ClientOrderId,
        /// New limit price.
        price: Ticks,
        /// New total quantity, what is filled included.
        qty: Lots,
    },
}

/// Most actions of one call: every level of both sides placed and as many orders cancelled.
const MAX_ACTIONS: usize = 4 * MAX_QUOTE_LEVELS + MAX_INTENTS_PER_CALL;

/// A bounded list of actions; when it is full the rest waits for the next call.
///
/// The default has no room of its own: it stands in while a buffer is taken out.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    list: Vec<Action>,
}

impl Actions {
    /// An empty list with all its room.
    #[must_use]
    pub fn new() -> Self {
        Self { list: Vec::with_capacity(MAX_ACTIONS) }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The actions in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Action] {
        &self.list
    }

    /// Whether there is room for no more.
    pub(super) const fn is_full(&self) -> bool {
        self.list.len() >= MAX_ACTIONS
    }

    pub(super) fn push(&mut self, action: Action) {
        if self.list.len() < MAX_ACTIONS {
            self.list.push(action);
        }
    }
}

/// The fewest actions from `live` to `desired`.
pub fn reconcile_quotes(
    instrument: InstrumentId,
    desired: &Desired<'_>,
    live: impl Iterator<Item = LiveOrder>,
    actions: &mut Actions,
) {
    let standing = stale_quotes(desired, live, |id| actions.push(Action::Cancel(id)));
    for side in [Side::Buy, Side::Sell] {
        for (i, level) in side_levels(desired, side).iter().enumerate() {
            if !standing.has(side, i) {
                actions.push(Action::Place(quote_terms(instrument, side, level, desired.flags)));
            }
        }
    }
}

/// For which levels of a quote orders stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing([u32; 2]);

impl Standing {
    /// Whether an order stands for a level, counted as in the quote.
    #[inline]
    #[must_use]
    pub const fn has(self, side: Side, level: usize) -> bool {
        self.0[side as usize] >> level & 1 == 1
    }
}

/// Finds the levels that orders stand for, and names the orders that stand for none.
#[inline]
pub fn stale_quotes(
    desired: &Desired<'_>,
    live: impl Iterator<Item = LiveOrder>,
    mut name: impl FnMut(ClientOrderId),
) -> Standing {
    let mut standing = Standing::default();
    for order in live {
        let levels = side_levels(desired, order.side);
        let taken = &mut standing.0[order.side as usize];
        let stands = levels.iter().enumerate().position(|(i, level)| {
            level.price == order.price
                && (level.qty == order.qty || order.cancelling)
                && *taken >> i & 1 == 0
        });
        match stands {
            Some(i) => *taken |= 1 << i,
            None if !order.cancelling => name(order.id),
            None => {}
        }
    }
    standing
}

/// The terms of an order for a level of a quote.
#[inline]
#[must_use]
pub const fn quote_terms(
    instrument: InstrumentId,
    side: Side,
    level: &Level,
    flags: OrderFlags,
) -> OrderTerms {
    let mut terms = OrderTerms::limit(instrument, side, level.price, level.qty);
    terms.flags = flags;
    terms
}

fn side_levels<'a>(desired: &Desired<'a>, side: Side) -> &'a [Level] {
    match side {
        Side::Buy => desired.bids,
        Side::Sell => desired.asks,
    }
}

/// The fewest actions that bring `position` to `target`, counting what is on its way.
///
/// Orders on the wrong side, or more than is needed, are cancelled; what is missing is placed as one
/// market order, or as one limit order when a price is given.
pub fn reconcile_target(
    instrument: InstrumentId,
    position: Lots,
    target: Lots,
    price: Option<Ticks>,
    live: impl Iterator<Item = LiveOrder>,
    actions: &mut Actions,
) {
    let missing = target - position;
    let side = if missing.0 >= 0 { Side::Buy } else { Side::Sell };
    let mut open = missing.abs();
    for order in live {
        let remaining = order.qty - order.filled;
        let price_stands = price.is_none_or(|p| p == order.price);
        let useful = order.side == side && remaining <= open && price_stands;
        if order.cancelling {
            // It may still fill: nothing is placed for its part until the venue has answered.
            if order.side == side {
                open = Lots((open - remaining).0.max(0));
            }
        } else if useful {
            open -= remaining;
        } else {
            actions.push(Action::Cancel(order.id));
        }
    }
    if open.0 > 0 {
        actions.push(Action::Place(match price {
            Some(price) => OrderTerms::limit(instrument, side, price, open),
            None => OrderTerms::market(instrument, side, open),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INSTRUMENT: InstrumentId = InstrumentId(0);

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Ticks(price), qty: Lots(qty) }
    }

    /// Carries out actions on a set of orders as a venue without latency would.
    fn carry_out(live: &mut Vec<LiveOrder>, actions: &Actions, next_id: &mut u64) {
        for action in actions.as_slice() {
            match action {
                Action::Cancel(id) => live.retain(|o| o.id != *id),
                Action::Place(terms) => {
                    *next_id += 1;
                    live.push(LiveOrder {
                        id: ClientOrderId(*next_id),
                        side: terms.side,
                        price: terms.price,
                        qty: terms.qty,
                        filled: Lots(0),
                        cancelling: false,
                    });
                }
                Action::Amend { .. } => panic!("without rules nothing is amended"),
            }
        }
    }

    prop_compose! {
        fn levels()(prices in prop::collection::btree_map(1_i64..30, 1_i64..4, 0..8)) -> Vec<Level> {
            prices.into_iter().map(|(p, q)| level(p, q)).collect()
        }
    }

    fn quotes(live: &[LiveOrder], bids: &[Level], asks: &[Level]) -> Actions {
        let mut actions = Actions::new();
        let desired = Desired { bids, asks, flags: OrderFlags::POST_ONLY };
        reconcile_quotes(INSTRUMENT, &desired, live.iter().copied(), &mut actions);
        actions
    }

    proptest! {
        #[test]
        fn one_round_reaches_the_desired_state_and_a_second_does_nothing(
            first in (levels(), levels()), second in (levels(), levels()),
        ) {
            let (mut live, mut id) = (Vec::new(), 0);
            for (bids, asks) in [&first, &second] {
                let actions = quotes(&live, bids, asks);
                carry_out(&mut live, &actions, &mut id);
                let mut have: Vec<_> = live.iter().map(|o| (o.side, o.price, o.qty)).collect();
                let mut want: Vec<_> = bids.iter().map(|l| (Side::Buy, l.price, l.qty))
                    .chain(asks.iter().map(|l| (Side::Sell, l.price, l.qty))).collect();
                have.sort();
                want.sort();
                prop_assert_eq!(have, want);
                prop_assert!(quotes(&live, bids, asks).as_slice().is_empty());
            }
        }

        #[test]
        fn orders_that_stay_wanted_are_never_touched(kept in levels(), before in levels(), after in levels()) {
            let (mut live, mut id) = (Vec::new(), 0);
            let join = |extra: &[Level]| -> Vec<Level> {
                let mut all = kept.clone();
                all.extend(extra.iter().filter(|l| !kept.iter().any(|k| k.price == l.price)).map(|l| level(l.price.0 + 100, l.qty.0)));
                all
            };
            carry_out(&mut live, &quotes(&[], &join(&before), &[]), &mut id);
            let cancelled: Vec<_> = quotes(&live, &join(&after), &[]).as_slice().iter().filter_map(|a| match a {
                Action::Cancel(id) => live.iter().find(|o| o.id == *id).map(|o| o.price),
                Action::Place(_) | Action::Amend { .. } => None,
            }).collect();
            prop_assert!(cancelled.iter().all(|p| !kept.iter().any(|k| k.price == *p)));
        }

        #[test]
        fn target_is_reached_when_everything_fills(
            position in -50_i64..50, target in -50_i64..50, pending in prop::collection::vec((any::<bool>(), 1_i64..30), 0..4),
        ) {
            let mut live: Vec<LiveOrder> = pending.iter().enumerate().map(|(i, (buy, qty))| LiveOrder {
                id: ClientOrderId(i as u64), side: if *buy { Side::Buy } else { Side::Sell },
                price: Ticks(0), qty: Lots(*qty), filled: Lots(0), cancelling: false,
            }).collect();
            let mut actions = Actions::new();
            reconcile_target(INSTRUMENT, Lots(position), Lots(target), None, live.iter().copied(), &mut actions);
            carry_out(&mut live, &actions, &mut 100);
            let end: i64 = position + live.iter().map(|o| o.side.sign() * o.qty.0).sum::<i64>();
            prop_assert_eq!(end, target);
        }
    }

    #[test]
    fn a_cancel_on_its_way_keeps_its_price_taken() {
        let live = [LiveOrder {
            id: ClientOrderId(1),
            side: Side::Buy,
            price: Ticks(10),
            qty: Lots(5),
            filled: Lots(0),
            cancelling: true,
        }];
        assert!(quotes(&live, &[level(10, 7)], &[]).as_slice().is_empty());
        assert_eq!(quotes(&live, &[level(11, 7)], &[]).as_slice().len(), 1);
    }

    #[test]
    fn a_target_waits_for_what_is_being_cancelled_and_places_the_rest_at_its_price() {
        let leaving = LiveOrder {
            id: ClientOrderId(1),
            side: Side::Buy,
            price: Ticks(10),
            qty: Lots(5),
            filled: Lots(2),
            cancelling: true,
        };
        let mut actions = Actions::new();
        let live = [leaving].into_iter();
        reconcile_target(INSTRUMENT, Lots(0), Lots(8), Some(Ticks(9)), live, &mut actions);
        let rest = OrderTerms::limit(INSTRUMENT, Side::Buy, Ticks(9), Lots(5));
        assert_eq!(actions.as_slice(), [Action::Place(rest)]);
        actions.clear();
        assert!(actions.as_slice().is_empty());
    }

    #[test]
    fn a_wrong_size_is_replaced_and_a_partly_filled_order_stands() {
        let mut order = LiveOrder {
            id: ClientOrderId(1),
            side: Side::Sell,
            price: Ticks(10),
            qty: Lots(5),
            filled: Lots(3),
            cancelling: false,
        };
        assert!(quotes(&[order], &[], &[level(10, 5)]).as_slice().is_empty());
        order.qty = Lots(6);
        assert_eq!(quotes(&[order], &[], &[level(10, 5)]).as_slice().len(), 2);
    }
}
