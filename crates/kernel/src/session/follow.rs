//! Following a journal: the same state from the same records, nothing decided.

use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Money, Result, Ticks, TimeNs,
};
use mainspring_journal::EquityRecord;

use mainspring_trading::execution::parents::ParentId;
use mainspring_trading::execution::Charge;
use mainspring_trading::orders::{OrderEvent, OrderState};

use crate::intent::{Intent, Intents, FIRST_ELSEWHERE};
use crate::kernel::{track_open, working_lots, Kernel, Timer};
use crate::market::Market;

use super::image::is_kept;
use super::record::{
    self, AnswerRecord, Kind, LinkRecord, ListHead, MarketHead, NamedRecord, NewOrder,
    OpenOrderRecord, PositionEntry, QueryRecord, Raw, ReportRecord, Step,
};
use super::{Command, Event, Followed, Session};

impl Session {
    /// Repeats one record of a journal. Records come in order and without holes.
    ///
    /// # Errors
    /// When the record is damaged, out of order, or contradicts the state: the journal and this
    /// build do not agree.
    pub fn follow(&mut self, raw: &Raw<'_>) -> Result<()> {
        if raw.sequence <= self.sequence {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("record {} comes after record {}", raw.sequence, self.sequence),
            ));
        }
        let done = match Kind::from_code(raw.kind) {
            Some(kind) if kind.is_input() => self.follow_input(kind, raw),
            Some(kind) => self.follow_output(kind, raw),
            None => Err(Error::new(
                ErrorKind::Mismatch,
                format!("kind {} was written by a newer build", raw.kind),
            )),
        };
        self.sequence = raw.sequence;
        done.map_err(|e| e.at(format_args!("journal record {}", raw.sequence)))
    }

    /// Keeps what the strategies ask for while following, for [`Self::take_followed`].
    pub fn keep_wishes(&mut self) {
        if let Some(outside) = &mut self.kernel.outside {
            outside.keep_followed = true;
        }
        self.kernel.hush();
    }

    /// What the strategies asked for since this was last called.
    pub fn take_followed(&mut self) -> Vec<Followed> {
        self.kernel.outside.as_mut().map_or_else(Vec::new, |o| std::mem::take(&mut o.followed))
    }

    /// Calls the strategies that decide elsewhere at their intervals up to a time: the journal has no
    /// marks of theirs, because the session that wrote it knows them by name only.
    fn fire_intervals(&mut self, until_ns: TimeNs) -> Result<()> {
        while let Some(&(due_ns, timer)) = self.kernel.timers.front() {
            if due_ns > until_ns || !matches!(timer, Timer::Interval { .. }) {
                break;
            }
            self.fire_timer(due_ns)?;
        }
        Ok(())
    }

    fn follow_input(&mut self, kind: Kind, raw: &Raw<'_>) -> Result<()> {
        if self.elsewhere {
            self.fire_intervals(raw.time_ns)?;
        }
        if kind != Kind::Resume {
            if let Some(outside) = &mut self.kernel.outside {
                outside.expected.clear();
            }
        }
        match kind {
            Kind::Start => return self.kernel.start(raw.time_ns),
            Kind::Resume => return self.begin_again(raw.time_ns),
            Kind::Clock => return self.fire_timer(raw.time_ns),
            _ => self.kernel.now_ns = self.kernel.now_ns.max(raw.time_ns),
        }
        match kind {
            Kind::Market => {
                let (head, rows): (MarketHead, Vec<MarketRow>) = record::read_list(raw.payload)?;
                let instrument = self.known(InstrumentId(head.instrument))?;
                self.apply_market(instrument, Ticks(head.base_ticks), &rows)
            }
            Kind::Published => {
                let (head, rows): (MarketHead, Vec<OrderRow>) = record::read_list(raw.payload)?;
                let instrument = self.known(InstrumentId(head.instrument))?;
                self.apply_published(instrument, Ticks(head.base_ticks), &rows)
            }
            Kind::Report => {
                let record: ReportRecord = record::read(raw.payload)?;
                self.kernel.report(&record.report()?)
            }
            Kind::Answer => {
                let record: AnswerRecord = record::read(raw.payload)?;
                self.kernel.answered(ClientOrderId(record.order), record.answer()?)
            }
            Kind::Named => {
                let record: NamedRecord = record::read(raw.payload)?;
                self.kernel.named(&record);
                Ok(())
            }
            Kind::Adopted => self.adopted(&record::read(raw.payload)?),
            Kind::Foreign => {
                let record: record::ForeignRecord = record::read(raw.payload)?;
                self.kernel.note_foreign_fill(&record)
            }
            Kind::OpenOrders => {
                let (head, open): (ListHead, Vec<OpenOrderRecord>) =
                    record::read_list(raw.payload)?;
                let open =
                    open.iter().map(OpenOrderRecord::open_order).collect::<Result<Vec<_>>>()?;
                self.kernel.open_orders(head.venue, head.as_of_ns, &open)
            }
            Kind::Positions => {
                let (head, entries): (ListHead, Vec<PositionEntry>) =
                    record::read_list(raw.payload)?;
                let positions: Vec<_> =
                    entries.iter().map(|p| (InstrumentId(p.instrument), Lots(p.lots))).collect();
                self.kernel.positions(head.venue, head.as_of_ns, &positions)
            }
            Kind::Link => {
                let record: LinkRecord = record::read(raw.payload)?;
                self.kernel.link(record.venue, record.up != 0)
            }
            Kind::Command => self.kernel.command(&json::<Command>(raw.payload)?),
            Kind::Wishes => self.kernel.follow_intents(raw.payload),
            Kind::Stop => self.kernel.stop_following(raw.payload.first() == Some(&1)),
            _ => Ok(()),
        }
    }

    fn follow_output(&mut self, kind: Kind, raw: &Raw<'_>) -> Result<()> {
        let kernel = &mut self.kernel;
        match kind {
            Kind::Intents => kernel.follow_intents(raw.payload),
            Kind::NewOrder => {
                let order: NewOrder = record::read(raw.payload)?;
                kernel.follow_order(&order, raw.time_ns)?;
                if order.id >= FIRST_ELSEWHERE {
                    self.next_elsewhere = self.next_elsewhere.max(order.id + 1);
                }
                Ok(())
            }
            Kind::Step => kernel.follow_step(&record::read(raw.payload)?, raw.time_ns),
            Kind::Query => {
                let query: QueryRecord = record::read(raw.payload)?;
                kernel.asked_at(&query, raw.time_ns)
            }
            Kind::Funding => {
                let record: record::Mark = record::read(raw.payload)?;
                let instrument = InstrumentId(record.instrument);
                kernel.ledger.funding(instrument, record.rate, record.price()).map(|_| ())
            }
            Kind::Mark => {
                let record: record::Mark = record::read(raw.payload)?;
                kernel.ledger.mark(InstrumentId(record.instrument), record.price());
                Ok(())
            }
            Kind::Equity => {
                let record: EquityRecord = record::read(raw.payload)?;
                kernel.follow_equity(record.equity.into());
                Ok(())
            }
            Kind::Event => kernel.follow_event(json::<Event>(raw.payload)?),
            Kind::StrategyState => self.follow_state(raw.payload),
            _ => Ok(()),
        }
    }

    fn follow_state(&mut self, payload: &[u8]) -> Result<()> {
        let strategy = payload
            .first_chunk::<2>()
            .map(|bytes| usize::from(u16::from_le_bytes(*bytes)))
            .filter(|strategy| *strategy < self.states.len())
            .ok_or_else(|| Error::new(ErrorKind::Mismatch, "the state of no known strategy"))?;
        self.states[strategy].clear();
        self.states[strategy].extend_from_slice(&payload[2..]);
        Ok(())
    }

    fn known(&self, instrument: InstrumentId) -> Result<InstrumentId> {
        if instrument.index() < self.instruments.len() {
            return Ok(instrument);
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "instrument {} is not one of the session's {}",
                instrument.0,
                self.instruments.len()
            ),
        ))
    }

    /// The process was started anew: books and features are empty, strategies have what they
    /// declared, and what they had timed is gone.
    pub(super) fn begin_again(&mut self, now_ns: TimeNs) -> Result<()> {
        self.kernel.now_ns = self.kernel.now_ns.max(now_ns);
        self.changes.iter_mut().for_each(|changes| *changes = Default::default());
        self.pieces.iter_mut().for_each(|piece| *piece = Default::default());
        self.order_pieces.iter_mut().for_each(|piece| *piece = Default::default());
        let mut markets = Vec::with_capacity(self.instruments.len());
        for (index, instrument) in self.instruments.iter().enumerate() {
            let features =
                mainspring_features::FeatureChain::new(&self.config.run.features, instrument)?;
            markets.push(Market::new(InstrumentId(index as u16), instrument.clone(), features));
        }
        let before = std::mem::replace(&mut self.kernel.markets, markets);
        self.kernel.keep_models()?;
        self.begin_venues_again(&before, now_ns)?;
        for (slot, state) in self.kernel.strategies.iter_mut().zip(&self.states) {
            if slot.interest.state && !state.is_empty() {
                if let Err(failure) = slot.host.load(state) {
                    slot.failure = Some(failure.message);
                }
            }
        }
        self.kernel.begin_again(now_ns)?;
        for venue in 0..self.links().len() as u16 {
            self.kernel.link(venue, false)?;
        }
        Ok(())
    }
}

impl Kernel {
    /// Starts strategies and their timers anew; waits for answers go on.
    fn begin_again(&mut self, now_ns: TimeNs) -> Result<()> {
        self.timers.retain(is_kept);
        self.wait_again()?;
        self.reset_bars();
        if let Some(rounds) = &mut self.rounds {
            rounds.begin_again();
        }
        self.end_unsent(now_ns)?;
        self.start(now_ns)
    }

    /// Waits that were over when the process died, before its journal had what came of that.
    fn wait_again(&mut self) -> Result<()> {
        let expected =
            self.outside.as_mut().map_or_else(Vec::new, |o| std::mem::take(&mut o.expected));
        expected.into_iter().try_for_each(|(at_ns, timer)| self.timers.push(at_ns, timer))
    }

    /// Orders that were made and, as the process died right then, never sent.
    fn end_unsent(&mut self, now_ns: TimeNs) -> Result<()> {
        let unsent: Vec<ClientOrderId> = self
            .orders
            .all_live()
            .filter(|order| order.state == OrderState::Created)
            .map(|order| order.id)
            .collect();
        for id in unsent {
            self.orders.request(id, OrderEvent::RiskRefused, now_ns)?;
            self.child_moved(id, None)?;
        }
        Ok(())
    }

    /// Wishes of a strategy as they were: its timers and parent orders matter, orders are records of
    /// their own.
    fn follow_intents(&mut self, payload: &[u8]) -> Result<()> {
        let mut intents = self.intents.take();
        let head = record::decode_intents(payload, &mut intents);
        let mut done = head.as_ref().map(|_| ()).map_err(Clone::clone);
        if self.size_bps != 10_000 {
            // Parent orders are made of the wishes here, as the leader cut them.
            intents.scale(self.size_bps);
        }
        if let (Ok(head), true) = (&head, self.shares_size) {
            done = done.and_then(|()| self.share_wishes(head.strategy, &mut intents));
        }
        if let Ok(head) = head {
            let slot = self.strategies.get(usize::from(head.strategy));
            // Wishes of a strategy that was stopped meanwhile are not carried out.
            let heard = slot.is_some_and(|slot| slot.failure.is_none());
            for intent in intents.as_slice().iter().filter(|_| heard) {
                done = done.and_then(|()| self.follow_intent(head.strategy, intent, &intents));
            }
        }
        self.intents.give_back(intents);
        done
    }

    fn follow_intent(&mut self, strategy: u16, intent: &Intent, all: &Intents) -> Result<()> {
        match *intent {
            Intent::Stop { .. }
            | Intent::Timer { .. }
            | Intent::Execute { .. }
            | Intent::Control { .. } => self.carry_out_one(strategy, intent, all),
            Intent::CancelAll(instrument) => self.cancel_parents_in(strategy, instrument),
            _ => Ok(()),
        }
    }

    fn follow_order(&mut self, record: &NewOrder, time_ns: TimeNs) -> Result<()> {
        let order = record.order(time_ns)?;
        self.intents.give_ids_after(order.id);
        self.orders.insert(order)?;
        if record.parent != 0 {
            self.child_made(ParentId(record.parent), &order)?;
        }
        Ok(())
    }

    fn follow_step(&mut self, step: &Step, time_ns: TimeNs) -> Result<()> {
        let id = ClientOrderId(step.order);
        self.expectation_met(id);
        let before = self.orders.get(id).map_or(Lots::ZERO, working_lots);
        let change = self.orders.request(id, step.event()?, time_ns)?;
        self.count_step_of(&change.order, step.event()?, time_ns);
        let counts = &mut self.recorder.counts;
        match step.event()? {
            OrderEvent::Submit => counts.orders += 1,
            OrderEvent::CancelRequested => counts.cancels += 1,
            OrderEvent::ReplaceRequested { .. } => counts.amends += 1,
            _ => {}
        }
        if let Some(rounds) = &mut self.rounds {
            rounds.requested(change.order.terms.instrument, step.event()?, time_ns);
        }
        track_open(&mut self.gate, before, &change.order);
        let now_ns = std::mem::replace(&mut self.now_ns, time_ns);
        let mut done =
            self.watch_for_answer(id, change.to).and_then(|()| self.child_moved(id, None));
        if matches!(step.event()?, OrderEvent::Timeout) {
            done = done.and_then(|()| self.ask(id, 0));
        }
        if change.to == OrderState::RiskRejected && !self.hushed {
            let elsewhere = self.outside.as_ref().is_some_and(|outside| outside.elsewhere);
            done =
                done.and_then(|()| self.tell_strategy_refusal(&change.order, elsewhere, time_ns));
        }
        self.now_ns = now_ns;
        done
    }

    fn asked_at(&mut self, query: &QueryRecord, time_ns: TimeNs) -> Result<()> {
        if let Some(rounds) = &mut self.rounds {
            rounds.charge(query.venue, Charge::Query, time_ns);
        }
        self.expectation_met(ClientOrderId(query.order));
        let now_ns = std::mem::replace(&mut self.now_ns, time_ns);
        let done = self.asked(query);
        self.now_ns = now_ns;
        done
    }

    fn follow_equity(&mut self, equity: Money) {
        self.judge(equity);
    }

    fn follow_event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Halted { cause, .. } => self.gate.halt(cause),
            Event::StrategyStopped { strategy, cause } => {
                if let Some(slot) = self.strategies.get_mut(usize::from(strategy)) {
                    slot.failure = Some(cause);
                }
                return self.cancel_parents(|parent| parent.strategy == strategy);
            }
            Event::OrderStuck { .. }
            | Event::OrderAnomaly { .. }
            | Event::ForeignOrder { .. }
            | Event::OrderAdopted { .. }
            | Event::ForeignFill { .. }
            | Event::PositionMismatch { .. } => {}
        }
        Ok(())
    }

    /// Carries wishes out, or keeps them to be compared.
    pub(crate) fn carry_out_outside(&mut self, strategy: u16) -> Result<()> {
        let Some(outside) = &mut self.outside else { return self.carry_out(strategy) };
        if !outside.following {
            if let Some(ink) = self.recorder.ink() {
                ink.intents(self.now_ns, strategy, &self.intents)?;
            }
            return self.carry_out(strategy);
        }
        if outside.keep_followed {
            let mut bytes = Vec::new();
            record::encode_intents(strategy, 0, &self.intents, &mut bytes);
            outside.followed.push(Followed { time_ns: self.now_ns, bytes });
        }
        self.intents.forget(strategy);
        Ok(())
    }

    /// Whether the kernel repeats a journal.
    #[inline]
    pub(crate) fn is_following(&self) -> bool {
        self.outside.as_ref().is_some_and(|outside| outside.following)
    }
}

fn json<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T> {
    serde_json::from_slice(payload)
        .map_err(|e| Error::new(ErrorKind::Mismatch, format!("a record cannot be read: {e}")))
}
