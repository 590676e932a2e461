//! A client that loads a server: signed orders over several WebSockets of the API at once.
//!
//! The frames are signed before the clock starts, so that what is measured is the server. Each
//! connection sends a burst, waits for its answers, and sends the next.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use mainspring_core::{Error, ErrorKind, Result};
use sha2::Sha256;

/// Longest that a load may take.
const AT_MOST: Duration = Duration::from_secs(60);
/// Most orders of a load.
const MOST_ORDERS: usize = 5_000_000;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The API key.
    pub key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// Symbol.
    pub symbol: &'a str,
    /// Connections.
    pub connections: usize,
    /// Orders of each.
    pub orders: usize,
    /// Orders of a burst.
    pub burst: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Orders that were accepted.
    pub accepted: usize,
    /// Orders that were refused.
    pub refused: usize,
    /// From the first burst to the last answer.
    pub seconds: f64,
    /// Microseconds from an order's burst to its answer, ascending.
    pub latencies_us: Vec<f64>,
}

impl Report {
    /// A quantile of the latencies.
    #[must_use]
    pub fn latency_us(&self, share: f64) -> f64 {
        let at = ((self.latencies_us.len() as f64 * share) as usize)
            .min(self.latencies_us.len().saturating_sub(1));
        self.latencies_us.get(at).copied().unwrap_or(0.0)
    }
}

/// Loads a server that speaks Binance's protocol on this machine.
///
/// # Errors
/// When the load is not bounded, the address is not of this machine, or a connection fails.
pub fn run(address: SocketAddr, load: &Load<'_>) -> Result<Report> {
    let all = load.connections.saturating_mul(load.orders);
    if all == 0 || all > MOST_ORDERS || load.burst == 0 || load.connections > 64 {
        let message = format!("load: 1 to 64 connections and 1 to {MOST_ORDERS} orders, not {all}");
        return Err(Error::new(ErrorKind::Value, message));
    }
    if !address.ip().is_loopback() {
        let message = format!("load: {address} is not this machine; others are not loaded");
        return Err(Error::new(ErrorKind::Value, message));
    }
    let mut clients = Vec::with_capacity(load.connections);
    for number in 0..load.connections {
        clients.push(Client::open(address, bursts(load, number))?);
    }
    let started = Instant::now();
    let parts: Vec<Result<Report>> = std::thread::scope(|scope| {
        let running: Vec<_> =
            clients.into_iter().map(|client| scope.spawn(move || client.run(started))).collect();
        running.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(broken()))).collect()
    });
    let mut whole = Report { seconds: started.elapsed().as_secs_f64(), ..Report::default() };
    for part in parts {
        let part = part?;
        whole.accepted += part.accepted;
        whole.refused += part.refused;
        whole.latencies_us.extend(part.latencies_us);
    }
    whole.latencies_us.sort_by(f64::total_cmp);
    Ok(whole)
}

fn broken() -> Error {
    Error::new(ErrorKind::Io, "load: a connection ended before all was answered")
}

/// The frames of a connection, a burst at a time: buys far under any market, which end at once.
fn bursts(load: &Load<'_>, number: usize) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let key = Hmac::<Sha256>::new_from_slice(load.secret.as_bytes());
    let mut bursts = Vec::with_capacity(load.orders.div_ceil(load.burst));
    for first in (0..load.orders).step_by(load.burst) {
        let mut frames = Vec::with_capacity(load.burst * 420);
        for order in first..(first + load.burst).min(load.orders) {
            let payload = format!(
                "apiKey={}&newClientOrderId=load-{number}-{order}&newOrderRespType=ACK&price=10000\
                 &quantity=0.01&recvWindow=60000&side=BUY&symbol={}&timeInForce=IOC\
                 &timestamp={now}&type=LIMIT",
                load.key, load.symbol
            );
            let mut signature = String::with_capacity(64);
            if let Ok(mut mac) = key.clone() {
                mac.update(payload.as_bytes());
                for byte in mac.finalize().into_bytes() {
                    signature.push_str(&format!("{byte:02x}"));
                }
            }
            let text = format!(
                "{{\"id\":{order},\"method\":\"order.place\",\"params\":{{\"apiKey\":\"{}\",\
                 \"newClientOrderId\":\"load-{number}-{order}\",\"newOrderRespType\":\"ACK\",\
                 \"price\":\"10000\",\"quantity\":\"0.01\",\"recvWindow\":60000,\"side\":\"BUY\",\
                 \"symbol\":\"{}\",\"timeInForce\":\"IOC\",\"timestamp\":{now},\"type\":\"LIMIT\",\
                 \"signature\":\"{signature}\"}}}}",
                load.key, load.symbol
            );
            push_frame(&mut frames, text.as_bytes());
        }
        bursts.push(frames);
    }
    bursts
}

/// A text frame of a client (RFC 6455, section 5.2). Its mask is of zeros, which leaves it as it is.
fn push_frame(into: &mut Vec<u8>, text: &[u8]) {
    into.push(0x81);
    match text.len() {
        length @ 0..=125 => into.push(0x80 | length as u8),
        length @ 126..=65_535 => {
            into.push(0x80 | 126);
            into.extend((length as u16).to_be_bytes());
        }
        length => {
            into.push(0x80 | 127);
            into.extend((length as u64).to_be_bytes());
        }
    }
    into.extend([0; 4]);
    into.extend(text);
}

struct Client {
    socket: TcpStream,
    bursts: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Client {
    fn open(address: SocketAddr, bursts: Vec<Vec<u8>>) -> Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(AT_MOST))?;
        let request = format!(
            "GET /ws-api/v3 HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: bWFpbnNwcmluZyBsb2FkIQ==\r\n\r\n"
        );
        socket.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(Error::new(
                ErrorKind::Io,
                "load: the server does not speak WebSocket here",
            ));
        }
        Ok(Self { socket, bursts, buffer: Vec::with_capacity(1 << 16) })
    }

    fn run(mut self, started: Instant) -> Result<Report> {
        let mut report = Report::default();
        for frames in std::mem::take(&mut self.bursts) {
            if started.elapsed() > AT_MOST {
                break;
            }
            let sent = Instant::now();
            self.socket.write_all(&frames)?;
            let mut answered = 0;
            let expected = count_frames(&frames);
            while answered < expected {
                let status = self.answer()?;
                report.latencies_us.push(sent.elapsed().as_secs_f64() * 1e6);
                answered += 1;
                if status {
                    report.accepted += 1;
                } else {
                    report.refused += 1;
                }
            }
        }
        Ok(report)
    }

    /// The next answer: whether it says that the order was accepted.
    fn answer(&mut self) -> Result<bool> {
        loop {
            if let Some((is_text, start, end)) = frame(&self.buffer) {
                let accepted =
                    self.buffer[start..end].windows(12).any(|part| part == b"\"status\":200");
                self.buffer.drain(..end);
                if is_text {
                    return Ok(accepted);
                }
                continue;
            }
            let mut more = [0; 1 << 14];
            let count = self.socket.read(&mut more)?;
            if count == 0 {
                return Err(broken());
            }
            self.buffer.extend_from_slice(&more[..count]);
        }
    }
}

/// The first whole frame of a server's bytes: whether it is text, and where its payload is.
fn frame(bytes: &[u8]) -> Option<(bool, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        length => (usize::from(length), 2_usize),
    };
    let end = start.checked_add(length)?;
    (bytes.len() >= end).then_some((first & 0x0f == 1, start, end))
}

/// How many frames of a client there are in bytes.
fn count_frames(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some((_, start, end)) = frame_at(bytes, at) {
        debug_assert!(start <= end, "a payload ends behind its start");
        at = end;
        count += 1;
    }
    count
}

fn frame_at(bytes: &[u8], at: usize) -> Option<(bool, usize, usize)> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let (is_text, start, end) = frame(rest)?;
    // A client's frame has a mask of four bytes in front of its payload.
    Some((is_text, at + start + 4, at + end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_and_counted_in_all_lengths() {
        let mut bytes = Vec::new();
        for length in [5, 125, 126, 70_000] {
            push_frame(&mut bytes, &vec![b'x'; length]);
        }
        assert_eq!(count_frames(&bytes), 4);
        assert_eq!(frame(b"\x81\x02hi!"), Some((true, 2, 4)));
        assert_eq!(frame(b"\x81\x05hi"), None);
        assert_eq!(frame(b"\x89\x00"), Some((false, 2, 2)));
    }
}
