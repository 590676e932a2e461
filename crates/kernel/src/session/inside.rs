//! A session whose venues are simulated in the kernel: paper trading.
//!
//! Market data is an input as ever; requests go to the simulated venue of the same kernel, by the
//! queue, latency and fee models of a run over files. A row passes the venue when it reaches us. What
//! the venue says is journaled like the statement of a venue outside, at its logical time, so that
//! recovery, replay and followers need no venue; run again as a backtest, the market data alone
//! leads to the same statements.
//!
//! No two inputs have one time, and whole messages are taken at one time: what comes first is then the
//! same in a run over the rows as it was in the session.
//!
//! Where the venue is the matching engine, the feed is of orders: its rows are an input that happens at
//! the engine, and what the engine publishes, our own orders in it, is an input that reaches us.
//!
//! After a restart the venue is built from what the journal says: an order that the venue had
//! accepted is there again, behind all that its level shows next; a request that had no answer is
//! sent again; what the venue had done and not yet told did not happen. The matching engine takes up
//! the book as it was published last, our orders in their places.

use mainspring_core::event::{flags, MarketRow, OrderRow};
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, Instrument, InstrumentId, Report, Result, Ticks, TimeNs,
    VenueEvent, VenueRequestKind,
};
use mainspring_sim::SimMarket;
use mainspring_trading::orders::{Order, OrderState};

use super::record::{self, Kind};
use super::{Session, ROWS_PER_RECORD};
use crate::kernel::{Due, Kernel};
use crate::market::Market;
use crate::matching::Matching;

/// A row of a message that may come in pieces.
pub(super) trait PieceRow: Copy {
    /// Rows of a message at most; a longer one is cut.
    const MOST: usize;

    fn market(&mut self) -> &mut MarketRow;
}

impl PieceRow for MarketRow {
    const MOST: usize = 1 << 16;

    fn market(&mut self) -> &mut MarketRow {
        self
    }
}

impl PieceRow for OrderRow {
    /// A snapshot has every order of a book.
    const MOST: usize = 1 << 20;

    fn market(&mut self) -> &mut MarketRow {
        &mut self.market
    }
}

/// Rows of a message that is not complete.
#[derive(Clone, Debug)]
pub(super) struct Piece<R> {
    base: Ticks,
    rows: Vec<R>,
}

impl<R> Default for Piece<R> {
    fn default() -> Self {
        Self { base: Ticks(0), rows: Vec::new() }
    }
}

impl<R: PieceRow> Piece<R> {
    /// Adds rows; whether the message is complete now.
    fn add(&mut self, base: Ticks, rows: &[R]) -> bool {
        if self.rows.is_empty() {
            self.base = base;
        }
        let shift = (base.0 - self.base.0) as i32;
        self.rows.extend(rows.iter().map(|row| {
            let mut row = *row;
            row.market().price_offset = row.market().price_offset.wrapping_add(shift);
            row
        }));
        let full = self.rows.len() >= R::MOST;
        let Some(last) = self.rows.last_mut().map(PieceRow::market) else { return false };
        if full {
            last.flags |= flags::END_OF_MESSAGE;
        }
        last.ends_message()
    }

    /// Gives every row one time of receipt.
    fn receive(&mut self, recv_ns: TimeNs) {
        self.rows.iter_mut().for_each(|row| row.market().recv_ns = recv_ns);
    }

    fn first_ns(&mut self) -> TimeNs {
        self.rows.first_mut().map_or(0, |row| row.market().recv_ns)
    }
}

impl Session {
    /// Whether the venues are simulated in the kernel.
    #[inline]
    #[must_use]
    pub const fn is_paper(&self) -> bool {
        self.config.paper
    }

    /// The time of an input that came at `recv_ns`: in a paper session later than everything before.
    pub(super) fn input_ns(&self, recv_ns: TimeNs) -> TimeNs {
        let now_ns = self.kernel.now_ns;
        if self.config.paper && now_ns != TimeNs::MIN {
            recv_ns.max(now_ns + 1)
        } else {
            recv_ns.max(now_ns)
        }
    }

    /// The lots of the feed estimated in front of a resting order, where venues are simulated here.
    #[must_use]
    pub fn queue_front(&self, instrument: InstrumentId, order: ClientOrderId) -> Option<f64> {
        self.kernel.venues.get(instrument.index()).and_then(|venue| venue.queue_front(order))
    }

    /// Takes whole messages or a piece of one.
    pub(super) fn market_inside(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[MarketRow],
    ) -> Result<()> {
        if self.kernel.matching.is_some() {
            return Err(levels_only());
        }
        for piece in rows.split_inclusive(MarketRow::ends_message) {
            let held = &mut self.pieces[instrument.index()];
            if !held.add(base, piece) {
                continue;
            }
            let mut message = std::mem::take(held);
            let done = self.message_inside(instrument, &mut message);
            message.rows.clear();
            self.pieces[instrument.index()] = message;
            done?;
        }
        Ok(())
    }

    fn message_inside(
        &mut self,
        instrument: InstrumentId,
        message: &mut Piece<MarketRow>,
    ) -> Result<()> {
        let now_ns = self.input_ns(message.first_ns());
        message.receive(now_ns);
        self.pass_time(now_ns)?;
        let (base, rows) = (message.base, &message.rows[..]);
        let head =
            record::MarketHead { base_ticks: base.0, instrument: instrument.0, reserved: [0; 3] };
        for part in rows.chunks(ROWS_PER_RECORD) {
            let payload = [bytemuck::bytes_of(&head), bytemuck::cast_slice(part)];
            self.write(Kind::Market, now_ns, &payload)?;
        }
        self.kernel.now_ns = now_ns;
        let mut used = 0;
        while used < rows.len() {
            let mut clock_ns = now_ns;
            let rest = &rows[used..];
            used += self.kernel.venue_rows(instrument, rest, base, TimeNs::MAX, &mut clock_ns)?;
        }
        self.apply_market(instrument, base, rows)?;
        self.settle()
    }

    /// Rows of one instrument of an order-level feed that were received together: they happen at the
    /// matching engine. Whole messages or a piece of one.
    ///
    /// # Errors
    /// When the session has no matching engine, when an order id is too large, or when the journal
    /// cannot be written.
    pub fn order_rows(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[OrderRow],
    ) -> Result<()> {
        if self.kernel.matching.is_none() {
            return Err(Error::new(
                ErrorKind::Internal,
                "rows of orders in a session without a matching engine",
            ));
        }
        for piece in rows.split_inclusive(|row| row.market.ends_message()) {
            let held = &mut self.order_pieces[instrument.index()];
            if !held.add(base, piece) {
                continue;
            }
            let mut message = std::mem::take(held);
            let done = self.others_act(instrument, &mut message);
            message.rows.clear();
            self.order_pieces[instrument.index()] = message;
            done?;
        }
        Ok(())
    }

    fn others_act(
        &mut self,
        instrument: InstrumentId,
        message: &mut Piece<OrderRow>,
    ) -> Result<()> {
        let now_ns = self.input_ns(message.first_ns());
        message.receive(now_ns);
        self.pass_time(now_ns)?;
        let (base, rows) = (message.base, &message.rows[..]);
        self.write_rows(Kind::Orders, now_ns, (instrument, base), rows)?;
        self.kernel.now_ns = now_ns;
        for row in rows {
            self.kernel.recorded_row(instrument, row, base, (now_ns, now_ns))?;
        }
        self.hear_until(now_ns)?;
        self.settle()
    }

    fn write_rows(
        &mut self,
        kind: Kind,
        now_ns: TimeNs,
        (instrument, base): (InstrumentId, Ticks),
        rows: &[OrderRow],
    ) -> Result<()> {
        let head =
            record::MarketHead { base_ticks: base.0, instrument: instrument.0, reserved: [0; 3] };
        rows.chunks(ROWS_PER_RECORD).try_for_each(|part| {
            let payload = [bytemuck::bytes_of(&head), bytemuck::cast_slice(part)];
            self.write(kind, now_ns, &payload)
        })
    }

    /// Does what is due up to a time, what the matching engine published then included.
    pub(super) fn hear_until(&mut self, now_ns: TimeNs) -> Result<()> {
        if self.kernel.matching.is_none() {
            return Ok(());
        }
        self.pass_time_inside(now_ns, now_ns.saturating_add(1))
    }

    /// The next message of the matching engine reaches us.
    fn hear_engine(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.published);
        let done = match self.kernel.take_matched(&mut rows) {
            Some((recv_ns, instrument)) => self.hear(recv_ns, instrument, &rows),
            None => Ok(()),
        };
        self.published = rows;
        done
    }

    fn hear(
        &mut self,
        recv_ns: TimeNs,
        instrument: InstrumentId,
        rows: &[(OrderRow, Ticks)],
    ) -> Result<()> {
        let now_ns = recv_ns.max(self.kernel.now_ns);
        let mut rest = rows;
        while let Some((_, base)) = rest.first().copied() {
            // Prices too far from the first are told in a record of their own.
            let offset = |price: Ticks| i32::try_from(price.0 - base.0).ok();
            let fit = rest.iter().take_while(|(_, price)| offset(*price).is_some()).count();
            let (part, after) = rest.split_at(fit.max(1));
            rest = after;
            let mut written = std::mem::take(&mut self.written);
            written.clear();
            written.extend(part.iter().map(|(row, price)| {
                let market = MarketRow { price_offset: offset(*price).unwrap_or(0), ..row.market };
                OrderRow { market, ..*row }
            }));
            let done = self.write_rows(Kind::Published, now_ns, (instrument, base), &written);
            self.written = written;
            done?;
        }
        self.kernel.now_ns = now_ns;
        rows.iter().try_for_each(|(row, price)| {
            self.apply_published(instrument, *price, std::slice::from_ref(row))
        })
    }

    /// Rows that the matching engine published reach us.
    pub(super) fn apply_published(
        &mut self,
        instrument: InstrumentId,
        base: Ticks,
        rows: &[OrderRow],
    ) -> Result<()> {
        for row in rows {
            let changes = &mut self.changes[instrument.index()];
            self.kernel.local_order_row(instrument, row, base, changes);
            self.kernel.recorder.counts.rows += 1;
            if row.market.ends_message() {
                let changes = std::mem::take(changes);
                self.kernel.local_end(instrument, &row.market, &changes)?;
            }
        }
        Ok(())
    }

    /// Does what is due up to `until_ns` at the venue and here, in the order of a run over files. What
    /// the matching engine published reaches us before `heard_ns`.
    pub(super) fn pass_time_inside(&mut self, until_ns: TimeNs, heard_ns: TimeNs) -> Result<()> {
        loop {
            let (at_ns, due) = self.kernel.next_due();
            let told_ns = self.kernel.next_matched_ns();
            if told_ns < at_ns.min(heard_ns) {
                self.hear_engine()?;
                continue;
            }
            if at_ns > until_ns || at_ns == TimeNs::MAX {
                return Ok(());
            }
            match due {
                Due::Request => self.kernel.next_request()?,
                Due::VenueTimer => self.kernel.venue_timers(at_ns)?,
                Due::Answer => {
                    if let Some((at_ns, event)) = self.kernel.answers.pop() {
                        self.tell_inside(at_ns, event)?;
                    }
                }
                Due::Timer => {
                    let at_ns = at_ns.max(self.kernel.now_ns);
                    self.write(Kind::Clock, at_ns, &[])?;
                    self.fire_timer(at_ns)?;
                }
            }
        }
    }

    /// After a restart the venues are built anew from our own orders and positions.
    /// `before` are the markets as we saw them last.
    pub(super) fn begin_venues_again(&mut self, before: &[Market], now_ns: TimeNs) -> Result<()> {
        if !self.config.paper || self.kernel.is_following() {
            return Ok(());
        }
        let models = crate::run::with_models(&self.config.run);
        let new = |(index, instrument): (usize, &Instrument)| {
            SimMarket::new(InstrumentId(index as u16), instrument, &models.venue)
        };
        let venues = self.instruments.iter().enumerate().map(new).collect::<Result<Vec<_>>>()?;
        self.kernel.now_ns = now_ns;
        let engine = match self.kernel.matching {
            Some(_) => Some(Matching::of_recordings(&self.instruments, &self.config.run)?),
            None => None,
        };
        self.kernel.rebuild_venues(venues, engine, before)
    }

    /// A statement of the venue inside reaches us.
    fn tell_inside(&mut self, at_ns: TimeNs, event: VenueEvent) -> Result<()> {
        let at_ns = at_ns.max(self.kernel.now_ns);
        let report = Report::plain(event);
        let record = record::ReportRecord::of(&report);
        self.write(Kind::Report, at_ns, &[bytemuck::bytes_of(&record)])?;
        self.kernel.now_ns = at_ns;
        self.kernel.report(&report)
    }
}

impl Kernel {
    /// Whether requests leave for venues outside.
    #[inline]
    pub(crate) fn has_venues_outside(&self) -> bool {
        self.outside.as_ref().is_some_and(|outside| !outside.inside)
    }

    /// Whether this is a session whose venues are simulated here.
    #[inline]
    pub(crate) fn has_venues_inside(&self) -> bool {
        self.outside.as_ref().is_some_and(|outside| outside.inside)
    }

    /// Builds the venues of a session that begins again from our own orders and positions.
    pub(crate) fn rebuild_venues(
        &mut self,
        new: Vec<SimMarket>,
        engine: Option<Matching>,
        before: &[Market],
    ) -> Result<()> {
        self.requests.retain(|_| false);
        self.answers.retain(|_| false);
        self.last_arrival_ns.fill(TimeNs::MIN);
        self.last_answer_ns.fill(TimeNs::MIN);
        self.venues = new;
        for index in 0..self.venues.len() {
            let held = self.net_position(InstrumentId(index as u16));
            self.venues[index].set_position(held);
        }
        let sent = |order: &&Order| order.state != OrderState::Created;
        let mut live: Vec<Order> = self.orders.all_live().filter(sent).copied().collect();
        live.sort_unstable_by_key(|order| order.id);
        if let Some(engine) = engine {
            self.rebuild_matching(engine, before, &live)?;
        }
        for order in &live {
            self.stand_again(order)?;
        }
        self.look_up_venue_timers();
        Ok(())
    }

    /// An order that the venue had is there again; what it had not answered is sent again.
    fn stand_again(&mut self, order: &Order) -> Result<()> {
        let (id, terms) = (order.id, order.terms);
        let instrument = terms.instrument;
        if order.acknowledged && self.matching.is_some() {
            // The engine has taken it up.
        } else if order.acknowledged {
            let venue = &mut self.venues[instrument.index()];
            venue.adopt(id, &terms, order.filled, order.triggered);
        } else {
            self.send(id, VenueRequestKind::New(terms), instrument)?;
        }
        match (order.state, order.pending) {
            (OrderState::PendingCancel, _) => {
                self.send(id, VenueRequestKind::Cancel { instrument }, instrument)
            }
            (OrderState::PendingReplace, Some(to)) => {
                let kind = VenueRequestKind::Amend { instrument, price: to.price, qty: to.qty };
                self.send(id, kind, instrument)
            }
            _ => Ok(()),
        }
    }
}

/// Levels do not say who rests where.
fn levels_only() -> Error {
    Error::new(
        ErrorKind::Config,
        "rows of levels in a session whose orders are in the book: give fill_model matching feeds \
         of orders",
    )
}
