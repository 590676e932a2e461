//! The ladder against a sorted map, over any sequence of changes.

use std::collections::BTreeMap;

use mainspring_book::{L2Book, LadderConfig, NO_ASK, NO_BID};
use mainspring_core::{Lots, Side, Ticks};
use proptest::prelude::*;

#[derive(Default)]
struct Oracle {
    sides: [BTreeMap<i64, i64>; 2],
}

impl Oracle {
    fn set(&mut self, side: Side, price: i64, qty: i64) -> i64 {
        let levels = &mut self.sides[side as usize];
        let previous = if qty > 0 { levels.insert(price, qty) } else { levels.remove(&price) };
        previous.unwrap_or(0)
    }

    fn set_best(&mut self, side: Side, price: i64, qty: i64) {
        self.sides[side as usize].retain(|p, _| !side.better(Ticks(*p), Ticks(price)));
        self.set(side, price, qty);
    }

    fn levels(&self, side: Side) -> Vec<(Ticks, Lots)> {
        let rising = self.sides[side as usize].iter().map(|(p, q)| (Ticks(*p), Lots(*q)));
        match side {
            Side::Buy => rising.rev().collect(),
            Side::Sell => rising.collect(),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(Side, i64, i64),
    Best(Side, i64, i64),
    ClearSide(Side),
    Clear,
    /// The market goes elsewhere; later prices are relative to it.
    Jump(i64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -20_i64..20,
        3 => -300_i64..300,
        1 => -100_000_i64..100_000,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let qty = || prop_oneof![2 => Just(0_i64), 3 => 1_i64..1_000, 1 => Just(-5_i64)];
    let jump = prop_oneof![
        4 => -200_i64..200,
        2 => -20_000_i64..20_000,
        1 => prop_oneof![Just(i64::MIN / 2), Just(i64::MAX / 2), Just(i64::MIN), Just(i64::MAX)],
    ];
    prop_oneof![
        200 => (side(), offset(), qty()).prop_map(|(s, p, q)| Step::Set(s, p, q)),
        10 => (side(), offset(), qty()).prop_map(|(s, p, q)| Step::Best(s, p, q)),
        1 => side().prop_map(Step::ClearSide),
        1 => Just(Step::Clear),
        8 => jump.prop_map(Step::Jump),
    ]
}

/// Any price but the sentinel of the side.
fn price(side: Side, centre: i64, offset: i64) -> i64 {
    let price = centre.saturating_add(offset);
    match side {
        Side::Buy => price.max(NO_BID.0 + 1),
        Side::Sell => price.min(NO_ASK.0 - 1),
    }
}

fn assert_same(book: &L2Book, oracle: &Oracle) -> Result<(), TestCaseError> {
    for side in [Side::Buy, Side::Sell] {
        let wanted = oracle.levels(side);
        let best = wanted.first().map(|(p, _)| *p);
        prop_assert_eq!(book.best(side), best);
        let none = if side == Side::Buy { NO_BID } else { NO_ASK };
        let sentinel = if side == Side::Buy { book.best_bid() } else { book.best_ask() };
        prop_assert_eq!(sentinel, best.unwrap_or(none));
        prop_assert_eq!(book.best_qty(side), wanted.first().map_or(Lots(0), |(_, q)| *q));
        prop_assert_eq!(book.depth(side), wanted.len());
    }
    Ok(())
}

fn assert_same_levels(book: &L2Book, oracle: &Oracle) -> Result<(), TestCaseError> {
    for side in [Side::Buy, Side::Sell] {
        let wanted = oracle.levels(side);
        prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), wanted.clone());
        let mut top = [(Ticks(0), Lots(0)); 5];
        let count = book.top(side, &mut top);
        prop_assert_eq!(&top[..count], &wanted[..wanted.len().min(5)]);
        for (price, qty) in wanted {
            prop_assert_eq!(book.qty(side, price), qty);
        }
    }
    Ok(())
}

fn config() -> impl Strategy<Value = LadderConfig> {
    prop_oneof![Just((64, 64)), Just((64, 1 << 12)), Just((100, 1 << 19)), Just((0, 0))]
        .prop_map(|(initial_window, max_window)| LadderConfig { initial_window, max_window })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_sequence_gives_the_same_book(
        config in config(),
        steps in prop::collection::vec(step(), 1..1_500),
    ) {
        let (mut book, mut oracle) = (L2Book::new(config), Oracle::default());
        let mut centre = 0_i64;
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set(side, offset, qty) => {
                    let price = price(side, centre, offset);
                    let previous = book.set(side, Ticks(price), Lots(qty));
                    prop_assert_eq!(previous, Lots(oracle.set(side, price, qty)));
                    prop_assert_eq!(book.qty(side, Ticks(price)), Lots(qty.max(0)));
                }
                Step::Best(side, offset, qty) => {
                    let price = price(side, centre, offset);
                    book.set_best(side, Ticks(price), Lots(qty));
                    oracle.set_best(side, price, qty);
                }
                Step::ClearSide(side) => {
                    book.clear_side(side);
                    oracle.sides[side as usize].clear();
                }
                Step::Clear => {
                    book.clear();
                    oracle = Oracle::default();
                }
                Step::Jump(by) => centre = centre.saturating_add(by),
            }
            assert_same(&book, &oracle)?;
            if n % 50 == 0 {
                assert_same_levels(&book, &oracle)?;
            }
        }
        assert_same_levels(&book, &oracle)?;
    }

    #[test]
    fn a_drifting_market_is_followed(
        drift in -3_i64..=3,
        seed in any::<u64>(),
    ) {
        let config = LadderConfig { initial_window: 64, max_window: 512 };
        let (mut book, mut oracle) = (L2Book::new(config), Oracle::default());
        let mut state = seed | 1;
        for n in 0..4_000_i64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mid = n * drift;
            let away = (state >> 40) as i64 % 400;
            let side = if state >> 63 == 0 { Side::Buy } else { Side::Sell };
            let price = side.inward(Ticks(mid), -1 - away).0;
            let qty = (state >> 33) as i64 % 4;
            let previous = book.set(side, Ticks(price), Lots(qty));
            prop_assert_eq!(previous, Lots(oracle.set(side, price, qty)));
            assert_same(&book, &oracle)?;
        }
        assert_same_levels(&book, &oracle)?;
    }
}

#[test]
fn sentinels_cannot_be_levels() {
    let mut book = L2Book::default();
    for _ in 0..2 {
        assert_eq!(book.set(Side::Buy, NO_BID, Lots(5)), Lots(0));
        assert_eq!(book.set(Side::Sell, NO_ASK, Lots(5)), Lots(0));
        assert_eq!((book.depth(Side::Buy), book.depth(Side::Sell)), (0, 0));
        assert_eq!((book.best_qty(Side::Buy), book.mid2()), (Lots(0), None));
        // Once more with the window as near to the sentinels as it goes.
        book.set(Side::Buy, Ticks(NO_BID.0 + 1), Lots(1));
        book.set(Side::Buy, Ticks(NO_BID.0 + 1), Lots(0));
        book.set(Side::Sell, Ticks(NO_ASK.0 - 1), Lots(1));
        book.set(Side::Sell, Ticks(NO_ASK.0 - 1), Lots(0));
    }
}
