//! Bitstamp order logs: lines `<receive ms> <event> <json>` of single orders, trades and snapshots.
//!
//! The log starts in the middle of the day. The first snapshot gives the quantity of orders that
//! were never seen entering (anonymous); later snapshots only take away from it, where such an order
//! left without a line of its own. An order that crosses is shown resting until its fills arrive.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, InstrumentKind, Result, RowKind, Side};
use mainspring_venues::json::{integer, Scalar, Scan, Scanner};
use mainspring_venues::level::{scan_decimal, scan_integer, scan_levels};
use mainspring_venues::Level;

use super::binary::decimal_of;
use super::input::{Lines, Place};
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, Symbols};
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "bitstamp";

/// Decimal places of amounts; what the log writes beyond them is noise of floats.
const AMOUNT_PLACES: u8 = 8;
/// Reductions of orders that a trade line is matched against.
const RECENT: usize = 16;

/// Imports order logs, continuations of each other in this order.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let open = || Ok(Box::new(Log::new(inputs, options)) as Box<dyn Source>);
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

#[derive(Clone, Copy)]
struct Order {
    side: Side,
    price: i64,
    left: i64,
}

/// An order that became smaller: of the two behind a trade, the newer is the taker.
#[derive(Clone, Copy)]
struct Reduction {
    id: u64,
    side: Side,
    by: i64,
}

/// The messages of a log.
pub struct Log {
    lines: Lines,
    symbols: Symbols,
    symbol: usize,
    orders: HashMap<u64, Order>,
    /// Quantity of unseen orders by (ask, price).
    anonymous: BTreeMap<(bool, i64), i64>,
    recent: VecDeque<Reduction>,
    seeded: bool,
    options: Options,
    unseen: u64,
    unsided: u64,
}

impl Log {
    /// The messages of these files.
    #[must_use]
    pub fn new(inputs: &[PathBuf], options: &Options) -> Self {
        let mut symbols = Symbols::default();
        let name = options.symbol.clone().unwrap_or_else(|| "btcusd".to_owned());
        let upper = name.to_ascii_uppercase();
        let (base, quote) = super::instrument::split_joined(&upper);
        let spec = stated("bitstamp", InstrumentKind::Spot, &base, &quote);
        let symbol = symbols.index(&name, || spec);
        Self {
            lines: Lines::new(inputs),
            symbols,
            symbol,
            orders: HashMap::new(),
            anonymous: BTreeMap::new(),
            recent: VecDeque::new(),
            seeded: false,
            options: options.clone(),
            unseen: 0,
            unsided: 0,
        }
    }

    fn order_event(&mut self, event: &str, body: &[u8], out: &mut Staged) -> Outcome {
        let order = read_order(body)?;
        let (side, id) = (order.side, order.id);
        let known = self.orders.get(&id).copied();
        match (event, known) {
            ("order_created", None) if order.amount > 0 => {
                self.orders.insert(id, Order { side, price: order.price, left: order.amount });
                out.push_order(
                    RowKind::OrderAdd,
                    side,
                    price(order.price),
                    amount(order.amount),
                    id,
                );
            }
            // Created with nothing left: filled at once, and told by its trades.
            ("order_created", None) => {}
            ("order_created", Some(_)) => return Err(format!("order {id} is created twice")),
            ("order_changed", Some(old)) if order.amount > 0 => {
                self.reduced(id, side, old.left - order.amount);
                self.orders.insert(id, Order { side, price: order.price, left: order.amount });
                out.push_order(
                    RowKind::OrderModify,
                    side,
                    price(order.price),
                    amount(order.amount),
                    id,
                );
            }
            ("order_deleted" | "order_changed", Some(old)) => {
                self.reduced(id, side, old.left - order.amount);
                self.orders.remove(&id);
                out.push_order(
                    RowKind::OrderDelete,
                    old.side,
                    price(old.price),
                    amount(old.left),
                    id,
                );
            }
            (_, None) => self.unseen_order(event, &order, out),
            (other, Some(_)) => return Err(format!("the event '{other}' is unknown")),
        }
        Ok(())
    }

    fn reduced(&mut self, id: u64, side: Side, by: i64) {
        self.recent.push_back(Reduction { id, side, by });
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// A deletion of an order that was never seen takes its amount off the anonymous quantity.
    fn unseen_order(&mut self, event: &str, order: &OrderLine, out: &mut Staged) {
        self.unseen += 1;
        let key = (order.side == Side::Sell, order.price);
        let have = self.anonymous.get(&key).copied().unwrap_or(0);
        let take = order.amount.min(have);
        if event == "order_deleted" && take > 0 {
            self.set_anonymous(key, have - take, out);
        }
        if event == "order_deleted" && order.amount == 0 {
            self.reduced(order.id, order.side, 0);
        }
    }

    fn set_anonymous(&mut self, key: (bool, i64), qty: i64, out: &mut Staged) {
        if qty > 0 {
            self.anonymous.insert(key, qty);
        } else {
            self.anonymous.remove(&key);
        }
        let side = if key.0 { Side::Sell } else { Side::Buy };
        out.push(RowKind::Depth, side, price(key.1), amount(qty));
    }

    fn trade(&mut self, body: &[u8], out: &mut Staged) -> Outcome {
        let (at, qty) = read_trade(body)?;
        // Everything better than the price of a trade has gone; anonymous orders did so unseen.
        let gone: Vec<(bool, i64)> = self
            .anonymous
            .keys()
            .filter(|(ask, level)| if *ask { *level < at } else { *level > at })
            .copied()
            .collect();
        for key in gone {
            self.set_anonymous(key, 0, out);
        }
        if !self.options.streams.trades {
            return Ok(());
        }
        match self.taker(qty) {
            Some(side) => out.push(RowKind::Trade, side, price(at), amount(qty)),
            None => self.unsided += 1,
        }
        Ok(())
    }

    /// Of the last two orders of opposite sides that became smaller, by this amount where that is
    /// known, the newer one.
    fn taker(&self, qty: i64) -> Option<Side> {
        let fits = |r: &&Reduction| r.by == qty || r.by == 0;
        let one = self.recent.iter().rev().find(fits)?;
        let other = self.recent.iter().rev().find(|r| r.side != one.side && fits(r))?;
        Some(if one.id > other.id { one.side } else { other.side })
    }

    fn book(&mut self, body: &[u8], out: &mut Staged) -> Outcome {
        let (bids, asks) = read_book(body)?;
        let mut shown: HashMap<(bool, i64), i64> = HashMap::new();
        let mut range = [i64::MAX, i64::MIN];
        for (ask, levels) in [(false, &bids), (true, &asks)] {
            for level in levels {
                let at = whole(level.price, PRICE_PLACES)?;
                range = [range[0].min(at), range[1].max(at)];
                shown.insert((ask, at), whole(level.qty, AMOUNT_PLACES)?);
            }
        }
        let mut seen: HashMap<(bool, i64), i64> = HashMap::new();
        for order in self.orders.values() {
            *seen.entry((order.side == Side::Sell, order.price)).or_default() += order.left;
        }
        let unseen = |key: &(bool, i64)| {
            (shown.get(key).copied().unwrap_or(0) - seen.get(key).copied().unwrap_or(0)).max(0)
        };
        let changes: Vec<((bool, i64), i64)> = if self.seeded {
            let within = |at: i64| (range[0]..=range[1]).contains(&at);
            let own = self.anonymous.iter().filter(|((_, at), _)| within(*at));
            own.map(|(key, have)| (*key, unseen(key).min(*have), *have))
                .filter(|(_, left, have)| left < have)
                .map(|(key, left, _)| (key, left))
                .collect()
        } else {
            let mut all: Vec<_> = shown.keys().map(|key| (*key, unseen(key))).collect();
            all.retain(|(_, qty)| *qty > 0);
            all.sort_unstable();
            all
        };
        self.seeded = true;
        changes.into_iter().for_each(|(key, qty)| self.set_anonymous(key, qty, out));
        Ok(())
    }
}

type Outcome = std::result::Result<(), String>;

/// Prices are in cents.
const PRICE_PLACES: u8 = 2;

fn price(cents: i64) -> Decimal {
    Decimal::new(cents, PRICE_PLACES).unwrap_or_default()
}

fn amount(units: i64) -> Decimal {
    Decimal::new(units, AMOUNT_PLACES).unwrap_or_default()
}

/// The value in units of `10^-places`, rounded; only floats written out have more places.
fn whole(value: Decimal, places: u8) -> std::result::Result<i64, String> {
    let scaled = match value.to_scale(places) {
        Some(exact) => Some(exact),
        None => {
            let cut = 10_i128.pow(u32::from(value.scale() - places));
            let wide = i128::from(value.mantissa());
            let rounded = (wide + cut / 2).div_euclid(cut);
            // Noise is far below the last place.
            ((wide - rounded * cut).abs() * 1_000 < cut).then_some(rounded)
        }
    };
    let units = scaled.and_then(|units| i64::try_from(units).ok()).filter(|units| *units >= 0);
    units.ok_or_else(|| format!("{value} is not a size or price of this venue"))
}

struct OrderLine {
    id: u64,
    side: Side,
    price: i64,
    amount: i64,
}

fn read_order(body: &[u8]) -> std::result::Result<OrderLine, String> {
    let mut scanner = Scanner::new(body);
    let mut read = || {
        let (mut id, mut kind, mut at, mut qty) = (None, None, None, None);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"id" => id = Some(scan_integer(&mut scanner)?),
                b"order_type" => kind = Some(scan_integer(&mut scanner)?),
                b"price" => at = Some(scan_decimal(&mut scanner)?),
                b"amount" => qty = Some(scan_decimal(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        scanner.end()?;
        Ok((id, kind, at, qty))
    };
    let read: Scan<_> = read();
    let (Some(id), Some(kind), Some(at), Some(qty)) =
        read.map_err(|refusal| refusal.to_string())?
    else {
        return Err("an order without all of id, order_type, price, amount".to_owned());
    };
    let side = match kind {
        0 => Side::Buy,
        1 => Side::Sell,
        other => return Err(format!("the order type {other} is neither 0 nor 1")),
    };
    let id = u64::try_from(id).map_err(|_| "a negative order id".to_owned())?;
    Ok(OrderLine { id, side, price: whole(at, PRICE_PLACES)?, amount: whole(qty, AMOUNT_PLACES)? })
}

/// A float that was written with all its digits, as the shortest decimal that reads back as it.
fn scan_float(scanner: &mut Scanner<'_>) -> Scan<Decimal> {
    let text = match scanner.scalar()? {
        Scalar::Number(text) | Scalar::Text(text) => std::str::from_utf8(text).ok(),
        _ => None,
    };
    match text.and_then(|text| text.parse().ok()).and_then(decimal_of) {
        Some(value) => Ok(value),
        None => scanner.refuse("not a decimal number"),
    }
}

fn read_trade(body: &[u8]) -> std::result::Result<(i64, i64), String> {
    let mut scanner = Scanner::new(body);
    let mut read = || {
        let (mut at, mut qty) = (None, None);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"price" => at = Some(scan_float(&mut scanner)?),
                b"amount" => qty = Some(scan_float(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        scanner.end()?;
        Ok((at, qty))
    };
    let read: Scan<_> = read();
    match read.map_err(|refusal| refusal.to_string())? {
        (Some(at), Some(qty)) => Ok((whole(at, PRICE_PLACES)?, whole(qty, AMOUNT_PLACES)?)),
        _ => Err("a trade without price and amount".to_owned()),
    }
}

fn read_book(body: &[u8]) -> std::result::Result<(Vec<Level>, Vec<Level>), String> {
    let mut scanner = Scanner::new(body);
    let mut read = || {
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"bids" => scan_levels(&mut scanner, &mut bids)?,
                b"asks" => scan_levels(&mut scanner, &mut asks)?,
                _ => scanner.skip()?,
            }
        }
        scanner.end()?;
        Ok((bids, asks))
    };
    let read: Scan<_> = read();
    read.map_err(|refusal| refusal.to_string())
}

/// Receive time, event and body of a line.
#[must_use]
pub fn split_line(line: &[u8]) -> Option<(i64, &str, &[u8])> {
    let first = memchr::memchr(b' ', line)?;
    let second = first + 1 + memchr::memchr(b' ', &line[first + 1..])?;
    let ms =
        integer(&line[..first]).filter(|ms| (1_000_000_000_000..9_000_000_000_000).contains(ms))?;
    Some((ms * 1_000_000, std::str::from_utf8(&line[first + 1..second]).ok()?, &line[second + 1..]))
}

impl Source for Log {
    fn schema(&self) -> Schema {
        Schema::Order
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(self.symbol, 0, 0);
        let Some(line) = self.lines.next_line()?.map(<[u8]>::to_vec) else {
            for (count, what) in [
                (self.unseen, "events were about orders that were never seen entering"),
                (self.unsided, "trades whose taker cannot be told were left out"),
            ] {
                if count > 0 {
                    tally.note(format!("{count} {what}"));
                }
            }
            return Ok(false);
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(true);
        }
        let outcome = match split_line(&line) {
            None => Err("not a line '<receive ms> <event> <json>'".to_owned()),
            Some((recv_ns, event, body)) => {
                out.start(self.symbol, recv_ns, recv_ns);
                tally.message(event);
                match event {
                    "trade" => self.trade(body, out),
                    "order_book" => self.book(body, out),
                    "order_created" | "order_changed" | "order_deleted" => {
                        self.order_event(event, body, out)
                    }
                    other => Err(format!("the event '{other}' is unknown")),
                }
            }
        };
        if let Err(reason) = outcome {
            out.start(self.symbol, 0, 0);
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
