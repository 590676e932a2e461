//! Columns as rows of a new event file.

use std::path::Path;

use mainspring_core::event::{flags, BarRow};
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, Lots, Result, RowKind, Ticks, TimeNs,
};
use serde::Deserialize;

use super::from_f64;
use crate::format::{data_error, Schema};
use crate::provenance::Provenance;
use crate::table::{Column, Table};
use crate::writer::{EventWriter, Summary};

/// What to do with a price that is no whole number of ticks, or is on no grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffGrid {
    /// Refuse the table and name the row.
    #[default]
    Refuse,
    /// Take the nearest tick.
    Round,
}

/// Writes a table as an event file.
///
/// Market and order files need `recv_ns`, `kind`, `flags`, and `price_ticks` or `price`, `qty_lots`
/// or `qty`; `exch_ns` (receive time without it), `instrument` (0 without it); order files
/// `order_id` too. Bars need `recv_ns`, `open_ns`, and each of `open`, `high`, `low`, `close`,
/// `volume` as a float or, with `_ticks` or `_lots` behind the name, exact; `trades` and
/// `instrument` are optional. Quantities in floats are rounded to the nearest lot.
///
/// # Errors
/// When a column is missing or of a wrong type, when a row is refused by [`EventWriter`], and when
/// the file cannot be written. No file is left then.
pub fn write_table(
    path: impl AsRef<Path>,
    schema: Schema,
    instruments: Vec<Instrument>,
    provenance: Provenance,
    table: &Table,
    off_grid: OffGrid,
) -> Result<Summary> {
    let mut writer = EventWriter::create(path, schema, instruments.clone(), provenance)?;
    let rows = Rows { table, instruments: &instruments, off_grid };
    match schema {
        Schema::Market | Schema::Order => rows.write_events(&mut writer, schema)?,
        Schema::Bar => rows.write_bars(&mut writer)?,
    }
    writer.finish()
}

struct Rows<'a> {
    table: &'a Table,
    instruments: &'a [Instrument],
    off_grid: OffGrid,
}

impl Rows<'_> {
    fn write_events(&self, writer: &mut EventWriter, schema: Schema) -> Result<()> {
        let recv = self.whole("recv_ns")?;
        let exch = self.whole_or("exch_ns", &recv)?;
        let (kinds, bits) = (self.whole("kind")?, self.whole("flags")?);
        let instrument = self.whole_or("instrument", &vec![0; recv.len()])?;
        let prices = self.amount("price", "price_ticks")?;
        let sizes = self.amount("qty", "qty_lots")?;
        let ids = match schema {
            Schema::Order => self.ids()?,
            _ => Vec::new(),
        };
        for row in 0..recv.len() {
            let kind = self.kind(kinds[row], row)?;
            let flags = self.narrow::<u8>("flags", bits[row], row)?;
            let number = self.narrow::<u16>("instrument", instrument[row], row)?;
            let (price, qty) = self.event_amounts(kind, &prices, &sizes, number, row)?;
            let (recv, exch) = (recv[row], exch[row]);
            match ids.get(row) {
                None => writer.push_market(recv, exch, kind, flags, number, price, qty)?,
                Some(id) => writer.push_order(recv, exch, kind, flags, number, price, qty, *id)?,
            }
        }
        Ok(())
    }

    /// Price and quantity of a row. Kinds whose quantity is no size keep what they say.
    fn event_amounts(
        &self,
        kind: RowKind,
        prices: &Amounts<'_>,
        sizes: &Amounts<'_>,
        number: u16,
        row: usize,
    ) -> Result<(Ticks, i64)> {
        let unit = self.instrument(number, row)?;
        let priceless = matches!(
            kind,
            RowKind::Clear | RowKind::Gap | RowKind::Funding | RowKind::Status | RowKind::Grid
        );
        let price = if priceless { Ticks(0) } else { self.price(prices, unit, row)? };
        let plain = priceless || kind == RowKind::Mark;
        let qty = match sizes {
            Amounts::Float(_, values) if plain => values[row].round() as i64,
            _ => self.size(sizes, unit.lot, row)?,
        };
        Ok((price, qty))
    }

    fn write_bars(&self, writer: &mut EventWriter) -> Result<()> {
        let (recv, open_ns) = (self.whole("recv_ns")?, self.whole("open_ns")?);
        let none = vec![0; recv.len()];
        let instrument = self.whole_or("instrument", &none)?;
        let trades = self.whole_or("trades", &none)?;
        let [open, high, low, close] = [
            self.amount("open", "open_ticks")?,
            self.amount("high", "high_ticks")?,
            self.amount("low", "low_ticks")?,
            self.amount("close", "close_ticks")?,
        ];
        let volume = self.amount("volume", "volume_lots")?;
        for row in 0..recv.len() {
            let number = self.narrow::<u16>("instrument", instrument[row], row)?;
            let unit = self.instrument(number, row)?;
            writer.push_bar(BarRow {
                recv_ns: recv[row],
                open_ns: open_ns[row],
                open: self.price(&open, unit, row)?,
                high: self.price(&high, unit, row)?,
                low: self.price(&low, unit, row)?,
                close: self.price(&close, unit, row)?,
                volume: Lots(self.size(&volume, unit.lot, row)?),
                trades: self.narrow::<u32>("trades", trades[row], row)?,
                instrument: number,
                flags: u16::from(flags::END_OF_MESSAGE),
            })?;
        }
        Ok(())
    }

    fn price(&self, prices: &Amounts<'_>, unit: &Instrument, row: usize) -> Result<Ticks> {
        let ticks = match prices {
            Amounts::Exact(counts) => Ticks(counts[row]),
            Amounts::Float(name, values) => {
                let (ticks, exact) = self.count(name, values[row], unit.tick(), row)?;
                if !exact && self.off_grid == OffGrid::Refuse {
                    return Err(self.wrong(
                        row,
                        format_args!(
                        "{name} {} is not a multiple of the tick {}; give another tick, or round",
                        values[row],
                        unit.tick()
                    ),
                    ));
                }
                Ticks(ticks)
            }
        };
        let grid = unit.grid();
        match (grid.is_valid(ticks), self.off_grid) {
            (true, _) => Ok(ticks),
            (false, OffGrid::Round) => Ok(nearest(grid.floor(ticks), ticks, grid.ceil(ticks))),
            // A file may hold rows of an older grid; `check` judges those by the grid in force.
            (false, OffGrid::Refuse) if unit.grids.len() > 1 => Ok(ticks),
            (false, OffGrid::Refuse) => Err(self.wrong(
                row,
                format_args!(
                    "price {} is off the grid of {}",
                    unit.tick().times(ticks.0),
                    unit.symbol
                ),
            )),
        }
    }

    fn size(&self, sizes: &Amounts<'_>, lot: Decimal, row: usize) -> Result<i64> {
        match sizes {
            Amounts::Exact(counts) => Ok(counts[row]),
            Amounts::Float(name, values) => {
                self.count(name, values[row], lot, row).map(|(count, _)| count)
            }
        }
    }

    fn count(&self, name: &str, value: f64, unit: Decimal, row: usize) -> Result<(i64, bool)> {
        from_f64(value, unit).ok_or_else(|| {
            self.wrong(row, format_args!("{name} {value} is not a number that can be used"))
        })
    }

    fn kind(&self, number: i64, row: usize) -> Result<RowKind> {
        u8::try_from(number)
            .ok()
            .and_then(RowKind::from_byte)
            .ok_or_else(|| self.wrong(row, format_args!("unknown kind {number}")))
    }

    fn narrow<T: TryFrom<i64>>(&self, name: &str, value: i64, row: usize) -> Result<T> {
        T::try_from(value)
            .map_err(|_| self.wrong(row, format_args!("{name} {value} is out of range")))
    }

    fn instrument(&self, number: u16, row: usize) -> Result<&Instrument> {
        self.instruments.get(usize::from(number)).ok_or_else(|| {
            self.wrong(
                row,
                format_args!(
                    "instrument {number} is not among the {} given",
                    self.instruments.len()
                ),
            )
        })
    }

    fn ids(&self) -> Result<Vec<u64>> {
        match self.table.column("order_id") {
            Some(Column::U64(ids)) => Ok(ids.clone()),
            Some(_) => Ok(self.whole("order_id")?.into_iter().map(|id| id as u64).collect()),
            None => Err(self.missing("order_id")),
        }
    }

    fn whole_or(&self, name: &str, default: &[i64]) -> Result<Vec<TimeNs>> {
        match self.table.column(name) {
            Some(_) => self.whole(name),
            None => Ok(default.to_vec()),
        }
    }

    /// A column of whole numbers or times.
    fn whole(&self, name: &str) -> Result<Vec<i64>> {
        let column = self.table.column(name).ok_or_else(|| self.missing(name))?;
        Ok(match column {
            Column::I64(v) | Column::Timestamp(v) => v.clone(),
            Column::I32(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Column::I8(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Column::U32(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Column::U16(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Column::U8(v) => v.iter().map(|x| i64::from(*x)).collect(),
            Column::U64(v) => v
                .iter()
                .enumerate()
                .map(|(row, x)| {
                    i64::try_from(*x)
                        .map_err(|_| self.wrong(row, format_args!("{name} {x} is out of range")))
                })
                .collect::<Result<_>>()?,
            Column::F64(_) | Column::Bool(_) | Column::Utf8(_) => {
                return Err(data_error(format!(
                    "table {}: column '{name}' has to be whole numbers or times, not {}",
                    self.table.name(),
                    column.type_name()
                )))
            }
        })
    }

    /// A price or quantity: exact when there is a column of counts, else in floats.
    fn amount(&self, name: &'static str, exact: &'static str) -> Result<Amounts<'_>> {
        if self.table.column(exact).is_some() {
            return self.whole(exact).map(Amounts::Exact);
        }
        match self.table.column(name) {
            Some(Column::F64(values)) => Ok(Amounts::Float(name, values.into())),
            Some(_) => {
                let values = self.whole(name)?.into_iter().map(|v| v as f64).collect::<Vec<_>>();
                Ok(Amounts::Float(name, values.into()))
            }
            None => Err(self.missing(name)),
        }
    }

    fn missing(&self, name: &str) -> Error {
        let names: Vec<_> = self.table.columns().iter().map(|(name, _)| name.as_str()).collect();
        data_error(format!(
            "table {} has no column '{name}'; it has {}",
            self.table.name(),
            names.join(", ")
        ))
    }

    fn wrong(&self, row: usize, what: std::fmt::Arguments<'_>) -> Error {
        Error::new(ErrorKind::Data, format!("table {}: row {row}: {what}", self.table.name()))
    }
}

/// A column of prices or quantities.
enum Amounts<'a> {
    /// In ticks or lots.
    Exact(Vec<i64>),
    /// In units, with the column's name.
    Float(&'static str, std::borrow::Cow<'a, [f64]>),
}

fn nearest(below: Ticks, price: Ticks, above: Ticks) -> Ticks {
    if price - below <= above - price {
        below
    } else {
        above
    }
}
