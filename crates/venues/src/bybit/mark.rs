//! Which messages of market data are copies of each other: by update id `u` of books, and by the
//! cross sequence `seq` of trades. Tickers have no number of their own.

use crate::mark::{ends, number, text, values, Mark, Step};

/// The mark of a message.
#[must_use]
pub fn mark(message: &[u8]) -> Option<Mark> {
    let [topic, kind, data] = values(message, [b"topic", b"type", b"data"]).ok()?;
    let topic = text(topic?)?;
    if topic.starts_with(b"orderbook.") {
        let [update] = values(data?, [b"u"]).ok()?;
        let update = number(update?)?;
        let step = match kind.and_then(text) {
            // The service after a restart.
            _ if update == 1 => Step::Reset,
            Some(b"snapshot") => Step::Whole,
            _ => Step::Next,
        };
        return Some(Mark::new(b"", topic, update, step));
    }
    if topic.starts_with(b"publicTrade.") {
        let (_, last) = ends(data?).ok()??;
        let [sequence] = values(last, [b"seq"]).ok()?;
        return Some(Mark::next(b"", topic, number(sequence?)?));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(kind: &str, update: i64) -> Option<(i64, Step)> {
        let message = format!(
            r#"{{"topic":"orderbook.50.BTCUSDT","ts":1,"type":"{kind}","data":{{"s":"BTCUSDT","b":[["1","2"]],"a":[],"u":{update},"seq":9}},"cts":1}}"#
        );
        mark(message.as_bytes()).map(|mark| (mark.id, mark.step))
    }

    #[test]
    fn books_are_known_by_their_updates_and_trades_by_their_sequence() {
        assert_eq!(book("snapshot", 50), Some((50, Step::Whole)));
        assert_eq!(book("delta", 51), Some((51, Step::Next)));
        assert_eq!(book("snapshot", 1), Some((1, Step::Reset)));
        let trade = br#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{"T":1,"s":"BTCUSDT","S":"Buy","v":"1","p":"1","i":"a","seq":7}]}"#;
        assert_eq!(mark(trade).unwrap().id, 7);
        let ticker = br#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT"},"cs":8,"ts":1}"#;
        assert_eq!(mark(ticker), None);
        assert_eq!(mark(br#"{"success":true,"ret_msg":"pong","op":"ping"}"#), None);
    }
}
