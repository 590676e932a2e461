//! Recordings and vectors that are not part of the repository.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;

/// A file under `$MAINSPRING_SHARED/data`, or `../shared/data` beside the repository; `None`,
/// saying so, when it is not there and `MAINSPRING_REQUIRE_SHARED` is not 1.
fn file(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("MAINSPRING_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let file = root.join("data").join(path);
    if !file.exists() {
        let required = std::env::var("MAINSPRING_REQUIRE_SHARED").is_ok_and(|v| v == "1");
        assert!(!required, "{} is missing", file.display());
        eprintln!("skipped: {} is missing", file.display());
        return None;
    }
    Some(file)
}

/// The text of a file.
pub fn text(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(file(path)?).expect("text"))
}

/// The text of a compressed recording.
pub fn recording(path: &str) -> Option<String> {
    let file = file(path)?;
    let program = if path.ends_with(".xz") { "xz" } else { "gzip" };
    let output = Command::new(program).arg("-dc").arg(&file).output().expect("decompressor runs");
    assert!(output.status.success(), "{program} failed on {}", file.display());
    Some(String::from_utf8(output.stdout).expect("text"))
}
