//! A venue's side of a session: what every link does alike.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mainspring_core::{
    Answer, ClientOrderId, ForeignReport, InstrumentId, RejectReason, Report, Request, Ticks,
    TimeNs, VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_memory::{Consumer, Producer};

use crate::clock::WallClock;
use crate::egress::Egress;
use crate::latency::{Latency, Stage};
use crate::message::{gap_row, Account, FeedRow, Inbound, Outbound};
use crate::open::OpenAtVenue;
use crate::wake::Waker;

/// Items of a full ring that wait here: nothing but market data is ever dropped for a while.
const MAX_BACKLOG: usize = 65_536;

/// Between two looks whether there is room again.
const NAP: Duration = Duration::from_micros(100);

/// A connection to a venue; it runs on a thread of its own.
pub trait Link: Send {
    /// The venue's name, as the instruments have it.
    fn venue(&self) -> &str;

    /// What we have there by our books, told before [`Self::run`]: a venue outside knows it, one
    /// inside this process takes it up.
    fn adopt(&mut self, account: &Account) {
        let _ = account;
    }

    /// What wakes it when a request waits for it; a link that looks for requests by itself has none.
    fn bell(&self) -> Option<Bell> {
        None
    }

    /// Runs until [`Desk::must_end`].
    fn run(self: Box<Self>, desk: Desk);
}

/// Wakes a link that sleeps; it costs next to nothing when the link does not.
pub type Bell = Arc<dyn Fn() + Send + Sync>;

/// What a link has in hand: the rings, the halt flag, the clock, and the orders that are open.
pub struct Desk {
    requests: Consumer<Outbound>,
    to_kernel: Producer<Inbound>,
    waker: Waker,
    egress: Arc<Egress>,
    clock: WallClock,
    latency: Arc<Latency>,
    end: Arc<AtomicBool>,
    open: OpenAtVenue,
    cancels: VecDeque<Request>,
    rounds_seen: u64,
    /// A halt was seen that the link was not told of yet.
    halted: bool,
    backlog: VecDeque<Inbound>,
    /// Instruments of which rows were dropped since their last gap mark.
    broken: Vec<bool>,
    /// Statements were lost: the account has to be asked for.
    lost: bool,
}

impl Desk {
    pub(crate) fn new(
        (requests, to_kernel): (Consumer<Outbound>, Producer<Inbound>),
        waker: Waker,
        egress: Arc<Egress>,
        clock: WallClock,
        latency: Arc<Latency>,
        end: Arc<AtomicBool>,
        instruments: usize,
    ) -> Self {
        let rounds_seen = egress.cancel_rounds();
        Self {
            requests,
            to_kernel,
            waker,
            egress,
            clock,
            latency,
            end,
            open: OpenAtVenue::new(),
            cancels: VecDeque::with_capacity(64),
            rounds_seen,
            halted: false,
            backlog: VecDeque::with_capacity(64),
            broken: vec![false; instruments],
            lost: false,
        }
    }

    /// Now.
    #[must_use]
    pub fn now_ns(&self) -> TimeNs {
        self.clock.now_ns()
    }

    /// The session's clock, for a link that stamps by itself.
    #[must_use]
    pub const fn clock(&self) -> WallClock {
        self.clock
    }

    /// Where stages of the way are counted.
    #[must_use]
    pub fn latency(&self) -> &Arc<Latency> {
        &self.latency
    }

    /// Whether a request waits, or a halt that was not seen yet.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.requests.is_empty() || self.egress.cancel_rounds() != self.rounds_seen
    }

    /// Whether the link has to end.
    #[must_use]
    pub fn must_end(&self) -> bool {
        self.end.load(Ordering::Acquire)
    }

    /// The next request that may leave. Cancels of a halt go first; a request that the halt stops is
    /// answered here.
    pub fn next_request(&mut self) -> Option<Request> {
        self.cancel_if_told();
        self.flush();
        if let Some(cancel) = self.cancels.pop_front() {
            return Some(cancel);
        }
        loop {
            let Outbound { request, at_ns } = self.requests.try_pop()?;
            self.latency.record(Stage::Gate, self.clock.now_ns() - at_ns);
            if self.egress.lets_out(&request) {
                self.note_sent(&request);
                return Some(request);
            }
            self.refuse(&request);
        }
    }

    /// Whether trading was halted since this was asked last. Cancels of our orders follow as requests.
    pub fn take_halt(&mut self) -> bool {
        self.cancel_if_told();
        std::mem::take(&mut self.halted)
    }

    /// Takes up the orders that were open before the link began.
    pub(crate) fn note_open(&mut self, open: impl Iterator<Item = (ClientOrderId, InstrumentId)>) {
        open.for_each(|(order, instrument)| self.open.note(order, instrument));
    }

    /// Orders that may be open at the venue.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.open.count()
    }

    /// Tells the kernel of a statement.
    pub fn report(&mut self, mut report: Report) {
        report.event.recv_ns = self.clock.now_ns();
        if ends(&report.event.kind) {
            self.note_end(report.event.order);
        }
        self.tell(Inbound::Report(report));
    }

    /// Tells the kernel of an order that was not placed by this session.
    pub fn foreign(&mut self, mut foreign: ForeignReport) {
        foreign.report.event.recv_ns = self.clock.now_ns();
        self.open.hear(&foreign);
        self.tell(Inbound::Foreign(foreign));
    }

    /// Tells the kernel that an order traded whole or is over, when the venue does not say so itself.
    pub fn note_end(&mut self, order: ClientOrderId) {
        self.open.end(order);
    }

    /// Tells the kernel the venue's own id of one of our orders.
    pub fn name(&mut self, order: ClientOrderId, venue_order: u64) {
        let recv_ns = self.clock.now_ns();
        self.tell(Inbound::Named { recv_ns, order, venue_order });
    }

    /// Tells the kernel the answer to an order query.
    pub fn answer(&mut self, order: ClientOrderId, answer: Answer) {
        let recv_ns = self.clock.now_ns();
        self.tell(Inbound::Answer { recv_ns, order, answer });
    }

    /// Tells the kernel the answer to an account query.
    pub fn account(&mut self, account: Account) {
        self.open.listed(&account);
        let recv_ns = self.clock.now_ns();
        self.tell(Inbound::Account { recv_ns, account: Box::new(account) });
    }

    /// Tells the kernel that the connection came or went.
    pub fn link(&mut self, up: bool) {
        let recv_ns = self.clock.now_ns();
        self.tell(Inbound::Link { recv_ns, up });
    }

    /// Tells the kernel of market data: rows of one instrument, whole messages. When the kernel does
    /// not keep up, messages are dropped and a gap is marked, and false is returned: a snapshot has
    /// to be sent, with which the book is trusted again.
    pub fn market<R: FeedRow>(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[R],
    ) -> bool {
        self.tell_rows(instrument, base, rows, false)
    }

    /// As [`Self::market`], of a whole book, which may be longer than the ring: waits for room. For
    /// feeds, which have nothing else to do.
    pub fn whole_book<R: FeedRow>(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[R],
    ) -> bool {
        self.tell_rows(instrument, base, rows, true)
    }

    fn tell_rows<R: FeedRow>(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[R],
        waits: bool,
    ) -> bool {
        self.flush();
        let whole = !self.broken[instrument.index()] && self.backlog.is_empty();
        if whole && self.push_rows(instrument, base, rows, waits) {
            self.waker.wake();
            return true;
        }
        self.broken[instrument.index()] = true;
        self.mark_gap::<R>(instrument);
        false
    }

    /// Puts a message into the ring; false when the ring was full at some point.
    fn push_rows<R: FeedRow>(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[R],
        waits: bool,
    ) -> bool {
        let recv_ns = self.clock.now_ns();
        for piece in rows.chunks(R::PER_ITEM) {
            let mut item = R::item(instrument, base, piece, recv_ns);
            while let Err(back) = self.to_kernel.try_push(item) {
                if !waits || self.must_end() {
                    return false;
                }
                item = back;
                self.waker.wake();
                thread::sleep(NAP);
            }
        }
        true
    }

    /// Says that rows are missing, once there is room to say it.
    fn mark_gap<R: FeedRow>(&mut self, instrument: InstrumentId) {
        let now_ns = self.clock.now_ns();
        let mut row = gap_row(now_ns);
        row.instrument = instrument.0;
        let item = R::item(instrument, Ticks(0), &[R::of(row, 0)], now_ns);
        if self.backlog.is_empty() && self.to_kernel.try_push(item).is_ok() {
            self.broken[instrument.index()] = false;
        }
    }

    /// Puts an item into the ring or behind those that wait for it; never drops one that fits.
    fn tell(&mut self, item: Inbound) {
        self.flush();
        let item = if self.backlog.is_empty() {
            match self.to_kernel.try_push(item) {
                Ok(()) => {
                    self.waker.wake();
                    return;
                }
                Err(item) => item,
            }
        } else {
            item
        };
        if self.backlog.len() < MAX_BACKLOG {
            self.backlog.push_back(item);
        } else {
            self.lost = true;
        }
    }

    /// Moves what waits into the ring. When something was lost, the kernel is told that the
    /// connection went and came: it asks the venue what happened.
    fn flush(&mut self) {
        while let Some(item) = self.backlog.pop_front() {
            if let Err(item) = self.to_kernel.try_push(item) {
                self.backlog.push_front(item);
                break;
            }
            self.waker.wake();
        }
        if self.lost && self.backlog.is_empty() {
            self.lost = false;
            let recv_ns = self.clock.now_ns();
            self.backlog.push_back(Inbound::Link { recv_ns, up: false });
            self.backlog.push_back(Inbound::Link { recv_ns, up: true });
        }
    }

    /// When a halt asks for it, a cancel for every open order goes first.
    fn cancel_if_told(&mut self) {
        let rounds = self.egress.cancel_rounds();
        if rounds == self.rounds_seen {
            return;
        }
        self.rounds_seen = rounds;
        self.halted = true;
        let sent_ns = self.clock.now_ns();
        self.cancels.clear();
        self.cancels.extend(self.open.cancels(sent_ns));
    }

    fn note_sent(&mut self, request: &Request) {
        match request {
            Request::Order(VenueRequest { order, kind: VenueRequestKind::New(terms), .. }) => {
                self.open.note(*order, terms.instrument);
            }
            Request::ForeignAdopted { venue_order, instrument } => {
                let now_ns = self.clock.now_ns();
                self.open.note_adopted(*venue_order, *instrument, now_ns);
            }
            _ => {}
        }
    }

    fn refuse(&mut self, request: &Request) {
        let refused = VenueEventKind::AmendRejected(RejectReason::Halted);
        let (order, kind) = match request {
            Request::Order(VenueRequest { order, kind, .. }) => match kind {
                VenueRequestKind::New(_) => {
                    (*order, VenueEventKind::Rejected(RejectReason::Halted))
                }
                VenueRequestKind::Amend { .. } => (*order, refused),
                VenueRequestKind::Cancel { .. } => return,
            },
            Request::ForeignAmend { standing, .. } => (standing.order, refused),
            _ => return,
        };
        let now_ns = self.clock.now_ns();
        let event = VenueEvent { order, exch_ns: now_ns, recv_ns: now_ns, kind };
        self.tell(Inbound::Report(Report::plain(event)));
    }
}

/// Whether after this statement an order is not at the venue any more. A complete fill is noted with
/// [`Desk::note_end`], because only the link knows the rest.
const fn ends(kind: &VenueEventKind) -> bool {
    matches!(kind, VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_))
}

#[cfg(test)]
mod tests {
    use mainspring_core::{Lots, OpenOrder, Side};
    use mainspring_memory::ring;

    use super::*;
    use crate::egress::HaltReason;

    const BTC: InstrumentId = InstrumentId(0);

    fn standing(venue_order: u64) -> OpenOrder {
        OpenOrder {
            order: ClientOrderId(1 << 56),
            venue_order,
            instrument: BTC,
            side: Side::Buy,
            price: Ticks(100),
            qty: Lots(5),
            filled: Lots(0),
        }
    }

    #[test]
    fn a_halt_cancels_what_is_open_and_what_was_adopted_without_the_kernel() {
        let egress = Arc::new(Egress::default());
        let (mut kernel, requests) = ring::<Outbound>(16);
        let (to_kernel, mut inbound) = ring::<Inbound>(16);
        let (clock, waker) = (WallClock::new(), Waker::default());
        let rings = (requests, to_kernel);
        let mut desk =
            Desk::new(rings, waker, Arc::clone(&egress), clock, Arc::default(), Arc::default(), 1);
        // One that was open before this process, and one that the kernel adopted.
        desk.note_open([(ClientOrderId(3), BTC)].into_iter());
        let adopted = Request::ForeignAdopted { venue_order: 77, instrument: BTC };
        let amend =
            Request::ForeignAmend { standing: standing(77), price: Ticks(99), qty: Lots(9) };
        assert!(kernel.try_push(Outbound { request: adopted, at_ns: 0 }).is_ok());
        assert_eq!(desk.next_request(), Some(adopted), "the venue's session is told as well");
        assert!(kernel.try_push(Outbound { request: amend, at_ns: 0 }).is_ok());
        // From here on nothing comes from the kernel.
        egress.halt(HaltReason { cause: "kernel_stuck".into(), text: String::new() });
        let left: Vec<Request> = std::iter::from_fn(|| desk.next_request()).collect();
        let [Request::Order(cancel), by_id] = left[..] else { panic!("{left:?}") };
        assert_eq!(cancel.order, ClientOrderId(3));
        assert_eq!(by_id, Request::ForeignCancel { venue_order: 77, instrument: BTC });
        // The change that was on its way did not leave, and its order's kernel is told so.
        let Some(Inbound::Report(report)) = inbound.try_pop() else { panic!("nothing is told") };
        assert_eq!(report.event.order, ClientOrderId(1 << 56));
        let halted = VenueEventKind::AmendRejected(RejectReason::Halted);
        assert_eq!(report.event.kind, halted);
    }
}
