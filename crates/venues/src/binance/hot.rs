//! The messages that come by the hundred thousand, read by their shape: best prices, trades, depth.
//!
//! The venue writes the keys of a message in one order. A message of that order is read straight to
//! ticks and lots; any other, however slightly it differs, is left to the general reader, which does not
//! care for order. Both must find the same: a test compares them on every recorded message.

use mainspring_core::event::{flags, MarketRow};
use mainspring_core::{RowKind, Ticks, TimeNs};

use super::sync::DiffIds;
use crate::feed::Sequence;
use crate::form::{whole_of, Form, Length, Word};
use crate::rows::{Forms, RowMessageKind, RowSink};

/// Digits of a time in milliseconds, from 2001 to 2261.
const TIME_DIGITS: usize = 13;
const TOO_LATE_MS: i64 = 9_200_000_000_000;

/// A place in a text; every step says whether it succeeded.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        let end = self.at + literal.len();
        if self.text.get(self.at..end)? != literal {
            return None;
        }
        self.at = end;
        Some(())
    }

    #[inline(always)]
    fn word(&mut self, word: &Word) -> Option<()> {
        self.at = word.read(self.text, self.at)?;
        Some(())
    }

    #[inline(always)]
    fn id(&mut self, length: &mut Length) -> Option<i64> {
        let (value, end) = length.read(self.text, self.at)?;
        self.at = end;
        Some(value)
    }

    #[inline(always)]
    fn count(&mut self, form: &mut Form) -> Option<i64> {
        let (value, end) = form.read(self.text, self.at)?;
        self.at = end;
        Some(value)
    }

    /// Milliseconds since 1970 as nanoseconds, in the years that have thirteen digits.
    #[inline(always)]
    fn time_ns(&mut self) -> Option<TimeNs> {
        let ms = whole_of(self.text, self.at, TIME_DIGITS)?;
        self.at += TIME_DIGITS;
        (ms < TOO_LATE_MS).then(|| ms * 1_000_000)
    }

    /// A time that nobody asks for: whether it is one.
    #[inline(always)]
    fn pass_time(&mut self) -> Option<()> {
        let [first, second, rest @ ..] = self.text.get(self.at..)?.first_chunk::<TIME_DIGITS>()?;
        let early = *first != b'0' && (*first, *second) < (b'9', b'2');
        let plain = [first, second].into_iter().chain(rest).all(u8::is_ascii_digit);
        self.at += TIME_DIGITS;
        (early && plain).then_some(())
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }
}

/// Reads one message into rows. False, and nothing added, when it is not one of these shapes.
#[inline]
pub(super) fn rows(text: &[u8], recv_ns: TimeNs, sink: &mut RowSink) -> bool {
    let mark = sink.mark();
    let read = message(text, recv_ns, sink).is_some();
    if !read {
        sink.rewind(mark);
    }
    read
}

fn message(text: &[u8], recv_ns: TimeNs, sink: &mut RowSink) -> Option<()> {
    let mut cursor = Cursor { text, at: 0 };
    if cursor.literal(b"{\"stream\":\"").is_none() {
        cursor.literal(b"{")?;
        return body(&mut cursor, None, b"}", recv_ns, sink);
    }
    let at = stream(&mut cursor, sink)?;
    body(&mut cursor, Some(at), b"}}", recv_ns, sink)
}

/// The name of the stream up to the brace of its data: `btcusdt@bookTicker","data":{`. The instrument of
/// the last message is tried first.
#[inline]
fn stream(cursor: &mut Cursor<'_>, sink: &mut RowSink) -> Option<usize> {
    let last = sink.last().filter(|at| cursor.word(&sink.grid(*at).streamed).is_some());
    let at = match last {
        Some(at) => at,
        None => {
            let at = named(cursor, sink)?;
            cursor.literal(b"@")?;
            at
        }
    };
    match cursor.peek() {
        b'b' => cursor.literal(b"bookTicker\",\"data\":{")?,
        b't' => cursor.literal(b"trade\",\"data\":{")?,
        b'a' => cursor.literal(b"aggTrade\",\"data\":{")?,
        _ => {
            cursor.literal(b"depth")?;
            while cursor.peek().is_ascii_alphanumeric() || cursor.peek() == b'@' {
                cursor.at += 1;
            }
            cursor.literal(b"\",\"data\":{")?;
        }
    }
    Some(at)
}

fn named(cursor: &mut Cursor<'_>, sink: &mut RowSink) -> Option<usize> {
    let from = cursor.at;
    while cursor.peek().is_ascii_alphanumeric() || cursor.peek() == b'_' {
        cursor.at += 1;
    }
    sink.find_stream(&cursor.text[from..cursor.at])
}

/// The object of the event, its brace read already; `end` closes it and what is around it.
#[inline]
fn body(
    cursor: &mut Cursor<'_>,
    at: Option<usize>,
    end: &[u8],
    recv_ns: TimeNs,
    sink: &mut RowSink,
) -> Option<()> {
    if cursor.literal(b"\"u\":").is_some() {
        return best(cursor, at, end, recv_ns, sink, false);
    }
    cursor.literal(b"\"e\":\"")?;
    match cursor.peek() {
        b'b' => {
            cursor.literal(b"bookTicker\",\"u\":")?;
            best(cursor, at, end, recv_ns, sink, true)
        }
        b'a' => {
            cursor.literal(b"aggTrade\",\"E\":")?;
            aggregate(cursor, at, end, recv_ns, sink)
        }
        b't' => {
            cursor.literal(b"trade\",\"E\":")?;
            trade(cursor, at, end, recv_ns, sink)
        }
        b'd' => {
            cursor.literal(b"depthUpdate\",\"E\":")?;
            depth(cursor, at, end, recv_ns, sink)
        }
        _ => None,
    }
}

/// The symbol, which must be the one of the stream: `BTCUSDT",`.
#[inline(always)]
fn symbol(cursor: &mut Cursor<'_>, at: Option<usize>, sink: &mut RowSink) -> Option<usize> {
    if let Some(at) = at {
        return cursor.word(&sink.grid(at).named).map(|()| at);
    }
    if let Some(at) = sink.last().filter(|at| cursor.word(&sink.grid(*at).named).is_some()) {
        return Some(at);
    }
    let from = cursor.at;
    while cursor.peek().is_ascii_alphanumeric() || cursor.peek() == b'_' {
        cursor.at += 1;
    }
    let at = sink.find(&cursor.text[from..cursor.at])?;
    cursor.literal(b"\",")?;
    Some(at)
}

#[inline]
fn best(
    cursor: &mut Cursor<'_>,
    at: Option<usize>,
    end: &[u8],
    recv_ns: TimeNs,
    sink: &mut RowSink,
    futures: bool,
) -> Option<()> {
    cursor.id(&mut sink.update_ids)?;
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    let Forms { prices: [bids, asks], quantities: [bid_qtys, ask_qtys], .. } =
        &mut sink.split(at).0.forms;
    cursor.literal(b"\"b\":\"")?;
    let bid = cursor.count(bids)?;
    cursor.literal(b"\",\"B\":\"")?;
    let bid_qty = cursor.count(bid_qtys)?;
    cursor.literal(b"\",\"a\":\"")?;
    let ask = cursor.count(asks)?;
    cursor.literal(b"\",\"A\":\"")?;
    let ask_qty = cursor.count(ask_qtys)?;
    let mut exch_ns = recv_ns;
    if futures {
        cursor.literal(b"\",\"T\":")?;
        exch_ns = cursor.time_ns()?;
        cursor.literal(b",\"E\":")?;
        cursor.pass_time()?;
        close(cursor, end)?;
    } else {
        cursor.literal(b"\"")?;
        close(cursor, end)?;
    }
    let from = sink.mark();
    let fits = sink.push(at, RowKind::Best, 0, bid, bid_qty)
        && sink.push(at, RowKind::Best, flags::ASK, ask, ask_qty);
    if !fits {
        return None;
    }
    sink.close(at, from, RowMessageKind::Best, (exch_ns, recv_ns));
    Some(())
}

#[inline(always)]
fn close(cursor: &mut Cursor<'_>, end: &[u8]) -> Option<()> {
    (cursor.text.get(cursor.at..)? == end).then_some(())
}

#[inline]
fn trade(
    cursor: &mut Cursor<'_>,
    at: Option<usize>,
    end: &[u8],
    recv_ns: TimeNs,
    sink: &mut RowSink,
) -> Option<()> {
    cursor.pass_time()?;
    let futures = cursor.literal(b",\"T\":").is_some();
    let mut exch_ns = if futures { cursor.time_ns()? } else { recv_ns };
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    let Forms { traded, traded_qty, trades: [id, ..], .. } = &mut sink.split(at).0.forms;
    cursor.literal(b"\"t\":")?;
    cursor.id(id)?;
    cursor.literal(b",\"p\":\"")?;
    let price = cursor.count(traded)?;
    cursor.literal(b"\",\"q\":\"")?;
    let qty = cursor.count(traded_qty)?;
    if futures {
        // Fills off the book have another word there.
        cursor.literal(b"\",\"X\":\"MARKET\",\"m\":")?;
    } else {
        cursor.literal(b"\",\"T\":")?;
        exch_ns = cursor.time_ns()?;
        cursor.literal(b",\"m\":")?;
    }
    let buyer_is_maker = truth(cursor)?;
    if !futures && cursor.literal(b",\"M\":").is_some() {
        truth(cursor)?;
    }
    close(cursor, end)?;
    let from = sink.mark();
    let taker = if buyer_is_maker { flags::ASK } else { 0 };
    sink.push(at, RowKind::Trade, taker, price, qty).then_some(())?;
    sink.close(at, from, RowMessageKind::Trade, (exch_ns, recv_ns));
    Some(())
}

/// The trades of one taker order at one price. The place of its id differs between recordings.
#[inline]
fn aggregate(
    cursor: &mut Cursor<'_>,
    at: Option<usize>,
    end: &[u8],
    recv_ns: TimeNs,
    sink: &mut RowSink,
) -> Option<()> {
    cursor.pass_time()?;
    let id_first = cursor.literal(b",\"a\":").is_some();
    if id_first {
        cursor.id(&mut sink.update_ids)?;
    }
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    let Forms { traded, traded_qty, trades: [id, first, last], .. } = &mut sink.split(at).0.forms;
    if !id_first {
        cursor.literal(b"\"a\":")?;
        cursor.id(id)?;
        cursor.literal(b",")?;
    }
    cursor.literal(b"\"p\":\"")?;
    let price = cursor.count(traded)?;
    cursor.literal(b"\",\"q\":\"")?;
    let qty = cursor.count(traded_qty)?;
    cursor.literal(b"\",\"f\":")?;
    cursor.id(first)?;
    cursor.literal(b",\"l\":")?;
    cursor.id(last)?;
    cursor.literal(b",\"T\":")?;
    let exch_ns = cursor.time_ns()?;
    cursor.literal(b",\"m\":")?;
    let buyer_is_maker = truth(cursor)?;
    if cursor.literal(b",\"M\":").is_some() {
        truth(cursor)?;
    }
    close(cursor, end)?;
    let from = sink.mark();
    let taker = if buyer_is_maker { flags::ASK } else { 0 };
    sink.push(at, RowKind::Trade, taker, price, qty).then_some(())?;
    sink.close(at, from, RowMessageKind::Trade, (exch_ns, recv_ns));
    Some(())
}

#[inline(always)]
fn truth(cursor: &mut Cursor<'_>) -> Option<bool> {
    match cursor.literal(b"true") {
        Some(()) => Some(true),
        None => cursor.literal(b"false").map(|()| false),
    }
}

#[inline]
fn depth(
    cursor: &mut Cursor<'_>,
    at: Option<usize>,
    end: &[u8],
    recv_ns: TimeNs,
    sink: &mut RowSink,
) -> Option<()> {
    let mut sent = *cursor;
    cursor.pass_time()?;
    let futures = cursor.literal(b",\"T\":").is_some();
    let exch_ns = if futures { cursor.time_ns()? } else { sent.time_ns()? };
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    let [of_first, of_last, of_previous] = &mut sink.split(at).0.forms.ids;
    cursor.literal(b"\"U\":")?;
    let first = cursor.id(of_first)?;
    cursor.literal(b",\"u\":")?;
    let last = cursor.id(of_last)?;
    let mut previous = None;
    if futures {
        cursor.literal(b",\"pu\":")?;
        previous = Some(cursor.id(of_previous)?);
    }
    if last < first {
        return None;
    }
    let from = sink.mark();
    cursor.literal(b",\"b\":[")?;
    let (grid, rows) = sink.split(at);
    let row = MarketRow {
        recv_ns,
        exch_ns,
        qty_lots: 0,
        price_offset: 0,
        kind: RowKind::Depth as u8,
        flags: 0,
        instrument: grid.instrument.0,
    };
    let Forms { prices: [bids, asks], quantities: [bid_qtys, ask_qtys], .. } = &mut grid.forms;
    levels(cursor, row, grid.base, (bids, bid_qtys), rows)?;
    cursor.literal(b",\"a\":[")?;
    let row = MarketRow { flags: flags::ASK, ..row };
    levels(cursor, row, grid.base, (asks, ask_qtys), rows)?;
    close(cursor, end)?;
    let sequence = Sequence::Range(DiffIds { first, last, previous });
    let kind = RowMessageKind::Book { snapshot: false, sequence };
    sink.close_stamped(at, from, kind);
    Some(())
}

/// Levels up to the closing bracket, which is read.
#[inline]
fn levels(
    cursor: &mut Cursor<'_>,
    row: MarketRow,
    base: Ticks,
    (prices, quantities): (&mut Form, &mut Form),
    rows: &mut Vec<MarketRow>,
) -> Option<()> {
    let mut here = *cursor;
    if here.literal(b"]").is_some() {
        *cursor = here;
        return Some(());
    }
    loop {
        here.literal(b"[\"")?;
        let ticks = here.count(prices)?;
        here.literal(b"\",\"")?;
        let qty_lots = here.count(quantities)?;
        here.literal(b"\"]")?;
        let price_offset = i32::try_from(ticks - base.0).ok()?;
        rows.push(MarketRow { qty_lots, price_offset, ..row });
        let next = here.peek();
        here.at += 1;
        match next {
            b',' => {}
            b']' => {
                *cursor = here;
                return Some(());
            }
            _ => return None,
        }
    }
}
