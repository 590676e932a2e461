//! Where a connection goes.

use std::fmt;

use mainspring_core::{Error, ErrorKind, Result};

/// What is spoken, and whether by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// WebSocket in the clear.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    const ALL: [(&'static str, Self); 4] = [
        ("ws://", Self::Ws),
        ("wss://", Self::Wss),
        ("http://", Self::Http),
        ("https://", Self::Https),
    ];

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Wss | Self::Https)
    }

    /// Whether it is a WebSocket.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    const fn port(self) -> u16 {
        if self.is_encrypted() {
            443
        } else {
            80
        }
    }
}

/// A host that is reached in one way: connections to the same origin can be shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// What is spoken.
    pub scheme: Scheme,
    /// Name or address of the host, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Origin {
    /// Host and port as the `Host` header and proxies have them.
    #[must_use]
    pub fn authority(&self) -> String {
        let brackets = self.host.contains(':');
        let host = if brackets { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Scheme::ALL.iter().find(|(_, scheme)| *scheme == self.scheme);
        write!(f, "{}{}", name.map_or("", |(name, _)| name), self.authority())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address. Path and query hold keys of user streams and signatures, so neither is ever shown:
/// `Debug` and `Display` print the origin.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// The host.
    pub origin: Origin,
    /// Path and query, beginning with a slash.
    pub target: String,
}

impl Url {
    /// Reads `scheme://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// When it is something else, or has characters that do not belong in a request line. The message
    /// does not repeat the text.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |what: &str| {
            Err(Error::new(ErrorKind::Config, format!("an address of a venue {what}")))
        };
        let found = Scheme::ALL.iter().find_map(|(name, scheme)| {
            let begins = text.get(..name.len())?.eq_ignore_ascii_case(name);
            begins.then(|| (*scheme, &text[name.len()..]))
        });
        let Some((scheme, rest)) = found else {
            return bad("begins with none of ws://, wss://, http://, https://");
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        if authority.contains('@') {
            return bad("holds a user or password; give keys by configuration");
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains('#') {
            return bad("has a path or query with characters that must be percent-encoded");
        }
        let Some((host, port)) = split_port(authority, scheme.port()) else {
            return bad("has no host, or a port that is no number from 1 to 65535");
        };
        let target = match target {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Self { origin: Origin { scheme, host, port }, target })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.origin, f)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/..", self.origin)
    }
}

/// Host and port of an authority; the host in lower case and without brackets.
pub(crate) fn split_port(authority: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(known) {
        return None;
    }
    let port =
        if port.is_empty() { default } else { port.parse().ok().filter(|port| *port > 0)? };
    Some((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_parts() {
        let url = Url::parse("wss://Stream.Binance.com:9443/ws/secretkey?x=1").unwrap();
        assert_eq!(url.origin.host, "stream.binance.com");
        assert_eq!((url.origin.port, url.target.as_str()), (9443, "/ws/secretkey?x=1"));
        assert_eq!(url.origin.authority(), "stream.binance.com:9443");
        let url = Url::parse("http://[::1]:8080").unwrap();
        assert_eq!((url.origin.host.as_str(), url.target.as_str()), ("::1", "/"));
        assert_eq!(url.origin.authority(), "[::1]:8080");
        assert_eq!(Url::parse("https://a.b?q=1").unwrap().target, "/?q=1");
        assert_eq!(Url::parse("https://a.b").unwrap().origin.authority(), "a.b");
    }

    #[test]
    fn an_address_shows_no_path_and_no_error_repeats_it() {
        let url = Url::parse("wss://a.b/ws/secretkey").unwrap();
        assert!(!format!("{url:?} {url}").contains("secretkey"));
        for text in [
            "ftp://secretkey",
            "wss://user:secretkey@host/",
            "wss://host:0/secretkey",
            "wss:///secretkey",
            "wss://host/secret key",
            "wss://host/secretkey\r\nX: y",
            "http://[::1/secretkey",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.message().contains("secretkey"), "{error}");
        }
    }
}
