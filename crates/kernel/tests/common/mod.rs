//! A session on the rehearsal's market whose journal is in memory.
#![allow(dead_code)]

pub mod memory;
pub mod scripted;

use mainspring_core::{InstrumentId, Lots};
use mainspring_kernel::host::{BookTrigger, Host};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::rehearsal::{parts, Rehearsal};
use mainspring_kernel::session::{Command, Session, SessionConfig};

#[allow(unused_imports)]
pub use memory::{follow, Kept, Memory};

/// Every limit that a tree may have at its top; a small market maker reaches none.
pub const EVERY_LIMIT: &str = r#"{"max_order_qty":"1","max_order_notional":"1000000","max_position":"10",
    "price_collar_bps":500,"max_open_orders":100,"max_gross_exposure":"100000000",
    "max_net_exposure":"100000000","max_leverage":"10","max_allocation":"1",
    "max_symbol_exposure":"100000000","max_concentration":"1",
    "max_order_rate":{"count":60000,"window_ns":1000000000},
    "max_message_rate":{"count":60000,"window_ns":1000000000},
    "max_daily_trades":1000000,"max_daily_loss":"90000000","max_losing_streak":1000000,
    "max_data_age_ns":1000000000000,"trading_hours":"daily 00:00-24:00","breaker":{}}"#;

/// A market maker of this size.
pub fn maker(size: &str) -> Box<dyn Host> {
    let text = format!(r#"{{"kind":"touch_maker","size":"{size}","max_position":"0.05"}}"#);
    let native: NativeConfig = serde_json::from_str(&text).unwrap();
    native.build(BookTrigger::Best).unwrap()
}

/// A session of the rehearsal's instruments with a configuration over its own.
pub fn session(config: &str, hosts: Vec<Box<dyn Host>>) -> Session {
    let (own, instruments, _) = parts().unwrap();
    let mut all = serde_json::to_value(&own).unwrap();
    merge(&mut all, serde_json::from_str(config).unwrap());
    let config: SessionConfig = serde_json::from_value(all).unwrap();
    Session::new(config, instruments, hosts).unwrap()
}

fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    match (into, from) {
        (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A session that leads, in its world.
pub struct World {
    pub rehearsal: Rehearsal,
    pub memory: Memory,
}

impl World {
    pub fn new(mut session: Session) -> Self {
        let memory = Memory::default();
        session.lead(Box::new(memory.clone()));
        session.start(Rehearsal::begin_ns(), b"{}").unwrap();
        Self { rehearsal: Rehearsal::new(session).unwrap(), memory }
    }

    /// The process dies, and another goes on with `session` behind the same journal.
    pub fn restart(self, mut session: Session) -> Self {
        follow(&mut session, &self.memory.records(), 0);
        session.lead(Box::new(self.memory.clone()));
        session.resume(session.now_ns() + 1, b"{}").unwrap();
        Self { rehearsal: Rehearsal::new(session).unwrap(), memory: self.memory }
    }

    pub fn session(&mut self) -> &mut Session {
        &mut self.rehearsal.session
    }

    pub fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.rehearsal.step(&mut |_| ()).unwrap();
        }
    }

    /// Gives a command; why it was refused.
    pub fn command(&mut self, text: &str) -> Option<String> {
        let command: Command = serde_json::from_str(text).unwrap();
        let session = self.session();
        session.command(session.now_ns(), &command).unwrap();
        session.take_refusal()
    }

    /// Quantities of live orders, in lots.
    pub fn sizes(&mut self) -> Vec<i64> {
        self.session().orders().all_live().map(|order| order.terms.qty.0).collect()
    }

    pub fn net(&mut self) -> Lots {
        self.session().ledger().net(InstrumentId(0)).map_or(Lots(0), |held| held.lots)
    }
}
