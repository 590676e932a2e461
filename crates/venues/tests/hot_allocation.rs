//! From a message of market data to rows nothing is allocated at any venue, once buffers have grown.

mod shared;

use mainspring_core::InstrumentKind;
use mainspring_memory::CountingAllocator;
use mainspring_venues::feed::Sides;
use mainspring_venues::listing::Listings;
use mainspring_venues::rows::RowSink;
use mainspring_venues::table::{open, Opening};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Venue, symbol, and its hot messages: book, trades, best prices where they are a stream.
const HOT: [(&str, &str, &[&str]); 6] = [
    (
        "binance",
        "BTCUSDT",
        &[
            r#"{"e":"depthUpdate","E":1795255200100,"s":"BTCUSDT","U":157,"u":160,"b":[["61800.1","0.010"],["61800.0","0"]],"a":[["61800.2","0.100"]]}"#,
            r#"{"e":"trade","E":1795255200100,"s":"BTCUSDT","t":12345,"p":"61800.1","q":"0.100","T":1795255200100,"m":true,"M":true}"#,
            r#"{"u":400900217,"s":"BTCUSDT","b":"61800.1","B":"31.210","a":"61800.2","A":"40.660"}"#,
        ],
    ),
    (
        "binance_usdm",
        "BTCUSDT",
        &[
            r#"{"e":"depthUpdate","E":1795255200100,"T":1795255200099,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["61800.1","0.010"]],"a":[["61800.2","0"]]}"#,
            r#"{"e":"trade","E":1795255200100,"T":1795255200099,"s":"BTCUSDT","t":12345,"p":"61800.1","q":"0.100","X":"MARKET","m":true}"#,
            r#"{"e":"bookTicker","u":400900217,"E":1795255200100,"T":1795255200099,"s":"BTCUSDT","b":"61800.1","B":"31.210","a":"61800.2","A":"40.660"}"#,
        ],
    ),
    (
        "okx",
        "BTC-USDT-SWAP",
        &[
            r#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[["61800.2","3","0","1"]],"bids":[["61800.1","0","0","0"]],"ts":"1795255200100","checksum":0,"prevSeqId":10,"seqId":15}]}"#,
            r#"{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"61800.1","sz":"0.1","side":"buy","ts":"1795255200100","count":"1"}]}"#,
            r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[{"asks":[["61800.2","3","0","1"]],"bids":[["61800.1","1","0","2"]],"ts":"1795255200100","seqId":16}]}"#,
        ],
    ),
    (
        "bybit",
        "BTCUSDT",
        &[
            r#"{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":1795255200100,"data":{"s":"BTCUSDT","b":[["61800.1","1.000"]],"a":[["61800.2","0"]],"u":101,"seq":7961638724},"cts":1795255200098}"#,
            r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1795255200100,"data":[{"T":1795255200099,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"61800.1","L":"PlusTick","i":"20f43950","BT":false}]}"#,
        ],
    ),
    (
        "hyperliquid",
        "BTC",
        &[
            r#"{"channel":"l2Book","data":{"coin":"BTC","time":1795255200100,"levels":[[{"px":"61800","sz":"1.5","n":3}],[{"px":"61801","sz":"2","n":1}]]}}"#,
            r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"61800","sz":"0.01","time":1795255200100,"hash":"0xab","tid":118906512037719,"users":["0xa","0xb"]}]}"#,
            r#"{"channel":"bbo","data":{"coin":"BTC","time":1795255200100,"bbo":[{"px":"61800","sz":"1.5","n":3},{"px":"61801","sz":"2","n":1}]}}"#,
        ],
    ),
    (
        "dydx",
        "BTC-USD",
        &[
            r#"{"type":"channel_data","connection_id":"a","message_id":17,"id":"BTC-USD","channel":"v4_orderbook","version":"1.0.0","contents":{"bids":[["61800.1","0.5"]],"asks":[["61800.2","0"]]}}"#,
            r#"{"type":"channel_data","connection_id":"a","message_id":18,"id":"BTC-USD","channel":"v4_trades","version":"2.1.0","contents":{"trades":[{"id":"015c","size":"0.01","price":"61800.1","side":"BUY","createdAt":"2026-11-21T10:00:00.123Z","type":"LIMIT"}]}}"#,
        ],
    ),
];

#[test]
fn hot_messages_become_rows_without_an_allocation() {
    for (name, symbol, messages) in HOT {
        let mut venue = open(name, &Opening::default()).unwrap();
        let kind = InstrumentKind::LinearPerpetual;
        let listing = shared::listing(name, symbol, kind, "0.1", "0.001");
        let mut sink = RowSink::new(&Listings::new(vec![listing]).unwrap());
        let mut sides = Sides::default();
        let mut read = |text: &str| {
            venue.rows(text.as_bytes(), 7, &mut sides, &mut sink).unwrap();
            sink.messages().map(|(_, rows)| rows.len()).sum::<usize>()
        };
        for text in messages {
            assert!(read(text) > 0, "{name}: no rows of {text}");
            for _ in 0..16 {
                read(text);
            }
        }
        let before = CountingAllocator::allocations();
        assert!(before > 0, "the counter counts");
        for _ in 0..100 {
            messages.iter().for_each(|text| {
                read(text);
            });
        }
        assert_eq!(CountingAllocator::allocations() - before, 0, "{name}");
    }
}
