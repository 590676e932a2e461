//! The venue's side: rows, requests and timers reach it, and its answers leave.

use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{CancelReason, InstrumentId, Result, Ticks, TimeNs, VenueEventKind};
use mainspring_sim::{RequestKind, SimMarket};

use super::Kernel;

impl Kernel {
    /// Whether any of our orders is at the venue.
    pub(crate) fn has_orders_at(&self, instrument: InstrumentId) -> bool {
        self.venues[instrument.index()].open_orders() > 0
    }

    /// Rows of one instrument at the venue, from the first up to the horizon, to a row of another
    /// instrument, or to one that the venue answers. `clock_ns` is the running maximum of
    /// exchange times. Returns how many rows were applied.
    #[inline]
    pub(crate) fn venue_rows(
        &mut self,
        instrument: InstrumentId,
        rows: &[MarketRow],
        base: Ticks,
        horizon_ns: TimeNs,
        clock_ns: &mut TimeNs,
    ) -> Result<usize> {
        let venue = &mut self.venues[instrument.index()];
        let out = &mut self.venue_out;
        let of = rows.first().map_or(0, |row| row.instrument);
        let mut clock = *clock_ns;
        let receive = self.receive_clock;
        let mut used = 0;
        for row in rows {
            let at_ns = if receive { row.recv_ns } else { row.exch_ns }.max(clock);
            // The first row is due in any case.
            if used > 0 && (at_ns >= horizon_ns || row.instrument != of) {
                break;
            }
            clock = at_ns;
            used += 1;
            venue.on_row(row, base, at_ns, out);
            if !out.is_empty() {
                break;
            }
        }
        *clock_ns = clock;
        if !self.venue_out.is_empty() {
            self.send_answers(instrument)?;
        }
        Ok(used)
    }

    /// One row of an order-level feed at the venue. True when the venue answered.
    pub(crate) fn venue_order_row(
        &mut self,
        instrument: InstrumentId,
        row: &OrderRow,
        base: Ticks,
        now_ns: TimeNs,
    ) -> Result<bool> {
        self.venues[instrument.index()].on_order_row(row, base, now_ns, &mut self.venue_out);
        let answered = !self.venue_out.is_empty();
        self.send_answers(instrument)?;
        Ok(answered)
    }

    /// The next request reaches the venue.
    pub(crate) fn next_request(&mut self) -> Result<()> {
        let Some((now_ns, request)) = self.requests.front() else { return Ok(()) };
        let instrument = request.kind.instrument();
        if let Some(matching) = &mut self.matching {
            matching.market(instrument).on_request(request, *now_ns, &mut self.venue_out);
            self.requests.drop_front();
            self.look_up_venue_timers();
            return self.send_answers(instrument);
        }
        let venue = &mut self.venues[instrument.index()];
        venue.on_request(request, *now_ns, &mut self.venue_out);
        self.requests.drop_front();
        if venue.next_timer_ns().is_some() || self.venue_timer_ns != TimeNs::MAX {
            self.look_up_venue_timers();
        }
        self.send_answers(instrument)
    }

    /// A time that a venue itself waits for has come.
    pub(crate) fn venue_timers(&mut self, now_ns: TimeNs) -> Result<()> {
        if self.matching.is_some() {
            self.matching_timers(now_ns)?;
        }
        for index in 0..self.venues.len() {
            if self.venues[index].next_timer_ns().is_some_and(|at| at <= now_ns) {
                self.venues[index].on_timer(now_ns, &mut self.venue_out);
                self.send_answers(InstrumentId(index as u16))?;
            }
        }
        self.look_up_venue_timers();
        Ok(())
    }

    /// The venue takes off every order of ours in an instrument.
    pub(crate) fn cancel_at_venue(
        &mut self,
        instrument: InstrumentId,
        reason: CancelReason,
    ) -> Result<()> {
        if let Some(matching) = &mut self.matching {
            matching.market(instrument).cancel_all(reason, self.now_ns, &mut self.venue_out);
        }
        self.venues[instrument.index()].cancel_all(reason, self.now_ns, &mut self.venue_out);
        self.send_answers(instrument)
    }

    /// Orders with an expiry are few: their times are looked up when one came or may have gone.
    pub(crate) fn look_up_venue_timers(&mut self) {
        let times = self.venues.iter().filter_map(SimMarket::next_timer_ns);
        let matching = self.matching.as_ref().and_then(|matching| matching.next_timer_ns());
        self.venue_timer_ns = times.chain(matching).min().unwrap_or(TimeNs::MAX);
    }

    /// Sends what the venue said on its way to us.
    pub(super) fn send_answers(&mut self, instrument: InstrumentId) -> Result<()> {
        let index = instrument.index();
        for event in &self.venue_out {
            self.request_sequence += 1;
            let delay = self.latency[index].response_ns(
                event.exch_ns,
                request_kind(&event.kind),
                self.markets[index].feed_latency_ns,
                self.request_sequence,
            );
            // A venue that sees what we see says nothing in the instant in which we see it.
            let delay = delay.max(i64::from(self.receive_clock));
            // One connection: an answer never overtakes the one before it.
            let at = (event.exch_ns + delay).max(self.last_answer_ns[index]);
            self.last_answer_ns[index] = at;
            self.answers.push_with(at, |answer| {
                (answer.order, answer.exch_ns, answer.recv_ns) = (event.order, event.exch_ns, at);
                // Told anew, because the venue has just put it together in small pieces.
                answer.kind = match event.kind {
                    VenueEventKind::Accepted => VenueEventKind::Accepted,
                    VenueEventKind::Filled { price, qty, maker } => {
                        VenueEventKind::Filled { price, qty, maker }
                    }
                    VenueEventKind::Cancelled(reason) => VenueEventKind::Cancelled(reason),
                    other => other,
                };
            })?;
        }
        self.venue_out.clear();
        Ok(())
    }
}

/// Which kind of request an answer belongs to.
pub(super) const fn request_kind(event: &VenueEventKind) -> RequestKind {
    match event {
        VenueEventKind::Cancelled(_) | VenueEventKind::CancelRejected(_) => RequestKind::Cancel,
        VenueEventKind::Amended { .. } | VenueEventKind::AmendRejected(_) => RequestKind::Amend,
        _ => RequestKind::New,
    }
}
