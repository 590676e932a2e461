//! Market data: what REST and the streams show alike.

use serde_json::{json, Value};

use super::{category_of, product_of, Outcome, Refusal};
use crate::fields::Fields;
use crate::section::{Product, Section};
use crate::tape::{Bar, Print};
use crate::text::{fine_price, money};
use crate::venue::Venue;

const FUNDING_MS: i64 = 8 * 3_600_000;

/// The product of a request and, where it names one, its symbol.
fn asked(venue: &Venue, fields: &Fields) -> Outcome<(Product, Option<usize>)> {
    let product = product_of(&fields.text("category").unwrap_or_default())?;
    let section = &venue.sections[product as usize];
    let symbol = fields.text("symbol").map(|name| section.symbol(&name)).transpose()?;
    Ok((product, symbol))
}

fn named(venue: &Venue, fields: &Fields) -> Outcome<(Product, usize)> {
    let (product, symbol) = asked(venue, fields)?;
    symbol.map(|at| (product, at)).ok_or_else(|| Refusal::wrong("symbol"))
}

/// `market/instruments-info`.
pub fn instruments(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, only) = asked(venue, fields)?;
    let section = &venue.sections[product as usize];
    let every = (0..section.desk.symbols.len()).filter(|at| only.is_none_or(|only| only == *at));
    let list: Vec<Value> = every.map(|at| instrument(section, at)).collect();
    Ok(json!({"category": category_of(product), "list": list, "nextPageCursor": ""}))
}

fn instrument(section: &Section, at: usize) -> Value {
    let one = &section.desk.symbols[at].instrument;
    let (least, most) = (one.lot.times(one.min_qty.0), one.lot.times(one.max_qty.0));
    let tick = one.tick().to_string();
    let leverage = one.margin_tiers.first().map_or(1, |tier| tier.max_leverage);
    match section.desk.product {
        Product::Spot => json!({
            "symbol": one.symbol, "baseCoin": one.base, "quoteCoin": one.quote, "innovation": "0",
            "status": "Trading", "marginTrading": "none",
            "lotSizeFilter": {
                "basePrecision": one.lot.to_string(), "quotePrecision": "0.00000001",
                "minOrderQty": least, "maxOrderQty": most, "maxLimitOrderQty": most,
                "minOrderAmt": one.min_notional.to_string(), "maxOrderAmt": "100000000",
            },
            "priceFilter": {"tickSize": tick},
        }),
        Product::Usdm => json!({
            "symbol": one.symbol, "contractType": "LinearPerpetual", "status": "Trading",
            "baseCoin": one.base, "quoteCoin": one.quote, "settleCoin": one.quote,
            "launchTime": "1600000000000", "deliveryTime": "0", "deliveryFeeRate": "",
            "priceScale": one.tick().scale().to_string(), "unifiedMarginTrade": true,
            "leverageFilter": {
                "minLeverage": "1", "maxLeverage": leverage.to_string(), "leverageStep": "1",
            },
            "priceFilter": {"minPrice": tick, "maxPrice": "9999999", "tickSize": tick},
            "lotSizeFilter": {
                "maxOrderQty": most, "minOrderQty": least, "qtyStep": one.lot.to_string(),
                "maxMktOrderQty": most, "minNotionalValue": one.min_notional.to_string(),
            },
            "fundingInterval": 480, "copyTrading": "none",
        }),
    }
}

/// Levels as pairs.
pub fn levels(section: &Section, at: usize, levels: &[(i64, i64)]) -> Value {
    let symbol = &section.desk.symbols[at];
    let pair = |(price, lots): &(i64, i64)| {
        let qty = if *lots == 0 { "0".to_owned() } else { symbol.qty(*lots) };
        json!([symbol.price(*price), qty])
    };
    levels.iter().map(pair).collect()
}

/// The book down to a depth.
pub fn book(section: &Section, at: usize, depth: usize) -> Value {
    let [bids, asks] = section.sides(at, depth);
    let symbol = &section.desk.symbols[at];
    json!({
        "s": symbol.instrument.symbol, "b": levels(section, at, &bids),
        "a": levels(section, at, &asks), "u": symbol.depth_number, "seq": symbol.update_id,
    })
}

/// `market/orderbook`.
pub fn order_book(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let depth = fields.parsed("limit").unwrap_or(25_usize).clamp(1, 1_000);
    let mut book = book(&venue.sections[product as usize], at, depth);
    book["ts"] = venue.now_ms().into();
    book["cts"] = venue.now_ms().into();
    Ok(book)
}

/// A trade as the stream shows it.
pub fn trade(section: &Section, at: usize, print: &Print) -> Value {
    let symbol = &section.desk.symbols[at];
    json!({
        "T": print.time_ms, "s": symbol.instrument.symbol,
        "S": if print.buyer_is_maker { "Sell" } else { "Buy" }, "v": symbol.qty(print.qty),
        "p": symbol.price(print.price), "L": "ZeroTick", "i": print.id.to_string(), "BT": false,
        "RPI": false, "seq": print.id,
    })
}

/// `market/recent-trade`: the newest first.
pub fn trades(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let symbol = &venue.sections[product as usize].desk.symbols[at];
    let limit = fields.parsed("limit").unwrap_or(60_usize).clamp(1, 1_000);
    let mut list: Vec<Value> = symbol
        .tape
        .last(limit)
        .map(|print| {
            json!({
                "execId": print.id.to_string(), "symbol": symbol.instrument.symbol,
                "price": symbol.price(print.price), "size": symbol.qty(print.qty),
                "side": if print.buyer_is_maker { "Sell" } else { "Buy" },
                "time": print.time_ms.to_string(), "isBlockTrade": false, "seq": print.id.to_string(),
            })
        })
        .collect();
    list.reverse();
    Ok(json!({"category": category_of(product), "list": list}))
}

/// A ticker.
pub fn ticker(section: &Section, at: usize, now_ms: i64) -> Value {
    let symbol = &section.desk.symbols[at];
    let [bid, bid_lots, ask, ask_lots] = section.best(at).unwrap_or_default();
    let day = symbol.tape.day(now_ms);
    let price =
        |of: fn(&Bar) -> i64| day.as_ref().map_or(String::new(), |day| symbol.price(of(day)));
    let change = day.as_ref().map_or(0.0, |d| (d.close - d.open) as f64 / d.open.max(1) as f64);
    let turnover =
        day.as_ref().map_or(0, |day| day.quote) * symbol.instrument.tick_value().unwrap_or(0);
    let mut shown = json!({
        "symbol": symbol.instrument.symbol, "lastPrice": price(|day| day.close),
        "prevPrice24h": price(|day| day.open), "highPrice24h": price(|day| day.high),
        "lowPrice24h": price(|day| day.low), "price24hPcnt": format!("{change:.4}"),
        "turnover24h": money(turnover),
        "volume24h": symbol.qty(day.as_ref().map_or(0, |day| day.volume)),
        "bid1Price": symbol.price(bid), "bid1Size": symbol.qty(bid_lots),
        "ask1Price": symbol.price(ask), "ask1Size": symbol.qty(ask_lots),
    });
    if section.desk.product == Product::Usdm {
        let mark = fine_price(symbol, section.mark(at));
        shown["markPrice"] = mark.clone().into();
        shown["indexPrice"] = mark.into();
        shown["fundingRate"] = "0.0001".into();
        shown["nextFundingTime"] = ((now_ms / FUNDING_MS + 1) * FUNDING_MS).to_string().into();
        shown["openInterest"] = "0".into();
        shown["openInterestValue"] = "0".into();
        shown["tickDirection"] = "ZeroPlusTick".into();
    }
    shown
}

/// `market/tickers`.
pub fn tickers(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, only) = asked(venue, fields)?;
    let section = &venue.sections[product as usize];
    let every = (0..section.desk.symbols.len()).filter(|at| only.is_none_or(|only| only == *at));
    let list: Vec<Value> = every.map(|at| ticker(section, at, venue.now_ms())).collect();
    Ok(json!({"category": category_of(product), "list": list}))
}

/// `market/kline`: the newest first.
pub fn klines(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let symbol = &venue.sections[product as usize].desk.symbols[at];
    let minutes = match fields.text("interval").as_deref() {
        Some("D") => 1_440,
        Some(text) => text.parse().map_err(|_| Refusal::wrong("interval invalid"))?,
        None => return Err(Refusal::wrong("interval")),
    };
    if !(1..=1_440_i64).contains(&minutes) {
        return Err(Refusal::wrong("interval invalid"));
    }
    let from = fields.parsed("start").unwrap_or(0);
    let until = fields.parsed("end").unwrap_or(i64::MAX);
    let limit = fields.parsed("limit").unwrap_or(200_usize).clamp(1, 1_000);
    let bars = symbol.tape.bars(minutes * 60_000, from, until);
    let list: Vec<Value> = bars
        .iter()
        .rev()
        .take(limit)
        .map(|bar| {
            let value = bar.quote * symbol.instrument.tick_value().unwrap_or(0);
            json!([
                bar.open_ms.to_string(),
                symbol.price(bar.open),
                symbol.price(bar.high),
                symbol.price(bar.low),
                symbol.price(bar.close),
                symbol.qty(bar.volume),
                money(value),
            ])
        })
        .collect();
    let name = &symbol.instrument.symbol;
    Ok(json!({"category": category_of(product), "symbol": name, "list": list}))
}

/// `market/risk-limit`.
pub fn risk_limits(venue: &Venue, fields: &Fields) -> Outcome<Value> {
    let (product, only) = asked(venue, fields)?;
    let section = &venue.sections[product as usize];
    let every = (0..section.desk.symbols.len()).filter(|at| only.is_none_or(|only| only == *at));
    let list: Vec<Value> = every
        .flat_map(|at| {
            let one = &section.desk.symbols[at].instrument;
            one.margin_tiers.iter().enumerate().map(|(number, tier)| {
                let cap = tier.notional_cap.map_or("1000000000".to_owned(), |cap| cap.to_string());
                json!({
                    "id": number + 1, "symbol": one.symbol, "riskLimitValue": cap,
                    "maintenanceMargin": tier.maintenance_rate.to_string(),
                    "initialMargin": format!("{:.6}", 1.0 / f64::from(tier.max_leverage.max(1))),
                    "isLowestRisk": u8::from(number == 0), "mmDeduction": "",
                    "maxLeverage": tier.max_leverage.to_string(),
                })
            })
        })
        .collect();
    Ok(json!({"category": category_of(product), "list": list}))
}
