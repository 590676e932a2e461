//! What listeners are told: trades, best prices, depth, bars and tickers, and members' own events.

use serde_json::{json, Value};

use super::render;
use crate::hub::Hub;
use crate::section::{Product, Section, Symbol};
use crate::tape::{interval_ms, Bar, Print};
use crate::venue::Venue;

/// Tells members and the market what has happened since the last time.
pub fn tell(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for at in 0..venue.sections.len() {
        tell_members(&mut venue.sections[at], &mut venue.hub, now_ms);
        for symbol in 0..venue.sections[at].desk.symbols.len() {
            tell_trades(venue, at, symbol, now_ms);
            tell_best(venue, at, symbol, now_ms);
        }
    }
}

fn tell_trades(venue: &mut Venue, section: usize, symbol: usize, now_ms: i64) {
    let product = venue.sections[section].desk.product;
    let prints = std::mem::take(&mut venue.sections[section].desk.symbols[symbol].prints);
    if prints.is_empty() {
        return;
    }
    let (trade, aggregate) = {
        let lower = lower(&venue.sections[section].desk.symbols[symbol]);
        (format!("{lower}@trade"), format!("{lower}@aggTrade"))
    };
    let [hears_trade, hears_aggregate] =
        [&trade, &aggregate].map(|stream| venue.hub.is_heard(product, stream));
    for print in prints {
        let known = &venue.sections[section].desk.symbols[symbol];
        let (one, many) =
            (trade_event(product, known, &print, now_ms), aggregate_event(known, &print, now_ms));
        if hears_trade {
            venue.publish(product, &trade, &one.to_string());
        }
        if hears_aggregate {
            venue.publish(product, &aggregate, &many.to_string());
        }
    }
}

fn tell_best(venue: &mut Venue, section: usize, at: usize, now_ms: i64) {
    let own = &mut venue.sections[section];
    let product = own.desk.product;
    if own.take_best(at).is_none() {
        return;
    }
    let symbol = &own.desk.symbols[at];
    let stream = format!("{}@bookTicker", lower(symbol));
    let event = best_event(product, symbol, now_ms);
    if venue.hub.is_heard(product, &stream) {
        venue.publish(product, &stream, &event.to_string());
    }
    if venue.hub.is_heard(product, "!bookTicker") {
        venue.publish(product, "!bookTicker", &event.to_string());
    }
}

/// The depth streams: changes of the last 100 ms, and partial books.
pub fn tell_depth(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for section in 0..venue.sections.len() {
        for symbol in 0..venue.sections[section].desk.symbols.len() {
            tell_symbol_depth(venue, section, symbol, now_ms);
        }
    }
}

fn tell_symbol_depth(venue: &mut Venue, section: usize, at: usize, now_ms: i64) {
    let own = &mut venue.sections[section];
    let product = own.desk.product;
    if own.desk.symbols[at].touched.is_empty() {
        return;
    }
    let event = depth_event(own, at, now_ms);
    let name = lower(&own.desk.symbols[at]);
    let symbol = &mut own.desk.symbols[at];
    symbol.touched.clear();
    symbol.told_id = symbol.update_id;
    for suffix in ["", "@100ms", "@250ms", "@500ms", "@0ms"] {
        let stream = format!("{name}@depth{suffix}");
        if venue.hub.is_heard(product, &stream) {
            venue.publish(product, &stream, &event.to_string());
        }
    }
    for levels in [5, 10, 20] {
        for suffix in ["", "@100ms", "@250ms", "@500ms"] {
            let stream = format!("{name}@depth{levels}{suffix}");
            if venue.hub.is_heard(product, &stream) {
                let event = partial_event(&venue.sections[section], at, levels, now_ms);
                venue.publish(product, &stream, &event.to_string());
            }
        }
    }
}

/// Bars, tickers and mark prices: once a second.
pub fn tell_tickers(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for section in 0..venue.sections.len() {
        let product = venue.sections[section].desk.product;
        let slow = |name: &str| {
            ["@kline_", "iniTicker", "@ticker", "!ticker", "arkPrice"]
                .iter()
                .any(|part| name.contains(part))
        };
        for stream in venue.hub.heard(product, slow) {
            if let Some(event) = slow_event(&venue.sections[section], &stream, now_ms) {
                venue.publish(product, &stream, &event.to_string());
            }
        }
    }
}

fn tell_members(section: &mut Section, hub: &mut Hub, now_ms: i64) {
    let product = section.desk.product;
    for event in section.desk.take_events() {
        let account = event.order.account;
        if hub.hears_user(product, account) {
            for told in render::user_events(section, &event, now_ms) {
                hub.tell(product, account, &told.to_string());
            }
        }
    }
    for (account, instrument, received) in std::mem::take(&mut section.desk.funded) {
        if hub.hears_user(product, account) {
            let (at, why) = (instrument.index(), "FUNDING_FEE");
            let told = render::account_update(section, account, at, why, received.0, now_ms);
            hub.tell(product, account, &told.to_string());
        }
    }
}

fn lower(symbol: &Symbol) -> String {
    symbol.instrument.symbol.to_lowercase()
}

fn trade_event(product: Product, symbol: &Symbol, print: &Print, now_ms: i64) -> Value {
    let mut event = json!({
        "e": "trade", "E": now_ms, "s": symbol.instrument.symbol, "t": print.id,
        "p": symbol.price(print.price), "q": symbol.qty(print.qty), "T": print.time_ms,
        "m": print.buyer_is_maker,
    });
    match product {
        Product::Spot => event["M"] = true.into(),
        Product::Usdm => event["X"] = "MARKET".into(),
    }
    event
}

fn aggregate_event(symbol: &Symbol, print: &Print, now_ms: i64) -> Value {
    json!({
        "e": "aggTrade", "E": now_ms, "s": symbol.instrument.symbol, "a": print.id,
        "p": symbol.price(print.price), "q": symbol.qty(print.qty), "f": print.id, "l": print.id,
        "T": print.time_ms, "m": print.buyer_is_maker,
    })
}

fn best_event(product: Product, symbol: &Symbol, now_ms: i64) -> Value {
    let [bid, bid_lots, ask, ask_lots] = symbol.told_best.unwrap_or_default();
    let mut event = json!({
        "u": symbol.update_id, "s": symbol.instrument.symbol, "b": symbol.price(bid),
        "B": symbol.qty(bid_lots), "a": symbol.price(ask), "A": symbol.qty(ask_lots),
    });
    if product == Product::Usdm {
        event["e"] = "bookTicker".into();
        event["E"] = now_ms.into();
        event["T"] = now_ms.into();
    }
    event
}

fn depth_event(section: &Section, at: usize, now_ms: i64) -> Value {
    use mainspring_core::{Side, Ticks};
    let (symbol, market) = (&section.desk.symbols[at], section.market(at));
    let side = |is_ask: bool| {
        let side = if is_ask { Side::Sell } else { Side::Buy };
        let touched = symbol.touched.iter().filter(move |(ask, _)| *ask == is_ask);
        let levels =
            touched.map(|(_, price)| (Ticks(*price), market.levels().qty(side, Ticks(*price)).0));
        render::levels(symbol, levels)
    };
    let mut event = json!({
        "e": "depthUpdate", "E": now_ms, "s": symbol.instrument.symbol,
        "U": symbol.told_id + 1, "u": symbol.update_id, "b": side(false), "a": side(true),
    });
    if section.desk.product == Product::Usdm {
        event["T"] = now_ms.into();
        event["pu"] = symbol.told_id.into();
    }
    event
}

/// The best levels of both sides as text.
#[must_use]
pub fn book_sides(section: &Section, at: usize, count: usize) -> [Vec<[String; 2]>; 2] {
    use mainspring_core::Side;
    let (symbol, market) = (&section.desk.symbols[at], section.market(at));
    [Side::Buy, Side::Sell].map(|side| {
        let best = market.levels().levels(side).take(count);
        render::levels(symbol, best.map(|(price, qty)| (price, qty.0)))
    })
}

fn partial_event(section: &Section, at: usize, count: usize, now_ms: i64) -> Value {
    let [bids, asks] = book_sides(section, at, count);
    let symbol = &section.desk.symbols[at];
    match section.desk.product {
        Product::Spot => json!({"lastUpdateId": symbol.update_id, "bids": bids, "asks": asks}),
        Product::Usdm => json!({
            "e": "depthUpdate", "E": now_ms, "T": now_ms, "s": symbol.instrument.symbol,
            "U": symbol.told_id, "u": symbol.update_id, "pu": symbol.told_id, "b": bids,
            "a": asks,
        }),
    }
}

fn slow_event(section: &Section, stream: &str, now_ms: i64) -> Option<Value> {
    if let Some(all) = stream.strip_prefix('!') {
        let count = section.desk.symbols.len();
        let kind = all.split('@').next()?;
        let events = (0..count).filter_map(|at| symbol_event(section, at, kind, now_ms));
        return Some(events.collect());
    }
    let (name, kind) = stream.split_once('@')?;
    let at = section.symbol(&name.to_uppercase()).ok()?;
    symbol_event(section, at, kind, now_ms)
}

fn symbol_event(section: &Section, at: usize, kind: &str, now_ms: i64) -> Option<Value> {
    let symbol = &section.desk.symbols[at];
    if let Some(interval) = kind.strip_prefix("kline_") {
        return bar_event(symbol, interval, now_ms);
    }
    match kind.split('@').next()? {
        "ticker" => Some(ticker_event(section, at, now_ms, false)?),
        "miniTicker" => Some(ticker_event(section, at, now_ms, true)?),
        "markPrice" => Some(mark_event(section, at, now_ms)),
        _ => None,
    }
}

fn bar_event(symbol: &Symbol, interval: &str, now_ms: i64) -> Option<Value> {
    let length = interval_ms(interval)?;
    let bar = symbol.tape.bars(length, 0, i64::MAX).pop()?;
    let name = &symbol.instrument.symbol;
    Some(json!({"e": "kline", "E": now_ms, "s": name, "k": {
        "t": bar.open_ms, "T": bar.open_ms + length - 1, "s": name, "i": interval,
        "f": bar.first_id, "L": bar.last_id, "o": symbol.price(bar.open),
        "c": symbol.price(bar.close), "h": symbol.price(bar.high), "l": symbol.price(bar.low),
        "v": symbol.qty(bar.volume), "n": bar.trades, "x": now_ms >= bar.open_ms + length,
        "q": quote(symbol, bar.quote), "V": symbol.qty(bar.bought),
        "Q": quote(symbol, bar.bought_quote), "B": "0",
    }}))
}

/// Ticks x lots as money.
#[must_use]
pub fn quote(symbol: &Symbol, ticks_lots: i128) -> String {
    render::money(ticks_lots * symbol.instrument.tick_value().unwrap_or(0))
}

/// Price change over the day, in ticks and per cent.
#[must_use]
pub fn day_change(day: &Bar) -> (i64, f64) {
    let change = day.close - day.open;
    (change, change as f64 * 100.0 / day.open.max(1) as f64)
}

/// Average price by volume, in the quote currency.
#[must_use]
pub fn day_average(symbol: &Symbol, day: &Bar) -> String {
    let average = day.quote as f64 / day.volume.max(1) as f64;
    format!("{:.8}", average * symbol.instrument.tick().to_f64())
}

fn ticker_event(section: &Section, at: usize, now_ms: i64, is_mini: bool) -> Option<Value> {
    let symbol = &section.desk.symbols[at];
    let day = symbol.tape.day(now_ms)?;
    let mut event = json!({
        "e": if is_mini { "24hrMiniTicker" } else { "24hrTicker" }, "E": now_ms,
        "s": symbol.instrument.symbol, "c": symbol.price(day.close), "o": symbol.price(day.open),
        "h": symbol.price(day.high), "l": symbol.price(day.low), "v": symbol.qty(day.volume),
        "q": quote(symbol, day.quote),
    });
    if is_mini {
        return Some(event);
    }
    let (change, percent) = day_change(&day);
    let [bid, bid_lots, ask, ask_lots] = section.best(at).unwrap_or_default();
    let last_qty = symbol.tape.newest().map_or(0, |print| print.qty);
    let more = json!({
        "p": symbol.price(change), "P": format!("{percent:.3}"), "w": day_average(symbol, &day),
        "x": symbol.price(day.open), "Q": symbol.qty(last_qty), "b": symbol.price(bid),
        "B": symbol.qty(bid_lots), "a": symbol.price(ask), "A": symbol.qty(ask_lots),
        "O": now_ms - 86_400_000, "C": now_ms, "F": day.first_id, "L": day.last_id,
        "n": day.trades,
    });
    if let (Some(fields), Value::Object(more)) = (event.as_object_mut(), more) {
        fields.extend(more);
    }
    Some(event)
}

fn mark_event(section: &Section, at: usize, now_ms: i64) -> Value {
    let premium = premium_index(section, at, now_ms);
    json!({
        "e": "markPriceUpdate", "E": now_ms, "s": premium["symbol"], "p": premium["markPrice"],
        "ap": premium["markPrice"], "i": premium["indexPrice"],
        "P": premium["estimatedSettlePrice"], "r": premium["lastFundingRate"],
        "T": premium["nextFundingTime"],
    })
}

/// Mark price and funding of a perpetual.
#[must_use]
pub fn premium_index(section: &Section, at: usize, now_ms: i64) -> Value {
    const FUNDING_MS: i64 = 8 * 3_600_000;
    let (symbol, market) = (&section.desk.symbols[at], section.market(at));
    let last = market.last_trade().map(|last| last.0 as f64);
    let mark = market.mark().map(|mark| mark.0 as f64 * 1e-9).or(last).unwrap_or(0.0);
    let mark = format!("{:.8}", mark * symbol.instrument.tick().to_f64());
    json!({
        "symbol": symbol.instrument.symbol, "markPrice": mark, "indexPrice": mark,
        "estimatedSettlePrice": mark, "lastFundingRate": "0.00010000",
        "interestRate": "0.00010000",
        "nextFundingTime": (now_ms / FUNDING_MS + 1) * FUNDING_MS, "time": now_ms,
    })
}
