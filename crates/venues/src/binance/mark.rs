//! Which messages of market data are copies of each other: by update id of book and best prices, and
//! by the ids of trades.

use crate::mark::Mark;

/// The mark of a message of Binance's market data: event, symbol and the last update id of the book, the
/// id of the trade, or the id of the best prices. `None` for everything else, which always passes.
#[must_use]
pub fn mark(text: &[u8]) -> Option<Mark> {
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
    Some(Mark::next(event, symbol, id))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_known_by_event_symbol_and_id() {
        let depth =
            br#"{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":5,"u":9,"pu":4,"b":[],"a":[]}"#;
        let trade =
            br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":77}}"#;
        let best = br#"{"u":400900217,"s":"BNBUSDT","b":"25.3","B":"31.2","a":"25.4","A":"40.6"}"#;
        assert_eq!(mark(depth).unwrap().id, 9);
        assert_eq!(mark(trade).unwrap().id, 77);
        assert_eq!(mark(best).unwrap().id, 400_900_217);
        assert_ne!(mark(depth).unwrap().stream, mark(trade).unwrap().stream);
        assert_eq!(mark(br#"{"result":null,"id":1}"#), None);
        assert_eq!(mark(br#"{"e":"markPriceUpdate","s":"BTCUSDT","p":"1"}"#), None);
    }
}
