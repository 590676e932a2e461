//! What OKX takes, and where it is.

use super::Product;
use crate::client_id::ClientIdForm;
use crate::operation::Asked;
use crate::rules::{AmendRule, Budget, Counted, Rules, Support, NATIVE};
use crate::session::wiring::{UserBy, Wiring, PLAIN};
use crate::venue::{Endpoints, Heartbeat, Network};

const fn per_2s(name: &'static str, limit: u32, counts: Counted) -> Budget {
    Budget { name, limit, per_ms: 2_000, slides: true, header: "", header_is_left: false, counts }
}

pub(super) const RULES: Rules = Rules {
    order_types: [
        NATIVE,
        NATIVE,
        NATIVE,
        NATIVE,
        NATIVE,
        Support::Refused(
            "the venue trails by a ratio or a spread of its own: trail in the strategy",
        ),
        Support::Refused("icebergs are an algorithm of the venue: slice in the strategy"),
        Support::Refused("the venue has no pegs: peg in the strategy"),
    ],
    lives: [
        NATIVE,
        NATIVE,
        NATIVE,
        Support::Emulated("sent as good till cancelled; cancelled by us"),
    ],
    post_only: NATIVE,
    reduce_only: NATIVE,
    amend: AmendRule::InPlace,
    max_place_batch: 20,
    max_cancel_batch: 20,
    cancel_all: Support::Emulated("open orders are listed and cancelled in batches"),
    countdown: NATIVE,
    min_countdown_ms: 10_000,
    client_ids: ClientIdForm::Text,
    budgets: &[
        per_2s("orders of an instrument", 60, Counted::Of(&[Asked::Place])),
        per_2s("cancels of an instrument", 60, Counted::Of(&[Asked::Cancel])),
        per_2s("amends of an instrument", 60, Counted::Of(&[Asked::Amend])),
        per_2s("orders in batches", 300, Counted::Of(&[Asked::PlaceMany, Asked::CancelMany])),
        per_2s("orders and amends of a sub-account", 1_000, Counted::Orders),
        per_2s("snapshots of books", 40, Counted::Of(&[Asked::Market])),
        per_2s("balances", 10, Counted::Of(&[Asked::Balances])),
    ],
};

pub(super) const HEARTBEAT: Heartbeat =
    Heartbeat { ping: "ping", every_ms: 20_000, silence_ms: 30_000, life_ms: 0 };

/// How the protocol hangs together. Orders that wait for their trigger are told of at `/business` alone,
/// since June 2023: <https://www.okx.com/help-center/changes-to-v5-api-websocket-subscription-parameter-and-url>.
pub(super) const fn wiring(product: Product) -> Wiring {
    Wiring {
        user: UserBy::LogIn,
        trade_log_in: true,
        unsubscribe: ("\"op\":\"subscribe\"", "\"op\":\"unsubscribe\""),
        clock_codes: &["50102", "50112", "60006"],
        positions: !matches!(product, Product::Spot),
        fills_page: 100,
        orders_page: 100,
        armed_apart: true,
        armed_amends: true,
        armed_lists: 2,
        armed_stream: ("/v5/private", "/v5/business"),
        ..PLAIN
    }
}

pub(super) const fn endpoints(network: Network) -> Endpoints {
    match network {
        Network::Main => Endpoints {
            rest: "https://www.okx.com",
            market: ["wss://ws.okx.com:8443/ws/v5/public", "wss://ws.okx.com:8443/ws/v5/public"],
            user: "wss://ws.okx.com:8443/ws/v5/private",
            trade: "wss://ws.okx.com:8443/ws/v5/private",
            chain: "",
        },
        Network::Test => Endpoints {
            rest: "https://www.okx.com",
            market: [
                "wss://wspap.okx.com:8443/ws/v5/public",
                "wss://wspap.okx.com:8443/ws/v5/public",
            ],
            user: "wss://wspap.okx.com:8443/ws/v5/private",
            trade: "wss://wspap.okx.com:8443/ws/v5/private",
            chain: "",
        },
    }
}
