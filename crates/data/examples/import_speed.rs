//! Prints how fast a raw Binance recording is imported: `import_speed RECORDING`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map(PathBuf::from).ok_or("name a raw Binance recording")?;
    let output = std::env::temp_dir().join(format!("import-speed-{}.mse", std::process::id()));
    for _ in 0..5 {
        let s = mainspring_data::import::bench::import(&path, &output)?;
        println!(
            "{} rows, {} messages, {} bytes in {:.3} s: {:.0} rows/s, {:.0} messages/s; reading alone {:.3} s",
            s.rows,
            s.messages,
            s.bytes,
            s.seconds,
            s.rows as f64 / s.seconds,
            s.messages as f64 / s.seconds,
            s.floor_seconds
        );
    }
    Ok(())
}
