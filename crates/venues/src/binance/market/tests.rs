//! The two readers against each other, and the messages by hand.

use proptest::prelude::*;

use super::*;

const MESSAGES: [&str; 9] = [
    r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":5,"u":9,"pu":4,"b":[["58710.20","0.014"],["61510.90","0.000"]],"a":[["61800.30","3.330"]]}}"#,
    r#"{"stream":"x@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#,
    r#"{"stream":"x@bookTicker","data":{"u":50,"s":"BTCUSDT","b":"61837.63","B":"3.78","a":"61837.64","A":"1.54"}}"#,
    r#"{"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000",[]]],"asks":[]}"#,
    r#"{"e":"aggTrade","E":1633998512000,"s":"NKNUSDT","a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1633998511999,"m":true,"M":true}"#,
    r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15","i":"11784.6","r":"0.00038167","T":1562306400000}"#,
    r#"{"e":"kline","E":1,"s":"X","k":{"t":1,"o":"1\"2"}}"#,
    r#" { "result" : null , "id" : 1 } "#,
    r#"{"stream":"y","data":{"e":"bookTicker","u":1,"s":"BTCUSD_PERP","ps":"BTCUSD","b":"61804.7","B":"35","a":"61804.8","A":"1645","T":1723161257465,"E":1723161257476}}"#,
];

fn both(text: &[u8]) {
    let (mut fast, mut strict) = (Decoder::default(), Decoder::default());
    let by_scan = fast.decode_fast(text);
    let by_serde = strict.decode_strict(text);
    // What the scanner takes, serde_json reads the same.
    if by_scan.is_ok() {
        assert_eq!(by_scan, by_serde, "{}", String::from_utf8_lossy(text));
        assert_eq!((fast.bids(), fast.asks()), (strict.bids(), strict.asks()));
    }
    // And the pair is the strict reader.
    let mut pair = Decoder::default();
    let decoded = pair.decode(text);
    assert_eq!(decoded.as_ref().ok(), by_serde.as_ref().ok());
    if decoded.is_ok() {
        assert_eq!((pair.bids(), pair.asks()), (strict.bids(), strict.asks()));
    }
}

#[test]
fn plain_messages_need_no_fallback() {
    let mut decoder = Decoder::default();
    let kinds: Vec<String> = MESSAGES
        .iter()
        .map(|text| decoder.decode(text.as_bytes()).unwrap().kind.to_owned())
        .collect();
    assert_eq!(
        kinds,
        [
            "depthUpdate",
            "trade",
            "bookTicker",
            "snapshot",
            "aggTrade",
            "markPriceUpdate",
            "kline",
            "other",
            "bookTicker"
        ]
    );
    assert_eq!(decoder.fallbacks(), 0);
    MESSAGES.iter().for_each(|text| both(text.as_bytes()));
}

#[test]
fn levels_and_ids_come_out_as_written() {
    let mut decoder = Decoder::default();
    let message = decoder.decode(MESSAGES[0].as_bytes()).unwrap();
    assert_eq!(message.body, Body::Depth { first: 5, last: 9, previous: Some(4) });
    assert_eq!(message.transact_ns, Some(1_723_161_256_298_000_000));
    assert_eq!(decoder.bids()[1].price.to_string(), "61510.9");
    assert_eq!(decoder.bids()[1].qty, Decimal::ZERO);
    assert_eq!(decoder.asks().len(), 1);
}

#[test]
fn unknown_values_are_refused() {
    let mut decoder = Decoder::default();
    for (text, says) in [
        (MESSAGES[1].replace("MARKET", "FREE"), "execution type"),
        (MESSAGES[1].replace("\"m\":false", "\"m\":0"), "maker flag"),
        (MESSAGES[0].replace("\"0.014\"", "\"NaN\""), "quantity"),
        (MESSAGES[0].replace("\"0.014\"", "0.014"), "quantity"),
        (MESSAGES[0].replace("\"u\":9", "\"u\":3"), "before its first"),
        (MESSAGES[0].replace("\"pu\":4", "\"pu\":4,\"pu\":4"), "twice"),
        (MESSAGES[2].replace("\"B\":\"3.78\"", "\"B\":\"\""), "without all of"),
        (MESSAGES[0].replace("1723161256298", "17"), "a time that is neither"),
        ("{}x".to_owned(), "trailing"),
    ] {
        let error = decoder.decode(text.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{error} does not say {says}");
        both(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Random damage to real messages: the two readers never differ.
    #[test]
    fn damaged_messages_are_read_alike(
        which in 0..MESSAGES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..6),
    ) {
        let mut text = MESSAGES[which].as_bytes().to_vec();
        for (at, how, byte) in edits {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                2 => text.insert(at, b"0123456789-.eE\"[]{},:\\ "[usize::from(byte) % 23]),
                _ => text.truncate(at),
            }
        }
        both(&text);
    }
}
