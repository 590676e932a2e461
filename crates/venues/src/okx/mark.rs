//! Which messages of market data are copies of each other: by `seqId` of books and best prices, and by
//! the ids of trades. Mark prices and funding rates have no number.

use crate::mark::{ends, number, text, values, Mark, Step};

/// The mark of a message.
#[must_use]
pub fn mark(message: &[u8]) -> Option<Mark> {
    let [arg, action, data] = values(message, [b"arg", b"action", b"data"]).ok()?;
    let [channel, symbol] = values(arg?, [b"channel", b"instId"]).ok()?;
    let (channel, symbol) = (text(channel?)?, text(symbol?)?);
    let (first, last) = ends(data?).ok()??;
    match channel {
        b"books" | b"books5" | b"books50-l2-tbt" | b"books-l2-tbt" | b"bbo-tbt" => {
            let [this] = values(last, [b"seqId"]).ok()?;
            let [previous] = values(first, [b"prevSeqId"]).ok()?;
            let (this, previous) = (number(this?)?, previous.and_then(number));
            let step = match action.and_then(text) {
                Some(b"snapshot") => Step::Whole,
                // The venue begins its numbers anew after maintenance and chains the message all the same.
                _ if previous.is_some_and(|previous| this < previous) => Step::Reset,
                _ => Step::Next,
            };
            Some(Mark::new(channel, symbol, this, step))
        }
        b"trades" | b"trades-all" => {
            let [id] = values(last, [b"tradeId"]).ok()?;
            Some(Mark::next(channel, symbol, number(id?)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(action: &str, previous: i64, this: i64) -> Option<Mark> {
        let message = format!(
            r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{action}","data":[{{"asks":[["1","2","0","1"]],"bids":[],"ts":"1","checksum":0,"seqId":{this},"prevSeqId":{previous}}}]}}"#
        );
        mark(message.as_bytes())
    }

    #[test]
    fn books_are_known_by_their_chain_and_trades_by_their_ids() {
        let steps = [book("snapshot", -1, 50), book("update", 50, 51), book("update", 51, 3)];
        let steps = steps.map(|mark| mark.map(|mark| (mark.id, mark.step)));
        assert_eq!(
            steps,
            [Some((50, Step::Whole)), Some((51, Step::Next)), Some((3, Step::Reset))]
        );
        let trade = br#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"7"},{"instId":"BTC-USDT","tradeId":"8"}]}"#;
        assert_eq!(mark(trade).unwrap().id, 8);
        assert_ne!(mark(trade).unwrap().stream, book("update", 1, 2).unwrap().stream);
        let funding = br#"{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"fundingRate":"0.1"}]}"#;
        assert_eq!(mark(funding), None);
        assert_eq!(mark(b"pong"), None);
        assert_eq!(mark(br#"{"event":"subscribe","arg":{"channel":"books"}}"#), None);
    }
}
