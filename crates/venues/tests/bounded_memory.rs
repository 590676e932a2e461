//! A session with a venue holds no more after many orders than after some: what it remembers of ended
//! ones is bounded.

#[allow(dead_code)]
#[path = "sessions/play.rs"]
mod play;

use mainspring_core::Side;
use mainspring_memory::CountingAllocator;
use mainspring_venues::session::SocketId;

use play::{client, usdm, Play, MS};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn answer(id: u64) -> String {
    format!(
        r#"{{"orderId":{id},"symbol":"BTCUSDT","status":"NEW","clientOrderId":"{}","price":"61800","avgPrice":"0","origQty":"0.005","executedQty":"0","cumQty":"0","cumQuote":"0","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"side":"BUY","positionSide":"BOTH","updateTime":1795255200500}}"#,
        client(id)
    )
}

fn filled(id: u64) -> String {
    format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","E":1795255201000,"T":1795255200999,"o":{{"s":"BTCUSDT","c":"{}","S":"BUY","o":"LIMIT","f":"GTX","q":"0.005","p":"61800","ap":"0","sp":"0","x":"TRADE","X":"FILLED","i":{id},"l":"0.005","z":"0.005","L":"61800","n":"0.00001","N":"BTC","T":1795255200999,"t":{id},"m":true,"R":false,"ot":"LIMIT","ps":"BOTH","rp":"0"}}}}"#,
        client(id)
    )
}

/// Orders that are placed, acknowledged and filled, each with a fee in the base currency.
fn trade(play: &mut Play, sockets: &[SocketId; 3], ids: std::ops::Range<u64>) {
    for id in ids {
        play.skip(100 * MS, sockets);
        play.place(id, Side::Buy, 618_000, 5);
        play.ok("POST", "/fapi/v1/order", &answer(id));
        play.frame(sockets[2], &filled(id));
        assert!(play.reports(id).len() >= 2, "accepted and filled");
        play.told.clear();
        play.notes.clear();
    }
}

#[test]
fn what_is_remembered_of_ended_orders_is_bounded() {
    let (mut play, sockets) = usdm(|_| {});
    let begun = CountingAllocator::held_bytes();
    // Terms of 8,192 orders and the venue's ids of 65,536 are remembered.
    trade(&mut play, &sockets, 1..70_000);
    let full = CountingAllocator::held_bytes();
    trade(&mut play, &sockets, 70_000..90_000);
    let later = CountingAllocator::held_bytes();
    assert!(full - begun > 1 << 20, "they are remembered: {}", full - begun);
    assert!(full - begun < 18 << 20, "a few hundred bytes each: {}", full - begun);
    assert!(later - full < 64 << 10, "{begun} at first, then {full}, then {later}");
}
