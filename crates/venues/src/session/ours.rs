//! Our orders at one venue: facts about them as statements for the kernel.
//!
//! A venue that replaces orders gives a changed one another id. Its texts carry a version, so that all
//! of them are one order here: the end of a version that was replaced is no end, and what traded of
//! earlier ones counts.

mod fills;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mainspring_core::order::OrderTerms;
use mainspring_core::report::Account;
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, Decimal, ForeignReport, InstrumentId, Lots, OpenOrder,
    OrderType, RejectReason, Report, Ticks, TimeNs, VenueEvent, VenueEventKind,
};

use self::fills::SeenFills;
use super::calls::Replacing;
use super::effect::Outbox;
use super::told::{Balance, Level, Note, Told};
use super::traded::{News, Traded};
use crate::client_id::ClientIds;
use crate::fact::{Fact, Notice, OrderFact, OrderStatus};
use crate::listing::Listings;
use crate::reports::{id_number, Reports, Statement};

/// Ended orders that questions can still be asked about: as many as the kernel remembers.
const REMEMBERED: usize = 8_192;

/// Orders of others of which the venue's text is remembered, so that they can be cancelled.
const REMEMBERED_FOREIGN: usize = 4_096;

/// Something about the connection that a fact said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    LoggedIn,
    LogInFailed(String),
    Subscribed,
    SubscriptionFailed(String),
    StreamExpired,
    ReconnectSoon,
    ListenKey(String),
    ServerTime(TimeNs),
}

/// One order of ours.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) terms: OrderTerms,
    /// Placed before this process: not everything about it is known.
    pub(super) adopted: bool,
    pub(super) version: u32,
    pub(super) replacing: Option<Replacing>,
    /// What was asked for of a venue that changes orders in place, until it says what came of it.
    pub(super) asked: Option<(Ticks, Lots)>,
    /// When the terms were last changed, or a change was asked for.
    changed_ns: TimeNs,
    /// When the venue changed them, by its clock.
    terms_ns: TimeNs,
    /// What traded of it and of the versions that it replaced.
    traded: Traded,
    /// More traded of an earlier version than was known, and the change on its way has to be over before
    /// that can be told.
    owes_terms: bool,
    /// The end of a version that may have been replaced.
    held_end: Option<Box<Report>>,
    pub(super) ended: bool,
    pub(super) named: bool,
    /// It waits for its trigger, as far as is known.
    pub(super) armed: bool,
    /// The venue's id of the order on the book that its trigger made.
    pub(super) made: Option<Box<str>>,
    /// How often the venue did not know it when it was to be cancelled.
    pub(super) unknown_to_cancels: u32,
}

impl Tracked {
    fn new(terms: OrderTerms) -> Self {
        Self {
            armed: waits(terms.order_type),
            made: None,
            unknown_to_cancels: 0,
            terms,
            adopted: false,
            version: 0,
            replacing: None,
            asked: None,
            changed_ns: TimeNs::MIN,
            terms_ns: 0,
            traded: Traded::default(),
            owes_terms: false,
            held_end: None,
            ended: false,
            named: false,
        }
    }

    /// What traded before the version that stands was placed.
    pub(super) fn before(&self) -> Lots {
        self.traded.before()
    }

    /// The terms that a venue tells of an order, where they are not those that we know: what we asked for
    /// has come about, or somebody changed it at the venue.
    fn other_terms(&self, told: Option<(Ticks, Lots)>) -> Option<(Ticks, Lots)> {
        let stands = !self.ended && self.replacing.is_none();
        if !stands || self.terms.order_type != OrderType::Limit {
            return None;
        }
        let (price, qty) = told?;
        // Of an order that was changed before this process it is not known what its versions traded.
        let is_whole = !self.adopted || self.version == 0;
        let qty = if is_whole { Lots(qty.0 + self.before().0) } else { self.terms.qty };
        let is_news = (price, qty) != (self.terms.price, self.terms.qty);
        // While a change of ours is on its way, whatever else there is has to wait for what comes of it.
        let may_be = self.asked.is_none_or(|asked| asked == (price, qty));
        (is_news && may_be).then_some((price, qty))
    }

    fn take_terms(&mut self, (price, qty): (Ticks, Lots), exch_ns: TimeNs, now_ns: TimeNs) {
        (self.terms.price, self.terms.qty) = (price, qty);
        (self.asked, self.changed_ns) = (None, now_ns);
        self.terms_ns = self.terms_ns.max(exch_ns);
    }

    /// What traded in all.
    pub(super) fn total(&self) -> Lots {
        self.traded.total()
    }
}

/// An order of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    /// The venue's id of it.
    pub(super) text: String,
    /// It waits for its trigger.
    pub(super) armed: bool,
}

/// Our orders at one venue.
pub(super) struct Ours {
    reports: Reports,
    pub(super) clients: ClientIds,
    listings: Arc<Listings>,
    orders: BTreeMap<ClientOrderId, Tracked>,
    ended: VecDeque<ClientOrderId>,
    pub(super) signals: Vec<Signal>,
    /// Open orders that are not ours: the number they are told by, and the venue's text.
    foreign: BTreeMap<u64, Stranger>,
    /// Those of them that the kernel has adopted, and since when it is known.
    adopted: BTreeMap<u64, (InstrumentId, TimeNs)>,
    /// Fees taken in the base currency, by instrument.
    base_fees: BTreeMap<InstrumentId, Decimal>,
    fills: SeenFills,
    /// When the stream last told a fill of ours.
    pub(super) last_fill_ns: TimeNs,
    /// Statements about orders of others.
    pub(super) others: u64,
    /// It was said that more orders are open than can be found by their venue ids.
    told_full: bool,
}

impl Ours {
    pub(super) fn new(listings: &Arc<Listings>, clients: ClientIds) -> Self {
        Self {
            reports: Reports::new((**listings).clone(), clients),
            clients,
            listings: Arc::clone(listings),
            orders: BTreeMap::new(),
            ended: VecDeque::new(),
            signals: Vec::new(),
            foreign: BTreeMap::new(),
            adopted: BTreeMap::new(),
            base_fees: BTreeMap::new(),
            fills: SeenFills::default(),
            last_fill_ns: TimeNs::MIN,
            others: 0,
            told_full: false,
        }
    }

    /// Makes room for another venue id, at the cost of those of ended orders.
    fn make_room(&mut self, out: &mut Outbox) {
        let orders = &self.orders;
        let is_open = |id: ClientOrderId| orders.get(&id).is_some_and(|one| !one.ended);
        if self.reports.make_room(is_open) || std::mem::replace(&mut self.told_full, true) {
            return;
        }
        let text = "so many orders are open that the venue's ids of the oldest are forgotten: statements \
                    that name those by the venue's id alone count as statements about orders of others"
            .to_owned();
        out.tell(Told::Note(Note { level: Level::Error, topic: "order", text }));
    }

    /// Orders that were open before this process.
    pub(super) fn adopt(&mut self, account: &Account) {
        for open in &account.open {
            if self.listings.of_id(open.instrument).is_none() {
                continue;
            }
            let terms = OrderTerms::limit(open.instrument, open.side, open.price, open.qty);
            let tracked = Tracked { adopted: true, ..Tracked::new(terms) };
            self.orders.insert(open.order, tracked);
        }
    }

    pub(super) fn placed(&mut self, order: ClientOrderId, terms: &OrderTerms) {
        self.orders.insert(order, Tracked::new(*terms));
    }

    pub(super) fn get(&self, order: ClientOrderId) -> Option<&Tracked> {
        self.orders.get(&order)
    }

    /// A change leaves for a venue that replaces.
    pub(super) fn replaces(&mut self, order: ClientOrderId, replacing: Replacing) {
        if let Some(tracked) = self.orders.get_mut(&order) {
            tracked.replacing = Some(replacing);
        }
    }

    /// A change leaves for a venue that changes orders in place.
    pub(super) fn amends(&mut self, order: ClientOrderId, asked: (Ticks, Lots), now_ns: TimeNs) {
        if let Some(tracked) = self.orders.get_mut(&order) {
            (tracked.asked, tracked.changed_ns) = (Some(asked), now_ns);
        }
    }

    /// The venue did not know an order that was to be cancelled.
    pub(super) fn note_unknown_to_cancel(&mut self, order: ClientOrderId) {
        if let Some(tracked) = self.orders.get_mut(&order) {
            tracked.unknown_to_cancels += 1;
        }
    }

    /// Live orders of which the venue's id is not known since before this process.
    pub(super) fn unnamed(&self) -> Vec<(ClientOrderId, InstrumentId)> {
        let unnamed =
            |(_, one): &(&ClientOrderId, &Tracked)| one.adopted && !one.named && !one.ended;
        let list = self.orders.iter().filter(unnamed);
        list.map(|(id, one)| (*id, one.terms.instrument)).collect()
    }

    /// Orders that may be open.
    pub(super) fn live(&self) -> Vec<(ClientOrderId, InstrumentId)> {
        let live = self.orders.iter().filter(|(_, one)| !one.ended);
        live.map(|(id, one)| (*id, one.terms.instrument)).collect()
    }

    /// Orders that may be open in an instrument.
    pub(super) fn live_in(&self, instrument: InstrumentId) -> Vec<ClientOrderId> {
        let here = |(_, at): &(ClientOrderId, InstrumentId)| *at == instrument;
        self.live().into_iter().filter(here).map(|(order, _)| order).collect()
    }

    /// An order that is not ours, as the venue names it.
    pub(super) fn foreign(&self, venue_order: u64) -> Stranger {
        let unknown = || Stranger { text: venue_order.to_string(), armed: false };
        self.foreign.get(&venue_order).cloned().unwrap_or_else(unknown)
    }

    /// The kernel has adopted an order that is not ours.
    pub(super) fn note_adopted(
        &mut self,
        venue_order: u64,
        instrument: InstrumentId,
        now_ns: TimeNs,
    ) {
        if self.adopted.len() >= REMEMBERED_FOREIGN {
            self.adopted.pop_first();
        }
        self.adopted.insert(venue_order, (instrument, now_ns));
    }

    /// Adopted orders that may be open.
    pub(super) fn adopted(&self) -> Vec<(u64, InstrumentId)> {
        self.adopted.iter().map(|(id, (instrument, _))| (*id, *instrument)).collect()
    }

    /// A complete list of open orders: what was adopted before it was asked for, and is not in it, is
    /// over.
    pub(super) fn listed(&mut self, account: &Account) {
        self.adopted.retain(|id, (_, noted_ns)| {
            *noted_ns >= account.as_of_ns || account.open.iter().any(|open| open.venue_order == *id)
        });
    }

    /// Takes a fact of the user stream, or of the answer to an order request.
    pub(super) fn take(&mut self, fact: &Fact<'_>, now_ns: TimeNs, out: &mut Outbox) {
        match fact {
            Fact::Order(order) => self.order(order, now_ns, out),
            Fact::Fill(fill) => self.fill(fill, now_ns, out),
            Fact::Balance(balance) => out.tell(Told::Balance(Balance {
                currency: balance.currency.to_owned(),
                total: balance.total,
                free: balance.free,
            })),
            Fact::Payment { currency, amount } => out.tell(Told::Payment {
                currency: (*currency).to_owned(),
                amount: *amount,
                recv_ns: now_ns,
            }),
            Fact::Notice(notice) => self.notice(notice, out),
            Fact::Position(_)
            | Fact::Failed { .. }
            | Fact::More(_)
            | Fact::Other(_)
            | Fact::Rights(_)
            | Fact::Fees { .. } => {}
        }
    }

    fn notice(&mut self, notice: &Notice<'_>, out: &mut Outbox) {
        self.signals.push(match notice {
            Notice::LoggedIn => Signal::LoggedIn,
            Notice::LogInFailed(why) => Signal::LogInFailed((*why).to_owned()),
            Notice::Subscribed(_) => Signal::Subscribed,
            Notice::SubscriptionFailed(why) => Signal::SubscriptionFailed((*why).to_owned()),
            Notice::StreamExpired => Signal::StreamExpired,
            Notice::ReconnectSoon => Signal::ReconnectSoon,
            Notice::ListenKey(key) => Signal::ListenKey((*key).to_owned()),
            Notice::ServerTime(time_ns) => Signal::ServerTime(*time_ns),
            Notice::MarginCall => {
                let text = "the venue warns that the margin is nearly used up".to_owned();
                return out.tell(Told::Note(Note { level: Level::Error, topic: "margin", text }));
            }
            Notice::Settings => {
                let text = "leverage or margin mode was changed at the venue".to_owned();
                return out.tell(Told::Note(Note {
                    level: Level::Warning,
                    topic: "account",
                    text,
                }));
            }
            Notice::Pong | Notice::Countdown(_) => return,
        });
    }

    fn order(&mut self, fact: &OrderFact<'_>, now_ns: TimeNs, out: &mut Outbox) {
        self.make_room(out);
        let found = self.reports.order(fact.symbol, fact.client, fact.venue_id, fact.metadata);
        let Some(id) = found else {
            self.others += 1;
            // What a trigger made of it tells of itself, and may have done so on another connection before.
            if fact.status == OrderStatus::Triggered {
                return;
            }
            let foreign = self.reports.foreign_order(fact, now_ns);
            return self.tell_foreign(foreign, fact.venue_id, is_waiting(fact), out);
        };
        self.name(id, fact.venue_id, out);
        self.note_trigger(id, fact);
        let version = self.clients.version(fact.client);
        if version.is_some_and(|version| !self.is_news(id, version, fact, now_ns, out)) {
            return;
        }
        let filled = fact.filled.and_then(|filled| self.lots(fact.symbol, filled));
        let mut before = Lots::ZERO;
        if let Some(tracked) = self.orders.get_mut(&id) {
            tracked.traded.note(News::in_all(filled));
            before = tracked.before();
        }
        if matches!(fact.status, OrderStatus::Open | OrderStatus::PartiallyFilled) {
            // What was said before the terms were changed says nothing about them.
            let at_ns = fact.time_ns.unwrap_or(now_ns);
            if self.orders.get(&id).is_some_and(|one| at_ns > one.terms_ns) {
                self.revise(id, fact, at_ns, now_ns, out);
            }
        }
        match self.reports.of_order(fact, now_ns) {
            Statement::Report(mut report) => {
                report.filled = report.filled.map(|filled| Lots(filled.0 + before.0));
                if let VenueEventKind::Amended { price, qty } = &mut report.event.kind {
                    qty.0 += before.0;
                    let at_ns = report.event.exch_ns;
                    if let Some(tracked) =
                        self.orders.get_mut(&id).filter(|one| at_ns >= one.terms_ns)
                    {
                        tracked.take_terms((*price, *qty), at_ns, now_ns);
                    }
                }
                let ends = matches!(
                    report.event.kind,
                    VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_)
                );
                out.tell(Told::Report(report));
                if ends {
                    self.end(id);
                }
            }
            Statement::OffGrid => off_grid(fact.symbol, out),
            Statement::Nothing | Statement::Foreign | Statement::OtherInstrument => {}
        }
        if fact.status == OrderStatus::Filled {
            out.tell(Told::Ended(id));
            self.end(id);
        }
    }

    /// A venue that tells an order with other terms than we know has changed it: at our wish, where it says so
    /// in no other way, or by somebody's hand.
    fn revise(
        &mut self,
        id: ClientOrderId,
        fact: &OrderFact<'_>,
        exch_ns: TimeNs,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let told = self.terms_of(fact);
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let Some((price, qty)) = tracked.other_terms(told) else { return };
        if tracked.asked.is_none() {
            let text = format!(
                "order {} was changed at the venue, not by us: {} lots at {} ticks now",
                id.0, qty, price
            );
            out.tell(Told::Note(Note { level: Level::Warning, topic: "order", text }));
        }
        tracked.take_terms((price, qty), exch_ns, now_ns);
        let kind = VenueEventKind::Amended { price, qty };
        let event = VenueEvent { order: id, exch_ns, recv_ns: now_ns, kind };
        out.tell(Told::Report(Report::plain(event)));
    }

    /// Price and quantity that a fact tells, where it does and they are on the grid.
    fn terms_of(&self, fact: &OrderFact<'_>) -> Option<(Ticks, Lots)> {
        let listing = self.listings.of_symbol(fact.symbol)?;
        Some((listing.ticks(fact.price?)?, listing.lots(fact.qty?)?))
    }

    /// Whether a fact about a version of an order says something about the order.
    fn is_news(
        &mut self,
        id: ClientOrderId,
        version: u32,
        fact: &OrderFact<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> bool {
        let Some(tracked) = self.orders.get(&id) else { return true };
        if version < tracked.version {
            let filled = fact.filled.and_then(|filled| self.lots(fact.symbol, filled));
            self.note_earlier(id, version, News::in_all(filled), now_ns, out);
            return false;
        }
        if version > tracked.version {
            self.replaced(id, version, fact.time_ns.unwrap_or(now_ns), now_ns, out);
            return !matches!(fact.status, OrderStatus::Open | OrderStatus::Received);
        }
        let ends = matches!(fact.status, OrderStatus::Cancelled(_));
        if !ends || tracked.replacing.is_none() {
            return true;
        }
        // It may have made room for the version that takes its place: whether it did is told next.
        let filled = fact.filled.and_then(|filled| self.lots(fact.symbol, filled));
        let Statement::Report(mut report) = self.reports.of_order(fact, now_ns) else {
            return true;
        };
        let Some(tracked) = self.orders.get_mut(&id) else { return true };
        tracked.traded.note(News::in_all(filled));
        report.filled = Some(tracked.total());
        tracked.held_end = Some(Box::new(report));
        false
    }

    /// Another version has taken the place of the one that we knew.
    fn replaced(
        &mut self,
        id: ClientOrderId,
        version: u32,
        exch_ns: TimeNs,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let change = tracked.replacing.take().filter(|change| change.version == version);
        tracked.traded.replaced(tracked.version, change.is_some());
        tracked.version = version;
        tracked.held_end = None;
        tracked.owes_terms = false;
        let Some(change) = change else { return };
        let qty = Lots(tracked.before().0 + change.placed.0);
        tracked.take_terms((change.price, qty), exch_ns, now_ns);
        let kind = VenueEventKind::Amended { price: change.price, qty };
        let event = VenueEvent { order: id, exch_ns, recv_ns: now_ns, kind };
        out.tell(Told::Report(Report::plain(event)));
    }

    /// An order that waits for its trigger was changed as we asked.
    pub(super) fn amended_armed(&mut self, id: ClientOrderId, now_ns: TimeNs, out: &mut Outbox) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let Some((price, qty)) = tracked.asked.take() else { return };
        match tracked.terms.order_type {
            OrderType::StopLimit => tracked.terms.price = price,
            _ => tracked.terms.trigger = price,
        }
        tracked.terms.qty = qty;
        refuse(id, VenueEventKind::Amended { price, qty }, now_ns, out);
    }

    /// A change did not come about: the order stands as it was, or has ended meanwhile.
    pub(super) fn not_replaced(
        &mut self,
        id: ClientOrderId,
        reason: Option<RejectReason>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let kind = VenueEventKind::AmendRejected(reason.unwrap_or(RejectReason::VenueRule));
        let Some(tracked) = self.orders.get_mut(&id) else {
            // An adopted one: the venue's id is all that is known of it here.
            return refuse(id, kind, now_ns, out);
        };
        (tracked.replacing, tracked.asked) = (None, None);
        let held = tracked.held_end.take();
        if let Some(mut report) = held {
            report.event.recv_ns = now_ns;
            out.tell(Told::Report(*report));
            return self.end(id);
        }
        refuse(id, kind, now_ns, out);
        if std::mem::take(&mut tracked.owes_terms) {
            tell_terms(id, tracked, now_ns, out);
        }
    }

    /// Something about a version whose place another has taken. What traded of it beyond what was known
    /// makes the order as much larger: the version that stands was placed without it.
    fn note_earlier(
        &mut self,
        id: ClientOrderId,
        version: u32,
        news: News,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        let more = tracked.traded.note_earlier(version, news);
        tracked.terms.qty = Lots(tracked.terms.qty.0 + more.0);
        if more == Lots::ZERO {
            return;
        }
        if tracked.replacing.is_some() {
            tracked.owes_terms = true;
        } else {
            tell_terms(id, tracked, now_ns, out);
        }
    }

    /// An order made room for a change that was then refused: it is over.
    pub(super) fn half_replaced(&mut self, id: ClientOrderId, now_ns: TimeNs, out: &mut Outbox) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        tracked.replacing = None;
        match tracked.held_end.take() {
            Some(report) => out.tell(Told::Report(*report)),
            None => refuse(id, VenueEventKind::Cancelled(CancelReason::Requested), now_ns, out),
        }
        self.end(id);
    }

    fn name(&mut self, id: ClientOrderId, venue_id: &str, out: &mut Outbox) {
        let number = id_number(venue_id);
        if number == 0 {
            return;
        }
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        if !tracked.named {
            tracked.named = true;
            out.tell(Told::Named { order: id, venue_order: number });
        }
    }

    /// The order is at the venue no more; it is remembered for a while.
    pub(super) fn end(&mut self, id: ClientOrderId) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        if std::mem::replace(&mut tracked.ended, true) {
            return;
        }
        self.ended.push_back(id);
        if self.ended.len() > REMEMBERED {
            if let Some(oldest) = self.ended.pop_front() {
                self.orders.remove(&oldest);
            }
        }
    }

    /// Tells of an order that is not ours, and remembers its text so that it can be cancelled.
    fn tell_foreign(
        &mut self,
        foreign: Option<ForeignReport>,
        venue_id: &str,
        armed: bool,
        out: &mut Outbox,
    ) {
        let Some(foreign) = foreign else { return };
        let kind = foreign.report.event.kind;
        if matches!(kind, VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_)) {
            self.adopted.remove(&foreign.venue_order);
        }
        self.remember_foreign(foreign.venue_order, venue_id, armed);
        out.tell(Told::Foreign(foreign));
    }

    fn remember_foreign(&mut self, venue_order: u64, text: &str, armed: bool) {
        if self.foreign.len() >= REMEMBERED_FOREIGN {
            self.foreign.pop_first();
        }
        self.foreign.insert(venue_order, Stranger { text: text.to_owned(), armed });
    }

    /// Learns whether an order waits for its trigger, and what its trigger made.
    fn note_trigger(&mut self, id: ClientOrderId, fact: &OrderFact<'_>) {
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        match fact.status {
            // Where two streams tell of an order, the one that it waits may come after what was made of it.
            OrderStatus::Armed => tracked.armed = tracked.made.is_none(),
            // It is known by name only when the venue says what it is now.
            OrderStatus::Triggered if fact.venue_id.is_empty() => {}
            OrderStatus::Triggered
            | OrderStatus::Open
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled
                if tracked.armed =>
            {
                tracked.armed = false;
                tracked.made = Some(fact.venue_id).filter(|made| !made.is_empty()).map(Box::from);
            }
            _ => {}
        }
    }

    fn lots(&self, symbol: &str, qty: Decimal) -> Option<Lots> {
        self.listings.of_symbol(symbol).and_then(|listing| listing.lots(qty))
    }

    /// Whether the venue speaks of this order of ours.
    pub(super) fn is_of(
        &mut self,
        fact: &OrderFact<'_>,
        id: ClientOrderId,
        out: &mut Outbox,
    ) -> bool {
        self.make_room(out);
        self.reports.order(fact.symbol, fact.client, fact.venue_id, fact.metadata) == Some(id)
    }

    /// The state of one order as the answer to a question about one of its versions.
    pub(super) fn answer(&mut self, fact: &OrderFact<'_>, out: &mut Outbox) -> Option<Answer> {
        let id = self.reports.order(fact.symbol, fact.client, fact.venue_id, fact.metadata)?;
        self.name(id, fact.venue_id, out);
        self.note_trigger(id, fact);
        let answer = self.reports.answer(fact)?;
        let version = self.clients.version(fact.client);
        let Some(tracked) = self.orders.get_mut(&id) else { return Some(answer) };
        if version.is_some_and(|version| version != tracked.version) {
            return Some(answer);
        }
        tracked.traded.note(News::in_all(Some(answer.filled())));
        let total = tracked.total();
        Some(with_filled(answer, total))
    }

    /// A question found a version that we did not know to be there.
    pub(super) fn found_version(
        &mut self,
        id: ClientOrderId,
        version: u32,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        if self.orders.get(&id).is_some_and(|tracked| version > tracked.version) {
            self.replaced(id, version, now_ns, now_ns, out);
        }
    }

    /// An open order of a list, ours or not.
    pub(super) fn open_order(
        &mut self,
        fact: &OrderFact<'_>,
        asked_ns: TimeNs,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Option<OpenOrder> {
        self.make_room(out);
        let mut open = self.reports.open_order(fact)?;
        self.note_trigger(open.order, fact);
        let version = self.clients.version(fact.client);
        // A list that was asked for before the last change may not have it.
        let is_newer = |one: &Tracked| {
            one.changed_ns < asked_ns && version.is_none_or(|version| version == one.version)
        };
        if self.orders.get(&open.order).is_some_and(is_newer) {
            // When it was changed is not said.
            self.revise(open.order, fact, 0, now_ns, out);
        }
        match self.orders.get_mut(&open.order) {
            Some(tracked) => {
                if let Some(version) = self.clients.version(fact.client) {
                    tracked.version = tracked.version.max(version);
                }
                let before = tracked.before();
                open.filled = Lots(open.filled.0 + before.0);
                open.qty = Lots(open.qty.0 + before.0);
                self.name(open.order, fact.venue_id, out);
            }
            None if open.order.0 == 0 => {
                self.remember_foreign(open.venue_order, fact.venue_id, is_waiting(fact));
            }
            None => self.track_listed(&open, fact, out),
        }
        Some(open)
    }

    /// An order of ours that is not known here: it can be cancelled by the text of its version.
    fn track_listed(&mut self, open: &OpenOrder, fact: &OrderFact<'_>, out: &mut Outbox) {
        let terms = OrderTerms::limit(open.instrument, open.side, open.price, open.qty);
        let version = self.clients.version(fact.client).unwrap_or(0);
        let armed = is_waiting(fact);
        let mut tracked = Tracked { adopted: true, version, armed, ..Tracked::new(terms) };
        tracked.traded.note(News::in_all(Some(open.filled)));
        self.orders.insert(open.order, tracked);
        self.name(open.order, fact.venue_id, out);
        // By policy it may be cancelled as one of others.
        self.remember_foreign(open.venue_order, fact.venue_id, armed);
    }

    /// A position of a list.
    pub(super) fn position(
        &self,
        fact: &crate::fact::PositionFact<'_>,
    ) -> Option<(InstrumentId, Lots)> {
        self.reports.position(fact)
    }
}

/// Tells the terms of an order, which nobody asked to be changed.
fn tell_terms(id: ClientOrderId, tracked: &Tracked, now_ns: TimeNs, out: &mut Outbox) {
    let kind = VenueEventKind::Amended { price: tracked.terms.price, qty: tracked.terms.qty };
    let event = VenueEvent { order: id, exch_ns: tracked.terms_ns, recv_ns: now_ns, kind };
    out.tell(Told::Report(Report::plain(event)));
}

/// Whether orders of a type wait for a trigger.
pub(super) const fn waits(order_type: OrderType) -> bool {
    use OrderType as T;
    matches!(order_type, T::Stop | T::StopLimit | T::TakeProfit | T::TrailingStop)
}

/// Whether an order waits for its trigger.
fn is_waiting(fact: &OrderFact<'_>) -> bool {
    fact.status == OrderStatus::Armed
}

const fn with_filled(answer: Answer, filled: Lots) -> Answer {
    match answer {
        Answer::NotFound => Answer::NotFound,
        Answer::Rejected => Answer::Rejected,
        Answer::Working { .. } => Answer::Working { filled },
        Answer::Cancelled { .. } => Answer::Cancelled { filled },
        Answer::Expired { .. } => Answer::Expired { filled },
        Answer::Filled { .. } => Answer::Filled { filled },
    }
}

fn off_grid(symbol: &str, out: &mut Outbox) {
    let text = format!(
        "{symbol}: the venue names a price or quantity off the grid that the session started with; \
         start it again with the venue's new rules"
    );
    out.tell(Told::Note(Note { level: Level::Error, topic: "instruments", text }));
}

/// Tells that a request was refused.
pub(super) fn refuse(order: ClientOrderId, kind: VenueEventKind, now_ns: TimeNs, out: &mut Outbox) {
    let event = VenueEvent { order, exch_ns: now_ns, recv_ns: now_ns, kind };
    out.tell(Told::Report(Report::plain(event)));
}
