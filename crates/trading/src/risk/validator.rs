//! A hook for a second opinion from outside: bounded in time, and no answer is a no.

#![allow(
    clippy::disallowed_methods,
    reason = "a validator outside is waited for within bounds, where somebody wants one"
)]

use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use mainspring_core::order::OrderTerms;
use mainspring_core::{ClientOrderId, DurationNs, Error, ErrorKind, Result, TimeNs};
use serde::{Deserialize, Serialize};

/// An order as a validator is asked about it: the gate has let it through already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its id.
    pub order: ClientOrderId,
    /// Whose.
    pub strategy: u16,
    /// What it asks.
    pub terms: OrderTerms,
    /// Logical time.
    pub now_ns: TimeNs,
}

/// Says yes or no to an order, within a time that it bounds itself. Asked after the gate, never
/// instead of it; closing in an emergency does not ask.
pub trait Validator: Send {
    /// Whether the order may be sent.
    fn validate(&mut self, proposal: &Proposal) -> bool;

    /// A market goes on while it is asked: from here on it bounds its waits together, too.
    fn bound_waits(&mut self) {}
}

/// Where a validator listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorConfig {
    /// `host:port`.
    pub address: String,
    /// The longest that an answer is waited for.
    pub timeout_ns: DurationNs,
}

impl ValidatorConfig {
    /// Checks the figures.
    ///
    /// # Errors
    /// When the wait is not from a microsecond to ten seconds, or the address has no port.
    pub fn validate(&self) -> Result<()> {
        if !(1_000..=10_000_000_000).contains(&self.timeout_ns) || !self.address.contains(':') {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "validator at {:?} within {} ns: give host:port and a wait of 1 us to 10 s",
                    self.address, self.timeout_ns
                ),
            ));
        }
        Ok(())
    }
}

/// A validator behind a socket. For each order it is sent one line of JSON with an `id`, and answers
/// with one line `ID ok` or `ID no`. Whatever else comes, or nothing in time, is a no.
///
/// Whoever asks waits, so that what it may cost is bounded: connecting, asking and answering together
/// have the time of one order. In a session, where a market goes on meanwhile
/// ([`Validator::bound_waits`]), of any second at most a fifth is spent on waiting, or one order's time
/// where that is more, and one that did not answer is not asked again for ten times its time: what comes
/// beyond that is refused without a question.
#[derive(Debug)]
pub struct SocketValidator {
    config: ValidatorConfig,
    stream: Option<TcpStream>,
    asked: u64,
    received: Vec<u8>,
    /// Whether waits are bounded together.
    bounded: bool,
    /// Nothing is asked before.
    silent_until: Option<Instant>,
    /// The second that runs, and what of it was spent on waiting.
    second: (Instant, Duration),
}

/// Of each second, what may be spent on waiting for answers.
const WAITING: Duration = Duration::from_millis(200);

/// One that did not answer is left alone for so many times its time.
const LEFT_ALONE: u32 = 10;

/// Longest line that is listened to.
const MAX_LINE: usize = 256;

impl SocketValidator {
    /// A validator that connects when it is first asked.
    #[must_use]
    pub fn new(config: ValidatorConfig) -> Self {
        let received = Vec::with_capacity(MAX_LINE);
        let second = (Instant::now(), Duration::ZERO);
        let (stream, silent_until) = (None, None);
        Self { config, stream, asked: 0, received, bounded: false, silent_until, second }
    }

    const fn timeout(&self) -> Duration {
        Duration::from_nanos(self.config.timeout_ns.unsigned_abs())
    }

    /// Whether there is time to ask now.
    fn may_ask(&mut self, now: Instant) -> bool {
        if !self.bounded {
            return true;
        }
        if self.silent_until.is_some_and(|until| now < until) {
            return false;
        }
        self.silent_until = None;
        if now.duration_since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, Duration::ZERO);
        }
        self.second.1 < WAITING.max(self.timeout())
    }

    fn ask(&mut self, proposal: &Proposal, begun: Instant) -> std::io::Result<bool> {
        let timeout = self.timeout();
        let deadline = begun + timeout;
        if self.stream.is_none() {
            let address = self.config.address.to_socket_addrs()?.next();
            let address = address.ok_or(IoErrorKind::AddrNotAvailable)?;
            let stream = TcpStream::connect_timeout(&address, timeout)?;
            stream.set_nodelay(true)?;
            self.received.clear();
            self.stream = Some(stream);
        }
        self.asked += 1;
        let question = question(self.asked, proposal);
        let Some(stream) = &mut self.stream else { return Ok(false) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(IoErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        stream.write_all(question.as_bytes())?;
        loop {
            if let Some((id, yes)) = next_answer(&mut self.received) {
                // Late answers to questions before are passed over.
                if id == self.asked {
                    return Ok(yes);
                }
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.received.len() > MAX_LINE {
                return Err(IoErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            let mut buffer = [0; MAX_LINE];
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(IoErrorKind::UnexpectedEof.into());
            }
            self.received.extend_from_slice(&buffer[..count]);
        }
    }
}

impl Validator for SocketValidator {
    fn bound_waits(&mut self) {
        self.bounded = true;
    }

    fn validate(&mut self, proposal: &Proposal) -> bool {
        let begun = Instant::now();
        if !self.may_ask(begun) {
            return false;
        }
        let answer = self.ask(proposal, begun);
        let ended = Instant::now();
        self.second.1 += ended.duration_since(begun);
        answer.unwrap_or_else(|_| {
            // The next question begins with a fresh connection.
            self.stream = None;
            self.silent_until = Some(ended + self.timeout() * LEFT_ALONE);
            false
        })
    }
}

fn question(id: u64, proposal: &Proposal) -> String {
    let Proposal { order, strategy, terms, now_ns } = proposal;
    format!(
        "{{\"id\":{id},\"order\":{},\"strategy\":{strategy},\"instrument\":{},\"side\":{},\"type\":{},\"price_ticks\":{},\"qty_lots\":{},\"flags\":{},\"time_ns\":{now_ns}}}\n",
        order.0,
        terms.instrument.0,
        terms.side.sign(),
        terms.order_type as u8,
        terms.price.0,
        terms.qty.0,
        terms.flags.0,
    )
}

/// The first whole line that was received, as the id it answers and whether it is a yes.
fn next_answer(received: &mut Vec<u8>) -> Option<(u64, bool)> {
    let end = received.iter().position(|byte| *byte == b'\n')?;
    let line = String::from_utf8_lossy(&received[..end]).into_owned();
    received.drain(..=end);
    let (id, word) = line.trim().split_once(' ').unwrap_or(("0", ""));
    Some((id.parse().unwrap_or(0), word == "ok"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::{InstrumentId, Lots, Side, Ticks};
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    fn proposal() -> Proposal {
        let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(100), Lots(5));
        Proposal { order: ClientOrderId(7), strategy: 1, terms, now_ns: 9 }
    }

    /// A server that answers the n-th question of each connection by a rule.
    fn serve(answer: impl Fn(u64, &str) -> Option<String> + Send + 'static) -> SocketValidator {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut n = 0;
                while let Some(Ok(line)) = lines.next() {
                    n += 1;
                    match answer(n, &line) {
                        Some(text) => stream.write_all(text.as_bytes()).unwrap(),
                        None => break,
                    }
                }
            }
        });
        SocketValidator::new(ValidatorConfig { address, timeout_ns: 200_000_000 })
    }

    fn id(line: &str) -> &str {
        line.split(&[':', ','][..]).nth(1).unwrap()
    }

    #[test]
    fn only_a_timely_ok_of_the_question_is_a_yes() {
        let mut yes = serve(|_, line| Some(format!("{} ok\n", id(line))));
        assert!(yes.validate(&proposal()) && yes.validate(&proposal()));
        let mut no = serve(|_, line| Some(format!("{} no\n", id(line))));
        assert!(!no.validate(&proposal()));
        let mut noise = serve(|_, _| Some("ok\nok\n\n77 ok\n".to_owned()));
        assert!(!noise.validate(&proposal()), "answers to other questions");
        let mut gone = serve(|_, _| None);
        assert!(!gone.validate(&proposal()), "closed");
        let nobody = ValidatorConfig { address: "127.0.0.1:1".into(), timeout_ns: 50_000_000 };
        assert!(!SocketValidator::new(nobody).validate(&proposal()), "nobody listens");
    }

    #[test]
    fn silence_is_a_no_within_the_time_and_late_answers_do_not_count_for_the_next() {
        let mut late = serve(|n, line| {
            if n == 1 {
                thread::sleep(Duration::from_secs(9));
            }
            Some(format!("{} ok\n", id(line)))
        });
        let start = Instant::now();
        assert!(!late.validate(&proposal()));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn one_that_is_silent_or_slow_costs_a_bounded_part_of_the_time() {
        let start = Instant::now();
        let mut silent = serve(|_, _| {
            thread::sleep(Duration::from_secs(9));
            None
        });
        silent.config.timeout_ns = 20_000_000;
        silent.bound_waits();
        (0..1_000).for_each(|_| assert!(!silent.validate(&proposal())));
        assert!(start.elapsed() < Duration::from_secs(5), "asked once: {:?}", start.elapsed());
        assert!(silent.asked <= 2, "{} questions", silent.asked);

        let mut slow = serve(|_, line| {
            thread::sleep(Duration::from_millis(30));
            Some(format!("{} ok\n", id(line)))
        });
        slow.config.timeout_ns = 150_000_000;
        slow.bound_waits();
        let start = Instant::now();
        let passed = (0..1_000).filter(|_| slow.validate(&proposal())).count();
        // Without a bound all of them would pass, in thirty seconds.
        assert!((1..=100).contains(&passed), "{passed}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        // In another second it is asked again, and answers in time sooner or later.
        let begun = Instant::now();
        while !slow.validate(&proposal()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "never asked again");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn nonsense_is_refused_when_it_is_configured() {
        let wrong =
            |address: &str, timeout_ns| ValidatorConfig { address: address.into(), timeout_ns };
        assert!(wrong("nowhere", 1_000_000).validate().is_err());
        assert!(wrong("a:1", 0).validate().is_err());
        assert!(wrong("a:1", 1_000_000).validate().is_ok());
    }
}
