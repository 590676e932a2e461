//! What dYdX takes, and where it is.

use crate::client_id::ClientIdForm;
use crate::rules::{AmendRule, Budget, Counted, Rules, Support, NATIVE};
use crate::session::wiring::{UserBy, Wiring, PLAIN};
use crate::venue::{Endpoints, Heartbeat, Network};

/// Blocks come about every second; what is sent at once is told apart by a little more.
const BLOCK_MS: u64 = 1_100;

/// A budget that the chain counts over its last blocks.
const fn chain(name: &'static str, limit: u32, blocks: u64, counts: Counted) -> Budget {
    let per_ms = blocks * BLOCK_MS;
    Budget { name, limit, per_ms, slides: true, header: "", header_is_left: false, counts }
}

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
            slides: true,
            header: "RateLimit-Remaining",
            header_is_left: true,
            counts: Counted::Weight,
        },
        chain("short-term orders and cancels in five blocks", 4_000, 5, Counted::Orders),
        // A session that quotes with lasting orders has used these up after ten seconds at two a
        // second, and waits for most of two minutes then: quote with short-term ones.
        chain("long-term orders a block", 2, 1, Counted::Lasting),
        chain("long-term orders in a hundred blocks", 20, 100, Counted::Lasting),
    ],
};

pub(super) const HEARTBEAT: Heartbeat =
    Heartbeat { ping: "", every_ms: 0, silence_ms: 60_000, life_ms: 0 };

/// How the protocol hangs together.
pub(super) const WIRING: Wiring = Wiring {
    user: UserBy::Address,
    unsubscribe: ("\"type\":\"subscribe\"", "\"type\":\"unsubscribe\""),
    fills_page: 1_000,
    orders_limited_apart: true,
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
