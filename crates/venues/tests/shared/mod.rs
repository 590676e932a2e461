//! Real messages and vectors outside the repository: `$MAINSPRING_SHARED`, or `shared` beside it.
//! Without them a test says so and passes, unless `MAINSPRING_REQUIRE_SHARED=1`.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use mainspring_core::{Decimal, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid};
use mainspring_venues::listing::{Code, Listing};
use serde_json::Value;

/// A file or folder there, or `None` with a word about it.
pub fn shared(path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("MAINSPRING_SHARED").map_or_else(beside, PathBuf::from);
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var_os("MAINSPRING_REQUIRE_SHARED").is_some_and(|set| set == "1");
    assert!(!required, "{} is not there", path.display());
    println!("skipped: {} is not there", path.display());
    None
}

/// All files of a folder and of those in it.
pub fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|one| one.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_of(&path) } else { vec![path] }).collect()
}

/// A JSON file there.
pub fn json(path: &str) -> Option<Value> {
    let text = std::fs::read_to_string(shared(path)?).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// The lines of a gzip file there.
pub fn gzip_lines(path: &str) -> Option<Vec<String>> {
    let file = std::fs::File::open(shared(path)?).unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(GzDecoder::new(file)));
    Some(lines.map_while(Result::ok).collect())
}

/// An instrument for tests.
pub fn listing(venue: &str, symbol: &str, kind: InstrumentKind, tick: &str, lot: &str) -> Listing {
    let instrument = Instrument {
        symbol: symbol.to_owned(),
        venue: venue.to_owned(),
        kind,
        base: "BTC".to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed(tick.parse().unwrap())],
        lot: lot.parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    Listing::new(InstrumentId(0), instrument)
}

/// The same with the venue's own number.
pub fn coded(listing: Listing, code: Code) -> Listing {
    Listing { code, ..listing }
}
