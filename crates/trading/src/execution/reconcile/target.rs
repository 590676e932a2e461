//! A target position against the orders that work towards it, under rules.

use mainspring_core::order::{OrderFlags, OrderTerms, Side, TimeInForce};
use mainspring_core::{InstrumentId, Lots, PriceGrid, Ticks, TimeNs};

use super::config::{AmendRule, BelowMinimum, Rules, WHOLE};
use super::quotes::{LiveQuote, Now, Round, Sending, Standing};
use super::wish::Touch;
use crate::execution::budget::Charge;
use crate::execution::reconciler::{Action, Actions};

/// A wished position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Signed.
    pub position: Lots,
    /// Limit price; a market order without.
    pub price: Option<Ticks>,
    /// Since when it is wished.
    pub since_ns: TimeNs,
}

/// The way that is left to a target.
struct Way {
    side: Side,
    /// What no order is under way for.
    open: i64,
    /// What of it shrinks the position.
    reduces: i64,
    urgent: bool,
}

/// The fewest actions that bring `position` to `target`, counting what is on its way.
///
/// A target with a price that shrinks the position and is not reached in the time that
/// [`super::Urgent`] gives is taken out of the book: orders that rest are cancelled, and when that is
/// answered a reduce-only order takes what is left.
pub fn towards_target(
    instrument: InstrumentId,
    position: Lots,
    target: &Target,
    live: impl Iterator<Item = LiveQuote>,
    now: &Now<'_>,
    rules: &Rules,
    actions: &mut Actions,
) -> Round {
    let mut round = Round::default();
    let mut way = Way::new(position, target, now, rules, &mut round);
    let mut sending = Sending::new(now, rules, actions);
    for order in live {
        way.count(&order, target, now, rules, &mut sending, &mut round);
    }
    if let Some(terms) = way.rest(instrument, target, now, rules) {
        sending.send(Charge::Place, Action::Place(terms));
    }
    sending.end(round)
}

impl Way {
    fn new(
        position: Lots,
        target: &Target,
        now: &Now<'_>,
        rules: &Rules,
        round: &mut Round,
    ) -> Self {
        let missing = target.position - position;
        let side = if missing.0 >= 0 { Side::Buy } else { Side::Sell };
        let shrinks = position.0 * side.sign() < 0;
        let reduces = if shrinks { missing.abs().min(position.abs()).0 } else { 0 };
        let mut urgent = false;
        if let (Some(rule), Some(_), true) = (rules.urgent, target.price, reduces > 0) {
            let from_ns = target.since_ns.saturating_add(rule.after_ns);
            urgent = now.time_ns >= from_ns;
            if !urgent {
                round.look_again(from_ns);
            }
        }
        Self { side, open: missing.abs().0, reduces, urgent }
    }

    /// Takes an order into account, or cancels or amends it.
    fn count(
        &mut self,
        order: &LiveQuote,
        target: &Target,
        now: &Now<'_>,
        rules: &Rules,
        sending: &mut Sending<'_>,
        round: &mut Round,
    ) {
        let remaining = order.qty.0 - order.filled.0;
        if order.side != self.side {
            if order.standing != Standing::Cancelling && !order.takes {
                sending.send(Charge::Cancel, Action::Cancel(order.id));
            }
            return;
        }
        let keeps = order.standing == Standing::Cancelling
            || order.takes
            || self.is_useful(order, remaining, target, rules);
        if keeps {
            self.under_way(remaining);
            return;
        }
        let of_age_ns = order.created_ns + rules.min_life_ns;
        if now.time_ns < of_age_ns && !self.urgent && self.open > 0 {
            round.look_again(of_age_ns);
            self.under_way(remaining);
        } else if let Some(amend) = self.amended(order, target, rules) {
            if sending.send(Charge::Amend, amend) {
                self.open = 0;
            } else {
                self.under_way(remaining);
            }
        } else {
            let sent = sending.send(Charge::Cancel, Action::Cancel(order.id));
            if !sent || rules.wait_for_cancel || self.urgent {
                self.under_way(remaining);
            }
        }
    }

    /// Nothing more is sent for this much.
    fn under_way(&mut self, qty: i64) {
        self.open = (self.open - qty).max(0);
        self.reduces = (self.reduces - qty).max(0);
    }

    fn is_useful(&self, order: &LiveQuote, remaining: i64, target: &Target, rules: &Rules) -> bool {
        let price_stands =
            target.price.is_none_or(|p| (p.0 - order.price.0).abs() <= rules.price_tolerance(p));
        let fits =
            remaining <= self.open || (self.open > 0 && rules.right_size(remaining, self.open));
        fits && price_stands && !self.urgent
    }

    fn amended(&self, order: &LiveQuote, target: &Target, rules: &Rules) -> Option<Action> {
        let price = target.price?;
        let qty = Lots(order.filled.0 + self.open);
        let keeps_place = qty < order.qty && price == order.price;
        let allowed = match rules.amend {
            AmendRule::Always => true,
            AmendRule::KeepsPriority => keeps_place,
            AmendRule::Never => false,
        };
        let can = order.standing == Standing::Open && self.open > 0 && !self.urgent;
        (allowed && can).then_some(Action::Amend { id: order.id, price, qty })
    }

    /// The order for what nothing is under way for.
    fn rest(
        &self,
        instrument: InstrumentId,
        target: &Target,
        now: &Now<'_>,
        rules: &Rules,
    ) -> Option<OrderTerms> {
        if self.urgent {
            let qty = self.open.min(self.reduces);
            let collar = rules.urgent.map_or(0, |urgent| urgent.collar_bps);
            return (qty > 0)
                .then(|| taker(instrument, self.side, Lots(qty), &now.touch, now.grid, collar));
        }
        let wished = i128::from(target.position.0.abs());
        let near_enough = i128::from(self.open) * WHOLE <= wished * rules.size_parts;
        let price = target.price.or_else(|| now.touch.opposite(self.side));
        let too_small = rules.below_minimum != BelowMinimum::Send
            && price.is_some_and(|price| Lots(self.open) < rules.minimums.qty_at(price));
        if self.open == 0 || near_enough || too_small {
            return None;
        }
        Some(match target.price {
            Some(price) => OrderTerms::limit(instrument, self.side, price, Lots(self.open)),
            None => OrderTerms::market(instrument, self.side, Lots(self.open)),
        })
    }
}

/// A reduce-only order that takes: at most `collar_bps` through the best opposite price, or at the
/// market where there is none.
fn taker(
    instrument: InstrumentId,
    side: Side,
    qty: Lots,
    touch: &Touch,
    grid: &PriceGrid,
    collar_bps: u32,
) -> OrderTerms {
    let mut terms = match touch.opposite(side) {
        Some(best) => {
            let room = i128::from(best.0.abs()) * i128::from(collar_bps) / 10_000;
            let price = side.inward(best, room as i64);
            let price = match side {
                Side::Buy => grid.floor(price),
                Side::Sell => grid.ceil(price),
            };
            OrderTerms::limit(instrument, side, price, qty)
        }
        None => OrderTerms::market(instrument, side, qty),
    };
    terms.time_in_force = TimeInForce::Ioc;
    terms.flags = OrderFlags::REDUCE_ONLY;
    terms
}

/// Shrinks a position by `qty` at once, whatever was wished: orders that would enlarge it are
/// cancelled, and a reduce-only order takes what no other taker order is under way for.
pub fn reduce_now(
    instrument: InstrumentId,
    position: Lots,
    qty: Lots,
    collar_bps: u32,
    live: impl Iterator<Item = LiveQuote>,
    now: &Now<'_>,
    actions: &mut Actions,
) {
    let side = if position.0 > 0 { Side::Sell } else { Side::Buy };
    let mut open = qty.abs().min(position.abs()).0;
    for order in live {
        if order.side == side {
            if order.takes {
                open -= order.qty.0 - order.filled.0;
            }
        } else if order.standing != Standing::Cancelling {
            actions.push(Action::Cancel(order.id));
        }
    }
    if open > 0 {
        let terms = taker(instrument, side, Lots(open), &now.touch, now.grid, collar_bps);
        actions.push(Action::Place(terms));
    }
}
