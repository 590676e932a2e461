//! The kernel's part of a round.

use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, InstrumentId, Lots, Result, Ticks, TimeInForce, TimeNs,
    VenueEventKind,
};
use mainspring_trading::execution::reconcile::{
    towards_target, LiveQuote, Now, Round, Rules, Standing,
};
use mainspring_trading::execution::{Action, Actions, Charge, Desired};
use mainspring_trading::orders::{Order, OrderState, OrderTable, Purpose};

use crate::intent::{Intent, Intents};
use crate::kernel::{Kernel, Timer};
use crate::market::Market;
use crate::reasons::RATE_BUDGET;

use super::wish::Wish;
use super::{touch, Rounds};

impl Kernel {
    /// Carries out what rules and budgets are about; false for the rest.
    #[cold]
    pub(in crate::kernel) fn carry_out_ruled(
        &mut self,
        strategy: u16,
        intent: &Intent,
        all: &Intents,
    ) -> Result<bool> {
        let Some(rounds) = &mut self.rounds else { return Ok(false) };
        match *intent {
            Intent::Quote { instrument, first, bids, asks, flags } => {
                let (bids, asks) = all.levels(first, bids, asks);
                rounds.wish(strategy, instrument).quote(&Desired { bids, asks, flags });
                self.round(strategy, instrument, Purpose::Quote)?;
            }
            Intent::Target { instrument, position, price } => {
                rounds.wish(strategy, instrument).aim(position, price, self.now_ns);
                self.round(strategy, instrument, Purpose::Target)?;
            }
            Intent::Place { id, terms } => self.place_within_budget(strategy, id, terms)?,
            Intent::Cancel(id) => self.cancel_within_budget(strategy, id)?,
            Intent::Amend { id, price, qty } => {
                self.amend_within_budget(strategy, id, price, qty)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// One round for quotes or for a target.
    fn round(&mut self, strategy: u16, instrument: InstrumentId, purpose: Purpose) -> Result<()> {
        let Some(mut rounds) = self.rounds.take() else { return Ok(()) };
        rounds.counts.rounds += 1;
        let mut actions = std::mem::take(&mut self.actions);
        actions.clear();
        let round = self.decide(&mut rounds, strategy, instrument, purpose, &mut actions);
        rounds.counts.deferred += u64::from(round.deferred);
        self.rounds = Some(rounds);
        let done = actions
            .as_slice()
            .iter()
            .try_for_each(|action| self.act_ruled(strategy, instrument, action, purpose));
        self.actions = actions;
        done?;
        match round.next_ns {
            Some(at_ns) => self.round_at(strategy, instrument, at_ns),
            None => Ok(()),
        }
    }

    fn decide(
        &self,
        rounds: &mut Rounds,
        strategy: u16,
        instrument: InstrumentId,
        purpose: Purpose,
        actions: &mut Actions,
    ) -> Round {
        let market = &self.markets[instrument.index()];
        let now = Now {
            time_ns: self.now_ns,
            touch: touch(market),
            grid: market.grid(),
            lives_ns: rounds.lives_ns(strategy, market, self.now_ns),
            budget: rounds.budget(instrument),
        };
        let at = rounds.wish_at(strategy, instrument);
        let Rounds { wishes, reconciler, rules, .. } = rounds;
        let (wish, rules) = (&wishes[at], &rules[instrument.index()]);
        let live = live_quotes(&self.orders, strategy, market, purpose, wish, rules);
        match (purpose, &wish.target) {
            (Purpose::Target, Some(target)) => {
                let held = self.ledger.position(strategy, instrument).map_or(Lots(0), |p| p.lots);
                towards_target(instrument, held, target, live, &now, rules, actions)
            }
            (Purpose::Quote, _) if wish.quoting => {
                reconciler.quotes(instrument, &wish.desired(), live, &now, rules, actions)
            }
            _ => Round::default(),
        }
    }

    fn act_ruled(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        action: &Action,
        purpose: Purpose,
    ) -> Result<()> {
        let terms = match *action {
            Action::Cancel(id) => return self.cancel(strategy, id),
            Action::Amend { id, price, qty } => return self.amend(strategy, id, price, qty),
            Action::Place(terms) => terms,
        };
        let id = self.intents.next_id();
        self.place(strategy, id, terms, purpose)?;
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        let at = rounds.wish_at(strategy, instrument);
        let rules = &rounds.rules[instrument.index()];
        let (wish, watched) = (&mut rounds.wishes[at], rules.watches_queues());
        if order.state == OrderState::RiskRejected {
            // Not again before it is wished again.
            match purpose {
                Purpose::Quote => {
                    wish.take_off(order.terms.side, order.terms.price, None, rules);
                }
                _ => wish.target = None,
            }
        } else if purpose == Purpose::Quote {
            wish.placed(order, &self.markets[instrument.index()], watched, self.now_ns);
        }
        Ok(())
    }

    /// Sees to it that a round comes by then.
    fn round_at(&mut self, strategy: u16, instrument: InstrumentId, at_ns: TimeNs) -> Result<()> {
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let wish = rounds.wish(strategy, instrument);
        if wish.next_ns <= at_ns {
            return Ok(());
        }
        wish.next_ns = at_ns;
        self.timers.push(at_ns.max(self.now_ns), Timer::Round { strategy, instrument })
    }

    /// A round is due, unless the wish is gone or an earlier one has been.
    pub(in crate::kernel) fn round_due(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
    ) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let wish = rounds.wish(strategy, instrument);
        if wish.next_ns > self.now_ns {
            return Ok(());
        }
        wish.next_ns = TimeNs::MAX;
        let (quoting, aiming) = (wish.quoting, wish.target.is_some());
        rounds.counts.resumed += 1;
        if quoting {
            self.round(strategy, instrument, Purpose::Quote)?;
        }
        if aiming {
            self.round(strategy, instrument, Purpose::Target)?;
        }
        Ok(())
    }

    /// An answer moved an order: what is left of the wish that it stands for follows it.
    #[cold]
    pub(in crate::kernel) fn answer_moved(
        &mut self,
        id: ClientOrderId,
        kind: &VenueEventKind,
    ) -> Result<()> {
        let following = self.is_following();
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let Some(order) = self.orders.get(id).filter(|o| o.purpose != Purpose::Explicit) else {
            return Ok(());
        };
        let (strategy, instrument) = (order.strategy, order.terms.instrument);
        let at = rounds.wish_at(strategy, instrument);
        let rules = &rounds.rules[instrument.index()];
        let wish = &mut rounds.wishes[at];
        settle(wish, order, kind, rules, self.now_ns);
        let stopped = self.strategies[usize::from(strategy)].failure.is_some();
        let part = matches!(kind, VenueEventKind::Filled { .. }) && !order.is_terminal();
        if following || stopped || part || order.state.is_pending() {
            return Ok(());
        }
        // What a venue took away by itself is not wanted back at once.
        let by_venue =
            matches!(kind, VenueEventKind::Cancelled(r) if *r != CancelReason::Requested);
        let pause_ns = if by_venue { rules.pause_ns } else { 0 };
        self.round_at(strategy, instrument, self.now_ns + pause_ns)
    }

    /// An order by name: refused when the budget has no room for it.
    fn place_within_budget(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        terms: OrderTerms,
    ) -> Result<()> {
        let now_ns = self.now_ns;
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        if rounds.ready_ns(terms.instrument, Charge::Place, now_ns) <= now_ns {
            return self.place(strategy, id, terms, Purpose::Explicit);
        }
        rounds.counts.refused += 1;
        self.refuse_for(&Order::new(id, strategy, terms, now_ns), RATE_BUDGET)
    }

    /// A cancel by name: it waits when the budget has no room for it.
    fn cancel_within_budget(&mut self, strategy: u16, id: ClientOrderId) -> Result<()> {
        let order = self.orders.get(id).filter(|o| o.strategy == strategy).copied();
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let open = order.filter(|o| !o.is_terminal() && o.state != OrderState::PendingCancel);
        let Some(order) = open else { return self.cancel(strategy, id) };
        let instrument = order.terms.instrument;
        if order.purpose == Purpose::Quote {
            let at = rounds.wish_at(strategy, instrument);
            let rules = &rounds.rules[instrument.index()];
            rounds.wishes[at].take_off(order.terms.side, order.terms.price, None, rules);
        }
        let ready_ns = rounds.ready_ns(instrument, Charge::Cancel, self.now_ns);
        if ready_ns <= self.now_ns {
            return self.cancel(strategy, id);
        }
        if rounds.held.contains(&(strategy, id)) {
            return Ok(());
        }
        rounds.held.push((strategy, id));
        rounds.counts.held_cancels += 1;
        self.timers.push(ready_ns, Timer::HeldCancels)
    }

    /// There may be room for cancels that wait.
    pub(in crate::kernel) fn send_held_cancels(&mut self) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let mut held = std::mem::take(&mut rounds.held);
        let done = held.drain(..).try_for_each(|(strategy, id)| {
            let known = self.orders.get(id).is_some();
            if known {
                self.cancel_within_budget(strategy, id)
            } else {
                Ok(())
            }
        });
        done
    }

    fn amend_within_budget(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        price: Ticks,
        qty: Lots,
    ) -> Result<()> {
        let now_ns = self.now_ns;
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let instrument = self.orders.get(id).map(|o| o.terms.instrument);
        let ready = |i| rounds.ready_ns(i, Charge::Amend, now_ns) <= now_ns;
        if instrument.is_none_or(ready) {
            return self.amend(strategy, id, price, qty);
        }
        rounds.counts.refused += 1;
        self.recorder.notice(
            now_ns,
            &format!("amend of order {} left out: the venue's rate budget has no room", id.0),
        )
    }
}

/// What an answer takes from the wish that an order stands for.
fn settle(wish: &mut Wish, order: &Order, kind: &VenueEventKind, rules: &Rules, now_ns: TimeNs) {
    let quote = order.purpose == Purpose::Quote;
    let (side, price) = (order.terms.side, order.terms.price);
    match kind {
        VenueEventKind::Filled { qty, .. } => {
            if order.filled == *qty {
                wish.traded(now_ns);
            }
            if quote && rules.replenishes() {
                wish.take_off(side, price, Some(*qty), rules);
            } else if quote && order.is_terminal() {
                wish.take_off(side, price, None, rules);
            }
        }
        // The venue will not have it: not again before it is wished again.
        VenueEventKind::Rejected(_) if quote => wish.take_off(side, price, None, rules),
        VenueEventKind::Rejected(_) => wish.target = None,
        VenueEventKind::Cancelled(reason) if quote && *reason != CancelReason::Requested => {
            wish.take_off(side, price, None, rules);
        }
        _ => {}
    }
    if order.is_terminal() {
        wish.ended(order.id);
    }
}

fn live_quotes<'a>(
    orders: &'a OrderTable,
    strategy: u16,
    market: &'a Market,
    purpose: Purpose,
    wish: &'a Wish,
    rules: &'a Rules,
) -> impl Iterator<Item = LiveQuote> + 'a {
    let of_purpose = move |order: &&Order| order.purpose == purpose;
    orders.live(strategy, market.id).filter(of_purpose).map(move |order| {
        let (price, qty) = match order.pending {
            Some(pending) => (pending.price, pending.qty),
            None => (order.terms.price, order.terms.qty),
        };
        LiveQuote {
            id: order.id,
            side: order.terms.side,
            price,
            qty,
            filled: order.filled,
            standing: standing(order.state),
            created_ns: order.created_ns,
            takes: matches!(order.terms.time_in_force, TimeInForce::Ioc | TimeInForce::Fok),
            ahead: rules.watches_queues().then(|| wish.ahead(order, market)).flatten(),
        }
    })
}

const fn standing(state: OrderState) -> Standing {
    match state {
        OrderState::Created | OrderState::Submitted => Standing::Submitted,
        OrderState::PendingReplace => Standing::Replacing,
        OrderState::Open | OrderState::PartiallyFilled => Standing::Open,
        // An order that nobody knows about is being asked about: it keeps its place until then.
        _ => Standing::Cancelling,
    }
}
