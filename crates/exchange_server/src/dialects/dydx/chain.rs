//! The node: the height of the chain, and transactions that are broadcast to it.

use base64ct::{Base64, Encoding};
use mainspring_core::{Decimal, Instrument, TimeNs};
use mainspring_exchange::OrderId;
use mainspring_venues::dydx::protobuf::{fields, last, Message};
use mainspring_venues::secp256k1::hex;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use super::refusal::{Outcome, Refusal};
use super::{orders, perpetuals, show, tx, Dydx};
use crate::dialects::{HttpAnswer, HttpRequest};
use crate::fields::Fields;
use crate::records::{OrderRecord, Status};
use crate::section::Product;
use crate::venue::Venue;

/// A block every second, the first one of them at this second since 1970.
const GENESIS_S: i64 = 1_700_000_000;
const BLOCK_NS: i64 = 1_000_000_000;
/// Transactions that are remembered.
const SEEN: usize = 20_000;
/// A sequence of more than this is a time in milliseconds, which is right within half a minute.
const IS_TIME: u64 = 1 << 40;
const TIME_WINDOW_MS: i64 = 30_000;
/// Short-term orders and cancels in as many blocks; other orders in one block and in a hundred.
const SHORT: (u32, u32) = (4_000, 5);
const STATEFUL: [(usize, u32); 2] = [(2, 1), (20, 100)];

/// The height at a time.
pub fn height_at(time_ns: TimeNs) -> u32 {
    u32::try_from(time_ns / BLOCK_NS - GENESIS_S).unwrap_or(0)
}

/// The height now.
pub fn height(venue: &Venue) -> u32 {
    height_at(venue.now_ns())
}

/// When a block begins.
pub fn time_of(height: u32) -> TimeNs {
    (GENESIS_S + i64::from(height)) * BLOCK_NS
}

/// When an order can trade no more, whatever became of it.
pub fn end_of(order: &OrderRecord) -> TimeNs {
    match order.chain.flags {
        0 => time_of(order.chain.good_till + 1),
        _ => i64::from(order.chain.good_till) * 1_000_000_000,
    }
}

/// The integers of a market on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// Power of ten of a quantum of the base.
    pub atomic_resolution: i32,
    /// Quanta of the least step of quantities.
    pub step_quantums: u64,
    /// Parts of the least step of prices.
    pub subticks: u64,
}

/// The power of ten that relates quanta of both currencies; that of the quote's quantum is -6.
pub const CONVERSION: i32 = -9;

/// The integers of an instrument: a step of its quantities is a million quanta or more.
pub fn units(instrument: &Instrument) -> Units {
    let (lot, tick) = (instrument.lot, instrument.tick());
    let atomic_resolution = -(i32::from(lot.scale()) + 6);
    let power = atomic_resolution - CONVERSION + 6 - i32::from(tick.scale());
    let whole = |mantissa: i64, power: i32| {
        let power = u32::try_from(power).ok().and_then(|power| 10_u64.checked_pow(power));
        mantissa.unsigned_abs().saturating_mul(power.unwrap_or(1))
    };
    Units {
        atomic_resolution,
        step_quantums: whole(lot.mantissa(), 6),
        subticks: whole(tick.mantissa(), power),
    }
}

fn rpc(result: &Value) -> HttpAnswer {
    HttpAnswer::new(200, json!({"jsonrpc": "2.0", "id": -1, "result": result}).to_string())
}

/// The node's answer to a transaction.
fn outcome(hash: &str, done: &Outcome<()>) -> Value {
    let refusal = done.as_ref().err();
    json!({
        "code": refusal.map_or(0, |refusal| refusal.code), "data": "", "hash": hash,
        "log": refusal.map_or("", |refusal| &refusal.log),
        "codespace": refusal.map_or("", |refusal| refusal.space),
    })
}

/// What a module of the chain is asked: the fee tier of a member is all that there is.
fn query(venue: &Venue, asked: &Fields) -> HttpAnswer {
    let path = asked.text("path").unwrap_or_default();
    let refused = |code: u32, log: &str| {
        let response = json!({"code": code, "log": log, "value": Value::Null, "codespace": "sdk"});
        rpc(&json!({"response": response}))
    };
    if path.trim_matches('"') != "/dydxprotocol.feetiers.Query/UserFeeTier" {
        return refused(6, "unknown query path: not simulated");
    }
    let data = hex(&asked.text("data").unwrap_or_default()).unwrap_or_default();
    let user = fields(&data).map_or("", |request| last(&request, 1).text());
    if venue.member_of(user).is_none() {
        return refused(18, "invalid bech32 address: invalid request");
    }
    let Some(first) = perpetuals(venue).desk.symbols.first() else {
        return refused(22, "there are no markets");
    };
    let (maker, taker) = (ppm(first.instrument.maker_fee), ppm(first.instrument.taker_fee));
    let tier = Message::default().bytes(1, b"1").varint(5, maker).varint(6, taker);
    let value = Base64::encode_string(&Message::default().message(2, &tier.0).0);
    let response = json!({
        "code": 0, "log": "", "info": "", "index": "0", "key": Value::Null, "value": value,
        "proofOps": Value::Null, "height": height(venue).to_string(), "codespace": "",
    });
    rpc(&json!({"response": response}))
}

/// A fee in parts per million, in the zigzag form of numbers that may be negative.
fn ppm(fee: Decimal) -> u64 {
    let parts = Decimal::new(1, 6).ok().and_then(|one| fee.count_of(one)).unwrap_or_default();
    ((parts << 1) ^ (parts >> 63)) as u64
}

impl Dydx {
    /// Answers what a node of the chain is asked; anything else has no answer.
    pub fn node(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> Option<HttpAnswer> {
        let accounts = ["/cosmos/auth/v1beta1/account_info/", "/cosmos/auth/v1beta1/accounts/"];
        if let Some(address) = accounts.iter().find_map(|path| request.path.strip_prefix(path)) {
            return Some(self.account_info(venue, address));
        }
        match (request.method, request.path) {
            ("GET", "/broadcast_tx_sync" | "/broadcast_tx_async") => {
                let text = Fields::of_query(request.query).text("tx").unwrap_or_default();
                let (hash, done) = self.broadcast(venue, hex(&text));
                Some(rpc(&outcome(&hash, &done)))
            }
            ("POST", "/cosmos/tx/v1beta1/txs") => {
                let body: Value = serde_json::from_str(request.body).unwrap_or_default();
                let bytes = body["tx_bytes"].as_str().and_then(|t| Base64::decode_vec(t).ok());
                let (hash, done) = self.broadcast(venue, bytes);
                let mut answer = outcome(&hash, &done);
                answer["txhash"] = hash.into();
                answer["raw_log"] = answer["log"].clone();
                Some(HttpAnswer::new(200, json!({"tx_response": answer}).to_string()))
            }
            ("GET", "/abci_query") => Some(query(venue, &Fields::of_query(request.query))),
            ("GET", "/status") => {
                let sync = json!({
                    "latest_block_height": height(venue).to_string(), "catching_up": false,
                    "latest_block_time": show::iso(venue.now_ns() / 1_000_000),
                });
                let node = json!({"network": tx::CHAINS[0]});
                Some(rpc(&json!({"node_info": node, "sync_info": sync})))
            }
            _ => None,
        }
    }

    fn account_info(&self, venue: &Venue, address: &str) -> HttpAnswer {
        let Some(member) = venue.member_of(address) else {
            let log = format!("account {address} not found: key not found");
            return HttpAnswer::new(404, json!({"code": 5, "message": log}).to_string());
        };
        let sequence = self.sequences.get(&member).copied().unwrap_or(0).to_string();
        let account = json!({
            "address": address, "account_number": member.to_string(), "sequence": sequence,
        });
        HttpAnswer::new(200, json!({"info": account, "account": account}).to_string())
    }

    fn broadcast(&mut self, venue: &mut Venue, bytes: Option<Vec<u8>>) -> (String, Outcome<()>) {
        let bytes = bytes.unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let hash = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        (hash, self.take(venue, &bytes, digest))
    }

    /// Takes a transaction that nobody has seen and whose member signed it, and carries it out.
    fn take(&mut self, venue: &mut Venue, bytes: &[u8], digest: [u8; 32]) -> Outcome<()> {
        let read = tx::read(bytes)?;
        if self.seen.contains(&digest) {
            return Err(Refusal::sdk(19, "tx already in mempool"));
        }
        let (owner, subaccount) = read.message.owner();
        let Some(member) = venue.member_of(owner) else {
            return Err(Refusal::sdk(
                9,
                format!("account {owner} does not exist: unknown address"),
            ));
        };
        read.check_signature(venue.members[member].public(), member as u64)?;
        if subaccount != 0 {
            return Err(Refusal::clob(3_007, "the subaccount has no collateral"));
        }
        if read.message.is_short_term() {
            self.pace_short(member, height(venue))?;
        } else {
            self.take_sequence(venue, member, read.sequence)?;
        }
        let done = orders::carry_out(self, venue, member, &read.message);
        if done.is_ok() {
            self.remember(digest);
        }
        done
    }

    fn remember(&mut self, digest: [u8; 32]) {
        self.seen.insert(digest);
        self.seen_order.push_back(digest);
        if self.seen_order.len() > SEEN {
            if let Some(oldest) = self.seen_order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }

    /// A sequence is the account's next, or a time that it has not used.
    fn take_sequence(&mut self, venue: &mut Venue, member: usize, sequence: u64) -> Outcome<()> {
        if sequence >= IS_TIME {
            let off = (venue.now_ms() - sequence as i64).abs();
            if off > TIME_WINDOW_MS || !venue.members[member].take_nonce(sequence) {
                let log =
                    format!("timestamp nonce {sequence} not valid: incorrect account sequence");
                return Err(Refusal::sdk(32, log));
            }
            return Ok(());
        }
        let next = self.sequences.entry(member).or_default();
        if sequence != *next {
            let log = format!(
                "account sequence mismatch, expected {next}, got {sequence}: incorrect account sequence"
            );
            return Err(Refusal::sdk(32, log));
        }
        *next += 1;
        Ok(())
    }

    /// Notes when an order ends.
    pub fn end_at(&mut self, venue: &Venue, id: OrderId) {
        if let Some(order) = perpetuals(venue).desk.records.get(id) {
            self.ends.entry(end_of(order)).or_default().push(id);
        }
    }

    /// Ends the orders whose time is over, and returns those that had left before by best effort.
    pub fn end_orders(&mut self, venue: &mut Venue) -> Vec<OrderId> {
        let now = venue.now_ns();
        let mut gone = Vec::new();
        while let Some(first) = self.ends.first_entry().filter(|first| *first.key() <= now) {
            let (end, ids) = first.remove_entry();
            let section = &mut venue.sections[Product::Usdm as usize];
            for id in ids {
                let Some(order) = section.desk.records.get(id) else { continue };
                let (is_open, account) = (order.status.is_open(), order.account);
                if end_of(order) != end {
                    // Another order took its place and ends later.
                } else if is_open {
                    // It is open and the member's: it cannot be refused.
                    let _ = section.cancel(account, id, now);
                } else if order.status != Status::Filled && order.chain.flags == 0 {
                    gone.push(id);
                }
            }
        }
        gone
    }

    /// Forgets cancels whose last block is over.
    pub fn forget_cancels(&mut self, height: u32) {
        self.cancels.retain(|_, till| *till >= height);
    }

    fn pace_short(&mut self, member: usize, height: u32) -> Outcome<()> {
        let (most, blocks) = SHORT;
        let (begun, count) = self.short.entry(member).or_insert((height, 0));
        if height >= *begun + blocks {
            (*begun, *count) = (height, 0);
        }
        *count += 1;
        match *count > most {
            true => Err(Refusal::clob(5_001, "Rate limit exceeded: Block rate limit exceeded")),
            false => Ok(()),
        }
    }

    /// Counts an order that is part of the chain's state.
    pub fn pace_stateful(&mut self, member: usize, height: u32) -> Outcome<()> {
        let blocks = self.stateful.entry(member).or_default();
        let since = |window: u32| blocks.iter().filter(|at| **at + window > height).count();
        if STATEFUL.iter().any(|(most, window)| since(*window) >= *most) {
            let log = "Rate limit exceeded: Block rate limit exceeded";
            return Err(Refusal::clob(5_001, log));
        }
        blocks.push_back(height);
        if blocks.len() > STATEFUL[1].0 {
            blocks.pop_front();
        }
        Ok(())
    }
}
