//! What several tests of event files need.
#![allow(dead_code)]

use std::path::PathBuf;

use mainspring_core::event::flags;
use mainspring_core::{Instrument, InstrumentKind, PriceGrid, RowKind, Ticks};
use mainspring_data::{ClockState, EventWriter, Provenance, Schema};

/// A folder of its own for one test, removed when the test ends well.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("mainspring-data-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

pub fn instrument(symbol: &str) -> Instrument {
    Instrument {
        symbol: symbol.into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
        multiplier: "1".parse().unwrap(),
        min_qty: mainspring_core::Lots(1),
        max_qty: mainspring_core::Lots(0),
        min_notional: mainspring_core::Decimal::ZERO,
        maker_fee: mainspring_core::Decimal::ZERO,
        taker_fee: mainspring_core::Decimal::ZERO,
        margin_tiers: Vec::new(),
    }
}

pub fn provenance() -> Provenance {
    Provenance::new("test", ClockState::Trusted)
}

/// Writes `rows` depth rows, one message each.
pub fn write_depth(path: &std::path::Path, rows: u64, chunk_rows: usize) {
    let instruments = vec![instrument("BTCUSDT")];
    let mut writer = EventWriter::create(path, Schema::Market, instruments, provenance())
        .unwrap()
        .with_chunk_rows(chunk_rows);
    for n in 0..rows as i64 {
        let side = if n % 2 == 0 { 0 } else { flags::ASK };
        let price = Ticks(600_000 + (n % 7) * if side == 0 { -1 } else { 1 });
        writer
            .push_market(
                1_000 + n * 10,
                900 + n * 10,
                RowKind::Depth,
                side | flags::END_OF_MESSAGE,
                0,
                price,
                1 + n % 5,
            )
            .unwrap();
    }
    writer.finish().unwrap();
}
