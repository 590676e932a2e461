//! The loop of a backtest: two clocks over event files, and everything that is due in between.

use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{DurationNs, Error, ErrorKind, InstrumentId, Result, TimeNs};

use crate::kernel::{Due, Kernel};
use crate::market::Changes;
use crate::merge::Tournament;
use crate::source::{Clocks, Cursor, Feed, Pair, Source};

/// How far a run is, told every few thousand messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows delivered to us.
    pub rows: u64,
    /// Logical time.
    pub now_ns: TimeNs,
}

/// Told how far a run is; may end it by an error.
pub type Watch<'w> = dyn FnMut(Progress) -> Result<()> + 'w;

/// How far rows at the venue may be read before those that reach us, where that cannot be told: far
/// enough to save going back and forth, near enough that a file is read in one place.
const VENUE_AHEAD_NS: DurationNs = 1_000_000_000;

/// Market messages between two calls of the watch.
const WATCH_EVERY: u32 = 4_096;

/// What is done to a run from outside at times of its own: commands of a session that is run again.
pub(crate) trait Script {
    /// When the next thing is done; `TimeNs::MAX` for never.
    fn next_ns(&self) -> TimeNs;
    /// Does it.
    fn act(&mut self, kernel: &mut Kernel) -> Result<()>;
}

/// A run over sources.
pub struct Backtest<'a, 'w> {
    kernel: &'a mut Kernel,
    sources: Vec<Source<'a>>,
    venue: Tournament,
    local: Tournament,
    span: Span,
    watch: &'a mut Watch<'w>,
    until_watch: u32,
    script: Option<&'a mut dyn Script>,
    /// When the script has something to do; `TimeNs::MAX` without one.
    script_ns: TimeNs,
}

/// Which part of the data strategies see.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Strategies start at the first item from here on.
    pub start_ns: TimeNs,
    /// The run ends with the last item up to here.
    pub end_ns: TimeNs,
}

impl<'a, 'w> Backtest<'a, 'w> {
    /// A run of `kernel` over `sources`.
    pub fn new(
        kernel: &'a mut Kernel,
        sources: Vec<Source<'a>>,
        span: Span,
        watch: &'a mut Watch<'w>,
    ) -> Self {
        // What the matching engine publishes is one more source.
        let matched = usize::from(kernel.matching.is_some());
        let mut venue = Tournament::new(sources.len());
        let mut local = Tournament::new(sources.len() + matched);
        for (i, source) in sources.iter().enumerate() {
            venue.set(i, source.next_venue_ns());
            local.set(i, source.next_local_ns());
        }
        let (script, script_ns) = (None, TimeNs::MAX);
        let until_watch = WATCH_EVERY;
        Self { kernel, sources, venue, local, span, watch, until_watch, script, script_ns }
    }

    /// A run that a script starts, changes and ends: it goes on to the end of the span.
    pub(crate) fn scripted(mut self, script: &'a mut dyn Script) -> Self {
        self.script_ns = script.next_ns();
        self.script = Some(script);
        self
    }

    /// Runs to the end of the data, or to the end that the watch or a strategy asked for.
    ///
    /// # Errors
    /// When data is damaged, results cannot be written, or the run was interrupted.
    // Inlined into its caller, the whole kernel would be local variables there, and the loop would
    // move them between stack slots at every step.
    #[inline(never)]
    pub fn run(&mut self) -> Result<()> {
        self.look_at_matching();
        let first = self.venue.next_ns().min(self.local.next_ns());
        let scripted = self.script.is_some();
        if first == TimeNs::MAX && !scripted {
            return Err(Error::new(ErrorKind::Data, "the data has no rows to run over"));
        }
        if self.span.start_ns <= first && !scripted {
            self.kernel.start(first)?;
        }
        loop {
            if self.kernel.matching.is_some() {
                self.look_at_matching();
            }
            let (due_ns, due) = self.next_due();
            if self.market_ns() < due_ns {
                self.market_rows(due_ns)?;
                continue;
            }
            if self.is_over() {
                break;
            }
            if !self.kernel.is_started() {
                if self.market_ns() > self.span.end_ns {
                    break;
                }
                self.kernel.start(self.span.start_ns)?;
                continue;
            }
            if due_ns > self.span.end_ns {
                break;
            }
            self.kernel.now_ns = self.kernel.now_ns.max(due_ns);
            self.work(due_ns, due)?;
            self.check_interrupted()?;
        }
        // What the venue saw last may be later than what reached us.
        let seen = self.sources.iter().map(|source| source.clocks.venue_ns);
        self.kernel.now_ns = seen.fold(self.kernel.now_ns, TimeNs::max);
        if scripted {
            return Ok(());
        }
        self.kernel.stop()
    }

    /// Does what is due now and is no row: at equal times by the order of [`Due`], then the script; and
    /// after all of these rows, at the venue before ours.
    #[inline]
    fn work(&mut self, due_ns: TimeNs, due: Option<Due>) -> Result<()> {
        match due {
            Some(Due::Request) => self.kernel.next_request(),
            Some(Due::VenueTimer) => self.kernel.venue_timers(due_ns),
            Some(Due::Answer) => self.answer(),
            Some(Due::Timer) => self.timer(),
            None => self.act(),
        }
    }

    /// Whether only timers are left; a script goes on to its end.
    #[inline]
    fn is_over(&self) -> bool {
        let kernel = &*self.kernel;
        self.market_ns() == TimeNs::MAX
            && kernel.requests.is_empty()
            && kernel.answers.is_empty()
            && (self.script.is_none() || kernel.next_due().0.min(self.script_ns) == TimeNs::MAX)
    }

    /// Whether rows that reach us lead to nothing by themselves.
    #[inline]
    fn is_patient(&self) -> bool {
        self.script.is_none() && self.kernel.is_patient()
    }

    #[inline]
    fn check_interrupted(&self) -> Result<()> {
        if self.kernel.interrupted {
            return Err(Error::new(ErrorKind::Interrupted, "the run was interrupted"));
        }
        Ok(())
    }

    /// When the next row of any source is due, at the venue or for us.
    #[inline]
    fn market_ns(&self) -> TimeNs {
        self.venue.next_ns().min(self.local.next_ns())
    }

    /// The next rows, which are due before anything else: nearly every step of a run.
    ///
    /// Rows at the venue and rows that reach us go by time, the venue's first. Where nothing of ours
    /// happens at rows themselves, neither side can tell how they were woven: then many go at once,
    /// first on the venue's side, whose answers bring more that is due.
    #[inline]
    fn market_rows(&mut self, due_ns: TimeNs) -> Result<()> {
        if self.is_patient() {
            let ahead_ns = due_ns.min(self.local.next_ns().saturating_add(VENUE_AHEAD_NS));
            if self.venue.next_ns() < ahead_ns {
                self.venue_rows(ahead_ns)?;
            }
            let answers_ns = self.kernel.answers.next_ns();
            let until_ns = due_ns.min(answers_ns).min(self.venue.next_ns());
            if self.local.next_ns() < until_ns {
                return self.local_messages(until_ns);
            }
            return Ok(());
        }
        if self.venue.next_ns() <= self.local.next_ns() {
            // Rows at the venue go before rows that reach us at the same time.
            self.venue_rows(due_ns.min(self.local.next_ns().saturating_add(1)))
        } else {
            self.local_messages(due_ns.min(self.venue.next_ns()))?;
            self.check_interrupted()
        }
    }

    /// The earliest time of anything but market rows, or of what interrupts reading them, and what is
    /// due then in the kernel: nothing where the script or the end of the span comes first.
    #[inline]
    fn next_due(&self) -> (TimeNs, Option<Due>) {
        if !self.kernel.is_started() {
            return (self.span.start_ns, None);
        }
        let (at_ns, due) = self.kernel.next_due();
        let bound_ns = self.script_ns.min(self.span.end_ns.saturating_add(1));
        (at_ns.min(bound_ns), (at_ns <= bound_ns).then_some(due))
    }

    #[inline]
    fn answer(&mut self) -> Result<()> {
        let Some((_, event)) = self.kernel.answers.front() else { return Ok(()) };
        let event = *event;
        self.kernel.answers.drop_front();
        self.kernel.answer(&event)
    }

    #[inline]
    fn timer(&mut self) -> Result<()> {
        let Some((at_ns, timer)) = self.kernel.timers.front() else { return Ok(()) };
        let (at_ns, timer) = (*at_ns, *timer);
        self.kernel.timers.drop_front();
        self.kernel.timer(at_ns, timer)
    }

    #[cold]
    fn act(&mut self) -> Result<()> {
        let Some(script) = &mut self.script else { return Ok(()) };
        script.act(self.kernel)?;
        self.script_ns = script.next_ns();
        Ok(())
    }

    /// Whatever happens at the matching engine may publish something, and wake the agents there.
    fn look_at_matching(&mut self) {
        if self.kernel.matching.is_none() {
            return;
        }
        self.local.set(self.sources.len(), self.kernel.next_matched_ns());
        for (index, source) in self.sources.iter().enumerate() {
            if matches!(source.feed, Feed::Agents) {
                self.venue.set(index, self.kernel.next_act_ns(source.instruments[0]));
            }
        }
    }

    /// How far a source may be read before something else comes first. `others` is the tournament
    /// without that source; at equal times the source of the lower index goes first.
    fn horizon(others: &Tournament, index: usize, due_ns: TimeNs) -> TimeNs {
        let wins_ties = others.winner() > index;
        due_ns.min(others.next_ns().saturating_add(i64::from(wins_ties)))
    }

    /// Rows of one source at the venue before `horizon`, until something else comes first.
    fn venue_rows(&mut self, mut horizon: TimeNs) -> Result<()> {
        let index = self.venue.winner();
        if self.sources.len() > 1 {
            self.venue.set(index, TimeNs::MAX);
            horizon = Self::horizon(&self.venue, index, horizon);
        }
        let Source { feed, clocks, instruments } = &mut self.sources[index];
        let kernel = &mut *self.kernel;
        match feed {
            Feed::Market(pair) => {
                let (rows, base) = pair.venue.rows();
                if let Some(head) = rows.first() {
                    let instrument = instruments[usize::from(head.instrument)];
                    let used =
                        kernel.venue_rows(instrument, rows, base, horizon, &mut clocks.venue_ns)?;
                    pair.venue.advance(used)?;
                }
            }
            Feed::Orders(pair) => {
                let (rows, base) = pair.venue.rows();
                let mut used = 0;
                for row in rows {
                    let at_ns = clocks.at_venue(row);
                    if at_ns >= horizon && used > 0 {
                        break;
                    }
                    clocks.venue_ns = at_ns;
                    used += 1;
                    let instrument = instruments[usize::from(row.market.instrument)];
                    if kernel.venue_order_row(instrument, row, base, at_ns)? {
                        break;
                    }
                }
                pair.venue.advance(used)?;
            }
            Feed::Replayed(venue) => {
                replay_message(kernel, venue, clocks, instruments)?;
            }
            Feed::Agents => {
                let at_ns = kernel.next_act_ns(instruments[0]);
                clocks.venue_ns = at_ns;
                kernel.others_act(instruments[0], at_ns)?;
            }
            Feed::Bars(pair, path) => {
                if let Some(bar) = pair.venue.peek() {
                    let instrument = instruments[usize::from(bar.instrument)];
                    if horizon > path.last_ns(bar) && !kernel.has_orders_at(instrument) {
                        path.skip_to_last();
                    }
                    let at_ns = path.time_ns(bar).max(clocks.venue_ns);
                    clocks.venue_ns = at_ns;
                    let (rows, price) = path.rows(bar, at_ns);
                    kernel.venue_rows(instrument, &rows, price, TimeNs::MAX, &mut { at_ns })?;
                    if path.advance() {
                        pair.venue.advance(1)?;
                    }
                }
            }
        }
        let next = self.sources[index].next_venue_ns();
        self.venue.set(index, next);
        Ok(())
    }

    /// Messages of one source reaching us before `horizon`, until something else comes first.
    fn local_messages(&mut self, mut horizon: TimeNs) -> Result<()> {
        let index = self.local.winner();
        if index == self.sources.len() {
            self.kernel.matched_message()?;
            return self.watch_sometimes();
        }
        if self.sources.len() > 1 {
            self.local.set(index, TimeNs::MAX);
            horizon = Self::horizon(&self.local, index, horizon);
        }
        loop {
            self.local_message(index)?;
            self.watch_sometimes()?;
            let next = self.sources[index].next_local_ns();
            // A callback may have set something in motion that comes before the next message.
            if next >= horizon || (!self.is_patient() && next >= self.next_due().0) {
                self.local.set(index, next);
                return Ok(());
            }
        }
    }

    #[inline]
    fn watch_sometimes(&mut self) -> Result<()> {
        self.until_watch -= 1;
        if self.until_watch == 0 {
            self.until_watch = WATCH_EVERY;
            let rows = self.kernel.recorder.counts.rows;
            (self.watch)(Progress { rows, now_ns: self.kernel.now_ns })?;
        }
        Ok(())
    }

    /// One message of a source: all rows up to its end mark, across chunks.
    #[inline]
    fn local_message(&mut self, index: usize) -> Result<()> {
        let Source { feed, clocks, instruments } = &mut self.sources[index];
        let kernel = &mut *self.kernel;
        match feed {
            Feed::Market(pair) => local_market(kernel, pair, clocks, instruments),
            Feed::Orders(pair) => local_orders(kernel, pair, clocks, instruments),
            Feed::Replayed(_) | Feed::Agents => Ok(()),
            Feed::Bars(pair, _) => {
                let Some(bar) = pair.local.peek().copied() else { return Ok(()) };
                clocks.local_ns = clocks.at_us(&bar);
                kernel.now_ns = kernel.now_ns.max(clocks.local_ns);
                kernel.recorder.counts.rows += 1;
                kernel.recorder.counts.messages += 1;
                pair.local.advance(1)?;
                kernel.local_bar(instruments[usize::from(bar.instrument)], &bar)
            }
        }
    }
}

#[inline]
fn local_market(
    kernel: &mut Kernel,
    pair: &mut Pair<'_, MarketRow>,
    clocks: &mut Clocks,
    instruments: &[InstrumentId],
) -> Result<()> {
    let mut changes = Changes::default();
    let mut first = true;
    loop {
        let (rows, base) = pair.local.rows();
        let Some(head) = rows.first() else { return Ok(()) };
        let instrument = instruments[usize::from(head.instrument)];
        if std::mem::take(&mut first) {
            clocks.local_ns = clocks.at_us(head);
            kernel.now_ns = kernel.now_ns.max(clocks.local_ns);
        }
        let used = kernel.local_rows(instrument, rows, base, &mut changes);
        let last = rows[used - 1];
        pair.local.advance(used)?;
        if last.ends_message() || pair.local.peek().is_none() {
            return kernel.local_end(instrument, &last, &changes);
        }
    }
}

fn local_orders(
    kernel: &mut Kernel,
    pair: &mut Pair<'_, OrderRow>,
    clocks: &mut Clocks,
    instruments: &[InstrumentId],
) -> Result<()> {
    let mut changes = Changes::default();
    let mut first = true;
    loop {
        let (rows, base) = pair.local.rows();
        let Some(row) = rows.first() else { return Ok(()) };
        let instrument = instruments[usize::from(row.market.instrument)];
        if std::mem::take(&mut first) {
            clocks.local_ns = clocks.at_us(row);
            kernel.now_ns = kernel.now_ns.max(clocks.local_ns);
        }
        kernel.local_order_row(instrument, row, base, &mut changes);
        kernel.recorder.counts.rows += 1;
        pair.local.advance(1)?;
        if row.market.ends_message() || pair.local.peek().is_none() {
            return kernel.local_end(instrument, &row.market, &changes);
        }
    }
}

/// One message of an order-level recording on the matching engine, as far as the engine does not
/// answer.
fn replay_message(
    kernel: &mut Kernel,
    venue: &mut Cursor<'_, OrderRow>,
    clocks: &mut Clocks,
    instruments: &[InstrumentId],
) -> Result<()> {
    loop {
        let (rows, base) = venue.rows();
        let Some(row) = rows.first().copied() else { return Ok(()) };
        let at_ns = clocks.at_venue(&row);
        let recv_ns = clocks.at_us(&row).max(at_ns);
        (clocks.venue_ns, clocks.local_ns) = (at_ns, recv_ns);
        let instrument = instruments[usize::from(row.market.instrument)];
        let answered = kernel.recorded_row(instrument, &row, base, (at_ns, recv_ns))?;
        venue.advance(1)?;
        if answered || row.market.ends_message() {
            return Ok(());
        }
    }
}
