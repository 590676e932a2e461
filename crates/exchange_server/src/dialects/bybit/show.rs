//! Orders, executions, wallets and positions as the venue shows them.

use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::order::{CancelReason, OrderFlags, OrderType, Side};
use mainspring_core::{Instrument, InstrumentId};
use serde_json::{json, Value};

use super::category_of;
use crate::records::{FillRecord, OrderRecord, Status};
use crate::section::{Product, Section};
use crate::text::{average_price, fine_price, money};
use crate::venue::Venue;

/// The venue's word for a side.
pub const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

fn status_name(order: &OrderRecord) -> &'static str {
    match (order.status, order.is_armed) {
        (Status::New, true) => "Untriggered",
        (Status::New, false) => "New",
        (Status::PartiallyFilled, _) => "PartiallyFilled",
        (Status::Filled, _) => "Filled",
        (_, true) => "Deactivated",
        (_, false) => "Cancelled",
    }
}

/// Why it was cancelled, and by what.
fn reasons(order: &OrderRecord) -> (&'static str, &'static str) {
    if order.status.is_open() || order.status == Status::Filled {
        return ("EC_NoError", "UNKNOWN");
    }
    match order.ended {
        Some(CancelReason::IocRemainder | CancelReason::NoLiquidity) => {
            ("EC_NoImmediateQtyToFill", "UNKNOWN")
        }
        Some(CancelReason::SelfTrade) => ("EC_BySelfMatch", "CancelBySelfMatch"),
        Some(CancelReason::Liquidation) => ("EC_NoError", "CancelAllBeforeLiq"),
        Some(CancelReason::ReduceOnly) => ("EC_NoError", "CancelByReduceOnly"),
        Some(_) => ("EC_PerCancelRequest", "CancelByUser"),
        None => ("EC_CancelForNoFullFill", "UNKNOWN"),
    }
}

/// An order.
pub fn order(section: &Section, order: &OrderRecord) -> Value {
    let (product, symbol) = (section.desk.product, &section.desk.symbols[order.symbol]);
    let (reject, cancel) = reasons(order);
    let open = order.status.is_open();
    let left = if open { order.terms.qty.0 - order.filled.0 } else { 0 };
    let has_price = matches!(order.terms.order_type, OrderType::Limit | OrderType::StopLimit);
    let fills = section.desk.records.fills_of(order.account);
    let fee: i128 = match order.filled.0 {
        0 => 0,
        _ => fills.filter(|fill| fill.order == order.id).map(|fill| fill.fee).sum(),
    };
    let mut shown = json!({
        "category": category_of(product), "symbol": symbol.instrument.symbol,
        "orderId": order.id.0.to_string(), "orderLinkId": order.own_id(), "blockTradeId": "",
        "side": side_name(order.terms.side), "positionIdx": 0, "isLeverage": "0",
        "orderStatus": status_name(order), "cancelType": cancel, "rejectReason": reject,
        "timeInForce": order.time_in_force, "orderType": order.type_name,
        "price": if has_price { symbol.price(order.terms.price.0) } else { "0".to_owned() },
        "qty": symbol.qty(order.terms.qty.0), "cumExecQty": symbol.qty(order.filled.0),
        "leavesQty": symbol.qty(left), "cumExecValue": money(order.quote),
        "cumExecFee": money(fee), "leavesValue": "0",
        "avgPrice": if order.filled.0 > 0 { average_price(symbol, order) } else { String::new() },
        "triggerPrice": if order.terms.trigger.0 > 0 { symbol.price(order.terms.trigger.0) } else { String::new() },
        "triggerDirection": 0, "triggerBy": "LastPrice", "stopOrderType": "",
        "takeProfit": "", "stopLoss": "",
        "reduceOnly": order.terms.flags.has(OrderFlags::REDUCE_ONLY), "closeOnTrigger": false,
        "smpType": "CancelMaker", "createdTime": order.time_ms.to_string(),
        "updatedTime": order.update_ms.to_string(),
    });
    if product != Product::Spot {
        // ccxt tells orders of contracts by this.
        shown["tpslMode"] = json!("");
    }
    shown
}

/// An execution.
pub fn execution(section: &Section, fill: &FillRecord) -> Value {
    let (product, symbol) = (section.desk.product, &section.desk.symbols[fill.symbol]);
    let known = section.desk.records.get(fill.order);
    json!({
        "category": category_of(product), "symbol": symbol.instrument.symbol,
        "orderId": fill.order.0.to_string(), "orderLinkId": known.map_or("", OrderRecord::own_id),
        "execId": format!("{}-{}-{}", fill.symbol, fill.trade, u8::from(fill.maker)),
        "side": if fill.buys { "Buy" } else { "Sell" }, "execPrice": symbol.price(fill.price),
        "execQty": symbol.qty(fill.qty.0), "execValue": money(fill.quote),
        "execFee": money(fill.fee), "feeCurrency": symbol.instrument.quote,
        "execType": if known.is_some_and(OrderRecord::is_liquidation) { "BustTrade" } else { "Trade" }, "execPnl": money(fill.realised), "isMaker": fill.maker,
        "orderType": known.map_or("", |order| order.type_name),
        "orderPrice": known.map_or(String::new(), |order| symbol.price(order.terms.price.0)),
        "orderQty": known.map_or(String::new(), |order| symbol.qty(order.terms.qty.0)),
        "leavesQty": known.map_or(String::new(), |o| symbol.qty(o.terms.qty.0 - o.filled.0)),
        "execTime": fill.time_ms.to_string(), "seq": fill.trade,
    })
}

/// What one of a currency is worth in dollars: by the market that trades it against them, spot first.
fn usd_price(venue: &Venue, currency: &str) -> f64 {
    const DOLLARS: [&str; 3] = ["USD", "USDT", "USDC"];
    if DOLLARS.contains(&currency) {
        return 1.0;
    }
    let price = |section: &Section| {
        let of = |one: &Instrument| one.base == currency && DOLLARS.contains(&one.quote.as_str());
        let at = section.desk.symbols.iter().position(|symbol| of(&symbol.instrument))?;
        Some(section.mark(at) * section.desk.symbols[at].instrument.tick().to_f64())
    };
    venue.sections.iter().find_map(price).unwrap_or(0.0)
}

/// Money in dollars.
fn in_usd(amount: i128, price: f64) -> f64 {
    amount as f64 / 10_f64.powi(MONEY_DECIMALS as i32) * price
}

/// The unified wallet: both of a member's accounts as one. Its totals are in dollars, over all coins, each of
/// which is collateral at its full value.
pub fn wallet(venue: &Venue, member: usize) -> Value {
    let accounts = venue.members[member].accounts;
    let mut names: Vec<&String> = Vec::new();
    for section in &venue.sections {
        names.extend(section.exchange.accounts().currencies());
    }
    names.sort();
    names.dedup();
    let mut total = [0.0; 3];
    let coins: Vec<Value> = names
        .into_iter()
        .map(|name| {
            let (mut cash, mut locked, mut margin, mut unrealised) = (0, 0, 0, 0);
            for (section, account) in venue.sections.iter().zip(accounts) {
                let balance = section.exchange.accounts().balance(account, name);
                cash += balance.wallet.0;
                locked += balance.locked.0;
                margin += balance.margin.0;
                unrealised += balance.unrealised.0;
            }
            let price = usd_price(venue, name);
            let worth = [cash, cash + unrealised, margin].map(|amount| in_usd(amount, price));
            total.iter_mut().zip(worth).for_each(|(sum, one)| *sum += one);
            json!({
                "coin": name, "equity": money(cash + unrealised), "walletBalance": money(cash),
                "locked": money(locked), "unrealisedPnl": money(unrealised),
                "totalPositionIM": money(margin), "totalOrderIM": "0", "cumRealisedPnl": "0",
                "usdValue": usd(worth[1]), "borrowAmount": "0", "availableToWithdraw": "",
                "collateralSwitch": true, "marginCollateral": true,
            })
        })
        .collect();
    let [wallet, equity, margin] = total;
    json!({
        "accountType": "UNIFIED", "totalEquity": usd(equity), "totalWalletBalance": usd(wallet),
        "totalMarginBalance": usd(equity), "totalAvailableBalance": usd(equity - margin),
        "totalPerpUPL": usd(equity - wallet), "totalInitialMargin": usd(margin),
        "totalMaintenanceMargin": "0", "accountIMRate": "0", "accountMMRate": "0",
        "accountLTV": "0", "coin": coins,
    })
}

fn usd(amount: f64) -> String {
    format!("{amount:.8}")
}

/// A position.
pub fn position(venue: &Venue, member: usize, at: usize) -> Value {
    let section = &venue.sections[Product::Usdm as usize];
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let (accounts, id) = (section.exchange.accounts(), InstrumentId(at as u16));
    let symbol = &section.desk.symbols[at];
    let ledger = accounts.ledger(account);
    let position = ledger.and_then(|l| l.position(0, id)).copied().unwrap_or_default();
    let entry = position.entry_price(section.market(at).contract()).unwrap_or(0.0);
    let side = match position.lots.0 {
        0 => "",
        1.. => "Buy",
        _ => "Sell",
    };
    let value = section.mark(at)
        * symbol.instrument.tick().to_f64()
        * position.lots.0.abs() as f64
        * symbol.instrument.lot.to_f64();
    let now = venue.now_ms().to_string();
    json!({
        "category": "linear", "symbol": symbol.instrument.symbol, "positionIdx": 0, "side": side,
        "size": symbol.qty(position.lots.0.abs()), "avgPrice": fine_price(symbol, entry),
        "entryPrice": fine_price(symbol, entry), "markPrice": fine_price(symbol, section.mark(at)),
        "positionValue": format!("{value:.8}"), "tradeMode": 0, "riskId": 1, "riskLimitValue": "",
        "leverage": accounts.leverage(account, id).unwrap_or(1).to_string(),
        "unrealisedPnl": money(ledger.map_or(0, |l| l.unrealised(0, id).0)),
        "cumRealisedPnl": "0", "curRealisedPnl": "0", "positionStatus": "Normal",
        "liqPrice": "", "bustPrice": "", "takeProfit": "", "stopLoss": "", "trailingStop": "0",
        "autoAddMargin": 0, "adlRankIndicator": 0, "createdTime": now, "updatedTime": now,
        "seq": symbol.update_id, "isReduceOnly": false,
    })
}

/// Symbols in which a member has a position, and `also`.
pub fn held(venue: &Venue, member: usize, also: Option<usize>) -> Vec<usize> {
    let section = &venue.sections[Product::Usdm as usize];
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let lots = |at: usize| section.exchange.accounts().position(account, InstrumentId(at as u16)).0;
    (0..section.desk.symbols.len()).filter(|at| also == Some(*at) || lots(*at) != 0).collect()
}
