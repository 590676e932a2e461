//! When the account is judged: by the clock, at fills, and when the market has moved what is held by
//! enough to matter. In sessions always; in runs over files where a limit on losses is set, at the same
//! points, so that both halt at the same event.
//!
//! Each judgement works out, for each instrument that is held, between which mid prices the account
//! stays within a small part of what it was judged at. After a message two comparisons say whether
//! the mid has left them; nothing else is reckoned on the way of an event.

use mainspring_core::{ClientOrderId, DurationNs, InstrumentId, Lots, Money, Result, TimeNs};

use crate::kernel::Kernel;

/// Part of the equity by which it may move before it is judged again, in basis points.
const MOVE_BPS: i128 = 5;

/// Judgements that the market or fills ask for are at least so far apart.
const APART_NS: DurationNs = 10_000_000;

/// What has to happen before the account is judged again.
pub(crate) struct Judging {
    /// Lowest and highest sum of best bid and ask of each instrument that change little.
    pub(crate) quiet: Vec<(i64, i64)>,
    /// Something traded since.
    pub(crate) due: bool,
    judged_ns: TimeNs,
}

/// Nothing is held: no price matters.
const ANY: (i64, i64) = (i64::MIN, i64::MAX);

impl Judging {
    pub(crate) fn new(instruments: usize) -> Self {
        Self { quiet: vec![ANY; instruments], due: true, judged_ns: TimeNs::MIN }
    }
}

impl Kernel {
    /// Judges the account after news of an instrument, where they matter.
    #[inline]
    pub(crate) fn judge_after(&mut self, instrument: InstrumentId) -> Result<()> {
        let Some(judging) = &self.judging else { return Ok(()) };
        let (low, high) = judging.quiet[instrument.index()];
        let mid2 = self.markets[instrument.index()].mid2();
        if judging.due || mid2.is_some_and(|mid2| mid2 < low || mid2 > high) {
            return self.judge_now();
        }
        Ok(())
    }

    /// Something of an order traded: the account is judged at once, or as soon as it may be again.
    pub(crate) fn judge_fill(&mut self, order: ClientOrderId) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let Some(judging) = &mut self.judging else { return Ok(()) };
        judging.due = true;
        match self.orders.get(order).map(|order| order.terms.instrument) {
            Some(instrument) => self.judge_after(instrument),
            None => Ok(()),
        }
    }

    #[cold]
    fn judge_now(&mut self) -> Result<()> {
        let now_ns = self.now_ns;
        let judged_ns = self.judging.as_ref().map_or(now_ns, |judging| judging.judged_ns);
        if self.is_following() || now_ns.saturating_sub(judged_ns) < APART_NS {
            return Ok(());
        }
        if self.outside.is_some() {
            return self.sample();
        }
        // The samples of a run over files are evenly spaced: what is judged in between is no sample.
        self.value_positions()?;
        let equity = self.ledger.statement(&self.report_currency)?.equity();
        self.note_judged(equity);
        self.act_on_sample(equity)?;
        self.sample_margin()
    }

    /// The account was judged at this equity: until when it need not be again.
    pub(crate) fn note_judged(&mut self, equity: Money) {
        let held = |at: InstrumentId| self.ledger.net(at).map_or(Lots::ZERO, |held| held.lots);
        let all = || (0..self.markets.len() as u16).map(InstrumentId);
        let count = all().filter(|at| held(*at) != Lots::ZERO).count();
        let may_move = equity.0.abs() / 10_000 * MOVE_BPS / count.max(1) as i128;
        let Some(mut judging) = self.judging.take() else { return };
        for (at, quiet) in all().zip(judging.quiet.iter_mut()) {
            *quiet = self.quiet_mids(at, held(at), may_move);
        }
        judging.due = false;
        judging.judged_ns = self.now_ns;
        self.judging = Some(judging);
    }

    /// Between which mids a position is worth its value now, give or take `may_move`.
    fn quiet_mids(&self, instrument: InstrumentId, lots: Lots, may_move: i128) -> (i64, i64) {
        let market = &self.markets[instrument.index()];
        let (Some(mid2), Some(mark), true) =
            (market.mid2(), market.valuation(), lots != Lots::ZERO)
        else {
            return ANY;
        };
        let value = self.ledger.contract(instrument).map_or(0, |c| c.value_at(mark, lots).abs());
        let value = self.ledger.settled_in(Money(value), instrument, &self.report_currency);
        match value {
            Some(Money(value)) if value > 0 => {
                let step = i128::from(mid2).abs() * may_move / value;
                let step = i64::try_from(step).unwrap_or(i64::MAX);
                (mid2.saturating_sub(step), mid2.saturating_add(step))
            }
            _ => ANY,
        }
    }
}
