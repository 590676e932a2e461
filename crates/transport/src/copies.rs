//! Several copies of one stream: the first copy of each message wins.
//!
//! A second connection to the same stream hides the late and lost messages of the first. Which copies
//! are the same message is told by the venue's own update id, never by time or content.

use hashbrown::HashMap;

/// Streams that are told apart; beyond that the one heard longest ago is forgotten, and a copy of an
/// old message of it would pass once.
const MAX_STREAMS: usize = 4_096;

/// A message as its copies have it in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which stream: a hash of kind and symbol.
    pub stream: u64,
    /// The venue's id, which grows along the stream.
    pub id: i64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    id: i64,
    heard: u64,
}

/// The newest id of each stream.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    last: HashMap<u64, Last, std::hash::BuildHasherDefault<AsIs>>,
    heard: u64,
    dropped: u64,
}

impl Copies {
    /// Nothing was heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a message is the first of its copies. One that is older than what was passed on is
    /// none: it would be out of order.
    pub fn is_first(&mut self, mark: Mark) -> bool {
        self.heard += 1;
        let heard = self.heard;
        if let Some(last) = self.last.get_mut(&mark.stream) {
            last.heard = heard;
            let first = mark.id > last.id;
            if first {
                last.id = mark.id;
            } else {
                self.dropped += 1;
            }
            return first;
        }
        if self.last.len() >= MAX_STREAMS {
            self.forget_oldest();
        }
        self.last.insert(mark.stream, Last { id: mark.id, heard });
        true
    }

    /// Messages that were not the first of their copies.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn forget_oldest(&mut self) {
        let oldest = self.last.iter().min_by_key(|(_, last)| last.heard).map(|(stream, _)| *stream);
        if let Some(stream) = oldest {
            self.last.remove(&stream);
        }
    }
}

/// Streams are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsIs(u64);

impl std::hash::Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// The mark of a message of Binance's market data: event, symbol and the last update id of the book, the
/// id of the trade, or the id of the best prices. `None` for everything else, which always passes.
#[must_use]
pub fn binance_mark(text: &[u8]) -> Option<Mark> {
    // A combined stream wraps its message; the keys are looked for inside.
    let from = find(text, b"\"data\":").unwrap_or(0);
    let text = &text[from..];
    let symbol = word(text, b"\"s\":\"")?;
    let event = word(text, b"\"e\":\"").unwrap_or(b"bookTicker");
    let key: &[u8] = match event {
        b"depthUpdate" | b"bookTicker" => b"\"u\":",
        b"trade" => b"\"t\":",
        b"aggTrade" => b"\"a\":",
        _ => return None,
    };
    let digits = &text[find(text, key)? + key.len()..];
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let id = std::str::from_utf8(&digits[..length]).ok()?.parse().ok()?;
    Some(Mark { stream: hash(event, symbol), id })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    // Keys stand in the first part of a message: levels follow.
    let near = &text[..text.len().min(256)];
    near.windows(what.len()).position(|window| window == what)
}

fn word<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = &text[find(text, key)? + key.len()..];
    Some(&rest[..rest.iter().position(|byte| *byte == b'"')?])
}

/// FNV-1a of both (Fowler, Noll and Vo).
fn hash(event: &[u8], symbol: &[u8]) -> u64 {
    let bytes = event.iter().chain(b"@").chain(symbol);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_known_by_event_symbol_and_id() {
        let depth =
            br#"{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":5,"u":9,"pu":4,"b":[],"a":[]}"#;
        let trade =
            br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":77}}"#;
        let best = br#"{"u":400900217,"s":"BNBUSDT","b":"25.3","B":"31.2","a":"25.4","A":"40.6"}"#;
        assert_eq!(binance_mark(depth).unwrap().id, 9);
        assert_eq!(binance_mark(trade).unwrap().id, 77);
        assert_eq!(binance_mark(best).unwrap().id, 400_900_217);
        assert_ne!(binance_mark(depth).unwrap().stream, binance_mark(trade).unwrap().stream);
        assert_eq!(binance_mark(br#"{"result":null,"id":1}"#), None);
        assert_eq!(binance_mark(br#"{"e":"markPriceUpdate","s":"BTCUSDT","p":"1"}"#), None);
    }

    #[test]
    fn memory_is_bounded_by_forgetting_the_oldest() {
        let mut copies = Copies::new();
        for stream in 0..10_000 {
            assert!(copies.is_first(Mark { stream, id: 1 }));
        }
        assert_eq!(copies.last.len(), MAX_STREAMS);
        assert!(!copies.is_first(Mark { stream: 9_999, id: 1 }));
        assert!(copies.is_first(Mark { stream: 0, id: 1 }));
    }

    proptest! {
        /// Of any interleaving of copies, each of which may have lost messages, everything that passes
        /// is in order and passes once; and what either copy has in order is not missing from both.
        #[test]
        fn first_copies_pass_once_and_in_order(
            sent in prop::collection::vec((0_u64..3, 1_i64..4), 1..80),
            lost in prop::collection::vec(any::<(bool, bool)>(), 80),
            lag in prop::collection::vec(0_usize..6, 80),
        ) {
            let mut ids = [0_i64; 3];
            let messages: Vec<Mark> = sent.iter().map(|(stream, step)| {
                ids[*stream as usize] += step;
                Mark { stream: *stream, id: ids[*stream as usize] }
            }).collect();
            // Each connection keeps its order; the second lags by a varying number of messages.
            let mut arrivals: Vec<(usize, usize, Mark)> = Vec::new();
            let mut late = 0;
            for (at, mark) in messages.iter().enumerate() {
                if !lost[at].0 { arrivals.push((at * 2, 0, *mark)); }
                late = late.max(at * 2 + lag[at] * 2 + 1);
                if !lost[at].1 { arrivals.push((late, 1, *mark)); }
            }
            arrivals.sort_by_key(|(time, copy, mark)| (*time, *copy, mark.id));
            let mut copies = Copies::new();
            let passed: Vec<Mark> =
                arrivals.iter().filter(|(_, _, mark)| copies.is_first(*mark)).map(|a| a.2).collect();
            // Oracle: an arrival passes exactly when it is the greatest of its stream so far.
            let mut expected = Vec::new();
            for (at, (_, _, mark)) in arrivals.iter().enumerate() {
                let before = arrivals[..at].iter().filter(|(_, _, m)| m.stream == mark.stream);
                if before.map(|(_, _, m)| m.id).max().is_none_or(|most| mark.id > most) {
                    expected.push(*mark);
                }
            }
            prop_assert_eq!(passed, expected);
            prop_assert_eq!(copies.dropped() as usize, arrivals.len() - {
                let mut seen = Copies::new();
                arrivals.iter().filter(|(_, _, mark)| seen.is_first(*mark)).count()
            });
        }
    }
}
