//! A venue played by a test: it sees what a session asks for, and says what it likes.

use mainspring_core::order::OrderTerms;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, Decimal, Instrument, InstrumentId, InstrumentKind, Lots, MarketRow, OrderFlags,
    PriceGrid, Report, Request, RowKind, Side, Ticks, TimeNs, VenueEventKind, VenueRequest,
    VenueRequestKind,
};
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::outgoing::Urgency;
use mainspring_venues::secret::Secret;
use mainspring_venues::session::{
    CallId, Effect, Input, Message, Note, Outbox, Sent, Session, SessionSettings, SocketId,
    TimerId, Told, VenueSession,
};
use mainspring_venues::table::{open, Opening};
use mainspring_venues::venue::{Network, Venue};

pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000 * MS;
/// 2026-11-21 10:00:00 UTC.
pub const BEGIN_NS: TimeNs = 1_795_255_200 * SECOND;
pub const TAG: u32 = 7;
pub const KEY: &str = "keykeykey";
pub const SECRET: &str = "secretsecret";

#[derive(Clone, Debug)]
pub struct Asked {
    pub id: CallId,
    pub urgency: Urgency,
    pub method: &'static str,
    pub url: String,
    pub body: String,
}

impl Asked {
    /// A parameter of the query or the form.
    pub fn param(&self, name: &str) -> Option<String> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').chain(self.body.split('&'));
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }
}

/// Everything that a session did and that nobody looked at yet.
pub struct Play {
    pub session: VenueSession,
    pub now_ns: TimeNs,
    out: Outbox,
    pub opens: Vec<(SocketId, String)>,
    pub closes: Vec<SocketId>,
    pub texts: Vec<(SocketId, String)>,
    pub pings: usize,
    pinged: Vec<SocketId>,
    pub asked: Vec<Asked>,
    pub told: Vec<Told>,
    pub rows: Vec<MarketRow>,
    pub notes: Vec<Note>,
    timer: Option<(TimerId, TimeNs)>,
}

pub fn listings(venue: &str) -> Listings {
    let futures = venue.ends_with("usdm");
    let instrument = Instrument {
        symbol: "BTCUSDT".to_owned(),
        venue: venue.to_owned(),
        kind: if futures { InstrumentKind::LinearPerpetual } else { InstrumentKind::Spot },
        base: "BTC".to_owned(),
        quote: "USDT".to_owned(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: Vec::new(),
    };
    Listings::new(vec![Listing::new(InstrumentId(0), instrument)]).unwrap()
}

impl Play {
    pub fn new(venue: &str, change: impl FnOnce(&mut SessionSettings)) -> Self {
        let opening = Opening {
            key: Some(Secret::new(KEY)),
            secret: Some(Secret::new(SECRET)),
            ..Opening::default()
        };
        Self::of(venue, &opening, listings(venue), change)
    }

    pub fn of(
        venue: &str,
        opening: &Opening,
        listings: Listings,
        change: impl FnOnce(&mut SessionSettings),
    ) -> Self {
        Self::with(open(venue, opening).unwrap(), listings, change)
    }

    /// With a codec that is in no table.
    pub fn with(
        codec: Box<dyn Venue>,
        listings: Listings,
        change: impl FnOnce(&mut SessionSettings),
    ) -> Self {
        let addresses = codec.endpoints(Network::Main).into();
        let mut settings = SessionSettings::new(addresses, TAG, true);
        change(&mut settings);
        let session = VenueSession::new(codec, listings, settings).unwrap();
        Self {
            session,
            now_ns: BEGIN_NS,
            out: Outbox::new(),
            opens: Vec::new(),
            closes: Vec::new(),
            texts: Vec::new(),
            pings: 0,
            pinged: Vec::new(),
            asked: Vec::new(),
            told: Vec::new(),
            rows: Vec::new(),
            notes: Vec::new(),
            timer: None,
        }
    }

    fn collect(&mut self) {
        let shown = format!("{:?}", self.out);
        assert!(
            !shown.contains(KEY) && !shown.contains("signature="),
            "a secret is shown: {shown}"
        );
        for effect in std::mem::take(&mut self.out.effects) {
            match effect {
                Effect::Open { socket, url, .. } => self.opens.push((socket, url)),
                Effect::Close { socket } => self.closes.push(socket),
                Effect::Send { socket, message: Message::Text(text) } => {
                    self.texts.push((socket, text));
                }
                Effect::Send { socket, message: Message::Ping } => {
                    self.pings += 1;
                    self.pinged.push(socket);
                }
                Effect::Send { .. } => panic!("no binary frames here"),
                Effect::Http { id, urgency, method, url, body, .. } => {
                    self.asked.push(Asked { id, urgency, method: method.name(), url, body });
                }
                Effect::Timer { timer, at_ns } => self.timer = Some((timer, at_ns)),
            }
        }
        for told in std::mem::take(&mut self.out.told) {
            match told {
                Told::Market { rows, .. } => self.rows.extend_from_slice(self.out.rows(&rows)),
                Told::Note(note) => {
                    assert!(!note.text.contains(KEY) && !note.text.contains(SECRET));
                    self.notes.push(note);
                }
                told => self.told.push(told),
            }
        }
        self.out.clear();
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now_ns, &mut self.out);
        self.collect();
    }

    pub fn start(&mut self, account: &Account) {
        self.session.adopt(account);
        self.session.start(self.now_ns, &mut self.out);
        self.collect();
    }

    /// Time goes on, and timers with it.
    pub fn wait(&mut self, span_ns: i64) {
        let until_ns = self.now_ns + span_ns;
        while let Some((timer, at_ns)) = self.timer.filter(|(_, at_ns)| *at_ns <= until_ns) {
            self.now_ns = self.now_ns.max(at_ns);
            self.timer = None;
            self.input(Input::Due { timer });
        }
        self.now_ns = until_ns;
    }

    /// As [`Self::wait`], while these connections answer pings.
    pub fn wait_alive(&mut self, span_ns: i64, sockets: &[SocketId]) {
        let until_ns = self.now_ns + span_ns;
        while self.now_ns < until_ns {
            self.wait((SECOND / 2).min(until_ns - self.now_ns));
            for socket in std::mem::take(&mut self.pinged) {
                if sockets.contains(&socket) {
                    self.input(Input::Pong { socket });
                }
            }
        }
    }

    /// A long time goes by in which these connections were heard.
    pub fn skip(&mut self, span_ns: i64, sockets: &[SocketId]) {
        self.now_ns += span_ns;
        sockets.iter().for_each(|socket| self.input(Input::Pong { socket: *socket }));
    }

    /// The newest connection to an address that contains this; it is opened.
    pub fn connect(&mut self, part: &str) -> SocketId {
        let at = self.opens.iter().position(|(_, url)| url.contains(part));
        let (socket, _) =
            self.opens.remove(at.unwrap_or_else(|| panic!("no {part}: {:?}", self.opens)));
        self.input(Input::Opened { socket });
        socket
    }

    pub fn close(&mut self, socket: SocketId) {
        self.input(Input::Closed { socket, reason: "the peer went away" });
    }

    pub fn frame(&mut self, socket: SocketId, text: &str) {
        let recv_ns = self.now_ns;
        self.input(Input::Frame { socket, bytes: text.as_bytes(), recv_ns });
    }

    /// The next request to a path, taken.
    pub fn take(&mut self, method: &str, part: &str) -> Asked {
        self.find(method, part).unwrap_or_else(|| panic!("no {method} {part}: {:#?}", self.asked))
    }

    pub fn find(&mut self, method: &str, part: &str) -> Option<Asked> {
        let is = |one: &Asked| {
            let path = one.url.split('?').next().unwrap_or("");
            one.method == method && path.ends_with(part)
        };
        let at = self.asked.iter().position(is)?;
        Some(self.asked.remove(at))
    }

    pub fn answer(&mut self, asked: &Asked, status: u16, headers: &[(&str, &str)], body: &str) {
        let body = body.as_bytes();
        self.input(Input::Response { id: asked.id, status, headers, body });
    }

    pub fn ok(&mut self, method: &str, part: &str, body: &str) -> Asked {
        let asked = self.take(method, part);
        self.answer(&asked, 200, &[], body);
        asked
    }

    pub fn fail(&mut self, asked: &Asked, sent: Sent) {
        self.input(Input::Failed { id: asked.id, sent, reason: "the connection broke" });
    }

    pub fn request(&mut self, request: Request) {
        self.session.request(&request, self.now_ns, &mut self.out);
        self.collect();
    }

    /// Several requests that were made together.
    pub fn round(&mut self, requests: &[Request]) {
        self.session.requests(requests, self.now_ns, &mut self.out);
        self.collect();
    }

    /// Trading is halted.
    pub fn halt(&mut self) {
        self.session.halted(self.now_ns, &mut self.out);
        self.collect();
    }

    pub fn place(&mut self, id: u64, side: Side, price: i64, qty: i64) {
        let mut terms = OrderTerms::limit(InstrumentId(0), side, Ticks(price), Lots(qty));
        terms.flags = OrderFlags::POST_ONLY;
        self.order(id, VenueRequestKind::New(terms));
    }

    pub fn cancel(&mut self, id: u64) {
        self.order(id, VenueRequestKind::Cancel { instrument: InstrumentId(0) });
    }

    pub fn amend(&mut self, id: u64, price: i64, qty: i64) {
        let instrument = InstrumentId(0);
        self.order(id, VenueRequestKind::Amend { instrument, price: Ticks(price), qty: Lots(qty) });
    }

    fn order(&mut self, id: u64, kind: VenueRequestKind) {
        let sent_ns = self.now_ns;
        self.request(Request::Order(VenueRequest { order: ClientOrderId(id), sent_ns, kind }));
    }

    pub fn stop(&mut self) {
        self.session.stop(self.now_ns, &mut self.out);
        self.collect();
    }

    /// What was told of an order, as kinds, taken.
    pub fn kinds(&mut self, id: u64) -> Vec<VenueEventKind> {
        self.reports(id).into_iter().map(|report| report.event.kind).collect()
    }

    pub fn reports(&mut self, id: u64) -> Vec<Report> {
        let mut found = Vec::new();
        self.told.retain(|told| match told {
            Told::Report(report) if report.event.order == ClientOrderId(id) => {
                found.push(*report);
                false
            }
            _ => true,
        });
        found
    }

    /// The told things that are not rows, reports or clocks, taken.
    pub fn others(&mut self) -> Vec<Told> {
        let all = std::mem::take(&mut self.told);
        all.into_iter()
            .filter(|told| !matches!(told, Told::Clock { .. } | Told::Report(_)))
            .collect()
    }

    pub fn row_kinds(&mut self) -> Vec<RowKind> {
        let rows = std::mem::take(&mut self.rows);
        rows.iter().filter_map(|row| RowKind::from_byte(row.kind)).collect()
    }

    /// Whether something of this topic was noted.
    pub fn noted(&self, topic: &str) -> bool {
        self.notes.iter().any(|note| note.topic == topic)
    }
}

/// Our id of an order as text.
pub fn client(id: u64) -> String {
    format!("ms{TAG:08x}{id:016x}")
}

/// Our id of a later version of an order.
pub fn version(id: u64, version: u32) -> String {
    format!("{}r{version:04x}", client(id))
}

pub const INFO: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","contractType":"PERPETUAL",
"baseAsset":"BTC","quoteAsset":"USDT","filters":[
{"filterType":"PRICE_FILTER","tickSize":"0.10"},
{"filterType":"LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"1000"}]}]}"#;

pub fn server_time(ms: i64) -> String {
    format!("{{\"serverTime\":{ms}}}")
}

/// A USD-M session that is up, with its connections: books, trades, user.
pub fn usdm(change: impl FnOnce(&mut SessionSettings)) -> (Play, [SocketId; 3]) {
    usdm_with(&Account::default(), change)
}

/// As [`usdm`], with what was there before this process.
pub fn usdm_with(
    account: &Account,
    change: impl FnOnce(&mut SessionSettings),
) -> (Play, [SocketId; 3]) {
    let mut play = Play::new("binance_usdm", |settings| {
        settings.orders_by_socket = false;
        change(settings);
    });
    play.start(account);
    let now_ms = play.now_ns / MS;
    play.ok("GET", "/fapi/v1/time", &server_time(now_ms));
    play.ok("GET", "/fapi/v1/exchangeInfo", INFO);
    let books = play.connect("/public/");
    let trades = play.connect("/market/");
    play.wait(2 * SECOND);
    play.ok("POST", "/fapi/v1/listenKey", r#"{"listenKey":"abcd"}"#);
    let user = play.connect("/private/ws/abcd");
    (play, [books, trades, user])
}

/// A spot session that is up, with its connections: market, and orders with user events.
pub fn spot(account: &Account) -> (Play, [SocketId; 2]) {
    let mut play = Play::new("binance", |_| {});
    play.start(account);
    let now_ms = play.now_ns / MS;
    play.ok("GET", "/api/v3/exchangeInfo", INFO);
    let market = play.connect("stream.binance.com");
    let trade = play.connect("ws-api.binance.com");
    assert!(!play.texts.iter().any(|(socket, _)| *socket == trade), "the clock is not known yet");
    play.ok("GET", "/api/v3/time", &server_time(now_ms));
    let id = ws_id(&play.take_text(trade, "userDataStream.subscribe.signature"));
    play.frame(trade, &format!(r#"{{"id":"{id}","status":200,"result":{{"subscriptionId":0}}}}"#));
    (play, [market, trade])
}

impl Play {
    /// The next text on a connection that contains this, taken.
    pub fn take_text(&mut self, socket: SocketId, part: &str) -> String {
        let at = self.texts.iter().position(|(to, text)| *to == socket && text.contains(part));
        self.texts.remove(at.unwrap_or_else(|| panic!("no {part}: {:?}", self.texts))).1
    }
}

/// The id of a request of the websocket API.
pub fn ws_id(text: &str) -> String {
    let frame: serde_json::Value = serde_json::from_str(text).unwrap();
    frame["id"].as_str().unwrap().to_owned()
}
