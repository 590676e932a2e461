//! What dYdX takes, and where it is.

use crate::client_id::ClientIdForm;
use crate::rules::{AmendRule, Budget, Counted, Rules, Support, NATIVE};
use crate::session::wiring::{UserBy, Wiring, PLAIN};
use crate::venue::{Endpoints, Heartbeat, Network};

pub(super) const RULES: Rules = Rules {
    order_types: [
        NATIVE,
        Support::Emulated("an immediate-or-cancel order at the worst price that is allowed"),
        NATIVE,
        NATIVE,
        NATIVE,
        Support::Refused("the venue has no trailing stops: trail in the strategy"),
        Support::Refused("the venue has no icebergs: slice in the strategy"),
        Support::Refused("the venue has no pegs: peg in the strategy"),
    ],
    lives: [NATIVE, NATIVE, Support::Refused("the chain no longer takes fill-or-kill"), NATIVE],
    post_only: NATIVE,
    reduce_only: NATIVE,
    amend: AmendRule::InPlace,
    max_place_batch: 1,
    max_cancel_batch: 100,
    cancel_all: Support::Emulated("open orders are listed and cancelled"),
    countdown: Support::Emulated("short-term orders end by themselves within some twenty blocks"),
    min_countdown_ms: 0,
    client_ids: ClientIdForm::Number,
    budgets: &[
        Budget {
            name: "requests to the indexer",
            limit: 100,
            per_ms: 10_000,
            header: "RateLimit-Remaining",
            header_is_left: true,
            counts: Counted::Weight,
        },
        Budget {
            name: "short-term orders and cancels in five blocks",
            limit: 4_000,
            per_ms: 5_000,
            header: "",
            header_is_left: false,
            counts: Counted::Orders,
        },
        Budget {
            name: "long-term orders a block",
            limit: 2,
            per_ms: 1_000,
            header: "",
            header_is_left: false,
            counts: Counted::Of(&[]),
        },
    ],
};

pub(super) const HEARTBEAT: Heartbeat =
    Heartbeat { ping: "", every_ms: 0, silence_ms: 60_000, life_ms: 0 };

/// How the protocol hangs together.
pub(super) const WIRING: Wiring = Wiring {
    user: UserBy::Address,
    unsubscribe: ("\"type\":\"subscribe\"", "\"type\":\"unsubscribe\""),
    fills_page: 100,
    ..PLAIN
};

pub(super) const fn endpoints(network: Network) -> Endpoints {
    match network {
        Network::Main => Endpoints {
            rest: "https://indexer.dydx.trade",
            market: ["wss://indexer.dydx.trade/v4/ws", "wss://indexer.dydx.trade/v4/ws"],
            user: "wss://indexer.dydx.trade/v4/ws",
            trade: "",
            chain: "https://dydx-ops-rpc.kingnodes.com",
        },
        Network::Test => Endpoints {
            rest: "https://indexer.v4testnet.dydx.exchange",
            market: [
                "wss://indexer.v4testnet.dydx.exchange/v4/ws",
                "wss://indexer.v4testnet.dydx.exchange/v4/ws",
            ],
            user: "wss://indexer.v4testnet.dydx.exchange/v4/ws",
            trade: "",
            chain: "https://test-dydx-rpc.kingnodes.com",
        },
    }
}
