//! `public/instruments`: what can be traded and by what rules.

use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid, Result,
};

use crate::document::{Object, Read, Unreadable};
use crate::listing::{Code, Listing};

pub(super) fn read(venue: &str, body: &[u8]) -> Result<Vec<Listing>> {
    let wrong = |what: Unreadable| Error::new(ErrorKind::Data, format!("okx instruments: {what}"));
    let root = Object::read(body).map_err(wrong)?;
    if !root.has("data") {
        return Err(wrong(Unreadable::Missing("data")));
    }
    let mut listings = Vec::new();
    let mut each = |one: &Object<'_>| {
        listings.extend(listing(venue, InstrumentId(listings.len() as u16), one)?);
        Ok(())
    };
    root.each("data", &mut each).map_err(wrong)?;
    Ok(listings)
}

fn listing(venue: &str, id: InstrumentId, one: &Object<'_>) -> Read<Option<Listing>> {
    let inverse = one.word("ctType")? == Some("inverse");
    let kind = match (one.need_word("instType")?, inverse) {
        ("SPOT", _) => InstrumentKind::Spot,
        ("SWAP", false) => InstrumentKind::LinearPerpetual,
        ("SWAP", true) => InstrumentKind::InversePerpetual,
        ("FUTURES", false) => InstrumentKind::LinearFuture,
        ("FUTURES", true) => InstrumentKind::InverseFuture,
        _ => return Ok(None),
    };
    // Instruments in preparation have no grid yet.
    let (Some(tick), Some(lot)) = (one.decimal("tickSz")?, one.decimal("lotSz")?) else {
        return Ok(None);
    };
    if tick.mantissa() <= 0 || lot.mantissa() <= 0 {
        return Ok(None);
    }
    let symbol = one.need_word("instId")?;
    let mut parts = symbol.split('-');
    let (base, quote) = (parts.next().unwrap_or(symbol), parts.next().unwrap_or(""));
    let instrument = Instrument {
        symbol: symbol.to_owned(),
        venue: venue.to_owned(),
        kind,
        base: one.word("baseCcy")?.unwrap_or(base).to_owned(),
        quote: one.word("quoteCcy")?.unwrap_or(quote).to_owned(),
        grids: vec![PriceGrid::fixed(tick)],
        lot,
        multiplier: multiplier(kind, one)?,
        min_qty: Lots(one.decimal("minSz")?.and_then(|min| min.count_of(lot)).unwrap_or(1).max(1)),
        max_qty: Lots(one.decimal("maxLmtSz")?.and_then(|max| max.count_of(lot)).unwrap_or(0)),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    let code = match one.integer("instIdCode")?.and_then(|code| u64::try_from(code).ok()) {
        Some(inst_id_code) => Code::Okx { inst_id_code },
        None => Code::None,
    };
    let trading = one.word("state")? == Some("live");
    let listing = Listing { code, ..Listing::new(id, instrument) };
    Ok(Some(listing.listed(trading, one.time_ns("expTime")?)))
}

/// A contract is ctVal times ctMult of its value currency.
fn multiplier(kind: InstrumentKind, one: &Object<'_>) -> Read<Decimal> {
    if kind == InstrumentKind::Spot {
        return Ok(Decimal::ONE);
    }
    let value = one.need_decimal("ctVal")?;
    let times = one.decimal("ctMult")?.unwrap_or(Decimal::ONE);
    let mantissa = value.mantissa().checked_mul(times.mantissa());
    mantissa
        .and_then(|mantissa| Decimal::new(mantissa, value.scale() + times.scale()).ok())
        .ok_or(Unreadable::Wrong("ctVal", "does not fit"))
}
