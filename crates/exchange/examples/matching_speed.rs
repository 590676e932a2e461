//! Nanoseconds per message of the matching engine in each scenario.

use mainspring_core::{Instrument, InstrumentKind, Lots, PriceGrid};
use mainspring_exchange::{bench, load::Scenario};

fn main() -> mainspring_core::Result<()> {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2_000_000);
    for scenario in Scenario::ALL {
        let (timing, tally) = bench::matching(&perpetual()?, scenario, count, 7)?;
        let (median, quietest) = (timing.median_ns, timing.quietest_ns);
        println!("{:<9} {median:6.1} ns ({quietest:.1})  {tally:?}", scenario.name());
    }
    Ok(())
}

fn perpetual() -> mainspring_core::Result<Instrument> {
    Ok(Instrument {
        symbol: "BTCUSDT".to_owned(),
        venue: "example".to_owned(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed("0.1".parse()?)],
        lot: "0.001".parse()?,
        multiplier: "1".parse()?,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: "5".parse()?,
        maker_fee: "0.0002".parse()?,
        taker_fee: "0.0005".parse()?,
        margin_tiers: vec![],
    })
}
