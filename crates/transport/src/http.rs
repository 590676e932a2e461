//! HTTP/1.1 requests as bytes, and answers from bytes.

use std::io;

use mainspring_venues::outgoing::{Method, Urgency};
use zeroize::Zeroizing;

use crate::address::Url;
use crate::head::{self, Head};

/// A request.
pub struct Request {
    /// What it may overtake of those that wait for the same host.
    pub urgency: Urgency,
    /// Method.
    pub method: Method,
    /// Where to, with the query.
    pub url: Url,
    /// Headers beyond those that every request has.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty for none.
    pub body: String,
}

impl Request {
    /// The request on the wire.
    ///
    /// # Errors
    /// When a header would break out of its line. The message does not repeat it.
    pub fn bytes(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(Vec::with_capacity(512 + self.body.len()));
        let mut push = |parts: &[&str]| parts.iter().for_each(|one| text.extend(one.as_bytes()));
        push(&[self.method.name(), " ", &self.url.target, " HTTP/1.1\r\nHost: "]);
        push(&[&self.url.origin.authority(), "\r\nUser-Agent: mainspring\r\nAccept: */*\r\n"]);
        // Who says nothing may be answered in any coding.
        push(&["Accept-Encoding: identity\r\n"]);
        for (name, value) in &self.headers {
            if !head::is_sendable(name, value) {
                return Err(head::malformed("a header of the request cannot be sent"));
            }
            push(&[name, ": ", value, "\r\n"]);
        }
        if !self.body.is_empty() || matches!(self.method, Method::Post | Method::Put) {
            push(&["Content-Length: ", &self.body.len().to_string(), "\r\n"]);
        }
        push(&["\r\n", &self.body]);
        Ok(text)
    }

    /// Whether asking twice does no more than asking once. Orders may be GETs too: dYdX takes them so.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        matches!((self.method, self.urgency), (Method::Get, Urgency::Question))
    }
}

impl std::fmt::Debug for Request {
    /// Keys and signatures are in headers, query and body: none of them is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {:?})", self.method.name(), self.url)
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status and header fields.
    pub head: Head,
    /// Body.
    pub body: Vec<u8>,
    /// Whether the connection can take another request.
    pub keeps: bool,
}

/// Reads one answer as its bytes come.
#[derive(Debug)]
pub struct Reader {
    raw: Vec<u8>,
    head: Option<Head>,
    body: Vec<u8>,
    state: State,
    most: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    UntilEnd,
    Done,
}

impl Reader {
    /// For an answer whose body has at most `most` bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { raw: Vec::new(), head: None, body: Vec::new(), state: State::Head, most }
    }

    /// Takes bytes; gives the answer once it is whole.
    ///
    /// # Errors
    /// When it is malformed or too long.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<Option<Response>> {
        self.raw.extend_from_slice(bytes);
        while self.step()? {}
        Ok(self.whole())
    }

    /// The connection ended: gives the answer if that was its end.
    pub fn end(&mut self) -> Option<Response> {
        if self.state == State::UntilEnd {
            self.state = State::Done;
        }
        self.whole()
    }

    /// Whether nothing came yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.state == State::Head && self.raw.is_empty()
    }

    fn whole(&mut self) -> Option<Response> {
        if self.state != State::Done {
            return None;
        }
        let head = self.head.take()?;
        // Bytes behind the answer belong to nothing: such a connection is not used again.
        let keeps = self.raw.is_empty() && is_kept_by(&head);
        Some(Response { head, body: std::mem::take(&mut self.body), keeps })
    }

    /// One step; whether another may follow.
    fn step(&mut self) -> io::Result<bool> {
        match self.state {
            State::Done => Ok(false),
            State::Head => self.read_head(),
            State::Length(left) => {
                let left = left - self.move_body(left)?;
                self.state = if left == 0 { State::Done } else { State::Length(left) };
                Ok(false)
            }
            State::UntilEnd => {
                self.move_body(usize::MAX)?;
                Ok(false)
            }
            State::ChunkSize => self.read_chunk_size(),
            State::Chunk(left) => {
                let left = left - self.move_body(left)?;
                self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                Ok(left == 0)
            }
            State::ChunkEnd => match self.line()? {
                None => Ok(false),
                Some(0) => {
                    self.state = State::ChunkSize;
                    Ok(true)
                }
                Some(_) => Err(head::malformed("a chunk of the answer has no end")),
            },
            State::Trailer => match self.line()? {
                None => Ok(false),
                Some(0) => {
                    self.state = State::Done;
                    Ok(false)
                }
                Some(_) => Ok(true),
            },
        }
    }

    fn read_head(&mut self) -> io::Result<bool> {
        let Some(head) = head::parse(&self.raw)? else { return Ok(false) };
        self.raw.drain(..head.length);
        if head.is_provisional() {
            return Ok(true);
        }
        self.state = match framing(&head)? {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length <= self.most => State::Length(length),
            Framing::Length(_) => return Err(self.too_long()),
            Framing::Chunks => State::ChunkSize,
            Framing::UntilEnd => State::UntilEnd,
        };
        self.head = Some(head);
        Ok(true)
    }

    fn read_chunk_size(&mut self) -> io::Result<bool> {
        let bad = || head::malformed("a chunk of the answer has a size that is no number");
        match httparse::parse_chunk_size(&self.raw).map_err(|_| bad())? {
            httparse::Status::Partial if self.raw.len() > 1_024 => Err(bad()),
            httparse::Status::Partial => Ok(false),
            httparse::Status::Complete((length, size)) => {
                self.raw.drain(..length);
                let size = usize::try_from(size).map_err(|_| self.too_long())?;
                self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
                Ok(true)
            }
        }
    }

    /// Moves at most `wanted` bytes into the body; how many it were.
    fn move_body(&mut self, wanted: usize) -> io::Result<usize> {
        let count = wanted.min(self.raw.len());
        if self.body.len() + count > self.most {
            return Err(self.too_long());
        }
        self.body.extend(self.raw.drain(..count));
        Ok(count)
    }

    /// Takes a line off; its length without the end, `None` while it is not whole.
    fn line(&mut self) -> io::Result<Option<usize>> {
        let Some(end) = self.raw.iter().position(|byte| *byte == b'\n') else {
            let long = self.raw.len() > head::MAX_HEAD;
            return if long { Err(self.too_long()) } else { Ok(None) };
        };
        let length = end - usize::from(end > 0 && self.raw[end - 1] == b'\r');
        self.raw.drain(..=end);
        Ok(Some(length))
    }

    fn too_long(&self) -> io::Error {
        head::malformed(&format!(
            "the answer is longer than the {} bytes that are taken",
            self.most
        ))
    }
}

/// Where the body of an answer ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunks,
    UntilEnd,
}

fn framing(head: &Head) -> io::Result<Framing> {
    if head.status == 101 {
        return Err(head::malformed("the answer changes to a protocol that was not asked for"));
    }
    let coding = head.field("content-encoding").unwrap_or("identity");
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
        return Err(coded(coding));
    }
    if has_no_body(head.status) {
        return Ok(Framing::Length(0));
    }
    if let Some(other) = head.listed("transfer-encoding").find(|one| !is_plain(one)) {
        return Err(coded(other));
    }
    if head.lists("transfer-encoding", "chunked") {
        return Ok(Framing::Chunks);
    }
    let mut lengths = head.listed("content-length");
    let Some(length) = lengths.next() else { return Ok(Framing::UntilEnd) };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || lengths.any(|other| other != length) {
        return Err(head::malformed("the answer has a length that is no number, or two"));
    }
    // What is no number of this machine is longer than anything that is taken.
    Ok(Framing::Length(length.parse().unwrap_or(usize::MAX)))
}

fn is_plain(transfer_coding: &str) -> bool {
    ["chunked", "identity", ""].iter().any(|one| transfer_coding.eq_ignore_ascii_case(one))
}

fn coded(coding: &str) -> io::Error {
    let coding: String = coding.chars().take(32).filter(char::is_ascii_graphic).collect();
    head::malformed(&format!(
        "the answer is compressed ({coding}), which was not asked for: look what stands between here and \
         the venue"
    ))
}

/// Whether the other side takes another request after this answer.
fn is_kept_by(head: &Head) -> bool {
    let chunked = head.lists("transfer-encoding", "chunked");
    let measured = head.field("content-length").is_some();
    // Who sends both may have been misled about where the next one begins.
    let framed = chunked != measured || has_no_body(head.status);
    let old = head.is_old && !head.lists("connection", "keep-alive");
    framed && !old && !head.lists("connection", "close")
}

const fn has_no_body(status: u16) -> bool {
    matches!(status, 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(method: Method, body: &str) -> Request {
        Request {
            urgency: Urgency::Order,
            method,
            url: Url::parse("https://a.b/api/v3/order?signature=hunter2").unwrap(),
            headers: vec![("X-MBX-APIKEY", "hunter2".to_owned())],
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_compressed_answer_is_an_error_that_says_so() {
        let request = request(Method::Get, "").bytes().unwrap();
        let sent = String::from_utf8_lossy(&request).into_owned();
        assert!(sent.contains("\r\nAccept-Encoding: identity\r\n"), "{sent}");
        let answer = |coding: &str| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            Reader::new(100).take(head.as_bytes())
        };
        let refused = answer("gzip").unwrap_err().to_string();
        assert!(refused.contains("compressed (gzip)"), "{refused}");
        assert_eq!(answer("Identity").unwrap().unwrap().body, b"{}");
    }

    #[test]
    fn a_request_is_written_whole_and_shown_without_its_secrets() {
        let post = request(Method::Post, "a=1");
        let text = String::from_utf8(post.bytes().unwrap().to_vec()).unwrap();
        let first = "POST /api/v3/order?signature=hunter2 HTTP/1.1\r\nHost: a.b\r\n";
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n") && text.ends_with("\r\n\r\na=1"));
        assert!(!format!("{post:?}").contains("hunter2"));
        let mut broken = request(Method::Get, "");
        broken.headers[0].1 = "hunter2\r\nX: y".to_owned();
        assert!(!broken.bytes().unwrap_err().to_string().contains("hunter2"));
    }

    /// Feeds the whole text in pieces.
    fn read(text: &[u8], piece: usize, most: usize) -> io::Result<Option<Response>> {
        let mut reader = Reader::new(most);
        for part in text.chunks(piece) {
            if let Some(response) = reader.take(part)? {
                return Ok(Some(response));
            }
        }
        Ok(reader.end())
    }

    proptest! {
        /// However a body is framed and cut, it is read as it was.
        #[test]
        fn bodies_are_read_whatever_their_framing_and_pieces(
            body in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(1_usize..40, 1..20),
            piece in 1_usize..64,
        ) {
            let mut length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())
                .into_bytes();
            length.extend_from_slice(&body);
            let mut chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\
                Transfer-Encoding: chunked\r\n\r\n".to_vec();
            let mut rest = body.as_slice();
            for cut in cuts.iter().cycle() {
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                if chunk.is_empty() { break }
                chunked.extend(format!("{:X};x=1\r\n", chunk.len()).into_bytes());
                chunked.extend_from_slice(chunk);
                chunked.extend_from_slice(b"\r\n");
                rest = after;
            }
            chunked.extend_from_slice(b"0\r\nTrailer: 1\r\n\r\n");
            let mut ended = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
            ended.extend_from_slice(&body);
            for (text, keeps) in [(length, true), (chunked, true), (ended, false)] {
                let response = read(&text, piece, 300).unwrap().unwrap();
                prop_assert_eq!(&response.body, &body);
                prop_assert_eq!(response.keeps, keeps);
                if body.len() > 10 {
                    prop_assert!(read(&text, piece, body.len() - 1).is_err());
                }
            }
        }

        /// Nothing that a server could send makes the reader panic.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, 7, 100);
            let mut text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            text.extend_from_slice(&bytes);
            let _ = read(&text, 7, 100);
        }
    }

    #[test]
    fn an_answer_whose_end_is_in_doubt_is_refused_or_ends_its_connection() {
        let of = |fields: &str| {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
            read(text.as_bytes(), 1_000, 100)
        };
        let chunked = of("Transfer-Encoding: chunked").unwrap().unwrap();
        assert_eq!((chunked.body.as_slice(), chunked.keeps), (b"{}".as_slice(), true));
        for fields in [
            "Content-Length: 2\r\nContent-Length: 3",
            "Content-Length: 2, 3",
            "Content-Length: +2",
            "Content-Length: ",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: gzip",
        ] {
            assert!(of(fields).is_err(), "{fields}");
        }
        // Two that say the same are one.
        let same = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2, 2\r\n\r\n{}";
        let same = read(same, 1_000, 100).unwrap().unwrap();
        assert_eq!((same.body.as_slice(), same.keeps), (b"{}".as_slice(), true));
        // Chunks count, and whoever sends both is not asked again on this connection (RFC 9112, 6.3).
        let both = of("Transfer-Encoding: chunked\r\nContent-Length: 99").unwrap().unwrap();
        assert_eq!((both.body.as_slice(), both.keeps), (b"{}".as_slice(), false));
        // HTTP/1.0 keeps a connection only where it says so.
        let old = |more: &str| {
            let text = format!("HTTP/1.0 200 OK\r\n{more}Content-Length: 2\r\n\r\n{{}}");
            read(text.as_bytes(), 1_000, 100).unwrap().unwrap().keeps
        };
        assert!(!old("") && old("Connection: keep-alive\r\n"));
        // A request is no way to another protocol.
        assert!(read(b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 9, 9).is_err());
    }

    #[test]
    fn an_answer_that_is_cut_is_none() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
        assert!(read(text, 100, 100).unwrap().is_none());
        let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert!(read(empty, 100, 100).unwrap().unwrap().keeps);
        let closed = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(!read(closed, 100, 100).unwrap().unwrap().keeps);
    }
}
