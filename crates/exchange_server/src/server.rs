//! The sockets: REST, market streams, user streams and the WebSocket API on one port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request as HttpRequest, State};
use axum::http::{header, HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Router;
use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::config::ServerConfig;
use crate::faults::RequestFault;
use crate::params::{signed_text, Params};
use crate::venue::{Answer, Request, Venue};
use crate::websocket;

/// Most bytes of a request body.
const MAX_BODY: usize = 1 << 20;
/// How often the flow acts and depth is told.
const FLOW_EVERY: Duration = Duration::from_millis(10);

/// What every connection shares.
#[derive(Debug)]
pub struct Shared {
    venue: Mutex<Venue>,
    /// Messages that may wait for one connection.
    pub queue: usize,
    stop: Notify,
}

impl Shared {
    /// The venue, brought up to the present.
    pub fn venue(&self) -> MutexGuard<'_, Venue> {
        let mut venue = self.venue.lock().unwrap_or_else(PoisonError::into_inner);
        venue.advance(now_ns());
        venue
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
        let shared = Arc::new(Shared {
            venue: Mutex::new(Venue::new(config, now_ns())?),
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
        self.shared.venue().faults = faults;
        Ok(())
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
        let mut venue = shared.venue();
        if count.is_multiple_of(10) {
            venue.tell_depth();
        }
        if count.is_multiple_of(100) {
            venue.tell_tickers();
        }
    }
}

/// Answers whatever comes.
async fn answer(State(shared): State<Arc<Shared>>, request: HttpRequest) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if parts.headers.contains_key(header::UPGRADE) {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        return match WebSocketUpgrade::from_request_parts(&mut parts, &shared).await {
            Ok(upgrade) => upgrade_to(upgrade, shared, path, query),
            Err(refused) => refused.into_response(),
        };
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if path.starts_with("/simulator/") {
        return control(&shared, &parts.method, &path, &body);
    }
    let query = parts.uri.query().unwrap_or_default();
    let answer = rest(&shared, &parts.method, &path, query, &parts.headers, &body).await;
    response(&path, answer)
}

async fn rest(
    shared: &Shared,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Answer {
    let body = String::from_utf8_lossy(body);
    let mut params = Params::of_query(query);
    params.add_query(&body);
    let key = headers.get("x-mbx-apikey").and_then(|key| key.to_str().ok());
    let request = Request {
        method: method.as_str(),
        path,
        params,
        signed_text: signed_text(query, &body),
        key,
    };
    handle(shared, &request).await
}

/// Carries a request out, with the faults that are asked for around it.
pub async fn handle(shared: &Shared, request: &Request<'_>) -> Answer {
    let (fault, delay_ms) = {
        let mut venue = shared.venue();
        let faults = venue.faults;
        let fault = faults.of_request(&mut venue.dice);
        (fault, venue.dice.delay_ms(faults.latency_ms, faults.latency_log_sd))
    };
    if delay_ms > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(delay_ms * 1e-3)).await;
    }
    let failed = |status: u16, code: i32, message: &str, wait: Option<u64>| Answer {
        status,
        body: serde_json::json!({"code": code, "msg": message}).to_string(),
        used_weight: None,
        used_orders: None,
        retry_after_s: wait,
    };
    match fault {
        None => shared.venue().handle(request),
        Some(RequestFault::TooManyRequests) => failed(429, -1003, "Too many requests.", Some(1)),
        Some(RequestFault::Banned) => failed(418, -1003, "Way too many requests.", Some(120)),
        Some(RequestFault::ServerError) => {
            failed(503, -1008, "Server is currently overloaded with other requests.", None)
        }
        Some(RequestFault::UnknownOutcome) => {
            drop(shared.venue().handle(request));
            let message = "Timeout waiting for response from backend server. Send status \
                           unknown; execution status unknown.";
            failed(503, -1007, message, None)
        }
    }
}

fn response(path: &str, answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    if let Some(used) = answer.used_weight {
        headers.insert("x-mbx-used-weight-1m", used.into());
        if path.starts_with("/api/") {
            headers.insert("x-mbx-used-weight", used.into());
        }
    }
    if let Some(used) = answer.used_orders {
        headers.insert("x-mbx-order-count-10s", used.into());
    }
    if let Some(seconds) = answer.retry_after_s {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Faults and halts, for tests: `GET|POST /simulator/faults`, `POST /simulator/halt?symbol=..`.
fn control(shared: &Shared, method: &Method, path: &str, body: &Bytes) -> Response {
    let mut venue = shared.venue();
    match (method.as_str(), path) {
        ("GET", "/simulator/faults") => {
            serde_json::to_string(&venue.faults).unwrap_or_default().into_response()
        }
        ("POST", "/simulator/faults") => match serde_json::from_slice(body) {
            Ok(faults) => {
                venue.faults = faults;
                StatusCode::NO_CONTENT.into_response()
            }
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        },
        ("POST", "/simulator/halt" | "/simulator/open") => {
            venue.set_halted(path.ends_with("halt"));
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn upgrade_to(
    upgrade: WebSocketUpgrade,
    shared: Arc<Shared>,
    path: String,
    query: String,
) -> Response {
    let Some(purpose) = websocket::purpose(&path, &query) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    upgrade.max_message_size(1 << 20).on_upgrade(move |socket: WebSocket| async move {
        websocket::run(socket, shared, purpose).await;
    })
}
