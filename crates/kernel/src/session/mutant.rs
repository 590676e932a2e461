//! Planted faults, to see that the simulation's invariants catch them. Absent without the feature
//! `mutants`, which no build that people use has.

/// A fault in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A fill that is told twice is booked twice.
    BooksTwice,
    /// Money comes from nowhere.
    MintsMoney,
    /// The gate does not see what is open.
    ForgetsOpen,
    /// The gate is not told of orders that leave.
    ForgetsRates,
    /// Nobody asks what became of an order.
    NeverAsks,
    /// An order that the venue does not know yet is taken for over.
    GivesUpEarly,
    /// What was done to orders is not journaled.
    SkipsRecords,
    /// Nobody is told of an order that is stuck.
    NeverTellsStuck,
    /// A new order leaves twice.
    SendsTwice,
    /// Strategies trade on while the session ends.
    TradesOn,
    /// Healed at once: a fill moves a position twice, and back when that is told.
    MovesTwice,
    /// Healed at once: a fill costs its fee twice, and once when that is told.
    ChargesTwice,
    /// Healed at once: an order that is over is open again for one record.
    Revives,
    /// Healed at once: one order more than may be open is sent, and cancelled behind it.
    OneTooMany,
}

impl Mutant {
    /// Every fault.
    pub const ALL: [Self; 14] = [
        Self::BooksTwice,
        Self::MintsMoney,
        Self::ForgetsOpen,
        Self::ForgetsRates,
        Self::NeverAsks,
        Self::GivesUpEarly,
        Self::SkipsRecords,
        Self::NeverTellsStuck,
        Self::SendsTwice,
        Self::TradesOn,
        Self::MovesTwice,
        Self::ChargesTwice,
        Self::Revives,
        Self::OneTooMany,
    ];

    /// Those that are wrong within a step of the engine and right again at its end.
    pub const HEALED: [Self; 4] =
        [Self::MovesTwice, Self::ChargesTwice, Self::Revives, Self::OneTooMany];
}

#[cfg(feature = "mutants")]
std::thread_local! {
    static PLANTED: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Plants a fault in the engines of this thread, or none.
#[cfg(feature = "mutants")]
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether this fault is planted.
#[cfg(feature = "mutants")]
pub(crate) fn is_planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}

/// Whether this fault is planted: never.
#[cfg(not(feature = "mutants"))]
#[inline]
pub(crate) const fn is_planted(_: Mutant) -> bool {
    false
}
