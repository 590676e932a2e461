//! Public channels of the indexer: order books, trades, markets.
//!
//! Books have no sequence of their own: messages are counted per connection, and a jump means that
//! some were lost. Bids and asks may cross, for validators differ.

use mainspring_core::TimeNs;

use crate::envelope::{trades, TradeKeys};
use crate::feed::{utf8, BookEvent, FeedEvent, MarkEvent, OnEvent, Sequence, Sides};
use crate::json::{Scan, Scanner};
use crate::level::{begin_side, scan_decimal, scan_decimal_element, scan_integer, Level};

const TRADE: TradeKeys = TradeKeys {
    symbol: b"ticker",
    price: b"price",
    qty: b"size",
    side: b"side",
    time: b"createdAt",
    sides: [b"BUY", b"SELL"],
    needed: "a trade without all of price, size, side",
};

struct Envelope<'a> {
    kind: &'a str,
    channel: &'a str,
    id: &'a str,
    message: i64,
    contents: &'a [u8],
}

/// Reads one message.
///
/// # Errors
/// When it is malformed, or a known field holds what it cannot hold.
pub fn decode(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    let mut read = Envelope { kind: "", channel: "", id: "", message: 0, contents: b"" };
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"type" => read.kind = scanner.scalar()?.text().and_then(utf8).unwrap_or(""),
            b"channel" => read.channel = scanner.scalar()?.text().and_then(utf8).unwrap_or(""),
            b"id" => read.id = scanner.scalar()?.text().and_then(utf8).unwrap_or(""),
            b"message_id" => read.message = scan_integer(&mut scanner)?,
            b"contents" => read.contents = scanner.raw()?,
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    let known = matches!(read.channel, "v4_orderbook" | "v4_trades" | "v4_markets");
    if !known || read.contents.is_empty() {
        on(FeedEvent::Other(if read.channel.is_empty() { read.kind } else { read.channel }));
        return Ok(());
    }
    // A batch has an array of what a single message has.
    if Scanner::new(read.contents).peek() != b'[' {
        return contents(&read, read.contents, sides, on);
    }
    let mut batch = Scanner::new(read.contents);
    batch.begin_array()?;
    while batch.next_element()? {
        contents(&read, batch.raw()?, sides, on)?;
    }
    Ok(())
}

fn contents(read: &Envelope<'_>, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    match read.channel {
        "v4_orderbook" => book(read, text, sides, on),
        "v4_trades" => inner(text, b"trades", &mut |data| trades(data, &TRADE, read.id, on)),
        _ => {
            inner(text, b"oraclePrices", &mut |data| marks(data, on))?;
            inner(text, b"markets", &mut |data| marks(data, on))?;
            inner(text, b"trading", &mut |data| marks(data, on))
        }
    }
}

/// The value of a key of an object, where it is there.
fn inner<'a>(
    text: &'a [u8],
    wanted: &[u8],
    each: &mut dyn FnMut(&'a [u8]) -> Scan<()>,
) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        let raw = scanner.raw()?;
        if key == wanted {
            each(raw)?;
        }
    }
    Ok(())
}

fn book(read: &Envelope<'_>, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    sides.clear();
    let (snapshot, mut has) = (read.kind == "subscribed", [false; 2]);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"bids" => has[0] = levels(&mut scanner, &mut sides.bids).map(|()| true)?,
            b"asks" => has[1] = levels(&mut scanner, &mut sides.asks).map(|()| true)?,
            _ => scanner.skip()?,
        }
    }
    if read.id.is_empty() {
        return scanner.refuse("an order book without its symbol (id)");
    }
    // Changes tell one side where the other did not change; a snapshot of one side is none.
    if snapshot && has != [true; 2] {
        return scanner.refuse("an order book without both of its sides");
    }
    on(FeedEvent::Book(BookEvent {
        symbol: read.id,
        snapshot,
        time_ns: None,
        bids: &sides.bids,
        asks: &sides.asks,
        sequence: Sequence::Connection(read.message),
        checksum: None,
        depth: None,
        places: (0, 0),
    }));
    Ok(())
}

/// Levels are objects in snapshots and pairs in changes.
fn levels(scanner: &mut Scanner<'_>, into: &mut Vec<Level>) -> Scan<()> {
    begin_side(scanner, into)?;
    while scanner.next_element()? {
        into.push(match scanner.peek() {
            b'{' => object(scanner)?,
            _ => pair(scanner)?,
        });
    }
    Ok(())
}

fn object(scanner: &mut Scanner<'_>) -> Scan<Level> {
    let (mut price, mut qty) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"price" => price = Some(scan_decimal(scanner)?),
            b"size" => qty = Some(scan_decimal(scanner)?),
            _ => scanner.skip()?,
        }
    }
    match (price, qty) {
        (Some(price), Some(qty)) => Ok(Level { price, qty }),
        _ => scanner.refuse("a level without price or size"),
    }
}

fn pair(scanner: &mut Scanner<'_>) -> Scan<Level> {
    scanner.begin_array()?;
    let price = scan_decimal_element(scanner, "a level needs a price")?;
    let qty = scan_decimal_element(scanner, "a level needs a size")?;
    while scanner.next_element()? {
        scanner.skip()?;
    }
    Ok(Level { price, qty })
}

/// Markets by symbol, with oracle price and funding rate where they changed.
fn marks(data: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_object()?;
    while let Some(symbol) = scanner.next_key()? {
        let (mut mark, mut rate, mut time_ns) = (None, None, None::<TimeNs>);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"oraclePrice" => mark = scanner.scalar()?.decimal(),
                b"nextFundingRate" => rate = scanner.scalar()?.decimal(),
                b"effectiveAt" => {
                    time_ns = scanner.scalar()?.text().and_then(crate::civil::iso_ns);
                }
                _ => scanner.skip()?,
            }
        }
        let Some(symbol) = utf8(symbol) else {
            return scanner.refuse("a symbol that is not UTF-8");
        };
        if mark.is_some() || rate.is_some() {
            let event = MarkEvent { symbol, time_ns, mark, rate, next_funding_ns: None };
            on(FeedEvent::Mark(event));
        }
    }
    Ok(())
}
