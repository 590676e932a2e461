//! LOBSTER message files, with the order book file for the book at the start.
//!
//! Orders that were there before the first message are known as levels only: they enter as
//! anonymous quantity, and what happens to one of them is taken from it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, Error, ErrorKind, Result, RowKind, Side};

use super::csv::{decimal, split, whole};
use super::equities::{midnight_ns, price, stock};
use super::input::{Lines, Place};
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{Source, Staged, Symbols};
use super::time::seconds_ns;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "lobster";

/// Stands for an empty level in order book files.
const NO_PRICE: i64 = 9_999_999_999;

/// Imports message files of one symbol, day after day. An order book file among the inputs gives
/// the book in front of the first message.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let open = || Ok(Box::new(Messages::open(inputs, options)?) as Box<dyn Source>);
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

fn is_book(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("orderbook"))
}

/// An order that was seen entering.
#[derive(Clone, Copy)]
struct Order {
    left: i64,
}

/// The messages of one file.
pub struct Messages {
    lines: Lines,
    symbols: Symbols,
    symbol: usize,
    midnight_ns: i64,
    orders: HashMap<u64, Order>,
    anonymous: HashMap<(bool, i64), i64>,
    seed: Option<(PathBuf, Vec<[i64; 2]>)>,
    options: Options,
    unseen: u64,
}

/// One message.
struct Event {
    time_ns: i64,
    kind: i64,
    id: u64,
    size: i64,
    price: i64,
    side: Side,
}

impl Messages {
    /// The messages of these files; more than one message file must be of the same symbol and day.
    ///
    /// # Errors
    /// When there is no message file or no date.
    pub fn open(inputs: &[PathBuf], options: &Options) -> Result<Self> {
        let (books, messages): (Vec<PathBuf>, Vec<PathBuf>) =
            inputs.iter().cloned().partition(|path| is_book(path));
        let Some(first) = messages.first() else {
            return Err(Error::new(
                ErrorKind::Data,
                format!("{}: an order book file needs its message file", inputs[0].display()),
            ));
        };
        let name = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let symbol = options
            .symbol
            .clone()
            .unwrap_or_else(|| name.split(['_', '.']).next().unwrap_or("unknown").to_owned());
        let venue = options.venue.as_deref().unwrap_or("nasdaq");
        let mut symbols = Symbols::default();
        let at = symbols.index(&symbol, || stock(&symbol, venue));
        let seed = match books.first() {
            Some(path) => Some((path.clone(), first_book(path)?)),
            None => None,
        };
        Ok(Self {
            lines: Lines::new(&messages),
            symbols,
            symbol: at,
            midnight_ns: midnight_ns(first, options)?,
            orders: HashMap::new(),
            anonymous: HashMap::new(),
            seed,
            options: options.clone(),
            unseen: 0,
        })
    }

    /// Stages the book in front of the first message: the book behind it, less what it did.
    fn seed(&mut self, first: &Event, levels: &[[i64; 2]], out: &mut Staged) {
        for (at, [wire, size]) in levels.iter().enumerate() {
            let ask = at % 2 == 0;
            if wire.abs() != NO_PRICE && *size > 0 {
                self.anonymous.insert((ask, *wire), *size);
            }
        }
        let own = (first.side == Side::Sell, first.price);
        let change = match first.kind {
            1 => -first.size,
            2..=4 => first.size,
            _ => 0,
        };
        let left = self.anonymous.get(&own).copied().unwrap_or(0) + change;
        self.anonymous.insert(own, left);
        self.anonymous.retain(|_, size| *size > 0);
        let mut sorted: Vec<_> = self.anonymous.iter().map(|(key, size)| (*key, *size)).collect();
        sorted.sort_unstable();
        out.push_clear();
        for ((ask, wire), size) in sorted {
            let side = if ask { Side::Sell } else { Side::Buy };
            out.push_snapshot(side, price(wire), lots(size));
        }
    }

    fn stage(&mut self, event: &Event, out: &mut Staged) -> std::result::Result<(), String> {
        let (side, at, size) = (event.side, price(event.price), lots(event.size));
        match event.kind {
            1 => {
                if self.orders.insert(event.id, Order { left: event.size }).is_some() {
                    return Err(format!("order {} is added twice", event.id));
                }
                out.push_order(RowKind::OrderAdd, side, at, size, event.id);
            }
            2..=4 => self.reduce(event, out)?,
            // A hidden order was executed; the taker is on the other side of it.
            5 | 6 if self.options.streams.trades => out.push(RowKind::Trade, other(side), at, size),
            5 | 6 => {}
            7 => {
                let trading = Decimal::new(i64::from(event.price == 1), 0).unwrap_or_default();
                out.push_flagged(RowKind::Status, 0, Decimal::ZERO, trading);
            }
            kind => return Err(format!("the message type {kind} is unknown")),
        }
        Ok(())
    }

    /// Takes a cancel, a deletion or an execution off the order, or off the anonymous quantity.
    fn reduce(&mut self, event: &Event, out: &mut Staged) -> std::result::Result<(), String> {
        let at = price(event.price);
        let (id, side) = (event.id, event.side);
        let known = self.orders.get(&id).map(|order| order.left);
        let size = match known {
            Some(left) if event.size > left => {
                return Err(format!("order {id} has {left} left, not {}", event.size));
            }
            Some(_) => event.size,
            None => self.take_anonymous(event),
        };
        // The execution of an order is its trade; only what no order covers needs a row of its own.
        if event.kind == 4 && size < event.size && self.options.streams.trades {
            out.push(RowKind::Trade, other(side), at, lots(event.size - size));
        }
        if size == 0 {
            return Ok(());
        }
        let left = known.map_or(0, |left| left - size);
        match (event.kind, known) {
            (4, _) => out.push_order(RowKind::OrderExecute, side, at, lots(size), id),
            (2, Some(_)) if left > 0 => {
                out.push_order(RowKind::OrderModify, side, at, lots(left), id);
            }
            _ => out.push_order(RowKind::OrderDelete, side, at, lots(size), id),
        }
        if left > 0 {
            self.orders.insert(id, Order { left });
        } else {
            self.orders.remove(&id);
        }
        Ok(())
    }

    /// What can be taken from the anonymous quantity at the event's price.
    fn take_anonymous(&mut self, event: &Event) -> i64 {
        let own = self.anonymous.entry((event.side == Side::Sell, event.price)).or_default();
        let size = event.size.min(*own);
        *own -= size;
        self.unseen += u64::from(size < event.size);
        size
    }
}

const fn other(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

fn lots(size: i64) -> Decimal {
    Decimal::new(size, 0).unwrap_or_default()
}

/// The first row of an order book file: ask and bid levels in turn, price and size.
fn first_book(path: &Path) -> Result<Vec<[i64; 2]>> {
    let mut lines = Lines::new(&[path.to_owned()]);
    let row: Option<Vec<i64>> = lines.next_line()?.and_then(|line| {
        line.split(|byte| *byte == b',').map(|field| whole(field, "level").ok()).collect()
    });
    row.filter(|row| !row.is_empty() && row.len() % 4 == 0)
        .map(|row| row.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
        .ok_or_else(|| {
            let what = "not a LOBSTER order book (price and size of ask and bid, level by level)";
            Error::new(ErrorKind::Data, format!("{}: line 1: {what}", path.display()))
        })
}

fn read(line: &[u8], midnight_ns: i64) -> std::result::Result<Event, String> {
    // Newer files have a seventh column, the participant.
    let six = split::<7>(line, b',').map(|[a, b, c, d, e, f, _]| [a, b, c, d, e, f]);
    let Some([time, kind, id, size, price, side]) = split::<6>(line, b',').or(six) else {
        return Err("not a LOBSTER message (time,type,id,size,price,direction)".to_owned());
    };
    let time_ns =
        seconds_ns(decimal(time, "time")?).filter(|ns| (0..=90_000_000_000_000).contains(ns));
    let Some(time_ns) = time_ns else {
        return Err("the time is not within a day".to_owned());
    };
    let event = Event {
        time_ns: midnight_ns + time_ns,
        kind: whole(kind, "type")?,
        id: u64::try_from(whole(id, "order id")?).map_err(|_| "a negative order id".to_owned())?,
        size: whole(size, "size")?,
        price: whole(price, "price")?,
        side: match whole(side, "direction")? {
            1 => Side::Buy,
            -1 => Side::Sell,
            other => return Err(format!("the direction {other} is neither 1 nor -1")),
        },
    };
    if event.kind != 7 && (event.size <= 0 || event.price <= 0) {
        return Err(format!("size {} and price {} must be positive", event.size, event.price));
    }
    Ok(event)
}

impl Source for Messages {
    fn schema(&self) -> Schema {
        Schema::Order
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(self.symbol, 0, 0);
        let Some(line) = self.lines.next_line()? else {
            if self.unseen > 0 {
                tally.note(format!(
                    "{} events were about orders outside the recorded levels and changed nothing",
                    self.unseen
                ));
            }
            return Ok(false);
        };
        let event = match read(line, self.midnight_ns) {
            Ok(event) => event,
            Err(reason) => {
                tally.refuse(self.lines.place(), &reason)?;
                return Ok(true);
            }
        };
        tally.message(name_of(event.kind));
        out.start(self.symbol, event.time_ns, event.time_ns);
        if let Some((_, levels)) = self.seed.take() {
            self.seed(&event, &levels, out);
        }
        if let Err(reason) = self.stage(&event, out) {
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

const fn name_of(kind: i64) -> &'static str {
    match kind {
        1 => "add",
        2 => "partial_cancel",
        3 => "delete",
        4 => "execute",
        5 => "execute_hidden",
        6 => "cross_trade",
        7 => "halt",
        _ => "unknown",
    }
}
