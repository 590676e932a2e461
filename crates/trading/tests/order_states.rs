//! Every pair of order state and event as `docs/reference/order-states.md` decides it, and the races
//! that they come from.

mod state_tables;

use mainspring_core::instrument::InstrumentId;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, Lots, RejectReason, Side, Ticks, VenueEvent, VenueEventKind,
};
use mainspring_trading::orders::{Order, OrderError, OrderEvent, OrderState, OrderTable};

use OrderState::{
    Cancelled, Expired, Filled, Open, PartiallyFilled, PendingCancel, PendingReplace, Rejected,
    Unknown,
};

const ID: ClientOrderId = ClientOrderId(1);

struct Case {
    table: OrderTable,
}

impl Case {
    /// A buy of 10 lots at 100 that was submitted.
    fn submitted() -> Self {
        let mut table = OrderTable::new(4, 4, 1, 1);
        let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(100), Lots(10));
        table.insert(Order::new(ID, 0, terms, 0)).unwrap();
        table.request(ID, OrderEvent::Submit, 1).unwrap();
        Self { table }
    }

    fn open() -> Self {
        let mut case = Self::submitted();
        case.says(VenueEventKind::Accepted, Open);
        case
    }

    fn says(&mut self, kind: VenueEventKind, to: OrderState) -> mainspring_trading::orders::Change {
        let change = self.venue(kind).unwrap();
        assert_eq!(change.to, to, "{kind:?}");
        assert_eq!(change.order, *self.table.get(ID).unwrap());
        change
    }

    fn venue(
        &mut self,
        kind: VenueEventKind,
    ) -> Result<mainspring_trading::orders::Change, OrderError> {
        self.table.apply(&VenueEvent { order: ID, exch_ns: 5, recv_ns: 6, kind }, 6)
    }

    fn asks(&mut self, event: OrderEvent, to: OrderState) {
        assert_eq!(self.table.request(ID, event, 3).unwrap().to, to);
    }

    fn order(&self) -> Order {
        *self.table.get(ID).unwrap()
    }
}

fn fill(price: i64, qty: i64) -> VenueEventKind {
    VenueEventKind::Filled { price: Ticks(price), qty: Lots(qty), maker: true }
}

fn replace(price: i64, qty: i64) -> OrderEvent {
    OrderEvent::ReplaceRequested { price: Ticks(price), qty: Lots(qty) }
}

fn amended(price: i64, qty: i64) -> VenueEventKind {
    VenueEventKind::Amended { price: Ticks(price), qty: Lots(qty) }
}

#[test]
fn a_fill_before_the_acknowledgement_counts_and_the_late_one_is_a_duplicate() {
    let mut case = Case::submitted();
    case.says(fill(100, 4), PartiallyFilled);
    let change = case.says(VenueEventKind::Accepted, PartiallyFilled);
    assert!(change.duplicate);
    case.says(fill(99, 6), Filled);
    let order = case.order();
    assert_eq!((order.filled, order.fill_value), (Lots(10), 400 + 594));
    assert_eq!(order.average_price(), Some(99.4));
    assert_eq!(case.table.live_count(), 0);
}

#[test]
fn a_doubled_acknowledgement_changes_nothing_and_is_counted() {
    let mut case = Case::open();
    let before = case.order();
    let change = case.says(VenueEventKind::Accepted, Open);
    assert!(change.duplicate && change.order.updated_ns == before.updated_ns);
    assert_eq!(case.table.counters().duplicates, 1);
}

#[test]
fn a_partial_fill_while_a_cancel_is_pending_is_kept_by_the_cancelled_order() {
    let mut case = Case::open();
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.says(fill(100, 3), PendingCancel);
    case.says(VenueEventKind::Cancelled(CancelReason::Requested), Cancelled);
    assert_eq!(case.order().filled, Lots(3));
}

#[test]
fn a_cancel_that_is_refused_because_it_filled_waits_for_the_fill() {
    let mut case = Case::open();
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.says(VenueEventKind::CancelRejected(RejectReason::UnknownOrder), Unknown);
    case.says(fill(100, 10), Filled);

    let mut case = Case::open();
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.says(fill(100, 10), Filled);
    assert!(case.says(VenueEventKind::CancelRejected(RejectReason::UnknownOrder), Filled).late);
}

#[test]
fn a_cancel_that_is_refused_for_load_leaves_the_order_working() {
    let mut case = Case::open();
    case.says(fill(100, 2), PartiallyFilled);
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.says(VenueEventKind::CancelRejected(RejectReason::Overloaded), PartiallyFilled);
}

#[test]
fn a_late_fill_after_the_cancel_is_ledgered_and_counted() {
    let mut case = Case::open();
    case.says(VenueEventKind::Cancelled(CancelReason::Requested), Cancelled);
    let change = case.says(fill(100, 4), Cancelled);
    assert!(change.late && change.fill.is_some());
    assert_eq!(case.order().filled, Lots(4));
    assert_eq!(case.table.counters().late_fills, 1);
    // No more than what was left of the order.
    assert!(matches!(case.venue(fill(100, 7)), Err(OrderError::BadFill { fillable: Lots(6), .. })));
    assert_eq!(case.order().filled, Lots(4));
}

#[test]
fn impossible_fills_are_refused_and_counted() {
    let mut case = Case::open();
    for qty in [0, -1, 11] {
        assert!(matches!(case.venue(fill(100, qty)), Err(OrderError::BadFill { .. })));
    }
    assert_eq!(case.table.counters().bad_fills, 3);
    case.says(fill(100, 10), Filled);
    assert!(matches!(case.venue(fill(100, 1)), Err(OrderError::Illegal { .. })));
    assert_eq!(case.table.counters().illegal, 1);
    assert_eq!(case.order().filled, Lots(10));
}

#[test]
fn only_a_definite_refusal_rejects() {
    let mut case = Case::submitted();
    case.asks(OrderEvent::Timeout, Unknown);
    case.asks(OrderEvent::Timeout, Unknown);
    case.says(VenueEventKind::Accepted, Open);
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.asks(OrderEvent::Timeout, Unknown);
    case.says(fill(100, 1), Unknown);
    case.asks(OrderEvent::Confirmed, PartiallyFilled);

    let mut case = Case::submitted();
    case.asks(OrderEvent::Timeout, Unknown);
    case.says(VenueEventKind::Rejected(RejectReason::Overloaded), Rejected);

    let mut case = Case::submitted();
    case.asks(OrderEvent::Timeout, Unknown);
    case.asks(OrderEvent::NotFound, Cancelled);
}

#[test]
fn a_triggered_stop_can_be_refused_but_not_what_has_traded() {
    let mut case = Case::open();
    case.says(VenueEventKind::Triggered, Open);
    case.says(VenueEventKind::Rejected(RejectReason::PostOnlyWouldTake), Rejected);

    let mut case = Case::open();
    case.says(fill(100, 1), PartiallyFilled);
    let refused = case.venue(VenueEventKind::Rejected(RejectReason::Halted));
    assert!(matches!(refused, Err(OrderError::Illegal { .. })));
    assert_eq!((case.order().state, case.table.counters().illegal), (PartiallyFilled, 1));
}

#[test]
fn an_amend_up_races_with_the_fill_of_the_old_quantity() {
    let mut case = Case::open();
    case.asks(replace(101, 15), PendingReplace);
    // The venue may have enlarged the order before this: it is not known to be whole.
    case.says(fill(100, 10), PendingReplace);
    case.says(amended(101, 15), PartiallyFilled);
    assert_eq!(case.order().remaining(), Lots(5));
    case.says(fill(101, 5), Filled);

    let mut case = Case::open();
    case.asks(replace(101, 15), PendingReplace);
    case.says(fill(100, 10), PendingReplace);
    case.says(VenueEventKind::AmendRejected(RejectReason::UnknownOrder), Filled);
}

#[test]
fn an_amend_down_to_what_is_filled_ends_the_order() {
    let mut case = Case::open();
    case.asks(replace(100, 4), PendingReplace);
    case.says(fill(100, 4), PendingReplace);
    case.says(amended(100, 4), Filled);

    let mut case = Case::open();
    case.asks(replace(100, 4), PendingReplace);
    case.says(fill(100, 4), PendingReplace);
    case.says(VenueEventKind::Cancelled(CancelReason::Requested), Cancelled);
    assert_eq!(case.order().filled, Lots(4));
}

#[test]
fn an_amend_races_with_a_cancel() {
    let mut case = Case::open();
    case.asks(replace(101, 12), PendingReplace);
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.says(amended(101, 12), PendingCancel);
    assert_eq!((case.order().terms.price, case.order().terms.qty), (Ticks(101), Lots(12)));
    case.says(VenueEventKind::Cancelled(CancelReason::Requested), Cancelled);

    // The cancel is refused while the change is still under way.
    let mut case = Case::open();
    case.asks(replace(101, 12), PendingReplace);
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    case.says(VenueEventKind::CancelRejected(RejectReason::Overloaded), PendingReplace);
    case.says(VenueEventKind::AmendRejected(RejectReason::Overloaded), Open);
    assert_eq!(case.order().terms.qty, Lots(10));
}

#[test]
fn a_change_that_is_told_again_behind_a_newer_one_undoes_nothing() {
    let told = |case: &mut Case, price, qty, exch_ns, recv_ns| {
        let event = VenueEvent { order: ID, exch_ns, recv_ns, kind: amended(price, qty) };
        case.table.apply(&event, recv_ns).unwrap()
    };
    let terms = |case: &Case| (case.order().terms.price, case.order().terms.qty);
    let mut case = Case::open();
    case.asks(replace(101, 5), PendingReplace);
    assert!(!told(&mut case, 101, 5, 10, 15).duplicate);
    case.asks(replace(102, 8), PendingReplace);
    // The first again: it does not answer the second.
    assert!(told(&mut case, 101, 5, 10, 18).duplicate);
    assert_eq!(case.order().state, PendingReplace);
    assert!(!told(&mut case, 102, 8, 20, 25).duplicate);
    assert!(told(&mut case, 101, 5, 10, 30).duplicate);
    assert_eq!((terms(&case), case.order().state), ((Ticks(102), Lots(8)), Open));
    // All of it trades.
    case.says(fill(102, 8), Filled);

    // Of the same instant only the same terms are no news, and what has no time of its own is news.
    let mut case = Case::open();
    told(&mut case, 101, 5, 10, 15);
    assert!(!told(&mut case, 102, 8, 10, 16).duplicate);
    assert_eq!(terms(&case), (Ticks(102), Lots(8)));
    assert!(!told(&mut case, 103, 9, 7, 7).duplicate);
    assert_eq!(terms(&case), (Ticks(103), Lots(9)));
}

#[test]
fn an_order_that_is_refused_takes_its_pending_change_with_it() {
    let mut case = Case::submitted();
    case.asks(replace(101, 12), PendingReplace);
    case.says(VenueEventKind::Rejected(RejectReason::PostOnlyWouldTake), Rejected);
    assert!(case.says(VenueEventKind::AmendRejected(RejectReason::UnknownOrder), Rejected).late);
}

#[test]
fn expiry_is_told_from_a_cancel() {
    let mut case = Case::open();
    case.says(VenueEventKind::Cancelled(CancelReason::Expired), Expired);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut case = Case::open();
    case.asks(OrderEvent::CancelRequested, PendingCancel);
    for event in [OrderEvent::CancelRequested, replace(1, 1), OrderEvent::Submit] {
        assert!(matches!(case.table.request(ID, event, 9), Err(OrderError::Illegal { .. })));
    }
    let other = case.table.request(ClientOrderId(9), OrderEvent::Submit, 9);
    assert_eq!(other, Err(OrderError::UnknownOrder(ClientOrderId(9))));
    assert_eq!((case.table.counters().illegal, case.table.counters().unknown), (3, 1));
}

#[test]
fn a_refusal_that_is_told_again_does_not_answer_a_newer_amend() {
    let told = |case: &mut Case, kind, exch_ns, recv_ns| {
        let event = VenueEvent { order: ID, exch_ns, recv_ns, kind };
        case.table.apply(&event, recv_ns).unwrap()
    };
    let refused = VenueEventKind::AmendRejected(RejectReason::Halted);
    let mut case = Case::open();
    case.asks(replace(101, 5), PendingReplace);
    assert!(!told(&mut case, refused, 10, 15).duplicate);
    assert_eq!(case.order().state, Open);
    case.asks(replace(102, 8), PendingReplace);
    assert!(told(&mut case, refused, 10, 18).duplicate);
    assert_eq!(case.order().state, PendingReplace, "the second is still on its way");
    assert!(!told(&mut case, amended(102, 8), 20, 25).duplicate);
    // Behind a change that came after it, it is old as well.
    case.asks(replace(103, 9), PendingReplace);
    assert!(told(&mut case, refused, 10, 30).duplicate);
    assert!(!told(&mut case, refused, 31, 35).duplicate);
    // Without a time of the venue's own it is news.
    case.asks(replace(104, 9), PendingReplace);
    assert!(!told(&mut case, refused, 36, 36).duplicate);
    assert_eq!((case.order().terms.qty, case.order().state), (Lots(8), Open));
}
