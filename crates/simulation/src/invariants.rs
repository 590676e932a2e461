//! What must hold all the time, and at the end, apart from the venue.

use std::collections::{BTreeSet, VecDeque};

use mainspring_core::{
    ClientOrderId, Error, ErrorKind, Request, Result, TimeNs, VenueRequest, VenueRequestKind,
};
use mainspring_kernel::session::Image;
use mainspring_trading::execution::parents::Parent;
use mainspring_trading::orders::Order;

const SECOND: i64 = 1_000_000_000;

/// A parent order may live so long after its end: a minute for taking the rest, and the time that
/// the last answers need.
const MAX_CLOSING_NS: i64 = 90 * SECOND;

/// The engine's limit of new orders in any second.
pub(crate) const MAX_ORDERS_A_SECOND: usize = 20;

/// What left for the venue and which orders were over, by an account apart from the engine's.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// When the new orders of the last second were let out, whichever process did.
    let_out_ns: VecDeque<TimeNs>,
    live: BTreeSet<ClientOrderId>,
    over: BTreeSet<ClientOrderId>,
    violation: Option<String>,
}

impl Witness {
    /// The engine has let these out.
    pub(crate) fn sent(&mut self, requests: &[Request]) {
        for request in requests {
            let Request::Order(VenueRequest { sent_ns, kind: VenueRequestKind::New(_), .. }) =
                request
            else {
                continue;
            };
            self.let_out_ns.push_back(*sent_ns);
            let first = sent_ns.saturating_sub(SECOND);
            while self.let_out_ns.front().is_some_and(|at_ns| *at_ns <= first) {
                self.let_out_ns.pop_front();
            }
            if self.let_out_ns.len() > MAX_ORDERS_A_SECOND {
                let number = self.let_out_ns.len();
                self.violation = Some(format!(
                    "the limit of {MAX_ORDERS_A_SECOND} orders a second: {number} were let out"
                ));
            }
        }
    }

    /// No order is in two states: none that was over is open again, in one life of the engine.
    pub(crate) fn look<'o>(&mut self, live: impl Iterator<Item = &'o Order>) -> Result<()> {
        let live: BTreeSet<_> = live.map(|order| order.id).collect();
        self.over.extend(self.live.difference(&live));
        if let Some(order) = live.intersection(&self.over).next() {
            return broken(format!("order {} was over and is open again", order.0));
        }
        self.live = live;
        self.violation.take().map_or(Ok(()), broken)
    }

    /// Another process begins from the records: what the last one had not written is not known to it.
    pub(crate) fn restarted(&mut self) {
        self.live.clear();
        self.over.clear();
    }
}

/// No parent lives long after its end, and none has traded more than it was asked to.
pub(crate) fn agree_on_parents(image: &Image) -> Result<()> {
    let Some(parents) = &image.parents else { return Ok(()) };
    let late = |parent: &&Parent| parent.end_ns.saturating_add(MAX_CLOSING_NS) < image.now_ns;
    if let Some(parent) = parents.live.iter().find(late) {
        return broken(format!(
            "parents: {} is still {} {} s after its end",
            parent.id.0,
            parent.state.name(),
            (image.now_ns - parent.end_ns) / SECOND
        ));
    }
    let over = |parent: &&Parent| parent.filled > parent.terms.qty;
    match parents.ended.iter().find(over) {
        None => Ok(()),
        Some(parent) => broken(format!(
            "parents: {} was to trade {} and traded {}",
            parent.id.0, parent.terms.qty, parent.filled
        )),
    }
}

pub(crate) fn broken(what: String) -> Result<()> {
    Err(Error::new(ErrorKind::Mismatch, format!("an invariant does not hold: {what}")))
}
