//! Reads event files in place: rows are views of the mapped file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_core::event::{BarRow, MarketRow, OrderRow};
use mainspring_core::limits::MAX_INSTRUMENTS;
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, Ticks, TimeNs};
use mainspring_memory::GuardedMap;

use crate::format::{
    checksum, data_error, ensure, io_error, json_error, ChunkEntry, HeaderPrefix, Row, Schema,
    Trailer, ALIGN, END_MAGIC, MAGIC, VERSION,
};
use crate::provenance::{ClockState, Provenance};

/// A run of rows with one price base, as a view of the file.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a, R = MarketRow> {
    /// Number of the first row in the file.
    pub first_row: u64,
    /// What the rows' price offsets count from; zero for bars.
    pub price_base: Ticks,
    /// The rows.
    pub rows: &'a [R],
}

/// An event file, open for reading. Can be shared between threads.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    map: GuardedMap,
    schema: Schema,
    instruments: Vec<Instrument>,
    rows_at: usize,
    index: Vec<ChunkEntry>,
    verified: Vec<AtomicBool>,
    rows: u64,
    provenance: Provenance,
    content_hash: String,
}

impl EventFile {
    /// Opens a file and checks its header, index and end mark. Rows are checked when they are
    /// first read, chunk by chunk.
    ///
    /// # Errors
    /// When the file is missing, cannot be read, is not an event file, is incomplete or damaged,
    /// or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        check_start(path)?;
        let map = GuardedMap::open(path).map_err(|e| io_error(path, "read", &e))?;
        map.advise_sequential();
        let parsed = parse(map.bytes());
        // A file that is cut now looks damaged; say what really happened.
        map.check().map_err(|fault| io_fault(path, fault))?;
        let parts = parsed.map_err(|e| e.at(path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            map,
            schema: parts.schema,
            instruments: parts.instruments,
            rows_at: parts.rows_at,
            verified: parts.index.iter().map(|_| AtomicBool::new(false)).collect(),
            index: parts.index,
            rows: parts.rows,
            provenance: parts.provenance,
            content_hash: parts.content_hash,
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the rows are of; a row's `instrument` is an index into this.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Which rows the file holds.
    #[must_use]
    pub const fn schema(&self) -> Schema {
        self.schema
    }

    /// How many rows.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Size of the file in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.map.bytes().len() as u64
    }

    /// The index of chunks.
    #[must_use]
    pub fn chunks(&self) -> &[ChunkEntry] {
        &self.index
    }

    /// Where the rows come from.
    #[must_use]
    pub const fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// What is known of the receive clock. A run of several sources refuses an uncorrected one.
    #[must_use]
    pub const fn clock_state(&self) -> ClockState {
        self.provenance.clock
    }

    /// First and last receive time.
    #[must_use]
    pub fn recv_span_ns(&self) -> (TimeNs, TimeNs) {
        span(&self.index, |chunk| chunk.recv_ns)
    }

    /// First and last exchange time.
    #[must_use]
    pub fn exch_span_ns(&self) -> (TimeNs, TimeNs) {
        span(&self.index, |chunk| chunk.exch_ns)
    }

    /// BLAKE3 over format, schema, instruments and every chunk's index entry with its checksum,
    /// in hexadecimal: equal for equal rows, whatever they were read from.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// The rows of a chunk of L2 data; verified the first time.
    ///
    /// # Errors
    /// When the chunk does not exist, is damaged, or the file was cut or changed since it was
    /// opened; also when the file has another schema.
    pub fn chunk(&self, number: usize) -> Result<Chunk<'_>> {
        self.chunk_of::<MarketRow>(number)
    }

    /// The rows of a chunk of order-level data; as [`EventFile::chunk`].
    ///
    /// # Errors
    /// As [`EventFile::chunk`].
    pub fn order_chunk(&self, number: usize) -> Result<Chunk<'_, OrderRow>> {
        self.chunk_of::<OrderRow>(number)
    }

    /// The rows of a chunk of bars; as [`EventFile::chunk`].
    ///
    /// # Errors
    /// As [`EventFile::chunk`].
    pub fn bar_chunk(&self, number: usize) -> Result<Chunk<'_, BarRow>> {
        self.chunk_of::<BarRow>(number)
    }

    /// The rows of a chunk as their type.
    ///
    /// # Errors
    /// As [`EventFile::chunk`].
    pub fn chunk_of<R: Row>(&self, number: usize) -> Result<Chunk<'_, R>> {
        let entry = self.index.get(number).ok_or_else(|| self.no_chunk(number))?;
        if R::SCHEMA != self.schema {
            return Err(self.wrong_schema(R::SCHEMA));
        }
        self.check()?;
        let bytes = self.chunk_bytes(entry);
        let rows: &[R] = bytemuck::try_cast_slice(bytes)
            .map_err(|e| data_error(format!("{}: {e}", self.path.display())))?;
        if !self.verified[number].load(Ordering::Acquire) {
            self.verify_chunk(number, bytes, rows)?;
        }
        Ok(Chunk { first_row: entry.first_row, price_base: Ticks(entry.price_base), rows })
    }

    /// Whether everything read so far came from the file as it was when opened. Call it after
    /// reading a chunk's rows and before their consequences leave the process.
    ///
    /// # Errors
    /// When the file was cut or written to since it was opened.
    pub fn check(&self) -> Result<()> {
        self.map.check().map_err(|fault| io_fault(&self.path, fault))
    }

    /// Verifies every chunk.
    ///
    /// # Errors
    /// Names the first damaged chunk.
    pub fn verify(&self) -> Result<()> {
        (0..self.index.len()).try_for_each(|number| match self.schema {
            Schema::Market => self.chunk(number).map(drop),
            Schema::Order => self.order_chunk(number).map(drop),
            Schema::Bar => self.bar_chunk(number).map(drop),
        })
    }

    fn chunk_bytes(&self, entry: &ChunkEntry) -> &[u8] {
        // `parse` has checked that the index tiles the rows and that they lie in the file.
        let row_bytes = self.schema.row_bytes();
        let start = self.rows_at + entry.first_row as usize * row_bytes;
        &self.map.bytes()[start..start + entry.rows as usize * row_bytes]
    }

    fn verify_chunk<R: Row>(&self, number: usize, bytes: &[u8], rows: &[R]) -> Result<()> {
        let entry = &self.index[number];
        let whole = checksum(bytes) == entry.checksum;
        let instruments = self.instruments.len() as u16;
        let sound = rows.iter().fold(true, |all, row| all & row.is_well_formed(instruments));
        self.check()?;
        let rows_named =
            || format!("rows {} to {}", entry.first_row, entry.first_row + entry.rows.max(1) - 1);
        if !whole {
            return Err(data_error(format!(
                "{}: chunk {number} ({}) is damaged: its checksum does not match; import it again",
                self.path.display(),
                rows_named()
            )));
        }
        if !sound {
            return Err(data_error(format!(
                "{}: chunk {number} ({}) holds a row of unknown kind, flags or instrument",
                self.path.display(),
                rows_named()
            )));
        }
        self.verified[number].store(true, Ordering::Release);
        Ok(())
    }

    fn no_chunk(&self, number: usize) -> Error {
        Error::new(
            ErrorKind::Value,
            format!(
                "{}: there is no chunk {number}, only {}",
                self.path.display(),
                self.index.len()
            ),
        )
    }

    fn wrong_schema(&self, wanted: Schema) -> Error {
        data_error(format!(
            "{}: holds {} rows, not {} rows",
            self.path.display(),
            self.schema.name(),
            wanted.name()
        ))
    }
}

/// The instruments of all files, equal ones once, and for each file where its instruments went.
///
/// # Errors
/// When one is not valid or defined in two ways, or there are none or too many.
pub fn merge_instruments(files: &[EventFile]) -> Result<(Vec<Instrument>, Vec<Vec<InstrumentId>>)> {
    let mut all: Vec<Instrument> = Vec::new();
    let mut maps = Vec::with_capacity(files.len());
    for file in files {
        let mut map = Vec::with_capacity(file.instruments().len());
        for instrument in file.instruments() {
            instrument.validate().map_err(|e| e.at(file.path().display()))?;
            let known = all
                .iter()
                .position(|i| i.symbol == instrument.symbol && i.venue == instrument.venue);
            let index =
                match known {
                    Some(index) if all[index] == *instrument => index,
                    Some(_) => {
                        return Err(Error::new(
                            ErrorKind::Data,
                            format!(
                            "{}: {} on {} is defined differently than in another file of this run",
                            file.path().display(), instrument.symbol, instrument.venue
                        ),
                        ))
                    }
                    None => {
                        all.push(instrument.clone());
                        all.len() - 1
                    }
                };
            map.push(InstrumentId(index as u16));
        }
        maps.push(map);
    }
    if all.is_empty() || all.len() > MAX_INSTRUMENTS {
        return Err(Error::new(
            ErrorKind::Data,
            format!("{} instruments; a run has 1 to {MAX_INSTRUMENTS}", all.len()),
        ));
    }
    Ok((all, maps))
}

fn span(index: &[ChunkEntry], times: impl Fn(&ChunkEntry) -> [TimeNs; 2]) -> (TimeNs, TimeNs) {
    index.iter().fold((TimeNs::MAX, TimeNs::MIN), |(first, last), chunk| {
        let [low, high] = times(chunk);
        (first.min(low), last.max(high))
    })
}

fn io_fault(path: &Path, fault: mainspring_memory::MapFault) -> Error {
    Error::new(ErrorKind::Io, format!("{}: {fault}", path.display()))
}

/// What a file says about itself.
struct Parts {
    schema: Schema,
    instruments: Vec<Instrument>,
    rows_at: usize,
    index: Vec<ChunkEntry>,
    rows: u64,
    provenance: Provenance,
    content_hash: String,
}

/// Looks at the first bytes without mapping: a folder, an empty or a foreign file ends here.
fn check_start(path: &Path) -> Result<()> {
    let failed = |e: std::io::Error| io_error(path, "read", &e);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::new(
            ErrorKind::Io,
            format!("{}: is a folder, not an event file", path.display()),
        ));
    }
    let place = |e: Error| e.at(path.display());
    ensure(metadata.len() > 0, || "the file is empty".into()).map_err(place)?;
    let mut start = [0_u8; MAGIC.len()];
    let whole = file.read_exact(&mut start).is_ok();
    ensure(whole && start == MAGIC, || {
        "not an event file (.mse); import other formats with `mainspring data import`".into()
    })
    .map_err(place)
}

fn parse(bytes: &[u8]) -> Result<Parts> {
    let (prefix, instruments, rows_at) = parse_header(bytes)?;
    let schema = Schema::from_number(prefix.schema)
        .ok_or_else(|| data_error(format!("unknown schema {}", prefix.schema)))?;
    ensure(prefix.row_bytes as usize == schema.row_bytes(), || "damaged: wrong row size".into())?;
    let trailer = parse_trailer(bytes)?;
    let (index, provenance) = parse_footer(bytes, &trailer, rows_at, schema)?;
    let content_hash = hash_content(&bytes[..rows_at], &index);
    Ok(Parts { schema, instruments, rows_at, index, rows: trailer.rows, provenance, content_hash })
}

fn parse_header(bytes: &[u8]) -> Result<(HeaderPrefix, Vec<Instrument>, usize)> {
    let cut = || "incomplete: it ends within its header; write or copy it again".to_owned();
    ensure(bytes.len() >= ALIGN, cut)?;
    let prefix: HeaderPrefix = bytemuck::pod_read_unaligned(&bytes[..ALIGN]);
    ensure(prefix.version <= VERSION, || {
        format!(
            "written by a newer Mainspring (format {}); this build reads up to format {VERSION}",
            prefix.version
        )
    })?;
    let json_end = usize::try_from(prefix.json_len).ok().and_then(|len| len.checked_add(ALIGN));
    let rows_at = json_end.and_then(|end| end.checked_next_multiple_of(ALIGN));
    let (Some(json_end), Some(rows_at)) = (json_end, rows_at.filter(|at| *at <= bytes.len()))
    else {
        return Err(data_error(cut()));
    };
    ensure(prefix.checksum == prefix.expected_checksum(&bytes[ALIGN..rows_at]), || {
        "damaged: the checksum of its header does not match".into()
    })?;
    let instruments: Vec<Instrument> = serde_json::from_slice(&bytes[ALIGN..json_end])
        .map_err(json_error("reading the instruments"))?;
    ensure(instruments.len() == prefix.instruments as usize && !instruments.is_empty(), || {
        "damaged: the number of instruments does not match".into()
    })?;
    instruments.iter().try_for_each(Instrument::validate)?;
    Ok((prefix, instruments, rows_at))
}

fn parse_trailer(bytes: &[u8]) -> Result<Trailer> {
    let incomplete =
        || "incomplete: the end mark is missing; the writing or copying did not finish".to_owned();
    let at = bytes.len() - ALIGN;
    let trailer: Trailer = bytemuck::pod_read_unaligned(&bytes[at..]);
    ensure(trailer.magic == END_MAGIC, incomplete)?;
    ensure(trailer.checksum == trailer.expected_checksum(), || {
        "damaged: the checksum of its end mark does not match".into()
    })?;
    ensure(trailer.file_len == bytes.len() as u64, || {
        format!("incomplete: {} bytes instead of {}", bytes.len(), trailer.file_len)
    })?;
    ensure(trailer.rows > 0, || "holds no rows".into())?;
    Ok(trailer)
}

fn parse_footer(
    bytes: &[u8],
    trailer: &Trailer,
    rows_at: usize,
    schema: Schema,
) -> Result<(Vec<ChunkEntry>, Provenance)> {
    let layout = footer_layout(bytes.len(), trailer, rows_at, schema);
    let Some((rows_end, index_at, json_at, json_end)) = layout else {
        return Err(data_error("damaged: its parts do not fit together"));
    };
    let footer = &bytes[rows_end..bytes.len() - ALIGN];
    ensure(checksum(footer) == trailer.footer_checksum, || {
        "damaged: the checksum of its index does not match".into()
    })?;
    let index = bytemuck::try_cast_slice::<u8, ChunkEntry>(&bytes[index_at..json_at])
        .map_err(|e| data_error(e.to_string()))?
        .to_vec();
    ensure(tiles(&index, trailer.rows), || "damaged: its chunks do not follow each other".into())?;
    let provenance = serde_json::from_slice(&bytes[json_at..json_end])
        .map_err(json_error("reading the provenance"))?;
    Ok((index, provenance))
}

/// End of the rows, start of the index, start and end of the provenance, when all are in place.
fn footer_layout(
    len: usize,
    trailer: &Trailer,
    rows_at: usize,
    schema: Schema,
) -> Option<(usize, usize, usize, usize)> {
    let rows = usize::try_from(trailer.rows).ok()?;
    let rows_end = rows.checked_mul(schema.row_bytes())?.checked_add(rows_at)?;
    let index_at = rows_end.checked_next_multiple_of(ALIGN)?;
    let index_len = usize::try_from(trailer.chunks).ok()?.checked_mul(size_of::<ChunkEntry>())?;
    let json_at = index_at.checked_add(index_len)?;
    let json_end = json_at.checked_add(usize::try_from(trailer.json_len).ok()?)?;
    let end = json_end.checked_next_multiple_of(ALIGN)?.checked_add(ALIGN)?;
    (index_at as u64 == trailer.footer_at && end == len)
        .then_some((rows_end, index_at, json_at, json_end))
}

/// Whether the chunks cover exactly the rows from 0 on, none of them empty.
fn tiles(index: &[ChunkEntry], rows: u64) -> bool {
    let end = index.iter().try_fold(0_u64, |at, chunk| {
        (chunk.first_row == at && chunk.rows > 0).then(|| at.checked_add(chunk.rows)).flatten()
    });
    end == Some(rows)
}

fn hash_content(header: &[u8], index: &[ChunkEntry]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(bytemuck::cast_slice(index));
    hasher.finalize().to_hex().to_string()
}
