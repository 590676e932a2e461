//! Heads of HTTP messages: one writer and one reader for requests, upgrades and proxies.

use std::io::{self, Read};

/// Longest head of an answer that is read.
pub const MAX_HEAD: usize = 32 * 1024;

/// Most header fields of an answer.
const MAX_FIELDS: usize = 100;

/// The head of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Whether it is of HTTP/1.0, which keeps no connection unless it says so.
    pub is_old: bool,
    /// Header fields in their order; names as they were sent.
    pub fields: Vec<(String, String)>,
    /// Bytes of the head, its empty line included.
    pub length: usize,
}

impl Head {
    /// The first value of a field, whatever the case of its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a list-valued field (`Connection`, `Transfer-Encoding`) holds a word.
    #[must_use]
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.listed(name).any(|one| one.eq_ignore_ascii_case(word))
    }

    /// Whether the answer itself is still to come (RFC 9110, section 15.2).
    #[must_use]
    pub const fn is_provisional(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// What a list-valued field holds, in all its lines.
    pub fn listed<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let named = self.fields.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.flat_map(|(_, value)| value.split(',')).map(str::trim)
    }
}

/// Reads a head from the beginning of `bytes`; `None` while it is not whole.
///
/// # Errors
/// When it is malformed or too long.
pub fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let fields = response.headers.iter();
            Ok(Some(Head {
                status: response.code.unwrap_or(0),
                is_old: response.version == Some(0),
                fields: fields.map(|field| (field.name.to_owned(), text(field.value))).collect(),
                length,
            }))
        }
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => Ok(None),
        Ok(httparse::Status::Partial) => Err(malformed("the head of the answer is too long")),
        Err(_) => Err(malformed("the answer is not HTTP")),
    }
}

/// Reads the head of an answer from a stream in pieces of `piece` bytes, provisional ones before it left
/// out; also gives what came behind it, which is nothing when that is 1.
///
/// # Errors
/// When the stream ends or fails before it is whole, or it is malformed.
pub fn read_head<S: Read>(stream: &mut S, piece: usize) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1_024);
    let mut buffer = vec![0; piece.max(1)];
    loop {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            let what = "the connection was closed before the answer was whole";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        bytes.extend_from_slice(&buffer[..got]);
        // A head cannot be whole before its empty line.
        if bytes.ends_with(b"\n") || piece > 1 {
            while let Some(head) = parse(&bytes)? {
                let rest = bytes.split_off(head.length);
                if !head.is_provisional() {
                    return Ok((head, rest));
                }
                bytes = rest;
            }
        } else if bytes.len() >= MAX_HEAD {
            return Err(malformed("the head of the answer is too long"));
        }
    }
}

/// Whether a header can be sent: no line may be broken out of it.
#[must_use]
pub fn is_sendable(name: &str, value: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(token)
        && value.bytes().all(|byte| (byte >= 32 && byte != 127) || byte == b'\t')
}

pub(crate) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provisional_answers_are_read_over() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n\
            HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\nrest";
        for piece in [1, 7, 4_096] {
            let (head, rest) = read_head(&mut text.as_slice(), piece).unwrap();
            assert_eq!((head.status, head.field("upgrade")), (101, Some("websocket")));
            assert!(b"rest".starts_with(&rest) && (piece < 9 || rest == b"rest"), "{piece}");
        }
        assert!(read_head(&mut &text[..30], 7).is_err(), "nothing follows");
    }

    #[test]
    fn a_head_is_read_from_pieces_and_what_follows_is_kept() {
        let text =
            b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nConnection: Keep-Alive, Close\r\n\r\nrest";
        for piece in [1, 7, 4_096] {
            let (head, rest) = read_head(&mut text.as_slice(), piece).unwrap();
            assert_eq!((head.status, head.field("retry-after")), (429, Some("3")));
            assert!(head.lists("connection", "close") && !head.lists("connection", "upgrade"));
            let seen = head.length + rest.len();
            assert!(seen <= text.len() && text[head.length..seen] == rest[..]);
        }
        assert!(read_head(&mut b"HTTP/1.1 200".as_slice(), 1).is_err());
        assert!(read_head(&mut b"garbage\r\n\r\n".as_slice(), 1).is_err());
        assert!(read_head(&mut vec![b'a'; 100_000].as_slice(), 1).is_err());
    }

    #[test]
    fn no_header_breaks_out_of_its_line() {
        assert!(is_sendable("X-MBX-APIKEY", "abc"));
        assert!(
            !is_sendable("X", "a\r\nY: b") && !is_sendable("X: y", "a") && !is_sendable("", "")
        );
    }
}
