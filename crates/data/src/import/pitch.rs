//! Cboe/BATS PITCH 2.x in ASCII: a message a line, with or without the leading `S` of some files.

use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, Result, RowKind, Side};
use mainspring_venues::json::integer;

use super::equities::{midnight_ns, price, stock};
use super::input::{Lines, Place};
use super::options::{OnProgress, Options};
use super::orders::{other, shares, Order, Orders};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{Source, Staged, Symbols};
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "pitch";

/// Imports files of one day.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let midnight = midnight_ns(&inputs[0], options)?;
    let open = || {
        Ok(Box::new(Feed {
            lines: Lines::new(inputs),
            midnight_ns: midnight,
            symbols: Symbols::default(),
            orders: Orders::default(),
            options: options.clone(),
        }) as Box<dyn Source>)
    };
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

/// Whether a line is a message.
#[must_use]
pub fn is_message(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"S").unwrap_or(line);
    line.len() >= 27 && line[..8].iter().all(u8::is_ascii_digit) && line[8].is_ascii_alphabetic()
}

struct Feed {
    lines: Lines,
    midnight_ns: i64,
    symbols: Symbols,
    orders: Orders,
    options: Options,
}

fn part(line: &[u8], from: usize, length: usize) -> std::result::Result<&[u8], String> {
    line.get(from..from + length).ok_or_else(|| "the message is too short".to_owned())
}

fn number(line: &[u8], from: usize, length: usize) -> std::result::Result<i64, String> {
    let field = part(line, from, length)?;
    integer(field)
        .filter(|value| *value >= 0)
        .ok_or_else(|| format!("'{}' is not a number", String::from_utf8_lossy(field)))
}

/// Order ids are numbers to the base of 36.
fn id(line: &[u8], from: usize) -> std::result::Result<u64, String> {
    let field = part(line, from, 12)?;
    let text = std::str::from_utf8(field).ok();
    text.and_then(|text| u64::from_str_radix(text, 36).ok())
        .ok_or_else(|| format!("'{}' is not an order id", String::from_utf8_lossy(field)))
}

fn side(line: &[u8], at: usize) -> std::result::Result<Side, String> {
    match part(line, at, 1)? {
        b"B" => Ok(Side::Buy),
        b"S" => Ok(Side::Sell),
        other => Err(format!("the side '{}' is neither B nor S", String::from_utf8_lossy(other))),
    }
}

impl Feed {
    fn symbol(
        &mut self,
        line: &[u8],
        from: usize,
        length: usize,
    ) -> std::result::Result<Option<usize>, String> {
        let name = String::from_utf8_lossy(part(line, from, length)?).trim_end().to_owned();
        let venue = self.options.venue.as_deref().unwrap_or("bats");
        Ok(self.options.keeps(&name).then(|| self.symbols.index(&name, || stock(&name, venue))))
    }

    fn stage(&mut self, line: &[u8], out: &mut Staged) -> std::result::Result<(), String> {
        let time_ns = self.midnight_ns + number(line, 0, 8)? * 1_000_000;
        out.start(0, time_ns, time_ns);
        match part(line, 8, 1)?[0] {
            // Long forms have symbols of eight characters.
            kind @ (b'A' | b'd') => {
                let width = if kind == b'A' { 6 } else { 8 };
                let (own, side, left) = (id(line, 9)?, side(line, 21)?, number(line, 22, 6)?);
                let at = price(number(line, 28 + width, 10)?);
                let Some(symbol) = self.symbol(line, 28, width)? else { return Ok(()) };
                out.symbol = symbol;
                self.orders.add(own, Order { symbol, side, price: at, left }, out)
            }
            kind @ (b'E' | b'X') => {
                let (own, by) = (id(line, 9)?, number(line, 21, 6)?);
                if let Some(order) = self.orders.get(own) {
                    out.symbol = order.symbol;
                }
                self.orders.reduce(own, Some(by), kind == b'E', out).map(|_| ())
            }
            kind @ (b'P' | b'r') => {
                let width = if kind == b'P' { 6 } else { 8 };
                let (maker, size) = (side(line, 21)?, number(line, 22, 6)?);
                let at = price(number(line, 28 + width, 10)?);
                let Some(symbol) = self.symbol(line, 28, width)? else { return Ok(()) };
                out.symbol = symbol;
                if self.options.streams.trades {
                    out.push(RowKind::Trade, other(maker), at, shares(size));
                }
                Ok(())
            }
            b'H' => {
                let Some(symbol) = self.symbol(line, 9, 8)? else { return Ok(()) };
                out.symbol = symbol;
                let trading = match part(line, 17, 1)? {
                    b"T" => Decimal::ONE,
                    b"H" | b"Q" | b"S" => Decimal::ZERO,
                    _ => return Err("an unknown trading status".to_owned()),
                };
                out.push_flagged(RowKind::Status, 0, Decimal::ZERO, trading);
                Ok(())
            }
            b's' => {
                let Some(symbol) = self.symbol(line, 9, 8)? else { return Ok(()) };
                out.symbol = symbol;
                self.orders.clear(symbol);
                out.push_clear();
                Ok(())
            }
            // Trade breaks, auction messages, retail interest.
            b'B' | b'I' | b'J' | b'R' => Ok(()),
            kind => Err(format!("the message type '{}' is unknown", char::from(kind))),
        }
    }
}

impl Source for Feed {
    fn schema(&self) -> Schema {
        Schema::Order
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(0, 0, 0);
        let Some(line) = self.lines.next_line()?.map(<[u8]>::to_vec) else {
            if self.orders.unseen > 0 {
                let count = self.orders.unseen;
                tally.note(format!("{count} events were about orders never seen entering"));
            }
            return Ok(false);
        };
        let line = line.trim_ascii();
        let line = line.strip_prefix(b"S").unwrap_or(line);
        if line.is_empty() {
            return Ok(true);
        }
        if let Some(kind) = line.get(8..9).and_then(|kind| std::str::from_utf8(kind).ok()) {
            tally.message(kind);
        }
        if let Err(reason) = self.stage(line, out) {
            out.start(0, 0, 0);
            tally.refuse(self.lines.place(), &reason)?;
        }
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        self.lines.place().clone()
    }

    fn bytes_read(&self) -> u64 {
        self.lines.bytes()
    }
}
