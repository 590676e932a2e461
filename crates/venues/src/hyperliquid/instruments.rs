//! `meta` and `spotMeta`: what can be traded and by what rules.

use mainspring_core::{
    Decimal, Error, ErrorKind, GridRule, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid,
    Result,
};

use crate::document::{each_raw, Object, Read, Unreadable};
use crate::listing::{Code, Listing};

/// Decimal places of prices less those of quantities: perpetuals and spot.
const PERP_PLACES: i64 = 6;
const SPOT_PLACES: i64 = 8;
/// Asset numbers of spot begin here.
const SPOT_ASSETS: i64 = 10_000;
/// Significant digits of a price.
const DIGITS: u8 = 5;

pub(super) fn read(body: &[u8]) -> Result<Vec<Listing>> {
    let wrong =
        |what: Unreadable| Error::new(ErrorKind::Data, format!("hyperliquid instruments: {what}"));
    let root = Object::read(body).map_err(wrong)?;
    if !root.has("universe") {
        return Err(wrong(Unreadable::Missing("universe")));
    }
    let listings = if root.has("tokens") { spot(&root) } else { perpetuals(&root) };
    listings.map_err(wrong)
}

fn perpetuals(root: &Object<'_>) -> Read<Vec<Listing>> {
    let mut listings = Vec::new();
    let mut index = 0;
    root.each("universe", &mut |one| {
        let coin = one.need_word("name")?;
        let size_decimals = one.need_integer("szDecimals")?;
        let names = Names { symbol: coin, base: coin, quote: "USDC" };
        let kind = InstrumentKind::LinearPerpetual;
        let mut listing = listing(names, kind, index, size_decimals, PERP_PLACES)?;
        listing.id = InstrumentId(listings.len() as u16);
        listing.trading = one.truth("isDelisted")? != Some(true);
        listings.push(listing);
        index += 1;
        Ok(())
    })?;
    Ok(listings)
}

fn spot(root: &Object<'_>) -> Read<Vec<Listing>> {
    let mut tokens = Vec::new();
    root.each("tokens", &mut |one| {
        let index = one.need_integer("index")?;
        tokens.push((index, one.need_word("name")?.to_owned(), one.need_integer("szDecimals")?));
        Ok(())
    })?;
    let token = |index: i64| tokens.iter().find(|(at, ..)| *at == index);
    let mut listings = Vec::new();
    root.each("universe", &mut |one| {
        let mut pair = Vec::with_capacity(2);
        each_raw(one.raw("tokens").unwrap_or(b"[]"), &mut |raw| {
            pair.extend(crate::json::integer(raw));
            Ok(())
        })?;
        let [base, quote] = pair[..] else {
            return Err(Unreadable::Wrong("tokens", "is no pair of tokens"));
        };
        let (Some(base), Some(quote)) = (token(base), token(quote)) else {
            return Err(Unreadable::Wrong("tokens", "names a token that is not listed"));
        };
        let names = Names { symbol: one.need_word("name")?, base: &base.1, quote: &quote.1 };
        let asset = SPOT_ASSETS + one.need_integer("index")?;
        let mut listing = listing(names, InstrumentKind::Spot, asset, base.2, SPOT_PLACES)?;
        listing.id = InstrumentId(listings.len() as u16);
        listings.push(listing);
        Ok(())
    })?;
    Ok(listings)
}

struct Names<'a> {
    symbol: &'a str,
    base: &'a str,
    quote: &'a str,
}

fn listing(
    names: Names<'_>,
    kind: InstrumentKind,
    asset: i64,
    size_decimals: i64,
    places: i64,
) -> Read<Listing> {
    let wrong = Unreadable::Wrong("szDecimals", "is out of range");
    let unit = |places: i64| {
        u8::try_from(places).ok().and_then(|places| Decimal::new(1, places).ok()).ok_or(wrong)
    };
    let tick = unit(places - size_decimals)?;
    let rule = GridRule::SignificantDigits { digits: DIGITS };
    let instrument = Instrument {
        symbol: names.symbol.to_owned(),
        venue: "hyperliquid".to_owned(),
        kind,
        base: names.base.to_owned(),
        quote: names.quote.to_owned(),
        grids: vec![PriceGrid { version: 0, tick, rule }],
        lot: unit(size_decimals)?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::new(10, 0).unwrap_or_default(),
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    let asset = u32::try_from(asset).map_err(|_| wrong)?;
    let size_decimals = u8::try_from(size_decimals).map_err(|_| wrong)?;
    let code = Code::Hyperliquid { asset, size_decimals };
    Ok(Listing { code, ..Listing::new(InstrumentId(0), instrument) })
}
