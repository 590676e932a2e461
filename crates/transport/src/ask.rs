//! Questions that are asked before a session begins.

use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, InstrumentId, Result};
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::operation::Operation;
use mainspring_venues::outgoing::{Outgoing, Urgency, Via};
use mainspring_venues::session::Addresses;
use mainspring_venues::venue::{Endpoints, Venue};

use crate::address::Url;
use crate::http::{Request, Response};
use crate::io::{Io, IoEvent};

/// Longest wait for an answer, retries included.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of the request; nothing else runs on the sockets yet.
const KEY: u64 = 1;

/// Where a venue is when another host, such as a simulator on this machine, stands for all of its
/// hosts: each address keeps its path. `base` is an address like `ws://127.0.0.1:8080`.
///
/// # Errors
/// When `base` is no address.
pub fn moved(ends: Endpoints, base: &str) -> Result<Addresses> {
    let base = Url::parse(base)?;
    let secure = if base.origin.scheme.is_encrypted() { "s" } else { "" };
    let authority = base.origin.authority();
    let at = |scheme: &str, old: &str| match old.split_once("://") {
        Some((_, rest)) => {
            let path = rest.find('/').map_or("", |at| &rest[at..]);
            format!("{scheme}{secure}://{authority}{path}")
        }
        None => String::new(),
    };
    Ok(Addresses {
        rest: at("http", ends.rest),
        market: ends.market.map(|old| at("ws", old)),
        user: at("ws", ends.user),
        trade: at("ws", ends.trade),
        chain: at("http", ends.chain),
    })
}

/// Asks a venue what can be traded.
///
/// # Errors
/// When it does not answer, or the answer cannot be read.
pub fn instruments(io: &mut Io, venue: &mut dyn Venue, rest: &str) -> Result<Vec<Listing>> {
    let mut out = Outgoing::new();
    venue.encode(&Operation::Instruments, Via::Http, 0, &mut out)?;
    let response = answer(io, &out, rest)?;
    if response.head.status != 200 {
        let status = response.head.status;
        let what = format!("{rest} answered {status} when asked for its instruments");
        return Err(Error::new(ErrorKind::Io, what));
    }
    venue.instruments(&response.body)
}

/// The instruments of these symbols among those that a venue lists, numbered in this order.
///
/// # Errors
/// When one is not listed; the message names some that are like it.
pub fn choose(listed: &[Listing], venue: &str, symbols: &[String]) -> Result<Listings> {
    let mut chosen = Vec::with_capacity(symbols.len());
    for (at, symbol) in symbols.iter().enumerate() {
        let found = listed.iter().find(|one| one.symbol().eq_ignore_ascii_case(symbol));
        let Some(found) = found else { return Err(unknown(listed, venue, symbol)) };
        chosen.push(Listing { id: InstrumentId(at as u16), ..found.clone() });
    }
    Listings::new(chosen)
}

fn unknown(listed: &[Listing], venue: &str, symbol: &str) -> Error {
    let begin: String = symbol.chars().take(3).collect::<String>().to_uppercase();
    let like =
        listed.iter().map(Listing::symbol).filter(|one| one.to_uppercase().starts_with(&begin));
    let like: Vec<&str> = like.take(5).collect();
    let hint =
        if like.is_empty() { String::new() } else { format!("; there are {}", like.join(", ")) };
    Error::new(ErrorKind::NotFound, format!("{venue} does not list {symbol}{hint}"))
}

fn answer(io: &mut Io, out: &Outgoing, rest: &str) -> Result<Response> {
    let url = Url::parse(&format!("{rest}{}", out.target))?;
    let headers = out.headers().map(|(name, value)| (name, value.to_owned())).collect();
    let (urgency, method, body) = (Urgency::Question, out.method, out.body.clone());
    io.call(KEY, Request { urgency, method, url, headers, body });
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        io.turn(Duration::from_millis(50))?;
        while let Some(event) = io.next_event() {
            match event {
                IoEvent::Response { key: KEY, response } => return Ok(response),
                IoEvent::Failed { key: KEY, reason, .. } => {
                    return Err(Error::new(ErrorKind::Io, reason));
                }
                _ => {}
            }
        }
    }
    Err(Error::new(ErrorKind::Io, format!("{rest} did not answer in time")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_venues::table::{open, Opening, VENUES};
    use mainspring_venues::venue::Network;

    #[test]
    fn a_simulator_stands_for_every_host_and_paths_stay() {
        let venue = open("binance_usdm", &Opening::default()).unwrap();
        let ends = venue.endpoints(Network::Main);
        let moved_ends = moved(ends, "ws://127.0.0.1:8080").unwrap();
        assert_eq!(moved_ends.rest, "http://127.0.0.1:8080");
        assert_eq!(moved_ends.market[0], "ws://127.0.0.1:8080/public/stream");
        assert_eq!(moved_ends.trade, "ws://127.0.0.1:8080/ws-fapi/v1");
        assert_eq!(moved_ends.chain, "");
        for entry in VENUES {
            let ends = (open(entry.name, &Opening::default()).unwrap()).endpoints(Network::Test);
            let there = moved(ends, "https://host").unwrap();
            assert!(there.market.iter().all(|url| Url::parse(url).is_ok()), "{}", entry.name);
        }
        assert!(moved(ends, "127.0.0.1:8080").is_err());
    }
}
