//! When a book may be believed.

use mainspring_book::{L2Book, L3Book, L3Fault, Trust};
use mainspring_core::event::flags::{ASK, END_OF_MESSAGE as END, SNAPSHOT};
use mainspring_core::{Lots, MarketRow, OrderRow, RowKind, Side, Ticks};

fn row(kind: RowKind, price: i32, qty: i64, flags: u8) -> MarketRow {
    MarketRow {
        recv_ns: 0,
        exch_ns: 0,
        qty_lots: qty,
        price_offset: price,
        kind: kind as u8,
        flags,
        instrument: 0,
    }
}

fn feed(book: &mut L2Book, rows: &[(RowKind, i32, i64, u8)]) -> Trust {
    for (kind, price, qty, flags) in rows {
        book.apply(&row(*kind, *price, *qty, *flags), Ticks(1_000));
    }
    book.trust()
}

const SNAPSHOT_ROWS: [(RowKind, i32, i64, u8); 3] = [
    (RowKind::Clear, 0, 0, SNAPSHOT),
    (RowKind::Depth, 10, 5, SNAPSHOT),
    (RowKind::Depth, 12, 7, SNAPSHOT | ASK | END),
];

#[test]
fn a_snapshot_is_trusted_when_complete() {
    let mut book = L2Book::default();
    assert_eq!(book.trust(), Trust::Empty);
    assert_eq!(feed(&mut book, &SNAPSHOT_ROWS[..2]), Trust::Snapshotting);
    assert_eq!(feed(&mut book, &SNAPSHOT_ROWS[2..]), Trust::Trusted);
    assert_eq!((book.best_bid(), book.best_ask()), (Ticks(1_010), Ticks(1_012)));
}

#[test]
fn a_clear_of_its_own_waits_for_the_snapshot() {
    let mut book = L2Book::default();
    feed(&mut book, &SNAPSHOT_ROWS);
    assert_eq!(feed(&mut book, &[(RowKind::Clear, 0, 0, END)]), Trust::Snapshotting);
    assert_eq!(feed(&mut book, &[(RowKind::Trade, 0, 0, END)]), Trust::Snapshotting);
    assert_eq!(feed(&mut book, &SNAPSHOT_ROWS[1..]), Trust::Trusted);
}

#[test]
fn a_snapshot_without_a_clear_replaces_the_book() {
    let mut book = L2Book::default();
    feed(&mut book, &SNAPSHOT_ROWS);
    feed(&mut book, &[(RowKind::Depth, 11, 1, END)]);
    assert_eq!(feed(&mut book, &SNAPSHOT_ROWS[1..]), Trust::Trusted);
    assert_eq!(book.qty(Side::Buy, Ticks(1_011)), Lots(0));
}

#[test]
fn only_a_snapshot_heals_a_gap_of_a_depth_feed() {
    let mut book = L2Book::default();
    feed(&mut book, &SNAPSHOT_ROWS);
    assert_eq!(feed(&mut book, &[(RowKind::Gap, 0, 0, END)]), Trust::Gapped);
    assert_eq!(feed(&mut book, &[(RowKind::Depth, 9, 3, END)]), Trust::Gapped);
    let quotes = [(RowKind::Best, 9, 3, 0), (RowKind::Best, 12, 3, ASK | END)];
    assert_eq!(feed(&mut book, &quotes), Trust::Gapped);
    assert_eq!(feed(&mut book, &SNAPSHOT_ROWS), Trust::Trusted);
}

#[test]
fn a_gap_inside_a_snapshot_spoils_it() {
    let mut book = L2Book::default();
    feed(&mut book, &SNAPSHOT_ROWS[..2]);
    let rest = [(RowKind::Gap, 0, 0, 0), SNAPSHOT_ROWS[2]];
    assert_eq!(feed(&mut book, &rest), Trust::Gapped);
    assert_eq!(feed(&mut book, &[(RowKind::Depth, 9, 3, END)]), Trust::Gapped);
    let announced = [&[(RowKind::Gap, 0, 0, 0)], &SNAPSHOT_ROWS[..]].concat();
    assert_eq!(feed(&mut book, &announced), Trust::Trusted);
}

#[test]
fn a_fault_inside_an_order_snapshot_spoils_it() {
    let add = |id: u64, price: i32, flags: u8| OrderRow {
        market: row(RowKind::OrderAdd, price, 5, SNAPSHOT | flags),
        order_id: id,
    };
    let mut book = L3Book::default();
    let whole = [add(1, 10, 0), add(2, 12, ASK), add(3, 13, ASK | END)];
    whole.iter().for_each(|row| book.apply(row, Ticks(0)).unwrap());
    assert_eq!(book.trust(), Trust::Trusted);
    assert!(book.apply(&add(1, 10, 0), Ticks(0)).is_ok(), "a new snapshot");
    assert_eq!(book.apply(&add(1, 12, ASK), Ticks(0)), Err(L3Fault::DuplicateOrder));
    book.apply(&add(3, 13, ASK | END), Ticks(0)).unwrap();
    assert_eq!((book.trust(), book.len()), (Trust::Gapped, 2));
    whole.iter().for_each(|row| book.apply(row, Ticks(0)).unwrap());
    assert_eq!((book.trust(), book.len()), (Trust::Trusted, 3));
}

#[test]
fn best_quotes_of_both_sides_heal_a_feed_of_best_quotes() {
    let mut book = L2Book::default();
    let quotes = [(RowKind::Best, 9, 3, 0), (RowKind::Best, 12, 3, ASK | END)];
    assert_eq!(feed(&mut book, &quotes), Trust::Trusted);
    assert_eq!(feed(&mut book, &[(RowKind::Gap, 0, 0, END)]), Trust::Gapped);
    assert_eq!(feed(&mut book, &[(RowKind::Best, 8, 3, END)]), Trust::Gapped);
    assert_eq!(feed(&mut book, &[(RowKind::Best, 11, 3, ASK | END)]), Trust::Trusted);
    assert_eq!((book.best_bid(), book.best_ask()), (Ticks(1_008), Ticks(1_011)));
}

#[test]
fn a_book_may_cross_inside_a_message_only() {
    let mut book = L2Book::default();
    feed(&mut book, &SNAPSHOT_ROWS);
    let lift = [(RowKind::Depth, 12, 4, 0), (RowKind::Depth, 12, 0, ASK)];
    assert_eq!(feed(&mut book, &lift), Trust::Trusted);
    let done = [(RowKind::Depth, 13, 2, ASK | END)];
    assert_eq!(feed(&mut book, &done), Trust::Trusted);
    assert_eq!(feed(&mut book, &[(RowKind::Depth, 13, 2, END)]), Trust::Crossed);
    assert_eq!(feed(&mut book, &[(RowKind::Depth, 13, 0, END)]), Trust::Trusted);
}

#[test]
fn a_message_that_says_nothing_of_the_book_leaves_trust_alone() {
    let mut book = L2Book::default();
    assert_eq!(feed(&mut book, &[(RowKind::Mark, 0, 0, END)]), Trust::Empty);
    feed(&mut book, &[(RowKind::Gap, 0, 0, END)]);
    assert_eq!(feed(&mut book, &[(RowKind::Trade, 3, 1, END)]), Trust::Gapped);
    let unknown = MarketRow { kind: 99, ..row(RowKind::Trade, 0, 0, END) };
    book.apply(&unknown, Ticks(0));
    assert_eq!(book.trust(), Trust::Gapped);
}
