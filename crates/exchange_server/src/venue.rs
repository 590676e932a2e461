//! The venue: both products, its members and their keys, faults and listeners.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use mainspring_core::{Decimal, Error, ErrorKind, InstrumentId, Result, TimeNs};
use mainspring_exchange::{AccountId, TradingStatus};
use mainspring_venues::secp256k1::Secp256k1Key;

use crate::config::{Limits, ServerConfig};
use crate::dialects::Listing;
use crate::faults::{Dice, Faults, Plan, Planned, RequestFault};
use crate::hub::Hub;
use crate::limits::Usage;
use crate::proof::Secret;
use crate::recording::{Progress, Recording};
use crate::section::{Product, Section, Symbol};

/// Rows of flow in one step, so that requests are not kept waiting by a catch-up.
const FLOW_STEP: usize = 2_000;
/// Nonces of a member that are kept.
const NONCES: usize = 100;
const LISTEN_KEY_MS: i64 = 3_600_000;

/// A member as the server knows it.
#[derive(Clone, Debug)]
pub struct MemberKeys {
    /// The API key, or the address of its wallet.
    pub key: String,
    /// What its requests are signed with.
    pub secret: Secret,
    /// The public key of its private one, where the secret is that.
    public: Option<[u8; 33]>,
    /// What goes with the key, where a venue asks for it.
    pub passphrase: String,
    /// Account in each product.
    pub accounts: [AccountId; 2],
    /// Numbers that its signed actions have used, the newest of them.
    nonces: BTreeSet<u64>,
    /// Milliseconds at which orders are cancelled unless renewed, by product and symbol.
    pub countdowns: HashMap<(usize, usize), i64>,
}

impl MemberKeys {
    /// The public key of its private one, compressed, where its secret is one.
    #[must_use]
    pub fn public(&self) -> Option<&[u8]> {
        self.public.as_ref().map(<[u8; 33]>::as_slice)
    }

    /// Takes a nonce: none that was taken before, nor one older than all of the last hundred.
    pub fn take_nonce(&mut self, nonce: u64) -> bool {
        let is_old = self.nonces.len() >= NONCES && self.nonces.first() > Some(&nonce);
        if is_old || !self.nonces.insert(nonce) {
            return false;
        }
        if self.nonces.len() > NONCES {
            self.nonces.pop_first();
        }
        true
    }
}

/// Everything behind the server's lock that does not depend on the dialect.
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
    /// Keys that stand for a member in a stream's address: member and expiry.
    pub listen_keys: HashMap<String, (usize, i64)>,
    /// Faults now.
    pub faults: Faults,
    /// Draws for them.
    pub dice: Dice,
    /// Faults of the next requests about orders.
    pub plan: Plan,
    /// Limits.
    pub limits: Limits,
    now: TimeNs,
}

impl Venue {
    /// A venue whose market opens at `now`, after its warm-up.
    ///
    /// # Errors
    /// When the configuration names unknown markets or currencies.
    pub fn new(listing: &Listing, config: &ServerConfig, now: TimeNs) -> Result<Self> {
        let recording = open_recording(config)?;
        let section = |product| Section::new(product, listing, config, recording.as_ref(), now);
        let mut sections = [section(Product::Spot)?, section(Product::Usdm)?];
        let mut members = Vec::with_capacity(config.members.len());
        for member in &config.members {
            let accounts =
                [open(&mut sections[0], &member.spot)?, open(&mut sections[1], &member.usdm)?];
            members.push(MemberKeys {
                key: member.key.clone(),
                secret: Secret::new(member.secret.as_bytes()),
                public: public_of(&member.secret),
                passphrase: member.passphrase.clone(),
                accounts,
                nonces: BTreeSet::new(),
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
            plan: Plan::default(),
            limits: config.limits,
            now,
        };
        for section in &mut venue.sections {
            while section.advance(now, FLOW_STEP) {}
            section.desk.symbols.iter_mut().for_each(Symbol::forget);
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

    /// Sets the time of what comes next.
    pub fn set_now(&mut self, now: TimeNs) {
        self.now = self.now.max(now);
    }

    /// Lets time pass: the flow acts, countdowns run out. Returns whether the flow has more to do.
    pub fn advance(&mut self, now: TimeNs) -> bool {
        self.now = self.now.max(now);
        let mut is_behind = false;
        for section in &mut self.sections {
            is_behind |= section.advance(self.now, FLOW_STEP);
        }
        self.run_countdowns();
        let now_ms = self.now_ms();
        self.listen_keys.retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        is_behind
    }

    fn run_countdowns(&mut self) {
        let (now, now_ms) = (self.now, self.now_ms());
        for member in &mut self.members {
            let due: Vec<(usize, usize)> = member
                .countdowns
                .iter()
                .filter(|(_, at_ms)| **at_ms <= now_ms)
                .map(|(of, _)| *of)
                .collect();
            for (product, symbol) in due {
                member.countdowns.remove(&(product, symbol));
                self.sections[product].cancel_all(member.accounts[product], symbol, now);
            }
        }
    }

    /// Sets or, with no time, ends the countdown of a member's orders in a symbol.
    pub fn set_countdown(
        &mut self,
        member: usize,
        product: Product,
        symbol: usize,
        at_ms: Option<i64>,
    ) {
        let Some(member) = self.members.get_mut(member) else { return };
        match at_ms {
            Some(at_ms) => member.countdowns.insert((product as usize, symbol), at_ms),
            None => member.countdowns.remove(&(product as usize, symbol)),
        };
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.hub.withhold_users(faults.user_gap);
        for section in &mut self.sections {
            section.partial_fill = faults.partial_fill;
        }
    }

    /// Plans a fault, or forgets those that are planned.
    pub fn plan_fault(&mut self, planned: Option<Planned>) {
        match planned {
            Some(planned) => self.plan.add(planned),
            None => self.plan.clear(),
        }
    }

    /// Liquidates all that a member holds. Returns whether there is such a member.
    pub fn liquidate(&mut self, key: &str) -> bool {
        let Some(member) = self.member_of(key) else { return false };
        let account = self.members[member].accounts[Product::Usdm as usize];
        self.sections[Product::Usdm as usize].liquidate(account, self.now);
        true
    }

    /// How long the answer of the next request is kept waiting.
    pub fn draw_delay(&mut self) -> Duration {
        let (median, log_sd) = (self.faults.latency_ms, self.faults.latency_log_sd);
        Duration::from_secs_f64(self.dice.delay_ms(median, log_sd) * 1e-3)
    }

    /// The fault of the next request, if any: a planned one where it is about orders.
    pub fn draw_fault(&mut self, is_order: bool) -> Option<RequestFault> {
        if let Some(planned) = is_order.then(|| self.plan.take()).flatten() {
            return Some(planned);
        }
        self.faults.of_request(&mut self.dice)
    }

    /// Publishes a market message, with the faults that are asked for.
    pub fn publish(&mut self, product: Product, stream: &str, message: &str) {
        self.hub.publish(product, stream, message, &self.faults, &mut self.dice);
    }

    /// How far the recording is that is played: of both products, the one that is behind.
    #[must_use]
    pub fn recording(&self) -> Option<Progress> {
        let told = self.sections.iter().filter_map(Section::recording);
        told.min_by_key(|told| (told.ended, told.time_ns)).cloned()
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
    }

    /// The member of a key.
    #[must_use]
    pub fn member_of(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// The member that an account belongs to.
    #[must_use]
    pub fn member_of_account(&self, product: Product, account: AccountId) -> Option<usize> {
        self.members.iter().position(|member| member.accounts[product as usize] == account)
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

/// The recording that a configuration names, if it names one.
fn open_recording(config: &ServerConfig) -> Result<Option<Recording>> {
    if config.recording.is_empty() {
        return Ok(None);
    }
    if !(config.speed > 0.0 && config.speed.is_finite()) {
        let what = format!("speed {}: a recording needs a positive one", config.speed);
        return Err(Error::new(ErrorKind::Value, what));
    }
    Recording::open(&config.recording).map(Some)
}

/// The public key of a private one; secrets for codes are none.
fn public_of(secret: &str) -> Option<[u8; 33]> {
    let secret = mainspring_venues::secret::Secret::new(secret);
    Secp256k1Key::new(&secret).ok().map(|key| key.public())
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
    let has_markets = !section.desk.symbols.is_empty();
    if deposits.is_empty() && !balances.is_empty() && has_markets {
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
