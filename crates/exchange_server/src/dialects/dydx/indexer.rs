//! The indexer's REST: markets, books, trades, orders, fills and accounts.

use mainspring_exchange::AccountId;
use serde_json::{json, Value};

use super::chain::height;
use super::{perpetuals, show};
use crate::dialects::{HttpAnswer, HttpRequest};
use crate::fields::Fields;
use crate::records::OrderRecord;
use crate::section::Product;
use crate::venue::Venue;
use mainspring_venues::civil::iso_ns;

/// Levels of a book, and most items of a list.
pub const DEPTH: usize = 100;
const LIST: usize = 1_000;

/// Status and words of what cannot be answered.
type Outcome = Result<Value, (u16, String)>;

/// Answers a request.
pub fn answer(venue: &Venue, request: &HttpRequest<'_>) -> HttpAnswer {
    let Some(path) = request.path.strip_prefix("/v4/").filter(|_| request.method == "GET") else {
        return HttpAnswer::new(404, "{\"errors\":[{\"msg\":\"Not Found\"}]}");
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match of(venue, &parts, &Fields::of_query(request.query)) {
        Ok(value) => HttpAnswer::new(200, value.to_string()),
        Err((status, words)) => {
            HttpAnswer::new(status, json!({"errors": [{"msg": words}]}).to_string())
        }
    }
}

fn of(venue: &Venue, parts: &[&str], asked: &Fields) -> Outcome {
    let section = perpetuals(venue);
    let now_ms = venue.now_ms();
    let market = |name: &str| {
        let unknown = |_| (404, format!("{name} not found in markets of type perpetual"));
        section.symbol(name).map_err(unknown)
    };
    Ok(match *parts {
        ["time"] => json!({"iso": show::iso(now_ms), "epoch": now_ms as f64 / 1e3}),
        ["height"] => json!({"height": height(venue).to_string(), "time": show::iso(now_ms)}),
        ["perpetualMarkets"] => match asked.text("ticker") {
            Some(name) => {
                let at = market(&name)?;
                let symbol = &section.desk.symbols[at].instrument.symbol;
                json!({"markets": {symbol: show::market(section, at, now_ms)}})
            }
            None => json!({"markets": show::markets(section, now_ms)}),
        },
        ["orderbooks", "perpetualMarket", name] => show::book(section, market(name)?, DEPTH),
        ["trades", "perpetualMarket", name] => {
            json!({"trades": show::trades(section, market(name)?, limit(asked))})
        }
        ["candles", "perpetualMarkets", name] => candles(venue, market(name)?, asked)?,
        ["historicalFunding", name] => {
            market(name)?;
            json!({"historicalFunding": []})
        }
        ["orders"] => orders(venue, asked)?,
        ["orders", id] => {
            let found = show::read_order_id(id).and_then(|id| {
                let every = venue.members.iter().map(|m| m.accounts[Product::Usdm as usize]);
                every.into_iter().find_map(|a| section.desk.records.find(a, Some(id), None))
            });
            let order = found.ok_or((404, format!("Unable to find order id {id}")))?;
            show::order(section, order, venue.now_ns())
        }
        ["fills"] => fills(venue, asked)?,
        ["perpetualPositions"] => {
            let member = member(venue, asked)?;
            let held = show::positions(venue, member).into_iter().map(|(_, one)| one);
            json!({"positions": held.collect::<Value>()})
        }
        ["assetPositions"] => json!({"positions": [show::dollars(venue, member(venue, asked)?)]}),
        ["addresses", address] => {
            let member = owner(venue, address, 0)?;
            json!({"subaccounts": [show::subaccount(venue, member)], "totalTradingRewards": "0"})
        }
        ["addresses", address, "subaccountNumber", number] => {
            let member = owner(venue, address, number.parse().unwrap_or(u32::MAX))?;
            json!({"subaccount": show::subaccount(venue, member)})
        }
        _ => return Err((404, "Not Found".to_owned())),
    })
}

fn limit(asked: &Fields) -> usize {
    asked.parsed("limit").unwrap_or(LIST).min(LIST)
}

fn owner(venue: &Venue, address: &str, number: u32) -> Result<usize, (u16, String)> {
    let words =
        || format!("No subaccount found with address {address} and subaccountNumber {number}");
    venue.member_of(address).filter(|_| number == 0).ok_or_else(|| (404, words()))
}

fn member(venue: &Venue, asked: &Fields) -> Result<usize, (u16, String)> {
    let address = asked.text("address").unwrap_or_default();
    owner(venue, &address, asked.parsed("subaccountNumber").unwrap_or(u32::MAX))
}

fn account(venue: &Venue, asked: &Fields) -> Result<AccountId, (u16, String)> {
    Ok(venue.members[member(venue, asked)?].accounts[Product::Usdm as usize])
}

fn candles(venue: &Venue, at: usize, asked: &Fields) -> Outcome {
    let section = perpetuals(venue);
    let symbol = &section.desk.symbols[at];
    let name = asked.text("resolution").unwrap_or_default();
    let length_ms = match name.as_str() {
        "1MIN" => 60_000,
        "5MINS" => 300_000,
        "15MINS" => 900_000,
        "30MINS" => 1_800_000,
        "1HOUR" => 3_600_000,
        "4HOURS" => 14_400_000,
        "1DAY" => 86_400_000,
        _ => return Err((400, "resolution must be a valid Candle Resolution".to_owned())),
    };
    let time = |name: &str, otherwise: i64| {
        let text = asked.text(name);
        let ns = text.and_then(|text| mainspring_venues::civil::iso_ns(text.as_bytes()));
        ns.map_or(otherwise, |ns| ns / 1_000_000)
    };
    let bars = symbol.tape.bars(length_ms, time("fromISO", 0), time("toISO", i64::MAX));
    let shown = bars.iter().rev().take(limit(asked)).map(|bar| {
        let tick_value = symbol.instrument.tick_value().unwrap_or(0);
        json!({
            "startedAt": show::iso(bar.open_ms), "ticker": symbol.instrument.symbol,
            "resolution": name, "low": symbol.price(bar.low), "high": symbol.price(bar.high),
            "open": symbol.price(bar.open), "close": symbol.price(bar.close),
            "baseTokenVolume": symbol.qty(bar.volume), "trades": bar.trades,
            "usdVolume": crate::text::money(bar.quote * tick_value),
            "startingOpenInterest": "0", "id": format!("{}-{}", symbol.instrument.symbol, bar.open_ms),
        })
    });
    Ok(json!({"candles": shown.collect::<Value>()}))
}

/// Orders of a subaccount, newest first, as far as they are asked for.
fn orders(venue: &Venue, asked: &Fields) -> Outcome {
    let section = perpetuals(venue);
    let account = account(venue, asked)?;
    let (ticker, side) = (asked.text("ticker"), asked.text("side"));
    let states: Option<Vec<String>> =
        asked.text("status").map(|text| text.split(',').map(str::to_owned).collect());
    let is_asked = |order: &&OrderRecord| {
        let name = &section.desk.symbols[order.symbol].instrument.symbol;
        let status = show::status_name(order, venue.now_ns());
        let is_side =
            |side: &String| (side == "BUY") == (order.terms.side == mainspring_core::Side::Buy);
        ticker.as_ref().is_none_or(|ticker| ticker == name)
            && side.as_ref().is_none_or(is_side)
            && states.as_ref().is_none_or(|all| all.iter().any(|s| s == status))
    };
    let found = section.desk.records.all_of(account).into_iter().rev().filter(is_asked);
    Ok(found.take(limit(asked)).map(|one| show::order(section, one, venue.now_ns())).collect())
}

/// Fills of a subaccount, newest first.
fn fills(venue: &Venue, asked: &Fields) -> Outcome {
    let section = perpetuals(venue);
    let account = account(venue, asked)?;
    let market = asked.text("market").and_then(|name| section.symbol(&name).ok());
    let fills = section.desk.records.fills_of(account).rev();
    let fills = fills.filter(|fill| market.is_none_or(|at| at == fill.symbol));
    let until = asked.text("createdBeforeOrAt").and_then(|at| iso_ns(at.as_bytes()));
    let until_ms = until.map_or(i64::MAX, |ns| ns / 1_000_000);
    let fills = fills.filter(|fill| fill.time_ms <= until_ms).take(limit(asked));
    let shown: Value = fills.map(|fill| show::fill(section, fill)).collect();
    Ok(json!({"pageSize": LIST, "totalResults": shown.as_array().map_or(0, Vec::len), "offset": 0,
        "fills": shown}))
}
