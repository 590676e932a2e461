//! What trades of our orders, by the stream and by lists.

use std::collections::{BTreeSet, VecDeque};

use mainspring_core::report::Account;
use mainspring_core::{ClientOrderId, Decimal, InstrumentId, Report, TimeNs, VenueEventKind};

use super::{off_grid, Ours, Tracked};
use crate::amount::add;
use crate::fact::{FillFact, FillOrigin};
use crate::reports::Statement;
use crate::session::effect::Outbox;
use crate::session::told::{Level, Note, Told};
use crate::session::traded::News;

/// Fills that are remembered, so that each counts once.
const REMEMBERED: usize = 16_384;

/// The newest fills, by instrument and the venue's id.
#[derive(Debug, Default)]
pub(super) struct SeenFills {
    ids: BTreeSet<(InstrumentId, u64)>,
    order: VecDeque<(InstrumentId, u64)>,
}

impl SeenFills {
    /// Whether it was not noted before; the oldest is forgotten for it.
    fn note(&mut self, instrument: InstrumentId, trade_id: u64) -> bool {
        let key = (instrument, trade_id);
        if !self.ids.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
        true
    }
}

impl Ours {
    pub(super) fn fill(&mut self, fact: &FillFact<'_>, now_ns: TimeNs, out: &mut Outbox) {
        self.make_room(out);
        match self.reports.of_fill(fact, now_ns) {
            Statement::Report(report) => self.own_fill(fact, report, now_ns, out),
            Statement::OffGrid => off_grid(fact.symbol, out),
            Statement::Foreign if fact.origin != FillOrigin::Book => {
                let text = format!(
                    "{}: the venue itself traded {} at {} ({:?}); the position is no longer what our \
                     orders made it",
                    fact.symbol, fact.qty, fact.price, fact.origin
                );
                out.tell(Told::Note(Note { level: Level::Error, topic: "liquidation", text }));
                let foreign = self.reports.foreign_fill(fact, now_ns);
                self.tell_foreign(foreign, fact.venue_id, false, out);
            }
            Statement::Foreign => {
                self.others += 1;
                let foreign = self.reports.foreign_fill(fact, now_ns);
                self.tell_foreign(foreign, fact.venue_id, false, out);
            }
            Statement::Nothing | Statement::OtherInstrument => {}
        }
    }

    fn own_fill(&mut self, fact: &FillFact<'_>, report: Report, now_ns: TimeNs, out: &mut Outbox) {
        let mut report = report;
        let id = report.event.order;
        self.last_fill_ns = now_ns;
        let news = self.news_of(fact, &report);
        let version = self.clients.version(fact.client);
        let newer = |tracked: &Tracked| version.is_some_and(|version| version > tracked.version);
        if self.orders.get(&id).is_some_and(newer) {
            let exch_ns = report.event.exch_ns;
            self.replaced(id, version.unwrap_or(0), exch_ns, now_ns, out);
        }
        let Some(tracked) = self.orders.get_mut(&id) else {
            return out.tell(Told::Report(report));
        };
        let earlier = version.filter(|version| *version < tracked.version);
        let current = earlier.is_none();
        if let Some(version) = earlier {
            report.filled = None;
            self.note_earlier(id, version, news, now_ns, out);
        } else {
            tracked.traded.note(news);
            report.filled = report.filled.map(|_| tracked.total());
        }
        let Some(tracked) = self.orders.get(&id) else { return };
        let whole = current && report.filled.is_some_and(|filled| filled >= tracked.terms.qty);
        out.tell(Told::Report(report));
        if whole {
            out.tell(Told::Ended(id));
            self.end(id);
        }
    }

    /// What a fill of ours says of what traded; its fee is counted once, and its quantity.
    fn news_of(&mut self, fact: &FillFact<'_>, report: &Report) -> News {
        let mut news = News::in_all(report.filled);
        if self.is_new_fill(fact.symbol, report.trade_id) {
            self.count_fee(fact);
            if let VenueEventKind::Filled { qty, .. } = report.event.kind {
                news.filled = qty;
            }
        }
        news
    }

    /// Whether a fill was not heard of before; one without an id is not told apart from others.
    fn is_new_fill(&mut self, symbol: &str, trade_id: u64) -> bool {
        let listing = self.listings.of_symbol(symbol).filter(|_| trade_id != 0);
        listing.is_some_and(|listing| self.fills.note(listing.id, trade_id))
    }

    /// A fee in the base currency makes what is held less than what was traded.
    fn count_fee(&mut self, fact: &FillFact<'_>) {
        let Some(listing) = self.listings.of_symbol(fact.symbol) else { return };
        let Some(fee) = fact.fee.filter(|_| fact.fee_currency == listing.instrument.base) else {
            return;
        };
        let sum = self.base_fees.entry(listing.id).or_default();
        *sum = add(*sum, fee).unwrap_or(*sum);
    }

    pub(in crate::session) fn instrument_of(&self, order: ClientOrderId) -> Option<InstrumentId> {
        self.orders.get(&order).map(|one| one.terms.instrument)
    }

    /// What a fill of ours added to the position.
    pub(in crate::session) fn signed_lots(&self, fill: &Report) -> i64 {
        let side = self.orders.get(&fill.event.order).map(|one| one.terms.side);
        match (side, fill.event.kind) {
            (Some(side), VenueEventKind::Filled { qty, .. }) => side.sign() * qty.0,
            _ => 0,
        }
    }

    /// What was paid in fees of an instrument's base currency.
    pub(in crate::session) fn base_fee(&self, instrument: InstrumentId) -> Decimal {
        self.base_fees.get(&instrument).copied().unwrap_or_default()
    }

    /// Takes a fill of a list into the answer about the account.
    pub(in crate::session) fn listed_fill(
        &mut self,
        fact: &FillFact<'_>,
        now_ns: TimeNs,
        account: &mut Account,
        out: &mut Outbox,
    ) {
        self.make_room(out);
        match self.reports.of_fill(fact, now_ns) {
            Statement::Report(report) => {
                self.take_listed_fill(fact, &report, now_ns, out);
                account.fills.push(Report { filled: None, ..report });
            }
            // Perhaps that of an order whose acknowledgement was lost: the next list names it, once the
            // order was asked about and has its name.
            Statement::Foreign if fact.client.is_empty() && self.has_nameless(fact.symbol) => {}
            Statement::Foreign => {
                let foreign = self.reports.foreign_fill(fact, now_ns);
                account.foreign.extend(foreign.map(|mut foreign| {
                    foreign.report.filled = None;
                    foreign
                }));
            }
            _ => {}
        }
    }

    /// A fill of a list counts as one of the stream does; that it happened is told with the list.
    fn take_listed_fill(
        &mut self,
        fact: &FillFact<'_>,
        report: &Report,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let id = report.event.order;
        let news = News { told: None, ..self.news_of(fact, report) };
        let version = self.clients.version(fact.client);
        let Some(tracked) = self.orders.get_mut(&id) else { return };
        match version.unwrap_or(tracked.version) {
            version if version < tracked.version => {
                self.note_earlier(id, version, news, now_ns, out);
            }
            version if version == tracked.version => tracked.traded.note(news),
            // Of a version that is not known to stand: its own statements bring it.
            _ => {}
        }
    }

    /// Whether an order of ours is out of which the venue's name is not known yet.
    fn has_nameless(&self, symbol: &str) -> bool {
        let Some(listing) = self.listings.of_symbol(symbol) else { return false };
        let nameless = |one: &Tracked| !one.named && !one.ended;
        self.orders.values().any(|one| nameless(one) && one.terms.instrument == listing.id)
    }
}
