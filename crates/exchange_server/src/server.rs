//! The port: HTTP and WebSockets, whatever they are about.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request as HttpRequestIn, State};
use axum::http::{header, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Router;
use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::config::ServerConfig;
use crate::dialects::{self, Floor, HttpAnswer, HttpRequest, Talk};
use crate::recording::Progress;
use crate::socket;
use crate::venue::Venue;

/// Most bytes of a request body.
const MAX_BODY: usize = 1 << 20;
/// How often the flow acts, and after how many times of it depth and tickers are told.
const FLOW_EVERY: Duration = Duration::from_millis(5);
const DEPTH_TICKS: u32 = 20;
const TICKER_TICKS: u32 = 200;

/// What every connection shares.
#[derive(Debug)]
pub struct Shared {
    floor: Mutex<Floor>,
    /// Messages that may wait for one connection.
    pub queue: usize,
    stop: Notify,
}

impl Shared {
    /// The venue, at the present.
    pub fn floor(&self) -> MutexGuard<'_, Floor> {
        let mut floor = self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        floor.venue.set_now(now_ns());
        floor
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve on threads of its own.
    ///
    /// # Errors
    /// When the configuration does not fit together or the address cannot be listened on.
    pub fn start(config: &ServerConfig) -> Result<Self> {
        let listener = std::net::TcpListener::bind((config.host.as_str(), config.port))
            .map_err(|e| Error::from(e).at(format!("{}:{}", config.host, config.port)))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let row = dialects::find(&config.dialect)?;
        let venue = Venue::new(&row.listing, config, now_ns())?;
        let shared = Arc::new(Shared {
            floor: Mutex::new(Floor { venue, dialect: (row.make)() }),
            queue: config.queue,
            stop: Notify::new(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads.clamp(1, 64))
            .thread_name("mainspring-venue")
            .enable_all()
            .build()?;
        let inside = shared.clone();
        let thread = std::thread::Builder::new()
            .name("mainspring-venue".to_owned())
            .spawn(move || runtime.block_on(serve(listener, inside)))?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it still serves.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Sets faults from their JSON.
    ///
    /// # Errors
    /// When it is not a set of faults.
    pub fn set_faults(&self, json: &str) -> Result<()> {
        let faults = serde_json::from_str(json)
            .map_err(|e| Error::new(ErrorKind::Value, format!("faults: {e}")))?;
        self.shared.floor().venue.set_faults(faults);
        Ok(())
    }

    /// Plans faults of the next requests about orders, from their JSON; `null` forgets those planned.
    ///
    /// # Errors
    /// When it is not such a fault.
    pub fn plan_fault(&self, json: &str) -> Result<()> {
        let planned = serde_json::from_str(json)
            .map_err(|e| Error::new(ErrorKind::Value, format!("a planned fault: {e}")))?;
        self.shared.floor().venue.plan_fault(planned);
        Ok(())
    }

    /// How many requests about orders are still to suffer by plan.
    #[must_use]
    pub fn planned_left(&self) -> u32 {
        self.shared.floor().venue.plan.left()
    }

    /// Halts all markets, or opens them.
    pub fn set_halted(&self, halts: bool) {
        let mut floor = self.shared.floor();
        floor.venue.set_halted(halts);
        floor.tell();
    }

    /// Liquidates all that a member holds.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn liquidate(&self, key: &str) -> Result<()> {
        let mut floor = self.shared.floor();
        if !floor.venue.liquidate(key) {
            return Err(Error::new(ErrorKind::NotFound, "there is no member with that key"));
        }
        floor.tell();
        Ok(())
    }

    /// How far the recording is that is played, where one is.
    #[must_use]
    pub fn recording(&self) -> Option<Progress> {
        self.shared.floor().venue.recording()
    }

    /// Stops serving and waits until it has.
    pub fn stop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn now_ns() -> TimeNs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| TimeNs::try_from(since.as_nanos()).unwrap_or(TimeNs::MAX))
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let pace = tokio::spawn(keep_pace(shared.clone()));
    let app = Router::new().fallback(answer).with_state(shared.clone());
    tokio::select! {
        ended = axum::serve(listener, app) => {
            if let Err(error) = ended {
                eprintln!("mainspring venue: {error}");
            }
        }
        () = shared.stop.notified() => {}
    }
    pace.abort();
}

/// Lets the market go on, and tells what is told at intervals.
async fn keep_pace(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(FLOW_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut count = 0_u32;
    loop {
        every.tick().await;
        count = count.wrapping_add(1);
        let mut floor = shared.floor();
        let Floor { venue, dialect } = &mut *floor;
        venue.advance(now_ns());
        dialect.tell(venue);
        if count.is_multiple_of(DEPTH_TICKS) {
            dialect.tell_depth(venue);
        }
        if count.is_multiple_of(TICKER_TICKS) {
            dialect.tell_tickers(venue);
        }
    }
}

/// Answers whatever comes.
async fn answer(State(shared): State<Arc<Shared>>, request: HttpRequestIn) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.headers.contains_key(header::UPGRADE) {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let talk = shared.floor().dialect.talk(path, query);
        return match WebSocketUpgrade::from_request_parts(&mut parts, &shared).await {
            Ok(upgrade) => upgrade_to(upgrade, shared, talk),
            Err(refused) => refused.into_response(),
        };
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path();
    if path.starts_with("/simulator/") {
        return control(&shared, &parts.method, path, &body);
    }
    let request = HttpRequest {
        method: parts.method.as_str(),
        path,
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &String::from_utf8_lossy(&body),
    };
    let (fault, delay) = {
        let mut floor = shared.floor();
        let is_order = floor.venue.plan.left() > 0 && floor.dialect.is_order(&request);
        (floor.venue.draw_fault(is_order), floor.venue.draw_delay())
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let answer = shared.floor().http(&request, fault);
    response(answer)
}

fn response(answer: HttpAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Faults, halts and liquidations, for tests: `GET|POST /simulator/faults`, `GET|POST
/// /simulator/planned` for faults of the next requests about orders, `GET /simulator/recording` for how
/// far the recording is, `POST /simulator/halt`, `open`, and `liquidate` with a member's key as its body.
fn control(shared: &Shared, method: &Method, path: &str, body: &Bytes) -> Response {
    let mut floor = shared.floor();
    match (method.as_str(), path) {
        ("GET", "/simulator/faults") => {
            serde_json::to_string(&floor.venue.faults).unwrap_or_default().into_response()
        }
        ("POST", "/simulator/faults") => match serde_json::from_slice(body) {
            Ok(faults) => {
                floor.venue.set_faults(faults);
                StatusCode::NO_CONTENT.into_response()
            }
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        },
        ("GET", "/simulator/recording") => match floor.venue.recording() {
            Some(progress) => serde_json::to_string(&progress).unwrap_or_default().into_response(),
            None => (StatusCode::NOT_FOUND, "the flow is generated").into_response(),
        },
        ("GET", "/simulator/planned") => floor.venue.plan.left().to_string().into_response(),
        ("POST", "/simulator/planned") => match serde_json::from_slice(body) {
            Ok(planned) => {
                floor.venue.plan_fault(planned);
                StatusCode::NO_CONTENT.into_response()
            }
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        },
        ("POST", "/simulator/liquidate") => {
            let known = floor.venue.liquidate(&String::from_utf8_lossy(body));
            floor.tell();
            if known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }.into_response()
        }
        ("POST", "/simulator/halt" | "/simulator/open") => {
            floor.venue.set_halted(path.ends_with("halt"));
            floor.tell();
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn upgrade_to(
    upgrade: WebSocketUpgrade,
    shared: Arc<Shared>,
    talk: Option<Box<dyn Talk>>,
) -> Response {
    let Some(talk) = talk else {
        return StatusCode::NOT_FOUND.into_response();
    };
    upgrade.max_message_size(1 << 20).on_upgrade(move |socket| socket::run(socket, shared, talk))
}
