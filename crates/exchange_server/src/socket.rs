//! A WebSocket: messages of a client in, replies and what it listens to out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::{mpsc, Notify};

use crate::dialects::Talk;
use crate::hub::Connection;
use crate::server::Shared;

/// The venue pings as often, and closes who has not answered twice.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A client that takes messages no faster than this is cut off.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// Messages that are taken from a socket, or given to it, at a time.
const BATCH: usize = 64;

/// Serves a connection until it closes.
pub async fn run(socket: WebSocket, shared: Arc<Shared>, mut talk: Box<dyn Talk>) {
    let (mut connection, queue, cut) = {
        let mut floor = shared.floor();
        let id = floor.venue.hub.next_id();
        let (mut connection, queue, cut) = Connection::new(id, shared.queue, false);
        talk.begin(&mut floor.venue, &mut connection);
        (connection, queue, cut)
    };
    let mut line = Line { socket, queue, cut, unanswered: 0 };
    line.serve(&shared, &mut connection, talk.as_mut()).await;
    shared.floor().venue.hub.leave(&connection);
}

struct Line {
    socket: WebSocket,
    queue: mpsc::Receiver<Utf8Bytes>,
    cut: Arc<Notify>,
    /// Pings in a row without a pong.
    unanswered: u32,
}

impl Line {
    async fn serve(&mut self, shared: &Shared, connection: &mut Connection, talk: &mut dyn Talk) {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.tick().await;
        let mut heard = Vec::with_capacity(BATCH);
        let mut told = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = self.cut.notified() => return,
                count = self.queue.recv_many(&mut told, BATCH) => {
                    if count == 0 {
                        return;
                    }
                }
                _ = ping.tick() => {
                    self.unanswered += 1;
                    if self.unanswered > 3 || !self.send([Message::Ping(Vec::new().into())]).await {
                        return;
                    }
                }
                first = self.socket.next() => {
                    if !self.collect(first, &mut heard) {
                        return;
                    }
                }
            }
            if !heard.is_empty() {
                let replies = answer(shared, connection, talk, &heard).await;
                heard.clear();
                told.extend(replies.into_iter().map(Utf8Bytes::from));
            }
            if !told.is_empty() && !self.send(told.drain(..).map(Message::Text)).await {
                return;
            }
        }
    }

    /// A message and those behind it that are there already. Returns whether the connection lives.
    fn collect(
        &mut self,
        first: Option<Result<Message, axum::Error>>,
        heard: &mut Vec<Utf8Bytes>,
    ) -> bool {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Some(Ok(Message::Text(text))) => heard.push(text),
                Some(Ok(Message::Pong(_))) => self.unanswered = 0,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
                Some(Ok(_)) => {}
            }
            if heard.len() >= BATCH {
                return true;
            }
            next = self.socket.next().now_or_never();
        }
        true
    }

    /// Writes messages at once. Returns whether the client took them.
    async fn send(&mut self, messages: impl IntoIterator<Item = Message>) -> bool {
        let writing = async {
            for message in messages {
                self.socket.feed(message).await?;
            }
            self.socket.flush().await
        };
        matches!(tokio::time::timeout(SEND_WITHIN, writing).await, Ok(Ok(())))
    }
}

/// The replies to messages; those that are to suffer come late, or with what the fault says.
async fn answer(
    shared: &Shared,
    connection: &mut Connection,
    talk: &mut dyn Talk,
    heard: &[Utf8Bytes],
) -> Vec<String> {
    let mut replies = Vec::with_capacity(heard.len());
    let mut rest = heard.iter();
    while let Some(text) = rest.as_slice().first() {
        let delay = {
            let mut floor = shared.floor();
            if !floor.venue.faults.touch_requests() && floor.venue.plan.left() == 0 {
                for text in rest.by_ref() {
                    talk.hear(&mut floor.venue, connection, text, None, &mut replies);
                }
                floor.tell();
                break;
            }
            floor.venue.draw_delay()
        };
        tokio::time::sleep(delay).await;
        let mut floor = shared.floor();
        let is_order = floor.venue.plan.left() > 0 && talk.is_order(text);
        let fault = floor.venue.draw_fault(is_order);
        talk.hear(&mut floor.venue, connection, text, fault, &mut replies);
        floor.tell();
        rest.next();
    }
    replies
}
