//! The way through HTTP CONNECT and SOCKS5 proxies.

mod venue;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use mainspring_transport::address::Url;
use mainspring_transport::http::Request;
use mainspring_transport::tls::Tls;
use mainspring_transport::websocket::Payload;
use mainspring_venues::outgoing::{Method, Urgency};
use venue::*;

/// A CONNECT proxy that wants `user:SECRET`.
fn connect_proxy(seen: Seen) -> u16 {
    serve(move |_, mut stream| {
        let Some((head, _)) = read_request(&mut stream) else { return };
        let login = Base64::encode_string(format!("user:{SECRET}").as_bytes());
        if !head.contains(&format!("Proxy-Authorization: Basic {login}\r\n")) {
            return answer(&mut stream, "407 Proxy Authentication Required", "");
        }
        let target = head.split(' ').nth(1).unwrap().to_owned();
        seen.note(&target);
        match TcpStream::connect(&target) {
            Ok(venue) => {
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                pipe(stream, venue);
            }
            Err(_) => answer(&mut stream, "502 Bad Gateway", SECRET),
        }
    })
}

/// A SOCKS5 proxy that wants `user` and SECRET, resolves names, and notes them.
fn socks_proxy(seen: Seen) -> u16 {
    serve(move |_, mut stream| {
        let mut two = [0; 2];
        stream.read_exact(&mut two).unwrap();
        let mut methods = vec![0; usize::from(two[1])];
        stream.read_exact(&mut methods).unwrap();
        if !methods.contains(&2) {
            return stream.write_all(&[5, 0xff]).unwrap();
        }
        stream.write_all(&[5, 2]).unwrap();
        let field = |stream: &mut TcpStream| {
            let mut length = [0];
            stream.read_exact(&mut length).unwrap();
            let mut text = vec![0; usize::from(length[0])];
            stream.read_exact(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        stream.read_exact(&mut [0]).unwrap();
        let login = (field(&mut stream), field(&mut stream));
        let good = login == ("user".to_owned(), SECRET.to_owned());
        stream.write_all(&[1, u8::from(!good)]).unwrap();
        if !good {
            return;
        }
        let mut begin = [0; 4];
        stream.read_exact(&mut begin).unwrap();
        let host = match begin[3] {
            3 => field(&mut stream),
            _ => {
                let mut address = [0; 4];
                stream.read_exact(&mut address).unwrap();
                std::net::Ipv4Addr::from(address).to_string()
            }
        };
        let mut port = [0; 2];
        stream.read_exact(&mut port).unwrap();
        let port = u16::from_be_bytes(port);
        seen.note(format!("{host}:{port}"));
        match TcpStream::connect((host.as_str(), port)) {
            Ok(venue) => {
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
                pipe(stream, venue);
            }
            Err(_) => stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap(),
        }
    })
}

#[test]
fn sockets_and_requests_go_through_both_kinds_with_tls_and_without() {
    let certificate = certificate();
    let root = certificate.root_pem.clone();
    let plain = serve(|_, stream| echo(stream));
    let encrypted = serve(move |_, stream| {
        let mut stream = certificate.wrap(stream);
        while read_request(&mut stream).is_some() {
            answer(&mut stream, "200 OK", "through");
        }
    });
    let seen = Seen::default();
    let connect = connect_proxy(seen.clone());
    let socks = socks_proxy(seen.clone());
    for (scheme, port) in [("http", connect), ("socks5", socks)] {
        let mut config = through(&format!("{scheme}://user:{SECRET}@127.0.0.1:{port}"));
        config.route.tls = Tls::new(Some(root.as_bytes())).unwrap();
        let mut io = io(config);
        io.open(1, &format!("ws://localhost:{plain}/"), Vec::new());
        wait_open(&mut io, 1);
        assert!(io.send(1, Payload::Text("there and back".to_owned())));
        assert_eq!(wait_text(&mut io, 1), "there and back");
        let url = Url::parse(&format!("https://localhost:{encrypted}/")).unwrap();
        let (headers, body) = (Vec::new(), String::new());
        let (urgency, method) = (Urgency::Question, Method::Get);
        io.call(2, Request { urgency, method, url, headers, body });
        assert_eq!(wait_answer(&mut io, 2).unwrap(), (200, b"through".to_vec()));
    }
    // Names reach the proxy as names: nothing is looked up here.
    let expected = [plain, encrypted].map(|port| format!("localhost:{port}"));
    assert_eq!(seen.all(), [expected.clone(), expected].concat());
}

#[test]
fn a_proxy_that_refuses_or_hangs_is_named_and_shows_no_login() {
    let connect = connect_proxy(Seen::default());
    let socks = socks_proxy(Seen::default());
    let hangs = serve(|_, _stream| thread::sleep(Duration::from_secs(10)));
    let garbage = serve(|_, mut stream| {
        let _ = stream.write_all(format!("{SECRET}\r\n\r\n\0\0\0\0").as_bytes());
        let _ = stream.read(&mut [0; 1_000]);
    });
    let cases = [
        (format!("http://127.0.0.1:{connect}"), "407"),
        (format!("http://user:wrong{SECRET}@127.0.0.1:{connect}"), "407"),
        (format!("http://user:{SECRET}@127.0.0.1:{connect}"), "502"),
        (format!("socks5://127.0.0.1:{socks}"), "no login"),
        (format!("socks5://user:wrong{SECRET}@127.0.0.1:{socks}"), "does not accept"),
        (format!("socks5://user:{SECRET}@127.0.0.1:{socks}"), "connection refused"),
        (format!("http://127.0.0.1:{hangs}"), "in time"),
        (format!("socks5://127.0.0.1:{hangs}"), "in time"),
        (format!("http://127.0.0.1:{garbage}"), "not HTTP"),
        (format!("socks5://127.0.0.1:{garbage}"), "does not speak SOCKS5"),
        ("http://127.0.0.1:1".to_owned(), "refused"),
    ];
    for (proxy, word) in cases {
        let mut config = through(&proxy);
        config.route.patience = Duration::from_millis(300);
        let mut io = io(config);
        io.open(1, &format!("ws://127.0.0.1:1/{SECRET}"), Vec::new());
        let reason = wait_closed(&mut io, 1);
        assert!(
            reason.contains(word) && reason.contains("proxy at 127.0.0.1"),
            "{proxy}: {reason}"
        );
    }
}
