//! Recording a feed of the exchange server, undisturbed and with faults.

mod venue;

use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use mainspring_core::RowKind;
use mainspring_data::{check_file, EventFile};
use mainspring_exchange_server::config::ServerConfig;
use mainspring_exchange_server::server::Server;
use mainspring_transport::record::{
    RecordConfig, Recorded, Recorder, SocketsConfig, TapeConfig, Wire,
};
use mainspring_venues::venue::{Network, Stream};

fn server() -> Server {
    let config = ServerConfig {
        markets: vec!["btcusdt".to_owned()],
        warm_up_s: 5.0,
        speed: 3.0,
        ..Default::default()
    };
    Server::start(&config).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("mainspring-record-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn config(server: &Server, venue: &str, folder: &std::path::Path) -> RecordConfig {
    let mut io = venue::config();
    io.calls.body_bytes = 8 << 20;
    let tape = TapeConfig {
        venue: venue.to_owned(),
        symbols: vec!["btcusdt".to_owned()],
        streams: vec![Stream::Book, Stream::Best, Stream::Trades, Stream::Mark],
        target: folder.join("tape.mse"),
        raw: Some(folder.join("tape.raw.gz")),
    };
    let url = Some(format!("ws://{}", server.address()));
    let wire = Wire::Sockets(SocketsConfig { network: Network::Main, url, copies: 1, io });
    RecordConfig { tape, wire }
}

fn wait_rows(recorder: &Recorder, rows: u64) {
    let until = Instant::now() + Duration::from_secs(20);
    while recorder.shown().rows < rows {
        assert!(Instant::now() < until && !recorder.is_over(), "{:?}", recorder.shown());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Every finding of weight, apart from gaps that were recorded as such.
fn errors(recorded: &Recorded) -> Vec<String> {
    let path = &recorded.summary.as_ref().unwrap().path;
    let report = check_file(path).unwrap();
    let heavy = report.findings.iter().filter(|one| format!("{:?}", one.severity) == "Error");
    heavy.map(|one| format!("{one:?}")).collect()
}

fn kinds(recorded: &Recorded) -> Vec<(RowKind, usize)> {
    let file = EventFile::open(&recorded.summary.as_ref().unwrap().path).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for chunk in 0..file.chunks().len() {
        for row in file.chunk(chunk).unwrap().rows {
            *counts.entry(row.kind).or_insert(0) += 1;
        }
    }
    counts.into_iter().map(|(kind, count)| (RowKind::from_byte(kind).unwrap(), count)).collect()
}

#[test]
fn a_feed_is_recorded_whole_on_both_markets() {
    let server = server();
    for name in ["binance", "binance_usdm"] {
        let folder = folder(name);
        let recorder = Recorder::start(config(&server, name, &folder)).unwrap();
        assert_eq!(recorder.instruments()[0].symbol, "BTCUSDT");
        wait_rows(&recorder, 1_500);
        let until = Instant::now() + Duration::from_secs(20);
        while recorder.shown().messages < 60 {
            assert!(Instant::now() < until, "{:?}", recorder.shown());
            thread::sleep(Duration::from_millis(20));
        }
        assert!(recorder.shown().fresh);
        let recorded = recorder.stop().unwrap().unwrap();
        assert!(recorder.stop().unwrap().is_none());
        assert_eq!(recorded.broken, None);
        let summary = recorded.summary.clone().unwrap();
        assert!(summary.rows >= 1_500 && summary.gap_rows == 0, "{summary:?}");
        assert_eq!(errors(&recorded), Vec::<String>::new());
        let kinds = kinds(&recorded);
        println!("{name}: {kinds:?}");
        assert!(kinds.len() >= 3, "{kinds:?}");
        assert!(recorded.raw_lines > 50);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn gaps_and_lost_connections_are_marked_and_repaired() {
    let server = server();
    let folder = folder("faults");
    let recorder = Recorder::start(config(&server, "binance", &folder)).unwrap();
    wait_rows(&recorder, 300);
    server.set_faults(r#"{"gap": 0.02, "duplicate": 0.1, "disconnect": 0.003}"#).unwrap();
    let until = Instant::now() + Duration::from_secs(40);
    while recorder.shown().lost < 3 || recorder.shown().closed < 2 {
        assert!(Instant::now() < until, "{:?}", recorder.shown());
        thread::sleep(Duration::from_millis(20));
    }
    server.set_faults("{}").unwrap();
    wait_rows(&recorder, recorder.shown().rows + 300);
    assert!(recorder.shown().fresh);
    let recorded = recorder.stop().unwrap().unwrap();
    assert_eq!((recorded.broken.clone(), errors(&recorded)), (None, Vec::new()));
    assert!(recorded.summary.unwrap().gap_rows >= 3);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A way to the server on which every connection is cut after one to five seconds, at most one in any
/// second.
fn shaky(server: &Server) -> u16 {
    let address = server.address();
    venue::serve(move |at, stream| {
        let Ok(there) = TcpStream::connect(address) else { return };
        let cut = stream.try_clone().unwrap();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(1 + at as u64 % 5));
            let _ = cut.shutdown(std::net::Shutdown::Both);
        });
        venue::pipe(stream, there);
    })
}

#[test]
fn copies_of_a_stream_hide_that_connections_are_cut() {
    let server = server();
    let folder = folder("copies");
    let mut wanted = config(&server, "binance_usdm", &folder);
    let Wire::Sockets(wire) = &mut wanted.wire else { panic!("by sockets") };
    wire.url = Some(format!("ws://127.0.0.1:{}", shaky(&server)));
    wire.copies = 3;
    wanted.tape.streams = vec![Stream::Book];
    let recorder = Recorder::start(wanted).unwrap();
    wait_rows(&recorder, 300);
    let until = Instant::now() + Duration::from_secs(40);
    while recorder.shown().closed < 3 {
        assert!(Instant::now() < until, "{:?}", recorder.shown());
        thread::sleep(Duration::from_millis(20));
    }
    wait_rows(&recorder, recorder.shown().rows + 300);
    let shown = recorder.shown();
    let recorded = recorder.stop().unwrap().unwrap();
    assert!(shown.copies_dropped > 20 && shown.lost == 0, "{shown:?}");
    assert_eq!(errors(&recorded), Vec::<String>::new());
    std::fs::remove_dir_all(folder).unwrap();
}
