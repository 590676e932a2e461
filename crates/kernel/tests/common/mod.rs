//! A session on the rehearsal's market whose journal is in memory.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};

use mainspring_core::{InstrumentId, Lots, Result};
use mainspring_kernel::host::{BookTrigger, Host};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::rehearsal::{parts, Rehearsal};
use mainspring_kernel::session::{Command, Kind, Outlet, Raw, Session, SessionConfig};

#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub kind: u16,
    pub time_ns: i64,
    pub cause: u64,
    pub payload: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<Kept>>>);

impl Outlet for Memory {
    fn append(&mut self, kind: u16, time_ns: i64, cause: u64, payload: &[&[u8]]) -> Result<u64> {
        let mut records = self.0.lock().unwrap();
        let sequence = records.len() as u64 + 1;
        let cause = if cause == 0 { sequence } else { cause };
        records.push(Kept { kind, time_ns, cause, payload: payload.concat() });
        Ok(sequence)
    }

    fn next_sequence(&self) -> u64 {
        self.0.lock().unwrap().len() as u64 + 1
    }

    fn commit(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Memory {
    pub fn records(&self) -> Vec<Kept> {
        self.0.lock().unwrap().clone()
    }

    pub fn of_kind(&self, kind: Kind) -> Vec<Kept> {
        self.records().into_iter().filter(|kept| kept.kind == kind as u16).collect()
    }

    pub fn texts(&self) -> Vec<String> {
        let text = |kept: &Kept| String::from_utf8_lossy(&kept.payload).into_owned();
        self.of_kind(Kind::Notice).iter().map(text).collect()
    }
}

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

pub fn follow(session: &mut Session, records: &[Kept], from: usize) {
    for (index, kept) in records.iter().enumerate().skip(from) {
        let raw = Raw {
            kind: kept.kind,
            sequence: index as u64 + 1,
            time_ns: kept.time_ns,
            cause: kept.cause,
            payload: &kept.payload,
        };
        session.follow(&raw).unwrap();
    }
}
