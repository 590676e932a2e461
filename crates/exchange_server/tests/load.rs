//! A server under load: many signed orders at once, while another client does not read.

use std::io::Write;
use std::net::TcpStream;

use mainspring_exchange_server::config::Limits;
use mainspring_exchange_server::load::{run, Load};
use mainspring_exchange_server::{Server, ServerConfig};

const LOAD: Load<'static> = Load {
    key: "simulator-key",
    secret: "simulator-secret",
    symbol: "BTCUSDT",
    connections: 4,
    orders: 2_000,
    burst: 32,
};

fn server(speed: f64, queue: usize) -> Server {
    let most = u32::MAX;
    Server::start(&ServerConfig {
        markets: vec!["btcusdt".to_owned()],
        speed,
        warm_up_s: 1.0,
        queue,
        limits: Limits {
            spot_weight: most,
            usdm_weight: most,
            spot_orders: most,
            usdm_orders: most,
            refusals: most,
        },
        ..ServerConfig::default()
    })
    .unwrap()
}

#[test]
fn every_signed_order_is_accepted() {
    let server = server(0.0, 4_096);
    let report = run(server.address(), &LOAD).unwrap();
    assert_eq!((report.accepted, report.refused), (8_000, 0));
    assert!(report.latency_us(0.5) <= report.latency_us(0.99));
    let forged = Load { secret: "another", orders: 10, ..LOAD };
    assert_eq!(run(server.address(), &forged).unwrap().refused, 40);
}

#[test]
fn whoever_does_not_read_slows_nobody() {
    // Market data of a market at a thousand times its pace, to somebody who never reads.
    let server = server(200.0, 16);
    let mut deaf = TcpStream::connect(server.address()).unwrap();
    let request = "GET /stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth HTTP/1.1\r\n\
                   Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFpbnNwcmluZyBsb2FkIQ==\r\n\r\n";
    deaf.write_all(request.as_bytes()).unwrap();
    let report = run(server.address(), &LOAD).unwrap();
    assert_eq!((report.accepted, report.refused), (8_000, 0));
    assert!(report.seconds < 20.0, "took {} s", report.seconds);
    drop(deaf);
}

#[test]
fn only_this_machine_is_loaded_and_not_without_end() {
    let far = "192.0.2.1:80".parse().unwrap();
    assert!(run(far, &LOAD).unwrap_err().message().contains("not this machine"));
    let near = "127.0.0.1:1".parse().unwrap();
    assert!(run(near, &Load { orders: 10_000_000, ..LOAD }).is_err());
    assert!(run(near, &Load { burst: 0, ..LOAD }).is_err());
}
