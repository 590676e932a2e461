//! Whatever rows come, the books stay whole and a trusted book is never crossed.

use mainspring_book::{L2Book, L3Book, LadderConfig, Trust};
use mainspring_core::{Lots, MarketRow, OrderRow, Side, Ticks};
use proptest::prelude::*;

fn any_row() -> impl Strategy<Value = OrderRow> {
    let price = prop_oneof![8 => -20_i32..20, 1 => any::<i32>()];
    let qty = prop_oneof![8 => -1_i64..9, 1 => any::<i64>()];
    (price, qty, any::<u8>(), 0_u8..8, 0_u64..40, 0_u8..4).prop_map(
        |(price_offset, qty_lots, wild, flags, order_id, known)| OrderRow {
            market: MarketRow {
                recv_ns: 0,
                exch_ns: 0,
                qty_lots,
                price_offset,
                kind: if known > 0 {
                    [1, 3, 4, 5, 1, 16, 16, 17, 18, 19][wild as usize % 10]
                } else {
                    wild
                },
                flags,
                instrument: 0,
            },
            order_id,
        },
    )
}

/// Levels in order, none empty, totals and best prices in accord.
fn assert_whole(book: &L2Book) -> Result<(), TestCaseError> {
    for side in [Side::Buy, Side::Sell] {
        let levels: Vec<_> = book.levels(side).collect();
        prop_assert!(levels.windows(2).all(|pair| side.better(pair[0].0, pair[1].0)));
        prop_assert!(levels.iter().all(|(price, qty)| qty.0 > 0 && book.qty(side, *price) == *qty));
        prop_assert_eq!(book.best(side), levels.first().map(|(price, _)| *price));
        prop_assert_eq!(book.depth(side), levels.len());
    }
    if book.trust() == Trust::Trusted {
        prop_assert!(!book.is_crossed());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_l2_book_stays_whole(rows in prop::collection::vec(any_row(), 1..300)) {
        let mut book = L2Book::new(LadderConfig { initial_window: 64, max_window: 128 });
        for row in rows {
            book.apply(&row.market, Ticks(-3));
            if row.market.ends_message() {
                assert_whole(&book)?;
            }
        }
    }

    #[test]
    fn an_l3_book_stays_whole_and_its_levels_are_its_orders(
        rows in prop::collection::vec(any_row(), 1..300),
    ) {
        let mut book = L3Book::default();
        let mut faults = 0;
        for row in rows {
            let outcome = book.apply(&row, Ticks(-3));
            faults += u64::from(outcome.is_err());
            prop_assert_eq!(book.faults(), faults);
            if row.market.ends_message() {
                assert_whole(book.l2())?;
            }
            prop_assert!(outcome.is_ok() || book.trust() != Trust::Trusted);
        }
        let mut orders = 0;
        for side in [Side::Buy, Side::Sell] {
            for (price, qty) in book.l2().levels(side) {
                let queue: Vec<_> = book.queue(side, price).collect();
                let sum = queue.iter().map(|order| order.qty).sum::<Lots>();
                prop_assert_eq!(sum + book.anonymous(side, price), qty);
                orders += queue.len();
            }
        }
        prop_assert_eq!(orders, book.len());
    }
}
