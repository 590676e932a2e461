//! Cancels what a session left at a venue: for a process that is gone, by another one.
//!
//! The venue's list counts, not anybody's memory: it is asked for what is open, what bears the session's
//! tag is cancelled, and it is asked again until nothing of it is listed.

use std::time::{Duration, Instant};

use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, InstrumentId, MarketRow, OpenOrder, Request, Result, Ticks, TimeNs,
    VenueRequest, VenueRequestKind,
};
use mainspring_live::WallClock;
use mainspring_venues::session::{Level, Session, Told};

use crate::driver::{Driver, Ear};
use crate::io::{Io, IoConfig};

/// Before the venue is asked again what is open; a session that asks already goes on with that.
const ASK_AGAIN_NS: i64 = 300_000_000;

/// Longest sleep.
const NAP: Duration = Duration::from_millis(5);

/// Most lines that are kept.
const MAX_NOTES: usize = 64;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Orders of the session that were cancelled, each once.
    pub cancelled: Vec<ClientOrderId>,
    /// Its orders that were still open when the venue was last asked; `None` when it never said.
    pub left: Option<usize>,
    /// Orders of others in the instruments: they stay.
    pub others: usize,
    /// What went wrong on the way.
    pub notes: Vec<String>,
}

/// Hears what the session tells.
#[derive(Default)]
struct Listener {
    account: Option<Account>,
    notes: Vec<String>,
}

impl Ear for Listener {
    fn market(&mut self, _: InstrumentId, _: Ticks, _: &[MarketRow]) -> bool {
        true
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Account(account) => self.account = Some(account),
            Told::Note(note) if note.level > Level::Info && self.notes.len() < MAX_NOTES => {
                self.notes.push(format!("{}: {}", note.topic, note.text));
            }
            _ => {}
        }
    }
}

/// Cancels every order of a session's tag, for at most so long.
///
/// # Errors
/// When sockets cannot be made.
pub fn clear(io: IoConfig, session: Box<dyn Session>, patience: Duration) -> Result<Cleared> {
    let clock = WallClock::new();
    let mut io = Io::new(io, clock)?;
    let mut work = Work {
        driver: Driver::new(session, 0, 1),
        ear: Listener::default(),
        cleared: Cleared::default(),
        ask_at_ns: 0,
    };
    let until = Instant::now() + patience;
    work.driver.start(&mut io, &mut work.ear, clock.now_ns());
    while work.cleared.left != Some(0) && Instant::now() < until {
        io.turn(NAP)?;
        while let Some(event) = io.next_event() {
            work.driver.event(&mut io, &mut work.ear, event, clock.now_ns());
        }
        work.turn(&mut io, clock.now_ns());
    }
    work.driver.stop(&mut io, &mut work.ear, clock.now_ns());
    work.cleared.notes = work.ear.notes;
    Ok(work.cleared)
}

struct Work {
    driver: Driver,
    ear: Listener,
    cleared: Cleared,
    ask_at_ns: TimeNs,
}

impl Work {
    fn turn(&mut self, io: &mut Io, now_ns: TimeNs) {
        if now_ns >= self.driver.next_due_ns() {
            self.driver.due(io, &mut self.ear, now_ns);
        }
        if let Some(account) = self.ear.account.take() {
            self.cancel(io, &account.open, now_ns);
            self.ask_at_ns = now_ns + ASK_AGAIN_NS;
        }
        if now_ns >= self.ask_at_ns && self.cleared.left != Some(0) {
            let question = Request::AccountQuery { venue: 0, since_ns: now_ns };
            self.driver.request(io, &mut self.ear, &question, now_ns);
            self.ask_at_ns = now_ns + ASK_AGAIN_NS;
        }
    }

    /// Cancels what is ours of what is open.
    fn cancel(&mut self, io: &mut Io, open: &[OpenOrder], now_ns: TimeNs) {
        let (ours, others): (Vec<&OpenOrder>, Vec<&OpenOrder>) =
            open.iter().partition(|one| one.order.0 != 0);
        (self.cleared.left, self.cleared.others) = (Some(ours.len()), others.len());
        let cancel = |one: &&OpenOrder| {
            let kind = VenueRequestKind::Cancel { instrument: one.instrument };
            Request::Order(VenueRequest { order: one.order, sent_ns: now_ns, kind })
        };
        let cancels: Vec<Request> = ours.iter().map(cancel).collect();
        for one in ours {
            if !self.cleared.cancelled.contains(&one.order) {
                self.cleared.cancelled.push(one.order);
            }
        }
        self.driver.encode(&cancels, now_ns);
        self.driver.settle(io, &mut self.ear, now_ns);
    }
}
