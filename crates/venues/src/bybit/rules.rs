//! What Bybit takes, and where it is.

use super::Category;
use crate::client_id::ClientIdForm;
use crate::operation::Asked;
use crate::rules::{AmendRule, Budget, Counted, Rules, Support, NATIVE};
use crate::session::wiring::{UserBy, Wiring, PLAIN};
use crate::venue::{Endpoints, Heartbeat, Network};

const fn per_second(name: &'static str, limit: u32, counts: Counted) -> Budget {
    let header = "X-Bapi-Limit-Status";
    Budget { name, limit, per_ms: 1_000, slides: true, header, header_is_left: true, counts }
}

const BY_ADDRESS: Budget = Budget {
    name: "requests of an address",
    limit: 600,
    per_ms: 5_000,
    slides: true,
    header: "",
    header_is_left: false,
    counts: Counted::Weight,
};

const LINEAR: Rules = Rules {
    order_types: [
        NATIVE,
        NATIVE,
        NATIVE,
        NATIVE,
        NATIVE,
        Support::Refused("the venue trails positions, not orders: trail in the strategy"),
        Support::Refused("the venue has no icebergs by API: slice in the strategy"),
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
    cancel_all: NATIVE,
    countdown: Support::Emulated("counts from the end of the private connection, not from a call"),
    min_countdown_ms: 3_000,
    client_ids: ClientIdForm::Text,
    budgets: &[
        per_second("orders", 10, Counted::Of(&[Asked::Place])),
        per_second("amends", 10, Counted::Of(&[Asked::Amend])),
        per_second("cancels", 10, Counted::Of(&[Asked::Cancel])),
        per_second("order queries", 50, Counted::Of(&[Asked::Query, Asked::OpenOrders])),
        BY_ADDRESS,
    ],
};

const SPOT: Rules = Rules {
    reduce_only: Support::Refused("spot has no positions to reduce"),
    max_place_batch: 10,
    max_cancel_batch: 10,
    budgets: &[
        per_second("orders", 20, Counted::Of(&[Asked::Place])),
        per_second("amends", 10, Counted::Of(&[Asked::Amend])),
        per_second("cancels", 20, Counted::Of(&[Asked::Cancel])),
        per_second("order queries", 50, Counted::Of(&[Asked::Query, Asked::OpenOrders])),
        BY_ADDRESS,
    ],
    ..LINEAR
};

pub(super) const fn of(category: Category) -> &'static Rules {
    match category {
        Category::Spot => &SPOT,
        Category::Linear | Category::Inverse => &LINEAR,
    }
}

pub(super) const HEARTBEAT: Heartbeat =
    Heartbeat { ping: "{\"op\":\"ping\"}", every_ms: 20_000, silence_ms: 60_000, life_ms: 0 };

/// How the protocol hangs together.
pub(super) const fn wiring(category: Category) -> Wiring {
    Wiring {
        user: UserBy::LogIn,
        trade_log_in: true,
        unsubscribe: ("\"op\":\"subscribe\"", "\"op\":\"unsubscribe\""),
        clock_codes: &["10002"],
        positions: !matches!(category, Category::Spot),
        fills_page: 100,
        orders_page: 50,
        lists_by_settlement: matches!(category, Category::Linear),
        // Spot wants the kind of the order named in a cancel.
        armed_apart: matches!(category, Category::Spot),
        ..PLAIN
    }
}

pub(super) const fn endpoints(category: Category, network: Network) -> Endpoints {
    let public = match (category, network) {
        (Category::Spot, Network::Main) => "wss://stream.bybit.com/v5/public/spot",
        (Category::Linear, Network::Main) => "wss://stream.bybit.com/v5/public/linear",
        (Category::Inverse, Network::Main) => "wss://stream.bybit.com/v5/public/inverse",
        (Category::Spot, Network::Test) => "wss://stream-testnet.bybit.com/v5/public/spot",
        (Category::Linear, Network::Test) => "wss://stream-testnet.bybit.com/v5/public/linear",
        (Category::Inverse, Network::Test) => "wss://stream-testnet.bybit.com/v5/public/inverse",
    };
    match network {
        Network::Main => Endpoints {
            rest: "https://api.bybit.com",
            market: [public, public],
            user: "wss://stream.bybit.com/v5/private",
            trade: "wss://stream.bybit.com/v5/trade",
            chain: "",
        },
        Network::Test => Endpoints {
            rest: "https://api-testnet.bybit.com",
            market: [public, public],
            user: "wss://stream-testnet.bybit.com/v5/private",
            trade: "wss://stream-testnet.bybit.com/v5/trade",
            chain: "",
        },
    }
}
