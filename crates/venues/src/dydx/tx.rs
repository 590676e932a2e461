//! Transactions of the chain: orders and cancels, signed in direct mode.

use sha2::{Digest, Sha256};

use super::protobuf::Message;
use crate::secp256k1::Secp256k1Key;

/// What names an order on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderId<'a> {
    /// Address of the account.
    pub owner: &'a str,
    /// Number of the subaccount.
    pub subaccount: u32,
    /// Our number of the order.
    pub client_id: u32,
    /// 0 short-term, 32 conditional, 64 long-term.
    pub flags: u32,
    /// The order book.
    pub clob_pair_id: u32,
}

impl OrderId<'_> {
    fn message(&self) -> Message {
        let subaccount = Message::default()
            .bytes(1, self.owner.as_bytes())
            .varint(2, u64::from(self.subaccount));
        Message::default()
            .message(1, &subaccount.0)
            .fixed32(2, self.client_id)
            .varint(3, u64::from(self.flags))
            .varint(4, u64::from(self.clob_pair_id))
    }
}

/// When an order ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoodTill {
    /// With this block: short-term orders.
    Block(u32),
    /// At this second since 1970: all others.
    Time(u32),
}

/// An order in the chain's integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainOrder<'a> {
    /// What names it.
    pub id: OrderId<'a>,
    /// Sells instead of buys.
    pub sell: bool,
    /// Quantity.
    pub quantums: u64,
    /// Price.
    pub subticks: u64,
    /// When it ends.
    pub good_till: GoodTill,
    /// 0 none, 1 immediate or cancel, 2 post-only.
    pub time_in_force: u32,
    /// Only shrink a position.
    pub reduce_only: bool,
    /// Metadata of the client.
    pub metadata: u32,
    /// 0 none, 1 stop loss, 2 take profit.
    pub condition: u32,
    /// Price that triggers it.
    pub trigger_subticks: u64,
    /// Address that routed the order; empty for none.
    pub router: &'a str,
}

/// `MsgPlaceOrder`.
#[must_use]
pub fn place(order: &ChainOrder<'_>) -> Message {
    let message = Message::default()
        .message(1, &order.id.message().0)
        .varint(2, if order.sell { 2 } else { 1 })
        .varint(3, order.quantums)
        .varint(4, order.subticks);
    let message = match order.good_till {
        GoodTill::Block(block) => message.varint(5, u64::from(block)),
        GoodTill::Time(second) => message.fixed32(6, second),
    };
    let message = message
        .varint(7, u64::from(order.time_in_force))
        .varint(8, u64::from(order.reduce_only))
        .varint(9, u64::from(order.metadata))
        .varint(10, u64::from(order.condition))
        .varint(11, order.trigger_subticks)
        .bytes(14, order.router.as_bytes());
    let body = Message::default().message(1, &message.0);
    Message::any("/dydxprotocol.clob.MsgPlaceOrder", &body)
}

/// `MsgCancelOrder`.
#[must_use]
pub fn cancel(id: &OrderId<'_>, good_till: GoodTill) -> Message {
    let message = Message::default().message(1, &id.message().0);
    let message = match good_till {
        GoodTill::Block(block) => message.varint(2, u64::from(block)),
        GoodTill::Time(second) => message.fixed32(3, second),
    };
    Message::any("/dydxprotocol.clob.MsgCancelOrder", &message)
}

/// `MsgBatchCancel` of short-term orders: numbers of orders by order book.
#[must_use]
pub fn batch_cancel(
    owner: &str,
    subaccount: u32,
    books: &[(u32, Vec<u32>)],
    block: u32,
) -> Message {
    let account = Message::default().bytes(1, owner.as_bytes()).varint(2, u64::from(subaccount));
    let mut message = Message::default().message(1, &account.0);
    for (clob_pair_id, clients) in books {
        let packed: Vec<u8> = clients.iter().flat_map(|client| client.to_le_bytes()).collect();
        let book = Message::default().varint(1, u64::from(*clob_pair_id)).bytes(2, &packed);
        message = message.message(2, &book.0);
    }
    let message = message.varint(3, u64::from(block));
    Message::any("/dydxprotocol.clob.MsgBatchCancel", &message)
}

/// Who signs, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer<'a> {
    /// `dydx-mainnet-1`, `dydx-testnet-4`.
    pub chain_id: &'a str,
    /// Number of the account on the chain.
    pub account_number: u64,
    /// Sequence of the transaction, or the time in milliseconds where that is allowed.
    pub sequence: u64,
    /// Numbers of the authenticators of a permissioned key; empty for the owner's.
    pub authenticators: &'a [u64],
}

/// Gas that is allowed; orders cost none.
const GAS_LIMIT: u64 = 1_000_000;

/// A signed transaction of one message.
#[must_use]
pub fn signed(key: &Secp256k1Key, message: &Message, signer: &Signer<'_>) -> Vec<u8> {
    let mut body = Message::default().message(1, &message.0);
    if !signer.authenticators.is_empty() {
        let mut packed = Vec::new();
        signer
            .authenticators
            .iter()
            .for_each(|one| super::protobuf::push_varint(&mut packed, *one));
        let extension = Message::default().bytes(1, &packed);
        let any = Message::any("/dydxprotocol.accountplus.TxExtension", &extension);
        body = body.message(2047, &any.0);
    }
    let public = Message::default().bytes(1, &key.public());
    let single = Message::default().varint(1, 1);
    let mode = Message::default().message(1, &single.0);
    let info = Message::default()
        .message(1, &Message::any("/cosmos.crypto.secp256k1.PubKey", &public).0)
        .message(2, &mode.0)
        .varint(3, signer.sequence);
    let fee = Message::default().varint(2, GAS_LIMIT);
    let auth = Message::default().message(1, &info.0).message(2, &fee.0);
    let digest = sign_digest(&body.0, &auth.0, signer.chain_id, signer.account_number);
    let signature = key.sign(&digest);
    let whole = [signature.r, signature.s].concat();
    Message::default().bytes(1, &body.0).bytes(2, &auth.0).bytes(3, &whole).0
}

/// What is signed of a transaction: the hash of its body and of who signs, for one chain and account.
#[must_use]
pub fn sign_digest(body: &[u8], auth: &[u8], chain_id: &str, account_number: u64) -> [u8; 32] {
    let document = Message::default()
        .bytes(1, body)
        .bytes(2, auth)
        .bytes(3, chain_id.as_bytes())
        .varint(4, account_number);
    Sha256::digest(&document.0).into()
}
