//! Transactions: what they ask and who signed them.

use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{Signature, VerifyingKey};
use mainspring_venues::dydx::protobuf::{fields, last, Field};
use mainspring_venues::dydx::tx::sign_digest;

use super::refusal::{Outcome, Refusal};

/// The chains whose signatures are taken.
pub const CHAINS: [&str; 2] = ["dydx-mainnet-1", "dydx-testnet-4"];

/// What names an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderKey {
    /// Address of the account.
    pub owner: String,
    /// Its subaccount.
    pub subaccount: u32,
    /// The member's number.
    pub client_id: u32,
    /// 0 short-term, 32 conditional, 64 long-term.
    pub flags: u32,
    /// The order book.
    pub book: usize,
}

/// The end of an order or of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoodTill {
    /// None was said.
    None,
    /// A block.
    Block(u32),
    /// A second since 1970.
    Time(u32),
}

/// An order as it stands in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainOrder {
    /// What names it.
    pub key: OrderKey,
    /// 1 buys, 2 sells.
    pub side: u32,
    /// Quantity.
    pub quantums: u64,
    /// Price.
    pub subticks: u64,
    /// When it ends.
    pub good_till: GoodTill,
    /// 0 none, 1 immediate or cancel, 2 post-only, 3 fill or kill.
    pub time_in_force: u32,
    /// Only shrinks a position.
    pub reduce_only: bool,
    /// The member's own number beside its id.
    pub metadata: u32,
    /// 0 none, 1 stop loss, 2 take profit.
    pub condition: u32,
    /// Price that triggers it.
    pub trigger_subticks: u64,
}

/// What a transaction asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `MsgPlaceOrder`.
    Place(ChainOrder),
    /// `MsgCancelOrder`.
    Cancel(OrderKey, GoodTill),
    /// `MsgBatchCancel`: whose, numbers by order book, and the last block.
    CancelMany(OrderKey, Vec<(usize, Vec<u32>)>, u32),
}

impl Message {
    /// Address and subaccount that it speaks for.
    pub fn owner(&self) -> (&str, u32) {
        let key = match self {
            Self::Place(order) => &order.key,
            Self::Cancel(key, _) | Self::CancelMany(key, ..) => key,
        };
        (&key.owner, key.subaccount)
    }

    /// Whether it lives in memory alone: no sequence, no place in the state of the chain.
    pub fn is_short_term(&self) -> bool {
        match self {
            Self::Place(order) => order.key.flags == 0,
            Self::Cancel(key, _) => key.flags == 0,
            Self::CancelMany(..) => true,
        }
    }
}

/// A transaction that was read.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// What it asks.
    pub message: Message,
    /// Its sequence, or a time in milliseconds.
    pub sequence: u64,
    body: &'a [u8],
    auth: &'a [u8],
    public: &'a [u8],
    signature: &'a [u8],
}

fn unreadable() -> Refusal {
    Refusal::sdk(2, "tx parse error")
}

fn parts(bytes: &[u8]) -> Outcome<Vec<(u64, Field<'_>)>> {
    fields(bytes).ok_or_else(unreadable)
}

/// The type's name and the bytes of an `Any`.
fn any(bytes: &[u8]) -> Outcome<(&str, &[u8])> {
    let read = parts(bytes)?;
    Ok((last(&read, 1).text(), last(&read, 2).bytes()))
}

fn order_key(bytes: &[u8]) -> Outcome<OrderKey> {
    let read = parts(bytes)?;
    let whose = parts(last(&read, 1).bytes())?;
    Ok(OrderKey {
        owner: last(&whose, 1).text().to_owned(),
        subaccount: last(&whose, 2).number(),
        client_id: last(&read, 2).number(),
        flags: last(&read, 3).number(),
        book: last(&read, 4).number(),
    })
}

fn good_till(block: Field<'_>, second: Field<'_>) -> GoodTill {
    match (block, second) {
        (Field::Number(_), _) => GoodTill::Block(block.number()),
        (_, Field::Number(_)) => GoodTill::Time(second.number()),
        _ => GoodTill::None,
    }
}

fn place(bytes: &[u8]) -> Outcome<Message> {
    let outer = parts(bytes)?;
    let read = parts(last(&outer, 1).bytes())?;
    Ok(Message::Place(ChainOrder {
        key: order_key(last(&read, 1).bytes())?,
        side: last(&read, 2).number(),
        quantums: last(&read, 3).number(),
        subticks: last(&read, 4).number(),
        good_till: good_till(last(&read, 5), last(&read, 6)),
        time_in_force: last(&read, 7).number(),
        reduce_only: last(&read, 8).number::<u32>() == 1,
        metadata: last(&read, 9).number(),
        condition: last(&read, 10).number(),
        trigger_subticks: last(&read, 11).number(),
    }))
}

fn cancel(bytes: &[u8]) -> Outcome<Message> {
    let read = parts(bytes)?;
    let key = order_key(last(&read, 1).bytes())?;
    Ok(Message::Cancel(key, good_till(last(&read, 2), last(&read, 3))))
}

fn cancel_many(bytes: &[u8]) -> Outcome<Message> {
    let read = parts(bytes)?;
    let whose = parts(last(&read, 1).bytes())?;
    let key = OrderKey {
        owner: last(&whose, 1).text().to_owned(),
        subaccount: last(&whose, 2).number(),
        ..OrderKey::default()
    };
    let mut books = Vec::new();
    for (_, book) in read.iter().filter(|(number, _)| *number == 2) {
        let book = parts(book.bytes())?;
        let packed = last(&book, 2).bytes().chunks_exact(4);
        let numbers = packed.map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        books.push((last(&book, 1).number(), numbers.collect()));
    }
    Ok(Message::CancelMany(key, books, last(&read, 3).number()))
}

/// Reads a transaction of one message.
pub fn read(bytes: &[u8]) -> Outcome<Transaction<'_>> {
    let raw = parts(bytes)?;
    let (body, auth) = (last(&raw, 1).bytes(), last(&raw, 2).bytes());
    let inside = parts(body)?;
    if inside.iter().any(|(number, _)| *number == 2_047) {
        return Err(Refusal::sdk(4, "authenticators are not simulated: unauthorized"));
    }
    if inside.iter().filter(|(number, _)| *number == 1).count() != 1 {
        return Err(Refusal::sdk(18, "orders come one in a transaction: invalid request"));
    }
    let (name, message) = any(last(&inside, 1).bytes())?;
    let message = match name {
        "/dydxprotocol.clob.MsgPlaceOrder" => place(message)?,
        "/dydxprotocol.clob.MsgCancelOrder" => cancel(message)?,
        "/dydxprotocol.clob.MsgBatchCancel" => cancel_many(message)?,
        other => return Err(Refusal::sdk(6, format!("{other} is not simulated: unknown request"))),
    };
    let signer = parts(last(&parts(auth)?, 1).bytes())?;
    let (_, public) = any(last(&signer, 1).bytes())?;
    let public = last(&parts(public)?, 1).bytes();
    let sequence = last(&signer, 3).number();
    Ok(Transaction { message, sequence, body, auth, public, signature: last(&raw, 3).bytes() })
}

impl Transaction<'_> {
    /// Whether a key signed it for an account of one of the chains.
    pub fn check_signature(&self, public: Option<&[u8]>, account_number: u64) -> Outcome<()> {
        if public != Some(self.public) {
            return Err(Refusal::sdk(8, "pubKey does not match signer address: invalid pubkey"));
        }
        let key = VerifyingKey::from_sec1_bytes(self.public).ok();
        let signature = Signature::from_slice(self.signature).ok();
        let is_signed = key.zip(signature).is_some_and(|(key, signature)| {
            CHAINS.iter().any(|chain| {
                let digest = sign_digest(self.body, self.auth, chain, account_number);
                key.verify_prehash(&digest, &signature).is_ok()
            })
        });
        if is_signed {
            return Ok(());
        }
        let sequence = self.sequence;
        let log = format!(
            "signature verification failed; please verify account number ({account_number}), \
             sequence ({sequence}) and chain-id ({}): unauthorized",
            CHAINS[0]
        );
        Err(Refusal::sdk(4, log))
    }
}
