//! Market data on request.

use mainspring_core::{GridRule, Side};
use serde_json::{json, Value};

use super::error::{Outcome, Refusal};
use super::params::Params;
use super::publish;
use crate::section::{Product, Section};
use crate::tape::{interval_ms, Print};
use crate::venue::Venue;

fn section(venue: &Venue, product: Product) -> &Section {
    &venue.sections[product as usize]
}

/// `GET ping`.
pub fn ping(_: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    Ok(json!({}))
}

/// `GET time`.
pub fn time(venue: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    Ok(json!({"serverTime": venue.now_ms()}))
}

/// `GET exchangeInfo`.
pub fn exchange_info(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let own = section(venue, product);
    let wanted = wanted_symbols(own, params)?;
    let symbols: Vec<Value> = wanted.into_iter().map(|at| symbol_info(own, at)).collect();
    let limits = venue.limits;
    let (weight, orders) = match product {
        Product::Spot => (limits.spot_weight, limits.spot_orders),
        Product::Usdm => (limits.usdm_weight, limits.usdm_orders),
    };
    let mut info = json!({
        "timezone": "UTC", "serverTime": venue.now_ms(), "exchangeFilters": [],
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": orders},
        ],
        "symbols": symbols,
    });
    if product == Product::Usdm {
        info["futuresType"] = "U_MARGINED".into();
        let quote = json!({"asset": "USDT", "marginAvailable": true, "autoAssetExchange": "0"});
        info["assets"] = json!([quote]);
    }
    Ok(info)
}

fn symbol_info(section: &Section, at: usize) -> Value {
    let (instrument, market) = (&section.desk.symbols[at].instrument, section.market(at));
    let tick = instrument.tick();
    debug_assert!(matches!(instrument.grid().rule, GridRule::Fixed));
    let open = market.status() == mainspring_exchange::TradingStatus::Open;
    let (min_qty, max_qty) = (instrument.min_qty.0, instrument.max_qty.0);
    let lot = |filter: &str| {
        json!({
            "filterType": filter, "minQty": instrument.lot.times(min_qty),
            "maxQty": instrument.lot.times(max_qty), "stepSize": instrument.lot.to_string(),
        })
    };
    let price = json!({
        "filterType": "PRICE_FILTER", "minPrice": tick.to_string(),
        "maxPrice": tick.times(100_000_000), "tickSize": tick.to_string(),
    });
    let status = if open { "TRADING" } else { "BREAK" };
    let base = json!({
        "symbol": instrument.symbol, "status": status, "baseAsset": instrument.base,
        "quoteAsset": instrument.quote, "baseAssetPrecision": 8, "quotePrecision": 8,
    });
    let more = match section.desk.product {
        Product::Spot => json!({
            "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"],
            "icebergAllowed": true, "ocoAllowed": false, "otoAllowed": false,
            "quoteOrderQtyMarketAllowed": true, "allowTrailingStop": true,
            "cancelReplaceAllowed": true, "amendAllowed": true, "pegInstructionsAllowed": false,
            "isSpotTradingAllowed": true, "isMarginTradingAllowed": false,
            "permissions": [], "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
            "filters": [
                price, lot("LOT_SIZE"), lot("MARKET_LOT_SIZE"),
                {"filterType": "NOTIONAL", "minNotional": instrument.min_notional.to_string(),
                 "applyMinToMarket": true, "maxNotional": "900000000", "applyMaxToMarket": false,
                 "avgPriceMins": 5},
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_ORDERS},
            ],
        }),
        Product::Usdm => json!({
            "pair": instrument.symbol, "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000_i64, "onboardDate": 1_569_398_400_000_i64,
            "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
            "marginAsset": instrument.quote, "pricePrecision": tick.scale(),
            "quantityPrecision": instrument.lot.scale(), "underlyingType": "COIN",
            "underlyingSubType": [], "triggerProtect": "0.0500", "liquidationFee": "0.000000",
            "marketTakeBound": "0.05",
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
            "filters": [
                price, lot("LOT_SIZE"), lot("MARKET_LOT_SIZE"),
                {"filterType": "MIN_NOTIONAL", "notional": instrument.min_notional.to_string()},
                {"filterType": "MAX_NUM_ORDERS", "limit": MAX_ORDERS},
            ],
        }),
    };
    let mut info = base;
    if let (Some(fields), Value::Object(more)) = (info.as_object_mut(), more) {
        fields.extend(more);
    }
    info
}

/// `GET /dapi/v1/exchangeInfo`: client libraries ask for coin-margined contracts too; there are none.
pub fn no_coin_margined(
    venue: &mut Venue,
    _: Product,
    _: Option<usize>,
    _: &Params,
) -> Outcome<Value> {
    Ok(json!({
        "timezone": "UTC", "serverTime": venue.now_ms(), "exchangeFilters": [],
        "rateLimits": [], "symbols": [],
    }))
}

/// Most open orders of a member in one product.
pub const MAX_ORDERS: usize = 10_000;

/// The symbols a request names; all without any.
fn wanted_symbols(section: &Section, params: &Params) -> Outcome<Vec<usize>> {
    if let Some(name) = params.get("symbol") {
        return Ok(vec![section.symbol(name)?]);
    }
    match params.get("symbols") {
        None => Ok((0..section.desk.symbols.len()).collect()),
        Some(names) => {
            let names: Vec<String> =
                serde_json::from_str(names).map_err(|_| Refusal::illegal("symbols"))?;
            names.iter().map(|name| Ok(section.symbol(name)?)).collect()
        }
    }
}

/// One object for a request of one symbol, a list otherwise.
fn one_or_all(
    section: &Section,
    params: &Params,
    show: impl Fn(usize) -> Option<Value>,
) -> Outcome<Value> {
    let mut shown = wanted_symbols(section, params)?.into_iter().filter_map(show);
    if params.get("symbol").is_some() {
        return Ok(shown.next().unwrap_or(Value::Null));
    }
    Ok(shown.collect())
}

fn limit_of(params: &Params, default: i64, most: i64) -> Outcome<usize> {
    let limit = params.integer("limit")?.unwrap_or(default);
    if limit < 1 {
        return Err(Refusal::new(-1130, "Data sent for parameter 'limit' is not valid."));
    }
    Ok(usize::try_from(limit.min(most)).unwrap_or(1))
}

/// `GET depth`.
pub fn depth(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    let at = own.symbol(params.need("symbol")?)?;
    let limit = limit_of(params, 100, 5_000)?;
    let [bids, asks] = publish::book_sides(own, at, limit);
    let mut book = json!({
        "lastUpdateId": own.desk.symbols[at].update_id, "bids": bids, "asks": asks,
    });
    if product == Product::Usdm {
        book["E"] = now_ms.into();
        book["T"] = now_ms.into();
    }
    Ok(book)
}

/// `GET trades`.
pub fn trades(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let own = section(venue, product);
    let symbol = &own.desk.symbols[own.symbol(params.need("symbol")?)?];
    let show = |print: &Print| {
        json!({
            "id": print.id, "price": symbol.price(print.price), "qty": symbol.qty(print.qty),
            "quoteQty": publish::quote(symbol, i128::from(print.price) * i128::from(print.qty)),
            "time": print.time_ms, "isBuyerMaker": print.buyer_is_maker, "isBestMatch": true,
        })
    };
    Ok(symbol.tape.last(limit_of(params, 500, 1_000)?).map(show).collect())
}

/// `GET aggTrades`: every trade is its own aggregate.
pub fn aggregate_trades(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let own = section(venue, product);
    let symbol = &own.desk.symbols[own.symbol(params.need("symbol")?)?];
    let from = params.integer("fromId")?.unwrap_or(0).max(0) as u64;
    let start = params.integer("startTime")?.unwrap_or(0);
    let end = params.integer("endTime")?.unwrap_or(i64::MAX);
    let show = |print: &Print| {
        json!({
            "a": print.id, "p": symbol.price(print.price), "q": symbol.qty(print.qty),
            "f": print.id, "l": print.id, "T": print.time_ms, "m": print.buyer_is_maker,
            "M": true,
        })
    };
    let wanted = |print: &&Print| print.id >= from && (start..=end).contains(&print.time_ms);
    Ok(symbol.tape.last(limit_of(params, 500, 1_000)?).filter(wanted).map(show).collect())
}

/// `GET klines`.
pub fn klines(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let own = section(venue, product);
    let symbol = &own.desk.symbols[own.symbol(params.need("symbol")?)?];
    let length = interval_ms(params.need("interval")?)
        .ok_or_else(|| Refusal::new(-1120, "Invalid interval."))?;
    let start = params.integer("startTime")?.unwrap_or(0);
    let end = params.integer("endTime")?.unwrap_or(i64::MAX);
    let limit = limit_of(params, 500, 1_500)?;
    let bars = symbol.tape.bars(length, start, end);
    let skipped =
        if params.get("startTime").is_some() { 0 } else { bars.len().saturating_sub(limit) };
    let show = |bar: &crate::tape::Bar| {
        json!([
            bar.open_ms,
            symbol.price(bar.open),
            symbol.price(bar.high),
            symbol.price(bar.low),
            symbol.price(bar.close),
            symbol.qty(bar.volume),
            bar.open_ms + length - 1,
            publish::quote(symbol, bar.quote),
            bar.trades,
            symbol.qty(bar.bought),
            publish::quote(symbol, bar.bought_quote),
            "0",
        ])
    };
    Ok(bars.iter().skip(skipped).take(limit).map(show).collect())
}

/// `GET avgPrice`: of the last five minutes.
pub fn average_price(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    let symbol = &own.desk.symbols[own.symbol(params.need("symbol")?)?];
    let bars = symbol.tape.bars(60_000, now_ms - 300_000, i64::MAX);
    let volume: i64 = bars.iter().map(|bar| bar.volume).sum();
    let quote: i128 = bars.iter().map(|bar| bar.quote).sum();
    let price = quote as f64 / volume.max(1) as f64 * symbol.instrument.tick().to_f64();
    Ok(json!({"mins": 5, "price": format!("{price:.8}"), "closeTime": now_ms}))
}

/// `GET ticker/24hr`.
pub fn day(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    one_or_all(own, params, |at| {
        let symbol = &own.desk.symbols[at];
        let day = symbol.tape.day(now_ms)?;
        let (change, percent) = publish::day_change(&day);
        let [bid, bid_lots, ask, ask_lots] = own.best(at).unwrap_or_default();
        let last_qty = symbol.tape.newest().map_or(0, |print| print.qty);
        Some(json!({
            "symbol": symbol.instrument.symbol, "priceChange": symbol.price(change),
            "priceChangePercent": format!("{percent:.3}"),
            "weightedAvgPrice": publish::day_average(symbol, &day),
            "prevClosePrice": symbol.price(day.open), "lastPrice": symbol.price(day.close),
            "lastQty": symbol.qty(last_qty), "bidPrice": symbol.price(bid),
            "bidQty": symbol.qty(bid_lots), "askPrice": symbol.price(ask),
            "askQty": symbol.qty(ask_lots), "openPrice": symbol.price(day.open),
            "highPrice": symbol.price(day.high), "lowPrice": symbol.price(day.low),
            "volume": symbol.qty(day.volume), "quoteVolume": publish::quote(symbol, day.quote),
            "openTime": now_ms - 86_400_000, "closeTime": now_ms, "firstId": day.first_id,
            "lastId": day.last_id, "count": day.trades,
        }))
    })
}

/// `GET ticker/price`.
pub fn prices(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    one_or_all(own, params, |at| {
        let symbol = &own.desk.symbols[at];
        let last = own.market(at).last_trade()?;
        let mut shown = json!({"symbol": symbol.instrument.symbol, "price": symbol.price(last.0)});
        if product == Product::Usdm {
            shown["time"] = now_ms.into();
        }
        Some(shown)
    })
}

/// `GET ticker/bookTicker`.
pub fn best_prices(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    one_or_all(own, params, |at| {
        let symbol = &own.desk.symbols[at];
        let levels = own.market(at).levels();
        let side = |side: Side| {
            let best = levels.best(side).map_or(0, |price| price.0);
            (symbol.price(best), symbol.qty(levels.best_qty(side).0))
        };
        let ((bid, bid_qty), (ask, ask_qty)) = (side(Side::Buy), side(Side::Sell));
        let mut shown = json!({
            "symbol": symbol.instrument.symbol, "bidPrice": bid, "bidQty": bid_qty,
            "askPrice": ask, "askQty": ask_qty,
        });
        if product == Product::Usdm {
            shown["time"] = now_ms.into();
            shown["lastUpdateId"] = symbol.update_id.into();
        }
        Some(shown)
    })
}

/// `GET premiumIndex`.
pub fn premium_index(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    one_or_all(own, params, |at| Some(publish::premium_index(own, at, now_ms)))
}

/// `GET fundingRate`: the rate is the same at every settlement.
pub fn funding(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    const FUNDING_MS: i64 = 8 * 3_600_000;
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    let wanted = wanted_symbols(own, params)?;
    let show = |at: usize| {
        let index = publish::premium_index(own, at, now_ms);
        json!({
            "symbol": index["symbol"], "fundingRate": index["lastFundingRate"],
            "fundingTime": now_ms - now_ms % FUNDING_MS, "markPrice": index["markPrice"],
            "fundingIntervalHours": 8,
        })
    };
    Ok(wanted.into_iter().map(show).collect())
}

/// `GET openInterest`: the longs of all accounts.
pub fn open_interest(
    venue: &mut Venue,
    product: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let now_ms = venue.now_ms();
    let own = section(venue, product);
    let at = own.symbol(params.need("symbol")?)?;
    let accounts = own.exchange.accounts();
    let lots: i64 = accounts
        .ids()
        .map(|id| accounts.position(id, mainspring_core::InstrumentId(at as u16)).0.max(0))
        .sum();
    let symbol = &own.desk.symbols[at];
    Ok(json!({
        "symbol": symbol.instrument.symbol, "openInterest": symbol.qty(lots), "time": now_ms,
    }))
}
