//! Balances, positions, settings and listen keys of a member.

use mainspring_core::money::divide_half_even;
use mainspring_core::{InstrumentId, Money};
use mainspring_exchange::AccountId;
use serde_json::{json, Value};

use super::error::{Outcome, Refusal};
use super::params::Params;
use super::render::{self, money};
use crate::section::{Product, Section};
use crate::venue::Venue;

/// Quanta of the eighth decimal.
const EIGHTH: i128 = 10_000_000_000;

/// The member's account in a product, and the product.
fn own(venue: &Venue, product: Product, member: Option<usize>) -> Outcome<(&Section, AccountId)> {
    let member = member.and_then(|at| venue.members.get(at));
    let member = member.ok_or_else(|| Refusal::with_status(401, -2015, "Invalid API-key."))?;
    Ok((&venue.sections[product as usize], member.accounts[product as usize]))
}

/// `GET /api/v3/account`.
pub fn spot(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    let accounts = section.exchange.accounts();
    let omit_zero = params.flag("omitZeroBalances");
    let balances: Vec<Value> = accounts
        .currencies()
        .iter()
        .map(|asset| (asset, accounts.balance(account, asset)))
        .filter(|(_, balance)| !omit_zero || balance.wallet != Money::ZERO)
        .map(|(asset, balance)| {
            let free = balance.wallet.0 - balance.locked.0;
            json!({"asset": asset, "free": money(free), "locked": money(balance.locked.0)})
        })
        .collect();
    Ok(json!({
        "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
        "commissionRates": {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": true, "canWithdraw": false, "canDeposit": false, "brokered": false,
        "requireSelfTradePrevention": false, "preventSor": false, "updateTime": venue.now_ms(),
        "accountType": "SPOT", "balances": balances, "permissions": ["SPOT"], "uid": account.0,
    }))
}

/// `GET /fapi/v*/account`.
pub fn usdm(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    _: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    let assets = asset_list(section, account, venue.now_ms());
    let positions: Vec<Value> =
        (0..section.desk.symbols.len()).map(|at| render::position(section, account, at)).collect();
    let total = |field: &str| -> Value {
        assets.first().map_or_else(|| json!("0"), |asset| asset[field].clone())
    };
    Ok(json!({
        "feeTier": 0, "canTrade": true, "canDeposit": false, "canWithdraw": false,
        "updateTime": 0, "multiAssetsMargin": false, "tradeGroupId": -1,
        "totalInitialMargin": total("initialMargin"), "totalMaintMargin": total("maintMargin"),
        "totalWalletBalance": total("walletBalance"),
        "totalUnrealizedProfit": total("unrealizedProfit"),
        "totalMarginBalance": total("marginBalance"),
        "totalPositionInitialMargin": total("initialMargin"),
        "totalOpenOrderInitialMargin": "0.00000000",
        "totalCrossWalletBalance": total("walletBalance"),
        "totalCrossUnPnl": total("unrealizedProfit"),
        "availableBalance": total("availableBalance"),
        "maxWithdrawAmount": total("availableBalance"),
        "assets": assets, "positions": positions,
    }))
}

fn asset_list(section: &Section, account: AccountId, now_ms: i64) -> Vec<Value> {
    let accounts = section.exchange.accounts();
    accounts
        .currencies()
        .iter()
        .map(|asset| {
            let balance = accounts.balance(account, asset);
            let (wallet, margin) = (money(balance.wallet.0), money(balance.margin.0));
            // What is left of the figures that are shown, to the last digit.
            let shown = |quanta: i128| divide_half_even(quanta, EIGHTH).0 * EIGHTH;
            let left = shown(balance.equity().0) - shown(balance.margin.0 + balance.locked.0);
            let available = money(left.max(0));
            json!({
                "asset": asset, "walletBalance": wallet,
                "unrealizedProfit": money(balance.unrealised.0),
                "marginBalance": money(balance.equity().0),
                "maintMargin": money(balance.maintenance.0), "initialMargin": margin,
                "positionInitialMargin": margin, "openOrderInitialMargin": "0.00000000",
                "crossWalletBalance": wallet, "crossUnPnl": money(balance.unrealised.0),
                "availableBalance": available, "maxWithdrawAmount": available,
                "marginAvailable": true, "updateTime": now_ms, "accountAlias": "simulator",
                "balance": wallet,
            })
        })
        .collect()
}

/// `GET /fapi/v*/balance`.
pub fn balances(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    _: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    Ok(asset_list(section, account, venue.now_ms()).into())
}

/// `GET /fapi/v*/positionRisk`.
pub fn positions(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    let wanted = match params.get("symbol") {
        Some(name) => vec![section.symbol(name)?],
        None => (0..section.desk.symbols.len()).collect(),
    };
    Ok(wanted.into_iter().map(|at| render::position(section, account, at)).collect())
}

/// `GET /fapi/v1/leverageBracket`.
pub fn brackets(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let (section, _) = own(venue, product, member)?;
    let wanted = match params.get("symbol") {
        Some(name) => vec![section.symbol(name)?],
        None => (0..section.desk.symbols.len()).collect(),
    };
    let show = |at: usize| {
        let instrument = &section.desk.symbols[at].instrument;
        let mut floor = 0.0;
        let mut cumulative = 0.0;
        let mut last_rate = 0.0;
        let brackets: Vec<Value> = instrument
            .margin_tiers
            .iter()
            .enumerate()
            .map(|(number, tier)| {
                let rate = tier.maintenance_rate.to_f64();
                cumulative += floor * (rate - last_rate);
                last_rate = rate;
                let cap = tier.notional_cap.map_or(1e9, |cap| cap.to_f64());
                let bracket = json!({
                    "bracket": number + 1, "initialLeverage": tier.max_leverage,
                    "notionalCap": cap, "notionalFloor": floor, "maintMarginRatio": rate,
                    "cum": if number == 0 { 0.0 } else { cumulative },
                });
                floor = cap;
                bracket
            })
            .collect();
        json!({"symbol": instrument.symbol, "brackets": brackets})
    };
    Ok(wanted.into_iter().map(show).collect())
}

/// `GET /fapi/v1/symbolConfig`.
pub fn symbol_config(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    let wanted = match params.get("symbol") {
        Some(name) => vec![section.symbol(name)?],
        None => (0..section.desk.symbols.len()).collect(),
    };
    let show = |at: usize| {
        let leverage = section.exchange.accounts().leverage(account, InstrumentId(at as u16));
        json!({
            "symbol": section.desk.symbols[at].instrument.symbol, "marginType": "CROSSED",
            "isAutoAddMargin": false, "leverage": leverage, "maxNotionalValue": "100000000",
        })
    };
    Ok(wanted.into_iter().map(show).collect())
}

/// Fee rates of a symbol, spot or USD-M.
pub fn commission(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let (section, _) = own(venue, product, member)?;
    let instrument = &section.desk.symbols[section.symbol(params.need("symbol")?)?].instrument;
    let (maker, taker) = (instrument.maker_fee.to_string(), instrument.taker_fee.to_string());
    Ok(match product {
        Product::Spot => json!({
            "symbol": instrument.symbol,
            "standardCommission": {"maker": maker, "taker": taker, "buyer": "0", "seller": "0"},
            "specialCommission": {"maker": "0", "taker": "0", "buyer": "0", "seller": "0"},
            "taxCommission": {"maker": "0", "taker": "0", "buyer": "0", "seller": "0"},
            "discount": {"enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": "0"},
        }),
        Product::Usdm => json!({
            "symbol": instrument.symbol, "makerCommissionRate": maker,
            "takerCommissionRate": taker,
        }),
    })
}

/// `GET /api/v3/rateLimit/order`.
pub fn order_limits(venue: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    Ok(json!([{
        "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10,
        "limit": venue.limits.spot_orders, "count": 0,
    }]))
}

/// `GET /fapi/v1/positionSide/dual`: positions are one-way.
pub fn position_mode(_: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    Ok(json!({"dualSidePosition": false}))
}

/// `POST /fapi/v1/positionSide/dual`.
pub fn set_position_mode(
    _: &mut Venue,
    _: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    if params.flag("dualSidePosition") {
        return Err(Refusal::new(-4068, "Hedge mode is not simulated: positions are one-way."));
    }
    Err(Refusal::new(-4059, "No need to change position side."))
}

/// `GET /fapi/v1/multiAssetsMargin`.
pub fn asset_mode(_: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    Ok(json!({"multiAssetsMargin": false}))
}

/// `POST /fapi/v1/leverage`.
pub fn set_leverage(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    let name = params.need("symbol")?;
    let at = section.symbol(name)?;
    let leverage = params.integer("leverage")?.ok_or_else(|| Refusal::missing("leverage"))?;
    let invalid = || Refusal::new(-4028, format!("Leverage {leverage} is not valid"));
    let wanted = u32::try_from(leverage).map_err(|_| invalid())?;
    let accounts = venue.sections[product as usize].exchange.accounts_mut();
    accounts.set_leverage(account, InstrumentId(at as u16), wanted).map_err(|_| invalid())?;
    Ok(json!({"symbol": name, "leverage": wanted, "maxNotionalValue": "100000000"}))
}

/// `POST /fapi/v1/marginType`: margin is crossed.
pub fn set_margin_type(
    _: &mut Venue,
    _: Product,
    _: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    if params.need("marginType")? == "CROSSED" {
        return Err(Refusal::new(-4046, "No need to change margin type."));
    }
    Err(Refusal::new(-4067, "Isolated margin is not simulated: margin is crossed."))
}

/// `listenKey` of USD-M: made, kept and closed.
pub fn listen_key(
    venue: &mut Venue,
    _: Product,
    member: Option<usize>,
    _: &Params,
) -> Outcome<Value> {
    let member = member.ok_or_else(|| Refusal::new(-2015, "Invalid API-key."))?;
    Ok(json!({"listenKey": venue.listen_key(member)}))
}

/// Listen keys of spot, which the venue has retired.
pub fn gone(_: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    let message = "This endpoint is no longer available. Subscribe to the user data stream over \
                   the WebSocket API.";
    Err(Refusal::with_status(410, -1099, message))
}

/// `GET /sapi/v1/capital/config/getall`.
pub fn coins(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    _: &Params,
) -> Outcome<Value> {
    let (section, account) = own(venue, product, member)?;
    let accounts = section.exchange.accounts();
    let show = |asset: &String| {
        let balance = accounts.balance(account, asset);
        json!({
            "coin": asset, "name": asset, "depositAllEnable": false, "withdrawAllEnable": false,
            "free": money(balance.wallet.0 - balance.locked.0),
            "locked": money(balance.locked.0), "freeze": "0", "withdrawing": "0", "ipoing": "0",
            "ipoable": "0", "storage": "0", "isLegalMoney": false, "trading": true,
            "networkList": [],
        })
    };
    Ok(accounts.currencies().iter().map(show).collect())
}

/// An empty list.
pub fn nothing(_: &mut Venue, _: Product, _: Option<usize>, _: &Params) -> Outcome<Value> {
    Ok(json!([]))
}

/// `GET /sapi/v1/asset/tradeFee`.
pub fn trade_fees(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    _: &Params,
) -> Outcome<Value> {
    let (section, _) = own(venue, product, member)?;
    let show = |symbol: &crate::section::Symbol| {
        let instrument = &symbol.instrument;
        json!({
            "symbol": instrument.symbol, "makerCommission": instrument.maker_fee.to_string(),
            "takerCommission": instrument.taker_fee.to_string(),
        })
    };
    Ok(section.desk.symbols.iter().map(show).collect())
}
