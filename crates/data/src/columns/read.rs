//! Rows as columns.

use mainspring_core::event::{BarRow, MarketRow};
use mainspring_core::{Instrument, OrderRow, Result, Ticks, TimeNs};

use super::to_f64;
use crate::format::{ChunkEntry, Row, Schema};
use crate::reader::EventFile;
use crate::table::{Column, Table};

/// Which rows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Receive time from.
    pub start_ns: TimeNs,
    /// Receive time up to, not included.
    pub end_ns: TimeNs,
    /// Only this instrument of the file.
    pub instrument: Option<u16>,
    /// Only these kinds, by number; all when empty. Not for bars.
    pub kinds: Vec<u8>,
    /// Rows to leave out at the front.
    pub skip: usize,
    /// Most rows.
    pub limit: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            start_ns: TimeNs::MIN,
            end_ns: TimeNs::MAX,
            instrument: None,
            kinds: Vec::new(),
            skip: 0,
            limit: usize::MAX,
        }
    }
}

impl Selection {
    fn touches(&self, chunk: &ChunkEntry) -> bool {
        chunk.recv_ns[1] >= self.start_ns && chunk.recv_ns[0] < self.end_ns
    }

    /// Whether every row is chosen, so that whole chunks can be skipped unread.
    fn takes_all(&self) -> bool {
        self.start_ns == TimeNs::MIN
            && self.end_ns == TimeNs::MAX
            && self.instrument.is_none()
            && self.kinds.is_empty()
    }

    fn takes(&self, recv_ns: TimeNs, instrument: u16) -> bool {
        (self.start_ns..self.end_ns).contains(&recv_ns)
            && self.instrument.is_none_or(|only| only == instrument)
    }

    fn takes_market(&self, row: &MarketRow) -> bool {
        self.takes(row.recv_ns, row.instrument)
            && (self.kinds.is_empty() || self.kinds.contains(&row.kind))
    }
}

/// Chosen rows as a table. Market rows have `recv_ns`, `exch_ns`, `kind`, `flags`, `instrument`,
/// `side` (+1 bid or buyer, -1 ask or seller), `price_ticks`, `qty_lots`, `price` and `qty`, order
/// rows `order_id` too; bars have `recv_ns`, `open_ns`, `instrument`, prices and volume as floats
/// and exact (`open_ticks`, ..., `volume_lots`), and `trades`.
///
/// # Errors
/// When a chunk is damaged or the file was cut.
pub fn rows_table(file: &EventFile, selection: &Selection) -> Result<Table> {
    let table = match file.schema() {
        Schema::Market => {
            let rows = collect(file, selection, |row| selection.takes_market(row))?;
            market_table("rows", &rows, file.instruments())
        }
        Schema::Order => {
            let rows =
                collect(file, selection, |row: &OrderRow| selection.takes_market(&row.market))?;
            let ids = rows.iter().map(|(row, _)| row.order_id).collect();
            let rows: Vec<_> = rows.iter().map(|(row, base)| (row.market, *base)).collect();
            market_table("rows", &rows, file.instruments())?.with("order_id", Column::U64(ids))
        }
        Schema::Bar => {
            let takes = |row: &BarRow| selection.takes(row.recv_ns, row.instrument);
            let rows = collect(file, selection, takes)?;
            let bars: Vec<_> = rows.iter().map(|(bar, _)| *bar).collect();
            bar_table("bars", &bars, file.instruments())
        }
    }?;
    file.check()?;
    Ok(table)
}

/// The chosen rows with the price base of each.
fn collect<R: Row>(
    file: &EventFile,
    selection: &Selection,
    takes: impl Fn(&R) -> bool,
) -> Result<Vec<(R, Ticks)>> {
    let mut rows = Vec::new();
    let mut to_skip = selection.skip;
    for (number, entry) in file.chunks().iter().enumerate().filter(|(_, c)| selection.touches(c)) {
        if selection.takes_all() && to_skip as u64 >= entry.rows {
            to_skip -= entry.rows as usize;
            continue;
        }
        let chunk = file.chunk_of::<R>(number)?;
        for row in chunk.rows.iter().filter(|row| takes(row)) {
            if to_skip > 0 {
                to_skip -= 1;
            } else if rows.len() < selection.limit {
                rows.push((*row, chunk.price_base));
            } else {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}

fn market_table(
    name: &str,
    rows: &[(MarketRow, Ticks)],
    instruments: &[Instrument],
) -> Result<Table> {
    let unit = |row: &MarketRow| &instruments[usize::from(row.instrument)];
    let price = |(row, base): &(MarketRow, Ticks)| to_f64(row.price(*base).0, unit(row).tick());
    let qty = |(row, _): &(MarketRow, Ticks)| to_f64(row.qty_lots, unit(row).lot);
    Table::new(name)
        .with("recv_ns", Column::I64(rows.iter().map(|(r, _)| r.recv_ns).collect()))?
        .with("exch_ns", Column::I64(rows.iter().map(|(r, _)| r.exch_ns).collect()))?
        .with("kind", Column::U8(rows.iter().map(|(r, _)| r.kind).collect()))?
        .with("flags", Column::U8(rows.iter().map(|(r, _)| r.flags).collect()))?
        .with("instrument", Column::U16(rows.iter().map(|(r, _)| r.instrument).collect()))?
        .with("side", Column::I8(rows.iter().map(|(r, _)| r.side().sign() as i8).collect()))?
        .with("price_ticks", Column::I64(rows.iter().map(|(r, b)| r.price(*b).0).collect()))?
        .with("qty_lots", Column::I64(rows.iter().map(|(r, _)| r.qty_lots).collect()))?
        .with("price", Column::F64(rows.iter().map(price).collect()))?
        .with("qty", Column::F64(rows.iter().map(qty).collect()))
}

fn bar_table(name: &str, bars: &[BarRow], instruments: &[Instrument]) -> Result<Table> {
    let unit = |bar: &BarRow| &instruments[usize::from(bar.instrument)];
    let ints = |value: fn(&BarRow) -> i64| Column::I64(bars.iter().map(value).collect());
    let prices = |value: fn(&BarRow) -> i64| {
        Column::F64(bars.iter().map(|bar| to_f64(value(bar), unit(bar).tick())).collect())
    };
    let volumes = bars.iter().map(|bar| to_f64(bar.volume.0, unit(bar).lot)).collect();
    Table::new(name)
        .with("recv_ns", ints(|bar| bar.recv_ns))?
        .with("open_ns", ints(|bar| bar.open_ns))?
        .with("instrument", Column::U16(bars.iter().map(|bar| bar.instrument).collect()))?
        .with("open", prices(|bar| bar.open.0))?
        .with("high", prices(|bar| bar.high.0))?
        .with("low", prices(|bar| bar.low.0))?
        .with("close", prices(|bar| bar.close.0))?
        .with("volume", Column::F64(volumes))?
        .with("trades", Column::U32(bars.iter().map(|bar| bar.trades).collect()))?
        .with("open_ticks", ints(|bar| bar.open.0))?
        .with("high_ticks", ints(|bar| bar.high.0))?
        .with("low_ticks", ints(|bar| bar.low.0))?
        .with("close_ticks", ints(|bar| bar.close.0))?
        .with("volume_lots", ints(|bar| bar.volume.0))
}

/// The chunk index as a table.
///
/// # Errors
/// None in practice; the columns have one length.
pub fn index_table(file: &EventFile) -> Result<Table> {
    let index = file.chunks();
    let ints = |value: fn(&ChunkEntry) -> i64| Column::I64(index.iter().map(value).collect());
    Table::new("chunks")
        .with("first_row", ints(|c| c.first_row as i64))?
        .with("rows", ints(|c| c.rows as i64))?
        .with("price_base_ticks", ints(|c| c.price_base))?
        .with("first_recv_ns", ints(|c| c.recv_ns[0]))?
        .with("last_recv_ns", ints(|c| c.recv_ns[1]))?
        .with("first_exch_ns", ints(|c| c.exch_ns[0]))?
        .with("last_exch_ns", ints(|c| c.exch_ns[1]))?
        .with("checksum", Column::U64(index.iter().map(|c| c.checksum).collect()))
}
