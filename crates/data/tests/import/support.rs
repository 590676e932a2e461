//! Folders, recordings and the replay of event files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use mainspring_book::L2Book;
use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{Result, Ticks};
use mainspring_data::import::{ImportReport, Options, Progress};
use mainspring_data::EventFile;

/// A folder that is removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainspring-import-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn write_gz(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes.as_ref()).unwrap();
        self.write(name, gz.finish().unwrap())
    }

    /// Names of what is in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A recording, or `None` (with a word about it) where recordings are absent.
pub fn recording(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("MAINSPRING_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = root.join("data").join(path);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("MAINSPRING_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "{} is missing and recordings are required", path.display());
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// The decompressed text of a recording.
pub fn text_of(path: &Path) -> Vec<u8> {
    let meter = mainspring_data::import::input::Meter::default();
    let mut inputs = mainspring_data::import::input::open(path, &meter).unwrap();
    inputs[0].read_all(1 << 30).unwrap()
}

/// Says nothing.
pub fn quiet(_: &Progress) -> Result<()> {
    Ok(())
}

/// An importer.
pub type Import = fn(
    &[PathBuf],
    &Path,
    &Options,
    mainspring_data::import::OnProgress<'_>,
) -> Result<ImportReport>;

/// Imports into `out.mse` of the folder.
pub fn import(
    with: Import,
    inputs: &[PathBuf],
    folder: &Folder,
    options: &Options,
) -> Result<(ImportReport, EventFile)> {
    let output = folder.file("out.mse");
    let report = with(inputs, &output, options, &mut quiet)?;
    let file = EventFile::open(&output)?;
    file.verify()?;
    assert_eq!(file.rows(), report.rows);
    Ok((report, file))
}

/// The rows of a market file with their prices.
pub fn rows(file: &EventFile) -> Vec<(MarketRow, Ticks)> {
    let mut all = Vec::new();
    for number in 0..file.chunks().len() {
        let chunk = file.chunk(number).unwrap();
        all.extend(chunk.rows.iter().map(|row| (*row, row.price(chunk.price_base))));
    }
    all
}

/// The rows of an order file with their prices.
pub fn order_rows(file: &EventFile) -> Vec<(OrderRow, Ticks)> {
    let mut all = Vec::new();
    for number in 0..file.chunks().len() {
        let chunk = file.order_chunk(number).unwrap();
        all.extend(chunk.rows.iter().map(|row| (*row, row.market.price(chunk.price_base))));
    }
    all
}

/// Applies a row whose price is already absolute.
pub fn apply(book: &mut L2Book, row: &MarketRow, price: Ticks) {
    book.apply(&MarketRow { price_offset: 0, ..*row }, price);
}
