//! `exchangeInfo`: what can be traded and by what rules.

use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid, Result,
};

use super::Market;
use crate::document::{Object, Read, Unreadable};
use crate::listing::Listing;

pub(super) fn read(market: Market, venue: &str, body: &[u8]) -> Result<Vec<Listing>> {
    let mut listings = Vec::new();
    let wrong = |what: Unreadable| Error::new(ErrorKind::Data, format!("exchangeInfo: {what}"));
    let root = Object::read(body).map_err(wrong)?;
    if !root.has("symbols") {
        return Err(wrong(Unreadable::Missing("symbols")));
    }
    let mut each = |symbol: &Object<'_>| {
        let id = InstrumentId(listings.len() as u16);
        listings.extend(listing(market, venue, id, symbol)?);
        Ok(())
    };
    root.each("symbols", &mut each).map_err(wrong)?;
    Ok(listings)
}

/// `None` for what has no grid to trade on: options, and symbols not yet set up.
fn listing(
    market: Market,
    venue: &str,
    id: InstrumentId,
    symbol: &Object<'_>,
) -> Read<Option<Listing>> {
    let kind = match (market, symbol.word("contractType")?) {
        (Market::Spot, _) => InstrumentKind::Spot,
        (Market::Futures, Some("PERPETUAL" | "TRADIFI_PERPETUAL")) => {
            InstrumentKind::LinearPerpetual
        }
        (
            Market::Futures,
            Some("CURRENT_QUARTER" | "NEXT_QUARTER" | "CURRENT_QUARTER DELIVERING"),
        ) => InstrumentKind::LinearFuture,
        (Market::Futures, _) => return Ok(None),
    };
    let Some(filters) = filters(symbol)? else { return Ok(None) };
    let instrument = Instrument {
        symbol: symbol.need_word("symbol")?.to_owned(),
        venue: venue.to_owned(),
        kind,
        base: symbol.need_word("baseAsset")?.to_owned(),
        quote: symbol.need_word("quoteAsset")?.to_owned(),
        grids: vec![PriceGrid::fixed(filters.tick)],
        lot: filters.lot,
        multiplier: Decimal::ONE,
        min_qty: Lots(filters.min_qty.count_of(filters.lot).unwrap_or(1).max(1)),
        max_qty: Lots(filters.max_qty.count_of(filters.lot).unwrap_or(0)),
        min_notional: filters.min_notional,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    let status = symbol.word("status")?.or(symbol.word("contractStatus")?);
    let trading = status == Some("TRADING");
    Ok(Some(Listing::new(id, instrument).listed(trading, symbol.time_ns("deliveryDate")?)))
}

struct Filters {
    tick: Decimal,
    lot: Decimal,
    min_qty: Decimal,
    max_qty: Decimal,
    min_notional: Decimal,
}

fn filters(symbol: &Object<'_>) -> Read<Option<Filters>> {
    let mut tick = Decimal::ZERO;
    let mut lot = Decimal::ZERO;
    let (mut min_qty, mut max_qty) = (Decimal::ZERO, Decimal::ZERO);
    let mut min_notional = Decimal::ZERO;
    symbol.each("filters", &mut |filter| {
        match filter.word("filterType")? {
            Some("PRICE_FILTER") => tick = filter.need_decimal("tickSize")?,
            Some("LOT_SIZE") => {
                lot = filter.need_decimal("stepSize")?;
                min_qty = filter.need_decimal("minQty")?;
                max_qty = filter.need_decimal("maxQty")?;
            }
            Some("NOTIONAL" | "MIN_NOTIONAL") => {
                let value = filter.decimal("minNotional")?.or(filter.decimal("notional")?);
                min_notional = value.unwrap_or_default();
            }
            _ => {}
        }
        Ok(())
    })?;
    if tick.mantissa() <= 0 || lot.mantissa() <= 0 {
        return Ok(None);
    }
    Ok(Some(Filters { tick, lot, min_qty, max_qty, min_notional }))
}
