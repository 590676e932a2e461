//! Market data: what REST and the streams show alike.

use serde_json::{json, Value};

use super::show::{kind_name, size};
use super::{code_of, step, symbol_of, Outcome, Refusal};
use crate::fields::Fields;
use crate::section::{Product, Section};
use crate::tape::{interval_ms, Print};
use crate::text::{fine_price, money};
use crate::venue::Venue;

const FUNDING_MS: i64 = 8 * 3_600_000;

/// The product of an `instType`.
pub fn product_of(name: &str) -> Option<Product> {
    match name {
        "SPOT" => Some(Product::Spot),
        "SWAP" => Some(Product::Usdm),
        _ => None,
    }
}

/// `public/instruments`.
pub fn instruments(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let kind = fields.text("instType").ok_or_else(|| Refusal::missing("instType"))?;
    let Some(product) = product_of(&kind) else { return Ok(json!([])) };
    let section = &venue.sections[product as usize];
    let wanted = fields.text("instId");
    let every = (0..section.desk.symbols.len()).filter(|at| {
        wanted.as_ref().is_none_or(|name| *name == section.desk.symbols[*at].instrument.symbol)
    });
    Ok(every.map(|at| instrument(section, at)).collect())
}

fn instrument(section: &Section, at: usize) -> Value {
    let (product, one) = (section.desk.product, &section.desk.symbols[at].instrument);
    let swap = product == Product::Usdm;
    let step = step(section, at);
    let only = |yes: bool, text: String| if yes { text } else { String::new() };
    let leverage = one.margin_tiers.first().map_or(1, |tier| tier.max_leverage);
    let is_open = section.market(at).status() == mainspring_exchange::TradingStatus::Open;
    let state = if is_open { "live" } else { "suspend" };
    json!({
        "instType": kind_name(product), "instId": one.symbol, "instIdCode": code_of(product, at),
        "uly": only(swap, format!("{}-{}", one.base, one.quote)),
        "instFamily": only(swap, format!("{}-{}", one.base, one.quote)), "category": "1",
        "baseCcy": only(!swap, one.base.clone()), "quoteCcy": only(!swap, one.quote.clone()),
        "settleCcy": only(swap, one.quote.clone()), "ctVal": only(swap, one.lot.times(10)),
        "ctMult": only(swap, "1".to_owned()), "ctValCcy": only(swap, one.base.clone()),
        "ctType": only(swap, "linear".to_owned()), "optType": "", "stk": "", "expTime": "",
        "listTime": "1600000000000", "lever": only(swap, leverage.to_string()),
        "tickSz": one.tick().to_string(), "lotSz": step.to_string(),
        "minSz": step.times(one.min_qty.0), "maxLmtSz": step.times(one.max_qty.0),
        "maxMktSz": step.times(one.max_qty.0), "state": state, "ruleType": "normal", "alias": "",
    })
}

fn named(venue: &Venue, fields: &Fields) -> Outcome<(Product, usize)> {
    symbol_of(venue, &fields.text("instId").ok_or_else(|| Refusal::missing("instId"))?)
}

/// Levels as the venue shows them: price, size, zero, number of orders.
pub fn levels(section: &Section, at: usize, levels: &[(i64, i64)]) -> Value {
    let symbol = &section.desk.symbols[at];
    let shown = levels.iter().map(|(price, lots)| {
        json!([
            symbol.price(*price),
            size(section, at, *lots),
            "0",
            if *lots == 0 { "0" } else { "1" }
        ])
    });
    shown.collect()
}

/// A whole book down to a depth.
pub fn book(section: &Section, at: usize, depth: usize, now_ms: i64) -> Value {
    let [bids, asks] = section.sides(at, depth);
    json!({
        "asks": levels(section, at, &asks), "bids": levels(section, at, &bids),
        "ts": now_ms.to_string(), "checksum": 0, "prevSeqId": -1,
        "seqId": section.desk.symbols[at].update_id,
    })
}

/// `market/books`.
pub fn books(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let depth = fields.parsed("sz").unwrap_or(1_usize).clamp(1, 400);
    let mut book = book(&venue.sections[product as usize], at, depth, venue.now_ms());
    if let Some(book) = book.as_object_mut() {
        book.remove("prevSeqId");
        book.remove("checksum");
    }
    Ok(json!([book]))
}

/// A public trade.
pub fn trade(section: &Section, at: usize, print: &Print) -> Value {
    let symbol = &section.desk.symbols[at];
    json!({
        "instId": symbol.instrument.symbol, "tradeId": print.id.to_string(),
        "px": symbol.price(print.price), "sz": size(section, at, print.qty), "count": "1",
        "side": if print.buyer_is_maker { "sell" } else { "buy" }, "source": "0",
        "ts": print.time_ms.to_string(), "seqId": print.id,
    })
}

/// `market/trades`: the newest first.
pub fn trades(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let section = &venue.sections[product as usize];
    let limit = fields.parsed("limit").unwrap_or(100_usize).clamp(1, 500);
    let mut prints: Vec<&Print> = section.desk.symbols[at].tape.last(limit).collect();
    prints.reverse();
    Ok(prints.into_iter().map(|print| trade(section, at, print)).collect())
}

/// A ticker.
pub fn ticker(section: &Section, at: usize, now_ms: i64) -> Value {
    let symbol = &section.desk.symbols[at];
    let [bid, bid_lots, ask, ask_lots] = section.best(at).unwrap_or_default();
    let day = symbol.tape.day(now_ms);
    let price = |of: fn(&crate::tape::Bar) -> i64| {
        day.as_ref().map_or(String::new(), |day| symbol.price(of(day)))
    };
    let last_qty = symbol.tape.newest().map_or(0, |print| print.qty);
    let volume = day.as_ref().map_or(0, |day| day.volume);
    json!({
        "instType": kind_name(section.desk.product), "instId": symbol.instrument.symbol,
        "last": price(|day| day.close), "lastSz": size(section, at, last_qty),
        "askPx": symbol.price(ask), "askSz": size(section, at, ask_lots),
        "bidPx": symbol.price(bid), "bidSz": size(section, at, bid_lots),
        "open24h": price(|day| day.open), "high24h": price(|day| day.high),
        "low24h": price(|day| day.low), "sodUtc0": price(|day| day.open),
        "sodUtc8": price(|day| day.open), "vol24h": size(section, at, volume),
        "volCcy24h": symbol.qty(volume), "ts": now_ms.to_string(),
    })
}

/// `market/ticker` and `market/tickers`.
pub fn tickers(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    if fields.text("instId").is_some() {
        let (product, at) = named(venue, fields)?;
        return Ok(json!([ticker(&venue.sections[product as usize], at, venue.now_ms())]));
    }
    let kind = fields.text("instType").ok_or_else(|| Refusal::missing("instType"))?;
    let Some(product) = product_of(&kind) else { return Ok(json!([])) };
    let section = &venue.sections[product as usize];
    let every = 0..section.desk.symbols.len();
    Ok(every.map(|at| ticker(section, at, venue.now_ms())).collect())
}

/// `market/candles`: the newest first.
pub fn candles(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let section = &venue.sections[product as usize];
    let symbol = &section.desk.symbols[at];
    let name = fields.text("bar").unwrap_or_else(|| "1m".to_owned());
    let length = interval_ms(&name.to_lowercase()).ok_or_else(|| Refusal::wrong("bar"))?;
    let from = fields.parsed("before").map_or(0, |ms: i64| ms + 1);
    let until = fields.parsed("after").map_or(i64::MAX, |ms: i64| ms - 1);
    let limit = fields.parsed("limit").unwrap_or(100_usize).clamp(1, 300);
    let bars = symbol.tape.bars(length, from, until);
    let shown = bars.iter().rev().take(limit).map(|bar| {
        let value = bar.quote * symbol.instrument.tick_value().unwrap_or(0);
        let done = venue.now_ms() >= bar.open_ms + length;
        json!([
            bar.open_ms.to_string(),
            symbol.price(bar.open),
            symbol.price(bar.high),
            symbol.price(bar.low),
            symbol.price(bar.close),
            size(section, at, bar.volume),
            symbol.qty(bar.volume),
            money(value),
            if done { "1" } else { "0" },
        ])
    });
    Ok(shown.collect())
}

/// A mark price.
pub fn mark(section: &Section, at: usize, now_ms: i64) -> Value {
    let symbol = &section.desk.symbols[at];
    json!({
        "instType": kind_name(section.desk.product), "instId": symbol.instrument.symbol,
        "markPx": fine_price(symbol, section.mark(at)), "ts": now_ms.to_string(),
    })
}

/// The funding rate of a perpetual.
pub fn funding(section: &Section, at: usize, now_ms: i64) -> Value {
    let next = (now_ms / FUNDING_MS + 1) * FUNDING_MS;
    json!({
        "instType": "SWAP", "instId": section.desk.symbols[at].instrument.symbol,
        "method": "current_period", "fundingRate": "0.0001", "nextFundingRate": "",
        "fundingTime": next.to_string(), "nextFundingTime": (next + FUNDING_MS).to_string(),
        "minFundingRate": "-0.0075", "maxFundingRate": "0.0075", "settState": "settled",
        "settFundingRate": "0.0001", "ts": now_ms.to_string(),
    })
}

/// `public/mark-price` and `public/funding-rate`.
pub fn of_perpetual(
    venue: &Venue,
    fields: &Fields,
    show: fn(&Section, usize, i64) -> Value,
) -> Outcome<Value> {
    let section = &venue.sections[Product::Usdm as usize];
    match fields.text("instId") {
        Some(name) => Ok(json!([show(section, section.symbol(&name)?, venue.now_ms())])),
        None => {
            let every = 0..section.desk.symbols.len();
            Ok(every.map(|at| show(section, at, venue.now_ms())).collect())
        }
    }
}

/// `public/position-tiers`.
pub fn tiers(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let section = &venue.sections[Product::Usdm as usize];
    let family = fields.text("instFamily").or(fields.text("uly"));
    let family = family.ok_or_else(|| Refusal::missing("instFamily"))?;
    let at = section.symbol(&format!("{family}-SWAP"))?;
    let one = &section.desk.symbols[at].instrument;
    let price = (section.mark(at) * one.tick().to_f64()).max(1e-9);
    let contract = one.lot.to_f64() * 10.0;
    let mut low = 0.0;
    let tiers = one.margin_tiers.iter().enumerate().map(|(number, tier)| {
        let cap = tier.notional_cap.map_or(1e9, |cap| cap.to_f64()) / price / contract;
        let shown = json!({
            "tier": (number + 1).to_string(), "instFamily": family, "uly": family, "instId": "",
            "minSz": format!("{low:.1}"), "maxSz": format!("{cap:.1}"),
            "mmr": tier.maintenance_rate.to_string(), "maxLever": tier.max_leverage.to_string(),
            "imr": format!("{:.6}", 1.0 / f64::from(tier.max_leverage.max(1))),
        });
        low = cap;
        shown
    });
    Ok(tiers.collect())
}
