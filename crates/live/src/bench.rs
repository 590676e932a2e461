//! From a market event to orders that may leave, measured where it happens.

use std::path::Path;
use std::time::Instant;

use mainspring_core::event::MarketRow;
use mainspring_core::{
    Error, ErrorKind, Instrument, InstrumentId, Report, Request, Result, Ticks, VenueEvent,
};
use mainspring_journal::live::Options;
use mainspring_kernel::host::BookTrigger;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{disk, Session, SessionConfig};
use mainspring_sim::{SimConfig, SimMarket};

/// What was measured, in nanoseconds, sorted.
#[derive(Clone, Debug, Default)]
pub struct EventTimes {
    /// From a message to the requests that it led to being journaled and ready to leave.
    pub to_order: Vec<u32>,
    /// Every message.
    pub all: Vec<u32>,
}

/// Messages that warm caches and tables up and are not counted.
const WARM_UP: usize = 2_000;

/// Leads a session with its journal on the disk through `messages`, each the rows of one message
/// with their price base, against the venue model of a backtest that answers at once.
///
/// # Errors
/// When the configuration cannot be used, or the journal not be written.
pub fn event_to_order(
    folder: &Path,
    config: &SessionConfig,
    instrument: &Instrument,
    strategy: &NativeConfig,
    messages: &[(Ticks, Vec<MarketRow>)],
) -> Result<EventTimes> {
    let host = strategy.build(BookTrigger::Message)?;
    let name = host.name().to_owned();
    let mut host = Some(host);
    let instruments = vec![instrument.clone()];
    let mut make = |_: Option<&_>| {
        Session::new(config.clone(), instruments.clone(), host.take().into_iter().collect())
    };
    let recovered = disk::recover(folder, &mut make)?;
    let none = serde_json::Value::Null;
    let sources = disk::sources(config, &instruments, &[&name], &none, &none)?;
    let (mut session, _control) = recovered.lead(Options::default(), &sources)?;
    let mut venue = SimMarket::new(InstrumentId(0), instrument, &SimConfig::default())?;
    let first = messages
        .first()
        .and_then(|(_, rows)| rows.first())
        .ok_or_else(|| Error::new(ErrorKind::Data, "there are no messages to measure with"))?;
    session.start(first.recv_ns, b"{}")?;
    session.link(first.recv_ns, 0, true)?;
    let mut times = EventTimes {
        to_order: Vec::with_capacity(messages.len()),
        all: Vec::with_capacity(messages.len()),
    };
    let (mut requests, mut out) = (Vec::with_capacity(4_096), Vec::with_capacity(64));
    for (number, (base, rows)) in messages.iter().enumerate() {
        for row in rows {
            venue.on_row(row, *base, row.exch_ns, &mut out);
        }
        tell(&mut session, &mut out)?;
        // What was due by the clock in the meantime: a session's loop does not wait with it for a message.
        session.advance(rows.first().map_or(0, |row| row.recv_ns))?;
        session.take_requests(&mut requests);
        serve(&mut session, &mut venue, &mut requests, &mut out)?;
        let begun = Instant::now();
        session.market(InstrumentId(0), *base, rows)?;
        session.take_requests(&mut requests);
        let took_ns = begun.elapsed().as_nanos().min(u128::from(u32::MAX)) as u32;
        if number >= WARM_UP {
            times.all.push(took_ns);
            if requests.iter().any(|request| matches!(request, Request::Order(_))) {
                times.to_order.push(took_ns);
            }
        }
        serve(&mut session, &mut venue, &mut requests, &mut out)?;
    }
    if let Some(outlet) = session.close() {
        outlet.end()?;
    }
    times.to_order.sort_unstable();
    times.all.sort_unstable();
    Ok(times)
}

/// Requests reach the venue at once, and its answers us.
///
/// # Errors
/// When the session fails.
pub fn serve(
    session: &mut Session,
    venue: &mut SimMarket,
    requests: &mut Vec<Request>,
    out: &mut Vec<VenueEvent>,
) -> Result<()> {
    let now_ns = session.now_ns();
    for request in requests.drain(..) {
        if let Request::Order(request) = request {
            venue.on_request(&request, now_ns, out);
        }
    }
    tell(session, out)
}

/// Tells the session what the venue said.
///
/// # Errors
/// When the session fails.
pub fn tell(session: &mut Session, out: &mut Vec<VenueEvent>) -> Result<()> {
    let now_ns = session.now_ns();
    for mut event in out.drain(..) {
        event.recv_ns = now_ns;
        session.report(&Report::plain(event))?;
    }
    Ok(())
}
