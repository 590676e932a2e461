//! What strategies ask for, as a journal keeps it.

use bytemuck::{Pod, Zeroable};
use mainspring_core::limits::{MAX_INTENTS_PER_CALL, MAX_QUOTE_LEVELS};
use mainspring_core::order::OrderFlags;
use mainspring_core::{ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Result, Ticks};
use mainspring_trading::execution::parents::{ParentId, ParentTerms};
use mainspring_trading::execution::Level;
use mainspring_trading::risk::StopRule;

use super::order::Terms;
use super::{damaged, unknown_code};
use crate::intent::{Control, Intent, Intents};

/// Head of wishes; intents and then levels follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct IntentsHead {
    /// The sequence of the last record that the strategy had seen; 0 for the one that caused this.
    pub decided: u64,
    /// Index of the strategy.
    pub strategy: u16,
    /// Number of intents.
    pub intents: u16,
    /// Number of levels.
    pub levels: u16,
    /// Number of parent orders, whose terms follow the levels.
    pub parents: u16,
}

/// One wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct IntentRecord {
    /// Terms of an order to place; price and quantity of an amend or target; time of a timer.
    pub terms: Terms,
    /// The order, or the tag of a timer.
    pub id: u64,
    /// First level of a quote.
    pub first: u16,
    /// Number of its bids.
    pub bids: u16,
    /// Number of its asks.
    pub asks: u16,
    /// Code of the wish.
    pub kind: u8,
    /// Whether a target has a price.
    pub priced: u8,
}

/// One level of a desired quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LevelRecord {
    /// Price.
    pub price: i64,
    /// Quantity.
    pub qty: i64,
}

/// Room for the wishes of one call.
pub(crate) const MAX_INTENTS_BYTES: usize = size_of::<IntentsHead>()
    + MAX_INTENTS_PER_CALL * size_of::<IntentRecord>()
    + 16 * MAX_QUOTE_LEVELS * size_of::<LevelRecord>();

/// Writes wishes behind `buffer`; no allocation when it has [`MAX_INTENTS_BYTES`] of room.
pub(crate) fn encode_intents(strategy: u16, decided: u64, intents: &Intents, buffer: &mut Vec<u8>) {
    let levels = intents.all_levels();
    let head = IntentsHead {
        decided,
        strategy,
        intents: intents.as_slice().len() as u16,
        levels: levels.len() as u16,
        parents: intents.parents().len() as u16,
    };
    buffer.extend_from_slice(bytemuck::bytes_of(&head));
    for intent in intents.as_slice() {
        buffer.extend_from_slice(bytemuck::bytes_of(&encode_intent(intent)));
    }
    for level in levels {
        let record = LevelRecord { price: level.price.0, qty: level.qty.0 };
        buffer.extend_from_slice(bytemuck::bytes_of(&record));
    }
    for terms in intents.parents() {
        encode_parent(terms, buffer);
    }
}

/// Terms of a parent order, which have no fixed layout: the length of their JSON, and the JSON.
#[cold]
fn encode_parent(terms: &ParentTerms, buffer: &mut Vec<u8>) {
    // Terms hold nothing that JSON cannot; were it so, the reader would find the record damaged.
    let json = serde_json::to_vec(terms).unwrap_or_default();
    buffer.extend_from_slice(&(json.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&json);
}

fn decode_parents(count: u16, mut bytes: &[u8], intents: &mut Intents) -> Result<()> {
    for _ in 0..count {
        let head = bytes.split_first_chunk::<4>();
        let (json, rest) = head
            .and_then(|(len, rest)| rest.split_at_checked(u32::from_le_bytes(*len) as usize))
            .ok_or_else(|| damaged::<IntentsHead>(bytes.len()))?;
        let terms = serde_json::from_slice(json).map_err(|e| {
            Error::new(ErrorKind::Mismatch, format!("terms of a parent order: {e}"))
        })?;
        intents.push_parent(terms)?;
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(damaged::<IntentsHead>(bytes.len()))
    }
}

fn parent_of(id: u64) -> Result<ParentId> {
    u32::try_from(id).map(ParentId).map_err(|_| unknown_code("a parent order", 0))
}

fn control_of(code: u16) -> Result<Control> {
    [Control::Pause, Control::Resume, Control::Cancel]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown_code("a control of a parent order", code as u8))
}

/// A rule in the fields of terms: its code where an order's type is, its figures where prices are.
fn encode_stop(rule: &StopRule, terms: &mut Terms) {
    let (code, figures) = match *rule {
        StopRule::Fixed { distance2 } => (1, [distance2, 0, 0]),
        StopRule::Trailing { distance2 } => (2, [distance2, 0, 0]),
        StopRule::Atr { multiple_milli, period, bar_ns } => {
            (3, [multiple_milli, i64::from(period), bar_ns])
        }
        StopRule::Step { distance2, step2 } => (4, [distance2, step2, 0]),
        StopRule::BreakEven { distance2, trigger2, offset2 } => (5, [distance2, trigger2, offset2]),
        StopRule::Time { after_ns } => (6, [after_ns, 0, 0]),
        StopRule::Equity { loss } => (7, [loss as i64, (loss >> 64) as i64, 0]),
    };
    terms.order_type = code;
    [terms.price, terms.qty, terms.trigger] = figures;
}

fn decode_stop(terms: &Terms) -> Result<StopRule> {
    let (a, b, c) = (terms.price, terms.qty, terms.trigger);
    let rule = match terms.order_type {
        1 => StopRule::Fixed { distance2: a },
        2 => StopRule::Trailing { distance2: a },
        3 => {
            let period = u32::try_from(b).unwrap_or(0);
            StopRule::Atr { multiple_milli: a, period, bar_ns: c }
        }
        4 => StopRule::Step { distance2: a, step2: b },
        5 => StopRule::BreakEven { distance2: a, trigger2: b, offset2: c },
        6 => StopRule::Time { after_ns: a },
        7 => StopRule::Equity { loss: i128::from(b) << 64 | i128::from(a as u64) },
        code => return Err(unknown_code("a stop", code)),
    };
    rule.validate()?;
    Ok(rule)
}

fn encode_intent(intent: &Intent) -> IntentRecord {
    let mut record = IntentRecord::zeroed();
    match *intent {
        Intent::Quote { instrument, first, bids, asks, flags } => {
            record.kind = 1;
            record.terms.instrument = instrument.0;
            record.terms.flags = flags.0;
            (record.first, record.bids, record.asks) = (first, bids, asks);
        }
        Intent::Target { instrument, position, price } => {
            record.kind = 2;
            record.terms.instrument = instrument.0;
            record.terms.qty = position.0;
            record.terms.price = price.map_or(0, |p| p.0);
            record.priced = u8::from(price.is_some());
        }
        Intent::Place { id, terms } => {
            record.kind = 3;
            record.id = id.0;
            record.terms = Terms::of(&terms);
        }
        Intent::Cancel(id) => {
            record.kind = 4;
            record.id = id.0;
        }
        Intent::CancelAll(instrument) => {
            record.kind = 5;
            record.terms.instrument = instrument.0;
        }
        Intent::Amend { id, price, qty } => {
            record.kind = 6;
            record.id = id.0;
            (record.terms.price, record.terms.qty) = (price.0, qty.0);
        }
        Intent::Stop { instrument, rule } => {
            record.kind = 10;
            record.terms.instrument = instrument.0;
            if let Some(rule) = rule {
                record.priced = 1;
                encode_stop(&rule, &mut record.terms);
            }
        }
        Intent::Timer { at_ns, tag } => {
            record.kind = 7;
            record.id = tag as u64;
            record.terms.expire_ns = at_ns;
        }
        Intent::Execute { id, terms } => {
            record.kind = 8;
            record.id = u64::from(id.0);
            record.first = terms;
        }
        Intent::Control { id, control } => {
            record.kind = 9;
            record.id = u64::from(id.0);
            record.first = control as u16;
        }
    }
    record
}

/// Reads wishes back into `intents`, which is emptied first.
///
/// # Errors
/// When the payload is damaged, or a wish is one that a strategy could not have stated.
pub(crate) fn decode_intents(payload: &[u8], intents: &mut Intents) -> Result<IntentsHead> {
    intents.clear();
    let head_bytes = payload
        .get(..size_of::<IntentsHead>())
        .ok_or_else(|| damaged::<IntentsHead>(payload.len()))?;
    let head: IntentsHead = bytemuck::pod_read_unaligned(head_bytes);
    let rest = &payload[size_of::<IntentsHead>()..];
    let split = usize::from(head.intents) * size_of::<IntentRecord>();
    let end = split + usize::from(head.levels) * size_of::<LevelRecord>();
    if rest.len() < end {
        return Err(damaged::<IntentsHead>(payload.len()));
    }
    decode_parents(head.parents, &rest[end..], intents)?;
    for bytes in rest[split..end].chunks_exact(size_of::<LevelRecord>()) {
        let level: LevelRecord = bytemuck::pod_read_unaligned(bytes);
        intents.push_level(Level { price: Ticks(level.price), qty: Lots(level.qty) })?;
    }
    for bytes in rest[..split].chunks_exact(size_of::<IntentRecord>()) {
        let record = bytemuck::pod_read_unaligned(bytes);
        intents.push(decode_intent(&record, head.levels, head.parents)?)?;
    }
    Ok(head)
}

fn decode_intent(record: &IntentRecord, levels: u16, parents: u16) -> Result<Intent> {
    let instrument = InstrumentId(record.terms.instrument);
    let id = ClientOrderId(record.id);
    let (price, qty) = (Ticks(record.terms.price), Lots(record.terms.qty));
    Ok(match record.kind {
        1 => {
            let end = u32::from(record.first) + u32::from(record.bids) + u32::from(record.asks);
            if end > u32::from(levels) {
                return Err(damaged::<IntentRecord>(size_of::<IntentRecord>()));
            }
            Intent::Quote {
                instrument,
                first: record.first,
                bids: record.bids,
                asks: record.asks,
                flags: OrderFlags(record.terms.flags),
            }
        }
        2 => Intent::Target {
            instrument,
            position: qty,
            price: (record.priced != 0).then_some(price),
        },
        3 => Intent::Place { id, terms: record.terms.terms()? },
        4 => Intent::Cancel(id),
        5 => Intent::CancelAll(instrument),
        6 => Intent::Amend { id, price, qty },
        7 => Intent::Timer { at_ns: record.terms.expire_ns, tag: record.id as i64 },
        8 if record.first < parents => {
            Intent::Execute { id: parent_of(record.id)?, terms: record.first }
        }
        10 => {
            let stop = record.priced != 0;
            let rule = stop.then(|| decode_stop(&record.terms)).transpose()?;
            Intent::Stop { instrument, rule }
        }
        9 => Intent::Control { id: parent_of(record.id)?, control: control_of(record.first)? },
        code => return Err(unknown_code("a wish", code)),
    })
}
