//! What the feeds of OKX, Bybit, Hyperliquid and dYdX have in common: lists of trades that differ in
//! the names of their keys alone.

use mainspring_core::{Side, TimeNs};

use crate::feed::{millis_ns, utf8, FeedEvent, OnEvent, TradeEvent};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal, Level};

/// The keys of a trade.
#[derive(Clone, Copy, Debug)]
pub struct TradeKeys {
    /// Symbol; empty where the envelope has it.
    pub symbol: &'static [u8],
    /// Price.
    pub price: &'static [u8],
    /// Quantity.
    pub qty: &'static [u8],
    /// Taker's side.
    pub side: &'static [u8],
    /// Time: milliseconds, or text of ISO 8601.
    pub time: &'static [u8],
    /// Its word for buy and for sell.
    pub sides: [&'static [u8]; 2],
    /// Says which keys are needed, for refusals.
    pub needed: &'static str,
}

/// Reads an array of trades; `symbol` is for trades that do not name theirs.
///
/// # Errors
/// When it is malformed, or a trade lacks what it needs.
pub fn trades(data: &[u8], keys: &TradeKeys, symbol: &str, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_array()?;
    while scanner.next_element()? {
        on(FeedEvent::Trade(trade(&mut scanner, keys, symbol)?));
    }
    Ok(())
}

fn trade<'a>(scanner: &mut Scanner<'a>, keys: &TradeKeys, symbol: &'a str) -> Scan<TradeEvent<'a>> {
    let mut symbol = Some(symbol).filter(|symbol| !symbol.is_empty());
    let (mut price, mut qty, mut taker, mut time_ns) = (None, None, None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        if key == keys.price {
            price = Some(scan_decimal(scanner)?);
        } else if key == keys.qty {
            qty = Some(scan_decimal(scanner)?);
        } else if key == keys.side {
            taker = Some(side(scanner, keys.sides)?);
        } else if key == keys.time {
            time_ns = time(scanner)?;
        } else if key == keys.symbol {
            symbol = scanner.scalar()?.text().and_then(utf8);
        } else {
            scanner.skip()?;
        }
    }
    match (symbol, price, qty, taker) {
        (Some(symbol), Some(price), Some(qty), Some(taker)) => {
            Ok(TradeEvent { symbol, time_ns, level: Level { price, qty }, taker })
        }
        _ => scanner.refuse(keys.needed),
    }
}

fn side(scanner: &mut Scanner<'_>, [buy, sell]: [&'static [u8]; 2]) -> Scan<Side> {
    match scanner.scalar()?.text() {
        Some(word) if word == buy => Ok(Side::Buy),
        Some(word) if word == sell => Ok(Side::Sell),
        _ => scanner.refuse("an unknown side"),
    }
}

fn time(scanner: &mut Scanner<'_>) -> Scan<Option<TimeNs>> {
    let scalar = scanner.scalar()?;
    if let Some(ms) = scalar.integer() {
        return Ok(millis_ns(ms));
    }
    match scalar.text().and_then(crate::civil::iso_ns) {
        Some(ns) => Ok(Some(ns)),
        None => scanner.refuse("not a time"),
    }
}
