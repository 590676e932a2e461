//! Replays an event file with a native strategy: the engine alone, for a profiler.
//!
//! `cargo run --release -p mainspring-kernel --example replay -- FILE [noop|touch] [REPEATS]`

use std::time::Instant;

use mainspring_data::EventFile;
use mainspring_journal::Sink;
use mainspring_kernel::host::BookTrigger;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::{run, RunConfig};

fn main() -> mainspring_core::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let path = arguments.get(1).map_or("l2.mse", String::as_str);
    let strategy = match arguments.get(2).map(String::as_str) {
        Some("touch") => r#"{"kind":"touch_maker","size":"0.01","max_position":"0.1"}"#,
        _ => r#"{"kind":"noop","read":true}"#,
    };
    let repeats = arguments.get(3).and_then(|n| n.parse().ok()).unwrap_or(5);
    let strategy: NativeConfig = serde_json::from_str(strategy).expect("a known strategy");
    let config: RunConfig = serde_json::from_str(
        r#"{"venue":{"fill_model":"hft_no_partial","queue_model":"prob_log"},
            "latency":{"model":"constant","new":{"entry_ns":1000000,"response_ns":1000000}},
            "deposits":[["USDT","100000"]]}"#,
    )
    .expect("a known configuration");
    for _ in 0..repeats {
        let started = Instant::now();
        let files = [EventFile::open(path)?];
        let host = strategy.build(BookTrigger::Every(100_000_000))?;
        let sink = Sink::Memory { limit_bytes: 64 << 20 };
        let outcome = run(&files, &config, vec![host], sink, &mut |_| Ok(()))?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            r#"{{"seconds":{seconds:.4},"rows_per_s":{:.0},"orders":{},"fills":{},"hash":"{}"}}"#,
            outcome.counts.rows as f64 / seconds,
            outcome.counts.orders,
            outcome.counts.fills,
            outcome.log.hash().map(|byte| format!("{byte:02x}")).concat()
        );
    }
    Ok(())
}
