//! Amends, cancels and fills of one order that race each other at a venue that replaces orders, in any order that
//! requests, answers and events can take.

use std::collections::{BTreeSet, VecDeque};

use mainspring_core::report::Account;
use mainspring_core::{
    Answer, ClientOrderId, InstrumentId, Lots, RejectReason, Request, Side, TimeNs, VenueEventKind,
};
use mainspring_venues::session::{SocketId, Told};
use proptest::prelude::*;
use serde_json::{json, Value};

use crate::play::{client, server_time, spot, Asked, Play, MS, SECOND};

/// Lots of the order.
pub const QTY: i64 = 5;

/// What the venue takes a request for old after.
pub const WINDOW_NS: i64 = 5 * SECOND;

/// One version of the order, as the venue keeps it.
#[derive(Debug)]
struct Version {
    client: String,
    number: u64,
    price: String,
    qty: i64,
    filled: i64,
    open: bool,
}

impl Version {
    fn status(&self) -> &'static str {
        match (self.open, self.filled) {
            (true, 0) => "NEW",
            (true, _) => "PARTIALLY_FILLED",
            (false, filled) if filled == self.qty => "FILLED",
            (false, _) => "CANCELED",
        }
    }

    fn answer(&self) -> Value {
        json!({
            "symbol": "BTCUSDT", "orderId": self.number, "orderListId": -1,
            "clientOrderId": self.client, "origClientOrderId": self.client,
            "transactTime": 1_795_255_200_500_i64, "price": self.price,
            "origQty": lots(self.qty), "executedQty": lots(self.filled), "status": self.status(),
            "timeInForce": "GTC", "type": "LIMIT_MAKER", "side": "BUY", "fills": [],
        })
    }
}

/// A quantity as the venue writes it.
pub fn lots(lots: i64) -> String {
    format!("0.{lots:03}")
}

/// The venue, and what is on its way from and to it.
struct Venue {
    versions: Vec<Version>,
    requests: VecDeque<(TimeNs, String)>,
    questions: VecDeque<Asked>,
    answers: VecDeque<String>,
    events: VecDeque<String>,
    trades: u64,
}

impl Venue {
    fn place(&mut self, client: &str, price: &str, qty: i64) -> usize {
        let number = 501 + self.versions.len() as u64;
        let (client, price) = (client.to_owned(), price.to_owned());
        self.versions.push(Version { client, number, price, qty, filled: 0, open: true });
        let place = self.versions.len() - 1;
        self.tell(place, "NEW", 0);
        place
    }

    fn tell(&mut self, place: usize, execution: &str, last: i64) {
        let one = &self.versions[place];
        let (client, original) = match execution {
            "CANCELED" => ("x", one.client.as_str()),
            _ => (one.client.as_str(), ""),
        };
        let event = json!({"subscriptionId": 0, "event": {
            "e": "executionReport", "E": 1_795_255_201_000_i64, "s": "BTCUSDT", "c": client,
            "S": "BUY", "o": "LIMIT_MAKER", "f": "GTC", "q": lots(one.qty), "p": one.price,
            "P": "0", "F": "0", "g": -1, "C": original, "x": execution, "X": one.status(),
            "r": "NONE", "i": one.number, "l": lots(last), "z": lots(one.filled), "L": one.price,
            "n": "0", "N": null, "T": 1_795_255_200_999_i64, "t": self.trades, "w": true, "m": true,
            "O": 1_795_255_200_000_i64, "Z": "0",
        }});
        self.events.push_back(event.to_string());
    }

    fn fill_one_lot(&mut self) {
        let Some(place) = self.versions.iter().position(|one| one.open) else { return };
        let one = &mut self.versions[place];
        one.filled += 1;
        one.open = one.filled < one.qty;
        self.trades += 1;
        self.tell(place, "TRADE", 1);
    }

    fn cancel(&mut self, client: &str) -> Option<Value> {
        let place = self.versions.iter().position(|one| one.open && one.client == client)?;
        self.versions[place].open = false;
        self.tell(place, "CANCELED", 0);
        Some(self.versions[place].answer())
    }

    /// Takes the next request of the WebSocket API up.
    fn take_request(&mut self, now_ns: TimeNs) {
        let Some((sent_ns, text)) = self.requests.pop_front() else { return };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if now_ns - sent_ns > WINDOW_NS {
            let error = json!({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."});
            let answer = json!({"id": frame["id"], "status": 400, "error": error});
            return self.answers.push_back(answer.to_string());
        }
        let params = &frame["params"];
        let word = |key: &str| params[key].as_str().unwrap().to_owned();
        let (status, key, body) = match frame["method"].as_str().unwrap() {
            "order.cancel" => match self.cancel(&word("origClientOrderId")) {
                Some(cancelled) => (200, "result", cancelled),
                None => (400, "error", unknown()),
            },
            "order.cancelReplace" => match self.cancel(&word("cancelOrigClientOrderId")) {
                Some(cancelled) => {
                    let qty: f64 = word("quantity").parse().unwrap();
                    let qty = (qty * 1000.0).round() as i64;
                    let place = self.place(&word("newClientOrderId"), &word("price"), qty);
                    let placed = self.versions[place].answer();
                    (200, "result", both("SUCCESS", &cancelled, "SUCCESS", &placed))
                }
                None => {
                    let data = both("FAILURE", &unknown(), "NOT_ATTEMPTED", &Value::Null);
                    let message = "Order cancel-replace failed.";
                    (400, "error", json!({"code": -2022, "msg": message, "data": data}))
                }
            },
            other => panic!("{other} is not played"),
        };
        let answer = json!({"id": frame["id"], "status": status, key: body});
        self.answers.push_back(answer.to_string());
    }

    fn order(&self, client: &str) -> Option<Value> {
        self.versions.iter().find(|one| one.client == client).map(Version::answer)
    }
}

fn unknown() -> Value {
    json!({"code": -2011, "msg": "Unknown order sent."})
}

fn both(cancel: &str, cancelled: &Value, new: &str, placed: &Value) -> Value {
    json!({
        "cancelResult": cancel, "newOrderResult": new,
        "cancelResponse": cancelled, "newOrderResponse": placed,
    })
}

/// What an engine knows and wants of the order.
struct Race {
    play: Play,
    venue: Venue,
    trade: SocketId,
    alive: [SocketId; 2],
    price: i64,
    qty: i64,
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
    Request,
    Question,
    Answer,
    Event,
    LoseAnswer,
    Wait,
}

impl Race {
    fn new() -> Self {
        let (mut play, alive) = spot(&Account::default());
        play.place(1, Side::Buy, 618_000, QTY);
        play.take_text(alive[1], "order.place");
        let mut venue = Venue {
            versions: Vec::new(),
            requests: VecDeque::new(),
            questions: VecDeque::new(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            trades: 54,
        };
        venue.place(&client(1), "61800", QTY);
        let trade = alive[1];
        let mut race = Self {
            play,
            venue,
            trade,
            alive,
            price: 618_000,
            qty: QTY,
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
            Step::Amend if !self.over && !self.cancelled => {
                self.price -= 10;
                self.play.amend(1, self.price, QTY);
            }
            Step::Cancel if !self.over => {
                self.cancelled = true;
                self.play.cancel(1);
            }
            Step::Amend | Step::Cancel => {}
            Step::Fill => self.venue.fill_one_lot(),
            Step::Request => self.venue.take_request(self.play.now_ns),
            Step::Question => self.take_question(),
            Step::Answer => self.hear(|venue| &mut venue.answers),
            Step::Event => self.hear(|venue| &mut venue.events),
            Step::LoseAnswer => drop(self.venue.answers.pop_front()),
            Step::Wait => self.play.wait_alive(SECOND, &self.alive),
        }
        self.collect();
    }

    fn hear(&mut self, queue: impl Fn(&mut Venue) -> &mut VecDeque<String>) {
        if let Some(text) = queue(&mut self.venue).pop_front() {
            self.play.frame(self.trade, &text);
        }
    }

    fn take_question(&mut self) {
        let Some(asked) = self.venue.questions.pop_front() else { return };
        let order = asked.param("origClientOrderId").and_then(|id| self.venue.order(&id));
        match order {
            Some(order) => self.play.answer(&asked, 200, &[], &order.to_string()),
            None => {
                let body = r#"{"code":-2013,"msg":"Order does not exist."}"#;
                self.play.answer(&asked, 400, &[], body);
            }
        }
    }

    /// What the session did: requests go on their way, and what it told is taken in as an engine does.
    fn collect(&mut self) {
        loop {
            for (_, text) in self.play.texts.extract_if(.., |(_, text)| text.contains("\"order.")) {
                self.venue.requests.push_back((self.play.now_ns, text));
            }
            while let Some(asked) = self.play.find("GET", "/api/v3/order") {
                self.venue.questions.push_back(asked);
            }
            while let Some(asked) = self.play.find("GET", "/api/v3/time") {
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
            Told::Report(report) => {
                match report.event.kind {
                    VenueEventKind::Filled { qty, .. } if self.trades.insert(report.trade_id) => {
                        assert!(self.filled + qty.0 <= self.qty, "it cannot be booked: {report:?}");
                        self.filled += qty.0;
                    }
                    VenueEventKind::Cancelled(_) => self.over = true,
                    // Where it traded more than we knew, the new one is as large as was asked besides.
                    VenueEventKind::Amended { qty, .. } => self.qty = qty.0,
                    VenueEventKind::CancelRejected(RejectReason::UnknownOrder)
                    | VenueEventKind::AmendRejected(RejectReason::UnknownOrder)
                        if !self.over =>
                    {
                        let (order, instrument) = (ClientOrderId(1), InstrumentId(0));
                        self.play.request(Request::OrderQuery { order, instrument });
                    }
                    _ => {}
                }
            }
            Told::Answer { answer: Answer::Cancelled { .. } | Answer::Filled { .. }, .. } => {
                self.over = true;
            }
            _ => {}
        }
        self.over |= self.filled >= self.qty;
    }

    /// Everything arrives, and time goes on.
    fn settle(&mut self) {
        for _ in 0..60 {
            for _ in 0..20 {
                let all = [Step::Request, Step::Question, Step::Answer, Step::Event];
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
        4 => Just(Step::Request),
        2 => Just(Step::Question),
        4 => Just(Step::Answer),
        4 => Just(Step::Event),
        1 => Just(Step::LoseAnswer),
        1 => Just(Step::Wait),
    ];
    proptest::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A cancel that was asked for comes about, what trades is told once, and session and venue agree on
    /// whether the order is over.
    #[test]
    fn an_order_ends_as_it_was_wished_to(steps in steps()) {
        let mut race = Race::new();
        steps.into_iter().for_each(|step| race.step(step));
        race.settle();
        let versions = &race.venue.versions;
        let open = versions.iter().any(|one| one.open);
        prop_assert!(!(race.cancelled && open), "it stays open: {versions:?}");
        let filled: i64 = versions.iter().map(|one| one.filled).sum();
        prop_assert_eq!(Lots(race.filled), Lots(filled), "{:?}", versions);
        prop_assert_eq!(race.over, !open, "{:?}", versions);
    }
}
