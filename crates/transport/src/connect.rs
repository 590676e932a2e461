//! Making a connection: name, TCP, proxy, TLS, each within one deadline.
//!
//! All of it blocks, so it is done on a thread that lives as long as the attempt. Nothing of a request
//! has been sent when an attempt fails.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use rustls::ClientConnection;

use crate::address::Origin;
use crate::proxy::Proxy;
use crate::tls::Tls;

/// How connections are made.
#[derive(Clone, Debug)]
pub struct Route {
    /// What encrypted connections share.
    pub tls: Tls,
    /// The proxy on the way.
    pub proxy: Option<Proxy>,
    /// From the beginning of an attempt to a connection that can be used.
    pub patience: Duration,
}

/// A connection that blocks, with a deadline on every step.
pub struct Connection {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    deadline: Instant,
}

impl Connection {
    /// Connects to an origin.
    ///
    /// # Errors
    /// Says which step failed; the message names host and port and nothing else of the address.
    pub fn open(route: &Route, origin: &Origin) -> io::Result<Self> {
        let deadline = Instant::now() + route.patience;
        let (host, port, to) = match &route.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port, "the proxy"),
            None => (origin.host.as_str(), origin.port, "the venue"),
        };
        let place = |error: io::Error| explain(error, &format!("{to} at {host}:{port}"));
        let tcp = connect_tcp(host, port, deadline).map_err(place)?;
        tcp.set_nodelay(true)?;
        let mut connection = Self { tcp, tls: None, deadline };
        if let Some(proxy) = &route.proxy {
            proxy.open(&mut connection.timed(), origin).map_err(place)?;
        }
        if origin.scheme.is_encrypted() {
            connection.encrypt(&route.tls, origin)?;
        }
        Ok(connection)
    }

    fn encrypt(&mut self, tls: &Tls, origin: &Origin) -> io::Result<()> {
        let mut client = tls.client(&origin.host).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidInput, error.message().to_owned())
        })?;
        while client.is_handshaking() {
            client
                .complete_io(&mut self.timed())
                .map_err(|error| explain(error, &format!("TLS with {origin}")))?;
        }
        self.tls = Some(Box::new(client));
        Ok(())
    }

    fn timed(&mut self) -> Timed<'_> {
        Timed { tcp: &self.tcp, deadline: self.deadline }
    }

    /// The socket and its encryption, handshakes done.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Option<Box<ClientConnection>>) {
        (self.tcp, self.tls)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = Timed { tcp: &self.tcp, deadline: self.deadline };
        match &mut self.tls {
            None => socket.read(buffer),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut socket).read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = Timed { tcp: &self.tcp, deadline: self.deadline };
        match &mut self.tls {
            None => socket.write(bytes),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut socket = Timed { tcp: &self.tcp, deadline: self.deadline };
        match &mut self.tls {
            None => socket.flush(),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut socket).flush(),
        }
    }
}

/// A socket whose every step ends at a deadline, however slowly the other side drips.
struct Timed<'a> {
    tcp: &'a TcpStream,
    deadline: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out());
        }
        Ok(left)
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.left()?))?;
        self.tcp.read(buffer).map_err(as_timeout)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.left()?))?;
        self.tcp.write(bytes).map_err(as_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tries the addresses of a name in turn, IPv4 and IPv6 as the system orders them. Each but the last
/// gets half of the time that is left.
fn connect_tcp(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out());
        }
        let share = if at + 1 == addresses.len() { left } else { left / 2 };
        match TcpStream::connect_timeout(address, share) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

/// A socket's own timeout has two names.
fn as_timeout(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => timed_out(),
        _ => error,
    }
}

fn explain(error: io::Error, place: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}
