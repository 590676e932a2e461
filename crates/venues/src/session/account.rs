//! The answer to a question about the account, gathered from several answers of the venue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainspring_core::report::Account;
use mainspring_core::{Decimal, InstrumentId, Lots, TimeNs};

use super::calls::{About, Call, Later, Part, Query, Span};
use super::effect::Outbox;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::told::{Balance, Level, Told};
use crate::amount::{add, negated};
use crate::fact::Fact;
use crate::listing::{one_of_each_settlement, Listing};
use crate::operation::{Operation, Page};
use crate::outgoing::Reply;

/// Most answers that one list may take.
const MAX_PAGES: u32 = 1_000;

/// From so many instruments on, all open orders are asked for at once.
const MANY: usize = 5;

/// What an answer said of the list that it is a part of.
#[derive(Debug)]
struct ListTold {
    fills: u32,
    first_ms: i64,
    last_ms: i64,
    after: Option<String>,
}

impl Default for ListTold {
    fn default() -> Self {
        Self { fills: 0, first_ms: i64::MAX, last_ms: 0, after: None }
    }
}

impl ListTold {
    fn note_fill(&mut self, ms: i64) {
        self.fills += 1;
        self.first_ms = self.first_ms.min(ms);
        self.last_ms = self.last_ms.max(ms);
    }
}

/// An instrument may have several positions, such as one of cross and one of isolated margin.
fn add_position(all: &mut Vec<(InstrumentId, Lots)>, one: Option<(InstrumentId, Lots)>) {
    let Some((instrument, lots)) = one else { return };
    match all.iter_mut().find(|(at, _)| *at == instrument) {
        Some((_, sum)) => sum.0 += lots.0,
        None => all.push((instrument, lots)),
    }
}

/// A question about the account on its way.
#[derive(Debug)]
pub(super) struct Gather {
    number: u64,
    since_ns: TimeNs,
    /// Orders whose id at the venue has to be known before fills can be told apart.
    orders_left: usize,
    parts_left: usize,
    account: Account,
    /// What is held of the base currencies of instruments.
    held: Vec<(InstrumentId, Decimal)>,
}

/// What is held of base currencies, where holdings stand for positions.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Our position by our books when the session began, and the fills that are in it.
    ours: BTreeMap<InstrumentId, Lots>,
    booked: BTreeSet<(InstrumentId, u64)>,
    /// What was held then that is not our position.
    apart: BTreeMap<InstrumentId, Decimal>,
}

impl Holdings {
    pub(super) fn adopt(&mut self, account: &Account) {
        self.ours = account.positions.iter().copied().collect();
        self.booked = account.booked.iter().copied().collect();
    }

    /// Our position by what is held: what was there before the session does not count, and fees taken
    /// in the currency itself are added again. What traded while no session ran is in what is held first.
    fn position(&mut self, listing: &Listing, now: &Held) -> Option<Lots> {
        let gross = add(now.total, now.fees)?;
        let (id, lot) = (listing.id, listing.instrument.lot);
        if let Some(apart) = self.apart.get(&id) {
            return nearest_lots(add(gross, negated(*apart))?, lot);
        }
        let ours = self.ours.get(&id).copied().unwrap_or_default().0.checked_add(now.missed.0)?;
        if now.is_calm {
            let ours = Decimal::new(lot.mantissa().checked_mul(ours)?, lot.scale()).ok()?;
            self.apart.insert(id, add(gross, negated(ours))?);
        }
        Some(Lots(ours))
    }
}

/// What is held of a base currency, with what is known of it besides.
struct Held {
    total: Decimal,
    /// Fees that were taken in it.
    fees: Decimal,
    /// What traded of ours that was not in the books.
    missed: Lots,
    /// Nothing traded while it was asked for.
    is_calm: bool,
}

/// The whole number of lots next to a quantity.
fn nearest_lots(qty: Decimal, lot: Decimal) -> Option<Lots> {
    let scale = qty.scale().max(lot.scale());
    let (qty, lot) = (qty.to_scale(scale)?, lot.to_scale(scale)?);
    if lot <= 0 {
        return None;
    }
    i64::try_from((qty + lot / 2).div_euclid(lot)).ok().map(Lots)
}

impl VenueSession {
    pub(super) fn ask_account(&mut self, since_ns: TimeNs, now_ns: TimeNs, out: &mut Outbox) {
        if self.gather.is_some() || !self.settings.trades {
            return;
        }
        if !self.clock.is_known() {
            return self.later(now_ns + AGAIN_NS, Later::Account(since_ns));
        }
        self.gathers += 1;
        let number = self.gathers;
        // A session that begins has no fills from before it began.
        let since_ns = since_ns.max(self.first_fill_ns());
        let unnamed = self.ours.unnamed();
        self.gather = Some(Gather {
            number,
            since_ns,
            orders_left: unnamed.len(),
            parts_left: 0,
            account: Account { as_of_ns: now_ns, ..Account::default() },
            held: Vec::new(),
        });
        if unnamed.is_empty() {
            return self.ask_parts(now_ns, out);
        }
        for (order, instrument) in unnamed {
            let query = Query {
                order,
                instrument,
                version: 0,
                before: None,
                attempt: 0,
                cancels: false,
                account: Some(number),
                armed: false,
            };
            self.query(query, now_ns, out);
        }
    }

    /// The earliest time from which fills can be ours: an hour before the session, or the beginning of
    /// time when orders were taken over.
    fn first_fill_ns(&self) -> TimeNs {
        if self.ours.live().is_empty() {
            self.started_ns - 3_600_000 * MS
        } else {
            // Some venues list a week from the time that is asked for: it has to reach to now.
            self.started_ns - (7 * 86_400_000 - 3_600_000) * MS
        }
    }

    /// One of the orders that were taken over is known now.
    pub(super) fn adopted_one(&mut self, number: u64, now_ns: TimeNs, out: &mut Outbox) {
        let Some(gather) = self.gather.as_mut().filter(|one| one.number == number) else { return };
        gather.orders_left = gather.orders_left.saturating_sub(1);
        if gather.orders_left == 0 {
            self.ask_parts(now_ns, out);
        }
    }

    /// Asks for open orders, fills, and positions or balances, together.
    fn ask_parts(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let Some(gather) = &self.gather else { return };
        let (number, since_ms) = (gather.number, gather.since_ns.div_euclid(MS));
        let since_ms = since_ms + self.clock.offset().0.div_euclid(MS);
        let parts = self.parts(since_ms);
        if let Some(gather) = &mut self.gather {
            gather.parts_left = parts.len();
        }
        for part in parts {
            if !self.ask_part((number, part, 0), "", now_ns, out) {
                return self.account_failed(number, "the budget has nothing left", now_ns, out);
            }
        }
    }

    /// The lists that make up an account.
    fn parts(&self, since_ms: i64) -> Vec<Part> {
        let all = self.listings.all();
        let whole = match self.wiring.lists_by_settlement {
            true => {
                let first = one_of_each_settlement(all).into_iter();
                first.map(|at| Span::SettledAs(all[at].id)).collect()
            }
            false => vec![Span::All],
        };
        let orders = match all.len() < MANY {
            true => all.iter().map(|listing| Span::Of(listing.id)).collect(),
            false => whole.clone(),
        };
        let mut parts: Vec<Part> = orders.iter().map(|span| Part::Open(*span)).collect();
        for list in 0..self.wiring.armed_lists {
            parts.extend(orders.iter().map(|span| Part::Armed(*span, list)));
        }
        let fills = |listing: &Listing| Part::Fills { instrument: listing.id, since_ms };
        parts.extend(all.iter().map(fills));
        if self.wiring.positions {
            parts.extend(whole.into_iter().map(Part::Positions));
        }
        parts.push(Part::Balances);
        parts
    }

    /// Asks for a list, or for the rest of a long one.
    fn ask_part(
        &mut self,
        (number, part, page): (u64, Part, u32),
        after: &str,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> bool {
        let listings = Arc::clone(&self.listings);
        let narrow = |span: Span| match span {
            Span::All => (None, ""),
            Span::Of(id) => (listings.of_id(id), ""),
            Span::SettledAs(id) => (None, listings.of_id(id).map_or("", |l| l.instrument.settle())),
        };
        let orders_page = self.wiring.orders_page;
        let (of, settled_in, limit) = match part {
            Part::Open(span) => {
                let (listing, settled_in) = narrow(span);
                (Operation::OpenOrders(listing), settled_in, orders_page)
            }
            Part::Armed(span, list) => {
                let (listing, settled_in) = narrow(span);
                (Operation::ArmedOrders { listing, list }, settled_in, orders_page)
            }
            Part::Fills { instrument, since_ms } => {
                let Some(listing) = listings.of_id(instrument) else { return false };
                (Operation::Fills { listing, since_ms, limit: self.wiring.fills_page }, "", 0)
            }
            Part::Positions(span) => {
                let (listing, settled_in) = narrow(span);
                (Operation::Positions(listing), settled_in, 0)
            }
            Part::Balances => (Operation::Balances, "", 0),
        };
        let about = About::Account(number, part, page);
        if settled_in.is_empty() && after.is_empty() && limit == 0 {
            return self.ask(&of, about, now_ns, out);
        }
        self.ask(&Operation::Page(Page { of: &of, settled_in, limit, after }), about, now_ns, out)
    }

    /// It cannot be answered now; it is asked again in a while.
    pub(super) fn account_failed(
        &mut self,
        number: u64,
        why: &str,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let Some(gather) = self.gather.take_if(|one| one.number == number) else { return };
        note(out, Level::Warning, "account", format!("the account could not be read: {why}"));
        let at_ns = self.budgets.blocked_until_ns().max(now_ns + AGAIN_NS);
        self.later(at_ns, Later::Account(gather.since_ns));
    }

    /// A part of the answer came.
    pub(super) fn account_part(
        &mut self,
        call: &Call,
        (number, part, page): (u64, Part, u32),
        reply: &Reply<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let (ours, gather) = (&mut self.ours, &mut self.gather);
        let Some(gather) = gather.as_mut().filter(|one| one.number == number) else { return };
        let (account, held) = (&mut gather.account, &mut gather.held);
        let listings = &self.listings;
        let positions = self.wiring.positions;
        let mut told = ListTold::default();
        let result = self.venue.answer(&call.shape, reply, &mut |fact| match (part, &fact) {
            (_, Fact::More(after)) => told.after = Some((*after).to_owned()),
            (Part::Open(_) | Part::Armed(..), Fact::Order(order)) => {
                account.open.extend(ours.open_order(order, account.as_of_ns, now_ns, out));
            }
            (Part::Fills { .. }, Fact::Fill(fill)) => {
                told.note_fill(fill.time_ns.unwrap_or(0) / MS);
                ours.listed_fill(fill, now_ns, account, out);
            }
            (Part::Positions(_), Fact::Position(position)) => {
                add_position(&mut account.positions, ours.position(position));
            }
            (Part::Balances, Fact::Balance(balance)) => {
                out.tell(Told::Balance(Balance {
                    currency: balance.currency.to_owned(),
                    total: balance.total,
                    free: balance.free,
                }));
                if positions {
                    return;
                }
                let of =
                    listings.all().iter().filter(|one| one.instrument.base == balance.currency);
                held.extend(of.map(|listing| (listing.id, balance.total)));
            }
            _ => {}
        });
        if let Err(failure) = result {
            if let crate::failure::FailureClass::RateLimited { wait_ms, .. } = failure.class {
                let wait_ns = wait_ms.unwrap_or(1_000).min(86_400_000) as i64 * MS;
                self.budgets.block(now_ns + wait_ns);
            }
            return self.account_failed(number, &failure.to_string(), now_ns, out);
        }
        let Some((part, after)) = self.goes_on(part, told) else { return self.one_part_less(out) };
        if page == MAX_PAGES {
            return self.account_failed(number, "a list has no end", now_ns, out);
        }
        if !self.ask_part((number, part, page + 1), &after, now_ns, out) {
            self.account_failed(number, "the budget has nothing left", now_ns, out);
        }
    }

    /// What has to be asked for yet of a list of which a part came.
    fn goes_on(&self, part: Part, told: ListTold) -> Option<(Part, String)> {
        let Part::Fills { instrument, since_ms } = part else {
            return told.after.map(|after| (part, after));
        };
        if self.wiring.fills_ascend {
            let since_ms = told.last_ms.max(since_ms + 1);
            let rest = Part::Fills { instrument, since_ms };
            return (told.fills >= self.wiring.fills_page).then(|| (rest, String::new()));
        }
        // A list from the newest on has all that is wanted once its oldest is from before that.
        told.after.filter(|_| told.first_ms >= since_ms).map(|after| (part, after))
    }

    fn one_part_less(&mut self, out: &mut Outbox) {
        let Some(gather) = &mut self.gather else { return };
        gather.parts_left = gather.parts_left.saturating_sub(1);
        if gather.parts_left > 0 {
            return;
        }
        let Some(mut gather) = self.gather.take() else { return };
        let Account { fills, foreign, .. } = &mut gather.account;
        // Parts of a list may overlap, and some venues list all instruments each time.
        let mut seen = BTreeSet::new();
        fills.retain(|one| one.trade_id == 0 || seen.insert((one.event.order.0, one.trade_id)));
        seen.clear();
        foreign.retain(|one| {
            one.report.trade_id == 0 || seen.insert((one.venue_order, one.report.trade_id))
        });
        fills.sort_by_key(|fill| fill.event.exch_ns);
        foreign.sort_by_key(|fill| fill.report.event.exch_ns);
        self.take_holdings(&mut gather);
        self.ours.listed(&gather.account);
        out.tell(Told::Account(gather.account));
    }

    /// Positions by what is held, once every list is there: what traded may be in one that came later.
    fn take_holdings(&mut self, gather: &mut Gather) {
        let listings = Arc::clone(&self.listings);
        let account = &mut gather.account;
        for (id, total) in std::mem::take(&mut gather.held) {
            let Some(listing) = listings.of_id(id) else { continue };
            let news = account.fills.iter().filter(|fill| {
                !self.holdings.booked.contains(&(id, fill.trade_id))
                    && self.ours.instrument_of(fill.event.order) == Some(id)
            });
            let held = Held {
                total,
                fees: self.ours.base_fee(id),
                missed: Lots(news.map(|fill| self.ours.signed_lots(fill)).sum()),
                is_calm: self.ours.last_fill_ns < account.as_of_ns,
            };
            let lots = self.holdings.position(listing, &held);
            account.positions.extend(lots.map(|lots| (id, lots)));
        }
    }
}
