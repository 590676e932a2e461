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
