//! Where the records of a session go.

use mainspring_core::{ClientOrderId, Error, ErrorKind, InstrumentId, Result, TimeNs};
use mainspring_journal::Record;
use mainspring_trading::execution::parents::ParentId;
use mainspring_trading::ledger::MarkPrice;
use mainspring_trading::orders::{Order, OrderEvent};

use crate::intent::Intents;

use super::event::Event;
use super::mutant::{is_planted, Mutant};
use super::record::{self, Kind};

/// A place that records are appended to: the journal on disk, or memory in tests and simulations.
pub trait Outlet: Send {
    /// Appends a record whose payload is the parts in a row, and returns its sequence. `cause` is
    /// the sequence of the input that it follows from, its own sequence for an input (pass 0).
    ///
    /// # Errors
    /// When the record cannot be kept: nothing may take effect then.
    fn append(&mut self, kind: u16, time_ns: TimeNs, cause: u64, payload: &[&[u8]]) -> Result<u64>;

    /// The sequence that the next record will get.
    fn next_sequence(&self) -> u64;

    /// Makes what was appended safe by the outlet's policy; called before effects leave.
    ///
    /// # Errors
    /// When it cannot be made safe.
    fn commit(&mut self) -> Result<()>;

    /// Ends in order: nothing is appended any more.
    ///
    /// # Errors
    /// When what was appended cannot be made safe.
    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// The pen of a kernel in a session. Silent while the kernel follows a journal.
pub struct Ink {
    outlet: Option<Box<dyn Outlet>>,
    cause: u64,
    buffer: Vec<u8>,
}

impl Ink {
    /// A pen that writes nothing.
    #[must_use]
    pub(crate) fn silent() -> Self {
        Self { outlet: None, cause: 0, buffer: Vec::with_capacity(record::MAX_INTENTS_BYTES) }
    }

    /// Starts to write.
    pub(crate) fn lead(&mut self, outlet: Box<dyn Outlet>) {
        self.outlet = Some(outlet);
    }

    /// Stops writing and gives the outlet back.
    pub(crate) fn close(&mut self) -> Option<Box<dyn Outlet>> {
        self.outlet.take()
    }

    /// The sequence that the next record will get; 0 while silent.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.outlet.as_ref().map_or(0, |outlet| outlet.next_sequence())
    }

    /// Appends an input; what follows from it names it as its cause.
    #[inline]
    pub(crate) fn input(&mut self, kind: Kind, time_ns: TimeNs, payload: &[&[u8]]) -> Result<()> {
        if let Some(outlet) = &mut self.outlet {
            self.cause = outlet.append(kind as u16, time_ns, 0, payload)?;
        }
        Ok(())
    }

    /// Appends an output.
    #[inline]
    pub(crate) fn output(&mut self, kind: Kind, time_ns: TimeNs, payload: &[&[u8]]) -> Result<()> {
        match &mut self.outlet {
            Some(outlet) => outlet.append(kind as u16, time_ns, self.cause, payload).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Makes what was written safe before it takes effect.
    #[inline]
    pub(crate) fn commit(&mut self) -> Result<()> {
        match &mut self.outlet {
            Some(outlet) => outlet.commit(),
            None => Ok(()),
        }
    }

    /// A record of the output log.
    #[inline]
    pub(crate) fn output_record<R: Record>(&mut self, time_ns: TimeNs, record: &R) -> Result<()> {
        self.output(Kind::of_output(R::KIND), time_ns, &[bytemuck::bytes_of(record)])
    }

    /// A message to people.
    pub(crate) fn notice(&mut self, time_ns: TimeNs, text: &str) -> Result<()> {
        self.output(Kind::Notice, time_ns, &[record::cut(text).as_bytes()])
    }

    /// An order as it is made.
    #[inline]
    pub(crate) fn new_order(
        &mut self,
        time_ns: TimeNs,
        order: &Order,
        parent: ParentId,
    ) -> Result<()> {
        let record = record::NewOrder::of(order, parent);
        self.output(Kind::NewOrder, time_ns, &[bytemuck::bytes_of(&record)])
    }

    /// Something that we did to an order.
    #[inline]
    pub(crate) fn step(
        &mut self,
        time_ns: TimeNs,
        id: ClientOrderId,
        event: OrderEvent,
    ) -> Result<()> {
        match record::Step::of(id, event) {
            Some(_) if is_planted(Mutant::SkipsRecords) => Ok(()),
            Some(step) => self.output(Kind::Step, time_ns, &[bytemuck::bytes_of(&step)]),
            None => Ok(()),
        }
    }

    /// The price that positions in an instrument are valued at from now on.
    pub(crate) fn mark(
        &mut self,
        time_ns: TimeNs,
        instrument: InstrumentId,
        mark: MarkPrice,
    ) -> Result<()> {
        let record = record::Mark::of(instrument, mark, 0);
        self.output(Kind::Mark, time_ns, &[bytemuck::bytes_of(&record)])
    }

    /// Funding that was settled.
    pub(crate) fn funding(
        &mut self,
        time_ns: TimeNs,
        instrument: InstrumentId,
        rate: i64,
        mark: MarkPrice,
    ) -> Result<()> {
        let record = record::Mark::of(instrument, mark, rate);
        self.output(Kind::Funding, time_ns, &[bytemuck::bytes_of(&record)])
    }

    /// A question to a venue.
    pub(crate) fn query(&mut self, time_ns: TimeNs, query: &record::QueryRecord) -> Result<()> {
        self.output(Kind::Query, time_ns, &[bytemuck::bytes_of(query)])
    }

    /// A strategy was stopped.
    pub(crate) fn strategy_stopped(
        &mut self,
        time_ns: TimeNs,
        strategy: u16,
        cause: &str,
    ) -> Result<()> {
        let event = Event::StrategyStopped { strategy, cause: record::cut(cause).to_owned() };
        self.event(time_ns, &event)
    }

    /// An event without a layout of its own.
    #[cold]
    pub(crate) fn event(&mut self, time_ns: TimeNs, event: &Event) -> Result<()> {
        let bytes = serde_json::to_vec(event)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("an event as JSON: {e}")))?;
        self.output(Kind::Event, time_ns, &[&bytes])
    }

    /// What a strategy asked for.
    #[inline]
    pub(crate) fn intents(
        &mut self,
        time_ns: TimeNs,
        strategy: u16,
        intents: &Intents,
    ) -> Result<()> {
        if self.outlet.is_none() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        record::encode_intents(strategy, 0, intents, &mut buffer);
        let done = self.output(Kind::Intents, time_ns, &[&buffer]);
        self.buffer = buffer;
        done
    }
}
