//! Which paths there are, what they weigh and what they need.

use serde_json::Value;

use super::error::Outcome;
use super::params::Params;
use super::request::Request;
use super::{account, orders, public};
use crate::section::Product;
use crate::venue::Venue;

/// What a request must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    None,
    /// A known key.
    Key,
    /// A key, a signature and a timestamp.
    Signed,
}

/// Carries a request out. The member is there when the route needs one.
pub type Run = fn(&mut Venue, Product, Option<usize>, &Params) -> Outcome<Value>;

/// How a request's weight is reckoned.
#[derive(Clone, Copy, Debug)]
enum Weight {
    Fixed(u32),
    /// With a symbol, and without one.
    Symbol(u32, u32),
    Depth,
}

/// A path and what it does.
#[derive(Clone, Copy)]
pub struct Route {
    /// Which product.
    pub product: Product,
    /// What it needs.
    pub security: Security,
    weight: Weight,
    /// How many orders it counts as.
    pub orders: u32,
    /// What it does.
    pub run: Run,
}

impl Route {
    /// The weight of a request.
    #[must_use]
    pub fn weight(&self, params: &Params) -> u32 {
        match self.weight {
            Weight::Fixed(weight) => weight,
            Weight::Symbol(one, all) => {
                if params.get("symbol").is_some() {
                    one
                } else {
                    all
                }
            }
            Weight::Depth => {
                let limit = params.integer("limit").ok().flatten().unwrap_or(100);
                match (self.product, limit) {
                    (Product::Spot, ..=100) => 5,
                    (Product::Spot, 101..=500) => 25,
                    (Product::Spot, 501..=1_000) => 50,
                    (Product::Spot, _) => 250,
                    (Product::Usdm, ..=50) => 2,
                    (Product::Usdm, 51..=100) => 5,
                    (Product::Usdm, 101..=500) => 10,
                    (Product::Usdm, _) => 20,
                }
            }
        }
    }
}

/// The route of a request.
#[must_use]
pub fn find(request: &Request<'_>) -> Option<Route> {
    let (method, path) = (request.method, request.path);
    if let Some(rest) = path.strip_prefix("/api/v3/") {
        return spot(method, rest);
    }
    if let Some(rest) = path.strip_prefix("/sapi/v1/") {
        return wallet(method, rest);
    }
    if (method, path) == ("GET", "/dapi/v1/exchangeInfo") {
        let (security, run): (_, Run) = (Security::None, public::no_coin_margined);
        let weight = Weight::Fixed(1);
        return Some(Route { product: Product::Usdm, security, weight, orders: 0, run });
    }
    let rest = path.strip_prefix("/fapi/")?;
    let (_version, rest) = rest.split_once('/')?;
    usdm(method, rest)
}

fn spot(method: &str, path: &str) -> Option<Route> {
    use Security::{Key, None as Open, Signed};
    let (security, weight, orders, run): (_, _, _, Run) = match (method, path) {
        ("GET", "ping") => (Open, Weight::Fixed(1), 0, public::ping),
        ("GET", "time") => (Open, Weight::Fixed(1), 0, public::time),
        ("GET", "exchangeInfo") => (Open, Weight::Fixed(20), 0, public::exchange_info),
        ("GET", "depth") => (Open, Weight::Depth, 0, public::depth),
        ("GET", "trades" | "historicalTrades") => (Open, Weight::Fixed(25), 0, public::trades),
        ("GET", "aggTrades") => (Open, Weight::Fixed(4), 0, public::aggregate_trades),
        ("GET", "klines" | "uiKlines") => (Open, Weight::Fixed(2), 0, public::klines),
        ("GET", "avgPrice") => (Open, Weight::Fixed(2), 0, public::average_price),
        ("GET", "ticker/24hr" | "ticker") => (Open, Weight::Symbol(2, 80), 0, public::day),
        ("GET", "ticker/price") => (Open, Weight::Symbol(2, 4), 0, public::prices),
        ("GET", "ticker/bookTicker") => (Open, Weight::Symbol(2, 4), 0, public::best_prices),
        ("POST", "order") => (Signed, Weight::Fixed(1), 1, orders::place),
        ("POST", "order/test") => (Signed, Weight::Fixed(1), 0, orders::test),
        ("GET", "order") => (Signed, Weight::Fixed(4), 0, orders::query),
        ("DELETE", "order") => (Signed, Weight::Fixed(1), 0, orders::cancel),
        ("POST", "order/cancelReplace") => (Signed, Weight::Fixed(1), 1, orders::cancel_replace),
        ("PUT", "order/amend/keepPriority") => (Signed, Weight::Fixed(4), 0, orders::amend_keep),
        ("GET", "openOrders") => (Signed, Weight::Symbol(6, 80), 0, orders::open),
        ("DELETE", "openOrders") => (Signed, Weight::Fixed(1), 0, orders::cancel_all),
        ("GET", "allOrders") => (Signed, Weight::Fixed(20), 0, orders::all),
        ("GET", "myTrades") => (Signed, Weight::Fixed(20), 0, orders::fills),
        ("GET", "account") => (Signed, Weight::Fixed(20), 0, account::spot),
        ("GET", "account/commission") => (Signed, Weight::Fixed(20), 0, account::commission),
        ("GET", "rateLimit/order") => (Signed, Weight::Fixed(40), 0, account::order_limits),
        ("POST" | "PUT" | "DELETE", "userDataStream") => (Key, Weight::Fixed(2), 0, account::gone),
        _ => return None,
    };
    Some(Route { product: Product::Spot, security, weight, orders, run })
}

fn usdm(method: &str, path: &str) -> Option<Route> {
    use Security::{Key, None as Open, Signed};
    let (security, weight, orders, run): (_, _, _, Run) = match (method, path) {
        ("GET", "ping") => (Open, Weight::Fixed(1), 0, public::ping),
        ("GET", "time") => (Open, Weight::Fixed(1), 0, public::time),
        ("GET", "exchangeInfo") => (Open, Weight::Fixed(1), 0, public::exchange_info),
        ("GET", "depth" | "rpiDepth") => (Open, Weight::Depth, 0, public::depth),
        ("GET", "trades" | "historicalTrades") => (Open, Weight::Fixed(5), 0, public::trades),
        ("GET", "aggTrades") => (Open, Weight::Fixed(20), 0, public::aggregate_trades),
        ("GET", "klines" | "markPriceKlines" | "indexPriceKlines") => {
            (Open, Weight::Fixed(5), 0, public::klines)
        }
        ("GET", "ticker/24hr") => (Open, Weight::Symbol(1, 40), 0, public::day),
        ("GET", "ticker/price") => (Open, Weight::Symbol(1, 2), 0, public::prices),
        ("GET", "ticker/bookTicker") => (Open, Weight::Symbol(2, 5), 0, public::best_prices),
        ("GET", "premiumIndex") => (Open, Weight::Symbol(1, 10), 0, public::premium_index),
        ("GET", "fundingRate" | "fundingInfo") => (Open, Weight::Fixed(1), 0, public::funding),
        ("GET", "openInterest") => (Open, Weight::Fixed(1), 0, public::open_interest),
        ("POST", "order") => (Signed, Weight::Fixed(0), 1, orders::place),
        ("POST", "order/test") => (Signed, Weight::Fixed(0), 0, orders::test),
        ("PUT", "order") => (Signed, Weight::Fixed(1), 1, orders::modify),
        ("GET", "order" | "openOrder") => (Signed, Weight::Fixed(1), 0, orders::query),
        ("DELETE", "order") => (Signed, Weight::Fixed(1), 0, orders::cancel),
        ("POST", "batchOrders") => (Signed, Weight::Fixed(5), 5, orders::place_batch),
        ("DELETE", "batchOrders") => (Signed, Weight::Fixed(1), 0, orders::cancel_batch),
        ("GET", "openOrders") => (Signed, Weight::Symbol(1, 40), 0, orders::open),
        ("DELETE", "allOpenOrders") => (Signed, Weight::Fixed(1), 0, orders::cancel_all),
        ("GET", "allOrders") => (Signed, Weight::Fixed(5), 0, orders::all),
        ("GET", "userTrades") => (Signed, Weight::Fixed(5), 0, orders::fills),
        ("POST", "algoOrder") => (Signed, Weight::Fixed(0), 1, orders::place_algo),
        ("GET", "algoOrder") => (Signed, Weight::Fixed(1), 0, orders::query_algo),
        ("DELETE", "algoOrder") => (Signed, Weight::Fixed(1), 0, orders::cancel_algo),
        ("GET", "openAlgoOrders") => (Signed, Weight::Symbol(1, 40), 0, orders::open_algo),
        ("DELETE", "algoOpenOrders") => (Signed, Weight::Fixed(1), 0, orders::cancel_all_algo),
        ("POST", "countdownCancelAll") => (Signed, Weight::Fixed(10), 0, orders::countdown),
        ("GET", "account") => (Signed, Weight::Fixed(5), 0, account::usdm),
        ("GET", "balance") => (Signed, Weight::Fixed(5), 0, account::balances),
        ("GET", "positionRisk") => (Signed, Weight::Fixed(5), 0, account::positions),
        ("GET", "leverageBracket") => (Signed, Weight::Fixed(1), 0, account::brackets),
        ("GET", "symbolConfig") => (Signed, Weight::Fixed(5), 0, account::symbol_config),
        ("GET", "commissionRate") => (Signed, Weight::Fixed(20), 0, account::commission),
        ("GET", "positionSide/dual") => (Signed, Weight::Fixed(30), 0, account::position_mode),
        ("POST", "positionSide/dual") => (Signed, Weight::Fixed(1), 0, account::set_position_mode),
        ("GET", "multiAssetsMargin") => (Signed, Weight::Fixed(30), 0, account::asset_mode),
        ("POST", "leverage") => (Signed, Weight::Fixed(1), 0, account::set_leverage),
        ("POST", "marginType") => (Signed, Weight::Fixed(1), 0, account::set_margin_type),
        ("POST" | "PUT" | "DELETE", "listenKey") => (Key, Weight::Fixed(1), 0, account::listen_key),
        _ => return None,
    };
    Some(Route { product: Product::Usdm, security, weight, orders, run })
}

/// What client libraries ask of the wallet before they trade.
fn wallet(method: &str, path: &str) -> Option<Route> {
    let run: Run = match (method, path) {
        ("GET", "capital/config/getall") => account::coins,
        ("GET", "margin/allPairs" | "margin/isolated/allPairs") => account::nothing,
        ("GET", "asset/tradeFee") => account::trade_fees,
        _ => return None,
    };
    let security = Security::Signed;
    Some(Route { product: Product::Spot, security, weight: Weight::Fixed(1), orders: 0, run })
}

/// Method and path behind a method of the WebSocket API.
#[must_use]
pub fn of_ws_method(product: Product, name: &str) -> Option<(&'static str, &'static str)> {
    if product == Product::Usdm {
        return Some(match name {
            "ping" => ("GET", "/fapi/v1/ping"),
            "time" => ("GET", "/fapi/v1/time"),
            "depth" => ("GET", "/fapi/v1/depth"),
            "ticker.price" => ("GET", "/fapi/v1/ticker/price"),
            "ticker.book" => ("GET", "/fapi/v1/ticker/bookTicker"),
            "order.place" => ("POST", "/fapi/v1/order"),
            "order.modify" => ("PUT", "/fapi/v1/order"),
            "order.cancel" => ("DELETE", "/fapi/v1/order"),
            "order.status" => ("GET", "/fapi/v1/order"),
            "algoOrder.place" => ("POST", "/fapi/v1/algoOrder"),
            "algoOrder.cancel" => ("DELETE", "/fapi/v1/algoOrder"),
            "account.status" | "v2/account.status" => ("GET", "/fapi/v2/account"),
            "account.balance" | "v2/account.balance" => ("GET", "/fapi/v2/balance"),
            "account.position" | "v2/account.position" => ("GET", "/fapi/v2/positionRisk"),
            "userDataStream.start" => ("POST", "/fapi/v1/listenKey"),
            "userDataStream.ping" => ("PUT", "/fapi/v1/listenKey"),
            "userDataStream.stop" => ("DELETE", "/fapi/v1/listenKey"),
            _ => return None,
        });
    }
    Some(match name {
        "ping" => ("GET", "/api/v3/ping"),
        "time" => ("GET", "/api/v3/time"),
        "exchangeInfo" => ("GET", "/api/v3/exchangeInfo"),
        "depth" => ("GET", "/api/v3/depth"),
        "trades.recent" | "trades.historical" => ("GET", "/api/v3/trades"),
        "trades.aggregate" => ("GET", "/api/v3/aggTrades"),
        "klines" | "uiKlines" => ("GET", "/api/v3/klines"),
        "avgPrice" => ("GET", "/api/v3/avgPrice"),
        "ticker.24hr" | "ticker" => ("GET", "/api/v3/ticker/24hr"),
        "ticker.price" => ("GET", "/api/v3/ticker/price"),
        "ticker.book" => ("GET", "/api/v3/ticker/bookTicker"),
        "order.place" => ("POST", "/api/v3/order"),
        "order.test" => ("POST", "/api/v3/order/test"),
        "order.status" => ("GET", "/api/v3/order"),
        "order.cancel" => ("DELETE", "/api/v3/order"),
        "order.cancelReplace" => ("POST", "/api/v3/order/cancelReplace"),
        "order.amend.keepPriority" => ("PUT", "/api/v3/order/amend/keepPriority"),
        "openOrders.status" => ("GET", "/api/v3/openOrders"),
        "openOrders.cancelAll" => ("DELETE", "/api/v3/openOrders"),
        "allOrders" => ("GET", "/api/v3/allOrders"),
        "myTrades" => ("GET", "/api/v3/myTrades"),
        "account.status" => ("GET", "/api/v3/account"),
        "account.commission" => ("GET", "/api/v3/account/commission"),
        "account.rateLimits.orders" => ("GET", "/api/v3/rateLimit/order"),
        _ => return None,
    })
}
