//! The kernel in a session: its venues are outside, and everything it is told and decides is in a
//! journal before it takes effect.
//!
//! A [`Session`] leads or follows. Leading, it is told inputs ([`Session::market`],
//! [`Session::report`], ...): each is journaled, then applied, and what the engine decides because of
//! it is journaled too; only then may [`Session::take_requests`] hand requests to the venues.
//! Following, it is given the records of a journal ([`Session::follow`]) and repeats what they say
//! without deciding anything: recovery, a look at any moment of the past, a strategy that runs
//! beside, and replay are all this one thing.
//!
//! What a restart keeps is in an [`Image`]: orders, money, limits, open questions, and what
//! strategies declared. Books and features are not in it, because after a restart the feed starts
//! anew; a book is not shown until its snapshot has come. Only where our own orders are in the book is
//! that kept too: it says where they stand.

mod apart;
#[cfg(unix)]
pub mod bench;
mod books;
mod changed;
mod command;
pub mod decode;
#[cfg(unix)]
pub mod disk;
mod event;
mod follow;
pub mod foreign;
mod image;
mod ink;
mod inside;
pub mod mutant;
mod outside;
#[cfg(unix)]
pub mod parity;
pub mod record;
#[cfg(unix)]
pub mod rehearsal;
pub mod rerun;
mod rollout;
mod summary;
mod totals;
mod venue;

use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::limits::MAX_OPEN_ORDERS;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, DurationNs, Error, ErrorKind, Instrument, InstrumentId, Lots, Result, Ticks,
    TimeNs,
};
use mainspring_sim::FillModel;
use mainspring_trading::execution::parents::ParentId;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{OrderTable, VenueOrderId};
use mainspring_trading::risk::Gate;
use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::host::{Host, HostResult};
use crate::intent::{Intent, Intents, FIRST_ELSEWHERE};
use crate::judging::Judging;
use crate::kernel::{Kernel, REMEMBERED_IN_SESSIONS};
use crate::market::{Changes, Market};
use crate::matching::Matching;
use crate::recorder::{Counts, Recorder};
use crate::run::{assemble, with_models};

use changed::Started;

pub use mainspring_core::{Answer, OpenOrder, Report, Request};

pub(crate) use apart::Apart;
pub use books::BookImage;
pub use changed::{Changed, Over, Parameters};
pub use command::Command;
pub use event::{Event, OrderAnomaly};
pub use image::{Image, StrategyImage, IMAGE_VERSION};
pub use ink::{Ink, Outlet};
pub(crate) use outside::Outside;
pub use outside::{Followed, ForeignOrders, Patience, VenueLink, ACCOUNT};
pub use record::{Kind, Raw};
pub use rollout::{Rollout, RolloutConfig, Which};
pub use totals::Totals;

/// Configuration of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// Limits, fees, features, bars, deposits: as in a run over files.
    pub run: RunConfig,
    /// How long answers are waited for.
    pub patience: Patience,
    /// What to do with orders that were not placed here.
    pub foreign: ForeignOrders,
    /// Strategies that are two versions of one and share its size.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutConfig>,
    /// Whether the venues are simulated in the kernel, by the models of `run`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paper: bool,
}

/// Interval of equity samples where none is given.
const SAMPLE_NS: DurationNs = 1_000_000_000;

/// Most rows of one market record; a longer message is several.
const ROWS_PER_RECORD: usize = 4_096;

/// The engine of a session; see the module.
pub struct Session {
    kernel: Kernel,
    config: SessionConfig,
    instruments: Vec<Instrument>,
    /// What the unfinished message of each instrument changed so far.
    changes: Vec<Changes>,
    /// Rows of each instrument that wait for the end of their message, where venues are inside.
    pieces: Vec<inside::Piece<MarketRow>>,
    order_pieces: Vec<inside::Piece<OrderRow>>,
    /// What the matching engine publishes, on its way to us.
    published: Vec<(OrderRow, Ticks)>,
    /// As it is written.
    written: Vec<OrderRow>,
    /// Sequence of the last record applied.
    sequence: u64,
    states: Vec<Vec<u8>>,
    /// The id that the next order of a strategy that runs elsewhere gets at least.
    next_elsewhere: u64,
    /// Whether the strategies here decide for a session that knows them by name only.
    elsewhere: bool,
    /// What was counted before this life.
    before: Totals,
}

impl Session {
    /// A session at the beginning of time, following: silent until it is told to [`Self::lead`].
    ///
    /// # Errors
    /// When configuration, instruments and strategies do not fit together.
    pub fn new(
        config: SessionConfig,
        instruments: Vec<Instrument>,
        strategies: Vec<Box<dyn Host>>,
    ) -> Result<Self> {
        config.run.validate()?;
        config.patience.validate()?;
        if instruments.is_empty() {
            return Err(Error::new(ErrorKind::Config, "a session needs at least one instrument"));
        }
        let sample_ns = config.run.sample_ns.unwrap_or(SAMPLE_NS);
        let currency = config.run.report_currency.clone();
        let currency = currency.unwrap_or_else(|| instruments[0].settle().to_owned());
        let (venues, venue_of) = venues_of(&instruments);
        let states = vec![Vec::new(); strategies.len()];
        let recorder = Recorder::to_journal(Ink::silent());
        let matches = config.run.venue.fill_model == FillModel::Matching;
        let models = with_models(&config.run);
        let mut parts =
            assemble(&models, &instruments, strategies, recorder, sample_ns, &currency)?;
        parts.remembered_orders = REMEMBERED_IN_SESSIONS;
        // Limits may be changed while it runs, up to the ceiling.
        parts.max_open_orders = MAX_OPEN_ORDERS + 1;
        let mut kernel = Kernel::new(parts);
        kernel.size_bps = config.run.size_bps;
        if let Some(validator) = &mut kernel.validator {
            validator.bound_waits();
        }
        let started = Started {
            reconcile: config.run.reconcile.clone(),
            patience: config.patience,
            foreign: config.foreign.clone(),
        };
        let mut outside = Outside::new(started, &venues, venue_of);
        outside.following = true;
        let names = kernel.strategies.iter().map(|slot| slot.host.name().to_owned());
        outside.rollouts = Rollout::all(&config.rollouts, &names.collect::<Vec<_>>())?;
        kernel.shares_size = !outside.rollouts.is_empty();
        outside.inside = config.paper;
        kernel.outside = Some(Box::new(outside));
        kernel.judging = Some(Box::new(Judging::new(instruments.len())));
        kernel.check_owner(&config.foreign)?;
        kernel.receive_clock = config.paper;
        if matches && !config.paper {
            return Err(Error::new(
                ErrorKind::Config,
                "fill_model matching: the venues of this session are outside and match by themselves",
            ));
        }
        if matches {
            kernel.matching = Some(Box::new(Matching::of_recordings(&instruments, &config.run)?));
        }
        let changes = vec![Changes::default(); instruments.len()];
        let pieces = vec![inside::Piece::default(); instruments.len()];
        let order_pieces = vec![inside::Piece::default(); instruments.len()];
        Ok(Self {
            kernel,
            config,
            instruments,
            changes,
            pieces,
            order_pieces,
            published: Vec::new(),
            written: Vec::new(),
            sequence: 0,
            states,
            next_elsewhere: FIRST_ELSEWHERE,
            elsewhere: false,
            before: Totals::default(),
        })
    }

    /// From here on the session decides, and writes what it is told and what it decides to `outlet`.
    pub fn lead(&mut self, outlet: Box<dyn Outlet>) {
        if let Some(ink) = self.kernel.recorder.ink() {
            ink.lead(outlet);
        }
        if let Some(outside) = &mut self.kernel.outside {
            outside.following = false;
            outside.keep_followed = false;
        }
        self.kernel.hush();
        self.begin_counts();
    }

    /// Starts the strategies of a new session. `facts` is JSON about code, configuration and models.
    ///
    /// # Errors
    /// When it was started before, or the journal cannot be written.
    pub fn start(&mut self, now_ns: TimeNs, facts: &[u8]) -> Result<()> {
        if self.kernel.is_started() {
            return Err(Error::new(ErrorKind::Internal, "the session was started before"));
        }
        self.write(Kind::Start, now_ns, &[facts])?;
        self.kernel.start(now_ns)?;
        self.settle()
    }

    /// Goes on after a restart: strategies find what they declared, books are empty, every venue is
    /// asked what happened.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn resume(&mut self, now_ns: TimeNs, facts: &[u8]) -> Result<()> {
        let now_ns = self.input_ns(now_ns);
        self.write(Kind::Resume, now_ns, &[facts])?;
        self.begin_again(now_ns)?;
        self.kernel.tell_all_adopted()?;
        self.settle()
    }

    /// Rows of one instrument that were received together; whole messages, in order.
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn market(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[MarketRow],
    ) -> Result<()> {
        if self.config.paper {
            return self.market_inside(instrument, base, rows);
        }
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let len = message_len(rest).min(ROWS_PER_RECORD);
            let (message, after) = rest.split_at(len);
            rest = after;
            let head = record::MarketHead {
                base_ticks: base.0,
                instrument: instrument.0,
                reserved: [0; 3],
            };
            let payload = [bytemuck::bytes_of(&head), bytemuck::cast_slice(message)];
            self.input(Kind::Market, first.recv_ns, &payload)?;
            self.apply_market(instrument, base, message)?;
            self.settle()?;
        }
        Ok(())
    }

    /// A statement of a venue about one of our orders.
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn report(&mut self, report: &Report) -> Result<()> {
        let record = record::ReportRecord::of(report);
        self.input(Kind::Report, report.event.recv_ns, &[bytemuck::bytes_of(&record)])?;
        self.kernel.report(report)?;
        self.settle()
    }

    /// The answer to [`Request::OrderQuery`].
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn answer(&mut self, recv_ns: TimeNs, order: ClientOrderId, answer: Answer) -> Result<()> {
        let record = record::AnswerRecord::of(order, answer);
        self.input(Kind::Answer, recv_ns, &[bytemuck::bytes_of(&record)])?;
        self.kernel.answered(order, answer)?;
        self.settle()
    }

    /// A venue's own id of one of our orders, as its acknowledgement tells it: lists that do not
    /// tell our id are understood from then on.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn name_order(
        &mut self,
        recv_ns: TimeNs,
        order: ClientOrderId,
        venue: u16,
        venue_order: u64,
    ) -> Result<()> {
        let record = record::NamedRecord { order: order.0, venue_order, venue, reserved: [0; 3] };
        self.input(Kind::Named, recv_ns, &[bytemuck::bytes_of(&record)])?;
        self.kernel.named(&record);
        self.settle()
    }

    /// A venue's own id of an order of ours, once it is known.
    #[must_use]
    pub fn venue_order(&self, order: ClientOrderId) -> Option<VenueOrderId> {
        self.kernel.outside.as_ref().and_then(|outside| outside.ids.venue_of(order))
    }

    /// Our id of an order that a venue names.
    #[must_use]
    pub fn order_named(&self, venue_order: VenueOrderId) -> Option<ClientOrderId> {
        self.kernel.outside.as_ref().and_then(|outside| outside.ids.client_of(venue_order))
    }

    /// All open orders at a venue: part of the answer to [`Request::AccountQuery`], after the fills.
    /// `as_of_ns` is when the question was sent.
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn open_orders(
        &mut self,
        recv_ns: TimeNs,
        venue: u16,
        as_of_ns: TimeNs,
        open: &[OpenOrder],
    ) -> Result<()> {
        self.adopt_listed(recv_ns, venue, open, &Account::default())?;
        let head = record::ListHead { as_of_ns, venue, reserved: [0; 3] };
        let entries: Vec<_> = open.iter().map(record::OpenOrderRecord::of).collect();
        let payload = [bytemuck::bytes_of(&head), bytemuck::cast_slice(&entries)];
        self.input(Kind::OpenOrders, recv_ns, &payload)?;
        self.kernel.open_orders(venue, as_of_ns, open)?;
        self.settle()
    }

    /// All positions at a venue: the last part of the answer to [`Request::AccountQuery`].
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn positions(
        &mut self,
        recv_ns: TimeNs,
        venue: u16,
        as_of_ns: TimeNs,
        positions: &[(InstrumentId, Lots)],
    ) -> Result<()> {
        let head = record::ListHead { as_of_ns, venue, reserved: [0; 3] };
        let entry = |(instrument, lots): &(InstrumentId, Lots)| record::PositionEntry {
            lots: lots.0,
            instrument: instrument.0,
            reserved: [0; 3],
        };
        let entries: Vec<_> = positions.iter().map(entry).collect();
        let payload = [bytemuck::bytes_of(&head), bytemuck::cast_slice(&entries)];
        self.input(Kind::Positions, recv_ns, &payload)?;
        self.kernel.positions(venue, as_of_ns, positions)?;
        self.settle()
    }

    /// A venue's connection came or went.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn link(&mut self, recv_ns: TimeNs, venue: u16, up: bool) -> Result<()> {
        let record = record::LinkRecord { venue, up: u16::from(up) };
        self.input(Kind::Link, recv_ns, &[bytemuck::bytes_of(&record)])?;
        self.kernel.link(venue, up)?;
        self.settle()
    }

    /// Wishes of a strategy that runs outside the kernel thread, stated after it had seen the record
    /// `decided`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn wishes(
        &mut self,
        recv_ns: TimeNs,
        strategy: u16,
        decided: u64,
        wishes: &Intents,
    ) -> Result<()> {
        let mut bytes = Vec::with_capacity(record::MAX_INTENTS_BYTES);
        record::encode_intents(strategy, decided, wishes, &mut bytes);
        self.encoded_wishes(recv_ns, &bytes)
    }

    /// As [`Self::wishes`], as the journal writes them.
    ///
    /// # Errors
    /// When the bytes are damaged, or the journal cannot be written.
    pub fn encoded_wishes(&mut self, recv_ns: TimeNs, bytes: &[u8]) -> Result<()> {
        let head = record::decode_intents(bytes, &mut self.kernel.intents)?;
        if usize::from(head.strategy) >= self.kernel.strategies.len() {
            self.kernel.intents.clear();
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no strategy {}", head.strategy),
            ));
        }
        self.kernel.intents.clear();
        self.input(Kind::Wishes, recv_ns, &[bytes])?;
        record::decode_intents(bytes, &mut self.kernel.intents)?;
        self.note_ids_of_wishes();
        if self.kernel.strategies[usize::from(head.strategy)].failure.is_none() {
            self.kernel.carry_out_elsewhere(head.strategy)?;
        }
        self.kernel.intents.clear();
        self.settle()
    }

    /// The state of a strategy that runs outside the kernel thread, as it declares it.
    ///
    /// # Errors
    /// When there is no such strategy, or the journal cannot be written.
    pub fn strategy_state(&mut self, now_ns: TimeNs, strategy: u16, state: &[u8]) -> Result<()> {
        let kept = self.states.get_mut(usize::from(strategy)).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no strategy {strategy}"))
        })?;
        state.clone_into(kept);
        let now_ns = now_ns.max(self.kernel.now_ns);
        self.write(Kind::StrategyState, now_ns, &[&strategy.to_le_bytes(), state])?;
        self.settle()
    }

    /// From here on a follower's strategies give their orders ids of the range for strategies that
    /// run elsewhere, and what they ask for is kept.
    pub fn decide_elsewhere(&mut self) {
        self.kernel.intents.give_ids_from(self.next_elsewhere);
        let parents = self.kernel.parents.as_ref();
        let next = parents.map_or(ParentId::FIRST_ELSEWHERE, |parents| parents.next_elsewhere());
        self.kernel.intents.give_parents_from(next.0);
        self.elsewhere = true;
        if let Some(outside) = &mut self.kernel.outside {
            outside.elsewhere = true;
        }
        self.keep_wishes();
    }

    /// Strategies that have stopped, by name, and why.
    pub fn stopped(&self) -> impl Iterator<Item = (&str, &str)> {
        let slots = self.kernel.strategies.iter();
        slots.filter_map(|slot| slot.failure.as_deref().map(|why| (slot.host.name(), why)))
    }

    /// Strategies that failed while following since this was last called, and why.
    pub fn take_failures(&mut self) -> Vec<(u16, String)> {
        self.kernel.outside.as_mut().map_or_else(Vec::new, |o| std::mem::take(&mut o.failures))
    }

    fn note_ids_of_wishes(&mut self) {
        for intent in self.kernel.intents.as_slice() {
            if let Intent::Place { id, .. } = intent {
                self.next_elsewhere = self.next_elsewhere.max(id.0 + 1);
            }
        }
    }

    /// Lets another version of a strategy take its place between two events: it is given the state
    /// that the one before saves, and is started. `Err` inside when it cannot take that over: the
    /// version before goes on.
    ///
    /// # Errors
    /// When the journal cannot be written, or there is no such strategy.
    pub fn replace_host(&mut self, strategy: u16, host: Box<dyn Host>) -> Result<HostResult> {
        let taken = self.kernel.replace_host(strategy, host)?;
        self.settle()?;
        Ok(taken)
    }

    /// As [`Self::replace_host`], of a session that is about to be started anew: it is not started
    /// here.
    ///
    /// # Errors
    /// When there is no such strategy.
    pub fn put_host(&mut self, strategy: u16, host: Box<dyn Host>) -> Result<HostResult> {
        self.kernel.put_host(strategy, host)
    }

    /// Why the last command could not be carried out, if it could not; told once.
    pub fn take_refusal(&mut self) -> Option<String> {
        self.kernel.outside.as_mut().and_then(|outside| outside.refused.take())
    }

    /// A command of a person or of the supervisor. What it cannot be carried out for is told by
    /// [`Self::take_refusal`].
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn command(&mut self, now_ns: TimeNs, command: &Command) -> Result<()> {
        let command = &self.kernel.as_journaled(command);
        let bytes = serde_json::to_vec(command)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("a command as JSON: {e}")))?;
        self.input(Kind::Command, now_ns, &[&bytes])?;
        self.take_refusal();
        self.kernel.command(command)?;
        self.settle()
    }

    /// Time went on: what is due by `now_ns` is done.
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn advance(&mut self, now_ns: TimeNs) -> Result<()> {
        if self.next_due_ns() > now_ns {
            return Ok(());
        }
        self.pass_time(now_ns)?;
        self.hear_until(now_ns)?;
        self.settle()
    }

    /// Ends the session in order: strategies are told, open orders are cancelled when asked.
    /// Answers may still come afterwards; [`Self::close`] ends the journal.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn stop(&mut self, now_ns: TimeNs, cancel: bool) -> Result<()> {
        self.input(Kind::Stop, now_ns, &[&[u8::from(cancel)]])?;
        if cancel {
            self.kernel.stop_and_cancel()?;
        } else {
            self.kernel.stop()?;
        }
        self.settle()
    }

    /// Stops writing and gives the outlet back.
    pub fn close(&mut self) -> Option<Box<dyn Outlet>> {
        self.kernel.recorder.ink().and_then(Ink::close)
    }

    /// When something is due next by itself; `TimeNs::MAX` for never.
    #[must_use]
    pub fn next_due_ns(&self) -> TimeNs {
        if self.config.paper {
            return self.kernel.next_due().0.min(self.kernel.next_matched_ns());
        }
        self.kernel.timers.next_ns()
    }

    /// Moves the requests that may leave now to `into`: they are in the journal.
    pub fn take_requests(&mut self, into: &mut Vec<Request>) {
        if let Some(outside) = &mut self.kernel.outside {
            outside.take_requests(into);
        }
    }

    /// Logical time.
    #[must_use]
    pub const fn now_ns(&self) -> TimeNs {
        self.kernel.now_ns
    }

    /// Sequence of the last record that is in the state.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Our orders.
    #[must_use]
    pub const fn orders(&self) -> &OrderTable {
        &self.kernel.orders
    }

    /// Our money and positions.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.kernel.ledger
    }

    /// The instruments as we see them.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.kernel.markets
    }

    /// The instruments.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Counts of what was done in this life: since the session began to lead.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.kernel.recorder.counts
    }

    /// Whether trading is halted.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.kernel.gate.is_halted()
    }

    /// The gate: limits, halts, what was counted.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.kernel.gate
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// The venues' connections.
    #[must_use]
    pub fn links(&self) -> &[VenueLink] {
        self.kernel.outside.as_ref().map_or(&[], |outside| &outside.links)
    }

    /// Writes a record without letting time pass.
    fn write(&mut self, kind: Kind, now_ns: TimeNs, payload: &[&[u8]]) -> Result<()> {
        match self.kernel.recorder.ink() {
            Some(ink) => ink.input(kind, now_ns, payload),
            None => Ok(()),
        }
    }

    /// Journals an input and lets time pass up to it.
    fn input(&mut self, kind: Kind, recv_ns: TimeNs, payload: &[&[u8]]) -> Result<()> {
        let now_ns = self.input_ns(recv_ns);
        self.pass_time(now_ns)?;
        self.write(kind, now_ns, payload)?;
        self.kernel.now_ns = now_ns;
        Ok(())
    }

    /// Does what is due up to `now_ns`, each at its own time and with a record of its own: what
    /// follows from it comes before what follows from the next.
    fn pass_time(&mut self, now_ns: TimeNs) -> Result<()> {
        if self.config.paper {
            return self.pass_time_inside(now_ns, now_ns);
        }
        while self.kernel.timers.next_ns() <= now_ns {
            let at_ns = self.kernel.timers.next_ns().max(self.kernel.now_ns);
            self.write(Kind::Clock, at_ns, &[])?;
            self.fire_timer(at_ns)?;
        }
        Ok(())
    }

    /// Does the first thing that is due by `at_ns`.
    fn fire_timer(&mut self, at_ns: TimeNs) -> Result<()> {
        self.kernel.now_ns = self.kernel.now_ns.max(at_ns);
        if self.kernel.timers.next_ns() > at_ns {
            // A follower from a snapshot does not have the timers of strategies.
            return Ok(());
        }
        match self.kernel.timers.pop() {
            Some((due_ns, timer)) => self.kernel.timer(due_ns, timer),
            None => Ok(()),
        }
    }

    fn apply_market(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[MarketRow],
    ) -> Result<()> {
        let mut used = 0;
        while used < rows.len() {
            let changes = &mut self.changes[instrument.index()];
            used += self.kernel.local_rows(instrument, &rows[used..], base, changes);
            let last = rows[used - 1];
            if last.ends_message() {
                let changes = std::mem::take(changes);
                self.kernel.local_end(instrument, &last, &changes)?;
            }
        }
        Ok(())
    }

    /// After each input: states of strategies that changed are written, and all is made safe.
    fn settle(&mut self) -> Result<()> {
        self.keep_states()?;
        if let Some(ink) = self.kernel.recorder.ink() {
            ink.commit()?;
            self.sequence = ink.next_sequence().saturating_sub(1).max(self.sequence);
        }
        Ok(())
    }

    fn keep_states(&mut self) -> Result<()> {
        for strategy in 0..self.kernel.strategies.len() {
            let slot = &mut self.kernel.strategies[strategy];
            let kept = &mut self.states[strategy];
            if slot.interest.state && slot.failure.is_none() && slot.host.save(kept) {
                if let Some(ink) = self.kernel.recorder.ink() {
                    let strategy = (strategy as u16).to_le_bytes();
                    ink.output(Kind::StrategyState, self.kernel.now_ns, &[&strategy, kept])?;
                }
            }
        }
        Ok(())
    }
}

/// The venues of instruments, each once, and the venue of each instrument.
fn venues_of(instruments: &[Instrument]) -> (Vec<String>, Vec<u16>) {
    let mut venues: Vec<String> = Vec::new();
    let venue_of = instruments
        .iter()
        .map(|instrument| {
            let known = venues.iter().position(|venue| *venue == instrument.venue);
            known.unwrap_or_else(|| {
                venues.push(instrument.venue.clone());
                venues.len() - 1
            }) as u16
        })
        .collect();
    (venues, venue_of)
}

/// Rows up to the end of the first message, or all of them.
fn message_len(rows: &[MarketRow]) -> usize {
    rows.iter().position(MarketRow::ends_message).map_or(rows.len(), |end| end + 1)
}
