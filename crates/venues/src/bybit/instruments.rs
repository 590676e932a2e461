//! `market/instruments-info`: what can be traded and by what rules.

use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid, Result,
};

use crate::document::{Object, Read, Unreadable};
use crate::listing::Listing;

pub(super) fn read(venue: &str, body: &[u8]) -> Result<Vec<Listing>> {
    let wrong =
        |what: Unreadable| Error::new(ErrorKind::Data, format!("bybit instruments: {what}"));
    let root = Object::read(body).map_err(wrong)?;
    let result = root.need_object("result").map_err(wrong)?;
    if !result.has("list") {
        return Err(wrong(Unreadable::Missing("list")));
    }
    let mut listings = Vec::new();
    let mut each = |one: &Object<'_>| {
        listings.extend(listing(venue, InstrumentId(listings.len() as u16), one)?);
        Ok(())
    };
    result.each("list", &mut each).map_err(wrong)?;
    Ok(listings)
}

fn listing(venue: &str, id: InstrumentId, one: &Object<'_>) -> Read<Option<Listing>> {
    if one.has("optionsType") {
        return Ok(None);
    }
    let kind = match one.word("contractType")? {
        None => InstrumentKind::Spot,
        Some("LinearPerpetual") => InstrumentKind::LinearPerpetual,
        Some("LinearFutures") => InstrumentKind::LinearFuture,
        Some("InversePerpetual") => InstrumentKind::InversePerpetual,
        Some("InverseFutures") => InstrumentKind::InverseFuture,
        Some(_) => return Ok(None),
    };
    let tick = one.need_object("priceFilter")?.need_decimal("tickSize")?;
    let sizes = one.need_object("lotSizeFilter")?;
    let lot = sizes.decimal("qtyStep")?.or(sizes.decimal("basePrecision")?);
    let Some(lot) = lot.filter(|lot| lot.mantissa() > 0 && tick.mantissa() > 0) else {
        return Ok(None);
    };
    let lots = |value: Option<Decimal>| value.and_then(|value| value.count_of(lot));
    let most = sizes.decimal("maxLimitOrderQty")?.or(sizes.decimal("maxOrderQty")?);
    let least_value = sizes.decimal("minOrderAmt")?.or(sizes.decimal("minNotionalValue")?);
    let instrument = Instrument {
        symbol: one.need_word("symbol")?.to_owned(),
        venue: venue.to_owned(),
        kind,
        base: one.need_word("baseCoin")?.to_owned(),
        quote: one.need_word("quoteCoin")?.to_owned(),
        grids: vec![PriceGrid::fixed(tick)],
        lot,
        multiplier: Decimal::ONE,
        min_qty: Lots(lots(sizes.decimal("minOrderQty")?).unwrap_or(1).max(1)),
        max_qty: Lots(lots(most).unwrap_or(0)),
        min_notional: least_value.unwrap_or_default(),
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    let trading = one.word("status")? == Some("Trading");
    Ok(Some(Listing::new(id, instrument).listed(trading, one.time_ns("deliveryTime")?)))
}
