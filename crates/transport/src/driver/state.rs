//! What people see of a venue's session: kept here, read by other threads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use mainspring_core::TimeNs;
use mainspring_venues::session::{Balance, Level, Note, Told};

/// Lines of the log that are kept; older ones go.
const MAX_NOTES: usize = 256;

/// A picture of a venue's session.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The venue's name.
    pub venue: String,
    /// Whether orders can be sent and statements come in.
    pub up: bool,
    /// Whether market data can be relied on.
    pub fresh: bool,
    /// What to add to our time to have the venue's, and how far off that may be, in ns.
    pub clock: Option<(i64, i64)>,
    /// Balances by currency.
    pub balances: BTreeMap<String, Balance>,
    /// Messages of the venue.
    pub messages: u64,
    /// Rows of market data.
    pub rows: u64,
    /// Times that the kernel did not keep up and rows were dropped.
    pub lost: u64,
    /// Messages that another copy of the stream had brought before.
    pub copies_dropped: u64,
    /// Connections that ended, and why the last one did.
    pub closed: u64,
    /// Why the last connection ended.
    pub last_closed: String,
    /// The newest lines of the log: when, and what.
    pub notes: VecDeque<(TimeNs, Note)>,
    /// Lines of the log in all.
    pub notes_in_all: u64,
}

/// The picture of a venue's session, shared.
#[derive(Debug, Default)]
pub struct VenueState(Mutex<Shown>);

impl VenueState {
    /// Of this venue.
    #[must_use]
    pub fn new(venue: &str) -> Self {
        Self(Mutex::new(Shown { venue: venue.to_owned(), ..Shown::default() }))
    }

    /// The picture now.
    #[must_use]
    pub fn read(&self) -> Shown {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the picture. The I/O thread calls it for what is rare, and for its counts now and then.
    pub fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes what a session tells people.
    pub(crate) fn take(&self, told: &Told, now_ns: TimeNs) {
        match told {
            Told::Link { up } => self.change(|shown| shown.up = *up),
            Told::Feed { fresh } => self.change(|shown| shown.fresh = *fresh),
            Told::Clock { offset_ns, error_ns } => {
                self.change(|shown| shown.clock = Some((*offset_ns, *error_ns)));
            }
            Told::Balance(balance) => self.change(|shown| {
                shown.balances.insert(balance.currency.clone(), balance.clone());
            }),
            Told::Payment { currency, amount, .. } => {
                let text = format!("{amount} {currency} paid or received");
                self.note(Note { level: Level::Info, topic: "payment", text }, now_ns);
            }
            Told::Note(note) => self.note(note.clone(), now_ns),
            _ => {}
        }
    }

    /// Says that something went wrong on this side.
    pub(crate) fn problem(&self, text: &str, now_ns: TimeNs) {
        let text = text.to_owned();
        self.note(Note { level: Level::Error, topic: "io", text }, now_ns);
    }

    /// Adds a line to the log.
    pub fn note(&self, note: Note, now_ns: TimeNs) {
        self.change(|shown| {
            if shown.notes.len() == MAX_NOTES {
                shown.notes.pop_front();
            }
            shown.notes.push_back((now_ns, note));
            shown.notes_in_all += 1;
        });
    }
}
