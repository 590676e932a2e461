//! Strategies that decide apart from the kernel's thread, in a run that repeats a session: they are
//! called when the session's worker called them, and what they ask for is kept until the moment in
//! which the session took it.

use std::collections::VecDeque;

use mainspring_core::{InstrumentId, Result, TimeNs};

use super::record;
use crate::intent::Intents;
use crate::kernel::{dispatch, Call, Kernel};
use crate::view::View;

/// What strategies ask for that decide apart.
pub(crate) struct Apart {
    /// Which strategies do.
    is: Vec<bool>,
    /// Ids of a range of their own.
    intents: Intents,
    failed: Vec<bool>,
    /// Wishes that were not taken yet, as the journal writes them, by strategy.
    asked: Vec<VecDeque<Vec<u8>>>,
}

impl Apart {
    pub(crate) fn new(is: Vec<bool>, next_order: u64, next_parent: u32) -> Self {
        let mut intents = Intents::default();
        intents.give_ids_from(next_order);
        intents.give_parents_from(next_parent);
        let failed = vec![false; is.len()];
        let asked = vec![VecDeque::new(); is.len()];
        Self { is, intents, failed, asked }
    }

    /// The oldest wishes of a strategy that were not taken yet.
    pub(crate) fn take(&mut self, strategy: u16) -> Option<Vec<u8>> {
        self.asked.get_mut(usize::from(strategy)).and_then(VecDeque::pop_front)
    }
}

impl Kernel {
    /// Whether a strategy decides apart from the kernel.
    #[inline]
    pub(crate) fn is_apart(&self, strategy: u16) -> bool {
        let is = |apart: &Apart| apart.is.get(usize::from(strategy)).copied().unwrap_or(false);
        self.apart.as_deref().is_some_and(is)
    }

    /// Calls a strategy that decides apart and keeps what it asks for.
    #[cold]
    pub(crate) fn call_apart(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        call: &Call<'_>,
    ) -> Result<()> {
        let Some(apart) = &mut self.apart else { return Ok(()) };
        let index = usize::from(strategy);
        let stopped = self.strategies[index].failure.is_some();
        if apart.failed[index] || stopped || self.started_ns == TimeNs::MIN {
            return Ok(());
        }
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
            intents: &mut apart.intents,
        };
        match dispatch(self.strategies[index].host.as_mut(), &mut view, call) {
            Ok(()) if apart.intents.is_empty() => {}
            Ok(()) => {
                let mut bytes = Vec::new();
                record::encode_intents(strategy, 0, &apart.intents, &mut bytes);
                apart.asked[index].push_back(bytes);
                apart.intents.forget(strategy);
            }
            Err(failure) => {
                apart.intents.clear();
                apart.failed[index] = true;
                self.interrupted |= failure.interrupted;
            }
        }
        Ok(())
    }
}
