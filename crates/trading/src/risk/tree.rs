//! From the tree that a person writes to the slots that a check reads, and what a restart keeps.

use std::collections::BTreeSet;

use mainspring_core::limits::MAX_OPEN_ORDERS;
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Lots, Result, Side, TimeNs};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::gate::Gate;
use super::halt::HaltCause;
use super::held::Held;
use super::kind::{LimitKind, ScopeKind};
use super::limits::{LimitTree, Limits};
use super::scope::{Counters, Room, Scope};
use super::slot::Slot;

/// What the branches of the tree are about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    pub(super) instruments: Vec<Instrument>,
    pub(super) strategies: Vec<String>,
}

/// What the gate remembers over a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateImage {
    tree: LimitTree,
    halt: Option<HaltCause>,
    account: Account,
    counters: Vec<Counters>,
}

/// Branches in the order in which slots count them.
struct Branches<'a> {
    tree: &'a LimitTree,
    scopes: Vec<Scope>,
    accounts: Vec<&'a str>,
    venues: Vec<String>,
    symbols: Vec<String>,
    first: [usize; 6],
}

impl Gate {
    /// A gate over instruments and strategies in kernel order.
    ///
    /// # Errors
    /// When a limit is above the build's ceiling, cannot be, or belongs to nothing here.
    pub fn new(
        tree: &LimitTree,
        instruments: &[Instrument],
        strategies: &[String],
    ) -> Result<Self> {
        tree.validate()?;
        let names = Names { instruments: instruments.to_vec(), strategies: strategies.to_vec() };
        check_names(tree, &names)?;
        let branches = Branches::new(tree, &names);
        let mut slots = Vec::with_capacity(strategies.len() * instruments.len());
        let mut calendars = Vec::with_capacity(slots.capacity());
        for (number, strategy) in strategies.iter().enumerate() {
            for (index, instrument) in instruments.iter().enumerate() {
                let shared = branches.shared_nodes(instrument);
                let own = tree.strategies.get(strategy);
                let of = branches.of(number, index, instrument);
                slots.push(Slot::new(instrument, &shared, own, of)?);
                calendars.push(Slot::calendar(instrument, &shared, own));
            }
        }
        let scopes = branches.scopes;
        slots.iter_mut().for_each(|slot: &mut Slot| slot.note_scopes(&scopes));
        let rooms: Vec<Room> = scopes.iter().map(Scope::room).collect();
        let live = tree.global.max_open_orders.unwrap_or(MAX_OPEN_ORDERS);
        Ok(Self {
            own: vec![Held::default(); slots.len()],
            net: vec![Held::default(); instruments.len()],
            units: vec![0; instruments.len()],
            instruments: instruments.len(),
            max_live_orders: live,
            tracks_value: scopes.iter().any(Scope::values_positions),
            counts_requests: scopes.iter().any(Scope::counts),
            counts_open: scopes.iter().any(Scope::bounds_open),
            refuses: rooms.iter().any(|room| room.blocked != 0),
            halt: None,
            wake_ns: TimeNs::MIN,
            slots,
            rooms,
            scopes,
            calendars,
            tree: tree.clone(),
            names,
            account: Account::default(),
        })
    }

    /// The limits.
    #[must_use]
    pub const fn tree(&self) -> &LimitTree {
        &self.tree
    }

    /// Most orders that may live at once.
    #[must_use]
    pub const fn max_live_orders(&self) -> usize {
        self.max_live_orders
    }

    /// The largest order of a strategy in an instrument, in lots.
    #[must_use]
    pub fn max_order(&self, strategy: u16, instrument: InstrumentId) -> Lots {
        Lots(self.slots[self.slot_of(strategy, instrument)].order_lots)
    }

    /// The largest net position in an instrument that a strategy may work towards, in lots.
    #[must_use]
    pub fn max_position(&self, strategy: u16, instrument: InstrumentId) -> Lots {
        let slot = &self.slots[self.slot_of(strategy, instrument)];
        Lots(slot.position_lots.min(slot.own_position_lots))
    }

    /// The largest net position of all strategies in an instrument, in lots.
    #[must_use]
    pub fn max_net_position(&self, strategy: u16, instrument: InstrumentId) -> Lots {
        Lots(self.slots[self.slot_of(strategy, instrument)].position_lots)
    }

    /// Refuses what a strategy adds in an instrument, or lets it pass again: its position state.
    pub fn stand_aside(&mut self, strategy: u16, instrument: InstrumentId, aside: bool) {
        let index = self.slot_of(strategy, instrument);
        let bit = LimitKind::PositionState.bit();
        let set = |bits: u32| if aside { bits | bit } else { bits & !bit };
        self.calendars[index].imposed = set(self.calendars[index].imposed);
        self.slots[index].blocked = set(self.slots[index].blocked);
    }

    /// What is open on a side of an instrument, all strategies together.
    #[inline]
    #[must_use]
    pub fn open_on(&self, instrument: InstrumentId, side: Side) -> Lots {
        Lots(self.net[instrument.index()].open[side as usize])
    }

    /// Other limits from now on; what was counted goes on.
    ///
    /// # Errors
    /// When a limit cannot be, or one is looser than before and `reason` is empty.
    pub fn reconfigure(&mut self, tree: &LimitTree, reason: &str) -> Result<()> {
        let loosened = tree.loosened_from(&self.tree);
        if !loosened.is_empty() && reason.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} would be looser: that takes a reason", loosened.join(", ")),
            ));
        }
        let before: Vec<Counters> = self.scopes.iter().map(|s| s.counters.clone()).collect();
        self.rebuild(tree, &before)
    }

    fn rebuild(&mut self, tree: &LimitTree, counters: &[Counters]) -> Result<()> {
        let mut new = Self::new(tree, &self.names.instruments, &self.names.strategies)?;
        // Accounts are the one branch that limits themselves bring: where they differ, theirs begin anew.
        let same = new.scopes.len() == counters.len();
        let first = Branches::new(tree, &new.names).first;
        for (index, scope) in new.scopes.iter_mut().enumerate() {
            let keeps = same || index == 0;
            let old = if keeps { Some(index) } else { moved(index, &first, counters.len()) };
            if let Some(old) = old.and_then(|old| counters.get(old)) {
                scope.take_over(old);
            }
        }
        new.own.clone_from(&self.own);
        new.net.clone_from(&self.net);
        new.units.clone_from(&self.units);
        for (calendar, old) in new.calendars.iter_mut().zip(&self.calendars) {
            calendar.imposed = old.imposed;
        }
        (new.halt, new.account) = (self.halt, self.account.clone());
        new.fill_rooms();
        new.impose();
        *self = new;
        Ok(())
    }

    /// Takes over positions and open orders: after a restart.
    pub fn recount(
        &mut self,
        position: &dyn Fn(u16, InstrumentId) -> Lots,
        open: &mut dyn Iterator<Item = (u16, InstrumentId, Side, Lots)>,
    ) {
        self.own.fill(Held::default());
        self.net.fill(Held::default());
        for index in 0..self.slots.len() {
            let (strategy, at) = (index / self.instruments, index % self.instruments);
            let held = position(strategy as u16, InstrumentId(at as u16));
            self.own[index].position = held.0;
            self.net[at].position += held.0;
        }
        self.fill_rooms();
        for (strategy, instrument, side, lots) in open {
            self.track(strategy, instrument, side, Lots::ZERO, lots);
        }
        // Values are looked up before the next check.
        self.wake_ns = TimeNs::MIN;
    }

    /// What a restart should keep, as of now.
    #[must_use]
    pub fn image(&self, now_ns: TimeNs) -> GateImage {
        // What time alone changes has happened, whether an order came to see it or not.
        let mut gate = self.clone();
        gate.pass_time(now_ns);
        GateImage {
            tree: gate.tree,
            halt: gate.halt,
            account: gate.account,
            counters: gate.scopes.into_iter().map(|scope| scope.counters).collect(),
        }
    }

    /// Takes an image into a gate over the same instruments and strategies. [`Self::recount`] follows.
    ///
    /// # Errors
    /// When it was made for others.
    pub fn restore(&mut self, image: &GateImage) -> Result<()> {
        let mut new = Self::new(&image.tree, &self.names.instruments, &self.names.strategies)?;
        if new.scopes.len() != image.counters.len() {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "the snapshot counts {} branches of limits, this session has {}",
                    image.counters.len(),
                    new.scopes.len()
                ),
            ));
        }
        for (scope, counters) in new.scopes.iter_mut().zip(&image.counters) {
            scope.counters = counters.clone();
        }
        (new.halt, new.account) = (image.halt, image.account.clone());
        new.fill_rooms();
        new.impose();
        *self = new;
        Ok(())
    }
}

/// Where a branch was before accounts came or went: it is as far from the end.
fn moved(index: usize, first: &[usize; 6], before: usize) -> Option<usize> {
    let total = first[5];
    (index >= first[1]).then(|| (index + before).checked_sub(total + 1)).flatten()
}

impl<'a> Branches<'a> {
    /// Global, accounts, venues, strategies, instruments, symbols; the last one bounds nothing.
    fn new(tree: &'a LimitTree, names: &Names) -> Self {
        let mut all = Self {
            tree,
            scopes: vec![Scope::new(ScopeKind::Global, &tree.global)],
            accounts: tree.accounts.keys().map(String::as_str).collect(),
            venues: distinct(names.instruments.iter().map(|i| &i.venue)),
            symbols: distinct(names.instruments.iter().map(|i| &i.base)),
            first: [0; 6],
        };
        let none = Limits::default();
        for account in tree.accounts.values() {
            all.scopes.push(Scope::new(ScopeKind::Account, &account.limits));
        }
        all.first[1] = all.scopes.len();
        for venue in all.venues.clone() {
            let node = tree.venues.get(&venue).unwrap_or(&none);
            all.push(ScopeKind::Venue, node);
        }
        all.first[2] = all.scopes.len();
        for strategy in &names.strategies {
            let node = tree.strategies.get(strategy).unwrap_or(&none);
            all.push(ScopeKind::Strategy, node);
        }
        all.first[3] = all.scopes.len();
        for instrument in &names.instruments {
            let node = node_of(tree, instrument).unwrap_or(&none);
            all.push(ScopeKind::Instrument, node);
        }
        all.first[4] = all.scopes.len();
        for symbol in all.symbols.clone() {
            let node = tree.symbols.get(&symbol).unwrap_or(&none);
            let node = Limits {
                max_symbol_exposure: node.max_symbol_exposure.or(tree.global.max_symbol_exposure),
                max_concentration: node.max_concentration.or(tree.global.max_concentration),
                ..Limits::default()
            };
            all.scopes.push(Scope::new(ScopeKind::Symbol, &node));
        }
        all.first[5] = all.scopes.len();
        all.scopes.push(Scope::new(ScopeKind::Account, &none));
        all.scopes[0].counters.breaker = None;
        all
    }

    /// A venue or strategy has the breaker of its node, or else that of the top.
    fn push(&mut self, kind: ScopeKind, node: &Limits) {
        let breaks = matches!(kind, ScopeKind::Venue | ScopeKind::Strategy);
        let breaker = node.breaker.or(self.tree.global.breaker).filter(|_| breaks);
        self.scopes.push(Scope::new(kind, &Limits { breaker, ..node.clone() }));
    }

    /// Branches of an order.
    fn of(&self, strategy: usize, index: usize, instrument: &Instrument) -> [u16; 6] {
        let at = |list: &[String], name: &String| list.iter().position(|n| n == name).unwrap_or(0);
        let none = self.first[5];
        let account = self.account(instrument).map_or(none, |account| 1 + account);
        [
            0,
            account,
            self.first[1] + at(&self.venues, &instrument.venue),
            self.first[2] + strategy,
            self.first[3] + index,
            self.first[4] + at(&self.symbols, &instrument.base),
        ]
        .map(|scope| scope as u16)
    }

    fn account(&self, instrument: &Instrument) -> Option<usize> {
        self.accounts
            .iter()
            .position(|name| self.tree.accounts[*name].venues.contains(&instrument.venue))
    }

    /// The nodes that hold for an instrument whatever the strategy.
    fn shared_nodes(&self, instrument: &Instrument) -> Vec<&'a Limits> {
        let mut nodes = vec![&self.tree.global];
        if let Some(account) = self.account(instrument) {
            nodes.push(&self.tree.accounts[self.accounts[account]].limits);
        }
        nodes.extend(self.tree.venues.get(&instrument.venue));
        nodes.extend(node_of(self.tree, instrument));
        nodes
    }
}

fn node_of<'a>(tree: &'a LimitTree, instrument: &Instrument) -> Option<&'a Limits> {
    let full = format!("{}@{}", instrument.symbol, instrument.venue);
    tree.instruments.get(&full).or_else(|| tree.instruments.get(&instrument.symbol))
}

fn distinct<'n>(names: impl Iterator<Item = &'n String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

/// A limit of something that is not here is a slip of the pen, and the limit that was meant is not.
fn check_names(tree: &LimitTree, names: &Names) -> Result<()> {
    let of = |pick: &dyn Fn(&Instrument) -> String| -> BTreeSet<String> {
        names.instruments.iter().map(pick).collect()
    };
    let venues = of(&|i| i.venue.clone());
    let mut instruments = of(&|i| i.symbol.clone());
    instruments.extend(of(&|i| format!("{}@{}", i.symbol, i.venue)));
    let strategies: BTreeSet<String> = names.strategies.iter().cloned().collect();
    for (branch, written, known) in [
        ("venues", tree.venues.keys().collect::<Vec<_>>(), &venues),
        ("strategies", tree.strategies.keys().collect(), &strategies),
        ("instruments", tree.instruments.keys().collect(), &instruments),
        ("symbols", tree.symbols.keys().collect(), &of(&|i| i.base.clone())),
    ] {
        if let Some(name) = written.into_iter().find(|name| !known.contains(*name)) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(Error::new(
                ErrorKind::Config,
                format!("limits.{branch}.{name}: this run has {}", known.join(", ")),
            ));
        }
    }
    let mut taken: Vec<&String> = Vec::new();
    for (name, account) in &tree.accounts {
        for venue in &account.venues {
            if taken.contains(&venue) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("limits.accounts.{name}: venue {venue} is in another account as well"),
                ));
            }
            taken.push(venue);
        }
    }
    Ok(())
}
