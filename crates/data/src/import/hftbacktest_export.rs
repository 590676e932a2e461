//! Event files as event arrays of hftbacktest (`.npz`).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use mainspring_core::event::{flags, MarketRow};
use mainspring_core::{Error, ErrorKind, Instrument, Result, RowKind, Ticks};

use super::hftbacktest::{
    code, BUY_EVENT, EXCH_EVENT, FIELDS, LOCAL_EVENT, RECORD_BYTES, SELL_EVENT,
};
use super::input::io_error;
use crate::format::Schema;
use crate::reader::EventFile;

/// Writes the rows of one instrument of an event file as an array `data` in an `.npz`; returns how
/// many.
///
/// Exchange times are their running maximum, as the simulated venue takes them, so that the array
/// is in order by both clocks and no row has to be there twice. A gap empties the book there: the
/// format has no other way to say it. Mark price, funding and status rows are left out.
///
/// # Errors
/// When the file holds bars, the instrument is not in it, or the output cannot be written; nothing
/// is left then.
pub fn export(file: &EventFile, symbol: Option<&str>, output: &Path) -> Result<u64> {
    let at = instrument_index(file, symbol)?;
    let partial = output.with_extension("npz.partial");
    let written = write(file, at, &partial).map_err(|error| error.at(output.display()));
    match written {
        Ok(rows) => std::fs::rename(&partial, output)
            .map(|()| rows)
            .map_err(|error| io_error(output, &error)),
        Err(error) => {
            let _ = std::fs::remove_file(&partial);
            Err(error)
        }
    }
}

fn instrument_index(file: &EventFile, symbol: Option<&str>) -> Result<u16> {
    let all = file.instruments();
    let at = match symbol {
        Some(name) => all.iter().position(|own| own.symbol == name),
        None if all.len() == 1 => Some(0),
        None => None,
    };
    at.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|own| own.symbol.as_str()).collect();
        Error::new(
            ErrorKind::NotFound,
            format!("{}: name one of its instruments: {}", file.path().display(), names.join(", ")),
        )
    })
}

/// Calls `take` with each row, its price and its order id.
fn each_row(
    file: &EventFile,
    mut take: impl FnMut(&MarketRow, Ticks, u64) -> Result<()>,
) -> Result<()> {
    for number in 0..file.chunks().len() {
        match file.schema() {
            Schema::Market => {
                let chunk = file.chunk(number)?;
                for row in chunk.rows {
                    take(row, row.price(chunk.price_base), 0)?;
                }
            }
            Schema::Order => {
                let chunk = file.order_chunk(number)?;
                for row in chunk.rows {
                    take(&row.market, row.market.price(chunk.price_base), row.order_id)?;
                }
            }
            Schema::Bar => {
                return Err(Error::new(ErrorKind::Value, "bars are no hftbacktest events"));
            }
        }
    }
    file.check()
}

fn write(file: &EventFile, at: u16, partial: &Path) -> Result<u64> {
    let mut rows = 0_u64;
    each_row(file, |row, _, _| {
        if row.instrument == at {
            rows += records_of(row);
        }
        Ok(())
    })?;
    let target = File::create(partial).map_err(|error| io_error(partial, &error))?;
    let mut zip = zip::ZipWriter::new(BufWriter::new(target));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .large_file(true);
    let failed = |error: std::io::Error| io_error(partial, &error);
    zip.start_file("data.npy", options)
        .map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
    zip.write_all(&npy_header(rows)).map_err(failed)?;
    let instrument = &file.instruments()[usize::from(at)];
    let mut exch_ns = i64::MIN;
    let mut block = Vec::with_capacity(RECORD_BYTES * 4_096);
    each_row(file, |row, price, order_id| {
        if row.instrument == at {
            exch_ns = exch_ns.max(row.exch_ns);
            push_records(row, price, order_id, exch_ns, instrument, &mut block);
            if block.len() >= RECORD_BYTES * 4_000 {
                zip.write_all(&block).map_err(failed)?;
                block.clear();
            }
        }
        Ok(())
    })?;
    zip.write_all(&block).map_err(failed)?;
    let done = zip.finish().map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
    done.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    Ok(rows)
}

fn npy_header(rows: u64) -> Vec<u8> {
    let fields: Vec<String> =
        FIELDS.iter().map(|(name, dtype)| format!("('{name}', '{dtype}')")).collect();
    let mut text = format!(
        "{{'descr': [{}], 'fortran_order': False, 'shape': ({rows},), }}",
        fields.join(", ")
    );
    // Ten bytes are in front; the data starts at a multiple of 64.
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header
}

/// How many records a row becomes.
fn records_of(row: &MarketRow) -> u64 {
    match RowKind::from_byte(row.kind) {
        Some(RowKind::Clear | RowKind::Gap) => 2,
        Some(kind) if code_of(kind, row.flags).is_some() => 1,
        _ => 0,
    }
}

const fn code_of(kind: RowKind, flag: u8) -> Option<u64> {
    Some(match kind {
        RowKind::Depth if flag & flags::SNAPSHOT != 0 => code::DEPTH_SNAPSHOT,
        RowKind::Depth => code::DEPTH,
        RowKind::Trade => code::TRADE,
        RowKind::Best => code::DEPTH_BBO,
        RowKind::OrderAdd => code::ADD_ORDER,
        RowKind::OrderDelete => code::CANCEL_ORDER,
        RowKind::OrderModify => code::MODIFY_ORDER,
        RowKind::OrderExecute => code::FILL,
        _ => return None,
    })
}

fn push_records(
    row: &MarketRow,
    price: Ticks,
    order_id: u64,
    exch_ns: i64,
    instrument: &Instrument,
    block: &mut Vec<u8>,
) {
    let mut push = |ev: u64, px: f64, qty: f64| {
        for word in [ev, exch_ns as u64, row.recv_ns as u64, px.to_bits(), qty.to_bits(), order_id]
        {
            block.extend_from_slice(&word.to_le_bytes());
        }
        block.extend_from_slice(&[0; 16]);
    };
    let both = EXCH_EVENT | LOCAL_EVENT;
    let Some(kind) = RowKind::from_byte(row.kind) else { return };
    if matches!(kind, RowKind::Clear | RowKind::Gap) {
        push(code::DEPTH_CLEAR | BUY_EVENT | both, f64::NAN, 0.0);
        push(code::DEPTH_CLEAR | SELL_EVENT | both, f64::NAN, 0.0);
        return;
    }
    let Some(code) = code_of(kind, row.flags) else { return };
    let side = if row.flags & flags::ASK == 0 { BUY_EVENT } else { SELL_EVENT };
    // The float nearest to the exact decimal, which is what a reader of the text would get.
    let nearest = |unit: mainspring_core::Decimal, count: i64| {
        unit.times(count).parse::<f64>().unwrap_or(f64::NAN)
    };
    let (px, qty) = (nearest(instrument.tick(), price.0), nearest(instrument.lot, row.qty_lots));
    push(code | side | both, px, qty);
}
