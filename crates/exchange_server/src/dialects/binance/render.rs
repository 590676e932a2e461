//! Orders, fills and accounts in the venue's JSON.

use mainspring_core::order::{OrderFlags, OrderType, Side};
use mainspring_core::{InstrumentId, Ticks};
use mainspring_exchange::{AccountId, TriggerBy};
use serde_json::{json, Value};

use crate::records::{FillRecord, OrderRecord};
use crate::section::{Product, Section, Symbol, UserEvent, UserEventKind};
pub use crate::text::{average_price, money};

/// The venue's word for a side.
#[must_use]
pub const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

fn limit_price(symbol: &Symbol, order: &OrderRecord) -> String {
    let has_limit = !matches!(
        order.terms.order_type,
        OrderType::Market | OrderType::Stop | OrderType::TakeProfit | OrderType::TrailingStop
    );
    symbol.price(if has_limit { order.terms.price.0 } else { 0 })
}

/// An order as a query shows it.
#[must_use]
pub fn order(product: Product, symbol: &Symbol, order: &OrderRecord) -> Value {
    match product {
        Product::Spot => spot_order(symbol, order),
        Product::Usdm => usdm_order(symbol, order),
    }
}

fn spot_order(symbol: &Symbol, order: &OrderRecord) -> Value {
    json!({
        "symbol": symbol.instrument.symbol,
        "orderId": order.id.0,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": limit_price(symbol, order),
        "origQty": symbol.qty(order.terms.qty.0),
        "executedQty": symbol.qty(order.filled.0),
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": money(order.quote),
        "status": order.status.name(),
        "timeInForce": order.time_in_force,
        "type": order.type_name,
        "side": side_name(order.terms.side),
        "stopPrice": symbol.price(order.terms.trigger.0),
        "icebergQty": symbol.qty(order.terms.display.0),
        "time": order.time_ms,
        "updateTime": order.update_ms,
        "isWorking": !order.is_armed,
        "workingTime": if order.is_armed { -1 } else { order.time_ms },
        "selfTradePreventionMode": order.self_trade,
    })
}

fn usdm_order(symbol: &Symbol, order: &OrderRecord) -> Value {
    json!({
        "orderId": order.id.0,
        "symbol": symbol.instrument.symbol,
        "status": order.status.name(),
        "clientOrderId": order.client_id,
        "price": limit_price(symbol, order),
        "avgPrice": average_price(symbol, order),
        "origQty": symbol.qty(order.terms.qty.0),
        "executedQty": symbol.qty(order.filled.0),
        "cumQty": symbol.qty(order.filled.0),
        "cumQuote": money(order.quote),
        "timeInForce": order.time_in_force,
        "type": order.type_name,
        "origType": order.type_name,
        "reduceOnly": order.terms.flags.has(OrderFlags::REDUCE_ONLY),
        "closePosition": false,
        "side": side_name(order.terms.side),
        "positionSide": "BOTH",
        "stopPrice": symbol.price(order.terms.trigger.0),
        "workingType": order.working_type,
        "priceProtect": false,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.self_trade,
        "goodTillDate": order.terms.expire_ns / 1_000_000,
        "time": order.time_ms,
        "updateTime": order.update_ms,
    })
}

/// The answer to a new spot order.
#[must_use]
pub fn spot_placed(section: &Section, order: &OrderRecord, kind: &str) -> Value {
    let symbol = &section.desk.symbols[order.symbol];
    let mut answer = json!({
        "symbol": symbol.instrument.symbol,
        "orderId": order.id.0,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.update_ms,
    });
    if kind == "ACK" {
        return answer;
    }
    let mut whole = spot_order(symbol, order);
    let Some(fields) = whole.as_object_mut() else { return answer };
    for skipped in ["time", "updateTime", "isWorking"] {
        fields.remove(skipped);
    }
    fields.insert("transactTime".to_owned(), order.update_ms.into());
    if kind == "FULL" {
        let recent = section.desk.records.fills_of(order.account).rev();
        let recent = recent.take_while(|fill| fill.time_ms >= order.time_ms);
        let mut own: Vec<&FillRecord> = recent.filter(|fill| fill.order == order.id).collect();
        own.reverse();
        let fills = own.into_iter().map(|fill| {
            json!({
                "price": symbol.price(fill.price),
                "qty": symbol.qty(fill.qty.0),
                "commission": money(fill.fee),
                "commissionAsset": symbol.instrument.quote,
                "tradeId": fill.trade,
            })
        });
        fields.insert("fills".to_owned(), fills.collect());
    }
    std::mem::swap(&mut answer, &mut whole);
    answer
}

/// One of a member's trades.
#[must_use]
pub fn fill(product: Product, symbol: &Symbol, fill: &FillRecord) -> Value {
    let name = &symbol.instrument.symbol;
    let (price, qty) = (symbol.price(fill.price), symbol.qty(fill.qty.0));
    let quote = &symbol.instrument.quote;
    match product {
        Product::Spot => json!({
            "symbol": name, "id": fill.trade, "orderId": fill.order.0, "orderListId": -1,
            "price": price, "qty": qty, "quoteQty": money(fill.quote),
            "commission": money(fill.fee), "commissionAsset": quote, "time": fill.time_ms,
            "isBuyer": fill.buys, "isMaker": fill.maker, "isBestMatch": true,
        }),
        Product::Usdm => json!({
            "symbol": name, "id": fill.trade, "orderId": fill.order.0,
            "side": if fill.buys { "BUY" } else { "SELL" },
            "price": price, "qty": qty, "quoteQty": money(fill.quote),
            "realizedPnl": money(fill.realised), "commission": money(fill.fee),
            "commissionAsset": quote, "time": fill.time_ms, "positionSide": "BOTH",
            "buyer": fill.buys, "maker": fill.maker, "marginAsset": quote,
        }),
    }
}

/// A position of a member, as `positionRisk` shows it.
#[must_use]
pub fn position(section: &Section, account: AccountId, at: usize) -> Value {
    let (symbol, market) = (&section.desk.symbols[at], section.market(at));
    let id = InstrumentId(at as u16);
    let accounts = section.exchange.accounts();
    let ledger = accounts.ledger(account);
    let position = ledger.and_then(|l| l.position(0, id)).copied().unwrap_or_default();
    let tick = symbol.instrument.tick().to_f64();
    let entry = position.entry_price(market.contract()).map_or(0.0, |ticks| ticks * tick);
    let mark = market.mark().map(|mark| mark.0 as f64 * 1e-9 * tick);
    let mark = mark.or_else(|| market.last_trade().map(|last| last.0 as f64 * tick));
    let unrealised = ledger.map_or(0, |l| l.unrealised(0, id).0);
    let qty = position.lots.0 as f64 * symbol.instrument.lot.to_f64();
    let notional = qty * mark.unwrap_or(0.0);
    let balance = accounts.balance(account, &symbol.instrument.quote);
    let leverage = accounts.leverage(account, id).unwrap_or(1);
    let margin = notional.abs() / f64::from(leverage);
    let liquidation = liquidation_price(section, account, at, entry, qty);
    let mut fills = section.desk.records.fills_of(account).rev();
    let changed_ms = fills.find(|fill| fill.symbol == at).map_or(0, |fill| fill.time_ms);
    json!({
        "symbol": symbol.instrument.symbol,
        "positionSide": "BOTH",
        "positionAmt": symbol.qty(position.lots.0),
        "entryPrice": format!("{entry:.8}"),
        "breakEvenPrice": format!("{entry:.8}"),
        "markPrice": format!("{:.8}", mark.unwrap_or(0.0)),
        "unRealizedProfit": money(unrealised),
        "unrealizedProfit": money(unrealised),
        "liquidationPrice": format!("{liquidation:.8}"),
        "leverage": leverage.to_string(),
        "maxNotionalValue": "100000000",
        "maxNotional": "100000000",
        "marginType": "cross",
        "isolated": false,
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "isolatedWallet": "0",
        "notional": format!("{notional:.8}"),
        "initialMargin": format!("{margin:.8}"),
        "positionInitialMargin": format!("{margin:.8}"),
        "openOrderInitialMargin": "0",
        "maintMargin": money(balance.maintenance.0),
        "bidNotional": "0",
        "askNotional": "0",
        "marginAsset": symbol.instrument.quote,
        "adl": 0,
        "updateTime": changed_ms,
    })
}

fn liquidation_price(
    section: &Section,
    account: AccountId,
    at: usize,
    entry: f64,
    qty: f64,
) -> f64 {
    use mainspring_trading::margin::{liquidation_price, MarginTable, MarginedPosition};
    let instrument = &section.desk.symbols[at].instrument;
    let Ok(table) = MarginTable::new(&instrument.margin_tiers) else { return 0.0 };
    let wallet = section.exchange.accounts().balance(account, &instrument.quote).wallet;
    let position = MarginedPosition {
        collateral: wallet.0 as f64 * 1e-18,
        qty,
        entry,
        other_maintenance: 0.0,
        other_unrealised: 0.0,
        close_fee_rate: 0.0,
    };
    liquidation_price(&position, &table.tiers()).map_or(0.0, |found| found.price)
}

/// What a member hears of an event.
#[must_use]
pub fn user_events(section: &Section, event: &UserEvent, now_ms: i64) -> Vec<Value> {
    match section.desk.product {
        Product::Spot => {
            vec![spot_report(section, event, now_ms), spot_balances(section, event, now_ms)]
        }
        Product::Usdm => {
            let mut told = vec![usdm_update(section, event, now_ms)];
            if matches!(event.kind, UserEventKind::Trade(_)) {
                told.insert(0, usdm_account(section, event, now_ms));
            }
            told
        }
    }
}

fn execution(kind: UserEventKind) -> (&'static str, Option<FillRecord>) {
    match kind {
        UserEventKind::New => ("NEW", None),
        UserEventKind::Trade(fill) => ("TRADE", Some(fill)),
        UserEventKind::Canceled => ("CANCELED", None),
        UserEventKind::Expired => ("EXPIRED", None),
        UserEventKind::Amended => ("AMENDMENT", None),
        UserEventKind::Triggered => ("TRIGGERED", None),
    }
}

fn spot_report(section: &Section, event: &UserEvent, now_ms: i64) -> Value {
    let (order, symbol) = (&event.order, &section.desk.symbols[event.order.symbol]);
    let (execution, fill) = execution(event.kind);
    let execution = if execution == "AMENDMENT" { "REPLACED" } else { execution };
    let (last_qty, last_price) = fill.map_or((0, 0), |fill| (fill.qty.0, fill.price));
    json!({
        "e": "executionReport", "E": now_ms, "s": symbol.instrument.symbol,
        "c": order.client_id, "S": side_name(order.terms.side), "o": order.type_name,
        "f": order.time_in_force, "q": symbol.qty(order.terms.qty.0),
        "p": limit_price(symbol, order), "P": symbol.price(order.terms.trigger.0),
        "F": symbol.qty(order.terms.display.0), "g": -1,
        "C": if execution == "CANCELED" { order.client_id.as_str() } else { "" },
        "x": execution, "X": order.status.name(), "r": "NONE", "i": order.id.0,
        "l": symbol.qty(last_qty), "z": symbol.qty(order.filled.0),
        "L": symbol.price(last_price), "n": money(fill.map_or(0, |fill| fill.fee)),
        "N": fill.map(|_| symbol.instrument.quote.clone()), "T": order.update_ms,
        "t": fill.map_or(-1, |fill| fill.trade as i64), "I": order.id.0,
        "w": order.status.is_open() && !order.is_armed,
        "m": fill.is_some_and(|fill| fill.maker), "M": false, "O": order.time_ms,
        "Z": money(order.quote), "Y": money(fill.map_or(0, |fill| fill.quote)),
        "Q": "0.00000000", "W": order.time_ms, "V": order.self_trade,
    })
}

fn spot_balances(section: &Section, event: &UserEvent, now_ms: i64) -> Value {
    let instrument = &section.desk.symbols[event.order.symbol].instrument;
    let balances = [&instrument.base, &instrument.quote].map(|asset| {
        let balance = section.exchange.accounts().balance(event.order.account, asset);
        let free = balance.wallet.0 - balance.locked.0;
        json!({"a": asset, "f": money(free), "l": money(balance.locked.0)})
    });
    json!({"e": "outboundAccountPosition", "E": now_ms, "u": event.order.update_ms, "B": balances})
}

fn usdm_update(section: &Section, event: &UserEvent, now_ms: i64) -> Value {
    let (order, symbol) = (&event.order, &section.desk.symbols[event.order.symbol]);
    let (execution, fill) = execution(event.kind);
    let (last_qty, last_price) = fill.map_or((0, 0), |fill| (fill.qty.0, fill.price));
    json!({"e": "ORDER_TRADE_UPDATE", "T": order.update_ms, "E": now_ms, "o": {
        "s": symbol.instrument.symbol, "c": order.client_id, "S": side_name(order.terms.side),
        "o": order.type_name, "f": order.time_in_force, "q": symbol.qty(order.terms.qty.0),
        "p": limit_price(symbol, order), "ap": average_price(symbol, order),
        "sp": symbol.price(order.terms.trigger.0), "x": execution, "X": order.status.name(),
        "i": order.id.0, "l": symbol.qty(last_qty), "z": symbol.qty(order.filled.0),
        "L": symbol.price(last_price), "N": symbol.instrument.quote,
        "n": money(fill.map_or(0, |fill| fill.fee)), "T": order.update_ms,
        "t": fill.map_or(0, |fill| fill.trade), "b": "0", "a": "0",
        "m": fill.is_some_and(|fill| fill.maker),
        "R": order.terms.flags.has(OrderFlags::REDUCE_ONLY), "wt": order.working_type,
        "ot": order.type_name, "ps": "BOTH", "cp": false,
        "rp": money(fill.map_or(0, |fill| fill.realised)), "pP": false, "si": 0, "ss": 0,
        "V": order.self_trade, "pm": "NONE", "gtd": order.terms.expire_ns / 1_000_000,
    }})
}

fn usdm_account(section: &Section, event: &UserEvent, now_ms: i64) -> Value {
    account_update(section, event.order.account, event.order.symbol, "ORDER", 0, now_ms)
}

/// Wallet and position of a member after something changed them.
#[must_use]
pub fn account_update(
    section: &Section,
    account: AccountId,
    at: usize,
    why: &str,
    change: i128,
    now_ms: i64,
) -> Value {
    let symbol = &section.desk.symbols[at];
    let quote = &symbol.instrument.quote;
    let wallet = money(section.exchange.accounts().balance(account, quote).wallet.0);
    let position = position(section, account, at);
    let entry = &position["entryPrice"];
    json!({"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": {
        "m": why,
        "B": [{"a": quote, "wb": wallet, "cw": wallet, "bc": money(change)}],
        "P": [{
            "s": symbol.instrument.symbol, "pa": position["positionAmt"], "ep": entry,
            "bep": entry, "cr": "0", "up": position["unRealizedProfit"], "mt": "cross",
            "iw": "0", "ps": "BOTH",
        }],
    }})
}

/// A trigger source by the venue's name.
#[must_use]
pub fn working_type(name: Option<&str>) -> (&'static str, TriggerBy) {
    match name {
        Some("MARK_PRICE") => ("MARK_PRICE", TriggerBy::Mark),
        _ => ("CONTRACT_PRICE", TriggerBy::LastTrade),
    }
}

/// Levels as pairs of text.
#[must_use]
pub fn levels(symbol: &Symbol, levels: impl Iterator<Item = (Ticks, i64)>) -> Vec<[String; 2]> {
    levels.map(|(price, qty)| [symbol.price(price.0), symbol.qty(qty)]).collect()
}
