//! The client's side of a WebSocket (RFC 6455) on a connection that never blocks.

use std::io::{self, Read, Write};
use std::time::Duration;

use mainspring_venues::outgoing::Reply;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket as Protocol, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, Utf8Bytes};
use zeroize::Zeroizing;

use crate::address::Url;
use crate::head::{self, Head};
use crate::stream::Stream;

/// How long a ban lasts at least, where the venue does not say it.
const BAN: Duration = Duration::from_secs(120);

/// No longer is waited for, whatever an answer says.
const LONGEST_BAN: Duration = Duration::from_secs(86_400);

/// Bounds of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// Longest message that is taken; a longer one ends the connection.
    pub message_bytes: usize,
    /// Bytes that may wait to be sent; more ends the connection.
    pub waiting_bytes: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self { message_bytes: 16 << 20, waiting_bytes: 1 << 20 }
    }
}

/// What to send.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping frame.
    Ping(Vec<u8>),
}

impl std::fmt::Debug for Payload {
    /// Keys and signatures go out in messages: none is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, length) = match self {
            Self::Text(text) => ("Text", text.len()),
            Self::Binary(bytes) => ("Binary", bytes.len()),
            Self::Ping(bytes) => ("Ping", bytes.len()),
        };
        write!(f, "{name}({length} bytes)")
    }
}

/// What came.
#[derive(Debug)]
pub enum Incoming {
    /// A whole text or binary message.
    Message(Bytes),
    /// A ping, answered already: a sign of life.
    Ping,
    /// The answer to a ping.
    Pong,
}

/// The venue refused a WebSocket; inside the error of [`upgrade`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// How long to leave the venue alone, where it says so or bans.
    pub wait: Option<Duration>,
}

impl Refused {
    fn by(answer: &Head) -> Self {
        let headers: Vec<(&str, &str)> =
            answer.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = Reply { status: answer.status, headers: &headers, body: b"" };
        let wait = reply.retry_after_ms().map(Duration::from_millis);
        let banned = (answer.status == 418).then_some(BAN);
        Self { status: answer.status, wait: wait.or(banned).map(|wait| wait.min(LONGEST_BAN)) }
    }

    /// What an error of [`upgrade`] holds.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the venue answered {} to the upgrade", self.status)?;
        match self.wait {
            Some(wait) => write!(f, ", to be tried again after {} s", wait.as_secs()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

/// Asks on a fresh connection for a WebSocket; gives the bytes that came behind the answer.
///
/// # Errors
/// When the venue answers anything but 101, or its proof is wrong. Path, headers and the answer's body
/// are not part of the message.
pub fn upgrade<S: Read + Write>(
    stream: &mut S,
    url: &Url,
    headers: &[(&'static str, String)],
) -> io::Result<Vec<u8>> {
    let key = generate_key();
    let mut text = Zeroizing::new(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
        url.target,
        url.origin.authority(),
    ));
    for (name, value) in headers {
        if !head::is_sendable(name, value) {
            return Err(head::malformed("a header of the upgrade cannot be sent"));
        }
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())?;
    stream.flush()?;
    let (answer, rest) = head::read_head(stream, 4_096)?;
    if answer.status != 101 {
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, Refused::by(&answer)));
    }
    let proof = answer.field("sec-websocket-accept").map(str::trim);
    let proven = proof == Some(derive_accept_key(key.as_bytes()).as_str());
    if !proven || !answer.lists("upgrade", "websocket") || !answer.lists("connection", "upgrade") {
        return Err(head::malformed("the answer to the upgrade is not that of a WebSocket"));
    }
    Ok(rest)
}

/// An open WebSocket.
pub struct WebSocket {
    protocol: Protocol<Stream>,
    unsent: bool,
}

impl WebSocket {
    /// Takes over an upgraded connection and what came behind the answer.
    #[must_use]
    pub fn new(stream: Stream, rest: Vec<u8>, limits: SocketLimits) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes))
            .write_buffer_size(0)
            .max_write_buffer_size(limits.waiting_bytes);
        let protocol = Protocol::from_partially_read(stream, rest, Role::Client, Some(config));
        Self { protocol, unsent: false }
    }

    /// The connection under it.
    pub fn stream(&mut self) -> &mut Stream {
        self.protocol.get_mut()
    }

    /// The next message; `None` when nothing more is there now.
    ///
    /// # Errors
    /// When the connection ended or was broken; the message says why, for people.
    pub fn receive(&mut self) -> Result<Option<Incoming>, String> {
        loop {
            return match self.protocol.read() {
                Ok(Message::Text(text)) => Ok(Some(Incoming::Message(text.into()))),
                Ok(Message::Binary(bytes)) => Ok(Some(Incoming::Message(bytes))),
                Ok(Message::Ping(_)) => {
                    // The answer to it is ready, and leaves now.
                    self.flush()?;
                    Ok(Some(Incoming::Ping))
                }
                Ok(Message::Pong(_)) => Ok(Some(Incoming::Pong)),
                Ok(Message::Close(frame)) => {
                    // The answer to it is ready. Nothing follows, however long the other side takes.
                    let _ = self.flush();
                    return Err(goodbye(frame.map(|frame| frame.code.into())));
                }
                Ok(Message::Frame(_)) => continue,
                Err(error) if is_not_now(&error) => Ok(None),
                Err(error) => Err(explain(&error)),
            };
        }
    }

    /// Sends as far as the system takes it; the rest goes with [`Self::flush`].
    ///
    /// # Errors
    /// When the connection ended, or too much waits to be sent.
    pub fn send(&mut self, payload: Payload) -> Result<(), String> {
        let message = match payload {
            Payload::Text(text) => Message::Text(Utf8Bytes::from(text)),
            Payload::Binary(bytes) => Message::Binary(bytes.into()),
            Payload::Ping(bytes) => Message::Ping(bytes.into()),
        };
        match self.protocol.write(message) {
            Ok(()) => self.flush(),
            Err(error) if is_not_now(&error) => {
                self.unsent = true;
                Ok(())
            }
            Err(error) => Err(explain(&error)),
        }
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// When the connection ended.
    pub fn flush(&mut self) -> Result<(), String> {
        match self.protocol.flush() {
            Ok(()) => {
                self.unsent = false;
                Ok(())
            }
            Err(error) if is_not_now(&error) => {
                self.unsent = true;
                Ok(())
            }
            Err(error) => Err(explain(&error)),
        }
    }

    /// Whether something waits to be sent.
    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        self.unsent
    }

    /// Says goodbye, as far as the system takes it.
    pub fn close(&mut self) {
        let _ = self.protocol.close(None);
        let _ = self.protocol.flush();
    }
}

fn is_not_now(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The code of a close frame; its words may repeat what was sent.
fn goodbye(code: Option<u16>) -> String {
    match code {
        Some(code) => format!("the venue closed it (code {code})"),
        None => "the venue closed it".to_owned(),
    }
}

/// Why a connection ended, in words that hold nothing of what was sent.
fn explain(error: &Error) -> String {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "the venue closed it".to_owned(),
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was cut without a goodbye".to_owned()
        }
        Error::Io(error) => format!("the connection failed: {}", error.kind()),
        Error::Capacity(_) => "a message is longer than is taken".to_owned(),
        Error::WriteBufferFull(_) => {
            "too much waits to be sent: the venue takes nothing".to_owned()
        }
        Error::Utf8(_) => "a text message is not UTF-8".to_owned(),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            "the connection was cut without a goodbye".to_owned()
        }
        Error::Protocol(broken) => format!("the venue broke the protocol: {broken}"),
        _ => "the connection failed".to_owned(),
    }
}
