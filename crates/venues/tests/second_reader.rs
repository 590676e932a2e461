//! The market data of OKX, Bybit, Hyperliquid and dYdX read a second time, from a tree of the whole
//! document, in the plainest way there is: what the scanners take, this reader reads the same. (Binance has
//! a second reader of its own beside the codec.)

mod shared;

use mainspring_core::Decimal;
use mainspring_venues::feed::{millis_ns, FeedEvent, Sequence, Sides};
use mainspring_venues::level::Level;
use mainspring_venues::table::{open, Opening};
use proptest::prelude::*;
use serde_json::Value;

/// What a message says, in words that can be compared; `None` where it has to be refused.
type Said = Option<Vec<String>>;

type Reader = fn(&Value) -> Said;

const READERS: [(&str, Reader); 4] =
    [("okx", okx), ("bybit", bybit), ("hyperliquid", hyperliquid), ("dydx", dydx)];

/// What the codec makes of a text.
fn by_codec(venue: &str, text: &[u8]) -> Result<Vec<String>, String> {
    let mut codec = open(venue, &Opening::default()).unwrap();
    let mut said = Vec::new();
    let read = codec.market(text, &mut Sides::default(), &mut |event| said.extend(words(&event)));
    read.map(|()| said).map_err(|refusal| refusal.to_string())
}

fn words(event: &FeedEvent<'_>) -> Option<String> {
    Some(match event {
        FeedEvent::Book(b) => {
            let level = |one: &Level| (plain(one.price), plain(one.qty));
            let [bids, asks] = [b.bids, b.asks].map(|side| side.iter().map(level).collect());
            book(b.symbol, b.snapshot, b.time_ns, [bids, asks], b.sequence, b.checksum)
        }
        FeedEvent::Trade(t) => {
            let level = (plain(t.level.price), plain(t.level.qty));
            format!("trade {} {:?} {level:?} {}", t.symbol, t.time_ns, t.taker.sign())
        }
        FeedEvent::Best(b) => {
            let sides = [b.bid, b.ask].map(|one| one.map(|l| (plain(l.price), plain(l.qty))));
            format!("best {} {:?} {sides:?}", b.symbol, b.time_ns)
        }
        FeedEvent::Mark(m) => {
            let values = [m.mark, m.rate].map(|value| value.map(plain));
            format!("mark {} {:?} {values:?} {:?}", m.symbol, m.time_ns, m.next_funding_ns)
        }
        FeedEvent::Other(_) => return None,
    })
}

type Pair = (String, String);

fn book(
    symbol: &str,
    snapshot: bool,
    time_ns: Option<i64>,
    sides: [Vec<Pair>; 2],
    sequence: Sequence,
    checksum: Option<i64>,
) -> String {
    format!("book {symbol} {snapshot} {time_ns:?} {sides:?} {sequence:?} {checksum:?}")
}

/// Digits without zeros at the end, which say nothing.
fn plain(value: Decimal) -> String {
    let text = value.to_string();
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Decimal::from_ascii(text.as_bytes()),
        Value::Number(_) => text_of(value).parse().ok(),
        _ => None,
    }
    .map(plain)
}

/// Digits with a minus in front or none, nothing else.
fn whole(value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_i64()?.to_string(),
        _ => return None,
    };
    if text.starts_with('+') {
        return None;
    }
    text.parse().ok()
}

/// The value of a key that has to be one, where it is there: `Err` is a refusal.
fn given<T>(value: Option<&Value>, read: fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn pairs(levels: Option<&Value>) -> Option<Vec<Pair>> {
    let pair = |one: &Value| Some((number(one.get(0)?)?, number(one.get(1)?)?));
    levels?.as_array()?.iter().map(pair).collect()
}

fn keyed(levels: &Value, price: &str, qty: &str) -> Option<Vec<Pair>> {
    let pair = |one: &Value| Some((number(one.get(price)?)?, number(one.get(qty)?)?));
    levels.as_array()?.iter().map(pair).collect()
}

/// A list of trades with the names of symbol, price, quantity, side, time, buy and sell.
fn trades(list: &Value, names: [&str; 7], symbol: Option<&str>) -> Said {
    let [own, price, qty, side, time, buy, sell] = names;
    let each = |one: &Value| {
        let symbol = one.get(own).map_or(symbol, Value::as_str)?;
        let level = (number(one.get(price)?)?, number(one.get(qty)?)?);
        let sign = match one.get(side)?.as_str()? {
            word if word == buy => 1,
            word if word == sell => -1,
            _ => return None,
        };
        let at = given(one.get(time), instant)?.flatten();
        Some(format!("trade {symbol} {at:?} {level:?} {sign}"))
    };
    list.as_array()?.iter().map(each).collect()
}

/// Milliseconds, or ISO 8601 in UTC; milliseconds out of reach are no time.
fn instant(value: &Value) -> Option<Option<i64>> {
    if let Some(ms) = whole(value) {
        return Some(millis_ns(ms));
    }
    mainspring_venues::civil::iso_ns(value.as_str()?.as_bytes()).map(Some)
}

fn okx(message: &Value) -> Said {
    let (Some(arg), Some(data)) = (message.get("arg"), message.get("data")) else {
        return Some(Vec::new());
    };
    let symbol = arg.get("instId").and_then(Value::as_str).unwrap_or("");
    let channel = arg.get("channel")?.as_str()?;
    let action = message.get("action").and_then(Value::as_str);
    match channel {
        "books" | "books5" | "books50-l2-tbt" | "books-l2-tbt" | "bbo-tbt" => {
            let snapshot = match (channel, action) {
                ("bbo-tbt", _) | ("books5", None) | (_, Some("snapshot")) => true,
                (_, Some("update")) => false,
                _ => return None,
            };
            let is_best = channel == "bbo-tbt";
            data.as_array()?.iter().map(|one| okx_book(one, symbol, snapshot, is_best)).collect()
        }
        "trades" | "trades-all" => {
            trades(data, ["instId", "px", "sz", "side", "ts", "buy", "sell"], None)
        }
        "mark-price" | "funding-rate" => data.as_array()?.iter().map(okx_mark).collect(),
        _ => Some(Vec::new()),
    }
}

fn okx_book(one: &Value, symbol: &str, snapshot: bool, is_best: bool) -> Option<String> {
    let (bids, asks) = (pairs(one.get("bids"))?, pairs(one.get("asks"))?);
    let time_ns = Some(millis_ns(whole(one.get("ts")?)?)?);
    let checksum = given(one.get("checksum"), whole)?.filter(|sum| *sum != 0);
    let ids = (given(one.get("prevSeqId"), whole)?, given(one.get("seqId"), whole)?);
    if is_best {
        let sides = [bids.first(), asks.first()];
        return Some(format!("best {symbol} {time_ns:?} {sides:?}"));
    }
    let sequence = match ids {
        (Some(previous), Some(this)) => Sequence::Chain { previous, this },
        _ => Sequence::None,
    };
    Some(book(symbol, snapshot, time_ns, [bids, asks], sequence, checksum))
}

fn okx_mark(one: &Value) -> Option<String> {
    let values = [given(one.get("markPx"), number)?, given(one.get("fundingRate"), number)?];
    values.iter().flatten().next()?;
    let at = |key: &str| one.get(key).and_then(whole).and_then(millis_ns);
    let symbol = one.get("instId")?.as_str()?;
    Some(format!("mark {symbol} {:?} {values:?} {:?}", at("ts"), at("fundingTime")))
}

fn bybit(message: &Value) -> Said {
    let (Some(topic), Some(data)) = (message.get("topic"), message.get("data")) else {
        return Some(Vec::new());
    };
    let Some(topic) = topic.as_str() else { return Some(Vec::new()) };
    let ms = |key: &str| message.get(key).and_then(whole);
    let time_ns = ms("cts").or_else(|| ms("ts")).and_then(millis_ns);
    if let Some(rest) = topic.strip_prefix("orderbook.") {
        let snapshot = match message.get("type")?.as_str()? {
            "snapshot" => true,
            "delta" => false,
            _ => return None,
        };
        time_ns?;
        let (bids, asks) = (pairs(data.get("b"))?, pairs(data.get("a"))?);
        let (symbol, update) = (data.get("s")?.as_str()?, whole(data.get("u")?)?);
        if snapshot && rest.starts_with("1.") {
            let sides = [bids.first(), asks.first()];
            return Some(vec![format!("best {symbol} {time_ns:?} {sides:?}")]);
        }
        let sequence = Sequence::Counter(update);
        let snapshot = snapshot || update == 1;
        return Some(vec![book(symbol, snapshot, time_ns, [bids, asks], sequence, None)]);
    }
    if topic.starts_with("publicTrade.") {
        return trades(data, ["s", "p", "v", "S", "T", "Buy", "Sell"], None);
    }
    if !topic.starts_with("tickers.") {
        return Some(Vec::new());
    }
    let values = [given(data.get("markPrice"), number)?, data.get("fundingRate").and_then(number)];
    let Some(symbol) = data.get("symbol").and_then(Value::as_str) else { return Some(Vec::new()) };
    if values == [None, None] {
        return Some(Vec::new());
    }
    let next = data.get("nextFundingTime").and_then(whole).and_then(millis_ns);
    Some(vec![format!("mark {symbol} {time_ns:?} {values:?} {next:?}")])
}

fn hyperliquid(message: &Value) -> Said {
    let (Some(channel), Some(data)) =
        (message.get("channel").and_then(Value::as_str), message.get("data"))
    else {
        return Some(Vec::new());
    };
    let level = |one: &Value| Some((number(one.get("px")?)?, number(one.get("sz")?)?));
    match channel {
        "l2Book" => {
            let [bids, asks] = data.get("levels")?.as_array()?.as_slice() else { return None };
            let sides = [keyed(bids, "px", "sz")?, keyed(asks, "px", "sz")?];
            let time_ns = Some(millis_ns(whole(data.get("time")?)?)?);
            let symbol = data.get("coin")?.as_str()?;
            Some(vec![book(symbol, true, time_ns, sides, Sequence::None, None)])
        }
        "bbo" => {
            let [bid, ask] = data.get("bbo")?.as_array()?.as_slice() else { return None };
            let side = |one: &Value| match one {
                Value::Null => Some(None),
                one => level(one).map(Some),
            };
            let time_ns = given(data.get("time"), whole)?.and_then(millis_ns);
            let (symbol, sides) = (data.get("coin")?.as_str()?, [side(bid)?, side(ask)?]);
            Some(vec![format!("best {symbol} {time_ns:?} {sides:?}")])
        }
        "trades" => trades(data, ["coin", "px", "sz", "side", "time", "B", "A"], None),
        "activeAssetCtx" | "activeSpotAssetCtx" => {
            let state = data.get("ctx")?;
            let values = [number(state.get("markPx")?), given(state.get("funding"), number)?];
            values[0].as_ref()?;
            let symbol = data.get("coin")?.as_str()?;
            Some(vec![format!("mark {symbol} None {values:?} None")])
        }
        _ => Some(Vec::new()),
    }
}

fn dydx(message: &Value) -> Said {
    let word = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or("");
    let number = given(message.get("message_id"), whole)?.unwrap_or(0);
    let Some(contents) = message.get("contents") else { return Some(Vec::new()) };
    let (kind, channel, id) = (word("type"), word("channel"), word("id"));
    if !matches!(channel, "v4_orderbook" | "v4_trades" | "v4_markets") {
        return Some(Vec::new());
    }
    let batch = contents.as_array().cloned().unwrap_or_else(|| vec![contents.clone()]);
    let mut said = Vec::new();
    for one in &batch {
        one.as_object()?;
        match channel {
            "v4_orderbook" => said.push(dydx_book(one, kind, id, number)?),
            "v4_trades" => {
                let names = ["ticker", "price", "size", "side", "createdAt", "BUY", "SELL"];
                let empty = Some(id).filter(|id| !id.is_empty());
                let list = one.get("trades").map_or(Some(Vec::new()), |l| trades(l, names, empty));
                said.extend(list?);
            }
            _ => {
                for key in ["oraclePrices", "markets", "trading"] {
                    if let Some(markets) = one.get(key) {
                        said.extend(dydx_marks(markets)?);
                    }
                }
            }
        }
    }
    Some(said)
}

fn dydx_book(one: &Value, kind: &str, id: &str, number: i64) -> Option<String> {
    let snapshot = kind == "subscribed";
    let levels = |key: &str| -> Option<Vec<Pair>> {
        let Some(levels) = one.get(key) else { return (!snapshot).then(Vec::new) };
        let each = |level: &Value| match level {
            Value::Object(_) => keyed(&Value::Array(vec![level.clone()]), "price", "size")?.pop(),
            level => pairs(Some(&Value::Array(vec![level.clone()])))?.pop(),
        };
        levels.as_array()?.iter().map(each).collect()
    };
    let sides = [levels("bids")?, levels("asks")?];
    let sequence = Sequence::Connection(number);
    (!id.is_empty()).then(|| book(id, snapshot, None, sides, sequence, None))
}

fn dydx_marks(markets: &Value) -> Said {
    let mut said = Vec::new();
    for (symbol, state) in markets.as_object()? {
        state.as_object()?;
        let value = |key: &str| state.get(key).and_then(number);
        let values = [value("oraclePrice"), value("nextFundingRate")];
        let at = state.get("effectiveAt").and_then(Value::as_str);
        let at = at.and_then(|text| mainspring_venues::civil::iso_ns(text.as_bytes()));
        if values != [None, None] {
            said.push(format!("mark {symbol} {at:?} {values:?} None"));
        }
    }
    Some(said)
}

/// Both readers of a text agree; returns how much it said.
fn agree(venue: &str, reader: Reader, text: &[u8]) -> usize {
    let Ok(mut said) = by_codec(venue, text) else { return 0 };
    // What nobody asks for is skipped by the scanner, and may be no JSON.
    let Ok(document) = serde_json::from_slice::<Value>(text) else { return 0 };
    // A bare minus zero is a float to the tree.
    if text.windows(3).any(|part| part == b":-0") {
        return 0;
    }
    let mut second = reader(&document);
    if venue == "dydx" && text.windows(10).any(|part| part == b"v4_markets") {
        // A tree does not keep the order of its keys.
        said.sort();
        second.iter_mut().for_each(|list| list.sort());
    }
    assert_eq!(Some(&said), second.as_ref(), "{venue}: {}", String::from_utf8_lossy(text));
    said.len()
}

const MESSAGES: [(usize, &str); 16] = [
    (
        0,
        r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["41006.8","0.60038921","0","1"],["41007.1","0","0","2"]],"bids":[["41006.3","0.30178218","0","2"]],"ts":"1629966436396","checksum":-855196043,"prevSeqId":-1,"seqId":123456}]}"#,
    ),
    (
        0,
        r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[["41006.3","0","0","0"]],"ts":"1629966436496","checksum":0,"prevSeqId":123456,"seqId":123457}]}"#,
    ),
    (
        0,
        r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["8446","95","0","3"]],"bids":[],"ts":"1597026383085","seqId":363996337}]}"#,
    ),
    (
        0,
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}"#,
    ),
    (
        0,
        r#"{"arg":{"channel":"funding-rate","instId":"BTC-USD-SWAP"},"data":[{"instId":"BTC-USD-SWAP","fundingRate":"0.0001875391284828","fundingTime":"1700726400000","ts":"1700724675402"}]}"#,
    ),
    (
        1,
        r#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"],["16493.00","0.100"]],"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},"cts":1672304484976}"#,
    ),
    (
        1,
        r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT","b":[["30247.20","0"]],"a":[],"u":1,"seq":66544703342},"cts":1687940967464}"#,
    ),
    (
        1,
        r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":5},"cts":1672304484976}"#,
    ),
    (
        1,
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Sell","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950","BT":false}]}"#,
    ),
    (
        1,
        r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","markPrice":"17217.33","fundingRate":"-0.000212","nextFundingTime":"1673280000000"},"cs":24987956059,"ts":1673272861686}"#,
    ),
    (
        2,
        r#"{"channel":"l2Book","data":{"coin":"BTC","time":1737918872000,"levels":[[{"px":"99000.0","sz":"0.5","n":2}],[{"px":"99001.0","sz":"1.25","n":1},{"px":"99002.5","sz":"3","n":1}]]}}"#,
    ),
    (
        2,
        r#"{"channel":"bbo","data":{"coin":"BTC","time":1737918872000,"bbo":[{"px":"99000.0","sz":"0.5","n":2},null]}}"#,
    ),
    (
        2,
        r#"{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"99000.0","sz":"0.01","time":1737918872000,"hash":"0x0","tid":1}]}"#,
    ),
    (
        2,
        r#"{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000125","openInterest":"1","markPx":"99000.5"}}}"#,
    ),
    (
        3,
        r#"{"type":"channel_batch_data","connection_id":"c","message_id":7,"id":"BTC-USD","channel":"v4_orderbook","version":"1.0.0","contents":[{"bids":[["99000","0.5"]]},{"asks":[{"price":"99010","size":"0"}]}]}"#,
    ),
    (
        3,
        r#"{"type":"channel_data","connection_id":"c","message_id":8,"id":"BTC-USD","channel":"v4_trades","version":"2.1.0","contents":{"trades":[{"id":"1","size":"0.01","price":"99000","side":"SELL","createdAt":"2025-01-26T19:14:32.000Z","type":"LIMIT"}]}}"#,
    ),
];

#[test]
fn each_kind_of_message_is_read_alike() {
    for (venue, text) in MESSAGES {
        let (name, reader) = READERS[venue];
        assert!(agree(name, reader, text.as_bytes()) > 0, "nothing in {text}");
    }
}

/// Texts of the recordings and fixtures: a line's JSON begins with its first brace.
fn recorded(path: &str) -> Option<Vec<String>> {
    let json = |line: String| line.find('{').map(|at| line[at..].to_owned());
    Some(shared::gzip_lines(path)?.into_iter().filter_map(json).collect())
}

#[test]
fn recorded_messages_are_read_alike() {
    let recordings = [
        (0, "data/cryptofeed-raw/OKX.ws.1.0.gz", 350),
        (1, "data/bybit-raw-2024/2024-12-01_XRPUSDT_ob500.jsonl.gz", 30),
        (2, "data/hyperliquid-raw-2025/btcusd_20250126_first30.jsonl.gz", 50),
    ];
    for (venue, path, least) in recordings {
        let Some(texts) = recorded(path) else { return };
        let (name, reader) = READERS[venue];
        let said: usize = texts.iter().map(|text| agree(name, reader, text.as_bytes())).sum();
        println!("{name}: {} messages, {said} events, both readers alike", texts.len());
        assert!(said >= least, "{name}: {said} events");
    }
}

#[test]
fn fixtures_are_read_alike() {
    for (name, reader) in READERS {
        let Some(folder) = shared::shared(&format!("venues/{name}")) else { return };
        let (mut files, mut said) = (0, 0);
        for path in shared::files_of(&folder) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            files += 1;
            for line in text.lines().chain([text.as_str()]) {
                let Some(at) = line.find('{') else { continue };
                said += agree(name, reader, &line.as_bytes()[at..]);
                let Ok(Value::Object(whole)) = serde_json::from_str(line) else { continue };
                // Files of fixtures hold the messages beside words about them.
                for value in whole.values() {
                    said += agree(name, reader, value.to_string().as_bytes());
                }
            }
        }
        println!("{name}: {files} files, {said} events, both readers alike");
        assert!(files > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40_000))]

    /// Bytes changed, lost and repeated: what is still read is read alike.
    #[test]
    fn damaged_messages_are_read_alike(
        which in 0..MESSAGES.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        way in 0..4_u8, length in 1..12_usize,
    ) {
        let (venue, text) = MESSAGES[which];
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        let end = (at + length).min(bytes.len());
        match way {
            0 => bytes[at] = byte,
            1 => bytes[at] = b"0123456789\"',:[]{}-.eE"[usize::from(byte) % 22],
            2 => drop(bytes.drain(at..end)),
            _ => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
        let (name, reader) = READERS[venue];
        agree(name, reader, &bytes);
    }
}
