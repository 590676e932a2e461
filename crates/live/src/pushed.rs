//! Market data that somebody else in this process brings, such as a client library of many venues.

use std::sync::mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::{Error, ErrorKind, InstrumentId, Result, Ticks, TimeNs};

use crate::feed::{Markets, Message};
use crate::link::{Desk, Link};

/// Messages that wait for the session; whoever brings more waits.
const WAITING: usize = 1_024;

/// Longest wait for a message: whether the session ends is looked at.
const NAP: Duration = Duration::from_millis(5);

/// What is brought.
#[derive(Debug)]
enum Brought {
    /// Rows of one instrument; receive times are given here.
    Rows(Message),
    /// Nothing is known of an instrument until its next snapshot.
    Gap(InstrumentId),
    /// Whether the source is there.
    Link(bool),
}

/// The end that brings market data. It can be used from any thread.
#[derive(Clone, Debug)]
pub struct Pusher(SyncSender<Brought>);

impl Pusher {
    /// Brings a message: rows of one instrument by the source's numbers, the last of which ends it.
    /// Waits while the session is behind.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn rows(&self, message: Message) -> Result<()> {
        self.bring(Brought::Rows(message))
    }

    /// Says that an instrument's book cannot be relied on until its next snapshot.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn gap(&self, instrument: InstrumentId) -> Result<()> {
        self.bring(Brought::Gap(instrument))
    }

    /// Says that the source came or went.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn link(&self, up: bool) -> Result<()> {
        self.bring(Brought::Link(up))
    }

    fn bring(&self, brought: Brought) -> Result<()> {
        self.0
            .send(brought)
            .map_err(|_| Error::new(ErrorKind::Io, "the session takes no more market data"))
    }
}

/// The session's end.
#[derive(Debug)]
pub struct PushedLink {
    name: String,
    brought: Receiver<Brought>,
    markets: Markets,
    count: u16,
}

/// The two ends of a feed of so many instruments of one venue.
#[must_use]
pub fn pushed(venue: &str, count: u16) -> (Pusher, PushedLink) {
    let (push, brought) = sync_channel(WAITING);
    let link = PushedLink { name: venue.to_owned(), brought, markets: Markets::default(), count };
    (Pusher(push), link.numbered_from(0))
}

impl PushedLink {
    /// The number of its first instrument in the session; the others follow.
    #[must_use]
    pub fn numbered_from(mut self, first: u16) -> Self {
        self.markets = Markets::new((first..first + self.count).map(InstrumentId).collect());
        self
    }

    fn take(&mut self, desk: &mut Desk, brought: Brought) {
        let now_ns = desk.now_ns();
        match brought {
            Brought::Rows(mut message) => {
                message.rows.iter_mut().for_each(|row| *row = row.heard_by(now_ns));
                self.markets.send(desk, &mut message, now_ns);
            }
            Brought::Gap(instrument) if instrument.0 < self.count => {
                let rows = vec![gap(now_ns)];
                let mut message = Message { at_ns: now_ns, instrument, base: Ticks(0), rows };
                self.markets.send(desk, &mut message, now_ns);
            }
            Brought::Gap(_) => {}
            Brought::Link(up) => desk.link(up),
        }
    }
}

impl Link for PushedLink {
    fn venue(&self) -> &str {
        &self.name
    }

    fn run(mut self: Box<Self>, mut desk: Desk) {
        while !desk.must_end() {
            // Nothing is asked of a feed; what a halt wants cancelled is not here.
            while desk.next_request().is_some() {}
            match self.brought.recv_timeout(NAP) {
                Ok(brought) => self.take(&mut desk, brought),
                Err(RecvTimeoutError::Timeout) => {}
                // Whoever brought it is gone: there is nothing to wait for but the end.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(NAP),
            }
        }
    }
}

const fn gap(now_ns: TimeNs) -> MarketRow {
    MarketRow {
        recv_ns: now_ns,
        exch_ns: now_ns,
        qty_lots: 0,
        price_offset: 0,
        kind: RowKind::Gap as u8,
        flags: flags::END_OF_MESSAGE,
        instrument: 0,
    }
}
