//! What Binance takes, and where it is.

use super::Market;
use crate::client_id::ClientIdForm;
use crate::rules::{AmendRule, Budget, Counted, Rules, Support, NATIVE};
use crate::session::wiring::{SnapshotBy, UserBy, Wiring, PLAIN};
use crate::venue::{Endpoints, Heartbeat, Network};

const TRAILING: Support = Support::Refused(
    "the venue trails by a fraction of the price, not by ticks: trail in the strategy",
);
const PEGGED: Support =
    Support::Refused("the venue pegs by price levels, not by ticks: peg in the strategy");

const SPOT: Rules = Rules {
    order_types: [NATIVE, NATIVE, NATIVE, NATIVE, NATIVE, TRAILING, NATIVE, PEGGED],
    lives: [
        NATIVE,
        NATIVE,
        NATIVE,
        Support::Emulated("sent as good till cancelled; cancelled by us"),
    ],
    post_only: NATIVE,
    reduce_only: Support::Refused("spot has no positions to reduce"),
    amend: AmendRule::Replace { shrinks_in_place: true },
    max_place_batch: 1,
    max_cancel_batch: 1,
    cancel_all: NATIVE,
    countdown: Support::Refused(
        "spot has no countdown: cancel by the session's own dead-man's switch",
    ),
    min_countdown_ms: 0,
    client_ids: ClientIdForm::Text,
    budgets: &[
        Budget {
            name: "request weight",
            limit: 6_000,
            per_ms: 60_000,
            slides: false,
            header: "X-MBX-USED-WEIGHT-1M",
            header_is_left: false,
            counts: Counted::Weight,
        },
        Budget {
            name: "orders",
            limit: 100,
            per_ms: 10_000,
            slides: false,
            header: "X-MBX-ORDER-COUNT-10S",
            header_is_left: false,
            counts: Counted::Orders,
        },
        Budget {
            name: "orders a day",
            limit: 200_000,
            per_ms: 86_400_000,
            slides: false,
            header: "X-MBX-ORDER-COUNT-1D",
            header_is_left: false,
            counts: Counted::Orders,
        },
    ],
};

const FUTURES: Rules = Rules {
    order_types: [
        NATIVE,
        NATIVE,
        NATIVE,
        NATIVE,
        NATIVE,
        TRAILING,
        Support::Refused("futures have no icebergs: slice in the strategy"),
        PEGGED,
    ],
    lives: [NATIVE, NATIVE, NATIVE, NATIVE],
    post_only: NATIVE,
    reduce_only: NATIVE,
    amend: AmendRule::InPlace,
    max_place_batch: 5,
    max_cancel_batch: 10,
    cancel_all: NATIVE,
    countdown: NATIVE,
    min_countdown_ms: 1_000,
    client_ids: ClientIdForm::Text,
    budgets: &[
        Budget {
            name: "request weight",
            limit: 2_400,
            per_ms: 60_000,
            slides: false,
            header: "X-MBX-USED-WEIGHT-1M",
            header_is_left: false,
            counts: Counted::Weight,
        },
        Budget {
            name: "orders",
            limit: 300,
            per_ms: 10_000,
            slides: false,
            header: "X-MBX-ORDER-COUNT-10S",
            header_is_left: false,
            counts: Counted::Orders,
        },
        Budget {
            name: "orders a minute",
            limit: 1_200,
            per_ms: 60_000,
            slides: false,
            header: "X-MBX-ORDER-COUNT-1M",
            header_is_left: false,
            counts: Counted::Orders,
        },
    ],
};

pub(super) const fn of(market: Market) -> &'static Rules {
    match market {
        Market::Spot => &SPOT,
        Market::Futures => &FUTURES,
    }
}

/// The venue pings every 20 s (spot) or 3 min (futures) and ends a connection after a day.
pub(super) const HEARTBEAT: Heartbeat =
    Heartbeat { ping: "", every_ms: 0, silence_ms: 60_000, life_ms: 86_400_000 };

/// How the protocols hang together.
pub(super) const fn wiring(market: Market) -> Wiring {
    let plain = Wiring {
        snapshot: SnapshotBy::Request(1_000),
        clock_codes: &["-1021"],
        // A handshake has a weight, and addresses are banned from both.
        orders_socket_counts: true,
        fills_page: 1_000,
        fills_ascend: true,
        ..PLAIN
    };
    match market {
        // Listen keys of spot are gone since February 2026.
        Market::Spot => Wiring { user: UserBy::Trade, positions: false, ..plain },
        // A key lives for an hour.
        Market::Futures => Wiring {
            user: UserBy::ListenKey { keep_ms: 1_800_000 },
            countdown_each: true,
            armed_apart: true,
            armed_lists: 1,
            ..plain
        },
    }
}

pub(super) const fn endpoints(market: Market, network: Network) -> Endpoints {
    match (market, network) {
        (Market::Spot, Network::Main) => Endpoints {
            rest: "https://api.binance.com",
            market: [
                "wss://stream.binance.com:9443/stream",
                "wss://stream.binance.com:9443/stream",
            ],
            user: "wss://ws-api.binance.com/ws-api/v3",
            trade: "wss://ws-api.binance.com/ws-api/v3",
            chain: "",
        },
        (Market::Spot, Network::Test) => Endpoints {
            rest: "https://testnet.binance.vision",
            market: [
                "wss://stream.testnet.binance.vision/stream",
                "wss://stream.testnet.binance.vision/stream",
            ],
            user: "wss://ws-api.testnet.binance.vision/ws-api/v3",
            trade: "wss://ws-api.testnet.binance.vision/ws-api/v3",
            chain: "",
        },
        (Market::Futures, Network::Main) => Endpoints {
            rest: "https://fapi.binance.com",
            market: [
                "wss://fstream.binance.com/public/stream",
                "wss://fstream.binance.com/market/stream",
            ],
            user: "wss://fstream.binance.com/private/ws",
            trade: "wss://ws-fapi.binance.com/ws-fapi/v1",
            chain: "",
        },
        (Market::Futures, Network::Test) => Endpoints {
            rest: "https://demo-fapi.binance.com",
            market: [
                "wss://fstream.binancefuture.com/public/stream",
                "wss://fstream.binancefuture.com/market/stream",
            ],
            user: "wss://fstream.binancefuture.com/private/ws",
            trade: "wss://testnet.binancefuture.com/ws-fapi/v1",
            chain: "",
        },
    }
}
