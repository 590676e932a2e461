//! A market that does anything it may, and one that is willing.

use mainspring_core::OrderType;
use proptest::prelude::*;

use super::*;

/// What a market and a person may do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Wait(i64),
    Fill(usize, i64),
    End(usize),
    Refuse(usize),
    CancelAnswer(usize),
    Move(i64, i64),
    Trade(i64),
    Halt(bool),
    Pause,
    Resume,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1_i64..900_000_000).prop_map(Act::Wait),
        4 => (0_usize..8, 1_i64..40).prop_map(|(i, q)| Act::Fill(i, q)),
        2 => (0_usize..8).prop_map(Act::End),
        1 => (0_usize..8).prop_map(Act::Refuse),
        3 => (0_usize..8).prop_map(Act::CancelAnswer),
        3 => (95_i64..105, 1_i64..4).prop_map(|(b, s)| Act::Move(b, s)),
        3 => (1_i64..200).prop_map(Act::Trade),
        1 => any::<bool>().prop_map(Act::Halt),
        1 => Just(Act::Pause),
        1 => Just(Act::Resume),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 0..120)
}

prop_compose! {
    fn any_terms()(
        qty in 1_i64..400, slices in 1_usize..9, kind in 0..3, style in 0_usize..4, catch_up in 0_usize..3,
        cross in any::<bool>(), limit in prop::option::of(97_i64..104), sell in any::<bool>(),
        cap in prop::option::of(0.05_f64..1.0), min in 1_i64..20, max in 0_i64..60,
    ) -> ParentTerms {
        let schedule = match kind {
            0 => Schedule::even(Lots(qty), slices).unwrap(),
            1 => Schedule::Volume(Participation::new(0.2, false).unwrap()),
            _ => Schedule::Whole,
        };
        let mut terms = terms(qty, schedule, slices as i64 * SECOND);
        terms.side = if sell { Side::Sell } else { Side::Buy };
        terms.style = [Style::Take, Style::Join, Style::JoinThenTake, Style::Rest][style];
        terms.catch_up = [CatchUp::Next, CatchUp::Spread, CatchUp::Leave][catch_up];
        terms.at_end = if cross { AtEnd::Cross } else { AtEnd::Cancel };
        terms.limit = limit.map(Ticks);
        terms.cap = cap.map(|rate| Participation::new(rate, true).unwrap());
        terms.min_child = Lots(min);
        terms.max_child = if max == 0 { Lots(0) } else { Lots(max.max(min)) };
        if terms.style == Style::Rest && terms.limit.is_none() {
            terms.style = Style::Join;
        }
        if terms.style == Style::JoinThenTake {
            terms.catch_up = CatchUp::Next;
        }
        terms
    }
}

impl Desk {
    fn living(&self, i: usize) -> Option<Child> {
        let children = &self.parent().children;
        (!children.is_empty()).then(|| children[i % children.len()])
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Wait(ns) => {
                let until = self.now_ns + ns;
                // As the kernel does: every wake at its own time.
                while let Some(next) = self.wakes.iter().copied().filter(|at| *at <= until).min() {
                    self.wakes.retain(|at| *at != next);
                    self.check_step(next.max(self.now_ns));
                }
                self.check_step(until);
            }
            Act::Fill(i, qty) => {
                if let Some(child) = self.living(i) {
                    self.fills(child.order, qty.min(child.open.0));
                }
            }
            Act::End(i) | Act::Refuse(i) => {
                let refuse = matches!(act, Act::Refuse(_));
                if let Some(child) = self.living(i).filter(|child| !child.leaving) {
                    let order = self.orders[child.order.0 as usize - 1];
                    let fresh = order.state == OrderState::Submitted;
                    let state = if refuse { OrderState::Rejected } else { OrderState::Cancelled };
                    if fresh || child.takes {
                        self.moves(child.order, state);
                    }
                }
            }
            Act::CancelAnswer(i) => {
                if let Some(child) = self.living(i).filter(|child| child.leaving) {
                    self.moves(child.order, OrderState::Cancelled);
                }
            }
            Act::Move(bid, spread) => {
                self.quote.bid = Some(Ticks(bid));
                self.quote.ask = Some(Ticks(bid + spread));
            }
            Act::Trade(qty) => self.table.on_trade(InstrumentId(0), Lots(qty)),
            Act::Halt(halted) => self.quote.trading = !halted,
            Act::Pause => _ = self.table.pause(0, ParentId(1)),
            Act::Resume => _ = self.table.resume(0, ParentId(1)),
            Act::Restart => {
                let text = serde_json::to_string(&self.table.image()).unwrap();
                self.table = ParentTable::new(false);
                self.table.restore(&serde_json::from_str(&text).unwrap()).unwrap();
            }
        }
    }

    /// Lets the parent work and checks what it places.
    fn check_step(&mut self, now_ns: TimeNs) {
        let wake = self.table.advance(ParentId(1), now_ns);
        self.wake(wake);
        self.now_ns = now_ns;
        let before = self.orders.len();
        self.work();
        let parent = self.parent().clone();
        let terms = &parent.terms;
        let mut committed = parent.filled + parent.open();
        assert!(committed <= terms.qty, "{committed} of {}", terms.qty);
        for child in self.orders[before..].iter().rev() {
            let (qty, price) = (child.terms.qty, child.terms.price);
            assert!(self.quote.trading && parent.state != ParentState::Paused);
            assert!(qty.0 > 0 && (qty >= terms.min_child || committed == terms.qty));
            assert!(terms.max_child.0 == 0 || qty <= terms.max_child);
            assert!(terms.cap.is_none_or(|cap| committed <= cap.allowed(parent.volume)));
            let market = child.terms.order_type == OrderType::Market;
            assert!(terms.limit.is_none_or(|limit| !market && !terms.side.better(price, limit)));
            if parent.state == ParentState::Working {
                assert!(committed <= parent.due().max(parent.overdue + parent.open()));
            }
            committed -= qty;
        }
        assert_eq!(
            parent.filled,
            self.orders.iter().map(|order| order.filled).sum::<Lots>(),
            "the children add up to the parent"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_children_add_up_and_limits_hold(terms in any_terms(), acts in acts()) {
        let mut desk = Desk::new(terms);
        desk.check_step(0);
        for act in acts {
            desk.act(act);
            let now_ns = desk.now_ns;
            desk.check_step(now_ns);
        }
        // Whatever was left open, time and the venue's answers end it.
        for _ in 0..4 {
            while let Some(child) = desk.parent().children.first().copied() {
                desk.moves(child.order, OrderState::Cancelled);
            }
            desk.act(Act::Wait(40 * SECOND));
        }
        while let Some(child) = desk.parent().children.first().copied() {
            desk.moves(child.order, OrderState::Cancelled);
            desk.work();
        }
        prop_assert!(desk.parent().state.is_over(), "{:?}", desk.parent());
    }

    #[test]
    fn a_willing_market_fills_every_parent(terms in any_terms(), seed in any::<u64>()) {
        let mut terms = terms;
        (terms.limit, terms.cap, terms.catch_up, terms.at_end) = (None, None, CatchUp::Next, AtEnd::Cross);
        // The time for taking the rest is bounded, so that children must not be too small for it.
        terms.max_child = Lots(0);
        if terms.style == Style::Rest {
            terms.style = Style::Join;
        }
        let qty = terms.qty;
        let mut desk = Desk::new(terms);
        desk.check_step(0);
        for step in 0..400_u64 {
            // Partial fills of all sizes, now and then a cancel that comes first.
            while let Some(child) = desk.parent().children.first().copied() {
                let part = 1 + (seed.rotate_left(step as u32) as i64).rem_euclid(child.open.0);
                desk.fills(child.order, part);
                if desk.parent().children.first().is_some_and(|c| c.order == child.order) {
                    desk.moves(child.order, OrderState::Cancelled);
                }
            }
            desk.act(Act::Trade(5));
            desk.act(Act::Wait(SECOND / 4));
        }
        prop_assert_eq!(desk.parent().filled, qty, "{:?}", desk.parent());
        prop_assert_eq!(desk.parent().state, ParentState::Ended(End::Filled));
    }
}
