//! What venues outside say, and what is asked of them.

use mainspring_core::{
    Answer, ClientOrderId, InstrumentId, Lots, OpenOrder, Report, Request, Result, TimeNs,
    VenueEventKind, VenueRequestKind,
};
use mainspring_trading::execution::Charge;
use mainspring_trading::orders::{
    Order, OrderError, OrderEvent, OrderState, PendingReplace, VenueOrderId,
};
use mainspring_trading::risk::HaltCause;

use crate::kernel::{track_open, working_lots, Call, Kernel, Timer};

use super::foreign::is_known_by_venue_id;
use super::mutant::{is_planted, Mutant};
use super::record::{NamedRecord, QueryRecord};

impl Kernel {
    /// A venue made a statement about one of our orders.
    pub(crate) fn report(&mut self, report: &Report) -> Result<()> {
        let event = &report.event;
        let Some(order) = self.orders.get(event.order).copied() else {
            return self.stranger(report);
        };
        if matches!(event.kind, VenueEventKind::Filled { .. }) {
            let instrument = order.terms.instrument;
            let Some(outside) = &mut self.outside else { return Ok(()) };
            let known = !outside.seen.note(instrument, report.trade_id);
            if known && !is_planted(Mutant::BooksTwice) {
                return Ok(());
            }
            let venue = usize::from(outside.venue(instrument));
            if let Some(link) = outside.links.get_mut(venue) {
                link.last_fill_ns = link.last_fill_ns.max(event.exch_ns);
            }
        }
        let ends = matches!(event.kind, VenueEventKind::Cancelled(_));
        if ends && !order.is_terminal() && report.filled.is_some_and(|all| all > order.filled) {
            // Fills are on their way, or lost: until they are here the order may still hold them.
            return self.doubt(&order);
        }
        let before = order.state;
        self.answer_with(event, report.fee)?;
        if matches!(event.kind, VenueEventKind::Filled { .. }) {
            self.forget_unbooked(&order, report.trade_id);
        }
        self.ask_if_unknown(event.order, before)
    }

    /// A fill that could not be booked may be told again when the order's terms are known better.
    fn forget_unbooked(&mut self, before: &Order, trade_id: u64) {
        let booked = self.orders.get(before.id).is_none_or(|now| now.filled != before.filled);
        if let Some(outside) = self.outside.as_mut().filter(|_| !booked) {
            outside.seen.forget_newest(before.terms.instrument, trade_id);
        }
    }

    /// A statement about an order that is not known here.
    fn stranger(&mut self, report: &Report) -> Result<()> {
        if let Some(ink) = self.recorder.ink() {
            let error = OrderError::UnknownOrder(report.event.order);
            ink.event(self.now_ns, &super::Event::of_order_error(&error))?;
        }
        self.note(&format!(
            "a statement about order {}, which is not known here: {:?}",
            report.event.order.0, report.event.kind
        ))
    }

    /// A contradiction leads to a question at once.
    fn ask_if_unknown(&mut self, id: ClientOrderId, before: OrderState) -> Result<()> {
        let now = self.orders.get(id).map(|order| order.state);
        if now == Some(OrderState::Unknown) && before != OrderState::Unknown {
            return self.ask(id, 0);
        }
        Ok(())
    }

    /// Sees to it that a request which is never answered is noticed.
    pub(crate) fn watch_for_answer(&mut self, id: ClientOrderId, state: OrderState) -> Result<()> {
        let Some(outside) = self.outside.as_ref().filter(|outside| !outside.inside) else {
            return Ok(());
        };
        let wait_ns = match state {
            OrderState::Submitted => outside.patience.creation_ns,
            OrderState::PendingCancel | OrderState::PendingReplace => outside.patience.cancel_ns,
            _ => return Ok(()),
        };
        let timer = Timer::Overdue { order: id, asked_ns: self.now_ns };
        self.timers.push(self.now_ns + wait_ns, timer)
    }

    /// An answer may be overdue: it is when nothing was heard since the request.
    pub(crate) fn overdue(&mut self, id: ClientOrderId, asked_ns: TimeNs) -> Result<()> {
        let Some(order) = self.orders.get(id).copied() else { return Ok(()) };
        if !order.state.is_pending() {
            return Ok(());
        }
        if order.updated_ns > asked_ns {
            // News came in between: the wait starts there, unless a newer request has its own.
            return self.watch_again(&order);
        }
        if self.is_following() {
            self.expect(Timer::Overdue { order: id, asked_ns });
            return Ok(());
        }
        let moved = self.step(id, OrderEvent::Timeout)?;
        self.recorder.order(self.orders.at(moved), 0, self.now_ns)?;
        self.ask(id, 0)
    }

    fn watch_again(&mut self, order: &Order) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let wait_ns = match order.state {
            OrderState::Submitted => outside.patience.creation_ns,
            _ => outside.patience.cancel_ns,
        };
        let asked_ns = order.updated_ns;
        let timer = Timer::Overdue { order: order.id, asked_ns };
        self.timers.push((asked_ns + wait_ns).max(self.now_ns + 1), timer)
    }

    /// Asks the venue what became of an order, and again for as long as it does not say.
    pub(crate) fn ask(&mut self, id: ClientOrderId, attempt: u32) -> Result<()> {
        let Some(order) = self.orders.get(id).copied() else { return Ok(()) };
        if order.state != OrderState::Unknown {
            return Ok(());
        }
        if self.is_following() {
            self.expect(Timer::Ask { order: id, attempt });
            return Ok(());
        }
        let max = self.outside.as_ref().map_or(0, |outside| outside.patience.max_queries);
        if attempt == max {
            self.stuck(&order, attempt)?;
        }
        self.query(&order, attempt)
    }

    fn stuck(&mut self, order: &Order, attempts: u32) -> Result<()> {
        let now_ns = self.now_ns;
        if let Some(ink) = self.recorder.ink().filter(|_| !is_planted(Mutant::NeverTellsStuck)) {
            ink.event(now_ns, &super::Event::OrderStuck { order: order.id, attempts })?;
        }
        let text = format!(
            "order {} is stuck: asked {attempts} times, the venue does not say what became of it",
            order.id.0
        );
        self.note(&text)?;
        self.venue_issue(&text)
    }

    /// A venue behaves as it must not: where that is the policy, trading halts.
    fn venue_issue(&mut self, text: &str) -> Result<()> {
        let halts = self.outside.as_ref().is_some_and(|o| o.patience.halt_on_venue_issue);
        if !halts || self.gate.is_halted() {
            return Ok(());
        }
        self.halt(HaltCause::VenueIssue, text)
    }

    /// Asks about an order, whatever its state.
    fn query(&mut self, order: &Order, attempt: u32) -> Result<()> {
        if is_planted(Mutant::NeverAsks) || self.has_venues_inside() {
            return Ok(());
        }
        let instrument = order.terms.instrument;
        let Some(outside) = &mut self.outside else { return Ok(()) };
        let venue = outside.venue(instrument);
        let record = QueryRecord { order: order.id.0, instrument: instrument.0, venue, attempt };
        if let Some(ink) = self.recorder.ink() {
            ink.query(self.now_ns, &record)?;
        }
        if is_known_by_venue_id(order.id) {
            // The venue's list says what became of it.
            let since_ns = outside.since_ns(venue);
            outside.push(Request::AccountQuery { venue, since_ns })?;
        } else {
            outside.push(Request::OrderQuery { order: order.id, instrument })?;
        }
        if let Some(rounds) = &mut self.rounds {
            rounds.charge(venue, Charge::Query, self.now_ns);
        }
        self.asked(&record)
    }

    /// A question was sent: it is repeated when no answer comes, in one row however often others ask.
    pub(crate) fn asked(&mut self, query: &QueryRecord) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        if query.order == 0 {
            return Ok(());
        }
        let at_ns = self.now_ns + outside.patience.query_wait_ns(query.attempt);
        let order = ClientOrderId(query.order);
        self.timers.retain(|timer| !is_question_about(timer, order));
        self.timers.push(at_ns, Timer::Ask { order, attempt: query.attempt + 1 })
    }

    /// What a journal that is followed has to say next about a wait that is over. A process that dies
    /// right then leaves a journal that does not: the wait goes on where another begins again.
    fn expect(&mut self, timer: Timer) {
        let now_ns = self.now_ns;
        if let Some(outside) = &mut self.outside {
            outside.expected.push((now_ns, timer));
        }
    }

    /// The journal says what came of a wait for news of an order.
    pub(super) fn expectation_met(&mut self, order: ClientOrderId) {
        let Some(outside) = &mut self.outside else { return };
        let about = |timer: &Timer| {
            is_question_about(timer, order)
                || matches!(timer, Timer::Overdue { order: other, .. } if *other == order)
        };
        outside.expected.retain(|(_, timer)| !about(timer));
    }

    /// Asks about an order that a complete list of its venue lacks: at once, and in the row of
    /// questions that there is.
    fn ask_of_missing(&mut self, order: &Order) -> Result<()> {
        let asked = self.timers.iter().find_map(|(_, timer)| match timer {
            Timer::Ask { order: about, attempt } if *about == order.id => Some(*attempt),
            _ => None,
        });
        match asked.filter(|_| order.state == OrderState::Unknown) {
            Some(attempt) => self.ask(order.id, attempt),
            None => self.query(order, 0),
        }
    }

    /// Asks a venue for fills, open orders and positions.
    pub(crate) fn query_account(&mut self, venue: u16) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let Some(outside) = &mut self.outside else { return Ok(()) };
        if usize::from(venue) >= outside.links.len() {
            return Ok(());
        }
        let since_ns = outside.since_ns(venue);
        let record = QueryRecord { order: 0, instrument: 0, venue, attempt: 0 };
        if let Some(ink) = self.recorder.ink() {
            ink.query(self.now_ns, &record)?;
        }
        if let Some(rounds) = &mut self.rounds {
            rounds.charge(venue, Charge::Query, self.now_ns);
        }
        outside.push(Request::AccountQuery { venue, since_ns })
    }

    /// The answer to a question about an order.
    pub(crate) fn answered(&mut self, id: ClientOrderId, answer: Answer) -> Result<()> {
        let Some(order) = self.orders.get(id).copied() else {
            return self.note(&format!("an answer about order {}, which is not known here", id.0));
        };
        if answer.filled() > order.filled {
            // Fills are booked from fills alone: they carry price, fee and id.
            let venue = self.outside.as_ref().map_or(0, |o| o.venue(order.terms.instrument));
            return self.query_account(venue);
        }
        if order.is_terminal() {
            return self.answered_after_end(&order, answer);
        }
        let event = match answer {
            Answer::NotFound => return self.not_found(&order),
            Answer::Working { .. } if has_lost_change(&order) => {
                // It works, and whether as it was or as it was to be only a list with its terms says.
                let venue = self.outside.as_ref().map_or(0, |o| o.venue(order.terms.instrument));
                return self.query_account(venue);
            }
            Answer::Working { .. } => OrderEvent::Confirmed,
            Answer::Cancelled { .. } => OrderEvent::Cancelled,
            Answer::Expired { .. } => OrderEvent::Expired,
            Answer::Rejected => OrderEvent::Rejected,
            // All of it is booked and the venue has no more of it, whatever became of a change to its
            // quantity that was on its way.
            Answer::Filled { .. } => OrderEvent::Amended { complete: true },
        };
        self.learn(&order, event)
    }

    /// The venue does not know an order of ours. While the order itself may still be on its way that
    /// says nothing: it is asked about again. After that it is over.
    fn not_found(&mut self, order: &Order) -> Result<()> {
        let window_ns = self.outside.as_ref().map_or(0, |outside| outside.patience.creation_ns);
        let young = self.now_ns - order.created_ns < window_ns;
        if young && !is_planted(Mutant::GivesUpEarly) {
            return Ok(());
        }
        self.doubt(order)?;
        match self.orders.get(order.id).copied() {
            Some(order) if order.state == OrderState::Unknown => {
                self.learn(&order, OrderEvent::NotFound)
            }
            _ => Ok(()),
        }
    }

    /// Whatever the order was, nobody knows now, and the venue is asked.
    fn doubt(&mut self, order: &Order) -> Result<()> {
        match order.state {
            OrderState::Unknown => Ok(()),
            state if state.is_pending() => self.learn(order, OrderEvent::Timeout),
            _ => self.learn(order, OrderEvent::NotFound),
        }
    }

    /// The venue still works an order that is over for us: it has to go.
    fn answered_after_end(&mut self, order: &Order, answer: Answer) -> Result<()> {
        if !matches!(answer, Answer::Working { .. }) || self.is_following() {
            return Ok(());
        }
        self.note(&format!(
            "order {} is {} here and still open at the venue: cancelled there",
            order.id.0, order.state
        ))?;
        let instrument = order.terms.instrument;
        self.send(order.id, VenueRequestKind::Cancel { instrument }, instrument)
    }

    /// Applies what an answer shows.
    pub(super) fn learn(&mut self, order: &Order, event: OrderEvent) -> Result<()> {
        let open_before = working_lots(order);
        let change = match self.orders.request(order.id, event, self.now_ns) {
            Ok(change) => change,
            Err(error) => {
                if let Some(ink) = self.recorder.ink() {
                    ink.event(self.now_ns, &super::Event::of_order_error(&error))?;
                }
                return self.note(&error.to_string());
            }
        };
        track_open(&mut self.gate, open_before, &change.order);
        if self.parents.is_some() {
            self.child_moved(order.id, None)?;
        }
        if change.duplicate || change.from == change.to {
            return Ok(());
        }
        self.recorder.order(&change.order, 0, self.now_ns)?;
        let strategy = change.order.strategy;
        if self.strategies[usize::from(strategy)].interest.orders {
            self.call(strategy, order.terms.instrument, &Call::Order(&change.order))?;
        }
        self.ask_if_unknown(order.id, change.from)?;
        self.cancel_left_over(order.id)
    }

    /// All open orders at a venue, as they were when we asked at `as_of_ns`.
    pub(crate) fn open_orders(
        &mut self,
        venue: u16,
        as_of_ns: TimeNs,
        open: &[OpenOrder],
    ) -> Result<()> {
        let open = self.with_our_ids(venue, open);
        for one in &open {
            self.open_order(venue, as_of_ns, one)?;
        }
        let missing = self.missing_at(venue, as_of_ns, &open);
        for order in missing {
            if is_known_by_venue_id(order.id) {
                self.adopted_gone(&order)?;
            } else if !self.is_following() {
                self.ask_of_missing(&order)?;
            }
        }
        Ok(())
    }

    /// A venue told its own id of one of our orders.
    pub(crate) fn named(&mut self, record: &NamedRecord) {
        let Some(outside) = &mut self.outside else { return };
        let id = VenueOrderId { venue: record.venue, id: record.venue_order };
        outside.ids.name(ClientOrderId(record.order), id);
    }

    /// A list of a venue with our ids where it has only its own, which are learnt where it has both.
    fn with_our_ids(&mut self, venue: u16, open: &[OpenOrder]) -> Vec<OpenOrder> {
        let mut open = open.to_vec();
        let Some(outside) = &mut self.outside else { return open };
        for one in open.iter_mut().filter(|one| one.venue_order != 0) {
            let id = VenueOrderId { venue, id: one.venue_order };
            if one.order.0 == 0 {
                one.order = outside.ids.client_of(id).unwrap_or_default();
            } else if self.orders.get(one.order).is_some() {
                outside.ids.name(one.order, id);
            }
        }
        open
    }

    fn open_order(&mut self, venue: u16, as_of_ns: TimeNs, open: &OpenOrder) -> Result<()> {
        let Some(order) = self.orders.get(open.order).copied() else {
            return self.found(venue, open);
        };
        if order.updated_ns >= as_of_ns {
            return Ok(());
        }
        self.revise_adopted(&order, open)?;
        let asked = PendingReplace { price: open.price, qty: open.qty };
        if order.pending == Some(asked) && open.qty > order.filled {
            // The answer to the change was lost, or comes behind the list.
            self.changed_at_venue(order.id, open)?;
        } else if has_lost_change(&order) && open.filled <= order.filled {
            self.learn(&order, OrderEvent::Confirmed)?;
        }
        self.answered(order.id, Answer::Working { filled: open.filled })?;
        self.cancel_left_over(order.id)
    }

    /// Our live orders that the venue should have named and did not.
    fn missing_at(&self, venue: u16, as_of_ns: TimeNs, open: &[OpenOrder]) -> Vec<Order> {
        let Some(outside) = &self.outside else { return Vec::new() };
        self.orders
            .all_live()
            .filter(|order| {
                outside.venue(order.terms.instrument) == venue
                    && order.updated_ns < as_of_ns
                    && !open.iter().any(|one| one.order == order.id)
            })
            .copied()
            .collect()
    }

    /// All positions at a venue, as they were when we asked at `as_of_ns`. One that differs is told when
    /// the next answer differs too: a fill that the venue has counted may be told a moment after it.
    pub(crate) fn positions(
        &mut self,
        venue: u16,
        as_of_ns: TimeNs,
        positions: &[(InstrumentId, Lots)],
    ) -> Result<()> {
        let Some(outside) = &mut self.outside else { return Ok(()) };
        let Some(link) = outside.links.get_mut(usize::from(venue)) else { return Ok(()) };
        link.reconciled_ns = link.reconciled_ns.max(as_of_ns);
        if link.last_fill_ns >= as_of_ns {
            return Ok(());
        }
        let connection = link.connections;
        let mut is_new = false;
        for index in 0..self.markets.len() as u16 {
            let instrument = InstrumentId(index);
            if self.outside.as_ref().is_some_and(|o| o.venue(instrument) != venue) {
                continue;
            }
            let theirs = positions.iter().find(|(at, _)| *at == instrument).map_or(0, |p| p.1 .0);
            let ours = self.net_position(instrument).0;
            let differs = ours != theirs;
            let before = self.outside.as_mut().is_some_and(|o| o.differed(instrument, differs));
            is_new |= differs && !before;
            if differs && before {
                self.position_differs(instrument, ours, theirs)?;
            }
        }
        if is_new {
            self.recheck_later(venue, connection)?;
        }
        Ok(())
    }

    fn recheck_later(&mut self, venue: u16, connection: u32) -> Result<()> {
        let wait_ns = self.outside.as_ref().map_or(0, |outside| outside.patience.query_ns);
        self.timers.push(self.now_ns + wait_ns, Timer::Recheck { venue, connection })
    }

    /// Asks a venue again whose last answer had another position than ours.
    pub(crate) fn recheck(&mut self, venue: u16, connection: u32) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let link = outside.links.get(usize::from(venue));
        let is_up = link.is_some_and(|link| link.up && link.connections == connection);
        if !is_up || !outside.any_differs(venue) {
            return Ok(());
        }
        self.query_account(venue)
    }

    fn position_differs(&mut self, instrument: InstrumentId, ours: i64, theirs: i64) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let now_ns = self.now_ns;
        if let Some(ink) = self.recorder.ink() {
            ink.event(now_ns, &super::Event::PositionMismatch { instrument, ours, theirs })?;
        }
        let symbol = self.markets[instrument.index()].instrument.symbol.clone();
        let text = format!("{symbol}: {ours} lots here, {theirs} at the venue");
        self.note(&text)?;
        self.venue_issue(&text)
    }

    /// A venue's connection came or went.
    pub(crate) fn link(&mut self, venue: u16, up: bool) -> Result<()> {
        let Some(outside) = &mut self.outside else { return Ok(()) };
        let Some(link) = outside.links.get_mut(usize::from(venue)) else { return Ok(()) };
        let came = up && !link.up;
        link.up = up;
        link.connections += u32::from(came);
        let connection = link.connections;
        let name = link.name.clone();
        if came {
            outside.forget_differences(venue);
        }
        self.note(&format!("{name}: {}", if up { "connected" } else { "disconnected" }))?;
        if came && !self.has_venues_inside() {
            // What happened while nobody listened.
            self.reconcile(venue, connection)?;
        }
        Ok(())
    }

    /// Asks a connected venue for everything, and again after a while: an answer may be lost, and so
    /// may a statement that nobody waits for.
    pub(crate) fn reconcile(&mut self, venue: u16, connection: u32) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let link = outside.links.get(usize::from(venue));
        if !link.is_some_and(|link| link.up && link.connections == connection) {
            return Ok(());
        }
        let at_ns = self.now_ns + outside.patience.reconcile_ns;
        self.timers.push(at_ns, Timer::Reconcile { venue, connection })?;
        self.query_account(venue)
    }
}

/// Whether a change was asked of an order that nobody knows about now.
fn has_lost_change(order: &Order) -> bool {
    order.state == OrderState::Unknown && order.pending.is_some()
}

fn is_question_about(timer: &Timer, order: ClientOrderId) -> bool {
    matches!(timer, Timer::Ask { order: about, .. } if *about == order)
}
