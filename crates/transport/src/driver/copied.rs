//! Several connections for one of a session's: it sees one that does not end while any of them stands.

use std::collections::HashMap;

use mainspring_venues::mark::MarkOf;
use mainspring_venues::session::Message;

use super::COPY_BITS;
use crate::copies::{Copies, MAX_COPIES};
use crate::io::SocketKey;

/// Messages that a connection which comes back is sent again: those that followed its opening, which
/// subscribe. A copy of a stream that began with more than this does not come back.
const MAX_REPLAY: usize = 1_024;

type Headers = Vec<(&'static str, String)>;

/// What to do about something that happened to a connection.
pub(super) enum Heard {
    /// The session is to hear of it; these connections are to be closed.
    Tell(Vec<SocketKey>),
    /// Nothing.
    Nothing,
    /// Connect it again.
    Again(String, Headers),
    /// Send it these messages.
    Replay(Vec<Message>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Connecting,
    Open,
    Gone,
}

struct Stream {
    url: String,
    headers: Headers,
    links: Vec<Link>,
    told: bool,
    /// What followed its opening was sent.
    begun: bool,
    sent: Vec<Message>,
    copies: Copies,
}

impl Stream {
    /// The copy whose unmarked messages pass.
    fn leader(&self) -> Option<usize> {
        self.links.iter().position(|link| *link == Link::Open)
    }
}

pub(super) struct Copied {
    count: usize,
    /// How copies are told; nothing is copied without it.
    mark: Option<MarkOf>,
    streams: HashMap<SocketKey, Stream>,
    dropped: u64,
}

const fn base(key: SocketKey) -> SocketKey {
    key & !(0xff << COPY_BITS)
}

/// Which of the copies; `None` for a connection that has none.
const fn copy(key: SocketKey) -> Option<usize> {
    (((key >> COPY_BITS) & 0xff) as usize).checked_sub(1)
}

const fn with_copy(key: SocketKey, copy: usize) -> SocketKey {
    base(key) | ((copy as u64 + 1) << COPY_BITS)
}

impl Copied {
    pub(super) fn new(count: u8, mark: Option<MarkOf>) -> Self {
        let count = usize::from(count).clamp(1, MAX_COPIES);
        Self { count, mark, streams: HashMap::new(), dropped: 0 }
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Connections to open for one that the session wants; those for market data alone are copied.
    pub(super) fn open(
        &mut self,
        key: SocketKey,
        market: bool,
        url: &str,
        headers: &Headers,
    ) -> Vec<SocketKey> {
        let count = self.count;
        if count == 1 || !market || self.mark.is_none() {
            return vec![key];
        }
        let stream = Stream {
            url: url.to_owned(),
            headers: headers.clone(),
            links: vec![Link::Connecting; count],
            told: false,
            begun: false,
            sent: Vec::new(),
            copies: Copies::new(),
        };
        self.streams.insert(key, stream);
        (0..count).map(|copy| with_copy(key, copy)).collect()
    }

    /// Connections to close for one that the session wants no more. Its end is heard of once.
    pub(super) fn close(&mut self, key: SocketKey) -> Vec<SocketKey> {
        let Some(stream) = self.streams.get_mut(&key) else { return vec![key] };
        let mut keys = Vec::new();
        for (copy, link) in stream.links.iter_mut().enumerate() {
            if *link != Link::Gone {
                *link = Link::Gone;
                keys.push(with_copy(key, copy));
            }
        }
        keys
    }

    /// Where a message goes: the first connection, and the others that stand.
    pub(super) fn send(
        &mut self,
        key: SocketKey,
        message: &Message,
    ) -> (SocketKey, Vec<SocketKey>) {
        let Some(stream) = self.streams.get_mut(&key) else { return (key, Vec::new()) };
        // Later ones are pings, and books that begin again: the subscriptions stay what they were.
        if !stream.begun && stream.sent.len() <= MAX_REPLAY {
            stream.sent.push(message.clone());
        }
        let open = stream.links.iter().enumerate().filter(|(_, link)| **link == Link::Open);
        let mut keys = open.map(|(copy, _)| with_copy(key, copy));
        let first = keys.next().unwrap_or(key);
        (first, keys.collect())
    }

    pub(super) fn opened(&mut self, key: SocketKey) -> Heard {
        let Some(copy) = copy(key) else { return Heard::Tell(Vec::new()) };
        let Some(stream) = self.streams.get_mut(&base(key)) else { return Heard::Nothing };
        stream.links[copy] = Link::Open;
        stream.copies.joined(copy);
        if stream.told {
            return Heard::Replay(stream.sent.clone());
        }
        stream.told = true;
        Heard::Tell(Vec::new())
    }

    /// The session has sent what it sends on a connection that opens.
    pub(super) fn begun(&mut self, key: SocketKey) {
        if let Some(stream) = self.streams.get_mut(&base(key)) {
            stream.begun = true;
        }
    }

    pub(super) fn closed(&mut self, key: SocketKey) -> Heard {
        let Some(copy) = copy(key) else { return Heard::Tell(Vec::new()) };
        // The other copies of a stream that ended say nothing.
        let Some(stream) = self.streams.get_mut(&base(key)) else { return Heard::Nothing };
        stream.links[copy] = Link::Gone;
        stream.copies.left(copy);
        if stream.leader().is_some() && stream.sent.len() > MAX_REPLAY {
            return Heard::Nothing;
        }
        if stream.leader().is_some() {
            stream.links[copy] = Link::Connecting;
            return Heard::Again(stream.url.clone(), stream.headers.clone());
        }
        if stream.links.contains(&Link::Connecting) && !stream.told {
            return Heard::Nothing;
        }
        // It stands no more: copies that are on their way would come to a stream that ended.
        let rest = self.close(base(key));
        self.streams.remove(&base(key));
        Heard::Tell(rest)
    }

    /// Whether the session is to see a message: the first of its copies.
    pub(super) fn passes(&mut self, key: SocketKey, bytes: &[u8]) -> bool {
        let (Some(mark), Some(from)) = (self.mark, copy(key)) else { return true };
        let Some(stream) = self.streams.get_mut(&base(key)) else { return true };
        let passes = match mark(bytes) {
            Some(mark) => stream.copies.is_first(from, mark),
            None => stream.leader() == Some(from),
        };
        self.dropped += u64::from(!passes);
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(what: &str) -> Message {
        Message::Text(what.to_owned())
    }

    #[test]
    fn a_copy_that_comes_back_hears_of_every_subscription_and_of_nothing_that_was_taken_back() {
        let mut copied = Copied::new(2, Some(|_| None));
        let keys = copied.open(7, true, "ws://there", &Vec::new());
        assert!(matches!(copied.opened(keys[0]), Heard::Tell(_)));
        let first: Vec<Message> = (0..200).map(|at| text(&format!("subscribe {at}"))).collect();
        for message in &first {
            copied.send(7, message);
        }
        copied.begun(keys[0]);
        // Books that begin again, and pings in words.
        for at in 0..200 {
            copied.send(7, &text("ping"));
            copied.send(7, &text(&format!("unsubscribe {at}")));
            copied.send(7, &text(&format!("subscribe {at} again")));
        }
        for _ in 0..2 {
            let Heard::Replay(sent) = copied.opened(keys[1]) else { panic!("nothing to replay") };
            assert_eq!(sent, first);
            assert!(matches!(copied.closed(keys[1]), Heard::Again(..)));
        }
    }
}
