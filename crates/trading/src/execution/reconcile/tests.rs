//! The reconciler in a small world where requests take their time and are answered at random.

use std::collections::BTreeMap;

use mainspring_core::order::{OrderFlags, OrderTerms, TimeInForce};
use mainspring_core::{ClientOrderId, InstrumentId, Lots, OrderType, PriceGrid, Side, Ticks};
use proptest::prelude::*;

use super::testing::{instrument, quote, rules};
use super::*;
use crate::execution::budget::{BudgetConfig, Charge, RateBudget, RateLimit};
use crate::execution::reconciler::{reconcile_quotes, Action, Actions, Desired, Level, LiveOrder};

const AT: InstrumentId = InstrumentId(0);

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

fn grid() -> PriceGrid {
    instrument().grids[0].clone()
}

/// Orders of ours at a venue that answers when it likes.
struct World {
    rules: Rules,
    grid: PriceGrid,
    touch: Touch,
    now_ns: i64,
    orders: Vec<LiveQuote>,
    /// Terms before a change that is not answered.
    before: BTreeMap<ClientOrderId, (Ticks, Lots)>,
    next: u64,
    budget: Option<RateBudget>,
    sent: Vec<(i64, Charge)>,
    reconciler: Reconciler,
}

impl World {
    fn new(config: &ReconcileConfig) -> Self {
        let budget = config.budget_of("test").map(|b| RateBudget::new(b).unwrap());
        Self {
            rules: rules(config),
            grid: grid(),
            touch: Touch { bid: Some(Ticks(1_000)), ask: Some(Ticks(1_001)) },
            now_ns: 0,
            orders: Vec::new(),
            before: BTreeMap::new(),
            next: 0,
            budget,
            sent: Vec::new(),
            reconciler: Reconciler::default(),
        }
    }

    fn now(&self) -> Now<'_> {
        Now {
            time_ns: self.now_ns,
            touch: self.touch,
            grid: &self.grid,
            lives_ns: None,
            budget: self.budget,
        }
    }

    fn quote(&mut self, bids: &[Level], asks: &[Level]) -> (Vec<Action>, Round) {
        let mut actions = Actions::new();
        let desired = Desired { bids, asks, flags: OrderFlags::POST_ONLY };
        let mut reconciler = std::mem::take(&mut self.reconciler);
        let live = self.orders.iter().copied();
        let round = reconciler.quotes(AT, &desired, live, &self.now(), &self.rules, &mut actions);
        self.reconciler = reconciler;
        (actions.as_slice().to_vec(), round)
    }

    fn aim(&mut self, position: i64, target: &Target) -> (Vec<Action>, Round) {
        let mut actions = Actions::new();
        let live = self.orders.iter().copied();
        let round = towards_target(
            AT,
            Lots(position),
            target,
            live,
            &self.now(),
            &self.rules,
            &mut actions,
        );
        (actions.as_slice().to_vec(), round)
    }

    /// Sends actions; what makes no sense panics.
    fn send(&mut self, actions: &[Action]) {
        for action in actions {
            let charge = match action {
                Action::Cancel(_) => Charge::Cancel,
                Action::Amend { .. } => Charge::Amend,
                Action::Place(_) => Charge::Place,
            };
            if let Some(budget) = &mut self.budget {
                assert!(budget.take(charge, self.now_ns), "{charge:?} was not affordable");
            }
            self.sent.push((self.now_ns, charge));
            match action {
                Action::Cancel(id) => {
                    let order = self.order(*id);
                    assert!(order.standing != Standing::Cancelling, "cancelled twice");
                    order.standing = Standing::Cancelling;
                }
                Action::Amend { id, price, qty } => {
                    let order = self.order(*id);
                    assert_eq!(order.standing, Standing::Open, "only what is open is amended");
                    assert!(*qty > order.filled, "an amend must not end an order");
                    let old = (order.price, order.qty);
                    (order.price, order.qty, order.standing) = (*price, *qty, Standing::Replacing);
                    self.before.insert(*id, old);
                }
                Action::Place(terms) => self.add(terms),
            }
        }
    }

    fn add(&mut self, terms: &OrderTerms) {
        self.next += 1;
        let mut order = quote(self.next, terms.side, terms.price.0, terms.qty.0);
        order.standing = Standing::Submitted;
        order.created_ns = self.now_ns;
        order.takes = terms.time_in_force == TimeInForce::Ioc;
        self.orders.push(order);
    }

    fn order(&mut self, id: ClientOrderId) -> &mut LiveQuote {
        self.orders.iter_mut().find(|o| o.id == id).expect("a live order")
    }

    /// The venue answers what is pending; `refuse` says whether it refuses an amend or a cancel.
    fn answer(&mut self, pick: usize, refuse: bool) {
        let pending: Vec<_> =
            self.orders.iter().filter(|o| o.standing != Standing::Open).map(|o| o.id).collect();
        if pending.is_empty() {
            return;
        }
        let id = pending[pick % pending.len()];
        let old = self.before.remove(&id);
        let order = self.order(id);
        match order.standing {
            Standing::Cancelling if !refuse => self.orders.retain(|o| o.id != id),
            _ => {
                if let (true, Some((price, qty))) = (refuse, old) {
                    (order.price, order.qty) = (price, qty);
                }
                order.standing = Standing::Open;
            }
        }
    }

    fn answer_all(&mut self) {
        while self.orders.iter().any(|o| o.standing != Standing::Open) {
            self.answer(0, false);
        }
    }

    /// Whether every level has exactly one order that is good enough, and nothing else is live.
    fn stands(&self, bids: &[Level], asks: &[Level]) -> bool {
        [(Side::Buy, bids), (Side::Sell, asks)].into_iter().all(|(side, levels)| {
            let mut orders: Vec<_> = self.orders.iter().filter(|o| o.side == side).collect();
            levels.iter().all(|level| {
                let tolerance = self.rules.price_tolerance(level.price);
                let found = orders.iter().position(|o| {
                    (o.price.0 - level.price.0).abs() <= tolerance
                        && self.rules.right_size(o.counted(&self.rules), level.qty.0)
                });
                found.map(|i| orders.remove(i)).is_some()
            }) && orders.is_empty()
        })
    }
}

fn side_levels(from: i64, down: bool) -> impl Strategy<Value = Vec<Level>> {
    // At least five ticks apart, so that thresholds of a few ticks are of one level each.
    prop::collection::btree_map(0_i64..6, 5_i64..40, 0..4).prop_map(move |map| {
        let price = |step: i64| if down { from - 1 - 6 * step } else { from + 6 * step };
        map.into_iter().map(|(step, qty)| level(price(step), qty)).collect()
    })
}

fn wishes() -> impl Strategy<Value = (Vec<Level>, Vec<Level>)> {
    (side_levels(1_000, true), side_levels(1_001, false))
}

prop_compose! {
    fn configs()(
        price_threshold_bps in prop_oneof![Just(0.0), Just(20.0)],
        size_threshold_bps in prop_oneof![Just(0.0), Just(1_000.0)],
        amend in prop_oneof![
            Just(AmendRule::Never), Just(AmendRule::KeepsPriority), Just(AmendRule::Always)],
        wait_for_cancel in any::<bool>(),
        replenish in any::<bool>(),
        min_life_ns in prop_oneof![Just(0_i64), Just(25)],
        max_actions in prop_oneof![Just(None), Just(Some(2))],
    ) -> ReconcileConfig {
        ReconcileConfig {
            price_threshold_bps, size_threshold_bps, amend, wait_for_cancel, replenish,
            min_life_ns, max_actions, pause_ns: 1, ..ReconcileConfig::default()
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wish(usize),
    Answer(usize, bool),
    Fill(usize, i64),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_usize..4).prop_map(Step::Wish),
        4 => (any::<usize>(), prop::bool::weighted(0.2)).prop_map(|(pick, no)| Step::Answer(pick, no)),
        1 => (any::<usize>(), 1_i64..20).prop_map(|(pick, qty)| Step::Fill(pick, qty)),
        2 => (1_i64..20).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// Lets a world go through steps with several wishes, then keep the last until all is answered.
fn live(world: &mut World, wishes: &[(Vec<Level>, Vec<Level>)], steps: &[Step]) -> usize {
    let mut wish = 0;
    for step in steps {
        match *step {
            Step::Wish(pick) => {
                wish = pick % wishes.len();
                let (bids, asks) = &wishes[wish];
                let (actions, _) = world.quote(bids, asks);
                world.send(&actions);
            }
            Step::Answer(pick, refuse) => world.answer(pick, refuse),
            Step::Fill(pick, qty) => {
                let many = world.orders.len();
                if let Some(order) = world.orders.get_mut(pick % many.max(1)) {
                    let id = order.id;
                    order.filled = Lots((order.filled.0 + qty).min(order.qty.0));
                    let whole = order.filled == order.qty;
                    if whole && order.standing != Standing::Replacing {
                        world.orders.retain(|o| o.id != id);
                    }
                }
            }
            Step::Wait(ns) => world.now_ns += ns,
        }
    }
    wish
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// From wherever orders are, a wish that stays is reached and then left alone. On the way nothing
    /// is cancelled or amended twice, and nothing is sent that the budget has no room for
    /// (`World::send` panics).
    #[test]
    fn a_wish_is_reached_and_then_nothing_is_done(
        config in configs(), many in prop::collection::vec(wishes(), 4), steps in steps(),
    ) {
        let mut world = World::new(&config);
        let wish = live(&mut world, &many, &steps);
        let (bids, asks) = many[wish].clone();
        // Orders that filled beyond what is wished can only be reached with their own kind of size.
        let mut quiet = false;
        for _ in 0..40 {
            world.answer_all();
            world.now_ns += 30;
            let (actions, round) = world.quote(&bids, &asks);
            if actions.is_empty() {
                prop_assert!(round.next_ns.is_none(), "{:?}", round);
                quiet = true;
                break;
            }
            world.send(&actions);
        }
        prop_assert!(quiet && world.stands(&bids, &asks), "{:?}\n{:?} {:?}", world.orders, bids, asks);
    }

    /// What a level has never gets a second order: the orders that count are at most as many as
    /// levels, whatever is under way.
    #[test]
    fn no_level_ever_has_two_orders(
        config in configs(), wish in wishes(), steps in steps(),
    ) {
        let mut world = World::new(&config);
        for chunk in steps.chunks(3) {
            live(&mut world, std::slice::from_ref(&wish), chunk);
            for (side, levels) in [(Side::Buy, &wish.0), (Side::Sell, &wish.1)] {
                let counting = world.orders.iter().filter(|o| o.side == side);
                let near = |p: i64| counting.clone().filter(move |o| (o.price.0 - p).abs() <= 2);
                for one in levels {
                    // One that is being cancelled for its size, and none beside it.
                    prop_assert!(near(one.price.0).count() <= 1, "{:?}", world.orders);
                }
            }
        }
    }

    /// A wish that wanders within the thresholds of what stands causes nothing at all.
    #[test]
    fn inside_the_thresholds_nothing_happens(
        wish in wishes(), wander in prop::collection::vec((-2_i64..=2, -4_i64..=4), 8),
    ) {
        let config = ReconcileConfig {
            price_threshold_bps: 20.0 + 2.0, size_threshold_bps: 1_000.0, amend: AmendRule::Always,
            ..ReconcileConfig::default()
        };
        let mut world = World::new(&config);
        let (bids, asks) = &wish;
        let (actions, _) = world.quote(bids, asks);
        world.send(&actions);
        world.answer_all();
        let near = |levels: &[Level]| -> Vec<Level> {
            levels.iter().zip(wander.iter().cycle()).map(|(l, (price, tenth))| {
                // A tenth of the new quantity at most.
                let qty = l.qty.0 + (l.qty.0 * tenth / 50);
                level(l.price.0 + price, qty)
            }).collect()
        };
        let (bids, asks) = (near(bids), near(asks));
        prop_assert!(world.quote(&bids, &asks).0.is_empty());
    }

    /// No window ever holds more than the budget, and the wish is reached all the same.
    #[test]
    fn the_budget_is_kept_and_the_wish_reached(
        many in prop::collection::vec(wishes(), 4), steps in steps(), amend in any::<bool>(),
        limit in 6_u32..14, cancels in 3_u32..9,
    ) {
        const WINDOW: i64 = 50;
        let of = |limit| Some(RateLimit { limit, window_ns: WINDOW, burst: None });
        let budget = BudgetConfig { requests: of(limit), cancels: of(cancels), ..BudgetConfig::default() };
        let config = ReconcileConfig {
            amend: if amend { AmendRule::Always } else { AmendRule::Never },
            budgets: BTreeMap::from([("*".to_owned(), budget)]),
            ..ReconcileConfig::default()
        };
        let mut world = World::new(&config);
        let wish = live(&mut world, &many, &steps);
        let (bids, asks) = many[wish].clone();
        let mut done = false;
        for _ in 0..60 {
            world.answer_all();
            let (actions, round) = world.quote(&bids, &asks);
            done = actions.is_empty() && round.deferred == 0;
            if done {
                break;
            }
            prop_assert_eq!(round.deferred > 0, round.next_ns.is_some());
            world.send(&actions);
            world.now_ns = round.next_ns.unwrap_or(world.now_ns).max(world.now_ns);
        }
        prop_assert!(done && world.stands(&bids, &asks));
        for (end, _) in &world.sent {
            let within = || world.sent.iter().filter(|(at, _)| at <= end && end - at < WINDOW);
            prop_assert!(within().count() <= limit as usize);
            let cancelled = within().filter(|(_, charge)| *charge == Charge::Cancel);
            prop_assert!(cancelled.count() <= cancels as usize);
        }
    }

    /// Without rules the same orders are cancelled and placed as by the exact reconciler, as long as
    /// no size is wrong at its price: there the exact one places at once, this one when the old
    /// order is gone.
    #[test]
    fn without_rules_it_is_the_exact_reconciler(first in wishes(), second in wishes()) {
        let mut world = World::new(&ReconcileConfig::default());
        let (actions, _) = world.quote(&first.0, &first.1);
        world.send(&actions);
        world.answer_all();
        let same_size = |levels: Vec<Level>, of: &[Level]| -> Vec<Level> {
            let size = |l: &Level| of.iter().find(|o| o.price == l.price).map_or(l.qty, |o| o.qty);
            levels.iter().map(|l| Level { qty: size(l), ..*l }).collect()
        };
        let (bids, asks) = (same_size(second.0, &first.0), same_size(second.1, &first.1));
        let (ruled, round) = world.quote(&bids, &asks);
        let mut exact = Actions::new();
        let live = world.orders.iter().map(|o| LiveOrder {
            id: o.id, side: o.side, price: o.price, qty: o.qty, filled: o.filled, cancelling: false,
        });
        let desired = Desired { bids: &bids, asks: &asks, flags: OrderFlags::POST_ONLY };
        reconcile_quotes(AT, &desired, live, &mut exact);
        let sorted = |actions: &[Action]| {
            let mut texts: Vec<_> = actions.iter().map(|a| format!("{a:?}")).collect();
            texts.sort();
            texts
        };
        prop_assert_eq!(sorted(&ruled), sorted(exact.as_slice()));
        prop_assert_eq!(round, Round::default());
    }

    /// When everything fills, the target is reached to the lot; reductions never flip.
    #[test]
    fn a_target_is_reached_when_everything_fills(
        start in -60_i64..60, targets in prop::collection::vec((-60_i64..60, 0_i64..4, any::<bool>()), 1..6),
        fills in prop::collection::vec((any::<usize>(), 1_i64..40), 0..40), wait_for_cancel in any::<bool>(),
        amend in any::<bool>(), urgent in any::<bool>(),
    ) {
        let config = ReconcileConfig {
            wait_for_cancel, amend: if amend { AmendRule::Always } else { AmendRule::Never },
            urgent: urgent.then_some(Urgent { after_ns: 40, collar_bps: 100 }),
            ..ReconcileConfig::default()
        };
        let mut world = World::new(&config);
        let (mut position, mut fills) = (start, fills.into_iter());
        let mut last = None;
        for (target, offset, priced) in targets {
            let price = priced.then_some(Ticks(1_000 + offset));
            let target = Target { position: Lots(target), price, since_ns: world.now_ns };
            for _ in 0..4 {
                let (actions, _) = world.aim(position, &target);
                world.send(&actions);
                if let Some((pick, qty)) = fills.next() {
                    fill(&mut world, &mut position, pick, qty);
                }
                world.answer(0, false);
                world.now_ns += 20;
            }
            last = Some(target);
        }
        let target = last.unwrap();
        for _ in 0..60 {
            world.answer_all();
            while !world.orders.is_empty() {
                fill(&mut world, &mut position, 0, i64::MAX);
            }
            let (actions, _) = world.aim(position, &target);
            if actions.is_empty() {
                break;
            }
            world.send(&actions);
        }
        prop_assert_eq!(position, target.position.0);
    }
}

/// Fills an order; the rest of a taking one is over then.
fn fill(world: &mut World, position: &mut i64, pick: usize, qty: i64) {
    if world.orders.is_empty() {
        return;
    }
    let at = pick % world.orders.len();
    let order = &mut world.orders[at];
    let qty = qty.min(order.qty.0 - order.filled.0);
    order.filled += Lots(qty);
    *position += order.side.sign() * qty;
    if order.filled == order.qty || order.takes {
        world.orders.remove(at);
    }
}

fn open(config: &ReconcileConfig, orders: &[(Side, i64, i64)]) -> World {
    let mut world = World::new(config);
    for (side, price, qty) in orders {
        world.add(&OrderTerms::limit(AT, *side, Ticks(*price), Lots(*qty)));
    }
    world.answer_all();
    world
}

const BUY: Side = Side::Buy;
const SELL: Side = Side::Sell;

fn cancel(id: u64) -> Action {
    Action::Cancel(ClientOrderId(id))
}

fn amend(id: u64, price: i64, qty: i64) -> Action {
    Action::Amend { id: ClientOrderId(id), price: Ticks(price), qty: Lots(qty) }
}

#[test]
fn a_wrong_size_is_amended_where_the_place_is_kept_and_else_replaced_in_turn() {
    let with = |amend| ReconcileConfig { amend, ..ReconcileConfig::default() };
    let wish = |rule, qty| open(&with(rule), &[(BUY, 990, 10)]).quote(&[level(990, qty)], &[]).0;
    assert_eq!(wish(AmendRule::KeepsPriority, 6), [amend(1, 990, 6)]);
    assert_eq!(wish(AmendRule::KeepsPriority, 12), [cancel(1)], "larger loses its place");
    assert_eq!(wish(AmendRule::Always, 12), [amend(1, 990, 12)]);
    // The replacement comes when the cancel is answered, not beside the old order.
    let mut world = open(&with(AmendRule::Never), &[(BUY, 990, 10)]);
    let (actions, _) = world.quote(&[level(990, 6)], &[]);
    world.send(&actions);
    assert!(world.quote(&[level(990, 6)], &[]).0.is_empty());
    world.answer_all();
    assert!(matches!(world.quote(&[level(990, 6)], &[]).0[..], [Action::Place(_)]));
}

#[test]
fn what_traded_is_added_again_only_where_asked() {
    let of = |replenish, amend| {
        let config = ReconcileConfig { replenish, amend, ..ReconcileConfig::default() };
        let mut world = open(&config, &[(BUY, 990, 10)]);
        world.order(ClientOrderId(1)).filled = Lots(4);
        world.quote(&[level(990, 10)], &[]).0
    };
    assert!(of(false, AmendRule::Always).is_empty());
    assert_eq!(of(true, AmendRule::Always), [amend(1, 990, 14)]);
    assert_eq!(of(true, AmendRule::KeepsPriority), [cancel(1)]);
}

#[test]
fn a_young_order_is_not_replaced_but_withdrawn() {
    let config = ReconcileConfig { min_life_ns: 100, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10), (SELL, 1_010, 10)]);
    world.now_ns = 60;
    let (actions, round) = world.quote(&[level(995, 10)], &[]);
    assert_eq!(actions, [cancel(2)], "nobody wishes to sell any more");
    assert_eq!(round.next_ns, Some(100));
    world.send(&actions);
    world.now_ns = 100;
    let (actions, _) = world.quote(&[level(995, 10)], &[]);
    assert!(matches!(actions[..], [Action::Cancel(ClientOrderId(1)), Action::Place(_)]));
}

#[test]
fn an_old_order_is_replaced_and_so_is_one_whose_queue_grew() {
    let config = ReconcileConfig {
        max_life_ns: Some(100),
        queue_growth: Some(2.0),
        ..ReconcileConfig::default()
    };
    let mut world = open(&config, &[(BUY, 990, 10)]);
    world.now_ns = 99;
    let wish = [level(990, 10)];
    assert_eq!(world.quote(&wish, &[]), (vec![], Round { next_ns: Some(100), deferred: 0 }));
    world.order(ClientOrderId(1)).ahead = Some((Lots(7), Lots(14)));
    assert!(world.quote(&wish, &[]).0.is_empty(), "twice is not more than twice");
    world.order(ClientOrderId(1)).ahead = Some((Lots(7), Lots(15)));
    assert_eq!(world.quote(&wish, &[]).0, [cancel(1)]);
    world.order(ClientOrderId(1)).ahead = None;
    world.now_ns = 100;
    assert_eq!(world.quote(&wish, &[]).0, [cancel(1)]);
}

#[test]
fn a_replacement_waits_for_the_cancel_where_asked_or_when_the_cancel_had_to_wait() {
    let config = ReconcileConfig { wait_for_cancel: true, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10)]);
    let (actions, _) = world.quote(&[level(995, 10)], &[]);
    assert_eq!(actions, [cancel(1)]);
    world.send(&actions);
    assert!(world.quote(&[level(995, 10)], &[]).0.is_empty());
    world.answer_all();
    assert_eq!(world.quote(&[level(995, 10)], &[]).0.len(), 1);

    let cancels = Some(RateLimit { limit: 2, window_ns: 1_000, burst: Some(1) });
    let budget = BudgetConfig { cancels, ..BudgetConfig::default() };
    let budgets = BTreeMap::from([("test".to_owned(), budget)]);
    let config = ReconcileConfig { budgets, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10), (SELL, 1_010, 10)]);
    let (actions, round) = world.quote(&[level(995, 10)], &[level(1_005, 10)]);
    assert!(
        matches!(&actions[..], [Action::Cancel(_), Action::Place(t)] if t.side == BUY),
        "one cancel goes, and only its replacement: {actions:?}"
    );
    assert_eq!(round, Round { next_ns: Some(1_000), deferred: 1 });
}

#[test]
fn an_order_is_not_given_up_for_a_place_that_is_not_free_yet() {
    let mut world = open(&ReconcileConfig::default(), &[(BUY, 990, 10)]);
    let (actions, _) = world.quote(&[level(995, 10)], &[]);
    world.send(&actions);
    // Back to where the first order still is: the second stays until that one has left.
    assert!(world.quote(&[level(990, 10)], &[]).0.is_empty());
    world.answer_all();
    let (actions, _) = world.quote(&[level(990, 10)], &[]);
    assert!(matches!(actions[..], [Action::Cancel(ClientOrderId(2)), Action::Place(_)]));
}

#[test]
fn cancels_come_first_and_rounds_are_bounded() {
    let config =
        ReconcileConfig { max_actions: Some(2), pause_ns: 7, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10), (BUY, 980, 10), (BUY, 970, 10)]);
    let (actions, round) = world.quote(&[], &[level(1_005, 10)]);
    assert_eq!(actions, [cancel(1), cancel(2)]);
    assert_eq!(round.next_ns, Some(7));
}

#[test]
fn lives_can_follow_the_market() {
    let config = ReconcileConfig { max_life_ns: Some(1_000), ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10), (SELL, 1_010, 10)]);
    world.now_ns = 500;
    let mut actions = Actions::new();
    let now = Now { lives_ns: Some([400, 600]), ..world.now() };
    let desired = Desired {
        bids: &[level(990, 10)],
        asks: &[level(1_010, 10)],
        flags: OrderFlags::default(),
    };
    let live = world.orders.iter().copied();
    let round = Reconciler::default().quotes(AT, &desired, live, &now, &world.rules, &mut actions);
    assert_eq!((actions.as_slice(), round.next_ns), (&[cancel(1)][..], Some(600)));
}

#[test]
fn an_urgent_reduction_leaves_the_book_and_takes() {
    let urgent = Some(Urgent { after_ns: 100, collar_bps: 50 });
    let config = ReconcileConfig { urgent, ..ReconcileConfig::default() };
    let mut world = World::new(&config);
    let target = Target { position: Lots(-5), price: Some(Ticks(1_010)), since_ns: 0 };
    let (actions, round) = world.aim(20, &target);
    assert!(matches!(&actions[..], [Action::Place(t)] if t.qty == Lots(25)));
    assert_eq!(round.next_ns, Some(100));
    world.send(&actions);
    world.answer_all();
    world.now_ns = 100;
    let (actions, _) = world.aim(20, &target);
    assert_eq!(actions, [cancel(1)], "nothing takes before the resting order is gone");
    world.send(&actions);
    assert!(world.aim(20, &target).0.is_empty());
    world.answer_all();
    let (actions, _) = world.aim(20, &target);
    let [Action::Place(terms)] = actions[..] else { panic!("{actions:?}") };
    assert_eq!((terms.side, terms.qty, terms.price), (SELL, Lots(20), Ticks(995)));
    assert_eq!((terms.time_in_force, terms.flags), (TimeInForce::Ioc, OrderFlags::REDUCE_ONLY));
    world.send(&actions);
    assert!(world.aim(20, &target).0.is_empty(), "the taker counts");
    world.orders.clear();
    let (actions, _) = world.aim(0, &target);
    let [Action::Place(rest)] = actions[..] else { panic!("{actions:?}") };
    assert_eq!((rest.qty, rest.time_in_force), (Lots(5), TimeInForce::Gtc), "opening can wait");
}

#[test]
fn steps_that_are_not_worth_an_order_are_left_out() {
    let config = ReconcileConfig {
        size_threshold_bps: 500.0,
        below_minimum: BelowMinimum::Raise,
        ..ReconcileConfig::default()
    };
    let mut world = World::new(&config);
    let to = |position| Target { position: Lots(position), price: None, since_ns: 0 };
    assert!(world.aim(96, &to(100)).0.is_empty(), "within five percent");
    assert!(world.aim(8, &to(10)).0.is_empty(), "two lots are below the venue's minimum");
    let (actions, _) = world.aim(80, &to(100));
    assert!(matches!(&actions[..], [Action::Place(t)] if t.order_type == OrderType::Market));
}

#[test]
fn young_and_amendable_steps_towards_a_target() {
    let to = |position, price| Target {
        position: Lots(position),
        price: Some(Ticks(price)),
        since_ns: 0,
    };
    let config = ReconcileConfig { min_life_ns: 50, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10)]);
    assert_eq!(world.aim(0, &to(10, 995)), (vec![], Round { next_ns: Some(50), deferred: 0 }));
    assert_eq!(world.aim(20, &to(10, 1_005)).0[0], cancel(1), "the wrong way is left at once");
    let config = ReconcileConfig { amend: AmendRule::KeepsPriority, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10)]);
    assert_eq!(world.aim(0, &to(6, 990)).0, [amend(1, 990, 6)]);
    let (actions, _) = world.aim(0, &to(6, 995));
    assert!(matches!(actions[..], [Action::Cancel(_), Action::Place(_)]));
    let no_amends = Some(RateLimit { limit: 2, window_ns: 1_000, burst: Some(1) });
    let budget = BudgetConfig { orders: no_amends, ..BudgetConfig::default() };
    let budgets = BTreeMap::from([("*".to_owned(), budget)]);
    let config =
        ReconcileConfig { amend: AmendRule::Always, budgets, ..ReconcileConfig::default() };
    let mut world = open(&config, &[(BUY, 990, 10)]);
    world.budget.as_mut().unwrap().charge(Charge::Amend, 0);
    let (actions, round) = world.aim(0, &to(6, 995));
    assert_eq!((actions.len(), round.deferred), (0, 1), "it still counts as it stands");
}

#[test]
fn a_reduction_now_counts_takers_only() {
    let mut world = open(&ReconcileConfig::default(), &[(BUY, 990, 10), (SELL, 1_010, 30)]);
    let now = world.now();
    let reduce = |world: &World, qty| {
        let mut actions = Actions::new();
        let live = world.orders.iter().copied();
        reduce_now(AT, Lots(20), Lots(qty), 0, live, &now, &mut actions);
        actions.as_slice().to_vec()
    };
    let actions = reduce(&world, 50);
    let [Action::Cancel(ClientOrderId(1)), Action::Place(terms)] = actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!((terms.side, terms.price, terms.qty), (SELL, Ticks(1_000), Lots(20)));
    let no_book = Now { touch: Touch::default(), ..now };
    let mut actions = Actions::new();
    reduce_now(AT, Lots(-7), Lots(7), 0, std::iter::empty(), &no_book, &mut actions);
    let [Action::Place(terms)] = actions.as_slice() else { panic!() };
    assert_eq!((terms.side, terms.order_type), (BUY, OrderType::Market));
    world.add(&terms_of_taker());
    world.orders.last_mut().unwrap().takes = true;
    world.order(ClientOrderId(1)).standing = Standing::Cancelling;
    let mut actions = Actions::new();
    let now = world.now();
    reduce_now(AT, Lots(20), Lots(20), 0, world.orders.iter().copied(), &now, &mut actions);
    let [Action::Place(terms)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(terms.qty, Lots(8), "twelve are on their way");
}

fn terms_of_taker() -> OrderTerms {
    let mut terms = OrderTerms::limit(AT, SELL, Ticks(1_000), Lots(12));
    terms.time_in_force = TimeInForce::Ioc;
    terms
}

#[test]
fn rules_that_cannot_be_kept_are_refused() {
    let refused = |config: ReconcileConfig| config.rules(&instrument()).is_err();
    let default = ReconcileConfig::default;
    assert!(refused(ReconcileConfig { price_threshold_bps: -1.0, ..default() }));
    assert!(refused(ReconcileConfig { size_threshold_bps: f64::NAN, ..default() }));
    assert!(refused(ReconcileConfig { min_life_ns: 5, max_life_ns: Some(5), ..default() }));
    assert!(refused(ReconcileConfig { queue_growth: Some(1.0), ..default() }));
    assert!(refused(ReconcileConfig { max_actions: Some(0), ..default() }));
    let urgent = Some(Urgent { after_ns: -1, collar_bps: 0 });
    assert!(refused(ReconcileConfig { urgent, ..default() }));
    let adaptive_life = Some(AdaptiveLife::default());
    assert!(refused(ReconcileConfig { adaptive_life: adaptive_life.clone(), ..default() }));
    let wrong = Some(AdaptiveLife { target_fill_rate: 0.0, ..AdaptiveLife::default() });
    let max_life_ns = Some(1_000);
    assert!(refused(ReconcileConfig { adaptive_life: wrong, max_life_ns, ..default() }));
    assert!(!refused(ReconcileConfig { adaptive_life, max_life_ns, ..default() }));
    let amend_at = BTreeMap::from([("test".to_owned(), AmendRule::Always)]);
    let rules = ReconcileConfig { amend_at, queue_growth: Some(2.0), ..default() };
    let rules = rules.rules(&instrument()).unwrap();
    assert!(rules.amend == AmendRule::Always && rules.watches_queues());
}

#[test]
fn rules_tell_what_the_kernel_asks() {
    let config = ReconcileConfig {
        price_threshold_bps: 20.0,
        replenish: true,
        min_life_ns: 5,
        ..ReconcileConfig::default()
    };
    let rules = rules(&config);
    assert!(rules.stands_for(Ticks(1_000), Ticks(1_002)));
    assert!(!rules.stands_for(Ticks(1_000), Ticks(997)) && rules.replenishes());
    assert_eq!(rules.lives_ns(), (5, i64::MAX));
    let huge = 4_000_000_000_000_000_000;
    assert_eq!(rules.price_tolerance(Ticks(huge)), huge / 500, "too large for the fast way");
    let mut odd = instrument();
    odd.min_notional = mainspring_core::Decimal::new(1, 18).unwrap();
    odd.kind = mainspring_core::instrument::InstrumentKind::InversePerpetual;
    odd.multiplier = mainspring_core::Decimal::new(1, 18).unwrap();
    assert!(config.rules(&odd).is_err(), "a lot worth less than any money");
}
