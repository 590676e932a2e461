//! Market data of Binance: books by snapshot and changes, gaps, silence, planned disconnects.

use mainspring_core::{InstrumentId, RowKind};
use mainspring_venues::session::{Input, SocketId, Told};

use crate::play::{usdm, Play, MS, SECOND};

fn depth(first: i64, last: i64, previous: i64) -> String {
    format!(
        r#"{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","E":1795255200100,"T":1795255200099,"s":"BTCUSDT","U":{first},"u":{last},"pu":{previous},"b":[["61800.1","2.5"]],"a":[["61800.2","0"]]}}}}"#
    )
}

fn snapshot(last: i64) -> String {
    format!(
        r#"{{"lastUpdateId":{last},"E":1795255200100,"T":1795255200099,"bids":[["61800.0","1.000"],["61799.9","2"]],"asks":[["61800.2","3"]]}}"#
    )
}

const TICKER: &str = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5,"s":"BTCUSDT","b":"61800.0","B":"1.000","a":"61800.2","A":"3.000","T":1795255200099,"E":1795255200100}}"#;

/// A session whose book is in step after update 110.
fn in_step() -> (Play, [SocketId; 3]) {
    let (mut play, sockets) = usdm(|_| {});
    play.ok("GET", "/fapi/v1/depth", &snapshot(100));
    play.frame(sockets[0], &depth(98, 105, 97));
    play.frame(sockets[0], &depth(106, 110, 105));
    play.rows.clear();
    (play, sockets)
}

#[test]
fn streams_are_subscribed_on_the_connections_that_have_them() {
    let (play, [books, trades, _]) = usdm(|_| {});
    let on = |socket| {
        let texts = play.texts.iter().filter(move |(to, _)| *to == socket);
        texts.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert!(on(books).contains("btcusdt@depth@0ms") && on(books).contains("btcusdt@bookTicker"));
    assert!(on(trades).contains("btcusdt@trade") && on(trades).contains("btcusdt@markPrice@1s"));
    assert!(!on(trades).contains("depth"), "since 2026 the venue has books elsewhere");
}

#[test]
fn changes_wait_for_the_snapshot_and_old_ones_are_dropped() {
    let (mut play, [books, ..]) = usdm(|_| {});
    play.frame(books, &depth(90, 99, 89));
    play.frame(books, &depth(99, 105, 99));
    play.frame(books, &depth(106, 110, 105));
    assert!(play.rows.is_empty(), "nothing is told before the snapshot");
    let asked = play.ok("GET", "/fapi/v1/depth", &snapshot(100));
    assert_eq!(asked.param("limit").as_deref(), Some("1000"));
    use RowKind::{Clear, Depth};
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth, Depth, Depth, Depth, Depth, Depth]);
    play.frame(books, &depth(106, 110, 105));
    assert!(play.rows.is_empty(), "heard twice");
    play.frame(books, TICKER);
    assert_eq!(play.row_kinds(), [RowKind::Best, RowKind::Best]);
    let counts = play.session.market_counts();
    assert_eq!((counts.snapshots, counts.gaps, counts.old), (1, 0, 1));
}

#[test]
fn a_snapshot_older_than_what_was_kept_is_asked_for_again() {
    let (mut play, [books, ..]) = usdm(|_| {});
    play.frame(books, &depth(120, 130, 119));
    play.ok("GET", "/fapi/v1/depth", &snapshot(100));
    assert!(play.rows.is_empty(), "there is a gap between it and the changes");
    play.wait(SECOND);
    play.ok("GET", "/fapi/v1/depth", &snapshot(125));
    assert_eq!(play.row_kinds().len(), 6);
}

#[test]
fn a_gap_is_marked_and_repaired() {
    let (mut play, [books, ..]) = in_step();
    play.frame(books, &depth(120, 125, 119));
    assert_eq!(play.row_kinds(), [RowKind::Gap]);
    play.frame(books, &depth(126, 130, 125));
    assert!(play.rows.is_empty());
    play.wait(100 * MS);
    play.ok("GET", "/fapi/v1/depth", &snapshot(122));
    assert_eq!(play.row_kinds().len(), 4 + 2 + 2, "the snapshot and both changes");
    play.frame(books, &depth(131, 131, 130));
    assert_eq!(play.row_kinds(), [RowKind::Depth, RowKind::Depth]);
}

#[test]
fn a_snapshot_that_does_not_come_is_asked_for_again() {
    let (mut play, sockets) = in_step();
    play.frame(sockets[0], &depth(120, 125, 119));
    play.wait(100 * MS);
    let asked = play.take("GET", "/fapi/v1/depth");
    play.answer(&asked, 503, &[], r#"{"code":-1008,"msg":"Server is currently overloaded"}"#);
    assert!(play.find("GET", "/fapi/v1/depth").is_none());
    play.wait_alive(3 * SECOND, &sockets);
    let asked = play.take("GET", "/fapi/v1/depth");
    play.fail(&asked, mainspring_venues::session::Sent::Perhaps);
    play.wait_alive(3 * SECOND, &sockets);
    play.ok("GET", "/fapi/v1/depth", &snapshot(122));
    assert!(play.row_kinds().contains(&RowKind::Clear));
}

#[test]
fn a_lost_connection_marks_the_book_and_begins_again() {
    let (mut play, [books, ..]) = in_step();
    play.told.clear();
    play.close(books);
    assert_eq!(play.row_kinds(), [RowKind::Gap]);
    assert_eq!(play.others(), [Told::Feed { fresh: false }]);
    let again = play.connect("/public/");
    assert_ne!(again, books, "connections have numbers of their own");
    assert!(play.take_text(again, "SUBSCRIBE").contains("btcusdt@depth@0ms"));
    assert_eq!(play.others(), [Told::Feed { fresh: true }]);
    play.frame(books, &depth(111, 112, 110));
    assert!(play.rows.is_empty(), "a frame of the connection that is gone");
    play.frame(again, &depth(200, 205, 199));
    play.wait(100 * MS);
    play.ok("GET", "/fapi/v1/depth", &snapshot(202));
    assert!(play.row_kinds().contains(&RowKind::Clear));
}

#[test]
fn a_silent_connection_is_pinged_and_then_given_up() {
    let (mut play, [books, trades, user]) = in_step();
    play.pings = 0;
    play.wait_alive(20 * SECOND, &[books, trades, user]);
    assert!(play.pings > 3 && play.closes.is_empty(), "a calm market is no dead one");
    play.told.clear();
    play.rows.clear();
    play.ok("GET", "/fapi/v1/depth", &snapshot(110));
    play.rows.clear();
    play.wait_alive(6 * SECOND, &[trades, user]);
    assert_eq!(play.closes, [books]);
    assert_eq!(play.row_kinds(), [RowKind::Gap], "a stale book is not to be quoted on");
    assert!(play.others().contains(&Told::Feed { fresh: false }));
    assert!(play.opens.iter().any(|(_, url)| url.contains("/public/")));
}

#[test]
fn a_book_of_which_nothing_is_heard_is_looked_at_anew() {
    let (mut play, sockets) = in_step();
    play.wait_alive(14 * SECOND, &sockets);
    assert!(play.rows.is_empty());
    play.wait_alive(2 * SECOND, &sockets);
    assert_eq!(play.row_kinds(), [RowKind::Gap], "it may be calm, or the venue silent");
    play.ok("GET", "/fapi/v1/depth", &snapshot(110));
    assert_eq!(play.row_kinds()[0], RowKind::Clear, "calm, and trusted again");
    play.frame(sockets[0], &depth(111, 115, 110));
    assert_eq!(play.row_kinds(), [RowKind::Depth; 2]);
}

#[test]
fn a_book_that_is_silent_is_doubted_whatever_else_is_told_of_its_instrument() {
    let (mut play, sockets) = in_step();
    for at in 0..14 {
        play.frame(sockets[0], &TICKER.replace("\"u\":5", &format!("\"u\":{}", 200 + at)));
        play.wait_alive(SECOND, &sockets);
    }
    play.row_kinds();
    play.frame(sockets[0], &TICKER.replace("\"u\":5", "\"u\":300"));
    play.wait_alive(2 * SECOND, &sockets);
    assert!(play.row_kinds().contains(&RowKind::Gap), "its depth is not told any more");
    play.take("GET", "/fapi/v1/depth");
}

#[test]
fn a_snapshot_that_stays_too_old_is_not_asked_for_ever_again_at_once() {
    let (mut play, sockets) = usdm(|_| {});
    play.frame(sockets[0], &depth(120, 130, 119));
    let mut asked = 0;
    for _ in 0..120 {
        play.wait_alive(SECOND / 2, &sockets);
        while let Some(one) = play.find("GET", "/fapi/v1/depth") {
            asked += 1;
            play.answer(&one, 200, &[], &snapshot(100));
        }
    }
    assert!((4..=12).contains(&asked), "{asked} in a minute");
    play.wait_alive(31 * SECOND, &sockets);
    play.ok("GET", "/fapi/v1/depth", &snapshot(125));
    assert!(play.row_kinds().contains(&RowKind::Clear));
}

#[test]
fn before_the_venue_ends_a_connection_another_one_has_taken_its_place() {
    let (mut play, sockets) = in_step();
    let [books, trades, user] = sockets;
    play.told.clear();
    play.skip(23 * 3_600 * SECOND, &sockets);
    play.wait_alive(SECOND, &sockets);
    assert!(play.opens.is_empty(), "an hour is left");
    play.ok("GET", "/fapi/v1/depth", &snapshot(110));
    play.skip(3_001 * SECOND, &sockets);
    play.wait_alive(SECOND, &sockets);
    play.ok("GET", "/fapi/v1/depth", &snapshot(110));
    play.rows.clear();
    assert!(play.closes.is_empty(), "the old ones serve until the new ones do");
    let next = play.connect("/public/");
    play.frame(books, &depth(111, 115, 110));
    play.frame(next, &depth(116, 120, 115));
    assert_eq!(play.closes, [books]);
    play.frame(books, &depth(116, 120, 115));
    play.frame(next, &depth(121, 121, 120));
    let kinds = play.row_kinds();
    assert_eq!(kinds, [RowKind::Depth; 6], "no gap, nothing twice");
    let next_user = play.connect("/private/");
    assert!(play.closes.contains(&user) && next_user != user);
    play.close(user);
    play.close(books);
    assert!(!play
        .others()
        .iter()
        .any(|told| matches!(told, Told::Link { .. } | Told::Feed { .. })));
    assert!(!play.closes.contains(&trades), "it has heard nothing on the new one yet");
}

#[test]
fn rows_that_the_kernel_lost_come_again_as_a_snapshot() {
    let (mut play, [books, ..]) = in_step();
    play.input(Input::RowsLost { instrument: InstrumentId(0) });
    play.frame(books, &depth(111, 115, 110));
    assert!(play.rows.is_empty());
    play.wait(100 * MS);
    play.ok("GET", "/fapi/v1/depth", &snapshot(112));
    assert_eq!(play.row_kinds()[0], RowKind::Clear);
}

#[test]
fn what_cannot_be_read_is_refused_and_said() {
    let (mut play, [books, ..]) = in_step();
    play.frame(books, r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":17}"#);
    assert!(play.rows.is_empty() && play.noted("message"));
    assert_eq!(play.session.market_counts().refused, 1);
}
