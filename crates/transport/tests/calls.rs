//! HTTP requests against servers that behave well and badly.

mod venue;

use std::io::{Read, Write};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use mainspring_transport::address::Url;
use mainspring_transport::http::Request;
use mainspring_transport::io::{Io, IoEvent};
use mainspring_transport::lines::Places;
use mainspring_transport::tls::Tls;
use mainspring_venues::outgoing::{Method, Urgency};
use venue::*;

fn ask(io: &mut Io, key: u64, method: Method, port: u16, body: &str) {
    ask_at(io, key, method, &format!("http://127.0.0.1:{port}"), body);
}

fn ask_at(io: &mut Io, key: u64, method: Method, origin: &str, body: &str) {
    let url = Url::parse(&format!("{origin}/order/{key}?signature={SECRET}")).unwrap();
    let headers = vec![("X-MBX-APIKEY", SECRET.to_owned())];
    let urgency = match method {
        Method::Get => Urgency::Question,
        Method::Delete => Urgency::Cancel,
        Method::Post | Method::Put => Urgency::Order,
    };
    io.call(key, Request { urgency, method, url, headers, body: body.to_owned() });
}

#[test]
fn connections_are_kept_and_requests_leave_in_order() {
    let seen = Seen::default();
    let noted = seen.clone();
    let port = serve(move |at, mut stream| {
        while let Some((head, body)) = read_request(&mut stream) {
            let path = head.split(' ').nth(1).unwrap().split('?').next().unwrap().to_owned();
            noted.note(format!("{at} {path}"));
            answer(&mut stream, "200 OK", &format!("{path} {body}"));
        }
    });
    for busy_poll in [false, true] {
        let mut config = config();
        config.busy_poll = busy_poll;
        config.calls.connections.all = 1;
        let mut io = io(config);
        for key in 0..4 {
            ask(&mut io, key, Method::Post, port, "a=1");
        }
        for key in 0..4 {
            let (status, body) = wait_answer(&mut io, key).unwrap();
            assert_eq!(
                (status, String::from_utf8(body).unwrap()),
                (200, format!("/order/{key} a=1"))
            );
        }
    }
    let all = seen.all();
    let expected: Vec<String> = (0..8).map(|at| format!("{} /order/{}", at / 4, at % 4)).collect();
    assert_eq!(all, expected);
}

#[test]
fn https_and_chunks_and_ends_are_read() {
    let certificate = certificate();
    let root = certificate.root_pem.clone();
    let port = serve(move |at, stream| {
        let mut stream = certificate.wrap(stream);
        let _ = read_request(&mut stream);
        let text: &[u8] = match at {
            0 => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            _ => b"HTTP/1.1 418 Banned\r\nConnection: close\r\n\r\nabcde",
        };
        for byte in text {
            let _ = stream.write_all(&[*byte]);
            let _ = stream.flush();
        }
        if at > 0 {
            stream.conn.send_close_notify();
            let _ = stream.flush();
            return;
        }
        let _ = stream.read(&mut [0; 10]);
    });
    let mut config = config();
    config.route.tls = Tls::new(Some(root.as_bytes())).unwrap();
    config.calls.idle = Duration::from_millis(30);
    let mut io = io(config);
    ask_at(&mut io, 0, Method::Get, &format!("https://localhost:{port}"), "");
    assert_eq!(wait_answer(&mut io, 0).unwrap(), (200, b"abcde".to_vec()));
    // The kept connection is closed once nobody used it for a while.
    thread::sleep(Duration::from_millis(60));
    io.turn(Duration::ZERO).unwrap();
    ask_at(&mut io, 1, Method::Get, &format!("https://localhost:{port}"), "");
    assert_eq!(wait_answer(&mut io, 1).unwrap(), (418, b"abcde".to_vec()));
}

#[test]
fn what_cannot_have_left_is_told_from_what_perhaps_did() {
    let mut io = io(config());
    // Nobody listens there.
    ask(&mut io, 1, Method::Post, 1, "a");
    let (perhaps_sent, reason) = wait_answer(&mut io, 1).unwrap_err();
    assert!(!perhaps_sent && reason.contains("refused"), "{reason}");
    // The request is read, and the connection closed without an answer.
    let mute = serve(|_, mut stream| {
        let _ = read_request(&mut stream);
    });
    ask(&mut io, 2, Method::Post, mute, "a");
    let (perhaps_sent, reason) = wait_answer(&mut io, 2).unwrap_err();
    assert!(perhaps_sent && reason.contains("closed before"), "{reason}");
    // The request is read, and there is no answer.
    let slow = serve(|_, mut stream| {
        let _ = read_request(&mut stream);
        thread::sleep(Duration::from_secs(10));
    });
    ask(&mut io, 3, Method::Post, slow, "a");
    let (perhaps_sent, reason) = wait_answer(&mut io, 3).unwrap_err();
    assert!(perhaps_sent && reason.contains("no answer in time"), "{reason}");
    // A header that would break out of its line leaves nothing.
    let url = Url::parse(&format!("http://127.0.0.1:{slow}/")).unwrap();
    let headers = vec![("X", format!("{SECRET}\r\nY: z"))];
    let (urgency, method, body) = (Urgency::Question, Method::Get, String::new());
    io.call(4, Request { urgency, method, url, headers, body });
    assert!(!wait_answer(&mut io, 4).unwrap_err().0);
}

#[test]
fn an_answer_that_is_cut_garbled_or_too_long_is_none() {
    let port = serve(|_, mut stream| {
        let Some((head, _)) = read_request(&mut stream) else { return };
        let text = match head.as_bytes()["GET /order/".len()] {
            b'0' => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
            b'1' => format!("{SECRET} garbage\r\n\r\n"),
            b'2' => "HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n".to_owned(),
            b'3' => format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(20_000)),
            _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        };
        let _ = stream.write_all(text.as_bytes());
    });
    let mut io = io(config());
    for (key, word) in ["closed before", "not HTTP", "longer", "longer", "size"].iter().enumerate()
    {
        ask(&mut io, key as u64, Method::Get, port, "");
        let (perhaps_sent, reason) = wait_answer(&mut io, key as u64).unwrap_err();
        assert!(perhaps_sent && reason.contains(word), "{key}: {reason}");
    }
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced_for_reads_and_admitted_for_orders() {
    // Each connection gives one answer and is cut when the second request has come.
    let port = serve(|_, mut stream| {
        if read_request(&mut stream).is_some() {
            answer(&mut stream, "200 OK", "once");
            let _ = read_request(&mut stream);
        }
    });
    let mut config = config();
    config.calls.connections.all = 1;
    let mut io = io(config);
    ask(&mut io, 1, Method::Get, port, "");
    assert_eq!(wait_answer(&mut io, 1).unwrap().0, 200);
    ask(&mut io, 2, Method::Get, port, "");
    assert_eq!(wait_answer(&mut io, 2).unwrap().0, 200);
    // An order is never sent twice, however it is sent.
    ask(&mut io, 3, Method::Post, port, "a=1");
    assert!(wait_answer(&mut io, 3).unwrap_err().0);
    for (key, urgency) in [(4, Urgency::Order), (6, Urgency::Cancel)] {
        ask(&mut io, key, Method::Get, port, "");
        assert_eq!(wait_answer(&mut io, key).unwrap().0, 200);
        let url = Url::parse(&format!("http://127.0.0.1:{port}/broadcast")).unwrap();
        let (method, headers, body) = (Method::Get, Vec::new(), String::new());
        io.call(key + 1, Request { urgency, method, url, headers, body });
        assert!(wait_answer(&mut io, key + 1).unwrap_err().0);
    }
}

/// A server that answers each request with its number; the first connection then says `last`, which
/// nobody asked for, and ends. Gives the port, what was asked, and when that end is on its way.
fn ends_while_idle(last: &'static str) -> (u16, Seen, Receiver<()>) {
    let (seen, (said, is_said)) = (Seen::default(), channel());
    let noted = seen.clone();
    let said = Mutex::new(said);
    let port = serve(move |at, mut stream| {
        while let Some((head, _)) = read_request(&mut stream) {
            noted.note(head.split('?').next().unwrap());
            answer(&mut stream, "200 OK", &at.to_string());
            if at == 0 {
                let _ = stream.write_all(last.as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Both);
                let _ = said.lock().unwrap().send(());
                return;
            }
        }
    });
    (port, seen, is_said)
}

#[test]
fn an_order_never_goes_by_a_connection_that_was_ended_or_talked_on_meanwhile() {
    // What some servers say to a connection that is idle for too long, and a plain end.
    for last in ["HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", ""] {
        let (port, seen, is_said) = ends_while_idle(last);
        let mut config = config();
        config.calls.connections.all = 1;
        config.calls.idle = Duration::from_secs(60);
        config.calls.patience = Duration::from_secs(10);
        let mut io = io(config);
        ask(&mut io, 1, Method::Post, port, "a=1");
        assert_eq!(wait_answer(&mut io, 1), Ok((200, b"0".to_vec())));
        is_said.recv_timeout(Duration::from_secs(10)).unwrap();
        ask(&mut io, 2, Method::Post, port, "a=1");
        assert_eq!(wait_answer(&mut io, 2), Ok((200, b"1".to_vec())), "{last}");
        assert_eq!(seen.all(), ["POST /order/1", "POST /order/2"]);
    }
}

#[test]
fn an_encrypted_answer_that_is_cut_is_not_taken_for_one_that_ended() {
    let certificate = certificate();
    let root = certificate.root_pem.clone();
    let port = serve(move |_, stream| {
        let mut stream = certificate.wrap(stream);
        let _ = read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[\"half of it\"");
        let _ = stream.flush();
        // No goodbye of TLS: whoever is on the way can do that.
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        let _ = stream.sock.read(&mut [0; 10]);
    });
    let mut config = config();
    config.route.tls = Tls::new(Some(root.as_bytes())).unwrap();
    config.calls.patience = Duration::from_secs(10);
    let mut io = io(config);
    ask_at(&mut io, 1, Method::Get, &format!("https://localhost:{port}"), "");
    let (perhaps_sent, reason) = wait_answer(&mut io, 1).unwrap_err();
    assert!(perhaps_sent && reason.contains("cut without a goodbye"), "{reason}");
}

/// A server that answers orders and cancels at once, each with its path, and reads until told so, and
/// answers no question before; with what it saw, and what tells it.
fn slow_at_questions() -> (u16, Seen, Sender<()>) {
    let (seen, (go, may_go)) = (Seen::default(), channel::<()>());
    let noted = seen.clone();
    let may_go = Mutex::new(may_go);
    let port = serve(move |_, mut stream| {
        while let Some((head, _)) = read_request(&mut stream) {
            let line = head.split('?').next().unwrap().to_owned();
            noted.note(line.clone());
            if line.starts_with("GET") {
                // The sender is dropped, or the test is over.
                let _ = may_go.lock().unwrap().recv_timeout(Duration::from_secs(60));
            }
            answer(&mut stream, "200 OK", &line);
        }
    });
    (port, seen, go)
}

#[test]
fn a_question_that_is_answered_slowly_holds_up_no_order_and_no_cancel() {
    let (port, seen, go) = slow_at_questions();
    let mut config = config();
    config.calls.connections = Places { all: 4, for_orders: 1, for_cancels: 1 };
    config.calls.waiting = 10;
    config.calls.patience = Duration::from_secs(60);
    config.calls.idle = Duration::from_secs(60);
    let mut io = io(config);
    (0..6).for_each(|key| ask(&mut io, key, Method::Get, port, ""));
    wait_seen(&mut io, &seen, 2);
    // Questions have what they may have, whatever waits: what is asked now has a place all the same.
    for key in [10, 12, 14] {
        ask(&mut io, key, Method::Post, port, "a=1");
        ask(&mut io, key + 1, Method::Delete, port, "");
        let order = wait_answer_to_any(&mut io, &[key, key + 1]);
        let cancel = wait_answer_to_any(&mut io, &[key, key + 1]);
        assert_eq!(order + cancel, 2 * key + 1);
    }
    let asked = seen.all().iter().filter(|line| line.starts_with("GET")).count();
    assert_eq!(asked, 2, "questions leave the other connections alone: {:?}", seen.all());
    drop(go);
    let mut left: Vec<u64> = (0..6).collect();
    while !left.is_empty() {
        let key = wait_answer_to_any(&mut io, &left);
        left.retain(|one| *one != key);
    }
}

#[test]
fn what_waits_leaves_by_its_urgency_and_otherwise_in_the_order_asked() {
    let (port, seen, go) = slow_at_questions();
    let mut config = config();
    config.calls.connections.all = 1;
    config.calls.waiting = 10;
    config.calls.patience = Duration::from_secs(60);
    let mut io = io(config);
    ask(&mut io, 0, Method::Get, port, "");
    wait_seen(&mut io, &seen, 1);
    let kinds =
        [Method::Get, Method::Post, Method::Delete, Method::Get, Method::Post, Method::Delete];
    for (key, method) in (1..).zip(kinds) {
        ask(&mut io, key, method, port, "");
    }
    drop(go);
    let mut left: Vec<u64> = (0..=6).collect();
    while !left.is_empty() {
        let key = wait_answer_to_any(&mut io, &left);
        left.retain(|one| *one != key);
    }
    let expected = ["GET 0", "DELETE 3", "DELETE 6", "POST 2", "POST 5", "GET 1", "GET 4"];
    assert_eq!(seen.all(), expected.map(|line| line.replace(' ', " /order/")));
}

/// Turns until a server saw so many requests.
fn wait_seen(io: &mut Io, seen: &Seen, count: usize) {
    let until = Instant::now() + Duration::from_secs(30);
    while seen.all().len() < count {
        assert!(Instant::now() < until, "waited in vain: {:?}", seen.all());
        io.turn(Duration::from_millis(5)).unwrap();
    }
}

/// The first of these that is answered.
fn wait_answer_to_any(io: &mut Io, calls: &[u64]) -> u64 {
    wait(io, |event| match event {
        IoEvent::Response { key, .. } if calls.contains(key) => Some(*key),
        IoEvent::Failed { key, reason, .. } if calls.contains(key) => panic!("{key}: {reason}"),
        _ => None,
    })
}

#[test]
fn more_requests_than_may_wait_are_refused_unsent() {
    let port = serve(|_, mut stream| {
        while read_request(&mut stream).is_some() {
            thread::sleep(Duration::from_millis(50));
            answer(&mut stream, "200 OK", "");
        }
    });
    let mut config = config();
    config.calls.patience = Duration::from_secs(5);
    let mut io = io(config);
    (0..10).for_each(|key| ask(&mut io, key, Method::Get, port, ""));
    let mut outcomes = [None; 10];
    while outcomes.iter().any(Option::is_none) {
        wait(&mut io, |event| {
            match event {
                mainspring_transport::io::IoEvent::Response { key, .. } => {
                    outcomes[*key as usize] = Some(true);
                }
                mainspring_transport::io::IoEvent::Failed { key, perhaps_sent, reason } => {
                    assert!(!perhaps_sent && reason.contains("too many"), "{reason}");
                    outcomes[*key as usize] = Some(false);
                }
                _ => {}
            }
            Some(())
        });
    }
    // Four wait; what waits while the connections are made includes the first ones.
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Some(true)).count(), 4);
}
