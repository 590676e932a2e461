//! A mixed load for measuring and testing the matching engine.
//!
//! Of the messages half are new orders, 15 % of them immediate-or-cancel at prices that take. Of the
//! other half 20 % amend an open order, 95 % of the rest cancel one, and what remains are market
//! orders. Limit prices lie a power law away from a mid that is calm, wanders, swings or crashes.

use hashbrown::HashMap;
use mainspring_core::order::{OrderTerms, Side, TimeInForce};
use mainspring_core::{Instrument, InstrumentId, Lots, Result, Ticks, TimeNs};

use crate::market::{Market, MarketConfig};
use crate::order::{
    AccountId, Desk, NewOrder, OpenOrder, OrderId, OrderReport, ReportKind, TradeReport,
};

/// How the price moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// A tick now and then.
    Calm,
    /// A random walk.
    Normal,
    /// Up and down by hundreds of ticks.
    Swinging,
    /// Down by thousands of ticks, in jumps.
    Crashing,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Calm, Self::Normal, Self::Swinging, Self::Crashing];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Normal => "normal",
            Self::Swinging => "swinging",
            Self::Crashing => "crashing",
        }
    }
}

/// One message to a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A new order.
    New(NewOrder),
    /// A cancel.
    Cancel(OrderId, AccountId),
    /// New price and whole quantity of an open order.
    Amend(OrderId, AccountId, Ticks, Lots),
}

impl Message {
    /// Gives the message to a market.
    #[inline]
    pub fn apply(&self, market: &mut Market, now: TimeNs, desk: &mut impl Desk) {
        match self {
            Self::New(order) => market.submit(*order, now, desk),
            Self::Cancel(id, account) => market.cancel(*id, *account, now, desk),
            Self::Amend(id, account, price, qty) => {
                market.amend(*id, *account, (*price, *qty), now, desk);
            }
        }
    }
}

/// Members that take turns.
const ACCOUNTS: u64 = 64;
const FIRST_PRICE: i64 = 1_000_000;
/// Orders in the book before the first message.
const SEEDED: usize = 20_000;

/// Orders that fill the book, then `count` messages. The same arguments give the same messages.
///
/// # Errors
/// When the instrument does not fit into exact money.
pub fn generate(
    instrument: &Instrument,
    scenario: Scenario,
    count: usize,
    seed: u64,
) -> Result<(Vec<Message>, Vec<Message>)> {
    let mut load = Load::new(instrument, scenario, seed)?;
    let before = (0..SEEDED.min(count)).map(|_| load.rest()).collect();
    let messages = (0..count).map(|at| load.next(at, count)).collect();
    Ok((before, messages))
}

struct Load {
    scenario: Scenario,
    random: SplitMix,
    mid: f64,
    next_id: u64,
    /// What the messages so far lead to, so that cancels and amends name orders that are open.
    market: Market,
    open: OpenIds,
}

impl Load {
    fn new(instrument: &Instrument, scenario: Scenario, seed: u64) -> Result<Self> {
        Ok(Self {
            scenario,
            random: SplitMix(seed),
            mid: FIRST_PRICE as f64,
            next_id: 1,
            market: Market::new(InstrumentId(0), instrument, MarketConfig::default())?,
            open: OpenIds::default(),
        })
    }

    fn next(&mut self, at: usize, count: usize) -> Message {
        self.move_mid(at as f64 / count as f64);
        let kind = self.random.uniform();
        let amends = 0.5 + 0.5 * 0.2;
        let cancels = amends + (1.0 - amends) * 0.95;
        match kind {
            k if k < 0.5 && self.random.uniform() < 0.15 => self.immediate(),
            k if k < 0.5 || self.open.ids.is_empty() => self.rest(),
            k if k < amends => self.amend(),
            k if k < cancels => self.cancel(),
            _ => self.take(),
        }
    }

    fn move_mid(&mut self, progress: f64) {
        let step = self.random.uniform() - 0.5;
        let turn = std::f64::consts::TAU * progress;
        self.mid += match self.scenario {
            Scenario::Calm => 0.02 * step,
            Scenario::Normal => 0.1 * step,
            Scenario::Swinging => 0.1 * step + 0.005 * (20.0 * turn).cos(),
            Scenario::Crashing if self.random.uniform() < 2e-4 => -40.0 * self.random.uniform(),
            Scenario::Crashing => 0.1 * step,
        };
    }

    fn rest(&mut self) -> Message {
        let (side, away) = (self.side(), 1 + self.power_law(3.0, 20_000.0));
        let price = self.not_taking(side, side.inward(Ticks(self.mid as i64), -away));
        let qty = self.quoted();
        self.send_new(OrderTerms::limit(InstrumentId(0), side, price, qty))
    }

    fn immediate(&mut self) -> Message {
        let (side, through) = (self.taking_side(), self.power_law(2.0, 50.0));
        let price = side.inward(Ticks(self.mid as i64), through);
        let mut terms = OrderTerms::limit(InstrumentId(0), side, price, self.taken());
        terms.time_in_force = TimeInForce::Ioc;
        self.send_new(terms)
    }

    fn take(&mut self) -> Message {
        let (side, qty) = (self.taking_side(), self.taken());
        self.send_new(OrderTerms::market(InstrumentId(0), side, qty))
    }

    fn cancel(&mut self) -> Message {
        let order = self.pick().order;
        self.send(Message::Cancel(order.id, order.account))
    }

    /// Half of the amends change the quantity, the others the price by a few ticks.
    fn amend(&mut self) -> Message {
        let open = self.pick();
        let terms = open.order.terms;
        let (price, qty) = if self.random.below(2) == 0 {
            (terms.price, open.filled + self.quoted())
        } else {
            let moved = Ticks(terms.price.0 + self.random.below(9) as i64 - 4);
            (self.not_taking(terms.side, moved), terms.qty)
        };
        self.send(Message::Amend(open.order.id, open.order.account, price, qty))
    }

    fn pick(&mut self) -> OpenOrder {
        let at = self.random.below(self.open.ids.len() as u64) as usize;
        let id = self.open.ids[at];
        self.market.order(id).expect("the load follows the market")
    }

    fn send_new(&mut self, terms: OrderTerms) -> Message {
        let id = OrderId(self.next_id);
        self.next_id += 1;
        let mut order = NewOrder::new(id, AccountId(self.random.below(ACCOUNTS) as u32), terms);
        order.self_trade = None;
        self.send(Message::New(order))
    }

    fn send(&mut self, message: Message) -> Message {
        message.apply(&mut self.market, 0, &mut self.open);
        message
    }

    fn side(&mut self) -> Side {
        if self.random.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// Takers push the book after the mid.
    fn taking_side(&mut self) -> Side {
        let levels = self.market.levels();
        let middle = levels.mid2().map_or(self.mid, |twice| twice as f64 / 2.0);
        let buys = (0.5 + (self.mid - middle) / 4.0).clamp(0.05, 0.95);
        if self.random.uniform() < buys {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// A maker's price: the one wished, or one tick from the other side.
    fn not_taking(&self, side: Side, wished: Ticks) -> Ticks {
        match self.market.levels().best(side.opposite()) {
            Some(best) if side.at_least(wished, best) => side.inward(best, -1),
            _ => wished,
        }
    }

    /// Makers quote at least fifty lots.
    fn quoted(&mut self) -> Lots {
        Lots(50 + self.power_law(50.0, 5_000.0))
    }

    /// Takers take some of one order or a few whole ones.
    fn taken(&mut self) -> Lots {
        Lots(1 + self.power_law(40.0, 5_000.0))
    }

    /// A Pareto law (Lomax, exponent 1.5): `scale (u^(-2/3) - 1)`, at most `most`.
    fn power_law(&mut self, scale: f64, most: f64) -> i64 {
        let u = self.random.uniform().max(1e-12);
        (scale * (u.powf(-2.0 / 3.0) - 1.0)).min(most) as i64
    }
}

/// The ids of open orders, any of them at hand.
#[derive(Default)]
struct OpenIds {
    ids: Vec<OrderId>,
    at: HashMap<u64, usize, FixedState>,
}

type FixedState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

impl OpenIds {
    fn remove(&mut self, id: OrderId) {
        if let Some(at) = self.at.remove(&id.0) {
            self.ids.swap_remove(at);
            if let Some(moved) = self.ids.get(at) {
                self.at.insert(moved.0, at);
            }
        }
    }
}

impl Desk for OpenIds {
    fn trade(&mut self, trade: &TradeReport) {
        if trade.maker.left.0 == 0 {
            self.remove(trade.maker.order);
        }
        if trade.taker.left.0 == 0 {
            self.remove(trade.taker.order);
        }
    }

    fn order(&mut self, report: &OrderReport) {
        match report.kind {
            ReportKind::Rested if !self.at.contains_key(&report.order.0) => {
                self.at.insert(report.order.0, self.ids.len());
                self.ids.push(report.order);
            }
            ReportKind::Cancelled(_) => self.remove(report.order),
            _ => {}
        }
    }
}

/// Steele's SplitMix64.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}
