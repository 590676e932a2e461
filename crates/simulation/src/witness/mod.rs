//! An account of a session that is not the engine's: from the journal alone, record by record, with
//! arithmetic of its own. What cannot be is said at the record that shows it.

mod books;
mod limits;
mod orders;

use mainspring_core::{
    Answer, CancelReason, ClientOrderId, OpenOrder, Report, Request, Result, TimeNs,
    VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_journal::{EquityRecord, FillRecord, OrderRecord, PositionRecord};
use mainspring_kernel::session::record::{
    read, read_list, AdoptedRecord, AnswerRecord, ListHead, Mark, NewOrder, OpenOrderRecord,
    ReportRecord, Step,
};
use mainspring_kernel::session::{Command, Event, Kind, Session};
use mainspring_trading::orders::{OrderEvent, OrderState};

use crate::disk::Written;
use crate::invariants::broken;

use books::Books;
use limits::Pace;
use orders::Orders;

pub(crate) use limits::MAX_POSITION;

/// The input that whatever is written follows from.
#[derive(Clone, Debug, Default)]
struct Cause {
    sequence: u64,
    said: Said,
}

/// What an input says about orders.
#[derive(Clone, Debug, Default)]
enum Said {
    #[default]
    Nothing,
    Report(Report),
    Answer(ClientOrderId, Answer),
    Listed(Vec<OpenOrder>),
}

/// The account; see the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    orders: Orders,
    books: Books,
    pace: Pace,
    halted: bool,
    /// Whether the session was told to end and to cancel what is open.
    ends: bool,
    cause: Cause,
    now_ns: TimeNs,
}

impl Witness {
    /// The account of a journal that was cut, from where this one is: what was lost never happened.
    /// What was found in the rest was said when it was written.
    pub(crate) fn follow(&mut self, records: &[Written], from: usize) {
        for (index, record) in records.iter().enumerate().skip(from) {
            let _ = self.saw(index as u64 + 1, record);
        }
    }

    /// One more record was written.
    ///
    /// # Errors
    /// When it cannot be, after all that was written before it.
    pub(crate) fn saw(&mut self, sequence: u64, record: &Written) -> Result<()> {
        self.weigh(sequence, record)
            .map_err(|error| error.at(format_args!("event {sequence}, {}", name_of(record))))
    }

    fn weigh(&mut self, sequence: u64, record: &Written) -> Result<()> {
        let kind = Kind::from_code(record.kind);
        let Some(kind) = kind else { return broken(format!("kind {}", record.kind)) };
        let (before_ns, payload) = (self.now_ns, &record.payload[..]);
        self.now_ns = record.time_ns;
        if kind.is_input() {
            self.cause = Cause { sequence, said: Said::Nothing };
            self.hear(kind, payload)?;
        } else {
            self.write_down(kind, payload)?;
        }
        if record.time_ns < before_ns {
            return broken(format!("time went back from {before_ns} to {}", record.time_ns));
        }
        if record.cause != self.cause.sequence {
            let (said, is) = (record.cause, self.cause.sequence);
            return broken(format!("it follows from input {is} and names {said}"));
        }
        self.orders.none_waits_in_silence(self.now_ns)
    }

    /// An input.
    fn hear(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        match kind {
            Kind::Report => {
                let report = read::<ReportRecord>(payload)?.report()?;
                self.cause.said = Said::Report(report);
            }
            Kind::Answer => {
                let record: AnswerRecord = read(payload)?;
                let order = ClientOrderId(record.order);
                self.orders.heard_of(order, self.now_ns);
                self.cause.said = Said::Answer(order, record.answer()?);
            }
            Kind::OpenOrders => {
                let (_, open): (ListHead, Vec<OpenOrderRecord>) = read_list(payload)?;
                let open = open.iter().map(OpenOrderRecord::open_order);
                self.cause.said = Said::Listed(open.collect::<Result<_>>()?);
            }
            Kind::Adopted => {
                return self.orders.adopt(&read::<AdoptedRecord>(payload)?, self.now_ns)
            }
            Kind::Stop => self.ends = payload.first() == Some(&1),
            Kind::Resume => {
                self.ends = false;
                self.orders.forget_unsent();
            }
            Kind::Command => match serde_json::from_slice(payload) {
                Ok(Command::Kill { .. }) => self.halted = true,
                Ok(Command::Rearm { .. }) => self.halted = false,
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// What the engine decided or found.
    fn write_down(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        match kind {
            Kind::NewOrder => self.orders.made(&read::<NewOrder>(payload)?, self.now_ns),
            Kind::Step => self.step(&read::<Step>(payload)?),
            Kind::Order => {
                self.orders.moved(&read::<OrderRecord>(payload)?, &self.cause.said, self.now_ns)
            }
            Kind::Fill => {
                let fill: FillRecord = read(payload)?;
                self.orders.filled(&fill, &self.cause.said, self.now_ns)?;
                self.books.fill(&fill)
            }
            Kind::Funding => self.books.fund(&read::<Mark>(payload)?),
            Kind::Mark => {
                self.books.mark(&read::<Mark>(payload)?);
                Ok(())
            }
            Kind::Position => self.books.position(&read::<PositionRecord>(payload)?),
            Kind::Equity => self.books.equity(&read::<EquityRecord>(payload)?),
            Kind::Event => {
                match serde_json::from_slice(payload) {
                    Ok(Event::Halted { .. }) => self.halted = true,
                    Ok(Event::OrderStuck { order, .. }) => self.orders.told_stuck(order),
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// We did something to an order. Where a request leaves by it, it must be within the limits now.
    fn step(&mut self, step: &Step) -> Result<()> {
        let (order, event) = (ClientOrderId(step.order), step.event()?);
        let before = self.orders.stepped(order, event, self.now_ns)?;
        let Some(after) = self.orders.get(order) else { return Ok(()) };
        match event {
            OrderEvent::Submit => self.pace.order(self.now_ns),
            OrderEvent::CancelRequested => self.pace.message(self.now_ns),
            OrderEvent::ReplaceRequested { .. } => self.pace.message(self.now_ns),
            _ => return Ok(()),
        }
        if matches!(event, OrderEvent::CancelRequested) || after.reduce_only {
            return Ok(());
        }
        if self.halted || self.ends {
            let when = if self.halted { "while halted" } else { "after the end" };
            return broken(format!("order {}: something new leaves {when}", order.0));
        }
        limits::judge(order, &before, after, &self.orders, &self.books, &self.pace)
    }

    /// The engine lets these out: each is in the journal, and a new order leaves once.
    pub(crate) fn let_out(&mut self, requests: &[Request]) -> Result<()> {
        for request in requests {
            let Request::Order(VenueRequest { order, kind, .. }) = request else { continue };
            if matches!(kind, VenueRequestKind::New(_)) && !self.orders.leaves(*order) {
                let id = order.0;
                return broken(format!("order {id} leaves, and was not sent by the journal"));
            }
        }
        Ok(())
    }

    /// An engine has begun again from the journal. What followed from the last input may be lost: then
    /// the engine repeats what the input says, and may do no more than that.
    pub(crate) fn recovered(&mut self, session: &Session) -> Result<()> {
        if let Some(fill) = self.repeated_fill(session) {
            self.orders.filled(&fill, &self.cause.said, self.now_ns)?;
            self.books.fill(&fill)?;
        }
        for record in self.orders.moved_since(session.orders(), self.now_ns) {
            self.orders.moved(&record, &self.cause.said, self.now_ns)?;
        }
        self.agree(session)
    }

    /// The fill that the last input tells, where the record of its booking is lost.
    fn repeated_fill(&self, session: &Session) -> Option<FillRecord> {
        let Said::Report(report) = &self.cause.said else { return None };
        let VenueEventKind::Filled { price, qty, maker } = report.event.kind else { return None };
        let ours = self.orders.get(report.event.order)?;
        let theirs = session.orders().get(report.event.order)?;
        if self.has_booked(report.trade_id) || theirs.filled.0 == ours.filled {
            return None;
        }
        let held = session.ledger().position(theirs.strategy, theirs.terms.instrument)?;
        let [realised, fees] = self.books.since(theirs.strategy, held);
        Some(FillRecord {
            time_ns: self.now_ns,
            exch_ns: report.event.exch_ns,
            order_id: report.event.order.0,
            price_ticks: price.0,
            qty_lots: qty.0,
            position_lots: held.lots.0,
            mid2_ticks: 0,
            fee: fees.into(),
            realised: realised.into(),
            strategy: theirs.strategy,
            instrument: 0,
            side: theirs.terms.side.sign() as i8,
            maker: u8::from(maker),
            reserved: 0,
        })
    }

    /// The engine's own state is this one.
    pub(crate) fn agree(&self, session: &Session) -> Result<()> {
        self.orders.agree(session.orders())?;
        self.books.agree(session.ledger())
    }

    /// Whether a fill of the venue is booked, by its id.
    pub(crate) fn has_booked(&self, trade_id: u64) -> bool {
        self.orders.has_booked(trade_id)
    }

    /// The position by the fills that are booked, in lots.
    pub(crate) fn position(&self) -> i64 {
        self.books.net_lots()
    }
}

impl Said {
    /// Whether it can have brought an order into a state.
    fn shows(&self, order: ClientOrderId, state: OrderState, adopted: bool) -> bool {
        match self {
            Self::Report(report) if report.event.order == order => {
                is_shown_by_report(report.event.kind, state)
            }
            Self::Answer(about, answer) if *about == order => is_shown_by_answer(*answer, state),
            // What a complete list lacks is over where its venue cannot be asked about it.
            Self::Listed(_) if state == OrderState::Cancelled => adopted,
            Self::Listed(open) => {
                !state.is_terminal() && open.iter().any(|one| one.order == order || adopted)
            }
            _ => false,
        }
    }

    /// Whether it says that these terms stand for an order.
    fn changes(&self, order: ClientOrderId, price: i64, qty: i64) -> bool {
        match self {
            Self::Report(report) if report.event.order == order => matches!(
                report.event.kind,
                VenueEventKind::Amended { price: p, qty: q } if (p.0, q.0) == (price, qty)
            ),
            Self::Listed(open) => open.iter().any(|one| (one.price.0, one.qty.0) == (price, qty)),
            _ => false,
        }
    }

    /// Whether it answers a change of an order.
    fn ends_change(&self, order: ClientOrderId) -> bool {
        match self {
            Self::Report(report) => {
                let kind = report.event.kind;
                let answers = matches!(
                    kind,
                    VenueEventKind::Amended { .. } | VenueEventKind::AmendRejected(_)
                );
                report.event.order == order && answers
            }
            _ => false,
        }
    }
}

const fn is_shown_by_report(said: VenueEventKind, state: OrderState) -> bool {
    use VenueEventKind as V;
    match state {
        OrderState::Created | OrderState::RiskRejected => false,
        OrderState::Rejected => matches!(said, V::Rejected(_)),
        OrderState::Expired => matches!(said, V::Cancelled(CancelReason::Expired)),
        OrderState::Cancelled => {
            matches!(said, V::Cancelled(reason) if !matches!(reason, CancelReason::Expired))
        }
        OrderState::Filled => {
            matches!(said, V::Filled { .. } | V::Amended { .. } | V::AmendRejected(_))
        }
        _ => true,
    }
}

const fn is_shown_by_answer(said: Answer, state: OrderState) -> bool {
    match state {
        OrderState::Created | OrderState::RiskRejected => false,
        OrderState::Rejected => matches!(said, Answer::Rejected),
        OrderState::Expired => matches!(said, Answer::Expired { .. }),
        OrderState::Cancelled => matches!(said, Answer::Cancelled { .. } | Answer::NotFound),
        OrderState::Filled => matches!(said, Answer::Filled { .. }),
        _ => true,
    }
}

fn name_of(record: &Written) -> &'static str {
    Kind::from_code(record.kind).map_or("of no known kind", Kind::name)
}
