//! Writes event files: rows are checked one by one, and a file appears only when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_core::event::{flags, BarRow, MarketRow, OrderRow};
use mainspring_core::limits::MAX_INSTRUMENTS;
use mainspring_core::{Error, ErrorKind, Instrument, Lots, Result, RowKind, Ticks, TimeNs};
use serde::Serialize;

use crate::format::{
    checksum, data_error, io_error, json_error, padded, ChunkEntry, HeaderPrefix, Row, Schema,
    Trailer, ALIGN, CHUNK_ROWS, END_MAGIC, MAGIC, VERSION,
};
use crate::provenance::{ClockState, Provenance};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The finished file.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Chunks in it.
    pub chunks: u64,
    /// Its size.
    pub bytes: u64,
    /// Rows of kind [`RowKind::Gap`].
    pub gap_rows: u64,
    /// Rows received before the exchange says they happened.
    pub negative_latency_rows: u64,
    /// The clock state as stored.
    pub clock: ClockState,
}

/// Writes one event file under a temporary name and renames it when complete.
///
/// A refused row is not written and the writer goes on; a failed write ends it. Dropping a writer
/// that was not finished removes what it wrote.
#[derive(Debug)]
pub struct EventWriter {
    schema: Schema,
    instruments: Vec<Instrument>,
    provenance: Provenance,
    output: Output,
    chunk: OpenChunk,
    chunk_rows: usize,
    index: Vec<ChunkEntry>,
    rows: u64,
    last_recv_ns: TimeNs,
    gap_rows: u64,
    negative_latency_rows: u64,
}

/// The rows that are not written yet.
#[derive(Debug)]
struct OpenChunk {
    bytes: Vec<u8>,
    rows: u64,
    base: Option<i64>,
    recv_ns: [TimeNs; 2],
    exch_ns: [TimeNs; 2],
}

impl OpenChunk {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            rows: 0,
            base: None,
            recv_ns: [TimeNs::MAX, TimeNs::MIN],
            exch_ns: [TimeNs::MAX, TimeNs::MIN],
        }
    }

    fn push<R: Row>(&mut self, row: &R) {
        self.bytes.extend_from_slice(bytemuck::bytes_of(row));
        self.rows += 1;
        for (span, time) in [(&mut self.recv_ns, row.recv_ns()), (&mut self.exch_ns, row.exch_ns())]
        {
            span[0] = span[0].min(time);
            span[1] = span[1].max(time);
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::new(0) };
    }
}

impl EventWriter {
    /// Starts a file at `path` (replaced when the new one is finished) for rows of these
    /// instruments. Rows name an instrument by its index in the list.
    ///
    /// # Errors
    /// When the list is empty, too long, holds an instrument twice or a faulty one, or when the
    /// temporary file cannot be made.
    pub fn create(
        path: impl AsRef<Path>,
        schema: Schema,
        instruments: Vec<Instrument>,
        provenance: Provenance,
    ) -> Result<Self> {
        let path = path.as_ref();
        check_instruments(&instruments).map_err(|e| e.at(path.display()))?;
        let header = header(schema, &instruments)?;
        let mut output = Output::create(path)?;
        output.write(&header)?;
        Ok(Self {
            schema,
            instruments,
            provenance,
            output,
            chunk: OpenChunk::new(CHUNK_ROWS * schema.row_bytes()),
            chunk_rows: CHUNK_ROWS,
            index: Vec::new(),
            rows: 0,
            last_recv_ns: TimeNs::MIN,
            gap_rows: 0,
            negative_latency_rows: 0,
        })
    }

    /// Uses chunks of at most this many rows instead of [`CHUNK_ROWS`].
    #[must_use]
    pub fn with_chunk_rows(mut self, rows: usize) -> Self {
        self.chunk_rows = rows.clamp(1, 1 << 24);
        self
    }

    /// Rows accepted so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of kind [`RowKind::Gap`] accepted so far.
    #[must_use]
    pub const fn gap_rows(&self) -> u64 {
        self.gap_rows
    }

    /// What will be stored as the origin, for facts that are known only at the end.
    pub fn provenance_mut(&mut self) -> &mut Provenance {
        &mut self.provenance
    }

    /// Adds a row of L2 data, a trade or a status. Kinds without a price (clear, gap, funding,
    /// status, grid) store none.
    ///
    /// # Errors
    /// Names the row and what is wrong with it: a negative size, an unknown flag, a receive time
    /// before the last row's, an instrument that is not in the list, or a kind or schema that
    /// does not fit. Also when the disk takes no more.
    #[allow(clippy::too_many_arguments)]
    pub fn push_market(
        &mut self,
        recv_ns: TimeNs,
        exch_ns: TimeNs,
        kind: RowKind,
        flags: u8,
        instrument: u16,
        price: Ticks,
        qty: i64,
    ) -> Result<()> {
        self.expect(Schema::Market)?;
        let row = market_row(recv_ns, exch_ns, kind, flags, instrument, qty);
        self.check_market(&row, kind)?;
        let price_offset = self.place(kind, price)?;
        self.append(&MarketRow { price_offset, ..row })?;
        self.gap_rows += u64::from(kind == RowKind::Gap);
        Ok(())
    }

    /// Adds an order-level row; kinds of L2 data are accepted too, with order id 0.
    ///
    /// # Errors
    /// As [`EventWriter::push_market`].
    #[allow(clippy::too_many_arguments)]
    pub fn push_order(
        &mut self,
        recv_ns: TimeNs,
        exch_ns: TimeNs,
        kind: RowKind,
        flags: u8,
        instrument: u16,
        price: Ticks,
        qty: i64,
        order_id: u64,
    ) -> Result<()> {
        self.expect(Schema::Order)?;
        let market = market_row(recv_ns, exch_ns, kind, flags, instrument, qty);
        self.check_market(&market, kind)?;
        let price_offset = self.place(kind, price)?;
        self.append(&OrderRow { market: MarketRow { price_offset, ..market }, order_id })?;
        self.gap_rows += u64::from(kind == RowKind::Gap);
        Ok(())
    }

    /// Adds a bar.
    ///
    /// # Errors
    /// As [`EventWriter::push_market`], and when high, low, open and close contradict each other
    /// or the bar ends before it opens.
    pub fn push_bar(&mut self, bar: BarRow) -> Result<()> {
        self.expect(Schema::Bar)?;
        self.check_bar(&bar)?;
        self.append(&bar)
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// When no row was written or the disk takes no more; nothing is left behind then.
    pub fn finish(mut self) -> Result<Summary> {
        if self.rows == 0 {
            return Err(data_error(format!(
                "{}: no rows were written, so no file was made",
                self.output.target.display()
            )));
        }
        self.close_chunk()?;
        self.provenance.gaps += self.gap_rows;
        if self.negative_latency_rows > 0 {
            self.provenance.clock = ClockState::Uncorrected;
        }
        self.write_footer()?;
        let bytes = self.output.written;
        self.output.publish()?;
        Ok(Summary {
            path: self.output.target.clone(),
            rows: self.rows,
            chunks: self.index.len() as u64,
            bytes,
            gap_rows: self.gap_rows,
            negative_latency_rows: self.negative_latency_rows,
            clock: self.provenance.clock,
        })
    }

    fn expect(&self, schema: Schema) -> Result<()> {
        if self.schema == schema {
            return Ok(());
        }
        Err(self.refuse(format_args!(
            "a row of schema {} in a file of schema {}",
            schema.name(),
            self.schema.name()
        )))
    }

    fn check_market(&self, row: &MarketRow, kind: RowKind) -> Result<()> {
        self.check_place(row.recv_ns, row.instrument)?;
        if row.flags & !flags::ALL != 0 {
            return Err(self.refuse(format_args!("unknown flags {:#04x}", row.flags)));
        }
        let qty = row.qty_lots;
        match kind {
            RowKind::OrderAdd
            | RowKind::OrderModify
            | RowKind::OrderDelete
            | RowKind::OrderExecute
                if self.schema != Schema::Order =>
            {
                Err(self.refuse(format_args!("{kind:?} needs a file of schema order")))
            }
            RowKind::Clear | RowKind::Gap | RowKind::Funding => Ok(()),
            RowKind::Status if qty != 0 && qty != 1 => {
                Err(self.refuse(format_args!("trading status is 0 or 1, not {qty}")))
            }
            RowKind::Grid
                if usize::try_from(qty).map_or(true, |version| {
                    version >= self.instruments[usize::from(row.instrument)].grids.len()
                }) =>
            {
                Err(self.refuse(format_args!("there is no price grid number {qty}")))
            }
            _ if qty < 0 => Err(self.refuse(format_args!("negative size {qty}"))),
            _ => Ok(()),
        }
    }

    fn check_bar(&self, bar: &BarRow) -> Result<()> {
        self.check_place(bar.recv_ns, bar.instrument)?;
        if bar.flags & !u16::from(flags::ALL) != 0 {
            return Err(self.refuse(format_args!("unknown flags {:#06x}", bar.flags)));
        }
        if bar.volume < Lots::ZERO {
            return Err(self.refuse(format_args!("negative volume {}", bar.volume)));
        }
        let (lowest, highest) = (bar.open.min(bar.close), bar.open.max(bar.close));
        if bar.low > lowest || bar.high < highest {
            return Err(self.refuse(format_args!(
                "open {} and close {} are not within low {} and high {}",
                bar.open, bar.close, bar.low, bar.high
            )));
        }
        if bar.open_ns > bar.recv_ns {
            return Err(self.refuse(format_args!(
                "the bar is complete at {} but opens at {}",
                bar.recv_ns, bar.open_ns
            )));
        }
        Ok(())
    }

    fn check_place(&self, recv_ns: TimeNs, instrument: u16) -> Result<()> {
        if recv_ns < self.last_recv_ns {
            return Err(self.refuse(format_args!(
                "receive time {recv_ns} is before {} of the row in front of it",
                self.last_recv_ns
            )));
        }
        if usize::from(instrument) >= self.instruments.len() {
            return Err(self.refuse(format_args!(
                "instrument {instrument} is not among the file's {}",
                self.instruments.len()
            )));
        }
        Ok(())
    }

    fn refuse(&self, what: std::fmt::Arguments<'_>) -> Error {
        let target = self.output.target.display();
        Error::new(ErrorKind::Data, format!("{target}: row {}: {what}", self.rows))
    }

    /// The offset of `price` in the open chunk, which is closed first when it would not fit.
    fn place(&mut self, kind: RowKind, price: Ticks) -> Result<i32> {
        let priceless = matches!(
            kind,
            RowKind::Clear | RowKind::Gap | RowKind::Funding | RowKind::Status | RowKind::Grid
        );
        if priceless {
            return Ok(0);
        }
        let fits = |base: i64| price.0.checked_sub(base).and_then(|d| i32::try_from(d).ok());
        if let Some(offset) = self.chunk.base.map_or(Some(0), fits) {
            self.chunk.base.get_or_insert(price.0);
            return Ok(offset);
        }
        self.close_chunk()?;
        self.chunk.base = Some(price.0);
        Ok(0)
    }

    fn append<R: Row>(&mut self, row: &R) -> Result<()> {
        if self.chunk.rows as usize >= self.chunk_rows {
            let base = self.chunk.base;
            self.close_chunk()?;
            // The offset of this row was taken against the base of the chunk just closed.
            self.chunk.base = base;
        }
        self.chunk.push(row);
        self.rows += 1;
        self.last_recv_ns = row.recv_ns();
        self.negative_latency_rows += u64::from(row.recv_ns() < row.exch_ns());
        Ok(())
    }

    fn close_chunk(&mut self) -> Result<()> {
        if self.chunk.rows == 0 {
            return Ok(());
        }
        self.output.write(&self.chunk.bytes)?;
        self.index.push(ChunkEntry {
            first_row: self.rows - self.chunk.rows,
            rows: self.chunk.rows,
            price_base: self.chunk.base.unwrap_or(0),
            recv_ns: self.chunk.recv_ns,
            exch_ns: self.chunk.exch_ns,
            checksum: checksum(&self.chunk.bytes),
        });
        self.chunk.clear();
        Ok(())
    }

    fn write_footer(&mut self) -> Result<()> {
        let json =
            serde_json::to_vec(&self.provenance).map_err(json_error("storing the provenance"))?;
        let json_len = json.len() as u64;
        let rows_end = self.output.written;
        let footer_at = rows_end.next_multiple_of(ALIGN as u64);
        let mut footer = vec![0_u8; (footer_at - rows_end) as usize];
        footer.extend_from_slice(bytemuck::cast_slice(&self.index));
        footer.extend_from_slice(&padded(json));
        let trailer = Trailer {
            magic: END_MAGIC,
            footer_at,
            chunks: self.index.len() as u64,
            json_len,
            rows: self.rows,
            file_len: rows_end + footer.len() as u64 + ALIGN as u64,
            footer_checksum: checksum(&footer),
            checksum: 0,
        };
        self.output.write(&footer)?;
        self.output.write(bytemuck::bytes_of(&trailer.with_checksum()))
    }
}

fn market_row(
    recv_ns: TimeNs,
    exch_ns: TimeNs,
    kind: RowKind,
    flags: u8,
    instrument: u16,
    qty_lots: i64,
) -> MarketRow {
    MarketRow { recv_ns, exch_ns, qty_lots, price_offset: 0, kind: kind as u8, flags, instrument }
}

fn check_instruments(instruments: &[Instrument]) -> Result<()> {
    if instruments.is_empty() || instruments.len() > MAX_INSTRUMENTS {
        return Err(Error::new(
            ErrorKind::Value,
            format!("a file has 1 to {MAX_INSTRUMENTS} instruments, not {}", instruments.len()),
        ));
    }
    for (at, instrument) in instruments.iter().enumerate() {
        instrument.validate()?;
        let same = |other: &&Instrument| {
            other.symbol == instrument.symbol && other.venue == instrument.venue
        };
        if instruments[..at].iter().any(|other| same(&other)) {
            return Err(Error::new(
                ErrorKind::Value,
                format!("instrument {} of {} is there twice", instrument.symbol, instrument.venue),
            ));
        }
    }
    Ok(())
}

fn header(schema: Schema, instruments: &[Instrument]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(instruments).map_err(json_error("storing the instruments"))?;
    let prefix = HeaderPrefix {
        magic: MAGIC,
        version: VERSION,
        schema: schema as u32,
        row_bytes: schema.row_bytes() as u32,
        instruments: instruments.len() as u32,
        json_len: json.len() as u64,
        checksum: 0,
        reserved: [0; 3],
    };
    let json = padded(json);
    let mut header = bytemuck::bytes_of(&prefix.with_checksum(&json)).to_vec();
    header.extend_from_slice(&json);
    Ok(header)
}

/// The file under its temporary name.
#[derive(Debug)]
struct Output {
    target: PathBuf,
    partial: PathBuf,
    file: Option<BufWriter<File>>,
    written: u64,
}

impl Output {
    fn create(target: &Path) -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().ok_or_else(|| {
            Error::new(ErrorKind::Value, format!("{}: not a file name", target.display()))
        })?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let partial = target.with_file_name(format!(
            ".{}.partial-{}-{number}",
            name.to_string_lossy(),
            std::process::id()
        ));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&partial)
            .map_err(|e| io_error(target, "write", &e))?;
        let file = Some(BufWriter::new(file));
        Ok(Self { target: target.to_owned(), partial, file, written: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let result = match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::Error::other("an earlier write failed")),
        };
        self.written += bytes.len() as u64;
        result.map_err(|e| {
            self.discard();
            io_error(&self.target, "write", &e)
        })
    }

    /// Makes the file durable and gives it its name.
    fn publish(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else {
            return Err(data_error(format!("{}: not whole", self.target.display())));
        };
        let published = file
            .flush()
            .and_then(|()| file.get_ref().sync_all())
            .and_then(|()| std::fs::rename(&self.partial, &self.target));
        published.map_err(|e| {
            let _ = std::fs::remove_file(&self.partial);
            io_error(&self.target, "write", &e)
        })
    }

    fn discard(&mut self) {
        if let Some(file) = self.file.take() {
            // What is still in the buffer is not wanted.
            let (file, _) = file.into_parts();
            drop(file);
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.discard();
    }
}
