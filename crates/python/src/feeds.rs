//! Feeds of paper sessions as Python describes them.

use std::path::PathBuf;
use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result};
use mainspring_live::feed::{
    FeedConfig, FeedLink, FeedSource, FeedState, Generated, Matched, Recorded,
};
use mainspring_live::Link;
use mainspring_sim::flow::{FlowConfig, Level};
use serde::Deserialize;

/// Hours that a generated market lasts; a session ends before.
const MARKET_HOURS: f64 = 31.0 * 24.0;

/// One feed.
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SourceText {
    /// Generated order flow, matched by the built-in exchange.
    Matched { markets: Vec<String>, seed: u64 },
    /// What the generator itself publishes.
    Generated { markets: Vec<String>, seed: u64 },
    /// An event file.
    Recorded { path: PathBuf },
}

/// The feeds of a session.
pub struct Feeds {
    /// A link for each.
    pub links: Vec<Box<dyn Link>>,
    /// Their instruments, in order.
    pub instruments: Vec<Instrument>,
    /// How far each is.
    pub states: Vec<Arc<FeedState>>,
}

impl Feeds {
    /// Opens every feed.
    ///
    /// # Errors
    /// When one cannot be used, or an instrument is in two of them.
    pub fn open(texts: &[FeedText]) -> Result<Self> {
        let mut feeds = Self { links: Vec::new(), instruments: Vec::new(), states: Vec::new() };
        for text in texts {
            feeds.add(text)?;
        }
        if feeds.instruments.is_empty() {
            return Err(Error::new(ErrorKind::Config, "a session needs at least one feed"));
        }
        Ok(feeds)
    }

    fn add(&mut self, text: &FeedText) -> Result<()> {
        let mut source = source_of(&text.source)?;
        if let Some(venue) = &text.venue {
            source = Box::new(Renamed::new(source, venue));
        }
        let first = self.instruments.len() as u16;
        let count = source.instruments().len() as u16;
        for one in source.instruments() {
            let known = |i: &&Instrument| i.venue == one.venue;
            if self.instruments.iter().any(|i| known(&i)) && first > 0 {
                let same = &self.instruments[..usize::from(first)];
                if same.iter().any(|i| known(&i)) {
                    return Err(Error::new(
                        ErrorKind::Config,
                        format!("two feeds are of {}; give one of them another name", one.venue),
                    ));
                }
            }
            self.instruments.push(one.clone());
        }
        let config =
            FeedConfig { speed: text.speed, feed_ns: text.feed_ns, delay_ns: text.delay_ns };
        let places = (first..first + count).map(InstrumentId).collect();
        let link = FeedLink::new(source, config, places)?;
        self.states.push(link.state());
        self.links.push(Box::new(link));
        Ok(())
    }
}

fn source_of(text: &SourceText) -> Result<Box<dyn FeedSource>> {
    let flow = |markets: &[String], seed, level| {
        let names: Vec<&str> = markets.iter().map(String::as_str).collect();
        FlowConfig::of_presets(&names, MARKET_HOURS, seed, level)
    };
    Ok(match text {
        SourceText::Matched { markets, seed } => {
            Box::new(Matched::new(&flow(markets, *seed, Level::Orders)?)?)
        }
        SourceText::Generated { markets, seed } => {
            Box::new(Generated::new(&flow(markets, *seed, Level::Depth)?)?)
        }
        SourceText::Recorded { path } => Box::new(Recorded::open(path)?),
    })
}

/// A source whose instruments trade on a venue of another name.
struct Renamed {
    source: Box<dyn FeedSource>,
    instruments: Vec<Instrument>,
}

impl Renamed {
    fn new(source: Box<dyn FeedSource>, venue: &str) -> Self {
        let rename = |one: &Instrument| Instrument { venue: venue.to_owned(), ..one.clone() };
        let instruments = source.instruments().iter().map(rename).collect();
        Self { source, instruments }
    }
}

impl FeedSource for Renamed {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self, message: &mut mainspring_live::feed::Message) -> Result<bool> {
        self.source.next(message)
    }
}
