//! Input files: plain, gzip, xz, zstd or the members of a zip, streamed, with bounded lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Result};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// Longest line that is read; a longer one is no market data.
pub const MAX_LINE_BYTES: usize = 16 << 20;

const BUFFER_BYTES: usize = 256 << 10;

/// A place in an input, for messages to people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, with the member of a zip behind a colon.
    pub file: String,
    /// The line (from 1), the message or the record.
    pub line: u64,
    /// What is counted: `line`, `message` or `record`.
    pub unit: &'static str,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}: {} {}", self.file, self.unit, self.line)
    }
}

/// Counts the bytes read from disk, for progress.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// Bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(to)?;
        self.meter.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// One input as a stream of its decompressed bytes.
pub struct Input {
    /// The file, and the member of a zip.
    pub name: String,
    reader: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Input {
    /// Reads into `to`, telling damaged compression from a failing disk.
    ///
    /// # Errors
    /// When the file cannot be read or its compressed data is damaged or cut off.
    pub fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        self.reader.read(to).map_err(|error| {
            let (kind, what) = match error.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    (ErrorKind::Data, "the compressed data ends early; is the file cut off?".into())
                }
                std::io::ErrorKind::PermissionDenied => (ErrorKind::Io, error.to_string()),
                _ => (ErrorKind::Data, format!("the compressed data is damaged: {error}")),
            };
            Error::new(kind, format!("{}: {what}", self.name))
        })
    }

    /// Reads everything up to `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::read`], and when there is more.
    pub fn read_all(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut block = vec![0; BUFFER_BYTES];
        loop {
            let n = self.read(&mut block)?;
            if n == 0 {
                return Ok(bytes);
            }
            if bytes.len() + n > limit {
                return Err(Error::new(
                    ErrorKind::Capacity,
                    format!("{}: more than {limit} bytes", self.name),
                ));
            }
            bytes.extend_from_slice(&block[..n]);
        }
    }
}

/// Opens a file as one or, when it is a zip, several inputs. The format is told by the first bytes.
///
/// # Errors
/// When the file is missing, unreadable, empty, or a zip that cannot be read.
pub fn open(path: &Path, meter: &Meter) -> Result<Vec<Input>> {
    let failed = |error: std::io::Error| io_error(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::new(
            ErrorKind::Io,
            format!("{}: a folder; name the files in it", path.display()),
        ));
    }
    let mut magic = [0_u8; 6];
    let mut have = 0;
    while have < magic.len() {
        match file.read(&mut magic[have..]).map_err(failed)? {
            0 => break,
            n => have += n,
        }
    }
    if have == 0 {
        return Err(Error::new(ErrorKind::Data, format!("{}: the file is empty", path.display())));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let name = path.display().to_string();
    let damaged = |what: String| Error::new(ErrorKind::Data, format!("{name}: {what}"));
    if magic.starts_with(b"PK\x03\x04") || magic.starts_with(b"PK\x05\x06") {
        return open_zip(path, file, meter);
    }
    let raw = BufReader::with_capacity(BUFFER_BYTES, Metered { inner: file, meter: meter.clone() });
    let reader: Box<dyn Read + Send> = match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(lzma_rust2::XzReader::new(raw, true)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let frame = StreamingDecoder::new(raw)
                .map_err(|error| damaged(format!("not readable as zstd: {error}")))?;
            Box::new(Zstd { frame: Some(frame) })
        }
        _ => Box::new(raw),
    };
    Ok(vec![Input { name, reader }])
}

/// All frames of a zstd file, one behind the other.
struct Zstd<R: BufRead> {
    frame: Option<StreamingDecoder<R, FrameDecoder>>,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else { return Ok(0) };
            let n = frame.read(to)?;
            if n > 0 || to.is_empty() {
                return Ok(n);
            }
            let Some(done) = self.frame.take() else { return Ok(0) };
            let mut rest = done.into_inner();
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(StreamingDecoder::new(rest).map_err(std::io::Error::other)?);
        }
    }
}

fn open_zip(path: &Path, file: File, meter: &Meter) -> Result<Vec<Input>> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Data, format!("{}: not readable as zip: {error}", path.display()))
    };
    let mut archive =
        zip::ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut inputs = Vec::new();
    for at in 0..archive.len() {
        let member = archive.by_index_raw(at).map_err(|error| damaged(&error))?;
        if member.is_dir() {
            continue;
        }
        let Some(start) = member.data_start() else {
            return Err(damaged(&"a member without data"));
        };
        let mut data = File::open(path).map_err(|error| io_error(path, &error))?;
        data.seek(SeekFrom::Start(start)).map_err(|error| io_error(path, &error))?;
        let bounded = Metered { inner: data, meter: meter.clone() }.take(member.compressed_size());
        let reader: Box<dyn Read + Send> = match member.compression() {
            zip::CompressionMethod::Stored => Box::new(bounded),
            zip::CompressionMethod::Deflated => Box::new(Checked {
                inner: flate2::read::DeflateDecoder::new(BufReader::new(bounded)),
                left: member.size(),
            }),
            other => return Err(damaged(&format!("compression {other} is not supported"))),
        };
        let member_name = member.name().map_err(|error| damaged(&error))?;
        inputs.push(Input { name: format!("{}:{member_name}", path.display()), reader });
    }
    if inputs.is_empty() {
        return Err(damaged(&"there is no file in it"));
    }
    Ok(inputs)
}

/// Holds a zip member to the size that the archive states.
struct Checked<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(to)?;
        self.left = self.left.wrapping_sub(n as u64);
        if n == 0 && !to.is_empty() && self.left != 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(n)
    }
}

/// The error of a file that cannot be read, with what to do.
#[must_use]
pub fn io_error(path: &Path, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("{}: {error}", path.display()))
}

/// The lines of one input after another.
#[derive(Debug)]
pub struct Lines {
    waiting: std::vec::IntoIter<PathBuf>,
    members: std::vec::IntoIter<Input>,
    current: Option<Input>,
    meter: Meter,
    buffer: Vec<u8>,
    from: usize,
    filled: usize,
    place: Place,
    whole: bool,
}

impl Lines {
    /// The lines of these files, in this order.
    #[must_use]
    pub fn new(paths: &[PathBuf]) -> Self {
        Self {
            waiting: Vec::from(paths).into_iter(),
            members: Vec::new().into_iter(),
            current: None,
            meter: Meter::default(),
            buffer: Vec::new(),
            from: 0,
            filled: 0,
            place: Place { unit: "line", ..Place::default() },
            whole: true,
        }
    }

    /// Where the last line was.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.meter.bytes()
    }

    /// Whether the last line ended in a line feed.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// The next line without its end; `None` after the last line of the last file.
    ///
    /// # Errors
    /// When a file cannot be read, its compression is damaged, or a line is too long.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.from..self.filled]) {
                self.whole = true;
                return Ok(Some(self.take_line(length, 1)));
            }
            if !self.fill()? {
                self.current = None;
                let rest = self.filled - self.from;
                if rest > 0 {
                    self.whole = false;
                    return Ok(Some(self.take_line(rest, 0)));
                }
            }
        }
    }

    fn take_line(&mut self, length: usize, end: usize) -> &[u8] {
        let line = &self.buffer[self.from..self.from + length];
        self.from += length + end;
        self.place.line += 1;
        match line {
            [line @ .., b'\r'] => line,
            line => line,
        }
    }

    fn open_next(&mut self) -> Result<bool> {
        if self.members.len() == 0 {
            let Some(path) = self.waiting.next() else {
                return Ok(false);
            };
            self.members = open(&path, &self.meter)?.into_iter();
        }
        self.current = self.members.next();
        if let Some(input) = &self.current {
            self.place = Place { file: input.name.clone(), line: 0, unit: "line" };
        }
        (self.from, self.filled) = (0, 0);
        Ok(true)
    }

    /// Reads more behind what is there; false at the end of the input.
    fn fill(&mut self) -> Result<bool> {
        if self.from > 0 {
            self.buffer.copy_within(self.from..self.filled, 0);
            self.filled -= self.from;
            self.from = 0;
        }
        if self.filled == self.buffer.len() {
            if self.filled >= MAX_LINE_BYTES {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!(
                        "{}: line {} is longer than {MAX_LINE_BYTES} bytes; this is no line-based data",
                        self.place.file,
                        self.place.line + 1
                    ),
                ));
            }
            self.buffer.resize((self.filled * 2).max(BUFFER_BYTES), 0);
        }
        let Some(input) = &mut self.current else {
            return Ok(false);
        };
        let n = input.read(&mut self.buffer[self.filled..])?;
        self.filled += n;
        Ok(n > 0)
    }
}
