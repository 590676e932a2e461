//! Checks orders at the gate, in a function of its own that `tools/gate_branches.py` disassembles and whose
//! branches it counts. The argument is how often all orders are checked.

use std::hint::black_box;

use mainspring_core::order::OrderTerms;
use mainspring_core::{Error, ErrorKind, Result};
use mainspring_trading::risk::bench::{full_gate, orders, situation};
use mainspring_trading::risk::{Gate, Situation};

#[inline(never)]
fn gate_check(gate: &Gate, strategy: u16, terms: &OrderTerms, at: &Situation) -> bool {
    gate.check(strategy, terms, at).is_ok()
}

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(1), |text| text.parse::<u32>());
    let rounds = rounds.map_err(|e| Error::new(ErrorKind::Config, format!("rounds: {e}")))?;
    let (gate, orders, at) = (full_gate()?, orders(), situation());
    let mut approved = 0_usize;
    for _ in 0..rounds {
        for (strategy, terms) in &orders {
            let ok = gate_check(black_box(&gate), *strategy, black_box(terms), black_box(&at));
            approved += usize::from(ok);
        }
    }
    println!("checked {} approved {approved}", orders.len() * rounds as usize);
    Ok(())
}
