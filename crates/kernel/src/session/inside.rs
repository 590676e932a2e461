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
//! After a restart the venue is built from what the journal says: an order that the venue had
//! accepted is there again, behind all that its level shows next; a request that had no answer is
//! sent again; what the venue had done and not yet told did not happen.

use mainspring_core::event::{flags, MarketRow};
use mainspring_core::{
    ClientOrderId, Instrument, InstrumentId, Report, Result, Ticks, TimeNs, VenueEvent,
    VenueRequestKind,
};
use mainspring_sim::SimMarket;
use mainspring_trading::orders::{Order, OrderState};

use super::record::{self, Kind};
use super::{Session, ROWS_PER_RECORD};
use crate::kernel::{Due, Kernel};

/// Rows of a message that may come in pieces; a longer one is cut.
const MAX_MESSAGE_ROWS: usize = 1 << 16;

/// Rows of a message that is not complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    base: Ticks,
    rows: Vec<MarketRow>,
}

impl Piece {
    /// Adds rows; whether the message is complete now.
    fn add(&mut self, base: Ticks, rows: &[MarketRow]) -> bool {
        if self.rows.is_empty() {
            self.base = base;
        }
        let shift = (base.0 - self.base.0) as i32;
        self.rows.extend(
            rows.iter().map(|row| MarketRow {
                price_offset: row.price_offset.wrapping_add(shift),
                ..*row
            }),
        );
        let full = self.rows.len() >= MAX_MESSAGE_ROWS;
        if let Some(last) = self.rows.last_mut().filter(|_| full) {
            last.flags |= flags::END_OF_MESSAGE;
        }
        self.rows.last().is_some_and(MarketRow::ends_message)
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

    fn message_inside(&mut self, instrument: InstrumentId, message: &mut Piece) -> Result<()> {
        let now_ns = self.input_ns(message.rows.first().map_or(0, |row| row.recv_ns));
        message.rows.iter_mut().for_each(|row| row.recv_ns = now_ns);
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

    /// Does what is due up to `until_ns` at the venue and here, in the order of a run over files.
    pub(super) fn pass_time_inside(&mut self, until_ns: TimeNs) -> Result<()> {
        loop {
            let (at_ns, due) = self.kernel.next_due();
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
    pub(super) fn begin_venues_again(&mut self, now_ns: TimeNs) -> Result<()> {
        if !self.config.paper || self.kernel.is_following() {
            return Ok(());
        }
        let new = |(index, instrument): (usize, &Instrument)| {
            SimMarket::new(InstrumentId(index as u16), instrument, &self.config.run.venue)
        };
        let venues = self.instruments.iter().enumerate().map(new).collect::<Result<Vec<_>>>()?;
        self.kernel.now_ns = now_ns;
        self.kernel.rebuild_venues(venues)
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
    pub(crate) fn rebuild_venues(&mut self, new: Vec<SimMarket>) -> Result<()> {
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
        if order.acknowledged {
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
