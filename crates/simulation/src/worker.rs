//! A strategy that works parent orders of every kind, and now and then pauses or drops one.

use mainspring_core::{InstrumentId, Lots, Side};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::intent::Control;
use mainspring_kernel::View;
use mainspring_trading::execution::parents::{
    AtEnd, CatchUp, Kind, Parent, ParentId, ParentTerms, Participation, Schedule, Style,
};

const MS: i64 = 1_000_000;

/// Market messages from one parent order to the next.
const PERIOD: u64 = 60;

/// Works one parent after another, buying and selling in turn.
#[derive(Debug, Default)]
pub struct Worker {
    messages: u64,
    newest: Option<ParentId>,
}

impl Worker {
    fn start(&mut self, view: &mut View<'_>) -> HostResult {
        let turn = self.messages / PERIOD;
        let side = if turn.is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let qty = Lots(2 + (turn % 5) as i64);
        let slices = 1 + (turn % 4) as usize;
        let schedule = Schedule::even(qty, slices)?;
        let duration_ns = (800 + 300 * (turn % 5) as i64) * MS;
        let kind = Kind::Twap;
        let mut terms = ParentTerms::new(kind, InstrumentId(0), side, qty, schedule, duration_ns);
        match turn % 6 {
            0 => terms.style = Style::Join,
            1 => (terms.style, terms.at_end) = (Style::JoinThenTake, AtEnd::Cross),
            2 => terms.catch_up = CatchUp::Spread,
            3 => terms.schedule = Schedule::Volume(Participation::new(0.3, true)?),
            4 => {
                terms.schedule = Schedule::Whole;
                (terms.style, terms.max_child) = (Style::Rest, Lots(2));
                terms.limit = view.market().book.best(side);
            }
            _ => (terms.style, terms.catch_up) = (Style::Join, CatchUp::Leave),
        }
        self.newest = Some(view.execute(terms)?);
        Ok(())
    }

    fn control(&self, view: &mut View<'_>, control: Control) -> HostResult {
        if let Some(newest) = self.newest {
            view.control_parent(newest, control)?;
        }
        Ok(())
    }
}

impl Host for Worker {
    fn name(&self) -> &str {
        "worker"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, parents: true, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.messages += 1;
        let turn = self.messages / PERIOD;
        match self.messages % PERIOD {
            3 => self.start(view)?,
            17 if turn.is_multiple_of(3) => self.control(view, Control::Pause)?,
            29 => self.control(view, Control::Resume)?,
            41 if turn % 4 == 1 => self.control(view, Control::Cancel)?,
            _ => {}
        }
        Ok(())
    }

    fn on_parent(&mut self, _view: &mut View<'_>, parent: &Parent) -> HostResult {
        if self.newest == Some(parent.id) {
            self.newest = None;
        }
        Ok(())
    }

    fn save(&mut self, state: &mut Vec<u8>) -> bool {
        state.extend_from_slice(&self.messages.to_le_bytes());
        true
    }

    fn load(&mut self, state: &[u8]) -> HostResult {
        if let Ok(bytes) = <[u8; 8]>::try_from(state) {
            self.messages = u64::from_le_bytes(bytes);
        }
        Ok(())
    }
}
