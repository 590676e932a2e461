//! Named markets.

use mainspring_core::instrument::MarginTier;
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentKind, Lots, PriceGrid, Result, Ticks,
};

use super::hawkes::Excitation;
use super::price::PriceDynamics;
use super::shape::{Makers, MarketShape, Placement, SizeLaw};

/// The names of all presets.
pub const NAMES: [&str; 3] = ["btcusdt", "ethusdt", "altusdt"];

/// The market of this name.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn market(name: &str) -> Result<MarketShape> {
    match name {
        "btcusdt" => btcusdt(),
        "ethusdt" => ethusdt(),
        "altusdt" => altusdt(),
        _ => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no sample market {name:?}; there are {}", NAMES.join(", ")),
        )),
    }
}

const EXCITATION: Excitation = Excitation {
    market_same: 0.62,
    market_opposite: 0.08,
    market_chase: 0.6,
    market_refill: 0.6,
    market_scare: 0.6,
    limit_limit: 0.2,
    limit_cancel: 0.25,
    cancel_limit: 0.25,
    cancel_cancel: 0.1,
};

/// A venue's linear perpetual of `base` against USDT.
fn perpetual(base: &str, tick: &str, lot: &str) -> Result<Instrument> {
    let tier = |cap: Option<&str>, rate: &str, max_leverage| -> Result<MarginTier> {
        Ok(MarginTier {
            notional_cap: cap.map(str::parse).transpose()?,
            maintenance_rate: rate.parse()?,
            max_leverage,
        })
    };
    Ok(Instrument {
        symbol: format!("{base}USDT"),
        venue: "sample".to_owned(),
        kind: InstrumentKind::LinearPerpetual,
        base: base.to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed(tick.parse()?)],
        lot: lot.parse()?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: "5".parse()?,
        maker_fee: "0.0002".parse()?,
        taker_fee: "0.0005".parse()?,
        margin_tiers: vec![
            tier(Some("50000"), "0.004", 125)?,
            tier(Some("600000"), "0.005", 100)?,
            tier(Some("3000000"), "0.01", 50)?,
            tier(None, "0.025", 20)?,
        ],
    })
}

/// Shaped like Binance's BTCUSDT perpetual, at a fraction of its message rate.
fn btcusdt() -> Result<MarketShape> {
    Ok(MarketShape {
        instrument: perpetual("BTC", "0.1", "0.001")?,
        stream: 1,
        first_price: Ticks(600_000),
        dynamics: PriceDynamics {
            annual_volatility: 0.55,
            factor_loading: 0.92,
            log_volatility_sd: [0.6, 0.35],
            volatility_memory_s: [20.0, 1_200.0],
            jump_share: 0.25,
            jump_rate: 0.03,
            impact_memory_s: 15.0,
            permanent_share: 0.7,
        },
        limit_rate: 36.0,
        market_rate: 2.6,
        excitation: EXCITATION,
        scales: [(30.0, 0.3), (1.5, 0.35), (0.15, 0.35)],
        limit_size: SizeLaw { median_lots: 50.0, log_sd: 1.5 },
        maker_size: SizeLaw { median_lots: 400.0, log_sd: 1.2 },
        market_size: SizeLaw { median_lots: 30.0, log_sd: 1.9 },
        placement: Placement {
            touch_share: 0.3,
            improve_share: 0.3,
            scale_ticks: 700.0,
            exponent: 1.0,
            farthest_ticks: 4_000,
            population: 5_000.0,
            growth_ticks: 100.0,
            growth_exponent: 0.7,
        },
        makers: Makers {
            spread_ticks: 1.0,
            narrow_rate: 200.0,
            join_rate: 10.0,
            touch_lots: 5_500.0,
            reprice_rate: 1.5,
            reprice_ticks: 22.0,
            sniped_share: 0.4,
        },
        impact_ticks: 2.5,
        informed_ticks: 18.0,
        protection_ticks: 300,
        message_gap_ns: 60e6,
    })
}

/// Shaped like an ETHUSDT perpetual: finer in price than BTCUSDT relative to its volatility.
fn ethusdt() -> Result<MarketShape> {
    let btc = btcusdt()?;
    Ok(MarketShape {
        instrument: perpetual("ETH", "0.01", "0.001")?,
        stream: 2,
        first_price: Ticks(330_000),
        dynamics: PriceDynamics { annual_volatility: 0.7, factor_loading: 0.88, ..btc.dynamics },
        limit_rate: 30.0,
        market_rate: 2.2,
        limit_size: SizeLaw { median_lots: 500.0, log_sd: 1.5 },
        maker_size: SizeLaw { median_lots: 6_000.0, log_sd: 1.2 },
        market_size: SizeLaw { median_lots: 350.0, log_sd: 1.9 },
        makers: Makers { touch_lots: 90_000.0, reprice_ticks: 14.0, ..btc.makers },
        impact_ticks: 1.7,
        informed_ticks: 12.0,
        ..btc
    })
}

/// A small coin: a spread of several ticks, a thin book, a trade every few seconds.
fn altusdt() -> Result<MarketShape> {
    let btc = btcusdt()?;
    Ok(MarketShape {
        instrument: perpetual("ALT", "0.00001", "1")?,
        stream: 3,
        first_price: Ticks(52_000),
        dynamics: PriceDynamics {
            annual_volatility: 1.1,
            factor_loading: 0.7,
            impact_memory_s: 40.0,
            ..btc.dynamics
        },
        limit_rate: 9.0,
        market_rate: 0.25,
        scales: [(10.0, 0.35), (0.5, 0.4), (0.05, 0.25)],
        limit_size: SizeLaw { median_lots: 900.0, log_sd: 1.3 },
        maker_size: SizeLaw { median_lots: 2_500.0, log_sd: 1.0 },
        market_size: SizeLaw { median_lots: 500.0, log_sd: 1.3 },
        placement: Placement {
            touch_share: 0.1,
            improve_share: 0.1,
            scale_ticks: 80.0,
            population: 150.0,
            ..btc.placement
        },
        makers: Makers {
            spread_ticks: 25.0,
            narrow_rate: 1.2,
            join_rate: 0.6,
            touch_lots: 5_000.0,
            reprice_rate: 0.8,
            reprice_ticks: 10.0,
            sniped_share: 0.3,
        },
        impact_ticks: 3.0,
        informed_ticks: 15.0,
        protection_ticks: 120,
        message_gap_ns: 150e6,
        ..btc
    })
}
