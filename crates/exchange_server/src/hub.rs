//! Who listens to what. Every connection has a bounded queue; one that is full is cut off, so that
//! nobody's slowness reaches the book or anybody else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use mainspring_exchange::AccountId;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::Notify;

use crate::faults::{Dice, Faults};
use crate::section::Product;

/// The sending end of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    id: u64,
    queue: mpsc::Sender<Utf8Bytes>,
    cut: Arc<Notify>,
    /// A market message that waits for the one behind it, where streams are out of order.
    held: Option<Utf8Bytes>,
    /// Whether market messages are wrapped with their stream's name.
    pub is_combined: bool,
    /// The number of the next message, where the venue counts those of a connection.
    count: Option<Arc<AtomicU64>>,
}

impl Connection {
    /// A connection, the queue to send from and the signal to close.
    #[must_use]
    pub fn new(
        id: u64,
        depth: usize,
        is_combined: bool,
    ) -> (Self, mpsc::Receiver<Utf8Bytes>, Arc<Notify>) {
        let (queue, receiver) = mpsc::channel(depth.max(1));
        let cut = Arc::new(Notify::new());
        let connection = Self { id, queue, cut: cut.clone(), held: None, is_combined, count: None };
        (connection, receiver, cut)
    }

    /// From now on every message says the connection and its number, from 0.
    pub fn count_messages(&mut self) {
        self.count = Some(Arc::default());
    }

    /// A message with its number, where messages are counted. Messages are objects.
    fn counted<'a>(&self, message: &'a Utf8Bytes) -> Cow<'a, Utf8Bytes> {
        let (Some(count), Some(fields)) = (&self.count, message.as_str().strip_prefix('{')) else {
            return Cow::Borrowed(message);
        };
        let number = count.fetch_add(1, Ordering::Relaxed);
        let head = format!("{{\"connection_id\":\"{:08x}\",\"message_id\":{number},", self.id);
        Cow::Owned(Utf8Bytes::from(head + fields))
    }

    /// Queues a message of this connection's own, with its number where messages are counted.
    pub fn tell(&self, message: &str) -> bool {
        self.send(self.counted(&Utf8Bytes::from(message)).into_owned())
    }

    /// Queues a message; a connection whose queue is full is cut off.
    pub fn send(&self, message: Utf8Bytes) -> bool {
        match self.queue.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.cut();
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// Closes the connection without more words.
    pub fn cut(&self) {
        self.cut.notify_one();
    }
}

/// How a member's events reach a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFeed {
    /// As they are, by listen key.
    Plain,
    /// Wrapped with a subscription's number, over the WebSocket API.
    Subscription(u32),
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Hub {
    streams: HashMap<(Product, String), Vec<Connection>>,
    users: HashMap<(Product, AccountId), Vec<(Connection, UserFeed)>>,
    next_id: u64,
    /// Members are told nothing.
    users_withheld: bool,
}

impl Hub {
    /// Whether members' own events are left out from now on.
    pub fn withhold_users(&mut self, withheld: bool) {
        self.users_withheld = withheld;
    }

    /// A number no other connection has.
    pub fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Adds a stream to a connection.
    pub fn subscribe(&mut self, product: Product, stream: &str, connection: &Connection) {
        let listeners = self.streams.entry((product, stream.to_owned())).or_default();
        if listeners.iter().all(|known| known.id != connection.id) {
            listeners.push(connection.clone());
        }
    }

    /// Takes a stream from a connection.
    pub fn unsubscribe(&mut self, product: Product, stream: &str, connection: &Connection) {
        let key = (product, stream.to_owned());
        if let Some(listeners) = self.streams.get_mut(&key) {
            listeners.retain(|known| known.id != connection.id);
            if listeners.is_empty() {
                self.streams.remove(&key);
            }
        }
    }

    /// Streams of a connection.
    #[must_use]
    pub fn subscriptions(&self, connection: &Connection) -> Vec<String> {
        let has = |listeners: &[Connection]| listeners.iter().any(|c| c.id == connection.id);
        let mut names: Vec<String> = self
            .streams
            .iter()
            .filter(|(_, listeners)| has(listeners))
            .map(|((_, name), _)| name.clone())
            .collect();
        names.sort();
        names
    }

    /// Sends a member's events to a connection.
    pub fn subscribe_user(
        &mut self,
        product: Product,
        account: AccountId,
        connection: &Connection,
        feed: UserFeed,
    ) {
        let listeners = self.users.entry((product, account)).or_default();
        if !listeners.iter().any(|(known, as_what)| known.id == connection.id && *as_what == feed) {
            listeners.push((connection.clone(), feed));
        }
    }

    /// Ends the member's events on a connection.
    pub fn unsubscribe_user(&mut self, connection: &Connection) {
        for listeners in self.users.values_mut() {
            listeners.retain(|(known, _)| known.id != connection.id);
        }
    }

    /// Forgets a connection that has closed.
    pub fn leave(&mut self, connection: &Connection) {
        self.unsubscribe_user(connection);
        self.streams.retain(|_, listeners| {
            listeners.retain(|known| known.id != connection.id);
            !listeners.is_empty()
        });
    }

    /// Whether anybody listens to a stream.
    #[must_use]
    pub fn is_heard(&self, product: Product, stream: &str) -> bool {
        !self.streams.is_empty() && self.streams.contains_key(&(product, stream.to_owned()))
    }

    /// Streams that somebody listens to and that start or end so.
    #[must_use]
    pub fn heard(&self, product: Product, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let names = self.streams.keys().filter(|(of, name)| *of == product && is_it(name));
        names.map(|(_, name)| name.clone()).collect()
    }

    /// Publishes a market message, with the faults that are asked for.
    pub fn publish(
        &mut self,
        product: Product,
        stream: &str,
        message: &str,
        faults: &Faults,
        dice: &mut Dice,
    ) {
        let key = (product, stream.to_owned());
        let Some(listeners) = self.streams.get_mut(&key) else { return };
        let plain = Utf8Bytes::from(message);
        let combined = Utf8Bytes::from(format!("{{\"stream\":\"{stream}\",\"data\":{message}}}"));
        listeners.retain_mut(|connection| {
            let message =
                connection.counted(if connection.is_combined { &combined } else { &plain });
            if dice.happens(faults.gap) {
                return true;
            }
            if connection.held.is_none() && dice.happens(faults.reorder) {
                connection.held = Some(message.into_owned());
                return true;
            }
            let copies = 1 + u8::from(dice.happens(faults.duplicate));
            let mut sent = (0..copies).all(|_| connection.send(message.clone().into_owned()));
            if let Some(late) = connection.held.take() {
                sent &= connection.send(late);
            }
            if dice.happens(faults.disconnect) {
                connection.cut();
                return false;
            }
            sent
        });
        if listeners.is_empty() {
            self.streams.remove(&key);
        }
    }

    /// Sends a member's own events to those who listen to its topic. They are never left out one by one
    /// or doubled.
    pub fn send(&mut self, product: Product, topic: &str, message: &str) {
        if !self.users_withheld {
            self.announce(product, topic, message);
        }
    }

    /// Sends to all listeners of a topic, whatever the faults.
    pub fn announce(&mut self, product: Product, topic: &str, message: &str) {
        let key = (product, topic.to_owned());
        let Some(listeners) = self.streams.get_mut(&key) else { return };
        let message = Utf8Bytes::from(message);
        listeners.retain(|connection| connection.send(connection.counted(&message).into_owned()));
        if listeners.is_empty() {
            self.streams.remove(&key);
        }
    }

    /// Whether a member listens.
    #[must_use]
    pub fn hears_user(&self, product: Product, account: AccountId) -> bool {
        self.users.get(&(product, account)).is_some_and(|listeners| !listeners.is_empty())
    }

    /// Tells a member. Its events are never left out one by one or doubled.
    pub fn tell(&mut self, product: Product, account: AccountId, event: &str) {
        if self.users_withheld {
            return;
        }
        let Some(listeners) = self.users.get_mut(&(product, account)) else { return };
        listeners.retain(|(connection, feed)| {
            let message = match feed {
                UserFeed::Plain => Utf8Bytes::from(event),
                UserFeed::Subscription(number) => {
                    let text = format!("{{\"subscriptionId\":{number},\"event\":{event}}}");
                    Utf8Bytes::from(text)
                }
            };
            connection.send(message)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "btcusdt@trade";

    fn publish(hub: &mut Hub, faults: &Faults) {
        hub.publish(Product::Spot, STREAM, "{}", faults, &mut Dice::new(1));
    }

    #[test]
    fn a_connection_that_does_not_read_is_cut_off_and_others_are_not() {
        let mut hub = Hub::default();
        let (slow, mut unread, cut) = Connection::new(hub.next_id(), 2, false);
        let (quick, mut read, _) = Connection::new(hub.next_id(), 2, true);
        hub.subscribe(Product::Spot, STREAM, &slow);
        hub.subscribe(Product::Spot, STREAM, &quick);
        for _ in 0..5 {
            publish(&mut hub, &Faults::default());
            let heard = read.try_recv().expect("whoever reads is told");
            assert_eq!(heard.as_str(), "{\"stream\":\"btcusdt@trade\",\"data\":{}}");
        }
        assert_eq!(hub.streams[&(Product::Spot, STREAM.to_owned())].len(), 1);
        assert!(unread.try_recv().is_ok() && unread.try_recv().is_ok());
        assert!(unread.try_recv().is_err(), "nothing is queued beyond the bound");
        let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
        waiting.block_on(cut.notified());
    }

    #[test]
    fn gaps_and_duplicates_come_when_asked_for() {
        let mut hub = Hub::default();
        let (connection, mut queue, _) = Connection::new(hub.next_id(), 8, false);
        hub.subscribe(Product::Spot, STREAM, &connection);
        publish(&mut hub, &Faults { gap: 1.0, ..Faults::default() });
        assert!(queue.try_recv().is_err());
        publish(&mut hub, &Faults { duplicate: 1.0, ..Faults::default() });
        assert!(queue.try_recv().is_ok() && queue.try_recv().is_ok());
        let (product, plain) = (Product::Spot, Faults::default());
        let late = Faults { reorder: 1.0, ..plain };
        for (message, faults) in [("1", &late), ("2", &late), ("3", &plain)] {
            hub.publish(product, STREAM, message, faults, &mut Dice::new(1));
        }
        let heard: Vec<_> = (0..3).map(|_| queue.try_recv().unwrap()).collect();
        assert_eq!(heard.iter().map(Utf8Bytes::as_str).collect::<Vec<_>>(), ["2", "1", "3"]);
        publish(&mut hub, &Faults { disconnect: 1.0, ..Faults::default() });
        assert!(!hub.is_heard(Product::Spot, STREAM));
    }

    #[test]
    fn messages_of_a_connection_are_counted_and_a_lost_one_leaves_a_gap() {
        let mut hub = Hub::default();
        let (mut connection, mut queue, _) = Connection::new(hub.next_id(), 8, false);
        connection.count_messages();
        hub.subscribe(Product::Usdm, STREAM, &connection);
        connection.tell("{\"a\":1}");
        for share in [0.0, 1.0, 0.0] {
            let faults = Faults { gap: share, ..Faults::default() };
            hub.publish(Product::Usdm, STREAM, "{\"b\":2}", &faults, &mut Dice::new(1));
        }
        let heard: Vec<_> = (0..3).map(|_| queue.try_recv().unwrap()).collect();
        let begin = "{\"connection_id\":\"00000001\",\"message_id\":";
        assert_eq!(heard[0].as_str(), format!("{begin}0,\"a\":1}}"));
        assert_eq!(heard[1].as_str(), format!("{begin}1,\"b\":2}}"));
        assert_eq!(heard[2].as_str(), format!("{begin}3,\"b\":2}}"));
    }

    #[test]
    fn members_hear_only_their_own_events() {
        let mut hub = Hub::default();
        let (connection, mut queue, _) = Connection::new(hub.next_id(), 8, false);
        let (product, feed) = (Product::Usdm, UserFeed::Subscription(3));
        hub.subscribe_user(product, AccountId(1), &connection, feed);
        hub.tell(product, AccountId(2), "{}");
        hub.tell(Product::Spot, AccountId(1), "{}");
        assert!(queue.try_recv().is_err());
        hub.tell(product, AccountId(1), "{\"e\":1}");
        let heard = queue.try_recv().unwrap();
        assert_eq!(heard.as_str(), "{\"subscriptionId\":3,\"event\":{\"e\":1}}");
        hub.leave(&connection);
        assert!(!hub.hears_user(product, AccountId(1)));
    }
}
