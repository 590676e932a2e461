//! The venues there are: one row each.

use mainspring_core::{Error, ErrorKind, Result};

use crate::binance::{self, Binance, Market};
use crate::bybit::{self, Bybit, Category};
use crate::dydx::{self, Dydx};
use crate::hyperliquid::{self, Hyperliquid};
use crate::okx::{self, Okx, Product};
use crate::secp256k1::Secp256k1Key;
use crate::secret::Secret;
use crate::sign::Credentials;
use crate::venue::{Network, Venue};

/// What opens a connection: secrets and the few settings that every venue has in common.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The API key.
    pub key: Option<Secret>,
    /// Its secret, or the private key of a wallet.
    pub secret: Option<Secret>,
    /// Its passphrase (OKX).
    pub passphrase: Option<Secret>,
    /// Address of the account (Hyperliquid, dYdX).
    pub account: String,
    /// Number of the account on the chain (dYdX).
    pub account_number: u64,
    /// The secret is an Ed25519 key instead of one for HMAC (Binance).
    pub ed25519: bool,
    /// A signed request is refused when it comes later than this, ms; 0 for the venue's usual.
    pub recv_window_ms: u32,
    /// Which network.
    pub network: Network,
    /// Tells sessions on one account apart (dYdX; elsewhere it is in the client ids).
    pub tag: u32,
    /// Resting orders are short-term: not limited by the block, and over after some twenty (dYdX).
    pub short_term: bool,
}

/// A row of the table.
pub struct Entry {
    /// The name in configuration and in instruments.
    pub name: &'static str,
    /// What it trades, for people.
    pub title: &'static str,
    /// Opens its codec.
    pub open: fn(&Opening) -> Result<Box<dyn Venue>>,
}

/// The venues there are.
pub const VENUES: &[Entry] = &[
    Entry { name: "binance", title: "Binance spot", open: |o| binance_of(Market::Spot, o) },
    Entry {
        name: "binance_usdm",
        title: "Binance USD-M futures",
        open: |o| binance_of(Market::Futures, o),
    },
    Entry { name: "okx", title: "OKX perpetuals", open: |o| okx_of(Product::Swap, o) },
    Entry { name: "okx_spot", title: "OKX spot", open: |o| okx_of(Product::Spot, o) },
    Entry { name: "okx_futures", title: "OKX futures", open: |o| okx_of(Product::Futures, o) },
    Entry {
        name: "bybit",
        title: "Bybit linear contracts",
        open: |o| bybit_of(Category::Linear, o),
    },
    Entry { name: "bybit_spot", title: "Bybit spot", open: |o| bybit_of(Category::Spot, o) },
    Entry {
        name: "bybit_inverse",
        title: "Bybit inverse contracts",
        open: |o| bybit_of(Category::Inverse, o),
    },
    Entry {
        name: "hyperliquid",
        title: "Hyperliquid perpetuals",
        open: |o| hyperliquid_of(false, o),
    },
    Entry {
        name: "hyperliquid_spot",
        title: "Hyperliquid spot",
        open: |o| hyperliquid_of(true, o),
    },
    Entry { name: "dydx", title: "dYdX v4 perpetuals", open: dydx_of },
];

/// Opens the codec of a venue.
///
/// # Errors
/// When there is no such venue (the message names those there are), or a key cannot be used.
pub fn open(name: &str, opening: &Opening) -> Result<Box<dyn Venue>> {
    let Some(entry) = VENUES.iter().find(|entry| entry.name == name) else {
        let known: Vec<&str> = VENUES.iter().map(|entry| entry.name).collect();
        let what = format!("no venue {name:?}; there are {}", known.join(", "));
        return Err(Error::new(ErrorKind::NotFound, what));
    };
    (entry.open)(opening)
}

fn credentials(opening: &Opening) -> Result<Option<Credentials>> {
    let (Some(key), Some(secret)) = (&opening.key, &opening.secret) else { return Ok(None) };
    let credentials = match opening.ed25519 {
        true => Credentials::ed25519(key.clone(), secret)?,
        false => Credentials::hmac(key.clone(), secret)?,
    };
    Ok(Some(match &opening.passphrase {
        Some(passphrase) => credentials.with_passphrase(passphrase.clone()),
        None => credentials,
    }))
}

const fn window(opening: &Opening) -> u32 {
    if opening.recv_window_ms == 0 {
        5_000
    } else {
        opening.recv_window_ms
    }
}

fn binance_of(market: Market, opening: &Opening) -> Result<Box<dyn Venue>> {
    let settings =
        binance::Settings { recv_window_ms: window(opening), ..binance::Settings::default() };
    Ok(Box::new(Binance::new(market, settings, credentials(opening)?)))
}

fn okx_of(product: Product, opening: &Opening) -> Result<Box<dyn Venue>> {
    let demo = opening.network == Network::Test;
    let settings = okx::Settings { product, demo, ..okx::Settings::default() };
    Ok(Box::new(Okx::new(settings, credentials(opening)?)))
}

fn bybit_of(category: Category, opening: &Opening) -> Result<Box<dyn Venue>> {
    let settings = bybit::Settings { category, recv_window_ms: window(opening) };
    Ok(Box::new(Bybit::new(settings, credentials(opening)?)))
}

fn wallet(opening: &Opening) -> Result<Option<Secp256k1Key>> {
    opening.secret.as_ref().map(Secp256k1Key::new).transpose()
}

fn hyperliquid_of(spot: bool, opening: &Opening) -> Result<Box<dyn Venue>> {
    let settings = hyperliquid::Settings {
        account: opening.account.clone(),
        network: opening.network,
        spot,
        ..hyperliquid::Settings::default()
    };
    Ok(Box::new(Hyperliquid::new(settings, wallet(opening)?)))
}

fn dydx_of(opening: &Opening) -> Result<Box<dyn Venue>> {
    let mut settings = dydx::Settings {
        address: opening.account.clone(),
        account_number: opening.account_number,
        metadata: opening.tag,
        short_term: opening.short_term,
        ..dydx::Settings::default()
    };
    if opening.network == Network::Test {
        "dydx-testnet-4".clone_into(&mut settings.chain_id);
    }
    Ok(Box::new(Dydx::new(settings, wallet(opening)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_opens_without_a_key_and_has_its_places() {
        for entry in VENUES {
            let venue = open(entry.name, &Opening::default()).unwrap();
            for network in [Network::Main, Network::Test] {
                let ends = venue.endpoints(network);
                assert!(ends.rest.starts_with("https://"), "{}", entry.name);
                assert!(ends.market.iter().all(|url| url.starts_with("wss://")));
            }
            assert!(venue.rules().budgets.iter().all(|budget| budget.limit > 0));
        }
    }

    #[test]
    fn an_unknown_name_lists_those_there_are() {
        let error = open("kraken9", &Opening::default()).err().unwrap();
        assert!(error.message().contains("hyperliquid"), "{error}");
    }
}
