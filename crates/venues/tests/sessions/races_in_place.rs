//! Amends, cancels and fills of one order that race each other at a venue that changes orders in place, where each
//! request and each answer goes its own way.

use std::collections::{BTreeSet, VecDeque};

use mainspring_core::{
    Answer, ClientOrderId, InstrumentId, RejectReason, Request, Side, TimeNs, VenueEventKind,
};
use mainspring_venues::session::{SocketId, Told};
use proptest::prelude::*;
use serde_json::{json, Value};

use crate::play::{client, server_time, usdm, Asked, Play, MS, SECOND};
use crate::races::{lots, QTY, WINDOW_NS};

/// The order at the venue, and what is on its way from and to it.
struct Venue {
    price: i64,
    filled: i64,
    placed: bool,
    open: bool,
    /// Its clock: every change has its own millisecond.
    now_ms: i64,
    trades: u64,
    requests: Vec<(TimeNs, Asked)>,
    answers: Vec<(Asked, u16, String)>,
    events: VecDeque<String>,
}

impl Venue {
    fn status(&self) -> &'static str {
        match (self.open, self.filled) {
            (true, 0) => "NEW",
            (true, _) => "PARTIALLY_FILLED",
            (false, QTY) => "FILLED",
            (false, _) => "CANCELED",
        }
    }

    fn tell(&mut self, execution: &str, last: i64) {
        self.now_ms += 1;
        let event = json!({"e": "ORDER_TRADE_UPDATE", "E": self.now_ms, "T": self.now_ms, "o": {
            "s": "BTCUSDT", "c": client(1), "S": "BUY", "o": "LIMIT", "f": "GTX", "q": lots(QTY),
            "p": ticks(self.price), "ap": "0", "sp": "0", "x": execution, "X": self.status(),
            "i": 9_001, "l": lots(last), "z": lots(self.filled), "L": ticks(self.price), "n": "0",
            "N": "USDT", "T": self.now_ms, "t": self.trades, "m": true, "R": false, "ot": "LIMIT",
            "ps": "BOTH", "rp": "0",
        }});
        self.events.push_back(event.to_string());
    }

    fn order(&self) -> Value {
        json!({
            "orderId": 9_001, "symbol": "BTCUSDT", "status": self.status(),
            "clientOrderId": client(1), "price": ticks(self.price), "avgPrice": "0",
            "origQty": lots(QTY), "executedQty": lots(self.filled), "cumQty": lots(self.filled),
            "cumQuote": "0", "timeInForce": "GTX", "type": "LIMIT", "reduceOnly": false,
            "side": "BUY", "positionSide": "BOTH", "updateTime": self.now_ms,
        })
    }

    fn fill_one_lot(&mut self) {
        if self.open {
            self.filled += 1;
            self.open = self.filled < QTY;
            self.trades += 1;
            self.tell("TRADE", 1);
        }
    }

    fn take_request(&mut self, which: usize, now_ns: TimeNs) {
        if self.requests.is_empty() {
            return;
        }
        let (sent_ns, asked) = self.requests.remove(which % self.requests.len());
        let old = now_ns - sent_ns > WINDOW_NS;
        let (status, body) = match asked.method {
            _ if old => {
                (400, json!({"code": -1021, "msg": "Timestamp is outside of the recvWindow."}))
            }
            "GET" if self.placed => (200, self.order()),
            "PUT" if self.open => {
                let price: f64 = asked.param("price").unwrap().parse().unwrap();
                self.price = (price * 10.0).round() as i64;
                self.tell("AMENDMENT", 0);
                (200, self.order())
            }
            "DELETE" if self.open => {
                self.open = false;
                self.tell("CANCELED", 0);
                (200, self.order())
            }
            "DELETE" => (400, json!({"code": -2011, "msg": "Unknown order sent."})),
            _ => (400, json!({"code": -2013, "msg": "Order does not exist."})),
        };
        self.answers.push((asked, status, body.to_string()));
    }
}

fn ticks(ticks: i64) -> String {
    format!("{}.{}", ticks / 10, ticks % 10)
}

/// What an engine knows and wants of the order.
struct Race {
    play: Play,
    venue: Venue,
    sockets: [SocketId; 3],
    wished: i64,
    amending: bool,
    /// Its price as the engine knows it, and since when by the venue's clock.
    price: (i64, TimeNs),
    filled: i64,
    trades: BTreeSet<u64>,
    over: bool,
    cancelled: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Amend,
    Cancel,
    Fill,
    Request(usize),
    Answer(usize),
    Event,
    LoseAnswer,
    Wait,
}

impl Race {
    fn new() -> Self {
        let (mut play, sockets) = usdm(|_| {});
        play.place(1, Side::Buy, 618_000, QTY);
        play.asked.retain(|asked| asked.url.contains("/fapi/v1/order"));
        let asked = play.take("POST", "/fapi/v1/order");
        let mut venue = Venue {
            price: 618_000,
            filled: 0,
            placed: true,
            open: true,
            now_ms: play.now_ns / MS,
            trades: 70,
            requests: Vec::new(),
            answers: Vec::new(),
            events: VecDeque::new(),
        };
        venue.tell("NEW", 0);
        let order = venue.order().to_string();
        play.answer(&asked, 200, &[], &order);
        let mut race = Self {
            play,
            venue,
            sockets,
            wished: 618_000,
            amending: false,
            price: (618_000, 0),
            filled: 0,
            trades: BTreeSet::new(),
            over: false,
            cancelled: false,
        };
        race.step(Step::Event);
        race
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Amend if !self.over && !self.cancelled && !self.amending => {
                self.wished -= 10;
                self.amending = true;
                self.play.amend(1, self.wished, QTY);
            }
            Step::Cancel if !self.over => {
                self.cancelled = true;
                self.play.cancel(1);
            }
            Step::Amend | Step::Cancel => {}
            Step::Fill => self.venue.fill_one_lot(),
            Step::Request(which) => self.venue.take_request(which, self.play.now_ns),
            Step::Answer(which) => self.hear_answer(which),
            Step::Event => {
                if let Some(text) = self.venue.events.pop_front() {
                    self.play.frame(self.sockets[2], &text);
                }
            }
            Step::LoseAnswer => drop(self.venue.answers.pop()),
            Step::Wait => self.play.wait_alive(SECOND, &self.sockets),
        }
        self.collect();
    }

    fn hear_answer(&mut self, which: usize) {
        if self.venue.answers.is_empty() {
            return;
        }
        let which = which % self.venue.answers.len();
        let (asked, status, body) = self.venue.answers.remove(which);
        self.play.answer(&asked, status, &[], &body);
    }

    /// What the session did: requests go on their way, and what it told is taken in as an engine does.
    fn collect(&mut self) {
        loop {
            for method in ["PUT", "DELETE", "GET"] {
                while let Some(asked) = self.play.find(method, "/fapi/v1/order") {
                    self.venue.requests.push((self.play.now_ns, asked));
                }
            }
            while let Some(asked) = self.play.find("GET", "/fapi/v1/time") {
                let now = server_time(self.play.now_ns / MS);
                self.play.answer(&asked, 200, &[], &now);
            }
            let told = std::mem::take(&mut self.play.told);
            if told.is_empty() {
                return;
            }
            told.into_iter().for_each(|told| self.take(told));
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Report(report) => match report.event.kind {
                VenueEventKind::Filled { qty, .. } if self.trades.insert(report.trade_id) => {
                    self.filled += qty.0;
                }
                VenueEventKind::Cancelled(_) => self.over = true,
                VenueEventKind::Amended { price, .. } if report.event.exch_ns >= self.price.1 => {
                    self.price = (price.0, report.event.exch_ns);
                    self.amending &= price.0 != self.wished;
                }
                VenueEventKind::CancelRejected(reason) | VenueEventKind::AmendRejected(reason) => {
                    let amend = matches!(report.event.kind, VenueEventKind::AmendRejected(_));
                    self.amending &= !amend;
                    if reason == RejectReason::UnknownOrder && !self.over {
                        let (order, instrument) = (ClientOrderId(1), InstrumentId(0));
                        self.play.request(Request::OrderQuery { order, instrument });
                    }
                }
                _ => {}
            },
            Told::Answer { answer: Answer::Cancelled { .. } | Answer::Filled { .. }, .. } => {
                self.over = true;
            }
            _ => {}
        }
        self.over |= self.filled == QTY;
    }

    /// Everything arrives, and time goes on.
    fn settle(&mut self) {
        for _ in 0..60 {
            for _ in 0..20 {
                let all = [Step::Request(0), Step::Answer(0), Step::Event];
                all.into_iter().for_each(|step| self.step(step));
            }
            self.step(Step::Wait);
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        2 => Just(Step::Amend),
        1 => Just(Step::Cancel),
        2 => Just(Step::Fill),
        5 => (0..4_usize).prop_map(Step::Request),
        5 => (0..4_usize).prop_map(Step::Answer),
        4 => Just(Step::Event),
        1 => Just(Step::LoseAnswer),
        1 => Just(Step::Wait),
    ];
    proptest::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A cancel that was asked for comes about, what trades is told once, and session and venue agree on
    /// whether the order is over and, while it is not, at which price it rests.
    #[test]
    fn an_order_ends_as_it_was_wished_to(steps in steps()) {
        let mut race = Race::new();
        steps.into_iter().for_each(|step| race.step(step));
        race.settle();
        let venue = &race.venue;
        prop_assert!(!(race.cancelled && venue.open), "it stays open");
        prop_assert_eq!(race.filled, venue.filled);
        prop_assert_eq!(race.over, !venue.open);
        prop_assert!(!venue.open || race.price.0 == venue.price, "{:?} {}", race.price, venue.price);
    }
}
