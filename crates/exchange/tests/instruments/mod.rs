//! Instruments that tests trade.
#![allow(dead_code)]

use mainspring_core::instrument::MarginTier;
use mainspring_core::{Instrument, InstrumentKind, Lots, PriceGrid};

/// Ticks of one quote unit and lots of one base unit: prices and quantities are plain integers.
pub fn plain(kind: InstrumentKind, base: &str, quote: &str) -> Instrument {
    Instrument {
        symbol: format!("{base}{quote}"),
        venue: "test".to_owned(),
        kind,
        base: base.to_owned(),
        quote: quote.to_owned(),
        grids: vec![PriceGrid::fixed("1".parse().unwrap())],
        lot: "1".parse().unwrap(),
        multiplier: "1".parse().unwrap(),
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: "0".parse().unwrap(),
        maker_fee: "0".parse().unwrap(),
        taker_fee: "0".parse().unwrap(),
        margin_tiers: vec![],
    }
}

/// A perpetual with fees and two tiers of margin.
pub fn perpetual() -> Instrument {
    let mut instrument = plain(InstrumentKind::LinearPerpetual, "BTC", "USDT");
    instrument.lot = "0.001".parse().unwrap();
    instrument.maker_fee = "0.0002".parse().unwrap();
    instrument.taker_fee = "0.0005".parse().unwrap();
    let tier = |cap: Option<&str>, rate: &str, max_leverage| MarginTier {
        notional_cap: cap.map(|cap| cap.parse().unwrap()),
        maintenance_rate: rate.parse().unwrap(),
        max_leverage,
    };
    instrument.margin_tiers = vec![tier(Some("50000"), "0.01", 50), tier(None, "0.025", 20)];
    instrument
}
