//! The venue: both products, its members and their keys, limits, faults and listeners.

use std::collections::HashMap;

use hmac::{Hmac, KeyInit, Mac};
use mainspring_core::{Decimal, Error, ErrorKind, InstrumentId, Result, TimeNs};
use mainspring_exchange::{AccountId, TradingStatus};
use serde_json::Value;
use sha2::Sha256;

use crate::config::{Limits, ServerConfig};
use crate::error::{Outcome, Refusal};
use crate::faults::{Dice, Faults};
use crate::hub::Hub;
use crate::limits::Usage;
use crate::params::Params;
use crate::section::{Product, Section};

/// Rows of flow in one step, so that requests are not kept waiting by a catch-up.
const FLOW_STEP: usize = 2_000;
const LISTEN_KEY_MS: i64 = 3_600_000;

/// A member as the server knows it.
#[derive(Clone, Debug)]
pub struct MemberKeys {
    /// The API key.
    pub key: String,
    secret: Vec<u8>,
    /// Account in each product.
    pub accounts: [AccountId; 2],
    /// Milliseconds at which each symbol's orders are cancelled unless renewed, by product USD-M.
    pub countdowns: HashMap<usize, i64>,
}

/// Everything behind the server's lock.
#[derive(Debug)]
pub struct Venue {
    /// Spot and USD-M.
    pub sections: [Section; 2],
    /// Listeners.
    pub hub: Hub,
    /// Used limits.
    pub usage: Usage,
    /// Members.
    pub members: Vec<MemberKeys>,
    by_key: HashMap<String, usize>,
    /// Listen keys of USD-M: member and expiry.
    pub listen_keys: HashMap<String, (usize, i64)>,
    /// Faults now.
    pub faults: Faults,
    /// Draws for them.
    pub dice: Dice,
    /// Limits.
    pub limits: Limits,
    now: TimeNs,
}

/// A request as it comes off the wire.
#[derive(Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Parameters of query and body.
    pub params: Params,
    /// What its signature covers.
    pub signed_text: String,
    /// The API key.
    pub key: Option<&'a str>,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// What the minute's weight and the ten seconds' orders have come to.
    pub used_weight: Option<u32>,
    /// See `used_weight`.
    pub used_orders: Option<u32>,
    /// Seconds to wait.
    pub retry_after_s: Option<u64>,
}

impl Venue {
    /// A venue whose market opens at `now`, after its warm-up.
    ///
    /// # Errors
    /// When the configuration names unknown markets or currencies.
    pub fn new(config: &ServerConfig, now: TimeNs) -> Result<Self> {
        let mut sections =
            [Section::new(Product::Spot, config, now)?, Section::new(Product::Usdm, config, now)?];
        let mut members = Vec::with_capacity(config.members.len());
        for member in &config.members {
            let accounts =
                [open(&mut sections[0], &member.spot)?, open(&mut sections[1], &member.usdm)?];
            members.push(MemberKeys {
                key: member.key.clone(),
                secret: member.secret.as_bytes().to_vec(),
                accounts,
                countdowns: HashMap::new(),
            });
        }
        let by_key = members.iter().enumerate().map(|(at, m)| (m.key.clone(), at)).collect();
        let mut venue = Self {
            sections,
            hub: Hub::default(),
            usage: Usage::default(),
            members,
            by_key,
            listen_keys: HashMap::new(),
            faults: config.faults,
            dice: Dice::new(config.seed),
            limits: config.limits,
            now,
        };
        for section in &mut venue.sections {
            while section.advance(now, FLOW_STEP) {}
            section.desk.symbols.iter_mut().for_each(|symbol| symbol.prints.clear());
        }
        Ok(venue)
    }

    /// Venue time in milliseconds.
    #[must_use]
    pub const fn now_ms(&self) -> i64 {
        self.now / 1_000_000 + self.faults.clock_skew_ms
    }

    /// Venue time in nanoseconds, without the skew that clients see.
    #[must_use]
    pub const fn now_ns(&self) -> TimeNs {
        self.now
    }

    /// Lets time pass: the flow acts, countdowns run out, listeners hear what happened. Returns whether
    /// the flow has more to do.
    pub fn advance(&mut self, now: TimeNs) -> bool {
        self.now = self.now.max(now);
        let mut is_behind = false;
        for section in &mut self.sections {
            is_behind |= section.advance(self.now, FLOW_STEP);
        }
        self.run_countdowns();
        let now_ms = self.now_ms();
        self.listen_keys.retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        self.tell();
        is_behind
    }

    fn run_countdowns(&mut self) {
        let (now, now_ms) = (self.now, self.now_ms());
        for member in &mut self.members {
            let due: Vec<usize> = member
                .countdowns
                .iter()
                .filter(|(_, at_ms)| **at_ms <= now_ms)
                .map(|(symbol, _)| *symbol)
                .collect();
            for symbol in due {
                member.countdowns.remove(&symbol);
                self.sections[1].cancel_all(member.accounts[1], symbol, now);
            }
        }
    }

    /// Answers a request, and tells listeners what it did.
    pub fn handle(&mut self, request: &Request<'_>) -> Answer {
        let (used_weight, outcome, used_orders) = self.carry_out(request);
        self.tell();
        match outcome {
            Ok(body) => Answer {
                status: 200,
                body: body.to_string(),
                used_weight,
                used_orders,
                retry_after_s: None,
            },
            Err(refusal) => Answer {
                status: refusal.status,
                body: refusal.json(),
                used_weight,
                used_orders,
                retry_after_s: refusal.retry_after_s,
            },
        }
    }

    fn carry_out(&mut self, request: &Request<'_>) -> (Option<u32>, Outcome<Value>, Option<u32>) {
        let Some(route) = crate::routes::find(request) else {
            let refusal = Refusal::with_status(404, -5000, "Path not found or not simulated.");
            return (None, Err(refusal), None);
        };
        let now_ms = self.now_ms();
        let weight = route.weight(&request.params);
        let weighed = self.usage.take_weight(&self.limits, route.product, weight, now_ms);
        let used_weight = match weighed {
            Ok(used) => used,
            Err(refusal) => return (None, Err(refusal), None),
        };
        let member = match self.authorise(route.security, request) {
            Ok(member) => member,
            Err(refusal) => return (Some(used_weight), Err(refusal), None),
        };
        let mut used_orders = None;
        if route.orders > 0 {
            let key = request.key.unwrap_or_default();
            let count = route.orders;
            let taken = self.usage.take_orders(&self.limits, route.product, key, count, now_ms);
            match taken {
                Ok(used) => used_orders = Some(used),
                Err(refusal) => return (Some(used_weight), Err(refusal), None),
            }
        }
        let outcome = (route.run)(self, route.product, member, &request.params);
        (Some(used_weight), outcome, used_orders)
    }

    /// Who asks, as far as the request must prove it.
    fn authorise(
        &self,
        security: crate::routes::Security,
        request: &Request<'_>,
    ) -> Outcome<Option<usize>> {
        use crate::routes::Security;
        if security == Security::None {
            return Ok(None);
        }
        let key = request
            .key
            .ok_or_else(|| Refusal::with_status(401, -2014, "API-key format invalid."))?;
        let member = *self.by_key.get(key).ok_or_else(|| {
            let message = "Invalid API-key, IP, or permissions for action.";
            Refusal::with_status(401, -2015, message)
        })?;
        if security == Security::Signed {
            self.check_signature(member, request)?;
        }
        Ok(Some(member))
    }

    fn check_signature(&self, member: usize, request: &Request<'_>) -> Outcome<()> {
        let sent = request.params.need("signature")?;
        let sent_ms = request.params.integer("timestamp")?;
        let sent_ms = sent_ms.ok_or_else(|| Refusal::missing("timestamp"))?;
        let window = match request.params.get("recvWindow") {
            Some(text) => text.parse().map_err(|_| Refusal::illegal("recvWindow"))?,
            None => 5_000.0_f64,
        };
        if !(0.0..=60_000.0).contains(&window) {
            return Err(Refusal::new(-1131, "recvWindow must be less than 60000."));
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.members[member].secret)
            .map_err(|_| Refusal::new(-1022, "Signature for this request is not valid."))?;
        mac.update(request.signed_text.as_bytes());
        let given = hex(sent).unwrap_or_default();
        if mac.verify_slice(&given).is_err() {
            return Err(Refusal::new(-1022, "Signature for this request is not valid."));
        }
        check_time(sent_ms, window, self.now_ms())
    }

    /// Halts all markets, or opens them.
    pub fn set_halted(&mut self, halts: bool) {
        let status = if halts { TradingStatus::Halted } else { TradingStatus::Open };
        for section in &mut self.sections {
            for at in 0..section.desk.symbols.len() {
                let id = InstrumentId(at as u16);
                let set = section.exchange.set_status(id, status, self.now, &mut section.desk);
                debug_assert!(set.is_ok(), "symbols are instruments: {set:?}");
            }
        }
        self.tell();
    }

    /// The member of a key, for sessions that log on once.
    #[must_use]
    pub fn member_of(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// A new listen key of a member, or the one it has, for another hour.
    pub fn listen_key(&mut self, member: usize) -> String {
        let expires_ms = self.now_ms() + LISTEN_KEY_MS;
        let known = self.listen_keys.iter().find(|(_, (of, _))| *of == member);
        let key = known.map(|(key, _)| key.clone()).unwrap_or_else(|| {
            let number = self.now as u64 ^ (member as u64) << 48;
            format!("{:064x}", u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060))
        });
        self.listen_keys.insert(key.clone(), (member, expires_ms));
        key
    }
}

/// The venue takes a timestamp up to a second ahead of it, and one that is no older than the window.
fn check_time(sent_ms: i64, window_ms: f64, now_ms: i64) -> Outcome<()> {
    // Microseconds are told by their size.
    let sent_ms = if sent_ms > 100_000_000_000_000 { sent_ms / 1_000 } else { sent_ms };
    if sent_ms >= now_ms + 1_000 {
        let message =
            "Timestamp for this request was 1000ms ahead of the server's time.".to_owned();
        return Err(Refusal::new(-1021, message));
    }
    if (now_ms - sent_ms) as f64 > window_ms {
        return Err(Refusal::new(
            -1021,
            "Timestamp for this request is outside of the recvWindow.",
        ));
    }
    Ok(())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

fn open(
    section: &mut Section,
    balances: &std::collections::BTreeMap<String, String>,
) -> Result<AccountId> {
    let mut deposits = Vec::with_capacity(balances.len());
    for (currency, amount) in balances {
        let amount: Decimal =
            amount.parse().map_err(|e: Error| e.at(format!("balance of {currency}")))?;
        if section.exchange.accounts().currencies().contains(currency) {
            deposits.push((currency.clone(), amount));
        }
    }
    if deposits.is_empty() && !balances.is_empty() {
        let names: Vec<_> = balances.keys().cloned().collect();
        let message = format!(
            "balances in {}: the markets use {}",
            names.join(", "),
            section.exchange.accounts().currencies().join(", ")
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    section.exchange.open_account(&deposits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_taken_in_the_window_only() {
        assert!(check_time(10_999, 5_000.0, 10_000).is_ok());
        assert_eq!(check_time(11_000, 5_000.0, 10_000).unwrap_err().code, -1021);
        assert!(check_time(5_000, 5_000.0, 10_000).is_ok());
        assert_eq!(check_time(4_999, 5_000.0, 10_000).unwrap_err().code, -1021);
        assert!(check_time(1_700_000_000_000_000, 5_000.0, 1_700_000_000_500).is_ok());
    }
}
