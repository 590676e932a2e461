//! From a member's parameters to the terms of an order, with the venue's filters.

use mainspring_core::order::{OrderFlags, OrderTerms, OrderType, SelfTradePrevention, Side};
use mainspring_core::{Decimal, InstrumentId, Lots, Ticks, TimeInForce};
use mainspring_exchange::AccountId;

use super::error::{Outcome, Refusal};
use super::params::Params;
use super::public::MAX_ORDERS;
use super::render::working_type;
use crate::section::{time_in_force, Placement, Product, Section, Symbol};

/// Types by the venue's names: `(name, type, whether it has a limit price, whether it has a trigger)`.
type Kind = (&'static str, OrderType, bool, bool);

const SPOT_KINDS: [Kind; 6] = [
    ("LIMIT", OrderType::Limit, true, false),
    ("LIMIT_MAKER", OrderType::Limit, true, false),
    ("MARKET", OrderType::Market, false, false),
    ("STOP_LOSS", OrderType::Stop, false, true),
    ("STOP_LOSS_LIMIT", OrderType::StopLimit, true, true),
    ("TAKE_PROFIT", OrderType::TakeProfit, false, true),
];

const USDM_KINDS: [Kind; 2] =
    [("LIMIT", OrderType::Limit, true, false), ("MARKET", OrderType::Market, false, false)];

const ALGO_KINDS: [Kind; 4] = [
    ("STOP", OrderType::StopLimit, true, true),
    ("STOP_MARKET", OrderType::Stop, false, true),
    ("TAKE_PROFIT_MARKET", OrderType::TakeProfit, false, true),
    ("TRAILING_STOP_MARKET", OrderType::TrailingStop, false, false),
];

/// An order's parameters, checked as the venue checks them before matching.
///
/// # Errors
/// The venue's code for what is wrong.
pub fn placement(
    section: &Section,
    account: AccountId,
    params: &Params,
    is_algo: bool,
) -> Outcome<Placement> {
    let product = section.desk.product;
    let symbol = section.symbol(params.need("symbol")?)?;
    let own = &section.desk.symbols[symbol];
    let side = match params.need("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(Refusal::new(-1117, "Invalid side.")),
    };
    let kind = kind_of(product, params.need("type")?, is_algo)?;
    let (type_name, order_type, has_limit, has_trigger) = kind;
    check_position_side(params)?;
    let instrument = InstrumentId(symbol as u16);
    let mut terms = OrderTerms::limit(instrument, side, Ticks(0), Lots(0));
    terms.order_type = order_type;
    let tif_name = match params.get("timeInForce") {
        None if has_limit && !is_algo && type_name != "LIMIT_MAKER" => {
            return Err(Refusal::missing("timeInForce"));
        }
        None => "GTC",
        Some(name) => name,
    };
    let (tif_name, tif) =
        time_in_force(tif_name).ok_or_else(|| Refusal::new(-1115, "Invalid timeInForce."))?;
    terms.time_in_force = tif;
    if tif == TimeInForce::Gtd {
        let until = params.integer("goodTillDate")?;
        terms.expire_ns =
            until.ok_or_else(|| Refusal::missing("goodTillDate"))?.saturating_mul(1_000_000);
    }
    if type_name == "LIMIT_MAKER" || tif_name == "GTX" {
        terms.flags = terms.flags.with(OrderFlags::POST_ONLY);
    }
    if params.flag("reduceOnly") {
        terms.flags = terms.flags.with(OrderFlags::REDUCE_ONLY);
    }
    if has_limit {
        terms.price = price_of(product, own, "price", params)?;
    }
    if has_trigger {
        let name = if is_algo { "triggerPrice" } else { "stopPrice" };
        if product == Product::Spot && params.get(name).is_none() {
            set_trail(section, symbol, params, &mut terms)?;
        } else {
            terms.trigger = price_of(product, own, name, params)?;
        }
    }
    if order_type == OrderType::TrailingStop {
        set_callback(section, symbol, params, &mut terms)?;
    }
    terms.qty = quantity_of(section, symbol, side, params)?;
    if let Some(shown) = params.decimal("icebergQty")? {
        terms.display = lots_of(product, own, shown)?;
        if terms.display.0 > 0 && order_type == OrderType::Limit {
            terms.order_type = OrderType::Iceberg;
        }
    }
    if section.desk.records.open_count(account) >= MAX_ORDERS {
        return Err(Refusal::filter("MAX_NUM_ORDERS"));
    }
    Ok(Placement {
        account,
        symbol,
        terms,
        client_id: client_id(params, is_algo)?,
        type_name,
        time_in_force: tif_name,
        self_trade: self_trade(params, product)?,
        working_type: working_type(params.get("workingType")),
        chain: Default::default(),
    })
}

fn kind_of(product: Product, name: &str, is_algo: bool) -> Outcome<Kind> {
    let kinds: &[Kind] = match (product, is_algo) {
        (Product::Spot, _) => &SPOT_KINDS,
        (Product::Usdm, false) => &USDM_KINDS,
        (Product::Usdm, true) => &ALGO_KINDS,
    };
    if let Some(kind) = kinds.iter().find(|kind| kind.0 == name) {
        return Ok(*kind);
    }
    if product == Product::Usdm && ALGO_KINDS.iter().any(|kind| kind.0 == name) {
        let message = "Order type not supported for this endpoint. Please use the Algo Order API \
                       endpoints instead.";
        return Err(Refusal::new(-4120, message));
    }
    Err(Refusal::new(-1116, "Invalid orderType."))
}

fn check_position_side(params: &Params) -> Outcome<()> {
    match params.get("positionSide") {
        None | Some("BOTH") => Ok(()),
        Some(_) => {
            let message = "Order's position side does not match user's setting.";
            Err(Refusal::new(-4061, message))
        }
    }
}

fn client_id(params: &Params, is_algo: bool) -> Outcome<String> {
    let name = if is_algo { "clientAlgoId" } else { "newClientOrderId" };
    let id = params.get(name).unwrap_or_default();
    let valid = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    if id.len() > 36 || !id.chars().all(valid) {
        return Err(Refusal::illegal(name));
    }
    Ok(id.to_owned())
}

fn self_trade(
    params: &Params,
    product: Product,
) -> Outcome<(&'static str, Option<SelfTradePrevention>)> {
    let default = match product {
        Product::Spot => "EXPIRE_MAKER",
        Product::Usdm => "EXPIRE_MAKER",
    };
    Ok(match params.get("selfTradePreventionMode").unwrap_or(default) {
        "NONE" => ("NONE", None),
        "EXPIRE_TAKER" => ("EXPIRE_TAKER", Some(SelfTradePrevention::CancelNewest)),
        "EXPIRE_MAKER" => ("EXPIRE_MAKER", Some(SelfTradePrevention::CancelOldest)),
        "EXPIRE_BOTH" => ("EXPIRE_BOTH", Some(SelfTradePrevention::CancelBoth)),
        _ => return Err(Refusal::new(-1145, "Invalid selfTradePreventionMode.")),
    })
}

/// A price on the symbol's grid.
///
/// # Errors
/// The venue's code for a price off it.
pub fn price_of(product: Product, symbol: &Symbol, name: &str, params: &Params) -> Outcome<Ticks> {
    let price = params.decimal(name)?.ok_or_else(|| Refusal::missing(name))?;
    let ticks = price.count_of(symbol.instrument.tick()).filter(|ticks| *ticks > 0);
    ticks.map(Ticks).ok_or_else(|| match product {
        Product::Spot => Refusal::filter("PRICE_FILTER"),
        Product::Usdm => Refusal::new(-4014, "Price not increased by tick size."),
    })
}

fn lots_of(product: Product, symbol: &Symbol, qty: Decimal) -> Outcome<Lots> {
    let instrument = &symbol.instrument;
    let lots = qty.count_of(instrument.lot).map(Lots);
    let within = |lots: &Lots| *lots >= instrument.min_qty && *lots <= instrument.max_qty;
    lots.filter(within).ok_or_else(|| match (product, lots) {
        (Product::Spot, _) => Refusal::filter("LOT_SIZE"),
        (Product::Usdm, None) => {
            Refusal::new(-1111, "Precision is over the maximum defined for this asset.")
        }
        (Product::Usdm, Some(lots)) if lots.0 <= 0 => {
            Refusal::new(-4003, "Quantity less than or equal to zero.")
        }
        (Product::Usdm, Some(_)) => Refusal::new(-4005, "Quantity greater than max quantity."),
    })
}

/// The quantity asked for, or what a sum of quote comes to.
fn quantity_of(section: &Section, symbol: usize, side: Side, params: &Params) -> Outcome<Lots> {
    let own = &section.desk.symbols[symbol];
    let product = section.desk.product;
    if let Some(qty) = params.decimal("quantity")? {
        return lots_of(product, own, qty);
    }
    match params.decimal("quoteOrderQty")? {
        Some(quote) if product == Product::Spot && params.get("type") == Some("MARKET") => {
            let lots = section.lots_for(symbol, side, quote);
            if lots < own.instrument.min_qty {
                return Err(Refusal::filter("NOTIONAL"));
            }
            Ok(lots)
        }
        _ => Err(Refusal::missing("quantity")),
    }
}

/// Spot: a trailing stop in basis points of the last price.
fn set_trail(
    section: &Section,
    symbol: usize,
    params: &Params,
    terms: &mut OrderTerms,
) -> Outcome<()> {
    let delta = params.integer("trailingDelta")?.ok_or_else(|| Refusal::missing("stopPrice"))?;
    trail(section, symbol, delta as f64 * 1e-4, terms)
}

/// USD-M: a trailing stop in per cent of the last price.
fn set_callback(
    section: &Section,
    symbol: usize,
    params: &Params,
    terms: &mut OrderTerms,
) -> Outcome<()> {
    let rate = params.decimal("callbackRate")?;
    let rate = rate.ok_or_else(|| Refusal::missing("callbackRate"))?.to_f64();
    trail(section, symbol, rate * 0.01, terms)
}

fn trail(section: &Section, symbol: usize, share: f64, terms: &mut OrderTerms) -> Outcome<()> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Refusal::new(-2007, "Invalid callBack rate."));
    }
    let last = section.market(symbol).last_trade();
    let last = last.ok_or_else(|| Refusal::new(-2021, "There is no price to trail yet."))?;
    terms.order_type = OrderType::TrailingStop;
    terms.offset = Ticks(((last.0 as f64 * share) as i64).max(1));
    Ok(())
}
