//! Our orders in small random recordings, against a market of plain lists that was written apart.
//!
//! A recording is made first, by people who know nothing of us: new orders that rest or take, cancels,
//! reductions. It is played to the adapter and to the lists, with orders of ours between its messages,
//! and both have to have the same book after every message and to tell us the same fills.

use mainspring_core::event::RowKind;
use mainspring_core::order::{ClientOrderId, Side, VenueRequestKind};
use proptest::prelude::*;

use super::tape::{is_ours, our_id};
use super::tests::{limit, Rig, ID};

/// What somebody does at a step: others first, then perhaps we.
#[derive(Clone, Debug)]
struct Step {
    action: u8,
    buys: bool,
    distance: i64,
    qty: i64,
    which: usize,
    ours: u8,
}

fn steps() -> impl Strategy<Value = (bool, Vec<Step>)> {
    let step = (0_u8..8, any::<bool>(), -4_i64..8, 1_i64..9, any::<usize>(), 0_u8..8);
    let step = step.prop_map(|(action, buys, distance, qty, which, ours)| Step {
        action,
        buys,
        distance,
        qty: qty * 1_000,
        which,
        ours,
    });
    (any::<bool>(), prop::collection::vec(step, 20..120))
}

const MIDDLE: i64 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Resting {
    id: u64,
    side: Side,
    price: i64,
    left: i64,
}

#[derive(Clone, Copy, Debug)]
enum Message {
    Add(Resting),
    Reduce(u64, i64),
    Delete(u64),
    Execute(u64, i64),
}

/// A market as a list in the order of arrival.
#[derive(Clone, Default)]
struct Lists(Vec<Resting>);

impl Lists {
    /// The first that a taker meets.
    fn first(&self, theirs: Side) -> Option<usize> {
        let of = self.0.iter().enumerate().filter(|(_, one)| one.side == theirs);
        let better = |price: i64| if theirs == Side::Buy { -price } else { price };
        of.min_by_key(|(at, one)| (better(one.price), *at)).map(|(at, _)| at)
    }

    /// Takes up to a limit; who was met, at what price, for how much, and what is left of the taker.
    fn take(&mut self, taker: Side, price: i64, mut left: i64) -> (Vec<(u64, i64, i64)>, i64) {
        let (theirs, mut met) = (taker.opposite(), Vec::new());
        while let Some(at) = self.first(theirs).filter(|_| left > 0) {
            let one = &mut self.0[at];
            let within = if taker == Side::Buy { one.price <= price } else { one.price >= price };
            if !within {
                break;
            }
            let qty = left.min(one.left);
            met.push((one.id, one.price, qty));
            left -= qty;
            one.left -= qty;
            if one.left == 0 {
                self.0.remove(at);
            }
        }
        (met, left)
    }

    fn find(&mut self, id: u64) -> Option<usize> {
        self.0.iter().position(|one| one.id == id)
    }

    fn reduce(&mut self, id: u64, by: i64) {
        let Some(at) = self.find(id) else { return };
        self.0[at].left -= by;
        if self.0[at].left <= 0 {
            self.0.remove(at);
        }
    }

    /// Best price first, first come first.
    fn queues(&self) -> Vec<(Side, i64, u64, i64)> {
        let mut all: Vec<_> = self.0.iter().enumerate().collect();
        all.sort_by_key(|(at, one)| match one.side {
            Side::Buy => (0, -one.price, *at),
            Side::Sell => (1, one.price, *at),
        });
        all.into_iter().map(|(_, one)| (one.side, one.price, one.id, one.left)).collect()
    }
}

/// What others do, as a venue records it when nobody of ours is there.
fn record(steps: &[Step]) -> Vec<Vec<Message>> {
    let (mut market, mut next, mut all) = (Lists::default(), 1, Vec::new());
    for step in steps {
        let mut messages = Vec::new();
        let side = if step.buys { Side::Buy } else { Side::Sell };
        let known = (!market.0.is_empty()).then(|| market.0[step.which % market.0.len()]);
        match (step.action, known) {
            (0, Some(one)) => {
                market.reduce(one.id, one.left);
                messages.push(Message::Delete(one.id));
            }
            (1, Some(one)) if one.left > 1_000 => {
                market.reduce(one.id, 1_000);
                messages.push(Message::Reduce(one.id, one.left - 1_000));
            }
            _ => {
                let price = MIDDLE - side.sign() * step.distance;
                let (met, left) = market.take(side, price, step.qty);
                messages.extend(met.iter().map(|(id, _, qty)| Message::Execute(*id, *qty)));
                if left > 0 {
                    let one = Resting { id: next, side, price, left };
                    next += 1;
                    market.0.push(one);
                    messages.push(Message::Add(one));
                }
            }
        }
        all.push(messages);
    }
    all
}

/// Both sides of the comparison.
struct Both {
    rig: Rig,
    /// The recording as it was, and the market with us in it.
    was: Lists,
    is: Lists,
    /// Our fills by the lists: order, price, quantity, whether we were the maker.
    fills: Vec<(u64, i64, i64, bool)>,
    now: i64,
}

impl Both {
    fn told(&mut self, met: &[(u64, i64, i64)]) {
        let ours = met.iter().filter(|(id, ..)| is_ours(*id));
        self.fills.extend(ours.map(|(id, price, qty)| (our_id_of(*id), *price, *qty, true)));
    }

    fn say(&mut self, message: Message) {
        self.now += 1_000;
        match message {
            Message::Add(one) => {
                self.was.0.push(one);
                let (met, left) = self.is.take(one.side, one.price, one.left);
                self.told(&met);
                if left > 0 {
                    self.is.0.push(Resting { left, ..one });
                }
                let (price, qty) = (one.price, one.left);
                self.rig.say(self.now, RowKind::OrderAdd, one.side, price, qty, one.id);
            }
            Message::Reduce(id, to) => {
                let one = self.recorded(id);
                self.was.reduce(id, one.left - to);
                self.is.reduce(id, one.left - to);
                self.rig.say(self.now, RowKind::OrderModify, one.side, one.price, to, id);
            }
            Message::Delete(id) => {
                let one = self.recorded(id);
                self.was.reduce(id, one.left);
                self.is.reduce(id, i64::MAX);
                self.rig.say(self.now, RowKind::OrderDelete, one.side, one.price, 0, id);
            }
            Message::Execute(id, qty) => {
                let one = self.recorded(id);
                self.was.reduce(id, qty);
                let (met, _) = self.is.take(one.side.opposite(), one.price, qty);
                self.told(&met);
                self.rig.say(self.now, RowKind::OrderExecute, one.side, one.price, qty, id);
            }
        }
    }

    fn recorded(&mut self, id: u64) -> Resting {
        let at = self.was.find(id).expect("a recording speaks of orders that it has");
        self.was.0[at]
    }

    /// We do something; all of ours are on one side, so that they never meet each other.
    fn we(&mut self, step: &Step, side: Side) {
        self.now += 1_000;
        match step.ours {
            0 | 1 => {
                let price = MIDDLE - side.sign() * step.distance;
                let order = self.rig.order(self.now, limit(side, price, step.qty));
                let (met, left) = self.is.take(side, price, step.qty);
                let taken = met.iter().map(|(_, price, qty)| (order.0, *price, *qty, false));
                self.fills.extend(taken);
                if left > 0 {
                    self.is.0.push(Resting { id: our_id(order).0, side, price, left });
                }
            }
            2 => {
                let ours: Vec<u64> =
                    self.is.0.iter().map(|one| one.id).filter(|id| is_ours(*id)).collect();
                if ours.is_empty() {
                    return;
                }
                let id = ours[step.which % ours.len()];
                self.is.reduce(id, i64::MAX);
                let kind = VenueRequestKind::Cancel { instrument: ID };
                self.rig.send(self.now, kind, ClientOrderId(our_id_of(id)));
            }
            _ => {}
        }
    }
}

fn our_id_of(id: u64) -> u64 {
    // What the adapter puts before our numbers.
    id - our_id(ClientOrderId(0)).0
}

proptest! {
    #[test]
    fn our_fills_and_everybodys_queues_are_those_of_plain_lists((buys, steps) in steps()) {
        let side = if buys { Side::Buy } else { Side::Sell };
        let mut both = Both {
            rig: Rig::recorded(),
            was: Lists::default(),
            is: Lists::default(),
            fills: Vec::new(),
            now: 0,
        };
        for (step, messages) in steps.iter().zip(record(&steps)) {
            for message in messages {
                both.say(message);
                prop_assert_eq!(both.rig.queues(), both.is.queues(), "{:?}", message);
            }
            both.we(step, side);
            prop_assert_eq!(both.rig.queues(), both.is.queues(), "{:?}", step);
        }
        prop_assert_eq!(both.rig.all_fills(), both.fills);
    }
}
