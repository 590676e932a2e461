//! Orders, fills, markets, books and accounts as the indexer shows them.

use mainspring_core::order::{CancelReason, OrderFlags, Side};
use mainspring_core::InstrumentId;
use mainspring_venues::civil::push_iso_ms;
use serde_json::{json, Map, Value};

use super::chain::{end_of, height_at, units, CONVERSION};
use super::perpetuals;
use crate::records::{FillRecord, OrderRecord, Status};
use crate::section::{Product, Section};
use crate::tape::Print;
use crate::text::{fine_price, money};
use crate::venue::Venue;

/// A time as the indexer writes it.
pub fn iso(ms: i64) -> String {
    let mut text = String::with_capacity(24);
    push_iso_ms(&mut text, ms);
    text
}

/// The indexer's id of an order: what follows from the matching engine's.
pub fn order_id(id: u64) -> String {
    format!("{:08x}-0000-5000-8000-{:012x}", id >> 48, id & 0xffff_ffff_ffff)
}

/// The matching engine's id of the indexer's.
pub fn read_order_id(text: &str) -> Option<i64> {
    let (high, low) = (text.get(..8)?, text.strip_prefix(text.get(..24)?)?);
    let (high, low) = (u64::from_str_radix(high, 16).ok()?, u64::from_str_radix(low, 16).ok()?);
    let id = high << 48 | low;
    (order_id(id) == text).then(|| i64::try_from(id).ok())?
}

const fn side_name(buys: bool) -> &'static str {
    if buys {
        "BUY"
    } else {
        "SELL"
    }
}

fn removal(order: &OrderRecord) -> Option<&'static str> {
    let is_over = i128::from(order.update_ms) * 1_000_000 >= i128::from(end_of(order));
    Some(match order.ended? {
        CancelReason::Requested if is_over => "ORDER_REMOVAL_REASON_EXPIRED",
        CancelReason::Requested | CancelReason::Oco => "ORDER_REMOVAL_REASON_USER_CANCELED",
        CancelReason::IocRemainder | CancelReason::NoLiquidity => {
            "ORDER_REMOVAL_REASON_IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
        }
        CancelReason::SelfTrade => "ORDER_REMOVAL_REASON_SELF_TRADE_ERROR",
        CancelReason::Expired => "ORDER_REMOVAL_REASON_EXPIRED",
        CancelReason::ReduceOnly => "ORDER_REMOVAL_REASON_REDUCE_ONLY_RESIZE",
        CancelReason::Liquidation => "ORDER_REMOVAL_REASON_UNDERCOLLATERALIZED",
    })
}

/// Where an order stands. Short-term orders leave for good when their last block is over.
pub fn status_name(order: &OrderRecord, now_ns: i64) -> &'static str {
    let is_short = order.chain.flags == 0;
    match order.status {
        Status::New | Status::PartiallyFilled if order.is_armed => "UNTRIGGERED",
        Status::New if is_short => "BEST_EFFORT_OPENED",
        Status::New | Status::PartiallyFilled => "OPEN",
        Status::Filled => "FILLED",
        _ if is_short && now_ns < end_of(order) => "BEST_EFFORT_CANCELED",
        _ => "CANCELED",
    }
}

/// An order.
pub fn order(section: &Section, order: &OrderRecord, now_ns: i64) -> Value {
    let symbol = &section.desk.symbols[order.symbol];
    let (flags, chain) = (order.terms.flags, order.chain);
    let filled = symbol.qty(order.filled.0);
    let status = status_name(order, now_ns);
    let is_limit = order.terms.price.0 > 0;
    let price = if is_limit { order.terms.price } else { order.terms.trigger };
    let mut shown = json!({
        "id": order_id(order.id.0), "subaccountId": order.account.0.to_string(),
        "clientId": if order.is_liquidation() { "0" } else { &order.client_id }, "clobPairId": order.symbol.to_string(),
        "side": side_name(order.terms.side == Side::Buy), "size": symbol.qty(order.terms.qty.0),
        "totalFilled": filled, "totalOptimisticFilled": filled, "price": symbol.price(price.0),
        "type": order.type_name, "status": status, "timeInForce": order.time_in_force,
        "reduceOnly": flags.has(OrderFlags::REDUCE_ONLY),
        "postOnly": flags.has(OrderFlags::POST_ONLY), "orderFlags": chain.flags.to_string(),
        "clientMetadata": chain.metadata.to_string(), "createdAtHeight": chain.height.to_string(),
        "updatedAt": iso(order.update_ms), "ticker": symbol.instrument.symbol,
        "updatedAtHeight": height_at(order.update_ms * 1_000_000).to_string(),
        "subaccountNumber": 0, "orderRouterAddress": "",
    });
    if chain.flags == 0 {
        shown["goodTilBlock"] = chain.good_till.to_string().into();
    } else {
        shown["goodTilBlockTime"] = iso(i64::from(chain.good_till) * 1_000).into();
    }
    if order.terms.trigger.0 > 0 {
        shown["triggerPrice"] = symbol.price(order.terms.trigger.0).into();
    }
    if let Some(reason) = removal(order).filter(|_| !order.status.is_open()) {
        shown["removalReason"] = reason.into();
    }
    shown
}

/// One side of a trade.
pub fn fill(section: &Section, fill: &FillRecord) -> Value {
    let symbol = &section.desk.symbols[fill.symbol];
    let known = section.desk.records.get(fill.order);
    let liquidates = known.is_some_and(OrderRecord::is_liquidation);
    let kind = if liquidates { "LIQUIDATED" } else { "LIMIT" };
    json!({
        "id": format!("{:08x}-{:04x}-5000-9000-{:012x}", fill.symbol, u8::from(fill.buys), fill.trade),
        "side": side_name(fill.buys), "type": kind, "market": symbol.instrument.symbol,
        "liquidity": if fill.maker { "MAKER" } else { "TAKER" }, "marketType": "PERPETUAL",
        "ticker": symbol.instrument.symbol, "price": symbol.price(fill.price),
        "size": symbol.qty(fill.qty.0), "fee": money(fill.fee), "affiliateRevShare": "0",
        "createdAt": iso(fill.time_ms), "clobPairId": fill.symbol.to_string(),
        "createdAtHeight": height_at(fill.time_ms * 1_000_000).to_string(),
        "orderId": order_id(fill.order.0), "quoteAmount": money(fill.quote),
        "clientMetadata": known.map_or(0, |order| order.chain.metadata).to_string(),
        "subaccountNumber": 0,
    })
}

/// A public trade.
pub fn trade(section: &Section, at: usize, print: &Print) -> Value {
    let symbol = &section.desk.symbols[at];
    json!({
        "id": format!("{:024x}", print.id), "side": side_name(!print.buyer_is_maker),
        "size": symbol.qty(print.qty), "price": symbol.price(print.price), "type": "LIMIT",
        "createdAt": iso(print.time_ms),
        "createdAtHeight": height_at(print.time_ms * 1_000_000).to_string(),
    })
}

/// The newest trades, newest first.
pub fn trades(section: &Section, at: usize, count: usize) -> Value {
    let tape = &section.desk.symbols[at].tape;
    let mut trades: Vec<Value> = tape.last(count).map(|one| trade(section, at, one)).collect();
    trades.reverse();
    trades.into()
}

/// A whole book: levels as objects.
pub fn book(section: &Section, at: usize, depth: usize) -> Value {
    let symbol = &section.desk.symbols[at];
    let [bids, asks] = section.sides(at, depth).map(|side| -> Value {
        side.iter()
            .map(|(price, lots)| json!({"price": symbol.price(*price), "size": symbol.qty(*lots)}))
            .collect()
    });
    json!({"bids": bids, "asks": asks})
}

/// Changes of a side: levels as pairs.
pub fn levels(section: &Section, at: usize, levels: &[(i64, i64)]) -> Value {
    let symbol = &section.desk.symbols[at];
    levels.iter().map(|(price, lots)| json!([symbol.price(*price), symbol.qty(*lots)])).collect()
}

/// A market and its rules.
pub fn market(section: &Section, at: usize, now_ms: i64) -> Value {
    let symbol = &section.desk.symbols[at];
    let instrument = &symbol.instrument;
    let units = units(instrument);
    let day = symbol.tape.day(now_ms);
    let last = symbol.tape.newest().map_or(0, |print| print.price);
    let tick_value = instrument.tick_value().unwrap_or(0);
    let tier = instrument.margin_tiers.first();
    let is_open = section.market(at).status() == mainspring_exchange::TradingStatus::Open;
    json!({
        "clobPairId": at.to_string(), "ticker": instrument.symbol,
        "status": if is_open { "ACTIVE" } else { "PAUSED" },
        "oraclePrice": fine_price(symbol, section.mark(at)),
        "priceChange24H": symbol.price(day.as_ref().map_or(0, |day| last - day.open)),
        "volume24H": money(day.as_ref().map_or(0, |day| day.quote) * tick_value),
        "trades24H": day.as_ref().map_or(0, |day| day.trades), "nextFundingRate": "0.0000125",
        "initialMarginFraction": tier.map_or("1".to_owned(), |t| {
            format!("{}", 1.0 / f64::from(t.max_leverage.max(1)))
        }),
        "maintenanceMarginFraction": tier.map_or("1".to_owned(), |t| t.maintenance_rate.to_string()),
        "openInterest": "0", "atomicResolution": units.atomic_resolution,
        "quantumConversionExponent": CONVERSION, "tickSize": instrument.tick().to_string(),
        "stepSize": instrument.lot.to_string(), "stepBaseQuantums": units.step_quantums,
        "subticksPerTick": units.subticks, "marketType": "CROSS", "baseOpenInterest": "0",
        "openInterestLowerCap": "0", "openInterestUpperCap": "0", "defaultFundingRate1H": "0",
    })
}

/// All markets by name.
pub fn markets(section: &Section, now_ms: i64) -> Value {
    let named = (0..section.desk.symbols.len()).map(|at| {
        (section.desk.symbols[at].instrument.symbol.clone(), market(section, at, now_ms))
    });
    Value::Object(named.collect::<Map<_, _>>())
}

/// A member's position, flat or not.
pub fn position(venue: &Venue, member: usize, at: usize) -> Value {
    let section = perpetuals(venue);
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let (symbol, id) = (&section.desk.symbols[at], InstrumentId(at as u16));
    let ledger = section.exchange.accounts().ledger(account);
    let held = ledger.and_then(|l| l.position(0, id)).copied().unwrap_or_default();
    let entry = held.entry_price(section.market(at).contract()).unwrap_or(0.0);
    json!({
        "market": symbol.instrument.symbol, "status": if held.lots.0 == 0 { "CLOSED" } else { "OPEN" },
        "side": if held.lots.0 < 0 { "SHORT" } else { "LONG" }, "size": symbol.qty(held.lots.0),
        "maxSize": symbol.qty(held.lots.0), "entryPrice": fine_price(symbol, entry),
        "exitPrice": null, "realizedPnl": money(held.realised.0), "closedAt": null,
        "unrealizedPnl": money(ledger.map_or(0, |l| l.unrealised(0, id).0)),
        "createdAt": iso(venue.now_ms()), "sumOpen": symbol.qty(held.lots.0), "sumClose": "0",
        "netFunding": money(held.funding.0), "subaccountNumber": 0,
    })
}

/// A member's positions that are not flat.
pub fn positions(venue: &Venue, member: usize) -> Vec<(usize, Value)> {
    let section = perpetuals(venue);
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let accounts = section.exchange.accounts();
    (0..section.desk.symbols.len())
        .filter(|at| accounts.position(account, InstrumentId(*at as u16)).0 != 0)
        .map(|at| (at, position(venue, member, at)))
        .collect()
}

/// The dollars of a member: what positions have cost is not among them.
pub fn dollars(venue: &Venue, member: usize) -> Value {
    let section = perpetuals(venue);
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let accounts = section.exchange.accounts();
    let mut held = accounts.balance(account, SETTLED).wallet.0;
    for (at, symbol) in section.desk.symbols.iter().enumerate() {
        let position =
            accounts.ledger(account).and_then(|l| l.position(0, InstrumentId(at as u16)));
        let one = symbol.instrument.tick_value().unwrap_or(0);
        held -= position.map_or(0, |position| position.cost) * one;
    }
    json!({
        "symbol": "USDC", "assetId": "0", "side": if held < 0 { "SHORT" } else { "LONG" },
        "size": money(held.abs()), "subaccountNumber": 0,
    })
}

/// The generator's markets settle in it; here it is called USDC.
pub(super) const SETTLED: &str = "USDT";

/// Equity, positions and dollars of a member.
pub fn subaccount(venue: &Venue, member: usize) -> Value {
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let balance = perpetuals(venue).exchange.accounts().balance(account, SETTLED);
    let held = positions(venue, member).into_iter().map(|(_, position)| {
        (position["market"].as_str().unwrap_or_default().to_owned(), position)
    });
    json!({
        "address": venue.members[member].key, "subaccountNumber": 0,
        "equity": money(balance.equity().0), "freeCollateral": money(balance.available().0),
        "openPerpetualPositions": Value::Object(held.collect::<Map<_, _>>()),
        "assetPositions": {"USDC": dollars(venue, member)}, "marginEnabled": true,
        "updatedAtHeight": height_at(venue.now_ns()).to_string(),
        "latestProcessedBlockHeight": height_at(venue.now_ns()).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_orders_go_both_ways() {
        for id in [1, 77, u64::MAX >> 1] {
            assert_eq!(read_order_id(&order_id(id)), i64::try_from(id).ok());
        }
        assert_eq!(read_order_id("0f0981cb-152e-57d3-bea9-4d8e0dd5ed35"), None);
        assert_eq!(read_order_id(""), None);
    }
}
