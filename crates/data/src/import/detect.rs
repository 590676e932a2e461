//! Which format a file is, by its content.

use std::path::Path;

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_venues::binance::{Body, Decoder};

use super::input::{open, Input, Meter};

/// How much of a file is looked at.
const HEAD_BYTES: usize = 1 << 20;

/// The first bytes of an input, and its name.
pub struct Head {
    /// The file name in lower case, with the member of a zip.
    pub name: String,
    /// Decompressed bytes.
    pub bytes: Vec<u8>,
    /// Whether that is all there is.
    pub complete: bool,
}

impl Head {
    /// The first whole lines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let count = self.bytes.iter().filter(|byte| **byte == b'\n').count();
        let keep = if self.complete { count + 1 } else { count };
        self.bytes
            .split(|byte| *byte == b'\n')
            .take(keep)
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.is_empty())
    }

    /// The first line as text.
    pub fn first(&self) -> &str {
        self.lines().next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or("")
    }
}

fn head(path: &Path) -> Result<Head> {
    let mut inputs = open(path, &Meter::default())?;
    let Some(input) = inputs.first_mut() else {
        return Err(Error::new(ErrorKind::Data, format!("{}: nothing in it", path.display())));
    };
    read_head(input)
}

fn read_head(input: &mut Input) -> Result<Head> {
    let mut bytes = vec![0; HEAD_BYTES];
    let mut have = 0;
    let mut complete = false;
    while have < bytes.len() && !complete {
        match input.read(&mut bytes[have..]) {
            Ok(0) => complete = true,
            Ok(n) => have += n,
            // Damage behind the first bytes is for the importer to report, with its place.
            Err(_) if have > 0 => break,
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(have);
    let file = input.name.rsplit(['/', '\\']).next().unwrap_or(&input.name);
    Ok(Head { name: file.to_ascii_lowercase(), bytes, complete })
}

/// A test for one format.
type Looks = fn(&Head) -> bool;

/// Tests from the most to the least particular.
const TESTS: &[(&str, Looks)] = &[
    (super::hftbacktest::NAME, |head| head.bytes.starts_with(b"\x93NUMPY")),
    (super::dbn::NAME, |head| head.bytes.starts_with(b"DBN")),
    (super::tardis::NAME, |head| super::tardis::is_header(head.first().as_bytes())),
    (super::gemini::NAME, |head| super::gemini::is_header(head.first().as_bytes())),
    (super::bitstamp::NAME, |head| {
        let event = super::bitstamp::split_line(head.first().as_bytes()).map(|(_, event, _)| event);
        event.is_some_and(|event| event == "trade" || event.starts_with("order_"))
    }),
    (super::cryptofeed::NAME, looks_like_cryptofeed),
    (super::raw_feed::HYPERLIQUID_NAME, |head| {
        with_time(head).any(|text| text.starts_with(b"{\"channel\":"))
    }),
    (super::binance::NAME, looks_like_binance),
    (super::raw_feed::BYBIT_NAME, |head| {
        head.first().starts_with('{') && head.first().contains("\"topic\":\"orderbook.")
    }),
    (super::bitfinex::NAME, |head| {
        head.bytes.starts_with(b"[") && memchr::memmem::find(&head.bytes, b"\"chanId\"").is_some()
    }),
    (super::pitch::NAME, |head| {
        head.lines().take(20).count() > 0 && head.lines().take(20).all(super::pitch::is_message)
    }),
    (super::itch::NAME, looks_like_itch),
    (super::lobster::NAME, |head| {
        head.name.contains("message") && head.first().split(',').count() >= 6
    }),
    (super::lean::NAME, |head| {
        (head.name.contains("_trade") || head.name.contains("_quote"))
            && head.first().starts_with(|c: char| c.is_ascii_digit())
    }),
];

/// The texts of lines that have a receive time in front.
fn with_time(head: &Head) -> impl Iterator<Item = &[u8]> {
    head.lines().take(20).filter_map(|line| super::binance::split_line(line).map(|(_, text)| text))
}

fn looks_like_cryptofeed(head: &Head) -> bool {
    let first = head.first();
    let url = first.split(' ').next().unwrap_or("");
    (url.starts_with("wss://") && first.contains(" <-> "))
        || (url.starts_with("https://") && first.contains(" -> "))
}

/// A message of a known type and its length in front, and another one behind it.
fn looks_like_itch(head: &Head) -> bool {
    let message = |at: usize| {
        let [high, low, kind] = head.bytes.get(at..at + 3)? else { return None };
        let length = usize::from(*high) << 8 | usize::from(*low);
        (super::itch::length_of(*kind) == Some(length)).then_some(at + 2 + length)
    };
    message(0).and_then(message).is_some()
}

/// The format of a file.
///
/// # Errors
/// When the file cannot be read or nothing fits.
pub fn detect(path: &Path) -> Result<&'static str> {
    let head = head(path)?;
    TESTS.iter().find(|(_, looks)| looks(&head)).map(|(name, _)| *name).ok_or_else(|| {
        Error::new(
            ErrorKind::Data,
            format!(
                "{}: no importer knows this format; name it with --format (format= in Python) if it is one of {}",
                path.display(),
                super::FORMATS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            ),
        )
    })
}

fn looks_like_binance(head: &Head) -> bool {
    let mut decoder = Decoder::default();
    with_time(head)
        .any(|text| decoder.decode(text).is_ok_and(|message| !matches!(message.body, Body::Other)))
}
