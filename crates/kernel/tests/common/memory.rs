//! A journal in memory, and how a session follows it.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};

use mainspring_core::Result;
use mainspring_kernel::session::{Kind, Outlet, Raw, Session};

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
    pub fn of(records: &[Kept]) -> Self {
        Self(Arc::new(Mutex::new(records.to_vec())))
    }

    pub fn records(&self) -> Vec<Kept> {
        self.0.lock().unwrap().clone()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn of_kind(&self, kind: Kind) -> Vec<Kept> {
        self.records().into_iter().filter(|kept| kept.kind == kind as u16).collect()
    }

    pub fn texts(&self) -> Vec<String> {
        let text = |kept: &Kept| String::from_utf8_lossy(&kept.payload).into_owned();
        self.of_kind(Kind::Notice).iter().map(text).collect()
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
