//! WebSockets against servers that behave well and badly.

mod venue;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use mainspring_transport::io::IoEvent;
use mainspring_transport::tls::Tls;
use mainspring_transport::websocket::Payload;
use tungstenite::Message;
use venue::*;

fn text(what: &str) -> Payload {
    Payload::Text(what.to_owned())
}

#[test]
fn messages_go_both_ways_asleep_and_busy() {
    let port = serve(|_, stream| echo(stream));
    for busy_poll in [false, true] {
        let mut config = config();
        config.busy_poll = busy_poll;
        let mut io = io(config);
        io.open(1, &format!("ws://127.0.0.1:{port}/ws"), Vec::new());
        wait_open(&mut io, 1);
        for round in 0..200 {
            assert!(io.send(1, text(&format!("message {round}"))));
            assert_eq!(wait_text(&mut io, 1), format!("message {round}"));
        }
        let long = "x".repeat(60_000);
        assert!(io.send(1, text(&long)));
        assert_eq!(wait_text(&mut io, 1), long);
        assert!(io.send(1, Payload::Binary(b"bytes".to_vec())));
        assert_eq!(wait_text(&mut io, 1), "bytes");
        io.close(1);
        assert_eq!(wait_closed(&mut io, 1), "closed as asked");
        assert!(!io.send(1, text("late")));
    }
}

#[test]
fn tls_takes_the_root_that_is_given_and_no_other() {
    let certificate = certificate();
    let root = certificate.root_pem.clone();
    let port = serve(move |_, stream| echo(certificate.wrap(stream)));
    let url = format!("wss://localhost:{port}/ws/{SECRET}");
    let mut config = config();
    config.route.tls = Tls::new(Some(root.as_bytes())).unwrap();
    let mut trusting = io(config.clone());
    trusting.open(1, &url, Vec::new());
    wait_open(&mut trusting, 1);
    for round in 0..50 {
        assert!(trusting.send(1, text(&"y".repeat(round * 100))));
        assert_eq!(wait_text(&mut trusting, 1).len(), round * 100);
    }
    // The right root, but not the name in the certificate.
    trusting.open(2, &format!("wss://127.0.0.1:{port}/"), Vec::new());
    assert!(wait_closed(&mut trusting, 2).contains("certificate"));
    let mut strict = io(venue::config());
    strict.open(1, &url, Vec::new());
    let reason = wait_closed(&mut strict, 1);
    assert!(reason.contains("TLS") && reason.contains("certificate"), "{reason}");
}

#[test]
fn a_lost_connection_is_made_again_with_growing_waits() {
    // The first three connections are refused at the upgrade; the fourth is cut after a message.
    let port = serve(|at, mut stream| match at {
        0..=2 => answer(&mut stream, "503 Down", SECRET),
        3 => {
            let mut socket = accept(stream);
            let _ = socket.send(Message::text("once"));
        }
        _ => echo(stream),
    });
    let mut io = io(config());
    let mut waits = Vec::new();
    let begin = Instant::now();
    for key in 0..3 {
        io.open(key, &format!("ws://127.0.0.1:{port}/{SECRET}"), Vec::new());
        let reason = wait_closed(&mut io, key);
        assert!(reason.contains("503"), "{reason}");
        waits.push(begin.elapsed());
    }
    io.open(3, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    wait_open(&mut io, 3);
    waits.push(begin.elapsed());
    // Waits of 20..40, 40..80 and 80..160 ms lie between the attempts.
    for (at, least) in [(1, 20), (2, 60), (3, 140)] {
        assert!(waits[at] >= Duration::from_millis(least), "{waits:?}");
    }
    assert_eq!(wait_text(&mut io, 3), "once");
    let reason = wait_closed(&mut io, 3);
    assert!(reason.contains("cut") || reason.contains("closed"), "{reason}");
    io.open(4, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    wait_open(&mut io, 4);
}

#[test]
fn a_connection_that_is_closed_here_again_and_again_is_not_made_ever_faster() {
    // As when the venue takes the connection and refuses each log-in.
    let port = serve(|_, stream| echo(stream));
    let mut io = io(config());
    let begin = Instant::now();
    for key in 0..4 {
        io.open(key, &format!("ws://127.0.0.1:{port}/"), Vec::new());
        wait_open(&mut io, key);
        io.close(key);
    }
    // Waits of 20..40, 40..80 and 80..160 ms lie between.
    assert!(begin.elapsed() >= Duration::from_millis(140), "{:?}", begin.elapsed());
}

#[test]
fn a_venue_that_says_when_to_come_back_is_left_alone_until_then() {
    let port = serve(|at, mut stream| match at {
        0 => {
            let _ = stream
                .write_all(b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
        }
        1 => {
            let _ = stream.write_all(
                b"HTTP/1.1 418 Banned\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                  Retry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\nContent-Length: 0\r\n\r\n",
            );
        }
        _ => echo(stream),
    });
    let mut io = io(config());
    let begin = Instant::now();
    for key in 0..2 {
        io.open(key, &format!("ws://127.0.0.1:{port}/"), Vec::new());
        let reason = wait_closed(&mut io, key);
        assert!(reason.contains("again after 1 s"), "{reason}");
    }
    io.open(2, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    wait_open(&mut io, 2);
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn a_goodbye_ends_a_connection_at_once_and_its_code_is_told() {
    let (said, is_said) = std::sync::mpsc::channel();
    let said = std::sync::Mutex::new(said);
    let port = serve(move |_, stream| {
        let mut raw = stream.try_clone().unwrap();
        let mut socket = accept(stream);
        // A ping within a message, the rest of the message, a goodbye; the connection stays.
        raw.write_all(&[0x01, 2, b'a', b'b', 0x89, 1, b'!', 0x80, 1, b'c']).unwrap();
        raw.write_all(&[0x88, 2, 0x03, 0xf4]).unwrap();
        while let Ok(message) = socket.read() {
            let _ = said.lock().unwrap().send(message);
        }
        thread::sleep(Duration::from_secs(20));
    });
    let mut config = config();
    config.pulse.ask_after = Duration::from_secs(60);
    config.pulse.dead_after = Duration::from_secs(60);
    let mut io = io(config);
    io.open(1, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    assert_eq!(wait_text_keeping(&mut io), "abc");
    let reason = wait_closed(&mut io, 1);
    assert!(reason.contains("the venue closed it (code 1012)"), "{reason}");
    let heard = |_| is_said.recv_timeout(Duration::from_secs(10)).unwrap();
    let heard: Vec<Message> = (0..2).map(heard).collect();
    assert_eq!(heard[0], Message::Pong(b"!".to_vec().into()));
    assert!(matches!(heard[1], Message::Close(Some(_))), "{heard:?}");
}

#[test]
fn a_silent_connection_is_asked_and_then_given_up() {
    // One that answers pings with pongs stays; one that reads nothing goes.
    let good = serve(|_, stream| echo(stream));
    let mute = serve(|_, stream| {
        let _socket = accept(stream);
        thread::sleep(Duration::from_secs(20));
    });
    let mut io = io(config());
    io.open(1, &format!("ws://127.0.0.1:{good}/"), Vec::new());
    io.open(2, &format!("ws://127.0.0.1:{mute}/"), Vec::new());
    wait_open(&mut io, 2);
    let begin = Instant::now();
    let reason = wait_closed(&mut io, 2);
    assert!(reason.contains("nothing came"), "{reason}");
    assert!(begin.elapsed() >= Duration::from_millis(350), "{:?}", begin.elapsed());
    while begin.elapsed() < Duration::from_millis(1_000) {
        io.turn(Duration::from_millis(20)).unwrap();
        while let Some(event) = io.next_event() {
            assert!(matches!(event, IoEvent::Pong { key: 1 }), "{event:?}");
        }
    }
    assert_eq!(io.open_sockets(), (1, 1));
}

#[test]
fn a_venue_that_takes_nothing_is_given_up_and_memory_stays_bounded() {
    let port = serve(|_, stream| {
        let _socket = accept(stream);
        thread::sleep(Duration::from_secs(20));
    });
    let mut config = config();
    config.pulse.dead_after = Duration::from_secs(60);
    config.limits.waiting_bytes = 64 << 20;
    let mut stuck = io(config.clone());
    stuck.open(1, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    wait_open(&mut stuck, 1);
    // More than the system's buffers take, less than may wait.
    (0..400).for_each(|_| assert!(stuck.send(1, text(&"z".repeat(50_000)))));
    assert!(wait_closed(&mut stuck, 1).contains("takes nothing"));
    config.limits.waiting_bytes = 100_000;
    let mut full = io(config);
    full.open(1, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    wait_open(&mut full, 1);
    assert!((0..1_000).any(|_| !full.send(1, text(&"z".repeat(50_000)))));
    assert!(wait_closed(&mut full, 1).contains("too much waits"));
}

#[test]
fn broken_and_outsize_messages_end_the_connection() {
    let port = serve(|at, stream| {
        let mut raw = stream.try_clone().unwrap();
        let mut socket = accept(stream);
        match at {
            // Longer than is taken, told by its header alone.
            0 => raw.write_all(&[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]).unwrap(),
            // Cut in the middle of a frame.
            1 => raw.write_all(&[0x81, 100, b'a', b'b']).unwrap(),
            // A masked frame, which a server must not send.
            2 => raw.write_all(&[0x81, 0x81, 1, 2, 3, 4, 5]).unwrap(),
            // Text that is not UTF-8.
            3 => raw.write_all(&[0x81, 2, 0xff, 0xff]).unwrap(),
            // A reserved opcode.
            4 => raw.write_all(&[0x83, 0]).unwrap(),
            // A goodbye in order.
            _ => {
                let _ = socket.close(None);
                let _ = socket.flush();
                while socket.read().is_ok() {}
            }
        }
        thread::sleep(Duration::from_millis(100));
        let _ = raw.shutdown(std::net::Shutdown::Both);
    });
    let words = ["longer", "cut", "protocol", "UTF-8", "protocol", "closed"];
    let mut config = config();
    config.back_off.longest = Duration::from_millis(1);
    let mut io = io(config);
    for (key, word) in words.iter().enumerate() {
        io.open(key as u64, &format!("ws://127.0.0.1:{port}/"), Vec::new());
        let reason = wait_closed(&mut io, key as u64);
        assert!(reason.contains(word), "{key}: {reason}");
    }
}

#[test]
fn upgrades_that_hang_lie_or_are_no_http_fail_in_time() {
    let port = serve(|at, mut stream| match at {
        0 => thread::sleep(Duration::from_secs(20)),
        1 => {
            // One byte at a time, for ever: the whole deadline counts, not the single read.
            let _ = stream.write_all(b"HTTP/1.1 101 Switching\r\n");
            while stream.write_all(b"a").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        2 => {
            let _ = read_request(&mut stream);
            let _ = stream.write_all(
                b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: AAAA\r\n\r\n",
            );
            thread::sleep(Duration::from_secs(20));
        }
        _ => {
            let _ = read_request(&mut stream);
            let _ = stream.write_all(format!("{SECRET}\r\n\r\n").as_bytes());
        }
    });
    let mut config = config();
    config.route.patience = Duration::from_millis(400);
    config.back_off.longest = Duration::from_millis(1);
    let mut io = io(config);
    for (key, word) in
        ["in time", "in time", "not that of a WebSocket", "not HTTP"].iter().enumerate()
    {
        let begin = Instant::now();
        let headers = vec![("X-MBX-APIKEY", SECRET.to_owned())];
        io.open(key as u64, &format!("ws://127.0.0.1:{port}/{SECRET}"), headers);
        let reason = wait_closed(&mut io, key as u64);
        assert!(reason.contains(word), "{key}: {reason}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    }
    io.open(9, "ws://127.0.0.1:1/", Vec::new());
    assert!(wait_closed(&mut io, 9).contains("refused"));
    io.open(10, "http://127.0.0.1:1/", Vec::new());
    assert!(wait_closed(&mut io, 10).contains("not that of a WebSocket"));
}

#[test]
fn a_message_that_comes_with_the_upgrade_is_read() {
    let port = serve(|_, stream| {
        let mut socket = accept(stream);
        (0..500).for_each(|at| socket.write(Message::text(format!("{at}"))).unwrap());
        let _ = socket.flush();
        while socket.read().is_ok() {}
    });
    let mut io = io(config());
    io.open(1, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    for at in 0..500 {
        assert_eq!(wait_text_keeping(&mut io), format!("{at}"));
    }
}

/// The next text without dropping those behind it.
fn wait_text_keeping(io: &mut mainspring_transport::io::Io) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        while let Some(event) = io.next_event() {
            if let IoEvent::Message { bytes, recv_ns, .. } = event {
                assert!(recv_ns > 0);
                return String::from_utf8(bytes.to_vec()).unwrap();
            }
        }
        assert!(Instant::now() < until);
        io.turn(Duration::from_millis(10)).unwrap();
    }
}

#[test]
fn closing_drops_what_was_not_handed_on() {
    let port = serve(|_, stream| {
        let mut socket = accept(stream);
        while socket.send(Message::text("more")).is_ok() {}
    });
    let mut io = io(config());
    io.open(1, &format!("ws://127.0.0.1:{port}/"), Vec::new());
    wait_open(&mut io, 1);
    (0..20).for_each(|_| io.turn(Duration::from_millis(5)).unwrap());
    io.close(1);
    let event = io.next_event().unwrap();
    assert!(matches!(event, IoEvent::Closed { key: 1, .. }), "{event:?}");
    assert!(io.next_event().is_none());
}

#[test]
fn the_bell_ends_a_sleep() {
    let mut io = io(config());
    let bell = io.bell();
    let begin = Instant::now();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        bell.ring();
    });
    io.turn(Duration::from_secs(60)).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}
