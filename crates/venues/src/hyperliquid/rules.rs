//! What Hyperliquid takes, and where it is.

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
    lives: [
        NATIVE,
        NATIVE,
        Support::Refused("the venue has no fill-or-kill"),
        Support::Emulated("sent as good till cancelled; cancelled by us"),
    ],
    post_only: NATIVE,
    reduce_only: NATIVE,
    amend: AmendRule::Replace { shrinks_in_place: false },
    max_place_batch: 100,
    max_cancel_batch: 100,
    cancel_all: Support::Emulated("open orders are listed and cancelled in batches"),
    countdown: NATIVE,
    min_countdown_ms: 5_000,
    client_ids: ClientIdForm::Hex128,
    budgets: &[
        Budget {
            name: "request weight",
            limit: 1_200,
            per_ms: 60_000,
            slides: true,
            header: "",
            header_is_left: false,
            counts: Counted::Weight,
        },
        Budget {
            name: "websocket messages",
            limit: 2_000,
            per_ms: 60_000,
            slides: true,
            header: "",
            header_is_left: false,
            counts: Counted::Weight,
        },
    ],
};

pub(super) const HEARTBEAT: Heartbeat =
    Heartbeat { ping: "{\"method\":\"ping\"}", every_ms: 30_000, silence_ms: 60_000, life_ms: 0 };

/// How the protocol hangs together.
pub(super) const fn wiring(spot: bool) -> Wiring {
    Wiring {
        user: UserBy::Address,
        unsubscribe: ("\"method\":\"subscribe\"", "\"method\":\"unsubscribe\""),
        positions: !spot,
        fills_page: 2_000,
        fills_ascend: true,
        ..PLAIN
    }
}

pub(super) const fn endpoints(network: Network) -> Endpoints {
    match network {
        Network::Main => Endpoints {
            rest: "https://api.hyperliquid.xyz",
            market: ["wss://api.hyperliquid.xyz/ws", "wss://api.hyperliquid.xyz/ws"],
            user: "wss://api.hyperliquid.xyz/ws",
            trade: "wss://api.hyperliquid.xyz/ws",
            chain: "",
        },
        Network::Test => Endpoints {
            rest: "https://api.hyperliquid-testnet.xyz",
            market: [
                "wss://api.hyperliquid-testnet.xyz/ws",
                "wss://api.hyperliquid-testnet.xyz/ws",
            ],
            user: "wss://api.hyperliquid-testnet.xyz/ws",
            trade: "wss://api.hyperliquid-testnet.xyz/ws",
            chain: "",
        },
    }
}
