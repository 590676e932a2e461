//! What a server is told at its start.

use std::collections::BTreeMap;

use mainspring_sim::QueueModel;
use serde::{Deserialize, Serialize};

use crate::faults::Faults;

/// How to serve an exchange. Everything has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Whose protocol is spoken: a row of [`crate::dialects::TABLE`].
    pub dialect: String,
    /// Address to listen on. Whoever can reach it can trade, so keep it on loopback.
    pub host: String,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// Markets of the order-flow generator; each is listed as spot and as USD-M perpetual.
    pub markets: Vec<String>,
    /// Seed of the flow.
    pub seed: u64,
    /// How fast the generated market runs against the clock; 0 leaves the books empty.
    pub speed: f64,
    /// Seconds of flow, or of the recording, before the first client sees the market.
    pub warm_up_s: f64,
    /// Event files to play in place of generated flow; markets and seed are not looked at then.
    pub recording: Vec<String>,
    /// Whether the recording begins again at its end; otherwise its markets halt there.
    pub repeat: bool,
    /// How a recorded level that shrinks gives way before and behind members' orders.
    pub queue_model: QueueModel,
    /// Members and their keys.
    pub members: Vec<Member>,
    /// Rate limits.
    pub limits: Limits,
    /// Faults from the start; `POST /simulator/faults` changes them.
    pub faults: Faults,
    /// Messages that may wait for one connection; one more and it is closed.
    pub queue: usize,
    /// Threads of the server.
    pub threads: usize,
}

/// A member of the exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The API key.
    pub key: String,
    /// The HMAC secret.
    pub secret: String,
    /// The passphrase of the key, where the venue has one.
    #[serde(default = "passphrase")]
    pub passphrase: String,
    /// Balances of the spot wallet.
    #[serde(default)]
    pub spot: BTreeMap<String, String>,
    /// Balances of the futures wallet.
    #[serde(default)]
    pub usdm: BTreeMap<String, String>,
}

/// Rate limits, as the venue states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Request weight in a minute, spot.
    pub spot_weight: u32,
    /// Request weight in a minute, USD-M.
    pub usdm_weight: u32,
    /// Orders of an account in ten seconds, spot.
    pub spot_orders: u32,
    /// Orders of an account in ten seconds, USD-M.
    pub usdm_orders: u32,
    /// Refusals in a minute after which the address is banned.
    pub refusals: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spot_weight: 6_000,
            usdm_weight: 2_400,
            spot_orders: 100,
            usdm_orders: 300,
            refusals: 100,
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            dialect: "binance".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 0,
            markets: vec!["btcusdt".to_owned(), "ethusdt".to_owned()],
            seed: 1,
            speed: 1.0,
            warm_up_s: 60.0,
            recording: Vec::new(),
            repeat: false,
            queue_model: QueueModel::default(),
            members: vec![Member::default()],
            limits: Limits::default(),
            faults: Faults::default(),
            queue: 4_096,
            threads: 2,
        }
    }
}

impl Default for Member {
    fn default() -> Self {
        let balances = |of: &[(&str, &str)]| {
            of.iter().map(|(name, amount)| ((*name).to_owned(), (*amount).to_owned())).collect()
        };
        Self {
            key: "simulator-key".to_owned(),
            secret: "simulator-secret".to_owned(),
            passphrase: passphrase(),
            spot: balances(&[("USDT", "1000000"), ("BTC", "10"), ("ETH", "100")]),
            usdm: balances(&[("USDT", "1000000")]),
        }
    }
}

fn passphrase() -> String {
    "simulator-passphrase".to_owned()
}
