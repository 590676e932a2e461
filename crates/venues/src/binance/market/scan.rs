//! The hand-written reader: one pass over the bytes, nothing allocated per message.

use mainspring_core::Decimal;

use super::{Fields, Slot};
use crate::json::{integer, Scalar, Scan, Scanner};
use crate::level::Level;

/// Reads the fields of a message, levels into the buffers.
///
/// # Errors
/// When the text is malformed, a key is doubled, or a level is not a pair of quoted numbers.
pub fn fields<'a>(
    text: &'a [u8],
    bids: &mut Vec<Level>,
    asks: &mut Vec<Level>,
) -> Scan<Fields<'a>> {
    let mut reader = Reader { scanner: Scanner::new(text), fields: Fields::default(), bids, asks };
    reader.object(true)?;
    reader.scanner.end()?;
    Ok(reader.fields)
}

struct Reader<'a, 'b> {
    scanner: Scanner<'a>,
    fields: Fields<'a>,
    bids: &'b mut Vec<Level>,
    asks: &'b mut Vec<Level>,
}

impl<'a> Reader<'a, '_> {
    /// Reads an object. In the outer one, "data" is the message and everything else envelope.
    fn object(&mut self, outer: bool) -> Scan<()> {
        self.scanner.begin_object()?;
        let mut wrapped = false;
        while let Some(key) = self.scanner.next_key()? {
            if outer && key == b"data" {
                self.once(!wrapped)?;
                wrapped = true;
                self.fields = Fields::default();
                self.bids.clear();
                self.asks.clear();
                self.object(false)?;
            } else if wrapped {
                self.ignore(key)?;
            } else {
                self.field(key)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, key: &[u8]) -> Scan<()> {
        match key {
            b"e" => self.fields.event = self.text(self.fields.event)?,
            b"s" | b"symbol" => self.fields.symbol = self.text(self.fields.symbol)?,
            b"X" => self.fields.execution = self.text(self.fields.execution)?,
            b"E" => self.fields.event_time = self.whole(self.fields.event_time)?,
            b"T" => self.fields.transact_time = self.whole(self.fields.transact_time)?,
            b"U" => self.fields.first = self.whole(self.fields.first)?,
            b"u" => self.fields.last = self.whole(self.fields.last)?,
            b"pu" => self.fields.previous = self.whole(self.fields.previous)?,
            b"lastUpdateId" => self.fields.snapshot = self.whole(self.fields.snapshot)?,
            b"b" | b"bids" => self.fields.bid = self.side(self.fields.bid, false)?,
            b"a" | b"asks" => self.fields.ask = self.side(self.fields.ask, true)?,
            b"B" => self.fields.bid_qty = self.number(self.fields.bid_qty)?,
            b"A" => self.fields.ask_qty = self.number(self.fields.ask_qty)?,
            b"p" => self.fields.price = self.number(self.fields.price)?,
            b"q" => self.fields.qty = self.number(self.fields.qty)?,
            b"r" => self.fields.rate = self.number(self.fields.rate)?,
            b"m" => self.fields.buyer_is_maker = self.truth(self.fields.buyer_is_maker)?,
            _ => self.ignore(key)?,
        }
        Ok(())
    }

    fn ignore(&mut self, key: &[u8]) -> Scan<()> {
        if std::str::from_utf8(key).is_err() {
            return self.scanner.refuse("a key that is not UTF-8");
        }
        self.scanner.skip()
    }

    fn once(&self, first: bool) -> Scan<()> {
        if first {
            return Ok(());
        }
        self.scanner.refuse("the key is there twice")
    }

    /// A scalar, or `None` for a skipped array or object. Exponents are left to the strict reader.
    fn scalar(&mut self) -> Scan<Option<Scalar<'a>>> {
        if matches!(self.scanner.peek(), b'{' | b'[') {
            self.scanner.skip()?;
            return Ok(None);
        }
        match self.scanner.scalar()? {
            Scalar::Number(text) if text.iter().any(|byte| matches!(byte, b'e' | b'E')) => {
                self.scanner.refuse("a number with an exponent")
            }
            Scalar::Text(text) if !text.is_ascii() && std::str::from_utf8(text).is_err() => {
                self.scanner.refuse("text that is not UTF-8")
            }
            scalar => Ok(Some(scalar)),
        }
    }

    fn text(&mut self, before: Option<&'a str>) -> Scan<Option<&'a str>> {
        self.once(before.is_none())?;
        let text = self.scalar()?.and_then(Scalar::text);
        Ok(text.and_then(|bytes| std::str::from_utf8(bytes).ok()))
    }

    fn whole(&mut self, before: Option<i64>) -> Scan<Option<i64>> {
        self.once(before.is_none())?;
        Ok(match self.scalar()? {
            Some(Scalar::Number(text)) if text != b"-0" => integer(text),
            _ => None,
        })
    }

    fn truth(&mut self, before: Option<bool>) -> Scan<Option<bool>> {
        self.once(before.is_none())?;
        Ok(match self.scalar()? {
            Some(Scalar::Bool(value)) => Some(value),
            _ => None,
        })
    }

    fn number(&mut self, before: Slot) -> Scan<Slot> {
        self.once(before == Slot::Absent)?;
        Ok(match self.scalar()?.and_then(Scalar::text).and_then(Decimal::from_ascii) {
            Some(value) => Slot::Number(value),
            None => Slot::Other,
        })
    }

    fn side(&mut self, before: Slot, ask: bool) -> Scan<Slot> {
        if self.scanner.peek() != b'[' {
            return self.number(before);
        }
        self.once(before == Slot::Absent)?;
        let levels = if ask { &mut *self.asks } else { &mut *self.bids };
        self.scanner.begin_array()?;
        while self.scanner.next_element()? {
            levels.push(level(&mut self.scanner)?);
        }
        Ok(Slot::Levels)
    }
}

#[inline]
fn level(scanner: &mut Scanner<'_>) -> Scan<Level> {
    scanner.begin_array()?;
    let price = quoted(scanner, "a level whose price is no quoted number")?;
    let qty = quoted(scanner, "a level whose quantity is no quoted number")?;
    while scanner.next_element()? {
        scanner.skip()?;
    }
    Ok(Level { price, qty })
}

#[inline]
fn quoted(scanner: &mut Scanner<'_>, what: &'static str) -> Scan<Decimal> {
    if !scanner.next_element()? {
        return scanner.refuse(what);
    }
    match scanner.string().ok().and_then(Decimal::from_ascii) {
        Some(value) => Ok(value),
        None => scanner.refuse(what),
    }
}
