//! The slab, its lists and its memory against a plain oracle.

use std::collections::{HashMap, VecDeque};

use mainspring_core::instrument::InstrumentId;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, ErrorKind, Lots, Side, Ticks, VenueEvent, VenueEventKind,
};
use mainspring_trading::orders::{Order, OrderError, OrderEvent, OrderState, OrderTable};
use proptest::prelude::*;

const CAPACITY: usize = 6;
const REMEMBERED: usize = 5;

/// What the table should hold, kept the slow way.
#[derive(Default)]
struct Oracle {
    live: Vec<Order>,
    ended: VecDeque<ClientOrderId>,
    states: HashMap<ClientOrderId, OrderState>,
}

impl Oracle {
    fn end(&mut self, id: ClientOrderId, state: OrderState) {
        self.live.retain(|order| order.id != id);
        self.ended.push_back(id);
        self.states.insert(id, state);
        if self.ended.len() > REMEMBERED {
            if let Some(old) = self.ended.pop_front() {
                self.states.remove(&old);
            }
        }
    }
}

fn order(id: u64, strategy: u16, instrument: u16) -> Order {
    let terms = OrderTerms::limit(InstrumentId(instrument), Side::Sell, Ticks(7), Lots(3));
    Order::new(ClientOrderId(id), strategy, terms, 0)
}

fn answer(id: ClientOrderId, kind: VenueEventKind) -> VenueEvent {
    VenueEvent { order: id, exch_ns: 0, recv_ns: 0, kind }
}

fn agrees(table: &OrderTable, oracle: &Oracle, ids: std::ops::Range<u64>) {
    assert_eq!(table.live_count(), oracle.live.len());
    for strategy in 0..2 {
        for instrument in 0..3 {
            let instrument = InstrumentId(instrument);
            let got: Vec<_> = table.live(strategy, instrument).map(|o| o.id).collect();
            let want: Vec<_> = oracle
                .live
                .iter()
                .filter(|o| o.strategy == strategy && o.terms.instrument == instrument)
                .map(|o| o.id)
                .collect();
            assert_eq!(got, want);
        }
    }
    let mut all: Vec<_> = table.all_live().map(|o| o.id).collect();
    all.sort_unstable();
    let mut want: Vec<_> = oracle.live.iter().map(|o| o.id).collect();
    want.sort_unstable();
    assert_eq!(all, want);
    for id in ids.map(ClientOrderId) {
        let known = oracle.states.get(&id).copied();
        assert_eq!(table.get(id).map(|o| o.state), known, "order {}", id.0);
    }
}

proptest! {
    #[test]
    fn the_table_is_the_oracle(
        steps in prop::collection::vec((0_u8..4, any::<u16>(), 0_u16..2, 0_u16..3), 1..200),
        first_id in prop_oneof![Just(0_u64), Just(1_000_003)],
    ) {
        let mut table = OrderTable::new(CAPACITY, REMEMBERED, 3, 2);
        let mut oracle = Oracle::default();
        let mut next = first_id;
        for (what, pick, strategy, instrument) in steps {
            if what == 0 || oracle.live.is_empty() {
                let new = order(next, strategy, instrument);
                let inserted = table.insert(new);
                if oracle.live.len() == CAPACITY {
                    prop_assert_eq!(inserted.unwrap_err().kind(), ErrorKind::Capacity);
                    continue;
                }
                inserted.unwrap();
                table.request(new.id, OrderEvent::Submit, 1).unwrap();
                oracle.live.push(new);
                oracle.states.insert(new.id, OrderState::Submitted);
                next += 1;
            } else {
                let id = oracle.live[usize::from(pick) % oracle.live.len()].id;
                if what == 1 {
                    table.request(id, OrderEvent::Timeout, 2).ok();
                    oracle.states.insert(id, OrderState::Unknown);
                } else if what == 2 {
                    let kind = VenueEventKind::Cancelled(CancelReason::Requested);
                    table.apply(&answer(id, kind), 3).unwrap();
                    oracle.end(id, OrderState::Cancelled);
                } else {
                    let kind =
                        VenueEventKind::Filled { price: Ticks(7), qty: Lots(3), maker: true };
                    table.apply(&answer(id, kind), 3).unwrap();
                    oracle.end(id, OrderState::Filled);
                }
            }
            agrees(&table, &oracle, first_id..next);
        }
    }
}

#[test]
fn a_forgotten_order_is_unknown_and_a_remembered_one_is_not() {
    let mut table = OrderTable::new(2, 2, 1, 1);
    for id in 0..4 {
        table.insert(order(id, 0, 0)).unwrap();
        table.request(ClientOrderId(id), OrderEvent::Submit, 0).unwrap();
        let kind = VenueEventKind::Cancelled(CancelReason::Requested);
        table.apply(&answer(ClientOrderId(id), kind), 1).unwrap();
    }
    let late = VenueEventKind::Filled { price: Ticks(7), qty: Lots(1), maker: false };
    assert!(table.apply(&answer(ClientOrderId(3), late), 2).unwrap().late);
    assert_eq!(
        table.apply(&answer(ClientOrderId(1), late), 2),
        Err(OrderError::UnknownOrder(ClientOrderId(1)))
    );
}

#[test]
fn an_id_in_use_or_an_unknown_place_is_refused() {
    let mut table = OrderTable::new(4, 4, 1, 1);
    table.insert(order(5, 0, 0)).unwrap();
    assert!(table.insert(order(5, 0, 0)).is_err());
    assert!(table.insert(order(6, 1, 0)).is_err());
    assert!(table.insert(order(6, 0, 1)).is_err());
    let mut sent = order(6, 0, 0);
    sent.state = OrderState::Open;
    assert!(table.insert(sent).is_err());
    assert_eq!(table.live_count(), 1);
}

#[test]
fn an_image_goes_into_an_empty_table_and_comes_out_the_same() {
    let mut table = OrderTable::new(4, 3, 2, 1);
    for id in 0..6 {
        table.insert(order(id, 0, (id % 2) as u16)).unwrap();
        table.request(ClientOrderId(id), OrderEvent::Submit, id as i64).unwrap();
        if id % 3 != 0 {
            let kind = VenueEventKind::Cancelled(CancelReason::Requested);
            table.apply(&answer(ClientOrderId(id), kind), 9).unwrap();
        }
    }
    let unknown = answer(ClientOrderId(99), VenueEventKind::Accepted);
    table.apply(&unknown, 9).unwrap_err();
    let image = table.image();
    let ended: Vec<_> = image.ended.iter().map(|o| o.id.0).collect();
    assert_eq!((ended, image.live.len(), image.counters.unknown), (vec![2, 4, 5], 2, 1));
    let mut again = OrderTable::new(4, 3, 2, 1);
    again.restore(&image).unwrap();
    assert_eq!((again.image(), again.capacity()), (image.clone(), 4));
    assert!(again.restore(&image).is_err(), "not into a table that has orders");
    let mut small = OrderTable::new(1, 3, 2, 1);
    assert_eq!(small.restore(&image).unwrap_err().kind(), ErrorKind::Capacity);
}

#[test]
fn an_order_is_found_once_for_several_uses() {
    let mut table = OrderTable::new(4, 4, 1, 1);
    table.insert(order(5, 0, 0)).unwrap();
    table.request(ClientOrderId(5), OrderEvent::Submit, 1).unwrap();
    let place = table.place(ClientOrderId(5)).unwrap();
    assert_eq!(table.order(place).id, ClientOrderId(5));
    let moved = table.apply_at(place, &answer(ClientOrderId(5), VenueEventKind::Accepted), 2);
    let moved = moved.unwrap();
    assert_eq!((moved.from(), moved.to()), (OrderState::Submitted, OrderState::Open));
    assert!(format!("{moved:?}").contains("Open"));
    assert!(table.order(place).is_open() && !OrderState::Created.is_working());
    assert!(OrderState::PendingCancel.is_pending() && !OrderState::Open.is_pending());
    assert!(table.place(ClientOrderId(6)).is_err());
    assert!(matches!(table.refusal(), OrderError::UnknownOrder(ClientOrderId(6))));
}

#[test]
fn refusals_become_errors_of_their_kind() {
    let kind = |error: OrderError| mainspring_core::Error::from(error).kind();
    assert_eq!(kind(OrderError::UnknownOrder(ClientOrderId(1))), ErrorKind::NotFound);
    let bad = OrderError::BadFill { id: ClientOrderId(1), qty: Lots(2), fillable: Lots(1) };
    assert_eq!(kind(bad), ErrorKind::Mismatch);
    let mut table = OrderTable::new(4, 4, 1, 1);
    let mut nothing = order(5, 0, 0);
    nothing.terms.qty = Lots(0);
    assert!(table.insert(nothing).is_err());
}

#[test]
fn ids_that_share_a_bucket_are_forgotten_one_by_one() {
    // 32 buckets for 12 slots: these ids all meet in one.
    let ids: Vec<u64> = (0..6).map(|n| 7 + 32 * n).collect();
    let mut table = OrderTable::new(8, 4, 1, 1);
    for id in &ids {
        table.insert(order(*id, 0, 0)).unwrap();
        table.request(ClientOrderId(*id), OrderEvent::Submit, 1).unwrap();
    }
    let kind = VenueEventKind::Cancelled(CancelReason::Requested);
    for id in &ids {
        table.apply(&answer(ClientOrderId(*id), kind), 2).unwrap();
    }
    let known: Vec<bool> = ids.iter().map(|id| table.get(ClientOrderId(*id)).is_some()).collect();
    assert_eq!(known, [false, false, true, true, true, true]);
}
