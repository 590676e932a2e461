//! How fast Binance messages become rows and an applied book.

use std::hint::black_box;
use std::time::Instant;

use mainspring_book::L2Book;
use mainspring_core::{
    Decimal, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid, Result, RowKind,
};
use mainspring_venues::binance::{Binance, Market, Settings};
use mainspring_venues::feed::Sides;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::rows::RowSink;
use mainspring_venues::venue::{general_rows, Venue};
use pyo3::prelude::*;

use crate::errors::to_py;

/// Messages that are timed together: long enough for the clock, short enough to fall between two
/// interruptions of a busy machine.
const CHUNK: usize = 128;
const PASSES: usize = 9;

/// Nanoseconds of one message of USD-M market data from bytes to the applied book, by shape and by the
/// general reader, and the rows in all: each chunk of messages counts with the fastest of its passes.
#[pyfunction]
pub fn time_codec(
    py: Python<'_>,
    messages: Vec<Vec<u8>>,
    symbol: &str,
    tick: &str,
    lot: &str,
) -> PyResult<(f64, f64, u64)> {
    let (symbol, tick, lot) = (symbol.to_owned(), tick.to_owned(), lot.to_owned());
    py.detach(move || time(&messages, &symbol, &tick, &lot)).map_err(to_py)
}

fn time(messages: &[Vec<u8>], symbol: &str, tick: &str, lot: &str) -> Result<(f64, f64, u64)> {
    let listings = Listings::new(vec![listing(symbol, tick.parse()?, lot.parse()?)])?;
    let (by_shape, rows) = best_of(messages, &listings, false);
    let (general, _) = best_of(messages, &listings, true);
    Ok((by_shape, general, rows))
}

pub(crate) fn listing(symbol: &str, tick: Decimal, lot: Decimal) -> Listing {
    let instrument = Instrument {
        symbol: symbol.to_owned(),
        venue: "binance_usdm".to_owned(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed(tick)],
        lot,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    Listing::new(InstrumentId(0), instrument)
}

fn best_of(messages: &[Vec<u8>], listings: &Listings, general: bool) -> (f64, u64) {
    let mut venue = Binance::new(Market::Futures, Settings::default(), None);
    let mut sink = RowSink::new(listings);
    let mut sides = Sides::default();
    let mut book = L2Book::default();
    let mut best = vec![u64::MAX; messages.len().div_ceil(CHUNK)];
    let mut rows = 0;
    for _ in 0..PASSES {
        rows = 0;
        for (chunk, fastest) in messages.chunks(CHUNK).zip(&mut best) {
            let start = Instant::now();
            for text in chunk {
                let read = match general {
                    true => general_rows(&mut venue, text, 1, &mut sides, &mut sink),
                    false => venue.rows(text, 1, &mut sides, &mut sink),
                };
                if black_box(read).is_ok() {
                    rows += apply(&sink, &mut book);
                }
            }
            *fastest = (*fastest).min(start.elapsed().as_nanos() as u64);
        }
    }
    black_box(book.best_bid());
    (best.iter().sum::<u64>() as f64 / messages.len().max(1) as f64, rows)
}

/// Levels go into the book, best prices and trades are looked at.
#[inline]
fn apply(sink: &RowSink, book: &mut L2Book) -> u64 {
    let mut rows = 0;
    for (message, list) in sink.messages() {
        rows += list.len() as u64;
        for row in list {
            if row.kind == RowKind::Depth as u8 || row.kind == RowKind::Clear as u8 {
                book.apply(row, message.base);
            } else {
                black_box(row.qty_lots);
            }
        }
    }
    rows
}
