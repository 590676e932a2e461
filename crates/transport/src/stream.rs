//! A TCP connection that never blocks, in the clear or by TLS.

use std::io::{self, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;

/// A connection that is established: readable and writable as far as it goes, then `WouldBlock`.
pub struct Stream {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Bytes that were handed to the system, TLS records included.
    sent: u64,
}

impl Stream {
    /// Takes over a connection whose handshakes are done; from here on it does not block.
    ///
    /// # Errors
    /// When the socket cannot be switched.
    pub fn new(tcp: std::net::TcpStream, tls: Option<Box<ClientConnection>>) -> io::Result<Self> {
        tcp.set_read_timeout(None)?;
        tcp.set_write_timeout(None)?;
        tcp.set_nonblocking(true)?;
        Ok(Self { tcp: TcpStream::from_std(tcp), tls, sent: 0 })
    }

    /// The socket, to be watched.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Bytes that were handed to the system since the connection was taken over.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether TLS has records that the system did not take yet.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }
}

struct Counted<'a> {
    tcp: &'a mut TcpStream,
    sent: &'a mut u64,
}

impl Read for Counted<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retried(|| self.tcp.read(buffer))
    }
}

impl Write for Counted<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = retried(|| self.tcp.write(bytes))?;
        *self.sent += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn retried(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match step() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = Counted { tcp: &mut self.tcp, sent: &mut self.sent };
        match &mut self.tls {
            None => socket.read(buffer),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut socket).read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = Counted { tcp: &mut self.tcp, sent: &mut self.sent };
        match &mut self.tls {
            None => socket.write(bytes),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut socket).write(bytes),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        let mut socket = Counted { tcp: &mut self.tcp, sent: &mut self.sent };
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut socket).flush(),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("encrypted", &self.tls.is_some()).finish_non_exhaustive()
    }
}
