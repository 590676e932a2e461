//! A look at a venue before money is at risk: the clock, the rules, what key and account may do, what
//! trading costs, what is there already. It sends nothing that changes anything.

use std::collections::VecDeque;

use mainspring_core::report::Account;
use mainspring_core::{Decimal, Request, TimeNs};
use serde::Serialize;

use super::calls::Calls;
use super::clock::VenueClock;
use super::effect::{Addresses, Effect, Outbox};
use super::input::{CallId, Input};
use super::Session;
use crate::civil::push_iso_ms;
use crate::fact::{Fact, Notice, RightsFact};
use crate::failure::Failure;
use crate::listing::{one_of_each_settlement, Listing};
use crate::operation::{Operation, Page};
use crate::outgoing::{Host, Outgoing, Reply, Urgency, Via};
use crate::venue::Venue;

/// How often the clock is asked.
const CLOCKS: usize = 3;

/// A clock that is off by more than this deserves a word; sessions correct for it.
const CLOCK_WARNING_MS: i64 = 250;

/// A balance that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundBalance {
    /// Currency.
    pub currency: String,
    /// All of it.
    pub total: Decimal,
    /// What can be used.
    pub free: Option<Decimal>,
}

/// An instrument that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundInstrument {
    /// The venue's symbol.
    pub symbol: String,
    /// Least step of prices.
    pub tick: Decimal,
    /// Least step of quantities.
    pub lot: Decimal,
    /// Least quantity.
    pub min_qty: String,
    /// Least value of an order.
    pub min_notional: Decimal,
    /// Whether the venue takes orders.
    pub trading: bool,
    /// Fee as maker, where the venue says it.
    pub maker_fee: Option<Decimal>,
    /// Fee as taker, where the venue says it.
    pub taker_fee: Option<Decimal>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CheckReport {
    /// The venue's name.
    pub venue: String,
    /// Its time is ours and so much, in ms.
    pub clock_offset_ms: Option<i64>,
    /// Give or take so much, in ms.
    pub clock_error_ms: Option<i64>,
    /// Whether the key may trade.
    pub may_trade: Option<bool>,
    /// Whether the key, or what it belongs to, may take money out.
    pub may_withdraw: Option<bool>,
    /// Whether the key works from named addresses alone.
    pub bound_to_address: Option<bool>,
    /// Whether long and short positions are kept apart.
    pub hedge_mode: Option<bool>,
    /// The instruments that were asked for.
    pub instruments: Vec<FoundInstrument>,
    /// What the account holds.
    pub balances: Vec<FoundBalance>,
    /// Positions: symbol and quantity.
    pub positions: Vec<(String, Decimal)>,
    /// Open orders in the instruments.
    pub open_orders: usize,
    /// Why trading must not begin.
    pub problems: Vec<String>,
    /// What a person should look at.
    pub warnings: Vec<String>,
}

impl CheckReport {
    /// Whether trading may begin.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

/// So long before its delivery a future is not traded any more.
const LAST_DAY_MS: i64 = 86_400_000;

/// What is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Time,
    Instruments,
    KeyRights,
    AccountRights,
    PositionMode,
    Fees(usize),
    Balances,
    /// All, or those that are settled as one of the instruments.
    Positions(Option<usize>),
    OpenOrders(usize),
}

/// The check as a machine: one question after the other.
pub struct CheckUp {
    venue: Box<dyn Venue>,
    addresses: Addresses,
    symbols: Vec<String>,
    has_key: bool,
    listings: Vec<Listing>,
    report: CheckReport,
    steps: VecDeque<Step>,
    current: Option<(u64, Step, TimeNs)>,
    calls: Calls,
    clock: VenueClock,
    scratch: Outgoing,
    done: bool,
}

impl CheckUp {
    /// For these symbols of a venue; without a key only what anybody may see is looked at.
    #[must_use]
    pub fn new(
        venue: Box<dyn Venue>,
        addresses: Addresses,
        symbols: Vec<String>,
        has_key: bool,
    ) -> Self {
        let mut steps: VecDeque<Step> = std::iter::repeat_n(Step::Time, CLOCKS).collect();
        steps.push_back(Step::Instruments);
        if has_key {
            steps.extend([Step::KeyRights, Step::AccountRights]);
            steps.extend(venue.wiring().positions.then_some(Step::PositionMode));
            steps.push_back(Step::Balances);
            let wiring = venue.wiring();
            let whole = wiring.positions && !wiring.lists_by_settlement;
            steps.extend(whole.then_some(Step::Positions(None)));
        }
        let report = CheckReport { venue: venue.name().to_owned(), ..CheckReport::default() };
        Self {
            venue,
            addresses,
            symbols,
            has_key,
            listings: Vec::new(),
            report,
            steps,
            current: None,
            calls: Calls::default(),
            clock: VenueClock::default(),
            scratch: Outgoing::new(),
            done: false,
        }
    }

    /// Whether everything was asked.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// What was found.
    #[must_use]
    pub const fn report(&self) -> &CheckReport {
        &self.report
    }

    /// The instruments that were asked for, with the account's fees.
    #[must_use]
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// Says that it could not be carried through.
    pub fn give_up(&mut self, why: &str) {
        self.report.problems.push(why.to_owned());
        self.done = true;
    }

    fn next(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        while let Some(step) = self.steps.pop_front() {
            if self.ask(step, now_ns, out) {
                return;
            }
        }
        self.done = true;
        self.conclude(now_ns);
    }

    fn ask(&mut self, step: Step, now_ns: TimeNs, out: &mut Outbox) -> bool {
        let positions = Operation::Positions(None);
        let operation = match step {
            Step::Time => Operation::Time,
            Step::Instruments => Operation::Instruments,
            Step::KeyRights => Operation::Rights { of_key: true },
            Step::AccountRights => Operation::Rights { of_key: false },
            Step::PositionMode => Operation::PositionMode,
            Step::Balances => Operation::Balances,
            Step::Positions(None) => positions,
            Step::Positions(Some(at)) => Operation::Page(Page {
                of: &positions,
                settled_in: self.listings[at].instrument.settle(),
                limit: 0,
                after: "",
            }),
            Step::Fees(at) => Operation::Fees(&self.listings[at]),
            Step::OpenOrders(at) => Operation::OpenOrders(Some(&self.listings[at])),
        };
        let now_ms = self.clock.venue_ms(now_ns);
        if self.venue.encode(&operation, Via::Http, now_ms, &mut self.scratch).is_err() {
            // The venue has no such question.
            return false;
        }
        let id = self.calls.next();
        self.current = Some((id, step, now_ns));
        let base = match self.scratch.host {
            Host::Chain => &self.addresses.chain,
            Host::Rest | Host::Trade | Host::User => &self.addresses.rest,
        };
        out.ask(Effect::Http {
            id: CallId(id),
            urgency: Urgency::Question,
            method: self.scratch.method,
            url: format!("{base}{}", self.scratch.target),
            headers: self.scratch.headers().map(|(name, value)| (name, value.to_owned())).collect(),
            body: self.scratch.body.clone(),
        });
        true
    }

    fn answered(&mut self, step: Step, sent_ns: TimeNs, reply: &Reply<'_>, now_ns: TimeNs) {
        if step == Step::Instruments && (200..300).contains(&reply.status) {
            return self.instruments(reply.body);
        }
        let (report, listings, clock) = (&mut self.report, &mut self.listings, &mut self.clock);
        let result = self.venue.answer(&self.scratch, reply, &mut |fact| match fact {
            Fact::Notice(Notice::ServerTime(time_ns)) => clock.measure(sent_ns, now_ns, time_ns),
            Fact::Rights(rights) => take_rights(report, &rights),
            Fact::Fees { maker, taker, .. } => {
                if let Step::Fees(at) = step {
                    let instrument = &mut listings[at].instrument;
                    (instrument.maker_fee, instrument.taker_fee) = (maker, taker);
                    let found = &mut report.instruments[at];
                    (found.maker_fee, found.taker_fee) = (Some(maker), Some(taker));
                }
            }
            Fact::Balance(balance) if balance.total != Decimal::ZERO => {
                report.balances.push(FoundBalance {
                    currency: balance.currency.to_owned(),
                    total: balance.total,
                    free: balance.free,
                });
            }
            Fact::Position(position) if matches!(step, Step::Positions(_)) => {
                if position.hedged {
                    report.hedge_mode = Some(true);
                }
                if position.qty != Decimal::ZERO {
                    report.positions.push((position.symbol.to_owned(), position.qty));
                }
            }
            Fact::Order(_) => report.open_orders += 1,
            _ => {}
        });
        if let Err(failure) = result {
            self.refused(step, &failure);
        }
    }

    /// What could not be learnt: trading without some of it must not begin.
    fn refused(&mut self, step: Step, failure: &Failure) {
        let text = match step {
            // Some venues and keys do not tell it: the account's own rights are asked next.
            Step::KeyRights => return,
            Step::Time if self.clock.is_known() => return,
            Step::Time => format!("the venue's clock: {failure}"),
            Step::Instruments => format!("the instruments: {failure}"),
            Step::Balances => format!("the balances: {failure}"),
            Step::Positions(_) => format!("the positions: {failure}"),
            Step::OpenOrders(_) => format!("the open orders: {failure}"),
            Step::AccountRights | Step::PositionMode | Step::Fees(_) => {
                self.report.warnings.push(format!("{step:?} could not be read: {failure}"));
                return;
            }
        };
        if !self.report.problems.contains(&text) {
            self.report.problems.push(text);
        }
    }

    fn instruments(&mut self, body: &[u8]) {
        let listed = match self.venue.instruments(body) {
            Ok(listed) => listed,
            Err(error) => return self.report.problems.push(error.message().to_owned()),
        };
        for symbol in std::mem::take(&mut self.symbols) {
            let Some(found) = listed.iter().find(|one| one.symbol() == symbol) else {
                let text = format!("{} does not list {symbol}", self.venue.name());
                self.report.problems.push(text);
                continue;
            };
            let id = mainspring_core::InstrumentId(self.listings.len() as u16);
            let listing = Listing { id, ..found.clone() };
            let instrument = &listing.instrument;
            self.report.instruments.push(FoundInstrument {
                symbol,
                tick: instrument.tick(),
                lot: instrument.lot,
                min_qty: listing.qty_text(instrument.min_qty),
                min_notional: instrument.min_notional,
                trading: listing.trading,
                maker_fee: None,
                taker_fee: None,
            });
            self.listings.push(listing);
        }
        if self.has_key {
            if self.venue.wiring().positions && self.venue.wiring().lists_by_settlement {
                let first = one_of_each_settlement(&self.listings);
                self.steps.extend(first.into_iter().map(|at| Step::Positions(Some(at))));
            }
            self.steps.extend((0..self.listings.len()).map(Step::Fees));
            self.steps.extend((0..self.listings.len()).map(Step::OpenOrders));
        }
    }

    /// What all of it means.
    fn conclude(&mut self, now_ns: TimeNs) {
        let report = &mut self.report;
        if self.clock.is_known() {
            let (offset_ns, error_ns) = self.clock.offset();
            let (offset_ms, error_ms) = (offset_ns / 1_000_000, error_ns / 1_000_000);
            (report.clock_offset_ms, report.clock_error_ms) = (Some(offset_ms), Some(error_ms));
            if offset_ms.abs() > CLOCK_WARNING_MS {
                report.warnings.push(format!(
                    "this machine's clock is {offset_ms} ms behind the venue's; requests are stamped by \
                     the venue's, but set the clock right"
                ));
            }
        }
        for one in report.instruments.iter().filter(|one| !one.trading) {
            report.problems.push(format!("the venue takes no orders in {} now", one.symbol));
        }
        if !self.has_key {
            return;
        }
        look_at_expiries(&self.listings, self.clock.venue_ms(now_ns), report);
        if report.may_trade == Some(false) {
            report.problems.push("the key may not trade".to_owned());
        }
        match report.may_withdraw {
            Some(true) => report.warnings.push(
                "withdrawals are allowed: make a key that may trade and nothing else".to_owned(),
            ),
            Some(false) => {}
            None => report
                .warnings
                .push("the venue does not say whether the key may withdraw: look there".to_owned()),
        }
        let untold = report.instruments.iter().any(|one| one.taker_fee.is_none());
        if untold {
            let text = "the venue does not say what the account pays: give its fees, or those of \
                        the list of instruments count until a fill tells";
            report.warnings.push(text.to_owned());
        }
        if report.bound_to_address == Some(false) {
            let text = "the key works from any address: bind it to this machine's".to_owned();
            report.warnings.push(text);
        }
        if report.hedge_mode == Some(true) {
            let text = "long and short positions are kept apart (hedge mode): this engine nets \
                        positions; set the account to one-way mode";
            report.problems.push(text.to_owned());
        }
        if report.open_orders > 0 {
            let text = format!("{} orders are open already", report.open_orders);
            report.warnings.push(text);
        }
    }
}

/// The engine knows no end of an instrument: what is delivered soon is not traded by it.
fn look_at_expiries(listings: &[Listing], now_ms: i64, report: &mut CheckReport) {
    for listing in listings {
        let Some(expires_ns) = listing.expires_ns else { continue };
        let expires_ms = expires_ns.div_euclid(1_000_000);
        let mut at = String::new();
        push_iso_ms(&mut at, expires_ms);
        let what = format!("{} is a dated future, delivered at {at}", listing.symbol());
        if expires_ms - now_ms < LAST_DAY_MS {
            report.problems.push(format!(
                "{what}: within a day of that it is not traded here; take a later one or a perpetual"
            ));
        } else {
            report.warnings.push(format!(
                "{what}: the engine does not know that day; end the session and close the position before"
            ));
        }
    }
}

/// Rights of the key come first and are not overwritten by those of the account.
fn take_rights(report: &mut CheckReport, rights: &RightsFact) {
    report.may_trade = report.may_trade.or(rights.trade);
    report.may_withdraw = report.may_withdraw.or(rights.withdraw);
    report.bound_to_address = report.bound_to_address.or(rights.bound_to_address);
    report.hedge_mode = report.hedge_mode.or(rights.hedge_mode);
}

impl Session for CheckUp {
    fn venue(&self) -> &str {
        self.venue.name()
    }

    fn adopt(&mut self, _account: &Account) {}

    fn start(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        self.next(now_ns, out);
    }

    fn handle(&mut self, input: Input<'_>, now_ns: TimeNs, out: &mut Outbox) {
        match input {
            Input::Response { id, status, headers, body } => {
                let Some((current, step, sent_ns)) = self.current else { return };
                if current != id.0 {
                    return;
                }
                self.current = None;
                self.answered(step, sent_ns, &Reply { status, headers, body }, now_ns);
                self.next(now_ns, out);
            }
            Input::Failed { id, reason, .. }
                if self.current.is_some_and(|(current, ..)| current == id.0) =>
            {
                self.give_up(&format!("the venue cannot be reached: {reason}"));
            }
            _ => {}
        }
    }

    fn request(&mut self, _request: &Request, _now_ns: TimeNs, _out: &mut Outbox) {}

    fn stop(&mut self, _now_ns: TimeNs, _out: &mut Outbox) {
        self.done = true;
    }
}
