//! Any bytes as the input of any importer: it refuses with a message or writes a whole file.
//!
//! The first byte picks the importer, the second whether bad lines are skipped; the rest is the file.
#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use mainspring_core::Decimal;
use mainspring_data::import::{BadLines, InstrumentSpec, Options, FORMATS};
use mainspring_data::EventFile;

/// Where an importer looks for what names and folders say.
fn name(format: &str) -> &'static str {
    match format {
        "lean" => "crypto/coinbase/minute/btcusd/20180404_trade.zip",
        "cryptofeed" => "OKX.ws.1.0",
        "lobster" => "AAPL_2012-06-21_message_50.csv",
        _ => "input",
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fuzz_target!(|bytes: &[u8]| {
    let [which, skip, file @ ..] = bytes else { return };
    let (format, import) = FORMATS[usize::from(*which) % FORMATS.len()];
    let memory = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    let folder = memory.join(format!("mainspring-fuzz-{}", std::process::id()));
    let input = write(&folder, name(format), file);
    let spec = InstrumentSpec { multiplier: Some(Decimal::ONE), ..Default::default() };
    let options = Options {
        bad_lines: if skip % 2 == 0 { BadLines::Refuse } else { BadLines::Skip },
        instruments: vec![spec],
        date: Some("2024-07-01".to_owned()),
        ..Options::default()
    };
    let output = folder.join("out.mse");
    match import(&[input], &output, &options, &mut |_| Ok(())) {
        Ok(report) => {
            let file = EventFile::open(&output).unwrap();
            file.verify().unwrap();
            assert_eq!(file.rows(), report.rows);
        }
        Err(error) => {
            assert!(!error.message().is_empty());
            assert!(!output.exists(), "a refused import leaves nothing");
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
});
