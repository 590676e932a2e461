//! What the tests of the reconciler share.

use mainspring_core::instrument::InstrumentKind;
use mainspring_core::{ClientOrderId, Decimal, Instrument, Lots, PriceGrid, Side, Ticks};

use super::{LiveQuote, ReconcileConfig, Rules, Standing};

pub(super) fn instrument() -> Instrument {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(decimal("0.1"))],
        lot: decimal("0.001"),
        multiplier: Decimal::ONE,
        min_qty: Lots(3),
        max_qty: Lots(0),
        min_notional: decimal("0.05"),
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

pub(super) fn inverse() -> Instrument {
    let mut inverse = instrument();
    inverse.kind = InstrumentKind::InversePerpetual;
    inverse.lot = Decimal::ONE;
    inverse.multiplier = "100".parse().unwrap();
    inverse.min_notional = "250".parse().unwrap();
    inverse
}

pub(super) fn rules(config: &ReconcileConfig) -> Rules {
    config.rules(&instrument()).unwrap()
}

pub(super) fn quote(id: u64, side: Side, price: i64, qty: i64) -> LiveQuote {
    LiveQuote {
        id: ClientOrderId(id),
        side,
        price: Ticks(price),
        qty: Lots(qty),
        filled: Lots(0),
        standing: Standing::Open,
        created_ns: 0,
        takes: false,
        ahead: None,
    }
}
