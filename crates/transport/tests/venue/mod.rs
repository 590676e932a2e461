//! Small servers that behave well or badly, and an I/O thread to turn by hand.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mainspring_live::WallClock;
use mainspring_transport::backoff::BackOffConfig;
use mainspring_transport::connect::Route;
use mainspring_transport::io::{CallLimits, Io, IoConfig, IoEvent};
use mainspring_transport::lines::Places;
use mainspring_transport::proxy::Proxy;
use mainspring_transport::pulse::PulseConfig;
use mainspring_transport::tls::Tls;
use mainspring_transport::websocket::SocketLimits;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::{Message, WebSocket};

/// What must never be seen anywhere.
pub const SECRET: &str = "hunter2secret";

/// Settings with short waits.
pub fn config() -> IoConfig {
    IoConfig {
        route: Route {
            tls: Tls::new(None).unwrap(),
            proxy: None,
            patience: Duration::from_millis(1_500),
        },
        limits: SocketLimits { message_bytes: 64 * 1024, waiting_bytes: 64 * 1024 },
        pulse: PulseConfig {
            ask_after: Duration::from_millis(150),
            dead_after: Duration::from_millis(400),
            stuck_after: Duration::from_millis(300),
        },
        back_off: BackOffConfig {
            first: Duration::from_millis(40),
            longest: Duration::from_millis(200),
            good_after: Duration::from_secs(60),
        },
        calls: CallLimits {
            connections: Places { all: 2, for_orders: 0, for_cancels: 0 },
            waiting: 4,
            patience: Duration::from_millis(600),
            body_bytes: 10_000,
            idle: Duration::from_millis(300),
        },
        seed: 1,
        busy_poll: false,
    }
}

pub fn io(config: IoConfig) -> Io {
    Io::new(config, WallClock::new()).unwrap()
}

pub fn through(text: &str) -> IoConfig {
    let mut config = config();
    config.route.proxy = Some(Proxy::parse(text).unwrap());
    config
}

/// Turns until `wanted` has picked an event; everything else is dropped after a look for secrets.
pub fn wait<T>(io: &mut Io, mut wanted: impl FnMut(&IoEvent) -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        io.turn(Duration::from_millis(20)).unwrap();
        while let Some(event) = io.next_event() {
            let shown = match &event {
                IoEvent::Closed { reason, .. } | IoEvent::Failed { reason, .. } => reason.clone(),
                _ => String::new(),
            };
            assert!(!shown.contains(SECRET), "{shown}");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
        assert!(Instant::now() < until, "waited in vain");
    }
}

pub fn wait_open(io: &mut Io, socket: u64) {
    wait(io, |event| match event {
        IoEvent::Opened { key } if *key == socket => Some(Ok(())),
        IoEvent::Closed { key, reason } if *key == socket => Some(Err(reason.clone())),
        _ => None,
    })
    .unwrap();
}

pub fn wait_closed(io: &mut Io, socket: u64) -> String {
    wait(io, |event| match event {
        IoEvent::Closed { key, reason } if *key == socket => Some(reason.clone()),
        _ => None,
    })
}

pub fn wait_text(io: &mut Io, socket: u64) -> String {
    wait(io, |event| match event {
        IoEvent::Message { key, bytes, .. } if *key == socket => {
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        }
        _ => None,
    })
}

/// The answer's status and body, or whether it was perhaps sent and why it failed.
pub fn wait_answer(io: &mut Io, call: u64) -> Result<(u16, Vec<u8>), (bool, String)> {
    wait(io, |event| match event {
        IoEvent::Response { key, response } if *key == call => {
            Some(Ok((response.head.status, response.body.clone())))
        }
        IoEvent::Failed { key, perhaps_sent, reason } if *key == call => {
            Some(Err((*perhaps_sent, reason.clone())))
        }
        _ => None,
    })
}

/// Serves each connection with `serve`, which is told its number; gives the port.
pub fn serve(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (at, stream) in listener.incoming().flatten().enumerate() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(at, stream));
        }
    });
    port
}

/// Answers every text with itself.
pub fn echo<S: Read + Write>(stream: S) {
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).is_err()
        {
            return;
        }
    }
}

pub fn accept(stream: TcpStream) -> WebSocket<TcpStream> {
    tungstenite::accept(stream).unwrap()
}

/// A certificate for `localhost` with its root, made here.
pub struct Certificate {
    pub root_pem: String,
    config: Arc<ServerConfig>,
}

pub fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Certificate { root_pem: made.cert.pem(), config: Arc::new(config) }
}

impl Certificate {
    pub fn wrap(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(Arc::clone(&self.config)).unwrap(), stream)
    }
}

/// Reads one request; its head and body.
pub fn read_request<S: Read>(stream: &mut S) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

pub fn answer<S: Write>(stream: &mut S, status: &str, body: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(text.as_bytes());
}

/// Moves bytes both ways until either side ends.
pub fn pipe(a: TcpStream, b: TcpStream) {
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        })
    };
    let there = copy(a.try_clone().unwrap(), b.try_clone().unwrap());
    let back = copy(b, a);
    let _ = (there.join(), back.join());
}

/// What a server saw, for the test to read.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
