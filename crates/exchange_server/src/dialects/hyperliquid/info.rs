//! `/info`: questions.

use mainspring_exchange::AccountId;
use serde_json::{json, Value};

use super::{member_of, perpetuals, show};
use crate::records::OrderRecord;
use crate::section::Product;
use crate::tape::interval_ms;
use crate::venue::Venue;

/// Answers a question; what is none has no answer.
pub fn answer(venue: &Venue, body: &str) -> Option<Value> {
    of(venue, &serde_json::from_str(body).ok()?)
}

/// The answer to a question.
pub fn of(venue: &Venue, asked: &Value) -> Option<Value> {
    let section = perpetuals(venue);
    let now_ms = venue.now_ms();
    let every = 0..section.desk.symbols.len();
    let coin = || section.symbol(asked["coin"].as_str()?).ok();
    let member = || member_of(venue, asked["user"].as_str()?);
    let account =
        || -> Option<AccountId> { Some(venue.members[member()?].accounts[Product::Usdm as usize]) };
    Some(match asked["type"].as_str()? {
        "meta" => meta(venue),
        "spotMeta" => json!({"universe": [], "tokens": []}),
        "spotMetaAndAssetCtxs" => json!([{"universe": [], "tokens": []}, []]),
        "perpDexs" => json!([null]),
        "metaAndAssetCtxs" => {
            let contexts: Value = every.map(|at| show::context(section, at, now_ms)).collect();
            json!([meta(venue), contexts])
        }
        "allMids" => every
            .map(|at| {
                (section.desk.symbols[at].instrument.symbol.clone(), show::middle(section, at))
            })
            .map(|(name, price)| (name, Value::from(price)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        "l2Book" => show::book(section, coin()?, now_ms),
        "recentTrades" => {
            let at = coin()?;
            let prints = section.desk.symbols[at].tape.last(100);
            let mut trades: Vec<Value> = prints.map(|one| show::trade(section, at, one)).collect();
            trades.reverse();
            trades.into()
        }
        "candleSnapshot" => candles(venue, &asked["req"])?,
        "exchangeStatus" => json!({"time": now_ms, "specialStatuses": null}),
        "clearinghouseState" => {
            member().map_or_else(|| nobody(now_ms), |at| show::state(venue, at))
        }
        "spotClearinghouseState" => json!({"balances": []}),
        "openOrders" | "frontendOpenOrders" => {
            let records = &section.desk.records;
            let open = account().into_iter().flat_map(|account| records.open_of(account));
            open.map(|order| show::order(section, order)).collect()
        }
        "historicalOrders" => {
            let records = &section.desk.records;
            let all = account().map(|account| records.all_of(account)).unwrap_or_default();
            all.into_iter().rev().take(2_000).map(|order| show::update(section, order)).collect()
        }
        "orderStatus" => {
            let found = account().and_then(|account| named(venue, account, &asked["oid"]));
            match found {
                Some(order) => json!({"status": "order", "order": show::update(section, order)}),
                None => json!({"status": "unknownOid"}),
            }
        }
        "userFills" | "userFillsByTime" => {
            let from = asked["startTime"].as_i64().unwrap_or(0);
            let until = asked["endTime"].as_i64().unwrap_or(i64::MAX);
            let records = &section.desk.records;
            let fills = account().into_iter().flat_map(|account| records.fills_of(account));
            let fills = fills.filter(|fill| (from..=until).contains(&fill.time_ms));
            let mut shown: Vec<Value> =
                fills.take(2_000).map(|fill| show::fill(section, fill)).collect();
            if asked["type"] == "userFills" {
                shown.reverse();
            }
            shown.into()
        }
        "userFees" => json!({
            "userCrossRate": section.desk.symbols[0].instrument.taker_fee.to_string(),
            "userAddRate": section.desk.symbols[0].instrument.maker_fee.to_string(),
        }),
        "userRateLimit" => json!({
            "cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": 10_000, "nRequestsSurplus": 0,
        }),
        _ => return None,
    })
}

/// The order that an `oid` or `cloid` names.
pub fn named<'a>(venue: &'a Venue, account: AccountId, id: &Value) -> Option<&'a OrderRecord> {
    perpetuals(venue).desk.records.find(account, id.as_i64(), id.as_str())
}

/// Who never traded has nothing.
fn nobody(now_ms: i64) -> Value {
    let zero = json!({
        "accountValue": "0.0", "totalMarginUsed": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0",
    });
    json!({
        "marginSummary": zero, "crossMarginSummary": zero, "withdrawable": "0.0",
        "crossMaintenanceMarginUsed": "0.0", "assetPositions": [], "time": now_ms,
    })
}

fn meta(venue: &Venue) -> Value {
    let symbols = &perpetuals(venue).desk.symbols;
    let universe: Value = symbols
        .iter()
        .map(|symbol| {
            let one = &symbol.instrument;
            let leverage = one.margin_tiers.first().map_or(1, |tier| tier.max_leverage);
            json!({
                "name": one.symbol, "szDecimals": one.lot.scale(), "maxLeverage": leverage,
                "marginTableId": leverage,
            })
        })
        .collect();
    json!({"universe": universe, "marginTables": [], "collateralToken": 0})
}

fn candles(venue: &Venue, asked: &Value) -> Option<Value> {
    let section = perpetuals(venue);
    let at = section.symbol(asked["coin"].as_str()?).ok()?;
    let symbol = &section.desk.symbols[at];
    let name = asked["interval"].as_str()?;
    let length = interval_ms(name)?;
    let from = asked["startTime"].as_i64().unwrap_or(0);
    let until = asked["endTime"].as_i64().unwrap_or(i64::MAX);
    let bars = symbol.tape.bars(length, from, until);
    let shown = bars.iter().map(|bar| {
        json!({
            "t": bar.open_ms, "T": bar.open_ms + length - 1, "s": symbol.instrument.symbol,
            "i": name, "o": symbol.price(bar.open), "c": symbol.price(bar.close),
            "h": symbol.price(bar.high), "l": symbol.price(bar.low), "v": symbol.qty(bar.volume),
            "n": bar.trades,
        })
    });
    Some(shown.collect())
}
