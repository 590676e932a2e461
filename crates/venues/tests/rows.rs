//! The hot reader against the general one on recorded messages and on damaged ones.

mod shared;

use mainspring_core::{InstrumentId, InstrumentKind, MarketRow};
use mainspring_venues::binance::{Binance, Market, Settings, Step};
use mainspring_venues::feed::Sides;
use mainspring_venues::follow::BookFollower;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::rows::{RowMessage, RowSink};
use mainspring_venues::venue::{general_rows, Venue};
use proptest::prelude::*;

fn listings(tick: &str, lot: &str) -> Listings {
    let one = shared::listing("binance", "BTCUSDT", InstrumentKind::Spot, tick, lot);
    let mut other = shared::listing("binance", "ETHUSDT", InstrumentKind::Spot, "0.01", "0.001");
    other.id = InstrumentId(1);
    Listings::new(vec![one, other] as Vec<Listing>).unwrap()
}

type Rows = Result<Vec<(RowMessage, Vec<MarketRow>)>, String>;

fn collect(read: mainspring_venues::json::Scan<()>, sink: &RowSink) -> Rows {
    let rows = || sink.messages().map(|(message, rows)| (*message, rows.to_vec())).collect();
    read.map(|()| rows()).map_err(|refusal| refusal.to_string())
}

/// Both ways to read a message.
fn both(
    venue: &mut Binance,
    text: &[u8],
    sinks: &mut [RowSink; 2],
    sides: &mut Sides,
) -> [Rows; 2] {
    let [hot, general] = sinks;
    let by_hot = venue.rows(text, 7, sides, hot);
    let by_general = general_rows(venue, text, 7, sides, general);
    [collect(by_hot, hot), collect(by_general, general)]
}

#[test]
fn recorded_messages_are_read_alike() {
    let recordings =
        [("spot", Market::Spot, "0.01", "0.00001"), ("usdm", Market::Futures, "0.1", "0.001")];
    for (name, market, tick, lot) in recordings {
        let path = format!("data/binance-raw-2024/{name}_btcusdt_20240808.gz");
        let Some(lines) = shared::gzip_lines(&path) else { return };
        let listings = listings(tick, lot);
        let mut sinks = [RowSink::new(&listings), RowSink::new(&listings)];
        let mut venue = Binance::new(market, Settings::default(), None);
        let (mut sides, mut count) = (Sides::default(), 0);
        for line in &lines {
            // The last line of a recording may be cut off.
            let Some((_, text)) = line.split_once(' ') else { continue };
            let text = text.as_bytes();
            let [hot, general] = both(&mut venue, text, &mut sinks, &mut sides);
            assert_eq!(hot, general, "{line}");
            count += hot.unwrap_or_default().iter().map(|(_, rows)| rows.len()).sum::<usize>();
        }
        println!("{name}: {} messages, {count} rows, both readers alike", lines.len());
        assert!(count > 100_000);
    }
}

/// The books of the recordings follow the published rules from the snapshot on, without a gap; best
/// prices of the other stream at the same moment are those of the book.
#[test]
fn recorded_books_follow_the_rules() {
    let recordings =
        [("spot", Market::Spot, "0.01", "0.00001"), ("usdm", Market::Futures, "0.1", "0.001")];
    for (name, market, tick, lot) in recordings {
        let path = format!("data/binance-raw-2024/{name}_btcusdt_20240808.gz");
        let Some(lines) = shared::gzip_lines(&path) else { return };
        let mut sink = RowSink::new(&listings(tick, lot));
        let mut venue = Binance::new(market, Settings::default(), None);
        let (mut follower, mut sides) = (BookFollower::new(), Sides::default());
        let (mut held, mut applied, mut old) = (Vec::new(), 0, 0);
        for line in &lines {
            let Some((_, text)) = line.split_once(' ') else { continue };
            // The snapshot of a recording does not name its symbol: the request did.
            let named = text.replacen('{', "{\"symbol\":\"BTCUSDT\",", 1);
            let text = if text.starts_with("{\"lastUpdateId") { &named } else { text };
            let is_snapshot = text.len() == named.len();
            let waiting: Vec<String> = if is_snapshot { std::mem::take(&mut held) } else { vec![] };
            for text in std::iter::once(text.to_owned()).chain(waiting) {
                if venue.rows(text.as_bytes(), 7, &mut sides, &mut sink).is_err() {
                    continue;
                }
                let steps: Vec<Step> =
                    sink.messages().map(|(message, _)| follower.judge(message)).collect();
                for step in steps {
                    assert_ne!(step, Step::Gap, "{name}: {text}");
                    applied += usize::from(step == Step::Apply);
                    old += usize::from(step == Step::Old);
                    if step == Step::Hold {
                        held.push(text.clone());
                    }
                }
            }
        }
        let rounded = sink.rounded();
        println!("{name}: {applied} applied, {old} older than the book, no gap, {rounded} rounded");
        assert!(applied > 20_000 && held.is_empty() && follower.is_synced(InstrumentId(0)));
    }
}

const MESSAGES: [&str; 13] = [
    r#"{"e":"aggTrade","E":1700000000040,"a":10000,"s":"BTCUSDT","p":"99999.90","q":"0.002","f":20000,"l":20001,"T":1700000000039,"m":true}"#,
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1700000000040,"s":"BTCUSDT","a":10000,"p":"99999.90","q":"0.002","f":20000,"l":20001,"T":1700000000039,"m":true,"M":true}}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256313}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#,
    r#"{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"pu":5123107831937,"b":[["58710.20","0.014"]],"a":[["61800.30","3"]]}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[],"a":[["61837.60000000","1.54600000"]]}}"#,
    r#"{"u":50093239212,"s":"BTCUSDT","b":"61837.60000000","B":"3.78800000","a":"61837.70000000","A":"1.54600000"}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.60000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#,
    // Other widths, keys in another order, longer than a word, an escape.
    r#"{"e":"bookTicker","u":9,"s":"ETHUSDT","b":"9999.9","B":"12","a":"100000.00","A":"0.5","T":1723161256313,"E":1723161256313}"#,
    r#"{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"ETHUSDT","U":7,"u":123456789012345,"pu":6,"b":[["1.10","100.000"],["10.1","10.00"],["0.10","0"]],"a":[["100000000000.10","3.0000000000000"]]}"#,
    r#"{"s":"BTCUSDT","e":"bookTicker","B":"2.507","b":"61800.20","u":5123107839020,"A":"2.510","a":"61800.30","E":1723161256313,"T":1723161256313}"#,
    r#"{"e":"bookTicker","u":1234567890123456,"s":"BTCUSDT","b":"061800.20","B":"-2.507","a":"61800.","A":"2.5e1","T":172316125631,"E":1723161256313}"#,
    r#"{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTC\u0055SDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}"#,
];

/// What happens to a text before it is read: at which place, how, with which byte.
type Edit = (prop::sample::Index, u8, u8);

fn damaged(text: &str, edits: &[Edit]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for (at, how, byte) in edits {
        if text.is_empty() {
            break;
        }
        let at = at.index(text.len());
        match how {
            0 => text[at] = *byte,
            1 => drop(text.remove(at)),
            2 => text.insert(at, b"0123456789-.eE\"[]{},:\\ "[usize::from(*byte) % 23]),
            3 => text[at] = b'0' + byte % 10,
            4 => swap_fields(&mut text, at, usize::from(*byte)),
            _ => text.truncate(at),
        }
    }
    text
}

/// Two of the parts between commas change places.
fn swap_fields(text: &mut Vec<u8>, one: usize, other: usize) {
    let mut parts: Vec<_> = text.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
    let count = parts.len();
    parts.swap(one % count, other % count);
    *text = parts.join(&b',');
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    /// Real messages and damaged ones in turn, so that what is remembered of one meets the next: the two
    /// readers never differ.
    #[test]
    fn damaged_messages_are_read_alike(
        messages in prop::collection::vec(
            (
                0..MESSAGES.len(),
                prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8, any::<u8>()), 0..4),
            ),
            1..6,
        ),
    ) {
        let listings = listings("0.1", "0.001");
        let mut sinks = [RowSink::new(&listings), RowSink::new(&listings)];
        let mut venue = Binance::new(Market::Futures, Settings::default(), None);
        for (which, edits) in &messages {
            for text in [MESSAGES[*which].as_bytes().to_vec(), damaged(MESSAGES[*which], edits)] {
                let [hot, general] = both(&mut venue, &text, &mut sinks, &mut Sides::default());
                let shown = String::from_utf8_lossy(&text);
                prop_assert_eq!(hot.as_ref().ok(), general.as_ref().ok(), "{}", shown);
            }
        }
    }
}
