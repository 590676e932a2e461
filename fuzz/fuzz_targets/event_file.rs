//! Any bytes as an event file: opened and read whole, or refused.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mainspring_data::EventFile;

fuzz_target!(|bytes: &[u8]| {
    let memory = PathBuf::from(if cfg!(target_os = "linux") { "/dev/shm" } else { "." });
    let path = memory.join(format!("mainspring-fuzz-{}.mse", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    if let Ok(file) = EventFile::open(&path) {
        let _ = file.verify();
    }
    let _ = std::fs::remove_file(&path);
});
