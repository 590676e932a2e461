//! Feeds of paper sessions as Python describes them.

use std::path::PathBuf;
use std::sync::Arc;

use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result};
use mainspring_live::feed::{
    FeedConfig, FeedLink, FeedSource, FeedState, Generated, Matched, Message, Played, Recorded,
};
use mainspring_live::orders::{levels, RecordedOrders};
use mainspring_live::Link;
use mainspring_sim::flow::{FlowConfig, Level};
use mainspring_transport::driver::{group, Group, LinkConfig, VenueState};
use mainspring_transport::relay::Relay;
use mainspring_venues::session::Session;
use serde::Deserialize;

use crate::live::KeepText;
use crate::trade::{check_copies, market_session, relayed_link, VenueText};

/// Hours that a generated market lasts; a session ends before.
const MARKET_HOURS: f64 = 31.0 * 24.0;

/// One feed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedText {
    speed: f64,
    feed_ns: Option<i64>,
    delay_ns: i64,
    /// Name of the venue in place of the source's.
    venue: Option<String>,
    source: SourceText,
}

/// Where a feed's messages come from.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SourceText {
    /// Generated order flow, matched by the built-in exchange.
    Matched { markets: Vec<String>, seed: u64 },
    /// What the generator itself publishes.
    Generated { markets: Vec<String>, seed: u64 },
    /// An event file.
    Recorded { path: PathBuf },
    /// A venue outside, by its own streams or by a library.
    Venue(Box<VenueText>),
}

/// The feeds of a session.
#[derive(Default)]
pub struct Feeds {
    /// A link for each.
    pub links: Vec<Box<dyn Link>>,
    /// Their instruments, in order.
    pub instruments: Vec<Instrument>,
    /// How far each is; one that is not a recording never ends.
    pub states: Vec<Arc<FeedState>>,
    /// What is seen of those that come from outside.
    pub venues: Vec<Arc<VenueState>>,
    /// Sessions with venues outside, which share a thread.
    sessions: Vec<Box<dyn Session>>,
    places: Vec<VenueText>,
}

impl Feeds {
    /// Opens every feed. `by_order` says that the kernel matches our orders with those of the feeds.
    ///
    /// # Errors
    /// When one cannot be used, does not tell orders and has to, or an instrument is in two of them.
    pub(crate) fn open(
        texts: Vec<FeedText>,
        relays: &[Relay],
        keep: &KeepText,
        by_order: bool,
    ) -> Result<Self> {
        let mut feeds = Self::default();
        for text in texts {
            feeds.add(text, relays, by_order)?;
        }
        if feeds.instruments.is_empty() {
            return Err(Error::new(ErrorKind::Config, "a session needs at least one feed"));
        }
        feeds.group(keep)?;
        Ok(feeds)
    }

    fn add(&mut self, text: FeedText, relays: &[Relay], by_order: bool) -> Result<()> {
        let first = self.instruments.len();
        match text.source {
            SourceText::Venue(_) if by_order => Err(levels("market data of a venue")),
            SourceText::Venue(place) => {
                let (session, instruments) = market_session(&place, relays, first)?;
                self.number(&instruments)?;
                self.states.push(Arc::default());
                match place.relay(relays)? {
                    Some(relay) => {
                        let (link, state) = relayed_link(&place, relay, session, true);
                        self.links.push(link);
                        self.venues.push(state);
                    }
                    None => {
                        self.sessions.push(session);
                        self.places.push(*place);
                    }
                }
                Ok(())
            }
            ref played if by_order => self.play(order_source(played)?, &text),
            ref played => self.play(source_of(played)?, &text),
        }
    }

    fn play<R: Played>(
        &mut self,
        mut source: Box<dyn FeedSource<R>>,
        text: &FeedText,
    ) -> Result<()> {
        let first = self.instruments.len();
        if let Some(venue) = &text.venue {
            source = Box::new(Renamed::new(source, venue));
        }
        self.number(source.instruments())?;
        let config =
            FeedConfig { speed: text.speed, feed_ns: text.feed_ns, delay_ns: text.delay_ns };
        let places = (first..self.instruments.len()).map(|at| InstrumentId(at as u16));
        let link = FeedLink::new(source, config, places.collect())?;
        self.states.push(link.state());
        self.links.push(Box::new(link));
        Ok(())
    }

    /// Takes up the instruments of a feed, whose venue has to be another than those before.
    fn number(&mut self, instruments: &[Instrument]) -> Result<()> {
        let known = |one: &&Instrument| self.instruments.iter().any(|i| i.venue == one.venue);
        if let Some(one) = instruments.iter().find(known) {
            let what = format!("two feeds are of {}; give one of them another name", one.venue);
            return Err(Error::new(ErrorKind::Config, what));
        }
        self.instruments.extend_from_slice(instruments);
        Ok(())
    }

    /// Venues outside share a thread, and nothing leaves for them but what asks for market data.
    fn group(&mut self, keep: &KeepText) -> Result<()> {
        let Some(first) = self.places.first() else { return Ok(()) };
        check_copies(&self.places, keep.copies)?;
        let io = first.io(keep.busy_poll)?;
        let config =
            LinkConfig { io, core: keep.io_core, copies: keep.copies.max(1), market_only: true };
        let Group { links, states } = group(config, std::mem::take(&mut self.sessions));
        self.links.extend(links);
        self.venues.extend(states);
        Ok(())
    }
}

fn flow(markets: &[String], seed: u64, level: Level) -> Result<FlowConfig> {
    let names: Vec<&str> = markets.iter().map(String::as_str).collect();
    FlowConfig::of_presets(&names, MARKET_HOURS, seed, level)
}

/// The orders of a feed, for the matching engine in the kernel.
fn order_source(text: &SourceText) -> Result<Box<dyn FeedSource<OrderRow>>> {
    Ok(match text {
        SourceText::Matched { markets, seed } => {
            Box::new(Generated::new(&flow(markets, *seed, Level::Orders)?)?)
        }
        SourceText::Recorded { path } => Box::new(RecordedOrders::open(path)?),
        SourceText::Generated { .. } => return Err(levels("the generator's own view")),
        SourceText::Venue(_) => return Err(not_played()),
    })
}

fn not_played() -> Error {
    Error::new(ErrorKind::Internal, "a feed from outside is not played")
}

fn source_of(text: &SourceText) -> Result<Box<dyn FeedSource>> {
    Ok(match text {
        SourceText::Matched { markets, seed } => {
            Box::new(Matched::new(&flow(markets, *seed, Level::Orders)?)?)
        }
        SourceText::Generated { markets, seed } => {
            Box::new(Generated::new(&flow(markets, *seed, Level::Depth)?)?)
        }
        SourceText::Recorded { path } => Box::new(Recorded::open(path)?),
        SourceText::Venue(_) => return Err(not_played()),
    })
}

/// A source whose instruments trade on a venue of another name.
struct Renamed<R = MarketRow> {
    source: Box<dyn FeedSource<R>>,
    instruments: Vec<Instrument>,
}

impl<R: Played> Renamed<R> {
    fn new(source: Box<dyn FeedSource<R>>, venue: &str) -> Self {
        let rename = |one: &Instrument| Instrument { venue: venue.to_owned(), ..one.clone() };
        let instruments = source.instruments().iter().map(rename).collect();
        Self { source, instruments }
    }
}

impl<R: Played> FeedSource<R> for Renamed<R> {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self, message: &mut Message<R>) -> Result<bool> {
        self.source.next(message)
    }
}
