//! Quotes against the orders that are live, under rules.

use mainspring_core::limits::MAX_QUOTE_LEVELS;
use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{ClientOrderId, DurationNs, InstrumentId, Lots, PriceGrid, Ticks, TimeNs};

use super::config::{AmendRule, Rules};
use super::matching::{pair, NONE};
use super::wish::{Touch, Wished};
use crate::execution::budget::{Charge, RateBudget};
use crate::execution::reconciler::{Action, Actions, Desired, Level};

/// Where a live order stands, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Sent, not acknowledged: it counts, and cannot be amended yet.
    Submitted,
    /// In the venue's book.
    Open,
    /// A change is on its way: it counts with the new terms.
    Replacing,
    /// A cancel is on its way, or nobody knows: it keeps its place, and is left alone.
    Cancelling,
}

/// A live order that stands for a quote or a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveQuote {
    /// Its id.
    pub id: ClientOrderId,
    /// Its side.
    pub side: Side,
    /// Its limit price, a change on its way considered.
    pub price: Ticks,
    /// Its total quantity, a change on its way considered.
    pub qty: Lots,
    /// What is filled of it.
    pub filled: Lots,
    /// Where it stands.
    pub standing: Standing,
    /// When it was made.
    pub created_ns: TimeNs,
    /// Whether it takes and is over by itself: immediate or cancel, fill or kill, market.
    pub takes: bool,
    /// The quantity in front of it, when it was placed and now, where that is watched.
    pub ahead: Option<(Lots, Lots)>,
}

impl LiveQuote {
    /// The quantity that is compared with a level's.
    pub(super) fn counted(&self, rules: &Rules) -> i64 {
        if rules.replenish {
            self.qty.0 - self.filled.0
        } else {
            self.qty.0
        }
    }
}

/// What a round is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Logical time.
    pub time_ns: TimeNs,
    /// The feed's best prices.
    pub touch: Touch,
    /// Valid prices.
    pub grid: &'a PriceGrid,
    /// The life of bids and of asks that follows the market; the longest where `None`.
    pub lives_ns: Option<[DurationNs; 2]>,
    /// What may be sent; no bound where `None`.
    pub budget: Option<RateBudget>,
}

/// What a round left for later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// When to look again, were nothing else to happen: an order comes of age, the budget has room,
    /// a round was cut off.
    pub next_ns: Option<TimeNs>,
    /// How many requests had to wait for the budget.
    pub deferred: u32,
}

impl Round {
    pub(super) fn look_again(&mut self, at_ns: TimeNs) {
        self.next_ns = Some(self.next_ns.map_or(at_ns, |next| next.min(at_ns)));
    }
}

/// What should happen to the orders of one side.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// Orders to cancel, and the level that each should make room for.
    cancels: Vec<(ClientOrderId, usize)>,
    amends: Vec<Action>,
    /// Levels that want a new order.
    places: [bool; MAX_QUOTE_LEVELS],
    /// Levels whose place an order has that is being cancelled.
    taken: [bool; MAX_QUOTE_LEVELS],
}

impl Plan {
    fn clear(&mut self) {
        self.cancels.clear();
        self.amends.clear();
        self.places = [false; MAX_QUOTE_LEVELS];
        self.taken = [false; MAX_QUOTE_LEVELS];
    }
}

/// Room that rounds share, so that they allocate nothing once it is large enough.
#[derive(Clone, Debug, Default)]
pub struct Reconciler {
    orders: [Vec<LiveQuote>; 2],
    partners: Vec<usize>,
    plans: [Plan; 2],
}

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

impl Reconciler {
    /// The fewest actions from `live` to `desired` that the rules and the budget allow.
    pub fn quotes(
        &mut self,
        instrument: InstrumentId,
        desired: &Desired<'_>,
        live: impl Iterator<Item = LiveQuote>,
        now: &Now<'_>,
        rules: &Rules,
        actions: &mut Actions,
    ) -> Round {
        self.sort(live);
        let mut round = Round::default();
        let wished = [
            Wished::of(desired.bids, Side::Buy, &now.touch, now.grid, rules),
            Wished::of(desired.asks, Side::Sell, &now.touch, now.grid, rules),
        ];
        for side in SIDES {
            self.plan(side, wished[side as usize].as_slice(), now, rules, &mut round);
        }
        let mut sending = Sending::new(now, rules, actions);
        self.cancel_and_amend(&mut sending);
        self.place(instrument, desired, &wished, &mut sending);
        sending.end(round)
    }

    /// Live orders by side, best price first, older first among equals.
    fn sort(&mut self, live: impl Iterator<Item = LiveQuote>) {
        self.orders.iter_mut().for_each(Vec::clear);
        for order in live {
            let orders = &mut self.orders[order.side as usize];
            let behind = |o: &LiveQuote| !order.side.better(order.price, o.price);
            let at = orders.partition_point(behind);
            orders.insert(at, order);
        }
    }

    fn plan(
        &mut self,
        side: Side,
        levels: &[Level],
        now: &Now<'_>,
        rules: &Rules,
        round: &mut Round,
    ) {
        let orders = &self.orders[side as usize];
        let plan = &mut self.plans[side as usize];
        plan.clear();
        let mut of_level = [NONE; MAX_QUOTE_LEVELS];
        let of_level = &mut of_level[..levels.len()];
        pair(levels, orders, rules, of_level, &mut self.partners);
        for (i, level) in levels.iter().enumerate() {
            match of_level[i] {
                NONE => plan.places[i] = true,
                j if orders[j].standing == Standing::Cancelling => {
                    (plan.places[i], plan.taken[i]) = (true, true);
                }
                j => keep(&orders[j], i, level, now, rules, plan, round),
            }
        }
        move_over(levels, orders, &self.partners, now, rules, plan, round);
        plan.places.iter_mut().zip(plan.taken).for_each(|(place, taken)| *place &= !taken);
    }

    fn cancel_and_amend(&mut self, sending: &mut Sending<'_>) {
        for plan in &mut self.plans {
            for (id, level) in &plan.cancels {
                let sent = sending.send(Charge::Cancel, Action::Cancel(*id));
                // The place is not free before the cancel is on its way.
                if *level != NONE && (!sent || sending.waits_for_cancel) {
                    plan.places[*level] = false;
                }
            }
        }
        for plan in &self.plans {
            for amend in &plan.amends {
                sending.send(Charge::Amend, *amend);
            }
        }
    }

    /// New orders, level by level from the best price outwards, both sides in turn.
    fn place(
        &self,
        instrument: InstrumentId,
        desired: &Desired<'_>,
        wished: &[Wished; 2],
        sending: &mut Sending<'_>,
    ) {
        for i in 0..MAX_QUOTE_LEVELS {
            for side in SIDES {
                let levels = wished[side as usize].as_slice();
                if let Some(level) = levels.get(i).filter(|_| self.plans[side as usize].places[i]) {
                    let mut terms = OrderTerms::limit(instrument, side, level.price, level.qty);
                    terms.flags = desired.flags;
                    sending.send(Charge::Place, Action::Place(terms));
                }
            }
        }
    }
}

/// What becomes of an order that stands for its level.
fn keep(
    order: &LiveQuote,
    at: usize,
    level: &Level,
    now: &Now<'_>,
    rules: &Rules,
    plan: &mut Plan,
    round: &mut Round,
) {
    if order.standing == Standing::Replacing {
        return;
    }
    let wrong_size = !rules.right_size(order.counted(rules), level.qty.0);
    let age_ns = now.time_ns - order.created_ns;
    let due = wrong_size || is_stale(order, age_ns, now, rules, round);
    if !due {
        return;
    }
    if age_ns < rules.min_life_ns {
        round.look_again(order.created_ns + rules.min_life_ns);
        return;
    }
    match amended(order, level, rules).filter(|_| wrong_size) {
        Some(amend) => plan.amends.push(amend),
        // The new order comes when the venue has answered: until then this one has its place.
        None => plan.cancels.push((order.id, at)),
    }
}

/// Whether an order at the right place has to be replaced all the same.
fn is_stale(
    order: &LiveQuote,
    age_ns: DurationNs,
    now: &Now<'_>,
    rules: &Rules,
    round: &mut Round,
) -> bool {
    let grown = match (rules.queue_growth, order.ahead) {
        (Some(factor), Some((placed, ahead))) => ahead.0 as f64 > factor * placed.0.max(1) as f64,
        _ => false,
    };
    let life = now.lives_ns.map(|lives| lives[order.side as usize]).or(rules.max_life_ns);
    match life {
        Some(life) if age_ns >= life => true,
        Some(life) => {
            round.look_again(order.created_ns + life);
            grown
        }
        None => grown,
    }
}

/// The amend that turns an order into what a level wants, if the venue's rule has one.
fn amended(order: &LiveQuote, level: &Level, rules: &Rules) -> Option<Action> {
    if order.standing != Standing::Open {
        return None;
    }
    let qty = if rules.replenish { order.filled + level.qty } else { level.qty };
    if qty <= order.filled {
        return None;
    }
    match rules.amend {
        AmendRule::Always => Some(Action::Amend { id: order.id, price: level.price, qty }),
        AmendRule::KeepsPriority
            if qty < order.qty && rules.price_tolerance(level.price) >= apart(order, level) =>
        {
            Some(Action::Amend { id: order.id, price: order.price, qty })
        }
        AmendRule::KeepsPriority | AmendRule::Never => None,
    }
}

fn apart(order: &LiveQuote, level: &Level) -> i64 {
    (order.price.0 - level.price.0).abs()
}

/// Orders that stand for no level, and levels that no order stands for: the first of each make a
/// pair, and so on. An order without a level is cancelled whatever its age.
fn move_over(
    levels: &[Level],
    orders: &[LiveQuote],
    partners: &[usize],
    now: &Now<'_>,
    rules: &Rules,
    plan: &mut Plan,
    round: &mut Round,
) {
    let mut at = 0;
    let mut next_free = |places: &[bool; MAX_QUOTE_LEVELS]| {
        while at < levels.len() && !places[at] {
            at += 1;
        }
        let free = if at < levels.len() { at } else { NONE };
        at += 1;
        free
    };
    let without = orders.iter().zip(partners).filter(|(_, level)| **level == NONE);
    for (order, _) in without.clone().filter(|(o, _)| o.standing != Standing::Cancelling) {
        let level = next_free(&plan.places);
        if level == NONE {
            plan.cancels.push((order.id, NONE));
            continue;
        }
        let of_age_ns = order.created_ns + rules.min_life_ns;
        if plan.taken[level] {
            // Its turn comes when the place is free.
            plan.places[level] = false;
        } else if now.time_ns < of_age_ns {
            round.look_again(of_age_ns);
            plan.places[level] = false;
        } else if let Some(amend) = amended(order, &levels[level], rules) {
            plan.amends.push(amend);
            plan.places[level] = false;
        } else {
            plan.cancels.push((order.id, level));
        }
    }
    if rules.wait_for_cancel {
        for _ in without.filter(|(o, _)| o.standing == Standing::Cancelling) {
            let level = next_free(&plan.places);
            if level != NONE {
                plan.places[level] = false;
            }
        }
    }
}

/// Actions on their way out, within budget and bound.
pub(super) struct Sending<'a> {
    actions: &'a mut Actions,
    budget: Option<RateBudget>,
    now_ns: TimeNs,
    left: usize,
    pause_ns: DurationNs,
    waits_for_cancel: bool,
    cut_off: bool,
    round: Round,
}

impl<'a> Sending<'a> {
    pub(super) fn new(now: &Now<'_>, rules: &Rules, actions: &'a mut Actions) -> Self {
        Self {
            actions,
            budget: now.budget,
            now_ns: now.time_ns,
            left: rules.max_actions,
            pause_ns: rules.pause_ns,
            waits_for_cancel: rules.wait_for_cancel,
            cut_off: false,
            round: Round::default(),
        }
    }

    /// Sends an action, unless it has to wait; whether it went.
    pub(super) fn send(&mut self, charge: Charge, action: Action) -> bool {
        if self.left == 0 || self.actions.is_full() {
            self.cut_off = true;
            return false;
        }
        if let Some(budget) = &mut self.budget {
            let ready_ns = budget.ready_ns(charge, self.now_ns);
            if ready_ns > self.now_ns {
                self.round.deferred += 1;
                self.round.look_again(ready_ns);
                return false;
            }
            budget.charge(charge, self.now_ns);
        }
        self.left -= 1;
        self.actions.push(action);
        true
    }

    pub(super) fn end(mut self, planned: Round) -> Round {
        if let Some(at_ns) = planned.next_ns {
            self.round.look_again(at_ns);
        }
        if self.cut_off {
            self.round.look_again(self.now_ns + self.pause_ns);
        }
        self.round
    }
}
