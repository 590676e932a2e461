//! `perpetualMarkets`: what can be traded and by what rules.

use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid, Result,
};

use crate::document::{Object, Read, Unreadable};
use crate::listing::{Code, Listing};

pub(super) fn read(body: &[u8]) -> Result<Vec<Listing>> {
    let wrong = |what: Unreadable| Error::new(ErrorKind::Data, format!("dydx markets: {what}"));
    let root = Object::read(body).map_err(wrong)?;
    let markets = root.need_object("markets").map_err(wrong)?;
    let mut listings = Vec::new();
    for (_, raw) in markets.entries() {
        let market = Object::read(raw).map_err(wrong)?;
        listings.push(listing(InstrumentId(listings.len() as u16), &market).map_err(wrong)?);
    }
    Ok(listings)
}

fn listing(id: InstrumentId, market: &Object<'_>) -> Read<Listing> {
    let symbol = market.need_word("ticker")?;
    let (base, quote) = symbol.split_once('-').unwrap_or((symbol, "USD"));
    let small = |key: &'static str| {
        let value = market.need_integer(key)?;
        i8::try_from(value).map_err(|_| Unreadable::Wrong(key, "is out of range"))
    };
    let number = |key: &'static str| {
        u64::try_from(market.need_integer(key)?).map_err(|_| Unreadable::Wrong(key, "is negative"))
    };
    let narrow = |key: &'static str, value: u64| {
        u32::try_from(value).map_err(|_| Unreadable::Wrong(key, "is out of range"))
    };
    let code = Code::Dydx {
        clob_pair_id: narrow("clobPairId", number("clobPairId")?)?,
        atomic_resolution: small("atomicResolution")?,
        quantum_conversion_exponent: small("quantumConversionExponent")?,
        step_base_quantums: number("stepBaseQuantums")?,
        subticks_per_tick: narrow("subticksPerTick", number("subticksPerTick")?)?,
    };
    let instrument = Instrument {
        symbol: symbol.to_owned(),
        venue: "dydx".to_owned(),
        kind: InstrumentKind::LinearPerpetual,
        base: base.to_owned(),
        // Prices are in dollars and everything is settled in USDC.
        quote: if quote == "USD" { "USDC" } else { quote }.to_owned(),
        grids: vec![PriceGrid::fixed(market.need_decimal("tickSize")?)],
        lot: market.need_decimal("stepSize")?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    let trading = matches!(market.word("status")?, Some("ACTIVE"));
    Ok(Listing { code, trading, ..Listing::new(id, instrument) })
}
