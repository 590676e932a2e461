//! The network between the engine and the venue: it loses, delays, doubles and reorders.

use std::cmp::Reverse;

use mainspring_core::event::MarketRow;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, ForeignReport, InstrumentId, RejectReason, Result, Ticks, TimeNs, VenueRequest,
    VenueRequestKind,
};
use mainspring_kernel::session::{Answer, Command, Report, Request};

use crate::engine::batch;
use crate::faults::Fault;
use crate::venue::Said;
use crate::world::{World, MS, SECOND};

/// Something on its way.
#[derive(Debug)]
pub(crate) enum Item {
    /// Requests that left together, and when.
    ToVenue(Vec<Request>, TimeNs),
    Report(Report),
    Foreign(ForeignReport),
    /// The answer to requests that left together.
    Batch(Vec<Said>),
    Answer(ClientOrderId, Answer),
    /// What the account is, and how many fills there had been.
    Account(Account, usize),
    Market(Vec<MarketRow>),
    LinkUp,
    /// A person lifts a halt.
    Rearm,
}

impl Item {
    const fn of(said: Said) -> Self {
        match said {
            Said::Ours(report) => Self::Report(report),
            Said::Foreign(foreign) => Self::Foreign(foreign),
        }
    }

    /// Whether it says or asks something about one order of the venue.
    pub(crate) fn is_about(&self, venue_order: ClientOrderId) -> bool {
        let said = |said: &Said| match said {
            Said::Ours(report) => report.event.order == venue_order,
            Said::Foreign(foreign) => foreign.venue_order == venue_order.0,
        };
        match self {
            Self::Report(report) => report.event.order == venue_order,
            Self::Foreign(foreign) => foreign.venue_order == venue_order.0,
            Self::Batch(all) => all.iter().any(said),
            Self::ToVenue(requests, _) => requests.iter().any(|request| match request {
                Request::Order(request) => request.order == venue_order,
                Request::ForeignAmend { standing, .. } => standing.venue_order == venue_order.0,
                Request::ForeignCancel { venue_order: id, .. } => *id == venue_order.0,
                _ => false,
            }),
            _ => false,
        }
    }

    /// Whether it is lost with the connection, or with the process.
    const fn is_inbound(&self) -> bool {
        !matches!(self, Self::ToVenue(..) | Self::LinkUp | Self::Rearm)
    }
}

impl World {
    /// Puts statements of the venue on their way to us.
    pub(crate) fn send_reports(&mut self, reports: Vec<Said>) {
        for said in reports {
            if !self.connected {
                continue;
            }
            let mut delay = self.chance.between(MS, 4 * MS);
            if !self.quiet && self.chance.one_in(60) {
                self.faults.fire(Fault::LostReport);
                continue;
            }
            if !self.quiet && self.chance.one_in(60) {
                self.faults.fire(Fault::LateReport);
                delay += self.chance.between(20 * MS, 4 * SECOND);
            }
            if !self.quiet && self.chance.one_in(60) {
                self.faults.fire(Fault::DoubledReport);
                let again = delay + self.chance.between(MS, 2 * SECOND);
                self.push(self.now_ns + again, Item::of(said));
            }
            self.push(self.now_ns + delay, Item::of(said));
        }
    }

    pub(crate) fn push(&mut self, at_ns: TimeNs, item: Item) {
        self.items.push(Reverse((at_ns, self.next_item)));
        self.store.insert(self.next_item, (self.connection, item));
        self.next_item += 1;
    }

    /// Delivers what is due.
    pub(crate) fn deliver(&mut self) -> Result<()> {
        while let Some(Reverse((at_ns, id))) = self.items.peek().copied() {
            if at_ns > self.now_ns {
                break;
            }
            self.items.pop();
            let Some((connection, item)) = self.store.remove(&id) else { continue };
            if item.is_inbound() && (connection != self.connection || !self.connected) {
                continue;
            }
            self.deliver_one(item)?;
            self.send()?;
        }
        Ok(())
    }

    fn deliver_one(&mut self, item: Item) -> Result<()> {
        match item {
            Item::ToVenue(requests, asked_ns) => {
                self.at_venue(&requests, asked_ns);
                Ok(())
            }
            Item::Batch(answers) => {
                answers.into_iter().try_for_each(|said| self.deliver_one(Item::of(said)))
            }
            Item::Report(mut report) => self.tell(|session, now_ns| {
                report.event.recv_ns = now_ns;
                session.report(&report)
            }),
            Item::Foreign(mut foreign) => self.tell(|session, now_ns| {
                foreign.report.event.recv_ns = now_ns;
                session.foreign(0, &foreign)
            }),
            Item::Answer(order, answer) => {
                self.tell(|session, now_ns| session.answer(now_ns, order, answer))
            }
            Item::Account(mut account, fills) => {
                let (life, as_of_ns) = (self.lives, account.as_of_ns);
                self.tell(|session, now_ns| {
                    let foreign = account.foreign.iter_mut().map(|foreign| &mut foreign.report);
                    account.fills.iter_mut().chain(foreign).for_each(|f| f.event.recv_ns = now_ns);
                    session.account(now_ns, 0, &account)
                })?;
                if self.lives == life {
                    self.reconciled(fills, as_of_ns)?;
                }
                Ok(())
            }
            Item::Market(mut rows) => self.tell(|session, now_ns| {
                rows.iter_mut().for_each(|row| row.recv_ns = now_ns);
                session.market(InstrumentId(0), Ticks(0), &rows)
            }),
            Item::Rearm if self.quiet => Ok(()),
            Item::Rearm => {
                let rearm = Command::Rearm { reason: "all is well".into() };
                self.tell(|session, now_ns| session.command(now_ns, &rearm))
            }
            Item::LinkUp => {
                self.connected = true;
                self.feed_broken = true;
                self.tell(|session, now_ns| session.link(now_ns, 0, true))
            }
        }
    }

    /// Requests of ours reach the venue.
    fn at_venue(&mut self, requests: &[Request], asked_ns: TimeNs) {
        if let [request] = requests {
            return self.one_at_venue(request, asked_ns);
        }
        let refused = if !self.quiet && self.chance.one_in(12) {
            self.faults.fire(Fault::PartlyRefusedBatch);
            Some(self.chance.next() as usize % requests.len())
        } else {
            None
        };
        let mut said = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            let Request::Order(request) = request else { continue };
            if refused == Some(at) {
                let reason = RejectReason::Overloaded;
                said.extend(self.venue.refuse(request, reason, self.now_ns));
            } else {
                said.extend(self.venue.on_request(request, self.now_ns));
            }
        }
        self.answer_batch(said);
    }

    /// What became of each request is told together, fills by themselves.
    fn answer_batch(&mut self, said: Vec<Said>) {
        let (fills, answers): (Vec<Said>, Vec<Said>) = said.into_iter().partition(Said::is_fill);
        if self.connected {
            let at_ns = self.now_ns + self.chance.between(MS, 4 * MS);
            if !self.quiet && self.chance.one_in(20) {
                self.faults.fire(Fault::DoubledBatch);
                let again_ns = at_ns + self.chance.between(MS, 2 * SECOND);
                self.push(again_ns, Item::Batch(answers.clone()));
            }
            if !self.quiet && self.chance.one_in(20) {
                self.faults.fire(Fault::LostBatch);
            } else {
                self.push(at_ns, Item::Batch(answers));
            }
        }
        self.send_reports(fills);
    }

    /// Something of ours reaches the venue by itself.
    fn one_at_venue(&mut self, request: &Request, asked_ns: TimeNs) {
        let back_ns = self.now_ns + self.chance.between(MS, 5 * MS);
        match request {
            Request::Order(request) => {
                let reports = match self.refusal() {
                    Some(reason) => self.venue.refuse(request, reason, self.now_ns),
                    None => self.venue.on_request(request, self.now_ns),
                };
                self.send_reports(reports);
            }
            Request::OrderQuery { .. } | Request::AccountQuery { .. } if self.is_silent() => {}
            Request::OrderQuery { order, .. } => {
                let answer = self.venue.answer(*order);
                self.push(back_ns, Item::Answer(*order, answer));
            }
            Request::AccountQuery { since_ns, .. } => {
                let account = self.venue.account(*since_ns, asked_ns);
                self.push(back_ns, Item::Account(account, self.venue.fills()));
            }
            Request::ForeignCancel { venue_order, .. } => {
                let reports = self.venue.cancel_by_id(*venue_order, self.now_ns);
                self.send_reports(reports);
            }
            Request::ForeignAmend { standing, price, qty } => {
                let kind = VenueRequestKind::Amend {
                    instrument: standing.instrument,
                    price: *price,
                    qty: *qty,
                };
                let sent_ns = self.now_ns;
                let reports = match self.refusal() {
                    Some(reason) => {
                        let ours = VenueRequest { order: standing.order, sent_ns, kind };
                        self.venue.refuse(&ours, reason, self.now_ns)
                    }
                    None => {
                        let order = ClientOrderId(standing.venue_order);
                        let theirs = VenueRequest { order, sent_ns, kind };
                        self.venue.on_request(&theirs, self.now_ns)
                    }
                };
                self.send_reports(reports);
            }
            Request::ForeignAdopted { .. } => {}
        }
    }

    /// Why the venue refuses what it did not even look at, if it does.
    fn refusal(&mut self) -> Option<RejectReason> {
        if self.quiet {
            return None;
        }
        if self.chance.one_in(50) {
            self.faults.fire(Fault::RateLimit);
            return Some(RejectReason::Overloaded);
        }
        if self.chance.one_in(70) {
            self.faults.fire(Fault::Refusal);
            return Some(RejectReason::Halted);
        }
        None
    }

    /// Sends what the engine has let out, together what may leave together.
    ///
    /// # Errors
    /// When something leaves that the journal does not have.
    pub(crate) fn send(&mut self) -> Result<()> {
        let mut requests = std::mem::take(&mut self.requests);
        self.session.take_requests(&mut requests);
        requests.retain(|request| !matches!(request, Request::ForeignAdopted { .. }));
        self.disk.ask(|witness| witness.let_out(&requests))?;
        for together in batches(&requests, batch(self.plan.seed)) {
            self.sent += together.iter().filter(|r| matches!(r, Request::Order(_))).count() as u64;
            let lost = !self.quiet && self.chance.one_in(70);
            if lost || !self.connected {
                self.faults.fire(Fault::LostRequest);
                continue;
            }
            let delay = if !self.quiet && self.chance.one_in(80) {
                self.chance.between(10 * MS, 3 * SECOND)
            } else {
                self.chance.between(MS, 4 * MS)
            };
            let asked_ns = self.session.now_ns();
            self.push(self.now_ns + delay, Item::ToVenue(together, asked_ns));
        }
        requests.clear();
        self.requests = requests;
        Ok(())
    }
}

/// Requests as they leave: cancels together, then new orders, at most `most` in one; the rest by
/// themselves.
fn batches(requests: &[Request], most: usize) -> Vec<Vec<Request>> {
    let kind_of = |request: &&Request| match request {
        Request::Order(VenueRequest { kind: VenueRequestKind::Cancel { .. }, .. }) => 0,
        Request::Order(VenueRequest { kind: VenueRequestKind::New(_), .. }) => 1,
        _ => 2,
    };
    let mut leaving = Vec::new();
    for (kind, most) in [(0, most), (1, most), (2, 1)] {
        let alike: Vec<Request> =
            requests.iter().filter(|one| kind_of(one) == kind).copied().collect();
        leaving.extend(alike.chunks(most).map(<[Request]>::to_vec));
    }
    leaving
}
