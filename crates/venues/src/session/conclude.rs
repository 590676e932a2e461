//! What an answer means, and what to do when none comes.

use mainspring_core::{
    Answer, ClientOrderId, InstrumentId, Lots, RejectReason, TimeNs, VenueEventKind,
};

use super::calls::{About, Call, Later, Query};
use super::effect::Outbox;
use super::input::Sent;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::ours::{refuse, Signal};
use super::told::{Level, Told};
use crate::fact::{Fact, Notice, OrderStatus};
use crate::failure::{Failure, FailureClass, Partial};
use crate::operation::Asked;
use crate::outgoing::Reply;

/// Before a request without an answer is asked about: its statement may be on its way.
const BEFORE_QUESTION_NS: i64 = 300 * MS;

/// Questions about one order that the session asks by itself; the kernel goes on from there.
const MAX_ATTEMPTS: u32 = 5;

impl VenueSession {
    /// An answer came.
    pub(super) fn conclude(
        &mut self,
        call: Call,
        reply: &Reply<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let venue_ms = self.venue_ms(now_ns);
        self.budgets.learn(call.shape.asked, reply, venue_ms);
        let whole = (200..300).contains(&reply.status);
        match call.about.clone() {
            About::Snapshot(instrument) if whole => {
                self.take_snapshot(instrument, reply.body, now_ns, out);
            }
            About::Instruments if whole => self.take_instruments(reply.body, now_ns, out),
            About::Query(query) => self.answered(&call, query, reply, now_ns, out),
            About::Many(items) => self.conclude_many(&call, &items, reply, now_ns, out),
            About::Sweep { instrument, orders, .. } => {
                self.conclude_sweep(&call, instrument, &orders, reply, now_ns, out);
            }
            About::Account(number, part, page) => {
                self.account_part(&call, (number, part, page), reply, now_ns, out);
            }
            _ => {
                let ours = &mut self.ours;
                let result = self.venue.answer(&call.shape, reply, &mut |fact| match fact {
                    Fact::Notice(Notice::ServerTime(time_ns)) => {
                        ours.signals.push(Signal::ServerTime(time_ns));
                    }
                    fact => ours.take(&fact, now_ns, out),
                });
                match result {
                    Ok(()) => self.done(&call, now_ns, out),
                    Err(failure) => self.failed(call, failure, now_ns, out),
                }
            }
        }
    }

    /// A request was done.
    fn done(&mut self, call: &Call, now_ns: TimeNs, out: &mut Outbox) {
        let signals = std::mem::take(&mut self.ours.signals);
        match call.about {
            About::Time => {
                for signal in signals {
                    if let Signal::ServerTime(time_ns) = signal {
                        self.take_time(call.sent_ns, time_ns, now_ns, out);
                    }
                }
            }
            About::ListenKey => {
                for signal in signals {
                    if let Signal::ListenKey(key) = signal {
                        self.take_listen_key(key, now_ns, out);
                    }
                }
            }
            About::Stream => {
                if let Some(socket) = call.socket {
                    self.ready(socket, now_ns, out);
                }
            }
            About::AmendArmed { order, .. } => self.ours.amended_armed(order, now_ns, out),
            _ => {}
        }
    }

    fn take_time(&mut self, sent_ns: TimeNs, venue_ns: TimeNs, now_ns: TimeNs, out: &mut Outbox) {
        let first = !self.clock.is_known();
        self.clock.measure(sent_ns, now_ns, venue_ns);
        self.tell_clock(out);
        self.later(now_ns + self.settings.clock_ms as i64 * MS, Later::Time);
        if first && self.settings.trades {
            self.begin_waiting(now_ns, out);
        }
        self.judge_link(now_ns, out);
    }

    /// Compares the venue's rules with those the session started with.
    fn take_instruments(&mut self, body: &[u8], now_ns: TimeNs, out: &mut Outbox) {
        self.later(now_ns + self.settings.instruments_ms as i64 * MS, Later::Instruments);
        let listed = match self.venue.instruments(body) {
            Ok(listed) => listed,
            Err(error) => {
                note(out, Level::Error, "instruments", error.message().to_owned());
                return;
            }
        };
        for (at, ours) in self.listings.all().iter().enumerate() {
            let theirs = listed.iter().find(|one| one.symbol() == ours.symbol());
            let trouble = match theirs {
                None => Some("the venue does not list it any more"),
                Some(one) if one.instrument.tick() != ours.instrument.tick() => {
                    Some("its tick has changed: start the session again with the new rules")
                }
                Some(one) if one.instrument.lot != ours.instrument.lot => {
                    Some("its lot has changed: start the session again with the new rules")
                }
                Some(one) if one.code != ours.code && ours.code != crate::listing::Code::None => {
                    Some("the venue's number for it has changed: start the session again")
                }
                Some(one) if !one.trading => Some("the venue takes no orders in it now"),
                Some(_) => None,
            };
            let tradable = trouble.is_none();
            if self.tradable[at] != tradable || !self.instruments_known && !tradable {
                let text = trouble.unwrap_or("the venue takes orders in it again");
                let text = format!("{}: {text}", ours.symbol());
                note(out, Level::Warning, "instruments", text);
            }
            self.tradable[at] = tradable;
        }
        self.instruments_known = true;
        self.judge_link(now_ns, out);
    }

    /// A request was not done, or nobody knows.
    fn failed(&mut self, call: Call, failure: Failure, now_ns: TimeNs, out: &mut Outbox) {
        if call.about == About::ListenKey {
            return self.key_refused(&call, &failure, now_ns, out);
        }
        self.learn_of(&failure, call.shape.asked, now_ns, out);
        if let (About::Stream, Some(socket)) = (&call.about, call.socket) {
            note(out, Level::Error, "user_stream", failure.to_string());
            out.ask(super::Effect::Close { socket });
            return self.closed(socket, "its subscription was refused", now_ns, out);
        }
        self.not_done(call.about, &failure, now_ns, out);
    }

    /// There is no key for user events, for this reason. A key of ours that is wrong is told with it, once.
    fn key_refused(&mut self, call: &Call, failure: &Failure, now_ns: TimeNs, out: &mut Outbox) {
        if failure.class != FailureClass::Authentication || self.is_about_clock(failure) {
            self.learn_of(failure, call.shape.asked, now_ns, out);
        }
        self.go_without_key(&failure.code, &failure.to_string(), now_ns, out);
    }

    /// What a failure means for what was asked.
    pub(super) fn not_done(
        &mut self,
        about: About,
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        match about {
            About::Place(order) => self.place_failed(order, failure, now_ns, out),
            About::Cancel { order, instrument, attempt, version }
                if failure.reason == Some(RejectReason::UnknownOrder)
                    && attempt < MAX_ATTEMPTS
                    && self.may_be_there_as_another(order, version) =>
            {
                self.cancel(order, instrument, attempt + 1, now_ns, out);
            }
            About::Cancel { order, instrument, attempt, .. } => {
                self.cancel_failed((order, instrument, attempt), failure, now_ns, out);
            }
            About::Amend { order, .. } => self.amend_failed(order, failure, now_ns, out),
            About::AmendArmed { order, attempt } => {
                self.amend_armed_failed((order, attempt), failure, now_ns, out);
            }
            About::ForeignCancel(_) => {}
            About::Countdown(_) if is_refusal(failure) => {
                // It would be refused the next time too.
                self.settings.countdown_ms = 0;
                let text = format!("the venue's countdown is not there for us: {failure}");
                note(out, Level::Warning, "countdown", text);
            }
            About::KeepAlive => {
                // The key may be gone: with another one there is another connection.
                note(out, Level::Warning, "user_stream", format!("{failure}"));
                self.ask_listen_key(now_ns, out);
            }
            about => {
                note(out, Level::Warning, "request", format!("{about:?}: {failure}"));
                self.try_again(about, now_ns);
            }
        }
    }

    /// What a failure says about all requests.
    pub(super) fn learn_of(
        &mut self,
        failure: &Failure,
        asked: Asked,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let orders = matches!(asked, Asked::Place | Asked::PlaceMany | Asked::Amend);
        match failure.class {
            FailureClass::RateLimited { wait_ms: None, banned: false }
                if orders && self.wiring.orders_limited_apart && !failure.is_of_http() =>
            {
                self.budgets.block_orders(now_ns + AGAIN_NS);
                note(out, Level::Warning, "rate_limit", format!("{failure}; cancels go on"));
            }
            FailureClass::RateLimited { wait_ms, banned } => {
                let wait_ms = wait_ms.unwrap_or(if banned { 120_000 } else { 1_000 });
                let until_ns = now_ns + (wait_ms.min(86_400_000) as i64) * MS;
                self.budgets.block(until_ns);
                let text = format!("{failure}; nothing is sent for {wait_ms} ms");
                let level = if banned { Level::Error } else { Level::Warning };
                note(out, level, "rate_limit", text);
            }
            FailureClass::Authentication if self.is_about_clock(failure) => {
                note(out, Level::Warning, "clock", failure.to_string());
                self.clock.forget();
                self.ask_time(now_ns, out);
            }
            FailureClass::Authentication => {
                note(out, Level::Error, "authentication", failure.to_string());
            }
            _ => {}
        }
    }

    fn is_about_clock(&self, failure: &Failure) -> bool {
        self.wiring.clock_codes.contains(&failure.code.as_str())
    }

    fn place_failed(
        &mut self,
        order: ClientOrderId,
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let reason = match failure.class {
            FailureClass::Refused => failure.reason.unwrap_or(RejectReason::VenueRule),
            FailureClass::RateLimited { .. } => RejectReason::Overloaded,
            FailureClass::Authentication => RejectReason::VenueRule,
            FailureClass::Unknown | FailureClass::VenueDown => {
                note(out, Level::Warning, "order", format!("order {}: {failure}", order.0));
                return self.ask_later(order, false, now_ns);
            }
        };
        if reason == RejectReason::DuplicateOrder {
            // It is there: an answer was lost, and the request was sent twice on the way.
            return self.ask_later(order, false, now_ns);
        }
        note(out, Level::Info, "order", format!("order {}: {failure}", order.0));
        refuse(order, VenueEventKind::Rejected(reason), now_ns, out);
        self.ours.end(order);
    }

    fn cancel_failed(
        &mut self,
        (order, instrument, attempt): (ClientOrderId, InstrumentId, u32),
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let again = Later::Cancel { order, instrument, attempt: attempt + 1 };
        match failure.class {
            FailureClass::Refused => {
                let reason = failure.reason.unwrap_or(RejectReason::VenueRule);
                refuse(order, VenueEventKind::CancelRejected(reason), now_ns, out);
                let kept = self.ours.get(order).cloned();
                if attempt > 0 && self.waits_apart(kept.as_ref()) {
                    // Its trigger may have made another order of it.
                    self.ask_later(order, true, now_ns);
                } else if attempt > 0 && reason == RejectReason::UnknownOrder {
                    // Cancelled by ourselves at a loss: it is not tried again at the next one.
                    self.ours.end(order);
                } else if reason == RejectReason::UnknownOrder {
                    self.ours.note_unknown_to_cancel(order);
                }
            }
            FailureClass::RateLimited { .. } => {
                self.later(self.budgets.blocked_until_ns(), again);
            }
            FailureClass::Authentication if attempt < MAX_ATTEMPTS => {
                self.later(now_ns + BEFORE_QUESTION_NS, again);
            }
            FailureClass::Authentication => {
                let kind = VenueEventKind::CancelRejected(RejectReason::VenueRule);
                refuse(order, kind, now_ns, out);
            }
            FailureClass::Unknown | FailureClass::VenueDown => self.ask_later(order, true, now_ns),
        }
    }

    /// Whether the venue does not know a version of an order because another one has taken its place, or
    /// is about to: a change overtook the cancel.
    fn may_be_there_as_another(&self, order: ClientOrderId, named: u32) -> bool {
        let open = self.ours.get(order).filter(|one| !one.ended);
        open.is_some_and(|one| one.version != named || one.replacing.is_some())
    }

    fn amend_failed(
        &mut self,
        order: ClientOrderId,
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        match failure.class {
            FailureClass::Unknown | FailureClass::VenueDown => self.ask_later(order, false, now_ns),
            FailureClass::Refused if failure.partial == Partial::Cancelled => {
                self.half_replaced(order, failure, now_ns, out);
            }
            _ => {
                note(out, Level::Info, "order", format!("order {}: {failure}", order.0));
                self.ours.not_replaced(order, failure.reason, now_ns, out);
            }
        }
    }

    /// The order made room, and what was to take its place was refused: it is over.
    fn half_replaced(
        &mut self,
        order: ClientOrderId,
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        note(out, Level::Warning, "order", format!("order {}: {failure}", order.0));
        self.ours.half_replaced(order, now_ns, out);
    }

    /// Asks about an order in a moment, unless its statement comes before.
    pub(super) fn ask_later(&mut self, order: ClientOrderId, cancels: bool, now_ns: TimeNs) {
        let Some(tracked) = self.ours.get(order) else { return };
        let query = Query {
            order,
            instrument: tracked.terms.instrument,
            version: self.version_to_ask(order),
            before: None,
            attempt: 0,
            cancels,
            account: None,
            armed: false,
        };
        self.later(now_ns + BEFORE_QUESTION_NS, Later::Query(query));
    }

    /// Requests that have to succeed some time.
    fn try_again(&mut self, about: About, now_ns: TimeNs) {
        let at_ns = self.budgets.blocked_until_ns().max(now_ns + AGAIN_NS);
        match about {
            About::Time => self.later(at_ns, Later::Time),
            About::Instruments => self.later(at_ns, Later::Instruments),
            About::KeepAlive => self.later(at_ns, Later::KeepAlive),
            About::Snapshot(instrument) => {
                self.books.again(instrument, (now_ns, at_ns), AGAIN_NS);
            }
            _ => {}
        }
    }

    /// No answer came and none will.
    pub(super) fn unanswered(
        &mut self,
        call: Call,
        sent: Sent,
        reason: &str,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        match (call.about, sent) {
            (About::Many(items), _) => {
                for about in items {
                    let (shape, socket) = (call.shape.like(), call.socket);
                    let one = Call { about, shape, sent_ns: call.sent_ns, socket };
                    self.unanswered(one, sent, reason, now_ns, out);
                }
            }
            (About::Sweep { instrument, orders, .. }, _) => {
                self.later(now_ns + AGAIN_NS, Later::Sweep(instrument));
                self.cancel_each(instrument, &orders, now_ns, out);
            }
            (About::Place(order), Sent::No) => {
                note(
                    out,
                    Level::Warning,
                    "order",
                    format!("order {} was not sent: {reason}", order.0),
                );
                refuse(order, VenueEventKind::Rejected(RejectReason::Halted), now_ns, out);
                self.ours.end(order);
            }
            (About::Place(order) | About::Amend { order, version: Some(_) }, Sent::Perhaps) => {
                let text = format!("order {}: no answer ({reason}); the venue is asked", order.0);
                note(out, Level::Warning, "order", text);
                self.ask_later(order, false, now_ns);
            }
            (About::Amend { order, .. }, Sent::No) => {
                self.ours.not_replaced(order, None, now_ns, out);
            }
            (About::Amend { order, .. }, Sent::Perhaps) => self.ask_later(order, false, now_ns),
            (About::AmendArmed { order, .. }, Sent::No) => {
                self.ours.not_replaced(order, None, now_ns, out);
            }
            (About::AmendArmed { order, attempt }, Sent::Perhaps) => {
                self.later_amend_armed(order, attempt, now_ns, out);
            }
            (About::Cancel { order, instrument, attempt, .. }, Sent::No) => {
                let again = Later::Cancel { order, instrument, attempt: attempt + 1 };
                self.later(now_ns + 100 * MS, again);
            }
            (About::Cancel { order, .. }, Sent::Perhaps) => self.ask_later(order, true, now_ns),
            (About::Query(query), _) => self.query_failed(query, now_ns),
            (About::Account(number, ..), _) => self.account_failed(number, reason, now_ns, out),
            (About::Stream, _) => {}
            (About::ListenKey, _) => self.go_without_key("", reason, now_ns, out),
            (about, _) => {
                note(out, Level::Warning, "request", format!("{about:?}: {reason}"));
                self.try_again(about, now_ns);
            }
        }
    }

    fn query_failed(&mut self, query: Query, now_ns: TimeNs) {
        if query.attempt < MAX_ATTEMPTS || query.account.is_some() {
            let wait_ns = (AGAIN_NS / 2) << query.attempt.min(6);
            let at_ns = self.budgets.blocked_until_ns().max(now_ns + wait_ns);
            self.later(at_ns, Later::Query(Query { attempt: query.attempt + 1, ..query }));
        }
    }

    /// The answer to a question about an order.
    fn answered(
        &mut self,
        call: &Call,
        query: Query,
        reply: &Reply<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let (ours, mut found) = (&mut self.ours, None);
        let result = self.venue.answer(&call.shape, reply, &mut |fact| {
            if let Fact::Order(order) = &fact {
                // Some venues answer with the orders of the market: the others are none of this.
                if order.status != OrderStatus::Received && ours.is_of(order, query.order, out) {
                    if query.before.is_none() || !matches!(order.status, OrderStatus::Rejected(_)) {
                        ours.found_version(query.order, query.version, now_ns, out);
                    }
                    found = ours.answer(order, out).or(found);
                }
            }
        });
        let answer = match result {
            Ok(()) => found.unwrap_or(Answer::NotFound),
            Err(failure) if is_not_found(&failure) => Answer::NotFound,
            Err(failure) => {
                self.learn_of(&failure, call.shape.asked, now_ns, out);
                note(out, Level::Warning, "order", format!("order {}: {failure}", query.order.0));
                return self.query_failed(query, now_ns);
            }
        };
        self.take_answer(query, answer, now_ns, out);
    }

    fn take_answer(&mut self, query: Query, answer: Answer, now_ns: TimeNs, out: &mut Outbox) {
        let Some(tracked) = self.ours.get(query.order).cloned() else {
            return out.tell(Told::Answer { order: query.order, answer });
        };
        if query.armed && tracked.made.is_some() && !tracked.armed {
            // Its trigger has made another order of it: that is asked about.
            return self.query(Query { armed: false, ..query }, now_ns, out);
        }
        let elsewhere = self.wiring.armed_apart && tracked.adopted && tracked.made.is_none();
        if elsewhere && !query.armed && answer == Answer::NotFound {
            // It may be one that waits for its trigger: those are asked about apart.
            return self.query(Query { armed: true, ..query }, now_ns, out);
        }
        if let Some(change) = tracked.replacing {
            let about = About::Amend { order: query.order, version: Some(change.version) };
            let is_open = self.calls.is_open(&about);
            if change.version == query.version && answer == Answer::NotFound && is_open {
                // The question has overtaken the change.
                return self.later(now_ns + BEFORE_QUESTION_NS, Later::Query(query));
            }
            if change.version == query.version && answer == Answer::NotFound {
                // The change never came about: what stands is the version before it.
                self.ours.not_replaced(query.order, None, now_ns, out);
                if !self.ours.get(query.order).is_some_and(|one| one.ended) {
                    let before = Query { version: tracked.version, ..query };
                    self.query(before, now_ns, out);
                }
                return;
            }
        }
        let newest = self.version_to_ask(query.order);
        if query.version < newest && !matches!(answer, Answer::Working { .. }) {
            // Another version has taken its place, or is about to: its end is not that of the order.
            return self.query(Query { version: newest, ..query }, now_ns, out);
        }
        if tracked.adopted && self.may_have_successor(answer) {
            let next = Query { version: query.version + 1, before: Some(answer), ..query };
            return self.query(next, now_ns, out);
        }
        let answer = match (answer, query.before) {
            (Answer::NotFound, Some(before)) => before,
            (answer, _) => answer,
        };
        out.tell(Told::Answer { order: query.order, answer });
        match answer {
            Answer::Working { .. } if query.cancels && query.attempt < MAX_ATTEMPTS => {
                let attempt = query.attempt + 1;
                self.cancel(query.order, query.instrument, attempt, now_ns, out);
            }
            Answer::Working { .. } if (1..MAX_ATTEMPTS).contains(&tracked.unknown_to_cancels) => {
                // It was not there yet when the cancel came: the wish stands.
                self.cancel(query.order, query.instrument, 0, now_ns, out);
            }
            Answer::Working { .. } | Answer::NotFound => {}
            Answer::Filled { filled } if filled > Lots::ZERO => {
                out.tell(Told::Ended(query.order));
                self.ours.end(query.order);
            }
            _ => self.ours.end(query.order),
        }
        if let Some(account) = query.account {
            self.adopted_one(account, now_ns, out);
        }
    }

    /// Whether a version that ended may have been replaced before this process.
    fn may_have_successor(&self, answer: Answer) -> bool {
        self.venue.rules().amend.replaces(false) && matches!(answer, Answer::Cancelled { .. })
    }
}

const fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.class, FailureClass::Refused)
}

fn is_not_found(failure: &Failure) -> bool {
    is_refusal(failure) && failure.reason == Some(RejectReason::UnknownOrder)
}
