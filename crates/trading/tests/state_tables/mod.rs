//! The tables of the page against the engine: for each state every order that can be in it, for each
//! event the real call.

use std::path::Path;

use mainspring_core::instrument::InstrumentId;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, Lots, RejectReason, Side, Ticks, VenueEvent, VenueEventKind,
};
use mainspring_trading::orders::{
    execution_status, lifecycle, Change, Order, OrderError, OrderEvent, OrderState, OrderTable,
    OrdersImage, PendingReplace, EXECUTION_STATUSES, LIFECYCLES,
};
use proptest::prelude::*;

const ID: ClientOrderId = ClientOrderId(1);
const QTY: Lots = Lots(10);
const LARGER: PendingReplace = PendingReplace { price: Ticks(101), qty: Lots(12) };

/// Rows of a Markdown table: its cells without marks.
type Rows = Vec<Vec<String>>;

/// Every table of the page, header first.
fn tables() -> Vec<Rows> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/order-states.md");
    let page = std::fs::read_to_string(path).expect("the page is in the repository");
    let mut tables: Vec<Rows> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            inside = false;
            continue;
        };
        if !std::mem::replace(&mut inside, true) {
            tables.push(Vec::new());
        }
        let cells: Vec<String> = row
            .trim_end_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches(['`', '*']).to_owned())
            .collect();
        if cells.iter().any(|cell| cell != "---") {
            tables.last_mut().expect("begun").push(cells);
        }
    }
    tables
}

fn state_named(name: &str) -> OrderState {
    OrderState::ALL.into_iter().find(|s| s.name() == name).unwrap_or_else(|| panic!("{name}"))
}

/// Every order that can be in a state, as far as the machine can tell them apart.
fn orders_in(state: OrderState) -> Vec<Order> {
    use OrderState as S;
    let order = |acknowledged, filled, pending| {
        let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(100), QTY);
        let mut order = Order::new(ID, 0, terms, 0);
        order.state = state;
        order.acknowledged = acknowledged;
        order.filled = Lots(filled);
        order.fill_value = i128::from(filled) * 100;
        order.pending = pending;
        order
    };
    match state {
        S::Created | S::RiskRejected | S::Submitted => vec![order(false, 0, None)],
        S::Open => vec![order(true, 0, None)],
        S::PartiallyFilled => vec![order(true, 4, None)],
        S::Filled => vec![order(true, 10, None)],
        S::Rejected => vec![order(false, 0, None), order(true, 0, None)],
        S::Cancelled | S::Expired => {
            vec![order(false, 0, None), order(true, 0, None), order(true, 4, None)]
        }
        S::PendingReplace => {
            [(false, 0), (true, 0), (true, 4)].map(|(a, f)| order(a, f, Some(LARGER))).into()
        }
        S::PendingCancel | S::Unknown => [None, Some(LARGER)]
            .into_iter()
            .flat_map(|pending| {
                [(false, 0), (true, 0), (true, 4)].map(|(a, f)| order(a, f, pending))
            })
            .collect(),
    }
}

#[derive(Debug)]
enum Happening {
    Ours(OrderEvent),
    Venue(VenueEventKind),
}

/// The event of a column for an order.
fn happening(column: &str, order: &Order) -> Happening {
    use Happening::{Ours, Venue};
    use VenueEventKind as V;
    let fill = |qty| Venue(V::Filled { price: Ticks(100), qty, maker: true });
    let (load, gone) = (RejectReason::Overloaded, RejectReason::UnknownOrder);
    match column {
        "refused by risk" => Ours(OrderEvent::RiskRefused),
        "submit" => Ours(OrderEvent::Submit),
        "cancel asked" => Ours(OrderEvent::CancelRequested),
        "amend asked" => Ours(OrderEvent::ReplaceRequested { price: Ticks(99), qty: Lots(11) }),
        "overdue" => Ours(OrderEvent::Timeout),
        "found working" => Ours(OrderEvent::Confirmed),
        "not found" => Ours(OrderEvent::NotFound),
        "accepted" => Venue(V::Accepted),
        "rejected" => Venue(V::Rejected(load)),
        "part fill" => fill(Lots(1)),
        "whole fill" => fill(order.fillable().max(Lots(1))),
        "triggered" => Venue(V::Triggered),
        "cancelled" => Venue(V::Cancelled(CancelReason::Requested)),
        "expired" => Venue(V::Cancelled(CancelReason::Expired)),
        "cancel refused" => Venue(V::CancelRejected(load)),
        "cancel refused, gone" => Venue(V::CancelRejected(gone)),
        "amended" => Venue(V::Amended { price: LARGER.price, qty: LARGER.qty }),
        "amended, whole" => Venue(V::Amended { price: LARGER.price, qty: order.filled }),
        "amend refused" | "amend refused, whole" => Venue(V::AmendRejected(load)),
        "amend refused, gone" | "amend refused, gone, whole" => Venue(V::AmendRejected(gone)),
        other => panic!("the page has a column {other:?} that is not tested"),
    }
}

fn happen(table: &mut OrderTable, what: &Happening) -> Result<Change, OrderError> {
    match what {
        Happening::Ours(event) => table.request(ID, *event, 9),
        Happening::Venue(kind) => {
            table.apply(&VenueEvent { order: ID, exch_ns: 8, recv_ns: 9, kind: *kind }, 9)
        }
    }
}

fn table_with(order: Order) -> OrderTable {
    let mut table = OrderTable::new(4, 4, 1, 1);
    let (live, ended) =
        if order.is_terminal() { (vec![], vec![order]) } else { (vec![order], vec![]) };
    table.restore(&OrdersImage { ended, live, ..OrdersImage::default() }).unwrap();
    table
}

/// The first rule of "standing": what the order is without a request on its way, after the event.
fn standing(after: &Order) -> OrderState {
    if after.pending.is_some() {
        OrderState::PendingReplace
    } else if after.filled.0 > 0 {
        OrderState::PartiallyFilled
    } else if after.acknowledged {
        OrderState::Open
    } else {
        OrderState::Submitted
    }
}

fn check_cell(before: &Order, column: &str, cell: &str) {
    let context = format!("{} on {column}: {before:?}", before.state);
    let mut table = table_with(*before);
    let happened = happen(&mut table, &happening(column, before));
    let after = *table.get(ID).unwrap();
    let illegal = cell == "illegal" || (cell == "rejected if untraded" && before.filled.0 > 0);
    if illegal {
        let expected = matches!(happened, Err(OrderError::Illegal { .. }));
        assert!(expected, "{context}: {happened:?}");
        assert_eq!((after, table.counters().illegal), (*before, 1), "{context}");
        return;
    }
    let change = happened.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!((change.from, change.to, change.order), (before.state, after.state, after));
    match cell {
        "stays" => assert_eq!(after.state, before.state, "{context}"),
        "ignored" => {
            let same = (after.state, after.filled, after.terms, change.fill)
                == (before.state, before.filled, before.terms, None);
            assert!(same && (change.duplicate || change.late), "{context}: {change:?}");
        }
        "standing" => assert_eq!(after.state, standing(&after), "{context}"),
        "rejected if untraded" => assert_eq!(after.state, OrderState::Rejected, "{context}"),
        other => assert_eq!(after.state, state_named(other), "{context}"),
    }
}

#[test]
fn every_cell_of_the_page_is_what_the_engine_does() {
    let all = tables();
    let mut cells = 0;
    let mut columns = 0;
    for table in &all[1..5] {
        let (header, rows) = table.split_first().unwrap();
        columns += header.len() - 1;
        assert_eq!(rows.len(), OrderState::ALL.len());
        for (row, state) in rows.iter().zip(OrderState::ALL) {
            assert_eq!((state_named(&row[0]), row.len()), (state, header.len()));
            for (column, cell) in header.iter().zip(row).skip(1) {
                for mut order in orders_in(state) {
                    // Refused, whole: what had traded reaches the quantity that goes on standing.
                    if column.starts_with("amend refused") && column.ends_with("whole") {
                        order.filled = if state.is_terminal() { order.filled } else { QTY };
                    }
                    check_cell(&order, column, cell);
                }
                cells += 1;
            }
        }
    }
    assert_eq!((columns, cells), (22, 22 * 12), "every event in every state");
}

#[test]
fn the_page_names_every_state_and_its_code() {
    let states = &tables()[0][1..];
    let names: Vec<_> =
        OrderState::ALL.iter().map(|s| (s.name(), (*s as u8).to_string())).collect();
    let page: Vec<_> = states.iter().map(|row| (row[0].as_str(), row[1].clone())).collect();
    assert_eq!(page, names);
    for row in states {
        assert_eq!(row[2].ends_with("over"), state_named(&row[0]).is_terminal(), "{row:?}");
    }
}

#[test]
fn other_names_are_those_of_the_page() {
    let table = &tables()[5];
    assert_eq!(table[0][1..], ["execution_status", "lifecycle"]);
    for (row, state) in table[1..].iter().zip(OrderState::ALL) {
        assert_eq!(state_named(&row[0]), state);
        for order in orders_in(state) {
            let traded = order.filled.0 > 0;
            let pick = |cell: &str| -> String {
                match cell.split_once("; ") {
                    Some((_, then)) if traded && then.ends_with(" once something traded") => {
                        then.replace(" once something traded", "")
                    }
                    Some((_, then))
                        if !order.acknowledged && then.ends_with(" before the acknowledgement") =>
                    {
                        then.replace(" before the acknowledgement", "")
                    }
                    Some((first, _)) => first.to_owned(),
                    None => cell.to_owned(),
                }
            };
            assert_eq!(order.execution_status(), pick(&row[1]), "{order:?}");
            assert_eq!(order.lifecycle(), pick(&row[2]), "{order:?}");
            assert!(EXECUTION_STATUSES.contains(&execution_status(state, traded)));
            assert!(LIFECYCLES.contains(&lifecycle(state, traded, order.acknowledged)));
        }
    }
}

/// Something that happens to an order, drawn at random.
fn any_happening() -> impl Strategy<Value = Happening> {
    use Happening::{Ours, Venue};
    use VenueEventKind as V;
    let reason = || prop_oneof![Just(RejectReason::UnknownOrder), Just(RejectReason::Overloaded)];
    let amount = || (90_i64..110, 0_i64..16);
    prop_oneof![
        prop_oneof![
            Just(OrderEvent::RiskRefused),
            Just(OrderEvent::Submit),
            Just(OrderEvent::Submit),
            Just(OrderEvent::CancelRequested),
            Just(OrderEvent::Timeout),
            Just(OrderEvent::Confirmed),
            Just(OrderEvent::NotFound),
        ]
        .prop_map(Ours),
        amount().prop_map(|(price, qty)| Ours(OrderEvent::ReplaceRequested {
            price: Ticks(price),
            qty: Lots(qty.max(1))
        })),
        Just(V::Accepted).prop_map(Venue),
        Just(V::Triggered).prop_map(Venue),
        reason().prop_map(|r| Venue(V::Rejected(r))),
        reason().prop_map(|r| Venue(V::CancelRejected(r))),
        reason().prop_map(|r| Venue(V::AmendRejected(r))),
        prop_oneof![Just(CancelReason::Requested), Just(CancelReason::Expired)]
            .prop_map(|r| Venue(V::Cancelled(r))),
        amount().prop_map(|(price, qty)| Venue(V::Amended { price: Ticks(price), qty: Lots(qty) })),
        amount().prop_map(|(price, qty)| Venue(V::Filled {
            price: Ticks(price),
            qty: Lots(qty),
            maker: true
        })),
    ]
}

proptest! {
    /// Whatever happens in whatever order: nothing trades beyond what was asked, an end is an end,
    /// every refusal is counted and changes nothing, the sums agree.
    #[test]
    fn no_sequence_breaks_an_order(events in prop::collection::vec(any_happening(), 1..60)) {
        let terms = OrderTerms::limit(InstrumentId(0), Side::Sell, Ticks(100), QTY);
        let mut table = OrderTable::new(1, 1, 1, 1);
        table.insert(Order::new(ID, 0, terms, 0)).unwrap();
        let (mut refused, mut filled, mut value, mut asked) = (0, 0, 0, QTY.0);
        for what in &events {
            let before = *table.get(ID).unwrap();
            let happened = happen(&mut table, what);
            let after = *table.get(ID).unwrap();
            match happened {
                Ok(change) => {
                    if let Some(fill) = change.fill {
                        filled += fill.qty.0;
                        value += i128::from(fill.price.0 * fill.qty.0);
                    }
                    if let Happening::Ours(OrderEvent::ReplaceRequested { qty, .. }) = what {
                        asked = asked.max(qty.0);
                    }
                    if let Happening::Venue(VenueEventKind::Amended { qty, .. }) = what {
                        asked = asked.max(qty.0);
                    }
                    if before.is_terminal() {
                        prop_assert!(after.state == before.state && change.late);
                    }
                }
                Err(_) => {
                    refused += 1;
                    prop_assert_eq!(after, before);
                }
            }
            let counters = table.counters();
            prop_assert_eq!(counters.illegal + counters.bad_fills, refused);
            prop_assert_eq!((after.filled.0, after.fill_value), (filled, value));
            prop_assert!(filled <= asked, "{} of at most {}", filled, asked);
            prop_assert_eq!(table.live_count(), usize::from(!after.is_terminal()));
            prop_assert!(after.state != OrderState::PendingReplace || after.pending.is_some());
        }
    }
}
