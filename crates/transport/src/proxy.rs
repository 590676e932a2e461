//! The way through a proxy: HTTP CONNECT and SOCKS5 (RFC 1928, with the password of RFC 1929).

use std::fmt;
use std::io::{self, Read, Write};

use base64ct::{Base64, Encoding};
use mainspring_core::{Error, ErrorKind, Result};
use mainspring_venues::secret::Secret;
use zeroize::Zeroizing;

use crate::address::{split_port, Origin};
use crate::head;

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP `CONNECT`.
    Connect,
    /// SOCKS5. Names are resolved by the proxy.
    Socks5,
}

/// A proxy.
#[derive(Clone)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Name or address of the host.
    pub host: String,
    /// Port.
    pub port: u16,
    login: Option<(String, Secret)>,
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]` or `socks5://...`. User and password may be
    /// percent-encoded.
    ///
    /// # Errors
    /// When it is something else. The message does not repeat the text.
    pub fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
        let (kind, default_port) = match scheme {
            "http" => (ProxyKind::Connect, 8080),
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            _ => return Err(bad("begins with neither http:// nor socks5://")),
        };
        let rest = rest.trim_end_matches('/');
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, rest),
        };
        let (host, port) = split_port(authority, default_port)
            .ok_or_else(|| bad("has no host, or a port that is no number from 1 to 65535"))?;
        let login = match login {
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                let decode = |part| {
                    percent_decode(part).ok_or_else(|| bad("has a login that cannot be decoded"))
                };
                let user = String::from_utf8(decode(user)?)
                    .map_err(|_| bad("has a user that is not UTF-8"))?;
                Some((user, Secret::new(decode(password)?)))
            }
            None => None,
        };
        Ok(Self { kind, host, port, login })
    }

    /// Asks the proxy, on a connection to it, for one to `origin`.
    ///
    /// # Errors
    /// When it refuses, or answers what is no answer.
    pub fn open<S: Read + Write>(&self, stream: &mut S, origin: &Origin) -> io::Result<()> {
        match self.kind {
            ProxyKind::Connect => self.connect(stream, origin),
            ProxyKind::Socks5 => self.socks5(stream, origin),
        }
    }

    fn connect<S: Read + Write>(&self, stream: &mut S, origin: &Origin) -> io::Result<()> {
        let brackets = origin.host.contains(':');
        let host = if brackets { format!("[{}]", origin.host) } else { origin.host.clone() };
        let target = format!("{host}:{}", origin.port);
        let mut text = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some((user, password)) = &self.login {
            let mut plain = Zeroizing::new(format!("{user}:").into_bytes());
            plain.extend_from_slice(password.expose());
            let encoded = Zeroizing::new(Base64::encode_string(&plain));
            text.push_str("Proxy-Authorization: Basic ");
            text.push_str(&encoded);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes())?;
        // One byte at a time: what follows the answer belongs to the venue.
        let status = head::read_head(stream, 1)?.0.status;
        match status {
            200..=299 => Ok(()),
            407 => Err(refused("the proxy wants a user and password that it accepts (407)")),
            _ => Err(refused(&format!("the proxy answered {status} to CONNECT"))),
        }
    }

    fn socks5<S: Read + Write>(&self, stream: &mut S, origin: &Origin) -> io::Result<()> {
        let methods: &[u8] = if self.login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        stream.write_all(methods)?;
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen)?;
        match (chosen, &self.login) {
            ([5, 0], _) => {}
            ([5, 2], Some((user, password))) => socks5_login(stream, user, password)?,
            ([5, _], _) => return Err(refused("the SOCKS5 proxy takes no login that was offered")),
            _ => return Err(refused("the proxy does not speak SOCKS5")),
        }
        stream.write_all(&socks5_request(origin)?)?;
        socks5_answer(stream)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({:?} {}:{})", self.kind, self.host, self.port)
    }
}

fn socks5_login<S: Read + Write>(stream: &mut S, user: &str, password: &Secret) -> io::Result<()> {
    let (user, password) = (user.as_bytes(), password.expose());
    let (Ok(user_len), Ok(password_len)) = (u8::try_from(user.len()), u8::try_from(password.len()))
    else {
        return Err(refused("user or password is longer than SOCKS5 takes (255 bytes)"));
    };
    let mut text = Zeroizing::new(vec![1, user_len]);
    text.extend_from_slice(user);
    text.push(password_len);
    text.extend_from_slice(password);
    stream.write_all(&text)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer)?;
    if answer[1] == 0 {
        Ok(())
    } else {
        Err(refused("the SOCKS5 proxy does not accept user and password"))
    }
}

fn socks5_request(origin: &Origin) -> io::Result<Vec<u8>> {
    let mut text = vec![5, 1, 0];
    match origin.host.parse() {
        Ok(std::net::IpAddr::V4(address)) => {
            text.push(1);
            text.extend_from_slice(&address.octets());
        }
        Ok(std::net::IpAddr::V6(address)) => {
            text.push(4);
            text.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length = u8::try_from(origin.host.len())
                .map_err(|_| refused("the host's name is longer than SOCKS5 takes"))?;
            text.extend_from_slice(&[3, length]);
            text.extend_from_slice(origin.host.as_bytes());
        }
    }
    text.extend_from_slice(&origin.port.to_be_bytes());
    Ok(text)
}

fn socks5_answer<S: Read>(stream: &mut S) -> io::Result<()> {
    let mut begin = [0; 4];
    stream.read_exact(&mut begin)?;
    let [version, code, _, kind] = begin;
    if version != 5 {
        return Err(refused("the proxy does not speak SOCKS5"));
    }
    if code != 0 {
        const REASONS: [&str; 8] = [
            "general failure",
            "not allowed by its rules",
            "network unreachable",
            "host unreachable",
            "connection refused",
            "time to live expired",
            "command not supported",
            "address type not supported",
        ];
        let reason = REASONS.get(usize::from(code) - 1).unwrap_or(&"unknown reason");
        return Err(refused(&format!("the SOCKS5 proxy cannot reach the venue: {reason}")));
    }
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => {
            let mut length = [0];
            stream.read_exact(&mut length)?;
            usize::from(length[0])
        }
        _ => return Err(refused("the SOCKS5 proxy names an address of an unknown kind")),
    };
    let mut bound = [0; 257];
    stream.read_exact(&mut bound[..length + 2])
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push((high * 16 + low) as u8);
    }
    Some(out)
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the address of the proxy {what}"))
}

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_and_show_no_login() {
        let proxy = Proxy::parse("http://me:p%40ss@proxy.local:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.local", 3128));
        let (user, password) = proxy.login.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose()), ("me", b"p@ss".as_slice()));
        let text = format!("{proxy:?}");
        assert!(!text.contains("me:") && !text.contains("p@ss"), "{text}");
        assert_eq!(Proxy::parse("socks5://[::1]").unwrap().port, 1080);
        for text in ["ftp://hunter2@a", "http://a:hunter2@:1", "socks5://a:%hunter2@b"] {
            let error = Proxy::parse(text).unwrap_err();
            assert!(!error.message().contains("hunter2"), "{error}");
        }
    }
}
