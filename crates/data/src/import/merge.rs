//! Several inputs of one period, in the order of their receive times.

use mainspring_core::Result;

use super::input::Place;
use super::report::Tally;
use super::stage::{Source, Staged, Symbols};
use crate::format::Schema;

struct Part {
    source: Box<dyn Source>,
    next: Staged,
    place: Place,
    live: bool,
    /// Index in the merged symbols by index of the part's.
    symbols: Vec<usize>,
}

/// Sources merged by (receive time, position in the list).
pub struct Merged {
    parts: Vec<Part>,
    symbols: Symbols,
    place: Place,
    started: bool,
}

impl Merged {
    /// Merges these; all must make rows of the same schema.
    #[must_use]
    pub fn new(sources: Vec<Box<dyn Source>>) -> Self {
        let part = |source| Part {
            source,
            next: Staged::default(),
            place: Place::default(),
            live: true,
            symbols: Vec::new(),
        };
        Self {
            parts: sources.into_iter().map(part).collect(),
            symbols: Symbols::default(),
            place: Place::default(),
            started: false,
        }
    }

    /// Reads on in a part to its next message with rows.
    fn advance(&mut self, at: usize, tally: &mut Tally) -> Result<()> {
        let part = &mut self.parts[at];
        loop {
            part.live = part.source.next(&mut part.next, tally)?;
            if !part.live || !part.next.is_empty() {
                break;
            }
        }
        part.place = part.source.place();
        for symbol in &part.source.symbols().list()[part.symbols.len()..] {
            part.symbols.push(self.symbols.index(&symbol.name, || symbol.stated.clone()));
        }
        Ok(())
    }
}

impl Source for Merged {
    fn schema(&self) -> Schema {
        self.parts.first().map_or(Schema::Market, |part| part.source.schema())
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        if !self.started {
            self.started = true;
            for at in 0..self.parts.len() {
                self.advance(at, tally)?;
            }
        }
        let live = self.parts.iter().enumerate().filter(|(_, part)| part.live);
        let Some(at) = live.min_by_key(|(at, part)| (part.next.recv_ns, *at)).map(|(at, _)| at)
        else {
            return Ok(false);
        };
        let part = &mut self.parts[at];
        std::mem::swap(out, &mut part.next);
        out.symbol = part.symbols[out.symbol];
        std::mem::swap(&mut self.place, &mut part.place);
        self.advance(at, tally)?;
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn bytes_read(&self) -> u64 {
        self.parts.iter().map(|part| part.source.bytes_read()).sum()
    }
}
