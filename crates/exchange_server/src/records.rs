//! What a venue remembers of orders and trades.

use std::collections::{BTreeMap, HashMap, VecDeque};

use mainspring_core::order::{CancelReason, OrderTerms};
use mainspring_core::Lots;
use mainspring_exchange::{AccountId, OrderId};

/// Ended orders and fills that are kept.
const KEPT: usize = 100_000;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Open, nothing filled.
    New,
    /// Open, partly filled.
    PartiallyFilled,
    /// Done.
    Filled,
    /// Cancelled by its owner.
    Canceled,
    /// Ended by rule.
    Expired,
    /// Ended by self-trade prevention.
    ExpiredInMatch,
}

impl Status {
    /// The venue's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::ExpiredInMatch => "EXPIRED_IN_MATCH",
        }
    }

    /// Whether the order can still trade.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// What an order on a chain says beside its terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainTerms {
    /// The kind of order.
    pub flags: u32,
    /// The member's own number beside its id.
    pub metadata: u32,
    /// The last block, or the second since 1970, in which it can trade.
    pub good_till: u32,
    /// The block that it came in.
    pub height: u32,
}

/// A member's order.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    /// The venue's id.
    pub id: OrderId,
    /// The member's.
    pub client_id: String,
    /// Whose.
    pub account: AccountId,
    /// Index of the symbol.
    pub symbol: usize,
    /// Terms now.
    pub terms: OrderTerms,
    /// Type and time in force as the member named them.
    pub type_name: &'static str,
    /// See `type_name`.
    pub time_in_force: &'static str,
    /// Self-trade prevention as the member named it.
    pub self_trade: &'static str,
    /// What triggers it, as the member named it.
    pub working_type: &'static str,
    /// What it says on a chain.
    pub chain: ChainTerms,
    /// Where it stands.
    pub status: Status,
    /// Why it ended without being filled.
    pub ended: Option<CancelReason>,
    /// Whether it waits for its trigger.
    pub is_armed: bool,
    /// What has traded.
    pub filled: Lots,
    /// Value of what has traded, in quanta.
    pub quote: i128,
    /// When it came.
    pub time_ms: i64,
    /// When it last changed.
    pub update_ms: i64,
}

/// What the ids of orders begin with by which the venue closes positions.
const LIQUIDATION: &str = "autoclose-";

impl OrderRecord {
    /// The order by which the venue closes a member's position.
    #[must_use]
    pub fn liquidation(id: OrderId, account: AccountId, terms: OrderTerms, time_ms: i64) -> Self {
        Self {
            id,
            client_id: format!("{LIQUIDATION}{}", id.0),
            account,
            symbol: terms.instrument.index(),
            terms,
            type_name: "MARKET",
            time_in_force: "IOC",
            self_trade: "NONE",
            working_type: "MARK_PRICE",
            chain: ChainTerms::default(),
            status: Status::New,
            ended: None,
            is_armed: false,
            filled: Lots(0),
            quote: 0,
            time_ms,
            update_ms: time_ms,
        }
    }

    /// Whether it is the venue's, to close a member's position.
    #[must_use]
    pub fn is_liquidation(&self) -> bool {
        self.client_id.starts_with(LIQUIDATION)
    }

    /// The member's own id; empty for ids of the venue's making.
    #[must_use]
    pub fn own_id(&self) -> &str {
        match self.client_id.starts_with("simulator-") || self.is_liquidation() {
            true => "",
            false => &self.client_id,
        }
    }
}

/// One side of a trade of a member.
#[derive(Clone, Copy, Debug)]
pub struct FillRecord {
    /// Number of the trade in its symbol.
    pub trade: u64,
    /// The order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Index of the symbol.
    pub symbol: usize,
    /// Price in ticks.
    pub price: i64,
    /// Quantity.
    pub qty: Lots,
    /// Value in quanta.
    pub quote: i128,
    /// Fee in quanta.
    pub fee: i128,
    /// Profit realised, in quanta.
    pub realised: i128,
    /// Whether the member bought.
    pub buys: bool,
    /// Whether the order was resting.
    pub maker: bool,
    /// When.
    pub time_ms: i64,
}

/// Orders and fills of all members.
#[derive(Debug, Default)]
pub struct Records {
    orders: HashMap<u64, OrderRecord>,
    /// Newest order of each client id.
    by_client_id: HashMap<(AccountId, String), OrderId>,
    /// Open ones by account.
    open: HashMap<AccountId, BTreeMap<u64, ()>>,
    ended: VecDeque<u64>,
    fills: VecDeque<FillRecord>,
}

impl Records {
    /// Keeps a new order.
    pub fn add(&mut self, order: OrderRecord) {
        let id = order.id;
        self.by_client_id.insert((order.account, order.client_id.clone()), id);
        self.open.entry(order.account).or_default().insert(id.0, ());
        self.orders.insert(id.0, order);
    }

    /// Forgets an order that was refused.
    pub fn forget(&mut self, id: OrderId) {
        if let Some(order) = self.orders.remove(&id.0) {
            self.by_client_id.remove(&(order.account, order.client_id));
            if let Some(open) = self.open.get_mut(&order.account) {
                open.remove(&id.0);
            }
        }
    }

    /// An order of anybody.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&OrderRecord> {
        self.orders.get(&id.0)
    }

    /// The same to change.
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut OrderRecord> {
        self.orders.get_mut(&id.0)
    }

    /// An order of an account by the venue's or its own id.
    #[must_use]
    pub fn find(
        &self,
        account: AccountId,
        id: Option<i64>,
        client_id: Option<&str>,
    ) -> Option<&OrderRecord> {
        let id = match (id, client_id) {
            (Some(id), _) => OrderId(u64::try_from(id).ok()?),
            (None, Some(client_id)) => *self.by_client_id.get(&(account, client_id.to_owned()))?,
            (None, None) => return None,
        };
        self.get(id).filter(|order| order.account == account)
    }

    /// Ends an order: it is kept among the last ones.
    pub fn end(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id.0) else { return };
        if let Some(open) = self.open.get_mut(&order.account) {
            open.remove(&id.0);
        }
        self.ended.push_back(id.0);
        if self.ended.len() > KEPT {
            if let Some(oldest) = self.ended.pop_front() {
                self.forget(OrderId(oldest));
            }
        }
    }

    /// Number of open orders of an account.
    #[must_use]
    pub fn open_count(&self, account: AccountId) -> usize {
        self.open.get(&account).map_or(0, BTreeMap::len)
    }

    /// Open orders of an account, oldest first.
    pub fn open_of(&self, account: AccountId) -> impl Iterator<Item = &OrderRecord> {
        let ids = self.open.get(&account).into_iter().flat_map(BTreeMap::keys);
        ids.filter_map(|id| self.orders.get(id))
    }

    /// Every order of an account, oldest first. Looks at all orders there are.
    #[must_use]
    pub fn all_of(&self, account: AccountId) -> Vec<&OrderRecord> {
        let mut all: Vec<_> = self.orders.values().filter(|o| o.account == account).collect();
        all.sort_by_key(|order| order.id);
        all
    }

    /// Keeps a fill.
    pub fn add_fill(&mut self, fill: FillRecord) {
        self.fills.push_back(fill);
        if self.fills.len() > KEPT {
            self.fills.pop_front();
        }
    }

    /// Fills of an account, oldest first.
    pub fn fills_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &FillRecord> {
        self.fills.iter().filter(move |fill| fill.account == account)
    }
}
