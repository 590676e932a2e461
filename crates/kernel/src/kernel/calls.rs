//! Calls of strategies, and what they ask for.

use mainspring_core::event::BarRow;
use mainspring_core::{ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Result, Side, Ticks};
use mainspring_trading::execution::parents::Parent;
use mainspring_trading::execution::{
    quote_terms, reconcile_quotes, reconcile_target, stale_quotes, Action, Desired, LiveOrder,
};
use mainspring_trading::orders::{Order, OrderState, OrderTable, Purpose};

use crate::host::{BookTrigger, Fill, Host, HostResult};
use crate::intent::{Intent, Intents, PlainQuote};
use crate::market::Trade;
use crate::session::mutant::{is_planted, Mutant};
use crate::view::View;

use super::{Kernel, Timer};

/// Which callback of a strategy.
pub(crate) enum Call<'a> {
    Start,
    Book,
    Trade(&'a Trade),
    Bar(&'a BarRow),
    Fill(&'a Fill),
    Order(&'a Order),
    Timer(i64),
    Parent(&'a Parent),
    Stop,
}

/// Strategies that were told of the end hear what becomes of their orders, and no more of the market: they
/// would quote again.
#[cold]
fn is_quiet_at_end(call: &Call<'_>) -> bool {
    let is_market = matches!(call, Call::Book | Call::Trade(_) | Call::Bar(_) | Call::Timer(_));
    is_market && !is_planted(Mutant::TradesOn)
}

impl Kernel {
    /// Calls a strategy and carries out what it asks for.
    #[inline]
    pub(crate) fn call(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        call: &Call<'_>,
    ) -> Result<()> {
        if self.is_ending && is_quiet_at_end(call) {
            return Ok(());
        }
        if self.apart.is_some() && self.is_apart(strategy) {
            return self.call_apart(strategy, instrument, call);
        }
        let slot = &self.strategies[usize::from(strategy)];
        if slot.failure.is_some() || self.hushed {
            return Ok(());
        }
        self.recorder.counts.callbacks += 1;
        let outcome = self.show(strategy, instrument, |host, view| dispatch(host, view, call));
        match outcome {
            Ok(()) if self.intents.is_empty() => Ok(()),
            Ok(()) => {
                match self.outside.is_some() {
                    true => self.carry_out_outside(strategy)?,
                    false => self.carry_out(strategy)?,
                }
                self.cancel_at_end()
            }
            Err(failure) => {
                self.intents.clear();
                self.interrupted |= failure.interrupted;
                self.fail(strategy, failure.message)
            }
        }
    }

    /// Shows a strategy the market of an instrument.
    #[inline(always)]
    pub(crate) fn show<T>(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        look: impl FnOnce(&mut dyn Host, &mut View<'_>) -> T,
    ) -> T {
        let mut view = View {
            now_ns: self.now_ns,
            instrument,
            strategy,
            markets: &self.markets,
            orders: &self.orders,
            ledger: &self.ledger,
            parents: self.parents.as_deref(),
            fees: &self.fees,
            groups: &self.groups,
            outside: self.outside.as_deref(),
            intents: &mut self.intents,
        };
        look(self.strategies[usize::from(strategy)].host.as_mut(), &mut view)
    }

    /// Puts another version of a strategy in its place and starts it. `Err` inside when it cannot
    /// take over what the one before saved, which then goes on.
    pub(crate) fn replace_host(
        &mut self,
        strategy: u16,
        host: Box<dyn Host>,
    ) -> Result<HostResult> {
        let slot = self.strategies.get(usize::from(strategy));
        let before = slot.map_or(BookTrigger::Never, |slot| slot.interest.book);
        if let Err(failure) = self.put_host(strategy, host)? {
            return Ok(Err(failure));
        }
        let slot = &self.strategies[usize::from(strategy)];
        let (instrument, book) = (slot.instrument, slot.interest.book);
        if let (BookTrigger::Every(interval), false) = (book, is_interval(before)) {
            self.timers.push(self.now_ns + interval, Timer::Interval { strategy })?;
        }
        self.call(strategy, instrument, &Call::Start)?;
        Ok(Ok(()))
    }

    /// As [`Self::replace_host`], without a start.
    pub(crate) fn put_host(
        &mut self,
        strategy: u16,
        mut host: Box<dyn Host>,
    ) -> Result<HostResult> {
        let Some(slot) = self.strategies.get_mut(usize::from(strategy)) else {
            let what = format!("there is no strategy {strategy} to replace");
            return Err(Error::new(ErrorKind::NotFound, what));
        };
        let mut state = Vec::new();
        slot.host.save(&mut state);
        if !state.is_empty() {
            if let Err(failure) = host.load(&state) {
                return Ok(Err(failure));
            }
        }
        slot.interest = host.interest();
        slot.host = host;
        self.hear_feed();
        Ok(Ok(()))
    }

    /// Stops a strategy that failed and cancels its orders.
    pub(crate) fn fail(&mut self, strategy: u16, message: String) -> Result<()> {
        if self.strategies[usize::from(strategy)].failure.is_some() {
            // Stopped already: one that runs elsewhere reads its own stop in the journal.
            return Ok(());
        }
        if self.is_following() {
            if let Some(outside) = self.outside.as_mut().filter(|outside| outside.keep_followed) {
                outside.failures.push((strategy, message.clone()));
                self.strategies[usize::from(strategy)].failure = Some(message);
            }
            return Ok(());
        }
        let name = self.strategies[usize::from(strategy)].host.name().to_owned();
        if let Some(ink) = self.recorder.ink() {
            ink.strategy_stopped(self.now_ns, strategy, &message)?;
        }
        self.recorder.notice(self.now_ns, &format!("strategy {name} stopped: {message}"))?;
        self.strategies[usize::from(strategy)].failure = Some(message);
        self.cancel_parents(|parent| parent.strategy == strategy)?;
        for index in 0..self.markets.len() {
            self.clear(strategy, InstrumentId(index as u16))?;
        }
        Ok(())
    }

    /// Does what a strategy asked for.
    pub(crate) fn carry_out(&mut self, strategy: u16) -> Result<()> {
        let as_asked = self.size_bps == 10_000 && !self.shares_size && !self.shapes_wishes();
        if self.rounds.is_none() && as_asked {
            if let Some(quote) = self.intents.only_quote() {
                return self.quote_only(strategy, &quote);
            }
        }
        let mut intents = self.intents.take();
        let mut done = Ok(());
        if self.size_bps != 10_000 {
            intents.scale(self.size_bps);
        }
        if self.shares_size {
            done = self.share_wishes(strategy, &mut intents);
        }
        if done.is_ok() && self.shapes_wishes() {
            done = self.shape_wishes(strategy, &mut intents);
        }
        if done.is_ok() {
            done = intents
                .as_slice()
                .iter()
                .try_for_each(|intent| self.carry_out_one(strategy, intent, &intents));
        }
        self.intents.give_back(intents);
        done
    }

    pub(crate) fn carry_out_one(
        &mut self,
        strategy: u16,
        intent: &Intent,
        all: &Intents,
    ) -> Result<()> {
        if self.rounds.is_some() && self.carry_out_ruled(strategy, intent, all)? {
            return Ok(());
        }
        match *intent {
            Intent::Quote { instrument, first, bids, asks, flags } => {
                let (bids, asks) = all.levels(first, bids, asks);
                self.quote(strategy, instrument, &Desired { bids, asks, flags })
            }
            Intent::Target { instrument, position, price } => {
                self.target(strategy, instrument, position, price)
            }
            Intent::Place { id, terms } => self.place(strategy, id, terms, Purpose::Explicit),
            Intent::Cancel(id) => self.cancel(strategy, id),
            Intent::CancelAll(instrument) => {
                self.cancel_parents_in(strategy, instrument)?;
                self.cancel_all(strategy, instrument)
            }
            Intent::Amend { id, price, qty } => self.amend(strategy, id, price, qty),
            Intent::Stop { instrument, rule } => self.hold_stop(strategy, instrument, rule),
            Intent::Timer { at_ns, tag } => {
                self.timers.push(at_ns.max(self.now_ns), Timer::Strategy { strategy, tag })
            }
            Intent::Execute { id, terms } => {
                self.execute(strategy, id, &all.parents()[usize::from(terms)])
            }
            Intent::Control { id, control } => self.control_parent(strategy, id, control),
        }
    }

    /// Carries out what is nothing but a quote of at most a level a side, as most wishes are: as
    /// [`Self::quote`], without a list of actions.
    fn quote_only(&mut self, strategy: u16, quote: &PlainQuote) -> Result<()> {
        let instrument = quote.instrument;
        self.intents.clear();
        let mut stale = std::mem::take(&mut self.ids);
        stale.clear();
        let live = live_orders(&self.orders, strategy, instrument, Purpose::Quote);
        let standing = stale_quotes(&quote.desired(), live, |id| stale.push(id));
        let cancelled = stale.iter().try_for_each(|id| self.cancel(strategy, *id));
        self.ids = stale;
        cancelled?;
        for (side, level) in [(Side::Buy, &quote.bid), (Side::Sell, &quote.ask)] {
            if let Some(level) = level.as_ref().filter(|_| !standing.has(side, 0)) {
                let terms = quote_terms(instrument, side, level, quote.flags);
                let id = self.intents_id();
                let at = self.situation(instrument);
                self.place_at(strategy, id, &terms, Purpose::Quote, &at)?;
            }
        }
        Ok(())
    }

    pub(super) fn quote(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        desired: &Desired<'_>,
    ) -> Result<()> {
        self.actions.clear();
        let live = live_orders(&self.orders, strategy, instrument, Purpose::Quote);
        reconcile_quotes(instrument, desired, live, &mut self.actions);
        self.act(strategy, Purpose::Quote)
    }

    pub(super) fn target(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        target: Lots,
        price: Option<Ticks>,
    ) -> Result<()> {
        self.actions.clear();
        let position = self.ledger.position(strategy, instrument).map_or(Lots::ZERO, |p| p.lots);
        let live = live_orders(&self.orders, strategy, instrument, Purpose::Target);
        reconcile_target(instrument, position, target, price, live, &mut self.actions);
        self.act(strategy, Purpose::Target)
    }

    pub(super) fn act(&mut self, strategy: u16, purpose: Purpose) -> Result<()> {
        if self.actions.as_slice().is_empty() {
            return Ok(());
        }
        let actions = std::mem::take(&mut self.actions);
        let done = actions.as_slice().iter().try_for_each(|action| match action {
            Action::Cancel(id) => self.cancel(strategy, *id),
            Action::Place(terms) => {
                let id = self.intents_id();
                let at = self.situation(terms.instrument);
                self.place_at(strategy, id, terms, purpose, &at)
            }
            Action::Amend { id, price, qty } => self.amend(strategy, *id, *price, *qty),
        });
        self.actions = actions;
        done
    }

    pub(super) fn intents_id(&mut self) -> ClientOrderId {
        self.intents.next_id()
    }
}

const fn is_interval(trigger: BookTrigger) -> bool {
    matches!(trigger, BookTrigger::Every(_))
}

pub(super) fn live_orders<'a>(
    orders: &'a OrderTable,
    strategy: u16,
    instrument: InstrumentId,
    purpose: Purpose,
) -> impl Iterator<Item = LiveOrder> + 'a {
    orders.live(strategy, instrument).filter(move |o| o.purpose == purpose).map(|o| LiveOrder {
        id: o.id,
        side: o.terms.side,
        price: o.terms.price,
        qty: o.terms.qty,
        filled: o.filled,
        // An order that nobody knows about is being asked about: it keeps its price until then.
        cancelling: matches!(o.state, OrderState::PendingCancel | OrderState::Unknown),
    })
}

#[inline]
pub(crate) fn dispatch(host: &mut dyn Host, view: &mut View<'_>, call: &Call<'_>) -> HostResult {
    match call {
        Call::Start => host.on_start(view),
        Call::Book => host.on_book(view),
        Call::Trade(trade) => host.on_trade(view, trade),
        Call::Bar(bar) => host.on_bar(view, bar),
        Call::Fill(fill) => host.on_fill(view, fill),
        Call::Order(order) => host.on_order(view, order),
        Call::Timer(tag) => host.on_timer(view, *tag),
        Call::Parent(parent) => host.on_parent(view, parent),
        Call::Stop => host.on_stop(view),
    }
}
