//! Bitfinex v2 raw order books (`prec` R0): one JSON array of all messages.
//!
//! The messages carry no times. The first stands at midnight of the option `date`, each further one
//! a millisecond later: the order is the recording's, the spacing is not.

use std::path::{Path, PathBuf};

use mainspring_core::{Decimal, Error, ErrorKind, InstrumentKind, Result, RowKind, Side};
use mainspring_venues::json::{Scalar, Scan, Scanner};
use mainspring_venues::level::{scan_decimal_element, scan_integer};

use super::input::{open, Meter, Place};
use super::instrument::split_joined;
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{stated, Source, Staged, StagedRow, Symbols};
use super::time::Date;
use crate::format::Schema;

/// The name of the format.
pub const NAME: &str = "bitfinex";

/// Largest recording that is read; the array has no lines to stream by.
const MAX_BYTES: usize = 1 << 30;
const STEP_NS: i64 = 1_000_000;

/// Imports a recording.
///
/// # Errors
/// Names the file and message of what is wrong; no file is left then.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let date = options.date.as_deref().and_then(Date::read).ok_or_else(|| {
        let what = "the messages carry no times: give the day they are of with --date \
                    2024-01-31, in Python with date=";
        Error::new(ErrorKind::Config, format!("{}: {what}", inputs[0].display()))
    })?;
    let [input] = inputs else {
        return Err(Error::new(ErrorKind::Config, "import one Bitfinex recording at a time"));
    };
    let open = || Ok(Box::new(Array::open(input, date, options)?) as Box<dyn Source>);
    pipeline::run(NAME, inputs, output, options, &open, progress)
}

struct Array {
    text: Vec<u8>,
    /// Where the next message starts.
    at: usize,
    place: Place,
    symbols: Symbols,
    channels: Vec<(i64, usize)>,
    orders: std::collections::HashSet<u64>,
    time_ns: i64,
    options: Options,
    meter: Meter,
    noted: bool,
}

impl Array {
    fn open(path: &Path, date: Date, options: &Options) -> Result<Self> {
        let meter = Meter::default();
        let mut inputs = open(path, &meter)?;
        let text = inputs[0].read_all(MAX_BYTES)?;
        let place = Place { file: inputs[0].name.clone(), line: 0, unit: "message" };
        if text.trim_ascii_start().first() != Some(&b'[') {
            let what = "not a JSON array of messages";
            return Err(Error::new(ErrorKind::Data, format!("{}: {what}", place.file)));
        }
        let at = text.iter().position(|byte| *byte == b'[').unwrap_or(0) + 1;
        Ok(Self {
            text,
            at,
            place,
            symbols: Symbols::default(),
            channels: Vec::new(),
            orders: std::collections::HashSet::new(),
            time_ns: date.midnight_ns(),
            options: options.clone(),
            meter,
            noted: false,
        })
    }

    /// The next message of the array; `None` behind the last.
    fn next_message(&mut self) -> Scan<Option<Vec<u8>>> {
        let mut scanner = Scanner::new(&self.text[self.at..]);
        match scanner.peek() {
            b']' => return Ok(None),
            b',' => {
                self.at += scanner.position() + 1;
                scanner = Scanner::new(&self.text[self.at..]);
            }
            _ if self.place.line == 0 => {}
            _ => return scanner.refuse("expected ',' or ']' between messages"),
        }
        let message = scanner.raw()?.to_vec();
        self.at += scanner.position();
        Ok(Some(message))
    }

    fn stage(&mut self, text: &[u8], out: &mut Staged, tally: &mut Tally) -> Scan<()> {
        let mut scanner = Scanner::new(text);
        if scanner.peek() == b'{' {
            tally.message("event");
            return self.event(scanner);
        }
        scanner.begin_array()?;
        if !scanner.next_element()? {
            return scanner.refuse("an empty message");
        }
        let channel = scan_integer(&mut scanner)?;
        if !scanner.next_element()? {
            return scanner.refuse("a message without content");
        }
        if scanner.peek() == b'"' {
            tally.message("heartbeat");
            return scanner.skip();
        }
        let Some((_, symbol)) = self.channels.iter().find(|(own, _)| *own == channel).copied()
        else {
            tally.message("other");
            return Ok(());
        };
        out.start(symbol, self.time_ns, self.time_ns);
        let content = scanner.raw()?;
        let mut inner = Scanner::new(content);
        inner.begin_array()?;
        if !inner.next_element()? {
            return Ok(());
        }
        if inner.peek() != b'[' {
            tally.message("order");
            return self.order(&mut Scanner::new(content), false, out);
        }
        tally.message("snapshot");
        self.orders.clear();
        out.push_clear();
        let mut orders = Scanner::new(content);
        orders.begin_array()?;
        while orders.next_element()? {
            self.order(&mut orders, true, out)?;
        }
        Ok(())
    }

    /// Learns the symbol of a channel; only raw books are orders.
    fn event(&mut self, mut scanner: Scanner<'_>) -> Scan<()> {
        let (mut channel, mut pair, mut raw) = (None, None, false);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"chanId" => channel = Some(scan_integer(&mut scanner)?),
                b"pair" => pair = scanner.scalar()?.text().map(<[u8]>::to_vec),
                b"prec" => raw = scanner.scalar()? == Scalar::Text(b"R0"),
                _ => scanner.skip()?,
            }
        }
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
        if let (Some(channel), Some(pair), true) = (channel, pair, raw) {
            if self.options.keeps(&pair) {
                let (base, quote) = split_joined(&pair);
                let spec = stated("bitfinex", InstrumentKind::Spot, &base, &quote);
                let at = self.symbols.index(&pair, || spec);
                self.channels.push((channel, at));
            }
        }
        Ok(())
    }

    /// `[id, price, amount]`; a price of zero takes the order out, the sign of the amount is the side.
    fn order(&mut self, scanner: &mut Scanner<'_>, snapshot: bool, out: &mut Staged) -> Scan<()> {
        scanner.begin_array()?;
        if !scanner.next_element()? {
            return scanner.refuse("an order without its id");
        }
        let id = scan_integer(scanner)?.unsigned_abs();
        let price = scan_decimal_element(scanner, "an order without a price")?;
        let amount = scan_decimal_element(scanner, "an order without an amount")?;
        while scanner.next_element()? {
            scanner.skip()?;
        }
        let side = if amount.mantissa() < 0 { Side::Sell } else { Side::Buy };
        let size = Decimal::new(amount.mantissa().saturating_abs(), amount.scale());
        let Ok(qty) = size else { return scanner.refuse("an amount out of range") };
        let known = self.orders.contains(&id);
        let kind = match (price == Decimal::ZERO, known) {
            (true, true) => RowKind::OrderDelete,
            // Orders outside the subscribed levels leave as well.
            (true, false) => return Ok(()),
            (false, true) => RowKind::OrderModify,
            (false, false) => RowKind::OrderAdd,
        };
        if kind == RowKind::OrderDelete {
            self.orders.remove(&id);
        } else {
            self.orders.insert(id);
        }
        let qty = if kind == RowKind::OrderDelete { Decimal::ZERO } else { qty };
        let snapshot = if snapshot { mainspring_core::event::flags::SNAPSHOT } else { 0 };
        let flags = super::stage::side_flag(side) | snapshot;
        out.rows.push(StagedRow { kind, flags, price, qty, order_id: id });
        Ok(())
    }
}

impl Source for Array {
    fn schema(&self) -> Schema {
        Schema::Order
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        out.start(0, 0, 0);
        if !std::mem::replace(&mut self.noted, true) {
            tally.note("the recording has no times: messages are one millisecond apart");
        }
        let message = match self.next_message() {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(false),
            // Behind malformed text there is no next message to go on with.
            Err(refusal) => {
                self.place.line += 1;
                let what = format!("{}: {}", self.place, refusal.what);
                return Err(Error::new(ErrorKind::Data, what));
            }
        };
        self.place.line += 1;
        self.time_ns += STEP_NS;
        if let Err(refusal) = self.stage(&message, out, tally) {
            out.start(0, 0, 0);
            tally.refuse(&self.place, &refusal.to_string())?;
        }
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn bytes_read(&self) -> u64 {
        self.meter.bytes()
    }
}
