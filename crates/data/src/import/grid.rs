//! Messages put on the grid of their instrument: prices in ticks, quantities in lots.

use mainspring_core::event::{flags, BarRow};
use mainspring_core::{
    Decimal, Error, ErrorKind, GridRule, Instrument, Lots, Result, RowKind, Ticks, TimeNs,
};

use super::instrument::Resolved;
use super::pipeline::{GridRow, Plan, RowSink};
use super::report::Tally;
use super::stage::{Staged, StagedBar, StagedRow};

/// Puts messages on the grid of their instrument.
pub(super) struct Gridder<'a> {
    pub(super) plan: &'a Plan,
    offset_ns: i64,
    placed: Vec<(Ticks, i64)>,
    last_recv_ns: TimeNs,
    late: u64,
    pub(super) rows: u64,
    pub(super) rows_of: Vec<u64>,
    kinds: [u64; 32],
    pub(super) span_ns: Option<(TimeNs, TimeNs)>,
}

impl<'a> Gridder<'a> {
    pub(super) fn new(plan: &'a Plan, offset_ns: i64) -> Self {
        Self {
            plan,
            offset_ns,
            placed: Vec::new(),
            last_recv_ns: TimeNs::MIN,
            late: 0,
            rows: 0,
            rows_of: vec![0; plan.resolved.len()],
            kinds: [0; 32],
            span_ns: None,
        }
    }

    pub(super) fn resolved(&self, staged: &Staged) -> Option<(u16, &'a Resolved)> {
        let at = self.plan.index.get(staged.symbol).copied().flatten()?;
        Some((at, &self.plan.resolved[usize::from(at)]))
    }

    pub(super) fn instrument(&self, staged: &Staged) -> Option<(u16, &'a Instrument)> {
        self.resolved(staged).map(|(at, made)| (at, &made.instrument))
    }

    pub(super) fn symbol(&self, staged: &Staged) -> String {
        self.instrument(staged).map_or_else(String::new, |(_, own)| own.symbol.clone())
    }

    /// Puts prices and quantities on the grid, or says what does not fit.
    pub(super) fn place(&mut self, staged: &Staged) -> std::result::Result<(), String> {
        self.placed.clear();
        let Some((_, made)) = self.resolved(staged) else {
            return Err("the input changed while it was being read".to_owned());
        };
        let (tick, lot) = (made.instrument.tick(), made.instrument.lot);
        let mut snapshot = [Ticks::MIN, Ticks::MAX];
        for row in &staged.rows {
            let (price, qty) = place_row(row, made, tick, lot)?;
            if row.kind == RowKind::Depth && row.flags & flags::SNAPSHOT != 0 && qty > 0 {
                if row.flags & flags::ASK == 0 {
                    snapshot[0] = snapshot[0].max(price);
                } else {
                    snapshot[1] = snapshot[1].min(price);
                }
            }
            self.placed.push((price, qty));
        }
        if snapshot[0] >= snapshot[1] {
            return Err(format!(
                "the snapshot is crossed: best bid {} is not below best ask {}",
                tick.times(snapshot[0].0),
                tick.times(snapshot[1].0)
            ));
        }
        Ok(())
    }

    pub(super) fn recv(&mut self, staged: &Staged) -> TimeNs {
        let recv_ns = staged.recv_ns.saturating_add(self.offset_ns);
        self.late += u64::from(recv_ns < self.last_recv_ns);
        self.last_recv_ns = recv_ns.max(self.last_recv_ns);
        let span = self.span_ns.get_or_insert((self.last_recv_ns, self.last_recv_ns));
        span.1 = self.last_recv_ns;
        self.last_recv_ns
    }

    pub(super) fn write(&mut self, staged: &Staged, sink: &mut dyn RowSink) -> Result<()> {
        let Some((instrument, definition)) = self.instrument(staged) else {
            return Ok(());
        };
        let recv_ns = self.recv(staged);
        let last = staged.rows.len().wrapping_sub(1);
        for (at, row) in staged.rows.iter().enumerate() {
            let (price, qty) = self.placed[at];
            let end = if at == last { flags::END_OF_MESSAGE } else { 0 };
            self.kinds[usize::from(row.kind as u8) & 31] += 1;
            sink.row(&GridRow {
                recv_ns,
                exch_ns: staged.exch_ns,
                kind: row.kind,
                flags: row.flags | end,
                instrument,
                price,
                qty,
                order_id: row.order_id,
            })?;
        }
        for bar in &staged.bars {
            let row = place_bar(bar, staged, recv_ns, instrument, definition)?;
            sink.bar(row)?;
        }
        let count = (staged.rows.len() + staged.bars.len()) as u64;
        self.rows += count;
        self.rows_of[usize::from(instrument)] += count;
        Ok(())
    }

    pub(super) fn write_gap(&mut self, staged: &Staged, sink: &mut dyn RowSink) -> Result<()> {
        let mut gap = Staged::default();
        gap.start(staged.symbol, staged.recv_ns, staged.exch_ns);
        gap.push_gap();
        self.placed.clear();
        self.placed.push((Ticks::ZERO, 0));
        self.write(&gap, sink)
    }

    pub(super) fn notes(&self, tally: &mut Tally) {
        if self.late > 0 {
            tally.note(format!(
                "{} messages were recorded with a receive time before that of the message in front \
                 of them and were given its time",
                self.late
            ));
        }
    }

    pub(super) fn rows_by_kind(&self) -> std::collections::BTreeMap<String, u64> {
        let mut by_kind = std::collections::BTreeMap::new();
        for (byte, count) in self.kinds.iter().enumerate().filter(|(_, count)| **count > 0) {
            let kind = u8::try_from(byte).ok().and_then(RowKind::from_byte);
            by_kind.insert(kind.map_or_else(String::new, |k| format!("{k:?}")), *count);
        }
        let bars = self.rows - by_kind.values().sum::<u64>();
        if bars > 0 {
            by_kind.insert("Bar".to_owned(), bars);
        }
        by_kind
    }
}

#[inline]
fn place_row(
    row: &StagedRow,
    made: &Resolved,
    tick: Decimal,
    lot: Decimal,
) -> std::result::Result<(Ticks, i64), String> {
    match row.kind {
        RowKind::Clear | RowKind::Gap => return Ok((Ticks::ZERO, 0)),
        RowKind::Status => return Ok((Ticks::ZERO, row.qty.mantissa())),
        RowKind::Mark => return place_mark(row.price, tick),
        RowKind::Funding => {
            let rate = row.qty.to_scale(9).and_then(|rate| i64::try_from(rate).ok());
            return match rate {
                Some(rate) => Ok((Ticks::ZERO, rate)),
                None => Err(format!("the funding rate {} is finer than 10^-9", row.qty)),
            };
        }
        _ => {}
    }
    let Some(price) = row.price.count_of(tick) else {
        return Err(format!("the price {} is not on the grid (tick {tick})", row.price));
    };
    if price <= 0 && !matches!(row.kind, RowKind::OrderDelete | RowKind::OrderExecute) {
        return non_positive_price(row, price, &made.instrument).map(|qty| (Ticks(price), qty));
    }
    // Trades also happen between the prices of orders, at midpoints.
    let grid = made.instrument.grid();
    let free = matches!(row.kind, RowKind::Trade | RowKind::OrderExecute)
        || made.tick_origin == super::instrument::Origin::Widened;
    if !free && !matches!(grid.rule, GridRule::Fixed) && !grid.is_valid(Ticks(price)) {
        return Err(format!("the price {} is not on the price grid", row.price));
    }
    place_qty(row.qty, lot).map(|qty| (Ticks(price), qty))
}

/// Prices at or under zero exist for dated futures and spreads, and an empty side is quoted at zero.
fn non_positive_price(
    row: &StagedRow,
    price: i64,
    instrument: &Instrument,
) -> std::result::Result<i64, String> {
    use mainspring_core::InstrumentKind::LinearFuture;
    if instrument.kind == LinearFuture || (price == 0 && row.qty == Decimal::ZERO) {
        return place_qty(row.qty, instrument.lot);
    }
    Err(format!("the price {} is not positive", row.price))
}

#[inline]
fn place_qty(qty: Decimal, lot: Decimal) -> std::result::Result<i64, String> {
    match qty.count_of(lot) {
        Some(lots) if lots >= 0 => Ok(lots),
        Some(_) => Err(format!("the size {qty} is negative")),
        None => Err(format!("the size {qty} is not a whole number of lots (lot {lot})")),
    }
}

/// Whole ticks, and the rest in units of 10^-9 tick, rounded down.
fn place_mark(price: Decimal, tick: Decimal) -> std::result::Result<(Ticks, i64), String> {
    let scale = price.scale().max(tick.scale());
    let place = || {
        let (price, tick) = (price.to_scale(scale)?, tick.to_scale(scale)?);
        let rest = (price.rem_euclid(tick)).checked_mul(1_000_000_000)? / tick;
        Some((Ticks(i64::try_from(price.div_euclid(tick)).ok()?), i64::try_from(rest).ok()?))
    };
    place().ok_or_else(|| format!("the mark price {price} is out of range"))
}

fn place_bar(
    bar: &StagedBar,
    staged: &Staged,
    recv_ns: TimeNs,
    instrument: u16,
    definition: &Instrument,
) -> Result<BarRow> {
    let refused = |what: String| Error::new(ErrorKind::Data, what);
    let tick = definition.tick();
    let price = |at: usize| {
        let price = bar.prices[at];
        let ticks = price.count_of(tick).map(Ticks);
        ticks.ok_or_else(|| refused(format!("the price {price} is not on the grid (tick {tick})")))
    };
    let volume = place_qty(bar.volume, definition.lot).map_err(refused)?;
    let _ = staged;
    Ok(BarRow {
        recv_ns,
        open_ns: bar.open_ns,
        open: price(0)?,
        high: price(1)?,
        low: price(2)?,
        close: price(3)?,
        volume: Lots(volume),
        trades: bar.trades,
        instrument,
        flags: u16::from(flags::END_OF_MESSAGE),
    })
}
