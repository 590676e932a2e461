//! The answer to a question about the account, gathered from several answers of the venue.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_core::report::Account;
use mainspring_core::{Decimal, InstrumentId, Lots, TimeNs};

use super::calls::{About, Call, Later, Part, Query};
use super::effect::Outbox;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::told::{Balance, Level, Told};
use crate::amount::{add, negated};
use crate::fact::Fact;
use crate::listing::Listing;
use crate::operation::Operation;
use crate::outgoing::Reply;

/// From so many instruments on, all open orders are asked for at once.
const MANY: usize = 5;

/// A question about the account on its way.
#[derive(Debug)]
pub(super) struct Gather {
    number: u64,
    since_ns: TimeNs,
    /// Orders whose id at the venue has to be known before fills can be told apart.
    orders_left: usize,
    parts_left: usize,
    account: Account,
}

/// What is held of base currencies, where holdings stand for positions.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Our position by our books when the session began.
    ours: BTreeMap<InstrumentId, Lots>,
    /// What was held then that is not our position.
    apart: BTreeMap<InstrumentId, Decimal>,
}

impl Holdings {
    pub(super) fn adopt(&mut self, account: &Account) {
        self.ours = account.positions.iter().copied().collect();
    }

    /// Our position by what is held: what was there before the session does not count, and fees taken
    /// in the currency itself are added again.
    fn position(&mut self, listing: &Listing, held: Decimal, fees: Decimal) -> Option<Lots> {
        let gross = add(held, fees)?;
        let id = listing.id;
        if let std::collections::btree_map::Entry::Vacant(slot) = self.apart.entry(id) {
            let ours = self.ours.get(&id).copied().unwrap_or_default();
            let lot = listing.instrument.lot;
            let ours = Decimal::new(lot.mantissa().checked_mul(ours.0)?, lot.scale()).ok()?;
            slot.insert(add(gross, negated(ours))?);
        }
        let ours = add(gross, negated(*self.apart.get(&id)?))?;
        nearest_lots(ours, listing.instrument.lot)
    }
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
            self.started_ns - 7 * 86_400_000 * MS
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
        let listings = Arc::clone(&self.listings);
        let mut parts: Vec<(Operation<'_>, Part)> = Vec::new();
        if listings.all().len() < MANY {
            let each =
                listings.all().iter().map(|one| (Operation::OpenOrders(Some(one)), Part::Open));
            parts.extend(each);
        } else {
            parts.push((Operation::OpenOrders(None), Part::Open));
        }
        for listing in listings.all() {
            let limit = self.wiring.fills_page;
            let operation = Operation::Fills { listing, since_ms, limit };
            parts.push((operation, Part::Fills { instrument: listing.id, since_ms }));
        }
        if self.wiring.positions {
            parts.push((Operation::Positions(None), Part::Positions));
        }
        parts.push((Operation::Balances, Part::Balances));
        if let Some(gather) = &mut self.gather {
            gather.parts_left = parts.len();
        }
        for (operation, part) in parts {
            if !self.ask(&operation, About::Account(number, part), now_ns, out) {
                return self.account_failed(number, "the budget has nothing left", now_ns, out);
            }
        }
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
        number: u64,
        part: Part,
        reply: &Reply<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let (ours, gather) = (&mut self.ours, &mut self.gather);
        let Some(gather) = gather.as_mut().filter(|one| one.number == number) else { return };
        let account = &mut gather.account;
        let (listings, holdings) = (&self.listings, &mut self.holdings);
        let positions = self.wiring.positions;
        let (mut fills, mut last_ms) = (0_u32, 0_i64);
        let result = self.venue.answer(&call.shape, reply, &mut |fact| match (part, &fact) {
            (Part::Open, Fact::Order(order)) => account.open.extend(ours.open_order(order, out)),
            (Part::Fills { .. }, Fact::Fill(fill)) => {
                fills += 1;
                last_ms = last_ms.max(fill.time_ns.unwrap_or(0) / MS);
                ours.listed_fill(fill, now_ns, account, out);
            }
            (Part::Positions, Fact::Position(position)) => {
                account.positions.extend(ours.position(position));
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
                for listing in of {
                    let fees = ours.base_fee(listing.id);
                    let lots = holdings.position(listing, balance.total, fees);
                    account.positions.extend(lots.map(|lots| (listing.id, lots)));
                }
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
        if let Part::Fills { instrument, since_ms } = part {
            if fills >= self.wiring.fills_page {
                let since_ms = last_ms.max(since_ms + 1);
                return self.ask_more_fills(number, instrument, since_ms, now_ns, out);
            }
        }
        self.one_part_less(out);
    }

    fn ask_more_fills(
        &mut self,
        number: u64,
        instrument: InstrumentId,
        since_ms: i64,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        let operation = Operation::Fills { listing, since_ms, limit: self.wiring.fills_page };
        let about = About::Account(number, Part::Fills { instrument, since_ms });
        if !self.ask(&operation, about, now_ns, out) {
            self.account_failed(number, "the budget has nothing left", now_ns, out);
        }
    }

    fn one_part_less(&mut self, out: &mut Outbox) {
        let Some(gather) = &mut self.gather else { return };
        gather.parts_left = gather.parts_left.saturating_sub(1);
        if gather.parts_left > 0 {
            return;
        }
        let Some(mut gather) = self.gather.take() else { return };
        gather.account.fills.sort_by_key(|fill| fill.event.exch_ns);
        gather.account.foreign.sort_by_key(|fill| fill.report.event.exch_ns);
        self.ours.listed(&gather.account);
        out.tell(Told::Account(gather.account));
    }
}
