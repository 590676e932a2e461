//! The messages that come by the hundred thousand, read by their shape: best prices, trades, depth.
//!
//! The venue writes the keys of a message in one order. A message of that order is read straight to
//! ticks and lots; any other, however slightly it differs, is left to the general reader, which does not
//! care for order. Both must find the same: a test compares them on every recorded message.

use mainspring_core::event::flags;
use mainspring_core::{RowKind, TimeNs};

use super::sync::DiffIds;
use crate::digits::{count, whole, Unit};
use crate::feed::Sequence;
use crate::rows::{RowMessageKind, RowSink};

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
    fn whole(&mut self) -> Option<i64> {
        let (value, end) = whole(self.text, self.at)?;
        self.at = end;
        Some(value)
    }

    #[inline(always)]
    fn count(&mut self, unit: Unit) -> Option<i64> {
        let (value, end) = count(self.text, self.at, unit)?;
        self.at = end;
        Some(value)
    }

    /// Milliseconds since 1970 as nanoseconds, in the years that have thirteen digits.
    #[inline(always)]
    fn time_ns(&mut self) -> Option<TimeNs> {
        let ms = self.whole()?;
        (1_000_000_000_000..9_200_000_000_000).contains(&ms).then(|| ms * 1_000_000)
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
    let at = match sink.last().filter(|at| cursor.literal(&sink.grid(*at).stream).is_some()) {
        Some(at) if cursor.peek() == b'@' => at,
        Some(at) => {
            cursor.at -= sink.grid(at).stream.len();
            named(cursor, sink)?
        }
        None => named(cursor, sink)?,
    };
    cursor.literal(b"@")?;
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
    let at = match at {
        Some(at) => {
            cursor.literal(&sink.grid(at).symbol)?;
            at
        }
        None => {
            let from = cursor.at;
            while cursor.peek().is_ascii_alphanumeric() || cursor.peek() == b'_' {
                cursor.at += 1;
            }
            sink.find(&cursor.text[from..cursor.at])?
        }
    };
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
    cursor.whole()?;
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    let (price, qty) = (sink.grid(at).price, sink.grid(at).qty);
    cursor.literal(b"\"b\":\"")?;
    let bid = cursor.count(price)?;
    cursor.literal(b"\",\"B\":\"")?;
    let bid_qty = cursor.count(qty)?;
    cursor.literal(b"\",\"a\":\"")?;
    let ask = cursor.count(price)?;
    cursor.literal(b"\",\"A\":\"")?;
    let ask_qty = cursor.count(qty)?;
    let mut exch_ns = recv_ns;
    if futures {
        cursor.literal(b"\",\"T\":")?;
        exch_ns = cursor.time_ns()?;
        cursor.literal(b",\"E\":")?;
        end_time(cursor, end)?;
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

/// A time of thirteen digits that ends the message: it is too near the end for a whole word.
#[inline(always)]
fn end_time(cursor: &mut Cursor<'_>, end: &[u8]) -> Option<()> {
    let digits = cursor.text.get(cursor.at..cursor.at + 13)?;
    let plain = digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit);
    cursor.at += 13;
    close(cursor, end).filter(|()| plain && digits < &b"9200000000000"[..])
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
    cursor.time_ns()?;
    let futures = cursor.literal(b",\"T\":").is_some();
    let mut exch_ns = if futures { cursor.time_ns()? } else { recv_ns };
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    cursor.literal(b"\"t\":")?;
    cursor.whole()?;
    cursor.literal(b",\"p\":\"")?;
    let price = cursor.count(sink.grid(at).price)?;
    cursor.literal(b"\",\"q\":\"")?;
    let qty = cursor.count(sink.grid(at).qty)?;
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
    cursor.time_ns()?;
    let id_first = cursor.literal(b",\"a\":").is_some();
    if id_first {
        cursor.whole()?;
    }
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    if !id_first {
        cursor.literal(b"\"a\":")?;
        cursor.whole()?;
        cursor.literal(b",")?;
    }
    cursor.literal(b"\"p\":\"")?;
    let price = cursor.count(sink.grid(at).price)?;
    cursor.literal(b"\",\"q\":\"")?;
    let qty = cursor.count(sink.grid(at).qty)?;
    cursor.literal(b"\",\"f\":")?;
    cursor.whole()?;
    cursor.literal(b",\"l\":")?;
    cursor.whole()?;
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
    let mut exch_ns = cursor.time_ns()?;
    let futures = cursor.literal(b",\"T\":").is_some();
    if futures {
        exch_ns = cursor.time_ns()?;
    }
    cursor.literal(b",\"s\":\"")?;
    let at = symbol(cursor, at, sink)?;
    cursor.literal(b"\"U\":")?;
    let first = cursor.whole()?;
    cursor.literal(b",\"u\":")?;
    let last = cursor.whole()?;
    let mut previous = None;
    if futures {
        cursor.literal(b",\"pu\":")?;
        previous = Some(cursor.whole()?);
    }
    if last < first {
        return None;
    }
    let from = sink.mark();
    cursor.literal(b",\"b\":[")?;
    levels(cursor, at, 0, sink)?;
    cursor.literal(b",\"a\":[")?;
    levels(cursor, at, flags::ASK, sink)?;
    close(cursor, end)?;
    let sequence = Sequence::Range(DiffIds { first, last, previous });
    let kind = RowMessageKind::Book { snapshot: false, sequence };
    sink.close(at, from, kind, (exch_ns, recv_ns));
    Some(())
}

/// Levels up to the closing bracket, which is read.
#[inline]
fn levels(cursor: &mut Cursor<'_>, at: usize, side: u8, sink: &mut RowSink) -> Option<()> {
    if cursor.literal(b"]").is_some() {
        return Some(());
    }
    let grid = sink.grid(at);
    let (price, qty, place) = (grid.price, grid.qty, (grid.instrument, grid.base));
    loop {
        cursor.literal(b"[\"")?;
        let ticks = cursor.count(price)?;
        cursor.literal(b"\",\"")?;
        let (lots, next) = last_count(cursor, qty)?;
        cursor.at = next;
        cursor.literal(b"\"]")?;
        sink.push_level(place, side, ticks, lots).then_some(())?;
        match cursor.peek() {
            b',' => cursor.at += 1,
            b']' => {
                cursor.at += 1;
                return Some(());
            }
            _ => return None,
        }
    }
}

/// A count that may stand too near the end of the text for a whole word.
#[inline(always)]
fn last_count(cursor: &Cursor<'_>, unit: Unit) -> Option<(i64, usize)> {
    if cursor.at + 16 <= cursor.text.len() {
        return count(cursor.text, cursor.at, unit);
    }
    let rest = cursor.text.get(cursor.at..)?;
    let mut padded = [0_u8; 16];
    padded[..rest.len()].copy_from_slice(rest);
    count(&padded, 0, unit).map(|(value, end)| (value, cursor.at + end))
}
