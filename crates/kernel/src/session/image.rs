//! What a restart keeps.

use mainspring_core::{ClientOrderId, Error, ErrorKind, Lots, Result, TimeNs};
use mainspring_trading::execution::parents::ParentsImage;
use mainspring_trading::execution::RateBudget;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{Order, OrderIds, OrdersImage, VenueOrderId};
use mainspring_trading::risk::GateImage;
use serde::{Deserialize, Serialize};

use crate::kernel::{working_lots, Timer};
use crate::stops::Guard;

use super::books::BookImage;
use super::changed::Changed;
use super::foreign::FIRST_ADOPTED;
use super::outside::{SeenTrades, VenueLink, REMEMBERED_NAMES};
use super::rollout::Rollout;
use super::totals::Totals;
use super::Session;

/// Version of the layout of [`Image`].
pub const IMAGE_VERSION: u32 = 3;

/// A strategy as a snapshot keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyImage {
    /// Its name: a snapshot is taken up by the same strategies in the same order.
    pub name: String,
    /// Why it was stopped, if it was.
    pub failure: Option<String>,
    /// What it declared.
    pub state: Vec<u8>,
}

/// The state of a session without its markets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Version of the layout.
    pub version: u32,
    /// Sequence of the last record that is in it.
    pub sequence: u64,
    /// Logical time.
    pub now_ns: TimeNs,
    /// When the strategies were started.
    pub started_ns: TimeNs,
    /// Orders.
    pub orders: OrdersImage,
    /// Money and positions.
    pub ledger: Ledger,
    /// Limits, what they have counted, and whether trading is halted.
    pub gate: GateImage,
    /// Stops.
    #[serde(default)]
    pub guards: Vec<Guard>,
    /// The id that the next order gets.
    pub next_order: u64,
    /// The id that the next order of a strategy that runs elsewhere gets at least.
    pub next_elsewhere: u64,
    /// Waits for answers, by time.
    pub waits: Vec<(TimeNs, Timer)>,
    /// The venues.
    pub links: Vec<VenueLink>,
    /// Instruments whose position was another at the last answer of their venue.
    #[serde(default)]
    pub differs: Vec<bool>,
    /// Fills that were booked, by instrument and the venue's id, oldest first.
    pub trades: Vec<(u16, u64)>,
    /// The venues' own ids of our orders, oldest first.
    #[serde(default)]
    pub names: Vec<(ClientOrderId, VenueOrderId)>,
    /// The id that the next adopted order gets.
    #[serde(default = "first_adopted")]
    pub next_adopted: u64,
    /// When the session began, over all its lives.
    #[serde(default)]
    pub begun_ns: TimeNs,
    /// The strategies.
    pub strategies: Vec<StrategyImage>,
    /// Symbols of the instruments.
    pub symbols: Vec<String>,
    /// Parent orders, once there was one.
    #[serde(default)]
    pub parents: Option<ParentsImage>,
    /// The id that the next parent order gets.
    #[serde(default = "first_parent")]
    pub next_parent: u32,
    /// What commands changed.
    #[serde(default)]
    pub changed: Changed,
    /// How far new versions of strategies are.
    #[serde(default)]
    pub rollouts: Vec<Rollout>,
    /// What the journal has in all.
    #[serde(default)]
    pub totals: Totals,
    /// What was charged to rate budgets, by venue.
    #[serde(default)]
    pub budgets: Vec<Option<RateBudget>>,
    /// The books by order, by instrument, where our orders are in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub books: Vec<BookImage>,
}

const fn first_parent() -> u32 {
    1
}

const fn first_adopted() -> u64 {
    FIRST_ADOPTED
}

impl Session {
    /// What a restart should keep, as of the last record.
    #[must_use]
    pub fn image(&self) -> Image {
        let kernel = &self.kernel;
        let outside = kernel.outside.as_ref();
        let strategies = kernel.strategies.iter().zip(&self.states);
        Image {
            version: IMAGE_VERSION,
            sequence: self.sequence,
            now_ns: kernel.now_ns,
            started_ns: kernel.started_ns,
            orders: kernel.orders.image(),
            ledger: kernel.ledger.clone(),
            gate: kernel.gate.image(kernel.now_ns),
            guards: kernel.guards.clone(),
            next_order: kernel.intents.upcoming_id().0,
            next_elsewhere: self.next_elsewhere,
            waits: kernel.timers.iter().filter(|(_, t)| is_kept(t)).copied().collect(),
            links: outside.map_or_else(Vec::new, |o| o.links.clone()),
            differs: outside.map_or_else(Vec::new, |o| o.differs.clone()),
            trades: outside.map_or_else(Vec::new, |o| o.seen.list()),
            names: outside.map_or_else(Vec::new, |o| o.ids.image()),
            next_adopted: outside.map_or(FIRST_ADOPTED, |o| o.next_adopted),
            begun_ns: outside.map_or(TimeNs::MIN, |o| o.begun_ns),
            strategies: strategies
                .map(|(slot, state)| StrategyImage {
                    name: slot.host.name().to_owned(),
                    failure: slot.failure.clone(),
                    state: state.clone(),
                })
                .collect(),
            symbols: self.symbols(),
            parents: kernel.parents.as_ref().map(|parents| parents.image()),
            next_parent: kernel.intents.upcoming_parent().0,
            changed: outside.map_or_else(Changed::default, |o| o.changed.clone()),
            rollouts: outside.map_or_else(Vec::new, |o| o.rollouts.clone()),
            totals: self.totals(),
            budgets: kernel.rounds.as_ref().map_or_else(Vec::new, |r| r.budgets().to_vec()),
            books: match kernel.matching {
                Some(_) => kernel.markets.iter().map(BookImage::of).collect(),
                None => Vec::new(),
            },
        }
    }

    /// Takes a snapshot into a session that was just made.
    ///
    /// # Errors
    /// When it was written by another version, or for other instruments or strategies.
    pub fn restore(&mut self, image: &Image) -> Result<()> {
        self.check_image(image)?;
        let kernel = &mut self.kernel;
        kernel.orders.restore(&image.orders)?;
        kernel.ledger = image.ledger.clone();
        kernel.gate.restore(&image.gate)?;
        kernel.restore_guards(&image.guards);
        kernel.now_ns = image.now_ns;
        kernel.started_ns = image.started_ns;
        kernel.hush();
        kernel.intents.give_ids_from(image.next_order);
        kernel.intents.give_parents_from(image.next_parent);
        if let Some(parents) = &image.parents {
            kernel.restore_parents(parents)?;
        }
        for (at_ns, timer) in &image.waits {
            kernel.timers.push(*at_ns, *timer)?;
        }
        if let Some(outside) = &mut kernel.outside {
            outside.links.clone_from(&image.links);
            outside.differs.fill(false);
            outside.differs.iter_mut().zip(&image.differs).for_each(|(to, kept)| *to = *kept);
            outside.seen = SeenTrades::of(&image.trades);
            outside.ids = OrderIds::of(&image.names, REMEMBERED_NAMES);
            outside.next_adopted = image.next_adopted;
            // A snapshot that does not say it is of a session that adopts nothing from before it.
            outside.begun_ns = if image.begun_ns == 0 { image.now_ns } else { image.begun_ns };
        }
        for (market, book) in kernel.markets.iter_mut().zip(&image.books) {
            book.restore(market, image.now_ns);
        }
        kernel.restore_changed(&image.changed)?;
        kernel.restore_rollouts(&image.rollouts);
        self.before = image.totals;
        let kernel = &mut self.kernel;
        let now_ns = kernel.now_ns;
        if let Some(rounds) = &mut kernel.rounds {
            rounds.begin_budgets(&image.budgets, now_ns);
        }
        let ledger = &kernel.ledger;
        let position =
            |strategy, at| ledger.position(strategy, at).map_or(Lots::ZERO, |held| held.lots);
        let open = |o: &Order| (o.strategy, o.terms.instrument, o.terms.side, working_lots(o));
        kernel.gate.recount(&position, &mut kernel.orders.all_live().map(open));
        for (slot, kept) in kernel.strategies.iter_mut().zip(&image.strategies) {
            slot.failure.clone_from(&kept.failure);
        }
        self.states = image.strategies.iter().map(|kept| kept.state.clone()).collect();
        self.sequence = image.sequence;
        self.next_elsewhere = image.next_elsewhere;
        Ok(())
    }

    fn symbols(&self) -> Vec<String> {
        self.instruments.iter().map(|i| format!("{}@{}", i.symbol, i.venue)).collect()
    }

    fn check_image(&self, image: &Image) -> Result<()> {
        let differs = |what: &str, theirs: &dyn std::fmt::Debug, ours: &dyn std::fmt::Debug| {
            Err(Error::new(
                ErrorKind::Mismatch,
                format!("the snapshot has {what} {theirs:?}, this session has {ours:?}"),
            ))
        };
        if image.version != IMAGE_VERSION {
            return differs("layout version", &image.version, &IMAGE_VERSION);
        }
        let symbols = self.symbols();
        if image.symbols != symbols {
            return differs("the instruments", &image.symbols, &symbols);
        }
        let names: Vec<_> = self.kernel.strategies.iter().map(|s| s.host.name()).collect();
        let theirs: Vec<_> = image.strategies.iter().map(|s| s.name.as_str()).collect();
        if theirs != names {
            return differs("the strategies", &theirs, &names);
        }
        Ok(())
    }
}

/// Whether a restart keeps a timer: those of strategies it does not.
pub(super) const fn is_kept(timer: &Timer) -> bool {
    matches!(timer, Timer::Overdue { .. } | Timer::Ask { .. } | Timer::Parent { .. })
}
