//! Which messages of market data are copies of each other: a channel says something of a coin at most
//! once in a block, so that the time of the block names the message. (Ids of trades are hashes: they do
//! not grow.) What the venue says of an asset has neither.

use crate::mark::{ends, number, text, values, Mark};

/// The mark of a message.
#[must_use]
pub fn mark(message: &[u8]) -> Option<Mark> {
    let [channel, data] = values(message, [b"channel", b"data"]).ok()?;
    let (channel, data) = (text(channel?)?, data?);
    let said = match channel {
        b"l2Book" | b"bbo" => data,
        b"trades" => newest(data)?,
        _ => return None,
    };
    let [coin, time] = values(said, [b"coin", b"time"]).ok()?;
    Some(Mark::next(channel, text(coin?)?, number(time?)?))
}

/// The trade of the newest block: the list after a subscription may begin with it.
fn newest(data: &[u8]) -> Option<&[u8]> {
    let (first, last) = ends(data).ok()??;
    let time = |trade| values(trade, [b"time"]).ok()?[0].and_then(number);
    Some(if time(first)? > time(last)? { first } else { last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_known_by_channel_coin_and_block() {
        let book = br#"{"channel":"l2Book","data":{"coin":"BTC","time":5,"levels":[[],[]]}}"#;
        let best = br#"{"channel":"bbo","data":{"coin":"BTC","time":6,"bbo":[null,null]}}"#;
        let trades = br#"{"channel":"trades","data":[{"coin":"BTC","time":9,"tid":3},{"coin":"BTC","time":8,"tid":4}]}"#;
        assert_eq!([mark(book), mark(best), mark(trades)].map(|one| one.unwrap().id), [5, 6, 9]);
        assert_ne!(mark(book).unwrap().stream, mark(best).unwrap().stream);
        let asset = br#"{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"markPx":"1"}}}"#;
        assert_eq!(mark(asset), None);
        assert_eq!(mark(br#"{"channel":"pong"}"#), None);
    }
}
