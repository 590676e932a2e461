//! NASDAQ TotalView-ITCH 5.0: messages with a two-byte length in front.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, Result, RowKind, Side};

use super::binary::Bytes;
use super::equities::{midnight_ns, price, stock};
use super::input::Place;
use super::options::{OnProgress, Options};
use super::orders::{other, shares, Order, Orders};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{Source, Staged, Symbols};
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "itch50";

/// Imports files of one day. With more stocks than an event file holds, name those to keep.
///
/// # Errors
/// Names the file and message of what is wrong; no file is left then. A file that is cut off within
/// its last message is imported up to there.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let midnight = midnight_ns(&inputs[0], options)?;
    let open = || Ok(Box::new(Feed::new(inputs, midnight, options)) as Box<dyn Source>);
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

/// Length of each type of message.
#[must_use]
pub const fn length_of(kind: u8) -> Option<usize> {
    Some(match kind {
        b'S' => 12,
        b'R' => 39,
        b'H' => 25,
        b'Y' => 20,
        b'L' => 26,
        b'V' | b'J' => 35,
        b'W' => 12,
        b'K' => 28,
        b'h' => 21,
        b'A' => 36,
        b'F' | b'Q' => 40,
        b'E' => 31,
        b'C' => 36,
        b'X' => 23,
        b'D' | b'B' => 19,
        b'U' => 35,
        b'P' => 44,
        b'I' => 50,
        b'N' => 20,
        b'O' => 48,
        _ => return None,
    })
}

fn be(message: &[u8], at: usize, length: usize) -> u64 {
    message[at..at + length].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn be_i64(message: &[u8], at: usize, length: usize) -> i64 {
    i64::try_from(be(message, at, length)).unwrap_or(i64::MAX)
}

fn stock_name(message: &[u8], at: usize) -> String {
    String::from_utf8_lossy(&message[at..at + 8]).trim_end().to_owned()
}

struct Feed {
    bytes: Bytes,
    midnight_ns: i64,
    symbols: Symbols,
    names: HashMap<u64, String>,
    orders: Orders,
    options: Options,
    started: bool,
}

impl Feed {
    fn new(inputs: &[PathBuf], midnight_ns: i64, options: &Options) -> Self {
        Self {
            bytes: Bytes::new(inputs, "message"),
            midnight_ns,
            symbols: Symbols::default(),
            names: HashMap::new(),
            orders: Orders::default(),
            options: options.clone(),
            started: false,
        }
    }

    /// The next message, or `None` at the end; a message that is cut off ends the input.
    fn next_message(&mut self, tally: &mut Tally) -> Result<Option<Vec<u8>>> {
        loop {
            if !self.started && !self.bytes.next_input()? {
                return Ok(None);
            }
            self.started = true;
            let head = self.bytes.peek(2)?;
            let length = match head {
                [] => {
                    self.started = false;
                    continue;
                }
                [high, low] => usize::from(*high) << 8 | usize::from(*low),
                _ => 0,
            };
            let message = self.bytes.peek(2 + length)?;
            if message.len() < 2 + length || length == 0 {
                tally.note(format!(
                    "{}: cut off within the message behind {} {}",
                    self.bytes.place().file,
                    self.bytes.place().unit,
                    self.bytes.place().line
                ));
                self.started = false;
                continue;
            }
            let message = message[2..].to_vec();
            self.bytes.skip(2 + length);
            self.bytes.count();
            return Ok(Some(message));
        }
    }

    /// The index of a stock that is kept.
    fn symbol(&mut self, name: &str) -> Option<usize> {
        let venue = self.options.venue.as_deref().unwrap_or("nasdaq");
        self.options.keeps(name).then(|| self.symbols.index(name, || stock(name, venue)))
    }

    fn stage(&mut self, m: &[u8], out: &mut Staged) -> std::result::Result<(), String> {
        let time_ns = self.midnight_ns + be_i64(m, 5, 6);
        out.start(0, time_ns, time_ns);
        let locate = be(m, 1, 2);
        match m[0] {
            b'R' => {
                self.names.insert(locate, stock_name(m, 11));
                Ok(())
            }
            b'A' | b'F' => {
                let Some(symbol) = self.symbol(&stock_name(m, 24)) else { return Ok(()) };
                out.symbol = symbol;
                let order = Order {
                    symbol,
                    side: side(m[19])?,
                    price: price(be_i64(m, 32, 4)),
                    left: be_i64(m, 20, 4),
                };
                self.orders.add(be(m, 11, 8), order, out)
            }
            b'E' | b'C' | b'X' | b'D' | b'U' => self.of_order(m, locate, out),
            b'P' | b'Q' if self.options.streams.trades => self.trade(m, out),
            b'H' => {
                let Some(symbol) = self.symbol(&stock_name(m, 11)) else { return Ok(()) };
                out.symbol = symbol;
                let trading = match m[19] {
                    b'T' => Decimal::ONE,
                    b'H' | b'P' | b'Q' => Decimal::ZERO,
                    state => {
                        return Err(format!("the trading state '{}' is unknown", char::from(state)))
                    }
                };
                out.push_flagged(RowKind::Status, 0, Decimal::ZERO, trading);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn of_order(
        &mut self,
        m: &[u8],
        locate: u64,
        out: &mut Staged,
    ) -> std::result::Result<(), String> {
        // Orders of stocks that are not kept were not added: theirs is no unseen order.
        if self.names.get(&locate).is_some_and(|name| !self.options.keeps(name)) {
            return Ok(());
        }
        let id = be(m, 11, 8);
        if let Some(order) = self.orders.get(id) {
            out.symbol = order.symbol;
        }
        match m[0] {
            b'E' => self.orders.reduce(id, Some(be_i64(m, 19, 4)), true, out).map(|_| ()),
            b'C' => {
                let by = be_i64(m, 19, 4);
                let at = price(be_i64(m, 32, 4));
                match self.orders.get(id).filter(|order| order.price != at && m[31] == b'Y') {
                    // Executed at another price than its own: it leaves, and the trade is told apart.
                    Some(order) => {
                        self.orders.reduce(id, Some(by), false, out)?;
                        if self.options.streams.trades {
                            out.push(RowKind::Trade, other(order.side), at, shares(by));
                        }
                        Ok(())
                    }
                    None => self.orders.reduce(id, Some(by), m[31] == b'Y', out).map(|_| ()),
                }
            }
            b'X' => self.orders.reduce(id, Some(be_i64(m, 19, 4)), false, out).map(|_| ()),
            b'D' => self.orders.reduce(id, None, false, out).map(|_| ()),
            _ => {
                let Some(old) = self.orders.reduce(id, None, false, out)? else { return Ok(()) };
                let order = Order { price: price(be_i64(m, 31, 4)), left: be_i64(m, 27, 4), ..old };
                self.orders.add(be(m, 19, 8), order, out)
            }
        }
    }

    fn trade(&mut self, m: &[u8], out: &mut Staged) -> std::result::Result<(), String> {
        let (name, size, at, maker) = if m[0] == b'P' {
            (stock_name(m, 24), be_i64(m, 20, 4), be_i64(m, 32, 4), side(m[19])?)
        } else {
            // A cross has no taker; it is shown as a buyer's.
            (stock_name(m, 19), be_i64(m, 11, 8), be_i64(m, 27, 4), Side::Sell)
        };
        if let Some(symbol) = self.symbol(&name).filter(|_| size > 0) {
            out.symbol = symbol;
            out.push(RowKind::Trade, other(maker), price(at), shares(size));
        }
        Ok(())
    }
}

fn side(byte: u8) -> std::result::Result<Side, String> {
    match byte {
        b'B' => Ok(Side::Buy),
        b'S' => Ok(Side::Sell),
        other => Err(format!("the side '{}' is neither B nor S", char::from(other))),
    }
}

impl Source for Feed {
    fn schema(&self) -> Schema {
        Schema::Order
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(0, 0, 0);
        let Some(message) = self.next_message(tally)? else {
            if self.orders.unseen > 0 {
                let count = self.orders.unseen;
                tally.note(format!("{count} events were about orders never seen entering"));
            }
            return Ok(false);
        };
        let outcome = match length_of(message[0]) {
            None => Err(format!("the message type {:#04x} is unknown", message[0])),
            Some(length) if message.len() != length => Err(format!(
                "a message '{}' of {} bytes, not {length}",
                char::from(message[0]),
                message.len()
            )),
            Some(_) => {
                tally.message(std::str::from_utf8(&message[..1]).unwrap_or("?"));
                self.stage(&message, out)
            }
        };
        if let Err(reason) = outcome {
            out.start(0, 0, 0);
            tally.refuse(self.bytes.place(), &reason)?;
        }
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        self.bytes.place().clone()
    }

    fn bytes_read(&self) -> u64 {
        self.bytes.bytes()
    }
}
