//! Every change of our mid price over the data of a run, as a strategy would have seen it.

use std::cell::RefCell;
use std::rc::Rc;

use mainspring_core::{DurationNs, Result, TimeNs};
use mainspring_data::EventFile;
use mainspring_journal::Sink;

use crate::backtest::Watch;
use crate::config::RunConfig;
use crate::host::{BookTrigger, Host, HostResult, Interest};
use crate::run::{run, Outcome};
use crate::view::View;

/// Changes of one instrument's mid price.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MidTrack {
    /// When we knew.
    pub time_ns: Vec<TimeNs>,
    /// The mid price from then on.
    pub mid: Vec<f64>,
    /// 0 when every change is there; else only the last change in each span of this length is.
    pub spacing_ns: DurationNs,
    last: f64,
}

/// The first spacing of a track that grew beyond its bound; it doubles from there.
const FIRST_SPACING_NS: DurationNs = 1_000_000;

/// The mid prices of every instrument of a run, by its files and configuration.
///
/// The kernel runs over the data with a strategy that only looks: merging, feed latency, gaps and
/// bars are those of the run. Memory is bounded by `max_changes` of each instrument; beyond that a
/// track keeps the last change in each span of [`MidTrack::spacing_ns`], at its own time.
///
/// # Errors
/// When the data cannot be read, or `watch` ended it.
pub fn mid_changes(
    files: &[EventFile],
    config: &RunConfig,
    max_changes: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<MidTrack>> {
    let config = RunConfig {
        features: Vec::new(),
        bars: Vec::new(),
        // No samples: only the mids are wanted.
        sample_ns: Some(DurationNs::MAX / 4),
        ..config.clone()
    };
    let tracks = Rc::new(RefCell::new(Vec::new()));
    let host = MidHost { tracks: Rc::clone(&tracks), max_changes: max_changes.max(2) };
    let Outcome { ended, instruments, .. } =
        run(files, &config, vec![Box::new(host)], Sink::Memory { limit_bytes: 1 << 20 }, watch)?;
    ended?;
    let mut tracks = tracks.take();
    tracks.resize(instruments.len(), MidTrack::default());
    Ok(tracks)
}

struct MidHost {
    tracks: Rc<RefCell<Vec<MidTrack>>>,
    max_changes: usize,
}

impl MidHost {
    #[inline]
    fn look(&self, view: &View<'_>) {
        let mid = view.market().mid();
        if mid.is_nan() {
            return;
        }
        let mut tracks = self.tracks.borrow_mut();
        let index = view.instrument.index();
        if index >= tracks.len() {
            tracks.resize(index + 1, MidTrack::default());
        }
        tracks[index].note(view.now_ns, mid, self.max_changes);
    }
}

impl Host for MidHost {
    fn name(&self) -> &str {
        "mids"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, bars: true, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.look(view);
        Ok(())
    }

    fn on_bar(&mut self, view: &mut View<'_>, _bar: &mainspring_core::event::BarRow) -> HostResult {
        self.look(view);
        Ok(())
    }
}

impl MidTrack {
    fn note(&mut self, now_ns: TimeNs, mid: f64, max_changes: usize) {
        // To the bit: the same prices give the same mid.
        if mid.to_bits() == self.last.to_bits() {
            return;
        }
        self.last = mid;
        if self.shares_span(now_ns) {
            self.time_ns.pop();
            self.mid.pop();
        }
        while self.time_ns.len() >= max_changes {
            self.thin();
            if self.shares_span(now_ns) {
                self.time_ns.pop();
                self.mid.pop();
            }
        }
        self.time_ns.push(now_ns);
        self.mid.push(mid);
    }

    /// Whether the last change gives way to one at `now_ns`: at the same time, or in its span.
    fn shares_span(&self, now_ns: TimeNs) -> bool {
        let span = self.spacing_ns.max(1);
        let last = self.time_ns.last();
        last.is_some_and(|last| last.div_euclid(span) == now_ns.div_euclid(span))
    }

    #[cold]
    fn thin(&mut self) {
        self.spacing_ns = (self.spacing_ns * 2).max(FIRST_SPACING_NS);
        let span = |ns: TimeNs| ns.div_euclid(self.spacing_ns);
        let mut kept = 0;
        for i in 0..self.time_ns.len() {
            let next = self.time_ns.get(i + 1);
            if next.is_none_or(|next| span(*next) != span(self.time_ns[i])) {
                self.time_ns[kept] = self.time_ns[i];
                self.mid[kept] = self.mid[i];
                kept += 1;
            }
        }
        self.time_ns.truncate(kept);
        self.mid.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value_at(times: &[TimeNs], mids: &[f64], at_ns: TimeNs) -> Option<f64> {
        times.partition_point(|t| *t <= at_ns).checked_sub(1).map(|i| mids[i])
    }

    proptest! {
        #[test]
        fn a_track_is_right_at_the_end_of_each_span_and_bounded(
            steps in prop::collection::vec((0_i64..3_000_000, -2_i8..3), 1..400),
            max_changes in 2_usize..60,
        ) {
            let mut track = MidTrack::default();
            let (mut now, mut mid) = (1_000, 100.0);
            let (mut times, mut mids) = (Vec::new(), Vec::new());
            for (wait, change) in steps {
                now += wait;
                mid += f64::from(change);
                track.note(now, mid, max_changes);
                times.push(now);
                mids.push(mid);
                prop_assert!(track.time_ns.len() <= max_changes);
            }
            prop_assert!(track.time_ns.windows(2).all(|w| w[0] < w[1]));
            let span = track.spacing_ns.max(1);
            for at in &times {
                let end = at.div_euclid(span) * span + span - 1;
                prop_assert_eq!(
                    value_at(&track.time_ns, &track.mid, end), value_at(&times, &mids, end)
                );
            }
        }
    }
}
