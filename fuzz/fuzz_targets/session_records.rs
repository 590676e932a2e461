//! Any bytes as the records of a session's journal: followed, or refused; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::{Decimal, Instrument, Lots, PriceGrid};
use mainspring_kernel::host::BookTrigger;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{Raw, Session, SessionConfig};

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "fuzz".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

fn session() -> Session {
    let native: NativeConfig =
        serde_json::from_str(r#"{"kind":"touch_maker","size":"0.003","max_position":"0.02"}"#)
            .unwrap();
    let host = native.build(BookTrigger::Message).unwrap();
    Session::new(SessionConfig::default(), vec![instrument()], vec![host]).unwrap()
}

fuzz_target!(|bytes: &[u8]| {
    let mut session = session();
    let mut rest = bytes;
    let mut sequence = 0;
    // Each record: a kind, a step of time, a length, the payload.
    while let [kind, step, len, tail @ ..] = rest {
        let len = usize::from(*len).min(tail.len());
        let (payload, after) = tail.split_at(len);
        rest = after;
        sequence += 1;
        let time_ns = session.now_ns().max(0) + i64::from(*step) * 10_000_000;
        let raw = Raw { kind: u16::from(*kind), sequence, time_ns, cause: 0, payload };
        let _ = session.follow(&raw);
    }
});
