//! What a parent does, case by case.

use mainspring_core::{OrderFlags, OrderType};

use super::*;
use crate::execution::parents::terms::{MAX_REFUSALS, RETRY_NS};

#[test]
fn a_twap_sends_each_slice_when_it_begins() {
    let mut desk = Desk::new(twap(100, 7));
    let sent: Vec<i64> = (0..7).flat_map(|k| desk.at_filled(k * SECOND)).collect();
    assert_eq!(sent, [14, 14, 14, 15, 14, 14, 15]);
    assert_eq!(desk.parent().state, ParentState::Ended(End::Filled));
    assert_eq!(desk.parent().average_price(), Some(101.0));
    assert_eq!(desk.parent().fees, Money(7));
    let boundaries: Vec<_> = (1..=7).map(|k| k * SECOND).collect();
    assert_eq!(desk.wakes[..6], boundaries[..6]);
}

#[test]
fn slippage_is_measured_from_the_mid_at_the_start() {
    let mut asked = twap(10, 1);
    asked.arrival_mid2 = Some(200);
    let mut desk = Desk::new(asked.clone());
    desk.at_filled(0);
    assert!((desk.parent().slippage_bps().unwrap() - 100.0).abs() < 1e-9, "101 against 100");
    asked.side = Side::Sell;
    let mut desk = Desk::new(asked);
    desk.at_filled(0);
    assert!((desk.parent().slippage_bps().unwrap() - 100.0).abs() < 1e-9, "99 against 100, sold");
}

#[test]
fn missed_slices_are_caught_up_by_policy() {
    let sent_after_missing_two = |policy: CatchUp, at_end: AtEnd| {
        let mut terms = twap(60, 6);
        terms.catch_up = policy;
        terms.at_end = at_end;
        let mut desk = Desk::new(terms);
        desk.quote.trading = false;
        assert!(desk.at(0).is_empty() && desk.at(SECOND).is_empty(), "the market is halted");
        desk.quote.trading = true;
        let sent: Vec<_> = (2..=6).flat_map(|k| desk.at_filled(k * SECOND)).collect();
        (sent, desk.parent().missed, desk.parent().state)
    };
    let filled = ParentState::Ended(End::Filled);
    assert_eq!(
        sent_after_missing_two(CatchUp::Next, AtEnd::Cancel),
        (vec![30, 10, 10, 10], 2, filled)
    );
    assert_eq!(
        sent_after_missing_two(CatchUp::Spread, AtEnd::Cancel),
        (vec![15, 15, 15, 15], 2, filled)
    );
    let (sent, _, state) = sent_after_missing_two(CatchUp::Leave, AtEnd::Cancel);
    assert_eq!((sent, state), (vec![10, 10, 10, 10], ParentState::Ended(End::Expired)));
    let (sent, _, state) = sent_after_missing_two(CatchUp::Leave, AtEnd::Cross);
    assert_eq!((sent, state), (vec![10, 10, 10, 10, 20], filled));
}

#[test]
fn a_take_that_finds_nothing_waits_before_it_tries_again() {
    let mut desk = Desk::new(twap(10, 1));
    assert_eq!(desk.at(0).len(), 1);
    desk.fills(ClientOrderId(1), 4);
    desk.moves(ClientOrderId(1), OrderState::Cancelled);
    assert!(desk.work().is_empty());
    let again = RETRY_NS;
    assert!(desk.wakes.contains(&again));
    assert!(desk.at(again - 1).is_empty());
    assert_eq!(desk.at(again)[0].qty, Lots(6));
}

#[test]
fn refusals_double_the_wait_and_end_in_failure() {
    let mut terms = twap(10, 1);
    terms.duration_ns = 1_000 * SECOND;
    let mut desk = Desk::new(terms);
    let mut now_ns = 0;
    for n in 0..MAX_REFUSALS {
        assert_eq!(desk.at(now_ns).len(), 1, "attempt {n}");
        assert!(desk.at(now_ns).is_empty());
        desk.moves(ClientOrderId(u64::from(n) + 1), OrderState::RiskRejected);
        assert!(desk.work().is_empty());
        now_ns += RETRY_NS << n.min(6);
    }
    assert_eq!(desk.parent().state, ParentState::Ended(End::Failed));
    assert_eq!(desk.parent().filled, Lots(0));
}

#[test]
fn a_post_only_child_that_missed_the_book_is_no_refusal() {
    let mut terms = twap(10, 1);
    terms.style = Style::Join;
    terms.duration_ns = 1_000 * SECOND;
    let mut desk = Desk::new(terms);
    for n in 0..20_u64 {
        assert_eq!(desk.at(n as i64 * SECOND).len(), 1);
        let mut order = desk.orders[n as usize];
        order.state = OrderState::Rejected;
        desk.table.child_moved(&order, true, desk.now_ns);
    }
    assert_eq!(desk.parent().state, ParentState::Working);
}

#[test]
fn joining_children_follow_the_price_and_keep_their_place() {
    let mut terms = twap(20, 2);
    terms.style = Style::Join;
    terms.limit = Some(Ticks(103));
    terms.duration_ns = 20 * SECOND;
    let mut desk = Desk::new(terms);
    let first = desk.at(0);
    assert_eq!(
        (first[0].price, first[0].qty, first[0].flags),
        (Ticks(99), Lots(10), OrderFlags::POST_ONLY)
    );
    // The best bid falls behind ours: we stay. It improves: we follow, but not at once.
    desk.quote.bid = Some(Ticks(98));
    assert!(desk.at(2 * SECOND).is_empty());
    assert!(!desk.parent().children[0].leaving);
    desk.quote.bid = Some(Ticks(105));
    desk.at(3 * SECOND);
    assert!(desk.parent().children[0].leaving);
    assert!(desk.work().is_empty(), "what may still fill is not placed twice");
    desk.moves(ClientOrderId(1), OrderState::Cancelled);
    let second = desk.work();
    assert_eq!(second[0].price, Ticks(103), "within the limit");
    // The next slice adds to it; the first keeps its place in the queue.
    assert_eq!(desk.at(10 * SECOND)[0].qty, Lots(10));
    assert_eq!(desk.parent().children.len(), 2);
}

#[test]
fn what_a_slice_leaves_is_taken_with_the_next() {
    let mut terms = twap(20, 2);
    terms.style = Style::JoinThenTake;
    let mut desk = Desk::new(terms);
    desk.at(0);
    desk.fills(ClientOrderId(1), 3);
    assert!(desk.at(SECOND).iter().all(|t| t.order_type == OrderType::Limit && t.qty == Lots(10)));
    desk.moves(ClientOrderId(1), OrderState::Cancelled);
    let placed = desk.work();
    assert_eq!((placed[0].qty, placed[0].price), (Lots(7), Ticks(101)), "the late part takes");
    desk.fills(ClientOrderId(3), 7);
    assert_eq!(desk.parent().filled + desk.parent().open(), Lots(20));
}

#[test]
fn an_iceberg_shows_one_clip_after_another() {
    let mut asked = terms(25, Schedule::Whole, 0);
    (asked.style, asked.limit, asked.max_child) = (Style::Rest, Some(Ticks(98)), Lots(10));
    let mut desk = Desk::new(asked);
    let clips: Vec<_> = (0..3_u64)
        .map(|n| {
            let placed = desk.at(n as i64 * SECOND);
            assert_eq!((placed.len(), placed[0].price), (1, Ticks(98)));
            // A clip that is partly filled goes on; the next comes when it is whole.
            desk.fills(ClientOrderId(n + 1), placed[0].qty.0 - 1);
            assert!(desk.work().is_empty());
            desk.fills(ClientOrderId(n + 1), 1);
            placed[0].qty.0
        })
        .collect();
    assert_eq!(clips, [10, 10, 5]);
    assert_eq!(desk.parent().state, ParentState::Ended(End::Filled));
}

#[test]
fn pause_cancels_what_rests_and_resume_makes_up() {
    let mut terms = twap(40, 4);
    terms.style = Style::Join;
    let mut desk = Desk::new(terms);
    desk.at(0);
    assert!(desk.table.pause(0, ParentId(1)) && !desk.table.pause(1, ParentId(1)), "its own only");
    desk.work();
    assert!(desk.parent().children[0].leaving);
    desk.fills(ClientOrderId(1), 2);
    desk.moves(ClientOrderId(1), OrderState::Cancelled);
    assert!(desk.at(2 * SECOND).is_empty());
    assert_eq!(desk.parent().slice, 3, "its clock runs");
    desk.table.resume(0, ParentId(1));
    assert_eq!(desk.work()[0].qty, Lots(28));
    desk.table.cancel(0, ParentId(1), desk.now_ns);
    desk.work();
    assert_eq!(desk.parent().state, ParentState::Closing(End::Cancelled));
    desk.moves(ClientOrderId(2), OrderState::Cancelled);
    assert_eq!(desk.parent().state, ParentState::Ended(End::Cancelled));
    assert_eq!(desk.parent().filled, Lots(2));
}

#[test]
fn a_parent_that_is_paused_at_its_end_takes_nothing() {
    let mut terms = twap(10, 1);
    terms.at_end = AtEnd::Cross;
    let mut desk = Desk::new(terms);
    desk.table.pause(0, ParentId(1));
    assert!(desk.at(0).is_empty() && desk.at(SECOND).is_empty());
    assert_eq!(desk.parent().state, ParentState::Ended(End::Expired));
}

#[test]
fn the_rest_is_taken_at_the_end_and_not_for_ever() {
    let mut terms = twap(10, 2);
    (terms.style, terms.at_end) = (Style::Join, AtEnd::Cross);
    let mut desk = Desk::new(terms);
    desk.at(0);
    desk.at(SECOND);
    desk.at(2 * SECOND);
    assert_eq!(desk.parent().state, ParentState::Crossing);
    desk.moves(ClientOrderId(1), OrderState::Cancelled);
    assert!(desk.work().is_empty(), "the second child is still there");
    desk.moves(ClientOrderId(2), OrderState::Cancelled);
    let placed = desk.work();
    assert_eq!((placed[0].qty, placed[0].order_type), (Lots(10), OrderType::Market));
    desk.moves(ClientOrderId(3), OrderState::Cancelled);
    desk.quote.trading = false;
    assert!(desk.at(62 * SECOND).is_empty());
    assert_eq!(desk.parent().state, ParentState::Ended(End::Expired));
}

#[test]
fn a_price_limit_is_never_passed() {
    let mut terms = twap(10, 1);
    (terms.limit, terms.sweep) = (Some(Ticks(101)), Ticks(5));
    let mut desk = Desk::new(terms);
    desk.quote.ask = Some(Ticks(102));
    assert!(desk.at(0).is_empty());
    desk.quote.ask = Some(Ticks(100));
    assert_eq!(desk.work()[0].price, Ticks(101));
}

#[test]
fn a_late_fill_is_counted_and_what_was_placed_instead_is_cancelled() {
    let mut terms = twap(10, 1);
    terms.style = Style::Join;
    let mut desk = Desk::new(terms);
    desk.at(0);
    desk.moves(ClientOrderId(1), OrderState::PendingCancel);
    desk.moves(ClientOrderId(1), OrderState::Cancelled);
    assert_eq!(desk.work().len(), 1);
    desk.table.child_filled(ClientOrderId(1), Ticks(99), Lots(10), Money::ZERO);
    desk.work();
    assert!(desk.parent().children[0].leaving);
    desk.moves(ClientOrderId(2), OrderState::Cancelled);
    assert_eq!(desk.parent().state, ParentState::Ended(End::Filled));
}

#[test]
fn small_parts_wait_until_they_make_a_child() {
    let rate = Participation::new(0.1, false).unwrap();
    let mut asked = terms(100, Schedule::Volume(rate), 0);
    asked.min_child = Lots(6);
    let mut desk = Desk::new(asked);
    let mut sent = Vec::new();
    for step in 1..=120 {
        desk.table.on_trade(InstrumentId(0), Lots(10));
        desk.table.on_trade(InstrumentId(1), Lots(1_000));
        sent.extend(desk.at_filled(step));
    }
    assert_eq!(sent.iter().sum::<i64>(), 100);
    assert!(sent.iter().all(|qty| *qty >= 6), "{sent:?}");
}

#[test]
fn terms_that_do_not_fit_are_refused() {
    let ok = twap(10, 2);
    let refused = |change: fn(&mut ParentTerms)| {
        let mut terms = ok.clone();
        change(&mut terms);
        terms.validate().is_err()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|t| t.qty = Lots(0)));
    assert!(refused(|t| t.qty = Lots(11)));
    assert!(refused(|t| t.duration_ns = 1));
    assert!(refused(|t| t.max_child = Lots(-1)));
    assert!(refused(|t| (t.min_child, t.max_child) = (Lots(3), Lots(2))));
    assert!(refused(|t| t.style = Style::Rest));
    assert!(refused(|t| (t.style, t.catch_up) = (Style::JoinThenTake, CatchUp::Leave)));
    assert!(refused(|t| t.cap = Some(Participation { rate_ppm: 0, own_counts: false })));
    assert!(refused(|t| t.max_refusals = 0));
    assert!(refused(|t| t.schedule = Schedule::Slices(vec![Lots(6), Lots(5), Lots(10)])));
}

#[test]
fn the_table_is_bounded() {
    let mut table = ParentTable::new(false);
    for n in 1..=MAX_PARENTS as u32 {
        table.add(ParentId(n), 0, twap(1, 1), 0).unwrap();
    }
    assert!(table.add(ParentId(9_999), 0, twap(1, 1), 0).is_err());
    table.cancel_where(0, |parent| parent.id.0 % 2 == 0);
    assert_eq!(table.live().len(), MAX_PARENTS / 2);
    assert!(table.add(ParentId(1), 0, twap(1, 1), 0).is_err(), "the id is taken");
    assert_eq!(table.get(ParentId(2)).unwrap().state, ParentState::Ended(End::Cancelled));
}
