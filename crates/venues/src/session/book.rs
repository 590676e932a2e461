//! The books of one venue: what of its messages may be told, and when a snapshot is needed.

use std::collections::VecDeque;

use mainspring_core::event::flags;
use mainspring_core::{InstrumentId, MarketRow, RowKind, Ticks, TimeNs};

use super::depth::Depth;
use super::effect::Outbox;
use crate::binance::Step;
use crate::feed::{BookEvent, FeedEvent, Sequence, Sides};
use crate::follow::BookFollower;
use crate::json::{Refusal, Scan};
use crate::listing::{Listing, Listings};
use crate::rows::{RowMessage, RowMessageKind, RowSink};
use crate::venue::Venue;

/// Changes of one book that wait for its snapshot; the oldest go first when there are more, and the
/// snapshot then shows whether that was too early.
const MAX_HELD: usize = 4_096;

/// How long a first change is waited for before the snapshot is asked for all the same.
const QUIET_NS: i64 = 1_000_000_000;

/// A snapshot that does not come within so long is asked for again, and then after twice as long.
const GIVEN_UP_NS: i64 = 10_000_000_000;

/// No snapshot that failed is waited with longer than this before it is asked for again.
const LONGEST_NS: i64 = 30_000_000_000;

/// A silence of `2^MOST_DOUBTS` times the usual is doubted, however calm a book was before.
const MOST_DOUBTS: u32 = 4;

/// After so long without a doubt a book may be doubted sooner again.
const TRUST_NS: i64 = 600_000_000_000;

/// What is to be done for a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    /// A snapshot, from this time on.
    From(TimeNs),
    /// It was asked for, at this time.
    Asked(TimeNs),
}

#[derive(Clone, Debug)]
struct Held {
    message: RowMessage,
    rows: Vec<MarketRow>,
}

#[derive(Clone, Debug)]
struct Book {
    instrument: InstrumentId,
    wanted: Wanted,
    /// The newest price of a trade or a best quote.
    price: Option<Ticks>,
    /// Time of the newest whole book.
    whole_ns: TimeNs,
    /// How often it was asked for since it was whole.
    tries: u32,
    /// When something was heard of it.
    heard_ns: TimeNs,
    /// How calm it was, by how often it was doubted in vain, and when it last was.
    doubts: u32,
    doubted_ns: TimeNs,
    held: VecDeque<Held>,
    /// Of books that tell what is different from one moment to the next.
    depth: Option<Depth>,
}

/// What happened on the way, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketCounts {
    /// Messages told.
    pub messages: u64,
    /// Messages that were older than the book, or heard twice.
    pub old: u64,
    /// Gaps found.
    pub gaps: u64,
    /// Snapshots taken.
    pub snapshots: u64,
    /// Messages that could not be read.
    pub refused: u64,
}

/// The books of one venue.
pub(super) struct Books {
    follower: BookFollower,
    sink: RowSink,
    sides: Sides,
    /// By index in the engine.
    books: Vec<Option<Book>>,
    by_request: bool,
    pub(super) counts: MarketCounts,
}

impl Books {
    pub(super) fn new(listings: &Listings, by_request: bool) -> Self {
        let len = listings.all().iter().map(|one| one.id.index() + 1).max().unwrap_or(0);
        let mut books = vec![None; len];
        for listing in listings.all() {
            books[listing.id.index()] = Some(Book {
                instrument: listing.id,
                wanted: Wanted::Nothing,
                price: None,
                whole_ns: 0,
                tries: 0,
                heard_ns: 0,
                doubts: 0,
                doubted_ns: 0,
                held: VecDeque::new(),
                depth: None,
            });
        }
        Self {
            follower: BookFollower::new(),
            sink: RowSink::new(listings),
            sides: Sides::default(),
            books,
            by_request,
            counts: MarketCounts::default(),
        }
    }

    /// Reads one frame of market data. Says whether it held any.
    pub(super) fn frame(
        &mut self,
        venue: &mut dyn Venue,
        text: &[u8],
        (recv_ns, now_ns): (TimeNs, TimeNs),
        out: &mut Outbox,
    ) -> Scan<bool> {
        if let Err(refusal) = venue.rows(text, recv_ns, &mut self.sides, &mut self.sink) {
            self.counts.refused += 1;
            return Err(refusal);
        }
        let mut any = false;
        for (message, rows) in self.sink.messages() {
            any = true;
            let book = self.books.get_mut(message.instrument.index());
            if book.is_some_and(|book| book.as_mut().is_some_and(|b| b.is_late(message, rows))) {
                self.counts.old += 1;
                continue;
            }
            match self.follower.judge(message) {
                Step::Apply => {
                    self.counts.messages += 1;
                    let Some(Some(book)) = self.books.get_mut(message.instrument.index()) else {
                        continue;
                    };
                    book.heard(message, rows, now_ns);
                    let in_step = self.follower.is_synced(message.instrument);
                    let rows = book.merged(message, rows, in_step);
                    out.market(message.instrument, message.base, rows);
                }
                Step::Old => self.counts.old += 1,
                step => {
                    let book = self.books.get_mut(message.instrument.index());
                    let Some(Some(book)) = book else { continue };
                    if step == Step::Gap {
                        self.counts.gaps += 1;
                        mark_gap(book.instrument, recv_ns, out);
                    }
                    if self.by_request {
                        book.hold(message, rows);
                    }
                    book.want(now_ns);
                }
            }
        }
        Ok(any)
    }

    /// A connection with books begins. Each that is asked for is wanted soon, at the latest when its
    /// first change comes; the others were asked for by the subscription, which may bring nothing.
    pub(super) fn begin(&mut self, now_ns: TimeNs) {
        let wanted = match self.by_request {
            true => Wanted::From(now_ns + QUIET_NS),
            false => Wanted::Asked(now_ns),
        };
        self.books.iter_mut().flatten().for_each(|book| book.wanted = wanted);
    }

    /// Nothing of what was heard can be gone on from.
    pub(super) fn lose_all(&mut self, recv_ns: TimeNs, out: &mut Outbox) {
        for book in self.books.iter_mut().flatten() {
            if self.follower.is_synced(book.instrument) {
                mark_gap(book.instrument, recv_ns, out);
            }
            book.held.clear();
            book.wanted = Wanted::Nothing;
        }
        self.follower.lose_all();
    }

    /// Whether any book can be gone on from.
    pub(super) fn are_any_in_step(&self) -> bool {
        self.books.iter().flatten().any(|book| self.follower.is_synced(book.instrument))
    }

    /// A message was lost and nobody knows of which book: all begin again.
    pub(super) fn gap_all(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        self.counts.gaps += 1;
        self.lose_all(now_ns, out);
        self.books.iter_mut().flatten().for_each(|book| book.wanted = Wanted::From(now_ns));
    }

    /// The kernel lost rows of one instrument, and has marked the gap itself.
    pub(super) fn lose(&mut self, instrument: InstrumentId, now_ns: TimeNs) {
        let Some(Some(book)) = self.books.get_mut(instrument.index()) else { return };
        self.follower.lose(instrument);
        book.held.clear();
        if !matches!(book.wanted, Wanted::Asked(_)) {
            book.wanted = Wanted::From(now_ns);
        }
    }

    /// Books that were in step and of which nothing was heard for so long are not to be quoted on
    /// until they are seen whole again.
    pub(super) fn doubt_quiet(&mut self, now_ns: TimeNs, quiet_ns: i64, out: &mut Outbox) {
        for book in self.books.iter_mut().flatten() {
            if self.follower.is_synced(book.instrument) && book.doubts_silence(now_ns, quiet_ns) {
                self.follower.lose(book.instrument);
                mark_gap(book.instrument, now_ns, out);
                book.held.clear();
                book.wanted = Wanted::From(now_ns);
            }
        }
    }

    /// The next instrument whose snapshot is due, noted as asked for.
    pub(super) fn due(&mut self, now_ns: TimeNs) -> Option<InstrumentId> {
        let is_due = |book: &&mut Book| match book.wanted {
            Wanted::Nothing => false,
            Wanted::From(at_ns) => at_ns <= now_ns,
            Wanted::Asked(at_ns) => now_ns - at_ns > GIVEN_UP_NS << book.tries.min(5),
        };
        let book = self.books.iter_mut().flatten().find(is_due)?;
        book.wanted = Wanted::Asked(now_ns);
        book.tries = book.tries.saturating_add(1);
        Some(book.instrument)
    }

    /// A snapshot that was asked for could not be used: it is wanted again after `first_ns`, and after
    /// twice as long each time that goes on, but not before `from_ns`.
    pub(super) fn again(
        &mut self,
        instrument: InstrumentId,
        times: (TimeNs, TimeNs),
        first_ns: i64,
    ) {
        let (now_ns, from_ns) = times;
        let Some(Some(book)) = self.books.get_mut(instrument.index()) else { return };
        let wait_ns = (first_ns << book.tries.saturating_sub(1).min(8)).min(LONGEST_NS);
        book.wanted = Wanted::From(from_ns.max(now_ns + wait_ns));
    }

    /// A snapshot could not be asked for: it is at this time.
    pub(super) fn put_off(&mut self, instrument: InstrumentId, at_ns: TimeNs) {
        if let Some(Some(book)) = self.books.get_mut(instrument.index()) {
            book.wanted = Wanted::From(at_ns);
            book.tries = book.tries.saturating_sub(1);
        }
    }

    /// The last price that was heard of.
    pub(super) fn price(&self, instrument: InstrumentId) -> Option<Ticks> {
        self.books.get(instrument.index())?.as_ref()?.price
    }

    /// Takes a snapshot that was asked for. False when it is older than what was kept: ask again.
    pub(super) fn snapshot(
        &mut self,
        venue: &mut dyn Venue,
        listing: &Listing,
        body: &[u8],
        recv_ns: TimeNs,
        out: &mut Outbox,
    ) -> Scan<bool> {
        self.read_snapshot(venue, listing, body, recv_ns)?;
        let Some(Some(book)) = self.books.get_mut(listing.id.index()) else { return Ok(true) };
        let Some((message, rows)) = self.sink.messages().next() else {
            return Err(Refusal { what: "an answer without a book", at: 0 });
        };
        let mut trial = self.follower.clone();
        trial.lose(listing.id);
        trial.judge(message);
        if book.held.iter().any(|held| trial.judge(&held.message) == Step::Gap) {
            return Ok(false);
        }
        self.counts.snapshots += 1;
        book.heard_ns = recv_ns;
        self.follower.lose(listing.id);
        self.follower.judge(message);
        out.market(message.instrument, message.base, rows);
        for held in std::mem::take(&mut book.held) {
            if self.follower.judge(&held.message) == Step::Apply {
                self.counts.messages += 1;
                out.market(held.message.instrument, held.message.base, &held.rows);
            }
        }
        (book.wanted, book.tries) = (Wanted::Nothing, 0);
        Ok(true)
    }

    /// The answer to a request for a book does not name it.
    fn read_snapshot(
        &mut self,
        venue: &mut dyn Venue,
        listing: &Listing,
        body: &[u8],
        recv_ns: TimeNs,
    ) -> Scan<()> {
        self.sink.clear();
        let (sink, mut refused) = (&mut self.sink, None);
        venue.market(body, &mut self.sides, &mut |event| {
            let FeedEvent::Book(book) = event else { return };
            let named = BookEvent { symbol: listing.symbol(), snapshot: true, ..book };
            refused = refused.take().or(sink.take(&FeedEvent::Book(named), recv_ns).err());
        })?;
        refused.map_or(Ok(()), Err)
    }
}

impl Book {
    fn hold(&mut self, message: &RowMessage, rows: &[MarketRow]) {
        if self.held.len() == MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back(Held { message: *message, rows: rows.to_vec() });
    }

    fn want(&mut self, now_ns: TimeNs) {
        self.wanted = match self.wanted {
            Wanted::Nothing => Wanted::From(now_ns),
            Wanted::From(at_ns) => Wanted::From(at_ns.min(now_ns)),
            asked @ Wanted::Asked(_) => asked,
        };
    }

    /// The rows of a message as they have to be told, so that depth and best prices make one book.
    fn merged<'r>(
        &'r mut self,
        message: &RowMessage,
        rows: &'r [MarketRow],
        in_step: bool,
    ) -> &'r [MarketRow] {
        match message.kind {
            RowMessageKind::Book {
                sequence: Sequence::Chain { .. } | Sequence::Counter(_),
                ..
            } => {
                self.depth.get_or_insert_default().take(rows, message.base);
                rows
            }
            RowMessageKind::Best if in_step => match &mut self.depth {
                Some(depth) => depth.with_best(rows, message.base),
                None => rows,
            },
            _ => rows,
        }
    }

    /// Whether it is a whole book without a place in a sequence, and older than one that came before.
    fn is_late(&mut self, message: &RowMessage, rows: &[MarketRow]) -> bool {
        let sequence = Sequence::None;
        let whole = message.kind == RowMessageKind::Book { snapshot: true, sequence };
        let Some(first) = rows.first().filter(|_| whole) else { return false };
        let late = first.exch_ns < self.whole_ns;
        self.whole_ns = self.whole_ns.max(first.exch_ns);
        late
    }

    /// A message was told. Trades and quotes say nothing of whether its depth is still told.
    fn heard(&mut self, message: &RowMessage, rows: &[MarketRow], now_ns: TimeNs) {
        match message.kind {
            RowMessageKind::Book { snapshot, .. } => {
                self.heard_ns = now_ns;
                if snapshot {
                    (self.wanted, self.tries) = (Wanted::Nothing, 0);
                }
            }
            RowMessageKind::Trade | RowMessageKind::Best => {
                self.price = rows.first().map(|row| row.price(message.base)).or(self.price);
            }
            RowMessageKind::Mark => {}
        }
    }

    /// Whether it was silent for too long. A calm book is doubted ever later: to look at it anew costs
    /// of what the venue allows in an hour, and its strategies their quotes.
    fn doubts_silence(&mut self, now_ns: TimeNs, quiet_ns: i64) -> bool {
        let trust = u32::try_from((now_ns - self.doubted_ns) / TRUST_NS).unwrap_or(u32::MAX);
        let calm = self.doubts.saturating_sub(trust);
        let doubted = now_ns - self.heard_ns >= quiet_ns << calm;
        if doubted {
            (self.doubts, self.doubted_ns) = ((calm + 1).min(MOST_DOUBTS), now_ns);
        }
        doubted
    }
}

/// Says that rows are missing.
fn mark_gap(instrument: InstrumentId, at_ns: TimeNs, out: &mut Outbox) {
    let row = MarketRow {
        recv_ns: at_ns,
        exch_ns: at_ns,
        qty_lots: 0,
        price_offset: 0,
        kind: RowKind::Gap as u8,
        flags: flags::END_OF_MESSAGE,
        instrument: instrument.0,
    };
    out.market(instrument, Ticks(0), &[row]);
}
